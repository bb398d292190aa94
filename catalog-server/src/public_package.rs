//! A package as everybody may have it: without the terms that only its developers and moderators read.
//!
//! The archive as it was published holds its manifest, and with it what the term table calls private. Who may read that gets
//! the archive byte for byte; everybody else gets one made of it, in which the manifest has the public terms and the files
//! that only say what is private are left out.

use std::collections::HashSet;

use catalog_archive::{Budget, pack_entries};
use catalog_ontology::manifest::MANIFEST;
use catalog_ontology::record::Record;
use catalog_ontology::terms::{Datatype, Table, Visibility};

/// What holds the hashes of the archive as it was published, which the public one has not.
const SUMS: [&str; 2] = ["SHA256SUMS", "SHA256SUMS.sig"];

/// The folder of the image's recipe and reference, which are private terms (TERMS, part 3).
const IMAGE: &str = "image/";

/// Files that describe the same record in other words, from which private terms could be read back.
const OTHER_WORDS: [&str; 2] = ["codemeta.json", "ro-crate-metadata.json"];

/// Says whether a record says anything that is not for everybody.
pub fn has_private(record: &Record) -> bool {
    record.document() != record.public_document()
}

/// Makes the public package of an archive; blocking.
///
/// # Errors
///
/// When the archive cannot be read, which it could when it was published.
pub fn public_package(archive: &[u8], record: &Record) -> Result<Vec<u8>, String> {
    let package = catalog_archive::open(archive, &Budget::default())
        .map_err(|findings| findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; "))?;
    let private: HashSet<&str> = Table::get()
        .of(record.kind())
        .filter(|term| term.datatype == Datatype::File && term.visibility == Visibility::Private)
        .flat_map(|term| record.strings(&term.key))
        .collect();
    let mut files = Vec::with_capacity(package.entries.len());
    for entry in &package.entries {
        let path = entry.path.as_str();
        if path == MANIFEST {
            let mut manifest = record.public_document();
            manifest["@context"] = serde_json::json!(catalog_schemas::CONTEXT);
            let text = serde_json::to_string_pretty(&manifest).map_err(|error| error.to_string())?;
            files.push((path.to_owned(), (text + "\n").into_bytes()));
            continue;
        }
        let left_out =
            private.contains(path) || SUMS.contains(&path) || OTHER_WORDS.contains(&path) || path.starts_with(IMAGE);
        if !left_out {
            let contents = package.read(archive, path).map_err(|error| error.to_string())?.unwrap_or_default();
            files.push((path.to_owned(), contents));
        }
    }
    pack_entries(files, package.format).map_err(|error| error.to_string())
}
