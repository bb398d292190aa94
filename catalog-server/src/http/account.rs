//! Sessions, tokens, who one is, and the audit trail.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_records::{AccountName, Credential};
use catalog_schemas::account::{Me, NewToken, Role, Scope, Token, Tokens};
use catalog_schemas::problem::{Finding, Problem};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::people;
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::{Permission, Viewer, session_cookie, session_of};
use crate::throttle::Party;

/// What one signs in with: an account's name and password, or a token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, untagged)]
pub enum SignIn {
    /// A local account.
    Password {
        /// Its name.
        account: String,
        /// Its password.
        password: String,
    },
    /// A token.
    Token {
        /// The token's secret; it must have the scope `admin`, which is everything that its account may do.
        token: String,
    },
}

/// Signs in: exchanges a password or a token for a session cookie.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "account", request_body = SignIn,
    responses((status = 201, description = "Signed in", body = Me), (status = 401, description = "Not the password, or no such token", body = Problem),
        (status = 403, description = "The token is for a program", body = Problem), (status = 429, description = "Too many attempts", body = Problem)))]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Json(sign_in): Json<SignIn>,
) -> Result<Response, Failure> {
    let token = match sign_in {
        SignIn::Password { account, password } => {
            let account = people::password_sign_in(&app, account.trim(), password).await?;
            return people::begin(&app, &account, "password", &headers).await;
        }
        SignIn::Token { token } => token,
    };
    people::attempt(&app, &[Party::client()])?;
    let actor = app.ledger.token_check(token.trim()).await?.ok_or_else(|| {
        Failure::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "no such token",
            "the token is unknown, expired or revoked",
        )
    })?;
    if !actor.allows(Scope::Admin) || actor.namespace.is_some() {
        return Err(Failure::forbidden("this token is for a program; only one with the scope `admin` signs in"));
    }
    people::begin(&app, &actor.account, "token", &headers).await
}

/// Signs out: ends the session of the cookie.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "account", responses((status = 204, description = "Signed out")))]
pub async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    if let Some(secret) = session_of(&headers, app.config.is_secure()) {
        app.ledger.session_end(&secret, &request_id()).await?;
    }
    let cookie = session_cookie(None, app.config.is_secure())?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Says who one is.
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses((status = 200, description = "The viewer", body = Me)))]
pub async fn me(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Json<Me>, Failure> {
    match viewer.actor() {
        Some(actor) => me_of(&app, &actor.account, actor.role).await.map(Json),
        None => Ok(Json(Me {
            account: None,
            display_name: None,
            role: Role::Anonymous,
            namespaces: Vec::new(),
            running: 0,
            allowed_running: 0,
            unread: 0,
        })),
    }
}

pub(super) async fn me_of(app: &App, account: &AccountName, role: Role) -> Result<Me, Failure> {
    let namespaces = app.ledger.namespaces(account).await?;
    let stored = app.ledger.account(account).await?;
    Ok(Me {
        account: Some(account.to_string()),
        display_name: stored.and_then(|account| account.display_name),
        role,
        namespaces: namespaces.iter().map(ToString::to_string).collect(),
        running: app.launcher.running(account).await?,
        allowed_running: app.config.quota.sessions,
        unread: app.ledger.unread(account, role >= Role::Moderator).await?,
    })
}

/// Lists the viewer's tokens; an administrator sees all.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "account",
    responses((status = 200, description = "Tokens without their secrets", body = Tokens), (status = 401, description = "Nobody is signed in", body = Problem)))]
pub async fn tokens(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Json<Tokens>, Failure> {
    let actor = viewer.may(Permission::Account)?;
    let all = viewer.may(Permission::Administer).is_ok();
    let tokens = app.ledger.token_list((!all).then_some(&actor.account)).await?;
    Ok(Json(Tokens { tokens }))
}

/// Makes a token; its secret is in this answer only.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "account", request_body = NewToken,
    responses((status = 201, description = "The token with its secret", body = Token), (status = 403, description = "More than the viewer may give", body = Problem)))]
pub async fn token_create(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Json(asked): Json<NewToken>,
) -> Result<(StatusCode, Json<Token>), Failure> {
    let actor = viewer.may(Permission::Manage)?;
    if !(1..=100).contains(&asked.name.chars().count()) {
        return Err(unprocessable("/name", "a token's name has 1 to 100 characters"));
    }
    if asked.scopes.is_empty() {
        return Err(unprocessable("/scopes", "a token has at least one scope"));
    }
    if asked.days.is_some_and(|days| !(1..=365).contains(&days)) {
        return Err(unprocessable("/days", "a token lives 1 to 365 days"));
    }
    if asked.namespace.is_some() && asked.scopes.contains(&Scope::Admin) {
        return Err(unprocessable(
            "/scopes",
            "a token for one namespace cannot have the scope admin, which is everything",
        ));
    }
    // A token never makes one that may do more than itself.
    if let Some(scope) = asked.scopes.iter().find(|scope| !actor.allows(**scope)) {
        return Err(Failure::forbidden(format!(
            "you cannot give the scope {} with a token that lacks it",
            scope.as_str()
        )));
    }
    let account = match &asked.account {
        Some(name) if name.as_str() != actor.account.as_str() => {
            viewer.may(Permission::Administer)?;
            name.parse::<AccountName>().map_err(|error| unprocessable("/account", &error.to_string()))?
        }
        _ => actor.account.clone(),
    };
    if asked.role.is_some() {
        viewer.may(Permission::Administer)?;
    }
    if matches!(asked.role, Some(Role::Anonymous | Role::Application)) {
        return Err(unprocessable("/role", "an account is a user, developer, moderator or administrator"));
    }
    let token = app.ledger.token_create(&asked, &account, &actor.account, &request_id()).await?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// Revokes a token, at once; the id `current` is the token that asks, which every token may do.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "account", params(("id" = String, Path, description = "The token's id")),
    responses((status = 204, description = "Revoked"), (status = 404, description = "No such token", body = Problem)))]
pub async fn token_revoke(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Account)?;
    let id = match &actor.credential {
        Credential::Token(own) if id == "current" || id == *own => own.clone(),
        _ => {
            viewer.may(Permission::Manage)?;
            id
        }
    };
    let all = viewer.may(Permission::Administer).is_ok();
    app.ledger.token_revoke(&id, (!all).then_some(&actor.account), &actor.account, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn unprocessable(pointer: &str, message: &str) -> Failure {
    Failure::unprocessable(Finding::error("value.range", message).pointer(pointer))
}
