//! Drives one run from its lease to its end.

use std::sync::Arc;
use std::time::Duration;

use catalog_harvester::{Coverage, Cursor, Harvested, Item, Outcome, Sink, Source, Trouble};
use catalog_records::{Finished, Lease, RunOutcome, Staged, StoredSource};
use catalog_schemas::harvest::{RunReason, RunView};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::batch::Reading;
use super::{open, schedule};
use crate::app::App;
use crate::http::problem::Failure;

/// Items staged together.
const PIECE: usize = 500;
/// How often a run says that it lives while its source says nothing.
const BEAT: Duration = Duration::from_secs(10);
/// How long a source may say nothing at all: longer than any answer that the fetcher waits for.
const SILENCE: Duration = Duration::from_secs(900);
/// How long a run may read.
const READING: Duration = Duration::from_secs(6 * 3600);

/// Takes up a queued run and brings it to its end; nothing is left half done whatever happens.
pub(super) async fn drive(app: &Arc<App>, lease: Lease) -> Result<(), Failure> {
    let Some(report) = app.ledger.run_take(&lease).await? else { return Ok(()) };
    let Some(source) = app.ledger.source(&lease.source).await? else { return Ok(()) };
    tracing::info!(source = lease.source, run = lease.run, "a run begins");
    let opened = match open(app, &source.settings) {
        Ok(opened) => opened,
        Err(error) => {
            let trouble = Trouble::lasting("source.settings", error.to_string());
            return fail(app, &source, &lease, report, &trouble).await;
        }
    };
    let is_zone = source.settings.kind == "alidade";
    let home = match (is_zone, &source.zone) {
        // The zone itself says which it is with its first answer, which is noted before anything of it is staged.
        (true, zone) => zone.as_deref().map(str::parse).transpose()?,
        (false, _) => Some(app.config.zone.id.clone()),
    };
    let cursor: Cursor = source.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    // An interrupted or partial run is read anew from its beginning: what it had seen is not known any more.
    let cursor = Cursor { position: serde_json::Value::Null, ..cursor };
    let (sink, items) = Sink::channel();
    let task = tokio::spawn(async move { harvest(opened, cursor, sink).await });
    let mut listener = Listener { app, lease: &lease, home, is_zone, items, report };
    let read = tokio::time::timeout(READING, listener.read()).await;
    let (report, items) = (listener.report.clone(), listener.items);
    drop(items);
    if !matches!(read, Ok(Ok(_))) {
        // A source that hangs would not notice that nobody listens any more.
        task.abort();
    }
    let outcome = task.await;
    let mut reading = match read {
        Ok(Ok(reading)) => reading,
        Ok(Err(failure)) if failure.problem().code() == "lease_lost" => return Err(failure),
        Ok(Err(failure)) => {
            return fail(app, &source, &lease, report, &Trouble::passing("run.failed", failure.words())).await;
        }
        Err(_) => {
            let message = format!("the source was not read within {} hours", READING.as_secs() / 3600);
            return fail(app, &source, &lease, report, &Trouble::passing("run.deadline", message)).await;
        }
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            let trouble = Trouble::lasting("source.panicked", format!("reading the source failed: {error}"));
            return fail(app, &source, &lease, reading.report, &trouble).await;
        }
    };
    end(app, &source, &lease, &mut reading, outcome).await
}

async fn harvest(source: Box<dyn Source>, cursor: Cursor, sink: Sink) -> Outcome {
    source.harvest(cursor, &sink).await
}

/// Listens to a source and stages what it says, piece by piece.
struct Listener<'a> {
    app: &'a Arc<App>,
    lease: &'a Lease,
    home: Option<catalog_schemas::id::ZoneId>,
    is_zone: bool,
    items: mpsc::Receiver<Item>,
    report: RunView,
}

impl Listener<'_> {
    async fn read(&mut self) -> Result<Reading, Failure> {
        let mut reading: Option<Reading> = None;
        let mut records: Vec<Box<Harvested>> = Vec::new();
        let mut gone: Vec<(String, String)> = Vec::new();
        let mut rows: Vec<Staged> = Vec::new();
        let mut silent = Duration::ZERO;
        loop {
            let next = tokio::time::timeout(BEAT, self.items.recv()).await;
            let is_over = matches!(next, Ok(None));
            silent = if next.is_ok() { Duration::ZERO } else { silent + BEAT };
            if silent >= SILENCE {
                let text = format!("the source said nothing for {} minutes", SILENCE.as_secs() / 60);
                return Err(Failure::unavailable("source.silent", text, 60));
            }
            if reading.is_none() {
                let home = self.home().await?;
                let (ledger, report) = (self.app.ledger.clone(), self.report.clone());
                reading = home.map(|home| Reading::new(ledger, self.lease.clone(), home, self.is_zone, report));
            }
            if let (Ok(Some(item)), Some(reading)) = (&next, reading.as_mut()) {
                match item.clone() {
                    Item::Record(record) => records.push(record),
                    Item::Gone(one) => gone.push((one.key, one.place.file)),
                    Item::Faulty(fault) => rows.extend(reading.fault(fault)),
                    Item::Progress(progress) => {
                        (reading.report.done, reading.report.total) = (progress.pages, progress.expected);
                        reading.report.bytes = progress.bytes;
                    }
                }
            }
            let is_full = records.len() + gone.len() + rows.len() >= PIECE;
            if let Some(reading) = reading.as_mut().filter(|_| is_full || is_over || next.is_err()) {
                let take = (std::mem::take(&mut records), std::mem::take(&mut gone), std::mem::take(&mut rows));
                reading.stage(take.0, take.1, take.2).await?;
                self.report = reading.report.clone();
            }
            if is_over {
                // A zone that could not be reached has not said which it is; nothing of it was staged then.
                let own = self.app.config.zone.id.clone();
                let empty = || {
                    Reading::new(self.app.ledger.clone(), self.lease.clone(), own, self.is_zone, self.report.clone())
                };
                return Ok(reading.unwrap_or_else(empty));
            }
        }
    }

    /// Returns the zone where the source's records are at home, as soon as it is known.
    async fn home(&mut self) -> Result<Option<catalog_schemas::id::ZoneId>, Failure> {
        if self.home.is_none() {
            let source = self.app.ledger.source(&self.lease.source).await?;
            self.home = source.and_then(|source| source.zone).map(|zone| zone.parse()).transpose()?;
        }
        Ok(self.home.clone())
    }
}

/// Ends a run whose source was read as far as it could be.
async fn end(
    app: &Arc<App>,
    source: &StoredSource,
    lease: &Lease,
    reading: &mut Reading,
    outcome: Outcome,
) -> Result<(), Failure> {
    let mut report = reading.report.clone();
    (report.done, report.bytes) = (outcome.pages.max(report.done), outcome.bytes.max(report.bytes));
    report.complete = !matches!(outcome.coverage, Coverage::Partial(_));
    let mut next = next_run(source, 0, None);
    match &outcome.coverage {
        // What a limit cut off was good as far as it came; what leads in circles or elsewhere is not to be believed.
        Coverage::Partial(trouble) if reading.is_empty() || !trouble.transient && !is_an_end(&trouble.code) => {
            return fail(app, source, lease, report, trouble).await;
        }
        Coverage::Partial(trouble) => {
            report.reason = Some(reason(trouble));
            next = next_run(source, source.failures + 1, trouble.retry_after);
        }
        Coverage::Changes | Coverage::Unchanged => {
            // What was not handed on is as it was.
            let said = app.ledger.source_records(&lease.source).await?;
            report.unchanged = said.saturating_sub(report.changed + report.removed);
        }
        Coverage::Complete => {}
    }
    if report.complete && reading.has_only_faults() && app.ledger.source_records(&lease.source).await? > 0 {
        let message = "nothing that could be read is a record, although there were some before";
        let trouble = Trouble::passing("source.unreadable", message);
        report.complete = false;
        report.reason = Some(reason(&trouble));
        next = next_run(source, source.failures + 1, None);
    }
    let unreadable = reading.unreadable();
    let finished = Finished {
        removes: report.complete && outcome.coverage.says_what_is_gone() && unreadable.is_some(),
        lists: !matches!(outcome.coverage, Coverage::Changes | Coverage::Unchanged),
        holds_empty: true,
        unreadable: unreadable.unwrap_or_default(),
        fraction: source.settings.max_delete_fraction.unwrap_or(200),
        cursor: match outcome.coverage {
            _ if !report.complete => None,
            _ => Some(serde_json::to_string(&outcome.cursor).map_err(Failure::internal)?),
        },
        report,
    };
    let (findings, unmatched) = reading.findings();
    match app.ledger.run_finish(lease, finished, findings, unmatched).await? {
        RunOutcome::Ready(_) => apply(app, source, lease, next).await,
        RunOutcome::Over(view) => {
            tracing::info!(
                source = lease.source,
                run = lease.run,
                state = view.state,
                "a run ended without being applied"
            );
            Ok(app.ledger.source_plan(&lease.source, next).await?)
        }
    }
}

/// Says whether a lasting trouble only cuts the source off where it came up.
fn is_an_end(code: &str) -> bool {
    code.starts_with("limit.") || code == "fetch.status"
}

/// Makes a run true.
pub(super) async fn apply(
    app: &Arc<App>,
    source: &StoredSource,
    lease: &Lease,
    next: Option<Timestamp>,
) -> Result<(), Failure> {
    match app.ledger.run_apply(lease, source.settings.kind == "alidade", next).await {
        Ok(view) => {
            let (added, changed, removed) = (view.added, view.changed, view.removed);
            tracing::info!(source = lease.source, run = lease.run, added, changed, removed, "a run was applied");
            Ok(())
        }
        Err(error @ catalog_records::Error::LeaseLost { .. }) => Err(error.into()),
        Err(error) => {
            let report = app.ledger.run(&lease.source, lease.run).await?.unwrap_or_default();
            let trouble = Trouble::passing("run.not_applied", crate::http::problem::with_sources(&error));
            fail(app, source, lease, report, &trouble).await
        }
    }
}

async fn fail(
    app: &Arc<App>,
    source: &StoredSource,
    lease: &Lease,
    mut report: RunView,
    trouble: &Trouble,
) -> Result<(), Failure> {
    tracing::warn!(
        source = lease.source,
        run = lease.run,
        code = trouble.code,
        message = trouble.message,
        "a run failed"
    );
    report.state = "failed".to_owned();
    report.complete = false;
    report.reason = Some(reason(trouble));
    (report.findings, report.unmatched_terms) = (Vec::new(), Vec::new());
    let next = next_run(source, source.failures + 1, trouble.retry_after);
    Ok(app.ledger.run_fail(lease, report, next).await?)
}

fn reason(trouble: &Trouble) -> RunReason {
    RunReason { code: trouble.code.clone(), message: trouble.message.clone() }
}

/// Says when a source runs next: as its schedule says, sooner after a failure, later when the source asks for it.
pub(super) fn next_run(source: &StoredSource, failures: u32, retry_after: Option<u64>) -> Option<Timestamp> {
    let schedule: schedule::Schedule = source.settings.schedule.as_deref()?.parse().ok()?;
    let now = Timestamp::now();
    let regular = schedule.next_after(now)?;
    // Sources with one schedule do not all begin in the same second.
    let spread = (regular.as_second() - now.as_second()).clamp(0, 3600) as f64 / 20.0 * rand::random::<f64>();
    let regular = regular.checked_add(Duration::from_secs_f64(spread)).unwrap_or(regular);
    if failures == 0 {
        return Some(regular);
    }
    let wait = schedule::backoff(failures, rand::random()).max(Duration::from_secs(retry_after.unwrap_or(0).min(3600)));
    let again = now.checked_add(wait).ok()?;
    // After five failures in a row a source is asked no more often than its schedule says.
    Some(if failures > 5 { again.max(regular) } else { again.min(regular.max(again)) })
}
