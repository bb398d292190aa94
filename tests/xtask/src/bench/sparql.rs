//! SPARQL on a made-up catalogue: ours beside bare oxigraph, which the graph's own program measures, and Virtuoso.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::table::{Table, against};
use super::virtuoso::{self, Virtuoso};
use crate::workspace::{cargo, run as run_command};

/// The queries of the issue; the aim is half of what Virtuoso takes, for others as much.
const EIGHT: usize = 8;

/// What the graph's program measured, in milliseconds of processor time.
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) query: String,
    pub(super) rows: usize,
    /// The only value of the answer, when it is one.
    pub(super) one: Option<String>,
    /// Whether our two evaluators and oxigraph gave the same.
    agree: bool,
    /// Whether another engine's answer is the same at all.
    pub(super) is_compared: bool,
    ours: f64,
    plain: Option<f64>,
    bare: Option<f64>,
}

impl Figure {
    fn of(measured: &Value) -> Option<Self> {
        Some(Self {
            name: measured["name"].as_str()?.to_owned(),
            query: measured["query"].as_str()?.to_owned(),
            rows: usize::try_from(measured["rows"].as_u64()?).ok()?,
            one: measured["one"].as_str().map(str::to_owned),
            agree: measured["agree"].as_bool()?,
            is_compared: measured["isCompared"].as_bool()?,
            ours: measured["ours"].as_f64()?,
            plain: measured["plain"].as_f64(),
            bare: measured["bare"].as_f64(),
        })
    }
}

/// Measures and prints the table.
pub(super) fn run(records: u32, target: &Path) -> anyhow::Result<()> {
    let out = target.join("bench").join(format!("sparql-{}", std::process::id()));
    std::fs::create_dir_all(&out)?;
    let measured = measure(records, &out);
    std::fs::remove_dir_all(&out)?;
    measured
}

fn measure(records: u32, out: &Path) -> anyhow::Result<()> {
    let (quads, figures) = (out.join("quads.nq"), out.join("figures.json"));
    let has_virtuoso = virtuoso::is_installed();
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "catalog-graph", "--example", "bench", "--"]);
    command.arg(records.to_string()).arg(out).arg("--figures").arg(&figures);
    if has_virtuoso {
        command.arg("--quads").arg(&quads);
    } else {
        println!("virtuoso-t is not installed (Debian: virtuoso-opensource-7); its column stays empty");
    }
    run_command(command)?;
    let measured: Vec<Value> = serde_json::from_slice(&std::fs::read(&figures)?)?;
    let figures: Option<Vec<Figure>> = measured.iter().map(Figure::of).collect();
    let figures = figures.context("the graph's program wrote other figures")?;
    let others = if has_virtuoso {
        let mut virtuoso = Virtuoso::load(&out.join("virtuoso"), &quads)?;
        let measured = figures.iter().map(|figure| virtuoso.measure(figure)).collect::<anyhow::Result<Vec<_>>>();
        virtuoso.stop()?;
        measured?
    } else {
        Vec::new()
    };
    print(records, &figures, &others);
    Ok(())
}

fn print(records: u32, figures: &[Figure], others: &[virtuoso::Figure]) {
    let mut table = Table::new(&[
        "CPU ms a query",
        "Alidade",
        "spareval on our files",
        "oxigraph",
        "Virtuoso",
        "× oxigraph",
        "× Virtuoso",
        "rows",
        "answers",
    ]);
    let shown = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2}"));
    for (number, figure) in figures.iter().enumerate() {
        let virtuoso = others.get(number);
        let aim = if number < EIGHT { 0.5 } else { 1.0 };
        let ratio = |other: Option<f64>, most: f64| {
            let ratio = other.map(|other| figure.ours / other.max(0.001));
            ratio.map_or_else(|| "–".to_owned(), |ratio| against(ratio, ratio <= most))
        };
        let mut answers = if figure.agree { "agree".to_owned() } else { "DIFFER".to_owned() };
        if let Some(virtuoso) = virtuoso.filter(|other| figure.is_compared && !other.agrees) {
            answers.push_str(&format!("; Virtuoso gives {} rows", virtuoso.rows));
        }
        table.row(vec![
            figure.name.clone(),
            format!("{:.2}", figure.ours),
            shown(figure.plain),
            shown(figure.bare),
            shown(virtuoso.map(|other| other.cpu)),
            ratio(figure.bare, 1.0),
            ratio(virtuoso.map(|other| other.cpu), aim),
            figure.rows.to_string(),
            answers,
        ]);
    }
    println!(
        "\n### SPARQL, {records} records (aims: the first {EIGHT} ≤ 0.5 × Virtuoso and ≤ 1 × oxigraph, the others ≤ 1 × Virtuoso)\n"
    );
    println!("{table}");
}
