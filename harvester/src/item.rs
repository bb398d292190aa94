//! What a source hands on, one item at a time.

use catalog_ontology::terms::Kind;
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// One thing that a source says, in the order in which it says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A record in our terms.
    Record(Box<Harvested>),
    /// The source says that a record is gone, as OAI-PMH's deleted records do.
    Gone(Gone),
    /// Something that is no record: it is set aside, and the rest goes on.
    Faulty(Fault),
    /// Something about the source that an operator should know of, and that hides no record.
    Remark(Fault),
    /// How far the run has come.
    Progress(Progress),
}

/// A record of a source, brought to our terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Harvested {
    /// What the record is.
    pub kind: Kind,
    /// The source's own stable identifier. Kind and key together are distinct within a run.
    pub key: String,
    /// The IRI that the record's home zone gave it, when the source states one; only a feed of another zone does.
    pub iri: Option<String>,
    /// The manifest, with `@context`, `@type` and an `identifier` made by [`crate::identifier()`].
    ///
    /// It is what a source said: the server validates it again with the harvest profile.
    pub manifest: serde_json::Value,
    /// Every identifier that the source states for the thing, its own key first.
    pub identifiers: Vec<Alias>,
    /// Where it stands in the source.
    pub place: Place,
    /// SHA-256 of the manifest as compact JSON: the same hash, the same statements.
    pub hash: [u8; 32],
    /// When the source says it was changed last, as the source writes it; informative, never used for ordering.
    pub modified: Option<String>,
    /// Words that name a concept of ours in no way that we know; the record keeps them as keywords.
    pub unmatched: Vec<Unmatched>,
    /// What was left out or changed on the way to our terms, each with its place.
    pub remarks: Vec<Fault>,
}

/// An identifier of a thing in some system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// Who gives such identifiers.
    pub scheme: Scheme,
    /// The identifier in its normal form: `https://doi.org/10.…` in lower case for a DOI, as given for others.
    pub value: String,
}

/// Who gives identifiers of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scheme {
    /// The source itself; it means nothing elsewhere.
    Local,
    /// The DOI system.
    Doi,
    /// The IVOA registries (`ivo://`).
    Ivo,
    /// SPASE (`spase://`).
    Spase,
    /// The handle system (`hdl:`), without DOIs.
    Handle,
    /// ARK.
    Ark,
    /// NASA's Common Metadata Repository (`C1234-PROVIDER`).
    Cmr,
    /// An OCI image by its digest.
    Oci,
    /// An IRI that the publisher coined for the thing, such as the subject of a DCAT dataset.
    Iri,
}

impl Scheme {
    /// Says whether the same identifier in two sources means the same thing.
    pub fn is_global(self) -> bool {
        self != Self::Local
    }
}

/// A record that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The key that [`Harvested::key`] had.
    pub key: String,
    /// Where the source says so.
    pub place: Place,
}

/// Where something stands in a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The address that was read; a path below the source's folder for files.
    pub file: String,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The place within the file as a JSON pointer, when lines say little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

impl Place {
    /// Makes a place that is a whole file.
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// Makes a place at a line of a file.
    pub fn line(file: impl Into<String>, line: u64) -> Self {
        Self { file: file.into(), line: Some(line), ..Self::default() }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        if let Some(pointer) = self.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
            write!(f, "#{pointer}")?;
        }
        Ok(())
    }
}

/// What is wrong with something that a source says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// A stable code, such as `json.syntax`, `xml.doctype`, `record.no_identifier`, `duplicate`.
    pub code: String,
    /// Where it stands.
    pub place: Place,
    /// The fault in a sentence that names the thing.
    pub message: String,
    /// The key of the record it is about, when that much could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether what it hides may have stood elsewhere before: records of lists move from page to page.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anywhere: bool,
    /// What the faulty text is known by in the next run, when it can be told by more than its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

impl Fault {
    /// Makes a fault.
    pub fn new(code: &str, place: Place, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), place, message: message.into(), key: None, anywhere: false, mark: None }
    }

    /// Marks the text that is at fault, so that it is known again wherever it stands.
    #[must_use]
    pub fn marked(mut self, text: &[u8]) -> Self {
        self.mark.get_or_insert_with(|| hex::encode(&sha2::Sha256::digest(text)[..16]));
        self
    }

    /// Returns what the fault is known by in the next run.
    pub fn fingerprint(&self) -> String {
        let told = self.mark.as_ref().unwrap_or(&self.message);
        let text = format!("{}\n{}\n{told}", self.code, if self.anywhere { "" } else { &self.place.file });
        hex::encode(&sha2::Sha256::digest(text.as_bytes())[..16])
    }

    /// Names the record.
    #[must_use]
    pub fn of(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// A word that no concept of a scheme is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unmatched {
    /// The scheme that was looked in, such as `mission`.
    pub scheme: String,
    /// The word as the source writes it.
    pub text: String,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Pages or files that were read.
    pub pages: u64,
    /// Bytes that were read, unpacked.
    pub bytes: u64,
    /// Records that the source says it has, when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// The [`Cursor::position`](crate::Cursor::position) from which a run may go on when this one is interrupted here;
    /// everything before was handed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<serde_json::Value>,
}
