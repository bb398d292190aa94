//! What a run reads, put down in pieces; nothing of it counts before the run is applied.

use std::collections::HashMap;

use catalog_schemas::harvest::Review;
use catalog_schemas::id::{Identifier, ZoneId};
use sqlx::QueryBuilder;

use super::review::ask;
use super::run::{Lease, Resumption, held};
use crate::error::Error;
use crate::open::Ledger;
use crate::row::{Database, column, stored};
use crate::writer::{Operation, Writing};

/// Rows of one statement: SQLite takes 32,766 values at once.
const ROWS: usize = 500;

/// What a row of a run says about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is new here.
    New,
    /// The source says something of a record that others brought.
    Joined,
    /// It says something else than before, or is back.
    Changed,
    /// It says the same as before.
    Same,
    /// What it says now is not valid; what it said before stays.
    Kept,
    /// The source says that it is gone.
    Gone,
}

impl What {
    const ALL: [Self; 6] = [Self::New, Self::Joined, Self::Changed, Self::Same, Self::Kept, Self::Gone];

    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Joined => "joined",
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Kept => "kept",
            Self::Gone => "gone",
        }
    }
}

/// A row of a run.
#[derive(Debug, Clone)]
pub struct Staged {
    /// What it says.
    pub what: What,
    /// The record's key in the source.
    pub key: String,
    /// Its type.
    pub kind: String,
    /// Numbers new records from 1 within the run.
    pub fresh: Option<u64>,
    /// Numbers everything that changes from 1 within the run.
    pub change: Option<u64>,
    /// What the source said before.
    pub said: Option<i64>,
    /// The record, when there is one.
    pub record: Option<i64>,
    /// Whether the record's current version is this source's.
    pub main: bool,
    /// The home zone.
    pub zone: Option<ZoneId>,
    /// The identifier.
    pub identifier: Option<Identifier>,
    /// The version.
    pub version: Option<String>,
    /// The state, when it is another than published.
    pub state: Option<&'static str>,
    /// The record document.
    pub document: Option<String>,
    /// SHA-256 of what the source gave, by which it is known again before it is validated.
    pub given_hash: Option<String>,
    /// SHA-256 of the document.
    pub content_hash: Option<String>,
    /// The file or page that it was in.
    pub part: String,
    /// Why it is gone.
    pub reason: Option<String>,
    /// Identifiers that mean the same everywhere.
    pub global: Vec<String>,
}

/// A record that others brought and that bears a global identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// The record.
    pub record: i64,
    /// Its home zone.
    pub zone: String,
    /// Its identifier.
    pub identifier: String,
    /// Its type.
    pub kind: String,
    /// The source that gave the identifier.
    pub source: String,
    /// Whether the source that asks says something of the record already.
    pub taken: bool,
}

/// What a run has read since it last put something down.
#[derive(Debug, Default)]
pub struct Piece {
    /// The number of the first row within the run.
    pub first: u64,
    /// What was read.
    pub rows: Vec<Staged>,
    /// Keys and types of rows put down earlier in the run of which the source has said something else since.
    pub outdated: Vec<(String, String)>,
    /// Identities that somebody must decide.
    pub reviews: Vec<Review>,
    /// Pages read, records expected and bytes read by now.
    pub progress: (u64, Option<u64>, u64),
    /// What it takes to go on from here.
    pub resumption: Option<Resumption>,
}

struct Stage {
    lease: Lease,
    piece: Piece,
}

impl Operation for Stage {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let mut view = held(writing, &self.lease).await?;
        let (source, run) = (self.lease.source.as_str(), stored(self.lease.run));
        let Piece { first, rows, outdated, reviews, progress, resumption } = self.piece;
        for (key, kind) in &outdated {
            forget(writing, (source, run), (key, kind)).await?;
        }
        let mut number = stored(first);
        for rows in rows.chunks(ROWS) {
            rows_in(writing, source, run, number, rows).await?;
            identifiers_in(writing, source, run, number, rows).await?;
            number += rows.len() as i64;
        }
        // What a dry run meets is nobody's to decide: nothing of it becomes a record.
        for review in reviews.iter().filter(|_| !view.dry_run) {
            ask(writing, review).await?;
        }
        if let Some(resumption) = &resumption {
            resumption.keep(writing, &self.lease).await?;
        }
        (view.done, view.total, view.bytes) = progress;
        super::run::save(writing, &view, Some(&self.lease.token)).await
    }
}

/// Takes back what a run put down of a record.
async fn forget(writing: &mut Writing, (source, run): (&str, i64), (key, kind): (&str, &str)) -> Result<(), Error> {
    for statement in [
        "DELETE FROM staged_identifier WHERE source = $1 AND run = $2 AND number IN (SELECT number FROM staged \
         WHERE source = $1 AND run = $2 AND key = $3 AND kind = $4)",
        "DELETE FROM staged WHERE source = $1 AND run = $2 AND key = $3 AND kind = $4",
    ] {
        let query = sqlx::query(statement).bind(source).bind(run).bind(key).bind(kind);
        query.execute(writing.connection().await?).await?;
    }
    Ok(())
}

async fn rows_in(writing: &mut Writing, source: &str, run: i64, first: i64, rows: &[Staged]) -> Result<(), Error> {
    let mut query = QueryBuilder::<Database>::new(
        "INSERT INTO staged (source, run, number, what, key, kind, fresh, change, said, record, main, zone, identifier, \
         version, state, document, given_hash, content_hash, part, reason) ",
    );
    query.push_values(rows.iter().enumerate(), |mut values, (at, row)| {
        values.push_bind(source).push_bind(run).push_bind(first + at as i64).push_bind(row.what.as_str());
        values.push_bind(row.key.as_str()).push_bind(row.kind.as_str());
        values.push_bind(row.fresh.map(stored)).push_bind(row.change.map(stored));
        values.push_bind(row.said).push_bind(row.record).push_bind(i64::from(row.main));
        values.push_bind(row.zone.as_ref().map(ZoneId::as_str));
        values.push_bind(row.identifier.as_ref().map(Identifier::as_str));
        values.push_bind(row.version.as_deref()).push_bind(row.state).push_bind(row.document.as_deref());
        values.push_bind(row.given_hash.as_deref()).push_bind(row.content_hash.as_deref());
        values.push_bind(row.part.as_str()).push_bind(row.reason.as_deref());
    });
    query.build().execute(writing.connection().await?).await?;
    Ok(())
}

async fn identifiers_in(
    writing: &mut Writing,
    source: &str,
    run: i64,
    first: i64,
    rows: &[Staged],
) -> Result<(), Error> {
    let pairs: Vec<(i64, &str)> = rows
        .iter()
        .enumerate()
        .flat_map(|(at, row)| row.global.iter().map(move |identifier| (first + at as i64, identifier.as_str())))
        .collect();
    for pairs in pairs.chunks(ROWS) {
        let mut query =
            QueryBuilder::<Database>::new("INSERT INTO staged_identifier (source, run, number, identifier) ");
        query.push_values(pairs, |mut row, (number, identifier)| {
            row.push_bind(source).push_bind(run).push_bind(*number).push_bind(*identifier);
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().execute(writing.connection().await?).await?;
    }
    Ok(())
}

impl Ledger {
    /// Puts down what a run has read, and says that the run lives.
    pub async fn run_stage(&self, lease: &Lease, piece: Piece) -> Result<(), Error> {
        self.write(Stage { lease: lease.clone(), piece }).await
    }

    /// Finds what a run has put down of these keys already, by key and type.
    pub async fn staged(&self, lease: &Lease, keys: &[&str]) -> Result<HashMap<(String, String), What>, Error> {
        let mut found = HashMap::new();
        for keys in keys.chunks(ROWS) {
            let mut query = QueryBuilder::<Database>::new("SELECT key, kind, what FROM staged WHERE source = ");
            query.push_bind(lease.source.as_str()).push(" AND run = ").push_bind(stored(lease.run));
            query.push(" AND key IN (");
            let mut list = query.separated(", ");
            for key in keys {
                list.push_bind(*key);
            }
            query.push(")");
            for row in query.build().fetch_all(self.readers()).await? {
                let what: &str = column(&row, "what")?;
                if let Some(what) = What::ALL.into_iter().find(|one| one.as_str() == what) {
                    found.insert((column(&row, "key")?, column(&row, "kind")?), what);
                }
            }
        }
        Ok(found)
    }

    /// Finds the records of other sources that bear any of these global identifiers.
    pub async fn bearers(&self, source: &str, global: &[&str]) -> Result<HashMap<String, Vec<Joining>>, Error> {
        let mut found: HashMap<String, Vec<Joining>> = HashMap::new();
        for global in global.chunks(ROWS) {
            let mut query = QueryBuilder::<Database>::new(
                "SELECT g.identifier AS global, g.record, g.source, r.zone, r.identifier, r.kind, EXISTS (SELECT 1 FROM said s \
                 WHERE s.record = g.record AND s.source = ",
            );
            query.push_bind(source);
            query.push(
                " AND s.gone IS NULL) AS taken FROM global_identifier g \
                 JOIN record r ON r.id = g.record WHERE r.state <> 'withdrawn' AND g.source <> ",
            );
            query.push_bind(source).push(" AND g.identifier IN (");
            let mut list = query.separated(", ");
            for identifier in global {
                list.push_bind(*identifier);
            }
            query.push(") ORDER BY g.record");
            for row in query.build().fetch_all(self.readers()).await? {
                let bearers = found.entry(column(&row, "global")?).or_default();
                let joining = Joining {
                    record: column(&row, "record")?,
                    zone: column(&row, "zone")?,
                    identifier: column(&row, "identifier")?,
                    kind: column(&row, "kind")?,
                    source: column(&row, "source")?,
                    taken: column(&row, "taken")?,
                };
                if bearers.iter().all(|one| one.record != joining.record) {
                    bearers.push(joining);
                }
            }
        }
        Ok(found)
    }
}
