//! The triples of a record, public and private apart, without blank nodes.

use oxrdf::vocab::{rdf, xsd};
use oxrdf::{Literal, NamedNode, NamedNodeRef, Term as Object, Triple};
use serde_json::Value as Json;

use super::Record;
use super::value::{Entry, Fields, Value};
use crate::terms::{Datatype, Table, Term, Visibility};

/// The IRIs under which a record is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordIris {
    /// The record: `{base}/id/{zone}/{identifier}`.
    pub record: String,
    /// Its version, when it has one: `{base}/id/{zone}/{identifier}/{version}`.
    pub version: Option<String>,
    /// The base IRI of this catalogue; nothing that a manifest names may speak of what is below it.
    pub base: String,
}

impl RecordIris {
    /// Makes the IRIs of a record of a zone.
    pub fn new(base: &str, zone: &str, record: &Record) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let iri = format!("{base}/id/{zone}/{}", record.identifier());
        let version = record.version().map(|version| format!("{iri}/{version}"));
        Self { record: iri, version, base }
    }
}

impl Record {
    /// Returns the triples of the public or of the private part; the same record gives the same triples, always.
    pub fn triples(&self, iris: &RecordIris, part: Visibility) -> Vec<Triple> {
        let mut writer = Writer { part, further: true, base: Some(&iris.base), triples: Vec::new() };
        writer.record(self, &iris.record);
        if let (Visibility::Public, Some(version)) = (part, &iris.version) {
            let dcat = |name: &str| NamedNode::new_unchecked(format!("http://www.w3.org/ns/dcat#{name}"));
            let (record, version) = (node(&iris.record), node(version));
            writer.triples.push(Triple::new(record.clone(), dcat("hasVersion"), version.clone()));
            writer.triples.push(Triple::new(version, dcat("isVersionOf"), record));
        }
        writer.triples
    }

    /// Returns the triples that [`Record::json_ld`] says, or with the private part: no further properties, no superclasses.
    pub fn core_triples(&self, iri: &str, with_private: bool) -> Vec<Triple> {
        let mut writer = Writer { part: Visibility::Public, further: false, base: None, triples: Vec::new() };
        writer.record(self, iri);
        if with_private {
            writer.part = Visibility::Private;
            writer.record(self, iri);
        }
        writer.triples
    }
}

struct Writer<'a> {
    part: Visibility,
    /// Whether further properties and superclasses are written too.
    further: bool,
    base: Option<&'a str>,
    triples: Vec<Triple>,
}

impl Writer<'_> {
    fn record(&mut self, record: &Record, iri: &str) {
        if self.part == Visibility::Public {
            self.types(iri, &record.kind.iri());
        }
        self.fields(&record.fields, iri);
    }

    fn types(&mut self, subject: &str, class: &NamedNode) {
        self.push(subject, &rdf::TYPE.into_owned(), class.clone());
        if !self.further {
            return;
        }
        let mut open = vec![class.clone()];
        let mut seen = vec![class.clone()];
        while let Some(class) = open.pop() {
            let note = Table::get().classes().iter().find(|note| note.class.iri() == class.as_ref());
            for parent in note.into_iter().flat_map(|note| &note.parents) {
                if !seen.contains(parent) {
                    seen.push(parent.clone());
                    open.push(parent.clone());
                    self.push(subject, &rdf::TYPE.into_owned(), parent.clone());
                }
            }
        }
    }

    fn fields(&mut self, fields: &Fields, subject: &str) {
        for entry in &fields.entries {
            for (index, value) in entry.values.iter().enumerate() {
                match value {
                    Value::Node(inner) => self.node(entry, index, inner, subject),
                    value if entry.term.visibility == self.part => self.value(entry.term, index, value, subject),
                    _ => {}
                }
            }
        }
        if self.part == Visibility::Private {
            for (iri, value) in &fields.foreign {
                self.foreign(subject, iri, value);
            }
        }
    }

    /// Writes a node and the link to it; the private part links a public node only to say something private of it.
    fn node(&mut self, entry: &Entry, index: usize, inner: &Fields, subject: &str) {
        let term = entry.term;
        if self.part == Visibility::Public && term.visibility == Visibility::Private {
            return;
        }
        let mut name = inner.subject(term, index, subject);
        // What a manifest says of an IRI of this catalogue would be said in the catalogue's name.
        if self.base.is_some_and(|base| name.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')))
            && inner.id.is_some()
        {
            name = Fields::default().subject(term, index, subject);
        }
        let before = self.triples.len();
        self.link(term, subject, node(&name));
        let linked = self.triples.len();
        if self.further
            && term.visibility == self.part
            && let Some(class) = &term.node
        {
            self.types(&name, &class.iri().into_owned());
        }
        self.fields(inner, &name);
        let private_of_public = self.part == Visibility::Private && term.visibility == Visibility::Public;
        // A node of which nothing public is said stays unknown to the public, unless it has a name of its own.
        let silent = inner.id.is_none() && !self.says(inner);
        if private_of_public && self.triples.len() == linked || self.part == Visibility::Public && silent {
            self.triples.truncate(before);
        }
    }

    /// Says whether the fields hold anything of the part that is written.
    fn says(&self, fields: &Fields) -> bool {
        fields.entries.iter().any(|entry| {
            entry.term.visibility == self.part
                && entry.values.iter().any(|value| match value {
                    Value::Node(inner) => inner.id.is_some() || self.says(inner),
                    _ => true,
                })
        })
    }

    fn link(&mut self, term: &Term, subject: &str, object: NamedNode) {
        self.push(subject, &term.iri, object.clone());
        if self.further {
            for also in &term.also {
                self.push(subject, also, object.clone());
            }
        }
    }

    fn value(&mut self, term: &Term, index: usize, value: &Value, subject: &str) {
        if term.is_keyword() {
            return self.agent_type(subject, value);
        }
        let object = match value {
            Value::List(texts) => self.list(term, index, texts, subject),
            Value::Iri(iri) => Object::from(node(iri)),
            Value::Concept { iri, .. } => Object::from(node(iri)),
            Value::Text { text, language } => match Literal::new_language_tagged_literal(text, language) {
                Ok(literal) => literal.into(),
                Err(_) => Literal::new_simple_literal(text).into(),
            },
            Value::Integer(number) if term.datatype == Datatype::Decimal => {
                Literal::new_typed_literal(number.to_string(), xsd::DECIMAL).into()
            }
            Value::Integer(number) => Literal::new_typed_literal(number.to_string(), xsd::INTEGER).into(),
            Value::Boolean(truth) => Literal::from(*truth).into(),
            Value::Literal(text) => match datatype_of(term.datatype, text) {
                Some(datatype) if datatype != rdf::LANG_STRING => Literal::new_typed_literal(text, datatype).into(),
                _ => Literal::new_simple_literal(text).into(),
            },
            Value::Node(_) => return,
        };
        self.triples.push(Triple::new(node(subject), term.iri.clone(), object.clone()));
        if self.further {
            for also in &term.also {
                self.triples.push(Triple::new(node(subject), also.clone(), object.clone()));
            }
        }
    }

    /// Writes the type of an agent in the words of FOAF, and of schema.org where it has the word.
    fn agent_type(&mut self, subject: &str, value: &Value) {
        let Value::Literal(name) = value else { return };
        self.push(subject, &rdf::TYPE.into_owned(), node(&format!("http://xmlns.com/foaf/0.1/{name}")));
        if self.further && matches!(name.as_str(), "Person" | "Organization") {
            self.push(subject, &rdf::TYPE.into_owned(), node(&format!("https://schema.org/{name}")));
        }
    }

    /// Writes an RDF list whose cells have IRIs below the subject.
    fn list(&mut self, term: &Term, index: usize, texts: &[String], subject: &str) -> Object {
        let joint = if subject.contains('#') { '.' } else { '#' };
        let cell = |number: usize| node(&format!("{subject}{joint}{}-list-{}-{}", term.name(), index + 1, number + 1));
        for (number, text) in texts.iter().enumerate() {
            let rest = if number + 1 < texts.len() { cell(number + 1) } else { rdf::NIL.into_owned() };
            self.triples.push(Triple::new(cell(number), rdf::FIRST, Literal::new_simple_literal(text)));
            self.triples.push(Triple::new(cell(number), rdf::REST, rest));
        }
        if texts.is_empty() { rdf::NIL.into_owned().into() } else { cell(0).into() }
    }

    /// Writes what a property of another vocabulary says, as far as it is plain values and IRIs.
    fn foreign(&mut self, subject: &str, property: &str, value: &Json) {
        let Ok(property) = NamedNode::new(property) else { return };
        match value {
            Json::Array(items) => items.iter().for_each(|item| self.foreign(subject, property.as_str(), item)),
            Json::Object(object) => {
                let text = |key: &str| object.get(key).and_then(Json::as_str);
                let object = match (text("@id"), text("@value"), text("@language"), text("@type")) {
                    (Some(iri), None, None, None) => NamedNode::new(iri).ok().map(Object::from),
                    (None, Some(text), Some(tag), None) => {
                        Literal::new_language_tagged_literal(text, tag).ok().map(Object::from)
                    }
                    (None, Some(text), None, Some(datatype)) => crate::manifest::expand(datatype)
                        .and_then(|iri| NamedNode::new(iri).ok())
                        .map(|datatype| Literal::new_typed_literal(text, datatype).into()),
                    (None, Some(text), None, None) => Some(Literal::new_simple_literal(text).into()),
                    _ => None,
                };
                if let Some(object) = object {
                    self.triples.push(Triple::new(node(subject), property, object));
                }
            }
            Json::String(text) => {
                self.triples.push(Triple::new(node(subject), property, Literal::new_simple_literal(text)))
            }
            Json::Bool(truth) => self.triples.push(Triple::new(node(subject), property, Literal::from(*truth))),
            Json::Number(number) => {
                if let Some(whole) = number.as_i64() {
                    self.triples.push(Triple::new(node(subject), property, Literal::from(whole)));
                } else if let Some(double) = number.as_f64() {
                    self.triples.push(Triple::new(node(subject), property, Literal::from(double)));
                }
            }
            Json::Null => {}
        }
    }

    fn push(&mut self, subject: &str, predicate: &NamedNode, object: NamedNode) {
        self.triples.push(Triple::new(node(subject), predicate.clone(), object));
    }
}

/// Returns the datatype of a literal; dates of other catalogues may be shorter than ours, and are typed as what they are.
fn datatype_of(datatype: Datatype, text: &str) -> Option<NamedNodeRef<'static>> {
    match datatype {
        Datatype::Date | Datatype::DateTime if text.len() < 10 => crate::manifest::short_date(text),
        Datatype::DateTime if text.len() == 10 => Some(xsd::DATE),
        other => other.rdf_datatype(),
    }
}

/// Makes a node of an IRI that validation has checked, or that is made of parts which cannot break one.
fn node(iri: &str) -> NamedNode {
    NamedNode::new_unchecked(iri)
}
