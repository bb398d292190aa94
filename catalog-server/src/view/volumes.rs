//! The catalogue's data volumes, read once a change.

use std::sync::{Arc, Mutex, PoisonError};

use catalog_launch::planner::KnownVolume;
use catalog_ontology::record::Record;
use catalog_records::{AccountName, Ledger, StoredRecord};
use catalog_schemas::id::Identifier;
use catalog_schemas::volume::{Replica, Volume};

use super::projection::{Projection, name};
use crate::http::problem::Failure;
use crate::policy::is_sandbox;

/// Every data volume of the catalogue, kept until the ledger changes.
#[derive(Clone)]
pub struct VolumeShelf {
    ledger: Ledger,
    projection: Arc<Projection>,
    kept: Arc<Mutex<Option<Kept>>>,
}

/// The volumes as they were at a sequence.
type Kept = (u64, Arc<Shelved>);

/// The volumes by name, as anybody may see them and as the planner knows them.
#[derive(Default)]
struct Shelved {
    shown: Arc<Vec<Volume>>,
    known: Arc<Vec<KnownVolume>>,
    /// Those that only some may know of.
    hidden: Vec<Hidden>,
}

struct Hidden {
    identifier: Identifier,
    shown: Volume,
    known: KnownVolume,
}

/// Somebody who may know of hidden volumes: an account and the teams that it is in.
#[derive(Debug, Clone, Copy)]
pub struct Knower<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// Its teams.
    pub teams: &'a [String],
}

impl VolumeShelf {
    /// Makes an empty shelf.
    pub fn new(ledger: Ledger, projection: Arc<Projection>) -> Self {
        Self { ledger, projection, kept: Arc::default() }
    }

    /// Returns what makes records of stored documents.
    pub fn projection(&self) -> Arc<Projection> {
        Arc::clone(&self.projection)
    }

    /// Returns the volumes by name that somebody may see: those that everybody sees, and those that are for them.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn volumes_for(&self, who: Option<Knower<'_>>) -> Result<Vec<Volume>, Failure> {
        let shelved = self.shelved().await?;
        let mut volumes = shelved.shown.as_ref().clone();
        for hidden in self.hidden_for(&shelved, who).await? {
            volumes.push(hidden.shown.clone());
        }
        volumes.sort_by_key(|volume| volume.name.to_lowercase());
        Ok(volumes)
    }

    /// Returns the hidden volumes that somebody may know of: whom they name, and who develops them.
    async fn hidden_for<'s>(&self, shelved: &'s Shelved, who: Option<Knower<'_>>) -> Result<Vec<&'s Hidden>, Failure> {
        let Some(who) = who else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for hidden in &shelved.hidden {
            let is_named = hidden.known.allowed_accounts.iter().any(|name| name == who.account.as_str())
                || hidden.known.allowed_groups.iter().any(|group| who.teams.contains(group));
            if is_named || self.ledger.develops(who.account, &hidden.identifier.namespace()).await? {
                found.push(hidden);
            }
        }
        Ok(found)
    }

    /// Returns the volumes by name, as anybody may see them.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn volumes(&self) -> Result<Arc<Vec<Volume>>, Failure> {
        Ok(Arc::clone(&self.shelved().await?.shown))
    }

    /// Returns the volumes as the planner knows them, also who may mount them, which is private: those that everybody may
    /// know of, and those that are for this viewer. Of any other a plan says what it says of one that is not there.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn known(&self, who: Option<Knower<'_>>) -> Result<Arc<Vec<KnownVolume>>, Failure> {
        let shelved = self.shelved().await?;
        let hidden = self.hidden_for(&shelved, who).await?;
        if hidden.is_empty() {
            return Ok(Arc::clone(&shelved.known));
        }
        Ok(Arc::new(shelved.known.iter().chain(hidden.into_iter().map(|hidden| &hidden.known)).cloned().collect()))
    }

    async fn shelved(&self) -> Result<Arc<Shelved>, Failure> {
        let seq = self.ledger.last_seq();
        if let Some((kept_seq, shelved)) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner)
            && *kept_seq == seq
        {
            return Ok(Arc::clone(shelved));
        }
        let stored = self.ledger.by_kind("DataVolume").await?;
        let mut volumes: Vec<(Hidden, bool)> = stored
            .iter()
            .filter(|stored| !is_sandbox(stored.identifier.as_str()))
            .filter_map(|stored| {
                let record = self.projection.record(stored)?;
                let iri = self.projection.homes().iri(stored.zone.as_str(), stored.identifier.as_str());
                let shown = volume(&record, stored, iri);
                let strings = |key: &str| record.strings(key).into_iter().map(str::to_owned).collect();
                let known = KnownVolume {
                    allowed_groups: strings("allowedGroup"),
                    allowed_accounts: strings("allowedUser"),
                    ..KnownVolume::from(&shown)
                };
                let identifier = stored.identifier.clone();
                Some((Hidden { identifier, shown, known }, super::is_listed(stored)))
            })
            .collect();
        volumes.sort_by_key(|(volume, _)| volume.shown.name.to_lowercase());
        // What is not to be discovered can still be mounted by whoever it is for.
        let (listed, hidden): (Vec<_>, Vec<_>) = volumes.into_iter().partition(|(_, is_listed)| *is_listed);
        let (shown, known) = listed.into_iter().map(|(volume, _)| (volume.shown, volume.known)).unzip();
        let hidden = hidden.into_iter().map(|(volume, _)| volume).collect();
        let shelved = Arc::new(Shelved { shown: Arc::new(shown), known: Arc::new(known), hidden });
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((seq, Arc::clone(&shelved)));
        Ok(shelved)
    }
}

fn volume(record: &Record, stored: &StoredRecord, iri: String) -> Volume {
    let zone_of = |iri: &str| iri.rsplit('/').next().unwrap_or_default().to_owned();
    let replicas = record.nodes("replica").into_iter().filter_map(|replica| {
        Some(Replica {
            datazone: zone_of(replica.text("datazone")?),
            byte_size: replica.integer("byteSize").and_then(|size| u64::try_from(size).ok()),
            content_version: replica.text("contentVersion").map(str::to_owned),
            last_verified: replica.text("lastVerified").map(str::to_owned),
            // Technical details are private; the handler adds them for those who may read them.
            backend_source: None,
        })
    });
    Volume {
        key: record.string("alternateName").unwrap_or(stored.identifier.name()).to_owned(),
        iri,
        name: name(record).to_owned(),
        summary: record
            .text("abstract", "en")
            .or_else(|| record.text("description", "en"))
            .unwrap_or_default()
            .to_owned(),
        default_mount_path: record.string("defaultMountPath").unwrap_or_default().to_owned(),
        mode: record.string("mode").unwrap_or("ro").to_owned(),
        kind: record.string("kind").unwrap_or("science").to_owned(),
        replicas: replicas.collect(),
        mine: false,
        my_mount_path: None,
    }
}
