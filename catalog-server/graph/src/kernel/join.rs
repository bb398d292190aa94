//! Joins of tables: inner, optional, exclusion and existence.

use rustc_hash::FxHashMap;
use spargebra::algebra::{Expression, GraphPattern};

use super::expression::variables_of;
use super::pattern::{Conjunction, collect};
use super::table::{IdSet, Table, UNBOUND};
use super::wanted::Wanted;
use super::{Kernel, Outcome, Stop};

/// The name of the column that remembers which row of the left side a row comes from; no variable has it.
const ROW: &str = "#row";

/// Rows up to which a pattern is looked for with their values instead of everywhere.
const FEW: usize = 1000;

impl<'a> Kernel<'a> {
    /// Joins two tables.
    pub(super) fn join(&self, left: Table<'a>, right: Table<'a>) -> Outcome<Table<'a>> {
        let (rows, matches) = self.matches(&left, &right)?;
        Ok(self.combined(left, &right, &rows, &matches))
    }

    /// Finds the pairs of rows that agree on the variables they share, ordered by the left row.
    fn matches(&self, left: &Table<'_>, right: &Table<'_>) -> Outcome<(Vec<u32>, Vec<u32>)> {
        let shared = left.shared(right);
        if !shared.iter().all(|(a, b)| left.is_bound(*a) && right.is_bound(*b)) {
            return Err(Stop::Unknown);
        }
        let (a, b): (Vec<usize>, Vec<usize>) = shared.into_iter().unzip();
        match (a.as_slice(), b.as_slice()) {
            ([a], [b]) => {
                let (a, b) = (&left.columns[*a], &right.columns[*b]);
                self.pairs(left, right, |row| a[row], |row| b[row])
            }
            ([a, c], [b, d]) => {
                let pair = |a: u32, b: u32| (u64::from(a) << 32) | u64::from(b);
                let (a, b) = ((&left.columns[*a], &left.columns[*c]), (&right.columns[*b], &right.columns[*d]));
                self.pairs(left, right, |row| pair(a.0[row], a.1[row]), |row| pair(b.0[row], b.1[row]))
            }
            _ => self.pairs(left, right, |row| left.key(&a, row), |row| right.key(&b, row)),
        }
    }

    /// Finds the pairs of rows with equal keys. The rows of a key are a chain of indices, so that no key has a list of its own.
    fn pairs<K: std::hash::Hash + Eq>(
        &self,
        left: &Table<'_>,
        right: &Table<'_>,
        of_left: impl Fn(usize) -> K,
        of_right: impl Fn(usize) -> K,
    ) -> Outcome<(Vec<u32>, Vec<u32>)> {
        let width = left.columns.len() + right.columns.len();
        let mut first: FxHashMap<K, u32> = FxHashMap::default();
        let mut next = vec![UNBOUND; right.rows];
        for row in (0..right.rows).rev() {
            self.look(row, right.rows * 4)?;
            if let Some(later) = first.insert(of_right(row), row as u32) {
                next[row] = later;
            }
        }
        let (mut rows, mut matches) = (Vec::new(), Vec::new());
        for row in 0..left.rows {
            let Some(found) = first.get(&of_left(row)) else { continue };
            let (before, mut at) = (matches.len(), *found);
            while at != UNBOUND {
                matches.push(at);
                at = next[at as usize];
            }
            let found = matches.len() - before;
            rows.extend(std::iter::repeat_n(row as u32, found));
            // One row may have very many partners.
            self.look(if found > 64 { 0 } else { row }, rows.len() * width)?;
        }
        Ok((rows, matches))
    }

    fn combined(&self, mut left: Table<'a>, right: &Table<'_>, rows: &[u32], matches: &[u32]) -> Table<'a> {
        left.gather(rows);
        for (name, column) in right.names.iter().zip(&right.columns) {
            if left.column(name).is_none() {
                left.push(name, matches.iter().map(|row| column[*row as usize]).collect::<Vec<_>>());
            }
        }
        left
    }

    /// Adds what an optional part gives, and keeps rows for which it gives nothing.
    pub(super) fn left_join(
        &self,
        left: Table<'a>,
        right: &GraphPattern,
        condition: Option<&Expression>,
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
        let mut conjunction = Conjunction::default();
        collect(right, &mut conjunction);
        let mut numbered = left.clone();
        numbered.push(ROW, (0..left.rows as u32).collect::<Vec<_>>());
        conjunction.wanted = wanted.clone().with(numbered.names.iter().cloned()).with_expressions(condition);
        let mut joined = if conjunction.others.is_empty() {
            self.triples(numbered, &conjunction, None)?
        } else {
            let right = self.for_table(right, &left)?;
            self.join(numbered, right)?
        };
        if let Some(condition) = condition {
            self.filter(&mut joined, condition)?;
        }
        let Some(at) = joined.column(ROW) else { return Err(Stop::Unknown) };
        let origin = joined.columns.remove(at);
        joined.names.remove(at);
        // Rows of the left side keep their order; where nothing was found, the new variables stay unbound.
        let width = joined.columns.len();
        self.within(left.rows.saturating_add(origin.len()).saturating_mul(width))?;
        if origin.len() == left.rows && origin.iter().enumerate().all(|(at, row)| at as u32 == *row) {
            joined.sorted = left.sorted;
            return Ok(joined);
        }
        let mut places = Vec::with_capacity(left.rows.max(origin.len()));
        let mut next = 0;
        for row in 0..left.rows as u32 {
            let first = next;
            while origin.get(next) == Some(&row) {
                places.push((row, next as u32));
                next += 1;
            }
            if first == next {
                places.push((row, UNBOUND));
            }
        }
        if next < origin.len() {
            return Err(Stop::Unknown);
        }
        let mut result = Table { rows: places.len(), sorted: left.sorted, ..Table::default() };
        for (name, column) in joined.names.iter().zip(&joined.columns) {
            let values: Vec<u32> = match left.column(name) {
                Some(at) => places.iter().map(|(row, _)| left.columns[at][*row as usize]).collect(),
                None => places.iter().map(|(_, at)| column.get(*at as usize).copied().unwrap_or(UNBOUND)).collect(),
            };
            result.push(name, values);
        }
        Ok(result)
    }

    /// Puts two tables one below the other.
    pub(super) fn union(&self, mut left: Table<'a>, right: Table<'a>) -> Outcome<Table<'a>> {
        self.within((left.rows + right.rows).saturating_mul(left.columns.len() + right.columns.len()))?;
        let rows = left.rows + right.rows;
        for name in &right.names {
            if left.column(name).is_none() {
                left.push(name, vec![UNBOUND; left.rows]);
            }
        }
        for (name, column) in left.names.iter().zip(&mut left.columns) {
            match right.column(name) {
                Some(at) => column.to_mut().extend_from_slice(&right.columns[at]),
                None => column.to_mut().resize(rows, UNBOUND),
            }
        }
        left.rows = rows;
        left.sorted = None;
        Ok(left)
    }

    /// Takes away the rows that agree with a row of the other pattern on a variable that both have.
    pub(super) fn minus(&self, mut left: Table<'a>, right: &GraphPattern) -> Outcome<Table<'a>> {
        if left.rows < FEW {
            let mut conjunction = Conjunction::default();
            collect(right, &mut conjunction);
            let shares = conjunction.bound().iter().any(|name| left.column(name).is_some());
            if shares && is_plain(&conjunction)? {
                self.exists(&mut left, right, false)?;
                return Ok(left);
            }
        }
        let right = self.part(right, None, &Wanted::of(left.names.iter().cloned(), true))?;
        let shared = left.shared(&right);
        if shared.is_empty() || right.rows == 0 {
            return Ok(left);
        }
        if !shared.iter().all(|(a, b)| left.is_bound(*a) && right.is_bound(*b)) {
            return Err(Stop::Unknown);
        }
        self.semi_join(&mut left, &right, &shared, false)?;
        Ok(left)
    }

    /// Keeps the rows that agree with some row of another table, or those that agree with none.
    fn semi_join(
        &self,
        left: &mut Table<'a>,
        right: &Table<'_>,
        shared: &[(usize, usize)],
        wanted: bool,
    ) -> Outcome<()> {
        let mut keep = Vec::new();
        if let [(a, b)] = shared
            && left.sorted == Some(*a)
            && right.sorted == Some(*b)
        {
            // Both are in the order of ids.
            let (column, ids) = (&left.columns[*a], &right.columns[*b]);
            let mut next = 0;
            for (row, id) in column.iter().enumerate() {
                while ids.get(next).is_some_and(|other| other < id) {
                    next += 1;
                }
                if (ids.get(next) == Some(id)) == wanted {
                    keep.push(row as u32);
                }
            }
        } else if let [(a, b)] = shared {
            let ids = right.columns[*b].iter();
            let most = ids.clone().chain(left.columns[*a].iter()).max().copied().unwrap_or(0);
            let mut set = IdSet::new(most as usize + 1);
            ids.for_each(|id| set.insert(*id));
            let column = &left.columns[*a];
            keep.extend((0..left.rows as u32).filter(|row| set.contains(column[*row as usize]) == wanted));
        } else {
            let (a, b): (Vec<usize>, Vec<usize>) = shared.iter().copied().unzip();
            let mut keys = rustc_hash::FxHashSet::default();
            for row in 0..right.rows {
                self.look(row, right.rows * 4)?;
                keys.insert(right.key(&b, row));
            }
            for row in 0..left.rows {
                self.look(row, 0)?;
                if keys.contains(&left.key(&a, row)) == wanted {
                    keep.push(row as u32);
                }
            }
        }
        left.gather(&keep);
        self.alive()
    }

    /// Keeps the rows for which a pattern has a solution, or those for which it has none.
    pub(super) fn exists(&self, table: &mut Table<'a>, pattern: &GraphPattern, wanted: bool) -> Outcome<()> {
        let mut conjunction = Conjunction::default();
        collect(pattern, &mut conjunction);
        if !is_plain(&conjunction)? {
            return Err(Stop::Unknown);
        }
        let bound = conjunction.bound();
        let shared: Vec<usize> = bound.iter().filter_map(|name| table.column(name)).collect();
        if !shared.iter().all(|at| table.is_bound(*at)) {
            return Err(Stop::Unknown);
        }
        if !shared.is_empty() && table.rows < FEW {
            let mut numbered = Table { rows: table.rows, ..Table::default() };
            for at in &shared {
                if numbered.column(&table.names[*at]).is_none() {
                    numbered.push(&table.names[*at], table.columns[*at].clone());
                }
            }
            numbered.push(ROW, (0..table.rows as u32).collect::<Vec<_>>());
            conjunction.wanted = Wanted::of([ROW.to_owned()], true);
            let found = self.triples(numbered, &conjunction, None)?;
            let Some(at) = found.column(ROW) else { return Err(Stop::Unknown) };
            let mut set = IdSet::new(table.rows);
            found.columns[at].iter().for_each(|row| set.insert(*row));
            let keep: Vec<u32> = (0..table.rows as u32).filter(|row| set.contains(*row) == wanted).collect();
            table.gather(&keep);
            return Ok(());
        }
        let enough = shared.is_empty().then_some(1);
        conjunction.wanted = Wanted::of(shared.iter().map(|at| table.names[*at].clone()), true);
        let found = self.triples(Table::unit(), &conjunction, enough)?;
        let shared = table.shared(&found);
        if shared.is_empty() {
            if (found.rows > 0) != wanted {
                table.gather(&[]);
            }
            return Ok(());
        }
        self.semi_join(table, &found, &shared, wanted)
    }
}

/// Says whether a pattern is triples and filters on their own variables: putting a row's values into it is a join only then.
fn is_plain(conjunction: &Conjunction<'_>) -> Outcome<bool> {
    if !conjunction.others.is_empty() || conjunction.triples.is_empty() || !conjunction.paths.is_empty() {
        return Ok(false);
    }
    let bound = conjunction.bound();
    for filter in &conjunction.filters {
        let mut variables = Vec::new();
        variables_of(filter, &mut variables)?;
        if !variables.iter().all(|variable| bound.iter().any(|name| name == variable.as_str())) {
            return Ok(false);
        }
    }
    Ok(true)
}
