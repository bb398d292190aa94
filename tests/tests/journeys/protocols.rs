//! A machine reads the whole catalogue: profiles, tombstones, dumps, statistics, feeds, site maps, the vocabulary.

use std::collections::BTreeSet;
use std::io::Read;

use catalog_schemas::account::{Role, Scope};
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::read;
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use reqwest::header::HeaderMap;

const RECORD: &str = "/id/go-esa/esa.esdc.aladin";

async fn fetch(sandbox: &Sandbox, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = sandbox.request("GET", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.text().await.unwrap())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_had_in_every_form_and_says_which() {
    let sandbox = Sandbox::with_sample().await;
    for (suffix, media_type, profile) in [
        ("ttl", "text/turtle", "https://w3id.org/esado/profile/v1"),
        ("nq", "application/n-quads", "https://w3id.org/esado/profile/v1"),
        ("trig", "application/trig", "https://w3id.org/esado/profile/v1"),
        ("dcat-ap.jsonld", "application/ld+json", "http://data.europa.eu/r5r/"),
        ("schema.jsonld", "application/vnd.schemaorg.ld+json", "https://schema.org/"),
        ("datacite.xml", "application/vnd.datacite.datacite+xml", "http://datacite.org/schema/kernel-4"),
        ("ro-crate.jsonld", "application/ld+json", "https://w3id.org/ro/crate/1.1"),
        ("codemeta.json", "application/vnd.codemeta.ld+json", "https://w3id.org/codemeta/3.0"),
        ("cff", "application/yaml", "https://w3id.org/esado/profile/citation"),
    ] {
        let (status, headers, body) = fetch(&sandbox, &format!("{RECORD}.{suffix}"), &[]).await;
        assert_eq!(status, 200, "{suffix}");
        assert!(header(&headers, "content-type").starts_with(media_type), "{suffix}: {headers:?}");
        assert_eq!(header(&headers, "content-profile"), profile, "{suffix}");
        assert!(body.contains("Aladin Sky Atlas"), "{suffix}: {body}");
        assert!(!body.contains("recordState") && !body.contains("ownerGroup"), "{suffix} tells what is private");
        // What was given is not given again.
        for condition in
            [("if-none-match", header(&headers, "etag")), ("if-modified-since", header(&headers, "last-modified"))]
        {
            let (status, _, body) = fetch(&sandbox, &format!("{RECORD}.{suffix}"), &[condition]).await;
            assert_eq!((status, body.as_str()), (304, ""), "{suffix} {condition:?}");
        }
    }
    let turtle = ("accept", "text/turtle");
    for (path, headers, place) in [
        (
            RECORD.to_owned(),
            vec![turtle, ("accept-profile", "<http://data.europa.eu/r5r/>")],
            format!("{RECORD}.dcat-ap.ttl"),
        ),
        (format!("{RECORD}?profile=dcat-ap"), vec![turtle], format!("{RECORD}.dcat-ap.ttl")),
        (
            format!("{RECORD}/0.3.1?_profile=datacite"),
            vec![("accept", "application/json")],
            format!("{RECORD}/0.3.1.datacite.json"),
        ),
        (RECORD.to_owned(), vec![("accept", "application/x-bibtex")], format!("{RECORD}.bib")),
    ] {
        let (status, given, _) = fetch(&sandbox, &path, &headers).await;
        assert_eq!((status, header(&given, "location")), (303, place.as_str()), "{path}");
        assert!(
            header(&given, "vary").contains("Accept-Profile") && header(&given, "link").contains("linkset"),
            "{given:?}"
        );
        assert_eq!(fetch(&sandbox, &place, &[]).await.0, 200, "{place}");
    }
    let (_, _, dcat) = fetch(&sandbox, &format!("{RECORD}.ttl?profile=dcat-ap"), &[]).await;
    assert_eq!(dcat, fetch(&sandbox, &format!("{RECORD}.dcat-ap.ttl"), &[]).await.2);
    assert_eq!(fetch(&sandbox, &format!("{RECORD}.ttl?profile=datacite"), &[]).await.0, 406);
    assert_eq!(fetch(&sandbox, &format!("{RECORD}?profile=nothing"), &[]).await.0, 406);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_record_leaves_a_tombstone_everywhere() {
    let sandbox = Sandbox::empty().await;
    let owner = sandbox.account("owner", Role::Developer, &[Scope::Publish]).await;
    let stays = package(&datalab("lab.gone.stays", "1.0.0"));
    owner.client.publish("lab.gone.stays", "1.0.0", stays).await.unwrap();
    let bytes = package(&datalab("lab.gone.held", "1.0.0"));
    owner.client.publish("lab.gone.held", "1.0.0", bytes).await.unwrap();
    let body = serde_json::json!({ "reason": "It held a private key" });
    let withdraw =
        sandbox.request("DELETE", "/api/v1/packages/lab.gone.held/1.0.0").bearer_auth(&owner.token).json(&body);
    assert_eq!(read(withdraw).await.0, 204);
    // What is only tried out is shown to its owner, and named by no list.
    let tried = package(&datalab("sandbox.gone.quiet", "1.0.0"));
    owner.client.publish("sandbox.gone.quiet", "1.0.0", tried).await.unwrap();
    sandbox.wait_until_in_step().await;
    let path = "/api/v1/records/go-esa/sandbox.gone.quiet";
    assert_eq!(read(sandbox.request("GET", path).bearer_auth(&owner.token)).await.0, 200);
    assert_eq!(fetch(&sandbox, path, &[]).await.0, 404);
    for path in ["/catalog?format=ttl", "/feed", "/oai?verb=ListRecords&metadataPrefix=oai_dc", "/fdp/catalog/go-esa"] {
        let (_, _, body) = fetch(&sandbox, path, &[("accept", "text/turtle")]).await;
        assert!(!body.contains("The lab quiet") && body.contains("lab.gone.stays"), "{path}: {body}");
    }

    let path = "/id/go-esa/lab.gone.held";
    for (accept, media_type) in [
        ("*/*", "application/problem+json"),
        ("text/html", "text/html"),
        ("text/turtle", "text/turtle"),
        ("application/rdf+xml", "application/rdf+xml"),
    ] {
        let (status, headers, body) = fetch(&sandbox, path, &[("accept", accept)]).await;
        assert_eq!(status, 410, "{accept}");
        assert!(header(&headers, "content-type").starts_with(media_type), "{accept}: {headers:?}");
        assert!(body.contains("It held a private key") && !body.contains("The lab held"), "{accept}: {body}");
    }
    for suffix in [".ttl", ".dcat-ap.jsonld", "/1.0.0", "/1.0.0.nt", ".datacite.xml", ".linkset.json"] {
        let (status, _, body) = fetch(&sandbox, &format!("{path}{suffix}"), &[]).await;
        assert_eq!(status, 410, "{suffix}");
        assert!(body.contains("It held a private key"), "{suffix}: {body}");
    }
    // Feeds tell that it is gone; catalogues, site maps and dumps know it no more.
    let (_, _, feed) = fetch(&sandbox, "/feed", &[("accept", "text/turtle")]).await;
    assert!(feed.contains("as:Delete") && feed.contains("lab.gone.held") && !feed.contains("The lab held"), "{feed}");
    assert!(feed.contains("The lab stays") && feed.contains("ldes:EventStream"), "{feed}");
    let (_, _, atom) = fetch(&sandbox, "/feed.atom", &[]).await;
    assert!(atom.contains("Withdrawn: lab.gone.held") && !atom.contains("The lab held"), "{atom}");
    let (_, _, oai) = fetch(&sandbox, "/oai?verb=ListRecords&metadataPrefix=oai_dc", &[]).await;
    assert!(oai.contains("<header status=\"deleted\">") && !oai.contains("The lab held"), "{oai}");
    for path in ["/catalog?format=ttl", "/sitemap/1.xml", "/fdp/catalog/go-esa"] {
        let (status, _, body) = fetch(&sandbox, path, &[("accept", "text/turtle")]).await;
        assert!(status == 200 && body.contains("lab.gone.stays") && !body.contains("lab.gone.held"), "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_and_statistics_say_what_sparql_says() {
    let sandbox = Sandbox::with_sample().await;
    let response = sandbox.request("GET", "/dump.nq.gz").send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(response.headers(), "content-type")), (200, "application/gzip"));
    let tag = header(response.headers(), "etag").to_owned();
    let packed = response.bytes().await.unwrap();
    assert_eq!(fetch(&sandbox, "/dump.nq.gz", &[("if-none-match", &tag)]).await.0, 304);
    let lines = unpack(&packed);
    let (named, merged): (BTreeSet<&str>, BTreeSet<&str>) =
        lines.lines().partition(|line| line.contains(&format!("<{}/graph/", sandbox.base())) && line.ends_with("> ."));
    let count = async |query: &str| -> u64 {
        let request = sandbox.request("GET", "/sparql").query(&[("query", query)]).header("accept", "text/csv");
        read(request).await.1.lines().nth(1).unwrap().parse().unwrap()
    };
    let inside = format!("SELECT (COUNT(*) AS ?n) {{ GRAPH <{}/graph/go-esa> {{ ?s ?p ?o }} }}", sandbox.base());
    let graph = format!("<{}/graph/go-esa> .", sandbox.base());
    assert_eq!(named.iter().filter(|line| line.ends_with(&graph)).count() as u64, count(&inside).await);
    let iris = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o FILTER(isIRI(?s)) }";
    assert_eq!(merged.iter().filter(|line| line.starts_with('<')).count() as u64, count(iris).await);

    let packed = sandbox.request("GET", "/dump/go-esa.nq.gz").send().await.unwrap().bytes().await.unwrap();
    let own = unpack(&packed);
    assert!(own.lines().all(|line| line.ends_with(&graph)));
    assert_eq!(own.lines().count() as u64, count(&inside).await);
    assert_eq!(sandbox.get("/dump/nobody.nq.gz").await.0, 404);

    let (status, _, void) = fetch(&sandbox, "/.well-known/void", &[("accept", "application/n-triples")]).await;
    assert_eq!(status, 200);
    let number = |subject: &str, property: &str| -> u64 {
        let start = format!("<{}/{subject}> <http://rdfs.org/ns/void#{property}> \"", sandbox.base());
        let line =
            void.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {property}: {void}"));
        line[start.len()..].split('"').next().unwrap().parse().unwrap()
    };
    let dataset = ".well-known/void#catalogue";
    let records = sandbox.search(&[("size", "0")]).await.total as u64;
    assert_eq!(number(dataset, "entities"), records);
    assert_eq!(number("graph/go-esa", "entities"), records);
    // The same numbers as whoever counts in the default graph finds, the vocabulary included.
    assert_eq!(number("graph/go-esa", "triples"), count(&inside).await);
    for (property, query) in [
        ("triples", "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"),
        ("distinctSubjects", "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }"),
        ("properties", "SELECT (COUNT(DISTINCT ?p) AS ?n) { ?s ?p ?o }"),
        ("classes", "SELECT (COUNT(DISTINCT ?c) AS ?n) { ?s a ?c }"),
    ] {
        assert_eq!(number(dataset, property), count(query).await, "{property}");
    }
    let datalabs = sandbox.search(&[("size", "0"), ("type", "Datalab")]).await.total;
    assert!(void.contains(&format!("\"{datalabs}\"")), "{void}");
}

fn unpack(packed: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn crawlers_and_browsers_find_their_way() {
    let sandbox = Sandbox::with_sample().await;
    let base = sandbox.base();
    let (_, _, robots) = fetch(&sandbox, "/robots.txt", &[]).await;
    assert!(robots.contains(&format!("Sitemap: {base}/sitemap.xml")) && robots.contains("Disallow: /api/"), "{robots}");
    let (status, headers, index) = fetch(&sandbox, "/sitemap.xml", &[]).await;
    assert!(status == 200 && header(&headers, "content-type").starts_with("application/xml"), "{headers:?}");
    assert!(index.contains(&format!("<loc>{base}/sitemap/1.xml</loc><lastmod>")), "{index}");
    let (_, _, map) = fetch(&sandbox, "/sitemap/1.xml", &[]).await;
    let total = sandbox.search(&[("size", "0")]).await.total;
    assert_eq!(map.matches("<loc>").count(), total);
    let first = map.split("<loc>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(fetch(&sandbox, first.strip_prefix(base).unwrap(), &[]).await.0, 200, "{first}");
    for path in ["/sitemap/2.xml", "/sitemap/0.xml", "/sitemap/x", "/sitemap/-1.xml"] {
        assert_eq!(fetch(&sandbox, path, &[]).await.0, 404, "{path}");
    }
    let (_, _, open_search) = fetch(&sandbox, "/opensearch.xml", &[]).await;
    assert!(open_search.contains("{searchTerms}"), "{open_search}");
    let (_, _, home) = fetch(&sandbox, "/", &[("accept", "text/html")]).await;
    assert!(home.contains("href=\"/opensearch.xml\"") && home.contains("href=\"/feed.atom\""), "{home}");
    let (status, headers, _) = fetch(&sandbox, "/", &[("accept", "text/turtle")]).await;
    assert_eq!((status, header(&headers, "location")), (303, "/fdp"));
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let (status, headers, _) = fetch(&sandbox, "/catalog", &[("accept", browser)]).await;
    assert_eq!((status, header(&headers, "location")), (303, "/search"));
    assert_eq!(fetch(&sandbox, "/catalog", &[]).await.0, 200);
    // The tombstone's account needs a name here only to show that credentials change nothing.
    let admin = sandbox.request("GET", "/catalog").bearer_auth(ADMIN_TOKEN).send().await.unwrap();
    assert_eq!(admin.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_schemes_and_concepts_are_given_for_people_and_machines() {
    let sandbox = Sandbox::with_sample().await;
    for path in [
        "/ns/esado",
        "/ns/esado/mission",
        "/ns/esado/mission/gaia",
        "/ns/esado/thematic-area",
        "/ns/esado/profile",
        "/ns/esado/profile/v1",
        "/ns/esado/profile/citation",
    ] {
        for media_type in
            ["text/html", "text/turtle", "application/ld+json", "application/rdf+xml", "application/n-triples"]
        {
            let (status, headers, body) = fetch(&sandbox, path, &[("accept", media_type)]).await;
            assert_eq!(status, 200, "{path} {media_type}");
            assert!(header(&headers, "content-type").starts_with(media_type), "{path}: {headers:?}");
            assert!(header(&headers, "vary").starts_with("Accept") && !body.is_empty(), "{path} {media_type}");
        }
        assert_eq!(fetch(&sandbox, path, &[("accept", "image/png")]).await.0, 406, "{path}");
    }
    let (_, _, gaia) = fetch(&sandbox, "/ns/esado/mission/gaia", &[("accept", "text/html")]).await;
    let search = "/search?mission=astronomy%2Fgaia";
    assert!(gaia.contains(search), "{gaia}");
    assert_eq!(fetch(&sandbox, search, &[]).await.0, 200);
    let (_, _, turtle) = fetch(&sandbox, "/ns/esado/mission/gaia.ttl", &[]).await;
    assert!(turtle.contains("skos:prefLabel") && turtle.contains("Gaia"), "{turtle}");
    for path in [
        "/ns/esado/mission/nothing",
        "/ns/esado/profile/v2",
        "/ns/esado/nothing",
        "/ns/esado/nothing/gaia",
        "/ns/esado/mission/..%2f..%2f",
    ] {
        assert_eq!(fetch(&sandbox, path, &[]).await.0, 404, "{path}");
    }
    // Every label of a record's details leads to its place in the vocabulary.
    let (_, _, vocabulary) = fetch(&sandbox, "/ns/esado", &[("accept", "text/html")]).await;
    let (_, _, page) = fetch(&sandbox, "/record/go-esa/esa.esdc.aladin?tab=details", &[("accept", "text/html")]).await;
    let places: BTreeSet<&str> =
        page.split("href=\"/ns/esado#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(places.len() > 20, "{places:?}");
    for place in places {
        assert!(vocabulary.contains(&format!("id=\"{place}\"")), "{place} is no place of the vocabulary");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_named_below_our_namespace_is_there() {
    let sandbox = Sandbox::with_sample().await;
    let mut named = BTreeSet::new();
    let (_, headers, turtle) = fetch(&sandbox, &format!("{RECORD}.ttl"), &[]).await;
    let texts = [header(&headers, "link"), &turtle].map(str::to_owned);
    let (_, _, profile) = fetch(&sandbox, "/ns/esado/profile.nt", &[]).await;
    let (_, _, linkset) = fetch(&sandbox, &format!("{RECORD}.linkset.json"), &[]).await;
    let (_, _, schema) = fetch(&sandbox, "/schemas/manifest.schema.json", &[]).await;
    for text in texts.into_iter().chain([profile, linkset, schema]) {
        let iris = text.split("https://w3id.org/esado/").skip(1);
        named.extend(iris.map(|rest| rest.split(['"', '>', '<', ' ', '#', '\n']).next().unwrap().to_owned()));
    }
    named.remove("");
    for expected in ["profile/v1", "profile/citation", "context/v1", "schemas/shapes.ttl"] {
        assert!(named.contains(expected), "{named:?}");
    }
    for name in named.iter().filter(|name| !name.ends_with('/')) {
        for accept in ["text/html,*/*;q=0.5", "text/turtle,*/*;q=0.5"] {
            let (status, _, _) = fetch(&sandbox, &format!("/ns/esado/{name}"), &[("accept", accept)]).await;
            assert_eq!(status, 200, "{name} {accept}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_as_who_asks_can_read_it() {
    let sandbox = Sandbox::with_sample().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let problem = "application/problem+json";
    for path in [
        "/id/go-esa/esa.esdc.nothing",
        "/id/go-esa/esa.esdc.nothing.ttl",
        "/id/nowhere",
        "/ns/esado/nothing",
        "/schemas/nothing",
        "/graph/nobody",
        "/dump/nobody.nq.gz",
        "/sitemap/9.xml",
        "/problems/nothing",
        "/record/go-esa/esa.esdc.nothing",
        "/nothing",
    ] {
        for (accept, kind) in
            [(browser, "text/html"), ("application/json", problem), ("application/problem+json", problem)]
        {
            let (status, headers, body) = fetch(&sandbox, path, &[("accept", accept)]).await;
            assert_eq!(status, 404, "{path} {accept}");
            assert!(header(&headers, "content-type").starts_with(kind), "{path} {accept}: {headers:?}");
            assert!(headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("Accept")), "{path}");
            assert_eq!(body.contains("<h1"), kind == "text/html", "{path} {accept}: {body}");
        }
    }
    // The clients of a standard know its own words only.
    for (path, status) in [
        ("/ga4gh/trs/v2/tools/none", 404),
        ("/ga4gh/trs/v2/tools/go-esa~esa.esdc.aladin/versions/9.9.9", 404),
        ("/ga4gh/trs/v2/tools?limit=many", 400),
        ("/ga4gh/trs/v2/nothing", 404),
    ] {
        let (given, headers, body) = fetch(&sandbox, path, &[("accept", browser)]).await;
        assert_eq!((given, header(&headers, "content-type")), (status, "application/json"), "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], status, "{path}");
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()) && body.get("type").is_none(), "{body}");
    }
    let posted = sandbox.request("POST", "/ga4gh/trs/v2/tools").body("{}").send().await.unwrap();
    assert_eq!((posted.status().as_u16(), posted.headers()["allow"].to_str().unwrap()), (405, "GET,HEAD"));
    assert_eq!(posted.json::<serde_json::Value>().await.unwrap()["code"], 405);
}
