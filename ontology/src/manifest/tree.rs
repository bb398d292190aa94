//! JSON with positions: every value knows where it stands, so that a finding can point at a line and a column.

/// The text of a manifest and its parsed value.
#[derive(Debug, Clone)]
pub struct Tree<'a> {
    pub(crate) text: &'a str,
    pub(crate) root: Node<'a>,
    pub(crate) duplicates: Vec<Duplicate>,
}

/// A key that an object holds a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub(crate) offset: u32,
    pub(crate) pointer: String,
    pub(crate) key: String,
}

/// A value and the byte offset at which it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'a> {
    /// The offset in bytes; `u32` because a manifest is at most 10 MiB.
    pub offset: u32,
    /// The value.
    pub value: Json<'a>,
}

/// A JSON value; numbers keep their text, so `2.50` is still exact when it becomes a decimal.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number as it is written.
    Number(std::borrow::Cow<'a, str>),
    /// A string without its escapes.
    String(std::borrow::Cow<'a, str>),
    /// An array.
    Array(Vec<Node<'a>>),
    /// An object; its members in their order, doubled keys included.
    Object(Vec<Member<'a>>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member<'a> {
    /// The key without its escapes.
    pub key: std::borrow::Cow<'a, str>,
    /// The byte offset of the key.
    pub offset: u32,
    /// The value.
    pub value: Node<'a>,
}

impl<'a> Tree<'a> {
    /// Returns the value of the whole file.
    pub fn root(&self) -> &Node<'a> {
        &self.root
    }

    /// Returns line and column of a byte offset, both from 1, the column in characters.
    pub fn position(&self, offset: u32) -> (u32, u32) {
        position(self.text, offset as usize)
    }

    /// Returns the value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Node<'a>> {
        let mut node = &self.root;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            node = match &node.value {
                Json::Object(members) => &members.iter().find(|member| member.key == part)?.value,
                Json::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(node)
    }
}

impl<'a> Node<'a> {
    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the members of an object.
    pub fn as_object(&self) -> Option<&[Member<'a>]> {
        match &self.value {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the value of a key of an object.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.as_object()?.iter().find(|member| member.key == key).map(|member| &member.value)
    }

    /// Says in words what kind of value it is.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Json::Null => "null",
            Json::Boolean(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }

    /// Returns the value as a short text for a finding.
    pub(crate) fn shown(&self) -> String {
        match &self.value {
            Json::Null => "null".to_owned(),
            Json::Boolean(value) => value.to_string(),
            Json::Number(text) | Json::String(text) => text.chars().take(160).collect(),
            Json::Array(items) => format!("an array of {}", items.len()),
            Json::Object(members) => {
                let keys: Vec<_> = members.iter().take(6).map(|member| cut(&member.key, 30)).collect();
                format!("an object with {}", if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") })
            }
        }
    }

    /// Converts into a `serde_json` value, without positions.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.value {
            Json::Null => Value::Null,
            Json::Boolean(value) => Value::Bool(*value),
            // A number out of range of `serde_json` becomes its text, so nothing is lost or made infinite.
            Json::Number(text) => match text.parse::<i64>() {
                Ok(whole) => Value::from(whole),
                Err(_) => text
                    .parse::<f64>()
                    .ok()
                    .and_then(serde_json::Number::from_f64)
                    .map_or_else(|| Value::String(text.to_string()), Value::Number),
            },
            Json::String(text) => Value::String(text.to_string()),
            Json::Array(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Json::Object(members) => {
                Value::Object(members.iter().map(|member| (member.key.to_string(), member.value.to_json())).collect())
            }
        }
    }

    /// Converts from a `serde_json` value; every position is 0.
    pub fn from_json(value: &'a serde_json::Value) -> Self {
        use serde_json::Value;
        let value = match value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Boolean(*value),
            Value::Number(number) => Json::Number(number.to_string().into()),
            Value::String(text) => Json::String(text.as_str().into()),
            Value::Array(items) => Json::Array(items.iter().map(Self::from_json).collect()),
            Value::Object(map) => Json::Object(
                map.iter()
                    .map(|(key, value)| Member { key: key.as_str().into(), offset: 0, value: Self::from_json(value) })
                    .collect(),
            ),
        };
        Self { offset: 0, value }
    }
}

/// Returns at most `most` characters of a text.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().take(most).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Returns line and column of a byte offset, both from 1, the column in characters.
pub(crate) fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line as u32, before[start..].chars().count() as u32 + 1)
}

/// Appends one step to a JSON pointer.
pub(crate) fn push_pointer(pointer: &mut String, part: &str) {
    pointer.push('/');
    for character in part.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}
