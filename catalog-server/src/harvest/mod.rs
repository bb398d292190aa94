//! Harvesting: sources run as their schedules say, one run a source, and every run is staged, guarded and applied at once.
//!
//! The harvester crate reads and maps; this module decides. What a source says is validated here again, compared with what
//! it said last, and made true in one transaction of the ledger. An error never deletes.

mod batch;
mod drive;
mod judge;
mod keepsake;
mod schedule;
mod zone;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catalog_harvester::{Mappings, Settings, Source, SourceKind};
use catalog_records::{Actor, Interrupted, Lease, Origin, StoredSource};
use catalog_schemas::harvest::{RunView, SourceSettings, SourceView};
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use url::Url;

pub use schedule::{InvalidSchedule, Schedule};

use crate::app::App;
use crate::http::problem::Failure;

/// Runs that read at once: two cores are easily kept busy by two.
const TOGETHER: usize = 2;
/// How often it is looked whether a source is due.
const LOOK: Duration = Duration::from_secs(5);
/// How long a driver may give no sign of life before its run counts as interrupted.
const LEASE: Duration = Duration::from_secs(600);

/// Why a source cannot be used as it is described.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Its id is no word.
    #[error("the id `{0}` is not a word of lower-case letters, digits and `-` of at most 40 characters")]
    Id(String),
    /// Its id is a zone or a source that exists otherwise.
    #[error("the id `{0}` is taken: {1}")]
    Taken(String, &'static str),
    /// Its schedule is none.
    #[error(transparent)]
    Schedule(#[from] InvalidSchedule),
    /// Its address is none.
    #[error("the address `{0}` is not an http(s) URL without user and password")]
    Url(String),
    /// A share of more than everything.
    #[error("maxDeleteFraction is {0}, but it takes thousandths: 0 to 1000")]
    Fraction(u32),
    /// The harvester does not understand it.
    #[error("{0}")]
    Kind(String),
}

/// What drives runs.
#[derive(Debug, Default)]
pub struct Harvester {
    wake: Notify,
    /// Runs that this process drives.
    driven: Mutex<HashSet<String>>,
}

/// Keys of a source that are the server's and not the harvester's.
const OURS: [&str; 4] = ["name", "schedule", "precedence", "maxDeleteFraction"];

/// Checks what an operator says of a source, as far as that is possible without asking it.
///
/// # Errors
///
/// What is wrong with it.
pub fn check(app_zone: &str, settings: &SourceSettings) -> Result<(), SettingsError> {
    let id = settings.id.as_str();
    let is_word = id.len() <= 40
        && id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_word {
        return Err(SettingsError::Id(id.chars().take(80).collect()));
    }
    for (taken, why) in [
        (app_zone, "it is this zone"),
        ("overlay", "moderators' words are kept under it"),
        ("vocabulary", "the concept schemes are kept under it"),
    ] {
        if id == taken {
            return Err(SettingsError::Taken(id.to_owned(), why));
        }
    }
    if let Some(schedule) = &settings.schedule {
        schedule.parse::<Schedule>()?;
    }
    if let Some(fraction) = settings.max_delete_fraction.filter(|fraction| *fraction > 1000) {
        return Err(SettingsError::Fraction(fraction));
    }
    let parsed = parsed(settings)?;
    if parsed.kind == SourceKind::Alidade || parsed.url.is_some() {
        url(settings)?;
    }
    if parsed.kind != SourceKind::Alidade {
        read_by_the_harvester(parsed)?;
    }
    Ok(())
}

fn url(settings: &SourceSettings) -> Result<Url, SettingsError> {
    let refused = || SettingsError::Url(settings.url.chars().take(200).collect());
    let url = Url::parse(&settings.url).map_err(|_| refused())?;
    let is_plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if is_plain && url.has_host() { Ok(url) } else { Err(refused()) }
}

/// Gives the harvester its part of the settings.
fn parsed(settings: &SourceSettings) -> Result<Settings, SettingsError> {
    let mut json = serde_json::to_value(settings).map_err(|error| SettingsError::Kind(error.to_string()))?;
    if let Some(object) = json.as_object_mut() {
        object.retain(|key, _| !OURS.contains(&key.as_str()));
    }
    Settings::from_json(json).map_err(|error| SettingsError::Kind(error.to_string()))
}

/// Makes a source of a kind that the harvester reads.
fn read_by_the_harvester(settings: Settings) -> Result<Box<dyn Source>, SettingsError> {
    let fault = |error: catalog_harvester::Error| SettingsError::Kind(error.to_string());
    catalog_harvester::open(settings, Mappings::installed().map_err(fault)?).map_err(fault)
}

/// Makes a source of its settings.
fn open(app: &Arc<App>, settings: &SourceSettings) -> Result<Box<dyn Source>, SettingsError> {
    let mut parsed = parsed(settings)?;
    if parsed.kind != SourceKind::Alidade {
        parsed.kept = Some(pages(app, &settings.id));
        return read_by_the_harvester(parsed);
    }
    let mut base = url(settings)?;
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(Box::new(zone::ZoneSource {
        id: settings.id.clone(),
        base,
        private: settings.allow_private_addresses.unwrap_or_default(),
        own: app.config.zone.id.clone(),
        ledger: app.ledger.clone(),
        homes: Arc::clone(&app.homes),
    }))
}

/// Returns where pages of a source are kept between its runs.
fn pages(app: &App, source: &str) -> PathBuf {
    app.config.data_dir.join("pages").join(source)
}

/// Deletes the pages that are kept of sources that are no more.
async fn forget_pages(app: &App) -> Result<(), Failure> {
    let sources: HashSet<String> =
        app.ledger.harvest_sources().await?.into_iter().map(|source| source.settings.id).collect();
    for entry in std::fs::read_dir(app.config.data_dir.join("pages")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_none_or(|name| !sources.contains(name)) {
            let _ = tokio::fs::remove_dir_all(entry.path()).await;
        }
    }
    Ok(())
}

/// Recalls where the zones that were harvested before are at home.
///
/// # Errors
///
/// Those of the ledger.
pub async fn learn_homes(app: &App) -> Result<(), Failure> {
    for (zone, base) in app.ledger.zone_bases().await? {
        app.homes.learn(&zone, &base);
    }
    Ok(())
}

/// Brings the ledger's sources in step with the configuration, and starts whatever is due from now on.
///
/// # Errors
///
/// A source that cannot be used, or whatever the ledger refuses.
pub async fn start(app: &Arc<App>) -> Result<(), Failure> {
    for settings in &app.config.source {
        app.ledger
            .source_define(settings.clone(), Origin::Configuration, &Actor::application(), "configuration")
            .await?;
    }
    let ids = app.config.source.iter().map(|source| source.id.clone()).collect();
    app.ledger.sources_keep(ids).await?;
    forget_pages(app).await?;
    // This process holds the data folder: whoever drove a run before is gone.
    let forever = Timestamp::MAX;
    for Interrupted { source, goes_on } in app.ledger.runs_interrupt(forever).await? {
        tracing::warn!(source, goes_on, "a run was interrupted; it goes on where it was, or its source is read again");
    }
    tokio::spawn(keep_running(Arc::clone(app)));
    Ok(())
}

async fn keep_running(app: Arc<App>) {
    let slots = Arc::new(Semaphore::new(TOGETHER));
    loop {
        if let Err(failure) = look(&app, &slots).await {
            tracing::error!(error = failure.words(), "sources could not be looked after");
        }
        tokio::select! {
            () = app.harvester.wake.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Queues what is due and takes up what is queued.
async fn look(app: &Arc<App>, slots: &Arc<Semaphore>) -> Result<(), Failure> {
    let now = Timestamp::now();
    let long_ago = now.checked_sub(LEASE).unwrap_or(Timestamp::MIN);
    app.ledger.runs_interrupt(long_ago).await?;
    for source in app.ledger.harvest_sources().await? {
        let id = &source.settings.id;
        match source.next_run {
            None if source.settings.schedule.is_some() && source.last_success.is_none() && source.failures == 0 => {
                app.ledger.source_plan(id, Some(now)).await?;
                app.harvester.wake.notify_one();
            }
            Some(next) if next <= now => {
                app.ledger.source_plan(id, drive::next_run(&source, 0, None)).await?;
                app.ledger.run_queue(id, false, "schedule", "schedule").await.map(drop).or_else(passing)?;
            }
            _ => {}
        }
    }
    for (source, run) in app.ledger.runs_queued().await? {
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else { break };
        if !app.harvester.begin(&source) {
            continue;
        }
        let app = Arc::clone(app);
        let lease = lease(&source, run);
        tokio::spawn(async move {
            if let Err(failure) = drive::drive(&app, lease).await {
                tracing::error!(source, run, error = failure.words(), "a run could not be driven to its end");
            }
            drop(slot);
            app.harvester.finish(&source);
        });
    }
    Ok(())
}

fn passing(error: catalog_records::Error) -> Result<(), Failure> {
    match error {
        // Somebody asked for a dry run, which is on its way; the next look comes soon.
        catalog_records::Error::Refused(_) => Ok(()),
        error => Err(error.into()),
    }
}

fn lease(source: &str, run: u64) -> Lease {
    Lease { source: source.to_owned(), run, token: uuid::Uuid::new_v4().simple().to_string() }
}

impl Harvester {
    fn begin(&self, source: &str) -> bool {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner).insert(source.to_owned())
    }

    fn finish(&self, source: &str) {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
        self.wake.notify_one();
    }

    /// Lets what was queued be taken up now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Approves a held run and makes it true.
///
/// # Errors
///
/// When the run is not held, or whatever the ledger refuses.
pub async fn approve(app: &Arc<App>, id: &str, run: u64, actor: &Actor, request: &str) -> Result<RunView, Failure> {
    let source = app.ledger.source(id).await?.ok_or_else(|| Failure::not_found("source", id))?;
    let lease = lease(id, run);
    app.ledger.run_approve(&lease, actor, request).await?;
    let next = drive::next_run(&source, 0, None);
    drive::apply(app, &source, &lease, next).await?;
    app.ledger.run(id, run).await?.ok_or_else(|| Failure::not_found("run", &format!("{id}/{run}")))
}

/// Says how a source is.
///
/// # Errors
///
/// Those of the ledger.
pub async fn view(app: &App, source: StoredSource) -> Result<SourceView, Failure> {
    let id = source.settings.id.clone();
    let runs = app.ledger.runs(&id, 20).await?;
    let last_run = runs.into_iter().next();
    let health = match last_run.as_ref().map(|run| run.state.as_str()) {
        None => "never-run",
        Some("running" | "queued") => "running",
        Some("held") => "held",
        Some("failed" | "interrupted") => "failing",
        _ if last_run.as_ref().is_some_and(|run| run.state == "completed" && !run.complete && !run.dry_run) => {
            "incomplete"
        }
        Some(_) if source.failures > 0 => "failing",
        Some(_) => "good",
    };
    Ok(SourceView {
        origin: source.origin.as_str().to_owned(),
        health: health.to_owned(),
        records: app.ledger.source_records(&id).await?,
        failures: source.failures,
        last_run,
        last_success: source.last_success.map(|at| at.to_string()),
        next_run: source.next_run.map(|at| at.to_string()),
        settings: source.settings,
    })
}
