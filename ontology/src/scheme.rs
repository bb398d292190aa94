//! The SKOS schemes that facets are made of: domains, missions, instruments, thematic areas, properties, file types.
//!
//! Each scheme is a Turtle file in `schemes/`, embedded and read once. A concept is found by whatever people write for
//! it: its notation, its path, a label in any language, an alternative label, its IRI.

use std::collections::HashMap;
use std::sync::LazyLock;

use oxrdf::Term as Object;
use oxttl::TurtleParser;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::terms::{ESADO, Malformed};

/// The schemes as Turtle, by name.
pub const SCHEMES_TTL: &[(&str, &str)] = &[
    ("domain", include_str!("../schemes/domain.ttl")),
    ("mission", include_str!("../schemes/mission.ttl")),
    ("instrument", include_str!("../schemes/instrument.ttl")),
    ("thematic-area", include_str!("../schemes/thematic-area.ttl")),
    ("property", include_str!("../schemes/property.ttl")),
    ("file-type", include_str!("../schemes/file-type.ttl")),
];

/// How alike a text must be to a label to be offered for a typo, from 0 to 1.
const ALIKE: f64 = 0.8;

/// One concept of a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concept {
    /// Its IRI, such as `https://w3id.org/esado/mission/gaia`.
    pub iri: String,
    /// Its notation, such as `gaia`.
    pub notation: String,
    /// The notations from the top concept, such as `astronomy/gaia`: the facet value.
    pub path: String,
    /// Its label in English.
    pub label: String,
    /// Its labels by language, English first.
    pub labels: Vec<(String, String)>,
    /// Other names, in any language.
    pub alt_labels: Vec<String>,
    /// What it means, where the label does not say it.
    pub definition: Option<String>,
    /// The notation of the concept above it.
    pub broader: Option<String>,
    /// The notations of the concepts directly below it.
    pub narrower: Vec<String>,
    /// IRIs of the same concept in public schemes.
    pub exact_match: Vec<String>,
    /// The notation of the domain it belongs to.
    pub domain: Option<String>,
    /// The notations of the missions it belongs to, for instruments.
    pub missions: Vec<String>,
    /// The media type, for file types.
    pub media_type: Option<String>,
}

impl Concept {
    /// Returns the label in a language, or in English when there is none.
    pub fn label(&self, lang: &str) -> &str {
        let primary = lang.split('-').next().unwrap_or(lang);
        self.labels
            .iter()
            .find(|(tag, _)| tag.eq_ignore_ascii_case(lang))
            .or_else(|| self.labels.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(primary)))
            .map_or(self.label.as_str(), |(_, label)| label)
    }
}

/// A scheme of concepts.
#[derive(Debug)]
pub struct Scheme {
    /// Its name, such as `mission`.
    pub name: &'static str,
    /// Its IRI, such as `https://w3id.org/esado/mission`.
    pub iri: String,
    /// Its title by language, English first.
    pub titles: Vec<(String, String)>,
    concepts: Vec<Concept>,
    by_notation: HashMap<String, usize>,
    by_label: HashMap<String, Vec<usize>>,
    by_alt_label: HashMap<String, Vec<usize>>,
}

static SCHEMES: LazyLock<Vec<Scheme>> = LazyLock::new(|| {
    SCHEMES_TTL
        .iter()
        .map(|(name, turtle)| {
            Scheme::read(name, turtle).expect("the embedded schemes are well formed, which a test asserts")
        })
        .collect()
});

impl Scheme {
    /// Returns every scheme.
    pub fn all() -> &'static [Self] {
        &SCHEMES
    }

    /// Returns the scheme of a name, such as `thematic-area`; the facet's name `thematicArea` and `fileType` will do.
    pub fn get(name: &str) -> Option<&'static Self> {
        let name = match name {
            "thematicArea" => "thematic-area",
            "fileType" => "file-type",
            name => name,
        };
        SCHEMES.iter().find(|scheme| scheme.name == name)
    }

    /// Returns every concept, those above before those below.
    pub fn concepts(&self) -> &[Concept] {
        &self.concepts
    }

    /// Returns the concepts that nothing is above of.
    pub fn top_concepts(&self) -> impl Iterator<Item = &Concept> {
        self.concepts.iter().filter(|concept| concept.broader.is_none())
    }

    /// Returns the concept with a notation, exactly as written.
    pub fn by_notation(&self, notation: &str) -> Option<&Concept> {
        self.by_notation.get(notation).map(|index| &self.concepts[*index])
    }

    /// Returns the concepts directly below one.
    pub fn narrower<'a>(&'a self, concept: &'a Concept) -> impl Iterator<Item = &'a Concept> {
        concept.narrower.iter().filter_map(|notation| self.by_notation(notation))
    }

    /// Returns the concept that a text names: by notation, path, IRI, label or alternative label.
    ///
    /// Case, accents, punctuation and spaces do not matter where the exact text names nothing. A path may lack its first
    /// parts, and may begin with the notation of the domain. A name that several concepts have names none of them.
    pub fn find(&self, text: &str) -> Option<&Concept> {
        let text = text.trim();
        let text = text
            .strip_prefix(self.iri.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .or_else(|| text.strip_prefix(self.name).and_then(|rest| rest.strip_prefix(':')))
            .unwrap_or(text);
        if text.is_empty() || text.len() > 300 {
            return None;
        }
        if let Some(concept) = self.by_notation(text).or_else(|| self.by_path(text)) {
            return Some(concept);
        }
        if text.contains("://") {
            let mut same = self.concepts.iter().filter(|concept| concept.exact_match.iter().any(|iri| iri == text));
            return same.next().filter(|_| same.next().is_none());
        }
        let plain = fold(text);
        let only = |indexes: &Vec<usize>| match indexes.as_slice() {
            [index] => Some(&self.concepts[*index]),
            _ => None,
        };
        self.by_label.get(&plain).or_else(|| self.by_alt_label.get(&plain)).and_then(only)
    }

    /// Returns the concept whose name is most like a text, for “did you mean”.
    pub fn nearest(&self, text: &str) -> Option<&Concept> {
        let last = text.rsplit('/').next().unwrap_or(text);
        let plain = fold(last);
        if plain.is_empty() || plain.len() > 100 {
            return None;
        }
        self.by_label
            .iter()
            .chain(&self.by_alt_label)
            .map(|(name, indexes)| {
                // Two slips in a short name, such as `giai` for `gaia`, are many by their share and still a typo.
                let slips = plain.chars().count() >= 4 && plain.chars().next() == name.chars().next();
                let near = slips && strsim::osa_distance(&plain, name) <= 2;
                (strsim::jaro_winkler(&plain, name).max(if near { ALIKE } else { 0.0 }), name, indexes[0])
            })
            .filter(|(alike, ..)| *alike >= ALIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (b.2, b.1).cmp(&(a.2, a.1))))
            .map(|(.., index)| &self.concepts[index])
    }

    /// Returns the labels of a path's concepts from the top, such as `["Astronomy", "Gaia"]` for `astronomy/gaia`.
    pub fn labels_for_path(&self, path: &str, lang: &str) -> Vec<&str> {
        path.split('/').filter_map(|notation| self.by_notation(notation)).map(|concept| concept.label(lang)).collect()
    }

    fn by_path(&self, text: &str) -> Option<&Concept> {
        let parts: Vec<String> = text.split('/').filter(|part| !part.is_empty()).map(fold).collect();
        let (last, above) = parts.split_last()?;
        if above.is_empty() {
            return None;
        }
        let concept = self.by_label.get(last).and_then(|indexes| match indexes.as_slice() {
            [index] => Some(&self.concepts[*index]),
            _ => None,
        })?;
        let full = concept.domain.iter().map(String::as_str).chain(concept.path.split('/'));
        let full: Vec<String> = full.map(fold).collect();
        full.ends_with(&parts).then_some(concept)
    }

    /// Reads a scheme; the embedded ones are had by [`Scheme::get`].
    pub(crate) fn read(name: &'static str, turtle: &str) -> Result<Self, Malformed> {
        let iri = format!("{}/{name}", ESADO.trim_end_matches('#'));
        let mut scheme = Self {
            name,
            iri: iri.clone(),
            titles: Vec::new(),
            concepts: Vec::new(),
            by_notation: HashMap::new(),
            by_label: HashMap::new(),
            by_alt_label: HashMap::new(),
        };
        for triple in TurtleParser::new().for_slice(turtle.as_bytes()) {
            let triple = triple.map_err(|error| Malformed::new(&format!("{name}.ttl is not turtle"), &error))?;
            let subject = triple.subject.to_string();
            let subject = subject.trim_start_matches('<').trim_end_matches('>');
            let property = triple.predicate.as_str().rsplit(['#', '/']).next().unwrap_or_default();
            if subject == iri {
                if let ("title", Object::Literal(title)) = (property, &triple.object) {
                    let lang = title.language().unwrap_or("en").to_owned();
                    scheme.titles.push((lang, title.value().to_owned()));
                }
                continue;
            }
            let Some(notation) = subject.strip_prefix(iri.as_str()).and_then(|rest| rest.strip_prefix('/')) else {
                return Err(malformed(subject, "is not in the scheme"));
            };
            let index = match scheme.by_notation.get(notation) {
                Some(index) => *index,
                None => scheme.begin(subject, notation),
            };
            scheme.concepts[index].say(property, triple.object)?;
        }
        scheme.finish()?;
        Ok(scheme)
    }

    fn begin(&mut self, iri: &str, notation: &str) -> usize {
        self.concepts.push(Concept {
            iri: iri.to_owned(),
            notation: notation.to_owned(),
            path: String::new(),
            label: String::new(),
            labels: Vec::new(),
            alt_labels: Vec::new(),
            definition: None,
            broader: None,
            narrower: Vec::new(),
            exact_match: Vec::new(),
            domain: None,
            missions: Vec::new(),
            media_type: None,
        });
        self.by_notation.insert(notation.to_owned(), self.concepts.len() - 1);
        self.concepts.len() - 1
    }

    /// Works out paths and what is below what, and makes the names findable.
    fn finish(&mut self) -> Result<(), Malformed> {
        for index in 0..self.concepts.len() {
            let concept = &self.concepts[index];
            if concept.label.is_empty() {
                return Err(malformed(&concept.iri, "has no label in English"));
            }
            let mut path = vec![concept.notation.clone()];
            let mut domain = concept.domain.clone();
            let mut above = concept.broader.clone();
            while let Some(notation) = above {
                let Some(broader) = self.by_notation(&notation) else {
                    return Err(malformed(&concept.iri, &format!("is below `{notation}`, which is not in the scheme")));
                };
                if path.contains(&notation) {
                    return Err(malformed(&concept.iri, "is below itself"));
                }
                path.push(notation);
                domain = domain.or_else(|| broader.domain.clone());
                above = broader.broader.clone();
            }
            path.reverse();
            let (notation, broader) = (concept.notation.clone(), concept.broader.clone());
            let names: Vec<String> =
                concept.labels.iter().map(|(_, label)| fold(label)).chain([fold(&concept.notation)]).collect();
            let alt_names: Vec<String> = concept.alt_labels.iter().map(|label| fold(label)).collect();
            self.concepts[index].path = path.join("/");
            self.concepts[index].domain = domain;
            if let Some(parent) = broader.and_then(|broader| self.by_notation.get(&broader).copied()) {
                self.concepts[parent].narrower.push(notation);
            }
            for (names, into) in [(names, &mut self.by_label), (alt_names, &mut self.by_alt_label)] {
                for name in names.into_iter().filter(|name| !name.is_empty()) {
                    let indexes = into.entry(name).or_default();
                    if !indexes.contains(&index) {
                        indexes.push(index);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Concept {
    /// Takes one statement about the concept.
    fn say(&mut self, property: &str, object: Object) -> Result<(), Malformed> {
        let wrong = |concept: &Self| malformed(&concept.iri, &format!("{property} is not of the right form"));
        match (property, object) {
            ("prefLabel", Object::Literal(label)) => {
                let lang = label.language().ok_or_else(|| wrong(self))?.to_owned();
                if lang == "en" {
                    label.value().clone_into(&mut self.label);
                }
                if self.labels.iter().any(|(known, _)| *known == lang) {
                    return Err(malformed(&self.iri, &format!("has two labels in {lang}")));
                }
                self.labels.push((lang, label.value().to_owned()));
            }
            ("altLabel", Object::Literal(label)) => self.alt_labels.push(label.value().to_owned()),
            ("definition", Object::Literal(text)) => self.definition = Some(text.value().to_owned()),
            ("notation", Object::Literal(notation)) if notation.value() == self.notation => {}
            ("format", Object::Literal(media_type)) => self.media_type = Some(media_type.value().to_owned()),
            ("broader", Object::NamedNode(iri)) => self.broader = Some(last(iri.as_str())),
            ("exactMatch", Object::NamedNode(iri)) => self.exact_match.push(iri.into_string()),
            ("ofDomain", Object::NamedNode(iri)) => self.domain = Some(last(iri.as_str())),
            ("ofMission", Object::NamedNode(iri)) => self.missions.push(last(iri.as_str())),
            ("type" | "inScheme" | "topConceptOf", Object::NamedNode(_)) => {}
            _ => return Err(wrong(self)),
        }
        Ok(())
    }
}

/// Returns a text without case, accents, punctuation and spaces, so that `XMM Newton` and `xmm-newton` are one name.
///
/// The plus sign stays, as it tells ETM+ from ETM.
pub fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|c| !is_combining_mark(*c) && (c.is_alphanumeric() || *c == '+'))
        .flat_map(char::to_lowercase)
        .collect()
}

fn last(iri: &str) -> String {
    iri.rsplit('/').next().unwrap_or(iri).to_owned()
}

fn malformed(concept: &str, problem: &str) -> Malformed {
    Malformed::new(&concept, &problem)
}

#[cfg(test)]
mod tests;
