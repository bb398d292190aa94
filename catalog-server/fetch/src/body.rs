//! Bodies: unpacked as they come, counted, and kept in memory or in a temporary file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::error::Error;
use crate::limits::RATIO_FROM;

/// A whole page.
#[derive(Debug)]
pub enum Body {
    /// In memory.
    Memory(Bytes),
    /// In a temporary file without a name, at its beginning.
    File(File),
}

impl Body {
    /// Returns a reader from the beginning.
    ///
    /// # Errors
    ///
    /// Those of the temporary file.
    pub fn reader(self) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(std::io::Cursor::new(bytes)),
            Self::File(mut file) => {
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
        })
    }
}

/// Where unpacked bytes go, up to a limit.
#[derive(Debug)]
pub(crate) struct Store {
    memory: Vec<u8>,
    file: Option<File>,
    pub(crate) written: u64,
    limit: u64,
    pub(crate) over: bool,
}

impl Store {
    pub(crate) fn new(to_file: bool, limit: u64) -> std::io::Result<Self> {
        let file = if to_file { Some(tempfile::tempfile()?) } else { None };
        Ok(Self { memory: Vec::new(), file, written: 0, limit, over: false })
    }

    pub(crate) fn finish(self) -> Body {
        match self.file {
            Some(file) => Body::File(file),
            None => Body::Memory(Bytes::from(self.memory)),
        }
    }
}

impl Write for Store {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.written + bytes.len() as u64 > self.limit {
            self.over = true;
            return Err(std::io::Error::other("the page is too large"));
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// Unpacks what is written to it.
pub(crate) enum Unpacker {
    Plain(Store),
    Gzip(Box<MultiGzDecoder<Store>>),
    Zlib(Box<ZlibDecoder<Store>>),
    Deflate(Box<DeflateDecoder<Store>>),
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Deflate,
}

impl Unpacker {
    /// Begins with the first bytes of the body, by which raw deflate is told from zlib.
    pub(crate) fn new(packing: Packing, first: &[u8], store: Store) -> Self {
        match packing {
            Packing::Plain => Self::Plain(store),
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(store))),
            // RFC 1950: the header's two bytes are a multiple of 31; some servers send the raw stream instead.
            Packing::Deflate if first.len() > 1 && (u16::from(first[0]) << 8 | u16::from(first[1])) % 31 == 0 => {
                Self::Zlib(Box::new(ZlibDecoder::new(store)))
            }
            Packing::Deflate => Self::Deflate(Box::new(DeflateDecoder::new(store))),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(store) => store.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
            Self::Zlib(decoder) => decoder.write_all(bytes),
            Self::Deflate(decoder) => decoder.write_all(bytes),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        match self {
            Self::Plain(store) => store,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zlib(decoder) => decoder.get_ref(),
            Self::Deflate(decoder) => decoder.get_ref(),
        }
    }

    /// Ends; an error when the packed stream is not at its end.
    pub(crate) fn finish(self) -> std::io::Result<Store> {
        match self {
            Self::Plain(store) => Ok(store),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Zlib(decoder) => decoder.finish(),
            Self::Deflate(decoder) => decoder.finish(),
        }
    }
}

/// Counts what came and what became of it.
pub(crate) fn check_ratio(url: &str, packed: u64, unpacked: u64, ratio: u64) -> Result<(), Error> {
    if unpacked > RATIO_FROM && unpacked / packed.max(1) > ratio {
        return Err(Error::Ratio { url: url.to_owned(), ratio });
    }
    Ok(())
}
