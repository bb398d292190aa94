//! The frame around every page: header with the main navigation, footer with the theme.

use leptos::prelude::*;

use crate::document::{Layout, Place};
use crate::link::with_query;
use crate::viewer::{Theme, Viewer};

/// An alidade: the sighting rule across an astrolabe.
const MARK: &str = r#"<svg width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.6" aria-hidden="true"><circle cx="12" cy="12" r="9.5"/><path d="M4 16.6 20 7.4"/><circle cx="12" cy="12" r="1.6" fill="currentColor"/></svg>"#;

const ENTRIES: [(Place, &str, &str); 6] = [
    (Place::Find, "/search", "Find"),
    (Place::Launches, "/launches", "My datalabs"),
    (Place::Volumes, "/volumes", "Data volumes"),
    (Place::Datazones, "/datazones", "Datazones"),
    (Place::Publish, "/publish", "Publish"),
    (Place::Sparql, "/sparql-editor", "SPARQL"),
];

/// Returns the header.
pub(crate) fn header(viewer: &Viewer, place: Place, layout: Layout) -> AnyView {
    let home = layout == Layout::Home;
    let running = viewer.me.running;
    let entries: Vec<_> = ENTRIES
        .into_iter()
        .map(|(entry, path, label)| {
            let count = (entry == Place::Launches && running > 0).then(|| {
                view! { <span class="small">" " {running}</span> }
            });
            let current = (entry == place && !home).then_some("page");
            view! { <a href=path aria-current=current>{label}{count}</a> }
        })
        .collect();
    // Whoever is already on the way in keeps the way that they had.
    let sign_in = if viewer.path.starts_with("/login") {
        "/login".to_owned()
    } else {
        with_query("/login", [("next", &viewer.path)])
    };
    let account = if viewer.signed_in() {
        let unread = viewer.me.unread;
        let news = (unread > 0).then(|| {
            let label = format!("{unread} unread {}", if unread == 1 { "notification" } else { "notifications" });
            view! { <a class="button news" href="/notifications" aria-label=label>{unread.min(99)}</a> }
        });
        view! { {news}<a class="button account" href="/account">{viewer.name()}</a> }.into_any()
    } else {
        view! { <a class="button account" href=sign_in>"Sign in"</a> }.into_any()
    };
    view! {
        <header class="top">
            <a class="brand" href="/" aria-current=home.then_some("page")><span class="mark" inner_html=MARK></span>"Alidade"</a>
            <nav aria-label="Main">{entries}</nav>
            {account}
        </header>
    }
    .into_any()
}

/// Returns the footer.
pub(crate) fn footer(viewer: &Viewer) -> AnyView {
    let chosen = viewer.theme;
    let themes: Vec<_> = Theme::ALL
        .into_iter()
        .map(|theme| {
            let pressed = if theme == chosen { "true" } else { "false" };
            view! { <button name="theme" value=theme.as_str() aria-pressed=pressed>{theme.label()}</button> }
        })
        .collect();
    let back = viewer.path.clone();
    view! {
        <footer class="bottom">
            <nav aria-label="For machines">
                <a href="/api/docs">"API"</a>
                <a href="/sparql-editor">"SPARQL"</a>
                <a href="/ns/esado">"Vocabulary"</a>
                <a href="/assets/manifest.jsonld">"Example manifest"</a>
            </nav>
            <form class="theme" method="post" action="/theme">
                <input type="hidden" name="next" value=back/>
                <fieldset><legend>"Theme"</legend>{themes}</fieldset>
            </form>
        </footer>
    }
    .into_any()
}
