use spargebra::SparqlParser;

use super::*;

/// Queries with all that the grammar has; the second has a word where none may be.
const WHOLE: [&str; 6] = [
    "BASE <http://e/> PREFIX : <#> SELECT DISTINCT ?a (COUNT(DISTINCT *) AS ?n) FROM <g> FROM NAMED :h WHERE { ?a :p/^:q|!(:r|^a)* ?b ; a [ :x 1, -2.5e3, 'a'@en, \"\"\"b\n\"\"\"^^:t ] . ( 1 ?c ) :y () } GROUP BY ?a (STR(?b) AS ?d) HAVING (COUNT(*) > 1) (1 < 2) ORDER BY DESC(?n) ?a LIMIT 5 OFFSET 2 VALUES ?a { UNDEF :z }",
    "ASK { { SELECT * { ?s ?p ?o } LIMIT 1 } UNION { GRAPH ?g { ?s ?p ?o } } MINUS { SERVICE SILENT <x> {} } FILTER NOT EXISTS { ?s ?p _:b } FILTER(?a<?b&&?c IN (1,2) || !BOUND(?d)) BIND(IF(?a, 'x', GROUP) AS ?x) }",
    "CONSTRUCT WHERE { ?s ?p ?o . ?s <q> true }",
    "CONSTRUCT { ?s ?p [] . [ <a> <b> ] } WHERE { VALUES (?s ?p) { (<a> UNDEF) } [ <a> ?s ] . OPTIONAL { ?s ?p 1. } }",
    "DESCRIBE <a> ?x { ?x <b> 1.0 FILTER regex(str(?x), \"a\\\"b\", 'i') }",
    "SELECT (GROUP_CONCAT(DISTINCT ?x ; SEPARATOR = ', ') AS ?y) { ?x <p>? ?z . ?z <q>+ _:a.b . # done }\n }",
];

/// Explains a text that the parser refuses.
fn told(text: &str) -> SyntaxFault {
    let error = SparqlParser::new().with_base_iri("http://e/").unwrap().parse_query(text);
    explain(text, &error.expect_err(text).to_string())
}

#[test]
fn every_fault_has_its_place_and_its_mending() {
    for (text, place, message, fix) in [
        (
            "SELECT * WHERE { ?s a dcat:Dataset }",
            (1, 23),
            "the prefix `dcat:` is not declared",
            "add `PREFIX dcat: <http://www.w3.org/ns/dcat#>` before the query",
        ),
        ("ASK { ?s foo:bar 1 }", (1, 10), "the prefix `foo:` is not declared", "the namespace's IRI"),
        ("ASK {\n  ?s ?p ?o\n  FILTER(?o = xsd:string)\n}", (3, 15), "the prefix `xsd:`", "XMLSchema#"),
        ("", (1, 1), "the query is empty", "a query begins with SELECT"),
        ("SELEC ?s WHERE { ?s ?p ?o }", (1, 1), "not `SELEC`", "did you mean `SELECT`?"),
        ("SELECT ?s WERE { ?s ?p ?o }", (1, 11), "not `WERE`", "did you mean `WHERE`?"),
        ("SELECT ?s, ?p WHERE { ?s ?p ?o }", (1, 10), "separated by spaces", "remove it"),
        ("SELECT COUNT(?s) WHERE { ?s ?p ?o }", (1, 8), "needs brackets and a name", "write `(COUNT(…) AS ?name)`"),
        ("SELECT ?s WHERE { ?s ?p ?o", (1, 27), "the query ends", "add `}`"),
        ("SELECT ?s WHERE { ?s ?p }", (1, 25), "a value", ""),
        ("SELECT ?s WHERE { ?s ?p ?o } }", (1, 30), "`}` closes nothing", "remove it"),
        ("SELECT ?s WHERE { ?s ?p ?o };", (1, 29), "does not end with `;`", "remove it"),
        ("SELECT * WHERE { ?s <p q> ?o }", (1, 21), "`<` begins no valid IRI", "`%20` for a space"),
        ("SELECT * WHERE { ?s ?p \"abc }", (1, 24), "a text is never closed", "close it with `\"`"),
        ("SELECT * WHERE { ?s ?p ?o } LIMIT ten", (1, 35), "a whole number after LIMIT is expected, not `ten`", ""),
        ("SELECT * WHERE { ?s ?p ?o } LIMIT -1", (1, 35), "a whole number after LIMIT", ""),
        ("SELECT * WHERE { ?s ?p ?o FILTER(?o > ) }", (1, 39), "a value", ""),
        (
            "SELECT * WHERE { ?s ?p ?o FILTER ?o > 3 }",
            (1, 34),
            "a condition in brackets",
            "put the condition into brackets",
        ),
        ("SELECT * WHERE { ?s ?p ?o FILTER regex(?o, 'x' }", (1, 48), "a `(` is still open", "then `)` before it"),
        (
            "SELECT * WHERE { ?s ?p ?o FILTER(CONTAIN(?o, 'x')) }",
            (1, 34),
            "no function `CONTAIN`",
            "did you mean `CONTAINS`?",
        ),
        ("SELECT * WHERE { ?s ?p ?o FILTER(?o = 1 & ?p = 2) }", (1, 41), "`&` stands alone", "write `&&`"),
        ("SELECT * WHERE { ?s ?p ?o ?x }", (1, 27), "`?x` is a fourth term", "put `.` before it"),
        ("SELECT * WHERE { ?s ?p ?o ?s ?p2 ?o2 }", (1, 27), "is a fourth term", "put `.` before it"),
        ("SELECT * WHERE { ?s ?p ?o OPTINAL { ?s ?q ?r } }", (1, 27), "not `OPTINAL`", "did you mean `OPTIONAL`?"),
        ("SELECT * WHERE { ?s ?p ?o } ORDER ?s", (1, 35), "BY is expected", ""),
        ("SELECT * WHERE { ?s ?p ?o } ORDER BY", (1, 37), "the query ends", ""),
        ("INSERT DATA { <a> <b> <c> }", (1, 1), "`INSERT` begins an update", "records change by publishing"),
        ("@prefix x: <http://x/> . SELECT * {}", (1, 1), "how Turtle declares a prefix", "without `@`"),
        ("PREFIX x <http://x/> SELECT * {}", (1, 8), "a prefix with a colon", "write a prefix as"),
        ("PREFIX x: <http://x/> . SELECT * {}", (1, 23), "no dot at its end", "remove it"),
        ("SELECT * { BIND(1 AS", (1, 21), "the query ends", "add `)`"),
        ("SELECT * { BIND(1 AS é) }", (1, 22), "a variable is expected, not `é`", ""),
        ("PREFIX x: <a^b> SELECT * {}", (1, 11), "begins no valid IRI", "`%20` for a space"),
        ("PREFIX x: <http://[> SELECT * {}", (1, 21), "an IRI is not valid", "percent-encode"),
        ("SELECT * { VALUES (?a ?b) { (1 2) (3) } }", (1, 35), "1 values, and there are 2 variables", "UNDEF"),
        // What breaks a rule beyond the grammar.
        ("SELECT ?s ?p WHERE { ?s ?p ?o } GROUP BY ?s", (1, 11), "`?p` is neither grouped by", "add it to GROUP BY"),
        ("SELECT ?s (COUNT(*) AS ?n) { ?s ?p ?o }", (1, 8), "`?s` is neither grouped by", "add it to GROUP BY"),
        ("SELECT * { ?s ?p ?o } GROUP BY ?s", (1, 8), "`*` cannot be selected", "name the variables"),
        ("SELECT ?s (1 AS ?s) { ?s ?p ?o }", (1, 17), "`?s` is selected twice", "another name"),
        (
            "SELECT * WHERE { BIND(1 AS ?x) BIND(2 AS ?x) }",
            (1, 42),
            "`?x` has a value already",
            "another name after AS",
        ),
        (
            "SELECT ?s WHERE { { ?s ?p _:a } { ?s ?q _:a } }",
            (1, 41),
            "`_:a` is used in two groups",
            "use a variable instead",
        ),
    ] {
        let fault = told(text);
        let said = fault.to_string();
        assert_eq!((fault.line, fault.column), place, "{text}: {said}");
        assert!(fault.message.contains(message), "{text}: {said}");
        assert!(fault.fix.as_deref().unwrap_or_default().contains(fix), "{text}: {said}");
        // No grammar is shown to anybody.
        assert!(!said.contains("..=") && !said.contains("[_]") && said.len() < 400, "{text}: {said}");
        println!("{text}\n    {said}");
    }
}

#[test]
fn what_the_parser_reads_is_a_query() {
    let beside = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("ALIDADE_TEST_DATA").map_or_else(beside, std::path::PathBuf::from);
    let mut count = 0;
    for text in WHOLE {
        // The second has a word where none may be, to see that the test itself can fail.
        let fault = grammar::check(text).err().map(|fault| (fault.message, &text[fault.at..]));
        assert_eq!(fault.is_none(), !text.contains("GROUP) AS"), "{fault:?}");
        count += 1;
    }
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: the queries of the W3C are not at {}; ALIDADE_TEST_DATA says where they are",
            folder.display()
        );
        return;
    }
    let mut odd = Vec::new();
    let mut folders = vec![folder.join("conformance")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rq")
                && let Ok(text) = std::fs::read_to_string(&path)
                && SparqlParser::new().with_base_iri("http://e/").unwrap().parse_query(&text).is_ok()
            {
                let fault = grammar::check(&text).err().map(|fault| (fault.message, text[fault.at..].to_owned()));
                odd.extend(fault.map(|fault| format!("{}: {fault:?}", path.display())));
                count += 1;
            }
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
    println!("{count} queries");
}

/// A query that breaks off anywhere, or has a letter of many bytes anywhere, is what people send while they write.
#[test]
fn every_part_of_a_query_is_explained() {
    for text in WHOLE {
        for (at, _) in text.char_indices() {
            explain(&text[..at], "");
            explain(&format!("{}é{}", &text[..at], &text[at..]), "");
            explain(&format!("{} é", &text[..at]), "");
        }
    }
}

#[test]
fn usual_prefixes_are_sorted() {
    assert!(prefixes::USUAL.is_sorted_by_key(|(prefix, _)| prefix));
    assert_eq!(prefixes::usual("skos"), Some("http://www.w3.org/2004/02/skos/core#"));
}

proptest::proptest! {
    #[test]
    fn any_text_is_explained(text in "\\PC{0,80}", said in "\\PC{0,40}") {
        let fault = explain(&text, &said);
        proptest::prop_assert!(fault.line >= 1 && fault.column >= 1);
    }

    #[test]
    fn any_words_are_explained(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "SELECT", "ASK", "CONSTRUCT", "WHERE", "*", "{", "}", "(", ")", "?s", "<a>", "a", "\"x\"", "'", "FILTER", "BIND", "AS", "VALUES",
            "GROUP BY", "COUNT", "EXISTS", "UNION", "1", "_:b", "[", "]", ";", ",", ".", "é", "x:y", "\\", "\n", "@en",
        ]), 0..30)) {
        explain(&words.join(" "), "error at 2:9: expected one of A, B");
    }
}
