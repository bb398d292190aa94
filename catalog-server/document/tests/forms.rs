//! Every form of every kind of record: it can be read again, and tells nothing that is private.
#![allow(clippy::unwrap_used, clippy::panic, reason = "integration tests may panic")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use catalog_document::{Described, Form, Ledger, Package, Syntax, dcat, oai, signposting, trs};
use catalog_ontology::manifest::{Options, Writer, validate};
use catalog_ontology::record::Record;
use oxrdfio::{RdfFormat, RdfParser};
use serde_json::Value;

fn record(kind: &str) -> Record {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/suite/manifests/base/{kind}.jsonld"));
    let writer = if kind == "datazone" { Writer::Application } else { Writer::Developer };
    let validation = validate(&std::fs::read(path).unwrap(), &Options::new(writer));
    assert!(validation.report.valid, "{kind}: {:?}", validation.report);
    validation.record.unwrap().into_record()
}

fn described(kind: &str) -> (Record, Described) {
    let mut record = record(kind);
    // What the application adds, private terms among it.
    for (key, value) in
        [("owner", "the-owners-of-it"), ("state", "published"), ("reviewNote", "a note between moderators")]
    {
        let value = if key == "reviewNote" { serde_json::json!([value]) } else { serde_json::json!(value) };
        record.set(key, &value).unwrap();
    }
    let ledger = Ledger {
        base: "https://catalog.example".to_owned(),
        home: "https://catalog.example".to_owned(),
        zone: "go-esa".to_owned(),
        pinned: None,
        source: "go-esa".to_owned(),
        issued: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        modified: "2026-02-03T04:05:06.789Z".parse().unwrap(),
        seq: 7,
        package: Some(Package { digest: "ab".repeat(32), size: 1234, media_type: Some("application/zip") }),
    };
    let described = Described::new(&record, ledger);
    (record, described)
}

const KINDS: [&str; 5] = ["datalab", "dataset", "datavolume", "pipeline", "datazone"];

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() > 7 => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

/// Returns the texts that only the private part holds.
fn secrets(record: &Record) -> Vec<String> {
    let (mut all, mut public) = (BTreeSet::new(), BTreeSet::new());
    texts(&record.document(), &mut all);
    texts(&record.public_document(), &mut public);
    all.into_iter().filter(|text| !public.iter().any(|known| known.contains(text.as_str()))).collect()
}

#[test]
fn no_form_tells_what_is_private() {
    let mut hidden = 0;
    for kind in KINDS {
        let (record, described) = described(kind);
        let secrets = secrets(&record);
        hidden += secrets.len();
        let mut documents: Vec<(String, String)> = Form::all()
            .iter()
            .map(|form| (form.suffix.to_owned(), String::from_utf8(form.write(&described).unwrap()).unwrap()))
            .collect();
        documents
            .extend(oai::Format::ALL.map(|format| (format.prefix().to_owned(), format.write(&described).unwrap())));
        documents.push(("linkset".to_owned(), signposting::linkset(&described).to_string()));
        documents.push(("tool".to_owned(), trs::tool(&described, &[trs::version(&described)]).to_string()));
        for (name, text) in documents {
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{kind}.{name} tells `{secret}`");
            }
        }
    }
    assert!(hidden > 20, "the suite hides {hidden} texts only");
}

#[test]
fn every_form_can_be_read_again() {
    for kind in KINDS {
        let (_, described) = described(kind);
        for form in Form::all() {
            let text = String::from_utf8(form.write(&described).unwrap()).unwrap();
            let name = format!("{kind}.{}", form.suffix);
            if let Some(syntax) = form.syntax() {
                let format = RdfFormat::from_extension(syntax.suffix()).unwrap();
                let read: Result<Vec<_>, _> = RdfParser::from_format(format).for_slice(text.as_bytes()).collect();
                let written =
                    if form.suffix.starts_with("dcat-ap") { dcat::record(&described) } else { described.triples() };
                assert_eq!(read.unwrap().len(), written.len(), "{name}");
            } else if form.media_type.contains("json") {
                serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            } else {
                assert!(text.contains(described.name()) || text.contains("{"), "{name}: {text}");
            }
        }
    }
}

#[test]
fn a_dataset_without_distributions_still_has_one() {
    let (_, described) = described("dataset");
    let turtle = String::from_utf8(Syntax::Turtle.write(&dcat::record(&described)).unwrap()).unwrap();
    assert!(turtle.contains("dcat:distribution") && turtle.contains("dcat:accessURL"), "{turtle}");
}
