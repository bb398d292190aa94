//! The sources that an operator configured.

use catalog_schemas::harvest::SourceSettings;
use catalog_schemas::id::Namespace;
use sqlx::sqlite::SqliteRow;

use crate::account::Actor;
use crate::error::Error;
use crate::group;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, optional_time, sha256};
use crate::writer::{Operation, Writing};

/// Who described a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file, which the API does not change.
    Configuration,
    /// An administrator, by the API.
    Api,
}

impl Origin {
    /// Returns the word used in JSON and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Api => "api",
        }
    }
}

/// A source as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSource {
    /// What the operator chose.
    pub settings: SourceSettings,
    /// Who described it.
    pub origin: Origin,
    /// Whether it is only there for what it once said.
    pub retired: bool,
    /// The home zone that it speaks for, when it is a zone.
    pub zone: Option<String>,
    /// Where an incremental source stands.
    pub cursor: Option<String>,
    /// Runs that failed since the last that did not.
    pub failures: u32,
    /// When it is to run next.
    pub next_run: Option<jiff::Timestamp>,
    /// When a run of it was last applied.
    pub last_success: Option<jiff::Timestamp>,
}

pub(crate) fn stored_source(row: &SqliteRow) -> Result<StoredSource, Error> {
    let settings: &str = column(row, "settings")?;
    let origin: &str = column(row, "origin")?;
    Ok(StoredSource {
        settings: serde_json::from_str(settings)
            .map_err(|error| Error::Invalid { column: "settings", detail: error.to_string() })?,
        origin: if origin == "api" { Origin::Api } else { Origin::Configuration },
        retired: column::<i64>(row, "retired")? != 0,
        zone: column(row, "zone")?,
        cursor: column(row, "cursor")?,
        failures: u32::try_from(column::<i64>(row, "failures")?).unwrap_or(u32::MAX),
        next_run: optional_time(row, "next_run")?,
        last_success: optional_time(row, "last_success")?,
    })
}

struct Define {
    settings: SourceSettings,
    origin: Origin,
    actor: Actor,
    request: String,
}

impl Operation for Define {
    type Answer = bool;

    async fn run(self, writing: &mut Writing) -> Result<bool, Error> {
        let id = self.settings.id.as_str();
        let text = serde_json::to_string(&self.settings).map_err(|error| Error::Refused(error.to_string()))?;
        let now = writing.now;
        let row = sqlx::query("SELECT settings, origin, retired FROM source WHERE id = $1")
            .bind(id)
            .fetch_optional(writing.connection().await?)
            .await?;
        let before = row
            .map(|row| {
                let same = column::<String>(&row, "settings")? == text
                    && column::<String>(&row, "origin")? == self.origin.as_str()
                    && column::<i64>(&row, "retired")? == 0;
                Ok::<_, Error>((same, column::<String>(&row, "settings")?))
            })
            .transpose()?;
        if before.as_ref().is_some_and(|(same, _)| *same) {
            return Ok(false);
        }
        if before.is_none() {
            own_namespace(writing, id).await?;
        }
        // What was read by other settings says nothing of what is unchanged: the next run reads everything.
        sqlx::query(
            "INSERT INTO source (id, origin, settings, precedence, created) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, settings = excluded.settings, \
             precedence = excluded.precedence, retired = 0, cursor = NULL",
        )
        .bind(id)
        .bind(self.origin.as_str())
        .bind(text.as_str())
        .bind(i64::from(self.settings.precedence.unwrap_or_default()))
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        let before = before.map(|(_, text)| sha256(text.as_bytes()));
        let hashes = (before.as_deref(), Some(sha256(text.as_bytes())));
        writing.audit(self.actor.account.as_str(), "source.define", id, (hashes.0, hashes.1.as_deref()), &self.request);
        Ok(true)
    }
}

/// Takes the source's id as a namespace, so that nobody publishes what looks as if it were harvested.
async fn own_namespace(writing: &mut Writing, id: &str) -> Result<(), Error> {
    let namespace: Namespace = id.parse().map_err(|error| Error::Refused(format!("{error}")))?;
    // Whoever has a namespace below it would decide about what is harvested under that name.
    let taken: Vec<(String, String)> =
        sqlx::query_as("SELECT name, owner FROM namespace WHERE name = $1 OR substr(name, 1, $2) = $1 || '.'")
            .bind(id)
            .bind(id.len() as i64 + 1)
            .fetch_all(writing.connection().await?)
            .await?;
    let platform = AccountName::application();
    if let Some((name, _)) = taken.iter().find(|(_, owner)| owner != platform.as_str()) {
        let fix = format!("`{name}` is a namespace into which people publish: give the source another id");
        return Err(Error::Refused(fix));
    }
    if taken.iter().any(|(name, _)| name == id) { Ok(()) } else { group::claim(writing, &namespace, &platform).await }
}

/// Which sources are retired.
enum Which {
    /// Those of the configuration that are no longer in it.
    AllBut(Vec<String>),
    /// One.
    Only(String),
}

struct Retire {
    which: Which,
    actor: Actor,
    request: String,
}

impl Operation for Retire {
    type Answer = u64;

    async fn run(self, writing: &mut Writing) -> Result<u64, Error> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT id, origin FROM source WHERE retired = 0")
            .fetch_all(writing.connection().await?)
            .await?;
        let mut count = 0;
        for (id, origin) in rows {
            let goes = match &self.which {
                Which::AllBut(kept) => origin == "configuration" && !kept.contains(&id),
                Which::Only(only) => *only == id,
            };
            if goes {
                sqlx::query("UPDATE source SET retired = 1, next_run = NULL WHERE id = $1")
                    .bind(id.as_str())
                    .execute(writing.connection().await?)
                    .await?;
                writing.audit(self.actor.account.as_str(), "source.retire", &id, (None, None), &self.request);
                count += 1;
            }
        }
        Ok(count)
    }
}

struct Plan {
    id: String,
    next: Option<i64>,
}

impl Operation for Plan {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        sqlx::query("UPDATE source SET next_run = $2 WHERE id = $1")
            .bind(self.id.as_str())
            .bind(self.next)
            .execute(writing.connection().await?)
            .await?;
        Ok(())
    }
}

struct Pin {
    id: String,
    zone: String,
    base: String,
}

impl Operation for Pin {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let pinned: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT id, zone FROM source WHERE id = $1 OR zone = $2")
                .bind(self.id.as_str())
                .bind(self.zone.as_str())
                .fetch_all(writing.connection().await?)
                .await?;
        for (id, zone) in &pinned {
            if *id != self.id {
                return Err(Error::Refused(format!("the source `{id}` speaks for the zone `{}` already", self.zone)));
            }
            match zone {
                Some(zone) if *zone == self.zone => {}
                Some(zone) => {
                    return Err(Error::Refused(format!(
                        "the source `{id}` spoke for the zone `{zone}` and now says that it is `{}`",
                        self.zone
                    )));
                }
                None => {}
            }
        }
        sqlx::query("UPDATE source SET zone = $2, base = $3 WHERE id = $1")
            .bind(self.id.as_str())
            .bind(self.zone.as_str())
            .bind(self.base.as_str())
            .execute(writing.connection().await?)
            .await?;
        Ok(())
    }
}

impl Ledger {
    /// Describes a source, new or otherwise than before; says whether that changed anything.
    pub async fn source_define(
        &self,
        settings: SourceSettings,
        origin: Origin,
        actor: &Actor,
        request: &str,
    ) -> Result<bool, Error> {
        self.write(Define { settings, origin, actor: actor.clone(), request: request.to_owned() }).await
    }

    /// Retires the configuration's sources that are not among these; their records stay.
    pub async fn sources_keep(&self, ids: Vec<String>) -> Result<u64, Error> {
        let (actor, request) = (Actor::application(), "configuration".to_owned());
        self.write(Retire { which: Which::AllBut(ids), actor, request }).await
    }

    /// Retires a source; its records stay. Says whether there was one.
    pub async fn source_retire(&self, id: &str, actor: &Actor, request: &str) -> Result<bool, Error> {
        let (which, request) = (Which::Only(id.to_owned()), request.to_owned());
        Ok(self.write(Retire { which, actor: actor.clone(), request }).await? > 0)
    }

    /// Plans the next run of a source.
    pub async fn source_plan(&self, id: &str, next: Option<jiff::Timestamp>) -> Result<(), Error> {
        self.write(Plan { id: id.to_owned(), next: next.map(|next| next.as_millisecond()) }).await
    }

    /// Notes the zone that a source speaks for, and the base below which that mints identifiers; refuses another than before, or one for which another source speaks.
    pub async fn source_pin_zone(&self, id: &str, zone: &str, base: &str) -> Result<(), Error> {
        self.write(Pin { id: id.to_owned(), zone: zone.to_owned(), base: base.to_owned() }).await
    }

    /// Lists the sources that are not retired, by id.
    pub async fn harvest_sources(&self) -> Result<Vec<StoredSource>, Error> {
        let rows = sqlx::query("SELECT * FROM source WHERE retired = 0 ORDER BY id").fetch_all(self.readers()).await?;
        rows.iter().map(stored_source).collect()
    }

    /// Finds a source.
    pub async fn source(&self, id: &str) -> Result<Option<StoredSource>, Error> {
        let row = sqlx::query("SELECT * FROM source WHERE id = $1").bind(id).fetch_optional(self.readers()).await?;
        row.as_ref().map(stored_source).transpose()
    }

    /// Counts the records that a source says now.
    pub async fn source_records(&self, id: &str) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM said WHERE source = $1 AND gone IS NULL")
            .bind(id)
            .fetch_one(self.readers())
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Returns the bases of all zones that were ever harvested.
    pub async fn zone_bases(&self) -> Result<Vec<(String, String)>, Error> {
        let known = "SELECT zone, base FROM source WHERE zone IS NOT NULL AND base IS NOT NULL";
        Ok(sqlx::query_as(known).fetch_all(self.readers()).await?)
    }
}
