//! A datazone that is a Docker engine.
//!
//! Containers are found by name and label, so nothing is remembered here that a restart could lose.

mod container;
mod errors;
mod files;
mod gpus;
mod image;
mod mounts;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, NetworkCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptions, EventsOptions, ListContainersOptions, ListNetworksOptions, LogsOptions,
    RemoveContainerOptions, StopContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use catalog_schemas::datazone::{Capability, Capacity, FreeGpu};
use catalog_schemas::id::LaunchId;
use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, Range, Resources};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::backend::{
    Backend, BackendError, Endpoint, FailureCode, Listed, LogLine, LogQuery, LogStream, Observed, Prepared, Progress,
    Stage, Started,
};
use crate::config::{BackendKind, Network, Reach, ZoneConfig};
use crate::error::Error;
use crate::labels;
use crate::spec::LaunchSpec;
use container::Surroundings;
use errors::{failure, is_absent, is_conflict};

/// The engine of a machine that says nothing else.
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";

/// An answer of the engine that takes longer counts as none.
const ENGINE_TIMEOUT_SECONDS: u64 = 60;

/// How long a lab may take to end by itself when asked to.
const GRACE_SECONDS: i32 = 10;

/// What is kept of a log when its container is removed; the engine keeps no more either.
const KEPT_LOG_BYTES: usize = 5 << 20;

/// A Docker engine.
#[derive(Debug)]
pub struct DockerBackend {
    config: ZoneConfig,
    endpoint: String,
    client: Mutex<Option<Docker>>,
    /// Held from choosing devices to creating the container that has them, so that no device is given twice.
    devices: Mutex<()>,
    /// Held while the labs' network is looked for and made.
    network: Mutex<()>,
    /// What the machine is, which an engine takes its time to say and which does not change while it runs.
    known: Mutex<Option<(Instant, Capability)>>,
}

impl DockerBackend {
    /// Makes a zone from its configuration; the engine need not answer yet.
    ///
    /// # Errors
    ///
    /// When the endpoint is not a `unix://`, `tcp://` or `http://` address.
    pub fn new(config: &ZoneConfig) -> Result<Self, Error> {
        let endpoint = config.endpoint.clone().unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        if !["unix://", "tcp://", "http://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            let cause = "write unix://, tcp:// or http://".to_owned();
            return Err(Error::Endpoint { zone: config.id.to_string(), endpoint, cause });
        }
        Ok(Self::unconnected(config.clone(), endpoint))
    }

    /// Makes the same zone with a connection of its own, for what outlives a borrow.
    fn fresh(&self) -> Self {
        Self::unconnected(self.config.clone(), self.endpoint.clone())
    }

    fn unconnected(config: ZoneConfig, endpoint: String) -> Self {
        Self {
            config,
            endpoint,
            client: Mutex::default(),
            devices: Mutex::default(),
            network: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Returns a client that speaks the engine's version of the protocol.
    async fn client(&self, stage: Stage) -> Result<Docker, BackendError> {
        let mut client = self.client.lock().await;
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        let connected = if self.endpoint.starts_with("unix://") {
            Docker::connect_with_unix(&self.endpoint, ENGINE_TIMEOUT_SECONDS, API_DEFAULT_VERSION)
        } else {
            Docker::connect_with_http(&self.endpoint, ENGINE_TIMEOUT_SECONDS, API_DEFAULT_VERSION)
        };
        let connected = connected.map_err(|error| failure(stage, &error))?;
        let negotiated = connected.negotiate_version().await.map_err(|error| failure(stage, &error))?;
        *client = Some(negotiated.clone());
        Ok(negotiated)
    }

    /// Turns the engine's error into ours; an engine that is gone is connected to anew, as it may come back changed.
    async fn failed(&self, stage: Stage, error: &bollard::errors::Error) -> BackendError {
        let error = failure(stage, error);
        if error.is_transient() {
            self.client.lock().await.take();
        }
        error
    }

    async fn inspect(&self, stage: Stage, launch: &LaunchId) -> Result<Option<ContainerInspectResponse>, BackendError> {
        let client = self.client(stage).await?;
        match client.inspect_container(launch.as_str(), None).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed(stage, &error).await),
        }
    }

    /// Lists the containers of this server; with `everyone` those of all servers on the engine.
    async fn containers(&self, stage: Stage, everyone: bool) -> Result<Vec<ContainerSummary>, BackendError> {
        let client = self.client(stage).await?;
        let mut wanted = vec![labels::LAUNCH.to_owned()];
        if !everyone {
            wanted.push(format!("{}={}", labels::INSTANCE, self.config.instance_label()));
        }
        let filters = HashMap::from([("label".to_owned(), wanted)]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        match client.list_containers(Some(options)).await {
            Ok(listed) => Ok(listed),
            Err(error) => Err(self.failed(stage, &error).await),
        }
    }

    async fn ask_capability(&self) -> Result<Capability, BackendError> {
        const KEPT: Duration = Duration::from_secs(60);
        let mut known = self.known.lock().await;
        if let Some((_, capability)) = known.as_ref().filter(|(at, _)| at.elapsed() < KEPT) {
            return Ok(capability.clone());
        }
        let capability = self.find_capability().await?;
        *known = Some((Instant::now(), capability.clone()));
        Ok(capability)
    }

    async fn find_capability(&self) -> Result<Capability, BackendError> {
        let client = self.client(Stage::Inquire).await?;
        let info = match client.info().await {
            Ok(info) => info,
            Err(error) => return Err(self.failed(Stage::Inquire, &error).await),
        };
        let cores = u32::try_from(info.ncpu.unwrap_or_default()).unwrap_or_default();
        let has_cpu = MilliCpu::cores(cores);
        let has_memory = u64::try_from(info.mem_total.unwrap_or_default()).unwrap_or_default() >> 20;
        let architecture = match info.architecture.as_deref() {
            Some("x86_64" | "amd64") => "amd64".to_owned(),
            Some("aarch64" | "arm64") => "arm64".to_owned(),
            other => other.unwrap_or("unknown").to_owned(),
        };
        Ok(Capability {
            // What the configuration promises beyond the machine would only be refused at the start.
            cpu: self.config.cpu.map_or(has_cpu, |cpu| cpu.min(has_cpu)),
            memory_mib: self.config.memory_mib.map_or(has_memory, |memory| memory.min(has_memory)),
            gpus: self.config.gpus(),
            architectures: vec![architecture],
            interfaces: self.config.served_interfaces(),
            volumes: self.config.mountable(),
        })
    }

    async fn ask_capacity(&self) -> Result<Capacity, BackendError> {
        let capability = self.ask_capability().await?;
        let holding: Vec<ContainerSummary> =
            self.containers(Stage::Inquire, true).await?.into_iter().filter(gpus::holds_resources).collect();
        let used = |label: &str| -> u64 {
            let amount = |container: &ContainerSummary| container.labels.as_ref()?.get(label)?.parse::<u64>().ok();
            holding.iter().filter_map(amount).fold(0, u64::saturating_add)
        };
        let used_cpu = u32::try_from(used(labels::CPU)).unwrap_or(u32::MAX);
        let used_devices = gpus::in_use(&holding);
        let free_gpus = gpus::devices_by_model(&self.config.gpu).into_iter().map(|(model, devices)| {
            let free = devices.iter().filter(|device| !used_devices.contains(*device)).count();
            FreeGpu { model, count: u32::try_from(free).unwrap_or(u32::MAX) }
        });
        Ok(Capacity {
            free_cpu: MilliCpu(capability.cpu.0.saturating_sub(used_cpu)),
            free_memory_mib: capability.memory_mib.saturating_sub(used(labels::MEMORY)),
            free_gpus: free_gpus.collect(),
            sessions: u32::try_from(holding.len()).unwrap_or(u32::MAX),
            observed_at: Timestamp::now().to_string(),
        })
    }

    async fn do_prepare(
        &self,
        spec: &LaunchSpec,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Prepared, BackendError> {
        spec.check()?;
        let client = self.client(Stage::Prepare).await?;
        let image = image::named(spec, Stage::Prepare)?;
        crate::spec::check_registry(image, &self.config.registries)?;
        // What fails for the cheap reason is said before gigabytes are pulled.
        mounts::resolve(spec, &self.config, Stage::Prepare).await?;
        let found = match image::find(&client, image, Stage::Prepare).await? {
            Some(found) => found,
            None => {
                image::pull(&client, image, progress).await?;
                let found = image::find(&client, image, Stage::Prepare).await?;
                found.ok_or_else(|| {
                    let cause = format!("`{}` was pulled and is not there", image.name());
                    BackendError::new(Stage::Prepare, FailureCode::ImagePullFailed, cause)
                })?
            }
        };
        progress(Progress::Mount);
        Ok(Prepared { digest: found.digest, byte_size: found.byte_size })
    }

    async fn do_start(&self, spec: &LaunchSpec) -> Result<Started, BackendError> {
        spec.check()?;
        let client = self.client(Stage::Start).await?;
        let found = self.inspect(Stage::Start, &spec.launch).await?;
        let state = |found: &ContainerInspectResponse| found.state.as_ref().and_then(|state| state.status);
        let is_started = found.as_ref().is_some_and(|it| state(it) != Some(ContainerStateStatusEnum::CREATED));
        // Held until the engine has mounted them.
        let sources = if is_started { Vec::new() } else { mounts::resolve(spec, &self.config, Stage::Start).await? };
        let found = match found {
            Some(found) => found,
            None => self.create(&client, spec, &sources).await?,
        };
        self.check_is_ours(&found, spec)?;
        if state(&found) == Some(ContainerStateStatusEnum::CREATED)
            && let Err(error) = client.start_container(spec.launch.as_str(), None).await
        {
            let refused = self.failed(Stage::Start, &error).await;
            if errors::is_left_over(&refused.cause) {
                // The engine died between handing the container to its runtime and noting it. A new one has a new id.
                self.do_remove(&spec.launch).await?;
                let cause = "the engine was interrupted while it started the lab";
                return Err(BackendError::new(Stage::Start, FailureCode::EngineUnreachable, cause));
            }
            if !refused.is_transient() {
                // What the engine refuses to start would only stand in the way of the next attempt.
                self.do_remove(&spec.launch).await?;
            }
            return Err(refused);
        }
        let started = self.inspect(Stage::Start, &spec.launch).await?.unwrap_or(found);
        let process = started.state.as_ref().and_then(|state| state.pid).filter(|pid| *pid > 0);
        if let Some(other) = process.and_then(|pid| sources.iter().find(|source| !source.is_what_was_mounted(pid))) {
            self.do_remove(&spec.launch).await?;
            let cause = format!("what is to be mounted at `{}` was exchanged while the lab was started", other.target);
            return Err(BackendError::new(Stage::Start, FailureCode::MountForbidden, cause));
        }
        Ok(Started { granted: self.granted(&started) })
    }

    async fn create(
        &self,
        client: &Docker,
        spec: &LaunchSpec,
        sources: &[mounts::Source],
    ) -> Result<ContainerInspectResponse, BackendError> {
        let image = image::named(spec, Stage::Start)?;
        let found = image::find(client, image, Stage::Start).await?.ok_or_else(|| {
            let cause = format!("`{}` is not at the datazone any more", image.name());
            BackendError::new(Stage::Start, FailureCode::ImageNotFound, cause)
        })?;
        self.ensure_network(client).await?;
        files::ensure(client, spec, &found.id, self.config.instance_label()).await?;
        let _one_at_a_time = self.devices.lock().await;
        let devices = match &spec.gpus {
            None => Vec::new(),
            Some(wanted) => {
                let containers = self.containers(Stage::Start, true).await?;
                let holding: Vec<_> = containers.into_iter().filter(gpus::holds_resources).collect();
                gpus::choose(wanted, &self.config.gpu, &gpus::in_use(&holding))?
            }
        };
        let surroundings = Surroundings { config: &self.config, image: &found, mounts: sources, devices: &devices };
        let body = container::body(spec, &surroundings);
        let options = CreateContainerOptions { name: Some(spec.launch.to_string()), ..Default::default() };
        let made = match client.create_container(Some(options), body).await {
            Ok(_) => true,
            // Another server or an earlier attempt was faster; whose it is is looked at by the caller.
            Err(error) if is_conflict(&error) => false,
            Err(error) => return Err(self.failed(Stage::Start, &error).await),
        };
        self.inspect(Stage::Start, &spec.launch).await?.ok_or_else(|| {
            if made {
                return BackendError::new(Stage::Start, FailureCode::ContainerLost, "it was created and is not there");
            }
            // An engine reserves the name before there is a container of it; asked again, it has made it.
            let cause = "the engine is still making the container";
            BackendError::new(Stage::Start, FailureCode::EngineUnreachable, cause)
        })
    }

    fn check_is_ours(&self, found: &ContainerInspectResponse, spec: &LaunchSpec) -> Result<(), BackendError> {
        let label = |name: &str| found.config.as_ref()?.labels.as_ref()?.get(name).map(String::as_str);
        if label(labels::LAUNCH) == Some(spec.launch.as_str())
            && label(labels::INSTANCE) == Some(self.config.instance_label())
        {
            return Ok(());
        }
        let cause = format!("a container that is not ours is named `{}`", spec.launch);
        Err(BackendError::new(Stage::Start, FailureCode::NameTaken, cause))
    }

    /// Reads back what the engine says that it granted.
    fn granted(&self, found: &ContainerInspectResponse) -> Resources {
        let host = found.host_config.as_ref();
        let nanos = host.and_then(|host| host.nano_cpus).unwrap_or_default();
        let cpu = MilliCpu(u32::try_from(nanos / 1_000_000).unwrap_or_default());
        let bytes = host.and_then(|host| host.memory).unwrap_or_default();
        let memory = u64::try_from(bytes).unwrap_or_default() >> 20;
        let requests = host.and_then(|host| host.device_requests.as_deref()).unwrap_or_default();
        let devices: Vec<&String> =
            requests.iter().filter_map(|request| request.device_ids.as_ref()).flatten().collect();
        let model = gpus::devices_by_model(&self.config.gpu)
            .into_iter()
            .find(|(_, known)| devices.iter().any(|device| known.contains(*device)));
        // A device that was asked for by its CDI name says its maker there, and not as the driver.
        let driver = requests.first().and_then(|request| request.driver.clone()).filter(|driver| driver != "cdi");
        let of_model =
            |model: &str| self.config.gpu.iter().find(|gpu| gpu.model == model).map(|gpu| gpu.vendor.clone());
        let vendor = driver.or_else(|| model.as_ref().and_then(|(model, _)| of_model(model)));
        let gpu = (!devices.is_empty()).then(|| GpuRequest {
            count: u32::try_from(devices.len()).unwrap_or_default(),
            model: model.map(|(model, _)| model),
            vendor,
            ..GpuRequest::default()
        });
        Resources {
            cpu: Some(CpuRange { min: cpu, max: Some(cpu) }),
            memory_mib: Some(Range { min: memory, max: Some(memory) }),
            gpu,
        }
    }

    /// Makes the labs' network when it does not exist: a bridge on which labs do not see one another.
    async fn ensure_network(&self, client: &Docker) -> Result<(), BackendError> {
        let Network::Bridge(name) = &self.config.container.network else { return Ok(()) };
        // An engine makes two networks of one name when asked twice at once, and then knows neither by it.
        let _one_at_a_time = self.network.lock().await;
        match client.inspect_network(name, None).await {
            Ok(_) => return Ok(()),
            Err(error) if is_absent(&error) => {}
            Err(error) if errors::is_ambiguous(&error) => return self.keep_one_network(client, name).await,
            Err(error) => return Err(self.failed(Stage::Start, &error).await),
        }
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            options: Some(HashMap::from([("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned())])),
            labels: Some(HashMap::from([(labels::NETWORK.to_owned(), "labs".to_owned())])),
            ..Default::default()
        };
        match client.create_network(request).await {
            // Another server on this engine may have made it in between.
            Ok(_) => self.keep_one_network(client, name).await,
            Err(error) if is_conflict(&error) => Ok(()),
            Err(error) => Err(self.failed(Stage::Start, &error).await),
        }
    }

    /// Removes all networks of a name but one: the first by id, so that whoever does this at the same time keeps the same,
    /// unless labs are on another.
    async fn keep_one_network(&self, client: &Docker, name: &str) -> Result<(), BackendError> {
        let filters = HashMap::from([("name".to_owned(), vec![format!("^{name}$")])]);
        let listed = match client.list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await {
            Ok(listed) => listed,
            Err(error) => return Err(self.failed(Stage::Start, &error).await),
        };
        let named = listed.into_iter().filter(|network| network.name.as_deref() == Some(name));
        let mut ids: Vec<String> = named.filter_map(|network| network.id).collect();
        ids.sort();
        let mut ids = ids.into_iter();
        let Some(mut kept) = ids.next() else { return Ok(()) };
        for other in ids {
            // One with labs on it cannot be removed, and is then the one to keep.
            if client.remove_network(&other).await.is_err_and(|error| !is_absent(&error)) {
                _ = client.remove_network(&kept).await;
                kept = other;
            }
        }
        Ok(())
    }

    async fn do_status(&self, launch: &LaunchId) -> Result<Observed, BackendError> {
        let Some(state) = self.inspect(Stage::Run, launch).await?.and_then(|found| found.state) else {
            return Ok(Observed::Absent);
        };
        use ContainerStateStatusEnum::{CREATED, DEAD, EXITED, REMOVING};
        Ok(match state.status {
            Some(CREATED) => Observed::Created,
            Some(EXITED | DEAD | REMOVING) => Observed::Exited {
                code: state.exit_code.unwrap_or_default(),
                out_of_memory: state.oom_killed.unwrap_or_default(),
                message: state.error.unwrap_or_default(),
            },
            _ => Observed::Running,
        })
    }

    async fn do_endpoint(&self, launch: &LaunchId) -> Result<Option<Endpoint>, BackendError> {
        let Some(found) = self.inspect(Stage::Ready, launch).await? else { return Ok(None) };
        let Some(settings) = found.network_settings else { return Ok(None) };
        let Some((port, published)) = settings.ports.into_iter().flatten().next() else { return Ok(None) };
        let address = match self.config.container.reach {
            Reach::Published => published.into_iter().flatten().find_map(|binding| {
                let port = binding.host_port?.parse().ok()?;
                Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
            }),
            Reach::Address => settings.networks.into_iter().flatten().find_map(|(_, network)| {
                let port = port.split('/').next()?.parse().ok()?;
                Some(SocketAddr::new(network.ip_address?.parse().ok()?, port))
            }),
        };
        Ok(address.map(Endpoint::Tcp))
    }

    async fn do_stop(&self, launch: &LaunchId) -> Result<(), BackendError> {
        let client = self.client(Stage::Stop).await?;
        let options = StopContainerOptions { t: Some(GRACE_SECONDS), ..Default::default() };
        match client.stop_container(launch.as_str(), Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(self.failed(Stage::Stop, &error).await),
        }
    }

    async fn do_remove(&self, launch: &LaunchId) -> Result<Vec<LogLine>, BackendError> {
        let client = self.client(Stage::Stop).await?;
        let mut lines: Vec<LogLine> =
            read_log(&client, launch, &LogQuery::default()).filter_map(async |line| line.ok()).collect().await;
        let mut bytes = 0;
        let kept = lines.iter().rev().take_while(|line| {
            bytes += line.text.len() + 1;
            bytes <= KEPT_LOG_BYTES
        });
        let dropped = lines.len() - kept.count();
        lines.drain(..dropped);
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        match client.remove_container(launch.as_str(), Some(options)).await {
            Ok(()) => {}
            Err(error) if is_absent(&error) || is_conflict(&error) => {}
            Err(error) => return Err(self.failed(Stage::Stop, &error).await),
        }
        match files::remove(&client, launch).await {
            Ok(()) => Ok(lines),
            Err(error) => Err(self.failed(Stage::Stop, &error).await),
        }
    }
}

impl Backend for DockerBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Docker
    }

    crate::backend::forwarded!();

    fn logs(&self, launch: &LaunchId, query: LogQuery) -> LogStream {
        // The stream outlives the borrow, so it connects for itself; a connection is cheap.
        let connection = self.fresh();
        let launch = launch.clone();
        stream::once(async move {
            let client = connection.client(Stage::Run).await?;
            Ok(read_log(&client, &launch, &query))
        })
        .try_flatten()
        .boxed()
    }

    fn changes(&self) -> BoxStream<'static, LaunchId> {
        let connection = self.fresh();
        let own = format!("{}={}", labels::INSTANCE, self.config.instance_label());
        stream::once(async move { connection.client(Stage::Inquire).await })
            .filter_map(async |client| client.ok())
            .flat_map(move |client| {
                let filters = HashMap::from([
                    ("type".to_owned(), vec!["container".to_owned()]),
                    ("label".to_owned(), vec![own.clone()]),
                    ("event".to_owned(), ["die", "oom", "destroy"].map(str::to_owned).to_vec()),
                ]);
                client.events(Some(EventsOptions { filters: Some(filters), ..Default::default() }))
            })
            // An engine that is gone ends the stream, and is listened to anew.
            .take_while(|event| std::future::ready(event.is_ok()))
            .filter_map(async |event| event.ok()?.actor?.attributes?.get(labels::LAUNCH)?.parse().ok())
            .boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>> {
        mounts::verify(&self.config).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, BackendError>> {
        async {
            let containers = self.containers(Stage::Inquire, false).await?;
            let listed = containers.iter().filter_map(|container| {
                let launch = container.labels.as_ref()?.get(labels::LAUNCH)?.parse().ok()?;
                Some(Listed { launch, running: gpus::holds_resources(container) })
            });
            let listed: Vec<Listed> = listed.collect();
            let known = listed.iter().map(|listed| listed.launch.clone()).collect();
            files::sweep(&self.client(Stage::Inquire).await?, self.config.instance_label(), &known).await;
            Ok(listed)
        }
        .boxed()
    }
}

/// Reads a log; a container that is not there has an empty one.
fn read_log(client: &Docker, launch: &LaunchId, query: &LogQuery) -> LogStream {
    let options = LogsOptions {
        follow: query.follow,
        stdout: true,
        stderr: true,
        // The engine counts in whole seconds, so lines of the same second come again and are dropped below.
        since: query.since.map_or(0, |since| i32::try_from(since.as_second()).unwrap_or(i32::MAX)),
        timestamps: true,
        tail: query.tail.map_or_else(|| "all".to_owned(), |tail| tail.to_string()),
        ..Default::default()
    };
    let since = query.since;
    client
        .logs(launch.as_str(), Some(options))
        .take_while(|chunk| std::future::ready(!chunk.as_ref().is_err_and(is_absent)))
        .map(move |chunk| match chunk {
            Ok(chunk) => stream::iter(lines_of(&chunk).into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(failure(Stage::Run, &error))]),
        })
        .flatten()
        .filter(move |line| {
            let at = |line: &LogLine| line.at.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
            let early =
                line.as_ref().is_ok_and(|line| since.is_some_and(|since| at(line).is_some_and(|at| at < since)));
            std::future::ready(!early)
        })
        .boxed()
}

/// Takes a chunk of a log apart; each line begins with its time.
fn lines_of(chunk: &LogOutput) -> Vec<LogLine> {
    let text = String::from_utf8_lossy(chunk.as_ref());
    text.lines().map(LogLine::timed).collect()
}
