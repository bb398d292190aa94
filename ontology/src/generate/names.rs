//! What the page of the ontology says of the names that no other section has: whatever IRI of ours stands in
//! `terms.ttl` leads to its own place on the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oxrdf::vocab::{rdf, rdfs};
use oxrdf::{NamedOrBlankNode, Term as Object, Triple};
use oxttl::TurtleParser;

use super::page::{escape, link};
use crate::terms::{ESADO, TERMS_TTL};

/// What the file says of one name of ours.
#[derive(Default)]
struct Name {
    label: String,
    definition: String,
    key: Option<String>,
    properties: BTreeSet<String>,
    /// The classes, groups and terms that hold it.
    holders: BTreeSet<String>,
}

/// Writes a section with an anchor for each name that the page has none for yet.
pub(super) fn section(out: &mut String) {
    let known: BTreeSet<String> =
        out.split("id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect();
    let names = read();
    let rest = || names.iter().filter(|(name, _)| !known.contains(*name));
    out.push_str("<section>\n<h2 id=\"names\">Names of the table itself</h2>\n");
    out.push_str("<h3 id=\"names-terms\">Terms of nested nodes</h3>\n<dl>\n");
    for (name, about) in rest().filter(|(_, about)| about.key.is_some()) {
        let key = about.key.as_deref().unwrap_or_default();
        let _ = writeln!(out, "<dt id=\"{name}\"><code>{}</code> {}</dt>", escape(key), escape(&about.label));
        let properties: Vec<String> = about.properties.iter().map(|iri| link(iri)).collect();
        let _ = writeln!(
            out,
            "<dd>{} {}, as {}.</dd>",
            escape(&about.definition),
            held("A key of", about),
            properties.join(", ")
        );
    }
    out.push_str(
        "</dl>\n<h3 id=\"names-words\">Groups of keys, and the words that the table is written in</h3>\n<dl>\n",
    );
    for (name, about) in rest().filter(|(_, about)| about.key.is_none()) {
        let _ = writeln!(out, "<dt id=\"{name}\"><code>esado:{name}</code> {}</dt>", escape(&about.label));
        let what =
            if about.holders.is_empty() { escape(&about.definition) } else { held("The keys inside", about) + "." };
        let _ = writeln!(out, "<dd>{what}</dd>");
    }
    out.push_str("</dl>\n</section>\n");
}

fn held(words: &str, about: &Name) -> String {
    let holders: Vec<String> = about.holders.iter().map(|iri| link(iri)).collect();
    format!("{words} {}", holders.join(", "))
}

/// Reads every name of ours in the file, by its local part; tests read the file whole, so what is no statement is left out.
fn read() -> BTreeMap<String, Name> {
    let triples: Vec<Triple> = TurtleParser::new().for_slice(TERMS_TTL.as_bytes()).flatten().collect();
    let of = |subject: &NamedOrBlankNode, predicate: &str| {
        triples.iter().find(|one| one.subject == *subject && one.predicate.as_str() == predicate).map(|one| &one.object)
    };
    let mut names: BTreeMap<String, Name> = BTreeMap::new();
    for triple in &triples {
        let NamedOrBlankNode::NamedNode(subject) = &triple.subject else { continue };
        let holder = subject.as_str().to_owned();
        if let Some(local) = subject.as_str().strip_prefix(ESADO) {
            let name = names.entry(local.to_owned()).or_default();
            match (&triple.object, triple.predicate.as_str()) {
                (Object::Literal(text), predicate) if predicate == rdfs::LABEL.as_str() => {
                    text.value().clone_into(&mut name.label);
                }
                (Object::Literal(text), predicate) if predicate == rdfs::COMMENT.as_str() => {
                    text.value().clone_into(&mut name.definition);
                }
                (Object::Literal(text), predicate) if predicate == format!("{ESADO}key") => {
                    name.key = Some(text.value().to_owned());
                }
                (Object::NamedNode(iri), predicate)
                    if predicate == format!("{ESADO}property") || predicate == format!("{ESADO}alsoProperty") =>
                {
                    name.properties.insert(iri.as_str().to_owned());
                }
                _ => {}
            }
        }
        match (&triple.object, triple.predicate.as_str().strip_prefix(ESADO)) {
            (Object::NamedNode(group), Some("node")) => {
                if let Some(local) = group.as_str().strip_prefix(ESADO) {
                    names.entry(local.to_owned()).or_default().holders.insert(holder);
                }
            }
            (Object::BlankNode(first), Some("terms")) => {
                let mut node = Some(NamedOrBlankNode::from(first.clone()));
                while let Some(item) = node {
                    if let Some(Object::NamedNode(term)) = of(&item, rdf::FIRST.as_str())
                        && let Some(local) = term.as_str().strip_prefix(ESADO)
                    {
                        names.entry(local.to_owned()).or_default().holders.insert(holder.clone());
                    }
                    node = match of(&item, rdf::REST.as_str()) {
                        Some(Object::BlankNode(rest)) => Some(rest.clone().into()),
                        _ => None,
                    };
                }
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::ontology_page;

    #[test]
    fn every_iri_of_ours_has_its_place_on_the_page() {
        let page = ontology_page();
        let ids: Vec<&str> = page.split("id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
        let once: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), once.len(), "an id stands twice");
        let mut count = 0;
        for triple in TurtleParser::new().for_slice(TERMS_TTL.as_bytes()) {
            let triple = triple.unwrap();
            let subject = match triple.subject {
                NamedOrBlankNode::NamedNode(iri) => Some(iri),
                NamedOrBlankNode::BlankNode(_) => None,
            };
            let object = match triple.object {
                Object::NamedNode(iri) => Some(iri),
                _ => None,
            };
            for iri in subject.into_iter().chain([triple.predicate]).chain(object) {
                if let Some(local) = iri.as_str().strip_prefix(ESADO) {
                    assert!(once.contains(local), "{iri} leads nowhere");
                    count += 1;
                }
            }
        }
        assert!(count > 1000);
        for href in page.split("href=\"#").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)) {
            assert!(once.contains(href), "#{href} leads nowhere");
        }
    }
}
