//! Facets and their values.

use std::collections::HashMap;
use std::sync::Arc;

use catalog_schemas::search::FACETS;

/// How many facets there are.
pub(crate) const COUNT: usize = FACETS.len();

/// The facets whose values are concept paths: a record with `astronomy/gaia` also counts for `astronomy`.
const TREES: [&str; 5] = ["property", "domain", "mission", "instrument", "thematicArea"];

/// One of [`FACETS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facet(u8);

impl Facet {
    /// Returns the facet of a name.
    pub fn named(name: &str) -> Option<Self> {
        FACETS.iter().position(|known| *known == name).map(|at| Self(at as u8))
    }

    /// Returns every facet in the order of [`FACETS`].
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT as u8).map(Self)
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        FACETS[self.index()]
    }

    /// Returns its place in [`FACETS`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Says whether its values are concept paths, counted at every level.
    pub fn is_tree(self) -> bool {
        TREES.contains(&self.name())
    }

    /// Returns a value and, in a tree, every value above it, without repetition or empty steps.
    pub(crate) fn expanded(self, value: &str) -> Vec<String> {
        let value = value.trim_matches('/');
        if value.is_empty() {
            return Vec::new();
        }
        if !self.is_tree() {
            return vec![value.to_owned()];
        }
        let mut values = Vec::new();
        let mut path = String::new();
        for step in value.split('/').filter(|step| !step.is_empty()) {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(step);
            values.push(path.clone());
        }
        values
    }
}

/// What facet values are called, and which value is meant by a word that is not one.
pub trait Labels: Send + Sync {
    /// Returns what to show for a value.
    fn label(&self, facet: &str, value: &str) -> Option<String>;

    /// Returns the value meant by another spelling of it: `gaia` for `astronomy/gaia`.
    fn canonical(&self, facet: &str, value: &str) -> Option<String>;
}

/// No labels: values are shown as they are and mean themselves.
impl Labels for () {
    fn label(&self, _facet: &str, _value: &str) -> Option<String> {
        None
    }

    fn canonical(&self, _facet: &str, _value: &str) -> Option<String> {
        None
    }
}

/// Every value that a facet ever had in this index, each with a number that never changes.
///
/// Segments count with these numbers, so that the counts of segments add up without comparing words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    names: Vec<Arc<str>>,
    parents: Vec<Option<u32>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Values {
    /// Returns the number of a value, giving it and the values above it one if they have none.
    pub(crate) fn intern(&mut self, facet: Facet, value: &str) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let parent = match value.rsplit_once('/') {
            Some((above, _)) if facet.is_tree() => Some(self.intern(facet, above)),
            _ => None,
        };
        let name: Arc<str> = value.into();
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.parents.push(parent);
        self.numbers.insert(name, number);
        number
    }

    pub(crate) fn number(&self, value: &str) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    pub(crate) fn parent(&self, number: u32) -> Option<u32> {
        self.parents[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concept_path_counts_at_every_level_and_a_plain_value_once() {
        let mission = Facet::named("mission").unwrap();
        assert_eq!(mission.expanded("astronomy/gaia"), ["astronomy", "astronomy/gaia"]);
        assert_eq!(mission.expanded("/astronomy//gaia/"), ["astronomy", "astronomy/gaia"]);
        assert_eq!(Facet::named("source").unwrap().expanded("go-esa/osc"), ["go-esa/osc"]);
        assert!(mission.expanded("/").is_empty());
        assert_eq!(Facet::named("colour"), None);
    }
}
