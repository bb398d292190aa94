//! What crawlers, browsers and clients of the Virtual Observatory look for first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use catalog_document::vosi;
use catalog_document::xml::Xml;
use http::HeaderMap;
use jiff::Timestamp;

use super::{document, is_unchanged, tag, unchanged};
use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Failure;

/// Addresses of one site map, the most that its protocol allows.
const STRETCH: i64 = 50_000;

const XML: &str = "application/xml; charset=utf-8";

const SITEMAP: (&str, &str) = ("xmlns", "http://www.sitemaps.org/schemas/sitemap/0.9");

/// Gives the index of the site maps.
pub async fn sitemap_index(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let tag = tag(&format!("{}-sitemaps", app.ledger.last_seq()))?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let mut xml = Xml::document();
    xml.open("sitemapindex", &[SITEMAP]);
    for stretch in app.ledger.stretches(STRETCH).await? {
        let address = format!("{}/sitemap/{}.xml", app.base, stretch.number + 1);
        xml.open("sitemap", &[]).leaf("loc", &[], &address).leaf("lastmod", &[], &stretch.modified.to_string()).close();
    }
    document(XML, xml.finish(), Some(tag))
}

/// Gives one site map.
pub async fn sitemap(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let missing = || Failure::not_found("site map", &file);
    let number: i64 = file.strip_suffix(".xml").and_then(|number| number.parse().ok()).ok_or_else(missing)?;
    let tag = tag(&format!("{}-sitemap-{number}", app.ledger.last_seq()))?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let addresses = if number > 0 { app.ledger.addresses(number - 1, STRETCH).await? } else { Vec::new() };
    if addresses.is_empty() {
        return Err(missing());
    }
    let mut xml = Xml::document();
    xml.open("urlset", &[SITEMAP]);
    for address in addresses {
        let page = format!("{}/record/{}/{}", app.base, address.zone, address.identifier);
        xml.open("url", &[]).leaf("loc", &[], &page).leaf("lastmod", &[], &address.modified.to_string()).close();
    }
    document(XML, xml.finish(), Some(tag))
}

/// Tells crawlers where to go and what to leave alone.
pub async fn robots(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let text = format!(
        "User-agent: *\nDisallow: /api/\nDisallow: /lab/\nDisallow: /launch\nDisallow: /launches\nDisallow: /account\nDisallow: /audit\n\
         Disallow: /login\nDisallow: /publish\nDisallow: /sparql\nDisallow: /search?\nAllow: /\n\nSitemap: {}/sitemap.xml\n",
        app.base
    );
    document("text/plain; charset=utf-8", text, None)
}

/// Describes the search to browsers (OpenSearch 1.1).
pub async fn open_search(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let base = &app.base;
    let mut xml = Xml::document();
    xml.open("OpenSearchDescription", &[("xmlns", "http://a9.com/-/spec/opensearch/1.1/")]);
    xml.leaf("ShortName", &[], "Alidade").leaf("Description", &[], "Datalabs, datasets, volumes and pipelines");
    xml.leaf("InputEncoding", &[], "UTF-8").leaf("OutputEncoding", &[], "UTF-8");
    let icon = format!("{base}{}", catalog_portal::icon_path());
    xml.leaf("Image", &[("type", "image/svg+xml")], &icon);
    let page = format!("{base}/search?q={{searchTerms}}&page={{startPage?}}");
    xml.empty("Url", &[("type", "text/html"), ("template", &page), ("pageOffset", "1")]);
    let api = format!("{base}/api/v1/search?q={{searchTerms}}&page={{startPage?}}&size={{count?}}");
    xml.empty("Url", &[("type", "application/json"), ("template", &api), ("pageOffset", "1")]);
    let own = format!("{base}/opensearch.xml");
    xml.empty("Url", &[("type", "application/opensearchdescription+xml"), ("rel", "self"), ("template", &own)]);
    document("application/opensearchdescription+xml", xml.finish(), None)
}

/// Says whether the service can be used (VOSI availability).
#[utoipa::path(get, path = "/vosi/availability", tag = "operations", responses((status = 200, description = "A VOSI availability document")))]
pub async fn availability(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let mut notes = Vec::new();
    if !app.graph_is_warm() {
        notes.push("SPARQL is being filled".to_owned());
    }
    notes.extend(app.index_trouble().map(|_| "the search index is being built".to_owned()));
    let since = Timestamp::from_second(app.started.as_second()).unwrap_or(app.started).to_string();
    document(XML, vosi::availability(true, &since, &notes), None)
}

/// Says what the service can do (VOSI capabilities).
#[utoipa::path(get, path = "/vosi/capabilities", tag = "operations", responses((status = 200, description = "A VOSI capabilities document")))]
pub async fn capabilities(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    document(XML, vosi::capabilities(&app.base), None)
}
