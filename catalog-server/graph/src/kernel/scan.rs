//! Basic graph patterns: the smallest first, then always the step that leaves the fewest rows.

use oxigraph::model::Variable;
use spargebra::algebra::Expression;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};

use super::expression::{named, variables_of};
use super::open::Open;
use super::passing::Passing;
use super::path::Walk;
use super::pattern::{Conjunction, MANY};
use super::step::Later;
use super::table::{Table, dedup, different};
use super::wanted::Wanted;
use super::{Kernel, Outcome, Stop};

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

/// Rows whose columns the processor's nearer caches hold.
const CHUNK: usize = if cfg!(debug_assertions) { 64 } else { 1 << 15 };

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

impl<'a> Kernel<'a> {
    /// Evaluates a join of patterns; when `most` is said, no more rows are needed.
    pub(super) fn conjunction(&self, mut conjunction: Conjunction<'_>, most: Option<usize>) -> Outcome<Table<'a>> {
        if let Some(found) = self.first_statements(&conjunction, most)? {
            return Ok(found);
        }
        let (mut table, mut later): (Option<Table<'a>>, Vec<_>) = (None, Vec::new());
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
    pub(super) fn triples(
        &self,
        table: Table<'a>,
        conjunction: &Conjunction<'_>,
        most: Option<usize>,
    ) -> Outcome<Table<'a>> {
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
        mut table: Table<'a>,
        mut steps: Vec<&Step<'_>>,
        mut waiting: Vec<&Waiting<'_>>,
        most: Option<usize>,
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
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
            if table.rows > 2 * CHUNK && self.is_star(&steps, &table) {
                return self.in_chunks(&table, (&steps, &waiting), wanted);
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
    fn forget(&self, table: &mut Table<'a>, wanted: &Wanted, is_used: impl Fn(&str) -> bool, is_last: bool) {
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
                dedup(column);
                table.rows = column.len();
            }
            [column] if table.rows > MANY && !is_last => {
                *column = different(column).into();
                table.rows = column.len();
                table.sorted = Some(0);
            }
            _ => {}
        }
    }

    /// Takes the steps with some rows, and with ever more of them until there are enough.
    fn in_portions(
        &self,
        table: &Table<'a>,
        (steps, waiting): (&[&Step<'_>], &[&Waiting<'_>]),
        most: usize,
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
        let (mut from, mut size) = (0, portion(most));
        let mut found: Option<Table<'a>> = None;
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

    /// Says whether all steps read what triples say of the subjects in whose order the rows are.
    fn is_star(&self, steps: &[&Step<'_>], table: &Table<'_>) -> bool {
        let Some(name) = table.sorted.and_then(|at| table.names.get(at)) else { return false };
        let reads = |step: &&Step<'_>| match step {
            // What came since the generation was written would be merged with it once a chunk.
            Step::Known(step) => {
                matches!(&step.subject, Atom::Name(subject) if subject == name)
                    && !self.graph().is_changed(step.predicate)
            }
            _ => false,
        };
        steps.iter().all(reads)
    }

    /// Takes the steps with some rows after the other, so that what is made in between stays in the processor's caches.
    fn in_chunks(
        &self,
        table: &Table<'a>,
        (steps, waiting): (&[&Step<'_>], &[&Waiting<'_>]),
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
        let mut all: Option<Table<'a>> = None;
        for from in (0..table.rows).step_by(CHUNK) {
            let next = self.take_steps(table.part(from, CHUNK), steps.to_vec(), waiting.to_vec(), None, wanted)?;
            let sorted = next.sorted.and_then(|at| next.names.get(at).cloned());
            all = Some(match all {
                Some(all) => {
                    let mut all = self.union(all, next)?;
                    all.sorted = sorted.and_then(|name| all.column(&name));
                    all
                }
                None => next,
            });
        }
        all.ok_or(Stop::Unknown)
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

    fn apply_filters(&self, table: &mut Table<'a>, waiting: &mut Vec<&Waiting<'_>>) -> Outcome<()> {
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
    fn next(&self, steps: &[&Step<'_>], table: &Table<'_>) -> Outcome<usize> {
        let estimates = steps.iter().map(|step| self.estimate(step, table)).enumerate();
        let best = estimates.min_by(|(_, (a, x)), (_, (b, y))| b.cmp(a).then_with(|| x.total_cmp(y)));
        best.map(|(at, _)| at).ok_or(Stop::Unknown)
    }

    /// Estimates how many rows a step leaves, and says whether it touches what is there.
    fn estimate(&self, step: &Step<'_>, table: &Table<'_>) -> (bool, f64) {
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
}
