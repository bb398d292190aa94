//! The reconcile loop: one task a launch, each driving its row to its end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catalog_launch::reconcile::{Deadlines, Update, drive, orphans};
use catalog_launch::{LogLine, Progress};
use catalog_records::{LaunchUpdate, StoredLaunch};
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::LaunchState;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};

use super::Launcher;

/// How often what nobody asked about is looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(15);

/// How long something with our label but without a row is left alone (FAULTS R25).
const QUARANTINE: SignedDuration = SignedDuration::from_mins(10);

/// The launches that have a driver now, and how to wake it.
#[derive(Default)]
pub(super) struct Drivers {
    awake: Mutex<HashMap<String, Arc<Driver>>>,
}

/// How a launch's driver is called.
#[derive(Default)]
pub(super) struct Driver {
    /// Somebody changed the row: what is under way is given up.
    asked: Notify,
    /// The backend saw a change: the pause is over.
    changed: Notify,
}

impl Drivers {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Driver>>> {
        self.awake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a launch's driver that its row was changed, or starts one.
pub(super) fn wake(launcher: &Launcher, id: &str) {
    if let Some(driver) = attend(launcher, id) {
        driver.asked.notify_one();
    }
}

/// Starts a launch's driver unless it has one, which is left to its work and returned.
fn attend(launcher: &Launcher, id: &str) -> Option<Arc<Driver>> {
    let mut drivers = launcher.shared.drivers.lock();
    if let Some(driver) = drivers.get(id) {
        return Some(Arc::clone(driver));
    }
    let notify = Arc::new(Driver::default());
    drivers.insert(id.to_owned(), Arc::clone(&notify));
    let (launcher, id) = (launcher.clone(), id.to_owned());
    tokio::spawn(async move {
        run(&launcher, &id, &notify).await;
        launcher.shared.drivers.lock().remove(&id);
    });
    None
}

/// Drives one launch until it is over.
async fn run(launcher: &Launcher, id: &str, notify: &Driver) {
    let mut looks = 0;
    loop {
        let stored = match launcher.shared.ledger.launch(id).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(launch = id, %error, "a launch could not be read; trying again");
                tokio::time::sleep(Duration::from_secs(2)).await;
                continue;
            }
        };
        let was_final = stored.launch.state.is_final();
        // A request to stop interrupts whatever is under way, a long pull for one.
        let update = tokio::select! {
            update = advance(launcher, &stored) => update,
            () = notify.asked.notified() => continue,
        };
        let Some(update) = update else { return };
        tracing::debug!(
            launch = id,
            looks,
            stage = update.launch.stage,
            state = update.launch.state.as_str(),
            "a launch was looked at"
        );
        let again = update.again;
        let state = update.launch.state;
        if !persist(launcher, &stored, update).await {
            continue;
        }
        if was_final && !again {
            return;
        }
        if !again {
            let pause = pause(state, looks);
            looks = if state == stored.launch.state { looks + 1 } else { 0 };
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                () = notify.asked.notified() => (),
                () = notify.changed.notified() => (),
            }
        }
    }
}

/// How long to wait before looking again, after so many looks at the same state: what starts in a moment is seen in a moment.
fn pause(state: LaunchState, looks: u32) -> Duration {
    match state {
        LaunchState::Ready | LaunchState::Running => Duration::from_secs(3),
        LaunchState::Completed | LaunchState::Cancelled | LaunchState::Failed => Duration::ZERO,
        _ => Duration::from_millis(10).saturating_mul(1 + looks).min(Duration::from_millis(250)),
    }
}

/// Takes one step and shows how far a pull is while it takes.
async fn advance(launcher: &Launcher, stored: &StoredLaunch) -> Option<Update> {
    let backend = launcher.shared.zones.backend(&stored.launch.datazone);
    let (Some(backend), Ok(spec)) = (backend, serde_json::from_str(&stored.spec)) else {
        tracing::error!(
            launch = stored.launch.id,
            "a launch cannot be driven: its datazone or its description is gone"
        );
        return None;
    };
    let (tell, mut told) = watch::channel(None::<Progress>);
    let progress = move |progress| {
        tell.send_replace(Some(progress));
    };
    let idle = stored.launch.idle_minutes.map(|minutes| SignedDuration::from_mins(minutes.into()));
    let mut deadlines = Deadlines { idle, ..Deadlines::default() };
    if backend.kind() == catalog_launch::BackendKind::Remote {
        // Whether the other server has begun is unknown until it answers; it is asked by the launch's key, and a launch
        // that it may be starting is not given up in a hurry (FAULTS R28).
        deadlines.unreachable = deadlines.prepare;
        deadlines.start = deadlines.prepare;
    }
    let step = drive(backend.as_ref(), &spec, &stored.launch, stored.entered, &deadlines, &progress);
    tokio::pin!(step);
    loop {
        tokio::select! {
            // What is done is not kept waiting for what is only shown.
            biased;
            update = &mut step => return Some(update),
            Ok(()) = told.changed() => {
                let stage = told.borrow_and_update().as_ref().map(ToString::to_string);
                let mut launch = stored.launch.clone();
                launch.stage = stage;
                let update = LaunchUpdate { id: launch.id.clone(), expected: vec![launch.state], launch, handle: None, message: None, by: None };
                // Progress is only shown; the step's own update counts.
                let _ = launcher.shared.ledger.launch_update(update).await;
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }
}

/// Keeps the log of what is being removed: it is the last chance.
async fn keep_log(launcher: &Launcher, id: &str, lines: &[LogLine]) {
    let lines: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
    if let Err(error) = launcher.shared.ledger.launch_log_keep(id, &lines).await {
        tracing::warn!(launch = id, %error, "a launch's log could not be kept");
    }
}

/// Writes a step down if nobody else changed the launch in between; says whether it did.
async fn persist(launcher: &Launcher, stored: &StoredLaunch, update: Update) -> bool {
    if let Some(log) = &update.log {
        keep_log(launcher, &stored.launch.id, log).await;
    }
    if !update.changed && update.message.is_none() {
        return true;
    }
    let digest = update.launch.digest.as_ref().filter(|_| stored.launch.digest.is_none());
    let message = match (update.message, digest) {
        (Some(message), Some(digest)) => Some(format!("{message}; the image is {digest}")),
        (None, Some(digest)) => Some(format!("the image is {digest}")),
        (message, None) => message,
    };
    let change = LaunchUpdate {
        id: stored.launch.id.clone(),
        expected: vec![stored.launch.state],
        launch: update.launch,
        handle: None,
        message,
        by: None,
    };
    match launcher.shared.ledger.launch_update(change).await {
        Ok(_) => true,
        Err(catalog_records::Error::LaunchState { .. }) => false,
        Err(error) => {
            tracing::warn!(launch = stored.launch.id, %error, "a launch's step could not be written; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
            false
        }
    }
}

/// Drives what is not over and has no driver, finishes what is over and still there, removes what nobody knows.
pub(super) async fn sweep(launcher: Launcher) {
    let mut first_seen: BTreeMap<String, BTreeMap<LaunchId, Timestamp>> = BTreeMap::new();
    loop {
        match launcher.shared.ledger.live_launches().await {
            Ok(live) => live.iter().for_each(|stored| _ = attend(&launcher, &stored.launch.id)),
            Err(error) => tracing::warn!(%error, "live launches could not be read"),
        }
        let zones: Vec<String> = launcher.shared.zones.ids().map(str::to_owned).collect();
        for zone in zones {
            clean(&launcher, &zone, first_seen.entry(zone.clone()).or_default()).await;
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

/// Wakes the drivers of launches that a datazone says have changed, so that a lab that ends is seen at once and not when
/// it is next looked at.
pub(super) async fn listen(launcher: Launcher, zone: String) {
    let Some(backend) = launcher.shared.zones.backend(&zone) else { return };
    loop {
        let mut changes = backend.changes();
        while let Some(launch) = changes.next().await {
            let live = launcher.shared.drivers.lock().get(launch.as_str()).cloned();
            if let Some(driver) = live {
                driver.changed.notify_one();
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn clean(launcher: &Launcher, zone: &str, first_seen: &mut BTreeMap<LaunchId, Timestamp>) {
    let Some(backend) = launcher.shared.zones.backend(zone) else { return };
    // A zone that does not answer is cleaned when it does.
    let Ok(listed) = backend.list().await else { return };
    let mut known = BTreeSet::new();
    for item in &listed {
        match launcher.shared.ledger.launch(item.launch.as_str()).await {
            Ok(Some(stored)) => {
                if stored.launch.state.is_final() {
                    attend(launcher, item.launch.as_str());
                }
                known.insert(item.launch.clone());
            }
            Ok(None) => {}
            // What cannot be looked up is not called unknown.
            Err(_) => {
                known.insert(item.launch.clone());
            }
        }
    }
    for orphan in orphans(&listed, &known, first_seen, Timestamp::now(), QUARANTINE) {
        tracing::warn!(zone, launch = %orphan, "something with our label and without a row is removed");
        if let Err(error) = backend.remove(&orphan).await {
            tracing::warn!(zone, launch = %orphan, %error, "it could not be removed");
        }
    }
}
