//! Harvest sources, their runs, and where the values of a record come from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::governance::Signature;
use crate::problem::Finding;

/// A source as an operator describes it: a `[[source]]` of the configuration, or the body of `POST /api/v1/sources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceSettings {
    /// Names the source: a word of lower-case letters, digits and `-`; the namespace of what it brings.
    pub id: String,
    /// What it speaks: `alidade`, `dcat`, `stac`, `oai-pmh`, `sparql`, `files`.
    pub kind: String,
    /// Where it is; nothing for a folder of the server's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How often: an interval such as `6h`, or five fields as cron has them; only when asked for when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Which source is believed where several say different things: the highest; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precedence: Option<i32>,
    /// Whether it may lie in a private range of addresses, which only an administrator may allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_private_addresses: Option<bool>,
    /// The share of its records, in thousandths, beyond which a complete run that removes them waits for approval; 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delete_fraction: Option<u32>,
    /// Further keys of its kind.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub options: Map<String, Value>,
}

/// A source, how it is and what it did last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// What the operator chose.
    #[serde(flatten)]
    pub settings: SourceSettings,
    /// Whether the configuration file or the API made it: `configuration` or `api`.
    pub origin: String,
    /// `never-run`, `good`, `incomplete`, `failing`, `held`, `running`.
    pub health: String,
    /// Records that it says now.
    pub records: u64,
    /// Runs that failed since the last that did not.
    pub failures: u32,
    /// Its last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<RunView>,
    /// The last run that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<String>,
    /// When it runs next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<String>,
}

/// Every source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Sources {
    /// The sources, by id.
    pub sources: Vec<SourceView>,
    /// Identities that wait for somebody to decide, over all sources.
    #[serde(default)]
    pub reviews: Vec<Review>,
    /// Identities that were decided, the last first.
    #[serde(default)]
    pub decided: Vec<Review>,
}

/// What to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NewRun {
    /// Whether to report what would change and change nothing.
    pub dry_run: bool,
}

/// A run of a source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct RunView {
    /// The source.
    pub source: String,
    /// Numbers the run within its source, from 1.
    pub number: u64,
    /// `queued`, `running`, `completed`, `held`, `failed` or `interrupted`.
    pub state: String,
    /// Where a run that goes on is: `fetching`, `applying`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// Whether everything that the source has was read; only such a run may remove.
    pub complete: bool,
    /// Records that are new.
    pub added: u64,
    /// Records that say something else than before.
    pub changed: u64,
    /// Records that say the same as before.
    pub unchanged: u64,
    /// Records that are gone.
    pub removed: u64,
    /// What is not a valid record and was set aside.
    pub quarantined: u64,
    /// Distinct words that none of our concept schemes has.
    pub unmatched: u64,
    /// What was read so far, in the source's own unit, for a progress bar.
    pub done: u64,
    /// How much that will be, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Bytes that were fetched.
    pub bytes: u64,
    /// Who asked for it; `schedule` when nobody did.
    pub requested_by: String,
    /// When it was asked for.
    pub queued: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How often it went on where it was when its server had ended.
    pub resumed: u32,
    /// Why it failed, is held, or was not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RunReason>,
    /// Who approved it, when it was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The first findings: what was quarantined comes first.
    pub findings: Vec<RunFinding>,
    /// The first differences: what was added, changed and removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
    /// Words that none of our concept schemes has, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched_terms: Vec<Unmatched>,
}

/// Why a run ended as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunReason {
    /// A stable code, such as `fetch.timeout` or `guard.mass_removal`.
    pub code: String,
    /// The reason in words.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Something that a run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunFinding {
    /// Whether what it speaks of was set aside.
    pub quarantined: bool,
    /// The record's key in the source, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The record in this catalogue, `zone/identifier`, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// What was found, with file, place and fix.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What a run changes, up to the first few of each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Diff {
    /// New records.
    pub added: Vec<DiffRecord>,
    /// Changed records, field by field.
    pub changed: Vec<DiffRecord>,
    /// Removed records.
    pub removed: Vec<DiffRecord>,
    /// Whether there are more than are listed.
    pub cut: bool,
}

/// A record that a run changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct DiffRecord {
    /// Its key in the source.
    pub key: String,
    /// Its home zone here.
    pub zone: String,
    /// Its identifier here.
    pub identifier: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// A field that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Its key.
    pub key: String,
    /// What the source said before; absent when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub before: Option<Value>,
    /// What it says now; absent when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub after: Option<Value>,
}

/// A word that none of our concept schemes has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Unmatched {
    /// The term it was given for, such as `mission`.
    pub term: String,
    /// The word as the source writes it.
    pub value: String,
    /// How many records have it.
    pub count: u64,
}

/// Runs of a source, newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Runs {
    /// The runs.
    pub runs: Vec<RunView>,
}

/// An identity that somebody must decide: two records claim one identifier, or one record two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Numbers it.
    pub number: u64,
    /// The source that said what raised it.
    pub source: String,
    /// The run.
    pub run: u64,
    /// A stable code.
    pub code: String,
    /// The key in the source.
    pub key: String,
    /// The identifier in question.
    pub identifier: String,
    /// The records in question, each `zone/identifier`.
    pub records: Vec<String>,
    /// What the source's key is here, `zone/identifier`, when the run was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// What is the matter, in words.
    pub message: String,
    /// When it was found.
    pub at: String,
    /// What was decided: `same` or `apart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<String>,
    /// Who decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The record that is left of those that are the same, `zone/identifier`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// What somebody decides of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReviewDecision {
    /// `same` makes one record of both, `apart` leaves both for good.
    pub decision: String,
    /// For `same`: which of the records in question, `zone/identifier`; not needed when there is one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// Where the values of a record come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Provenance {
    /// The record's IRI in this catalogue.
    pub iri: String,
    /// Its home zone.
    pub zone: String,
    /// Its identifier.
    pub identifier: String,
    /// Where it is at home, when that is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Everybody who says something of it, the most believed first.
    pub sources: Vec<ProvenanceSource>,
    /// Every term that has a value, and why it has this one.
    pub terms: Vec<TermProvenance>,
}

/// Who says something of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ProvenanceSource {
    /// The source: a harvest source, this zone, or `overlay` for a moderator's words.
    pub source: String,
    /// The named graph that holds what it says.
    pub graph: String,
    /// Whether it speaks for the record's home zone.
    pub home: bool,
    /// Its precedence.
    pub precedence: i32,
    /// The key under which it knows the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The run that brought what it says now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// When it was first heard of this record.
    pub first_seen: String,
    /// When it last said something else of it.
    pub modified: String,
    /// When it was last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// SHA-256 of what it says.
    pub content_hash: String,
    /// The file or page that it was in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// Why a term has the value it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TermProvenance {
    /// The key of the term.
    pub key: String,
    /// The rule that decided: `only`, `home`, `precedence`, `newest`, `union`, `overlay`.
    pub rule: String,
    /// Who is believed.
    pub winner: TermSource,
    /// What others say; equal values are not lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losers: Vec<TermSource>,
}

/// What a source says of a term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TermSource {
    /// The source.
    pub source: String,
    /// The run that brought it, when it was harvested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// When it was said.
    pub at: String,
    /// The value; nothing when a moderator took it away.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: Value,
}

/// A piece of a zone's feed of changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Feed {
    /// The zone that gives it.
    pub zone: String,
    /// Its base URL.
    pub base: String,
    /// Names this ledger's numbering: another one means that sequences begin anew.
    pub epoch: String,
    /// The entries, by sequence; of several changes of one record only the last is there.
    pub entries: Vec<FeedEntry>,
    /// The sequence to go on from.
    pub next: u64,
    /// Names the change that `next` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// Names the change after which was asked: another one than a follower knows means that its zone came back from an
    /// older backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_mark: Option<String>,
    /// Whether there is nothing more at the moment.
    pub end: bool,
}

/// What became of a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct FeedEntry {
    /// The sequence of the change in the zone that gives the feed.
    pub seq: u64,
    /// The record's IRI at its home.
    pub iri: String,
    /// The record's home zone.
    pub zone: String,
    /// Its identifier.
    pub identifier: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its current version.
    pub version: String,
    /// `published`, `deprecated` or `withdrawn`; a withdrawn record is a tombstone without a document.
    pub state: String,
    /// Where the zone that gives the feed has it from: itself or one of its harvest sources.
    pub source: String,
    /// When it last changed there.
    pub modified: String,
    /// Why it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What everybody may read of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub document: Option<Value>,
    /// SHA-256 of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// The home zone's signature over the entry, when it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The key that made the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The signature that its package came with, and who vouches for its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_signature: Option<PackageSignature>,
}

/// The signature of a package, as its home zone hands it on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PackageSignature {
    /// The signature.
    pub signature: Signature,
    /// The public half of what was signed, where what everybody reads of the record was edited since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub document: Option<Value>,
    /// What the key is called at home; nothing when nobody vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The namespace that the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Whether the key was revoked since.
    #[serde(default)]
    pub revoked: bool,
}
