//! What facet values are called, and which value a word means.

use std::collections::HashMap;

use catalog_ontology::scheme::Scheme;

use crate::config::Config;

/// Names for facet values: concepts by their schemes, datazones by the configuration.
#[derive(Debug, Default)]
pub struct FacetLabels {
    zones: HashMap<String, String>,
}

impl FacetLabels {
    /// Takes the datazones' names from the configuration.
    pub fn new(config: &Config) -> Self {
        let own = (config.zone.id.to_string(), config.zone.name.clone());
        let zones = config.datazone.iter().map(|zone| (zone.id.to_string(), zone.name.clone()));
        Self { zones: zones.chain([own]).collect() }
    }
}

/// The scheme that a facet's values come from.
pub fn scheme_of(facet: &str) -> Option<&'static Scheme> {
    let name = match facet {
        "domain" | "mission" | "instrument" | "property" => facet,
        "thematicArea" => "thematic-area",
        "fileType" => "file-type",
        _ => return None,
    };
    Scheme::get(name)
}

impl catalog_index::Labels for FacetLabels {
    fn label(&self, facet: &str, value: &str) -> Option<String> {
        if let Some(scheme) = scheme_of(facet) {
            return scheme.find(value).map(|concept| concept.label("en").to_owned());
        }
        let label = match (facet, value) {
            ("datazone" | "source", zone) => self.zones.get(zone)?.as_str(),
            ("type", "DataVolume") => "Data volume",
            ("gpu", "required") => "Needs a GPU",
            ("gpu", "none") => "Needs no GPU",
            ("interface", "web") => "Web",
            ("interface", "desktop") => "Desktop",
            ("interface", "vm") => "Virtual machine",
            ("interface", "terminal") => "Terminal",
            ("interface", "headless") => "Without interface",
            _ => return None,
        };
        Some(label.to_owned())
    }

    fn canonical(&self, facet: &str, value: &str) -> Option<String> {
        scheme_of(facet)?.find(value).map(|concept| concept.path.clone())
    }
}
