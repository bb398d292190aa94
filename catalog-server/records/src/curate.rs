//! What curators do to records: states, withdrawal, and an overlay of their own words.

use catalog_schemas::id::{Identifier, Version, ZoneId};
use serde_json::Value;

use crate::account::{self, Actor};
use crate::error::Error;
use crate::merge::OVERLAY;
use crate::names::State;
use crate::open::Ledger;
use crate::publish::{Known, known, settle};
use crate::row::{column, counted, sha256, word};
use crate::writer::{Operation, Writing};

struct SetState {
    zone: ZoneId,
    identifier: Identifier,
    version: Version,
    state: State,
    reason: Option<String>,
    actor: Actor,
    request: String,
}

impl Operation for SetState {
    type Answer = u64;

    async fn run(self, writing: &mut Writing) -> Result<u64, Error> {
        let record = find(writing, &self.zone, &self.identifier).await?;
        let doing = if self.state == State::Withdrawn { "withdraw" } else { "change states" };
        account::require_curator(writing, &self.actor, &self.identifier, doing, true).await?;
        let row = sqlx::query("SELECT state, seq, COALESCE(digest, content_hash) AS digest FROM version WHERE record = $1 AND version = $2")
            .bind(record.id)
            .bind(self.version.as_str())
            .fetch_optional(writing.connection().await?)
            .await?
            .ok_or_else(|| Error::not_found("version", format!("{}/{}/{}", self.zone, self.identifier, self.version)))?;
        let from = word(&row, "state", State::from_word)?;
        if from == self.state {
            return Ok(counted(column(&row, "seq")?));
        }
        if !from.may_become(self.state) {
            return Err(Error::Transition { from, to: self.state });
        }
        let (what, action) = match self.state {
            State::Withdrawn => ("withdrawn", "version.withdraw"),
            state => (state.as_str(), "version.state"),
        };
        let seq = writing.change(record.id, self.version.as_str(), what);
        let now = writing.now;
        sqlx::query(
            "UPDATE version SET state = $3, seq = $4, changed = $5, reason = $6 WHERE record = $1 AND version = $2",
        )
        .bind(record.id)
        .bind(self.version.as_str())
        .bind(self.state.as_str())
        .bind(seq)
        .bind(now)
        .bind(self.reason.as_deref())
        .execute(writing.connection().await?)
        .await?;
        settle(writing, record.id, seq, record.merged).await?;
        let digest: String = column(&row, "digest")?;
        let subject = format!("{}/{}/{}", self.zone, self.identifier, self.version);
        let after = (self.state != State::Withdrawn).then_some(digest.as_str());
        writing.audit(self.actor.account.as_str(), action, &subject, (Some(&digest), after), &self.request);
        Ok(counted(seq))
    }
}

struct Overlay {
    zone: ZoneId,
    identifier: Identifier,
    patch: Value,
    expected: Option<u64>,
    actor: Actor,
    request: String,
}

impl Operation for Overlay {
    type Answer = u64;

    async fn run(self, writing: &mut Writing) -> Result<u64, Error> {
        let record = find(writing, &self.zone, &self.identifier).await?;
        account::require_curator(writing, &self.actor, &self.identifier, "overlay", false).await?;
        if let Some(expected) = self.expected.filter(|expected| *expected != counted(record.seq)) {
            return Err(Error::Changed { expected, found: counted(record.seq) });
        }
        // Patches are kept one by one: two merge patches cannot always be made one that does the same.
        let text = self.patch.to_string();
        let hash = sha256(text.as_bytes());
        let revision = writing.next_revision();
        let seq = writing.change(record.id, "", "overlaid");
        let now = writing.now;
        sqlx::query(
            "INSERT INTO revision (id, record, source, version, document, content_hash, account, seq, at) \
             VALUES ($1, $2, $3, '', $4, $5, $6, $7, $8)",
        )
        .bind(revision)
        .bind(record.id)
        .bind(OVERLAY)
        .bind(text)
        .bind(hash.as_str())
        .bind(self.actor.account.as_str())
        .bind(seq)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        settle(writing, record.id, seq, true).await?;
        let subject = format!("{}/{}", self.zone, self.identifier);
        writing.audit(self.actor.account.as_str(), "record.overlay", &subject, (None, Some(&hash)), &self.request);
        Ok(counted(seq))
    }
}

async fn find(writing: &mut Writing, zone: &ZoneId, identifier: &Identifier) -> Result<Known, Error> {
    // The record may wait to be written.
    writing.connection().await?;
    known(writing, zone, identifier).await?.ok_or_else(|| Error::not_found("record", format!("{zone}/{identifier}")))
}

/// Applies a JSON merge patch (RFC 7396): objects are merged, null removes, anything else replaces.
pub fn merge_patch(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *document = patch.clone();
        return;
    };
    if !document.is_object() {
        *document = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = document else { return };
    for (key, value) in patch {
        if value.is_null() {
            // The order of the other fields is what people see; a swap would change it.
            fields.shift_remove(key);
        } else {
            merge_patch(fields.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
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
        self.write(SetState {
            zone: zone.clone(),
            identifier: identifier.clone(),
            version: version.clone(),
            state: State::Withdrawn,
            reason: Some(reason.to_owned()),
            actor: actor.clone(),
            request: request.to_owned(),
        })
        .await
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
        self.write(SetState {
            zone: zone.clone(),
            identifier: identifier.clone(),
            version: version.clone(),
            state,
            reason: None,
            actor: actor.clone(),
            request: request.to_owned(),
        })
        .await
    }

    /// Adds to a record's overlay: a JSON merge patch that is laid over whatever its current version says, now and
    /// after later versions. With `expected`, only when the record's sequence is still that. Returns the sequence.
    ///
    /// The caller validates what [`merge_patch`] makes of the record's document before it asks.
    pub async fn overlay(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        patch: Value,
        expected: Option<u64>,
        actor: &Actor,
        request: &str,
    ) -> Result<u64, Error> {
        if !patch.is_object() {
            return Err(Error::Refused("an overlay is a JSON object".to_owned()));
        }
        self.write(Overlay {
            zone: zone.clone(),
            identifier: identifier.clone(),
            patch,
            expected,
            actor: actor.clone(),
            request: request.to_owned(),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_does_what_its_standard_says() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (mut document, patch, expected) in cases {
            merge_patch(&mut document, &patch);
            assert_eq!(document, expected);
        }
    }
}
