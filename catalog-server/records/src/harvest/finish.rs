//! How a run's reading ends: what is gone is worked out, what may only be hidden is kept, and the guard looks.

use catalog_schemas::harvest::{RunFinding, RunReason, RunView, Unmatched};
use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;

use super::run::{Lease, RunState, clear, held, now_text, report, save};
use crate::error::Error;
use crate::names::AccountName;
use crate::notice::{self, Note};
use crate::open::Ledger;
use crate::row::{Database, column, stored};
use crate::writer::{Operation, Writing};

/// How a run's reading ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finished {
    /// The report so far; its counts of removals are the ledger's to fill in.
    pub report: RunView,
    /// Whether what was not said is gone.
    pub removes: bool,
    /// Whether the source was read as a list, if not to its end, and not only asked for what changed.
    pub lists: bool,
    /// Whether a source that lists nothing at all any more waits for approval however little it had.
    pub holds_empty: bool,
    /// The most that may go without approval, in thousandths of what the source said; never fewer than ten records.
    pub fraction: u32,
    /// Where an incremental source stands now.
    pub cursor: Option<String>,
    /// What may hide records: what may have stood there stays.
    pub unreadable: Vec<Hidden>,
}

/// Something that could not be read and of which not even the key is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// What it is known by in the next run.
    pub fingerprint: String,
    /// The file that it stands in; nothing where records move from page to page.
    pub part: Option<String>,
}

/// What became of a run whose reading ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RunOutcome {
    /// It may be applied.
    Ready(RunView),
    /// It waits for approval, or was dry: there is nothing to do.
    Over(RunView),
}

/// Findings kept of a run; what comes after is counted only.
const FINDINGS: usize = 2_000;
/// Differences kept of a run, of each kind.
const DIFFERENCES: i64 = 200;

struct Finish {
    lease: Lease,
    finished: Finished,
    findings: Vec<RunFinding>,
    unmatched: Vec<Unmatched>,
}

impl Operation for Finish {
    type Answer = RunOutcome;

    async fn run(self, writing: &mut Writing) -> Result<RunOutcome, Error> {
        let before = held(writing, &self.lease).await?;
        let Finished { mut report, removes, lists, holds_empty, fraction, cursor, unreadable } = self.finished;
        report.started = before.started;
        let (source, run) = (self.lease.source.as_str(), stored(self.lease.run));
        keep_findings(writing, source, run, &self.findings, &self.unmatched).await?;
        // Kept beside what is staged: a held run brings it along.
        sqlx::query("UPDATE harvest_run SET cursor = $3 WHERE source = $1 AND number = $2")
            .bind(source)
            .bind(run)
            .bind(cursor)
            .execute(writing.connection().await?)
            .await?;
        close_gaps(writing, source, run).await?;
        if lists {
            protect(writing, source, run, &unreadable, removes).await?;
        }
        let counts = count(writing, source, run, removes).await?;
        report.removed = counts.removed;
        report.unmatched = self.unmatched.len() as u64;
        let mut diff = report.diff.take().unwrap_or_default();
        (diff.removed, diff.cut) =
            (removed(writing, source, run).await?, diff.cut || counts.removed > DIFFERENCES as u64);
        report.diff = Some(diff);
        if !report.dry_run {
            supersede(writing, source, run).await?;
        }
        report.stage = Some("applying".to_owned());
        report.state = RunState::Running.as_str().to_owned();
        let allowed = (counts.said * u64::from(fraction) / 1000).max(10);
        if let Some(reason) = guard(&counts, removes && holds_empty, allowed) {
            if !report.dry_run {
                tell_moderators(writing, source, self.lease.run, &reason.message).await?;
            }
            report.reason = Some(reason);
            if !report.dry_run {
                report.state = RunState::Held.as_str().to_owned();
                report.stage = None;
                report.ended = Some(now_text(writing)?);
                save(writing, &report, None).await?;
                return Ok(RunOutcome::Over(report));
            }
        }
        if report.dry_run {
            report.state = RunState::Completed.as_str().to_owned();
            report.stage = None;
            report.ended = Some(now_text(writing)?);
            save(writing, &report, None).await?;
            clear(writing, source, self.lease.run).await?;
            return Ok(RunOutcome::Over(report));
        }
        save(writing, &report, Some(&self.lease.token)).await?;
        Ok(RunOutcome::Ready(report))
    }
}

/// Tells everybody who moderates that a run waits for them; what was told of an earlier run of the source is past.
async fn tell_moderators(writing: &mut Writing, source: &str, run: u64, message: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM notice WHERE what = $1 AND identifier = $2")
        .bind(notice::HELD)
        .bind(source)
        .execute(writing.connection().await?)
        .await?;
    let (platform, run) = (AccountName::application(), run.to_string());
    let key = ("", source, run.as_str());
    let note = Note {
        recipient: notice::MODERATORS,
        what: notice::HELD,
        key,
        message: Some(message),
        account: platform.as_str(),
    };
    notice::write(writing, note).await
}

/// Keeps what may be hidden behind what could not be read: an error never deletes.
///
/// A fault hides a record only if it is as new as the record's absence: one that was there when the record was last seen
/// hides something else. What a run that is not complete did not see is noted as absent as well.
async fn protect(
    writing: &mut Writing,
    source: &str,
    run: i64,
    unreadable: &[Hidden],
    removes: bool,
) -> Result<(), Error> {
    for hidden in unreadable {
        sqlx::query(
            "INSERT INTO staged_fault (source, run, fingerprint, part, first) VALUES ($1, $2, $3, $4, \
             COALESCE((SELECT first FROM harvest_fault WHERE source = $1 AND fingerprint = $3), $2)) ON CONFLICT DO NOTHING",
        )
        .bind(source)
        .bind(run)
        .bind(hidden.fingerprint.as_str())
        .bind(hidden.part.as_deref())
        .execute(writing.connection().await?)
        .await?;
    }
    if removes {
        // Faults that are mended are to be forgotten.
        sqlx::query(
            "INSERT INTO staged_fault (source, run, fingerprint) SELECT source, $2, fingerprint FROM harvest_fault \
             WHERE source = $1 ON CONFLICT DO NOTHING",
        )
        .bind(source)
        .bind(run)
        .execute(writing.connection().await?)
        .await?;
        if unreadable.is_empty() {
            return Ok(());
        }
    }
    let hides = if removes {
        "EXISTS (SELECT 1 FROM staged_fault f WHERE f.source = $1 AND f.run = $2 AND f.first IS NOT NULL \
         AND (f.part IS NULL OR f.part = s.part) AND f.first >= COALESCE(s.missing, $2))"
    } else {
        "TRUE"
    };
    let statement = format!(
        "INSERT INTO staged (source, run, number, what, key, kind, said) \
         SELECT s.source, $2, b.number + ROW_NUMBER() OVER (ORDER BY s.id), 'kept', s.key, s.kind, s.id FROM said s, \
         (SELECT COALESCE(MAX(number), 0) AS number FROM staged WHERE source = $1 AND run = $2) b \
         WHERE s.source = $1 AND s.gone IS NULL AND NOT EXISTS (SELECT 1 FROM staged t \
         WHERE t.source = s.source AND t.run = $2 AND t.key = s.key AND (t.kind = s.kind OR t.kind = '')) AND {hides}"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement)).bind(source).bind(run).execute(writing.connection().await?).await?;
    Ok(())
}

/// Numbers changes anew when some were taken back: the change log counts without a gap.
async fn close_gaps(writing: &mut Writing, source: &str, run: i64) -> Result<(), Error> {
    sqlx::query(
        "UPDATE staged SET change = o.place FROM (SELECT number, ROW_NUMBER() OVER (ORDER BY change) AS place FROM staged \
         WHERE source = $1 AND run = $2 AND change IS NOT NULL) o WHERE staged.source = $1 AND staged.run = $2 \
         AND staged.number = o.number AND staged.change <> o.place \
         AND (SELECT MAX(change) > COUNT(change) FROM staged WHERE source = $1 AND run = $2)",
    )
    .bind(source)
    .bind(run)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

/// Ends older runs that wait for approval: a newer one has read the source since.
async fn supersede(writing: &mut Writing, source: &str, run: i64) -> Result<(), Error> {
    let rows =
        sqlx::query("SELECT state, report FROM harvest_run WHERE source = $1 AND number < $2 AND state = 'held'")
            .bind(source)
            .bind(run)
            .fetch_all(writing.connection().await?)
            .await?;
    for row in &rows {
        let mut view = report(row)?;
        view.state = RunState::Failed.as_str().to_owned();
        let message = format!("run {run} has read the source again since");
        view.reason = Some(RunReason { code: "run.superseded".to_owned(), message, fix: None });
        save(writing, &view, None).await?;
        clear(writing, source, view.number).await?;
    }
    Ok(())
}

async fn keep_findings(
    writing: &mut Writing,
    source: &str,
    run: i64,
    findings: &[RunFinding],
    unmatched: &[Unmatched],
) -> Result<(), Error> {
    let findings = &findings[..findings.len().min(FINDINGS)];
    for (piece, chunk) in findings.chunks(100).enumerate() {
        let mut query =
            QueryBuilder::<Database>::new("INSERT INTO harvest_finding (source, run, number, severe, document) ");
        query.push_values(chunk.iter().enumerate(), |mut row, (at, finding)| {
            let text = serde_json::to_string(finding).unwrap_or_default();
            row.push_bind(source).push_bind(run).push_bind((piece * 100 + at) as i64);
            row.push_bind(i64::from(finding.quarantined)).push_bind(text);
        });
        query.build().execute(writing.connection().await?).await?;
    }
    for chunk in unmatched.chunks(100) {
        let mut query =
            QueryBuilder::<Database>::new("INSERT INTO harvest_unmatched (source, run, term, value, count) ");
        query.push_values(chunk, |mut row, word| {
            row.push_bind(source).push_bind(run).push_bind(word.term.as_str()).push_bind(word.value.as_str());
            row.push_bind(stored(word.count));
        });
        query.push(" ON CONFLICT (source, run, term, value) DO UPDATE SET count = count + excluded.count");
        query.build().execute(writing.connection().await?).await?;
    }
    Ok(())
}

struct Counts {
    said: u64,
    removed: u64,
    /// What the run saw of the source, valid or not.
    seen: u64,
}

/// What to do about a run that waits.
const APPROVE: &str = "Look at what it would remove, and approve the run if that is right; a later run of the mended source takes its place.";

/// Says why a run must wait for somebody to approve it.
fn guard(counts: &Counts, holds_empty: bool, allowed: u64) -> Option<RunReason> {
    let Counts { said, removed, seen } = *counts;
    if removed > allowed {
        let message = format!(
            "it would remove {removed} of {said} records, more than the {allowed} that may go without approval"
        );
        return Some(RunReason { code: "guard.mass_removal".to_owned(), message, fix: Some(APPROVE.to_owned()) });
    }
    // An empty answer is more often an accident than the truth, however few records there were.
    (holds_empty && seen == 0 && removed > 0).then(|| RunReason {
        code: "guard.nothing_left".to_owned(),
        message: format!("the source lists nothing any more, which would remove all of its {removed} records"),
        fix: Some(APPROVE.to_owned()),
    })
}

/// Adds to what is staged everything that the source said before and does not say now, and counts.
async fn count(writing: &mut Writing, source: &str, run: i64, removes: bool) -> Result<Counts, Error> {
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    let said: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM said WHERE source = $1 AND gone IS NULL")
        .bind(source)
        .fetch_one(writing.connection().await?)
        .await?;
    if removes {
        sqlx::query(
            "INSERT INTO staged (source, run, number, what, key, kind, change, said, record, main, reason) \
             SELECT s.source, $2, b.number + ROW_NUMBER() OVER (ORDER BY s.id), 'gone', s.key, s.kind, \
             b.change + ROW_NUMBER() OVER (ORDER BY s.id), s.id, s.record, \
             EXISTS (SELECT 1 FROM record r JOIN revision v ON v.id = r.revision WHERE r.id = s.record AND v.source = s.source), \
             'the source does not list it any more' FROM said s, \
             (SELECT COALESCE(MAX(number), 0) AS number, COALESCE(MAX(change), 0) AS change FROM staged WHERE source = $1 AND run = $2) b \
             WHERE s.source = $1 AND s.gone IS NULL AND NOT EXISTS (SELECT 1 FROM staged t \
             WHERE t.source = s.source AND t.run = $2 AND t.key = s.key AND (t.kind = s.kind OR t.kind = ''))",
        )
        .bind(source)
        .bind(run)
        .execute(writing.connection().await?)
        .await?;
    }
    let removed: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM staged WHERE source = $1 AND run = $2 AND what = 'gone'")
            .bind(source)
            .bind(run)
            .fetch_one(writing.connection().await?)
            .await?;
    let all: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM staged WHERE source = $1 AND run = $2")
        .bind(source)
        .bind(run)
        .fetch_one(writing.connection().await?)
        .await?;
    Ok(Counts { said: number(said), removed: number(removed), seen: number(all - removed) })
}

async fn removed(
    writing: &mut Writing,
    source: &str,
    run: i64,
) -> Result<Vec<catalog_schemas::harvest::DiffRecord>, Error> {
    let rows = sqlx::query(
        "SELECT t.key, t.kind, r.zone, r.identifier, COALESCE(r.merged, v.document) AS document FROM staged t \
         JOIN record r ON r.id = t.record JOIN revision v ON v.id = r.revision \
         WHERE t.source = $1 AND t.run = $2 AND t.what = 'gone' ORDER BY t.number LIMIT $3",
    )
    .bind(source)
    .bind(run)
    .bind(DIFFERENCES)
    .fetch_all(writing.connection().await?)
    .await?;
    rows.iter()
        .map(|row| {
            let document: Option<&str> = column(row, "document")?;
            Ok(catalog_schemas::harvest::DiffRecord {
                key: column(row, "key")?,
                zone: column(row, "zone")?,
                identifier: column(row, "identifier")?,
                kind: column(row, "kind")?,
                name: document.map(name_in).unwrap_or_default(),
                fields: Vec::new(),
            })
        })
        .collect()
}

/// Returns a name out of a document, for a person who reads a list.
pub(crate) fn name_in(document: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(document).unwrap_or_default();
    let name = document.get("name").or_else(|| document.get("title"));
    let text = name.and_then(|name| {
        name.as_str().or_else(|| name.get("en")?.as_str()).or_else(|| name.as_object()?.values().next()?.as_str())
    });
    text.unwrap_or_default().chars().take(200).collect()
}

impl Ledger {
    /// Ends the reading of a run: what the source does not say any more is added to what is staged, and the guard looks.
    pub async fn run_finish(
        &self,
        lease: &Lease,
        finished: Finished,
        findings: Vec<RunFinding>,
        unmatched: Vec<Unmatched>,
    ) -> Result<RunOutcome, Error> {
        self.write(Finish { lease: lease.clone(), finished, findings, unmatched }).await
    }
}
