//! Zones that harvest each other, and what becomes of one that lies, breaks off, or loses much.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog_schemas::harvest::{RunView, SourceSettings};
use catalog_tests::package::{datalab, package};
use catalog_tests::{Sandbox, Settings, sparql};
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

/// Runs a source to the end of the run.
async fn harvest(sandbox: &Sandbox, source: &str, dry: bool) -> RunView {
    let admin = sandbox.admin();
    let mut run = admin.run_start(source, dry).await.unwrap();
    let started = Instant::now();
    while matches!(run.state.as_str(), "queued" | "running") {
        assert!(started.elapsed() < PATIENCE, "the run does not end: {run:?}\n{}", sandbox.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
        run = admin.run(source, run.number).await.unwrap();
    }
    run
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
                let run = harvest(sandbox, &format!("from-{other}"), false).await;
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
    let run = harvest(&a, "from-zone-b", false).await;
    assert_eq!((run.added, run.changed, run.removed, run.unchanged), (0, 0, 1, 1), "{run:?}");
    assert_eq!(total(&a, &[]).await, 5);
    assert_eq!(a.get("/api/v1/records/zone-b/zoneb.lab-two").await.0, 410);
    let provenance = json_at(&a, "/api/v1/records/zone-b/zoneb.lab-one/provenance").await;
    assert_eq!(provenance["sources"][0]["source"], "from-zone-b");
    assert_eq!(provenance["sources"][0]["home"], true);
    let name = provenance["terms"].as_array().unwrap().iter().find(|term| term["key"] == "name").unwrap();
    assert_eq!((&name["rule"], &name["winner"]["run"]), (&json!("only"), &json!(1)));
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
    let dry = harvest(&sandbox, "rogue", true).await;
    assert_eq!((dry.state.as_str(), dry.added, dry.quarantined), ("completed", 1, 4), "{dry:?}");
    assert_eq!(json_at(&sandbox, "/readyz").await["ledgerSeq"], before);

    let run = harvest(&sandbox, "rogue", false).await;
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
    let run = harvest(&sandbox, "rogue", false).await;
    assert_eq!((run.state.as_str(), run.reason.unwrap().code.as_str()), ("failed", "federation.other_zone"));
    sandbox.admin().source_define(&settings("myself", sandbox.base())).await.unwrap();
    let run = harvest(&sandbox, "myself", false).await;
    assert_eq!(run.reason.unwrap().code, "federation.own_zone");
    // Nobody but moderators sees sources, and nobody but administrators makes them.
    assert_eq!(sandbox.get("/api/v1/sources").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_deletes_nothing_and_much_goes_only_when_somebody_approves() {
    let mut sandbox = zone("zone-a").await;
    let liar = Liar::start().await;
    liar.say(200, &liar.full(60));
    sandbox.admin().source_define(&settings("rogue", &liar.base)).await.unwrap();
    assert_eq!(harvest(&sandbox, "rogue", false).await.added, 60);
    assert_eq!(total(&sandbox, &[]).await, 60);

    // Errors, another page, half a page.
    for (status, body) in [(500, json!({})), (200, json!("<html>sign in</html>")), (404, json!({}))] {
        liar.say(status, &body);
        let run = harvest(&sandbox, "rogue", false).await;
        assert_eq!(run.state, "failed", "{run:?}");
        assert!(run.reason.is_some());
    }
    assert_eq!(total(&sandbox, &[]).await, 60);

    // A ledger that was begun anew and says much less is read from the beginning, and waits.
    let mut less = liar.full(20);
    less["epoch"] = json!("2");
    liar.say(200, &less);
    let dry = harvest(&sandbox, "rogue", true).await;
    assert_eq!((dry.state.as_str(), dry.removed), ("completed", 40), "{dry:?}");
    let held = harvest(&sandbox, "rogue", false).await;
    assert_eq!((held.state.as_str(), held.removed, held.unchanged), ("held", 40, 20), "{held:?}");
    assert_eq!(held.diff.as_ref().unwrap().removed.len(), 40);
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
    assert_eq!(harvest(&sandbox, "rogue", false).await.added, 20);
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
