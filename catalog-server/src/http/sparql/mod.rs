//! The SPARQL 1.1 Protocol for queries, the service description, and the Graph Store Protocol for reading.

mod bare;
mod description;
mod formats;
mod graph_store;
mod request;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use catalog_graph::worker::{Allowance, Cause, Question, Refusal, Request};
use catalog_graph::{SyntaxFault, Triple, Version};
use catalog_schemas::problem::Finding;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use sha2::{Digest, Sha256};

pub use bare::router as bare_router;
#[doc(hidden)]
pub use graph_store::__path_graph;
pub use graph_store::{graph, named_graph};

use crate::app::App;
use crate::http::accept::with_encoding;
use crate::http::client_address::client_address;
use crate::http::problem::Failure;
use crate::http::viewer::Viewer;
use crate::sparql::{Answer, Body as AnswerBody, Client, NotNow, Pool};
use formats::{Choice, not_acceptable};
use request::AskedQuery;
pub(super) use request::Parameters;

/// The service that knows the datazones' free resources now.
const CAPACITY: &str = "https://w3id.org/esado#capacity";

/// Functions whose values change while the data does not; `STRUUID` ends like `UUID`.
const CHANGING: [&str; 3] = ["NOW", "RAND", "UUID"];

/// Answers a query, or describes the service when there is none.
#[utoipa::path(get, path = "/sparql", tag = "data",
    params(("query" = Option<String>, Query, description = "A SPARQL 1.1 query"),
        ("default-graph-uri" = Option<Vec<String>>, Query, description = "Graphs that make up the default graph"),
        ("named-graph-uri" = Option<Vec<String>>, Query, description = "Graphs that GRAPH may name")),
    responses((status = 200, description = "Results, or the service description without a query"),
        (status = 304, description = "Nothing has changed since the answer with this ETag"),
        (status = 400, description = "Not a query", body = catalog_schemas::problem::Problem),
        (status = 403, description = "An update", body = catalog_schemas::problem::Problem),
        (status = 406, description = "No such format", body = catalog_schemas::problem::Problem),
        (status = 422, description = "The answer is too large", body = catalog_schemas::problem::Problem),
        (status = 429, description = "The client's seconds of evaluation are used up", body = catalog_schemas::problem::Problem),
        (status = 503, description = "Too slow, or too many queries", body = catalog_schemas::problem::Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let parameters = Parameters::of_query_string(uri.query())?;
    if parameters.is_empty() {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // A person who opens the endpoint gets the page for people.
        if accept.starts_with("text/html") {
            let mut response = Redirect::to("/sparql-editor").into_response();
            set(&mut response, header::VARY, "Accept")?;
            return Ok(response);
        }
        return description::answer(app.base.clone(), app.graph.view(), &headers).await;
    }
    let asked = Asked { client: client_of(&viewer), headers, is_head: method == Method::HEAD, is_safe: true };
    answer(&app, parameters, asked).await
}

/// Answers a query sent as a form or as the body itself.
#[utoipa::path(post, path = "/sparql", tag = "data", request_body(content = String, content_type = "application/sparql-query"),
    responses((status = 200, description = "Results"),
        (status = 400, description = "Not a query", body = catalog_schemas::problem::Problem),
        (status = 403, description = "An update", body = catalog_schemas::problem::Problem),
        (status = 406, description = "No such format", body = catalog_schemas::problem::Problem),
        (status = 415, description = "Neither a form nor a query", body = catalog_schemas::problem::Problem),
        (status = 422, description = "The answer is too large", body = catalog_schemas::problem::Problem),
        (status = 429, description = "The client's seconds of evaluation are used up", body = catalog_schemas::problem::Problem),
        (status = 503, description = "Too slow, or too many queries", body = catalog_schemas::problem::Problem)))]
pub async fn post(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let parameters = Parameters::of_body(uri.query(), &headers, &body)?;
    answer(&app, parameters, Asked { client: client_of(&viewer), headers, is_head: false, is_safe: false }).await
}

/// Who asks, and how.
struct Asked {
    client: Client,
    headers: HeaderMap,
    is_head: bool,
    /// Whether the request is one that may be answered from what the client has.
    is_safe: bool,
}

/// A store that is asked, with all that its answers depend on.
struct Endpoint {
    queries: Arc<Pool>,
    folder: PathBuf,
    version: Version,
    /// What relative IRIs are resolved against.
    base: String,
    /// What the statements depend on beside the ledger.
    stamp: String,
}

impl Endpoint {
    fn of(app: &App) -> Result<Self, Failure> {
        if !app.graph_is_warm() {
            return Err(Failure::unavailable("sparql.warming_up", "the RDF store is being filled after a start", 5));
        }
        Ok(Self {
            queries: Arc::clone(&app.queries),
            folder: app.graph.folder().to_owned(),
            version: app.graph.version(),
            base: format!("{}/", app.base),
            stamp: app.projection.stamp(),
        })
    }
}

async fn answer(app: &App, parameters: Parameters, asked: Asked) -> Result<Response, Failure> {
    let (query, endpoint) = (parameters.into_query()?, Endpoint::of(app)?);
    let may_ask_services = query.text.to_ascii_uppercase().contains("SERVICE");
    let services = if may_ask_services && query.text.contains("capacity") {
        vec![(CAPACITY.to_owned(), app.launcher.capacity_triples(&app.base))]
    } else {
        Vec::new()
    };
    endpoint.answer(query, services, asked).await
}

/// Answers a moderator's query in a worker that never opens the public store, and whose answers nobody keeps.
pub(super) async fn answer_staff(
    app: &App,
    viewer: &Viewer,
    parameters: Parameters,
    headers: HeaderMap,
    is_head: bool,
) -> Result<Response, Failure> {
    let query = parameters.into_query()?;
    let store = app
        .staff()
        .ok_or_else(|| Failure::unavailable("sparql.warming_up", "the moderators' RDF store is being filled", 5))?;
    app.staff_followed.wait_until(app.ledger.last_seq()).await;
    let endpoint = Endpoint {
        queries: Arc::clone(&app.staff_queries),
        folder: store.folder().to_owned(),
        version: store.version(),
        base: format!("{}/", app.base),
        stamp: app.projection.stamp(),
    };
    let asked = Asked { client: client_of(viewer), headers, is_head, is_safe: false };
    let mut response = endpoint.answer(query, Vec::new(), asked).await?;
    set(&mut response, header::CACHE_CONTROL, "private, no-store")?;
    set(&mut response, header::VARY, "Accept, Cookie, Authorization")?;
    response.headers_mut().remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
    Ok(response)
}

/// Says whether a text may call a function: its name stands before a bracket, or before a comment that may hide one.
fn may_call(upper: &str, function: &str) -> bool {
    upper.match_indices(function).any(|(at, _)| upper[at + function.len()..].trim_start().starts_with(['(', '#']))
}

impl Endpoint {
    /// Answers a query.
    async fn answer(
        self,
        query: AskedQuery,
        services: Vec<(String, Vec<Triple>)>,
        asked: Asked,
    ) -> Result<Response, Failure> {
        let upper = query.text.to_ascii_uppercase();
        let is_steady = !upper.contains("SERVICE") && !CHANGING.iter().any(|function| may_call(&upper, function));
        let AskedQuery { text, dataset, plain } = query;
        let question = Question::Query { text, base: self.base.clone(), dataset, plain };
        self.respond(question, services, is_steady, asked).await
    }

    /// Asks a worker, and answers with what it says.
    async fn respond(
        self,
        question: Question,
        services: Vec<(String, Vec<Triple>)>,
        is_steady: bool,
        asked: Asked,
    ) -> Result<Response, Failure> {
        let Asked { client, headers, is_head, is_safe } = asked;
        let allowance = self.queries.allowance(&client);
        let choice = Choice::of(&headers);
        let can_be_kept = is_safe && is_steady;
        let tag = |seq| self.etag(&question, &choice, seq);
        let seq = self.version.applied_seq;
        if can_be_kept && is_known(&headers, &tag(seq)) {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            describe(&mut response, &allowance, seq)?;
            set(&mut response, header::ETAG, &tag(seq))?;
            return Ok(response);
        }
        let request = Request {
            folder: self.folder.clone(),
            version: self.version.to_string(),
            question: question.clone(),
            formats: choice.formats(),
            allowance,
            services: services.into_iter().map(|(iri, triples)| (iri, statements(&triples))).collect(),
            head_only: is_head,
        };
        let answer = self.queries.ask(client.clone(), request).await.map_err(not_now)?.map_err(refused)?;
        let seq = answer.head.seq;
        let mut response = deliver(answer, &choice, is_head)?;
        describe(&mut response, &allowance, seq)?;
        if can_be_kept {
            set(&mut response, header::ETAG, &tag(seq))?;
        }
        if let Ok(left) = self.queries.budget(&client) {
            let (quota, window) = self.queries.policy();
            let policy = format!("\"query-seconds\";q={quota};w={window}");
            set(&mut response, HeaderName::from_static("ratelimit-policy"), &policy)?;
            let left = format!("\"query-seconds\";r={}", left as u64);
            set(&mut response, HeaderName::from_static("ratelimit"), &left)?;
        }
        Ok(response)
    }

    /// Names an answer by everything that it depends on. Weak, as the order of rows may differ where a query leaves it open.
    fn etag(&self, question: &Question, choice: &Choice, seq: u64) -> String {
        let mut hash = Sha256::new();
        let parts = (question, choice.formats(), choice.media_types(), &self.stamp);
        hash.update(serde_json::to_vec(&parts).unwrap_or_default());
        hash.update(env!("CARGO_PKG_VERSION"));
        format!("W/\"{seq}-{}\"", hex::encode(&hash.finalize()[..12]))
    }
}

/// Makes the response of an answer: whole, or as it comes.
fn deliver(answer: Answer, choice: &Choice, is_head: bool) -> Result<Response, Failure> {
    let mut response = match answer.body {
        // A body of no known length, so that no length is said that the answer would not have.
        _ if is_head => Body::from_stream(futures::stream::empty::<std::io::Result<Bytes>>()).into_response(),
        AnswerBody::Whole(bytes) => bytes.into_response(),
        AnswerBody::Pieces(length, pieces) => {
            let mut response = Body::from_stream(pieces.into_stream()).into_response();
            if let Some(length) = length {
                response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            }
            response
        }
    };
    set(&mut response, header::CONTENT_TYPE, &with_encoding(choice.media_type(answer.head.format)))?;
    Ok(response)
}

/// Says what every answer says: what it depends on, how new it is, and within which limits it was made.
fn describe(response: &mut Response, allowance: &Allowance, seq: u64) -> Result<(), Failure> {
    let Allowance { time, rows, bytes, memory } = allowance;
    let limits = format!("seconds={}, rows={rows}, bytes={bytes}, memory={memory}", time.as_secs());
    set(response, header::VARY, "Accept")?;
    set(response, HeaderName::from_static("alidade-seq"), &seq.to_string())?;
    set(response, HeaderName::from_static("alidade-limits"), &limits)?;
    let exposed = "ETag, Retry-After, Alidade-Seq, Alidade-Limits, RateLimit, RateLimit-Policy, X-Request-Id";
    set(response, header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed)
}

fn set(response: &mut Response, name: HeaderName, value: &str) -> Result<(), Failure> {
    response.headers_mut().insert(name, HeaderValue::from_str(value).map_err(Failure::internal)?);
    Ok(())
}

/// Says whose budget a request uses.
fn client_of(viewer: &Viewer) -> Client {
    match viewer.account() {
        Some(name) => Client::Account(name.as_str().to_owned()),
        None => Client::Address(client_address()),
    }
}

/// Says whether a client has the answer of this name (RFC 9110, section 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    lines.flat_map(|line| line.split(',')).any(|known| opaque(known) == opaque(tag))
}

/// Writes triples for a worker.
fn statements(triples: &[Triple]) -> String {
    triples.iter().fold(String::new(), |mut text, triple| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{triple} .");
        text
    })
}

fn not_now(reason: NotNow) -> Failure {
    let text = reason.to_string();
    match reason {
        NotNow::Busy => Failure::unavailable("sparql.busy", text, 5),
        NotNow::Budget(wait) => Failure::too_many("sparql.budget", text, wait.as_secs() + 1),
        NotNow::NoWorker(cause) => Failure::internal(cause),
    }
}

/// Returns what is wrong with a query's text as a finding.
fn found(fault: SyntaxFault) -> Finding {
    Finding {
        line: Some(fault.line),
        column: Some(fault.column),
        got: fault.got,
        expected: fault.expected,
        fix: fault.fix,
        ..Finding::error("query.syntax", fault.message)
    }
}

/// Decides how a refusal of a worker is answered.
fn refused(refusal: Refusal) -> Failure {
    let Refusal { cause, detail, fault } = refusal;
    match cause {
        Cause::TooLong => {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "query.too_long", "the query is too long", detail)
        }
        Cause::TooDeep => Failure::bad_request("query.too_deep", detail),
        Cause::Syntax => Failure::bad_request("query.syntax", detail).with_findings(fault.map(|fault| found(*fault))),
        Cause::GraphName => Failure::bad_request("query.graph", detail),
        Cause::NoSuchGraph => Failure::new(StatusCode::NOT_FOUND, "not_found", "not found", detail),
        Cause::NotAcceptable(form) => not_acceptable(form),
        Cause::Evaluation => Failure::bad_request("query.evaluation", detail),
        Cause::Time => Failure::unavailable("query.timeout", detail, 60),
        Cause::Memory => {
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "query.memory", "the query needs too much memory", detail)
        }
        Cause::Unread => Failure::unavailable("query.unread", detail, 60),
        Cause::Rows | Cause::Bytes => {
            let title = "the answer is too large";
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "query.answer_too_large", title, detail)
        }
        Cause::Internal => Failure::internal(detail),
    }
}
