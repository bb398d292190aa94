//! What is generated from the term table and the schemes: shapes, JSON Schema, JSON-LD context and documentation.
//!
//! The generated files are checked in under `generated/` and embedded; a test says when they are not in step, and
//! rewrites them when `UPDATE_GENERATED` is set.

pub mod context;
pub mod docs;
mod names;
pub mod page;
pub mod schema;
pub mod shapes;

use crate::terms::{Table, Term};

/// Returns the JSON-LD context that `/context/v1` serves.
pub fn context() -> &'static str {
    include_str!("../generated/context-v1.jsonld")
}

/// Returns the SHACL shapes that `/schemas/shapes.ttl` serves.
pub fn shapes() -> &'static str {
    include_str!("../generated/shapes.ttl")
}

/// Returns the JSON Schema of a manifest that `/schemas/manifest.schema.json` serves.
pub fn manifest_schema() -> &'static str {
    include_str!("../generated/manifest.schema.json")
}

/// Returns the ontology in Turtle that `/ns/esado` serves to programs.
pub fn ontology_turtle() -> &'static str {
    crate::terms::TERMS_TTL
}

/// Returns a scheme of concepts in Turtle, such as `mission`, whose concepts have IRIs below `https://w3id.org/esado/mission`.
pub fn scheme_turtle(name: &str) -> Option<&'static str> {
    crate::scheme::SCHEMES_TTL.iter().find(|(known, _)| *known == name).map(|(_, turtle)| *turtle)
}

/// Returns the page that `/ns/esado` serves to people, with an anchor for every term.
pub fn ontology_page() -> &'static str {
    include_str!("../generated/ns.html")
}

/// Returns the documentation of every term in Markdown.
pub fn term_docs() -> &'static str {
    include_str!("../generated/terms.md")
}

/// Makes one generated file from the table.
pub type Generator = fn(&Table) -> String;

/// Every generated file: its name under `generated/` and what makes it.
pub const FILES: &[(&str, Generator)] = &[
    ("context-v1.jsonld", context::generate),
    ("shapes.ttl", shapes::generate),
    ("manifest.schema.json", schema::generate),
    ("ns.html", page::generate),
    ("terms.md", docs::generate),
];

/// Says in words what a value of a term has to be, such as `a short name …; exactly 1; at most 63 characters`.
pub fn rule(term: &Term) -> String {
    let mut parts = vec![match (&term.scheme, term.datatype.is_iri()) {
        (Some(scheme), true) => format!("a concept of the scheme {scheme}"),
        _ => term.datatype.expected().to_owned(),
    }];
    parts.push(match (term.min, term.max) {
        (_, Some(0)) => "never".to_owned(),
        (1, Some(1)) => "exactly 1".to_owned(),
        (0, Some(1)) => "at most 1".to_owned(),
        (0, None) => "any number".to_owned(),
        (min, None) => format!("at least {min}"),
        (min, Some(max)) => format!("{min} to {max}"),
    });
    if term.per_language {
        parts.push("one a language".to_owned());
    }
    if let Some(length) = term.max_length {
        parts.push(format!("at most {length} characters"));
    }
    match term.range {
        Some((low, i64::MAX)) => parts.push(format!("at least {low}")),
        Some((i64::MIN, high)) => parts.push(format!("at most {high}")),
        Some((low, high)) => parts.push(format!("{low} to {high}")),
        None => {}
    }
    if !term.values.is_empty() {
        parts.push(format!("one of {}", term.values.join(", ")));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests;
