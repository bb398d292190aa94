//! Reads and writes packages: `.tar.gz` and `.zip` archives with a `manifest.jsonld`.
//!
//! [`open()`] walks an archive once, in bounded memory, and either lists what it holds or says every fault it found;
//! [`pack()`] makes an archive whose bytes depend on its contents alone. Where two readers could see two different
//! packages in the same bytes, the package is refused by name. This crate never writes to disk, never follows a
//! link, never trusts a header that the data does not bear out, and never reads what the manifest says.

#![expect(clippy::result_large_err, reason = "a scan ends with one finding at most, so that its size is paid once")]

mod budget;
mod checksums;
mod error;
mod fault;
mod gzip;
mod inflate;
mod intake;
mod layout;
mod names;
mod open;
mod pack;
mod package;
mod pax;
mod tar;
mod write;
mod zip;
mod zip_directory;

pub use budget::Budget;
pub use error::Error;
pub use fault::{Code, codes};
pub use layout::{LAYOUT, Place};
pub use open::open;
pub use pack::{Progress, bundle, bundle_zip, pack, pack_entries};
pub use package::{Entry, Format, Package};
