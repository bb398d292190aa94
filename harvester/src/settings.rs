//! What an operator says about a source.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Another zone's feed.
    Alidade,
    /// Files by address or in a folder: JSON, JSON Lines, YAML, CSV, TSV, XML.
    Files,
    /// DCAT in any syntax of RDF, and DCAT-US `data.json`.
    Dcat,
    /// A STAC catalogue or API, OGC API Records.
    Stac,
    /// A repository that speaks OAI-PMH.
    OaiPmh,
    /// A SPARQL endpoint.
    Sparql,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Alidade, Self::Files, Self::Dcat, Self::Stac, Self::OaiPmh, Self::Sparql];

    /// Returns the word used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alidade => "alidade",
            Self::Files => "files",
            Self::Dcat => "dcat",
            Self::Stac => "stac",
            Self::OaiPmh => "oai-pmh",
            Self::Sparql => "sparql",
        }
    }
}

/// What a source is and how it is read; keys that only one kind has are refused for the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Names the source; records get identifiers below it.
    pub id: String,
    /// Its kind.
    pub kind: SourceKind,
    /// The address where reading begins; absent for files in a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The folder that is read (`files`, `dcat`, `stac`); only in the server's own configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The mapping that brings records to our terms; each kind but `files` has one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// The format, where the address and the content type do not say it (`files`, `dcat`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Names of files that are read, such as `*.yaml`; everything of a known ending without it (`files`, `dcat`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Names of files (`files`, `dcat`) or addresses (`stac`, `dcat`) that are passed over, such as `SOURCE.txt`: what an
    /// operator vouches for as nothing to read is no gap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Values that every record without its own gets, because the operator says so: `domain`, `mission`, `license`, ….
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<String, serde_json::Value>,
    /// Whether the address may lead to a private network; the operator vouches for its host and port.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// The metadata format that is asked for (`oai-pmh`); `oai_dc` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_prefix: Option<String>,
    /// The set that is asked for (`oai-pmh`), or the collections (`stac`); all without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Whether only changes since the last run are asked for (`oai-pmh`); a complete reading every time without it.
    #[serde(default)]
    pub incremental: bool,
    /// Whether items are harvested beside collections (`stac`).
    #[serde(default)]
    pub items: bool,
    /// The CONSTRUCT that is asked (`sparql`); the pages are made by LIMIT and OFFSET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Records or solutions of one page, where the source lets its client choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// The most pages or files of one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pages: Option<u64>,
    /// The most bytes of one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The most bytes of one page or file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_page_bytes: Option<u64>,
    /// The least milliseconds between two requests to one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// How often a request is tried again after a trouble that may pass; 3 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The folder where pages are kept between runs, which is the server's to choose; none are kept without it.
    #[serde(skip)]
    pub kept: Option<PathBuf>,
}

impl Settings {
    /// Makes settings with nothing but what every source has.
    pub fn new(id: &str, kind: SourceKind) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            url: None,
            folder: None,
            mapping: None,
            format: None,
            include: Vec::new(),
            exclude: Vec::new(),
            defaults: BTreeMap::new(),
            allow_private_addresses: false,
            metadata_prefix: None,
            set: Vec::new(),
            incremental: false,
            items: false,
            query: None,
            page_size: None,
            max_pages: None,
            max_bytes: None,
            max_page_bytes: None,
            pause_ms: None,
            retries: None,
            kept: None,
        }
    }

    /// Sets the address.
    #[must_use]
    pub fn at(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Reads settings, without the keys that say when and with which precedence the server harvests.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] that names the key.
    pub fn from_json(value: serde_json::Value) -> Result<Self, Error> {
        let mut settings: Self = serde_json::from_value(value).map_err(|error| Error::Settings(error.to_string()))?;
        settings.url = settings.url.filter(|url| !url.is_empty());
        Ok(settings)
    }
}
