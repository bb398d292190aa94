//! What is named beside records: datazones, and the graphs that say what each source said.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use catalog_document::namespace::{DCTERMS, FOAF, RDFS};
use catalog_document::{Statements, Syntax, term};
use catalog_ontology::terms::Kind;
use catalog_schemas::problem::Problem;
use http::{HeaderMap, HeaderValue, Method, header};

use super::{document, not_acceptable, prefers_html};
use crate::app::App;
use crate::http::accept::{accept_of, negotiate};
use crate::http::extract::Path;
use crate::http::problem::Failure;
use crate::http::sparql;
use crate::http::viewer::Viewer;

/// Leads from a datazone's identifier to its page or its data, or gives the data when the path has a suffix.
#[utoipa::path(get, path = "/id/{zone}", tag = "data", params(("zone" = String, Path, description = "A datazone's id, also with .ttl, .jsonld, .rdf, .nt, .json or .html")),
    responses((status = 200, description = "The data"), (status = 303, description = "See the page, the data, or the zone's own server"),
        (status = 404, description = "No such datazone", body = Problem), (status = 406, description = "No such format", body = Problem)))]
pub async fn zone(
    State(app): State<Arc<App>>,
    Path(last): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (id, suffix) = last.split_once('.').map_or((last.as_str(), None), |(id, suffix)| (id, Some(suffix)));
    let missing = || Failure::not_found("datazone", &last);
    let known = app.launcher.datazones().into_iter().find(|zone| zone.id == id);
    let own = (app.config.zone.id.as_str() == id).then(|| app.config.zone.name.clone());
    let Some(name) = known.map(|zone| zone.name).or(own) else {
        let home = app.homes.elsewhere(id).ok_or_else(missing)?;
        return Ok(Redirect::to(&format!("{home}/id/{last}")).into_response());
    };
    let types: Vec<&str> = ["text/html", "application/json"].into_iter().chain(GRAPHS).collect();
    let place = match suffix {
        Some("html") => "/datazones".to_owned(),
        Some("json") => format!("/api/v1/datazones/{id}"),
        Some(suffix) => {
            let syntax = Syntax::GRAPHS.into_iter().find(|syntax| syntax.suffix() == suffix).ok_or_else(missing)?;
            return described(&app, id, &name, syntax);
        }
        None => match negotiate(accept_of(&headers).as_deref(), &types) {
            Some(0) => "/datazones".to_owned(),
            Some(1) => format!("/api/v1/datazones/{id}"),
            Some(index) => format!("/id/{id}.{}", Syntax::GRAPHS[index - 2].suffix()),
            None => return Err(not_acceptable(&types.join(", "))),
        },
    };
    // An identifier names the thing, not its description.
    Ok(([(header::VARY, "Accept")], Redirect::to(&place)).into_response())
}

const GRAPHS: [&str; 4] = ["text/turtle", "application/ld+json", "application/rdf+xml", "application/n-triples"];

fn described(app: &App, id: &str, name: &str, syntax: Syntax) -> Result<Response, Failure> {
    let iri = format!("{}/id/{id}", app.base);
    let mut out = Statements::new();
    out.a(&iri, Kind::Datazone.iri().as_str());
    out.text(&iri, &term(DCTERMS, "identifier"), id);
    out.text(&iri, &term(DCTERMS, "title"), name);
    out.text(&iri, &term(RDFS, "label"), name);
    out.typed(&iri, &term(FOAF, "page"), &format!("{}/datazones", app.base), &term(FOAF, "Document"));
    // What is free there now, as the service of that name says it in SPARQL.
    let (alone, part) = (format!("<{iri}>"), format!("<{iri}#"));
    out.extend(app.launcher.capacity_triples(&app.base).into_iter().filter(|triple| {
        let subject = triple.subject.to_string();
        subject == alone || subject.starts_with(&part)
    }));
    let body = syntax.write(out.triples()).map_err(Failure::internal)?;
    document(syntax.media_type(), body, None)
}

/// Gives a named graph at its own address (SPARQL 1.1 Graph Store HTTP Protocol, section 4.1).
#[utoipa::path(get, path = "/graph/{source}", tag = "data", params(("source" = String, Path, description = "A source, or `vocabulary`")),
    responses((status = 200, description = "The graph's statements"), (status = 303, description = "A browser is led to the search"),
        (status = 304, description = "Nothing has changed since the answer with this ETag"), (status = 404, description = "No such graph", body = Problem),
        (status = 406, description = "No such format", body = Problem), (status = 422, description = "The graph is too large for one answer", body = Problem)))]
pub async fn graph(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(source): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if prefers_html(&headers, &GRAPHS) {
        let place = match source.as_str() {
            "vocabulary" => "/ns/esado".to_owned(),
            source => {
                let counts = app.census.counts(&app.ledger).await?;
                if counts.source(source).is_none() {
                    return Err(Failure::not_found("graph", source));
                }
                let query = form_urlencoded::Serializer::new(String::new()).append_pair("source", source).finish();
                format!("/search?{query}")
            }
        };
        return Ok(([(header::VARY, "Accept")], Redirect::to(&place)).into_response());
    }
    let iri = format!("{}/graph/{source}", app.base);
    sparql::named_graph(&app, &viewer, iri, headers, method == Method::HEAD).await
}

/// Leads from a container of the FAIR Data Point to the document that says what it contains.
pub async fn containers() -> Redirect {
    Redirect::to("/fdp")
}

/// The same for the containers of a catalogue.
pub async fn container(Path((source, name)): Path<(String, String)>) -> Result<Response, Failure> {
    if !matches!(name.as_str(), "dataset" | "resource") {
        return Err(Failure::not_found("container", &name));
    }
    let source = percent_encoding::utf8_percent_encode(&source, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut response = Redirect::to(&format!("/fdp/catalog/{}", source.replace("%2D", "-"))).into_response();
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}
