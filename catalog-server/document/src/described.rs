//! A record's public part with what the ledger knows of it.

use catalog_ontology::record::{Fields, Record, RecordIris};
use catalog_ontology::scheme::{Concept, Scheme};
use catalog_ontology::terms::{Kind, Visibility};
use jiff::Timestamp;
use oxrdf::{GraphName, NamedNode, Quad, Triple};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What the ledger knows of a record beside its document.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The base of this catalogue, without a trailing slash.
    pub base: String,
    /// The base of the record's home zone, below which its IRI is; this catalogue's own unless the record is of another zone.
    pub home: String,
    /// The record's home zone.
    pub zone: String,
    /// The version that is described when it was asked for by number, or is not the current one.
    pub pinned: Option<String>,
    /// Who said it.
    pub source: String,
    /// When it was first published here.
    pub issued: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// The sequence of its last change.
    pub seq: u64,
    /// The package that it came in.
    pub package: Option<Package>,
}

/// The package of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
    /// Its media type, when it is known.
    pub media_type: Option<&'static str>,
}

/// A person, an organisation, a group or a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The IRI that names it, such as an ORCID.
    pub iri: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it is one person.
    pub is_person: bool,
    /// The organisation that it belongs to.
    pub affiliation: Option<String>,
    /// A page about it.
    pub url: Option<String>,
}

/// A record as everybody may read it, with what the ledger knows of it.
#[derive(Debug, Clone)]
pub struct Described {
    record: Record,
    ledger: Ledger,
}

/// Characters that stand for themselves in a path segment (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Described {
    /// Takes the public part of a record; what is private is left behind here and nowhere else.
    pub fn new(record: &Record, ledger: Ledger) -> Self {
        Self { record: record.public(), ledger }
    }

    /// Returns the public record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns what the ledger knows.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns what the record is.
    pub fn kind(&self) -> Kind {
        self.record.kind()
    }

    /// Says whether the record is a program or a workflow.
    pub fn is_software(&self) -> bool {
        matches!(self.kind(), Kind::Datalab | Kind::Pipeline)
    }

    /// Returns the base of this catalogue.
    pub fn base(&self) -> &str {
        &self.ledger.base
    }

    /// Returns the identifier within the zone.
    pub fn identifier(&self) -> &str {
        self.record.identifier()
    }

    /// Returns the record's IRI; the version's when a version was asked for.
    pub fn iri(&self) -> String {
        match &self.ledger.pinned {
            Some(version) => format!("{}/{}", self.record_iri(), segment(version)),
            None => self.record_iri(),
        }
    }

    /// Returns the record's IRI, whatever version is described.
    pub fn record_iri(&self) -> String {
        format!("{}/id/{}/{}", self.ledger.home, self.ledger.zone, self.identifier())
    }

    /// Returns the address below which this catalogue gives its documents about it: the IRI, unless that is another zone's.
    pub fn address(&self) -> String {
        let of_version = self.ledger.pinned.as_deref().map(|version| format!("/{}", segment(version)));
        let (zone, identifier) = (&self.ledger.zone, self.identifier());
        format!("{}/id/{zone}/{identifier}{}", self.base(), of_version.unwrap_or_default())
    }

    /// Returns the address of the page about it.
    pub fn page(&self) -> String {
        let of_version = self.ledger.pinned.as_deref().map(|version| format!("/{}", segment(version)));
        let (zone, identifier) = (&self.ledger.zone, self.identifier());
        format!("{}/record/{zone}/{identifier}{}", self.base(), of_version.unwrap_or_default())
    }

    /// Returns the address from which the package is downloaded.
    pub fn package_url(&self) -> Option<String> {
        // A dataset's package holds its description, not the data.
        let version = self.version().filter(|_| self.is_software() && self.ledger.package.is_some())?;
        Some(format!("{}/api/v1/packages/{}/{}", self.ledger.home, self.identifier(), segment(version)))
    }

    /// Returns the version.
    pub fn version(&self) -> Option<&str> {
        self.record.version().or(self.ledger.pinned.as_deref())
    }

    /// Returns the name in the best language, the identifier when there is none.
    pub fn name(&self) -> &str {
        let name = self.record.name("en");
        if name.is_empty() { self.record.text("title", "en").unwrap_or_else(|| self.identifier()) } else { name }
    }

    /// Returns the names by language.
    pub fn names(&self) -> Vec<(&str, &str)> {
        let names = self.record.texts("name");
        let names = if names.is_empty() { self.record.texts("title") } else { names };
        if names.is_empty() { vec![("", self.identifier())] } else { names }
    }

    /// Returns the short or, where there is none, the long descriptions by language; the name when there is neither.
    pub fn summaries(&self) -> Vec<(&str, &str)> {
        let summaries = self.record.texts("abstract");
        let summaries = if summaries.is_empty() { self.record.texts("description") } else { summaries };
        if summaries.is_empty() { self.names() } else { summaries }
    }

    /// Returns the description in the best language.
    pub fn summary(&self) -> &str {
        let text = self.record.text("abstract", "en").or_else(|| self.record.text("description", "en"));
        text.unwrap_or_else(|| self.name())
    }

    /// Returns the long description in the best language, where it says more than the short one.
    pub fn description(&self) -> Option<&str> {
        self.record.text("description", "en").filter(|text| *text != self.summary())
    }

    /// Returns who made it: authors and creators, the publisher when nobody is named.
    pub fn creators(&self) -> Vec<Agent> {
        let mut creators: Vec<Agent> = Vec::new();
        for agent in ["author", "creator"].into_iter().flat_map(|key| self.agents(key)) {
            if creators.iter().all(|known| known.name != agent.name) {
                creators.push(agent);
            }
        }
        if creators.is_empty() { vec![self.publisher()] } else { creators }
    }

    /// Returns the agents of a key.
    pub fn agents(&self, key: &str) -> Vec<Agent> {
        self.record.nodes(key).into_iter().filter_map(Agent::of).collect()
    }

    /// Returns who publishes it.
    pub fn publisher(&self) -> Agent {
        self.agents("publisher").into_iter().next().unwrap_or_else(|| Agent {
            iri: None,
            name: self.ledger.zone.clone(),
            is_person: false,
            affiliation: None,
            url: None,
        })
    }

    /// Returns the licence's IRI.
    pub fn licence(&self) -> Option<&str> {
        self.record.string("license")
    }

    /// Returns the licence's identifier in the SPDX list.
    pub fn spdx(&self) -> Option<&str> {
        let id = self.licence()?.strip_prefix("https://spdx.org/licenses/")?.trim_end_matches('/');
        Some(id.strip_suffix(".html").unwrap_or(id))
    }

    /// Returns the keywords.
    pub fn keywords(&self) -> Vec<(&str, &str)> {
        self.record.texts("keyword")
    }

    /// Returns the day on which the thing was published: as the record says, else here.
    pub fn issued_day(&self) -> String {
        let said = self.record.string("issued").or_else(|| self.record.string("datePublished"));
        said.map_or_else(|| self.ledger.issued.to_string(), str::to_owned).chars().take(10).collect()
    }

    /// Returns the year of publication.
    pub fn year(&self) -> String {
        self.issued_day().chars().take(4).collect()
    }

    /// Returns when it last changed, RFC 3339 with seconds.
    pub fn modified(&self) -> String {
        seconds(self.ledger.modified)
    }

    /// Returns when it was first published here, RFC 3339 with seconds.
    pub fn issued(&self) -> String {
        seconds(self.ledger.issued)
    }

    /// Returns the digital object identifier that the record itself has, without its address.
    pub fn doi(&self) -> Option<&str> {
        self.record.nodes("otherIdentifier").into_iter().find_map(|node| doi_of(node.text("value")?))
    }

    /// Returns the concepts of a key, whose values come from the scheme of a name.
    pub fn concepts(&self, key: &str, scheme: &str) -> Vec<&'static Concept> {
        let Some(scheme) = Scheme::get(scheme) else { return Vec::new() };
        self.record.concepts(key).into_iter().filter_map(|path| scheme.find(path)).collect()
    }

    /// Returns every concept that says what the record is about.
    pub fn subjects(&self) -> Vec<&'static Concept> {
        const KEYS: [(&str, &str); 4] = [
            ("domain", "domain"),
            ("mission", "mission"),
            ("instrument", "instrument"),
            ("thematicArea", "thematic-area"),
        ];
        KEYS.into_iter().flat_map(|(key, scheme)| self.concepts(key, scheme)).collect()
    }

    /// Returns the statements of our own profile.
    pub fn triples(&self) -> Vec<Triple> {
        let iris = RecordIris::new(&self.ledger.home, &self.ledger.zone, &self.record);
        self.record.triples(&iris, Visibility::Public)
    }

    /// Returns the same in the graph of the source that says it.
    pub fn quads(&self) -> Vec<Quad> {
        let graph = format!("{}/graph/{}", self.base(), self.ledger.source);
        let graph = NamedNode::new(graph).map_or(GraphName::DefaultGraph, GraphName::NamedNode);
        self.triples().into_iter().map(|triple| triple.in_graph(graph.clone())).collect()
    }
}

impl Agent {
    /// Reads an agent's node; nothing when it has no name.
    fn of(node: &Fields) -> Option<Self> {
        let iri = node.id().map(str::to_owned);
        let has_orcid = iri.as_deref().is_some_and(|iri| iri.contains("orcid.org/"));
        Some(Self {
            name: node.text("name")?.to_owned(),
            is_person: has_orcid || node.text("@type") == Some("Person"),
            affiliation: node.text("affiliation").map(str::to_owned),
            url: node.text("url").map(str::to_owned),
            iri,
        })
    }
}

/// Returns a text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Returns a moment with seconds, as protocols of days gone by want it.
pub(crate) fn seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

/// Returns the digital object identifier in a text: bare, with `doi:`, or as an address.
pub(crate) fn doi_of(text: &str) -> Option<&str> {
    let bare = ["https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi:"]
        .into_iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text);
    (bare.starts_with("10.") && bare.contains('/')).then_some(bare)
}
