//! Reads HTML as strictly as our own pages are written: every attribute quoted, every element closed.

#![allow(unreachable_pub, reason = "each test binary has it as a module")]

/// Elements that have no end tag.
const VOID: [&str; 6] = ["br", "hr", "input", "link", "meta", "img"];

/// One element as it was opened.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// Names of the elements around it, outermost first.
    pub around: Vec<String>,
    /// The text and markup up to its end tag, for `script` only.
    pub raw: String,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Returns every element in document order, or says what is wrong.
pub fn read(html: &str) -> Result<Vec<Element>, String> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").ok_or("no doctype")?;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(tail) = rest.strip_prefix('/') {
            let end = tail.find('>').ok_or("an end tag without an end")?;
            let name = &tail[..end];
            let expected = open.pop();
            if expected.as_deref() != Some(name) {
                return Err(format!("</{name}> where </{expected:?}> is due"));
            }
            rest = &tail[end + 1..];
            continue;
        }
        let (mut element, self_closed, tail) = tag(rest)?;
        element.around.clone_from(&open);
        rest = tail;
        if element.name == "script" {
            let end = rest.find("</script>").ok_or("a script without an end")?;
            element.raw = rest[..end].to_owned();
            rest = &rest[end + "</script>".len()..];
        } else if !self_closed && !VOID.contains(&element.name.as_str()) {
            open.push(element.name.clone());
        }
        elements.push(element);
    }
    if open.is_empty() { Ok(elements) } else { Err(format!("never closed: {open:?}")) }
}

fn tag(text: &str) -> Result<(Element, bool, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).ok_or("a tag without an end")?;
    let name = text[..end].to_owned();
    if name.is_empty() {
        return Err(format!("`<` before {:?}", text.chars().take(20).collect::<String>()));
    }
    let mut element = Element { name, attributes: Vec::new(), around: Vec::new(), raw: String::new() };
    let mut rest = text[end..].trim_start();
    loop {
        if let Some(tail) = rest.strip_prefix('>') {
            return Ok((element, false, tail));
        }
        if let Some(tail) = rest.strip_prefix("/>") {
            return Ok((element, true, tail));
        }
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == ':'))
            .filter(|end| *end > 0)
            .ok_or_else(|| format!("in <{}>: {:?}", element.name, rest.chars().take(20).collect::<String>()))?;
        let key = rest[..end].to_owned();
        rest = &rest[end..];
        let value = match rest.strip_prefix("=\"") {
            Some(tail) => {
                let end = tail.find('"').ok_or("an attribute without an end")?;
                rest = &tail[end + 1..];
                unescape(&tail[..end])
            }
            None if rest.starts_with('=') => return Err(format!("{key} of <{}> is not quoted", element.name)),
            None => String::new(),
        };
        if element.attributes.iter().any(|(known, _)| *known == key) {
            return Err(format!("{key} of <{}> twice", element.name));
        }
        element.attributes.push((key, value));
        rest = rest.trim_start();
    }
}

/// Returns a text without its character references.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}
