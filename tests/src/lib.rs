//! The sandbox of the tests that use Alidade as its users do: the real binary on a free port, with a data folder of its own.
//!
//! [`Sandbox`] starts, stops and kills the server; [`package`] makes what is published; [`page`] reads what a page shows;
//! [`sparql`] asks the RDF side. Every process that is started here ends with its sandbox. Nothing here knows how the server
//! is built, and nothing here is shipped.

pub mod binary;
pub mod package;
pub mod page;
pub mod sandbox;
pub mod site;
pub mod sparql;

pub use binary::{alidade, xtask};
pub use sandbox::{ADMIN_TOKEN, Account, Sandbox, Settings};
