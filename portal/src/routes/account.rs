//! Signing in and out, tokens, the audit trail, the theme.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use catalog_client::ClientError;
use catalog_schemas::account::{NewToken, Scope};

use super::visit::{THEME_COOKIE, Visit, see, see_with_cookie};
use crate::link::local_path;
use crate::page::account::Told;
use crate::viewer::Theme;
use crate::{field, page, words};

pub(super) async fn signin(visit: Visit) -> Response {
    let next = local_path(visit.parameter("next").unwrap_or("/"), "/");
    refuse_sign_in(&visit, StatusCode::OK, next, "", None).await
}

async fn refuse_sign_in(visit: &Visit, status: StatusCode, next: &str, account: &str, said: Option<&str>) -> Response {
    match visit.client.sign_in_ways().await {
        Ok(ways) => visit.page_with(status, page::signin::signin(&ways, next, account, said)),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn login(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let next = local_path(field::text(&pairs, "next").unwrap_or("/"), "/");
    let (token, account) = (field::text(&pairs, "token"), field::text(&pairs, "account"));
    // A password is taken as it was written, blanks included.
    let password = pairs.iter().find(|(name, _)| name == "password").map(|(_, password)| password.as_str());
    let answer = match (token, account, password) {
        (Some(token), _, _) => visit.client.sign_in(token).await,
        (None, Some(account), Some(password)) => visit.client.sign_in_with_password(account, password).await,
        _ => {
            let said = Some("Write your account and your password.");
            return refuse_sign_in(&visit, StatusCode::UNPROCESSABLE_ENTITY, next, account.unwrap_or(""), said).await;
        }
    };
    match answer {
        Ok(signed_in) => see_with_cookie(next, signed_in.set_cookie),
        Err(ClientError::Problem(problem)) if problem.status < 500 => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNAUTHORIZED);
            let said = match (problem.status, token.is_some()) {
                (429, _) => "Too many attempts; wait a minute.",
                (403, true) => "This token is for a program. Only one with the scope admin signs in.",
                (_, true) => "This token is not known. It may be mistyped, expired or revoked.",
                (_, false) => "The account or the password is wrong.",
            };
            refuse_sign_in(&visit, status, next, account.unwrap_or(""), Some(said)).await
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
    let done = visit.parameter("done").and_then(|word| match word {
        "password" => Some("Your password is changed; your other sessions are over."),
        "session" => Some("The session is over."),
        _ => None,
    });
    show(&visit, StatusCode::OK, &Told { done, ..Told::default() }).await
}

pub(super) async fn show(visit: &Visit, status: StatusCode, told: &Told<'_>) -> Response {
    if !visit.viewer.signed_in() {
        return visit.sign_in();
    }
    match (visit.client.tokens().await, visit.client.sessions().await) {
        (Ok(tokens), Ok(sessions)) => {
            let page = page::account::account(&visit.viewer, &tokens.tokens, &sessions.sessions, told);
            visit.page_with(status, page)
        }
        (Err(error), _) | (_, Err(error)) => visit.failed(error),
    }
}

pub(super) async fn token_create(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let days = field::text(&pairs, "days").map(str::parse::<u32>);
    let Ok(days) = days.transpose() else {
        let said = "Write the days until it expires as a number from 1 to 365.".to_owned();
        let told = Told { refused: Some(&said), ..Told::default() };
        return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &told).await;
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
        Ok(made) => show(&visit, StatusCode::CREATED, &Told { made: Some(&made), ..Told::default() }).await,
        Err(error) => {
            let problem = visit.problem_of(error);
            if problem.status == 401 {
                return see("/login?next=%2Faccount");
            }
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            show(&visit, status, &Told { refused: Some(&words::said(&problem)), ..Told::default() }).await
        }
    }
}

pub(super) async fn token_revoke(visit: Visit, Path(id): Path<String>) -> Response {
    match visit.client.token_revoke(&id).await {
        Ok(()) => see("/account#tokens"),
        Err(error) => visit.failed(error),
    }
}

/// How many entries a page of the audit trail holds.
const ENTRIES: usize = 100;

pub(super) async fn audit(visit: Visit) -> Response {
    let set = |name: &&str| Some(((*name).to_owned(), visit.parameter(name)?.to_owned()));
    let filters: Vec<_> = page::audit::FILTERS.iter().filter_map(set).collect();
    let mut asked = filters.clone();
    asked.extend(visit.parameter("before").map(|number| ("before".to_owned(), number.to_owned())));
    asked.push(("limit".to_owned(), ENTRIES.to_string()));
    match visit.client.audit_where(&asked).await {
        Ok(audit) => {
            let more = audit.entries.len() == ENTRIES;
            visit.page(page::audit::audit(&audit.entries, &filters, more))
        }
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
