//! The page of the ontology for people: plain, semantic HTML with an anchor for every term.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::docs::{visibility, writers};
use super::rule;
use crate::scheme::Scheme;
use crate::terms::{Datatype, ESADO, Kind, Table, Term, compact};

/// Generates the page.
pub fn generate(table: &Table) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>ESADO, the vocabulary of federated datalabs</title>\n\
         <link rel=\"alternate\" type=\"text/turtle\" href=\"https://w3id.org/esado\">\n</head>\n<body>\n<main>\n\
         <h1>ESADO, the vocabulary of federated datalabs</h1>\n",
    );
    let _ = writeln!(
        out,
        "<p>Namespace <code>{ESADO}</code>, prefix <code>esado:</code>. Terms for datalabs, datasets, data volumes, pipelines and \
         datazones, where no public vocabulary has one, and the terms of public vocabularies that records use beside them.</p>"
    );
    contents(&mut out);
    classes(table, &mut out);
    properties(table, &mut out);
    for kind in Kind::ALL {
        kind_section(table, kind, &mut out);
    }
    schemes(&mut out);
    super::names::section(&mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn contents(out: &mut String) {
    out.push_str("<nav aria-label=\"Contents\">\n<ul>\n<li><a href=\"#classes\">Classes</a></li>\n<li><a href=\"#properties\">Properties</a></li>\n");
    for kind in Kind::ALL {
        let _ = writeln!(out, "<li><a href=\"#terms-{kind}\">Terms of a {kind}</a></li>");
    }
    out.push_str("<li><a href=\"#schemes\">Schemes of concepts</a></li>\n<li><a href=\"#names\">Names of the table itself</a></li>\n</ul>\n</nav>\n");
}

fn classes(table: &Table, out: &mut String) {
    out.push_str("<section>\n<h2 id=\"classes\">Classes</h2>\n<dl>\n");
    for note in table.classes().iter().filter(|note| note.class.iri().as_str().starts_with(ESADO)) {
        let name = note.class.name();
        let _ = writeln!(out, "<dt id=\"{name}\"><code>{}</code> {}</dt>", note.class.compact(), escape(&note.label));
        let _ = write!(out, "<dd>{}", escape(&note.definition));
        if !note.parents.is_empty() {
            let parents: Vec<String> = note.parents.iter().map(|iri| link(iri.as_str())).collect();
            let _ = write!(out, " Subclass of {}.", parents.join(", "));
        }
        out.push_str("</dd>\n");
    }
    out.push_str("</dl>\n</section>\n");
}

fn properties(table: &Table, out: &mut String) {
    let mut own: BTreeMap<&str, Vec<&Term>> = BTreeMap::new();
    for term in table.terms().iter().filter(|term| term.datatype != Datatype::Nest && !term.is_keyword()) {
        for iri in std::iter::once(&term.iri).chain(&term.also) {
            if let Some(name) = iri.as_str().strip_prefix(ESADO) {
                own.entry(name).or_default().push(term);
            }
        }
    }
    out.push_str("<section>\n<h2 id=\"properties\">Properties</h2>\n<dl>\n");
    for (name, terms) in own {
        let first = terms[0];
        let _ = writeln!(out, "<dt id=\"{name}\"><code>esado:{name}</code> {}</dt>", escape(&first.label));
        let places: Vec<String> = terms.iter().map(|term| format!("<a href=\"#{0}\">{0}</a>", term.anchor())).collect();
        let _ = writeln!(out, "<dd>{} Written as {}.</dd>", escape(&first.definition), places.join(", "));
    }
    out.push_str("</dl>\n</section>\n");
}

fn kind_section(table: &Table, kind: Kind, out: &mut String) {
    let _ = writeln!(out, "<section>\n<h2 id=\"terms-{kind}\">Terms of a {kind}</h2>\n<table>");
    out.push_str("<thead><tr><th scope=\"col\">Key</th><th scope=\"col\">Meaning</th><th scope=\"col\">Value</th><th scope=\"col\">Property</th><th scope=\"col\">Read</th><th scope=\"col\">Written by</th></tr></thead>\n<tbody>\n");
    for term in table.of(kind) {
        let properties: Vec<String> = if term.datatype == Datatype::Nest || term.is_keyword() {
            Vec::new()
        } else {
            std::iter::once(&term.iri).chain(&term.also).map(|iri| link(iri.as_str())).collect()
        };
        let _ = writeln!(
            out,
            "<tr id=\"{}\"><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            term.anchor(),
            term.key,
            escape(&term.definition),
            escape(&rule(term)),
            properties.join(", "),
            visibility(term),
            writers(term)
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn schemes(out: &mut String) {
    out.push_str("<section>\n<h2 id=\"schemes\">Schemes of concepts</h2>\n");
    for scheme in Scheme::all() {
        let title = scheme.titles.first().map_or(scheme.name, |(_, title)| title);
        let _ = writeln!(
            out,
            "<h3 id=\"scheme-{0}\">{1}</h3>\n<p><code>{2}</code></p>\n<ul>",
            scheme.name,
            escape(title),
            scheme.iri
        );
        for concept in scheme.concepts() {
            let _ = writeln!(
                out,
                "<li id=\"{}/{}\"><code>{}</code> {}</li>",
                scheme.name,
                concept.notation,
                concept.path,
                escape(&concept.label)
            );
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
}

/// Links a property or class: of our own to its place on the page, of others to where they are defined.
pub(super) fn link(iri: &str) -> String {
    let href = iri.strip_prefix(ESADO).map_or_else(|| iri.to_owned(), |local| format!("#{local}"));
    format!("<a href=\"{}\"><code>{}</code></a>", escape(&href), escape(&compact(iri)))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
