//! Signing up, passwords, sessions, groups, the accounts, and devices.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use catalog_client::ClientError;
use catalog_schemas::account::Role;
use catalog_schemas::group::{GroupKind, NewGroup, Rank};
use catalog_schemas::people::{AccountChange, NewAccount, PasswordChange, PasswordChoice, PasswordLink};
use catalog_schemas::problem::Problem;

use super::account::show;
use super::visit::{Visit, see, see_with_cookie};
use crate::page::account::Told;
use crate::{field, page, words};

fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns a field as it was written, blanks included.
fn as_written(pairs: &[(String, String)], name: &str) -> String {
    pairs.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

pub(super) async fn signup_form(visit: Visit) -> Response {
    match visit.client.sign_in_ways().await {
        Ok(ways) if ways.sign_up => visit.page(page::signin::signup("", "", None)),
        Ok(_) => see("/login"),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn signup(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let account = NewAccount {
        name: field::text(&pairs, "account").unwrap_or_default().to_owned(),
        display_name: field::text(&pairs, "displayName").map(str::to_owned),
        role: None,
        password: Some(as_written(&pairs, "password")),
    };
    match visit.client.sign_up(&account).await {
        Ok(signed_in) => see_with_cookie("/account", signed_in.set_cookie),
        Err(error) => {
            let problem = visit.problem_of(error);
            let shown = account.display_name.as_deref().unwrap_or("");
            let page = page::signin::signup(&account.name, shown, Some(&words::said(&problem)));
            visit.page_with(status_of(&problem), page)
        }
    }
}

pub(super) async fn password_form(visit: Visit) -> Response {
    match visit.parameter("ticket") {
        Some(ticket) => visit.page(page::signin::choose(ticket, None)),
        None => see("/login"),
    }
}

pub(super) async fn password(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let ticket = field::text(&pairs, "ticket").unwrap_or_default().to_owned();
    let choice = PasswordChoice { ticket: ticket.clone(), password: as_written(&pairs, "password") };
    match visit.client.password_choose(&choice).await {
        Ok(signed_in) => see_with_cookie("/account", signed_in.set_cookie),
        Err(error) => {
            let problem = visit.problem_of(error);
            let said = match problem.status {
                404 => "This link was used already, or is too old. Ask an administrator for another.".to_owned(),
                _ => words::said(&problem),
            };
            visit.page_with(status_of(&problem), page::signin::choose(&ticket, Some(&said)))
        }
    }
}

pub(super) async fn password_change(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let current = Some(as_written(&pairs, "current")).filter(|current| !current.is_empty());
    let change = PasswordChange { current, password: as_written(&pairs, "password") };
    match visit.client.password_change(&change).await {
        Ok(signed_in) => see_with_cookie("/account?done=password", signed_in.set_cookie),
        Err(error) => {
            let problem = visit.problem_of(error);
            let said = words::said(&problem);
            show(&visit, status_of(&problem), &Told { refused: Some(&said), ..Told::default() }).await
        }
    }
}

pub(super) async fn sessions_end(visit: Visit) -> Response {
    match visit.client.sessions_end().await {
        Ok(Some(cookie)) => see_with_cookie("/login", cookie),
        Ok(None) => see("/login"),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn session_end(visit: Visit, Path(id): Path<String>) -> Response {
    match visit.client.session_end(&id).await {
        Ok(()) => see("/account?done=session"),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn groups(visit: Visit) -> Response {
    show_groups(&visit, None).await
}

async fn show_groups(visit: &Visit, refused: Option<(StatusCode, String)>) -> Response {
    if !visit.viewer.signed_in() {
        return visit.sign_in();
    }
    let all = visit.parameter("all").is_some() && visit.viewer.me.role >= Role::Administrator;
    match visit.client.groups(all).await {
        Ok(groups) => {
            let status = refused.as_ref().map_or(StatusCode::OK, |(status, _)| *status);
            let said = refused.as_ref().map(|(_, said)| said.as_str());
            visit.page_with(status, page::groups::groups(&visit.viewer, &groups.groups, all, said))
        }
        Err(error) => visit.failed(error),
    }
}

/// Answers a change of a group: the page anew, or why it was not made.
async fn changed(visit: Visit, outcome: Result<(), ClientError>) -> Response {
    match outcome {
        Ok(()) => see("/groups"),
        Err(error) => {
            let problem = visit.problem_of(error);
            show_groups(&visit, Some((status_of(&problem), words::said(&problem)))).await
        }
    }
}

pub(super) async fn group_create(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let kind = field::text(&pairs, "kind").and_then(GroupKind::from_word).unwrap_or(GroupKind::Namespace);
    let group = NewGroup {
        kind,
        name: field::text(&pairs, "name").unwrap_or_default().to_owned(),
        title: field::text(&pairs, "title").map(str::to_owned),
    };
    let outcome = visit.client.group_create(&group).await.map(drop);
    changed(visit, outcome).await
}

pub(super) async fn group_accept(visit: Visit, Path((kind, name)): Path<(GroupKind, String)>) -> Response {
    let outcome = visit.client.group_accept(kind, &name).await;
    changed(visit, outcome).await
}

pub(super) async fn group_invite(visit: Visit, Path((kind, name)): Path<(GroupKind, String)>, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let rank = field::text(&pairs, "rank").and_then(Rank::from_word).unwrap_or(Rank::Member);
    let account = field::text(&pairs, "account").unwrap_or_default();
    let outcome = visit.client.group_invite(kind, &name, account, rank).await;
    changed(visit, outcome).await
}

pub(super) async fn group_remove(
    visit: Visit,
    Path((kind, name, account)): Path<(GroupKind, String, String)>,
) -> Response {
    let outcome = visit.client.group_remove(kind, &name, &account).await;
    changed(visit, outcome).await
}

pub(super) async fn accounts(visit: Visit) -> Response {
    show_accounts(&visit, StatusCode::OK, None, None).await
}

async fn show_accounts(visit: &Visit, status: StatusCode, made: Option<&PasswordLink>, said: Option<&str>) -> Response {
    match visit.client.accounts().await {
        Ok(accounts) => visit.page_with(status, page::accounts::accounts(&accounts.accounts, made, said)),
        Err(error) => visit.failed(error),
    }
}

/// Shows the accounts with a link that was made, or with why it was not.
async fn linked(visit: &Visit, outcome: Result<PasswordLink, ClientError>) -> Response {
    match outcome {
        // The link is nowhere but in this answer, so there is no page to send the browser on to.
        Ok(link) => show_accounts(visit, StatusCode::CREATED, Some(&link), None).await,
        Err(error) => {
            let problem = visit.problem_of(error);
            show_accounts(visit, status_of(&problem), None, Some(&words::said(&problem))).await
        }
    }
}

pub(super) async fn account_create(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let account = NewAccount {
        name: field::text(&pairs, "account").unwrap_or_default().to_owned(),
        display_name: field::text(&pairs, "displayName").map(str::to_owned),
        role: field::text(&pairs, "role").and_then(Role::from_word),
        password: None,
    };
    let outcome = visit.client.account_create(&account).await;
    linked(&visit, outcome).await
}

pub(super) async fn account_change(visit: Visit, Path(name): Path<String>, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let change = match field::text(&pairs, "change") {
        Some("link") => {
            let outcome = visit.client.account_link(&name).await;
            return linked(&visit, outcome).await;
        }
        Some("suspend") => AccountChange { suspended: Some(true), role: None },
        Some("resume") => AccountChange { suspended: Some(false), role: None },
        _ => AccountChange { role: field::text(&pairs, "role").and_then(Role::from_word), suspended: None },
    };
    match visit.client.account_change(&name, &change).await {
        Ok(_) => see("/accounts"),
        Err(error) => {
            let problem = visit.problem_of(error);
            show_accounts(&visit, status_of(&problem), None, Some(&words::said(&problem))).await
        }
    }
}

pub(super) async fn device(visit: Visit) -> Response {
    if !visit.viewer.signed_in() {
        return visit.sign_in();
    }
    let Some(code) = visit.parameter("code") else { return visit.page(page::device::ask("", None)) };
    match visit.client.device(code).await {
        Ok(request) => visit.page(page::device::decide(&request)),
        Err(error) => no_device(&visit, code, error),
    }
}

pub(super) async fn device_decide(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let code = field::text(&pairs, "code").unwrap_or_default();
    let allow = field::text(&pairs, "answer") == Some("allow");
    match visit.client.device_decide(code, allow).await {
        Ok(()) => visit.page(page::device::done(allow)),
        Err(error) => no_device(&visit, code, error),
    }
}

fn no_device(visit: &Visit, code: &str, error: ClientError) -> Response {
    let problem = visit.problem_of(error);
    if problem.status == 401 {
        return visit.sign_in();
    }
    let said = match problem.status {
        404 => {
            "No program waits with this code. It may be mistyped, answered already, or older than a quarter of an hour."
                .to_owned()
        }
        _ => words::said(&problem),
    };
    visit.page_with(status_of(&problem), page::device::ask(code, Some(&said)))
}
