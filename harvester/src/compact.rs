//! Statements in our terms to a manifest, by the term table.

use std::collections::HashMap;
use std::sync::LazyLock;

use catalog_ontology::terms::{Datatype, Kind, Table, Term as Key};
use catalog_schemas::account::Role;
use oxrdf::vocab::rdf;
use oxrdf::{NamedOrBlankNode, Term, Triple};
use serde_json::{Map, Value};

use crate::item::{Fault, Place, Unmatched};
use crate::values;

/// What a property means on a node of a kind: the first part is the dotted key of the term that leads to the node.
type Meanings = HashMap<(Kind, &'static str, &'static str), Vec<&'static Key>>;

static MEANINGS: LazyLock<Meanings> = LazyLock::new(|| {
    let table = Table::get();
    let mut meanings = Meanings::new();
    for kind in Kind::ALL {
        // What a property is first counts before what it is also written as.
        for first in [true, false] {
            for key in table.of(kind).filter(|key| key.datatype != Datatype::Nest && !key.name().starts_with('@')) {
                let around = table.subject_key(key);
                let properties: Vec<&str> = if first {
                    vec![key.iri.as_str()]
                } else {
                    key.also.iter().map(oxrdf::NamedNode::as_str).collect()
                };
                for property in properties {
                    let known = meanings.entry((kind, around, property)).or_default();
                    if first || known.is_empty() {
                        known.push(key);
                    }
                }
            }
        }
    }
    meanings
});

/// The deepest that nodes are followed.
const DEEPEST: usize = 8;

/// What became of the statements about a record.
#[derive(Debug)]
pub(crate) struct Compacted {
    pub(crate) kind: Kind,
    pub(crate) manifest: Map<String, Value>,
    /// The identifiers that the source gives the thing: `dcterms:identifier`, `sdo:identifier`, `adms:identifier`.
    pub(crate) identifiers: Vec<String>,
    pub(crate) unmatched: Vec<Unmatched>,
    pub(crate) remarks: Vec<Fault>,
}

/// Collects what is noticed on the way.
pub(crate) struct Notes<'a> {
    pub(crate) place: &'a Place,
    pub(crate) unmatched: Vec<Unmatched>,
    pub(crate) remarks: Vec<Fault>,
    /// Words that name no concept: they become keywords.
    pub(crate) words: Vec<String>,
    /// What is said about rights in words.
    pub(crate) rights: Vec<(String, Option<String>)>,
}

impl Notes<'_> {
    pub(crate) fn remark(&mut self, code: &str, message: String) {
        if self.remarks.len() < 50 {
            self.remarks.push(Fault::new(code, self.place.clone(), message));
        }
    }
}

struct Reader<'a> {
    kind: Kind,
    by_subject: HashMap<&'a NamedOrBlankNode, Vec<&'a Triple>>,
}

/// Writes the manifest of a record; nothing when no statement says what kind of record it is.
pub(crate) fn compact(subject: &NamedOrBlankNode, triples: &[Triple], place: &Place) -> Option<Compacted> {
    let mut by_subject: HashMap<&NamedOrBlankNode, Vec<&Triple>> = HashMap::new();
    for triple in triples {
        by_subject.entry(&triple.subject).or_default().push(triple);
    }
    let kind = by_subject.get(subject)?.iter().find_map(|triple| match &triple.object {
        Term::NamedNode(class) if triple.predicate == rdf::TYPE => {
            Kind::from_word(class.as_str().strip_prefix(catalog_ontology::terms::ESADO)?)
                .filter(|kind| kind.is_uploaded())
        }
        _ => None,
    })?;
    let reader = Reader { kind, by_subject };
    let mut notes = Notes { place, unmatched: Vec::new(), remarks: Vec::new(), words: Vec::new(), rights: Vec::new() };
    let identifiers = reader.identifiers(subject);
    let mut manifest = Map::new();
    manifest.insert("@context".to_owned(), Value::String(catalog_schemas::CONTEXT.to_owned()));
    manifest.insert("@type".to_owned(), Value::String(kind.as_str().to_owned()));
    manifest.extend(reader.node("", subject, &mut notes, 0));
    for key in ["identifier", "otherIdentifier"] {
        manifest.remove(key);
    }
    add_words(kind, &mut manifest, std::mem::take(&mut notes.words));
    add_rights(&mut manifest, std::mem::take(&mut notes.rights));
    let Notes { mut unmatched, remarks, .. } = notes;
    unmatched.sort();
    unmatched.dedup();
    Some(Compacted { kind, manifest, identifiers, unmatched, remarks })
}

impl Reader<'_> {
    fn identifiers(&self, subject: &NamedOrBlankNode) -> Vec<String> {
        let of = |property: &str| {
            let triples = self.by_subject.get(subject).map(Vec::as_slice).unwrap_or_default();
            let property = property.to_owned();
            triples.iter().filter(move |triple| triple.predicate.as_str() == property).map(|triple| &triple.object)
        };
        let mut found: Vec<String> = Vec::new();
        let first = ["https://schema.org/identifier", "http://purl.org/dc/terms/identifier"];
        for property in first.into_iter().chain(["http://www.w3.org/ns/adms#identifier"]) {
            let mut here: Vec<String> = of(property)
                .filter_map(|term| match term {
                    Term::Literal(literal) => Some(literal.value().trim().to_owned()),
                    Term::NamedNode(node) if !self.by_subject.contains_key(&NamedOrBlankNode::from(node.clone())) => {
                        Some(node.as_str().to_owned())
                    }
                    Term::NamedNode(node) => self.notation(&node.clone().into()),
                    Term::BlankNode(node) => self.notation(&node.clone().into()),
                    #[allow(unreachable_patterns)]
                    _ => None,
                })
                .filter(|text| !text.is_empty() && text.len() <= 500)
                .collect();
            // Statements have no order: the shortest, then the first in the alphabet, is the same every time.
            here.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
            for text in here {
                if !found.contains(&text) {
                    found.push(text);
                }
            }
        }
        found
    }

    fn notation(&self, node: &NamedOrBlankNode) -> Option<String> {
        self.by_subject.get(node)?.iter().find_map(|triple| match &triple.object {
            Term::Literal(literal)
                if matches!(
                    triple.predicate.as_str(),
                    "http://www.w3.org/2004/02/skos/core#notation" | "https://schema.org/value"
                ) =>
            {
                Some(literal.value().trim().to_owned())
            }
            _ => None,
        })
    }

    /// Writes a node that the term at the dotted key `around` leads to.
    fn node(
        &self,
        around: &str,
        subject: &NamedOrBlankNode,
        notes: &mut Notes<'_>,
        depth: usize,
    ) -> Map<String, Value> {
        let mut found: HashMap<&'static str, (&'static Key, Vec<Value>)> = HashMap::new();
        if depth > DEEPEST {
            return Map::new();
        }
        for triple in self.by_subject.get(subject).map(Vec::as_slice).unwrap_or_default() {
            let Some((key, value)) = self.value(around, triple, notes, depth) else { continue };
            let (_, values) = found.entry(key.key.as_str()).or_insert_with(|| (key, Vec::new()));
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|(key, _)| std::ptr::from_ref::<Key>(key));
        let mut object = Map::new();
        for (key, values) in found {
            let Some(value) = gather(key, values, notes) else { continue };
            let rest = key.key.strip_prefix(around).unwrap_or(&key.key).trim_start_matches('.');
            insert(&mut object, rest, value);
        }
        self.node_keywords(around, subject, &mut object);
        object
    }

    /// Adds `@id` and `@type` where the table has a place for them.
    fn node_keywords(&self, around: &str, subject: &NamedOrBlankNode, object: &mut Map<String, Value>) {
        if around.is_empty() {
            return;
        }
        let table = Table::get();
        let has = |name: &str| table.by_key(self.kind, &format!("{around}.{name}"));
        if let NamedOrBlankNode::NamedNode(node) = subject
            && has("@id").is_some()
            && values::is_web_or_urn(node.as_str())
        {
            object.insert("@id".to_owned(), Value::String(node.as_str().to_owned()));
        }
        let Some(key) = has("@type") else { return };
        let types = self.by_subject.get(subject).map(Vec::as_slice).unwrap_or_default();
        let name = types.iter().find_map(|triple| match &triple.object {
            Term::NamedNode(class) if triple.predicate == rdf::TYPE => {
                let name = class.as_str().rsplit(['#', '/']).next()?;
                key.values.iter().find(|value| *value == name)
            }
            _ => None,
        });
        if let (Some(name), false) = (name, object.is_empty()) {
            object.insert("@type".to_owned(), Value::String(name.clone()));
        }
    }

    fn value(
        &self,
        around: &str,
        triple: &Triple,
        notes: &mut Notes<'_>,
        depth: usize,
    ) -> Option<(&'static Key, Value)> {
        let keys = MEANINGS.get(&(self.kind, around_key(self.kind, around), triple.predicate.as_str()))?;
        let key = *keys.first()?;
        if key.datatype != Datatype::Node {
            return values::value(key, &triple.object, notes).map(|value| (key, value));
        }
        let subject = match &triple.object {
            Term::NamedNode(node) => NamedOrBlankNode::from(node.clone()),
            Term::BlankNode(node) => NamedOrBlankNode::from(node.clone()),
            Term::Literal(literal) => {
                // Many catalogues write the name of an agent or place where a node is meant.
                let name = named(self.kind, key)?;
                let text = literal.value().trim();
                let mut object = Map::new();
                object.insert(name.to_owned(), values::cut(text, 200)?);
                return Some((key, Value::Object(object)));
            }
            #[allow(unreachable_patterns)]
            _ => return None,
        };
        let object = self.node(&key.key, &subject, notes, depth + 1);
        if object.is_empty() || object.keys().all(|key| key == "@type") {
            return None;
        }
        // A part without what makes it one, such as a distribution without an address, says nothing; one with a name of
        // its own can be looked up.
        let lacks = |child: &&Key| {
            let owed = child.is_required_from(Role::Developer) && child.datatype != Datatype::Nest;
            owed && !object.contains_key(child.name())
        };
        if !object.contains_key("@id")
            && let Some(missing) = Table::get().children(self.kind, &key.key).into_iter().find(lacks)
        {
            notes.remark("node.incomplete", format!("a `{}` has no `{}`", key.key, missing.name()));
            return None;
        }
        Some((key, Value::Object(object)))
    }
}

/// Returns the key with the life of the table.
fn around_key(kind: Kind, around: &str) -> &'static str {
    if around.is_empty() { "" } else { Table::get().by_key(kind, around).map_or("", |key| key.key.as_str()) }
}

/// Returns the member that holds the name of a node, when a text can stand for the node.
fn named(kind: Kind, key: &Key) -> Option<&'static str> {
    let has = |name: &str| Table::get().by_key(kind, &format!("{}.{name}", key.key)).is_some();
    ["name"].into_iter().find(|name| has(name))
}

/// Puts the values of a term together as its datatype and cardinality want them.
fn gather(key: &'static Key, mut values: Vec<Value>, notes: &mut Notes<'_>) -> Option<Value> {
    if key.datatype == Datatype::LanguageText {
        return values::texts(key, values, notes);
    }
    if values.len() > 1 {
        // Statements have no order, and the same manifest must come of the same statements.
        values.sort_by_cached_key(Value::to_string);
    }
    match key.max {
        Some(1) => {
            if values.len() > 1 {
                let name = key.name();
                notes.remark("value.several", format!("`{name}` has {} values; one is kept", values.len()));
            }
            values.into_iter().next()
        }
        _ if values.is_empty() => None,
        _ => Some(Value::Array(values)),
    }
}

/// Inserts at a dotted path.
fn insert(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            object.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Keeps words that name no concept as keywords.
fn add_words(kind: Kind, manifest: &mut Map<String, Value>, words: Vec<String>) {
    if words.is_empty() || Table::get().by_key(kind, "keyword").is_none() {
        return;
    }
    let keywords = manifest.entry("keyword").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(keywords) = keywords {
        let english = keywords.entry("en").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(english) = english {
            for word in words {
                let known = |other: &Value| other.as_str().is_some_and(|other| other.eq_ignore_ascii_case(&word));
                if !english.iter().any(known) && word.chars().count() <= 100 {
                    english.push(Value::String(word));
                }
            }
            english.sort_by_cached_key(Value::to_string);
            if english.is_empty() {
                keywords.remove("en");
            }
        }
        if keywords.is_empty() {
            manifest.remove("keyword");
        }
    }
}

/// Keeps what is said about rights in words.
fn add_rights(manifest: &mut Map<String, Value>, rights: Vec<(String, Option<String>)>) {
    for (text, language) in rights {
        let all = manifest.entry("rights").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(all) = all {
            let language = language.unwrap_or_else(|| "en".to_owned());
            let texts = all.entry(language).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(texts) = texts {
                let text = Value::String(text);
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
    }
}
