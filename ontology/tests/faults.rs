//! What is wrong with a bad manifest is found by pySHACL in the manifest's RDF as well, or
//! `tests/suite/manifests/not-in-shapes.tsv` says why it cannot be. The RDF is made by a JSON-LD processor that knows nothing
//! of our rules.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says why it skips"
)]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use catalog_ontology::generate;
use catalog_ontology::terms::compact;
use catalog_schemas::problem::{Finding, Severity};
use oxjsonld::{JsonLdParser, JsonLdRemoteDocument};
use oxrdf::Triple;
use oxttl::NTriplesSerializer;
use serde_json::Value as Json;

use support::{Row, base_named, case, rows, suite};

/// Returns the statements of a manifest as N-Triples, or what the processor says against it.
fn statements(manifest: &[u8]) -> Result<Vec<u8>, String> {
    let base = "https://catalog.example/id/go-esa/record";
    let parser = JsonLdParser::new().with_base_iri(base).unwrap().for_slice(manifest);
    let parser = parser.with_load_document_callback(|url, _| {
        if url != catalog_schemas::CONTEXT {
            return Err(format!("{url} is not fetched").into());
        }
        Ok(JsonLdRemoteDocument { document: generate::context().as_bytes().to_vec(), document_url: url.to_owned() })
    });
    let mut writer = NTriplesSerializer::new().for_writer(Vec::new());
    for quad in parser {
        writer.serialize_triple(&Triple::from(quad.map_err(|error| error.to_string())?)).unwrap();
    }
    Ok(writer.finish())
}

/// What pySHACL found in one file: the property, the constraint and the value.
type Results = BTreeSet<(String, String, String)>;

fn results(answers: &Json, file: &str) -> Results {
    let results = answers[file]["results"].as_array().into_iter().flatten();
    let text = |result: &Json, key: &str| result[key].as_str().unwrap_or_default().to_owned();
    results.map(|result| (compact(&text(result, "path")), text(result, "constraint"), text(result, "value"))).collect()
}

/// Says whether pySHACL found something in the values of the term that a finding is about.
fn is_found(finding: &Finding, results: &Results) -> bool {
    let Some(term) = &finding.term else { return false };
    // A shape compares the least with the most, we the most with the least.
    let least = (finding.code == "resources.min_over_max").then(|| term.replace(":max", ":min"));
    results.iter().any(|(path, ..)| path == term || Some(path) == least.as_ref())
}

/// A line of the list: the row or `*`, the code of the fault, and why no shape can say it.
fn not_in_shapes() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(suite().join("not-in-shapes.tsv")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [row, code, why] if !why.is_empty() => (row.to_owned(), code.to_owned()),
        _ => panic!("not-in-shapes.tsv: {line}"),
    };
    lines.map(read).collect()
}

#[test]
fn pyshacl_finds_what_a_shape_can_say_of_every_bad_manifest() {
    let here =
        Command::new("python3").args(["-c", "import pyshacl"]).output().is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("SKIPPED: bad manifests are not checked by pyshacl, which is not installed (pip install pyshacl)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, shapes) = (folder.path().join("data"), folder.path().join("shapes.ttl"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(&shapes, generate::shapes()).unwrap();
    let mut cases = Vec::new();
    for row in rows("bad.jsonl") {
        // What a shape finds in the good manifest that was made bad is not what was made bad in it.
        let base = row["base"].as_str().map(|name| {
            let file = format!("base-{name}.nt");
            std::fs::write(data.join(&file), statements(base_named(name).to_string().as_bytes()).unwrap()).unwrap();
            file
        });
        let row = Row::read(&row);
        let mut findings = case(&row).report.findings;
        findings.retain(|finding| finding.severity == Severity::Error);
        if findings.is_empty() {
            continue;
        }
        let file = format!("{:03}.nt", cases.len());
        // A manifest that no processor reads has no statements.
        std::fs::write(data.join(&file), statements(&row.bytes).unwrap_or_default()).unwrap();
        cases.push((row.name, file, base, findings));
    }
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pyshacl_check.py");
    let output = Command::new("python3").arg(script).arg(&shapes).arg(&data).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Json = serde_json::from_slice(&output.stdout).unwrap();
    let listed = not_in_shapes();
    let (mut missed, mut used, mut found) = (Vec::new(), BTreeSet::new(), 0);
    for (row, file, base, findings) in &cases {
        assert!(answers[file]["error"].is_null(), "{row}: {}", answers[file]);
        let of_base = base.as_ref().map(|base| results(&answers, base)).unwrap_or_default();
        let results = results(&answers, file).difference(&of_base).cloned().collect();
        for finding in findings {
            if is_found(finding, &results) {
                found += 1;
                continue;
            }
            match listed.iter().position(|(name, code)| (name == "*" || name == row) && *code == finding.code) {
                Some(at) => {
                    used.insert(at);
                }
                None => missed.push(format!("{row}: {} {} among {results:?}", finding.code, finding.pointer)),
            }
        }
    }
    assert!(missed.is_empty(), "{} faults that pyshacl does not find:\n{}", missed.len(), missed.join("\n"));
    let idle: Vec<_> = (0..listed.len()).filter(|at| !used.contains(at)).map(|at| &listed[at]).collect();
    assert!(idle.is_empty(), "listed, but found or no longer there: {idle:?}");
    assert!(found >= 40, "pyshacl finds {found} faults");
}
