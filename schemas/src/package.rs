//! Publishing a package.

use serde::{Deserialize, Serialize};

use crate::problem::Finding;

/// The answer to an accepted package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The record's IRI.
    pub iri: String,
    /// The home zone.
    pub zone: String,
    /// The identifier.
    pub identifier: String,
    /// The version.
    pub version: String,
    /// SHA-256 of the package, lower-case hexadecimal.
    pub digest: String,
    /// Bytes of the package.
    pub size: u64,
    /// The ledger sequence of the change; a search that has applied it sees the package.
    pub seq: u64,
    /// Whether this call stored it (201) or it was already there with the same digest (200).
    pub created: bool,
    /// `published`, or `draft` where this catalogue reviews what is published.
    #[serde(default)]
    pub state: String,
    /// Warnings and hints.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// Why a version is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Withdrawal {
    /// The reason, shown on the tombstone; 1 to 500 characters.
    pub reason: String,
}
