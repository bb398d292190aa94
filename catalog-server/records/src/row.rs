//! Reading columns, and the few words that every query shares.

use std::str::FromStr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::Error;

/// The database spoken. Another dialect is another driver behind this alias; the texts of the queries stay, as both
/// SQLite and PostgreSQL know `$1`.
pub(crate) type Database = sqlx::Sqlite;
/// A connection to it.
pub(crate) type Connection = sqlx::SqliteConnection;

/// Reads one column.
pub(crate) fn column<'r, T>(row: &'r SqliteRow, name: &'static str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, Database> + sqlx::Type<Database>,
{
    Ok(row.try_get(name)?)
}

/// Reads a column that holds a word of ours.
pub(crate) fn parsed<T>(row: &SqliteRow, name: &'static str) -> Result<T, Error>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let text: &str = row.try_get(name)?;
    text.parse().map_err(|error: T::Err| Error::Invalid { column: name, detail: error.to_string() })
}

/// Reads a column that holds a word of an enumeration.
pub(crate) fn word<T>(row: &SqliteRow, name: &'static str, read: fn(&str) -> Option<T>) -> Result<T, Error> {
    let text: &str = row.try_get(name)?;
    read(text).ok_or_else(|| Error::Invalid { column: name, detail: format!("`{text}` is none of its words") })
}

/// Reads a number that is never negative.
pub(crate) fn unsigned(row: &SqliteRow, name: &'static str) -> Result<u64, Error> {
    let number: i64 = row.try_get(name)?;
    u64::try_from(number).map_err(|error| Error::Invalid { column: name, detail: error.to_string() })
}

/// Reads a time.
pub(crate) fn time(row: &SqliteRow, name: &'static str) -> Result<Timestamp, Error> {
    moment(row.try_get(name)?, name)
}

/// Reads a time that may be absent.
pub(crate) fn optional_time(row: &SqliteRow, name: &'static str) -> Result<Option<Timestamp>, Error> {
    let milliseconds: Option<i64> = row.try_get(name)?;
    milliseconds.map(|ms| moment(ms, name)).transpose()
}

/// Turns milliseconds into a time.
pub(crate) fn moment(milliseconds: i64, name: &'static str) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(milliseconds)
        .map_err(|error| Error::Invalid { column: name, detail: error.to_string() })
}

/// Turns a sequence number into what SQL stores; numbers beyond it are beyond every row.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Turns a stored number that the ledger itself counted into a sequence number.
pub(crate) fn counted(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Hashes bytes with SHA-256, in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
