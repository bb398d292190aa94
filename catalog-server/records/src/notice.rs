//! Notices: what somebody should know of what others did with a record, written in the transaction of the deed.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, counted, stored, time, unsigned};
use crate::writer::{Operation, Writing};

/// The recipient that stands for everybody who moderates.
pub(crate) const MODERATORS: &str = "@moderator";

/// What happened when a run of a source waits for approval; its notice names the source and the run.
pub const HELD: &str = "held";

/// Notices of one recipient that are kept; older ones go, so that a busy account's list stays bounded.
const KEPT: i64 = 1_000;

/// What somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Counts up; never reused.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What happened: `submitted`, `approved`, `returned`, `withdrawn`, `deprecated`, `restored`, `overlaid`,
    /// `held`.
    pub what: String,
    /// The record's home zone; empty when it is about a source.
    pub zone: String,
    /// The record, or the source.
    pub identifier: String,
    /// The version, or the source's run; empty when it is about the whole record.
    pub version: String,
    /// What was said with it, such as the reason.
    pub message: Option<String>,
    /// Who did it.
    pub account: String,
    /// Whether the recipient has read it.
    pub read: bool,
}

/// A notice that is not yet written.
pub(crate) struct Note<'a> {
    pub(crate) recipient: &'a str,
    pub(crate) what: &'static str,
    pub(crate) key: (&'a str, &'a str, &'a str),
    pub(crate) message: Option<&'a str>,
    pub(crate) account: &'a str,
}

/// Writes a notice, unless it would tell somebody of their own deed.
pub(crate) async fn write(writing: &mut Writing, note: Note<'_>) -> Result<(), Error> {
    if note.recipient == note.account || note.recipient == AccountName::application().as_str() {
        return Ok(());
    }
    let now = writing.now;
    sqlx::query(
        "INSERT INTO notice (recipient, at, what, zone, identifier, version, message, account) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(note.recipient)
    .bind(now)
    .bind(note.what)
    .bind(note.key.0)
    .bind(note.key.1)
    .bind(note.key.2)
    .bind(note.message)
    .bind(note.account)
    .execute(writing.connection().await?)
    .await?;
    sqlx::query(
        "DELETE FROM notice WHERE recipient = $1 AND number <= \
         (SELECT number FROM notice WHERE recipient = $1 ORDER BY number DESC LIMIT 1 OFFSET $2)",
    )
    .bind(note.recipient)
    .bind(KEPT)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

fn notice(row: &SqliteRow) -> Result<Notice, Error> {
    Ok(Notice {
        number: unsigned(row, "number")?,
        at: time(row, "at")?,
        what: column(row, "what")?,
        zone: column(row, "zone")?,
        identifier: column(row, "identifier")?,
        version: column(row, "version")?,
        message: column(row, "message")?,
        account: column(row, "account")?,
        read: column::<i64>(row, "seen")? != 0,
    })
}

struct Read {
    account: AccountName,
    upto: u64,
    request: String,
}

impl Operation for Read {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        sqlx::query(
            // Only what is there can have been read: a number of the future would hide what is still to come.
            "INSERT INTO notice_read (account, number) VALUES ($1, MIN($2, (SELECT COALESCE(MAX(number), 0) FROM notice))) \
             ON CONFLICT (account) DO UPDATE SET number = MAX(number, excluded.number)",
        )
        .bind(self.account.as_str())
        .bind(stored(self.upto))
        .execute(writing.connection().await?)
        .await?;
        let subject = format!("{} up to {}", self.account, self.upto);
        writing.audit(self.account.as_str(), "notices.read", &subject, (None, None), &self.request);
        Ok(())
    }
}

impl Ledger {
    /// Lists the notices to an account, newest first; those to moderators too when it moderates.
    pub async fn notices(&self, account: &AccountName, moderates: bool, limit: u32) -> Result<Vec<Notice>, Error> {
        let rows = sqlx::query(
            "SELECT n.*, n.number <= COALESCE((SELECT r.number FROM notice_read r WHERE r.account = $1), 0) AS seen FROM notice n \
             WHERE (n.recipient = $1 OR (n.recipient = $2 AND $3)) AND n.account <> $1 ORDER BY n.number DESC LIMIT $4",
        )
        .bind(account.as_str())
        .bind(MODERATORS)
        .bind(moderates)
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(notice).collect()
    }

    /// Counts the notices that an account has not read.
    pub async fn unread(&self, account: &AccountName, moderates: bool) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM notice n WHERE (n.recipient = $1 OR (n.recipient = $2 AND $3)) AND n.account <> $1 \
             AND n.number > COALESCE((SELECT r.number FROM notice_read r WHERE r.account = $1), 0)",
        )
        .bind(account.as_str())
        .bind(MODERATORS)
        .bind(moderates)
        .fetch_one(self.readers())
        .await?;
        Ok(counted(count))
    }

    /// Marks an account's notices as read up to a number.
    pub async fn notices_read(&self, account: &AccountName, upto: u64, request: &str) -> Result<(), Error> {
        self.write(Read { account: account.clone(), upto, request: request.to_owned() }).await
    }
}
