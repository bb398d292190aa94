//! Identities that somebody decides, and those that were decided.

use catalog_schemas::harvest::Review;
use leptos::prelude::*;

use super::ago;
use super::findings::record_link;
use crate::link::run_path;
use crate::part::findings::with_code;
use crate::words;

/// Lists what waits, each with its choices.
pub(super) fn waiting(all: &[Review]) -> Option<AnyView> {
    if all.is_empty() {
        return None;
    }
    let items: Vec<_> = all.iter().map(case).collect();
    Some(
        view! {
            <section>
                <h2>{words::counted(all.len(), "identity to decide", "identities to decide")}</h2>
                <p class="quiet">"Several records claim to be one thing. They stay apart until you decide. What is the same becomes one record, and the address of the other leads there; later runs keep to it, and it can be taken back."</p>
                <ul class="cards">{items}</ul>
            </section>
        }
        .into_any(),
    )
}

fn case(review: &Review) -> AnyView {
    let choices: Vec<_> = review
        .records
        .iter()
        .map(|record| {
            let label = format!("The same as {record}");
            view! { <li class="line">{record_link(record)}<button name="same" value=record.clone() aria-label=label>"The same"</button></li> }
        })
        .collect();
    let own = review.own.as_ref().map(|own| view! { <p>"Is "{record_link(own)}" the same as"</p> });
    let action = format!("/reviews/{}/decide", review.number);
    view! {
        <li class="sheet small">
            <p class="message">{with_code(&words::sentence(&review.message))}</p>
            {facts(review)}
            <form method="post" action=action>
                {own}
                <ul class="values">{choices}</ul>
                <div class="actions"><button name="apart" value="1">"None of these: leave them apart"</button></div>
            </form>
        </li>
    }
    .into_any()
}

fn facts(review: &Review) -> AnyView {
    let run = run_path(&review.source, review.run);
    let found = format!("{}, run {}", review.source, review.run);
    view! { <p class="facts"><span class="mono">{review.code.clone()}</span><a href=run>{found}</a></p> }.into_any()
}

/// Lists what was decided, each with a way back.
pub(super) fn decided(all: &[Review], now: &str) -> Option<AnyView> {
    if all.is_empty() {
        return None;
    }
    let items: Vec<_> = all.iter().map(|review| decision(review, now)).collect();
    Some(
        view! {
            <details>
                <summary><h2>"Identities decided"</h2></summary>
                <ul class="cards">{items}</ul>
            </details>
        }
        .into_any(),
    )
}

fn decision(review: &Review, now: &str) -> AnyView {
    let own = review.own.as_ref().map(|own| record_link(own));
    let said = match &review.kept {
        Some(kept) => view! { <p class="message">{own}" is the same as "{record_link(kept)}</p> }.into_any(),
        None => {
            let others: Vec<_> = review.records.iter().map(|record| view! { " "{record_link(record)} }).collect();
            view! { <p class="message">{own}" is apart from"{others}</p> }.into_any()
        }
    };
    let by = review.decided_by.clone().map(|by| view! { <span>{by}</span> });
    let at = review.decided.as_ref().map(|at| ago(at, now));
    let action = format!("/reviews/{}/reopen", review.number);
    let label = format!("Take decision {} back", review.number);
    view! {
        <li class="sheet small">
            {said}
            <p class="facts">{by}{at}</p>
            {facts(review)}
            <form method="post" action=action class="actions"><button aria-label=label>"Take it back"</button></form>
        </li>
    }
    .into_any()
}
