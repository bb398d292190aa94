//! Sessions of the portal.

use catalog_schemas::account::{Role, Scope};

use crate::account::{self, Actor, Credential};
use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, parsed, word};
use crate::secret;
use crate::token::NOTED;
use crate::writer::{Operation, Writing};

const HOUR: i64 = 3_600_000;
/// A session that was not used for this long is over.
const IDLE: i64 = 12 * HOUR;
/// A session that is this old is over however much it is used.
const LONGEST: i64 = 7 * 24 * HOUR;

struct Begin {
    hash: String,
    account: AccountName,
    request: String,
}

impl Operation for Begin {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let now = writing.now;
        sqlx::query("DELETE FROM session WHERE created <= $1 OR last_seen <= $2")
            .bind(now - LONGEST)
            .bind(now - IDLE)
            .execute(writing.connection().await?)
            .await?;
        sqlx::query("INSERT INTO session (hash, account, created, last_seen) VALUES ($1, $2, $3, $3)")
            .bind(self.hash)
            .bind(self.account.as_str())
            .bind(now)
            .execute(writing.connection().await?)
            .await?;
        writing.audit(self.account.as_str(), "session.begin", self.account.as_str(), (None, None), &self.request);
        Ok(())
    }
}

struct End {
    hash: Option<String>,
    account: Option<AccountName>,
    request: String,
}

impl Operation for End {
    type Answer = u64;

    async fn run(self, writing: &mut Writing) -> Result<u64, Error> {
        let rows = sqlx::query("SELECT account FROM session WHERE hash = $1 OR account = $2")
            .bind(self.hash.as_deref())
            .bind(self.account.as_ref().map(AccountName::as_str))
            .fetch_all(writing.connection().await?)
            .await?;
        let Some(first) = rows.first() else { return Ok(0) };
        let account: AccountName = parsed(first, "account")?;
        let ended = sqlx::query("DELETE FROM session WHERE hash = $1 OR account = $2")
            .bind(self.hash.as_deref())
            .bind(self.account.as_ref().map(AccountName::as_str))
            .execute(writing.connection().await?)
            .await?;
        let action = if self.account.is_some() { "session.end_all" } else { "session.end" };
        writing.audit(account.as_str(), action, account.as_str(), (None, None), &self.request);
        Ok(ended.rows_affected())
    }
}

struct NoteSeen {
    hash: String,
    at: i64,
}

impl Operation for NoteSeen {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        sqlx::query("UPDATE session SET last_seen = $2 WHERE hash = $1 AND last_seen < $2")
            .bind(self.hash)
            .bind(self.at)
            .execute(writing.connection().await?)
            .await?;
        Ok(())
    }
}

impl Ledger {
    /// Begins a session and returns its secret, which is kept only as a hash.
    pub async fn session_create(&self, account: &AccountName, request: &str) -> Result<String, Error> {
        let secret = secret::random()?;
        self.write(Begin { hash: secret::hash(&secret), account: account.clone(), request: request.to_owned() })
            .await?;
        Ok(secret)
    }

    /// Says whose session a secret stands for; nobody's when it is unknown, over, or its account suspended.
    pub async fn session_check(&self, secret: &str) -> Result<Option<Actor>, Error> {
        let (now, hash) = (self.now(), secret::hash(secret));
        let row = sqlx::query(
            "SELECT s.account, s.last_seen, a.role, \
             EXISTS (SELECT 1 FROM namespace n WHERE n.owner = s.account) AS owns \
             FROM session s JOIN account a ON a.name = s.account \
             WHERE s.hash = $1 AND s.created > $2 AND s.last_seen > $3 AND a.suspended = 0",
        )
        .bind(hash.as_str())
        .bind(now - LONGEST)
        .bind(now - IDLE)
        .fetch_optional(self.readers())
        .await?;
        let Some(row) = row else { return Ok(None) };
        if now - column::<i64>(&row, "last_seen")? >= NOTED {
            self.write_later(NoteSeen { hash, at: now });
        }
        Ok(Some(Actor {
            account: parsed(&row, "account")?,
            role: account::acting(word(&row, "role", Role::from_word)?, column(&row, "owns")?),
            scopes: vec![Scope::Admin],
            namespace: None,
            credential: Credential::Session,
        }))
    }

    /// Ends a session; says whether there was one.
    pub async fn session_end(&self, secret: &str, request: &str) -> Result<bool, Error> {
        let end = End { hash: Some(secret::hash(secret)), account: None, request: request.to_owned() };
        Ok(self.write(end).await? > 0)
    }

    /// Ends every session of an account; returns how many there were.
    pub async fn session_end_all(&self, account: &AccountName, request: &str) -> Result<u64, Error> {
        self.write(End { hash: None, account: Some(account.clone()), request: request.to_owned() }).await
    }
}
