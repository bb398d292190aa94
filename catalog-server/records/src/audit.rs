//! The audit trail: one line a change, in the transaction of the change, each bound to the line before by a hash.

use catalog_schemas::account::AuditEntry;
use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteRow;

use crate::error::Error;
use crate::open::Ledger;
use crate::origin::Origin;
use crate::row::{Connection, Database, column, counted, stored, time, unsigned};

/// Says where the chain of the audit trail is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail is broken at entry {number}: {what}")]
pub struct BrokenAt {
    /// The first entry that does not fit.
    pub number: u64,
    /// What does not fit.
    pub what: &'static str,
}

/// A line that is not yet written.
pub(crate) struct Entry {
    pub(crate) number: i64,
    pub(crate) at: i64,
    pub(crate) account: String,
    pub(crate) action: &'static str,
    pub(crate) subject: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) request: String,
    pub(crate) origin: Origin,
    pub(crate) hash: String,
}

/// What of the audit trail is asked for; nothing set means everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only entries before this number.
    pub before: Option<u64>,
    /// Only entries after this number.
    pub after: Option<u64>,
    /// Only what this account did, or what was done for it.
    pub account: Option<String>,
    /// Only this action, or with a final `.` every action that begins so, such as `package.`.
    pub action: Option<String>,
    /// Only subjects that hold this text.
    pub subject: Option<String>,
    /// Only what this request did.
    pub request: Option<String>,
    /// Only from this time on, in milliseconds.
    pub since: Option<i64>,
    /// Only before this time, in milliseconds.
    pub until: Option<i64>,
    /// Oldest first rather than newest first.
    pub ascending: bool,
}

/// What a line says, before it is numbered and chained.
pub(crate) struct Deed<'a> {
    pub(crate) at: i64,
    pub(crate) account: &'a str,
    pub(crate) action: &'static str,
    pub(crate) subject: &'a str,
    /// Hashes, or words, of what was before and of what is after.
    pub(crate) hashes: (Option<&'a str>, Option<&'a str>),
    pub(crate) request: &'a str,
    pub(crate) origin: &'a Origin,
}

/// The end of the chain.
#[derive(Clone, Default)]
pub(crate) struct Tail {
    pub(crate) number: i64,
    pub(crate) hash: String,
}

impl Tail {
    /// Makes the next line.
    pub(crate) fn append(&mut self, deed: &Deed<'_>) -> Entry {
        let Deed { at, account, action, subject, hashes: (before, after), request, origin } = *deed;
        let number = self.number + 1;
        let from = [origin.behalf.as_deref(), origin.credential.as_deref(), origin.address.as_deref()];
        let hash = chain(&self.hash, number, at, [account, action, subject], [before, after], request, from);
        *self = Self { number, hash: hash.clone() };
        Entry {
            number,
            at,
            account: account.to_owned(),
            action,
            subject: subject.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            request: request.to_owned(),
            origin: origin.clone(),
            hash,
        }
    }
}

/// Hashes a line together with the hash before it; every field with its length, so that none can lend to the next.
///
/// Entries of the first release do not say where they come from; as every field has its length, three more fields can never
/// be taken for none.
fn chain(
    previous: &str,
    number: i64,
    at: i64,
    who: [&str; 3],
    hashes: [Option<&str>; 2],
    request: &str,
    from: [Option<&str>; 3],
) -> String {
    let mut hasher = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    field(previous.as_bytes());
    field(&number.to_be_bytes());
    field(&at.to_be_bytes());
    who.iter().for_each(|text| field(text.as_bytes()));
    hashes.iter().for_each(|hash| field(hash.unwrap_or_default().as_bytes()));
    field(request.as_bytes());
    if from.iter().any(Option::is_some) {
        from.iter().for_each(|text| field(text.unwrap_or_default().as_bytes()));
    }
    hex::encode(hasher.finalize())
}

/// Reads the whole chain from a connection and says where it breaks.
pub(crate) async fn verify(connection: &mut Connection) -> Result<Result<u64, BrokenAt>, Error> {
    let mut previous = Tail::default();
    loop {
        let rows = sqlx::query("SELECT * FROM audit WHERE number > $1 ORDER BY number LIMIT 1000")
            .bind(previous.number)
            .fetch_all(&mut *connection)
            .await?;
        if rows.is_empty() {
            // The counter was written in the same transaction as the last entry.
            let last: Option<i64> =
                sqlx::query_scalar("SELECT value FROM counter WHERE name = 'audit'").fetch_optional(connection).await?;
            let whole = last.is_none_or(|last| last <= previous.number);
            let missing = BrokenAt { number: counted(previous.number + 1), what: "it is missing" };
            return Ok(if whole { Ok(counted(previous.number)) } else { Err(missing) });
        }
        for row in &rows {
            let number: i64 = column(row, "number")?;
            let expected = previous.number + 1;
            if number != expected {
                return Ok(Err(BrokenAt { number: counted(expected), what: "it is missing" }));
            }
            let hash: String = column(row, "hash")?;
            let who = [column(row, "account")?, column(row, "action")?, column(row, "subject")?];
            let hashes = [column(row, "before")?, column(row, "after")?];
            let from = [column(row, "behalf")?, column(row, "credential")?, column(row, "address")?];
            let at = column(row, "at")?;
            if chain(&previous.hash, number, at, who, hashes, column(row, "request")?, from) != hash {
                return Ok(Err(BrokenAt { number: counted(number), what: "its hash does not fit its content" }));
            }
            previous = Tail { number, hash };
        }
    }
}

impl Ledger {
    /// Lists the audit trail, newest first, from before a number on.
    pub async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        self.audit_where(&AuditFilter { before, ..AuditFilter::default() }, limit).await
    }

    /// Lists the entries of the audit trail that a filter lets through.
    pub async fn audit_where(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let mut query = QueryBuilder::<Database>::new("SELECT * FROM audit WHERE number < ");
        query.push_bind(filter.before.map_or(i64::MAX, stored));
        query.push(" AND number > ").push_bind(filter.after.map_or(0, stored));
        if let Some(account) = &filter.account {
            query.push(" AND (account = ").push_bind(account).push(" OR behalf = ").push_bind(account).push(")");
        }
        match filter.action.as_deref() {
            Some(group) if group.ends_with('.') => {
                query.push(" AND substr(action, 1, ").push_bind(group.len() as i64).push(") = ").push_bind(group);
            }
            Some(action) => {
                query.push(" AND action = ").push_bind(action);
            }
            None => {}
        }
        if let Some(subject) = &filter.subject {
            query.push(" AND instr(subject, ").push_bind(subject).push(") > 0");
        }
        if let Some(request) = &filter.request {
            query.push(" AND request = ").push_bind(request);
        }
        if let Some(since) = filter.since {
            query.push(" AND at >= ").push_bind(since);
        }
        if let Some(until) = filter.until {
            query.push(" AND at < ").push_bind(until);
        }
        query.push(if filter.ascending { " ORDER BY number LIMIT " } else { " ORDER BY number DESC LIMIT " });
        query.push_bind(i64::from(limit));
        query.build().fetch_all(self.readers()).await?.iter().map(entry).collect()
    }

    /// Checks the whole audit trail: returns the number of entries, or where the chain is broken.
    pub async fn audit_verify(&self) -> Result<Result<u64, BrokenAt>, Error> {
        verify(&mut *self.readers().acquire().await?).await
    }
}

fn entry(row: &SqliteRow) -> Result<AuditEntry, Error> {
    Ok(AuditEntry {
        number: unsigned(row, "number")?,
        at: time(row, "at")?.to_string(),
        account: column(row, "account")?,
        action: column(row, "action")?,
        subject: column(row, "subject")?,
        before: column(row, "before")?,
        after: column(row, "after")?,
        request: column(row, "request")?,
        behalf: column(row, "behalf")?,
        credential: column(row, "credential")?,
        address: column(row, "address")?,
        hash: column(row, "hash")?,
    })
}
