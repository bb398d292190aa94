//! Property paths, from ends that are known.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use spargebra::algebra::PropertyPathExpression as Path;

use super::scan::Atom;
use super::table::Table;
use super::{Kernel, Outcome, Stop};

/// A path between two ends.
pub(super) struct Walk<'p> {
    pub(super) subject: Atom,
    pub(super) path: &'p Path,
    pub(super) object: Atom,
}

/// Which way a path is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Backward,
}

impl Way {
    fn turned(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }
}

/// What was reached from each end that was asked about.
type Known = FxHashMap<u32, Rc<[u32]>>;

impl<'a> Kernel<'a> {
    /// Estimates how many rows a path leaves, and says whether it touches what is there.
    pub(super) fn estimate_walk(walk: &Walk<'_>, table: &Table<'_>) -> (bool, f64) {
        let bound = |atom: &Atom| matches!(atom, Atom::Name(name) if table.column(name).is_some());
        let rows = table.rows as f64;
        match (&walk.subject, &walk.object) {
            (Atom::Id(_), _) | (_, Atom::Id(_)) => (true, rows * 4.0),
            (subject, object) if bound(subject) && bound(object) => (true, rows),
            (subject, object) if bound(subject) || bound(object) => (true, rows * 4.0),
            _ => (false, f64::MAX),
        }
    }

    /// Joins a table with a path.
    pub(super) fn walk(&self, table: &mut Table<'a>, walk: &Walk<'_>) -> Outcome<()> {
        let column = |atom: &Atom| match atom {
            Atom::Name(name) => table.column(name),
            Atom::Id(_) => None,
        };
        let (s, o) = (column(&walk.subject), column(&walk.object));
        match (&walk.subject, &walk.object) {
            (Atom::Id(from), Atom::Id(to)) => {
                if !self.reached(walk.path, *from, Way::Forward)?.contains(to) {
                    table.gather(&[]);
                }
                Ok(())
            }
            (Atom::Id(from), Atom::Name(name)) => {
                let found = self.reached(walk.path, *from, Way::Forward)?;
                self.join_list(table, o, name, &found)
            }
            (Atom::Name(name), Atom::Id(to)) => {
                let found = self.reached(walk.path, *to, Way::Backward)?;
                self.join_list(table, s, name, &found)
            }
            (Atom::Name(subject), Atom::Name(object)) => match (s, o) {
                (Some(s), Some(o)) => self.keep_connected(table, walk.path, s, o),
                (Some(s), None) => self.walk_on(table, walk.path, s, object, Way::Forward),
                (None, Some(o)) => self.walk_on(table, walk.path, o, subject, Way::Backward),
                (None, None) if table.columns.is_empty() && table.rows == 1 => {
                    if let Some((subjects, objects)) = self.every_pair(walk.path)? {
                        *table = Table { rows: subjects.len(), sorted: Some(0), ..Table::default() };
                        table.push(subject, subjects);
                        table.push(object, objects);
                        return Ok(());
                    }
                    *table = self.every_start(walk.path, subject)?;
                    self.walk_on(table, walk.path, 0, object, Way::Forward)
                }
                (None, None) => Err(Stop::Unknown),
            },
        }
    }

    fn join_list(&self, table: &mut Table<'a>, at: Option<usize>, name: &str, found: &[u32]) -> Outcome<()> {
        let Some(at) = at else {
            let mut rows = Vec::with_capacity(table.rows.saturating_mul(found.len()));
            self.within(table.rows.saturating_mul(found.len()).saturating_mul(table.columns.len() + 1))?;
            let mut column = Vec::with_capacity(rows.capacity());
            for row in 0..table.rows as u32 {
                rows.extend(std::iter::repeat_n(row, found.len()));
                column.extend_from_slice(found);
            }
            table.gather(&rows);
            table.push(name, column);
            return Ok(());
        };
        let mut times: FxHashMap<u32, usize> = FxHashMap::default();
        found.iter().for_each(|id| *times.entry(*id).or_default() += 1);
        let mut rows = Vec::new();
        for (row, id) in table.columns[at].iter().enumerate() {
            self.look(row, 0)?;
            rows.extend(std::iter::repeat_n(row as u32, times.get(id).copied().unwrap_or(0)));
        }
        table.gather(&rows);
        Ok(())
    }

    fn keep_connected(&self, table: &mut Table<'a>, path: &Path, s: usize, o: usize) -> Outcome<()> {
        let (mut known, mut rows) = (Known::default(), Vec::new());
        for row in 0..table.rows {
            self.look(row, 0)?;
            let found = self.reached_once(path, table.columns[s][row], Way::Forward, &mut known)?;
            // spareval asks whether there is a way, not how many there are: only a set is surely the same.
            let times = found.iter().filter(|id| **id == table.columns[o][row]).count();
            if times > 1 {
                return Err(Stop::Unknown);
            }
            if times == 1 {
                rows.push(row as u32);
            }
        }
        table.gather(&rows);
        Ok(())
    }

    fn walk_on(&self, table: &mut Table<'a>, path: &Path, at: usize, name: &str, way: Way) -> Outcome<()> {
        let (mut known, mut rows, mut column) = (Known::default(), Vec::new(), Vec::new());
        for (row, id) in table.columns[at].iter().enumerate() {
            let found = self.reached_once(path, *id, way, &mut known)?;
            rows.extend(std::iter::repeat_n(row as u32, found.len()));
            column.extend_from_slice(&found);
            self.look(if found.len() > 64 { 0 } else { row }, column.len() * (table.columns.len() + 1))?;
        }
        table.gather(&rows);
        table.push(name, column);
        Ok(())
    }

    /// Finds both ends of all that one of several predicates connects, sorted; nothing when the path is another. A pair that
    /// two of them connect is there twice by the standard and once by spareval.
    fn every_pair(&self, path: &Path) -> Outcome<Option<(Vec<u32>, Vec<u32>)>> {
        let (one, other) = match path {
            Path::NamedNode(predicate) => {
                let Some(predicate) = self.view.find(predicate.as_ref().into()) else {
                    return Ok(Some(Default::default()));
                };
                let (subjects, objects) = self.graph().by_subject(predicate);
                self.within(subjects.len() * 2)?;
                return Ok(Some((subjects.into_owned(), objects.into_owned())));
            }
            Path::Alternative(a, b) => match (self.every_pair(a)?, self.every_pair(b)?) {
                (Some(one), Some(other)) => (one, other),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let count = one.0.len() + other.0.len();
        self.within(count * 4)?;
        let (mut subjects, mut objects) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let (mut a, mut b) = (0, 0);
        while a < one.0.len() || b < other.0.len() {
            let (first, second) = (pair(&one, a), pair(&other, b));
            if first == second {
                return Err(Stop::Unknown);
            }
            let (subject, object) = if second.is_none_or(|second| first.is_some_and(|first| first < second)) {
                a += 1;
                (one.0[a - 1], one.1[a - 1])
            } else {
                b += 1;
                (other.0[b - 1], other.1[b - 1])
            };
            subjects.push(subject);
            objects.push(object);
        }
        Ok(Some((subjects, objects)))
    }

    /// Finds everything that a path could begin with, when a path without a length cannot.
    fn every_start(&self, path: &Path, name: &str) -> Outcome<Table<'a>> {
        let Path::OneOrMore(path) = path else { return Err(Stop::Unknown) };
        let Path::NamedNode(predicate) = &**path else { return Err(Stop::Unknown) };
        let mut starts = match self.view.find(predicate.as_ref().into()) {
            Some(predicate) => self.graph().by_subject(predicate).0.into_owned(),
            None => Vec::new(),
        };
        starts.dedup();
        let mut table = Table { rows: starts.len(), sorted: Some(0), ..Table::default() };
        table.push(name, starts);
        Ok(table)
    }

    fn reached_once(&self, path: &Path, from: u32, way: Way, known: &mut Known) -> Outcome<Rc<[u32]>> {
        if let Some(found) = known.get(&from) {
            return Ok(Rc::clone(found));
        }
        let found: Rc<[u32]> = self.reached(path, from, way)?.into();
        known.insert(from, Rc::clone(&found));
        Ok(found)
    }

    /// Finds what a path leads to; gives up where the standard counts ways that spareval counts once.
    fn reached(&self, path: &Path, from: u32, way: Way) -> Outcome<Vec<u32>> {
        let mut found = Vec::new();
        self.reach(path, from, way, &mut found)?;
        if !matches!(path, Path::ZeroOrMore(_) | Path::OneOrMore(_) | Path::ZeroOrOne(_)) {
            let mut sorted = found.clone();
            sorted.sort_unstable();
            if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Stop::Unknown);
            }
        }
        Ok(found)
    }

    fn reach(&self, path: &Path, from: u32, way: Way, found: &mut Vec<u32>) -> Outcome<()> {
        let graph = self.graph();
        self.within(found.len())?;
        match path {
            Path::NamedNode(predicate) => {
                let Some(predicate) = self.view.find(predicate.as_ref().into()) else { return Ok(()) };
                match way {
                    Way::Forward => found.extend_from_slice(&graph.objects(from, predicate)),
                    Way::Backward => found.extend_from_slice(&graph.subjects(predicate, from)),
                }
            }
            Path::Reverse(path) => self.reach(path, from, way.turned(), found)?,
            Path::Sequence(first, second) => {
                let (first, second) = if way == Way::Forward { (first, second) } else { (second, first) };
                let mut middle = Vec::new();
                self.reach(first, from, way, &mut middle)?;
                for from in middle {
                    self.reach(second, from, way, found)?;
                }
            }
            Path::Alternative(a, b) => {
                self.reach(a, from, way, found)?;
                self.reach(b, from, way, found)?;
            }
            Path::ZeroOrMore(path) => {
                self.must_be_node(from)?;
                self.closure(path, vec![from], way, found)?;
            }
            Path::OneOrMore(path) => {
                let mut first = Vec::new();
                self.reach(path, from, way, &mut first)?;
                self.closure(path, first, way, found)?;
            }
            Path::ZeroOrOne(path) => {
                self.must_be_node(from)?;
                let mut ends = vec![from];
                self.reach(path, from, way, &mut ends)?;
                let mut seen = FxHashSet::default();
                found.extend(ends.into_iter().filter(|id| seen.insert(*id)));
            }
            Path::NegatedPropertySet(not) => {
                let not: Vec<u32> = not.iter().filter_map(|node| self.view.find(node.as_ref().into())).collect();
                match way {
                    Way::Forward => {
                        let (predicates, objects) = graph.about(from);
                        let pairs = predicates.iter().zip(objects.iter());
                        found
                            .extend(pairs.filter(|(predicate, _)| !not.contains(predicate)).map(|(_, object)| *object));
                    }
                    Way::Backward => {
                        for predicate in graph.predicates().into_iter().filter(|predicate| !not.contains(predicate)) {
                            found.extend_from_slice(&graph.subjects(predicate, from));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds everything that repeated steps lead to, these beginnings included.
    fn closure(&self, path: &Path, from: Vec<u32>, way: Way, found: &mut Vec<u32>) -> Outcome<()> {
        let mut seen = FxHashSet::default();
        let mut waiting: Vec<u32> = from.into_iter().filter(|id| seen.insert(*id)).collect();
        let mut next = Vec::new();
        while let Some(from) = waiting.pop() {
            found.push(from);
            self.look(found.len(), seen.len() * 4)?;
            next.clear();
            self.reach(path, from, way, &mut next)?;
            waiting.extend(next.iter().filter(|id| seen.insert(**id)));
        }
        Ok(())
    }

    /// A path of no length begins at nodes of the graph; what it does at other terms is spareval's to say.
    fn must_be_node(&self, id: u32) -> Outcome<()> {
        let graph = self.graph();
        let is_node = !graph.about(id).0.is_empty()
            || graph.predicates().into_iter().any(|predicate| graph.count_subjects(predicate, id) > 0);
        if is_node { Ok(()) } else { Err(Stop::Unknown) }
    }
}

/// Returns a pair of two columns.
fn pair(columns: &(Vec<u32>, Vec<u32>), at: usize) -> Option<(u32, u32)> {
    Some((*columns.0.get(at)?, *columns.1.get(at)?))
}
