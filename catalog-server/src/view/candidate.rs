//! A record as the planner and a backend see it.

use catalog_launch::planner::Need;
use catalog_launch::{Image, SpecFile};
use catalog_ontology::record::Record;
use catalog_ontology::terms::Kind;

use crate::pipeline::Runner;

/// How long an interface may take to answer when the manifest does not say.
const READINESS_SECONDS: u32 = 120;

/// Something that can be launched.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The record's IRI.
    pub iri: String,
    /// Its name.
    pub name: String,
    /// Its short name.
    pub short_name: String,
    /// Its version.
    pub version: String,
    /// What the planner needs to know.
    pub need: Need,
    /// What a backend is told.
    pub runtime: Runtime,
    /// A hint for who starts it.
    pub hint: Option<String>,
    /// Files that its launch brings along.
    pub files: Vec<SpecFile>,
}

/// How its container is started.
#[derive(Debug, Clone, Default)]
pub struct Runtime {
    /// The port of its interface.
    pub port: Option<u16>,
    /// The path opened when it is ready.
    pub entry_path: String,
    /// The path asked for readiness.
    pub readiness_path: Option<String>,
    /// How long that may take.
    pub readiness_seconds: u32,
    /// Replaces the entry point.
    pub command: Vec<String>,
    /// Replaces the command.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
}

impl Candidate {
    /// Reads a record, and how the operator runs pipelines; nothing when its kind is never launched.
    pub fn of(record: &Record, iri: String, runners: &[Runner]) -> Option<Self> {
        let mut candidate = Self::read(record, iri)?;
        if let Some(runner) = Runner::of(runners, record) {
            runner.take(&mut candidate, record);
        }
        Some(candidate)
    }

    fn read(record: &Record, iri: String) -> Option<Self> {
        if !matches!(record.kind(), Kind::Datalab | Kind::Pipeline) {
            return None;
        }
        let interface = record.string("interfaceType").unwrap_or("headless").to_owned();
        let strings = |key: &str| record.strings(key).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let runtime = record.runtime("en");
        let image = runtime
            .as_ref()
            .map(|runtime| Image { reference: runtime.reference.clone(), digest: runtime.digest.clone() });
        let name = record.name("en").to_owned();
        Some(Self {
            iri,
            short_name: record.string("alternateName").unwrap_or(&name).to_owned(),
            name,
            version: record.version().unwrap_or_default().to_owned(),
            hint: record.text("startupHint", "en").map(str::to_owned),
            files: Vec::new(),
            need: Need {
                resources: record.needs(),
                interface_type: interface.clone(),
                architectures: strings("datalabImage.architecture"),
                image,
                volumes: record.volumes(),
                personal_space: record.boolean("personalSpace"),
                team_space: record.boolean("teamSpace").unwrap_or(false),
                keeps_results: false,
                allowed_groups: strings("allowedGroup"),
                allowed_accounts: strings("allowedUser"),
            },
            runtime: match runtime {
                Some(runtime) => {
                    let readiness = runtime.readiness;
                    Runtime {
                        port: runtime.ports.first().copied(),
                        entry_path: runtime.path.unwrap_or_else(|| "/".to_owned()),
                        readiness_path: readiness.as_ref().map(|readiness| readiness.path.clone()),
                        readiness_seconds: readiness.map_or(READINESS_SECONDS, |readiness| readiness.timeout_seconds),
                        command: runtime.command,
                        args: runtime.args,
                        env: runtime.env,
                    }
                }
                // Without an image only a demonstration runs it, and that has a page for every kind of interface.
                None => Runtime {
                    port: (interface != "headless").then_some(80),
                    entry_path: "/".to_owned(),
                    readiness_seconds: READINESS_SECONDS,
                    ..Runtime::default()
                },
            },
        })
    }
}
