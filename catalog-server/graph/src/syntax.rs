//! Writes graphs with the catalogue's prefixes.

use oxigraph::io::RdfSerializer;
use oxigraph::model::Triple;

use crate::{Error, GraphSyntax};

impl GraphSyntax {
    /// Writes triples in this syntax with the catalogue's prefixes.
    pub fn write(self, triples: &[Triple]) -> Result<Vec<u8>, Error> {
        const PREFIXES: [(&str, &str); 14] = [
            ("adms", "http://www.w3.org/ns/adms#"),
            ("dcat", "http://www.w3.org/ns/dcat#"),
            ("dcterms", "http://purl.org/dc/terms/"),
            ("esado", "https://w3id.org/esado#"),
            ("foaf", "http://xmlns.com/foaf/0.1/"),
            ("prov", "http://www.w3.org/ns/prov#"),
            ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
            ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
            ("sd", "http://www.w3.org/ns/sparql-service-description#"),
            ("sdo", "https://schema.org/"),
            ("skos", "http://www.w3.org/2004/02/skos/core#"),
            ("vcard", "http://www.w3.org/2006/vcard/ns#"),
            ("void", "http://rdfs.org/ns/void#"),
            ("xsd", "http://www.w3.org/2001/XMLSchema#"),
        ];
        let mut serializer = RdfSerializer::from_format(self.rdf_format());
        for (prefix, iri) in PREFIXES {
            serializer = serializer.with_prefix(prefix, iri).map_err(|_| Error::Iri(iri.to_owned()))?;
        }
        let mut writer = serializer.for_writer(Vec::new());
        for triple in triples {
            writer.serialize_triple(triple)?;
        }
        Ok(writer.finish()?)
    }
}
