//! What validation makes of the items of a source.

#![allow(clippy::vec_box, reason = "records come boxed from their source's channel")]

use std::sync::Arc;

use catalog_harvester::Harvested;
use catalog_ontology::manifest::{Options, validate};
use catalog_schemas::problem::{Finding, Severity};
use sha2::{Digest, Sha256};

use crate::catalog::FIRST_VERSION;
use crate::http::problem::Failure;

/// An item with what validation made of it.
pub(super) struct Judged {
    pub(super) item: Box<Harvested>,
    pub(super) document: String,
    pub(super) content_hash: String,
    pub(super) version: String,
    pub(super) findings: Vec<Finding>,
    pub(super) name: String,
}

/// An item, and what validation made of it or finds wrong with it.
pub(super) type Verdict = (Box<Harvested>, Result<Judged, Vec<Finding>>);

/// Validates items on every core, in their order.
pub(super) async fn judge_all(items: Vec<Box<Harvested>>) -> Result<Vec<Verdict>, Failure> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let items = Arc::new(items);
    let judged = tokio::task::spawn_blocking(move || {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = items.len().div_ceil(cores).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = items
                .chunks(share)
                .map(|items| scope.spawn(move || items.iter().map(|item| judge(item.clone())).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect::<Vec<_>>()
        })
    });
    Ok(judged.await?)
}

fn judge(item: Box<Harvested>) -> Verdict {
    let validation = validate(item.manifest.to_string().as_bytes(), &Options::harvested());
    let mut findings = validation.report.findings;
    let Some(record) = validation.record.filter(|record| record.kind() == item.kind) else {
        findings.retain(|finding| finding.severity == Severity::Error);
        if findings.is_empty() {
            findings.push(Finding::error("type.unknown", "the document is not of the type that it comes as"));
        }
        return (item, Err(findings));
    };
    findings.retain(|finding| finding.severity != Severity::Hint);
    let document = record.document().to_string();
    let name = record.text("name", "en").or_else(|| record.text("title", "en")).unwrap_or_default();
    let judged = Judged {
        content_hash: hex::encode(Sha256::digest(document.as_bytes())),
        version: version(record.version()),
        name: name.chars().take(200).collect(),
        document,
        findings,
        item: item.clone(),
    };
    (item, Ok(judged))
}

/// Returns the version as the ledger takes it; what other catalogues call a version may be anything.
fn version(given: Option<&str>) -> String {
    let given = given.unwrap_or(FIRST_VERSION);
    if given.parse::<catalog_schemas::id::Version>().is_ok() {
        return given.to_owned();
    }
    let digest = hex::encode(Sha256::digest(given.as_bytes()));
    format!("v-{}", &digest[..12])
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_of_others_become_versions_of_ours() {
        assert_eq!(version(None), "1");
        assert_eq!(version(Some("2.1")), "2.1");
        assert!(version(Some("3. ed. (2004)")).starts_with("v-"));
    }
}
