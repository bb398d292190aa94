//! Operations: is it alive, is it ready, what does it measure, how is it called.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use crate::app::App;
use crate::http::problem::Failure;

/// Says that the process answers.
#[utoipa::path(get, path = "/livez", tag = "operations", responses((status = 200, description = "It answers")))]
pub async fn livez() -> &'static str {
    "ok\n"
}

/// Says whether every part is in step; 503 while one is not, with the part's name.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "In step"), (status = 503, description = "Degraded: pages still answer")))]
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    // What is read, a run of a harvest for example, may be of a commit that is not announced yet.
    let stored = app.ledger.stored_seq().await;
    let parts = serde_json::json!({
        "ledgerSeq": stored.as_ref().ok(),
        "index": { "appliedSeq": app.index.current().map(|index| index.applied_seq()), "trouble": app.index_trouble() },
        "sparql": { "appliedSeq": app.graph.applied_seq(), "warm": app.graph_is_warm() },
    });
    let ready = stored.is_ok() && app.graph_is_warm() && app.index_trouble().is_none();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(parts)).into_response()
}

/// Measures in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, description = "Measures", body = String)))]
pub async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let ledger = app.ledger.last_seq();
    let lag = |applied: u64| ledger.saturating_sub(applied);
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP alidade_{name} {help}\n# TYPE alidade_{name} gauge\nalidade_{name} {value}");
    };
    gauge("ledger_seq", "Last sequence of the ledger", ledger);
    gauge(
        "index_lag",
        "Changes that the search index has not followed yet",
        lag(app.index.current().map_or(0, |index| index.applied_seq())),
    );
    gauge("graph_lag", "Changes that the RDF store has not followed yet", lag(app.graph.applied_seq()));
    gauge("query_slots_free", "SPARQL queries that could start now", app.queries.free() as u64);
    gauge("upload_slots_free", "Uploads that could start now", app.upload_slots.available_permits() as u64);
    sources(&app, &mut text).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Adds what is measured of every harvest source.
async fn sources(app: &App, text: &mut String) -> Result<(), Failure> {
    let mut lines: [(&str, &str, String); 5] = [
        ("source_records", "Records that a source says now", String::new()),
        ("source_failures", "Runs of a source that failed since the last that did not", String::new()),
        ("source_last_success_seconds", "When a run of a source was last applied", String::new()),
        ("source_quarantined", "What the last run of a source set aside", String::new()),
        ("source_held", "Whether a run of a source waits for approval", String::new()),
    ];
    for source in app.ledger.harvest_sources().await? {
        let view = crate::harvest::view(app, source).await?;
        let last = view.last_success.as_ref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let values = [
            i64::try_from(view.records).unwrap_or(i64::MAX),
            i64::from(view.failures),
            last.map_or(0, jiff::Timestamp::as_second),
            view.last_run.map_or(0, |run| i64::try_from(run.quarantined).unwrap_or(i64::MAX)),
            i64::from(view.health == "held"),
        ];
        for ((name, _, lines), value) in lines.iter_mut().zip(values) {
            // Writing to a string cannot fail; an id has no character that would need quoting.
            let _ = writeln!(lines, "alidade_{name}{{source=\"{}\"}} {value}", view.settings.id);
        }
    }
    for (name, help, lines) in lines.iter().filter(|(_, _, lines)| !lines.is_empty()) {
        let _ = write!(text, "# HELP alidade_{name} {help}\n# TYPE alidade_{name} gauge\n{lines}");
    }
    Ok(())
}

/// Shows the API as a page, made from the OpenAPI document; no script, no other origin.
pub async fn docs(State(app): State<Arc<App>>, headers: HeaderMap) -> Html<String> {
    Html(catalog_portal::reference(&headers, "/api/docs", "API", &docs_page(&app.openapi)))
}

fn docs_page(openapi: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| escape(value.as_str().unwrap_or_default());
    let mut page = String::from(
        "<h1>API</h1><p>The same as a document: <a href=\"/openapi.json\">/openapi.json</a>. Errors are problem documents (RFC 9457).</p>",
    );
    let empty = serde_json::Map::new();
    let paths = openapi["paths"].as_object().unwrap_or(&empty);
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap_or(&empty) {
            let (method, path) = (escape(&method.to_uppercase()), escape(path));
            let summary = operation.get("summary").map(text).unwrap_or_default();
            let _ = write!(page, "<section><h2>{method} <code>{path}</code></h2><p>{summary}</p><dl>");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let (name, meaning) = (text(&parameter["name"]), text(&parameter["description"]));
                let _ = write!(page, "<dt><code>{name}</code></dt><dd>{meaning}</dd>");
            }
            for (status, response) in operation["responses"].as_object().unwrap_or(&empty) {
                let _ = write!(page, "<dt>{}</dt><dd>{}</dd>", escape(status), text(&response["description"]));
            }
            page.push_str("</dl></section>");
        }
    }
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
