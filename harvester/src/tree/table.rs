//! Tables: a header of names, then a record a row.

use std::io::Read;

use serde_json::{Map, Value};

use crate::item::{Fault, Place};

use super::text::utf8;
use super::{Take, Tree};

/// The most bytes of a row; the limit of the header too.
const LONGEST_ROW: usize = 10 << 20;

/// Reads a table. Fields in quotes may hold separators and line breaks (RFC 4180); empty fields are absent.
pub(crate) fn rows(reader: impl Read, separator: u8, file: &str, take: &mut Take<'_>) -> std::io::Result<()> {
    let mut rows = csv::ReaderBuilder::new().delimiter(separator).flexible(true).has_headers(false).from_reader(reader);
    let mut row = csv::ByteRecord::new();
    let mut names: Option<Vec<String>> = None;
    loop {
        match rows.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) => return Err(error),
                other => {
                    let fault =
                        Fault::new("table.syntax", Place::file(file), format!("the table cannot be read: {other:?}"));
                    let _ = take(Err(fault));
                    return Ok(());
                }
            },
        }
        // The position is where the row before ended: blank lines in between are not counted as its beginning.
        let line = row.position().map_or(0, csv::Position::line);
        let result = match &names {
            None => match header(&row, file, line) {
                Ok(header) => {
                    names = Some(header);
                    continue;
                }
                // Without names no row means anything.
                Err(fault) => {
                    let _ = take(Err(fault));
                    return Ok(());
                }
            },
            Some(names) => record(&row, names, file, line).map_err(|fault| fault.marked(row.as_slice())),
        };
        if take(result).is_break() {
            return Ok(());
        }
    }
}

fn header(row: &csv::ByteRecord, file: &str, line: u64) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::new();
    for (index, field) in row.iter().enumerate() {
        let field = if index == 0 { field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field) } else { field };
        let name = utf8(field).map_err(|(_, message)| {
            Fault::new("text.charset", Place::line(file, line), format!("in the header {message}"))
        })?;
        let name = name.trim().to_owned();
        if !name.is_empty() && names.contains(&name) {
            let message = format!("two columns are named `{name}`");
            return Err(Fault::new("table.header", Place::line(file, line), message));
        }
        names.push(name);
    }
    Ok(names)
}

fn record(row: &csv::ByteRecord, names: &[String], file: &str, line: u64) -> Result<Tree, Fault> {
    let place = Place::line(file, line);
    let fault = |code: &str, message: String| Err(Fault::new(code, place.clone(), message));
    if row.len() != names.len() {
        return fault("table.fields", format!("the row has {} fields, the header has {}", row.len(), names.len()));
    }
    if row.as_slice().len() > LONGEST_ROW {
        return fault("limit.line", format!("the row has more than {LONGEST_ROW} bytes"));
    }
    let mut object = Map::new();
    for (name, field) in names.iter().zip(row.iter()) {
        match utf8(field) {
            Ok(text) if text.trim().is_empty() || name.is_empty() => {}
            Ok(text) => {
                object.insert(name.clone(), Value::String(text.trim().to_owned()));
            }
            Err((_, message)) => return fault("text.charset", format!("in `{name}` {message}")),
        }
    }
    Ok(Tree::new(Value::Object(object), place))
}

#[cfg(test)]
mod tests {
    use super::super::json::collected;
    use super::*;

    #[test]
    fn rows_with_line_breaks_are_one_row_and_short_rows_are_faults() {
        let text = b"\xef\xbb\xbfa\tb\n1\t\"x\ny\"\n2\n3\t\xff\n4\t\n";
        let all = collected(|take| rows(&text[..], b'\t', "f", take).unwrap());
        let shown: Vec<_> = all
            .iter()
            .map(|one| match one {
                Ok(tree) => format!("{} {}", tree.place, tree.value),
                Err(fault) => format!("{} {}", fault.place, fault.code),
            })
            .collect();
        assert_eq!(shown, [r#"f:2 {"a":"1","b":"x\ny"}"#, "f:4 table.fields", "f:5 text.charset", r#"f:6 {"a":"4"}"#]);
    }
}
