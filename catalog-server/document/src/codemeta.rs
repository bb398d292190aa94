//! CodeMeta 3: `codemeta.json` of a datalab or pipeline.

use serde_json::{Value, json};

use crate::described::Described;
use crate::schema_org;

/// The profile's IRI, which is its context.
pub const PROFILE: &str = "https://w3id.org/codemeta/3.0";

/// Returns the document.
pub fn document(described: &Described) -> Value {
    let record = described.record();
    let mut node = serde_json::Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() && value.as_array().is_none_or(|values| !values.is_empty()) {
            node.insert(key.to_owned(), value);
        }
    };
    put("@context", json!(PROFILE));
    let kind = if described.is_software() { "SoftwareSourceCode" } else { schema_org::class(described.kind()) };
    put("type", json!(kind));
    put("id", json!(described.iri()));
    put("identifier", json!(described.iri()));
    put("name", json!(described.name()));
    put("description", json!(described.summary()));
    put("version", json!(described.version()));
    put("softwareVersion", json!(described.version()));
    put("datePublished", json!(described.issued_day()));
    put("dateModified", json!(described.modified().chars().take(10).collect::<String>()));
    put("license", json!(described.licence()));
    put("author", described.creators().iter().map(agent).collect());
    put("maintainer", described.agents("maintainer").iter().map(agent).collect());
    put("publisher", agent(&described.publisher()));
    put("keywords", described.keywords().into_iter().map(|(_, word)| word).collect());
    put("codeRepository", json!(record.string("codeRepository")));
    put("programmingLanguage", record.strings("programmingLanguage").into_iter().collect());
    put("runtimePlatform", record.strings("runtimePlatform").into_iter().collect());
    put("operatingSystem", record.strings("operatingSystem").into_iter().collect());
    put("softwareRequirements", record.strings("softwareRequirements").into_iter().collect());
    put(
        "softwareHelp",
        record.strings("softwareHelp").into_iter().map(|url| json!({ "type": "CreativeWork", "url": url })).collect(),
    );
    put("applicationCategory", record.strings("applicationCategory").into_iter().collect());
    put(
        "developmentStatus",
        json!(record.string("developmentStatus").map(|word| word.rsplit('#').next().unwrap_or(word))),
    );
    put("releaseNotes", json!(record.text("releaseNotes", "en")));
    put(
        "referencePublication",
        record.strings("citation").into_iter().map(|text| json!({ "type": "ScholarlyArticle", "id": text })).collect(),
    );
    put("downloadUrl", json!(described.package_url()));
    put("url", json!(described.page()));
    Value::Object(node)
}

fn agent(agent: &crate::Agent) -> Value {
    let mut node = serde_json::Map::new();
    node.insert("type".to_owned(), json!(if agent.is_person { "Person" } else { "Organization" }));
    if let Some(iri) = &agent.iri {
        node.insert("id".to_owned(), json!(iri));
    }
    match crate::names::split(agent) {
        Some((family, given)) => {
            node.insert("givenName".to_owned(), json!(given));
            node.insert("familyName".to_owned(), json!(family));
        }
        None => {
            node.insert("name".to_owned(), json!(agent.name));
        }
    }
    if let Some(affiliation) = &agent.affiliation {
        node.insert("affiliation".to_owned(), json!({ "type": "Organization", "name": affiliation }));
    }
    Value::Object(node)
}
