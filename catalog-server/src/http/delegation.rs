//! What another zone's server asks in the name of one of its users: to plan, launch, look at, reach and stop labs here.
//!
//! Every request is signed, meant for this server, at most a minute old, and done once (THREATS T34). Launches made so
//! belong to an account of their own for each of the other zone's users, under this server's quota.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use catalog_launch::LogQuery;
use catalog_launch::remote::signing::{Asking, Claims, SCHEME, verify};
use catalog_launch::remote::{Delegated, DelegatedList};
use catalog_records::{Actor, Credential, LaunchFilter, StoredLaunch};
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::Launch;
use catalog_schemas::plan::Plan;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::lab;
use crate::http::problem::{Failure, request_id};

/// The most bytes of a signed body.
const MAX_BODY: usize = 1 << 20;

/// The numbers of signed requests that only read or pass on, kept as long as a request holds. Those that change
/// something are kept in the ledger.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<String, Instant>>);

impl Seen {
    fn is_new(&self, zone: &str, jti: &str) -> bool {
        const KEPT: Duration = Duration::from_secs(180);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Looked through now and then, not with every request.
        if seen.len() > 1024 && seen.len().is_power_of_two() {
            seen.retain(|_, at| now.duration_since(*at) < KEPT);
        }
        match seen.insert(format!("{zone} {jti}"), now) {
            Some(at) => now.duration_since(at) >= KEPT,
            None => true,
        }
    }
}

/// A signed request of a zone that this server knows.
pub struct FromZone {
    claims: Claims,
    body: Bytes,
}

impl FromRequest<Arc<App>> for FromZone {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, MAX_BODY)
            .await
            .map_err(|_| Failure::bad_request("body.too_long", "a signed request has at most 1 MiB"))?;
        let claims = checked(app, &parts, Some(&body))?;
        let is_read = parts.method == http::Method::GET;
        let is_new = if is_read {
            app.seen.is_new(&claims.iss, &claims.jti)
        } else {
            let expires = Timestamp::from_second(claims.exp).map_err(Failure::internal)?;
            app.ledger.delegation_use(&claims.iss, &claims.jti, expires).await?
        };
        if is_new { Ok(Self { claims, body }) } else { Err(replayed()) }
    }
}

fn replayed() -> Failure {
    let detail = "a signed request is done once; sign a new one";
    Failure::new(StatusCode::CONFLICT, "delegation.replayed", "the request was sent before", detail)
}

fn checked(app: &App, parts: &http::request::Parts, body: Option<&[u8]>) -> Result<Claims, Failure> {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let key_of =
        |zone: &str| app.config.peer.iter().find(|peer| peer.zone.as_str() == zone).map(|peer| peer.key.clone());
    let asked = Asking { method: parts.method.as_str(), path, body };
    verify(header, key_of, &app.base, asked, Timestamp::now()).map_err(|refused| {
        Failure::new(StatusCode::UNAUTHORIZED, refused.code(), "the request is not taken", refused.to_string())
    })
}

impl FromZone {
    /// Reads the body.
    fn delegated(&self) -> Result<Delegated, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::bad_request("body.invalid", error.to_string()))
    }

    /// Returns the account under which the other zone's user acts here.
    async fn actor(&self, app: &App) -> Result<Actor, Failure> {
        let user = self.claims.sub.as_deref().ok_or_else(|| {
            Failure::bad_request("delegation.nobody", "the request does not say on whose behalf it is sent")
        })?;
        let account = app.ledger.delegated_account(&self.claims.iss, user).await?;
        if app.ledger.account(&account).await?.is_some_and(|account| account.suspended) {
            return Err(Failure::forbidden(format!("`{user}` of the zone `{}` is suspended here", self.claims.iss)));
        }
        Ok(actor(account))
    }

    /// Finds a launch that this zone delegated; another's is answered like none.
    async fn own(&self, app: &App, id: &LaunchId) -> Result<StoredLaunch, Failure> {
        own(app, &self.claims.iss, id).await
    }
}

fn actor(account: catalog_records::AccountName) -> Actor {
    Actor {
        account,
        role: Role::User,
        scopes: vec![Scope::Read, Scope::Launch],
        namespace: None,
        credential: Credential::Platform,
    }
}

async fn own(app: &App, zone: &str, id: &LaunchId) -> Result<StoredLaunch, Failure> {
    let stored = app.ledger.launch(id.as_str()).await?;
    let accounts = app.ledger.delegated_accounts(zone).await?;
    let is_own = |stored: &StoredLaunch| accounts.iter().any(|account| account.as_str() == stored.launch.owner);
    stored.filter(is_own).ok_or_else(|| Failure::not_found("launch", id.as_str()))
}

/// Plans for another zone's user.
pub async fn plan(State(app): State<Arc<App>>, asked: FromZone) -> Result<Json<Plan>, Failure> {
    let delegated = asked.delegated()?;
    Ok(Json(app.launcher.plan_delegated(&delegated, &asked.actor(&app).await?).await?))
}

/// Launches for another zone's user; the same id again is the same launch.
pub async fn launch(
    State(app): State<Arc<App>>,
    Path(id): Path<LaunchId>,
    asked: FromZone,
) -> Result<(StatusCode, Json<Launch>), Failure> {
    let delegated = asked.delegated()?;
    if delegated.spec.launch != id {
        return Err(Failure::bad_request("launch.id", "the launch in the body is not that of the path"));
    }
    if app.ledger.launch(id.as_str()).await?.is_some() {
        return Ok((StatusCode::OK, Json(asked.own(&app, &id).await?.launch)));
    }
    let actor = asked.actor(&app).await?;
    let (stored, is_new) = app.launcher.begin_delegated(&delegated, &actor, request_id()).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(stored.launch)))
}

/// Gives a launch that the zone delegated; as long as it asks, the launch lives.
pub async fn look(
    State(app): State<Arc<App>>,
    Path(id): Path<LaunchId>,
    asked: FromZone,
) -> Result<Json<Launch>, Failure> {
    let stored = asked.own(&app, &id).await?;
    app.launcher.keep_alive(&stored).await;
    Ok(Json(stored.launch))
}

/// Lists what the zone delegated, as far as it is not over.
pub async fn list(State(app): State<Arc<App>>, asked: FromZone) -> Result<Json<DelegatedList>, Failure> {
    let mut launches = Vec::new();
    for account in app.ledger.delegated_accounts(&asked.claims.iss).await? {
        let filter = LaunchFilter { owner: Some(account), live: true, ..LaunchFilter::default() };
        for stored in app.ledger.launches(&filter).await? {
            launches.extend(stored.launch.id.parse().ok().map(|id: LaunchId| (id, true)));
        }
    }
    Ok(Json(DelegatedList { launches }))
}

/// Stops a launch that the zone delegated; stopping again is the same.
pub async fn stop(
    State(app): State<Arc<App>>,
    Path(id): Path<LaunchId>,
    asked: FromZone,
) -> Result<Json<Launch>, Failure> {
    let stored = asked.own(&app, &id).await?;
    let actor = actor(stored.launch.owner.parse().map_err(Failure::internal)?);
    Ok(Json(app.launcher.stop(stored, &actor).await?.launch))
}

/// Which part of a log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPart {
    since: Option<Timestamp>,
    tail: Option<u32>,
    #[serde(default)]
    follow: bool,
}

/// Gives a log, a line each with its time before it.
pub async fn logs(
    State(app): State<Arc<App>>,
    Path(id): Path<LaunchId>,
    Query(part): Query<LogPart>,
    asked: FromZone,
) -> Result<Response, Failure> {
    let stored = asked.own(&app, &id).await?;
    let kept = app.ledger.launch_log(id.as_str()).await?;
    if !kept.is_empty() {
        let text: String = kept.into_iter().map(|line| line + "\n").collect();
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response());
    }
    let query = LogQuery { since: part.since, tail: part.tail, follow: part.follow };
    let lines = app.launcher.logs(&stored, query).await?.filter_map(|line| async move {
        let line = line.ok()?;
        let text = line.text.replace(['\r', '\n'], " ");
        Some(Ok::<_, std::convert::Infallible>(
            line.at.map_or_else(|| format!("{text}\n"), |at| format!("{at} {text}\n")),
        ))
    });
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(lines)).into_response())
}

/// Passes traffic to a lab that the zone delegated.
pub async fn lab(
    State(app): State<Arc<App>>,
    Path((id, path)): Path<(LaunchId, String)>,
    request: Request,
) -> Result<Response, Failure> {
    to_lab(app, id, &path, request).await
}

/// Passes a request for a lab's first page on.
pub async fn lab_root(
    State(app): State<Arc<App>>,
    Path(id): Path<LaunchId>,
    request: Request,
) -> Result<Response, Failure> {
    to_lab(app, id, "", request).await
}

async fn to_lab(app: Arc<App>, id: LaunchId, _path: &str, mut request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let claims = checked(&app, &parts, None)?;
    if !app.seen.is_new(&claims.iss, &claims.jti) {
        return Err(replayed());
    }
    request = Request::from_parts(parts, body);
    let stored = own(&app, &claims.iss, &id).await?;
    // The path as it came, still encoded, without what led here.
    let whole = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let within = whole.split_once(&format!("/lab/{id}")).map_or("/", |(_, rest)| rest);
    let path = format!("/lab/{id}/{}", within.trim_start_matches('/'));
    lab::pass_on(&app, &stored, &path, request, lab::From::Zone).await
}

/// Says whether a request is one of another zone's.
pub fn is_signed(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with(SCHEME))
}
