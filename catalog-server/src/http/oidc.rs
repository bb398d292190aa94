//! The way to an identity provider and back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use catalog_portal::local_path;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Path, Query, body};
use crate::http::people::{attempt, begin_cookie};
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::cookie_of;
use crate::oidc::{OidcError, Provider, Return};
use crate::throttle::Party;

/// Where to go after signing in.
#[derive(Deserialize)]
pub struct Next {
    next: Option<String>,
}

/// Sends somebody to an identity provider.
pub async fn depart(
    State(app): State<Arc<App>>,
    Path(provider): Path<String>,
    Query(next): Query<Next>,
    headers: HeaderMap,
) -> Response {
    let outcome = async {
        attempt(&app, &[Party::client()])?;
        let next = local_path(next.next.as_deref().unwrap_or("/"), "/");
        let departure = find(&app, &provider)?.depart(&app.ledger, next).await.map_err(failure)?;
        let cookie = way_cookie(Some(&departure.secret), app.config.is_secure())?;
        Ok::<_, Failure>(([(header::SET_COOKIE, cookie)], Redirect::to(&departure.url)).into_response())
    };
    shown(&headers, outcome.await)
}

/// Takes somebody back from an identity provider and begins their session.
pub async fn arrive(
    State(app): State<Arc<App>>,
    Path(provider): Path<String>,
    Query(back): Query<Return>,
    headers: HeaderMap,
) -> Response {
    let outcome = async {
        let provider = find(&app, &provider)?;
        let cookie = cookie_of(&headers, way_name(app.config.is_secure()));
        let arrival = provider.arrive(&app.ledger, back, cookie.as_deref()).await.map_err(failure)?;
        let account = app.ledger.identity_sign_in(arrival.identity, &request_id()).await?;
        let method = format!("oidc:{}", provider.id);
        let how = (method.as_str(), arrival.session.as_deref());
        let (session, _) = begin_cookie(&app, &account, how, &headers).await?;
        let mut response = Redirect::to(&arrival.next).into_response();
        response.headers_mut().append(header::SET_COOKIE, session);
        response.headers_mut().append(header::SET_COOKIE, way_cookie(None, app.config.is_secure())?);
        Ok::<_, Failure>(response)
    };
    shown(&headers, outcome.await)
}

/// Ends the sessions of somebody whom an identity provider signs out (OpenID Connect Back-Channel Logout 1.0).
///
/// The provider calls it, not a browser: it has no session, and its signed token says whose end.
pub async fn leave(State(app): State<Arc<App>>, Path(provider): Path<String>, request: Request) -> Response {
    let outcome = async {
        attempt(&app, &[Party::client()])?;
        let provider = find(&app, &provider)?;
        let bytes = body(request, &app).await?;
        let token = form_urlencoded::parse(&bytes).find(|(name, _)| name == "logout_token");
        let token = token.map(|(_, token)| token.into_owned()).ok_or_else(|| invalid("there is no logout_token"))?;
        let whom = provider.farewell(&token).await.map_err(failure)?;
        let (identity, session) = ((whom.issuer.as_str(), whom.subject.as_str()), whom.session.as_deref());
        app.ledger.session_end_of_provider(&provider.id, identity, session, &request_id()).await?;
        Ok::<_, Failure>(StatusCode::OK.into_response())
    };
    let mut response = match outcome.await {
        Ok(response) => response,
        // What does not hold is a bad request to the provider, whatever it is to us (section 2.8).
        Err(failure) if failure.status() == StatusCode::FORBIDDEN => invalid("the token does not hold").into_response(),
        Err(failure) => failure.into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn invalid(detail: &str) -> Failure {
    Failure::bad_request("invalid_request", detail)
}

fn find<'a>(app: &'a App, provider: &str) -> Result<&'a Provider, Failure> {
    let found = app.providers.iter().find(|one| one.id == provider);
    found.ok_or_else(|| Failure::not_found("identity provider", provider))
}

/// Says to whoever signs in what became of it; what exactly did not hold is for the operator's log.
fn failure(error: OidcError) -> Failure {
    tracing::warn!(%error, request = request_id(), "nobody was signed in through the identity provider");
    let (status, detail) = match &error {
        OidcError::Provider(_) => {
            (StatusCode::BAD_GATEWAY, "the identity provider cannot be used at the moment".to_owned())
        }
        OidcError::Ledger(_) => return Failure::unavailable("busy", "too many people sign in; try again", 5),
        OidcError::Unknown => (StatusCode::BAD_REQUEST, error.to_string()),
        OidcError::Denied(_) => (StatusCode::FORBIDDEN, error.to_string()),
        OidcError::Answer(_) => (StatusCode::FORBIDDEN, "the identity provider's answer does not hold".to_owned()),
    };
    Failure::new(status, "sign_in.failed", "you are not signed in", detail)
}

/// Answers a person with a page, whatever became of it.
fn shown(headers: &HeaderMap, outcome: Result<Response, Failure>) -> Response {
    outcome.unwrap_or_else(|failure| {
        let page = catalog_portal::refusal(headers, "/login", failure.problem().clone());
        let mut response = (failure.status(), axum::response::Html(page)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    })
}

fn way_name(secure: bool) -> &'static str {
    if secure { "__Host-alidade-way" } else { "alidade-way" }
}

/// Makes the cookie that proves that who comes back is who went; ten minutes, or no time at all.
fn way_cookie(secret: Option<&str>, secure: bool) -> Result<HeaderValue, Failure> {
    let (name, flags) = (way_name(secure), if secure { "; Secure" } else { "" });
    let (value, age) = secret.map_or(("", 0), |secret| (secret, 600));
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{flags}");
    let mut value = HeaderValue::from_str(&text).map_err(Failure::internal)?;
    value.set_sensitive(true);
    Ok(value)
}
