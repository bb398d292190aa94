//! Length-prefixed frames between the server and a worker.

use std::io::{self, Read, Write};

/// The most bytes of one piece of an answer.
pub const MAX_DATA: usize = 64 * 1024;

/// The most bytes of a request: a query and its dataset out of at most a mebibyte, each byte of which may be escaped as six,
/// and what in-process services know.
pub const MAX_REQUEST: usize = 8 << 20;

/// The bytes before a frame's content: its kind and its length.
pub const HEADER: usize = 5;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A request to a worker.
    Request,
    /// What the answer will be.
    Head,
    /// A piece of the answer.
    Data,
    /// The answer is whole.
    End,
    /// There is no answer, or no more of it.
    Refusal,
}

impl FrameKind {
    fn byte(self) -> u8 {
        match self {
            Self::Request => b'Q',
            Self::Head => b'H',
            Self::Data => b'D',
            Self::End => b'E',
            Self::Refusal => b'R',
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Request, Self::Head, Self::Data, Self::End, Self::Refusal].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Makes a frame's header.
pub fn header(kind: FrameKind, length: usize) -> io::Result<[u8; HEADER]> {
    let length = u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?.to_le_bytes();
    Ok([kind.byte(), length[0], length[1], length[2], length[3]])
}

/// Reads a frame's header: its kind and its length, when the length is not above a bound.
pub fn read_header(header: [u8; HEADER], most: usize) -> io::Result<(FrameKind, usize)> {
    let [kind, length @ ..] = header;
    let length = u32::from_le_bytes(length) as usize;
    match FrameKind::of(kind) {
        Some(kind) if length <= most => Ok((kind, length)),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes"))),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of the kind {kind}"))),
    }
}

/// Reads a frame, or nothing at the end of the stream.
pub(crate) fn read(input: &mut impl Read, most: usize) -> io::Result<Option<(FrameKind, Vec<u8>)>> {
    let mut header = [0; HEADER];
    let mut at = 0;
    while at < HEADER {
        match input.read(&mut header[at..])? {
            0 if at == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => at += count,
        }
    }
    let (kind, length) = read_header(header, most)?;
    let mut content = vec![0; length];
    input.read_exact(&mut content)?;
    Ok(Some((kind, content)))
}

/// Writes a frame.
pub(crate) fn write(output: &mut impl Write, kind: FrameKind, content: &[u8]) -> io::Result<()> {
    output.write_all(&header(kind, content.len())?)?;
    output.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(content in proptest::collection::vec(proptest::num::u8::ANY, 0..300), cut in 0_usize..300) {
            let mut stream = Vec::new();
            write(&mut stream, FrameKind::Data, &content).unwrap();
            write(&mut stream, FrameKind::End, b"").unwrap();
            let mut input = stream.as_slice();
            proptest::prop_assert_eq!(read(&mut input, 300).unwrap(), Some((FrameKind::Data, content.clone())));
            proptest::prop_assert_eq!(read(&mut input, 300).unwrap(), Some((FrameKind::End, Vec::new())));
            proptest::prop_assert_eq!(read(&mut input, 300).unwrap(), None);
            // What was cut short is an error, never a shorter frame.
            let first = &stream[..cut.min(content.len() + HEADER - 1)];
            proptest::prop_assert_eq!(read(&mut &first[..], 300).ok().flatten(), None);
        }

        #[test]
        fn any_bytes_are_read_within_the_bound(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            if let Ok(Some((_, content))) = read(&mut bytes.as_slice(), 32) {
                proptest::prop_assert!(content.len() <= 32);
            }
        }
    }
}
