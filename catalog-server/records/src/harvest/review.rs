//! Identities that somebody decides: whether what a source brought and a record that was here are the same thing.
//!
//! `apart` is remembered and nothing else. `same` moves what sources say of one record to the other and leaves a tombstone
//! that names its successor; later runs then speak of the record that is left, because what they say is known by its key.
//! What was moved is kept with the decision, so that it can be taken back.

use std::sync::Arc;

use catalog_schemas::harvest::Review;
use catalog_schemas::id::{Identifier, ZoneId};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use super::sayings::{remerge, revive};
use crate::account::Actor;
use crate::curate::{Patch, lay};
use crate::error::Error;
use crate::open::Ledger;
use crate::row::{column, optional_time, sha256, stored, time, unsigned};
use crate::writer::{Operation, Writing};

/// What somebody decides of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// They are two things and stay two records.
    Apart,
    /// They are one thing: what the source brought, and this record of those in question.
    Same(ZoneId, Identifier),
}

/// Gives the IRI of a record by zone and identifier.
pub type Naming = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// A case with the record that the source's key is now.
const REVIEW: &str = "SELECT v.*, w.zone || '/' || w.identifier AS kept, l.zone || '/' || l.identifier AS lost, \
     (SELECT r.zone || '/' || r.identifier FROM said s JOIN record r ON r.id = s.record WHERE s.source = v.source \
     AND s.key = v.key ORDER BY s.id LIMIT 1) AS own FROM review v LEFT JOIN record w ON w.id = v.winner \
     LEFT JOIN record l ON l.id = v.loser ";

fn review(row: &SqliteRow) -> Result<Review, Error> {
    let records: &str = column(row, "records")?;
    // Once they are one, the source's key is the record that is left.
    let own = match column::<Option<String>>(row, "lost")? {
        Some(lost) => Some(lost),
        None => column(row, "own")?,
    };
    Ok(Review {
        number: unsigned(row, "number")?,
        source: column(row, "source")?,
        run: unsigned(row, "run")?,
        code: column(row, "code")?,
        key: column(row, "key")?,
        identifier: column(row, "identifier")?,
        records: records.lines().map(str::to_owned).collect(),
        own,
        message: column(row, "message")?,
        at: time(row, "at")?.to_string(),
        decision: column(row, "decision")?,
        decided: optional_time(row, "decided")?.map(|at| at.to_string()),
        decided_by: column(row, "decided_by")?,
        kept: column(row, "kept")?,
    })
}

/// Asks somebody to decide; what was asked before is not asked again.
pub(super) async fn ask(writing: &mut Writing, review: &Review) -> Result<(), Error> {
    let now = writing.now;
    sqlx::query(
        "INSERT INTO review (source, run, code, key, identifier, records, message, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (source, code, key, identifier) DO UPDATE \
         SET run = excluded.run, records = excluded.records, message = excluded.message",
    )
    .bind(review.source.as_str())
    .bind(stored(review.run))
    .bind(review.code.as_str())
    .bind(review.key.as_str())
    .bind(review.identifier.as_str())
    .bind(review.records.join("\n"))
    .bind(review.message.as_str())
    .bind(now)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

/// What `same` moved from the record that became a tombstone.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Moved {
    /// Sayings, by number.
    said: Vec<i64>,
    /// Identifiers that mean the same everywhere and that the other did not bear, with who gave them.
    identifiers: Vec<(String, String)>,
    /// Versions that were withdrawn, with the state that each had and why.
    versions: Vec<(String, String, Option<String>)>,
}

/// A record as far as a decision looks at it.
struct Side {
    id: i64,
    zone: String,
    identifier: String,
    version: String,
    revision: i64,
    withdrawn: bool,
    /// Whether its home gave it its name: it was published here, or its zone handed it on.
    at_home: bool,
}

impl Side {
    fn name(&self) -> String {
        format!("{}/{}", self.zone, self.identifier)
    }
}

async fn side(writing: &mut Writing, record: i64) -> Result<Side, Error> {
    let row = sqlx::query(
        "SELECT r.id, r.zone, r.identifier, r.version, r.revision, r.state = 'withdrawn' AS withdrawn, \
         NOT EXISTS (SELECT 1 FROM source o WHERE o.id = v.source AND o.zone IS NULL) AS at_home \
         FROM record r JOIN revision v ON v.id = r.revision WHERE r.id = $1",
    )
    .bind(record)
    .fetch_one(writing.connection().await?)
    .await?;
    Ok(Side {
        id: column(&row, "id")?,
        zone: column(&row, "zone")?,
        identifier: column(&row, "identifier")?,
        version: column(&row, "version")?,
        revision: column(&row, "revision")?,
        withdrawn: column(&row, "withdrawn")?,
        at_home: column(&row, "at_home")?,
    })
}

struct Decide {
    number: u64,
    decision: Decision,
    naming: Naming,
    actor: Actor,
    request: String,
}

impl Operation for Decide {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let row = sqlx::query("SELECT source, key, records FROM review WHERE number = $1 AND decided IS NULL")
            .bind(stored(self.number))
            .fetch_optional(writing.connection().await?)
            .await?
            .ok_or_else(|| Error::not_found("review", self.number.to_string()))?;
        let (source, key): (String, String) = (column(&row, "source")?, column(&row, "key")?);
        let records: String = column(&row, "records")?;
        let (word, subject, merged) = match &self.decision {
            Decision::Apart => ("apart", format!("review/{}: apart", self.number), None),
            Decision::Same(zone, identifier) => {
                if !records.lines().any(|record| record == format!("{zone}/{identifier}")) {
                    return Err(Error::Refused(format!("`{zone}/{identifier}` is not one of the records in question")));
                }
                let (loser, winner) = sides(writing, (&source, &key), (zone, identifier)).await?;
                let moved = unite(writing, &loser, &winner, &self.naming, &self.actor).await?;
                let subject = format!("review/{}: {} is {}", self.number, loser.name(), winner.name());
                ("same", subject, Some((loser.id, winner.id, moved)))
            }
        };
        let (loser, winner, moved) = match merged {
            Some((loser, winner, moved)) => {
                let moved = serde_json::to_string(&moved).map_err(|error| Error::Refused(error.to_string()))?;
                (Some(loser), Some(winner), Some(moved))
            }
            None => (None, None, None),
        };
        let now = writing.now;
        sqlx::query(
            "UPDATE review SET decided = $2, decision = $3, decided_by = $4, loser = $5, winner = $6, moved = $7 WHERE number = $1",
        )
        .bind(stored(self.number))
        .bind(now)
        .bind(word)
        .bind(self.actor.account.as_str())
        .bind(loser)
        .bind(winner)
        .bind(moved)
        .execute(writing.connection().await?)
        .await?;
        writing.audit(self.actor.account.as_str(), "review.decide", &subject, (None, None), &self.request);
        Ok(())
    }
}

/// Finds which record goes and which stays: a name that a record's own home gave it outlives one that a source was given here.
async fn sides(
    writing: &mut Writing,
    (source, key): (&str, &str),
    (zone, identifier): (&ZoneId, &Identifier),
) -> Result<(Side, Side), Error> {
    let other: Option<(i64, String)> =
        sqlx::query_as("SELECT id, kind FROM record WHERE zone = $1 AND identifier = $2")
            .bind(zone.as_str())
            .bind(identifier.as_str())
            .fetch_optional(writing.connection().await?)
            .await?;
    let (other, kind) = other.ok_or_else(|| Error::not_found("record", format!("{zone}/{identifier}")))?;
    let own: Option<i64> = sqlx::query_scalar("SELECT record FROM said WHERE source = $1 AND key = $2 AND kind = $3")
        .bind(source)
        .bind(key)
        .bind(kind)
        .fetch_optional(writing.connection().await?)
        .await?;
    let own = own.ok_or_else(|| {
        Error::Conflict(format!("`{key}` of `{source}` is no record yet: the run that brought it was not applied"))
    })?;
    if own == other {
        return Err(Error::Conflict(format!("`{key}` of `{source}` is `{zone}/{identifier}` already")));
    }
    let (mut loser, mut winner) = (side(writing, own).await?, side(writing, other).await?);
    if loser.at_home && winner.at_home {
        let (one, two) = (loser.name(), winner.name());
        return Err(Error::Conflict(format!(
            "`{one}` and `{two}` both have their names from their own homes: deprecate one of them there, with the other as its successor"
        )));
    }
    if loser.at_home {
        std::mem::swap(&mut loser, &mut winner);
    }
    for one in [&loser, &winner] {
        let elsewhere: Option<String> = sqlx::query_scalar(
            "SELECT w.zone || '/' || w.identifier FROM review v JOIN record w ON w.id = v.winner WHERE v.loser = $1",
        )
        .bind(one.id)
        .fetch_optional(writing.connection().await?)
        .await?;
        if let Some(elsewhere) = elsewhere {
            return Err(Error::Conflict(format!("`{}` was decided to be `{elsewhere}`", one.name())));
        }
        idle(writing, one).await?;
    }
    Ok((loser, winner))
}

/// Refuses while a run that is not over has looked at a record: what it staged would be of another one.
async fn idle(writing: &mut Writing, side: &Side) -> Result<(), Error> {
    let run: Option<(String, i64)> = sqlx::query_as(
        "SELECT h.source, h.number FROM harvest_run h WHERE h.state IN ('running', 'held') AND (EXISTS (SELECT 1 FROM said s \
         WHERE s.record = $1 AND s.source = h.source) OR EXISTS (SELECT 1 FROM staged t \
         WHERE t.source = h.source AND t.run = h.number AND t.record = $1)) LIMIT 1",
    )
    .bind(side.id)
    .fetch_optional(writing.connection().await?)
    .await?;
    match run {
        Some((source, number)) => Err(Error::Conflict(format!(
            "run {number} of `{source}` speaks of `{}` and is not over: decide when it is",
            side.name()
        ))),
        None => Ok(()),
    }
}

async fn is_said(writing: &mut Writing, record: i64) -> Result<bool, Error> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM said WHERE record = $1 AND gone IS NULL)")
        .bind(record)
        .fetch_one(writing.connection().await?)
        .await?)
}

async fn is_any_said(writing: &mut Writing, said: &[i64]) -> Result<bool, Error> {
    for one in said {
        let gone: Option<i64> = sqlx::query_scalar("SELECT gone FROM said WHERE id = $1")
            .bind(one)
            .fetch_one(writing.connection().await?)
            .await?;
        if gone.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes two records one: moves what is said, and leaves a tombstone that names its successor.
async fn unite(
    writing: &mut Writing,
    loser: &Side,
    winner: &Side,
    naming: &Naming,
    actor: &Actor,
) -> Result<Moved, Error> {
    // One that a moderator withdrew stays so; one that its source only lost sight of lives again.
    let lives_again = winner.withdrawn && !is_said(writing, winner.id).await?;
    let moved = Moved {
        said: sqlx::query_scalar("SELECT id FROM said WHERE record = $1 ORDER BY id")
            .bind(loser.id)
            .fetch_all(writing.connection().await?)
            .await?,
        identifiers: sqlx::query_as(
            "SELECT identifier, source FROM global_identifier WHERE record = $1 \
             EXCEPT SELECT identifier, source FROM global_identifier WHERE record = $2",
        )
        .bind(loser.id)
        .bind(winner.id)
        .fetch_all(writing.connection().await?)
        .await?,
        versions: sqlx::query_as(
            "SELECT version, state, reason FROM version WHERE record = $1 AND state <> 'withdrawn' ORDER BY version",
        )
        .bind(loser.id)
        .fetch_all(writing.connection().await?)
        .await?,
    };
    sqlx::query(
        "INSERT INTO global_identifier (identifier, record, source) \
         SELECT identifier, $2, source FROM global_identifier WHERE record = $1 ON CONFLICT DO NOTHING",
    )
    .bind(loser.id)
    .bind(winner.id)
    .execute(writing.connection().await?)
    .await?;
    let seq = touch(writing, winner, lives_again).await?;
    for said in &moved.said {
        say_of(writing, *said, winner, seq).await?;
    }
    let reason = format!("it is the same as {}", winner.name());
    bury(writing, loser, &reason, Some(naming(&winner.zone, &winner.identifier)), actor).await?;
    if lives_again {
        revive(writing, winner.id).await?;
    } else {
        remerge(writing, winner.id).await?;
    }
    Ok(moved)
}

/// Makes what is said something that is said of another record, under that one's name; returns the revision that it was.
async fn say_of(writing: &mut Writing, said: i64, side: &Side, seq: i64) -> Result<i64, Error> {
    let row = sqlx::query(
        "SELECT s.revision, v.source, v.version, v.document, v.account FROM said s \
         JOIN revision v ON v.id = s.revision WHERE s.id = $1",
    )
    .bind(said)
    .fetch_one(writing.connection().await?)
    .await?;
    let before: i64 = column(&row, "revision")?;
    let mut document: serde_json::Value = serde_json::from_str(column(&row, "document")?)
        .map_err(|error| Error::Invalid { column: "document", detail: error.to_string() })?;
    document["identifier"] = serde_json::Value::String(side.identifier.clone());
    let document = document.to_string();
    let hash = sha256(document.as_bytes());
    let (source, version): (String, String) = (column(&row, "source")?, column(&row, "version")?);
    let account: String = column(&row, "account")?;
    let (revision, now) = (writing.next_revision(), writing.now);
    sqlx::query(
        "INSERT INTO revision (id, record, source, version, document, content_hash, account, seq, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(revision)
    .bind(side.id)
    .bind(source)
    .bind(version)
    .bind(document)
    .bind(hash.as_str())
    .bind(account)
    .bind(seq)
    .bind(now)
    .execute(writing.connection().await?)
    .await?;
    sqlx::query("UPDATE said SET record = $2, revision = $3, content_hash = $4 WHERE id = $1")
        .bind(said)
        .bind(side.id)
        .bind(revision)
        .bind(hash)
        .execute(writing.connection().await?)
        .await?;
    Ok(before)
}

/// Tells projections and feeds that a record is another now.
async fn touch(writing: &mut Writing, side: &Side, lives_again: bool) -> Result<i64, Error> {
    let seq = match lives_again {
        true => writing.change(side.id, &side.version, "published"),
        false => writing.change(side.id, "", "overlaid"),
    };
    mark(writing, side.id, seq).await?;
    Ok(seq)
}

async fn mark(writing: &mut Writing, record: i64, seq: i64) -> Result<(), Error> {
    let now = writing.now;
    sqlx::query("UPDATE record SET seq = $2, modified = $3 WHERE id = $1")
        .bind(record)
        .bind(seq)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
    Ok(())
}

/// Makes a tombstone of a record of which nobody speaks any more.
async fn bury(
    writing: &mut Writing,
    side: &Side,
    reason: &str,
    successor: Option<String>,
    actor: &Actor,
) -> Result<(), Error> {
    let seq = writing.change(side.id, &side.version, "withdrawn");
    let now = writing.now;
    sqlx::query(
        "UPDATE version SET state = 'withdrawn', seq = $2, changed = $3, reason = $4 WHERE record = $1 AND state <> 'withdrawn'",
    )
    .bind(side.id)
    .bind(seq)
    .bind(now)
    .bind(reason)
    .execute(writing.connection().await?)
    .await?;
    sqlx::query("UPDATE record SET state = 'withdrawn' WHERE id = $1")
        .bind(side.id)
        .execute(writing.connection().await?)
        .await?;
    mark(writing, side.id, seq).await?;
    if let Some(successor) = successor {
        succeed(writing, side, serde_json::Value::String(successor), actor, seq).await?;
    }
    remerge(writing, side.id).await
}

/// Lays over a record who its successor is, or that it has none.
async fn succeed(
    writing: &mut Writing,
    side: &Side,
    successor: serde_json::Value,
    actor: &Actor,
    seq: i64,
) -> Result<(), Error> {
    let overlay = Some(serde_json::json!({ "replacedBy": successor }));
    lay(writing, side.id, &Patch { overlay, ..Patch::default() }, actor, seq).await.map(drop)
}

struct Reopen {
    number: u64,
    actor: Actor,
    request: String,
}

impl Operation for Reopen {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let row = sqlx::query("SELECT loser, winner, moved FROM review WHERE number = $1 AND decided IS NOT NULL")
            .bind(stored(self.number))
            .fetch_optional(writing.connection().await?)
            .await?
            .ok_or_else(|| Error::not_found("decided review", self.number.to_string()))?;
        let pair: (Option<i64>, Option<i64>) = (column(&row, "loser")?, column(&row, "winner")?);
        let moved: Option<String> = column(&row, "moved")?;
        if let ((Some(loser), Some(winner)), Some(moved)) = (pair, moved) {
            let moved = serde_json::from_str(&moved)
                .map_err(|error| Error::Invalid { column: "moved", detail: error.to_string() })?;
            part(writing, loser, winner, &moved, &self.actor).await?;
        }
        sqlx::query(
            "UPDATE review SET decided = NULL, decision = NULL, decided_by = NULL, loser = NULL, winner = NULL, moved = NULL \
             WHERE number = $1",
        )
        .bind(stored(self.number))
        .execute(writing.connection().await?)
        .await?;
        let subject = format!("review/{}", self.number);
        writing.audit(self.actor.account.as_str(), "review.reopen", &subject, (None, None), &self.request);
        Ok(())
    }
}

/// Makes two records again of what was decided to be one.
async fn part(writing: &mut Writing, loser: i64, winner: i64, moved: &Moved, actor: &Actor) -> Result<(), Error> {
    let (loser, winner) = (side(writing, loser).await?, side(writing, winner).await?);
    let later: Option<i64> = sqlx::query_scalar("SELECT number FROM review WHERE loser = $1")
        .bind(winner.id)
        .fetch_optional(writing.connection().await?)
        .await?;
    if let Some(later) = later {
        return Err(Error::Conflict(format!(
            "`{}` was decided to be another by review {later}: take that back first",
            winner.name()
        )));
    }
    for one in [&loser, &winner] {
        idle(writing, one).await?;
    }
    let lives_again: bool = is_any_said(writing, &moved.said).await?;
    let seq = touch(writing, &loser, lives_again).await?;
    let mut is_theirs = false;
    for said in &moved.said {
        is_theirs |= say_of(writing, *said, &loser, seq).await? == winner.revision;
    }
    for (identifier, source) in &moved.identifiers {
        sqlx::query("DELETE FROM global_identifier WHERE identifier = $1 AND source = $2 AND record = $3")
            .bind(identifier)
            .bind(source)
            .bind(winner.id)
            .execute(writing.connection().await?)
            .await?;
    }
    for (version, state, reason) in &moved.versions {
        sqlx::query("UPDATE version SET state = $3, reason = $4 WHERE record = $1 AND version = $2")
            .bind(loser.id)
            .bind(version)
            .bind(state)
            .bind(reason)
            .execute(writing.connection().await?)
            .await?;
    }
    succeed(writing, &loser, serde_json::Value::Null, actor, seq).await?;
    if !revive(writing, loser.id).await? {
        remerge(writing, loser.id).await?;
    }
    if is_theirs && !is_said(writing, winner.id).await? {
        return bury(writing, &winner, "its source no longer speaks of it", None, actor).await;
    }
    touch(writing, &winner, false).await?;
    if is_theirs && revive(writing, winner.id).await? {
        return Ok(());
    }
    remerge(writing, winner.id).await
}

impl Ledger {
    /// Finds an identity that waits for somebody to decide.
    pub async fn review(&self, number: u64) -> Result<Option<Review>, Error> {
        let statement = format!("{REVIEW} WHERE v.number = $1 AND v.decided IS NULL");
        let row =
            sqlx::query(sqlx::AssertSqlSafe(statement)).bind(stored(number)).fetch_optional(self.readers()).await?;
        row.as_ref().map(review).transpose()
    }

    /// Lists identities that wait for somebody to decide, oldest first.
    pub async fn reviews(&self, limit: u32) -> Result<Vec<Review>, Error> {
        let statement = format!("{REVIEW} WHERE v.decided IS NULL ORDER BY v.number LIMIT $1");
        self.reviews_by(statement, limit).await
    }

    /// Lists identities that were decided, the last first.
    pub async fn reviews_decided(&self, limit: u32) -> Result<Vec<Review>, Error> {
        let statement = format!("{REVIEW} WHERE v.decided IS NOT NULL ORDER BY v.decided DESC, v.number DESC LIMIT $1");
        self.reviews_by(statement, limit).await
    }

    async fn reviews_by(&self, statement: String, limit: u32) -> Result<Vec<Review>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(i64::from(limit)).fetch_all(self.readers()).await?;
        rows.iter().map(review).collect()
    }

    /// Decides an identity; `naming` gives the IRI that a tombstone names as its successor.
    pub async fn review_decide(
        &self,
        number: u64,
        decision: Decision,
        naming: Naming,
        actor: &Actor,
        request: &str,
    ) -> Result<(), Error> {
        self.write(Decide { number, decision, naming, actor: actor.clone(), request: request.to_owned() }).await
    }

    /// Takes a decision back: what was made one is two again, and the case waits as before.
    pub async fn review_reopen(&self, number: u64, actor: &Actor, request: &str) -> Result<(), Error> {
        self.write(Reopen { number, actor: actor.clone(), request: request.to_owned() }).await
    }
}
