//! The audit trail, for moderators and administrators.

use catalog_schemas::account::AuditEntry;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::with_query;
use crate::words;

/// The filters of the page, by the names that the API knows.
pub const FILTERS: [&str; 6] = ["account", "action", "subject", "request", "since", "until"];

/// Groups of actions that one looks for most.
const ACTIONS: [(&str, &str); 9] = [
    ("", "anything"),
    ("package.", "packages published"),
    ("version.", "states changed"),
    ("record.", "records edited"),
    ("launch.", "launches"),
    ("token.", "tokens"),
    ("session.", "sessions"),
    ("account.", "accounts"),
    ("key.", "signing keys"),
];

/// Returns the page; `filters` are those that are set, `more` says that older entries may follow.
pub fn audit(entries: &[AuditEntry], filters: &[(String, String)], more: bool) -> Document {
    let rows: Vec<_> = entries.iter().map(row).collect();
    let older = entries.last().filter(|_| more).map(|last| {
        let mut pairs = filters.to_vec();
        pairs.push(("before".to_owned(), last.number.to_string()));
        view! { <nav class="pager" aria-label="Pages"><a class="button" rel="next" href=with_query("/audit", pairs)>"Older entries"</a></nav> }
    });
    let table = if rows.is_empty() {
        view! { <p class="empty">"No entry fits."</p> }.into_any()
    } else {
        view! {
            <div class="table" role="region" tabindex="0" aria-label="Audit trail"><table>
                <thead><tr><th scope="col">"Number"</th><th scope="col">"When"</th><th scope="col">"Account"</th><th scope="col">"Action"</th><th scope="col">"Subject"</th><th scope="col">"From"</th><th scope="col">"Request"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    let main = view! {
        <h1>"Audit trail"</h1>
        <p class="quiet">"Who did what, newest first. Each entry seals the one before it; "<span class="mono">"alidade verify"</span>" checks the seals. "<a href="/api/v1/audit.jsonl" download="">"Export everything"</a>"."</p>
        {form(filters)}
        {table}
        {older}
    };
    let mut document = Document::new("Audit trail", Place::Elsewhere, Layout::Wide, main);
    document.unlisted = true;
    document
}

fn form(filters: &[(String, String)]) -> AnyView {
    let value = |name: &str| {
        filters.iter().find(|(filter, _)| filter == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let chosen = value("action");
    let known = ACTIONS.iter().any(|(action, _)| *action == chosen);
    let own = (!known).then(|| view! { <option value=chosen.clone() selected>{chosen.clone()}</option> });
    let actions: Vec<_> = ACTIONS
        .into_iter()
        .map(|(action, label)| view! { <option value=action selected=action == chosen>{label}</option> })
        .collect();
    view! {
        <form class="form sheet filters" method="get" action="/audit">
            <div class="many">
                <label>"Account"<input name="account" value=value("account") autocomplete="off"/></label>
                <label>"What was done"<select name="action">{own}{actions}</select></label>
                <label>"Subject holds"<input name="subject" value=value("subject") autocomplete="off"/></label>
                <label>"Request"<input name="request" class="mono" value=value("request") autocomplete="off"/></label>
                <label>"From"<input type="date" name="since" value=value("since")/></label>
                <label>"Until"<input type="date" name="until" value=value("until")/></label>
            </div>
            <div class="actions"><button class="primary">"Filter"</button><a class="button" href="/audit">"Clear"</a></div>
        </form>
    }
    .into_any()
}

fn row(entry: &AuditEntry) -> AnyView {
    let behalf = entry.behalf.clone().map(|behalf| view! { <br/><span class="small quiet">"for "{behalf}</span> });
    let short = |hash: &Option<String>| hash.as_deref().and_then(|hash| hash.get(..8)).unwrap_or("–").to_owned();
    let hashes = (entry.before.is_some() || entry.after.is_some()).then(|| {
        view! { <br/><span class="mono small quiet" title="SHA-256 of the content before and after">{short(&entry.before)}" → "{short(&entry.after)}</span> }
    });
    let address = entry.address.clone().unwrap_or_default();
    let credential =
        entry.credential.clone().map(|credential| view! { <br/><span class="mono small quiet">{credential}</span> });
    view! {
        <tr>
            <td>{entry.number}</td>
            <td><time datetime=entry.at.clone()>{words::minute(&entry.at)}</time></td>
            <td>{entry.account.clone()}{behalf}</td>
            <td class="mono">{entry.action.clone()}</td>
            <td class="mono">{entry.subject.clone()}{hashes}</td>
            <td class="mono small">{address}{credential}</td>
            <td class="mono small">{entry.request.clone()}</td>
        </tr>
    }
    .into_any()
}
