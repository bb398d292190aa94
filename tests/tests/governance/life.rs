//! The life of a version, step by step and role by role, against `tests/suite/workflow.tsv`; and what is left of one.

use catalog_schemas::account::{Role, Scope};
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::read;
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::{Value, json};

use super::{codes, developer, read_page, reviewed, send};

const LAB: &str = "lif.own.lab";

async fn put(sandbox: &Sandbox, token: &str, identifier: &str, version: &str) {
    let path = format!("/api/v1/packages/{identifier}/{version}");
    let (status, answer) = send(sandbox, "PUT", &path, token, package(&datalab(identifier, version))).await;
    assert_eq!(status, 201, "{answer}");
}

async fn step(sandbox: &Sandbox, token: &str, identifier: &str, version: &str, to: &str) -> u16 {
    let path = format!("/api/v1/packages/{identifier}/{version}/state");
    let change = json!({ "state": to, "reason": "because the test says so" }).to_string();
    send(sandbox, "POST", &path, token, change).await.0
}

/// Makes a version and brings it into a state.
async fn bring(sandbox: &Sandbox, owner: &str, version: &str, state: &str) {
    put(sandbox, owner, LAB, version).await;
    let way: &[(&str, &str)] = match state {
        "draft" => &[],
        "submitted" => &[(owner, "submitted")],
        "published" => &[(ADMIN_TOKEN, "published")],
        "deprecated" => &[(ADMIN_TOKEN, "published"), (owner, "deprecated")],
        _ => &[(ADMIN_TOKEN, "published"), (owner, "withdrawn")],
    };
    for (token, to) in way {
        assert_eq!(step(sandbox, token, LAB, version, to).await, 200, "{version} to {to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_taken_by_whom_the_table_says() {
    let mut sandbox = reviewed().await;
    let (ann, ben) = (developer(&sandbox, "ann").await, developer(&sandbox, "ben").await);
    let mia = sandbox.account("mia", Role::Moderator, &[Scope::Admin]).await.token;
    // Somebody with a namespace of their own is as strange to this one as anybody.
    put(&sandbox, &ben, "lif.other.lab", "1").await;
    let table = include_str!("../../suite/workflow.tsv");
    let rows: Vec<Vec<&str>> =
        table.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 25);
    // Without review there are no drafts, so they are made before the operator gives it up.
    for (at, row) in rows.iter().enumerate() {
        for who in ["free", "review", "moderator"] {
            bring(&sandbox, &ann, &format!("{who}-{at}"), row[0]).await;
        }
    }
    let mut wrong = Vec::new();
    let mut look = |column: &str, row: &[&str], expected: &str, status: u16| {
        if status.to_string() != expected {
            wrong.push(format!("{} to {} as {column}: {status} instead of {expected}", row[0], row[1]));
        }
    };
    for (at, row) in rows.iter().enumerate() {
        let (review, moderator) = (format!("review-{at}"), format!("moderator-{at}"));
        look("anonymous", row, row[6], step(&sandbox, "", LAB, &review, row[1]).await);
        look("stranger", row, row[5], step(&sandbox, &ben, LAB, &review, row[1]).await);
        look("developer under review", row, row[3], step(&sandbox, &ann, LAB, &review, row[1]).await);
        look("moderator", row, row[4], step(&sandbox, &mia, LAB, &moderator, row[1]).await);
    }
    sandbox.stop();
    std::fs::write(sandbox.folder().join("alidade.toml"), "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n").unwrap();
    sandbox.run().await;
    for (at, row) in rows.iter().enumerate() {
        look("developer", row, row[2], step(&sandbox, &ann, LAB, &format!("free-{at}"), row[1]).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_is_withdrawn_leaves_nothing_and_a_record_leaves_no_words() {
    let sandbox = reviewed().await;
    let (ann, ben) = (developer(&sandbox, "ann").await, developer(&sandbox, "ben").await);
    put(&sandbox, &ann, "lif.own.draft", "1.0.0").await;
    assert_eq!(step(&sandbox, &ann, "lif.own.draft", "1.0.0", "withdrawn").await, 200);
    // One that everybody saw, beside a version that nobody did.
    put(&sandbox, &ann, LAB, "1.0.0").await;
    assert_eq!(step(&sandbox, ADMIN_TOKEN, LAB, "1.0.0", "published").await, 200);
    put(&sandbox, &ann, LAB, "2.0.0").await;
    assert_eq!(step(&sandbox, &ann, LAB, "2.0.0", "withdrawn").await, 200);
    let record = |identifier: &str| format!("/api/v1/records/go-esa/{identifier}");
    for token in ["", ben.as_str()] {
        let draft = [
            record("lif.own.draft"),
            "/id/go-esa/lif.own.draft".to_owned(),
            "/record/go-esa/lif.own.draft".to_owned(),
            "/api/v1/packages/lif.own.draft/1.0.0".to_owned(),
            format!("{}?version=2.0.0", record(LAB)),
            format!("/id/go-esa/{LAB}/2.0.0"),
            format!("/api/v1/packages/{LAB}/2.0.0"),
        ];
        for path in draft {
            assert_eq!(send(&sandbox, "GET", &path, token, "").await.0, 404, "{path}: a draft was nobody's business");
        }
        let (_, view) = send(&sandbox, "GET", &record(LAB), token, "").await;
        assert_eq!(view["versions"].as_array().unwrap().len(), 1, "{view}");
    }
    let (status, view) = send(&sandbox, "GET", &record("lif.own.draft"), &ann, "").await;
    assert_eq!((status, &view["state"]), (410, &json!("withdrawn")), "its developers may still look: {view}");
    assert!(view["document"]["abstract"].is_object());

    // What everybody saw leaves a tombstone: that it is gone, and why. Nothing of what it said, for it may be gone for that.
    assert_eq!(step(&sandbox, &ann, LAB, "1.0.0", "withdrawn").await, 200);
    sandbox.wait_until_in_step().await;
    for token in ["", ben.as_str()] {
        let (status, view) = send(&sandbox, "GET", &record(LAB), token, "").await;
        assert_eq!((status, &view["reason"]), (410, &json!("because the test says so")), "{view}");
        let text = view.to_string();
        assert!(!text.contains("A small lab that the tests") && !text.contains("Somebody"), "{text}");
        assert_eq!((&view["name"], &view["terms"]), (&json!(LAB), &json!([])));
        let (status, page) = read_page(&sandbox, &format!("/record/go-esa/{LAB}"), token).await;
        assert!(
            status == 410 && page.contains("because the test says so") && !page.contains("A small lab that"),
            "{page}"
        );
    }
    for path in
        ["/feed.atom", "/api/v1/changes", "/oai?verb=ListRecords&metadataPrefix=oai_dc", "/dump.nq", "/sitemap.xml"]
    {
        let (_, text) = sandbox.get(path).await;
        assert!(!text.contains("lif.own.draft"), "{path} tells of a draft: {text}");
    }
    let feed = sandbox.get("/api/v1/changes").await.1;
    assert!(feed.contains(LAB) && !feed.contains("A small lab that"), "whoever follows learns that it is gone: {feed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_asks_of_packages_holds_for_edits_too() {
    let sandbox = reviewed().await;
    let ann = developer(&sandbox, "ann").await;
    put(&sandbox, &ann, LAB, "1.0.0").await;
    assert_eq!(step(&sandbox, ADMIN_TOKEN, LAB, "1.0.0", "published").await, 200);
    let record = format!("/api/v1/records/go-esa/{LAB}");
    let patch = |token: String, body: &'static str, acknowledge: &'static str| {
        let request = sandbox.request("PATCH", &record).bearer_auth(token).header("alidade-acknowledge", acknowledge);
        read(request.body(body))
    };
    for disguise in [
        r#"{"license":"https://spdx.org/licenses/GPL-3.0-only"}"#,
        r#"{"sdo:license":"https://spdx.org/licenses/GPL-3.0-only"}"#,
        r#"{"https://schema.org/license":"https://spdx.org/licenses/GPL-3.0-only"}"#,
    ] {
        let (status, text) = patch(ann.clone(), disguise, "policy.licence").await;
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 422, "{disguise}: {text}");
        assert!(codes(&problem).contains(&"policy.licence"), "{disguise}: {text}");
    }
    assert_eq!(patch(ann.clone(), r#"{"license":"https://spdx.org/licenses/MIT"}"#, "").await.0, 200);
    let secret = r#"{"description":{"en":"Log in as user with password epharm, and begin."}}"#;
    for token in [ann.clone(), ADMIN_TOKEN.to_owned()] {
        let (status, text) = patch(token, secret, "").await;
        assert!(matches!(status, 403 | 422), "{text}");
        assert!(!text.contains("epharm"), "the problem does not say it on: {text}");
    }
    let (status, text) = patch(ann.clone(), secret, "").await;
    assert!(status == 422 && text.contains("acknowledge_required"), "{text}");
    // In the form: the box is there when something waits for it, and what was written is not lost.
    let (_, form) = send(&sandbox, "GET", &format!("{record}/form"), &ann, "").await;
    let post = |taken: Option<&'static str>| {
        let mut pairs = vec![
            ("seq", form["seq"].to_string()),
            ("domain", "space-science".to_owned()),
            ("property", "AnalysisTool".to_owned()),
            ("description@en", "Log in as user with password epharm.".to_owned()),
        ];
        pairs.extend(taken.map(|taken| ("acknowledge", taken.to_owned())));
        read(sandbox.request("POST", &format!("/edit/go-esa/{LAB}")).bearer_auth(&ann).form(&pairs))
    };
    let (status, page) = post(None).await;
    assert!(status == 422 && page.contains("name=\"acknowledge\"") && page.contains("epharm"), "{page}");
    assert_eq!(post(Some("secret.suspected")).await.0, 303);
    let (_, review) = read_page(&sandbox, &format!("/record/go-esa/{LAB}"), "").await;
    assert!(review.contains("Log in as user"));
    // Who validates hears of the policy before publishing.
    let mut lab = datalab(LAB, "3.0.0");
    lab["license"] = json!("https://spdx.org/licenses/GPL-3.0-only");
    let (_, report) = send(&sandbox, "POST", "/api/v1/validate", "", package(&lab)).await;
    assert!(report["valid"] == json!(false) && codes(&report).contains(&"policy.licence"), "{report}");
}
