//! Two readers, one package (THREATS T7): of thousands of damaged archives, those that are accepted here hold for
//! Python's `zipfile` and `tarfile` the very same files, and Info-ZIP and GNU tar list them alike.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod corpus;

use std::fs;
use std::path::Path;
use std::process::Command;

use catalog_archive::{Budget, Format, open};
use corpus::*;

/// Prints for each archive of a folder, in order, its files with their digests, or that it cannot be read.
const SCRIPT: &str = r"
import sys, os, hashlib, zipfile, tarfile
digest = lambda contents: hashlib.sha256(contents).hexdigest()
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    try:
        if name.endswith('zip'):
            with zipfile.ZipFile(path) as z:
                files = [(i.filename, digest(z.read(i))) for i in z.infolist() if not i.is_dir()]
        else:
            with tarfile.open(path, 'r:gz') as t:
                files = [(i.name, digest(t.extractfile(i).read())) for i in t.getmembers() if i.isfile()]
        print(name, *sorted(f'{path}={sha256}' for path, sha256 in files))
    except Exception as error:
        print(name, 'cannot:', type(error).__name__)
";

fn zips() -> Vec<Vec<u8>> {
    let readme = || file("README.md", "read me, read me, read me");
    let icon = || stored("media/icon.png", noise(9));
    [
        zip([readme(), icon()]),
        zip([readme().described(true), icon().described(false)]),
        zip([icon(), readme()]).but(|zip| zip.comment = b"a comment".to_vec()),
        zip([
            readme().but(|entry| entry.extra = b"UT\x05\0\x03abcd".to_vec()),
            stored("media/", "").but(|entry| entry.external = 0o040_755 << 16),
        ]),
    ]
    .map(|zip| zip.bytes())
    .to_vec()
}

fn tars() -> Vec<Vec<u8>> {
    let long = format!("tests/{}/x", "n".repeat(120));
    let readme = || tar_entry("README.md", b'0', "read me");
    [
        plain_tar([readme(), tar_entry("media/", b'5', ""), tar_entry("media/icon.png", b'0', noise(9))]),
        plain_tar([tar_entry("PaxHeader", b'x', pax("path", &long)), tar_entry(&long[..100], b'0', "x"), readme()]),
        plain_tar([
            tar_entry("././@LongLink", b'L', format!("{long}\0")),
            tar_entry(&long[..100], b'0', "x"),
            readme(),
        ]),
        plain_tar([tar_entry("README.md", b'x', [pax("mtime", "1.5"), pax("size", "7")].concat()), readme()]),
    ]
    .to_vec()
}

/// Damages bytes in ways that a reader may overlook: a byte set to something that has a meaning, a part moved.
fn damage(good: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below
    };
    let mut bytes = good.to_vec();
    for _ in 0..=next(3) {
        let at = next(bytes.len());
        match next(6) {
            0 => bytes[at] = b"\0\x01\x08\xFF /.x05PK"[next(11)],
            1 => bytes[at] ^= 1 << next(8),
            2 => bytes[at] = bytes[at].wrapping_add(1),
            3 => {
                bytes.remove(at);
            }
            4 => bytes.insert(at, next(256) as u8),
            _ => {
                let (from, count) = (next(bytes.len()), next(40));
                let part = bytes[from..(from + count).min(bytes.len())].to_vec();
                let end = (at + part.len()).min(bytes.len());
                bytes.splice(at..end, part);
            }
        }
    }
    bytes
}

/// Gives the tar's headers right checksums, else nothing but a checksum would ever be tested.
fn seal_all(tar: &mut [u8]) {
    for block in tar.as_chunks_mut::<512>().0 {
        if block[257..262] == *b"ustar" {
            seal(block);
        }
    }
}

/// Lists an archive with Info-ZIP or GNU tar; nothing if it is not installed or finds a fault.
fn list(archive: &Path, format: Format) -> Option<Vec<String>> {
    let (program, option) = match format {
        Format::Zip => ("unzip", "-Z1"),
        Format::TarGz => ("tar", "tzf"),
    };
    let output = Command::new(program).arg(option).arg(archive).env("LC_ALL", "C").output().ok()?;
    let listed = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let mut files: Vec<_> = listed.lines().filter(|line| !line.ends_with('/')).map(str::to_owned).collect();
    files.sort();
    Some(files)
}

#[test]
fn what_is_accepted_is_the_same_to_other_readers() {
    let place = tempfile::tempdir().unwrap();
    let mut accepted = Vec::new();
    let (mut tried, mut compared, mut not_listed) = (0, 0, 0);
    let mut consider = |bytes: Vec<u8>| {
        tried += 1;
        let Ok(package) = open(&bytes, &Budget::default()) else { return };
        let name = format!("{:06}.{}", tried, package.format.extension());
        fs::write(place.path().join(&name), &bytes).unwrap();
        let mut line = name;
        for entry in &package.entries {
            line.push_str(&format!(" {}={}", entry.path, entry.sha256));
        }
        // A process for each would take long: a part is enough. Both escape what is not printable ASCII.
        let paths: Vec<_> = package.entries.into_iter().map(|entry| entry.path).collect();
        let plain = paths.iter().all(|path| path.bytes().all(|byte| byte.is_ascii_graphic()));
        if accepted.len() % 4 == 0 && plain {
            match list(&place.path().join(line.split(' ').next().unwrap_or_default()), package.format) {
                Some(listed) => {
                    assert_eq!(listed, paths, "{line}");
                    compared += 1;
                }
                None => not_listed += 1,
            }
        }
        accepted.push((line, package.format));
    };
    for (number, good) in zips().into_iter().enumerate() {
        consider(good.clone());
        for seed in 0..2500 {
            consider(damage(&good, seed * 8 + number as u64));
        }
    }
    for (number, good) in tars().into_iter().enumerate() {
        consider(gzip(&good));
        for seed in 0..1500 {
            let mut tar = damage(&good, seed * 8 + number as u64);
            seal_all(&mut tar);
            consider(gzip(&tar));
        }
    }
    for format in [Format::Zip, Format::TarGz] {
        let count = accepted.iter().filter(|(_, accepted)| *accepted == format).count();
        assert!(count > 100, "{count} of {tried} {format:?}");
        println!("{count} of {tried} archives are accepted as {format:?}");
    }

    println!("{compared} lists are the same, {not_listed} were not made");

    // Without Python there is nothing to compare with.
    let Ok(output) = Command::new("python3").args(["-X", "utf8", "-c", SCRIPT]).arg(place.path()).output() else {
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(theirs.lines().count(), accepted.len());
    let mut cannot = 0;
    for ((ours, _), theirs) in accepted.iter().zip(theirs.lines()) {
        if theirs.contains(" cannot: ") {
            cannot += 1;
        } else {
            assert_eq!(ours, theirs);
        }
    }
    println!("Python cannot read {cannot} of them");
    assert!(cannot * 10 < accepted.len(), "Python cannot read {cannot} of {}", accepted.len());
}
