//! Reading records, versions and changes.

use catalog_schemas::id::{Identifier, Version, ZoneId};
use jiff::Timestamp;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteRow;

use crate::error::Error;
use crate::names::State;
use crate::open::Ledger;
use crate::row::{Database, column, counted, parsed, stored, time, unsigned, word};

/// Keys asked for by one statement.
const KEYS: usize = 500;

/// Says in SQL that a moderator made a record undiscoverable. Hardly any record is, so most are told by a look at the text.
macro_rules! hidden {
    () => {
        "(r.merged IS NOT NULL AND instr(r.merged, '\"discoverable\"') > 0 AND COALESCE(json_extract(r.merged, '$.discoverable'), 1) = 0)"
    };
}

/// Says in SQL that everybody could once see a record that is hidden now: something happened to it when it was public and
/// nothing that was laid over it until then hid it.
macro_rules! was_shown {
    () => {
        "EXISTS (SELECT 1 FROM change_log c WHERE c.record = r.id AND c.what IN ('published', 'deprecated', 'overlaid') \
         AND EXISTS (SELECT 1 FROM change_log p WHERE p.record = r.id AND p.seq <= c.seq AND p.what IN ('published', 'deprecated')) \
         AND COALESCE((SELECT json_extract(o.document, '$.discoverable') FROM revision o WHERE o.record = r.id AND o.source = 'overlay' \
         AND o.version = '' AND o.seq <= c.seq AND json_type(o.document, '$.discoverable') IS NOT NULL ORDER BY o.id DESC LIMIT 1), 1) <> 0)"
    };
}

pub(crate) use {hidden, was_shown};

/// What a record is now.
pub(crate) const RECORD: &str = concat!(
    "SELECT r.id, r.zone, r.identifier, r.kind, r.state, r.version, COALESCE(r.merged, v.document) AS document, \
     r.merged IS NOT NULL AS overlaid, r.also, r.seq, r.created, r.modified, v.source, v.account AS publisher, \
     (r.state IN ('published', 'deprecated') OR EXISTS (SELECT 1 FROM change_log c WHERE c.record = r.id \
     AND c.what IN ('published', 'deprecated'))) AND (NOT ",
    hidden!(),
    " OR ",
    was_shown!(),
    ") AS was_public FROM record r JOIN revision v ON v.id = r.revision "
);

/// A record as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Numbers it in this ledger; for paging only.
    pub id: i64,
    /// Its home zone.
    pub zone: ZoneId,
    /// Its identifier.
    pub identifier: Identifier,
    /// Its type, such as `Datalab`.
    pub kind: String,
    /// The state of its current version; withdrawn when nothing else is left.
    pub state: State,
    /// Its current version.
    pub version: Version,
    /// The record document of the current version, with the overlay laid over it.
    pub document: String,
    /// Whether other words lie over those of its current version: an overlay, or what other sources say.
    pub overlaid: bool,
    /// The other sources that say something of it.
    pub also: Vec<String>,
    /// The sequence of its last change.
    pub seq: u64,
    /// When its first version was published.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// Who said what the current version says.
    pub source: String,
    /// The account that published the current version.
    pub publisher: String,
    /// Whether everybody may see it or once could: what never was public leaves no tombstone.
    pub was_public: bool,
}

/// A version of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// The version.
    pub version: Version,
    /// Its state.
    pub state: State,
    /// The record document as it was published.
    pub document: String,
    /// SHA-256 of the document.
    pub content_hash: String,
    /// SHA-256 of the package, when it came in one.
    pub digest: Option<String>,
    /// Bytes of the package.
    pub size: Option<u64>,
    /// The name of the package's file.
    pub file_name: Option<String>,
    /// Who said it.
    pub source: String,
    /// The account that published it.
    pub publisher: String,
    /// The sequence of its last change.
    pub seq: u64,
    /// When it was published.
    pub published: Timestamp,
    /// When its state last changed.
    pub changed: Timestamp,
    /// Why it was withdrawn, returned or deprecated.
    pub reason: Option<String>,
    /// The signature that came with it, as JSON.
    pub signature: Option<String>,
    /// Codes of warnings that its publisher took responsibility for.
    pub acknowledged: Vec<String>,
    /// What its developers amended since, as JSON merge patches, oldest first.
    pub amendments: Vec<String>,
    /// Whether everybody may see it or once could.
    pub was_public: bool,
}

/// A version that waits: a draft, or a submission for a moderator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The record's home zone.
    pub zone: ZoneId,
    /// The record.
    pub identifier: Identifier,
    /// Its type.
    pub kind: String,
    /// The version.
    pub version: Version,
    /// Draft or submitted.
    pub state: State,
    /// Who uploaded it.
    pub publisher: String,
    /// Since when it is in its state.
    pub changed: Timestamp,
    /// Its document.
    pub document: String,
    /// The version that everybody sees now, when there is one.
    pub published: Option<String>,
    /// Codes of warnings that its publisher took responsibility for.
    pub acknowledged: Vec<String>,
    /// Why it was returned, when it was.
    pub reason: Option<String>,
}

/// A change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its sequence.
    pub seq: u64,
    /// The record's home zone.
    pub zone: ZoneId,
    /// The record's identifier.
    pub identifier: Identifier,
    /// The version that was changed; nothing when it was the overlay.
    pub version: Option<Version>,
    /// `draft`, `submitted`, `published`, `deprecated`, `withdrawn`, `amended`, `overlaid`.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

pub(crate) fn record(row: &SqliteRow) -> Result<StoredRecord, Error> {
    Ok(StoredRecord {
        id: column(row, "id")?,
        zone: parsed(row, "zone")?,
        identifier: parsed(row, "identifier")?,
        kind: column(row, "kind")?,
        state: word(row, "state", State::from_word)?,
        version: parsed(row, "version")?,
        document: column(row, "document")?,
        overlaid: column(row, "overlaid")?,
        also: column::<Option<&str>>(row, "also")?
            .map(|also| also.lines().map(str::to_owned).collect())
            .unwrap_or_default(),
        seq: unsigned(row, "seq")?,
        created: time(row, "created")?,
        modified: time(row, "modified")?,
        source: column(row, "source")?,
        publisher: column(row, "publisher")?,
        was_public: column::<i64>(row, "was_public")? != 0,
    })
}

fn version(row: &SqliteRow) -> Result<StoredVersion, Error> {
    Ok(StoredVersion {
        version: parsed(row, "version")?,
        state: word(row, "state", State::from_word)?,
        document: column(row, "document")?,
        content_hash: column(row, "content_hash")?,
        digest: column(row, "digest")?,
        size: column::<Option<i64>>(row, "size")?.map(counted),
        file_name: column(row, "file_name")?,
        source: column(row, "source")?,
        publisher: column(row, "publisher")?,
        seq: unsigned(row, "seq")?,
        published: time(row, "published")?,
        changed: time(row, "changed")?,
        reason: column(row, "reason")?,
        signature: column(row, "signature")?,
        acknowledged: codes(row)?,
        amendments: Vec::new(),
        was_public: column::<i64>(row, "was_public")? != 0,
    })
}

fn codes(row: &SqliteRow) -> Result<Vec<String>, Error> {
    let text: Option<&str> = column(row, "acknowledged")?;
    Ok(text.unwrap_or_default().split_whitespace().map(str::to_owned).collect())
}

fn queued(row: &SqliteRow) -> Result<Queued, Error> {
    Ok(Queued {
        zone: parsed(row, "zone")?,
        identifier: parsed(row, "identifier")?,
        kind: column(row, "kind")?,
        version: parsed(row, "version")?,
        state: word(row, "state", State::from_word)?,
        publisher: column(row, "publisher")?,
        changed: time(row, "changed")?,
        document: column(row, "document")?,
        published: column(row, "shown")?,
        acknowledged: codes(row)?,
        reason: column(row, "reason")?,
    })
}

pub(crate) fn change(row: &SqliteRow) -> Result<Change, Error> {
    let overlay = column::<&str>(row, "version")?.is_empty();
    Ok(Change {
        seq: unsigned(row, "seq")?,
        zone: parsed(row, "zone")?,
        identifier: parsed(row, "identifier")?,
        version: if overlay { None } else { Some(parsed(row, "version")?) },
        what: column(row, "what")?,
        at: time(row, "at")?,
    })
}

impl Ledger {
    /// Lists what changed after a sequence, oldest first, only the last change of each record: a projection that
    /// copies the current state of each and notes the last sequence given has missed nothing.
    pub async fn changes_after(&self, seq: u64, limit: u32) -> Result<Vec<Change>, Error> {
        let rows = sqlx::query(
            "SELECT c.seq, c.version, c.what, c.at, r.zone, r.identifier FROM change_log c JOIN record r ON r.id = c.record \
             WHERE c.seq > $1 AND NOT EXISTS (SELECT 1 FROM change_log later WHERE later.record = c.record AND later.seq > c.seq) \
             ORDER BY c.seq LIMIT $2",
        )
        .bind(stored(seq))
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(change).collect()
    }

    /// Lists every change after a sequence, oldest first, none left out: what a feed hands on.
    pub async fn log_after(&self, seq: u64, limit: u32) -> Result<Vec<Change>, Error> {
        let rows = sqlx::query(
            "SELECT c.seq, c.version, c.what, c.at, r.zone, r.identifier FROM change_log c JOIN record r ON r.id = c.record \
             WHERE c.seq > $1 ORDER BY c.seq LIMIT $2",
        )
        .bind(stored(seq))
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(change).collect()
    }

    /// Finds a record.
    pub async fn record(&self, zone: &ZoneId, identifier: &Identifier) -> Result<Option<StoredRecord>, Error> {
        let found = self.records(std::slice::from_ref(&(zone.clone(), identifier.clone()))).await?;
        Ok(found.into_iter().next())
    }

    /// Finds many records at once; those that there are, by id.
    pub async fn records(&self, keys: &[(ZoneId, Identifier)]) -> Result<Vec<StoredRecord>, Error> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS) {
            let mut query = QueryBuilder::<Database>::new(RECORD);
            query.push("WHERE (r.zone, r.identifier) IN (");
            query.push_values(keys, |mut row, (zone, identifier)| {
                row.push_bind(zone.as_str()).push_bind(identifier.as_str());
            });
            query.push(") ORDER BY r.id");
            for row in query.build().fetch_all(self.readers()).await? {
                found.push(record(&row)?);
            }
        }
        Ok(found)
    }

    /// Finds the records that bear an identifier in any zone.
    pub async fn find_by_identifier(&self, identifier: &Identifier) -> Result<Vec<StoredRecord>, Error> {
        let mut query = QueryBuilder::<Database>::new(RECORD);
        query.push("WHERE r.identifier = ").push_bind(identifier.as_str()).push(" ORDER BY r.zone");
        query.build().fetch_all(self.readers()).await?.iter().map(record).collect()
    }

    /// Lists the records of a kind that everybody may see, by identifier.
    pub async fn by_kind(&self, kind: &str) -> Result<Vec<StoredRecord>, Error> {
        let mut query = QueryBuilder::<Database>::new(RECORD);
        query.push("WHERE r.kind = ").push_bind(kind);
        query.push(" AND r.state IN ('published', 'deprecated') ORDER BY r.identifier, r.zone");
        query.build().fetch_all(self.readers()).await?.iter().map(record).collect()
    }

    /// Reads all records in pieces, whatever their state, by id: what a rebuild does.
    pub async fn scan(&self, after_id: i64, limit: u32) -> Result<Vec<StoredRecord>, Error> {
        let mut query = QueryBuilder::<Database>::new(RECORD);
        query.push("WHERE r.id > ").push_bind(after_id).push(" ORDER BY r.id LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(self.readers()).await?.iter().map(record).collect()
    }

    /// Counts the records that everybody may see.
    pub async fn count(&self) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM record WHERE state IN ('published', 'deprecated')")
            .fetch_one(self.readers())
            .await?;
        Ok(counted(count))
    }

    /// Finds a version, whatever its state.
    pub async fn version(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        name: &Version,
    ) -> Result<Option<StoredVersion>, Error> {
        Ok(self.versions_of(zone, identifier, Some(name)).await?.into_iter().next())
    }

    /// Lists a record's versions, newest first.
    pub async fn versions(&self, zone: &ZoneId, identifier: &Identifier) -> Result<Vec<StoredVersion>, Error> {
        self.versions_of(zone, identifier, None).await
    }

    async fn versions_of(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        name: Option<&Version>,
    ) -> Result<Vec<StoredVersion>, Error> {
        let rows = sqlx::query(
            "SELECT n.*, v.document, b.size, n.state IN ('published', 'deprecated') OR EXISTS (SELECT 1 FROM change_log c \
             WHERE c.record = n.record AND c.version = n.version AND c.what IN ('published', 'deprecated')) AS was_public FROM record r JOIN version n ON n.record = r.id JOIN revision v ON v.id = n.revision \
             LEFT JOIN blob b ON b.digest = n.digest \
             WHERE r.zone = $1 AND r.identifier = $2 AND n.version = COALESCE($3, n.version) ORDER BY n.revision DESC",
        )
        .bind(zone.as_str())
        .bind(identifier.as_str())
        .bind(name.map(Version::as_str))
        .fetch_all(self.readers())
        .await?;
        let mut versions: Vec<StoredVersion> = rows.iter().map(version).collect::<Result<_, _>>()?;
        let amended = sqlx::query(
            "SELECT v.version, v.document FROM record r JOIN revision v ON v.record = r.id AND v.source = 'amendment' \
             WHERE r.zone = $1 AND r.identifier = $2 ORDER BY v.id",
        )
        .bind(zone.as_str())
        .bind(identifier.as_str())
        .fetch_all(self.readers())
        .await?;
        for row in &amended {
            let of: &str = column(row, "version")?;
            if let Some(version) = versions.iter_mut().find(|version| version.version.as_str() == of) {
                version.amendments.push(column(row, "document")?);
            }
        }
        Ok(versions)
    }

    /// Lists the versions that wait in a state, the longest first; those that one account uploaded, or of everybody.
    pub async fn queue(&self, state: State, account: Option<&str>, limit: u32) -> Result<Vec<Queued>, Error> {
        let rows = sqlx::query(
            "SELECT r.zone, r.identifier, r.kind, n.version, n.state, n.publisher, n.changed, n.acknowledged, n.reason, v.document, \
             CASE WHEN r.state IN ('published', 'deprecated') THEN r.version END AS shown \
             FROM version n JOIN record r ON r.id = n.record JOIN revision v ON v.id = n.revision \
             WHERE n.state = $1 AND n.state IN ('draft', 'submitted') AND n.publisher = COALESCE($2, n.publisher) ORDER BY n.seq LIMIT $3",
        )
        .bind(state.as_str())
        .bind(account)
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(queued).collect()
    }
}
