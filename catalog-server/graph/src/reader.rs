//! Reading a graph from another process, by its path.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::storage::delta::{Batch, BatchBuilder, Delta};
use crate::storage::log::{self, LOG};
use crate::storage::snapshot::Snapshot;
use crate::storage::view::View;
use crate::{Error, folder};

/// Which state of a graph: what a writer tells a reader in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version {
    /// The generation.
    pub generation: u64,
    /// Bytes of its log.
    pub delta: u64,
    /// The ledger's sequence.
    pub applied_seq: u64,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.generation, self.delta, self.applied_seq)
    }
}

impl std::str::FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Syntax(format!("`{text}` is not a version of a graph"));
        let mut numbers = text.split(':').map(|number| number.parse::<u64>().map_err(|_| wrong()));
        let mut next = || numbers.next().unwrap_or_else(|| Err(wrong()));
        Ok(Self { generation: next()?, delta: next()?, applied_seq: next()? })
    }
}

/// A graph that another process writes, opened read-only.
pub struct Reader {
    folder: PathBuf,
    generation: u64,
    log: File,
    view: View,
}

impl Reader {
    /// Opens the current state of a folder.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let number = folder::current(folder)?.ok_or(Error::Gone)?;
        Self::open_generation(folder, number, u64::MAX)
    }

    fn open_generation(folder: &Path, generation: u64, to: u64) -> Result<Self, Error> {
        let place = folder::generation(folder, generation);
        let gone = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::Gone,
            _ => Error::File(error),
        };
        let base = Arc::new(Snapshot::open(&place).map_err(gone)?);
        let mut log = File::open(place.join(LOG)).map_err(gone)?;
        let delta = replay(&base, &Delta::new(base.manifest.applied_seq, 0), &mut log, to)?;
        Ok(Self { folder: folder.to_owned(), generation, log, view: View { base, delta: Arc::new(delta) } })
    }

    /// Moves on to a state that is at least this new.
    ///
    /// [`Error::Gone`] says that the writer has moved on to another generation meanwhile: ask it for its version again.
    pub fn refresh(&mut self, version: Version) -> Result<(), Error> {
        if version.generation != self.generation {
            *self = Self::open_generation(&self.folder, version.generation, version.delta)?;
        } else if version.delta > self.view.delta.log {
            let delta = replay(&self.view.base, &self.view.delta, &mut self.log, version.delta)?;
            self.view.delta = Arc::new(delta);
        }
        if self.view.delta.log < version.delta { Err(Error::Gone) } else { Ok(()) }
    }

    /// Returns the state as of the last refresh.
    pub fn view(&self) -> View {
        self.view.clone()
    }
}

/// Applies the log's batches behind a delta, all at once.
pub(crate) fn replay(base: &Snapshot, delta: &Delta, log: &mut File, to: u64) -> Result<Delta, Error> {
    let mut together = Together::default();
    let end = log::read(log, delta.log, to, |batch, _| together.add(&batch))?;
    Ok(together.apply(base, delta, end))
}

/// Batches put together, so that many small ones cost one merge.
#[derive(Default)]
pub(crate) struct Together {
    builder: BatchBuilder,
    seq: Option<u64>,
}

impl Together {
    /// Adds a batch behind those that are there.
    pub(crate) fn add(&mut self, batch: &Batch) {
        let ids: Vec<u32> = batch.terms.iter().map(|bytes| self.builder.id(bytes)).collect();
        for (quads, there) in [(&batch.add, true), (&batch.remove, false)] {
            for quad in quads {
                // The default graph has no term.
                self.builder.set(quad.map(|id| ids.get(id as usize).copied().unwrap_or(id)), there);
            }
        }
        self.seq = Some(batch.seq);
    }

    /// Makes the next delta.
    pub(crate) fn apply(self, base: &Snapshot, delta: &Delta, end: u64) -> Delta {
        let seq = self.seq.unwrap_or(delta.seq);
        delta.apply(base, &self.builder.finish(seq), end)
    }
}
