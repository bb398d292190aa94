//! The triples of every accepted manifest are those of its JSON-LD, read by two other implementations, and fit the shapes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says why it skips"
)]

mod support;

use std::collections::{BTreeSet, HashMap};
use std::process::Command;

use catalog_ontology::generate;
use catalog_ontology::record::Record;
use catalog_ontology::terms::{Datatype, Kind, Table, Visibility};
use oxjsonld::{JsonLdParser, JsonLdRemoteDocument};
use oxrdf::graph::CanonicalizationAlgorithm;
use oxrdf::{BlankNode, Graph, NamedOrBlankNode, Term, Triple};
use oxttl::{NQuadsParser, NTriplesSerializer};

const IRI: &str = "https://catalog.example/id/go-esa/record";

/// Makes the cells of lists blank, as JSON-LD has them, and gives blank nodes canonical names.
fn canonical(triples: impl IntoIterator<Item = Triple>) -> BTreeSet<String> {
    let cell = |iri: &str| {
        (iri.starts_with(IRI) && iri.contains("-list-"))
            .then(|| BlankNode::new_unchecked(iri.replace(|c: char| !c.is_ascii_alphanumeric(), "x")))
    };
    let mut graph = Graph::new();
    for triple in triples {
        let subject = match &triple.subject {
            NamedOrBlankNode::NamedNode(iri) => {
                cell(iri.as_str()).map_or_else(|| triple.subject.clone(), NamedOrBlankNode::from)
            }
            other => other.clone(),
        };
        let object = match &triple.object {
            Term::NamedNode(iri) => cell(iri.as_str()).map_or_else(|| triple.object.clone(), Term::from),
            other => other.clone(),
        };
        graph.insert(&Triple::new(subject, triple.predicate, object));
    }
    graph.canonicalize(CanonicalizationAlgorithm::Unstable);
    graph.iter().map(|triple| triple.to_string()).collect()
}

fn by_oxjsonld(document: &str) -> BTreeSet<String> {
    let parser = JsonLdParser::new().for_slice(document).with_load_document_callback(|url, _| {
        // Anything else than our context would be fetched, which must not happen.
        assert_eq!(url, catalog_schemas::CONTEXT);
        Ok(JsonLdRemoteDocument { document: generate::context().as_bytes().to_vec(), document_url: url.to_owned() })
    });
    canonical(parser.map(|quad| Triple::from(quad.unwrap())))
}

async fn by_json_ld(document: &str) -> BTreeSet<String> {
    use json_ld::rdf_types::RdfDisplay;
    use json_ld::syntax::{Parse, Value};
    use json_ld::{IriBuf, JsonLdProcessor, RemoteDocument};
    let remote = |iri: &str, text: &str| {
        RemoteDocument::new(Some(IriBuf::new(iri.to_owned()).unwrap()), None, Value::parse_str(text).unwrap().0)
    };
    let mut loader = HashMap::new();
    loader.insert(
        IriBuf::new(catalog_schemas::CONTEXT.to_owned()).unwrap(),
        remote(catalog_schemas::CONTEXT, generate::context()),
    );
    let mut rdf = remote(IRI, document).to_rdf(json_ld::rdf_types::generator::Blank::new(), &loader).await.unwrap();
    let lines: String = rdf
        .cloned_quads()
        .map(|quad| format!("{} {} {} .\n", quad.0.rdf_display(), quad.1.rdf_display(), quad.2.rdf_display()))
        .collect();
    canonical(NQuadsParser::new().for_slice(&lines).map(|quad| Triple::from(quad.unwrap())))
}

fn differences(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> String {
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>().join("\n    ")
    };
    format!("  only ours:\n    {}\n  only theirs:\n    {}", only(ours, theirs), only(theirs, ours))
}

/// Returns the accepted records, and one for each kind that holds every term of its table.
fn records() -> Vec<(String, Record)> {
    let mut records = support::accepted();
    for kind in Kind::ALL {
        let mut record = Record::empty(kind);
        for row in support::rows("terms.jsonl") {
            if row["kinds"].as_array().is_none_or(|kinds| kinds.iter().any(|other| other == kind.as_str())) {
                let key = row["key"].as_str().unwrap();
                // Terms of other kinds are unknown, and those of nodes are set with their node.
                let _ = record.set(key, &row["valid"]);
            }
        }
        for term in Table::get()
            .children(kind, "")
            .into_iter()
            .filter(|term| !term.is_keyword() && term.datatype != Datatype::Nest)
        {
            assert!(!record.values(&term.key).is_empty(), "{kind} {}", term.key);
        }
        records.push((format!("all terms of a {kind}"), record));
    }
    records
}

#[tokio::test]
async fn triples_are_those_of_the_json_ld() {
    let mut faults = Vec::new();
    let records = records();
    for (name, record) in records {
        for (part, document) in [("public", record.json_ld(IRI)), ("all", record.json_ld_with_private(IRI))] {
            let document = document.to_string();
            let ours = canonical(record.core_triples(IRI, part == "all"));
            let oxjsonld = by_oxjsonld(&document);
            if ours != oxjsonld {
                faults.push(format!("{name}, {part}, oxjsonld:\n{}", differences(&ours, &oxjsonld)));
            }
            let json_ld = by_json_ld(&document).await;
            if oxjsonld != json_ld {
                faults.push(format!("{name}, {part}, json-ld against oxjsonld:\n{}", differences(&oxjsonld, &json_ld)));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn public_and_private_parts_share_no_statement() {
    for (name, record) in records() {
        let iris = support::iris(&record);
        let (public, private) = (record.triples(&iris, Visibility::Public), record.triples(&iris, Visibility::Private));
        let said: BTreeSet<String> = public.iter().map(Triple::to_string).collect();
        let again: BTreeSet<String> = record.triples(&iris, Visibility::Public).iter().map(Triple::to_string).collect();
        assert_eq!(said, again, "{name}");
        for triple in &private {
            // A link to a public node may stand in both: it says nothing but which node is spoken of.
            let link = matches!(&triple.object, Term::NamedNode(iri) if iri.as_str().contains('#'));
            assert!(link || !said.contains(&triple.to_string()), "{name}: {triple}");
        }
        assert!(
            public.iter().chain(&private).all(|triple| matches!(triple.subject, NamedOrBlankNode::NamedNode(_))),
            "{name}"
        );
        assert!(public.iter().chain(&private).all(|triple| !matches!(triple.object, Term::BlankNode(_))), "{name}");
    }
}

#[test]
fn no_private_value_is_in_any_public_form() {
    let rows = support::rows("terms.jsonl");
    let canary = |key: &str| rows.iter().any(|row| row["key"] == key);
    assert!(canary("supportEmailInternal"));
    let mut base = support::base(Kind::Datalab);
    base["supportEmailInternal"] = "canary-one@example.org".into();
    base["runtime"]["env"][0]["value"] = "canary-two".into();
    base["datalabImage"]["keyword"] = serde_json::json!(["canary-three"]);
    base["startupHint"] = serde_json::json!({"en": "canary-four"});
    base["https://example.org/ns#secret"] = "canary-five".into();
    base["allowedUser"] = serde_json::json!(["canary-six"]);
    let options = catalog_ontology::manifest::Options::new(catalog_ontology::manifest::Writer::Developer);
    let validation = catalog_ontology::manifest::validate(base.to_string().as_bytes(), &options);
    let record = validation.record.unwrap_or_else(|| panic!("{:?}", validation.report));
    assert_eq!(record.document().to_string().matches("canary-").count(), 6);
    let iris = support::iris(&record);
    let public = [
        record.public_document().to_string(),
        record.json_ld(IRI).to_string(),
        format!("{:?}", record.triples(&iris, Visibility::Public)),
        format!("{:?}", record.terms_view(Visibility::Public)),
    ];
    for text in public {
        assert!(!text.contains("canary-"), "{text}");
    }
    assert_eq!(format!("{:?}", record.triples(&iris, Visibility::Private)).matches("canary-").count(), 6);
}

#[test]
fn accepted_records_conform_to_the_shapes() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pyshacl_check.py");
    let here =
        Command::new("python3").args(["-c", "import pyshacl"]).output().is_ok_and(|output| output.status.success());
    if !script.exists() || !here {
        eprintln!("SKIPPED: the shapes are not checked by pyshacl, which is not installed (pip install pyshacl)");
        return;
    }
    let folder = std::env::temp_dir().join(format!("alidade-shapes-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let shapes = folder.join("shapes.ttl");
    std::fs::write(&shapes, generate::shapes()).unwrap();
    for (number, (_, record)) in support::accepted().into_iter().enumerate() {
        let iris = support::iris(&record);
        let mut writer = NTriplesSerializer::new().for_writer(Vec::new());
        for triple in
            record.triples(&iris, Visibility::Public).iter().chain(&record.triples(&iris, Visibility::Private))
        {
            writer.serialize_triple(triple).unwrap();
        }
        std::fs::write(folder.join(format!("data/{number:03}.nt")), writer.finish()).unwrap();
    }
    let output = Command::new("python3").arg(&script).arg(&shapes).arg(folder.join("data")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::remove_dir_all(&folder).unwrap();
    let answer: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(answer.as_object().unwrap().len(), support::accepted().len(), "{text}");
    let failed: Vec<_> = answer.as_object().unwrap().iter().filter(|(_, result)| result["conforms"] != true).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
