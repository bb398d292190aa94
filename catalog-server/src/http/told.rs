//! How a problem is told: as a page to people, as a problem document to programs, and in the words of a standard whose
//! clients know no problem documents.

use axum::response::{IntoResponse, Response};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, HeaderValue, header};

use super::accept::{accept_of, negotiate};
use super::documents::trs;

/// Where programs are at home, who ask with whatever `Accept` their library sends.
const FOR_PROGRAMS: [&str; 4] = ["/api/", "/lab/", "/oai", "/metrics"];

/// What a request says of who asks: all that is needed when the answer is known.
pub struct Asker {
    path: String,
    /// `Accept`, and the cookies that a page's frame follows.
    headers: HeaderMap,
}

impl Asker {
    /// Keeps what will be needed.
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        let mut kept = HeaderMap::new();
        for name in [header::ACCEPT, header::COOKIE] {
            for value in headers.get_all(&name) {
                kept.append(name.clone(), value.clone());
            }
        }
        Self { path: path.to_owned(), headers: kept }
    }

    /// Tells a problem as whoever asks can read it; any other answer passes.
    pub fn tell(&self, mut response: Response) -> Response {
        let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
        if self.path.starts_with(trs::ROOT) {
            return retold(response, axum::Json(trs::error(&problem)).into_response());
        }
        if FOR_PROGRAMS.iter().any(|place| self.path.starts_with(place)) {
            return response;
        }
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
        let wants_page = self.wants_page(is_page);
        let varied = match (is_page, wants_page) {
            (false, true) => {
                let page = catalog_portal::refusal(&self.headers, &self.path, problem);
                retold(response, axum::response::Html(page).into_response())
            }
            (true, false) => {
                let mut document = axum::Json(&problem).into_response();
                let kind = HeaderValue::from_static("application/problem+json");
                document.headers_mut().insert(header::CONTENT_TYPE, kind);
                retold(response, document)
            }
            _ => response,
        };
        with_vary(varied, wants_page)
    }

    /// Says whether a page suits who asks; where both do, what is at home here.
    fn wants_page(&self, is_page: bool) -> bool {
        let accept = accept_of(&self.headers);
        let offered = if is_page {
            ["text/html", "application/problem+json", "application/json"]
        } else {
            ["application/problem+json", "application/json", "text/html"]
        };
        negotiate(accept.as_deref(), &offered).is_some_and(|index| offered[index] == "text/html")
    }
}

/// Gives an answer another body, with the type that goes with it.
fn retold(old: Response, new: Response) -> Response {
    let (mut parts, _) = old.into_parts();
    let (mut fresh, body) = new.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_ENCODING);
    if let Some(kind) = fresh.headers.remove(header::CONTENT_TYPE) {
        parts.headers.insert(header::CONTENT_TYPE, kind);
    }
    Response::from_parts(parts, body)
}

fn with_vary(mut response: Response, is_page: bool) -> Response {
    let said = response.headers().get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    let said = said.collect::<Vec<_>>().join(", ");
    let has = |name: &str| said.split(',').any(|one| one.trim().eq_ignore_ascii_case(name));
    for name in ["Accept", "Cookie"] {
        // Only a page's frame follows cookies.
        if !has(name) && (name == "Accept" || is_page) {
            response.headers_mut().append(header::VARY, HeaderValue::from_static(name));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::http::problem::Failure;

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    fn told(path: &str, accept: Option<&str>, answer: Response) -> (StatusCode, String, HeaderMap) {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        let response = Asker::of(path, &headers).tell(answer);
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
        let kind = kind.split(';').next().unwrap().to_owned();
        (response.status(), kind, response.headers().clone())
    }

    #[test]
    fn people_get_a_page_and_programs_a_document() {
        let document = || Failure::not_found("record", "go-esa/esa.x.y").into_response();
        let page = || {
            let mut page = axum::response::Html("<h1>There is nothing here</h1>").into_response();
            page.extensions_mut().insert(Problem::new(404, "not_found", "not found", "no page"));
            *page.status_mut() = StatusCode::NOT_FOUND;
            page
        };
        const PROBLEM: &str = "application/problem+json";
        for (path, accept, answer, expected) in [
            ("/id/go-esa/esa.x.y", None, document(), PROBLEM),
            ("/id/go-esa/esa.x.y", Some("*/*"), document(), PROBLEM),
            ("/id/go-esa/esa.x.y", Some("text/turtle"), document(), PROBLEM),
            ("/id/go-esa/esa.x.y", Some("application/json, */*;q=0.1"), document(), PROBLEM),
            ("/id/go-esa/esa.x.y", Some(BROWSER), document(), "text/html"),
            ("/ns/esado/none", Some("text/html"), document(), "text/html"),
            ("/api/v1/records/go-esa/esa.x.y", Some(BROWSER), document(), PROBLEM),
            ("/record/go-esa/esa.x.y", None, page(), "text/html"),
            ("/record/go-esa/esa.x.y", Some("*/*"), page(), "text/html"),
            ("/record/go-esa/esa.x.y", Some(BROWSER), page(), "text/html"),
            ("/record/go-esa/esa.x.y", Some("application/json"), page(), PROBLEM),
            ("/record/go-esa/esa.x.y", Some("text/turtle"), page(), PROBLEM),
            ("/ga4gh/trs/v2/tools/none", Some("application/json"), document(), "application/json"),
            ("/ga4gh/trs/v2/tools/none", Some(BROWSER), document(), "application/json"),
        ] {
            let (status, kind, headers) = told(path, accept, answer);
            assert_eq!((status, kind.as_str()), (StatusCode::NOT_FOUND, expected), "{path} {accept:?}");
            let varies = headers.get_all(header::VARY).iter().any(|value| value.to_str().unwrap().contains("Accept"));
            assert_eq!(varies, !path.starts_with("/api") && !path.starts_with("/ga4gh"), "{path} {accept:?}");
        }
    }

    #[test]
    fn what_a_problem_asks_for_stays() {
        let busy = Failure::too_many("sparql.budget", "used up", 7).into_response();
        let (status, _, headers) = told("/sparql", Some(BROWSER), busy);
        assert_eq!((status.as_u16(), &headers[header::RETRY_AFTER]), (429, &HeaderValue::from_static("7")));
        assert!(!headers.contains_key(header::CONTENT_LENGTH));
    }
}
