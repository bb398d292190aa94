//! The extended headers of POSIX tar: records of a length, a key and a value.

use std::collections::HashSet;

use catalog_schemas::problem::Finding;

use crate::fault::Fault;

/// The most records of an extended header: writers put one for each time, owner and attribute.
const MOST_KEYS: usize = 256;

/// What an extended header says that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extended {
    /// The next entry's name.
    pub(crate) path: Option<Vec<u8>>,
    /// The next entry's size.
    pub(crate) size: Option<u64>,
    /// Whether it says nothing but a comment, as `git archive` writes.
    pub(crate) comment_only: bool,
}

/// Reads an extended header; keys that change what an entry is are refused, keys of its times and owners pass.
pub(crate) fn parse(mut bytes: &[u8]) -> Result<Extended, Finding> {
    let mut extended = Extended { comment_only: true, ..Extended::default() };
    let mut keys = HashSet::new();
    while !bytes.is_empty() {
        let (key, value, rest) = record(bytes).ok_or_else(|| malformed("it has a malformed record"))?;
        bytes = rest;
        if keys.len() == MOST_KEYS {
            return Err(malformed("it has too many records"));
        }
        if !keys.insert(key) {
            return Err(malformed(&format!("it has {} twice", crate::fault::shown(key))));
        }
        extended.comment_only &= key == "comment";
        match key {
            "path" => extended.path = Some(value.to_vec()),
            "size" => {
                let size = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                extended.size = Some(size.ok_or_else(|| malformed("its size is not a number"))?);
            }
            "mtime" | "atime" | "ctime" | "uid" | "gid" | "uname" | "gname" | "comment" => {}
            // A link is refused by its kind, with a better message.
            "linkpath" => {}
            "charset" | "hdrcharset" if value == b"ISO-IR 10646 2000 UTF-8" => {}
            "SCHILY.realsize" => return Err(sparse()),
            _ if key.starts_with("GNU.sparse.") => return Err(sparse()),
            _ if ["SCHILY.", "LIBARCHIVE.", "MSWINDOWS.", "RHT."].iter().any(|vendor| key.starts_with(vendor)) => {}
            _ => return Err(malformed(&format!("it has the key {}", crate::fault::shown(key)))),
        }
    }
    Ok(extended)
}

fn sparse() -> Finding {
    Fault::Sparse.finding("an extended tar header makes the next entry a sparse file")
}

fn malformed(why: &str) -> Finding {
    Fault::ExtendedHeader.finding(format!("an extended tar header cannot be read: {why}"))
}

/// Splits `LENGTH KEY=VALUE\n` from the rest; the length counts the whole record.
fn record(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = bytes.iter().take(8).position(|&byte| byte == b' ')?;
    let digits = &bytes[..space];
    if digits.is_empty() || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&byte| byte == b'=')?;
    let key = str::from_utf8(&body[..equals]).ok()?;
    Some((key, &body[equals + 1..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_strictly() {
        assert_eq!(parse(b"13 path=a/b\n\n13 mtime=1.5\n").map(|extended| extended.path), Ok(Some(b"a/b\n".to_vec())));
        assert_eq!(parse(b"10 size=7\n").map(|extended| extended.size), Ok(Some(7)));
        assert_eq!(parse(b"16 comment=abc\n\n").map(|extended| extended.comment_only), Ok(true));
        for bad in [
            &b"12 path=a/b\n\n"[..],
            b"99 path=a\n",
            b"010 path=a\n",
            b"9 path=a",
            b" path=a\n",
            b"10 size=x\n",
            b"10 path=a\n10 path=b\n",
            b"16 GNU.dumpdir=\n",
            b"9 nonsense\n",
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
