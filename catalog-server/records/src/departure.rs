//! Those who are on their way to an identity provider: noted when they leave, taken once when they come back. In the ledger,
//! so that neither a restart nor a second server on the same ledger loses them.

use crate::error::Error;
use crate::open::Ledger;
use crate::row::column;
use crate::secret;
use crate::writer::{Operation, Writing};

/// How long somebody may take to sign in at the provider.
const WAITING: i64 = 600_000;
/// The most who may be on their way at once.
const MOST_WAITING: i64 = 5000;

/// Somebody on the way to an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The provider's name in our configuration.
    pub provider: String,
    /// What the browser keeps in a cookie; kept here as a hash, and empty in what is read.
    pub cookie: String,
    /// What the provider's answer has to repeat.
    pub nonce: String,
    /// What proves to the provider that who asks for the token is who left (RFC 7636).
    pub verifier: String,
    /// Where they wanted to go.
    pub next: String,
}

struct Leave {
    hash: String,
    departure: Departure,
}

impl Operation for Leave {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let now = writing.now;
        let connection = writing.connection().await?;
        sqlx::query("DELETE FROM departure WHERE expires <= $1").bind(now).execute(&mut *connection).await?;
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM departure").fetch_one(&mut *connection).await?;
        if waiting >= MOST_WAITING {
            return Err(Error::Busy);
        }
        let Departure { provider, cookie, nonce, verifier, next } = self.departure;
        sqlx::query(
            "INSERT INTO departure (hash, provider, cookie, nonce, verifier, next, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(self.hash)
        .bind(provider)
        .bind(secret::hash(&cookie))
        .bind(nonce)
        .bind(verifier)
        .bind(next)
        .bind(now + WAITING)
        .execute(connection)
        .await?;
        Ok(())
    }
}

struct Return {
    hash: String,
    cookie: Option<String>,
}

impl Operation for Return {
    type Answer = Option<Departure>;

    async fn run(self, writing: &mut Writing) -> Result<Option<Departure>, Error> {
        let now = writing.now;
        // Whatever comes of it, this state is used up.
        let row = sqlx::query("DELETE FROM departure WHERE hash = $1 AND expires > $2 RETURNING *")
            .bind(self.hash)
            .bind(now)
            .fetch_optional(writing.connection().await?)
            .await?;
        let Some(row) = row else { return Ok(None) };
        if self.cookie.as_deref() != Some(column::<&str>(&row, "cookie")?) {
            return Ok(None);
        }
        Ok(Some(Departure {
            provider: column(&row, "provider")?,
            cookie: String::new(),
            nonce: column(&row, "nonce")?,
            verifier: column(&row, "verifier")?,
            next: column(&row, "next")?,
        }))
    }
}

impl Ledger {
    /// Notes that somebody leaves for an identity provider; `state` is what the way back brings along.
    pub async fn depart(&self, state: &str, departure: Departure) -> Result<(), Error> {
        self.write(Leave { hash: secret::hash(state), departure }).await
    }

    /// Takes back somebody who left, once; nobody when the state is unknown, too old, used up, or brought by another browser.
    pub async fn come_back(&self, state: &str, cookie: Option<&str>) -> Result<Option<Departure>, Error> {
        self.write(Return { hash: secret::hash(state), cookie: cookie.map(secret::hash) }).await
    }
}
