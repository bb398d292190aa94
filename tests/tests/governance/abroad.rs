//! A signature travels with its record: another zone verifies it by itself, says by whom, and takes nothing whose signature broke.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use catalog_tests::package::datalab;
use catalog_tests::sandbox::{Settings, read};
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::{Value, json};

use super::{read_page, send};

/// Long enough for a busy machine; no test waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(240);

async fn zone(id: &str) -> Sandbox {
    let variables = vec![("ALIDADE_ZONE".to_owned(), id.to_owned())];
    Sandbox::start(Settings { variables, ..Settings::default() }).await
}

async fn harvest(sandbox: &Sandbox, source: &str) -> Value {
    let admin = sandbox.admin();
    let mut run = admin.run_start(source, false).await.unwrap();
    let started = Instant::now();
    while matches!(run.state.as_str(), "queued" | "running") {
        assert!(started.elapsed() < PATIENCE, "the run does not end: {run:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        run = admin.run(source, run.number).await.unwrap();
    }
    serde_json::to_value(run).unwrap()
}

/// Hands on a feed that somebody on the way may have changed.
async fn between(feed: Value) -> (String, Arc<Mutex<Value>>) {
    let says = Arc::new(Mutex::new(feed));
    let answer = |State(says): State<Arc<Mutex<Value>>>| async move { Json(says.lock().unwrap().clone()) };
    let router = Router::new().route("/api/v1/changes", get(answer)).with_state(Arc::clone(&says));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, says)
}

fn source(id: &str, url: &str) -> String {
    json!({ "id": id, "kind": "alidade", "url": url, "allowPrivateAddresses": true }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_verified_by_the_zone_that_harvests() {
    let (home, abroad) = tokio::join!(zone("zone-b"), zone("zone-a"));
    let folder = home.folder().join("lab");
    std::fs::create_dir(&folder).unwrap();
    let publish = |version: &str, arguments: &[&str]| {
        std::fs::write(folder.join("manifest.jsonld"), datalab("abr.own.lab", version).to_string()).unwrap();
        let published = home.cli(&[&["publish", "lab"], arguments].concat());
        assert!(published.status.success(), "{published:?}");
    };
    publish("0.9.0", &[]);
    assert!(home.cli(&["key", "new", "key"]).status.success());
    assert!(home.cli(&["key", "register", "abr.own", "Build machine", "key"]).status.success());
    publish("1.0.0", &["--sign", "key"]);
    // What everybody reads was edited since: what was signed is handed on beside it.
    let edit = r#"{"keyword":{"en":["edited"]}}"#;
    assert_eq!(send(&home, "PATCH", "/api/v1/records/zone-b/abr.own.lab", ADMIN_TOKEN, edit).await.0, 200);
    let (status, answer) = send(&abroad, "POST", "/api/v1/sources", ADMIN_TOKEN, source("from-b", home.base())).await;
    assert!(matches!(status, 200 | 201), "{answer}");
    let run = harvest(&abroad, "from-b").await;
    assert_eq!((&run["state"], &run["added"]), (&json!("completed"), &json!(1)), "{run}");
    let (_, view) = send(&abroad, "GET", "/api/v1/records/zone-b/abr.own.lab", "", "").await;
    let shown = &view["versions"][0]["signature"];
    assert_eq!((&shown["state"], &shown["name"]), (&json!("verified"), &json!("Build machine")), "{view}");
    assert_eq!(view["document"]["keyword"]["en"], json!(["edited"]), "{view}");
    let (_, page) = read_page(&abroad, "/record/zone-b/abr.own.lab?tab=provenance", "").await;
    assert!(page.contains("Signed by") && page.contains("Build machine") && page.contains("verified"), "{page}");

    // Another zone, and somebody on the way who changes a word, the value, or the name of the key.
    let (_, feed) = read(home.request("GET", "/api/v1/changes?after=0")).await;
    let feed: Value = serde_json::from_str(&feed).unwrap();
    assert!(feed["entries"][0]["packageSignature"]["document"].is_object(), "{feed}");
    type Change = fn(&mut Value);
    let change: [(&str, Change); 4] = [
        ("a word of what was signed", |signed| {
            signed["document"]["abstract"]["en"] = json!("Another abstract, by somebody else entirely.")
        }),
        ("the value", |signed| signed["signature"]["value"] = json!("A".repeat(86) + "==")),
        ("the version", |signed| signed["signature"]["version"] = json!("2.0.0")),
        ("the key", |signed| {
            signed["signature"]["publicKey"] = json!("z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp")
        }),
    ];
    let far = zone("zone-c").await;
    let (base, says) = between(feed.clone()).await;
    assert!(matches!(send(&far, "POST", "/api/v1/sources", ADMIN_TOKEN, source("odd", &base)).await.0, 200 | 201));
    for (what, change) in change {
        let mut changed = feed.clone();
        change(&mut changed["entries"][0]["packageSignature"]);
        *says.lock().unwrap() = changed;
        let run = harvest(&far, "odd").await;
        assert_eq!(run["added"], 0, "{what}: {run}");
        assert!(run.to_string().contains("signature.broken"), "{what} is quarantined by name: {run}");
        assert_eq!(far.get("/api/v1/records/zone-b/abr.own.lab").await.0, 404, "{what}");
    }
    // Nobody vouches for the key: it is taken and said so. Revoked at home: said so too.
    for (take, state) in [("name", "unknown"), ("revoked", "revoked")] {
        let mut changed = feed.clone();
        let signed = &mut changed["entries"][0]["packageSignature"];
        if take == "name" {
            signed.as_object_mut().unwrap().remove("name");
        } else {
            signed["revoked"] = json!(true);
        }
        *says.lock().unwrap() = changed;
        harvest(&far, "odd").await;
        let (_, view) = send(&far, "GET", "/api/v1/records/zone-b/abr.own.lab", "", "").await;
        assert_eq!(view["versions"][0]["signature"]["state"], state, "{view}");
    }
}
