//! The keys by which a namespace signs its packages.

use catalog_schemas::governance::SigningKey;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::segment;
use crate::part::notice::{Tone, notice};
use crate::viewer::Viewer;
use crate::words;

/// Returns the page.
pub fn keys(viewer: &Viewer, keys: &[SigningKey], refused: Option<&str>) -> Document {
    let refused = refused.map(|message| notice(Tone::Bad, view! { <p>{message.to_owned()}</p> }));
    let namespaces: Vec<_> =
        viewer.me.namespaces.iter().map(|name| view! { <option value=name.clone()>{name.clone()}</option> }).collect();
    let form = if viewer.me.namespaces.is_empty() {
        view! { <p class="quiet">"You own no namespace, and keys belong to one."</p> }.into_any()
    } else {
        view! {
            <form class="form sheet" method="post" action="/account/keys">
                <h2>"Register a key"</h2>
                <p class="small quiet">"Make it with "<span class="mono">"alidade key new"</span>"; the private half never leaves your machine."</p>
                <div class="two">
                    <label>"Namespace"<select name="namespace">{namespaces}</select></label>
                    <label>"What it is called"<input name="name" required maxlength="100" autocomplete="off"/></label>
                </div>
                <label>"Public key"<input name="publicKey" class="mono" required maxlength="60" autocomplete="off" placeholder="z6Mk…"/></label>
                <div class="actions"><button class="primary">"Register"</button></div>
            </form>
        }
        .into_any()
    };
    let main = view! {
        <p class="small quiet"><a href="/account">"Account"</a></p>
        <h1>"Signing keys"</h1>
        <p class="quiet">"A package signed with a registered key shows by whom; one whose signature does not fit is refused."</p>
        {refused}
        {list(keys)}
        {form}
    };
    let mut document = Document::new("Signing keys", Place::Elsewhere, Layout::Wide, main);
    document.unlisted = true;
    document
}

fn list(keys: &[SigningKey]) -> AnyView {
    if keys.is_empty() {
        return view! { <p class="empty">"No key is registered."</p> }.into_any();
    }
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            let last = match &key.revoked {
                Some(at) => view! { <span class="quiet">"revoked "<time datetime=at.clone()>{words::day(at)}</time></span> }.into_any(),
                None => {
                    let action = format!("/account/keys/{}/revoke", segment(&key.id));
                    let label = format!("Revoke {}", key.name);
                    view! { <form method="post" action=action><button class="small" aria-label=label>"Revoke"</button></form> }.into_any()
                }
            };
            view! {
                <tr>
                    <th scope="row">{key.name.clone()}</th>
                    <td class="mono">{key.namespace.clone()}</td>
                    <td class="mono small key">{key.public_key.clone()}</td>
                    <td><time datetime=key.created.clone()>{words::day(&key.created)}</time></td>
                    <td>{last}</td>
                </tr>
            }
        })
        .collect();
    view! {
        <div class="table" role="region" tabindex="0" aria-label="Keys"><table>
            <thead><tr><th scope="col">"Name"</th><th scope="col">"Namespace"</th><th scope="col">"Public key"</th><th scope="col">"Since"</th><th scope="col"><span class="unseen">"Revoke"</span></th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}
