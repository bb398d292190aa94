//! The first page: a question, ways in, and what is new.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::search::{FacetValue, SearchAnswer};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::with_query;
use crate::part::hit::Level;
use crate::{part, words};

/// Facets that lead in, with their plural titles.
const WAYS_IN: [(&str, &str); 3] = [("type", "By type"), ("domain", "By domain"), ("mission", "By mission")];

/// Ways in that one facet shows.
const SHOWN: usize = 8;

/// Returns the page from an answer to the empty search and one to the newest datalabs.
pub fn home(all: &SearchAnswer, newest: &SearchAnswer, zones: &[Datazone]) -> Document {
    let ways: Vec<_> = WAYS_IN.iter().filter_map(|(facet, title)| way_in(all, facet, title)).collect();
    let hits: Vec<_> = newest.hits.iter().map(|hit| part::hit::hit(hit, zones, Level::Third)).collect();
    let newest = (!hits.is_empty()).then(|| {
        view! {
            <section class="newest" aria-labelledby="newest">
                <div class="line"><h2 id="newest">"Newest datalabs"</h2><a class="small" href="/search?type=Datalab&sort=newest">"All datalabs"</a></div>
                <ol class="hits">{hits}</ol>
            </section>
        }
    });
    let total = words::counted(all.total, "record", "records");
    let main = view! {
        <section class="question">
            <h1>"Find a datalab, and run it where the data is"</h1>
            {ask("", &[])}
            <p class="quiet small">{total}" of datalabs, datasets, data volumes and pipelines. Try "
                <a href="/search?q=gaia">"gaia"</a>", "<a href="/search?q=jupyterlab">"jupyterlab"</a>" or "<a href="/search?q=fits">"fits"</a>"."</p>
        </section>
        <div class="ways">{ways}</div>
        {newest}
    };
    let mut document = Document::new("Find and run datalabs", Place::Find, Layout::Home, main);
    document.description =
        Some("Find a datalab by mission, domain, instrument or words, and run it where the data is.".to_owned());
    document
}

/// Returns the question field; `kept` travels along as hidden fields.
pub(crate) fn ask(words: &str, kept: &[(String, String)]) -> AnyView {
    let words = words.to_owned();
    let kept: Vec<_> = kept
        .iter()
        .map(|(name, value)| view! { <input type="hidden" name=name.clone() value=value.clone()/> })
        .collect();
    view! {
        <form class="ask" role="search" method="get" action="/search">
            <div class="field">
                <input type="search" name="q" value=words maxlength="500" aria-label="Search the catalogue"
                    placeholder="A mission, an instrument, a tool, a word" autocomplete="off"/>
                <button class="primary">"Search"</button>
            </div>
            {kept}
        </form>
    }
    .into_any()
}

fn way_in(all: &SearchAnswer, facet: &'static str, title: &'static str) -> Option<AnyView> {
    let values = &all.facets.get(facet)?.values;
    if values.is_empty() {
        return None;
    }
    let link = |value: &FacetValue| {
        let path = with_query("/search", [(facet, &value.value)]);
        let children: Vec<_> = value
            .children
            .iter()
            .take(SHOWN)
            .map(|child| {
                view! { <li><a href=with_query("/search", [(facet, &child.value)])>{child.label.clone()}</a>" "<span class="n">{words::count(child.count)}</span></li> }
            })
            .collect();
        let children = (!children.is_empty()).then(|| view! { <ul>{children}</ul> });
        view! { <li><a href=path>{value.label.clone()}</a>" "<span class="n">{words::count(value.count)}</span>{children}</li> }
    };
    let items: Vec<_> = values.iter().take(SHOWN).map(link).collect();
    Some(view! { <section><h2>{title}</h2><ul>{items}</ul></section> }.into_any())
}
