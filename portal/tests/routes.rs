//! The handlers, over an API that answers with examples.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should say where")]

mod fixture;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use catalog_client::Client;
use catalog_schemas::launch::LaunchRequest;
use catalog_schemas::package::Published;
use catalog_schemas::problem::{Problem, Report};
use catalog_schemas::search::{SearchAnswer, SearchQuery};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

const SESSION: &str = "session=abc";

/// An API that knows one record, one session and one package.
fn api() -> Router {
    fn refuse(status: u16, code: &str, detail: &str) -> axum::response::Response {
        let problem = Problem::new(status, code, code.to_owned(), detail);
        (StatusCode::from_u16(status).unwrap(), Json(problem)).into_response()
    }
    fn known(headers: &HeaderMap) -> bool {
        headers.get(header::COOKIE).is_some_and(|cookie| cookie.to_str().unwrap().contains(SESSION))
    }
    async fn search(Query(pairs): Query<Vec<(String, String)>>) -> Json<SearchAnswer> {
        let query = SearchQuery::from_pairs(pairs).unwrap();
        let answer = fixture::answer("");
        Json(match (query.q.as_str(), query.facets.len()) {
            ("nothing", 1..) => SearchAnswer { total: 0, hits: Vec::new(), ..answer },
            ("nothing", _) => SearchAnswer { total: 7, hits: Vec::new(), ..answer },
            _ => answer,
        })
    }
    async fn record(Path((_, identifier)): Path<(String, String)>) -> axum::response::Response {
        match identifier.as_str() {
            "esa.gaia.jl-pangaia" => Json(fixture::record("")).into_response(),
            "esa.withdrawn" => {
                let mut record = fixture::record("");
                record.state = "withdrawn".to_owned();
                record.reason = Some("It held a private key.".to_owned());
                (StatusCode::GONE, Json(record)).into_response()
            }
            "esa.gone" => refuse(410, "withdrawn", "It held a private key."),
            "esa.broken" => (StatusCode::INTERNAL_SERVER_ERROR, "sqlite: disk full at /home/alidade").into_response(),
            _ => refuse(404, "record-unknown", "No record has this identifier."),
        }
    }
    async fn document(Path((zone, file)): Path<(String, String)>) -> axum::response::Response {
        let iri = format!("https://alidade.example/id/{zone}/{}", file.trim_end_matches(".linkset.json"));
        let metadata = json!({ "href": format!("{iri}.ttl"), "type": "text/turtle", "profile": ["https://w3id.org/esado/profile/v1"] });
        if file.ends_with(".linkset.json") {
            let page = json!({ "anchor": "https://alidade.example/record/x", "cite-as": [{ "href": iri }], "describedby": [metadata] });
            return Json(json!({ "linkset": [page] })).into_response();
        }
        Json(json!({ "@context": "https://schema.org/", "@type": "SoftwareApplication" })).into_response()
    }
    async fn sparql(body: String) -> axum::response::Response {
        if body.contains("SELECT") {
            let rows = json!({ "head": { "vars": ["n"] }, "results": { "bindings": [{ "n": { "type": "literal", "value": "63" } }] } });
            ([(header::CONTENT_TYPE, "application/sparql-results+json")], rows.to_string()).into_response()
        } else if body.contains("DESCRIBE") {
            ([(header::CONTENT_TYPE, "application/n-triples")], "<a:a> <b:b> <c:c> .\n").into_response()
        } else {
            refuse(400, "query.syntax", "error at 1:7: expected one of Var")
        }
    }
    async fn validate(body: Bytes) -> Json<Report> {
        let mut report = if &body[..] == b"good" { Report::new(Vec::new()) } else { fixture::report("") };
        report.identifier = Some("esa.gaia.jl-pangaia".to_owned());
        report.version = Some("0.8.1".to_owned());
        Json(report)
    }
    async fn publish(headers: HeaderMap, body: Bytes) -> axum::response::Response {
        if !known(&headers) {
            return refuse(401, "unauthenticated", "Publishing needs an account.");
        }
        assert_eq!(&body[..], b"good");
        let published = Published {
            iri: String::new(),
            zone: "go-esa".to_owned(),
            identifier: "esa.gaia.jl-pangaia".to_owned(),
            version: "0.8.1".to_owned(),
            digest: String::new(),
            size: 4,
            seq: 9,
            created: true,
            state: "published".to_owned(),
            findings: Vec::new(),
        };
        (StatusCode::CREATED, Json(published)).into_response()
    }
    async fn launch(headers: HeaderMap, Json(request): Json<LaunchRequest>) -> axum::response::Response {
        assert_eq!(headers["idempotency-key"], "key-1");
        let LaunchRequest::Plan(plan) = request else { panic!("an offer") };
        assert_eq!(plan.datalab, "go-esa/esa.gaia.jl-pangaia");
        assert_eq!(plan.resources.memory_mib.unwrap().min, 4096);
        assert_eq!(plan.volumes[0].volume, "pla-legacy");
        if plan.datazone.as_deref() == Some("aws-eu") {
            return refuse(409, "quota-exceeded", "You run 4 of 4 allowed.");
        }
        let id = fixture::launches("").launches[0].id.to_string();
        (StatusCode::ACCEPTED, Json(fixture::launch("", &id, "planned", "go-esa"))).into_response()
    }
    async fn launches(headers: HeaderMap) -> axum::response::Response {
        if known(&headers) {
            Json(fixture::launches("")).into_response()
        } else {
            refuse(401, "unauthenticated", "Whose?")
        }
    }
    async fn one(Path(id): Path<String>) -> axum::response::Response {
        let found = fixture::launches("").launches.into_iter().find(|launch| launch.id.as_str() == id);
        found.map_or_else(|| refuse(404, "launch-unknown", "No such launch."), |launch| Json(launch).into_response())
    }
    async fn me(headers: HeaderMap) -> axum::response::Response {
        if known(&headers) { Json(fixture::me()).into_response() } else { refuse(401, "unauthenticated", "Who?") }
    }
    async fn sign_in(Json(body): Json<serde_json::Value>) -> axum::response::Response {
        if body["token"] == "ald_good" {
            ([(header::SET_COOKIE, "session=abc; HttpOnly; SameSite=Lax; Path=/")], Json(fixture::me())).into_response()
        } else {
            refuse(401, "token-unknown", "The token is not known.")
        }
    }
    async fn my_volume(body: Bytes) -> axum::response::Response {
        let text = String::from_utf8(body.to_vec()).unwrap();
        if text.contains("..") {
            refuse(422, "mount-path", "`/data/../etc` is not a mount path")
        } else {
            StatusCode::NO_CONTENT.into_response()
        }
    }
    Router::new()
        .route("/api/v1/search", get(search))
        .route("/sparql", post(sparql))
        .route("/api/v1/records/{zone}/{identifier}", get(record))
        .route("/id/{zone}/{file}", get(document))
        .route("/api/v1/validate", post(validate))
        .route("/api/v1/packages/{identifier}/{version}", put(publish))
        .route("/api/v1/datazones", get(|| async { Json(fixture::datazones("")) }))
        .route("/api/v1/plans", post(|| async { Json(fixture::plan("")) }))
        .route("/api/v1/launches", get(launches).post(launch))
        .route("/api/v1/launches/{id}", get(one).delete(one))
        .route("/api/v1/launches/{id}/events", get(|| async { Json(fixture::events("")) }))
        .route("/api/v1/launches/{id}/logs", get(|| async { Json(["a line of its log"]) }))
        .route("/api/v1/volumes", get(|| async { Json(fixture::volumes("")) }))
        .route("/api/v1/me/volumes/{key}", put(my_volume).delete(|| async { StatusCode::NO_CONTENT }))
        .route("/api/v1/me", get(me))
        .route(
            "/api/v1/sessions",
            post(sign_in).delete(|| async { ([(header::SET_COOKIE, "session=; Max-Age=0")], Json(json!({}))) }),
        )
        .route(
            "/api/v1/tokens",
            get(|| async { Json(fixture::tokens("")) })
                .post(|| async { (StatusCode::CREATED, Json(fixture::tokens("").tokens.remove(1))) }),
        )
        .route("/api/v1/tokens/{id}", delete(|| async { StatusCode::NO_CONTENT }))
        .route("/api/v1/sign-in", get(|| async { Json(fixture::ways("")) }))
        .route(
            "/api/v1/me/sessions",
            get(|| async { Json(json!({"sessions": fixture::sessions("")})) })
                .delete(|| async { StatusCode::NO_CONTENT }),
        )
        .route("/api/v1/me/sessions/{id}", delete(|| async { StatusCode::NO_CONTENT }))
        .route("/api/v1/groups", get(|| async { Json(json!({"groups": fixture::groups("")})) }))
        .route("/api/v1/groups/{kind}/{name}/acceptance", post(|| async { StatusCode::NO_CONTENT }))
        .route("/api/v1/accounts", get(|| async { Json(json!({"accounts": fixture::accounts("")})) }))
        .route(
            "/api/v1/accounts/{name}/password-link",
            post(|| async { (StatusCode::CREATED, Json(fixture::password_link(""))) }),
        )
        .route(
            "/api/v1/device/{code}",
            get(|| async { Json(fixture::device("")) }).post(|| async { StatusCode::NO_CONTENT }),
        )
        .route("/api/v1/audit", get(|| async { Json(fixture::audit("")) }))
}

fn portal() -> Router {
    let api = api();
    let client = Client::in_process(Arc::new(move |request: Request<Bytes>| {
        let api = api.clone();
        Box::pin(async move {
            let response = api.oneshot(request.map(Body::from)).await.unwrap();
            let (parts, body) = response.into_parts();
            Ok(Response::from_parts(parts, body.collect().await.unwrap().to_bytes()))
        })
    }));
    catalog_portal::router(client.clone()).fallback_service(catalog_portal::fallback(client))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }
}

async fn send(request: Request<Body>) -> Answer {
    let (parts, body) = portal().oneshot(request).await.unwrap().into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

fn request(method: Method, path: &str, cookie: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "alidade.example")
        .header(header::COOKIE, cookie)
        .header(header::ORIGIN, "https://alidade.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

async fn look(path: &str) -> Answer {
    send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn look_as_user(path: &str) -> Answer {
    send(request(Method::GET, path, SESSION, "")).await
}

async fn submit(path: &str, body: &str) -> Answer {
    send(request(Method::POST, path, SESSION, body)).await
}

#[tokio::test]
async fn every_page_answers_with_its_headers() {
    for path in [
        "/",
        "/search?q=gaia&mission=astronomy%2Fgaia",
        "/record/go-esa/esa.gaia.jl-pangaia?tab=details",
        "/publish",
        "/volumes?q=planck",
        "/datazones",
        "/login",
        "/sparql-editor",
        "/launch?datalab=go-esa/esa.gaia.jl-pangaia",
    ] {
        let answer = look(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("  "), "{policy}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers[header::VARY], "Cookie");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-cache");
        assert!(answer.body.contains("Sign in"), "{path}");
        let answer = look_as_user(path).await;
        assert_eq!(answer.headers[header::CACHE_CONTROL], "private, no-store", "{path}");
        assert!(answer.body.contains("V. Example"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_plain_words() {
    for (path, status, said) in [
        ("/nowhere", 404, "No page has this address"),
        ("/record/go-esa/esa.unknown", 404, "No record has this identifier"),
        ("/record/go-esa/esa.gone", 410, "It held a private key."),
        ("/search?colour=red", 400, "Unknown parameter or facet <code>colour</code>"),
        ("/search?page=0", 400, "<code>page</code> must be a whole number"),
        ("/launch?datalab=aladin", 400, "zone/identifier"),
        ("/launches/l00000000000000000000000000", 404, "No such launch"),
        ("/assets/style-000000000000.css", 404, "There is no such file"),
    ] {
        let answer = look(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.body.contains(said), "{path}: {}", answer.body);
        assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY), "{path}");
    }
}

#[tokio::test]
async fn a_fault_of_ours_names_its_request() {
    for (path, named) in [("/record/go-esa/esa.broken", true), ("/nowhere", false)] {
        let mut asked = request(Method::GET, path, "", "");
        asked.headers_mut().insert("x-request-id", "r-42".parse().unwrap());
        assert_eq!(send(asked).await.body.contains("r-42"), named, "{path}");
    }
}

#[tokio::test]
async fn an_empty_result_says_what_to_drop() {
    let answer = look("/search?q=nothing&mission=astronomy%2Fgaia&type=Datalab").await;
    assert!(answer.body.contains("Nothing was found"));
    assert!(answer.body.contains("Without the words “nothing”"), "{}", answer.body);
}

#[tokio::test]
async fn counts_lead_to_the_query_that_gives_them() {
    let answer = look("/search?mission=astronomy%2Fgaia").await;
    assert!(answer.body.contains("the same number by"));
    assert!(!look("/search?q=gaia").await.body.contains("the same number by"));
}

#[tokio::test]
async fn a_record_page_is_signposted() {
    let answer = look("/record/go-esa/esa.gaia.jl-pangaia").await;
    let links: Vec<_> = answer.headers.get_all(header::LINK).iter().map(|link| link.to_str().unwrap()).collect();
    assert!(
        links.contains(&"<https://alidade.example/id/go-esa/esa.gaia.jl-pangaia.ttl>; rel=\"describedby\"; type=\"text/turtle\"; profile=\"https://w3id.org/esado/profile/v1\""),
        "{links:?}"
    );
    assert!(links.iter().any(|link| link.ends_with("rel=\"cite-as\"")), "{links:?}");
    assert!(links.iter().any(|link| link.contains("rel=\"linkset\"")), "{links:?}");
    assert!(answer.body.contains("<script type=\"application/ld+json\">"), "{}", answer.body);
    assert!(answer.body.contains("href=\"/id/go-esa/esa.gaia.jl-pangaia.dcat-ap.ttl\""), "{}", answer.body);
}

#[tokio::test]
async fn no_form_of_another_site_gets_in() {
    for path in [
        "/publish",
        "/launch",
        "/launches/l1/stop",
        "/volumes/spice/add",
        "/volumes/spice/remove",
        "/login",
        "/logout",
        "/account/tokens",
        "/account/tokens/t1/revoke",
        "/account/password",
        "/account/sessions/end",
        "/account/sessions/s1/end",
        "/signup",
        "/password",
        "/groups",
        "/groups/team/a/accept",
        "/groups/team/a/members",
        "/groups/team/a/members/b/remove",
        "/accounts",
        "/accounts/ann",
        "/device",
        "/theme",
    ] {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let mut attack = request(Method::POST, path, SESSION, "");
            attack.headers_mut().remove(header::ORIGIN);
            attack.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(send(attack).await.status, StatusCode::FORBIDDEN, "{path} {name}: {value}");
        }
        assert_eq!(look_as_user(path).await.headers.get(header::SET_COOKIE), None, "reading {path} changes nothing");
    }
}

#[tokio::test]
async fn signing_in_goes_back_to_a_page_of_ours() {
    let answer = submit("/login", "token=ald_good&next=%2Fpublish").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/publish"));
    assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().starts_with("session=abc; HttpOnly"));
    for evil in [
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "https%3A%2F%2Fevil.example",
        "%2F%0D%0ASet-Cookie%3A+a%3Db",
        "javascript%3Aalert(1)",
        "%09%2F%2Fevil.example",
    ] {
        let answer = submit("/login", &format!("token=ald_good&next={evil}")).await;
        assert_eq!(answer.location(), "/", "{evil}");
        assert!(look(&format!("/login?next={evil}")).await.body.contains("name=\"next\" value=\"/\""), "{evil}");
        assert_eq!(submit("/theme", &format!("theme=dark&next={evil}")).await.location(), "/", "{evil}");
    }
    let refused = submit("/login", "token=ald_bad&next=%2Fpublish").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.body.contains("This token is not known") && refused.body.contains("value=\"/publish\""));
    assert!(!refused.body.contains("ald_bad"), "a token never comes back in a page");
    assert_eq!(submit("/logout", "").await.headers[header::SET_COOKIE], "session=; Max-Age=0");
}

#[tokio::test]
async fn what_needs_an_account_asks_for_one() {
    for path in ["/launches", "/account"] {
        let answer = look(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.location(), format!("/login?next={}", path.replace('/', "%2F")));
    }
    let body = "datalab=go-esa%2Fesa.gaia.jl-pangaia&cpu=2&memory=4096&key=key-1";
    let answer = send(request(Method::POST, "/launch", "", body)).await;
    assert!(answer.location().starts_with("/login?next=%2Flaunch%3Fdatalab%3Dgo-esa"), "{}", answer.location());
    assert!(!answer.location().contains("key-1"));
}

#[tokio::test]
async fn a_launch_is_asked_for_once_and_then_followed() {
    let form = look_as_user("/launch?datalab=go-esa/esa.gaia.jl-pangaia").await.body;
    for part in [
        "name=\"key\"",
        "name=\"cpu\" value=\"2\" min=\"2\"",
        "name=\"memory\" value=\"2048\" min=\"2048\"",
        "Launch at GO.ESA",
        "Your own files",
        "formmethod=\"post\"",
    ] {
        assert!(form.contains(part), "{part} is not in {form}");
    }
    let body =
        "datalab=go-esa%2Fesa.gaia.jl-pangaia&key=key-1&version=0.8.0&cpu=2&memory=4096&gpu=0&volume=pla-legacy&open=1";
    let answer = submit("/launch", body).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let path = answer.location().to_owned();
    assert!(path.ends_with("?open=1"));
    let page = look_as_user(&path).await.body;
    assert!(
        page.contains("http-equiv=\"refresh\"") && page.contains("a line of its log") && page.contains("pull 62 %")
    );
    // The same form to a zone where the quota is used up comes back with what was filled in.
    let refused = submit("/launch", &format!("{body}&datazone=aws-eu&name=Mine")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body.contains("You run 4 of 4 allowed.") && refused.body.contains("value=\"Mine\""));
    // What is below the manifest's floor is never sent.
    let below = submit("/launch", "datalab=go-esa%2Fesa.gaia.jl-pangaia&key=key-1&cpu=1&memory=4096").await;
    assert_eq!(below.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(below.body.contains("It needs at least 2."));
}

#[tokio::test]
async fn a_ready_launch_opens_only_when_that_was_wanted() {
    let launches = fixture::launches("").launches;
    let path = format!("/launches/{}", launches[1].id);
    let opened = look_as_user(&format!("{path}?open=1")).await;
    assert_eq!((opened.status, opened.location()), (StatusCode::SEE_OTHER, launches[1].access_url.as_deref().unwrap()));
    assert_eq!(look_as_user(&path).await.status, StatusCode::OK);
    assert_eq!(submit(&format!("{path}/stop"), "").await.location(), path);
}

fn upload(content: &str, action: &str, cookie: &str) -> Request<Body> {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"package\"; filename=\"a.zip\"\r\n\r\n{content}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\n{action}\r\n--b--\r\n"
    );
    let mut upload = request(Method::POST, "/publish", cookie, &body);
    upload.headers_mut().insert(header::CONTENT_TYPE, "multipart/form-data; boundary=b".parse().unwrap());
    upload
}

#[tokio::test]
async fn a_package_is_published_or_reported_on() {
    let answer = send(upload("good", "publish", SESSION)).await;
    assert_eq!(answer.location(), "/record/go-esa/esa.gaia.jl-pangaia/0.8.1?published=1");
    let answer = send(upload("good", "validate", "")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("is valid"));
    let answer = send(upload("bad", "publish", SESSION)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in ["2 errors", "manifest.jsonld:14:3", "/mision", "Write <code>mission</code>."] {
        assert!(answer.body.contains(part), "{part}");
    }
    let answer = send(upload("good", "publish", "")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.contains("Publishing needs an account."));
    let answer = send(upload("", "publish", SESSION)).await;
    assert!(answer.body.contains("Choose a file first."));
}

#[tokio::test]
async fn volumes_and_tokens_are_kept_by_forms() {
    assert_eq!(
        submit("/volumes/pla-legacy/add", "mountPath=%2Fdata%2Fuser%2Fpla").await.location(),
        "/volumes#v-pla-legacy"
    );
    assert_eq!(submit("/volumes/pla-legacy/remove", "").await.location(), "/volumes#v-pla-legacy");
    let refused = submit("/volumes/pla-legacy/add", "mountPath=%2Fdata%2F..%2Fetc").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("is not a mount path") && refused.body.contains("aria-invalid"));
    let made = submit("/account/tokens", "name=laptop&scope=read&days=90").await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert!(made.body.contains("ald_0123456789"));
    assert_eq!(submit("/account/tokens", "name=laptop&days=soon").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(submit("/account/tokens/t1/revoke", "").await.location(), "/account#tokens");
    assert_eq!(submit("/account/sessions/end", "").await.location(), "/login");
    assert_eq!(submit("/account/sessions/s1/end", "").await.location(), "/account?done=session");
    assert_eq!(submit("/groups/team/gaia-dpac/accept", "").await.location(), "/groups");
    let linked = submit("/accounts/ann", "change=link").await;
    assert_eq!(linked.status, StatusCode::CREATED);
    assert!(linked.body.contains("password?ticket=0123"), "the link is shown once");
    let allowed = submit("/device", "code=BCDF-GHJK&answer=allow").await;
    assert!(allowed.body.contains("Connected"), "{}", allowed.body);
    assert!(look_as_user("/audit").await.body.contains("package.publish"));
}

#[tokio::test]
async fn the_theme_is_kept_in_a_cookie() {
    let answer = submit("/theme", "theme=dark&next=%2Fsearch%3Fq%3Dgaia").await;
    assert_eq!(answer.location(), "/search?q=gaia");
    assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().starts_with("theme=dark; Path=/"));
    let page = send(request(Method::GET, "/", "theme=dark", "")).await;
    assert!(page.body.contains("data-theme=\"dark\"") && page.body.contains("Sign in"));
    assert!(!send(request(Method::GET, "/", "theme=\"><script>", "")).await.body.contains("<script>"));
}

#[tokio::test]
async fn the_style_sheet_is_kept_for_ever() {
    let answer = look(catalog_portal::style_path()).await;
    assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
    assert!(!answer.body.contains("url(") && !answer.body.contains("@import"), "nothing is asked of another origin");
    let manifest: serde_json::Value = serde_json::from_str(&look("/assets/manifest.jsonld").await.body).unwrap();
    assert_eq!(manifest["@context"], "https://w3id.org/esado/context/v1");
}

#[tokio::test]
async fn what_broke_inside_stays_inside() {
    let answer = look("/record/go-esa/esa.broken").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.body.contains("sqlite") && !answer.body.contains("/home/"), "{}", answer.body);
}

#[tokio::test]
async fn a_query_is_answered_on_the_page() {
    for (path, status, said) in [
        ("/sparql-editor?run=1&query=SELECT", 200, "<td>63</td>"),
        ("/sparql-editor?run=1&query=DESCRIBE", 200, "1 statement"),
        ("/sparql-editor?run=1&query=NONSENSE", 400, "Error at 1:7: expected one of Var."),
        ("/sparql-editor?query=SELECT", 200, "SELECT</textarea>"),
    ] {
        let answer = look(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.body.contains(said), "{path}: {}", answer.body);
    }
    assert!(!look("/sparql-editor?query=SELECT").await.body.contains("id=\"answer\""));
}

#[tokio::test]
async fn a_withdrawn_record_says_why() {
    let answer = look("/record/go-esa/esa.withdrawn").await;
    assert_eq!(answer.status, StatusCode::GONE);
    assert!(answer.body.contains("It held a private key.") && !answer.body.contains("unexpected"), "{}", answer.body);
}
