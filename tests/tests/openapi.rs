//! The API keeps its word: its document is under review, every operation that can be asked plainly answers, and every error
//! is a problem document.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::path::Path;

use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_the_one_that_was_reviewed() {
    let sandbox = Sandbox::empty().await;
    let (status, text) = sandbox.get("/openapi.json").await;
    assert_eq!(status, 200);
    let given: Value = serde_json::from_str(&text).unwrap();
    let given = serde_json::to_string_pretty(&given).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/openapi.json");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&file, &given).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = reviewed.lines().zip(given.lines()).position(|(old, new)| old != new);
    let line = difference.unwrap_or_else(|| reviewed.lines().count().min(given.lines().count()));
    assert!(
        reviewed == given,
        "the API changed from line {} of {}: {:?}; when that is meant, run UPDATE_GENERATED=1 cargo test -p catalog-tests --test openapi and review the change",
        line + 1,
        file.display(),
        given.lines().nth(line)
    );
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut names: Vec<&str> = Vec::new();
    for operations in document["paths"].as_object().unwrap().values() {
        let operations = operations.as_object().unwrap().values().filter(|operation| operation.is_object());
        names.extend(operations.map(|operation| operation["operationId"].as_str().unwrap()));
    }
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(names.len() > 80 && twice.is_empty(), "{} names, {twice:?} twice", names.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plain_question_is_answered() {
    let sandbox = Sandbox::with_sample().await;
    let (_, text) = sandbox.get("/openapi.json").await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("get") else { continue };
        // An example of each parameter of a path; one that nothing has must be answered with 404.
        let examples = [
            ("{zone}", "go-esa", "no-zone"),
            ("{identifier}", "esa.esdc.aladin", "no.such.thing"),
            ("{version}", "0.3.1", "99"),
            ("{id}", "go-esa", "l00000000000000000000000000"),
            ("{key}", "psa", "no-volume"),
            ("{source}", "go-esa", "no-source"),
            ("{scheme}", "mission", "no-scheme"),
            ("{concept}", "gaia", "no-concept"),
            ("{tool}", "go-esa~esa.esdc.aladin", "no-tool"),
            ("{type}", "CWL", "WDL"),
            ("{kind}", "namespace", "team"),
            ("{name}", "esa.esdc", "no-group"),
            ("{code}", "BCDF-GHJK", "no-code"),
            ("{number}", "1", "999"),
        ];
        let (mut good, mut missing) = (path.clone(), path.clone());
        for (name, example, nothing) in examples {
            good = good.replace(name, example);
            missing = missing.replace(name, nothing);
        }
        assert!(!good.contains('{'), "the test has no example for {path}");
        for (address, token) in [(&good, None), (&good, Some(ADMIN_TOKEN)), (&missing, Some(ADMIN_TOKEN))] {
            let mut request = sandbox.request("GET", address);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            assert!(status < 500, "{address}: {status}");
            let is_documented = operation["responses"].get(status.to_string()).is_some();
            assert!(is_documented || matches!(status, 400 | 401), "{address}: {status} is not documented");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{address}");
            assert!(response.headers().contains_key("x-request-id"), "{address}");
            if status >= 400 && status != 410 {
                check_problem(address, response).await;
            }
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_document() {
    let sandbox = Sandbox::empty().await;
    let long = "x".repeat(2 << 20);
    for (method, path, body, expected) in [
        ("GET", "/api/v1/records/go-esa/no.such.thing", "", 404),
        ("GET", "/api/v1/records/go-esa/NOT%20AN%20ID", "", 400),
        ("GET", "/api/v1/records/go-esa/no.such.thing?colour=red", "", 400),
        ("GET", "/api/v1/search?colour=red", "", 400),
        ("GET", "/api/v1/launches", "", 401),
        ("GET", "/api/v1/nothing", "", 404),
        ("PATCH", "/api/v1/search", "", 405),
        ("POST", "/api/v1/sessions", "{", 400),
        ("POST", "/api/v1/sessions", "{}", 400),
        ("POST", "/api/v1/plans", r#"{"datalab":"go-esa/no.such.thing"}"#, 404),
        ("POST", "/api/v1/plans", r#"{"datalab":"x.y","colour":"red"}"#, 400),
        ("POST", "/api/v1/plans", &*long, 413),
        ("PUT", "/api/v1/packages/a.b/1", "x", 401),
        ("GET", "/sparql?query=nonsense", "", 400),
        ("GET", "/id/go-esa/no.such.thing", "", 404),
    ] {
        let response = sandbox.request(method, path).body(body.to_owned()).send().await.unwrap();
        assert_eq!(response.status(), expected, "{method} {path}");
        check_problem(path, response).await;
    }
    let wrong = sandbox.request("GET", "/api/v1/me").bearer_auth("nobody-has-this-token").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers().contains_key("www-authenticate"));
    check_problem("/api/v1/me", wrong).await;
}

async fn check_problem(path: &str, response: reqwest::Response) {
    let status = response.status().as_u16();
    if path.starts_with("/ga4gh/") {
        // The clients of that standard know its own words only.
        assert_eq!(response.headers()["content-type"], "application/json", "{path}: {status}");
        let error: Value = response.json().await.unwrap();
        assert!(error["code"] == status && error["message"].is_string(), "{path}: {error}");
        return;
    }
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(content_type.as_deref(), Some("application/problem+json"), "{path}: {status}");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status, "{path}: {problem}");
    assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("/problems/")), "{path}: {problem}");
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{path}: {problem}");
    assert_eq!(problem["instance"], id, "{path}: the id that the log has: {problem}");
}
