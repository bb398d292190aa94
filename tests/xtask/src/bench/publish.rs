//! Publishing over HTTP until it is durable and found, beside bare SQLite's commits on the same disk.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::http::Client;
use super::process::{Server, TOKEN};
use super::python;
use super::table::{Table, against, grouped};
use crate::fixture::datalabs;

/// Publishers at once, with the most packages that they publish.
const ROUNDS: [(usize, usize); 3] = [(1, 1_500), (8, 4_000), (32, 6_000)];

/// How long each round begins new packages.
const FOR: Duration = Duration::from_secs(6);

/// Seconds of bare commits, before and after.
const BARE_SECONDS: u32 = 4;

/// The aim: so many times bare SQLite.
const AIM: f64 = 0.5;

/// A package ready to send.
pub(super) struct Package {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

/// What one round took.
struct Round {
    published: usize,
    /// Seconds from the first request to the last 201.
    durable: f64,
    /// Seconds from the first request until search, and SPARQL, show the last of them.
    found: f64,
    graph: f64,
    cpu: f64,
    /// The 99th percentile of the waits for a 201, in milliseconds.
    p99: f64,
}

/// Publishes with one, eight and thirty-two publishers and prints the table.
pub(super) fn run(server: &mut Server, folder: &Path, records: u32) -> anyhow::Result<()> {
    let (manifests, packages) = (folder.join("packages.jsonl"), folder.join("packages"));
    let count = ROUNDS.iter().map(|(_, most)| most).sum();
    let ready = prepare("bench.publish", count, &manifests, &packages)?;
    server.wait_until_quiet()?;
    let bare = |name: &str| python::commits(&folder.join(name), &manifests, &packages, BARE_SECONDS);
    let before = bare("before.db")?;
    let (mut rest, mut rounds) = (&ready[..], Vec::new());
    for (publishers, most) in ROUNDS {
        let (these, later) = rest.split_at(most);
        rest = later;
        rounds.push((publishers, round(server, these, publishers)?));
    }
    let after = bare("after.db")?;
    let baseline = f64::midpoint(before, after);
    let mut table = Table::new(&[
        "",
        "packages",
        "durable /s",
        "and found /s",
        "× bare",
        "and in SPARQL /s",
        "p99 ms",
        "CPU ms each",
    ]);
    for (publishers, round) in rounds {
        let count = round.published as f64;
        let ratio = count / round.found / baseline;
        table.row(vec![
            format!("{publishers} at once"),
            grouped(count),
            grouped(count / round.durable),
            grouped(count / round.found),
            against(ratio, ratio >= AIM),
            grouped(count / round.graph),
            format!("{:.1}", round.p99),
            format!("{:.2}", round.cpu * 1000.0 / count),
        ]);
    }
    table.row(vec!["bare SQLite, 1 row a commit".to_owned(), String::new(), grouped(baseline)]);
    let size = ready.iter().map(|package| package.bytes.len()).sum::<usize>() / ready.len();
    println!(
        "\n### Publishing packages of {size} bytes into a catalogue of {} (aim ≥ 0.5 ×)\n",
        grouped(records.into())
    );
    println!("{table}");
    println!("Bare SQLite: {} /s before, {} /s after.", grouped(before), grouped(after));
    Ok(())
}

/// Makes packages whose names begin alike; their manifests go into a file, they themselves into a folder.
pub(super) fn prepare(prefix: &str, count: usize, manifests: &Path, folder: &Path) -> anyhow::Result<Vec<Package>> {
    let datalabs: Vec<Value> = datalabs(prefix).take(count).collect();
    let mut file = BufWriter::new(File::create(manifests)?);
    for datalab in &datalabs {
        serde_json::to_writer(&mut file, datalab)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    std::fs::create_dir_all(folder)?;
    python::pack(manifests, folder)?;
    let package = |(number, datalab): (usize, &Value)| {
        let word = |key: &str| datalab[key].as_str().with_context(|| format!("a datalab has no {key}"));
        let path = format!("/api/v1/packages/{}/{}", word("identifier")?, word("softwareVersion")?);
        Ok(Package { path, bytes: std::fs::read(folder.join(format!("{number}.tar.gz")))? })
    };
    datalabs.iter().enumerate().map(package).collect()
}

fn round(server: &mut Server, packages: &[Package], publishers: usize) -> anyhow::Result<Round> {
    let next = AtomicUsize::new(0);
    let clients: Vec<Client> = (0..publishers).map(|_| server.client()).collect::<Result<_, _>>()?;
    let (cpu, since) = (server.cpu()?, Instant::now());
    let (next, since_ref) = (&next, &since);
    let done: Vec<anyhow::Result<(Vec<f64>, u64)>> = std::thread::scope(|scope| {
        let publish = |client| move || publisher(client, packages, next, *since_ref);
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(publish(client))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a publisher panicked"))))
            .collect()
    });
    let durable = since.elapsed().as_secs_f64();
    let (mut waits, mut last) = (Vec::new(), 0);
    for done in done {
        let (own, seq) = done?;
        waits.extend(own);
        last = last.max(seq);
    }
    let mut client = server.client()?;
    wait(&mut client, "/api/v1/search?size=0", |answer| answer["appliedSeq"].as_u64(), last)?;
    let found = since.elapsed().as_secs_f64();
    wait(&mut client, "/readyz", |answer| answer["sparql"]["appliedSeq"].as_u64(), last)?;
    let graph = since.elapsed().as_secs_f64();
    ensure!(!waits.is_empty(), "nothing was published");
    waits.sort_by(f64::total_cmp);
    let p99 = waits[waits.len() * 99 / 100];
    Ok(Round { published: waits.len(), durable, found, graph, cpu: server.cpu()? - cpu, p99 })
}

/// Publishes packages until there are no more or it is time; returns the milliseconds of each and the last sequence.
fn publisher(
    mut client: Client,
    packages: &[Package],
    next: &AtomicUsize,
    since: Instant,
) -> anyhow::Result<(Vec<f64>, u64)> {
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/octet-stream")];
    let (mut waits, mut last) = (Vec::new(), 0);
    while since.elapsed() < FOR {
        let Some(package) = packages.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
        let asked = Instant::now();
        let answer = client.send("PUT", &package.path, &headers, &package.bytes)?;
        waits.push(asked.elapsed().as_secs_f64() * 1000.0);
        ensure!(answer.status == 201, "{} was answered with {}: {}", package.path, answer.status, answer.text());
        let published: Value = serde_json::from_slice(&answer.body)?;
        last = last.max(published["seq"].as_u64().context("the answer has no sequence")?);
    }
    Ok((waits, last))
}

/// Asks until a projection has followed to a sequence.
fn wait(client: &mut Client, path: &str, seq: impl Fn(&Value) -> Option<u64>, until: u64) -> anyhow::Result<()> {
    let since = Instant::now();
    while seq(&client.json(path)?).unwrap_or_default() < until {
        ensure!(since.elapsed() < Duration::from_secs(120), "{path} did not follow within two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
