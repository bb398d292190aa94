//! The terms that the application writes, put into a record from what the ledger knows.

use catalog_ontology::record::{Record, RecordError};
use catalog_records::StoredRecord;
use serde_json::{Value as Json, json};

/// The profile that every accepted manifest conforms to.
const PROFILE: &str = "https://w3id.org/esado/profile/v1";

/// Reads a stored document and adds what the application says of it; nothing when the document is not one.
///
/// The ledger keeps what a publisher wrote, untouched. Dates, state and publisher are the ledger's own columns, so they
/// cannot disagree with it.
pub(super) fn complete(stored: &StoredRecord, zone_name: &str) -> Option<Record> {
    let mut record = read(stored)?;
    let (created, modified) = (stored.created.to_string(), stored.modified.to_string());
    let day = created.get(..10).unwrap_or(&created).to_owned();
    set(&mut record, "dateCreated", json!(day));
    set(&mut record, "datePublished", json!(created));
    set(&mut record, "dateModified", json!(modified));
    set(&mut record, "modified", json!(modified));
    set(&mut record, "state", json!(stored.state.as_str()));
    set(&mut record, "owner", json!(stored.publisher));
    set(&mut record, "conformsTo", json!([PROFILE]));
    if record.string("cwlVersion").is_some() {
        // What is published was valid then; by which reader is told, as another may know more.
        set(&mut record, "validation", json!({ "valid": true, "at": created, "tool": "alidade" }));
    }
    if record.values("publisher").is_empty() {
        set(&mut record, "publisher", json!({ "name": zone_name }));
    }
    Some(record)
}

fn read(stored: &StoredRecord) -> Option<Record> {
    let document: Result<Json, _> = serde_json::from_str(&stored.document);
    let record = document
        .map_err(|error| error.to_string())
        .and_then(|document| Record::from_document(&document).map_err(|error| error.to_string()));
    record.map_err(|error| {
        tracing::error!(zone = %stored.zone, identifier = %stored.identifier, error, "a stored document cannot be read");
    }).ok()
}

/// Sets an application's term; kinds that do not have it are left as they are.
pub fn set(record: &mut Record, key: &str, value: Json) {
    match record.set(key, &value) {
        Ok(()) | Err(RecordError::UnknownTerm { .. } | RecordError::Kind) => {}
        Err(error) => {
            tracing::warn!(identifier = record.identifier(), key, %error, "the application's own value is refused")
        }
    }
}
