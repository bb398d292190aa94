//! The catalogue as DCAT 3 in pages that lead from one to the next.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use catalog_document::dcat::{self, Catalogue};
use catalog_document::{Described, Profile, Syntax, hydra};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, header};
use serde::Deserialize;

use super::{described_all, document, http_date, is_unchanged, link, prefers_html, syntax_of, tag, unchanged};
use crate::app::App;
use crate::http::extract::Query;
use crate::http::problem::Failure;

/// Records of a page unless another number is asked for.
const PAGE: u32 = 100;

/// The most records of a page.
const LARGEST: u32 = 500;

/// Which page is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct Asked {
    /// The number that the page's records come after, as the page before says it.
    #[serde(default)]
    after: i64,
    /// Records of a page, 1 to 500; 100 when absent.
    size: Option<u32>,
    /// `dcat-ap` (the default) or `esado`.
    profile: Option<String>,
    /// A syntax by its suffix, when `Accept` cannot be set: `ttl`, `jsonld`, `rdf`, `nt`.
    format: Option<String>,
}

/// Gives the catalogue, a page at a time.
#[utoipa::path(get, path = "/catalog", tag = "data", params(Asked),
    responses((status = 200, description = "A page of the dcat:Catalog, with hydra:next"), (status = 303, description = "A browser is led to the search"), (status = 304, description = "Unchanged"),
        (status = 406, description = "No such format or profile", body = Problem)))]
pub async fn catalogue(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if asked.format.is_none() && prefers_html(&headers, &Syntax::GRAPHS.map(Syntax::media_type)) {
        return Ok(([(header::VARY, "Accept")], Redirect::to("/search")).into_response());
    }
    let syntax = syntax_of(&headers, asked.format.as_deref(), &Syntax::GRAPHS)?;
    let profile = match asked.profile.as_deref().map(Profile::find) {
        None | Some(Some(Profile::DcatAp)) => Profile::DcatAp,
        Some(Some(Profile::Esado)) => Profile::Esado,
        Some(_) => return Err(super::not_acceptable("the profiles dcat-ap and esado")),
    };
    let size = asked.size.unwrap_or(PAGE).clamp(1, LARGEST);
    let seq = app.ledger.last_seq();
    let words = format!("{seq}-{}-{}-{size}-{}", profile.token(), syntax.suffix(), asked.after.max(0));
    let tag = tag(&words)?;
    if is_unchanged(&headers, &tag, None) {
        return Ok(unchanged(tag));
    }
    let page = page(&app, &asked, size).await?;
    let (next, modified) = (page.links.next.clone(), page.modified);
    let zone = app.config.zone.name.clone();
    let body = tokio::task::spawn_blocking(move || write(&page, &zone, profile, syntax)).await??;
    let mut response = document(syntax.media_type(), body, Some(tag))?;
    link(&mut response, next.map(|next| format!("<{next}>; rel=\"next\"")));
    if let Some(date) = modified.and_then(http_date) {
        response.headers_mut().insert(header::LAST_MODIFIED, date);
    }
    Ok(response)
}

struct Page {
    base: String,
    modified: Option<jiff::Timestamp>,
    records: Vec<Described>,
    links: hydra::Page,
}

async fn page(app: &Arc<App>, asked: &Asked, size: u32) -> Result<Page, Failure> {
    let after = asked.after.max(0);
    let counts = app.census.counts(&app.ledger).await?;
    // One more than the page holds says whether another follows.
    let mut stored = app.ledger.public_after(after, None, &[], size + 1).await?;
    let more = stored.len() > size as usize;
    stored.truncate(size as usize);
    let next = stored.last().filter(|_| more).map(|last| last.id);
    let previous = app.ledger.public_page_before(after, size).await?.filter(|_| after > 0);
    let address = |after: i64| {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        if after > 0 {
            pairs.append_pair("after", &after.to_string());
        }
        if let Some(size) = asked.size {
            pairs.append_pair("size", &size.to_string());
        }
        if let Some(profile) = &asked.profile {
            pairs.append_pair("profile", profile);
        }
        // Whoever cannot set a header must be led on in the same syntax.
        if let Some(format) = &asked.format {
            pairs.append_pair("format", format);
        }
        let query = pairs.finish();
        if query.is_empty() { format!("{}/catalog", app.base) } else { format!("{}/catalog?{query}", app.base) }
    };
    // The collection and its first page must not have the same name, or the page would be the catalogue.
    let name = |after: i64| if after > 0 { address(after) } else { format!("{}#first", address(0)) };
    let links = hydra::Page {
        collection: format!("{}/catalog", app.base),
        page: name(after),
        first: address(0),
        previous: previous.map(address),
        next: next.map(address),
        total: counts.records,
        size: size.into(),
    };
    let modified = counts.span.map(|(_, last)| last);
    let records = described_all(app, stored).await?.into_iter().filter_map(|(_, described)| described).collect();
    Ok(Page { base: app.base.clone(), modified, records, links })
}

fn write(page: &Page, zone: &str, profile: Profile, syntax: Syntax) -> Result<Vec<u8>, Failure> {
    let modified = page.modified.map(|moment| moment.to_string());
    let mut triples = dcat::catalogue(&Catalogue { base: &page.base, zone, modified: modified.as_deref() });
    triples.extend(hydra::page(&page.links));
    for described in &page.records {
        triples.extend(dcat::entry(described));
        match profile {
            Profile::Esado => triples.extend(described.triples()),
            _ => triples.extend(dcat::record(described)),
        }
    }
    syntax.write(&triples).map_err(Failure::internal)
}
