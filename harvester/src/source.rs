//! The trait that every kind of source implements, and what a run of one says at its end.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::item::Item;

/// A catalogue elsewhere.
///
/// A run hands on what the source says, item by item, in memory that does not grow with the source. It writes nothing
/// and decides nothing: what is stored, kept or removed is the server's to say.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Reads the source from where `from` says, handing every item to `sink`.
    ///
    /// It always comes back with an outcome; what could not be read makes it partial, never complete.
    fn harvest<'a>(&'a self, from: Cursor, sink: &'a Sink) -> BoxFuture<'a, Outcome>;
}

/// What a source needs to know to go on: the server keeps it between runs and does not look inside.
///
/// [`Cursor::default`] begins from nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// Validators and dates of the last complete run, for conditional and selective requests.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub state: serde_json::Value,
    /// Where an interrupted run stopped; absent after a complete one.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub position: serde_json::Value,
}

impl Cursor {
    /// Says whether it goes on where an interrupted run stopped: what came before is not handed on again.
    pub fn is_resumption(&self) -> bool {
        !self.position.is_null()
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How much of the source was read.
    pub coverage: Coverage,
    /// What the next run begins from. After a partial run it resumes, when the source allows that.
    pub cursor: Cursor,
    /// Pages or files that were read.
    pub pages: u64,
    /// Bytes that were read, unpacked.
    pub bytes: u64,
    /// Records that the source says it has, when it says so.
    pub expected: Option<u64>,
}

impl Outcome {
    /// Makes the outcome of a run that could not begin.
    pub fn failed(trouble: Trouble, cursor: Cursor) -> Self {
        Self { coverage: Coverage::Partial(trouble), cursor, pages: 0, bytes: 0, expected: None }
    }
}

/// How much of a source a run read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// All of it: what was not handed on is not there any more.
    Complete,
    /// Only what changed since the last run: what was not handed on is as it was; removals are [`Item::Gone`].
    Changes,
    /// The source says that nothing changed; nothing was handed on, everything is as it was.
    Unchanged,
    /// Not all of it: nothing may be removed. What was handed on is good.
    Partial(Trouble),
}

impl Coverage {
    /// Says whether a record that was not handed on is gone.
    pub fn says_what_is_gone(&self) -> bool {
        *self == Self::Complete
    }
}

/// Why a run did not read everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// A stable code: `fetch.timeout`, `fetch.status`, `fetch.policy`, `page.cut`, `paging.loop`, `limit.bytes`,
    /// `page.syntax`, `source.stopped`, …
    pub code: String,
    /// What happened, with the address.
    pub message: String,
    /// Whether the same request may work later without anybody changing anything.
    pub transient: bool,
    /// The seconds that the source asks to wait before the next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Trouble {
    /// Makes a trouble that stays until somebody changes something.
    pub fn lasting(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), transient: false, retry_after: None }
    }

    /// Makes a trouble that may pass.
    pub fn passing(code: &str, message: impl Into<String>) -> Self {
        Self { transient: true, ..Self::lasting(code, message) }
    }

    /// Makes the trouble of a run whose listener went away.
    pub fn stopped() -> Self {
        Self::passing("source.stopped", "the run was stopped")
    }
}

/// Where a source hands its items to; the listener takes them at its own pace.
#[derive(Debug, Clone)]
pub struct Sink {
    sender: mpsc::Sender<Item>,
}

/// The listener went away: the run is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes the items any more")]
pub struct Stopped;

/// Items that may wait between a source and its listener.
const WAITING: usize = 256;

impl Sink {
    /// Makes a sink and what its items come out of. Dropping the receiver ends the run.
    pub fn channel() -> (Self, mpsc::Receiver<Item>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { sender }, receiver)
    }

    /// Hands on an item, waiting while the listener is busy.
    ///
    /// # Errors
    ///
    /// [`Stopped`] when nobody listens any more.
    pub async fn send(&self, item: Item) -> Result<(), Stopped> {
        self.sender.send(item).await.map_err(|_| Stopped)
    }
}
