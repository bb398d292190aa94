//! What is asked, and what of the answers is compared.

pub(crate) const PREFIXES: &str = "PREFIX dct: <http://purl.org/dc/terms/> PREFIX dcat: <http://www.w3.org/ns/dcat#> \
    PREFIX foaf: <http://xmlns.com/foaf/0.1/> PREFIX skos: <http://www.w3.org/2004/02/skos/core#> \
    PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> PREFIX ex: <https://portal.example.org/voc#> ";

/// What of an answer is the same everywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Same {
    /// All of it.
    Whole,
    /// How many rows there are: an unordered LIMIT may give any, GROUP_CONCAT any order.
    Rows,
    /// Nothing: named graphs are here only.
    Nothing,
}

/// Queries, and what is compared. The first eight are those of the issue that this measures.
pub(crate) const QUERIES: &[(&str, &str, Same)] = &[
    (
        "facet by mission",
        "SELECT ?m (COUNT(?d) AS ?n) { ?d ex:domain <https://portal.example.org/domain/0> ; ex:mission ?m } GROUP BY ?m ORDER BY DESC(?n)",
        Same::Whole,
    ),
    (
        "title contains",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title ?t FILTER(CONTAINS(LCASE(STR(?t)), \"ban\")) }",
        Same::Whole,
    ),
    (
        "latest 20",
        "SELECT ?d ?t ?date { ?d a dcat:Dataset ; dct:modified ?date ; dct:title ?t } ORDER BY DESC(?date) LIMIT 20",
        Same::Whole,
    ),
    ("describe", "DESCRIBE <https://portal.example.org/dataset/cat-03-00000777>", Same::Whole),
    (
        "having",
        "SELECT ?p ?name (COUNT(?d) AS ?n) { ?d dct:publisher ?p . ?p foaf:name ?name } GROUP BY ?p ?name HAVING (COUNT(?d) > 100) ORDER BY DESC(?n)",
        Same::Whole,
    ),
    (
        "two hops",
        "SELECT ?f (COUNT(DISTINCT ?d) AS ?n) { ?d ex:mission <https://portal.example.org/mission/7> ; dcat:distribution ?x . ?x dct:format ?f } GROUP BY ?f ORDER BY DESC(?n)",
        Same::Whole,
    ),
    (
        "optionals",
        "SELECT ?d ?title ?desc ?pub ?start ?end ?bbox ?lang ?std { ?d ex:mission <https://portal.example.org/mission/7> ; ex:assetType <https://portal.example.org/asset-type/1> ; dct:title ?title OPTIONAL { ?d dct:description ?desc } OPTIONAL { ?d dct:publisher/foaf:name ?pub } OPTIONAL { ?d dct:temporal ?tp . ?tp dcat:startDate ?start ; dcat:endDate ?end } OPTIONAL { ?d dcat:bbox ?bbox } OPTIONAL { ?d dct:language ?lang } OPTIONAL { ?d dct:conformsTo ?std } } LIMIT 50",
        Same::Rows,
    ),
    (
        "top keywords",
        "SELECT ?k (COUNT(DISTINCT ?d) AS ?n) { ?d dcat:theme <https://portal.example.org/theme/3> ; dcat:keyword ?k } GROUP BY ?k ORDER BY DESC(?n) ?k LIMIT 20",
        Same::Whole,
    ),
    (
        "date range",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:issued ?i FILTER(?i >= \"2015-01-01\"^^xsd:date && ?i < \"2018-01-01\"^^xsd:date) }",
        Same::Whole,
    ),
    (
        "date range, newest",
        "SELECT ?d ?t ?i { ?d dct:issued ?i ; dct:title ?t FILTER(?i >= \"2015-01-01\"^^xsd:date && ?i < \"2015-03-01\"^^xsd:date) } ORDER BY DESC(?i) ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "by year",
        "SELECT ?y (COUNT(?d) AS ?n) { ?d dct:issued ?i BIND(YEAR(?i) AS ?y) } GROUP BY ?y ORDER BY ?y",
        Same::Whole,
    ),
    (
        "not exists",
        "SELECT (COUNT(?d) AS ?n) { ?d a dcat:Dataset FILTER NOT EXISTS { ?d dct:conformsTo ?s } }",
        Same::Whole,
    ),
    ("minus", "SELECT (COUNT(?d) AS ?n) { ?d a dcat:Dataset MINUS { ?d dct:language ?l } }", Same::Whole),
    (
        "path",
        "SELECT (COUNT(?d) AS ?n) { ?d ex:mission/skos:broader <https://portal.example.org/mission-group/2> }",
        Same::Whole,
    ),
    ("path, transitive", "SELECT ?m { ?m skos:broader+ <https://portal.example.org/mission-group/2> }", Same::Whole),
    (
        "union",
        "SELECT (COUNT(DISTINCT ?d) AS ?n) { { ?d dcat:theme <https://portal.example.org/theme/1> } UNION { ?d dcat:theme <https://portal.example.org/theme/2> } }",
        Same::Whole,
    ),
    (
        "regex",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title ?t FILTER(REGEX(?t, \"^[a-m].*level-2\", \"i\")) }",
        Same::Whole,
    ),
    (
        "sum",
        "SELECT ?f (SUM(?b) AS ?bytes) { ?x dct:format ?f ; dcat:byteSize ?b } GROUP BY ?f ORDER BY DESC(?bytes)",
        Same::Whole,
    ),
    (
        "keyword pairs",
        "SELECT ?a ?b (COUNT(?d) AS ?n) { ?d dcat:keyword ?a , ?b FILTER(STR(?a) < STR(?b)) } GROUP BY ?a ?b ORDER BY DESC(?n) ?a ?b LIMIT 20",
        Same::Whole,
    ),
    ("types", "SELECT ?c (COUNT(?s) AS ?n) { ?s a ?c } GROUP BY ?c", Same::Whole),
    ("predicates", "SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p ORDER BY DESC(?n) ?p", Same::Whole),
    (
        "properties of a kind",
        "SELECT ?p (COUNT(DISTINCT ?d) AS ?n) { ?d a dcat:Dataset ; ?p ?o } GROUP BY ?p ORDER BY DESC(?n) ?p",
        Same::Whole,
    ),
    ("all of one", "SELECT ?p ?o { <https://portal.example.org/dataset/cat-03-00000777> ?p ?o }", Same::Whole),
    ("who links here", "SELECT (COUNT(?s) AS ?n) { ?s ?p <https://portal.example.org/mission/7> }", Same::Whole),
    ("graphs", "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY DESC(?n)", Same::Nothing),
    (
        "in one graph",
        "SELECT ?m (COUNT(?d) AS ?n) { GRAPH <https://portal.example.org/graph/cat-00> { ?d ex:mission ?m ; dct:title ?t } } GROUP BY ?m ORDER BY DESC(?n) ?m",
        Same::Nothing,
    ),
    (
        "concepts below",
        "SELECT (COUNT(?d) AS ?n) { ?d ex:mission/skos:broader* <https://portal.example.org/mission-group/2> }",
        Same::Whole,
    ),
    (
        "language and prefix",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title ?t FILTER(LANG(?t) = \"en\" && STRSTARTS(STR(?t), \"ba\")) }",
        Same::Whole,
    ),
    (
        "values",
        "SELECT ?m (COUNT(?d) AS ?n) { VALUES ?m { <https://portal.example.org/mission/1> <https://portal.example.org/mission/2> } ?d ex:mission ?m } GROUP BY ?m",
        Same::Whole,
    ),
    (
        "two keys",
        "SELECT ?m ?a (COUNT(*) AS ?n) { ?d ex:mission ?m ; ex:assetType ?a } GROUP BY ?m ?a ORDER BY DESC(?n) ?m ?a LIMIT 50",
        Same::Whole,
    ),
    (
        "subquery",
        "SELECT ?d ?n { { SELECT ?d (COUNT(?k) AS ?n) { ?d dcat:keyword ?k } GROUP BY ?d HAVING(COUNT(?k) > 6) } ?d ex:mission <https://portal.example.org/mission/7> } ORDER BY ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "keywords in a row",
        "SELECT ?d (GROUP_CONCAT(?k; separator=\", \") AS ?all) { ?d ex:mission <https://portal.example.org/mission/7> ; dcat:keyword ?k } GROUP BY ?d ORDER BY ?d LIMIT 20",
        Same::Rows,
    ),
    (
        "construct",
        "CONSTRUCT { ?d dct:title ?t ; dct:issued ?i } WHERE { ?d ex:mission <https://portal.example.org/mission/37> ; dct:title ?t ; dct:issued ?i }",
        Same::Whole,
    ),
    (
        "latest, optionals",
        "SELECT ?d ?t ?date ?desc ?lang { ?d a dcat:Dataset ; dct:modified ?date ; dct:title ?t OPTIONAL { ?d dct:description ?desc } OPTIONAL { ?d dct:language ?lang } FILTER(?date > \"2015-01-01T00:00:00Z\"^^xsd:dateTime) } ORDER BY DESC(?date) ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "in",
        "SELECT (COUNT(?d) AS ?n) { ?d ex:mission ?m ; dct:license ?l FILTER(?m IN (<https://portal.example.org/mission/1>, <https://portal.example.org/mission/2>) && ?l != <https://portal.example.org/license/0>) }",
        Same::Whole,
    ),
    (
        "modified after",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:modified ?m FILTER(?m > \"2020-01-01T00:00:00Z\"^^xsd:dateTime) }",
        Same::Whole,
    ),
    ("of a year", "SELECT (COUNT(?d) AS ?n) { ?d dct:issued ?i FILTER(YEAR(?i) = 2016) }", Same::Whole),
    (
        "range, by publisher",
        "SELECT ?p (COUNT(?d) AS ?n) { ?d dct:issued ?i ; dct:publisher ?p FILTER(?i >= \"2016-01-01\"^^xsd:date) FILTER(?i <= \"2016-12-31\"^^xsd:date) } GROUP BY ?p ORDER BY DESC(?n) ?p LIMIT 20",
        Same::Whole,
    ),
    (
        "some of many",
        "SELECT ?d ?t ?i { ?d a dcat:Dataset ; dct:title ?t ; dct:issued ?i FILTER(CONTAINS(LCASE(STR(?t)), \"ban\")) } LIMIT 10",
        Same::Rows,
    ),
    ("largest files", "SELECT ?x ?b { ?x dcat:byteSize ?b } ORDER BY DESC(?b) ?x LIMIT 20", Same::Whole),
    (
        "most keywords",
        "SELECT ?d (COUNT(?k) AS ?n) { ?d dcat:keyword ?k } GROUP BY ?d HAVING(COUNT(?k) > 6) ORDER BY DESC(?n) ?d LIMIT 20",
        Same::Whole,
    ),
];
