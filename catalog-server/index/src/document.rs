//! What the index is given, and the fields in which it keeps it.

use catalog_schemas::search::Hit;
use tantivy::schema::{
    FAST, Field, IndexRecordOption, STORED, STRING, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::{TantivyDocument, Term};

use crate::analysed::{AnalysedText, TOKENIZER};
use crate::card;
use crate::text::{self, Language};
use crate::values::Facet;

/// Changes whenever the same document would be indexed differently, so that an older index is built again.
const ANALYSIS: &str = "3";

/// Stored text is only for highlights; a passage further down is not worth showing.
const STORED_TEXT: usize = 4096;

/// Between two texts of a field, so that no phrase reaches from one into the next.
const GAP: usize = 100;

/// One record as the index sees it: public values only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The record: `zone/identifier`.
    pub key: String,
    /// The ledger sequence of the state that is given.
    pub seq: u64,
    /// What an answer shows.
    pub hit: Hit,
    /// The short name.
    pub short_name: Option<String>,
    /// Names by language tag.
    pub names: Vec<(String, String)>,
    /// Short descriptions by language tag.
    pub summaries: Vec<(String, String)>,
    /// Descriptions, features and other running text by language tag.
    pub texts: Vec<(String, String)>,
    /// Keywords.
    pub keywords: Vec<String>,
    /// Identifiers, authors, and labels of missions and instruments.
    pub words: Vec<String>,
    /// Facet values: concept paths such as `astronomy/gaia`, or plain values.
    pub facets: Vec<(Facet, String)>,
    /// When it was last modified, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// Changes that become visible together, in one commit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Records that are new or changed; each replaces what its key held.
    pub upserts: Vec<Document>,
    /// Keys of records that are gone.
    pub deletes: Vec<String>,
    /// The ledger sequence up to which the index has followed once this batch is applied.
    pub seq: u64,
}

/// The prefixes of the terms that are compared as a whole.
pub(crate) mod exact {
    /// A short name.
    pub(crate) const SHORT: char = 's';
    /// An identifier.
    pub(crate) const IDENTIFIER: char = 'i';
    /// A name.
    pub(crate) const NAME: char = 'n';
}

/// The fields of the index.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    /// The key, to replace and delete by.
    pub(crate) key: Field,
    /// Short names, identifiers and names as a whole.
    pub(crate) exact: Field,
    /// Words of names, with positions.
    pub(crate) name_words: Field,
    /// Stems of the words of names.
    pub(crate) name_stems: Field,
    /// All words, with positions.
    pub(crate) words: Field,
    /// Stems of all words, weighted by repetition.
    pub(crate) stems: Field,
    /// Facet values, expanded, by facet.
    pub(crate) facets: Vec<Field>,
    /// The folded name and the key: the order by name.
    pub(crate) order: Field,
    /// When the record was last modified.
    pub(crate) modified: Field,
    /// The ledger sequence of the state.
    pub(crate) seq: Field,
    /// What is shown of it, as [`card::pack`] writes it.
    pub(crate) card: Field,
}

impl Fields {
    /// Returns the schema and its fields.
    pub(crate) fn schema() -> (Schema, Self) {
        let indexed = |option| {
            TextOptions::default()
                .set_indexing_options(TextFieldIndexing::default().set_tokenizer(TOKENIZER).set_index_option(option))
        };
        let mut schema = SchemaBuilder::new();
        let fields = Self {
            key: schema.add_text_field("key", STRING),
            exact: schema.add_text_field("exact", STRING),
            name_words: schema.add_text_field("nameWords", indexed(IndexRecordOption::WithFreqsAndPositions)),
            name_stems: schema.add_text_field("nameStems", indexed(IndexRecordOption::WithFreqs)),
            words: schema.add_text_field("words", indexed(IndexRecordOption::WithFreqsAndPositions)),
            stems: schema.add_text_field("stems", indexed(IndexRecordOption::WithFreqs)),
            facets: Facet::all().map(|facet| schema.add_text_field(facet.name(), STRING | FAST)).collect(),
            order: schema.add_text_field("order", TextOptions::default().set_fast("raw")),
            modified: schema.add_i64_field("modified", FAST),
            seq: schema.add_u64_field("seq", FAST),
            card: schema.add_bytes_field("card", STORED),
        };
        (schema.build(), fields)
    }

    /// Returns a fingerprint of the schema and of the text analysis.
    pub(crate) fn fingerprint() -> String {
        let schema = serde_json::to_string(&Self::schema().0).unwrap_or_default();
        // FNV-1a: it has to tell versions apart, nobody attacks it.
        let hash = schema
            .bytes()
            .chain(ANALYSIS.bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    }

    pub(crate) fn key_term(&self, key: &str) -> Term {
        Term::from_field_text(self.key, key)
    }

    /// Returns a document as the engine keeps it.
    pub(crate) fn document(&self, document: &Document) -> Result<TantivyDocument, serde_json::Error> {
        let mut kept = TantivyDocument::new();
        kept.add_text(self.key, &document.key);
        for term in exact_terms(document) {
            kept.add_text(self.exact, &term);
        }

        let mut names = Words::default();
        let mut all = Words::default();
        for (language, name) in &document.names {
            names.add(name, language, 1);
            all.add(name, language, 4);
        }
        for short in document.short_name.iter().chain([&document.hit.identifier]) {
            names.add(short, "", 1);
            all.add(short, "", 4);
        }
        for word in document.keywords.iter().chain(&document.words) {
            all.add(word, "", 3);
        }
        for (language, summary) in &document.summaries {
            all.add(summary, language, 2);
        }
        for (language, text) in &document.texts {
            all.add(text, language, 1);
        }
        kept.add_text(self.name_words, names.words.as_str());
        kept.add_text(self.name_stems, names.stems.as_str());
        kept.add_text(self.words, all.words.as_str());
        kept.add_text(self.stems, all.stems.as_str());

        let mut values: Vec<(Facet, String)> = document
            .facets
            .iter()
            .flat_map(|(facet, value)| facet.expanded(value).into_iter().map(|value| (*facet, value)))
            .collect();
        values.sort_unstable();
        values.dedup();
        for (facet, value) in values {
            kept.add_text(self.facets[facet.index()], &value);
        }

        kept.add_text(self.order, order_key(document));
        kept.add_i64(self.modified, document.modified_ms);
        kept.add_u64(self.seq, document.seq);
        let (language, passage) = passage(document);
        kept.add_bytes(self.card, &card::pack(&document.hit, language.tag(), &passage)?);
        Ok(kept)
    }
}

/// Returns what orders records by name: the folded name, then the key.
pub(crate) fn order_key(document: &Document) -> String {
    let name = text::whole(&document.hit.name);
    let cut = name.char_indices().nth(80).map_or(name.len(), |(at, _)| at);
    format!("{}\u{0}{}", &name[..cut], document.key)
}

fn exact_terms(document: &Document) -> Vec<String> {
    let mut terms = Vec::new();
    let mut add = |prefix: char, written: &str| {
        let whole = text::whole(written);
        let term = format!("{prefix}{whole}");
        // A name that is longer than what a search may be is never typed as a whole.
        if !whole.is_empty() && term.len() <= 512 && !terms.contains(&term) {
            terms.push(term);
        }
    };
    if let Some(short) = &document.short_name {
        add(exact::SHORT, short);
    }
    add(exact::IDENTIFIER, &document.hit.identifier);
    for (_, name) in &document.names {
        add(exact::NAME, name);
    }
    terms
}

/// Returns running text for highlights, in the language of the summary, and that language.
fn passage(document: &Document) -> (Language, String) {
    let texts = || document.summaries.iter().chain(&document.texts);
    let shown = texts().find(|(_, text)| *text == document.hit.summary).or_else(|| texts().next());
    let language = Language::of_tag(shown.map_or("", |(tag, _)| tag));
    let mut passage = String::new();
    for (_, text) in
        texts().filter(|(tag, text)| Language::of_tag(tag).tag() == language.tag() && *text != document.hit.summary)
    {
        let room = STORED_TEXT - passage.len().min(STORED_TEXT);
        let end = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        passage.push_str(&text[..end]);
        passage.push('\n');
    }
    (language, passage)
}

/// The words and stems of one field.
#[derive(Default)]
struct Words {
    words: AnalysedText,
    stems: AnalysedText,
    position: usize,
}

impl Words {
    /// Adds a text; its stems are repeated `weight` times, which is what their place is worth in the ranking.
    fn add(&mut self, text: &str, language: &str, weight: usize) {
        let language = Language::of_tag(language);
        let mut last = 0;
        for word in text::words(text) {
            let position = self.position + word.position;
            last = last.max(word.position + 1);
            // A compound is a name and has no stem.
            let language = if word.compound { Language::of_tag("xx") } else { language };
            language.stems(&text[word.start..word.end], &word.folded, |stem| {
                for _ in 0..weight {
                    self.stems.push(position, &stem);
                }
            });
            self.words.push(position, &word.folded);
        }
        self.position += last + GAP;
    }
}
