//! Answers already given, so that a request that comes twice is done once.

use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::column;
use crate::writer::{Operation, Writing};

/// How long an answer is kept.
const KEPT: i64 = 24 * 3_600_000;

/// The key that a request's sender gave it, and the hash of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key; its own for every account.
    pub key: String,
    /// The hash of everything that makes the request what it is.
    pub request: String,
}

/// An answer that was given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// Claims a key for a subject; returns the subject of an earlier claim by the same request.
pub(crate) async fn claim(
    writing: &mut Writing,
    account: &str,
    key: &IdempotencyKey,
    subject: &str,
) -> Result<Option<String>, Error> {
    let now = writing.now;
    sqlx::query("DELETE FROM idempotency WHERE at <= $1").bind(now - KEPT).execute(writing.connection().await?).await?;
    let row = sqlx::query("SELECT request, subject FROM idempotency WHERE account = $1 AND key = $2")
        .bind(account)
        .bind(key.key.as_str())
        .fetch_optional(writing.connection().await?)
        .await?;
    if let Some(row) = row {
        return if column::<&str>(&row, "request")? == key.request {
            column(&row, "subject").map(Some)
        } else {
            Err(Error::IdempotencyMismatch(key.key.clone()))
        };
    }
    sqlx::query("INSERT INTO idempotency (account, key, request, subject, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(account)
        .bind(key.key.as_str())
        .bind(key.request.as_str())
        .bind(subject)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
    Ok(None)
}

struct Keep {
    account: AccountName,
    key: IdempotencyKey,
    answer: StoredAnswer,
}

impl Operation for Keep {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        claim(writing, self.account.as_str(), &self.key, "").await?;
        sqlx::query("UPDATE idempotency SET status = $3, body = $4 WHERE account = $1 AND key = $2 AND status IS NULL")
            .bind(self.account.as_str())
            .bind(self.key.key)
            .bind(i64::from(self.answer.status))
            .bind(self.answer.body)
            .execute(writing.connection().await?)
            .await?;
        Ok(())
    }
}

impl Ledger {
    /// Finds the answer that an account's request with this key was given within the last day.
    pub async fn idempotent_answer(
        &self,
        account: &AccountName,
        key: &IdempotencyKey,
    ) -> Result<Option<StoredAnswer>, Error> {
        let row =
            sqlx::query("SELECT request, status, body FROM idempotency WHERE account = $1 AND key = $2 AND at > $3")
                .bind(account.as_str())
                .bind(key.key.as_str())
                .bind(self.now() - KEPT)
                .fetch_optional(self.readers())
                .await?;
        let Some(row) = row else { return Ok(None) };
        if column::<&str>(&row, "request")? != key.request {
            return Err(Error::IdempotencyMismatch(key.key.clone()));
        }
        let Some(status) = column::<Option<i64>>(&row, "status")? else { return Ok(None) };
        let status =
            u16::try_from(status).map_err(|error| Error::Invalid { column: "status", detail: error.to_string() })?;
        Ok(Some(StoredAnswer { status, body: column::<Option<String>>(&row, "body")?.unwrap_or_default() }))
    }

    /// Finds what an account's request with this key was claimed for within the last day, answered or not.
    pub async fn idempotent_subject(
        &self,
        account: &AccountName,
        key: &IdempotencyKey,
    ) -> Result<Option<String>, Error> {
        let row = sqlx::query("SELECT request, subject FROM idempotency WHERE account = $1 AND key = $2 AND at > $3")
            .bind(account.as_str())
            .bind(key.key.as_str())
            .bind(self.now() - KEPT)
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(None) };
        if column::<&str>(&row, "request")? != key.request {
            return Err(Error::IdempotencyMismatch(key.key.clone()));
        }
        column(&row, "subject").map(Some)
    }

    /// Keeps an answer for a day; the first one stays.
    pub async fn keep_answer(
        &self,
        account: &AccountName,
        key: &IdempotencyKey,
        answer: StoredAnswer,
    ) -> Result<(), Error> {
        self.write(Keep { account: account.clone(), key: key.clone(), answer }).await
    }
}
