//! GA4GH Tool Registry Service 2: datalabs and pipelines as tools.

use catalog_ontology::terms::Kind;
use serde_json::{Value, json};

use crate::described::Described;

/// A tool's classes.
pub const CLASSES: [(&str, &str, &str); 2] = [
    ("Datalab", "Datalab", "An application or environment that is started where the data is"),
    ("Pipeline", "Workflow", "A workflow in the Common Workflow Language"),
];

/// What the service is.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// The base of this catalogue.
    pub base: &'a str,
    /// The name of the zone that runs it.
    pub zone: &'a str,
    /// The version of the server.
    pub version: &'a str,
}

/// Returns the description of the service.
pub fn service(service: &Service<'_>) -> Value {
    let host = service.base.split_once("://").map_or(service.base, |(_, rest)| rest);
    let host = host.split([':', '/']).next().unwrap_or(host);
    let id = host.split('.').rev().collect::<Vec<_>>().join(".");
    json!({
        "id": format!("{id}.alidade.trs"), "name": format!("Alidade of {}", service.zone),
        "type": { "group": "org.ga4gh", "artifact": "trs", "version": "2.0.1" },
        "description": "Datalabs and pipelines of the catalogue.",
        "organization": { "name": service.zone, "url": format!("{}/", service.base) },
        "documentationUrl": format!("{}/api/docs", service.base), "version": service.version,
    })
}

/// Stands between zone and identifier in a tool's id: neither can hold it, and no client has to escape it.
pub const JOINT: char = '~';

/// Returns the id of a tool: the zone and the identifier.
pub fn id(described: &Described) -> String {
    format!("{}{JOINT}{}", described.ledger().zone, described.identifier())
}

/// Returns a tool with its versions, which are given as descriptions of each.
pub fn tool(described: &Described, versions: &[Value]) -> Value {
    json!({
        "url": url(described), "id": id(described), "aliases": [described.record_iri()],
        "organization": described.publisher().name, "name": described.name(), "description": described.summary(),
        "toolclass": class(described.kind()), "meta_version": described.ledger().seq.to_string(),
        "has_checker": false, "checker_url": "", "versions": versions,
    })
}

/// Returns a version of a tool.
pub fn version(described: &Described) -> Value {
    let version = described.version().unwrap_or("1");
    let is_pipeline = described.kind() == Kind::Pipeline;
    let digest = described.record().string("datalabImage.digest").and_then(|digest| digest.split_once(':'));
    let images: Vec<Value> = digest
        .into_iter()
        .map(|(kind, value)| json!({ "image_type": "Docker", "checksum": [{ "type": kind, "checksum": value }] }))
        .collect();
    json!({
        "url": format!("{}/versions/{version}", url(described)), "id": version,
        "name": version, "author": described.creators().into_iter().map(|agent| agent.name).collect::<Vec<_>>(),
        "is_production": true, "images": images, "meta_version": described.ledger().seq.to_string(),
        "descriptor_type": if is_pipeline { vec!["CWL"] } else { Vec::new() },
        "containerfile": false, "verified": described.record().is_official(), "signed": false,
        "included_apps": [],
    })
}

/// Returns a class as the service lists it.
pub fn class(kind: Kind) -> Value {
    let (id, name, description) = CLASSES[usize::from(kind == Kind::Pipeline)];
    json!({ "id": id, "name": name, "description": description })
}

fn url(described: &Described) -> String {
    format!("{}/ga4gh/trs/v2/tools/{}", described.base(), id(described))
}
