//! GROUP BY and the aggregates.

use std::borrow::Cow;

use oxigraph::model::Variable;
use oxsdatatypes::{Decimal, Integer};
use rustc_hash::{FxHashMap, FxHashSet};
use spareval::ExpressionTerm;
use spargebra::algebra::{AggregateExpression, AggregateFunction, Expression, GraphPattern, OrderExpression};

use super::groups::Groups;
use super::table::{IdSet, Table, UNBOUND};
use super::value::Value;
use super::wanted::{Wanted, without_columns};
use super::{Kernel, Outcome, Stop};
use crate::storage::term::{Class, ONE};

/// The name of the column of groups' numbers; no variable has it.
const GROUP: &str = "#group";

/// A sum of numbers as the dictionary keeps their values.
#[derive(Clone, Copy)]
struct Total {
    sum: i128,
    /// The sum without signs: no sum on the way is farther from nought.
    size: i128,
    count: i64,
    /// None of them was a decimal.
    is_whole: bool,
}

impl<'a> Kernel<'a> {
    /// Groups a table.
    pub(super) fn group(
        &self,
        table: &Table<'_>,
        variables: &[Variable],
        aggregates: &[(Variable, AggregateExpression)],
    ) -> Outcome<Table<'a>> {
        let keys: Vec<Option<usize>> = variables.iter().map(|variable| table.column(variable.as_str())).collect();
        let groups = self.groups(table, &keys)?;
        let mut result = Table { rows: groups.count, ..Table::default() };
        for (variable, key) in variables.iter().zip(&keys) {
            let value = |row: &u32| table.get(*key, *row as usize).unwrap_or(UNBOUND);
            result.push(variable.as_str(), groups.first.iter().map(value).collect::<Vec<_>>());
        }
        for (variable, aggregate) in aggregates {
            self.alive()?;
            let column = self.aggregate(table, &groups, aggregate)?;
            result.push(variable.as_str(), column);
        }
        Ok(result)
    }

    /// Groups a pattern as far as its first groups in an order are needed; nothing when the order is not that of what it groups
    /// by. Without an order any groups will do.
    pub(super) fn first_groups(
        &self,
        (inner, variables, aggregates): (&GraphPattern, &[Variable], &[(Variable, AggregateExpression)]),
        order: &[OrderExpression],
        most: usize,
    ) -> Outcome<Option<Table<'a>>> {
        let is_key = |order: &OrderExpression| match order {
            OrderExpression::Asc(Expression::Variable(by)) | OrderExpression::Desc(Expression::Variable(by)) => {
                variables.contains(by)
            }
            _ => false,
        };
        if variables.is_empty() || !order.iter().all(is_key) {
            return Ok(None);
        }
        let aggregates = &without_columns(inner, aggregates);
        let wanted = Wanted::grouped(variables, aggregates);
        let of_some = |some: &GraphPattern| self.group(&self.part(some, None, &wanted)?, variables, aggregates);
        if let Some(groups) = self.first_by_term(inner, order, most, of_some)? {
            return Ok(Some(groups));
        }
        let mut table = self.part(inner, None, &wanted)?;
        let keys: Vec<Option<usize>> = variables.iter().map(|variable| table.column(variable.as_str())).collect();
        let groups = self.groups(&table, &keys)?;
        if groups.count > most {
            let mut firsts = Table { rows: groups.count, ..Table::default() };
            for (variable, key) in variables.iter().zip(&keys) {
                let value = |row: &u32| table.get(*key, *row as usize).unwrap_or(UNBOUND);
                firsts.push(variable.as_str(), groups.first.iter().map(value).collect::<Vec<_>>());
            }
            firsts.push(GROUP, (0..groups.count as u32).collect::<Vec<_>>());
            let firsts = self.order(firsts, order, Some(most))?;
            let mut wanted = IdSet::new(groups.count);
            firsts.columns[variables.len()].iter().for_each(|group| wanted.insert(*group));
            let of_wanted = |row: &u32| wanted.contains(groups.of[*row as usize]);
            let rows: Vec<u32> = (0..table.rows as u32).filter(of_wanted).collect();
            table.gather(&rows);
        }
        self.group(&table, variables, aggregates).map(Some)
    }

    fn groups(&self, table: &Table<'_>, keys: &[Option<usize>]) -> Outcome<Groups> {
        let columns: Vec<&[u32]> = keys.iter().filter_map(|key| Some(&**table.columns.get((*key)?)?)).collect();
        match (columns.as_slice(), table.rows) {
            // Without a key there is a group also when there is no row.
            ([], 0) if !keys.is_empty() => Ok(Groups { of: Vec::new(), first: Vec::new(), count: 0 }),
            (columns, rows) => self.groups_of(columns, rows),
        }
    }

    fn aggregate(&self, table: &Table<'_>, groups: &Groups, aggregate: &AggregateExpression) -> Outcome<Vec<u32>> {
        let (name, expression, distinct) = match aggregate {
            AggregateExpression::CountSolutions { distinct: false } => {
                let mut counts = vec![0_i64; groups.count];
                groups.of.iter().for_each(|group| counts[*group as usize] += 1);
                return Ok(self.integers(&counts));
            }
            AggregateExpression::CountSolutions { distinct: true } => {
                let mut columns: Vec<&[u32]> = vec![&groups.of];
                columns.extend(table.columns.iter().map(|column| &**column));
                let mut counts = vec![0_i64; groups.count];
                for row in self.groups_of(&columns, table.rows)?.first.iter().take(table.rows) {
                    counts[groups.of[*row as usize] as usize] += 1;
                }
                return Ok(self.integers(&counts));
            }
            AggregateExpression::FunctionCall { name, expr, distinct } => (name, expr, *distinct),
        };
        let (column, is_variable) = match expression {
            Expression::Variable(variable) => {
                let at = table.column(variable.as_str());
                (at.map_or_else(|| vec![UNBOUND; table.rows].into(), |at| Cow::Borrowed(&*table.columns[at])), true)
            }
            other => (self.computed(table, other)?.into(), false),
        };
        match name {
            AggregateFunction::Count => {
                if !is_variable {
                    return self.count_values(groups, &column, distinct);
                }
                Ok(self.integers(&self.counts(groups, &column, distinct)?))
            }
            AggregateFunction::Sum => self.sums(groups, &column, distinct, false),
            AggregateFunction::Avg => self.sums(groups, &column, distinct, true),
            AggregateFunction::Min => self.extremes(groups, &column, false),
            AggregateFunction::Max => self.extremes(groups, &column, true),
            AggregateFunction::Sample => {
                let mut samples = vec![UNBOUND; groups.count];
                for (group, id) in groups.of.iter().zip(&*column) {
                    let sample = &mut samples[*group as usize];
                    if *sample == UNBOUND && *id != UNBOUND {
                        *sample = *id;
                    }
                }
                Ok(samples.into_iter().map(|id| self.rewritten(id)).collect())
            }
            AggregateFunction::GroupConcat { separator } => {
                self.concatenations(groups, &column, distinct, separator.as_deref().unwrap_or(" "))
            }
            AggregateFunction::Custom(_) => Err(Stop::Unknown),
        }
    }

    /// Strings one behind the other, in the order of rows; another value leaves its group unbound. They keep the
    /// language that all of them have, as spareval does.
    fn concatenations(&self, groups: &Groups, column: &[u32], distinct: bool, separator: &str) -> Outcome<Vec<u32>> {
        struct Joined<'v> {
            text: String,
            language: Option<Option<std::borrow::Cow<'v, str>>>,
        }
        let mut joined: Vec<Option<Joined<'_>>> = Vec::with_capacity(groups.count);
        joined.resize_with(groups.count, || Some(Joined { text: String::new(), language: None }));
        let (mut seen, mut bytes) = (FxHashSet::default(), 0_usize);
        for (row, (group, id)) in groups.of.iter().zip(column).enumerate() {
            self.look(row, bytes / 4 + seen.len() * 4)?;
            let entry = &mut joined[*group as usize];
            let Some(so_far) = entry else { continue };
            let (text, language) = match (*id != UNBOUND).then(|| self.value(*id)) {
                Some(Value::Text(text)) => (text, None),
                Some(Value::Tagged(text, language)) => (text, Some(language)),
                _ => {
                    *entry = None;
                    continue;
                }
            };
            if distinct && !seen.insert((*group, *id)) {
                continue;
            }
            match &mut so_far.language {
                None => so_far.language = Some(language),
                Some(other) => {
                    if *other != language {
                        *other = None;
                    }
                    so_far.text.push_str(separator);
                }
            }
            so_far.text.push_str(&text);
            bytes += text.len() + separator.len();
        }
        let term = |joined: Option<Joined<'_>>| {
            joined.map_or(UNBOUND, |Joined { text, language }| {
                self.intern(match language.flatten() {
                    Some(language) => Value::Tagged(text.into(), language),
                    None => Value::Text(text.into()),
                })
            })
        };
        Ok(joined.into_iter().map(term).collect())
    }

    pub(super) fn integers(&self, numbers: &[i64]) -> Vec<u32> {
        numbers.iter().map(|number| self.intern(Value::integer(*number))).collect()
    }

    fn counts(&self, groups: &Groups, column: &[u32], distinct: bool) -> Outcome<Vec<i64>> {
        if distinct {
            return self.different_in(groups, column);
        }
        let mut counts = vec![0_i64; groups.count];
        let bound = groups.of.iter().zip(column).filter(|(_, id)| **id != UNBOUND);
        bound.for_each(|(group, _)| counts[*group as usize] += 1);
        Ok(counts)
    }

    /// Counts values of an expression: one error in a group leaves its count unbound.
    fn count_values(&self, groups: &Groups, column: &[u32], distinct: bool) -> Outcome<Vec<u32>> {
        if distinct && column.iter().any(|id| *id != UNBOUND && !self.is_told_apart(*id)) {
            return Err(Stop::Unknown);
        }
        let counts = self.counts(groups, column, distinct)?;
        let mut result = self.integers(&counts);
        for (group, id) in groups.of.iter().zip(column) {
            if *id == UNBOUND {
                result[*group as usize] = UNBOUND;
            }
        }
        Ok(result)
    }

    /// Says whether two different terms of this one's class are different values.
    fn is_told_apart(&self, id: u32) -> bool {
        matches!(self.class(id), Class::Blank | Class::Iri | Class::Text | Class::Number)
    }

    /// Writes a value as expressions do, which may differ from how it was written: `01` becomes `1`.
    pub(super) fn rewritten(&self, id: u32) -> u32 {
        match id {
            UNBOUND => UNBOUND,
            id if matches!(self.class(id), Class::Blank | Class::Iri | Class::Text) => id,
            id => self.intern(self.value(id)),
        }
    }

    /// Sums numbers by the values that order them, and counts them; nothing when something else is among them, or when a
    /// sum could leave what numbers can be. A sum is whole until a decimal is met, after which no type is looked at.
    fn sums_of_numbers(&self, groups: &Groups, column: &[u32]) -> Outcome<Option<Vec<Total>>> {
        let (base, most) = (&self.view.base, i128::from(i64::MAX) * ONE);
        let (numbers, values, start) = (base.class_ids(Class::Number), base.values(), base.value_ids().start);
        if !column.iter().all(|id| numbers.contains(id)) {
            return Ok(None);
        }
        let mut totals = vec![Total { sum: 0, size: 0, count: 0, is_whole: true }; groups.count];
        self.within(column.len() * 2)?;
        let pairs = neighbours(column, &groups.of, &numbers);
        let (is_dense, mut part) = (pairs.len() * 8 > values.len(), u32::MAX);
        for (row, (id, group)) in pairs.into_iter().enumerate() {
            self.look(row, column.len() * 2)?;
            let at = id - start;
            if is_dense && at >> NEAR != part {
                // Read in its order it comes from memory at once.
                part = at >> NEAR;
                let values = values.iter().skip((part << NEAR) as usize).take(1 << NEAR);
                std::hint::black_box(values.fold(0, |all, value| all ^ value));
            }
            let Some(value) = values.get((id - start) as usize) else { return Ok(None) };
            let total = &mut totals[group as usize];
            if total.is_whole {
                total.is_whole = !base.is_decimal(id);
            }
            // A sum that wraps is not used: its size is beyond the bound.
            total.sum = total.sum.wrapping_add(*value);
            total.size = total.size.saturating_add(value.saturating_abs());
            total.count += 1;
            if total.size > most {
                return Ok(None);
            }
        }
        Ok(Some(totals))
    }

    /// Sums, or means, of whole numbers and decimals; an error or another value leaves its group unbound.
    fn sums(&self, groups: &Groups, column: &[u32], distinct: bool, mean: bool) -> Outcome<Vec<u32>> {
        #[derive(Clone, Copy)]
        enum Sum {
            Integer(Integer),
            Decimal(Decimal),
        }
        let mut sums: Vec<Option<(Sum, i64)>> = vec![Some((Sum::Integer(0.into()), 0)); groups.count];
        let mut seen: FxHashSet<(u32, bool, i128)> = FxHashSet::default();
        let totals = if distinct { None } else { self.sums_of_numbers(groups, column)? };
        let rows = if totals.is_some() { 0 } else { column.len() };
        let mut made: FxHashMap<u32, Value<'_>> = FxHashMap::default();
        for (entry, total) in sums.iter_mut().zip(totals.into_iter().flatten()) {
            let sum = match total.is_whole {
                true => Sum::Integer(((total.sum / ONE) as i64).into()),
                false => Sum::Decimal(Decimal::from_be_bytes(total.sum.to_be_bytes())),
            };
            *entry = Some((sum, total.count));
        }
        for (row, (group, id)) in groups.of.iter().zip(column).take(rows).enumerate() {
            self.look(row, seen.len() * 8)?;
            let entry = &mut sums[*group as usize];
            let Some((sum, count)) = *entry else { continue };
            if *id == UNBOUND {
                *entry = None;
                continue;
            }
            let value = match (*id as usize) < self.terms {
                true => self.value(*id),
                // Counts, as a rule: few values, each of which would be read from its text.
                false => made.entry(*id).or_insert_with(|| self.value(*id)).clone(),
            };
            let next = match value {
                Value::Literal(ExpressionTerm::IntegerLiteral(value)) => {
                    if distinct && !seen.insert((*group, false, i64::from(value).into())) {
                        continue;
                    }
                    match sum {
                        Sum::Integer(sum) => sum.checked_add(value).map(Sum::Integer),
                        Sum::Decimal(sum) => sum.checked_add(value).map(Sum::Decimal),
                    }
                }
                Value::Literal(ExpressionTerm::DecimalLiteral(value)) => {
                    let bits = i128::from_be_bytes(value.to_be_bytes());
                    if distinct && !seen.insert((*group, true, bits)) {
                        continue;
                    }
                    let sum = match sum {
                        Sum::Integer(sum) => Decimal::from(sum),
                        Sum::Decimal(sum) => sum,
                    };
                    sum.checked_add(value).map(Sum::Decimal)
                }
                // Sums of floating point depend on their order, and durations are spareval's.
                Value::Literal(
                    ExpressionTerm::BooleanLiteral(_)
                    | ExpressionTerm::DateTimeLiteral(_)
                    | ExpressionTerm::DateLiteral(_),
                )
                | Value::Node(_)
                | Value::Text(_)
                | Value::Tagged(..) => None,
                Value::Literal(_) => return Err(Stop::Unknown),
            };
            *entry = next.map(|sum| (sum, count + 1));
        }
        let term = |entry: &Option<(Sum, i64)>| -> Option<ExpressionTerm> {
            let (sum, count) = (*entry)?;
            if !mean {
                return Some(match sum {
                    Sum::Integer(sum) => ExpressionTerm::IntegerLiteral(sum),
                    Sum::Decimal(sum) => ExpressionTerm::DecimalLiteral(sum),
                });
            }
            if count == 0 {
                return Some(ExpressionTerm::IntegerLiteral(0.into()));
            }
            let sum = match sum {
                Sum::Integer(sum) => Decimal::from(sum),
                Sum::Decimal(sum) => sum,
            };
            sum.checked_div(Integer::from(count)).map(ExpressionTerm::DecimalLiteral)
        };
        Ok(sums.iter().map(|entry| term(entry).map_or(UNBOUND, |term| self.intern(Value::Literal(term)))).collect())
    }

    /// Least or greatest values; an unbound one leaves its group unbound.
    fn extremes(&self, groups: &Groups, column: &[u32], greatest: bool) -> Outcome<Vec<u32>> {
        if let Some(best) = self.extremes_of_ids(groups, column, greatest) {
            return Ok(best.into_iter().map(|id| self.rewritten(id)).collect());
        }
        let keys = self.order_keys(column)?;
        // The best row of each group and whether another term is as good.
        let mut best: Vec<Option<(usize, bool)>> = vec![None; groups.count];
        let mut failed = vec![false; groups.count];
        for (row, group) in groups.of.iter().enumerate() {
            self.look(row, row * 2)?;
            let group = *group as usize;
            if column[row] == UNBOUND {
                failed[group] = true;
                continue;
            }
            best[group] = Some(match best[group] {
                None => (row, false),
                Some((other, tied)) => match keys[row].cmp(&keys[other]) {
                    std::cmp::Ordering::Equal => (other, tied || column[row] != column[other]),
                    ordering if ordering.is_gt() == greatest => (row, false),
                    _ => (other, tied),
                },
            });
        }
        let value = |group: usize| match best[group] {
            Some(_) if failed[group] => Ok(UNBOUND),
            Some((_, true)) => Err(Stop::Unknown),
            Some((row, false)) => Ok(self.rewritten(column[row])),
            None => Ok(UNBOUND),
        };
        (0..groups.count).map(value).collect()
    }

    /// Least or greatest ids, which are those of the least or greatest values of one class; nothing when something else is
    /// among them, or when another term could be as good.
    fn extremes_of_ids(&self, groups: &Groups, column: &[u32], greatest: bool) -> Option<Vec<u32>> {
        let base = &self.view.base;
        let (least, most) = (*column.iter().min()?, *column.iter().max()?);
        let class = base.class(least);
        if !base.class_ids(class).contains(&most) || class == Class::Other {
            return None;
        }
        let mut best = vec![UNBOUND; groups.count];
        for (group, id) in groups.of.iter().zip(column) {
            let best = &mut best[*group as usize];
            if *best == UNBOUND || (*id > *best) == greatest {
                *best = *id;
            }
        }
        let is_alone = |id: u32| {
            let first = |id: u32| base.firsts().get(id.wrapping_sub(base.value_ids().start) as usize);
            first(id).is_none_or(|only| *only == id) && first(id + 1).is_none_or(|next| *next == id + 1)
        };
        best.iter().all(|id| *id != UNBOUND && is_alone(*id)).then_some(best)
    }
}

/// Ids of which the values fit the processor's nearest cache but one.
const NEAR: u32 = 13;

/// Pairs ids with their groups, ids that are near to each other together: so that what is known of ids is read a part after the
/// other, where reading it here and there would wait for memory at every row once it is larger than the caches.
fn neighbours(ids: &[u32], groups: &[u32], within: &std::ops::Range<u32>) -> Vec<(u32, u32)> {
    let pairs = ids.iter().copied().zip(groups.iter().copied());
    let part = |id: u32| ((id - within.start) >> NEAR) as usize;
    let parts = part(within.end) + 1;
    if parts < 4 || ids.len() < 1 << NEAR || ids.is_sorted() {
        return pairs.collect();
    }
    let mut places = vec![0_usize; parts + 1];
    ids.iter().for_each(|id| places[part(*id) + 1] += 1);
    for at in 1..places.len() {
        places[at] += places[at - 1];
    }
    let mut sorted = vec![(0, 0); ids.len()];
    for (id, group) in pairs {
        let place = &mut places[part(id)];
        sorted[*place] = (id, group);
        *place += 1;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::neighbours;

    #[test]
    fn neighbours_keep_their_groups() {
        let ids: Vec<u32> = (0..100_000_u32).map(|n| 1000 + n.wrapping_mul(2_654_435_761) % 500_000).collect();
        let groups: Vec<u32> = (0..100_000).collect();
        let mut found = neighbours(&ids, &groups, &(1000..501_000));
        assert!(found.iter().map(|(id, _)| (id - 1000) >> 13).is_sorted());
        found.sort_by_key(|(_, group)| *group);
        assert!(found.into_iter().eq(ids.into_iter().zip(groups)));
    }
}
