//! Reading what everybody may see in pages: by number, by change, by time; what catalogues, feeds and site maps are made of.

use std::collections::HashMap;

use catalog_schemas::id::{Identifier, ZoneId};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row};

use crate::error::Error;
use crate::open::Ledger;
use crate::read::{Change, RECORD, StoredRecord, change, hidden, record, was_shown};
use crate::row::{Database, column, counted, moment, parsed, stored, time};

/// The records that everybody may see: not those for trying out, and not those that a moderator made undiscoverable, which only
/// what is laid over a record can say. (`view::is_listed` asks the same of one record.)
const PUBLIC: &str =
    concat!("r.state IN ('published', 'deprecated') AND r.identifier NOT LIKE 'sandbox.%' AND NOT ", hidden!());

/// The records that everybody knows: those that may be seen, and those that could be once and are gone for everybody, withdrawn or
/// hidden; what nobody ever saw leaves nothing.
const KNOWN: &str = concat!(
    "(r.state IN ('published', 'deprecated') OR EXISTS (SELECT 1 FROM change_log c \
     WHERE c.record = r.id AND c.what IN ('published', 'deprecated'))) AND r.identifier NOT LIKE 'sandbox.%' AND (NOT ",
    hidden!(),
    " OR ",
    was_shown!(),
    ")"
);

/// Keys asked for by one statement.
const KEYS: usize = 500;

/// Which records are meant, by when they last changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// The first moment, in milliseconds.
    pub from: Option<i64>,
    /// The moment after the last, in milliseconds.
    pub before: Option<i64>,
    /// The type.
    pub kind: Option<String>,
    /// Who says something of them.
    pub source: Option<String>,
}

/// Where a record is, and when it last changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its home zone.
    pub zone: ZoneId,
    /// Its identifier.
    pub identifier: Identifier,
    /// When it last changed.
    pub modified: Timestamp,
}

/// The records whose numbers are in one stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Which stretch, from 0.
    pub number: i64,
    /// Records in it.
    pub count: u64,
    /// When the last of them changed.
    pub modified: Timestamp,
}

impl Ledger {
    /// Reads the records that everybody may see in pieces, by number; of one source, or of some types, when they are named.
    pub async fn public_after(
        &self,
        id: i64,
        source: Option<&str>,
        kinds: &[&str],
        limit: u32,
    ) -> Result<Vec<StoredRecord>, Error> {
        let mut query = QueryBuilder::<Database>::new(RECORD);
        query.push("WHERE r.id > ").push_bind(id).push(" AND ").push(PUBLIC);
        if let Some(source) = source {
            of_source(&mut query, source);
        }
        if !kinds.is_empty() {
            query.push(" AND r.kind IN (");
            let mut list = query.separated(", ");
            for kind in kinds {
                list.push_bind((*kind).to_owned());
            }
            query.push(")");
        }
        query.push(" ORDER BY r.id LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(self.readers()).await?.iter().map(record).collect()
    }

    /// Returns the number after which the page before begins, when something is before.
    pub async fn public_page_before(&self, id: i64, limit: u32) -> Result<Option<i64>, Error> {
        let text = format!("SELECT r.id FROM record r WHERE r.id <= $1 AND {PUBLIC} ORDER BY r.id DESC LIMIT $2");
        let text = sqlx::AssertSqlSafe(text);
        let rows = sqlx::query(text).bind(id).bind(i64::from(limit) + 1).fetch_all(self.readers()).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let is_first = rows.len() <= limit as usize;
        Ok(Some(if is_first { 0 } else { rows[rows.len() - 1].try_get(0)? }))
    }

    /// Lists records by when they last changed, after a moment and a number; those that are gone too, what nobody ever saw never.
    pub async fn changed_records(
        &self,
        which: &Changed,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<StoredRecord>, Error> {
        let mut query = QueryBuilder::<Database>::new(RECORD);
        query.push("WHERE ").push(KNOWN);
        which.push(&mut query);
        if let Some((at, id)) = after {
            query.push(" AND (r.modified, r.id) > (").push_bind(at).push(", ").push_bind(id).push(")");
        }
        query.push(" ORDER BY r.modified, r.id LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(self.readers()).await?.iter().map(record).collect()
    }

    /// Counts the records that such a list has.
    pub async fn count_changed(&self, which: &Changed) -> Result<u64, Error> {
        let from = "SELECT COUNT(*) FROM record r JOIN revision v ON v.id = r.revision WHERE ";
        let mut query = QueryBuilder::<Database>::new(if which.source.is_some() {
            from
        } else {
            "SELECT COUNT(*) FROM record r WHERE "
        });
        query.push(KNOWN);
        which.push(&mut query);
        Ok(counted(query.build_query_scalar::<i64>().fetch_one(self.readers()).await?))
    }

    /// Returns when the first and the last change of a record happened that everybody knows.
    pub async fn known_span(&self) -> Result<Option<(Timestamp, Timestamp)>, Error> {
        // Asked one by one, each is the first entry of the index that fits.
        let mut ends = [None, None];
        for (end, order) in ends.iter_mut().zip(["ASC", "DESC"]) {
            let text = format!("SELECT r.modified FROM record r WHERE {KNOWN} ORDER BY r.modified {order} LIMIT 1");
            let text = sqlx::AssertSqlSafe(text);
            *end = sqlx::query_scalar::<_, i64>(text).fetch_optional(self.readers()).await?;
        }
        let [first, last] = ends;
        first.zip(last).map(|(first, last)| Ok((moment(first, "modified")?, moment(last, "modified")?))).transpose()
    }

    /// Counts the records that everybody may see by their source.
    pub async fn sources(&self) -> Result<Vec<(String, u64)>, Error> {
        let text = format!(
            "SELECT v.source, COUNT(*) FROM record r JOIN revision v ON v.id = r.revision WHERE {PUBLIC} GROUP BY v.source ORDER BY v.source"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, counted(row.try_get(1)?)))).collect()
    }

    /// Counts, by source, the records that everybody may see and that the source describes although another brought them.
    pub async fn second_sources(&self) -> Result<Vec<(String, u64)>, Error> {
        let text = format!(
            "SELECT s.source, COUNT(DISTINCT r.id) FROM record r JOIN revision v ON v.id = r.revision \
             JOIN said s ON s.record = r.id AND s.gone IS NULL AND s.source <> v.source \
             WHERE r.also IS NOT NULL AND {PUBLIC} GROUP BY s.source"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(self.readers()).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, counted(row.try_get(1)?)))).collect()
    }

    /// Lists the addresses of one stretch of numbers, in order.
    pub async fn addresses(&self, stretch: i64, length: i64) -> Result<Vec<Address>, Error> {
        let first = stretch.saturating_mul(length);
        let text = format!(
            "SELECT r.zone, r.identifier, r.modified FROM record r WHERE r.id > $1 AND r.id <= $2 AND {PUBLIC} ORDER BY r.id"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(first).bind(first.saturating_add(length));
        let rows = query.fetch_all(self.readers()).await?;
        let address = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Address {
                zone: parsed(row, "zone")?,
                identifier: parsed(row, "identifier")?,
                modified: time(row, "modified")?,
            })
        };
        rows.iter().map(address).collect()
    }

    /// Counts the records that everybody may see in stretches of their numbers.
    pub async fn stretches(&self, length: i64) -> Result<Vec<Stretch>, Error> {
        let text = format!(
            "SELECT (r.id - 1) / $1 AS number, COUNT(*) AS count, MAX(r.modified) AS modified FROM record r WHERE {PUBLIC} GROUP BY 1 ORDER BY 1"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(length).fetch_all(self.readers()).await?;
        let stretch = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Stretch {
                number: column(row, "number")?,
                count: counted(column(row, "count")?),
                modified: time(row, "modified")?,
            })
        };
        rows.iter().map(stretch).collect()
    }

    /// Lists the last change of each record, newest first, before a sequence.
    pub async fn latest_changes(&self, before: u64, limit: u32) -> Result<Vec<Change>, Error> {
        let rows = sqlx::query(
            "SELECT c.seq, c.version, c.what, c.at, r.zone, r.identifier FROM change_log c JOIN record r ON r.id = c.record \
             WHERE c.seq < $1 AND NOT EXISTS (SELECT 1 FROM change_log later WHERE later.record = c.record AND later.seq > c.seq) \
             ORDER BY c.seq DESC LIMIT $2",
        )
        .bind(stored(before))
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(change).collect()
    }

    /// Finds the packages of the current versions of records, by the records' numbers: digest and size.
    pub async fn packages_of(&self, ids: &[i64]) -> Result<HashMap<i64, (String, u64)>, Error> {
        let mut found = HashMap::new();
        for ids in ids.chunks(KEYS) {
            let mut query = QueryBuilder::<Database>::new(
                "SELECT n.record, n.digest, b.size FROM version n JOIN record r ON r.id = n.record AND r.version = n.version \
                 JOIN blob b ON b.digest = n.digest WHERE n.record IN (",
            );
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            query.push(")");
            for row in query.build().fetch_all(self.readers()).await? {
                found.insert(row.try_get(0)?, (row.try_get(1)?, counted(row.try_get(2)?)));
            }
        }
        Ok(found)
    }
}

impl Changed {
    fn push(&self, query: &mut QueryBuilder<Database>) {
        if let Some(from) = self.from {
            query.push(" AND r.modified >= ").push_bind(from);
        }
        if let Some(before) = self.before {
            query.push(" AND r.modified < ").push_bind(before);
        }
        if let Some(kind) = &self.kind {
            query.push(" AND r.kind = ").push_bind(kind.clone());
        }
        if let Some(source) = &self.source {
            of_source(query, source);
        }
    }
}

/// Asks for the records that a source says something of: those that it brought, and those of others that it describes too.
fn of_source(query: &mut QueryBuilder<Database>, source: &str) {
    query.push(" AND (v.source = ").push_bind(source.to_owned());
    query.push(" OR r.also IS NOT NULL AND EXISTS (SELECT 1 FROM said s WHERE s.record = r.id AND s.gone IS NULL AND s.source = ");
    query.push_bind(source.to_owned()).push("))");
}
