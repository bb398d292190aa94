//! Basic graph patterns: the smallest first, then always the step that leaves the fewest rows.

use std::borrow::Cow;

use oxigraph::model::Variable;
use rustc_hash::FxHashMap;
use spargebra::algebra::Expression;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};

use super::expression::{named, variables_of};
use super::open::Open;
use super::path::Walk;
use super::pattern::Conjunction;
use super::table::{IdSet, Table};
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
enum Step<'p> {
    /// Triples of one predicate.
    Known(Known),
    /// Triples whose predicate is a variable.
    Open(Open),
    /// A path.
    Walk(Walk<'p>),
}

/// A triple pattern whose predicate is known.
struct Known {
    subject: Atom,
    predicate: u32,
    object: Atom,
    /// The objects that pass the filters on them, and how many triples have one of these.
    passing: Option<(IdSet, usize)>,
}

/// A condition that waits until its variables are bound.
struct Waiting<'p> {
    expression: &'p Expression,
    variables: Vec<Variable>,
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
    pub(super) fn conjunction(&self, conjunction: Conjunction<'_>, most: Option<usize>) -> Outcome<Table> {
        if let Some(found) = self.first_statements(&conjunction, most)? {
            return Ok(found);
        }
        let mut table: Option<Table> = None;
        for other in &conjunction.others {
            let next = self.pattern(other, None)?;
            table = Some(match table {
                Some(table) => self.join(table, next)?,
                None => next,
            });
        }
        self.triples(table.unwrap_or_else(Table::unit), &conjunction)
    }

    /// Joins a table with triple patterns and paths, and applies filters on variables that are bound then.
    pub(super) fn triples(&self, mut table: Table, conjunction: &Conjunction<'_>) -> Outcome<Table> {
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
        self.apply_filters(&mut table, &mut waiting)?;
        self.apply_to_objects(&mut steps, &mut waiting, &table)?;
        while !steps.is_empty() {
            match steps.swap_remove(self.next(&steps, &table)?) {
                Step::Known(step) => self.step(&mut table, &step)?,
                Step::Open(step) => self.open(&mut table, &step)?,
                Step::Walk(walk) => self.walk(&mut table, &walk)?,
            }
            self.apply_filters(&mut table, &mut waiting)?;
        }
        Ok(table)
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

    /// Evaluates filters on one object variable once for each object, when there are far fewer objects than triples.
    fn apply_to_objects(&self, steps: &mut [Step<'_>], waiting: &mut Vec<Waiting<'_>>, table: &Table) -> Outcome<()> {
        // When nothing narrows the rows before, every object is looked at anyway: best in the order of the dictionary, whose
        // pages and cache lines are then read one after the other.
        let is_wide =
            |step: &Step<'_>| matches!(step, Step::Known(Known { subject: Atom::Name(_), object: Atom::Name(_), .. }));
        let all_are_wide = table.columns.is_empty() && steps.iter().all(is_wide);
        for step in steps {
            let Step::Known(step) = step else { continue };
            let (Atom::Name(_), Atom::Name(object)) = (&step.subject, &step.object) else { continue };
            let only_object =
                |waiting: &Waiting<'_>| matches!(waiting.variables.as_slice(), [one] if one.as_str() == object);
            if table.column(object).is_some() || !waiting.iter().any(only_object) {
                continue;
            }
            let (_, objects) = self.graph().distinct(step.predicate);
            if !all_are_wide && objects * 3 > self.graph().count_predicate(step.predicate) {
                continue;
            }
            let (column, _) = self.graph().by_object(step.predicate);
            let runs: Vec<(u32, usize)> =
                column.chunk_by(|a, b| a == b).filter_map(|run| Some((*run.first()?, run.len()))).collect();
            let ids: Vec<u32> = runs.iter().map(|(id, _)| *id).collect();
            let mut passing = Table { rows: ids.len(), ..Table::default() };
            passing.push(object, ids);
            for condition in waiting.iter().filter(|waiting| only_object(waiting)) {
                self.filter(&mut passing, condition.expression)?;
            }
            let mut set = IdSet::new(self.terms);
            passing.columns[0].iter().for_each(|id| set.insert(*id));
            let count = runs.iter().filter(|(id, _)| set.contains(*id)).map(|(_, rows)| rows).sum();
            waiting.retain(|waiting| !only_object(waiting));
            step.passing = Some((set, count));
        }
        Ok(())
    }

    fn apply_filters(&self, table: &mut Table, waiting: &mut Vec<Waiting<'_>>) -> Outcome<()> {
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
    fn next(&self, steps: &[Step<'_>], table: &Table) -> Outcome<usize> {
        let bound = |atom: &Atom| matches!(atom, Atom::Name(name) if table.column(name).is_some());
        let rows = table.rows as f64;
        let estimate = |step: &Step<'_>| -> (bool, f64) {
            let step = match step {
                Step::Known(step) => step,
                Step::Open(step) => return self.estimate_open(step, table),
                Step::Walk(walk) => return Self::estimate_walk(walk, table),
            };
            let triples =
                step.passing.as_ref().map_or_else(|| self.graph().count_predicate(step.predicate), |(_, n)| *n);
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
        };
        let estimates = steps.iter().map(estimate).enumerate();
        let best = estimates.min_by(|(_, (a, x)), (_, (b, y))| b.cmp(a).then_with(|| x.total_cmp(y)));
        best.map(|(at, _)| at).ok_or(Stop::Unknown)
    }

    fn step(&self, table: &mut Table, step: &Known) -> Outcome<()> {
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
                    let passing = step.passing.as_ref().map(|(set, _)| set);
                    if table.rows.saturating_mul(16) < graph.count_predicate(p) {
                        self.expand_each(table, at, object, passing, |id| graph.objects(id, p))
                    } else {
                        let (keys, values) = graph.by_subject(p);
                        self.expand(table, at, object, passing, &keys, &values)
                    }
                }
                (None, Some(at)) => {
                    if table.rows.saturating_mul(16) < graph.count_predicate(p) {
                        self.expand_each(table, at, subject, None, |id| graph.subjects(p, id))?;
                    } else {
                        let (keys, values) = graph.by_object(p);
                        self.expand(table, at, subject, None, &keys, &values)?;
                    }
                    self.keep_passing(table, at, step)
                }
                (None, None) => self.scan(table, step, subject, object),
            },
        }
    }

    /// Begins with all triples of a predicate.
    fn scan(&self, table: &mut Table, step: &Known, subject: &str, object: &str) -> Outcome<()> {
        if !table.columns.is_empty() {
            // A product of parts that do not touch: spareval gives its rows one by one.
            return Err(Stop::Unknown);
        }
        let (subjects, objects) = self.graph().by_subject(step.predicate);
        self.within(subjects.len() * 2)?;
        let unit = table.rows;
        *table = Table { rows: subjects.len(), sorted: Some(0), ..Table::default() };
        if let Some((set, count)) = &step.passing {
            let (mut some, mut of) = (Vec::with_capacity(*count), Vec::with_capacity(*count));
            for (subject, object) in subjects.iter().zip(objects.iter()) {
                if set.contains(*object) {
                    some.push(*subject);
                    of.push(*object);
                }
            }
            table.rows = some.len();
            table.push(subject, some);
            table.push(object, of);
        } else {
            table.push(subject, subjects.into_owned());
            table.push(object, objects.into_owned());
        }
        if unit == 0 {
            table.gather(&[]);
        }
        Ok(())
    }

    fn keep_passing(&self, table: &mut Table, at: usize, step: &Known) -> Outcome<()> {
        if let Some((set, _)) = &step.passing {
            let keep: Vec<u32> =
                (0..table.rows as u32).filter(|row| set.contains(table.columns[at][*row as usize])).collect();
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
        name: &str,
        passing: Option<&IdSet>,
        find: impl Fn(u32) -> Cow<'l, [u32]>,
    ) -> Outcome<()> {
        let (mut rows, mut column) = (Vec::with_capacity(table.rows), Vec::with_capacity(table.rows));
        for (row, id) in table.columns[at].iter().enumerate() {
            for found in find(*id).iter().filter(|found| passing.is_none_or(|set| set.contains(**found))) {
                rows.push(row as u32);
                column.push(*found);
            }
            self.look(row, column.len() * (table.columns.len() + 1))?;
        }
        self.attach(table, &rows, name, column)
    }

    /// Joins rows with two columns that are sorted by the first.
    fn expand(
        &self,
        table: &mut Table,
        at: usize,
        name: &str,
        passing: Option<&IdSet>,
        keys: &[u32],
        values: &[u32],
    ) -> Outcome<()> {
        let width = table.columns.len() + 1;
        let (mut rows, mut column) = (Vec::with_capacity(table.rows), Vec::with_capacity(table.rows));
        let starts: FxHashMap<u32, usize> = match table.sorted == Some(at) {
            true => FxHashMap::default(),
            false => {
                let mut starts = FxHashMap::with_capacity_and_hasher(keys.len() / 2, Default::default());
                for (position, key) in keys.iter().enumerate() {
                    if position == 0 || keys[position - 1] != *key {
                        starts.insert(*key, position);
                    }
                }
                starts
            }
        };
        let mut position = 0;
        for (row, id) in table.columns[at].iter().enumerate() {
            if table.sorted == Some(at) {
                position = gallop(keys, position, *id);
            } else {
                let Some(start) = starts.get(id) else { continue };
                position = *start;
            }
            let mut next = position;
            while keys.get(next) == Some(id) {
                if passing.is_none_or(|set| set.contains(values[next])) {
                    rows.push(row as u32);
                    column.push(values[next]);
                }
                next += 1;
            }
            self.look(row, column.len() * width)?;
        }
        self.attach(table, &rows, name, column)
    }

    fn attach(&self, table: &mut Table, rows: &[u32], name: &str, column: Vec<u32>) -> Outcome<()> {
        self.within(rows.len().saturating_mul(table.columns.len() + 1))?;
        let same = rows.len() == table.rows && rows.iter().enumerate().all(|(at, row)| at as u32 == *row);
        if !same {
            table.gather(rows);
        }
        table.push(name, column);
        Ok(())
    }
}
