//! Files to trees: JSON, JSON Lines, YAML, tables and XML are all read as JSON values, each with its place.

pub(crate) mod json;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod xml;
pub(crate) mod yaml;

use std::ops::ControlFlow;

use serde_json::Value;

use crate::item::{Fault, Place};

/// The deepest nesting of any tree: oxjsonld and others go down recursively.
pub(crate) const DEEPEST: usize = 64;

/// One tree of a source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    /// Its value.
    pub(crate) value: Value,
    /// Where it begins.
    pub(crate) place: Place,
    /// What record it is about, when that is known beside it, as by the header of OAI-PMH.
    pub(crate) key: Option<String>,
}

impl Tree {
    pub(crate) fn new(value: Value, place: Place) -> Self {
        Self { value, place, key: None }
    }
}

/// Takes trees and faults in the order of the file; says whether to go on.
pub(crate) type Take<'a> = dyn FnMut(Result<Tree, Fault>) -> ControlFlow<()> + 'a;

/// The formats that trees are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// One JSON document: a record, or an array of them.
    Json,
    /// A record a line.
    JsonLines,
    /// YAML, a record a document.
    Yaml,
    /// A table with commas.
    Csv,
    /// A table with tabs.
    Tsv,
    /// One XML document.
    Xml,
}

impl Format {
    /// Returns the format of a word of the configuration.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "json" | "geojson" => Self::Json,
            "jsonl" | "jsonlines" | "json-lines" | "ndjson" => Self::JsonLines,
            "yaml" | "yml" => Self::Yaml,
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "xml" => Self::Xml,
            _ => return None,
        })
    }

    /// Returns the format of a file by the ending of its name; `.gz` at the end is passed over.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".gz").unwrap_or(name);
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "jsonld" => Some(Self::Json),
            ending => Self::from_word(ending),
        }
    }

    /// Returns the format of a media type.
    pub(crate) fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/json" | "application/geo+json" | "application/ld+json" => Self::Json,
            "application/jsonl"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/x-jsonlines"
            | "application/json-lines"
            | "text/x-jsonl" => Self::JsonLines,
            "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Self::Yaml,
            "text/csv" => Self::Csv,
            "text/tab-separated-values" => Self::Tsv,
            "application/xml" | "text/xml" => Self::Xml,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Xml,
            _ => return None,
        })
    }
}

/// Returns line and column of a byte offset, both from 1.
pub(crate) fn line_and_column(text: &[u8], offset: usize) -> (u64, u64) {
    let before = &text[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // Columns count characters: bytes that continue one are passed over.
    let column = before[begin..].iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64 + 1;
    (line, column)
}

/// Makes a place of a byte offset.
pub(crate) fn at(file: &str, text: &[u8], offset: usize) -> Place {
    let (line, column) = line_and_column(text, offset);
    Place { file: file.to_owned(), line: Some(line), column: Some(column), pointer: None }
}
