//! Bytes to text, strictly: the declared character set is honoured, and what does not fit it is a fault with its place.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use crate::item::Fault;

use super::at;

/// Decodes a whole document. `declared` is the character set that the answer named; a byte order mark goes before it.
pub(crate) fn decode<'a>(bytes: &'a [u8], declared: Option<&str>, file: &str) -> Result<Cow<'a, str>, Fault> {
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, &bytes[length..]),
        None => match declared {
            Some(label) => {
                let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
                    let label: String = label.chars().take(40).collect();
                    Fault::new("text.charset", at(file, bytes, 0), format!("the character set `{label}` is not known"))
                })?;
                (encoding, bytes)
            }
            None => (UTF_8, bytes),
        },
    };
    let text = decoded(bytes, encoding).map_err(|offset| {
        let message = format!("there are bytes that are not {}", encoding.name());
        Fault::new("text.charset", at(file, bytes, offset), message)
    })?;
    match text.find('\0') {
        Some(offset) => Err(Fault::new("text.nul", at(file, text.as_bytes(), offset), "there is a NUL character")),
        None => Ok(text),
    }
}

/// Decodes bytes, or says where they stop being text.
///
/// What is UTF-8 is not taken for a set of single bytes: web servers declare one for whatever they send.
fn decoded<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Result<Cow<'a, str>, usize> {
    match std::str::from_utf8(bytes) {
        Ok(text) if encoding == UTF_8 || encoding.is_single_byte() => Ok(Cow::Borrowed(text)),
        Err(error) if encoding == UTF_8 => Err(error.valid_up_to()),
        _ => encoding.decode_without_bom_handling_and_without_replacement(bytes).ok_or(0),
    }
}

/// Decodes a part of a document, such as a line, which is a fault of its own when it is no text; `declared` is what
/// [`named`] returned for the document.
pub(crate) fn part<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Result<Cow<'a, str>, (usize, String)> {
    let encoding = declared.unwrap_or(UTF_8);
    let text = decoded(bytes, encoding)
        .map_err(|offset| (offset, format!("there are bytes that are not {}", encoding.name())))?;
    match text.find('\0') {
        Some(offset) => Err((offset, "there is a NUL character".to_owned())),
        None => Ok(text),
    }
}

/// Returns the character set of a document by how it begins and what the answer named.
pub(crate) fn named(begin: &[u8], declared: Option<&str>) -> Option<&'static Encoding> {
    let by_mark = Encoding::for_bom(begin).map(|(encoding, _)| encoding);
    by_mark.or_else(|| Encoding::for_label(declared?.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_character_set_is_honoured_and_never_guessed() {
        assert_eq!(decode(b"\xef\xbb\xbfa", None, "f").unwrap(), "a");
        assert_eq!(decode(b"\xff\xfea\0", None, "f").unwrap(), "a");
        assert_eq!(decode(b"caf\xe9", Some("iso-8859-1"), "f").unwrap(), "café");
        assert_eq!(decode("café".as_bytes(), Some("iso-8859-1"), "f").unwrap(), "café");
        let fault = decode(b"one\ncaf\xe9", None, "f").unwrap_err();
        assert_eq!((fault.code.as_str(), fault.place.line, fault.place.column), ("text.charset", Some(2), Some(4)));
        assert_eq!(decode(b"a\0b", None, "f").unwrap_err().code, "text.nul");
        assert_eq!(decode(b"a", Some("klingon"), "f").unwrap_err().code, "text.charset");
    }
}
