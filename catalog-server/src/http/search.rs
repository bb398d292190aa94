//! Search and completion.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_index::{Answer, Index};
use catalog_schemas::problem::Problem;
use catalog_schemas::search::{SearchAnswer, SearchQuery, Suggestions};
use http::{HeaderMap, Uri};
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::problem::{Failure, with_sources};
use crate::http::viewer::Viewer;

/// A client that published elsewhere says with this header up to which sequence it wants to see.
const MIN_SEQ: &str = "alidade-min-seq";

/// Searches: hits, and every facet counted without its own choice.
#[utoipa::path(get, path = "/api/v1/search", tag = "find", params(
        ("q" = Option<String>, Query, description = "Words, \"phrases\", -excluded"),
        ("type" = Option<Vec<String>>, Query, description = "A facet; so are property, domain, mission, instrument, thematicArea, datazone, gpu, interface, fileType, licence, source, year; repeat for any of several values"),
        ("canStartNow" = Option<bool>, Query, description = "Only what some datazone could start at this moment, whoever asks"),
        ("sort" = Option<String>, Query, description = "relevance, newest or name"),
        ("page" = Option<usize>, Query, description = "From 1"),
        ("size" = Option<usize>, Query, description = "Hits a page, 0 to 100")),
    responses((status = 200, description = "Hits and facets", body = SearchAnswer), (status = 400, description = "Unknown facet or bad number", body = Problem)))]
pub async fn search(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query = SearchQuery::from_pairs(pairs)?;
    let asked = headers.get(MIN_SEQ).and_then(|value| value.to_str().ok()?.parse().ok());
    let own = viewer.account().and_then(|account| app.catalog.last_write_of(account));
    if let Some(seq) = asked.max(own) {
        app.indexed.wait_until(seq.min(app.ledger.last_seq())).await;
    }
    let within = if query.can_start_now { Some(app.launcher.can_start_now().await?) } else { None };
    let answer = run(app, query, within).await?;
    let headers = [("content-type", "application/json".to_owned()), ("alidade-seq", answer.applied_seq.to_string())];
    Ok((headers, answer.json).into_response())
}

async fn run(app: Arc<App>, query: SearchQuery, within: Option<Arc<Vec<String>>>) -> Result<Answer, Failure> {
    tokio::task::spawn_blocking(move || {
        // The index keeps no IRI: the base may have another name after a restart.
        let iris = |zone: &str, identifier: &str| Some(app.iri(zone, identifier));
        let within = within.as_ref().map(|keys| keys.as_slice());
        searched(&app, |index| index.answer(&query, &app.labels, &iris, within))
    })
    .await?
}

/// What is typed so far.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct Typed {
    /// The beginning of a word or name.
    #[serde(default)]
    q: String,
}

/// Completes what is typed.
#[utoipa::path(get, path = "/api/v1/suggest", tag = "find", params(Typed),
    responses((status = 200, description = "At most ten completions", body = Suggestions)))]
pub async fn suggest(State(app): State<Arc<App>>, Query(typed): Query<Typed>) -> Result<Json<Suggestions>, Failure> {
    let text: String = typed.q.chars().take(100).collect();
    let suggest = move || {
        let iris = |zone: &str, identifier: &str| Some(app.iri(zone, identifier));
        searched(&app, |index| index.suggest(&text, &app.labels, &iris))
    };
    Ok(Json(tokio::task::spawn_blocking(suggest).await??))
}

/// Asks the index; one that turns out to be damaged is given up, and its successor is on its way.
fn searched<T>(app: &App, ask: impl FnOnce(&Index) -> Result<T, catalog_index::Error>) -> Result<T, Failure> {
    let building =
        || Failure::unavailable("search.building", "the search index is being built; records can be read", 2);
    let index = app.index.current().ok_or_else(building)?;
    ask(&index).map_err(|error| {
        let is_damaged = error.needs_rebuild();
        let failure = if is_damaged { building() } else { Failure::internal(with_sources(&error)) };
        app.give_up_index(error);
        failure
    })
}
