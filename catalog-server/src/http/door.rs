//! The door between the portal and the labs' own origin (THREATS T33).
//!
//! A lab runs what strangers wrote. On an origin of its own, its pages can neither read the portal's cookies nor call the
//! portal as its user. The portal sends a lab's owner there with a ticket that opens one lab, once, within a minute; there
//! it becomes a cookie of that lab's path alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use catalog_schemas::id::LaunchId;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::http::lab;
use crate::http::problem::Failure;

/// The parameter that carries a ticket.
pub const TICKET: &str = "alidade-ticket";

/// The cookie that opens a lab at the labs' origin.
pub const COOKIE: &str = "alidade-lab";

/// How long a ticket holds.
const TICKET_LIFETIME: Duration = Duration::from_secs(60);

/// How long a lab stays open without a new ticket; the portal gives one without asking while its session holds.
const KEY_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Tickets and keys that were given, by the hash of their secret. They are in memory: after a restart the portal gives
/// new ones.
#[derive(Default)]
pub struct Door {
    given: Mutex<HashMap<[u8; 32], Given>>,
}

struct Given {
    launch: LaunchId,
    account: String,
    is_ticket: bool,
    until: Instant,
}

impl Door {
    /// Gives a ticket for a lab to its owner.
    pub fn ticket(&self, launch: &LaunchId, account: &str) -> String {
        self.give(launch, account, true)
    }

    fn give(&self, launch: &LaunchId, account: &str, is_ticket: bool) -> String {
        let secret = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let lifetime = if is_ticket { TICKET_LIFETIME } else { KEY_LIFETIME };
        let (launch, account) = (launch.clone(), account.to_owned());
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        given.retain(|_, given| given.until > now);
        given.insert(hash(&secret), Given { launch, account, is_ticket, until: now + lifetime });
        secret
    }

    /// Exchanges a ticket for a key; it is gone then.
    fn exchange(&self, ticket: &str, launch: &LaunchId) -> Option<String> {
        let taken = self.given.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(ticket))?;
        let holds = taken.is_ticket && taken.launch == *launch && taken.until > Instant::now();
        holds.then(|| self.give(launch, &taken.account, false))
    }

    /// Returns the account whose key this is.
    fn holder(&self, key: &str, launch: &LaunchId) -> Option<String> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let found = given.get(&hash(key))?;
        (!found.is_ticket && found.launch == *launch && found.until > Instant::now()).then(|| found.account.clone())
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Says whether a request came to an origin.
pub fn is_at(headers: &HeaderMap, origin: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// At the labs' origin there are labs and nothing else: neither the portal nor its API.
pub async fn only_labs(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let at_labs = app.config.lab_origin.as_ref().is_some_and(|origin| is_at(request.headers(), origin));
    if at_labs && !request.uri().path().starts_with("/lab/") {
        return Failure::not_found("lab", request.uri().path()).into_response();
    }
    next.run(request).await
}

/// Answers at the labs' origin: takes a ticket, or passes on what comes with the lab's key.
pub async fn within(app: &App, id: &LaunchId, request: Request) -> Result<Response, Failure> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if let Some((_, ticket)) = pairs.iter().find(|(name, _)| name == TICKET) {
        let Some(key) = app.door.exchange(ticket, id) else { return Ok(back(app, &path)) };
        let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(TICKET)).collect();
        let place = if rest.is_empty() { path } else { format!("{path}?{}", rest.join("&")) };
        let secure =
            if app.config.lab_origin.as_ref().is_some_and(|it| it.starts_with("https://")) { "; Secure" } else { "" };
        let cookie = format!("{COOKIE}={key}; Path=/lab/{id}/; HttpOnly; SameSite=Lax{secure}");
        let mut cookie = HeaderValue::from_str(&cookie).map_err(Failure::internal)?;
        cookie.set_sensitive(true);
        let headers = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        return Ok((headers, Redirect::to(&place)).into_response());
    }
    let holder = cookie_of(request.headers()).and_then(|key| app.door.holder(&key, id));
    let Some(holder) = holder else { return Ok(back(app, &path)) };
    let stored = app.ledger.launch(id.as_str()).await?.filter(|stored| stored.launch.owner == holder);
    let stored = stored.ok_or_else(|| Failure::not_found("launch", id.as_str()))?;
    let whole = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    lab::pass_on(app, &stored, &whole, request, lab::From::Browser).await
}

/// Leads back to the portal, which knows who is asking and gives a ticket.
fn back(app: &App, path: &str) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Redirect::to(&format!("{}{path}", app.base))).into_response()
}

fn cookie_of(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, key)| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_one_lab_once() {
        let door = Door::default();
        let (one, other) = (LaunchId::from_bytes([1; 16]), LaunchId::from_bytes([2; 16]));
        let ticket = door.ticket(&one, "anna");
        assert_eq!(door.holder(&ticket, &one), None, "a ticket is no key");
        let key = door.exchange(&ticket, &one).unwrap();
        assert_eq!(door.exchange(&ticket, &one), None);
        assert_eq!(door.holder(&key, &one).as_deref(), Some("anna"));
        assert_eq!(door.holder(&key, &other), None);
        assert_eq!(door.exchange(&key, &one), None, "a key is no ticket");
        assert_eq!(door.exchange(&door.ticket(&one, "anna"), &other), None);
    }
}
