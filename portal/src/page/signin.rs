//! Signing in, signing up, and choosing a password.

use catalog_schemas::people::SignInWays;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{segment, with_query};
use crate::part::notice::{Tone, notice};

fn narrow(title: &str, main: impl IntoAny) -> Document {
    let mut document = Document::new(title, Place::Elsewhere, Layout::Narrow, main);
    document.unlisted = true;
    document
}

fn said(refused: Option<&str>) -> Option<AnyView> {
    refused.map(|message| notice(Tone::Bad, view! { <p>{message.to_owned()}</p> }))
}

/// Returns the sign-in page; `refused` says why the last attempt was not taken.
pub fn signin(ways: &SignInWays, next: &str, account: &str, refused: Option<&str>) -> Document {
    let providers: Vec<_> = ways
        .providers
        .iter()
        .map(|provider| {
            let path = with_query(&format!("/login/oidc/{}", segment(&provider.id)), [("next", next)]);
            view! { <a class="button" href=path>"Sign in with "{provider.title.clone()}</a> }
        })
        .collect();
    let providers = (!providers.is_empty()).then(|| view! { <div class="actions">{providers}</div> });
    let (local, tokened) = (next.to_owned(), next.to_owned());
    let password = ways.password.then(|| {
        view! {
            <form class="form sheet" method="post" action="/login">
                <input type="hidden" name="next" value=local/>
                <label>"Account"
                    <input name="account" required autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" value=account.to_owned()/>
                </label>
                <label>"Password"
                    <input type="password" name="password" required autocomplete="current-password" maxlength="200"/>
                </label>
                <p class="small quiet">"Forgotten? An administrator can send you a link to choose a new one."</p>
                <div class="actions"><button class="primary">"Sign in"</button></div>
            </form>
        }
    });
    let sign_up = ways.sign_up.then(|| {
        view! { <p>"No account yet? "<a href="/signup">"Make one"</a>"."</p> }
    });
    let main = view! {
        <h1>"Sign in"</h1>
        <p class="quiet">"Finding needs no account. Launching and publishing do: so that a lab has an owner, and a record somebody who answers for it."</p>
        {said(refused)}
        {providers}
        {password}
        {sign_up}
        <details open=!ways.password>
            <summary>"Sign in with a token"</summary>
            <form class="form sheet" method="post" action="/login">
                <input type="hidden" name="next" value=tokened/>
                <label>"Token"
                    <input type="password" name="token" required autocomplete="off" spellcheck="false"/>
                </label>
                <p class="small quiet">"A token begins with "<span class="mono">"ald_"</span>". You have one from an administrator, or made one on your account page; the first is printed when the server starts."</p>
                <div class="actions"><button>"Sign in with the token"</button></div>
            </form>
        </details>
    };
    narrow("Sign in", main)
}

/// Returns the page where anybody makes an account, where that is open.
pub fn signup(account: &str, display_name: &str, refused: Option<&str>) -> Document {
    let main = view! {
        <h1>"Make an account"</h1>
        {said(refused)}
        <form class="form sheet" method="post" action="/signup">
            <label>"Account"
                <input name="account" required autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" aria-describedby="account-rule" value=account.to_owned()/>
            </label>
            <p class="small quiet" id="account-rule">"Lower-case letters, digits, and . - _; it cannot be changed later."</p>
            <label>"Your name "<span class="quiet small">"optional"</span>
                <input name="displayName" autocomplete="name" maxlength="100" value=display_name.to_owned()/>
            </label>
            {new_password()}
            <div class="actions"><button class="primary">"Make the account"</button><a class="button" href="/login">"Sign in instead"</a></div>
        </form>
    };
    narrow("Make an account", main)
}

/// Returns the page where a password is chosen by a one-time link.
pub fn choose(ticket: &str, refused: Option<&str>) -> Document {
    let main = view! {
        <h1>"Choose a password"</h1>
        <p class="quiet">"This link works once. Choosing a password signs you in here, and out everywhere else."</p>
        {said(refused)}
        <form class="form sheet" method="post" action="/password">
            <input type="hidden" name="ticket" value=ticket.to_owned()/>
            {new_password()}
            <div class="actions"><button class="primary">"Choose it and sign in"</button></div>
        </form>
    };
    narrow("Choose a password", main)
}

/// Returns the field of a new password, with its rule.
pub(crate) fn new_password() -> AnyView {
    view! {
        <label>"New password"
            <input type="password" name="password" required autocomplete="new-password" minlength="10" maxlength="200" aria-describedby="password-rule"/>
        </label>
        <p class="small quiet" id="password-rule">"10 characters or more; four random words are good."</p>
    }
    .into_any()
}
