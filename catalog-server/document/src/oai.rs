//! OAI-PMH 2.0: what a request asks, how far a list has come, and the envelope of every answer.
//!
//! A resumption token holds its whole state, so the server keeps none and a token never grows old: the list goes on after
//! the datestamp and number of the last record given, and a record that changes meanwhile comes again at the end.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{Timestamp, civil};

use crate::described::{Described, seconds};
use crate::xml::{Xml, inside};
use crate::{Syntax, WriteError, datacite, dcat, dublin_core};

/// Records in one answer.
pub const PAGE: u32 = 100;

/// The longest argument that is read.
const LONGEST: usize = 600;

/// A metadata format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `oai_dc`.
    DublinCore,
    /// `oai_datacite`.
    DataCite,
    /// `dcat`: DCAT-AP in RDF/XML.
    Dcat,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::DublinCore, Self::DataCite, Self::Dcat];

    /// Returns the prefix.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::DublinCore => "oai_dc",
            Self::DataCite => "oai_datacite",
            Self::Dcat => "dcat",
        }
    }

    fn from_prefix(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.prefix() == prefix)
    }

    fn schema(self) -> &'static str {
        match self {
            Self::DublinCore => dublin_core::SCHEMA,
            Self::DataCite => "http://schema.datacite.org/oai/oai-1.1/oai.xsd",
            Self::Dcat => "http://www.w3.org/2000/07/rdf.xsd",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::DublinCore => dublin_core::NAMESPACE,
            Self::DataCite => "http://schema.datacite.org/oai/oai-1.1/",
            Self::Dcat => "http://www.w3.org/ns/dcat#",
        }
    }

    /// Returns a record's metadata in this format.
    ///
    /// # Errors
    ///
    /// When a statement cannot be written.
    pub fn write(self, described: &Described) -> Result<String, WriteError> {
        Ok(match self {
            Self::DublinCore => dublin_core::xml(described),
            Self::DataCite => {
                let mut xml = Xml::fragment();
                xml.open("oai_datacite", &[("xmlns", self.namespace())]);
                xml.leaf("schemaVersion", &[], "4.5").leaf("datacentreSymbol", &[], "ALIDADE");
                xml.open("payload", &[]).raw(&datacite::xml(described, false));
                xml.finish()
            }
            Self::Dcat => {
                let document = Syntax::RdfXml.write(&dcat::record(described))?;
                inside(&String::from_utf8_lossy(&document)).to_owned()
            }
        })
    }
}

/// A set of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set {
    /// Records of a type, such as `type:Datalab`.
    Type(String),
    /// Records of a source, such as `source:go-esa`.
    Source(String),
}

impl Set {
    fn parse(text: &str) -> Option<Self> {
        let (kind, value) = text.split_once(':')?;
        let is_word = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        match kind {
            "type" if is_word => Some(Self::Type(value.to_owned())),
            "source" if is_word => Some(Self::Source(value.to_owned())),
            _ => None,
        }
    }

    fn spec(&self) -> String {
        match self {
            Self::Type(value) => format!("type:{value}"),
            Self::Source(value) => format!("source:{value}"),
        }
    }
}

/// What a list asks for, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Whether only headers are asked for.
    pub headers_only: bool,
    /// The format.
    pub format: Format,
    /// The first moment, in milliseconds.
    pub from: Option<i64>,
    /// The moment after the last, in milliseconds.
    pub before: Option<i64>,
    /// The set.
    pub set: Option<Set>,
    /// The moment and the number of the last record that was given.
    pub after: Option<(i64, i64)>,
    /// Records that were given so far.
    pub given: u64,
    /// Records of the whole list, when it was counted.
    pub total: Option<u64>,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Who are you?
    Identify,
    /// Which formats are there, for a record or at all?
    Formats(Option<String>),
    /// Which sets are there?
    Sets,
    /// One record.
    Record(String, Format),
    /// Many records, or their headers.
    List(List),
}

/// Why a request has no answer, in the protocol's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Makes a fault.
pub fn fault(code: &'static str, message: impl Into<String>) -> Fault {
    Fault { code, message: message.into() }
}

impl Request {
    /// Reads the arguments of a request.
    ///
    /// # Errors
    ///
    /// `badVerb`, `badArgument`, `badResumptionToken` or `cannotDisseminateFormat`.
    pub fn parse(arguments: &[(String, String)]) -> Result<Self, Fault> {
        if arguments.iter().any(|(_, value)| value.len() > LONGEST) {
            return Err(fault("badArgument", "an argument is too long"));
        }
        let verbs: Vec<&str> =
            arguments.iter().filter(|(name, _)| name == "verb").map(|(_, verb)| verb.as_str()).collect();
        let [verb] = verbs[..] else {
            return Err(fault("badVerb", "there must be exactly one verb"));
        };
        let rest = Arguments(arguments);
        match verb {
            "Identify" => rest.only(&[]).map(|()| Self::Identify),
            "ListMetadataFormats" => {
                rest.only(&["identifier"])?;
                Ok(Self::Formats(rest.get("identifier").map(str::to_owned)))
            }
            "ListSets" => {
                rest.only(&["resumptionToken"])?;
                match rest.get("resumptionToken") {
                    Some(_) => Err(fault("badResumptionToken", "the list of sets is given whole, so it has no token")),
                    None => Ok(Self::Sets),
                }
            }
            "GetRecord" => {
                rest.only(&["identifier", "metadataPrefix"])?;
                let identifier = rest.need("identifier")?;
                Ok(Self::Record(identifier.to_owned(), format_of(rest.need("metadataPrefix")?)?))
            }
            "ListIdentifiers" | "ListRecords" => rest.list(verb == "ListIdentifiers").map(Self::List),
            other => Err(fault("badVerb", format!("`{}` is no verb", other.chars().take(40).collect::<String>()))),
        }
    }
}

fn format_of(prefix: &str) -> Result<Format, Fault> {
    Format::from_prefix(prefix)
        .ok_or_else(|| fault("cannotDisseminateFormat", "the formats are oai_dc, oai_datacite and dcat"))
}

struct Arguments<'a>(&'a [(String, String)]);

impl Arguments<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn need(&self, name: &str) -> Result<&str, Fault> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| fault("badArgument", format!("`{name}` is missing")))
    }

    fn only(&self, allowed: &[&str]) -> Result<(), Fault> {
        for (number, (name, _)) in self.0.iter().enumerate() {
            if name != "verb" && !allowed.contains(&name.as_str()) {
                let name: String = name.chars().take(40).collect();
                return Err(fault("badArgument", format!("`{name}` is no argument of this verb")));
            }
            if self.0[..number].iter().any(|(before, _)| before == name) {
                return Err(fault("badArgument", format!("`{name}` is there twice")));
            }
        }
        Ok(())
    }

    fn list(&self, headers_only: bool) -> Result<List, Fault> {
        if let Some(token) = self.get("resumptionToken") {
            self.only(&["resumptionToken"])?;
            let list = List::from_token(token).filter(|list| list.headers_only == headers_only);
            return list.ok_or_else(|| fault("badResumptionToken", "the token is none of this list's"));
        }
        self.only(&["metadataPrefix", "from", "until", "set"])?;
        let format = format_of(self.need("metadataPrefix")?)?;
        let read = |name: &str| self.get(name).map(Stamp::parse).transpose();
        let (from, until) = (read("from")?, read("until")?);
        if let (Some(from), Some(until)) = (&from, &until) {
            if from.is_day != until.is_day {
                return Err(fault("badArgument", "`from` and `until` have different granularities"));
            }
            if from.start > until.start {
                return Err(fault("badArgument", "`from` is later than `until`"));
            }
        }
        let set =
            self.get("set").map(|text| Set::parse(text).ok_or_else(|| fault("noRecordsMatch", "there is no such set")));
        Ok(List {
            headers_only,
            format,
            from: from.map(|stamp| stamp.start),
            before: until.map(|stamp| stamp.end),
            set: set.transpose()?,
            after: None,
            given: 0,
            total: None,
        })
    }
}

/// A datestamp: the first millisecond that it means, and the first after it.
struct Stamp {
    start: i64,
    end: i64,
    is_day: bool,
}

impl Stamp {
    fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = || fault("badArgument", "a datestamp is YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ");
        match text.len() {
            10 => {
                let day: civil::Date = text.parse().map_err(|_| wrong())?;
                let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?.timestamp().as_millisecond();
                Ok(Self { start, end: start.saturating_add(86_400_000), is_day: true })
            }
            20 if text.ends_with('Z') && text.as_bytes()[10] == b'T' => {
                let start = text.parse::<Timestamp>().map_err(|_| wrong())?.as_millisecond();
                Ok(Self { start, end: start.saturating_add(1000), is_day: false })
            }
            _ => Err(wrong()),
        }
    }
}

impl List {
    /// Returns the token with which the list goes on after a record.
    pub fn token(&self, after: (i64, i64), given: u64, total: u64) -> String {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let text = [
            "1".to_owned(),
            if self.headers_only { "I" } else { "R" }.to_owned(),
            self.format.prefix().to_owned(),
            number(self.from),
            number(self.before),
            self.set.as_ref().map(Set::spec).unwrap_or_default(),
            after.0.to_string(),
            after.1.to_string(),
            given.to_string(),
            total.to_string(),
        ]
        .join("|");
        URL_SAFE_NO_PAD.encode(text)
    }

    fn from_token(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let parts: Vec<&str> = text.split('|').collect();
        let ["1", kind @ ("I" | "R"), prefix, from, before, set, at, id, given, total] = parts[..] else { return None };
        let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse::<i64>().ok().map(Some) };
        Some(Self {
            headers_only: kind == "I",
            format: Format::from_prefix(prefix)?,
            from: number(from)?,
            before: number(before)?,
            set: if set.is_empty() { None } else { Some(Set::parse(set)?) },
            after: Some((at.parse().ok()?, id.parse().ok()?)),
            given: given.parse().ok()?,
            total: Some(total.parse().ok()?),
        })
    }
}

/// What stands in a record's header.
#[derive(Debug, Clone)]
pub struct Header {
    /// The record's IRI.
    pub identifier: String,
    /// When it last changed.
    pub stamp: Timestamp,
    /// Its type.
    pub kind: String,
    /// Its sources.
    pub sources: Vec<String>,
    /// Whether it was withdrawn.
    pub deleted: bool,
}

impl Header {
    /// Writes the header.
    pub fn write(&self, xml: &mut Xml) {
        xml.open("header", if self.deleted { &[("status", "deleted")] } else { &[] });
        xml.leaf("identifier", &[], &self.identifier).leaf("datestamp", &[], &seconds(self.stamp));
        xml.leaf("setSpec", &[], &Set::Type(self.kind.clone()).spec());
        for source in &self.sources {
            xml.leaf("setSpec", &[], &Set::Source(source.clone()).spec());
        }
        xml.close();
    }
}

/// Begins an answer; `arguments` are repeated in it unless the request could not be read.
pub fn begin(base: &str, now: Timestamp, arguments: Option<&[(String, String)]>) -> Xml {
    let mut xml = Xml::document();
    xml.open(
        "OAI-PMH",
        &[
            ("xmlns", "http://www.openarchives.org/OAI/2.0/"),
            ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            (
                "xsi:schemaLocation",
                "http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd",
            ),
        ],
    );
    xml.leaf("responseDate", &[], &seconds(now));
    let attributes: Vec<(&str, &str)> =
        arguments.unwrap_or_default().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    xml.leaf("request", &attributes, &format!("{base}/oai"));
    xml
}

/// Returns the answer that says what is wrong.
pub fn failed(base: &str, now: Timestamp, arguments: &[(String, String)], fault: &Fault) -> String {
    // What could not be read is not repeated (section 3.2).
    let repeated = !matches!(fault.code, "badVerb" | "badArgument");
    let mut xml = begin(base, now, repeated.then_some(arguments));
    xml.leaf("error", &[("code", fault.code)], &fault.message);
    xml.finish()
}

/// Who provides.
#[derive(Debug, Clone)]
pub struct Identity<'a> {
    /// The base of this catalogue.
    pub base: &'a str,
    /// The name of the zone that runs it.
    pub zone: &'a str,
    /// The mailbox of who runs it.
    pub mailbox: &'a str,
    /// The earliest datestamp.
    pub earliest: Timestamp,
}

/// Writes who provides.
pub fn identify(xml: &mut Xml, identity: &Identity<'_>) {
    xml.open("Identify", &[]);
    xml.leaf("repositoryName", &[], &format!("Alidade catalogue of {}", identity.zone));
    xml.leaf("baseURL", &[], &format!("{}/oai", identity.base)).leaf("protocolVersion", &[], "2.0");
    xml.leaf("adminEmail", &[], identity.mailbox).leaf("earliestDatestamp", &[], &seconds(identity.earliest));
    xml.leaf("deletedRecord", &[], "persistent").leaf("granularity", &[], "YYYY-MM-DDThh:mm:ssZ");
    xml.leaf("compression", &[], "gzip").close();
}

/// Writes the formats.
pub fn formats(xml: &mut Xml) {
    xml.open("ListMetadataFormats", &[]);
    for format in Format::ALL {
        xml.open("metadataFormat", &[]).leaf("metadataPrefix", &[], format.prefix());
        xml.leaf("schema", &[], format.schema()).leaf("metadataNamespace", &[], format.namespace()).close();
    }
    xml.close();
}

/// Writes the sets.
pub fn sets(xml: &mut Xml, kinds: &[&str], sources: &[String]) {
    xml.open("ListSets", &[]);
    let kinds = kinds.iter().map(|kind| (format!("type:{kind}"), format!("Records of the type {kind}")));
    let sources = sources.iter().map(|source| (format!("source:{source}"), format!("Records that {source} gives")));
    for (spec, name) in kinds.chain(sources) {
        xml.open("set", &[]).leaf("setSpec", &[], &spec).leaf("setName", &[], &name).close();
    }
    xml.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<Request, Fault> {
        let arguments: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request::parse(&arguments)
    }

    #[test]
    fn each_fault_has_its_code() {
        let rows: &[(&[(&str, &str)], &str)] = &[
            (&[], "badVerb"),
            (&[("verb", "Nothing")], "badVerb"),
            (&[("verb", "Identify"), ("verb", "Identify")], "badVerb"),
            (&[("verb", "Identify"), ("set", "a")], "badArgument"),
            (&[("verb", "GetRecord"), ("identifier", "a")], "badArgument"),
            (&[("verb", "GetRecord"), ("metadataPrefix", "oai_dc")], "badArgument"),
            (&[("verb", "GetRecord"), ("identifier", "a"), ("metadataPrefix", "marc")], "cannotDisseminateFormat"),
            (&[("verb", "ListRecords")], "badArgument"),
            (&[("verb", "ListRecords"), ("metadataPrefix", "oai_dc"), ("metadataPrefix", "oai_dc")], "badArgument"),
            (&[("verb", "ListRecords"), ("metadataPrefix", "oai_dc"), ("from", "yesterday")], "badArgument"),
            (&[("verb", "ListRecords"), ("metadataPrefix", "oai_dc"), ("from", "2024-02-30")], "badArgument"),
            (
                &[
                    ("verb", "ListRecords"),
                    ("metadataPrefix", "oai_dc"),
                    ("from", "2024-01-02"),
                    ("until", "2024-01-01"),
                ],
                "badArgument",
            ),
            (
                &[
                    ("verb", "ListRecords"),
                    ("metadataPrefix", "oai_dc"),
                    ("from", "2024-01-02"),
                    ("until", "2024-01-03T00:00:00Z"),
                ],
                "badArgument",
            ),
            (&[("verb", "ListRecords"), ("metadataPrefix", "oai_dc"), ("set", "colour")], "noRecordsMatch"),
            (&[("verb", "ListRecords"), ("resumptionToken", "x"), ("metadataPrefix", "oai_dc")], "badArgument"),
            (&[("verb", "ListRecords"), ("resumptionToken", "nonsense")], "badResumptionToken"),
            (&[("verb", "ListSets"), ("resumptionToken", "nonsense")], "badResumptionToken"),
        ];
        for (query, code) in rows {
            assert_eq!(parse(query).unwrap_err().code, *code, "{query:?}");
        }
    }

    #[test]
    fn a_day_means_the_whole_day() {
        let query =
            [("verb", "ListIdentifiers"), ("metadataPrefix", "dcat"), ("from", "1970-01-02"), ("until", "1970-01-02")];
        let Ok(Request::List(list)) = parse(&query) else { unreachable!() };
        assert_eq!((list.from, list.before), (Some(86_400_000), Some(172_800_000)));
        assert!(list.headers_only);
    }

    proptest::proptest! {
        #[test]
        fn a_token_holds_the_whole_state(from: Option<i64>, at: i64, id: i64, given: u64, total: u64, source in "[a-z][a-z0-9-]{0,20}") {
            let list = List {
                headers_only: given % 2 == 0, format: Format::DataCite, from, before: from, set: Some(Set::Source(source)),
                after: Some((at, id)), given, total: Some(total),
            };
            let token = list.token((at, id), given, total);
            proptest::prop_assert!(token.len() < LONGEST);
            proptest::prop_assert_eq!(List::from_token(&token), Some(list));
        }

        #[test]
        fn any_token_is_read_or_refused(token in "\\PC{0,60}") {
            let _ = List::from_token(&token);
        }
    }
}
