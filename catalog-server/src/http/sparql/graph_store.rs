//! The SPARQL 1.1 Graph Store HTTP Protocol, for reading.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use catalog_graph::worker::Question;
use http::{HeaderMap, Method, Uri};

use super::{Asked, Endpoint, client_of};
use crate::app::App;
use crate::http::problem::Failure;
use crate::http::viewer::Viewer;

/// Answers with a whole graph: the default one, or one by name.
#[utoipa::path(get, path = "/rdf-graph-store", tag = "data",
    params(("default" = Option<String>, Query, description = "Present for the default graph"),
        ("graph" = Option<String>, Query, description = "The IRI of a named graph")),
    responses((status = 200, description = "The graph's statements"),
        (status = 304, description = "Nothing has changed since the answer with this ETag"),
        (status = 400, description = "Neither `default` nor `graph`, or both", body = catalog_schemas::problem::Problem),
        (status = 404, description = "No such graph", body = catalog_schemas::problem::Problem),
        (status = 406, description = "No such format", body = catalog_schemas::problem::Problem),
        (status = 422, description = "The graph is too large for one answer", body = catalog_schemas::problem::Problem)))]
pub async fn graph(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let graph = read(uri.query().unwrap_or_default())?;
    let asked = Asked { client: client_of(&viewer), headers, is_head: method == Method::HEAD, is_safe: true };
    Endpoint::of(&app)?.respond(Question::Graph(graph), Vec::new(), true, asked).await
}

/// Answers with a graph by its name, at whatever address it was asked for.
pub async fn named_graph(
    app: &App,
    viewer: &Viewer,
    iri: String,
    headers: HeaderMap,
    is_head: bool,
) -> Result<Response, Failure> {
    let asked = Asked { client: client_of(viewer), headers, is_head, is_safe: true };
    Endpoint::of(app)?.respond(Question::Graph(Some(iri)), Vec::new(), true, asked).await
}

/// Reads which graph is meant (Graph Store Protocol, section 4.2); none for the default graph.
pub(super) fn read(encoded: &str) -> Result<Option<String>, Failure> {
    let mut meant = Vec::new();
    for (name, value) in form_urlencoded::parse(encoded.as_bytes()) {
        match name.as_ref() {
            "default" => meant.push(None),
            "graph" => meant.push(Some(value.into_owned())),
            _ => {}
        }
    }
    match <[_; 1]>::try_from(meant) {
        Ok([graph]) => Ok(graph),
        Err(_) => Err(Failure::bad_request("graph.unclear", "send either `?default` or `?graph=IRI`, once")),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_graph_is_named_once() {
        assert_eq!(read("default").ok(), Some(None));
        assert_eq!(read("default=").ok(), Some(None));
        assert_eq!(read("graph=http%3A%2F%2Fe%2Fg&x=1").ok(), Some(Some("http://e/g".to_owned())));
        for wrong in ["", "default&graph=http%3A%2F%2Fe%2Fg", "graph=a&graph=b", "default&default"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
