//! ORDER BY on keys that are numbers, and only as far as LIMIT asks for.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;
use spargebra::algebra::{Expression, OrderExpression};

use super::table::{Table, UNBOUND};
use super::{Kernel, Outcome, Stop};
use crate::storage::term::{Class, NO_ZONE, Place};

/// Rows that are sorted between two looks at the clock.
const CHUNK: usize = 1 << 18;

impl<'a> Kernel<'a> {
    /// Sorts a table; with `most`, only the first rows are kept.
    pub(super) fn order(
        &self,
        mut table: Table<'a>,
        expressions: &[OrderExpression],
        most: Option<usize>,
    ) -> Outcome<Table<'a>> {
        let mut keys: Vec<Vec<u64>> = Vec::with_capacity(expressions.len());
        for expression in expressions {
            let (expression, descending) = match expression {
                OrderExpression::Asc(expression) => (expression, false),
                OrderExpression::Desc(expression) => (expression, true),
            };
            let computed;
            let column: &[u32] = match expression {
                Expression::Variable(variable) => match table.column(variable.as_str()) {
                    Some(at) => &table.columns[at],
                    None => continue,
                },
                other => {
                    computed = self.computed(&table, other)?;
                    &computed
                }
            };
            let mut column = self.order_keys(column)?;
            if descending {
                column.iter_mut().for_each(|key| *key = !*key);
            }
            keys.push(column);
        }
        self.within(table.rows.saturating_mul(2 * keys.len() + 1))?;
        let compare = |a: &u32, b: &u32| -> Ordering {
            for column in &keys {
                let ordering = column[*a as usize].cmp(&column[*b as usize]);
                if ordering.is_ne() {
                    return ordering;
                }
            }
            a.cmp(b)
        };
        let mut rows: Vec<u32> = (0..table.rows as u32).collect();
        if let Some(most) = most
            && most < rows.len()
        {
            if most > 0 {
                rows.select_nth_unstable_by(most - 1, compare);
            }
            rows.truncate(most);
        }
        for chunk in rows.chunks_mut(CHUNK) {
            self.alive()?;
            chunk.sort_unstable_by(compare);
        }
        if rows.len() > CHUNK {
            // The stable sort finds the sorted chunks and merges them.
            rows.sort_by(compare);
        }
        table.gather(&rows);
        table.sorted = None;
        Ok(table)
    }

    /// Returns numbers that order a column as ORDER BY does, unbound first and equal values equal.
    ///
    /// SPARQL does not say how literals of different kinds are ordered among each other, so that is left to spareval.
    pub(super) fn order_keys(&self, column: &[u32]) -> Outcome<Vec<u64>> {
        let base = self.view.base.terms() as u32;
        let (mut least, mut greatest) = (u32::MAX, 0);
        let mut classes: [bool; Class::COUNT] = [false; Class::COUNT];
        let mut made = false;
        for id in column.iter().filter(|id| **id != UNBOUND) {
            if *id < base {
                least = least.min(*id);
                greatest = greatest.max(*id);
            } else if (*id as usize) < self.terms {
                classes[self.class(*id) as usize] = true;
            } else {
                made = true;
            }
        }
        if least <= greatest {
            // Ids of the generation are sorted by class, so that its first and last say which classes there can be.
            let between = self.view.base.class(least) as usize..=self.view.base.class(greatest) as usize;
            classes[between].fill(true);
        }
        let one_class = classes.iter().filter(|there| **there).count() <= 1;
        if !made && one_class && !classes[Class::Other as usize] {
            // As `View::key`, with the slice taken once.
            let (start, firsts) = (self.view.base.value_ids().start, self.view.base.firsts());
            let key = |id: u32| match id {
                UNBOUND => 0,
                id if id < base => {
                    let first = firsts.get(id.wrapping_sub(start) as usize).copied().unwrap_or(id);
                    (u64::from(first) + 1) << 32
                }
                id => self.view.key(id),
            };
            return Ok(column.iter().map(|id| key(*id)).collect());
        }
        let mut distinct: Vec<u32> = column.iter().copied().filter(|id| *id != UNBOUND).collect();
        distinct.sort_unstable();
        distinct.dedup();
        self.alive()?;
        let mut literal = None;
        let mut placed: Vec<(Place, Vec<u8>, u32)> = Vec::with_capacity(distinct.len());
        let mut others = 0;
        for id in distinct {
            let place = self.place(id);
            if place.class.is_literal() {
                if literal.is_some_and(|other| other != place.class) {
                    return Err(Stop::Unknown);
                }
                literal = Some(place.class);
                others += usize::from(place.class == Class::Other);
            }
            placed.push((place, self.with_bytes(id, <[u8]>::to_vec), id));
        }
        if others > 1 {
            return Err(Stop::Unknown);
        }
        placed.sort_by(|a, b| a.0.compare(&a.1, b.0, &b.1));
        let mut ranks: FxHashMap<u32, u64> = FxHashMap::default();
        let (mut rank, mut last) = (0, Place { class: Class::Blank, value: 0, zone: NO_ZONE });
        for (place, _, id) in placed {
            let same = place.class.has_value() && place.class == last.class && place.value == last.value;
            if !same {
                rank += 1;
            }
            last = place;
            ranks.insert(id, rank);
        }
        Ok(column.iter().map(|id| ranks.get(id).copied().unwrap_or(0)).collect())
    }
}
