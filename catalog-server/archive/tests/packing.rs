//! What `pack` makes: reproducible, accepted here and by others, refused for the same reasons.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod corpus;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use catalog_archive::{Budget, Error, Format, Progress, open, pack, pack_entries};
use corpus::{MANIFEST, codes, noise};

fn write(folder: &Path, path: &str, contents: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

fn lab() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (path, contents) in [
        ("manifest.jsonld", MANIFEST),
        ("README.md", &b"read me\n".repeat(100)),
        ("media/icon.png", &noise(2000)),
        ("media/caf\u{E9}.png", b"x"),
        (".git/HEAD", b"x"),
        (".DS_Store", b"x"),
        ("target/debug/lab", b"x"),
        ("README.md~", b"x"),
        ("old-1.0.datalab.zip", b"PK\x03\x04"),
        ("SHA256SUMS", b"out of date"),
    ] {
        write(place.path(), path, contents);
    }
    write(place.path(), &format!("tests/{}/{}/x", "m".repeat(90), "n".repeat(90)), b"long enough for a prefix");
    write(place.path(), &format!("tests/{}/x", "n".repeat(190)), b"too long for a prefix");
    place
}

#[test]
fn a_folder_is_packed_the_same_twice_and_opens() {
    for format in [Format::TarGz, Format::Zip] {
        let place = lab();
        let (mut read, mut skipped, mut packed) = (Vec::new(), Vec::new(), 0);
        let mut progress = |progress: Progress<'_>| match progress {
            Progress::Read { path, .. } => read.push(path.to_owned()),
            Progress::Skipped { path } => skipped.push(path.to_owned()),
            Progress::Packing { done, total, .. } => {
                assert_eq!((done, total), (packed, 7));
                packed += 1;
            }
            Progress::Checking { size } => assert!(size > 2000),
        };
        let bytes = pack(place.path(), format, &mut progress).unwrap();
        assert_eq!(skipped, [".DS_Store", ".git", "README.md~", "old-1.0.datalab.zip", "target"]);
        assert_eq!((read.len(), packed), (7, 7));

        let package = open(&bytes, &Budget::default()).unwrap();
        assert_eq!(package.findings, []);
        assert_eq!(package.format, format);
        assert_eq!(package.entries.len(), 7);
        assert_eq!(package.file("README.md").unwrap(), b"read me\n".repeat(100));
        assert_eq!(package.file("media/icon.png").unwrap(), noise(2000));
        let sums = String::from_utf8(package.file("SHA256SUMS").unwrap().to_vec()).unwrap();
        assert_eq!(sums.lines().count(), 6);

        let again = lab();
        assert!(pack(again.path(), format, &mut |_| {}).unwrap() == bytes, "the same bytes on another day");
        let entries = package
            .entries
            .iter()
            .rev()
            .map(|entry| (entry.path.clone(), package.read(&bytes, &entry.path).unwrap().unwrap()));
        assert!(pack_entries(entries.collect::<Vec<_>>(), format).unwrap() == bytes, "the same bytes from other order");
    }
}

#[test]
fn python_lists_and_reads_the_same() {
    let script = "import sys, io, json, hashlib, zipfile, tarfile\n\
        b = io.BytesIO(sys.stdin.buffer.read())\n\
        d = lambda x: hashlib.sha256(x).hexdigest()\n\
        if sys.argv[1] == 'zip':\n\
        \x20   z = zipfile.ZipFile(b); assert z.testzip() is None\n\
        \x20   r = [(i.filename, d(z.read(i)), str(i.date_time), i.external_attr >> 16) for i in z.infolist()]\n\
        else:\n\
        \x20   t = tarfile.open(fileobj=b, mode='r:gz')\n\
        \x20   r = [(i.name, d(t.extractfile(i).read()), str(i.mtime), i.mode | 0o100000) for i in t.getmembers()]\n\
        for row in r: print(*row, sep='\\t')\n";
    for (format, name, time) in [(Format::Zip, "zip", "(1980, 1, 1, 0, 0, 0)"), (Format::TarGz, "tar", "0")] {
        let bytes = pack(lab().path(), format, &mut |_| {}).unwrap();
        let child = Command::new("python3")
            .args(["-X", "utf8", "-c", script, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        // Without Python there is nothing to compare with.
        let Ok(mut child) = child else { return };
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let package = open(&bytes, &Budget::default()).unwrap();
        let expected: String = package
            .entries
            .iter()
            .map(|entry| format!("{}\t{}\t{time}\t{}\n", entry.path, entry.sha256, 0o100_644))
            .collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
}

#[test]
fn a_signed_list_is_kept_as_it_is() {
    let manifest = ("manifest.jsonld".to_owned(), MANIFEST.to_vec());
    let signature = ("SHA256SUMS.sig".to_owned(), b"signature".to_vec());
    let digest = &open(&pack_entries([manifest.clone()], Format::Zip).unwrap(), &Budget::default()).unwrap().entries[1]
        .sha256
        .clone();
    let sums = ("SHA256SUMS".to_owned(), format!("{digest} *./manifest.jsonld\n").into_bytes());
    let bytes = pack_entries([manifest.clone(), signature.clone(), sums.clone()], Format::Zip).unwrap();
    let package = open(&bytes, &Budget::default()).unwrap();
    assert_eq!(package.file("SHA256SUMS").unwrap(), sums.1);
    assert_eq!(package.file("SHA256SUMS.sig").unwrap(), signature.1);

    let sums = ("SHA256SUMS".to_owned(), format!("{}  manifest.jsonld\n", "0".repeat(64)).into_bytes());
    let Err(Error::Refused(findings)) = pack_entries([manifest, signature, sums], Format::Zip) else { panic!() };
    assert_eq!(codes(&findings), ["archive.checksum_mismatch"]);
}

#[test]
fn a_folder_is_refused_for_what_an_archive_is_refused_for() {
    let refused = |prepare: &dyn Fn(&Path)| {
        let place = tempfile::tempdir().unwrap();
        write(place.path(), "manifest.jsonld", MANIFEST);
        prepare(place.path());
        match pack(place.path(), Format::TarGz, &mut |_| {}) {
            Err(Error::Refused(findings)) => findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|at| write(at, "media/x.zip", b"PK\x03\x04")), ["archive.nested"]);
    assert_eq!(refused(&|at| write(at, "Manifest.jsonld", b"x")), ["archive.case_collision"]);
    assert_eq!(refused(&|at| fs::remove_file(at.join("manifest.jsonld")).unwrap()), ["archive.no_manifest"]);
    assert_eq!(refused(&|at| write(at, &format!("{}x", "d/".repeat(32)), b"x")), ["archive.path_too_deep"]);
    assert_eq!(refused(&|at| write(at, "x", &noise((20 << 20) + 1))), ["archive.entry_too_large"]);
    assert_eq!(refused(&|at| write(at, "media/zeros", &vec![0; 4 << 20])), ["archive.ratio"]);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(refused(&|at| std::os::unix::fs::symlink("/etc", at.join("etc")).unwrap()), ["archive.symlink"]);
        let name = std::ffi::OsStr::from_bytes(b"\xFF");
        assert_eq!(refused(&|at| fs::write(at.join(name), b"x").unwrap()), ["archive.name_encoding"]);
    }
    let error = pack(Path::new("/nowhere/at/all"), Format::Zip, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("cannot read /nowhere/at/all: "), "{error}");
}
