//! Passwords of local accounts and the one-time links that let somebody choose one. Hashing is the caller's work: it is
//! slow on purpose.

use catalog_schemas::account::Role;
use jiff::Timestamp;

use crate::account;
use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, moment, parsed};
use crate::secret;
use crate::writer::{Operation, Writing};

/// How long a link to choose a password may wait.
const TICKET: i64 = 3 * 86_400_000;

struct Set {
    account: AccountName,
    phc: String,
    /// The hash of the ticket that allows it, when it is one that does.
    ticket: Option<String>,
    request: String,
}

impl Operation for Set {
    type Answer = AccountName;

    async fn run(self, writing: &mut Writing) -> Result<AccountName, Error> {
        let now = writing.now;
        let connection = writing.connection().await?;
        if let Some(ticket) = &self.ticket {
            let used = sqlx::query("DELETE FROM ticket WHERE hash = $1 AND account = $2 AND expires > $3")
                .bind(ticket.as_str())
                .bind(self.account.as_str())
                .bind(now)
                .execute(&mut *connection)
                .await?;
            if used.rows_affected() == 0 {
                return Err(Error::not_found("link", "it was used, or is too old"));
            }
        }
        sqlx::query(
            "INSERT INTO password (account, phc, changed) VALUES ($1, $2, $3) \
             ON CONFLICT (account) DO UPDATE SET phc = excluded.phc, changed = excluded.changed",
        )
        .bind(self.account.as_str())
        .bind(self.phc)
        .bind(now)
        .execute(&mut *connection)
        .await?;
        // Whoever knew the old password is out, and other links that still wait are void.
        for query in ["DELETE FROM session WHERE account = $1", "DELETE FROM ticket WHERE account = $1"] {
            sqlx::query(query).bind(self.account.as_str()).execute(&mut *connection).await?;
        }
        writing.audit(self.account.as_str(), "password.set", self.account.as_str(), (None, None), &self.request);
        Ok(self.account)
    }
}

struct Ticket {
    hash: String,
    account: AccountName,
    by: AccountName,
    request: String,
}

impl Operation for Ticket {
    type Answer = Timestamp;

    async fn run(self, writing: &mut Writing) -> Result<Timestamp, Error> {
        let expires = ticket(writing, &self.hash, &self.account).await?;
        writing.audit(self.by.as_str(), "password.link", self.account.as_str(), (None, None), &self.request);
        Ok(expires)
    }
}

/// Writes a link to choose a password; an older one is void.
async fn ticket(writing: &mut Writing, hash: &str, account: &AccountName) -> Result<Timestamp, Error> {
    let now = writing.now;
    let connection = writing.connection().await?;
    sqlx::query("DELETE FROM ticket WHERE expires <= $1 OR account = $2")
        .bind(now)
        .bind(account.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO ticket (hash, account, expires) VALUES ($1, $2, $3)")
        .bind(hash)
        .bind(account.as_str())
        .bind(now + TICKET)
        .execute(connection)
        .await?;
    moment(now + TICKET, "expires")
}

/// What a new account begins with.
enum Beginning {
    /// A password that its owner chose, hashed.
    Password(String),
    /// A link, by its hash, with which its owner chooses one.
    Link(String),
}

struct Register {
    account: AccountName,
    display_name: Option<String>,
    role: Role,
    beginning: Beginning,
    by: AccountName,
    request: String,
}

impl Operation for Register {
    /// When the link is too old, where there is one.
    type Answer = Option<Timestamp>;

    async fn run(self, writing: &mut Writing) -> Result<Option<Timestamp>, Error> {
        if !account::ensure(writing, &self.account, self.role).await? {
            return Err(Error::Conflict(format!("the name `{}` is taken", self.account)));
        }
        let now = writing.now;
        let connection = writing.connection().await?;
        sqlx::query("UPDATE account SET display_name = $2 WHERE name = $1")
            .bind(self.account.as_str())
            .bind(self.display_name.as_deref())
            .execute(&mut *connection)
            .await?;
        let expires = match self.beginning {
            Beginning::Password(phc) => {
                sqlx::query("INSERT INTO password (account, phc, changed) VALUES ($1, $2, $3)")
                    .bind(self.account.as_str())
                    .bind(phc)
                    .bind(now)
                    .execute(connection)
                    .await?;
                None
            }
            Beginning::Link(hash) => Some(ticket(writing, &hash, &self.account).await?),
        };
        let role = Some(self.role.as_str());
        writing.audit(self.by.as_str(), "account.create", self.account.as_str(), (None, role), &self.request);
        Ok(expires)
    }
}

impl Ledger {
    /// Returns the hash of an account's password; nothing when it has none, or is suspended.
    pub async fn password(&self, account: &AccountName) -> Result<Option<String>, Error> {
        let row = sqlx::query(
            "SELECT p.phc FROM password p JOIN account a ON a.name = p.account WHERE p.account = $1 AND a.suspended = 0",
        )
        .bind(account.as_str())
        .fetch_optional(self.readers())
        .await?;
        row.map(|row| column(&row, "phc")).transpose()
    }

    /// Sets an account's password; every session of the account ends.
    pub async fn password_set(&self, account: &AccountName, phc: String, request: &str) -> Result<(), Error> {
        let set = Set { account: account.clone(), phc, ticket: None, request: request.to_owned() };
        self.write(set).await.map(drop)
    }

    /// Sets the password of the account that a one-time link is for; the link is used up.
    pub async fn password_redeem(&self, secret: &str, phc: String, request: &str) -> Result<AccountName, Error> {
        let account = self.password_link_account(secret).await?;
        let account = account.ok_or_else(|| Error::not_found("link", "it was used, or is too old"))?;
        self.write(Set { account, phc, ticket: Some(secret::hash(secret)), request: request.to_owned() }).await
    }

    /// Says for whom a one-time link is, as long as it holds.
    pub async fn password_link_account(&self, secret: &str) -> Result<Option<AccountName>, Error> {
        let row = sqlx::query(
            "SELECT t.account FROM ticket t JOIN account a ON a.name = t.account \
             WHERE t.hash = $1 AND t.expires > $2 AND a.suspended = 0",
        )
        .bind(secret::hash(secret))
        .bind(self.now())
        .fetch_optional(self.readers())
        .await?;
        row.map(|row| parsed(&row, "account")).transpose()
    }

    /// Makes the secret of a one-time link with which an account's owner chooses a password; an older link is void.
    pub async fn password_link(
        &self,
        account: &AccountName,
        by: &AccountName,
        request: &str,
    ) -> Result<(String, Timestamp), Error> {
        if self.account(account).await?.is_none_or(|known| known.role == Role::Application) {
            return Err(Error::not_found("account", account.as_str()));
        }
        let secret = secret::random()?;
        let hash = secret::hash(&secret);
        let ticket = Ticket { hash, account: account.clone(), by: by.clone(), request: request.to_owned() };
        Ok((secret, self.write(ticket).await?))
    }

    /// Makes a new account with the password that its owner chose; a name that is taken is refused.
    pub async fn register(
        &self,
        account: &AccountName,
        display_name: Option<&str>,
        phc: String,
        request: &str,
    ) -> Result<(), Error> {
        let (account, display_name) = (account.clone(), display_name.map(str::to_owned));
        let (by, beginning, request) = (account.clone(), Beginning::Password(phc), request.to_owned());
        self.write(Register { account, display_name, role: Role::User, beginning, by, request }).await.map(drop)
    }

    /// Makes a new account and, in the same transaction, the secret of the one-time link with which its owner chooses a
    /// password.
    pub async fn invite(
        &self,
        account: &AccountName,
        (display_name, role): (Option<&str>, Role),
        by: &AccountName,
        request: &str,
    ) -> Result<(String, Timestamp), Error> {
        let secret = secret::random()?;
        let beginning = Beginning::Link(secret::hash(&secret));
        let (account, display_name) = (account.clone(), display_name.map(str::to_owned));
        let (by, request) = (by.clone(), request.to_owned());
        let expires = self.write(Register { account, display_name, role, beginning, by, request }).await?;
        let expires = expires.ok_or_else(|| Error::Refused("an invitation without a link".to_owned()))?;
        Ok((secret, expires))
    }
}
