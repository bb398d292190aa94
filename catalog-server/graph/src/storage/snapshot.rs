//! A generation: an immutable dictionary and its sorted quads, mapped from files.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::map::{Column, Sealed, verify};
use super::term::{Class, DECIMAL, NO_ZONE, Place};

/// The format of the files; another number is another format, and the graph is filled anew.
pub(crate) const FORMAT: u32 = 1;

/// The manifest's name.
const MANIFEST: &str = "manifest";

/// The names of the column files.
pub(crate) mod columns {
    /// The bytes of all terms, one behind the other.
    pub(crate) const TERMS: &str = "terms.bytes";
    /// Where each term begins, and where the last ends.
    pub(crate) const OFFSETS: &str = "terms.offsets";
    /// The values of terms that have one.
    pub(crate) const VALUES: &str = "terms.values";
    /// Their time zones.
    pub(crate) const ZONES: &str = "terms.zones";
    /// The first id whose value is equal.
    pub(crate) const FIRSTS: &str = "terms.firsts";
    /// Quads by subject, predicate, object.
    pub(crate) const SPO: [&str; 3] = ["spo.s", "spo.p", "spo.o"];
    /// Quads by predicate, subject, object; the predicates' ranges are in the manifest.
    pub(crate) const PSO: [&str; 2] = ["pso.s", "pso.o"];
    /// Quads by predicate, object, subject.
    pub(crate) const POS: [&str; 2] = ["pos.o", "pos.s"];
    /// All.
    pub(crate) const ALL: [&str; 12] =
        [TERMS, OFFSETS, VALUES, ZONES, FIRSTS, SPO[0], SPO[1], SPO[2], PSO[0], PSO[1], POS[0], POS[1]];
}

/// What a generation holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The format.
    pub(crate) format: u32,
    /// Says what the statements depend on beside the ledger.
    pub(crate) stamp: String,
    /// Says that all of the ledger up to the sequence is there.
    pub(crate) filled: bool,
    /// The ledger's sequence that it stands for.
    pub(crate) applied_seq: u64,
    /// Where each class of terms ends.
    pub(crate) class_ends: [u32; Class::COUNT],
    /// The graphs, the default graph first, then by id.
    pub(crate) graphs: Vec<GraphEntry>,
    /// Every column file.
    pub(crate) files: BTreeMap<String, Sealed>,
}

/// A graph's place in the columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GraphEntry {
    /// Its name; none for the default graph.
    pub(crate) graph: Option<u32>,
    /// Its rows in every order.
    pub(crate) rows: Range<usize>,
    /// How many subjects it has.
    pub(crate) subjects: u32,
    /// Its predicates by id.
    pub(crate) predicates: Vec<PredicateEntry>,
}

/// A predicate's place in the columns ordered by predicate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PredicateEntry {
    /// The predicate.
    pub(crate) predicate: u32,
    /// Its rows.
    pub(crate) rows: Range<usize>,
    /// How many subjects have it.
    pub(crate) subjects: u32,
    /// How many objects it has.
    pub(crate) objects: u32,
}

impl Manifest {
    /// Writes it into a generation's folder, behind its own checksum.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        let mut file = format!("{:08x}\n", crc32fast::hash(&text)).into_bytes();
        file.extend_from_slice(&text);
        write_durably(&folder.join(MANIFEST), &file)
    }

    fn read(folder: &Path) -> io::Result<Self> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the manifest {what}"));
        let file = std::fs::read(folder.join(MANIFEST))?;
        let (checksum, text) = file.split_at_checked(9).ok_or_else(|| wrong("is too short"))?;
        if checksum != format!("{:08x}\n", crc32fast::hash(text)).as_bytes() {
            return Err(wrong("does not pass its checksum"));
        }
        let manifest: Self = serde_json::from_slice(text)?;
        if manifest.format != FORMAT {
            return Err(wrong(&format!("has format {}; this server writes {FORMAT}", manifest.format)));
        }
        Ok(manifest)
    }
}

/// Writes a file and makes it durable.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}

/// A generation that is read.
pub(crate) struct Snapshot {
    /// What it holds.
    pub(crate) manifest: Manifest,
    folder: PathBuf,
    columns: Vec<Column>,
    /// Which numbers are decimals, by a bit from the first number on; found when it is asked for first.
    decimals: OnceLock<Vec<u64>>,
}

impl Snapshot {
    /// Maps a generation. Its manifest is checked whole, its columns by length and header; see [`Self::verify`].
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let manifest = Manifest::read(folder)?;
        let missing = |name| io::Error::new(io::ErrorKind::InvalidData, format!("the manifest lacks {name}"));
        let columns = columns::ALL
            .iter()
            .map(|name| Column::open(folder, name, manifest.files.get(*name).ok_or_else(|| missing(*name))?))
            .collect::<io::Result<_>>()?;
        let snapshot = Self { manifest, folder: folder.to_owned(), columns, decimals: OnceLock::new() };
        snapshot.check_shape()?;
        Ok(snapshot)
    }

    /// Returns the generation's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads every byte of every file and compares checksums.
    pub(crate) fn verify(&self) -> io::Result<()> {
        self.manifest.files.iter().try_for_each(|(name, sealed)| verify(&self.folder, name, sealed))
    }

    fn check_shape(&self) -> io::Result<()> {
        let rows = self.manifest.graphs.last().map_or(0, |graph| graph.rows.end);
        let values = self.value_ids();
        let fits = self.offsets().len() == self.terms() + 1
            && columns::ALL[5..].iter().enumerate().all(|(at, _)| self.columns[5 + at].elements::<u32>().len() == rows)
            && self.columns[2].elements::<i128>().len() == values.len()
            && self.columns[3].elements::<i16>().len() == values.len()
            && self.columns[4].elements::<u32>().len() == values.len();
        if fits { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "the columns do not fit each other")) }
    }

    /// Returns how many terms the dictionary has.
    pub(crate) fn terms(&self) -> usize {
        self.manifest.class_ends[Class::COUNT - 1] as usize
    }

    fn offsets(&self) -> &[u64] {
        self.columns[1].elements()
    }

    /// Returns the bytes of a term.
    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        let offsets = self.offsets();
        let at = id as usize;
        match (offsets.get(at), offsets.get(at + 1)) {
            (Some(&from), Some(&to)) => self.columns[0].bytes().get(from as usize..to as usize).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// Reads a little of some terms, so that the processor waits for all of them at once and not for one after the other when
    /// they are read next.
    pub(crate) fn touch(&self, ids: &[u32]) {
        let (offsets, bytes) = (self.offsets(), self.columns[0].bytes());
        let places = ids.iter().map(|id| offsets.get(*id as usize).copied().unwrap_or_default());
        std::hint::black_box(places.clone().fold(0, |all, place| all ^ place));
        let first = places.map(|place| bytes.get(place as usize).copied().unwrap_or_default());
        std::hint::black_box(first.fold(0, |all, byte| all ^ byte));
    }

    /// Returns the ids of a class.
    pub(crate) fn class_ids(&self, class: Class) -> Range<u32> {
        let at = class as usize;
        let start = if at == 0 { 0 } else { self.manifest.class_ends[at - 1] };
        start..self.manifest.class_ends[at]
    }

    /// Returns the ids of all classes with values.
    pub(crate) fn value_ids(&self) -> Range<u32> {
        self.class_ids(Class::Number).start..self.class_ids(Class::Boolean).end
    }

    /// Returns the class of a term.
    pub(crate) fn class(&self, id: u32) -> Class {
        let at = self.manifest.class_ends.iter().position(|&end| id < end).unwrap_or(Class::COUNT - 1);
        Class::ALL[at]
    }

    /// Returns the values of all terms that have one, from the start of [`Self::value_ids`].
    pub(crate) fn values(&self) -> &[i128] {
        self.columns[2].elements()
    }

    /// Returns, for all terms that have a value, the first id with an equal one.
    pub(crate) fn firsts(&self) -> &[u32] {
        self.columns[4].elements()
    }

    /// Says whether a number is an `xsd:decimal`, without a look at its text.
    pub(crate) fn is_decimal(&self, number: u32) -> bool {
        let numbers = self.class_ids(Class::Number);
        let bits = self.decimals.get_or_init(|| {
            let mut bits = Vec::new();
            for id in numbers.clone().filter(|id| self.bytes(*id).starts_with(DECIMAL)) {
                let at = (id - numbers.start) as usize;
                bits.resize(at / 64 + 1, 0);
                bits[at / 64] |= 1 << (at % 64);
            }
            bits
        });
        let at = number.wrapping_sub(numbers.start) as usize;
        bits.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// Returns the place of a term.
    pub(crate) fn place(&self, id: u32) -> Place {
        let class = self.class(id);
        if !class.has_value() {
            return Place { class, value: 0, zone: NO_ZONE };
        }
        let at = (id - self.value_ids().start) as usize;
        let value = self.values().get(at).copied().unwrap_or_default();
        let zone = self.columns[3].elements::<i16>().get(at).copied().unwrap_or(NO_ZONE);
        Place { class, value, zone }
    }

    /// Returns the first id whose term is not before this one.
    pub(crate) fn lower_bound(&self, place: Place, bytes: &[u8]) -> u32 {
        let ids = self.class_ids(place.class);
        let (mut low, mut high) = (ids.start, ids.end);
        if place.class.has_value() {
            let start = self.value_ids().start;
            let values = self.values().get((low - start) as usize..(high - start) as usize).unwrap_or(&[]);
            let first = low + values.partition_point(|value| *value < place.value) as u32;
            high = low + values.partition_point(|value| *value <= place.value) as u32;
            low = first;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            let other = Place { class: place.class, value: place.value, zone: NO_ZONE };
            match other.compare(self.bytes(middle), place, bytes) {
                Ordering::Less => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// Finds a term.
    pub(crate) fn find(&self, place: Place, bytes: &[u8]) -> Option<u32> {
        let id = self.lower_bound(place, bytes);
        (self.class_ids(place.class).contains(&id) && self.bytes(id) == bytes).then_some(id)
    }

    /// Returns a graph's entry.
    pub(crate) fn graph(&self, graph: Option<u32>) -> Option<&GraphEntry> {
        let graphs = &self.manifest.graphs;
        graphs.binary_search_by_key(&graph, |entry| entry.graph).ok().map(|at| &graphs[at])
    }

    /// Returns the columns by subject: subject, predicate, object.
    pub(crate) fn spo(&self) -> [&[u32]; 3] {
        [self.columns[5].elements(), self.columns[6].elements(), self.columns[7].elements()]
    }

    /// Returns the columns by predicate and subject: subject, object.
    pub(crate) fn pso(&self) -> [&[u32]; 2] {
        [self.columns[8].elements(), self.columns[9].elements()]
    }

    /// Returns the columns by predicate and object: object, subject.
    pub(crate) fn pos(&self) -> [&[u32]; 2] {
        [self.columns[10].elements(), self.columns[11].elements()]
    }

    /// Returns how many quads there are.
    pub(crate) fn quads(&self) -> usize {
        self.manifest.graphs.last().map_or(0, |graph| graph.rows.end)
    }
}

impl GraphEntry {
    /// Returns a predicate's entry.
    pub(crate) fn predicate(&self, predicate: u32) -> Option<&PredicateEntry> {
        let found = self.predicates.binary_search_by_key(&predicate, |entry| entry.predicate);
        found.ok().map(|at| &self.predicates[at])
    }
}
