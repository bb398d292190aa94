//! Runs `tests/suite/manifests`: every rule of a manifest is a row of data there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking and may print")]

mod support;

use std::collections::BTreeMap;

use catalog_ontology::manifest::Writer;
use catalog_ontology::record::Record;
use catalog_ontology::terms::{Datatype, Kind, Table};
use catalog_schemas::account::Role;
use catalog_schemas::problem::{Finding, Severity};

use support::{Row, case, check, errors, manifest_with, row_of, rows, suite, uploaded, with_context};

#[test]
fn every_term_has_a_valid_case_that_is_kept() {
    let rows = rows("terms.jsonl");
    let mut faults = Vec::new();
    for term in uploaded().filter(|term| !term.is_refused() && !term.writers.roles().is_empty()) {
        let Some(row) = row_of(&rows, term) else {
            faults.push(format!("{} {}: no row in terms.jsonl", term.kind, term.key));
            continue;
        };
        let (document, writer) = manifest_with(&rows, term, &row["valid"]);
        let validation = check(&document, writer);
        let Some(record) = &validation.record else {
            faults.push(format!("{} {}: {:?}", term.kind, term.key, errors(&validation)));
            continue;
        };
        let kept = match term.datatype {
            Datatype::Nest => true,
            _ if term.key.ends_with("@id") => record.document().to_string().contains("https://example.org/thing"),
            _ => !record.values(&term.key).is_empty(),
        };
        if !kept {
            faults.push(format!("{} {}: the value is lost", term.kind, term.key));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_term_has_an_invalid_case_that_is_found() {
    let rows = rows("terms.jsonl");
    let mut faults = Vec::new();
    for term in uploaded() {
        let Some(row) = row_of(&rows, term) else { continue };
        let (document, writer) = manifest_with(&rows, term, &row["invalid"]);
        let validation = check(&document, writer);
        let pointer = term.key.replace('.', "/");
        let plain = |finding: &Finding| {
            finding
                .pointer
                .split('/')
                .filter(|part| part.parse::<usize>().is_err())
                .skip(1)
                .collect::<Vec<_>>()
                .join("/")
        };
        let found = errors(&validation)
            .iter()
            .any(|f| f.code == row["code"] && plain(f).starts_with(&pointer) && f.line.is_some());
        if !found || validation.record.is_some() {
            faults.push(format!("{} {}: expected {}, got {:?}", term.kind, term.key, row["code"], errors(&validation)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn terms_of_records_that_the_platform_makes_are_checked_as_well() {
    let rows = rows("terms.jsonl");
    let mut faults = Vec::new();
    let made = Table::get()
        .terms()
        .iter()
        .filter(|term| !term.kind.is_uploaded() && !term.is_keyword() && !term.key.contains('.'));
    for term in made {
        let row = row_of(&rows, term).unwrap_or_else(|| panic!("{} {} has no row", term.kind, term.key));
        let mut record = Record::empty(term.kind);
        if let Err(error) = record.set(&term.key, &row["valid"]) {
            faults.push(format!("{} {}: {error}", term.kind, term.key));
        }
        if record.set(&term.key, &row["invalid"]).is_ok() && term.max != Some(0) {
            faults.push(format!("{} {}: {} is accepted", term.kind, term.key, row["invalid"]));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_accepted_case_comes_back_from_its_document() {
    for (name, record) in support::accepted() {
        let document = record.document();
        assert_eq!(Record::from_document(&document).unwrap(), record, "{name}");
        let public = Record::from_document(&record.public_document()).unwrap();
        assert!(
            public.triples(&support::iris(&record), catalog_ontology::terms::Visibility::Private).is_empty(),
            "{name}"
        );
        if record.kind() != Kind::Datazone {
            let again = check(&with_context(&document), Writer::Developer);
            assert_eq!(again.record.map(|record| record.document()), Some(document), "{name}: {:?}", again.report);
        }
    }
}

#[test]
fn bad_manifests_have_exactly_their_findings() {
    let cases = rows("bad.jsonl");
    let mut reports = BTreeMap::new();
    let mut faults = Vec::new();
    for row in &cases {
        let row = Row::read(row);
        let validation = case(&row);
        let shown: Vec<String> = validation
            .report
            .findings
            .iter()
            .filter(|finding| finding.severity != Severity::Hint)
            .map(|finding| format!("{} {}", finding.code, finding.pointer).trim_end().to_owned())
            .collect();
        if shown != row.expect {
            faults.push(format!("{}:\n  expected {:?}\n  got      {shown:?}", row.name, row.expect));
        }
        let wrong = validation.report.findings.iter().any(|finding| finding.severity == Severity::Error);
        assert_eq!(validation.record.is_none(), wrong, "{}", row.name);
        assert!(reports.insert(row.name.clone(), validation.report).is_none(), "{} stands twice", row.name);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    // A report that says what is wrong and not what to do leaves its reader alone.
    for (name, report) in &reports {
        for finding in &report.findings {
            let told = finding.fix.is_some() || finding.severity == Severity::Hint;
            assert!(told, "{name}: no fix for {} at {:?}", finding.code, finding.pointer);
        }
    }
    assert!(reports.values().filter(|report| !report.valid).count() >= 60, "{} bad manifests", reports.len());
    let text = reports.iter().fold(String::new(), |text, (name, report)| {
        let lines = report.findings.iter().map(|finding| serde_json::to_string(finding).unwrap());
        format!("{text}# {name}\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    });
    let path = suite().join("bad.expected");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let first = expected.lines().zip(text.lines()).find(|(one, other)| one != other);
    assert!(expected == text, "bad.expected is out of step; review, then run with UPDATE_EXPECT=1: {first:?}");
}

#[test]
fn every_code_of_a_rule_is_in_the_suite() {
    // A rule whose code no row names is a rule that nothing tests.
    let codes = [
        "json.syntax",
        "json.duplicate_key",
        "limit.size",
        "limit.depth",
        "context.missing",
        "context.not_bundled",
        "context.inline",
        "type.missing",
        "type.unknown",
        "term.unknown",
        "term.foreign",
        "term.missing",
        "term.too_many",
        "value.type",
        "value.format",
        "value.too_long",
        "value.pattern",
        "value.range",
        "value.not_listed",
        "value.language",
        "concept.unknown",
        "iri.invalid",
        "iri.scheme",
        "identifier.invalid",
        "license.unknown",
        "access.write_forbidden",
        "jsonld.keyword",
        "mount.invalid",
        "mount.conflict",
        "file.missing",
        "secret.suspected",
        "runtime.privileged",
        "runtime.port_missing",
        "image.reference",
        "image.unpinned",
        "resources.min_over_max",
        "quality.placeholder",
        "text.bidi",
        "text.control",
        "text.confusable",
        "gaps.unreadable",
        "gaps.unusable",
        "value.quantity",
    ];
    let expected: Vec<String> = rows("bad.jsonl").iter().flat_map(|row| Row::read(row).expect).collect();
    let missing: Vec<_> =
        codes.iter().filter(|code| !expected.iter().any(|line| line.split(' ').next() == Some(code))).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn roles_match_the_table() {
    // `Writer` has exactly the roles that the table gives to terms.
    let mut roles: Vec<Role> = Table::get().terms().iter().flat_map(|term| term.writers.roles()).collect();
    roles.sort();
    roles.dedup();
    assert_eq!(roles, Writer::ALL.map(Writer::role));
}
