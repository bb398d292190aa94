//! A version under review: how it differs from what everybody sees, and the steps that its viewer may take.

use catalog_schemas::governance::{Difference, TermChange};
use catalog_schemas::problem::Problem;
use catalog_schemas::record::{Act, RecordView, TermValue};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::record_path;
use crate::part;
use crate::part::notice::{Tone, notice};
use crate::words;

/// Returns the page.
pub fn review(record: &RecordView, difference: &Difference, refused: Option<&Problem>) -> Document {
    let version = record.version.clone().unwrap_or_default();
    let path = record_path(&record.zone, &record.identifier, Some(&version));
    let refused = refused.map(|problem| notice(Tone::Bad, view! { <p>{words::said(problem)}</p> }));
    let state = format!("{} {version} is {}.", record.identifier, record.state);
    let main = view! {
        <article>
            <p class="small quiet"><a href="/queue">"Queue"</a></p>
            <h1>"Review "{record.name.clone()}</h1>
            {refused}
            <p class="quiet">{state}" "<a href=path>"Look at its page"</a>"."</p>
            {changes(difference)}
        </article>
        <aside>{steps(record)}</aside>
    };
    let mut document = Document::new(format!("Review {}", record.name), Place::Publish, Layout::Aside, main);
    document.unlisted = true;
    document
}

fn changes(difference: &Difference) -> AnyView {
    let title = match &difference.against {
        Some(against) => format!("What {} changes of {against}", difference.version),
        None => format!("What {} says: nothing was published before it", difference.version),
    };
    if difference.changes.is_empty() {
        return view! { <h2>{title}</h2><p class="quiet">"No term differs."</p> }.into_any();
    }
    let rows: Vec<_> = difference.changes.iter().map(change).collect();
    let same = match difference.same {
        0 => String::new(),
        1 => "One other term is the same.".to_owned(),
        more => format!("{more} other terms are the same."),
    };
    view! {
        <h2>{title}</h2>
        <div class="table" role="region" tabindex="0" aria-label="Differences"><table class="difference">
            <thead><tr><th scope="col">"Term"</th><th scope="col">"Before"</th><th scope="col">"Now"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="small quiet">{same}</p>
    }
    .into_any()
}

fn change(change: &TermChange) -> AnyView {
    let private = change.private.then(|| view! { " "<span class="tag">"private"</span> });
    let kept = match change.kept {
        0 => None,
        one => Some(view! { <p class="small quiet">{format!("and {one} as before")}</p> }),
    };
    view! {
        <tr>
            <th scope="row">{words::capitalised(&change.label)}{private}<br/><span class="mono small quiet">{change.key.clone()}</span></th>
            <td>{values(&change.before, true)}</td>
            <td>{values(&change.after, false)}{kept}</td>
        </tr>
    }
    .into_any()
}

/// Writes values; what went and what came are told by element and not by colour alone.
fn values(values: &[TermValue], gone: bool) -> AnyView {
    if values.is_empty() {
        return view! { <span class="quiet">"—"</span> }.into_any();
    }
    let items: Vec<_> = values
        .iter()
        .map(|value| {
            let lang = value.lang.clone().map(|lang| view! { <span class="tag">{lang}</span>" " });
            let text = part::terms::value(value);
            if gone {
                view! { <li>{lang}<del>{text}</del></li> }.into_any()
            } else {
                view! { <li>{lang}<ins>{text}</ins></li> }.into_any()
            }
        })
        .collect();
    view! { <ul class="lines">{items}</ul> }.into_any()
}

/// What a step is called on its button, and what it does in a sentence.
pub(crate) fn words_of(act: &Act) -> (&'static str, &'static str) {
    match act.name.as_str() {
        "submit" => ("Submit for review", "A moderator looks at it and approves or returns it."),
        "publish" => ("Publish", "Everybody sees it."),
        "approve" => ("Approve and publish", "Everybody sees it; its publisher is told."),
        "return" => ("Return to its publisher", "It becomes a draft again; its publisher reads your reason."),
        "take back" => ("Take back", "It becomes a draft again, to be changed."),
        "deprecate" => ("Deprecate", "It stays, with a banner that it should no longer be used."),
        "restore" => ("Restore", "It is published again, without the banner."),
        "withdraw" => ("Withdraw", "It is found no more; a tombstone with your reason stays for ever."),
        _ => ("Change", ""),
    }
}

/// Returns the forms of the steps that a viewer may take.
pub(crate) fn steps(record: &RecordView) -> AnyView {
    // What one came for stands first; what cannot be taken back stands last, behind a word.
    let rank = |act: &&Act| match act.name.as_str() {
        "approve" | "submit" | "publish" => 0,
        "withdraw" => 2,
        _ => 1,
    };
    let mut acts: Vec<&Act> = record.may.iter().collect();
    acts.sort_by_key(rank);
    let forms: Vec<_> = acts.into_iter().filter_map(|act| Some(form(record, act, act.state.as_deref()?))).collect();
    if forms.is_empty() {
        return view! { <section class="sheet"><h2>"Steps"</h2><p class="quiet">"There is no step for you to take."</p></section> }.into_any();
    }
    view! { {forms} }.into_any()
}

fn form(record: &RecordView, act: &Act, state: &str) -> AnyView {
    let version = record.version.clone().unwrap_or_default();
    let action = super::queue::review_path(&record.zone, &record.identifier, &version);
    let (label, meaning) = words_of(act);
    let (reason_label, hint) = if act.reason { ("Reason", "") } else { ("Reason ", "optional") };
    let reason = matches!(state, "draft" | "withdrawn" | "deprecated").then(|| {
        let hint = (!hint.is_empty()).then(|| view! { <span class="quiet small">{hint}</span> });
        view! { <label>{reason_label}{hint}<textarea name="reason" rows="3" maxlength="500" required=act.reason></textarea></label> }
    });
    let successor = (state == "deprecated").then(|| {
        view! { <label>"Address of its successor "<span class="quiet small">"optional"</span><input name="replacedBy" type="url" maxlength="500" autocomplete="off"/></label> }
    });
    let class = if matches!(act.name.as_str(), "approve" | "submit" | "publish") { "primary block" } else { "block" };
    let fields = view! {
        <p class="small quiet">{meaning}</p>
        <input type="hidden" name="state" value=state.to_owned()/>
        {reason}{successor}
        <div class="actions"><button class=class>{label}</button></div>
    };
    if act.name == "withdraw" {
        return view! {
            <details class="sheet step">
                <summary><h2>{label}</h2></summary>
                <form class="form" method="post" action=action>{fields}</form>
            </details>
        }
        .into_any();
    }
    view! { <form class="form sheet step" method="post" action=action><h2>{label}</h2>{fields}</form> }.into_any()
}
