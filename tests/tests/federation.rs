//! Zones that harvest each other, and what becomes of one that lies, breaks off, or loses much.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog_schemas::harvest::{ReviewDecision, SourceSettings};
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::read;
use catalog_tests::site::Sites;
use catalog_tests::{ADMIN_TOKEN, Sandbox, Settings, sparql};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Long enough for a busy machine; no test waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(240);

async fn zone(id: &str) -> Sandbox {
    let variables = vec![("ALIDADE_ZONE".to_owned(), id.to_owned())];
    Sandbox::start(Settings { variables, ..Settings::default() }).await
}

fn settings(id: &str, url: &str) -> SourceSettings {
    let value = json!({ "id": id, "kind": "alidade", "url": url, "allowPrivateAddresses": true });
    serde_json::from_value(value).unwrap()
}

async fn publish(sandbox: &Sandbox, identifier: &str) {
    let manifest = datalab(identifier, "1.0.0");
    sandbox.admin().publish(identifier, "1.0.0", package(&manifest)).await.unwrap();
}

async fn total(sandbox: &Sandbox, pairs: &[(&str, &str)]) -> usize {
    sandbox.wait_until_in_step().await;
    sandbox.search(pairs).await.total
}

async fn json_at(sandbox: &Sandbox, path: &str) -> Value {
    let (status, text) = sandbox.get(path).await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_zones_that_harvest_each_other_come_to_the_same_and_do_not_echo() {
    let (a, b, c) = tokio::join!(zone("zone-a"), zone("zone-b"), zone("zone-c"));
    let zones = [("zone-a", &a), ("zone-b", &b), ("zone-c", &c)];
    for (id, sandbox) in zones {
        publish(sandbox, &format!("{}.lab-one", id.replace('-', ""))).await;
        publish(sandbox, &format!("{}.lab-two", id.replace('-', ""))).await;
    }
    for (id, sandbox) in zones {
        for (other, there) in zones.iter().filter(|(other, _)| *other != id) {
            sandbox.admin().source_define(&settings(&format!("from-{other}"), there.base())).await.unwrap();
        }
    }
    let mut last = Vec::new();
    for round in 0..3 {
        for (id, sandbox) in zones {
            for (other, _) in zones.iter().filter(|(other, _)| *other != id) {
                let run = sandbox.harvest(&format!("from-{other}"), false).await;
                let expected = if round == 0 { (2, 0, 0) } else { (0, 0, 0) };
                assert_eq!(
                    (run.added, run.changed, run.removed),
                    expected,
                    "{id} from {other}, round {round}: {run:?}"
                );
                assert_eq!(run.state, "completed", "{run:?}");
            }
        }
        let mut now = Vec::new();
        for (_, sandbox) in zones {
            assert_eq!(total(sandbox, &[]).await, 6);
            now.push(json_at(sandbox, "/readyz").await["ledgerSeq"].clone());
        }
        assert!(round == 0 || now == last, "a zone changes although nothing does: {last:?}, then {now:?}");
        last = now;
    }
    // Each hands on its own records only.
    let feed = json_at(&b, "/api/v1/changes?after=0").await;
    let own: Vec<_> = feed["entries"].as_array().unwrap().iter().map(|entry| entry["zone"].clone()).collect();
    assert_eq!(own, ["zone-b", "zone-b"]);

    // A harvested record has the address of its home, says where it comes from, and is planned as any other.
    let record = json_at(&a, "/api/v1/records/zone-b/zoneb.lab-one").await;
    let home = format!("{}/id/zone-b/zoneb.lab-one", b.base());
    assert_eq!(
        (&record["iri"], &record["home"], &record["source"]),
        (&json!(home), &json!(home), &json!("from-zone-b"))
    );
    let (_, page) = a.get("/record/zone-b/zoneb.lab-one").await;
    assert!(page.contains(&home), "the page does not lead home");
    let facet = total(&a, &[("source", "from-zone-b")]).await;
    assert_eq!(facet, 2);
    let graphs = sparql::number(
        &a,
        &format!(
            "SELECT (COUNT(*) AS ?n) WHERE {{ GRAPH <{}/graph/from-zone-b> {{ <{home}> sdo:name ?name }} }}",
            a.base()
        ),
    )
    .await;
    assert_eq!(graphs, 1);
    let plan = a.admin().plan(&serde_json::from_value(json!({ "datalab": "zone-b/zoneb.lab-one" })).unwrap()).await;
    assert!(plan.is_ok(), "{plan:?}");

    // What is withdrawn at home is a tombstone everywhere after the next run.
    b.admin().withdraw("zoneb.lab-two", "1.0.0", "it was a mistake").await.unwrap();
    let run = a.harvest("from-zone-b", false).await;
    assert_eq!((run.added, run.changed, run.removed, run.unchanged), (0, 0, 1, 1), "{run:?}");
    assert_eq!(total(&a, &[]).await, 5);
    assert_eq!(a.get("/api/v1/records/zone-b/zoneb.lab-two").await.0, 410);
    let provenance = json_at(&a, "/api/v1/records/zone-b/zoneb.lab-one/provenance").await;
    assert_eq!(provenance["sources"][0]["source"], "from-zone-b");
    assert_eq!(provenance["sources"][0]["home"], true);
    let name = provenance["terms"].as_array().unwrap().iter().find(|term| term["key"] == "name").unwrap();
    assert_eq!((&name["rule"], &name["winner"]["run"]), (&json!("only"), &json!(1)));
}

/// Reads what is at an address, as the type that is asked for.
async fn text_at(sandbox: &Sandbox, path: &str, accept: &str) -> String {
    let response = sandbox.request("GET", path).header("accept", accept).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert!(matches!(status, 200 | 410), "{path}: {status} {text}");
    text
}

/// Reads a compressed dump.
async fn dump(sandbox: &Sandbox, path: &str) -> String {
    let response = sandbox.request("GET", path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let packed = response.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_ref()).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_another_zone_keeps_its_identifier_wherever_it_is_handed_out() {
    let (a, b) = tokio::join!(zone("zone-a"), zone("zone-b"));
    publish(&b, "zoneb.lab").await;
    publish(&b, "zoneb.gone").await;
    let volume = json!({
        "@context": "https://w3id.org/esado/context/v1", "@type": "DataVolume", "identifier": "zoneb.volume",
        "name": { "en": "A volume" }, "alternateName": "volume-b", "abstract": { "en": "A volume of the other zone." },
        "domain": ["space-science"], "property": ["DataVolume"], "defaultMountPath": "/data/user/volume", "mode": "ro"
    });
    b.admin().publish("zoneb.volume", "1", package(&volume)).await.unwrap();
    a.admin().source_define(&settings("from-b", b.base())).await.unwrap();
    assert_eq!(a.harvest("from-b", false).await.added, 3);
    b.admin().withdraw("zoneb.gone", "1.0.0", "it was a mistake").await.unwrap();
    assert_eq!(a.harvest("from-b", false).await.removed, 1);
    a.wait_until_in_step().await;

    let home = |name: &str| format!("{}/id/zone-b/zoneb.{name}", b.base());
    let forged = format!("{}/id/zone-b/", a.base());
    let turtle = "text/turtle";
    // What names records; addresses of documents about them may be ours.
    for (path, accept, names) in [
        ("/feed", "application/n-quads", &["lab", "volume", "gone"] as &[&str]),
        ("/feed.atom", "*/*", &["lab", "volume", "gone"]),
        ("/oai?verb=ListIdentifiers&metadataPrefix=oai_dc", "*/*", &["lab", "volume", "gone"]),
        ("/oai?verb=ListRecords&metadataPrefix=oai_dc", "*/*", &["lab", "volume", "gone"]),
        ("/catalog?profile=esado", turtle, &["lab", "volume"]),
        ("/fdp/catalog/from-b", turtle, &["lab", "volume"]),
        ("/api/v1/volumes", "*/*", &["volume"]),
        ("/api/v1/search", "*/*", &["lab", "volume"]),
        ("/id/zone-b/zoneb.lab.jsonld", "*/*", &["lab"]),
        ("/id/zone-b/zoneb.gone.ttl", "*/*", &["gone"]),
    ] {
        let text = text_at(&a, path, accept).await;
        for name in names {
            assert!(text.contains(&home(name)), "{path} does not name {}: {text}", home(name));
        }
        // An entry of this catalogue is its own, whatever it is about.
        let is_entry = |rest: &str| rest.split(['>', '<', '"']).next().unwrap().ends_with("#entry");
        assert!(
            text.split(&forged).skip(1).all(is_entry),
            "{path} mints identifiers for records of another zone: {text}"
        );
    }
    let records = dump(&a, "/dump/from-b.nq.gz").await;
    assert!(records.contains(&home("lab")) && !records.contains(&forged), "{records}");
    let graph = format!("<{}/graph/from-b> .", a.base());
    assert!(records.lines().all(|line| line.ends_with(&graph)), "{records}");

    // In the standard profiles the identifier is the home's; the entry, the page and the documents are this catalogue's.
    let catalogue = text_at(&a, "/catalog", "application/n-triples").await;
    let (own, other) = (format!("<{}/catalog>", a.base()), format!("<{}/catalog>", b.base()));
    assert!(catalogue.contains(&format!("{own} <http://www.w3.org/ns/dcat#dataset> <{}>", home("volume"))));
    assert!(catalogue.contains(&format!("<http://purl.org/dc/terms/identifier> \"{}\"", home("volume"))));
    assert!(catalogue.contains(&format!("<{}/graph/from-b>", a.base())) && !catalogue.contains(&other), "{catalogue}");
    let datacite = json_at(&a, "/id/zone-b/zoneb.lab.datacite.json").await;
    assert!(datacite.to_string().contains(&home("lab")), "{datacite}");
    let page = a.request("GET", "/record/zone-b/zoneb.lab").send().await.unwrap();
    let links: String =
        page.headers().get_all("link").iter().map(|link| format!("{}\n", link.to_str().unwrap())).collect();
    assert!(links.contains(&format!("<{}>; rel=\"cite-as\"", home("lab"))), "{links}");
    assert!(links.contains(&format!("<{forged}zoneb.lab.ttl>; rel=\"describedby\"")), "{links}");
    assert!(links.contains(&format!("<{forged}zoneb.lab.linkset.json>; rel=\"linkset\"")), "{links}");
    let map = text_at(&a, "/sitemap/1.xml", "*/*").await;
    assert!(map.contains(&format!("{}/record/zone-b/zoneb.lab<", a.base())), "{map}");
    // It is asked for by the identifier that it has, and nothing is called as if it were ours.
    let asked = |iri: &str| format!("/oai?verb=GetRecord&metadataPrefix=oai_dc&identifier={iri}");
    assert!(text_at(&a, &asked(&home("lab")), "*/*").await.contains(&format!("<dc:identifier>{}<", home("lab"))));
    assert!(text_at(&a, &asked(&format!("{forged}zoneb.lab")), "*/*").await.contains("idDoesNotExist"));
    // This zone's own feed hands on nothing of another's.
    assert_eq!(json_at(&a, "/api/v1/changes?after=0").await["entries"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderator_decides_what_no_rule_can_tell_and_may_take_it_back() {
    let (a, sites) = (zone("zone-a").await, Sites::start().await);
    let offer = |site: &str, datasets: &[(&str, &[&str])]| {
        let mut turtle = "@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .\n\
            @prefix adms: <http://www.w3.org/ns/adms#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
            .to_owned();
        for (name, dois) in datasets {
            let dois =
                dois.iter().map(|doi| format!("; adms:identifier [ skos:notation \"https://doi.org/10.5072/{doi}\" ]"));
            let dois: String = dois.collect();
            turtle +=
                &format!("<https://{site}.example/{name}> a dcat:Dataset ; dct:title \"Set {name}\"@en {dois} .\n");
        }
        let answer = json!({ "type": "text/turtle", "body": turtle });
        sites.set(site, [("/data.ttl".to_owned(), answer)].into_iter().collect());
    };
    offer("one", &[("ice", &["ice"]), ("sea", &["sea"])]);
    offer("two", &[("both", &["ice", "sea"])]);
    for id in ["one", "two"] {
        let url = format!("{}/data.ttl", sites.base(id));
        let source = json!({ "id": id, "kind": "dcat", "url": url, "allowPrivateAddresses": true });
        a.admin().source_define(&serde_json::from_value(source).unwrap()).await.unwrap();
        assert_eq!(a.harvest(id, false).await.state, "completed");
    }
    assert_eq!(total(&a, &[]).await, 3);
    let waiting = a.admin().sources().await.unwrap().reviews;
    let [review] = waiting.as_slice() else { panic!("not one case: {waiting:?}") };
    assert_eq!(review.code, "identity.ambiguous");
    let (own, kept) = (review.own.clone().unwrap(), review.records[0].clone());
    for (body, code) in [
        (r#"{"decision":"perhaps"}"#, "review.decision"),
        (r#"{"decision":"same"}"#, "review.record"),
        (r#"{"decision":"same","record":"set"}"#, "review.record"),
        (r#"{"decision":"apart","record":"zone-a/x.y"}"#, "review.record"),
    ] {
        let path = format!("/api/v1/reviews/{}/decide", review.number);
        let request = a.request("POST", &path).bearer_auth(ADMIN_TOKEN).header("content-type", "application/json");
        let (status, answer) = read(request.body(body)).await;
        assert!(status == 422 && answer.contains(code), "{body}: {status} {answer}");
    }
    let same = ReviewDecision { decision: "same".to_owned(), record: Some(kept.clone()) };
    a.admin().review_decide(review.number, &same).await.unwrap();

    assert_eq!(total(&a, &[]).await, 2);
    let (status, tombstone) = a.get(&format!("/api/v1/records/{own}")).await;
    let successor = format!("{}/id/{kept}", a.base());
    assert!(status == 410 && tombstone.contains(&successor), "{status} {tombstone}");
    let (status, page) = a.get(&format!("/record/{own}")).await;
    assert!(status == 410 && page.contains(&format!("/record/{kept}")), "{status} {page}");
    assert!(page.contains(&format!("t is the same as {kept}")), "{page}");
    assert_eq!(sparql::number(&a, "SELECT (COUNT(DISTINCT ?r) AS ?n) WHERE { ?r a sdo:Dataset }").await, 2);
    // A later run speaks of the record that is left, and finds nothing to ask.
    for id in ["one", "two"] {
        let run = a.harvest(id, false).await;
        assert_eq!((run.added, run.changed, run.removed), (0, 0, 0), "{run:?}");
    }
    let sources = a.admin().sources().await.unwrap();
    assert!(sources.reviews.is_empty(), "{:?}", sources.reviews);
    assert_eq!(sources.decided[0].kept.as_deref(), Some(kept.as_str()));

    a.admin().review_reopen(review.number).await.unwrap();
    assert_eq!(total(&a, &[]).await, 3);
    assert_eq!(a.get(&format!("/api/v1/records/{own}")).await.0, 200);
    let apart = ReviewDecision { decision: "apart".to_owned(), record: None };
    a.admin().review_decide(review.number, &apart).await.unwrap();
    a.harvest("two", false).await;
    assert_eq!(total(&a, &[]).await, 3);
    assert!(a.admin().sources().await.unwrap().reviews.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_second_source_says_is_in_its_own_graph_and_dump() {
    let (a, sites) = (zone("zone-a").await, Sites::start().await);
    for (id, precedence, title) in [("low", 0, "Title of low"), ("high", 5, "Title of high")] {
        let turtle = format!(
            "@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .\n\
             <https://doi.org/10.5072/both> a dcat:Dataset ; dct:title \"{title}\"@en ; dct:description \"Of both.\"@en ."
        );
        let answers = [("/data.ttl".to_owned(), json!({ "type": "text/turtle", "body": turtle }))];
        sites.set(id, answers.into_iter().collect());
        let url = format!("{}/data.ttl", sites.base(id));
        let source =
            json!({ "id": id, "kind": "dcat", "url": url, "precedence": precedence, "allowPrivateAddresses": true });
        a.admin().source_define(&serde_json::from_value(source).unwrap()).await.unwrap();
        let run = a.harvest(id, false).await;
        assert_eq!((run.state.as_str(), run.added), ("completed", 1), "{run:?}");
    }
    assert_eq!(total(&a, &[]).await, 1);
    for (id, own, other) in [("low", "Title of low", "Title of high"), ("high", "Title of high", "Title of low")] {
        assert_eq!(total(&a, &[("source", id)]).await, 1);
        let said = dump(&a, &format!("/dump/{id}.nq.gz")).await;
        let graph = format!("<{}/graph/{id}> .", a.base());
        assert!(said.contains(own) && !said.contains(other), "{id}: {said}");
        assert!(said.lines().all(|line| line.ends_with(&graph)), "{id}: {said}");
        let titled = |title: &str| {
            let graph = format!("{}/graph/{id}", a.base());
            format!("SELECT (COUNT(*) AS ?n) WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o FILTER(STR(?o) = \"{title}\") }} }}")
        };
        assert!(sparql::number(&a, &titled(own)).await > 0, "{id}");
        assert_eq!(sparql::number(&a, &titled(other)).await, 0, "{id}");
        let listed =
            text_at(&a, &format!("/oai?verb=ListIdentifiers&metadataPrefix=oai_dc&set=source:{id}"), "*/*").await;
        for set in ["source:low", "source:high"] {
            assert!(listed.contains(&format!("<setSpec>{set}</setSpec>")), "{id}: {listed}");
        }
        let member = text_at(&a, &format!("/fdp/catalog/{id}"), "text/turtle").await;
        assert!(member.contains("/id/zone-a/low."), "{id}: {member}");
    }
    // The whole dump has the merged view without a graph, once, and what each says.
    let whole = dump(&a, "/dump.nq.gz").await;
    let merged = |title: &str| whole.lines().filter(|line| line.contains(title) && !line.contains("/graph/")).count();
    assert!(merged("Title of high") > 0 && merged("Title of low") == 0, "{whole}");
    let void = text_at(&a, "/.well-known/void", "text/turtle").await;
    assert!(void.contains("/graph/high") || void.contains("/dump/high.nq.gz"), "{void}");
    // It parts again: the dump and the graph of the one that is gone are empty.
    sites.set("high", [("/data.ttl".to_owned(), json!({ "type": "text/turtle", "body":
        "<https://doi.org/10.5072/other> a <http://www.w3.org/ns/dcat#Dataset> ; <http://purl.org/dc/terms/title> \"Another\"@en ." }))]
        .into_iter().collect());
    let run = a.harvest("high", false).await;
    assert_eq!((run.added, run.removed), (1, 1), "{run:?}");
    a.wait_until_in_step().await;
    let said = dump(&a, "/dump/high.nq.gz").await;
    assert!(said.contains("Another") && !said.contains("Title of"), "{said}");
    assert!(dump(&a, "/dump/low.nq.gz").await.contains("Title of low"));
}

/// A server that says whatever a test puts into it to whoever asks for anything.
struct Liar {
    base: String,
    says: Arc<Mutex<(u16, String)>>,
}

impl Liar {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let says = Arc::new(Mutex::new((200, String::new())));
        let shared = Arc::clone(&says);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (status, body) = shared.lock().unwrap().clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 8192];
                    let _ = stream.read(&mut buffer).await;
                    let head = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(body.as_bytes()).await;
                });
            }
        });
        Self { base, says }
    }

    fn say(&self, status: u16, body: &Value) {
        *self.says.lock().unwrap() = (status, body.to_string());
    }

    fn entry(&self, seq: u64, zone: &str, name: &str, title: &str) -> Value {
        let identifier = format!("{zone}.{name}");
        json!({
            "seq": seq, "iri": format!("{}/id/{zone}/{identifier}", self.base), "zone": zone, "identifier": identifier,
            "type": "Dataset", "version": "1", "state": "published", "source": zone, "modified": "2030-01-01T00:00:00Z",
            "document": { "@type": "Dataset", "identifier": identifier, "title": { "en": title }, "version": "1" }
        })
    }

    fn feed(&self, entries: Vec<Value>) -> Value {
        let next = entries.len();
        json!({ "zone": "rogue", "base": self.base, "epoch": "1", "entries": entries, "next": next, "end": true })
    }

    /// A feed of so many records.
    fn full(&self, count: u64) -> Value {
        self.feed((0..count).map(|n| self.entry(n + 1, "rogue", &format!("r{n:03}"), &format!("Record {n}"))).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_speaks_only_for_itself_and_what_it_gets_wrong_is_set_aside() {
    let sandbox = zone("zone-a").await;
    publish(&sandbox, "zonea.lab").await;
    let liar = Liar::start().await;
    let mut forged = liar.entry(2, "zone-a", "lab", "Mine now");
    forged["identifier"] = json!("zonea.lab");
    let mut cut = liar.entry(3, "rogue", "cut", "Cut");
    cut["contentHash"] = json!("0".repeat(64));
    let mut nameless = liar.entry(4, "rogue", "nameless", "x");
    nameless["document"].as_object_mut().unwrap().remove("title");
    let good = liar.entry(5, "rogue", "good", "Good");
    liar.say(200, &liar.feed(vec![liar.entry(1, "other", "x", "X"), forged, cut, nameless, good]));
    sandbox.admin().source_define(&settings("rogue", &liar.base)).await.unwrap();

    // A dry run reports the same and changes nothing.
    let before = json_at(&sandbox, "/readyz").await["ledgerSeq"].clone();
    let dry = sandbox.harvest("rogue", true).await;
    assert_eq!((dry.state.as_str(), dry.added, dry.quarantined), ("completed", 1, 4), "{dry:?}");
    assert_eq!(json_at(&sandbox, "/readyz").await["ledgerSeq"], before);

    let run = sandbox.harvest("rogue", false).await;
    let codes: Vec<&str> =
        run.findings.iter().filter(|one| one.quarantined).map(|one| one.finding.code.as_str()).collect();
    assert_eq!((run.added, run.quarantined), (1, 4), "{run:?}");
    for code in ["federation.forged", "feed.hash", "term.missing"] {
        assert!(codes.contains(&code), "{code} is not among {codes:?}");
    }
    let lab = json_at(&sandbox, "/api/v1/records/zone-a/zonea.lab").await;
    assert_eq!(lab["name"], "The lab lab");

    // It cannot become another zone, and this zone is not harvested into itself.
    let mut other = liar.full(1);
    other["zone"] = json!("zone-b");
    liar.say(200, &other);
    let run = sandbox.harvest("rogue", false).await;
    assert_eq!((run.state.as_str(), run.reason.unwrap().code.as_str()), ("failed", "federation.other_zone"));
    sandbox.admin().source_define(&settings("myself", sandbox.base())).await.unwrap();
    let run = sandbox.harvest("myself", false).await;
    assert_eq!(run.reason.unwrap().code, "federation.own_zone");
    // Nobody but moderators sees sources, and nobody but administrators makes them.
    assert_eq!(sandbox.get("/api/v1/sources").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_came_back_from_a_backup_and_went_on_is_read_anew() {
    let sandbox = zone("zone-a").await;
    let liar = Liar::start().await;
    let mut feed = liar.full(5);
    feed["mark"] = json!("five");
    liar.say(200, &feed);
    sandbox.admin().source_define(&settings("rogue", &liar.base)).await.unwrap();
    let run = sandbox.harvest("rogue", false).await;
    assert_eq!((run.complete, run.added), (true, 5), "{run:?}");
    // It was set back to four, and has gone on to six: of its fifth record of then it knows nothing.
    let mut feed = liar.feed(
        vec![1, 2, 3, 4, 6, 7]
            .into_iter()
            .map(|n| liar.entry(n, "rogue", &format!("r{:03}", n - 1), &format!("Record {}", n - 1)))
            .collect(),
    );
    (feed["mark"], feed["afterMark"]) = (json!("six"), json!("another five"));
    liar.say(200, &feed);
    let run = sandbox.harvest("rogue", false).await;
    assert_eq!((run.added, run.unchanged, run.removed), (2, 4, 1), "{run:?}");
    feed["afterMark"] = json!("six");
    feed["entries"] = json!([]);
    liar.say(200, &feed);
    let run = sandbox.harvest("rogue", false).await;
    assert_eq!((run.added, run.changed, run.unchanged, run.removed), (0, 0, 6, 0), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_zone_says_of_a_record_while_it_is_read_the_last_word_counts() {
    let (sandbox, sites) = (zone("zone-a").await, Sites::start().await);
    let base = sites.base("rogue");
    let entry = |seq: u64, name: &str, title: &str| {
        let identifier = format!("rogue.{name}");
        json!({
            "seq": seq, "iri": format!("{base}/id/rogue/{identifier}"), "zone": "rogue", "identifier": identifier,
            "type": "Dataset", "version": "1", "state": "published", "source": "rogue", "modified": "2030-01-01T00:00:00Z",
            "document": { "@type": "Dataset", "identifier": identifier, "title": { "en": title }, "version": "1" }
        })
    };
    let gone = |seq: u64, name: &str| {
        let mut entry = entry(seq, name, "");
        entry["state"] = json!("withdrawn");
        entry
    };
    let say = |pieces: &[(u64, u64, Vec<Value>)]| {
        let answers = pieces.iter().enumerate().map(|(at, (after, next, entries))| {
            let end = at + 1 == pieces.len();
            let feed = json!({
                "zone": "rogue", "base": base, "epoch": "1", "entries": entries, "next": next, "end": end
            });
            (format!("/api/v1/changes?after={after}&limit=500"), json!({ "body": feed.to_string() }))
        });
        sites.set("rogue", answers.collect());
    };
    // While the first piece is read, records that it lists change, go, and come back; some pieces are staged alone.
    let many = |from: u64| (from..from + 500).map(|n| entry(n, &format!("n{n}"), &format!("Number {n}"))).collect();
    let mut first: Vec<Value> = many(1);
    first.extend([entry(501, "changes", "Before"), entry(502, "goes", "Goes"), entry(503, "stays", "Stays")]);
    let second = vec![entry(504, "changes", "Between"), gone(505, "goes"), entry(506, "back", "Back")];
    let mut third: Vec<Value> = vec![gone(507, "back"), entry(508, "changes", "After")];
    third.extend::<Vec<Value>>(many(509));
    let fourth = vec![entry(1009, "back", "Back again"), gone(1010, "n7")];
    say(&[(0, 503, first), (503, 506, second), (506, 1008, third), (1008, 1010, fourth)]);
    sandbox.admin().source_define(&settings("rogue", &base)).await.unwrap();
    let run = sandbox.harvest("rogue", false).await;
    assert_eq!((run.state.as_str(), run.added, run.changed, run.removed), ("completed", 1002, 0, 0), "{run:?}");
    assert_eq!(total(&sandbox, &[]).await, 1002);
    let title =
        async |name: &str| json_at(&sandbox, &format!("/api/v1/records/rogue/rogue.{name}")).await["name"].clone();
    assert_eq!(title("changes").await, "After");
    assert_eq!(title("back").await, "Back again");
    for name in ["goes", "n7"] {
        assert_eq!(sandbox.get(&format!("/api/v1/records/rogue/rogue.{name}")).await.0, 404, "{name}");
    }

    // The same of records that are known: what changes and then goes is gone, and what comes back is there.
    let mut fifth = vec![entry(1011, "changes", "Once more"), gone(1012, "stays")];
    fifth.extend::<Vec<Value>>(many(1013));
    let sixth = vec![gone(1513, "changes"), entry(1514, "stays", "Stays after all")];
    say(&[(1010, 1512, fifth), (1512, 1514, sixth)]);
    let run = sandbox.harvest("rogue", false).await;
    assert_eq!((run.state.as_str(), run.added, run.changed, run.removed), ("completed", 500, 1, 1), "{run:?}");
    assert_eq!(title("stays").await, "Stays after all");
    assert_eq!(sandbox.get("/api/v1/records/rogue/rogue.changes").await.0, 410);
    assert_eq!(total(&sandbox, &[]).await, 1501);
    // The log of changes counts without a gap.
    assert_eq!(json_at(&sandbox, "/readyz").await["ledgerSeq"], 1504);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_deletes_nothing_and_much_goes_only_when_somebody_approves() {
    let mut sandbox = zone("zone-a").await;
    let liar = Liar::start().await;
    liar.say(200, &liar.full(60));
    sandbox.admin().source_define(&settings("rogue", &liar.base)).await.unwrap();
    assert_eq!(sandbox.harvest("rogue", false).await.added, 60);
    assert_eq!(total(&sandbox, &[]).await, 60);

    // Errors, another page, half a page.
    for (status, body) in [(500, json!({})), (200, json!("<html>sign in</html>")), (404, json!({}))] {
        liar.say(status, &body);
        let run = sandbox.harvest("rogue", false).await;
        assert_eq!(run.state, "failed", "{run:?}");
        assert!(run.reason.is_some());
    }
    assert_eq!(total(&sandbox, &[]).await, 60);

    // A ledger that was begun anew and says much less is read from the beginning, and waits.
    let mut less = liar.full(20);
    less["epoch"] = json!("2");
    liar.say(200, &less);
    let dry = sandbox.harvest("rogue", true).await;
    assert_eq!((dry.state.as_str(), dry.removed), ("completed", 40), "{dry:?}");
    let held = sandbox.harvest("rogue", false).await;
    assert_eq!((held.state.as_str(), held.removed, held.unchanged), ("held", 40, 20), "{held:?}");
    assert_eq!(held.diff.as_ref().unwrap().removed.len(), 40);
    let told = sandbox.admin().notifications().await.unwrap().notifications;
    let page = format!("{}/sources/rogue/runs/{}", sandbox.base(), held.number);
    assert!(told.iter().any(|one| one.what == "held" && one.url == page && one.message.is_some()), "{told:?}");
    assert_eq!(total(&sandbox, &[]).await, 60);
    // It waits over a crash, and what was approved is applied once.
    sandbox.kill9();
    sandbox.run().await;
    let admin = sandbox.admin();
    let approved = admin.run_approve("rogue", held.number).await.unwrap();
    assert_eq!((approved.state.as_str(), approved.approved_by.is_some()), ("completed", true));
    assert!(admin.run_approve("rogue", held.number).await.is_err());
    assert_eq!(total(&sandbox, &[]).await, 20);
    let (status, page) = {
        let response = sandbox.request("GET", "/sources/rogue").bearer_auth(catalog_tests::sandbox::ADMIN_TOKEN);
        let response = response.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert!(status == 200 && page.contains("Run now"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_harvests_loses_nothing_and_deletes_nothing() {
    let mut sandbox = zone("zone-a").await;
    let liar = Liar::start().await;
    liar.say(200, &liar.full(20));
    sandbox.admin().source_define(&settings("rogue", &liar.base)).await.unwrap();
    assert_eq!(sandbox.harvest("rogue", false).await.added, 20);
    let mut larger = liar.full(400);
    larger["epoch"] = json!("2");
    liar.say(200, &larger);
    let (mut seen, mut wait) = (20, 5);
    for _ in 0..5 {
        sandbox.admin().run_start("rogue", false).await.unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        wait = wait * 3 + rand::random_range(0..20);
        sandbox.kill9();
        sandbox.run().await;
        // Whole or not at all.
        let now = total(&sandbox, &[]).await;
        assert!(now == 20 || now == 400, "{now} records after a crash");
        assert!(now >= seen, "records were lost: {seen}, then {now}");
        seen = now;
    }
    let started = Instant::now();
    while total(&sandbox, &[]).await != 400 {
        assert!(started.elapsed() < PATIENCE, "the interrupted run was not taken up again\n{}", sandbox.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
