//! The one transaction that makes a run true: set by set, so that its cost is the database's and not ours.

use catalog_schemas::harvest::RunView;

use super::run::{Lease, RunState, held, save};
use super::sayings::remerge;
use crate::error::Error;
use crate::open::Ledger;
use crate::row::{moment, stored};
use crate::writer::{Operation, Writing};

struct Apply {
    lease: Lease,
    /// Whether a source's older versions are versions still; of most sources only the newest is known.
    keeps_versions: bool,
    next: Option<i64>,
}

/// Where the numbers of a run begin in the ledger.
pub(super) struct Base {
    pub(super) source: String,
    pub(super) run: i64,
    record: i64,
    revision: i64,
    seq: i64,
    now: i64,
}

impl Operation for Apply {
    type Answer = RunView;

    async fn run(self, writing: &mut Writing) -> Result<RunView, Error> {
        let mut view = held(writing, &self.lease).await?;
        let (source, run) = (self.lease.source.clone(), stored(self.lease.run));
        let (fresh, changes): (i64, i64) = sqlx::query_as(
            "SELECT COALESCE(MAX(fresh), 0), COALESCE(MAX(change), 0) FROM staged WHERE source = $1 AND run = $2",
        )
        .bind(source.as_str())
        .bind(run)
        .fetch_one(writing.connection().await?)
        .await?;
        let (record, revision, seq) = writing.reserve(fresh, changes);
        let base = Base { source, run, record, revision, seq, now: writing.now };
        if changes > 0 {
            bring(writing, &base, self.keeps_versions).await?;
            take_away(writing, &base).await?;
            log(writing, &base).await?;
            identify(writing, &base).await?;
            merge_shared(writing, &base).await?;
            super::rename::propose(writing, &base).await?;
        }
        note_absence(writing, &base).await?;
        settle_source(writing, &base, self.next, view.complete).await?;
        view.state = RunState::Completed.as_str().to_owned();
        view.stage = None;
        view.ended = Some(moment(writing.now, "now")?.to_string());
        save(writing, &view, None).await?;
        let subject =
            format!("{}/{run}: {} added, {} changed, {} removed", base.source, view.added, view.changed, view.removed);
        writing.audit("alidade", "source.apply", &subject, (None, None), &format!("{}/{run}", base.source));
        Ok(view)
    }
}

/// Runs a statement whose first values are source, run, and where records, revisions and sequences begin, and the time.
async fn run(writing: &mut Writing, base: &Base, statement: &'static str) -> Result<u64, Error> {
    Ok(sqlx::query(statement)
        .bind(base.source.as_str())
        .bind(base.run)
        .bind(base.record)
        .bind(base.revision)
        .bind(base.seq)
        .bind(base.now)
        .execute(writing.connection().await?)
        .await?
        .rows_affected())
}

/// Writes new and changed records.
async fn bring(writing: &mut Writing, base: &Base, keeps_versions: bool) -> Result<(), Error> {
    for statement in [
        "INSERT INTO record (id, zone, identifier, kind, state, version, revision, seq, created, modified) \
         SELECT $3 + fresh, zone, identifier, kind, COALESCE(state, 'published'), version, $4 + change, $5 + change, $6, $6 \
         FROM staged WHERE source = $1 AND run = $2 AND what = 'new' ORDER BY number",
        "INSERT INTO revision (id, record, source, version, document, content_hash, account, seq, at) \
         SELECT $4 + change, COALESCE(record, $3 + fresh), source, version, document, content_hash, 'alidade', $5 + change, $6 \
         FROM staged WHERE source = $1 AND run = $2 AND what IN ('new', 'joined', 'changed') ORDER BY number",
        "INSERT INTO version (record, version, state, revision, content_hash, source, publisher, seq, published, changed) \
         SELECT COALESCE(record, $3 + fresh), version, COALESCE(state, 'published'), $4 + change, content_hash, source, 'alidade', \
         $5 + change, $6, $6 FROM staged WHERE source = $1 AND run = $2 AND (what = 'new' OR what = 'changed' AND main = 1) \
         ORDER BY number ON CONFLICT (record, version) DO UPDATE SET state = excluded.state, revision = excluded.revision, \
         content_hash = excluded.content_hash, seq = excluded.seq, changed = excluded.changed, reason = NULL",
    ] {
        run(writing, base, statement).await?;
    }
    if !keeps_versions {
        // What the source calls by another version now is still there to read, and no longer what one should use.
        run(
            writing,
            base,
            "UPDATE version SET state = 'deprecated', seq = seq + 0 * ($3 + $4 + $5), changed = $6 WHERE state = 'published' \
             AND source = $1 AND EXISTS (SELECT 1 FROM staged t WHERE t.source = $1 AND t.run = $2 AND t.what = 'changed' \
             AND t.main = 1 AND t.record = version.record AND t.version <> version.version) \
             AND record IN (SELECT record FROM staged WHERE source = $1 AND run = $2 AND what = 'changed' AND main = 1)",
        )
        .await?;
    }
    for statement in [
        "UPDATE record SET state = COALESCE(t.state, 'published'), version = t.version, revision = $4 + t.change, \
         seq = $5 + t.change, modified = $6 + 0 * $3 FROM staged t \
         WHERE t.source = $1 AND t.run = $2 AND t.what = 'changed' AND t.main = 1 AND record.id = t.record",
        "UPDATE record SET seq = $5 + t.change, modified = $6 + 0 * ($3 + $4) FROM staged t \
         WHERE t.source = $1 AND t.run = $2 AND (t.what = 'joined' OR t.what = 'changed' AND t.main = 0) AND record.id = t.record",
        "INSERT INTO said (source, key, kind, record, revision, given_hash, content_hash, part, run, first_seen, modified) \
         SELECT source, key, kind, COALESCE(record, $3 + fresh), $4 + change, given_hash, content_hash, part, run, $6, $6 + 0 * $5 \
         FROM staged WHERE source = $1 AND run = $2 AND what IN ('new', 'joined') ORDER BY number",
        "UPDATE said SET revision = $4 + t.change, given_hash = t.given_hash, content_hash = t.content_hash, part = t.part, \
         run = t.run, modified = $6 + 0 * ($3 + $5), gone = NULL FROM staged t \
         WHERE t.source = $1 AND t.run = $2 AND t.what = 'changed' AND said.id = t.said",
    ] {
        run(writing, base, statement).await?;
    }
    Ok(())
}

/// Turns what is gone into tombstones; a record that others speak of too stays.
async fn take_away(writing: &mut Writing, base: &Base) -> Result<(), Error> {
    for statement in [
        "UPDATE said SET gone = $6 + 0 * ($3 + $4 + $5) FROM staged t \
         WHERE t.source = $1 AND t.run = $2 AND t.what = 'gone' AND said.id = t.said",
        "INSERT INTO revision (id, record, source, version, content_hash, retracted, account, seq, at) \
         SELECT $4 + t.change, t.record, t.source, v.version, '', 1, 'alidade', $5 + t.change, $6 + 0 * $3 \
         FROM staged t JOIN said s ON s.id = t.said JOIN revision v ON v.id = s.revision \
         WHERE t.source = $1 AND t.run = $2 AND t.what = 'gone' ORDER BY t.number",
        "UPDATE version SET state = 'withdrawn', seq = $5 + t.change, changed = $6 + 0 * ($3 + $4), reason = t.reason FROM staged t \
         JOIN record r ON r.id = t.record WHERE t.source = $1 AND t.run = $2 AND t.what = 'gone' AND t.main = 1 \
         AND NOT EXISTS (SELECT 1 FROM said o WHERE o.record = t.record AND o.gone IS NULL) \
         AND version.record = t.record AND version.state <> 'withdrawn'",
        "UPDATE record SET state = CASE WHEN t.main = 1 AND NOT EXISTS (SELECT 1 FROM said o \
         WHERE o.record = t.record AND o.gone IS NULL) THEN 'withdrawn' ELSE record.state END, \
         seq = $5 + t.change, modified = $6 + 0 * ($3 + $4) FROM staged t \
         WHERE t.source = $1 AND t.run = $2 AND t.what = 'gone' AND record.id = t.record",
    ] {
        run(writing, base, statement).await?;
    }
    Ok(())
}

async fn log(writing: &mut Writing, base: &Base) -> Result<(), Error> {
    run(
        writing,
        base,
        "INSERT INTO change_log (seq, record, version, what, at) \
         SELECT $5 + t.change, r.id, r.version, CASE WHEN r.state = 'withdrawn' THEN 'withdrawn' ELSE 'published' END, $6 + 0 * $4 \
         FROM staged t JOIN record r ON r.id = COALESCE(t.record, $3 + t.fresh) \
         WHERE t.source = $1 AND t.run = $2 AND t.change IS NOT NULL ORDER BY t.change",
    )
    .await?;
    Ok(())
}

/// Notes identifiers that mean the same everywhere.
async fn identify(writing: &mut Writing, base: &Base) -> Result<(), Error> {
    for statement in [
        "DELETE FROM global_identifier WHERE source = $1 AND record IN (SELECT record FROM staged \
         WHERE source = $1 AND run = $2 AND what IN ('changed', 'gone')) AND $3 + $4 + $5 + $6 IS NOT NULL",
        "INSERT INTO global_identifier (identifier, record, source) \
         SELECT DISTINCT i.identifier, COALESCE(t.record, $3 + t.fresh), t.source FROM staged_identifier i \
         JOIN staged t ON t.source = i.source AND t.run = i.run AND t.number = i.number \
         WHERE i.source = $1 AND i.run = $2 AND t.what IN ('new', 'joined', 'changed') AND $4 + $5 + $6 IS NOT NULL \
         ON CONFLICT DO NOTHING",
    ] {
        run(writing, base, statement).await?;
    }
    Ok(())
}

/// Merges the records of which more than this source speaks, one by one: they are few.
async fn merge_shared(writing: &mut Writing, base: &Base) -> Result<(), Error> {
    let records: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT t.record FROM staged t JOIN record r ON r.id = t.record WHERE t.source = $1 AND t.run = $2 \
         AND t.change IS NOT NULL AND (t.what = 'joined' OR r.also IS NOT NULL OR r.merged IS NOT NULL \
         OR t.what = 'gone' AND r.state <> 'withdrawn')",
    )
    .bind(base.source.as_str())
    .bind(base.run)
    .fetch_all(writing.connection().await?)
    .await?;
    for record in records {
        remerge(writing, record).await?;
    }
    Ok(())
}

/// Notes what was not seen and may be hidden, what is seen again, and where it stands now; none of it is a change.
async fn note_absence(writing: &mut Writing, base: &Base) -> Result<(), Error> {
    for statement in [
        "UPDATE said SET missing = $2 FROM staged t WHERE t.source = $1 AND t.run = $2 AND t.what = 'kept' \
         AND t.said IS NOT NULL AND said.id = t.said AND said.missing IS NULL",
        "UPDATE said SET missing = NULL FROM staged t WHERE said.source = $1 AND said.missing IS NOT NULL \
         AND t.source = $1 AND t.run = $2 AND t.what IN ('same', 'changed') AND said.id = t.said",
        "UPDATE said SET part = t.part FROM staged t WHERE t.source = $1 AND t.run = $2 AND t.what = 'same' \
         AND said.id = t.said AND said.part <> t.part",
        "DELETE FROM harvest_fault WHERE source = $1 AND fingerprint IN \
         (SELECT fingerprint FROM staged_fault WHERE source = $1 AND run = $2 AND first IS NULL)",
        "INSERT INTO harvest_fault (source, fingerprint, part, first) SELECT source, fingerprint, part, first \
         FROM staged_fault WHERE source = $1 AND run = $2 AND first IS NOT NULL ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(statement).bind(base.source.as_str()).bind(base.run).execute(writing.connection().await?).await?;
    }
    Ok(())
}

async fn settle_source(writing: &mut Writing, base: &Base, next: Option<i64>, complete: bool) -> Result<(), Error> {
    // A run that did not come to its end leaves the source as it is due after a failure.
    sqlx::query(
        "UPDATE source SET cursor = COALESCE((SELECT cursor FROM harvest_run WHERE source = $1 AND number = $2), cursor), \
         failures = CASE WHEN $5 THEN 0 ELSE failures + 1 END, \
         last_success = CASE WHEN $5 THEN $3 ELSE last_success END, next_run = $4 WHERE id = $1",
    )
    .bind(base.source.as_str())
    .bind(base.run)
    .bind(base.now)
    .bind(next)
    .bind(complete)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

struct Sweep {
    source: String,
    run: u64,
}

impl Operation for Sweep {
    type Answer = bool;

    async fn run(self, writing: &mut Writing) -> Result<bool, Error> {
        // A little at a time: others write in between.
        let gone = sqlx::query(
            "DELETE FROM staged WHERE source = $1 AND run = $2 AND number IN \
             (SELECT number FROM staged WHERE source = $1 AND run = $2 ORDER BY number LIMIT 20000)",
        )
        .bind(self.source.as_str())
        .bind(stored(self.run))
        .execute(writing.connection().await?)
        .await?
        .rows_affected();
        if gone == 0 {
            super::run::clear(writing, &self.source, self.run).await?;
        }
        Ok(gone > 0)
    }
}

impl Ledger {
    /// Makes a run true, all of it at once; its source runs next when `next` says.
    pub async fn run_apply(
        &self,
        lease: &Lease,
        keeps_versions: bool,
        next: Option<jiff::Timestamp>,
    ) -> Result<RunView, Error> {
        let next = next.map(|next| next.as_millisecond());
        let view = self.write(Apply { lease: lease.clone(), keeps_versions, next }).await?;
        while self.write(Sweep { source: lease.source.clone(), run: lease.run }).await? {}
        Ok(view)
    }
}
