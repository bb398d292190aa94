//! The SPARQL door: a query, examples that run, and where machines knock.

use leptos::prelude::*;

use crate::document::{Document, Layout, Place, escape};
use crate::link::with_query;

/// Queries that run as they stand, each with what it answers.
pub const EXAMPLES: [(&str, &str); 4] = [
    (
        "Datalabs and their versions",
        "PREFIX esado: <https://w3id.org/esado#>\nPREFIX sdo: <https://schema.org/>\nSELECT ?datalab ?name ?version WHERE {\n  ?datalab a esado:Datalab ; sdo:name ?name .\n  OPTIONAL { ?datalab sdo:softwareVersion ?version }\n}\nORDER BY ?name LIMIT 50",
    ),
    (
        "How many records each domain has",
        "PREFIX esado: <https://w3id.org/esado#>\nSELECT ?domain (COUNT(DISTINCT ?record) AS ?records) WHERE {\n  ?record esado:domain ?domain .\n}\nGROUP BY ?domain ORDER BY DESC(?records)",
    ),
    (
        "Everything about Gaia",
        "PREFIX esado: <https://w3id.org/esado#>\nPREFIX skos: <http://www.w3.org/2004/02/skos/core#>\nSELECT DISTINCT ?record ?type WHERE {\n  ?record esado:mission/skos:broader* <https://w3id.org/esado/mission/gaia> ; a ?type .\n}\nLIMIT 100",
    ),
    ("What is said of one thing", "DESCRIBE <https://w3id.org/esado/mission/gaia>"),
];

/// Returns the page with a query filled in.
pub fn sparql(query: Option<&str>) -> Document {
    let text = query.filter(|query| !query.trim().is_empty()).unwrap_or(EXAMPLES[0].1);
    // The view macro writes the children of a text area as they are, so they are escaped here.
    let text = escape(text);
    let examples: Vec<_> = EXAMPLES
        .iter()
        .map(|(title, query)| view! { <li><a href=with_query("/sparql-editor", [("query", query)])>{*title}</a></li> })
        .collect();
    let main = view! {
        <section>
            <h1>"SPARQL"</h1>
            <p class="quiet">"The whole public catalogue as linked data. The default graph holds what these pages show; one named graph a source holds what that source said."</p>
            <form class="form" method="get" action="/sparql">
                <label>"Query"<textarea class="mono" name="query" rows="16" spellcheck="false" required inner_html=text></textarea></label>
                <div class="actions"><button class="primary">"Run"</button></div>
            </form>
        </section>
        <aside>
            <section class="sheet"><h2>"Examples"</h2><ul class="lines">{examples}</ul></section>
            <section class="sheet small">
                <h2>"For machines"</h2>
                <p>"SPARQL 1.1 protocol at "<span class="mono">"/sparql"</span>", by GET or POST; JSON, XML, CSV, TSV, Turtle, N-Triples or JSON-LD by "<span class="mono">"Accept"</span>"."</p>
            </section>
        </aside>
    };
    Document::new("SPARQL", Place::Sparql, Layout::Aside, main)
}
