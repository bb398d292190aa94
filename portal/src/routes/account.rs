//! Signing in and out, tokens, the audit trail, the theme.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use catalog_client::ClientError;
use catalog_schemas::account::{NewToken, Scope, Token};

use super::visit::{THEME_COOKIE, Visit, see, see_with_cookie};
use crate::link::local_path;
use crate::viewer::Theme;
use crate::{field, page, words};

pub(super) async fn signin(visit: Visit) -> Response {
    let next = local_path(visit.parameter("next").unwrap_or("/"), "/");
    visit.page(page::signin::signin(next, None))
}

pub(super) async fn login(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let next = local_path(field::text(&pairs, "next").unwrap_or("/"), "/");
    let Some(token) = field::text(&pairs, "token") else {
        return visit
            .page_with(StatusCode::UNPROCESSABLE_ENTITY, page::signin::signin(next, Some("Write your token.")));
    };
    match visit.client.sign_in(token).await {
        Ok(signed_in) => see_with_cookie(next, signed_in.set_cookie),
        Err(ClientError::Problem(problem)) if problem.status < 500 => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNAUTHORIZED);
            let said = match problem.status {
                429 => "Too many attempts; wait a minute.",
                _ => "This token is not known. It may be mistyped, expired or revoked.",
            };
            visit.page_with(status, page::signin::signin(next, Some(said)))
        }
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn logout(visit: Visit) -> Response {
    match visit.client.sign_out().await {
        Ok(Some(cookie)) => see_with_cookie("/", cookie),
        Ok(None) => see("/"),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn account(visit: Visit) -> Response {
    show(&visit, None, None).await
}

async fn show(visit: &Visit, made: Option<&Token>, refused: Option<(StatusCode, String)>) -> Response {
    if !visit.viewer.signed_in() {
        return visit.sign_in();
    }
    let tokens = match visit.client.tokens().await {
        Ok(tokens) => tokens.tokens,
        Err(error) => return visit.failed(error),
    };
    let status = match (&refused, made) {
        (Some((status, _)), _) => *status,
        (None, Some(_)) => StatusCode::CREATED,
        (None, None) => StatusCode::OK,
    };
    let said = refused.as_ref().map(|(_, said)| said.as_str());
    visit.page_with(status, page::account::account(&visit.viewer, &tokens, made, said))
}

pub(super) async fn token_create(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let days = field::text(&pairs, "days").map(str::parse::<u32>);
    let Ok(days) = days.transpose() else {
        let said = "Write the days until it expires as a number from 1 to 365.".to_owned();
        return show(&visit, None, Some((StatusCode::UNPROCESSABLE_ENTITY, said))).await;
    };
    let token = NewToken {
        name: field::text(&pairs, "name").unwrap_or_default().to_owned(),
        scopes: field::all(&pairs, "scope").iter().filter_map(|word| Scope::from_word(word)).collect(),
        namespace: field::text(&pairs, "namespace").map(str::to_owned),
        days,
        account: None,
        role: None,
    };
    match visit.client.token_create(&token).await {
        // The secret is nowhere but in this answer, so there is no page to send the browser on to.
        Ok(made) => show(&visit, Some(&made), None).await,
        Err(error) => {
            let problem = visit.problem_of(error);
            if problem.status == 401 {
                return see("/login?next=%2Faccount");
            }
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            show(&visit, None, Some((status, words::said(&problem)))).await
        }
    }
}

pub(super) async fn token_revoke(visit: Visit, Path(id): Path<String>) -> Response {
    match visit.client.token_revoke(&id).await {
        Ok(()) => see("/account#tokens"),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn audit(visit: Visit) -> Response {
    match visit.client.audit().await {
        Ok(audit) => visit.page(page::audit::audit(&audit.entries)),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn theme(body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let theme = field::text(&pairs, "theme").and_then(Theme::from_word).unwrap_or_default();
    let next = local_path(field::text(&pairs, "next").unwrap_or("/"), "/");
    let age = if theme == Theme::System { 0 } else { 31_536_000 };
    let cookie = format!("{THEME_COOKIE}={}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly", theme.as_str());
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => see_with_cookie(next, cookie),
        Err(_) => see(next),
    }
}
