//! The account: who one is, and one's tokens.

use catalog_schemas::account::{Role, Scope, Token};
use catalog_schemas::people::SessionView;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::segment;
use crate::page::signin::new_password;
use crate::part::notice::{Tone, notice};
use crate::viewer::Viewer;
use crate::words;

const SCOPES: [(Scope, &str); 5] = [
    (Scope::Read, "read what you may read"),
    (Scope::Publish, "publish packages"),
    (Scope::Launch, "launch and stop datalabs"),
    (Scope::Moderate, "moderate the catalogue"),
    (Scope::Admin, "everything you may do"),
];

/// What the page tells of what was just done.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// A token with its secret, shown this once.
    pub made: Option<&'a Token>,
    /// Why something was not done.
    pub refused: Option<&'a str>,
    /// What was done.
    pub done: Option<&'a str>,
}

/// Returns the page.
pub fn account(viewer: &Viewer, tokens: &[Token], sessions: &[SessionView], told: &Told<'_>) -> Document {
    let Told { made, refused, done } = told;
    let me = &viewer.me;
    let namespaces = if me.namespaces.is_empty() { "none".to_owned() } else { me.namespaces.join(", ") };
    let made = made.and_then(|token| token.secret.clone()).map(|secret| {
        notice(
            Tone::Good,
            view! {
                <p><b>"Your new token."</b>" Copy it now: it is shown this once."</p>
                <p><code class="secret" tabindex="0">{secret}</code></p>
            },
        )
    });
    let refused = refused.map(|message| notice(Tone::Bad, view! { <p>{message.to_owned()}</p> }));
    let done = done.map(|message| notice(Tone::Good, view! { <p>{message.to_owned()}</p> }));
    let audit = (me.role >= Role::Moderator).then(
        || view! { <li><a href="/sources">"Harvest sources"</a></li><li><a href="/audit">"Audit trail"</a></li> },
    );
    let accounts = (me.role >= Role::Administrator).then(|| view! { <li><a href="/accounts">"Accounts"</a></li> });
    let unread = match me.unread {
        0 => String::new(),
        unread => format!(" ({unread} new)"),
    };
    let queue = if me.role >= Role::Moderator { "Waiting for review" } else { "Drafts and submissions" };
    let main = view! {
        <div class="title"><h1>{viewer.name()}</h1><form method="post" action="/logout"><button>"Sign out"</button></form></div>
        <dl class="terms">
            <dt>"Account"</dt><dd class="mono">{me.account.clone().unwrap_or_default()}</dd>
            <dt>"Role"</dt><dd>{me.role.as_str()}</dd>
            <dt>"Namespaces"</dt><dd>{namespaces}</dd>
            <dt>"Running datalabs"</dt><dd>{format!("{} of {} allowed", me.running, me.allowed_running)}</dd>
        </dl>
        {done}{refused}
        <nav aria-label="Yours"><ul class="places">
            <li><a href="/notifications">"Notifications"{unread}</a></li>
            <li><a href="/queue">{queue}</a></li>
            <li><a href="/groups">"Namespaces and teams"</a></li>
            <li><a href="/account/keys">"Signing keys"</a></li>
            {audit}{accounts}
        </ul></nav>
        <h2 id="tokens">"Tokens"</h2>
        <p class="quiet">"A token acts for you outside the browser. Give each what it needs and no more."</p>
        {made}
        {list(tokens)}
        {create(me.role)}
        <h2 id="sessions">"Sessions"</h2>
        {session_list(sessions)}
        <form method="post" action="/account/sessions/end"><button>"Sign out everywhere"</button></form>
        <h2 id="password">"Password"</h2>
        <form class="form sheet" method="post" action="/account/password">
            <label hidden=true>"Account"<input name="account" value=me.account.clone().unwrap_or_default() autocomplete="username" readonly=true/></label>
            <label>"Password so far "<span class="quiet small">"if you have one"</span><input type="password" name="current" autocomplete="current-password" maxlength="200"/></label>
            {new_password()}
            <p class="small quiet">"Your other sessions end when you change it."</p>
            <div class="actions"><button>"Change the password"</button></div>
        </form>
    };
    let mut document = Document::new("Account", Place::Elsewhere, Layout::Narrow, main);
    document.unlisted = true;
    document
}

fn session_list(sessions: &[SessionView]) -> AnyView {
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| {
            let end = format!("/account/sessions/{}/end", segment(&session.id));
            let agent = session.agent.as_deref().map_or_else(|| "unknown".to_owned(), words::browser);
            let name = format!("End the session of {agent}");
            let action = if session.current {
                view! { <span class="small quiet">"this one"</span> }.into_any()
            } else {
                view! { <form method="post" action=end><button class="small" aria-label=name>"End"</button></form> }
                    .into_any()
            };
            view! {
                <tr>
                    <th scope="row" class="small">{agent.clone()}</th>
                    <td>{session.method.clone()}</td>
                    <td>{words::minute(&session.created)}</td>
                    <td>{words::minute(&session.last_seen)}</td>
                    <td>{action}</td>
                </tr>
            }
        })
        .collect();
    view! {
        <div class="table" role="region" tabindex="0" aria-label="Sessions"><table>
            <thead><tr><th scope="col">"Browser"</th><th scope="col">"By"</th><th scope="col">"Began"</th><th scope="col">"Last seen"</th><th scope="col"><span class="unseen">"End"</span></th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn list(tokens: &[Token]) -> AnyView {
    if tokens.is_empty() {
        return view! { <p class="quiet">"You have no token."</p> }.into_any();
    }
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
            let day = |at: &Option<String>, none: &str| at.as_deref().map_or_else(|| none.to_owned(), words::day);
            let revoke = format!("/account/tokens/{}/revoke", segment(&token.id));
            let name = format!("Revoke {}", token.name);
            view! {
                <tr>
                    <th scope="row">{token.name.clone()}</th>
                    <td>{scopes.join(", ")}{token.namespace.clone().map(|namespace| view! { <br/><span class="small quiet">"in "<span class="mono">{namespace}</span></span> })}</td>
                    <td>{day(&token.expires, "never")}</td>
                    <td>{day(&token.last_used, "never")}</td>
                    <td><form method="post" action=revoke><button class="small" aria-label=name>"Revoke"</button></form></td>
                </tr>
            }
        })
        .collect();
    view! {
        <div class="table" role="region" tabindex="0" aria-label="Tokens"><table>
            <thead><tr><th scope="col">"Name"</th><th scope="col">"May"</th><th scope="col">"Expires"</th><th scope="col">"Last used"</th><th scope="col"><span class="unseen">"Revoke"</span></th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn create(role: Role) -> AnyView {
    let scopes: Vec<_> = SCOPES
        .into_iter()
        .filter(|(scope, _)| match scope {
            Scope::Moderate => role >= Role::Moderator,
            Scope::Publish => role >= Role::Developer,
            _ => true,
        })
        .map(|(scope, meaning)| {
            view! { <label class="check"><input type="checkbox" name="scope" value=scope.as_str() checked=scope == Scope::Read/><span>{scope.as_str()}": "<span class="quiet">{meaning}</span></span></label> }
        })
        .collect();
    view! {
        <form class="form sheet" method="post" action="/account/tokens">
            <h3>"New token"</h3>
            <div class="two">
                <label>"What it is for"<input name="name" required maxlength="100" autocomplete="off"/></label>
                <label>"Days until it expires"<input type="number" name="days" value="90" min="1" max="365"/></label>
                <label>"Only in namespace "<span class="quiet small">"optional"</span><input name="namespace" maxlength="120" autocomplete="off"/></label>
            </div>
            <fieldset><legend>"It may"</legend>{scopes}</fieldset>
            <div class="actions"><button class="primary">"Make token"</button></div>
        </form>
    }
    .into_any()
}
