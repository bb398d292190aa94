//! SPARQL for moderators: the same protocol over a store that also holds what is private, in workers of its own.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use bytes::Bytes;
use catalog_schemas::problem::Problem;
use http::{HeaderMap, Method, Uri};

use crate::app::App;
use crate::http::problem::Failure;
use crate::http::sparql::{self, Parameters};
use crate::http::viewer::{Permission, Viewer};

/// Answers a moderator's query over public and private statements of every record, drafts included.
#[utoipa::path(get, path = "/sparql/staff", tag = "data",
    params(("query" = Option<String>, Query, description = "A SPARQL 1.1 query")),
    responses((status = 200, description = "Results"), (status = 400, description = "Not a query", body = Problem),
        (status = 403, description = "For moderators", body = Problem),
        (status = 406, description = "No such format", body = Problem),
        (status = 503, description = "Too slow, too many queries, or being filled", body = Problem)))]
pub async fn get(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    viewer.may(Permission::Moderate)?;
    let parameters = Parameters::of_query_string(uri.query())?;
    sparql::answer_staff(&app, &viewer, parameters, headers, method == Method::HEAD).await
}

/// Answers a moderator's query sent as the body, or as a form.
#[utoipa::path(post, path = "/sparql/staff", tag = "data", request_body(content = String, content_type = "application/sparql-query"),
    responses((status = 200, description = "Results"), (status = 400, description = "Not a query", body = Problem),
        (status = 403, description = "For moderators", body = Problem),
        (status = 406, description = "No such format", body = Problem),
        (status = 415, description = "Neither a form nor a query", body = Problem),
        (status = 503, description = "Too slow, too many queries, or being filled", body = Problem)))]
pub async fn post(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    viewer.may(Permission::Moderate)?;
    let parameters = Parameters::of_body(uri.query(), &headers, &body)?;
    sparql::answer_staff(&app, &viewer, parameters, headers, false).await
}
