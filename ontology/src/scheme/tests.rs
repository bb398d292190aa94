use proptest::prelude::*;

use super::*;
use crate::terms::{Kind, Table};

fn mission(text: &str) -> Option<&'static str> {
    Scheme::get("mission")?.find(text).map(|concept| concept.path.as_str())
}

#[test]
fn the_embedded_schemes_are_well_formed() {
    for (name, turtle) in SCHEMES_TTL {
        Scheme::read(name, turtle).unwrap();
    }
}

#[test]
fn every_way_to_write_gaia_gives_gaia() {
    for text in [
        "gaia",
        "Gaia",
        "GAIA",
        " gaia ",
        "astronomy/gaia",
        "Astronomy/Gaia",
        "space-science/astronomy/gaia",
        "/space-science/astronomy/gaia",
        "https://w3id.org/esado/mission/gaia",
        "https://w3id.org/esado/mission/astronomy/gaia",
        "mission:gaia",
        "Global Astrometric Interferometer for Astrophysics",
    ] {
        assert_eq!(mission(text), Some("astronomy/gaia"), "{text}");
    }
    for text in ["", "gai", "planetary-science/gaia", "earth-observation/astronomy/gaia", "gaia/astronomy", "/"] {
        assert_eq!(mission(text), None, "{text}");
    }
}

#[test]
fn other_names_and_other_languages_are_understood() {
    for (text, path) in [
        ("HST", "astronomy/hubble-space-telescope"),
        ("Hubble", "astronomy/hubble-space-telescope"),
        ("xmm newton", "astronomy/xmm-newton"),
        ("XMM", "astronomy/xmm-newton"),
        ("Télescope spatial James Webb", "astronomy/jwst"),
        ("Webb", "astronomy/jwst"),
        ("JUICE", "planetary-science/juice"),
        ("soho", "heliophysics/soho"),
        ("Pleiades", "earth-observation-satellite/pleiades"),
        ("ADEOS", "earth-observation-satellite/adeos"),
        ("Sentinel 2A", "earth-observation-satellite/sentinel-2"),
        ("Galileo", "navigation-satellite/galileo"),
        ("Erdbeobachtungssatellit", "earth-observation-satellite"),
        ("https://gcmd.earthdata.nasa.gov/kms/concept/nothing", ""),
    ] {
        assert_eq!(mission(text).unwrap_or_default(), path, "{text}");
    }
    let file_type = Scheme::get("fileType").unwrap();
    assert_eq!(file_type.find("fits").unwrap().notation, "FITS");
    assert_eq!(file_type.find("Geo TIFF").unwrap().notation, "GeoTIFF");
    assert_eq!(Scheme::get("property").unwrap().find("Query Tool").unwrap().notation, "QueryTool");
    assert_eq!(Scheme::get("domain").unwrap().find("Space Science").unwrap().path, "space-science");
}

#[test]
fn the_tree_of_the_deck_is_in_the_scheme() {
    let scheme = Scheme::get("mission").unwrap();
    let below = |notation: &str| {
        scheme.narrower(scheme.by_notation(notation).unwrap()).map(|c| c.label.as_str()).collect::<Vec<_>>()
    };
    let astronomy = below("astronomy");
    for label in ["Gaia", "Herschel", "Hubble Space Telescope", "ISO", "Lisa Pathfinder", "Planck", "XMM-Newton"] {
        assert!(astronomy.contains(&label), "{label}");
    }
    assert_eq!(scheme.by_notation("astronomy").unwrap().label, "Astronomy");
    assert_eq!(scheme.by_notation("earth-observation-satellite").unwrap().label, "Earth Observation Satellite");
    assert!(below("earth-observation-satellite").contains(&"ADEOS"));
    let labels = |name: &str| Scheme::get(name).unwrap().concepts().iter().map(|c| c.label.clone()).collect::<Vec<_>>();
    assert_eq!(labels("domain"), ["Earth Observation", "Navigation", "Space Science"]);
    assert_eq!(labels("property"), ["Query Tool", "Visualization Tool", "Analysis Tool", "Data Volume"]);
}

#[test]
fn the_schemes_are_as_wide_as_promised() {
    let count = |name: &str| Scheme::get(name).unwrap().concepts().len();
    assert!(count("mission") >= 130, "{}", count("mission"));
    assert!(count("instrument") >= 120, "{}", count("instrument"));
    assert!(count("thematic-area") >= 25, "{}", count("thematic-area"));
}

#[test]
fn what_a_concept_refers_to_is_there() {
    let (domains, missions) = (Scheme::get("domain").unwrap(), Scheme::get("mission").unwrap());
    for scheme in Scheme::all() {
        for concept in scheme.concepts() {
            assert!(concept.domain.iter().all(|domain| domains.by_notation(domain).is_some()), "{}", concept.iri);
            assert!(concept.missions.iter().all(|mission| missions.by_notation(mission).is_some()), "{}", concept.iri);
            assert!(concept.notation.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{}", concept.iri);
            let alone = |text: &str| scheme.find(text).map(|found| found.iri.as_str());
            assert_eq!(alone(&concept.notation), Some(concept.iri.as_str()));
            assert_eq!(alone(&concept.path), Some(concept.iri.as_str()));
            assert_eq!(alone(&concept.label), Some(concept.iri.as_str()), "the label is somebody else's");
        }
    }
}

#[test]
fn no_two_concepts_claim_one_public_concept() {
    for scheme in Scheme::all() {
        let mut seen = HashMap::new();
        for concept in scheme.concepts() {
            for iri in &concept.exact_match {
                assert_eq!(seen.insert(iri, &concept.iri), None, "{iri}");
            }
        }
    }
}

#[test]
fn a_typo_is_answered_with_the_nearest_name() {
    for (name, text, near) in [
        ("mission", "gaya", "gaia"),
        ("mission", "xmm-newtn", "xmm-newton"),
        ("mission", "herschell", "herschel"),
        ("mission", "astronomy/plank", "planck"),
        ("domain", "space-sciense", "space-science"),
        ("property", "QuerryTool", "QueryTool"),
        ("instrument", "nirspek", "nirspec"),
    ] {
        let found = Scheme::get(name).unwrap().nearest(text).map(|concept| concept.notation.as_str());
        assert_eq!(found, Some(near), "{text}");
    }
    assert_eq!(Scheme::get("mission").unwrap().nearest("zzzzzzzz"), None);
}

#[test]
fn a_path_is_shown_with_its_labels() {
    let scheme = Scheme::get("mission").unwrap();
    assert_eq!(scheme.labels_for_path("astronomy/gaia", "en"), ["Astronomy", "Gaia"]);
    assert_eq!(
        scheme.labels_for_path("astronomy/hubble-space-telescope", "de-AT"),
        ["Astronomie", "Hubble-Weltraumteleskop"]
    );
}

#[test]
fn every_scheme_that_a_term_names_exists() {
    for term in Table::get().terms() {
        assert!(term.scheme.as_deref().is_none_or(|name| Scheme::get(name).is_some()), "{}", term.anchor());
    }
    let base = Table::get().by_key(Kind::Datalab, "mission").unwrap().base.clone();
    assert_eq!(base.as_deref(), Some("https://w3id.org/esado/mission/"));
}

#[test]
fn a_malformed_scheme_is_refused() {
    let head = "@prefix skos: <http://www.w3.org/2004/02/skos/core#> . @prefix : <https://w3id.org/esado/mission/> . ";
    let error = |text: &str| Scheme::read("mission", &format!("{head}{text}")).unwrap_err().to_string();
    assert!(error(":a skos:notation \"b\" .").contains("notation is not of the right form"));
    assert!(error(":a skos:broader :a ; skos:prefLabel \"A\"@en .").contains("below itself"));
    assert!(error(":a skos:broader :b ; skos:prefLabel \"A\"@en .").contains("not in the scheme"));
    assert!(error(":a skos:prefLabel \"A\"@fr .").contains("no label in English"));
    assert!(error(":a skos:prefLabel \"A\"@en, \"B\"@en .").contains("two labels"));
    assert!(error("<urn:x> skos:prefLabel \"A\"@en .").contains("not in the scheme"));
}

proptest! {
    #[test]
    fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }

    #[test]
    fn no_text_makes_a_search_fail(text in "\\PC{0,400}") {
        for scheme in Scheme::all() {
            scheme.find(&text);
            scheme.nearest(&text);
        }
    }
}
