//! A generation read from front to back through buffers.
//!
//! A merge touches every byte once. Through the mapping each of them would count as the server's memory for as long as
//! the kernel leaves it there; through a buffer it does not.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use zerocopy::{FromBytes, IntoBytes};

use super::Quad;
use super::map::HEADER;
use super::snapshot::{Snapshot, columns};
use super::term::{Class, NO_ZONE, Place};

/// Bytes that are read at once from each column.
const BUFFER: usize = 1 << 17;

fn open(snapshot: &Snapshot, name: &str) -> io::Result<File> {
    let mut file = File::open(snapshot.folder().join(name))?;
    file.seek(SeekFrom::Start(HEADER as u64))?;
    Ok(file)
}

/// The elements of a column, one after the other.
struct Elements<T> {
    file: File,
    buffer: Vec<T>,
    at: usize,
}

impl<T: FromBytes + IntoBytes + Copy> Elements<T> {
    fn open(snapshot: &Snapshot, name: &str) -> io::Result<Self> {
        Ok(Self { file: open(snapshot, name)?, buffer: Vec::new(), at: 0 })
    }

    /// Returns the next; that there is none is an error, because manifests know how many there are.
    fn next(&mut self) -> io::Result<T> {
        if self.at == self.buffer.len() {
            self.fill()?;
        }
        let element = *self.buffer.get(self.at).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.at += 1;
        Ok(element)
    }

    #[cold]
    fn fill(&mut self) -> io::Result<()> {
        self.at = 0;
        self.buffer.resize(BUFFER / size_of::<T>(), T::new_zeroed());
        let bytes = self.buffer.as_mut_slice().as_mut_bytes();
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer.truncate(filled / size_of::<T>());
        Ok(())
    }
}

/// The terms of a generation, in order.
pub(super) struct Terms {
    bytes: BufReader<File>,
    offsets: Elements<u64>,
    values: Elements<i128>,
    zones: Elements<i16>,
    class_ends: [u32; Class::COUNT],
    class: usize,
    next: u32,
    start: u64,
}

impl Terms {
    /// Begins with the first term.
    pub(super) fn open(snapshot: &Snapshot) -> io::Result<Self> {
        let mut offsets = Elements::open(snapshot, columns::OFFSETS)?;
        Ok(Self {
            bytes: BufReader::with_capacity(BUFFER, open(snapshot, columns::TERMS)?),
            start: offsets.next()?,
            offsets,
            values: Elements::open(snapshot, columns::VALUES)?,
            zones: Elements::open(snapshot, columns::ZONES)?,
            class_ends: snapshot.manifest.class_ends,
            class: 0,
            next: 0,
        })
    }

    /// Reads the next term's bytes into a buffer and returns its id and place; none behind the last.
    pub(super) fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<(u32, Place)>> {
        let id = self.next;
        while self.class_ends.get(self.class).is_some_and(|end| *end <= id) {
            self.class += 1;
        }
        let Some(&class) = Class::ALL.get(self.class) else { return Ok(None) };
        self.next += 1;
        let end = self.offsets.next()?;
        let length = end.checked_sub(self.start).ok_or(io::ErrorKind::InvalidData)?;
        self.start = end;
        bytes.clear();
        if Read::by_ref(&mut self.bytes).take(length).read_to_end(bytes)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (value, zone) = if class.has_value() { (self.values.next()?, self.zones.next()?) } else { (0, NO_ZONE) };
        Ok(Some((id, Place { class, value, zone })))
    }
}

/// Quads as a merge reads them, each in an order's sequence.
pub(super) type Quads<'a> = Box<dyn Iterator<Item = io::Result<Quad>> + 'a>;

/// Gives a generation's quads in an order, as `permute` writes them.
pub(super) fn quads(snapshot: &Snapshot, order: usize) -> io::Result<Quads<'_>> {
    let column = |name| Elements::<u32>::open(snapshot, name);
    let graphs = snapshot.manifest.graphs.iter().map(|entry| (entry.graph.map_or(0, |id| id + 1), entry));
    if order == 0 {
        let [s, p, o] = columns::SPO;
        let (mut s, mut p, mut o) = (column(s)?, column(p)?, column(o)?);
        let graph_of_row = graphs.flat_map(|(graph, entry)| repeated(graph, &entry.rows));
        return Ok(Box::new(graph_of_row.map(move |graph| Ok([graph, s.next()?, p.next()?, o.next()?]))));
    }
    let [first, second] = if order == 1 { columns::PSO } else { columns::POS };
    let (mut first, mut second) = (column(first)?, column(second)?);
    let ranges = graphs.flat_map(|(graph, entry)| entry.predicates.iter().map(move |predicate| (graph, predicate)));
    let prefix_of_row = ranges.flat_map(|(graph, entry)| repeated([graph, entry.predicate], &entry.rows));
    Ok(Box::new(prefix_of_row.map(move |[graph, p]| Ok([graph, p, first.next()?, second.next()?]))))
}

/// Gives a value once for every row: the rows of a column lie one behind the other as the manifest lists them.
fn repeated<T: Copy>(value: T, rows: &Range<usize>) -> impl Iterator<Item = T> + use<T> {
    std::iter::repeat_n(value, rows.len())
}
