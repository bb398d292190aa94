//! What the viewer should know.

use catalog_schemas::governance::{Notification, Notifications};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{record_path, run_path};
use crate::words;

/// Returns the page.
pub fn notifications(given: &Notifications) -> Document {
    let newest = given.notifications.first().map(|newest| newest.number).unwrap_or_default();
    let read = (given.unread > 0).then(|| {
        view! {
            <form method="post" action="/notifications/read">
                <input type="hidden" name="number" value=newest.to_string()/>
                <button>"Mark all as read"</button>
            </form>
        }
    });
    let list = if given.notifications.is_empty() {
        view! { <p class="empty">"Nothing yet. You are told here when somebody reviews, changes or submits what concerns you."</p> }.into_any()
    } else {
        let items: Vec<_> = given.notifications.iter().map(item).collect();
        view! { <ol class="notices">{items}</ol> }.into_any()
    };
    let main = view! {
        <h1>"Notifications"</h1>
        {read}
        {list}
        <p class="small quiet">"A feed reader that can send a token finds the same at "<span class="mono">"/api/v1/notifications"</span>" as Atom."</p>
    };
    let mut document = Document::new("Notifications", Place::Elsewhere, Layout::Narrow, main);
    document.unlisted = true;
    document
}

fn item(one: &Notification) -> AnyView {
    let path = match (&one.version, one.what.as_str()) {
        (Some(run), "held") => run_path(&one.identifier, run),
        (Some(version), "submitted") => super::queue::review_path(&one.zone, &one.identifier, version),
        (version, _) => record_path(&one.zone, &one.identifier, version.as_deref()),
    };
    let what = match one.what.as_str() {
        "submitted" => "was submitted for review",
        "approved" => "was approved and published",
        "returned" => "was returned to you",
        "published" => "was published",
        "withdrawn" => "was withdrawn",
        "deprecated" => "was deprecated",
        "restored" => "was restored",
        "overlaid" => "was edited by a moderator",
        "held" => "waits for approval",
        _ => "was changed",
    };
    let name = match &one.version {
        Some(run) if one.what == "held" => format!("Run {run} of {}", one.identifier),
        Some(version) => format!("{} {version}", one.identifier),
        None => one.identifier.clone(),
    };
    let message = one.message.clone().map(|message| view! { <p>{message}</p> });
    let unread = (!one.read).then(|| view! { <span class="tag">"new"</span>" " });
    let class = if one.read { "" } else { "unread" };
    view! {
        <li class=class>
            <p>{unread}<a href=path>{name}</a>" "{what}</p>
            {message}
            <p class="small quiet">"by "{one.account.clone()}", "<time datetime=one.at.clone()>{words::minute(&one.at)}</time></p>
        </li>
    }
    .into_any()
}
