//! HTTP: which path leads where, and what every answer has in common.

pub mod accept;
pub mod account;
pub mod changes;
pub mod client_address;
pub mod delegation;
pub mod documents;
pub mod door;
pub mod extract;
pub mod lab;
pub mod launches;
pub mod operations;
pub mod packages;
pub mod problem;
pub mod records;
pub mod search;
pub mod sources;
pub mod sparql;
pub mod unread;
pub mod viewer;
pub mod vocabulary;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use catalog_client::Client;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::client_address::CLIENT_ADDRESS;
use crate::http::problem::{Failure, REQUEST_ID};

/// The most bytes of a JSON body or a query.
const MAX_BODY: usize = 1 << 20;

/// The most bytes of an answer that a page is made of: it is read into memory whole, several times its size.
const MAX_FOR_PAGE: usize = 8 << 20;

/// How long a request may take before it is given up; an upload over a slow line is the longest.
const PATIENCE: Duration = Duration::from_secs(600);

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Alidade",
        description = "A federated catalogue of datalabs, datasets, data volumes and pipelines. Errors are problem documents (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "find", description = "Search, completion and records"),
        (name = "publish", description = "Packages"),
        (name = "data", description = "Linked data"),
        (name = "trs", description = "Tool Registry Service of the GA4GH"),
        (name = "run", description = "Datazones, plans, launches and volumes"),
        (name = "harvest", description = "Sources and their runs"),
        (name = "account", description = "Sessions, tokens and the audit trail"),
        (name = "operations", description = "Health and measures"),
    )
)]
struct Document;

/// Returns the public API and its OpenAPI document.
fn api() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let uploads = OpenApiRouter::new()
        .routes(routes!(packages::publish, packages::download, packages::withdraw))
        .routes(routes!(packages::validate))
        .layer(DefaultBodyLimit::max(packages::MAX_UPLOAD));
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(search::search))
        .routes(routes!(search::suggest))
        .routes(routes!(records::record))
        .merge(linked_data())
        .routes(routes!(changes::provenance))
        .routes(routes!(changes::changes))
        .routes(routes!(sources::sources, sources::define))
        .routes(routes!(sources::source, sources::retire))
        .routes(routes!(sources::runs, sources::run))
        .routes(routes!(sources::report))
        .routes(routes!(sources::approve))
        .routes(routes!(sources::decide))
        .routes(routes!(sparql::get, sparql::post))
        .routes(routes!(sparql::graph))
        .routes(routes!(packages::workflow))
        .routes(routes!(launches::datazones))
        .routes(routes!(launches::datazone))
        .routes(routes!(launches::plan))
        .routes(routes!(launches::launches, launches::launch))
        .routes(routes!(launches::launch_get, launches::stop))
        .routes(routes!(launches::renew))
        .routes(routes!(launches::events))
        .routes(routes!(launches::logs))
        .routes(routes!(launches::volumes))
        .routes(routes!(launches::my_volume_add, launches::my_volume_remove))
        .routes(routes!(account::sign_in, account::sign_out))
        .routes(routes!(account::me))
        .routes(routes!(account::tokens, account::token_create))
        .routes(routes!(account::token_revoke))
        .routes(routes!(account::audit))
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .merge(uploads)
        .split_for_parts()
}

/// Returns what other communities read: identifiers, the catalogue, feeds, dumps, harvesting, the vocabulary.
fn linked_data() -> OpenApiRouter<Arc<App>> {
    use documents::{catalogue, discovery, dumps, fdp, feeds, identifiers, oai, trs};
    OpenApiRouter::new()
        .routes(routes!(identifiers::identifier))
        .routes(routes!(identifiers::version))
        .routes(routes!(catalogue::catalogue))
        .routes(routes!(fdp::root))
        .routes(routes!(fdp::catalogue))
        .routes(routes!(feeds::stream))
        .routes(routes!(feeds::atom))
        .routes(routes!(dumps::all))
        .routes(routes!(dumps::of_source))
        .routes(routes!(dumps::statistics))
        .routes(routes!(oai::get, oai::post))
        .routes(routes!(vocabulary::ontology))
        .routes(routes!(vocabulary::scheme))
        .routes(routes!(vocabulary::concept))
        .routes(routes!(vocabulary::context))
        .routes(routes!(discovery::availability))
        .routes(routes!(discovery::capabilities))
        .routes(routes!(trs::service_info))
        .routes(routes!(trs::classes))
        .routes(routes!(trs::tools))
        .routes(routes!(trs::tool))
        .routes(routes!(trs::versions))
        .routes(routes!(trs::version))
        .routes(routes!(trs::descriptor))
        .routes(routes!(trs::files))
        .routes(routes!(trs::tests))
        .routes(routes!(trs::container_file))
}

/// Returns the OpenAPI document.
pub fn openapi() -> serde_json::Value {
    let mut document = api().1;
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    serde_json::to_value(document).unwrap_or_default()
}

/// Returns everything that the server answers.
pub fn router(app: Arc<App>) -> Router {
    let (api, _) = api();
    let api = api.with_state(Arc::clone(&app));
    let portal = client_of(api.clone());
    let inside = Router::new()
        .route("/openapi.json", get(openapi_document))
        .route("/api/docs", get(operations::docs))
        .route("/schemas/{file}", get(vocabulary::schema))
        .route("/sitemap.xml", get(documents::discovery::sitemap_index))
        .route("/sitemap/{file}", get(documents::discovery::sitemap))
        .route("/robots.txt", get(documents::discovery::robots))
        .route("/opensearch.xml", get(documents::discovery::open_search))
        .route(
            "/ga4gh/trs/v2/tools/{tool}/versions/{version}/{type}/descriptor/{*path}",
            get(documents::trs::descriptor_at),
        )
        .route("/api/v1/delegations/plans", post(delegation::plan))
        .route("/api/v1/delegations/launches", get(delegation::list))
        .route(
            "/api/v1/delegations/launches/{id}",
            get(delegation::look).put(delegation::launch).delete(delegation::stop),
        )
        .route("/api/v1/delegations/launches/{id}/logs", get(delegation::logs))
        .route("/api/v1/delegations/lab/{id}/", any(delegation::lab_root))
        .route("/api/v1/delegations/lab/{id}/{*path}", any(delegation::lab))
        .route("/lab/{launch}", get(lab::root))
        .route("/lab/{launch}/", any(lab::pass_root))
        .route("/lab/{launch}/{*path}", any(lab::pass))
        .with_state(Arc::clone(&app));
    // Streams of events must not be held back, labs compress for themselves, packages are compressed already.
    let compressed = SizeAbove::new(512)
        .and(NotForContentType::const_new("text/event-stream"))
        .and(NotForContentType::const_new("application/gzip"))
        .and(NotForContentType::const_new("application/zip"))
        .and(NotForContentType::IMAGES);
    api.merge(catalog_portal::router(portal.clone()).layer(CompressionLayer::new().compress_when(compressed)))
        .merge(inside)
        .fallback(move |request| nothing(catalog_portal::fallback(portal.clone()), request))
        .layer(middleware::from_fn(documents::fdp::front_door))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), viewer::same_origin))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), door::only_labs))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Failure::internal("a handler panicked").into_response()
        }))
        .layer(middleware::from_fn(unread::close))
        .layer(middleware::from_fn_with_state(app, common))
}

/// Answers what has no route: a problem for programs, a page for people.
async fn nothing(page: Router, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") {
        return Failure::not_found("operation", path).into_response();
    }
    let Ok(response) = page.oneshot(request).await;
    response
}

async fn openapi_document(axum::extract::State(app): axum::extract::State<Arc<App>>) -> Response {
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, axum::Json(&app.openapi)).into_response()
}

/// Makes a client that calls the API in this process: the portal reads what it gives, and nothing else.
fn client_of(api: Router) -> Client {
    Client::in_process(Arc::new(move |request| {
        let api = api.clone();
        Box::pin(async move {
            let Ok(response) = api.oneshot(request.map(Body::from)).await;
            let (parts, body) = response.into_parts();
            match Limited::new(body, MAX_FOR_PAGE).collect().await {
                Ok(body) => Ok(http::Response::from_parts(parts, body.to_bytes())),
                Err(error) if error.is::<LengthLimitError>() => {
                    let detail = "the answer is longer than a page shows; add LIMIT, or ask /sparql itself";
                    let title = "the answer is too large";
                    let status = StatusCode::UNPROCESSABLE_ENTITY;
                    let problem = Failure::new(status, "query.answer_too_large", title, detail).into_response();
                    let (parts, body) = problem.into_parts();
                    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
                    Ok(http::Response::from_parts(parts, body))
                }
                Err(error) => Err(error.to_string()),
            }
        })
    }))
}

/// Gives every request an id and a line in the log, and every answer the headers that all have.
async fn common(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID_HEADER).and_then(|value| value.to_str().ok());
    let is_word =
        |id: &&str| (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let id = given.filter(is_word).map_or_else(|| uuid::Uuid::now_v7().simple().to_string(), str::to_owned);
    let (method, path, started) = (request.method().clone(), request.uri().path().to_owned(), Instant::now());
    let client = client_address::find(&request, &app.config.trusted_proxies);
    let mut request = request;
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    if let Some(answer) = preflight(&method, &path, &request) {
        return answer;
    }
    let answer = async move {
        let answered = tokio::time::timeout(PATIENCE, next.run(request)).await;
        let response = answered.unwrap_or_else(|_| {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request took too long", "try again")
                .into_response()
        });
        let is_bare = !response.headers().contains_key(header::CONTENT_TYPE);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED && is_bare { with_problem(response) } else { response }
    };
    let mut response = CLIENT_ADDRESS.scope(client, REQUEST_ID.scope(id.clone(), answer)).await;
    let status = response.status();
    tracing::info!(%method, path, status = status.as_u16(), ms = started.elapsed().as_millis() as u64, request = id, "answered");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID_HEADER, value);
    }
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    if !path.starts_with("/lab/") && !path.starts_with("/api/v1/delegations/lab/") {
        headers.entry(header::X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
        let nothing = HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        );
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    }
    if is_open(&path) && matches!(method, Method::GET | Method::HEAD | Method::POST) {
        headers.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
    }
    response
}

/// Says in words what the router says with a bare status; the router itself adds `Allow` to what it is given back.
fn with_problem(bare: Response) -> Response {
    let detail = "the header `Allow` names the methods of this path";
    let problem = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "no such method here", detail);
    let mut response = problem.into_response();
    *response.extensions_mut() = bare.extensions().clone();
    if let Some(allowed) = bare.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    response
}

/// Says whether scripts of other origins may read a path without credentials (THREATS T41).
fn is_open(path: &str) -> bool {
    const OPEN: [&str; 18] = [
        "/sparql",
        "/rdf-graph-store",
        "/api/v1/search",
        "/api/v1/suggest",
        "/api/v1/records/",
        "/api/v1/datazones",
        "/id/",
        "/ns/",
        "/catalog",
        "/fdp",
        "/feed",
        "/dump",
        "/oai",
        "/.well-known/void",
        "/ga4gh/",
        "/vosi/",
        "/schemas/",
        "/context/",
    ];
    OPEN.iter().any(|open| path.starts_with(open)) && path != "/sparql-editor"
}

/// What scripts of other origins may say of themselves and of what they know already.
const ALLOWED_HEADERS: &str = "accept, accept-profile, content-type, authorization, if-none-match, cache-control";

/// Answers a browser's question whether a query from another origin may be sent.
fn preflight(method: &Method, path: &str, request: &Request) -> Option<Response> {
    let asks = *method == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    (asks && is_open(path)).then(|| {
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        ];
        (StatusCode::NO_CONTENT, headers).into_response()
    })
}
