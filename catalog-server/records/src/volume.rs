//! The data volumes that an account chose as its own.

use jiff::Timestamp;

use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, time};
use crate::writer::{Operation, Writing};

/// A volume that an account chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenVolume {
    /// The volume's key.
    pub volume: String,
    /// Where the account wants it mounted.
    pub mount_path: Option<String>,
    /// When it was chosen.
    pub added: Timestamp,
}

struct Choose {
    account: AccountName,
    volume: String,
    mount_path: Option<String>,
    request: String,
}

impl Operation for Choose {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let now = writing.now;
        sqlx::query(
            "INSERT INTO my_volume (account, volume, mount_path, added) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (account, volume) DO UPDATE SET mount_path = excluded.mount_path",
        )
        .bind(self.account.as_str())
        .bind(self.volume.as_str())
        .bind(self.mount_path)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        writing.audit(self.account.as_str(), "volume.add", &self.volume, (None, None), &self.request);
        Ok(())
    }
}

struct Remove {
    account: AccountName,
    volume: String,
    request: String,
}

impl Operation for Remove {
    type Answer = bool;

    async fn run(self, writing: &mut Writing) -> Result<bool, Error> {
        let removed = sqlx::query("DELETE FROM my_volume WHERE account = $1 AND volume = $2")
            .bind(self.account.as_str())
            .bind(self.volume.as_str())
            .execute(writing.connection().await?)
            .await?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        writing.audit(self.account.as_str(), "volume.remove", &self.volume, (None, None), &self.request);
        Ok(true)
    }
}

impl Ledger {
    /// Adds a volume to an account's own, or changes where it is mounted.
    pub async fn my_volume_add(
        &self,
        account: &AccountName,
        volume: &str,
        mount_path: Option<&str>,
        request: &str,
    ) -> Result<(), Error> {
        let (account, volume, mount_path) = (account.clone(), volume.to_owned(), mount_path.map(str::to_owned));
        self.write(Choose { account, volume, mount_path, request: request.to_owned() }).await
    }

    /// Removes a volume from an account's own; says whether it was there.
    pub async fn my_volume_remove(&self, account: &AccountName, volume: &str, request: &str) -> Result<bool, Error> {
        self.write(Remove { account: account.clone(), volume: volume.to_owned(), request: request.to_owned() }).await
    }

    /// Lists an account's volumes by key.
    pub async fn my_volumes(&self, account: &AccountName) -> Result<Vec<ChosenVolume>, Error> {
        let rows = sqlx::query("SELECT volume, mount_path, added FROM my_volume WHERE account = $1 ORDER BY volume")
            .bind(account.as_str())
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ChosenVolume {
                    volume: column(row, "volume")?,
                    mount_path: column(row, "mount_path")?,
                    added: time(row, "added")?,
                })
            })
            .collect()
    }
}
