//! Letting a program on another device act for the viewer.

use catalog_schemas::people::DeviceRequest;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::part::notice::{Tone, notice};

/// Returns the page where a code is written.
pub fn ask(code: &str, refused: Option<&str>) -> Document {
    let refused = refused.map(|message| notice(Tone::Bad, view! { <p>{message.to_owned()}</p> }));
    let main = view! {
        <h1>"Connect a device"</h1>
        <p class="quiet">"A program, such as "<span class="mono">"alidade login"</span>", shows a code of eight letters. Write it here."</p>
        {refused}
        <form class="form sheet" method="get" action="/device">
            <label>"Code"<input name="code" required maxlength="20" autocomplete="off" autocapitalize="characters" spellcheck="false" placeholder="BCDF-GHJK" value=code.to_owned()/></label>
            <div class="actions"><button class="primary">"Continue"</button></div>
        </form>
    };
    page(main)
}

/// Returns the page where the viewer allows what waits behind a code, or does not.
pub fn decide(request: &DeviceRequest) -> Document {
    let scopes: Vec<_> = request.scopes.iter().map(|scope| view! { <li>{scope.as_str()}</li> }).collect();
    let main = view! {
        <h1>"Connect this device?"</h1>
        <p class="lead"><b>{request.client.clone()}</b>" asks to act for you. It showed the code "<span class="mono">{request.code.clone()}</span>"."</p>
        <p>"It may:"</p>
        <ul>{scopes}</ul>
        {notice(Tone::Warn, view! { <p>"Only allow this if you started it yourself, just now, and it shows this very code. Nobody from Alidade will ever ask you to write one."</p> })}
        <form class="actions" method="post" action="/device">
            <input type="hidden" name="code" value=request.code.clone()/>
            <button class="primary" name="answer" value="allow">"Allow"</button>
            <button name="answer" value="deny">"Do not allow"</button>
        </form>
    };
    page(main)
}

/// Returns the page after the answer.
pub fn done(allowed: bool) -> Document {
    let main = if allowed {
        view! { <h1>"Connected"</h1><p class="lead">"The program has its token now. You can close this page; the token is on your "<a href="/account#tokens">"account page"</a>", where you can revoke it."</p> }.into_any()
    } else {
        view! { <h1>"Not connected"</h1><p class="lead">"The program was told no."</p> }.into_any()
    };
    page(main)
}

fn page(main: impl IntoAny) -> Document {
    let mut document = Document::new("Connect a device", Place::Elsewhere, Layout::Narrow, main);
    document.unlisted = true;
    document
}
