//! The same protocol over stores that hold no catalogue: what the suites of the W3C are run against.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use catalog_graph::Store;
use catalog_graph::worker::Question;
use http::{HeaderMap, Method, Uri};

use super::request::Parameters;
use super::{Asked, Endpoint, description, graph_store};
use crate::http::client_address::client_address;
use crate::http::problem::Failure;
use crate::sparql::{Client, Pool};

/// Where stores are made from `NAME.nq`, and what is asked.
struct Stores {
    folder: PathBuf,
    base: String,
    queries: Arc<Pool>,
    open: Mutex<HashMap<String, Arc<Store>>>,
}

/// Returns the routes `/NAME/sparql` and `/NAME/rdf-graph-store` over the dataset in each `NAME.nq` of a folder.
pub fn router(folder: PathBuf, base: String, queries: Arc<Pool>) -> Router {
    let stores = Stores { folder, base, queries, open: Mutex::default() };
    Router::new()
        .route("/{store}/sparql", get(asked_by_get).post(asked_by_post))
        .route("/{store}/rdf-graph-store", get(graph))
        .with_state(Arc::new(stores))
}

impl Stores {
    fn store(&self, name: &str) -> Result<Arc<Store>, Failure> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(name) {
            return Ok(Arc::clone(store));
        }
        let statements = self.folder.join(format!("{name}.nq"));
        let statements = std::fs::read_to_string(&statements).map_err(|_| Failure::not_found("dataset", name))?;
        let store = Store::open(&self.folder.join(name), &self.base)?;
        let mut rebuild = store.rebuild()?;
        rebuild.load_nquads(&statements)?;
        store.install(rebuild, 1)?;
        let store = Arc::new(store);
        open.insert(name.to_owned(), Arc::clone(&store));
        Ok(store)
    }

    fn endpoint(&self, store: &Store) -> Endpoint {
        Endpoint {
            queries: Arc::clone(&self.queries),
            folder: store.folder().to_owned(),
            version: store.version(),
            base: self.base.clone(),
            stamp: self.base.clone(),
        }
    }
}

fn asked(headers: HeaderMap, method: &Method) -> Asked {
    let client = Client::Address(client_address());
    Asked { client, headers, is_head: method == Method::HEAD, is_safe: method != Method::POST }
}

async fn asked_by_get(
    State(stores): State<Arc<Stores>>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (parameters, store) = (Parameters::of_query_string(uri.query())?, stores.store(&name)?);
    if parameters.is_empty() {
        return description::answer(format!("{}{name}", stores.base), store.view(), &headers).await;
    }
    stores.endpoint(&store).answer(parameters.into_query()?, Vec::new(), asked(headers, &method)).await
}

async fn asked_by_post(
    State(stores): State<Arc<Stores>>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let query = Parameters::of_body(uri.query(), &headers, &body)?.into_query()?;
    let store = stores.store(&name)?;
    stores.endpoint(&store).answer(query, Vec::new(), asked(headers, &Method::POST)).await
}

async fn graph(
    State(stores): State<Arc<Stores>>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let graph = graph_store::read(uri.query().unwrap_or_default())?;
    let store = stores.store(&name)?;
    stores.endpoint(&store).respond(Question::Graph(graph), Vec::new(), true, asked(headers, &method)).await
}
