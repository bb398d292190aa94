//! The catalogue: the only writer of records.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use catalog_ontology::manifest::{MANIFEST, ValidRecord, Writer};
use catalog_ontology::terms::Kind;
use catalog_records::{AccountName, Actor, IdempotencyKey, Imported, Ledger, Package, Publication, PublishOutcome};
use catalog_schemas::id::{Identifier, Version, ZoneId};
use catalog_schemas::problem::{Finding, Report};

use crate::http::problem::Failure;
use crate::intake;

/// Accounts whose last write is remembered; beyond that a search of theirs may be a moment behind.
const REMEMBERED: usize = 10_000;

/// A package as it was sent.
#[derive(Debug)]
pub struct Upload {
    /// The identifier of the path.
    pub identifier: Identifier,
    /// The version of the path.
    pub version: Version,
    /// The bytes.
    pub package: Bytes,
    /// The SHA-256 that the sender declares, hexadecimal.
    pub declared: Option<String>,
    /// Who sends it.
    pub actor: Actor,
    /// The request's key, when its sender gave one.
    pub idempotency_key: Option<String>,
    /// The request's id.
    pub request: String,
}

/// What of an accepted package goes into the answer.
#[derive(Debug)]
pub struct Accepted {
    /// The identifier.
    pub identifier: Identifier,
    /// The version.
    pub version: Version,
    /// SHA-256 of the package.
    pub digest: String,
    /// Bytes of the package.
    pub size: u64,
    /// Warnings and hints.
    pub findings: Vec<Finding>,
}

/// Writes records: validates, then asks the ledger, and nothing else does.
pub struct Catalog {
    ledger: Ledger,
    zone: ZoneId,
    last_writes: Mutex<HashMap<AccountName, u64>>,
}

impl Catalog {
    /// Makes the writer of a zone's records.
    pub fn new(ledger: Ledger, zone: ZoneId) -> Self {
        Self { ledger, zone, last_writes: Mutex::new(HashMap::new()) }
    }

    /// Validates and publishes a package.
    ///
    /// # Errors
    ///
    /// 422 with every finding when it is not valid; whatever the ledger refuses.
    pub async fn publish(&self, upload: Upload) -> Result<(PublishOutcome, Accepted), Failure> {
        let bytes = upload.package.clone();
        let checked = tokio::task::spawn_blocking(move || intake::check(&bytes, Writer::Developer)).await?;
        let mut findings = checked.report.findings;
        let (Some(record), Some(digest)) = (checked.record, checked.digest) else {
            if findings.iter().all(|finding| finding.severity != catalog_schemas::problem::Severity::Error) {
                findings.push(
                    Finding::error("archive.bare_manifest", "a manifest alone is not a package")
                        .fix("send a .tar.gz or .zip with manifest.jsonld in it, as `alidade pack` makes one"),
                );
            }
            return Err(Failure::invalid(Report::new(findings)));
        };
        findings.extend(mismatches(&upload, &record));
        if findings.iter().any(|finding| finding.severity == catalog_schemas::problem::Severity::Error) {
            return Err(Failure::invalid(Report::new(findings)));
        }
        let account = upload.actor.account.clone();
        let request_hash = format!("{}/{}/{digest}", upload.identifier, upload.version);
        let publication = Publication {
            idempotency: upload.idempotency_key.map(|key| IdempotencyKey { key, request: request_hash }),
            package: Some(Package { bytes: upload.package.clone(), declared: upload.declared, file_name: None }),
            ..self.publication(&record, upload.actor, upload.request)?
        };
        let outcome = self.ledger.publish(publication).await?;
        if let PublishOutcome::Created { seq } | PublishOutcome::Same { seq } = outcome {
            self.remember(account, seq);
        }
        let accepted = Accepted {
            identifier: upload.identifier,
            version: upload.version,
            digest,
            size: upload.package.len() as u64,
            findings,
        };
        Ok((outcome, accepted))
    }

    /// Stores records that came without packages, many in one transaction.
    ///
    /// # Errors
    ///
    /// Whatever the ledger refuses.
    pub async fn import(&self, records: &[ValidRecord]) -> Result<Imported, Failure> {
        let publications = records
            .iter()
            .map(|record| self.publication(record, Actor::application(), "import".to_owned()))
            .collect::<Result<_, _>>()?;
        Ok(self.ledger.import(publications).await?)
    }

    /// Withdraws a version and returns the sequence of the change.
    ///
    /// # Errors
    ///
    /// 422 without a reason; whatever the ledger refuses.
    pub async fn withdraw(
        &self,
        identifier: &Identifier,
        version: &Version,
        reason: &str,
        actor: &Actor,
        request: &str,
    ) -> Result<u64, Failure> {
        let reason = reason.trim();
        if !(1..=500).contains(&reason.chars().count()) {
            let finding = Finding::error("withdrawal.reason", "a withdrawal needs a reason of 1 to 500 characters");
            return Err(Failure::unprocessable(finding.pointer("/reason")));
        }
        let seq = self.ledger.withdraw(&self.zone, identifier, version, reason, actor, request).await?;
        self.remember(actor.account.clone(), seq);
        Ok(seq)
    }

    /// Returns the sequence of an account's last write since the start.
    pub fn last_write_of(&self, account: &AccountName) -> Option<u64> {
        self.last_writes.lock().unwrap_or_else(PoisonError::into_inner).get(account).copied()
    }

    fn remember(&self, account: AccountName, seq: u64) {
        let mut last_writes = self.last_writes.lock().unwrap_or_else(PoisonError::into_inner);
        if last_writes.len() >= REMEMBERED {
            last_writes.clear();
        }
        let last = last_writes.entry(account).or_default();
        *last = seq.max(*last);
    }

    fn publication(&self, record: &ValidRecord, actor: Actor, request: String) -> Result<Publication, Failure> {
        Ok(Publication {
            zone: self.zone.clone(),
            identifier: record.identifier().parse()?,
            version: record.version().unwrap_or(FIRST_VERSION).parse()?,
            kind: record.kind().as_str().to_owned(),
            document: record.document().to_string(),
            package: None,
            source: self.zone.to_string(),
            actor,
            idempotency: None,
            request,
        })
    }
}

/// The version of a record that gives none; not every kind must.
pub const FIRST_VERSION: &str = "1";

/// The path names what is published; the manifest must say the same, so that nothing is published by mistake.
fn mismatches(upload: &Upload, record: &ValidRecord) -> Vec<Finding> {
    let mut findings = Vec::new();
    if record.identifier() != upload.identifier.as_str() {
        findings.push(
            Finding::error("identifier.mismatch", "the manifest is of another record than the request")
                .file(MANIFEST)
                .pointer("/identifier")
                .got(record.identifier())
                .expected(upload.identifier.as_str())
                .fix("send the package to the path of its own identifier"),
        );
    }
    let version = record.version().unwrap_or(FIRST_VERSION);
    if version != upload.version.as_str() {
        findings.push(
            Finding::error("version.mismatch", "the manifest is of another version than the request")
                .file(MANIFEST)
                .pointer(if record.kind() == Kind::Dataset { "/version" } else { "/softwareVersion" })
                .got(version)
                .expected(upload.version.as_str())
                .fix("send the package to the path of its own version"),
        );
    }
    findings
}
