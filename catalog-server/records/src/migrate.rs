//! Brings a database to the schema of this release.

use sqlx::{Executor, Row};

use crate::error::Error;
use crate::row::Connection;

/// The migrations by number, from 1; released ones are never edited.
const MIGRATIONS: [&str; 11] = [
    include_str!("../migrations/sqlite/0001_ledger.sql"),
    include_str!("../migrations/sqlite/0002_modified.sql"),
    include_str!("../migrations/sqlite/0003_harvest.sql"),
    include_str!("../migrations/sqlite/0004_launch_offers.sql"),
    include_str!("../migrations/sqlite/0005_delegation.sql"),
    include_str!("../migrations/sqlite/0006_accounts.sql"),
    include_str!("../migrations/sqlite/0007_governance.sql"),
    include_str!("../migrations/sqlite/0008_harvest_faults.sql"),
    include_str!("../migrations/sqlite/0009_ways.sql"),
    include_str!("../migrations/sqlite/0010_reviews.sql"),
    include_str!("../migrations/sqlite/0011_resume.sql"),
];

/// The newest schema that this release knows.
const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Returns the schema of a database; 0 when it has none yet.
async fn found(connection: &mut Connection) -> Result<i64, Error> {
    connection
        .execute("CREATE TABLE IF NOT EXISTS migration (number INTEGER NOT NULL PRIMARY KEY, at INTEGER NOT NULL)")
        .await?;
    Ok(connection.fetch_one("SELECT COALESCE(MAX(number), 0) FROM migration").await?.try_get(0)?)
}

/// Applies what is missing, each migration whole or not at all; refuses a database of a newer release.
pub(crate) async fn migrate(connection: &mut Connection, now: i64) -> Result<(), Error> {
    let found = found(connection).await?;
    if found > KNOWN {
        return Err(Error::NewerSchema { found, known: KNOWN });
    }
    apply_after(connection, found, &MIGRATIONS, now).await
}

async fn apply_after(connection: &mut Connection, found: i64, all: &[&'static str], now: i64) -> Result<(), Error> {
    for (number, text) in (1..).zip(all).skip(usize::try_from(found).unwrap_or_default()) {
        connection.execute("BEGIN IMMEDIATE").await?;
        match apply(connection, number, text, now).await {
            Ok(()) => connection.execute("COMMIT").await?,
            Err(error) => {
                connection.execute("ROLLBACK").await?;
                return Err(error);
            }
        };
    }
    Ok(())
}

async fn apply(connection: &mut Connection, number: i64, text: &'static str, now: i64) -> Result<(), Error> {
    sqlx::raw_sql(text).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO migration (number, at) VALUES ($1, $2)")
        .bind(number)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn a_migration_that_fails_leaves_nothing_and_is_taken_up_again() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let broken = ["CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1)"];
        let found_before = found(&mut connection).await.unwrap();
        assert!(apply_after(&mut connection, found_before, &broken, 0).await.is_err());
        assert_eq!(found(&mut connection).await.unwrap(), 1);
        assert!(connection.execute("SELECT * FROM b").await.is_err(), "half of the second migration is there");
        let mended = ["CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER)"];
        apply_after(&mut connection, 1, &mended, 0).await.unwrap();
        assert_eq!(found(&mut connection).await.unwrap(), 2);
        connection.execute("SELECT * FROM b").await.unwrap();
    }
}
