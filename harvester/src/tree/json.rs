//! JSON and JSON Lines.

use std::collections::HashMap;
use std::io::BufRead;

use encoding_rs::Encoding;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::item::{Fault, Place};

use super::{DEEPEST, Take, Tree, at, text};

/// The most bytes of a line.
const LONGEST_LINE: usize = 10 << 20;

/// Reads a document whose trees are the document itself, the elements of an array, or those at one of `split`.
///
/// `split` are JSON pointers to arrays; the first that is there counts. A document that is an array needs none.
pub(crate) fn document(bytes: &[u8], charset: Option<&str>, file: &str, split: &[String], take: &mut Take<'_>) {
    let text = match text::decode(bytes, charset, file) {
        Ok(text) => text,
        Err(fault) => {
            let _ = take(Err(fault));
            return;
        }
    };
    // A raw value is passed over without going down into it, however deep it is.
    let whole: &RawValue = match serde_json::from_str(&text) {
        Ok(whole) => whole,
        Err(error) => {
            let _ = take(Err(syntax(&error, file, 0)));
            return;
        }
    };
    let split = split.iter().find_map(|pointer| Some((pointer.as_str(), descend(whole, pointer)?)));
    let (pointer, within) = split.unwrap_or(("", whole));
    if !within.get().starts_with('[') {
        let _ = take(tree(whole, &text, file, None, &mut (0, 1)));
        return;
    }
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(within.get()) else { return };
    let mut position = (0, 1);
    for (index, element) in elements.into_iter().enumerate() {
        let pointer = Some(format!("{pointer}/{index}"));
        if take(tree(element, &text, file, pointer, &mut position)).is_break() {
            return;
        }
    }
}

/// Reads one document as a value.
pub(crate) fn value(bytes: &[u8], charset: Option<&str>, file: &str) -> Result<Value, Fault> {
    let text = text::decode(bytes, charset, file)?;
    check_depth(text.as_bytes(), file)?;
    serde_json::from_str(&text).map_err(|error| syntax(&error, file, 0))
}

/// Reads a record a line; a line that is none is a fault, and the next is read.
pub(crate) fn lines(
    mut reader: impl BufRead,
    charset: Option<&'static Encoding>,
    file: &str,
    take: &mut Take<'_>,
) -> std::io::Result<()> {
    let mut number = 0;
    loop {
        let (mut line, mut length) = (Vec::new(), 0);
        loop {
            let buffer = reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            // Of a line that is too long no more is kept than shows that it is.
            if length <= LONGEST_LINE {
                line.extend_from_slice(&buffer[..taken]);
            }
            length += taken;
            reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if length == 0 {
            return Ok(());
        }
        number += 1;
        let result = if length > LONGEST_LINE {
            let message = format!("the line has {length} bytes, at most {LONGEST_LINE} are read");
            Err(Fault::new("limit.line", Place::line(file, number), message))
        } else {
            let bytes = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            // RFC 7464 puts a record separator before each text.
            let bytes = bytes.strip_prefix(b"\x1e").unwrap_or(bytes);
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // Without its end, so that a text that is cut is cut on this line.
            let bytes = bytes.trim_ascii_end();
            one_line(bytes, charset, file, number).map_err(|fault| fault.marked(bytes))
        };
        if take(result).is_break() {
            return Ok(());
        }
    }
}

fn one_line(bytes: &[u8], charset: Option<&'static Encoding>, file: &str, number: u64) -> Result<Tree, Fault> {
    let text = text::part(bytes, charset).map_err(|(offset, message)| {
        let place = Place { column: Some(offset as u64 + 1), ..Place::line(file, number) };
        Fault::new("text.charset", place, message)
    })?;
    check_depth(bytes, file).map_err(|mut fault| {
        fault.place.line = Some(number);
        fault
    })?;
    let value = serde_json::from_str(&text).map_err(|error| syntax(&error, file, number - 1))?;
    Ok(Tree::new(value, Place::line(file, number)))
}

fn tree(
    raw: &RawValue,
    text: &str,
    file: &str,
    pointer: Option<String>,
    position: &mut (usize, u64),
) -> Result<Tree, Fault> {
    // Elements come in the order of the text, so lines are counted once.
    let offset = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    if let Some(between) = text.as_bytes().get(position.0..offset) {
        position.1 += between.iter().filter(|byte| **byte == b'\n').count() as u64;
        position.0 = offset;
    }
    let place = Place { pointer, ..Place::line(file, position.1) };
    check_depth(raw.get().as_bytes(), file).map_err(|fault| Fault { place: place.clone(), ..fault })?;
    match serde_json::from_str(raw.get()) {
        Ok(value) => Ok(Tree::new(value, place)),
        Err(error) => Err(Fault::new("json.syntax", place, plain(&error))),
    }
}

fn descend<'a>(mut raw: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    for step in pointer.split('/').skip(1) {
        if !raw.get().starts_with('{') {
            return None;
        }
        let members: HashMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
        raw = members.get(step).copied()?;
    }
    raw.get().starts_with('[').then_some(raw)
}

fn syntax(error: &serde_json::Error, file: &str, lines_before: u64) -> Fault {
    let place = Place { column: Some(error.column() as u64), ..Place::line(file, error.line() as u64 + lines_before) };
    let code = if error.is_eof() { "json.cut" } else { "json.syntax" };
    Fault::new(code, place, plain(error))
}

fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    format!("it is not JSON: {text}")
}

/// Refuses what is nested too deeply before anything goes down into it.
pub(crate) fn check_depth(text: &[u8], file: &str) -> Result<(), Fault> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in text.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > DEEPEST {
                    let message = format!("it is nested more than {DEEPEST} deep");
                    return Err(Fault::new("limit.depth", at(file, text, offset), message));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Collects what a reader hands on, for tests.
#[cfg(test)]
pub(crate) fn collected(read: impl FnOnce(&mut Take<'_>)) -> Vec<Result<Tree, Fault>> {
    let mut all = Vec::new();
    read(&mut |result| {
        all.push(result);
        std::ops::ControlFlow::Continue(())
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_their_line_and_pointer() {
        let text = br#"{"n": 2, "items":
 [ {"a": 1},

   {"a": 2} ]}"#;
        let all = collected(|take| document(text, None, "f", &["/no".into(), "/items".into()], take));
        let places: Vec<_> = all.into_iter().map(|one| one.unwrap().place.to_string()).collect();
        assert_eq!(places, ["f:2#/items/0", "f:4#/items/1"]);
        let all = collected(|take| document(b"[1, 2]", None, "f", &[], take));
        assert_eq!(all.len(), 2);
        let all = collected(|take| document(br#"{"a": 1}"#, None, "f", &["/items".into()], take));
        assert_eq!(all[0].as_ref().unwrap().value["a"], 1);
    }

    #[test]
    fn faults_have_their_line_and_the_rest_goes_on() {
        let all =
            collected(|take| lines(&b"{\"a\":1}\n{\"a\"\n\n{\"a\":\"\xff\"}\n{\"a\":2}"[..], None, "f", take).unwrap());
        let shown: Vec<_> = all
            .iter()
            .map(|one| match one {
                Ok(tree) => format!("{} {}", tree.place, tree.value["a"]),
                Err(fault) => format!("{} {}", fault.place, fault.code),
            })
            .collect();
        assert_eq!(shown, ["f:1 1", "f:2:4 json.cut", "f:4:7 text.charset", "f:5 2"], "{all:?}");
        let all = collected(|take| document(b"{\n \"a\": nope }", None, "f", &[], take));
        assert_eq!(all[0].as_ref().unwrap_err().place.line, Some(2));
    }

    #[test]
    fn depth_is_refused_before_parsing() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let all = collected(|take| document(deep.as_bytes(), None, "f", &[], take));
        assert_eq!(all[0].as_ref().unwrap_err().code, "limit.depth");
        let among = format!("[{{\"a\": 1}},\n{deep},\n{{\"a\": 2}}]");
        let all = collected(|take| document(among.as_bytes(), None, "f", &[], take));
        let shown: Vec<_> = all.iter().map(|one| one.as_ref().map(|_| ()).map_err(|fault| fault.place.line)).collect();
        assert_eq!(shown, [Ok(()), Err(Some(2)), Ok(())]);
        assert!(check_depth(format!("\"{}\"", "[".repeat(1000)).as_bytes(), "f").is_ok());
    }
}
