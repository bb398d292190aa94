//! DataCite metadata, schema 4: one set of facts, written as XML and as JSON.

use catalog_ontology::terms::Kind;
use serde_json::{Map, Value, json};

use crate::described::{Agent, Described, doi_of};
use crate::names;
use crate::xml::Xml;

/// The profile's IRI, which is the schema's namespace.
pub const PROFILE: &str = "http://datacite.org/schema/kernel-4";

/// Where the schema is.
pub const SCHEMA: &str = "https://schema.datacite.org/meta/kernel-4/metadata.xsd";

/// Returns the identifier with its type: a DOI where the record has one, else the record's own address.
fn identifier(described: &Described) -> (String, &'static str) {
    described.doi().map_or_else(|| (described.iri(), "URL"), |doi| (doi.to_owned(), "DOI"))
}

/// Returns the general and the exact type.
fn resource_type(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Datalab => ("Software", "Datalab"),
        Kind::Pipeline => ("Workflow", "Pipeline"),
        Kind::Dataset => ("Dataset", "Dataset"),
        Kind::DataVolume => ("Collection", "Data volume"),
        Kind::Software => ("Software", "Software"),
        Kind::DataService => ("Service", "Data service"),
        _ => ("Service", "Datazone"),
    }
}

/// A related thing: its identifier, the type of that, the relation.
fn related(described: &Described) -> Vec<(String, &'static str, &'static str)> {
    let record = described.record();
    let mut related = Vec::new();
    let mut add = |text: &str, relation: &'static str| {
        if let Some(doi) = doi_of(text) {
            related.push((doi.to_owned(), "DOI", relation));
        } else if text.contains("://") {
            related.push((text.to_owned(), "URL", relation));
        }
    };
    record.strings("citation").into_iter().for_each(|text| add(text, "IsDescribedBy"));
    record.strings("softwareHelp").into_iter().for_each(|text| add(text, "IsDocumentedBy"));
    record.strings("landingPage").into_iter().for_each(|text| add(text, "IsDescribedBy"));
    record.strings("codeRepository").into_iter().for_each(|text| add(text, "IsDerivedFrom"));
    record.strings("relation").into_iter().for_each(|text| add(text, "References"));
    record.strings("dataset").into_iter().for_each(|text| add(text, "Requires"));
    record.strings("wasDerivedFrom").into_iter().for_each(|text| add(text, "IsDerivedFrom"));
    record.strings("replacedBy").into_iter().for_each(|text| add(text, "IsObsoletedBy"));
    if described.ledger().pinned.is_some() {
        add(&described.record_iri(), "IsVersionOf");
    }
    add(&format!("{}.ttl", described.address()), "HasMetadata");
    related
}

/// A date with its type.
fn dates(described: &Described) -> Vec<(String, &'static str)> {
    let mut dates = vec![(described.issued_day(), "Issued"), (described.modified(), "Updated")];
    for period in described.record().nodes("temporal") {
        let day = |key| period.text(key).unwrap_or_default();
        dates.push((format!("{}/{}", day("startDate"), day("endDate")), "Collected"));
    }
    dates
}

/// The identifier of an agent: its name, the scheme, the scheme's address.
fn agent_identifier(agent: &Agent) -> Option<(&str, &'static str, &'static str)> {
    let iri = agent.iri.as_deref()?;
    if iri.contains("orcid.org/") {
        Some((iri, "ORCID", "https://orcid.org"))
    } else if iri.contains("ror.org/") {
        Some((iri, "ROR", "https://ror.org"))
    } else {
        None
    }
}

fn name_type(agent: &Agent) -> &'static str {
    if agent.is_person { "Personal" } else { "Organizational" }
}

/// Returns the `resource` element, with or without a declaration in front.
pub fn xml(described: &Described, as_document: bool) -> String {
    let mut xml = if as_document { Xml::document() } else { Xml::fragment() };
    let location = format!("{PROFILE} {SCHEMA}");
    xml.open(
        "resource",
        &[
            ("xmlns", PROFILE),
            ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            ("xsi:schemaLocation", &location),
        ],
    );
    let (id, id_type) = identifier(described);
    xml.leaf("identifier", &[("identifierType", id_type)], &id);
    xml.open("creators", &[]);
    for creator in described.creators() {
        xml.open("creator", &[]).leaf("creatorName", &[("nameType", name_type(&creator))], &name_of(&creator));
        if let Some((family, given)) = names::split(&creator) {
            xml.leaf("givenName", &[], given).leaf("familyName", &[], family);
        }
        if let Some((id, scheme, address)) = agent_identifier(&creator) {
            xml.leaf("nameIdentifier", &[("nameIdentifierScheme", scheme), ("schemeURI", address)], id);
        }
        if let Some(affiliation) = &creator.affiliation {
            xml.leaf("affiliation", &[], affiliation);
        }
        xml.close();
    }
    xml.close().open("titles", &[]);
    for (language, title) in described.names() {
        leaf_in(&mut xml, "title", language, &[], title);
    }
    xml.close().leaf("publisher", &[], &described.publisher().name);
    xml.leaf("publicationYear", &[], &described.year());
    let (general, exact) = resource_type(described.kind());
    xml.leaf("resourceType", &[("resourceTypeGeneral", general)], exact);
    lists(&mut xml, described);
    xml.finish()
}

/// Writes what may be absent, in the order of the schema.
fn lists(xml: &mut Xml, described: &Described) {
    let subjects = described.subjects();
    if !subjects.is_empty() || !described.keywords().is_empty() {
        xml.open("subjects", &[]);
        for concept in subjects {
            xml.leaf(
                "subject",
                &[("valueURI", &concept.iri), ("subjectScheme", "ESADO"), ("xml:lang", "en")],
                &concept.label,
            );
        }
        for (language, word) in described.keywords() {
            leaf_in(xml, "subject", language, &[], word);
        }
        xml.close();
    }
    xml.open("dates", &[]);
    for (date, kind) in dates(described) {
        xml.leaf("date", &[("dateType", kind)], &date);
    }
    xml.close().leaf("language", &[], "en");
    xml.open("alternateIdentifiers", &[]);
    xml.leaf("alternateIdentifier", &[("alternateIdentifierType", "Alidade")], described.identifier()).close();
    xml.open("relatedIdentifiers", &[]);
    for (id, kind, relation) in related(described) {
        xml.leaf("relatedIdentifier", &[("relatedIdentifierType", kind), ("relationType", relation)], &id);
    }
    xml.close();
    if let Some(package) = described.ledger().package.as_ref().filter(|_| described.is_software()) {
        xml.open("sizes", &[]).leaf("size", &[], &format!("{} B", package.size)).close();
    }
    let formats = described.record().strings("associatedFileType");
    if !formats.is_empty() {
        xml.open("formats", &[]);
        for format in formats {
            xml.leaf("format", &[], format);
        }
        xml.close();
    }
    if let Some(version) = described.version() {
        xml.leaf("version", &[], version);
    }
    if let Some(licence) = described.licence() {
        xml.open("rightsList", &[]);
        match described.spdx() {
            Some(id) => xml.leaf(
                "rights",
                &[
                    ("rightsURI", licence),
                    ("rightsIdentifier", id),
                    ("rightsIdentifierScheme", "SPDX"),
                    ("schemeURI", "https://spdx.org/licenses/"),
                ],
                id,
            ),
            None => xml.leaf("rights", &[("rightsURI", licence)], licence),
        };
        xml.close();
    }
    xml.open("descriptions", &[]);
    for (language, text) in described.summaries() {
        leaf_in(xml, "description", language, &[("descriptionType", "Abstract")], text);
    }
    if let Some(text) = described.description() {
        leaf_in(xml, "description", "en", &[("descriptionType", "TechnicalInfo")], text);
    }
    xml.close();
    let places: Vec<&str> =
        described.record().nodes("spatial").into_iter().filter_map(|place| place.text("name")).collect();
    if !places.is_empty() {
        xml.open("geoLocations", &[]);
        for place in places {
            xml.open("geoLocation", &[]).leaf("geoLocationPlace", &[], place).close();
        }
        xml.close();
    }
}

fn leaf_in(xml: &mut Xml, name: &str, language: &str, attributes: &[(&str, &str)], text: &str) {
    let mut all = attributes.to_vec();
    if !language.is_empty() {
        all.push(("xml:lang", language));
    }
    xml.leaf(name, &all, text);
}

fn name_of(agent: &Agent) -> String {
    names::split(agent).map_or_else(|| agent.name.clone(), |(family, given)| format!("{family}, {given}"))
}

/// Returns the JSON of DataCite's own API.
pub fn json(described: &Described) -> Value {
    let (general, exact) = resource_type(described.kind());
    let tagged = |key: &str, language: &str, text: &str| {
        let mut node = Map::new();
        node.insert(key.to_owned(), json!(text));
        if !language.is_empty() {
            node.insert("lang".to_owned(), json!(language));
        }
        node
    };
    let mut subjects: Vec<Value> = described
        .subjects()
        .into_iter()
        .map(|concept| json!({ "subject": concept.label, "subjectScheme": "ESADO", "valueUri": concept.iri, "lang": "en" }))
        .collect();
    subjects.extend(
        described.keywords().into_iter().map(|(language, word)| Value::Object(tagged("subject", language, word))),
    );
    let mut descriptions: Vec<Value> = Vec::new();
    for (language, text) in described.summaries() {
        let mut node = tagged("description", language, text);
        node.insert("descriptionType".to_owned(), json!("Abstract"));
        descriptions.push(Value::Object(node));
    }
    if let Some(text) = described.description() {
        descriptions.push(json!({ "description": text, "descriptionType": "TechnicalInfo", "lang": "en" }));
    }
    let mut document = json!({
        "schemaVersion": PROFILE,
        "creators": described.creators().iter().map(creator).collect::<Vec<_>>(),
        "titles": described.names().into_iter().map(|(language, text)| tagged("title", language, text)).collect::<Vec<_>>(),
        "publisher": { "name": described.publisher().name },
        "publicationYear": described.year(),
        "types": { "resourceTypeGeneral": general, "resourceType": exact },
        "subjects": subjects,
        "dates": dates(described).into_iter().map(|(date, kind)| json!({ "date": date, "dateType": kind })).collect::<Vec<_>>(),
        "language": "en",
        "alternateIdentifiers": [
            { "alternateIdentifier": described.iri(), "alternateIdentifierType": "URL" },
            { "alternateIdentifier": described.identifier(), "alternateIdentifierType": "Alidade" },
        ],
        "relatedIdentifiers": related(described).into_iter().map(|(id, kind, relation)| json!({ "relatedIdentifier": id, "relatedIdentifierType": kind, "relationType": relation })).collect::<Vec<_>>(),
        "formats": described.record().strings("associatedFileType"),
        "descriptions": descriptions,
    });
    let Some(object) = document.as_object_mut() else { return document };
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    if let Some(doi) = described.doi() {
        put("doi", json!(doi));
    }
    put("url", json!(described.page()));
    if let Some(version) = described.version() {
        put("version", json!(version));
    }
    if let Some(package) = described.ledger().package.as_ref().filter(|_| described.is_software()) {
        put("sizes", json!([format!("{} B", package.size)]));
    }
    if let Some(licence) = described.licence() {
        let id = described.spdx().unwrap_or(licence);
        put(
            "rightsList",
            json!([{ "rights": id, "rightsUri": licence, "rightsIdentifier": id, "rightsIdentifierScheme": "SPDX", "schemeUri": "https://spdx.org/licenses/" }]),
        );
    }
    document
}

fn creator(agent: &Agent) -> Value {
    let mut node = Map::new();
    node.insert("name".to_owned(), json!(name_of(agent)));
    node.insert("nameType".to_owned(), json!(name_type(agent)));
    if let Some((family, given)) = names::split(agent) {
        node.insert("givenName".to_owned(), json!(given));
        node.insert("familyName".to_owned(), json!(family));
    }
    if let Some((id, scheme, address)) = agent_identifier(agent) {
        let id = json!([{ "nameIdentifier": id, "nameIdentifierScheme": scheme, "schemeUri": address }]);
        node.insert("nameIdentifiers".to_owned(), id);
    }
    if let Some(affiliation) = &agent.affiliation {
        node.insert("affiliation".to_owned(), json!([{ "name": affiliation }]));
    }
    Value::Object(node)
}
