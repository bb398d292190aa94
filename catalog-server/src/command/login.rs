//! `alidade login` and `alidade logout`: a token for this machine, allowed by its owner in the portal.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use catalog_client::{Client, ClientError, DevicePoll};
use clap::Args;

use super::{Remote, block_on, say};

/// Where tokens are kept: one for each server.
#[derive(Debug)]
pub(super) struct Credentials(PathBuf);

impl Credentials {
    /// Finds the file of this user; there is none without a home.
    pub(super) fn find() -> Option<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
        Some(Self(folder.join("alidade").join("credentials.json")))
    }

    fn read(&self) -> anyhow::Result<BTreeMap<String, String>> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("`{}` does not hold credentials; remove it", self.0.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", self.0.display())),
        }
    }

    /// Returns the token for a server.
    pub(super) fn token(&self, server: &str) -> anyhow::Result<Option<String>> {
        Ok(self.read()?.remove(key(server)))
    }

    /// Keeps a token for a server, or forgets it; the file is only its owner's, from its first byte on.
    fn set(&self, server: &str, token: Option<&str>) -> anyhow::Result<Option<String>> {
        let mut all = self.read()?;
        let before = match token {
            Some(token) => all.insert(key(server).to_owned(), token.to_owned()),
            None => all.remove(key(server)),
        };
        let folder = self.0.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let new = self.0.with_extension(format!("{}.new", std::process::id()));
        let write = || {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(&all)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &self.0)
        };
        write().with_context(|| format!("cannot write `{}`", self.0.display()))?;
        Ok(before)
    }
}

/// Servers are known by their address, however its end is written.
fn key(server: &str) -> &str {
    server.trim_end_matches('/')
}

/// `alidade login`
#[derive(Debug, Args)]
pub(super) struct Login {
    /// What the token may do: read, publish, launch, moderate, admin
    #[arg(long = "scope", value_delimiter = ',', default_values = ["read", "publish", "launch"])]
    scopes: Vec<String>,
    /// The server
    #[arg(long, env = "ALIDADE_SERVER", default_value = super::DEFAULT_SERVER)]
    server: String,
}

impl Login {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let credentials =
            Credentials::find().context("there is no home to keep a token in: set HOME, or use ALIDADE_TOKEN")?;
        let client = Client::http(&self.server)?;
        let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let name = match machine.trim() {
            "" => "alidade command line".to_owned(),
            machine => format!("alidade on {machine}"),
        };
        block_on(async {
            let asked = client.device_begin(&name, &self.scopes.join(" ")).await?;
            say(format_args!("Open {} and allow the code {}", asked.verification_uri, asked.user_code));
            say(format_args!("or open {}", asked.verification_uri_complete));
            let until = Instant::now() + Duration::from_secs(asked.expires_in.into());
            let mut pause = Duration::from_secs(asked.interval.clamp(1, 60).into());
            while Instant::now() < until {
                tokio::time::sleep(pause).await;
                match client.device_token(&asked.device_code).await {
                    Ok(DevicePoll::Token(token)) => {
                        credentials.set(&self.server, Some(&token.access_token))?;
                        say(format_args!(
                            "signed in at {}; the token ({}) is kept in {}",
                            self.server,
                            token.scope,
                            credentials.0.display()
                        ));
                        return Ok(ExitCode::SUCCESS);
                    }
                    Ok(DevicePoll::Refused(word)) => match word.as_str() {
                        "authorization_pending" => {}
                        "slow_down" => pause += Duration::from_secs(5),
                        "access_denied" => bail!("it was not allowed"),
                        "expired_token" => bail!("nobody allowed it in time; begin again"),
                        other => bail!("the server refuses: {other}"),
                    },
                    // The connection may come back; a refusal stays one.
                    Err(ClientError::Transport(error)) => {
                        tracing::debug!(error, "the server did not answer; asking again")
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            bail!("nobody allowed it in time; begin again")
        })
    }
}

/// `alidade logout`
pub(super) fn logout(remote: &Remote) -> anyhow::Result<ExitCode> {
    let credentials = Credentials::find().context("there is no home that could hold a token")?;
    let Some(token) = credentials.token(&remote.server)? else {
        say(format_args!("there is no token for {}", remote.server));
        return Ok(ExitCode::SUCCESS);
    };
    // Forgotten here even when the server cannot be told; told first, so that it is void everywhere.
    let revoked =
        block_on(async { Ok(Client::http(&remote.server)?.with_token(&token)?.token_revoke("current").await) })?;
    credentials.set(&remote.server, None)?;
    match revoked {
        Ok(()) => say("signed out: the token is revoked and forgotten"),
        Err(ClientError::Problem(problem)) if problem.status == 401 => say("signed out: the token was void already"),
        Err(error) => {
            say(format_args!("the token is forgotten here, but not revoked: {error}; revoke it on your account page"));
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn tokens_are_kept_by_server_and_only_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials(folder.path().join("alidade").join("credentials.json"));
        assert_eq!(credentials.token("http://a").unwrap(), None);
        credentials.set("http://a/", Some("one")).unwrap();
        credentials.set("http://b", Some("two")).unwrap();
        assert_eq!(credentials.token("http://a").unwrap().as_deref(), Some("one"));
        assert_eq!(std::fs::metadata(&credentials.0).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(credentials.set("http://a", None).unwrap().as_deref(), Some("one"));
        assert_eq!(credentials.token("http://a").unwrap(), None);
        assert_eq!(credentials.token("http://b/").unwrap().as_deref(), Some("two"));
        std::fs::write(&credentials.0, "nonsense").unwrap();
        assert!(credentials.token("http://a").unwrap_err().to_string().contains("credentials.json"));
    }
}
