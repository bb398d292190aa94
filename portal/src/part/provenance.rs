//! Why a record says what it says: who says it, and who says otherwise.

use catalog_schemas::harvest::{Provenance, TermProvenance, TermSource};
use leptos::prelude::*;

use crate::link::segment;
use crate::markup::safe_address;
use crate::page::sources::plain;
use crate::words;

/// Returns the panel of a record's sources and of every term's origin.
pub(crate) fn panel(provenance: &Provenance) -> AnyView {
    let home = provenance.home.as_deref().and_then(safe_address).map(|address| {
        view! { <p>"Harvested. At home at "<a href=address.clone() rel="noopener">{address.clone()}</a>"."</p> }
    });
    let sources: Vec<_> = provenance
        .sources
        .iter()
        .map(|source| {
            let run = source.run.map(|run| {
                view! { <a href=format!("/sources/{}/runs/{run}", segment(&source.source))>{format!("run {run}")}</a> }
            });
            let standing =
                if source.home { "home zone".to_owned() } else { format!("precedence {}", source.precedence) };
            view! {
                <tr>
                    <th scope="row">{source.source.clone()}</th>
                    <td>{standing}</td>
                    <td class="mono">{source.key.clone()}</td>
                    <td><time datetime=source.modified.clone()>{words::minute(&source.modified)}</time></td>
                    <td>{run}</td>
                </tr>
            }
        })
        .collect();
    let terms: Vec<_> = provenance.terms.iter().map(term).collect();
    view! {
        {home}
        <h2>"Sources"</h2>
        <div class="table" role="region" tabindex="0" aria-label="Sources of this record"><table>
            <caption class="unseen">"Who says something of this record, the most believed first"</caption>
            <thead><tr><th scope="col">"Source"</th><th scope="col">"Standing"</th><th scope="col">"Key there"</th><th scope="col">"Last said otherwise"</th><th scope="col">"Brought by"</th></tr></thead>
            <tbody>{sources}</tbody>
        </table></div>
        <h2>"Why each value is here"</h2>
        <dl class="terms full">{terms}</dl>
    }
    .into_any()
}

fn term(term: &TermProvenance) -> AnyView {
    let rule = match term.rule.as_str() {
        "only" => "nobody else says anything",
        "identity" => "what the record is, its own source decides",
        "home" => "the home zone is believed first",
        "precedence" => "its source is configured to be believed more",
        "newest" => "it was said last",
        "union" => "gathered from everybody",
        "overlay" => "a moderator decided",
        other => other,
    }
    .to_owned();
    let losers: Vec<_> = term.losers.iter().map(|loser| view! { <li class="quiet">{said(loser)}</li> }).collect();
    let losers = (!losers.is_empty()).then(|| view! { <ul class="lines small">{losers}</ul> });
    view! {
        <dt class="mono">{term.key.clone()}</dt>
        <dd>{plain(&term.winner.value)}<br/><span class="small quiet">{format!("{}: {rule}", term.winner.source)}</span>{losers}</dd>
    }
    .into_any()
}

fn said(source: &TermSource) -> String {
    format!("{} says: {}", source.source, plain(&source.value))
}
