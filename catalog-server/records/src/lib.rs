//! The ledger: the only place where anything of the catalogue is kept for good.
//!
//! It stores record revisions by source, an append-only change log, package blobs by content, accounts, tokens,
//! sessions, launches and the audit trail in one SQL database. One writer commits what many ask for in groups;
//! nothing is acknowledged before its commit has reached the disk.
//! It never looks into a document (validity is `catalog-ontology`'s), never speaks HTTP and never keeps a secret in clear.

mod account;
mod audit;
mod backup;
mod blob;
mod browse;
mod curate;
mod delegation;
mod departure;
mod device;
mod error;
mod group;
mod harvest;
mod idempotency;
mod identity;
mod import;
mod key;
mod launch;
pub mod merge;
mod migrate;
mod names;
mod notice;
mod offer;
mod open;
mod order;
pub mod origin;
mod password;
mod publish;
mod read;
mod row;
mod rows;
mod secret;
mod session;
mod signed;
mod token;
mod verify;
mod volume;
pub mod workflow;
mod writer;

pub use account::{Account, Actor, Credential};
pub use audit::{AuditFilter, BrokenAt};
pub use browse::{Address, Changed, Stretch};
pub use catalog_schemas::patch::merge_patch;
pub use curate::{Patch, Patched, Transition};
pub use departure::Departure;
pub use device::{DEVICE_SECONDS, DeviceAnswer, DeviceCodes};
pub use error::Error;
pub use harvest::{
    Decision, Feeding, Finished, Hidden, Interrupted, Joining, Known, Lease, Naming, Origin, Piece, Resumption,
    RunOutcome, RunState, Staged, StoredSaying, StoredSayings, StoredSource, Taken, What,
};
pub use idempotency::{IdempotencyKey, StoredAnswer};
pub use identity::Identity;
pub use import::Imported;
pub use key::{NamespaceKey, NewKey};
pub use launch::{LaunchCreated, LaunchFilter, LaunchUpdate, NewLaunch, StoredLaunch};
pub use names::{AccountName, InvalidAccountName, State};
pub use notice::{HELD, Notice};
pub use offer::{LaunchQuota, StoredOffer};
pub use open::{Clock, Ledger, Settings};
pub use order::compare_versions;
pub use publish::{Package, Publication, PublishOutcome, Standing};
pub use read::{Change, Queued, StoredRecord, StoredVersion};
pub use signed::{ForeignSignature, SignedVersion};
pub use verify::Report;
pub use volume::ChosenVolume;
