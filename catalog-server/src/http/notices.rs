//! What the viewer should know: as JSON, and as an Atom feed for a reader that sends a token.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use catalog_records::{HELD, Notice};
use catalog_schemas::governance::{Notification, Notifications, ReadUpTo};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::app::App;
use crate::http::accept::negotiate;
use crate::http::extract::Json;
use crate::http::problem::{Failure, request_id};
use crate::http::viewer::{Permission, Viewer};

/// How many notifications an answer holds.
const SHOWN: u32 = 200;

/// Lists what the viewer should know, newest first; as an Atom feed for whoever prefers `application/atom+xml`.
#[utoipa::path(get, path = "/api/v1/notifications", tag = "account",
    responses((status = 200, description = "Notifications", body = Notifications), (status = 401, description = "Nobody is signed in", body = Problem)))]
pub async fn notifications(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let actor = viewer.may(Permission::Account)?;
    let moderates = viewer.moderates();
    let notices = app.ledger.notices(&actor.account, moderates, SHOWN).await?;
    let unread = app.ledger.unread(&actor.account, moderates).await?;
    let notifications = notices.into_iter().map(|notice| shown(&app, notice)).collect();
    let answer = Notifications { unread, notifications };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let private = [(header::CACHE_CONTROL, "private, no-store"), (header::VARY, "Accept, Cookie, Authorization")];
    if negotiate(accept, &["application/json", "application/atom+xml"]) == Some(1) {
        let feed = atom(&app.base, actor.account.as_str(), &answer);
        let media_type = HeaderValue::from_static("application/atom+xml; charset=utf-8");
        return Ok((private, [(header::CONTENT_TYPE, media_type)], feed).into_response());
    }
    Ok((private, Json(answer)).into_response())
}

/// Marks what the viewer has read, up to a number.
#[utoipa::path(post, path = "/api/v1/notifications/read", tag = "account", request_body = ReadUpTo,
    responses((status = 204, description = "Marked"), (status = 401, description = "Nobody is signed in", body = Problem)))]
pub async fn read(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Json(read): Json<ReadUpTo>,
) -> Result<StatusCode, Failure> {
    let actor = viewer.may(Permission::Account)?;
    app.ledger.notices_read(&actor.account, read.number, &request_id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(app: &App, notice: Notice) -> Notification {
    let Notice { number, at, what, zone, identifier, version, message, account, read } = notice;
    let version = Some(version).filter(|version| !version.is_empty());
    let page = match (&version, what.as_str()) {
        (Some(run), HELD) => format!("{}/sources/{identifier}/runs/{run}", app.base),
        (Some(version), "submitted") => format!("{}/review/{zone}/{identifier}/{version}", app.base),
        (Some(version), _) => format!("{}/record/{zone}/{identifier}/{version}", app.base),
        (None, _) => format!("{}/record/{zone}/{identifier}", app.base),
    };
    Notification { number, at: at.to_string(), what, zone, identifier, version, message, account, read, url: page }
}

fn atom(base: &str, account: &str, answer: &Notifications) -> String {
    let updated = answer.notifications.first().map_or("1970-01-01T00:00:00Z", |newest| &newest.at);
    let mut feed = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <id>{0}/api/v1/notifications</id>\n<title>Notifications to {1}</title>\n<updated>{2}</updated>\n\
         <link rel=\"self\" href=\"{0}/api/v1/notifications\"/>\n",
        escape(base),
        escape(account),
        escape(updated)
    );
    for one in &answer.notifications {
        let version = one.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        let title = match one.what.as_str() {
            HELD => format!("Run{version} of {} waits for approval", one.identifier),
            what => format!("{}{version} was {what} by {}", one.identifier, one.account),
        };
        feed.push_str(&format!(
            "<entry>\n<id>{}/api/v1/notifications#{}</id>\n<title>{}</title>\n<updated>{}</updated>\n<link href=\"{}\"/>\n\
             <author><name>{}</name></author>\n<summary>{}</summary>\n</entry>\n",
            escape(base),
            one.number,
            escape(&title),
            escape(&one.at),
            escape(&one.url),
            escape(&one.account),
            escape(one.message.as_deref().unwrap_or_default())
        ));
    }
    feed.push_str("</feed>\n");
    feed
}

/// Escapes a text for XML; what XML 1.0 cannot hold is replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_holds_nothing_that_breaks_it() {
        let answer = Notifications {
            unread: 1,
            notifications: vec![Notification {
                number: 1,
                at: "2026-01-01T00:00:00Z".to_owned(),
                what: "returned".to_owned(),
                zone: "z".to_owned(),
                identifier: "a.b".to_owned(),
                version: Some("1".to_owned()),
                message: Some("</summary><evil/>&\u{1b}[0m\"".to_owned()),
                account: "ann".to_owned(),
                read: false,
                url: "https://a.example/record/z/a.b/1".to_owned(),
            }],
        };
        let feed = atom("https://a.example", "bob", &answer);
        assert!(feed.contains("&lt;/summary&gt;&lt;evil/&gt;&amp;\u{fffd}[0m&quot;"), "{feed}");
        assert!(feed.contains("<title>a.b 1 was returned by ann</title>"));
    }
}
