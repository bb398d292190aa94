//! The device flow with the command line: `alidade login`, allowed in the portal, and `alidade logout`.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use catalog_client::DevicePoll;
use catalog_schemas::account::Role;
use catalog_tests::{Sandbox, Settings};
use serde_json::json;

use super::local::{invite, send};

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_signs_in_and_out() {
    let home = tempfile::tempdir().unwrap();
    let variables = vec![
        ("HOME".to_owned(), home.path().to_string_lossy().into_owned()),
        ("ALIDADE_TOKEN".to_owned(), String::new()),
        ("XDG_CONFIG_HOME".to_owned(), String::new()),
    ];
    let sandbox = Sandbox::start(Settings { variables, ..Settings::default() }).await;
    let cookie = invite(&sandbox, "ann", None).await;
    let said = home.path().join("said");
    let output = std::fs::File::create(&said).unwrap();
    let mut login = sandbox.command().arg("login").stdout(Stdio::from(output)).spawn().unwrap();
    let started = Instant::now();
    let code = loop {
        let text = std::fs::read_to_string(&said).unwrap();
        if let Some((_, code)) = text.split_once("?code=").filter(|(_, code)| code.len() >= 9) {
            break code[..9].to_owned();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no code: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let page = sandbox.request("GET", &format!("/device?code={code}")).header("cookie", &cookie).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains(&code) && page.contains("publish") && page.contains("Only allow this"), "{page}");
    let form = [("code", code.as_str()), ("answer", "allow")];
    let request = sandbox.request("POST", "/device").header("cookie", &cookie).header("sec-fetch-site", "same-origin");
    assert_eq!(request.form(&form).send().await.unwrap().status(), 200);
    assert!(login.wait().unwrap().success(), "{}", std::fs::read_to_string(&said).unwrap());

    let file = home.path().join(".config/alidade/credentials.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let token = kept[sandbox.base()].as_str().unwrap().to_owned();
    let me = sandbox.with_token(&token).me().await.unwrap();
    assert_eq!((me.account.as_deref(), me.role), (Some("ann"), Role::User));
    let listed = sandbox.cli(&["token", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("read,publish,launch"), "{listed:?}");
    assert!(!sandbox.cli(&["token", "create", "more"]).status.success(), "it makes no token: it may not manage");

    let out = sandbox.cli(&["logout"]);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(sandbox.with_token(&token).me().await.unwrap_err().status(), Some(401), "the token is revoked");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_gets_one_answer() {
    let sandbox = Sandbox::empty().await;
    let cookie = invite(&sandbox, "ann", None).await;
    let client = sandbox.anonymous();
    let poll = async |code: &str| client.device_token(code).await.unwrap();
    let asked = client.device_begin("a program", "read").await.unwrap();
    assert!(asked.interval >= 1 && asked.expires_in <= 900 && asked.user_code.len() == 9);
    assert_eq!(poll(&asked.device_code).await, DevicePoll::Refused("authorization_pending".to_owned()));
    let path = format!("/api/v1/device/{}", asked.user_code);
    // Somebody else's page, nobody, and a token cannot allow it.
    assert_eq!(sandbox.request("POST", &path).json(&json!({"allow": true})).send().await.unwrap().status(), 401);
    let request = sandbox.request("POST", &path).header("cookie", &cookie).header("origin", "https://evil.example");
    assert_eq!(request.json(&json!({"allow": true})).send().await.unwrap().status(), 403);
    assert_eq!(sandbox.admin().device_decide(&asked.user_code, true).await.unwrap_err().status(), Some(403));
    assert_eq!(send(&sandbox, "POST", &path, &cookie, &json!({"allow": true})).await.0, 204);
    assert_eq!(send(&sandbox, "POST", &path, &cookie, &json!({"allow": false})).await.0, 404, "it is decided");
    let DevicePoll::Token(token) = poll(&asked.device_code).await else { panic!("no token") };
    assert_eq!((token.token_type.as_str(), token.scope.as_str()), ("Bearer", "read"));
    assert_eq!(poll(&asked.device_code).await, DevicePoll::Refused("expired_token".to_owned()), "a code is used once");
    assert_eq!(sandbox.with_token(&token.access_token).me().await.unwrap().account.as_deref(), Some("ann"));

    let asked = client.device_begin("a program", "read").await.unwrap();
    let path = format!("/api/v1/device/{}", asked.user_code.replace('-', "").to_lowercase());
    assert_eq!(send(&sandbox, "POST", &path, &cookie, &json!({"allow": false})).await.0, 204);
    assert_eq!(poll(&asked.device_code).await, DevicePoll::Refused("access_denied".to_owned()));
    assert_eq!(poll("nonsense").await, DevicePoll::Refused("expired_token".to_owned()));
    assert_eq!(client.device_begin("x", "everything").await.unwrap_err().status(), Some(400));
    let request = sandbox.request("POST", "/api/v1/device/token").form(&[("grant_type", "password")]);
    let (status, text) = catalog_tests::sandbox::read(request).await;
    assert_eq!((status, text.contains("unsupported_grant_type")), (400, true), "{text}");
    // Codes cannot be tried one after the other.
    let mut slowed = false;
    for number in 0..12u8 {
        let letter = char::from(b'B' + number);
        let path = format!("/api/v1/device/BCDF-GHJ{letter}");
        slowed |= send(&sandbox, "GET", &path, &cookie, &json!(null)).await.0 == 429;
    }
    assert!(slowed);
}
