//! A real lab on a real Docker engine, through the real server: HTTP and WebSocket through its door, and kills of both.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]
#![allow(clippy::print_stderr, reason = "a skipped test says so loudly")]

#[path = "../../../catalog-server/launch/tests/engine/mod.rs"]
mod engine;
mod many;
mod pipeline;
mod pull;
#[path = "../../../catalog-server/launch/tests/registry/mod.rs"]
mod registry;

use std::time::{Duration, Instant};

use catalog_client::{Client, ClientError};
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{Launch, LaunchRequest, LaunchState};
use catalog_schemas::plan::PlanRequest;
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::{Settings, read};
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use engine::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers one request a connection: an upgrade by sending back what comes, everything else by what it was sent.
const HANDLER: &str = r#"#!/bin/sh
read method path rest
upgrade=
headers=
while read line; do
  line=$(echo "$line" | busybox tr -d '\r')
  [ -z "$line" ] && break
  case "$line" in [Uu]pgrade:*) upgrade=1 ;; esac
  headers="$headers$line|"
done
if [ -n "$upgrade" ]; then
  printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
  exec cat
fi
printf 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nClear-Site-Data: "*"\r\nService-Worker-Allowed: /\r\nSet-Cookie: alidade=stolen\r\nSet-Cookie: =alidade=stolen\r\nSet-Cookie: own=1; Path=/\r\n\r\npath=%s headers=%s\n' "$path" "$headers"
"#;

fn configuration(engine: &Engine) -> String {
    format!(
        "[quota]\nsessions = 2\n[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\
         [[datazone]]\nid = \"real\"\nname = \"REAL\"\nbackend = \"docker\"\nendpoint = \"{}\"\n",
        engine.endpoint()
    )
}

fn manifest() -> serde_json::Value {
    let script = format!(
        "printf '%s' '{}' > /home/lab/handler; busybox chmod 700 /home/lab/handler; echo listening; exec busybox nc -ll -p 8888 -e /home/lab/handler",
        HANDLER.replace('\'', "'\\''")
    );
    let mut manifest = datalab("lab.test.echo", "1.0.0");
    manifest["needs"] = serde_json::json!({ "cpu": { "min": 0.2 }, "memory": { "min": 64 }, "gpu": { "count": 0 } });
    manifest["datalabImage"] = serde_json::json!({ "reference": "lab:1" });
    manifest["runtime"] =
        serde_json::json!({ "port": [8888], "path": "/", "command": ["/bin/sh", "-c"], "args": [script] });
    manifest
}

fn request() -> LaunchRequest {
    let request = PlanRequest { datalab: "go-esa/lab.test.echo".to_owned(), ..PlanRequest::default() };
    LaunchRequest::Plan(Box::new(request))
}

async fn wait_for(client: &Client, id: &str, wanted: impl Fn(&Launch) -> bool) -> Launch {
    let started = Instant::now();
    loop {
        let launch = client.launch_get(id).await;
        if let Ok(launch) = &launch
            && wanted(launch)
        {
            return launch.clone();
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{launch:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_settled(launch: &Launch) -> bool {
    matches!(launch.state, LaunchState::Ready | LaunchState::Running) || launch.state.is_final()
}

fn containers(engine: &Engine) -> usize {
    engine.run_docker(&["ps", "-aq", "--filter", "label=alidade.launch"]).1.split_whitespace().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_lab_is_used_and_survives_kills_of_server_and_engine() {
    let Some(mut engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &["WORKDIR /home/lab"]);
    let settings = Settings { configuration: Some(configuration(&engine)), ..Settings::default() };
    let mut sandbox = Sandbox::start(settings).await;
    let admin = sandbox.admin();
    if let Err(error) = admin.publish("lab.test.echo", "1.0.0", package(&manifest())).await {
        panic!("{error:#?}");
    }
    let alice = sandbox.account("alice", Role::User, &[Scope::Read, Scope::Launch]).await;
    let bob = sandbox.account("bob", Role::User, &[Scope::Read, Scope::Launch]).await;

    let launch = alice.client.launch(&request(), "one").await.unwrap();
    let ready = wait_for(&alice.client, &launch.id, is_settled).await;
    assert!(ready.failure.is_none() && !ready.demo, "{ready:#?}");

    // HTTP: the lab sees neither the portal's cookie nor the token, but the headers of a proxy; it cannot set our cookie.
    let path = format!("/lab/{}/tree?x=1", launch.id);
    let asked = sandbox.request("GET", &path).bearer_auth(&alice.token).header("cookie", "alidade=secret; own=2");
    let response = asked.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let cookies: Vec<String> =
        response.headers().get_all("set-cookie").iter().map(|it| it.to_str().unwrap().to_owned()).collect();
    assert_eq!(cookies, [format!("own=1; Path=/lab/{}/", launch.id)]);
    // What a lab says of the whole origin, which is not its own, is not passed on.
    for of_the_origin in ["clear-site-data", "service-worker-allowed"] {
        assert!(!response.headers().contains_key(of_the_origin), "{of_the_origin}");
    }
    let text = response.text().await.unwrap().to_ascii_lowercase();
    assert!(
        text.contains("path=/tree?x=1 ") && text.contains(&format!("x-forwarded-prefix: /lab/{}|", launch.id)),
        "{text}"
    );
    assert!(text.contains("own=2") && !text.contains("secret") && !text.contains("authorization"), "{text}");
    assert_eq!(read(sandbox.request("GET", &path).bearer_auth(&bob.token)).await.0, 404);

    // WebSocket: what is sent comes back, for the owner only.
    let upgrade = async |token: &str| {
        let address = sandbox.base().trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /lab/{}/ws HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            launch.id
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut byte = [0];
            let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut byte)).await.unwrap().unwrap();
            if read == 0 {
                break;
            }
            answer.push(byte[0]);
        }
        (stream, String::from_utf8(answer).unwrap())
    };
    let (mut stream, answer) = upgrade(&alice.token).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    for word in ["one", "two"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut echo = [0; 3];
        tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut echo)).await.unwrap().unwrap();
        assert_eq!(&echo, word.as_bytes());
    }
    drop(stream);
    assert!(upgrade(&bob.token).await.1.starts_with("HTTP/1.1 404"));

    // The server is killed while the lab runs, the engine as well: it is the same lab afterwards.
    let container = engine.run_docker(&["inspect", &launch.id, "--format", "{{.Id}}"]).1;
    sandbox.kill9();
    engine.kill();
    engine.restart();
    sandbox.run().await;
    let after = wait_for(&alice.client, &launch.id, is_settled).await;
    assert!(after.failure.is_none(), "{after:#?}");
    assert_eq!(engine.run_docker(&["inspect", &launch.id, "--format", "{{.Id}}"]).1, container);
    assert_eq!(read(sandbox.request("GET", &path).bearer_auth(&alice.token)).await.0, 200);

    // The server is killed at moments of a start: each launch is made once and becomes ready.
    for (number, wait) in [0u64, 150, 400].into_iter().enumerate() {
        let key = format!("killed-{number}");
        // The answer may be lost with the server; asked again with its key, it is the same launch.
        let asked = alice.client.launch(&request(), &key).await.ok();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        sandbox.kill9();
        if number == 1 {
            engine.kill();
            engine.restart();
        }
        sandbox.run().await;
        let again = alice.client.launch(&request(), &key).await.unwrap();
        assert!(asked.is_none_or(|asked| asked.id == again.id));
        let ready = wait_for(&alice.client, &again.id, is_settled).await;
        assert!(ready.failure.is_none(), "{number}: {ready:#?}");
        assert_eq!(containers(&engine), 2, "one for each live launch");
        let refused = alice.client.launch(&request(), &format!("more-{number}")).await.unwrap_err();
        assert!(matches!(&refused, ClientError::Problem(it) if it.code() == "quota.sessions"), "{refused}");
        alice.client.launch_stop(&again.id).await.unwrap();
        wait_for(&alice.client, &again.id, |launch| launch.state.is_final()).await;
    }
    alice.client.launch_stop(&launch.id).await.unwrap();
    let over = wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
    assert_eq!(over.state, LaunchState::Cancelled);
    assert!(alice.client.launch_logs(&launch.id).await.unwrap().contains(&"listening".to_owned()), "the log is kept");
    let started = Instant::now();
    while containers(&engine) > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "{}", engine.run_docker(&["ps", "-a"]).1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(sandbox.with_token(ADMIN_TOKEN).me().await.unwrap().running, 0);
}
