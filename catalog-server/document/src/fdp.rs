//! A FAIR Data Point: the root of the metadata, its catalogues, and the containers that lead from one to the next.

use oxrdf::Triple;

use crate::dcat::Catalogue;
use crate::statements::namespace::{DCAT, DCTERMS, FDP, FOAF, LDP, RDFS};
use crate::statements::{Statements, term};

/// The specification that it conforms to.
pub const SPECIFICATION: &str = "https://specs.fairdatapoint.org/fdp-specs-v1.2.html";

/// Returns the root.
pub fn root(about: &Catalogue<'_>, version: &str, sources: &[(String, u64)]) -> Vec<Triple> {
    let mut out = Statements::new();
    let base = about.base;
    let iri = format!("{base}/fdp");
    for class in ["FAIRDataPoint", "MetadataService"] {
        out.a(&iri, &term(FDP, class));
    }
    out.a(&iri, &term(DCAT, "DataService"));
    out.a(&iri, &term(DCAT, "Resource"));
    common(&mut out, &iri, about, &format!("Alidade of {}", about.zone), version);
    out.iri(&iri, &term(FDP, "conformsToFdpSpec"), SPECIFICATION);
    out.iri(&iri, &term(FDP, "metadataIdentifier"), &format!("{iri}#metadata"));
    out.typed(&iri, &term(DCAT, "endpointURL"), &iri, &term(RDFS, "Resource"));
    let container = format!("{iri}/catalog/");
    container_of(&mut out, &container, "Catalogues", &iri, &term(FDP, "metadataCatalog"));
    for (source, _) in sources {
        let catalogue = format!("{iri}/catalog/{source}");
        out.iri(&iri, &term(FDP, "metadataCatalog"), &catalogue);
        out.iri(&container, &term(LDP, "contains"), &catalogue);
    }
    out.into_triples()
}

/// Returns the head of the catalogue of one source; the caller adds pages and members.
pub fn catalogue(about: &Catalogue<'_>, version: &str, source: &str, count: u64) -> Vec<Triple> {
    let mut out = Statements::new();
    let base = about.base;
    let iri = format!("{base}/fdp/catalog/{source}");
    out.a(&iri, &term(DCAT, "Catalog"));
    out.a(&iri, &term(DCAT, "Resource"));
    common(&mut out, &iri, about, &format!("What {source} says"), version);
    out.iri(&iri, &term(DCTERMS, "isPartOf"), &format!("{base}/fdp"));
    out.typed(&iri, &term(FOAF, "homepage"), &format!("{base}/search?source={source}"), &term(FOAF, "Document"));
    for scheme in catalog_ontology::scheme::Scheme::all() {
        out.iri(&iri, &term(DCAT, "themeTaxonomy"), &scheme.iri);
    }
    out.number(&iri, &term(catalog_schemas::ESADO, "recordCount"), count);
    out.into_triples()
}

/// Says that a record is a member of a source's catalogue.
pub fn member(base: &str, source: &str, record: &str, is_dataset: bool) -> Vec<Triple> {
    let mut out = Statements::new();
    let catalogue = format!("{base}/fdp/catalog/{source}");
    let relation = term(DCAT, if is_dataset { "dataset" } else { "resource" });
    let container = format!("{catalogue}/{}/", if is_dataset { "dataset" } else { "resource" });
    out.iri(&catalogue, &relation, record);
    container_of(&mut out, &container, if is_dataset { "Datasets" } else { "Software" }, &catalogue, &relation);
    out.iri(&container, &term(LDP, "contains"), record);
    out.iri(record, &term(DCTERMS, "isPartOf"), &catalogue);
    out.into_triples()
}

fn common(out: &mut Statements, iri: &str, about: &Catalogue<'_>, title: &str, version: &str) {
    out.text(iri, &term(DCTERMS, "title"), title);
    out.text(iri, &term(RDFS, "label"), title);
    out.text(
        iri,
        &term(DCTERMS, "description"),
        "Datalabs, datasets, data volumes and pipelines of science platforms.",
    );
    out.text(iri, &term(DCAT, "version"), version);
    out.iri(iri, &term(DCTERMS, "language"), "http://id.loc.gov/vocabulary/iso639-1/en");
    let publisher = format!("{}/catalog#publisher", about.base);
    out.typed(iri, &term(DCTERMS, "publisher"), &publisher, &term(FOAF, "Agent"));
    out.text(&publisher, &term(FOAF, "name"), about.zone);
    out.iri(iri, &term(DCTERMS, "conformsTo"), "https://specs.fairdatapoint.org/");
    if let Some(modified) = about.modified {
        out.time(iri, &term(DCTERMS, "modified"), modified);
        out.time(iri, &term(FDP, "metadataModified"), modified);
    }
}

fn container_of(out: &mut Statements, container: &str, title: &str, resource: &str, relation: &str) {
    out.a(container, &term(LDP, "DirectContainer"));
    out.text(container, &term(DCTERMS, "title"), title);
    out.iri(container, &term(LDP, "membershipResource"), resource);
    out.iri(container, &term(LDP, "hasMemberRelation"), relation);
}
