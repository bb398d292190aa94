//! Publishing many records at once.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;

use crate::account;
use crate::error::Error;
use crate::open::Ledger;
use crate::publish::{Prepared, Publication, PublishOutcome, store, store_new};
use crate::row::{Database, column, sha256};
use crate::writer::{Operation, Writing};

/// Rows of one transaction: many make its sync cheap, few let others write in between.
const CHUNK: usize = 5_000;
/// Keys asked for by one statement.
const KEYS: usize = 500;

/// What became of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Versions stored.
    pub created: u64,
    /// Versions that were there with the same content.
    pub same: u64,
    /// Versions that were there with other content, or withdrawn; they stay as they are.
    pub kept: u64,
    /// The sequence of the last change.
    pub seq: u64,
}

struct Import {
    publications: Vec<Prepared>,
}

impl Operation for Import {
    type Answer = Imported;

    async fn run(self, writing: &mut Writing) -> Result<Imported, Error> {
        let mut imported = Imported::default();
        let mut asked = HashSet::new();
        for publication in &self.publications {
            let given = &publication.given;
            if asked.insert((given.actor.account.clone(), given.identifier.namespace())) {
                account::require_publisher(writing, &given.actor, &given.identifier).await?;
            }
        }
        let Some(Publication { actor, source, request, .. }) =
            self.publications.first().map(|first| first.given.clone())
        else {
            return Ok(imported);
        };
        let mut hasher = Sha256::new();
        self.publications.iter().for_each(|row| hasher.update(&row.content_hash));
        let (new, known) = split(writing, self.publications).await?;
        let mut outcomes: Vec<_> = new.into_iter().map(|publication| store_new(writing, publication)).collect();
        for publication in known {
            outcomes.push(store(writing, publication).await?);
        }
        for outcome in outcomes {
            match outcome {
                PublishOutcome::Created { seq } => {
                    imported.created += 1;
                    imported.seq = seq;
                }
                PublishOutcome::Same { .. } => imported.same += 1,
                PublishOutcome::Conflict { .. } | PublishOutcome::Withdrawn { .. } => imported.kept += 1,
            }
        }
        if imported.created > 0 {
            // One change, one entry: its hash stands for every row of this transaction.
            let after = hex::encode(hasher.finalize());
            let subject = format!("{} versions from {source}", imported.created);
            writing.audit(actor.account.as_str(), "records.import", &subject, (None, Some(&after)), &request);
        }
        Ok(imported)
    }
}

/// Parts those whose record is not there yet and is named once from the others, which need a look each.
async fn split(writing: &mut Writing, publications: Vec<Prepared>) -> Result<(Vec<Prepared>, Vec<Prepared>), Error> {
    let mut seen: HashMap<(String, String), bool> = HashMap::new();
    for keys in publications.chunks(KEYS) {
        let mut query =
            QueryBuilder::<Database>::new("SELECT zone, identifier FROM record WHERE (zone, identifier) IN (");
        query.push_values(keys, |mut row, key| {
            row.push_bind(key.given.zone.as_str()).push_bind(key.given.identifier.as_str());
        });
        query.push(")");
        for row in query.build().fetch_all(writing.connection().await?).await? {
            seen.insert((column(&row, "zone")?, column(&row, "identifier")?), true);
        }
    }
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for publication in publications {
        let key = (publication.given.zone.to_string(), publication.given.identifier.to_string());
        if seen.insert(key, true).is_none() { new.push(publication) } else { known.push(publication) }
    }
    Ok((new, known))
}

impl Ledger {
    /// Publishes many records without packages, in transactions of up to 5,000; each transaction whole or not at all.
    ///
    /// What holds for [`Ledger::publish`] holds for every one of them; the audit trail gets one entry a transaction.
    pub async fn import(&self, publications: Vec<Publication>) -> Result<Imported, Error> {
        let mut total = Imported::default();
        let mut publications = publications.into_iter().peekable();
        while publications.peek().is_some() {
            let mut chunk = Vec::with_capacity(CHUNK.min(publications.len()));
            for given in publications.by_ref().take(CHUNK) {
                if given.package.is_some() {
                    return Err(Error::Refused(format!("`{}` has a package: it must be published", given.identifier)));
                }
                let content_hash = sha256(given.document.as_bytes());
                chunk.push(Prepared { given, content_hash, package: None });
            }
            let imported = self.write(Import { publications: chunk }).await?;
            total.created += imported.created;
            total.same += imported.same;
            total.kept += imported.kept;
            total.seq = total.seq.max(imported.seq);
        }
        Ok(total)
    }
}
