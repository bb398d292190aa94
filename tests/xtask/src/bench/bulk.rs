//! Filling a catalogue from nothing: validation, ledger and both projections, beside oxigraph's bulk loader alone.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::http::Client;
use super::process::{Server, Spent, command, measured};
use super::python;
use super::table::{Table, against, grouped};
use crate::fixture::write_corpus;

/// How long a server may take to build its projections.
const PATIENCE: Duration = Duration::from_secs(1800);

/// The aim: at least half as many quads for each second of processor time.
const AIM: f64 = 0.5;

/// Statements asked for at once; the server gives at most 32 MiB an answer.
const PAGE: usize = 20_000;

/// What it took to fill a catalogue.
pub(super) struct Filled {
    import: Spent,
    projections: Spent,
    memory: u64,
}

/// Imports a corpus into a data folder, builds the search index alone and returns the data folder.
pub(super) fn index(alidade: &Path, folder: &Path, records: u32) -> anyhow::Result<PathBuf> {
    let (corpus, data) = (folder.join("corpus.jsonl"), folder.join("data"));
    write_corpus(records, &corpus)?;
    import(alidade, &corpus, &data)?;
    std::fs::remove_file(&corpus)?;
    let mut reindex = command(alidade, &data);
    reindex.arg("reindex");
    let (said, spent) = measured(reindex)?;
    println!("reindex: {} in {:.1} s, {:.1} s CPU", said.trim(), spent.wall, spent.cpu);
    Ok(data)
}

fn import(alidade: &Path, corpus: &Path, data: &Path) -> anyhow::Result<Spent> {
    let mut import = command(alidade, data);
    import.arg("import").arg(corpus);
    let (said, spent) = measured(import)?;
    println!("import: {} in {:.1} s, {:.1} s CPU", said.trim(), spent.wall, spent.cpu);
    Ok(spent)
}

/// Imports a corpus into a data folder and starts a server that builds the projections.
pub(super) fn fill(alidade: &Path, corpus: &Path, data: &Path) -> anyhow::Result<(Server, Filled)> {
    let import = import(alidade, corpus, data)?;
    let mut server = Server::start(alidade, data)?;
    let wall = server.wait_for("/readyz", PATIENCE)?;
    let projections = Spent { wall, cpu: server.cpu()? };
    println!("projections: {:.1} s, {:.1} s CPU", projections.wall, projections.cpu);
    let memory = server.peak_memory()?;
    Ok((server, Filled { import, projections, memory }))
}

/// Loads what the server holds into oxigraph and prints the table.
pub(super) fn compare(
    server: &mut Server,
    filled: &Filled,
    folder: &Path,
    tools: &Path,
    records: u32,
) -> anyhow::Result<()> {
    let quads = folder.join("quads.nq");
    let written = dump(&mut server.client()?, &quads)?;
    let python = python::with_oxigraph(tools)?;
    let (in_memory, memory_spent) = python::load(&python, &quads, None)?;
    let (on_disk, disk_spent) = python::load(&python, &quads, Some(&folder.join("oxigraph")))?;
    std::fs::remove_file(&quads)?;
    ensure!(in_memory == on_disk, "the bulk loader loaded {in_memory} quads into memory and {on_disk} on disk");
    println!("{} quads in {} lines", grouped(in_memory), grouped(written as f64));
    let records_of = f64::from(records);
    let together =
        Spent { wall: filled.import.wall + filled.projections.wall, cpu: filled.import.cpu + filled.projections.cpu };
    let mut table = Table::new(&[
        "",
        "wall s",
        "CPU s",
        "records/s",
        "records/CPU s",
        "quads/CPU s",
        "× loader in memory",
        "× loader on disk",
    ]);
    let ratios = |cpu: f64| [memory_spent.cpu / cpu, disk_spent.cpu / cpu];
    for (name, spent, is_aimed) in [
        ("import: validation, ledger", filled.import, false),
        ("serve until ready: search index, RDF", filled.projections, false),
        ("together", together, true),
    ] {
        let mut row = vec![
            name.to_owned(),
            format!("{:.1}", spent.wall),
            format!("{:.1}", spent.cpu),
            grouped(records_of / spent.wall),
            grouped(records_of / spent.cpu),
            grouped(in_memory / spent.cpu),
        ];
        row.extend(
            ratios(spent.cpu).map(|ratio| if is_aimed { against(ratio, ratio >= AIM) } else { format!("{ratio:.2}") }),
        );
        table.row(row);
    }
    for (name, spent) in
        [("oxigraph's bulk loader, in memory", memory_spent), ("oxigraph's bulk loader, on disk", disk_spent)]
    {
        table.row(vec![
            name.to_owned(),
            format!("{:.1}", spent.wall),
            format!("{:.1}", spent.cpu),
            String::new(),
            String::new(),
            grouped(in_memory / spent.cpu),
        ]);
    }
    println!("\n### Bulk, {} records, {} quads (aim ≥ 0.5 × the loader)\n", grouped(records_of), grouped(in_memory));
    println!("{table}");
    println!("The server held at most {} MiB.", grouped(filled.memory as f64 / f64::from(1 << 20)));
    Ok(())
}

/// Writes the statements of every named graph, each as a quad of that graph and one of the default graph, which is
/// what the server holds; returns the number of lines.
///
/// They are asked for by SPARQL, predicate by predicate, so that the file is what users see and no other program has
/// to know how records become statements.
pub(super) fn dump(client: &mut Client, file: &Path) -> anyhow::Result<usize> {
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut lines = 0;
    for graph in column(client, "SELECT ?x WHERE { GRAPH ?x {} }")? {
        for predicate in column(client, &format!("SELECT DISTINCT ?x WHERE {{ GRAPH <{graph}> {{ ?s ?x ?o }} }}"))? {
            let mut offset = 0;
            loop {
                let pattern = format!("?s <{predicate}> ?o");
                let query = format!(
                    "CONSTRUCT {{ {pattern} }} WHERE {{ GRAPH <{graph}> {{ {pattern} }} }} LIMIT {PAGE} OFFSET {offset}"
                );
                let page = ask(client, &query, "application/n-triples")?;
                let text = std::str::from_utf8(&page).context("N-Triples are UTF-8")?;
                let mut count = 0;
                for triple in text.lines() {
                    let statement = triple.strip_suffix(" .").context("a line is not a triple")?;
                    writeln!(writer, "{triple}\n{statement} <{graph}> .")?;
                    count += 1;
                }
                lines += 2 * count;
                offset += PAGE;
                if count < PAGE {
                    break;
                }
            }
        }
    }
    writer.flush()?;
    Ok(lines)
}

/// Returns the values of the variable `?x`.
fn column(client: &mut Client, query: &str) -> anyhow::Result<Vec<String>> {
    let answer: Value = serde_json::from_slice(&ask(client, query, "application/sparql-results+json")?)?;
    let rows = answer["results"]["bindings"].as_array().context("the answer has no rows")?;
    Ok(rows.iter().filter_map(|row| row["x"]["value"].as_str()).map(str::to_owned).collect())
}

fn ask(client: &mut Client, query: &str, accept: &str) -> anyhow::Result<Vec<u8>> {
    let headers = [("content-type", "application/sparql-query"), ("accept", accept)];
    let answer = client.send("POST", "/sparql", &headers, query.as_bytes())?;
    ensure!(answer.status == 200, "{query} was answered with {}: {}", answer.status, answer.text());
    Ok(answer.body)
}
