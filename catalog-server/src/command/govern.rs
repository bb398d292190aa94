//! Commands for signing and for the life of versions.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog_client::ClientError;
use catalog_ontology::signature::{SecretKey, sign};
use catalog_schemas::governance::{NewSigningKey, Signature, StateChange};
use catalog_schemas::problem::Report;
use clap::{Args, Subcommand};

use super::package::print_report;
use super::{Remote, block_on, say};
use crate::intake::Checked;

/// `alidade key`
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key: writes the private half into a file that only you can read, and prints the public half
    New {
        /// The file to write
        file: PathBuf,
    },
    /// Print the public half of a private key
    Public {
        /// The file of the private key
        file: PathBuf,
    },
    /// Register a public key for a namespace, so that what it signs is known to be yours
    Register {
        /// The namespace
        namespace: String,
        /// What the key is called
        name: String,
        /// The public key, or the file of the private key
        key: String,
    },
    /// List the keys of a namespace, or of all of yours
    List {
        /// The namespace
        namespace: Option<String>,
    },
    /// Revoke a key
    Revoke {
        /// Its id
        id: String,
    },
}

impl KeyArgs {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.command {
            KeyCommand::New { file } => {
                let key = SecretKey::from_seed(rand::random());
                write_private(file, &format!("{}\n", key.write()))?;
                say(key.public());
            }
            KeyCommand::Public { file } => say(read_key(file)?.public()),
            KeyCommand::Register { namespace, name, key } => {
                let path = Path::new(key);
                let public_key = if path.exists() { read_key(path)?.public() } else { key.clone() };
                let asked = NewSigningKey { namespace: namespace.clone(), name: name.clone(), public_key };
                let client = self.remote.client()?;
                let made = block_on(async { Ok(client.key_register(&asked).await?) })?;
                say(format_args!("{} {} {}", made.id, made.namespace, made.public_key));
            }
            KeyCommand::List { namespace } => {
                let client = self.remote.client()?;
                let keys = block_on(async { Ok(client.keys(namespace.as_deref()).await?) })?;
                for key in keys.keys {
                    let state = key.revoked.map_or_else(|| "in use".to_owned(), |at| format!("revoked {at}"));
                    say(format_args!("{} {:<24} {:<20} {} {state}", key.id, key.namespace, key.name, key.public_key));
                }
            }
            KeyCommand::Revoke { id } => {
                let client = self.remote.client()?;
                block_on(async { Ok(client.key_revoke(id).await?) })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a file that nobody else can read; never over one that is there.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path).with_context(|| format!("cannot make `{}`", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write `{}`", path.display()))
}

fn read_key(path: &Path) -> anyhow::Result<SecretKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    // The key itself must not reach the terminal, whatever is wrong with it.
    SecretKey::parse(&text)
        .map_err(|_| anyhow::anyhow!("`{}` holds no private key that `alidade key new` made", path.display()))
}

/// Returns the path of a package's signature: the package's own with `.sig`.
pub(super) fn signature_path(package: &Path) -> PathBuf {
    let mut path = package.as_os_str().to_owned();
    path.push(".sig");
    PathBuf::from(path)
}

/// Signs a package that was found valid.
pub(super) fn sign_checked(checked: &Checked, key: &Path) -> anyhow::Result<Signature> {
    let key = read_key(key)?;
    let record = checked.record.as_ref().context("only a valid package can be signed")?;
    let digest = checked.digest.as_deref().context("a manifest alone cannot be signed; pack it first")?;
    Ok(sign(record, digest, &key))
}

/// Returns the signature to send with a package: made now with a key, or what lies beside it.
pub(super) fn signature_for(path: &Path, checked: &Checked, key: Option<&Path>) -> anyhow::Result<Option<String>> {
    if let Some(key) = key {
        return Ok(Some(STANDARD.encode(serde_json::to_vec(&sign_checked(checked, key)?)?)));
    }
    let beside = signature_path(path);
    if !path.is_file() || !beside.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&beside).with_context(|| format!("cannot read `{}`", beside.display()))?;
    Ok(Some(STANDARD.encode(text)))
}

/// `alidade state`
#[derive(Debug, Args)]
pub(super) struct StateArgs {
    /// The record, namespace.name
    identifier: String,
    /// The version
    #[arg(id = "of", value_name = "VERSION")]
    version: String,
    /// Where it shall go: draft, submitted, published, deprecated, withdrawn
    state: String,
    /// Why; needed to return a submission and to withdraw
    #[arg(long)]
    reason: Option<String>,
    /// The address of the record to use instead, for deprecated
    #[arg(long)]
    replaced_by: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl StateArgs {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let change = StateChange {
            state: self.state.clone(),
            reason: self.reason.clone(),
            replaced_by: self.replaced_by.clone(),
        };
        let client = self.remote.client()?;
        block_on(async {
            match client.change_state(&self.identifier, &self.version, &change).await {
                Ok(changed) => {
                    say(format_args!("{} {} is {}", self.identifier, self.version, changed.state));
                    Ok(ExitCode::SUCCESS)
                }
                Err(ClientError::Problem(problem)) if !problem.findings.is_empty() => {
                    print_report(Path::new(&self.identifier), &Report::new(problem.findings));
                    Ok(ExitCode::FAILURE)
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}
