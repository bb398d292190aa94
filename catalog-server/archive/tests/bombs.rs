//! Bombs: refused without the memory and the time that they want, each in a process of its own that is measured.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod corpus;

use std::io::Write;
use std::process::Command;
use std::time::Instant;

use catalog_archive::{Budget, open};
use corpus::*;
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Makes deflate data of 10 GiB of zeros: one block of 1 MiB, 10,240 times.
fn ten_gibibytes() -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    encoder.flush().unwrap();
    let first = encoder.get_ref().len();
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    encoder.flush().unwrap();
    let block = encoder.get_ref()[first..].to_vec();
    encoder.get_mut().truncate(first);
    let mut data = encoder.get_ref().clone();
    for _ in 0..10_239 {
        data.extend(&block);
    }
    // An empty last block.
    data.extend([3, 0]);
    data
}

/// The most memory that this process has ever had, in bytes; nothing where the system does not tell.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// Names the bomb in the child process.
const BOMB: &str = "ALIDADE_TEST_BOMB";

/// The child's part: opens one bomb and prints its codes, what memory it took and how long.
#[test]
fn one_bomb() {
    let Some(path) = std::env::var_os(BOMB) else { return };
    let bytes = std::fs::read(path).unwrap();
    // One call first, so that code and tables are in memory.
    let _ = open(&zip([]).bytes(), &Budget::default());
    let before = peak();
    let start = Instant::now();
    let findings = open(&bytes, &Budget::default()).unwrap_err();
    let took = start.elapsed().as_millis();
    let grown = before.zip(peak()).map_or(0, |(before, after)| after - before);
    println!("\nbomb {grown} {took} {}", codes(&findings).join(" "));
}

#[test]
fn bombs_are_refused_in_little_memory_and_time() {
    let data = ten_gibibytes();
    assert!(data.len() < 12 << 20, "{}", data.len());
    let lying = |size: u32| {
        let mut bomb = file("media/zeros.png", "").with_data(data.clone());
        bomb.size = size;
        zip([bomb]).bytes()
    };
    let gzip_header = b"\x1F\x8B\x08\0\0\0\0\0\0\xFF";
    let tar_in_front = {
        // A tar header stored in a block of its own, then the zeros as contents or as padding behind the end.
        let blocks = |tar: &[u8]| {
            let mut stored = vec![0];
            stored.extend((tar.len() as u16).to_le_bytes());
            stored.extend((!(tar.len() as u16)).to_le_bytes());
            stored.extend(tar);
            [&gzip_header[..], &stored, &data].concat()
        };
        let mut manifest = tar_entry("manifest.jsonld", b'0', MANIFEST);
        let zeros = blocks(&manifest);
        manifest.extend(tar_header("media/zeros.png", b'0', 20 << 20));
        [zeros, blocks(&manifest)]
    };
    // Each level holds ten of the level below, as 42.zip does.
    let mut nested = zip([stored("0.png", vec![0; 1 << 20])]).bytes();
    for _ in 0..4 {
        nested = zip((0..10).map(|number| file(format!("media/{number}"), &nested))).bytes();
    }
    // Entries that quote one kernel (Fifield 2019): each directory entry points at the same local header.
    let overlapping = |size: usize| {
        let kernel = || stored("media/0", noise(size));
        let again = (1..200).map(|number| {
            let at = 30 + 15 + file("", MANIFEST).data.len() as u32;
            let mut entry = kernel().but(|entry| (entry.in_archive, entry.offset) = (false, Some(at)));
            entry.name = format!("media/{number}").into_bytes();
            entry
        });
        zip([kernel()].into_iter().chain(again)).bytes()
    };
    // Many entries below the grace of the ratio, together above the budget.
    let many = {
        let contents = vec![0; 1_000_000];
        let small = file("media/0", &contents);
        zip((0..400).map(|number| small.clone().but(|entry| entry.name = format!("media/{number}").into_bytes())))
            .bytes()
    };
    let plain_zeros = [&gzip_header[..], &data].concat();
    let [behind_end, as_contents] = &tar_in_front;
    let letters: Vec<u8> = noise(60_000).iter().map(|byte| b'a' + byte % 4).collect();
    let long_names = tar((0..300).flat_map(|number| {
        let name = [format!("{number}").as_bytes(), &letters].concat();
        [tar_entry("././@LongLink", b'L', &name), tar_entry(&name[..100], b'0', "")]
    }));
    let many_keys = {
        let records: Vec<u8> = (0..3000).flat_map(|number| pax(&format!("SCHILY.{number}"), "")).collect();
        tar((0..1900)
            .flat_map(|number| [tar_entry("x", b'x', &records), tar_entry(format!("media/{number}"), b'0', "")]))
    };
    let cases: [(&str, &[u8], &[&str]); 12] = [
        ("long names", &long_names, &["archive.name_too_long", "archive.too_many_faults"]),
        ("many keys", &many_keys, &["archive.extended_header", "archive.too_many_faults"]),
        ("zip that says one byte", &lying(1), &["archive.size_mismatch"]),
        ("zip that says 1 MiB", &lying(1 << 20), &["archive.size_mismatch"]),
        ("zip that says 2 GiB", &lying(2 << 30), &["archive.entry_too_large", "archive.unpacked_too_large"]),
        ("gzip of zeros", &plain_zeros, &["archive.unpacked_too_large"]),
        ("zeros behind the end of a tar", behind_end, &["archive.unpacked_too_large"]),
        ("zeros as the contents of an entry", as_contents, &["archive.unpacked_too_large"]),
        ("nested", &nested, &["archive.nested"]),
        ("overlapping, large", &overlapping(100_000), &["archive.ratio"]),
        ("overlapping, small", &overlapping(4_000), &["archive.overlap"]),
        ("many small ones", &many, &["archive.unpacked_too_large"]),
    ];
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("bomb");
    for (name, bytes, expected) in cases {
        std::fs::write(&path, bytes).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "one_bomb", "--nocapture"])
            .env(BOMB, &path)
            .output()
            .unwrap();
        let (status, errors) = (output.status, String::from_utf8_lossy(&output.stderr).into_owned());
        let output = String::from_utf8(output.stdout).unwrap();
        let line = output.lines().find_map(|line| line.strip_prefix("bomb "));
        let line = line.unwrap_or_else(|| panic!("{name}: {status}\n{output}\n{errors}"));
        let mut words = line.split(' ');
        let grown: u64 = words.next().unwrap().parse().unwrap();
        let took: u64 = words.next().unwrap().parse().unwrap();
        let mut found: Vec<&str> = words.collect();
        found.dedup();
        if name == "overlapping, small" {
            // The quoted headers have another name too, and the list is cut.
            found.retain(|code| *code == "archive.overlap");
            found.truncate(1);
        }
        println!("{name}: {} bytes, {took} ms, {grown} bytes of memory", bytes.len());
        assert_eq!(found, expected, "{name}");
        assert!(grown < 12 << 20, "{name} took {grown} bytes");
        // Far more than a test build takes on an idle machine, which is a second.
        assert!(took < 60_000, "{name} took {took} ms");
    }
}
