//! Commands that speak to a server through its API.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use catalog_client::{ClientError, PublishOptions};
use catalog_ontology::manifest::Writer;
use catalog_schemas::account::{NewToken, Role, Scope};
use catalog_schemas::problem::Report;
use catalog_schemas::search::{SearchQuery, Sort};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::govern::signature_for;
use super::package::{archive_of, print_report};
use super::{Remote, block_on, say};

/// `alidade publish`
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// A package (.tar.gz or .zip), or a folder to make one from
    path: PathBuf,
    /// Take responsibility for a warning that blocks, by its code, such as secret.suspected; again for more
    #[arg(long, value_name = "CODE")]
    acknowledge: Vec<String>,
    /// Sign it with the private key in this file; without, a signature that lies beside the package is sent
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

impl Publish {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let bytes = archive_of(&self.path)?;
        // The same validator as the server's, here first: faults show before a byte is sent.
        let checked = crate::intake::check(&bytes, Writer::Developer);
        let (Some(identifier), Some(version), true) =
            (&checked.report.identifier, &checked.report.version, checked.report.valid)
        else {
            print_report(&self.path, &checked.report);
            return Ok(ExitCode::FAILURE);
        };
        let signature = signature_for(&self.path, &checked, self.sign.as_deref())?;
        let options = PublishOptions { acknowledge: self.acknowledge.clone(), signature };
        let client = self.remote.client()?;
        let bar = ProgressBar::new(bytes.len() as u64).with_style(
            ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}")
                .context("the bar's template is valid")?,
        );
        bar.set_message(format!("{identifier} {version}"));
        let sent = bar.clone();
        block_on(async {
            let published =
                client.publish_with(identifier, version, bytes.into(), &options, move |at| sent.set_position(at)).await;
            bar.finish_and_clear();
            match published {
                Ok(published) => {
                    let what = match (published.created, published.state.as_str()) {
                        (true, "draft") => "stored as a draft, which `alidade state` submits for review",
                        (true, _) => "published",
                        (false, "draft") => "already a draft, unchanged",
                        (false, _) => "already published, unchanged",
                    };
                    say(format_args!("{what}: {} (sha256 {})", published.iri, published.digest));
                    print_report(&self.path, &Report::new(published.findings));
                    wait_until_found(&client, published.seq).await?;
                    Ok(ExitCode::SUCCESS)
                }
                Err(ClientError::Problem(problem)) if !problem.findings.is_empty() => {
                    let waits = problem.code() == "acknowledge_required";
                    let codes: Vec<String> = problem.findings.iter().map(|finding| finding.code.clone()).collect();
                    print_report(&self.path, &Report::new(problem.findings));
                    if waits {
                        let code = codes.first().map(String::as_str).unwrap_or_default();
                        say(format_args!("nothing was published: mend it, or publish with --acknowledge {code}"));
                    }
                    Ok(ExitCode::FAILURE)
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Waits until a search would find what was published, and says so when it takes long.
async fn wait_until_found(client: &catalog_client::Client, seq: u64) -> anyhow::Result<()> {
    let query = SearchQuery { size: 0, ..SearchQuery::default() };
    for _ in 0..50 {
        if client.search(&query).await?.applied_seq >= seq {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    say("it is stored; the search will find it when the index has caught up");
    Ok(())
}

/// `alidade search`
#[derive(Debug, Args)]
pub(super) struct Search {
    /// What to look for; nothing lists everything
    words: Vec<String>,
    /// A facet's value, as mission=gaia; again for more
    #[arg(short, long = "facet", value_name = "NAME=VALUE")]
    facets: Vec<String>,
    /// How many hits
    #[arg(short = 'n', long, default_value_t = 20)]
    size: usize,
    /// Print the whole answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Search {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut pairs = vec![("q".to_owned(), self.words.join(" ")), ("size".to_owned(), self.size.to_string())];
        for facet in &self.facets {
            let (name, value) = facet.split_once('=').with_context(|| format!("`{facet}` is not NAME=VALUE"))?;
            pairs.push((name.to_owned(), value.to_owned()));
        }
        let query = SearchQuery { sort: Sort::Relevance, ..SearchQuery::from_pairs(pairs)? };
        let answer = block_on(async { Ok(self.remote.client()?.search(&query).await?) })?;
        if self.json {
            say(serde_json::to_string_pretty(&answer)?);
            return Ok(ExitCode::SUCCESS);
        }
        say(format_args!("{} found", answer.total));
        for hit in &answer.hits {
            let short = hit.alternate_name.as_deref().unwrap_or(&hit.identifier);
            let version = hit.version.as_deref().unwrap_or("");
            say(format_args!("{short:<24} {:<10} {version:<10} {}", hit.kind, hit.name));
        }
        if let Some(better) = &answer.did_you_mean {
            say(format_args!("did you mean: {better}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `alidade token`
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token; its secret is shown once
    Create {
        /// What it is for
        name: String,
        /// What it may do: read, publish, launch, moderate, admin
        #[arg(long = "scope", value_delimiter = ',', default_value = "read")]
        scopes: Vec<String>,
        /// Only this namespace, for publishing
        #[arg(long)]
        namespace: Option<String>,
        /// Days until it expires
        #[arg(long)]
        days: Option<u32>,
        /// The account it is for; administrators only
        #[arg(long)]
        account: Option<String>,
        /// The role of an account that does not exist yet: user, developer, moderator, administrator
        #[arg(long)]
        role: Option<String>,
    },
    /// List tokens
    List,
    /// Revoke a token
    Revoke {
        /// Its id
        id: String,
    },
}

impl TokenArgs {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let client = self.remote.client()?;
        block_on(async {
            match &self.command {
                TokenCommand::Create { name, scopes, namespace, days, account, role } => {
                    let scopes = scopes
                        .iter()
                        .map(|word| Scope::from_word(word).with_context(|| format!("`{word}` is not a scope")))
                        .collect::<anyhow::Result<_>>()?;
                    let role = role
                        .as_ref()
                        .map(|word| Role::from_word(word).with_context(|| format!("`{word}` is not a role")))
                        .transpose()?;
                    let token = NewToken {
                        name: name.clone(),
                        scopes,
                        namespace: namespace.clone(),
                        days: *days,
                        account: account.clone(),
                        role,
                    };
                    let token = client.token_create(&token).await?;
                    say(token.secret.context("the server gave no secret")?);
                }
                TokenCommand::List => {
                    for token in client.tokens().await?.tokens {
                        let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                        let expires = token.expires.as_deref().unwrap_or("never expires");
                        say(format_args!(
                            "{:<28} {:<20} {:<12} {} {expires}",
                            token.id,
                            token.name,
                            token.account,
                            scopes.join(",")
                        ));
                    }
                }
                TokenCommand::Revoke { id } => client.token_revoke(id).await?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
