//! The SPARQL door: a query, examples that run, and where machines knock.

use catalog_client::SparqlAnswer;
use catalog_schemas::problem::Problem;
use leptos::prelude::*;
use serde_json::Value;

use crate::document::{Document, Layout, Place, escape};
use crate::link::with_query;
use crate::markup::safe_address;
use crate::part::notice::{Tone, notice};
use crate::words;

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

/// Rows and statements that the page shows; the protocol gives them all.
const SHOWN: usize = 500;

/// Prefixes that make addresses short enough for a table.
const PREFIXES: [(&str, &str); 9] = [
    ("https://w3id.org/esado#", "esado:"),
    ("https://schema.org/", "sdo:"),
    ("http://www.w3.org/ns/dcat#", "dcat:"),
    ("http://purl.org/dc/terms/", "dcterms:"),
    ("http://www.w3.org/2004/02/skos/core#", "skos:"),
    ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "rdf:"),
    ("http://www.w3.org/2000/01/rdf-schema#", "rdfs:"),
    ("http://www.w3.org/ns/prov#", "prov:"),
    ("https://w3id.org/esado/", ""),
];

/// Returns the page with a query filled in, and what it answered when it was run.
pub fn sparql(query: Option<&str>, answer: Option<&Result<SparqlAnswer, Problem>>) -> Document {
    let query = query.filter(|query| !query.trim().is_empty()).unwrap_or(EXAMPLES[0].1);
    // The view macro writes the children of a text area as they are, so they are escaped here.
    let text = escape(query);
    let examples: Vec<_> = EXAMPLES
        .iter()
        .map(|(title, query)| {
            view! { <li><a href=with_query("/sparql-editor", [("run", "1"), ("query", query)])>{*title}</a></li> }
        })
        .collect();
    let rows = query.lines().count().clamp(8, 24).to_string();
    let title = if answer.is_some() { "SPARQL answer" } else { "SPARQL" };
    let main = view! {
        <section>
            <h1>"SPARQL"</h1>
            <p class="quiet">"The whole public catalogue as linked data. The default graph holds what these pages show; a named graph for each source holds what that source said."</p>
            <form class="form" method="get" action="/sparql-editor#answer">
                <input type="hidden" name="run" value="1"/>
                <label>"Query"<textarea class="mono" name="query" rows=rows spellcheck="false" required inner_html=text></textarea></label>
                <div class="actions"><button class="primary">"Run"</button></div>
            </form>
            {answer.map(|answer| shown(query, answer))}
        </section>
        <aside>
            <section class="sheet"><h2>"Examples"</h2><ul class="lines">{examples}</ul></section>
            <section class="sheet small">
                <h2>"For machines"</h2>
                <p>"SPARQL 1.1 protocol at "<span class="mono">"/sparql"</span>", by GET or POST; JSON, XML, CSV, TSV, Turtle, JSON-LD, RDF/XML, N-Triples, TriG or N-Quads by "<span class="mono">"Accept"</span>"."</p>
                <p>"A query may take ten seconds, sixty for those who are signed in; what is too much is an error, never a part of the answer."</p>
            </section>
        </aside>
    };
    let mut document = Document::new(title, Place::Sparql, Layout::Aside, main);
    document.unlisted = answer.is_some();
    document
}

fn shown(query: &str, answer: &Result<SparqlAnswer, Problem>) -> AnyView {
    let (count, body) = match answer {
        Err(problem) => {
            // The detail says where in the query, and what to do; findings say it again for programs.
            let said = words::sentence(problem.detail.as_deref().unwrap_or(&problem.title));
            let said = view! { <p><b>"The query was not answered."</b></p><p class="said">{said}</p> };
            return view! { <section class="answer" id="answer" aria-label="Answer">{notice(Tone::Bad, said)}</section> }
                .into_any();
        }
        Ok(SparqlAnswer::Statements(text)) => {
            let lines: Vec<&str> = text.lines().collect();
            let first = lines[..lines.len().min(SHOWN)].join("\n");
            let body = view! { <pre class="log" tabindex="0" aria-labelledby="answer-title">{first}</pre> }.into_any();
            (words::counted(lines.len(), "statement", "statements") + &more(lines.len()), body)
        }
        Ok(SparqlAnswer::Results(results)) => match results["boolean"].as_bool() {
            Some(truth) => ((if truth { "Yes" } else { "No" }).to_owned(), ().into_any()),
            None => table(results),
        },
    };
    let json = with_query("/sparql", [("query", query)]);
    view! {
        <section class="answer" id="answer" aria-label="Answer">
            <div class="line"><h2 id="answer-title">{count}</h2><a class="small" rel="nofollow" href=json>"the raw answer"</a></div>
            {body}
        </section>
    }
    .into_any()
}

fn more(total: usize) -> String {
    if total > SHOWN { format!(", the first {SHOWN} of them here") } else { String::new() }
}

fn table(results: &Value) -> (String, AnyView) {
    let names: Vec<&str> = results["head"]["vars"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rows = results["results"]["bindings"].as_array().map_or(&[][..], Vec::as_slice);
    let title = words::counted(rows.len(), "row", "rows") + &more(rows.len());
    if rows.is_empty() || names.is_empty() {
        return (title, view! { <p class="quiet">"Nothing in the catalogue fits the query."</p> }.into_any());
    }
    let head: Vec<_> = names.iter().map(|name| view! { <th scope="col">{name.to_string()}</th> }).collect();
    let body: Vec<_> = rows
        .iter()
        .take(SHOWN)
        .map(|row| {
            let cells: Vec<_> = names.iter().map(|name| view! { <td>{cell(&row[*name])}</td> }).collect();
            view! { <tr>{cells}</tr> }
        })
        .collect();
    let table = view! {
        <div class="table" role="region" tabindex="0" aria-labelledby="answer-title"><table>
            <thead><tr>{head}</tr></thead>
            <tbody>{body}</tbody>
        </table></div>
    };
    (title, table.into_any())
}

/// Returns one term: a record of ours leads to its page, another address there, anything else is text.
fn cell(term: &Value) -> AnyView {
    let text = term["value"].as_str().unwrap_or_default().to_owned();
    match term["type"].as_str() {
        Some("uri") => {
            let short =
                PREFIXES.iter().find_map(|(start, prefix)| Some(format!("{prefix}{}", text.strip_prefix(start)?)));
            let short = short.filter(|short| !short.ends_with(':') && !short.is_empty());
            let (address, label) = match record_of(&text) {
                Some((path, label)) => (Some(path), label),
                None => (safe_address(&text), short.unwrap_or_else(|| text.clone())),
            };
            match address {
                Some(address) => view! { <a href=address rel="noopener nofollow" title=text>{label}</a> }.into_any(),
                None => label.into_any(),
            }
        }
        Some("bnode") => view! { <span class="quiet">{format!("_:{text}")}</span> }.into_any(),
        _ => {
            let language = term["xml:lang"].as_str().filter(|tag| *tag != "en");
            let language = language.map(|tag| view! { " " <span class="tag">{tag.to_owned()}</span> });
            view! { {text}{language} }.into_any()
        }
    }
}

/// Returns the path and the name of a record's page from its address, whatever the base is.
fn record_of(iri: &str) -> Option<(String, String)> {
    let path = crate::link::page_of(iri)?;
    let (_, name) = iri.split_once("/id/")?;
    Some((path, name.to_owned()))
}
