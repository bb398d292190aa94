//! What other zones' servers ask in their users' names: each request once, each user under an account of its own.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::column;
use crate::writer::{Operation, Writing};

struct Use {
    jti: String,
    expires: i64,
}

impl Operation for Use {
    type Answer = bool;

    async fn run(self, writing: &mut Writing) -> Result<bool, Error> {
        let now = writing.now;
        sqlx::query("DELETE FROM delegation WHERE expires < $1").bind(now).execute(writing.connection().await?).await?;
        let done = sqlx::query("INSERT INTO delegation (jti, expires) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING")
            .bind(self.jti)
            .bind(self.expires)
            .execute(writing.connection().await?)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

struct Admit {
    zone: String,
    remote: String,
    account: AccountName,
}

impl Operation for Admit {
    type Answer = AccountName;

    async fn run(self, writing: &mut Writing) -> Result<AccountName, Error> {
        let now = writing.now;
        let row = sqlx::query("SELECT account FROM delegated_account WHERE zone = $1 AND remote = $2")
            .bind(self.zone.as_str())
            .bind(self.remote.as_str())
            .fetch_optional(writing.connection().await?)
            .await?;
        if let Some(row) = row {
            let known: String = column(&row, "account")?;
            return known.parse().map_err(|_| Error::Invalid { column: "account", detail: known });
        }
        let made = sqlx::query(
            "INSERT INTO account (name, role, created) VALUES ($1, 'user', $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(self.account.as_str())
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        if made.rows_affected() == 0 {
            // Somebody of this server has the name: what they may is not lent to a user of another zone.
            return Err(Error::Refused(format!("the account `{}` is somebody else's here", self.account)));
        }
        sqlx::query("INSERT INTO delegated_account (account, zone, remote) VALUES ($1, $2, $3)")
            .bind(self.account.as_str())
            .bind(self.zone.as_str())
            .bind(self.remote.as_str())
            .execute(writing.connection().await?)
            .await?;
        writing.audit(self.account.as_str(), "account.delegated", &self.zone, (None, None), "-");
        Ok(self.account)
    }
}

/// Returns the account here of another zone's user: `user@zone`, shortened with a hash when it would be too long.
fn account_of(zone: &str, remote: &str) -> Result<AccountName, Error> {
    let full = format!("{remote}@{zone}");
    let name = if full.len() <= 64 {
        full
    } else {
        let hash = hex::encode(Sha256::digest(full.as_bytes()));
        format!(
            "{}-{}@{}",
            remote.chars().take(20).collect::<String>(),
            &hash[..12],
            zone.chars().take(30).collect::<String>()
        )
    };
    name.parse().map_err(|_| Error::Refused(format!("`{remote}` of the zone `{zone}` cannot be an account here")))
}

impl Ledger {
    /// Notes a signed request's number; says no when it was used before.
    pub async fn delegation_use(&self, zone: &str, jti: &str, expires: Timestamp) -> Result<bool, Error> {
        // Kept longer than it holds, as clocks may be apart.
        let expires = expires.as_millisecond() + 600_000;
        self.write(Use { jti: format!("{zone} {jti}"), expires }).await
    }

    /// Returns the account under which another zone's user acts here; made when they come for the first time.
    pub async fn delegated_account(&self, zone: &str, remote: &str) -> Result<AccountName, Error> {
        let account = account_of(zone, remote)?;
        self.write(Admit { zone: zone.to_owned(), remote: remote.to_owned(), account }).await
    }

    /// Lists the accounts of a zone's users.
    pub async fn delegated_accounts(&self, zone: &str) -> Result<Vec<AccountName>, Error> {
        let rows = sqlx::query("SELECT account FROM delegated_account WHERE zone = $1 ORDER BY account")
            .bind(zone)
            .fetch_all(self.readers())
            .await?;
        let name = |text: String| text.parse().map_err(|_| Error::Invalid { column: "account", detail: text });
        rows.iter().map(|row| column(row, "account").and_then(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_number_is_used_once_and_an_account_is_lent_to_nobody() {
        let ledger = Ledger::temporary().await.unwrap();
        let expires = Timestamp::now();
        assert!(ledger.delegation_use("go-esa", "n1", expires).await.unwrap());
        assert!(!ledger.delegation_use("go-esa", "n1", expires).await.unwrap());
        assert!(ledger.delegation_use("sci-cloud", "n1", expires).await.unwrap(), "each zone has numbers of its own");
        let anna = ledger.delegated_account("go-esa", "anna").await.unwrap();
        assert_eq!(anna.as_str(), "anna@go-esa");
        assert_eq!(ledger.delegated_account("go-esa", "anna").await.unwrap(), anna);
        let taken: AccountName = "bert@go-esa".parse().unwrap();
        let us = AccountName::application();
        ledger.ensure_account(&taken, catalog_schemas::account::Role::Administrator, &us, "r").await.unwrap();
        assert!(matches!(ledger.delegated_account("go-esa", "bert").await, Err(Error::Refused(_))));
        let long = ledger.delegated_account("go-esa", &"x".repeat(64)).await.unwrap();
        assert!(long.as_str().len() <= 64 && long.as_str().ends_with("@go-esa"), "{long}");
        assert_eq!(ledger.delegated_accounts("go-esa").await.unwrap().len(), 2);
    }
}
