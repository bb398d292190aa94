//! Launches: the intent, its state and its events.

use catalog_schemas::launch::{Launch, LaunchEvent, LaunchState};
use jiff::Timestamp;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteRow;

use crate::account::Actor;
use crate::error::Error;
use crate::idempotency::{self, IdempotencyKey};
use crate::names::AccountName;
use crate::offer::{self, LaunchQuota};
use crate::open::Ledger;
use crate::row::{Connection, Database, column, counted, optional_time, sha256, stored, time, unsigned, word};
use crate::writer::{Operation, Writing};

/// A launch to be recorded.
#[derive(Debug, Clone)]
pub struct NewLaunch {
    /// The launch; its `id`, `owner` and `state` are what counts.
    pub launch: Launch,
    /// What the backend is told, as JSON; never shown.
    pub spec: String,
    /// What was asked for and which offer answered it, as JSON; what it can be repeated from.
    pub asked: Option<String>,
    /// The offer that it takes; gone afterwards, with the others of its plan.
    pub offer: Option<String>,
    /// What the owner may have, this launch included.
    pub quota: LaunchQuota,
    /// The request's key, when its sender gave one.
    pub idempotency: Option<IdempotencyKey>,
    /// Who asks.
    pub actor: Actor,
    /// The request.
    pub request: String,
}

/// What became of a launch to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchCreated {
    /// It is recorded.
    New(StoredLaunch),
    /// The same request had recorded this one.
    Existing(StoredLaunch),
}

/// A change of a launch.
#[derive(Debug, Clone)]
pub struct LaunchUpdate {
    /// The launch.
    pub id: String,
    /// The states in which it must be; any when empty.
    pub expected: Vec<LaunchState>,
    /// What it becomes.
    pub launch: Launch,
    /// What the backend calls it, when that became known.
    pub handle: Option<String>,
    /// The event in words, when the step is worth one.
    pub message: Option<String>,
    /// Who asked for it and with which request, for the audit trail; nobody when it is the platform that follows the
    /// backend, of which the launch's events are the trail.
    pub by: Option<(Actor, String)>,
}

/// A launch as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLaunch {
    /// The launch.
    pub launch: Launch,
    /// What the backend is told, as JSON; never shown.
    pub spec: String,
    /// What was asked for and which offer answered it, as JSON.
    pub asked: Option<String>,
    /// What the backend calls it.
    pub handle: Option<String>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// When it came into its state.
    pub entered: Timestamp,
    /// When it will be stopped unless renewed.
    pub expires: Option<Timestamp>,
}

/// Which launches to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchFilter {
    /// Only this owner's.
    pub owner: Option<AccountName>,
    /// Only in this datazone.
    pub datazone: Option<String>,
    /// Only those that are not over.
    pub live: bool,
    /// At most so many; 0 is 1,000.
    pub limit: u32,
}

fn launch(row: &SqliteRow) -> Result<StoredLaunch, Error> {
    let document: &str = column(row, "document")?;
    Ok(StoredLaunch {
        launch: serde_json::from_str(document)
            .map_err(|error| Error::Invalid { column: "launch", detail: error.to_string() })?,
        spec: column(row, "spec")?,
        asked: column(row, "asked")?,
        handle: column(row, "handle")?,
        created: time(row, "created")?,
        updated: time(row, "updated")?,
        entered: time(row, "entered")?,
        expires: optional_time(row, "expires")?,
    })
}

fn document(launch: &Launch) -> Result<String, Error> {
    serde_json::to_string(launch).map_err(|error| Error::Invalid { column: "launch", detail: error.to_string() })
}

fn expires(launch: &Launch) -> Result<Option<i64>, Error> {
    let read = |text: &String| text.parse::<Timestamp>().map(Timestamp::as_millisecond);
    launch.expires.as_ref().map(read).transpose().map_err(|error| Error::Refused(format!("`expires`: {error}")))
}

async fn find(connection: &mut Connection, id: &str) -> Result<Option<StoredLaunch>, Error> {
    let row = sqlx::query("SELECT * FROM launch WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(|row| launch(&row)).transpose()
}

async fn found(connection: &mut Connection, id: &str) -> Result<StoredLaunch, Error> {
    find(connection, id).await?.ok_or_else(|| Error::not_found("launch", id))
}

async fn event(writing: &mut Writing, id: &str, state: LaunchState, message: &str) -> Result<(), Error> {
    let now = writing.now;
    sqlx::query(
        "INSERT INTO launch_event (launch, number, at, state, message) \
         SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4 FROM launch_event WHERE launch = $1",
    )
    .bind(id)
    .bind(now)
    .bind(state.as_str())
    .bind(message)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

impl Operation for NewLaunch {
    type Answer = LaunchCreated;

    async fn run(self, writing: &mut Writing) -> Result<LaunchCreated, Error> {
        let Launch { id, owner, state, datazone, .. } = &self.launch;
        if let Some(key) = &self.idempotency
            && let Some(before) = idempotency::claim(writing, self.actor.account.as_str(), key, id).await?
        {
            return found(writing.connection().await?, &before).await.map(LaunchCreated::Existing);
        }
        if let Some(offer) = &self.offer {
            offer::take(writing, offer, owner).await?;
        }
        // Counted where it is written: two at once are one after the other here.
        if !state.is_final() {
            let gpus = self.launch.requested.gpu.as_ref().map_or(0, |gpu| gpu.count);
            offer::make_room(writing, owner, datazone, gpus, &self.quota).await?;
        }
        let now = writing.now;
        sqlx::query(
            "INSERT INTO launch (id, owner, datazone, state, live, spec, document, created, updated, entered, expires, asked) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10)",
        )
        .bind(id.as_str())
        .bind(owner.as_str())
        .bind(datazone.as_str())
        .bind(state.as_str())
        .bind(i64::from(!state.is_final()))
        .bind(self.spec.as_str())
        .bind(document(&self.launch)?)
        .bind(now)
        .bind(expires(&self.launch)?)
        .bind(self.asked.as_deref())
        .execute(writing.connection().await?)
        .await?;
        event(writing, id, *state, "the launch is recorded").await?;
        let after = sha256(document(&self.launch)?.as_bytes());
        writing.audit(self.actor.account.as_str(), "launch.create", id, (None, Some(&after)), &self.request);
        found(writing.connection().await?, id).await.map(LaunchCreated::New)
    }
}

impl Operation for LaunchUpdate {
    type Answer = StoredLaunch;

    async fn run(self, writing: &mut Writing) -> Result<StoredLaunch, Error> {
        let before = found(writing.connection().await?, &self.id).await?;
        let state = before.launch.state;
        if !self.expected.is_empty() && !self.expected.contains(&state) {
            return Err(Error::LaunchState { id: self.id, found: state });
        }
        if state.is_final() && !self.launch.state.is_final() {
            // What is over stays over, so that its place in the quota cannot come back unself.
            return Err(Error::LaunchState { id: self.id, found: state });
        }
        if self.launch.id != self.id || self.launch.owner != before.launch.owner {
            return Err(Error::Refused(format!("the launch `{}` cannot become another or another's", self.id)));
        }
        let mut launch = self.launch;
        if self.by.is_none() {
            // These are not the reconcile loop's: what was renewed or used while it looked elsewhere stays so.
            launch.expires.clone_from(&before.launch.expires);
            launch.last_used.clone_from(&before.launch.last_used);
        }
        write(writing, &before, &launch, self.handle).await?;
        if let Some(message) = &self.message {
            event(writing, &self.id, launch.state, message).await?;
        }
        if let Some((actor, request)) = &self.by {
            audit(writing, actor, request, &before.launch, &launch)?;
        }
        found(writing.connection().await?, &self.id).await
    }
}

/// Writes a launch's row.
async fn write(
    writing: &mut Writing,
    before: &StoredLaunch,
    launch: &Launch,
    handle: Option<String>,
) -> Result<(), Error> {
    let now = writing.now;
    let entered = if launch.state == before.launch.state { before.entered.as_millisecond() } else { now };
    sqlx::query(
        "UPDATE launch SET state = $2, live = $3, document = $4, handle = COALESCE($5, handle), updated = $6, \
         expires = $7, datazone = $8, entered = $9 WHERE id = $1",
    )
    .bind(launch.id.as_str())
    .bind(launch.state.as_str())
    .bind(i64::from(!launch.state.is_final()))
    .bind(document(launch)?)
    .bind(handle)
    .bind(now)
    .bind(expires(launch)?)
    .bind(launch.datazone.as_str())
    .bind(entered)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

fn audit(writing: &mut Writing, actor: &Actor, request: &str, before: &Launch, after: &Launch) -> Result<(), Error> {
    let action = if before.state == after.state { "launch.change" } else { "launch.state" };
    let hash = |launch| document(launch).map(|text| sha256(text.as_bytes()));
    let (hash_before, hash_after) = (hash(before)?, hash(after)?);
    writing.audit(actor.account.as_str(), action, &after.id, (Some(&hash_before), Some(&hash_after)), request);
    Ok(())
}

/// A change of a few fields, made to the row as it is when it is written.
struct PatchLaunch<F> {
    id: String,
    patch: F,
    message: Option<String>,
    by: Option<(Actor, String)>,
}

impl<F> Operation for PatchLaunch<F>
where
    F: FnOnce(&mut Launch) -> bool + Send + 'static,
{
    type Answer = StoredLaunch;

    async fn run(self, writing: &mut Writing) -> Result<StoredLaunch, Error> {
        let before = found(writing.connection().await?, &self.id).await?;
        let mut launch = before.launch.clone();
        if !(self.patch)(&mut launch) {
            return Err(Error::LaunchState { id: self.id, found: before.launch.state });
        }
        write(writing, &before, &launch, None).await?;
        let message = self.message.filter(|_| self.by.is_some() || launch.state != before.launch.state);
        if let Some(message) = &message {
            event(writing, &self.id, launch.state, message).await?;
        }
        if let Some((actor, request)) = &self.by {
            audit(writing, actor, request, &before.launch, &launch)?;
        }
        found(writing.connection().await?, &self.id).await
    }
}
struct KeepLog {
    id: String,
    lines: String,
}

impl Operation for KeepLog {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        found(writing.connection().await?, &self.id).await?;
        let now = writing.now;
        sqlx::query(
            "INSERT INTO launch_log (launch, lines, at) VALUES ($1, $2, $3) \
             ON CONFLICT (launch) DO UPDATE SET lines = excluded.lines, at = excluded.at",
        )
        .bind(self.id)
        .bind(self.lines)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        Ok(())
    }
}

impl Ledger {
    /// Records a launch, unless its owner has as many live ones as allowed.
    pub async fn launch_create(&self, new: NewLaunch) -> Result<LaunchCreated, Error> {
        self.write(new).await
    }

    /// Changes a launch if it is in a state that the change expects; returns it as it is then.
    pub async fn launch_update(&self, update: LaunchUpdate) -> Result<StoredLaunch, Error> {
        self.write(update).await
    }

    /// Changes a few fields of a launch as it is when the change is written; the patch says no to a state that does not
    /// allow it. The message becomes an event when somebody asked for the change or the state is another.
    pub async fn launch_patch(
        &self,
        id: &str,
        patch: impl FnOnce(&mut Launch) -> bool + Send + 'static,
        message: Option<String>,
        by: Option<(Actor, String)>,
    ) -> Result<StoredLaunch, Error> {
        self.write(PatchLaunch { id: id.to_owned(), patch, message, by }).await
    }

    /// Keeps the end of a launch's log; the newest kept is what counts.
    pub async fn launch_log_keep(&self, id: &str, lines: &[String]) -> Result<(), Error> {
        let lines = serde_json::to_string(lines)
            .map_err(|error| Error::Invalid { column: "launch log", detail: error.to_string() })?;
        self.write(KeepLog { id: id.to_owned(), lines }).await
    }

    /// Reads the kept end of a launch's log; empty when none was kept.
    pub async fn launch_log(&self, id: &str) -> Result<Vec<String>, Error> {
        let row = sqlx::query("SELECT lines FROM launch_log WHERE launch = $1")
            .bind(id)
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(Vec::new()) };
        serde_json::from_str(column(&row, "lines")?)
            .map_err(|error| Error::Invalid { column: "launch log", detail: error.to_string() })
    }

    /// Finds a launch.
    pub async fn launch(&self, id: &str) -> Result<Option<StoredLaunch>, Error> {
        find(&mut *self.readers().acquire().await?, id).await
    }

    /// Lists launches, newest first.
    pub async fn launches(&self, filter: &LaunchFilter) -> Result<Vec<StoredLaunch>, Error> {
        let mut query = QueryBuilder::<Database>::new("SELECT * FROM launch WHERE 1 = 1");
        if let Some(owner) = &filter.owner {
            query.push(" AND owner = ").push_bind(owner.as_str());
        }
        if let Some(datazone) = &filter.datazone {
            query.push(" AND datazone = ").push_bind(datazone.as_str());
        }
        if filter.live {
            query.push(" AND live = 1");
        }
        let limit = if filter.limit == 0 { 1000 } else { filter.limit };
        query.push(" ORDER BY created DESC, id DESC LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(self.readers()).await?.iter().map(launch).collect()
    }

    /// Lists every launch that is not over, oldest first: what the reconcile loop looks after.
    pub async fn live_launches(&self) -> Result<Vec<StoredLaunch>, Error> {
        let rows =
            sqlx::query("SELECT * FROM launch WHERE live = 1 ORDER BY created, id").fetch_all(self.readers()).await?;
        rows.iter().map(launch).collect()
    }

    /// Counts an owner's launches that are not over.
    pub async fn live_count(&self, owner: &AccountName) -> Result<u32, Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM launch WHERE live = 1 AND owner = $1")
            .bind(owner.as_str())
            .fetch_one(self.readers())
            .await?;
        Ok(u32::try_from(counted(count)).unwrap_or(u32::MAX))
    }

    /// Lists a launch's events after a number, oldest first.
    pub async fn launch_events(&self, id: &str, after: u64) -> Result<Vec<LaunchEvent>, Error> {
        let rows = sqlx::query(
            "SELECT number, at, state, message FROM launch_event WHERE launch = $1 AND number > $2 ORDER BY number",
        )
        .bind(id)
        .bind(stored(after))
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(LaunchEvent {
                    number: unsigned(row, "number")?,
                    at: time(row, "at")?.to_string(),
                    state: word(row, "state", LaunchState::from_word)?,
                    message: column(row, "message")?,
                })
            })
            .collect()
    }
}
