//! Writing archives: plain forms only, nothing in them that depends on the day or the machine.

use std::io::Write;

use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;

use crate::tar::BLOCK;

/// The level is fixed, so that the bytes are.
const LEVEL: Compression = Compression::best();

/// Writes a zip of files in the order given.
pub(crate) fn zip(files: &[(String, Vec<u8>)], mut each: impl FnMut(&str)) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (path, contents) in files {
        each(path);
        let deflated = deflate(contents);
        let (method, data) = if deflated.len() < contents.len() { (8_u16, &deflated) } else { (0, contents) };
        let mut crc = Crc::new();
        crc.update(contents);
        let flags: u16 = if path.is_ascii() { 0 } else { 1 << 11 };
        let offset = archive.len() as u32;

        // What both headers have in common: version needed 2.0, flags, method, the zip format's first day, numbers.
        let mut common = Vec::new();
        for number in [20, flags, method, 0, 1 << 5 | 1] {
            common.extend(number.to_le_bytes());
        }
        for number in [crc.sum(), data.len() as u32, contents.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((path.len() as u16).to_le_bytes());
        common.extend([0; 2]);

        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(path.as_bytes());
        archive.extend(data);

        // Made on Unix by version 2.0, for the file mode: a regular file, rw-r--r--.
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((0o100_644_u32 << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(path.as_bytes());
    }
    let start = archive.len() as u32;
    let count = files.len() as u16;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend((directory.len() as u32).to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// Writes a gzip-compressed tar of files in the order given.
pub(crate) fn tar_gz(files: &[(String, Vec<u8>)], mut each: impl FnMut(&str)) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), LEVEL);
    let mut crc = Crc::new();
    let mut put = |bytes: &[u8]| {
        crc.update(bytes);
        encoder.write_all(bytes).expect("writing to a vector cannot fail");
    };
    for (path, contents) in files {
        each(path);
        match split(path) {
            Some((prefix, name)) => put(&header(prefix, name, b'0', contents.len())),
            None => {
                let record = record("path", path);
                put(&header("", "PaxHeader", b'x', record.len()));
                put(record.as_bytes());
                put(padding(record.len()));
                let own: String = path
                    .chars()
                    .map(|character| if character.is_ascii() { character } else { '?' })
                    .take(100)
                    .collect();
                put(&header("", &own, b'0', contents.len()));
            }
        }
        put(contents);
        put(padding(contents.len()));
    }
    put(&[0; 2 * BLOCK]);
    let data = encoder.finish().expect("writing to a vector cannot fail");
    // Method deflate, no name, no time, best compression, no system.
    let mut archive = b"\x1F\x8B\x08\0\0\0\0\0\x02\xFF".to_vec();
    archive.extend(data);
    archive.extend(crc.sum().to_le_bytes());
    archive.extend(crc.amount().to_le_bytes());
    archive
}

fn deflate(contents: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(contents).expect("writing to a vector cannot fail");
    encoder.finish().expect("writing to a vector cannot fail")
}

/// Splits a path into the two fields of a ustar header, if it fits.
fn split(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| !prefix.is_empty() && prefix.len() <= 155 && !name.is_empty() && name.len() <= 100)
}

/// Writes a pax record, whose length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn header(prefix: &str, name: &str, kind: u8, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn padding(size: usize) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    &ZEROS[..size.next_multiple_of(BLOCK) - size]
}
