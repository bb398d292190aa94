//! The vocabulary: terms, concept schemes, context, shapes and schema, as the ontology crate gives them.

use axum::response::{IntoResponse, Response};
use catalog_ontology::{generate, scheme};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, StatusCode, header};

use crate::http::accept::negotiate;
use crate::http::extract::Path;
use crate::http::problem::Failure;

const TURTLE: &str = "text/turtle";
const HTML: &str = "text/html; charset=utf-8";
const JSON_LD: &str = "application/ld+json";

/// Gives the terms as a page or as RDF.
#[utoipa::path(get, path = "/ns/esado", tag = "data",
    responses((status = 200, description = "The terms, as HTML or Turtle"), (status = 406, description = "No such format", body = Problem)))]
pub async fn ontology(headers: HeaderMap) -> Result<Response, Failure> {
    match choose(&headers, &[HTML, TURTLE])? {
        HTML => {
            let page =
                catalog_portal::reference(&headers, "/ns/esado", "ESADO vocabulary", inside(generate::ontology_page()));
            let headers =
                [(header::CONTENT_TYPE, HTML), (header::VARY, "Accept, Cookie"), (header::CACHE_CONTROL, "no-cache")];
            Ok((headers, page).into_response())
        }
        _ => Ok(answer(TURTLE, generate::ontology_turtle())),
    }
}

/// Returns what stands inside the main element of a page of ours.
fn inside(page: &str) -> &str {
    let from_main = page.split_once("<main>").map_or(page, |(_, rest)| rest);
    from_main.split_once("</main>").map_or(from_main, |(main, _)| main)
}

/// Gives the JSON-LD context that manifests name.
#[utoipa::path(get, path = "/context/v1", tag = "data", responses((status = 200, description = "The context")))]
pub async fn context() -> Response {
    answer(JSON_LD, generate::context())
}

/// Gives one concept scheme as Turtle.
pub async fn scheme(Path(name): Path<String>) -> Result<Response, Failure> {
    let found = scheme::SCHEMES_TTL.iter().find(|(known, _)| *known == name.trim_end_matches(".ttl"));
    let (_, turtle) = found.ok_or_else(|| Failure::not_found("concept scheme", &name))?;
    Ok(answer(TURTLE, turtle))
}

/// Gives the SHACL shapes or the JSON Schema of manifests.
pub async fn schema(Path(file): Path<String>) -> Result<Response, Failure> {
    match file.as_str() {
        "shapes.ttl" => Ok(answer(TURTLE, generate::shapes())),
        "manifest.schema.json" => Ok(answer("application/schema+json", generate::manifest_schema())),
        _ => Err(Failure::not_found("schema", &file)),
    }
}

fn choose(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Failure> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    negotiate(accept, offered).map(|index| offered[index]).ok_or_else(|| {
        let detail = format!("this is given as {}", offered.join(", "));
        Failure::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "no such format", detail)
    })
}

fn answer(media_type: &'static str, body: &'static str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, media_type), (header::VARY, "Accept"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, body).into_response()
}
