//! What waits: submissions for moderators, and one's own drafts.

use catalog_schemas::account::Role;
use catalog_schemas::governance::{Queue, QueueItem};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{record_path, segment};
use crate::viewer::Viewer;
use crate::words;

/// Returns the page.
pub fn queue(viewer: &Viewer, queue: &Queue) -> Document {
    let moderates = viewer.me.role >= Role::Moderator;
    let (title, nothing) = if moderates {
        ("Waiting for review", "Nothing waits. Whoever submits a version finds it here.")
    } else {
        ("Submitted for review", "You have submitted nothing that still waits.")
    };
    let drafts = (!queue.drafts.is_empty()).then(|| {
        view! { <h2 id="drafts">"Your drafts"</h2>{table(&queue.drafts, "Your drafts")} }
    });
    let main = view! {
        <h1>{title}</h1>
        <p class="quiet">"A version that is reviewed is seen by everybody only after a moderator has approved it."</p>
        {if queue.submitted.is_empty() { view! { <p class="empty">{nothing}</p> }.into_any() } else { table(&queue.submitted, title) }}
        {drafts}
    };
    let mut document = Document::new(title, Place::Publish, Layout::Wide, main);
    document.unlisted = true;
    document
}

fn table(items: &[QueueItem], title: &'static str) -> AnyView {
    let rows: Vec<_> = items.iter().map(row).collect();
    view! {
        <div class="table" role="region" tabindex="0" aria-label=title><table>
            <thead><tr><th scope="col">"Record"</th><th scope="col">"Version"</th><th scope="col">"By"</th><th scope="col">"Since"</th><th scope="col">"To be looked at"</th><th scope="col"><span class="unseen">"Review"</span></th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn row(item: &QueueItem) -> AnyView {
    let record = record_path(&item.zone, &item.identifier, Some(&item.version));
    let review = review_path(&item.zone, &item.identifier, &item.version);
    let over = match &item.published {
        Some(published) => format!("after {published}"),
        None => "new record".to_owned(),
    };
    let mut notes = Vec::new();
    if !item.acknowledged.is_empty() {
        notes.push(format!("its publisher took responsibility for {}", item.acknowledged.join(", ")));
    }
    notes.extend(item.reason.as_ref().map(|reason| format!("returned: {reason}")));
    let label = format!("Review {} {}", item.identifier, item.version);
    view! {
        <tr>
            <th scope="row"><a href=record>{item.name.clone()}</a><br/><span class="mono small quiet">{item.identifier.clone()}</span></th>
            <td>{item.version.clone()}<br/><span class="small quiet">{over}</span></td>
            <td>{item.publisher.clone()}</td>
            <td><time datetime=item.since.clone()>{words::minute(&item.since)}</time></td>
            <td>{notes.join("; ")}</td>
            <td><a class="button small" href=review aria-label=label>"Review"</a></td>
        </tr>
    }
    .into_any()
}

/// Returns the address of the page on which a version is reviewed.
pub(crate) fn review_path(zone: &str, identifier: &str, version: &str) -> String {
    format!("/review/{}/{}/{}", segment(zone), segment(identifier), segment(version))
}
