//! A datazone that is a Kubernetes cluster: a lab is a pod, and a service is its address.
//!
//! Both are found by name and label, so nothing is remembered here that a restart could lose.

mod amounts;
mod objects;
mod sight;
mod watch;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use catalog_schemas::datazone::{Capability, Capacity};
use catalog_schemas::id::LaunchId;
use catalog_schemas::plan::MilliCpu;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{AsyncBufReadExt as _, FutureExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Node, PersistentVolumeClaim, Pod, Service};
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};
use serde_json::json;
use tokio::sync::Mutex;

use crate::backend::{
    Backend, BackendError, Endpoint, FailureCode, Listed, LogLine, LogQuery, LogStream, Observed, Prepared, Progress,
    Stage, Started,
};
use crate::config::{BackendKind, ZoneConfig};
use crate::error::Error;
use crate::labels;
use crate::spec::LaunchSpec;

/// An answer of the cluster that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a pod that is still prepared is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is kept of a log when its pod is removed.
const KEPT_LOG_BYTES: i64 = 5 << 20;

/// A Kubernetes cluster.
#[derive(Clone)]
pub struct KubernetesBackend {
    config: ZoneConfig,
    client: std::sync::Arc<Mutex<Option<Client>>>,
}

impl std::fmt::Debug for KubernetesBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesBackend").field("zone", &self.config.id).finish_non_exhaustive()
    }
}

impl KubernetesBackend {
    /// Makes a zone from its configuration; the cluster need not answer yet.
    ///
    /// # Errors
    ///
    /// When the endpoint is not an `http://` or `https://` address.
    pub fn new(config: &ZoneConfig) -> Result<Self, Error> {
        if let Some(endpoint) =
            config.endpoint.as_ref().filter(|it| !it.starts_with("http://") && !it.starts_with("https://"))
        {
            let (zone, endpoint) = (config.id.to_string(), endpoint.clone());
            return Err(Error::Endpoint { zone, endpoint, cause: "write https:// or name a `context`".to_owned() });
        }
        Ok(Self { config: config.clone(), client: std::sync::Arc::default() })
    }

    async fn client(&self, stage: Stage) -> Result<Client, BackendError> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        let failed = |cause: String| BackendError::new(stage, FailureCode::EngineUnreachable, cause);
        let options = KubeConfigOptions { context: self.config.context.clone(), ..KubeConfigOptions::default() };
        let mut cluster = match (&self.config.endpoint, &self.config.context) {
            (Some(endpoint), None) => Config::new(endpoint.parse().map_err(|error| failed(format!("{error}")))?),
            (None, None) => Config::infer().await.map_err(|error| failed(error.to_string()))?,
            (_, Some(_)) => Config::from_kubeconfig(&options).await.map_err(|error| failed(error.to_string()))?,
        };
        cluster.connect_timeout = Some(Duration::from_secs(5));
        // Who asks again decides when; a client that does so by itself would hide that the cluster is away.
        cluster.default_retry = false;
        if let Some(namespace) = &self.config.namespace {
            cluster.default_namespace.clone_from(namespace);
        }
        let client = Client::try_from(cluster).map_err(|error| failed(error.to_string()))?;
        *kept = Some(client.clone());
        Ok(client)
    }

    async fn pods(&self, stage: Stage) -> Result<Api<Pod>, BackendError> {
        Ok(Api::default_namespaced(self.client(stage).await?))
    }

    async fn pod(&self, stage: Stage, launch: &LaunchId) -> Result<Option<Pod>, BackendError> {
        let pods = self.pods(stage).await?;
        within(stage, pods.get_opt(launch.as_str())).await
    }

    fn own(&self) -> String {
        format!("{},{}={}", labels::LAUNCH, labels::INSTANCE, self.config.instance_label())
    }

    /// Lists the nodes and all pods, where the operator allows this server to see them.
    async fn cluster(
        &self,
        pods: bool,
    ) -> Result<Option<(BTreeMap<String, amounts::Amounts>, Vec<Pod>)>, BackendError> {
        let client = self.client(Stage::Inquire).await?;
        let nodes: Api<Node> = Api::all(client.clone());
        let all = ListParams::default();
        let nodes = match asked(Stage::Inquire, nodes.list(&all)).await? {
            Ok(nodes) => amounts::nodes(&nodes.items, &self.config),
            Err(error) if is_forbidden(&error) => return Ok(None),
            Err(error) => return Err(failure(Stage::Inquire, &error)),
        };
        if !pods {
            return Ok(Some((nodes, Vec::new())));
        }
        let everywhere: Api<Pod> = Api::all(client);
        match asked(Stage::Inquire, everywhere.list(&all)).await? {
            Ok(pods) => Ok(Some((nodes, pods.items))),
            Err(error) if is_forbidden(&error) => Ok(None),
            Err(error) => Err(failure(Stage::Inquire, &error)),
        }
    }

    async fn ask_capability(&self) -> Result<Capability, BackendError> {
        let config = &self.config;
        let seen = self.cluster(false).await?;
        let (most, gpus, mut architectures) = match &seen {
            Some((nodes, _)) => {
                let architectures: Vec<String> = nodes.values().map(|node| node.architecture.clone()).collect();
                (Some(amounts::roomiest(nodes)), amounts::offered_gpus(nodes, config), architectures)
            }
            None => (None, config.gpus(), vec!["amd64".to_owned()]),
        };
        architectures.retain(|architecture| !architecture.is_empty());
        architectures.sort();
        architectures.dedup();
        let (has_cpu, has_memory) = most.map_or((u32::MAX, u64::MAX), |most| (most.cpu, most.memory_mib));
        let (Some(cpu), Some(memory_mib)) = (
            config.cpu.map(|cpu| cpu.0).or(seen.is_some().then_some(has_cpu)),
            config.memory_mib.or(seen.is_some().then_some(has_memory)),
        ) else {
            let cause = "this server may not list the cluster's nodes, and the datazone names no `cpu` and `memoryMiB`";
            return Err(BackendError::new(Stage::Inquire, FailureCode::EngineRefused, cause));
        };
        Ok(Capability {
            cpu: MilliCpu(cpu.min(has_cpu)),
            memory_mib: memory_mib.min(has_memory),
            gpus,
            architectures,
            interfaces: config.served_interfaces(),
            volumes: config.mountable(),
        })
    }

    async fn ask_capacity(&self) -> Result<Capacity, BackendError> {
        let capability = self.ask_capability().await?;
        let pods = self.pods(Stage::Inquire).await?;
        let own = within(Stage::Inquire, pods.list(&ListParams::default().labels(&self.own()))).await?.items;
        let held: Vec<amounts::Amounts> = own.iter().map(|pod| amounts::held(pod, &self.config)).collect();
        let sessions = held.iter().filter(|held| held.cpu > 0).count();
        let own_cpu = held.iter().fold(0u32, |sum, held| sum.saturating_add(held.cpu));
        let own_memory = held.iter().fold(0u64, |sum, held| sum.saturating_add(held.memory_mib));
        let (mut free_cpu, mut free_memory_mib, free_gpus) = match self.cluster(true).await? {
            Some((nodes, pods)) => {
                let free = amounts::free(nodes, &pods, &self.config);
                let roomiest = amounts::roomiest(&free);
                (roomiest.cpu, roomiest.memory_mib, amounts::gpus(&free, &self.config))
            }
            // Only this server's own labs can be seen; what others hold shows when the scheduler says no.
            None => {
                let used = |model: &str| {
                    let selects = |pod: &&Pod| {
                        let selector = pod.spec.as_ref().and_then(|spec| spec.node_selector.as_ref());
                        selector.is_some_and(|all| all.values().any(|value| value == model))
                    };
                    let gpus = own.iter().filter(selects).map(|pod| amounts::held(pod, &self.config).gpus);
                    gpus.fold(0u32, u32::saturating_add)
                };
                let free = |gpu: &catalog_schemas::datazone::Gpu| catalog_schemas::datazone::FreeGpu {
                    model: gpu.model.clone(),
                    count: gpu.count.saturating_sub(used(&gpu.model)),
                };
                (u32::MAX, u64::MAX, capability.gpus.iter().map(free).collect())
            }
        };
        // What the operator set aside for labs is shared by all of them.
        if let Some(cpu) = self.config.cpu {
            free_cpu = free_cpu.min(cpu.0.saturating_sub(own_cpu));
        }
        if let Some(memory) = self.config.memory_mib {
            free_memory_mib = free_memory_mib.min(memory.saturating_sub(own_memory));
        }
        Ok(Capacity {
            free_cpu: MilliCpu(free_cpu.min(capability.cpu.0)),
            free_memory_mib: free_memory_mib.min(capability.memory_mib),
            free_gpus,
            sessions: u32::try_from(sessions).unwrap_or(u32::MAX),
            observed_at: Timestamp::now().to_string(),
        })
    }

    /// Makes pod and service, or finds that they were made; whoever made the pod, it is made once.
    async fn ensure(&self, spec: &LaunchSpec, stage: Stage) -> Result<Pod, BackendError> {
        spec.check()?;
        let image = spec.image.as_ref();
        let image =
            image.ok_or_else(|| BackendError::new(stage, FailureCode::ImageNone, "the record names no image"))?;
        crate::spec::check_registry(image, &self.config.registries)?;
        let claims = objects::claims(spec, &self.config, stage)?;
        let found = match self.pod(stage, &spec.launch).await? {
            Some(found) => found,
            None => {
                if self.config.kubernetes.network_policy {
                    // First, so that no lab is ever without.
                    self.ensure_object(&objects::network_policy(&self.config), stage).await?;
                }
                let wanted = objects::pod(spec, &image.name(), &claims, &self.config);
                let pods = self.pods(stage).await?;
                match asked(stage, pods.create(&PostParams::default(), &wanted)).await? {
                    Ok(made) => made,
                    // Another server or an earlier attempt was faster; whose it is is looked at below.
                    Err(error) if is_conflict(&error) => self.pod(stage, &spec.launch).await?.ok_or_else(|| {
                        BackendError::new(stage, FailureCode::ContainerLost, "it was created and is not there")
                    })?,
                    Err(error) => return Err(failure(stage, &error)),
                }
            }
        };
        self.check_is_ours(&found, spec, stage)?;
        if let Some(files) = objects::files(spec, &self.config, &found) {
            self.ensure_object::<ConfigMap>(&files, stage).await?;
        }
        if let Some(service) = objects::service(spec, &self.config, &found) {
            self.ensure_object::<Service>(&service, stage).await?;
        }
        Ok(found)
    }

    /// Makes an object unless it is there.
    async fn ensure_object<K>(&self, wanted: &K, stage: Stage) -> Result<(), BackendError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let objects: Api<K> = Api::default_namespaced(self.client(stage).await?);
        let name = wanted.meta().name.clone().unwrap_or_default();
        if within(stage, objects.get_opt(&name)).await?.is_some() {
            return Ok(());
        }
        match asked(stage, objects.create(&PostParams::default(), wanted)).await? {
            Ok(_) => Ok(()),
            Err(error) if is_conflict(&error) => Ok(()),
            Err(error) => Err(failure(stage, &error)),
        }
    }

    /// Looks whether the claims of the volumes are there and bound; who may not see claims says nothing.
    async fn do_verify(&self) -> Vec<(String, Result<(), String>)> {
        let Ok(client) = self.client(Stage::Inquire).await else { return Vec::new() };
        let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(client);
        let mut verified = Vec::new();
        for volume in &self.config.volume {
            let Some(claim) = &volume.claim else { continue };
            let Ok(Ok(found)) = asked(Stage::Inquire, claims.get_opt(claim)).await else { return verified };
            let phase = found.as_ref().and_then(|claim| claim.status.as_ref()?.phase.as_deref());
            let outcome = match (&found, phase) {
                (None, _) => Err("its claim is not there".to_owned()),
                (Some(_), Some("Bound")) => Ok(()),
                (Some(_), phase) => Err(format!("its claim is {}", phase.unwrap_or("not bound").to_lowercase())),
            };
            verified.push((volume.volume.clone(), outcome));
        }
        verified
    }

    fn check_is_ours(&self, pod: &Pod, spec: &LaunchSpec, stage: Stage) -> Result<(), BackendError> {
        let label = |name: &str| pod.metadata.labels.as_ref()?.get(name).map(String::as_str);
        let is_ours = label(labels::LAUNCH) == Some(spec.launch.as_str())
            && label(labels::INSTANCE) == Some(self.config.instance_label());
        if is_ours {
            return Ok(());
        }
        let cause = format!("a pod named `{}` is there and is not this server's", spec.launch);
        Err(BackendError::new(stage, FailureCode::NameTaken, cause))
    }

    /// Makes the pod and waits until the cluster has its image and volumes: to a cluster that is one thing.
    async fn do_prepare(
        &self,
        spec: &LaunchSpec,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Prepared, BackendError> {
        let mut pod = self.ensure(spec, Stage::Prepare).await?;
        let mut said = String::new();
        loop {
            match self.look(&pod, Timestamp::now()).await? {
                Observed::Failed(error) => {
                    // What will never run would only stand in the way of the next attempt.
                    self.delete(&spec.launch, Stage::Prepare).await?;
                    return Err(error);
                }
                Observed::Pending => {}
                _ => return Ok(Prepared { digest: sight::digest(&pod), byte_size: None }),
            }
            let words = sight::waits_for(&pod);
            if words != said {
                progress(Progress::Said(words.clone()));
                said = words;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            pod = self.pod(Stage::Prepare, &spec.launch).await?.ok_or_else(|| {
                BackendError::new(Stage::Prepare, FailureCode::ContainerLost, "somebody removed its pod")
            })?;
        }
    }

    /// Says what a pod is, with what the cluster's events say of one that does not get on.
    async fn look(&self, pod: &Pod, now: Timestamp) -> Result<Observed, BackendError> {
        let seen = sight::observed(pod, &self.config, now);
        let Some(name) = pod.metadata.name.as_ref().filter(|_| seen == Observed::Pending) else { return Ok(seen) };
        let events: Api<Event> = Api::default_namespaced(self.client(Stage::Prepare).await?);
        let of_pod = ListParams::default().fields(&format!("involvedObject.name={name},type=Warning"));
        let events = match asked(Stage::Prepare, events.list(&of_pod)).await? {
            Ok(events) => events.items,
            // Events only tell more; a server that may not read them waits for the deadline.
            Err(error) if is_forbidden(&error) => Vec::new(),
            Err(error) => return Err(failure(Stage::Prepare, &error)),
        };
        Ok(sight::warned(&events).map_or(seen, Observed::Failed))
    }

    async fn do_start(&self, spec: &LaunchSpec) -> Result<Started, BackendError> {
        let pod = self.ensure(spec, Stage::Start).await?;
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let node = match node {
            Some(name) if spec.gpus.is_some() => {
                let nodes: Api<Node> = Api::all(self.client(Stage::Start).await?);
                match asked(Stage::Start, nodes.get_opt(&name)).await? {
                    Ok(node) => node,
                    Err(error) if is_forbidden(&error) => None,
                    Err(error) => return Err(failure(Stage::Start, &error)),
                }
            }
            _ => None,
        };
        Ok(Started { granted: sight::granted(&pod, node.as_ref(), &self.config) })
    }

    async fn do_status(&self, launch: &LaunchId) -> Result<Observed, BackendError> {
        match self.pod(Stage::Run, launch).await? {
            None => Ok(Observed::Absent),
            Some(pod) => Ok(sight::observed(&pod, &self.config, Timestamp::now())),
        }
    }

    async fn do_endpoint(&self, launch: &LaunchId) -> Result<Option<Endpoint>, BackendError> {
        let services: Api<Service> = Api::default_namespaced(self.client(Stage::Ready).await?);
        let Some(service) = within(Stage::Ready, services.get_opt(launch.as_str())).await? else { return Ok(None) };
        let Some(spec) = service.spec else { return Ok(None) };
        let port = spec.ports.unwrap_or_default().into_iter().find_map(|port| u16::try_from(port.port).ok());
        let address = spec.cluster_ip.and_then(|address| address.parse::<IpAddr>().ok());
        Ok(address.zip(port).map(|(address, port)| Endpoint::Tcp(SocketAddr::new(address, port))))
    }

    /// Stops a lab and keeps its pod, so that its log can be read: its time is over at once. A pod that never ran has no
    /// log, and is removed.
    async fn do_stop(&self, launch: &LaunchId) -> Result<(), BackendError> {
        match self.do_status(launch).await? {
            Observed::Running => {}
            Observed::Pending | Observed::Created => return self.delete(launch, Stage::Stop).await,
            _ => return Ok(()),
        }
        let over = Patch::Merge(json!({"spec": {"activeDeadlineSeconds": 1}}));
        let pods = self.pods(Stage::Stop).await?;
        match asked(Stage::Stop, pods.patch(launch.as_str(), &PatchParams::default(), &over)).await? {
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(failure(Stage::Stop, &error)),
        }
    }

    async fn delete(&self, launch: &LaunchId, stage: Stage) -> Result<(), BackendError> {
        let pods = self.pods(stage).await?;
        let services: Api<Service> = Api::default_namespaced(self.client(stage).await?);
        let gone = DeleteParams::default();
        // The service goes with its pod; one whose pod was never made would stay.
        for deleted in [
            asked(stage, pods.delete(launch.as_str(), &gone)).await?.map(drop),
            asked(stage, services.delete(launch.as_str(), &gone)).await?.map(drop),
        ] {
            match deleted {
                Ok(()) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(failure(stage, &error)),
            }
        }
        Ok(())
    }

    async fn do_remove(&self, launch: &LaunchId) -> Result<Vec<LogLine>, BackendError> {
        let Some(pod) = self.pod(Stage::Stop, launch).await? else { return Ok(Vec::new()) };
        let ran = !matches!(sight::observed(&pod, &self.config, Timestamp::now()), Observed::Pending);
        let lines = if ran {
            let params = LogParams { limit_bytes: Some(KEPT_LOG_BYTES), timestamps: true, ..log_params() };
            let pods = self.pods(Stage::Stop).await?;
            // A log that the node has lost must not keep its pod for ever.
            let text = asked(Stage::Stop, pods.logs(launch.as_str(), &params)).await?.unwrap_or_default();
            text.lines().map(LogLine::timed).collect()
        } else {
            Vec::new()
        };
        self.delete(launch, Stage::Stop).await?;
        Ok(lines)
    }
}

fn log_params() -> LogParams {
    LogParams { container: Some(objects::CONTAINER.to_owned()), ..LogParams::default() }
}

/// Waits for an answer, but not for ever.
async fn asked<T>(
    stage: Stage,
    asking: impl Future<Output = Result<T, kube::Error>>,
) -> Result<Result<T, kube::Error>, BackendError> {
    tokio::time::timeout(PATIENCE, asking).await.map_err(|_| {
        let cause = format!("the cluster says nothing within {} s", PATIENCE.as_secs());
        BackendError::new(stage, FailureCode::EngineUnreachable, cause)
    })
}

async fn within<T>(stage: Stage, asking: impl Future<Output = Result<T, kube::Error>>) -> Result<T, BackendError> {
    asked(stage, asking).await?.map_err(|error| failure(stage, &error))
}

fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403 || status.code == 401)
}

/// Returns the code of a cluster's error.
fn failure(stage: Stage, error: &kube::Error) -> BackendError {
    let kube::Error::Api(status) = error else {
        let code = match error {
            kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) => FailureCode::EngineRefused,
            _ => FailureCode::EngineUnreachable,
        };
        return BackendError::new(stage, code, error.to_string());
    };
    let message = &status.message;
    let code = match status.code {
        // Full, starting or being replaced: it is there again soon.
        429 | 500 | 502 | 503 | 504 => FailureCode::EngineUnreachable,
        403 if message.contains("exceeded quota") => FailureCode::ResourcesUnavailable,
        403 if message.contains("PodSecurity") => FailureCode::SpecRefused,
        409 => FailureCode::NameTaken,
        _ => FailureCode::EngineRefused,
    };
    BackendError::new(stage, code, if message.is_empty() { &status.reason } else { message })
}

impl Backend for KubernetesBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Kubernetes
    }

    crate::backend::forwarded!();

    fn logs(&self, launch: &LaunchId, query: LogQuery) -> LogStream {
        let (this, launch) = (self.clone(), launch.clone());
        stream::once(async move {
            let pods = this.pods(Stage::Run).await?;
            let params = LogParams {
                follow: query.follow,
                since_time: query.since,
                tail_lines: query.tail.map(i64::from),
                timestamps: true,
                ..log_params()
            };
            match asked(Stage::Run, pods.log_stream(launch.as_str(), &params)).await? {
                Ok(log) => {
                    let lines = log.lines().map(|line| match line {
                        Ok(line) => Ok(LogLine::timed(&line)),
                        Err(error) => {
                            Err(BackendError::new(Stage::Run, FailureCode::EngineUnreachable, error.to_string()))
                        }
                    });
                    Ok(lines.boxed())
                }
                // No pod, or none that has a container yet: its log is empty.
                Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => Ok(stream::empty().boxed()),
                Err(error) => Err(failure(Stage::Run, &error)),
            }
        })
        .try_flatten()
        .boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>> {
        self.do_verify().boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, BackendError>> {
        async {
            let pods = self.pods(Stage::Inquire).await?;
            let listed = within(Stage::Inquire, pods.list(&ListParams::default().labels(&self.own()))).await?;
            let now = Timestamp::now();
            let of_pod = |pod: &Pod| {
                let launch = pod.metadata.labels.as_ref()?.get(labels::LAUNCH)?.parse().ok()?;
                let ended =
                    matches!(sight::observed(pod, &self.config, now), Observed::Exited { .. } | Observed::Failed(_));
                Some(Listed { launch, running: !ended })
            };
            Ok(listed.items.iter().filter_map(of_pod).collect())
        }
        .boxed()
    }

    fn changes(&self) -> BoxStream<'static, LaunchId> {
        let (this, own) = (self.clone(), self.own());
        stream::once(async move { this.pods(Stage::Inquire).await })
            .filter_map(async |pods| pods.ok())
            .flat_map(move |pods| watch::changes(pods, own.clone()))
            .boxed()
    }
}
