//! Opening an archive: its format by content, then its scan.

use catalog_schemas::problem::Finding;

use crate::budget::Budget;
use crate::fault::{Fault, Faults};
use crate::package::{Format, Member, Package, assemble};
use crate::{intake, tar, zip, zip_directory};

/// Reads a package, wholly in memory and under the budget, or returns every fault that could be found.
pub fn open(bytes: &[u8], budget: &Budget) -> Result<Package, Vec<Finding>> {
    let mut faults = Faults::default();
    match scan(bytes, budget, &mut faults) {
        Ok((format, members)) => assemble(format, bytes, members, faults),
        Err(fatal) => {
            faults.add(fatal);
            Err(faults.into_findings())
        }
    }
}

/// Scans the archive; the error is the fault behind which nothing more can be found.
fn scan(bytes: &[u8], budget: &Budget, faults: &mut Faults) -> Result<(Format, Vec<Member>), Finding> {
    if bytes.len() as u64 > budget.packed {
        let message = format!("the archive has {} bytes; {} are allowed", bytes.len(), budget.packed);
        return Err(Fault::TooLarge.finding(message).expected(format!("at most {} bytes", budget.packed)));
    }
    let format = format_of(bytes)?;
    let members = match format {
        Format::TarGz => tar::scan(bytes, budget, faults)?,
        Format::Zip => zip::scan(bytes, budget, faults)?,
    };
    Ok((format, members))
}

fn format_of(bytes: &[u8]) -> Result<Format, Finding> {
    if bytes.is_empty() {
        return Err(Fault::Empty.finding("the package is empty"));
    }
    match intake::container(bytes) {
        Some("gzip") => return Ok(Format::TarGz),
        Some("zip") => return Ok(Format::Zip),
        Some("tar") => return Err(unknown("a tar that is not compressed").fix("Compress it with gzip.")),
        Some(other) => return Err(unknown(&format!("a {other} file"))),
        None => {}
    }
    if [&b"PK\x03\x04"[..], b"\x1F\x8B"].iter().any(|mark| mark.starts_with(bytes)) {
        return Err(Fault::Truncated.finding("the archive ends within its first mark"));
    }
    if bytes.starts_with(b"PK00PK") {
        return Err(Fault::MultiDisk.finding("the zip is one part of several"));
    }
    if zip_directory::ends_as_zip(bytes) {
        return Err(Fault::PrependedData.finding("other data precedes the zip"));
    }
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"{") {
        return Err(unknown("a JSON file")
            .fix("Pack the folder that holds it; a bare manifest can be validated, not published."));
    }
    if text.starts_with(b"<") {
        return Err(unknown("an HTML or XML file").fix("Look whether a download saved an error page instead."));
    }
    Err(unknown("neither of the two"))
}

fn unknown(what: &str) -> Finding {
    let message = format!("a package is a .tar.gz or a .zip; this is {what}");
    Fault::UnknownFormat.finding(message).expected("gzip-compressed tar, or zip")
}
