//! The search projection: finds records by words and facets, and completes what is typed.
//!
//! It holds what [`Document`] gives it and nothing else, so a private field cannot be found, counted or completed.
//! Its own checkpoint, the ledger sequence up to which it has followed, is part of each commit; it can be deleted at
//! any time and built again. It never reads the ledger, never knows who asks, and never decides what is public.

mod analysed;
mod answer;
mod card;
mod columns;
mod counting;
mod document;
mod error;
mod facets;
mod generations;
mod grammar;
mod highlight;
mod index;
mod matching;
mod ranking;
mod spelling;
mod suggest;
mod text;
mod values;
mod view;

pub use answer::{Answer, Iris};
pub use document::{Batch, Document};
pub use error::Error;
pub use generations::Generations;
pub use index::{Index, bare_top_documents};
pub use values::{Facet, Labels};
