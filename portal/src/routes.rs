//! The handlers: each fetches what its page needs from the API, calls the page, and answers.

mod account;
mod find;
mod govern;
mod people;
mod protect;
mod publish;
mod run;
mod sources;
mod visit;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use catalog_client::Client;
use catalog_schemas::problem::Problem;

use self::visit::Visit;
pub(crate) use self::visit::{THEME_COOKIE, cookies};
use crate::asset;

/// Largest upload of the publish form: the archive budget of 50 MiB and room for the form around it.
const MAX_UPLOAD: usize = 51 * 1024 * 1024;

/// Largest body of every other form.
const MAX_FORM: usize = 64 * 1024;

/// Largest form by which a record is edited: descriptions may be long, in several languages.
const MAX_EDIT: usize = 1024 * 1024;

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct Portal {
    client: Client,
}

/// Returns the portal's pages; the client is the only thing they read.
pub fn router(client: Client) -> Router {
    Router::new()
        .route("/", get(find::home))
        .route("/search", get(find::search))
        .route("/record/{zone}/{identifier}", get(find::record))
        .route("/record/{zone}/{identifier}/{version}", get(find::version))
        .route("/sparql-editor", get(find::sparql))
        .route("/launch", get(run::form).post(run::launch))
        .route("/launches", get(run::launches))
        .route("/launches/{id}", get(run::running))
        .route("/launches/{id}/stop", post(run::stop))
        .route("/launches/{id}/renew", post(run::renew))
        .route("/launches/{id}/again", post(run::again))
        .route("/volumes", get(run::volumes))
        .route("/volumes/{key}/add", post(run::volume_add))
        .route("/volumes/{key}/remove", post(run::volume_remove))
        .route("/datazones", get(run::datazones))
        .route("/login", get(account::signin).post(account::login))
        .route("/logout", post(account::logout))
        .route("/account", get(account::account))
        .route("/account/tokens", post(account::token_create))
        .route("/account/tokens/{id}/revoke", post(account::token_revoke))
        .route("/signup", get(people::signup_form).post(people::signup))
        .route("/password", get(people::password_form).post(people::password))
        .route("/account/password", post(people::password_change))
        .route("/account/sessions/end", post(people::sessions_end))
        .route("/account/sessions/{id}/end", post(people::session_end))
        .route("/groups", get(people::groups).post(people::group_create))
        .route("/groups/{kind}/{name}/accept", post(people::group_accept))
        .route("/groups/{kind}/{name}/members", post(people::group_invite))
        .route("/groups/{kind}/{name}/members/{account}/remove", post(people::group_remove))
        .route("/accounts", get(people::accounts).post(people::account_create))
        .route("/accounts/{name}", post(people::account_change))
        .route("/device", get(people::device).post(people::device_decide))
        .route("/audit", get(account::audit))
        .route("/sources", get(sources::sources))
        .route("/sources/{id}", get(sources::source))
        .route("/sources/{id}/runs", post(sources::start))
        .route("/sources/{id}/runs/{number}", get(sources::run))
        .route("/sources/{id}/runs/{number}/approve", post(sources::approve))
        .route("/reviews/{number}/decide", post(sources::decide))
        .route("/reviews/{number}/reopen", post(sources::reopen))
        .route("/account/keys", get(govern::keys).post(govern::key_register))
        .route("/account/keys/{id}/revoke", post(govern::key_revoke))
        .route("/queue", get(govern::queue))
        .route("/review/{zone}/{identifier}/{version}", get(govern::review).post(govern::step))
        .route("/notifications", get(govern::notifications))
        .route("/notifications/read", post(govern::notifications_read))
        .route("/theme", post(account::theme))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .route("/edit/{zone}/{identifier}", get(govern::edit).post(govern::save).layer(DefaultBodyLimit::max(MAX_EDIT)))
        .route("/publish", get(publish::form).post(publish::send).layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .route("/assets/{file}", get(assets))
        .layer(middleware::from_fn(protect::protect))
        .with_state(Portal { client })
}

/// Returns what answers any other path: a page that says there is nothing.
pub fn fallback(client: Client) -> Router {
    Router::new().fallback(nothing).layer(middleware::from_fn(protect::protect)).with_state(Portal { client })
}

async fn nothing(visit: Visit) -> Response {
    visit.problem(Problem::new(
        404,
        "not-found",
        "not found",
        "No page has this address. It may have moved, or never been.",
    ))
}

async fn assets(visit: Visit, Path(file): Path<String>) -> Response {
    let path = format!("/assets/{file}");
    let forever = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    if path == asset::style_path() {
        return ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), forever], asset::STYLE).into_response();
    }
    if path == asset::icon_path() {
        return ([(header::CONTENT_TYPE, "image/svg+xml"), forever], asset::ICON).into_response();
    }
    if path == "/assets/manifest.jsonld" {
        let day = (header::CACHE_CONTROL, "public, max-age=86400");
        return ([(header::CONTENT_TYPE, "application/ld+json"), day], asset::EXAMPLE_MANIFEST).into_response();
    }
    let mut response = visit.problem(Problem::new(404, "not-found", "not found", "There is no such file."));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
