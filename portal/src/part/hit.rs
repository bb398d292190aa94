//! A hit as a line of print: title, one sentence, then the facts that decide.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::search::Hit;
use leptos::prelude::*;

use super::live;
use crate::link::{record_path, with_query};
use crate::{markup, words};

/// Characters of a description that a list shows; descriptions of any length are clipped, not broken.
const SENTENCE: usize = 240;

/// Returns the badge of what a moderator confirmed as official.
pub fn official() -> AnyView {
    view! { <span class="official">"ESA official"</span> }.into_any()
}

/// The level of a hit's heading: one below what stands over the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Below the page's own title.
    Second,
    /// Below a section's title.
    Third,
}

/// Returns one hit.
pub fn hit(hit: &Hit, zones: &[Datazone], level: Level) -> AnyView {
    let path = record_path(&hit.zone, &hit.identifier, None);
    let short = hit.alternate_name.clone().filter(|short| *short != hit.name);
    let short = short.map(|short| view! { " " <span class="mono quiet small">{short}</span> });
    let sentence = match hit.highlight.as_ref().filter(|text| !text.is_empty()) {
        Some(fragment) => view! { <p class="sentence" inner_html=markup::highlight(fragment)></p> }.into_any(),
        None if hit.summary.trim().is_empty() => {
            view! { <p class="sentence quiet">"No description yet."</p> }.into_any()
        }
        None => view! { <p class="sentence">{words::clip(&markup::plain(&hit.summary), SENTENCE)}</p> }.into_any(),
    };
    let version = hit.version.clone().map(|version| view! { <span>{words::version(&version)}</span> });
    let facts: Vec<_> = hit.facts.iter().map(|fact| view! { <span>{fact.clone()}</span> }).collect();
    let launch = hit.launchable.then(|| {
        let datalab = format!("{}/{}", hit.zone, hit.identifier);
        let name = format!("Launch {}", hit.name);
        view! {
            <div class="go"><a class="button primary" rel="nofollow" href=with_query("/launch", [("datalab", datalab)]) aria-label=name>"Launch"</a></div>
        }
    });
    let heading = view! { <a href=path>{hit.name.clone()}</a>{short} };
    let heading = match level {
        Level::Second => view! { <h2>{heading}</h2> }.into_any(),
        Level::Third => view! { <h3>{heading}</h3> }.into_any(),
    };
    view! {
        <li>
            <div>
                {heading}
                {sentence}
                <div class="facts">
                    <span>{words::kind(&hit.kind)}</span>
                    {version}
                    {facts}
                    {hit.official.then(official)}
                    {live::badges(&hit.zones, zones, hit.launchable)}
                </div>
            </div>
            {launch}
        </li>
    }
    .into_any()
}
