//! Signing in.

use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::part::notice::{Tone, notice};

/// Returns the page; `refused` says why the last token was not taken.
pub fn signin(next: &str, refused: Option<&str>) -> Document {
    let said = refused.map(|message| notice(Tone::Bad, view! { <p>{message.to_owned()}</p> }));
    let next = next.to_owned();
    let main = view! {
        <h1>"Sign in"</h1>
        <p class="quiet">"Finding needs no account. Launching and publishing do: so that a lab has an owner, and a record somebody who answers for it."</p>
        {said}
        <form class="form sheet" method="post" action="/login">
            <input type="hidden" name="next" value=next/>
            <label>"Token"
                <input type="password" name="token" required autocomplete="current-password" spellcheck="false"/>
            </label>
            <p class="small quiet">"A token begins with "<span class="mono">"ald_"</span>". You have one from an administrator, or made one on your account page; the first is printed when the server starts."</p>
            <div class="actions"><button class="primary">"Sign in"</button></div>
        </form>
    };
    let mut document = Document::new("Sign in", Place::Elsewhere, Layout::Narrow, main);
    document.unlisted = true;
    document
}
