//! Every page of accounts and governance, as each kind of person sees it, held against WCAG 2.2 AA by axe-core in a browser.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use catalog_schemas::account::{Role, Scope};
use catalog_tests::package::{datalab, package};
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::{Value, json};

use super::{developer, reviewed, send};

const LAB: &str = "pag.own.lab";

/// The folder of axe-core and its driver; `tests/setup.sh` puts them there.
fn tools() -> Option<PathBuf> {
    let tools = std::env::var_os("ALIDADE_TEST_TOOLS").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/alidade-tests/people"));
    let tools = tools.or_else(home)?;
    let has = |package: &str| tools.join("node_modules").join(package).join("package.json").exists();
    let browsers = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let has_browser = browsers.iter().any(|browser| PathBuf::from("/usr/bin").join(browser).exists());
    (has("axe-core") && has("puppeteer-core") && has_browser).then_some(tools)
}

/// Fills a catalogue with what every page has something to show of; returns a session of each kind of person.
async fn people(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let (ann, ben) = (developer(sandbox, "ann").await, developer(sandbox, "ben").await);
    let mia = sandbox.account("mia", Role::Moderator, &[Scope::Admin]).await.token;
    let state = |identifier: &str, version: &str| format!("/api/v1/packages/{identifier}/{version}/state");
    let step = async |token: &str, identifier: &str, version: &str, to: &str| {
        let change = json!({ "state": to, "reason": "it says too little" }).to_string();
        let (status, answer) = send(sandbox, "POST", &state(identifier, version), token, change).await;
        assert_eq!(status, 200, "{identifier} {version} {to}: {answer}");
    };
    for (identifier, version) in [(LAB, "1.0.0"), (LAB, "1.1.0"), ("pag.own.gone", "1.0.0"), ("pag.own.draft", "0.1.0")]
    {
        let mut lab = datalab(identifier, version);
        lab["keyword"] = json!({ "en": ["test", version] });
        let path = format!("/api/v1/packages/{identifier}/{version}");
        assert_eq!(send(sandbox, "PUT", &path, &ann, package(&lab)).await.0, 201);
        if version == "1.0.0" {
            step(&mia, identifier, version, "published").await;
        } else {
            step(&ann, identifier, version, "submitted").await;
        }
    }
    step(&mia, "pag.own.gone", "1.0.0", "withdrawn").await;
    step(&mia, "pag.own.draft", "0.1.0", "draft").await;
    for (method, path, token, body) in [
        (
            "PATCH",
            format!("/api/v1/records/go-esa/{LAB}"),
            &mia,
            json!({ "officialConfirmed": true, "reviewNote": ["Seen."] }),
        ),
        ("POST", "/api/v1/groups".to_owned(), &ann, json!({ "kind": "team", "name": "crew", "title": "The crew" })),
        ("PUT", "/api/v1/groups/team/crew/members/ben".to_owned(), &ann, json!({ "rank": "member" })),
        ("PUT", "/api/v1/groups/namespace/pag.own/members/ben".to_owned(), &ann, json!({ "rank": "owner" })),
        (
            "POST",
            "/api/v1/keys".to_owned(),
            &ann,
            json!({ "namespace": "pag.own", "name": "k", "publicKey": "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp" }),
        ),
        (
            "POST",
            "/api/v1/tokens".to_owned(),
            &ann,
            json!({ "name": "ci", "scopes": ["publish"], "namespace": "pag.own" }),
        ),
    ] {
        let (status, answer) = send(sandbox, method, &path, token, body.to_string()).await;
        assert!((200..300).contains(&status), "{path}: {answer}");
    }
    let mut sessions = vec![("anonymous", String::new())];
    for (who, token) in [("user", ben.as_str()), ("owner", &ann), ("moderator", &mia), ("administrator", ADMIN_TOKEN)] {
        let body = json!({ "token": token }).to_string();
        let request = sandbox.request("POST", "/api/v1/sessions").header("content-type", "application/json").body(body);
        let response = request.send().await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        sessions.push((who, cookie.split_once('=').unwrap().1.to_owned()));
    }
    sandbox.wait_until_in_step().await;
    sessions
}

/// The pages that somebody of a kind comes to.
fn places(who: &str) -> Vec<String> {
    let paths: &[&str] = match who {
        "anonymous" => &[
            "/",
            "/login",
            "/password?ticket=abc",
            "/record/go-esa/pag.own.gone",
            "/record/go-esa/LAB",
            "/record/go-esa/no.such",
            "/problems",
            "/problems/term.unknown",
            "/search?q=lab",
        ],
        "user" => {
            &["/account", "/account/keys", "/groups", "/queue", "/notifications", "/device", "/publish", "/audit"]
        }
        "owner" => &[
            "/account",
            "/account/keys",
            "/groups",
            "/queue",
            "/notifications",
            "/record/go-esa/LAB",
            "/edit/go-esa/LAB",
            "/review/go-esa/LAB/1.1.0",
            "/review/go-esa/pag.own.draft/0.1.0",
            "/record/go-esa/pag.own.draft",
        ],
        "moderator" => &[
            "/queue",
            "/review/go-esa/LAB/1.1.0",
            "/notifications",
            "/audit",
            "/edit/go-esa/LAB",
            "/record/go-esa/LAB?tab=details",
            "/record/go-esa/LAB?tab=versions",
            "/record/go-esa/LAB?tab=provenance",
            "/record/go-esa/pag.own.gone",
            "/sources",
        ],
        _ => &["/account", "/accounts", "/audit?action=package.", "/groups?all=true"],
    };
    paths.iter().map(|path| path.replace("LAB", LAB)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_to_everybody_who_comes_to_it() {
    let Some(tools) = tools() else {
        eprintln!(
            "LEFT OUT: no page is held against WCAG; tests/setup.sh installs axe-core, puppeteer-core and chromium"
        );
        return;
    };
    let sandbox = reviewed().await;
    let people = people(&sandbox).await;
    let pages: Vec<Value> = people
        .iter()
        .flat_map(|(who, cookie)| {
            places(who).into_iter().map(move |path| json!({ "who": who, "cookie": cookie, "path": path }))
        })
        .collect();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("suite/axe.mjs");
    let mut command = Command::new("node");
    command.arg(script).arg(&tools).arg(sandbox.base()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(pages).to_string().as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let looked: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(looked.len(), pages.len() * 2, "every page was looked at, wide and light, narrow and dark");
    let wrong: Vec<_> = looked
        .iter()
        .filter(|one| one["status"].as_u64().unwrap() >= 500 || !one["violations"].as_array().unwrap().is_empty())
        .map(ToString::to_string)
        .collect();
    assert!(wrong.is_empty(), "{} pages of {}:\n{}", wrong.len(), looked.len(), wrong.join("\n"));
}
