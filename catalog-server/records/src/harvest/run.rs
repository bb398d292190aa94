//! Runs: asked for, taken up under a lease, ended.

use catalog_schemas::harvest::{RunFinding, RunReason, RunView, Unmatched};
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteRow;

use crate::account::Actor;
use crate::error::Error;
use crate::open::Ledger;
use crate::row::{Database, column, moment, stored};
use crate::writer::{Operation, Writing};

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It waits to be taken up.
    Queued,
    /// It reads its source.
    Running,
    /// It ended well; unless it was a dry run, it was applied.
    Completed,
    /// It would remove so much that somebody must approve it.
    Held,
    /// It could not be read or applied.
    Failed,
    /// The process that drove it ended.
    Interrupted,
}

impl RunState {
    /// Returns the word used in JSON and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The right to drive a run: who else holds it by now, its holder finds out with the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The source.
    pub source: String,
    /// The run.
    pub run: u64,
    /// The holder's own word.
    pub token: String,
}

/// How a run's reading ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finished {
    /// The report so far; its counts of removals are the ledger's to fill in.
    pub report: RunView,
    /// Whether what was not said is gone.
    pub removes: bool,
    /// The most that may go without approval, in thousandths of what the source said; never fewer than ten records.
    pub fraction: u32,
    /// Where an incremental source stands now.
    pub cursor: Option<String>,
    /// Files and pages that could not be read: what they said before stays.
    pub unreadable: Vec<String>,
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
/// Findings given with a run.
const SHOWN: i64 = 500;
/// Runs kept of a source.
const RUNS: i64 = 200;
/// Differences kept of a run, of each kind.
const DIFFERENCES: i64 = 200;

pub(crate) fn report(row: &SqliteRow) -> Result<RunView, Error> {
    let mut view: RunView = serde_json::from_str(column(row, "report")?)
        .map_err(|error| Error::Invalid { column: "report", detail: error.to_string() })?;
    view.state = column(row, "state")?;
    Ok(view)
}

pub(crate) async fn save(writing: &mut Writing, view: &RunView, lease: Option<&str>) -> Result<(), Error> {
    let text = serde_json::to_string(view).map_err(|error| Error::Refused(error.to_string()))?;
    let now = writing.now;
    sqlx::query(
        "UPDATE harvest_run SET state = $3, report = $4, lease = $5, heartbeat = $6 WHERE source = $1 AND number = $2",
    )
    .bind(view.source.as_str())
    .bind(stored(view.number))
    .bind(view.state.as_str())
    .bind(text)
    .bind(lease)
    .bind(now)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

/// Reads a run within the transaction.
pub(crate) async fn load(writing: &mut Writing, source: &str, run: u64) -> Result<(RunView, Option<String>), Error> {
    let row = sqlx::query("SELECT state, report, lease FROM harvest_run WHERE source = $1 AND number = $2")
        .bind(source)
        .bind(stored(run))
        .fetch_optional(writing.connection().await?)
        .await?
        .ok_or_else(|| Error::not_found("run", format!("{source}/{run}")))?;
    Ok((report(&row)?, column(&row, "lease")?))
}

/// Refuses whoever does not hold the lease any more.
pub(crate) async fn held(writing: &mut Writing, lease: &Lease) -> Result<RunView, Error> {
    let (view, token) = load(writing, &lease.source, lease.run).await?;
    if view.state != "running" || token.as_deref() != Some(lease.token.as_str()) {
        return Err(Error::LeaseLost { of: lease.source.clone(), run: lease.run });
    }
    Ok(view)
}

/// Removes what a run staged.
pub(crate) async fn clear(writing: &mut Writing, source: &str, run: u64) -> Result<(), Error> {
    for statement in [
        "DELETE FROM staged WHERE source = $1 AND run = $2",
        "DELETE FROM staged_identifier WHERE source = $1 AND run = $2",
    ] {
        sqlx::query(statement).bind(source).bind(stored(run)).execute(writing.connection().await?).await?;
    }
    Ok(())
}

fn now_text(writing: &Writing) -> Result<String, Error> {
    Ok(moment(writing.now, "now")?.to_string())
}

struct Queue {
    source: String,
    dry: bool,
    by: String,
    request: String,
}

impl Operation for Queue {
    type Answer = RunView;

    async fn run(self, writing: &mut Writing) -> Result<RunView, Error> {
        let retired: Option<i64> = sqlx::query_scalar("SELECT retired FROM source WHERE id = $1")
            .bind(self.source.as_str())
            .fetch_optional(writing.connection().await?)
            .await?;
        if retired != Some(0) {
            return Err(Error::not_found("source", self.source));
        }
        let open = sqlx::query(
            "SELECT state, report FROM harvest_run WHERE source = $1 AND state IN ('queued', 'running') ORDER BY number",
        )
        .bind(self.source.as_str())
        .fetch_optional(writing.connection().await?)
        .await?;
        if let Some(row) = open {
            let view = report(&row)?;
            // Asking twice is asking once, except that one who wants to see what would happen wants nothing to happen.
            return if view.dry_run == self.dry {
                Ok(view)
            } else {
                Err(Error::Refused(format!("run {} of `{}` is not over yet", view.number, self.source)))
            };
        }
        let last: Option<i64> = sqlx::query_scalar("SELECT MAX(number) FROM harvest_run WHERE source = $1")
            .bind(self.source.as_str())
            .fetch_one(writing.connection().await?)
            .await?;
        let number = last.unwrap_or_default() + 1;
        let view = RunView {
            source: self.source.clone(),
            number: u64::try_from(number).unwrap_or_default(),
            state: RunState::Queued.as_str().to_owned(),
            dry_run: self.dry,
            requested_by: self.by.clone(),
            queued: now_text(writing)?,
            ..RunView::default()
        };
        let text = serde_json::to_string(&view).map_err(|error| Error::Refused(error.to_string()))?;
        sqlx::query("INSERT INTO harvest_run (source, number, state, report) VALUES ($1, $2, 'queued', $3)")
            .bind(self.source.as_str())
            .bind(number)
            .bind(text)
            .execute(writing.connection().await?)
            .await?;
        forget(writing, &self.source, number - RUNS).await?;
        if self.by != "schedule" {
            writing.audit(&self.by, "source.run", &format!("{}/{number}", self.source), (None, None), &self.request);
        }
        Ok(view)
    }
}

/// Removes old runs; which run brought a saying stays as a number.
async fn forget(writing: &mut Writing, source: &str, before: i64) -> Result<(), Error> {
    for statement in [
        "DELETE FROM harvest_finding WHERE source = $1 AND run <= $2",
        "DELETE FROM harvest_unmatched WHERE source = $1 AND run <= $2",
        "DELETE FROM harvest_run WHERE source = $1 AND number <= $2 AND state NOT IN ('queued', 'running', 'held')",
    ] {
        sqlx::query(statement).bind(source).bind(before).execute(writing.connection().await?).await?;
    }
    Ok(())
}

struct Take {
    lease: Lease,
}

impl Operation for Take {
    type Answer = Option<RunView>;

    async fn run(self, writing: &mut Writing) -> Result<Option<RunView>, Error> {
        let (mut view, _) = load(writing, &self.lease.source, self.lease.run).await?;
        if view.state != "queued" {
            return Ok(None);
        }
        // What an earlier run of this number's source left behind is nobody's.
        clear(writing, &self.lease.source, self.lease.run).await?;
        view.state = RunState::Running.as_str().to_owned();
        view.stage = Some("fetching".to_owned());
        view.started = Some(now_text(writing)?);
        save(writing, &view, Some(&self.lease.token)).await?;
        Ok(Some(view))
    }
}

struct Interrupt {
    older_than: i64,
}

impl Operation for Interrupt {
    type Answer = Vec<String>;

    async fn run(self, writing: &mut Writing) -> Result<Vec<String>, Error> {
        let rows = sqlx::query(
            "SELECT state, report FROM harvest_run WHERE state = 'running' AND COALESCE(heartbeat, 0) <= $1",
        )
        .bind(self.older_than)
        .fetch_all(writing.connection().await?)
        .await?;
        let mut sources = Vec::new();
        for row in &rows {
            let mut view = report(row)?;
            view.state = RunState::Interrupted.as_str().to_owned();
            view.stage = None;
            view.ended = Some(now_text(writing)?);
            let message = "the server that drove it ended; nothing of it was applied, and the source is read again";
            view.reason = Some(RunReason { code: "run.interrupted".to_owned(), message: message.to_owned() });
            save(writing, &view, None).await?;
            clear(writing, &view.source, view.number).await?;
            let now = writing.now;
            sqlx::query("UPDATE source SET next_run = $2 WHERE id = $1 AND retired = 0")
                .bind(view.source.as_str())
                .bind(now)
                .execute(writing.connection().await?)
                .await?;
            sources.push(view.source);
        }
        Ok(sources)
    }
}

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
        let Finished { mut report, removes, fraction, cursor, unreadable } = self.finished;
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
        if removes {
            protect(writing, source, run, &unreadable).await?;
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
        if removes && counts.removed > allowed {
            report.reason = Some(RunReason {
                code: "guard.mass_removal".to_owned(),
                message: format!(
                    "it would remove {} of {} records, more than the {allowed} that may go without approval",
                    counts.removed, counts.said
                ),
            });
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

/// Keeps what stood in files and pages that could not be read: an error never deletes.
async fn protect(writing: &mut Writing, source: &str, run: i64, unreadable: &[String]) -> Result<(), Error> {
    for part in unreadable {
        sqlx::query(
            "INSERT INTO staged (source, run, number, what, key, kind) \
             SELECT s.source, $2, b.number + ROW_NUMBER() OVER (ORDER BY s.id), 'kept', s.key, s.kind FROM said s, \
             (SELECT COALESCE(MAX(number), 0) AS number FROM staged WHERE source = $1 AND run = $2) b \
             WHERE s.source = $1 AND s.part = $3 AND s.gone IS NULL AND NOT EXISTS (SELECT 1 FROM staged t \
             WHERE t.source = s.source AND t.run = $2 AND t.key = s.key AND t.kind = s.kind)",
        )
        .bind(source)
        .bind(run)
        .bind(part.as_str())
        .execute(writing.connection().await?)
        .await?;
    }
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
        view.reason = Some(RunReason { code: "run.superseded".to_owned(), message });
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
    Ok(Counts { said: number(said), removed: number(removed) })
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

struct End {
    lease: Lease,
    report: RunView,
    next: Option<i64>,
}

impl Operation for End {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let before = held(writing, &self.lease).await?;
        let mut view = self.report;
        view.started = before.started;
        view.stage = None;
        view.ended = Some(now_text(writing)?);
        save(writing, &view, None).await?;
        clear(writing, &view.source, view.number).await?;
        // A dry run that fails is nobody's failure but its asker's.
        sqlx::query("UPDATE source SET failures = failures + $3, next_run = COALESCE($2, next_run) WHERE id = $1")
            .bind(view.source.as_str())
            .bind(self.next)
            .bind(i64::from(!view.dry_run))
            .execute(writing.connection().await?)
            .await?;
        Ok(())
    }
}

struct Approve {
    source: String,
    run: u64,
    token: String,
    actor: Actor,
    request: String,
}

impl Operation for Approve {
    type Answer = RunView;

    async fn run(self, writing: &mut Writing) -> Result<RunView, Error> {
        let (mut view, _) = load(writing, &self.source, self.run).await?;
        if view.state != "held" {
            return Err(Error::Refused(format!("run {} of `{}` is {}, not held", self.run, self.source, view.state)));
        }
        let newer: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM harvest_run WHERE source = $1 AND number > $2 AND state IN ('running', 'completed', 'held') \
             AND report NOT LIKE '%\"dryRun\":true%'",
        )
        .bind(self.source.as_str())
        .bind(stored(self.run))
        .fetch_one(writing.connection().await?)
        .await?;
        if newer > 0 {
            return Err(Error::Refused(format!("a newer run of `{}` says more than run {}", self.source, self.run)));
        }
        view.state = RunState::Running.as_str().to_owned();
        view.stage = Some("applying".to_owned());
        view.approved_by = Some(self.actor.account.to_string());
        save(writing, &view, Some(&self.token)).await?;
        let subject = format!("{}/{}", self.source, self.run);
        writing.audit(self.actor.account.as_str(), "source.approve", &subject, (None, None), &self.request);
        Ok(view)
    }
}

impl Ledger {
    /// Asks for a run; gives the one that waits or runs already when there is one.
    pub async fn run_queue(&self, source: &str, dry: bool, by: &str, request: &str) -> Result<RunView, Error> {
        self.write(Queue { source: source.to_owned(), dry, by: by.to_owned(), request: request.to_owned() }).await
    }

    /// Takes up a queued run; nothing when somebody else did.
    pub async fn run_take(&self, lease: &Lease) -> Result<Option<RunView>, Error> {
        self.write(Take { lease: lease.clone() }).await
    }

    /// Marks runs whose driver gave no sign of life since a moment as interrupted and plans their sources anew.
    pub async fn runs_interrupt(&self, silent_since: jiff::Timestamp) -> Result<Vec<String>, Error> {
        self.write(Interrupt { older_than: silent_since.as_millisecond() }).await
    }

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

    /// Ends a run that failed; nothing of it is applied, and its source is tried again when `next` says.
    pub async fn run_fail(&self, lease: &Lease, report: RunView, next: Option<jiff::Timestamp>) -> Result<(), Error> {
        self.write(End { lease: lease.clone(), report, next: next.map(|next| next.as_millisecond()) }).await
    }

    /// Approves a held run, which its new lease then applies.
    pub async fn run_approve(&self, lease: &Lease, actor: &Actor, request: &str) -> Result<RunView, Error> {
        self.write(Approve {
            source: lease.source.clone(),
            run: lease.run,
            token: lease.token.clone(),
            actor: actor.clone(),
            request: request.to_owned(),
        })
        .await
    }

    /// Lists a source's runs, newest first, without findings and differences.
    pub async fn runs(&self, source: &str, limit: u32) -> Result<Vec<RunView>, Error> {
        let rows = sqlx::query("SELECT state, report FROM harvest_run WHERE source = $1 ORDER BY number DESC LIMIT $2")
            .bind(source)
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(|row| report(row).map(|view| RunView { diff: None, ..view })).collect()
    }

    /// Finds a run with its first findings.
    pub async fn run(&self, source: &str, number: u64) -> Result<Option<RunView>, Error> {
        let row = sqlx::query("SELECT state, report FROM harvest_run WHERE source = $1 AND number = $2")
            .bind(source)
            .bind(stored(number))
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut view = report(&row)?;
        let rows = sqlx::query(
            "SELECT document FROM harvest_finding WHERE source = $1 AND run = $2 ORDER BY severe DESC, number LIMIT $3",
        )
        .bind(source)
        .bind(stored(number))
        .bind(SHOWN)
        .fetch_all(self.readers())
        .await?;
        for row in &rows {
            let finding = serde_json::from_str(column(row, "document")?)
                .map_err(|error| Error::Invalid { column: "document", detail: error.to_string() })?;
            view.findings.push(finding);
        }
        let words: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT term, value, count FROM harvest_unmatched WHERE source = $1 AND run = $2 ORDER BY count DESC, term, value LIMIT $3",
        )
        .bind(source)
        .bind(stored(number))
        .bind(SHOWN)
        .fetch_all(self.readers())
        .await?;
        view.unmatched_terms = words
            .into_iter()
            .map(|(term, value, count)| Unmatched { term, value, count: u64::try_from(count).unwrap_or_default() })
            .collect();
        Ok(Some(view))
    }

    /// Lists the runs that wait to be taken up, the oldest of each source first.
    pub async fn runs_queued(&self) -> Result<Vec<(String, u64)>, Error> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT source, number FROM harvest_run WHERE state = 'queued' ORDER BY source, number")
                .fetch_all(self.readers())
                .await?;
        Ok(rows.into_iter().map(|(source, number)| (source, u64::try_from(number).unwrap_or_default())).collect())
    }
}
