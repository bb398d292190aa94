//! The accounts, for administrators.

use catalog_schemas::account::Role;
use catalog_schemas::people::{AccountView, PasswordLink};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::segment;
use crate::part::notice::{Tone, notice};
use crate::words;

const ROLES: [Role; 3] = [Role::User, Role::Moderator, Role::Administrator];

/// Returns the page; `made` is a one-time link, shown this once.
pub fn accounts(accounts: &[AccountView], made: Option<&PasswordLink>, refused: Option<&str>) -> Document {
    let made = made.cloned().map(|link| {
        notice(
            Tone::Good,
            view! {
                <p><b>"A link for "{link.account}"."</b>" Send it to them; it is shown this once, works once, and until "{words::minute(&link.expires)}"."</p>
                <p><code class="secret" tabindex="0">{link.link}</code></p>
            },
        )
    });
    let refused = refused.map(|message| notice(Tone::Bad, view! { <p>{message.to_owned()}</p> }));
    let rows: Vec<_> = accounts.iter().map(row).collect();
    let roles: Vec<_> =
        ROLES.into_iter().map(|role| view! { <option value=role.as_str()>{role.as_str()}</option> }).collect();
    let main = view! {
        <h1>"Accounts"</h1>
        <p class="quiet">"A suspended account's tokens and sessions do not count. Another role ends its sessions."</p>
        {made}{refused}
        <div class="table" role="region" tabindex="0" aria-label="Accounts"><table>
            <thead><tr><th scope="col">"Account"</th><th scope="col">"Name"</th><th scope="col">"Signs in with"</th><th scope="col">"Last seen"</th><th scope="col">"Role"</th><th scope="col"><span class="unseen">"Change"</span></th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <form class="form sheet" method="post" action="/accounts">
            <h2>"Invite somebody"</h2>
            <div class="two">
                <label>"Account"<input name="account" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false"/></label>
                <label>"Name "<span class="quiet small">"optional"</span><input name="displayName" maxlength="100" autocomplete="off"/></label>
                <label>"Role"<select name="role">{roles}</select></label>
            </div>
            <div class="actions"><button class="primary">"Make the account and its link"</button></div>
        </form>
    };
    let mut document = Document::new("Accounts", Place::Elsewhere, Layout::Wide, main);
    document.unlisted = true;
    document
}

fn row(account: &AccountView) -> AnyView {
    let action = format!("/accounts/{}", segment(&account.name));
    let roles: Vec<_> = ROLES
        .into_iter()
        .map(|role| view! { <option value=role.as_str() selected=role == account.role>{role.as_str()}</option> })
        .collect();
    let with = match (account.has_password, account.issuers.is_empty()) {
        (true, true) => "a password".to_owned(),
        (false, true) => "tokens".to_owned(),
        (true, false) => format!("a password, {}", account.issuers.join(", ")),
        (false, false) => account.issuers.join(", "),
    };
    let seen = account.last_seen.as_deref().map_or_else(|| "never".to_owned(), words::day);
    let (word, value) = if account.suspended { ("Let back", "resume") } else { ("Suspend", "suspend") };
    let state = account.suspended.then(|| view! { <span class="small quiet">" suspended"</span> });
    let name = account.name.clone();
    let labels = [
        format!("Role of {name}"),
        format!("Set the role of {name}"),
        format!("{word} {name}"),
        format!("Make a password link for {name}"),
    ];
    let [role_label, set_label, suspend_label, link_label] = labels;
    let (first, second) = (action.clone(), action);
    view! {
        <tr>
            <th scope="row">{name}{state}</th>
            <td>{account.display_name.clone()}</td>
            <td class="small">{with}</td>
            <td>{seen}</td>
            <td><form class="inline" method="post" action=first><select name="role" aria-label=role_label>{roles}</select><button class="small" name="change" value="role" aria-label=set_label>"Set"</button></form></td>
            <td><form class="actions" method="post" action=second>
                <button class="small" name="change" value=value aria-label=suspend_label>{word}</button>
                <button class="small" name="change" value="link" aria-label=link_label>"Password link"</button>
            </form></td>
        </tr>
    }
    .into_any()
}
