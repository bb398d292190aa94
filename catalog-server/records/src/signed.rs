//! Signed versions: what this zone hands on with its feed, and what other zones handed on to this one.

use catalog_schemas::id::{Identifier, Version, ZoneId};
use sqlx::QueryBuilder;

use crate::error::Error;
use crate::open::Ledger;
use crate::row::{Database, column};
use crate::writer::{Operation, Writing};

/// Records asked for by one statement.
const RECORDS: usize = 500;

/// A version whose package came with a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedVersion {
    /// Numbers its record in this ledger.
    pub record: i64,
    /// The signature, as JSON.
    pub signature: String,
    /// The document as it was signed.
    pub document: String,
}

/// What another zone says of a signature of one of its packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignSignature {
    /// What it says, as JSON.
    pub said: String,
    /// The public half of what was signed.
    pub document: String,
}

struct Note {
    key: (ZoneId, Identifier, Version),
    signature: Option<ForeignSignature>,
}

impl Operation for Note {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let (zone, identifier, version) = &self.key;
        let query = match self.signature {
            Some(signature) => sqlx::query(
                "INSERT INTO foreign_signature (zone, identifier, version, said, document) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (zone, identifier, version) DO UPDATE SET said = excluded.said, document = excluded.document",
            )
            .bind(zone.as_str())
            .bind(identifier.as_str())
            .bind(version.as_str())
            .bind(signature.said)
            .bind(signature.document),
            None => {
                sqlx::query("DELETE FROM foreign_signature WHERE zone = $1 AND identifier = $2 AND version = $3")
                    .bind(zone.as_str())
                    .bind(identifier.as_str())
                    .bind(version.as_str())
            }
        };
        query.execute(writing.connection().await?).await?;
        Ok(())
    }
}

impl Ledger {
    /// Finds the current versions of these records that came signed.
    pub async fn signed(&self, records: &[i64]) -> Result<Vec<SignedVersion>, Error> {
        let mut found = Vec::new();
        for records in records.chunks(RECORDS) {
            let mut query = QueryBuilder::<Database>::new(
                "SELECT n.record, n.signature, v.document FROM record r JOIN version n ON n.record = r.id AND n.version = r.version \
                 JOIN revision v ON v.id = n.revision WHERE n.signature IS NOT NULL AND r.id IN (",
            );
            let mut list = query.separated(", ");
            for record in records {
                list.push_bind(*record);
            }
            query.push(")");
            for row in query.build().fetch_all(self.readers()).await? {
                found.push(SignedVersion {
                    record: column(&row, "record")?,
                    signature: column(&row, "signature")?,
                    document: column(&row, "document")?,
                });
            }
        }
        Ok(found)
    }

    /// Keeps what another zone says of the signature of one of its packages, or forgets it; it proves itself, so it does not
    /// matter whether the run that read it is applied.
    pub async fn foreign_signature_note(
        &self,
        key: (ZoneId, Identifier, Version),
        signature: Option<ForeignSignature>,
    ) -> Result<(), Error> {
        if self.foreign_signature(&key.0, &key.1, &key.2).await? == signature {
            return Ok(());
        }
        self.write(Note { key, signature }).await
    }

    /// Finds what another zone says of the signature of one of its packages.
    pub async fn foreign_signature(
        &self,
        zone: &ZoneId,
        identifier: &Identifier,
        version: &Version,
    ) -> Result<Option<ForeignSignature>, Error> {
        let query = "SELECT said, document FROM foreign_signature WHERE zone = $1 AND identifier = $2 AND version = $3";
        let row = sqlx::query(query)
            .bind(zone.as_str())
            .bind(identifier.as_str())
            .bind(version.as_str())
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| Ok(ForeignSignature { said: column(&row, "said")?, document: column(&row, "document")? }))
            .transpose()
    }
}
