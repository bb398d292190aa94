//! The algebra, operator by operator.

use oxigraph::model::Variable;
use spargebra::algebra::{Expression, GraphPattern, OrderExpression, PropertyPathExpression};
use spargebra::term::{GroundTerm, TermPattern, TriplePattern};

use super::expression::{Simple, simple, variables_of};
use super::places::Places;
use super::scan::portion;
use super::table::{IdSet, Table, UNBOUND, dedup, different};
use super::wanted::{Wanted, without_columns};
use super::{Kernel, Outcome, Stop};

/// Rows up to which portions are tried before everything is looked at.
const MOST_IN_PORTIONS: usize = 1 << 14;

/// Rows from which on a condition is asked once for each value instead of once for each row.
pub(super) const MANY: usize = 1 << 10;

/// A join of everything in it.
#[derive(Clone, Default)]
pub(super) struct Conjunction<'p> {
    /// Triple patterns.
    pub(super) triples: Vec<&'p TriplePattern>,
    /// Paths that are no sequence of triple patterns.
    pub(super) paths: Vec<(&'p TermPattern, &'p PropertyPathExpression, &'p TermPattern)>,
    /// Conditions on variables that the triple patterns bind.
    pub(super) filters: Vec<&'p Expression>,
    /// Patterns of other kinds.
    pub(super) others: Vec<&'p GraphPattern>,
    /// What of its rows is used.
    pub(super) wanted: Wanted,
}

impl Conjunction<'_> {
    /// Returns the variables that its triple patterns and paths bind.
    pub(super) fn bound(&self) -> Vec<String> {
        let ends = self.paths.iter().flat_map(|(subject, _, object)| [subject, object]);
        let ends = ends.filter_map(|term| super::scan::name(term));
        self.triples.iter().flat_map(|triple| super::scan::names(triple)).chain(ends).collect()
    }

    /// Returns what is used of patterns of other kinds: also what they are joined by.
    pub(super) fn of_others(&self) -> Wanted {
        let patterns = self.others.iter().flat_map(|other| super::wanted::in_scope(other));
        let all = self.wanted.clone().with(self.bound()).with(patterns);
        all.with_expressions(self.filters.iter().copied())
    }
}

impl<'a> Kernel<'a> {
    /// Evaluates a pattern; when `most` is said, no more rows are needed.
    pub(super) fn pattern(&self, pattern: &GraphPattern, most: Option<usize>) -> Outcome<Table<'a>> {
        self.part(pattern, most, &Wanted::default())
    }

    /// Evaluates a pattern of which not all may be used; when `most` is said, no more rows are needed.
    pub(super) fn part(&self, pattern: &GraphPattern, most: Option<usize>, wanted: &Wanted) -> Outcome<Table<'a>> {
        self.alive()?;
        let mut table = match pattern {
            GraphPattern::Bgp { .. } | GraphPattern::Join { .. } | GraphPattern::Path { .. } => {
                let mut conjunction = Conjunction { wanted: wanted.clone(), ..Conjunction::default() };
                collect(pattern, &mut conjunction);
                self.conjunction(conjunction, most)?
            }
            GraphPattern::Graph { name, inner } => self.in_graph(name, inner, most, wanted)?,
            GraphPattern::Filter { expr, inner } => self.filtered(expr, inner, most, wanted)?,
            GraphPattern::LeftJoin { left, right, expression } => {
                let of_left = of_mandatory(wanted, right, expression.as_ref());
                let left = self.part(left, most, &of_left)?;
                self.left_join(left, right, expression.as_ref(), wanted)?
            }
            GraphPattern::Union { left, right } => {
                let (left, right) = (self.part(left, most, wanted)?, self.part(right, most, wanted)?);
                self.union(left, right)?
            }
            GraphPattern::Minus { left, right } => {
                let of_left = wanted.clone().with_pattern(right);
                self.in_portions_of(most, |most| self.part(left, most, &of_left), |left| self.minus(left, right))?
            }
            GraphPattern::Values { variables, bindings } => self.values(variables, bindings),
            GraphPattern::Extend { inner, variable, expression } => {
                if wanted.has(variable.as_str()) {
                    let table = self.part(inner, most, &wanted.clone().with_expression(expression))?;
                    self.extend(table, variable, expression)?
                } else {
                    self.part(inner, most, wanted)?
                }
            }
            GraphPattern::Group { inner, variables, aggregates } => {
                let groups = match (self.tally(inner, variables, aggregates)?, most) {
                    (None, Some(most)) => self.first_groups((inner, variables, aggregates), &[], most)?,
                    (groups, _) => groups,
                };
                match groups {
                    Some(table) => table,
                    None => {
                        let aggregates = without_columns(inner, aggregates);
                        let of_inner = Wanted::grouped(variables, &aggregates);
                        self.group(&self.part(inner, None, &of_inner)?, variables, &aggregates)?
                    }
                }
            }
            GraphPattern::Project { inner, variables } => {
                project(self.part(inner, most, &wanted.projected(variables))?, variables)
            }
            GraphPattern::Distinct { inner } => self.distinct(inner, most)?,
            GraphPattern::OrderBy { inner, expression } => self.ordered(inner, expression, most, wanted)?,
            GraphPattern::Slice { inner, start, length } => {
                let needed = length.map(|length| length.saturating_add(*start));
                let needed = match (needed, most) {
                    (Some(needed), Some(most)) => Some(needed.min(most.saturating_add(*start))),
                    (needed, most) => needed.or(most.map(|most| most.saturating_add(*start))),
                };
                let mut table = self.part(inner, needed, &wanted.each())?;
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

    fn ordered(
        &self,
        inner: &GraphPattern,
        order: &[OrderExpression],
        most: Option<usize>,
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
        let wanted = wanted.clone().with_order(order);
        if let Some(limit) = most {
            if let Some(table) = self.first_rows(inner, order, limit, &wanted)? {
                return Ok(table);
            }
            if let Some(table) = self.first_by_term(inner, order, limit, |some| self.part(some, None, &wanted))? {
                return Ok(table);
            }
            if let Some(groups) = self.first_grouped(inner, order, limit)? {
                return self.order(groups, order, most);
            }
        }
        self.order(self.part(inner, None, &wanted)?, order, most)
    }

    /// Keeps the first of equal rows.
    fn distinct(&self, inner: &GraphPattern, most: Option<usize>) -> Outcome<Table<'a>> {
        let unique = |table| self.unique(table);
        let wanted = Wanted::all_once();
        if let GraphPattern::Project { inner, variables } = inner {
            if let Some(table) = self.tally(inner, variables, &[])? {
                return Ok(table);
            }
            // What is ordered by what is kept has equal rows beside each other: there is less to order without them.
            if let GraphPattern::OrderBy { inner, expression } = &**inner
                && expression.iter().all(|order| is_by(order, variables))
                && match most {
                    Some(most) => !self.first_is_known(inner, expression, portion(most))?,
                    None => true,
                }
            {
                let rows = unique(project(self.part(inner, None, &wanted.projected(variables))?, variables))?;
                return self.order(rows, expression, most);
            }
        }
        self.in_portions_of(most, |most| self.part(inner, most, &wanted), unique)
    }

    /// Keeps the first of equal rows.
    fn unique(&self, mut table: Table<'a>) -> Outcome<Table<'a>> {
        match table.columns.as_mut_slice() {
            [] => table.rows = table.rows.min(1),
            [column] if column.is_sorted() => {
                dedup(column);
                table.rows = column.len();
            }
            columns => {
                let columns: Vec<&[u32]> = columns.iter().map(|column| &**column).collect();
                let groups = self.groups_of(&columns, table.rows)?;
                if groups.count < table.rows {
                    table.gather(&different(&groups.first));
                }
            }
        }
        Ok(table)
    }

    /// Evaluates what takes rows away for as many rows as it takes to have enough.
    fn in_portions_of(
        &self,
        most: Option<usize>,
        first: impl Fn(Option<usize>) -> Outcome<Table<'a>>,
        then: impl Fn(Table<'a>) -> Outcome<Table<'a>>,
    ) -> Outcome<Table<'a>> {
        let Some(most) = most else { return then(first(None)?) };
        let mut take = portion(most);
        while take <= MOST_IN_PORTIONS {
            let mut table = first(Some(take))?;
            let is_all = table.rows < take;
            table.truncate(take);
            let table = then(table)?;
            if is_all || table.rows >= most {
                return Ok(table);
            }
            // Beginning again costs an eighth of what is done in the end.
            take = take.saturating_mul(8);
        }
        then(first(None)?)
    }

    fn filtered(
        &self,
        expression: &Expression,
        inner: &GraphPattern,
        most: Option<usize>,
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
        let mut parts = Vec::new();
        split(expression, &mut parts);
        if let GraphPattern::LeftJoin { left, right, expression } = inner {
            return self.filtered_left_join(parts, (left, right, expression.as_ref()), most, wanted);
        }
        let mut conjunction = Conjunction { wanted: wanted.clone(), ..Conjunction::default() };
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
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
        let mut innermost = left;
        while let GraphPattern::LeftJoin { left, .. } = innermost {
            innermost = left;
        }
        let mut inside = Conjunction::default();
        collect(innermost, &mut inside);
        let bound = inside.bound();
        let (early, late): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| is_bound_by(part, &bound));
        let wanted = wanted.clone().with_expressions(late.iter().copied());
        let of_left = of_mandatory(&wanted, right, condition);
        inside.wanted = of_left.clone();
        let mandatory = |most| match (early.is_empty(), left) {
            (true, _) => self.part(left, most, &of_left),
            (false, GraphPattern::LeftJoin { left, right, expression }) => {
                self.filtered_left_join(early.clone(), (left, right, expression.as_ref()), most, &of_left)
            }
            (false, _) => self.filtered_conjunction(early.clone(), inside.clone(), most),
        };
        let then = |left| self.filtered_table(self.left_join(left, right, condition, &wanted)?, late.clone());
        if late.is_empty() { then(mandatory(most)?) } else { self.in_portions_of(most, mandatory, then) }
    }

    /// Applies conditions that may be or hold EXISTS to a table.
    pub(super) fn filtered_table(&self, mut table: Table<'a>, parts: Vec<&Expression>) -> Outcome<Table<'a>> {
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
    ) -> Outcome<Table<'a>> {
        let bound = conjunction.bound();
        let (early, late): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| is_bound_by(part, &bound));
        conjunction.filters.extend(early);
        if late.is_empty() {
            return self.conjunction(conjunction, most);
        }
        conjunction.wanted = conjunction.wanted.with_expressions(late.iter().copied());
        // Parts of other kinds are evaluated whole each time.
        let most = if conjunction.others.is_empty() { most } else { None };
        let first = |most| self.conjunction(conjunction.clone(), most);
        self.in_portions_of(most, first, |table| self.filtered_table(table, late.clone()))
    }

    /// Keeps the rows for which a condition holds.
    pub(super) fn filter(&self, table: &mut Table<'a>, expression: &Expression) -> Outcome<()> {
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
        } else if table.rows > MANY
            && let [variable] = variables.as_slice()
            && let Some(at) = table.column(variable.as_str())
        {
            // Once for each value, and in the order of the dictionary: it is read from its beginning to its end then.
            let mut values = Table::of(variable.as_str(), different(&table.columns[at]));
            self.within(values.rows)?;
            self.filter_rows(&mut values, expression)?;
            let ids = values.columns[0].to_mut();
            let unbound_passes = ids.pop_if(|id| *id == UNBOUND).is_some();
            let mut passing = IdSet::new(ids.last().map_or(0, |last| *last as usize + 1));
            ids.iter().for_each(|id| passing.insert(*id));
            let column = &table.columns[at];
            let passes = |id: u32| if id == UNBOUND { unbound_passes } else { passing.contains(id) };
            keep.extend((0..table.rows as u32).filter(|row| passes(column[*row as usize])));
        } else if let Some(rows) = self.rows_by_texts(table, expression)? {
            keep = rows;
        } else {
            return self.filter_rows(table, expression);
        }
        if keep.len() < table.rows {
            table.gather(&keep);
        }
        Ok(())
    }

    /// Keeps the rows for which a condition holds, asking for each.
    fn filter_rows(&self, table: &mut Table<'a>, expression: &Expression) -> Outcome<()> {
        let compiled = self.compile_condition(expression, table)?;
        let mut variables = Vec::new();
        variables_of(expression, &mut variables)?;
        let columns: Vec<usize> = variables.iter().filter_map(|variable| table.column(variable.as_str())).collect();
        let mut keep = Vec::new();
        for row in 0..table.rows {
            self.look(row, 0)?;
            self.fetch(table, &columns, row);
            let value = self.evaluate(&compiled, table, row)?;
            if value.and_then(|value| value.effective_boolean_value()) == Some(true) {
                keep.push(row as u32);
            }
        }
        if keep.len() < table.rows {
            table.gather(&keep);
        }
        Ok(())
    }

    pub(super) fn extend(
        &self,
        mut table: Table<'a>,
        variable: &Variable,
        expression: &Expression,
    ) -> Outcome<Table<'a>> {
        if table.column(variable.as_str()).is_some() {
            return Err(Stop::Unknown);
        }
        let column = match expression {
            Expression::Variable(other) => match table.column(other.as_str()) {
                Some(at) => table.columns[at].clone(),
                None => vec![UNBOUND; table.rows].into(),
            },
            _ => self.computed(&table, expression)?.into(),
        };
        table.push(variable.as_str(), column);
        Ok(table)
    }

    /// Evaluates an expression for every row; when it has one variable, for every value of it.
    pub(super) fn computed(&self, table: &Table<'_>, expression: &Expression) -> Outcome<Vec<u32>> {
        if matches!(expression, Expression::Coalesce(_) | Expression::If(..)) {
            return self.chosen(table, expression);
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
            let columns: Vec<usize> = variables.iter().filter_map(|one| table.column(one.as_str())).collect();
            for row in 0..table.rows {
                self.look(row, row)?;
                self.fetch(table, &columns, row);
                column.push(id(row)?);
            }
            return Ok(column);
        };
        let values = &table.columns[only];
        if table.rows > MANY && !values.is_sorted() {
            // Once for each value, in the order of the dictionary.
            let values = Table::of(variables[0].as_str(), different(values));
            let results = self.computed(&values, expression)?;
            let ids = &values.columns[0];
            let unbound = ids.last() == Some(&UNBOUND);
            let places = Places::of(&ids[..ids.len() - usize::from(unbound)]);
            let place = |id: u32| match &places {
                _ if id == UNBOUND => Some(ids.len() - 1),
                Some(places) => places.find(id),
                None => ids.binary_search(&id).ok(),
            };
            column.extend(table.columns[only].iter().map(|id| place(*id).map_or(UNBOUND, |at| results[at])));
            return Ok(column);
        }
        if let Some(part @ (Simple::Year | Simple::Month | Simple::Day)) = function_of_variable(expression) {
            return self.parts_of_moments(part, values);
        }
        let (mut last, mut result) = (None, UNBOUND);
        for (row, value) in values.iter().enumerate() {
            self.look(row, row)?;
            self.fetch(table, &[only], row);
            if last != Some(*value) {
                result = id(row)?;
                last = Some(*value);
            }
            column.push(result);
        }
        Ok(column)
    }

    fn values(&self, variables: &[Variable], bindings: &[Vec<Option<GroundTerm>>]) -> Table<'a> {
        let mut table = Table::empty(variables.iter().map(|variable| variable.as_str().to_owned()).collect());
        table.rows = bindings.len();
        for row in bindings {
            for (column, term) in table.columns.iter_mut().zip(row) {
                column.to_mut().push(match term {
                    Some(term) => self.intern_term(&term.clone().into()),
                    None => UNBOUND,
                });
            }
        }
        table
    }
}

/// What is used of the mandatory part beside an optional one.
fn of_mandatory(wanted: &Wanted, right: &GraphPattern, condition: Option<&Expression>) -> Wanted {
    wanted.clone().with_pattern(right).with_expressions(condition)
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

/// Says whether an order is by a variable among some.
fn is_by(order: &OrderExpression, variables: &[Variable]) -> bool {
    match order {
        OrderExpression::Asc(Expression::Variable(by)) | OrderExpression::Desc(Expression::Variable(by)) => {
            variables.contains(by)
        }
        _ => false,
    }
}

fn is_bound_by(expression: &Expression, bound: &[String]) -> bool {
    let mut variables = Vec::new();
    variables_of(expression, &mut variables).is_ok()
        && !variables.is_empty()
        && variables.iter().all(|variable| bound.iter().any(|name| name == variable.as_str()))
}

/// Returns the function that an expression applies to a variable and to nothing else.
fn function_of_variable(expression: &Expression) -> Option<Simple> {
    match expression {
        Expression::FunctionCall(function, list) if matches!(list.as_slice(), [Expression::Variable(_)]) => {
            simple(function)
        }
        _ => None,
    }
}

pub(super) fn project<'a>(table: Table<'a>, variables: &[Variable]) -> Table<'a> {
    let mut projected = Table { rows: table.rows, ..Table::default() };
    for variable in variables {
        let at = table.column(variable.as_str());
        if at.is_some() && at == table.sorted {
            projected.sorted = Some(projected.columns.len());
        }
        let column = at.map_or_else(|| vec![UNBOUND; table.rows].into(), |at| table.columns[at].clone());
        projected.push(variable.as_str(), column);
    }
    projected
}
