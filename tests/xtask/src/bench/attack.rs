//! What others feel while fifty strangers ask SPARQL for what never ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::http::Client;
use super::process::Server;
use super::table::{Table, against, grouped};

/// Attackers at once, and how often each comes again.
const ATTACKERS: usize = 50;
const TIMES: usize = 2;

/// Searches of each measurement.
const SEARCHES: usize = 400;

/// The aim: so many times the 99th percentile when idle, and so many seconds until a killer has ended.
const AIM_RATIO: f64 = 2.0;
const AIM_SECONDS: f64 = 12.0;

/// Queries that would run for days or fill the memory.
const KILLERS: [&str; 8] = [
    "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }",
    "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?i ?f ?c LIMIT 10",
    "SELECT DISTINCT ?a ?d ?g { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }",
    "SELECT ?a ?f (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } GROUP BY ?a ?f",
    "SELECT (GROUP_CONCAT(CONCAT(STR(?a), STR(?f))) AS ?x) { ?a ?b ?c . ?d ?e ?f }",
    "SELECT (COUNT(*) AS ?n) { ?a (!<urn:x>|^!<urn:x>)* ?b . ?c (!<urn:x>|^!<urn:x>)* ?d }",
    "SELECT (STRLEN(REPLACE(REPLACE(REPLACE(REPLACE(?x, \".\", ?x), \".\", ?x), \".\", ?x), \".\", ?x)) AS ?n) { BIND(\"0123456789012345678901234567890123456789\" AS ?x) }",
    "SELECT * { ?a ?b ?c . ?d ?e ?f }",
];

/// Measures search alone and under attack, and prints the table.
pub(super) fn run(server: &mut Server, records: u32) -> anyhow::Result<()> {
    server.wait_until_quiet()?;
    let port = server.port;
    searches(port, &AtomicBool::new(false), 50)?;
    let idle = searches(port, &AtomicBool::new(false), SEARCHES)?;
    let before = server.memory()?;
    let over = AtomicBool::new(false);
    let (under, ended) = std::thread::scope(|scope| -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
        let attackers: Vec<_> = (0..ATTACKERS).map(|own| scope.spawn(move || attack(port, own))).collect();
        // The first searches of it would meet no attack yet.
        std::thread::sleep(Duration::from_millis(500));
        let over = &over;
        let searching = scope.spawn(move || searches(port, over, usize::MAX));
        let mut ended = Vec::new();
        for attacker in attackers {
            ended.extend(attacker.join().map_err(|_| anyhow::anyhow!("an attacker panicked"))??);
        }
        over.store(true, Ordering::Relaxed);
        let under = searching.join().map_err(|_| anyhow::anyhow!("who searched panicked"))??;
        Ok((under, ended))
    })?;
    let p99 = |waits: &[f64]| waits[waits.len() * 99 / 100];
    let longest = ended.iter().copied().fold(0.0, f64::max);
    let mut table = Table::new(&["", "searches", "p50 ms", "p99 ms", "× idle", "killers end s", "server MiB"]);
    let mib = |bytes: u64| grouped(bytes as f64 / f64::from(1 << 20));
    let row = |name: &str, waits: &[f64]| {
        vec![
            name.to_owned(),
            waits.len().to_string(),
            format!("{:.1}", waits[waits.len() / 2]),
            format!("{:.1}", p99(waits)),
        ]
    };
    let (mut first, mut second) = (row("idle", &idle), row("fifty killers", &under));
    first.extend([String::new(), String::new(), mib(before)]);
    let ratio = p99(&under) / p99(&idle);
    second.extend([
        against(ratio, ratio <= AIM_RATIO),
        against(longest, longest <= AIM_SECONDS),
        mib(server.memory()?),
    ]);
    table.row(first);
    table.row(second);
    println!(
        "\n### Attack, {} records (aims: p99 of search ≤ {AIM_RATIO} × idle, killers end within {AIM_SECONDS} s)\n",
        grouped(records.into())
    );
    println!("{table}");
    Ok(())
}

/// Searches one after the other until it is over or enough; returns the milliseconds, sorted.
fn searches(port: u16, over: &AtomicBool, most: usize) -> anyhow::Result<Vec<f64>> {
    let (mut client, mut waits) = (Client::connect(port)?, Vec::new());
    while waits.len() < most.min(100_000) && !over.load(Ordering::Relaxed) {
        let since = Instant::now();
        let answer = client.get("/api/v1/search?q=data&mission=astronomy")?;
        ensure!(answer.status == 200, "a search was answered with {}", answer.status);
        waits.push(since.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(5));
    }
    ensure!(!waits.is_empty(), "nothing was searched");
    waits.sort_by(f64::total_cmp);
    Ok(waits)
}

/// Asks killers one after the other; returns how many seconds each took.
fn attack(port: u16, own: usize) -> anyhow::Result<Vec<f64>> {
    let mut ended = Vec::new();
    for time in 0..TIMES {
        let since = Instant::now();
        let mut client = Client::connect(port)?;
        let headers = [("content-type", "application/sparql-query")];
        // An answer that is broken off is an error of the connection.
        if let Ok(answer) = client.send("POST", "/sparql", &headers, KILLERS[(own + time) % KILLERS.len()].as_bytes()) {
            ensure!(answer.status >= 400, "a killer was answered with {}", answer.status);
        }
        ended.push(since.elapsed().as_secs_f64());
    }
    Ok(ended)
}
