//! Keys of namespaces, by which signed packages are verified.

use std::sync::Arc;

use axum::extract::State as Shared;
use catalog_ontology::signature::public_key;
use catalog_records::{NamespaceKey, NewKey};
use catalog_schemas::governance::{NewSigningKey, SigningKey, SigningKeys};
use catalog_schemas::id::Namespace;
use catalog_schemas::problem::{Finding, Problem};
use http::StatusCode;
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::{Permission, Viewer};

/// Whose keys are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct OfNamespace {
    /// A namespace; those of the viewer when absent.
    #[param(value_type = Option<String>)]
    namespace: Option<Namespace>,
}

/// Lists the public keys of a namespace, revoked ones included, so that anybody can verify what it signed.
#[utoipa::path(get, path = "/api/v1/keys", tag = "publish", params(OfNamespace),
    responses((status = 200, description = "Keys", body = SigningKeys), (status = 401, description = "No namespace, and nobody is signed in", body = Problem)))]
pub async fn list(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Query(of): Query<OfNamespace>,
) -> Result<Json<SigningKeys>, Failure> {
    let (keys, whole) = match of.namespace {
        Some(namespace) => (app.ledger.keys_of(&namespace).await?, false),
        None => {
            let actor = viewer.may(Permission::Account)?;
            let namespaces = app.ledger.namespaces(&actor.account).await?;
            (app.ledger.keys(&namespaces).await?, true)
        }
    };
    Ok(Json(SigningKeys { keys: keys.into_iter().map(|key| shown(key, whole)).collect() }))
}

/// Registers a public key for a namespace; its owner and administrators only.
#[utoipa::path(post, path = "/api/v1/keys", tag = "publish", request_body = NewSigningKey,
    responses((status = 201, description = "Registered", body = SigningKey), (status = 403, description = "Not the owner of the namespace", body = Problem),
        (status = 404, description = "No such namespace", body = Problem), (status = 422, description = "No such key", body = Problem)))]
pub async fn register(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Json(asked): Json<NewSigningKey>,
) -> Result<(StatusCode, Json<SigningKey>), Failure> {
    let actor = viewer.may(Permission::Account)?;
    let unprocessable = |pointer: &str, message: String| {
        Failure::unprocessable(Finding::error("value.invalid", message).pointer(pointer))
    };
    let namespace: Namespace =
        asked.namespace.parse::<Namespace>().map_err(|error| unprocessable("/namespace", format!("{error}")))?;
    let name = asked.name.trim();
    if !(1..=100).contains(&name.chars().count()) {
        return Err(unprocessable("/name", "a key's name has 1 to 100 characters".to_owned()));
    }
    public_key(&asked.public_key).map_err(|error| unprocessable("/publicKey", error.to_string()))?;
    let key = NewKey { namespace, name: name.to_owned(), public_key: asked.public_key };
    let key = app.ledger.key_register(key, actor, &request_id()).await?;
    Ok((StatusCode::CREATED, Json(shown(key, true))))
}

/// Revokes a key: nothing new is taken that it signs; what it signed before says that its key was revoked.
#[utoipa::path(delete, path = "/api/v1/keys/{key}", tag = "publish", params(("key" = String, Path, description = "The key's id")),
    responses((status = 204, description = "Revoked"), (status = 403, description = "Not the owner of the namespace", body = Problem), (status = 404, description = "No such key", body = Problem)))]
pub async fn revoke(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Account)?;
    app.ledger.key_revoke(&id, actor, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows a key; who registered it only to its owners.
fn shown(key: NamespaceKey, whole: bool) -> SigningKey {
    SigningKey {
        id: key.id,
        namespace: key.namespace,
        name: key.name,
        public_key: key.public_key,
        account: if whole { key.account } else { String::new() },
        created: key.created.to_string(),
        revoked: key.revoked.map(|at| at.to_string()),
    }
}
