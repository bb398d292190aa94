//! The cases of the mappings: an input file, and the records that it becomes.

#[path = "support/case.rs"]
mod case;

use std::path::PathBuf;

use case::outcome;
use catalog_harvester::Mappings;
use serde_json::Value;

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
            let text =
                std::fs::read_to_string(&expected).unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
            let wanted: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(found, wanted, "{name}/{file}: {found:#}");
        }
    }
    assert!(tried >= Mappings::shipped().unwrap().all().count(), "every mapping has a case");
}
