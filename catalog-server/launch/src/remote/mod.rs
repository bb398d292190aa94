//! A datazone of another Alidade server: what can run there is planned there too, and a launch is delegated to it.
//!
//! A launch has one id on both servers, so that it is made once however often it is asked for, and a lab knows one
//! base path. Nothing is remembered here that a restart could lose.

mod passing;
pub mod signing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use catalog_schemas::datazone::{Capability, Capacity, Datazone};
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::{Launch, LaunchState};
use catalog_schemas::plan::{Plan, Reason};
use catalog_schemas::problem::Problem;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::{
    Backend, BackendError, Endpoint, FailureCode, Listed, LogLine, LogQuery, LogStream, Observed, Prepared, Progress,
    Stage, Started,
};
use crate::config::{BackendKind, ZoneConfig};
use crate::error::Error;
use crate::spec::LaunchSpec;
use crate::words::causes;
use signing::{Asking, Identity};

/// An answer of the other server that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a launch that is prepared over there is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// The most bytes of an answer.
const MAX_ANSWER: usize = 8 << 20;

/// The most bytes of a problem.
const MAX_PROBLEM: usize = 64 << 10;

/// A launch as one server hands it to another; its id is its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delegated {
    /// The datazone over there.
    pub datazone: String,
    /// The datalab's IRI.
    pub datalab: String,
    /// Its version.
    pub version: String,
    /// What is to run.
    pub spec: LaunchSpec,
}

/// The ids of the launches that a zone delegated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegatedList {
    /// Each with whether it is not over.
    pub launches: Vec<(LaunchId, bool)>,
}

/// A datazone of another server.
#[derive(Debug, Clone)]
pub struct RemoteBackend {
    url: String,
    datazone: String,
    identity: Identity,
    client: reqwest::Client,
    /// Whether the datazone said that it only demonstrates.
    is_demo: Arc<AtomicBool>,
}

impl RemoteBackend {
    /// Makes a zone from its configuration; the other server need not answer yet.
    ///
    /// # Errors
    ///
    /// When `url` is not an address.
    pub fn new(config: &ZoneConfig, identity: &Identity) -> Result<Self, Error> {
        let zone = config.id.to_string();
        let url = config.url.clone().unwrap_or_default().trim_end_matches('/').to_owned();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let cause = "`url` is the other server's base URL, such as https://sci-cloud.example".to_owned();
            return Err(Error::Endpoint { zone, endpoint: url, cause });
        }
        let builder = reqwest::Client::builder().http1_only().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = builder.connect_timeout(Duration::from_secs(5)).build();
        let client = client.map_err(|error| Error::Endpoint {
            zone: zone.clone(),
            endpoint: url.clone(),
            cause: error.to_string(),
        })?;
        let datazone = config.remote_zone.clone().unwrap_or(zone);
        Ok(Self { url, datazone, identity: identity.clone(), client, is_demo: Arc::default() })
    }

    /// Sends a signed request and returns the answer when it is one of success; a problem becomes our error.
    async fn ask(
        &self,
        stage: Stage,
        method: Method,
        path: &str,
        body: Option<&Delegated>,
    ) -> Result<reqwest::Response, BackendError> {
        let body = body.map(|body| (serde_json::to_vec(body).unwrap_or_default(), body.spec.on_behalf_of.clone()));
        let bytes = body.as_ref().map(|(bytes, _)| bytes.as_slice()).unwrap_or_default();
        let account = body.as_ref().and_then(|(_, account)| account.as_deref());
        let asked = Asking { method: method.as_str(), path, body: Some(bytes) };
        let signed = self.identity.sign(&self.url, account, asked, Timestamp::now());
        let request = self.client.request(method, format!("{}{path}", self.url));
        let mut request = request.header(header::AUTHORIZATION, signed).header(header::ACCEPT, "application/json");
        if let Some((bytes, _)) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(bytes);
        }
        let sent = tokio::time::timeout(PATIENCE, request.send()).await;
        let response =
            sent.map_err(|_| unreachable(stage, format!("it says nothing within {} s", PATIENCE.as_secs())))?;
        let response = response.map_err(|error| unreachable(stage, causes(&error)))?;
        if response.status().is_success() { Ok(response) } else { Err(refused(stage, response).await) }
    }

    async fn zone(&self) -> Result<Datazone, BackendError> {
        let path = format!("/api/v1/datazones/{}", self.datazone);
        let response = self.ask(Stage::Inquire, Method::GET, &path, None).await?;
        let zone: Datazone = read(Stage::Inquire, response).await?;
        self.is_demo.store(zone.demo, Ordering::Relaxed);
        if zone.health == "up" {
            return Ok(zone);
        }
        Err(unreachable(Stage::Inquire, zone.problem.unwrap_or_else(|| "it is down over there".to_owned())))
    }

    /// Finds the launch over there; it is asked for by its key, so that what was cut off is found again.
    async fn find(&self, stage: Stage, launch: &LaunchId) -> Result<Option<Launch>, BackendError> {
        match self.ask(stage, Method::GET, &format!("/api/v1/delegations/launches/{launch}"), None).await {
            Ok(response) => read(stage, response).await.map(Some),
            Err(error) if error.code == FailureCode::ContainerLost => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn delegated(&self, spec: &LaunchSpec) -> Delegated {
        Delegated {
            datazone: self.datazone.clone(),
            datalab: spec.datalab.clone(),
            version: spec.version.clone(),
            spec: spec.clone(),
        }
    }

    async fn do_prepare(
        &self,
        spec: &LaunchSpec,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Prepared, BackendError> {
        let path = format!("/api/v1/delegations/launches/{}", spec.launch);
        let mut launch = match self.find(Stage::Prepare, &spec.launch).await? {
            Some(launch) => launch,
            // Asking twice is the same as once: the id is the key over there.
            None => {
                let response = self.ask(Stage::Prepare, Method::PUT, &path, Some(&self.delegated(spec))).await?;
                read(Stage::Prepare, response).await?
            }
        };
        let mut said = String::new();
        loop {
            match observed(&launch) {
                Observed::Failed(error) => return Err(error),
                Observed::Pending => {}
                _ => return Ok(Prepared { digest: launch.digest, byte_size: None }),
            }
            let words = launch.stage.clone().unwrap_or_else(|| launch.state.as_str().to_owned());
            if words != said {
                progress(Progress::Said(words.clone()));
                said = words;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            launch = self.find(Stage::Prepare, &spec.launch).await?.ok_or_else(|| {
                BackendError::new(
                    Stage::Prepare,
                    FailureCode::ContainerLost,
                    "the other server does not know it any more",
                )
            })?;
        }
    }

    async fn do_start(&self, spec: &LaunchSpec) -> Result<Started, BackendError> {
        let missing =
            || BackendError::new(Stage::Start, FailureCode::ContainerLost, "the other server does not know it");
        let launch = self.find(Stage::Start, &spec.launch).await?.ok_or_else(missing)?;
        match observed(&launch) {
            Observed::Failed(error) => Err(error),
            _ => match launch.granted {
                Some(granted) => Ok(Started { granted }),
                // It is not started yet, as after a restart over there; what is not known is not less than asked for.
                None => Err(unreachable(Stage::Start, "the other server is still starting it".to_owned())),
            },
        }
    }

    async fn ask_capability(&self) -> Result<Capability, BackendError> {
        Ok(self.zone().await?.capability)
    }

    async fn ask_capacity(&self) -> Result<Capacity, BackendError> {
        let capacity = self.zone().await?.capacity;
        // When the clocks are apart, what was seen over there is still as fresh as its server says it is.
        let now = Timestamp::now().to_string();
        capacity.map(|capacity| Capacity { observed_at: now, ..capacity }).ok_or_else(|| {
            let cause = "the other server does not know what is free";
            BackendError::new(Stage::Inquire, FailureCode::EngineRefused, cause)
        })
    }

    async fn do_status(&self, launch: &LaunchId) -> Result<Observed, BackendError> {
        Ok(self.find(Stage::Run, launch).await?.map_or(Observed::Absent, |launch| observed(&launch)))
    }

    async fn do_endpoint(&self, launch: &LaunchId) -> Result<Option<Endpoint>, BackendError> {
        let router = passing::router(self.client.clone(), self.url.clone(), self.identity.clone(), launch.clone());
        Ok(Some(Endpoint::Handler(router)))
    }

    async fn do_stop(&self, launch: &LaunchId) -> Result<(), BackendError> {
        let path = format!("/api/v1/delegations/launches/{launch}");
        match self.ask(Stage::Stop, Method::DELETE, &path, None).await {
            Ok(_) => Ok(()),
            Err(error) if error.code == FailureCode::ContainerLost => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn do_remove(&self, launch: &LaunchId) -> Result<Vec<LogLine>, BackendError> {
        self.do_stop(launch).await?;
        let log = self.logs(launch, LogQuery::default()).filter_map(async |line| line.ok());
        let lines = tokio::time::timeout(PATIENCE, log.collect()).await.unwrap_or_default();
        // The row stays with the other server, which removes what it stopped by its own rules.
        Ok(lines)
    }
}

/// Returns what a launch over there is to us.
fn observed(launch: &Launch) -> Observed {
    use LaunchState::{
        Cancelled, Completed, Failed, Planned, Preparing, Ready, Requested, Running, Starting, Stopping,
    };
    match launch.state {
        Requested | Planned | Preparing | Starting => Observed::Pending,
        Ready | Running | Stopping => Observed::Running,
        Completed => Observed::Exited { code: 0, out_of_memory: false, message: String::new() },
        Cancelled => Observed::Failed(BackendError::new(
            Stage::Run,
            FailureCode::ContainerLost,
            launch.stage.as_deref().unwrap_or("the other server stopped it"),
        )),
        Failed => {
            let unknown =
                || ("run".to_owned(), FailureCode::EngineRefused, "the other server does not say why".to_owned());
            let (stage, code, cause) = launch.failure.as_ref().map_or_else(unknown, |failure| {
                let code = FailureCode::from_word(&failure.code).unwrap_or(FailureCode::EngineRefused);
                (failure.stage.clone(), code, failure.cause.clone())
            });
            // To look for the engine is over there what to look for the other server is here, and it is over.
            let code = if code == FailureCode::EngineUnreachable { FailureCode::EngineRefused } else { code };
            Observed::Failed(BackendError::new(Stage::from_word(&stage).unwrap_or(Stage::Run), code, cause))
        }
    }
}

fn unreachable(stage: Stage, cause: String) -> BackendError {
    BackendError::new(stage, FailureCode::EngineUnreachable, cause)
}

/// Reads an answer; one that stops in the middle, is too long or makes no sense is none: whoever stands in front of the other
/// server may have given it, and what was asked for may be done all the same.
async fn read<T: serde::de::DeserializeOwned>(stage: Stage, response: reqwest::Response) -> Result<T, BackendError> {
    let bytes = bounded(response, MAX_ANSWER, PATIENCE).await.map_err(|cause| unreachable(stage, cause))?;
    serde_json::from_slice(&bytes).map_err(|error| unreachable(stage, format!("its answer cannot be read: {error}")))
}

/// Returns the body of an answer that has so many bytes at most and comes in time.
async fn bounded(response: reqwest::Response, most: usize, patience: Duration) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    let reading = async {
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| causes(&error))?);
            if bytes.len() > most {
                return Err("its answer is too long".to_owned());
            }
        }
        Ok(())
    };
    let read = tokio::time::timeout(patience, reading).await;
    read.unwrap_or_else(|_| Err(format!("its answer does not end within {} s", patience.as_secs())))?;
    Ok(bytes)
}

/// Turns a problem of the other server into our error.
async fn refused(stage: Stage, response: reqwest::Response) -> BackendError {
    let status = response.status();
    let bytes = bounded(response, MAX_PROBLEM, PATIENCE).await.unwrap_or_default();
    let problem: Option<Problem> = serde_json::from_slice(&bytes).ok();
    let cause = problem.as_ref().map_or_else(
        || format!("it answers {status}"),
        |problem| format!("the other server says: {}", problem.detail.as_ref().unwrap_or(&problem.title)),
    );
    let code = match (status, problem.as_ref().map(Problem::code)) {
        (StatusCode::NOT_FOUND, Some(_)) => FailureCode::ContainerLost,
        // Somebody in front of the other server says that, who knows nothing of launches.
        (StatusCode::NOT_FOUND, None) => FailureCode::EngineUnreachable,
        (StatusCode::TOO_MANY_REQUESTS, _) => FailureCode::EngineUnreachable,
        (_, Some("plan.no")) => FailureCode::ResourcesUnavailable,
        (_, Some("spec.refused")) => FailureCode::SpecRefused,
        // A request that took too long to arrive is signed anew the next time.
        (_, Some("delegation.expired" | "delegation.replayed")) => FailureCode::EngineUnreachable,
        (status, _) if status.is_server_error() => FailureCode::EngineUnreachable,
        _ => FailureCode::EngineRefused,
    };
    BackendError::new(stage, code, cause)
}

impl Backend for RemoteBackend {
    fn kind(&self) -> BackendKind {
        BackendKind::Remote
    }

    fn demonstrates(&self) -> bool {
        self.is_demo.load(Ordering::Relaxed)
    }

    crate::backend::forwarded!();

    fn refusals<'a>(&'a self, spec: &'a LaunchSpec) -> BoxFuture<'a, Result<Vec<Reason>, BackendError>> {
        async {
            let path = "/api/v1/delegations/plans";
            let response = self.ask(Stage::Inquire, Method::POST, path, Some(&self.delegated(spec))).await?;
            let plan: Plan = read(Stage::Inquire, response).await?;
            if plan.offers.iter().any(|offer| offer.datazone == self.datazone) {
                return Ok(Vec::new());
            }
            let own = plan.refusals.into_iter().find(|refusal| refusal.datazone == self.datazone);
            Ok(own.map(|refusal| refusal.reasons).unwrap_or_else(|| {
                let message = "the other server has no such datazone".to_owned();
                vec![Reason { code: "zone.down".to_owned(), message }]
            }))
        }
        .boxed()
    }

    fn logs(&self, launch: &LaunchId, query: LogQuery) -> LogStream {
        let (this, launch) = (self.clone(), launch.clone());
        stream::once(async move {
            let path = {
                let mut path = form_urlencoded::Serializer::new(format!("/api/v1/delegations/launches/{launch}/logs?"));
                if let Some(since) = query.since {
                    path.append_pair("since", &since.to_string());
                }
                if let Some(tail) = query.tail {
                    path.append_pair("tail", &tail.to_string());
                }
                path.append_pair("follow", if query.follow { "true" } else { "false" });
                path.finish()
            };
            let response = match this.ask(Stage::Run, Method::GET, &path, None).await {
                Ok(response) => response,
                Err(error) if error.code == FailureCode::ContainerLost => return Ok(stream::empty().boxed()),
                Err(error) => return Err(error),
            };
            let bytes = response.bytes_stream().map_err(std::io::Error::other);
            let lines = futures::AsyncBufReadExt::lines(futures::TryStreamExt::into_async_read(bytes));
            let lines = lines.map(|line| match line {
                Ok(line) => Ok(LogLine::timed(&line)),
                Err(error) => Err(unreachable(Stage::Run, error.to_string())),
            });
            Ok(lines.boxed())
        })
        .try_flatten()
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, BackendError>> {
        async {
            let response = self.ask(Stage::Inquire, Method::GET, "/api/v1/delegations/launches", None).await?;
            let listed: DelegatedList = read(Stage::Inquire, response).await?;
            Ok(listed.launches.into_iter().map(|(launch, running)| Listed { launch, running }).collect())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Serves one answer, word for word, to whoever asks.
    async fn saying(answer: &'static str) -> RemoteBackend {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = ZoneConfig::new("far".parse().unwrap(), "FAR", BackendKind::Remote);
        config.url = Some(format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                        _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        // It can only fail when one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        RemoteBackend::new(&config, &Identity::read("here", &Identity::generate().unwrap()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_no_answer_and_ends_no_launch() {
        let launch = LaunchId::from_bytes([1; 16]);
        for answer in [
            "HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\n\r\n<html>",
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "SSH-2.0-OpenSSH_9.2\r\n",
        ] {
            let zone = saying(answer).await;
            let error = zone.status(&launch).await.unwrap_err();
            assert!(error.is_transient(), "{answer}: {error}");
            assert!(zone.capacity().await.unwrap_err().is_transient(), "{answer}");
        }
        let problem = serde_json::to_string(&Problem::new(404, "not_found", "no such launch", "")).unwrap();
        let known = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{problem}", problem.len());
        let zone = saying(known.leak()).await;
        assert_eq!(zone.status(&launch).await.unwrap(), Observed::Absent, "Alidade itself says so");
    }

    /// An answer that stopped in its middle held up whoever waited for it, for ever.
    #[tokio::test]
    async fn an_answer_that_does_not_end_is_given_up() {
        let zone = saying("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"id\":").await;
        let response = zone.client.get(&zone.url).send().await.unwrap();
        let cause = bounded(response, 1000, Duration::from_millis(50)).await.unwrap_err();
        assert!(cause.contains("does not end"), "{cause}");
        let response = zone.client.get(&zone.url).send().await.unwrap();
        assert_eq!(bounded(response, 3, Duration::from_secs(60)).await.unwrap_err(), "its answer is too long");
    }
}
