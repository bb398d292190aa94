//! The W3C's tests of JSON-LD 1.1, deserialisation to RDF, on the reader of harvested pages.
//!
//! `tests/suite/json-ld/not-applicable.tsv` names the tests that it does not pass, each with the reason; one of them that
//! passes is reported, so that its line goes.
#![allow(
    clippy::print_stderr,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it leaves out, and fails"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oxrdf::graph::CanonicalizationAlgorithm;
use oxrdf::{Graph, Triple};
use oxttl::NQuadsParser;
use serde_json::Value;

use crate::rdf::{Syntax, parse};

fn data() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("ALIDADE_TEST_DATA").map_or_else(|| here.join("../../shared/data"), PathBuf::from);
    let suite = data.join("conformance/w3c-json-ld-api");
    if suite.exists() {
        return Some(suite);
    }
    eprintln!("SKIPPED: there is no {}; the JSON-LD suite is left out", suite.display());
    None
}

fn canonical(triples: impl IntoIterator<Item = Triple>) -> Graph {
    let mut graph: Graph = triples.into_iter().collect();
    graph.canonicalize(CanonicalizationAlgorithm::Unstable);
    graph
}

/// Runs one test; an error says how it went otherwise.
fn run(suite: &Path, base: &str, test: &Value) -> Result<(), String> {
    let text = |name: &str| test[name].as_str().unwrap_or_default();
    let input = text("input");
    let bytes = std::fs::read(suite.join(input)).map_err(|error| error.to_string())?;
    let base = test["option"]["base"].as_str().map_or_else(|| format!("{base}{input}"), str::to_owned);
    let parsed = parse(&bytes, Syntax::JsonLd, Some(&base), input);
    let kinds = test["@type"].to_string();
    if kinds.contains("NegativeEvaluationTest") {
        return if parsed.is_err() { Ok(()) } else { Err("what is wrong is accepted".to_owned()) };
    }
    let parsed = parsed.map_err(|fault| format!("is refused: {}", fault.message))?;
    if kinds.contains("PositiveSyntaxTest") {
        return Ok(());
    }
    let expected = std::fs::read(suite.join(text("expect"))).map_err(|error| error.to_string())?;
    let expected = NQuadsParser::new().for_slice(&expected).collect::<Result<Vec<_>, _>>();
    // Pages are read as one graph, whatever graphs they name, and schema.org's names with https.
    let expected = expected.map_err(|error| error.to_string())?.into_iter();
    let expected = canonical(expected.map(|quad| Triple::new(quad.subject, quad.predicate, quad.object)));
    let found = canonical(parsed.triples());
    if expected == found { Ok(()) } else { Err(format!("gives {found} instead of {expected}")) }
}

#[test]
fn documents_become_the_statements_that_the_standard_says() {
    let Some(suite) = data() else { return };
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/suite/json-ld/not-applicable.tsv");
    let list = std::fs::read_to_string(list).unwrap();
    let mut known: BTreeMap<&str, &str> =
        list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t')).collect();
    let manifest: Value = serde_json::from_slice(&std::fs::read(suite.join("toRdf-manifest.jsonld")).unwrap()).unwrap();
    let base = manifest["baseIri"].as_str().unwrap();
    let (mut passed, mut wrong) = (0, Vec::new());
    for test in manifest["sequence"].as_array().unwrap() {
        let id = test["@id"].as_str().unwrap().trim_start_matches('#').to_owned();
        match (run(&suite, base, test), known.remove(id.as_str())) {
            (Ok(()), None) => passed += 1,
            (Err(_), Some(_)) => {}
            (Ok(()), Some(_)) => wrong.push(format!("{id}\tpasses, and is said not to")),
            (Err(how), None) => wrong.push(format!("{id}\t{how}")),
        }
    }
    wrong.extend(known.keys().map(|id| format!("{id}\tis no test")));
    assert!(wrong.is_empty(), "{passed} passed; these are otherwise:\n{}", wrong.join("\n"));
    assert!(passed > 400, "{passed} tests passed");
}
