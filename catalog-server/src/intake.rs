//! What is done with bytes that claim to be a package: the same here, at the command line and in tests.

use catalog_archive::{Budget, Package};
use catalog_ontology::manifest::{self, MANIFEST, Options, ValidRecord, Writer};
use catalog_schemas::problem::Report;

use crate::catalog::FIRST_VERSION;

/// What was found in the bytes.
#[derive(Debug)]
pub struct Checked {
    /// Every finding, of the archive and of the manifest.
    pub report: Report,
    /// The record, when no finding is an error.
    pub record: Option<ValidRecord>,
    /// SHA-256 of the bytes, when they are an archive.
    pub digest: Option<String>,
}

/// Checks a package, or a bare manifest, as its writer may write it. Blocking: it may take a second.
pub fn check(bytes: &[u8], writer: Writer) -> Checked {
    if is_manifest(bytes) {
        return judge(bytes, None, writer);
    }
    match catalog_archive::open(bytes, &Budget::default()) {
        Ok(package) => judge_package(&package, writer),
        Err(findings) => Checked { report: Report::new(findings), record: None, digest: None },
    }
}

/// Says whether bytes are meant as a manifest: JSON of any kind, also one with a comment or a byte order mark before it,
/// which its reader refuses by name. No archive begins so.
fn is_manifest(bytes: &[u8]) -> bool {
    [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff", b"\0{"].iter().any(|mark| bytes.starts_with(mark))
        || bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|byte| b"{[\"'/#".contains(byte))
}

fn judge_package(package: &Package, writer: Writer) -> Checked {
    let mut checked = judge(package.manifest(), Some(package), writer);
    if let Some(record) = &mut checked.record {
        let found = crate::workflow::complete(record, package);
        if !found.is_empty() {
            let Report { identifier, version, findings, .. } = std::mem::take(&mut checked.report);
            checked.report = Report { identifier, version, ..Report::new(findings.into_iter().chain(found).collect()) };
        }
        if !checked.report.valid {
            checked.record = None;
        }
    }
    // What the archive's reader noticed stands before what the manifest's reader did.
    let report = &mut checked.report;
    let findings = package.findings.iter().cloned().chain(std::mem::take(&mut report.findings)).collect();
    let Report { identifier, version, .. } = std::mem::take(report);
    *report = Report { identifier, version, ..Report::new(findings) };
    checked
}

fn judge(manifest: &[u8], package: Option<&Package>, writer: Writer) -> Checked {
    let file = |name: &str| package.and_then(|package| package.file(name));
    let holds = |path: &str| package.is_some_and(|package| package.entry(path).is_some());
    let options = Options {
        // A bare manifest speaks of files that only its package will hold.
        files: package.is_some().then_some(&holds),
        ro_crate: file("ro-crate-metadata.json"),
        codemeta: file("codemeta.json"),
        file: package.is_some().then_some(MANIFEST),
        ..Options::new(writer)
    };
    let mut validation = manifest::validate(manifest, &options);
    if validation.record.is_some() {
        // A record that gives no version is published as its first.
        validation.report.version.get_or_insert_with(|| FIRST_VERSION.to_owned());
    }
    Checked {
        report: validation.report,
        record: validation.record,
        digest: package.map(|package| package.digest.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_archive_is_judged_as_json() {
        for bytes in [&b"\xef\xbb\xbf{}"[..], b"\xff\xfe{\0}\0", b"// mine\n{}", b"[{}]", b"'x'", b"", b" \n{}"] {
            let report = check(bytes, Writer::Developer).report;
            assert!(report.findings.iter().all(|finding| !finding.code.starts_with("archive.")), "{report:?}");
            assert!(!report.valid);
        }
        for bytes in [&b"\x1f\x8b"[..], b"PK\x03\x04", b"name: x", b"<html>"] {
            let report = check(bytes, Writer::Developer).report;
            assert!(report.findings[0].code.starts_with("archive."), "{report:?}");
        }
    }
}
