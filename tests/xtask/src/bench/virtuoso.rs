//! Virtuoso as Debian packages it, on the same statements.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::http::{Client, encoded};
use super::process::cpu_of;

/// Loaders at once, and files for them.
const PARTS: usize = 4;

/// What is spent on one query at the most, in seconds: of its processor time, and by the clock.
const ENOUGH: (f64, u64) = (0.5, 20);

/// What Virtuoso took for a query.
pub(super) struct Figure {
    /// Milliseconds of processor time.
    pub(super) cpu: f64,
    pub(super) rows: usize,
    pub(super) agrees: bool,
}

/// A server on a folder of its own; it ends with this.
pub(super) struct Virtuoso {
    child: Child,
    sql: u16,
    http: u16,
    client: Option<Client>,
}

/// Says whether there is a server and its client.
pub(super) fn is_installed() -> bool {
    let answers = |program: &str| {
        let mut asked = Command::new(program);
        asked.arg("-?").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    answers("virtuoso-t") && answers("isql-vt")
}

impl Virtuoso {
    /// Starts a server on a new folder and loads a file of N-Quads.
    pub(super) fn load(folder: &Path, quads: &Path) -> anyhow::Result<Self> {
        let parts = folder.join("parts");
        std::fs::create_dir_all(&parts)?;
        split(quads, &parts)?;
        let port = || -> anyhow::Result<u16> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()) };
        let (sql, http) = (port()?, port()?);
        std::fs::write(folder.join("virtuoso.ini"), settings(folder, &parts, sql, http))?;
        let mut command = Command::new("virtuoso-t");
        command.current_dir(folder).args(["+configfile", "virtuoso.ini", "+foreground"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self { child, sql, http, client: None };
        let since = Instant::now();
        while server.ask("select 1;").is_err() {
            ensure!(since.elapsed() < Duration::from_secs(90), "virtuoso-t did not start; see {}", folder.display());
            std::thread::sleep(Duration::from_millis(300));
        }
        let (since, before) = (Instant::now(), cpu_of(server.child.id())?);
        server.ask(&format!("ld_dir('{}', '*.nq', 'http://example.org/');", parts.display()))?;
        std::thread::scope(|scope| -> anyhow::Result<()> {
            let loaders: Vec<_> = (0..2).map(|_| scope.spawn(|| server.ask("rdf_loader_run();"))).collect();
            for loader in loaders {
                loader.join().map_err(|_| anyhow::anyhow!("a loader panicked"))??;
            }
            Ok(())
        })?;
        server.ask("checkpoint;")?;
        let spent = cpu_of(server.child.id())? - before;
        println!("Virtuoso loaded in {:.1} s, {spent:.1} s CPU", since.elapsed().as_secs_f64());
        std::fs::remove_dir_all(&parts)?;
        server.client = Some(Client::connect(server.http)?);
        Ok(server)
    }

    fn ask(&self, sql: &str) -> anyhow::Result<String> {
        let mut command = Command::new("isql-vt");
        command.arg(format!("127.0.0.1:{}", self.sql)).args(["dba", "dba"]).arg(format!("exec={sql}"));
        let output = command.stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success() && !said.contains("*** Error"), "{sql}: {said}");
        Ok(said)
    }

    /// Asks a query over HTTP until enough time has passed.
    pub(super) fn measure(&mut self, figure: &super::sparql::Figure) -> anyhow::Result<Figure> {
        let is_graph = figure.query.contains("DESCRIBE <") || figure.query.contains("CONSTRUCT {");
        let answer = self.query(&figure.query, is_graph).with_context(|| figure.name.clone())?;
        let (rows, one) = read(&answer, is_graph)?;
        let agrees = rows == figure.rows && (figure.one.is_none() || figure.one == one);
        let (before, since, mut times) = (cpu_of(self.child.id())?, Instant::now(), 0_u32);
        loop {
            self.query(&figure.query, is_graph)?;
            times += 1;
            let spent = cpu_of(self.child.id())? - before;
            if spent > ENOUGH.0 || since.elapsed().as_secs() > ENOUGH.1 {
                return Ok(Figure { cpu: spent * 1e3 / f64::from(times), rows, agrees });
            }
        }
    }

    fn query(&mut self, query: &str, is_graph: bool) -> anyhow::Result<Vec<u8>> {
        let accept = if is_graph { "text/plain" } else { "application/sparql-results+json" };
        let headers = [("accept", accept), ("content-type", "application/x-www-form-urlencoded")];
        let body = format!("query={}", encoded(query));
        for _ in 0..2 {
            let client = match &mut self.client {
                Some(client) => client,
                none => none.insert(Client::connect(self.http)?),
            };
            match client.send("POST", "/sparql", &headers, body.as_bytes()) {
                Ok(answer) if answer.status == 200 => return Ok(answer.body),
                Ok(answer) => bail!("Virtuoso answered with {}: {}", answer.status, answer.text()),
                // It closes connections after some requests.
                Err(_) => self.client = None,
            }
        }
        bail!("Virtuoso does not answer")
    }

    /// Asks the server to end.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        // It closes the connection that asks, which the client takes for a failure.
        let _ = self.ask("shutdown();");
        let since = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(since.elapsed() < Duration::from_secs(60), "Virtuoso did not stop");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Virtuoso {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the number of rows or statements, and the value when there is one only.
fn read(answer: &[u8], is_graph: bool) -> anyhow::Result<(usize, Option<String>)> {
    if is_graph {
        let text = String::from_utf8_lossy(answer);
        return Ok((text.lines().filter(|line| line.ends_with('.') && !line.starts_with('#')).count(), None));
    }
    let answer: Value = serde_json::from_slice(answer).context("Virtuoso gave no JSON")?;
    let rows = answer["results"]["bindings"].as_array().context("Virtuoso gave no rows")?;
    let one = match rows.as_slice() {
        [row] => row.as_object().filter(|row| row.len() == 1).and_then(|row| row.values().next()),
        _ => None,
    };
    Ok((rows.len(), one.and_then(|value| value["value"].as_str()).map(str::to_owned)))
}

/// Deals the lines of a file out to several.
fn split(quads: &Path, parts: &Path) -> anyhow::Result<()> {
    let part = |number: usize| -> anyhow::Result<_> {
        let file: PathBuf = parts.join(format!("{number}.nq"));
        Ok(BufWriter::with_capacity(1 << 20, File::create(file)?))
    };
    let mut writers = (0..PARTS).map(part).collect::<anyhow::Result<Vec<_>>>()?;
    for (number, line) in BufReader::with_capacity(1 << 20, File::open(quads)?).lines().enumerate() {
        writeln!(writers[number / 1000 % PARTS], "{}", line?)?;
    }
    writers.iter_mut().try_for_each(|writer| Ok(writer.flush()?))
}

fn settings(folder: &Path, parts: &Path, sql: u16, http: u16) -> String {
    let (folder, parts) = (folder.display(), parts.display());
    // Buffers of 8 kB: 2.7 GB, as the issue's own run had.
    format!(
        "[Database]\nDatabaseFile = {folder}/virtuoso.db\nErrorLogFile = {folder}/virtuoso.log\nLockFile = {folder}/virtuoso.lck\n\
         TransactionFile = {folder}/virtuoso.trx\nxa_persistent_file = {folder}/virtuoso.pxa\nMaxCheckpointRemap = 2000\n\
         [TempDatabase]\nDatabaseFile = {folder}/temp.db\nTransactionFile = {folder}/temp.trx\nMaxCheckpointRemap = 2000\n\
         [Parameters]\nServerPort = 127.0.0.1:{sql}\nNumberOfBuffers = 340000\nMaxDirtyBuffers = 250000\nDirsAllowed = {parts}\n\
         ServerThreads = 20\nThreadsPerQuery = 2\nAsyncQueueMaxThreads = 4\nCheckpointInterval = 60\nColumnStore = 0\n\
         [HTTPServer]\nServerPort = 127.0.0.1:{http}\nServerThreads = 16\n\
         [SPARQL]\nResultSetMaxRows = 10000\n"
    )
}
