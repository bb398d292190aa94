//! Making what is published.

use bytes::Bytes;
use catalog_archive::{Format, pack_entries};
use serde_json::{Value, json};

/// Returns the manifest of a small datalab that any demonstration zone can run.
pub fn datalab(identifier: &str, version: &str) -> Value {
    let short = identifier.rsplit('.').next().unwrap_or(identifier);
    json!({
        "@context": "https://w3id.org/esado/context/v1",
        "@type": "Datalab",
        "identifier": identifier,
        "name": { "en": format!("The lab {short}") },
        "alternateName": short,
        "abstract": { "en": "A small lab that the tests publish, find and start, and that nobody else needs." },
        "softwareVersion": version,
        "interfaceType": "web",
        "license": "https://spdx.org/licenses/Apache-2.0",
        "keyword": { "en": ["test"] },
        "domain": ["space-science"],
        "property": ["AnalysisTool"],
        "author": [{ "name": "Somebody" }],
        "needs": { "cpu": { "min": 1 }, "memory": { "min": 512 }, "gpu": { "count": 0 } }
    })
}

/// Packs a manifest alone.
pub fn package(manifest: &Value) -> Bytes {
    package_with(manifest, &[])
}

/// Packs a manifest with other files.
///
/// # Panics
///
/// When the archive crate refuses what a test wants to send; such archives are that crate's own tests.
pub fn package_with(manifest: &Value, files: &[(&str, &str)]) -> Bytes {
    let text = serde_json::to_string_pretty(manifest).expect("a JSON value can be written");
    let mut entries = vec![("manifest.jsonld".to_owned(), text.into_bytes())];
    entries.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    pack_entries(entries, Format::TarGz).expect("the archive crate packs what a test sends").into()
}
