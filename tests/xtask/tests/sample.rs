//! The sample catalogue is valid, whole, and names what the source deck shows.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and shows its findings")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use catalog_ontology::manifest::{Options, Writer, validate};
use catalog_ontology::record::{Record, RecordIris};
use catalog_ontology::terms::Visibility;
use catalog_schemas::problem::Severity;
use serde_json::Value;

/// Every short name on a slide of the source deck, in the spellings of both catalogues.
const DECK_NAMES: [&str; 34] = [
    "aladin",
    "file-browser",
    "filezilla",
    "fv",
    "j-esdc",
    "j-euclid-dps",
    "j-herschel",
    "j-juice",
    "j-pangaia",
    "jl-esdc",
    "jl-euclid-dps",
    "jl-herschel",
    "jl-juice",
    "jl-jwst",
    "jl-pangaia",
    "jl-xmm-sas",
    "jupyterlab",
    "jupyterlab-cuda",
    "jwst",
    "jwst-miricle",
    "jwst-nips",
    "jwst-nsrt",
    "pla-legacy",
    "qfitsview",
    "situ jupyterlab",
    "theia-python",
    "x-ds9",
    "x-glab",
    "x-octave",
    "topcat",
    "terminal",
    "freedos-vm",
    "kolibri-vm",
    "harm-vm",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog-server/sample")
}

/// The manifests by their folder's name.
fn manifests() -> BTreeMap<String, (PathBuf, String)> {
    let folders = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders
        .map(|path| {
            let text = std::fs::read_to_string(path.join("manifest.jsonld")).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), (path, text))
        })
        .collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_manifest_is_valid() {
    let mut errors = 0;
    for (name, (path, text)) in manifests() {
        let has_file = |file: &str| path.join(file).is_file();
        let options = Options { files: Some(&has_file), ..Options::new(Writer::Developer) };
        let validation = validate(text.as_bytes(), &options);
        for finding in &validation.report.findings {
            println!(
                "{name}:{}:{} {:?} {} at {}: {} {}",
                finding.line.unwrap_or(0),
                finding.column.unwrap_or(0),
                finding.severity,
                finding.code,
                finding.pointer,
                finding.message,
                finding.fix.as_deref().unwrap_or("")
            );
            errors += usize::from(finding.severity == Severity::Error);
        }
    }
    assert_eq!(errors, 0, "see the findings above");
}

#[test]
fn a_folder_is_named_after_its_identifier_and_kinds_are_all_there() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (name, (_, text)) in manifests() {
        let manifest = json(&text);
        assert_eq!(manifest["identifier"], name.as_str());
        *kinds.entry(manifest["@type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(kinds["DataVolume"], 9);
    assert_eq!(kinds["Pipeline"], 2);
    assert!(kinds["Dataset"] >= 12 && kinds["Datalab"] >= 35, "{kinds:?}");
}

#[test]
fn every_name_of_the_deck_is_a_short_name_or_a_keyword_of_one_record() {
    for name in DECK_NAMES {
        let named = |exact: bool| {
            manifests()
                .values()
                .filter(|(_, text)| {
                    let manifest = json(text);
                    if exact { manifest["alternateName"] == name } else { texts(&manifest["keyword"]).contains(&name) }
                })
                .count()
        };
        assert_eq!(if named(true) == 1 { 1 } else { named(false) }, 1, "{name}");
    }
}

#[test]
fn the_five_test_entries_stay_five() {
    let manifests = manifests();
    let entries: Vec<Value> =
        manifests.values().map(|(_, text)| json(text)).filter(|m| m["name"]["en"] == "CYPRESS SEPPTEST-219").collect();
    assert_eq!(entries.len(), 5);
    assert!(entries.iter().all(|entry| entry["label"] == serde_json::json!(["Test Automated"])));
}

#[test]
fn volumes_that_are_needed_or_held_are_in_the_catalogue_with_one_mount_path() {
    let manifests: Vec<Value> = manifests().values().map(|(_, text)| json(text)).collect();
    let volumes: BTreeMap<&str, &str> = manifests
        .iter()
        .filter(|manifest| manifest["@type"] == "DataVolume")
        .map(|manifest| (manifest["alternateName"].as_str().unwrap(), manifest["defaultMountPath"].as_str().unwrap()))
        .collect();
    assert_eq!(volumes["pla-legacy"], "/data/user/pla_legacy");
    assert_eq!(volumes.values().collect::<BTreeSet<_>>().len(), 9);
    for need in manifests.iter().filter_map(|manifest| manifest["volume"].as_array()).flatten() {
        let key = need["volume"].as_str().unwrap().strip_prefix("urn:esado:volume:").unwrap();
        assert_eq!(need["mountPath"], volumes[key], "{key}");
    }
    let configuration = std::fs::read_to_string(folder().join("alidade.toml")).unwrap();
    let configuration: toml::Table = configuration.parse().unwrap();
    let mut held = BTreeSet::new();
    for zone in configuration["datazone"].as_array().unwrap() {
        for volume in zone["volume"].as_array().unwrap() {
            held.insert(volume["volume"].as_str().unwrap());
        }
    }
    assert_eq!(held, volumes.keys().copied().collect(), "every volume is held by some datazone");
}

#[test]
fn no_password_is_written_anywhere() {
    for (name, (path, text)) in manifests() {
        let readme = std::fs::read_to_string(path.join("README.md")).unwrap_or_default();
        assert!(!text.contains("epharm") && !readme.contains("epharm"), "{name}");
    }
}

/// Validates what a fixture writes, every datalab and every so many of the rest, and returns the valid records.
fn check_fixture(arguments: &[&str], every: usize) -> Vec<Record> {
    let written = std::process::Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap();
    assert!(written.status.success());
    let text = String::from_utf8(written.stdout).unwrap();
    let mut records = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if number % every == 0 || line.contains("\"Datalab\"") {
            let validation = validate(line.as_bytes(), &Options::new(Writer::Developer));
            let findings = validation.report.findings;
            let serious: Vec<_> = findings.iter().filter(|finding| finding.severity != Severity::Hint).collect();
            assert!(serious.is_empty(), "{line}\n{serious:#?}");
            records.push(validation.record.unwrap().into_record());
        }
    }
    records
}

#[test]
fn what_the_deck_fixture_writes_is_valid_and_its_missions_lie_below_two_top_concepts() {
    let records = check_fixture(&["fixture", "deck"], 20);
    let tops: BTreeSet<&str> = records
        .iter()
        .flat_map(|record| record.concepts("mission"))
        .filter_map(|path| path.split('/').next())
        .collect();
    assert_eq!(tops.into_iter().collect::<Vec<_>>(), ["astronomy", "earth-observation-satellite"]);
}

#[test]
fn what_the_corpus_fixture_writes_is_valid_and_as_large_as_real_records() {
    let records = check_fixture(&["fixture", "corpus", "1000"], 1);
    let triples: usize = records
        .iter()
        .map(|record| {
            record.triples(&RecordIris::new("http://127.0.0.1:8080", "go-esa", record), Visibility::Public).len()
        })
        .sum();
    let mean = triples as f64 / records.len() as f64;
    assert!((32.0..40.0).contains(&mean), "{mean} public triples a record");
}
