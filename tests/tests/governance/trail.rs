//! Every change leaves its line in the audit trail, and every refusal none: each operation of the API, by a table.

use std::collections::{BTreeMap, BTreeSet};

use catalog_schemas::account::{Role, Scope};
use catalog_tests::package::{datalab, package, package_with};
use catalog_tests::sandbox::{Settings, read};
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::{Value, json};

use super::{read_page, send};

/// How an operation is asked for.
#[derive(Clone, Copy, PartialEq)]
enum As {
    /// With the administrator's token.
    Administrator,
    /// With the session of the account that the deeds are about.
    Session,
    /// Without any credential.
    Anyone,
}

/// What a mutating operation is asked with, and how many lines of the trail it leaves.
struct Deed {
    operation: &'static str,
    path: String,
    body: Vec<u8>,
    media_type: Option<&'static str>,
    by: As,
    lines: u64,
}

fn deed(operation: &'static str, path: &str, body: impl Into<Vec<u8>>, lines: u64) -> Deed {
    Deed { operation, path: path.to_owned(), body: body.into(), media_type: None, by: As::Administrator, lines }
}

impl Deed {
    fn by(self, by: As) -> Self {
        Self { by, ..self }
    }

    fn form(self) -> Self {
        Self { media_type: Some("application/x-www-form-urlencoded"), ..self }
    }
}

async fn trail(sandbox: &Sandbox) -> Vec<Value> {
    let (_, text) = read(sandbox.request("GET", "/api/v1/audit.jsonl").bearer_auth(ADMIN_TOKEN)).await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines that a request of this id left.
async fn lines_of(sandbox: &Sandbox, before: usize, request: &str) -> Vec<Value> {
    trail(sandbox).await.split_off(before).into_iter().filter(|line| line["request"] == request).collect()
}

const PASSWORD: &str = "three words of a password";
const KEYS: [&str; 2] =
    ["z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp", "z6Mkf5rGMoatrSj1f4CyvuHBeXJELe9RPdzo2PKGNCKVtZxP"];

async fn world() -> Sandbox {
    let configuration = "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n[accounts]\nsignUp = \"open\"\n\
         [[datazone]]\nid = \"demo\"\nname = \"Demo\"\nbackend = \"demo\"\ncpu = 8\nmemoryMiB = 16384\n";
    let settings = Settings { sample: true, configuration: Some(configuration.to_owned()), ..Settings::default() };
    Sandbox::start(settings).await
}

/// Begins a session of an account and returns its cookie.
async fn session(sandbox: &Sandbox, name: &str, password: &str) -> String {
    let body = json!({ "account": name, "password": password }).to_string();
    let request = sandbox.request("POST", "/api/v1/sessions").header("content-type", "application/json").body(body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201, "{}", response.text().await.unwrap());
    response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn made(sandbox: &Sandbox, path: &str, body: &Value) -> Value {
    let (status, answer) = send(sandbox, "POST", path, ADMIN_TOKEN, body.to_string()).await;
    assert!(matches!(status, 200..=202), "{path}: {status} {answer}");
    answer
}

/// Every operation that changes something or has a method that could, in an order in which each finds what it needs.
async fn deeds(sandbox: &Sandbox) -> Vec<Deed> {
    let bytes = package(&datalab("aud.own.lab", "1.0.0")).to_vec();
    let older = package(&datalab("aud.own.lab", "0.9.0"));
    assert_eq!(send(sandbox, "PUT", "/api/v1/packages/aud.own.lab/0.9.0", ADMIN_TOKEN, older).await.0, 201);
    let token = json!({ "name": "one", "scopes": ["read"], "account": "ann" });
    let revoked = made(sandbox, "/api/v1/tokens", &token).await;
    let key = |number: usize| json!({ "namespace": "aud.own", "name": "k", "publicKey": KEYS[number] });
    let registered = made(sandbox, "/api/v1/keys", &key(1)).await;
    let launch = json!({ "datalab": "go-esa/esa.esdc.aladin" });
    let running = made(sandbox, "/api/v1/launches", &launch).await;
    let invited = made(sandbox, "/api/v1/accounts", &json!({ "name": "eve" })).await;
    let ticket = invited["link"].as_str().unwrap().split_once("ticket=").unwrap().1.to_owned();
    made(sandbox, "/api/v1/groups", &json!({ "kind": "team", "name": "crew-of-ann" })).await;
    let (status, _) =
        send(sandbox, "PUT", "/api/v1/groups/team/crew-of-ann/members/ann", ADMIN_TOKEN, r#"{"rank":"member"}"#).await;
    assert_eq!(status, 204);
    let source =
        json!({ "id": "silent", "kind": "alidade", "url": "http://127.0.0.1:9/", "allowPrivateAddresses": true });
    let asked = |scopes: &str| sandbox.request("POST", "/api/v1/device").body(format!("client_id=c&scope={scopes}"));
    let (_, device) = read(asked("read").header("content-type", "application/x-www-form-urlencoded")).await;
    let device: Value = serde_json::from_str(&device).unwrap();
    let taken = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={}",
        device["device_code"].as_str().unwrap()
    );
    let ended = session(sandbox, "ann", PASSWORD).await;
    let (_, sessions) = read(sandbox.request("GET", "/api/v1/me/sessions").header("cookie", ended)).await;
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let ended =
        sessions["sessions"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap()["id"].clone();
    let running = running["id"].as_str().unwrap();
    let choice = json!({ "ticket": ticket, "password": PASSWORD }).to_string();
    let change = json!({ "current": PASSWORD, "password": "four other words of it" }).to_string();
    vec![
        deed("PUT /api/v1/packages/{identifier}/{version}", "/api/v1/packages/aud.own.lab/1.0.0", bytes.clone(), 1),
        deed(
            "POST /api/v1/packages/{identifier}/{version}/state",
            "/api/v1/packages/aud.own.lab/0.9.0/state",
            r#"{"state":"deprecated"}"#,
            1,
        ),
        deed(
            "PATCH /api/v1/records/{zone}/{identifier}",
            "/api/v1/records/go-esa/aud.own.lab",
            r#"{"officialConfirmed":true}"#,
            1,
        ),
        deed(
            "DELETE /api/v1/packages/{identifier}/{version}",
            "/api/v1/packages/aud.own.lab/0.9.0",
            r#"{"reason":"over"}"#,
            1,
        ),
        deed("POST /api/v1/notifications/read", "/api/v1/notifications/read", r#"{"number":1}"#, 1),
        deed("POST /api/v1/keys", "/api/v1/keys", key(0).to_string(), 1),
        deed("DELETE /api/v1/keys/{key}", &format!("/api/v1/keys/{}", registered["id"].as_str().unwrap()), "", 1),
        deed("POST /api/v1/tokens", "/api/v1/tokens", token.to_string(), 1),
        // With the account that it is for: still one deed.
        deed("POST /api/v1/tokens", "/api/v1/tokens", token.to_string().replace("\"ann\"", "\"fay\""), 1),
        deed("DELETE /api/v1/tokens/{id}", &format!("/api/v1/tokens/{}", revoked["id"].as_str().unwrap()), "", 1),
        deed("POST /api/v1/sessions", "/api/v1/sessions", format!("{{\"token\":\"{ADMIN_TOKEN}\"}}"), 1),
        deed("DELETE /api/v1/sessions", "/api/v1/sessions", "", 0),
        deed("POST /api/v1/launches", "/api/v1/launches", launch.to_string(), 1),
        deed("POST /api/v1/launches/{id}/renew", &format!("/api/v1/launches/{running}/renew"), "", 1),
        deed("DELETE /api/v1/launches/{id}", &format!("/api/v1/launches/{running}"), "", 1),
        deed("PUT /api/v1/me/volumes/{key}", "/api/v1/me/volumes/psa", "{}", 1),
        deed("DELETE /api/v1/me/volumes/{key}", "/api/v1/me/volumes/psa", "", 1),
        deed("POST /api/v1/accounts", "/api/v1/accounts", r#"{"name":"new"}"#, 1),
        deed("POST /api/v1/accounts/{name}/password-link", "/api/v1/accounts/new/password-link", "", 1),
        deed("PATCH /api/v1/accounts/{name}", "/api/v1/accounts/new", r#"{"role":"moderator","suspended":true}"#, 1),
        deed("POST /api/v1/groups", "/api/v1/groups", r#"{"kind":"team","name":"crew"}"#, 1),
        deed(
            "PUT /api/v1/groups/{kind}/{name}/members/{account}",
            "/api/v1/groups/team/crew/members/ann",
            r#"{"rank":"member"}"#,
            1,
        ),
        deed("DELETE /api/v1/groups/{kind}/{name}/members/{account}", "/api/v1/groups/team/crew/members/ann", "", 1),
        deed("POST /api/v1/groups/{kind}/{name}/acceptance", "/api/v1/groups/team/crew-of-ann/acceptance", "", 1)
            .by(As::Session),
        deed("POST /api/v1/sources", "/api/v1/sources", source.to_string(), 1),
        deed("POST /api/v1/sources/{id}/runs", "/api/v1/sources/silent/runs", "{}", 1),
        deed("DELETE /api/v1/sources/{id}", "/api/v1/sources/silent", "", 1),
        deed(
            "POST /api/v1/device/{code}",
            &format!("/api/v1/device/{}", device["user_code"].as_str().unwrap()),
            r#"{"allow":true}"#,
            1,
        )
        .by(As::Session),
        deed("POST /api/v1/device/token", "/api/v1/device/token", taken, 1).by(As::Anyone).form(),
        // Whoever makes an account or chooses a password is signed in by it: the deed, and the session that it begins.
        deed(
            "POST /api/v1/registrations",
            "/api/v1/registrations",
            json!({ "name": "dan", "password": PASSWORD }).to_string(),
            2,
        )
        .by(As::Anyone),
        deed("POST /api/v1/passwords", "/api/v1/passwords", choice, 2).by(As::Anyone),
        deed("DELETE /api/v1/me/sessions/{id}", &format!("/api/v1/me/sessions/{}", ended.as_str().unwrap()), "", 1)
            .by(As::Session),
        // The password, and the new session under which this one goes on.
        deed("PUT /api/v1/me/password", "/api/v1/me/password", change, 2).by(As::Session),
        deed("DELETE /api/v1/me/sessions", "/api/v1/me/sessions", "", 1),
        // These ask and change nothing, whatever their method.
        deed("POST /api/v1/validate", "/api/v1/validate", bytes, 0),
        deed("POST /api/v1/plans", "/api/v1/plans", r#"{"datalab":"go-esa/aud.own.lab"}"#, 0),
        deed("POST /sparql", "/sparql", "ASK {}", 0),
        deed("POST /sparql/staff", "/sparql/staff", "ASK {}", 0),
        deed("POST /oai", "/oai", "verb=Identify", 0).by(As::Anyone).form(),
        // A device's question is nobody's deed yet: whoever allows it leaves the line.
        deed("POST /api/v1/device", "/api/v1/device", "client_id=c", 0).by(As::Anyone).form(),
    ]
}

/// Operations whose line is counted where their world is made, with the test that does.
const ELSEWHERE: [(&str, &str); 3] = [
    ("POST /api/v1/sources/{id}/runs/{number}/approve", "harvest runs that wait: records/tests/ledger/harvest"),
    ("POST /api/v1/reviews/{number}/decide", "identities that disagree: records/tests/ledger/review"),
    ("POST /api/v1/reviews/{number}/reopen", "identities that disagree: records/tests/ledger/review"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_change_leaves_one_line_and_every_refusal_none() {
    let mut sandbox = world().await;
    sandbox.account("ann", Role::User, &[Scope::Read]).await;
    let (_, link) = send(&sandbox, "POST", "/api/v1/accounts/ann/password-link", ADMIN_TOKEN, "").await;
    let ticket = link["link"].as_str().unwrap().split_once("ticket=").unwrap().1;
    let choice = json!({ "ticket": ticket, "password": PASSWORD }).to_string();
    let (status, answer) = send(&sandbox, "POST", "/api/v1/passwords", "", choice).await;
    assert_eq!(status, 201, "{answer}");
    let deeds = deeds(&sandbox).await;
    let (_, document) = send(&sandbox, "GET", "/openapi.json", "", "").await;
    let mutating: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            operations.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .filter(|operation| !operation.starts_with("GET "))
        .collect();
    let elsewhere = ELSEWHERE.iter().map(|(operation, _)| (*operation).to_owned());
    let known: BTreeSet<String> = deeds.iter().map(|deed| deed.operation.to_owned()).chain(elsewhere).collect();
    let missing: Vec<_> = mutating.difference(&known).collect();
    assert!(missing.is_empty(), "say in this test how many lines of the audit trail each of these leaves: {missing:?}");
    let gone: Vec<_> = known.difference(&mutating).collect();
    assert!(gone.is_empty(), "these are no operations any more: {gone:?}");

    let cookie = session(&sandbox, "ann", PASSWORD).await;
    for (number, deed) in deeds.iter().enumerate() {
        let method = deed.operation.split(' ').next().unwrap();
        let before = trail(&sandbox).await.len();
        // Refused for want of who asks, first: nothing may be left of it.
        if deed.lines > 0 && deed.by != As::Anyone && !deed.path.ends_with("/api/v1/sessions") {
            let (status, _) = send(&sandbox, method, &deed.path, "", deed.body.clone()).await;
            assert_eq!(status, 401, "{}", deed.operation);
            let left: Vec<_> = trail(&sandbox)
                .await
                .split_off(before)
                .into_iter()
                .filter(|line| line["account"] != "alidade")
                .collect();
            assert!(left.is_empty(), "{} was refused: {left:?}", deed.operation);
        }
        let id = format!("the-request-of-deed-{number}");
        let request = sandbox.request(method, &deed.path).header("x-request-id", &id).body(deed.body.clone());
        let request = match deed.by {
            As::Administrator => request.bearer_auth(ADMIN_TOKEN),
            As::Session => request.header("cookie", &cookie).header("sec-fetch-site", "same-origin"),
            As::Anyone => request,
        };
        let request = match deed.media_type {
            Some(media_type) => request.header("content-type", media_type),
            None if deed.path.starts_with("/sparql") => request.header("content-type", "application/sparql-query"),
            None => request,
        };
        let (status, text) = read(request).await;
        assert!((200..300).contains(&status), "{} {}: {status} {text}", deed.operation, deed.path);
        let own = lines_of(&sandbox, before, &id).await;
        assert_eq!(own.len() as u64, deed.lines, "{}: {own:?}", deed.operation);
        for line in own {
            assert_eq!(line["address"], "127.0.0.0/24", "{}", deed.operation);
        }
    }
    refusals(&sandbox).await;
    filters_and_seals(&mut sandbox).await;
}

/// Refused by what is there: no line either.
async fn refusals(sandbox: &Sandbox) {
    let before = trail(sandbox).await.len();
    for (method, path, body) in [
        (
            "PUT",
            "/api/v1/packages/aud.own.lab/1.0.0",
            package_with(&datalab("aud.own.lab", "1.0.0"), &[("README.md", "x")]).to_vec(),
        ),
        ("DELETE", "/api/v1/packages/aud.own.lab/7.7.7", br#"{"reason":"x"}"#.to_vec()),
        ("PATCH", "/api/v1/records/go-esa/aud.own.lab", br#"{"name":null}"#.to_vec()),
        ("POST", "/api/v1/packages/aud.own.lab/1.0.0/state", br#"{"state":"draft"}"#.to_vec()),
        ("POST", "/api/v1/accounts", br#"{"name":"ann"}"#.to_vec()),
        // Half of it could be done; a change is whole or none.
        ("PATCH", "/api/v1/accounts/admin", br#"{"role":"user","suspended":true}"#.to_vec()),
        ("POST", "/api/v1/passwords", br#"{"ticket":"x","password":"long enough for anybody"}"#.to_vec()),
        ("POST", "/api/v1/sessions", br#"{"account":"ann","password":"not the password"}"#.to_vec()),
    ] {
        let (status, text) = send(sandbox, method, path, ADMIN_TOKEN, body).await;
        assert!((400..500).contains(&status), "{method} {path}: {status} {text}");
    }
    let quiet: Vec<Value> =
        trail(sandbox).await[before..].iter().filter(|line| line["account"] != "alidade").cloned().collect();
    assert!(quiet.is_empty(), "{quiet:?}");
}

async fn filters_and_seals(sandbox: &mut Sandbox) {
    let (_, packages) =
        send(sandbox, "GET", "/api/v1/audit?action=package.&subject=aud.own.lab", ADMIN_TOKEN, "").await;
    let actions: BTreeMap<_, usize> =
        packages["entries"].as_array().unwrap().iter().fold(BTreeMap::new(), |mut counts, entry| {
            *counts.entry(entry["action"].as_str().unwrap().to_owned()).or_default() += 1;
            counts
        });
    assert_eq!(actions, BTreeMap::from([("package.publish".to_owned(), 2)]));
    let (_, none) = send(sandbox, "GET", "/api/v1/audit?until=2000-01-01", ADMIN_TOKEN, "").await;
    assert_eq!(none["entries"], json!([]));
    assert_eq!(send(sandbox, "GET", "/api/v1/audit?since=yesterday", ADMIN_TOKEN, "").await.0, 400);
    let (status, page) = read_page(sandbox, "/audit?action=package.&account=admin", ADMIN_TOKEN).await;
    assert!(status == 200 && page.contains("aud.own.lab"), "{page}");
    sandbox.stop();
    let sound = sandbox.cli(&["verify"]);
    assert!(sound.status.success(), "{sound:?}");
}
