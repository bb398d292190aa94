//! The terms of a record ready to be shown: labels, links and the facets that find more of the same.

use catalog_schemas::record::{TermValue, TermValues};

use super::Record;
use super::value::{Entry, Fields, Value};
use crate::manifest::licence_identifier;
use crate::scheme::Scheme;
use crate::terms::{Datatype, Term, Visibility};

/// The keys that are facets, with the facet's name.
const FACETS: [(&str, &str); 8] = [
    ("property", "property"),
    ("domain", "domain"),
    ("mission", "mission"),
    ("instrument", "instrument"),
    ("thematicArea", "thematicArea"),
    ("interfaceType", "interface"),
    ("associatedFileType", "fileType"),
    ("license", "licence"),
];

/// The members that name a node, the best first.
const NAMES: [&str; 6] = ["name", "title", "endpointURL", "accessURL", "keyId", "value"];

/// The members under which a node can be visited.
const LINKS: [&str; 6] = ["url", "accessURL", "downloadURL", "endpointURL", "volume", "email"];

impl Record {
    /// Returns the terms that a viewer sees: the public ones, or with [`Visibility::Private`] all of them.
    pub fn terms_view(&self, viewer: Visibility) -> Vec<TermValues> {
        let mut shown = Vec::new();
        show(&self.fields, viewer, &mut shown);
        shown
    }
}

fn show(fields: &Fields, viewer: Visibility, shown: &mut Vec<TermValues>) {
    for entry in &fields.entries {
        let term = entry.term;
        if term.is_keyword() || viewer == Visibility::Public && term.visibility == Visibility::Private {
            continue;
        }
        let named = entry.values.iter().all(|value| match value {
            Value::Node(node) => title(node).is_some() || term.name() == "volume" || term.name() == "temporal",
            _ => true,
        });
        if named {
            let values: Vec<_> = entry.values.iter().map(|value| shown_value(entry, value)).collect();
            append(term, values, shown);
        } else {
            for value in &entry.values {
                if let Value::Node(node) = value {
                    show(node, viewer, shown);
                }
            }
        }
    }
}

/// Adds values to a term, to the line that is there when several nodes hold the same term.
fn append(term: &Term, values: Vec<TermValue>, shown: &mut Vec<TermValues>) {
    if let Some(line) = shown.iter_mut().find(|line| line.key == term.key) {
        line.values.extend(values);
        return;
    }
    shown.push(TermValues {
        key: term.key.clone(),
        term: term.compact_iri(),
        label: term.label.clone(),
        definition: term.definition.clone(),
        private: term.visibility == Visibility::Private,
        values,
    });
}

fn shown_value(entry: &Entry, value: &Value) -> TermValue {
    let term = entry.term;
    let facet = |value: &str| {
        let (_, name) = FACETS.iter().find(|(key, _)| *key == term.key)?;
        Some(format!("{name}={value}"))
    };
    let mut shown = TermValue::default();
    match value {
        Value::Text { text, language } => {
            shown.text.clone_from(text);
            shown.lang = Some(language.clone());
        }
        Value::Concept { path, iri } => {
            let concept = term.scheme.as_deref().and_then(Scheme::get).and_then(|scheme| scheme.find(path));
            shown.text = concept.map_or_else(|| path.clone(), |concept| concept.label.to_string());
            shown.href = link(iri).filter(|_| concept.is_none());
            shown.facet = facet(path);
        }
        Value::Iri(iri) => {
            let licence = licence_identifier(iri);
            shown.text = licence.unwrap_or(iri).to_owned();
            shown.href = link(iri);
            shown.facet = facet(licence.unwrap_or(iri));
        }
        Value::Node(node) => {
            shown.text = summary(term, node);
            let inner = LINKS.iter().find_map(|name| node.text(name));
            shown.href = node.id().and_then(link).or_else(|| inner.and_then(link));
        }
        Value::Literal(text) => {
            shown.text.clone_from(text);
            shown.facet = facet(text);
        }
        Value::Integer(number) => shown.text = number.to_string(),
        Value::Boolean(truth) => shown.text = if *truth { "yes" } else { "no" }.to_owned(),
        Value::List(texts) => shown.text = texts.join(" "),
    }
    if shown.text.is_empty() && term.datatype == Datatype::Node {
        shown.text.clone_from(&term.label);
    }
    shown
}

fn title(node: &Fields) -> Option<&str> {
    NAMES.iter().find_map(|name| node.text(name))
}

/// Returns a node in a few words.
fn summary(term: &Term, node: &Fields) -> String {
    match term.name() {
        "volume" => {
            let path = node.text("mountPath").map(|path| format!(" at {path}")).unwrap_or_default();
            let required = if node.boolean("required") == Some(false) { ", optional" } else { "" };
            format!(
                "{}{path} ({}{required})",
                node.text("volume").unwrap_or_default(),
                node.text("mode").unwrap_or("ro")
            )
        }
        "temporal" => format!("{} – {}", node.text("startDate").unwrap_or("…"), node.text("endDate").unwrap_or("…")),
        "env" => format!("{}={}", node.text("name").unwrap_or_default(), node.text("value").unwrap_or_default()),
        _ => title(node).unwrap_or_default().to_owned(),
    }
}

/// Returns an address that a page may link to: http and https only.
fn link(iri: &str) -> Option<String> {
    (iri.starts_with("https://") || iri.starts_with("http://")).then(|| iri.to_owned())
}
