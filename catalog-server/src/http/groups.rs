//! Groups: the developers of a namespace, and teams.

use std::sync::Arc;

use axum::extract::State;
use catalog_records::AccountName;
use catalog_schemas::group::{Group, GroupKind, Groups, Invitation, NewGroup};
use catalog_schemas::problem::{Finding, Problem};
use http::StatusCode;
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::{Permission, Viewer};

/// Whose groups.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// Every group, for administrators; only one's own otherwise.
    #[serde(default)]
    all: bool,
}

/// Lists the groups that the viewer is in, invitations included.
#[utoipa::path(get, path = "/api/v1/groups", tag = "account", params(Whose), responses((status = 200, description = "Groups", body = Groups)))]
pub async fn groups(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Query(whose): Query<Whose>,
) -> Result<Json<Groups>, Failure> {
    let actor = viewer.may(Permission::Account)?;
    if whose.all {
        viewer.may(Permission::Administer)?;
    }
    Ok(Json(Groups { groups: app.ledger.groups((!whose.all).then_some(&actor.account)).await? }))
}

/// Makes a team, or takes a namespace that nobody has; the viewer is its first owner.
#[utoipa::path(post, path = "/api/v1/groups", tag = "account", request_body = NewGroup,
    responses((status = 201, description = "The group", body = Group), (status = 409, description = "There is one already", body = Problem), (status = 422, description = "Not a name", body = Problem)))]
pub async fn group_create(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Json(asked): Json<NewGroup>,
) -> Result<(StatusCode, Json<Group>), Failure> {
    let actor = viewer.may(Permission::Manage)?;
    // Teams that an identity provider names have its name behind an `@`: nobody can make one beforehand and be in it.
    if asked.kind == GroupKind::Team && asked.name.contains('@') {
        return Err(invalid("/name", "a team's name has no `@`: such teams come from identity providers"));
    }
    if asked.title.as_ref().is_some_and(|title| title.chars().count() > 100 || title.chars().any(char::is_control)) {
        return Err(invalid("/title", "a title has at most 100 characters on one line"));
    }
    app.ledger.group_create(asked.kind, &asked.name, asked.title.as_deref(), actor, &request_id()).await?;
    let group = find(&app, &viewer, asked.kind, &asked.name).await?;
    Ok((StatusCode::CREATED, Json(group)))
}

/// Gives a group that the viewer is in.
#[utoipa::path(get, path = "/api/v1/groups/{kind}/{name}", tag = "account", params(("kind" = GroupKind, Path, description = "namespace or team"), ("name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The group", body = Group), (status = 404, description = "No such group of the viewer's", body = Problem)))]
pub async fn group(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((kind, name)): Path<(GroupKind, String)>,
) -> Result<Json<Group>, Failure> {
    find(&app, &viewer, kind, &name).await.map(Json)
}

async fn find(app: &App, viewer: &Viewer, kind: GroupKind, name: &str) -> Result<Group, Failure> {
    let actor = viewer.may(Permission::Account)?;
    let all = viewer.may(Permission::Administer).is_ok();
    let groups = app.ledger.groups((!all).then_some(&actor.account)).await?;
    let found = groups.into_iter().find(|group| group.kind == kind && group.name == name);
    found.ok_or_else(|| Failure::not_found(kind.as_str(), name))
}

/// Invites an account into a group, or gives a member another rank; owners only.
#[utoipa::path(put, path = "/api/v1/groups/{kind}/{name}/members/{account}", tag = "account", request_body = Invitation,
    params(("kind" = GroupKind, Path, description = "namespace or team"), ("name" = String, Path, description = "Its name"), ("account" = String, Path, description = "The account")),
    responses((status = 204, description = "Invited, or the rank changed"), (status = 404, description = "No such group, or account", body = Problem), (status = 409, description = "The last owner stays", body = Problem)))]
pub async fn member_invite(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((kind, name, account)): Path<(GroupKind, String, String)>,
    Json(invitation): Json<Invitation>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Manage)?;
    let account = account_name(&account)?;
    app.ledger.group_invite((kind, &name), &account, invitation.rank, actor, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes an account out of a group: oneself, or anybody as an owner.
#[utoipa::path(delete, path = "/api/v1/groups/{kind}/{name}/members/{account}", tag = "account",
    params(("kind" = GroupKind, Path, description = "namespace or team"), ("name" = String, Path, description = "Its name"), ("account" = String, Path, description = "The account")),
    responses((status = 204, description = "Taken out"), (status = 404, description = "No such group, or member", body = Problem), (status = 409, description = "The last owner stays", body = Problem)))]
pub async fn member_remove(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((kind, name, account)): Path<(GroupKind, String, String)>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Manage)?;
    app.ledger.group_remove((kind, &name), &account_name(&account)?, actor, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accepts one's invitation.
#[utoipa::path(post, path = "/api/v1/groups/{kind}/{name}/acceptance", tag = "account",
    params(("kind" = GroupKind, Path, description = "namespace or team"), ("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "Accepted"), (status = 404, description = "No such invitation", body = Problem)))]
pub async fn member_accept(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((kind, name)): Path<(GroupKind, String)>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Manage)?;
    app.ledger.group_accept((kind, &name), &actor.account, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn account_name(text: &str) -> Result<AccountName, Failure> {
    text.parse().map_err(|_| Failure::not_found("account", text))
}

fn invalid(pointer: &str, message: &str) -> Failure {
    Failure::unprocessable(Finding::error("value.range", message).pointer(pointer))
}
