//! Tables: a header of names, then a record a row (RFC 4180).

use std::io::BufRead;

use encoding_rs::Encoding;
use serde_json::{Map, Value};

use crate::item::{Fault, Place};

use super::text::part;
use super::{Take, Tree};

/// The most bytes of a row; the limit of the header too.
const LONGEST_ROW: usize = 10 << 20;
/// What stands between the fields of a table; of several the first that is as frequent as any other counts.
const SEPARATORS: [u8; 3] = *b",;\t";

/// Reads a table. Fields in quotes may hold separators and line breaks; empty fields are absent.
///
/// Without a separator it is what the header has most of: spreadsheets write `;` where numbers have a comma.
pub(crate) fn rows(
    mut reader: impl BufRead,
    separator: Option<u8>,
    charset: Option<&'static Encoding>,
    file: &str,
    take: &mut Take<'_>,
) -> std::io::Result<()> {
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    let separator = match separator {
        Some(separator) => separator,
        None => most_frequent(reader.fill_buf()?),
    };
    let mut rows = Rows { reader, separator, line: 1, was_return: false };
    let Some(first) = rows.next()? else { return Ok(()) };
    let names = match header(&first, charset, file) {
        Ok(names) => names,
        // Without names no row means anything.
        Err(fault) => {
            let _ = take(Err(fault));
            return Ok(());
        }
    };
    while let Some(row) = rows.next()? {
        if take(record(&row, &names, charset, file).map_err(|fault| fault.marked(&row.bytes))).is_break() {
            break;
        }
    }
    Ok(())
}

/// Returns the separator of which the first line has most outside quotes.
fn most_frequent(begin: &[u8]) -> u8 {
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut is_quoted = false;
    for byte in begin.iter().skip_while(|byte| matches!(byte, b'\r' | b'\n')) {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\r' | b'\n' if !is_quoted => break,
            other if !is_quoted => {
                SEPARATORS.iter().position(|separator| separator == other).iter().for_each(|at| counts[*at] += 1);
            }
            _ => {}
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    SEPARATORS.into_iter().zip(counts).find(|(_, count)| *count == most).map_or(b',', |(separator, _)| separator)
}

/// The rows of a table, one after another.
struct Rows<R> {
    reader: R,
    separator: u8,
    /// The line of the byte that is read next.
    line: u64,
    /// Whether the byte before was a carriage return, with which a line feed is one line break.
    was_return: bool,
}

/// A row, without its quotes.
#[derive(Default)]
struct Row {
    line: u64,
    bytes: Vec<u8>,
    /// Where each field ends.
    ends: Vec<usize>,
    /// How many bytes it has in the file.
    length: usize,
    at: At,
    /// Whether something stands behind a closing quote: nobody knows what belongs to which field, or which row.
    is_mixed: bool,
}

/// Where in a field a row is.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Begin,
    Plain,
    Quoted,
    /// Behind a quote within quotes, which closes them unless another follows.
    Closing,
}

impl Row {
    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[begin..*end])
    }

    fn push(&mut self, byte: u8, at: At) {
        // Of a row that is too long no more is kept than shows that it is.
        if self.length <= LONGEST_ROW {
            self.bytes.push(byte);
        }
        self.at = at;
    }

    fn end_field(&mut self) {
        if self.length <= LONGEST_ROW {
            self.ends.push(self.bytes.len());
        }
        self.at = At::Begin;
    }
}

impl<R: BufRead> Rows<R> {
    /// Reads the next row that is not blank.
    fn next(&mut self) -> std::io::Result<Option<Row>> {
        let mut row = Row { line: self.line, ..Row::default() };
        loop {
            let (separator, line, was_return) = (self.separator, &mut self.line, &mut self.was_return);
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                if row.length == 0 {
                    return Ok(None);
                }
                // Quotes that are still open stay visible.
                let at = row.at;
                row.end_field();
                return Ok(Some(Row { at, ..row }));
            }
            let end = buffer.iter().position(|byte| {
                let byte = *byte;
                if byte == b'\r' || byte == b'\n' && !*was_return {
                    *line += 1;
                }
                *was_return = byte == b'\r';
                let is_break = matches!(byte, b'\r' | b'\n') && row.at != At::Quoted;
                if is_break && row.length == 0 {
                    row.line = *line;
                    return false;
                }
                row.length += 1;
                match (row.at, byte) {
                    (At::Quoted, b'"') => row.at = At::Closing,
                    (At::Quoted, byte) => row.push(byte, At::Quoted),
                    (At::Closing, b'"') => row.push(byte, At::Quoted),
                    _ if is_break || byte == separator => row.end_field(),
                    (At::Begin, b'"') => row.at = At::Quoted,
                    (at, byte) => {
                        row.is_mixed |= at == At::Closing;
                        row.push(byte, At::Plain);
                    }
                }
                is_break
            });
            let taken = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(Some(row));
            }
        }
    }
}

fn header(row: &Row, charset: Option<&'static Encoding>, file: &str) -> Result<Vec<String>, Fault> {
    let fault = |code: &str, message: String| Fault::new(code, Place::line(file, row.line), message);
    let mut names: Vec<String> = Vec::new();
    check(row, &fault)?;
    for field in row.fields() {
        let name =
            part(field, charset).map_err(|(_, message)| fault("text.charset", format!("in the header {message}")))?;
        let name = name.trim().to_owned();
        if !name.is_empty() && names.contains(&name) {
            return Err(fault("table.header", format!("two columns are named `{name}`")));
        }
        names.push(name);
    }
    Ok(names)
}

fn record(row: &Row, names: &[String], charset: Option<&'static Encoding>, file: &str) -> Result<Tree, Fault> {
    let place = Place::line(file, row.line);
    let fault = |code: &str, message: String| Fault::new(code, place.clone(), message);
    check(row, &fault)?;
    if row.ends.len() != names.len() {
        let message = format!("the row has {} fields, the header has {}", row.ends.len(), names.len());
        return Err(fault("table.fields", message));
    }
    let mut object = Map::new();
    for (name, field) in names.iter().zip(row.fields()) {
        let text =
            part(field, charset).map_err(|(_, message)| fault("text.charset", format!("in `{name}` {message}")))?;
        if !text.trim().is_empty() && !name.is_empty() {
            object.insert(name.clone(), Value::String(text.trim().to_owned()));
        }
    }
    Ok(Tree::new(Value::Object(object), place))
}

/// Refuses a row that is too long, or whose quotes leave open what belongs to it.
fn check(row: &Row, fault: &dyn Fn(&str, String) -> Fault) -> Result<(), Fault> {
    if row.length > LONGEST_ROW {
        return Err(fault("limit.line", format!("the row has more than {LONGEST_ROW} bytes")));
    }
    if row.at == At::Quoted {
        return Err(fault(
            "table.syntax",
            "a quote that opens in it is not closed; what follows it is not read".into(),
        ));
    }
    if row.is_mixed {
        return Err(fault("table.syntax", "a quote in it is neither doubled nor at the end of its field".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::json::collected;
    use super::*;

    fn shown(text: &[u8], separator: Option<u8>, charset: Option<&'static Encoding>) -> Vec<String> {
        collected(|take| rows(text, separator, charset, "f", take).unwrap())
            .iter()
            .map(|one| match one {
                Ok(tree) => format!("{} {}", tree.place, tree.value),
                Err(fault) => format!("{} {}", fault.place, fault.code),
            })
            .collect()
    }

    #[test]
    fn rows_with_line_breaks_are_one_row_and_short_rows_are_faults() {
        let text = b"\xef\xbb\xbfa\tb\n1\t\"x\ny\"\n2\n3\t\xff\n4\t\n";
        assert_eq!(
            shown(text, Some(b'\t'), None),
            [r#"f:2 {"a":"1","b":"x\ny"}"#, "f:4 table.fields", "f:5 text.charset", r#"f:6 {"a":"4"}"#]
        );
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["\"a\",b", "1,x", "", "\"2\",\"y", "z\"", "3,\"\"\"q\"\"\""].join(end) + end;
            let expected = [
                r#"f:2 {"a":"1","b":"x"}"#.to_owned(),
                format!("f:4 {}", serde_json::json!({ "a": "2", "b": format!("y{end}z") })),
                r#"f:6 {"a":"3","b":"\"q\""}"#.to_owned(),
            ];
            assert_eq!(shown(text.as_bytes(), None, None), expected, "{end:?}");
        }
    }

    #[test]
    fn quotes_that_do_not_close_take_no_row_for_another() {
        assert_eq!(shown(b"a,b\n1,\"x\n2,y\n3,z\n", None, None), ["f:2 table.syntax"]);
        let all = shown(b"a,b\n1,\"x\n2,\"y\"\n3,5\" disk\n", None, None);
        assert_eq!(all, ["f:2 table.syntax", r#"f:4 {"a":"3","b":"5\" disk"}"#]);
        let long = [b"a,b\n1,\"".as_slice(), &vec![b'x'; LONGEST_ROW + 9], b"\"\n2,y\n"].concat();
        assert_eq!(shown(&long, None, None), ["f:2 limit.line", r#"f:3 {"a":"2","b":"y"}"#]);
    }

    #[test]
    fn the_header_says_what_separates_fields() {
        for text in ["a;b\n1;x, y\n", "a\tb\n1\tx, y\n", "\"a,b,c\";b\n1;x, y\n", "\n\na;b\n1;x, y\n"] {
            assert!(shown(text.as_bytes(), None, None)[0].ends_with(r#""b":"x, y"}"#), "{text}");
        }
    }

    #[test]
    fn a_declared_character_set_is_honoured_where_it_is_no_utf_8() {
        let latin = Some(encoding_rs::WINDOWS_1252);
        let text = "a,b\n1,café\n".as_bytes();
        assert_eq!(shown(text, None, latin), [r#"f:2 {"a":"1","b":"café"}"#]);
        assert_eq!(shown(b"a,b\n1,caf\xe9\n", None, latin), [r#"f:2 {"a":"1","b":"café"}"#]);
    }
}
