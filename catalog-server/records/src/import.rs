//! Publishing many records at once.

use std::collections::{HashMap, HashSet};

use sqlx::QueryBuilder;

use crate::account;
use crate::error::Error;
use crate::open::Ledger;
use crate::publish::{Prepared, Publication, PublishOutcome, store};
use crate::row::{Database, column, counted, sha256};
use crate::writer::{Operation, Writing};

/// Rows of one transaction: many make its sync cheap, few let others write in between.
const CHUNK: usize = 5_000;
/// Rows written by one statement.
const ROWS: usize = 100;

/// What became of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Versions stored.
    pub created: u64,
    /// Versions that were there with the same content.
    pub same: u64,
    /// Versions that were there with other content, or withdrawn; they stay as they are.
    pub kept: u64,
    /// The sequence of the last change.
    pub seq: u64,
}

struct Import {
    publications: Vec<Prepared>,
}

impl Operation for Import {
    type Answer = Imported;

    async fn run(self, writing: &mut Writing) -> Result<Imported, Error> {
        let mut imported = Imported::default();
        let mut asked = HashSet::new();
        for publication in &self.publications {
            let given = &publication.given;
            if asked.insert((given.actor.account.clone(), given.identifier.namespace())) {
                account::require_publisher(writing, &given.actor, &given.identifier).await?;
            }
        }
        let (new, known) = split(writing, self.publications).await?;
        for rows in new.chunks(ROWS) {
            imported.seq = insert(writing, rows).await?;
        }
        imported.created = new.len() as u64;
        for publication in &known {
            match store(writing, publication).await? {
                PublishOutcome::Created { seq } => {
                    imported.created += 1;
                    imported.seq = seq;
                }
                PublishOutcome::Same { .. } => imported.same += 1,
                PublishOutcome::Conflict { .. } | PublishOutcome::Withdrawn { .. } => imported.kept += 1,
            }
        }
        if imported.created > 0
            && let Some(first) = new.first().or(known.first())
        {
            // One change, one entry: its hash stands for every row of this transaction.
            let hashes: Vec<&str> = new.iter().chain(&known).map(|row| row.content_hash.as_str()).collect();
            let after = sha256(hashes.concat().as_bytes());
            let subject = format!("{} versions from {}", imported.created, first.given.source);
            let account = first.given.actor.account.as_str();
            writing.audit(account, "records.import", &subject, (None, Some(&after)), &first.given.request);
        }
        Ok(imported)
    }
}

/// Parts those whose record is not there yet and is named once from the others, which need a look each.
async fn split(writing: &mut Writing, publications: Vec<Prepared>) -> Result<(Vec<Prepared>, Vec<Prepared>), Error> {
    let mut seen: HashMap<(String, String), bool> = HashMap::new();
    for keys in publications.chunks(500) {
        let mut query =
            QueryBuilder::<Database>::new("SELECT zone, identifier FROM record WHERE (zone, identifier) IN (");
        query.push_values(keys, |mut row, key| {
            row.push_bind(key.given.zone.as_str()).push_bind(key.given.identifier.as_str());
        });
        query.push(")");
        for row in query.build().fetch_all(writing.connection()).await? {
            seen.insert((column(&row, "zone")?, column(&row, "identifier")?), true);
        }
    }
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for publication in publications {
        let key = (publication.given.zone.to_string(), publication.given.identifier.to_string());
        if seen.insert(key, true).is_none() { new.push(publication) } else { known.push(publication) }
    }
    Ok((new, known))
}

/// Writes new records, few statements for many rows; returns the last sequence.
async fn insert(writing: &mut Writing, publications: &[Prepared]) -> Result<u64, Error> {
    let now = writing.now;
    let rows: Vec<_> = publications
        .iter()
        .map(|row| {
            let record = writing.next_record();
            (row, record, writing.next_revision(), writing.change(record, row.given.version.as_str(), "published"))
        })
        .collect();
    let mut query = QueryBuilder::<Database>::new(
        "INSERT INTO record (id, zone, identifier, kind, state, version, revision, seq, created, modified) ",
    );
    query.push_values(&rows, |mut values, (row, record, revision, seq)| {
        let given = &row.given;
        values.push_bind(*record).push_bind(given.zone.as_str()).push_bind(given.identifier.as_str());
        values.push_bind(given.kind.as_str()).push("'published'").push_bind(given.version.as_str());
        values.push_bind(*revision).push_bind(*seq).push_bind(now).push_bind(now);
    });
    query.build().execute(writing.connection()).await?;
    let mut query = QueryBuilder::<Database>::new(
        "INSERT INTO revision (id, record, source, version, document, content_hash, account, seq, at) ",
    );
    query.push_values(&rows, |mut values, (row, record, revision, seq)| {
        let given = &row.given;
        values.push_bind(*revision).push_bind(*record).push_bind(given.source.as_str());
        values.push_bind(given.version.as_str()).push_bind(given.document.as_str());
        values
            .push_bind(row.content_hash.as_str())
            .push_bind(given.actor.account.as_str())
            .push_bind(*seq)
            .push_bind(now);
    });
    query.build().execute(writing.connection()).await?;
    let mut query = QueryBuilder::<Database>::new(
        "INSERT INTO version (record, version, state, revision, content_hash, source, publisher, seq, published, changed) ",
    );
    query.push_values(&rows, |mut values, (row, record, revision, seq)| {
        let given = &row.given;
        values.push_bind(*record).push_bind(given.version.as_str()).push("'published'").push_bind(*revision);
        values.push_bind(row.content_hash.as_str()).push_bind(given.source.as_str());
        values.push_bind(given.actor.account.as_str()).push_bind(*seq).push_bind(now).push_bind(now);
    });
    query.build().execute(writing.connection()).await?;
    Ok(rows.last().map_or(0, |(.., seq)| counted(*seq)))
}

impl Ledger {
    /// Publishes many records without packages, in transactions of up to 5,000; each transaction whole or not at all.
    ///
    /// What holds for [`Ledger::publish`] holds for every one of them; the audit trail gets one entry a transaction.
    pub async fn import(&self, publications: Vec<Publication>) -> Result<Imported, Error> {
        let mut total = Imported::default();
        let mut publications = publications.into_iter().peekable();
        while publications.peek().is_some() {
            let mut chunk = Vec::with_capacity(CHUNK.min(publications.len()));
            for given in publications.by_ref().take(CHUNK) {
                if given.package.is_some() {
                    return Err(Error::Refused(format!("`{}` has a package: it must be published", given.identifier)));
                }
                let content_hash = sha256(given.document.as_bytes());
                chunk.push(Prepared { given, content_hash, package: None });
            }
            let imported = self.write(Import { publications: chunk }).await?;
            total.created += imported.created;
            total.same += imported.same;
            total.kept += imported.kept;
            total.seq = total.seq.max(imported.seq);
        }
        Ok(total)
    }
}
