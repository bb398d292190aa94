//! Basic graph patterns: the smallest first, then always the step that leaves the fewest rows.

use std::borrow::Cow;

use oxigraph::model::Variable;
use spargebra::algebra::Expression;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};

use super::expression::{named, variables_of};
use super::open::Open;
use super::passing::{Ids, Passing};
use super::path::Walk;
use super::pattern::{Conjunction, MANY};
use super::places::Places;
use super::range::Ranges;
use super::table::{IdSet, Table, different};
use super::wanted::Wanted;
use super::{Kernel, Outcome, Stop};
use crate::storage::view::gallop;

/// A subject or an object of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Atom {
    /// A variable or blank node.
    Name(String),
    /// A term of the view.
    Id(u32),
}

/// A part of a basic graph pattern, in ids.
pub(super) enum Step<'p> {
    /// Triples of one predicate.
    Known(Known),
    /// Triples whose predicate is a variable.
    Open(Open),
    /// A path.
    Walk(Walk<'p>),
}

/// A triple pattern whose predicate is known.
pub(super) struct Known {
    pub(super) subject: Atom,
    pub(super) predicate: u32,
    pub(super) object: Atom,
    /// The objects that pass the filters on them; all when there are none here.
    pub(super) passing: Option<Passing>,
}

impl Step<'_> {
    /// Says whether it looks at a variable.
    fn has(&self, name: &str) -> bool {
        let (subject, predicate, object) = match self {
            Self::Known(Known { subject, object, .. }) => (subject, None, object),
            Self::Open(Open { subject, predicate, object }) => (subject, Some(predicate), object),
            Self::Walk(Walk { subject, object, .. }) => (subject, None, object),
        };
        let is = |atom: &Atom| matches!(atom, Atom::Name(other) if other == name);
        is(subject) || is(object) || predicate.is_some_and(|other| other == name)
    }
}

/// What of a step's rows is used later.
struct Later<'l> {
    has: &'l dyn Fn(&str) -> bool,
    /// Equal rows are one.
    is_set: bool,
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

/// Says whether a table has far fewer rows than triples that it is joined with.
fn is_few(table: &Table, triples: usize) -> bool {
    table.rows.saturating_mul(16) < triples
}

/// Returns how many rows are looked at first when no more than some are needed.
pub(super) fn portion(most: usize) -> usize {
    most.saturating_mul(4).max(128)
}

/// A condition that waits until its variables are bound.
pub(super) struct Waiting<'p> {
    pub(super) expression: &'p Expression,
    pub(super) variables: Vec<Variable>,
}

/// Returns the name of a variable or blank node.
pub(super) fn name(term: &TermPattern) -> Option<String> {
    match term {
        TermPattern::Variable(variable) => Some(variable.as_str().to_owned()),
        TermPattern::BlankNode(node) => Some(format!("_:{}", node.as_str())),
        _ => None,
    }
}

/// Returns the names of a triple pattern.
pub(super) fn names(triple: &TriplePattern) -> Vec<String> {
    let mut names: Vec<String> = [&triple.subject, &triple.object].into_iter().filter_map(name).collect();
    if let NamedNodePattern::Variable(variable) = &triple.predicate {
        names.push(variable.as_str().to_owned());
    }
    names.dedup();
    names
}

impl Kernel<'_> {
    /// Evaluates a join of patterns; when `most` is said, no more rows are needed.
    pub(super) fn conjunction(&self, mut conjunction: Conjunction<'_>, most: Option<usize>) -> Outcome<Table> {
        if let Some(found) = self.first_statements(&conjunction, most)? {
            return Ok(found);
        }
        let (mut table, mut later): (Option<Table>, Vec<_>) = (None, Vec::new());
        for other in &conjunction.others {
            if self.comes_later(other, &conjunction)? {
                later.push(other);
                continue;
            }
            let next = self.part(other, None, &conjunction.of_others())?;
            table = Some(match table {
                Some(table) => self.join(table, next)?,
                None => next,
            });
        }
        let most = if later.is_empty() { most } else { None };
        if !later.is_empty() {
            conjunction.wanted = Wanted::default();
        }
        let mut table = self.triples(table.unwrap_or_else(Table::unit), &conjunction, most)?;
        for other in later {
            let next = self.for_table(other, &table)?;
            table = self.join(table, next)?;
        }
        Ok(table)
    }

    /// Estimates how many rows the smallest part of a conjunction has.
    pub(super) fn least(&self, conjunction: &Conjunction<'_>) -> Outcome<f64> {
        let (steps, unit) = (self.steps(conjunction)?.unwrap_or_default(), Table::unit());
        let least = steps.iter().map(|step| self.estimate(step, &unit)).filter(|(is_joined, _)| *is_joined);
        Ok(least.map(|(_, rows)| rows).reduce(f64::min).unwrap_or(0.0))
    }

    /// Joins a table with triple patterns and paths, and applies filters on variables that are bound then; when `most` is
    /// said, no more rows are needed.
    pub(super) fn triples(&self, table: Table, conjunction: &Conjunction<'_>, most: Option<usize>) -> Outcome<Table> {
        let names = conjunction.bound();
        let mut shared = names.iter().filter_map(|name| table.column(name));
        if !shared.all(|column| table.is_bound(column)) {
            return Err(Stop::Unknown);
        }
        let Some(mut steps) = self.steps(conjunction)? else {
            let mut all = table.names;
            for name in names {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
            return Ok(Table::empty(all));
        };
        let mut waiting = Vec::new();
        for expression in &conjunction.filters {
            let mut variables = Vec::new();
            variables_of(expression, &mut variables)?;
            waiting.push(Waiting { expression, variables });
        }
        self.apply_to_objects(&mut steps, &mut waiting, &table, most.is_none())?;
        self.take_steps(table, steps.iter().collect(), waiting.iter().collect(), most, &conjunction.wanted)
    }

    fn take_steps(
        &self,
        mut table: Table,
        mut steps: Vec<&Step<'_>>,
        mut waiting: Vec<&Waiting<'_>>,
        most: Option<usize>,
        wanted: &Wanted,
    ) -> Outcome<Table> {
        loop {
            if let Some(most) = most
                && table.rows > portion(most)
                && !(steps.is_empty() && waiting.is_empty())
            {
                return self.in_portions(&table, (&steps, &waiting), most, wanted);
            }
            self.apply_filters(&mut table, &mut waiting)?;
            let used = |steps: &[&Step<'_>], name: &str| {
                wanted.has(name)
                    || steps.iter().any(|step| step.has(name))
                    || waiting.iter().any(|one| one.variables.iter().any(|variable| variable.as_str() == name))
            };
            self.forget(&mut table, wanted, |name| used(&steps, name), steps.is_empty());
            if steps.is_empty() {
                return Ok(table);
            }
            let step = steps.swap_remove(self.next(&steps, &table)?);
            let later = Later { has: &|name| used(&steps, name), is_set: wanted.is_set };
            match step {
                Step::Known(step) => self.step(&mut table, step, steps.is_empty(), &later)?,
                Step::Open(step) => self.open(&mut table, step)?,
                Step::Walk(walk) => self.walk(&mut table, walk)?,
            }
        }
    }

    /// Takes away columns that nothing uses, and rows that are equal then where that is cheap.
    fn forget(&self, table: &mut Table, wanted: &Wanted, is_used: impl Fn(&str) -> bool, is_last: bool) {
        if wanted.is_all() {
            return;
        }
        let before = table.columns.len();
        table.prune(is_used);
        if !wanted.is_set || table.columns.len() == before {
            return;
        }
        match table.columns.as_mut_slice() {
            [] => table.rows = table.rows.min(1),
            [column] if table.sorted == Some(0) => {
                column.dedup();
                table.rows = column.len();
            }
            [column] if table.rows > MANY && !is_last => {
                *column = different(column);
                table.rows = column.len();
                table.sorted = Some(0);
            }
            _ => {}
        }
    }

    /// Takes the steps with some rows, and with ever more of them until there are enough.
    fn in_portions(
        &self,
        table: &Table,
        (steps, waiting): (&[&Step<'_>], &[&Waiting<'_>]),
        most: usize,
        wanted: &Wanted,
    ) -> Outcome<Table> {
        let (mut from, mut size) = (0, portion(most));
        let mut found: Option<Table> = None;
        loop {
            let next = self.take_steps(table.part(from, size), steps.to_vec(), waiting.to_vec(), None, wanted)?;
            let all = match found {
                Some(found) => self.union(found, next)?,
                None => next,
            };
            from += size;
            if all.rows >= most || from >= table.rows {
                return Ok(all);
            }
            size *= 4;
            found = Some(all);
        }
    }

    /// Finds the ids of patterns; none when a term is not in the view, so that nothing matches.
    fn steps<'p>(&self, conjunction: &Conjunction<'p>) -> Outcome<Option<Vec<Step<'p>>>> {
        let mut steps = Vec::with_capacity(conjunction.triples.len());
        let mut missing = false;
        for triple in &conjunction.triples {
            let mut atom = |term: &TermPattern| -> Outcome<Atom> {
                let found = self.atom(term)?;
                missing |= found.is_none();
                Ok(found.unwrap_or(Atom::Id(0)))
            };
            let (subject, object) = (atom(&triple.subject)?, atom(&triple.object)?);
            let same = |a: &Atom, b: &Atom| matches!((a, b), (Atom::Name(a), Atom::Name(b)) if a == b);
            if same(&subject, &object) {
                return Err(Stop::Unknown);
            }
            match &triple.predicate {
                NamedNodePattern::NamedNode(predicate) => match self.view.find(named(predicate.as_str()).as_ref()) {
                    Some(predicate) => steps.push(Step::Known(Known { subject, predicate, object, passing: None })),
                    None => missing = true,
                },
                NamedNodePattern::Variable(variable) => {
                    let predicate = Atom::Name(variable.as_str().to_owned());
                    if same(&subject, &predicate) || same(&object, &predicate) {
                        return Err(Stop::Unknown);
                    }
                    steps.push(Step::Open(Open { subject, predicate: variable.as_str().to_owned(), object }));
                }
            }
        }
        for (subject, path, object) in &conjunction.paths {
            // A constant of a path need not be in the data: a path may have no length.
            let (Some(subject), Some(object)) = (self.atom(subject)?, self.atom(object)?) else {
                return Err(Stop::Unknown);
            };
            if matches!((&subject, &object), (Atom::Name(a), Atom::Name(b)) if a == b) {
                return Err(Stop::Unknown);
            }
            steps.push(Step::Walk(Walk { subject, path, object }));
        }
        Ok(if missing { None } else { Some(steps) })
    }

    /// Returns a variable, or the id of a term; none when the view does not have the term.
    fn atom(&self, term: &TermPattern) -> Outcome<Option<Atom>> {
        if let Some(name) = name(term) {
            return Ok(Some(Atom::Name(name)));
        }
        let found = match term {
            TermPattern::NamedNode(node) => self.view.find(node.as_ref().into()),
            TermPattern::Literal(literal) => self.view.find(literal.as_ref().into()),
            _ => return Err(Stop::Unknown),
        };
        Ok(found.map(Atom::Id))
    }

    fn apply_filters(&self, table: &mut Table, waiting: &mut Vec<&Waiting<'_>>) -> Outcome<()> {
        let mut at = 0;
        while let Some(condition) = waiting.get(at) {
            if condition.variables.iter().all(|variable| table.column(variable.as_str()).is_some()) {
                self.filter(table, condition.expression)?;
                waiting.remove(at);
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    /// Chooses the step that leaves the fewest rows.
    fn next(&self, steps: &[&Step<'_>], table: &Table) -> Outcome<usize> {
        let estimates = steps.iter().map(|step| self.estimate(step, table)).enumerate();
        let best = estimates.min_by(|(_, (a, x)), (_, (b, y))| b.cmp(a).then_with(|| x.total_cmp(y)));
        best.map(|(at, _)| at).ok_or(Stop::Unknown)
    }

    /// Estimates how many rows a step leaves, and says whether it touches what is there.
    fn estimate(&self, step: &Step<'_>, table: &Table) -> (bool, f64) {
        let bound = |atom: &Atom| matches!(atom, Atom::Name(name) if table.column(name).is_some());
        let rows = table.rows as f64;
        let step = match step {
            Step::Known(step) => step,
            Step::Open(step) => return self.estimate_open(step, table),
            Step::Walk(walk) => return Self::estimate_walk(walk, table),
        };
        let triples =
            step.passing.as_ref().map_or_else(|| self.graph().count_predicate(step.predicate), |some| some.count);
        let (subjects, objects) = self.graph().distinct(step.predicate);
        let (subjects, objects, triples) = (subjects.max(1) as f64, objects.max(1) as f64, triples as f64);
        let is_unit = table.columns.is_empty();
        match (&step.subject, &step.object) {
            (Atom::Id(_), Atom::Id(_)) => (true, 0.0),
            (Atom::Name(_), Atom::Id(object)) => {
                let matching = self.graph().count_subjects(step.predicate, *object) as f64;
                match bound(&step.subject) {
                    true => (true, rows * (matching / subjects).min(1.0)),
                    false => (is_unit, rows * matching),
                }
            }
            (Atom::Id(subject), Atom::Name(_)) => {
                let matching = self.graph().objects(*subject, step.predicate).len() as f64;
                match bound(&step.object) {
                    true => (true, rows * (matching / objects).min(1.0)),
                    false => (is_unit, rows * matching),
                }
            }
            (Atom::Name(_), Atom::Name(_)) => match (bound(&step.subject), bound(&step.object)) {
                (true, true) => (true, rows * (triples / (subjects * objects)).min(1.0)),
                (true, false) => (true, rows * triples / subjects),
                (false, true) => (true, rows * triples / objects),
                (false, false) => (is_unit, rows * triples),
            },
        }
    }

    /// Joins a table with the triples of a step; after the last step, no order of rows is of use.
    fn step(&self, table: &mut Table, step: &Known, is_last: bool, later: &Later<'_>) -> Outcome<()> {
        self.alive()?;
        let column = |table: &Table, atom: &Atom| match atom {
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
        table: &mut Table,
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
        ids: Cow<'_, [u32]>,
        object: impl Fn(usize) -> u32,
        passing: Option<&Passing>,
        later: &Later<'_>,
    ) -> Outcome<Table> {
        self.within(ids.len())?;
        let mut column = match passing {
            None => ids.into_owned(),
            Some(passing) => {
                (0..ids.len()).filter(|at| passing.contains(object(*at))).map(|at| ids[at]).collect()
            }
        };
        if later.is_set {
            column.dedup();
        }
        Ok(Table::of(name, column))
    }

    fn scan_all(&self, predicate: u32, passing: Option<&Passing>, names: [&str; 2]) -> Outcome<Table> {
        let (subjects, objects) = self.graph().by_subject(predicate);
        let count = passing.map_or(subjects.len(), |passing| passing.count);
        self.within(count * 2)?;
        let (subjects, objects) = match passing {
            None => (subjects.into_owned(), objects.into_owned()),
            Some(passing) => {
                let (mut some, mut of) = (Vec::with_capacity(count), Vec::with_capacity(count));
                for (subject, object) in subjects.iter().zip(objects.iter()) {
                    if passing.contains(*object) {
                        some.push(*subject);
                        of.push(*object);
                    }
                }
                (some, of)
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
    fn scan_ranges(&self, predicate: u32, ranges: &Ranges, names: [&str; 2], by_object: bool) -> Outcome<Table> {
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
            columns: vec![subjects, objects],
            sorted: Some(usize::from(by_object)),
        })
    }

    fn keep_passing(&self, table: &mut Table, at: usize, step: &Known) -> Outcome<()> {
        if let Some(passing) = &step.passing {
            let keep: Vec<u32> =
                (0..table.rows as u32).filter(|row| passing.contains(table.columns[at][*row as usize])).collect();
            table.gather(&keep);
        }
        Ok(())
    }

    /// Keeps the rows whose value is in a sorted list.
    fn keep(&self, table: &mut Table, at: usize, list: &[u32]) -> Outcome<()> {
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
    fn cross(&self, table: &mut Table, name: &str, list: Cow<'_, [u32]>) -> Outcome<()> {
        self.within(table.rows.saturating_mul(list.len()).saturating_mul(table.columns.len() + 1))?;
        if table.columns.is_empty() && table.rows == 1 {
            *table = Table { rows: list.len(), sorted: Some(0), ..Table::default() };
            table.push(name, list.into_owned());
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
        table: &mut Table,
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
        table: &mut Table,
        at: usize,
        added: Added<'_>,
        later: &Later<'_>,
        (keys, values): (&[u32], &[u32]),
    ) -> Outcome<()> {
        let width = table.columns.len() + 1;
        let (mut rows, mut column) = (Vec::with_capacity(table.rows), Vec::new());
        if added.name.is_some() {
            column.reserve(table.rows);
        }
        // Few rows, and those in the order of the keys, are looked for from the place of the row before. What is in the order of
        // its ids although nobody said so, as parts of records in their order, is seen by looking.
        let is_near = table.sorted == Some(at) || is_few(table, keys.len()) || table.columns[at].is_sorted();
        let places = if is_near { None } else { Places::of(keys) };
        let (mut position, mut last) = (0, 0);
        for (row, id) in table.columns[at].iter().enumerate() {
            if let Some(places) = &places {
                let Some(start) = places.find(*id) else { continue };
                position = start;
            } else {
                position = match *id < last {
                    true => keys[..position].partition_point(|key| key < id),
                    false => gallop(keys, position, *id),
                };
                last = *id;
            }
            let mut next = position;
            while keys.get(next) == Some(id) {
                if added.passes(values[next]) {
                    rows.push(row as u32);
                    if added.name.is_some() {
                        column.push(values[next]);
                    } else if added.is_once {
                        break;
                    }
                }
                next += 1;
            }
            self.look(row, rows.len() * width)?;
        }
        self.attach(table, &rows, added, column, later)
    }

    fn attach(
        &self,
        table: &mut Table,
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
