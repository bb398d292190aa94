//! HTTP: which path leads where, and what every answer has in common.

pub mod accept;
pub mod access;
pub mod account;
pub mod audit;
pub mod changes;
pub mod client_address;
pub mod delegation;
pub mod device;
pub mod documents;
pub mod door;
pub mod extract;
pub mod governance;
pub mod groups;
pub mod keys;
pub mod lab;
pub mod launches;
pub mod notices;
pub mod oidc;
pub mod operations;
pub mod packages;
pub mod people;
pub mod problem;
pub mod problems;
pub mod records;
pub mod search;
pub mod sources;
pub mod sparql;
pub mod staff;
pub mod told;
pub mod unread;
pub mod viewer;
pub mod vocabulary;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use catalog_client::Client;
use catalog_records::origin::{self, Origin};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::OpenApi;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{Account, Administer, Anyone, Api, Launch, Manage, Moderate, Publish, Undeclared};
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

/// Returns the public API and its OpenAPI document. Every route says who may call it; `access.rs` says how.
fn api() -> Result<(Router<Arc<App>>, utoipa::openapi::OpenApi), Undeclared> {
    let uploads = Api::default()
        .allow::<Publish>(routes!(packages::publish, packages::withdraw))
        .allow::<Anyone>(routes!(packages::download))
        .allow::<Anyone>(routes!(packages::validate))
        .limit(packages::MAX_UPLOAD);
    Api::new(Document::openapi())
        .allow::<Anyone>(routes!(search::search))
        .allow::<Anyone>(routes!(search::suggest))
        .allow::<Anyone>(routes!(records::record))
        .allow::<Account>(routes!(governance::patch))
        .allow::<Anyone>(routes!(governance::compare))
        .allow::<Account>(routes!(governance::form))
        .allow::<Account>(routes!(governance::state))
        .allow::<Account>(routes!(governance::queue))
        .allow::<Account>(routes!(notices::notifications))
        .allow::<Manage>(routes!(notices::read))
        .allow::<Anyone>(routes!(keys::list))
        .allow::<Publish>(routes!(keys::register))
        .allow::<Publish>(routes!(keys::revoke))
        .merge(linked_data())
        .allow::<Anyone>(routes!(changes::provenance))
        .allow::<Anyone>(routes!(changes::changes))
        .allow::<Moderate>(routes!(sources::sources))
        .allow::<Administer>(routes!(sources::define))
        .allow::<Moderate>(routes!(sources::source))
        .allow::<Administer>(routes!(sources::retire))
        .allow::<Moderate>(routes!(sources::runs, sources::run))
        .allow::<Moderate>(routes!(sources::report))
        .allow::<Moderate>(routes!(sources::approve))
        .allow::<Moderate>(routes!(sources::decide))
        .allow::<Moderate>(routes!(sources::reopen))
        .allow::<Anyone>(routes!(sparql::get, sparql::post))
        .allow::<Anyone>(routes!(sparql::graph))
        .allow::<Moderate>(routes!(staff::get, staff::post))
        .allow::<Anyone>(routes!(packages::workflow))
        .allow::<Anyone>(routes!(launches::datazones))
        .allow::<Anyone>(routes!(launches::datazone))
        .allow::<Anyone>(routes!(launches::plan))
        .allow::<Launch>(routes!(launches::launches, launches::launch))
        .allow::<Launch>(routes!(launches::launch_get, launches::stop))
        .allow::<Launch>(routes!(launches::renew))
        .allow::<Launch>(routes!(launches::events))
        .allow::<Launch>(routes!(launches::logs))
        .allow::<Anyone>(routes!(launches::volumes))
        .allow::<Launch>(routes!(launches::my_volume_add, launches::my_volume_remove))
        .allow::<Anyone>(routes!(account::sign_in, account::sign_out))
        .allow::<Anyone>(routes!(account::me))
        .allow::<Account>(routes!(account::tokens))
        .allow::<Manage>(routes!(account::token_create))
        .allow::<Account>(routes!(account::token_revoke))
        .allow::<Moderate>(routes!(audit::audit))
        .allow::<Moderate>(routes!(audit::export))
        .allow::<Anyone>(routes!(people::ways))
        .allow::<Anyone>(routes!(people::sign_up))
        .allow::<Anyone>(routes!(people::password_choose))
        .allow::<Manage>(routes!(people::password_change))
        .allow::<Account>(routes!(people::sessions))
        .allow::<Manage>(routes!(people::sessions_end))
        .allow::<Manage>(routes!(people::session_end))
        .allow::<Administer>(routes!(people::accounts, people::account_create))
        .allow::<Administer>(routes!(people::account_change))
        .allow::<Administer>(routes!(people::account_link))
        .allow::<Account>(routes!(groups::groups))
        .allow::<Manage>(routes!(groups::group_create))
        .allow::<Account>(routes!(groups::group))
        .allow::<Manage>(routes!(groups::member_invite, groups::member_remove))
        .allow::<Manage>(routes!(groups::member_accept))
        .allow::<Anyone>(routes!(device::begin))
        .allow::<Anyone>(routes!(device::token))
        .allow::<Account>(routes!(device::show))
        .allow::<Manage>(routes!(device::decide))
        .allow::<Anyone>(routes!(operations::livez))
        .allow::<Anyone>(routes!(operations::readyz))
        .allow::<Anyone>(routes!(operations::metrics))
        .limit(MAX_BODY)
        .merge(uploads)
        .finish()
}

/// Returns what is served beside the API: its documents, and the labs.
fn beside() -> Api {
    Api::default()
        .page::<Anyone>("/openapi.json", get(openapi_document))
        .page::<Anyone>("/api/docs", get(operations::docs))
        .page::<Anyone>("/problems", get(problems::all))
        .page::<Anyone>("/problems/{code}", get(problems::one))
        .page::<Anyone>("/schemas/{file}", get(vocabulary::schema))
        .page::<Anyone>("/sitemap.xml", get(documents::discovery::sitemap_index))
        .page::<Anyone>("/sitemap/{file}", get(documents::discovery::sitemap))
        .page::<Anyone>("/fdp/catalog/", get(documents::places::containers))
        .page::<Anyone>("/fdp/catalog/{source}/{container}/", get(documents::places::container))
        .page::<Anyone>("/robots.txt", get(documents::discovery::robots))
        .page::<Anyone>("/opensearch.xml", get(documents::discovery::open_search))
        .page::<Anyone>(
            "/ga4gh/trs/v2/tools/{tool}/versions/{version}/{type}/descriptor/{*path}",
            get(documents::trs::descriptor_at),
        )
        // Other zones sign their requests, which the handlers check; they are no viewers.
        .page::<Anyone>("/api/v1/delegations/plans", post(delegation::plan))
        .page::<Anyone>("/api/v1/delegations/launches", get(delegation::list))
        .page::<Anyone>(
            "/api/v1/delegations/launches/{id}",
            get(delegation::look).put(delegation::launch).delete(delegation::stop),
        )
        .page::<Anyone>("/api/v1/delegations/launches/{id}/logs", get(delegation::logs))
        .page::<Anyone>("/api/v1/delegations/lab/{id}/", any(delegation::lab_root))
        .page::<Anyone>("/api/v1/delegations/lab/{id}/{*path}", any(delegation::lab))
        .page::<Anyone>("/login/oidc/{provider}", get(oidc::depart))
        .page::<Anyone>("/login/oidc/{provider}/callback", get(oidc::arrive))
        .page::<Anyone>("/login/oidc/{provider}/logout", post(oidc::leave))
        // A person who is not signed in is led to the sign-in page, which the handlers do; they ask for the rest too.
        .page::<Anyone>("/lab/{launch}", get(lab::root))
        .page::<Anyone>("/lab/{launch}/", any(lab::pass_root))
        .page::<Anyone>("/lab/{launch}/{*path}", any(lab::pass))
}

/// Returns what other communities read: identifiers, the catalogue, feeds, dumps, harvesting, the vocabulary.
fn linked_data() -> Api {
    use documents::{catalogue, discovery, dumps, fdp, feeds, identifiers, oai, places, trs};
    Api::default()
        .allow::<Anyone>(routes!(identifiers::identifier))
        .allow::<Anyone>(routes!(identifiers::version))
        .allow::<Anyone>(routes!(places::zone))
        .allow::<Anyone>(routes!(places::graph))
        .allow::<Anyone>(routes!(catalogue::catalogue))
        .allow::<Anyone>(routes!(fdp::root))
        .allow::<Anyone>(routes!(fdp::catalogue))
        .allow::<Anyone>(routes!(feeds::stream))
        .allow::<Anyone>(routes!(feeds::atom))
        .allow::<Anyone>(routes!(dumps::all))
        .allow::<Anyone>(routes!(dumps::of_source))
        .allow::<Anyone>(routes!(dumps::statistics))
        .allow::<Anyone>(routes!(oai::get, oai::post))
        .allow::<Anyone>(routes!(vocabulary::ontology))
        .allow::<Anyone>(routes!(vocabulary::scheme))
        .allow::<Anyone>(routes!(vocabulary::concept))
        .allow::<Anyone>(routes!(vocabulary::context))
        .allow::<Anyone>(routes!(discovery::availability))
        .allow::<Anyone>(routes!(discovery::capabilities))
        .allow::<Anyone>(routes!(trs::service_info))
        .allow::<Anyone>(routes!(trs::classes))
        .allow::<Anyone>(routes!(trs::tools))
        .allow::<Anyone>(routes!(trs::tool))
        .allow::<Anyone>(routes!(trs::versions))
        .allow::<Anyone>(routes!(trs::version))
        .allow::<Anyone>(routes!(trs::descriptor))
        .allow::<Anyone>(routes!(trs::files))
        .allow::<Anyone>(routes!(trs::tests))
        .allow::<Anyone>(routes!(trs::container_file))
}

/// Returns the OpenAPI document.
pub fn openapi() -> Result<serde_json::Value, Undeclared> {
    let mut document = api()?.1;
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(serde_json::to_value(document).unwrap_or_default())
}

/// Returns everything that the server answers; refuses to when a route declares no permission.
pub fn router(app: Arc<App>) -> Result<Router, Undeclared> {
    // The guards of the routes find the application in the request.
    let shared = Arc::clone(&app);
    let serving =
        |router: Router<Arc<App>>| router.layer(Extension(Arc::clone(&shared))).with_state(Arc::clone(&shared));
    let api = serving(api()?.0);
    let portal = client_of(api.clone());
    let inside = serving(beside().finish()?.0);
    // Streams of events must not be held back, labs compress for themselves, packages are compressed already.
    let compressed = SizeAbove::new(512)
        .and(NotForContentType::const_new("text/event-stream"))
        .and(NotForContentType::const_new("application/gzip"))
        .and(NotForContentType::const_new("application/zip"))
        .and(NotForContentType::IMAGES);
    let pages = catalog_portal::router(portal.clone()).layer(CompressionLayer::new().compress_when(compressed));
    let everything = api.merge(pages).merge(inside);
    let everything = everything
        .fallback(move |request| nothing(catalog_portal::fallback(portal.clone()), request))
        .layer(middleware::from_fn(documents::fdp::front_door))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), viewer::same_origin))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), door::only_labs))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Failure::internal("a handler panicked").into_response()
        }))
        .layer(middleware::from_fn(unread::close))
        .layer(middleware::from_fn_with_state(app, common));
    Ok(everything)
}

/// Answers what has no route: a problem for programs, a page for people.
async fn nothing(page: Router, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path.starts_with("/ga4gh/") {
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
    let is_secure = app.config.is_secure();
    let asker = told::Asker::of(&path, request.headers());
    let mut request = request;
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    if let Some(answer) = preflight(&method, &path, &request) {
        return answer;
    }
    let in_query = !path.starts_with("/lab/") && request.uri().query().is_some_and(holds_credential);
    let from = Origin { address: Some(origin::prefix(client.ip())), ..Origin::default() };
    let answer = async move {
        if in_query {
            // It is in somebody's log and history by now.
            let detail = "a token is sent in the header `Authorization` only; revoke this one, as addresses are logged";
            return asker.tell(Failure::bad_request("token.in_query", detail).into_response());
        }
        let answered = tokio::time::timeout(PATIENCE, next.run(request)).await;
        let response = answered.unwrap_or_else(|_| {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request took too long", "try again")
                .into_response()
        });
        let is_bare = !response.headers().contains_key(header::CONTENT_TYPE);
        let is_refused = response.status() == StatusCode::METHOD_NOT_ALLOWED && is_bare;
        asker.tell(if is_refused { with_problem(response) } else { response })
    };
    let mut response = CLIENT_ADDRESS.scope(client, REQUEST_ID.scope(id.clone(), origin::scope(from, answer))).await;
    let status = response.status();
    tracing::info!(%method, path, status = status.as_u16(), ms = started.elapsed().as_millis() as u64, request = id, "answered");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID_HEADER, value);
    }
    if is_secure {
        // A year of TLS only, for this host; what is below or beside it is the operator's to say.
        let year = HeaderValue::from_static("max-age=31536000");
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(year);
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

/// Says whether a query string holds a token: under OAuth's name, or any value that looks like one of ours.
fn holds_credential(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "access_token" || value.starts_with("ald_"))
}

/// Says in words what the router says with a bare status; the router itself adds `Allow` to what it is given back.
fn with_problem(bare: Response) -> Response {
    let detail = "the header `Allow` names the methods of this path";
    let problem = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "no such method here", detail);
    let mut response = problem.into_response();
    response.extensions_mut().extend(bare.extensions().clone());
    if let Some(allowed) = bare.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    response
}

/// Says whether scripts of other origins may read a path without credentials (THREATS T41).
fn is_open(path: &str) -> bool {
    const OPEN: [&str; 19] = [
        "/sparql",
        "/rdf-graph-store",
        "/graph/",
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
    OPEN.iter().any(|open| path.starts_with(open)) && !matches!(path, "/sparql-editor" | "/sparql/staff")
}

/// What scripts of other origins may say of themselves and of what they know already.
const ALLOWED_HEADERS: &str = "accept, accept-profile, content-type, if-none-match, cache-control";

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
