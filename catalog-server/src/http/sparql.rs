//! The SPARQL 1.1 Protocol for queries, and the service description.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use catalog_graph::{AnswerFormat, Cancellation, GraphSyntax, Limits, Query, QueryDataset, QueryForm};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use crate::app::App;
use crate::http::accept::negotiate;
use crate::http::problem::Failure;

/// Reads the parameters of a request, wherever the protocol allows them.
#[derive(Debug, Default)]
struct Parameters {
    query: Option<String>,
    dataset: QueryDataset,
    is_update: bool,
}

impl Parameters {
    fn read(&mut self, encoded: &[u8]) -> Result<(), Failure> {
        for (name, value) in form_urlencoded::parse(encoded) {
            match name.as_ref() {
                "query" if self.query.is_some() => {
                    return Err(Failure::bad_request("query.twice", "`query` is there twice; send one query"));
                }
                "query" => self.query = Some(value.into_owned()),
                "default-graph-uri" => self.dataset.default_graphs.push(value.into_owned()),
                "named-graph-uri" => self.dataset.named_graphs.push(value.into_owned()),
                "update" => self.is_update = true,
                // Other parameters, such as a client's own `format`, mean nothing here (protocol, section 2.1).
                _ => {}
            }
        }
        Ok(())
    }
}

/// Answers a query, or describes the service when there is none.
#[utoipa::path(get, path = "/sparql", tag = "data", params(("query" = Option<String>, Query, description = "A SPARQL 1.1 query")),
    responses((status = 200, description = "Results, or the service description without a query"),
        (status = 400, description = "Not a query", body = catalog_schemas::problem::Problem),
        (status = 503, description = "Too slow, or too many queries", body = catalog_schemas::problem::Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut parameters = Parameters::default();
    parameters.read(uri.query().unwrap_or_default().as_bytes())?;
    if parameters.query.is_none() && !parameters.is_update {
        return describe(&app, &headers);
    }
    answer(app, parameters, &headers, method == Method::HEAD).await
}

/// Answers a query sent as a form or as the body itself.
#[utoipa::path(post, path = "/sparql", tag = "data", request_body(content = String, content_type = "application/sparql-query"),
    responses((status = 200, description = "Results"),
        (status = 400, description = "Not a query", body = catalog_schemas::problem::Problem),
        (status = 503, description = "Too slow, or too many queries", body = catalog_schemas::problem::Problem)))]
pub async fn post(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let mut parameters = Parameters::default();
    parameters.read(uri.query().unwrap_or_default().as_bytes())?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/x-www-form-urlencoded" => parameters.read(&body)?,
        "application/sparql-query" => {
            let text = std::str::from_utf8(&body)
                .map_err(|error| Failure::bad_request("query.encoding", format!("the query is not UTF-8: {error}")))?;
            parameters.query = Some(text.to_owned());
        }
        "application/sparql-update" => parameters.is_update = true,
        other => {
            return Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "query.media_type",
                "the body has the wrong type",
                format!("`{other}` is not application/sparql-query or application/x-www-form-urlencoded"),
            ));
        }
    }
    answer(app, parameters, &headers, false).await
}

async fn answer(
    app: Arc<App>,
    parameters: Parameters,
    headers: &HeaderMap,
    is_head: bool,
) -> Result<Response, Failure> {
    if parameters.is_update {
        return Err(Failure::forbidden("this endpoint only reads; records change through /api/v1/packages"));
    }
    let Some(text) = parameters.query else {
        return Err(Failure::bad_request("query.missing", "there is no `query`"));
    };
    if !app.graph_is_warm() {
        return Err(Failure::unavailable("sparql.warming_up", "the RDF store is being filled after a start", 5));
    }
    // A slot is waited for only shortly, so that strangers' queries cannot pile up (THREATS T21).
    let slot = tokio::time::timeout(std::time::Duration::from_secs(2), Arc::clone(&app.query_slots).acquire_owned());
    let Ok(Ok(slot)) = slot.await else {
        return Err(Failure::unavailable("sparql.busy", "too many queries are running", 5));
    };
    let base = format!("{}/", app.base);
    let dataset = parameters.dataset;
    let query = tokio::task::spawn_blocking(move || Query::parse(&text, &base, &dataset)).await??;
    let offered: &[AnswerFormat] = match query.form() {
        QueryForm::Select => &AnswerFormat::ROWS,
        QueryForm::Ask => &AnswerFormat::TRUTH,
        QueryForm::Graph => &AnswerFormat::GRAPHS,
    };
    let format = choose(headers, offered)?;
    let seq = app.graph.applied_seq();
    let store = Arc::clone(&app.graph);
    let limits = Limits::default();
    let evaluation = tokio::task::spawn_blocking(move || {
        let mut answer = Vec::new();
        let evaluated = query.evaluate(&store.view(), format, limits, &Cancellation::new(), &mut answer);
        drop(slot);
        evaluated.map(|_| answer)
    });
    // An evaluator that does not notice its cancellation keeps its slot until it ends, but not the client (FACTS F11).
    let grace = std::time::Duration::from_secs(1);
    let Ok(body) = tokio::time::timeout(limits.time + grace, evaluation).await else {
        return Err(catalog_graph::QueryError::Timeout(limits.time).into());
    };
    let body = body??;
    let mut response = if is_head { StatusCode::OK.into_response() } else { body.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert("alidade-seq", seq.into());
    Ok(response)
}

/// Chooses a format; plain JSON and XML count as the results formats that are made of them.
fn choose(headers: &HeaderMap, offered: &[AnswerFormat]) -> Result<AnswerFormat, Failure> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let mut types: Vec<(&str, AnswerFormat)> = offered.iter().map(|format| (format.media_type(), *format)).collect();
    for format in offered {
        match format {
            AnswerFormat::Json => types.push(("application/json", *format)),
            AnswerFormat::Xml => types.push(("application/xml", *format)),
            AnswerFormat::Graph(GraphSyntax::NTriples) => types.push(("text/plain", *format)),
            _ => {}
        }
    }
    let names: Vec<&str> = types.iter().map(|(name, _)| *name).collect();
    // A browser asks for HTML; it gets the first format rather than a refusal.
    let chosen =
        negotiate(accept, &names).or_else(|| accept.is_some_and(|text| text.contains("text/html")).then_some(0));
    chosen.map(|index| types[index].1).ok_or_else(|| {
        let detail = format!("this query can be answered as {}", names.join(", "));
        Failure::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "no such format", detail)
    })
}

/// Describes the endpoint (SPARQL 1.1 Service Description).
fn describe(app: &App, headers: &HeaderMap) -> Result<Response, Failure> {
    const SD: &str = "http://www.w3.org/ns/sparql-service-description#";
    const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";
    let iri = |text: String| catalog_graph::NamedNode::new(text).map_err(Failure::internal);
    let endpoint = iri(format!("{}/sparql", app.base))?;
    let mut triples = Vec::new();
    let mut say = |property: &str, value: String| -> Result<(), Failure> {
        triples.push(catalog_graph::Triple::new(endpoint.clone(), iri(property.to_owned())?, iri(value)?));
        Ok(())
    };
    say(RDF_TYPE, format!("{SD}Service"))?;
    say(&format!("{SD}endpoint"), endpoint.as_str().to_owned())?;
    say(&format!("{SD}supportedLanguage"), format!("{SD}SPARQL11Query"))?;
    for format in [
        "SPARQL_Results_JSON",
        "SPARQL_Results_XML",
        "SPARQL_Results_CSV",
        "SPARQL_Results_TSV",
        "Turtle",
        "JSON-LD",
        "RDF_XML",
        "N-Triples",
    ] {
        say(&format!("{SD}resultFormat"), format!("http://www.w3.org/ns/formats/{format}"))?;
    }
    let AnswerFormat::Graph(syntax) = choose(headers, &AnswerFormat::GRAPHS)? else {
        return Err(Failure::internal("a service description is a graph"));
    };
    let body = syntax.write(&triples)?;
    let headers = [(header::CONTENT_TYPE, syntax.media_type()), (header::VARY, "Accept")];
    Ok((headers, body).into_response())
}
