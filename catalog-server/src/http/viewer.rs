//! Who is asking, and the one function that says what they may do.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use catalog_records::{AccountName, Actor, Credential, origin};
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::id::Identifier;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};

use crate::app::App;
use crate::http::delegation::is_signed;
use crate::http::problem::Failure;

/// What a request asks to be allowed.
#[derive(Debug, Clone, Copy)]
pub enum Permission<'a> {
    /// To read what is one's own.
    Account,
    /// To change what is one's own: tokens, sessions, groups, the password.
    Manage,
    /// To publish at all.
    PublishSomewhere,
    /// To publish or withdraw a record.
    Publish(&'a Identifier),
    /// To launch and stop.
    Launch,
    /// To curate.
    Moderate,
    /// To run the server.
    Administer,
}

/// Who is asking: nobody known, or an account through a token or a session.
#[derive(Debug, Clone)]
pub struct Viewer {
    actor: Option<Actor>,
}

impl Viewer {
    /// Returns nobody known: what everybody may see.
    pub fn anonymous() -> Self {
        Self { actor: None }
    }

    /// Returns the actor when it may; denies everything else. The only place where this is decided.
    pub fn may(&self, permission: Permission<'_>) -> Result<&Actor, Failure> {
        let actor = self.actor.as_ref().ok_or_else(Failure::unauthenticated)?;
        let (role, scope) = match permission {
            Permission::Account => (Role::User, Scope::Read),
            Permission::Manage => (Role::User, Scope::Admin),
            Permission::Launch => (Role::User, Scope::Launch),
            // Whose namespace it is, the ledger decides in the transaction that publishes.
            Permission::Publish(identifier) if !actor.allows_publishing(identifier) => {
                return Err(Failure::forbidden(format!("this token may not publish `{identifier}`")));
            }
            Permission::Publish(_) | Permission::PublishSomewhere => (Role::User, Scope::Publish),
            Permission::Moderate => (Role::Moderator, Scope::Moderate),
            Permission::Administer => (Role::Administrator, Scope::Admin),
        };
        // A token for one namespace would otherwise make itself one for all, or invite somebody into another.
        if matches!(permission, Permission::Manage | Permission::Administer) && actor.namespace.is_some() {
            return Err(Failure::forbidden("a token for one namespace manages neither accounts nor groups nor tokens"));
        }
        if actor.role < role {
            return Err(Failure::forbidden(format!("this is for the role {} and above", role.as_str())));
        }
        // Every token may read; other scopes must have been given to it.
        if scope != Scope::Read && !actor.allows(scope) {
            return Err(Failure::forbidden(format!("this token does not have the scope {}", scope.as_str())));
        }
        Ok(actor)
    }

    /// Returns the actor, when there is one.
    pub fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// Returns the account, when there is one.
    pub fn account(&self) -> Option<&AccountName> {
        self.actor.as_ref().map(|actor| &actor.account)
    }

    /// Returns the role.
    pub fn role(&self) -> Role {
        self.actor.as_ref().map_or(Role::Anonymous, |actor| actor.role)
    }

    /// Says whether this is somebody who reads what is private to every record.
    pub fn moderates(&self) -> bool {
        self.may(Permission::Moderate).is_ok()
    }

    /// Says whether this is the account, or somebody who moderates.
    pub fn is_or_moderates(&self, account: &str) -> bool {
        self.account().is_some_and(|name| name.as_str() == account) || self.moderates()
    }
}

impl Viewer {
    /// Finds out who sent these headers; a credential that does not hold is an error.
    pub async fn of(headers: &HeaderMap, app: &App) -> Result<Self, Failure> {
        if let Some(value) = headers.get(header::AUTHORIZATION).filter(|_| !is_signed(headers)) {
            let secret = value.to_str().ok().and_then(|text| text.split_once(' '));
            let Some((_, secret)) = secret.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
                return Err(Failure::unauthenticated());
            };
            let actor = app.ledger.token_check(secret.trim()).await?;
            actor.iter().for_each(note_credential);
            // A token that is sent and does not hold is an error, not an anonymous request.
            return actor.map(|actor| Self { actor: Some(actor) }).ok_or_else(Failure::unauthenticated);
        }
        let actor = match session_of(headers, app.config.is_secure()) {
            Some(secret) => app.ledger.session_check(&secret).await?,
            None => None,
        };
        actor.iter().for_each(note_credential);
        Ok(Self { actor })
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        // The route's guard has asked already, where it had to.
        match parts.extensions.get::<Self>() {
            Some(known) => Ok(known.clone()),
            None => Self::of(&parts.headers, app).await,
        }
    }
}

/// Notes for the audit trail with what an actor proved who it is.
fn note_credential(actor: &Actor) {
    let credential = match &actor.credential {
        Credential::Token(id) => format!("token {id}"),
        Credential::Session => "session".to_owned(),
        Credential::Platform => return,
    };
    origin::note(|origin| origin.credential = Some(credential));
}

/// Returns the session's cookie name: bound to the host and to TLS where there is TLS (RFC 6265bis, section 4.1.3.2).
pub fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-alidade" } else { "alidade" }
}

/// Finds the session's secret among the cookies.
pub fn session_of(headers: &HeaderMap, secure: bool) -> Option<String> {
    cookie_of(headers, cookie_name(secure)).filter(|secret| !secret.is_empty())
}

/// Finds a cookie's value.
pub fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(cookie, _)| *cookie == name)
        .map(|(_, value)| value.to_owned())
}

/// Makes the cookie that carries a session, or that ends it when there is none.
pub fn session_cookie(secret: Option<&str>, secure: bool) -> Result<HeaderValue, Failure> {
    let (name, flags) = (cookie_name(secure), if secure { "; Secure" } else { "" });
    let text = match secret {
        Some(secret) => format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800{flags}"),
        None => format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{flags}"),
    };
    let mut value = HeaderValue::from_str(&text).map_err(Failure::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Refuses a change that another site's page asks for in the viewer's name (THREATS T11).
///
/// A browser says where a request comes from; a request without cookies needs no defence, as it carries no authority
/// that a page could borrow, but a sign-in is defended too, so that nobody is signed in as somebody else.
pub async fn same_origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Result<Response, Failure> {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // Queries and harvesting are read-only, and scripts of other origins may ask them.
    if is_safe
        || matches!(request.uri().path(), "/sparql" | "/oai")
        || request.headers().contains_key(header::AUTHORIZATION)
    {
        return Ok(next.run(request).await);
    }
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let is_ours = |origin: &str| {
        // Over TLS only the very origin counts: a page that somebody put into http:// of the same name is not ours.
        origin == app.origin
            || (!app.config.is_secure()
                && origin.split_once("://").is_some_and(|(_, authority)| authority == host && !host.is_empty()))
    };
    let allowed = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), origin) => matches!(site, "same-origin" | "none") && origin.is_none_or(is_ours),
        (None, Some(origin)) => is_ours(origin),
        (None, None) => session_of(headers, app.config.is_secure()).is_none(),
    };
    if !allowed {
        return Err(Failure::forbidden("the request comes from another site's page"));
    }
    Ok(next.run(request).await)
}
