//! Column files: arrays of numbers that are written once, checked, and mapped into memory.
//!
//! A file is 64 bytes of header (magic, version, the column's name) and then its elements, little-endian, as they lie in
//! memory on every machine we run on. Length and checksum are in the generation's manifest.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes};

#[cfg(target_endian = "big")]
compile_error!("the graph's files are little-endian and read as they lie: this machine would need a conversion");

/// The length of a file's header; elements behind it are aligned as the page is.
pub(super) const HEADER: usize = 64;

/// Bytes from which a file is forced to disk: what a power cut takes of a small graph is noticed by its checksum, and filled
/// again faster than every start of a small server would wait for its disk.
const WORTH_SYNCING: u64 = 1 << 20;

/// What every column file begins with; the last byte is the format's version.
const MAGIC: &[u8; 8] = b"ALIDCOL\x01";

/// The length and checksum of a file, as its manifest keeps them.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Bytes, with the header.
    pub(crate) bytes: u64,
    /// CRC-32 of all bytes.
    pub(crate) crc32: u32,
}

fn header(name: &str) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    for (to, from) in header[8..].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    header
}

/// A column file that is being written.
pub(crate) struct ColumnWriter {
    file: BufWriter<File>,
    checksum: crc32fast::Hasher,
    bytes: u64,
}

impl ColumnWriter {
    /// Begins a file.
    pub(crate) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, File::create(folder.join(name))?);
        let mut writer = Self { file, checksum: crc32fast::Hasher::new(), bytes: 0 };
        writer.bytes(&header(name))?;
        Ok(writer)
    }

    /// Appends bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Appends elements.
    pub(crate) fn elements<T: IntoBytes + Immutable>(&mut self, elements: &[T]) -> io::Result<()> {
        self.bytes(elements.as_bytes())
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> io::Result<Sealed> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        if self.bytes >= WORTH_SYNCING {
            file.sync_data()?;
        }
        Ok(Sealed { bytes: self.bytes, crc32: self.checksum.finalize() })
    }
}

/// A column file that is read.
pub(crate) struct Column(Mmap);

impl Column {
    /// Maps a file whose length and header are as they should be.
    pub(crate) fn open(folder: &Path, name: &str, sealed: &Sealed) -> io::Result<Self> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{name} {what}"));
        let file = File::open(folder.join(name))?;
        if file.metadata()?.len() != sealed.bytes {
            return Err(wrong("has another length than its manifest says"));
        }
        let map = map(&file)?;
        if map.get(..HEADER) != Some(&header(name)) {
            return Err(wrong("does not begin as such a file does"));
        }
        Ok(Self(map))
    }

    /// Returns the elements; none when the length does not fit, which `open` and the manifest rule out.
    pub(crate) fn elements<T: FromBytes + Immutable>(&self) -> &[T] {
        <[T]>::ref_from_bytes(self.bytes()).unwrap_or(&[])
    }

    /// Returns the bytes behind the header.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.get(HEADER..).unwrap_or(&[])
    }
}

/// Maps a file for reading.
#[allow(unsafe_code, reason = "a mapping is unsafe by its nature; see below why this one is sound")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes must not change while they are mapped. Generations are written under another name, renamed when
    // they are complete and never written again, only unlinked, which keeps the mapped pages; nobody but the server's
    // account may write in its data folder. All reads are bounds-checked slices of plain numbers and bytes, for which
    // every bit pattern is valid, and text is checked to be UTF-8 when it is decoded.
    unsafe { Mmap::map(file) }
}

/// Reads a whole file and says whether it is as it was sealed.
pub(crate) fn verify(folder: &Path, name: &str, sealed: &Sealed) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{name} {what}"));
    let mut file = File::open(folder.join(name))?;
    if file.seek(io::SeekFrom::End(0))? != sealed.bytes {
        return Err(wrong("has another length than its manifest says"));
    }
    file.rewind()?;
    let (mut checksum, mut buffer) = (crc32fast::Hasher::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => checksum.update(&buffer[..read]),
        }
    }
    if checksum.finalize() == sealed.crc32 { Ok(()) } else { Err(wrong("does not pass its checksum")) }
}
