//! The audit trail, for moderators and administrators.

use catalog_schemas::account::AuditEntry;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::words;

/// Returns the page.
pub fn audit(entries: &[AuditEntry]) -> Document {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            view! {
                <tr>
                    <td>{entry.number}</td>
                    <td><time datetime=entry.at.clone()>{words::minute(&entry.at)}</time></td>
                    <td>{entry.account.clone()}</td>
                    <td class="mono">{entry.action.clone()}</td>
                    <td class="mono">{entry.subject.clone()}</td>
                    <td class="mono small">{entry.request.clone()}</td>
                </tr>
            }
        })
        .collect();
    let main = view! {
        <h1>"Audit trail"</h1>
        <p class="quiet">"Who did what, newest first. Each entry seals the one before it."</p>
        <div class="table" role="region" tabindex="0" aria-label="Audit trail"><table>
            <thead><tr><th scope="col">"Number"</th><th scope="col">"When"</th><th scope="col">"Account"</th><th scope="col">"Action"</th><th scope="col">"Subject"</th><th scope="col">"Request"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    };
    let mut document = Document::new("Audit trail", Place::Elsewhere, Layout::Wide, main);
    document.unlisted = true;
    document
}
