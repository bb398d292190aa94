//! A record as its viewer may read it.

use serde::{Deserialize, Serialize};

use crate::plan::Resources;

/// A record for the API and the record page; private terms are in it only for those who may read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordView {
    /// The record's IRI; for a version asked for by number, the version's.
    pub iri: String,
    /// Its home zone.
    pub zone: String,
    /// Where this server has it from: this zone, or a harvest source.
    #[serde(default)]
    pub source: String,
    /// Other sources that say something of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Its address at its home zone, when that is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Its identifier within the zone.
    pub identifier: String,
    /// Its type: `Datalab`, `Dataset`, `DataVolume`, `Pipeline` or `Datazone`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its state: `published`, `deprecated` or `withdrawn` for everybody, others for its developers and moderators.
    pub state: String,
    /// Its name in the best language.
    pub name: String,
    /// Its short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternate_name: Option<String>,
    /// Its short description.
    #[serde(rename = "abstract", default)]
    pub summary: String,
    /// Its long description, Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The version shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether `version` is the current one.
    pub current: bool,
    /// Whether a moderator confirmed that it is official.
    #[serde(default)]
    pub official: bool,
    /// When it was last modified, RFC 3339.
    pub modified: String,
    /// The ledger sequence of its last change; also its ETag.
    pub seq: u64,
    /// Every term that the viewer may read, in the order of the term table.
    pub terms: Vec<TermValues>,
    /// The document with the keys of a manifest; `@context` and `@id` included, so it is JSON-LD.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub document: serde_json::Value,
    /// Every version, newest first.
    pub versions: Vec<VersionView>,
    /// What a launch needs, when it can be launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Resources>,
    /// Why it cannot be launched, in words; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_launchable: Option<String>,
    /// The volumes it asks for.
    #[serde(default)]
    pub volumes: Vec<VolumeNeed>,
    /// Whether a launch mounts its owner's own space unless they say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_space: Option<bool>,
    /// Whether a launch mounts the spaces of its owner's teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_space: Option<bool>,
    /// What a pipeline's workflow takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Parameter>,
    /// The datazones where it runs or that hold it.
    #[serde(default)]
    pub zones: Vec<String>,
    /// What could be better, with the share that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// How it is cited, in a line to copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cite: Option<String>,
    /// Why it was withdrawn, for a tombstone; why it was deprecated or returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The IRI of the record to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// What the viewer may do with it; nothing for most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may: Vec<Act>,
}

/// Something that a viewer may do with a record: `edit`, or a step in its version's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// What: `edit`, `submit`, `publish`, `approve`, `return`, `take back`, `deprecate`, `restore`, `withdraw`.
    pub name: String,
    /// The state that it leads to; absent for `edit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether it needs a reason.
    #[serde(default)]
    pub reason: bool,
}

/// One term of a record with all its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TermValues {
    /// The key in a manifest, such as `associatedFileType`.
    pub key: String,
    /// The term as a compact IRI, such as `esado:associatedFileType`.
    pub term: String,
    /// The term's label.
    pub label: String,
    /// What the term means.
    pub definition: String,
    /// Whether only developers, moderators and the application may read it.
    #[serde(default)]
    pub private: bool,
    /// The values.
    pub values: Vec<TermValue>,
}

/// One value of a term, ready to show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TermValue {
    /// The text to show: a literal, a concept's label, a name.
    pub text: String,
    /// The language of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Where it leads: an http(s) IRI only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
    /// The facet value that finds records with the same value, as `mission=astronomy/gaia`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facet: Option<String>,
}

/// One version of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct VersionView {
    /// The version.
    pub version: String,
    /// `published`, `deprecated` or `withdrawn`.
    pub state: String,
    /// When it was published, RFC 3339.
    pub published: String,
    /// SHA-256 of the package, lower-case hexadecimal; absent for records that came without a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Bytes of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Release notes in the best language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Why it was withdrawn, returned or deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who signed its package, when somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<crate::governance::SignatureView>,
}

/// A volume that a datalab or pipeline asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct VolumeNeed {
    /// The volume as the manifest names it.
    pub volume: String,
    /// Its name, when the catalogue knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is mounted.
    pub mount_path: String,
    /// `ro` or `rw`.
    pub mode: String,
    /// Whether a zone without it is refused.
    pub required: bool,
}

/// How complete a record is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Quality {
    /// 0 to 100.
    pub score: u8,
    /// What is missing, each with how to mend it.
    pub missing: Vec<String>,
}

/// An input of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type as CWL writes it in short, such as `File[]?`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The format of its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Whether it must be given.
    #[serde(default)]
    pub required: bool,
}
