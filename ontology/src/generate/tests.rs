use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use oxjsonld::{JsonLdParser, JsonLdRemoteDocument};
use oxttl::TurtleParser;

use super::*;
use crate::scheme::Scheme;
use crate::terms::{Datatype, Kind};

/// The example of the design.
const EXAMPLE: &str = include_str!("tests/example.jsonld");

/// What the example says, in sorted N-Quads.
const EXAMPLE_QUADS: &str = include_str!("tests/example.nq");

#[test]
fn generated_files_are_in_step_with_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    let update = std::env::var_os("UPDATE_GENERATED").is_some();
    for (name, generate) in FILES {
        let text = generate(Table::get());
        if update {
            std::fs::write(folder.join(name), &text).unwrap();
        }
        let found = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(found == text, "generated/{name} is not in step: run the tests with UPDATE_GENERATED=1 and commit");
    }
}

fn quads_by_oxjsonld(document: &str) -> String {
    let parser = JsonLdParser::new().with_base_iri("https://zone.example/id/go-esa/esa.esdc.aladin").unwrap();
    let parser = parser.for_slice(document.as_bytes()).with_load_document_callback(|url, _| {
        assert_eq!(url, catalog_schemas::CONTEXT);
        let context = generate_context().into_bytes();
        Ok(JsonLdRemoteDocument { document: context, document_url: url.to_owned() })
    });
    let mut names = HashMap::new();
    let lines: BTreeSet<String> = parser.map(|quad| rename(&quad.unwrap().to_string(), &mut names)).collect();
    lines.into_iter().map(|line| line + " .\n").collect()
}

fn generate_context() -> String {
    context::generate(Table::get())
}

/// Gives blank nodes names in the order in which they come, which is the order of the document in both readers.
fn rename(line: &str, names: &mut HashMap<String, usize>) -> String {
    let words: Vec<String> = line
        .split(' ')
        .map(|word| {
            if !word.starts_with("_:") {
                return word.to_owned();
            }
            let next = names.len();
            format!("_:b{}", names.entry(word.to_owned()).or_insert(next))
        })
        .collect();
    words.join(" ")
}

#[test]
fn the_example_says_what_it_should() {
    let found = quads_by_oxjsonld(EXAMPLE);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/generate/tests/example.nq"), &found).unwrap();
    }
    assert_eq!(found, EXAMPLE_QUADS);
}

#[tokio::test]
async fn both_json_ld_readers_understand_the_context_alike() {
    use json_ld::syntax::{IntoJsonWithContext, Parse};
    use json_ld::{JsonLdProcessor, RemoteDocument};

    for document in [EXAMPLE, include_str!("tests/every-kind.jsonld")] {
        for (prefix, _) in crate::terms::PREFIXES {
            assert!(!quads_by_oxjsonld(document).contains(&format!("<{prefix}:")), "{prefix} is not expanded");
        }
        let iri = |text: &str| json_ld::IriBuf::new(text.to_owned()).unwrap();
        let parse = |text: &str| json_ld::syntax::Value::parse_str(text).unwrap().0;
        let mut loader = HashMap::new();
        let context = iri(catalog_schemas::CONTEXT);
        loader.insert(context.clone(), RemoteDocument::new(Some(context), None, parse(&generate_context())));
        let base = iri("https://zone.example/id/go-esa/esa.esdc.aladin");
        let input = RemoteDocument::new(Some(base), None, parse(document));
        let expanded = input.expand(&loader).await.unwrap();
        let vocabulary = json_ld::rdf_types::vocabulary::no_vocabulary();
        let nodes: Vec<_> = expanded.into_iter().map(|node| node.into_json_with(vocabulary)).collect();
        let expanded = json_ld::syntax::Value::Array(nodes).to_string();
        assert_eq!(literals_and_iris(&quads_by_oxjsonld(&expanded)), literals_and_iris(&quads_by_oxjsonld(document)));
    }
}

/// Quads without the names of blank nodes, sorted: enough to tell two readings of one small document apart.
fn literals_and_iris(quads: &str) -> Vec<String> {
    let strip =
        |line: &str| line.split(' ').map(|w| if w.starts_with("_:") { "_:" } else { w }).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = quads.lines().map(strip).collect();
    lines.sort();
    lines
}

#[test]
fn a_bare_notation_expands_to_its_concept() {
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_uploaded()) {
        for term in Table::get().of(kind).filter(|term| term.datatype == Datatype::Concept && term.prefix().is_empty())
        {
            let scheme = term.scheme.as_deref().and_then(Scheme::get);
            let mut expected = BTreeSet::new();
            for name in scheme.into_iter().flat_map(Scheme::concepts).map(|c| &c.notation).chain(&term.values) {
                expected.insert(format!("{}{name}", term.base.as_deref().unwrap()));
            }
            let names: Vec<&str> = expected.iter().map(|iri| iri.rsplit(['/', '#']).next().unwrap()).collect();
            let document = serde_json::json!({
                "@context": catalog_schemas::CONTEXT, "@type": kind.as_str(), "@id": "https://zone.example/x", term.name(): names
            });
            let quads = quads_by_oxjsonld(&document.to_string());
            let found: BTreeSet<String> = quads
                .lines()
                .filter(|line| line.contains(term.iri.as_str()))
                .map(|line| line.split(' ').nth(2).unwrap().trim_matches(['<', '>']).to_owned())
                .collect();
            assert_eq!(found, expected, "{}", term.anchor());
        }
    }
}

#[test]
fn the_context_maps_every_key_to_its_property() {
    let json: serde_json::Value = serde_json::from_str(&generate_context()).unwrap();
    for term in Table::get().terms().iter().filter(|term| !term.is_keyword() && !term.is_refused()) {
        let mut scopes = vec![&json["@context"][term.kind.as_str()]["@context"], &json["@context"]];
        let mut found = None;
        for part in term.key.split('.') {
            found = scopes.iter().find_map(|scope| scope.get(part));
            scopes = found.into_iter().filter_map(|definition| definition.get("@context")).collect();
        }
        let id = found.map(|definition| definition.get("@id").unwrap_or(definition).as_str().unwrap_or_default());
        let expected = if term.datatype == Datatype::Nest { "@nest".to_owned() } else { term.compact_iri() };
        assert_eq!(id, Some(expected.as_str()), "{}", term.anchor());
    }
}

#[test]
fn the_shapes_and_the_ontology_are_turtle() {
    for text in [shapes::generate(Table::get()).as_str(), ontology_turtle()] {
        assert!(TurtleParser::new().for_slice(text.as_bytes()).map(Result::unwrap).count() > 1000);
    }
}

#[test]
fn a_property_has_one_meaning_in_a_node() {
    let table = Table::get();
    for kind in Kind::ALL {
        let mut seen = HashSet::new();
        for term in table.of(kind).filter(|term| term.datatype != Datatype::Nest && !term.is_keyword()) {
            assert!(seen.insert((table.subject_key(term), &term.iri)), "{} has {} twice", kind, term.compact_iri());
        }
    }
}

#[test]
fn the_nodes_of_one_class_have_the_same_terms() {
    let table = Table::get();
    let mut known: HashMap<String, Vec<String>> = HashMap::new();
    for term in table.terms().iter().filter(|term| term.datatype == Datatype::Node) {
        let names: Vec<String> =
            table.children(term.kind, &term.key).into_iter().map(|child| child.name().to_owned()).collect();
        let class = term.node.as_ref().unwrap().name().to_owned();
        assert_eq!(known.entry(class.clone()).or_insert_with(|| names.clone()), &names, "{class}");
    }
}

#[test]
fn the_schema_accepts_the_example_and_refuses_what_is_wrong() {
    let schema: serde_json::Value = serde_json::from_str(&schema::generate(Table::get())).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let example: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
    let faults: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new());
    for (pointer, value) in [
        ("/alternateName", serde_json::json!("Aladin!")),
        ("/name", serde_json::json!({ "not a language": "x" })),
        ("/interfaceType", serde_json::json!("telepathy")),
        ("/needs/cpu/min", serde_json::json!("two")),
        ("/needs/memory/min", serde_json::json!(0)),
        ("/volume/0/mountPath", serde_json::json!("../etc")),
        ("/publisher", serde_json::json!({ "name": "me" })),
        ("/datalabImage/digest", serde_json::json!("sha256:0")),
        ("/runtime/privileged", serde_json::json!(true)),
        ("/alternatName", serde_json::json!("aladin")),
        ("/author", serde_json::json!([])),
    ] {
        let mut wrong = example.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        if parent == "/runtime" {
            wrong["runtime"] = serde_json::json!({});
        }
        wrong.pointer_mut(parent).unwrap()[key] = value;
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
    for key in [
        "identifier",
        "name",
        "alternateName",
        "abstract",
        "domain",
        "softwareVersion",
        "interfaceType",
        "license",
        "author",
    ] {
        let mut wrong = example.clone();
        wrong.as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&wrong), "without {key}");
    }
}

#[test]
fn every_term_has_its_anchor_on_the_page_and_in_the_docs() {
    let (page, docs) = (page::generate(Table::get()), docs::generate(Table::get()));
    for term in Table::get().terms() {
        assert!(page.contains(&format!("id=\"{}\"", term.anchor())), "{}", term.anchor());
        assert!(docs.contains(&format!("id=\"{}\"", term.anchor())), "{}", term.anchor());
    }
    let ids: Vec<&str> =
        page.match_indices(" id=\"").map(|(at, _)| page[at + 5..].split('"').next().unwrap()).collect();
    let distinct: HashSet<&&str> = ids.iter().collect();
    assert_eq!(
        distinct.len(),
        ids.len(),
        "an id stands twice: {:?}",
        ids.iter().find(|id| ids.iter().filter(|other| other == id).count() > 1)
    );
    for (at, _) in page.match_indices("href=\"#") {
        let target = page[at + 7..].split('"').next().unwrap();
        assert!(ids.contains(&target), "a link leads to #{target}, which is not there");
    }
}
