//! Offers and the quota that they and live launches share.
//!
//! An offer holds a place in its owner's quota until it expires or is taken, so that taking it cannot fail for the
//! quota. The offers of one plan hold one place together, as only one of them will be taken; what a newer wish of the
//! same owner needs is taken from the oldest plan, whose offers are then gone.

use catalog_schemas::launch::Launch;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, time, unsigned};
use crate::writer::{Operation, Writing};

/// What an account may have at once, live launches and the one in question together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchQuota {
    /// Launches.
    pub sessions: u32,
    /// GPUs over all launches.
    pub gpus: u32,
    /// Launches in the datazone, when its operator limits them.
    pub zone_sessions: Option<u32>,
    /// GPUs in the datazone, when its operator limits them.
    pub zone_gpus: Option<u32>,
}

impl LaunchQuota {
    /// Returns a quota of launches alone.
    pub fn of_sessions(sessions: u32) -> Self {
        Self { sessions, gpus: u32::MAX, zone_sessions: None, zone_gpus: None }
    }
}

/// An offer that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOffer {
    /// Its id.
    pub id: String,
    /// The plan that it is a part of.
    pub plan: String,
    /// To whom it was made.
    pub owner: String,
    /// The plan's body and the offer, as JSON of the caller's.
    pub body: String,
    /// GPUs that it would grant.
    pub gpus: u32,
    /// Until when it holds.
    pub expires: Timestamp,
}

fn offer(row: &SqliteRow) -> Result<StoredOffer, Error> {
    Ok(StoredOffer {
        id: column(row, "id")?,
        plan: column(row, "plan")?,
        owner: column(row, "owner")?,
        body: column(row, "body")?,
        gpus: u32::try_from(unsigned(row, "gpus")?).unwrap_or(u32::MAX),
        expires: time(row, "expires")?,
    })
}

/// What an account's live launches hold.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    sessions: u32,
    gpus: u32,
    zone_sessions: u32,
    zone_gpus: u32,
}

async fn held(writing: &mut Writing, owner: &str, zone: &str) -> Result<Held, Error> {
    let rows = sqlx::query("SELECT datazone, document FROM launch WHERE live = 1 AND owner = $1")
        .bind(owner)
        .fetch_all(writing.connection().await?)
        .await?;
    let mut held = Held::default();
    for row in &rows {
        let launch: Launch = serde_json::from_str(column(row, "document")?)
            .map_err(|error| Error::Invalid { column: "launch", detail: error.to_string() })?;
        let gpus = launch.requested.gpu.map_or(0, |gpu| gpu.count);
        held.sessions += 1;
        held.gpus = held.gpus.saturating_add(gpus);
        if column::<&str>(row, "datazone")? == zone {
            held.zone_sessions += 1;
            held.zone_gpus = held.zone_gpus.saturating_add(gpus);
        }
    }
    Ok(held)
}

/// The plans whose offers hold, oldest first, with the most GPUs that one of their offers would grant.
async fn plans(writing: &mut Writing, owner: &str) -> Result<Vec<(String, u32)>, Error> {
    let now = writing.now;
    let rows = sqlx::query(
        "SELECT plan, MAX(gpus) AS gpus FROM offer WHERE owner = $1 AND expires > $2 GROUP BY plan ORDER BY MIN(made), plan",
    )
    .bind(owner)
    .bind(now)
    .fetch_all(writing.connection().await?)
    .await?;
    rows.iter()
        .map(|row| Ok((column(row, "plan")?, u32::try_from(unsigned(row, "gpus")?).unwrap_or(u32::MAX))))
        .collect()
}

/// Makes room for one more wish of an account: refuses what its live launches leave no room for, then takes places back
/// from its oldest plans until live launches, plans that hold and the wish fit together.
pub(crate) async fn make_room(
    writing: &mut Writing,
    owner: &str,
    zone: &str,
    gpus: u32,
    quota: &LaunchQuota,
) -> Result<(), Error> {
    let held = held(writing, owner, zone).await?;
    let refused = |running, allowed| Err(Error::QuotaExceeded { running, allowed });
    if held.sessions >= quota.sessions {
        return refused(held.sessions, quota.sessions);
    }
    if let Some(allowed) = quota.zone_sessions.filter(|allowed| held.zone_sessions >= *allowed) {
        return refused(held.zone_sessions, allowed);
    }
    if gpus > 0 && held.gpus.saturating_add(gpus) > quota.gpus {
        return Err(Error::GpuQuotaExceeded { held: held.gpus, allowed: quota.gpus });
    }
    if let Some(allowed) = quota.zone_gpus.filter(|allowed| gpus > 0 && held.zone_gpus.saturating_add(gpus) > *allowed)
    {
        return Err(Error::GpuQuotaExceeded { held: held.zone_gpus, allowed });
    }
    let plans = plans(writing, owner).await?;
    let mut sessions = u32::try_from(plans.len()).unwrap_or(u32::MAX).saturating_add(held.sessions + 1);
    let mut all_gpus = plans.iter().fold(held.gpus.saturating_add(gpus), |sum, (_, gpus)| sum.saturating_add(*gpus));
    for (plan, gpus) in plans {
        if sessions <= quota.sessions && (all_gpus <= quota.gpus || gpus == 0) {
            continue;
        }
        release(writing, &plan).await?;
        sessions -= 1;
        all_gpus = all_gpus.saturating_sub(gpus);
    }
    Ok(())
}

async fn release(writing: &mut Writing, plan: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM offer WHERE plan = $1").bind(plan).execute(writing.connection().await?).await?;
    Ok(())
}

/// Takes an offer, and with it the place of its plan.
pub(crate) async fn take(writing: &mut Writing, id: &str, owner: &str) -> Result<(), Error> {
    let now = writing.now;
    let row = sqlx::query("SELECT plan FROM offer WHERE id = $1 AND owner = $2 AND expires > $3")
        .bind(id)
        .bind(owner)
        .bind(now)
        .fetch_optional(writing.connection().await?)
        .await?;
    let Some(row) = row else { return Err(Error::OfferGone) };
    let plan: String = column(&row, "plan")?;
    release(writing, &plan).await
}

/// The offers of one plan.
struct Put {
    offers: Vec<StoredOffer>,
    quota: LaunchQuota,
}

impl Operation for Put {
    type Answer = bool;

    async fn run(self, writing: &mut Writing) -> Result<bool, Error> {
        let now = writing.now;
        sqlx::query("DELETE FROM offer WHERE expires <= $1").bind(now).execute(writing.connection().await?).await?;
        let Some(first) = self.offers.first() else { return Ok(true) };
        let gpus = self.offers.iter().map(|offer| offer.gpus).max().unwrap_or_default();
        match make_room(writing, &first.owner, "", gpus, &self.quota).await {
            Ok(()) => {}
            Err(Error::QuotaExceeded { .. } | Error::GpuQuotaExceeded { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        for offer in self.offers {
            sqlx::query(
                "INSERT INTO offer (id, plan, owner, body, gpus, made, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(offer.id)
            .bind(offer.plan)
            .bind(offer.owner)
            .bind(offer.body)
            .bind(i64::from(offer.gpus))
            .bind(now)
            .bind(offer.expires.as_millisecond())
            .execute(writing.connection().await?)
            .await?;
        }
        Ok(true)
    }
}

impl Ledger {
    /// Keeps the offers of one plan until they expire, and a place in their owner's quota for one of them.
    ///
    /// Says no, and keeps nothing, when launches of the owner's took the last place since the plan was made.
    pub async fn offers_put(&self, offers: Vec<StoredOffer>, quota: LaunchQuota) -> Result<bool, Error> {
        self.write(Put { offers, quota }).await
    }

    /// Finds an offer that was made to an account and holds; it is taken by the launch that is made from it.
    pub async fn offer(&self, id: &str, owner: &AccountName) -> Result<Option<StoredOffer>, Error> {
        let row = sqlx::query("SELECT * FROM offer WHERE id = $1 AND owner = $2 AND expires > $3")
            .bind(id)
            .bind(owner.as_str())
            .bind(self.now())
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| offer(&row)).transpose()
    }

    /// Counts the plans whose offers hold a place in an account's quota.
    pub async fn plans_held(&self, owner: &AccountName) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(DISTINCT plan) FROM offer WHERE owner = $1 AND expires > $2")
            .bind(owner.as_str())
            .bind(self.now())
            .fetch_one(self.readers())
            .await?;
        Ok(crate::row::counted(count))
    }
}
