//! Brings a database to the schema of this release.

use sqlx::{Executor, Row};

use crate::error::Error;
use crate::row::Connection;

/// The migrations by number, from 1; released ones are never edited.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/sqlite/0001_ledger.sql")];

/// The newest schema that this release knows.
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Returns the schema of a database; 0 when it has none yet.
pub(crate) async fn found(connection: &mut Connection) -> Result<i64, Error> {
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
    for (number, text) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or_default()) {
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
