//! A YAML or JSON document as a tree in which every value knows its place.

use granit_parser::{Event, Marker, Parser, ScalarStyle};

/// How deep a document may be.
const MAX_DEPTH: usize = 64;

/// How many values a document may hold.
const MAX_NODES: usize = 20_000;

/// A place in a file, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<Marker> for Place {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A number as it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the document.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) at: Place,
    pub(crate) name: String,
}

/// Why a document is no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: Place,
    pub(crate) message: String,
}

impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.map()?.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// Returns a name for its kind, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// What is open while a document is read.
enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<(Key, Node)>, Option<Key>),
}

/// Reads one document. JSON is YAML, so both are read alike.
pub(crate) fn parse(text: &str) -> Result<Node, Broken> {
    let mut open: Vec<Open> = Vec::new();
    let (mut count, mut root) = (0, None);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Broken { at: (*error.marker()).into(), message: error.info() })?;
        let at: Place = span.start.into();
        let fail = |message: &str| Err(Broken { at, message: message.to_owned() });
        count += 1;
        if count > MAX_NODES {
            return fail("the document is too large");
        }
        let finished = match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return fail("aliases are not read; write the value again");
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(at, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(at, Vec::new(), None));
                None
            }
            Event::Scalar(text, style, ..) => Some(Node { at, value: scalar(&text, style == ScalarStyle::Plain) }),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(at, items)) => Some(Node { at, value: Value::List(items) }),
                Some(Open::Map(at, entries, _)) => Some(Node { at, value: Value::Map(entries) }),
                None => None,
            },
            _ => None,
        };
        if open.len() > MAX_DEPTH {
            return fail("the document is nested too deeply");
        }
        let Some(node) = finished else { continue };
        match open.last_mut() {
            None if root.is_some() => return fail("a file holds one document"),
            None => root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match key.take() {
                Some(key) => {
                    if entries.iter().any(|(known, _)| known.name == key.name) {
                        let message = format!("the field `{}` is there twice", key.name);
                        return Err(Broken { at: key.at, message });
                    }
                    entries.push((key, node));
                }
                None => match node.value {
                    Value::Text(name) | Value::Number(name) => *key = Some(Key { at: node.at, name }),
                    Value::Bool(word) => *key = Some(Key { at: node.at, name: word.to_string() }),
                    Value::Null => *key = Some(Key { at: node.at, name: "null".to_owned() }),
                    _ => return fail("the name of a field is a text"),
                },
            },
        }
    }
    root.ok_or(Broken { at: Place { line: 1, column: 1 }, message: "the file is empty".to_owned() })
}

/// Reads a scalar by the core schema of YAML 1.2.
fn scalar(text: &str, plain: bool) -> Value {
    if !plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_become_the_same_tree_with_places() {
        let yaml = parse("a: 1\nb:\n  - x\n  - 'true'\nc: ~\n").unwrap();
        let json = parse("{\"a\": 1, \"b\": [\"x\", \"true\"], \"c\": null}").unwrap();
        let names = |node: &Node| node.map().unwrap().iter().map(|(key, _)| key.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&yaml), names(&json));
        assert_eq!(yaml.get("a").unwrap().value, Value::Number("1".to_owned()));
        assert_eq!(yaml.get("b").unwrap().list().unwrap()[1].text(), Some("true"));
        assert_eq!(yaml.get("b").unwrap().list().unwrap()[1].at, Place { line: 4, column: 5 });
        assert_eq!(yaml.get("c").unwrap().value, Value::Null);
    }

    #[test]
    fn what_is_no_tree_or_no_good_is_refused_with_its_place() {
        let line = |text: &str| parse(text).unwrap_err().at.line;
        assert_eq!(line("a: 1\na: 2\n"), 2);
        assert_eq!(line("a: &x 1\nb: *x\n"), 2);
        assert!(line("a:\n  - [1\n") >= 2);
        assert_eq!(line(""), 1);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(&deep).is_err());
        let wide = format!("[{}]", "1,".repeat(MAX_NODES));
        assert_eq!(parse(&wide).unwrap_err().message, "the document is too large");
    }
}
