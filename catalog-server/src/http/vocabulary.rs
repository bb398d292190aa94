//! The vocabulary: terms, concept schemes, concepts, context, shapes and schema, as the ontology crate gives them.

use axum::response::{IntoResponse, Response};
use catalog_document::{Profile, Syntax, prof, vocabulary};
use catalog_ontology::generate;
use catalog_ontology::scheme::{Concept, Scheme};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::http::accept::{accept_of, negotiate, with_encoding};
use crate::http::extract::{Path, Query};
use crate::http::problem::Failure;

const TURTLE: &str = "text/turtle; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON_LD: &str = "application/ld+json";

/// How the document is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct Asked {
    /// A syntax by its suffix, when `Accept` cannot be set: `html`, `ttl`, `jsonld`, `rdf`, `nt`.
    format: Option<String>,
}

/// Gives the terms as a page or as RDF.
#[utoipa::path(get, path = "/ns/esado", tag = "data", params(Asked),
    responses((status = 200, description = "The terms, as HTML or RDF"), (status = 406, description = "No such format", body = Problem)))]
pub async fn ontology(Query(asked): Query<Asked>, headers: HeaderMap) -> Result<Response, Failure> {
    match chosen(&headers, asked.format.as_deref())? {
        // The file as it was written is easier to read than what a program makes of it.
        Some(Syntax::Turtle) => Ok(answer(TURTLE, generate::ontology_turtle())),
        Some(syntax) => rdf(syntax, vocabulary::ontology()),
        None => {
            let more = "<p><a href=\"/ns/esado/profile\">Profiles that records are given in</a></p>";
            let html = format!("{}{more}", inside(generate::ontology_page()));
            Ok(page(&headers, "/ns/esado", "ESADO vocabulary", &html))
        }
    }
}

/// Gives a concept scheme as a page or as RDF.
#[utoipa::path(get, path = "/ns/esado/{scheme}", tag = "data", params(Asked, ("scheme" = String, Path, description = "A scheme, such as mission; also with .ttl, .jsonld, .rdf, .nt or .html")),
    responses((status = 200, description = "The scheme, as HTML or RDF"), (status = 404, description = "No such scheme", body = Problem), (status = 406, description = "No such format", body = Problem)))]
pub async fn scheme(
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (name, suffix) = split(&name);
    if name == PROFILES {
        return match chosen(&headers, suffix.or(asked.format.as_deref()))? {
            Some(syntax) => rdf(syntax, &prof::all()),
            None => Ok(page(&headers, "/ns/esado/profile", "Profiles", &profiles_page())),
        };
    }
    let scheme = Scheme::all().iter().find(|scheme| scheme.name == name);
    let scheme = scheme.ok_or_else(|| Failure::not_found("concept scheme", name))?;
    match chosen(&headers, suffix.or(asked.format.as_deref()))? {
        Some(Syntax::Turtle) => {
            let files = catalog_ontology::scheme::SCHEMES_TTL;
            let (_, turtle) = files.iter().find(|(known, _)| *known == name).copied().unwrap_or_default();
            Ok(answer(TURTLE, turtle))
        }
        Some(syntax) => rdf(syntax, vocabulary::scheme(name).unwrap_or_default()),
        None => {
            let title = scheme.titles.first().map_or(scheme.name, |(_, title)| title);
            Ok(page(&headers, &format!("/ns/esado/{name}"), title, &scheme_page(scheme, title)))
        }
    }
}

/// Gives one concept as a page or as RDF.
#[utoipa::path(get, path = "/ns/esado/{scheme}/{concept}", tag = "data",
    params(Asked, ("scheme" = String, Path, description = "A scheme, such as mission"), ("concept" = String, Path, description = "A concept's notation, such as gaia; also with .ttl, .jsonld, .rdf, .nt or .html")),
    responses((status = 200, description = "The concept, as HTML or RDF"), (status = 404, description = "No such concept", body = Problem), (status = 406, description = "No such format", body = Problem)))]
pub async fn concept(
    Path((name, notation)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    match name.as_str() {
        PROFILES => return profile(&notation, &asked, &headers),
        // What lies elsewhere here has its IRI below the vocabulary's.
        "context" if notation == "v1" => return Ok(context().await),
        "schemas" => return schema(Path(notation)).await,
        _ => {}
    }
    let missing = || Failure::not_found("concept", &format!("{name}/{notation}"));
    let scheme = Scheme::all().iter().find(|scheme| scheme.name == name).ok_or_else(missing)?;
    // A notation may hold a dot; the whole name wins.
    let (notation, suffix) = match scheme.by_notation(&notation) {
        Some(_) => (notation.as_str(), None),
        None => split(&notation),
    };
    let concept = scheme.by_notation(notation).ok_or_else(missing)?;
    match chosen(&headers, suffix.or(asked.format.as_deref()))? {
        Some(syntax) => rdf(syntax, &vocabulary::concept(&name, &concept.iri)),
        None => {
            let path = format!("/ns/esado/{name}/{notation}");
            Ok(page(&headers, &path, &concept.label, &concept_page(scheme, concept)))
        }
    }
}

/// The last part of the address that our profiles are below.
const PROFILES: &str = "profile";

fn profile(name: &str, asked: &Asked, headers: &HeaderMap) -> Result<Response, Failure> {
    let (name, suffix) = split(name);
    let about = prof::About::find(name).ok_or_else(|| Failure::not_found("profile", name))?;
    match chosen(headers, suffix.or(asked.format.as_deref()))? {
        Some(syntax) => rdf(syntax, &prof::triples(about)),
        None => {
            let path = format!("/ns/esado/{PROFILES}/{name}");
            let html = format!(
                "<p class=\"small\"><a href=\"/ns/esado\">ESADO vocabulary</a> › <a href=\"/ns/esado/{PROFILES}\">Profiles</a></p>{}{}",
                profile_section(about, "h1"),
                forms(&path)
            );
            Ok(page(headers, &path, about.title, &html))
        }
    }
}

fn profiles_page() -> String {
    let mut html = "<p class=\"small\"><a href=\"/ns/esado\">ESADO vocabulary</a></p><h1>Profiles</h1>".to_owned();
    html.extend(prof::OWN.iter().map(|about| profile_section(about, "h2")));
    html.push_str("<h2>Profiles of others that records are given in</h2><ul>");
    let own = |profile: &Profile| prof::OWN.iter().any(|about| about.profile == *profile);
    for profile in Profile::ALL.iter().filter(|profile| !own(profile)) {
        let (token, iri) = (profile.token(), escape(profile.iri()));
        html.push_str(&format!("<li><code>{token}</code> <a href=\"{iri}\" rel=\"noopener\">{iri}</a></li>"));
    }
    html.push_str("</ul>");
    html.push_str(&forms(&format!("/ns/esado/{PROFILES}")));
    html
}

fn profile_section(about: &prof::About, heading: &str) -> String {
    let mut html = format!(
        "<{heading} id=\"{0}\">{1}</{heading}><p><code>{2}</code></p><p>{3}</p><p>Asked for by <code>?profile={4}</code> or \
         <code>Accept-Profile: &lt;{2}&gt;</code>, as {5}.</p><ul>",
        about.name,
        escape(about.title),
        escape(about.iri()),
        escape(about.description),
        about.profile.token(),
        about.forms().map(|form| escape(form.label)).collect::<Vec<_>>().join(", "),
    );
    for help in about.help {
        // What is below our own namespace lies here, too.
        let local = help.address.strip_prefix("https://w3id.org/esado").map(|rest| format!("/ns/esado{rest}"));
        let address = escape(local.as_deref().unwrap_or(help.address));
        html.push_str(&format!(
            "<li id=\"{}\"><a href=\"{address}\">{}</a> <code>{}</code></li>",
            help.role,
            escape(help.label),
            help.media_type
        ));
    }
    html.push_str("</ul>");
    html
}

fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, suffix)) if suffix == "html" || Syntax::GRAPHS.iter().any(|one| one.suffix() == suffix) => {
            (stem, Some(suffix))
        }
        _ => (name, None),
    }
}

/// Chooses a syntax; none is the page.
fn chosen(headers: &HeaderMap, format: Option<&str>) -> Result<Option<Syntax>, Failure> {
    if let Some(format) = format {
        let syntax = Syntax::GRAPHS.into_iter().find(|one| one.suffix() == format);
        return if syntax.is_some() || format == "html" { Ok(syntax) } else { Err(not_acceptable()) };
    }
    let mut offered = vec!["text/html"];
    offered.extend(Syntax::GRAPHS.map(Syntax::media_type));
    let index = negotiate(accept_of(headers).as_deref(), &offered).ok_or_else(not_acceptable)?;
    Ok(index.checked_sub(1).map(|index| Syntax::GRAPHS[index]))
}

fn not_acceptable() -> Failure {
    let detail = "this is given as html, ttl, jsonld, rdf and nt";
    Failure::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "no such format", detail)
}

fn rdf(syntax: Syntax, triples: &[catalog_graph::Triple]) -> Result<Response, Failure> {
    let body = syntax.write(triples).map_err(Failure::internal)?;
    let headers = [
        (header::CONTENT_TYPE, with_encoding(syntax.media_type()).into_owned()),
        (header::VARY, "Accept".to_owned()),
        (header::CACHE_CONTROL, "public, max-age=3600".to_owned()),
    ];
    Ok((headers, body).into_response())
}

fn page(headers: &HeaderMap, path: &str, title: &str, html: &str) -> Response {
    let page = catalog_portal::reference(headers, path, title, html);
    let headers = [(header::CONTENT_TYPE, HTML), (header::VARY, "Accept, Cookie"), (header::CACHE_CONTROL, "no-cache")];
    (headers, page).into_response()
}

/// Returns what stands inside the main element of a page of ours.
fn inside(page: &str) -> &str {
    let from_main = page.split_once("<main>").map_or(page, |(_, rest)| rest);
    from_main.split_once("</main>").map_or(from_main, |(main, _)| main)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    catalog_document::xml::escape(text, &mut escaped);
    escaped
}

/// The other forms of a page, as links.
fn forms(path: &str) -> String {
    let links = Syntax::GRAPHS.map(|syntax| {
        let label = match syntax {
            Syntax::Turtle => "Turtle",
            Syntax::JsonLd => "JSON-LD",
            Syntax::RdfXml => "RDF/XML",
            _ => "N-Triples",
        };
        format!("<a href=\"{path}.{}\">{label}</a>", syntax.suffix())
    });
    format!("<p class=\"small\">As {}</p>", links.join(" · "))
}

fn scheme_page(scheme: &Scheme, title: &str) -> String {
    let mut html = format!(
        "<p class=\"small\"><a href=\"/ns/esado\">ESADO vocabulary</a></p><h1>{}</h1><p><code>{}</code></p>",
        escape(title),
        escape(&scheme.iri)
    );
    html.push_str("<ul>");
    for concept in scheme.top_concepts() {
        branch(scheme, concept, &mut html);
    }
    html.push_str("</ul>");
    html.push_str(&forms(&format!("/ns/esado/{}", scheme.name)));
    html
}

fn branch(scheme: &Scheme, concept: &Concept, html: &mut String) {
    html.push_str(&format!("<li>{}", concept_link(scheme, concept)));
    let mut below = scheme.narrower(concept).peekable();
    if below.peek().is_some() {
        html.push_str("<ul>");
        below.for_each(|narrower| branch(scheme, narrower, html));
        html.push_str("</ul>");
    }
    html.push_str("</li>");
}

fn concept_link(scheme: &Scheme, concept: &Concept) -> String {
    let notation = escape(&concept.notation);
    format!("<a href=\"/ns/esado/{}/{notation}\">{}</a> <code>{notation}</code>", scheme.name, escape(&concept.label))
}

fn concept_page(scheme: &Scheme, concept: &Concept) -> String {
    let title = scheme.titles.first().map_or(scheme.name, |(_, title)| title);
    let mut rows = String::new();
    let mut row = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            rows.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", values.join("<br>")));
        }
    };
    let others = concept.labels.iter().filter(|(tag, _)| tag != "en");
    row(
        "In other languages",
        others.map(|(tag, label)| format!("<span lang=\"{0}\">{1}</span> ({0})", escape(tag), escape(label))).collect(),
    );
    row("Also called", concept.alt_labels.iter().map(|label| escape(label)).collect());
    row("Meaning", concept.definition.iter().map(|text| escape(text)).collect());
    let broader = concept.broader.iter().filter_map(|notation| scheme.by_notation(notation));
    row("Above it", broader.map(|above| concept_link(scheme, above)).collect());
    row("Below it", scheme.narrower(concept).map(|below| concept_link(scheme, below)).collect());
    let in_scheme = |scheme: &str, notation: &str| {
        let scheme = Scheme::get(scheme)?;
        Some(concept_link(scheme, scheme.by_notation(notation)?))
    };
    row("Domain", concept.domain.iter().filter_map(|notation| in_scheme("domain", notation)).collect());
    row("Missions", concept.missions.iter().filter_map(|notation| in_scheme("mission", notation)).collect());
    row("Media type", concept.media_type.iter().map(|text| format!("<code>{}</code>", escape(text))).collect());
    row(
        "The same elsewhere",
        concept
            .exact_match
            .iter()
            .map(|iri| format!("<a href=\"{0}\" rel=\"noopener\">{0}</a>", escape(iri)))
            .collect(),
    );
    let facet = match scheme.name {
        "thematic-area" => "thematicArea",
        "file-type" => "fileType",
        name => name,
    };
    let value: String = form_urlencoded::byte_serialize(concept.path.as_bytes()).collect();
    format!(
        "<p class=\"small\"><a href=\"/ns/esado\">ESADO vocabulary</a> › <a href=\"/ns/esado/{name}\">{}</a></p><h1>{}</h1>\
         <p><code>{}</code></p><p><a class=\"button\" href=\"/search?{facet}={value}\">Records with it</a></p><dl class=\"terms\">{rows}</dl>{}",
        escape(title),
        escape(&concept.label),
        escape(&concept.iri),
        forms(&format!("/ns/esado/{}/{}", scheme.name, concept.notation)),
        name = scheme.name,
    )
}

/// Gives the JSON-LD context that manifests name.
#[utoipa::path(get, path = "/context/v1", tag = "data", responses((status = 200, description = "The context")))]
pub async fn context() -> Response {
    answer(JSON_LD, generate::context())
}

/// Gives the SHACL shapes or the JSON Schema of manifests.
pub async fn schema(Path(file): Path<String>) -> Result<Response, Failure> {
    match file.as_str() {
        "shapes.ttl" => Ok(answer(TURTLE, generate::shapes())),
        "manifest.schema.json" => Ok(answer("application/schema+json", generate::manifest_schema())),
        _ => Err(Failure::not_found("schema", &file)),
    }
}

fn answer(media_type: &'static str, body: &'static str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, media_type), (header::VARY, "Accept"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, body).into_response()
}
