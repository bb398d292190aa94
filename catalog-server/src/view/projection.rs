//! From a stored record to what the projections hold: public terms only.

use catalog_graph::{Change, NamedNode, Rebuild, Triple};
use catalog_index::{Document, Facet};
use catalog_launch::planner::{Health, KnownVolume, Question, Viewer, ZoneSnapshot};
use catalog_launch::{ZoneConfig, plan};
use catalog_ontology::record::{Record, RecordIris};
use catalog_ontology::terms::{Kind, Visibility};
use catalog_records::{State, StoredRecord, StoredSayings};
use catalog_schemas::datazone::{Capability, Capacity, FreeGpu};
use catalog_schemas::plan::{MilliCpu, PlanRequest, Resources};
use catalog_schemas::search::Hit;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::candidate::Candidate;
use super::completion::{complete, set};
use super::listing::is_listed;
use crate::config::Config;
use crate::homes::Homes;
use crate::labels::scheme_of;
use crate::pipeline::Runner;

/// Changes whenever the same record would be projected differently, so that an older index is built again.
const PROJECTION: &str = "2";

/// Changes whenever the same record would say other statements, so that older ones are made again.
const STATEMENTS: &str = "2";

/// Facets whose values are concepts, with the term they come from.
const CONCEPT_FACETS: [(&str, &str); 5] = [
    ("property", "property"),
    ("domain", "domain"),
    ("mission", "mission"),
    ("instrument", "instrument"),
    ("thematicArea", "thematicArea"),
];

/// Makes documents and statements of records.
#[derive(Debug)]
pub struct Projection {
    base: String,
    homes: Arc<Homes>,
    zone_name: String,
    zones: Vec<ZoneConfig>,
    runners: Vec<Runner>,
    snapshots: Vec<ZoneSnapshot>,
    volumes: Vec<KnownVolume>,
}

impl Projection {
    /// Takes the base and the datazones from the configuration.
    pub fn new(config: &Config) -> Self {
        let snapshots: Vec<ZoneSnapshot> = config.datazone.iter().map(ceiling).collect();
        // A volume that any zone holds is known; whether the catalogue has a record of it does not matter here.
        let mut keys: Vec<String> = snapshots.iter().flat_map(|zone| zone.volumes.keys().cloned()).collect();
        keys.sort();
        keys.dedup();
        let volumes = keys
            .into_iter()
            .map(|key| KnownVolume {
                iri: format!("urn:esado:volume:{key}"),
                identifier: key.clone(),
                name: key.clone(),
                default_mount_path: format!("/data/user/{}", key.replace('-', "_")),
                mode: "rw".to_owned(),
                key,
                ..KnownVolume::default()
            })
            .collect();
        Self {
            base: config.base(),
            homes: Arc::new(Homes::new(config.base())),
            zone_name: config.zone.name.clone(),
            zones: config.datazone.clone(),
            runners: config.runner.clone(),
            snapshots,
            volumes,
        }
    }

    /// Returns what an index made by this projection depends on beside the ledger.
    pub fn fingerprint(&self) -> String {
        let zones = serde_json::to_string(&self.zones).unwrap_or_default();
        // What runs pipelines decides where they can run, too.
        let runners = serde_json::to_string(&self.runners).unwrap_or_default();
        hex::encode(Sha256::digest(format!("{PROJECTION}\n{}\n{zones}\n{runners}", self.zone_name)))
    }

    /// Completes a stored record with what the application and the configuration say of it.
    pub fn record(&self, stored: &StoredRecord) -> Option<Record> {
        let mut record = complete(stored, &self.zone_name)?;
        if record.kind() == Kind::DataVolume {
            let replicas = self.replicas(&record, stored);
            if !replicas.is_empty() {
                set(&mut record, "replica", serde_json::Value::Array(replicas));
            }
        }
        Some(record)
    }

    fn replicas(&self, record: &Record, stored: &StoredRecord) -> Vec<serde_json::Value> {
        let key = record.string("alternateName").unwrap_or(stored.identifier.name());
        self.zones
            .iter()
            .filter_map(|zone| {
                let held = zone
                    .volume
                    .iter()
                    .find(|volume| volume.volume == key || volume.volume == stored.identifier.as_str())?;
                let mut replica = serde_json::json!({ "datazone": format!("{}/id/{}", self.base, zone.id) });
                let mut add = |name: &str, value: Option<serde_json::Value>| {
                    if let (Some(object), Some(value)) = (replica.as_object_mut(), value) {
                        object.insert(name.to_owned(), value);
                    }
                };
                add("byteSize", held.byte_size.map(Into::into));
                add("contentVersion", held.content_version.clone().map(Into::into));
                let source = held.path.to_string_lossy().into_owned();
                add("backendSource", Some(source).filter(|source| !source.is_empty()).map(Into::into));
                Some(replica)
            })
            .collect()
    }

    /// Returns what runs pipelines.
    pub fn runners(&self) -> &[Runner] {
        &self.runners
    }

    /// Returns the ids of the zones that hold a volume, or that could run a datalab when nothing else runs there.
    pub fn zones_of(&self, record: &Record, stored: &StoredRecord) -> Vec<String> {
        if record.kind() == Kind::DataVolume {
            let key = record.string("alternateName").unwrap_or(stored.identifier.name());
            let holds = |zone: &&ZoneConfig| zone.volume.iter().any(|volume| volume.volume == key);
            return self.zones.iter().filter(holds).map(|zone| zone.id.to_string()).collect();
        }
        let iri = self.homes.iri(stored.zone.as_str(), stored.identifier.as_str());
        let Some(mut candidate) = Candidate::of(record, iri, &self.runners) else { return Vec::new() };
        // Where it could run does not depend on who asks, and whom it is for is nobody else's business.
        candidate.need.allowed_groups.clear();
        candidate.need.allowed_accounts.clear();
        let request = PlanRequest::default();
        let question = Question {
            need: &candidate.need,
            request: &request,
            volumes: &self.volumes,
            zones: &self.snapshots,
            viewer: &Viewer::default(),
            now: Timestamp::UNIX_EPOCH,
            offer_lifetime: catalog_launch::planner::OFFER_LIFETIME,
        };
        let mut zones: Vec<String> = plan(&question, |_| String::new())
            .map(|plan| plan.offers.into_iter().map(|offer| offer.datazone).collect())
            .unwrap_or_default();
        zones.sort();
        zones
    }

    /// Makes the document for the search index; nothing when the record is not shown.
    pub fn document(&self, stored: &StoredRecord) -> Option<Document> {
        if !is_listed(stored) {
            return None;
        }
        let record = self.record(stored)?;
        let zones = self.zones_of(&record, stored);
        let owned =
            |texts: Vec<(&str, &str)>| texts.into_iter().map(|(tag, text)| (tag.to_owned(), text.to_owned())).collect();
        let mut texts: Vec<(String, String)> = owned(record.texts("description"));
        texts.extend(record.texts("featureList").into_iter().map(|(tag, text)| (tag.to_owned(), text.to_owned())));
        let short_name = record.string("alternateName").map(str::to_owned);
        Some(Document {
            key: format!("{}/{}", stored.zone, stored.identifier),
            seq: stored.seq,
            hit: self.hit(&record, stored, &zones),
            short_name,
            names: owned(names(&record)),
            summaries: owned(record.texts("abstract")),
            texts,
            keywords: record.texts("keyword").into_iter().map(|(_, text)| text.to_owned()).collect(),
            words: words(&record, stored),
            facets: facets(&record, stored, &zones),
            modified_ms: stored.modified.as_millisecond(),
        })
    }

    fn hit(&self, record: &Record, stored: &StoredRecord, zones: &[String]) -> Hit {
        let summary = record.text("abstract", "en").or_else(|| record.text("description", "en")).unwrap_or_default();
        Hit {
            iri: String::new(),
            zone: stored.zone.to_string(),
            identifier: stored.identifier.to_string(),
            kind: record.kind().as_str().to_owned(),
            name: name(record).to_owned(),
            alternate_name: record.string("alternateName").map(str::to_owned),
            summary: summary.chars().take(500).collect(),
            version: record.version().map(str::to_owned),
            zones: zones.to_vec(),
            highlight: None,
            facts: facts(record),
            launchable: matches!(record.kind(), Kind::Datalab | Kind::Pipeline) && !zones.is_empty(),
            official: record.is_official(),
            modified: Some(stored.modified.to_string()),
        }
    }

    /// Makes the statements for the RDF store; nothing when the record cannot be read.
    ///
    /// Of a record that is merged, what each source says goes into that source's graph; of any other the one source says
    /// what the default graph holds.
    pub fn change(&self, stored: &StoredRecord, sayings: Option<&StoredSayings>) -> Option<Change> {
        let record = self.record(stored)?;
        let triples = if is_listed(stored) {
            record.triples(&self.iris(stored, &record), Visibility::Public)
        } else {
            Vec::new()
        };
        let iri = NamedNode::new(self.homes.iri(stored.zone.as_str(), stored.identifier.as_str())).ok()?;
        let said = match sayings.filter(|_| is_listed(stored)) {
            Some(sayings) => self.said(stored, sayings),
            None => vec![(self.graph(&stored.source)?, None)],
        };
        Some(Change { iri, triples, said })
    }

    /// Returns what each source says, a moderator's words last.
    fn said(&self, stored: &StoredRecord, sayings: &StoredSayings) -> Vec<(NamedNode, Option<Vec<Triple>>)> {
        let triples = |document: &serde_json::Value| {
            let record = Record::from_document(document).ok()?;
            Some(record.triples(&self.iris(stored, &record), Visibility::Public))
        };
        let documents = sayings.sayings.iter().map(|one| (one.saying.source.as_str(), one.saying.document.clone()));
        let overlay = (!sayings.patches.is_empty()).then(|| {
            let mut words = serde_json::json!({});
            sayings.patches.iter().for_each(|(patch, _)| catalog_records::merge_patch(&mut words, patch));
            words["@type"] = stored.kind.clone().into();
            words["identifier"] = stored.identifier.as_str().into();
            (catalog_records::merge::OVERLAY, words)
        });
        let all = documents.chain(overlay);
        all.filter_map(|(source, document)| Some((self.graph(source)?, Some(triples(&document)?)))).collect()
    }

    fn iris(&self, stored: &StoredRecord, record: &Record) -> RecordIris {
        RecordIris::new(&self.homes.base_of(stored.zone.as_str()), stored.zone.as_str(), record)
    }

    /// Makes the statements for the moderators' RDF store: public and private, of drafts and hidden records too.
    pub fn staff_change(&self, stored: &StoredRecord) -> Option<Change> {
        let record = self.record(stored)?;
        let mut triples = Vec::new();
        if stored.state != State::Withdrawn {
            let iris = self.iris(stored, &record);
            triples = record.triples(&iris, Visibility::Public);
            triples.extend(record.triples(&iris, Visibility::Private));
        }
        let iri = NamedNode::new(self.homes.iri(stored.zone.as_str(), stored.identifier.as_str())).ok()?;
        Some(Change { iri, triples, said: vec![(self.graph(&stored.source)?, None)] })
    }

    /// Makes the change that removes a record by its key, `zone/identifier`.
    pub fn removal(&self, key: &str) -> Option<Change> {
        let (zone, identifier) = key.split_once('/')?;
        let iri = NamedNode::new(self.homes.iri(zone, identifier)).ok()?;
        Some(Change { iri, triples: Vec::new(), said: Vec::new() })
    }

    fn graph(&self, source: &str) -> Option<NamedNode> {
        NamedNode::new(format!("{}/graph/{source}", self.base)).ok()
    }

    /// Puts the concept schemes and the ontology into a store, so that queries can use labels and broader concepts.
    ///
    /// # Errors
    ///
    /// Whatever the store says.
    pub fn vocabulary(&self, store: &mut Rebuild) -> Result<(), catalog_graph::Error> {
        let Some(graph) = self.graph("vocabulary") else { return Ok(()) };
        for (_, turtle) in catalog_ontology::scheme::SCHEMES_TTL {
            store.load_turtle(&graph, turtle)?;
        }
        store.load_turtle(&graph, catalog_ontology::generate::ontology_turtle())
    }

    /// Says what the statements of a record depend on beside the record: with another stamp they are made anew.
    pub fn stamp(&self) -> String {
        let mut vocabulary = Sha256::new();
        for (name, turtle) in catalog_ontology::scheme::SCHEMES_TTL {
            vocabulary.update(name);
            vocabulary.update(turtle);
        }
        vocabulary.update(catalog_ontology::generate::ontology_turtle());
        format!("{} {} {STATEMENTS} {:x}", self.base, env!("CARGO_PKG_VERSION"), vocabulary.finalize())
    }

    /// Returns where zones are at home.
    pub fn homes(&self) -> Arc<Homes> {
        Arc::clone(&self.homes)
    }

    /// Returns the public base URL.
    pub fn base(&self) -> &str {
        &self.base
    }
}

/// A zone as it would be if nothing ran there, from its configuration alone.
fn ceiling(zone: &ZoneConfig) -> ZoneSnapshot {
    let capability = Capability {
        // What is not configured is found out from the engine when it is asked; here it does not exclude anything.
        cpu: zone.cpu.unwrap_or(MilliCpu::cores(4096)),
        memory_mib: zone.memory_mib.unwrap_or(1 << 30),
        gpus: zone
            .gpu
            .iter()
            .map(|gpu| catalog_schemas::datazone::Gpu {
                vendor: gpu.vendor.clone(),
                model: gpu.model.clone(),
                count: gpu.count,
                memory_mib: gpu.memory_mib,
                cuda: gpu.cuda.clone(),
            })
            .collect(),
        architectures: vec!["amd64".to_owned(), "arm64".to_owned()],
        interfaces: zone
            .interfaces
            .clone()
            .unwrap_or_else(|| ["web", "desktop", "vm", "terminal", "headless"].map(str::to_owned).to_vec()),
        volumes: Vec::new(),
    };
    let capacity = Capacity {
        free_cpu: capability.cpu,
        free_memory_mib: capability.memory_mib,
        free_gpus: capability.gpus.iter().map(|gpu| FreeGpu { model: gpu.model.clone(), count: gpu.count }).collect(),
        sessions: 0,
        observed_at: Timestamp::UNIX_EPOCH.to_string(),
    };
    ZoneSnapshot {
        id: zone.id.to_string(),
        name: zone.name.clone(),
        demo: zone.is_demo(),
        capability,
        capacity: Some(capacity),
        capacity_ttl_seconds: i64::from(u32::MAX),
        volumes: zone.held_volumes(),
        health: Health::Up,
        policy: zone.policy(),
    }
}

/// Returns the record's name in the best language.
pub(super) fn name(record: &Record) -> &str {
    let name = record.name("en");
    if name.is_empty() { record.text("title", "en").unwrap_or_else(|| record.identifier()) } else { name }
}

fn names(record: &Record) -> Vec<(&str, &str)> {
    let names = record.texts("name");
    if names.is_empty() { record.texts("title") } else { names }
}

/// The words that find a record beside its texts: identifiers, authors, and labels of its concepts.
fn words(record: &Record, stored: &StoredRecord) -> Vec<String> {
    let mut words = vec![stored.identifier.to_string(), stored.identifier.name().to_owned()];
    for key in ["author", "creator", "maintainer"] {
        words.extend(record.nodes(key).into_iter().filter_map(|agent| agent.text("name")).map(str::to_owned));
    }
    for (facet, key) in CONCEPT_FACETS.into_iter().chain([("fileType", "associatedFileType")]) {
        let Some(scheme) = scheme_of(facet) else { continue };
        for path in record.concepts(key) {
            if let Some(concept) = scheme.find(path) {
                words.extend(concept.labels.iter().map(|(_, label)| label.clone()));
                words.extend(concept.alt_labels.iter().cloned());
            }
        }
    }
    words
}

fn facets(record: &Record, stored: &StoredRecord, zones: &[String]) -> Vec<(Facet, String)> {
    let mut facets = Vec::new();
    let mut add = |facet: &str, value: String| facets.extend(Facet::named(facet).map(|facet| (facet, value)));
    add("type", record.kind().as_str().to_owned());
    for source in std::iter::once(&stored.source).chain(&stored.also) {
        add("source", source.clone());
    }
    for (facet, key) in CONCEPT_FACETS {
        for path in record.concepts(key) {
            add(facet, path.to_owned());
        }
    }
    for file_type in record.strings("associatedFileType") {
        add("fileType", file_type.to_owned());
    }
    for zone in zones {
        add("datazone", zone.clone());
    }
    if matches!(record.kind(), Kind::Datalab | Kind::Pipeline) {
        let needs_gpu = record.needs().gpu.is_some_and(|gpu| gpu.count > 0);
        add("gpu", if needs_gpu { "required" } else { "none" }.to_owned());
    }
    if let Some(interface) = record.string("interfaceType") {
        add("interface", interface.to_owned());
    }
    if let Some(licence) = record.string("license") {
        let id = licence.trim_end_matches('/').rsplit('/').next().unwrap_or(licence);
        add("licence", id.to_owned());
    }
    let issued = record.string("issued").or_else(|| record.string("datePublished"));
    if let Some(year) = issued.and_then(|date| date.get(..4)) {
        add("year", year.to_owned());
    }
    facets
}

/// The facts that decide, ready to show.
fn facts(record: &Record) -> Vec<String> {
    let mut facts = Vec::new();
    if matches!(record.kind(), Kind::Datalab | Kind::Pipeline) {
        facts.push(amounts(&record.needs()));
    }
    let interface = match record.string("interfaceType") {
        Some("web") => Some("Web"),
        Some("desktop") => Some("Desktop"),
        Some("vm") => Some("Virtual machine"),
        Some("terminal") => Some("Terminal"),
        _ => None,
    };
    facts.extend(interface.map(str::to_owned));
    if record.kind() == Kind::DataVolume {
        facts.extend(record.string("defaultMountPath").map(str::to_owned));
    }
    facts
}

/// Writes needs as `2 CPU · 2 GiB · 1 GPU`.
fn amounts(needs: &Resources) -> String {
    let mut parts = Vec::new();
    if let Some(cpu) = needs.cpu {
        parts.push(format!("{} CPU", cpu.min));
    }
    if let Some(memory) = needs.memory_mib {
        let whole = memory.min >= 1024 && memory.min.is_multiple_of(1024);
        parts.push(if whole { format!("{} GiB", memory.min / 1024) } else { format!("{} MiB", memory.min) });
    }
    if let Some(gpu) = needs.gpu.as_ref().filter(|gpu| gpu.count > 0) {
        parts.push(format!("{} GPU", gpu.count));
    }
    parts.join(" · ")
}
