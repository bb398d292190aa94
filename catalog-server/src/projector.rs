//! Follows the ledger: copies the current state of what changed into the search index and the RDF store.
//!
//! The two projections follow independently, each from its own sequence, so that one that fell behind or was lost
//! never holds the other up (DESIGN, invariant 1).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_graph::Store;
use catalog_index::{Batch, Index};
use catalog_records::{Change, Ledger, StoredRecord, StoredSayings};
use tokio::sync::watch;

use crate::app::App;
use crate::http::problem::with_sources;
use crate::view::{Projection, is_listed};

/// Records copied in one batch: large enough that its fixed cost is shared, small enough to stay in memory.
const BATCH: u32 = 500;

/// Records that the index takes in before it commits, while it is far behind and nobody waits for it. What waits to be
/// indexed is in memory, and the engine lets ten thousand wait.
const COMMIT: usize = 4000;

/// Records read at a time for a rebuild.
const SCAN: u32 = 500;

/// The shortest and the longest time that changes gather before the index commits again, unless somebody waits for them: a
/// commit is several syncs of the disk, which the next publication would wait behind.
const GATHER: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));

/// Changes gather no longer once none has come for so long.
const QUIET: Duration = Duration::from_millis(50);

/// How much longer changes gather than the last of them took to be copied, so that copying leaves room for publishing.
const GATHER_SHARE: u32 = 2;

/// The shortest and the longest time that changes gather before the RDF store takes them in: each time it copies what it
/// holds beside its files.
const GATHER_GRAPH: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// Changes below which the RDF store is never filled anew to follow them.
const WORTH_FILLING: u64 = 20_000;

/// How often the index's files are looked for while nothing changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often every byte of them is read.
const CHECK_EVERY: Duration = Duration::from_secs(600);

/// Why a projection could not follow.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger could not be read.
    #[error("the ledger could not be read")]
    Ledger(#[from] catalog_records::Error),
    /// The search index refused.
    #[error("the search index refused")]
    Index(#[from] catalog_index::Error),
    /// The RDF store refused.
    #[error("the RDF store refused")]
    Graph(#[from] catalog_graph::Error),
    /// The work was interrupted.
    #[error("the work was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Starts both projections; they end with the process.
pub fn start(app: &Arc<App>) {
    tokio::spawn(follow_index(Arc::clone(app)));
    tokio::spawn(follow_graph(Arc::clone(app)));
}

/// Keeps the search index in step.
async fn follow_index(app: Arc<App>) {
    let mut committed = app.ledger.watch();
    let mut checked: Option<Instant> = None;
    // An index made for other datazones answers until the new one is there.
    let mut outdated = app.index_is_outdated();
    loop {
        let began = Instant::now();
        let outcome = match app.index.current() {
            Some(index) if !outdated => catch_up_index(&app, &index).await,
            _ => rebuild_index(&app).await,
        };
        match outcome {
            Ok(seq) => {
                outdated = false;
                app.indexed.reach(seq);
                // The index is looked at even when nothing changes, so that damage is found before somebody meets it.
                let gather = (began.elapsed() * GATHER_SHARE).clamp(GATHER.0, GATHER.1);
                let gathered = tokio::time::Instant::now() + gather;
                let changed = tokio::time::timeout(LOOK_EVERY, committed.wait_for(|last| *last > seq)).await.is_ok();
                if changed {
                    tokio::select! {
                        () = let_gather(&committed, gathered) => {}
                        () = app.indexed.awaited(seq) => {}
                    }
                } else {
                    let thorough = checked.is_none_or(|at| at.elapsed() > CHECK_EVERY);
                    look_at_index(&app, thorough).await;
                    checked = if thorough { Some(Instant::now()) } else { checked };
                }
            }
            // The server is stopping.
            Err(Error::Ledger(catalog_records::Error::Closed)) => return,
            Err(error) => {
                tracing::error!(error = with_sources(&error), "the search index could not follow");
                if let Error::Index(error) = error {
                    app.give_up_index(error);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Lets changes gather while they come quickly: each commit makes a segment of many small files, which is merged later.
async fn let_gather(committed: &watch::Receiver<u64>, earliest: tokio::time::Instant) {
    let latest = tokio::time::Instant::now() + GATHER.1;
    tokio::time::sleep_until(earliest).await;
    let mut last = *committed.borrow();
    while tokio::time::Instant::now() < latest {
        tokio::time::sleep(QUIET).await;
        let now = *committed.borrow();
        if now == last {
            break;
        }
        last = now;
    }
}

/// Gives the index up when its files are gone or, looking thoroughly, when any of them is damaged.
async fn look_at_index(app: &Arc<App>, thorough: bool) {
    let Some(index) = app.index.current() else { return };
    let looked = blocking(move || {
        if !thorough && index.place().join("meta.json").exists() {
            return Ok(());
        }
        Ok(index.check()?)
    });
    if let Err(Error::Index(error)) = looked.await {
        app.give_up_index(error);
    }
}

/// Brings the index up to what the ledger holds now. What comes meanwhile gathers: while many publish there is always more,
/// and following it at once would be a commit for every few changes.
async fn catch_up_index(app: &Arc<App>, index: &Arc<Index>) -> Result<u64, Error> {
    // What was taken in without a commit when this fails comes again: the index then still stands at its last commit.
    let (mut reached, mut waiting) = (index.applied_seq(), 0);
    let target = app.ledger.last_seq();
    while reached < target
        && let Some(changed) = changed_since(&app.ledger, reached).await?
    {
        reached = changed.seq;
        waiting += changed.shown.len() + changed.gone.len();
        let commits = waiting >= COMMIT || reached >= target || app.indexed.is_awaited(index.applied_seq());
        let (writing, projection) = (Arc::clone(index), Arc::clone(&app.projection));
        blocking(move || {
            let upserts = changed.shown.iter().filter_map(|record| projection.document(record)).collect();
            let batch = Batch { upserts, deletes: changed.gone, seq: changed.seq };
            Ok(if commits { writing.apply(batch) } else { writing.add(&batch) }?)
        })
        .await?;
        if commits {
            waiting = 0;
            app.indexed.reach(reached);
        }
    }
    Ok(index.applied_seq())
}

/// Builds a new generation beside the one that answers, then swaps.
async fn rebuild_index(app: &Arc<App>) -> Result<u64, Error> {
    let cause = app.index.failure().map(|error| error.to_string());
    tracing::info!(cause, "building the search index");
    let generations = Arc::clone(&app.index);
    let next = blocking(move || Ok(generations.start_next()?)).await?;
    let count = fill_index(&app.ledger, &next, &app.projection, |_| ()).await?;
    let generations = Arc::clone(&app.index);
    let index = blocking(move || Ok(generations.publish_next()?)).await?;
    app.note_index_is_current();
    tracing::info!(count, "the search index is built");
    Ok(index.applied_seq())
}

/// Fills an empty index from the whole ledger, telling how many records it holds by then; returns how many it was.
pub async fn fill_index(
    ledger: &Ledger,
    index: &Arc<Index>,
    projection: &Arc<Projection>,
    progress: impl Fn(u64),
) -> Result<u64, Error> {
    // What changes while the ledger is read comes again through the change log.
    let seq = ledger.last_seq();
    let (mut after, mut count) = (0, 0);
    loop {
        let records = ledger.scan(after, SCAN).await?;
        let Some(last) = records.last() else { break };
        after = last.id;
        count += records.len() as u64;
        let (index, projection) = (Arc::clone(index), Arc::clone(projection));
        let commits = count / COMMIT as u64 > (count - records.len() as u64) / COMMIT as u64;
        blocking(move || {
            // The sequence is reached only when all is there: a filling that was cut short starts anew.
            let upserts = records.iter().filter_map(|record| projection.document(record)).collect();
            let batch = Batch { upserts, ..Batch::default() };
            Ok(if commits { index.apply(batch) } else { index.add(&batch) }?)
        })
        .await?;
        progress(count);
    }
    let index = Arc::clone(index);
    blocking(move || Ok(index.apply(Batch { seq, ..Batch::default() })?)).await?;
    Ok(count)
}

/// Keeps the RDF store in step; its files are opened as they are, and filled anew only when they cannot be used.
async fn follow_graph(app: Arc<App>) {
    let mut committed = app.ledger.watch();
    let mut checked = Instant::now();
    loop {
        if app.graph.applied_seq() > app.ledger.last_seq() {
            app.graph.give_up("it knows more than the ledger, which was restored or replaced".to_owned());
        }
        let began = Instant::now();
        let outcome = match app.graph.rebuild_cause() {
            Some(cause) => fill_graph(&app, &cause).await,
            None => catch_up_graph(&app).await,
        };
        match outcome {
            Ok(()) => {
                app.set_graph_warm();
                let gather = (began.elapsed() * GATHER_SHARE).clamp(GATHER_GRAPH.0, GATHER_GRAPH.1);
                tokio::time::sleep(gather).await;
                let applied = app.graph.applied_seq();
                let changed = committed.wait_for(|last| *last > applied);
                let ledger_is_closed = tokio::time::timeout(LOOK_EVERY, changed).await.is_ok_and(|it| it.is_err());
                if ledger_is_closed {
                    return;
                }
                if !app.graph.is_in_place() {
                    app.graph.give_up("its folder was removed".to_owned());
                } else if checked.elapsed() > CHECK_EVERY {
                    check_graph(&app).await;
                    checked = Instant::now();
                }
            }
            Err(Error::Ledger(catalog_records::Error::Closed)) => return,
            Err(error) => {
                tracing::error!(error = with_sources(&error), "the RDF store could not follow; it will try again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Reads every byte of the RDF store's files and has them filled anew when one is damaged.
async fn check_graph(app: &Arc<App>) {
    let graph = Arc::clone(&app.graph);
    if let Err(error) = blocking(move || Ok(graph.check()?)).await {
        app.graph.give_up(error.to_string());
    }
}

/// Brings the RDF store up to what the ledger holds now: record by record, or anew when most records have changed, which
/// is faster.
async fn catch_up_graph(app: &Arc<App>) -> Result<(), Error> {
    let target = app.ledger.last_seq();
    while app.graph.applied_seq() < target {
        if is_worth_filling(&app.ledger, &app.graph).await? {
            return fill_graph(app, "most records have changed").await;
        }
        let Some(changed) = changed_since(&app.ledger, app.graph.applied_seq()).await? else { return Ok(()) };
        let (graph, projection) = (Arc::clone(&app.graph), Arc::clone(&app.projection));
        let said = said_of(&app.ledger, &changed.shown).await?;
        blocking(move || {
            let change = |record: &StoredRecord| projection.change(record, said.get(&record.id));
            let mut changes: Vec<_> = changed.shown.iter().filter_map(change).collect();
            changes.extend(changed.gone.iter().filter_map(|key| projection.removal(key)));
            Ok(graph.apply(&changes, changed.seq)?)
        })
        .await?;
    }
    Ok(())
}

/// Fills the public store anew.
async fn fill_graph(app: &Arc<App>, cause: &str) -> Result<(), Error> {
    tracing::info!(cause, "filling the RDF store");
    let count = fill_store(app, &app.graph, Projection::change).await?;
    tracing::info!(count, "the RDF store is filled");
    Ok(())
}

/// What a store is to say of a record, given what each source says of it.
type Says = fn(&Projection, &StoredRecord, Option<&StoredSayings>) -> Option<catalog_graph::Change>;

/// Fills a new generation beside the one that answers, then swaps; returns how many records were read.
pub(crate) async fn fill_store(app: &Arc<App>, store: &Arc<Store>, says: Says) -> Result<usize, Error> {
    let seq = app.ledger.last_seq();
    let (filled, projection) = (Arc::clone(store), Arc::clone(&app.projection));
    let mut rebuild = blocking(move || {
        let mut rebuild = filled.rebuild()?;
        projection.vocabulary(&mut rebuild)?;
        Ok(rebuild)
    })
    .await?;
    let (mut after, mut count) = (0, 0);
    loop {
        let records = app.ledger.scan(after, SCAN).await?;
        let Some(last) = records.last() else { break };
        after = last.id;
        count += records.len();
        let projection = Arc::clone(&app.projection);
        let said = said_of(&app.ledger, &records).await?;
        rebuild = blocking(move || {
            let change = |record: &StoredRecord| says(&projection, record, said.get(&record.id));
            let changes: Vec<_> = records.iter().filter_map(change).collect();
            rebuild.fill(&changes)?;
            Ok(rebuild)
        })
        .await?;
    }
    let store = Arc::clone(store);
    blocking(move || Ok(store.install(rebuild, seq)?)).await?;
    Ok(count)
}

/// Says whether so much has changed since a store's sequence that filling it anew is faster than following.
pub(crate) async fn is_worth_filling(ledger: &Ledger, store: &Store) -> Result<bool, Error> {
    let behind = ledger.last_seq().saturating_sub(store.applied_seq());
    Ok(behind >= WORTH_FILLING && behind > ledger.count().await? / 2)
}

/// Gathers what each source says, of the few records of which more than one speaks.
pub(crate) async fn said_of(ledger: &Ledger, records: &[StoredRecord]) -> Result<HashMap<i64, StoredSayings>, Error> {
    let mut said = HashMap::new();
    for record in records.iter().filter(|record| record.overlaid && record.state.is_public()) {
        said.insert(record.id, ledger.sayings(&record.zone, &record.identifier).await?);
    }
    Ok(said)
}

/// What changed after a sequence, as it is now.
struct Changed {
    /// Records to show.
    shown: Vec<StoredRecord>,
    /// Keys of records to show no more.
    gone: Vec<String>,
    /// The sequence of the last change among them.
    seq: u64,
}

async fn changed_since(ledger: &Ledger, seq: u64) -> Result<Option<Changed>, Error> {
    let changes = ledger.changes_after(seq, BATCH).await?;
    let Some(seq) = changes.iter().map(|change| change.seq).max() else { return Ok(None) };
    let keys: Vec<_> =
        changes.iter().map(|Change { zone, identifier, .. }| (zone.clone(), identifier.clone())).collect();
    let (shown, hidden): (Vec<_>, Vec<_>) = ledger.records(&keys).await?.into_iter().partition(is_listed);
    let gone = hidden.iter().map(|record| format!("{}/{}", record.zone, record.identifier)).collect();
    Ok(Some(Changed { shown, gone, seq }))
}

/// Runs what computes or reads files off the threads that answer requests.
pub(crate) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(run).await?
}
