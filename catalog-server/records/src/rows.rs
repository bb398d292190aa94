//! Rows of new records, gathered over a group and written by few statements.

use sqlx::QueryBuilder;

use crate::audit::Entry;
use crate::publish::Prepared;
use crate::row::Database;

/// A line of the change log that is not yet written.
pub(crate) struct ChangeRow {
    pub(crate) seq: i64,
    pub(crate) record: i64,
    pub(crate) version: String,
    pub(crate) what: &'static str,
}

/// A new record with its first version that is not yet written.
pub(crate) struct NewRow {
    pub(crate) record: i64,
    pub(crate) revision: i64,
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) given: Prepared,
}

/// Statements that reach the database together.
///
/// SQLite runs them in one call, which saves a change of threads for each. A dialect that takes one statement a call
/// sends them one by one here and nowhere else.
pub(crate) struct Script {
    pub(crate) query: QueryBuilder<Database>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self { query: QueryBuilder::new("") }
    }

    /// Adds a statement without values.
    pub(crate) fn push(&mut self, statement: &str) {
        self.query.push(statement).push("; ");
    }

    /// Adds what writes new records: their blobs first, as foreign keys are checked at once.
    pub(crate) fn push_records(&mut self, rows: &[NewRow]) {
        if rows.is_empty() {
            return;
        }
        self.push_blobs(rows);
        let query = &mut self.query;
        query
            .push("INSERT INTO record (id, zone, identifier, kind, state, version, revision, seq, created, modified) ");
        query.push_values(rows, |mut values, row| {
            let given = &row.given.given;
            values.push_bind(row.record).push_bind(given.zone.as_str()).push_bind(given.identifier.as_str());
            values.push_bind(given.kind.as_str()).push_bind(given.standing.state.as_str());
            values.push_bind(given.version.as_str());
            values.push_bind(row.revision).push_bind(row.seq).push_bind(row.at).push_bind(row.at);
        });
        query.push("; ");
        self.push_sayings(rows);
    }

    /// Adds what writes new versions of records that are there.
    pub(crate) fn push_versions(&mut self, rows: &[NewRow]) {
        self.push_blobs(rows);
        self.push_sayings(rows);
    }

    /// Adds what writes the new content of a draft that is there.
    pub(crate) fn push_draft(&mut self, row: &NewRow) {
        self.push_blobs(std::slice::from_ref(row));
        self.push_revisions(std::slice::from_ref(row));
    }

    fn push_blobs(&mut self, rows: &[NewRow]) {
        let query = &mut self.query;
        let packages: Vec<_> = rows.iter().filter_map(|row| Some((row.at, row.given.package.as_ref()?))).collect();
        if !packages.is_empty() {
            query.push("INSERT INTO blob (digest, size, content, created) ");
            query.push_values(packages, |mut values, (at, blob)| {
                values
                    .push_bind(blob.digest.as_str())
                    .push_bind(blob.size)
                    .push_bind(blob.content.as_deref())
                    .push_bind(at);
            });
            query.push(" ON CONFLICT (digest) DO NOTHING; ");
        }
    }

    fn push_revisions(&mut self, rows: &[NewRow]) {
        let query = &mut self.query;
        query.push("INSERT INTO revision (id, record, source, version, document, content_hash, account, seq, at) ");
        query.push_values(rows, |mut values, row| {
            let given = &row.given.given;
            values.push_bind(row.revision).push_bind(row.record).push_bind(given.source.as_str());
            values.push_bind(given.version.as_str()).push_bind(given.document.as_str());
            values.push_bind(row.given.content_hash.as_str()).push_bind(given.actor.account.as_str());
            values.push_bind(row.seq).push_bind(row.at);
        });
        query.push("; ");
    }

    fn push_sayings(&mut self, rows: &[NewRow]) {
        self.push_revisions(rows);
        let query = &mut self.query;
        query.push(
            "INSERT INTO version (record, version, state, revision, content_hash, digest, file_name, source, publisher, \
             seq, published, changed, signature, acknowledged) ",
        );
        query.push_values(rows, |mut values, row| {
            let given = &row.given.given;
            let file_name = given.package.as_ref().and_then(|package| package.file_name.as_deref());
            values.push_bind(row.record).push_bind(given.version.as_str()).push_bind(given.standing.state.as_str());
            values.push_bind(row.revision);
            values.push_bind(row.given.content_hash.as_str());
            values.push_bind(row.given.package.as_ref().map(|package| package.digest.as_str())).push_bind(file_name);
            values.push_bind(given.source.as_str()).push_bind(given.actor.account.as_str());
            values.push_bind(row.seq).push_bind(row.at).push_bind(row.at);
            values.push_bind(given.standing.signature.as_deref()).push_bind(given.standing.acknowledged());
        });
        query.push("; ");
    }

    /// Adds lines to the change log.
    pub(crate) fn push_changes(&mut self, changes: &[ChangeRow], now: i64) {
        if changes.is_empty() {
            return;
        }
        self.query.push("INSERT INTO change_log (seq, record, version, what, at) ");
        self.query.push_values(changes, |mut row, change| {
            row.push_bind(change.seq).push_bind(change.record).push_bind(change.version.as_str());
            row.push_bind(change.what).push_bind(now);
        });
        self.query.push("; ");
    }

    /// Adds lines to the audit trail.
    pub(crate) fn push_entries(&mut self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        self.query.push(
            "INSERT INTO audit (number, at, account, action, subject, before, after, request, behalf, credential, address, hash) ",
        );
        self.query.push_values(entries, |mut row, entry| {
            row.push_bind(entry.number).push_bind(entry.at).push_bind(entry.account.as_str()).push_bind(entry.action);
            row.push_bind(entry.subject.as_str()).push_bind(entry.before.as_deref()).push_bind(entry.after.as_deref());
            row.push_bind(entry.request.as_str()).push_bind(entry.origin.behalf.as_deref());
            row.push_bind(entry.origin.credential.as_deref()).push_bind(entry.origin.address.as_deref());
            row.push_bind(entry.hash.as_str());
        });
        self.query.push("; ");
    }
}
