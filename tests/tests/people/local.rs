//! Local accounts: invitation, password, sessions, throttling, and who may not.

use catalog_schemas::account::{Role, Scope};
use catalog_schemas::people::{AccountChange, NewAccount, PasswordChoice};
use catalog_tests::{Sandbox, Settings};
use serde_json::{Value, json};

const PASSWORD: &str = "four random words here";

/// Invites somebody and lets them choose a password; returns their session's cookie.
pub(super) async fn invite(sandbox: &Sandbox, name: &str, role: Option<Role>) -> String {
    let account = NewAccount { name: name.to_owned(), display_name: None, role, password: None };
    let link = sandbox.admin().account_create(&account).await.unwrap();
    let ticket = link.link.split_once("ticket=").unwrap().1.to_owned();
    let choice = PasswordChoice { ticket, password: PASSWORD.to_owned() };
    cookie_of(&sandbox.anonymous().password_choose(&choice).await.unwrap().set_cookie)
}

fn cookie_of(header: &http::HeaderValue) -> String {
    header.to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// Sends JSON in a session, as a browser's page of ours would.
pub(super) async fn send(sandbox: &Sandbox, method: &str, path: &str, cookie: &str, body: &Value) -> (u16, Value) {
    let request = sandbox.request(method, path).header("cookie", cookie).header("sec-fetch-site", "same-origin");
    let response = request.json(body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

async fn who(sandbox: &Sandbox, cookie: &str) -> Value {
    send(sandbox, "GET", "/api/v1/me", cookie, &Value::Null).await.1
}

async fn sign_in(sandbox: &Sandbox, account: &str, password: &str) -> (u16, Option<String>, Option<String>) {
    let body = json!({ "account": account, "password": password });
    let response = sandbox.request("POST", "/api/v1/sessions").json(&body).send().await.unwrap();
    let header = |name: &str| response.headers().get(name).cloned();
    let wait = header("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), header("set-cookie").map(|value| cookie_of(&value)), wait)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_account_lives_and_its_sessions_end() {
    let sandbox = Sandbox::empty().await;
    let first = invite(&sandbox, "ann", None).await;
    assert_eq!(who(&sandbox, &first).await["account"], "ann");
    let listed = sandbox.admin().accounts().await.unwrap().accounts;
    assert!(listed.iter().any(|account| account.name == "ann" && account.has_password), "{listed:?}");

    // Another sign-in is another id, also when a session is there already: what was planted before is worth nothing.
    let (status, second, _) = sign_in(&sandbox, "ann", PASSWORD).await;
    let second = second.unwrap();
    assert_eq!((status, second != first), (201, true));
    let body = json!({ "account": "ann", "password": PASSWORD });
    let request = sandbox.request("POST", "/api/v1/sessions").header("cookie", &second);
    let renewed = request.header("sec-fetch-site", "same-origin").json(&body).send().await.unwrap();
    let third = cookie_of(&renewed.headers()["set-cookie"]);
    assert_eq!(who(&sandbox, &second).await["role"], "anonymous", "the session before is over");

    let (_, sessions) = send(&sandbox, "GET", "/api/v1/me/sessions", &third, &Value::Null).await;
    let sessions = sessions["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/api/v1/me/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(send(&sandbox, "DELETE", &path, &third, &Value::Null).await.0, 204);
    assert_eq!(who(&sandbox, &first).await["role"], "anonymous");

    // A new password ends every session and begins one of a new id.
    let change = json!({ "current": "wrong password 1", "password": "another four words" });
    assert_eq!(send(&sandbox, "PUT", "/api/v1/me/password", &third, &change).await.0, 422);
    let change = json!({ "current": PASSWORD, "password": "short" });
    assert_eq!(send(&sandbox, "PUT", "/api/v1/me/password", &third, &change).await.0, 422);
    let change = json!({ "current": PASSWORD, "password": "another four words" });
    assert_eq!(send(&sandbox, "PUT", "/api/v1/me/password", &third, &change).await.0, 201);
    assert_eq!(who(&sandbox, &third).await["role"], "anonymous");
    assert_eq!(sign_in(&sandbox, "ann", PASSWORD).await.0, 401);
    let (_, fourth, _) = sign_in(&sandbox, "ann", "another four words").await;
    let fourth = fourth.unwrap();

    // Suspension applies to sessions and tokens at once.
    let token = sandbox.account("ann", Role::User, &[Scope::Read]).await;
    assert_eq!(token.client.me().await.unwrap().account.as_deref(), Some("ann"));
    let change = AccountChange { suspended: Some(true), role: None };
    sandbox.admin().account_change("ann", &change).await.unwrap();
    assert_eq!(who(&sandbox, &fourth).await["role"], "anonymous");
    assert_eq!(token.client.me().await.unwrap_err().status(), Some(401));
    assert_eq!(sign_in(&sandbox, "ann", "another four words").await.0, 401);
    let change = AccountChange { suspended: Some(false), role: None };
    sandbox.admin().account_change("ann", &change).await.unwrap();
    assert!(token.client.me().await.is_ok());
    assert_eq!(who(&sandbox, &fourth).await["role"], "anonymous", "the session does not come back");

    // Signing out everywhere, and a role's change, end every session.
    let (_, fifth, _) = sign_in(&sandbox, "ann", "another four words").await;
    let (_, sixth, _) = sign_in(&sandbox, "ann", "another four words").await;
    let (fifth, sixth) = (fifth.unwrap(), sixth.unwrap());
    assert_eq!(send(&sandbox, "DELETE", "/api/v1/me/sessions", &fifth, &Value::Null).await.0, 204);
    assert_eq!(who(&sandbox, &sixth).await["role"], "anonymous");
    let (_, seventh, _) = sign_in(&sandbox, "ann", "another four words").await;
    let seventh = seventh.unwrap();
    let change = AccountChange { role: Some(Role::Moderator), suspended: None };
    sandbox.admin().account_change("ann", &change).await.unwrap();
    assert_eq!(who(&sandbox, &seventh).await["role"], "anonymous", "another role is another session");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_work_once_and_the_last_administrator_stays() {
    let sandbox = Sandbox::empty().await;
    invite(&sandbox, "ann", None).await;
    let older = sandbox.admin().account_link("ann").await.unwrap();
    let newer = sandbox.admin().account_link("ann").await.unwrap();
    let choose = async |link: &str, password: &str| {
        let ticket = link.split_once("ticket=").unwrap().1.to_owned();
        let choice = PasswordChoice { ticket, password: password.to_owned() };
        sandbox.anonymous().password_choose(&choice).await.map(drop).map_err(|error| error.status())
    };
    assert_eq!(choose(&older.link, PASSWORD).await, Err(Some(404)), "a newer link voids an older one");
    assert_eq!(choose(&newer.link, "password123").await, Err(Some(422)), "and a weak password uses it up not");
    assert_eq!(choose(&newer.link, PASSWORD).await, Ok(()));
    assert_eq!(choose(&newer.link, PASSWORD).await, Err(Some(404)));

    for change in
        [AccountChange { role: Some(Role::User), suspended: None }, AccountChange { role: None, suspended: Some(true) }]
    {
        let refused = sandbox.admin().account_change("admin", &change).await.unwrap_err();
        assert_eq!(refused.status(), Some(409), "{refused}");
    }
    let up = NewAccount { name: "eve".into(), display_name: None, role: None, password: Some(PASSWORD.into()) };
    assert_eq!(sandbox.anonymous().sign_up(&up).await.unwrap_err().status(), Some(403), "sign-up is closed");
    let application =
        NewAccount { name: "x".into(), role: Some(Role::Application), display_name: None, password: None };
    assert_eq!(sandbox.admin().account_create(&application).await.unwrap_err().status(), Some(422));

    let open = Settings { configuration: Some(CONFIGURATION.to_owned()), ..Settings::default() };
    let sandbox = Sandbox::start(open).await;
    sandbox.anonymous().sign_up(&up).await.unwrap();
    assert_eq!(sandbox.anonymous().sign_up(&up).await.unwrap_err().status(), Some(409));
    let admin = NewAccount { name: "mallory".into(), role: Some(Role::Administrator), ..up.clone() };
    assert_eq!(sandbox.anonymous().sign_up(&admin).await.unwrap_err().status(), Some(422));
}

const CONFIGURATION: &str = "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\n[accounts]\nsignUp = \"open\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down() {
    let sandbox = Sandbox::empty().await;
    invite(&sandbox, "ann", None).await;
    let mut refused = 0;
    // Guesses come back one every half minute, so that a slow machine needs a few more.
    for number in 0..60 {
        if refused > 0 {
            break;
        }
        let (status, cookie, wait) = sign_in(&sandbox, "ann", &format!("a wrong guess {number}")).await;
        assert!(cookie.is_none() && matches!(status, 401 | 429), "{status}");
        if status == 429 {
            assert!(wait.unwrap().parse::<u64>().unwrap() <= 60);
            refused += 1;
        }
    }
    assert!(refused >= 1, "ten guesses are the most at once");
    // What a client writes about its address moves it into no other bucket.
    let body = json!({ "account": "ann", "password": "another guess 1" });
    for header in ["x-forwarded-for", "forwarded"] {
        let request = sandbox.request("POST", "/api/v1/sessions").header(header, "198.51.100.77");
        assert_eq!(request.json(&body).send().await.unwrap().status(), 429, "{header}");
    }
    // Another account is not locked out by it, and nobody learns which accounts there are.
    let known =
        sandbox.request("POST", "/api/v1/sessions").json(&json!({"account": "bob", "password": "some guess 12"}));
    let (status, text) = catalog_tests::sandbox::read(known).await;
    assert_eq!(status, 401, "{text}");
    assert!(text.contains("the name or the password is wrong"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_a_header_and_only_what_it_was_made_for() {
    let sandbox = Sandbox::empty().await;
    let token = sandbox.account("ann", Role::User, &[Scope::Admin]).await.token;
    for query in [format!("access_token={token}"), format!("token={token}"), "access_token=x".to_owned()] {
        let (status, text) = sandbox.get(&format!("/api/v1/search?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(text.contains("token.in_query") && !text.contains(&token), "{text}");
    }
    let request = sandbox.request("GET", "/api/v1/me").header("cookie", format!("alidade={token}"));
    let (_, text) = catalog_tests::sandbox::read(request).await;
    assert!(text.contains("anonymous"), "a token in a cookie is none: {text}");
    // No secret of anybody is in the ledger's files.
    let cookie = invite(&sandbox, "bob", None).await;
    let session = cookie.split_once('=').unwrap().1;
    let mut held = Vec::new();
    for entry in std::fs::read_dir(sandbox.data()).unwrap().flatten() {
        if entry.path().is_file() {
            held.extend(std::fs::read(entry.path()).unwrap());
        }
    }
    for secret in [token.as_str(), session, PASSWORD] {
        let found = held.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a secret is on disk in clear");
    }
    assert!(held.windows(10).any(|window| window == b"$argon2id$"), "the password is there as a hash");
    let log = sandbox.log();
    assert!(!log.contains(&token) && !log.contains(session) && !log.contains(PASSWORD), "a secret is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_acts_in_a_session() {
    let sandbox = Sandbox::empty().await;
    let cookie = invite(&sandbox, "ann", None).await;
    let (_, text) = sandbox.get("/openapi.json").await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["post", "put", "patch", "delete"].into_iter().filter(|method| item.get(method).is_some()) {
            // Queries are read-only, and asked from anywhere; so is what harvesters ask.
            if matches!(path.as_str(), "/sparql" | "/oai") {
                continue;
            }
            let path = path.replace(['{', '}'], "x");
            for headers in [
                &[("sec-fetch-site", "cross-site")][..],
                &[("sec-fetch-site", "same-site")],
                &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
                &[("origin", "https://evil.example")],
                &[("origin", "null")],
                &[("origin", "http://127.0.0.1")],
                &[],
                &[("content-type", "text/plain"), ("origin", "https://evil.example")],
                &[("x-http-method-override", "GET")],
            ] {
                let mut request = sandbox.request(&method.to_uppercase(), &path).header("cookie", &cookie).body("{}");
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let status = request.send().await.unwrap().status();
                assert_eq!(status, 403, "{method} {path} {headers:?}");
                asked += 1;
            }
        }
    }
    assert!(asked > 200, "{asked}");
    // Nothing that only reads changes anything: GET of every page of change is none.
    for path in ["/logout", "/account/sessions/end", "/account/password", "/account/tokens"] {
        assert_eq!(
            sandbox.request("GET", path).header("cookie", &cookie).send().await.unwrap().status(),
            405,
            "{path}"
        );
    }
    assert_eq!(who(&sandbox, &cookie).await["account"], "ann", "the session is untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_led_away_after_signing_in() {
    let sandbox = Sandbox::empty().await;
    invite(&sandbox, "ann", None).await;
    for evil in [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "/%0d%0aSet-Cookie: a=b\r\nX: y",
        "mailto:a@evil.example",
        " //evil.example",
        "///evil.example",
        "@evil.example",
        ".evil.example",
    ] {
        let form = [("account", "ann"), ("password", PASSWORD), ("next", evil)];
        let request = sandbox.request("POST", "/login").header("sec-fetch-site", "same-origin").form(&form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 303, "{evil:?}");
        assert_eq!(response.headers()["location"], "/", "{evil:?}");
        assert!(response.headers().get("x").is_none());
    }
    let form = [("account", "ann"), ("password", PASSWORD), ("next", "/search?q=gaia")];
    let request = sandbox.request("POST", "/login").header("sec-fetch-site", "same-origin").form(&form);
    assert_eq!(request.send().await.unwrap().headers()["location"], "/search?q=gaia");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_other_origins_read_only_what_everybody_reads() {
    let sandbox = Sandbox::empty().await;
    let (_, text) = sandbox.get("/openapi.json").await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let private = [
        "/api/v1/me",
        "/api/v1/tokens",
        "/api/v1/accounts",
        "/api/v1/groups",
        "/api/v1/launches",
        "/api/v1/audit",
        "/api/v1/sessions",
    ];
    for path in document["paths"].as_object().unwrap().keys() {
        let asked = path.replace(['{', '}'], "x");
        let ask = |method: &'static str| {
            let request = sandbox.request(method, &asked).header("origin", "https://evil.example");
            request
                .header("access-control-request-method", "PUT")
                .header("access-control-request-headers", "authorization")
        };
        for response in [ask("OPTIONS").send().await.unwrap(), ask("GET").send().await.unwrap()] {
            let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_lowercase());
            let open = header("access-control-allow-origin");
            assert!(open.is_none() || open.as_deref() == Some("*"), "{path}: no origin is echoed");
            assert_eq!(header("access-control-allow-credentials"), None, "{path}");
            assert!(!header("access-control-allow-headers").unwrap_or_default().contains("authorization"), "{path}");
            assert!(!header("access-control-allow-methods").unwrap_or_default().contains("put"), "{path}");
            if private.iter().any(|private| path.starts_with(private)) {
                assert_eq!(open, None, "{path}");
            }
        }
    }
}
