//! Runs: asked for, taken up under a lease, ended.

use catalog_schemas::harvest::{RunReason, RunView, Unmatched};
use sqlx::sqlite::SqliteRow;

use crate::account::Actor;
use crate::error::Error;
use crate::open::Ledger;
use crate::row::{column, moment, stored};
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

/// Where a run goes on when the process that drives it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// Rows that were put down by then; those after them are read again.
    pub rows: u64,
    /// What the driver needs to know, which the ledger does not look into.
    pub state: String,
}

impl Resumption {
    pub(super) async fn keep(&self, writing: &mut Writing, lease: &Lease) -> Result<(), Error> {
        sqlx::query("UPDATE harvest_run SET resume_rows = $3, resume = $4 WHERE source = $1 AND number = $2")
            .bind(lease.source.as_str())
            .bind(stored(lease.run))
            .bind(stored(self.rows))
            .bind(self.state.as_str())
            .execute(writing.connection().await?)
            .await?;
        Ok(())
    }
}

/// A run that was taken up.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// The report so far.
    pub report: RunView,
    /// Where it goes on, when it was interrupted.
    pub resumption: Option<Resumption>,
}

/// A run whose driver is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// Its source.
    pub source: String,
    /// Whether it waits to go on where it was; else its source is to be read again.
    pub goes_on: bool,
}

/// How often a run is taken up again: one that ends its server each time must not do so for ever.
const RESUMPTIONS: u32 = 20;
/// Findings given with a run.
const SHOWN: i64 = 500;
/// Runs kept of a source.
const RUNS: i64 = 200;
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

/// Removes what a run staged, and where it would have gone on.
pub(crate) async fn clear(writing: &mut Writing, source: &str, run: u64) -> Result<(), Error> {
    cut(writing, source, run, 0).await?;
    sqlx::query("UPDATE harvest_run SET resume_rows = NULL, resume = NULL WHERE source = $1 AND number = $2")
        .bind(source)
        .bind(stored(run))
        .execute(writing.connection().await?)
        .await?;
    Ok(())
}

/// Removes what a run staged after its first rows, and what the end of its reading added.
async fn cut(writing: &mut Writing, source: &str, run: u64, rows: u64) -> Result<(), Error> {
    for statement in [
        "DELETE FROM staged WHERE source = $1 AND run = $2 AND number > $3",
        "DELETE FROM staged_identifier WHERE source = $1 AND run = $2 AND number > $3",
    ] {
        let query = sqlx::query(statement).bind(source).bind(stored(run)).bind(stored(rows));
        query.execute(writing.connection().await?).await?;
    }
    let faults = sqlx::query("DELETE FROM staged_fault WHERE source = $1 AND run = $2").bind(source).bind(stored(run));
    faults.execute(writing.connection().await?).await?;
    Ok(())
}

/// Makes a run that was interrupted what it was when its first rows had been put down.
async fn rewind(writing: &mut Writing, source: &str, run: u64, rows: u64) -> Result<(), Error> {
    cut(writing, source, run, rows).await?;
    for statement in [
        "DELETE FROM harvest_finding WHERE source = $1 AND run = $2",
        "DELETE FROM harvest_unmatched WHERE source = $1 AND run = $2",
        "UPDATE harvest_run SET cursor = NULL WHERE source = $1 AND number = $2",
    ] {
        sqlx::query(statement).bind(source).bind(stored(run)).execute(writing.connection().await?).await?;
    }
    Ok(())
}

pub(super) fn now_text(writing: &Writing) -> Result<String, Error> {
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
    type Answer = Option<Taken>;

    async fn run(self, writing: &mut Writing) -> Result<Option<Taken>, Error> {
        let (source, run) = (self.lease.source.as_str(), self.lease.run);
        let (mut report, _) = load(writing, source, run).await?;
        if report.state != "queued" {
            return Ok(None);
        }
        let resumption = resumption(writing, source, run).await?;
        match &resumption {
            Some(resumption) => rewind(writing, source, run, resumption.rows).await?,
            // What an earlier run of this number's source left behind is nobody's.
            None => clear(writing, source, run).await?,
        }
        report.state = RunState::Running.as_str().to_owned();
        report.stage = Some("fetching".to_owned());
        let now = now_text(writing)?;
        report.started.get_or_insert(now);
        save(writing, &report, Some(&self.lease.token)).await?;
        Ok(Some(Taken { report, resumption }))
    }
}

async fn resumption(writing: &mut Writing, source: &str, run: u64) -> Result<Option<Resumption>, Error> {
    let kept: Option<(i64, String)> = sqlx::query_as(
        "SELECT resume_rows, resume FROM harvest_run WHERE source = $1 AND number = $2 AND resume IS NOT NULL",
    )
    .bind(source)
    .bind(stored(run))
    .fetch_optional(writing.connection().await?)
    .await?;
    Ok(kept.map(|(rows, state)| Resumption { rows: u64::try_from(rows).unwrap_or_default(), state }))
}

struct BeginAnew {
    lease: Lease,
}

impl Operation for BeginAnew {
    type Answer = RunView;

    async fn run(self, writing: &mut Writing) -> Result<RunView, Error> {
        let before = held(writing, &self.lease).await?;
        clear(writing, &before.source, before.number).await?;
        let report = RunView {
            source: before.source,
            number: before.number,
            state: before.state,
            stage: before.stage,
            dry_run: before.dry_run,
            requested_by: before.requested_by,
            queued: before.queued,
            started: before.started,
            resumed: before.resumed,
            ..RunView::default()
        };
        save(writing, &report, Some(&self.lease.token)).await?;
        Ok(report)
    }
}

struct Interrupt {
    older_than: i64,
}

impl Operation for Interrupt {
    type Answer = Vec<Interrupted>;

    async fn run(self, writing: &mut Writing) -> Result<Vec<Interrupted>, Error> {
        let rows = sqlx::query(
            "SELECT state, report FROM harvest_run WHERE state = 'running' AND COALESCE(heartbeat, 0) <= $1",
        )
        .bind(self.older_than)
        .fetch_all(writing.connection().await?)
        .await?;
        let mut sources = Vec::new();
        for row in &rows {
            let mut view = report(row)?;
            view.stage = None;
            let goes_on = view.resumed < RESUMPTIONS && resumption(writing, &view.source, view.number).await?.is_some();
            sources.push(Interrupted { source: view.source.clone(), goes_on });
            if goes_on {
                view.state = RunState::Queued.as_str().to_owned();
                view.resumed += 1;
                save(writing, &view, None).await?;
                continue;
            }
            view.state = RunState::Interrupted.as_str().to_owned();
            view.ended = Some(now_text(writing)?);
            let message = "the server that drove it ended; nothing of it was applied, and the source is read again";
            view.reason =
                Some(RunReason { code: "run.interrupted".to_owned(), message: message.to_owned(), fix: None });
            save(writing, &view, None).await?;
            clear(writing, &view.source, view.number).await?;
            let now = writing.now;
            sqlx::query("UPDATE source SET next_run = $2 WHERE id = $1 AND retired = 0")
                .bind(view.source.as_str())
                .bind(now)
                .execute(writing.connection().await?)
                .await?;
        }
        Ok(sources)
    }
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
    pub async fn run_take(&self, lease: &Lease) -> Result<Option<Taken>, Error> {
        self.write(Take { lease: lease.clone() }).await
    }

    /// Forgets what a run has read, which begins from nothing.
    pub async fn run_begin_anew(&self, lease: &Lease) -> Result<RunView, Error> {
        self.write(BeginAnew { lease: lease.clone() }).await
    }

    /// Finds runs whose driver gave no sign of life since a moment. Those that can go on where they were wait to be taken up;
    /// the others are marked as interrupted and their sources planned anew.
    pub async fn runs_interrupt(&self, silent_since: jiff::Timestamp) -> Result<Vec<Interrupted>, Error> {
        self.write(Interrupt { older_than: silent_since.as_millisecond() }).await
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
