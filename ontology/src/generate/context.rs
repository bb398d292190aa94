//! The JSON-LD context of a manifest.
//!
//! Every key has one meaning at the top and may have another inside an object, by contexts scoped to the key around it;
//! where two kinds give a key different properties, the later kind has a context scoped to its type.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value as Json, json};

use crate::scheme::Scheme;
use crate::terms::{Datatype, Kind, PREFIXES, Table, Term, compact};

/// The types of agents, which are words of FOAF.
const AGENTS: [&str; 4] = ["Person", "Organization", "Group", "Agent"];

/// Generates the context document.
pub fn generate(table: &Table) -> String {
    let taken = taken(table);
    let mut context = Map::new();
    context.insert("@version".into(), json!(1.1));
    for (prefix, namespace) in PREFIXES {
        context.insert((*prefix).into(), json!(namespace));
    }
    let mut scoped = Vec::new();
    for kind in Kind::ALL {
        let own = members(table, kind, "", &taken);
        let mut different = Map::new();
        for (key, definition) in own {
            match context.get(&key) {
                None => {
                    context.insert(key, definition);
                }
                Some(known) if *known == definition => {}
                Some(_) => {
                    different.insert(key, definition);
                }
            }
        }
        scoped.push((kind.as_str(), kind.iri(), different));
    }
    // A key that only a later kind has is defined at the top and may be an alias that an earlier kind's record would
    // read wrongly; such a record has no use for it, and validation refuses it.
    for (word, iri, different) in scoped {
        let definition = if different.is_empty() {
            json!(compact(iri.as_str()))
        } else {
            json!({ "@id": compact(iri.as_str()), "@context": different })
        };
        context.insert(word.into(), definition);
    }
    for note in table.classes() {
        if !context.contains_key(note.class.name()) {
            context.insert(note.class.name().into(), json!(note.class.compact()));
        }
    }
    for agent in AGENTS {
        context.insert(agent.into(), json!(format!("foaf:{agent}")));
    }
    let mut text = serde_json::to_string_pretty(&json!({ "@context": context })).expect("maps of text are JSON");
    text.push('\n');
    text
}

/// Defines the keys directly below a dotted path, canonical keys before aliases.
fn members(table: &Table, kind: Kind, prefix: &str, taken: &HashSet<String>) -> Map<String, Json> {
    let mut definitions = Map::new();
    let children = table.children(kind, prefix);
    for term in children.iter().filter(|term| !term.is_keyword() && !term.is_refused()) {
        definitions.insert(term.name().to_owned(), define(table, term, taken));
    }
    for term in children.iter().filter(|term| !term.is_keyword() && !term.is_refused()) {
        for alias in &term.aliases {
            definitions.insert(alias.clone(), define(table, term, taken));
        }
    }
    definitions
}

fn define(table: &Table, term: &Term, taken: &HashSet<String>) -> Json {
    let id = term.compact_iri();
    let typed = |datatype: &str| json!({ "@id": id, "@type": datatype });
    match term.datatype {
        // Text without a language is taken as English, as validation does.
        Datatype::LanguageText => json!({ "@id": id, "@container": "@language", "@language": "en" }),
        Datatype::TextList => json!({ "@id": id, "@container": "@list" }),
        Datatype::Integer => typed("xsd:integer"),
        Datatype::Decimal => typed("xsd:decimal"),
        Datatype::Boolean => typed("xsd:boolean"),
        Datatype::Date => typed("xsd:date"),
        Datatype::DateTime => typed("xsd:dateTime"),
        Datatype::Duration => typed("xsd:duration"),
        Datatype::Geometry => typed("http://www.opengis.net/ont/geosparql#wktLiteral"),
        Datatype::Iri | Datatype::Concept => match &term.base {
            Some(base) => json!({ "@id": id, "@type": "@vocab", "@context": names(term, base, taken) }),
            None => typed("@id"),
        },
        Datatype::Nest => json!({ "@id": "@nest", "@context": members(table, term.kind, &term.key, taken) }),
        Datatype::Node => {
            json!({ "@id": id, "@type": "@id", "@context": members(table, term.kind, &term.key, taken) })
        }
        Datatype::Text
        | Datatype::TextOrIri
        | Datatype::File
        | Datatype::Digest
        | Datatype::Identifier
        | Datatype::ShortName
        | Datatype::Version
        | Datatype::AbsolutePath
        | Datatype::ImageReference => json!(id),
    }
}

/// Puts bare names below `base`; names that are also keys or types of the context have to be said one by one.
fn names(term: &Term, base: &str, taken: &HashSet<String>) -> Json {
    let mut context = Map::new();
    context.insert("@vocab".into(), json!(base));
    let scheme = term.scheme.as_deref().and_then(Scheme::get);
    let notations = scheme.into_iter().flat_map(Scheme::concepts).map(|concept| concept.notation.as_str());
    let clashing: BTreeSet<&str> =
        notations.chain(term.values.iter().map(String::as_str)).filter(|name| taken.contains(*name)).collect();
    for name in clashing {
        context.insert(name.into(), json!(format!("{base}{name}")));
    }
    Json::Object(context)
}

/// Every word that the context defines somewhere, which a bare name would be mistaken for.
fn taken(table: &Table) -> HashSet<String> {
    let keys = table
        .terms()
        .iter()
        .flat_map(|term| std::iter::once(term.name()).chain(term.aliases.iter().map(String::as_str)));
    let classes = table.classes().iter().map(|note| note.class.name());
    let prefixes = PREFIXES.iter().map(|(prefix, _)| *prefix);
    keys.chain(classes).chain(prefixes).chain(AGENTS).map(str::to_owned).collect()
}
