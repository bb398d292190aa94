//! Review, editing, responsibility, signatures and the trail that all of it leaves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

mod abroad;
mod attack;
mod gone;
mod life;
mod pages;
mod problems;
mod trail;
mod visible;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog_schemas::account::{Role, Scope};
use catalog_tests::package::{datalab, package, package_with};
use catalog_tests::sandbox::{Settings, read};
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::{Value, json};

async fn send(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    token: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    let mut request = sandbox.request(method, path).body(body);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let (status, text) = read(request).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn developer(sandbox: &Sandbox, name: &str) -> String {
    sandbox.account(name, Role::User, &[Scope::Admin]).await.token
}

fn codes(problem: &Value) -> Vec<&str> {
    problem["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["code"].as_str()).collect()
}

async fn reviewed() -> Sandbox {
    let configuration = "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n[policy]\nreview = \"required\"\nregistries = [\"registry.example\"]\ndigestRequired = true\nlicences = [\"MIT\", \"Apache-2.0\"]\n";
    Sandbox::start(Settings { configuration: Some(configuration.to_owned()), ..Settings::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_submitted_returned_mended_and_approved() {
    let sandbox = reviewed().await;
    let (ann, ben) = (developer(&sandbox, "ann").await, developer(&sandbox, "ben").await);
    let mia = sandbox.account("mia", Role::Moderator, &[Scope::Admin]).await.token;
    let (path, record) = ("/api/v1/packages/rev.own.lab/1.0.0", "/api/v1/records/go-esa/rev.own.lab");
    let state = format!("{path}/state");

    let (status, published) = send(&sandbox, "PUT", path, &ann, package(&datalab("rev.own.lab", "1.0.0"))).await;
    assert_eq!((status, &published["state"]), (201, &json!("draft")), "{published}");
    for token in ["", ben.as_str()] {
        assert_eq!(send(&sandbox, "GET", record, token, "").await.0, 404, "a draft is nobody's business");
        assert_eq!(send(&sandbox, "GET", path, token, "").await.0, 404);
        assert_ne!(send(&sandbox, "POST", &state, token, r#"{"state":"published"}"#).await.0, 200);
    }
    assert_eq!(sandbox.search(&[("q", "lab")]).await.total, 0);
    // Who publishes cannot approve, and nobody can submit for them.
    assert_eq!(send(&sandbox, "POST", &state, &ann, r#"{"state":"published"}"#).await.0, 403);
    assert_eq!(send(&sandbox, "POST", &state, &mia, r#"{"state":"submitted"}"#).await.0, 403);
    assert_eq!(send(&sandbox, "POST", &state, &ann, r#"{"state":"deprecated"}"#).await.0, 409);
    assert_eq!(send(&sandbox, "POST", &state, &ann, r#"{"state":"submitted"}"#).await.0, 200);
    let (_, queue) = send(&sandbox, "GET", "/api/v1/queue", &mia, "").await;
    assert_eq!(queue["submitted"][0]["identifier"], "rev.own.lab", "{queue}");
    assert_eq!(send(&sandbox, "GET", "/api/v1/queue", &ben, "").await.1["submitted"], json!([]));
    let (_, news) = send(&sandbox, "GET", "/api/v1/notifications", &mia, "").await;
    assert_eq!((&news["unread"], &news["notifications"][0]["what"]), (&json!(1), &json!("submitted")), "{news}");
    // What waits for a moderator is not changed under their eyes.
    let (status, _) =
        send(&sandbox, "PUT", path, &ann, package_with(&datalab("rev.own.lab", "1.0.0"), &[("README.md", "x")])).await;
    assert_eq!(status, 409);

    assert_ne!(send(&sandbox, "POST", &state, &mia, r#"{"state":"draft"}"#).await.0, 200, "a return needs a reason");
    let returned = r#"{"state":"draft","reason":"say what it is for"}"#;
    assert_eq!(send(&sandbox, "POST", &state, &mia, returned).await.0, 200);
    let (_, news) = send(&sandbox, "GET", "/api/v1/notifications", &ann, "").await;
    assert_eq!(
        (&news["notifications"][0]["what"], &news["notifications"][0]["message"]),
        (&json!("returned"), &json!("say what it is for"))
    );
    let feed =
        sandbox.request("GET", "/api/v1/notifications").bearer_auth(&ann).header("accept", "application/atom+xml");
    let (_, feed) = read(feed).await;
    assert!(feed.contains("<summary>say what it is for</summary>"), "{feed}");
    assert_eq!(send(&sandbox, "POST", "/api/v1/notifications/read", &ann, r#"{"number":1000}"#).await.0, 204);
    assert_eq!(send(&sandbox, "GET", "/api/v1/me", &ann, "").await.1["unread"], 0);

    // A draft may have another content under the same version.
    let mut mended = datalab("rev.own.lab", "1.0.0");
    mended["abstract"] = json!({ "en": "A small lab that says what it is for, as a moderator asked." });
    assert_eq!(send(&sandbox, "PUT", path, &ann, package(&mended)).await.0, 201);
    assert_eq!(send(&sandbox, "POST", &state, &ann, r#"{"state":"submitted"}"#).await.0, 200);
    let (_, page) = read_page(&sandbox, "/review/go-esa/rev.own.lab/1.0.0", &mia).await;
    assert!(page.contains("Approve and publish") && page.contains("as a moderator asked"), "{page}");
    assert_eq!(send(&sandbox, "POST", &state, &mia, r#"{"state":"published"}"#).await.0, 200);
    sandbox.wait_until_in_step().await;
    assert_eq!(sandbox.search(&[("q", "lab")]).await.total, 1);

    // A second version waits beside the first, which everybody goes on seeing.
    let mut second = datalab("rev.own.lab", "2.0.0");
    second["keyword"] = json!({ "en": ["test", "newer"] });
    assert_eq!(send(&sandbox, "PUT", "/api/v1/packages/rev.own.lab/2.0.0", &ann, package(&second)).await.0, 201);
    assert_eq!(send(&sandbox, "GET", record, "", "").await.1["version"], "1.0.0");
    assert_eq!(send(&sandbox, "GET", &format!("{record}?version=2.0.0"), "", "").await.0, 404);
    let (_, versions) = send(&sandbox, "GET", record, "", "").await;
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1, "a draft is not counted either");
    let (_, difference) = send(&sandbox, "GET", &format!("{record}/difference?version=2.0.0"), &mia, "").await;
    assert_eq!(difference["against"], "1.0.0");
    let keys: Vec<_> =
        difference["changes"].as_array().unwrap().iter().map(|change| change["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"keyword") && keys.contains(&"softwareVersion") && !keys.contains(&"license"), "{keys:?}");
    assert_eq!(send(&sandbox, "GET", &format!("{record}/difference?version=2.0.0"), "", "").await.0, 404);

    // Deprecated with a successor: a banner leads there.
    let deprecate =
        json!({ "state": "deprecated", "replacedBy": "https://example.org/better", "reason": "no longer kept up" });
    assert_eq!(send(&sandbox, "POST", &state, &ann, deprecate.to_string()).await.0, 200);
    let (_, page) = read_page(&sandbox, "/record/go-esa/rev.own.lab", "").await;
    assert!(page.contains("https://example.org/better") && page.contains("No longer kept up."), "{page}");
    let wrong = json!({ "state": "deprecated", "replacedBy": "javascript:alert(1)" });
    assert_eq!(send(&sandbox, "POST", &state, &ann, wrong.to_string()).await.0, 422);
}

async fn read_page(sandbox: &Sandbox, path: &str, token: &str) -> (u16, String) {
    let mut request = sandbox.request("GET", path).header("accept", "text/html");
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    read(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_says_which_images_and_licences_are_taken() {
    let sandbox = reviewed().await;
    let ann = developer(&sandbox, "ann").await;
    let mut lab = datalab("pol.own.lab", "1.0.0");
    lab["license"] = json!("https://spdx.org/licenses/GPL-3.0-only");
    lab["datalabImage"] = json!({ "reference": "elsewhere.example/lab:1" });
    let (status, problem) = send(&sandbox, "PUT", "/api/v1/packages/pol.own.lab/1.0.0", &ann, package(&lab)).await;
    assert_eq!(status, 422);
    for code in ["policy.registry", "policy.digest", "policy.licence"] {
        assert!(codes(&problem).contains(&code), "{problem}");
    }
    // The sandbox is for trying out: no review, no policy, and nobody else knows.
    lab["identifier"] = json!("sandbox.ann.lab");
    let (status, published) =
        send(&sandbox, "PUT", "/api/v1/packages/sandbox.ann.lab/1.0.0", &ann, package(&lab)).await;
    assert_eq!((status, &published["state"]), (201, &json!("published")), "{published}");
    sandbox.wait_until_in_step().await;
    assert_eq!(sandbox.search(&[]).await.total, 0);
    assert_eq!(send(&sandbox, "GET", "/api/v1/records/go-esa/sandbox.ann.lab", "", "").await.0, 404);
    assert_eq!(send(&sandbox, "GET", "/api/v1/packages/sandbox.ann.lab/1.0.0", "", "").await.0, 404);
    assert_eq!(send(&sandbox, "GET", "/id/go-esa/sandbox.ann.lab.ttl", "", "").await.0, 404);
    assert_eq!(send(&sandbox, "POST", "/api/v1/plans", "", r#"{"datalab":"go-esa/sandbox.ann.lab"}"#).await.0, 404);
    assert_eq!(send(&sandbox, "GET", "/api/v1/records/go-esa/sandbox.ann.lab", &ann, "").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_text_waits_for_somebody_who_answers_for_it() {
    let sandbox = Sandbox::empty().await;
    let ann = developer(&sandbox, "ann").await;
    let mut lab = datalab("sec.own.lab", "1.0.0");
    lab["description"] = json!({ "en": "Log in as user with password epharm, and begin." });
    let (path, bytes) = ("/api/v1/packages/sec.own.lab/1.0.0", package(&lab));
    let (status, problem) = send(&sandbox, "PUT", path, &ann, bytes.clone()).await;
    assert_eq!((status, problem["type"].as_str()), (422, Some("/problems/acknowledge_required")), "{problem}");
    assert_eq!(codes(&problem), ["secret.suspected"]);
    assert!(!problem.to_string().contains("epharm"), "the problem does not say it on");
    let (status, _) = send(&sandbox, "PUT", &format!("{path}?acknowledge=something.else"), &ann, bytes.clone()).await;
    assert_eq!(status, 422);
    let (status, _) = send(&sandbox, "PUT", &format!("{path}?acknowledge=secret.suspected"), &ann, bytes.clone()).await;
    assert_eq!(status, 201);
    assert!(!sandbox.log().contains("epharm"));

    let folder = sandbox.folder().join("lab");
    std::fs::create_dir(&folder).unwrap();
    lab["softwareVersion"] = json!("1.0.1");
    std::fs::write(folder.join("manifest.jsonld"), lab.to_string()).unwrap();
    let refused = sandbox.cli(&["publish", "lab"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stdout).contains("--acknowledge secret.suspected"), "{refused:?}");
    let published = sandbox.cli(&["publish", "lab", "--acknowledge", "secret.suspected"]);
    assert!(published.status.success(), "{published:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_patched_by_whom_the_table_says() {
    let sandbox = Sandbox::empty().await;
    let (ann, ben) = (developer(&sandbox, "ann").await, developer(&sandbox, "ben").await);
    let record = "/api/v1/records/go-esa/pat.own.lab";
    let put =
        |version: &str| (format!("/api/v1/packages/pat.own.lab/{version}"), package(&datalab("pat.own.lab", version)));
    let (path, bytes) = put("1.0.0");
    assert_eq!(send(&sandbox, "PUT", &path, &ann, bytes.clone()).await.0, 201);

    assert_eq!(send(&sandbox, "PATCH", record, "", r#"{"keyword":null}"#).await.0, 401);
    assert_eq!(send(&sandbox, "PATCH", record, &ben, r#"{"keyword":null}"#).await.0, 403);
    for forbidden in [
        r#"{"officialConfirmed":true}"#,
        r#"{"https://w3id.org/esado#officialConfirmed":true}"#,
        r#"{"esado:officialConfirmed":true}"#,
        r#"{"@graph":[{"officialConfirmed":true}]}"#,
        r#"{"dateModified":"2020-01-01T00:00:00Z","description":{"en":"x"}}"#,
    ] {
        let (status, problem) = send(&sandbox, "PATCH", record, &ann, forbidden).await;
        assert_eq!(status, 403, "{forbidden}: {problem}");
        assert!(codes(&problem).contains(&"access.write_forbidden"), "{problem}");
    }
    let given = r#"{"ESAOfficial":true,"description":{"en":"What it is, said better."},"displayName":"patched"}"#;
    let (status, view) = send(&sandbox, "PATCH", record, &ann, given).await;
    assert_eq!((status, &view["alternateName"], &view["official"]), (200, &json!("patched"), &json!(false)), "{view}");
    let (status, view) =
        send(&sandbox, "PATCH", record, ADMIN_TOKEN, r#"{"officialConfirmed":true,"mission":["gaia"]}"#).await;
    assert_eq!(
        (status, &view["official"]),
        (200, &json!(true)),
        "a claim is one until a moderator confirms it: {view}"
    );
    let stale = sandbox
        .request("PATCH", record)
        .bearer_auth(&ann)
        .header("if-match", "\"1\"")
        .body(r#"{"displayName":"late"}"#);
    assert_eq!(read(stale).await.0, 412);
    // The package stays as it was.
    let whole = sandbox.request("GET", &path).bearer_auth(&ann).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(whole, bytes);
    sandbox.wait_until_in_step().await;
    assert_eq!(sandbox.search(&[("mission", "astronomy/gaia")]).await.total, 1);

    // The next version speaks for itself, and under what a moderator laid over it.
    let (path, bytes) = put("1.1.0");
    assert_eq!(send(&sandbox, "PUT", &path, &ann, bytes).await.0, 201);
    let (_, view) = send(&sandbox, "GET", record, "", "").await;
    assert_eq!((&view["alternateName"], view.get("description")), (&json!("lab"), None), "{view}");
    let (_, old) = send(&sandbox, "GET", &format!("{record}?version=1.0.0"), "", "").await;
    assert_eq!(old["alternateName"], "patched", "an amendment stays with its version");
    assert!(view["document"]["mission"].as_array().is_some_and(|missions| missions.len() == 1), "{view}");
    let (status, problem) = send(&sandbox, "PATCH", record, &ann, r#"{"softwareVersion":"9","name":null}"#).await;
    assert_eq!(status, 422);
    assert_eq!(codes(&problem), ["patch.needs_version"], "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_edits_what_its_viewer_may_write() {
    let sandbox = Sandbox::empty().await;
    let ann = developer(&sandbox, "ann").await;
    let bytes = package(&datalab("frm.own.lab", "1.0.0"));
    assert_eq!(send(&sandbox, "PUT", "/api/v1/packages/frm.own.lab/1.0.0", &ann, bytes).await.0, 201);
    let (status, page) = read_page(&sandbox, "/edit/go-esa/frm.own.lab", &ann).await;
    assert_eq!(status, 200);
    assert!(page.contains("name=\"keyword@en\"") && !page.contains("name=\"officialConfirmed\""), "{page}");
    assert!(!page.contains("name=\"softwareVersion\""));
    let (_, moderators) = read_page(&sandbox, "/edit/go-esa/frm.own.lab", ADMIN_TOKEN).await;
    assert!(moderators.contains("name=\"officialConfirmed\"") && !moderators.contains("name=\"keyword@en\""));
    assert_eq!(read_page(&sandbox, "/edit/go-esa/frm.own.lab", "").await.0, 303);
    let (_, form) = send(&sandbox, "GET", "/api/v1/records/go-esa/frm.own.lab/form", &ann, "").await;
    let post = |pairs: Vec<(&'static str, String)>| {
        let request = sandbox.request("POST", "/edit/go-esa/frm.own.lab").bearer_auth(&ann).form(&pairs);
        read(request)
    };
    let seq = form["seq"].to_string();
    let kept = [("domain", "space-science".to_owned()), ("property", "AnalysisTool".to_owned())];
    let with = |pairs: &[(&'static str, String)]| [&kept[..], pairs].concat();
    let (status, page) = post(with(&[("seq", seq.clone()), ("author", "[{".to_owned())])).await;
    assert!(status == 422 && page.contains("not JSON"), "{status}");
    let (status, page) = post(with(&[("seq", seq.clone()), ("abstract@en", String::new())])).await;
    assert!(status == 422 && page.contains("term.missing"), "{status} {page}");
    let (status, _) = post(with(&[("seq", seq.clone()), ("keyword@en", "one\r\ntwo".to_owned())])).await;
    assert_eq!(status, 303);
    let (_, view) = send(&sandbox, "GET", "/api/v1/records/go-esa/frm.own.lab", "", "").await;
    assert_eq!(view["document"]["keyword"]["en"], json!(["one", "two"]));
    assert_eq!(view["document"]["domain"].as_array().unwrap().len(), 1, "what was not touched stays");
    let (status, page) = post(with(&[("seq", seq), ("keyword@en", "three".to_owned())])).await;
    assert!(status == 409 && page.contains("three"), "somebody was faster, and nothing that was written is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_package_shows_by_whom_and_a_broken_signature_is_refused() {
    let sandbox = Sandbox::empty().await;
    let folder = sandbox.folder().join("lab");
    std::fs::create_dir(&folder).unwrap();
    let write = |version: &str| {
        std::fs::write(folder.join("manifest.jsonld"), datalab("sig.own.lab", version).to_string()).unwrap()
    };
    write("0.9.0");
    assert!(sandbox.cli(&["publish", "lab"]).status.success());
    let made = sandbox.cli(&["key", "new", "key"]);
    assert!(made.status.success(), "{made:?}");
    let public = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(!sandbox.cli(&["key", "new", "key"]).status.success(), "a key is never written over");
    write("1.0.0");
    let unknown = sandbox.cli(&["publish", "lab", "--sign", "key"]);
    assert!(String::from_utf8_lossy(&unknown.stdout).contains("signature.key_unknown"), "{unknown:?}");
    let registered = sandbox.cli(&["key", "register", "sig.own", "Build machine", "key"]);
    assert!(registered.status.success(), "{registered:?}");
    let id = String::from_utf8(registered.stdout).unwrap().split(' ').next().unwrap().to_owned();

    let packed = sandbox.cli(&["pack", "lab", "-o", "lab.tar.gz", "--sign", "key"]);
    assert!(packed.status.success(), "{packed:?}");
    let signature = std::fs::read(sandbox.folder().join("lab.tar.gz.sig")).unwrap();
    let archive = std::fs::read(sandbox.folder().join("lab.tar.gz")).unwrap();
    let mut forged: Value = serde_json::from_slice(&signature).unwrap();
    forged["digest"] = json!("0".repeat(64));
    let put = |signature: Vec<u8>| {
        let request = sandbox.request("PUT", "/api/v1/packages/sig.own.lab/1.0.0").bearer_auth(ADMIN_TOKEN);
        read(request.header("alidade-signature", STANDARD.encode(signature)).body(archive.clone()))
    };
    for (given, code) in
        [(forged.to_string().into_bytes(), "signature.broken"), (b"{}".to_vec(), "signature.unreadable")]
    {
        let (status, text) = put(given).await;
        assert!(status == 422 && text.contains(code), "{status} {text}");
    }
    let mut other = archive.clone();
    other.push(0);
    assert!(
        sandbox.cli(&["publish", "lab.tar.gz"]).status.success(),
        "the signature beside the package is sent with it"
    );

    let (_, view) = send(&sandbox, "GET", "/api/v1/records/go-esa/sig.own.lab", "", "").await;
    let shown = &view["versions"][0]["signature"];
    assert_eq!(
        (&shown["state"], &shown["name"], &shown["signature"]["publicKey"]),
        (&json!("verified"), &json!("Build machine"), &json!(public)),
        "{view}"
    );
    let (_, page) = read_page(&sandbox, "/record/go-esa/sig.own.lab?tab=provenance", "").await;
    assert!(page.contains("Signed by") && page.contains("Build machine") && page.contains("verified"), "{page}");
    assert!(sandbox.cli(&["key", "revoke", &id]).status.success());
    let (_, view) = send(&sandbox, "GET", "/api/v1/records/go-esa/sig.own.lab", "", "").await;
    assert_eq!(view["versions"][0]["signature"]["state"], "revoked");
    write("1.1.0");
    let revoked = sandbox.cli(&["publish", "lab", "--sign", "key"]);
    assert!(String::from_utf8_lossy(&revoked.stdout).contains("signature.key_revoked"), "{revoked:?}");
    let ben = developer(&sandbox, "ben").await;
    let key = json!({ "namespace": "sig.own", "name": "mine", "publicKey": public });
    assert_eq!(send(&sandbox, "POST", "/api/v1/keys", &ben, key.to_string()).await.0, 403);
    let (_, keys) = send(&sandbox, "GET", "/api/v1/keys?namespace=sig.own", "", "").await;
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}
