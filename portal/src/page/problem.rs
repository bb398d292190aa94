//! What went wrong, in plain words.

use catalog_schemas::problem::Problem;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::{part, words};

/// Returns the page of a problem.
pub fn problem(problem: &Problem) -> Document {
    let title = match problem.status {
        400 | 422 => "This cannot be understood",
        401 => "Sign in first",
        403 => "You may not do this",
        404 => "There is nothing here",
        409 => "It is already there",
        410 => "It was withdrawn",
        413 => "It is too large",
        429 => "Too many requests",
        502..=504 => "It does not answer now",
        500.. => "Something broke on our side",
        _ => &problem.title,
    };
    let detail = problem.detail.as_ref().filter(|detail| !detail.is_empty()).unwrap_or(&problem.title);
    // Only what is wrong on our side is worth an operator's time.
    let request = problem.instance.clone().filter(|_| problem.status >= 500).map(|id| {
        view! { <p class="small quiet">"If it stays so, tell an operator this request: "<span class="mono">{id}</span></p> }
    });
    let findings = (!problem.findings.is_empty()).then(|| part::findings::findings(&problem.findings));
    let meaning = format!("/problems/{}", crate::link::segment(problem.code()));
    let main = view! {
        <p class="quiet small">{format!("{} · ", problem.status)}<a href=meaning>{problem.code().to_owned()}</a></p>
        <h1>{title.to_owned()}</h1>
        <p class="lead">{part::findings::with_code(&words::sentence(detail))}</p>
        {findings}
        <div class="actions"><a class="button" href="/search">"Search the catalogue"</a><a class="button" href="/">"Home"</a></div>
        {request}
    };
    let mut document = Document::new(title, Place::Elsewhere, Layout::Narrow, main);
    document.unlisted = true;
    document
}
