//! The portal: finds a record and runs it, as pages that need no script.
//!
//! Pages are pure functions from what the public API answered to HTML (`page`), made of the parts of one small
//! design system (`part`); handlers (`routes`) only fetch, call one page, and answer. Islands may later make parts
//! livelier; nothing depends on them. This crate never touches the ledger, the index or the graph: what a page shows,
//! the same viewer can read from the API, because `catalog-client` is its only source.

mod asset;
mod document;
mod field;
pub mod jsonld;
mod launchform;
mod link;
pub mod markup;
pub mod page;
pub mod part;
mod reference;
mod routes;
pub mod sparql;
mod viewer;
mod words;

pub use asset::{EXAMPLE_MANIFEST, STYLE, icon_path, style_path};
pub use document::{Document, Layout, Place};
pub use launchform::LaunchForm;
pub use link::{local_path, record_path, search_path};
pub use reference::{reference, refusal};
pub use routes::{fallback, router};
pub use viewer::{Theme, Viewer};
