//! Links from page to page.

use catalog_schemas::search::{MAX_DEPTH, SearchQuery};
use leptos::prelude::*;

use crate::link::search_path;
use crate::words;

/// Returns the pager; none when everything is on one page.
pub fn pager(query: &SearchQuery, total: usize) -> Option<AnyView> {
    let size = query.size.max(1);
    let reachable = total.min(MAX_DEPTH);
    let last = reachable.div_ceil(size).max(1);
    if last == 1 && query.page == 1 {
        return None;
    }
    let to = |page: usize| search_path(&SearchQuery { page, ..query.clone() });
    let previous = (query.page > 1)
        .then(|| view! { <a class="button" rel="prev" href=to((query.page - 1).min(last))>"Previous"</a> });
    let next = (query.page < last).then(|| view! { <a class="button" rel="next" href=to(query.page + 1)>"Next"</a> });
    let here = format!("Page {} of {}", words::count(query.page), words::count(last));
    let end = (total > MAX_DEPTH && query.page >= last)
        .then(|| view! { <p class="small quiet">"Paging ends here; narrow the search to see the others."</p> });
    Some(
        view! {
            <nav class="pager" aria-label="Pages">{previous}<span class="quiet">{here}</span>{next}</nav>
            {end}
        }
        .into_any(),
    )
}
