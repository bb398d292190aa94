//! The graph's writer: how changed records replace their own, durably, and how the files are kept small.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oxigraph::model::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term, TermRef, Triple};

use crate::reader::{Together, Version};
use crate::rebuild::Rebuild;
use crate::storage::build::{RunBuilder, Source, merge};
use crate::storage::delta::{Batch, BatchBuilder, Delta};
use crate::storage::log::{Log, START};
use crate::storage::snapshot::Snapshot;
use crate::storage::term::encode;
use crate::storage::view::{View, graph_id};
use crate::storage::{DEFAULT_GRAPH, Quad};
use crate::{Error, folder};

/// Changed quads below which a delta is never compacted.
const SMALL_DELTA: usize = 50_000;

/// The share of a generation, as its divisor, above which its delta is compacted.
const DELTA_SHARE: usize = 32;

/// How long a compaction that failed is not tried again.
const COMPACT_AGAIN: Duration = Duration::from_secs(60);

/// One record's new state: everything that is said of it now, or nothing when it is gone.
#[derive(Debug, Clone)]
pub struct Change {
    /// The record's IRI; statements about it, its versions and its parts (`{iri}/…`, `{iri}#…`) are replaced.
    pub iri: NamedNode,
    /// The merged view, which the default graph holds; empty removes it.
    pub triples: Vec<Triple>,
    /// What each source says, by its graph; nothing where it says exactly the merged view, as a record's only source does.
    pub said: Vec<(NamedNode, Option<Vec<Triple>>)>,
}

/// The RDF store: the default graph is the merged public view, one named graph a source is what the source said.
///
/// One process writes a folder; others read it with [`Reader`](crate::Reader).
pub struct Store {
    shared: Arc<Shared>,
    compaction: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    folder: PathBuf,
    stamp: String,
    state: RwLock<State>,
    writer: Mutex<Writer>,
    compacting: AtomicBool,
    /// When the last compaction failed.
    failed: Mutex<Option<Instant>>,
    stopping: AtomicBool,
    /// Held as long as the store is open, so that no other process writes.
    _lock: File,
}

#[derive(Clone)]
struct State {
    generation: u64,
    view: View,
    cause: Option<String>,
}

struct Writer {
    log: Log,
    /// What was applied since a compaction began.
    since: Option<Vec<Batch>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Opens a folder for writing, or makes it.
    ///
    /// `stamp` says what the statements depend on beside the ledger, such as the base URL. Files that are damaged, of
    /// another format or of another stamp are no error: see [`Self::rebuild_cause`].
    pub fn open(folder: &Path, stamp: &str) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)?;
        let file = File::create(folder.join("LOCK"))?;
        file.try_lock().map_err(|_| Error::InUse(folder.display().to_string()))?;
        let opened = match open_current(folder, stamp) {
            Ok(opened) => opened,
            Err(cause) => {
                let number = folder::next(folder)?;
                let built = folder::begin(folder, &format!("build-{number}"))?;
                merge(Vec::new(), &built, 0, stamp, false, &|| false)?;
                let (view, log) = publish(folder, &built, number, &[])?;
                (State { generation: number, view, cause: Some(cause) }, log)
            }
        };
        let (state, log) = opened;
        folder::tidy(folder, state.generation);
        let shared = Shared {
            folder: folder.to_owned(),
            stamp: stamp.to_owned(),
            state: RwLock::new(state),
            writer: Mutex::new(Writer { log, since: None }),
            compacting: AtomicBool::new(false),
            failed: Mutex::new(None),
            stopping: AtomicBool::new(false),
            _lock: file,
        };
        Ok(Self { shared: Arc::new(shared), compaction: Mutex::new(None) })
    }

    /// Says why the graph must be filled anew before it answers for the ledger; none when it only has to follow.
    pub fn rebuild_cause(&self) -> Option<String> {
        self.shared.state().cause
    }

    /// Declares that the graph must be filled anew, for a reason.
    pub fn give_up(&self, cause: String) {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner).cause = Some(cause);
    }

    /// Says whether the folder still has what was opened: somebody may have removed it.
    pub fn is_in_place(&self) -> bool {
        folder::current(&self.shared.folder).is_ok_and(|current| current.is_some())
    }

    /// Reads every byte of the generation and compares checksums; the error says what is damaged.
    pub fn check(&self) -> Result<(), Error> {
        let state = self.shared.state();
        let current = folder::current(&self.shared.folder)?;
        match state.view.base.verify() {
            // A compaction took the files away meanwhile.
            Err(_) if current != Some(state.generation) || self.version().generation != state.generation => Ok(()),
            checked => Ok(checked?),
        }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Returns the ledger's sequence up to which the store has followed.
    pub fn applied_seq(&self) -> u64 {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner).view.delta.seq
    }

    /// Returns which state this is, for a reader in another process.
    pub fn version(&self) -> Version {
        let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
        let delta = &state.view.delta;
        Version { generation: state.generation, delta: delta.log, applied_seq: delta.seq }
    }

    /// Returns the current state.
    pub fn view(&self) -> View {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner).view.clone()
    }

    /// Returns the number of statements over all graphs.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Says whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Replaces records by their new state, all or none, and moves to the sequence.
    pub fn apply(&self, changes: &[Change], seq: u64) -> Result<(), Error> {
        let mut writer = lock(&self.shared.writer);
        let state = self.shared.state();
        let batch = batch_of(&state.view, changes, seq);
        let end = writer.log.append(&batch)?;
        let delta = state.view.delta.apply(&state.view.base, &batch, end);
        let size = delta.size();
        let view = View { base: state.view.base, delta: Arc::new(delta) };
        let large = size > SMALL_DELTA.max(view.base.quads() / DELTA_SHARE);
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner).view = view;
        if let Some(since) = &mut writer.since {
            since.push(batch);
        }
        drop(writer);
        if large {
            self.compact_in_background();
        }
        Ok(())
    }

    /// Begins to fill the graph anew; queries go on with what is there.
    pub fn rebuild(&self) -> Result<Rebuild, Error> {
        std::fs::create_dir_all(&self.shared.folder)?;
        Ok(Rebuild::new(self.shared.folder.clone(), folder::next(&self.shared.folder)?))
    }

    /// Puts a new filling in the place of what is there, at once; it stands for the sequence.
    pub fn install(&self, rebuild: Rebuild, seq: u64) -> Result<(), Error> {
        let built = rebuild.finish(seq, &self.shared.stamp)?;
        let mut writer = lock(&self.shared.writer);
        self.shared.swap(&mut writer, &built, &[], None)
    }

    /// Writes generation and delta into a new generation and waits for it.
    pub fn compact(&self) -> Result<(), Error> {
        self.shared.compact()
    }

    fn compact_in_background(&self) {
        let mut running = lock(&self.compaction);
        if lock(&self.shared.failed).is_some_and(|at| at.elapsed() < COMPACT_AGAIN) {
            return;
        }
        if self.shared.compacting.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(finished) = running.take() {
            // It has ended: `compacting` was false.
            let _ = finished.join();
        }
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("graph-compaction".to_owned()).spawn(move || {
            let compacted = shared.compact();
            *lock(&shared.failed) = compacted.is_err().then(Instant::now);
            if let Err(error) = compacted
                && !shared.stopping.load(Ordering::Acquire)
            {
                tracing::error!(%error, "the graph could not be compacted; it goes on with a longer log");
            }
            shared.compacting.store(false, Ordering::Release);
        });
        match thread {
            Ok(thread) => *running = Some(thread),
            Err(error) => {
                self.shared.compacting.store(false, Ordering::Release);
                tracing::error!(%error, "no thread for the compaction of the graph");
            }
        }
    }

    /// Returns what the default graph says about a record, its versions and its parts, sorted.
    pub fn describe(&self, iri: NamedNodeRef<'_>) -> Result<Vec<Triple>, Error> {
        Ok(self.view().describe(iri))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(thread) = lock(&self.compaction).take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn compact(&self) -> Result<(), Error> {
        let state = {
            let mut writer = lock(&self.writer);
            writer.since = Some(Vec::new());
            self.state()
        };
        let number = state.generation + 1;
        let built = self.build_next(&state.view, number);
        let mut writer = lock(&self.writer);
        let since = writer.since.take().unwrap_or_default();
        if self.state().generation != state.generation {
            // A new filling was installed meanwhile, and the files that were read may be gone.
            if let Ok(built) = built {
                let _ = std::fs::remove_dir_all(built);
            }
            return Ok(());
        }
        // Why it must be filled anew, if it must, is as true of the merged files.
        let cause = self.state().cause;
        self.swap(&mut writer, &built?, &since, cause)
    }

    fn build_next(&self, view: &View, number: u64) -> Result<PathBuf, Error> {
        // What is damaged must not be copied; the merge also relies on ids that are in the dictionary.
        if let Err(error) = view.base.verify() {
            self.state.write().unwrap_or_else(PoisonError::into_inner).cause = Some(error.to_string());
            return Err(error.into());
        }
        let built = folder::begin(&self.folder, &format!("compact-{number}"))?;
        let mut run = RunBuilder::default();
        let mut without: Vec<Quad> = Vec::new();
        for (graph, changes) in view.delta.graphs() {
            let graph_in_run = graph.map_or(DEFAULT_GRAPH, |graph| run.id_of_bytes(view.bytes(graph)));
            for triple in &changes.added.spo {
                let [s, p, o] = triple.map(|id| run.id_of_bytes(view.bytes(id)));
                run.add([graph_in_run, s, p, o]);
            }
            without.extend(changes.removed.spo.iter().map(|[s, p, o]| [graph_id(graph), *s, *p, *o]));
        }
        let sources = vec![Source::Snapshot { snapshot: &view.base, without }, Source::Run(run.sort())];
        let stop = || self.stopping.load(Ordering::Acquire);
        let filled = view.base.manifest.filled;
        merge(sources, &built, view.applied_seq(), &self.stamp, filled, &stop)?;
        Ok(built)
    }

    fn swap(&self, writer: &mut Writer, built: &Path, since: &[Batch], cause: Option<String>) -> Result<(), Error> {
        let number = folder::next(&self.folder)?;
        let (view, log) = publish(&self.folder, built, number, since)?;
        writer.log = log;
        writer.since = None;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State { generation: number, view, cause };
        folder::tidy(&self.folder, number);
        Ok(())
    }
}

/// Makes a folder that was built the current generation, with a log of these batches.
fn publish(folder: &Path, built: &Path, number: u64, since: &[Batch]) -> Result<(View, Log), Error> {
    let log = Log::create(built, since)?;
    folder::publish(folder, built, number)?;
    let base = Snapshot::open(&folder::generation(folder, number))?;
    let mut together = Together::default();
    since.iter().for_each(|batch| together.add(batch));
    let delta = together.apply(&base, &Delta::new(base.manifest.applied_seq, START), log.end());
    Ok((View { base: Arc::new(base), delta: Arc::new(delta) }, log))
}

/// Opens what is there, or says why it cannot be used.
fn open_current(folder: &Path, stamp: &str) -> Result<(State, Log), String> {
    let number = folder::current(folder).map_err(|error| error.to_string())?.ok_or("there is no graph yet")?;
    let place = folder::generation(folder, number);
    let base = Snapshot::open(&place).map_err(|error| error.to_string())?;
    base.verify().map_err(|error| error.to_string())?;
    if !base.manifest.filled {
        return Err("its filling did not end".to_owned());
    }
    if base.manifest.stamp != stamp {
        return Err("it was made for another address or by another version".to_owned());
    }
    let mut together = Together::default();
    let (log, cut) = Log::open(&place, |batch, _| together.add(&batch)).map_err(|error| error.to_string())?;
    if cut > 0 {
        tracing::warn!(bytes = cut, "the graph's log had a torn end, which was cut; the ledger has it");
    }
    let delta = together.apply(&base, &Delta::new(base.manifest.applied_seq, START), log.end());
    let view = View { base: Arc::new(base), delta: Arc::new(delta) };
    Ok((State { generation: number, view, cause: None }, log))
}

/// Writes changes as quads: what each record said goes, what it says now comes.
fn batch_of(view: &View, changes: &[Change], seq: u64) -> Batch {
    let mut builder = BatchBuilder::default();
    // Of two states of one record, the later holds.
    let last: std::collections::HashMap<&str, usize> =
        changes.iter().enumerate().map(|(at, change)| (change.iri.as_str(), at)).collect();
    let graphs: Vec<Option<u32>> = std::iter::once(None).chain(view.named_graphs().into_iter().map(Some)).collect();
    let mut buffer = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        if last.get(change.iri.as_str()) != Some(&at) {
            continue;
        }
        for subject in view.subjects_of(change.iri.as_ref()) {
            for graph in &graphs {
                let (predicates, objects) = view.graph(*graph).about(subject);
                for (predicate, object) in predicates.iter().zip(objects.iter()) {
                    let graph = graph.map_or(DEFAULT_GRAPH, |graph| builder.id(view.bytes(graph)));
                    let [s, p, o] = [subject, *predicate, *object].map(|id| builder.id(view.bytes(id)));
                    builder.set([graph, s, p, o], false);
                }
            }
        }
    }
    for (at, change) in changes.iter().enumerate() {
        if last.get(change.iri.as_str()) != Some(&at) {
            continue;
        }
        let mut id = |term: TermRef<'_>| {
            encode(term, &mut buffer);
            builder.id(&buffer)
        };
        let mut ids = |triples: &[Triple]| -> Vec<[u32; 3]> {
            let ids = triples.iter().map(|triple| {
                [id(triple.subject.as_ref().into()), id(triple.predicate.as_ref().into()), id(triple.object.as_ref())]
            });
            ids.collect()
        };
        let merged = ids(&change.triples);
        let said: Vec<Option<Vec<[u32; 3]>>> =
            change.said.iter().map(|(_, triples)| triples.as_deref().map(&mut ids)).collect();
        let graphs: Vec<u32> = change.said.iter().map(|(graph, _)| id(graph.as_ref().into())).collect();
        for [s, p, o] in &merged {
            builder.set([DEFAULT_GRAPH, *s, *p, *o], true);
        }
        for (graph, said) in graphs.into_iter().zip(&said) {
            for [s, p, o] in said.as_ref().unwrap_or(&merged) {
                builder.set([graph, *s, *p, *o], true);
            }
        }
    }
    builder.finish(seq)
}

impl View {
    /// Returns what the default graph says about a record, its versions and its parts, sorted.
    pub fn describe(&self, iri: NamedNodeRef<'_>) -> Vec<Triple> {
        let mut triples: Vec<Triple> = Vec::new();
        for subject in self.subjects_of(iri) {
            let (predicates, objects) = self.graph(None).about(subject);
            for (predicate, object) in predicates.iter().zip(objects.iter()) {
                triples.extend(self.triple([subject, *predicate, *object]));
            }
        }
        triples.sort_by_cached_key(ToString::to_string);
        triples
    }

    /// Makes a triple of ids; none when a damaged file says that a literal is a subject.
    pub(crate) fn triple(&self, [s, p, o]: [u32; 3]) -> Option<Triple> {
        let subject = match self.term(s) {
            Term::NamedNode(node) => NamedOrBlankNode::NamedNode(node),
            Term::BlankNode(node) => NamedOrBlankNode::BlankNode(node),
            _ => return None,
        };
        let Term::NamedNode(predicate) = self.term(p) else { return None };
        Some(Triple::new(subject, predicate, self.term(o)))
    }

    /// Finds the record, and the parts and versions that its statements lead to or that point at it.
    fn subjects_of(&self, iri: NamedNodeRef<'_>) -> Vec<u32> {
        let Some(record) = self.find(iri.into()) else { return Vec::new() };
        let own = |id: u32| {
            let rest = self.bytes(id).strip_prefix(b"I").and_then(|text| text.strip_prefix(iri.as_str().as_bytes()));
            rest.is_some_and(|rest| matches!(rest.first(), Some(b'/' | b'#')))
        };
        let graph = self.graph(None);
        let predicates = graph.predicates();
        let (mut known, mut found, mut at) = (HashSet::from([record]), vec![record], 0);
        while let Some(&subject) = found.get(at) {
            at += 1;
            for object in graph.about(subject).1.iter() {
                if own(*object) && known.insert(*object) {
                    found.push(*object);
                }
            }
            // A catalogue record, or another node, may point at the record instead of being pointed at.
            for predicate in &predicates {
                for source in graph.subjects(*predicate, subject).iter() {
                    if own(*source) && known.insert(*source) {
                        found.push(*source);
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GraphSyntax, Reader};
    use oxigraph::model::Literal;

    fn iri(text: &str) -> NamedNode {
        NamedNode::new(text).unwrap()
    }

    fn change(n: u32, name: &str) -> Change {
        let subject = iri(&format!("http://e/id/z/a{n}"));
        let needs = iri(&format!("http://e/id/z/a{n}#needs"));
        let name = Triple::new(subject.clone(), iri("http://e/name"), Literal::from(name));
        let link = Triple::new(subject.clone(), iri("http://e/needs"), needs.clone());
        let cpu = Triple::new(needs, iri("http://e/cpu"), Literal::from(2));
        Change { iri: subject, triples: vec![name, link, cpu], said: vec![(iri("http://e/graph/z"), None)] }
    }

    fn gone(n: u32) -> Change {
        Change { triples: Vec::new(), ..change(n, "") }
    }

    fn filled(folder: &Path, changes: &[Change], seq: u64) -> Store {
        let store = Store::open(folder, "stamp").unwrap();
        let mut rebuild = store.rebuild().unwrap();
        rebuild.fill(changes).unwrap();
        store.install(rebuild, seq).unwrap();
        store
    }

    /// Everything that a view says, graph by graph, in words.
    fn said(view: &View) -> Vec<String> {
        let mut said = Vec::new();
        for graph in std::iter::once(None).chain(view.named_graphs().into_iter().map(Some)) {
            let name = graph.map_or_else(String::new, |id| view.term(id).to_string());
            for predicate in view.graph(graph).predicates() {
                let (subjects, objects) = view.graph(graph).by_subject(predicate);
                for (s, o) in subjects.iter().zip(objects.iter()) {
                    assert!(view.graph(graph).contains(*s, predicate, *o));
                    said.push(format!("{} {name}", view.triple([*s, predicate, *o]).unwrap()));
                }
            }
        }
        said.sort();
        assert_eq!(said.len(), view.len());
        said
    }

    #[test]
    fn a_change_replaces_a_record_with_its_parts_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "").unwrap();
        store.apply(&[change(1, "one"), change(11, "eleven")], 2).unwrap();
        assert_eq!(store.len(), 12);
        store.apply(&[change(1, "uno")], 3).unwrap();
        assert_eq!((store.len(), store.applied_seq()), (12, 3));
        let text = String::from_utf8(
            GraphSyntax::NTriples.write(&store.describe(iri("http://e/id/z/a1").as_ref()).unwrap()).unwrap(),
        );
        assert_eq!(
            text.unwrap(),
            "<http://e/id/z/a1#needs> <http://e/cpu> \"2\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n\
             <http://e/id/z/a1> <http://e/name> \"uno\" .\n\
             <http://e/id/z/a1> <http://e/needs> <http://e/id/z/a1#needs> .\n"
        );
        store.apply(&[gone(1)], 4).unwrap();
        assert_eq!(store.len(), 6);
        assert_eq!(store.describe(iri("http://e/id/z/a11").as_ref()).unwrap().len(), 3);
    }

    #[test]
    fn filling_applying_and_compacting_give_the_same_here_and_in_another_reader() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let changes: Vec<_> = (0..20).map(|n| change(n, &format!("name {n}"))).collect();
        let filled = filled(folders[0].path(), &changes, 20);
        let applied = Store::open(folders[1].path(), "stamp").unwrap();
        for (at, change) in changes.iter().enumerate() {
            applied.apply(std::slice::from_ref(change), at as u64 + 1).unwrap();
        }
        let mut reader = Reader::open(folders[0].path()).unwrap();
        assert_eq!(said(&filled.view()), said(&applied.view()));
        for store in [&filled, &applied] {
            store.apply(&[change(3, "drei"), gone(4)], 21).unwrap();
            store.apply(&[change(4, "vier"), change(30, "dreißig")], 22).unwrap();
        }
        let expected = said(&filled.view());
        assert_eq!(expected, said(&applied.view()));
        reader.refresh(filled.version()).unwrap();
        assert_eq!((expected.clone(), 22), (said(&reader.view()), reader.view().applied_seq()));
        applied.compact().unwrap();
        filled.compact().unwrap();
        assert_eq!((said(&filled.view()), filled.view().delta.size()), (expected.clone(), 0));
        assert_eq!(expected, said(&applied.view()));
        // What was never used again is gone from the dictionary.
        assert!(filled.view().find(Literal::from("name 3").as_ref().into()).is_none());
        assert_eq!(said(&reader.view()), expected);
        reader.refresh(filled.version()).unwrap();
        assert_eq!(said(&reader.view()), expected);
        filled.check().unwrap();
    }

    #[test]
    fn a_store_that_is_opened_again_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path(), &[change(1, "one")], 7);
        store.apply(&[change(2, "two")], 8).unwrap();
        let expected = said(&store.view());
        assert!(matches!(Store::open(folder.path(), "stamp"), Err(Error::InUse(_))));
        drop(store);
        let store = Store::open(folder.path(), "stamp").unwrap();
        assert_eq!((store.rebuild_cause(), store.applied_seq(), said(&store.view())), (None, 8, expected));
        drop(store);
        let store = Store::open(folder.path(), "another").unwrap();
        assert!(store.rebuild_cause().is_some() && store.is_empty() && store.applied_seq() == 0);
        // A filling that was cut short is not taken for one that ended, also when changes were merged into it.
        store.apply(&[change(1, "one")], 1).unwrap();
        store.compact().unwrap();
        assert!(store.rebuild_cause().is_some());
        drop(store);
        assert!(Store::open(folder.path(), "another").unwrap().rebuild_cause().is_some());
    }

    #[test]
    fn damage_of_any_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path(), &[change(1, "one"), change(2, "two")], 7));
        let generation = folder::generation(folder.path(), folder::current(folder.path()).unwrap().unwrap());
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&generation).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.push(folder.path().join("CURRENT"));
        assert_eq!(files.len(), 15);
        let copy = tempfile::tempdir().unwrap();
        for damaged in &files {
            for damage in ["flip", "cut", "remove"] {
                let target = copy.path().join("graph");
                let _ = std::fs::remove_dir_all(&target);
                let place = target.join(generation.file_name().unwrap());
                std::fs::create_dir_all(&place).unwrap();
                for file in &files {
                    let to = if file.ends_with("CURRENT") {
                        target.join("CURRENT")
                    } else {
                        place.join(file.file_name().unwrap())
                    };
                    let mut bytes = std::fs::read(file).unwrap();
                    if file == damaged {
                        match damage {
                            "flip" => *bytes.last_mut().unwrap() ^= 0x40,
                            "cut" => bytes.truncate(bytes.len() / 2),
                            _ => continue,
                        }
                    }
                    std::fs::write(to, bytes).unwrap();
                }
                let store = Store::open(&target, "stamp").unwrap();
                let name = damaged.display();
                // Half a number is a number: only here the checksum of what it names has to tell.
                let other_number = damaged.ends_with("CURRENT") && damage != "remove";
                assert!(store.rebuild_cause().is_some() || other_number, "{damage} {name}");
            }
        }
    }

    #[test]
    fn a_merged_record_is_in_the_default_graph_and_each_saying_in_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let one = change(1, "merged");
        let says = |name: &str| vec![Triple::new(one.iri.clone(), iri("http://e/name"), Literal::from(name))];
        let (a, b) = (iri("http://e/graph/a"), iri("http://e/graph/b"));
        let merged = Change { said: vec![(a.clone(), Some(says("a"))), (b.clone(), Some(says("b")))], ..one.clone() };
        let filled = filled(folder.path(), std::slice::from_ref(&merged), 1);
        let in_files = said(&filled.view());
        assert_eq!(in_files.len(), 3 + 2, "{in_files:?}");
        assert!(in_files.iter().any(|line| line.contains("\"a\"") && line.ends_with("<http://e/graph/a>")));
        filled.apply(std::slice::from_ref(&one), 2).unwrap();
        assert_eq!(said(&filled.view()).len(), 3 + 3);
        filled.apply(&[merged], 3).unwrap();
        let (mut now, mut before) = (said(&filled.view()), in_files);
        now.sort();
        before.sort();
        assert_eq!(now, before);
        filled.apply(&[gone(1)], 4).unwrap();
        assert!(filled.is_empty());
    }
}
