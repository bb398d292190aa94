//! Search: what was asked, what narrows it, what was found.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::search::{FacetValue, SearchAnswer, SearchQuery, Sort};
use leptos::prelude::*;

use super::home::ask;
use crate::document::{Document, Layout, Place};
use crate::link::{search_path, with_query};
use crate::part::hit::Level;
use crate::{part, sparql, words};

/// A way out of an empty result: a search with one constraint less, and what it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescue {
    /// What to drop: a facet's title, or the words.
    pub without: String,
    /// The search without it.
    pub query: SearchQuery,
    /// What it finds.
    pub total: usize,
}

/// Returns the page.
pub fn search(query: &SearchQuery, answer: &SearchAnswer, zones: &[Datazone], rescues: &[Rescue]) -> Document {
    let query = &canonical(query, answer);
    let hits: Vec<_> = answer.hits.iter().map(|hit| part::hit::hit(hit, zones, Level::Second)).collect();
    let results = if answer.total == 0 {
        nothing(query, answer, rescues)
    } else {
        let empty =
            hits.is_empty().then(|| view! { <p class="quiet">"No record on this page; go back to the first."</p> });
        view! { {did_you_mean(query, answer)}{empty}<ol class="hits">{hits}</ol>{part::pager::pager(query, answer.total)} }.into_any()
    };
    let filters = match query.facets.len() {
        0 => "Filters".to_owned(),
        chosen => format!("Filters · {chosen} chosen"),
    };
    let mut kept = query.facets.clone();
    if query.can_start_now {
        kept.push(("canStartNow".to_owned(), "true".to_owned()));
    }
    if query.sort != Sort::Relevance {
        kept.push(("sort".to_owned(), query.sort.as_str().to_owned()));
    }
    if query.size != SearchQuery::default().size {
        kept.push(("size".to_owned(), query.size.to_string()));
    }
    let main = view! {
        <div class="asking">{ask(&query.q, &kept)}{part::chips::chips(query, answer)}</div>
        {part::facets::panel(query, answer)}
        <section id="results" aria-label="Results">
            <a class="button to-filters" href="#filters">{filters}</a>
            <div class="line">
                <h1>{words::counted(answer.total, "result", "results")}</h1>
                {by_sparql(query)}
                {can_start(query)}
                {sorts(query)}
            </div>
            {results}
        </section>
    };
    let title = if query.q.is_empty() { "Search".to_owned() } else { words::clip(&query.q, 60) };
    let mut document = Document::new(title, Place::Find, Layout::Search, main);
    document.unlisted = !query.facets.is_empty() || query.page > 1 || query.can_start_now;
    document
}

/// Returns the search with the values that the answer takes the asked ones for: a concept has other names too.
fn canonical(query: &SearchQuery, answer: &SearchAnswer) -> SearchQuery {
    fn selected<'a>(values: &'a [FacetValue], found: &mut Vec<&'a str>) {
        for value in values {
            found.extend(value.selected.then_some(value.value.as_str()));
            selected(&value.children, found);
        }
    }
    let mut facets = Vec::new();
    for (name, value) in &query.facets {
        let mut known = Vec::new();
        selected(answer.facets.get(name).map_or(&[], |facet| &facet.values), &mut known);
        let asked = query.chosen(name).count();
        let others: Vec<&str> = known.iter().copied().filter(|known| !query.has(name, known)).collect();
        match others.as_slice() {
            [other] if !known.contains(&value.as_str()) && known.len() == asked => {
                facets.push((name.clone(), (*other).to_owned()));
            }
            _ => facets.push((name.clone(), value.clone())),
        }
    }
    SearchQuery { facets, ..query.clone() }
}

fn by_sparql(query: &SearchQuery) -> Option<AnyView> {
    let text = sparql::sparql_for(query)?;
    let path = with_query("/sparql-editor", [("run", "1"), ("query", text.as_str())]);
    Some(
        view! { <span class="small quiet">"the same number by "<a rel="nofollow" href=path>"SPARQL"</a></span> }
            .into_any(),
    )
}

/// Returns the switch between everything and what can start now.
fn can_start(query: &SearchQuery) -> AnyView {
    let path = search_path(&SearchQuery { can_start_now: !query.can_start_now, page: 1, ..query.clone() });
    let chosen = query.can_start_now.then_some("true");
    let (class, label) = if query.can_start_now { ("live", "can start now ×") } else { ("live", "can start now") };
    let name = if query.can_start_now { "Show also what cannot start now" } else { "Show only what can start now" };
    view! { <a class=format!("chip small {class}") rel="nofollow" href=path aria-current=chosen aria-label=name>{label}</a> }.into_any()
}

fn sorts(query: &SearchQuery) -> AnyView {
    let sorts: Vec<_> = [(Sort::Relevance, "Best match"), (Sort::Newest, "Newest"), (Sort::Name, "Name")]
        .into_iter()
        .map(|(sort, label)| {
            let path = search_path(&SearchQuery { sort, page: 1, ..query.clone() });
            view! { <a rel="nofollow" href=path aria-current=(sort == query.sort).then_some("true")>{label}</a> }
        })
        .collect();
    view! { <nav class="sorts small" aria-label="Sort by">{sorts}</nav> }.into_any()
}

fn did_you_mean(query: &SearchQuery, answer: &SearchAnswer) -> Option<AnyView> {
    let better = answer.did_you_mean.clone()?;
    let path = search_path(&SearchQuery { q: better.clone(), page: 1, ..query.clone() });
    Some(view! { <p class="meant">"Did you mean "<a href=path>{better}</a>"?"</p> }.into_any())
}

fn nothing(query: &SearchQuery, answer: &SearchAnswer, rescues: &[Rescue]) -> AnyView {
    let ways: Vec<_> = rescues
        .iter()
        .filter(|rescue| rescue.total > 0)
        .map(|rescue| {
            let found = words::counted(rescue.total, "result", "results");
            let label = format!("Without {}", rescue.without);
            view! { <li><a href=search_path(&rescue.query)>{label}</a>" "<span class="quiet">{found}</span></li> }
        })
        .collect();
    let ways = if ways.is_empty() {
        view! { <p><a href="/search">"See everything"</a></p> }.into_any()
    } else {
        view! { <p>"With one of your choices less:"</p><ul>{ways}</ul> }.into_any()
    };
    let asked = (!query.q.is_empty()).then(|| view! { " for “"{words::clip(&query.q, 80)}"”" });
    view! {
        <div class="nothing">
            <p class="lead">"Nothing was found"{asked}"."</p>
            {did_you_mean(query, answer)}
            {ways}
        </div>
    }
    .into_any()
}
