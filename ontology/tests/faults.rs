//! What is wrong with a bad manifest, or with the invalid case of a term, is found by pySHACL in the manifest's RDF as well, or
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

use support::{Row, base_named, case, check, manifest_with, row_of, rows, suite, uploaded};

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
    // What names a node is told of the property that leads to it, and what stands in a list of the list's steps: by its value.
    let by_value = |path: &str| finding.pointer.ends_with("/@id") || !path.contains(':');
    if results.iter().any(|(path, _, value)| by_value(path) && finding.got.as_ref() == Some(value)) {
        return true;
    }
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

/// A manifest that is wrong: its row, its file, the file of the good manifest that was made bad, and the faults.
struct Bad {
    row: String,
    file: String,
    base: Option<String>,
    findings: Vec<Finding>,
}

/// Manifests as statements in a folder, as pySHACL reads them.
struct Folder {
    folder: tempfile::TempDir,
    cases: Vec<Bad>,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("shapes.ttl"), generate::shapes()).unwrap();
        Self { folder, cases: Vec::new() }
    }

    /// Writes a manifest's statements; one that no processor reads has none.
    fn write(&self, file: &str, manifest: &[u8]) {
        std::fs::write(self.folder.path().join("data").join(file), statements(manifest).unwrap_or_default()).unwrap();
    }

    fn add(&mut self, row: String, manifest: &[u8], base: Option<String>, mut findings: Vec<Finding>) {
        findings.retain(|finding| finding.severity == Severity::Error);
        if findings.is_empty() {
            return;
        }
        let file = format!("{:03}.nt", self.cases.len());
        self.write(&file, manifest);
        self.cases.push(Bad { row, file, base, findings });
    }

    /// Has everything checked; returns how many faults were found, those that were not, and the lines of the list that are needed.
    fn check(&self, listed: &[(String, String)]) -> (usize, Vec<String>, BTreeSet<usize>) {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pyshacl_check.py");
        let (data, shapes) = (self.folder.path().join("data"), self.folder.path().join("shapes.ttl"));
        let output = Command::new("python3").arg(script).arg(&shapes).arg(&data).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answers: Json = serde_json::from_slice(&output.stdout).unwrap();
        let (mut found, mut missed, mut used) = (0, Vec::new(), BTreeSet::new());
        for Bad { row, file, base, findings } in &self.cases {
            assert!(answers[file]["error"].is_null(), "{row}: {}", answers[file]);
            let of_base = base.as_ref().map(|base| results(&answers, base)).unwrap_or_default();
            let results = results(&answers, file).difference(&of_base).cloned().collect();
            for finding in findings {
                if is_found(finding, &results) {
                    found += 1;
                    continue;
                }
                match listed.iter().position(|(name, code)| (name == "*" || name == row) && *code == finding.code) {
                    Some(at) => drop(used.insert(at)),
                    None => missed.push(format!("{row}: {} {} among {results:?}", finding.code, finding.pointer)),
                }
            }
        }
        (found, missed, used)
    }
}

fn has_pyshacl() -> bool {
    let here =
        Command::new("python3").args(["-c", "import pyshacl"]).output().is_ok_and(|output| output.status.success());
    if !here {
        eprintln!("SKIPPED: bad manifests are not checked by pyshacl, which is not installed (pip install pyshacl)");
    }
    here
}

#[test]
fn pyshacl_finds_what_a_shape_can_say_of_every_bad_manifest() {
    if !has_pyshacl() {
        return;
    }
    let mut folder = Folder::new();
    for row in rows("bad.jsonl") {
        // What a shape finds in the good manifest that was made bad is not what was made bad in it.
        let base = row["base"].as_str().map(|name| {
            let file = format!("base-{name}.nt");
            folder.write(&file, base_named(name).to_string().as_bytes());
            file
        });
        let row = Row::read(&row);
        let findings = case(&row).report.findings;
        folder.add(row.name, &row.bytes, base, findings);
    }
    let terms = rows("terms.jsonl");
    for row in &terms {
        // One kind of record that has the term is enough: the shapes of all are made of the same table.
        let Some(term) = uploaded().find(|term| row_of(&terms, term).is_some_and(|own| std::ptr::eq(own, row))) else {
            continue;
        };
        let (manifest, writer) = manifest_with(&terms, term, &row["invalid"]);
        let findings = check(&manifest, writer).report.findings;
        let name = format!("{} {}", term.kind, term.key);
        let base = format!("valid-{:03}.nt", folder.cases.len());
        folder.write(&base, manifest_with(&terms, term, &row["valid"]).0.to_string().as_bytes());
        folder.add(name, manifest.to_string().as_bytes(), Some(base), findings);
    }
    let listed = not_in_shapes();
    let (found, missed, used) = folder.check(&listed);
    assert!(missed.is_empty(), "{} faults that pyshacl does not find:\n{}", missed.len(), missed.join("\n"));
    let idle: Vec<_> = (0..listed.len()).filter(|at| !used.contains(at)).map(|at| &listed[at]).collect();
    assert!(idle.is_empty(), "listed, but found or no longer there: {idle:?}");
    assert!(found >= 200, "pyshacl finds {found} faults");
}
