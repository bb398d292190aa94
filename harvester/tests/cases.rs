//! The cases of the mappings: an input file, and the records that it becomes.

use std::path::{Path, PathBuf};

use catalog_harvester::{Cursor, Item, Mappings, Settings, Sink, open};
use serde_json::{Value, json};

/// Says what a file becomes: manifests, then faults.
async fn outcome(mapping: &str, input: &Path) -> Value {
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
            Item::Gone(_) | Item::Progress(_) => {}
        }
    }
    running.await.unwrap();
    Value::Array(all)
}

#[tokio::test]
async fn every_case_becomes_what_is_expected() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut tried = 0;
    for mapping in std::fs::read_dir(&root).unwrap() {
        let mapping = mapping.unwrap().path();
        let name = mapping.file_name().unwrap().to_str().unwrap().to_owned();
        let Ok(cases) = std::fs::read_dir(mapping.join("cases")) else { continue };
        for case in cases {
            let input = case.unwrap().path();
            let file = input.file_name().unwrap().to_str().unwrap().to_owned();
            let Some((case, _)) = file.split_once(".input.") else { continue };
            tried += 1;
            let found = outcome(&name, &input).await;
            let expected = input.with_file_name(format!("{case}.expected.json"));
            if std::env::var_os("UPDATE_CASES").is_some() {
                std::fs::write(&expected, format!("{found:#}\n")).unwrap();
                continue;
            }
            let text =
                std::fs::read_to_string(&expected).unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
            let wanted: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(found, wanted, "{name}/{file}: {found:#}");
        }
    }
    assert!(tried >= Mappings::shipped().unwrap().all().count(), "every mapping has a case");
}
