//! The catalogue: the only writer of records.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use catalog_ontology::manifest::{MANIFEST, ValidRecord, Writer};
use catalog_ontology::record::Record;
use catalog_ontology::signature::{self, SignatureError, TrustedKey};
use catalog_ontology::terms::Kind;
use catalog_records::{
    AccountName, Actor, IdempotencyKey, Imported, Ledger, Package, Patch, Publication, PublishOutcome, Standing, State,
    Transition,
};
use catalog_schemas::governance::Signature;
use catalog_schemas::id::{Identifier, Version, ZoneId};
use catalog_schemas::problem::{Finding, Report};

use crate::http::problem::Failure;
use crate::intake;
use crate::policy::{Policy, Signing, is_sandbox, taken_on, unacknowledged};

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
    /// Codes of warnings that the sender takes responsibility for.
    pub acknowledged: Vec<String>,
    /// The signature that came with it.
    pub signature: Option<Signature>,
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
    /// The state that it has now.
    pub state: State,
    /// Warnings and hints.
    pub findings: Vec<Finding>,
}

/// Writes records: validates, then asks the ledger, and nothing else does.
pub struct Catalog {
    ledger: Ledger,
    zone: ZoneId,
    policy: Policy,
    last_writes: Mutex<HashMap<AccountName, u64>>,
}

impl Catalog {
    /// Makes the writer of a zone's records.
    pub fn new(ledger: Ledger, zone: ZoneId) -> Self {
        Self { ledger, zone, policy: Policy::default(), last_writes: Mutex::new(HashMap::new()) }
    }

    /// Asks of packages what a policy says.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Returns a report with what this catalogue's policy says of the record too, so that who validates is not surprised
    /// when publishing.
    pub fn with_policy_of(&self, checked: intake::Checked) -> Report {
        let Some(found) = checked.record.as_ref().map(|record| self.policy.check(record)) else {
            return checked.report;
        };
        if found.is_empty() {
            return checked.report;
        }
        let Report { identifier, version, mut findings, .. } = checked.report;
        findings.extend(found);
        Report { identifier, version, ..Report::new(findings) }
    }

    /// Judges what a patch would leave: what the policy does not take and did not stand there before, and the warnings that
    /// somebody has to take responsibility for.
    ///
    /// # Errors
    ///
    /// 422 with the findings.
    pub fn judge_patch(
        &self,
        (before, after): (&serde_json::Value, &serde_json::Value),
        warnings: &[Finding],
        acknowledged: &[String],
    ) -> Result<Vec<String>, Failure> {
        let check = |document: &serde_json::Value| -> Result<Vec<Finding>, Failure> {
            Ok(self.policy.check(&Record::from_document(document).map_err(Failure::internal)?))
        };
        let known = check(before)?;
        let is_new =
            |finding: &Finding| !known.iter().any(|old| (&old.code, &old.got) == (&finding.code, &finding.got));
        let refused: Vec<Finding> = check(after)?.into_iter().filter(is_new).collect();
        if !refused.is_empty() {
            return Err(Failure::invalid_request(refused));
        }
        let open = unacknowledged(warnings, acknowledged);
        if !open.is_empty() {
            return Err(Failure::unacknowledged(open));
        }
        Ok(taken_on(warnings, acknowledged))
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
        findings.extend(self.policy.check(&record));
        findings.extend(self.check_signature(upload.signature.as_ref(), &record, &digest).await?);
        if findings.iter().any(|finding| finding.severity == catalog_schemas::problem::Severity::Error) {
            return Err(Failure::invalid(Report::new(findings)));
        }
        let open = unacknowledged(&findings, &upload.acknowledged);
        if !open.is_empty() {
            return Err(Failure::unacknowledged(open));
        }
        let account = upload.actor.account.clone();
        let request_hash = format!("{}/{}/{digest}", upload.identifier, upload.version);
        let state = if self.policy.reviews(upload.identifier.as_str()) { State::Draft } else { State::Published };
        let standing = Standing {
            state,
            signature: upload.signature.as_ref().map(serde_json::to_string).transpose().map_err(Failure::internal)?,
            acknowledged: taken_on(&findings, &upload.acknowledged),
        };
        let publication = Publication {
            idempotency: upload.idempotency_key.map(|key| IdempotencyKey { key, request: request_hash }),
            package: Some(Package { bytes: upload.package.clone(), declared: upload.declared, file_name: None }),
            standing,
            ..self.publication(&record, upload.actor, upload.request)?
        };
        let outcome = self.ledger.publish(publication).await?;
        if let PublishOutcome::Created { seq } | PublishOutcome::Same { seq } = outcome {
            self.remember(account, seq);
        }
        let state = match outcome {
            PublishOutcome::Same { .. } => {
                let stored = self.ledger.version(&self.zone, &upload.identifier, &upload.version).await?;
                stored.map_or(state, |stored| stored.state)
            }
            _ => state,
        };
        let accepted = Accepted {
            identifier: upload.identifier,
            version: upload.version,
            digest,
            size: upload.package.len() as u64,
            state,
            findings,
        };
        Ok((outcome, accepted))
    }

    /// Verifies a signature against the keys of the namespace, and asks for one where the policy does.
    async fn check_signature(
        &self,
        given: Option<&Signature>,
        record: &ValidRecord,
        digest: &str,
    ) -> Result<Option<Finding>, Failure> {
        let identifier: Identifier = record.identifier().parse()?;
        let asked = self.policy.signature;
        if given.is_none() && (asked == Signing::Optional || is_sandbox(identifier.as_str())) {
            return Ok(None);
        }
        let keys = trusted_keys(&self.ledger, &identifier).await?;
        let Some(given) = given else {
            let live = keys.iter().any(|key| !key.revoked);
            let finding = Finding::error("signature.missing", "this catalogue takes signed packages only")
                .fix("make a key with `alidade key new`, register it, and publish with `--sign`");
            return Ok(Some(finding).filter(|_| live || asked == Signing::Required));
        };
        let version = record.version().unwrap_or(FIRST_VERSION);
        let statements = signature::statements_digest(record);
        let verified = signature::verify(given, (identifier.as_str(), version), &statements, Some(digest), &keys);
        let finding = |code: &str, message: String, fix: &str| Some(Finding::error(code, message).fix(fix));
        Ok(match verified {
            Ok(signature::Trust::Trusted) => None,
            Ok(signature::Trust::Revoked) => finding(
                "signature.key_revoked",
                "the key that signed this package was revoked".to_owned(),
                "sign with a key that is registered for the namespace",
            ),
            Err(error @ SignatureError::UnknownKey(_)) => finding(
                "signature.key_unknown",
                error.to_string(),
                "register the key for the namespace with `alidade key register`",
            ),
            Err(error) => {
                finding("signature.broken", error.to_string(), "sign the package again, exactly as it is sent")
            }
        })
    }

    /// Takes a step in the life of a version and returns the sequence of the change.
    ///
    /// # Errors
    ///
    /// Whatever the ledger refuses.
    pub async fn transition(&self, mut transition: Transition) -> Result<u64, Failure> {
        transition.review = self.policy.reviews(transition.identifier.as_str());
        let account = transition.actor.account.clone();
        let seq = self.ledger.transition(transition).await?;
        self.remember(account, seq);
        Ok(seq)
    }

    /// Lays a patch over a record that was judged before, and returns what became of it.
    ///
    /// # Errors
    ///
    /// Whatever the ledger refuses.
    pub async fn patch(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        patch: Patch,
        expected: u64,
        actor: &Actor,
        request: &str,
    ) -> Result<u64, Failure> {
        let patched = self.ledger.patch(zone, identifier, patch, Some(expected), actor, request).await?;
        self.remember(actor.account.clone(), patched.seq);
        Ok(patched.seq)
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
            standing: Standing::default(),
        })
    }
}

/// Returns the keys that may sign a record's packages.
///
/// # Errors
///
/// Whatever the ledger says.
pub async fn trusted_keys(ledger: &Ledger, identifier: &Identifier) -> Result<Vec<TrustedKey>, Failure> {
    let keys = ledger.keys_of(&identifier.namespace()).await?;
    Ok(keys.into_iter().map(|key| TrustedKey { public_key: key.public_key, revoked: key.revoked.is_some() }).collect())
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
