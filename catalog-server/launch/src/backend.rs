//! The trait that every kind of datazone implements, and the words it answers with.

use std::net::SocketAddr;
use std::path::PathBuf;

use catalog_schemas::datazone::{Capability, Capacity};
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::Failure;
use catalog_schemas::plan::{Reason, Resources};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;

use crate::config::BackendKind;
use crate::spec::LaunchSpec;

/// A datazone that runs labs. Everything it is asked is idempotent, so that whoever crashed may ask again.
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// Returns its kind.
    fn kind(&self) -> BackendKind;

    /// Says whether nothing is really run there, as far as is known.
    fn demonstrates(&self) -> bool {
        self.kind() == BackendKind::Demo
    }

    /// Says whether labs go on while the server is down; those of a backend that says no are started anew.
    fn outlives_server(&self) -> bool {
        true
    }

    /// Returns the most that it could ever offer to one launch.
    fn capability(&self) -> BoxFuture<'_, Result<Capability, BackendError>>;

    /// Returns what is free now.
    fn capacity(&self) -> BoxFuture<'_, Result<Capacity, BackendError>>;

    /// Says why the datazone itself would not run this, beside what can be seen of it from here; nothing when it would.
    fn refusals<'a>(&'a self, _spec: &'a LaunchSpec) -> BoxFuture<'a, Result<Vec<Reason>, BackendError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Gets the image and checks the mounts; tells how far it is.
    fn prepare<'a>(
        &'a self,
        spec: &'a LaunchSpec,
        progress: &'a (dyn Fn(Progress) + Send + Sync),
    ) -> BoxFuture<'a, Result<Prepared, BackendError>>;

    /// Starts the lab, or finds that it was started already, and reads back what it was granted.
    fn start<'a>(&'a self, spec: &'a LaunchSpec) -> BoxFuture<'a, Result<Started, BackendError>>;

    /// Says what there is of a launch.
    fn status<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Observed, BackendError>>;

    /// Returns how to reach its interface; nothing when it has none or does not run.
    fn endpoint<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Option<Endpoint>, BackendError>>;

    /// Streams its log.
    fn logs(&self, launch: &LaunchId, query: LogQuery) -> LogStream;

    /// Stops it gently, then by force; nothing to do when it does not run.
    fn stop<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<(), BackendError>>;

    /// Removes it and hands over the end of its log, oldest line first; nothing when there was none.
    fn remove<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Vec<LogLine>, BackendError>>;

    /// Lists everything that carries this server's label, running or not.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, BackendError>>;

    /// Looks whether the volumes that it is said to hold are where they should be; says nothing of those that it cannot see.
    fn verify(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Tells whose launch has changed, so that nobody has to ask again and again; ends when the backend cannot tell any
    /// more, and is then asked for anew. What is missed is only seen later.
    fn changes(&self) -> BoxStream<'static, LaunchId> {
        futures::stream::pending().boxed()
    }
}

/// Writes the methods of [`Backend`] that only hand over to the backend's own, so that those can be `async fn`s.
macro_rules! forwarded {
    () => {
        fn capability(&self) -> BoxFuture<'_, Result<Capability, BackendError>> {
            self.ask_capability().boxed()
        }

        fn capacity(&self) -> BoxFuture<'_, Result<Capacity, BackendError>> {
            self.ask_capacity().boxed()
        }

        fn prepare<'a>(
            &'a self,
            spec: &'a LaunchSpec,
            progress: &'a (dyn Fn(Progress) + Send + Sync),
        ) -> BoxFuture<'a, Result<Prepared, BackendError>> {
            self.do_prepare(spec, progress).boxed()
        }

        fn start<'a>(&'a self, spec: &'a LaunchSpec) -> BoxFuture<'a, Result<Started, BackendError>> {
            self.do_start(spec).boxed()
        }

        fn status<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Observed, BackendError>> {
            self.do_status(launch).boxed()
        }

        fn endpoint<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Option<Endpoint>, BackendError>> {
            self.do_endpoint(launch).boxed()
        }

        fn stop<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<(), BackendError>> {
            self.do_stop(launch).boxed()
        }

        fn remove<'a>(&'a self, launch: &'a LaunchId) -> BoxFuture<'a, Result<Vec<LogLine>, BackendError>> {
            self.do_remove(launch).boxed()
        }
    };
}
pub(crate) use forwarded;

/// A log as it comes.
pub type LogStream = BoxStream<'static, Result<LogLine, BackendError>>;

/// Which part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only lines from then on.
    pub since: Option<Timestamp>,
    /// Only this many of the last lines.
    pub tail: Option<u32>,
    /// Goes on until the lab ends.
    pub follow: bool,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, RFC 3339, when that is known.
    pub at: Option<String>,
    /// The line without its end.
    pub text: String,
}

impl LogLine {
    /// Takes a line apart that begins with its time.
    pub fn timed(line: &str) -> Self {
        let text = |text: &str| text.trim_end_matches('\r').to_owned();
        match line.split_once(' ') {
            Some((at, rest)) if at.parse::<Timestamp>().is_ok() => Self { at: Some(at.to_owned()), text: text(rest) },
            _ if line.parse::<Timestamp>().is_ok() => Self { at: Some(line.to_owned()), text: String::new() },
            _ => Self { at: None, text: text(line) },
        }
    }
}

/// How far the preparation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The image is pulled, in per cent.
    Pull(u8),
    /// The volumes are looked for.
    Mount,
    /// What the backend says about it.
    Said(String),
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pull(percent) => write!(f, "pull {percent} %"),
            Self::Mount => f.write_str("mount"),
            Self::Said(words) => f.write_str(words),
        }
    }
}

/// What the preparation found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What the image's name stands for, to be recorded; absent for an image that came from no registry.
    pub digest: Option<String>,
    /// Its size.
    pub byte_size: Option<u64>,
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// What was granted, read back from the backend.
    pub granted: Resources,
}

/// What there is of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// Nothing.
    Absent,
    /// The backend itself still prepares it: it pulls the image, looks for a machine.
    Pending,
    /// It was created and not started.
    Created,
    /// It runs.
    Running,
    /// It ended.
    Exited {
        /// The exit code.
        code: i64,
        /// Whether it was ended because it used more memory than granted.
        out_of_memory: bool,
        /// What the backend says about it.
        message: String,
    },
    /// The backend says why it will never run, or does not any more.
    Failed(BackendError),
    /// The backend does not answer, and why.
    Unreachable(String),
}

/// Something that carries this server's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The launch it was made for.
    pub launch: LaunchId,
    /// Whether it runs.
    pub running: bool,
}

/// How the proxy reaches a lab.
#[derive(Clone)]
pub enum Endpoint {
    /// By TCP.
    Tcp(SocketAddr),
    /// By a socket in the file system.
    Unix(PathBuf),
    /// In this process.
    Handler(axum::Router),
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "Tcp({address})"),
            Self::Unix(path) => write!(f, "Unix({})", path.display()),
            Self::Handler(_) => f.write_str("Handler"),
        }
    }
}

/// What was being done when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The backend was asked about itself.
    Inquire,
    /// The image was pulled, volumes were looked for.
    Prepare,
    /// The container was created and started.
    Start,
    /// The interface was waited for.
    Ready,
    /// It ran.
    Run,
    /// It was being stopped or removed.
    Stop,
}

impl Stage {
    /// Returns the stage of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        use Stage::{Inquire, Prepare, Ready, Run, Start, Stop};
        [Inquire, Prepare, Start, Ready, Run, Stop].into_iter().find(|stage| stage.as_str() == word)
    }

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inquire => "inquire",
            Self::Prepare => "prepare",
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Run => "run",
            Self::Stop => "stop",
        }
    }
}

macro_rules! failure_codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $next:literal;)*) => {
        /// Every way in which a launch fails, with a stable word and what to do next.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum FailureCode {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl FailureCode {
            /// All codes, for documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Returns the code of a stable word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == word)
            }

            /// Says what to do next.
            pub fn next_action(self) -> &'static str {
                match self { $(Self::$name => $next,)* }
            }
        }
    };
}

failure_codes! {
    /// The registry knows no such image.
    ImageNotFound = "image.not_found", "ask the datalab's contact to publish a version with an image that exists";
    /// The image could not be fetched.
    ImagePullFailed = "image.pull_failed", "try again; if it fails again, ask the datazone's operator whether it reaches the registry";
    /// The record names no image.
    ImageNone = "image.none", "ask the datalab's contact to publish a version with an image";
    /// The operator does not allow the image's registry.
    ImageRegistryRefused = "image.registry_refused", "choose another datazone, or ask its operator to allow the registry";
    /// The image does not hold the command.
    CommandNotFound = "command.not_found", "ask the datalab's contact to correct its command";
    /// It used more memory than granted.
    MemoryExceeded = "memory.exceeded", "launch it again with more memory";
    /// It ended with an error.
    ExitNonzero = "exit.nonzero", "read the end of its log";
    /// It ended before its interface answered.
    ExitEarly = "exit.early", "read the end of its log";
    /// The datazone cannot give GPUs to containers.
    GpuUnavailable = "gpu.unavailable", "choose another datazone; its operator must install the GPU runtime";
    /// Fewer GPUs were granted than asked for.
    GpuNotGranted = "gpu.not_granted", "launch it again, or choose another datazone";
    /// Less CPU or memory was granted than asked for.
    ResourcesNotGranted = "resources.not_granted", "launch it again, or choose another datazone";
    /// The machine does not have that much.
    ResourcesUnavailable = "resources.unavailable", "ask for less, or choose another datazone";
    /// A volume is not where the configuration says.
    MountMissing = "mount.missing", "ask the datazone's operator to look at the volume's path";
    /// A volume lies where nothing may be mounted from, or may not be written to.
    MountForbidden = "mount.forbidden", "ask the datazone's operator to look at the volume's path and mode";
    /// Something else has the launch's name.
    NameTaken = "name.taken", "launch it again; the datazone's operator should look at what has the name";
    /// The datazone does not answer.
    EngineUnreachable = "engine.unreachable", "try again later, or choose another datazone";
    /// The datazone answered with a refusal that has no code of its own.
    EngineRefused = "engine.refused", "tell the datazone's operator what it says";
    /// The datazone's disk is full.
    EngineNoSpace = "engine.no_space", "choose another datazone; its operator must free space";
    /// The image was not there in time.
    PrepareTimeout = "prepare.timeout", "try again; what was pulled so far is kept";
    /// The container did not start in time.
    StartTimeout = "start.timeout", "try again, or choose another datazone";
    /// The interface did not answer in time.
    ReadyTimeout = "ready.timeout", "read the end of its log; it may listen on another port or path than its manifest says";
    /// It did not stop in time.
    StopTimeout = "stop.timeout", "tell the datazone's operator; it is removed as soon as the datazone answers";
    /// The datazone put it out.
    Evicted = "container.evicted", "launch it again; the datazone needed its place";
    /// It vanished.
    ContainerLost = "container.lost", "launch it again; somebody removed it, or the datazone was restored";
    /// Its manifest asks for something that is never allowed.
    SpecRefused = "spec.refused", "ask the datalab's contact to correct its manifest";
}

impl std::fmt::Display for FailureCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says what failed, where, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} while asked to {}: {cause}", .stage.as_str())]
pub struct BackendError {
    /// What was being done.
    pub stage: Stage,
    /// The stable code; it knows the next action.
    pub code: FailureCode,
    /// The cause in words.
    pub cause: String,
}

impl BackendError {
    /// Makes an error; its cause is cut to 500 characters.
    pub fn new(stage: Stage, code: FailureCode, cause: impl AsRef<str>) -> Self {
        Self { stage, code, cause: cause.as_ref().chars().take(500).collect() }
    }

    /// Says whether asking again may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        self.code == FailureCode::EngineUnreachable
    }

    /// Returns it in the words of a launch.
    pub fn failure(&self, log: Vec<String>) -> Failure {
        Failure {
            stage: self.stage.as_str().to_owned(),
            code: self.code.as_str().to_owned(),
            cause: self.cause.clone(),
            next_action: self.code.next_action().to_owned(),
            log,
        }
    }
}

/// Says whether less was granted than asked for, which is a failure and never silence.
///
/// # Errors
///
/// `gpu.not_granted` or `resources.not_granted`, naming both amounts.
pub fn check_granted(spec: &LaunchSpec, granted: &Resources) -> Result<(), BackendError> {
    let refuse = |code, cause: String| Err(BackendError::new(Stage::Start, code, cause));
    let gpus = granted.gpu.as_ref().map_or(0, |gpu| gpu.count);
    if let Some(asked) = spec.gpus.as_ref().filter(|asked| gpus < asked.count) {
        return refuse(
            FailureCode::GpuNotGranted,
            format!("{} {} asked for, {gpus} granted", asked.count, asked.model),
        );
    }
    let cpu = granted.cpu.map(|cpu| cpu.min).unwrap_or_default();
    if cpu < spec.cpu {
        return refuse(FailureCode::ResourcesNotGranted, format!("{} CPUs asked for, {cpu} granted", spec.cpu));
    }
    let memory = granted.memory_mib.map(|memory| memory.min).unwrap_or_default();
    if memory < spec.memory_mib {
        let cause = format!("{} MiB memory asked for, {memory} granted", spec.memory_mib);
        return refuse(FailureCode::ResourcesNotGranted, cause);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::spec;

    #[test]
    fn codes_are_distinct_and_each_says_what_to_do() {
        let mut words: Vec<&str> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count);
        assert!(FailureCode::ALL.iter().all(|code| !code.next_action().is_empty() && code.as_str().contains('.')));
    }

    #[test]
    fn less_than_asked_is_a_failure() {
        let mut spec = spec();
        let full = spec.resources();
        assert_eq!(check_granted(&spec, &full), Ok(()));
        let mut less = full.clone();
        less.memory_mib.as_mut().unwrap().min = 63;
        assert_eq!(check_granted(&spec, &less).unwrap_err().code, FailureCode::ResourcesNotGranted);
        spec.gpus = Some(crate::Gpus { count: 1, vendor: "nvidia".to_owned(), model: "A100".to_owned() });
        let error = check_granted(&spec, &full).unwrap_err();
        assert_eq!(error.to_string(), "gpu.not_granted while asked to start: 1 A100 asked for, 0 granted");
    }
}
