//! What the world sees of a record: a document for the index, statements for the RDF store, a view for API and pages.

mod candidate;
mod completion;
mod difference;
mod listing;
mod projection;
mod record;
pub mod volumes;

pub use candidate::{Candidate, Runtime};
pub use completion::set;
pub use difference::difference;
pub use listing::{is_discoverable, is_listed};
pub use projection::Projection;
pub use record::{Reader, Told, record_view};
