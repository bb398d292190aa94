//! The algebra, operator by operator.

use oxigraph::model::Variable;
use spargebra::algebra::{Expression, GraphPattern, PropertyPathExpression};
use spargebra::term::{GroundTerm, TermPattern, TriplePattern};

use super::expression::variables_of;
use super::table::{Table, UNBOUND};
use super::{Kernel, Outcome, Stop};

/// A join of everything in it.
#[derive(Default)]
pub(super) struct Conjunction<'p> {
    /// Triple patterns.
    pub(super) triples: Vec<&'p TriplePattern>,
    /// Paths that are no sequence of triple patterns.
    pub(super) paths: Vec<(&'p TermPattern, &'p PropertyPathExpression, &'p TermPattern)>,
    /// Conditions on variables that the triple patterns bind.
    pub(super) filters: Vec<&'p Expression>,
    /// Patterns of other kinds.
    pub(super) others: Vec<&'p GraphPattern>,
}

impl Conjunction<'_> {
    /// Returns the variables that its triple patterns and paths bind.
    pub(super) fn bound(&self) -> Vec<String> {
        let ends = self.paths.iter().flat_map(|(subject, _, object)| [subject, object]);
        let ends = ends.filter_map(|term| super::scan::name(term));
        self.triples.iter().flat_map(|triple| super::scan::names(triple)).chain(ends).collect()
    }
}

impl Kernel<'_> {
    /// Evaluates a pattern; when `most` is said, no more rows are needed.
    pub(super) fn pattern(&self, pattern: &GraphPattern, most: Option<usize>) -> Outcome<Table> {
        self.alive()?;
        let mut table = match pattern {
            GraphPattern::Bgp { .. } | GraphPattern::Join { .. } | GraphPattern::Path { .. } => {
                let mut conjunction = Conjunction::default();
                collect(pattern, &mut conjunction);
                self.conjunction(conjunction, most)?
            }
            GraphPattern::Graph { name, inner } => self.in_graph(name, inner, most)?,
            GraphPattern::Filter { expr, inner } => self.filtered(expr, inner, most)?,
            GraphPattern::LeftJoin { left, right, expression } => {
                let left = self.pattern(left, most)?;
                self.left_join(left, right, expression.as_ref())?
            }
            GraphPattern::Union { left, right } => {
                let (left, right) = (self.pattern(left, most)?, self.pattern(right, most)?);
                self.union(left, right)?
            }
            GraphPattern::Minus { left, right } => {
                let left = self.pattern(left, None)?;
                self.minus(left, right)?
            }
            GraphPattern::Values { variables, bindings } => self.values(variables, bindings),
            GraphPattern::Extend { inner, variable, expression } => {
                let table = self.pattern(inner, most)?;
                self.extend(table, variable, expression)?
            }
            GraphPattern::Group { inner, variables, aggregates } => match self.tally(inner, variables, aggregates)? {
                Some(table) => table,
                None => self.group(&self.pattern(inner, None)?, variables, aggregates)?,
            },
            GraphPattern::Project { inner, variables } => project(self.pattern(inner, most)?, variables),
            GraphPattern::Distinct { inner } => {
                let tally = match &**inner {
                    GraphPattern::Project { inner, variables } => self.tally(inner, variables, &[])?,
                    _ => None,
                };
                match tally {
                    Some(table) => table,
                    None => {
                        let mut table = self.pattern(inner, None)?;
                        table.distinct(|row, cells| self.look(row, cells))?;
                        table
                    }
                }
            }
            GraphPattern::OrderBy { inner, expression } => {
                let first = match most {
                    Some(most) => self.first_rows(inner, expression, most)?,
                    None => None,
                };
                match first {
                    Some(table) => table,
                    None => self.order(self.pattern(inner, None)?, expression, most)?,
                }
            }
            GraphPattern::Slice { inner, start, length } => {
                let needed = length.map(|length| length.saturating_add(*start));
                let needed = match (needed, most) {
                    (Some(needed), Some(most)) => Some(needed.min(most.saturating_add(*start))),
                    (needed, most) => needed.or(most.map(|most| most.saturating_add(*start))),
                };
                let mut table = self.pattern(inner, needed)?;
                if let Some(length) = length {
                    table.truncate(length.saturating_add(*start));
                }
                if *start > 0 {
                    let rows: Vec<u32> = ((*start).min(table.rows) as u32..table.rows as u32).collect();
                    table.gather(&rows);
                }
                table
            }
            _ => return Err(Stop::Unknown),
        };
        if let Some(most) = most {
            table.truncate(most);
        }
        Ok(table)
    }

    fn filtered(&self, expression: &Expression, inner: &GraphPattern, most: Option<usize>) -> Outcome<Table> {
        let mut parts = Vec::new();
        split(expression, &mut parts);
        if let GraphPattern::LeftJoin { left, right, expression } = inner {
            return self.filtered_left_join(parts, (left, right, expression.as_ref()), most);
        }
        let mut conjunction = Conjunction::default();
        collect(inner, &mut conjunction);
        self.filtered_conjunction(parts, conjunction, most)
    }

    /// Applies conditions on what the mandatory part binds before the optional part is looked for: the optional part
    /// takes no row away and changes no value.
    fn filtered_left_join(
        &self,
        parts: Vec<&Expression>,
        (left, right, condition): (&GraphPattern, &GraphPattern, Option<&Expression>),
        most: Option<usize>,
    ) -> Outcome<Table> {
        let mut innermost = left;
        while let GraphPattern::LeftJoin { left, .. } = innermost {
            innermost = left;
        }
        let mut inside = Conjunction::default();
        collect(innermost, &mut inside);
        let bound = inside.bound();
        let (early, late): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| is_bound_by(part, &bound));
        let most = if late.is_empty() { most } else { None };
        let left = match (early.is_empty(), left) {
            (true, _) => self.pattern(left, most)?,
            (false, GraphPattern::LeftJoin { left, right, expression }) => {
                self.filtered_left_join(early, (left, right, expression.as_ref()), most)?
            }
            (false, _) => self.filtered_conjunction(early, inside, most)?,
        };
        let table = self.left_join(left, right, condition)?;
        self.filtered_table(table, late)
    }

    /// Applies conditions that may be or hold EXISTS to a table.
    pub(super) fn filtered_table(&self, mut table: Table, parts: Vec<&Expression>) -> Outcome<Table> {
        let (exists, later): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| existence(part).is_some());
        for part in later {
            self.filter(&mut table, part)?;
        }
        for (pattern, wanted) in exists.into_iter().filter_map(existence) {
            self.exists(&mut table, pattern, wanted)?;
        }
        Ok(table)
    }

    fn filtered_conjunction<'p>(
        &self,
        parts: Vec<&'p Expression>,
        mut conjunction: Conjunction<'p>,
        most: Option<usize>,
    ) -> Outcome<Table> {
        let bound = conjunction.bound();
        let (early, late): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| is_bound_by(part, &bound));
        conjunction.filters.extend(early);
        let table = self.conjunction(conjunction, if late.is_empty() { most } else { None })?;
        self.filtered_table(table, late)
    }

    /// Keeps the rows for which a condition holds.
    pub(super) fn filter(&self, table: &mut Table, expression: &Expression) -> Outcome<()> {
        let compiled = self.compile(expression, table)?;
        let holds = |row| -> Outcome<bool> {
            let value = self.evaluate(&compiled, table, row)?;
            Ok(value.and_then(|value| value.effective_boolean_value()) == Some(true))
        };
        let mut keep = Vec::new();
        let mut variables = Vec::new();
        if variables_of(expression, &mut variables).is_ok()
            && let [variable] = variables.as_slice()
            && let Some(at) = table.column(variable.as_str())
            && let Some(condition) = self.condition(expression, variable)
        {
            let (base, mut known) = (self.view.base.terms() as u32, rustc_hash::FxHashMap::default());
            for (row, id) in table.columns[at].iter().enumerate() {
                self.look(row, 0)?;
                let passes = match known.get(id) {
                    _ if *id < base && !condition.unsure.contains(*id) => condition.holds.contains(*id),
                    Some(known) => *known,
                    None => {
                        let passes = holds(row)?;
                        known.insert(*id, passes);
                        passes
                    }
                };
                if passes {
                    keep.push(row as u32);
                }
            }
        } else {
            for row in 0..table.rows {
                self.look(row, 0)?;
                if holds(row)? {
                    keep.push(row as u32);
                }
            }
        }
        if keep.len() < table.rows {
            table.gather(&keep);
        }
        Ok(())
    }

    pub(super) fn extend(&self, mut table: Table, variable: &Variable, expression: &Expression) -> Outcome<Table> {
        if table.column(variable.as_str()).is_some() {
            return Err(Stop::Unknown);
        }
        let column = match expression {
            Expression::Variable(other) => match table.column(other.as_str()) {
                Some(at) => table.columns[at].clone(),
                None => vec![UNBOUND; table.rows],
            },
            _ => self.computed(&table, expression)?,
        };
        table.push(variable.as_str(), column);
        Ok(table)
    }

    /// Evaluates an expression for every row; a row whose only variable has the value of the row before is not asked
    /// again, and neither is a value that was met before.
    pub(super) fn computed(&self, table: &Table, expression: &Expression) -> Outcome<Vec<u32>> {
        if matches!(expression, Expression::Coalesce(_) | Expression::If(..)) {
            // spareval keeps terms as they are in some of these and writes them anew in others.
            return Err(Stop::Unknown);
        }
        let compiled = self.compile(expression, table)?;
        let mut variables = Vec::new();
        variables_of(expression, &mut variables)?;
        let id = |row| -> Outcome<u32> {
            Ok(self.evaluate(&compiled, table, row)?.map_or(UNBOUND, |value| self.intern(value)))
        };
        let mut column = Vec::with_capacity(table.rows);
        let only = match variables.as_slice() {
            [variable] => table.column(variable.as_str()),
            _ => None,
        };
        let Some(only) = only else {
            for row in 0..table.rows {
                self.look(row, row)?;
                column.push(id(row)?);
            }
            return Ok(column);
        };
        let mut known = rustc_hash::FxHashMap::default();
        let (mut last, mut result) = (None, UNBOUND);
        for (row, value) in table.columns[only].iter().enumerate() {
            self.look(row, row)?;
            if last != Some(*value) {
                result = match known.get(value) {
                    Some(known) => *known,
                    None => {
                        let made = id(row)?;
                        known.insert(*value, made);
                        made
                    }
                };
                last = Some(*value);
            }
            column.push(result);
        }
        Ok(column)
    }

    fn values(&self, variables: &[Variable], bindings: &[Vec<Option<GroundTerm>>]) -> Table {
        let mut table = Table::empty(variables.iter().map(|variable| variable.as_str().to_owned()).collect());
        table.rows = bindings.len();
        for row in bindings {
            for (column, term) in table.columns.iter_mut().zip(row) {
                column.push(match term {
                    Some(term) => self.intern_term(&term.clone().into()),
                    None => UNBOUND,
                });
            }
        }
        table
    }
}

/// Takes joins apart.
pub(super) fn collect<'p>(pattern: &'p GraphPattern, into: &mut Conjunction<'p>) {
    match pattern {
        GraphPattern::Bgp { patterns } => into.triples.extend(patterns),
        GraphPattern::Path { subject, path, object } => into.paths.push((subject, path, object)),
        GraphPattern::Join { left, right } => {
            collect(left, into);
            collect(right, into);
        }
        GraphPattern::Filter { expr, inner } => {
            // A filter of an inner group may move outwards only if all of its variables are surely bound inside.
            let (mut parts, mut inside) = (Vec::new(), Conjunction::default());
            split(expr, &mut parts);
            collect(inner, &mut inside);
            let bound = inside.bound();
            if inside.others.is_empty() && parts.iter().all(|part| is_bound_by(part, &bound)) {
                into.triples.extend(inside.triples);
                into.paths.extend(inside.paths);
                into.filters.extend(inside.filters);
                into.filters.extend(parts);
            } else {
                into.others.push(pattern);
            }
        }
        other => into.others.push(other),
    }
}

/// Takes a condition apart at its ANDs.
pub(super) fn split<'p>(expression: &'p Expression, into: &mut Vec<&'p Expression>) {
    match expression {
        Expression::And(a, b) => {
            split(a, into);
            split(b, into);
        }
        other => into.push(other),
    }
}

/// Returns the pattern of EXISTS, and whether it is to have a solution.
fn existence(expression: &Expression) -> Option<(&GraphPattern, bool)> {
    match expression {
        Expression::Exists(pattern) => Some((pattern, true)),
        Expression::Not(inner) => existence(inner).map(|(pattern, wanted)| (pattern, !wanted)),
        _ => None,
    }
}

fn is_bound_by(expression: &Expression, bound: &[String]) -> bool {
    let mut variables = Vec::new();
    variables_of(expression, &mut variables).is_ok()
        && !variables.is_empty()
        && variables.iter().all(|variable| bound.iter().any(|name| name == variable.as_str()))
}

pub(super) fn project(table: Table, variables: &[Variable]) -> Table {
    let mut projected = Table { rows: table.rows, ..Table::default() };
    for variable in variables {
        let at = table.column(variable.as_str());
        if at.is_some() && at == table.sorted {
            projected.sorted = Some(projected.columns.len());
        }
        let column = at.map_or_else(|| vec![UNBOUND; table.rows], |at| table.columns[at].clone());
        projected.push(variable.as_str(), column);
    }
    projected
}
