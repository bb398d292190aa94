//! Sessions of the portal.

use catalog_schemas::account::{Role, Scope};
use catalog_schemas::people::SessionView;
use sqlx::sqlite::SqliteRow;

use crate::account::{self, Actor, Credential};
use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, parsed, time, word};
use crate::secret;
use crate::token::NOTED;
use crate::writer::{Operation, Writing};

const HOUR: i64 = 3_600_000;
/// A session that was not used for this long is over.
const IDLE: i64 = 12 * HOUR;
/// A session that is this old is over however much it is used.
const LONGEST: i64 = 7 * 24 * HOUR;
/// The most sessions of one account.
const MOST: i64 = 50;

struct Begin {
    hash: String,
    account: AccountName,
    method: String,
    provider_session: Option<String>,
    agent: Option<String>,
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
        // Whoever has very many sessions loses the oldest: a program that signs in again and again fills nothing.
        sqlx::query(
            "DELETE FROM session WHERE account = $1 AND hash NOT IN \
             (SELECT hash FROM session WHERE account = $1 ORDER BY last_seen DESC LIMIT $2)",
        )
        .bind(self.account.as_str())
        .bind(MOST - 1)
        .execute(writing.connection().await?)
        .await?;
        let id: String = self.hash.chars().take(16).collect();
        sqlx::query(
            "INSERT INTO session (hash, account, created, last_seen, id, method, agent, provider_session) \
             VALUES ($1, $2, $3, $3, $4, $5, $6, $7)",
        )
        .bind(self.hash)
        .bind(self.account.as_str())
        .bind(now)
        .bind(id)
        .bind(self.method)
        .bind(self.agent)
        .bind(self.provider_session)
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

struct EndOne {
    id: String,
    account: AccountName,
    request: String,
}

impl Operation for EndOne {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let ended = sqlx::query("DELETE FROM session WHERE id = $1 AND account = $2")
            .bind(self.id.as_str())
            .bind(self.account.as_str())
            .execute(writing.connection().await?)
            .await?;
        if ended.rows_affected() == 0 {
            return Err(Error::not_found("session", self.id));
        }
        writing.audit(self.account.as_str(), "session.end", self.account.as_str(), (None, None), &self.request);
        Ok(())
    }
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

/// What an identity provider ends: its sessions of somebody, or one of them.
struct EndOfProvider {
    provider: String,
    issuer: String,
    subject: String,
    provider_session: Option<String>,
    request: String,
}

impl Operation for EndOfProvider {
    type Answer = u64;

    async fn run(self, writing: &mut Writing) -> Result<u64, Error> {
        let account: Option<String> =
            sqlx::query_scalar("SELECT account FROM identity WHERE issuer = $1 AND subject = $2")
                .bind(self.issuer)
                .bind(self.subject)
                .fetch_optional(writing.connection().await?)
                .await?;
        let Some(account) = account else { return Ok(0) };
        let source = format!("oidc:{}", self.provider);
        // One of ours of which the provider never said by which of its own it began may be any of them.
        let ended = sqlx::query(
            "DELETE FROM session WHERE account = $1 AND method = $2 \
             AND ($3 IS NULL OR provider_session IS NULL OR provider_session = $3)",
        )
        .bind(account.as_str())
        .bind(source.as_str())
        .bind(self.provider_session)
        .execute(writing.connection().await?)
        .await?;
        if ended.rows_affected() > 0 {
            writing.audit(&source, "session.end_all", &account, (None, None), &self.request);
        }
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
    /// Begins a session and returns its secret, which is kept only as a hash; `method` says how, and by which
    /// session of an identity provider; `agent` for whom.
    pub async fn session_create(
        &self,
        account: &AccountName,
        (method, provider_session): (&str, Option<&str>),
        agent: Option<&str>,
        request: &str,
    ) -> Result<String, Error> {
        let secret = secret::random()?;
        let agent = agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(200).collect());
        let (hash, method) = (secret::hash(&secret), method.to_owned());
        let (account, provider_session) = (account.clone(), provider_session.map(str::to_owned));
        self.write(Begin { hash, account, method, provider_session, agent, request: request.to_owned() }).await?;
        Ok(secret)
    }

    /// Lists the sessions of an account that are not over, newest first; `current` is the secret of the one that asks.
    pub async fn sessions(&self, account: &AccountName, current: Option<&str>) -> Result<Vec<SessionView>, Error> {
        let (now, current) = (self.now(), current.map(secret::hash));
        let rows = sqlx::query(
            "SELECT * FROM session WHERE account = $1 AND created > $2 AND last_seen > $3 ORDER BY created DESC, id",
        )
        .bind(account.as_str())
        .bind(now - LONGEST)
        .bind(now - IDLE)
        .fetch_all(self.readers())
        .await?;
        let view = |row: &SqliteRow| -> Result<SessionView, Error> {
            Ok(SessionView {
                id: column(row, "id")?,
                agent: column(row, "agent")?,
                method: column(row, "method")?,
                created: time(row, "created")?.to_string(),
                last_seen: time(row, "last_seen")?.to_string(),
                current: current.is_some() && current == Some(column(row, "hash")?),
            })
        };
        rows.iter().map(view).collect()
    }

    /// Ends one session of an account by its public id.
    pub async fn session_end_id(&self, account: &AccountName, id: &str, request: &str) -> Result<(), Error> {
        self.write(EndOne { id: id.to_owned(), account: account.clone(), request: request.to_owned() }).await
    }

    /// Says whose session a secret stands for; nobody's when it is unknown, over, or its account suspended.
    pub async fn session_check(&self, secret: &str) -> Result<Option<Actor>, Error> {
        let (now, hash) = (self.now(), secret::hash(secret));
        let row = sqlx::query(
            "SELECT s.account, s.last_seen, a.role, \
             EXISTS (SELECT 1 FROM member n WHERE n.account = s.account AND n.kind = 'namespace' AND n.accepted = 1) AS owns \
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

    /// Ends what an identity provider's sessions of somebody began, or what one of them did; returns how many there were.
    pub async fn session_end_of_provider(
        &self,
        provider: &str,
        (issuer, subject): (&str, &str),
        provider_session: Option<&str>,
        request: &str,
    ) -> Result<u64, Error> {
        let (provider, issuer, subject) = (provider.to_owned(), issuer.to_owned(), subject.to_owned());
        let (provider_session, request) = (provider_session.map(str::to_owned), request.to_owned());
        self.write(EndOfProvider { provider, issuer, subject, provider_session, request }).await
    }

    /// Ends every session of an account; returns how many there were.
    pub async fn session_end_all(&self, account: &AccountName, request: &str) -> Result<u64, Error> {
        self.write(End { hash: None, account: Some(account.clone()), request: request.to_owned() }).await
    }
}
