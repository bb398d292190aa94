//! A reader without script: pages, links, forms and a cookie.

use std::time::{Duration, Instant};

use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::read;
use catalog_tests::{ADMIN_TOKEN, Sandbox, page};
use reqwest::multipart::{Form, Part};

/// Pages that anybody may read.
const OPEN: [&str; 12] = [
    "/",
    "/search",
    "/search?q=jwst&type=Datalab",
    "/search?q=nothing-has-this-word",
    "/record/go-esa/esa.esdc.aladin",
    "/record/go-esa/esa.esdc.aladin/0.3.1",
    "/record/go-esa/esa.gaia.dr3",
    "/launch?datalab=go-esa/esa.esdc.aladin",
    "/publish",
    "/volumes",
    "/datazones",
    "/sparql-editor",
];

/// A browser that keeps one cookie and runs no script.
struct Browser<'a> {
    sandbox: &'a Sandbox,
    cookie: String,
}

impl<'a> Browser<'a> {
    /// Signs in by the form and keeps the cookie.
    async fn sign_in(sandbox: &'a Sandbox) -> Self {
        let form = [("token", ADMIN_TOKEN), ("next", "/launches")];
        let answer =
            sandbox.request("POST", "/login").header("origin", sandbox.base()).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["location"], "/launches");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        Self { sandbox, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        read(self.sandbox.request("GET", path).header("cookie", &self.cookie)).await
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.sandbox.request("POST", path).header("cookie", &self.cookie).header("origin", self.sandbox.base())
    }

    /// Sends a form and returns the address that the answer leads to.
    async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path).form(fields).send().await.unwrap();
        let status = answer.status();
        let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        place.unwrap_or_else(|| panic!("{path} answers {status} and leads nowhere: {text}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_read_without_script() {
    let sandbox = Sandbox::with_sample().await;
    let browser = Browser::sign_in(&sandbox).await;
    for path in OPEN.into_iter().chain(["/login"]) {
        let response = sandbox.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        let html = response.text().await.unwrap();
        assert!(html.contains("<title>") && html.contains("<h1"), "{path}");
        let scripts = html.split("<script").skip(1).filter(|rest| !rest.starts_with(" type=\"application/ld+json\""));
        assert_eq!(scripts.count(), 0, "{path} holds a script");
        let (status, html) = browser.get(path).await;
        assert_eq!(status, 200, "{path}, signed in");
        assert!(html.contains("/account"), "{path} shows that somebody is signed in");
    }
    // These are somebody's own.
    for path in ["/launches", "/account", "/audit"] {
        let response = sandbox.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 303, "{path}");
        assert!(response.headers()["location"].to_str().unwrap().starts_with("/login?next="), "{path}");
        assert_eq!(browser.get(path).await.0, 200, "{path}, signed in");
    }
    // What is not there says so, as a page.
    for path in ["/nothing", "/record/go-esa/esa.esdc.nothing", "/launches/l00000000000000000000000000"] {
        let (status, html) = browser.get(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(html.contains("<h1"), "{path}: {html}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_leads_nowhere() {
    let sandbox = Sandbox::with_sample().await;
    let browser = Browser::sign_in(&sandbox).await;
    let mut links = Vec::new();
    for path in OPEN {
        let (_, html) = browser.get(path).await;
        for link in page::local_links(&html) {
            if !links.contains(&link) {
                links.push(link);
            }
        }
    }
    assert!(links.len() > 60, "{links:?}");
    let mut broken = Vec::new();
    for link in &links {
        let (status, _) = browser.get(link).await;
        if !matches!(status, 200 | 303) {
            broken.push(format!("{link}: {status}"));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facet_link_gives_as_many_records_as_it_says() {
    let sandbox = Sandbox::with_sample().await;
    let (_, html) = sandbox.get("/search").await;
    let mut followed = 0;
    for link in page::local_links(&html).iter().filter(|link| link.starts_with("/search?") && !link.contains('&')) {
        let Some(count) = page::facet_count(&html, link) else { continue };
        let query = link.trim_start_matches("/search?");
        let (_, text) = sandbox.get(&format!("/api/v1/search?{query}")).await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["total"], count, "{link}");
        let (status, chosen) = sandbox.get(link).await;
        assert_eq!(status, 200, "{link}");
        assert!(chosen.contains("aria-current=\"true\""), "{link} shows what is chosen");
        followed += 1;
    }
    assert!(followed > 20, "{followed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_published_by_the_form() {
    let sandbox = Sandbox::empty().await;
    let browser = Browser::sign_in(&sandbox).await;
    let form = |action: &str, body: bytes::Bytes| {
        let file = Part::bytes(body.to_vec()).file_name("form.datalab.tar.gz");
        Form::new().part("package", file).text("action", action.to_owned())
    };
    let good = package(&datalab("lab.own.form", "1.0.0"));
    let mut wrong = datalab("lab.own.form", "1.0.0");
    wrong["interfaceType"] = "hologram".into();

    let (status, html) = read(browser.post("/publish").multipart(form("publish", package(&wrong)))).await;
    assert_eq!(status, 422);
    assert!(html.contains("hologram") && html.contains("interfaceType"), "the report is on the page");
    let (status, _) = read(browser.post("/publish").multipart(form("validate", good.clone()))).await;
    assert_eq!(status, 200);
    assert_eq!(sandbox.get("/record/go-esa/lab.own.form").await.0, 404, "only validated");

    let answer = browser.post("/publish").multipart(form("publish", good.clone())).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let (status, html) = browser.get(&place).await;
    assert_eq!(status, 200, "{place}");
    assert!(html.contains("The lab form"), "{place}");
    assert!(
        browser.get("/search?q=form").await.1.contains("/record/go-esa/lab.own.form"),
        "the publisher finds it at once"
    );

    // Who is not signed in is told so, and nothing is stored.
    let other = package(&datalab("lab.own.stranger", "1.0.0"));
    let (status, _) = read(sandbox.request("POST", "/publish").multipart(form("publish", other))).await;
    assert_eq!(status, 401);
    assert_eq!(sandbox.get("/record/go-esa/lab.own.stranger").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datalab_is_launched_and_stopped_by_forms() {
    let sandbox = Sandbox::with_sample().await;
    let browser = Browser::sign_in(&sandbox).await;
    let (_, html) = browser.get("/launch?datalab=go-esa/esa.esdc.aladin").await;
    let key = page::field(&html, "key").unwrap();
    let (cpu, memory) = (page::field(&html, "cpu").unwrap(), page::field(&html, "memory").unwrap());
    assert_eq!((cpu.as_str(), memory.as_str()), ("2", "2048"), "the form begins with what the manifest needs");
    let fields =
        [("datalab", "go-esa/esa.esdc.aladin"), ("key", &*key), ("cpu", &*cpu), ("memory", &*memory), ("gpu", "0")];
    let place = browser.submit("/launch", &fields).await;
    assert!(place.starts_with("/launches/l"), "{place}");
    assert_eq!(browser.submit("/launch", &fields).await, place, "sent twice, launched once");

    let id = place.trim_start_matches("/launches/").split('?').next().unwrap().to_owned();
    let started = Instant::now();
    while !browser.get(&format!("/lab/{id}/")).await.1.contains("DEMO") {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, html) = browser.get(&format!("/launches/{id}")).await;
    assert!(html.contains(&format!("/lab/{id}/")), "the page leads to the lab");
    assert!(browser.get("/launches").await.1.contains(&format!("/launches/{id}")));
    let back = browser.submit(&format!("/launches/{id}/stop"), &[]).await;
    assert_eq!(back, format!("/launches/{id}"));
    assert_eq!(browser.submit(&format!("/launches/{id}/stop"), &[]).await, back, "stopped twice");

    // Fields that cannot be are shown again beside what they should hold.
    let (status, html) =
        read(browser.post("/launch").form(&[("datalab", "go-esa/esa.esdc.aladin"), ("cpu", "many")])).await;
    assert_eq!(status, 422);
    assert!(html.contains("Write a number of cores"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_can_do_nothing_in_the_readers_name() {
    let sandbox = Sandbox::empty().await;
    let browser = Browser::sign_in(&sandbox).await;
    let post = |path: &str, name: &'static str, value: &str| {
        sandbox.request("POST", path).header("cookie", &browser.cookie).header(name, value)
    };
    let token = [("name", "stolen"), ("scope", "admin")];
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/account/tokens", "/logout", "/publish", "/launch", "/login", "/theme"] {
            let (status, text) = read(post(path, name, value).form(&token)).await;
            assert_eq!(status, 403, "{path} with {name}: {value}: {text}");
        }
        let json = post("/api/v1/tokens", name, value).body(r#"{"name":"stolen","scopes":["admin"]}"#);
        assert_eq!(read(json).await.0, 403, "the API with {name}: {value}");
    }
    // Without saying where it comes from, a request with a cookie is nobody's.
    let silent = sandbox.request("POST", "/api/v1/tokens").header("cookie", &browser.cookie);
    assert_eq!(read(silent.body(r#"{"name":"stolen","scopes":["admin"]}"#)).await.0, 403);
    assert!(sandbox.admin().tokens().await.unwrap().tokens.iter().all(|token| token.name != "stolen"));
    assert_eq!(browser.get("/account").await.0, 200, "nobody was signed out");

    // The reader's own page may, and signing out ends the session, not only the cookie.
    let (status, html) = read(browser.post("/account/tokens").form(&[("name", "own"), ("scope", "read")])).await;
    assert_eq!(status, 201, "{html}");
    assert_eq!(browser.submit("/logout", &[]).await, "/");
    assert_eq!(browser.get("/account").await.0, 303);
    let wrong =
        sandbox.request("POST", "/login").header("origin", sandbox.base()).form(&[("token", "not-a-token-at-all")]);
    assert_eq!(read(wrong).await.0, 401);
}
