//! Real catalogues: what comes of them is what was counted by hand.

mod support;

use std::collections::BTreeSet;

use catalog_ontology::manifest::{Options, validate};
use serde_json::{Value, json};
use support::{Said, harvest, shared};

fn expected(name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(shared()?.join(format!("expected/{name}-give.json"))).ok()?;
    serde_json::from_str(&text).ok()
}

async fn folder(name: &str, mapping: &str) -> Option<Said> {
    let folder = shared()?.join(name);
    Some(harvest(json!({ "id": "x", "kind": "files", "folder": folder, "mapping": mapping })).await)
}

fn all_valid(said: &Said) {
    assert!(said.is_complete(), "{:?}", said.outcome);
    for record in &said.records {
        let validation = validate(record.manifest.to_string().as_bytes(), &Options::harvested());
        assert!(validation.record.is_some(), "{} {:#?}", record.key, validation.report);
    }
}

#[tokio::test]
async fn aws_open_data() {
    let (Some(said), Some(expected)) = (folder("aws-open-data", "aws-open-data").await, expected("aws")) else {
        return;
    };
    all_valid(&said);
    assert_eq!(said.records.len() as u64, expected["records"].as_u64().unwrap());
    let deprecated: BTreeSet<&str> = said
        .records
        .iter()
        .filter(|record| record.manifest["label"] == json!(["Deprecated"]))
        .map(|record| record.key.as_str())
        .collect();
    let wanted: BTreeSet<&str> = expected["deprecated"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(deprecated, wanted);
}

#[tokio::test]
async fn spase() {
    let (Some(said), Some(expected)) = (folder("spase-nasa", "spase").await, expected("spase")) else { return };
    all_valid(&said);
    assert_eq!(said.records.len() as u64, expected["records"].as_u64().unwrap());
    for (kind, count) in expected["resource_types"].as_object().unwrap() {
        let found = said.records.iter().filter(|record| record.manifest["resourceType"] == json!([kind])).count();
        assert_eq!(found as u64, count.as_u64().unwrap(), "{kind}");
    }
}

#[tokio::test]
async fn launch_profiles() {
    let (Some(said), Some(expected)) = (folder("datalabs-2i2c", "jupyterhub").await, expected("2i2c")) else { return };
    all_valid(&said);
    assert!(said.faults.is_empty(), "{:?}", &said.faults[..3.min(said.faults.len())]);
    let images: BTreeSet<&str> =
        said.records.iter().filter_map(|record| record.manifest["datalabImage"]["reference"].as_str()).collect();
    assert_eq!(images.len() as u64, expected["distinct_images"].as_u64().unwrap());
}

#[tokio::test]
async fn nasa_collections() {
    let (Some(said), Some(expected_rows)) = (folder("nasa-cmr-tsv", "nasa-cmr").await, expected("nasa")) else {
        return;
    };
    all_valid(&said);
    assert_eq!(said.records.len() as u64, expected_rows["rows"].as_u64().unwrap());
    let without_box = said.records.iter().filter(|record| record.manifest.get("spatial").is_none()).count();
    assert_eq!(without_box as u64, expected_rows["no_bbox"].as_u64().unwrap());
}

#[tokio::test]
async fn bioinformatics_tools() {
    let (Some(said), Some(expected)) = (folder("tools-biotools", "bioschemas").await, expected("biotools")) else {
        return;
    };
    all_valid(&said);
    let read = said.records.len() + said.faults.iter().filter(|fault| fault.code == "duplicate").count();
    assert!(read as u64 >= expected["documents"].as_u64().unwrap(), "{read}");
}
