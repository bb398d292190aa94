//! Runs a case of a mapping.

#![allow(clippy::unwrap_used, reason = "what a case cannot do must fail it")]

use std::path::Path;

use catalog_harvester::{Cursor, Item, Mappings, Settings, Sink, open};
use serde_json::{Value, json};

/// Says what a file becomes: manifests, then faults.
pub(crate) async fn outcome(mapping: &str, input: &Path) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let name = input.file_name().unwrap().to_str().unwrap();
    std::fs::copy(input, folder.path().join(name)).unwrap();
    let kind = if ["ttl", "rdf", "nt", "jsonld"].iter().any(|ending| name.ends_with(ending)) && mapping == "dcat" {
        "dcat"
    } else {
        "files"
    };
    let settings = json!({ "id": "case", "kind": kind, "folder": folder.path(), "mapping": mapping });
    let source = open(Settings::from_json(settings).unwrap(), &Mappings::shipped().unwrap()).unwrap();
    let (sink, mut items) = Sink::channel();
    let running = tokio::spawn(async move { source.harvest(Cursor::default(), &sink).await });
    let mut all = Vec::new();
    while let Some(item) = items.recv().await {
        match item {
            Item::Record(record) => {
                let bytes = record.manifest.to_string();
                let validation = catalog_ontology::manifest::validate(
                    bytes.as_bytes(),
                    &catalog_ontology::manifest::Options::harvested(),
                );
                assert!(validation.record.is_some(), "{} {:#?}", record.key, validation.report);
                all.push(json!({ "key": record.key, "unmatched": record.unmatched, "manifest": record.manifest }));
            }
            Item::Faulty(fault) => all.push(json!({ "fault": fault.code, "place": fault.place.to_string() })),
            Item::Gone(_) | Item::Remark(_) | Item::Progress(_) => {}
        }
    }
    running.await.unwrap();
    Value::Array(all)
}
