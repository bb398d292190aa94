//! Everything at once: the dumps, and the statistics of what is in them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use catalog_document::{Syntax, void};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, HeaderValue, header};
use tokio::io::AsyncReadExt;

use super::{document, is_unchanged, syntax_of, tag, unchanged};
use crate::app::App;
use crate::dumps::Dump;
use crate::http::extract::Path;
use crate::http::problem::Failure;

/// Bytes of a dump read at a time.
const PIECE: usize = 64 << 10;

/// Gives every public statement: the merged view, and each source's graph.
#[utoipa::path(get, path = "/dump.nq.gz", tag = "data",
    responses((status = 200, description = "N-Quads, compressed with gzip"), (status = 304, description = "Unchanged"),
        (status = 503, description = "Being written for the first time", body = Problem)))]
pub async fn all(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let dump = app.dumps.get(&app, None).await?;
    send(&dump, "alidade", &headers).await
}

/// Gives every public statement of one source.
#[utoipa::path(get, path = "/dump/{source}", tag = "data", params(("source" = String, Path, description = "A source with the ending .nq.gz, such as go-esa.nq.gz")),
    responses((status = 200, description = "N-Quads, compressed with gzip"), (status = 304, description = "Unchanged"),
        (status = 404, description = "No such source", body = Problem), (status = 503, description = "Being written for the first time", body = Problem)))]
pub async fn of_source(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let missing = || Failure::not_found("source", &file);
    let name = file.strip_suffix(".nq.gz").unwrap_or(&file);
    let counts = app.census.counts(&app.ledger).await?;
    let (source, _) = counts.source(name).cloned().ok_or_else(missing)?;
    let dump = app.dumps.get(&app, Some(&source)).await?;
    send(&dump, &source, &headers).await
}

async fn send(dump: &Dump, name: &str, headers: &HeaderMap) -> Result<Response, Failure> {
    let tag = tag(&format!("{}-{name}", dump.seq))?;
    if is_unchanged(headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let file = tokio::fs::File::open(&dump.path).await.map_err(Failure::internal)?;
    let length = file.metadata().await.map_err(Failure::internal)?.len();
    let pieces = futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = Vec::with_capacity(PIECE);
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
        Ok::<_, std::io::Error>((read > 0).then_some((piece, file)))
    });
    let mut response = document("application/gzip", Body::from_stream(pieces), Some(tag))?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    let file = format!("attachment; filename=\"{name}.nq.gz\"");
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&file).map_err(Failure::internal)?);
    headers.insert("alidade-seq", dump.seq.into());
    Ok(response)
}

/// Describes the catalogue as a set of statements (VoID), with what the last dump counted.
#[utoipa::path(get, path = "/.well-known/void", tag = "data",
    responses((status = 200, description = "A VoID description"), (status = 304, description = "Unchanged"), (status = 406, description = "No such format", body = Problem),
        (status = 503, description = "Being counted for the first time", body = Problem)))]
pub async fn statistics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let syntax = syntax_of(&headers, None, &Syntax::GRAPHS)?;
    let dump = app.dumps.get(&app, None).await?;
    let tag = tag(&format!("{}-void-{}", dump.seq, syntax.suffix()))?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let counts = app.census.counts(&app.ledger).await?;
    let view = app.graph.view();
    let graphs = tokio::task::spawn_blocking(move || view.statistics()).await?.graphs;
    let statistics = void::Statistics {
        sources: counts.sources.clone(),
        graphs: graphs.into_iter().map(|(graph, count)| (graph.as_str().to_owned(), count as u64)).collect(),
        modified: counts.modified(),
        ..dump.statistics
    };
    let body = syntax.write(&void::description(&app.base, &statistics)).map_err(Failure::internal)?;
    document(syntax.media_type(), body, Some(tag))
}
