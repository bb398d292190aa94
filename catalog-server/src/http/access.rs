//! What a route asks of whoever calls it: declared in its type, checked before its handler runs.
//!
//! The API takes routes only as `allow::<Launch>(routes!(…))`, so a route without a declaration does not compile; one
//! that came in by another way (a router that somebody merged) stops the start. The declaration is the least that a
//! caller needs. What depends on the thing asked for (whose launch, which namespace) its handler asks in addition,
//! from the same function, [`Viewer::may`].

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::MethodRouter;
use http::header;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder, SecurityRequirement};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::app::App;
use crate::http::delegation::is_signed;
use crate::http::problem::Failure;
use crate::http::viewer::{Permission, Viewer};

/// The key under which the OpenAPI document names an operation's permission.
const DECLARED: &str = "x-permission";

/// A permission as a type, for a route to be declared with.
pub trait Access: 'static {
    /// The word in the OpenAPI document and in `tests/suite/access.tsv`.
    const WORD: &'static str;
    /// What the caller must be allowed; nothing when anyone may call.
    const PERMISSION: Option<Permission<'static>>;
}

macro_rules! access {
    ($($(#[$doc:meta])* $name:ident $word:literal $permission:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl Access for $name {
            const WORD: &'static str = $word;
            const PERMISSION: Option<Permission<'static>> = $permission;
        }
    )*};
}

access! {
    /// Anyone, known or not; the handler shows each what they may see.
    Anyone "anyone" None;
    /// An account, with any credential: to read what is one's own.
    Account "account" Some(Permission::Account);
    /// An account with a session or a token of the scope `admin`: to change what is one's own.
    Manage "manage" Some(Permission::Manage);
    /// An account whose credential may publish; into which namespace, the handler asks.
    Publish "publish" Some(Permission::PublishSomewhere);
    /// An account whose credential may launch.
    Launch "launch" Some(Permission::Launch);
    /// A moderator.
    Moderate "moderate" Some(Permission::Moderate);
    /// An administrator.
    Administer "administer" Some(Permission::Administer);
}

/// A route that nobody declared: the server does not start with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operation {0} declares no permission: add it with `allow::<…>(routes!(…))` in http/mod.rs")]
pub struct Undeclared(String);

/// The routes of the API, each with its permission.
#[derive(Default)]
pub struct Api(OpenApiRouter<Arc<App>>);

impl Api {
    /// Begins with what the OpenAPI document says of the whole.
    pub fn new(document: OpenApi) -> Self {
        Self(OpenApiRouter::with_openapi(document))
    }

    /// Adds documented operations that whoever `A` names may call.
    #[must_use]
    pub fn allow<A: Access>(self, (schemas, mut paths, methods): UtoipaMethodRouter<Arc<App>>) -> Self {
        paths.paths.values_mut().flat_map(operations).for_each(declare::<A>);
        Self(self.0.routes((schemas, paths, methods.route_layer(middleware::from_fn(guard::<A>)))))
    }

    /// Adds a route that is no operation of the API: a page, a file.
    #[must_use]
    pub fn page<A: Access>(self, path: &str, methods: MethodRouter<Arc<App>>) -> Self {
        // A page may answer any method, which is no route of its own for `route_layer`.
        Self(self.0.route(path, methods.layer(middleware::from_fn(guard::<A>))))
    }

    /// Limits the bodies of the routes added so far.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        Self(self.0.layer(DefaultBodyLimit::max(bytes)))
    }

    /// Adds the routes of another.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self(self.0.merge(other.0))
    }

    /// Returns the router and its document; refuses an operation without a declaration.
    pub fn finish(self) -> Result<(Router<Arc<App>>, OpenApi), Undeclared> {
        let (router, mut document) = self.0.split_for_parts();
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                let is_declared = operation.extensions.as_ref().is_some_and(|known| known.get(DECLARED).is_some());
                if !is_declared {
                    return Err(Undeclared(format!("{} {path}", operation.operation_id.as_deref().unwrap_or("?"))));
                }
                name_problems(operation);
            }
        }
        name_operations(&mut document);
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("ald_…").build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::with_description("alidade", "`__Host-alidade` where the server is reached over TLS");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        Ok((router, document))
    }
}

/// Lets a request through to its handler when its sender may; the handler finds out who that is without asking again.
async fn guard<A: Access>(mut request: Request, next: Next) -> Result<Response, Failure> {
    // Whoever sends a credential must hold a good one, even where none is needed: a program with a revoked token
    // should hear of it, and not take what everybody sees for what it may see.
    let names_somebody = request.headers().contains_key(header::AUTHORIZATION) && !is_signed(request.headers());
    if A::PERMISSION.is_some() || names_somebody {
        let app = request.extensions().get::<Arc<App>>().cloned();
        let app = app.ok_or_else(|| Failure::internal("a route is served without its application"))?;
        let viewer = Viewer::of(request.headers(), &app).await?;
        if let Some(permission) = A::PERMISSION {
            viewer.may(permission)?;
        }
        request.extensions_mut().insert(viewer);
    }
    Ok(next.run(request).await)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

/// Gives each operation a name of its own, from which clients make their functions: handlers of several modules share names.
fn name_operations(document: &mut OpenApi) {
    let mut times: HashMap<String, usize> = HashMap::new();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            *times.entry(operation.operation_id.clone().unwrap_or_default()).or_default() += 1;
        }
    }
    for (path, item) in &mut document.paths.paths {
        let methods = [("get", &mut item.get), ("put", &mut item.put), ("post", &mut item.post)];
        let others = [("delete", &mut item.delete), ("patch", &mut item.patch), ("head", &mut item.head)];
        for (method, operation) in methods.into_iter().chain(others) {
            let Some(operation) = operation else { continue };
            let name = operation.operation_id.clone().unwrap_or_default();
            if name.is_empty() || times.get(&name).is_some_and(|times| *times > 1) {
                let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
                operation.operation_id = Some(words.fold(method.to_owned(), |name, word| format!("{name}_{word}")));
            }
        }
    }
}

/// Writes the permission into the document, and the refusals that come with it.
fn declare<A: Access>(operation: &mut Operation) {
    let declared = utoipa::openapi::extensions::Extensions::from_iter([(DECLARED, A::WORD)]);
    operation.extensions.get_or_insert_default().merge(declared);
    let none: [&str; 0] = [];
    let credentials = [SecurityRequirement::new("token", none), SecurityRequirement::new("session", none)];
    let optional = A::PERMISSION.is_none().then(SecurityRequirement::default);
    operation.security = Some(optional.into_iter().chain(credentials).collect());
    let problem = |text: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        RefOr::T(ResponseBuilder::new().description(text).content("application/problem+json", content).build())
    };
    let known = &mut operation.responses.responses;
    known.entry("401".to_owned()).or_insert_with(|| problem("The credential does not hold, or there is none"));
    if A::PERMISSION.is_some() {
        known.entry("403".to_owned()).or_insert_with(|| problem("More than the viewer may"));
    }
    known.entry("400".to_owned()).or_insert_with(|| problem("The request cannot be understood"));
    if operation.request_body.is_some() {
        known
            .entry("422".to_owned())
            .or_insert_with(|| problem("The request is understood and not valid; every fault is named"));
    }
}

/// Gives every problem its media type, and the operations of a standard its own words for errors (`told.rs`): the macro that
/// documents a handler knows neither.
fn name_problems(operation: &mut Operation) {
    let is_problem = |content: &RefOr<Content>| {
        let RefOr::T(content) = content else { return false };
        matches!(&content.schema, Some(RefOr::Ref(to)) if to.ref_location.ends_with("/Problem"))
    };
    let is_trs = operation.tags.iter().flatten().any(|tag| tag == "trs");
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        if is_trs {
            if response.content.values().any(is_problem) {
                let error = ContentBuilder::new().schema(Some(Ref::from_schema_name("TrsError"))).build();
                response.content = std::iter::once(("application/json".to_owned(), error.into())).collect();
            }
            continue;
        }
        if response.content.get("application/json").is_some_and(is_problem)
            && let Some(content) = response.content.shift_remove("application/json")
        {
            response.content.insert("application/problem+json".to_owned(), content);
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa_axum::routes;

    use super::*;

    /// Says hello.
    #[utoipa::path(get, path = "/hello", responses((status = 200, description = "Hello")))]
    async fn hello() -> &'static str {
        "hello"
    }

    #[test]
    fn an_undeclared_route_stops_the_start() {
        let declared = Api::default().allow::<Anyone>(routes!(hello));
        assert!(declared.finish().is_ok());
        let smuggled = Api::default().merge(Api(OpenApiRouter::new().routes(routes!(hello))));
        assert_eq!(smuggled.finish().err(), Some(Undeclared("hello /hello".to_owned())));
    }

    #[tokio::test]
    async fn a_guard_without_its_application_lets_nobody_through() {
        use tower::ServiceExt;
        let router =
            Router::new().route("/hello", axum::routing::get(hello).route_layer(middleware::from_fn(guard::<Account>)));
        let request = Request::get("/hello").body(axum::body::Body::empty()).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), 500);
    }
}
