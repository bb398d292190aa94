//! The command line: one file a command.

mod admin;
mod govern;
mod harvest;
mod login;
mod package;
mod remote;
mod serve;
mod suite;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};

/// A federated catalogue of datalabs, datasets, data volumes and pipelines, and the portal that runs them where the data is.
#[derive(Debug, Parser)]
#[command(name = "alidade", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the catalogue and the portal
    Serve(Local),
    /// Make a package from a folder; the same folder gives the same bytes
    Pack(package::Pack),
    /// Check a package, a folder or a bare manifest, and report every fault with its place and its fix
    Validate(package::Validate),
    /// Publish a package or a folder on a server
    Publish(remote::Publish),
    /// Search a server's catalogue
    Search(remote::Search),
    /// Run a source of a server and show what it brought, or would bring
    Harvest(harvest::Harvest),
    /// Get a token for this machine: allow it in the portal, and the other commands use it
    Login(login::Login),
    /// Revoke and forget this machine's token
    Logout(Remote),
    /// Make, list and revoke tokens on a server
    Token(remote::TokenArgs),
    /// Take a step in the life of a version: submit, approve, return, deprecate, withdraw
    State(govern::StateArgs),
    /// Make, register, list and revoke keys that sign packages
    Key(govern::KeyArgs),
    /// Bring manifests, one a line, into the ledger of a server that is not running
    Import(admin::Import),
    /// Check the ledger, its packages, its audit trail and the index
    Verify(Local),
    /// Build the search index anew from the ledger of a server that is not running
    Reindex(Local),
    /// Copy the ledger and its packages into a folder, also while the server runs
    Backup(admin::Backup),
    /// Put a backup into an empty data folder
    Restore(admin::Restore),
    /// Explain the configuration and find what is wrong with it and with this machine
    Doctor(Local),
    /// Answer queries of the server that started this process
    #[command(name = crate::sparql::COMMAND, hide = true)]
    SparqlWorker,
    /// Speak the SPARQL protocol over given datasets, for conformance suites
    #[command(hide = true)]
    SparqlSuite(suite::Suite),
}

/// The server that is spoken to when none is named.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// Commands that work on this machine's data folder.
#[derive(Debug, Args)]
struct Local {
    /// The configuration file
    #[arg(long, env = "ALIDADE_CONFIG")]
    config: Option<PathBuf>,
}

impl Local {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref())
    }
}

/// Commands that speak to a server.
#[derive(Debug, Args)]
struct Remote {
    /// The server
    #[arg(long, env = "ALIDADE_SERVER", default_value = DEFAULT_SERVER)]
    server: String,
    /// A token, instead of the one of `alidade login`; better given by the environment than on the command line, where others can see it
    #[arg(long, env = "ALIDADE_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Remote {
    fn client(&self) -> anyhow::Result<catalog_client::Client> {
        let client = catalog_client::Client::http(&self.server)?;
        let given = self.token.clone().filter(|token| !token.is_empty());
        let token = match (given, login::Credentials::find()) {
            (None, Some(kept)) => kept.token(&self.server)?,
            (given, _) => given,
        };
        Ok(match token {
            Some(token) => client.with_token(&token)?,
            None => client,
        })
    }
}

/// Reads the command line, runs the command and returns how it went: 0 done, 1 failed, 2 misused, 78 misconfigured.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(local) => serve::serve(&local),
        Command::Pack(pack) => pack.run(),
        Command::Validate(validate) => validate.run(),
        Command::Publish(publish) => publish.run(),
        Command::Search(search) => search.run(),
        Command::Harvest(harvest) => harvest.run(),
        Command::Login(login) => login.run(),
        Command::Logout(remote) => login::logout(&remote),
        Command::Token(token) => token.run(),
        Command::State(state) => state.run(),
        Command::Key(key) => key.run(),
        Command::Import(import) => import.run(),
        Command::Verify(local) => admin::verify(&local),
        Command::Reindex(local) => admin::reindex(&local),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Doctor(local) => admin::doctor(&local),
        Command::SparqlWorker => sparql_worker(),
        Command::SparqlSuite(suite) => suite.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            say_error(&error);
            if error.is::<ConfigError>() { ExitCode::from(78) } else { ExitCode::FAILURE }
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command speaks to the terminal")]
fn say_error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Writes a line for the person at the terminal; a closed pipe is not an error.
fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Runs a future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

/// Answers the server's requests until it closes the pipe.
fn sparql_worker() -> anyhow::Result<ExitCode> {
    catalog_graph::worker::serve(std::io::stdin(), std::io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the key that this server signs with, or makes one; it stays in the data folder, for its owner's eyes only.
fn identity(config: &Config) -> anyhow::Result<catalog_launch::Identity> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let path = config.data_dir.join("zone.key");
    let key = match std::fs::read(&path) {
        Ok(key) => key,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = catalog_launch::Identity::generate().map_err(anyhow::Error::msg)?;
            // Written whole before it has its name, so that half a key is never read.
            let half = path.with_extension("new");
            let mut file =
                std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
            file.write_all(&key)?;
            file.sync_all()?;
            std::fs::rename(&half, &path)?;
            key
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    catalog_launch::Identity::read(config.zone.id.as_str(), &key)
        .map_err(|problem| anyhow::anyhow!("`{}` cannot be used: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_can_be_read() {
        // Two arguments of one name pass the compiler and end the program when the command is called.
        super::Cli::command().debug_assert();
    }
}
