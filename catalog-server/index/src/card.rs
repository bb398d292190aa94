//! What is kept of a record to be shown: the JSON of its hit, cut where an answer puts something in, and the text from
//! which passages are taken. An answer copies it and parses nothing.

use std::borrow::Cow;
use std::ops::Range;

use catalog_schemas::search::Hit;
use tantivy::schema::Field;
use tantivy::schema::document::{
    DeserializeError, DocumentDeserialize, DocumentDeserializer, ValueDeserialize, ValueDeserializer,
};
use tantivy::{DocAddress, Searcher};

use crate::text::Language;

/// How the JSON of a hit begins; its IRI is put in.
const BEGINNING: &str = r#"{"iri":"""#;

/// Before what follows the highlight. Inside a JSON string these quotes would be escaped.
const AFTER_HIGHLIGHT: &str = r#","facts":["#;

/// Before the text in which a highlight is looked for first.
const BEFORE_SUMMARY: &str = r#","abstract":"#;

/// How many parts a card has.
const PARTS: usize = 8;

/// The size of the numbers before them.
const HEADER: usize = PARTS * size_of::<u32>();

/// The parts, in the order in which they lie.
#[derive(Clone, Copy)]
enum Part {
    Iri,
    Zone,
    Identifier,
    /// The JSON after the IRI, up to the summary.
    Head,
    /// The summary as a JSON string.
    Summary,
    /// The JSON after the summary, up to where a highlight goes.
    Middle,
    /// The JSON after that.
    Tail,
    /// The language of the summary, and running text in it.
    Passage,
}

/// A card as it was read.
#[derive(Debug)]
pub(crate) struct Card(Vec<u8>);

/// Returns the bytes that are kept of a hit, and of the text for its passages after the tag of their language.
pub(crate) fn pack(hit: &Hit, language: &str, passage: &str) -> Result<Vec<u8>, serde_json::Error> {
    let bare = Hit { iri: String::new(), highlight: None, ..hit.clone() };
    let json = serde_json::to_string(&bare)?;
    let summary = serde_json::to_string(&bare.summary)?;
    let cut = || {
        let rest = json.strip_prefix(BEGINNING)?;
        let at = rest.find(BEFORE_SUMMARY)? + BEFORE_SUMMARY.len();
        let after = rest[at..].strip_prefix(summary.as_str())?;
        let end = after.find(AFTER_HIGHLIGHT)?;
        Some((&rest[..at], &after[..end], &after[end..]))
    };
    let Some((head, middle, tail)) = cut() else {
        return Err(serde::ser::Error::custom("a hit has other fields than a card"));
    };
    let language = format!("{language}\n");
    let parts = [&hit.iri, &hit.zone, &hit.identifier, head, &summary, middle, tail, &language];
    let sizes = parts.map(str::len);
    let mut bytes = Vec::with_capacity(HEADER + sizes.iter().sum::<usize>() + passage.len());
    for size in sizes {
        bytes.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    }
    for part in parts {
        bytes.extend_from_slice(part.as_bytes());
    }
    // The last part reaches to the end.
    bytes.extend_from_slice(passage.as_bytes());
    Ok(bytes)
}

impl Card {
    /// Reads the card of a record.
    pub(crate) fn read(searcher: &Searcher, address: DocAddress) -> tantivy::Result<Self> {
        let Kept(card) = searcher.doc(address)?;
        match card {
            Some(card) if card.is_whole() => Ok(card),
            _ => Err(tantivy::error::DataCorruption::comment_only("a stored card is not whole").into()),
        }
    }

    /// Says whether every part is there; whoever reads one relies on it.
    fn is_whole(&self) -> bool {
        let Some((sizes, rest)) = self.0.split_first_chunk::<HEADER>() else { return false };
        let sizes = sizes.as_chunks::<4>().0.iter().map(|size| u32::from_le_bytes(*size) as usize);
        sizes.sum::<usize>() <= rest.len() && std::str::from_utf8(rest).is_ok()
    }

    /// Returns the hit, without a highlight.
    pub(crate) fn hit(&self) -> tantivy::Result<Hit> {
        let mut json = Vec::with_capacity(self.0.len());
        self.write(self.part(Part::Iri), None, &mut json)?;
        Ok(serde_json::from_slice(&json)?)
    }

    /// Returns the zone and the identifier of the record.
    pub(crate) fn key(&self) -> (&str, &str) {
        (self.part(Part::Zone), self.part(Part::Identifier))
    }

    /// Returns the IRI that came with the record.
    pub(crate) fn iri(&self) -> &str {
        self.part(Part::Iri)
    }

    /// Returns the summary.
    pub(crate) fn summary(&self) -> Cow<'_, str> {
        let written = self.part(Part::Summary);
        match written.strip_prefix('"').and_then(|written| written.strip_suffix('"')) {
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            _ => Cow::Owned(serde_json::from_str(written).unwrap_or_default()),
        }
    }

    /// Returns more text that passages are taken from, and the language of it and of the summary.
    pub(crate) fn passage(&self) -> (Language, &str) {
        let (language, passage) = self.part(Part::Passage).split_once('\n').unwrap_or_default();
        (Language::of_tag(language), passage)
    }

    /// Writes the hit as JSON.
    pub(crate) fn write(&self, iri: &str, highlight: Option<&str>, json: &mut Vec<u8>) -> serde_json::Result<()> {
        json.extend_from_slice(br#"{"iri":"#);
        serde_json::to_writer(&mut *json, iri)?;
        let (head, middle) = (self.range(Part::Head), self.range(Part::Middle));
        json.extend_from_slice(&self.0[head.start..middle.end]);
        if let Some(highlight) = highlight {
            json.extend_from_slice(br#","highlight":"#);
            serde_json::to_writer(&mut *json, highlight)?;
        }
        json.extend_from_slice(&self.0[self.range(Part::Tail)]);
        Ok(())
    }

    fn part(&self, part: Part) -> &str {
        // It was checked when it was read.
        std::str::from_utf8(&self.0[self.range(part)]).unwrap_or_default()
    }

    fn range(&self, part: Part) -> Range<usize> {
        let size = |at: usize| {
            let size = self.0.get(at * 4..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
            u32::from_le_bytes(size) as usize
        };
        let start = HEADER + (0..part as usize).map(size).sum::<usize>();
        match part {
            Part::Passage => start..self.0.len(),
            _ => start..start + size(part as usize),
        }
    }
}

/// The only field that is stored of a record.
struct Kept(Option<Card>);

impl DocumentDeserialize for Kept {
    fn deserialize<'de, D: DocumentDeserializer<'de>>(mut document: D) -> Result<Self, DeserializeError> {
        Ok(Self(document.next_field::<Bytes>()?.map(|(_, Bytes(bytes)): (Field, Bytes)| Card(bytes))))
    }
}

struct Bytes(Vec<u8>);

impl ValueDeserialize for Bytes {
    fn deserialize<'de, D: ValueDeserializer<'de>>(value: D) -> Result<Self, DeserializeError> {
        value.deserialize_bytes().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(hit: &Hit, highlight: Option<&str>) -> String {
        let card = Card(pack(hit, "en", "running text").unwrap());
        let mut json = Vec::new();
        card.write(&hit.iri, highlight, &mut json).unwrap();
        String::from_utf8(json).unwrap()
    }

    proptest! {
        #[test]
        fn a_card_is_written_as_its_hit_would_be(
            texts in proptest::collection::vec("(\\PC|\"|,\"facts\":\\[|,\"abstract\":|\\\\|\n){0,12}", 6),
            highlight in proptest::option::of("\\PC{0,20}"),
            lists in proptest::collection::vec("\\PC{0,6}", 0..3),
            flags: (bool, bool, bool),
        ) {
            let hit = Hit {
                iri: texts[0].clone(), zone: texts[1].clone(), identifier: texts[2].clone(), kind: "Dataset".to_owned(),
                name: texts[3].clone(), alternate_name: flags.0.then(|| texts[4].clone()), summary: texts[5].clone(),
                version: flags.1.then(|| "1".to_owned()), zones: lists.clone(), highlight: highlight.clone(), facts: lists,
                launchable: flags.0, official: flags.2, modified: flags.2.then(|| "2026".to_owned()),
            };
            prop_assert_eq!(written(&hit, highlight.as_deref()), serde_json::to_string(&hit).unwrap());
            let card = Card(pack(&hit, "fr", "du texte").unwrap());
            prop_assert_eq!(card.key(), (hit.zone.as_str(), hit.identifier.as_str()));
            prop_assert_eq!(&card.summary(), &hit.summary);
            let (language, passage) = card.passage();
            prop_assert_eq!((language.tag(), passage), ("fr", "du texte"));
            prop_assert_eq!(card.hit().unwrap(), Hit { highlight: None, ..hit });
        }
    }
}
