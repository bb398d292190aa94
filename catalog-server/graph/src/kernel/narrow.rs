//! Grouped subqueries that are joined with something by a variable that they group by: only the groups of its values are made.

use spargebra::algebra::GraphPattern;

use super::pattern::{Conjunction, collect, project, split};
use super::table::Table;
use super::wanted::{Wanted, without_columns};
use super::{Kernel, Outcome, Stop};

/// How many times fewer the values must be than the rows that are grouped.
const FEWER: f64 = 4.0;

impl<'a> Kernel<'a> {
    /// Evaluates a grouped subquery that is to be joined with a table: for the table's values when these are few, else whole.
    pub(super) fn for_table(&self, pattern: &GraphPattern, table: &Table<'_>) -> Outcome<Table<'a>> {
        let has = |name: &str| table.column(name).is_some_and(|at| table.is_bound(at));
        if let Some((key, inner)) = grouped(pattern, &has)
            && let Some(at) = table.column(key)
            && table.rows as f64 * FEWER < self.least(&inner)?
        {
            let mut values = table.columns[at].to_vec();
            if table.sorted != Some(at) {
                values.sort_unstable();
            }
            values.dedup();
            let mut seed = Table { rows: values.len(), sorted: Some(0), ..Table::default() };
            seed.push(key, values);
            return self.seeded(pattern, seed);
        }
        self.pattern(pattern, None)
    }

    /// Says whether a pattern is a grouped subquery that is better evaluated after the triples that it is joined with.
    pub(super) fn comes_later(&self, pattern: &GraphPattern, conjunction: &Conjunction<'_>) -> Outcome<bool> {
        let bound = conjunction.bound();
        Ok(match grouped(pattern, &|name| bound.iter().any(|other| other == name)) {
            Some((_, inner)) => self.least(conjunction)? * FEWER < self.least(&inner)?,
            None => false,
        })
    }

    /// Evaluates what [`grouped`] recognises with rows to begin from.
    fn seeded(&self, pattern: &GraphPattern, seed: Table<'a>) -> Outcome<Table<'a>> {
        Ok(match pattern {
            GraphPattern::Project { inner, variables } => project(self.seeded(inner, seed)?, variables),
            GraphPattern::Extend { inner, variable, expression } => {
                self.extend(self.seeded(inner, seed)?, variable, expression)?
            }
            GraphPattern::Filter { expr, inner } => {
                let mut parts = Vec::new();
                split(expr, &mut parts);
                self.filtered_table(self.seeded(inner, seed)?, parts)?
            }
            GraphPattern::Group { inner, variables, aggregates } => {
                let mut conjunction = Conjunction::default();
                collect(inner, &mut conjunction);
                let aggregates = without_columns(inner, aggregates);
                conjunction.wanted = Wanted::grouped(variables, &aggregates);
                self.group(&self.triples(seed, &conjunction, None)?, variables, &aggregates)?
            }
            _ => return Err(Stop::Unknown),
        })
    }
}

/// Finds, in a grouped subquery, a variable with a property that it groups by and gives back, and the triples that are grouped: all
/// rows of a group have the same value of the variable, so that groups of other values are not changed by leaving some out.
fn grouped<'p>(pattern: &'p GraphPattern, has: &dyn Fn(&str) -> bool) -> Option<(&'p str, Conjunction<'p>)> {
    let (key, inner) = match pattern {
        GraphPattern::Project { inner, variables } => {
            let is_kept = |name: &str| has(name) && variables.iter().any(|variable| variable.as_str() == name);
            return grouped(inner, &is_kept);
        }
        GraphPattern::Filter { inner, .. } => return grouped(inner, has),
        GraphPattern::Extend { inner, variable, .. } => {
            return grouped(inner, &|name| has(name) && name != variable.as_str());
        }
        GraphPattern::Group { inner, variables, .. } => {
            let mut conjunction = Conjunction::default();
            collect(inner, &mut conjunction);
            if !conjunction.others.is_empty() {
                return None;
            }
            let bound = conjunction.bound();
            let mut names = variables.iter().map(|variable| variable.as_str());
            (names.find(|name| has(name) && bound.iter().any(|other| other == name))?, conjunction)
        }
        _ => return None,
    };
    Some((key, inner))
}
