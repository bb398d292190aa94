//! Looking over the whole ledger.

use sqlx::{Connection as _, Row};

use crate::audit::{self, BrokenAt};
use crate::blob::{blocking, check};
use crate::error::Error;
use crate::open::Ledger;
use crate::row::{Connection, column, counted, sha256};

/// What was found by looking over the whole ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records of any state.
    pub records: u64,
    /// Versions of any state.
    pub versions: u64,
    /// Revisions.
    pub revisions: u64,
    /// Blobs.
    pub blobs: u64,
    /// Entries of the audit trail, up to where it is sound.
    pub audit: u64,
    /// The sequence of the last change.
    pub seq: u64,
    /// Everything that is wrong, in words; none when all is well.
    pub faults: Vec<String>,
}

impl Report {
    /// Says whether all is well.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Ledger {
    /// Checks the database's own structure, all of it: what opening a large ledger leaves out so as to be quick.
    pub async fn check(&self) -> Result<(), Error> {
        let mut connection = self.connect().await?;
        let answer: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
        drop(connection.close().await);
        match answer {
            Ok(answer) if answer == "ok" => Ok(()),
            Ok(detail) => Err(Error::Corrupt { path: self.path().to_owned(), detail }),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks over the whole ledger: the database's own structure, every document and blob against its hash, the audit
    /// trail, and whether records fit their versions. It reads everything and may take long; others read and write on.
    pub async fn verify(&self) -> Result<Report, Error> {
        let mut connection = self.connect().await?;
        let report = self.look(&mut connection).await;
        drop(connection.close().await);
        report
    }

    async fn look(&self, connection: &mut Connection) -> Result<Report, Error> {
        let mut report = Report::default();
        for row in sqlx::query("PRAGMA integrity_check(20)").fetch_all(&mut *connection).await? {
            match row.try_get::<String, _>(0)? {
                answer if answer == "ok" => {}
                fault => report.faults.push(format!("database: {fault}")),
            }
        }
        for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *connection).await? {
            report.faults.push(format!("a row of `{}` names a row that is not there", row.try_get::<String, _>(0)?));
        }
        match audit::verify(connection).await? {
            Ok(entries) => report.audit = entries,
            Err(broken @ BrokenAt { number, .. }) => {
                report.audit = number.saturating_sub(1);
                report.faults.push(broken.to_string());
            }
        }
        self.look_at_documents(connection, &mut report).await?;
        self.look_at_blobs(connection, &mut report).await?;
        look_at_records(connection, &mut report).await?;
        Ok(report)
    }

    async fn look_at_documents(&self, connection: &mut Connection, report: &mut Report) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let rows =
                sqlx::query("SELECT id, document, content_hash FROM revision WHERE id > $1 ORDER BY id LIMIT 500")
                    .bind(after)
                    .fetch_all(&mut *connection)
                    .await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                after = column(row, "id")?;
                report.revisions += 1;
                let document: Option<&str> = column(row, "document")?;
                let sound = document.is_none_or(|text| {
                    column::<&str>(row, "content_hash").is_ok_and(|hash| sha256(text.as_bytes()) == hash)
                });
                if !sound {
                    report.faults.push(format!("the document of revision {after} does not have its hash"));
                }
            }
        }
    }

    async fn look_at_blobs(&self, connection: &mut Connection, report: &mut Report) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            // Few at a time: each may be as large as a package.
            let rows = sqlx::query("SELECT digest, content FROM blob WHERE digest > $1 ORDER BY digest LIMIT 16")
                .bind(after.as_str())
                .fetch_all(&mut *connection)
                .await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                after = column(row, "digest")?;
                report.blobs += 1;
                let content: Option<Vec<u8>> = column(row, "content")?;
                let (ledger, digest) = (self.clone(), after.clone());
                let look = move || {
                    let bytes = content.map_or_else(|| ledger.blobs().read(&digest), Ok)?;
                    check(&digest, &bytes)
                };
                if let Err(error) = blocking(look).await {
                    report.faults.push(error.to_string());
                }
            }
        }
    }
}

async fn look_at_records(connection: &mut Connection, report: &mut Report) -> Result<(), Error> {
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM record) AS records, (SELECT COUNT(*) FROM version) AS versions, \
         (SELECT COALESCE(MAX(seq), 0) FROM change_log) AS seq, (SELECT COUNT(*) FROM change_log) AS changes",
    )
    .fetch_one(&mut *connection)
    .await?;
    report.records = counted(column(&row, "records")?);
    report.versions = counted(column(&row, "versions")?);
    report.seq = counted(column(&row, "seq")?);
    let changes = counted(column(&row, "changes")?);
    if changes != report.seq {
        report.faults.push(format!("the change log counts to {} and has {changes} entries", report.seq));
    }
    let rows = sqlx::query(
        "SELECT r.zone, r.identifier FROM record r LEFT JOIN version n ON n.record = r.id AND n.version = r.version \
         WHERE n.record IS NULL OR n.state <> r.state OR n.revision <> r.revision LIMIT 20",
    )
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let (zone, identifier): (&str, &str) = (column(row, "zone")?, column(row, "identifier")?);
        report.faults.push(format!("the record {zone}/{identifier} does not fit its current version"));
    }
    Ok(())
}
