//! SPARQL for moderators: the same queries over a store that also holds what is private.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use catalog_graph::{AnswerFormat, Cancellation, Limits, Query, QueryDataset, QueryError, QueryForm};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::http::accept::negotiate;
use crate::http::extract::Query as Parameters;
use crate::http::problem::Failure;
use crate::http::viewer::{Permission, Viewer};

/// Moderators are few and known: one query at a time, within the limits of everybody's.
static SLOTS: Semaphore = Semaphore::const_new(1);

/// A query in the address.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct Asked {
    /// A SPARQL 1.1 query.
    query: Option<String>,
}

/// Answers a moderator's query over public and private statements of every record, drafts included.
#[utoipa::path(get, path = "/sparql/staff", tag = "data", params(Asked),
    responses((status = 200, description = "Results"), (status = 400, description = "Not a query", body = Problem),
        (status = 403, description = "For moderators", body = Problem), (status = 503, description = "Too slow, too many queries, or being filled", body = Problem)))]
pub async fn get(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    viewer.may(Permission::Moderate)?;
    answer(&app, asked.query, &headers).await
}

/// Answers a moderator's query sent as the body, or as a form.
#[utoipa::path(post, path = "/sparql/staff", tag = "data", request_body(content = String, content_type = "application/sparql-query"),
    responses((status = 200, description = "Results"), (status = 400, description = "Not a query", body = Problem),
        (status = 403, description = "For moderators", body = Problem), (status = 503, description = "Too slow, too many queries, or being filled", body = Problem)))]
pub async fn post(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    viewer.may(Permission::Moderate)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = if content_type.starts_with("application/x-www-form-urlencoded") {
        form_urlencoded::parse(&body).find(|(name, _)| name == "query").map(|(_, value)| value.into_owned())
    } else {
        String::from_utf8(body.to_vec()).ok()
    };
    answer(&app, query, &headers).await
}

async fn answer(app: &Arc<App>, query: Option<String>, headers: &HeaderMap) -> Result<Response, Failure> {
    let text = query.ok_or_else(|| Failure::bad_request("query.missing", "there is no `query` in UTF-8"))?;
    let store = app
        .staff()
        .ok_or_else(|| Failure::unavailable("sparql.warming_up", "the moderators' RDF store is being filled", 5))?;
    let slot = tokio::time::timeout(std::time::Duration::from_secs(2), SLOTS.acquire());
    let Ok(Ok(_slot)) = slot.await else {
        return Err(Failure::unavailable("sparql.busy", "too many queries are running", 5));
    };
    let base = format!("{}/", app.base);
    let query = tokio::task::spawn_blocking(move || Query::parse(&text, &base, &QueryDataset::default())).await?;
    let query = query.map_err(refused)?;
    let offered: &[AnswerFormat] = match query.form() {
        QueryForm::Select => &AnswerFormat::ROWS,
        QueryForm::Ask => &AnswerFormat::TRUTH,
        QueryForm::Graph => &AnswerFormat::GRAPHS,
    };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let types: Vec<&str> = offered.iter().map(|format| format.media_type()).collect();
    // Whoever asks for something else, as a browser does, gets the first format rather than a refusal.
    let format = offered[negotiate(accept, &types).unwrap_or_default()];
    let (seq, limits) = (store.applied_seq(), Limits::default());
    let evaluation = tokio::task::spawn_blocking(move || {
        let mut answer = Vec::new();
        let evaluated = query.evaluate(&store.view(), format, limits, &Cancellation::new(), &mut answer);
        evaluated.map(|_| answer)
    });
    let grace = std::time::Duration::from_secs(1);
    let Ok(body) = tokio::time::timeout(limits.time + grace, evaluation).await else {
        return Err(refused(QueryError::Timeout(limits.time)));
    };
    let mut response = body?.map_err(refused)?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Cookie, Authorization"));
    headers.insert("alidade-seq", seq.into());
    Ok(response)
}

/// Says why a query got no answer.
fn refused(error: QueryError) -> Failure {
    let text = error.to_string();
    match error {
        QueryError::Timeout(_) => Failure::unavailable("query.timeout", text, 5),
        _ => Failure::bad_request("query.refused", text),
    }
}
