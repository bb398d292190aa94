//! How soon SPARQL shows what is published while twenty records a second come in, and what following them costs.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::http::{Client, encoded};
use super::process::{Server, TOKEN};
use super::publish::{Package, prepare};
use super::table::{Table, against, grouped};

/// Records a second, and for how many seconds.
const RATE: usize = 20;
const SECONDS: usize = 30;

/// Publishers at once: one waits for its disk while others send.
const PUBLISHERS: usize = 8;

/// The aims: seconds until a record is seen, up to 100,000 records and beyond, and cores.
const AIM_SECONDS: (f64, f64) = (2.0, 10.0);
const AIM_CORES: f64 = 0.25;

/// A record that was acknowledged: its sequence and when.
type Acknowledged = Vec<(u64, Instant)>;

/// Publishes at a steady rate, once while SPARQL is watched and once while nobody asks, and prints the table.
pub(super) fn run(server: &mut Server, folder: &Path, records: u32) -> anyhow::Result<()> {
    let (manifests, packages) = (folder.join("seen.jsonl"), folder.join("seen"));
    let ready = prepare("bench.visibility", 2 * RATE * SECONDS, &manifests, &packages)?;
    let (first, second) = ready.split_at(RATE * SECONDS);
    server.wait_until_quiet()?;
    let before = (Instant::now(), server.cpu()?);
    publish(server.port, first)?;
    // What is gathered is still to be written.
    std::thread::sleep(Duration::from_secs(2));
    let cores = (server.cpu()? - before.1) / before.0.elapsed().as_secs_f64();
    let (waits, workers) = watched(server, second)?;
    let aim = if records <= 100_000 { AIM_SECONDS.0 } else { AIM_SECONDS.1 };
    let mut table = Table::new(&["", "median s", "99th percentile s", "longest s", "cores", "server MiB"]);
    let at = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)];
    table.row(vec![
        format!("{RATE} records/s, found by a query"),
        format!("{:.2}", at(50)),
        against(at(99), at(99) <= aim),
        format!("{:.2}", at(100)),
        against(cores, cores <= AIM_CORES),
        grouped(server.memory()? as f64 / f64::from(1 << 20)),
    ]);
    println!(
        "\n### Visibility in SPARQL, {} records (aims: 99th percentile ≤ {aim} s, ≤ {AIM_CORES} of a core without queries)\n",
        grouped(records.into())
    );
    println!("{table}");
    println!("{} records were looked for; the workers that answered took {workers:.1} s CPU.", waits.len());
    Ok(())
}

/// Publishes while one client asks for every record until it is there; returns the waits in seconds, sorted, and what
/// the workers took.
fn watched(server: &mut Server, packages: &[Package]) -> anyhow::Result<(Vec<f64>, f64)> {
    let (port, before) = (server.port, server.cpu_of_workers()?);
    let (done, seen) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let acknowledged = std::thread::scope(|scope| -> anyhow::Result<Acknowledged> {
        let watching = scope.spawn(|| watch(port, &done, &seen));
        let published = publish(port, packages);
        std::thread::sleep(Duration::from_secs(3));
        done.store(true, Ordering::Relaxed);
        watching.join().map_err(|_| anyhow::anyhow!("who watched panicked"))??;
        published
    })?;
    let seen = seen.into_inner().map_err(|_| anyhow::anyhow!("who watched panicked"))?;
    let mut waits = Vec::new();
    for (seq, at) in acknowledged {
        let found: Option<&(u64, Instant)> = seen.iter().find(|(shown, _)| *shown >= seq);
        let (_, found) = found.with_context(|| format!("sequence {seq} was never shown"))?;
        waits.push(found.saturating_duration_since(at).as_secs_f64());
    }
    waits.sort_by(f64::total_cmp);
    ensure!(!waits.is_empty(), "nothing was published");
    let found = count(&mut Client::connect(port)?)?;
    ensure!(found >= packages.len() as u64, "SPARQL finds {found} of {} records", packages.len());
    Ok((waits, server.cpu_of_workers()? - before))
}

/// Asks a small query again and again; every answer says which sequence it shows, and those are kept with their times.
fn watch(port: u16, done: &AtomicBool, seen: &Mutex<Vec<(u64, Instant)>>) -> anyhow::Result<()> {
    let mut client = Client::connect(port)?;
    let path = format!("/sparql?query={}", encoded("ASK { ?s ?p ?o }"));
    while !done.load(Ordering::Relaxed) {
        let answer = client.get(&path)?;
        // Beyond the budget of a client there is no answer for a while.
        ensure!(matches!(answer.status, 200 | 429 | 503), "SPARQL answered with {}: {}", answer.status, answer.text());
        if let Some(seq) = answer.seq.filter(|_| answer.status == 200) {
            seen.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.push((seq, Instant::now()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Counts the records of this measurement by SPARQL.
fn count(client: &mut Client) -> anyhow::Result<u64> {
    let query = "SELECT (COUNT(DISTINCT ?d) AS ?n) { ?d a ?c FILTER(CONTAINS(STR(?d), \"bench.visibility\")) }";
    let headers = [("accept", "application/sparql-results+json")];
    let answer = client.send("GET", &format!("/sparql?query={}", encoded(query)), &headers, b"")?;
    ensure!(answer.status == 200, "SPARQL answered with {}: {}", answer.status, answer.text());
    let answer: Value = serde_json::from_slice(&answer.body)?;
    let number = answer["results"]["bindings"][0]["n"]["value"].as_str();
    Ok(number.and_then(|number| number.parse().ok()).unwrap_or_default())
}

/// Publishes each package at its time; returns their sequences.
fn publish(port: u16, packages: &[Package]) -> anyhow::Result<Acknowledged> {
    let since = Instant::now();
    let publisher = |own: usize| -> anyhow::Result<Acknowledged> {
        let mut client = Client::connect(port)?;
        let authorization = format!("Bearer {TOKEN}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/octet-stream")];
        let mut acknowledged = Vec::new();
        for (number, package) in packages.iter().enumerate().skip(own).step_by(PUBLISHERS) {
            let due = since + Duration::from_millis((number * 1000 / RATE) as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let answer = client.send("PUT", &package.path, &headers, &package.bytes)?;
            ensure!(answer.status == 201, "{} was answered with {}: {}", package.path, answer.status, answer.text());
            let published: Value = serde_json::from_slice(&answer.body)?;
            acknowledged.push((published["seq"].as_u64().context("the answer has no sequence")?, Instant::now()));
        }
        Ok(acknowledged)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PUBLISHERS).map(|own| scope.spawn(move || publisher(own))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a publisher panicked"))??);
        }
        Ok(all)
    })
}
