//! What this catalogue asks of packages beyond the rules that hold everywhere: review, registries, digests, licences,
//! signatures. Operators choose; nothing is asked by default.

use catalog_ontology::manifest::{MANIFEST, image_reference};
use catalog_ontology::record::Record;
use catalog_schemas::problem::{Finding, Severity};
use serde::Deserialize;

/// Codes of warnings that keep a package out until its publisher takes responsibility for them.
const BLOCKING: [&str; 1] = ["secret.suspected"];

/// Namespaces for trying things out: never listed anywhere, never reviewed.
pub const SANDBOX: &str = "sandbox.";

/// What a moderator has to see before everybody does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Review {
    /// Nothing: who owns a namespace publishes into it.
    #[default]
    None,
    /// Every version: an upload is a draft, which is submitted and approved.
    Required,
}

/// Whether packages have to be signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// Who wants to.
    #[default]
    Optional,
    /// Every package of a namespace that has a key.
    Keyed,
    /// Every package.
    Required,
}

/// What this catalogue asks of packages: the section `[policy]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Policy {
    /// What a moderator has to see first.
    pub review: Review,
    /// Registries, or repositories within them, that images may come from, such as `registry.esa.int/datalabs`; all when empty.
    pub registries: Vec<String>,
    /// Whether images must be named by digest, so that what runs is what was reviewed.
    pub digest_required: bool,
    /// Licences by SPDX identifier, such as `MIT`; all when empty.
    pub licences: Vec<String>,
    /// Whether packages have to be signed.
    pub signature: Signing,
}

impl Policy {
    /// Returns what of a record this catalogue does not take.
    pub fn check(&self, record: &Record) -> Vec<Finding> {
        if is_sandbox(record.identifier()) {
            return Vec::new();
        }
        let mut findings = Vec::new();
        if let Some(text) = record.string("datalabImage.reference") {
            self.image(text, "/datalabImage/reference", &mut findings);
        }
        // What the steps of a workflow run is an image as any other.
        for (place, step) in record.nodes("step").into_iter().enumerate() {
            if let Some(text) = step.text("image") {
                self.image(text, &format!("/step/{place}/image"), &mut findings);
            }
        }
        if let Some(licence) = record.string("license").filter(|_| !self.licences.is_empty()) {
            let id = licence.trim_end_matches('/').rsplit('/').next().unwrap_or(licence);
            if !self.licences.iter().any(|allowed| allowed.eq_ignore_ascii_case(id)) {
                findings.push(
                    Finding::error("policy.licence", format!("this catalogue does not take the licence `{id}`"))
                        .file(MANIFEST)
                        .pointer("/license")
                        .got(id)
                        .expected(self.licences.join(", "))
                        .fix("publish under one of these licences, or ask the operator"),
                );
            }
        }
        findings
    }

    fn image(&self, text: &str, pointer: &str, findings: &mut Vec<Finding>) {
        let Some(image) = image_reference(text) else { return };
        let name = full_name(&image.name);
        let place = |finding: Finding| finding.file(MANIFEST).pointer(pointer).got(text);
        let allowed = |registry: &String| {
            let registry = registry.trim_end_matches('/');
            name == registry || name.strip_prefix(registry).is_some_and(|rest| rest.starts_with('/'))
        };
        if !self.registries.is_empty() && !self.registries.iter().any(allowed) {
            let finding = Finding::error("policy.registry", "this catalogue does not take images from that registry");
            findings.push(
                place(finding)
                    .expected(self.registries.join(", "))
                    .fix("push the image to one of these, and name it there"),
            );
        }
        if self.digest_required && image.digest.is_none() {
            let finding =
                Finding::error("policy.digest", "this catalogue takes images by digest only: a tag can be moved");
            findings.push(
                place(finding)
                    .expected("registry/repository:tag@sha256:…")
                    .fix("add the digest that `docker inspect --format '{{.RepoDigests}}'` prints"),
            );
        }
    }

    /// Says whether a version of this record waits for a moderator.
    pub fn reviews(&self, identifier: &str) -> bool {
        self.review == Review::Required && !is_sandbox(identifier)
    }
}

/// Says whether a record is only for trying things out.
pub fn is_sandbox(identifier: &str) -> bool {
    identifier.starts_with(SANDBOX)
}

/// Returns the name of an image with its registry, as a container engine completes it.
fn full_name(name: &str) -> String {
    let first = name.split('/').next().unwrap_or_default();
    let has_registry = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    match (has_registry, name.contains('/')) {
        (true, _) => name.to_owned(),
        (false, true) => format!("docker.io/{name}"),
        (false, false) => format!("docker.io/library/{name}"),
    }
}

/// Returns the warnings that keep a package out because nobody took responsibility for them.
pub fn unacknowledged(findings: &[Finding], acknowledged: &[String]) -> Vec<Finding> {
    let blocks = |finding: &&Finding| {
        finding.severity == Severity::Warning
            && BLOCKING.contains(&finding.code.as_str())
            && !acknowledged.contains(&finding.code)
    };
    findings.iter().filter(blocks).cloned().collect()
}

/// Returns the codes that were acknowledged and needed to be.
pub fn taken_on(findings: &[Finding], acknowledged: &[String]) -> Vec<String> {
    let needed = |code: &&String| findings.iter().any(|finding| finding.code == **code);
    let mut codes: Vec<String> =
        acknowledged.iter().filter(|code| BLOCKING.contains(&code.as_str())).filter(needed).cloned().collect();
    codes.sort();
    codes.dedup();
    codes
}

#[cfg(test)]
mod tests {
    use catalog_ontology::terms::Kind;
    use serde_json::json;

    use super::*;

    fn record(image: &str, licence: &str) -> Record {
        let mut record = Record::empty(Kind::Datalab);
        record.set("identifier", &json!("esa.x.lab")).unwrap();
        record.set("datalabImage.reference", &json!(image)).unwrap();
        record.set("license", &json!(licence)).unwrap();
        record
    }

    #[test]
    fn images_and_licences_are_taken_as_the_operator_chose() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let policy = Policy {
            registries: vec!["registry.esa.int/labs/".to_owned(), "docker.io/library".to_owned()],
            digest_required: true,
            licences: vec!["MIT".to_owned()],
            ..Policy::default()
        };
        for (image, licence, expected) in [
            (format!("registry.esa.int/labs/x:1@{digest}"), "MIT", ""),
            (format!("python@{digest}"), "MIT", ""),
            ("registry.esa.int/labs/x:1".to_owned(), "MIT", "policy.digest"),
            (format!("registry.esa.int/labsx/x@{digest}"), "MIT", "policy.registry"),
            (format!("evil.example/registry.esa.int/labs/x@{digest}"), "MIT", "policy.registry"),
            (format!("somebody/python@{digest}"), "GPL-3.0-only", "policy.registry policy.licence"),
        ] {
            let record = record(&image, licence);
            let codes: Vec<_> = policy.check(&record).into_iter().map(|finding| finding.code).collect();
            assert_eq!(codes.join(" "), expected, "{image} {licence}");
            assert!(Policy::default().check(&record).is_empty());
        }
    }

    #[test]
    fn a_blocking_warning_waits_for_its_publisher() {
        let findings = vec![Finding::warning("secret.suspected", "x"), Finding::warning("image.unpinned", "y")];
        assert_eq!(unacknowledged(&findings, &[]).len(), 1);
        let codes = ["image.unpinned".to_owned(), "secret.suspected".to_owned()];
        assert!(unacknowledged(&findings, &codes).is_empty());
        assert_eq!(taken_on(&findings, &codes), ["secret.suspected"]);
    }
}
