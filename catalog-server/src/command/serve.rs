//! `alidade serve`

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use catalog_graph::Store;
use catalog_index::Generations;
use catalog_launch::{BackendKind, ZoneConfig};
use catalog_records::Ledger;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::{Local, block_on, say};
use crate::app::{App, Parts};
use crate::config::Config;
use crate::launcher::Launcher;
use crate::oidc::Provider;
use crate::view::Projection;
use crate::view::volumes::VolumeShelf;
use crate::{harvest, http, projector, sample, staff};

/// Where a Docker engine listens unless told otherwise.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// How long requests that are under way may take after the server was asked to stop (FAULTS R31).
const DRAIN: Duration = Duration::from_secs(30);

pub(super) fn serve(local: &Local) -> anyhow::Result<ExitCode> {
    let mut config = local.load()?;
    let filter = EnvFilter::try_from_env("ALIDADE_LOG").unwrap_or_else(|_| EnvFilter::new("info,tantivy=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    add_local_engine(&mut config);
    block_on(run(config))?;
    Ok(ExitCode::SUCCESS)
}

/// Adds a datazone for the engine of this machine when only demonstrations are configured and one answers.
fn add_local_engine(config: &mut Config) {
    let only_demos = config.datazone.iter().all(ZoneConfig::is_demo);
    let answers = std::os::unix::net::UnixStream::connect(DOCKER_SOCKET).is_ok();
    if let (true, true, Ok(id)) = (only_demos, answers, "local".parse()) {
        let mut zone = ZoneConfig::new(id, "This machine", BackendKind::Docker);
        zone.endpoint = Some(format!("unix://{DOCKER_SOCKET}"));
        config.datazone.push(zone);
    }
}

/// Gives the labs of this data folder a name of their own, so that two servers on one engine leave each other's alone.
fn name_instance(config: &mut Config) -> anyhow::Result<()> {
    let path = config.data_dir.join("instance");
    let name = match std::fs::read_to_string(&path) {
        Ok(name) => name,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = uuid::Uuid::new_v4().simple().to_string();
            std::fs::write(&path, &name).with_context(|| format!("cannot write `{}`", path.display()))?;
            name
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    for zone in config.datazone.iter_mut().filter(|zone| zone.instance.is_none()) {
        zone.instance = Some(format!("{name}-{}", zone.id));
    }
    Ok(())
}

async fn run(mut config: Config) -> anyhow::Result<()> {
    let _lock = lock(&config.data_dir)?;
    name_instance(&mut config)?;
    // The term table and the schemes take a moment to read; the first upload should not wait for them.
    tokio::task::spawn_blocking(|| crate::intake::check(b"{}", catalog_ontology::manifest::Writer::Developer));
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}; another server may be running there: set ALIDADE_LISTEN", config.listen)
    })?;
    let (app, first_token) = open(config).await?;
    if app.config.sample && app.ledger.last_seq() == 0 {
        let count = sample::publish(&app.catalog).await?;
        tracing::info!(count, "the sample catalogue is published");
    }
    harvest::learn_homes(&app).await.map_err(|failure| anyhow::anyhow!(failure.words()))?;
    app.queries.start();
    projector::start(&app);
    staff::start(&app);
    check_ledger(&app);
    app.launcher.start();
    harvest::start(&app).await.map_err(|failure| anyhow::anyhow!("the sources cannot be used: {}", failure.words()))?;
    // A first start indexes the sample in a moment; nobody should meet an empty search in it. A large index that has
    // to be built is not waited for: pages answer meanwhile.
    app.indexed.wait_until(app.ledger.last_seq()).await;
    say(format_args!("Alidade is at {}", app.base));
    if let Some(token) = first_token {
        say(format_args!("first administrator token (shown once, sign in with it at {}/login): {token}", app.base));
        let (name, by) = ("admin".parse()?, catalog_records::AccountName::application());
        let (ticket, _) = app.ledger.password_link(&name, &by, "first run").await?;
        say(format_args!("or choose a password for the account admin: {}/password?ticket={ticket}", app.base));
    }
    let service = http::router(Arc::clone(&app))?.into_make_service_with_connect_info::<SocketAddr>();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        asked_to_stop().await;
        tracing::info!("stopping: requests under way are finished");
        stop.send_replace(true);
    });
    let mut stopped = stopped;
    tokio::select! {
        served = server => served?,
        () = async { let _ = stopped.wait_for(|stopped| *stopped).await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some requests did not end in time");
        }
    }
    app.ledger.close().await;
    Ok(())
}

/// Checks a large ledger whole while it serves already; opening looked at its important tables.
fn check_ledger(app: &Arc<App>) {
    let ledger = app.ledger.clone();
    tokio::spawn(async move {
        if let Err(error) = ledger.check().await {
            tracing::error!(%error, "the ledger does not pass its check");
        }
    });
}

/// Opens the ledger and the projections; returns the first administrator's token when one was made.
async fn open(config: Config) -> anyhow::Result<(Arc<App>, Option<String>)> {
    let ledger = Ledger::open(&config.data_dir).await?;
    let first_token = administrator(&config, &ledger).await?;
    let index = Generations::open(config.data_dir.join("index")).context("cannot open the search index's folder")?;
    let projection = Arc::new(Projection::new(&config));
    let volumes = VolumeShelf::new(ledger.clone(), Arc::clone(&projection));
    let identity = super::identity(&config)?;
    let launcher = Launcher::open(&config, Some(&identity), ledger.clone(), volumes.clone())?;
    let graph =
        Store::open(&config.data_dir.join("graph"), &projection.stamp()).context("cannot open the RDF store")?;
    let base = config.base();
    let providers = config.oidc.iter().map(|(id, one)| Provider::new(id.as_str(), one, &base));
    let providers = providers.collect::<Result<_, _>>().context("an identity provider cannot be used")?;
    let parts = Parts { ledger, graph, index, projection, volumes, launcher, openapi: http::openapi()?, providers };
    Ok((Arc::new(App::new(config, parts)), first_token))
}

/// Makes sure that somebody can administer: with the token of the environment, or with a new one on the first run.
async fn administrator(config: &Config, ledger: &Ledger) -> anyhow::Result<Option<String>> {
    if let Some(token) = &config.admin_token {
        ledger.ensure_admin_token(token).await?;
        return Ok(None);
    }
    let name = "admin".parse()?;
    if ledger.account(&name).await?.is_some() {
        return Ok(None);
    }
    let asked = catalog_schemas::account::NewToken {
        name: "first administrator".to_owned(),
        scopes: vec![catalog_schemas::account::Scope::Admin],
        namespace: None,
        days: None,
        account: None,
        role: Some(catalog_schemas::account::Role::Administrator),
    };
    let token = ledger.token_create(&asked, &name, &catalog_records::AccountName::application(), "first run").await?;
    Ok(token.secret)
}

/// Holds the data folder: two servers on one would each think that they are the only writer.
pub(super) fn lock(folder: &Path) -> anyhow::Result<std::fs::File> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the data folder `{}`", folder.display()))?;
    let path = folder.join("alidade.lock");
    let file = std::fs::File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
    file.try_lock().with_context(|| {
        format!(
            "the data folder `{}` is used by another alidade; stop it first, or set ALIDADE_DATA_DIR",
            folder.display()
        )
    })?;
    Ok(file)
}

async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
}
