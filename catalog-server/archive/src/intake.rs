//! What is learnt from an entry's contents while they stream by.

use sha2::{Digest, Sha256};

use crate::fault::{Fault, Faults};

/// The bytes of an entry's start that tell a format: a tar's mark is the farthest, at 257.
const HEAD: usize = 265;

/// Takes the contents of one entry: digests them, and keeps them if asked to.
pub(crate) struct Intake {
    hash: Sha256,
    size: u64,
    head: Vec<u8>,
    kept: Option<Vec<u8>>,
}

/// What was learnt.
pub(crate) struct Taken {
    /// Bytes of contents.
    pub(crate) size: u64,
    /// SHA-256, lower-case hexadecimal.
    pub(crate) sha256: String,
    /// The contents, if they were to be kept.
    pub(crate) kept: Option<Vec<u8>>,
}

impl Intake {
    /// Begins an entry.
    pub(crate) fn new(keep: bool) -> Self {
        Self { hash: Sha256::new(), size: 0, head: Vec::new(), kept: keep.then(Vec::new) }
    }

    /// Returns how many bytes have been taken.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
    }

    /// Ends the entry; an archive within the archive is a fault.
    pub(crate) fn finish(self, name: &str, faults: &mut Faults) -> Taken {
        if let Some(format) = container(&self.head) {
            faults.add(Fault::Nested.of(name, format!("{} is itself a {format} file", crate::fault::shown(name))));
        }
        Taken { size: self.size, sha256: hex::encode(self.hash.finalize()), kept: self.kept }
    }
}

/// Returns the archive or compression format that bytes begin with.
pub(crate) fn container(head: &[u8]) -> Option<&'static str> {
    const MARKS: &[(usize, &[u8], &str)] = &[
        (0, b"PK\x03\x04", "zip"),
        (0, b"PK\x05\x06", "zip"),
        (0, b"PK\x07\x08", "zip"),
        (0, b"\x1F\x8B", "gzip"),
        (0, b"7z\xBC\xAF\x27\x1C", "7z"),
        (0, b"Rar!\x1A\x07", "rar"),
        (0, b"\xFD7zXZ\0", "xz"),
        (0, b"\x28\xB5\x2F\xFD", "zstd"),
        (0, b"LZIP", "lzip"),
        (0, b"\x04\x22\x4D\x18", "lz4"),
        (0, b"MSCF\0\0\0\0", "cab"),
        (0, b"!<arch>\n", "ar"),
        (0, b"\x1F\x9D", "compress"),
        (257, b"ustar", "tar"),
    ];
    // The digits of pi after the level are the mark of a bzip2 block, so that a text that begins with BZh is a text.
    if head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY") {
        return Some("bzip2");
    }
    MARKS.iter().find(|(at, mark, _)| head.get(*at..).is_some_and(|from| from.starts_with(mark))).map(|mark| mark.2)
}
