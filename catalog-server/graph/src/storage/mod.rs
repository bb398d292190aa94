//! Storage of ours below oxigraph's model: an immutable mapped snapshot, a small delta, and how they become the next.

pub(crate) mod build;
pub(crate) mod delta;
pub(crate) mod log;
pub(crate) mod map;
pub(crate) mod snapshot;
mod stream;
pub(crate) mod term;
pub(crate) mod view;

/// A quad of ids: graph, subject, predicate, object.
pub(crate) type Quad = [u32; 4];

/// The graph of a [`Quad`] when it is the default graph; ids of terms stay below it.
pub(crate) const DEFAULT_GRAPH: u32 = u32::MAX;

/// The number of terms that one snapshot with its delta may hold.
pub(crate) const MAX_TERMS: usize = (u32::MAX - 1024) as usize;
