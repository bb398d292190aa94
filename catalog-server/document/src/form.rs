//! The forms in which a record can be had: a profile, a media type, a suffix.

use serde_json::Value;

use crate::described::Described;
use crate::syntax::{Syntax, WriteError};
use crate::{citation, codemeta, datacite, dcat, ro_crate, schema_org};

/// What a document says of a record, whatever the syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Every public statement, in our own words.
    Esado,
    /// DCAT-AP 3.0.
    DcatAp,
    /// schema.org.
    SchemaOrg,
    /// DataCite, schema 4.
    DataCite,
    /// RO-Crate 1.1.
    RoCrate,
    /// CodeMeta 3.
    CodeMeta,
    /// How it is cited.
    Citation,
}

impl Profile {
    /// Every profile, the preferred first.
    pub const ALL: [Self; 7] =
        [Self::Esado, Self::DcatAp, Self::SchemaOrg, Self::DataCite, Self::RoCrate, Self::CodeMeta, Self::Citation];

    /// Returns the short name, as in `?profile=dcat-ap`.
    pub fn token(self) -> &'static str {
        match self {
            Self::Esado => "esado",
            Self::DcatAp => "dcat-ap",
            Self::SchemaOrg => "schema",
            Self::DataCite => "datacite",
            Self::RoCrate => "ro-crate",
            Self::CodeMeta => "codemeta",
            Self::Citation => "citation",
        }
    }

    /// Returns the IRI, as in `Accept-Profile`.
    pub fn iri(self) -> &'static str {
        match self {
            Self::Esado => "https://w3id.org/esado/profile/v1",
            Self::DcatAp => dcat::PROFILE,
            Self::SchemaOrg => schema_org::PROFILE,
            Self::DataCite => datacite::PROFILE,
            Self::RoCrate => ro_crate::PROFILE,
            Self::CodeMeta => codemeta::PROFILE,
            Self::Citation => "https://w3id.org/esado/profile/citation",
        }
    }

    /// Returns the profile that a short name or an IRI means; with or without a last slash or hash.
    pub fn find(name: &str) -> Option<Self> {
        const OTHERS: [(&str, Profile); 8] = [
            ("dcat", Profile::DcatAp),
            ("dcatap", Profile::DcatAp),
            ("http://www.w3.org/ns/dcat", Profile::DcatAp),
            ("https://semiceu.github.io/DCAT-AP/releases/3.0.0", Profile::DcatAp),
            ("schema.org", Profile::SchemaOrg),
            ("http://schema.org", Profile::SchemaOrg),
            ("https://w3id.org/ro/crate", Profile::RoCrate),
            ("https://w3id.org/esado", Profile::Esado),
        ];
        let plain = |text: &str| text.trim_end_matches(['/', '#']).to_ascii_lowercase();
        let name = plain(name);
        let own = Self::ALL.into_iter().find(|profile| profile.token() == name || plain(profile.iri()) == name);
        own.or_else(|| OTHERS.iter().find(|(other, _)| plain(other) == name).map(|(_, profile)| *profile))
    }
}

/// One form of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What it says.
    pub profile: Profile,
    /// The suffix of its path, without the first dot.
    pub suffix: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// What people call it.
    pub label: &'static str,
    writer: Writer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    Graph(Syntax),
    DcatAp(Syntax),
    SchemaOrg,
    DataCiteXml,
    DataCiteJson,
    RoCrate,
    CodeMeta,
    BibTex,
    Ris,
    Csl,
    Cff,
}

const fn graph(syntax: Syntax, suffix: &'static str, media_type: &'static str, label: &'static str) -> Form {
    Form { profile: Profile::Esado, suffix, media_type, label, writer: Writer::Graph(syntax) }
}

const fn dcat_ap(syntax: Syntax, suffix: &'static str, media_type: &'static str, label: &'static str) -> Form {
    Form { profile: Profile::DcatAp, suffix, media_type, label, writer: Writer::DcatAp(syntax) }
}

const fn form(
    profile: Profile,
    writer: Writer,
    suffix: &'static str,
    media_type: &'static str,
    label: &'static str,
) -> Form {
    Form { profile, suffix, media_type, label, writer }
}

/// Every form; among those of one media type the first is given when no profile is asked for.
static FORMS: [Form; 19] = [
    graph(Syntax::Turtle, "ttl", "text/turtle", "Turtle"),
    graph(Syntax::JsonLd, "jsonld", "application/ld+json", "JSON-LD"),
    graph(Syntax::RdfXml, "rdf", "application/rdf+xml", "RDF/XML"),
    graph(Syntax::NTriples, "nt", "application/n-triples", "N-Triples"),
    graph(Syntax::NQuads, "nq", "application/n-quads", "N-Quads"),
    graph(Syntax::TriG, "trig", "application/trig", "TriG"),
    dcat_ap(Syntax::Turtle, "dcat-ap.ttl", "text/turtle", "DCAT-AP, Turtle"),
    dcat_ap(Syntax::JsonLd, "dcat-ap.jsonld", "application/ld+json", "DCAT-AP, JSON-LD"),
    dcat_ap(Syntax::RdfXml, "dcat-ap.rdf", "application/rdf+xml", "DCAT-AP, RDF/XML"),
    dcat_ap(Syntax::NTriples, "dcat-ap.nt", "application/n-triples", "DCAT-AP, N-Triples"),
    form(Profile::SchemaOrg, Writer::SchemaOrg, "schema.jsonld", "application/vnd.schemaorg.ld+json", "schema.org"),
    form(
        Profile::DataCite,
        Writer::DataCiteXml,
        "datacite.xml",
        "application/vnd.datacite.datacite+xml",
        "DataCite, XML",
    ),
    form(
        Profile::DataCite,
        Writer::DataCiteJson,
        "datacite.json",
        "application/vnd.datacite.datacite+json",
        "DataCite, JSON",
    ),
    form(
        Profile::RoCrate,
        Writer::RoCrate,
        "ro-crate.jsonld",
        "application/ld+json; profile=\"https://w3id.org/ro/crate\"",
        "RO-Crate",
    ),
    form(Profile::CodeMeta, Writer::CodeMeta, "codemeta.json", "application/vnd.codemeta.ld+json", "CodeMeta"),
    form(Profile::Citation, Writer::BibTex, "bib", "application/x-bibtex", "BibTeX"),
    form(Profile::Citation, Writer::Ris, "ris", "application/x-research-info-systems", "RIS"),
    form(Profile::Citation, Writer::Csl, "csl.json", "application/vnd.citationstyles.csl+json", "CSL-JSON"),
    form(Profile::Citation, Writer::Cff, "cff", "application/yaml", "CITATION.cff"),
];

impl Form {
    /// Returns every form.
    pub fn all() -> &'static [Self] {
        &FORMS
    }

    /// Returns the forms of a profile.
    pub fn of(profile: Profile) -> impl Iterator<Item = &'static Self> {
        FORMS.iter().filter(move |form| form.profile == profile)
    }

    /// Takes a suffix off a name; the longest that fits.
    pub fn split(name: &str) -> Option<(&str, &'static Self)> {
        let stem = |form: &'static Self| Some((name.strip_suffix(form.suffix)?.strip_suffix('.')?, form));
        FORMS.iter().filter_map(stem).min_by_key(|(stem, _)| stem.len())
    }

    /// Returns the media type without its parameters.
    pub fn essence(&self) -> &'static str {
        self.media_type.split(';').next().unwrap_or(self.media_type)
    }

    /// Returns the form of the same media type in another profile; a generic type will do where there is no other.
    pub fn in_profile(&self, profile: Profile) -> Option<&'static Self> {
        let generic = |form: &Self| match form.essence() {
            "application/vnd.schemaorg.ld+json" | "application/vnd.codemeta.ld+json" => "application/ld+json",
            essence => essence,
        };
        Self::of(profile).find(|form| form.essence() == self.essence() || generic(form) == self.essence())
    }

    /// Says whether the form is RDF in one of the syntaxes.
    pub fn syntax(&self) -> Option<Syntax> {
        match self.writer {
            Writer::Graph(syntax) | Writer::DcatAp(syntax) => Some(syntax),
            _ => None,
        }
    }

    /// Writes a record in this form.
    ///
    /// # Errors
    ///
    /// When a statement cannot be written in the syntax.
    pub fn write(&self, described: &Described) -> Result<Vec<u8>, WriteError> {
        let pretty = |value: Value| format!("{value:#}\n").into_bytes();
        Ok(match self.writer {
            Writer::Graph(syntax) if syntax.names_graphs() => syntax.write_quads(&described.quads())?,
            Writer::Graph(syntax) => syntax.write(&described.triples())?,
            Writer::DcatAp(syntax) => syntax.write(&dcat::record(described))?,
            Writer::SchemaOrg => pretty(schema_org::document(described)),
            Writer::DataCiteXml => datacite::xml(described, true).into_bytes(),
            Writer::DataCiteJson => pretty(datacite::json(described)),
            Writer::RoCrate => pretty(ro_crate::document(described)),
            Writer::CodeMeta => pretty(codemeta::document(described)),
            Writer::BibTex => citation::bibtex(described).into_bytes(),
            Writer::Ris => citation::ris(described).into_bytes(),
            Writer::Csl => pretty(Value::Array(vec![citation::csl(described)])),
            Writer::Cff => citation::cff(described).into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_suffix_is_taken() {
        let split = |name| Form::split(name).map(|(stem, form)| (stem, form.suffix));
        assert_eq!(split("esa.esdc.aladin.ttl"), Some(("esa.esdc.aladin", "ttl")));
        assert_eq!(split("esa.esdc.aladin.dcat-ap.ttl"), Some(("esa.esdc.aladin", "dcat-ap.ttl")));
        assert_eq!(split("0.3.1.datacite.xml"), Some(("0.3.1", "datacite.xml")));
        assert_eq!(split("esa.esdc.aladin"), None);
    }

    #[test]
    fn suffixes_are_different_and_profiles_are_found() {
        for (number, form) in FORMS.iter().enumerate() {
            assert!(FORMS[number + 1..].iter().all(|other| other.suffix != form.suffix), "{}", form.suffix);
        }
        for profile in Profile::ALL {
            assert_eq!(Profile::find(profile.token()), Some(profile));
            assert_eq!(Profile::find(profile.iri()), Some(profile));
        }
        assert_eq!(Profile::find("http://www.w3.org/ns/dcat#"), Some(Profile::DcatAp));
        assert_eq!(Profile::find("nothing"), None);
    }
}
