//! The SPARQL query that gives the same number as a search, so that a count can be checked by anybody.

use catalog_schemas::search::SearchQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const NOTATION: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const PREFIXES: &str = "PREFIX esado: <https://w3id.org/esado#>\n\
    PREFIX dcterms: <http://purl.org/dc/terms/>\n\
    PREFIX skos: <http://www.w3.org/2004/02/skos/core#>\n";

/// The record types, each a class under `https://w3id.org/esado#`.
const KINDS: [&str; 5] = ["Datalab", "Dataset", "DataVolume", "Pipeline", "Datazone"];

/// Returns the query that counts what a search by facets finds; absent when words, or a facet that is not a
/// statement about the record, take part.
pub fn sparql_for(query: &SearchQuery) -> Option<String> {
    if !query.q.is_empty() {
        return None;
    }
    let mut patterns = String::new();
    let kinds: Vec<&str> = query.chosen("type").collect();
    let classes: Vec<&str> = if kinds.is_empty() {
        KINDS.to_vec()
    } else {
        kinds.iter().filter(|kind| KINDS.contains(kind)).copied().collect()
    };
    let classes: Vec<String> = classes.iter().map(|class| format!("esado:{class}")).collect();
    patterns.push_str(&format!("  VALUES ?type {{ {} }}\n  ?record a ?type .\n", classes.join(" ")));
    let mut seen: Vec<&str> = vec!["type"];
    for (facet, _) in &query.facets {
        if seen.contains(&facet.as_str()) {
            continue;
        }
        seen.push(facet);
        patterns.push_str(&pattern(facet, &query.chosen(facet).collect::<Vec<_>>())?);
    }
    Some(format!("{PREFIXES}SELECT (COUNT(DISTINCT ?record) AS ?records) WHERE {{\n{patterns}}}"))
}

fn pattern(facet: &str, values: &[&str]) -> Option<String> {
    let concepts = |scheme: &str| {
        let concept = |value: &&str| {
            let notation = value.rsplit('/').next().unwrap_or_default();
            format!("<https://w3id.org/esado/{scheme}/{}>", utf8_percent_encode(notation, NOTATION))
        };
        values.iter().map(concept).collect::<Vec<_>>().join(" ")
    };
    let literals = || values.iter().map(|value| literal(value)).collect::<Vec<_>>().join(" ");
    // A concept below the chosen one counts too, as in the facet's tree.
    let tree = |term: &str, scheme: &str| {
        format!("  VALUES ?{facet} {{ {} }}\n  ?record esado:{term}/skos:broader* ?{facet} .\n", concepts(scheme))
    };
    Some(match facet {
        "domain" => tree("domain", "domain"),
        "mission" => tree("mission", "mission"),
        "instrument" => tree("instrument", "instrument"),
        "thematicArea" => tree("thematicArea", "thematic-area"),
        "property" => tree("assetProperty", "property"),
        "interface" => {
            format!("  VALUES ?interface {{ {} }}\n  ?record esado:interfaceType ?interface .\n", literals())
        }
        "fileType" => {
            format!("  VALUES ?fileType {{ {} }}\n  ?record esado:associatedFileType ?fileType .\n", literals())
        }
        "licence" => {
            let licence =
                |value: &&str| format!("<https://spdx.org/licenses/{}>", utf8_percent_encode(value, NOTATION));
            let licences: Vec<String> = values.iter().map(licence).collect();
            format!("  VALUES ?licence {{ {} }}\n  ?record dcterms:license ?licence .\n", licences.join(" "))
        }
        "gpu" => {
            let needs = "?record esado:needs/esado:minGpuCount ?gpus . FILTER(?gpus > 0)";
            match values {
                ["required"] => format!("  {needs}\n"),
                // Only what runs has this facet, so what is merely data needs to be kept out.
                ["none"] => {
                    format!("  FILTER(?type IN (esado:Datalab, esado:Pipeline))\n  FILTER NOT EXISTS {{ {needs} }}\n")
                }
                _ => return None,
            }
        }
        "year" => {
            let years = values.iter().map(|year| literal(year)).collect::<Vec<_>>().join(", ");
            format!("  ?record dcterms:issued ?issued .\n  FILTER(SUBSTR(STR(?issued), 1, 4) IN ({years}))\n")
        }
        _ => return None,
    })
}

fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn search(pairs: &[(&str, &str)]) -> SearchQuery {
        SearchQuery::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn the_query_says_what_the_facets_say() {
        let query = search(&[("type", "Datalab"), ("mission", "astronomy/gaia"), ("mission", "astronomy/hst")]);
        assert_eq!(
            sparql_for(&query).unwrap(),
            "PREFIX esado: <https://w3id.org/esado#>\nPREFIX dcterms: <http://purl.org/dc/terms/>\n\
             PREFIX skos: <http://www.w3.org/2004/02/skos/core#>\n\
             SELECT (COUNT(DISTINCT ?record) AS ?records) WHERE {\n\
             \x20 VALUES ?type { esado:Datalab }\n  ?record a ?type .\n\
             \x20 VALUES ?mission { <https://w3id.org/esado/mission/gaia> <https://w3id.org/esado/mission/hst> }\n\
             \x20 ?record esado:mission/skos:broader* ?mission .\n}"
        );
    }

    #[test]
    fn words_have_no_such_query() {
        assert_eq!(sparql_for(&search(&[("q", "gaia")])), None);
        assert_eq!(sparql_for(&search(&[("datazone", "go-esa")])), None);
    }

    #[test]
    fn every_query_is_sparql() {
        for (facet, value) in [
            ("type", "Datalab"),
            ("domain", "space-science"),
            ("mission", "astronomy/gaia"),
            ("instrument", "miri"),
            ("thematicArea", "stars"),
            ("property", "QueryTool"),
            ("interface", "web"),
            ("fileType", "FITS"),
            ("licence", "GPL-3.0-only"),
            ("gpu", "required"),
            ("gpu", "none"),
            ("year", "2022"),
        ] {
            let text = sparql_for(&search(&[(facet, value)])).unwrap();
            spargebra::SparqlParser::new()
                .parse_query(&text)
                .unwrap_or_else(|error| panic!("{facet}: {error}\n{text}"));
        }
        for (title, text) in crate::page::sparql::EXAMPLES {
            spargebra::SparqlParser::new().parse_query(text).unwrap_or_else(|error| panic!("{title}: {error}"));
        }
    }

    proptest! {
        #[test]
        fn a_value_never_becomes_syntax(value in "[ -~\n\t\u{80}-\u{2fff}]{1,60}") {
            let plain = shape(&sparql_for(&search(&[("fileType", "x"), ("mission", "x"), ("year", "x")])).unwrap());
            let query = search(&[("fileType", &format!("x{value}")), ("mission", &format!("x{value}")), ("year", &format!("x{value}"))]);
            prop_assert_eq!(shape(&sparql_for(&query).unwrap()), plain);
        }
    }

    /// The algebra of a query with every value of the template's places taken out.
    fn shape(text: &str) -> String {
        let query = spargebra::SparqlParser::new().parse_query(text).unwrap();
        let sse = query.to_sse();
        let mut shape = String::new();
        let mut characters = sse.chars();
        while let Some(c) = characters.next() {
            let end = match c {
                '"' => '"',
                '<' => '>',
                // The parser names its own variables by chance, in hexadecimal digits.
                c => {
                    shape.extend(Some(c).filter(|c| !c.is_ascii_hexdigit()));
                    continue;
                }
            };
            shape.push('_');
            while let Some(inner) = characters.next() {
                if inner == '\\' {
                    characters.next();
                } else if inner == end {
                    break;
                }
            }
        }
        shape
    }
}
