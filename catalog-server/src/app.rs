//! What every handler shares.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use catalog_graph::Store;
use catalog_index::Generations;
use catalog_records::Ledger;
use tokio::sync::Semaphore;

use crate::catalog::Catalog;
use crate::census::Census;
use crate::config::{Config, Sparql};
use crate::dumps::Dumps;
use crate::following::Following;
use crate::harvest::Harvester;
use crate::homes::Homes;
use crate::labels::FacetLabels;
use crate::launcher::Launcher;
use crate::oidc::Provider;
use crate::password::Passwords;
use crate::sparql::Pool;
use crate::throttle::Throttle;
use crate::view::Projection;
use crate::view::volumes::VolumeShelf;

/// Uploads held in memory at once, at 50 MiB each at the most.
const UPLOAD_SLOTS: usize = 8;

/// The parts of a running server.
pub struct App {
    /// What the operator chose.
    pub config: Config,
    /// The public base URL, without a trailing slash.
    pub base: String,
    /// The truth.
    pub ledger: Ledger,
    /// The only writer of records.
    pub catalog: Catalog,
    /// The RDF projection.
    pub graph: Arc<Store>,
    /// The search projection.
    pub index: Arc<Generations>,
    /// How records become documents and statements.
    pub projection: Arc<Projection>,
    /// The catalogue's data volumes.
    pub volumes: VolumeShelf,
    /// What facet values are called.
    pub labels: FacetLabels,
    /// Datazones and launches.
    pub launcher: Launcher,
    /// How many records there are.
    pub census: Census,
    /// Files with every public statement.
    pub dumps: Dumps,
    /// When the server was started.
    pub started: jiff::Timestamp,
    /// The processes that answer SPARQL queries.
    pub queries: Arc<Pool>,
    /// Those that answer moderators' queries, which see what is private, and nobody else's.
    pub staff_queries: Arc<Pool>,
    /// What drives harvests.
    pub harvester: Harvester,
    /// Where zones are at home.
    pub homes: Arc<Homes>,
    /// Uploads that may start.
    pub upload_slots: Arc<Semaphore>,
    /// The OpenAPI document.
    pub openapi: serde_json::Value,
    /// Numbers of signed requests of other zones.
    pub seen: crate::http::delegation::Seen,
    /// The door to the labs' own origin.
    pub door: crate::http::door::Door,
    /// The origin of the public base URL: scheme, host and port.
    pub origin: String,
    /// The identity providers, in their order.
    pub providers: Vec<Provider>,
    /// Counts attempts to sign in.
    pub throttle: Throttle,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// How far the search index has followed.
    pub indexed: Following,
    /// How far the moderators' RDF store has followed.
    pub staff_followed: Following,
    staff: OnceLock<Arc<Store>>,
    warm: AtomicBool,
}

/// The parts that are opened before the server is put together.
pub struct Parts {
    /// The truth.
    pub ledger: Ledger,
    /// The RDF projection.
    pub graph: Store,
    /// The search projection.
    pub index: Generations,
    /// How records become documents and statements.
    pub projection: Arc<Projection>,
    /// The catalogue's data volumes.
    pub volumes: VolumeShelf,
    /// Datazones and launches.
    pub launcher: Launcher,
    /// The OpenAPI document.
    pub openapi: serde_json::Value,
    /// The identity providers.
    pub providers: Vec<Provider>,
}

impl App {
    /// Puts the parts together.
    pub fn new(config: Config, parts: Parts) -> Self {
        let (base, queries) = (config.base(), Pool::new(config.sparql));
        // Moderators are few and known: one query at a time.
        let staff_queries = Pool::new(Sparql { workers: 1, ..config.sparql });
        let dumps = Dumps::new(config.data_dir.join("dumps"));
        let Parts { ledger, graph, index, projection, volumes, launcher, openapi, providers } = parts;
        let origin = url::Url::parse(&base).map_or_else(|_| base.clone(), |url| url.origin().ascii_serialization());
        Self {
            catalog: Catalog::new(ledger.clone(), config.zone.id.clone()).with_policy(config.policy.clone()),
            homes: projection.homes(),
            projection,
            volumes,
            labels: FacetLabels::new(&config),
            harvester: Harvester::default(),
            base,
            config,
            ledger,
            graph: Arc::new(graph),
            index: Arc::new(index),
            launcher,
            census: Census::default(),
            dumps,
            started: jiff::Timestamp::now(),
            queries,
            staff_queries,
            upload_slots: Arc::new(Semaphore::new(UPLOAD_SLOTS)),
            openapi,
            seen: crate::http::delegation::Seen::default(),
            door: crate::http::door::Door::default(),
            origin,
            providers,
            throttle: Throttle::default(),
            passwords: Passwords::default(),
            indexed: Following::default(),
            staff_followed: Following::default(),
            staff: OnceLock::new(),
            warm: AtomicBool::new(false),
        }
    }

    /// Returns the IRI of a record: the one that its home zone gave it.
    pub fn iri(&self, zone: &str, identifier: &str) -> String {
        self.homes.iri(zone, identifier)
    }

    /// Says whether the RDF store has once caught up since the start.
    pub fn graph_is_warm(&self) -> bool {
        self.warm.load(Ordering::Acquire)
    }

    /// Returns the moderators' RDF store, once it has caught up since the start.
    pub fn staff(&self) -> Option<Arc<Store>> {
        self.staff.get().cloned()
    }

    /// Lets moderators query their RDF store.
    pub fn open_staff(&self, store: &Arc<Store>) {
        self.staff.get_or_init(|| Arc::clone(store));
    }

    /// Notes that the RDF store has caught up.
    pub fn set_graph_warm(&self) {
        self.warm.store(true, Ordering::Release);
    }

    /// Returns what is wrong with the search index, while it is being built anew.
    pub fn index_trouble(&self) -> Option<String> {
        self.index.failure().map(|error| error.to_string())
    }

    /// Gives the search index up when an error says that building it anew is the answer.
    pub fn give_up_index(&self, error: catalog_index::Error) {
        if error.needs_rebuild() {
            tracing::warn!(%error, "the search index is damaged and will be built anew");
            self.index.give_up_current(error);
        }
    }

    /// Says whether the search index was made for other datazones than the configuration has now.
    pub fn index_is_outdated(&self) -> bool {
        let made_for = std::fs::read_to_string(self.fingerprint_file()).unwrap_or_default();
        made_for != self.projection.fingerprint() && self.index.current().is_some()
    }

    /// Notes that the search index was made for the configuration as it is.
    pub fn note_index_is_current(&self) {
        // Without the note the index is built once more at the next start; nothing is lost.
        if let Err(error) = std::fs::write(self.fingerprint_file(), self.projection.fingerprint()) {
            tracing::warn!(%error, "cannot note what the search index was made for");
        }
    }

    fn fingerprint_file(&self) -> std::path::PathBuf {
        self.config.data_dir.join("index").join("MADE_FOR")
    }
}
