//! The device flow (RFC 8628): a program without a browser shows a code, and somebody allows it in the portal.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use catalog_records::{Credential, DEVICE_SECONDS, DeviceAnswer};
use catalog_schemas::account::Scope;
use catalog_schemas::people::{DeviceAuthorization, DeviceDecision, DeviceRefusal, DeviceRequest, DeviceToken};
use catalog_schemas::problem::Problem;
use http::{StatusCode, header};

use crate::app::App;
use crate::http::extract::{Json, Path, body};
use crate::http::people::attempt;
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::{Permission, Viewer};
use crate::throttle::Party;

/// Seconds that a device waits between two questions.
const INTERVAL: u32 = 2;
/// What a device grants when it asks for nothing in particular.
const USUAL: [Scope; 3] = [Scope::Read, Scope::Publish, Scope::Launch];
/// The only grant of the token endpoint (RFC 8628, section 3.4).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a device asks for.
#[derive(utoipa::ToSchema)]
pub struct DeviceForm {
    /// What the program calls itself.
    client_id: Option<String>,
    /// What its token may do: words with blanks between.
    scope: Option<String>,
}

/// What a device asks for its token with.
#[derive(utoipa::ToSchema)]
pub struct DeviceTokenForm {
    /// `urn:ietf:params:oauth:grant-type:device_code`.
    grant_type: Option<String>,
    /// The secret that it was given.
    device_code: Option<String>,
}

/// Begins the device flow: `client_id` is what the program calls itself, `scope` what its token may do.
#[utoipa::path(post, path = "/api/v1/device", tag = "account",
    request_body(content = DeviceForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The codes", body = DeviceAuthorization), (status = 429, description = "Too many attempts", body = Problem), (status = 503, description = "Too many devices wait", body = Problem)))]
pub async fn begin(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    attempt(&app, &[Party::client()])?;
    let pairs = form(request, &app).await?;
    let asked = DeviceForm { client_id: value(&pairs, "client_id"), scope: value(&pairs, "scope") };
    let client = asked.client_id.as_deref().unwrap_or("a program");
    let scopes = match asked.scope {
        None => USUAL.to_vec(),
        Some(words) => words
            .split_whitespace()
            .map(|word| {
                Scope::from_word(word)
                    .ok_or_else(|| Failure::bad_request("invalid_scope", format!("`{word}` is not a scope")))
            })
            .collect::<Result<_, _>>()?,
    };
    let codes = app.ledger.device_ask(client, &scopes).await?;
    let uri = format!("{}/device", app.base);
    let answer = DeviceAuthorization {
        verification_uri_complete: format!("{uri}?code={}", codes.user),
        device_code: codes.device,
        user_code: codes.user,
        verification_uri: uri,
        expires_in: DEVICE_SECONDS,
        interval: INTERVAL,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Asks for the token of a device, as OAuth does: `grant_type`, `device_code`.
#[utoipa::path(post, path = "/api/v1/device/token", tag = "account",
    request_body(content = DeviceTokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token, given once", body = DeviceToken), (status = 400, description = "Not yet, or never", body = DeviceRefusal)))]
pub async fn token(State(app): State<Arc<App>>, request: Request) -> Result<Response, Failure> {
    let pairs = form(request, &app).await?;
    let refuse = |error: &str| {
        let refusal = Json(DeviceRefusal { error: error.to_owned() });
        (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], refusal).into_response()
    };
    let asked = DeviceTokenForm { grant_type: value(&pairs, "grant_type"), device_code: value(&pairs, "device_code") };
    if asked.grant_type.as_deref() != Some(GRANT) {
        return Ok(refuse("unsupported_grant_type"));
    }
    let Some(device) = asked.device_code.filter(|code| code.len() < 100) else {
        return Ok(refuse("invalid_request"));
    };
    Ok(match app.ledger.device_take(&device, &request_id()).await? {
        DeviceAnswer::Pending => refuse("authorization_pending"),
        DeviceAnswer::Denied => refuse("access_denied"),
        DeviceAnswer::Expired => refuse("expired_token"),
        DeviceAnswer::Token(token) => {
            let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.as_str()).collect();
            let answer = DeviceToken {
                access_token: token.secret.unwrap_or_default(),
                token_type: "Bearer".to_owned(),
                scope: scopes.join(" "),
            };
            ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
        }
    })
}

/// Says what waits behind a code, to somebody who is signed in.
#[utoipa::path(get, path = "/api/v1/device/{code}", tag = "account", params(("code" = String, Path, description = "The code that the device shows")),
    responses((status = 200, description = "What it asks for", body = DeviceRequest), (status = 404, description = "No such code", body = Problem), (status = 429, description = "Too many attempts", body = Problem)))]
pub async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(code): Path<String>,
) -> Result<Json<DeviceRequest>, Failure> {
    let actor = viewer.may(Permission::Account)?;
    // Codes are short: whoever tries many is slowed down as somebody who guesses passwords.
    let party = Party::Account(format!("device {}", actor.account));
    attempt(&app, std::slice::from_ref(&party))?;
    let found = app.ledger.device_request(&spelt(&code)).await?.ok_or_else(|| Failure::not_found("code", &code))?;
    app.throttle.forgive(&party);
    Ok(Json(found))
}

/// Allows a device its token, or denies it; in a session, so that a token never makes another one this way.
#[utoipa::path(post, path = "/api/v1/device/{code}", tag = "account", request_body = DeviceDecision, params(("code" = String, Path, description = "The code that the device shows")),
    responses((status = 204, description = "Decided"), (status = 404, description = "No such code", body = Problem), (status = 429, description = "Too many attempts", body = Problem)))]
pub async fn decide(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(code): Path<String>,
    Json(decision): Json<DeviceDecision>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Manage)?;
    if actor.credential != Credential::Session {
        return Err(Failure::forbidden("a device is allowed in a session of the portal, not with a token"));
    }
    let party = Party::Account(format!("device {}", actor.account));
    attempt(&app, std::slice::from_ref(&party))?;
    app.ledger.device_decide(&spelt(&code), decision.allow, actor, &request_id()).await?;
    app.throttle.forgive(&party);
    Ok(StatusCode::NO_CONTENT)
}

/// Returns a code as it was made, however somebody wrote it.
fn spelt(code: &str) -> String {
    let letters: String =
        code.chars().filter(char::is_ascii_alphabetic).take(8).collect::<String>().to_ascii_uppercase();
    match letters.split_at_checked(4) {
        Some((first, second)) => format!("{first}-{second}"),
        None => letters,
    }
}

async fn form(request: Request, app: &Arc<App>) -> Result<Vec<(String, String)>, Failure> {
    let bytes = body(request, app).await?;
    if bytes.len() > 8192 {
        return Err(Failure::bad_request("invalid_request", "the form is too long"));
    }
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

fn value(pairs: &[(String, String)], name: &str) -> Option<String> {
    let value = pairs.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim().to_owned());
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::spelt;

    #[test]
    fn a_code_is_read_as_it_is_written() {
        for given in ["BCDF-GHJK", "bcdf ghjk", "bcdfghjk", " BCDF–GHJK"] {
            assert_eq!(spelt(given), "BCDF-GHJK", "{given}");
        }
        assert_eq!(spelt("b"), "B");
    }
}
