//! Drives one run from its lease to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_harvester::{Coverage, Cursor, Harvested, Item, Mappings, Outcome, Sink, Source, Trouble};
use catalog_records::{Finished, Lease, RunOutcome, Staged, StoredSource, Taken};
use catalog_schemas::harvest::{RunReason, RunView};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::batch::Reading;
use super::keepsake::Keepsake;
use super::{open, schedule};
use crate::app::App;
use crate::http::problem::Failure;

/// Items staged together.
const PIECE: usize = 500;
/// How often a run says that it lives while its source says nothing.
const BEAT: Duration = Duration::from_secs(10);
/// How often a run says how far it has come, however little its source says at a time.
const TELL: Duration = Duration::from_secs(2);
/// How often what it takes to go on after an interruption is kept.
const KEEP: Duration = Duration::from_secs(1);
/// How long a source may say nothing at all: longer than any answer that the fetcher waits for.
const SILENCE: Duration = Duration::from_secs(900);
/// How long a run may read.
const READING: Duration = Duration::from_secs(6 * 3600);

/// Takes up a queued run and brings it to its end; nothing is left half done whatever happens.
pub(super) async fn drive(app: &Arc<App>, lease: Lease) -> Result<(), Failure> {
    let Some(Taken { mut report, resumption }) = app.ledger.run_take(&lease).await? else { return Ok(()) };
    let Some(source) = app.ledger.source(&lease.source).await? else { return Ok(()) };
    let stamp = stamp(&source)?;
    let was_interrupted = resumption.is_some();
    let kept = resumption.and_then(|kept| serde_json::from_str(&kept.state).ok());
    let kept = kept.filter(|kept: &Keepsake| kept.stamp == stamp);
    tracing::info!(source = lease.source, run = lease.run, goes_on = kept.is_some(), "a run begins");
    if was_interrupted && kept.is_none() {
        // It was begun with other settings or mappings, or by another version.
        report = app.ledger.run_begin_anew(&lease).await?;
    }
    let reader = Reader { app, source: &source, lease: &lease, stamp: &stamp };
    let mut read = reader.read(report, kept).await;
    if let Ok((reading, Outcome { coverage: Coverage::Partial(trouble), .. })) = &read
        && reading.went_on_in_vain()
    {
        // Where it was is not there any more: a token ran out, a page went.
        tracing::info!(source = lease.source, run = lease.run, code = trouble.code, "a run begins anew");
        let report = app.ledger.run_begin_anew(&lease).await?;
        read = reader.read(report, None).await;
    }
    match read {
        Ok((mut reading, outcome)) => end(app, &source, &lease, &mut reading, outcome).await,
        Err(Stop::Lost(failure)) => Err(failure),
        Err(Stop::Trouble(report, trouble)) => fail(app, &source, &lease, *report, &trouble).await,
    }
}

/// Stands for everything that makes where a run was mean the same again.
fn stamp(source: &StoredSource) -> Result<String, Failure> {
    let settings = serde_json::to_string(&source.settings).map_err(Failure::internal)?;
    let mappings = Mappings::installed().map(Mappings::digest).map_err(Failure::internal)?;
    let cursor = source.cursor.as_deref().unwrap_or_default();
    let text = [env!("CARGO_PKG_VERSION"), &settings, &mappings, cursor].join("\n");
    Ok(hex::encode(Sha256::digest(text)))
}

/// Why a run ends without having read its source.
enum Stop {
    /// Somebody else drives it by now, or nobody.
    Lost(Failure),
    /// It failed.
    Trouble(Box<RunView>, Trouble),
}

/// Reads a source for a run.
struct Reader<'a> {
    app: &'a Arc<App>,
    source: &'a StoredSource,
    lease: &'a Lease,
    stamp: &'a str,
}

impl Reader<'_> {
    /// Reads the source from its beginning, or from where an interrupted run was.
    async fn read(&self, report: RunView, kept: Option<Keepsake>) -> Result<(Reading, Outcome), Stop> {
        let Self { app, source, lease, stamp } = *self;
        let stop = |report: RunView, trouble: Trouble| Stop::Trouble(Box::new(report), trouble);
        let opened = match open(app, &source.settings) {
            Ok(opened) => opened,
            Err(error) => return Err(stop(report, Trouble::lasting("source.settings", error.to_string()))),
        };
        let is_zone = source.settings.kind == "alidade";
        let home = match (is_zone, &source.zone) {
            // The zone itself says which it is with its first answer, which is noted before anything of it is staged.
            (true, zone) => {
                zone.as_deref().map(str::parse).transpose().map_err(|error| Stop::Lost(Failure::from(error)))?
            }
            (false, _) => Some(app.config.zone.id.clone()),
        };
        let cursor: Cursor =
            source.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let position = kept.as_ref().map(|kept| kept.position.clone()).unwrap_or_default();
        let (sink, items) = Sink::channel();
        let task = tokio::spawn(async move { harvest(opened, Cursor { position, ..cursor }, sink).await });
        let mut listener = Listener { app, lease, stamp, home, is_zone, items, report, kept };
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
            Ok(Err(failure)) if failure.problem().code() == "lease_lost" => return Err(Stop::Lost(failure)),
            Ok(Err(failure)) => return Err(stop(report, Trouble::passing("run.failed", failure.words()))),
            Err(_) => {
                let message = format!("the source was not read within {} hours", READING.as_secs() / 3600);
                return Err(stop(report, Trouble::passing("run.deadline", message)));
            }
        };
        match outcome {
            Ok(outcome) => {
                reading.has_read(outcome.pages, outcome.bytes);
                Ok((reading, outcome))
            }
            Err(error) => {
                let message = format!("reading the source failed: {error}");
                Err(stop(reading.report, Trouble::lasting("source.panicked", message)))
            }
        }
    }
}

async fn harvest(source: Box<dyn Source>, cursor: Cursor, sink: Sink) -> Outcome {
    source.harvest(cursor, &sink).await
}

/// Listens to a source and stages what it says, piece by piece.
struct Listener<'a> {
    app: &'a Arc<App>,
    lease: &'a Lease,
    stamp: &'a str,
    home: Option<catalog_schemas::id::ZoneId>,
    is_zone: bool,
    items: mpsc::Receiver<Item>,
    report: RunView,
    kept: Option<Keepsake>,
}

impl Listener<'_> {
    async fn read(&mut self) -> Result<Reading, Failure> {
        let mut reading: Option<Reading> = None;
        let mut records: Vec<Box<Harvested>> = Vec::new();
        let mut gone: Vec<(String, String)> = Vec::new();
        let mut rows: Vec<Staged> = Vec::new();
        let (mut silent, mut kept, mut told) = (Duration::ZERO, None::<Instant>, Instant::now());
        loop {
            let next = tokio::time::timeout(BEAT, self.items.recv()).await;
            let (is_over, is_quiet) = (matches!(next, Ok(None)), next.is_err());
            silent = if is_quiet { silent + BEAT } else { Duration::ZERO };
            if silent >= SILENCE {
                let text = format!("the source said nothing for {} minutes", SILENCE.as_secs() / 60);
                return Err(Failure::unavailable("source.silent", text, 60));
            }
            if reading.is_none() {
                let home = self.home().await?;
                let (ledger, report) = (self.app.ledger.clone(), self.report.clone());
                let kept = self.kept.take_if(|_| home.is_some());
                reading = home.map(|home| Reading::new(ledger, self.lease.clone(), home, self.is_zone, report));
                if let (Some(reading), Some(kept)) = (reading.as_mut(), kept) {
                    reading.go_on(kept);
                }
            }
            let mut position = None;
            if let (Ok(Some(item)), Some(reading)) = (next, reading.as_mut()) {
                match item {
                    // Of what the source says of a record within a piece, its last word counts.
                    Item::Record(record) => {
                        gone.retain(|(key, _)| *key != record.key);
                        records.retain(|one| one.key != record.key || one.kind != record.kind);
                        records.push(record);
                    }
                    Item::Gone(one) => {
                        records.retain(|record| record.key != one.key);
                        gone.push((one.key, one.place.file));
                    }
                    Item::Faulty(fault) => rows.extend(reading.fault(fault)),
                    Item::Remark(fault) => reading.notice(fault),
                    Item::Progress(progress) => {
                        reading.report.total = progress.expected;
                        reading.has_read(progress.pages, progress.bytes);
                        // What can be kept is kept once a second, with everything before it.
                        position = progress.position.filter(|_| kept.is_none_or(|at| at.elapsed() >= KEEP));
                    }
                }
            }
            let is_full = records.len() + gone.len() + rows.len() >= PIECE;
            let is_due = is_full || is_over || is_quiet || position.is_some() || told.elapsed() >= TELL;
            if let Some(reading) = reading.as_mut().filter(|_| is_due) {
                let take = (std::mem::take(&mut records), std::mem::take(&mut gone), std::mem::take(&mut rows));
                told = Instant::now();
                if position.is_some() {
                    kept = Some(told);
                }
                reading.stage(take.0, take.1, take.2, position.map(|position| (self.stamp, position))).await?;
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
    let fix = catalog_harvester::fix(&trouble.code).map(str::to_owned);
    RunReason { code: trouble.code.clone(), message: trouble.message.clone(), fix }
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
