//! A stranger, and each role with a token of its own, reach for what is not theirs.

use catalog_schemas::account::{NewToken, Role, Scope};
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::{Settings, read};
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use serde_json::{Value, json};

use super::{codes, developer, reviewed, send};

const PASSWORD: &str = "three words of a password";

async fn open_house() -> Sandbox {
    let configuration = "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n[accounts]\nsignUp = \"open\"\n";
    Sandbox::start(Settings { configuration: Some(configuration.to_owned()), ..Settings::default() }).await
}

async fn put(sandbox: &Sandbox, token: &str, identifier: &str, version: &str) -> u16 {
    let path = format!("/api/v1/packages/{identifier}/{version}");
    send(sandbox, "PUT", &path, token, package(&datalab(identifier, version))).await.0
}

async fn token(sandbox: &Sandbox, by: &str, asked: Value) -> (u16, Value) {
    send(sandbox, "POST", "/api/v1/tokens", by, asked.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_never_becomes_more_than_it_is() {
    let sandbox = Sandbox::empty().await;
    let ann = developer(&sandbox, "ann").await;
    assert_eq!(put(&sandbox, &ann, "att.own.lab", "1.0.0").await, 201);
    let bound = json!({ "name": "ci", "scopes": ["publish"], "namespace": "att.own" });
    let (status, made) = token(&sandbox, &ann, bound).await;
    assert_eq!(status, 201, "{made}");
    let bound = made["secret"].as_str().unwrap();
    assert_eq!(put(&sandbox, bound, "att.own.lab", "1.0.1").await, 201);
    assert_eq!(put(&sandbox, bound, "att.other.lab", "1.0.0").await, 403, "one namespace only");
    for asked in [
        json!({ "name": "more", "scopes": ["publish"] }),
        json!({ "name": "more", "scopes": ["admin"] }),
        json!({ "name": "more", "scopes": ["read"], "account": "admin" }),
    ] {
        assert_eq!(token(&sandbox, bound, asked.clone()).await.0, 403, "{asked}");
    }
    let session = json!({ "token": bound }).to_string();
    assert_eq!(send(&sandbox, "POST", "/api/v1/sessions", "", session).await.0, 403, "a program does not sign in");
    // Everything, in one namespace, would be everything: it could make a token for the others.
    let whole = json!({ "name": "whole", "scopes": ["admin"], "namespace": "att.own" });
    assert_eq!(token(&sandbox, &ann, whole.clone()).await.0, 422);
    assert_eq!(token(&sandbox, ADMIN_TOKEN, whole).await.0, 422);
    for role in ["moderator", "administrator", "application"] {
        let asked = json!({ "name": "x", "scopes": ["read"], "role": role, "account": "ghost" });
        assert_eq!(token(&sandbox, &ann, asked).await.0, 403, "{role}");
    }
    // A scope that the role does not cover gives nothing.
    let asked = json!({ "name": "x", "scopes": ["read", "moderate"] });
    let (_, made) = token(&sandbox, &ann, asked).await;
    let moderate = made["secret"].as_str().unwrap();
    for path in
        ["/api/v1/audit", "/api/v1/audit.jsonl", "/sparql/staff?query=ASK%7B%7D", "/api/v1/accounts", "/api/v1/sources"]
    {
        assert_eq!(send(&sandbox, "GET", path, moderate, "").await.0, 403, "{path}");
    }
    // A moderator's token for reading does not read what is private.
    let asked = NewToken {
        name: "reads".to_owned(),
        scopes: vec![Scope::Read],
        namespace: None,
        days: None,
        account: Some("mia".to_owned()),
        role: Some(Role::Moderator),
    };
    let reads = sandbox.admin().token_create(&asked).await.unwrap().secret.unwrap();
    assert_eq!(send(&sandbox, "GET", "/api/v1/audit", &reads, "").await.0, 403);
    let patch = r#"{"officialConfirmed":true}"#;
    assert_eq!(send(&sandbox, "PATCH", "/api/v1/records/go-esa/att.own.lab", &reads, patch).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_patch_reaches_what_is_not_its_senders() {
    let sandbox = Sandbox::empty().await;
    let (ann, ben) = (developer(&sandbox, "ann").await, developer(&sandbox, "ben").await);
    assert_eq!(put(&sandbox, &ann, "att.own.lab", "1.0.0").await, 201);
    assert_eq!(put(&sandbox, &ben, "att.ben.lab", "1.0.0").await, 201);
    let record = "/api/v1/records/go-esa/att.own.lab";
    let (_, before) = send(&sandbox, "GET", record, ADMIN_TOKEN, "").await;
    for key in
        ["officialConfirmed", "discoverable", "reviewNote", "state", "owner", "policy", "packageDigest", "qualityScore"]
    {
        for written in [
            key.to_owned(),
            format!("esado:{key}"),
            format!("https://w3id.org/esado#{key}"),
            // The same key for whoever parses, another text for whoever compares.
            format!("\\u{:04x}{}", key.as_bytes()[0], &key[1..]),
        ] {
            for value in ["true", "null", "[null]", "{\"@value\":true}", "{\"en\":\"x\"}", "[\"published\"]"] {
                let body = format!("{{\"{written}\":{value}}}");
                let (status, problem) = send(&sandbox, "PATCH", record, &ann, body.clone()).await;
                assert!(matches!(status, 403 | 422), "{body}: {status} {problem}");
            }
        }
    }
    for body in [
        // Twice the same key: what one reader checks another would store.
        r#"{"keyword":{"en":["x"]},"keyword":{"en":["y"]}}"#,
        r#"{"@type":"Dataset"}"#,
        r#"{"@id":"https://evil.example/"}"#,
        r#"{"identifier":"att.ben.lab"}"#,
        r#"{"softwareVersion":"9.9.9"}"#,
        r#"{"datalabImage":{"reference":"evil.example/x:1"}}"#,
        r#"{"runtime":{"command":["sh"]}}"#,
        r#"{"datalabImage":null}"#,
        r#"{"runtime":null}"#,
        r#"{"@context":{"keyword":"https://w3id.org/esado#officialConfirmed"},"keyword":true}"#,
        r#"{"@included":[{"officialConfirmed":true}]}"#,
        r#"{"@reverse":{"officialConfirmed":{"@id":"x"}}}"#,
        r#"{"@nest":{"officialConfirmed":true}}"#,
        r#"{"__proto__":{"officialConfirmed":true}}"#,
        r#"{"author":[{"name":"x","officialConfirmed":true}]}"#,
        "[]",
        "null",
        "\"x\"",
        "",
    ] {
        let (status, problem) = send(&sandbox, "PATCH", record, &ann, body).await;
        assert!((400..500).contains(&status), "{body}: {status} {problem}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    assert!((400..500).contains(&send(&sandbox, "PATCH", record, &ann, deep).await.0));
    // Others, with what is theirs and with what is not.
    for (who, body) in [(ben.as_str(), r#"{"keyword":{"en":["mine"]}}"#), (ben.as_str(), r#"{"keyword":null}"#)] {
        assert_eq!(send(&sandbox, "PATCH", record, who, body).await.0, 403);
    }
    // A moderator's words are the moderator's: none of the publisher's.
    let mia = sandbox.account("mia", Role::Moderator, &[Scope::Admin]).await.token;
    for body in
        [r#"{"name":{"en":"Taken over"}}"#, r#"{"abstract":null}"#, r#"{"license":"https://spdx.org/licenses/MIT"}"#]
    {
        let (status, problem) = send(&sandbox, "PATCH", record, &mia, body).await;
        assert_eq!(status, 403, "{body}: {problem}");
    }
    let (_, after) = send(&sandbox, "GET", record, ADMIN_TOKEN, "").await;
    assert_eq!((&before["document"], &before["seq"]), (&after["document"], &after["seq"]), "nothing has changed");
    // A package in the same disguises.
    for (key, value) in [
        ("officialConfirmed", json!(true)),
        ("discoverable", json!(false)),
        ("https://w3id.org/esado#officialConfirmed", json!([{ "@value": true }])),
        ("esado:recordState", json!("published")),
        ("owner", json!("somebody")),
    ] {
        let mut lab = datalab("att.own.lab", "2.0.0");
        lab[key] = value;
        let (status, problem) = send(&sandbox, "PUT", "/api/v1/packages/att.own.lab/2.0.0", &ann, package(&lab)).await;
        assert_eq!(status, 422, "{key}: {problem}");
        assert!(codes(&problem).contains(&"access.write_forbidden"), "{key}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_may_not_know_answers_as_what_is_not_there() {
    let sandbox = reviewed().await;
    let (ann, ben) = (developer(&sandbox, "ann").await, developer(&sandbox, "ben").await);
    assert_eq!(put(&sandbox, &ann, "att.own.draft", "1.0.0").await, 201);
    let requests = |identifier: &str| {
        vec![
            ("GET", format!("/api/v1/records/go-esa/{identifier}"), ""),
            ("GET", format!("/api/v1/records/go-esa/{identifier}/form"), ""),
            ("GET", format!("/api/v1/records/go-esa/{identifier}/difference"), ""),
            ("GET", format!("/api/v1/records/go-esa/{identifier}/provenance"), ""),
            ("PATCH", format!("/api/v1/records/go-esa/{identifier}"), "{\"keyword\":null}"),
            ("GET", format!("/api/v1/packages/{identifier}/1.0.0"), ""),
            ("GET", format!("/api/v1/packages/{identifier}/1.0.0/workflow.svg"), ""),
            ("DELETE", format!("/api/v1/packages/{identifier}/1.0.0"), "{\"reason\":\"mine now\"}"),
            ("POST", format!("/api/v1/packages/{identifier}/1.0.0/state"), "{\"state\":\"published\"}"),
            ("GET", format!("/id/go-esa/{identifier}"), ""),
            ("GET", format!("/id/go-esa/{identifier}/1.0.0"), ""),
            ("GET", format!("/id/go-esa/{identifier}.ttl"), ""),
            ("GET", format!("/ga4gh/trs/v2/tools/{identifier}"), ""),
            ("GET", format!("/record/go-esa/{identifier}"), ""),
            ("GET", format!("/edit/go-esa/{identifier}"), ""),
            ("GET", format!("/review/go-esa/{identifier}/1.0.0"), ""),
        ]
    };
    for who in ["", ben.as_str()] {
        for ((method, path, body), (_, other, _)) in
            requests("att.own.draft").into_iter().zip(requests("att.own.never"))
        {
            let (is, answer) = send(&sandbox, method, &path, who, body).await;
            let (not, _) = send(&sandbox, method, &other, who, body).await;
            assert_eq!(is, not, "{method} {path} tells that there is a draft: {answer}");
        }
    }
    let (status, _) = send(&sandbox, "GET", "/api/v1/records/go-esa/att.own.draft", &ann, "").await;
    assert_eq!(status, 200, "it is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_platform_and_of_everybody_are_nobodys() {
    let sandbox = open_house().await;
    let mallory = developer(&sandbox, "mallory").await;
    for name in ["alidade", "admin", "@moderator", "Admin", "admin ", "ad\u{0441}min", "", "a/b", "../admin"] {
        let body = json!({ "name": name, "password": PASSWORD }).to_string();
        let (status, answer) = send(&sandbox, "POST", "/api/v1/registrations", "", body).await;
        assert!(matches!(status, 409 | 422), "{name}: {status} {answer}");
    }
    for more in [json!({ "role": "administrator" }), json!({ "suspended": false }), json!({ "account": "admin" })] {
        let mut body = json!({ "name": "eve", "password": PASSWORD });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = send(&sandbox, "POST", "/api/v1/registrations", "", body.to_string()).await;
        assert!((400..500).contains(&status), "{more}: {status} {answer}");
    }
    // Whoever had `sandbox` would decide about everybody's experiments.
    let group = r#"{"kind":"namespace","name":"sandbox"}"#;
    assert_eq!(send(&sandbox, "POST", "/api/v1/groups", &mallory, group).await.0, 403);
    assert_eq!(put(&sandbox, &mallory, "sandbox.lab", "1.0.0").await, 403);
    assert_eq!(put(&sandbox, &mallory, "sandbox.mallory.lab", "1.0.0").await, 201);
    // A team that an identity provider could name, and one that an asset names already.
    assert_eq!(
        send(&sandbox, "POST", "/api/v1/groups", &mallory, r#"{"kind":"team","name":"staff@esa"}"#).await.0,
        422
    );
    // The name of a source is not anybody's, and no source takes what somebody has below it.
    let source = |id: &str| {
        json!({ "id": id, "kind": "alidade", "url": "http://127.0.0.1:9/", "allowPrivateAddresses": true }).to_string()
    };
    assert_eq!(put(&sandbox, &mallory, "nasa.own.lab", "1.0.0").await, 201);
    let (status, answer) = send(&sandbox, "POST", "/api/v1/sources", ADMIN_TOKEN, source("nasa")).await;
    assert_eq!(status, 400, "mallory would decide about `nasa.own.*`: {answer}");
    let (status, answer) = send(&sandbox, "POST", "/api/v1/sources", ADMIN_TOKEN, source("spase")).await;
    assert!(matches!(status, 200 | 201), "{answer}");
    for identifier in ["spase.lab", "spase.deeper.lab"] {
        assert_eq!(put(&sandbox, &mallory, identifier, "1.0.0").await, 403, "{identifier}");
    }
}

/// Joins two requests that race; returns their statuses, the lower first.
async fn race(one: reqwest::RequestBuilder, other: reqwest::RequestBuilder) -> [u16; 2] {
    let ((one, _), (other, _)) = tokio::join!(read(one), read(other));
    [one.min(other), one.max(other)]
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_invitations_are_good_once_and_races_have_one_winner() {
    let sandbox = open_house().await;
    let (ann, ben) = (developer(&sandbox, "ann").await, developer(&sandbox, "ben").await);
    let eve = developer(&sandbox, "eve").await;
    // A link, by two at once and once more.
    let (_, link) = send(&sandbox, "POST", "/api/v1/accounts", ADMIN_TOKEN, r#"{"name":"fay"}"#).await;
    let ticket = link["link"].as_str().unwrap().split_once("ticket=").unwrap().1.to_owned();
    let choose = || {
        let body = json!({ "ticket": ticket, "password": PASSWORD }).to_string();
        sandbox.request("POST", "/api/v1/passwords").header("content-type", "application/json").body(body)
    };
    assert_eq!(race(choose(), choose()).await, [201, 404]);
    assert_eq!(read(choose()).await.0, 404);
    // A namespace whose two owners leave at once keeps one.
    assert_eq!(put(&sandbox, &ann, "att.own.lab", "1.0.0").await, 201);
    let members = "/api/v1/groups/namespace/att.own/members";
    let acceptance = "/api/v1/groups/namespace/att.own/acceptance";
    let owner = r#"{"rank":"owner"}"#;
    assert_eq!(send(&sandbox, "PUT", &format!("{members}/ben"), &ann, owner).await.0, 204);
    // Who is invited is nothing yet, and nobody accepts for others or without an invitation.
    assert_eq!(put(&sandbox, &ben, "att.own.lab", "1.0.1").await, 403);
    assert_eq!(send(&sandbox, "PUT", &format!("{members}/eve"), &ben, owner).await.0, 403);
    assert_eq!(send(&sandbox, "POST", acceptance, &eve, "").await.0, 404);
    assert_eq!(send(&sandbox, "POST", acceptance, &ben, "").await.0, 204);
    assert_eq!(send(&sandbox, "POST", acceptance, &ben, "").await.0, 404, "once");
    let leave =
        |who: &str, token: &str| sandbox.request("DELETE", &format!("{members}/{who}")).bearer_auth(token.to_owned());
    assert_eq!(race(leave("ann", &ann), leave("ben", &ben)).await, [204, 409]);
    // An invitation that was taken back is none.
    let (stays, left) =
        if put(&sandbox, &ann, "att.own.lab", "1.0.2").await == 201 { (&ann, &ben) } else { (&ben, &ann) };
    assert_eq!(put(&sandbox, left, "att.own.lab", "1.0.3").await, 403, "who left is out");
    assert_eq!(send(&sandbox, "PUT", &format!("{members}/eve"), stays, owner).await.0, 204);
    assert_eq!(read(leave("eve", stays)).await.0, 204);
    assert_eq!(send(&sandbox, "POST", acceptance, &eve, "").await.0, 404);
    // A free namespace that two publish into at once has one owner.
    let publish = |token: &str, name: &str| {
        let identifier = format!("att.free.{name}");
        let request =
            sandbox.request("PUT", &format!("/api/v1/packages/{identifier}/1.0.0")).bearer_auth(token.to_owned());
        request.body(package(&datalab(&identifier, "1.0.0")))
    };
    assert_eq!(race(publish(&ann, "one"), publish(&eve, "two")).await, [201, 403]);
    // One version, two contents.
    let version = |text: &str| {
        let mut lab = datalab("att.own.lab", "3.0.0");
        lab["keyword"] = json!({ "en": [text] });
        let request = sandbox.request("PUT", "/api/v1/packages/att.own.lab/3.0.0").bearer_auth(stays.clone());
        request.body(package(&lab))
    };
    assert_eq!(race(version("one"), version("two")).await, [201, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_makes_somebody_else_of_us_or_of_them() {
    let sandbox = open_house().await;
    let body = json!({ "name": "ann", "password": PASSWORD }).to_string();
    let planted = "alidade=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let json_body =
        |path: &str, body: String| sandbox.request("POST", path).header("content-type", "application/json").body(body);
    // A session that somebody planted before is not the one that is signed in, and its cookie stays here.
    let request =
        json_body("/api/v1/registrations", body).header("cookie", planted).header("sec-fetch-site", "same-origin");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(!cookie.contains("AAAAAAAA"), "{cookie}");
    for word in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.to_ascii_lowercase().contains("domain"), "it is for this host alone: {cookie}");
    let (_, me) = read(sandbox.request("GET", "/api/v1/me").header("cookie", planted)).await;
    assert!(me.contains("\"anonymous\""), "{me}");
    // Nobody's header says what we are called, or where the way leads.
    for path in [
        "/",
        "/login",
        "/search",
        "/id/go-esa/no.such",
        "/feed.atom",
        "/sitemap.xml",
        "/catalog.ttl",
        "/openapi.json",
        "/robots.txt",
    ] {
        let request = sandbox.request("GET", path).header("host", "evil.example");
        let request = request.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
        let response = request.header("x-original-url", "/api/v1/accounts").send().await.unwrap();
        let headers = format!("{:?}", response.headers());
        let text = response.text().await.unwrap();
        assert!(!headers.contains("evil.example") && !text.contains("evil.example"), "{path}: {headers} {text}");
    }
    // A change by another method's name, or without a word of where it comes from.
    let cookie = cookie.split(';').next().unwrap().to_owned();
    for (path, name, value) in [
        ("/logout", "x-http-method-override", "DELETE"),
        ("/account/sessions/end", "origin", "null"),
        ("/account/sessions/end", "origin", "https://evil.example"),
        ("/account/sessions/end", "sec-fetch-site", "cross-site"),
        ("/account/sessions/end", "sec-fetch-site", "same-site"),
    ] {
        let request = sandbox.request("POST", path).header("cookie", &cookie).header(name, value);
        assert_eq!(read(request.body("")).await.0, 403, "{path} {name}: {value}");
    }
    let (_, me) = read(sandbox.request("GET", "/api/v1/me").header("cookie", &cookie)).await;
    assert!(me.contains("\"ann\""), "still signed in: {me}");
    // A credential in the address, under any name.
    for address in
        [format!("/api/v1/me?access_token={ADMIN_TOKEN}"), "/search?q=ald_abcdefgh".to_owned(), "/?x=ald_a".to_owned()]
    {
        let (status, text) = sandbox.get(&address).await;
        assert!(status == 400 && text.contains("token.in_query"), "{address}: {status}");
    }
    // Another address in a header of one's own gives no more guesses.
    let mut last = 0;
    for number in 0..12 {
        let guess = json!({ "account": "ann", "password": format!("guess {number} of many") }).to_string();
        let request = json_body("/api/v1/sessions", guess).header("x-forwarded-for", format!("192.0.2.{number}"));
        let response = request.header("forwarded", format!("for=192.0.2.{number}")).send().await.unwrap();
        last = response.status().as_u16();
        assert!(last != 429 || response.headers().contains_key("retry-after"));
    }
    assert_eq!(last, 429);
    // A number of the future does not hide what is still to come.
    let read_all = json!({ "number": u64::MAX }).to_string();
    let marked = sandbox
        .request("POST", "/api/v1/notifications/read")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(read(marked.header("content-type", "application/json").body(read_all)).await.0, 204);
    let lab = package(&datalab("att.ann.lab", "1.0.0"));
    let request = sandbox.request("PUT", "/api/v1/packages/att.ann.lab/1.0.0").header("cookie", &cookie);
    assert_eq!(read(request.header("sec-fetch-site", "same-origin").body(lab)).await.0, 201);
    let patch = r#"{"officialConfirmed":true}"#;
    assert_eq!(send(&sandbox, "PATCH", "/api/v1/records/go-esa/att.ann.lab", ADMIN_TOKEN, patch).await.0, 200);
    let (_, me) = read(sandbox.request("GET", "/api/v1/me").header("cookie", &cookie)).await;
    assert_eq!(serde_json::from_str::<Value>(&me).unwrap()["unread"], 1, "{me}");
    // Suspended: neither session nor token counts from that moment on.
    let (status, _) = send(&sandbox, "PATCH", "/api/v1/accounts/ann", ADMIN_TOKEN, r#"{"suspended":true}"#).await;
    assert_eq!(status, 200);
    let (status, _) = read(sandbox.request("GET", "/api/v1/tokens").header("cookie", &cookie)).await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_everything_is_bound_to_it() {
    let configuration = "baseUrl = \"https://catalogue.example\"\n[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n";
    let settings = Settings { configuration: Some(configuration.to_owned()), ..Settings::default() };
    let sandbox = Sandbox::start(settings).await;
    let body = json!({ "token": ADMIN_TOKEN }).to_string();
    let request = sandbox.request("POST", "/api/v1/sessions").header("content-type", "application/json").body(body);
    let response = request.send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-alidade=") && cookie.contains("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let plain = cookie.replace("__Host-", "");
    for path in ["/", "/api/v1/me", "/feed.atom", "/no.such"] {
        let response = sandbox.request("GET", path).send().await.unwrap();
        assert!(response.headers()["strict-transport-security"].to_str().unwrap().contains("max-age="), "{path}");
    }
    let (_, me) = read(sandbox.request("GET", "/api/v1/me").header("cookie", &plain)).await;
    assert!(me.contains("\"anonymous\""), "a cookie that any page of the domain could set counts for nothing: {me}");
    // A page that somebody put into http:// of the same name is not ours.
    for (origin, expected) in [("http://catalogue.example", 403), ("https://catalogue.example", 204)] {
        let request = sandbox.request("DELETE", "/api/v1/me/sessions").header("cookie", &cookie);
        let status = read(request.header("sec-fetch-site", "same-origin").header("origin", origin)).await.0;
        assert_eq!(status, expected, "{origin}");
    }
}
