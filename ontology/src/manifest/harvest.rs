//! The harvest profile: what a record of another catalogue must have, and what it may say that a publisher may not.

use catalog_schemas::account::Role;
use catalog_schemas::problem::{Finding, Severity};

use crate::terms::{Term, Visibility};

/// Terms that the application writes about its own keeping of a record, which no other catalogue can say.
const OURS: [&str; 9] = [
    "conformsTo",
    "dateCreated",
    "state",
    "owner",
    "qualityScore",
    "packageDigest",
    "signature",
    "officialConfirmed",
    "replica",
];

/// Says whether another catalogue may state a term that publishers leave to the application, such as the publisher.
pub(crate) fn may_state(term: &Term) -> bool {
    term.is_writable_by(Role::Application)
        && term.visibility == Visibility::Public
        && !OURS.contains(&term.key.split('.').next().unwrap_or_default())
}

/// Makes a warning of an error that only binds publishers; the value it speaks of is left out of the record.
///
/// What stays an error keeps a record out: no identifier, no name, no type, limits, and what contradicts itself or is
/// better not kept.
pub(crate) fn soften(finding: &mut Finding) {
    if finding.severity != Severity::Error || stays(finding) {
        return;
    }
    finding.severity = Severity::Warning;
    let mut fix = "Have it mended at the source; the record was taken without it.";
    if finding.code == "term.missing" {
        finding.code = "harvest.missing".to_owned();
        fix = "Have it said at the source, or say it for all records of the source with `defaults`.";
    }
    finding.fix = Some(fix.to_owned());
}

fn stays(finding: &Finding) -> bool {
    let code = finding.code.as_str();
    match code {
        "term.missing" => finding.pointer.is_empty() && is_needed(finding.term.as_deref()),
        "resources.min_over_max" | "mount.conflict" => true,
        _ if ["json.", "limit.", "secret.", "identifier.", "context.", "type."]
            .iter()
            .any(|group| code.starts_with(group)) =>
        {
            code != "type.unknown" || !finding.pointer[1.min(finding.pointer.len())..].contains('/')
        }
        _ => false,
    }
}

fn is_needed(term: Option<&str>) -> bool {
    matches!(term, Some("sdo:identifier" | "sdo:name" | "dcterms:title" | "dcterms:identifier"))
}

#[cfg(test)]
mod tests {
    use crate::manifest::{Options, Writer, validate};

    fn dataset(rest: serde_json::Value) -> Vec<u8> {
        let mut manifest = serde_json::json!({ "@context": catalog_schemas::CONTEXT, "@type": "Dataset" });
        manifest.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        manifest.to_string().into_bytes()
    }

    #[test]
    fn an_identifier_and_a_title_are_enough() {
        let bytes = dataset(serde_json::json!({ "identifier": "osc.x", "title": { "en": "X" } }));
        let validation = validate(&bytes, &Options::harvested());
        assert!(validation.record.is_some(), "{:#?}", validation.report);
        let missing = validation.report.findings.iter().find(|finding| finding.code == "harvest.missing").unwrap();
        assert!(missing.fix.as_ref().unwrap().contains("defaults"));
        assert!(validate(&bytes, &Options::new(Writer::Developer)).record.is_none());
    }

    #[test]
    fn without_a_title_or_an_identifier_it_is_no_record() {
        for rest in [serde_json::json!({ "identifier": "osc.x" }), serde_json::json!({ "title": { "en": "X" } })] {
            let validation = validate(&dataset(rest), &Options::harvested());
            assert!(validation.record.is_none(), "{:#?}", validation.report);
        }
    }

    #[test]
    fn a_wrong_value_is_left_out_and_reported() {
        let bytes = dataset(serde_json::json!({
            "identifier": "osc.x", "title": { "en": "X" }, "issued": "soon", "mission": ["no-such-mission"],
            "landingPage": ["javascript:alert(1)"], "publisher": { "name": "NASA" }, "state": "withdrawn",
            "qualityScore": [{ "metric": "https://x.example/m", "value": 1 }]
        }));
        let validation = validate(&bytes, &Options::harvested());
        let record = validation.record.expect("it is a record");
        assert!(record.string("issued").is_none() && record.concepts("mission").is_empty());
        assert!(record.string("landingPage").is_none() && record.string("state").is_none());
        assert!(record.nodes("qualityScore").is_empty());
        assert_eq!(record.nodes("publisher")[0].text("name"), Some("NASA"));
        assert!(validation.report.findings.len() >= 4);
    }

    #[test]
    fn the_limits_hold_for_everybody() {
        let validation = validate(b"{", &Options::harvested());
        assert!(validation.record.is_none() && !validation.report.valid);
    }

    #[test]
    fn dates_of_others_may_be_shorter_than_ours() {
        let bytes = dataset(
            serde_json::json!({ "identifier": "osc.x", "title": { "en": "X" }, "issued": "2015", "modified": "2016-05" }),
        );
        let record = validate(&bytes, &Options::harvested()).record.expect("it is a record");
        assert_eq!((record.string("issued"), record.string("modified")), (Some("2015"), Some("2016-05")));
        let again = crate::record::Record::from_document(&record.document()).unwrap();
        assert_eq!(again.string("issued"), Some("2015"));
        assert!(validate(&bytes, &Options::new(Writer::Developer)).record.is_none());
    }
}
