//! The workers that are there, and who waits for one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog_graph::worker::{Allowance, Cause, Refusal, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::budget::{Budgets, Client};
use super::relay::{Answer, relay};
use super::worker::Worker;
use crate::config::Sparql;

/// Queries that may wait for a worker; more are asked to come again at once.
const QUEUE: usize = 16;

/// How long a query may wait for a worker.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers that are on their way to slow readers; each holds at most two mebibytes.
const DELIVERIES: usize = 64;

/// Why a query was not even begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Too many queries run and wait.
    #[error("too many queries are running; try again in a moment")]
    Busy,
    /// The client has used up its budget.
    #[error("you have used up your seconds of evaluation; they come back within a minute")]
    Budget(Duration),
    /// No worker can be started.
    #[error("no worker can be started: {0}")]
    NoWorker(String),
}

/// A few workers, one query each at a time.
pub struct Pool {
    settings: Sparql,
    workers: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    deliveries: Arc<Semaphore>,
    idle: Mutex<Vec<Worker>>,
    budgets: Arc<Budgets>,
}

/// What an evaluation holds until it ends.
pub(super) struct Turn {
    pub(super) pool: Arc<Pool>,
    pub(super) worker: Worker,
    /// When it must be over.
    pub(super) deadline: Instant,
    _slot: OwnedSemaphorePermit,
    _charge: super::budget::Charge,
}

impl Turn {
    /// Gives the worker back for the next query.
    pub(super) fn end(self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.worker);
    }

    /// Ends the worker; another one takes its place.
    pub(super) fn kill(self) {
        drop(self.worker);
        self.pool.refill();
    }

    /// Finds out why the worker ended; another one takes its place.
    pub(super) async fn post_mortem(self) -> Refusal {
        self.pool.refill();
        self.worker.post_mortem().await
    }
}

impl Pool {
    /// Makes a pool without workers yet.
    pub fn new(settings: Sparql) -> Arc<Self> {
        Arc::new(Self {
            settings,
            workers: Arc::new(Semaphore::new(settings.workers)),
            queue: Arc::new(Semaphore::new(QUEUE)),
            deliveries: Arc::new(Semaphore::new(DELIVERIES)),
            idle: Mutex::new(Vec::new()),
            budgets: Arc::new(Budgets::new(settings.budget_seconds)),
        })
    }

    /// Starts the workers ahead of the first query.
    pub fn start(&self) {
        for _ in 0..self.settings.workers {
            self.refill();
        }
    }

    /// Returns what an answer for a client may use.
    pub fn allowance(&self, client: &Client) -> Allowance {
        let Sparql { seconds, seconds_signed_in, rows, mebibytes, memory_mib, .. } = self.settings;
        let seconds = if matches!(client, Client::Account(_)) { seconds_signed_in } else { seconds };
        Allowance { time: Duration::from_secs(seconds), rows, bytes: mebibytes << 20, memory: memory_mib << 20 }
    }

    /// Returns the seconds of a full budget, and the seconds over which it fills.
    pub fn policy(&self) -> (f64, f64) {
        self.budgets.policy()
    }

    /// Returns how many queries could start now.
    pub fn free(&self) -> usize {
        self.workers.available_permits()
    }

    /// Returns the seconds that a client has left, or how long it must wait until it may ask again.
    pub fn budget(&self, client: &Client) -> Result<f64, NotNow> {
        self.budgets.left(client, Instant::now()).map_err(NotNow::Budget)
    }

    /// Asks a worker for an answer, after a wait when all are at work.
    ///
    /// Dropping the future, or the answer's body, ends the evaluation.
    pub async fn ask(self: &Arc<Self>, client: Client, request: Request) -> Result<Result<Answer, Refusal>, NotNow> {
        // The wait counts: whoever asks knows nothing of others, only when an answer is due.
        let deadline = Instant::now() + request.allowance.time;
        self.budget(&client)?;
        let slot = self.wait_for_slot().await?;
        // Others of the same client may have used it up meanwhile.
        self.budget(&client)?;
        let delivery = Arc::clone(&self.deliveries).try_acquire_owned().map_err(|_| NotNow::Busy)?;
        let worker = self.worker().map_err(|error| NotNow::NoWorker(error.to_string()))?;
        let charge = self.budgets.start(client);
        let turn = Turn { pool: Arc::clone(self), worker, deadline, _slot: slot, _charge: charge };
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            relay(turn, request, answer).await;
            drop(delivery);
        });
        let lost = || Refusal::new(Cause::Internal, "the answer was lost");
        Ok(answered.await.unwrap_or_else(|_| Err(lost())))
    }

    async fn wait_for_slot(&self) -> Result<OwnedSemaphorePermit, NotNow> {
        if let Ok(slot) = Arc::clone(&self.workers).try_acquire_owned() {
            return Ok(slot);
        }
        let _place = self.queue.try_acquire().map_err(|_| NotNow::Busy)?;
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.workers).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(NotNow::Busy),
        }
    }

    /// Takes a worker that waits, or starts one.
    fn worker(&self) -> std::io::Result<Worker> {
        loop {
            let waiting = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut worker) = waiting else { return Worker::start() };
            if worker.is_alive() {
                return Ok(worker);
            }
        }
    }

    /// Starts a worker ahead of the next query.
    fn refill(&self) {
        match Worker::start() {
            Ok(worker) => self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker),
            // The next query tries again and tells its client.
            Err(error) => tracing::error!(%error, "no worker for queries can be started"),
        }
    }
}
