//! Filters on what triples have as object, applied before the triples are read.

use super::range::{Condition, Ranges};
use super::scan::{Atom, Known, Step, Waiting};
use super::table::{IdSet, Table};
use super::{Kernel, Outcome};

/// The objects that pass the filters on them.
pub(super) struct Passing {
    pub(super) ids: Ids,
    /// How many triples have one of these.
    pub(super) count: usize,
}

/// A set of ids.
pub(super) enum Ids {
    /// By a bit for each.
    Set(IdSet),
    /// By ranges.
    Ranges(Ranges),
}

impl Passing {
    /// Says whether an object passes.
    pub(super) fn contains(&self, id: u32) -> bool {
        match &self.ids {
            Ids::Set(set) => set.contains(id),
            Ids::Ranges(ranges) => ranges.contains(id),
        }
    }
}

impl Kernel<'_> {
    /// Finds the objects that pass the filters on them: by ranges of ids where the filters are comparisons, else by
    /// evaluating them once for each object when there are far fewer objects than triples; the latter if `each` is set.
    pub(super) fn apply_to_objects(
        &self,
        steps: &mut [Step<'_>],
        waiting: &mut Vec<Waiting<'_>>,
        table: &Table<'_>,
        each: bool,
    ) -> Outcome<()> {
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
            if let Some(passing) = self.passing_ranges(step.predicate, object, waiting)? {
                step.passing = Some(passing);
                continue;
            }
            let (_, objects) = self.graph().distinct(step.predicate);
            if !each || !all_are_wide && objects * 3 > self.graph().count_predicate(step.predicate) {
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
            step.passing = Some(Passing { ids: Ids::Set(set), count });
        }
        Ok(())
    }

    /// Takes the filters on one object variable that are ranges of ids, and says which objects pass them.
    fn passing_ranges(&self, predicate: u32, object: &str, waiting: &mut Vec<Waiting<'_>>) -> Outcome<Option<Passing>> {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        let mut all: Option<Condition> = None;
        for filter in std::mem::take(waiting) {
            let condition = match filter.variables.as_slice() {
                [only] if only.as_str() == object => self.condition(filter.expression, only),
                _ => None,
            };
            match condition {
                Some(condition) => {
                    all = Some(match all {
                        Some(all) => all.and(&condition),
                        None => condition,
                    });
                    taken.push(filter);
                }
                None => left.push(filter),
            }
        }
        *waiting = left;
        let Some(all) = all else { return Ok(None) };
        // What the order of ids does not say, is asked: also of every term that came since the generation was written.
        let graph = self.graph();
        let new = self.view.base.terms() as u32..u32::MAX;
        let mut ids = Vec::new();
        for range in all.unsure.iter().chain([new]) {
            ids.extend_from_slice(&graph.by_object_between(predicate, &range).0);
        }
        ids.dedup();
        let mut unsure = Table { rows: ids.len(), ..Table::default() };
        unsure.push(object, ids);
        for filter in taken {
            self.filter(&mut unsure, filter.expression)?;
        }
        let ranges = all.holds.union(&Ranges::of(unsure.columns[0].iter().map(|id| *id..*id + 1)));
        let count = ranges.iter().map(|range| graph.count_between(predicate, &range)).sum();
        Ok(Some(Passing { ids: Ids::Ranges(ranges), count }))
    }
}
