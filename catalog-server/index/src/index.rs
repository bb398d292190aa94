//! The index on disk or in memory: opened, written in batches, searched.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use catalog_schemas::search::{SearchAnswer, SearchQuery, Suggestions};
use serde::{Deserialize, Serialize};
use tantivy::collector::TopDocs;
use tantivy::directory::MmapDirectory;
use tantivy::indexer::IndexWriterOptions;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::query::{AllQuery, BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyError, Term};

use crate::analysed;
use crate::answer::{self, Answer, Iris};
use crate::document::{Batch, Fields};
use crate::error::Error;
use crate::grammar;
use crate::matching::{self, Where};
use crate::suggest;
use crate::values::{Facet, Labels};
use crate::view::View;

/// What the writer may hold before it writes a segment; it is taken as needed.
const WRITER_MEMORY: usize = 32 << 20;

/// Segments of fewer records count as equally small when it is decided what to merge. The engine's default of 10,000 would
/// write a large part of a segment of thousands again for every few small commits.
const SMALL_SEGMENT: u32 = 1000;

/// Up to so many records [`Index::settle`] makes a single segment; that takes some seconds.
const ONE_SEGMENT: u32 = 250_000;

/// A stored record is about 1 kB and a page reads twenty from all over; larger blocks would be unpacked for one each.
const STORE_BLOCK: usize = 2048;

/// What is written into each commit.
#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    seq: u64,
    schema: String,
}

/// A search index. Searches go on while a batch is applied, each on the state that it began with.
pub struct Index {
    place: PathBuf,
    engine: tantivy::Index,
    fields: Fields,
    reader: IndexReader,
    writer: Mutex<Option<IndexWriter>>,
    view: RwLock<Arc<View>>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("place", &self.place)
            .field("applied_seq", &self.applied_seq())
            .finish_non_exhaustive()
    }
}

impl Index {
    /// Opens the index in a folder.
    pub fn open(place: impl Into<PathBuf>) -> Result<Self, Error> {
        let place = place.into();
        if !place.join("meta.json").is_file() {
            return Err(Error::Missing(place));
        }
        guarded(&place, || {
            let directory = MmapDirectory::open(&place)?;
            let mut engine = tantivy::Index::open(directory)?;
            engine.set_tokenizers(analysed::tokenizers());
            Ok(engine)
        })
        .and_then(|engine| Self::with(place, engine))
    }

    /// Creates an empty index in a folder, which is made if there is none and must not hold one already.
    pub fn create(place: impl Into<PathBuf>) -> Result<Self, Error> {
        let place = place.into();
        std::fs::create_dir_all(&place).map_err(|source| Error::Io { place: place.clone(), source })?;
        let engine = builder().create_in_dir(&place).map_err(|error| Error::from_engine(&place, error))?;
        Self::begin(place, engine)
    }

    /// Creates an empty index that lives as long as it is used.
    pub fn in_memory() -> Result<Self, Error> {
        let place = PathBuf::from("memory");
        let engine = builder().create_in_ram().map_err(|error| Error::from_engine(&place, error))?;
        Self::begin(place, engine)
    }

    /// Writes the first checkpoint, without which an index is taken for one of another version.
    fn begin(place: PathBuf, engine: tantivy::Index) -> Result<Self, Error> {
        guarded(&place, || {
            let mut writer: IndexWriter = engine.writer_with_num_threads(1, WRITER_MEMORY)?;
            commit(&mut writer, 0)
        })?;
        Self::with(place, engine)
    }

    fn with(place: PathBuf, engine: tantivy::Index) -> Result<Self, Error> {
        let (schema, fields) = Fields::schema();
        let other = |what: String| Error::OtherSchema { place: place.clone(), what };
        if engine.schema() != schema {
            return Err(other("the fields are others".to_owned()));
        }
        let (reader, view) = guarded(&place, || {
            let checkpoint = checkpoint(&engine)?;
            let reader = engine.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
            let Some(checkpoint) = checkpoint else { return Ok((reader, None)) };
            let view = View::read(reader.searcher(), fields.clone(), checkpoint.seq, None)?;
            Ok((reader, Some(view)))
        })?;
        let Some(view) = view else { return Err(other("its checkpoint is missing or of another version".to_owned())) };
        tracing::info!(place = %place.display(), records = view.count, seq = view.applied_seq, "search index is open");
        Ok(Self { place, engine, fields, reader, writer: Mutex::new(None), view: RwLock::new(Arc::new(view)) })
    }

    /// Returns the folder of this index.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Returns the ledger sequence up to which this index has followed.
    pub fn applied_seq(&self) -> u64 {
        self.view().applied_seq
    }

    /// Returns how many records this index holds.
    pub fn count(&self) -> usize {
        self.view().count
    }

    /// Applies a batch in one commit: when this returns, it is on disk and every later search sees it. It blocks.
    pub fn apply(&self, batch: Batch) -> Result<(), Error> {
        let mut held = self.writer();
        if batch.upserts.is_empty() && batch.deletes.is_empty() && batch.seq == self.applied_seq() {
            return Ok(());
        }
        let own = held.take();
        let writer = guarded(&self.place, || {
            let mut writer = self.written(own, &batch)?;
            commit(&mut writer, batch.seq)?;
            Ok(writer)
        })?;
        *held = Some(writer);
        self.read_again(batch.seq)
    }

    /// Takes in a batch without a commit: nothing of it is seen or kept before the next [`Index::apply`]. It blocks.
    ///
    /// A commit costs a segment and several syncs of the disk, which one who can hand the batches over again may spare.
    pub fn add(&self, batch: &Batch) -> Result<(), Error> {
        let mut held = self.writer();
        let own = held.take();
        *held = Some(guarded(&self.place, || self.written(own, batch))?);
        Ok(())
    }

    /// Hands a batch to the writer. One that fails is dropped: what it had not committed is gone, and the next batch gets
    /// a new one.
    fn written(&self, own: Option<IndexWriter>, batch: &Batch) -> tantivy::Result<IndexWriter> {
        let writer = match own {
            Some(writer) => writer,
            None => self.new_writer()?,
        };
        for key in &batch.deletes {
            writer.delete_term(self.fields.key_term(key));
        }
        for document in &batch.upserts {
            writer.delete_term(self.fields.key_term(&document.key));
            let kept =
                self.fields.document(document).map_err(|error| TantivyError::InvalidArgument(error.to_string()))?;
            writer.add_document(kept)?;
        }
        Ok(writer)
    }

    fn new_writer(&self) -> tantivy::Result<IndexWriter> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .memory_budget_per_thread(WRITER_MEMORY)
            .num_merge_threads(1)
            .build();
        let writer = self.engine.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_min_layer_size(SMALL_SEGMENT);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }

    /// Waits until segments are merged and shows the result; worth it once, after many records were applied.
    pub fn settle(&self) -> Result<(), Error> {
        let mut held = self.writer();
        if let Some(writer) = held.take() {
            guarded(&self.place, || {
                // What is being merged already cannot be merged into something else.
                writer.wait_merging_threads()?;
                let segments = self.engine.searchable_segment_metas()?;
                let records: u32 = segments.iter().map(tantivy::SegmentMeta::max_doc).sum();
                // One segment is searched fastest; of very many records it would be too long in the making.
                if segments.len() > 1 && records <= ONE_SEGMENT {
                    let ids: Vec<_> = segments.iter().map(tantivy::SegmentMeta::id).collect();
                    let mut writer = self.new_writer()?;
                    writer.merge(&ids).wait()?;
                    writer.wait_merging_threads()?;
                }
                Ok(())
            })?;
        }
        self.read_again(self.applied_seq())
    }

    /// Shows what was merged in the background since the last batch; the records stay the same.
    pub fn refresh(&self) -> Result<(), Error> {
        let _held = self.writer();
        self.read_again(self.applied_seq())
    }

    /// Ends writing: nothing more is merged or committed until the next batch.
    pub(crate) fn close_writer(&self) {
        self.writer().take();
    }

    /// Answers a search. It blocks for as long as it computes.
    pub fn search(&self, query: &SearchQuery, labels: &dyn Labels) -> Result<SearchAnswer, Error> {
        self.read(&self.answer(query, labels, &|_, _| None, None)?)
    }

    /// Answers a search among the records of these keys only; everything is counted among them. It blocks too.
    pub fn search_within(
        &self,
        query: &SearchQuery,
        labels: &dyn Labels,
        keys: &[String],
    ) -> Result<SearchAnswer, Error> {
        self.read(&self.answer(query, labels, &|_, _| None, Some(keys))?)
    }

    /// Answers a search with its JSON, among all records or those of some keys only. It blocks too.
    pub fn answer(
        &self,
        query: &SearchQuery,
        labels: &dyn Labels,
        iris: Iris<'_>,
        within: Option<&[String]>,
    ) -> Result<Answer, Error> {
        let view = self.view();
        guarded(&self.place, || answer::search(&view, query, labels, iris, within))
    }

    fn read(&self, answer: &Answer) -> Result<SearchAnswer, Error> {
        guarded(&self.place, || Ok(serde_json::from_slice(&answer.json)?))
    }

    /// Completes what is being typed. It blocks for as long as it computes.
    pub fn suggest(&self, typed: &str, labels: &dyn Labels, iris: Iris<'_>) -> Result<Suggestions, Error> {
        let view = self.view();
        guarded(&self.place, || suggest::suggest(&view, typed, labels, iris))
    }

    /// Returns each record's key with the ledger sequence of the state that is held, to compare with the ledger.
    pub fn states(&self) -> Result<Vec<(String, u64)>, Error> {
        let view = self.view();
        guarded(&self.place, || view.states())
    }

    /// Reads every file and compares its checksum. It blocks; a large index takes seconds.
    pub fn check(&self) -> Result<(), Error> {
        let mut damaged: Vec<PathBuf> = guarded(&self.place, || self.engine.validate_checksum())?.into_iter().collect();
        damaged.sort_unstable();
        let Some(first) = damaged.first() else { return Ok(()) };
        let what =
            format!("{} of its files do not have their checksum, the first is {}", damaged.len(), first.display());
        Err(Error::Corrupt { place: self.place.clone(), what })
    }

    fn view(&self) -> Arc<View> {
        // Nothing panics while the lock is held: the view is only cloned or replaced.
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn writer(&self) -> MutexGuard<'_, Option<IndexWriter>> {
        // A writer that panicked was taken out before, so what is left behind the lock is whole.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the last commit into a new view; searches see it from then on. Called with the writer held.
    fn read_again(&self, seq: u64) -> Result<(), Error> {
        let earlier = self.view();
        let view = guarded(&self.place, || {
            self.reader.reload()?;
            View::read(self.reader.searcher(), self.fields.clone(), seq, Some(&earlier))
        })?;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
        Ok(())
    }
}

fn builder() -> tantivy::IndexBuilder {
    let settings = IndexSettings { docstore_blocksize: STORE_BLOCK, ..IndexSettings::default() };
    tantivy::Index::builder().schema(Fields::schema().0).settings(settings).tokenizers(analysed::tokenizers())
}

fn commit(writer: &mut IndexWriter, seq: u64) -> tantivy::Result<()> {
    let checkpoint = serde_json::to_string(&Checkpoint { seq, schema: Fields::fingerprint() })?;
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(&checkpoint);
    prepared.commit()?;
    Ok(())
}

/// Returns the checkpoint of the last commit, unless it is of another version.
fn checkpoint(engine: &tantivy::Index) -> tantivy::Result<Option<Checkpoint>> {
    let payload = engine.load_metas()?.payload.unwrap_or_default();
    let checkpoint = serde_json::from_str::<Checkpoint>(&payload).ok();
    Ok(checkpoint.filter(|checkpoint| checkpoint.schema == Fields::fingerprint()))
}

/// Runs what reads or writes files of the engine. It panics on some kinds of damage, which is no reason to fail any
/// other request: the caller learns that the index is corrupt.
fn guarded<T>(place: &Path, run: impl FnOnce() -> tantivy::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| Error::from_engine(place, error)),
        Err(panic) => {
            let what = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()))
                .unwrap_or_else(|| "the engine panicked".to_owned());
            Err(Error::Corrupt { place: place.to_owned(), what })
        }
    }
}

/// Runs the engine's plain collector of the twenty best on the words and filters of a query: no facets, no stages, no
/// stored fields. It is what benchmarks compare with, and returns how many it found.
#[doc(hidden)]
pub fn bare_top_documents(index: &Index, query: &SearchQuery) -> Result<usize, Error> {
    let view = index.view();
    guarded(&index.place, || {
        let asked = grammar::parse(&query.q);
        let matched = matching::forms(&view, &asked)?;
        let place = Where { stems: view.fields.stems, words: view.fields.words };
        let mut all: Vec<Box<dyn Query>> = Vec::new();
        all.extend(matching::scored(&view, &matched, false, place)?);
        for facet in Facet::all() {
            let field = view.fields.facets[facet.index()];
            let mut values: Vec<Box<dyn Query>> = query
                .chosen(facet.name())
                .map(|value| Term::from_field_text(field, value))
                .map(|term| Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Box<dyn Query>)
                .collect();
            match values.len() {
                0 => {}
                1 => all.append(&mut values),
                _ => all.push(Box::new(BooleanQuery::union(values))),
            }
        }
        let engine_query: Box<dyn Query> = match all.len() {
            0 => Box::new(AllQuery),
            1 => all.remove(0),
            _ => Box::new(BooleanQuery::new(all.into_iter().map(|query| (Occur::Must, query)).collect())),
        };
        Ok(view.searcher.search(&*engine_query, &TopDocs::with_limit(20).order_by_score())?.len())
    })
}
