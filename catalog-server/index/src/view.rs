//! What searches read: one state of the index, everything that they need of it laid out in memory.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tantivy::columnar::StrColumn;
use tantivy::index::SegmentId;
use tantivy::{Searcher, SegmentReader};

use crate::columns::{Columns, Counts};
use crate::document::Fields;
use crate::facets::Names;
use crate::suggest::Labelled;
use crate::values::{COUNT, Facet, Labels, Values};

/// A set of records of a segment, one bit each.
pub(crate) type Bits = Vec<u64>;

/// One state of the index. It never changes; a commit makes another.
pub(crate) struct View {
    pub(crate) searcher: Searcher,
    pub(crate) fields: Fields,
    pub(crate) segments: Vec<Segment>,
    pub(crate) values: Arc<[Values]>,
    pub(crate) applied_seq: u64,
    /// How many records there are.
    pub(crate) count: usize,
    /// The counts of every facet over all records, the answer to a search for everything.
    pub(crate) everything: OnceLock<Counts>,
    /// What the values of every facet are called, by facet and number.
    pub(crate) names: OnceLock<Vec<Names>>,
    /// The labels of facet values in use, for completion.
    pub(crate) labelled: OnceLock<Vec<Labelled>>,
}

/// A segment of a view.
pub(crate) struct Segment {
    pub(crate) kept: Arc<Kept>,
    /// The records that are not deleted; `None` when all are there.
    pub(crate) alive: Option<Arc<Bits>>,
}

/// What is kept in memory of a segment; deletions do not change it.
pub(crate) struct Kept {
    pub(crate) columns: Columns,
    /// By record: its place in the order by name. No two records have the same.
    pub(crate) name_rank: Vec<u32>,
    /// By record: its place in the order newest first, then by name.
    pub(crate) newest_rank: Vec<u32>,
    /// The records in the order by name.
    pub(crate) by_name: Vec<u32>,
    /// The records newest first.
    pub(crate) by_newest: Vec<u32>,
    /// By record: when it was last modified.
    pub(crate) modified: Vec<i64>,
    order: Option<StrColumn>,
}

impl Kept {
    fn read(reader: &SegmentReader, values: &mut [Values]) -> tantivy::Result<Self> {
        let records = reader.max_doc();
        let columns = Columns::read(reader, values)?;
        let order = reader.fast_fields().str("order")?;
        let modified_column = reader.fast_fields().i64("modified")?;
        let modified: Vec<i64> =
            (0..records).map(|document| modified_column.first(document).unwrap_or(i64::MIN)).collect();
        // The dictionary of a column is sorted, so an ordinal is a rank.
        let ordinal =
            |document| order.as_ref().and_then(|order| order.ords().first(document)).unwrap_or_default() as u32;
        let mut by_name: Vec<u32> = (0..records).collect();
        let ordinals: Vec<u32> = (0..records).map(ordinal).collect();
        by_name.sort_unstable_by_key(|document| (ordinals[*document as usize], *document));
        let name_rank = ranks(&by_name);
        let mut by_newest: Vec<u32> = (0..records).collect();
        by_newest.sort_unstable_by_key(|document| {
            (std::cmp::Reverse(modified[*document as usize]), name_rank[*document as usize])
        });
        let newest_rank = ranks(&by_newest);
        Ok(Self { columns, name_rank, newest_rank, by_name, by_newest, modified, order })
    }

    /// Returns what orders a record by name among the records of all segments.
    pub(crate) fn order_key(&self, document: u32) -> String {
        let mut key = String::new();
        if let Some(order) = &self.order
            && let Some(ordinal) = order.ords().first(document)
        {
            // A block that cannot be read leaves the key empty: the order of equals then falls to the segment.
            let _ = order.ord_to_str(ordinal, &mut key);
        }
        key
    }
}

fn ranks(order: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; order.len()];
    for (rank, document) in (0_u32..).zip(order) {
        ranks[*document as usize] = rank;
    }
    ranks
}

impl View {
    /// Reads a state, reusing what an earlier view keeps of the same segments.
    pub(crate) fn read(
        searcher: Searcher,
        fields: Fields,
        applied_seq: u64,
        earlier: Option<&Self>,
    ) -> tantivy::Result<Self> {
        let known: HashMap<SegmentId, (&Segment, &SegmentReader)> = earlier
            .map(|view| view.segments().map(|(segment, reader)| (reader.segment_id(), (segment, reader))).collect())
            .unwrap_or_default();
        let mut values: Option<Vec<Values>> = None;
        let earlier_values = || earlier.map_or_else(|| vec![Values::default(); COUNT], |view| view.values.to_vec());
        let mut segments = Vec::with_capacity(searcher.segment_readers().len());
        for reader in searcher.segment_readers() {
            let known = known.get(&reader.segment_id());
            let kept = match known {
                Some((segment, _)) => segment.kept.clone(),
                None => Arc::new(Kept::read(reader, values.get_or_insert_with(earlier_values))?),
            };
            let alive = match known {
                Some((segment, earlier)) if earlier.delete_opstamp() == reader.delete_opstamp() => {
                    segment.alive.clone()
                }
                _ => alive(reader).map(Arc::new),
            };
            segments.push(Segment { kept, alive });
        }
        let values = match (values, earlier) {
            (Some(values), _) => values.into(),
            (None, Some(view)) => view.values.clone(),
            (None, None) => earlier_values().into(),
        };
        let count = searcher.num_docs() as usize;
        Ok(Self {
            searcher,
            fields,
            segments,
            values,
            applied_seq,
            count,
            everything: OnceLock::new(),
            names: OnceLock::new(),
            labelled: OnceLock::new(),
        })
    }

    /// Returns the segments with their readers.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (&Segment, &SegmentReader)> {
        self.segments.iter().zip(self.searcher.segment_readers())
    }

    /// Returns each record's key with the ledger sequence of the state that is held.
    pub(crate) fn states(&self) -> tantivy::Result<Vec<(String, u64)>> {
        let mut states = Vec::with_capacity(self.count);
        let mut documents = Vec::new();
        for (segment, reader) in self.segments() {
            let seq = reader.fast_fields().u64("seq")?;
            documents.clear();
            list(&all(segment, reader), &mut documents);
            for document in &documents {
                let order = segment.kept.order_key(*document);
                let key = order.split_once('\0').map_or("", |(_, key)| key);
                states.push((key.to_owned(), seq.first(*document).unwrap_or_default()));
            }
        }
        Ok(states)
    }

    /// Returns what the values of a facet are called.
    pub(crate) fn names(&self, facet: Facet, labels: &dyn Labels) -> &Names {
        let names = self.names.get_or_init(|| {
            let named = |(facet, values): (Facet, &Values)| {
                Names::new((0..values.len() as u32).map(|number| {
                    let value = values.name(number);
                    (value, labels.label(facet.name(), value).unwrap_or_else(|| value.to_owned()))
                }))
            };
            Facet::all().zip(self.values.iter()).map(named).collect()
        });
        &names[facet.index()]
    }

    /// Returns the counts over all records.
    pub(crate) fn everything(&self) -> &Counts {
        self.everything.get_or_init(|| {
            let mut counts = Counts::new(&self.values);
            let mut documents = Vec::new();
            for (segment, reader) in self.segments() {
                documents.clear();
                list(&all(segment, reader), &mut documents);
                segment.kept.columns.count_all(&documents, &mut counts);
            }
            counts
        })
    }
}

fn alive(reader: &SegmentReader) -> Option<Bits> {
    let alive = reader.alive_bitset()?;
    let mut bits = vec![0; words(reader.max_doc())];
    for document in alive.iter_alive() {
        set(&mut bits, document);
    }
    Some(bits)
}

/// Returns how many words of bits a segment needs.
pub(crate) fn words(records: u32) -> usize {
    (records as usize).div_ceil(64)
}

/// Returns all records of a segment that are not deleted.
pub(crate) fn all(segment: &Segment, reader: &SegmentReader) -> Bits {
    if let Some(alive) = &segment.alive {
        return Bits::clone(alive);
    }
    let records = reader.max_doc();
    let mut bits = vec![u64::MAX; words(records)];
    if !records.is_multiple_of(64)
        && let Some(last) = bits.last_mut()
    {
        *last = (1 << (records % 64)) - 1;
    }
    bits
}

/// Adds a record to a set.
pub(crate) fn set(bits: &mut [u64], document: u32) {
    bits[document as usize / 64] |= 1 << (document % 64);
}

/// Says whether a set holds a record.
pub(crate) fn has(bits: &[u64], document: u32) -> bool {
    bits[document as usize / 64] >> (document % 64) & 1 == 1
}

/// Counts a set.
pub(crate) fn size(bits: &[u64]) -> usize {
    bits.iter().map(|word| word.count_ones() as usize).sum()
}

/// Lists a set in order.
pub(crate) fn list(bits: &[u64], documents: &mut Vec<u32>) {
    for (at, word) in bits.iter().enumerate() {
        let mut word = *word;
        while word != 0 {
            documents.push(at as u32 * 64 + word.trailing_zeros());
            word &= word - 1;
        }
    }
}
