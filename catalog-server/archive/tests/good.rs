//! Archives that honest tools make: accepted, with the entries that the tools themselves list.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod corpus;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use catalog_archive::{Budget, Format, Package, open};
use corpus::*;

fn accept(bytes: &[u8]) -> Package {
    open(bytes, &Budget::default()).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

fn paths(package: &Package) -> Vec<&str> {
    package.entries.iter().map(|entry| entry.path.as_str()).collect()
}

#[test]
fn a_zip_says_what_it_holds() {
    let bytes = zip([
        file("README.md", "read me"),
        stored("media/", "").but(|entry| entry.external = 0o040_755 << 16),
        stored("media/icon.png", "PNG"),
    ])
    .bytes();
    let package = accept(&bytes);
    assert_eq!(package.format, Format::Zip);
    assert_eq!(package.packed_size, bytes.len() as u64);
    assert_eq!(package.unpacked_size, MANIFEST.len() as u64 + 10);
    assert_eq!(paths(&package), ["README.md", "manifest.jsonld", "media/icon.png"]);
    assert_eq!(package.manifest(), MANIFEST);
    assert_eq!(package.folder, None);
    let icon = package.entry("media/icon.png").unwrap();
    assert_eq!((icon.size, icon.packed, icon.deflated), (3, 3, false));
    assert_eq!(icon.sha256, "796120837694d3f3f29259cfeb25091698c2a0aa87873658d840b4993ee889b3");
    assert_eq!(package.findings, []);
}

#[test]
fn what_is_not_kept_is_read_again() {
    let data = noise(100_000);
    let zeros = vec![0; 70_000];
    for bytes in [
        zip([file("image/data", &data), stored("image/x", &data[..9]), file("image/zeros", &zeros)]).bytes(),
        tar([
            tar_entry("image/data", b'0', &data),
            tar_entry("image/x", b'0', &data[..9]),
            tar_entry("image/zeros", b'0', &zeros),
        ]),
    ] {
        let package = accept(&bytes);
        assert_eq!(package.kept().collect::<Vec<_>>(), ["manifest.jsonld"]);
        assert_eq!(package.file("image/data"), None);
        assert_eq!(package.read(&bytes, "image/data").unwrap().as_ref(), Some(&data));
        assert_eq!(package.read(&bytes, "image/x").unwrap().as_deref(), Some(&data[..9]));
        assert_eq!(package.read(&bytes, "image/zeros").unwrap().as_ref(), Some(&zeros));
        assert_eq!(package.read(&bytes, "manifest.jsonld").unwrap().as_deref(), Some(MANIFEST));
        assert_eq!(package.read(&bytes, "other").unwrap(), None);
        let other = zip([]).bytes();
        let error = package.read(&other, "image/data").unwrap_err();
        assert_eq!(error.to_string(), "the archive given is not the one that was opened: image/data differs");
    }
}

#[test]
fn memory_for_contents_is_limited_and_the_manifest_is_there_all_the_same() {
    let picture = noise(1000);
    let parts = || (0..10).map(|number| (format!("media/{number}.png"), picture.clone()));
    let budget = Budget { kept: 5_000, ..Budget::default() };
    let last = |bytes: Vec<u8>| {
        let package = open(&bytes, &budget).unwrap();
        assert_eq!(package.kept().count(), 6, "five pictures and the manifest");
        assert_eq!(package.manifest(), MANIFEST);
        assert_eq!(package.read(&bytes, "media/9.png").unwrap().as_ref(), Some(&picture));
    };
    let mut blocks: Vec<u8> = parts().flat_map(|(path, contents)| tar_entry(path, b'0', contents)).collect();
    blocks.extend(tar_entry("manifest.jsonld", b'0', MANIFEST));
    blocks.extend([0; 1024]);
    last(gzip(&blocks));
    let mut entries: Vec<_> = parts().map(|(path, contents)| stored(path, contents)).collect();
    entries.push(file("manifest.jsonld", MANIFEST));
    last(Zip { entries, ..Zip::default() }.bytes());
}

#[test]
fn one_top_folder_is_stripped() {
    let blocks = [
        tar_entry("lab-1.0/", b'5', ""),
        tar_entry("lab-1.0/manifest.jsonld", b'0', MANIFEST),
        tar_entry("lab-1.0/media/icon.png", b'0', "PNG"),
    ];
    let package = accept(&gzip(&[blocks.concat(), vec![0; 1024]].concat()));
    assert_eq!(package.folder.as_deref(), Some("lab-1.0"));
    assert_eq!(paths(&package), ["manifest.jsonld", "media/icon.png"]);
    assert_eq!(package.manifest(), MANIFEST);
    assert_eq!(package.file("media/icon.png"), Some(&b"PNG"[..]));

    let blocks = [tar_entry("./", b'5', ""), tar_entry("./manifest.jsonld", b'0', MANIFEST)];
    let package = accept(&gzip(&[blocks.concat(), vec![0; 9216]].concat()));
    assert_eq!((package.folder.as_deref(), paths(&package)), (None, vec!["manifest.jsonld"]));

    let entries = vec![file("lab/manifest.jsonld", MANIFEST), file("lab/SHA256SUMS", "")];
    let findings = open(&Zip { entries, ..Zip::default() }.bytes(), &Budget::default()).unwrap_err();
    assert_eq!(codes(&findings), ["archive.checksum_missing"]);
}

#[test]
fn forms_that_honest_tools_use_are_accepted() {
    let readme = || file("README.md", "read me");
    for bytes in [
        gzip_with_all_fields(&plain_tar([tar_entry("README.md", b'0', "read me")]), 0),
        zip([readme().described(true)]).bytes(),
        zip([readme().described(false)]).bytes(),
        zip([stored("README.md", "read me").described(true)]).bytes(),
        zip([readme()]).but(|zip| zip.comment = b"0123456789abcdef0123456789abcdef01234567".to_vec()).bytes(),
        zip([readme().but(|entry| entry.extra = b"UT\x05\0\x03abcd".to_vec())]).bytes(),
        tar([
            tar_entry("pax_global_header", b'g', pax("comment", "0123456789abcdef")),
            tar_entry("README.md", b'0', "read me"),
        ]),
        tar([
            tar_entry("README.md", b'x', [pax("mtime", "1.5"), pax("SCHILY.xattr.user.x", "y")].concat()),
            tar_entry("README.md", b'0', "read me"),
        ]),
        tar([
            tar_entry("README.md", b'x', [pax("path", "README.md"), pax("size", "7")].concat()),
            tar_entry("README.md", b'0', "read me"),
        ]),
    ] {
        assert_eq!(paths(&accept(&bytes)), ["README.md", "manifest.jsonld"]);
    }
}

#[test]
fn what_macos_adds_is_left_out() {
    // As Finder's "Compress" makes it: the folder, and beside it one of resource forks.
    let bytes = Zip {
        entries: vec![
            file("lab/manifest.jsonld", MANIFEST),
            file("__MACOSX/lab/._manifest.jsonld", "fork"),
            file("__MACOSX/._lab", "fork"),
        ],
        ..Zip::default()
    }
    .bytes();
    let package = accept(&bytes);
    assert_eq!((package.folder.as_deref(), paths(&package)), (Some("lab"), vec!["manifest.jsonld"]));
    assert_eq!(codes(&package.findings), ["archive.system_file"]);
    assert_eq!(package.read(&bytes, "manifest.jsonld").unwrap().as_deref(), Some(MANIFEST));

    // As its tar makes it.
    let blocks = [tar_entry("./._lab", b'0', "fork"), tar_entry("./lab/manifest.jsonld", b'0', MANIFEST)];
    let package = accept(&gzip(&[blocks.concat(), vec![0; 1024]].concat()));
    assert_eq!((package.folder.as_deref(), paths(&package)), (Some("lab"), vec!["manifest.jsonld"]));
}

#[test]
fn a_name_that_is_not_marked_as_utf8_is_read_as_such_with_a_warning() {
    let package = accept(&zip([file("media/caf\u{E9}.png", "x").but(|entry| entry.flags = 0)]).bytes());
    assert_eq!(paths(&package), ["manifest.jsonld", "media/caf\u{E9}.png"]);
    assert_eq!(codes(&package.findings), ["archive.name_unmarked"]);
}

#[test]
fn what_has_no_place_is_hinted_at_once() {
    let package = accept(
        &zip([file("src/a.py", "x"), file("src/b.py", "x"), file("notes.txt", "x"), file("media/aux.png", "x")])
            .bytes(),
    );
    let found: Vec<_> =
        package.findings.iter().map(|finding| (finding.code.as_str(), finding.file.as_deref().unwrap())).collect();
    assert_eq!(
        found,
        [
            ("archive.unportable_name", "media/aux.png"),
            ("archive.unknown_file", "notes.txt"),
            ("archive.unknown_file", "src")
        ]
    );
}

/// Makes the folder that the tools pack.
fn folder(at: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = BTreeMap::from([
        ("manifest.jsonld".to_owned(), MANIFEST.to_vec()),
        ("README.md".to_owned(), b"read me\n".repeat(500)),
        ("media/icon.png".to_owned(), noise(3000)),
        ("media/screenshots/caf\u{E9}.png".to_owned(), noise(10)),
        (format!("tests/{}/smoke.sh", "n".repeat(110)), b"true\n".to_vec()),
        ("empty".to_owned(), Vec::new()),
    ]);
    for (path, contents) in &files {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
    files
}

/// Runs a tool in a folder; `false` if it is not installed.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> bool {
    match Command::new(program).args(arguments).current_dir(folder).output() {
        Ok(output) => {
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(_) => false,
    }
}

#[test]
fn what_other_tools_pack_is_accepted_with_the_same_contents() {
    let place = tempfile::tempdir().unwrap();
    let lab = place.path().join("lab");
    let files = folder(&lab);
    let python_zip = "import sys, zipfile, pathlib\n\
        with zipfile.ZipFile('../python.zip', 'w', int(sys.argv[1])) as z:\n\
        \x20   for p in sorted(pathlib.Path('.').rglob('*')): z.write(p)\n";
    let python_pipe = "import sys, zipfile, pathlib\n\
        class Pipe:\n\
        \x20   def __init__(self, f): self.f = f\n\
        \x20   def write(self, b): return self.f.write(b)\n\
        \x20   def flush(self): self.f.flush()\n\
        with open('../python.zip', 'wb') as f, zipfile.ZipFile(Pipe(f), 'w', 8) as z:\n\
        \x20   for p in sorted(pathlib.Path('.').rglob('*')): z.write(p)\n";
    let python_tar = "import sys, tarfile\n\
        with tarfile.open('../python.tar.gz', 'w:gz', format=int(sys.argv[1])) as t: t.add('.', 'lab')\n";
    let tools: &[(&str, &str, &[&str])] = &[
        ("python.zip", "python3", &["-c", python_zip, "0"]),
        ("python.zip", "python3", &["-c", python_zip, "8"]),
        ("python.zip", "python3", &["-c", python_pipe]),
        ("python.tar.gz", "python3", &["-c", python_tar, "1"]),
        ("python.tar.gz", "python3", &["-c", python_tar, "2"]),
        ("tar.tar.gz", "tar", &["czf", "../tar.tar.gz", "."]),
        ("tar.tar.gz", "tar", &["czf", "../tar.tar.gz", "--format=gnu", "../lab"]),
        ("tar.tar.gz", "tar", &["czf", "../tar.tar.gz", "--format=posix", "-C", "..", "lab"]),
        ("tar.tar.gz", "bsdtar", &["czf", "../tar.tar.gz", "-C", "..", "lab"]),
        (
            "bsdtar.zip",
            "bsdtar",
            &["-a", "-cf", "../bsdtar.zip", "manifest.jsonld", "README.md", "media", "tests", "empty"],
        ),
        ("info.zip", "zip", &["-q", "-r", "../info.zip", "."]),
        ("seven.zip", "7z", &["a", "-tzip", "../seven.zip", "."]),
    ];
    let mut ran = 0;
    for (archive, program, arguments) in tools {
        let path = place.path().join(archive);
        let _ = fs::remove_file(&path);
        if !run(&lab, program, arguments) {
            continue;
        }
        ran += 1;
        let bytes = fs::read(&path).unwrap();
        let package = open(&bytes, &Budget::default())
            .unwrap_or_else(|findings| panic!("{program} {arguments:?}: {findings:#?}"));
        let found: BTreeMap<_, _> = package
            .entries
            .iter()
            .map(|entry| (entry.path.clone(), package.read(&bytes, &entry.path).unwrap().unwrap()))
            .collect();
        assert!(found == files, "{program} {arguments:?}: {:?}", found.keys());
    }
    assert!(ran > 0, "no tool is installed");
}

#[test]
fn git_archives_are_accepted() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("manifest.jsonld"), MANIFEST).unwrap();
    if !run(place.path(), "git", &["init", "-q"]) {
        return;
    }
    run(place.path(), "git", &["add", "."]);
    run(place.path(), "git", &["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "x"]);
    for format in ["zip", "tar.gz"] {
        let archive = format!("lab.{format}");
        run(place.path(), "git", &["archive", "-o", &archive, "--prefix=lab/", "HEAD"]);
        let package = accept(&fs::read(place.path().join(archive)).unwrap());
        assert_eq!((package.folder.as_deref(), paths(&package)), (Some("lab"), vec!["manifest.jsonld"]));
    }
}
