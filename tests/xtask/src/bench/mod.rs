//! Measures the server as its users meet it, every figure beside a baseline of the same run.
//!
//! Processor time is what counts: wall clock on a machine with other work says little. Everything is on loopback,
//! bounded in count and time, and what was made is removed at the end, except a Python environment for the baselines.

mod attack;
mod bulk;
mod harvest;
mod http;
mod process;
mod publish;
mod python;
mod search;
mod sparql;
mod startup;
mod table;
mod virtuoso;
mod visibility;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::ValueEnum;

use crate::fixture::write_corpus;
use crate::workspace::{cargo, root, run as run_command};

/// What to measure, and on how much.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Records of the catalogue; several numbers, with commas, also give the growth of search.
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    records: Vec<u32>,
    /// Search only, without a server: for so many records that its RDF store does not fit into memory.
    #[arg(long)]
    index_only: bool,
    /// The server's binary; built for release when absent.
    #[arg(long, value_name = "FILE")]
    alidade: Option<PathBuf>,
    /// Where catalogues are made, on the disk to be measured; `bench` in cargo's target folder when absent.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A measurement.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Search over HTTP, beside the engine's bare collector.
    Search,
    /// Publishing, beside bare SQLite.
    Publish,
    /// Filling a catalogue, beside oxigraph's bulk loader.
    Bulk,
    /// Harvesting from a loopback source, beside oxigraph's bulk loader; not part of `all`.
    Harvest,
    /// Start-up.
    Startup,
    /// SPARQL on a made-up catalogue, beside bare oxigraph and Virtuoso; not part of `all`, for it needs no server.
    Sparql,
    /// How soon SPARQL shows what is published, and what twenty records a second cost.
    Visibility,
    /// A launch from its request to ready, beside the engine's own client, and the planner; not part of `all`, for it needs
    /// an engine.
    Launch,
    /// What search feels while strangers attack SPARQL.
    Attack,
    /// Everything.
    All,
}

/// Runs the measurements and prints their tables.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(!arguments.index_only || arguments.what == What::Search, "--index-only goes with `search` only");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    if arguments.what == What::Sparql {
        return arguments.records.iter().try_for_each(|records| sparql::run(*records, &target));
    }
    let alidade = match &arguments.alidade {
        Some(alidade) => alidade.clone(),
        None => {
            run_command(cargo(&["build", "--release", "--package", "catalog-server", "--bin", "alidade"]))?;
            target.join("release/alidade")
        }
    };
    let alidade = alidade.canonicalize().with_context(|| format!("there is no {}", alidade.display()))?;
    if arguments.what == What::Launch {
        return launch(&alidade);
    }
    let tools = arguments.out.clone().unwrap_or_else(|| target.join("bench"));
    std::fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    let tools = tools.canonicalize()?;
    let mut searches = Vec::new();
    for &records in &arguments.records {
        ensure!(records > 0, "a catalogue without records says nothing");
        let folder = tools.join(format!("run-{}-{records}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let measured = if arguments.what == What::Harvest {
            harvest::run(&alidade, &folder, &tools, records).map(|()| None)
        } else if arguments.index_only {
            bulk::index(&alidade, &folder, records)
                .and_then(|data| search::run_without_server(&data, records))
                .map(Some)
        } else {
            measure(arguments.what, records, &alidade, &folder, &tools)
        };
        // What was made is large; it goes also when a measurement failed, but then the log is kept.
        if measured.is_err() {
            let log = tools.join("failed.log");
            if std::fs::copy(folder.join("data.log"), &log).is_ok() {
                println!("the server's log is {}", log.display());
            }
        }
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        if let Some(figures) = measured? {
            searches.push((records, figures));
        }
    }
    for pair in searches.windows(2) {
        let [(small, before), (large, after)] = pair else { continue };
        search::growth((*small, before), (*large, after));
    }
    Ok(())
}

/// Runs the measurement of launches, which is an example of the tests as it needs their engine, and the planner's bench.
fn launch(alidade: &Path) -> anyhow::Result<()> {
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "catalog-tests", "--example", "launch"]);
    command.env("ALIDADE_BIN", alidade);
    run_command(command)?;
    run_command(cargo(&["bench", "--quiet", "--package", "catalog-launch", "--bench", "planner"]))
}

fn measure(
    what: What,
    records: u32,
    alidade: &Path,
    folder: &Path,
    tools: &Path,
) -> anyhow::Result<Option<Vec<search::Figure>>> {
    let wanted = |one| what == one || what == What::All;
    let (corpus, data) = (folder.join("corpus.jsonl"), folder.join("data"));
    write_corpus(records, &corpus)?;
    let (mut server, filled) = bulk::fill(alidade, &corpus, &data)?;
    std::fs::remove_file(&corpus)?;
    let figures = if wanted(What::Search) { Some(search::run(&mut server, &data, records)?) } else { None };
    if wanted(What::Bulk) {
        bulk::compare(&mut server, &filled, folder, tools, records)?;
    }
    if wanted(What::Publish) {
        publish::run(&mut server, folder, records)?;
    }
    if wanted(What::Visibility) {
        visibility::run(&mut server, folder, records)?;
    }
    if wanted(What::Attack) {
        attack::run(&mut server, records)?;
    }
    server.stop()?;
    // What was published in between is a few records more, which is as a server finds its catalogue.
    if wanted(What::Startup) {
        startup::run(alidade, &data, &folder.join("empty"), records)?;
    }
    Ok(figures)
}
