//! Measures the graph beside bare oxigraph in memory, on a made-up catalogue of 34 statements a record.
//!
//! `cargo xtask bench sparql` runs it. Processor time is what counts; answers must agree before figures do.
#![allow(clippy::print_stdout, reason = "this program's purpose is a table")]

use std::time::Instant;

use catalog_graph::{
    AnswerFormat, Cancellation, Change, Evaluator, GraphSyntax, Limits, Query, QueryDataset, QueryForm,
};
use catalog_graph::{Reader, Store, View};
use oxigraph::sparql::results::{QueryResultsFormat, QueryResultsSerializer};
use oxigraph::sparql::{QueryResults, SparqlEvaluator};

mod corpus;
mod queries;
mod variations;

use corpus::{record, vocabulary};
use queries::{PREFIXES, QUERIES, Same};
use variations::VARIATIONS;

/// The server's allocator: large tables are made and dropped with every query, and how that is done decides a part of the time.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Failure = Box<dyn std::error::Error>;

const BASE: &str = "https://portal.example.org/";

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let records: usize = arguments.next().map_or(Ok(100_000), |number| number.parse())?;
    let rest: Vec<String> = arguments.collect();
    let value = |name: &str| rest.iter().position(|word| word == name).and_then(|at| rest.get(at + 1)).cloned();
    let folder = rest.first().filter(|word| !word.starts_with("--"));
    let folder = folder.map_or_else(std::env::temp_dir, Into::into);
    let kept = value("--keep").map(std::path::PathBuf::from);
    let folder = kept.clone().unwrap_or_else(|| folder.join(format!("graph-bench-{}", std::process::id())));
    let wanted = Wanted {
        with_oxigraph: !rest.iter().any(|word| word == "--alone"),
        quads: value("--quads"),
        figures: value("--figures"),
        only: value("--only"),
        without_plain: rest.iter().any(|word| word == "--kernel"),
    };
    // As in a worker process, which keeps one thread with a deep stack.
    let measured =
        catalog_graph::on_deep_stack(|| measure(records, &folder, &wanted).map_err(|error| error.to_string()))?;
    if kept.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(measured?)
}

/// What else is to be done.
struct Wanted {
    with_oxigraph: bool,
    /// Where the statements are written, for another engine.
    quads: Option<String>,
    /// Where the figures are written, for another table.
    figures: Option<String>,
    /// A part of the names of the queries that are asked; all when there is none.
    only: Option<String>,
    /// Only the kernel is measured.
    without_plain: bool,
}

fn measure(records: usize, folder: &std::path::Path, wanted: &Wanted) -> Result<(), Failure> {
    // A graph that was kept is asked again.
    if !folder.exists() {
        fill(records, folder)?;
    }
    let since = Instant::now();
    let reader = Reader::open(folder)?;
    println!("opening in a reader: {:.1} ms", since.elapsed().as_secs_f64() * 1e3);
    let view = reader.view();
    let oxigraph = if wanted.with_oxigraph { Some(bare(records)?) } else { None };
    println!("\n| CPU ms a query | kernel | spareval on our files | bare oxigraph, default graph | rows | answers |");
    println!("|---|---:|---:|---:|---:|---|");
    let mut figures = Vec::new();
    for (name, query, same) in QUERIES.iter().chain(VARIATIONS).copied() {
        if wanted.only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let query = format!("{PREFIXES}{query}");
        let ours = time(|| ask(&view, &query, Evaluator::Best))?;
        // Minutes a query, which say nothing new.
        let slow = records > 200_000 || wanted.without_plain;
        let plain = if slow { None } else { Some(time(|| ask(&view, &query, Evaluator::Plain))?) };
        let bare = match &oxigraph {
            Some(store) if !slow => Some(time(|| ask_bare(store, &query))?),
            _ => None,
        };
        let agree = [(&plain, false), (&bare, true)].into_iter().all(|(other, is_bare)| match (other, same) {
            (None, _) => true,
            (Some((_, answer)), Same::Whole) => *answer == ours.1,
            (Some((_, answer)), Same::Rows) => answer.len() == ours.1.len(),
            (Some((_, answer)), Same::Nothing) => is_bare || *answer == ours.1,
        });
        let figure = |measured: &Option<(f64, Vec<String>)>| {
            measured.as_ref().map_or_else(|| "–".to_owned(), |(ms, _)| format!("{ms:.2}"))
        };
        let rows = ours.1.len().saturating_sub(1);
        println!(
            "| {name} | {:.2} | {} | {} | {rows} | {} |",
            ours.0,
            figure(&plain),
            figure(&bare),
            if agree { "agree" } else { "DIFFER" }
        );
        let one = (ours.1.len() == 2 && ours.1[0].starts_with('?')).then(|| ours.1[1].clone());
        figures.push(serde_json::json!({
            "name": name, "query": query, "rows": rows, "one": one, "agree": agree,
            "isCompared": same != Same::Nothing,
            "ours": ours.0, "plain": plain.map(|(ms, _)| ms), "bare": bare.map(|(ms, _)| ms),
        }));
    }
    if let Some(file) = &wanted.figures {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    if let Some(file) = &wanted.quads {
        write_quads(file, records)?;
    }
    println!("\nmemory of this process: {} MB, peak {} MB", status("VmRSS")? / 1024, status("VmHWM")? / 1024);
    Ok(())
}

/// Fills a graph, measuring that, and changes, and the compaction.
fn fill(records: usize, folder: &std::path::Path) -> Result<(), Failure> {
    let store = Store::open(folder, "bench")?;
    let (since, before) = (Instant::now(), processor_ms()?);
    let mut rebuild = store.rebuild()?;
    let (vocabulary_graph, vocabulary) = vocabulary();
    rebuild.add(&vocabulary_graph, &vocabulary)?;
    let mut statements = vocabulary.len();
    for chunk in (0..records).collect::<Vec<_>>().chunks(1000) {
        let changes: Vec<Change> = chunk.iter().map(|n| record(*n, 0)).collect();
        statements += changes.iter().map(|change| change.triples.len()).sum::<usize>();
        rebuild.fill(&changes)?;
    }
    store.install(rebuild, 1)?;
    println!(
        "build: {statements} statements in the default graph and again in named ones, {:.1} s wall, {:.1} s CPU with making them, peak memory {} MB, files {} MB",
        since.elapsed().as_secs_f64(),
        (processor_ms()? - before) / 1e3,
        status("VmHWM")? / 1024,
        size(folder)? >> 20
    );
    visibility(&store, records)?;
    let before = processor_ms()?;
    store.compact()?;
    println!("compaction: {:.2} s CPU", (processor_ms()? - before) / 1e3);
    Ok(())
}

/// Publishes one record after the other and looks for each in a reader's view.
fn visibility(store: &Store, records: usize) -> Result<(), Failure> {
    let mut reader = Reader::open(store.folder())?;
    let (mut seen, before) = (Vec::new(), processor_ms()?);
    let count = 400;
    for n in 0..count {
        let since = Instant::now();
        let change = record(if n % 2 == 0 { n } else { records + n }, n + 1);
        store.apply(std::slice::from_ref(&change), n as u64 + 2)?;
        match reader.refresh(store.version()) {
            Err(catalog_graph::Error::Gone) => reader = Reader::open(store.folder())?,
            refreshed => refreshed?,
        }
        let answer = ask(
            &reader.view(),
            &format!("SELECT ?t {{ <{}> <http://purl.org/dc/terms/title> ?t }}", change.iri.as_str()),
            Evaluator::Best,
        )?;
        if answer.len() != 2 {
            return Err(format!("{} is not there: {answer:?}", change.iri).into());
        }
        seen.push(since.elapsed().as_secs_f64() * 1e3);
    }
    seen.sort_by(f64::total_cmp);
    println!(
        "apply, refresh and find one record: median {:.2} ms, 99th percentile {:.2} ms wall; {:.2} ms CPU each",
        seen[count / 2],
        seen[count * 99 / 100],
        (processor_ms()? - before) / count as f64
    );
    Ok(())
}

/// Runs something until half a second of processor time has passed, at least twice unless it is slow.
fn time(mut run: impl FnMut() -> Result<Vec<String>, Failure>) -> Result<(f64, Vec<String>), Failure> {
    let cold = processor_ms()?;
    let answer = run()?;
    let first = processor_ms()? - cold;
    if first > 4000.0 {
        return Ok((first, answer));
    }
    let before = processor_ms()?;
    let mut times = 0_u32;
    loop {
        run()?;
        times += 1;
        let spent = processor_ms()? - before;
        if spent > 500.0 || times >= 2000 {
            return Ok((spent / f64::from(times), answer));
        }
    }
}

fn ask(view: &View, query: &str, evaluator: Evaluator) -> Result<Vec<String>, Failure> {
    let query = Query::parse(query, BASE, &QueryDataset::default())?.with_evaluator(evaluator);
    let format = match query.form() {
        QueryForm::Graph => AnswerFormat::Graph(GraphSyntax::NTriples),
        _ => AnswerFormat::Tsv,
    };
    let limits =
        Limits { time: std::time::Duration::from_secs(300), rows: 10_000_000, bytes: 1 << 30, memory: 2 << 30 };
    let mut answer = Vec::new();
    query.evaluate(view, format, limits, &Cancellation::new(), &mut answer)?;
    Ok(lines(&answer))
}

fn ask_bare(store: &oxigraph::store::Store, query: &str) -> Result<Vec<String>, Failure> {
    let mut answer = Vec::new();
    match SparqlEvaluator::new().parse_query(query)?.on_store(store).execute()? {
        QueryResults::Solutions(solutions) => {
            let variables = solutions.variables().to_vec();
            let serializer = QueryResultsSerializer::from_format(QueryResultsFormat::Tsv);
            let mut writer = serializer.serialize_solutions_to_writer(&mut answer, variables)?;
            for solution in solutions {
                writer.serialize(&solution?)?;
            }
            writer.finish()?;
        }
        QueryResults::Graph(triples) => {
            for triple in triples {
                answer.extend_from_slice(format!("{} .\n", triple?).as_bytes());
            }
        }
        QueryResults::Boolean(truth) => answer.extend_from_slice(truth.to_string().as_bytes()),
    }
    Ok(lines(&answer))
}

fn lines(answer: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(answer).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Fills oxigraph's in-memory store with the default graph.
fn bare(records: usize) -> Result<oxigraph::store::Store, Failure> {
    let (since, before) = (Instant::now(), processor_ms()?);
    let store = oxigraph::store::Store::new()?;
    let mut loader = store.bulk_loader();
    let all = vocabulary().1.into_iter().chain((0..records).flat_map(|n| record(n, state(n)).triples));
    let changed = (0..400).filter(|n| n % 2 == 1).flat_map(|n| record(records + n, n + 1).triples);
    loader.load_quads(all.chain(changed).map(|triple| triple.in_graph(oxigraph::model::GraphName::DefaultGraph)))?;
    loader.commit()?;
    println!(
        "oxigraph's bulk loader in memory, default graph only: {:.1} s wall, {:.1} s CPU with making them",
        since.elapsed().as_secs_f64(),
        (processor_ms()? - before) / 1e3
    );
    Ok(store)
}

/// Writes what the store holds, each statement in the graph of its source.
fn write_quads(file: &str, records: usize) -> Result<(), Failure> {
    use std::io::Write;
    let mut writer = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(file)?);
    let (graph, vocabulary) = vocabulary();
    for triple in vocabulary {
        writeln!(writer, "{triple} {graph} .")?;
    }
    let changed = (0..400).filter(|n| n % 2 == 1).map(|n| record(records + n, n + 1));
    for change in (0..records).map(|n| record(n, state(n))).chain(changed) {
        let Some((graph, _)) = change.said.first() else { continue };
        for triple in &change.triples {
            writeln!(writer, "{triple} {graph} .")?;
        }
    }
    Ok(writer.flush()?)
}

/// Which state of a record the store has after [`visibility`].
fn state(n: usize) -> usize {
    if n < 400 && n.is_multiple_of(2) { n + 1 } else { 0 }
}

fn processor_ms() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) * 10.0)
}

fn status(name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).unwrap_or("0").parse()?)
}

fn size(folder: &std::path::Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}
