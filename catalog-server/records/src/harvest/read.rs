//! What the driver of a run, the feed and the page of a record ask for.

use std::collections::HashMap;

use catalog_schemas::id::{Identifier, ZoneId};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;

use crate::error::Error;
use crate::merge::Saying;
use crate::open::Ledger;
use crate::row::{Database, column, counted, optional_time, stored, time};

/// Keys asked for by one statement.
const KEYS: usize = 500;

/// What a source said last of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Names the saying.
    pub said: i64,
    /// The record.
    pub record: i64,
    /// Its home zone.
    pub zone: ZoneId,
    /// Its identifier.
    pub identifier: Identifier,
    /// SHA-256 of what the source gave.
    pub given_hash: String,
    /// SHA-256 of the document made of it.
    pub content_hash: String,
    /// Whether the source has taken it back since.
    pub gone: bool,
    /// Whether the record's current version is this source's.
    pub main: bool,
    /// The revision that holds the document.
    pub revision: i64,
}

/// A saying with when and how it came.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSaying {
    /// What is said.
    pub saying: Saying,
    /// The key in the source.
    pub key: Option<String>,
    /// The run that brought it.
    pub run: Option<u64>,
    /// When the source first said something of the record.
    pub first_seen: Timestamp,
    /// When it last said something else.
    pub modified: Timestamp,
    /// When it was last heard: its last run that was applied.
    pub last_seen: Option<Timestamp>,
    /// SHA-256 of what it says.
    pub content_hash: String,
    /// The file or page that it was in.
    pub part: Option<String>,
}

/// Everything that is said of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSayings {
    /// What sources say.
    pub sayings: Vec<StoredSaying>,
    /// The moderators' patches with when each was made, oldest first.
    pub patches: Vec<(serde_json::Value, Timestamp)>,
}

/// A record that a feed tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeding {
    /// The sequence of its last change.
    pub seq: u64,
    /// The record.
    pub record: crate::read::StoredRecord,
    /// Why it was withdrawn.
    pub reason: Option<String>,
}

fn json(text: &str) -> Result<serde_json::Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Invalid { column: "document", detail: error.to_string() })
}

impl Ledger {
    /// Finds what a source said last by key; by key and type in the answer.
    pub async fn known(&self, source: &str, keys: &[&str]) -> Result<HashMap<(String, String), Known>, Error> {
        let mut found = HashMap::with_capacity(keys.len());
        for keys in keys.chunks(KEYS) {
            let mut query = QueryBuilder::<Database>::new(
                "SELECT s.id, s.key, s.kind, s.record, s.revision, s.given_hash, s.content_hash, s.gone IS NOT NULL AS gone, \
                 r.zone, r.identifier, ",
            );
            query.push(super::sayings::MAIN);
            query.push(
                " AS main FROM said s JOIN record r ON r.id = s.record JOIN revision v ON v.id = r.revision WHERE s.source = ",
            );
            query.push_bind(source).push(" AND s.key IN (");
            let mut list = query.separated(", ");
            for key in keys {
                list.push_bind(*key);
            }
            query.push(")");
            for row in query.build().fetch_all(self.readers()).await? {
                let known = Known {
                    said: column(&row, "id")?,
                    record: column(&row, "record")?,
                    zone: crate::row::parsed(&row, "zone")?,
                    identifier: crate::row::parsed(&row, "identifier")?,
                    given_hash: column(&row, "given_hash")?,
                    content_hash: column(&row, "content_hash")?,
                    gone: column(&row, "gone")?,
                    main: column(&row, "main")?,
                    revision: column(&row, "revision")?,
                };
                found.insert((column(&row, "key")?, column(&row, "kind")?), known);
            }
        }
        Ok(found)
    }

    /// Reads the document of a revision.
    pub async fn revision_document(&self, revision: i64) -> Result<Option<String>, Error> {
        let text: Option<Option<String>> = sqlx::query_scalar("SELECT document FROM revision WHERE id = $1")
            .bind(revision)
            .fetch_optional(self.readers())
            .await?;
        Ok(text.flatten())
    }

    /// Gathers everything that is said of a record.
    pub async fn sayings(&self, zone: &ZoneId, identifier: &Identifier) -> Result<StoredSayings, Error> {
        let mut connection = self.readers().acquire().await?;
        let record: Option<i64> = sqlx::query_scalar("SELECT id FROM record WHERE zone = $1 AND identifier = $2")
            .bind(zone.as_str())
            .bind(identifier.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        let record = record.ok_or_else(|| Error::not_found("record", format!("{zone}/{identifier}")))?;
        let sayings = super::sayings::sayings(&mut connection, record).await?;
        let rows = sqlx::query(
            "SELECT document, at FROM revision WHERE record = $1 AND source = 'overlay' AND version = '' ORDER BY id",
        )
        .bind(record)
        .fetch_all(&mut *connection)
        .await?;
        let patches = rows
            .iter()
            .map(|row| Ok((json(column(row, "document")?)?, time(row, "at")?)))
            .collect::<Result<_, Error>>()?;
        Ok(StoredSayings { sayings, patches })
    }

    /// Lists the records whose last change is after a sequence and that are at home in a zone, oldest change first,
    /// and the sequence up to which nothing is missing.
    pub async fn feed_after(&self, zone: &ZoneId, seq: u64, limit: u32) -> Result<(Vec<Feeding>, u64), Error> {
        // What is committed while this reads comes with the next piece.
        let last = self.last_seq();
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT c.seq, c.record, r.identifier FROM change_log c JOIN record r ON r.id = c.record \
             WHERE c.seq > $1 AND c.seq <= $2 AND r.zone = $3 \
             AND NOT EXISTS (SELECT 1 FROM change_log later WHERE later.record = c.record AND later.seq > c.seq) \
             ORDER BY c.seq LIMIT $4",
        )
        .bind(stored(seq))
        .bind(stored(last))
        .bind(zone.as_str())
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        let is_all = rows.len() < limit as usize;
        // A follower that is further than this ledger learns it by being sent back.
        let next = if is_all { last } else { rows.last().map_or(seq, |(seq, ..)| counted(*seq)) };
        let keys: Vec<(ZoneId, Identifier)> =
            rows.iter().filter_map(|(_, _, identifier)| Some((zone.clone(), identifier.parse().ok()?))).collect();
        let mut records: HashMap<i64, _> =
            self.records(&keys).await?.into_iter().map(|record| (record.id, record)).collect();
        let mut feedings = Vec::with_capacity(rows.len());
        for (seq, id, _) in rows {
            let Some(mut record) = records.remove(&id) else { continue };
            let mut reason = None;
            // What everybody saw last is what is gone for them, whatever its developers prepare since.
            if !record.state.is_public()
                && let Some((version, why)) = self.last_shown(id).await?
            {
                record.version = version.parse().unwrap_or(record.version);
                reason = why;
            }
            feedings.push(Feeding { seq: counted(seq), record, reason });
        }
        Ok((feedings, next))
    }

    /// Returns the version of a record that everybody could see and that changed last, with the reason why it is gone.
    async fn last_shown(&self, record: i64) -> Result<Option<(String, Option<String>)>, Error> {
        let last = sqlx::query_as(
            "SELECT n.version, n.reason FROM version n WHERE n.record = $1 AND EXISTS (SELECT 1 FROM change_log c \
             WHERE c.record = n.record AND c.version = n.version AND c.what IN ('published', 'deprecated')) \
             ORDER BY n.changed DESC, n.seq DESC LIMIT 1",
        );
        Ok(last.bind(record).fetch_optional(self.readers()).await?)
    }

    /// Names the change with a sequence, so that it is known again: in a ledger that came back from an older backup another
    /// change gets its number.
    pub async fn change_mark(&self, seq: u64) -> Result<Option<String>, Error> {
        let change: Option<(i64, i64, String)> =
            sqlx::query_as("SELECT record, at, what FROM change_log WHERE seq = $1")
                .bind(stored(seq))
                .fetch_optional(self.readers())
                .await?;
        let named = |(record, at, what)| hex::encode(&Sha256::digest(format!("{seq} {record} {at} {what}"))[..8]);
        Ok(change.map(named))
    }

    /// Names this ledger's numbering of changes: a ledger that was begun anew has another name.
    pub async fn epoch(&self) -> Result<String, Error> {
        let first: Option<i64> =
            sqlx::query_scalar("SELECT at FROM migration WHERE number = 1").fetch_optional(self.readers()).await?;
        Ok(format!("{:x}", first.unwrap_or_default()))
    }
}

/// Reads when a source last ran well.
pub(super) fn last_seen(row: &sqlx::sqlite::SqliteRow) -> Result<Option<Timestamp>, Error> {
    optional_time(row, "last_success")
}
