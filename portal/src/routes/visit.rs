//! A visit: the viewer behind a request, and how pages are answered to them.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use catalog_client::{Client, ClientError};
use catalog_schemas::datazone::Datazone;
use catalog_schemas::problem::Problem;

use super::Portal;
use crate::document::Document;
use crate::link::{local_path, with_query};
use crate::viewer::{Theme, Viewer};
use crate::{field, page};

/// The cookie that keeps the theme.
pub(crate) const THEME_COOKIE: &str = "theme";

/// The viewer behind a request.
pub(crate) struct Visit {
    /// A client that acts for the viewer.
    pub(crate) client: Client,
    /// What the frame around every page shows.
    pub(crate) viewer: Viewer,
    /// The decoded query parameters.
    pub(crate) query: Vec<(String, String)>,
    request_id: Option<String>,
}

impl FromRequestParts<Portal> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Infallible> {
        let path = match parts.method {
            Method::GET | Method::HEAD => parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            // What a form is sent to cannot be looked at, so coming back means the page that held the form.
            _ => referring_path(&parts.headers).unwrap_or("/"),
        };
        let mut viewer = Viewer::anonymous(path);
        viewer.theme = cookies(&parts.headers)
            .find(|(name, _)| *name == THEME_COOKIE)
            .and_then(|(_, word)| Theme::from_word(word))
            .unwrap_or_default();
        let client = portal.client.for_viewer(&parts.headers);
        // Nobody signs in with the theme, so most visits need no question about who they are.
        let credentials = parts.headers.contains_key(header::AUTHORIZATION)
            || cookies(&parts.headers).any(|(name, _)| name != THEME_COOKIE);
        if credentials {
            match client.me().await {
                Ok(me) => viewer.me = me,
                Err(error) => tracing::debug!(%error, "the viewer is not known, and is taken as anonymous"),
            }
        }
        let query = field::pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let request_id = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        Ok(Self { client, viewer, query, request_id })
    }
}

impl Visit {
    /// Answers a page.
    pub(crate) fn page(&self, document: Document) -> Response {
        self.page_with(StatusCode::OK, document)
    }

    /// Answers a page with a status.
    pub(crate) fn page_with(&self, status: StatusCode, document: Document) -> Response {
        let caching = if self.viewer.signed_in() { "private, no-store" } else { "no-cache" };
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, caching),
            (header::VARY, "Cookie"),
        ];
        (status, headers, document.render(&self.viewer)).into_response()
    }

    /// Answers the page of a problem.
    pub(crate) fn problem(&self, mut problem: Problem) -> Response {
        if problem.instance.is_none() {
            problem.instance.clone_from(&self.request_id);
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.page_with(status, page::problem::problem(&problem));
        // A program that asked for the page is told it in its own way.
        response.extensions_mut().insert(problem);
        response
    }

    /// Answers what a call that failed means to the viewer: an unknown one is asked to sign in.
    pub(crate) fn failed(&self, error: ClientError) -> Response {
        let problem = self.problem_of(error);
        if problem.status == 401 { self.sign_in() } else { self.problem(problem) }
    }

    /// Returns the problem behind a call that failed; what did not come through stays in the log.
    pub(crate) fn problem_of(&self, error: ClientError) -> Problem {
        match error {
            ClientError::Problem(problem) if problem.code() != "unknown" => *problem,
            // What is no problem document was not written for a reader, and may tell more than it should.
            ClientError::Problem(problem) => {
                tracing::error!(
                    status = problem.status,
                    path = self.viewer.path,
                    "the api answered without a problem document"
                );
                Problem::new(
                    problem.status,
                    "unknown",
                    "unexpected answer",
                    "The catalogue answered something unexpected.",
                )
            }
            ClientError::Transport(cause) => {
                tracing::error!(cause, path = self.viewer.path, "the portal got no answer from the api");
                Problem::new(
                    502,
                    "no-answer",
                    "no answer",
                    "The catalogue does not answer at the moment. Try again in a minute.",
                )
            }
        }
    }

    /// Answers by way of the sign-in page, and back here.
    pub(crate) fn sign_in(&self) -> Response {
        see(&with_query("/login", [("next", &self.viewer.path)]))
    }

    /// Returns one query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        field::text(&self.query, name)
    }

    /// Returns the datazones; a page without them is better than none.
    pub(crate) async fn datazones(&self) -> Vec<Datazone> {
        match self.client.datazones().await {
            Ok(zones) => zones.datazones,
            Err(error) => {
                tracing::warn!(%error, "the datazones cannot be listed");
                Vec::new()
            }
        }
    }
}

/// Answers with the page to see next, so that reloading it sends nothing again.
pub(crate) fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// Answers with the page to see next and a cookie.
pub(crate) fn see_with_cookie(path: &str, cookie: HeaderValue) -> Response {
    let mut response = see(path);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Returns path and query of the page that a request comes from; the middleware has seen that it is one of ours.
fn referring_path(headers: &HeaderMap) -> Option<&str> {
    let (_, rest) = headers.get(header::REFERER)?.to_str().ok()?.split_once("://")?;
    let path = local_path(&rest[rest.find('/')?..], "");
    (!path.is_empty()).then_some(path)
}

/// Returns the cookies that a browser sent, by name.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='))
}
