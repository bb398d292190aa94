//! The frame around reference pages that the server makes itself: the API, the vocabulary.

use axum::http::HeaderMap;
use catalog_schemas::account::Role;
use catalog_schemas::problem::Problem;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::page;
use crate::routes::{THEME_COOKIE, cookies};
use crate::viewer::{Theme, Viewer};

/// Returns a page of ready-made HTML, which must be the server's own, in the portal's frame.
///
/// Nobody is asked who the viewer is: such a page is the same for all, and only the theme and the way to the account
/// follow the cookies.
pub fn reference(headers: &HeaderMap, path: &str, title: &str, html: &str) -> String {
    let viewer = viewer(headers, path);
    let main = view! { <div inner_html=html.to_owned()></div> };
    Document::new(title, Place::Elsewhere, Layout::Reference, main).render(&viewer)
}

/// Returns the page of a problem that the server met outside the portal's own pages.
pub fn refusal(headers: &HeaderMap, path: &str, problem: Problem) -> String {
    page::problem::problem(&problem).render(&viewer(headers, path))
}

fn viewer(headers: &HeaderMap, path: &str) -> Viewer {
    let mut viewer = Viewer::anonymous(path);
    for (name, value) in cookies(headers) {
        if name == THEME_COOKIE {
            viewer.theme = Theme::from_word(value).unwrap_or_default();
        } else if !name.ends_with("-way") {
            viewer.me.role = Role::User;
        }
    }
    viewer
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn a_reference_page_has_the_frame_and_the_theme() {
        let mut headers = HeaderMap::new();
        let page = reference(&headers, "/api/docs", "API", "<h1>API</h1>");
        assert!(page.contains("<h1>API</h1>") && page.contains("Sign in") && page.contains("class=\"reference\""));
        headers.insert(header::COOKIE, HeaderValue::from_static("theme=dark; alidade=x"));
        let page = reference(&headers, "/api/docs", "API", "<h1>API</h1>");
        assert!(page.contains("data-theme=\"dark\"") && page.contains(">Account</a>"), "{page}");
    }
}
