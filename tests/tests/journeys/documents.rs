//! A machine follows an identifier.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::read;
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::Value;

/// Reads one document in each syntax with a foreign reader, and writes how many statements each holds, and whether all are equal.
const COMPARE: &str = r#"
import json, sys, rdflib
from rdflib.compare import to_isomorphic
asked = json.load(sys.stdin)
graphs = {}
for syntax, text in asked.items():
    graphs[syntax] = to_isomorphic(rdflib.Graph().parse(data=text, format=syntax))
first = next(iter(graphs.values()))
print(json.dumps({syntax: [len(graph), graph == first] for syntax, graph in graphs.items()}))
"#;

/// The record used: it has texts in two languages, nested nodes, and volumes.
const RECORD: &str = "/id/go-esa/esa.esdc.aladin";

async fn ask(sandbox: &Sandbox, path: &str, accept: Option<&str>) -> (u16, Option<String>) {
    let mut request = sandbox.request("GET", path);
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    let response = request.send().await.unwrap();
    let place = response.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
    (response.status().as_u16(), place)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_leads_to_what_its_reader_understands() {
    let sandbox = Sandbox::with_sample().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (accept, place) in [
        (None, "/record/go-esa/esa.esdc.aladin"),
        (Some("*/*"), "/record/go-esa/esa.esdc.aladin"),
        (Some(browser), "/record/go-esa/esa.esdc.aladin"),
        (Some("text/turtle"), "/id/go-esa/esa.esdc.aladin.ttl"),
        (Some("application/ld+json"), "/id/go-esa/esa.esdc.aladin.jsonld"),
        (Some("application/rdf+xml"), "/id/go-esa/esa.esdc.aladin.rdf"),
        (Some("application/n-triples"), "/id/go-esa/esa.esdc.aladin.nt"),
        (Some("text/turtle;q=0.4, application/ld+json;q=0.8"), "/id/go-esa/esa.esdc.aladin.jsonld"),
        (Some("application/json"), "/api/v1/records/go-esa/esa.esdc.aladin"),
    ] {
        assert_eq!(ask(&sandbox, RECORD, accept).await, (303, Some(place.to_owned())), "{accept:?}");
        assert_eq!(ask(&sandbox, place, None).await.0, 200, "{place}");
    }
    let linkset = (303, Some(format!("{RECORD}.linkset.json")));
    assert_eq!(ask(&sandbox, RECORD, Some("application/linkset+json")).await, linkset);
    let refused = sandbox.request("GET", RECORD).header("accept", "image/png").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["vary"]),
        (406, &"Accept, Accept-Profile".parse().unwrap())
    );
    let document = sandbox.request("GET", &format!("{RECORD}.ttl")).send().await.unwrap();
    let exposed = document.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("Link") && exposed.contains("ETag"), "{exposed}");
    assert_eq!(ask(&sandbox, "/id/go-esa/esa.esdc.nothing", None).await.0, 404);
    assert_eq!(ask(&sandbox, "/id/go-esa/esa.esdc.nothing.ttl", None).await.0, 404);
    for (suffix, place) in
        [("html", "/record/go-esa/esa.esdc.aladin"), ("json", "/api/v1/records/go-esa/esa.esdc.aladin")]
    {
        assert_eq!(ask(&sandbox, &format!("{RECORD}.{suffix}"), None).await, (303, Some(place.to_owned())));
    }
    assert_eq!(ask(&sandbox, &format!("{RECORD}.docx"), None).await.0, 404);
    let of_version = format!("{RECORD}/0.3.1");
    assert_eq!(ask(&sandbox, &of_version, Some("text/turtle")).await, (303, Some(format!("{of_version}.ttl"))));
    assert_eq!(ask(&sandbox, &format!("{of_version}.ttl"), None).await.0, 200);
    assert_eq!(ask(&sandbox, &format!("{RECORD}/9.9.9"), None).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_syntax_says_the_same() {
    let sandbox = Sandbox::with_sample().await;
    if !has_rdflib() {
        return;
    }
    for record in ["esa.esdc.aladin", "esa.gaia.dr3", "esa.volumes.psa", "esa.jwst.detector1-image2"] {
        let mut texts = serde_json::Map::new();
        for (suffix, media_type, syntax) in [
            ("ttl", "text/turtle", "turtle"),
            ("jsonld", "application/ld+json", "json-ld"),
            ("rdf", "application/rdf+xml", "xml"),
            ("nt", "application/n-triples", "nt"),
        ] {
            let response = sandbox.request("GET", &format!("/id/go-esa/{record}.{suffix}")).send().await.unwrap();
            assert_eq!(response.status(), 200, "{record}.{suffix}");
            let given = response.headers()["content-type"].to_str().unwrap();
            assert!(given.starts_with(media_type), "{record}.{suffix}: {given}");
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
            texts.insert(syntax.to_owned(), Value::String(response.text().await.unwrap()));
        }
        let compared = compare(&Value::Object(texts));
        let counts: BTreeSet<Option<u64>> =
            compared.as_object().unwrap().values().map(|pair| pair[0].as_u64()).collect();
        assert_eq!(counts.len(), 1, "{record}: {compared}");
        assert!(compared["nt"][0].as_u64().unwrap() > 10, "{record}: {compared}");
        assert!(compared.as_object().unwrap().values().all(|pair| pair[1] == true), "{record}: {compared}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vocabulary_is_given_where_it_is_named() {
    let sandbox = Sandbox::empty().await;
    for (path, accept, content_type) in [
        ("/ns/esado", "text/html", "text/html"),
        ("/ns/esado", "text/turtle", "text/turtle"),
        ("/ns/esado/mission", "text/turtle", "text/turtle"),
        ("/context/v1", "application/ld+json", "application/ld+json"),
        ("/schemas/shapes.ttl", "*/*", "text/turtle"),
        ("/schemas/manifest.schema.json", "*/*", "application/schema+json"),
    ] {
        let response = sandbox.request("GET", path).header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(content_type), "{path}");
        assert!(!response.text().await.unwrap().is_empty(), "{path}");
    }
    for path in ["/ns/esado/nothing", "/schemas/nothing", "/schemas/..%2f..%2fCargo.toml"] {
        assert_eq!(sandbox.get(path).await.0, 404, "{path}");
    }
}

/// Says whether the foreign reader is there, and says it loudly when it is not.
#[expect(clippy::print_stderr, reason = "what is not tested must be seen")]
fn has_rdflib() -> bool {
    let found =
        Command::new("python3").args(["-c", "import rdflib"]).output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("NOT TESTED: python3 has no rdflib, so the syntaxes are not compared; tests/setup.sh installs it");
    }
    found
}

fn compare(texts: &Value) -> Value {
    let mut python = Command::new("python3");
    python.args(["-c", COMPARE]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = python.spawn().unwrap();
    process.stdin.take().unwrap().write_all(texts.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Numbers that catalogues tell must be those of what their lists show.
#[tokio::test(flavor = "multi_thread")]
async fn totals_count_what_lists_show() {
    let sandbox = Sandbox::with_sample().await;
    let publish = async |identifier: &str| {
        let request = sandbox.request("PUT", &format!("/api/v1/packages/{identifier}/1.0.0"));
        let answer =
            request.bearer_auth(ADMIN_TOKEN).body(package(&datalab(identifier, "1.0.0"))).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{identifier}");
    };
    for identifier in ["sandbox.own.tried", "lab.own.gone", "lab.own.kept"] {
        publish(identifier).await;
    }
    let withdrawn = sandbox.request("DELETE", "/api/v1/packages/lab.own.gone/1.0.0").bearer_auth(ADMIN_TOKEN);
    let (status, text) = read(withdrawn.json(&serde_json::json!({"reason": "no longer served"}))).await;
    assert!((200..300).contains(&status), "{status} {text}");
    sandbox.wait_until_in_step().await;
    let listed = sandbox.search(&[("size", "0")]).await.total;
    let number = |text: &str, before: &str| -> Vec<usize> {
        let after = text.split(before).skip(1);
        after
            .filter_map(|rest| {
                rest.trim_start_matches(['>', ' ', '"']).split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            })
            .collect()
    };
    let (_, catalogue) = sandbox.get("/catalog?size=500&format=nt").await;
    let totals = number(&catalogue, "hydra/core#totalItems>");
    assert!(!totals.is_empty() && totals.iter().all(|total| *total == listed), "{totals:?}, {listed} listed");
    let records = catalogue.lines().filter(|line| line.contains("<http://www.w3.org/ns/dcat#record>")).count();
    assert_eq!(records, listed, "records of the catalogue");
    let (_, sites) = sandbox.get("/sitemap/1.xml").await;
    assert_eq!(sites.matches("<loc>").count(), listed, "addresses of the site map");
    let (_, source) = sandbox.get("/fdp/catalog/go-esa").await;
    let totals = number(&source, "totalItems");
    assert!(!totals.is_empty() && totals.iter().all(|total| *total == listed), "{totals:?}: {source}");
}

/// Every IRI below our base that the data holds leads somewhere, datazones and graphs among them.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_data_names_can_be_asked_for() {
    let sandbox = Sandbox::with_sample().await;
    let base = sandbox.base();
    let query = format!(
        "SELECT DISTINCT ?x {{ {{ ?x ?p ?o }} UNION {{ ?s ?p ?x }} UNION {{ GRAPH ?x {{ }} }} FILTER(isIRI(?x) && STRSTARTS(STR(?x), \"{base}/\")) }}"
    );
    let request = sandbox.request("GET", "/sparql").query(&[("query", &query)]).header("accept", "text/csv");
    let (_, text) = read(request).await;
    let named: BTreeSet<&str> = text.lines().skip(1).filter_map(|iri| iri.split('#').next()).collect();
    let expected = [format!("{base}/id/go-esa"), format!("{base}/id/sci-cloud"), format!("{base}/graph/go-esa")];
    assert!(named.len() > 60 && expected.iter().all(|iri| named.contains(iri.as_str())), "{named:?}");
    for iri in named {
        let path = iri.strip_prefix(base).unwrap();
        let (status, place) = ask(&sandbox, path, Some("text/turtle")).await;
        assert!(matches!(status, 200 | 303), "{iri}: {status}");
        if let Some(place) = place {
            assert_eq!(ask(&sandbox, &place, Some("text/turtle")).await.0, 200, "{iri}: {place}");
        }
    }
    for (path, accept, status, place) in [
        ("/id/go-esa", "text/html", 303, Some("/datazones")),
        ("/id/go-esa", "application/json", 303, Some("/api/v1/datazones/go-esa")),
        ("/id/go-esa", "application/ld+json", 303, Some("/id/go-esa.jsonld")),
        ("/id/go-esa", "image/png", 406, None),
        ("/id/go-esa.rdf", "*/*", 200, None),
        ("/id/nowhere", "*/*", 404, None),
        ("/id/go-esa.docx", "*/*", 404, None),
        ("/graph/go-esa", "text/html", 303, Some("/search?source=go-esa")),
        ("/graph/vocabulary", "text/html", 303, Some("/ns/esado")),
        ("/graph/vocabulary", "application/n-triples", 200, None),
        ("/graph/nobody", "text/turtle", 404, None),
        ("/fdp/catalog/", "text/turtle", 303, Some("/fdp")),
        ("/fdp/catalog/go-esa/dataset/", "text/turtle", 303, Some("/fdp/catalog/go-esa")),
    ] {
        assert_eq!(ask(&sandbox, path, Some(accept)).await, (status, place.map(str::to_owned)), "{path} {accept}");
    }
    let (_, turtle) = sandbox.get("/id/sci-cloud.ttl").await;
    assert!(turtle.contains("SCI-CLOUD") && turtle.contains("esado:free"), "{turtle}");
    let (_, other) = sandbox.get("/id/go-esa.nt").await;
    assert!(other.contains("/id/go-esa#capacity-0>") && !other.contains("sci-cloud"), "{other}");
    // Whoever reads by a format's name alone is led on in it, and texts say how they are encoded.
    let first = sandbox.request("GET", "/catalog?size=5&format=ttl").send().await.unwrap();
    assert_eq!(first.headers()["content-type"], "text/turtle; charset=utf-8");
    assert!(first.headers()["link"].to_str().unwrap().contains("format=ttl"));
}

/// What anybody may have written stays within what each syntax can hold.
#[tokio::test(flavor = "multi_thread")]
async fn odd_texts_break_no_document() {
    const ODD: &str = "odd \u{7f}\u{85} \r\n\t ]]> <b>&amp; \"quoted\" 'single' \\ 😀 \u{202e}عربي";
    let sandbox = Sandbox::empty().await;
    let mut manifest = datalab("odd.own.lab", "1.0.0");
    manifest["name"] = serde_json::json!({ "en": ODD });
    manifest["abstract"] = serde_json::json!({ "en": format!("An odd lab: {ODD}") });
    manifest["keyword"] = serde_json::json!({ "en": [ODD] });
    manifest["author"] = serde_json::json!([{ "name": ODD, "@id": "https://example.org/é/ü" }]);
    let publish = |manifest: &Value| {
        let put = sandbox.request("PUT", "/api/v1/packages/odd.own.lab/1.0.0").bearer_auth(ADMIN_TOKEN);
        read(put.body(package(manifest)))
    };
    // What no XML can hold is refused where it comes from.
    for unwritable in ['\u{0}', '\u{1}', '\u{8}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
        let mut manifest = manifest.clone();
        manifest["name"] = serde_json::json!({ "en": format!("odd{unwritable}") });
        let (status, text) = publish(&manifest).await;
        assert!(status == 422 && text.contains("text.control"), "{unwritable:?}: {text}");
    }
    let (status, text) = publish(&manifest).await;
    assert_eq!(status, 201, "{text}");
    sandbox.wait_until_in_step().await;
    let names = "/sparql?query=SELECT%20*%20%7B%3Fs%20%3Chttps%3A%2F%2Fschema.org%2Fname%3E%20%3Fo%7D";
    let mut texts = serde_json::Map::new();
    for (path, accept) in [
        ("/id/go-esa/odd.own.lab.rdf", "*/*"),
        ("/id/go-esa/odd.own.lab.dcat-ap.rdf", "*/*"),
        ("/id/go-esa/odd.own.lab.datacite.xml", "*/*"),
        ("/oai?verb=ListRecords&metadataPrefix=oai_dc", "*/*"),
        ("/oai?verb=ListRecords&metadataPrefix=oai_datacite", "*/*"),
        ("/oai?verb=ListRecords&metadataPrefix=dcat", "*/*"),
        ("/catalog", "application/rdf+xml"),
        ("/feed", "application/rdf+xml"),
        ("/feed.atom", "*/*"),
        ("/rdf-graph-store?default", "application/rdf+xml"),
        (names, "application/sparql-results+xml"),
    ] {
        let (status, text) = read(sandbox.request("GET", path).header("accept", accept)).await;
        assert_eq!(status, 200, "{path}: {text}");
        assert!(text.contains("odd ") && text.contains("😀"), "{path}: {text}");
        texts.insert(format!("{path} {accept}"), Value::String(text));
    }
    let parse = "import json, sys, xml.dom.minidom as dom\nfor name, text in json.load(sys.stdin).items():\n    try: dom.parseString(text.encode())\n    except Exception as error: print(name, error)";
    let mut python = Command::new("python3");
    python.args(["-c", parse]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = python.spawn().unwrap();
    process.stdin.take().unwrap().write_all(Value::Object(texts).to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    // A header holds the address of an author as a URI.
    let page = sandbox.request("GET", "/record/go-esa/odd.own.lab").header("accept", "text/html").send().await.unwrap();
    let links: Vec<&str> = page.headers().get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    assert!(links.iter().any(|link| link.contains("<https://example.org/%C3%A9/%C3%BC>; rel=\"author\"")), "{links:?}");
    // What RDF/XML has no name for is refused, not written as something else.
    let unnameable = "/sparql?query=CONSTRUCT%20%7B%3Chttp%3A%2F%2Fe%2Fs%3E%20%3Chttp%3A%2F%2Fe%2F1%3E%201%7D%20%7B%7D";
    let (status, text) = read(sandbox.request("GET", unnameable).header("accept", "application/rdf+xml")).await;
    assert!(status == 400 && text.contains("RDF/XML"), "{status} {text}");
    assert_eq!(read(sandbox.request("GET", unnameable).header("accept", "text/turtle")).await.0, 200);
}
