//! One step of a basic graph pattern: a table is joined with the triples of one predicate.

use std::borrow::Cow;

use super::passing::{Ids, Passing};
use super::places::Places;
use super::range::Ranges;
use super::scan::{Atom, Known};
use super::seek::{BLOCK, Seeker, Take};
use super::table::{IdSet, Table, dedup};
use super::{Kernel, Outcome, Stop};
use crate::storage::view::gallop;

/// What of a step's rows is used later.
pub(super) struct Later<'l> {
    /// Says whether a variable is.
    pub(super) has: &'l dyn Fn(&str) -> bool,
    /// Equal rows are one.
    pub(super) is_set: bool,
}

/// A column that a step adds to the rows that it finds.
#[derive(Clone, Copy)]
struct Added<'n> {
    /// Its name; none when nothing uses its values.
    name: Option<&'n str>,
    /// One value a row is enough.
    is_once: bool,
    /// The values that there may be; all when there are none here.
    passing: Option<&'n Passing>,
}

impl<'n> Added<'n> {
    fn of(name: &'n str, passing: Option<&'n Passing>, later: &Later<'_>) -> Self {
        let name = (later.has)(name).then_some(name);
        Self { name, is_once: name.is_none() && later.is_set, passing }
    }

    fn passes(&self, id: u32) -> bool {
        self.passing.is_none_or(|some| some.contains(id))
    }
}

/// Rows of a table that were joined with two sorted columns.
struct Joined<'k, 'a> {
    kernel: &'k Kernel<'a>,
    added: Added<'k>,
    keys: &'k [u32],
    values: &'k [u32],
    /// Columns of the result.
    width: usize,
    /// The row that each row of the result comes from.
    rows: Vec<u32>,
    /// What it is joined with, when that is used.
    column: Vec<u32>,
}

impl Joined<'_, '_> {
    #[inline]
    fn push(&mut self, row: usize, value: u32) {
        self.rows.push(row as u32);
        if self.added.name.is_some() {
            self.column.push(value);
        }
    }
}

impl Take<Stop> for Joined<'_, '_> {
    #[inline]
    fn one(&mut self, row: usize, id: u32, place: usize) -> Outcome<()> {
        let mut next = place;
        while self.keys.get(next) == Some(&id) {
            let value = self.values[next];
            if self.added.passes(value) {
                self.push(row, value);
                if self.added.is_once {
                    break;
                }
            }
            next += 1;
        }
        self.kernel.look(row, self.rows.len() * self.width)
    }

    fn block(&mut self, row: usize, place: usize) -> Outcome<()> {
        let (values, added) = (&self.values[place..place + BLOCK], self.added);
        if added.passing.is_some() {
            for (at, value) in values.iter().enumerate().filter(|(_, value)| added.passes(**value)) {
                self.push(row + at, *value);
            }
        } else {
            self.rows.extend(row as u32..(row + BLOCK) as u32);
            if added.name.is_some() {
                self.column.extend_from_slice(values);
            }
        }
        self.kernel.look(row, self.rows.len() * self.width)
    }
}

/// Says whether a table has far fewer rows than triples that it is joined with.
fn is_few(table: &Table<'_>, triples: usize) -> bool {
    table.rows.saturating_mul(16) < triples
}

impl<'a> Kernel<'a> {
    /// Joins a table with the triples of a step; after the last step, no order of rows is of use.
    pub(super) fn step(&self, table: &mut Table<'a>, step: &Known, is_last: bool, later: &Later<'_>) -> Outcome<()> {
        self.alive()?;
        let column = |table: &Table<'_>, atom: &Atom| match atom {
            Atom::Name(name) => table.column(name),
            Atom::Id(_) => None,
        };
        let (at_subject, at_object) = (column(table, &step.subject), column(table, &step.object));
        let (graph, p) = (self.graph(), step.predicate);
        match (&step.subject, &step.object) {
            (Atom::Id(s), Atom::Id(o)) => {
                if !graph.contains(*s, p, *o) {
                    table.gather(&[]);
                }
                Ok(())
            }
            (Atom::Name(name), Atom::Id(o)) => match at_subject {
                Some(at) => self.keep(table, at, &graph.subjects(p, *o)),
                None => self.cross(table, name, graph.subjects(p, *o)),
            },
            (Atom::Id(s), Atom::Name(name)) => match at_object {
                Some(at) => self.keep(table, at, &graph.objects(*s, p)),
                None => self.cross(table, name, graph.objects(*s, p)),
            },
            (Atom::Name(subject), Atom::Name(object)) => match (at_subject, at_object) {
                (Some(s), Some(o)) => {
                    let mut keep = Vec::new();
                    for row in 0..table.rows {
                        self.look(row, 0)?;
                        if graph.contains(table.columns[s][row], p, table.columns[o][row]) {
                            keep.push(row as u32);
                        }
                    }
                    table.gather(&keep);
                    self.keep_passing(table, o, step)
                }
                (Some(at), None) => {
                    let added = Added::of(object, step.passing.as_ref(), later);
                    if is_few(table, graph.count_predicate(p)) && graph.is_changed(p) {
                        self.expand_each(table, at, added, later, |id| graph.objects(id, p))
                    } else {
                        let (keys, values) = graph.by_subject(p);
                        self.expand(table, at, added, later, (&keys, &values))
                    }
                }
                (None, Some(at)) => {
                    self.keep_passing(table, at, step)?;
                    let added = Added::of(subject, None, later);
                    if is_few(table, graph.count_predicate(p)) && graph.is_changed(p) {
                        self.expand_each(table, at, added, later, |id| graph.subjects(p, id))
                    } else {
                        let (keys, values) = graph.by_object(p);
                        self.expand(table, at, added, later, (&keys, &values))
                    }
                }
                (None, None) => self.scan(table, step, [subject, object], is_last, later),
            },
        }
    }

    /// Begins with all triples of a predicate.
    fn scan(
        &self,
        table: &mut Table<'a>,
        step: &Known,
        names: [&str; 2],
        is_last: bool,
        later: &Later<'_>,
    ) -> Outcome<()> {
        if !table.columns.is_empty() || table.rows > 1 {
            // A product of parts that do not touch: spareval gives its rows one by one.
            return Err(Stop::Unknown);
        }
        let is_empty = table.rows == 0;
        let passing = step.passing.as_ref();
        *table = match (passing, names.map(|name| (later.has)(name))) {
            (Some(Passing { ids: Ids::Ranges(ranges), count }), _)
                if is_last || count.saturating_mul(16) < self.graph().count_predicate(step.predicate) =>
            {
                self.scan_ranges(step.predicate, ranges, names, is_last)?
            }
            (_, [true, true]) => self.scan_all(step.predicate, passing, names)?,
            (_, [true, false]) => {
                let (subjects, objects) = self.graph().by_subject(step.predicate);
                self.scan_end(names[0], subjects, |at| objects[at], passing, later)?
            }
            (_, [false, _]) => {
                let (objects, _) = self.graph().by_object(step.predicate);
                let all = objects.clone();
                self.scan_end(names[1], objects, |at| all[at], passing, later)?
            }
        };
        if is_empty {
            table.gather(&[]);
        }
        Ok(())
    }

    /// Begins with one end of all triples of a predicate, sorted.
    fn scan_end(
        &self,
        name: &str,
        ids: Cow<'a, [u32]>,
        object: impl Fn(usize) -> u32,
        passing: Option<&Passing>,
        later: &Later<'_>,
    ) -> Outcome<Table<'a>> {
        self.within(ids.len())?;
        let mut column = match passing {
            None => ids,
            Some(passing) => (0..ids.len()).filter(|at| passing.contains(object(*at))).map(|at| ids[at]).collect(),
        };
        if later.is_set {
            dedup(&mut column);
        }
        Ok(Table::of(name, column))
    }

    fn scan_all(&self, predicate: u32, passing: Option<&Passing>, names: [&str; 2]) -> Outcome<Table<'a>> {
        let (subjects, objects) = self.graph().by_subject(predicate);
        let count = passing.map_or(subjects.len(), |passing| passing.count);
        self.within(count * 2)?;
        let (subjects, objects) = match passing {
            None => (subjects, objects),
            Some(passing) => {
                let (mut some, mut of) = (Vec::with_capacity(count), Vec::with_capacity(count));
                for (subject, object) in subjects.iter().zip(objects.iter()) {
                    if passing.contains(*object) {
                        some.push(*subject);
                        of.push(*object);
                    }
                }
                (some.into(), of.into())
            }
        };
        Ok(Table {
            names: names.map(str::to_owned).into(),
            rows: subjects.len(),
            columns: vec![subjects, objects],
            sorted: Some(0),
        })
    }

    /// Reads the triples whose objects are in ranges; by object when they are joined with nothing, else by subject.
    fn scan_ranges(&self, predicate: u32, ranges: &Ranges, names: [&str; 2], by_object: bool) -> Outcome<Table<'a>> {
        let (mut subjects, mut objects) = (Vec::new(), Vec::new());
        for range in ranges.iter() {
            let (some, of) = self.graph().by_object_between(predicate, &range);
            objects.extend_from_slice(&some);
            subjects.extend_from_slice(&of);
            self.within(objects.len() * 2)?;
        }
        if !by_object {
            let pair = |(subject, object): (&u32, &u32)| (u64::from(*subject) << 32) | u64::from(*object);
            let mut pairs: Vec<u64> = subjects.iter().zip(&objects).map(pair).collect();
            pairs.sort_unstable();
            (subjects, objects) = pairs.into_iter().map(|pair| ((pair >> 32) as u32, pair as u32)).unzip();
        }
        Ok(Table {
            names: names.map(str::to_owned).into(),
            rows: subjects.len(),
            columns: vec![subjects.into(), objects.into()],
            sorted: Some(usize::from(by_object)),
        })
    }

    fn keep_passing(&self, table: &mut Table<'a>, at: usize, step: &Known) -> Outcome<()> {
        if let Some(passing) = &step.passing {
            let keep: Vec<u32> =
                (0..table.rows as u32).filter(|row| passing.contains(table.columns[at][*row as usize])).collect();
            table.gather(&keep);
        }
        Ok(())
    }

    /// Keeps the rows whose value is in a sorted list.
    fn keep(&self, table: &mut Table<'a>, at: usize, list: &[u32]) -> Outcome<()> {
        let column = &table.columns[at];
        let mut keep = Vec::with_capacity(table.rows.min(list.len()));
        if table.sorted == Some(at) {
            let mut position = 0;
            for (row, id) in column.iter().enumerate() {
                position = gallop(list, position, *id);
                if list.get(position) == Some(id) {
                    keep.push(row as u32);
                }
            }
        } else if table.rows > 64 && list.len() > 64 {
            let mut set = IdSet::new(self.terms);
            list.iter().for_each(|id| set.insert(*id));
            keep.extend((0..table.rows as u32).filter(|row| set.contains(column[*row as usize])));
        } else {
            keep.extend((0..table.rows as u32).filter(|row| list.binary_search(&column[*row as usize]).is_ok()));
        }
        if keep.len() < table.rows {
            table.gather(&keep);
        }
        self.alive()
    }

    /// Joins every row with every id of a list.
    fn cross(&self, table: &mut Table<'a>, name: &str, list: Cow<'a, [u32]>) -> Outcome<()> {
        self.within(table.rows.saturating_mul(list.len()).saturating_mul(table.columns.len() + 1))?;
        if table.columns.is_empty() && table.rows == 1 {
            *table = Table { rows: list.len(), sorted: Some(0), ..Table::default() };
            table.push(name, list);
            return Ok(());
        }
        let rows: Vec<u32> = (0..table.rows as u32).flat_map(|row| std::iter::repeat_n(row, list.len())).collect();
        let column: Vec<u32> = (0..table.rows).flat_map(|_| list.iter().copied()).collect();
        table.gather(&rows);
        table.push(name, column);
        Ok(())
    }

    /// Joins rows with the ids that a function finds for their value.
    fn expand_each<'l>(
        &self,
        table: &mut Table<'a>,
        at: usize,
        added: Added<'_>,
        later: &Later<'_>,
        find: impl Fn(u32) -> Cow<'l, [u32]>,
    ) -> Outcome<()> {
        let (mut rows, mut column) = (Vec::with_capacity(table.rows), Vec::new());
        let most = if added.is_once { 1 } else { usize::MAX };
        for (row, id) in table.columns[at].iter().enumerate() {
            for found in find(*id).iter().filter(|found| added.passes(**found)).take(most) {
                rows.push(row as u32);
                if added.name.is_some() {
                    column.push(*found);
                }
            }
            self.look(row, rows.len() * (table.columns.len() + 1))?;
        }
        self.attach(table, &rows, added, column, later)
    }

    /// Joins rows with two columns that are sorted by the first.
    fn expand(
        &self,
        table: &mut Table<'a>,
        at: usize,
        added: Added<'_>,
        later: &Later<'_>,
        (keys, values): (&[u32], &[u32]),
    ) -> Outcome<()> {
        // What is in the order of its ids although nobody said so, as parts of records in their order, is seen by looking.
        let ids = &table.columns[at];
        let is_sorted = table.sorted == Some(at) || ids.is_sorted();
        let between = match (ids.first(), ids.last()) {
            (Some(first), Some(last)) if is_sorted => {
                let from = keys.partition_point(|key| key < first);
                from..from + keys[from..].partition_point(|key| key <= last)
            }
            _ => 0..keys.len(),
        };
        let (keys, values) = (&keys[between.clone()], &values[between]);
        // Few rows, and those in the order of the keys, are looked for from the place of the row before.
        let places = if is_sorted || is_few(table, keys.len()) { None } else { Places::of(keys) };
        let mut found = Joined {
            kernel: self,
            added,
            keys,
            values,
            width: table.columns.len() + 1,
            rows: Vec::with_capacity(table.rows),
            column: Vec::with_capacity(if added.name.is_some() { table.rows } else { 0 }),
        };
        match places {
            Some(places) => {
                // A block at once, as no look into the places waits for another.
                let mut starts = [0; BLOCK];
                for (block, ids) in ids.chunks(BLOCK).enumerate() {
                    starts.iter_mut().zip(ids).for_each(|(start, id)| *start = places.find(*id).unwrap_or(keys.len()));
                    for (row, (id, start)) in ids.iter().zip(starts).enumerate() {
                        found.one(block * BLOCK + row, *id, start)?;
                    }
                }
            }
            None => Seeker::new(keys, values, ids.len()).each(ids, &mut found)?,
        }
        let Joined { rows, column, .. } = found;
        self.attach(table, &rows, added, column, later)
    }

    fn attach(
        &self,
        table: &mut Table<'a>,
        rows: &[u32],
        added: Added<'_>,
        column: Vec<u32>,
        later: &Later<'_>,
    ) -> Outcome<()> {
        table.prune(later.has);
        self.within(rows.len().saturating_mul(table.columns.len() + 1))?;
        let same = rows.len() == table.rows && rows.iter().enumerate().all(|(at, row)| at as u32 == *row);
        if !same {
            table.gather(rows);
        }
        if let Some(name) = added.name {
            table.push(name, column);
        }
        Ok(())
    }
}
