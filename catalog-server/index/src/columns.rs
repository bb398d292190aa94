//! The facet values of every record of a segment, laid out for counting.
//!
//! A record has a set of values in each facet, and few different sets exist. Each different set gets a number, sets
//! of several facets that go together get a common number, and a segment keeps these numbers in dense columns: some
//! five small numbers a record. Counting then is one histogram a column, whatever the number of facets and values,
//! and a filter is a table of what a number fails. Sets hold every level of a concept path once, so a parent counts
//! distinct records.

use std::collections::HashMap;
use std::ops::Range;

use tantivy::SegmentReader;

use crate::counting::Chosen;
use crate::values::{COUNT, Facet, Values};

/// Facets share a column as long as no more different combinations than this occur in it: a histogram of that size
/// stays in the first-level cache, and adding it up costs no more than counting some thousand records.
const COMBINATIONS: usize = 2048;

/// A table of pairs larger than this costs more to make than a joined column saves.
const PAIRS: usize = 1 << 20;

/// Counts of every facet: a number of records for each value, and for having any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// By facet, by value number; at the end the totals by facet.
    values: Vec<Vec<u32>>,
}

/// Where the totals are among the counts.
const TOTALS: usize = COUNT;

impl Counts {
    pub(crate) fn new(values: &[Values]) -> Self {
        Self { values: values.iter().map(Values::len).chain([COUNT]).map(|size| vec![0; size]).collect() }
    }

    /// Returns the counts of a facet by value number.
    pub(crate) fn of(&self, facet: usize) -> &[u32] {
        &self.values[facet]
    }

    /// Returns how many records have any value of a facet.
    pub(crate) fn total(&self, facet: usize) -> u32 {
        self.values[TOTALS][facet]
    }

    /// Takes what others count of a facet.
    pub(crate) fn set(&mut self, facet: usize, others: &Self) {
        self.values[facet].clone_from(&others.values[facet]);
        self.values[TOTALS][facet] = others.total(facet);
    }

    /// Becomes what is left of others when these are taken away.
    pub(crate) fn take_from(&mut self, others: &Self) {
        for (own, other) in self.values.iter_mut().flatten().zip(others.values.iter().flatten()) {
            *own = other.saturating_sub(*own);
        }
    }
}

/// Sets of values, by number; set 0 has none.
#[derive(Debug)]
struct Sets {
    /// By number: where the values of the set end.
    ends: Vec<u32>,
    values: Vec<u32>,
}

impl Sets {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, set: u32) -> &[u32] {
        match set as usize {
            0 => &[],
            set => &self.values[self.ends[set - 1] as usize..self.ends[set] as usize],
        }
    }

    /// Adds a set and returns its number.
    fn push(&mut self, values: impl Iterator<Item = u32>) -> u32 {
        self.values.extend(values);
        self.ends.push(self.values.len() as u32);
        self.ends.len() as u32 - 1
    }
}

/// The filters of a search on one segment: for each chosen column, the choices that each of its numbers fails.
pub(crate) struct Filters<'a> {
    tables: Vec<(&'a Column, Vec<u16>)>,
}

/// The facet values of a segment.
#[derive(Debug)]
pub(crate) struct Columns {
    columns: Vec<Column>,
    /// By facet.
    sets: Vec<Sets>,
}

#[derive(Debug)]
struct Column {
    facets: Vec<usize>,
    numbers: Numbers,
    /// How many numbers there are.
    size: usize,
    /// By number: the set of each facet of this column, one after the other.
    combinations: Vec<u32>,
    /// The values of these sets, of few combinations only: adding a number up is one walk.
    slots: Slots,
}

/// The values of combinations, each with its facet in the upper bits.
#[derive(Debug, Default)]
struct Slots {
    /// By number: where its values end.
    ends: Vec<u32>,
    slots: Vec<u32>,
}

/// Where a facet begins in a slot; with the totals there are fewer than sixteen.
const FACET_SHIFT: u32 = 28;

/// A number for each record.
#[derive(Debug)]
enum Numbers {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl Columns {
    /// Reads the facets of a segment, giving a number to each value that has none.
    pub(crate) fn read(reader: &SegmentReader, values: &mut [Values]) -> tantivy::Result<Self> {
        let mut sets = Vec::with_capacity(COUNT);
        let mut columns: Vec<Column> = Vec::with_capacity(COUNT);
        for facet in Facet::all() {
            let (numbers, of_facet) = read_facet(reader, facet, &mut values[facet.index()])?;
            let size = of_facet.len();
            let combinations = (0..size as u32).collect();
            columns.push(Column {
                facets: vec![facet.index()],
                numbers: Numbers::Wide(numbers),
                size,
                combinations,
                slots: Slots::default(),
            });
            sets.push(of_facet);
        }
        columns.sort_by_key(|column| column.size);
        let mut joined: Vec<Column> = Vec::new();
        for column in columns {
            match joined.iter_mut().find_map(|other| other.join(&column).map(|both| (other, both))) {
                Some((other, both)) => *other = both,
                None => joined.push(column),
            }
        }
        for column in &mut joined {
            column.narrow();
            column.flatten(&sets);
        }
        Ok(Self { columns: joined, sets })
    }

    /// Prepares the chosen values.
    pub(crate) fn filters<'a>(&'a self, chosen: &[Chosen]) -> Filters<'a> {
        let mut tables = Vec::new();
        for column in &self.columns {
            let mut table: Vec<u16> = Vec::new();
            for (at, facet) in column.facets.iter().enumerate() {
                let Some(place) = chosen.iter().position(|chosen| chosen.facet.index() == *facet) else { continue };
                let (sets, wanted) = (&self.sets[*facet], &chosen[place].numbers);
                let passes = |set| sets.get(set).iter().any(|value| wanted.contains(value));
                let passes: Vec<bool> = (0..sets.len() as u32).map(passes).collect();
                table.resize(column.size, 0);
                for (fails, combination) in table.iter_mut().zip(column.combinations.chunks_exact(column.facets.len()))
                {
                    if !passes[combination[at] as usize] {
                        *fails |= 1 << place;
                    }
                }
            }
            if !table.is_empty() {
                tables.push((column, table));
            }
        }
        Filters { tables }
    }

    /// Counts every facet over some records.
    pub(crate) fn count_all(&self, documents: &[u32], counts: &mut Counts) {
        for column in &self.columns {
            self.count(column, 0..column.facets.len(), documents, counts);
        }
    }

    /// Counts one facet over some records.
    pub(crate) fn count_one(&self, documents: &[u32], facet: usize, counts: &mut Counts) {
        for column in &self.columns {
            if let Some(at) = column.facets.iter().position(|own| *own == facet) {
                self.count(column, at..at + 1, documents, counts);
            }
        }
    }

    /// Counts some facets of a column: by a histogram of its numbers, or, when the records are few beside these, one
    /// by one.
    fn count(&self, column: &Column, facets: Range<usize>, documents: &[u32], counts: &mut Counts) {
        let is_flat = facets.len() == column.facets.len() && !column.slots.ends.is_empty();
        let mut add = |number: usize, count: u32| {
            if is_flat {
                for slot in column.slots.get(number) {
                    let (facet, value) = (slot >> FACET_SHIFT, slot & ((1 << FACET_SHIFT) - 1));
                    counts.values[facet as usize][value as usize] += count;
                }
                return;
            }
            let combination = &column.combinations[number * column.facets.len()..];
            for at in facets.clone() {
                let (facet, set) = (column.facets[at], combination[at]);
                if set == 0 {
                    continue;
                }
                counts.values[TOTALS][facet] += count;
                let values = &mut counts.values[facet];
                for value in self.sets[facet].get(set) {
                    values[*value as usize] += count;
                }
            }
        };
        if documents.len() < column.size {
            for document in documents {
                add(column.number(*document) as usize, 1);
            }
            return;
        }
        for (number, count) in column.histogram(documents).into_iter().enumerate() {
            if count != 0 {
                add(number, count);
            }
        }
    }
}

impl Slots {
    fn get(&self, number: usize) -> &[u32] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.slots[start as usize..self.ends[number] as usize]
    }
}

impl Filters<'_> {
    /// Writes, for each record, which of the choices it fails, as bits.
    pub(crate) fn failed(&self, documents: &[u32], failed: &mut Vec<u16>) {
        failed.clear();
        failed.resize(documents.len(), 0);
        for (column, table) in &self.tables {
            match &column.numbers {
                Numbers::Narrow(numbers) => {
                    for (failed, document) in failed.iter_mut().zip(documents) {
                        *failed |= table[usize::from(numbers[*document as usize])];
                    }
                }
                Numbers::Wide(numbers) => {
                    for (failed, document) in failed.iter_mut().zip(documents) {
                        *failed |= table[numbers[*document as usize] as usize];
                    }
                }
            }
        }
    }
}

impl Column {
    /// Returns the two columns as one, unless too many combinations occur.
    fn join(&self, other: &Self) -> Option<Self> {
        let width = other.size;
        if self.size * width > PAIRS {
            return None;
        }
        let (Numbers::Wide(own), Numbers::Wide(others)) = (&self.numbers, &other.numbers) else { return None };
        let mut table = vec![u32::MAX; self.size * width];
        let (mut size, mut combinations) = (0, Vec::new());
        let mut numbers = Vec::with_capacity(own.len());
        for (own, others) in own.iter().zip(others) {
            let place = &mut table[*own as usize * width + *others as usize];
            if *place == u32::MAX {
                if size == COMBINATIONS {
                    return None;
                }
                *place = size as u32;
                size += 1;
                combinations.extend_from_slice(self.combination(*own));
                combinations.extend_from_slice(other.combination(*others));
            }
            numbers.push(*place);
        }
        let facets = [&*self.facets, &*other.facets].concat();
        Some(Self { facets, numbers: Numbers::Wide(numbers), size, combinations, slots: Slots::default() })
    }

    fn combination(&self, number: u32) -> &[u32] {
        let (width, number) = (self.facets.len(), number as usize);
        &self.combinations[number * width..(number + 1) * width]
    }

    fn flatten(&mut self, sets: &[Sets]) {
        if self.size > COMBINATIONS {
            return;
        }
        let mut flat = Slots::default();
        for number in 0..self.size as u32 {
            for (facet, set) in self.facets.iter().zip(self.combination(number)) {
                // A record that has any counts in the total, which is a value like another here.
                flat.slots.extend((*set != 0).then_some((TOTALS as u32) << FACET_SHIFT | *facet as u32));
                let values = sets[*facet].get(*set).iter();
                flat.slots.extend(values.map(|value| (*facet as u32) << FACET_SHIFT | value));
            }
            flat.ends.push(flat.slots.len() as u32);
        }
        self.slots = flat;
    }

    fn narrow(&mut self) {
        if self.size <= usize::from(u16::MAX) + 1
            && let Numbers::Wide(numbers) = &self.numbers
        {
            self.numbers = Numbers::Narrow(numbers.iter().map(|number| *number as u16).collect());
        }
    }

    /// Returns how many of some records have each number.
    fn histogram(&self, documents: &[u32]) -> Vec<u32> {
        // Neighbouring records often have the same number; two histograms keep their increments from waiting.
        let mut even = vec![0_u32; self.size];
        let mut odd = vec![0_u32; self.size];
        match &self.numbers {
            Numbers::Narrow(numbers) => {
                let mut pairs = documents.chunks_exact(2);
                for pair in &mut pairs {
                    even[usize::from(numbers[pair[0] as usize])] += 1;
                    odd[usize::from(numbers[pair[1] as usize])] += 1;
                }
                for document in pairs.remainder() {
                    even[usize::from(numbers[*document as usize])] += 1;
                }
            }
            Numbers::Wide(numbers) => {
                for document in documents {
                    even[numbers[*document as usize] as usize] += 1;
                }
            }
        }
        for (even, odd) in even.iter_mut().zip(odd) {
            *even += odd;
        }
        even
    }

    fn number(&self, document: u32) -> u32 {
        match &self.numbers {
            Numbers::Narrow(numbers) => u32::from(numbers[document as usize]),
            Numbers::Wide(numbers) => numbers[document as usize],
        }
    }
}

/// Reads one facet: a set number for each record, and the values of each set.
fn read_facet(reader: &SegmentReader, facet: Facet, values: &mut Values) -> tantivy::Result<(Vec<u32>, Sets)> {
    let mut sets = Sets { ends: vec![0], values: Vec::new() };
    let records = reader.max_doc();
    let Some(column) = reader.fast_fields().str(facet.name())? else {
        return Ok((vec![0; records as usize], sets));
    };
    let mut global = Vec::with_capacity(column.num_terms());
    let mut name = String::new();
    for ordinal in 0..column.num_terms() as u64 {
        name.clear();
        column.ord_to_str(ordinal, &mut name)?;
        global.push(values.intern(facet, &name));
    }
    let ordinals = column.ords();
    // Most sets have one value; they need no lookup by content.
    let mut single = vec![0_u32; global.len()];
    let mut several: HashMap<Box<[u32]>, u32> = HashMap::new();
    let mut numbers = Vec::with_capacity(records as usize);
    let mut set: Vec<u32> = Vec::new();
    for document in 0..records {
        set.clear();
        set.extend(ordinals.values_for_doc(document).map(|ordinal| ordinal as u32));
        let number = match set.as_slice() {
            [] => 0,
            [ordinal] => {
                let number = &mut single[*ordinal as usize];
                if *number == 0 {
                    *number = sets.push(std::iter::once(global[*ordinal as usize]));
                }
                *number
            }
            _ => {
                set.sort_unstable();
                set.dedup();
                match several.get(set.as_slice()) {
                    Some(number) => *number,
                    None => {
                        let number = sets.push(set.iter().map(|ordinal| global[*ordinal as usize]));
                        several.insert(set.as_slice().into(), number);
                        number
                    }
                }
            }
        };
        numbers.push(number);
    }
    Ok((numbers, sets))
}
