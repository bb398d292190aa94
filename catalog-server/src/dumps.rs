//! Dumps: files with every public statement, written once a sequence and kept until a newer one is there.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog_document::vocabulary;
use catalog_document::void::Statistics;
use catalog_graph::{Change, Triple};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::app::App;
use crate::http::problem::Failure;
use crate::view::is_listed;

/// Records read at a time.
const SCAN: u32 = 1000;

/// How long a request waits for a newer dump when there is an older one, and when there is none.
const WAIT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// A dump is written again only after this many times the time that it took, so that writing takes a tenth of a core.
const REST: u32 = 10;

/// A dump that is there.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The file.
    pub path: PathBuf,
    /// The sequence that it holds.
    pub seq: u64,
    /// What was counted while it was written; sources are the ledger's to count.
    pub statistics: Statistics,
    took: Duration,
    written: Instant,
}

/// Writes dumps when they are asked for, one at a time.
#[derive(Debug)]
pub struct Dumps {
    folder: PathBuf,
    kept: Mutex<HashMap<String, Dump>>,
    writing: tokio::sync::Mutex<()>,
}

impl Dumps {
    /// Keeps dumps in a folder; what an earlier process left there is written anew when it is asked for.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, kept: Mutex::default(), writing: tokio::sync::Mutex::new(()) }
    }

    /// Returns the dump of everything or of one source: as new as can be had within a moment.
    ///
    /// # Errors
    ///
    /// 503 while the first one is being written.
    pub async fn get(&self, app: &Arc<App>, source: Option<&str>) -> Result<Dump, Failure> {
        let kept = self.kept(source);
        let seq = app.ledger.last_seq();
        let rests = |dump: &Dump| dump.written.elapsed() < dump.took * REST;
        if let Some(dump) = kept.as_ref().filter(|dump| dump.seq >= seq || rests(dump)) {
            return Ok(dump.clone());
        }
        let (task_app, task_source) = (Arc::clone(app), source.map(str::to_owned));
        // The writing goes on when the request is given up; the next one finds the file.
        let writing = tokio::spawn(async move { task_app.dumps.renew(&task_app, task_source.as_deref(), seq).await });
        let wait = if kept.is_some() { WAIT.0 } else { WAIT.1 };
        match (tokio::time::timeout(wait, writing).await, kept) {
            (Ok(written), _) => written?,
            (Err(_), Some(older)) => Ok(older),
            (Err(_), None) => {
                Err(Failure::unavailable("dump.writing", "the dump is being written for the first time", 30))
            }
        }
    }

    fn kept(&self, source: Option<&str>) -> Option<Dump> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(source.unwrap_or_default()).cloned()
    }

    async fn renew(&self, app: &Arc<App>, source: Option<&str>, seq: u64) -> Result<Dump, Failure> {
        let _only = self.writing.lock().await;
        // Whoever waited for the same finds it written.
        if let Some(dump) = self.kept(source).filter(|dump| dump.seq >= seq) {
            return Ok(dump);
        }
        let dump = write(app, &self.folder, source).await?;
        tracing::info!(
            source,
            seq = dump.seq,
            triples = dump.statistics.triples,
            ms = dump.took.as_millis() as u64,
            "a dump is written"
        );
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(source.unwrap_or_default().to_owned(), dump.clone());
        Ok(dump)
    }
}

async fn write(app: &Arc<App>, folder: &Path, source: Option<&str>) -> Result<Dump, Failure> {
    let started = Instant::now();
    // What changes while the ledger is read may be there already: a dump holds at least its sequence.
    let seq = app.ledger.last_seq();
    let path = folder.join(source.map_or_else(|| "all.nq.gz".to_owned(), |source| format!("source-{source}.nq.gz")));
    let mut writing = blocking({
        let (folder, path, base) = (folder.to_owned(), path.clone(), app.base.clone());
        let only = source.map(|source| format!("{base}/graph/{source}"));
        move || Writing::begin(&folder, &path, base, only)
    })
    .await?;
    let mut after = 0;
    loop {
        let records = app.ledger.public_after(after, source, &[], SCAN).await?;
        let Some(last) = records.last() else { break };
        after = last.id;
        let projection = Arc::clone(&app.projection);
        let said = crate::projector::said_of(&app.ledger, &records).await.map_err(Failure::internal)?;
        writing = blocking(move || {
            for record in records.iter().filter(|record| is_listed(record)) {
                if let Some(change) = projection.change(record, said.get(&record.id)) {
                    writing.record(&change)?;
                }
            }
            Ok(writing)
        })
        .await?;
    }
    let to = path.clone();
    let statistics = blocking(move || writing.finish(&to)).await?;
    Ok(Dump { path, seq, statistics, took: started.elapsed(), written: Instant::now() })
}

async fn blocking<T: Send + 'static>(run: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(run).await?.map_err(Failure::internal)
}

/// A dump being written, and what was counted so far.
struct Writing {
    out: GzEncoder<BufWriter<File>>,
    unfinished: PathBuf,
    /// The one graph that is written; every graph and the merged view when none is named.
    only: Option<String>,
    base: String,
    /// Statements about what is named elsewhere, such as people, which several records may say.
    shared: HashSet<u64>,
    subjects_elsewhere: HashSet<u64>,
    subjects: u64,
    triples: u64,
    classes: HashMap<String, u64>,
    properties: HashMap<String, u64>,
}

impl Writing {
    fn begin(folder: &Path, path: &Path, base: String, only: Option<String>) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let unfinished = path.with_extension("unfinished");
        let out = GzEncoder::new(BufWriter::with_capacity(1 << 18, File::create(&unfinished)?), Compression::fast());
        let mut writing = Self {
            out,
            unfinished,
            only,
            base,
            shared: HashSet::new(),
            subjects_elsewhere: HashSet::new(),
            subjects: 0,
            triples: 0,
            classes: HashMap::new(),
            properties: HashMap::new(),
        };
        if writing.only.is_none() {
            let graph = format!("{}/graph/vocabulary", writing.base);
            let schemes = catalog_ontology::scheme::SCHEMES_TTL.iter().filter_map(|(name, _)| vocabulary::scheme(name));
            for triples in schemes.chain([vocabulary::ontology()]) {
                // Nothing of it is a record's own.
                writing.count(None, triples);
                writing.lines(&graph, triples)?;
            }
        }
        Ok(writing)
    }

    fn record(&mut self, change: &Change) -> std::io::Result<()> {
        self.count(Some(change.iri.as_str()), &change.triples);
        self.merged(&change.triples)?;
        for (graph, triples) in &change.said {
            if self.only.as_ref().is_some_and(|only| only != graph.as_str()) {
                continue;
            }
            self.said(graph.as_str(), triples.as_ref().unwrap_or(&change.triples))?;
        }
        Ok(())
    }

    fn lines(&mut self, graph: &str, triples: &[Triple]) -> std::io::Result<()> {
        self.merged(triples)?;
        self.said(graph, triples)
    }

    fn merged(&mut self, triples: &[Triple]) -> std::io::Result<()> {
        let merged = if self.only.is_none() { triples } else { &[] };
        merged.iter().try_for_each(|triple| writeln!(self.out, "{triple} ."))
    }

    fn said(&mut self, graph: &str, triples: &[Triple]) -> std::io::Result<()> {
        triples.iter().try_for_each(|triple| writeln!(self.out, "{triple} <{graph}> ."))
    }

    fn count(&mut self, iri: Option<&str>, triples: &[Triple]) {
        let mut own: HashSet<String> = HashSet::new();
        for triple in triples {
            let subject = triple.subject.to_string();
            if iri.is_some_and(|iri| subject.trim_start_matches('<').starts_with(iri)) {
                own.insert(subject);
            } else {
                self.subjects_elsewhere.insert(hash(&subject));
                if !self.shared.insert(hash(&triple.to_string())) {
                    continue;
                }
            }
            self.triples += 1;
            *self.properties.entry(triple.predicate.as_str().to_owned()).or_default() += 1;
            if triple.predicate.as_str() == "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
                && let catalog_graph::Term::NamedNode(class) = &triple.object
            {
                *self.classes.entry(class.as_str().to_owned()).or_default() += 1;
            }
        }
        self.subjects += own.len() as u64;
    }

    /// Puts the finished file in its place at once; who reads the older one goes on reading it.
    fn finish(self, path: &Path) -> std::io::Result<Statistics> {
        self.out.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&self.unfinished, path)?;
        let sorted = |counts: HashMap<String, u64>| {
            let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
            counts.sort();
            counts
        };
        Ok(Statistics {
            triples: self.triples,
            classes: sorted(self.classes),
            properties: sorted(self.properties),
            subjects: self.subjects + self.subjects_elsewhere.len() as u64,
            ..Statistics::default()
        })
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
