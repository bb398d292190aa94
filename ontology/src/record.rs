//! A record that was found valid: its terms, its document, its triples and what pages show of it.

use std::fmt;

use catalog_schemas::problem::Finding;
use serde_json::{Map, Value as Json};

use crate::manifest::{Node, trusted, trusted_values};
use crate::terms::{Datatype, Kind, Table, Term, Visibility};

mod launch;
mod quality;
mod triples;
pub(crate) mod value;
mod view;

pub use launch::{Readiness, Runtime};
pub use triples::RecordIris;
pub use value::{Fields, Value};

use value::Style;

/// A record of the catalogue: a kind, and the values of its terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    kind: Kind,
    fields: Fields,
}

/// Says why a document is not a record, or a value not one of its term.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// The document is no object, or its `@type` names no kind.
    #[error("a record document is an object whose `@type` is a kind of record")]
    Kind,
    /// The kind has no such term.
    #[error("a {kind} has no term `{key}`")]
    UnknownTerm {
        /// The kind.
        kind: Kind,
        /// The key asked for.
        key: String,
    },
    /// Something in it breaks a rule.
    #[error("`{}`: {}", .0.pointer, .0.message)]
    Invalid(Box<Finding>),
}

impl Record {
    pub(crate) fn from_fields(kind: Kind, fields: Fields) -> Self {
        Self { kind, fields }
    }

    /// Makes a record without terms, for what the application describes itself, such as a datazone.
    pub fn empty(kind: Kind) -> Self {
        Self { kind, fields: Fields::default() }
    }

    /// Reads a record document, as [`Record::document`] writes it; `@context` and `@id` are passed over.
    pub fn from_document(document: &Json) -> Result<Self, RecordError> {
        let tree = Node::from_json(document);
        let members = tree.as_object().ok_or(RecordError::Kind)?;
        let kind = tree.get("@type").and_then(Node::as_str).and_then(Kind::from_word).ok_or(RecordError::Kind)?;
        let (fields, findings) = trusted(kind, members);
        use catalog_schemas::problem::Severity;
        match findings.into_iter().find(|finding| finding.severity == Severity::Error) {
            Some(finding) => Err(RecordError::Invalid(Box::new(finding))),
            None => Ok(Self { kind, fields }),
        }
    }

    /// Returns the record document: the keys of a manifest with normalised values; what the ledger stores.
    pub fn document(&self) -> Json {
        self.written(&self.fields, Style::Document, None)
    }

    /// Returns the record without what is private.
    pub fn public(&self) -> Self {
        Self { kind: self.kind, fields: self.public_fields() }
    }

    /// Returns the record document without what is private.
    pub fn public_document(&self) -> Json {
        self.written(&self.public_fields(), Style::Document, None)
    }

    /// Returns the public part as JSON-LD about `iri`, with the context of the catalogue.
    pub fn json_ld(&self, iri: &str) -> Json {
        self.json_ld_of(&self.public_fields(), iri)
    }

    /// Returns public and private terms as JSON-LD about `iri`, for those who may read them.
    pub fn json_ld_with_private(&self, iri: &str) -> Json {
        self.json_ld_of(&self.fields, iri)
    }

    fn json_ld_of(&self, fields: &Fields, iri: &str) -> Json {
        let mut object = Map::new();
        object.insert("@context".to_owned(), Json::String(catalog_schemas::CONTEXT.to_owned()));
        if let Json::Object(rest) = self.written(fields, Style::JsonLd, Some(iri)) {
            object.extend(rest);
        }
        Json::Object(object)
    }

    fn written(&self, fields: &Fields, style: Style, subject: Option<&str>) -> Json {
        let mut object = Map::new();
        object.insert("@type".to_owned(), Json::String(self.kind.as_str().to_owned()));
        fields.write("", style, subject, &mut object);
        Json::Object(object)
    }

    fn public_fields(&self) -> Fields {
        self.fields.filtered(&|term| term.visibility == Visibility::Public, false)
    }

    /// Returns the terms that a role may write, in nested nodes too; nothing of other vocabularies.
    pub fn written_by(&self, role: catalog_schemas::account::Role) -> Self {
        Self { kind: self.kind, fields: self.fields.filtered(&|term| term.is_writable_by(role), false) }
    }

    /// Returns what the record is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the publisher's identifier, `namespace.name`; empty for an overlay that does not hold it.
    pub fn identifier(&self) -> &str {
        self.string("identifier").unwrap_or_default()
    }

    /// Returns the version, when the record has one.
    pub fn version(&self) -> Option<&str> {
        self.string("softwareVersion").or_else(|| self.string("version"))
    }

    /// Returns the terms with their values.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the values of a dotted key, through the nodes on its way.
    pub fn values(&self, key: &str) -> Vec<&Value> {
        let mut found = Vec::new();
        if let Some(term) = self.term(key) {
            self.fields.collect(&term.key, &mut found);
        }
        found
    }

    fn term(&self, key: &str) -> Option<&'static Term> {
        Table::get().by_key(self.kind, key)
    }

    /// Returns the first plain text, IRI or concept path of a key.
    pub fn string(&self, key: &str) -> Option<&str> {
        self.values(key).into_iter().find_map(plain)
    }

    /// Returns every plain text, IRI or concept path of a key.
    pub fn strings(&self, key: &str) -> Vec<&str> {
        self.values(key).into_iter().filter_map(plain).collect()
    }

    /// Returns the text of a key in the best language: the one asked for, then its base language, English, any.
    pub fn text(&self, key: &str, language: &str) -> Option<&str> {
        let texts = self.texts(key);
        let wanted = language.to_ascii_lowercase();
        let base = wanted.split('-').next().unwrap_or_default();
        let rank = |tag: &str| match tag {
            tag if tag == wanted => 0,
            tag if tag.split('-').next() == Some(base) => 1,
            "en" => 2,
            tag if tag.starts_with("en-") => 3,
            _ => 4,
        };
        texts.into_iter().min_by_key(|(tag, _)| rank(tag)).map(|(_, text)| text)
    }

    /// Returns every text of a key with its language, empty for plain text.
    pub fn texts(&self, key: &str) -> Vec<(&str, &str)> {
        self.values(key)
            .into_iter()
            .filter_map(|value| match value {
                Value::Text { text, language } => Some((language.as_str(), text.as_str())),
                other => plain(other).map(|text| ("", text)),
            })
            .collect()
    }

    /// Returns the name in the best language: `name`, or the `title` of a dataset.
    pub fn name(&self, language: &str) -> &str {
        self.text("name", language).unwrap_or_default()
    }

    /// Returns the concept paths of a key, such as `astronomy/gaia`.
    pub fn concepts(&self, key: &str) -> Vec<&str> {
        self.values(key)
            .into_iter()
            .filter_map(|value| match value {
                Value::Concept { path, .. } => Some(path.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Returns the whole number of a key.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.values(key).into_iter().find_map(|value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })
    }

    /// Returns the whole numbers of a key.
    pub fn integers(&self, key: &str) -> Vec<i64> {
        let number = |value| match value {
            &Value::Integer(number) => Some(number),
            _ => None,
        };
        self.values(key).into_iter().filter_map(number).collect()
    }

    /// Returns the truth of a key.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        self.values(key).into_iter().find_map(|value| match value {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        })
    }

    /// Returns the nodes of a key.
    pub fn nodes(&self, key: &str) -> Vec<&Fields> {
        self.values(key)
            .into_iter()
            .filter_map(|value| match value {
                Value::Node(fields) => Some(fields),
                _ => None,
            })
            .collect()
    }

    /// Says whether a moderator confirmed that the record is official.
    pub fn is_official(&self) -> bool {
        self.boolean("officialConfirmed") == Some(true)
    }

    /// Sets a term as the application writes it, in the form of a manifest; `null` removes it.
    ///
    /// The key is dotted: `datalabImage.digest` makes the node `datalabImage` when there is none.
    pub fn set(&mut self, key: &str, value: &Json) -> Result<(), RecordError> {
        let unknown = || RecordError::UnknownTerm { kind: self.kind, key: key.to_owned() };
        let term = self.term(key).filter(|term| !term.is_keyword() && !term.is_refused()).ok_or_else(unknown)?;
        if let (Datatype::Nest, Json::Object(members)) = (term.datatype, value) {
            // A group is no value of its own: its members are set one by one.
            return members.iter().try_for_each(|(name, value)| self.set(&format!("{}.{name}", term.key), value));
        }
        if term.datatype == Datatype::Nest && !value.is_null() {
            let finding = Finding::error("value.type", format!("`{}` is not an object", term.key))
                .pointer(format!("/{}", term.key));
            return Err(RecordError::Invalid(Box::new(finding)));
        }
        let mut values = Vec::new();
        if !value.is_null() {
            let (read, findings) = trusted_values(term, value);
            use catalog_schemas::problem::Severity;
            if let Some(finding) = findings.into_iter().find(|finding| finding.severity == Severity::Error) {
                return Err(RecordError::Invalid(Box::new(finding)));
            }
            values = read;
        }
        let mut fields = &mut self.fields;
        // Every node between the record and the term, from the outside in; a list of nodes is set as a whole, not through.
        let mut around = Vec::new();
        let mut holder = Table::get().subject_key(term);
        while let Some(node) = Table::get().by_key(self.kind, holder) {
            around.push(node);
            holder = Table::get().subject_key(node);
        }
        for node in around.into_iter().rev() {
            if node.is_many() {
                return Err(RecordError::UnknownTerm { kind: self.kind, key: key.to_owned() });
            }
            if fields.of(node).is_none() {
                if values.is_empty() {
                    return Ok(());
                }
                fields.add(node, vec![Value::Node(Fields::default())]);
            }
            let inner = fields.entries.iter_mut().find(|entry| std::ptr::eq(entry.term, node));
            match inner.and_then(|entry| entry.values.first_mut()) {
                Some(Value::Node(inner)) => fields = inner,
                _ => return Err(RecordError::UnknownTerm { kind: self.kind, key: key.to_owned() }),
            }
        }
        fields.remove(term);
        fields.add(term, values);
        Ok(())
    }

    /// Lays another record's terms over this one: each term that `overlay` has replaces this record's.
    pub fn overlay(&mut self, overlay: &Self) {
        overlay_fields(&mut self.fields, &overlay.fields);
    }
}

fn overlay_fields(under: &mut Fields, over: &Fields) {
    for entry in &over.entries {
        let single = !entry.term.is_many();
        let inner = under.entries.iter_mut().find(|other| std::ptr::eq(other.term, entry.term));
        match (inner.and_then(|entry| entry.values.first_mut()), entry.values.first()) {
            (Some(Value::Node(under)), Some(Value::Node(over))) if single => overlay_fields(under, over),
            _ => {
                under.remove(entry.term);
                under.add(entry.term, entry.values.clone());
            }
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind, self.identifier(), self.version().unwrap_or_default())
    }
}

/// Returns the text of a value that is one.
fn plain(value: &Value) -> Option<&str> {
    match value {
        Value::Literal(text) | Value::Text { text, .. } | Value::Iri(text) => Some(text),
        Value::Concept { path, .. } => Some(path),
        _ => None,
    }
}
