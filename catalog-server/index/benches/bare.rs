//! CPU time of the engine's plain collector of the twenty best, on an index that a server built, for the queries that
//! `cargo xtask bench search` sends to that server: the baseline of its figures.
//!
//! `cargo bench -p catalog-index --bench bare -- FOLDER < QUERIES`. A line of QUERIES is a shape's name, the words, and
//! facet values as `facet=value`, with tabs between. A line of the output is the shape, the mean number of hits, and
//! the CPU microseconds of one query by the plain collector and by a whole answer without HTTP.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and fails")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use catalog_index::{Index, bare_top_documents};
use catalog_schemas::search::SearchQuery;

/// How long each shape is run, five times.
const ROUND: Duration = Duration::from_millis(150);

/// CPU time of this thread: the machine may be busy with other work.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// Returns the CPU microseconds of one call, the median of five rounds: a server is not measured at its best either.
fn measure(queries: &[SearchQuery], run: impl Fn(&SearchQuery) -> usize) -> f64 {
    let mut rounds: Vec<f64> = (0..5)
        .map(|_| {
            let (begun, clock, mut calls) = (cpu(), Instant::now(), 0_u32);
            while clock.elapsed() < ROUND {
                for query in queries {
                    black_box(run(query));
                    calls += 1;
                }
            }
            (cpu() - begun).as_secs_f64() * 1e6 / f64::from(calls)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[2]
}

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    // Cargo runs every benchmark when none is named; without a folder there is nothing to measure.
    let Some(folder) = folder else { return };
    let index = Index::open(folder).unwrap();
    let mut shapes: Vec<(String, Vec<SearchQuery>)> = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let mut parts = line.split('\t');
        let (shape, q) = (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned());
        let facets = parts.map(|part| part.split_once('=').unwrap()).map(|(name, value)| (name.into(), value.into()));
        let query = SearchQuery { q, facets: facets.collect(), ..SearchQuery::default() };
        match shapes.iter_mut().find(|(name, _)| *name == shape) {
            Some((_, queries)) => queries.push(query),
            None => shapes.push((shape, vec![query])),
        }
    }
    for (shape, queries) in shapes {
        let hits: usize = queries.iter().map(|query| index.search(query, &()).unwrap().total).sum();
        let bare = measure(&queries, |query| bare_top_documents(&index, query).unwrap());
        let answer = measure(&queries, |query| index.answer(query, &(), &|_, _| None, None).unwrap().json.len());
        println!("{shape}\t{}\t{bare:.1}\t{answer:.1}", hits / queries.len());
    }
}
