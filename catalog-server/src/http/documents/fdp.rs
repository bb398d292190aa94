//! The FAIR Data Point: root, catalogues by source, and containers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use catalog_document::dcat::{self, Catalogue};
use catalog_document::{Syntax, fdp, hydra};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, Method, header};
use serde::Deserialize;

use super::{described_all, document, is_unchanged, syntax_of, tag, unchanged};
use crate::app::App;
use crate::http::accept::{accept_of, negotiate};
use crate::http::extract::{Path, Query};
use crate::http::problem::Failure;

/// Records of a page.
const PAGE: u32 = 100;

/// Leads who asks the front door for RDF to the metadata of the FAIR Data Point; others pass.
pub async fn front_door(request: Request, next: Next) -> Response {
    if request.uri().path() == "/" && matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut offered = vec!["text/html"];
        offered.extend(Syntax::GRAPHS.map(Syntax::media_type));
        if negotiate(accept_of(request.headers()).as_deref(), &offered).is_some_and(|index| index > 0) {
            return ([(header::VARY, "Accept")], Redirect::to("/fdp")).into_response();
        }
    }
    next.run(request).await
}

/// Gives the root of the metadata.
#[utoipa::path(get, path = "/fdp", tag = "data",
    responses((status = 200, description = "The FAIR Data Point's own metadata"), (status = 304, description = "Unchanged"), (status = 406, description = "No such format", body = Problem)))]
pub async fn root(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let syntax = syntax_of(&headers, None, &Syntax::GRAPHS)?;
    let tag = tag(&format!("{}-fdp-{}", app.ledger.last_seq(), syntax.suffix()))?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let counts = app.census.counts(&app.ledger).await?;
    let modified = counts.modified();
    let about = Catalogue { base: &app.base, zone: &app.config.zone.name, modified: modified.as_deref() };
    let body =
        syntax.write(&fdp::root(&about, env!("CARGO_PKG_VERSION"), &counts.sources)).map_err(Failure::internal)?;
    document(syntax.media_type(), body, Some(tag))
}

/// Which page is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct Asked {
    /// The number that the page's records come after.
    #[serde(default)]
    after: i64,
}

/// Gives the catalogue of one source, a page at a time.
#[utoipa::path(get, path = "/fdp/catalog/{source}", tag = "data", params(Asked, ("source" = String, Path, description = "A source, such as the zone's own id")),
    responses((status = 200, description = "A dcat:Catalog with its containers"), (status = 304, description = "Unchanged"),
        (status = 404, description = "No such source", body = Problem), (status = 406, description = "No such format", body = Problem)))]
pub async fn catalogue(
    State(app): State<Arc<App>>,
    Path(source): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let syntax = syntax_of(&headers, None, &Syntax::GRAPHS)?;
    let after = asked.after.max(0);
    let tag = tag(&format!("{}-fdp-{after}-{}", app.ledger.last_seq(), syntax.suffix()))?;
    let counts = app.census.counts(&app.ledger).await?;
    let (source, count) = counts.source(&source).cloned().ok_or_else(|| Failure::not_found("source", &source))?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let mut stored = app.ledger.public_after(after, Some(&source), &[], PAGE + 1).await?;
    let more = stored.len() > PAGE as usize;
    stored.truncate(PAGE as usize);
    let iri = format!("{}/fdp/catalog/{source}", app.base);
    let links = hydra::Page {
        page: if after > 0 { format!("{iri}?after={after}") } else { format!("{iri}#first") },
        first: iri.clone(),
        previous: None,
        next: stored.last().filter(|_| more).map(|last| format!("{iri}?after={}", last.id)),
        total: count,
        size: PAGE.into(),
        collection: iri,
    };
    let modified = counts.modified();
    let about = Catalogue { base: &app.base, zone: &app.config.zone.name, modified: modified.as_deref() };
    let mut triples = fdp::catalogue(&about, env!("CARGO_PKG_VERSION"), &source, count);
    triples.extend(hydra::page(&links));
    for described in described_all(&app, stored).await?.into_iter().filter_map(|(_, described)| described) {
        triples.extend(fdp::member(&app.base, &source, &described.record_iri(), dcat::is_dataset(&described)));
    }
    let body = syntax.write(&triples).map_err(Failure::internal)?;
    document(syntax.media_type(), body, Some(tag))
}
