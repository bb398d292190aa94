//! The door to a running lab: HTTP and WebSocket passed on to it, for its owner only.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use catalog_launch::Endpoint;
use catalog_records::StoredLaunch;
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::LaunchState;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use crate::app::App;
use crate::http::door;
use crate::http::extract::Path;
use crate::http::problem::Failure;
use crate::http::viewer::{Permission, Viewer, cookie_name};

/// Headers that speak of one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];

/// Adds the slash that relative links of a lab's page need.
pub async fn root(Path(launch): Path<LaunchId>) -> Redirect {
    Redirect::permanent(&format!("/lab/{launch}/"))
}

/// What an answer may say of the whole origin, which is not its lab's: it would end sessions, take over pages of others or
/// outlive the lab.
const OF_THE_ORIGIN: [HeaderName; 6] = [
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("origin-agent-cluster"),
    HeaderName::from_static("nel"),
    header::STRICT_TRANSPORT_SECURITY,
    header::ALT_SVC,
];

/// Passes a request on to a lab.
pub async fn pass(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((launch, _)): Path<(LaunchId, String)>,
    request: Request,
) -> Result<Response, Failure> {
    proxy(app, viewer, launch, request).await
}

/// Passes a request for a lab's first page on.
pub async fn pass_root(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(launch): Path<LaunchId>,
    request: Request,
) -> Result<Response, Failure> {
    proxy(app, viewer, launch, request).await
}

async fn proxy(app: Arc<App>, viewer: Viewer, id: LaunchId, request: Request) -> Result<Response, Failure> {
    if let Some(origin) = &app.config.lab_origin
        && door::is_at(request.headers(), origin)
    {
        return door::within(&app, &id, request).await;
    }
    if viewer.actor().is_none() && wants_page(request.headers()) {
        return Ok(Redirect::to(&format!("/login?next=/lab/{id}/")).into_response());
    }
    let actor = viewer.may(Permission::Launch)?;
    let stored = app.ledger.launch(id.as_str()).await?.filter(|stored| stored.launch.owner == actor.account.as_str());
    // Somebody else's launch is answered like none at all: its existence is private.
    let stored = stored.ok_or_else(|| Failure::not_found("launch", id.as_str()))?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if let Some(origin) = &app.config.lab_origin {
        // The page of a lab never has the portal's origin: its owner is sent there with a ticket (THREATS T33).
        let ticket = app.door.ticket(&id, actor.account.as_str());
        let separator = if path.contains('?') { '&' } else { '?' };
        let place = format!("{origin}{path}{separator}{}={ticket}", door::TICKET);
        return Ok(([(header::CACHE_CONTROL, "no-store")], Redirect::to(&place)).into_response());
    }
    pass_on(&app, &stored, &path, request, From::Browser).await
}

/// Who asks: a browser through this server's door, or another zone's server for its user's browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A browser.
    Browser,
    /// Another zone's server, which has already said whom the browser asked.
    Zone,
}

/// Passes a request on to a lab that whoever asks may use; the path is the one below `/lab/`.
///
/// # Errors
///
/// 409 when the lab does not run, 502 when it does not answer.
pub async fn pass_on(
    app: &App,
    stored: &StoredLaunch,
    path: &str,
    mut request: Request,
    from: From,
) -> Result<Response, Failure> {
    let id: LaunchId = stored.launch.id.parse()?;
    if !matches!(stored.launch.state, LaunchState::Ready | LaunchState::Running) {
        let detail = format!("the launch is {}; see /launches/{id}", stored.launch.state.as_str());
        return Err(Failure::new(StatusCode::CONFLICT, "launch.not_ready", "the lab cannot be opened", detail));
    }
    app.launcher.note_use(id.as_str()).await;
    let spec = app.launcher.spec(stored)?;
    let endpoint = app.launcher.endpoint(&stored.launch.datazone, &id).await?;
    let base = spec.base_path();
    let inner = if spec.keeps_base_path() {
        path.to_owned()
    } else {
        format!("/{}", path.strip_prefix(&base).unwrap_or_default())
    };
    *request.uri_mut() =
        inner.parse::<Uri>().map_err(|error| Failure::bad_request("path.invalid", error.to_string()))?;
    forward_headers(request.headers_mut(), app, &base, from);
    let mut response = match endpoint {
        Endpoint::Handler(router) => {
            let Ok(response) = router.oneshot(request).await;
            response
        }
        Endpoint::Tcp(address) => {
            let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| unreachable(&error))?;
            exchange(stream, request).await?
        }
        Endpoint::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await.map_err(|error| unreachable(&error))?;
            exchange(stream, request).await?
        }
    };
    backward_headers(response.headers_mut(), app, &base, stored.launch.demo);
    Ok(response)
}

/// Says whether a person's browser asks, who can sign in.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn unreachable(error: &dyn std::fmt::Display) -> Failure {
    let detail = format!("the lab does not answer: {error}");
    Failure::new(StatusCode::BAD_GATEWAY, "lab.unreachable", "the lab does not answer", detail)
}

/// Makes the request one for the lab: the portal's cookie and credentials stay here (THREATS T33).
fn forward_headers(headers: &mut HeaderMap, app: &App, base: &str, from: From) {
    let is_upgrade = headers.contains_key(header::UPGRADE);
    for name in HOP_BY_HOP {
        if !(is_upgrade && name == header::CONNECTION) {
            headers.remove(name);
        }
    }
    headers.remove(header::AUTHORIZATION);
    let own = cookie_name(app.config.is_secure());
    let kept: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter(|pair| pair.split('=').next().map(str::trim).is_none_or(|name| name != own && name != door::COOKIE))
        .map(str::to_owned)
        .collect();
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_str(&kept.join("; "))
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
    if from == From::Zone {
        // The other server has written these: they name the address that the browser knows.
        return;
    }
    let scheme = if app.config.is_secure() { "https" } else { "http" };
    headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert("x-forwarded-host", host);
    }
    if let Ok(prefix) = HeaderValue::from_str(base.trim_end_matches('/')) {
        headers.insert("x-forwarded-prefix", prefix);
    }
}

/// Makes the answer one of this server's: no cookie of ours is set by a lab, and its cookies stay below its path.
fn backward_headers(headers: &mut HeaderMap, app: &App, base: &str, demo: bool) {
    let is_upgrade = headers.contains_key(header::UPGRADE);
    for name in HOP_BY_HOP {
        if !(is_upgrade && name == header::CONNECTION) {
            headers.remove(name);
        }
    }
    for name in OF_THE_ORIGIN {
        headers.remove(name);
    }
    let own = cookie_name(app.config.is_secure());
    let cookies: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        // One without a name is sent back as what its value says, which may be our name.
        .filter(|text| {
            let name = text.split('=').next().unwrap_or_default().trim();
            !name.is_empty() && name != own && name != door::COOKIE
        })
        .map(|text| {
            let parts = text.split(';').map(str::trim).filter(|part| {
                let name = part.split('=').next().unwrap_or_default();
                !name.eq_ignore_ascii_case("path") && !name.eq_ignore_ascii_case("domain")
            });
            format!("{}; Path={base}", parts.collect::<Vec<_>>().join("; "))
        })
        .filter_map(|text| HeaderValue::from_str(&text).ok())
        .collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if demo {
        // A demonstration needs nothing of its origin, so it gets none.
        let policy = "sandbox allow-scripts allow-forms allow-popups";
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
}

/// Sends a request over a connection of its own and, when both agree, turns both into a tunnel (WebSocket).
async fn exchange<S>(stream: S, mut request: Request) -> Result<Response, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a lab's connection ended");
        }
    });
    let client = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
    let mut response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = client
    {
        let lab = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let (Ok(client), Ok(lab)) = (client.await, lab.await) else { return };
            // Either side may hang up at any time; that is how a tunnel ends.
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(lab)).await;
        });
    }
    Ok(response.map(Body::new).into_response())
}
