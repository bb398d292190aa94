//! DCAT 3 under the rules of DCAT-AP 3.0: a record, its entry in the catalogue, and the catalogue itself.
//!
//! DCAT-AP asks that whatever a property leads to says its class, so every node of another vocabulary is typed here.
//! A dataset is a `dcat:Dataset`; software is no dataset, so it stays a `dcat:Resource` of the catalogue.

use catalog_ontology::record::Fields;
use catalog_ontology::scheme::{Concept, Scheme};
use catalog_ontology::terms::Kind;
use oxrdf::Triple;

use crate::described::{Agent, Described};
use crate::statements::namespace::{ADMS, DCAT, DCTERMS, FOAF, LOCN, PROV, RDFS, SDO, SKOS, SPDX, VCARD};
use crate::statements::{Statements, term};

/// The profile that these documents conform to.
pub const PROFILE: &str = "http://data.europa.eu/r5r/";

const THEMES: &str = "http://publications.europa.eu/resource/authority/data-theme/";
const ENGLISH: &str = "http://publications.europa.eu/resource/authority/language/ENG";
const WKT: &str = "http://www.opengis.net/ont/geosparql#wktLiteral";

/// Returns what DCAT-AP can say of a record.
pub fn record(described: &Described) -> Vec<Triple> {
    let mut out = Statements::new();
    let iri = described.iri();
    out.a(&iri, &term(DCAT, "Resource"));
    out.a(&iri, described.kind().iri().as_str());
    match described.kind() {
        Kind::Dataset | Kind::DataVolume => out.a(&iri, &term(DCAT, "Dataset")),
        Kind::Datalab | Kind::Software => out.a(&iri, &term(SDO, "SoftwareApplication")),
        Kind::DataService => out.a(&iri, &term(DCAT, "DataService")),
        Kind::Pipeline => out.a(&iri, &term(SDO, "SoftwareSourceCode")),
        _ => {}
    }
    texts(&mut out, &iri, described);
    people(&mut out, &iri, described);
    subjects(&mut out, &iri, described);
    places_and_times(&mut out, &iri, described);
    if is_dataset(described) {
        distributions(&mut out, &iri, described);
    } else {
        software(&mut out, &iri, described);
    }
    out.into_triples()
}

/// Says whether DCAT-AP has a class for the record.
pub fn is_dataset(described: &Described) -> bool {
    matches!(described.kind(), Kind::Dataset | Kind::DataVolume)
}

/// Returns the entry of a record in the catalogue, and the links between both.
pub fn entry(described: &Described) -> Vec<Triple> {
    let mut out = Statements::new();
    let (base, iri) = (described.base(), described.iri());
    let (catalogue, entry) = (format!("{base}/catalog"), format!("{}#entry", described.address()));
    let member = if is_dataset(described) { "dataset" } else { "resource" };
    out.iri(&catalogue, &term(DCAT, member), &iri);
    out.typed(&catalogue, &term(DCAT, "record"), &entry, &term(DCAT, "CatalogRecord"));
    out.iri(&entry, &term(FOAF, "primaryTopic"), &iri);
    out.time(&entry, &term(DCTERMS, "issued"), &described.issued());
    out.time(&entry, &term(DCTERMS, "modified"), &described.modified());
    out.iri(&entry, &term(PROV, "hadPrimarySource"), &format!("{base}/graph/{}", described.ledger().source));
    out.typed(&entry, &term(DCTERMS, "conformsTo"), PROFILE, &term(DCTERMS, "Standard"));
    out.into_triples()
}

/// What the catalogue says of itself.
#[derive(Debug, Clone)]
pub struct Catalogue<'a> {
    /// The base, without a trailing slash.
    pub base: &'a str,
    /// The name of the zone that runs it.
    pub zone: &'a str,
    /// When its last record changed, RFC 3339.
    pub modified: Option<&'a str>,
}

/// Returns what every page of the catalogue begins with.
pub fn catalogue(about: &Catalogue<'_>) -> Vec<Triple> {
    let mut out = Statements::new();
    let base = about.base;
    let iri = format!("{base}/catalog");
    out.a(&iri, &term(DCAT, "Catalog"));
    let title = format!("Alidade catalogue of {}", about.zone);
    out.tagged(&iri, &term(DCTERMS, "title"), &title, "en");
    let description =
        "Datalabs, datasets, data volumes and pipelines, with what is needed to run them where the data is.";
    out.tagged(&iri, &term(DCTERMS, "description"), description, "en");
    let publisher = format!("{iri}#publisher");
    out.typed(&iri, &term(DCTERMS, "publisher"), &publisher, &term(FOAF, "Agent"));
    out.text(&publisher, &term(FOAF, "name"), about.zone);
    out.typed(&iri, &term(FOAF, "homepage"), &format!("{base}/"), &term(FOAF, "Document"));
    out.typed(&iri, &term(DCTERMS, "language"), ENGLISH, &term(DCTERMS, "LinguisticSystem"));
    if let Some(modified) = about.modified {
        out.time(&iri, &term(DCTERMS, "modified"), modified);
    }
    for scheme in Scheme::all() {
        out.typed(&iri, &term(DCAT, "themeTaxonomy"), &scheme.iri, &term(SKOS, "ConceptScheme"));
        for (language, title) in &scheme.titles {
            out.tagged(&scheme.iri, &term(DCTERMS, "title"), title, language);
        }
    }
    services(&mut out, &iri, base);
    out.into_triples()
}

fn services(out: &mut Statements, catalogue: &str, base: &str) {
    const SERVICES: [(&str, &str, &str); 3] = [
        ("sparql", "SPARQL endpoint", "http://www.w3.org/TR/sparql11-protocol/"),
        ("oai", "OAI-PMH provider", "http://www.openarchives.org/OAI/2.0/"),
        ("api/v1/search", "Search API", "https://spec.openapis.org/oas/v3.1.0"),
    ];
    for (path, title, standard) in SERVICES {
        let service = format!("{catalogue}#{}", path.rsplit('/').next().unwrap_or(path));
        out.typed(catalogue, &term(DCAT, "service"), &service, &term(DCAT, "DataService"));
        out.a(&service, &term(DCAT, "Resource"));
        out.tagged(&service, &term(DCTERMS, "title"), title, "en");
        let endpoint = format!("{base}/{path}");
        out.typed(&service, &term(DCAT, "endpointURL"), &endpoint, &term(RDFS, "Resource"));
        out.typed(&service, &term(DCTERMS, "conformsTo"), standard, &term(DCTERMS, "Standard"));
    }
}

fn texts(out: &mut Statements, iri: &str, described: &Described) {
    for (language, text) in described.names() {
        out.tagged(iri, &term(DCTERMS, "title"), text, language);
    }
    for (language, text) in described.summaries() {
        out.tagged(iri, &term(DCTERMS, "description"), text, language);
    }
    for (language, text) in described.keywords() {
        out.tagged(iri, &term(DCAT, "keyword"), text, language);
    }
    out.text(iri, &term(DCTERMS, "identifier"), &described.record_iri());
    out.time(iri, &term(DCTERMS, "issued"), &described.issued_day());
    out.time(iri, &term(DCTERMS, "modified"), &described.modified());
    if let Some(version) = described.version() {
        out.text(iri, &term(DCAT, "version"), version);
    }
    out.typed(iri, &term(DCAT, "landingPage"), &described.page(), &term(FOAF, "Document"));
    for page in described.record().strings("landingPage").into_iter().chain(described.record().strings("softwareHelp"))
    {
        out.typed(iri, &term(FOAF, "page"), page, &term(FOAF, "Document"));
    }
    if let Some(rights) = described.record().strings("accessRights").first().map(|word| access_right(word)) {
        out.typed(iri, &term(DCTERMS, "accessRights"), &rights, &term(DCTERMS, "RightsStatement"));
    }
    for (number, node) in described.record().nodes("otherIdentifier").into_iter().enumerate() {
        let Some(value) = node.text("value") else { continue };
        let other = format!("{iri}#identifier-{}", number + 1);
        out.typed(iri, &term(ADMS, "identifier"), &other, &term(ADMS, "Identifier"));
        out.text(&other, &term(SKOS, "notation"), value);
    }
    for replacement in described.record().strings("replacedBy") {
        out.iri(iri, &term(DCTERMS, "isReplacedBy"), replacement);
    }
    for relation in described.record().strings("relation") {
        out.iri(iri, &term(DCTERMS, "relation"), relation);
    }
}

fn access_right(word: &str) -> String {
    if word.contains("://") {
        return word.to_owned();
    }
    format!("http://publications.europa.eu/resource/authority/access-right/{word}")
}

fn people(out: &mut Statements, iri: &str, described: &Described) {
    agent(out, iri, "publisher", 1, &described.publisher());
    for (number, creator) in described.creators().iter().enumerate() {
        agent(out, iri, "creator", number + 1, creator);
    }
    for (number, contact) in described.record().nodes("contactPoint").into_iter().enumerate() {
        let node = contact.id().map_or_else(|| format!("{iri}#contact-{}", number + 1), str::to_owned);
        out.typed(iri, &term(DCAT, "contactPoint"), &node, &term(VCARD, "Kind"));
        if let Some(name) = contact.text("name") {
            out.text(&node, &term(VCARD, "fn"), name);
        }
        for (key, property) in [("email", "hasEmail"), ("url", "hasURL")] {
            if let Some(address) = contact.text(key) {
                out.iri(&node, &term(VCARD, property), address);
            }
        }
    }
}

fn agent(out: &mut Statements, iri: &str, role: &str, number: usize, agent: &Agent) {
    let node = agent.iri.clone().unwrap_or_else(|| format!("{iri}#{role}-{number}"));
    out.typed(iri, &term(DCTERMS, role), &node, &term(FOAF, "Agent"));
    out.a(&node, &term(FOAF, if agent.is_person { "Person" } else { "Organization" }));
    out.text(&node, &term(FOAF, "name"), &agent.name);
}

fn subjects(out: &mut Statements, iri: &str, described: &Described) {
    for concept in described.subjects() {
        out.typed(iri, &term(DCAT, "theme"), &concept.iri, &term(SKOS, "Concept"));
        labels(out, concept);
    }
    for domain in described.concepts("domain", "domain") {
        let (theme, label) = match domain.notation.as_str() {
            "earth-observation" => ("ENVI", "Environment"),
            "navigation" => ("TRAN", "Transport"),
            _ => ("TECH", "Science and technology"),
        };
        let theme = format!("{THEMES}{theme}");
        out.typed(iri, &term(DCAT, "theme"), &theme, &term(SKOS, "Concept"));
        out.tagged(&theme, &term(SKOS, "prefLabel"), label, "en");
    }
}

fn labels(out: &mut Statements, concept: &Concept) {
    for (language, label) in &concept.labels {
        out.tagged(&concept.iri, &term(SKOS, "prefLabel"), label, language);
    }
}

fn places_and_times(out: &mut Statements, iri: &str, described: &Described) {
    for (number, period) in described.record().nodes("temporal").into_iter().enumerate() {
        let node = format!("{iri}#period-{}", number + 1);
        out.typed(iri, &term(DCTERMS, "temporal"), &node, &term(DCTERMS, "PeriodOfTime"));
        for key in ["startDate", "endDate"] {
            if let Some(day) = period.text(key) {
                out.time(&node, &term(DCAT, key), day);
            }
        }
    }
    for (number, place) in described.record().nodes("spatial").into_iter().enumerate() {
        let node = place.id().map_or_else(|| format!("{iri}#place-{}", number + 1), str::to_owned);
        out.typed(iri, &term(DCTERMS, "spatial"), &node, &term(DCTERMS, "Location"));
        if let Some(name) = place.text("name") {
            out.text(&node, &term(SKOS, "prefLabel"), name);
        }
        if let Some(bbox) = place.text("bbox") {
            out.literal(&node, &term(DCAT, "bbox"), bbox, WKT);
        }
        if let Some(geometry) = place.text("geometry") {
            out.literal(&node, &term(DCAT, "centroid"), geometry, WKT);
            out.a(&node, &term(LOCN, "Location"));
        }
    }
}

fn software(out: &mut Statements, iri: &str, described: &Described) {
    if let Some(licence) = described.licence() {
        out.typed(iri, &term(DCTERMS, "license"), licence, &term(DCTERMS, "LicenseDocument"));
    }
    if let Some(url) = described.package_url() {
        out.iri(iri, &term(SDO, "downloadUrl"), &url);
    }
    if let Some(repository) = described.record().string("codeRepository") {
        out.iri(iri, &term(SDO, "codeRepository"), repository);
    }
    for dataset in described.record().strings("dataset") {
        out.iri(iri, &term(DCTERMS, "requires"), dataset);
    }
}

/// A distribution each: what the record lists, then each service; the page when there is neither.
fn distributions(out: &mut Statements, iri: &str, described: &Described) {
    let nodes = described.record().nodes("distribution");
    let services = described.record().nodes("accessService");
    let count = nodes.len() + services.len();
    for (number, node) in nodes.into_iter().enumerate() {
        let name = node.id().map_or_else(|| format!("{iri}#distribution-{}", number + 1), str::to_owned);
        distribution(out, iri, &name, node.text("accessURL").unwrap_or(&described.page()), described);
        details(out, &name, node);
    }
    for (number, service) in services.into_iter().enumerate() {
        let Some(endpoint) = service.text("endpointURL") else { continue };
        let name = format!("{iri}#access-{}", number + 1);
        distribution(out, iri, &name, endpoint, described);
        let node = service.id().map_or_else(|| format!("{iri}#service-{}", number + 1), str::to_owned);
        out.typed(&name, &term(DCAT, "accessService"), &node, &term(DCAT, "DataService"));
        out.a(&node, &term(DCAT, "Resource"));
        let title = service.text("title").map_or_else(|| format!("Access to {}", described.name()), str::to_owned);
        out.tagged(&node, &term(DCTERMS, "title"), &title, "en");
        out.typed(&node, &term(DCAT, "endpointURL"), endpoint, &term(RDFS, "Resource"));
        out.iri(&node, &term(DCAT, "servesDataset"), iri);
        if let Some(description) = service.text("endpointDescription") {
            out.iri(&node, &term(DCAT, "endpointDescription"), description);
        }
        if let Some(standard) = service.text("conformsTo") {
            out.typed(&node, &term(DCTERMS, "conformsTo"), standard, &term(DCTERMS, "Standard"));
        }
    }
    if count == 0 {
        let page =
            described.record().strings("landingPage").first().map_or_else(|| described.page(), |p| (*p).to_owned());
        distribution(out, iri, &format!("{iri}#access"), &page, described);
    }
}

fn distribution(out: &mut Statements, iri: &str, name: &str, address: &str, described: &Described) {
    out.typed(iri, &term(DCAT, "distribution"), name, &term(DCAT, "Distribution"));
    out.typed(name, &term(DCAT, "accessURL"), address, &term(RDFS, "Resource"));
    if let Some(licence) = described.licence() {
        out.typed(name, &term(DCTERMS, "license"), licence, &term(DCTERMS, "LicenseDocument"));
    }
}

fn details(out: &mut Statements, name: &str, node: &Fields) {
    if let Some(title) = node.text("title") {
        out.text(name, &term(DCTERMS, "title"), title);
    }
    if let Some(url) = node.text("downloadURL") {
        out.typed(name, &term(DCAT, "downloadURL"), url, &term(RDFS, "Resource"));
    }
    if let Some(media_type) = node.text("mediaType") {
        out.typed(name, &term(DCAT, "mediaType"), media_type, &term(DCTERMS, "MediaType"));
    }
    if let Some(checksum) = node.node("checksum") {
        self::checksum(out, name, checksum);
    }
    if let Some(size) = node.integer("byteSize").and_then(|size| u64::try_from(size).ok()) {
        out.size(name, &term(DCAT, "byteSize"), size);
    }
}

fn checksum(out: &mut Statements, name: &str, node: &Fields) {
    let (Some(algorithm), Some(value)) = (node.text("algorithm"), node.text("value")) else { return };
    let checksum = format!("{name}-checksum");
    out.typed(name, &term(SPDX, "checksum"), &checksum, &term(SPDX, "Checksum"));
    let word = algorithm.rsplit(['#', '/', '_']).next().unwrap_or(algorithm);
    let algorithm = term(SPDX, &format!("checksumAlgorithm_{word}"));
    out.typed(&checksum, &term(SPDX, "algorithm"), &algorithm, &term(SPDX, "ChecksumAlgorithm"));
    out.literal(&checksum, &term(SPDX, "checksumValue"), value, "http://www.w3.org/2001/XMLSchema#hexBinary");
}
