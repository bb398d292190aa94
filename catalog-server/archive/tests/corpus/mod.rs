//! Builders of archives, byte by byte, for what no honest tool writes.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::Write;

use catalog_schemas::problem::Finding;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};

/// A manifest that is enough for this crate, which does not read it.
pub(crate) const MANIFEST: &[u8] = b"{\"@type\": \"Datalab\", \"name\": {\"en\": \"Aladin\"}}\n";

/// Returns the codes of findings, in order.
pub(crate) fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Compresses with every field that a gzip header may have; `flip` damages the header's checksum.
pub(crate) fn gzip_with_all_fields(bytes: &[u8], flip: u8) -> Vec<u8> {
    let mut archive = b"\x1F\x8B\x08\x1E\x01\x02\x03\x04\0\x03\x06\0abcdef".to_vec();
    archive.extend(b"lab.tar\0a comment\0");
    let [low, high, ..] = crc(&archive).to_le_bytes();
    archive.extend([low ^ flip, high]);
    archive.extend(deflate(bytes));
    archive.extend(crc(bytes).to_le_bytes());
    archive.extend((bytes.len() as u32).to_le_bytes());
    archive
}

/// An entry of a zip; a `local_` field, where given, contradicts the directory.
#[derive(Clone)]
pub(crate) struct ZipEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) local_method: Option<u16>,
    pub(crate) flags: u16,
    pub(crate) local_flags: Option<u16>,
    pub(crate) crc: u32,
    pub(crate) local_crc: Option<u32>,
    pub(crate) packed: u32,
    pub(crate) local_packed: Option<u32>,
    pub(crate) size: u32,
    pub(crate) local_size: Option<u32>,
    pub(crate) made_by: u16,
    pub(crate) external: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) disk: u16,
    pub(crate) offset: Option<u32>,
    /// What stands behind the contents.
    pub(crate) behind: Vec<u8>,
    pub(crate) in_directory: bool,
    pub(crate) in_archive: bool,
}

/// Makes a deflated file.
pub(crate) fn file(name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> ZipEntry {
    let contents = contents.as_ref();
    ZipEntry { method: 8, ..stored(name, contents) }.with_data(deflate(contents))
}

/// Makes a stored file.
pub(crate) fn stored(name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> ZipEntry {
    let (name, contents) = (name.as_ref(), contents.as_ref());
    let utf8 = if name.is_ascii() { 0 } else { 1 << 11 };
    ZipEntry {
        name: name.to_vec(),
        local_name: None,
        data: contents.to_vec(),
        method: 0,
        local_method: None,
        flags: utf8,
        local_flags: None,
        crc: crc(contents),
        local_crc: None,
        packed: contents.len() as u32,
        local_packed: None,
        size: contents.len() as u32,
        local_size: None,
        made_by: 0x0314,
        external: 0o100_644 << 16,
        extra: Vec::new(),
        local_extra: Vec::new(),
        disk: 0,
        offset: None,
        behind: Vec::new(),
        in_directory: true,
        in_archive: true,
    }
}

impl ZipEntry {
    pub(crate) fn with_data(mut self, data: Vec<u8>) -> Self {
        self.packed = data.len() as u32;
        self.data = data;
        self
    }

    /// Changes the entry.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Puts sizes and checksum behind the contents, as a writer to a pipe does.
    pub(crate) fn described(self, mark: bool) -> Self {
        let mut behind = if mark { b"PK\x07\x08".to_vec() } else { Vec::new() };
        for number in [self.crc, self.packed, self.size] {
            behind.extend(number.to_le_bytes());
        }
        self.but(|entry| {
            entry.flags |= 8;
            entry.local_crc = Some(0);
            entry.local_packed = Some(0);
            entry.local_size = Some(0);
            entry.behind = behind;
        })
    }
}

/// A zip of entries, with everything around them.
#[derive(Clone, Default)]
pub(crate) struct Zip {
    pub(crate) entries: Vec<ZipEntry>,
    /// Before everything; offsets count from behind it unless `honest_offsets`.
    pub(crate) prefix: Vec<u8>,
    pub(crate) honest_offsets: bool,
    pub(crate) before_directory: Vec<u8>,
    pub(crate) before_end: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    pub(crate) disks: [u16; 2],
    pub(crate) counts: Option<[u16; 2]>,
    pub(crate) directory_size: Option<u32>,
    pub(crate) directory_start: Option<u32>,
}

/// Makes a zip of a manifest and other entries.
pub(crate) fn zip(entries: impl IntoIterator<Item = ZipEntry>) -> Zip {
    let entries = [file("manifest.jsonld", MANIFEST)].into_iter().chain(entries).collect();
    Zip { entries, ..Zip::default() }
}

impl Zip {
    /// Changes the zip.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let shift = if self.honest_offsets { 0 } else { self.prefix.len() };
        let mut archive = self.prefix.clone();
        let mut directory = Vec::new();
        for entry in &self.entries {
            let offset = entry.offset.unwrap_or((archive.len() - shift) as u32);
            if entry.in_archive {
                archive.extend(b"PK\x03\x04");
                let name = entry.local_name.as_ref().unwrap_or(&entry.name);
                let method = entry.local_method.unwrap_or(entry.method);
                for number in [20, entry.local_flags.unwrap_or(entry.flags), method, 0, 0x21] {
                    archive.extend(number.to_le_bytes());
                }
                let crc = entry.local_crc.unwrap_or(entry.crc);
                let packed = entry.local_packed.unwrap_or(entry.packed);
                for number in [crc, packed, entry.local_size.unwrap_or(entry.size)] {
                    archive.extend(number.to_le_bytes());
                }
                archive.extend((name.len() as u16).to_le_bytes());
                archive.extend((entry.local_extra.len() as u16).to_le_bytes());
                archive.extend(name);
                archive.extend(&entry.local_extra);
                archive.extend(&entry.data);
                archive.extend(&entry.behind);
            }
            if entry.in_directory {
                directory.extend(b"PK\x01\x02");
                for number in [entry.made_by, 20, entry.flags, entry.method, 0, 0x21] {
                    directory.extend(number.to_le_bytes());
                }
                for number in [entry.crc, entry.packed, entry.size] {
                    directory.extend(number.to_le_bytes());
                }
                for number in [entry.name.len() as u16, entry.extra.len() as u16, 0, entry.disk, 0] {
                    directory.extend(number.to_le_bytes());
                }
                directory.extend(entry.external.to_le_bytes());
                directory.extend(offset.to_le_bytes());
                directory.extend(&entry.name);
                directory.extend(&entry.extra);
            }
        }
        archive.extend(&self.before_directory);
        let start = (archive.len() - shift) as u32;
        archive.extend(&directory);
        archive.extend(&self.before_end);
        archive.extend(b"PK\x05\x06");
        let count = self.entries.iter().filter(|entry| entry.in_directory).count() as u16;
        let counts = self.counts.unwrap_or([count, count]);
        for number in self.disks.into_iter().chain(counts) {
            archive.extend(number.to_le_bytes());
        }
        archive.extend(self.directory_size.unwrap_or(directory.len() as u32).to_le_bytes());
        archive.extend(self.directory_start.unwrap_or(start).to_le_bytes());
        archive.extend((self.comment.len() as u16).to_le_bytes());
        archive.extend(&self.comment);
        archive.extend(&self.tail);
        archive
    }
}

/// Makes a tar header with a right checksum.
pub(crate) fn tar_header(name: impl AsRef<[u8]>, kind: u8, size: usize) -> [u8; 512] {
    let name = name.as_ref();
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000644");
    block[108..115].copy_from_slice(b"0000000");
    block[116..123].copy_from_slice(b"0000000");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[136..147].copy_from_slice(b"00000000000");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// Makes the checksum right again.
pub(crate) fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Makes a tar entry: header, contents, padding.
pub(crate) fn tar_entry(name: impl AsRef<[u8]>, kind: u8, contents: impl AsRef<[u8]>) -> Vec<u8> {
    let contents = contents.as_ref();
    let mut entry = tar_header(name, kind, contents.len()).to_vec();
    entry.extend(contents);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

/// Makes a tar entry with a changed header.
pub(crate) fn tar_changed(name: impl AsRef<[u8]>, kind: u8, change: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut block = tar_header(name, kind, 0);
    change(&mut block);
    seal(&mut block);
    block.to_vec()
}

/// Makes a pax record.
pub(crate) fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| *length == rest + length.to_string().len()).unwrap();
    format!("{length} {key}={value}\n").into_bytes()
}

/// Makes a tar, not compressed, of a manifest and other blocks.
pub(crate) fn plain_tar(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut tar = tar_entry("manifest.jsonld", b'0', MANIFEST);
    for part in parts {
        tar.extend(part);
    }
    tar.extend([0; 1024]);
    tar
}

/// Makes a gzip-compressed tar of a manifest and other blocks.
pub(crate) fn tar(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    gzip(&plain_tar(parts))
}

/// Makes bytes that no compression shortens, always the same.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}
