//! Our own profiles, described for who follows the IRI in a link or a header (W3C, The Profiles Vocabulary).

use oxrdf::Triple;

use crate::form::{Form, Profile};
use crate::statements::{Statements, namespace::DCTERMS, term};

const PROF: &str = "http://www.w3.org/ns/dx/prof/";
const ROLE: &str = "http://www.w3.org/ns/dx/prof/role/";

/// What helps to write or to check a document of a profile.
#[derive(Debug, Clone, Copy)]
pub struct Help {
    /// What it is for: a role of the Profiles Vocabulary.
    pub role: &'static str,
    /// Where it is.
    pub address: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// The standard that it is written in.
    pub written_in: &'static str,
}

/// A profile of ours.
#[derive(Debug)]
pub struct About {
    /// The last part of its IRI.
    pub name: &'static str,
    /// Which one it is.
    pub profile: Profile,
    /// What people call it.
    pub title: &'static str,
    /// What a document of it holds.
    pub description: &'static str,
    /// What it narrows.
    pub narrows: &'static [&'static str],
    /// What helps with it.
    pub help: &'static [Help],
}

/// Our own profiles.
pub const OWN: [About; 2] = [
    About {
        name: "v1",
        profile: Profile::Esado,
        title: "ESADO record, version 1",
        description: "Every public statement of a record of a datalab, dataset, data volume, pipeline, software, service or datazone, \
                      in the terms of the ESADO vocabulary and of the public vocabularies that it uses.",
        narrows: &["http://www.w3.org/ns/dcat", "https://schema.org/"],
        help: &[
            Help {
                role: "vocabulary",
                address: "https://w3id.org/esado",
                label: "The vocabulary",
                media_type: "text/turtle",
                written_in: "http://www.w3.org/2002/07/owl",
            },
            Help {
                role: "validation",
                address: "https://w3id.org/esado/schemas/shapes.ttl",
                label: "The shapes that every record conforms to",
                media_type: "text/turtle",
                written_in: "http://www.w3.org/ns/shacl",
            },
            Help {
                role: "schema",
                address: "https://w3id.org/esado/schemas/manifest.schema.json",
                label: "The schema of manifests",
                media_type: "application/schema+json",
                written_in: "https://json-schema.org/draft/2020-12/schema",
            },
            Help {
                role: "mapping",
                address: "https://w3id.org/esado/context/v1",
                label: "The context that manifests name",
                media_type: "application/ld+json",
                written_in: "http://www.w3.org/ns/json-ld",
            },
        ],
    },
    About {
        name: "citation",
        profile: Profile::Citation,
        title: "How a record is cited",
        description: "Authors, title, year, publisher, version and address of a record, as BibTeX, RIS, CSL-JSON or a file CITATION.cff.",
        narrows: &[],
        help: &[Help {
            role: "specification",
            address: "https://citationstyles.org/",
            label: "Citation Style Language",
            media_type: "text/html",
            written_in: "https://citationstyles.org/",
        }],
    },
];

impl About {
    /// Returns its IRI.
    pub fn iri(&self) -> &'static str {
        self.profile.iri()
    }

    /// Returns the profile by the last part of its IRI.
    pub fn find(name: &str) -> Option<&'static Self> {
        OWN.iter().find(|about| about.name == name)
    }

    /// Returns the forms that records are given in.
    pub fn forms(&self) -> impl Iterator<Item = &'static Form> {
        Form::of(self.profile)
    }
}

/// Returns the description of one of our profiles.
pub fn triples(about: &About) -> Vec<Triple> {
    let mut out = Statements::new();
    let iri = about.iri();
    out.a(iri, &term(PROF, "Profile"));
    out.a(iri, &term(DCTERMS, "Standard"));
    out.tagged(iri, &term(DCTERMS, "title"), about.title, "en");
    out.tagged(iri, &term(DCTERMS, "description"), about.description, "en");
    out.text(iri, &term(PROF, "hasToken"), about.profile.token());
    for other in about.narrows {
        out.iri(iri, &term(PROF, "isProfileOf"), other);
    }
    for help in about.help {
        let resource = format!("{iri}#{}", help.role);
        out.iri(iri, &term(PROF, "hasResource"), &resource);
        out.a(&resource, &term(PROF, "ResourceDescriptor"));
        out.tagged(&resource, &term(DCTERMS, "title"), help.label, "en");
        out.iri(&resource, &term(PROF, "hasRole"), &term(ROLE, help.role));
        out.iri(&resource, &term(PROF, "hasArtifact"), help.address);
        out.text(&resource, &term(DCTERMS, "format"), help.media_type);
        out.iri(&resource, &term(DCTERMS, "conformsTo"), help.written_in);
    }
    out.into_triples()
}

/// Returns the description of all our profiles.
pub fn all() -> Vec<Triple> {
    OWN.iter().flat_map(triples).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_below_our_namespace_is_described() {
        for profile in Profile::ALL {
            let own = profile.iri().strip_prefix("https://w3id.org/esado/profile/");
            assert_eq!(own.and_then(About::find).map(About::iri), own.map(|_| profile.iri()), "{profile:?}");
        }
        let said = triples(&OWN[0]);
        assert!(said.iter().any(|one| one.object.to_string().contains("shapes.ttl")));
        assert_eq!(all().len(), said.len() + triples(&OWN[1]).len());
    }
}
