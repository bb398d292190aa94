//! Many at once, and moments of an end: the quota holds, nothing is made twice, nothing is left.

use std::time::{Duration, Instant};

use catalog_client::ClientError;
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{LaunchRequest, LaunchState};
use catalog_schemas::plan::PlanRequest;
use catalog_tests::Sandbox;
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::{Settings, read};
use futures::StreamExt;
use serde_json::json;

use crate::engine::Engine;
use crate::{containers, is_settled, wait_for};

const LAUNCHES: &[Scope] = &[Scope::Read, Scope::Launch];

async fn sandbox(engine: &Engine, script: &str) -> Sandbox {
    let configuration = format!(
        "[quota]\nsessions = 3\n[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\
         [[datazone]]\nid = \"real\"\nname = \"REAL\"\nbackend = \"docker\"\nendpoint = \"{}\"\n",
        engine.endpoint()
    );
    let sandbox = Sandbox::start(Settings { configuration: Some(configuration), ..Settings::default() }).await;
    let mut manifest = datalab("lab.test.small", "1.0.0");
    manifest["needs"] = json!({ "cpu": { "min": 0.05 }, "memory": { "min": 32 }, "gpu": { "count": 0 } });
    manifest["datalabImage"] = json!({ "reference": "lab:1" });
    manifest["runtime"] = json!({ "port": [8888], "path": "/", "command": ["/bin/sh", "-c"], "args": [script] });
    if let Err(error) = sandbox.admin().publish("lab.test.small", "1.0.0", package(&manifest)).await {
        panic!("{error:#?}");
    }
    sandbox
}

fn small() -> LaunchRequest {
    let datalab = "go-esa/lab.test.small".to_owned();
    LaunchRequest::Plan(Box::new(PlanRequest { datalab, ..PlanRequest::default() }))
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_are_three_and_a_double_click_is_one() {
    let Some(engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &["WORKDIR /home/lab"]);
    let script = "echo one; echo two; mkdir /tmp/www; echo hello > /tmp/www/index.html; sleep 2; echo three; \
                  exec /bin/httpd -f -p 8888 -h /tmp/www";
    let sandbox = sandbox(&engine, script).await;
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;

    // Twenty clicks of one form, at once.
    let request = small();
    let clicks = (0..20).map(|_| alice.client.launch(&request, "one form"));
    let ids: Vec<String> = futures::future::join_all(clicks).await.into_iter().map(|it| it.unwrap().id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    // Fifty wishes at once: with the first there are three, and every other is told why.
    let keys: Vec<String> = (0..50).map(|number| format!("wish-{number}")).collect();
    let wishes = keys.iter().map(|key| alice.client.launch(&request, key));
    let mut taken = vec![ids[0].clone()];
    for answer in futures::future::join_all(wishes).await {
        match answer {
            Ok(launch) => taken.push(launch.id),
            Err(ClientError::Problem(problem)) => assert_eq!(problem.code(), "quota.sessions", "{problem:#?}"),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(taken.len(), 3, "{taken:?}");
    for id in &taken {
        let ready = wait_for(&alice.client, id, is_settled).await;
        assert!(ready.failure.is_none(), "{ready:#?}");
    }
    assert_eq!(containers(&engine), 3);
    assert_eq!(alice.client.me().await.unwrap().running, 3);

    // The log: from a moment on, by its end, as a file, and followed as it comes.
    let path = format!("/api/v1/launches/{}/logs", taken[0]);
    let asked = |query: &str| sandbox.request("GET", &format!("{path}{query}")).bearer_auth(&alice.token);
    let file = asked("?download=true").send().await.unwrap();
    let named = file.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(named, format!("attachment; filename=\"{}.log\"", taken[0]));
    assert_eq!(file.text().await.unwrap(), "one\ntwo\nthree\n");
    let (_, end) = read(asked("?tail=1").header("accept", "application/json")).await;
    assert_eq!(end, "[\"three\"]");
    // The engine's own times say when the last line was written.
    let times = engine.run_docker(&["logs", "--timestamps", &taken[0]]).1;
    let since = times.lines().find(|line| line.ends_with("three")).and_then(|line| line.split(' ').next()).unwrap();
    let (_, late) = read(asked(&format!("?since={since}")).header("accept", "application/json")).await;
    assert_eq!(late, "[\"three\"]", "since {since}");
    let followed = asked("").header("accept", "text/event-stream").send().await.unwrap();
    assert!(followed.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let (mut stream, mut seen) = (followed.bytes_stream(), String::new());
    while !seen.contains("data: three") {
        let chunk = tokio::time::timeout(Duration::from_secs(60), stream.next()).await.unwrap().unwrap().unwrap();
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(seen.find("data: one").unwrap() < seen.find("data: two").unwrap(), "{seen}");

    for id in &taken {
        alice.client.launch_stop(id).await.unwrap();
        alice.client.launch_stop(id).await.unwrap();
    }
    for id in &taken {
        let over = wait_for(&alice.client, id, |launch| launch.state.is_final()).await;
        assert_eq!(over.state, LaunchState::Cancelled, "{over:#?}");
    }
    assert_eq!(alice.client.me().await.unwrap().running, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_lab_is_stopped_nothing_is_left_of_it() {
    let Some(mut engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &["WORKDIR /home/lab"]);
    // It does not listen to being asked to end, so that stopping takes the whole grace.
    let script = "trap '' TERM; mkdir /tmp/www; echo hello > /tmp/www/index.html; /bin/httpd -f -p 8888 -h /tmp/www & \
                  while true; do sleep 1; done";
    let mut sandbox = sandbox(&engine, script).await;
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;
    for (number, with_engine) in [false, true].into_iter().enumerate() {
        let launch = alice.client.launch(&small(), &format!("key-{number}")).await.unwrap();
        let ready = wait_for(&alice.client, &launch.id, is_settled).await;
        assert!(ready.failure.is_none(), "{ready:#?}");
        alice.client.launch_stop(&launch.id).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        sandbox.kill9();
        if with_engine {
            engine.kill();
            engine.restart();
        }
        sandbox.run().await;
        let over = wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
        assert_eq!(over.state, LaunchState::Cancelled, "{over:#?}");
        let started = Instant::now();
        while containers(&engine) > 0 {
            assert!(started.elapsed() < Duration::from_secs(90), "{}", engine.run_docker(&["ps", "-a"]).1);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(alice.client.me().await.unwrap().running, 0);
    }
}
