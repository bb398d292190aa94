//! What was acknowledged survives `kill -9`, nothing else is half there, and a search index that is lost or damaged comes back
//! by itself while pages still answer.
//!
//! `CRASH_SEED` repeats a run; the seed is printed by a failing one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use catalog_client::{Client, ClientError};
use catalog_schemas::search::SearchQuery;
use catalog_tests::package::{datalab, package_with};
use catalog_tests::{Sandbox, sparql};
use futures::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Mutex;

/// Kills in one run.
const KILLS: usize = 50;

/// Publishers at a time.
const PUBLISHERS: usize = 8;

/// What was sent, by identifier, and whether the server said that it has it.
type Sent = BTreeMap<String, (Bytes, bool)>;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_fifty_kills() {
    let seed = std::env::var("CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println_seed(seed);
    let mut random = StdRng::seed_from_u64(seed);
    let mut sandbox = Sandbox::empty().await;
    let sent: Arc<Mutex<Sent>> = Arc::default();
    let number = Arc::new(AtomicUsize::new(0));

    for kill in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| tokio::spawn(publish(sandbox.admin(), Arc::clone(&sent), Arc::clone(&number), Arc::clone(&stop))))
            .collect();
        // Sometimes at once, sometimes after many.
        tokio::time::sleep(Duration::from_millis(random.random_range(5..600))).await;
        sandbox.kill9();
        stop.store(true, Ordering::Release);
        for publisher in publishers {
            publisher.await.unwrap();
        }
        // Sometimes it is killed again while it starts.
        if random.random_bool(0.2) {
            sandbox.spawn();
            tokio::time::sleep(Duration::from_millis(random.random_range(1..400))).await;
            sandbox.kill9();
        }
        sandbox.spawn();
        sandbox.wait_until_alive().await;
        let is_last = kill + 1 == KILLS;
        check_ledger(&sandbox, &sent, is_last, seed).await;
        // The projections follow more slowly; they are killed in the middle of it as well.
        if kill % 5 == 4 || is_last {
            sandbox.wait_until_ready().await;
            check_projections(&sandbox, &sent, seed).await;
        }
    }

    let sent = sent.lock().await;
    let acknowledged = sent.values().filter(|(_, acknowledged)| *acknowledged).count();
    assert!(acknowledged > KILLS, "the publishers got through: {acknowledged} of {}", sent.len());
    sandbox.stop();
    let verified = sandbox.cli(&["verify"]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success() && said.trim_end().ends_with("\nsound"), "seed {seed}: {said}");
}

#[expect(clippy::print_stdout, reason = "whoever repeats a run needs its seed")]
fn println_seed(seed: u64) {
    println!("CRASH_SEED={seed}");
}

/// Publishes one package after another until told to stop or cut off.
async fn publish(client: Client, sent: Arc<Mutex<Sent>>, number: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Acquire) {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let identifier = format!("lab.crash.n{number}x");
        // Some are kept in SQLite, some in a file of their own.
        let filler =
            if number.is_multiple_of(5) { noise(number as u64, 200_000) } else { format!("Number {number}.\n") };
        let body = package_with(&datalab(&identifier, "1.0.0"), &[("README.md", &filler)]);
        sent.lock().await.insert(identifier.clone(), (body.clone(), false));
        match client.publish(&identifier, "1.0.0", body).await {
            Ok(_) => sent.lock().await.get_mut(&identifier).unwrap().1 = true,
            Err(ClientError::Transport(_)) => return,
            Err(ClientError::Problem(problem)) if problem.status == 503 => {}
            Err(error) => panic!("{identifier}: {error}"),
        }
    }
}

/// Text that does not compress.
fn noise(seed: u64, length: usize) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    (0..length).map(|_| char::from(random.random_range(b'!'..=b'~'))).collect()
}

/// Checks packages and records against what was sent: the newest, or all when asked for.
async fn check_ledger(sandbox: &Sandbox, sent: &Arc<Mutex<Sent>>, all: bool, seed: u64) {
    let mut sent = sent.lock().await;
    let client = sandbox.anonymous();
    let names: Vec<String> = if all { sent.keys().cloned().collect() } else { newest(&sent) };
    let stored = names
        .iter()
        .map(|name| async { (client.package(name, "1.0.0").await, client.record("go-esa", name, None).await) });
    let stored: Vec<_> = stream::iter(stored).buffered(8).collect().await;
    for (name, (package, record)) in names.iter().zip(stored) {
        let (body, acknowledged) = sent.get_mut(name).unwrap();
        match (package, record) {
            (Ok(package), Ok(record)) => {
                assert!(package == *body, "seed {seed}: the bytes of {name} changed");
                assert_eq!(record.state, "published", "seed {seed}: {name}");
                // The server had it and could not say so any more: whole, and from now on not to be lost.
                *acknowledged = true;
            }
            (Err(package), Err(record)) if !*acknowledged => {
                assert_eq!((package.status(), record.status()), (Some(404), Some(404)), "seed {seed}: {name}");
            }
            (package, record) => {
                let (package, record) = (package.map(|bytes| bytes.len()), record.map(|record| record.state));
                panic!("seed {seed}: {name}, acknowledged: {acknowledged}: {package:?}, {record:?}");
            }
        }
    }
}

/// Checks that search and SPARQL have exactly what the ledger has.
async fn check_projections(sandbox: &Sandbox, sent: &Arc<Mutex<Sent>>, seed: u64) {
    let sent = sent.lock().await;
    let found = found_by_search(&sandbox.anonymous()).await;
    let rows = sparql::select(sandbox, "SELECT ?id WHERE { ?r a esado:Datalab ; dct:identifier ?id }").await;
    let known: BTreeSet<String> = rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
    let expected: BTreeSet<String> =
        sent.iter().filter(|(_, (_, acknowledged))| *acknowledged).map(|(name, _)| name.clone()).collect();
    assert_eq!(
        found.symmetric_difference(&expected).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "seed {seed}: by search"
    );
    assert_eq!(
        known.symmetric_difference(&expected).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "seed {seed}: by SPARQL"
    );
}

/// The last sent, among which are all that were cut off.
fn newest(sent: &Sent) -> Vec<String> {
    let mut names: Vec<&String> = sent.keys().collect();
    let number = |name: &str| name.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap();
    names.sort_by_key(|name| number(name));
    names.into_iter().rev().take(3 * PUBLISHERS).cloned().collect()
}

/// Reads every identifier that search has, page by page.
async fn found_by_search(client: &Client) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for page in 1.. {
        let query =
            SearchQuery { page, size: 100, sort: catalog_schemas::search::Sort::Name, ..SearchQuery::default() };
        let answer = client.search(&query).await.unwrap();
        found.extend(answer.hits.into_iter().map(|hit| hit.identifier));
        if page * 100 >= answer.total {
            break;
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_index_comes_back_by_itself() {
    let mut sandbox = Sandbox::with_sample().await;
    let total = sandbox.search(&[("size", "0")]).await.total;
    assert!(total > 50, "{total}");

    // Deleted while it is stopped.
    sandbox.stop();
    std::fs::remove_dir_all(sandbox.data().join("index")).unwrap();
    sandbox.spawn();
    comes_back(&sandbox, total).await;

    // Deleted while it runs; what is published meanwhile is there afterwards.
    std::fs::remove_dir_all(sandbox.data().join("index")).unwrap();
    let body = package_with(&datalab("lab.own.meanwhile", "1.0.0"), &[]);
    sandbox.admin().publish("lab.own.meanwhile", "1.0.0", body).await.unwrap();
    comes_back(&sandbox, total + 1).await;

    // A byte of every segment's file turned while it is stopped.
    sandbox.stop();
    assert!(damage(&sandbox.data().join("index")) > 0);
    sandbox.spawn();
    comes_back(&sandbox, total + 1).await;

    // And while it runs: the next search that meets it, or the next write, gives the index up.
    assert!(damage(&sandbox.data().join("index")) > 0);
    let body = package_with(&datalab("lab.own.afterwards", "1.0.0"), &[]);
    sandbox.admin().publish("lab.own.afterwards", "1.0.0", body).await.unwrap();
    comes_back(&sandbox, total + 2).await;
    sandbox.restart().await;
    assert_eq!(sandbox.search(&[("size", "0")]).await.total, total + 2);
    sandbox.stop();
    assert!(sandbox.cli(&["verify"]).status.success());

    // Built anew by command.
    let reindexed = sandbox.cli(&["reindex"]);
    assert!(reindexed.status.success(), "{reindexed:?}");
    sandbox.run().await;
    assert_eq!(sandbox.search(&[("size", "0")]).await.total, total + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_graph_comes_back_by_itself() {
    let mut sandbox = Sandbox::with_sample().await;
    sandbox.wait_until_in_step().await;
    let statements = statements(&sandbox).await;
    assert!(statements > 1000, "{statements}");
    let graph = sandbox.data().join("graph");
    let generation = std::fs::read_to_string(graph.join("CURRENT")).unwrap();

    // Nothing is filled again when nothing is wrong.
    sandbox.restart().await;
    sandbox.wait_until_in_step().await;
    assert_eq!(self::statements(&sandbox).await, statements);
    assert_eq!(std::fs::read_to_string(graph.join("CURRENT")).unwrap(), generation);

    // Deleted while it is stopped, and while it runs.
    sandbox.stop();
    std::fs::remove_dir_all(&graph).unwrap();
    sandbox.run().await;
    // What was filled at once is the measure: it may know less of shared nodes than what grew change by change.
    let filled = self::statements(&sandbox).await;
    assert!(filled > 1000, "{filled} of {statements}");
    std::fs::remove_dir_all(&graph).unwrap();
    graph_comes_back(&sandbox, filled).await;
    // A byte of every file turned while it is stopped.
    sandbox.stop();
    for file in files(&graph) {
        let mut bytes = std::fs::read(&file).unwrap();
        if let Some(last) = bytes.last_mut() {
            *last ^= 0x20;
            std::fs::write(&file, bytes).unwrap();
        }
    }
    sandbox.run().await;
    graph_comes_back(&sandbox, filled).await;
}

/// Counts the statements of the default graph.
async fn statements(sandbox: &Sandbox) -> u64 {
    let query = "/sparql?query=SELECT(COUNT(*)AS%20%3Fn)%7B%3Fs%20%3Fp%20%3Fo%7D";
    let answer = sandbox.request("GET", query).header("accept", "text/csv").send().await.unwrap();
    let text = answer.text().await.unwrap();
    text.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
}

/// Waits until the graph's files are there and every statement is.
async fn graph_comes_back(sandbox: &Sandbox, expected: u64) {
    let started = Instant::now();
    let current = sandbox.data().join("graph/CURRENT");
    while !(current.exists() && sandbox.get("/readyz").await.0 == 200 && statements(sandbox).await == expected) {
        assert!(started.elapsed() < Duration::from_secs(60), "the graph does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until search is right again; until then records and pages must answer, and search may say 503 but nothing wrong.
async fn comes_back(sandbox: &Sandbox, total: usize) {
    let started = Instant::now();
    let mut is_up = false;
    loop {
        assert!(started.elapsed() < Duration::from_secs(60), "search does not come back");
        let Ok(alive) = sandbox.request("GET", "/livez").send().await else {
            assert!(!is_up, "the server went away");
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        is_up = true;
        assert_eq!(alive.status(), 200);
        for path in [
            "/api/v1/records/go-esa/esa.esdc.aladin",
            "/record/go-esa/esa.esdc.aladin",
            "/id/go-esa/esa.esdc.aladin.ttl",
        ] {
            assert_eq!(sandbox.get(path).await.0, 200, "{path}");
        }
        let (status, text) = sandbox.get("/api/v1/search?q=aladin").await;
        let (page_status, _) = sandbox.get("/search?q=aladin").await;
        assert!(matches!(page_status, 200 | 503), "the page says {page_status}");
        match status {
            200 => assert!(text.contains("esa.esdc.aladin"), "an index that is not whole has answered: {text}"),
            503 => assert!(text.contains("search.building"), "{text}"),
            _ => panic!("search says {status}: {text}"),
        }
        let (ready, _) = sandbox.get("/readyz").await;
        // Between two answers it may notice that its files are gone, and say 503 again.
        let (counted, text) = sandbox.get("/api/v1/search?size=0").await;
        let found = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default()["total"] == total;
        if [status, ready, counted] == [200; 3] && found {
            sandbox.wait_until_in_step().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Turns bytes in the middle of every file of a folder that holds an index; returns how many files it damaged.
fn damage(folder: &Path) -> usize {
    let mut damaged = 0;
    for path in files(folder) {
        let is_segment = path.extension().is_some_and(|ending| {
            ["term", "idx", "pos", "fast", "store", "fieldnorm"].contains(&&*ending.to_string_lossy())
        });
        let Ok(mut bytes) = std::fs::read(&path) else { continue };
        if !is_segment || bytes.len() < 32 {
            continue;
        }
        let middle = bytes.len() / 2;
        for byte in &mut bytes[middle - 8..middle + 8] {
            *byte ^= 0xff;
        }
        // In place: a server that has the file open sees it.
        use std::io::{Seek, Write};
        let mut file = std::fs::File::options().write(true).open(&path).unwrap();
        file.seek(std::io::SeekFrom::Start(0)).unwrap();
        file.write_all(&bytes).unwrap();
        damaged += 1;
    }
    damaged
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
