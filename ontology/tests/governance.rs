//! Who reads and writes what: patches judged by the table, views of a record by the table, signatures by mathematics.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use catalog_ontology::manifest::{Options, PatchReport, Writer, patch, validate};
use catalog_ontology::record::{Record, RecordIris};
use catalog_ontology::signature::{
    SecretKey, SignatureError, Trust, TrustedKey, archive_digest, sign, statements_digest, verify,
};
use catalog_ontology::terms::{Datatype, Kind, Table, Visibility};
use serde_json::{Value, json};

fn stored(kind: Kind) -> Value {
    let writer = if kind == Kind::Datazone { Writer::Application } else { Writer::Developer };
    let validation = validate(support::base(kind).to_string().as_bytes(), &Options::new(writer));
    validation.record.unwrap_or_else(|| panic!("{:?}", validation.report)).document()
}

fn judged(document: &Value, given: &Value, writers: &[Writer]) -> PatchReport {
    patch(document, given.to_string().as_bytes(), writers)
}

fn codes(report: &PatchReport) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn every_term_is_patched_by_whom_the_table_says() {
    let rows = support::rows("terms.jsonl");
    let mut tried = 0;
    for kind in [Kind::Datalab, Kind::Dataset, Kind::DataVolume, Kind::Pipeline] {
        let document = stored(kind);
        for term in Table::get().of(kind) {
            if term.key.contains('.') || term.is_keyword() || term.is_refused() || term.datatype == Datatype::Nest {
                continue;
            }
            let valid = &rows.iter().find(|row| row["key"] == json!(term.key)).unwrap()["valid"];
            let mut names = vec![term.key.clone(), term.compact_iri(), term.iri.as_str().to_owned()];
            names.extend(term.aliases.iter().cloned());
            for (at, name) in names.iter().enumerate() {
                let means = Table::get().by_iri(kind, None, term.iri.as_str());
                if (1..=2).contains(&at) && means.first().is_none_or(|first| first.key != term.key) {
                    continue;
                }
                for writer in [Writer::Developer, Writer::Moderator] {
                    for value in [valid.clone(), Value::Null] {
                        tried += 1;
                        let report = judged(&document, &json!({ name.as_str(): value }), &[writer]);
                        let may = term.is_writable_by(writer.role());
                        // A node may hold what others write; its members are tried one by one elsewhere.
                        let whole = !may || term.datatype != Datatype::Node;
                        let forbidden = report.is_forbidden();
                        assert!(!whole || forbidden != may, "{kind} {name} {writer:?} {value}: {report:?}");
                        if report.is_forbidden() {
                            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                            assert!(report.findings.iter().any(|f| f.pointer.starts_with(&pointer)), "{report:?}");
                        }
                    }
                }
            }
        }
    }
    assert!(tried > 1500, "{tried}");
}

#[test]
fn a_patch_becomes_the_words_of_those_who_may_write_them() {
    let document = stored(Kind::Datalab);
    let both = [Writer::Developer, Writer::Moderator];
    let given =
        json!({ "displayName": "sky", "officialConfirmed": true, "reviewNote": ["looks good"], "description": null });
    let report = judged(&document, &given, &both);
    assert!(report.findings.is_empty(), "{report:?}");
    assert_eq!(report.developer, Some(json!({ "alternateName": "sky", "description": null })));
    assert_eq!(report.moderator, Some(json!({ "officialConfirmed": true, "reviewNote": ["looks good"] })));
    assert_eq!(report.merged["alternateName"], "sky");
    assert!(report.merged.get("description").is_none());

    let alone = judged(&document, &given, &[Writer::Developer]);
    assert!(alone.is_forbidden());
    let places: Vec<_> = alone.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(places, ["/officialConfirmed", "/reviewNote"]);
    assert!(judged(&document, &given, &[]).is_forbidden());
}

#[test]
fn a_patch_of_one_language_leaves_the_others() {
    let document = stored(Kind::Datalab);
    let report = judged(&document, &json!({ "name": { "fr": "Atlas du ciel" } }), &[Writer::Developer]);
    assert!(report.findings.is_empty(), "{report:?}");
    assert_eq!(report.merged["name"]["fr"], "Atlas du ciel");
    assert_eq!(report.merged["name"]["en"], document["name"]["en"]);
    let back = judged(&report.merged, &json!({ "sdo:name": { "FR": null } }), &[Writer::Developer]);
    assert_eq!(back.developer, Some(json!({ "name": { "fr": null } })), "{back:?}");
    assert_eq!(back.merged, document);
}

#[test]
fn what_a_patch_cannot_do_is_named() {
    let document = stored(Kind::Datalab);
    for (given, code, pointer) in [
        (json!({ "name": null }), "term.missing", ""),
        (json!({ "abstract": null }), "term.missing", ""),
        (json!({ "identifier": "esa.other" }), "patch.needs_version", "/identifier"),
        (json!({ "softwareVersion": "9" }), "patch.needs_version", "/softwareVersion"),
        (json!({ "datalabImage": { "reference": "x.example/y:1" } }), "patch.needs_version", "/datalabImage/reference"),
        (json!({ "datalabImage": null }), "access.write_forbidden", "/datalabImage"),
        (json!({ "runtime": { "port": [1] } }), "patch.needs_version", "/runtime/port"),
        (json!({ "runtime": null }), "patch.needs_version", "/runtime"),
        (json!({ "@id": "https://evil.example/x" }), "patch.immutable", "/@id"),
        (json!({ "@type": "Dataset" }), "patch.immutable", "/@type"),
        (json!({ "@graph": [{ "officialConfirmed": true }] }), "access.write_forbidden", "/@graph/0/officialConfirmed"),
        (
            json!({ "@reverse": { "https://w3id.org/esado#officialConfirmed": true } }),
            "access.write_forbidden",
            "/@reverse/https:~1~1w3id.org~1esado#officialConfirmed",
        ),
        (json!({ "colour": "red" }), "term.unknown", "/colour"),
        (json!({ "colour": null }), "term.unknown", "/colour"),
        (json!({ "mission": ["no-such-mission"] }), "concept.unknown", "/mission/0"),
        (json!({ "needs": { "cpu": { "min": 8, "max": 2 } } }), "resources.min_over_max", "/needs/cpu/max"),
        (json!({ "domain": [null] }), "value.type", "/domain/0"),
    ] {
        let report = judged(&document, &given, &[Writer::Developer]);
        let found = report.findings.iter().any(|finding| finding.code == code && finding.pointer == pointer);
        assert!(found, "{given}: {:?}", report.findings);
    }
    let twice = patch(&document, br#"{"name":"a","name":"b"}"#, &[Writer::Developer]);
    assert_eq!(codes(&twice)[0], "json.duplicate_key");
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    assert!(!patch(&document, deep.as_bytes(), &[Writer::Developer]).findings.is_empty());
}

#[test]
fn every_view_of_a_record_shows_what_the_table_says() {
    let rows = support::rows("terms.jsonl");
    let (mut shown, mut hidden) = (0, 0);
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_uploaded()) {
        for term in Table::get().of(kind) {
            if term.key.contains('.') || term.is_keyword() || term.is_refused() || term.datatype == Datatype::Nest {
                continue;
            }
            let valid = &rows.iter().find(|row| row["key"] == json!(term.key)).unwrap()["valid"];
            let mut record = Record::empty(kind);
            record.set(&term.key, valid).unwrap_or_else(|error| panic!("{kind} {}: {error}", term.key));
            let iris = RecordIris::new("https://a.example", "z", &record);
            let bare = Record::empty(kind).triples(&iris, Visibility::Public).len();
            let words =
                |document: &Value| document.as_object().unwrap().keys().filter(|key| !key.starts_with('@')).count();
            let seen = [
                words(&record.public_document()),
                words(&record.json_ld(&iris.record)),
                record.terms_view(Visibility::Public).len(),
                record.triples(&iris, Visibility::Public).len() - bare,
                record.core_triples(&iris.record, false).len()
                    - Record::empty(kind).core_triples(&iris.record, false).len(),
            ];
            let trusted = [
                words(&record.document()),
                words(&record.json_ld_with_private(&iris.record)),
                record.terms_view(Visibility::Private).len(),
            ];
            assert!(trusted.iter().all(|count| *count > 0), "{kind} {}: {trusted:?}", term.key);
            if term.visibility == Visibility::Private {
                hidden += 1;
                assert_eq!(seen, [0; 5], "{kind} {} is private", term.key);
            } else {
                shown += 1;
                // A node whose members given here are all private has nothing to show.
                let nothing = record.public_document().as_object().unwrap().len() == 1;
                assert!(
                    nothing && term.datatype == Datatype::Node || seen.iter().all(|count| *count > 0),
                    "{kind} {}: {seen:?}",
                    term.key
                );
            }
        }
    }
    assert!(shown > 150 && hidden > 10, "{shown} {hidden}");
}

fn record() -> Record {
    Record::from_document(&stored(Kind::Datalab)).unwrap()
}

#[test]
fn a_signature_holds_for_what_was_signed_and_for_nothing_else() {
    let (record, archive) = (record(), b"an archive");
    let key = SecretKey::from_seed([7; 32]);
    let digest = archive_digest(archive);
    let signature = sign(&record, &digest, &key);
    let statements = statements_digest(&record);
    let of = (record.identifier(), record.version().unwrap());
    let trusted = [TrustedKey { public_key: key.public(), revoked: false }];
    assert_eq!(verify(&signature, of, &statements, Some(&digest), &trusted), Ok(Trust::Trusted));
    assert_eq!(verify(&signature, of, &statements, None, &trusted), Ok(Trust::Trusted));
    let revoked = [TrustedKey { public_key: key.public(), revoked: true }];
    assert_eq!(verify(&signature, of, &statements, Some(&digest), &revoked), Ok(Trust::Revoked));
    let unknown = verify(&signature, of, &statements, Some(&digest), &[]);
    assert!(matches!(unknown, Err(SignatureError::UnknownKey(_))));

    type Change = fn(&mut catalog_schemas::governance::Signature);
    let changes: [(&str, Change); 8] = [
        ("profile", |s| s.profile = "alidade-package-signature/2".to_owned()),
        ("algorithm", |s| s.algorithm = "none".to_owned()),
        ("key", |s| s.public_key = SecretKey::from_seed([8; 32]).public()),
        ("identifier", |s| s.identifier = "esa.other".to_owned()),
        ("version", |s| s.version = "9.9.9".to_owned()),
        ("statements", |s| s.statements = "0".repeat(64)),
        ("digest", |s| s.digest = "0".repeat(64)),
        ("value", |s| s.value = s.value.replace(&s.value[..4], "AAAA")),
    ];
    for (what, change) in changes {
        let mut changed = signature.clone();
        change(&mut changed);
        let answer = verify(&changed, of, &statements, Some(&digest), &trusted);
        assert!(answer.is_err(), "{what}");
        // What is signed cannot be moved to other content by changing what it says it is of.
        let moved = verify(
            &changed,
            (&changed.identifier, &changed.version),
            &changed.statements,
            Some(&changed.digest),
            &trusted,
        );
        assert!(moved.is_err(), "{what}");
    }
    for value in ["", "AAAA", "not base64", &"A".repeat(88)] {
        let forged = catalog_schemas::governance::Signature { value: value.to_owned(), ..signature.clone() };
        assert!(verify(&forged, of, &statements, Some(&digest), &trusted).is_err());
    }
}

#[test]
fn statements_are_the_same_wherever_the_record_comes_back_from() {
    let record = record();
    let statements = statements_digest(&record);
    let back = Record::from_document(&record.public_document()).unwrap();
    assert_eq!(statements_digest(&back), statements, "without what is private");
    let mut completed = back.clone();
    completed.set("publisher", &json!({ "name": "Zone B" })).unwrap();
    completed.set("dateModified", &json!("2026-01-01T00:00:00Z")).unwrap();
    completed.set("officialConfirmed", &json!(true)).unwrap();
    assert_eq!(statements_digest(&completed), statements, "with what a catalogue adds");
    let mut changed = back;
    changed.set("abstract", &json!({ "en": "Another abstract, which nobody signed." })).unwrap();
    assert_ne!(statements_digest(&changed), statements);
}

#[test]
fn keys_are_written_and_read() {
    let key = SecretKey::from_seed([1; 32]);
    assert!(key.public().starts_with("z6Mk"), "{}", key.public());
    assert_eq!(SecretKey::parse(&format!(" {}\n", key.write())).unwrap().public(), key.public());
    assert!(!format!("{key:?}").contains(&key.write()));
    for bad in ["", "z", "z6Mk", "f00", &key.write(), &"z".repeat(10_000), "z0OIl"] {
        assert!(catalog_ontology::signature::public_key(bad).is_err(), "{bad}");
    }
    assert!(SecretKey::parse(&key.public()).is_err());
}
