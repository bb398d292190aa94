//! Programs on a device without a browser ask for a token, and somebody allows it in the portal (RFC 8628).

use catalog_schemas::account::{NewToken, Scope, Token};
use catalog_schemas::people::DeviceRequest;
use rand::TryRngCore;

use crate::account::Actor;
use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, parsed};
use crate::secret;
use crate::token;
use crate::writer::{Operation, Writing};

/// How long somebody has to allow it.
pub const DEVICE_SECONDS: u32 = 900;
/// How many devices may wait at once: codes are short, and must stay hard to guess.
const MOST_WAITING: i64 = 1000;
/// Letters of a code: none that reads as another, no vowel that makes a word (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Days that a token lives which a device gets.
const DAYS: u32 = 90;

/// What a device asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCodes {
    /// The secret that the device asks with.
    pub device: String,
    /// The code that a person writes.
    pub user: String,
}

/// How a device's request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// Nobody has answered.
    Pending,
    /// Somebody said no.
    Denied,
    /// There is no such request, or it is too old.
    Expired,
    /// Here is its token.
    Token(Box<Token>),
}

struct Ask {
    hash: String,
    code: String,
    client: String,
    scopes: Vec<Scope>,
}

impl Operation for Ask {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let now = writing.now;
        let connection = writing.connection().await?;
        sqlx::query("DELETE FROM device WHERE expires <= $1").bind(now).execute(&mut *connection).await?;
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM device").fetch_one(&mut *connection).await?;
        if waiting >= MOST_WAITING {
            return Err(Error::Busy);
        }
        sqlx::query(
            "INSERT INTO device (hash, code, client, scopes, state, expires) VALUES ($1, $2, $3, $4, 'pending', $5)",
        )
        .bind(self.hash)
        .bind(self.code)
        .bind(self.client)
        .bind(token::scopes_text(&self.scopes))
        .bind(now + i64::from(DEVICE_SECONDS) * 1000)
        .execute(connection)
        .await?;
        Ok(())
    }
}

struct Decide {
    code: String,
    allow: bool,
    actor: Actor,
    request: String,
}

impl Operation for Decide {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let now = writing.now;
        let decided = sqlx::query(
            "UPDATE device SET state = $3, account = $4 WHERE code = $1 AND expires > $2 AND state = 'pending'",
        )
        .bind(self.code.as_str())
        .bind(now)
        .bind(if self.allow { "approved" } else { "denied" })
        .bind(self.actor.account.as_str())
        .execute(writing.connection().await?)
        .await?;
        if decided.rows_affected() == 0 {
            return Err(Error::not_found("code", self.code));
        }
        let action = if self.allow { "device.allow" } else { "device.deny" };
        writing.audit(self.actor.account.as_str(), action, self.actor.account.as_str(), (None, None), &self.request);
        Ok(())
    }
}

/// Takes an answer that was given away, so that it is given once.
struct Take {
    hash: String,
    secret: String,
    id: String,
    request: String,
}

impl Operation for Take {
    type Answer = DeviceAnswer;

    async fn run(self, writing: &mut Writing) -> Result<DeviceAnswer, Error> {
        let now = writing.now;
        let connection = writing.connection().await?;
        let row = sqlx::query("SELECT * FROM device WHERE hash = $1 AND expires > $2")
            .bind(self.hash.as_str())
            .bind(now)
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(DeviceAnswer::Expired) };
        let state: String = column(&row, "state")?;
        if state == "pending" {
            return Ok(DeviceAnswer::Pending);
        }
        sqlx::query("DELETE FROM device WHERE hash = $1").bind(self.hash).execute(&mut *connection).await?;
        if state == "denied" {
            return Ok(DeviceAnswer::Denied);
        }
        let account: AccountName = parsed(&row, "account")?;
        let client: String = column(&row, "client")?;
        let asked = NewToken {
            name: client.chars().take(100).collect(),
            scopes: token::scopes(&row)?,
            namespace: None,
            days: Some(DAYS),
            account: None,
            role: None,
        };
        let create = token::Create {
            id: self.id,
            hash: secret::hash(&self.secret),
            account: account.clone(),
            asked,
            by: account,
            request: self.request,
        };
        let token = create.run(writing).await?;
        Ok(DeviceAnswer::Token(Box::new(Token { secret: Some(self.secret), ..token })))
    }
}

impl Ledger {
    /// Notes that a device asks for a token.
    pub async fn device_ask(&self, client: &str, scopes: &[Scope]) -> Result<DeviceCodes, Error> {
        let codes = DeviceCodes { device: secret::random()?, user: code()? };
        let (hash, code) = (secret::hash(&codes.device), codes.user.clone());
        let client = client.chars().filter(|c| !c.is_control()).take(80).collect();
        self.write(Ask { hash, code, client, scopes: scopes.to_vec() }).await?;
        Ok(codes)
    }

    /// Says what waits behind a person's code.
    pub async fn device_request(&self, code: &str) -> Result<Option<DeviceRequest>, Error> {
        let row = sqlx::query("SELECT * FROM device WHERE code = $1 AND expires > $2 AND state = 'pending'")
            .bind(code)
            .bind(self.now())
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| {
            Ok(DeviceRequest {
                code: column(&row, "code")?,
                client: column(&row, "client")?,
                scopes: token::scopes(&row)?,
            })
        })
        .transpose()
    }

    /// Allows or denies what waits behind a person's code.
    pub async fn device_decide(&self, code: &str, allow: bool, actor: &Actor, request: &str) -> Result<(), Error> {
        let decide = Decide { code: code.to_owned(), allow, actor: actor.clone(), request: request.to_owned() };
        self.write(decide).await
    }

    /// Gives a device its answer; a token, and a no, are given once.
    pub async fn device_take(&self, device: &str, request: &str) -> Result<DeviceAnswer, Error> {
        let id = secret::random()?.chars().take(16).collect();
        let take = Take { hash: secret::hash(device), secret: secret::token()?, id, request: request.to_owned() };
        self.write(take).await
    }
}

/// Makes a code for a person to write: eight letters, 34 bits, in two groups.
fn code() -> Result<String, Error> {
    let mut bytes = [0; 8];
    let mut letters = String::with_capacity(9);
    while letters.len() < 9 {
        rand::rngs::OsRng
            .try_fill_bytes(&mut bytes)
            .map_err(|error| Error::Refused(format!("the system gives no randomness: {error}")))?;
        // Bytes from 240 on would make the first letters likelier than the others.
        for byte in bytes.into_iter().filter(|byte| *byte < 240) {
            if letters.len() == 4 {
                letters.push('-');
            }
            if letters.len() < 9 {
                letters.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
    }
    Ok(letters)
}
