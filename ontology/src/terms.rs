//! The term table: every term of a record, who reads it, who writes it and what a value looks like.
//!
//! The table is `terms.ttl`, embedded and read once. Shapes, JSON Schema, JSON-LD context, documentation and the rules of
//! validation all come from it.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use catalog_schemas::account::Role;
use oxrdf::{NamedNode, NamedNodeRef};

mod read;

pub(crate) use read::Malformed;

/// The namespace of `esado:`, one constant in one place.
pub const ESADO: &str = catalog_schemas::ESADO;

/// The Turtle that the table is read from, which is also the ontology that `/ns/esado` serves.
pub const TERMS_TTL: &str = include_str!("../terms.ttl");

/// The prefixes of the namespaces that the table uses, for compact IRIs.
pub const PREFIXES: &[(&str, &str)] = &[
    ("esado", ESADO),
    ("sdo", "https://schema.org/"),
    ("dcat", "http://www.w3.org/ns/dcat#"),
    ("dcterms", "http://purl.org/dc/terms/"),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("foaf", "http://xmlns.com/foaf/0.1/"),
    ("vcard", "http://www.w3.org/2006/vcard/ns#"),
    ("adms", "http://www.w3.org/ns/adms#"),
    ("prov", "http://www.w3.org/ns/prov#"),
    ("odrl", "http://www.w3.org/ns/odrl/2/"),
    ("dqv", "http://www.w3.org/ns/dqv#"),
    ("spdx", "http://spdx.org/rdf/terms#"),
    ("codemeta", "https://codemeta.github.io/terms/"),
    ("bioschemas", "https://bioschemas.org/properties/"),
    ("bioschemastypes", "https://bioschemas.org/types/"),
    ("sec", "https://w3id.org/security#"),
    ("locn", "http://www.w3.org/ns/locn#"),
    ("wfrun", "https://w3id.org/ro/terms/workflow-run#"),
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("owl", "http://www.w3.org/2002/07/owl#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    ("sh", "http://www.w3.org/ns/shacl#"),
];

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An application or environment that is started where the data is.
    Datalab,
    /// A set of data described by its archive.
    Dataset,
    /// A folder of data that datazones hold and mount.
    DataVolume,
    /// A workflow in the Common Workflow Language.
    Pipeline,
    /// A program, library or web application that is described, not started here.
    Software,
    /// A service that answers questions about data or hands them out.
    DataService,
    /// A place where data is held and launches run.
    Datazone,
    /// What one source said about one record, and when.
    CatalogRecord,
    /// One run of a datalab for one user.
    Launch,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Datalab,
        Self::Dataset,
        Self::DataVolume,
        Self::Pipeline,
        Self::Software,
        Self::DataService,
        Self::Datazone,
        Self::CatalogRecord,
        Self::Launch,
    ];

    /// Returns the word used in JSON, in facets and as the local name of the class.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Datalab => "Datalab",
            Self::Dataset => "Dataset",
            Self::DataVolume => "DataVolume",
            Self::Pipeline => "Pipeline",
            Self::Software => "Software",
            Self::DataService => "DataService",
            Self::Datazone => "Datazone",
            Self::CatalogRecord => "CatalogRecord",
            Self::Launch => "Launch",
        }
    }

    /// Returns the IRI of the class.
    pub fn iri(self) -> NamedNode {
        NamedNode::new_unchecked(format!("{ESADO}{}", self.as_str()))
    }

    /// Returns the kind of a word, exactly as written in JSON.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Says whether records of this kind are uploaded; the others are only made by the application.
    pub fn is_uploaded(self) -> bool {
        !matches!(self, Self::CatalogRecord | Self::Launch)
    }

    /// Returns the role that describes records of this kind, whose upload must be complete.
    pub fn writer(self) -> Role {
        match self {
            Self::Datalab | Self::Dataset | Self::DataVolume | Self::Pipeline | Self::Software | Self::DataService => {
                Role::Developer
            }
            Self::Datazone | Self::CatalogRecord | Self::Launch => Role::Application,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The class of the node that a term is said of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Class(NamedNode);

impl Class {
    /// Returns the IRI of the class.
    pub fn iri(&self) -> NamedNodeRef<'_> {
        self.0.as_ref()
    }

    /// Returns the local name, such as `DatalabImage`.
    pub fn name(&self) -> &str {
        local_name(self.0.as_str())
    }

    /// Returns the compact IRI, such as `esado:DatalabImage`.
    pub fn compact(&self) -> String {
        compact(self.0.as_str())
    }
}

/// Who may read a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The record's developers, moderators and the application.
    Private,
}

/// The roles that may write a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Writers {
    developer: bool,
    moderator: bool,
    application: bool,
}

impl Writers {
    /// Says whether `role` is in the set; only developer, moderator and application ever are.
    pub fn contains(self, role: Role) -> bool {
        match role {
            Role::Developer => self.developer,
            Role::Moderator => self.moderator,
            Role::Application => self.application,
            Role::Anonymous | Role::User | Role::Administrator => false,
        }
    }

    /// Returns the roles, in the order developer, moderator, application.
    pub fn roles(self) -> Vec<Role> {
        [Role::Developer, Role::Moderator, Role::Application].into_iter().filter(|role| self.contains(*role)).collect()
    }

    fn insert(&mut self, role: Role) -> bool {
        match role {
            Role::Developer => self.developer = true,
            Role::Moderator => self.moderator = true,
            Role::Application => self.application = true,
            Role::Anonymous | Role::User | Role::Administrator => return false,
        }
        true
    }
}

/// What a value of a term is; a closed set that shapes, JSON Schema and context are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Datatype {
    /// Text with a language: a map from language tag to text, or to texts where the term is not `per_language`.
    LanguageText,
    /// Plain text.
    Text,
    /// An ordered list of plain texts, such as the arguments of a command; one value is the whole list.
    TextList,
    /// Plain text, or an IRI when it begins with a scheme.
    TextOrIri,
    /// An absolute IRI; where the term has a `base`, also a bare name below it.
    Iri,
    /// A whole number.
    Integer,
    /// A decimal number.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// A date, `YYYY-MM-DD`.
    Date,
    /// A date and time with offset, RFC 3339.
    DateTime,
    /// A duration of ISO 8601, such as `PT2H`.
    Duration,
    /// A concept of the term's `scheme`, or one of its `values` below its `base`.
    Concept,
    /// A node of its own, whose class is the term's `node`.
    Node,
    /// A JSON object that only groups: its members are said of the node around it.
    Nest,
    /// The path of a file inside the package.
    File,
    /// A content digest, `sha256:` and 64 hexadecimal digits.
    Digest,
    /// A record's identifier, `namespace.name`.
    Identifier,
    /// A short name, as typed on a command line.
    ShortName,
    /// A version.
    Version,
    /// A normalised absolute path.
    AbsolutePath,
    /// An OCI image reference, `registry/repository:tag`.
    ImageReference,
    /// A geometry in well-known text.
    Geometry,
}

impl Datatype {
    /// Every datatype.
    pub const ALL: [Self; 22] = [
        Self::LanguageText,
        Self::Text,
        Self::TextList,
        Self::TextOrIri,
        Self::Iri,
        Self::Integer,
        Self::Decimal,
        Self::Boolean,
        Self::Date,
        Self::DateTime,
        Self::Duration,
        Self::Concept,
        Self::Node,
        Self::Nest,
        Self::File,
        Self::Digest,
        Self::Identifier,
        Self::ShortName,
        Self::Version,
        Self::AbsolutePath,
        Self::ImageReference,
        Self::Geometry,
    ];

    /// Returns the word used in `terms.ttl` and in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LanguageText => "LanguageText",
            Self::Text => "Text",
            Self::TextList => "TextList",
            Self::TextOrIri => "TextOrIri",
            Self::Iri => "Iri",
            Self::Integer => "Integer",
            Self::Decimal => "Decimal",
            Self::Boolean => "Boolean",
            Self::Date => "Date",
            Self::DateTime => "DateTime",
            Self::Duration => "Duration",
            Self::Concept => "Concept",
            Self::Node => "Node",
            Self::Nest => "Nest",
            Self::File => "File",
            Self::Digest => "Digest",
            Self::Identifier => "Identifier",
            Self::ShortName => "ShortName",
            Self::Version => "Version",
            Self::AbsolutePath => "AbsolutePath",
            Self::ImageReference => "ImageReference",
            Self::Geometry => "Geometry",
        }
    }

    /// Returns the datatype of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|datatype| datatype.as_str() == word)
    }

    /// Returns the IRI of the literal's datatype in RDF; none for IRIs, nodes, lists and what may be either.
    pub fn rdf_datatype(self) -> Option<NamedNodeRef<'static>> {
        use oxrdf::vocab::{rdf, xsd};
        Some(match self {
            Self::LanguageText => rdf::LANG_STRING,
            Self::Text
            | Self::File
            | Self::Digest
            | Self::Identifier
            | Self::ShortName
            | Self::Version
            | Self::AbsolutePath
            | Self::ImageReference => xsd::STRING,
            Self::Integer => xsd::INTEGER,
            Self::Decimal => xsd::DECIMAL,
            Self::Boolean => xsd::BOOLEAN,
            Self::Date => xsd::DATE,
            Self::DateTime => xsd::DATE_TIME,
            Self::Duration => xsd::DURATION,
            Self::Geometry => NamedNodeRef::new_unchecked("http://www.opengis.net/ont/geosparql#wktLiteral"),
            Self::TextList | Self::TextOrIri | Self::Iri | Self::Concept | Self::Node | Self::Nest => return None,
        })
    }

    /// Says whether a value is written to RDF as an IRI.
    pub fn is_iri(self) -> bool {
        matches!(self, Self::Iri | Self::Concept)
    }

    /// Returns the regular expression that every value of this datatype matches, apart from the term's own `pattern`.
    ///
    /// Dates have one because validators of shapes are known to accept ill-typed dates as their datatype.
    pub fn pattern(self) -> Option<&'static str> {
        Some(match self {
            Self::Date => "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
            Self::DateTime => {
                "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
            }
            Self::Duration => "^P([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+(\\.[0-9]+)?S)?)?$",
            Self::Digest => "^sha256:[0-9a-f]{64}$",
            Self::Identifier => "^[a-z0-9][a-z0-9_-]*(\\.[a-z0-9][a-z0-9_-]*)+$",
            Self::ShortName => "^[a-z0-9][a-z0-9-]{0,62}$",
            Self::Version => "^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$",
            Self::AbsolutePath => "^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$",
            Self::ImageReference => {
                "^[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$"
            }
            // No part of a path begins with two dots or is one dot.
            Self::File => "^\\.?[^./\\\\:*?\"<>|][^/\\\\:*?\"<>|]*(/\\.?[^./\\\\:*?\"<>|][^/\\\\:*?\"<>|]*)*$",
            // Only schemes that lead somewhere harmless: no script, no data, no local file.
            Self::Iri => {
                "^(https?|urn|ivo|doi|mailto|tel|s?ftp|info|ark|did|geo|s3):/{0,2}[^/\\s<>\"{}|\\\\^`][^\\s<>\"{}|\\\\^`]*$"
            }
            Self::Geometry => "^(POINT|LINESTRING|POLYGON|MULTIPOINT|MULTILINESTRING|MULTIPOLYGON|ENVELOPE) ?Z? ?\\(",
            _ => return None,
        })
    }

    /// Returns what is expected, in words, for findings and documentation.
    pub fn expected(self) -> &'static str {
        match self {
            Self::LanguageText => "text by language, such as {\"en\": \"…\"}",
            Self::Text => "text",
            Self::TextList => "a list of texts",
            Self::TextOrIri => "text or an IRI",
            Self::Iri => "an absolute IRI",
            Self::Integer => "a whole number",
            Self::Decimal => "a number",
            Self::Boolean => "true or false",
            Self::Date => "a date, YYYY-MM-DD",
            Self::DateTime => "a date and time with offset, such as 2022-05-01T12:00:00Z",
            Self::Duration => "a duration, such as PT2H",
            Self::Concept => "a concept of the scheme",
            Self::Node | Self::Nest => "an object",
            Self::File => "the path of a file in the package",
            Self::Digest => "sha256: and 64 hexadecimal digits",
            Self::Identifier => "an identifier, such as esa.esdc.aladin",
            Self::ShortName => "a short name of lower-case letters, digits and -, such as aladin",
            Self::Version => "a version, such as 0.3.1",
            Self::AbsolutePath => "an absolute path without `..`, such as /data/user/pla_legacy",
            Self::ImageReference => "an image reference, such as registry.example/aladin:11.0",
            Self::Geometry => "a geometry in well-known text, such as POINT(4.4 52.2)",
        }
    }
}

/// One term as it may stand in a record of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The kind of record.
    pub kind: Kind,
    /// The class of the node that the term is said of: the record's own, or that of a nested node.
    pub class: Class,
    /// The dotted path in a manifest of that kind, such as `datalabImage.reference` or `needs.cpu.min`.
    pub key: String,
    /// Other last parts of the path that are accepted, such as `displayName`.
    pub aliases: Vec<String>,
    /// The property written to RDF.
    pub iri: NamedNode,
    /// Further properties written to RDF with the same value, such as `dcterms:title` beside `sdo:name`.
    pub also: Vec<NamedNode>,
    /// What a value is.
    pub datatype: Datatype,
    /// The fewest values in a complete record; see [`Term::is_required_from`] for an upload.
    pub min: u32,
    /// The most values; none when unbounded.
    pub max: Option<u32>,
    /// Whether there is at most one value a language.
    pub per_language: bool,
    /// Who may read it.
    pub visibility: Visibility,
    /// Who may write it.
    pub writers: Writers,
    /// A short label in English.
    pub label: String,
    /// One sentence that says what it means.
    pub definition: String,
    /// A remark for readers of the documentation.
    pub note: Option<String>,
    /// The standard that the term comes from, or `source deck`.
    pub source: String,
    /// A regular expression that every value matches, beside the datatype's own.
    pub pattern: Option<String>,
    /// The most characters of a value.
    pub max_length: Option<usize>,
    /// The closed list of values; empty when open.
    pub values: Vec<String>,
    /// The smallest and the greatest number.
    pub range: Option<(i64, i64)>,
    /// The SKOS scheme of the concepts; with datatype `Text`, the scheme that gives known values their spelling.
    pub scheme: Option<String>,
    /// The IRI that bare names are below, for concepts and for IRIs such as licences.
    pub base: Option<String>,
    /// The class of the value, for nodes.
    pub node: Option<Class>,
    /// The value that holds when none is given, as JSON.
    pub default: Option<String>,
    /// Whether only the server makes the value, so that it is never part of an upload, whoever uploads.
    pub minted: bool,
    /// The class in `terms.ttl` whose members stand below this term, for nodes and nests.
    pub(crate) members: Option<NamedNode>,
}

impl Term {
    /// Returns the last part of the key.
    pub fn name(&self) -> &str {
        self.key.rsplit_once('.').map_or(self.key.as_str(), |(_, name)| name)
    }

    /// Returns the key of the object around it; empty at the top.
    pub fn prefix(&self) -> &str {
        self.key.rsplit_once('.').map_or("", |(prefix, _)| prefix)
    }

    /// Returns the property as a compact IRI, such as `sdo:alternateName`.
    pub fn compact_iri(&self) -> String {
        compact(self.iri.as_str())
    }

    /// Says whether `role` may write it.
    pub fn is_writable_by(&self, role: Role) -> bool {
        self.writers.contains(role)
    }

    /// Says whether an upload by `role` is incomplete without it, which a term with a default never is.
    ///
    /// A nested term is required only where the object that holds it is there.
    pub fn is_required_from(&self, role: Role) -> bool {
        self.min > 0 && !self.minted && self.default.is_none() && self.writers.contains(role)
    }

    /// Says whether several values may be given.
    pub fn is_many(&self) -> bool {
        self.max != Some(1)
    }

    /// Says whether it is only there to be refused.
    pub fn is_refused(&self) -> bool {
        self.max == Some(0)
    }

    /// Says whether it is a keyword of JSON-LD, which is no property.
    pub fn is_keyword(&self) -> bool {
        self.name().starts_with('@')
    }

    /// Returns the anchor of the term on the documentation page, such as `Datalab.needs.cpu.min`.
    pub fn anchor(&self) -> String {
        format!("{}.{}", self.kind.as_str(), self.key.replace('@', "at-"))
    }
}

/// The whole table.
#[derive(Debug)]
pub struct Table {
    terms: Vec<Term>,
    of_kind: HashMap<Kind, std::ops::Range<usize>>,
    by_key: HashMap<Kind, HashMap<String, usize>>,
    classes: Vec<ClassNote>,
}

/// What the ontology says about a class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassNote {
    /// The class.
    pub class: Class,
    /// Its label in English.
    pub label: String,
    /// What its members are.
    pub definition: String,
    /// The classes that it is a subclass of.
    pub parents: Vec<NamedNode>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(TERMS_TTL).expect("the embedded terms.ttl is well formed, which a test asserts"));

impl Table {
    /// Returns the embedded table.
    pub fn get() -> &'static Self {
        &TABLE
    }

    /// Returns every term of every kind, in the order of the table.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Returns every term that a record of this kind may carry, those of nested nodes after the term that holds them.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Term> {
        self.slice(kind).iter()
    }

    /// Returns the term at a dotted path, any part of which may be an alias.
    pub fn by_key(&self, kind: Kind, key: &str) -> Option<&Term> {
        self.by_key.get(&kind)?.get(key).map(|index| &self.terms[*index])
    }

    /// Returns the terms with a property, said of the record (no parent) or of the node that `parent` leads to.
    ///
    /// Terms whose first property it is come before those that only also write it.
    pub fn by_iri(&self, kind: Kind, parent: Option<&Term>, iri: &str) -> Vec<&Term> {
        let around = parent.map_or("", |term| term.key.as_str());
        let here = |term: &&Term| term.datatype != Datatype::Nest && self.subject_key(term) == around;
        let first = self.of(kind).filter(here).filter(|term| term.iri.as_str() == iri);
        let also = self.of(kind).filter(here).filter(|term| term.also.iter().any(|other| other.as_str() == iri));
        first.chain(also).collect()
    }

    /// Returns the terms directly below a dotted path; those at the top for an empty one.
    pub fn children(&self, kind: Kind, prefix: &str) -> Vec<&Term> {
        let prefix = self.by_key(kind, prefix).map_or(prefix, |term| term.key.as_str());
        self.of(kind).filter(|term| term.prefix() == prefix).collect()
    }

    /// Returns what the ontology says about its classes, in the order of the table.
    pub fn classes(&self) -> &[ClassNote] {
        &self.classes
    }

    /// Returns the key of the term that leads to the node that `term` is said of; empty for the record itself.
    pub fn subject_key<'a>(&'a self, term: &'a Term) -> &'a str {
        let mut key = term.prefix();
        while let Some(around) = self.by_key(term.kind, key) {
            if around.datatype != Datatype::Nest {
                break;
            }
            key = around.prefix();
        }
        key
    }

    fn slice(&self, kind: Kind) -> &[Term] {
        self.of_kind.get(&kind).map_or(&[], |range| &self.terms[range.clone()])
    }
}

/// Returns the compact form of an IRI with the prefixes of the table, or the IRI itself.
pub fn compact(iri: &str) -> String {
    PREFIXES
        .iter()
        .filter(|(_, namespace)| iri.starts_with(namespace))
        .max_by_key(|(_, namespace)| namespace.len())
        .map_or_else(|| iri.to_owned(), |(prefix, namespace)| format!("{prefix}:{}", &iri[namespace.len()..]))
}

fn local_name(iri: &str) -> &str {
    iri.rsplit(['#', '/']).next().unwrap_or(iri)
}

#[cfg(test)]
mod tests;
