//! XML to a tree, in one general way.
//!
//! An element is an object: its attributes are `attr:` and their local name, its text without elements is `text`, and
//! its child elements are arrays under their local names, in order. Namespaces are not kept: what a document is, its
//! root says, whose object also has `element` (local name) and `namespace`. Nothing outside the document is read.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use crate::item::Fault;

use super::{at, text};

/// The deepest nesting of elements.
const DEEPEST: usize = 128;
/// The most attributes of an element.
const ATTRIBUTES: usize = 1000;
/// The most bytes of an attribute.
const LONGEST_ATTRIBUTE: usize = 1 << 20;

/// An element that is open.
struct Open {
    name: String,
    object: Map<String, Value>,
    text: String,
}

/// Reads a document; the charset is the one that the answer named, else the one that the document declares.
pub(crate) fn document(bytes: &[u8], charset: Option<&str>, file: &str) -> Result<Value, Fault> {
    parse(&decode(bytes, charset, file)?, file)
}

/// Decodes a document.
pub(crate) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>, file: &str) -> Result<Cow<'a, str>, Fault> {
    let declared = charset.map(str::to_owned).or_else(|| declared(bytes));
    text::decode(bytes, declared.as_deref(), file)
}

/// Reads what the XML declaration says about the character set.
pub(crate) fn declared(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(200)];
    let head = String::from_utf8_lossy(head);
    let declaration = head.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(value[1..].split(quote).next()?.to_ascii_lowercase())
}

/// Reads a document that is text already.
pub(crate) fn parse(text: &str, file: &str) -> Result<Value, Fault> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Value> = None;
    loop {
        let offset = reader.buffer_position() as usize;
        let fault = |code: &str, message: String| Fault::new(code, at(file, text.as_bytes(), offset), message);
        let syntax = |message: String| fault("xml.syntax", format!("it is not XML: {message}"));
        let event = reader.read_event().map_err(|error| {
            let offset = reader.error_position() as usize;
            let code = if text.len() <= offset + 1 { "xml.cut" } else { "xml.syntax" };
            Fault::new(code, at(file, text.as_bytes(), offset), format!("it is not XML: {error}"))
        })?;
        if matches!(event, Event::Start(_) | Event::Empty(_)) && open.is_empty() && root.is_some() {
            return Err(syntax("there is a second root element".to_owned()));
        }
        match event {
            Event::Start(start) => {
                if open.len() >= DEEPEST {
                    return Err(fault("limit.depth", format!("it is nested more than {DEEPEST} deep")));
                }
                open.push(element(&start, open.is_empty()).map_err(|(code, message)| fault(code, message))?);
            }
            Event::Empty(start) => {
                let element = element(&start, open.is_empty()).map_err(|(code, message)| fault(code, message))?;
                close(element, &mut open, &mut root);
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root);
                }
            }
            Event::Text(content) => {
                let content = content.unescape().map_err(|error| fault("xml.entity", error.to_string()))?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&content),
                    None if content.trim().is_empty() => {}
                    None => return Err(syntax("there is text outside the root element".to_owned())),
                }
            }
            Event::CData(content) => {
                let content = std::str::from_utf8(&content).map_err(|error| syntax(error.to_string()))?;
                if let Some(element) = open.last_mut() {
                    element.text.push_str(content);
                }
            }
            Event::DocType(_) => {
                return Err(fault("xml.doctype", "it has a DOCTYPE, which is not read from others".to_owned()));
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => break,
        }
    }
    let end = |code: &str, message: &str| Fault::new(code, at(file, text.as_bytes(), text.len()), message);
    if let Some(element) = open.last() {
        return Err(end("xml.cut", &format!("it ends within `{}`", element.name)));
    }
    root.ok_or_else(|| end("xml.cut", "it has no element"))
}

fn element(start: &BytesStart<'_>, is_root: bool) -> Result<Open, (&'static str, String)> {
    let syntax = |message: String| ("xml.syntax", format!("it is not XML: {message}"));
    let local = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let name = local(start.local_name().as_ref());
    let prefix = start.name().prefix().map(|prefix| local(prefix.as_ref()));
    let mut object = Map::new();
    if is_root {
        object.insert("element".to_owned(), Value::String(name.clone()));
    }
    for (count, attribute) in start.attributes().enumerate() {
        if count >= ATTRIBUTES {
            return Err(("limit.attributes", format!("`{name}` has more than {ATTRIBUTES} attributes")));
        }
        let attribute = attribute.map_err(|error| syntax(error.to_string()))?;
        if attribute.value.len() > LONGEST_ATTRIBUTE {
            return Err(("limit.attributes", format!("an attribute of `{name}` is too long")));
        }
        let value = attribute.unescape_value().map_err(|error| ("xml.entity", error.to_string()))?.into_owned();
        let key = attribute.key;
        if key.as_ref() == b"xmlns" || key.prefix().is_some_and(|prefix| prefix.as_ref() == b"xmlns") {
            let declares = if key.as_ref() == b"xmlns" { None } else { Some(local(key.local_name().as_ref())) };
            if is_root && declares == prefix {
                object.insert("namespace".to_owned(), Value::String(value));
            }
            continue;
        }
        object.insert(format!("attr:{}", local(key.local_name().as_ref())), Value::String(value));
    }
    Ok(Open { name, object, text: String::new() })
}

fn close(mut element: Open, open: &mut [Open], root: &mut Option<Value>) {
    let text = element.text.trim();
    if !text.is_empty() {
        element.object.insert("text".to_owned(), Value::String(text.to_owned()));
    }
    let value = Value::Object(element.object);
    match open.last_mut() {
        Some(parent) => match parent.object.entry(element.name).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(items) => items.push(value),
            // An element named `element`, `namespace` or `text` beside our own key of the root.
            other => *other = Value::Array(vec![other.take(), value]),
        },
        None => *root = Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_becomes_a_tree_in_the_same_way() {
        let text = r#"<?xml version="1.0"?><d:r xmlns:d="urn:d" xml:lang="en"><d:a k="v &amp; w">x<![CDATA[ <y>]]></d:a><d:a/></d:r>"#;
        let value = document(text.as_bytes(), None, "f").unwrap();
        assert_eq!(
            value,
            serde_json::json!({ "element": "r", "namespace": "urn:d", "attr:lang": "en",
                "a": [{ "attr:k": "v & w", "text": "x <y>" }, {}] })
        );
    }

    #[test]
    fn nothing_expands_and_nothing_is_fetched() {
        let code = |text: &str| document(text.as_bytes(), None, "f").unwrap_err().code;
        assert_eq!(code("<!DOCTYPE r [<!ENTITY a \"b\">]><r>&a;</r>"), "xml.doctype");
        assert_eq!(code("<!DOCTYPE r SYSTEM \"http://127.0.0.2/x.dtd\"><r/>"), "xml.doctype");
        assert_eq!(code("<r>&a;</r>"), "xml.entity");
        assert_eq!(code(&format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000))), "limit.depth");
        assert_eq!(code("<r><a></r>"), "xml.syntax");
        assert_eq!(code("<r><a>"), "xml.cut");
        assert_eq!(code(""), "xml.cut");
        assert_eq!(code("<r/><r/>"), "xml.syntax");
    }

    #[test]
    fn the_declared_character_set_is_honoured() {
        let text = b"<?xml version='1.0' encoding='ISO-8859-1'?><r>caf\xe9</r>";
        assert_eq!(document(text, None, "f").unwrap()["text"], "café");
        let fault = document(b"<r>\ncaf\xe9</r>", None, "f").unwrap_err();
        assert_eq!((fault.code.as_str(), fault.place.line), ("text.charset", Some(2)));
    }
}
