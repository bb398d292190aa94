//! Publishing a version: immutable, idempotent, and one winner of every race.

use bytes::Bytes;
use catalog_schemas::id::{Identifier, Version, ZoneId};
use sqlx::Row;

use crate::account::{self, Actor};
use crate::blob::Placed;
use crate::error::Error;
use crate::harvest;
use crate::idempotency::{self, IdempotencyKey};
use crate::names::State;
use crate::open::Ledger;
use crate::order;
use crate::row::{column, counted, sha256, word};
use crate::rows::{NewRow, Script};
use crate::writer::{Operation, Writing};

/// A version to be published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The record's home zone.
    pub zone: ZoneId,
    /// The record.
    pub identifier: Identifier,
    /// The version.
    pub version: Version,
    /// The record's type, such as `Datalab`.
    pub kind: String,
    /// The record document: valid JSON, never looked into here.
    pub document: String,
    /// The package that it came in.
    pub package: Option<Package>,
    /// Who says so: this server's zone, or a harvest source.
    pub source: String,
    /// Who publishes.
    pub actor: Actor,
    /// The request's key, when its sender gave one.
    pub idempotency: Option<IdempotencyKey>,
    /// The request.
    pub request: String,
    /// In which state it begins, who signed it, and what was acknowledged.
    pub standing: Standing,
}

/// In which state a version begins, who signed it, and which warnings its publisher took responsibility for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Published, or a draft where a review is required.
    pub state: State,
    /// The signature that came with the package, as JSON; it was found good before.
    pub signature: Option<String>,
    /// Codes of warnings that block until somebody takes responsibility.
    pub acknowledged: Vec<String>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { state: State::Published, signature: None, acknowledged: Vec::new() }
    }
}

impl Standing {
    /// Returns the acknowledged codes as one text; none when there are none.
    pub(crate) fn acknowledged(&self) -> Option<String> {
        (!self.acknowledged.is_empty()).then(|| self.acknowledged.join(" "))
    }
}

/// A package's bytes.
#[derive(Debug, Clone)]
pub struct Package {
    /// The archive.
    pub bytes: Bytes,
    /// Its digest as its sender declared it; compared with the bytes.
    pub declared: Option<String>,
    /// The name of its file.
    pub file_name: Option<String>,
}

/// What became of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishOutcome {
    /// It is stored.
    Created {
        /// The sequence of the change.
        seq: u64,
    },
    /// The same content was there already.
    Same {
        /// The sequence of the version's last change.
        seq: u64,
    },
    /// The version is taken by other content.
    Conflict {
        /// The digest of what is there.
        existing_digest: String,
    },
    /// The version was withdrawn; its name stays taken.
    Withdrawn {
        /// Why.
        reason: Option<String>,
    },
}

/// A publication whose bytes are on disk.
pub(crate) struct Prepared {
    pub(crate) given: Publication,
    pub(crate) content_hash: String,
    pub(crate) package: Option<Placed>,
}

impl Prepared {
    /// Returns the digest by which the version is the same or another.
    pub(crate) fn digest(&self) -> &str {
        self.package.as_ref().map_or(&self.content_hash, |package| &package.digest)
    }
}

impl Ledger {
    /// Publishes a version.
    pub async fn publish(&self, mut publication: Publication) -> Result<PublishOutcome, Error> {
        let package = match publication.package.as_mut() {
            Some(package) => {
                let declared = package.declared.take();
                let placed = self.place(std::mem::take(&mut package.bytes)).await?;
                match declared {
                    Some(declared) if declared != placed.digest => {
                        return Err(Error::DigestMismatch { declared, found: placed.digest });
                    }
                    _ => Some(placed),
                }
            }
            None => None,
        };
        let content_hash = sha256(publication.document.as_bytes());
        self.write(Prepared { given: publication, content_hash, package }).await
    }
}

impl Operation for Prepared {
    type Answer = PublishOutcome;

    async fn run(self, writing: &mut Writing) -> Result<PublishOutcome, Error> {
        let given = &self.given;
        let subject = format!("{}/{}/{}", given.zone, given.identifier, given.version);
        if let Some(key) = &given.idempotency {
            idempotency::claim(writing, given.actor.account.as_str(), key, &subject).await?;
        }
        account::require_publisher(writing, &given.actor, &given.identifier).await?;
        let after = self.digest().to_owned();
        let (account, request) = (self.given.actor.account.clone(), self.given.request.clone());
        let action = if self.given.standing.state == State::Draft { "package.draft" } else { "package.publish" };
        let outcome = store(writing, self).await?;
        if let PublishOutcome::Created { .. } = outcome {
            writing.audit(account.as_str(), action, &subject, (None, Some(&after)), &request);
        }
        Ok(outcome)
    }
}

/// A record as the writer needs it.
pub(crate) struct Known {
    pub(crate) id: i64,
    pub(crate) kind: String,
    /// Whether somebody laid words over what its versions say.
    pub(crate) merged: bool,
    pub(crate) seq: i64,
}

/// Finds a record that does not wait to be written.
pub(crate) async fn known(
    writing: &mut Writing,
    zone: &ZoneId,
    identifier: &Identifier,
) -> Result<Option<Known>, Error> {
    let row = sqlx::query(
        // Not only what is merged now: an amendment belongs to one version and counts again when that one becomes current.
        "SELECT id, kind, seq, merged IS NOT NULL OR EXISTS (SELECT 1 FROM revision v WHERE v.record = record.id AND v.source IN ('overlay', 'amendment')) \
         AS merged FROM record WHERE zone = $1 AND identifier = $2",
    )
    .bind(zone.as_str())
    .bind(identifier.as_str())
    .fetch_optional(writing.look())
    .await?;
    row.map(|row| {
        Ok(Known {
            id: column(&row, "id")?,
            kind: column(&row, "kind")?,
            merged: column(&row, "merged")?,
            seq: column(&row, "seq")?,
        })
    })
    .transpose()
}

/// Writes record, revision and version, unless the version is taken.
pub(crate) async fn store(writing: &mut Writing, publication: Prepared) -> Result<PublishOutcome, Error> {
    let given = &publication.given;
    let key = (given.zone.clone(), given.identifier.clone());
    if writing.waits(&key) {
        writing.connection().await?;
    }
    let Some(known) = known(writing, &key.0, &key.1).await? else { return Ok(store_new(writing, publication)) };
    if known.kind != given.kind {
        return Err(Error::KindChanged {
            identifier: given.identifier.to_string(),
            stored: known.kind,
            given: given.kind.clone(),
        });
    }
    let name = taken(writing, known.id, &publication).await?;
    if let Name::Taken(outcome) = name {
        return Ok(outcome);
    }
    let row = NewRow {
        record: known.id,
        revision: writing.next_revision(),
        seq: writing.change(known.id, given.version.as_str(), given.standing.state.as_str()),
        at: writing.now,
        given: publication,
    };
    let mut script = Script::new();
    if name == Name::Draft {
        script.push_draft(&row);
        script.query.build().execute(writing.connection().await?).await?;
        replace_draft(writing, &row).await?;
    } else {
        script.push_versions(std::slice::from_ref(&row));
        script.query.build().execute(writing.connection().await?).await?;
    }
    settle(writing, known.id, row.seq, known.merged).await?;
    Ok(PublishOutcome::Created { seq: counted(row.seq) })
}

/// Lets a record that is not there yet wait to be written.
pub(crate) fn store_new(writing: &mut Writing, publication: Prepared) -> PublishOutcome {
    let record = writing.next_record();
    let row = NewRow {
        record,
        revision: writing.next_revision(),
        seq: writing.change(record, publication.given.version.as_str(), publication.given.standing.state.as_str()),
        at: writing.now,
        given: publication,
    };
    let seq = counted(row.seq);
    writing.push(row);
    PublishOutcome::Created { seq }
}

/// Gives a draft another content: what nobody but its developers and moderators has seen may still change.
async fn replace_draft(writing: &mut Writing, row: &NewRow) -> Result<(), Error> {
    let given = &row.given.given;
    let package = row.given.package.as_ref();
    sqlx::query(
        "UPDATE version SET state = $3, revision = $4, content_hash = $5, digest = $6, file_name = $7, publisher = $8, seq = $9, \
         published = $10, changed = $10, reason = NULL, signature = $11, acknowledged = $12 WHERE record = $1 AND version = $2",
    )
    .bind(row.record)
    .bind(given.version.as_str())
    .bind(given.standing.state.as_str())
    .bind(row.revision)
    .bind(row.given.content_hash.as_str())
    .bind(package.map(|package| package.digest.as_str()))
    .bind(given.package.as_ref().and_then(|package| package.file_name.as_deref()))
    .bind(given.actor.account.as_str())
    .bind(row.seq)
    .bind(row.at)
    .bind(given.standing.signature.as_deref())
    .bind(given.standing.acknowledged())
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

/// What is known of a version's name.
#[derive(PartialEq)]
enum Name {
    /// Nobody has it.
    Free,
    /// A draft has it, whose content may be replaced.
    Draft,
    /// Something has it for good.
    Taken(PublishOutcome),
}

/// Says what holds the version's name.
async fn taken(writing: &mut Writing, record: i64, publication: &Prepared) -> Result<Name, Error> {
    let row = sqlx::query(
        "SELECT state, COALESCE(digest, content_hash) AS digest, seq, reason FROM version WHERE record = $1 AND version = $2",
    )
    .bind(record)
    .bind(publication.given.version.as_str())
    .fetch_optional(writing.look())
    .await?;
    let Some(row) = row else { return Ok(Name::Free) };
    let digest: String = column(&row, "digest")?;
    let state = word(&row, "state", State::from_word)?;
    Ok(Name::Taken(if state == State::Withdrawn {
        PublishOutcome::Withdrawn { reason: column(&row, "reason")? }
    } else if digest == publication.digest() {
        PublishOutcome::Same { seq: counted(column(&row, "seq")?) }
    } else if state == State::Draft {
        return Ok(Name::Draft);
    } else {
        PublishOutcome::Conflict { existing_digest: digest }
    }))
}

/// Brings a record's row in step with its versions: which is current, and what state that gives the record.
pub(crate) async fn settle(writing: &mut Writing, record: i64, seq: i64, merged: bool) -> Result<(), Error> {
    let rows = sqlx::query("SELECT version, state, revision FROM version WHERE record = $1 ORDER BY revision")
        .bind(record)
        .fetch_all(writing.connection().await?)
        .await?;
    let mut versions = Vec::with_capacity(rows.len());
    for row in &rows {
        versions.push((
            row.try_get::<&str, _>("version")?,
            word(row, "state", State::from_word)?,
            column::<i64>(row, "revision")?,
        ));
    }
    // What everybody may use comes first; a record without any such version shows the best of what it has.
    let ranks = [State::Published, State::Deprecated, State::Submitted, State::Draft, State::Withdrawn];
    let current = ranks.into_iter().find_map(|rank| {
        let of_rank: Vec<_> = versions.iter().filter(|(_, state, _)| *state == rank).collect();
        order::current(of_rank.iter().map(|(version, ..)| *version)).and_then(|place| of_rank.get(place).copied())
    });
    let Some(&(version, state, revision)) = current else { return Ok(()) };
    let now = writing.now;
    sqlx::query("UPDATE record SET state = $2, version = $3, revision = $4, seq = $5, modified = $6 WHERE id = $1")
        .bind(record)
        .bind(state.as_str())
        .bind(version)
        .bind(revision)
        .bind(seq)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
    if merged { harvest::remerge(writing, record).await } else { Ok(()) }
}
