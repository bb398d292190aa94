//! The chosen filters as chips, each a link that removes it.

use catalog_schemas::search::{FacetValue, SearchAnswer, SearchQuery};
use leptos::prelude::*;

use super::facets::title;
use crate::link::search_path;

/// Returns the chips; none when nothing is chosen.
pub fn chips(query: &SearchQuery, answer: &SearchAnswer) -> Option<AnyView> {
    if query.facets.is_empty() {
        return None;
    }
    let chips: Vec<_> = query
        .facets
        .iter()
        .map(|(facet, value)| {
            let text = format!("{}: {}", title(facet), label(answer, facet, value));
            let name = format!("Remove filter {text}");
            view! {
                <li><a class="chip" rel="nofollow" href=search_path(&query.toggled(facet, value)) aria-label=name>
                    {text} <span aria-hidden="true">" ×"</span>
                </a></li>
            }
        })
        .collect();
    let cleared = SearchQuery { facets: Vec::new(), page: 1, ..query.clone() };
    Some(
        view! {
            <ul class="chips" aria-label="Chosen filters">
                {chips}
                <li><a class="small" href=search_path(&cleared)>"Clear all"</a></li>
            </ul>
        }
        .into_any(),
    )
}

/// Returns a facet value's label, or the last part of the value when the answer does not hold it.
pub fn label(answer: &SearchAnswer, facet: &str, value: &str) -> String {
    fn find<'a>(values: &'a [FacetValue], value: &str) -> Option<&'a FacetValue> {
        values.iter().find_map(|candidate| {
            if candidate.value == value { Some(candidate) } else { find(&candidate.children, value) }
        })
    }
    answer
        .facets
        .get(facet)
        .and_then(|found| find(&found.values, value))
        .map_or_else(|| value.rsplit('/').next().unwrap_or(value).to_owned(), |found| found.label.clone())
}
