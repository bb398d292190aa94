//! A developer publishes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use catalog_client::ClientError;
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::problem::Problem;
use catalog_tests::package::{datalab, package, package_with};
use catalog_tests::sandbox::read;
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Puts a package as a program would; returns status and JSON.
async fn put(sandbox: &Sandbox, token: Option<&str>, identifier: &str, version: &str, body: Bytes) -> (u16, Value) {
    let mut request = sandbox.request("PUT", &format!("/api/v1/packages/{identifier}/{version}")).body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let (status, text) = read(request).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn problem<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> Problem {
    match outcome.unwrap_err() {
        ClientError::Problem(problem) => *problem,
        ClientError::Transport(text) => panic!("{text}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_published_by_the_command_line_and_found_at_once() {
    let sandbox = Sandbox::empty().await;
    let folder = sandbox.folder().join("mylab");
    std::fs::create_dir(&folder).unwrap();
    let manifest = serde_json::to_string_pretty(&datalab("lab.own.mylab", "1.0.0")).unwrap();
    std::fs::write(folder.join("manifest.jsonld"), &manifest).unwrap();
    std::fs::write(folder.join("README.md"), "# My lab\n\nHow to use it.\n").unwrap();

    let packed = sandbox.cli(&["pack", "mylab", "-o", "mylab.tar.gz"]);
    assert!(packed.status.success(), "{packed:?}");
    let bytes = std::fs::read(sandbox.folder().join("mylab.tar.gz")).unwrap();
    let validated = sandbox.cli(&["validate", "mylab"]);
    assert!(validated.status.success(), "{validated:?}");

    let published = sandbox.cli(&["publish", "mylab"]);
    assert!(published.status.success(), "{published:?}");
    let record = sandbox.anonymous().record("go-esa", "lab.own.mylab", None).await.unwrap();
    assert_eq!(
        (record.name.as_str(), record.version.as_deref(), record.state.as_str()),
        ("The lab mylab", Some("1.0.0"), "published")
    );
    let hits = sandbox.admin().search(&words("mylab")).await.unwrap().hits;
    assert_eq!(hits[0].identifier, "lab.own.mylab");

    // A second time is the same; the command line packed the bytes that `pack` writes.
    let again = sandbox.cli(&["publish", "mylab"]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(sandbox.anonymous().package("lab.own.mylab", "1.0.0").await.unwrap(), bytes);

    // Its words in the list of the command line.
    let searched = sandbox.cli(&["search", "mylab"]);
    assert!(String::from_utf8_lossy(&searched.stdout).contains("The lab mylab"), "{searched:?}");
}

fn words(text: &str) -> catalog_schemas::search::SearchQuery {
    catalog_schemas::search::SearchQuery { q: text.to_owned(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_package_is_refused_with_every_finding_and_its_place() {
    let sandbox = Sandbox::empty().await;
    let manifest = r#"{
  "@context": "https://w3id.org/esado/context/v1",
  "@type": "Datalab",
  "identifier": "lab.own.bad",
  "name": { "en": "Bad" },
  "abstract": { "en": "Three faults, each on a line of its own, all of them reported at once." },
  "softwareVersion": "1.0.0",
  "interfaceType": "hologram",
  "licnse": "https://spdx.org/licenses/MIT",
  "needs": { "cpu": { "min": -1 } }
}
"#;
    let good = package(&datalab("lab.own.bad", "1.0.0"));
    let entries = vec![("manifest.jsonld".to_owned(), manifest.as_bytes().to_vec())];
    let bad: Bytes = catalog_archive::pack_entries(entries, catalog_archive::Format::TarGz).unwrap().into();

    let refused = problem(sandbox.admin().publish("lab.own.bad", "1.0.0", bad.clone()).await);
    assert_eq!((refused.status, refused.code()), (422, "invalid_package"));
    let at = |line: u32| refused.findings.iter().filter(move |finding| finding.line == Some(line)).count();
    for line in [8, 9, 10] {
        assert!(at(line) >= 1, "nothing is said of line {line}: {:#?}", refused.findings);
    }
    for finding in refused.findings.iter().filter(|finding| !finding.pointer.is_empty()) {
        assert!(finding.line.is_some() && finding.column.is_some(), "{finding:?}");
        assert_eq!(finding.file.as_deref(), Some("manifest.jsonld"), "{finding:?}");
    }
    let typo = refused.findings.iter().find(|finding| finding.pointer == "/licnse").unwrap();
    assert!(format!("{typo:?}").contains("license"), "the nearest term is named: {typo:?}");

    // The same report without publishing, from the server and from the command line; nothing was stored.
    let report = sandbox.anonymous().validate(bad).await.unwrap();
    assert!(!report.valid);
    assert_eq!(report.findings, refused.findings);
    let folder = sandbox.folder().join("bad");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("manifest.jsonld"), manifest).unwrap();
    let said = sandbox.cli(&["validate", "bad", "--json"]);
    assert_eq!(said.status.code(), Some(1));
    let local: catalog_schemas::problem::Report = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(local.findings, report.findings);
    assert!(!sandbox.cli(&["publish", "bad"]).status.success());
    assert_eq!(sandbox.get("/api/v1/records/go-esa/lab.own.bad").await.0, 404);
    assert!(sandbox.anonymous().validate(good).await.unwrap().valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_published_once_and_never_changes() {
    let sandbox = Sandbox::empty().await;
    let first = package(&datalab("lab.own.once", "1.0.0"));
    let other = package_with(&datalab("lab.own.once", "1.0.0"), &[("README.md", "Another content.\n")]);
    let admin = Some(ADMIN_TOKEN);

    let (status, created) = put(&sandbox, admin, "lab.own.once", "1.0.0", first.clone()).await;
    assert_eq!((status, &created["created"]), (201, &json!(true)), "{created}");
    assert_eq!(created["digest"], hex_of(&first));
    let (status, same) = put(&sandbox, admin, "lab.own.once", "1.0.0", first.clone()).await;
    assert_eq!((status, &same["created"], &same["seq"]), (200, &json!(false), &created["seq"]), "{same}");
    let (status, conflict) = put(&sandbox, admin, "lab.own.once", "1.0.0", other.clone()).await;
    assert_eq!((status, &conflict["type"]), (409, &json!("/problems/version.taken")), "{conflict}");
    assert_eq!(sandbox.anonymous().package("lab.own.once", "1.0.0").await.unwrap(), first);

    // The path and the manifest must name the same.
    let (status, mismatch) = put(&sandbox, admin, "lab.own.twice", "1.0.0", first.clone()).await;
    assert_eq!(status, 422);
    assert!(has_finding(&mismatch, "identifier.mismatch"), "{mismatch}");
    let (status, mismatch) = put(&sandbox, admin, "lab.own.once", "1.0.1", first.clone()).await;
    assert_eq!(status, 422);
    assert!(has_finding(&mismatch, "version.mismatch"), "{mismatch}");

    // What was declared must be what came.
    let declare = |digest: String| {
        let request = sandbox.request("PUT", "/api/v1/packages/lab.own.declared/1.0.0").bearer_auth(ADMIN_TOKEN);
        let body = package(&datalab("lab.own.declared", "1.0.0"));
        (request.header("content-digest", digest).body(body.clone()), body)
    };
    let (request, body) = declare(format!("sha-256=:{}:", STANDARD.encode([7; 32])));
    let (status, text) = read(request).await;
    assert_eq!(status, 400, "{text}");
    assert_eq!(sandbox.get("/api/v1/records/go-esa/lab.own.declared").await.0, 404);
    let (request, _) = declare(format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&body))));
    assert_eq!(read(request).await.0, 201);

    // A copy that is still right is not sent again.
    for path in
        ["/api/v1/packages/lab.own.once/1.0.0", "/api/v1/records/go-esa/lab.own.once", "/id/go-esa/lab.own.once.ttl"]
    {
        let response = sandbox.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let tag = response.headers()["etag"].clone();
        let again = sandbox.request("GET", path).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), again.headers().get("etag")), (304, Some(&tag)), "{path}");
        assert!(again.bytes().await.unwrap().is_empty(), "{path}");
        let other = sandbox.request("GET", path).header("if-none-match", "\"other\"").send().await.unwrap();
        assert_eq!(other.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_a_repeated_publication_act_once() {
    let sandbox = Sandbox::empty().await;
    let send = |version: &'static str, key: &'static str| {
        let path = format!("/api/v1/packages/lab.own.keyed/{version}");
        let request = sandbox.request("PUT", &path).bearer_auth(ADMIN_TOKEN).header("idempotency-key", key);
        read(request.body(package(&datalab("lab.own.keyed", version))))
    };
    let (status, first) = send("1.0.0", "key-1").await;
    assert_eq!(status, 201, "{first}");
    let (status, again) = send("1.0.0", "key-1").await;
    assert!(matches!(status, 200 | 201), "{status}: {again}");
    let seq = |text: &str| serde_json::from_str::<Value>(text).unwrap()["seq"].clone();
    assert_eq!(seq(&first), seq(&again));
    let (status, other) = send("1.0.1", "key-1").await;
    assert_eq!(status, 422, "a key stands for one request: {other}");
    assert_eq!(send("1.0.1", "key-2").await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_publishers_of_one_version_one_wins() {
    let sandbox = Sandbox::empty().await;
    let race = async |identifier: &str, body: &dyn Fn(usize) -> Bytes| {
        let all = (0..50).map(|number| put(&sandbox, Some(ADMIN_TOKEN), identifier, "1.0.0", body(number)));
        let mut statuses = BTreeMap::new();
        for (status, _) in futures::future::join_all(all).await {
            *statuses.entry(status).or_insert(0) += 1;
        }
        statuses
    };
    let different = |number: usize| {
        package_with(&datalab("lab.race.different", "1.0.0"), &[("README.md", &format!("Of publisher {number}.\n"))])
    };
    assert_eq!(race("lab.race.different", &different).await, BTreeMap::from([(201, 1), (409, 49)]));
    let same = |_| package(&datalab("lab.race.same", "1.0.0"));
    assert_eq!(race("lab.race.same", &same).await, BTreeMap::from([(200, 49), (201, 1)]));
    let versions = sandbox.anonymous().record("go-esa", "lab.race.different", None).await.unwrap().versions;
    assert_eq!(versions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_publishes() {
    let sandbox = Sandbox::empty().await;
    let body = || package(&datalab("lab.alice.tool", "1.0.0"));
    let (status, text) = put(&sandbox, None, "lab.alice.tool", "1.0.0", body()).await;
    assert_eq!((status, &text["type"]), (401, &json!("/problems/unauthenticated")));
    let (status, _) = put(&sandbox, Some("alidade_nobody-has-this-token"), "lab.alice.tool", "1.0.0", body()).await;
    assert_eq!(status, 401);
    let reader = sandbox.account("rita", Role::Developer, &[Scope::Read]).await;
    let (status, text) = put(&sandbox, Some(&reader.token), "lab.alice.tool", "1.0.0", body()).await;
    assert_eq!((status, &text["type"]), (403, &json!("/problems/forbidden")));

    // Whoever publishes first in a namespace owns it; another developer may not publish there.
    let alice = sandbox.account("alice", Role::Developer, &[Scope::Read, Scope::Publish]).await;
    let bob = sandbox.account("bob", Role::Developer, &[Scope::Read, Scope::Publish]).await;
    let (status, text) = put(&sandbox, Some(&alice.token), "lab.alice.tool", "1.0.0", body()).await;
    assert_eq!(status, 201, "{text}");
    let second = package(&datalab("lab.alice.tool", "1.0.1"));
    let (status, text) = put(&sandbox, Some(&bob.token), "lab.alice.tool", "1.0.1", second.clone()).await;
    assert_eq!(status, 403, "{text}");
    let another = package(&datalab("lab.alice.another", "1.0.0"));
    assert_eq!(put(&sandbox, Some(&bob.token), "lab.alice.another", "1.0.0", another).await.0, 403);
    assert_eq!(problem(bob.client.withdraw("lab.alice.tool", "1.0.0", "not mine").await).status, 403);
    assert_eq!(put(&sandbox, Some(&alice.token), "lab.alice.tool", "1.0.1", second).await.0, 201);

    // A revoked token is worth nothing at once.
    let tokens = sandbox.admin().tokens().await.unwrap().tokens;
    let of_alice = tokens.iter().find(|token| token.account == "alice").unwrap();
    sandbox.admin().token_revoke(&of_alice.id).await.unwrap();
    let third = package(&datalab("lab.alice.tool", "1.0.2"));
    assert_eq!(put(&sandbox, Some(&alice.token), "lab.alice.tool", "1.0.2", third).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_record_leaves_a_tombstone() {
    let sandbox = Sandbox::empty().await;
    let admin = sandbox.admin();
    let body = package(&datalab("lab.own.gone", "1.0.0"));
    admin.publish("lab.own.gone", "1.0.0", body.clone()).await.unwrap();
    assert_eq!(admin.search(&words("gone")).await.unwrap().total, 1);
    assert_eq!(problem(admin.withdraw("lab.own.gone", "1.0.0", " ").await).status, 422);
    admin.withdraw("lab.own.gone", "1.0.0", "it used the wrong calibration").await.unwrap();

    assert_eq!(admin.search(&words("gone")).await.unwrap().total, 0);
    sandbox.wait_until_in_step().await;
    let ask = format!("ASK {{ GRAPH ?g {{ <{}/id/go-esa/lab.own.gone> ?p ?o }} }}", sandbox.base());
    let (_, answer) = read(sandbox.request("POST", "/sparql").form(&[("query", &ask)])).await;
    assert!(answer.contains("false"), "{answer}");
    for path in ["/id/go-esa/lab.own.gone", "/id/go-esa/lab.own.gone.ttl", "/api/v1/packages/lab.own.gone/1.0.0"] {
        let (status, text) = sandbox.get(path).await;
        assert_eq!(status, 410, "{path}: {text}");
    }
    let (status, text) = sandbox.get("/api/v1/records/go-esa/lab.own.gone").await;
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &record["state"]), (410, &json!("withdrawn")));
    assert!(record["reason"].as_str().unwrap_or_default().contains("wrong calibration"), "{record:#}");
    let (status, page) = sandbox.get("/record/go-esa/lab.own.gone").await;
    assert_eq!(status, 410);
    assert!(page.contains("wrong calibration"), "the tombstone says why");

    // The version stays taken, for the same bytes too; withdrawing again changes nothing.
    let (status, text) = put(&sandbox, Some(ADMIN_TOKEN), "lab.own.gone", "1.0.0", body).await;
    assert_eq!((status, &text["type"]), (409, &json!("/problems/version.withdrawn")), "{text}");
    let next = package(&datalab("lab.own.gone", "1.0.1"));
    assert_eq!(put(&sandbox, Some(ADMIN_TOKEN), "lab.own.gone", "1.0.1", next).await.0, 201);
    assert_eq!(admin.search(&words("gone")).await.unwrap().total, 1);
    assert_eq!(sandbox.get("/api/v1/records/go-esa/lab.own.gone").await.0, 200);
    assert_eq!(sandbox.get("/api/v1/packages/lab.own.gone/1.0.0").await.0, 410);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_reads_their_writes() {
    let sandbox = Sandbox::empty().await;
    let developer = sandbox.account("dora", Role::Developer, &[Scope::Read, Scope::Publish]).await;
    for number in 0..50 {
        let (identifier, word) = (format!("lab.dora.n{number}"), format!("n{number}"));
        let body = package(&datalab(&identifier, "1.0.0"));
        let published = developer.client.publish(&identifier, "1.0.0", body).await.unwrap();
        let answer = developer.client.search(&words(&word)).await.unwrap();
        assert!(answer.applied_seq >= published.seq, "{number}: {} of {}", answer.applied_seq, published.seq);
        assert_eq!(answer.hits.first().map(|hit| hit.identifier.as_str()), Some(identifier.as_str()), "{number}");
    }
    // Anybody else may name the sequence that they want to see.
    let body = package(&datalab("lab.dora.last", "1.0.0"));
    let seq = developer.client.publish("lab.dora.last", "1.0.0", body).await.unwrap().seq;
    let request = sandbox.request("GET", "/api/v1/search?q=last").header("alidade-min-seq", seq);
    let (_, text) = read(request).await;
    assert!(text.contains("lab.dora.last"), "{text}");
}

fn has_finding(problem: &Value, code: &str) -> bool {
    problem["findings"].as_array().is_some_and(|findings| findings.iter().any(|finding| finding["code"] == code))
}

fn hex_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
