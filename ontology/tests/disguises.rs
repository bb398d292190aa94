//! Role by term by disguise: whoever writes a term, and however it is dressed up, the answer is the table's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use catalog_ontology::manifest::{Options, Writer, validate};
use catalog_ontology::terms::{Datatype, Kind, Table, Term};
use serde_json::{Value, json};

/// The ways in which a term of the record is written: the manifest and the pointer of the key.
fn disguises(term: &Term, value: &Value) -> Vec<(&'static str, Value, String)> {
    let bare = || json!({ "@context": catalog_schemas::CONTEXT, "@type": term.kind.as_str() });
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    let mut forms = Vec::new();
    let mut add = |name, key: &str, around: &dyn Fn(Value) -> Value, before: &str| {
        let mut document = bare();
        let content = around(json!({ key: value }));
        document.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        forms.push((name, document, format!("{before}/{}", escaped(key))));
    };
    let plain = |content: Value| content;
    add("key", &term.key, &plain, "");
    for alias in &term.aliases {
        add("alias", alias, &plain, "");
    }
    add("@graph", &term.key, &|content| json!({ "@graph": [content] }), "/@graph/0");
    add("@included", &term.key, &|content| json!({ "@included": [content] }), "/@included/0");
    add("@nest", &term.key, &|content| json!({ "@nest": content }), "/@nest");
    let first = Table::get().by_iri(term.kind, None, term.iri.as_str()).into_iter().next();
    if first.is_some_and(|first| first.key == term.key) {
        let (compact, full) = (term.compact_iri(), term.iri.as_str());
        add("compact IRI", &compact, &plain, "");
        add("full IRI", full, &plain, "");
        if let Some(rest) = full.strip_prefix("https://schema.org/") {
            add("http schema.org", &format!("http://schema.org/{rest}"), &plain, "");
        }
        add("@reverse", full, &|content| json!({ "@reverse": content }), "/@reverse");
        add(
            "foreign",
            &compact,
            &|content| json!({ "https://example.org/ns#x": content }),
            "/https:~1~1example.org~1ns#x",
        );
        let mut document = bare();
        document["@context"] = json!([catalog_schemas::CONTEXT, { "harmless": { "@id": full } }]);
        document["harmless"] = value.clone();
        forms.push(("inline context", document, "/harmless".to_owned()));
        let mut document = bare();
        document["@context"] = json!([catalog_schemas::CONTEXT, { "p": full }]);
        document["p:"] = value.clone();
        forms.push(("inline prefix", document, "/p:".to_owned()));
    }
    forms
}

fn forbidden_at(document: &Value, writer: Writer, pointer: &str) -> bool {
    let options = Options { complete: false, ..Options::new(writer) };
    let validation = validate(document.to_string().as_bytes(), &options);
    let found = validation
        .report
        .findings
        .iter()
        .any(|finding| finding.code == "access.write_forbidden" && finding.pointer == pointer);
    assert!(!found || validation.record.is_none());
    found
}

#[test]
fn every_disguise_of_every_term_is_seen_through() {
    let rows = support::rows("terms.jsonl");
    let (mut tried, mut faults) = (0, Vec::new());
    for term in Table::get().terms() {
        if !term.kind.is_uploaded() || term.key.contains('.') || term.is_keyword() || term.datatype == Datatype::Nest {
            continue;
        }
        let value = rows.iter().find(|row| row["key"] == json!(term.key)).unwrap()["valid"].clone();
        for writer in Writer::ALL {
            for (disguise, document, pointer) in disguises(term, &value) {
                tried += 1;
                if forbidden_at(&document, writer, &pointer) == term.is_writable_by(writer.role()) {
                    faults.push(format!("{} {} as {disguise} by {writer:?}", term.kind, term.key));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {tried}:\n{}", faults.len(), faults.join("\n"));
    assert!(tried > 5000, "{tried}");
}

#[test]
fn terms_of_nodes_are_guarded_as_well() {
    let (mut tried, mut faults) = (0, Vec::new());
    for term in Table::get().terms() {
        if !term.kind.is_uploaded() || !term.key.contains('.') || term.is_keyword() || term.is_refused() {
            continue;
        }
        for writer in Writer::ALL {
            let mut forms = vec![term.name().to_owned()];
            let parent = Table::get().by_key(term.kind, Table::get().subject_key(term));
            let first = Table::get().by_iri(term.kind, parent, term.iri.as_str()).into_iter().next();
            if term.datatype != Datatype::Nest && first.is_some_and(|first| first.key == term.key) {
                forms.extend([term.compact_iri(), term.iri.as_str().to_owned()]);
            }
            for form in forms {
                // The nodes around it, from the inside out; a writer who may not write one of those is stopped there.
                let mut content = json!({ form.as_str(): "x" });
                let mut pointer = format!("/{}", form.replace('~', "~0").replace('/', "~1"));
                let mut key = term.prefix();
                let mut stopped = false;
                while let Some(around) = Table::get().by_key(term.kind, key) {
                    stopped |= !around.is_writable_by(writer.role());
                    content = json!({ around.name(): content });
                    pointer = format!("/{}{pointer}", around.name());
                    key = around.prefix();
                }
                let mut document = json!({ "@context": catalog_schemas::CONTEXT, "@type": term.kind.as_str() });
                document.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
                tried += 1;
                let expected = !stopped && !term.is_writable_by(writer.role());
                if forbidden_at(&document, writer, &pointer) != expected {
                    faults.push(format!("{} {} as {form} by {writer:?}, expected {expected}", term.kind, term.key));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {tried}:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_hostile_file_costs_no_more_than_its_findings() {
    let keys: Vec<String> =
        (0..40_000).map(|number| format!("\"esado:x{number}\":{{\"officialConfirmed\":1}}")).collect();
    let text = format!("{{\"@context\":\"{}\",\"@type\":\"Datalab\",{}}}", catalog_schemas::CONTEXT, keys.join(","));
    let started = std::time::Instant::now();
    let validation = validate(text.as_bytes(), &Options::new(Writer::Developer));
    assert_eq!(validation.report.findings.len(), 501);
    assert_eq!(validation.report.findings[500].code, "limit.findings");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

mod laws {
    use super::*;
    use catalog_ontology::record::Record;
    use proptest::prelude::*;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (0.0..1000.0f64).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            prop::sample::select(vec![
                "gaia",
                "FITS",
                "10.1000/x",
                "https://example.org/é",
                "2024-02-29",
                "MIT",
                "web",
                "/data/x",
                "0.5",
                "sha256:0"
            ])
            .prop_map(Value::from),
        ];
        let keys = prop::sample::select(vec![
            "en",
            "name",
            "@id",
            "@value",
            "@type",
            "@language",
            "@list",
            "@set",
            "min",
            "max",
            "cpu",
            "x:y",
            "value",
            "mountPath",
        ]);
        leaf.prop_recursive(3, 12, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((keys.clone(), inner), 0..4).prop_map(|members| Value::Object(
                    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                )),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn any_value_of_any_term_is_judged_and_what_is_accepted_comes_back(
            kind in prop::sample::select(vec![Kind::Datalab, Kind::Dataset, Kind::DataVolume, Kind::Pipeline, Kind::Software, Kind::DataService, Kind::Datazone]),
            picks in prop::collection::vec((any::<prop::sample::Index>(), json_value()), 1..4),
            writer in prop::sample::select(Writer::ALL.to_vec()),
        ) {
            let terms: Vec<_> = Table::get().children(kind, "");
            let mut document = json!({ "@context": catalog_schemas::CONTEXT, "@type": kind.as_str() });
            for (pick, value) in picks {
                document[pick.get(&terms).key.as_str()] = value;
            }
            let options = Options { complete: false, ..Options::new(writer) };
            let validation = validate(document.to_string().as_bytes(), &options);
            prop_assert_eq!(validation.report.valid, validation.record.is_some());
            for finding in &validation.report.findings {
                prop_assert!(finding.line.is_some() && finding.column.is_some(), "{:?}", finding);
            }
            if let Some(record) = validation.record {
                let stored = record.document();
                let back = Record::from_document(&stored).unwrap();
                prop_assert_eq!(&back, record.record());
                prop_assert_eq!(back.document(), stored);
            }
        }
    }
}
