//! A certified provider (npm `oidc-provider`): the whole way, its own pages included, and a device that is allowed by
//! somebody who came in through it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use catalog_client::DevicePoll;
use catalog_tests::{Sandbox, Settings};
use serde_json::{Value, json};

use super::local::send;

/// The folder of the npm package; `tests/setup.sh` puts it there.
fn module() -> Option<PathBuf> {
    let tools = std::env::var_os("ALIDADE_TEST_TOOLS").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/alidade-tests/people"));
    let module = tools.or_else(home)?.join("node_modules/oidc-provider");
    let has_node =
        Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    (has_node && module.join("package.json").exists()).then_some(module)
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A browser with a jar of cookies for the provider.
struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn go(&mut self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for line in response.headers().get_all("set-cookie") {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }
}

fn location(response: &reqwest::Response) -> String {
    let text = response.headers()["location"].to_str().unwrap();
    // The provider's own steps are named by their paths.
    if text.starts_with("/interaction") || text.starts_with("/auth") {
        return response.url().join(text).unwrap().into();
    }
    text.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_provider_signs_somebody_in() {
    let Some(module) = module() else {
        eprintln!("SKIPPED: node or npm's oidc-provider is not installed; run tests/setup.sh");
        return;
    };
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let issuer = format!("http://127.0.0.1:{port}");
    let configuration = format!(
        "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n[oidc.real]\nissuer = \"{issuer}\"\nclientId = \"alidade-test\"\n\
         clientSecret = \"a-secret-of-the-client\"\nallowHttp = true\nscopes = [\"profile\", \"groups\"]\nuserInfo = true\n\
         administrators = [\"gaia:staff\"]\n"
    );
    let sandbox = Sandbox::start(Settings { configuration: Some(configuration), ..Settings::default() }).await;
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("suite/provider.mjs");
    let provider = Command::new("node")
        .arg(script)
        .env("PORT", port.to_string())
        .env("MODULE", module)
        .env("REDIRECT_URI", format!("{}/login/oidc/real/callback", sandbox.base()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _provider = Running(provider.unwrap());
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut browser = Browser { http, cookies: BTreeMap::new() };
    let started = Instant::now();
    while browser.http.get(format!("{issuer}/.well-known/openid-configuration")).send().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "the provider does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let out = sandbox.request("GET", "/login/oidc/real?next=/account").send().await.unwrap();
    assert_eq!(out.status(), 303);
    let way = out.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let request = browser.http.get(location(&out));
    let interaction = location(&browser.go(request).await);
    let request = browser.http.get(&interaction);
    assert_eq!(browser.go(request).await.status(), 200);
    let form = [("prompt", "login"), ("login", "carol"), ("password", "anything")];
    let request = browser.http.post(&interaction).form(&form);
    let resume = location(&browser.go(request).await);
    let request = browser.http.get(&resume);
    let back = location(&browser.go(request).await);
    let path = back.strip_prefix(sandbox.base()).expect("the provider sends back to us");
    assert!(path.contains("code=") && path.contains("iss="), "{path}");

    let arrived = sandbox.request("GET", path).header("cookie", &way).send().await.unwrap();
    assert_eq!((arrived.status().as_u16(), location(&arrived).as_str()), (303, "/account"));
    let mut cookies = arrived.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let session = cookies.find(|cookie| cookie.starts_with("alidade=")).unwrap().split(';').next().unwrap().to_owned();
    let (_, me) = send(&sandbox, "GET", "/api/v1/me", &session, &Value::Null).await;
    assert_eq!(
        (&me["account"], &me["displayName"], &me["role"]),
        (&json!("carol"), &json!("Somebody carol"), &json!("administrator"))
    );
    let (_, groups) = send(&sandbox, "GET", "/api/v1/groups", &session, &Value::Null).await;
    assert_eq!(groups["groups"][0]["name"], "gaia.staff@real", "{groups}");
    let page = sandbox.request("GET", "/account").header("cookie", &session).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("oidc:real"));
    let again = sandbox.request("GET", path).header("cookie", &way).send().await.unwrap();
    assert_eq!(again.status(), 400, "the way back is gone");

    // A device is allowed by whoever is signed in, however they came.
    let asked = sandbox.anonymous().device_begin("a program", "read launch").await.unwrap();
    let path = format!("/api/v1/device/{}", asked.user_code);
    assert_eq!(send(&sandbox, "POST", &path, &session, &json!({ "allow": true })).await.0, 204);
    let DevicePoll::Token(token) = sandbox.anonymous().device_token(&asked.device_code).await.unwrap() else {
        panic!("no token")
    };
    let me = sandbox.with_token(&token.access_token).me().await.unwrap();
    assert_eq!(me.account.as_deref(), Some("carol"));
    assert_eq!(send(&sandbox, "DELETE", "/api/v1/sessions", &session, &Value::Null).await.0, 204);
    let (_, me) = send(&sandbox, "GET", "/api/v1/me", &session, &Value::Null).await;
    assert_eq!(me["role"], "anonymous", "signed out here");
}
