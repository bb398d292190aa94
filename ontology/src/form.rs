//! The fields by which a record is edited, made from the term table: what somebody may write, and how.

use catalog_schemas::governance::{EditField, EditOption, Input};
use serde_json::Value as Json;

use crate::manifest::{Writer, is_of_the_package};
use crate::record::Record;
use crate::scheme::Scheme;
use crate::terms::{Datatype, Table, Term};

/// More options than this are a list nobody wants to look through; the value is then written.
const MOST_OPTIONS: usize = 200;

/// Returns the fields of a record that one of these writers may write, in the order of the table.
pub fn fields(record: &Record, writers: &[Writer]) -> Vec<EditField> {
    let document = record.document();
    let mut fields = Vec::new();
    for term in Table::get().of(record.kind()) {
        let may = writers.iter().any(|writer| term.is_writable_by(writer.role()) && !is_of_the_package(term, *writer));
        if may && !term.is_keyword() && !term.is_refused() && !term.minted && stands_alone(term, writers) {
            push(term, value_at(&document, &term.key), &mut fields);
        }
    }
    fields
}

/// Says whether a term is a field of its own: no group, no single node (their members are), and below neither a list of nodes
/// nor a node that is written as a whole.
fn stands_alone(term: &Term, writers: &[Writer]) -> bool {
    let is_holder = |term: &Term| term.datatype == Datatype::Nest || term.datatype == Datatype::Node && !term.is_many();
    if is_holder(term) {
        return false;
    }
    let mut key = term.prefix();
    while let Some(around) = Table::get().by_key(term.kind, key) {
        if !is_holder(around) || !writers.iter().any(|writer| around.is_writable_by(writer.role())) {
            return false;
        }
        key = around.prefix();
    }
    true
}

fn value_at<'a>(document: &'a Json, key: &str) -> Option<&'a Json> {
    key.split('.').try_fold(document, |value, step| value.get(step))
}

fn push(term: &Term, value: Option<&Json>, fields: &mut Vec<EditField>) {
    let field = EditField {
        key: term.key.clone(),
        language: None,
        label: label(term),
        definition: term.definition.clone(),
        expected: term.datatype.expected().to_owned(),
        private: term.visibility == crate::terms::Visibility::Private,
        required: term.min > 0 && term.default.is_none(),
        ..EditField::default()
    };
    if term.datatype == Datatype::LanguageText {
        let mut languages: Vec<&str> =
            value.and_then(Json::as_object).map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        // There is always a field to write the first text into.
        if !languages.contains(&"en") {
            languages.insert(0, "en");
        }
        let input = match (term.per_language, term.name()) {
            (false, _) => Input::Lines,
            (true, "name" | "title") => Input::Text,
            (true, _) => Input::Long,
        };
        let has_other = languages.len() > 1 && value.and_then(|value| value.get("en")).is_none();
        for language in languages {
            let text = value.and_then(|value| value.get(language)).map(text).unwrap_or_default();
            let required = field.required && !(has_other && language == "en");
            let language = Some(language.to_owned());
            fields.push(EditField { language, input, required, value: text, ..field.clone() });
        }
        return;
    }
    let options = options(term);
    let input = match term.datatype {
        Datatype::Node => Input::Json,
        Datatype::Boolean => Input::Boolean,
        Datatype::TextList => Input::Json,
        Datatype::Integer | Datatype::Decimal if !term.is_many() => Input::Number,
        Datatype::Integer | Datatype::Decimal => Input::Json,
        _ if !options.is_empty() && term.is_many() => Input::Choices,
        _ if !options.is_empty() => Input::Choice,
        _ if term.is_many() => Input::Lines,
        Datatype::Text if term.max_length.is_none_or(|length| length > 300) && term.pattern.is_none() => Input::Long,
        _ => Input::Text,
    };
    let value = match (input, value) {
        (_, None) => String::new(),
        (Input::Json, Some(value)) => serde_json::to_string_pretty(value).unwrap_or_default(),
        (_, Some(value)) => text(value),
    };
    fields.push(EditField { input, options, value, ..field });
}

/// Names a term with what holds it: `needs, processor cores` rather than one of several `minimum`s.
fn label(term: &Term) -> String {
    match Table::get().by_key(term.kind, term.prefix()) {
        Some(around) => format!("{}: {}", label(around), term.label),
        None => term.label.clone(),
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(text).collect::<Vec<_>>().join("\n"),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Returns what can be chosen: the closed list, or the concepts of the scheme when there are not too many.
fn options(term: &Term) -> Vec<EditOption> {
    if !term.values.is_empty() {
        return term.values.iter().map(|value| EditOption { value: value.clone(), label: value.clone() }).collect();
    }
    if term.datatype != Datatype::Concept {
        return Vec::new();
    }
    let Some(scheme) = term.scheme.as_deref().and_then(Scheme::get) else { return Vec::new() };
    let concepts = scheme.concepts();
    if concepts.len() > MOST_OPTIONS {
        return Vec::new();
    }
    concepts
        .iter()
        .map(|concept| {
            let depth = concept.path.matches('/').count();
            let label = format!("{}{}", "\u{2003}".repeat(depth), concept.label("en"));
            EditOption { value: concept.path.clone(), label }
        })
        .collect()
}
