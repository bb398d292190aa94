//! RO-Crate 1.1: the metadata file of a crate that holds the record's package.

use serde_json::{Map, Value, json};

use crate::described::{Agent, Described};
use crate::schema_org;

/// The profile's IRI.
pub const PROFILE: &str = "https://w3id.org/ro/crate/1.1";

const CONTEXT: &str = "https://w3id.org/ro/crate/1.1/context";

/// Returns `ro-crate-metadata.json`.
///
/// The graph is flat, as the specification asks: every agent, licence and file is a node of its own.
pub fn document(described: &Described) -> Value {
    let mut graph = vec![json!({
        "@id": "ro-crate-metadata.json", "@type": "CreativeWork",
        "about": { "@id": "./" }, "conformsTo": { "@id": PROFILE },
    })];
    let iri = described.iri();
    let mut more: Vec<Value> = Vec::new();
    let creators: Vec<Value> =
        described.creators().iter().enumerate().map(|(n, agent)| linked(&mut more, agent, "author", n)).collect();
    let publisher = linked(&mut more, &described.publisher(), "publisher", 0);
    let mut root = Map::new();
    let mut put = |key: &str, value: Value| drop(root.insert(key.to_owned(), value));
    put("@id", json!("./"));
    put("@type", json!("Dataset"));
    put("identifier", json!(iri));
    put("url", json!(described.page()));
    put("name", json!(described.name()));
    put("description", json!(described.summary()));
    put("datePublished", json!(described.issued_day()));
    put("dateModified", json!(described.modified()));
    put("author", json!(creators));
    put("publisher", publisher);
    put("keywords", json!(described.keywords().into_iter().map(|(_, word)| word).collect::<Vec<_>>()));
    put("mainEntity", json!({ "@id": iri }));
    put("hasPart", parts(&mut more, described));
    if let Some(licence) = described.licence() {
        put("license", json!({ "@id": licence }));
        more.push(json!({ "@id": licence, "@type": "CreativeWork", "name": described.spdx().unwrap_or(licence), "url": licence }));
    }
    graph.push(Value::Object(root));
    graph.push(entity(described));
    graph.extend(more);
    json!({ "@context": CONTEXT, "@graph": graph })
}

/// The record itself: as in schema.org, with its nodes linked and not nested.
fn entity(described: &Described) -> Value {
    let class = schema_org::class(described.kind());
    let mut entity = json!({
        "@id": described.iri(), "@type": class, "name": described.name(), "description": described.summary(),
        "url": described.page(), "dateModified": described.modified(),
    });
    if let (Some(object), Some(version)) = (entity.as_object_mut(), described.version()) {
        object.insert(
            if class == "SoftwareApplication" { "softwareVersion" } else { "version" }.to_owned(),
            json!(version),
        );
        if class == "SoftwareSourceCode" {
            object.insert("@type".to_owned(), json!(["SoftwareSourceCode", "ComputationalWorkflow"]));
            object.insert(
                "programmingLanguage".to_owned(),
                json!({ "@id": "https://w3id.org/workflowhub/workflow-ro-crate#cwl" }),
            );
        }
    }
    entity
}

fn parts(more: &mut Vec<Value>, described: &Described) -> Value {
    let mut parts = Vec::new();
    if let (Some(url), Some(package)) = (described.package_url(), &described.ledger().package) {
        parts.push(json!({ "@id": url }));
        more.push(json!({
            "@id": url, "@type": "File", "name": "package", "contentSize": package.size.to_string(),
            "encodingFormat": package.media_type.unwrap_or("application/octet-stream"), "sha256": package.digest,
        }));
    }
    if schema_org::class(described.kind()) == "SoftwareSourceCode" {
        more.push(json!({
            "@id": "https://w3id.org/workflowhub/workflow-ro-crate#cwl", "@type": "ComputerLanguage",
            "name": "Common Workflow Language", "url": { "@id": "https://www.commonwl.org/" },
        }));
    }
    for node in described.record().nodes("distribution") {
        let Some(url) = node.text("downloadURL") else { continue };
        parts.push(json!({ "@id": url }));
        more.push(json!({ "@id": url, "@type": "File", "name": node.text("title").unwrap_or(url) }));
    }
    Value::Array(parts)
}

fn linked(more: &mut Vec<Value>, agent: &Agent, role: &str, number: usize) -> Value {
    let id = agent.iri.clone().unwrap_or_else(|| format!("#{role}-{}", number + 1));
    let kind = if agent.is_person { "Person" } else { "Organization" };
    let mut node = json!({ "@id": id, "@type": kind, "name": agent.name });
    if let (Some(object), Some(affiliation)) = (node.as_object_mut(), &agent.affiliation) {
        let organisation = format!("#{role}-{}-affiliation", number + 1);
        object.insert("affiliation".to_owned(), json!({ "@id": organisation }));
        more.push(json!({ "@id": organisation, "@type": "Organization", "name": affiliation }));
    }
    if more.iter().all(|known| known["@id"] != node["@id"]) {
        more.push(node);
    }
    json!({ "@id": id })
}
