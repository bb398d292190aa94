//! Search over HTTP with hits and all facets, beside the engine's bare collector on the same index.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::http::{Client, encoded};
use super::process::Server;
use super::table::{Table, against, grouped};
use crate::fixture::corpus_words;
use crate::workspace::cargo;

/// Requests of a shape: more than the first, as the clock of `/proc` is coarse, until the second or enough processor
/// time is reached.
const REQUESTS: (usize, usize) = (300, 3_000);
const ENOUGH_CPU: f64 = 1.0;

/// The aims: at most so many times the bare collector, and so many milliseconds.
const AIM_RATIO: f64 = 3.0;
const AIM_MS: f64 = 5.0;

/// The number of records up to which the aim in milliseconds counts.
const AIM_RECORDS: u32 = 100_000;

/// Queries of one kind, asked in turn.
struct Shape {
    name: &'static str,
    queries: Vec<Query>,
}

struct Query {
    words: String,
    facets: &'static [(&'static str, &'static str)],
}

impl Query {
    fn path(&self) -> String {
        let mut path = format!("/api/v1/search?q={}", encoded(&self.words));
        for (facet, value) in self.facets {
            path.push_str(&format!("&{facet}={}", encoded(value)));
        }
        path
    }
}

/// What one shape took.
pub(super) struct Figure {
    name: &'static str,
    hits: f64,
    /// Milliseconds of the server's processor time a request.
    cpu: f64,
    /// Microseconds of the bare collector a query.
    bare: f64,
}

fn shapes() -> Vec<Shape> {
    const BROAD: &[(&str, &str)] = &[("type", "Dataset"), ("domain", "space-science"), ("mission", "astronomy")];
    const NARROW: &[(&str, &str)] =
        &[("licence", "CC-BY-4.0"), ("year", "2010"), ("mission", "earth-observation-satellite/sentinel-2")];
    let words = |ranks, facets| {
        let query = |words| Query { words, facets };
        corpus_words(ranks).into_iter().map(query).collect::<Vec<_>>()
    };
    let all = |facets| vec![Query { words: String::new(), facets }];
    vec![
        Shape { name: "one word, in most records", queries: words(0..5, &[]) },
        Shape { name: "one word, frequent", queries: words(100..110, &[]) },
        Shape { name: "one word, usual", queries: words(1_000..1_020, &[]) },
        Shape { name: "one word, rare", queries: words(15_000..15_020, &[]) },
        Shape { name: "match-all", queries: all(&[]) },
        Shape { name: "three broad filters", queries: all(BROAD) },
        Shape { name: "three narrow filters", queries: all(NARROW) },
        Shape { name: "frequent word, three filters", queries: words(100..110, BROAD) },
    ]
}

/// Measures every shape on a running server and prints the table.
pub(super) fn run(server: &mut Server, data: &Path, records: u32) -> anyhow::Result<Vec<Figure>> {
    server.wait_until_quiet()?;
    let shapes = shapes();
    let mut client = server.client()?;
    let mut measured = Vec::new();
    for shape in &shapes {
        measured.push(ask(&mut client, server, shape)?);
    }
    let bare = bare(data, &shapes)?;
    let mut table =
        Table::new(&["query", "hits", "wall ms p50", "CPU ms", "bare CPU ms", "ratio, aim ≤ 3", "without HTTP ms"]);
    let mut figures = Vec::new();
    for ((shape, (hits, cpu, p50)), (bare_hits, bare, answer)) in shapes.iter().zip(measured).zip(bare) {
        ensure!((hits - bare_hits).abs() < 1.0, "{}: the server finds {hits}, its index {bare_hits}", shape.name);
        let ratio = cpu * 1000.0 / bare;
        table.row(vec![
            shape.name.to_owned(),
            grouped(hits),
            format!("{p50:.2}"),
            if records <= AIM_RECORDS { against(cpu, cpu <= AIM_MS) } else { format!("{cpu:.2}") },
            format!("{:.3}", bare / 1000.0),
            against(ratio, ratio <= AIM_RATIO),
            format!("{:.2}", answer / 1000.0),
        ]);
        figures.push(Figure { name: shape.name, hits, cpu, bare });
    }
    println!("\n### Search, {} records, 20 hits and all facets over HTTP (aim ≤ 5 ms CPU)\n", grouped(records.into()));
    println!("{table}");
    Ok(figures)
}

/// Measures whole answers of an index without HTTP and prints the table.
pub(super) fn run_without_server(data: &Path, records: u32) -> anyhow::Result<Vec<Figure>> {
    let shapes = shapes();
    let mut table = Table::new(&["query", "hits", "CPU ms", "bare CPU ms", "ratio"]);
    let mut figures = Vec::new();
    for (shape, (hits, bare, answer)) in shapes.iter().zip(bare(data, &shapes)?) {
        table.row(vec![
            shape.name.to_owned(),
            grouped(hits),
            format!("{:.2}", answer / 1000.0),
            format!("{:.3}", bare / 1000.0),
            format!("{:.2}", answer / bare),
        ]);
        figures.push(Figure { name: shape.name, hits, cpu: answer / 1000.0, bare });
    }
    println!("\n### Search, {} records, 20 hits and all facets, without HTTP\n", grouped(records.into()));
    println!("{table}");
    Ok(figures)
}

/// Prints how the figures grew from one size to another.
pub(super) fn growth(small: (u32, &[Figure]), large: (u32, &[Figure])) {
    let times = f64::from(large.0) / f64::from(small.0);
    let mut table = Table::new(&["query", "hits ×", "CPU ×, aim at most the records'", "bare CPU ×"]);
    for (before, after) in small.1.iter().zip(large.1) {
        let growth = after.cpu / before.cpu;
        table.row(vec![
            before.name.to_owned(),
            format!("{:.1}", after.hits / before.hits.max(1.0)),
            against(growth, growth <= times),
            format!("{:.1}", after.bare / before.bare),
        ]);
    }
    let (from, to) = (grouped(small.0.into()), grouped(large.0.into()));
    println!("\n### Growth of search from {from} to {to} records\n\n{table}");
}

/// Returns the mean number of hits, the milliseconds of processor time a request, and the median milliseconds.
fn ask(client: &mut Client, server: &Server, shape: &Shape) -> anyhow::Result<(f64, f64, f64)> {
    let paths: Vec<String> = shape.queries.iter().map(Query::path).collect();
    let mut hits = 0.0;
    for path in &paths {
        hits += client.json(path)?["total"].as_f64().context("the answer has no total")?;
    }
    let before = server.cpu()?;
    let mut waits = Vec::new();
    while waits.len() < REQUESTS.0 || (waits.len() < REQUESTS.1 && server.cpu()? - before < ENOUGH_CPU) {
        for path in &paths {
            let asked = Instant::now();
            let answer = client.get(path)?;
            waits.push(asked.elapsed().as_secs_f64() * 1000.0);
            ensure!(answer.status == 200, "{path} was answered with {}", answer.status);
        }
    }
    let cpu = (server.cpu()? - before) * 1000.0 / waits.len() as f64;
    waits.sort_by(f64::total_cmp);
    Ok((hits / paths.len() as f64, cpu, waits[waits.len() / 2]))
}

/// Runs the baseline and returns for each shape the hits, and the microseconds of the collector and of an answer.
fn bare(data: &Path, shapes: &[Shape]) -> anyhow::Result<Vec<(f64, f64, f64)>> {
    let folder = data.join("index");
    let current = std::fs::read_to_string(folder.join("CURRENT")).context("the server has no index")?;
    let mut command = cargo(&["bench", "--quiet", "--package", "catalog-index", "--bench", "bare", "--"]);
    command.arg(folder.join(current.trim())).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cargo bench cannot be started")?;
    let mut queries = String::new();
    for (shape, query) in shapes.iter().flat_map(|shape| shape.queries.iter().map(move |query| (shape, query))) {
        queries.push_str(&format!("{}\t{}", shape.name, query.words));
        for (facet, value) in query.facets {
            queries.push_str(&format!("\t{facet}={value}"));
        }
        queries.push('\n');
    }
    // Taken, so that the end of the queries is seen.
    child.stdin.take().context("the baseline takes no queries")?.write_all(queries.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the baseline of search failed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found = Vec::new();
    for shape in shapes {
        let line = text.lines().find_map(|line| line.strip_prefix(shape.name)?.strip_prefix('\t'));
        let numbers: Vec<f64> = line.unwrap_or_default().split('\t').filter_map(|part| part.parse().ok()).collect();
        let [hits, bare, answer] = numbers[..] else { anyhow::bail!("the baseline has no figures for {}", shape.name) };
        found.push((hits, bare, answer));
    }
    Ok(found)
}
