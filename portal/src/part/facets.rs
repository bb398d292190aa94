//! The facet panel: every value a link that chooses or releases it, with its count and its share as a line.

use catalog_schemas::search::{Facet, FacetValue, SearchAnswer, SearchQuery};
use leptos::prelude::*;

use crate::link::search_path;
use crate::words;

/// Values of a group shown before one asks for all.
const SHOWN: usize = 8;

/// Facets that are open before anything is chosen in them.
const OPEN: [&str; 4] = ["type", "domain", "mission", "datazone"];

/// Returns a facet's title.
pub fn title(facet: &str) -> &'static str {
    match facet {
        "type" => "Type",
        "property" => "Property",
        "domain" => "Domain",
        "mission" => "Mission",
        "instrument" => "Instrument",
        "thematicArea" => "Thematic area",
        "datazone" => "Datazone",
        "gpu" => "GPU",
        "interface" => "Interface",
        "fileType" => "File type",
        "licence" => "Licence",
        "source" => "Source",
        "year" => "Year",
        _ => "Other",
    }
}

/// Returns the panel.
pub fn panel(query: &SearchQuery, answer: &SearchAnswer) -> AnyView {
    let groups: Vec<_> = answer
        .facets
        .0
        .iter()
        .filter(|(name, facet)| !facet.values.is_empty() || query.chosen(name).next().is_some())
        .map(|(name, facet)| group(query, name, facet))
        .collect();
    view! {
        <section class="facets" id="filters" aria-label="Filters">
            <a class="button close" href="#results">"Show results"</a>
            {groups}
        </section>
    }
    .into_any()
}

fn group(query: &SearchQuery, name: &str, facet: &Facet) -> AnyView {
    let open = OPEN.contains(&name) || query.chosen(name).next().is_some();
    let largest = facet.values.iter().map(|value| value.count).max().unwrap_or(0);
    // A chosen value stays in sight however rare it is.
    let (shown, hidden): (Vec<_>, Vec<_>) =
        facet.values.iter().enumerate().partition(|(at, value)| *at < SHOWN || is_chosen(value));
    let total = facet.values.len();
    let rest = (!hidden.is_empty()).then(|| {
        let hidden: Vec<_> = hidden.into_iter().map(|(_, value)| item(query, name, value, largest)).collect();
        view! {
            <details class="all"><summary>{format!("Show all {total}")}</summary><ul>{hidden}</ul></details>
        }
    });
    let shown: Vec<_> = shown.into_iter().map(|(_, value)| item(query, name, value, largest)).collect();
    view! {
        <details class="group" open=open>
            <summary><h2>{title(name)}</h2></summary>
            <ul>{shown}</ul>
            {rest}
        </details>
    }
    .into_any()
}

fn is_chosen(value: &FacetValue) -> bool {
    value.selected || value.children.iter().any(is_chosen)
}

fn item(query: &SearchQuery, facet: &str, value: &FacetValue, largest: usize) -> AnyView {
    let chosen = query.has(facet, &value.value);
    let class = format!("value share-{}", share(value.count, largest));
    let state = if chosen { ", chosen; follow to release" } else { "" };
    let children: Vec<_> = value.children.iter().map(|child| item(query, facet, child, largest)).collect();
    let children = (!children.is_empty()).then(|| view! { <ul>{children}</ul> });
    view! {
        <li>
            <a class=class rel="nofollow" href=search_path(&query.toggled(facet, &value.value)) aria-current=chosen.then_some("true")>
                <span class="box" aria-hidden="true"></span>
                <span class="label">{value.label.clone()}</span>
                " "
                <span class="n">{words::count(value.count)}<span class="unseen">" records" {state}</span></span>
            </a>
            {children}
        </li>
    }
    .into_any()
}

/// Returns a count's share of the largest in steps of five in a hundred; what is not empty is at least a mark.
fn share(count: usize, largest: usize) -> usize {
    if count == 0 || largest == 0 {
        return 0;
    }
    ((count as f64 / largest as f64 * 20.0).round() as usize * 5).clamp(5, 100)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_is_a_step_of_five() {
        assert_eq!([share(0, 10), share(1, 10_000), share(5, 10), share(10, 10), share(1, 0)], [0, 5, 50, 100, 0]);
    }
}
