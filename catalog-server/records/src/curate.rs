//! What curators do to records: states, withdrawal, and an overlay of their own words.

use catalog_schemas::id::{Identifier, Version, ZoneId};
use serde_json::Value;

use crate::account::{self, Actor};
use crate::error::Error;
use crate::merge::OVERLAY;
use crate::names::State;
use crate::notice::{self, Note};
use crate::open::Ledger;
use crate::publish::{Known, known, settle};
use crate::row::{column, counted, sha256, word};
use crate::workflow;
use crate::writer::{Operation, Writing};

/// The source under which what developers amend of one version is kept.
pub(crate) const AMENDMENT: &str = "amendment";

/// A step in the life of a version.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The record's home zone.
    pub zone: ZoneId,
    /// The record.
    pub identifier: Identifier,
    /// The version.
    pub version: Version,
    /// Where it shall go.
    pub to: State,
    /// Why.
    pub reason: Option<String>,
    /// What to lay over the record in the same transaction, such as its successor; validated by the caller.
    pub patch: Option<Patch>,
    /// Whether publishing needs a moderator.
    pub review: bool,
    /// Who does it.
    pub actor: Actor,
    /// The request.
    pub request: String,
}

impl Operation for Transition {
    type Answer = u64;

    async fn run(self, writing: &mut Writing) -> Result<u64, Error> {
        let record = find(writing, &self.zone, &self.identifier).await?;
        let row = sqlx::query(
            "SELECT state, seq, publisher, COALESCE(digest, content_hash) AS digest FROM version WHERE record = $1 AND version = $2",
        )
        .bind(record.id)
        .bind(self.version.as_str())
        .fetch_optional(writing.connection().await?)
        .await?
        .ok_or_else(|| Error::not_found("version", format!("{}/{}/{}", self.zone, self.identifier, self.version)))?;
        let from = word(&row, "state", State::from_word)?;
        let (seq, publisher, digest): (i64, String, String) =
            (column(&row, "seq")?, column(&row, "publisher")?, column(&row, "digest")?);
        drop(row);
        let moderator = account::moderates(&self.actor);
        let developer = account::develops(writing, &self.actor, &self.identifier).await?;
        if !moderator && !developer {
            let action = if self.to == State::Withdrawn { "withdraw" } else { "change states" };
            return Err(refused(&self.actor, action, &self.identifier));
        }
        if from == self.to {
            return Ok(counted(seq));
        }
        let Some(step) = workflow::step_for(from, self.to, developer, moderator, self.review) else {
            // Somebody else might: that is a question of who asks, not of the states.
            return Err(match workflow::STEPS.iter().find(|step| step.from == from && step.to == self.to) {
                Some(step) => refused(&self.actor, step.name, &self.identifier),
                None => Error::Transition { from, to: self.to },
            });
        };
        let reason = self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        if step.reason && reason.is_none() || reason.is_some_and(|reason| reason.chars().count() > 500) {
            return Err(Error::Refused(format!("to {} a version takes a reason of 1 to 500 characters", step.name)));
        }
        let seq = writing.change(record.id, self.version.as_str(), self.to.as_str());
        let now = writing.now;
        // A version is published when everybody first sees it.
        let first = self.to == State::Published && from != State::Deprecated;
        sqlx::query(
            "UPDATE version SET state = $3, seq = $4, changed = $5, reason = $6, published = CASE WHEN $7 THEN $5 ELSE published END \
             WHERE record = $1 AND version = $2",
        )
        .bind(record.id)
        .bind(self.version.as_str())
        .bind(self.to.as_str())
        .bind(seq)
        .bind(now)
        .bind(reason)
        .bind(first)
        .execute(writing.connection().await?)
        .await?;
        let mut merged = record.merged;
        if let Some(patch) = &self.patch {
            merged |= lay(writing, record.id, patch, &self.actor, seq).await?;
        }
        settle(writing, record.id, seq, merged).await?;
        let subject = format!("{}/{}/{}", self.zone, self.identifier, self.version);
        let after = (self.to != State::Withdrawn).then_some(digest.as_str());
        let action = if self.to == State::Withdrawn { "version.withdraw" } else { "version.state" };
        let account = self.actor.account.as_str();
        writing.audit(account, action, &subject, (Some(&digest), after), &self.request);
        let what = match (step.name, self.to) {
            ("return", _) => "returned",
            ("approve", _) => "approved",
            ("restore", _) => "restored",
            (_, State::Submitted) => "submitted",
            (_, state) => state.as_str(),
        };
        let recipient = match self.to {
            State::Submitted => notice::MODERATORS,
            _ => publisher.as_str(),
        };
        if step.name != "take back" {
            let key = (self.zone.as_str(), self.identifier.as_str(), self.version.as_str());
            notice::write(writing, Note { recipient, what, key, message: reason, account }).await?;
        }
        Ok(counted(seq))
    }
}

fn refused(actor: &Actor, action: &'static str, identifier: &Identifier) -> Error {
    let namespace = identifier.namespace().to_string();
    Error::NotAllowed { account: actor.account.to_string(), action, namespace }
}

/// What is laid over a record: JSON merge patches in the keys of its document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    /// What its developers amend of one version; it ends with that version.
    pub amendment: Option<(Version, Value)>,
    /// What a moderator lays over every version.
    pub overlay: Option<Value>,
    /// Codes of warnings for which whoever amends takes responsibility; kept with the version.
    pub acknowledged: Vec<String>,
}

impl Patch {
    /// Says whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.amendment.is_none() && self.overlay.is_none()
    }
}

/// What became of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patched {
    /// The sequence of the change, or of the record when nothing changed.
    pub seq: u64,
    /// Whether anything changed.
    pub changed: bool,
}

struct Lay {
    zone: ZoneId,
    identifier: Identifier,
    patch: Patch,
    expected: Option<u64>,
    actor: Actor,
    request: String,
}

impl Operation for Lay {
    type Answer = Patched;

    async fn run(self, writing: &mut Writing) -> Result<Patched, Error> {
        let record = find(writing, &self.zone, &self.identifier).await?;
        if self.patch.overlay.is_some() && !account::moderates(&self.actor) {
            return Err(refused(&self.actor, "overlay", &self.identifier));
        }
        if self.patch.amendment.is_some() && !account::develops(writing, &self.actor, &self.identifier).await? {
            return Err(refused(&self.actor, "amend", &self.identifier));
        }
        if let Some(expected) = self.expected.filter(|expected| *expected != counted(record.seq)) {
            return Err(Error::Changed { expected, found: counted(record.seq) });
        }
        let before = shown(writing, record.id).await?;
        let version = self.patch.amendment.as_ref().map(|(version, _)| version.as_str()).unwrap_or_default();
        let what = if self.patch.overlay.is_some() { "overlaid" } else { "amended" };
        let seq = writing.change(record.id, version, what);
        lay(writing, record.id, &self.patch, &self.actor, seq).await?;
        acknowledge(writing, record.id, &self.patch).await?;
        settle(writing, record.id, seq, true).await?;
        let after = shown(writing, record.id).await?;
        let subject = format!("{}/{}", self.zone, self.identifier);
        let action = if self.patch.overlay.is_some() { "record.overlay" } else { "record.amend" };
        let account = self.actor.account.as_str();
        writing.audit(account, action, &subject, (Some(&before.0), Some(&after.0)), &self.request);
        if self.patch.overlay.is_some() {
            let key = (self.zone.as_str(), self.identifier.as_str(), "");
            notice::write(writing, Note { recipient: &after.1, what: "overlaid", key, message: None, account }).await?;
        }
        Ok(Patched { seq: counted(seq), changed: before.0 != after.0 })
    }
}

/// Returns the hash of what a record shows, and who published its current version.
async fn shown(writing: &mut Writing, record: i64) -> Result<(String, String), Error> {
    let row = sqlx::query(
        "SELECT COALESCE(r.merged, v.document) AS document, v.account FROM record r JOIN revision v ON v.id = r.revision WHERE r.id = $1",
    )
    .bind(record)
    .fetch_one(writing.connection().await?)
    .await?;
    Ok((sha256(column::<&str>(&row, "document")?.as_bytes()), column(&row, "account")?))
}

/// Keeps a patch as revisions of its sources; says whether there was anything to keep.
pub(crate) async fn lay(
    writing: &mut Writing,
    record: i64,
    patch: &Patch,
    actor: &Actor,
    seq: i64,
) -> Result<bool, Error> {
    let amendment = patch.amendment.as_ref().map(|(version, patch)| (AMENDMENT, version.as_str(), patch));
    let overlay = patch.overlay.as_ref().map(|patch| (OVERLAY, "", patch));
    for (source, version, patch) in amendment.into_iter().chain(overlay) {
        // Patches are kept one by one: two merge patches cannot always be made one that does the same.
        let text = patch.to_string();
        let hash = sha256(text.as_bytes());
        let revision = writing.next_revision();
        let now = writing.now;
        sqlx::query(
            "INSERT INTO revision (id, record, source, version, document, content_hash, account, seq, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(revision)
        .bind(record)
        .bind(source)
        .bind(version)
        .bind(text)
        .bind(hash)
        .bind(actor.account.as_str())
        .bind(seq)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
    }
    Ok(!patch.is_empty())
}

/// Notes with the version for which warnings its developers took responsibility.
async fn acknowledge(writing: &mut Writing, record: i64, patch: &Patch) -> Result<(), Error> {
    let Some((version, _)) = patch.amendment.as_ref().filter(|_| !patch.acknowledged.is_empty()) else { return Ok(()) };
    let known: Option<String> =
        sqlx::query_scalar("SELECT acknowledged FROM version WHERE record = $1 AND version = $2")
            .bind(record)
            .bind(version.as_str())
            .fetch_one(writing.connection().await?)
            .await?;
    let known = known.unwrap_or_default();
    let mut codes: Vec<&str> = known.split_whitespace().chain(patch.acknowledged.iter().map(String::as_str)).collect();
    codes.sort_unstable();
    codes.dedup();
    sqlx::query("UPDATE version SET acknowledged = $3 WHERE record = $1 AND version = $2")
        .bind(record)
        .bind(version.as_str())
        .bind(codes.join(" "))
        .execute(writing.connection().await?)
        .await?;
    Ok(())
}

async fn find(writing: &mut Writing, zone: &ZoneId, identifier: &Identifier) -> Result<Known, Error> {
    // The record may wait to be written.
    writing.connection().await?;
    known(writing, zone, identifier).await?.ok_or_else(|| Error::not_found("record", format!("{zone}/{identifier}")))
}

impl Ledger {
    /// Withdraws a version for good; the record of which it was the last becomes a tombstone. Returns the sequence.
    pub async fn withdraw(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        version: &Version,
        reason: &str,
        actor: &Actor,
        request: &str,
    ) -> Result<u64, Error> {
        if !(1..=500).contains(&reason.chars().count()) {
            return Err(Error::Refused("the reason of a withdrawal has 1 to 500 characters".to_owned()));
        }
        self.transition(Transition {
            zone: zone.clone(),
            identifier: identifier.clone(),
            version: version.clone(),
            to: State::Withdrawn,
            reason: Some(reason.to_owned()),
            patch: None,
            review: false,
            actor: actor.clone(),
            request: request.to_owned(),
        })
        .await
    }

    /// Takes a step in the life of a version; returns the sequence, which stays when it was there already.
    pub async fn transition(&self, transition: Transition) -> Result<u64, Error> {
        self.write(transition).await
    }

    /// Brings a version into another state. Returns the sequence; it stays when the version was in that state already.
    pub async fn set_state(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        version: &Version,
        state: State,
        actor: &Actor,
        request: &str,
    ) -> Result<u64, Error> {
        if state == State::Withdrawn {
            return Err(Error::Refused("a withdrawal needs its reason".to_owned()));
        }
        self.transition(Transition {
            zone: zone.clone(),
            identifier: identifier.clone(),
            version: version.clone(),
            to: state,
            reason: Some("no reason was given".to_owned()).filter(|_| state == State::Draft),
            patch: None,
            review: false,
            actor: actor.clone(),
            request: request.to_owned(),
        })
        .await
    }

    /// Adds to a record's overlay: a JSON merge patch that is laid over whatever its current version says, now and
    /// after later versions. With `expected`, only when the record's sequence is still that. Returns the sequence.
    ///
    /// The caller validates what [`merge_patch`](crate::merge_patch) makes of the record's document before it asks.
    pub async fn overlay(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        patch: Value,
        expected: Option<u64>,
        actor: &Actor,
        request: &str,
    ) -> Result<u64, Error> {
        let patch = Patch { overlay: Some(patch), ..Patch::default() };
        self.patch(zone, identifier, patch, expected, actor, request).await.map(|patched| patched.seq)
    }

    /// Lays a patch over a record: an amendment of one version by its developers, an overlay of every version by a
    /// moderator, or both. With `expected`, only when the record's sequence is still that.
    ///
    /// The caller validates what [`merge_patch`](crate::merge_patch) makes of the record's document before it asks.
    pub async fn patch(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        patch: Patch,
        expected: Option<u64>,
        actor: &Actor,
        request: &str,
    ) -> Result<Patched, Error> {
        let parts = patch.amendment.iter().map(|(_, patch)| patch).chain(&patch.overlay);
        if patch.is_empty() || parts.into_iter().any(|part| !part.is_object()) {
            return Err(Error::Refused("a patch is a JSON object".to_owned()));
        }
        let (zone, identifier, request) = (zone.clone(), identifier.clone(), request.to_owned());
        self.write(Lay { zone, identifier, patch, expected, actor: actor.clone(), request }).await
    }
}
