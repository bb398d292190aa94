//! Packages that lost their end or a bit on the way (FAULTS R10, THREATS T8), and bytes of any kind.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod corpus;

use catalog_archive::{Budget, Format, Package, open, pack_entries};
use catalog_schemas::problem::Severity;
use corpus::*;
use proptest::prelude::*;

const FORMATS: [Format; 2] = [Format::TarGz, Format::Zip];

fn package(format: Format, picture: usize) -> Vec<u8> {
    let files = [
        ("manifest.jsonld", MANIFEST.to_vec()),
        ("README.md", b"read me\n".repeat(9)),
        ("media/icon.png", noise(picture)),
    ];
    pack_entries(files.map(|(path, contents)| (path.to_owned(), contents)), format).unwrap()
}

fn contents(package: &Package) -> Vec<(&str, u64, &str)> {
    package.entries.iter().map(|entry| (entry.path.as_str(), entry.size, entry.sha256.as_str())).collect()
}

/// What a cut package must say; a cut within a zip's entries may look like anything but a whole.
fn assert_truncated(bytes: &[u8], cut: usize) {
    let findings = open(&bytes[..cut], &Budget::default()).expect_err("a part is no package");
    let expected = if cut == 0 { "archive.empty" } else { "archive.truncated" };
    assert_eq!(codes(&findings), [expected], "cut at {cut}");
}

#[test]
fn a_package_cut_anywhere_is_truncated() {
    for format in FORMATS {
        let small = package(format, 20);
        for cut in 0..small.len() {
            assert_truncated(&small, cut);
        }
        let large = package(format, 300_000);
        for cut in (0..large.len()).step_by(1024) {
            assert_truncated(&large, cut);
        }
    }
}

#[test]
fn a_package_with_any_bit_flipped_is_refused_or_has_the_same_contents() {
    for format in FORMATS {
        let good = package(format, 20);
        let whole = open(&good, &Budget::default()).unwrap();
        let mut accepted = 0;
        for at in 0..good.len() {
            for flip in [0xFF, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
                let mut bytes = good.clone();
                bytes[at] ^= flip;
                match open(&bytes, &Budget::default()) {
                    Err(findings) => assert!(findings.iter().any(|finding| finding.severity == Severity::Error)),
                    Ok(package) => {
                        accepted += 1;
                        assert_eq!(contents(&package), contents(&whole), "byte {at} ^ {flip}");
                        assert_ne!(package.digest, whole.digest);
                    }
                }
            }
        }
        // Times, versions and permissions are what remains; it is little.
        assert!(accepted > 0 && accepted * 8 < good.len() * 9, "{format:?}: {accepted} of {}", good.len() * 9);
    }
}

#[test]
fn a_package_with_any_byte_lost_or_doubled_is_refused() {
    for format in FORMATS {
        let good = package(format, 20);
        let whole = open(&good, &Budget::default()).unwrap();
        for at in 0..good.len() {
            for bytes in [[&good[..at], &good[at + 1..]].concat(), [&good[..=at], &good[at..]].concat()] {
                if let Ok(package) = open(&bytes, &Budget::default()) {
                    assert_eq!(contents(&package), contents(&whole), "byte {at}");
                }
            }
        }
    }
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::TarGz), Just(Format::Zip)]
}

/// Paths in folders that cannot collide with each other or the manifest: each has its number.
fn files() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let part = "[a-zé中 _+-]{1,40}";
    let contents = prop_oneof![
        proptest::collection::vec(32..127_u8, 0..300),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|mut bytes| {
            bytes.insert(0, b' ');
            bytes
        }),
        (any::<u8>(), 0..70_000_usize).prop_map(|(byte, count)| [&b" "[..], &vec![byte; count]].concat()),
    ];
    proptest::collection::vec((part, proptest::option::of(part), contents), 0..12).prop_map(|files| {
        let name = |(number, (folder, file, contents)): (usize, (String, Option<String>, Vec<u8>))| {
            let path = match file {
                Some(file) => format!("{number}{folder}/{file}x"),
                None => format!("{number}{folder}x"),
            };
            (path, contents)
        };
        let mut files: Vec<_> = files.into_iter().enumerate().map(name).collect();
        files.push(("manifest.jsonld".to_owned(), MANIFEST.to_vec()));
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_packed_is_what_opens(files in files(), format in format()) {
        let bytes = pack_entries(files.clone(), format).unwrap();
        let package = open(&bytes, &Budget::default()).unwrap();
        prop_assert_eq!(package.entries.len(), files.len() + 1);
        for (path, contents) in &files {
            let read = package.read(&bytes, path).unwrap();
            prop_assert_eq!(read.as_ref(), Some(contents), "{}", path);
        }
        let backwards: Vec<_> = files.into_iter().rev().collect();
        prop_assert!(pack_entries(backwards, format).unwrap() == bytes);
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), mark in 0..4_usize) {
        let marks: [&[u8]; 4] = [b"", b"PK\x03\x04", b"\x1F\x8B\x08\0\0\0\0\0\0\xFF", b"PK\x05\x06"];
        prop_assert!(open(&[marks[mark], &bytes].concat(), &Budget::default()).is_err());
    }

    #[test]
    fn any_tar_is_refused_or_opens(bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0..2048_usize) {
        let mut tar = plain_tar([]);
        tar.splice(at.min(tar.len())..(at + bytes.len()).min(tar.len()).max(at.min(tar.len())), bytes);
        let _ = open(&gzip(&tar), &Budget::default());
    }

    #[test]
    fn any_sealed_tar_header_is_refused_or_opens(at in 0..512_usize, bytes in proptest::collection::vec(any::<u8>(), 1..24)) {
        let block = tar_changed("README.md", b'0', |block| {
            for (place, byte) in block[at..].iter_mut().zip(&bytes) {
                *place = *byte;
            }
        });
        let _ = open(&tar([block]), &Budget::default());
    }

    #[test]
    fn any_mutation_is_refused_or_has_known_contents(
        format in format(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8),
    ) {
        let good = package(format, 20);
        let whole = open(&good, &Budget::default()).unwrap();
        let mut bytes = good.clone();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        if let Ok(package) = open(&bytes, &Budget::default()) {
            prop_assert_eq!(contents(&package), contents(&whole));
        }
    }
}
