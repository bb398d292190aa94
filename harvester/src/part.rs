//! What OAI-PMH wraps, as documents of their own.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Where the metadata of a record is.
const PATH: [&str; 4] = ["OAI-PMH", "ListRecords", "record", "metadata"];

/// Returns the metadata of every record of a list, as written, with the namespaces that are declared around it; nothing
/// for a record without.
pub(crate) fn metadata(document: &str) -> Vec<Option<String>> {
    let mut reader = Reader::from_str(document);
    let (mut open, mut parts) = (Vec::<Element>::new(), Vec::<Option<String>>::new());
    loop {
        let begin = reader.buffer_position() as usize;
        let Ok(event) = reader.read_event() else { return parts };
        let end = reader.buffer_position() as usize;
        let is_empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                open.push(Element::new(&start, begin));
                if is_at(&open, &PATH[..3]) {
                    parts.push(None);
                }
                if !is_empty {
                    continue;
                }
            }
            Event::End(_) => {}
            Event::Eof => return parts,
            _ => continue,
        }
        let Some(element) = open.pop() else { return parts };
        if let (true, Some(part)) = (is_at(&open, &PATH), parts.last_mut()) {
            part.get_or_insert_with(|| element.written(&document[element.begin..end], &open));
        }
    }
}

fn is_at(open: &[Element], path: &[&str]) -> bool {
    open.len() == path.len() && open.iter().zip(path).all(|(element, name)| element.name == *name)
}

/// An element that is open.
struct Element {
    name: String,
    begin: usize,
    /// Where its attributes would stand, from its beginning.
    attributes: usize,
    /// The namespaces that it declares, as written.
    namespaces: BTreeMap<String, String>,
}

impl Element {
    fn new(start: &BytesStart<'_>, begin: usize) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let namespaces = start.attributes().flatten();
        let namespaces = namespaces.map(|attribute| (text(attribute.key.as_ref()), text(&attribute.value)));
        Self {
            name: text(start.local_name().as_ref()),
            begin,
            attributes: 1 + start.name().as_ref().len(),
            namespaces: namespaces.filter(|(name, _)| name == "xmlns" || name.starts_with("xmlns:")).collect(),
        }
    }

    /// Returns the element as a document, with the namespaces of what is around it.
    fn written(&self, text: &str, around: &[Self]) -> String {
        let mut inherited = BTreeMap::new();
        around.iter().for_each(|outer| inherited.extend(&outer.namespaces));
        inherited.retain(|name, _| !self.namespaces.contains_key(*name));
        let (tag, rest) = text.split_at(self.attributes);
        let mut written = tag.to_owned();
        for (name, value) in inherited {
            written.push_str(&format!(" {name}=\"{}\"", value.replace('"', "&quot;")));
        }
        written + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_documents_of_their_own_however_they_are_wrapped() {
        let text = "<?xml version='1.0'?><o:OAI-PMH xmlns:o='urn:o' xmlns:r='urn:r'><o:ListRecords xmlns='urn:d'>\
            <o:record><o:header/><o:metadata><r:RDF xmlns='urn:e'><a>é</a></r:RDF></o:metadata></o:record>\
            <o:record><o:header status='deleted'/></o:record>\
            <o:record><o:metadata><!-- x --><r:RDF/><r:RDF/></o:metadata><o:about><r:RDF/></o:about></o:record>\
            </o:ListRecords></o:OAI-PMH>";
        assert_eq!(
            metadata(text),
            [
                Some("<r:RDF xmlns:o=\"urn:o\" xmlns:r=\"urn:r\" xmlns='urn:e'><a>é</a></r:RDF>".to_owned()),
                None,
                Some("<r:RDF xmlns=\"urn:d\" xmlns:o=\"urn:o\" xmlns:r=\"urn:r\"/>".to_owned()),
            ]
        );
        assert_eq!(metadata("<OAI-PMH><ListRecords><record><metadata><a>"), [None]);
    }
}
