//! Fetches what lies at addresses that others chose, without being led anywhere it must not go.
//!
//! It is the only user of an HTTP client towards such addresses. Every address is checked before a packet is sent: the
//! URL, every redirect, and what a name resolves to, which is also what is connected to. Sizes, times and packing ratios
//! are bounded, and a page comes whole or not at all. It never sends credentials, never uses a proxy of the environment,
//! and reads no file but the pages that it has kept itself.

mod address;
mod body;
mod check;
mod error;
mod fetcher;
mod hosts;
mod kept;
mod limits;
mod resolve;

pub use address::is_public;
pub use body::Body;
pub use check::Allowed;
pub use error::Error;
pub use fetcher::{Answer, Fetcher, Page, Post, Request, Validators};
pub use kept::{BELIEVED, Kept};
pub use limits::Limits;
pub use resolve::{Lookup, SystemLookup};
pub use url::Url;
