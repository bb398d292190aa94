//! schema.org JSON-LD, as the dataset and software search of search engines read it.

use catalog_ontology::terms::Kind;
use serde_json::{Map, Value, json};

use crate::described::{Agent, Described};

/// The profile's IRI.
pub const PROFILE: &str = "https://schema.org/";

/// The longest description that dataset search takes (Google: 50 to 5,000 characters).
const LONGEST: usize = 5000;

/// Returns the JSON-LD document.
pub fn document(described: &Described) -> Value {
    let mut node = Map::new();
    node.insert("@context".to_owned(), json!("https://schema.org/"));
    node.extend(inside(described));
    Value::Object(node)
}

/// Returns the class of schema.org that a record is of.
pub fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Datalab | Kind::Software => "SoftwareApplication",
        Kind::Pipeline => "SoftwareSourceCode",
        Kind::Datazone | Kind::DataService => "Service",
        _ => "Dataset",
    }
}

/// Returns the node without its context.
pub fn inside(described: &Described) -> Map<String, Value> {
    let record = described.record();
    let kind = class(described.kind());
    let mut node = Map::new();
    let mut put = |key: &str, value: Value| {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty {
            node.insert(key.to_owned(), value);
        }
    };
    put("@type", json!(kind));
    put("@id", json!(described.iri()));
    put("url", json!(described.page()));
    put("identifier", identifiers(described));
    put("name", json!(described.name()));
    put("alternateName", json!(record.string("alternateName")));
    put("abstract", json!(described.summary()));
    put(
        "description",
        json!(described.description().unwrap_or_else(|| described.summary()).chars().take(LONGEST).collect::<String>()),
    );
    put(if kind == "SoftwareApplication" { "softwareVersion" } else { "version" }, json!(described.version()));
    put("datePublished", json!(described.issued_day()));
    put("dateModified", json!(described.modified()));
    put("keywords", described.keywords().into_iter().map(|(_, word)| word).collect());
    put(
        "about",
        described
            .subjects()
            .into_iter()
            .map(|concept| json!({ "@type": "DefinedTerm", "@id": concept.iri, "name": concept.label }))
            .collect(),
    );
    put("citation", record.strings("citation").into_iter().collect());
    put("license", json!(described.licence()));
    put(if kind == "Dataset" { "creator" } else { "author" }, described.creators().iter().map(agent).collect());
    put("publisher", agent(&described.publisher()));
    // What is restricted may cost more than a request.
    let is_restricted = record
        .strings("accessRights")
        .iter()
        .any(|rights| !rights.ends_with("PUBLIC") || rights.ends_with("NON_PUBLIC"));
    put("isAccessibleForFree", if is_restricted { Value::Null } else { json!(true) });
    put("inLanguage", json!("en"));
    put("includedInDataCatalog", if kind == "Dataset" { catalogue(described) } else { Value::Null });
    put("sameAs", described.doi().map_or(Value::Null, |doi| json!(format!("https://doi.org/{doi}"))));
    match kind {
        "SoftwareApplication" => application(described, &mut put),
        "SoftwareSourceCode" => source_code(described, &mut put),
        "Dataset" => dataset(described, &mut put),
        _ => {}
    }
    node
}

/// Returns an agent as schema.org writes it.
pub fn agent(agent: &Agent) -> Value {
    let mut node = Map::new();
    node.insert("@type".to_owned(), json!(if agent.is_person { "Person" } else { "Organization" }));
    if let Some(iri) = &agent.iri {
        node.insert("@id".to_owned(), json!(iri));
    }
    node.insert("name".to_owned(), json!(agent.name));
    if let Some(url) = &agent.url {
        node.insert("url".to_owned(), json!(url));
    }
    if let Some(affiliation) = &agent.affiliation {
        node.insert("affiliation".to_owned(), json!({ "@type": "Organization", "name": affiliation }));
    }
    Value::Object(node)
}

fn identifiers(described: &Described) -> Value {
    let own = json!(described.record_iri());
    let others = described.record().nodes("otherIdentifier").into_iter().filter_map(|node| {
        let mut value = json!({ "@type": "PropertyValue", "value": node.text("value")? });
        if let (Some(object), Some(scheme)) = (value.as_object_mut(), node.text("scheme")) {
            object.insert("propertyID".to_owned(), json!(scheme));
        }
        Some(value)
    });
    let mut all: Vec<Value> = others.collect();
    if all.is_empty() {
        return own;
    }
    all.insert(0, own);
    Value::Array(all)
}

fn catalogue(described: &Described) -> Value {
    let base = described.base();
    json!({ "@type": "DataCatalog", "@id": format!("{base}/catalog"), "name": "Alidade", "url": format!("{base}/") })
}

fn application(described: &Described, put: &mut impl FnMut(&str, Value)) {
    let record = described.record();
    let category = record.string("applicationCategory").unwrap_or("ScienceApplication");
    put("applicationCategory", json!(category));
    put("applicationSubCategory", record.strings("applicationSubCategory").into_iter().collect());
    put("operatingSystem", json!(record.strings("operatingSystem").first().unwrap_or(&"Any, in a web browser")));
    put("featureList", record.texts("featureList").into_iter().map(|(_, text)| text).collect());
    put(
        "softwareHelp",
        record.strings("softwareHelp").into_iter().map(|url| json!({ "@type": "CreativeWork", "url": url })).collect(),
    );
    put("softwareRequirements", record.strings("softwareRequirements").into_iter().collect());
    put("downloadUrl", json!(described.package_url()));
    put(
        "audience",
        record
            .strings("audienceType")
            .into_iter()
            .map(|kind| json!({ "@type": "Audience", "audienceType": kind }))
            .collect(),
    );
    if let Some(memory) = record.integer("needs.memory.min") {
        put("memoryRequirements", json!(format!("{memory} MiB")));
    }
    if let Some(cpu) = record.needs().cpu {
        put("processorRequirements", json!(format!("{} CPU", cpu.min)));
    }
    // Price and currency, without which search engines show no software.
    put("offers", json!({ "@type": "Offer", "price": 0, "priceCurrency": "EUR" }));
}

fn source_code(described: &Described, put: &mut impl FnMut(&str, Value)) {
    let record = described.record();
    put("codeRepository", json!(record.string("codeRepository")));
    let languages = record.strings("programmingLanguage");
    put(
        "programmingLanguage",
        if languages.is_empty() { json!("Common Workflow Language") } else { languages.into_iter().collect() },
    );
    put("runtimePlatform", record.strings("runner").into_iter().collect());
    put(
        "encoding",
        described.package_url().map_or(Value::Null, |url| json!({ "@type": "MediaObject", "contentUrl": url })),
    );
}

fn dataset(described: &Described, put: &mut impl FnMut(&str, Value)) {
    let record = described.record();
    let periods = record.nodes("temporal").into_iter().map(|period| {
        format!("{}/{}", period.text("startDate").unwrap_or(".."), period.text("endDate").unwrap_or(".."))
    });
    put("temporalCoverage", periods.collect());
    put(
        "spatialCoverage",
        record
            .nodes("spatial")
            .into_iter()
            .filter_map(|place| Some(json!({ "@type": "Place", "name": place.text("name")? })))
            .collect(),
    );
    let mut downloads: Vec<Value> = record
        .nodes("distribution")
        .into_iter()
        .filter_map(|node| {
            let url = node.text("downloadURL").or_else(|| node.text("accessURL"))?;
            let mut download = json!({ "@type": "DataDownload", "contentUrl": url });
            if let (Some(object), Some(media_type)) = (download.as_object_mut(), node.text("mediaType")) {
                let media_type = media_type.rsplit("media-types/").next().unwrap_or(media_type);
                object.insert("encodingFormat".to_owned(), json!(media_type));
            }
            Some(download)
        })
        .collect();
    downloads.extend(record.nodes("accessService").into_iter().filter_map(|service| {
        Some(json!({ "@type": "DataDownload", "contentUrl": service.text("endpointURL")?, "name": service.text("title").unwrap_or("Service") }))
    }));
    downloads.extend(described.package_url().map(|url| json!({ "@type": "DataDownload", "contentUrl": url })));
    put("distribution", Value::Array(downloads));
}
