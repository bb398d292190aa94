//! The server under test.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use catalog_client::Client;
use catalog_schemas::account::{NewToken, Role, Scope};
use catalog_schemas::harvest::RunView;
use catalog_schemas::search::{SearchAnswer, SearchQuery};
use rand::Rng;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::alidade;

/// The administrator's token in every sandbox.
pub const ADMIN_TOKEN: &str = "the-administrator-of-the-tests";

/// How long a server may take until it is ready; a build without optimisation on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether the sample catalogue is published at the first start.
    pub sample: bool,
    /// A configuration file's text; the built-in one when absent.
    pub configuration: Option<String>,
    /// More variables of its environment.
    pub variables: Vec<(String, String)>,
}

/// An account with a token.
#[derive(Clone)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// The token's secret.
    pub token: String,
    /// A client that acts for it.
    pub client: Client,
}

/// A server with its data folder; both end with the sandbox.
pub struct Sandbox {
    folder: TempDir,
    settings: Settings,
    base: String,
    process: Option<Child>,
    http: reqwest::Client,
}

impl Sandbox {
    /// Starts a server with an empty catalogue.
    pub async fn empty() -> Self {
        Self::start(Settings::default()).await
    }

    /// Starts a server with the sample catalogue.
    pub async fn with_sample() -> Self {
        Self::start(Settings { sample: true, ..Settings::default() }).await
    }

    /// Starts a server and waits until it is ready.
    pub async fn start(settings: Settings) -> Self {
        let mut sandbox = Self::prepare(settings);
        sandbox.run().await;
        sandbox
    }

    /// Makes the data folder and starts nothing yet.
    ///
    /// # Panics
    ///
    /// When the machine has no temporary folder or no free port.
    pub fn prepare(settings: Settings) -> Self {
        // It can only fail when one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder =
            tempfile::Builder::new().prefix("alidade-test-").tempdir().expect("a temporary folder can be made");
        if let Some(text) = &settings.configuration {
            std::fs::write(folder.path().join("alidade.toml"), text).expect("a temporary file can be written");
        }
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        let http = http.build().expect("a client needs nothing from outside");
        Self { folder, settings, base: format!("http://127.0.0.1:{}", free_port()), process: None, http }
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it ends, or is not ready in time; what it said is printed.
    pub async fn run(&mut self) {
        self.spawn();
        self.wait_until_ready().await;
    }

    /// Starts the server and does not wait.
    ///
    /// # Panics
    ///
    /// When the binary cannot be started.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "the server runs already");
        let log = File::options().create(true).append(true).open(self.log_file()).expect("the log can be written");
        let mut command = self.command();
        command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("the binary can be started"));
    }

    /// Waits until the server answers at all.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    pub async fn wait_until_alive(&self) {
        let started = Instant::now();
        while self.request("GET", "/livez").send().await.is_err() {
            if started.elapsed() > PATIENCE {
                self.fail("the server does not answer in time");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every part of the server is in step with the ledger.
    ///
    /// # Panics
    ///
    /// When it ends, or is not ready in time.
    pub async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        loop {
            if let Some(process) = &mut self.process
                && let Ok(Some(status)) = process.try_wait()
            {
                self.process = None;
                self.fail(&format!("the server ended with {status}"));
            }
            if self.is_in_step().await {
                return;
            }
            if started.elapsed() > PATIENCE {
                self.fail("the server is not ready in time");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until search and SPARQL have followed what was written so far.
    ///
    /// # Panics
    ///
    /// When they have not in time.
    pub async fn wait_until_in_step(&self) {
        let started = Instant::now();
        while !self.is_in_step().await {
            if started.elapsed() > PATIENCE {
                self.fail("the projections do not follow");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_in_step(&self) -> bool {
        let Ok(response) = self.request("GET", "/readyz").timeout(Duration::from_secs(5)).send().await else {
            return false;
        };
        let ready = response.status() == 200;
        let Ok(parts) = response.json::<Value>().await else { return false };
        ready
            && parts["index"]["appliedSeq"] == parts["ledgerSeq"]
            && parts["sparql"]["appliedSeq"] == parts["ledgerSeq"]
    }

    /// Returns the server's process id.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// Asks the server to stop and waits for it.
    ///
    /// # Panics
    ///
    /// When it does not end well.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        let sent = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the server can be asked to stop");
        let status = process.wait().expect("the server is a child");
        if !status.success() {
            self.fail(&format!("the server stopped with {status}"));
        }
    }

    /// Kills the server as a power cut would.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn kill9(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("the server is a child");
    }

    /// Stops the server and starts it again on the same data, at the same address.
    pub async fn restart(&mut self) {
        self.stop();
        self.run().await;
    }

    /// Returns a command of the binary with this sandbox's environment, at work on its data folder or its server.
    pub fn command(&self) -> Command {
        let mut command = Command::new(alidade());
        command.current_dir(self.folder.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ALIDADE_")) {
            command.env_remove(name);
        }
        let listen = self.base.trim_start_matches("http://");
        command
            .env("ALIDADE_LISTEN", listen)
            .env("ALIDADE_DATA_DIR", self.data())
            .env("ALIDADE_SAMPLE", if self.settings.sample { "1" } else { "0" })
            .env("ALIDADE_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("ALIDADE_SERVER", &self.base)
            .env("ALIDADE_TOKEN", ADMIN_TOKEN)
            .env("NO_COLOR", "1")
            .envs(self.settings.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary with these arguments and returns what it said.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the binary can be started")
    }

    /// Returns the server's address without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the folder around the data folder; tests may put files there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns a client for nobody known.
    ///
    /// # Panics
    ///
    /// Never: the address is one.
    pub fn anonymous(&self) -> Client {
        Client::http(&self.base).expect("the address is one")
    }

    /// Returns a client for the administrator.
    pub fn admin(&self) -> Client {
        self.with_token(ADMIN_TOKEN)
    }

    /// Returns a client with a token.
    ///
    /// # Panics
    ///
    /// When the token cannot be a header's value.
    pub fn with_token(&self, token: &str) -> Client {
        self.anonymous().with_token(token).expect("the token is plain")
    }

    /// Makes an account of a role, and a token for it.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn account(&self, name: &str, role: Role, scopes: &[Scope]) -> Account {
        let asked = NewToken {
            name: format!("for {name}"),
            scopes: scopes.to_vec(),
            namespace: None,
            days: None,
            account: Some(name.to_owned()),
            role: Some(role),
        };
        let token = self.admin().token_create(&asked).await.expect("the administrator can make tokens");
        let token = token.secret.expect("a new token has its secret");
        Account { name: name.to_owned(), client: self.with_token(&token), token }
    }

    /// Returns a request as any program could send it; redirects are not followed, cookies are not kept.
    ///
    /// # Panics
    ///
    /// When the method is none.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("the method is one");
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Gets a path and returns status and text.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> (u16, String) {
        read(self.request("GET", path)).await
    }

    /// Searches as nobody known, by a query string.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn search(&self, pairs: &[(&str, &str)]) -> SearchAnswer {
        let query = SearchQuery::from_pairs(pairs.iter().copied()).expect("the query is one");
        self.anonymous().search(&query).await.expect("the server answers")
    }

    /// Runs a source to the end of the run.
    ///
    /// # Panics
    ///
    /// When the server refuses, or the run does not end.
    pub async fn harvest(&self, source: &str, dry: bool) -> RunView {
        let run = self.admin().run_start(source, dry).await.expect("the run is taken on");
        self.end_of(run).await
    }

    /// Waits for the end of a run.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn end_of(&self, mut run: RunView) -> RunView {
        let (admin, started) = (self.admin(), Instant::now());
        while matches!(run.state.as_str(), "queued" | "running") {
            assert!(started.elapsed() < PATIENCE, "the run does not end: {run:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
            run = admin.run(&run.source, run.number).await.expect("the run is there");
        }
        // The run can be read a moment before the ledger's new sequence is told; what is written after it waits for that.
        assert!(admin.review_reopen(u64::from(u32::MAX)).await.is_err());
        run
    }

    /// Returns what the server said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("stderr.log")
    }

    #[expect(clippy::panic, reason = "a test whose server does not run must fail")]
    fn fail(&self, why: &str) -> ! {
        panic!("{why}")
    }
}

impl Drop for Sandbox {
    #[expect(clippy::print_stderr, reason = "the last words of the server belong to the report of a failed test")]
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            // The sandbox's own questions would push everything else out.
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("path=\"/readyz\"")).collect();
            let from = lines.len().saturating_sub(30);
            eprintln!("the server's last words:\n{}", lines[from..].join("\n"));
        }
    }
}

/// Sends a request and returns status and text of its answer.
///
/// # Panics
///
/// When no answer comes.
pub async fn read(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.expect("the server answers");
    let status = response.status().as_u16();
    (status, response.text().await.expect("the answer is whole"))
}

/// Returns a port that nobody uses, below those that the system gives to outgoing connections: a server that was killed
/// finds it free when it starts again.
fn free_port() -> u16 {
    let mut random = rand::rng();
    let ports = std::iter::repeat_with(|| random.random_range(15_000..32_000));
    ports.take(1000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("some port is free")
}
