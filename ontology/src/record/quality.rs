//! How complete a record is; the weights below are the whole definition, and a hundred is their sum.

use catalog_schemas::record::Quality;

use super::Record;
use crate::manifest::is_placeholder;
use crate::terms::Kind;

/// A part of the score: its weight, the keys of which one suffices, and what to do.
type Part = (u8, &'static [&'static str], &'static str);

const SOFTWARE: [Part; 11] = [
    (20, &["abstract"], "write an abstract that says what it is"),
    (15, &["description"], "add a description"),
    (10, &["keyword"], "add keywords"),
    (10, &["mission", "instrument", "thematicArea"], "name the mission, instrument or thematic area"),
    (10, &["contactPoint", "maintainer"], "name a contact"),
    (10, &["license"], "choose a licence"),
    (5, &["citation"], "say how to cite it"),
    (5, &["landingPage", "softwareHelp", "codeRepository"], "link to documentation or source"),
    (5, &["image", "screenshot"], "add an image"),
    (5, &["associatedFileType"], "name the file types it reads"),
    (5, &["releaseNotes"], "add release notes"),
];

const DATA: [Part; 10] = [
    (20, &["abstract"], "write an abstract that says what it is"),
    (15, &["description"], "add a description"),
    (10, &["keyword"], "add keywords"),
    (10, &["mission", "instrument", "thematicArea"], "name the mission, instrument or thematic area"),
    (10, &["contactPoint", "landingPage"], "name a contact or a page"),
    (10, &["license"], "choose a licence"),
    (5, &["citation"], "say how to cite it"),
    (
        10,
        &["distribution", "accessService", "availableAs", "replica", "defaultMountPath"],
        "say where the data can be had",
    ),
    (5, &["temporal", "spatial", "skyCoverage", "associatedFileType"], "say what the data covers"),
    (5, &["creator", "publisher"], "name its creators"),
];

impl Record {
    /// Returns the score and what would raise it, the weightiest first.
    pub fn quality(&self) -> Quality {
        let parts: &[Part] = match self.kind {
            Kind::Dataset | Kind::DataVolume => &DATA,
            _ => &SOFTWARE,
        };
        let mut score = 0;
        let mut missing: Vec<(u8, &str)> = Vec::new();
        for (weight, keys, advice) in parts {
            let good = keys.iter().any(|key| {
                let texts = self.texts(key);
                let placeholder = texts.len() == 1 && is_placeholder(texts[0].1);
                !placeholder && !self.values(key).is_empty()
            });
            if good { score += weight } else { missing.push((*weight, advice)) }
        }
        missing.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        Quality { score, missing: missing.into_iter().map(|(_, advice)| advice.to_owned()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_add_up_to_a_hundred() {
        assert_eq!(SOFTWARE.iter().map(|part| u32::from(part.0)).sum::<u32>(), 100);
        assert_eq!(DATA.iter().map(|part| u32::from(part.0)).sum::<u32>(), 100);
    }
}
