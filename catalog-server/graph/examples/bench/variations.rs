//! Further questions of the shapes that [`crate::queries`] asks, as strangers may put them.

use crate::queries::Same;

/// Queries, and what is compared.
pub(crate) const VARIATIONS: &[(&str, &str, Same)] = &[
    (
        "facet by publisher",
        "SELECT ?p (COUNT(?d) AS ?n) { ?d a dcat:Dataset ; dct:publisher ?p } GROUP BY ?p ORDER BY DESC(?n) ?p LIMIT 10",
        Same::Whole,
    ),
    (
        "facet by two",
        "SELECT ?a ?t (COUNT(?d) AS ?n) { ?d ex:domain <https://portal.example.org/domain/1> ; ex:assetType ?a ; dcat:theme ?t } GROUP BY ?a ?t ORDER BY DESC(?n) ?a ?t",
        Same::Whole,
    ),
    (
        "facet by three",
        "SELECT ?a ?m ?l (COUNT(*) AS ?n) { ?d ex:assetType ?a ; ex:mission ?m ; dct:license ?l } GROUP BY ?a ?m ?l ORDER BY DESC(?n) ?a ?m ?l LIMIT 20",
        Same::Whole,
    ),
    (
        "facet, distinct",
        "SELECT ?m (COUNT(DISTINCT ?d) AS ?n) { ?d ex:mission ?m ; dcat:theme ?t } GROUP BY ?m ORDER BY DESC(?n) ?m",
        Same::Whole,
    ),
    (
        "title or text contains",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title ?t ; dct:description ?e FILTER(CONTAINS(LCASE(?t), \"ban\") || CONTAINS(LCASE(?e), \"banto\")) }",
        Same::Whole,
    ),
    (
        "title contains, of a mission",
        "SELECT ?d ?t { ?d ex:mission <https://portal.example.org/mission/3> ; dct:title ?t FILTER(CONTAINS(LCASE(STR(?t)), \"ban\")) } ORDER BY ?t ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "title matches",
        "SELECT ?d ?t { ?d dct:title ?t FILTER(REGEX(STR(?t), \"ban\", \"i\")) } ORDER BY ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "latest 20, second page",
        "SELECT ?d ?t ?date { ?d a dcat:Dataset ; dct:modified ?date ; dct:title ?t } ORDER BY DESC(?date) ?d LIMIT 20 OFFSET 20",
        Same::Whole,
    ),
    ("oldest 20", "SELECT ?d ?date { ?d a dcat:Dataset ; dct:issued ?date } ORDER BY ?date ?d LIMIT 20", Same::Whole),
    (
        "latest of a mission",
        "SELECT ?d ?t ?date { ?d ex:mission <https://portal.example.org/mission/7> ; dct:modified ?date ; dct:title ?t } ORDER BY DESC(?date) ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "latest, by publisher's name",
        "SELECT ?d ?name ?date { ?d dct:modified ?date ; dct:publisher ?p . ?p foaf:name ?name FILTER(CONTAINS(?name, \"institute 1\")) } ORDER BY DESC(?date) ?d LIMIT 20",
        Same::Whole,
    ),
    ("by title", "SELECT ?d ?t { ?d a dcat:Dataset ; dct:title ?t } ORDER BY ?t ?d LIMIT 20", Same::Whole),
    (
        "having, average",
        "SELECT ?p (AVG(?b) AS ?mean) (COUNT(?x) AS ?n) { ?d dct:publisher ?p ; dcat:distribution ?x . ?x dcat:byteSize ?b } GROUP BY ?p HAVING(COUNT(?x) > 500) ORDER BY ?p",
        Same::Whole,
    ),
    (
        "two hops, filter",
        "SELECT ?f (COUNT(DISTINCT ?d) AS ?n) { ?d ex:mission ?m ; dcat:distribution ?x . ?x dct:format ?f ; dcat:byteSize ?b FILTER(?b > 50000000000) FILTER(?m IN (<https://portal.example.org/mission/7>, <https://portal.example.org/mission/8>)) } GROUP BY ?f ORDER BY DESC(?n) ?f",
        Same::Whole,
    ),
    (
        "two hops, all",
        "SELECT ?f (COUNT(?d) AS ?n) { ?d a dcat:Dataset ; dcat:distribution/dct:format ?f } GROUP BY ?f ORDER BY DESC(?n) ?f",
        Same::Whole,
    ),
    (
        "without language",
        "SELECT ?d ?t { ?d ex:mission <https://portal.example.org/mission/7> ; dct:title ?t OPTIONAL { ?d dct:language ?l } FILTER(!BOUND(?l)) } ORDER BY ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "counts of optionals",
        "SELECT ?m (COUNT(?d) AS ?n) (COUNT(?l) AS ?with) { ?d ex:mission ?m OPTIONAL { ?d dct:language ?l } } GROUP BY ?m ORDER BY ?m",
        Same::Whole,
    ),
    (
        "top keywords, filter",
        "SELECT ?k (COUNT(?d) AS ?n) { ?d dcat:keyword ?k ; dct:issued ?i FILTER(?i >= \"2020-01-01\"^^xsd:date && STRSTARTS(STR(?k), \"b\")) } GROUP BY ?k ORDER BY DESC(?n) ?k LIMIT 20",
        Same::Whole,
    ),
    (
        "top keywords, all",
        "SELECT ?k (COUNT(?d) AS ?n) { ?d a dcat:Dataset ; dcat:keyword ?k } GROUP BY ?k ORDER BY DESC(?n) ?k LIMIT 20",
        Same::Whole,
    ),
    (
        "keyword's neighbours",
        "SELECT ?b (COUNT(?d) AS ?n) { { SELECT ?a { ?x dcat:keyword ?a } GROUP BY ?a ORDER BY DESC(COUNT(?x)) ?a LIMIT 1 } ?d dcat:keyword ?a , ?b FILTER(?a != ?b) } GROUP BY ?b ORDER BY DESC(?n) ?b LIMIT 20",
        Same::Whole,
    ),
    (
        "covers a day",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:temporal ?t . ?t dcat:startDate ?s ; dcat:endDate ?e FILTER(?s <= \"2002-06-01\"^^xsd:date && ?e >= \"2002-06-01\"^^xsd:date) }",
        Same::Whole,
    ),
    (
        "by month",
        "SELECT ?y ?m (COUNT(?d) AS ?n) { ?d dct:modified ?i } GROUP BY (YEAR(?i) AS ?y) (MONTH(?i) AS ?m) ORDER BY ?y ?m",
        Same::Whole,
    ),
    (
        "by month's text",
        "SELECT ?m (COUNT(?d) AS ?n) { ?d dct:issued ?i BIND(SUBSTR(STR(?i), 1, 7) AS ?m) } GROUP BY ?m ORDER BY ?m",
        Same::Whole,
    ),
    (
        "not exists, of a mission",
        "SELECT ?d { ?d ex:mission <https://portal.example.org/mission/1> FILTER NOT EXISTS { ?d dcat:bbox ?b } } ORDER BY ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "exists, nested",
        "SELECT (COUNT(?d) AS ?n) { ?d ex:mission <https://portal.example.org/mission/7> FILTER EXISTS { ?d dcat:distribution ?x . ?x dct:format <https://portal.example.org/format/3> } }",
        Same::Whole,
    ),
    ("some without language", "SELECT ?d { ?d a dcat:Dataset MINUS { ?d dct:language ?l } } LIMIT 10", Same::Rows),
    (
        "some without standard",
        "SELECT ?d ?t { ?d a dcat:Dataset ; dct:title ?t FILTER NOT EXISTS { ?d dct:conformsTo ?s } } LIMIT 10",
        Same::Rows,
    ),
    ("some publishers", "SELECT DISTINCT ?p { ?d a dcat:Dataset ; dct:publisher ?p } LIMIT 10", Same::Rows),
    ("all themes", "SELECT DISTINCT ?t { ?d a dcat:Dataset ; dcat:theme ?t } ORDER BY ?t", Same::Whole),
    ("some pairs", "SELECT DISTINCT ?m ?p { ?d ex:mission ?m ; dct:publisher ?p } LIMIT 50", Same::Rows),
    (
        "distinct pairs",
        "SELECT (COUNT(*) AS ?n) { SELECT DISTINCT ?m ?p { ?d ex:mission ?m ; dct:publisher ?p } }",
        Same::Whole,
    ),
    ("distinct records", "SELECT DISTINCT ?d { ?d dcat:theme ?t ; dcat:keyword ?k } ORDER BY ?d LIMIT 20", Same::Whole),
    (
        "union, grouped",
        "SELECT ?l (COUNT(DISTINCT ?d) AS ?n) { { ?d dcat:keyword ?l } UNION { ?d dct:title ?l } } GROUP BY ?l ORDER BY DESC(?n) ?l LIMIT 10",
        Same::Whole,
    ),
    (
        "values of two",
        "SELECT (COUNT(?d) AS ?n) { VALUES (?m ?a) { (<https://portal.example.org/mission/1> <https://portal.example.org/asset-type/1>) (<https://portal.example.org/mission/2> <https://portal.example.org/asset-type/0>) } ?d ex:mission ?m ; ex:assetType ?a }",
        Same::Whole,
    ),
    (
        "in, titles",
        "SELECT ?d ?t { ?d dcat:theme ?h ; dct:title ?t FILTER(?h IN (<https://portal.example.org/theme/13>, <https://portal.example.org/theme/14>)) } ORDER BY ?d ?h LIMIT 20",
        Same::Whole,
    ),
    (
        "average of counts",
        "SELECT (AVG(?n) AS ?mean) (MAX(?n) AS ?most) { SELECT ?d (COUNT(?k) AS ?n) { ?d dcat:keyword ?k } GROUP BY ?d }",
        Same::Whole,
    ),
    (
        "newest of each",
        "SELECT ?m ?d ?last { { SELECT ?m (MAX(?i) AS ?last) { ?x ex:mission ?m ; dct:modified ?i } GROUP BY ?m } ?d ex:mission ?m ; dct:modified ?last } ORDER BY ?m ?d",
        Same::Whole,
    ),
    (
        "sum, mean, least, most",
        "SELECT (COUNT(?b) AS ?n) (SUM(?b) AS ?sum) (AVG(?b) AS ?mean) (MIN(?b) AS ?least) (MAX(?b) AS ?most) { ?x a dcat:Distribution ; dcat:byteSize ?b }",
        Same::Whole,
    ),
    (
        "bytes by mission",
        "SELECT ?m (SUM(?b) AS ?bytes) { ?d ex:mission ?m ; dcat:distribution ?x . ?x dcat:byteSize ?b } GROUP BY ?m ORDER BY DESC(?bytes)",
        Same::Whole,
    ),
    (
        "first and last by publisher",
        "SELECT ?p (MIN(?i) AS ?first) (MAX(?i) AS ?last) { ?d dct:publisher ?p ; dct:issued ?i } GROUP BY ?p ORDER BY ?p",
        Same::Whole,
    ),
    (
        "is there one",
        "ASK { ?d ex:mission <https://portal.example.org/mission/7> ; dcat:theme <https://portal.example.org/theme/14> }",
        Same::Whole,
    ),
    ("is there none", "ASK { ?d a dcat:Dataset FILTER NOT EXISTS { ?d dct:title ?t } }", Same::Whole),
    (
        "describe some",
        "DESCRIBE ?d { ?d ex:mission <https://portal.example.org/mission/7> ; dcat:theme <https://portal.example.org/theme/14> ; ex:assetType <https://portal.example.org/asset-type/7> }",
        Same::Whole,
    ),
    (
        "bind and if",
        "SELECT ?size (COUNT(?x) AS ?n) { ?x dcat:byteSize ?b BIND(IF(?b > 50000000000, \"large\", \"small\") AS ?size) } GROUP BY ?size ORDER BY ?size",
        Same::Whole,
    ),
    (
        "coalesce",
        "SELECT ?lang (COUNT(?d) AS ?n) { ?d a dcat:Dataset OPTIONAL { ?d dct:language ?l } BIND(COALESCE(?l, \"none\") AS ?lang) } GROUP BY ?lang ORDER BY DESC(?n)",
        Same::Whole,
    ),
    (
        "path, either",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title|dct:description ?t FILTER(CONTAINS(STR(?t), \"bantose\")) }",
        Same::Whole,
    ),
    (
        "path, inverse",
        "SELECT ?o (COUNT(?d) AS ?n) { <https://portal.example.org/dataset/cat-03-00000777> dcat:theme/^dcat:theme ?d . ?d ex:mission ?o } GROUP BY ?o ORDER BY DESC(?n) ?o LIMIT 10",
        Same::Whole,
    ),
    (
        "broader, all",
        "SELECT ?g (COUNT(?d) AS ?n) { ?d ex:mission/skos:broader+ ?g } GROUP BY ?g ORDER BY DESC(?n) ?g",
        Same::Whole,
    ),
    (
        "in each graph",
        "SELECT ?g (COUNT(?d) AS ?n) { GRAPH ?g { ?d a dcat:Dataset ; ex:mission <https://portal.example.org/mission/7> } } GROUP BY ?g ORDER BY DESC(?n) ?g",
        Same::Nothing,
    ),
    ("last change", "SELECT (MAX(?m) AS ?last) { ?d a dcat:Dataset ; dct:modified ?m }", Same::Whole),
    (
        "all of some",
        "SELECT ?d ?p ?o { ?d ex:mission <https://portal.example.org/mission/7> ; dcat:theme <https://portal.example.org/theme/14> ; ?p ?o } ORDER BY ?d ?p ?o LIMIT 100",
        Same::Rows,
    ),
    (
        "without labels",
        "SELECT ?m (COUNT(?d) AS ?n) ?label { ?d ex:mission ?m OPTIONAL { ?m skos:prefLabel ?label FILTER(LANG(?label) = \"en\") } } GROUP BY ?m ?label ORDER BY DESC(?n) ?m",
        Same::Whole,
    ),
    (
        "starts with, of keywords",
        "SELECT DISTINCT ?k { ?d dcat:keyword ?k FILTER(STRSTARTS(LCASE(STR(?k)), \"ba\")) } ORDER BY ?k LIMIT 20",
        Same::Whole,
    ),
    (
        "in two themes",
        "SELECT (COUNT(?d) AS ?n) { ?d dcat:theme <https://portal.example.org/theme/1> , <https://portal.example.org/theme/2> }",
        Same::Whole,
    ),
    (
        "same mission and instrument",
        "SELECT (COUNT(DISTINCT ?d) AS ?n) { <https://portal.example.org/dataset/cat-03-00000777> ex:mission ?m ; ex:instrument ?i . ?d ex:mission ?m ; ex:instrument ?i }",
        Same::Whole,
    ),
];
