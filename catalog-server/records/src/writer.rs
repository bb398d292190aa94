//! The only writer: it commits in groups what many ask for.
//!
//! Every write is an [`Operation`]. A group is one transaction and each operation in it a savepoint, so that one that
//! fails takes back only its own rows. Answers leave when COMMIT has returned, that is, when the log is on disk.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use catalog_schemas::id::{Identifier, Namespace, ZoneId};
use sqlx::{Connection as _, Executor, Row};
use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::{Deed, Entry, Tail};
use crate::error::Error;
use crate::names::AccountName;
use crate::open::Clock;
use crate::origin::{self, Origin};
use crate::row::{Connection, counted};
use crate::rows::{ChangeRow, NewRow, Script};

/// The most operations of one group: enough to make the disk's wait cheap, few enough to answer soon.
const GROUP: usize = 256;
/// The longest that a group gathers before it is committed.
const GATHER: Duration = Duration::from_millis(5);
/// The longest that a group waits for as many operations as the last had: whoever got an answer then may be about to ask
/// again, and a commit for one costs nearly as much as a commit for all.
const COMPANY: Duration = Duration::from_millis(2);
/// How many operations may wait for the writer before callers wait too.
pub(crate) const WAITING: usize = 1024;
/// Rows written by one statement; more gains nothing and makes a statement that is kept prepared large.
const ROWS: usize = 64;

/// Something to write, whole or not at all.
pub(crate) trait Operation: Send + 'static {
    /// What its caller gets.
    type Answer: Send + 'static;

    /// Writes it.
    fn run(self, writing: &mut Writing) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// An open transaction: its connection and what is known of it.
pub(crate) struct Writing {
    connection: Connection,
    /// The time of the whole group, in milliseconds.
    pub(crate) now: i64,
    seq: i64,
    record: i64,
    revision: i64,
    tail: Tail,
    // Both are appended to by every operation and read by none, so they are written once a group.
    changes: Vec<ChangeRow>,
    entries: Vec<Entry>,
    // New records wait here until somebody looks at the tables or the group ends.
    rows: Vec<NewRow>,
    waiting: HashSet<(ZoneId, Identifier)>,
    /// Where the rows of the current operation begin.
    own: usize,
    /// Whether the current operation has a savepoint: it needs one only when it writes by itself.
    savepoint: bool,
    /// Where the current operation comes from.
    pub(crate) origin: Origin,
    /// Who develops in which namespace, as far as this group asked; nobody's has no list.
    pub(crate) owners: HashMap<Namespace, Option<Vec<AccountName>>>,
}

/// What is taken back when an operation is refused.
struct Mark {
    seq: i64,
    record: i64,
    revision: i64,
    tail: Tail,
    changes: usize,
    entries: usize,
}

impl Writing {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            now: 0,
            seq: 0,
            record: 0,
            revision: 0,
            tail: Tail::default(),
            changes: Vec::new(),
            entries: Vec::new(),
            rows: Vec::new(),
            waiting: HashSet::new(),
            own: 0,
            savepoint: false,
            origin: Origin::default(),
            owners: HashMap::new(),
        }
    }

    /// Gives the connection for reading what no waiting row could change.
    pub(crate) fn look(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Gives the connection for reading and writing: every row that waits is in its table, and what is written goes
    /// away if the operation is refused.
    pub(crate) async fn connection(&mut self) -> Result<&mut Connection, Error> {
        if !self.savepoint {
            let own = self.rows.split_off(self.own);
            self.flush().await?;
            self.connection.execute("SAVEPOINT operation").await?;
            (self.rows, self.own, self.savepoint) = (own, 0, true);
        }
        self.flush().await?;
        Ok(&mut self.connection)
    }

    /// Says whether a new record of this key waits to be written.
    pub(crate) fn waits(&self, key: &(ZoneId, Identifier)) -> bool {
        self.waiting.contains(key)
    }

    /// Lets a new record wait to be written.
    pub(crate) fn push(&mut self, row: NewRow) {
        self.waiting.insert((row.given.given.zone.clone(), row.given.given.identifier.clone()));
        self.rows.push(row);
    }

    /// Numbers a new record.
    pub(crate) fn next_record(&mut self) -> i64 {
        self.record += 1;
        self.record
    }

    /// Numbers a new revision.
    pub(crate) fn next_revision(&mut self) -> i64 {
        self.revision += 1;
        self.revision
    }

    /// Takes numbers for many records, revisions and changes at once; returns the last number of each that is taken.
    pub(crate) fn reserve(&mut self, records: i64, changes: i64) -> (i64, i64, i64) {
        let before = (self.record, self.revision, self.seq);
        (self.record, self.revision, self.seq) = (before.0 + records, before.1 + changes, before.2 + changes);
        before
    }

    /// Logs a change of a record and returns its sequence.
    pub(crate) fn change(&mut self, record: i64, version: &str, what: &'static str) -> i64 {
        self.seq += 1;
        self.changes.push(ChangeRow { seq: self.seq, record, version: version.to_owned(), what });
        self.seq
    }

    /// Adds a line to the audit trail.
    pub(crate) fn audit(
        &mut self,
        account: &str,
        action: &'static str,
        subject: &str,
        hashes: (Option<&str>, Option<&str>),
        request: &str,
    ) {
        let deed = Deed { at: self.now, account, action, subject, hashes, request, origin: &self.origin };
        self.entries.push(self.tail.append(&deed));
    }

    async fn begin(&mut self, now: i64) -> Result<(), Error> {
        self.now = now;
        self.changes.clear();
        self.entries.clear();
        self.rows.clear();
        self.waiting.clear();
        self.owners.clear();
        self.tail = Tail::default();
        // A write lock from the beginning: a transaction that reads first and then wants to write could find
        // that another process wrote in between.
        let rows = sqlx::query(
            "BEGIN IMMEDIATE; SELECT name, value, '' AS hash FROM counter \
             UNION ALL SELECT 'audit', number, hash FROM audit WHERE number = (SELECT MAX(number) FROM audit)",
        )
        .fetch_all(&mut self.connection)
        .await?;
        for row in rows {
            let value: i64 = row.try_get("value")?;
            match row.try_get::<&str, _>("name")? {
                "seq" => self.seq = value,
                "record" => self.record = value,
                "revision" => self.revision = value,
                "audit" => {
                    // The counter and the last entry: when entries were taken away at the end, the next one leaves
                    // a gap and does not cover it.
                    self.tail.number = self.tail.number.max(value);
                    let hash: String = row.try_get("hash")?;
                    if !hash.is_empty() {
                        self.tail.hash = hash;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn mark(&mut self) -> Mark {
        self.own = self.rows.len();
        self.savepoint = false;
        Mark {
            seq: self.seq,
            record: self.record,
            revision: self.revision,
            tail: self.tail.clone(),
            changes: self.changes.len(),
            entries: self.entries.len(),
        }
    }

    /// Ends an operation: what it wrote stays, or goes when it was refused.
    async fn end(&mut self, refused: bool, mark: Mark) -> Result<(), Error> {
        if refused {
            for row in self.rows.drain(self.own..) {
                self.waiting.remove(&(row.given.given.zone, row.given.given.identifier));
            }
            // It may have become somebody's namespace a moment ago.
            self.owners.clear();
            self.seq = mark.seq;
            self.record = mark.record;
            self.revision = mark.revision;
            self.tail = mark.tail;
            self.changes.truncate(mark.changes);
            self.entries.truncate(mark.entries);
        }
        match (self.savepoint, refused) {
            (true, true) => self.connection.execute("ROLLBACK TO operation; RELEASE operation").await?,
            (true, false) => self.connection.execute("RELEASE operation").await?,
            (false, _) => return Ok(()),
        };
        Ok(())
    }

    /// Writes the rows that wait.
    async fn flush(&mut self) -> Result<(), Error> {
        for rows in self.rows.chunks(ROWS) {
            let mut script = Script::new();
            script.push_records(rows);
            execute(&mut self.connection, script, rows.len()).await?;
        }
        self.rows.clear();
        self.waiting.clear();
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Error> {
        if self.rows.len() > ROWS {
            self.flush().await?;
        }
        // What a usual group has to write goes in one call, COMMIT included.
        let mut script = Script::new();
        script.push_records(&self.rows);
        let lines = self.changes.len().max(self.entries.len());
        if lines <= ROWS {
            script.push_changes(&self.changes, self.now);
            script.push_entries(&self.entries);
        } else {
            // These refer to the rows, which therefore go first.
            execute(&mut self.connection, std::mem::replace(&mut script, Script::new()), 0).await?;
            for changes in self.changes.chunks(ROWS) {
                let mut script = Script::new();
                script.push_changes(changes, self.now);
                execute(&mut self.connection, script, changes.len()).await?;
            }
            for entries in self.entries.chunks(ROWS) {
                let mut script = Script::new();
                script.push_entries(entries);
                execute(&mut self.connection, script, entries.len()).await?;
            }
        }
        if lines > 0 {
            script.query.push("UPDATE counter SET value = CASE name WHEN 'seq' THEN ").push_bind(self.seq);
            script.query.push(" WHEN 'record' THEN ").push_bind(self.record);
            script.query.push(" WHEN 'revision' THEN ").push_bind(self.revision);
            script.query.push(" ELSE ").push_bind(self.tail.number);
            script.push(" END WHERE name IN ('seq', 'record', 'revision', 'audit')");
        }
        script.push("COMMIT");
        execute(&mut self.connection, script, lines).await
    }
}

/// Runs a script; keeps it prepared when its number of rows is one that comes often.
async fn execute(connection: &mut Connection, mut script: Script, rows: usize) -> Result<(), Error> {
    let often = rows <= 4 || rows == ROWS;
    match script.query.build().persistent(often).execute(connection).await.map_err(Error::from) {
        Ok(_) => Ok(()),
        Err(error) if error.is_fatal() => Err(error),
        // Rows of several operations were in it, so that none of them can go on.
        Err(error) => Err(error.for_another()),
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// An operation of any kind that waits for its answer.
pub(crate) trait Pending: Send {
    /// Runs it; an error here means that the database failed, not that the operation was refused.
    fn run<'a>(&'a mut self, writing: &'a mut Writing) -> Running<'a>;
    /// Says whether it was refused, so that its rows must go.
    fn refused(&self) -> bool;
    /// Sends the answer.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

struct Asked<O: Operation> {
    operation: Option<O>,
    origin: Origin,
    result: Option<Result<O::Answer, Error>>,
    reply: oneshot::Sender<Result<O::Answer, Error>>,
}

impl<O: Operation> Pending for Asked<O> {
    fn run<'a>(&'a mut self, writing: &'a mut Writing) -> Running<'a> {
        Box::pin(async move {
            let Some(operation) = self.operation.take() else { return Ok(()) };
            writing.origin = std::mem::take(&mut self.origin);
            match operation.run(writing).await {
                Err(error) if error.is_fatal() => {
                    let again = error.for_another();
                    self.result = Some(Err(error));
                    Err(again)
                }
                result => {
                    self.result = Some(result);
                    Ok(())
                }
            }
        })
    }

    fn refused(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let result = match (self.result, committed) {
            // Its own error says more than that of its group.
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(answer)), Ok(())) => Ok(answer),
            (None, Ok(())) => Err(Error::Closed),
        };
        // The caller may have gone away; what was committed stays committed.
        drop(self.reply.send(result));
    }
}

/// What reaches the writer.
pub(crate) enum Message {
    /// Something to write.
    Write(Box<dyn Pending>),
    /// The end: the answer is sent when everything before it was committed and the database is closed.
    Close(oneshot::Sender<()>),
}

/// Hands an operation to the writer and waits until it is on disk.
pub(crate) async fn ask<O: Operation>(writer: &mpsc::Sender<Message>, operation: O) -> Result<O::Answer, Error> {
    let (reply, answer) = oneshot::channel();
    let asked = Asked { operation: Some(operation), origin: origin::current(), result: None, reply };
    writer.send(Message::Write(Box::new(asked))).await.map_err(|_| Error::Closed)?;
    answer.await.map_err(|_| Error::Closed)?
}

/// Hands an operation to the writer and forgets it; drops it when too many are waiting.
pub(crate) fn leave<O: Operation>(writer: &mpsc::Sender<Message>, operation: O) {
    let (reply, _) = oneshot::channel();
    let asked = Asked { operation: Some(operation), origin: origin::current(), result: None, reply };
    drop(writer.try_send(Message::Write(Box::new(asked))));
}

/// Writes until nobody can ask any more.
pub(crate) async fn run(
    connection: Connection,
    clock: Clock,
    mut asked: mpsc::Receiver<Message>,
    committed: watch::Sender<u64>,
) {
    let mut writing = Writing::new(connection);
    let mut closing = None;
    let mut usual = 1;
    while closing.is_none() {
        let first = match asked.recv().await {
            Some(Message::Write(pending)) => pending,
            Some(Message::Close(done)) => {
                closing = Some(done);
                break;
            }
            None => break,
        };
        let mut group = Vec::new();
        let outcome = match writing.begin(clock()).await {
            Ok(()) => gather(&mut writing, first, &mut group, usual, &mut asked, &mut closing).await,
            Err(error) => {
                group.push(first);
                Err(error)
            }
        };
        let outcome = match outcome {
            Ok(()) => writing.commit().await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                usual = group.len();
                let seq = counted(writing.seq);
                committed.send_if_modified(|last| std::mem::replace(last, seq) != seq);
                group.into_iter().for_each(|pending| pending.answer(Ok(())));
            }
            Err(error) => {
                tracing::error!(error = %error, operations = group.len(), "a group of writes was not committed");
                // Without an open transaction this fails, which is what is wanted.
                drop(writing.connection.execute("ROLLBACK").await);
                group.into_iter().for_each(|pending| pending.answer(Err(error.for_another())));
            }
        }
    }
    drop(writing.connection.close().await);
    if let Some(done) = closing {
        done.send(()).unwrap_or_default();
    }
}

/// Runs operations one after the other, each in its savepoint, as long as there are any and the group is not full, and
/// waits a moment for as many as there usually are.
async fn gather(
    writing: &mut Writing,
    first: Box<dyn Pending>,
    group: &mut Vec<Box<dyn Pending>>,
    usual: usize,
    asked: &mut mpsc::Receiver<Message>,
    closing: &mut Option<oneshot::Sender<()>>,
) -> Result<(), Error> {
    let since = Instant::now();
    let mut next = Some(first);
    while let Some(pending) = next.take() {
        group.push(pending);
        let Some(pending) = group.last_mut() else { break };
        let mark = writing.mark();
        pending.run(writing).await?;
        writing.end(pending.refused(), mark).await?;
        if group.len() < GROUP && since.elapsed() < GATHER {
            let message = match asked.try_recv() {
                Ok(message) => Some(message),
                Err(_) if group.len() < usual => {
                    let latest = tokio::time::Instant::from_std(since + COMPANY);
                    tokio::time::timeout_at(latest, asked.recv()).await.ok().flatten()
                }
                Err(_) => None,
            };
            match message {
                Some(Message::Write(pending)) => next = Some(pending),
                Some(Message::Close(done)) => *closing = Some(done),
                None => {}
            }
        }
    }
    Ok(())
}
