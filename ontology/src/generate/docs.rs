//! The documentation of every term in Markdown.

use std::fmt::Write as _;

use super::rule;
use crate::terms::{Kind, Table, Term, Visibility};

/// Generates the document.
pub fn generate(table: &Table) -> String {
    let mut out = String::from(
        "# Terms of a manifest\n\nGenerated from `ontology/terms.ttl`; do not edit. One table for each kind of record, nested keys with dots. \
         *Public* terms are read by everybody, *private* ones by the record's developers, moderators and the application. \
         A term with a default is never missing. A term marked *minted* is made by the server and never part of an upload.\n",
    );
    for kind in Kind::ALL {
        let note = table.classes().iter().find(|note| note.class.iri() == kind.iri().as_ref());
        let _ = writeln!(out, "\n## {kind}\n\n{}\n", note.map_or("", |note| note.definition.as_str()));
        let _ = writeln!(
            out,
            "| Key | Meaning | Value | Term | Read | Written by | Source |\n|---|---|---|---|---|---|---|"
        );
        for term in table.of(kind) {
            row(term, &mut out);
        }
    }
    out
}

fn row(term: &Term, out: &mut String) {
    let mut meaning = term.definition.clone();
    if let Some(note) = &term.note {
        let _ = write!(meaning, " {note}");
    }
    if !term.aliases.is_empty() {
        let _ = write!(meaning, " Also written `{}`.", term.aliases.join("`, `"));
    }
    let mut value = rule(term);
    if let Some(pattern) = &term.pattern {
        let _ = write!(value, "; matches `{pattern}`");
    }
    if let Some(default) = &term.default {
        let _ = write!(value, "; default `{default}`");
    }
    if term.minted {
        value.push_str("; minted");
    }
    let terms: Vec<String> = std::iter::once(term.compact_iri())
        .chain(term.also.iter().map(|iri| crate::terms::compact(iri.as_str())))
        .collect();
    let _ = writeln!(
        out,
        "| <a id=\"{}\"></a>`{}` | {} | {} | {} | {} | {} | {} |",
        term.anchor(),
        term.key,
        cell(&meaning),
        cell(&value),
        terms.join(", "),
        visibility(term),
        writers(term),
        term.source
    );
}

pub(super) fn visibility(term: &Term) -> &'static str {
    match term.visibility {
        Visibility::Public => "public",
        Visibility::Private => "private",
    }
}

pub(super) fn writers(term: &Term) -> String {
    let roles: Vec<&str> = term.writers.roles().into_iter().map(|role| role.as_str()).collect();
    if roles.is_empty() { "nobody".to_owned() } else { roles.join(", ") }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
