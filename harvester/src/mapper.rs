//! Trees and graphs of a source to items: mapped, brought to our forms, checked for what a record needs.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use catalog_ontology::manifest::doi;
use catalog_ontology::terms::{Kind, Table};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::compact::{Compacted, compact};
use crate::graph::Graph;
use crate::identifier;
use crate::item::{Alias, Fault, Harvested, Item, Place, Scheme};
use crate::mapping::{Mapped, Mapping};
use crate::tree::Tree;
use crate::values::lower_doi;

/// Brings what a source says to items. It keeps nothing but the keys that it has seen.
#[derive(Debug)]
pub(crate) struct Mapper {
    source: String,
    pub(crate) mapping: Arc<Mapping>,
    defaults: BTreeMap<String, Value>,
    /// Hashes of kind and key: sixteen bytes a record.
    seen: Mutex<HashSet<[u8; 16]>>,
    /// Records that were let pass, and such as were there before.
    fresh: AtomicU64,
    repeated: AtomicU64,
    /// The day after today: what was changed later has not happened yet.
    tomorrow: String,
}

impl Mapper {
    pub(crate) fn new(source: &str, mapping: Arc<Mapping>, defaults: BTreeMap<String, Value>) -> Self {
        let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
        Self {
            source: source.to_owned(),
            mapping,
            defaults,
            seen: Mutex::default(),
            fresh: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            tomorrow: tomorrow.to_string().chars().take(10).collect(),
        }
    }

    /// Maps trees together; those that cannot be read together, one by one, so that one does not spoil the others.
    pub(crate) fn trees(&self, trees: &[Result<Tree, Fault>]) -> Vec<Item> {
        let good: Vec<(usize, &Tree)> =
            trees.iter().enumerate().filter_map(|(at, tree)| Some((at, tree.as_ref().ok()?))).collect();
        let values: Vec<(&Value, &str)> =
            good.iter().map(|(_, tree)| (&tree.value, tree.place.file.as_str())).collect();
        let mut of_tree: Vec<Vec<Item>> = trees.iter().map(|_| Vec::new()).collect();
        match self.mapping.apply(&values) {
            Ok(mapped) => self.sort_in(mapped, &good, &mut of_tree),
            Err(_) if good.len() > 1 => {
                for one in &good {
                    match self.mapping.apply(&[(&one.1.value, one.1.place.file.as_str())]) {
                        Ok(mapped) => self.sort_in(mapped, &[*one], &mut of_tree),
                        Err(error) => of_tree[one.0].push(unreadable(one.1, &error)),
                    }
                }
            }
            Err(error) => good.iter().for_each(|(at, tree)| of_tree[*at].push(unreadable(tree, &error))),
        }
        let mut items = Vec::with_capacity(trees.len());
        for (tree, of_tree) in trees.iter().zip(of_tree) {
            match tree {
                Err(fault) => items.push(Item::Faulty(fault.clone())),
                Ok(tree) if of_tree.is_empty() => {
                    let message = format!("the mapping `{}` finds no record in it", self.mapping.name);
                    let fault = Fault::new("record.none", tree.place.clone(), message);
                    items.push(marked(Item::Faulty(fault), tree));
                }
                Ok(_) => items.extend(of_tree),
            }
        }
        items
    }

    fn sort_in(&self, mapped: Vec<Mapped>, good: &[(usize, &Tree)], of_tree: &mut [Vec<Item>]) {
        for (number, (at, tree)) in good.iter().enumerate() {
            let of_this = mapped.iter().filter(|record| record.tree == number);
            let mut items: Vec<Item> =
                of_this.map(|record| self.item(record, &tree.place, tree.key.as_deref())).collect();
            // Several records of one tree come in no order of their own.
            items.sort_by_cached_key(|item| match item {
                Item::Record(record) => (record.kind, record.key.clone()),
                _ => (Kind::Launch, String::new()),
            });
            of_tree[*at].extend(items.into_iter().map(|item| marked(self.once(item), tree)));
        }
    }

    /// Maps a graph; records are sorted by their key.
    ///
    /// `key` is what the source itself calls the record, when it is one.
    pub(crate) fn graph(&self, graph: &Graph, place: &Place, key: Option<&str>) -> Result<Vec<Item>, Fault> {
        let mapped =
            self.mapping.apply_to_graph(graph).map_err(|error| Fault::new("mapping.failed", place.clone(), error))?;
        let own = key.filter(|_| mapped.len() == 1);
        let mut items: Vec<Item> = mapped.iter().map(|record| self.item(record, place, own)).collect();
        items.sort_by_cached_key(|item| match item {
            Item::Record(record) => (record.kind, record.key.clone()),
            _ => (Kind::Launch, String::new()),
        });
        Ok(items.into_iter().map(|item| self.once(item)).collect())
    }

    /// Forgets which keys it has seen, for a run that begins.
    pub(crate) fn begin(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns how many records were let pass in this run so far, and how many were there before.
    pub(crate) fn news(&self) -> (u64, u64) {
        (self.fresh.load(Ordering::Relaxed), self.repeated.load(Ordering::Relaxed))
    }

    /// Lets a kind and key pass once.
    fn once(&self, item: Item) -> Item {
        let Item::Record(record) = &item else { return item };
        let digest = Sha256::digest(format!("{} {}", record.kind, record.key).as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        if self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(short) {
            self.fresh.fetch_add(1, Ordering::Relaxed);
            return item;
        }
        self.repeated.fetch_add(1, Ordering::Relaxed);
        let message = format!("`{}` was there before in this run; the first is kept", record.key);
        Item::Faulty(Fault::new("duplicate", record.place.clone(), message).of(record.key.clone()))
    }

    fn item(&self, mapped: &Mapped, place: &Place, own: Option<&str>) -> Item {
        let Some(compacted) = compact(&mapped.subject, &mapped.triples, place) else {
            let message = format!("the mapping `{}` does not say what kind of record it is", self.mapping.name);
            return Item::Faulty(Fault::new("record.no_type", place.clone(), message));
        };
        let Compacted { kind, mut manifest, mut identifiers, unmatched, mut remarks } = compacted;
        if let oxrdf::NamedOrBlankNode::NamedNode(node) = &mapped.subject
            && !node.as_str().starts_with("urn:x-alidade:")
            && !identifiers.iter().any(|other| other == node.as_str())
        {
            identifiers.push(node.as_str().to_owned());
        }
        // What the source itself files the record under is stable, and what it takes the record back by.
        if let Some(own) = own {
            identifiers.retain(|other| other != own);
            identifiers.insert(0, own.to_owned());
        }
        let Some(key) = identifiers.first().cloned() else {
            return Item::Faulty(Fault::new("record.no_identifier", place.clone(), "the record has no identifier"));
        };
        let aliases = aliases(&identifiers);
        let key = aliases.first().map_or(key, |alias| alias.value.clone());
        if !["name", "title"].iter().any(|name| manifest.contains_key(*name)) {
            let fault = Fault::new("record.no_title", place.clone(), format!("`{key}` has no title"));
            return Item::Faulty(fault.of(key));
        }
        for (name, value) in &self.defaults {
            if !manifest.contains_key(name) && Table::get().by_key(kind, name).is_some() {
                manifest.insert(name.clone(), value.clone());
            }
        }
        let modified = self.modified(&mut manifest, place, &mut remarks);
        let others = aliases.iter().map(|alias| other_identifier(alias, &self.source)).collect();
        manifest.insert("otherIdentifier".to_owned(), Value::Array(others));
        let name = identifier(&self.source, self.mapping.kind, kind, &key);
        manifest.insert("identifier".to_owned(), Value::String(name));
        let manifest = Value::Object(manifest);
        let hash = Sha256::digest(manifest.to_string().as_bytes()).into();
        let place = place.clone();
        Item::Record(Box::new(Harvested {
            kind,
            key,
            iri: None,
            manifest,
            identifiers: aliases,
            place,
            hash,
            modified,
            unmatched,
            remarks,
        }))
    }

    /// Returns when the source says the record was changed; a time that has not come is left out.
    fn modified(&self, manifest: &mut Map<String, Value>, place: &Place, remarks: &mut Vec<Fault>) -> Option<String> {
        let name = ["modified", "dateModified"].into_iter().find(|name| manifest.contains_key(*name))?;
        let text = manifest.get(name)?.as_str()?.to_owned();
        if text.get(..10).is_some_and(|day| day > self.tomorrow.as_str()) {
            manifest.remove(name);
            remarks.push(Fault::new("date.future", place.clone(), format!("`{text}` has not come yet")));
        }
        Some(text)
    }
}

fn unreadable(tree: &Tree, error: &str) -> Item {
    let message = format!("it cannot be read as RDF: {error}");
    marked(Item::Faulty(Fault::new("mapping.unreadable", tree.place.clone(), message)), tree)
}

/// Marks a fault without a key by its tree; one whose tree says which record it is names it.
fn marked(item: Item, tree: &Tree) -> Item {
    match item {
        Item::Faulty(fault) if fault.key.is_none() => {
            let fault = match &tree.key {
                Some(key) => fault.of(alias(key).value),
                None => fault,
            };
            Item::Faulty(fault.marked(tree.value.to_string().as_bytes()))
        }
        other => other,
    }
}

fn other_identifier(alias: &Alias, source: &str) -> Value {
    let scheme = match alias.scheme {
        Scheme::Local => source,
        Scheme::Doi => "doi",
        Scheme::Ivo => "ivo",
        Scheme::Spase => "spase",
        Scheme::Handle => "handle",
        Scheme::Ark => "ark",
        Scheme::Cmr => "cmr",
        Scheme::Oci => "oci",
        Scheme::Iri => "iri",
    };
    serde_json::json!({ "value": alias.value, "scheme": scheme })
}

/// Says of each identifier who gives such ones; each is there once.
fn aliases(identifiers: &[String]) -> Vec<Alias> {
    let mut found: Vec<Alias> = Vec::new();
    for text in identifiers {
        let alias = alias(text);
        if !found.iter().any(|other| other.value == alias.value) {
            found.push(alias);
        }
    }
    found
}

pub(crate) fn alias(text: &str) -> Alias {
    let text = text.trim();
    let of = |scheme, value: &str| Alias { scheme, value: value.to_owned() };
    if let Some(doi) = doi(text) {
        return of(Scheme::Doi, &lower_doi(&doi));
    }
    let lower = text.to_ascii_lowercase();
    // IVOIDs do not know case (IVOA Identifiers 2.0, 2.2.1).
    if lower.starts_with("ivo://") {
        return of(Scheme::Ivo, &lower);
    }
    if lower.starts_with("spase://") {
        return of(Scheme::Spase, text);
    }
    for prefix in ["hdl:", "https://hdl.handle.net/", "http://hdl.handle.net/"] {
        if let Some(handle) = text.strip_prefix(prefix) {
            return of(Scheme::Handle, &format!("https://hdl.handle.net/{handle}"));
        }
    }
    if lower.starts_with("ark:") {
        return of(Scheme::Ark, text);
    }
    let is_concept = |text: &str| {
        let (number, provider) = text.split_once('-')?;
        let digits = number.strip_prefix(['C', 'S', 'V', 'T', 'G'])?;
        let shaped = digits.len() >= 6
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !provider.is_empty()
            && provider.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        shaped.then_some(())
    };
    if is_concept(text).is_some() {
        return of(Scheme::Cmr, text);
    }
    if text.contains("@sha256:") {
        return of(Scheme::Oci, text);
    }
    // http and https of one address name one thing (FAULTS R18).
    if let Some(rest) = text.strip_prefix("http://") {
        return of(Scheme::Iri, &format!("https://{rest}"));
    }
    if lower.starts_with("https://") || lower.starts_with("urn:") {
        return of(Scheme::Iri, text);
    }
    of(Scheme::Local, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_known_by_their_form() {
        for (given, scheme, value) in [
            ("10.5067/ABC", Scheme::Doi, "https://doi.org/10.5067/abc"),
            ("http://dx.doi.org/10.5067/Abc", Scheme::Doi, "https://doi.org/10.5067/abc"),
            ("IVO://ESAVO/gaia", Scheme::Ivo, "ivo://esavo/gaia"),
            ("spase://NASA/NumericalData/ACE", Scheme::Spase, "spase://NASA/NumericalData/ACE"),
            ("C1633360083-OB_DAAC", Scheme::Cmr, "C1633360083-OB_DAAC"),
            ("hdl:11111/22", Scheme::Handle, "https://hdl.handle.net/11111/22"),
            ("http://data.example/x", Scheme::Iri, "https://data.example/x"),
            ("sentinel-2", Scheme::Local, "sentinel-2"),
        ] {
            assert_eq!(alias(given), Alias { scheme, value: value.to_owned() }, "{given}");
        }
    }
}
