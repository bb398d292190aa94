//! Triple patterns whose predicate is a variable.

use super::pattern::Conjunction;
use super::scan::{Atom, name};
use super::table::Table;
use super::{Kernel, Outcome, Stop};
use spargebra::term::NamedNodePattern;

/// A triple pattern whose predicate is a variable.
pub(super) struct Open {
    pub(super) subject: Atom,
    pub(super) predicate: String,
    pub(super) object: Atom,
}

/// Where the value of a place of a pattern comes from.
#[derive(Clone, Copy)]
enum Source {
    Fixed(u32),
    Column(usize),
    Free,
}

impl Source {
    fn of(atom: &Atom, table: &Table<'_>) -> Self {
        match atom {
            Atom::Id(id) => Self::Fixed(*id),
            Atom::Name(name) => table.column(name).map_or(Self::Free, Self::Column),
        }
    }

    /// Returns the value that a row asks for; none when any will do.
    fn get(self, table: &Table<'_>, row: usize) -> Option<u32> {
        match self {
            Self::Fixed(id) => Some(id),
            Self::Column(at) => Some(table.columns[at][row]),
            Self::Free => None,
        }
    }

    fn is_free(self) -> bool {
        matches!(self, Self::Free)
    }
}

/// What a step finds: which row it goes with, and the three terms.
#[derive(Default)]
struct Rows {
    rows: Vec<u32>,
    terms: [Vec<u32>; 3],
}

impl<'a> Kernel<'a> {
    /// Answers `?s ?p ?o` alone as far as rows are needed; nothing when the conjunction is another.
    pub(super) fn first_statements(
        &self,
        conjunction: &Conjunction<'_>,
        most: Option<usize>,
    ) -> Outcome<Option<Table<'a>>> {
        let Some(most) = most else { return Ok(None) };
        let Some([s, p, o]) = alone(conjunction) else { return Ok(None) };
        if !conjunction.filters.is_empty() {
            // spareval reads no more statements than it needs.
            return Err(Stop::Unknown);
        }
        let mut columns = [Vec::new(), Vec::new(), Vec::new()];
        for predicate in self.graph().predicates() {
            let (subjects, objects) = self.graph().by_subject(predicate);
            let count = subjects.len().min(most - columns[0].len());
            columns[0].extend_from_slice(&subjects[..count]);
            columns[1].extend(std::iter::repeat_n(predicate, count));
            columns[2].extend_from_slice(&objects[..count]);
            self.within(columns[0].len() * 3)?;
            if columns[0].len() >= most {
                break;
            }
        }
        let mut table = Table { rows: columns[0].len(), ..Table::default() };
        for (name, column) in [s, p, o].iter().zip(columns) {
            table.push(name, column);
        }
        Ok(Some(table))
    }

    /// Estimates how many rows a step leaves, and says whether it touches what is there.
    pub(super) fn estimate_open(&self, step: &Open, table: &Table<'_>) -> (bool, f64) {
        let known = |atom: &Atom| !Source::of(atom, table).is_free();
        let (rows, all) = (table.rows as f64, self.graph().len() as f64);
        let predicate = table.column(&step.predicate).is_some();
        match (known(&step.subject), known(&step.object)) {
            (true, true) => (true, rows * 2.0),
            (true, false) => (true, rows * all / self.graph().subjects_about().max(1) as f64),
            (false, true) => (true, rows * (all / self.graph().subjects_about().max(1) as f64) * 8.0),
            (false, false) => (predicate || table.columns.is_empty(), rows * if predicate { all / 16.0 } else { all }),
        }
    }

    /// Joins a table with a triple pattern whose predicate is a variable.
    pub(super) fn open(&self, table: &mut Table<'a>, step: &Open) -> Outcome<()> {
        let (s, o) = (Source::of(&step.subject, table), Source::of(&step.object, table));
        let p = table.column(&step.predicate).map_or(Source::Free, Source::Column);
        let found = match (s, p, o) {
            (Source::Free, Source::Free, Source::Free) => {
                // Memory is for what is made of them, too; a product of parts that do not touch is spareval's.
                if !table.columns.is_empty()
                    || table.rows > 1
                    || self.graph().len().saturating_mul(4 * 3 * 3) > self.limits.memory
                {
                    return Err(Stop::Unknown);
                }
                self.by_predicates(table, p, o)?
            }
            (Source::Free, ..) => self.by_predicates(table, p, o)?,
            _ => self.by_subjects(table, s, p, o)?,
        };
        let Rows { rows, terms: [subjects, predicates, objects] } = found;
        table.gather(&rows);
        for (source, name, column) in
            [(s, Some(&step.subject), subjects), (p, None, predicates), (o, Some(&step.object), objects)]
        {
            let name = match name {
                Some(Atom::Name(name)) => name,
                Some(Atom::Id(_)) => continue,
                None => &step.predicate,
            };
            if source.is_free() {
                table.push(name, column);
            }
        }
        Ok(())
    }

    fn by_subjects(&self, table: &Table<'_>, s: Source, p: Source, o: Source) -> Outcome<Rows> {
        let is_sorted = matches!(s, Source::Column(at) if table.sorted == Some(at));
        let (graph, mut found, mut from) = (self.graph(), Rows::default(), 0);
        for row in 0..table.rows {
            let Some(subject) = s.get(table, row) else { return Err(Stop::Unknown) };
            if !is_sorted {
                from = 0;
            }
            let (predicates, objects) = graph.about_from(subject, &mut from);
            let (wanted_predicate, wanted_object) = (p.get(table, row), o.get(table, row));
            for (predicate, object) in predicates.iter().zip(objects.iter()) {
                if wanted_predicate.is_none_or(|wanted| wanted == *predicate)
                    && wanted_object.is_none_or(|wanted| wanted == *object)
                {
                    self.add(&mut found, table, row, [subject, *predicate, *object])?;
                }
            }
            self.look(row, 0)?;
        }
        Ok(found)
    }

    fn by_predicates(&self, table: &Table<'_>, p: Source, o: Source) -> Outcome<Rows> {
        let (graph, all, mut found) = (self.graph(), self.graph().predicates(), Rows::default());
        for row in 0..table.rows {
            let one = p.get(table, row);
            let predicates: &[u32] = one.as_ref().map_or(&all, std::slice::from_ref);
            for predicate in predicates {
                match o.get(table, row) {
                    Some(object) => {
                        for subject in graph.subjects(*predicate, object).iter() {
                            self.add(&mut found, table, row, [*subject, *predicate, object])?;
                        }
                    }
                    None => {
                        let (subjects, objects) = graph.by_subject(*predicate);
                        for (subject, object) in subjects.iter().zip(objects.iter()) {
                            self.add(&mut found, table, row, [*subject, *predicate, *object])?;
                        }
                    }
                }
            }
            self.look(row, 0)?;
        }
        Ok(found)
    }

    fn add(&self, found: &mut Rows, table: &Table<'_>, row: usize, triple: [u32; 3]) -> Outcome<()> {
        found.rows.push(row as u32);
        for (column, id) in found.terms.iter_mut().zip(triple) {
            column.push(id);
        }
        self.look(found.rows.len(), found.rows.len().saturating_mul(table.columns.len() + 4))
    }
}

/// Returns the three variables when a conjunction begins with all statements and joins them with nothing.
fn alone(conjunction: &Conjunction<'_>) -> Option<[String; 3]> {
    let [triple] = conjunction.triples.as_slice() else { return None };
    if !conjunction.others.is_empty() || !conjunction.paths.is_empty() {
        return None;
    }
    let NamedNodePattern::Variable(predicate) = &triple.predicate else { return None };
    let names = [name(&triple.subject)?, predicate.as_str().to_owned(), name(&triple.object)?];
    let [s, p, o] = &names;
    (s != p && p != o && s != o).then_some(names)
}
