//! What the codes of problems and findings mean: the pages to which every problem's `type` leads.

use axum::response::{IntoResponse, Response};
use catalog_document::xml::escape;
use catalog_schemas::meaning::{meaning, meanings};
use http::{HeaderMap, header};
use serde_json::json;

use crate::http::accept::negotiate;
use crate::http::extract::{Json, Path};
use crate::http::problem::Failure;

/// A code with what it means and what to do; packages' codes are the archive reader's own.
struct Known {
    code: &'static str,
    meaning: &'static str,
    fix: &'static str,
}

fn known() -> Vec<Known> {
    let ours = meanings().iter().map(|row| Known { code: row.code, meaning: row.meaning, fix: row.fix });
    let archive = catalog_archive::codes().iter();
    let archive = archive.map(|row| Known { code: row.code, meaning: row.meaning, fix: row.fix });
    let mut all: Vec<Known> = ours.chain(archive.filter(|row| meaning(row.code).is_none())).collect();
    all.sort_by_key(|row| row.code);
    all
}

/// Gives every code with what it means.
pub async fn all(headers: HeaderMap) -> Response {
    let known = known();
    if wants_json(&headers) {
        let rows = known.iter().map(|row| json!({ "code": row.code, "meaning": row.meaning, "fix": row.fix }));
        return said(Json(json!({ "problems": rows.collect::<Vec<_>>() })).into_response());
    }
    let mut html =
        "<h1>What went wrong</h1><p class=\"lead\">Every error of this catalogue has a code that never changes its \
                    meaning. Here is what each one means and what to do.</p><dl class=\"terms\">"
            .to_owned();
    for row in &known {
        html.push_str(&format!("<dt><a class=\"mono\" href=\"/problems/{0}\">{0}</a></dt><dd>", row.code));
        text(row.meaning, &mut html);
        html.push_str("</dd>");
    }
    html.push_str("</dl>");
    page(&headers, "/problems", "What went wrong", &html)
}

/// Gives one code with what it means and what to do.
pub async fn one(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let known = known();
    let Some(row) = known.iter().find(|row| row.code == code) else {
        return Err(Failure::not_found("kind of problem", &code));
    };
    if wants_json(&headers) {
        return Ok(said(Json(json!({ "code": row.code, "meaning": row.meaning, "fix": row.fix })).into_response()));
    }
    let mut html =
        format!("<p class=\"quiet small\"><a href=\"/problems\">Problems</a></p><h1 class=\"mono\">{}</h1>", row.code);
    html.push_str("<h2>What it means</h2><p class=\"lead\">");
    text(row.meaning, &mut html);
    html.push_str("</p><h2>What to do</h2><p>");
    text(row.fix, &mut html);
    html.push_str("</p>");
    let family = row.code.split_once('.').map(|(family, _)| family);
    let mut beside = known
        .iter()
        .filter(|other| other.code != row.code && other.code.split_once('.').map(|(family, _)| family) == family)
        .filter(|_| family.is_some())
        .peekable();
    if beside.peek().is_some() {
        html.push_str("<h2>Beside it</h2><ul class=\"values\">");
        for other in beside {
            html.push_str(&format!("<li><a class=\"mono\" href=\"/problems/{0}\">{0}</a></li>", other.code));
        }
        html.push_str("</ul>");
    }
    Ok(page(&headers, &format!("/problems/{code}"), row.code, &html))
}

/// Writes a text of the table; what stands between backticks is code.
fn text(said: &str, html: &mut String) {
    for (at, part) in said.split('`').enumerate() {
        let is_code = at % 2 == 1;
        html.push_str(if is_code { "<code>" } else { "" });
        escape(part, html);
        html.push_str(if is_code { "</code>" } else { "" });
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    negotiate(accept, &["text/html", "application/json"]) == Some(1)
}

fn page(headers: &HeaderMap, path: &str, title: &str, html: &str) -> Response {
    said(axum::response::Html(catalog_portal::reference(headers, path, title, html)).into_response())
}

/// Says on what the answer depends: its format, and the theme of whoever looks.
fn said(mut response: Response) -> Response {
    response.headers_mut().insert(header::VARY, http::HeaderValue::from_static("Accept, Cookie"));
    response
}
