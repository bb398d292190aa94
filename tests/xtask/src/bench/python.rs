//! The baselines that are Python programs: they come with this file, and their packages into an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::process::{Spent, measured};

/// Packs each manifest of a file of JSON Lines into a package `N.tar.gz`.
const PACK: &str = r#"
import gzip, io, json, sys, tarfile
for number, line in enumerate(open(sys.argv[1], "rb")):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("manifest.jsonld")
        entry.size, entry.mode = len(line), 0o644
        archive.addfile(entry, io.BytesIO(line))
    open(f"{sys.argv[2]}/{number}.tar.gz", "wb").write(gzip.compress(packed.getvalue(), 6, mtime=0))
"#;

/// Commits one row after the other with the ledger's own safety for some seconds and says how many a second.
const COMMITS: &str = r#"
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=FULL")
connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, manifest TEXT, package BLOB)")
manifests = open(sys.argv[2]).readlines()[:1000]
packages = [open(f"{sys.argv[3]}/{number}.tar.gz", "rb").read() for number in range(len(manifests))]
since, count = time.perf_counter(), 0
while time.perf_counter() - since < float(sys.argv[4]):
    row = (manifests[count % len(manifests)], packages[count % len(packages)])
    connection.execute("INSERT INTO bare (manifest, package) VALUES (?, ?)", row)
    count += 1
print(count / (time.perf_counter() - since))
"#;

/// Loads N-Quads with oxigraph's bulk loader, into memory or into a folder, and says how many and what it took.
const LOAD: &str = r#"
import json, sys, time
import pyoxigraph
store = pyoxigraph.Store(sys.argv[2]) if len(sys.argv) > 2 else pyoxigraph.Store()
wall, cpu = time.perf_counter(), time.process_time()
store.bulk_load(path=sys.argv[1], format=pyoxigraph.RdfFormat.N_QUADS)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"wall": wall, "cpu": cpu, "quads": len(store), "version": pyoxigraph.__version__}))
"#;

/// The release of oxigraph's Python package that has the server's own release of oxigraph.
const PYOXIGRAPH: &str = "pyoxigraph==0.5.13";

/// Packs manifests into a folder.
pub(super) fn pack(manifests: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut command = program(Path::new("python3"), PACK);
    command.arg(manifests).arg(folder);
    measured(command).map(|_| ())
}

/// Returns how many rows a second bare SQLite commits into a new file.
pub(super) fn commits(file: &Path, manifests: &Path, packages: &Path, seconds: u32) -> anyhow::Result<f64> {
    let mut command = program(Path::new("python3"), COMMITS);
    command.arg(file).arg(manifests).arg(packages).arg(seconds.to_string());
    measured(command)?.0.trim().parse().context("bare SQLite gave no figure")
}

/// Returns how many quads oxigraph's bulk loader loaded and what that took.
pub(super) fn load(python: &Path, quads: &Path, store: Option<&Path>) -> anyhow::Result<(f64, Spent)> {
    let mut command = program(python, LOAD);
    command.arg(quads).args(store);
    let (printed, _) = measured(command)?;
    let loaded: Value = serde_json::from_str(&printed).context("the bulk loader gave no figures")?;
    let number = |name: &str| loaded[name].as_f64().with_context(|| format!("the bulk loader gave no {name}"));
    Ok((number("quads")?, Spent { wall: number("wall")?, cpu: number("cpu")? }))
}

/// Returns a Python that has oxigraph, making an environment with it in `folder` at the first time.
pub(super) fn with_oxigraph(folder: &Path) -> anyhow::Result<PathBuf> {
    let environment = folder.join("python");
    let python = environment.join("bin/python3");
    let mut asked = Command::new(&python);
    asked.args(["-c", "import pyoxigraph"]);
    if !asked.output().is_ok_and(|output| output.status.success()) {
        let mut made = Command::new("python3");
        made.args(["-m", "venv"]).arg(&environment);
        measured(made)?;
        let mut installed = Command::new(&python);
        installed.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYOXIGRAPH]);
        measured(installed)?;
    }
    ensure!(python.exists(), "there is no {}", python.display());
    Ok(python)
}

fn program(python: &Path, text: &str) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", text]);
    command
}
