//! Signing in through identity providers: what goes well, and everything that must not.

use std::fmt::Write;

use catalog_schemas::people::AccountChange;
use catalog_tests::{Sandbox, Settings};
use serde_json::{Value, json};

use super::provider::{CLIENT, Grant, Provider, SECRET};

/// Starts a server that knows these issuers of the provider, each as an identity provider of the same name.
async fn server(provider: &Provider, issuers: &[&str]) -> Sandbox {
    let mut text = "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n".to_owned();
    for issuer in issuers {
        write!(
            text,
            "[oidc.{issuer}]\nissuer = \"{}/{issuer}\"\nclientId = \"{CLIENT}\"\nclientSecret = \"{SECRET}\"\nallowHttp = true\n\
             groupsClaim = \"entitlements\"\nauthority = \"aai.example\"\nmoderators = [\"gaia:staff\"]\nadmits = {}\n",
            provider.base,
            *issuer != "closed"
        )
        .unwrap();
    }
    Sandbox::start(Settings { configuration: Some(text), ..Settings::default() }).await
}

/// Somebody's browser on the way to a provider.
struct Way {
    cookie: String,
    state: String,
    nonce: String,
    challenge: String,
}

async fn depart(sandbox: &Sandbox, issuer: &str) -> Way {
    let response = sandbox.request("GET", &format!("/login/oidc/{issuer}?next=/volumes")).send().await.unwrap();
    assert_eq!(response.status(), 303, "{}", response.text().await.unwrap());
    let set_cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(set_cookie.contains("HttpOnly") && set_cookie.contains("SameSite=Lax"), "{set_cookie}");
    let location = reqwest::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let get = |name: &str| location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(get("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(get("response_type").as_deref(), Some("code"));
    assert_eq!(get("client_id").as_deref(), Some(CLIENT));
    assert_eq!(get("redirect_uri").unwrap(), format!("{}/login/oidc/{issuer}/callback", sandbox.base()));
    assert!(get("scope").unwrap().split(' ').any(|scope| scope == "openid"));
    Way {
        cookie: set_cookie.split(';').next().unwrap().to_owned(),
        state: get("state").unwrap(),
        nonce: get("nonce").unwrap(),
        challenge: get("code_challenge").unwrap(),
    }
}

fn grant(way: &Way, fault: &str, claims: Value) -> Grant {
    Grant { fault: fault.to_owned(), nonce: way.nonce.clone(), challenge: way.challenge.clone(), claims }
}

/// What came of it: the status, where to, and the session's cookie.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: u16,
    location: Option<String>,
    session: Option<String>,
}

async fn arrive(sandbox: &Sandbox, issuer: &str, cookie: &str, parameters: &[(&str, &str)]) -> Outcome {
    let request = sandbox.request("GET", &format!("/login/oidc/{issuer}/callback")).query(parameters);
    let response = request.header("cookie", cookie).send().await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let cookies = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let mut session = cookies
        .filter(|cookie| cookie.starts_with("alidade="))
        .map(|cookie| cookie.split(';').next().unwrap().to_owned());
    Outcome { status: response.status().as_u16(), location: header("location"), session: session.next() }
}

/// Goes the whole way with these claims, and returns the session's cookie.
async fn sign_in(sandbox: &Sandbox, provider: &Provider, issuer: &str, claims: Value) -> Outcome {
    let way = depart(sandbox, issuer).await;
    provider.grant("code", grant(&way, "good", claims));
    arrive(sandbox, issuer, &way.cookie, &[("code", "code"), ("state", &way.state)]).await
}

async fn me(sandbox: &Sandbox, session: &str) -> Value {
    let response = sandbox.request("GET", "/api/v1/me").header("cookie", session).send().await.unwrap();
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_known_by_issuer_and_subject_alone() {
    let provider = Provider::start().await;
    let sandbox = server(&provider, &["good", "second", "named", "closed"]).await;
    let page = sandbox.get("/login?next=/volumes").await.1;
    assert!(page.contains("/login/oidc/good?next=%2Fvolumes") && page.contains("Sign in with "), "{page}");

    let claims = json!({ "preferred_username": "Ann", "name": "Ann Smith", "email": "ann@example.org", "entitlements": [
        "urn:mace:example:group:gaia:staff:role=member#aai.example", "urn:mace:example:group:other#evil.example"] });
    let outcome = sign_in(&sandbox, &provider, "good", claims.clone()).await;
    assert_eq!((outcome.status, outcome.location.as_deref()), (303, Some("/volumes")));
    let session = outcome.session.unwrap();
    let known = me(&sandbox, &session).await;
    assert_eq!(
        (&known["account"], &known["displayName"], &known["role"]),
        (&json!("ann"), &json!("Ann Smith"), &json!("moderator"))
    );
    let groups = sandbox.request("GET", "/api/v1/groups").header("cookie", &session).send().await.unwrap();
    let groups: Value = groups.json().await.unwrap();
    assert_eq!(groups["groups"].as_array().unwrap().len(), 1, "{groups}");
    assert_eq!(groups["groups"][0]["name"], "gaia.staff@good");
    assert_eq!(groups["groups"][0]["members"][0]["provider"], "oidc:good");

    // The same subject is the same account under whatever name, and what the provider takes back is gone; the session
    // of the role before is over.
    let outcome = sign_in(&sandbox, &provider, "good", json!({ "preferred_username": "Renamed" })).await;
    let again = me(&sandbox, &outcome.session.unwrap()).await;
    assert_eq!((&again["account"], &again["role"]), (&json!("ann"), &json!("user")));
    assert_eq!(me(&sandbox, &session).await["role"], "anonymous");

    // Another issuer's same name and address, and another subject, are other people.
    let outcome = sign_in(&sandbox, &provider, "second", claims.clone()).await;
    assert_eq!(me(&sandbox, &outcome.session.unwrap()).await["account"], "ann-2");
    let outcome = sign_in(
        &sandbox,
        &provider,
        "good",
        json!({ "sub": "s2", "preferred_username": "admin", "email": "ann@example.org", "email_verified": false }),
    )
    .await;
    let third = me(&sandbox, &outcome.session.unwrap()).await;
    assert_eq!(
        (&third["account"], &third["role"]),
        (&json!("admin-2"), &json!("user")),
        "a name is a wish, never a key"
    );

    // An issuer that names itself in the answer must (RFC 9207).
    let way = depart(&sandbox, "named").await;
    provider.grant("code", grant(&way, "good", json!({ "sub": "s3" })));
    let issuer = format!("{}/named", provider.base);
    let parameters = [("code", "code"), ("state", way.state.as_str()), ("iss", issuer.as_str())];
    assert_eq!(arrive(&sandbox, "named", &way.cookie, &parameters).await.status, 303);
    // Nobody new comes in where nobody is admitted; who is suspended does not come back.
    assert_eq!(sign_in(&sandbox, &provider, "closed", claims.clone()).await.status, 403);
    sandbox.admin().account_change("ann", &AccountChange { suspended: Some(true), role: None }).await.unwrap();
    let outcome = sign_in(&sandbox, &provider, "good", claims).await;
    assert_eq!((outcome.status, outcome.session), (403, None));
}

/// What can be wrong with an answer of the token endpoint.
const FAULTS: [&str; 30] = [
    "wrong issuer",
    "issuer with a slash",
    "wrong audience",
    "audience beside us",
    "no audience",
    "azp of another",
    "wrong nonce",
    "no nonce",
    "expired",
    "no expiry",
    "not yet valid",
    "issued tomorrow",
    "no subject",
    "wrong at_hash",
    "unknown kid",
    "alg none",
    "hmac with our secret",
    "hmac with the public key",
    "rs256 with an ec key",
    "key in the header",
    "signed by another",
    "no signature",
    "changed after signing",
    "no id_token",
    "garbage",
    "refused",
    "token endpoint fails",
    "answer of html",
    "huge answer",
    "wrong verifier",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_provider_signs_nobody_in() {
    let provider = Provider::start().await;
    let issuers = ["good", "second", "named", "liar", "redirects", "broken", "failing", "huge", "manykeys"];
    let sandbox = server(&provider, &issuers).await;
    for fault in FAULTS {
        let way = depart(&sandbox, "good").await;
        let mut wrong = grant(&way, fault, json!({}));
        if fault == "wrong verifier" {
            wrong.challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned();
        }
        provider.grant(fault, wrong);
        let outcome = arrive(&sandbox, "good", &way.cookie, &[("code", fault), ("state", &way.state)]).await;
        assert_eq!(outcome, Outcome { status: 403, location: None, session: None }, "{fault}");
    }

    // Ways back that do not belong to the way out.
    let refused = |outcome: Outcome, what: &str| {
        assert!((400..500).contains(&outcome.status) && outcome.session.is_none(), "{what}: {outcome:?}");
    };
    let (mine, theirs) = (depart(&sandbox, "good").await, depart(&sandbox, "good").await);
    for (what, cookie, state) in [
        ("another browser's state", theirs.cookie.as_str(), mine.state.as_str()),
        ("no cookie", "", theirs.state.as_str()),
        ("an unknown state", theirs.cookie.as_str(), "nonsense"),
    ] {
        provider.grant("code", grant(&mine, "good", json!({})));
        refused(arrive(&sandbox, "good", cookie, &[("code", "code"), ("state", state)]).await, what);
    }
    for (what, parameters) in
        [("no state", &[("code", "code")][..]), ("nothing", &[]), ("an error", &[("error", "access_denied")])]
    {
        let way = depart(&sandbox, "good").await;
        refused(arrive(&sandbox, "good", &way.cookie, parameters).await, what);
    }
    let way = depart(&sandbox, "good").await;
    refused(arrive(&sandbox, "good", &way.cookie, &[("state", &way.state)]).await, "no code");
    let way = depart(&sandbox, "good").await;
    let denied = [("error", "<script>alert(1)</script>"), ("state", way.state.as_str())];
    refused(arrive(&sandbox, "good", &way.cookie, &denied).await, "the provider's no");
    let way = depart(&sandbox, "good").await;
    provider.grant("code", grant(&way, "good", json!({})));
    refused(
        arrive(&sandbox, "second", &way.cookie, &[("code", "code"), ("state", &way.state)]).await,
        "another provider's way",
    );
    let way = depart(&sandbox, "good").await;
    provider.grant("code", grant(&way, "good", json!({})));
    let mixed = [("code", "code"), ("state", way.state.as_str()), ("iss", "https://evil.example")];
    refused(arrive(&sandbox, "good", &way.cookie, &mixed).await, "a mix-up");
    let way = depart(&sandbox, "named").await;
    provider.grant("code", grant(&way, "good", json!({})));
    refused(arrive(&sandbox, "named", &way.cookie, &[("code", "code"), ("state", &way.state)]).await, "no issuer");
    refused(arrive(&sandbox, "nobody", "", &[]).await, "no such provider");

    // Providers that cannot be trusted from the beginning.
    for issuer in ["liar", "redirects", "broken", "failing", "huge", "manykeys"] {
        let response = sandbox.request("GET", &format!("/login/oidc/{issuer}")).send().await.unwrap();
        assert_eq!(response.status(), 502, "{issuer}");
        assert!(response.headers().get("set-cookie").is_none(), "{issuer}");
    }
    assert_eq!(sessions(&sandbox), 0, "a session began");
    let log = sandbox.log();
    assert!(!log.contains(SECRET) && !log.contains("an-access-token"), "a secret is in the log");
    assert!(log.contains("does not hold") && !log.contains("panicked"));

    // A way back is gone once, also when it went well; so is a code.
    let way = depart(&sandbox, "good").await;
    provider.grant("once", grant(&way, "good", json!({})));
    let parameters = [("code", "once"), ("state", way.state.as_str())];
    assert_eq!(arrive(&sandbox, "good", &way.cookie, &parameters).await.status, 303);
    refused(arrive(&sandbox, "good", &way.cookie, &parameters).await, "a replayed answer");
    let way = depart(&sandbox, "good").await;
    refused(arrive(&sandbox, "good", &way.cookie, &[("code", "once"), ("state", &way.state)]).await, "a replayed code");
    assert_eq!(sessions(&sandbox), 1);
}

/// Counts the sessions in the ledger.
fn sessions(sandbox: &Sandbox) -> u32 {
    let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1], timeout=60).execute('SELECT COUNT(*) FROM session').fetchone()[0])";
    let ledger = sandbox.data().join("ledger.db");
    let output = std::process::Command::new("python3").args(["-c", script]).arg(ledger).output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("python3 reads the ledger; tests/setup.sh installs it")
}

/// What is wrong with a token that should sign somebody out.
const WRONG_FAREWELLS: [&str; 14] = [
    "a nonce",
    "no event",
    "another event",
    "an event that is a word",
    "another issuer",
    "another audience",
    "expired",
    "old",
    "of tomorrow",
    "no subject",
    "alg none",
    "hmac",
    "no signature",
    "signed by another",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_signs_out_whom_it_signed_in() {
    let provider = Provider::start().await;
    let sandbox = server(&provider, &["good", "named"]).await;
    let begin = async |session: &str| {
        let outcome = sign_in(&sandbox, &provider, "good", json!({ "sid": session })).await;
        outcome.session.unwrap()
    };
    let (one, other) = (begin("at-work").await, begin("at-home").await);
    let leave = async |issuer: &str, token: String| {
        let request = sandbox.request("POST", &format!("/login/oidc/{issuer}/logout"));
        request.form(&[("logout_token", token)]).send().await.unwrap().status().as_u16()
    };
    for fault in WRONG_FAREWELLS {
        assert_eq!(leave("good", provider.logout_token("good", fault, None)).await, 400, "{fault}");
    }
    assert_eq!(leave("good", "not.a.token".to_owned()).await, 400);
    assert_eq!(leave("good", provider.logout_token("named", "good", None)).await, 400, "of another provider");
    assert_eq!(sandbox.request("POST", "/login/oidc/good/logout").send().await.unwrap().status(), 400);
    for session in [&one, &other] {
        assert!(me(&sandbox, session).await["account"].is_string(), "nobody was signed out");
    }
    // One session there is one here; without a word of which, it is all of them.
    assert_eq!(leave("good", provider.logout_token("good", "", Some("at-work"))).await, 200);
    assert!(me(&sandbox, &one).await["account"].is_null());
    assert!(me(&sandbox, &other).await["account"].is_string());
    assert_eq!(leave("good", provider.logout_token("good", "", None)).await, 200);
    assert!(me(&sandbox, &other).await["account"].is_null());
    // Nobody is left to sign out, which is what the provider wants.
    assert_eq!(leave("good", provider.logout_token("good", "", None)).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_at_the_provider_while_we_restart_comes_back_signed_in() {
    let provider = Provider::start().await;
    let mut sandbox = server(&provider, &["good"]).await;
    let way = depart(&sandbox, "good").await;
    sandbox.restart().await;
    provider.grant("code", grant(&way, "good", json!({})));
    let back = [("code", "code"), ("state", way.state.as_str())];
    let outcome = arrive(&sandbox, "good", &way.cookie, &back).await;
    assert_eq!((outcome.status, outcome.location.as_deref()), (303, Some("/volumes")));
    assert!(me(&sandbox, &outcome.session.unwrap()).await["account"].is_string());
    let again = arrive(&sandbox, "good", &way.cookie, &back).await;
    assert_eq!((again.status, again.session), (400, None), "and once only");
}
