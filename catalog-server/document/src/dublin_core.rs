//! Simple Dublin Core in the `oai_dc` container.

use crate::described::Described;
use crate::schema_org;
use crate::xml::Xml;

/// The container's namespace.
pub const NAMESPACE: &str = "http://www.openarchives.org/OAI/2.0/oai_dc/";

/// Where the container's schema is.
pub const SCHEMA: &str = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd";

/// Returns the `oai_dc:dc` element.
pub fn xml(described: &Described) -> String {
    let mut xml = Xml::fragment();
    let location = format!("{NAMESPACE} {SCHEMA}");
    xml.open(
        "oai_dc:dc",
        &[
            ("xmlns:oai_dc", NAMESPACE),
            ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
            ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            ("xsi:schemaLocation", &location),
        ],
    );
    let mut say = |name: &str, language: &str, text: &str| {
        let language = [("xml:lang", language)];
        xml.leaf(name, if language[0].1.is_empty() { &[] } else { &language }, text);
    };
    described.names().into_iter().for_each(|(language, text)| say("dc:title", language, text));
    described.creators().iter().for_each(|agent| say("dc:creator", "", &agent.name));
    described.subjects().iter().for_each(|concept| say("dc:subject", "en", &concept.label));
    described.keywords().into_iter().for_each(|(language, text)| say("dc:subject", language, text));
    described.summaries().into_iter().for_each(|(language, text)| say("dc:description", language, text));
    say("dc:publisher", "", &described.publisher().name);
    say("dc:date", "", &described.issued_day());
    say("dc:type", "", schema_org::class(described.kind()));
    say("dc:type", "", described.kind().as_str());
    described.record().strings("associatedFileType").into_iter().for_each(|text| say("dc:format", "", text));
    say("dc:identifier", "", &described.record_iri());
    if let Some(doi) = described.doi() {
        say("dc:identifier", "", &format!("https://doi.org/{doi}"));
    }
    say("dc:language", "", "en");
    described.record().strings("citation").into_iter().for_each(|text| say("dc:relation", "", text));
    if let Some(licence) = described.licence() {
        say("dc:rights", "", licence);
    }
    xml.finish()
}
