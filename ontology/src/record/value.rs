//! The typed tree of a record: terms with their values, nodes within nodes.

use serde_json::{Map, Number, Value as Json};

use crate::terms::{Datatype, Term};

/// One value of a term.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text in a language; the tag is in lower case.
    Text {
        /// The text.
        text: String,
        /// Its BCP 47 tag.
        language: String,
    },
    /// Any value whose RDF literal is its text: plain text, dates, digests, versions, decimals in canonical form.
    Literal(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// An ordered list of texts, which is one value.
    List(Vec<String>),
    /// A concept.
    Concept {
        /// As the record document and facets write it: a path of notations such as `astronomy/gaia`.
        path: String,
        /// Its IRI.
        iri: String,
    },
    /// An absolute IRI.
    Iri(String),
    /// A node of its own.
    Node(Fields),
}

/// The terms of a record or of a node within it, in the order of the term table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    /// The IRI that the manifest gives a nested node, such as an ORCID.
    pub(crate) id: Option<String>,
    pub(crate) entries: Vec<Entry>,
    /// Properties of namespaces that are not ours, by IRI, kept as they were written; always private.
    pub(crate) foreign: Vec<(String, Json)>,
}

/// A term with its values.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) term: &'static Term,
    pub(crate) values: Vec<Value>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.term, other.term) && self.values == other.values
    }
}

impl Fields {
    /// Returns the values of a term of this very node.
    pub(crate) fn of(&self, term: &Term) -> Option<&[Value]> {
        self.entries.iter().find(|entry| std::ptr::eq(entry.term, term)).map(|entry| entry.values.as_slice())
    }

    /// Adds values to a term, keeping the order of the table; nothing is added for no values.
    pub(crate) fn add(&mut self, term: &'static Term, values: Vec<Value>) {
        if values.is_empty() {
            return;
        }
        // The terms of a kind lie in one vector in the order of the table, so their addresses have that order.
        match self.entries.binary_search_by_key(&std::ptr::from_ref(term), |entry| std::ptr::from_ref(entry.term)) {
            Ok(at) => self.entries[at].values.extend(values),
            Err(at) => self.entries.insert(at, Entry { term, values }),
        }
    }

    /// Removes a term.
    pub(crate) fn remove(&mut self, term: &Term) {
        self.entries.retain(|entry| !std::ptr::eq(entry.term, term));
    }

    /// Says whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.foreign.is_empty() && self.id.is_none()
    }

    /// Collects the values of a canonical dotted key, through the nodes on its way.
    pub(crate) fn collect<'a>(&'a self, key: &str, found: &mut Vec<&'a Value>) {
        for entry in &self.entries {
            if entry.term.key == key {
                found.extend(&entry.values);
            } else if key.strip_prefix(entry.term.key.as_str()).is_some_and(|rest| rest.starts_with('.')) {
                for value in &entry.values {
                    if let Value::Node(fields) = value {
                        fields.collect(key, found);
                    }
                }
            }
        }
    }

    /// Returns the IRI that a nested node was given, such as an ORCID.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the first text of the term whose key ends with `name`, for nodes with a name.
    pub fn text(&self, name: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.term.name() == name)?;
        match entry.values.first()? {
            Value::Text { text, .. } | Value::Literal(text) => Some(text),
            Value::Iri(iri) => Some(iri),
            Value::Concept { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Returns the first node of the term whose key ends with `name`.
    pub fn node(&self, name: &str) -> Option<&Self> {
        self.entries.iter().find(|entry| entry.term.name() == name)?.values.first().and_then(|value| match value {
            Value::Node(fields) => Some(fields),
            _ => None,
        })
    }

    /// Returns the first truth of the term whose key ends with `name`.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.entries.iter().find(|entry| entry.term.name() == name)?.values.first().and_then(|value| match value {
            Value::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    /// Returns the first whole number of the term whose key ends with `name`.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.entries.iter().find(|entry| entry.term.name() == name)?.values.first().and_then(|value| match value {
            Value::Integer(value) => Some(*value),
            _ => None,
        })
    }

    /// Returns the IRI of this node as the value number `index` of `term` of the node `around`.
    ///
    /// A node without an IRI of its own gets one below the record's, never a blank node: equal records are equal triples.
    pub(crate) fn subject(&self, term: &Term, index: usize, around: &str) -> String {
        if let Some(id) = &self.id {
            return id.clone();
        }
        let (mut subject, joint) = (around.to_owned(), if around.contains('#') { '.' } else { '#' });
        subject.push(joint);
        subject.push_str(term.name());
        if term.is_many() {
            subject.push_str(&format!("-{}", index + 1));
        }
        subject
    }

    /// Returns the fields whose terms pass, in nested nodes too; nodes left with nothing are dropped.
    pub(crate) fn filtered(&self, keep: &dyn Fn(&Term) -> bool, foreign: bool) -> Self {
        let mut fields = Self { id: self.id.clone(), ..Self::default() };
        for entry in &self.entries {
            if entry.term.datatype == Datatype::Node {
                let nodes = entry.values.iter().filter_map(|value| match value {
                    Value::Node(node) => {
                        Some(node.filtered(keep, foreign)).filter(|node| !node.is_empty()).map(Value::Node)
                    }
                    other => Some(other.clone()),
                });
                if keep(entry.term) {
                    fields.add(entry.term, nodes.collect());
                }
            } else if keep(entry.term) {
                fields.add(entry.term, entry.values.clone());
            }
        }
        if foreign {
            fields.foreign.clone_from(&self.foreign);
        }
        fields
    }

    /// Writes the fields with the keys of a manifest; `base` is the key of the node they stand in.
    pub(crate) fn write(&self, base: &str, style: Style, subject: Option<&str>, object: &mut Map<String, Json>) {
        if let Some(id) = subject.or(self.id.as_deref()) {
            object.insert("@id".to_owned(), Json::String(id.to_owned()));
        }
        for entry in &self.entries {
            let path = entry.term.key.strip_prefix(base).unwrap_or(&entry.term.key).trim_start_matches('.');
            let value = entry_json(entry, style, subject);
            let (groups, name) = path.rsplit_once('.').unwrap_or(("", path));
            let mut target = &mut *object;
            for name in groups.split('.').filter(|name| !name.is_empty()) {
                target = group(target, name);
            }
            target.insert(name.to_owned(), value);
        }
        for (iri, value) in &self.foreign {
            object.insert(iri.clone(), value.clone());
        }
    }
}

/// Returns the object at a key, which is made when there is none.
fn group<'m>(object: &'m mut Map<String, Json>, name: &str) -> &'m mut Map<String, Json> {
    let slot = object.entry(name).or_insert_with(|| Json::Object(Map::new()));
    if !slot.is_object() {
        *slot = Json::Object(Map::new());
    }
    slot.as_object_mut().expect("it was made an object just above")
}

/// Which reader a document is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// The record document: concepts as paths, decimals as numbers.
    Document,
    /// JSON-LD: concepts as the IRIs they are, decimals as text, since a JSON fraction becomes a double in RDF.
    JsonLd,
}

fn entry_json(entry: &Entry, style: Style, subject: Option<&str>) -> Json {
    let term = entry.term;
    if term.datatype == Datatype::LanguageText {
        let mut map = Map::new();
        for value in &entry.values {
            let Value::Text { text, language } = value else { continue };
            if term.per_language {
                map.insert(language.clone(), Json::String(text.clone()));
            } else {
                let slot = map.entry(language.clone()).or_insert_with(|| Json::Array(Vec::new()));
                if let Json::Array(texts) = slot {
                    texts.push(Json::String(text.clone()));
                }
            }
        }
        return Json::Object(map);
    }
    let mut values: Vec<Json> = entry
        .values
        .iter()
        .enumerate()
        .map(|(index, value)| match value {
            Value::Node(fields) => {
                let name = subject.map(|subject| fields.subject(term, index, subject));
                let mut object = Map::new();
                fields.write(&term.key, style, name.as_deref(), &mut object);
                Json::Object(object)
            }
            value => value_json(term, value, style),
        })
        .collect();
    if term.is_many() { Json::Array(values) } else { values.pop().unwrap_or(Json::Null) }
}

fn value_json(term: &Term, value: &Value, style: Style) -> Json {
    match value {
        Value::Text { text, language } => serde_json::json!({ "@value": text, "@language": language }),
        Value::Literal(text)
            if term.datatype == Datatype::Decimal && (style == Style::Document || !text.contains('.')) =>
        {
            match (text.parse::<i64>(), text.parse::<f64>().ok().and_then(Number::from_f64)) {
                (Ok(whole), _) => Json::from(whole),
                (_, Some(number)) => Json::Number(number),
                _ => Json::String(text.clone()),
            }
        }
        Value::Literal(text) => Json::String(text.clone()),
        Value::Integer(number) => Json::from(*number),
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::List(texts) => Json::from(texts.clone()),
        Value::Concept { path, .. } if style == Style::Document => Json::String(path.clone()),
        Value::Concept { iri, .. } => Json::String(iri.clone()),
        // A term that takes text or an IRI needs the object form in JSON-LD, or the IRI would be read as text.
        Value::Iri(iri) if term.datatype == Datatype::TextOrIri && style == Style::JsonLd => {
            serde_json::json!({ "@id": iri })
        }
        Value::Iri(iri) => Json::String(iri.clone()),
        // Nodes are written by the caller, which knows their name.
        Value::Node(_) => Json::Null,
    }
}
