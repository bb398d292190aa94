//! Every code that an error or a finding may bear has a page that says what it means and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use catalog_schemas::meaning::meaning;
use catalog_tests::Sandbox;
use catalog_tests::sandbox::read;
use serde_json::Value;

/// What makes a problem or a finding, and takes its code as the first text.
const MAKERS: [&str; 7] = [
    "Failure::new(",
    "Failure::bad_request(",
    "Self::bad_request(",
    "::unavailable(",
    "::too_many(",
    "Finding::error(",
    "Finding::warning(",
];

/// Crates whose findings are about harvested data and stay in the reports of runs.
const APART: [&str; 1] = ["harvester"];

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_apart =
                matches!(name.as_str(), "tests" | "target" | "examples" | "benches") || name.starts_with('.');
            if !is_apart && !APART.contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// The codes in a source, each the first text after what makes a problem.
fn codes(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for maker in MAKERS {
        for (at, _) in text.match_indices(maker) {
            let rest: String = text[at + maker.len()..].chars().take(120).collect();
            // Up to the end of the statement; what is made of a variable is a text elsewhere.
            let rest = rest.split(';').next().unwrap_or_default();
            let Some(code) = rest.split('"').nth(1) else { continue };
            let is_code = !code.is_empty()
                && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b));
            if is_code {
                found.insert(code.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_code_of_the_sources_has_a_meaning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for folder in ["catalog-server", "ontology", "schemas", "portal"] {
        sources(&root.join(folder), &mut files);
    }
    let mut missing: BTreeMap<String, String> = BTreeMap::new();
    let mut count = 0;
    for file in files {
        for code in codes(&std::fs::read_to_string(&file).unwrap()) {
            count += 1;
            if meaning(&code).is_none() && !code.starts_with("archive.") {
                missing.insert(code, file.display().to_string());
            }
        }
    }
    assert!(count > 100, "the sources are read: {count}");
    assert!(missing.is_empty(), "add a row to schemas/src/problems.tsv for each of {missing:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_a_problem_leads_to_what_it_means() {
    let sandbox = Sandbox::empty().await;
    for (method, path) in
        [("GET", "/api/v1/records/go-esa/no.such"), ("GET", "/api/v1/tokens"), ("GET", "/api/v1/search?page=x")]
    {
        let (status, text) = read(sandbox.request(method, path)).await;
        assert!(status >= 400);
        let problem: Value = serde_json::from_str(&text).unwrap();
        let kind = problem["type"].as_str().unwrap();
        let (status, page) = read(sandbox.request("GET", kind).header("accept", "text/html")).await;
        assert_eq!(status, 200, "{kind}");
        let known = meaning(kind.trim_start_matches("/problems/")).unwrap();
        let words = known.meaning.split(['`', '&', ':']).next().unwrap();
        assert!(page.contains(words) && page.contains("What to do"), "{kind}: {page}");
        let (_, json) = read(sandbox.request("GET", kind).header("accept", "application/json")).await;
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["fix"], known.fix);
    }
    let (status, all) = sandbox.get("/problems").await;
    assert!(status == 200 && all.contains("/problems/archive.symlink") && all.contains("/problems/term.unknown"));
    assert_eq!(sandbox.get("/problems/no.such.code").await.0, 404);
    let hostile = "/problems/%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let (status, page) = read(sandbox.request("GET", hostile).header("accept", "text/html")).await;
    assert!(status == 404 && page.contains("&lt;script") && !page.contains("<script>alert"), "{page}");
    // Nobody takes the document that programs get for a page.
    let document = sandbox.request("GET", hostile).send().await.unwrap();
    assert_eq!(document.headers()["content-type"], "application/problem+json");
    assert_eq!(document.headers()["x-content-type-options"], "nosniff");
}
