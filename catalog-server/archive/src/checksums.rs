//! `SHA256SUMS`: the digests of all files, as `sha256sum` writes them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::fault::{Fault, Faults, shown};
use crate::layout::{SIGNATURE, SUMS};

/// Checks the digests of files, by path, against the text of `SHA256SUMS`.
pub(crate) fn verify(text: &[u8], files: &BTreeMap<&str, &str>, faults: &mut Faults) {
    let mut listed = BTreeMap::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Some((digest, path)) => {
                if listed.insert(path.to_owned(), digest).is_some() {
                    let message = format!("{SUMS} names {} more than once", shown(path));
                    faults.add(Fault::ChecksumUnreadable.of(SUMS, message).at(number, 1));
                }
            }
            None => {
                let message = format!("line {number} of {SUMS} is not a digest and a name");
                faults
                    .add(Fault::ChecksumUnreadable.of(SUMS, message).at(number, 1).got(String::from_utf8_lossy(line)));
            }
        }
    }
    for (path, digest) in &listed {
        match files.get(path.as_str()) {
            Some(actual) if actual == digest => {}
            Some(actual) => {
                let message = format!("{path} does not have the digest that {SUMS} gives");
                faults.add(Fault::ChecksumMismatch.of(path, message).got(actual).expected(digest));
            }
            None => {
                let message = format!("{SUMS} names {}, which is not in the package", shown(path));
                faults.add(Fault::ChecksumMissing.of(path, message));
            }
        }
    }
    for path in files.keys().filter(|path| is_summed(path) && !listed.contains_key(**path)) {
        faults.add(Fault::ChecksumMissing.of(path, format!("{SUMS} does not name {path}")));
    }
}

/// Writes `SHA256SUMS` over files given by path and digest.
pub(crate) fn write<'a>(files: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut text = String::new();
    for (path, digest) in files.filter(|(path, _)| is_summed(path)) {
        writeln!(text, "{digest}  {path}").expect("writing to a string cannot fail");
    }
    text
}

fn is_summed(path: &str) -> bool {
    path != SUMS && path != SIGNATURE
}

/// Reads `digest  path` or `digest *path`; the path may begin with `./`.
fn parse(line: &[u8]) -> Option<(String, &str)> {
    let (digest, name) = str::from_utf8(line).ok()?.split_at_checked(64)?;
    let name = name.strip_prefix("  ").or_else(|| name.strip_prefix(" *"))?;
    let hexadecimal = digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hexadecimal && !name.is_empty()).then(|| (digest.to_ascii_lowercase(), name.strip_prefix("./").unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_differ_has_its_code() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let files = BTreeMap::from([("x", a.as_str()), ("y", a.as_str()), (SUMS, "?"), (SIGNATURE, "?")]);
        let codes = |text: String| {
            let mut faults = Faults::default();
            verify(text.as_bytes(), &files, &mut faults);
            faults.into_findings().into_iter().map(|finding| (finding.code, finding.file)).collect::<Vec<_>>()
        };
        let one = |code: &str, file: &str| vec![(format!("archive.{code}"), Some(file.to_owned()))];
        assert_eq!(codes(format!("{a}  x\n{} *./y\r\n", a.to_uppercase())), []);
        assert_eq!(codes(format!("{a}  x\n{b}  y\n")), one("checksum_mismatch", "y"));
        assert_eq!(codes(format!("{a}  x\n")), one("checksum_missing", "y"));
        assert_eq!(codes(format!("{a}  x\n{a}  y\n{a}  z\n")), one("checksum_missing", "z"));
        assert_eq!(codes(format!("{a}  x\n{a}  y\n{a} z\n")), one("checksum_unreadable", SUMS));
        assert_eq!(
            codes(format!("{a}  x\n{a}  y\n{b}  y\n")),
            [one("checksum_unreadable", SUMS), one("checksum_mismatch", "y")].concat()
        );
    }
}
