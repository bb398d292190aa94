//! Linked data and the protocols of other communities: everything here reads public records and writes nothing.

pub mod catalogue;
pub mod discovery;
pub mod dumps;
pub mod fdp;
pub mod feeds;
pub mod identifiers;
pub mod oai;
pub mod places;
pub mod trs;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use catalog_document::{Described, Package, Syntax};
use catalog_records::{StoredRecord, StoredVersion};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;

use crate::app::App;
use crate::http::accept::{accept_of, negotiate, with_encoding};
use crate::http::packages::matches_tag;
use crate::http::problem::Failure;
use crate::view::{Projection, is_listed};

/// Takes the public part of a stored record; nothing when its document cannot be read.
fn described(
    projection: &Projection,
    stored: &StoredRecord,
    pinned: Option<String>,
    package: Option<Package>,
) -> Option<Described> {
    let record = projection.record(stored)?;
    let ledger = catalog_document::Ledger {
        base: projection.base().to_owned(),
        home: projection.homes().base_of(stored.zone.as_str()),
        zone: stored.zone.to_string(),
        pinned,
        source: stored.source.clone(),
        issued: stored.created,
        modified: stored.modified,
        seq: stored.seq,
        package,
    };
    Some(Described::new(&record, ledger))
}

/// The same for many, off the async threads; records that are not listed come without a description.
async fn described_all(
    app: &Arc<App>,
    stored: Vec<StoredRecord>,
) -> Result<Vec<(StoredRecord, Option<Described>)>, Failure> {
    let shown: Vec<i64> = stored.iter().filter(|one| is_listed(one)).map(|one| one.id).collect();
    let mut packages = app.ledger.packages_of(&shown).await?;
    let projection = Arc::clone(&app.projection);
    let describe = move || {
        let describe = |stored: StoredRecord| {
            let package = packages.remove(&stored.id).map(|(digest, size)| Package { digest, size, media_type: None });
            let one = is_listed(&stored).then(|| described(&projection, &stored, None, package)).flatten();
            (stored, one)
        };
        stored.into_iter().map(describe).collect()
    };
    Ok(tokio::task::spawn_blocking(describe).await?)
}

/// Returns a record as one of its versions was published.
fn at_version(stored: &StoredRecord, version: &StoredVersion) -> StoredRecord {
    let mut then = stored.clone();
    then.document.clone_from(&version.document);
    then.version = version.version.clone();
    then.created = version.published;
    then.modified = version.changed;
    then
}

/// Returns the package of a version.
fn package_of(version: &StoredVersion) -> Option<Package> {
    let is_zip = |name: &String| name.ends_with(".zip");
    Some(Package {
        digest: version.digest.clone()?,
        size: version.size?,
        media_type: version
            .file_name
            .as_ref()
            .map(|name| if is_zip(name) { "application/zip" } else { "application/gzip" }),
    })
}

/// Chooses the syntax that answers a request: the parameter `format` first, then `Accept`.
fn syntax_of(headers: &HeaderMap, format: Option<&str>, offered: &[Syntax]) -> Result<Syntax, Failure> {
    let types: Vec<&str> = offered.iter().map(|syntax| syntax.media_type()).collect();
    let chosen = match format {
        Some(format) => offered.iter().position(|one| one.suffix() == format || one.media_type() == format),
        None => negotiate(accept_of(headers).as_deref(), &types),
    };
    chosen.map(|index| offered[index]).ok_or_else(|| not_acceptable(&types.join(", ")))
}

/// Says whether a browser asks: HTML suits it better than any of the other types.
fn prefers_html(headers: &HeaderMap, others: &[&str]) -> bool {
    let mut offered = others.to_vec();
    offered.push("text/html");
    negotiate(accept_of(headers).as_deref(), &offered) == Some(others.len())
}

fn not_acceptable(offered: &str) -> Failure {
    Failure::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "no such format", format!("this is given as {offered}"))
}

/// Makes an entity tag of words that hold no quotes.
fn tag(words: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(&format!("\"{words}\"")).map_err(Failure::internal)
}

/// Says whether the client has this already (RFC 9110, section 13.2.2: a tag counts, a time only without one).
fn is_unchanged(headers: &HeaderMap, tag: &HeaderValue, modified: Option<Timestamp>) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(given) = text(header::IF_NONE_MATCH) {
        return matches_tag(given, tag);
    }
    let since = text(header::IF_MODIFIED_SINCE).and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    since.zip(modified).is_some_and(|(since, modified)| modified.as_second() <= since.timestamp().as_second())
}

/// Answers that nothing changed.
fn unchanged(tag: HeaderValue) -> Response {
    (StatusCode::NOT_MODIFIED, [(header::ETAG, tag), (header::VARY, HeaderValue::from_static("Accept"))])
        .into_response()
}

/// Writes a moment as HTTP does.
fn http_date(moment: Timestamp) -> Option<HeaderValue> {
    HeaderValue::from_str(&moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

/// What scripts of other origins may read beside what they always may (Fetch, section 2.2.2).
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Link, Content-Profile, Alidade-Seq, Retry-After, X-Request-Id");

/// Answers a document.
fn document(
    media_type: &str,
    body: impl Into<axum::body::Body>,
    tag: Option<HeaderValue>,
) -> Result<Response, Failure> {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&with_encoding(media_type)).map_err(Failure::internal)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if let Some(tag) = tag {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Adds typed links to an answer; one that cannot stand in a header is left out.
fn link(response: &mut Response, links: impl IntoIterator<Item = String>) {
    for link in links {
        if let Ok(value) = HeaderValue::from_str(&link) {
            response.headers_mut().append(header::LINK, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_counts_before_a_time() {
        let modified: Timestamp = "2026-03-01T10:42:21.5Z".parse().unwrap();
        let tag = tag("7-ttl").unwrap();
        let with = |pairs: &[(http::HeaderName, &str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
            is_unchanged(&headers, &tag, Some(modified))
        };
        let same = http_date(modified).unwrap();
        assert_eq!(same, "Sun, 01 Mar 2026 10:42:21 GMT");
        assert!(with(&[(header::IF_NONE_MATCH, "\"7-ttl\"")]));
        assert!(with(&[(header::IF_MODIFIED_SINCE, "Sun, 01 Mar 2026 10:42:21 GMT")]));
        assert!(!with(&[(header::IF_MODIFIED_SINCE, "Sun, 01 Mar 2026 10:42:20 GMT")]));
        assert!(!with(&[
            (header::IF_NONE_MATCH, "\"6-ttl\""),
            (header::IF_MODIFIED_SINCE, "Sun, 01 Mar 2026 10:42:21 GMT")
        ]));
        assert!(!with(&[(header::IF_MODIFIED_SINCE, "yesterday")]));
    }
}
