//! YAML, a tree a document.
//!
//! It is read as PyYAML reads it, since that is what most files are written for; a duplicate key is a fault.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Number, Value};

use crate::item::{Fault, Place};

use super::{DEEPEST, Take, Tree, text};

/// The most values of a document, those that aliases repeat included.
const MOST_VALUES: usize = 1_000_000;
/// Where in what it was given the parser is.
static LINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r" at line \d+ column \d+").expect("the pattern is constant"));

/// Reads a stream of documents. A document that is no YAML is a fault, and the next one is read.
pub(crate) fn documents(bytes: &[u8], charset: Option<&str>, file: &str, take: &mut Take<'_>) {
    let text = match text::decode(bytes, charset, file) {
        Ok(text) => text,
        Err(fault) => {
            let _ = take(Err(fault));
            return;
        }
    };
    for (first_line, part) in parts(&text) {
        match document(part, file, first_line) {
            Ok(None) => {}
            Ok(Some(tree)) => {
                if take(Ok(tree)).is_break() {
                    return;
                }
            }
            Err(fault) => {
                if take(Err(fault)).is_break() {
                    return;
                }
            }
        }
    }
}

/// Parts a stream at its document markers, which stand at the beginning of a line whatever is open (YAML 1.2, 9.1.2).
fn parts(text: &str) -> Vec<(u64, &str)> {
    let (mut parts, mut begin, mut begin_line, mut offset) = (Vec::new(), 0, 1, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let is_marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if is_marker {
            // Directives such as `%YAML 1.2` belong to the document that they stand before.
            let before = &text[begin..offset];
            if !before.lines().all(|line| line.trim().is_empty() || line.starts_with(['%', '#'])) {
                parts.push((begin_line, before));
                begin = offset;
                begin_line = number as u64 + 1;
            }
        }
        offset += line.len();
    }
    parts.push((begin_line, &text[begin..]));
    parts
}

fn document(text: &str, file: &str, first_line: u64) -> Result<Option<Tree>, Fault> {
    let read = |error: &serde_yaml_ng::Error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line() as u64, place.column() as u64));
        let place = Place { column: Some(column), ..Place::line(file, first_line + line.saturating_sub(1)) };
        // Lines of a part of the file are nobody's.
        let message = error.to_string();
        let message = LINE.replace_all(&message, "");
        let code = match &message {
            message if message.contains("repetition") => "limit.values",
            message if message.contains("recursion") => "limit.depth",
            _ => "yaml.syntax",
        };
        Fault::new(code, place, format!("it is not YAML: {message}"))
    };
    let mut value: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).map_err(|error| read(&error))?;
    value.apply_merge().map_err(|error| read(&error))?;
    let place = || Place::line(file, first_line + begin(text));
    let mut count = 0;
    let value = plain(value, 0, &mut count).map_err(|(code, message)| Fault::new(code, place(), message))?;
    Ok(if value.is_null() { None } else { Some(Tree::new(value, place())) })
}

/// Returns how many lines stand before the first that says something.
fn begin(text: &str) -> u64 {
    let silent = |line: &&str| {
        let line = line.trim();
        line.is_empty() || line.starts_with(['#', '%']) || line == "---"
    };
    text.lines().take_while(silent).count() as u64
}

/// Makes a tree of a value. Aliases were repeated, so what is not large as written can be large.
fn plain(value: serde_yaml_ng::Value, depth: usize, count: &mut usize) -> Result<Value, (&'static str, String)> {
    use serde_yaml_ng::Value as Yaml;
    *count += 1;
    if *count > MOST_VALUES {
        return Err(("limit.values", format!("it has more than {MOST_VALUES} values, aliases included")));
    }
    if depth > DEEPEST {
        return Err(("limit.depth", format!("it is nested more than {DEEPEST} deep")));
    }
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(truth),
        Yaml::Number(number) => match (number.as_i64(), number.as_f64().and_then(Number::from_f64)) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(number)) => Value::Number(number),
            (None, None) => Value::String(number.to_string()),
        },
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(|item| plain(item, depth + 1, count)).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                let key = match plain(key, depth + 1, count)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                object.insert(key, plain(value, depth + 1, count)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => plain(tagged.value, depth, count)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::json::collected;
    use super::*;

    #[test]
    fn documents_are_apart_and_a_bad_one_does_not_spoil_the_rest() {
        let text = "a: 1\nb: [x, 'y', 2.5, 007, 2020-01-01]\n---\n a: [\n---\n# only a comment\n---\nc: &x {d: e}\nf:\n  <<: *x\n  g: yes\n";
        let all = collected(|take| documents(text.as_bytes(), None, "f", take));
        let shown: Vec<_> = all
            .iter()
            .map(|one| match one {
                Ok(tree) => format!("{} {}", tree.place.line.unwrap(), tree.value),
                Err(fault) => format!("{} {}", fault.place.line.unwrap(), fault.code),
            })
            .collect();
        assert_eq!(shown[0], r#"1 {"a":1,"b":["x","y",2.5,"007","2020-01-01"]}"#);
        assert!(shown[1].ends_with("yaml.syntax"), "{shown:?}");
        assert!(!all[1].as_ref().unwrap_err().message.contains("line"), "{all:?}");
        assert_eq!(shown[2], r#"8 {"c":{"d":"e"},"f":{"g":"yes","d":"e"}}"#);
        assert_eq!(shown.len(), 3);
    }

    #[test]
    fn aliases_cannot_multiply_without_end() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", ")));
        }
        let all = collected(|take| documents(text.as_bytes(), None, "f", take));
        assert_eq!(all[0].as_ref().unwrap_err().code, "limit.values");
        let deep = format!("{}x{}", "[".repeat(500), "]".repeat(500));
        let all = collected(|take| documents(deep.as_bytes(), None, "f", take));
        assert!(all[0].is_err());
    }
}
