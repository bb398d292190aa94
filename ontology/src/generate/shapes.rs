//! The SHACL shapes of the records.
//!
//! A record's shape asks for what an upload of its kind must have; what only the server makes may be absent. A nested
//! node is described by property shapes of its own, shared by every term that leads to such a node.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::rule;
use crate::manifest::RANGES;
use crate::scheme::Scheme;
use crate::terms::{Datatype, Kind, PREFIXES, Table, Term, compact};

/// The namespace of the shapes.
pub const SHAPES: &str = "https://w3id.org/esado/shapes#";

/// Generates the shapes in Turtle.
pub fn generate(table: &Table) -> String {
    let mut out = String::from("# Generated from ontology/terms.ttl; do not edit.\n\n");
    for (prefix, namespace) in PREFIXES {
        let _ = writeln!(out, "@prefix {prefix}: <{namespace}> .");
    }
    let _ = writeln!(out, "@prefix geo: <http://www.opengis.net/ont/geosparql#> .");
    let _ = writeln!(out, "@prefix shapes: <{SHAPES}> .\n");
    for scheme in table
        .terms()
        .iter()
        .filter(|term| term.datatype == Datatype::Concept)
        .filter_map(|term| term.scheme.as_deref())
        .collect::<std::collections::BTreeSet<_>>()
    {
        concepts(scheme, &mut out);
    }
    let mut done = HashSet::new();
    for kind in Kind::ALL {
        node_shape(table, kind, &mut out);
        for term in table.of(kind).filter(|term| is_property(term)) {
            if done.insert(name(table, term)) {
                property_shape(table, term, &mut out);
            }
        }
    }
    out
}

fn node_shape(table: &Table, kind: Kind, out: &mut String) {
    let names: Vec<String> =
        own(table, kind, "").into_iter().map(|term| format!("    {}", name(table, term))).collect();
    let _ = writeln!(out, "\nshapes:{kind} a sh:NodeShape ;");
    let _ = writeln!(out, "  sh:targetClass {} ;", compact(kind.iri().as_str()));
    let _ = writeln!(out, "  sh:property\n{} .\n", names.join(",\n"));
}

/// Returns the terms that are said of the node at a dotted path, looking through groups.
fn own<'a>(table: &'a Table, kind: Kind, key: &str) -> Vec<&'a Term> {
    table.of(kind).filter(|term| is_property(term) && table.subject_key(term) == key).collect()
}

fn is_property(term: &Term) -> bool {
    term.datatype != Datatype::Nest && !term.is_keyword()
}

/// Names the property shape: by kind for a record's own terms, by the class of the node for nested ones.
fn name(table: &Table, term: &Term) -> String {
    let around = table.subject_key(term);
    let local = term.key[around.len()..].trim_start_matches('.');
    if around.is_empty() {
        format!("shapes:{}.{local}", term.kind)
    } else {
        format!("shapes:{}.{local}", term.class.name())
    }
}

fn property_shape(table: &Table, term: &Term, out: &mut String) {
    let mut lines = vec![
        format!("{} a sh:PropertyShape ; sh:path {}", name(table, term), term.compact_iri()),
        format!("sh:name {}@en ; sh:description {}@en", literal(&term.label), literal(&term.definition)),
    ];
    let nested = !table.subject_key(term).is_empty();
    let required = if nested {
        term.min > 0 && !term.minted && term.default.is_none()
    } else {
        term.is_required_from(term.kind.writer())
    };
    let mut counts = Vec::new();
    if required {
        counts.push(format!("sh:minCount {}", term.min));
    }
    if let Some(max) = term.max {
        counts.push(format!("sh:maxCount {max}"));
    }
    if term.per_language {
        counts.push("sh:uniqueLang true".to_owned());
    }
    lines.extend((!counts.is_empty()).then(|| counts.join(" ; ")));
    if !term.is_refused() {
        lines.extend(value_rules(table, term));
    }
    lines.push(format!("sh:message {}@en", literal(&format!("{}: {}", term.key, rule(term)))));
    let _ = writeln!(out, "{} .", lines.join(" ;\n  "));
}

fn value_rules(table: &Table, term: &Term) -> Vec<String> {
    let mut rules = Vec::new();
    match term.datatype {
        Datatype::Iri | Datatype::Concept => rules.push("sh:nodeKind sh:IRI".to_owned()),
        Datatype::TextOrIri => rules.push("sh:or ( [ sh:datatype xsd:string ] [ sh:nodeKind sh:IRI ] )".to_owned()),
        Datatype::Node => {
            rules.push("sh:nodeKind sh:BlankNodeOrIRI".to_owned());
            if let (true, Some(iri)) = (
                table.children(term.kind, &term.key).iter().any(|child| child.name() == "@id"),
                Datatype::Iri.pattern(),
            ) {
                let named = format!("sh:nodeKind sh:IRI ; sh:pattern {} ; sh:flags \"i\"", literal(iri));
                rules.push(format!("sh:or ( [ sh:nodeKind sh:BlankNode ] [ {named} ] )"));
            }
            let inner: Vec<String> =
                own(table, term.kind, &term.key).into_iter().map(|term| name(table, term)).collect();
            if !inner.is_empty() {
                rules.push(format!("sh:property {}", inner.join(", ")));
            }
        }
        Datatype::TextList => {
            let limit = term.max_length.map(|length| format!(" ; sh:maxLength {length}")).unwrap_or_default();
            rules.push("sh:nodeKind sh:BlankNodeOrIRI".to_owned());
            rules.push(format!(
                "sh:property [ sh:path ( [ sh:zeroOrMorePath rdf:rest ] rdf:first ) ; sh:datatype xsd:string{limit} ]"
            ));
        }
        datatype => {
            if let Some(iri) = datatype.rdf_datatype() {
                let iri = iri.as_str();
                let iri = iri
                    .strip_prefix("http://www.opengis.net/ont/geosparql#")
                    .map_or_else(|| compact(iri), |local| format!("geo:{local}"));
                rules.push(format!("sh:datatype {iri}"));
            }
        }
    }
    if let Some(length) = term.max_length.filter(|_| term.datatype != Datatype::TextList) {
        rules.push(format!("sh:minLength 1 ; sh:maxLength {length}"));
    }
    match (term.pattern.as_deref(), term.datatype.pattern()) {
        (Some(own), Some(general)) => {
            rules.push(format!("sh:pattern {}", literal(own)));
            rules.push(format!("sh:and ( [ sh:pattern {}{} ] )", literal(general), flags(term)));
        }
        (Some(pattern), None) => rules.push(format!("sh:pattern {}", literal(pattern))),
        (None, Some(general)) => rules.push(format!("sh:pattern {}{}", literal(general), flags(term))),
        // Spaces alone are no text.
        (None, None) if term.max_length.is_some() && term.datatype != Datatype::TextList => {
            rules.push(format!("sh:pattern {}", literal("\\S")));
        }
        (None, None) => {}
    }
    if let (Datatype::Concept, Some(scheme)) = (term.datatype, &term.scheme) {
        rules.push(format!("sh:node shapes:concept-{scheme}"));
    } else if !term.values.is_empty() {
        let values: Vec<String> = match &term.base {
            Some(base) => term.values.iter().map(|value| format!("<{base}{value}>")).collect(),
            None => term.values.iter().map(|value| literal(value)).collect(),
        };
        rules.push(format!("sh:in ( {} )", values.join(" ")));
    }
    if let Some((low, high)) = term.range {
        if low != i64::MIN {
            rules.push(format!("sh:minInclusive {low}"));
        }
        if high != i64::MAX {
            rules.push(format!("sh:maxInclusive {high}"));
        }
    }
    let most = RANGES.iter().find(|(low, ..)| *low == term.key);
    if let Some(most) = most.and_then(|(_, high, _)| table.by_key(term.kind, high)) {
        rules.push(format!("sh:lessThanOrEquals {}", most.compact_iri()));
    }
    rules
}

/// The scheme of an IRI may be written in any case; no other pattern cares not to.
fn flags(term: &Term) -> &'static str {
    if term.datatype == Datatype::Iri { " ; sh:flags \"i\"" } else { "" }
}

/// Writes the closed list of a scheme's concepts.
fn concepts(name: &str, out: &mut String) {
    let Some(scheme) = Scheme::get(name) else { return };
    let _ = writeln!(
        out,
        "shapes:concept-{name} a sh:NodeShape ;\n  sh:message \"not a concept of the scheme {name}\"@en ;\n  sh:in ("
    );
    for concept in scheme.concepts() {
        let _ = writeln!(out, "    <{}>", concept.iri);
    }
    let _ = writeln!(out, "  ) .\n");
}

/// Writes a text as a literal of Turtle.
pub(super) fn literal(text: &str) -> String {
    oxrdf::Literal::new_simple_literal(text).to_string()
}
