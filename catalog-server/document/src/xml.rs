//! XML, written element by element.

/// Writes elements; texts are escaped, and characters that XML 1.0 cannot hold are left out.
#[derive(Debug, Clone, Default)]
pub struct Xml {
    text: String,
    open: Vec<String>,
}

impl Xml {
    /// Begins a fragment.
    pub fn fragment() -> Self {
        Self::default()
    }

    /// Begins a document.
    pub fn document() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), open: Vec::new() }
    }

    /// Opens an element.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes);
        self.text.push('>');
        self.open.push(name.to_owned());
        self
    }

    /// Closes the element that was opened last.
    pub fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            self.text.push_str("</");
            self.text.push_str(&name);
            self.text.push('>');
        }
        self
    }

    /// Writes an element with text.
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> &mut Self {
        self.open(name, attributes);
        escape(text, &mut self.text);
        self.close()
    }

    /// Writes an element with nothing in it.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes);
        self.text.push_str("/>");
        self
    }

    /// Writes what is XML already.
    pub fn raw(&mut self, xml: &str) -> &mut Self {
        self.text.push_str(xml);
        self
    }

    /// Ends what is open and returns the text.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
    }
}

/// Adds a text for an element or a double-quoted attribute (XML 1.0, section 2.2 for what a document may hold).
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => out.push(c),
            _ => {}
        }
    }
}

/// Returns an RDF/XML document without its declaration, to stand inside another document.
pub fn inside(document: &str) -> &str {
    match document.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or(rest, |(_, rest)| rest.trim_start()),
        None => document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_text_ends_its_element(text in "\\PC{0,80}[\u{0}-\u{1f}]{0,3}") {
            let mut xml = Xml::document();
            xml.open("a", &[("b", &text)]).leaf("c", &[], &text);
            let written = xml.finish();
            proptest::prop_assert_eq!(written.matches('<').count(), 5);
            let whole = !written.contains('\u{0}') && written.ends_with("</c></a>");
            proptest::prop_assert!(whole);
        }
    }
}
