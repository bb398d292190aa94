//! Publishing, validating, downloading and withdrawing packages.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use catalog_ontology::manifest::Writer;
use catalog_records::PublishOutcome;
use catalog_schemas::governance::Signature;
use catalog_schemas::id::{Identifier, Version};
use catalog_schemas::package::{Published, Withdrawal};
use catalog_schemas::problem::{Finding, Problem, Report};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::app::App;
use crate::catalog::Upload;
use crate::http::extract::{Json, Path, Query, body};
use crate::http::problem::{Failure, request_id};
use crate::http::records::Found;
use crate::http::viewer::{Permission, Viewer};
use crate::intake;
use crate::public_package::{has_private, public_package};
use crate::view::Reader;

/// How a package is published.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PublishOptions {
    /// Codes of warnings to take responsibility for, separated by commas.
    acknowledge: Option<String>,
}

/// Publishes a version; it never changes after. Where this catalogue reviews what is published, it begins as a draft.
#[utoipa::path(put, path = "/api/v1/packages/{identifier}/{version}", tag = "publish",
    params(PublishOptions, ("identifier" = String, Path, description = "namespace.name"), ("version" = String, Path, description = "Such as 0.3.1"),
        ("Alidade-Acknowledge" = Option<String>, Header, description = "Codes of warnings to take responsibility for, separated by commas"),
        ("Alidade-Signature" = Option<String>, Header, description = "The signature that `alidade pack --sign` writes, in base64")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A .tar.gz or .zip package"),
    responses((status = 201, description = "Published", body = Published), (status = 200, description = "The same package was there already", body = Published),
        (status = 401, description = "Nobody is signed in", body = Problem), (status = 403, description = "Not the owner of the namespace", body = Problem),
        (status = 409, description = "The version is taken by another package", body = Problem), (status = 413, description = "Too large", body = Problem),
        (status = 422, description = "Faults in the package, all of them", body = Problem)))]
pub async fn publish(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((identifier, version)): Path<(Identifier, Version)>,
    Query(options): Query<PublishOptions>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Publish(&identifier))?.clone();
    let _slot = slot(&app).await?;
    let package = body(request, &app).await?;
    let declared = declared_digest(&headers)?;
    let idempotency_key = text(&headers, "idempotency-key").map(str::to_owned);
    let acknowledged = acknowledged(&headers, &options);
    let signature = signature(&headers)?;
    let request = request_id();
    let upload =
        Upload { identifier, version, package, declared, actor, idempotency_key, acknowledged, signature, request };
    let (outcome, accepted) = app.catalog.publish(upload).await?;
    let (status, seq, created) = match outcome {
        PublishOutcome::Created { seq } => (StatusCode::CREATED, seq, true),
        PublishOutcome::Same { seq } => (StatusCode::OK, seq, false),
        PublishOutcome::Conflict { existing_digest } => {
            let detail = format!(
                "version {} of `{}` was published with another content (sha256 {existing_digest}); raise softwareVersion",
                accepted.version, accepted.identifier
            );
            return Err(Failure::new(StatusCode::CONFLICT, "version.taken", "the version is taken", detail));
        }
        PublishOutcome::Withdrawn { reason } => {
            let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let detail =
                format!("version {} was withdrawn and stays taken{why}; raise softwareVersion", accepted.version);
            return Err(Failure::new(StatusCode::CONFLICT, "version.withdrawn", "the version was withdrawn", detail));
        }
    };
    let published = Published {
        iri: app.iri(app.config.zone.id.as_str(), accepted.identifier.as_str()),
        zone: app.config.zone.id.to_string(),
        identifier: accepted.identifier.to_string(),
        version: accepted.version.to_string(),
        digest: accepted.digest,
        size: accepted.size,
        seq,
        created,
        state: accepted.state.as_str().to_owned(),
        findings: accepted.findings,
    };
    let mut response = (status, Json(&published)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_str(&published.iri).map_err(Failure::internal)?);
    headers.insert(header::ETAG, etag(&published.digest)?);
    headers.insert("alidade-seq", seq.into());
    Ok(response)
}

/// Reports on a package or a bare manifest; stores nothing.
#[utoipa::path(post, path = "/api/v1/validate", tag = "publish",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A package, or a manifest"),
    responses((status = 200, description = "The report, valid or not", body = Report), (status = 413, description = "Too large", body = Problem)))]
pub async fn validate(State(app): State<Arc<App>>, request: Request) -> Result<Json<Report>, Failure> {
    let _slot = slot(&app).await?;
    let bytes = body(request, &app).await?;
    let checked = tokio::task::spawn_blocking(move || intake::check(&bytes, Writer::Developer)).await?;
    Ok(Json(app.catalog.with_policy_of(checked)))
}

/// Downloads a package: byte for byte as it was published for those who may read all of it, and without private terms for
/// everybody else.
#[utoipa::path(get, path = "/api/v1/packages/{identifier}/{version}", tag = "publish",
    params(("identifier" = String, Path, description = "namespace.name"), ("version" = String, Path, description = "Such as 0.3.1")),
    responses((status = 200, description = "The package", body = Vec<u8>), (status = 304, description = "Unchanged"),
        (status = 404, description = "No such package", body = Problem), (status = 410, description = "Withdrawn", body = Problem)))]
pub async fn download(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((identifier, version)): Path<(Identifier, Version)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let name = format!("{identifier} {version}");
    let found = Found::find(&app, &viewer, &app.config.zone.id, &identifier, Some(&version)).await?;
    let stored = found.version(&version).ok_or_else(|| Failure::not_found("package", &name))?;
    if stored.state == catalog_records::State::Withdrawn {
        let reason = stored.reason.clone().unwrap_or_else(|| "no reason was given".to_owned());
        return Err(Failure::new(StatusCode::GONE, "withdrawn", "this version was withdrawn", reason));
    }
    let digest = stored.digest.clone();
    let digest = digest.ok_or_else(|| Failure::not_found("package (the record came without one)", &name))?;
    let record = found.as_published(&version)?;
    let whole = found.reader == Reader::Trusted || !has_private(&record);
    let tag = etag(&if whole { digest.clone() } else { format!("{digest}-public") })?;
    let private = HeaderValue::from_static("Cookie, Authorization");
    if text(&headers, "if-none-match").is_some_and(|given| matches_tag(given, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag), (header::VARY, private)]).into_response());
    }
    let mut blob = app.ledger.blob(&digest).await?.ok_or_else(|| Failure::not_found("package", &name))?;
    if !whole {
        let _slot = slot(&app).await?;
        let made = tokio::task::spawn_blocking(move || public_package(&blob, &record)).await?;
        blob = made.map_err(Failure::internal)?.into();
    }
    let is_zip = blob.starts_with(b"PK");
    let (media_type, suffix) = if is_zip { ("application/zip", "zip") } else { ("application/gzip", "tar.gz") };
    let file = format!("attachment; filename=\"{}-{version}.datalab.{suffix}\"", identifier.name());
    // Signposting: content leads back to the page that it belongs to.
    let page =
        format!("<{}/record/{}/{identifier}>; rel=\"collection\"; type=\"text/html\"", app.base, app.config.zone.id);
    // What depends on who asks must not lie in a shared cache.
    let caching = if found.is_listed && whole && found.reader == Reader::Public {
        "public, max-age=3600"
    } else {
        "private, no-cache"
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&file).map_err(Failure::internal)?),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::VARY, private),
        (header::ETAG, tag),
        (header::LINK, HeaderValue::from_str(&page).map_err(Failure::internal)?),
        (HeaderName::from_static("alidade-package"), HeaderValue::from_static(if whole { "whole" } else { "public" })),
    ];
    Ok((headers, blob).into_response())
}

/// Draws the workflow of a pipeline's package.
#[utoipa::path(get, path = "/api/v1/packages/{identifier}/{version}/workflow.svg", tag = "find",
    params(("identifier" = String, Path, description = "namespace.name"), ("version" = String, Path, description = "Such as 0.3.1")),
    responses((status = 200, description = "The workflow as SVG", body = String, content_type = "image/svg+xml"),
        (status = 404, description = "No such package, or no pipeline", body = Problem), (status = 410, description = "Withdrawn", body = Problem)))]
pub async fn workflow(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((identifier, version)): Path<(Identifier, Version)>,
) -> Result<Response, Failure> {
    let name = format!("{identifier} {version}");
    let missing = || Failure::not_found("workflow", &name);
    let found = Found::find(&app, &viewer, &app.config.zone.id, &identifier, Some(&version)).await?;
    let stored = found.version(&version).cloned().ok_or_else(missing)?;
    if stored.state == catalog_records::State::Withdrawn {
        let reason = stored.reason.unwrap_or_else(|| "no reason was given".to_owned());
        return Err(Failure::new(StatusCode::GONE, "withdrawn", "this version was withdrawn", reason));
    }
    let blob = app.ledger.blob(stored.digest.as_deref().ok_or_else(missing)?).await?.ok_or_else(missing)?;
    let document = stored.document;
    let drawn = tokio::task::spawn_blocking(move || {
        let package = catalog_archive::open(&blob, &catalog_archive::Budget::default()).ok()?;
        let document: serde_json::Value = serde_json::from_str(&document).ok()?;
        let record = catalog_ontology::record::Record::from_document(&document).ok()?;
        Some(catalog_cwl::svg(&crate::workflow::of(&record, &package)?.facts?))
    });
    let drawn = drawn.await?.ok_or_else(missing)?;
    // What a published version holds never changes; what not everybody sees must not lie in a shared cache.
    let is_everybodys = found.is_listed && stored.state.is_public();
    let caching = if is_everybodys { "public, max-age=3600" } else { "private, no-cache" };
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, caching)];
    Ok((headers, drawn).into_response())
}

/// Withdraws a version: it is found no more, its tombstone stays, its number stays taken.
#[utoipa::path(delete, path = "/api/v1/packages/{identifier}/{version}", tag = "publish", request_body = Withdrawal,
    params(("identifier" = String, Path, description = "namespace.name"), ("version" = String, Path, description = "Such as 0.3.1")),
    responses((status = 204, description = "Withdrawn"), (status = 403, description = "Not the owner of the namespace", body = Problem),
        (status = 404, description = "No such version", body = Problem), (status = 422, description = "No reason", body = Problem)))]
pub async fn withdraw(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((identifier, version)): Path<(Identifier, Version)>,
    Json(withdrawal): Json<Withdrawal>,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Publish(&identifier))?;
    // What the viewer may not know of is not there, rather than forbidden.
    Found::find(&app, &viewer, &app.config.zone.id, &identifier, Some(&version)).await?;
    let seq = app.catalog.withdraw(&identifier, &version, &withdrawal.reason, actor, &request_id()).await?;
    Ok((StatusCode::NO_CONTENT, [("alidade-seq", seq.to_string())]).into_response())
}

/// Reads the codes that the sender takes responsibility for, from the header and the query.
pub(super) fn acknowledged(headers: &HeaderMap, options: &PublishOptions) -> Vec<String> {
    let given = [text(headers, "alidade-acknowledge"), options.acknowledge.as_deref()];
    let codes = given.into_iter().flatten().flat_map(|codes| codes.split([',', ' ']));
    codes.map(str::trim).filter(|code| !code.is_empty()).take(20).map(str::to_owned).collect()
}

/// Reads the signature that came with a package.
fn signature(headers: &HeaderMap) -> Result<Option<Signature>, Failure> {
    use base64::Engine;
    let Some(given) = text(headers, "alidade-signature") else { return Ok(None) };
    let unreadable = || {
        let finding = Finding::error("signature.unreadable", "the header `Alidade-Signature` cannot be read");
        let finding = finding.expected("the file that `alidade pack --sign` writes, in base64");
        Failure::unprocessable(finding.fix("send it with `alidade publish`, or encode it with `base64 -w0`"))
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(given.trim()).map_err(|_| unreadable())?;
    serde_json::from_slice(&bytes).map(Some).map_err(|_| unreadable())
}

async fn slot(app: &App) -> Result<tokio::sync::OwnedSemaphorePermit, Failure> {
    let wait = std::time::Duration::from_secs(10);
    match tokio::time::timeout(wait, Arc::clone(&app.upload_slots).acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Failure::unavailable("uploads.busy", "too many uploads are under way", 10)),
    }
}

/// Reads the digest that a client declares (RFC 9530, `Content-Digest` and `Repr-Digest`), as hexadecimal.
fn declared_digest(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    use base64::Engine;
    let Some(value) = text(headers, "content-digest").or_else(|| text(headers, "repr-digest")) else { return Ok(None) };
    let Some(encoded) = value.split(',').find_map(|item| item.trim().strip_prefix("sha-256=:")?.strip_suffix(':'))
    else {
        return Ok(None);
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|error| {
        Failure::bad_request("digest.invalid", format!("the declared digest is not base64: {error}"))
    })?;
    Ok(Some(hex::encode(bytes)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn etag(digest: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(&format!("\"{digest}\"")).map_err(Failure::internal)
}

/// Compares an `If-None-Match` header with a tag, weakly (RFC 9110, section 13.1.2).
pub fn matches_tag(given: &str, tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or_default();
    given.split(',').map(|item| item.trim().trim_start_matches("W/")).any(|item| item == "*" || item == tag)
}

/// The most bytes of an upload: the archive's own limit and a little for what surrounds it.
pub const MAX_UPLOAD: usize = (50 << 20) + 4096;
