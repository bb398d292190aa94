//! Start-up of a server on a data folder, beside that of one on an empty folder.

use std::path::Path;
use std::time::Duration;

use super::process::Server;
use super::table::{Table, against, grouped};

/// Starts of each kind; the median is shown.
const STARTS: usize = 3;

/// The aim for pages and search, in seconds.
const AIM: f64 = 1.0;

/// How long a server may take to fill its RDF store.
const PATIENCE: Duration = Duration::from_secs(900);

/// Starts the server several times and prints the table.
pub(super) fn run(alidade: &Path, data: &Path, empty: &Path, records: u32) -> anyhow::Result<()> {
    let mut table = Table::new(&["catalogue", "page s", "search s", "SPARQL s", "CPU s", "peak MiB"]);
    // The first start on an empty folder makes what later ones find.
    start(alidade, empty)?;
    for (name, folder) in [(format!("{} records", grouped(records.into())), data), ("empty".to_owned(), empty)] {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(start(alidade, folder)?);
        }
        let [sparql, cpu, memory] = fill(alidade, folder)?;
        let median = |of: usize| {
            let mut values: Vec<f64> = starts.iter().map(|start| start[of]).collect();
            values.sort_by(f64::total_cmp);
            values[STARTS / 2]
        };
        table.row(vec![
            name,
            against(median(0), median(0) <= AIM),
            against(median(1), median(1) <= AIM),
            format!("{sparql:.2}"),
            format!("{cpu:.2}"),
            grouped(memory / f64::from(1 << 20)),
        ]);
    }
    println!(
        "\n### Start-up, from exec to the first answer, median of {STARTS}; SPARQL once (aim ≤ 1 s for pages and search)\n"
    );
    println!("{table}");
    Ok(())
}

/// Starts a server and returns the seconds to a page and to a search.
fn start(alidade: &Path, data: &Path) -> anyhow::Result<[f64; 2]> {
    let mut server = Server::start(alidade, data)?;
    let page = server.wait_for("/", PATIENCE)?;
    let search = server.wait_for("/api/v1/search?q=data", PATIENCE)?;
    server.stop()?;
    Ok([page, search])
}

/// Starts a server once more, until SPARQL answers; returns the seconds, those of processor time, and bytes of memory.
fn fill(alidade: &Path, data: &Path) -> anyhow::Result<[f64; 3]> {
    let mut server = Server::start(alidade, data)?;
    let sparql = server.wait_for("/readyz", PATIENCE)?;
    let (cpu, memory) = (server.cpu()?, server.peak_memory()? as f64);
    server.stop()?;
    Ok([sparql, cpu, memory])
}
