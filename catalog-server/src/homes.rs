//! Where zones are at home: the bases below which they mint the identifiers of their records.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The base URLs of this zone and of those that are harvested.
///
/// A record's IRI is the one that its home zone gave it, wherever it is shown.
#[derive(Debug, Default)]
pub struct Homes {
    own: String,
    others: RwLock<HashMap<String, String>>,
}

impl Homes {
    /// Begins with this zone's base alone.
    pub fn new(own: impl Into<String>) -> Self {
        Self { own: own.into(), others: RwLock::default() }
    }

    /// Notes another zone's base; says whether it was another before.
    pub fn learn(&self, zone: &str, base: &str) -> bool {
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        let base = base.trim_end_matches('/');
        others.insert(zone.to_owned(), base.to_owned()).is_some_and(|before| before != base)
    }

    /// Returns the base of a zone that is elsewhere.
    pub fn elsewhere(&self, zone: &str) -> Option<String> {
        self.others.read().unwrap_or_else(PoisonError::into_inner).get(zone).cloned()
    }

    /// Returns the base below which a zone's records have their IRIs.
    pub fn base_of(&self, zone: &str) -> String {
        self.elsewhere(zone).unwrap_or_else(|| self.own.clone())
    }

    /// Returns the IRI of a record.
    pub fn iri(&self, zone: &str, identifier: &str) -> String {
        format!("{}/id/{zone}/{identifier}", self.base_of(zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_iri_of_its_home() {
        let homes = Homes::new("http://here");
        assert_eq!(homes.iri("go-esa", "a.b"), "http://here/id/go-esa/a.b");
        assert!(!homes.learn("sci", "https://sci.example/"));
        assert_eq!(homes.iri("sci", "a.b"), "https://sci.example/id/sci/a.b");
        assert!(homes.learn("sci", "https://moved.example"));
    }
}
