//! What XML 1.0 can hold of a text that anybody may have written.

use std::io::{self, Write};

/// What stands for a character that XML 1.0 cannot hold: U+FFFD.
const UNKNOWN: &[u8] = "\u{fffd}".as_bytes();

/// Passes XML on in which every character is one that XML 1.0 allows (section 2.2): one that is not becomes U+FFFD, so that a
/// document stays well-formed whatever a record holds; a carriage return is written so that a reader does not make it a new
/// line (section 2.11).
///
/// It takes UTF-8 in pieces of any length, from a writer that has escaped markup already.
#[derive(Debug)]
pub struct LegibleXml<W> {
    sink: W,
    /// The beginning of a character of three bytes that may be U+FFFE or U+FFFF.
    held: &'static [u8],
}

impl<W: Write> LegibleXml<W> {
    /// Begins.
    pub fn new(sink: W) -> Self {
        Self { sink, held: b"" }
    }

    /// Ends, and returns what was written to.
    pub fn into_inner(self) -> W {
        self.sink
    }
}

impl<W: Write> Write for LegibleXml<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let is_plain = |byte: &u8| *byte >= 0x20 && *byte != 0xef || matches!(byte, b'\t' | b'\n');
        if self.held.is_empty() && piece.iter().all(is_plain) {
            self.sink.write_all(piece)?;
            return Ok(piece.len());
        }
        let mut legible = Vec::with_capacity(piece.len() + 16);
        for byte in piece {
            match (self.held, byte) {
                (b"\xef", 0xbf) => {
                    self.held = b"\xef\xbf";
                    continue;
                }
                (b"\xef\xbf", 0xbe | 0xbf) => {
                    legible.extend(UNKNOWN);
                    self.held = b"";
                    continue;
                }
                (held, _) => legible.extend(held),
            }
            self.held = b"";
            match byte {
                0xef => self.held = b"\xef",
                b'\r' => legible.extend(b"&#13;"),
                byte if is_plain(byte) => legible.push(*byte),
                _ => legible.extend(UNKNOWN),
            }
        }
        self.sink.write_all(&legible)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced_wherever_the_pieces_end() {
        let text = "a\u{0}b\u{1}\u{1f}\u{7f}\t\n\r\u{85}\u{fffe}\u{ffff}\u{fffd}\u{ff21}\u{feff}\u{d7ff}\u{10ffff}é";
        let legible = "a\u{fffd}b\u{fffd}\u{fffd}\u{7f}\t\n&#13;\u{85}\u{fffd}\u{fffd}\u{fffd}\u{ff21}\u{feff}\u{d7ff}\u{10ffff}é";
        for length in 1..=text.len() {
            let mut writer = LegibleXml::new(Vec::new());
            text.as_bytes().chunks(length).for_each(|piece| writer.write_all(piece).unwrap());
            assert_eq!(String::from_utf8(writer.into_inner()).unwrap(), legible, "in pieces of {length}");
        }
    }
}
