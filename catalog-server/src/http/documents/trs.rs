//! The GA4GH Tool Registry Service 2, for reading: datalabs and pipelines as tools.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_archive::Budget;
use catalog_document::{Described, trs};
use catalog_records::{StoredRecord, StoredVersion};
use catalog_schemas::id::{Identifier, Version, ZoneId};
use catalog_schemas::problem::Problem;
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{at_version, described, package_of};
use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Failure;
use crate::view::is_listed;

/// Where the service is.
pub const ROOT: &str = "/ga4gh/trs/v2";

/// What went wrong, as the standard says it (GA4GH TRS 2.0.1, `Error`).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TrsError)]
pub struct Error {
    /// The HTTP status.
    code: u16,
    /// What it is about, and what to do.
    message: String,
}

/// Returns a problem as the clients of this service read it.
pub fn error(problem: &Problem) -> Error {
    let message =
        problem.detail.as_ref().map_or_else(|| problem.title.clone(), |detail| format!("{}: {detail}", problem.title));
    Error { code: problem.status, message }
}

/// The kinds that are tools.
const KINDS: [&str; 2] = ["Datalab", "Pipeline"];

/// Tools of a page unless another number is asked for, and the most.
const PAGE: (u32, u32) = (50, 200);

/// Records looked at for one page; when few of them fit, the page is short and the next one goes on.
const SCAN: usize = 2000;

/// Describes the service.
#[utoipa::path(get, path = "/ga4gh/trs/v2/service-info", tag = "trs", responses((status = 200, description = "The service")))]
pub async fn service_info(State(app): State<Arc<App>>) -> Json<Value> {
    let service = trs::Service { base: &app.base, zone: &app.config.zone.name, version: env!("CARGO_PKG_VERSION") };
    Json(trs::service(&service))
}

/// Lists the classes of tools.
#[utoipa::path(get, path = "/ga4gh/trs/v2/toolClasses", tag = "trs", responses((status = 200, description = "The classes")))]
pub async fn classes() -> Json<Value> {
    Json(Value::Array(
        [catalog_ontology::terms::Kind::Datalab, catalog_ontology::terms::Kind::Pipeline].map(trs::class).to_vec(),
    ))
}

/// Which tools are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// An id.
    id: Option<String>,
    /// Another name of a tool: the record's IRI.
    alias: Option<String>,
    /// Whether only tools that check others are wanted; none does.
    checker: Option<bool>,
    /// A class: `Datalab` or `Workflow`.
    tool_class: Option<String>,
    /// A type of descriptor; only `CWL` has any.
    descriptor_type: Option<String>,
    /// A part of the publisher's name.
    organization: Option<String>,
    /// A part of the name.
    name: Option<String>,
    /// A part of the name.
    toolname: Option<String>,
    /// A part of the description.
    description: Option<String>,
    /// A part of an author's name.
    author: Option<String>,
    /// Tools of a page, up to 200.
    limit: Option<u32>,
    /// Where the page begins, as the header `next_page` says it.
    #[serde(default)]
    offset: i64,
}

impl Wanted {
    fn fits(&self, one: &Described) -> bool {
        let holds = |text: &str, part: &Option<String>| {
            part.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
        };
        let authors: Vec<String> = one.creators().into_iter().map(|agent| agent.name).collect();
        self.id.as_ref().is_none_or(|id| *id == trs::id(one))
            && self.alias.as_ref().is_none_or(|alias| *alias == one.record_iri())
            && self.checker != Some(true)
            && holds(one.name(), &self.name)
            && holds(one.name(), &self.toolname)
            && holds(one.summary(), &self.description)
            && holds(&one.publisher().name, &self.organization)
            && holds(&authors.join("\n"), &self.author)
    }

    fn kinds(&self) -> Vec<&'static str> {
        let is_cwl = self.descriptor_type.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case("CWL"));
        let fits = |kind: &&str| match (*kind, self.tool_class.as_deref(), &self.descriptor_type) {
            ("Datalab", class, None) => class.is_none_or(|class| class == "Datalab"),
            ("Pipeline", class, _) => is_cwl && class.is_none_or(|class| matches!(class, "Workflow" | "Pipeline")),
            _ => false,
        };
        KINDS.into_iter().filter(fits).collect()
    }
}

/// Lists tools.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools", tag = "trs", params(Wanted),
    responses((status = 200, description = "Tools; the header next_page leads on"), (status = 400, description = "A parameter is wrong", body = Error)))]
pub async fn tools(State(app): State<Arc<App>>, Query(wanted): Query<Wanted>) -> Result<Response, Failure> {
    let limit = wanted.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let kinds = wanted.kinds();
    let (mut found, mut after, mut seen, mut more) = (Vec::new(), wanted.offset.max(0), 0, !kinds.is_empty());
    while more && found.len() < limit as usize && seen < SCAN {
        let stored = app.ledger.public_after(after, None, &kinds, limit).await?;
        more = stored.len() == limit as usize;
        seen += stored.len();
        for one in stored {
            let Some(described) = described(&app.projection, &one, None, None) else { continue };
            if found.len() == limit as usize {
                more = true;
                break;
            }
            after = one.id;
            if is_listed(&one) && wanted.fits(&described) {
                found.push(tool_of(&app, &one, &described).await?);
            }
        }
    }
    let base = format!("{}/ga4gh/trs/v2/tools", app.base);
    let mut response = Json(Value::Array(found)).into_response();
    let mut say = |name: &'static str, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    };
    say("self_link", format!("{base}?limit={limit}&offset={}", wanted.offset));
    say("current_offset", wanted.offset.to_string());
    say("current_limit", limit.to_string());
    if more {
        say("next_page", format!("{base}?{}", wanted.next(limit, after)));
    }
    Ok(response)
}

impl Wanted {
    fn next(&self, limit: u32, after: i64) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        let named = [
            ("id", &self.id),
            ("alias", &self.alias),
            ("toolClass", &self.tool_class),
            ("descriptorType", &self.descriptor_type),
            ("organization", &self.organization),
            ("name", &self.name),
            ("toolname", &self.toolname),
            ("description", &self.description),
            ("author", &self.author),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                pairs.append_pair(name, value);
            }
        }
        pairs.append_pair("limit", &limit.to_string()).append_pair("offset", &after.to_string());
        pairs.finish()
    }
}

async fn tool_of(app: &App, stored: &StoredRecord, described: &Described) -> Result<Value, Failure> {
    let versions = app.ledger.versions(&stored.zone, &stored.identifier).await?;
    let public = versions.iter().filter(|version| version.state.is_public());
    let versions: Vec<Value> =
        public.filter_map(|version| Some(trs::version(&described_at(app, stored, version)?))).collect();
    Ok(trs::tool(described, &versions))
}

fn described_at(app: &App, stored: &StoredRecord, version: &StoredVersion) -> Option<Described> {
    described(&app.projection, &at_version(stored, version), Some(version.version.to_string()), package_of(version))
}

/// Finds the record of a tool's id.
async fn record_of(app: &App, id: &str) -> Result<StoredRecord, Failure> {
    let missing = || Failure::not_found("tool", id);
    let (zone, identifier) = id.split_once(trs::JOINT).ok_or_else(missing)?;
    let zone: ZoneId = zone.parse().map_err(|_| missing())?;
    let identifier: Identifier = identifier.parse().map_err(|_| missing())?;
    let found = app.ledger.record(&zone, &identifier).await?;
    found.filter(|one| is_listed(one) && KINDS.contains(&one.kind.as_str())).ok_or_else(missing)
}

async fn version_of(app: &App, id: &str, version: &str) -> Result<(StoredRecord, StoredVersion), Failure> {
    let stored = record_of(app, id).await?;
    let missing = || Failure::not_found("version", version);
    let name: Version = version.parse().map_err(|_| missing())?;
    let found = app.ledger.version(&stored.zone, &stored.identifier, &name).await?;
    let found = found.filter(|version| version.state.is_public()).ok_or_else(missing)?;
    Ok((stored, found))
}

/// Gives a tool.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools/{tool}", tag = "trs", params(("tool" = String, Path, description = "zone~namespace.name")),
    responses((status = 200, description = "The tool"), (status = 404, description = "No such tool", body = Error)))]
pub async fn tool(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let stored = record_of(&app, &id).await?;
    let described = described(&app.projection, &stored, None, None).ok_or_else(|| Failure::not_found("tool", &id))?;
    Ok(Json(tool_of(&app, &stored, &described).await?))
}

/// Lists the versions of a tool.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools/{tool}/versions", tag = "trs", params(("tool" = String, Path, description = "zone~namespace.name")),
    responses((status = 200, description = "The versions"), (status = 404, description = "No such tool", body = Error)))]
pub async fn versions(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let Json(mut tool) = tool(State(app), Path(id)).await?;
    Ok(Json(tool["versions"].take()))
}

/// Gives a version of a tool.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools/{tool}/versions/{version}", tag = "trs",
    params(("tool" = String, Path, description = "zone~namespace.name"), ("version" = String, Path, description = "A version")),
    responses((status = 200, description = "The version"), (status = 404, description = "No such version", body = Error)))]
pub async fn version(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    let (stored, version) = version_of(&app, &id, &name).await?;
    let described = described_at(&app, &stored, &version).ok_or_else(|| Failure::not_found("version", &name))?;
    Ok(Json(trs::version(&described)))
}

/// A version's files: the path of the primary descriptor, and every CWL file with its content and digest.
struct Files {
    primary: String,
    files: Vec<(String, String, String)>,
}

async fn files_of(app: &Arc<App>, id: &str, version: &str, kind: &str) -> Result<Files, Failure> {
    let (stored, version) = version_of(app, id, version).await?;
    let missing = || Failure::not_found("descriptor", kind);
    if !matches!(kind, "CWL" | "PLAIN_CWL" | "PLAIN-CWL") || stored.kind != "Pipeline" {
        return Err(missing());
    }
    let described = described_at(app, &stored, &version).ok_or_else(missing)?;
    let primary = described.record().string("cwlFile").ok_or_else(missing)?.to_owned();
    let digest = version.digest.ok_or_else(missing)?;
    // A package in memory takes as much as an upload.
    let slot = Arc::clone(&app.upload_slots).acquire_owned().await.map_err(Failure::internal)?;
    let blob = app.ledger.blob(&digest).await?.ok_or_else(missing)?;
    let read = move || {
        let package = catalog_archive::open(&blob, &Budget::default()).ok()?;
        let mut files = Vec::new();
        for entry in package.entries.iter().filter(|entry| entry.path.ends_with(".cwl")) {
            let bytes = package.read(&blob, &entry.path).ok().flatten()?;
            files.push((entry.path.clone(), String::from_utf8_lossy(&bytes).into_owned(), entry.sha256.clone()));
        }
        drop(slot);
        Some(Files { primary, files })
    };
    tokio::task::spawn_blocking(read).await?.ok_or_else(|| Failure::internal("a stored package cannot be opened"))
}

impl Files {
    /// Returns a file by its path in the package, or beside the primary descriptor.
    fn get(&self, path: &str) -> Option<&(String, String, String)> {
        let folder = self.primary.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = format!("{folder}/{}", path.trim_start_matches("./"));
        self.files.iter().find(|(known, ..)| known == path || *known == beside)
    }
}

fn wrapped(file: Option<&(String, String, String)>, kind: &str, path: &str) -> Result<Response, Failure> {
    let (_, content, digest) = file.ok_or_else(|| Failure::not_found("file", path))?;
    if kind.starts_with("PLAIN") {
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], content.clone()).into_response());
    }
    Ok(Json(json!({ "content": content, "checksum": [{ "type": "sha256", "checksum": digest }] })).into_response())
}

/// Gives the primary descriptor.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools/{tool}/versions/{version}/{type}/descriptor", tag = "trs",
    params(("tool" = String, Path, description = "zone~namespace.name"), ("version" = String, Path, description = "A version"), ("type" = String, Path, description = "CWL or PLAIN_CWL")),
    responses((status = 200, description = "The descriptor"), (status = 404, description = "No such descriptor", body = Error)))]
pub async fn descriptor(
    State(app): State<Arc<App>>,
    Path((id, version, kind)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let files = files_of(&app, &id, &version, &kind).await?;
    wrapped(files.get(&files.primary), &kind, &files.primary)
}

/// Gives another file that the descriptor names.
pub async fn descriptor_at(
    State(app): State<Arc<App>>,
    Path((id, version, kind, path)): Path<(String, String, String, String)>,
) -> Result<Response, Failure> {
    wrapped(files_of(&app, &id, &version, &kind).await?.get(&path), &kind, &path)
}

/// How the files are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct FilesAs {
    /// `zip` for the files themselves, packed.
    format: Option<String>,
}

/// Lists the files of a descriptor.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools/{tool}/versions/{version}/{type}/files", tag = "trs",
    params(FilesAs, ("tool" = String, Path, description = "zone~namespace.name"), ("version" = String, Path, description = "A version"), ("type" = String, Path, description = "CWL")),
    responses((status = 200, description = "The files"), (status = 404, description = "No such descriptor", body = Error)))]
pub async fn files(
    State(app): State<Arc<App>>,
    Path((id, version, kind)): Path<(String, String, String)>,
    Query(asked): Query<FilesAs>,
) -> Result<Response, Failure> {
    let files = files_of(&app, &id, &version, &kind).await?;
    if asked.format.as_deref() == Some("zip") {
        let entries =
            files.files.into_iter().map(|(path, content, _)| (path, content.into_bytes())).collect::<Vec<_>>();
        let packed = tokio::task::spawn_blocking(move || catalog_archive::bundle_zip(&entries)).await?;
        return Ok(([(header::CONTENT_TYPE, "application/zip")], packed).into_response());
    }
    let kind_of = |path: &str| if path == files.primary { "PRIMARY_DESCRIPTOR" } else { "SECONDARY_DESCRIPTOR" };
    // No checksums: release 2.0.1 allows them here, and clients of 2.0.0 refuse what they do not know.
    let list = files.files.iter().map(|(path, ..)| json!({ "path": path, "file_type": kind_of(path) }));
    Ok(Json(Value::Array(list.collect())).into_response())
}

/// Lists the tests of a descriptor: packages name none that this service could tell.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools/{tool}/versions/{version}/{type}/tests", tag = "trs",
    params(("tool" = String, Path, description = "zone~namespace.name"), ("version" = String, Path, description = "A version"), ("type" = String, Path, description = "CWL")),
    responses((status = 200, description = "An empty list"), (status = 404, description = "No such version", body = Error)))]
pub async fn tests(
    State(app): State<Arc<App>>,
    Path((id, version, _type)): Path<(String, String, String)>,
) -> Result<Json<Value>, Failure> {
    version_of(&app, &id, &version).await?;
    Ok(Json(json!([])))
}

/// Gives the container files: images are named by digest only, so there are none.
#[utoipa::path(get, path = "/ga4gh/trs/v2/tools/{tool}/versions/{version}/containerfile", tag = "trs",
    params(("tool" = String, Path, description = "zone~namespace.name"), ("version" = String, Path, description = "A version")),
    responses((status = 200, description = "An empty list"), (status = 404, description = "No such version", body = Error)))]
pub async fn container_file(
    State(app): State<Arc<App>>,
    Path((id, version)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    version_of(&app, &id, &version).await?;
    Ok(Json(json!([])))
}
