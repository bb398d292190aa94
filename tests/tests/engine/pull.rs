//! Kills while an image is pulled: the launch goes on, its container is made once, and what ran is known by digest.

use std::time::{Duration, Instant};

use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{LaunchRequest, LaunchState};
use catalog_schemas::plan::PlanRequest;
use catalog_tests::Sandbox;
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::Settings;
use serde_json::json;

use crate::engine::Engine;
use crate::{containers, is_settled, registry, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_an_image_is_pulled_it_is_started_once() {
    let Some(mut engine) = Engine::start() else { return };
    engine.import_busybox("made:1", &["WORKDIR /home/lab"]);
    let image = registry::Image::of(&engine, "made:1");
    assert!(engine.run_docker(&["rmi", "made:1"]).0);
    let registry = registry::serve(image.clone()).await;
    let configuration = format!(
        "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\
         [[datazone]]\nid = \"real\"\nname = \"REAL\"\nbackend = \"docker\"\nendpoint = \"{}\"\n",
        engine.endpoint()
    );
    let mut sandbox = Sandbox::start(Settings { configuration: Some(configuration), ..Settings::default() }).await;
    let mut manifest = datalab("lab.test.pulled", "1.0.0");
    let script = "mkdir /tmp/www; echo hello > /tmp/www/index.html; exec /bin/httpd -f -p 8888 -h /tmp/www";
    manifest["needs"] = json!({ "cpu": { "min": 0.1 }, "memory": { "min": 32 }, "gpu": { "count": 0 } });
    manifest["datalabImage"] = json!({ "reference": format!("{}/lab:1", registry.name()) });
    manifest["runtime"] = json!({ "port": [8888], "path": "/", "command": ["/bin/sh", "-c"], "args": [script] });
    if let Err(error) = sandbox.admin().publish("lab.test.pulled", "1.0.0", package(&manifest)).await {
        panic!("{error:#?}");
    }
    let alice = sandbox.account("alice", Role::User, &[Scope::Read, Scope::Launch]).await;
    for (number, with_engine) in [false, true].into_iter().enumerate() {
        registry.pause(Duration::from_secs(3));
        let request = PlanRequest { datalab: "go-esa/lab.test.pulled".to_owned(), ..PlanRequest::default() };
        let request = LaunchRequest::Plan(Box::new(request));
        let launch = alice.client.launch(&request, &format!("key-{number}")).await.unwrap();
        let on_its_way = wait_for(&alice.client, &launch.id, |launch| launch.state == LaunchState::Preparing).await;
        assert!(on_its_way.failure.is_none(), "{on_its_way:#?}");
        tokio::time::sleep(Duration::from_millis(700)).await;
        sandbox.kill9();
        if with_engine {
            engine.kill();
            engine.restart();
        }
        assert_eq!(containers(&engine), 0);
        registry.pause(Duration::ZERO);
        sandbox.run().await;
        let ready = wait_for(&alice.client, &launch.id, is_settled).await;
        assert!(ready.failure.is_none(), "{ready:#?}");
        assert_eq!(ready.digest.as_deref(), Some(image.digest.as_str()));
        assert_eq!(containers(&engine), 1);
        alice.client.launch_stop(&launch.id).await.unwrap();
        wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
        let started = Instant::now();
        while containers(&engine) > 0 {
            assert!(started.elapsed() < Duration::from_secs(60), "{}", engine.run_docker(&["ps", "-a"]).1);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // The next round pulls again.
        let name = format!("{}/lab:1", registry.name());
        assert!(engine.run_docker(&["rmi", "-f", &name]).0);
        engine.run_docker(&["image", "prune", "-af"]);
    }
    assert_eq!(alice.client.me().await.unwrap().running, 0);

    // Launches are looked after every 15 seconds, which gave up what was under way: a longer pull began anew each time, and
    // never ended.
    registry.pause(Duration::from_secs(17));
    let before = registry.asked();
    let request = PlanRequest { datalab: "go-esa/lab.test.pulled".to_owned(), ..PlanRequest::default() };
    let launch = alice.client.launch(&LaunchRequest::Plan(Box::new(request)), "long").await.unwrap();
    let ready = wait_for(&alice.client, &launch.id, is_settled).await;
    assert!(ready.failure.is_none(), "{ready:#?}");
    assert_eq!(registry.asked() - before, 2, "the configuration and the one layer, each once");
}
