//! The plan: every datazone's yes or no, with its reasons.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::plan::{Offer, Plan, Refusal};
use leptos::prelude::*;

use crate::words;

/// Returns the plan's list, best offer first, then the refusals.
///
/// With a form's id, every offer but the best carries a button that launches there instead.
pub fn plan(plan: &Plan, zones: &[Datazone], form: Option<&'static str>) -> AnyView {
    let offers: Vec<_> = plan.offers.iter().enumerate().map(|(rank, one)| offer(one, rank, zones, form)).collect();
    let refusals: Vec<_> = plan.refusals.iter().map(|one| refusal(one, zones)).collect();
    view! { <ul class="plan">{offers}{refusals}</ul> }.into_any()
}

fn offer(offer: &Offer, rank: usize, zones: &[Datazone], form: Option<&'static str>) -> AnyView {
    let name = words::zone_name(zones, &offer.datazone);
    let best = (rank == 0).then(|| view! { " " <span class="small quiet">"best"</span> });
    let reasons: Vec<_> = offer.explanation.iter().map(|reason| view! { <li>{words::sentence(reason)}</li> }).collect();
    let here = form.filter(|_| rank > 0).map(|form| {
        let label = format!("Launch at {name}");
        view! { <button class="small" form=form formmethod="post" name="datazone" value=offer.datazone.clone()>{label}</button> }
    });
    view! {
        <li>
            <b class="yes"><span aria-hidden="true">"✓ "</span>{name.clone()}<span class="unseen">": yes"</span></b>{best}
            <ul class="reasons"><li>{format!("Gives {}.", words::resources(&offer.offered))}</li>{reasons}</ul>
            {here}
        </li>
    }
    .into_any()
}

fn refusal(refusal: &Refusal, zones: &[Datazone]) -> AnyView {
    let name = words::zone_name(zones, &refusal.datazone);
    let reasons: Vec<_> =
        refusal.reasons.iter().map(|reason| view! { <li>{words::sentence(&reason.message)}</li> }).collect();
    view! {
        <li>
            <b class="no"><span aria-hidden="true">"✕ "</span>{name}<span class="unseen">": no"</span></b>
            <ul class="reasons">{reasons}</ul>
        </li>
    }
    .into_any()
}
