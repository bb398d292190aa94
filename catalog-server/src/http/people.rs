//! Accounts, passwords and sessions.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_records::{AccountName, Credential};
use catalog_schemas::account::{Me, Role};
use catalog_schemas::people::{
    AccountChange, AccountView, Accounts, NewAccount, PasswordChange, PasswordChoice, PasswordLink, ProviderView,
    Sessions, SignInWays,
};
use catalog_schemas::problem::{Finding, Problem};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;

use crate::app::App;
use crate::config::SignUp;
use crate::http::account::me_of;
use crate::http::extract::{Json, Path};
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::{Permission, Viewer, session_cookie, session_of};
use crate::password::weakness;
use crate::throttle::Party;

/// Says how one can sign in here.
#[utoipa::path(get, path = "/api/v1/sign-in", tag = "account", responses((status = 200, description = "The ways", body = SignInWays)))]
pub async fn ways(State(app): State<Arc<App>>) -> Json<SignInWays> {
    let providers = app.providers.iter().map(|one| ProviderView { id: one.id.clone(), title: one.title().to_owned() });
    Json(SignInWays {
        password: app.config.accounts.passwords,
        sign_up: app.config.accounts.sign_up == SignUp::Open,
        providers: providers.collect(),
    })
}

/// Lists the accounts.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "account", responses((status = 200, description = "Accounts", body = Accounts)))]
pub async fn accounts(State(app): State<Arc<App>>) -> Result<Json<Accounts>, Failure> {
    Ok(Json(Accounts { accounts: app.ledger.account_views().await? }))
}

/// Makes an account and the one-time link with which its owner chooses a password.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "account", request_body = NewAccount,
    responses((status = 201, description = "The link, shown once", body = PasswordLink), (status = 409, description = "The name is taken", body = Problem), (status = 422, description = "Not a name", body = Problem)))]
pub async fn account_create(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Json(asked): Json<NewAccount>,
) -> Result<(StatusCode, Json<PasswordLink>), Failure> {
    let actor = viewer.may(Permission::Administer)?;
    if asked.password.is_some() {
        return Err(invalid("/password", "whoever is invited chooses the password, by the link"));
    }
    let name = name(&asked.name)?;
    let role = given_role(asked.role)?;
    let display_name = display_name(asked.display_name.as_deref())?;
    let invited = app.ledger.invite(&name, (display_name, role), &actor.account, &request_id()).await?;
    Ok((StatusCode::CREATED, Json(link(&app, &name, &invited))))
}

/// Changes an account's role, suspends it or lets it back; its sessions end.
#[utoipa::path(patch, path = "/api/v1/accounts/{name}", tag = "account", request_body = AccountChange, params(("name" = String, Path, description = "The account")),
    responses((status = 200, description = "The account", body = AccountView), (status = 404, description = "No such account", body = Problem), (status = 409, description = "The last administrator stays", body = Problem)))]
pub async fn account_change(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(account): Path<String>,
    Json(change): Json<AccountChange>,
) -> Result<Json<AccountView>, Failure> {
    let actor = viewer.may(Permission::Administer)?;
    let name: AccountName = account.parse().map_err(|_| Failure::not_found("account", &account))?;
    let role = change.role.map(|role| given_role(Some(role))).transpose()?;
    if role.is_some() || change.suspended.is_some() {
        app.ledger.account_change(&name, (role, change.suspended), &actor.account, &request_id()).await?;
    }
    let views = app.ledger.account_views().await?;
    let view = views.into_iter().find(|view| view.name == account);
    view.map(Json).ok_or_else(|| Failure::not_found("account", &account))
}

/// Makes a one-time link with which an account's owner chooses a new password; an older link is void.
#[utoipa::path(post, path = "/api/v1/accounts/{name}/password-link", tag = "account", params(("name" = String, Path, description = "The account")),
    responses((status = 201, description = "The link, shown once", body = PasswordLink), (status = 404, description = "No such account", body = Problem)))]
pub async fn account_link(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(account): Path<String>,
) -> Result<(StatusCode, Json<PasswordLink>), Failure> {
    let actor = viewer.may(Permission::Administer)?;
    let name: AccountName = account.parse().map_err(|_| Failure::not_found("account", &account))?;
    let made = app.ledger.password_link(&name, &actor.account, &request_id()).await?;
    Ok((StatusCode::CREATED, Json(link(&app, &name, &made))))
}

fn link(app: &App, account: &AccountName, (secret, expires): &(String, Timestamp)) -> PasswordLink {
    // After the `#` it would never reach the server, and without script nothing could send it on.
    let link = format!("{}/password?ticket={secret}", app.base);
    PasswordLink { account: account.to_string(), link, expires: expires.to_string() }
}

/// Makes an account for oneself, where the operator lets everybody, and signs in.
#[utoipa::path(post, path = "/api/v1/registrations", tag = "account", request_body = NewAccount,
    responses((status = 201, description = "Signed in", body = Me), (status = 403, description = "Accounts are made by administrators here", body = Problem),
        (status = 409, description = "The name is taken", body = Problem), (status = 422, description = "Not a name, or too weak a password", body = Problem), (status = 429, description = "Too many attempts", body = Problem)))]
pub async fn sign_up(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Json(asked): Json<NewAccount>,
) -> Result<Response, Failure> {
    if app.config.accounts.sign_up != SignUp::Open {
        return Err(Failure::forbidden("accounts are made by administrators here; ask one for an invitation"));
    }
    attempt(&app, &[Party::client()])?;
    if asked.role.is_some_and(|role| role != Role::User) {
        return Err(invalid("/role", "only an administrator gives a role"));
    }
    let (name, display_name) = (name(&asked.name)?, display_name(asked.display_name.as_deref())?);
    let phc = hashed(&app, asked.password.unwrap_or_default(), &name).await?;
    app.ledger.register(&name, display_name, phc, &request_id()).await?;
    begin(&app, &name, "password", &headers).await
}

/// Chooses a password by a one-time link, and signs in; every other session of the account ends.
#[utoipa::path(post, path = "/api/v1/passwords", tag = "account", request_body = PasswordChoice,
    responses((status = 201, description = "Signed in", body = Me), (status = 404, description = "The link was used, or is too old", body = Problem),
        (status = 422, description = "Too weak a password", body = Problem), (status = 429, description = "Too many attempts", body = Problem)))]
pub async fn password_choose(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Json(choice): Json<PasswordChoice>,
) -> Result<Response, Failure> {
    attempt(&app, &[Party::client()])?;
    let account = app.ledger.password_link_account(&choice.ticket).await?;
    let account = account.ok_or_else(|| Failure::not_found("link", "it was used, or is too old"))?;
    let phc = hashed(&app, choice.password, &account).await?;
    let account = app.ledger.password_redeem(&choice.ticket, phc, &request_id()).await?;
    app.throttle.forgive(&Party::Account(account.to_string()));
    begin(&app, &account, "password", &headers).await
}

/// Changes one's password; every other session ends, and this one goes on under a new id.
#[utoipa::path(put, path = "/api/v1/me/password", tag = "account", request_body = PasswordChange,
    responses((status = 201, description = "Changed, with a new session", body = Me), (status = 422, description = "Too weak, or not the password so far", body = Problem), (status = 429, description = "Too many attempts", body = Problem)))]
pub async fn password_change(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
    Json(change): Json<PasswordChange>,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Manage)?;
    if actor.credential != Credential::Session {
        // A token that was stolen must not become a password, which outlives it.
        return Err(Failure::forbidden("a password is changed in a session, not with a token"));
    }
    attempt(&app, &[Party::Account(actor.account.to_string())])?;
    if let Some(phc) = app.ledger.password(&actor.account).await?
        && !app.passwords.check(change.current.unwrap_or_default(), Some(phc)).await?
    {
        return Err(invalid("/current", "this is not your password so far"));
    }
    let phc = hashed(&app, change.password, &actor.account).await?;
    app.ledger.password_set(&actor.account, phc, &request_id()).await?;
    app.throttle.forgive(&Party::Account(actor.account.to_string()));
    begin(&app, &actor.account, "password", &headers).await
}

/// Lists one's sessions.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "account", responses((status = 200, description = "Sessions", body = Sessions)))]
pub async fn sessions(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Json<Sessions>, Failure> {
    let actor = viewer.may(Permission::Account)?;
    let current = session_of(&headers, app.config.is_secure());
    Ok(Json(Sessions { sessions: app.ledger.sessions(&actor.account, current.as_deref()).await? }))
}

/// Ends all one's sessions: signs out everywhere.
#[utoipa::path(delete, path = "/api/v1/me/sessions", tag = "account", responses((status = 204, description = "Signed out everywhere")))]
pub async fn sessions_end(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Manage)?;
    app.ledger.session_end_all(&actor.account, &request_id()).await?;
    let cookie = session_cookie(None, app.config.is_secure())?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Ends one of one's sessions.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "account", params(("id" = String, Path, description = "The session's id")),
    responses((status = 204, description = "Ended"), (status = 404, description = "No such session", body = Problem)))]
pub async fn session_end(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Manage)?;
    app.ledger.session_end_id(&actor.account, &id, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks name and password, and returns the account; counts the attempt first, so that guesses at once are counted too.
pub async fn password_sign_in(app: &App, account: &str, password: String) -> Result<AccountName, Failure> {
    let wrong = || {
        let detail = "the name or the password is wrong, or the account has no password here";
        Failure::new(StatusCode::UNAUTHORIZED, "unauthenticated", "not signed in", detail)
    };
    if !app.config.accounts.passwords {
        return Err(Failure::forbidden("passwords are not used here; sign in with an identity provider"));
    }
    let party = Party::Account(account.chars().take(64).collect());
    attempt(app, &[party.clone(), Party::client()])?;
    let name = account.parse::<AccountName>().ok();
    let phc = match &name {
        Some(name) => app.ledger.password(name).await?,
        None => None,
    };
    let is_right = app.passwords.check(password, phc).await?;
    let name = name.filter(|_| is_right).ok_or_else(wrong)?;
    app.throttle.forgive(&party);
    Ok(name)
}

/// Begins a session: always a new id, so that one which somebody planted before is worth nothing (THREATS T25).
pub async fn begin(app: &App, account: &AccountName, method: &str, headers: &HeaderMap) -> Result<Response, Failure> {
    let (cookie, role) = begin_cookie(app, account, (method, None), headers).await?;
    let me = me_of(app, account, role).await?;
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(me)).into_response())
}

/// Begins a session and returns its cookie and the role of its account; the session of the request, if any, ends.
pub async fn begin_cookie(
    app: &App,
    account: &AccountName,
    (method, provider_session): (&str, Option<&str>),
    headers: &HeaderMap,
) -> Result<(http::HeaderValue, Role), Failure> {
    if let Some(before) = session_of(headers, app.config.is_secure()) {
        app.ledger.session_end(&before, &request_id()).await?;
    }
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let secret = app.ledger.session_create(account, (method, provider_session), agent, &request_id()).await?;
    let actor = app.ledger.session_check(&secret).await?.ok_or_else(Failure::unauthenticated)?;
    Ok((session_cookie(Some(&secret), app.config.is_secure())?, actor.role))
}

/// Counts an attempt, or refuses it for now.
pub fn attempt(app: &App, parties: &[Party]) -> Result<(), Failure> {
    app.throttle.attempt(parties, Instant::now()).map_err(|seconds| {
        Failure::too_many("too_many_attempts", format!("too many attempts; wait {seconds} seconds"), seconds)
    })
}

async fn hashed(app: &App, password: String, account: &AccountName) -> Result<String, Failure> {
    if let Some(why) = weakness(&password, account.as_str()) {
        return Err(invalid("/password", why));
    }
    app.passwords.hash(password).await
}

fn name(text: &str) -> Result<AccountName, Failure> {
    text.parse::<AccountName>().map_err(|error| invalid("/name", &error.to_string()))
}

fn given_role(role: Option<Role>) -> Result<Role, Failure> {
    match role.unwrap_or(Role::User) {
        Role::Anonymous | Role::Application | Role::Developer => Err(invalid(
            "/role",
            "an account is a user, moderator or administrator; who is in a namespace's group is its developer",
        )),
        role => Ok(role),
    }
}

fn display_name(text: Option<&str>) -> Result<Option<&str>, Failure> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > 100 || text.chars().any(char::is_control)) {
        return Err(invalid("/displayName", "a name has at most 100 characters on one line"));
    }
    Ok(text)
}

fn invalid(pointer: &str, message: &str) -> Failure {
    Failure::unprocessable(Finding::error("value.range", message).pointer(pointer))
}
