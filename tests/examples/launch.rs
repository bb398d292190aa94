//! Measures what a launch costs beside its container: from the request to *ready*, and the same container started by the
//! engine's own client and asked until it answers, in turns on one engine. `cargo xtask bench launch` runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a measurement cannot do must end it")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints its table")]

#[path = "../../catalog-server/launch/tests/engine/mod.rs"]
mod engine;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use catalog_client::Client;
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{LaunchRequest, LaunchState};
use catalog_schemas::plan::PlanRequest;
use catalog_tests::Sandbox;
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::Settings;
use engine::Engine;
use serde_json::json;

const SCRIPT: &str = "mkdir /tmp/www; echo hello > /tmp/www/index.html; exec /bin/httpd -f -p 8888 -h /tmp/www";

#[tokio::main]
async fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(15);
    let Some(engine) = Engine::start() else { return };
    engine.import_busybox("lab:1", &["WORKDIR /home/lab"]);
    let configuration = format!(
        "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\
         [[datazone]]\nid = \"real\"\nname = \"REAL\"\nbackend = \"docker\"\nendpoint = \"{}\"\n",
        engine.endpoint()
    );
    let variables = std::env::var("BENCH_LOG").map(|log| vec![("ALIDADE_LOG".to_owned(), log)]).unwrap_or_default();
    let settings = Settings { configuration: Some(configuration), variables, ..Settings::default() };
    let sandbox = Sandbox::start(settings).await;
    let mut manifest = datalab("lab.test.bench", "1.0.0");
    manifest["needs"] = json!({ "cpu": { "min": 1 }, "memory": { "min": 64 }, "gpu": { "count": 0 } });
    manifest["datalabImage"] = json!({ "reference": "lab:1" });
    manifest["runtime"] = json!({ "port": [8888], "path": "/", "command": ["/bin/sh", "-c"], "args": [SCRIPT] });
    if let Err(error) = sandbox.admin().publish("lab.test.bench", "1.0.0", package(&manifest)).await {
        panic!("{error:#?}");
    }
    let alice = sandbox.account("alice", Role::User, &[Scope::Read, Scope::Launch]).await;
    // The first of each makes the network and warms what is read.
    ours(&alice.client, "first").await;
    clients(&engine, 0);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        here.push(ours(&alice.client, &format!("round-{round}")).await);
        there.push(clients(&engine, round));
    }
    if std::env::var_os("BENCH_EVENTS").is_some() {
        eprintln!("{}", sandbox.log());
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    println!("\n| start of a lab, {rounds} rounds in turns, load {load} | p50 ms | p90 ms | least ms |");
    println!("|---|--:|--:|--:|");
    let row = |name: &str, times: &mut Vec<Duration>| {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
        println!("| {name} | {:.0} | {:.0} | {:.0} |", at(50), at(90), at(0));
        at(50)
    };
    let ours = row("Alidade, request to ready", &mut here);
    let client = row("the engine's own client, call to first answer", &mut there);
    let over = ours - client;
    println!("| **more, at p50 (aim ≤ 50 ms)** | **{over:.0}** {} | | |", if over <= 50.0 { "✓" } else { "✗" });
}

/// Launches, waits until it is ready, and stops it outside the measured time.
async fn ours(client: &Client, key: &str) -> Duration {
    let request = PlanRequest { datalab: "go-esa/lab.test.bench".to_owned(), ..PlanRequest::default() };
    let begun = Instant::now();
    let asked = jiff::Timestamp::now();
    let mut launch = client.launch(&LaunchRequest::Plan(Box::new(request)), key).await.unwrap();
    while launch.state != LaunchState::Ready {
        assert!(!launch.state.is_final() && begun.elapsed() < Duration::from_secs(120), "{launch:#?}");
        // Asked more often, the asking takes the processor from the engine that is measured.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let before = launch.stage.clone();
        launch = client.launch_get(&launch.id).await.unwrap();
        if std::env::var_os("BENCH_EVENTS").is_some() && launch.stage != before {
            eprintln!("  {:?} {:?} {:?}", begun.elapsed(), launch.state, launch.stage);
        }
    }
    let took = begun.elapsed();
    if std::env::var_os("BENCH_EVENTS").is_some() {
        eprintln!("asked at {asked}, ready after {took:?}");
        for event in client.launch_events(&launch.id).await.unwrap() {
            eprintln!("  {} {:?} {}", event.at, event.state, event.message);
        }
    }
    client.launch_stop(&launch.id).await.unwrap();
    while !launch.state.is_final() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        launch = client.launch_get(&launch.id).await.unwrap();
    }
    took
}

/// Starts the same container with the engine's own client, and asks it until it answers.
fn clients(engine: &Engine, round: usize) -> Duration {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let name = format!("client-{round}");
    let publish = format!("127.0.0.1:{port}:8888");
    let arguments = [
        "run",
        "-d",
        "--name",
        &name,
        "--user",
        "1000:100",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges:true",
        "--read-only",
        "--tmpfs",
        "/tmp:rw,nosuid,nodev,noexec,mode=1777,size=16m",
        "--tmpfs",
        "/home/lab:rw,nosuid,nodev,exec,mode=0700,size=32m,uid=1000,gid=100",
        "--memory",
        "64m",
        "--memory-swap",
        "64m",
        "--cpus",
        "1",
        "--pids-limit",
        "1024",
        "--shm-size",
        "256m",
        "--init",
        "--network",
        "alidade",
        "-p",
        &publish,
        "--entrypoint",
        "/bin/sh",
        "lab:1",
        "-c",
        SCRIPT,
    ];
    let begun = Instant::now();
    let (started, said) = engine.run_docker(&arguments);
    assert!(started, "{said}");
    while !answers(port) {
        assert!(begun.elapsed() < Duration::from_secs(120), "it never answers");
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = begun.elapsed();
    engine.run_docker(&["rm", "-f", &name]);
    took
}

fn answers(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = [0; 12];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b"200")
}
