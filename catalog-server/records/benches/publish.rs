//! Measures how many durable publications a second the ledger takes, beside what bare SQLite takes on the same disk
//! in the same run: one commit after the other with the same sync, as a program without group commit would do it.
//! `cargo bench -p catalog-records`; figures go to standard output.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop and say so")]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use catalog_records::{Actor, Ledger, Package, Publication};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};

const FOR: Duration = Duration::from_secs(4);
const IMPORTED: usize = 100_000;

/// A document as long as a catalogue's usual one.
fn document(number: usize) -> String {
    format!("{{\"name\":\"Lab {number}\",\"description\":\"{}\"}}", "words about a datalab ".repeat(60))
}

fn publication(name: String, number: usize, package: Option<Bytes>) -> Publication {
    Publication {
        zone: "go-esa".parse().unwrap(),
        identifier: format!("bench.{name}").parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        kind: "Datalab".to_owned(),
        document: document(number),
        package: package.map(|bytes| Package { bytes, declared: None, file_name: None }),
        source: "go-esa".to_owned(),
        actor: Actor::application(),
        idempotency: None,
        request: "bench".to_owned(),
        standing: catalog_records::Standing::default(),
    }
}

/// The processor time that this process took so far, in seconds; the machine's other work does not count in it.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // The 14th and 15th field of proc(5), in ticks of 10 ms; two of them stand before the bracket.
    let ticks = |field: usize| fields.get(field).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

/// Commits one row of the same size after the other.
async fn bare(path: &Path) -> (f64, f64) {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .unwrap();
    connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, document TEXT, package BLOB)").await.unwrap();
    let (since, used, mut number) = (Instant::now(), cpu(), 0usize);
    while since.elapsed() < FOR {
        sqlx::query("INSERT INTO bare (document, package) VALUES ($1, $2)")
            .bind(document(number))
            .bind(package(number).as_ref())
            .execute(&mut connection)
            .await
            .unwrap();
        number += 1;
    }
    let rate = number as f64 / since.elapsed().as_secs_f64();
    let each = (cpu() - used) / number as f64 * 1e6;
    connection.close().await.unwrap();
    (rate, each)
}

/// A small package, other bytes for every number.
fn package(number: usize) -> Bytes {
    let mut bytes = vec![0x5a; 2048];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// Publishes from many tasks at once; returns publications a second, the longest wait of the fastest
/// 99 %, and microseconds of processor time each.
async fn publish(ledger: &Ledger, publishers: usize) -> (f64, Duration, f64) {
    let (since, used) = (Instant::now(), cpu());
    let tasks: Vec<_> = (0..publishers)
        .map(|publisher| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while since.elapsed() < FOR {
                    let number = publishers * 100_000_000 + publisher * 1_000_000 + waits.len();
                    let asked = Instant::now();
                    ledger.publish(publication(format!("p{number}"), number, Some(package(number)))).await.unwrap();
                    waits.push(asked.elapsed());
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    let rate = waits.len() as f64 / since.elapsed().as_secs_f64();
    let each = (cpu() - used) / waits.len() as f64 * 1e6;
    waits.sort_unstable();
    (rate, waits[waits.len() * 99 / 100], each)
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(std::env::var_os("ALIDADE_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let (before, _) = bare(&folder.path().join("before.db")).await;
    let ledger = Ledger::open(folder.path()).await.unwrap();
    let mut measured = Vec::new();
    for publishers in [1, 8, 64] {
        measured.push((publishers, publish(&ledger, publishers).await));
    }
    // Before and after, as other work on the machine comes and goes.
    let (after, each) = bare(&folder.path().join("after.db")).await;
    let baseline = f64::midpoint(before, after);
    println!(
        "bare SQLite, 1 row a commit {baseline:>8.0} /s  ({before:.0} before, {after:.0} after)  {each:.0} us CPU each"
    );
    for (publishers, (rate, p99, each)) in measured {
        let ratio = rate / baseline;
        println!(
            "ledger, {publishers:>2} publishers      {rate:>8.0} /s  {ratio:.2} x bare  p99 {p99:.1?}  {each:.0} us CPU each"
        );
    }
    let rows: Vec<_> = (0..IMPORTED).map(|number| publication(format!("i{number}"), number, None)).collect();
    let (since, used) = (Instant::now(), cpu());
    ledger.import(rows).await.unwrap();
    let each = (cpu() - used) / IMPORTED as f64 * 1e6;
    println!(
        "import                      {:>8.0} /s  {each:.0} us CPU each",
        IMPORTED as f64 / since.elapsed().as_secs_f64()
    );
    let since = Instant::now();
    let (mut after, mut records) = (0, 0);
    loop {
        let page = ledger.scan(after, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        (after, records) = (last.id, records + page.len());
    }
    println!("scan                        {:>8.0} /s", records as f64 / since.elapsed().as_secs_f64());
    ledger.close().await;
    let since = Instant::now();
    let ledger = Ledger::open(folder.path()).await.unwrap();
    println!("open, {:>9} records     {:>8.1?}", records, since.elapsed());
    let since = Instant::now();
    let report = ledger.verify().await.unwrap();
    println!("verify, {} faults            {:>8.1?}", report.faults.len(), since.elapsed());
}
