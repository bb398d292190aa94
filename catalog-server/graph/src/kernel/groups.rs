//! Which group each row belongs to, for any number of keys, and what is counted once in a group.
//!
//! Ids that lie near to each other are numbered by a bit for each that there could be, and rows are brought together by counting
//! how many each group has: both pass over memory in order, where a hash table of millions waits for it at every row.

use rustc_hash::FxHashMap;

use super::places::Places;
use super::table::{UNBOUND, different};
use super::{Kernel, Outcome};

/// Groups up to which a hash table stays in the processor's nearer caches. Builds that are tested come to what is beyond, too.
const FEW_GROUPS: usize = if cfg!(debug_assertions) { 8 } else { 1 << 14 };

/// Values of a group up to which they are sorted rather than marked.
const FEW_VALUES: usize = if cfg!(debug_assertions) { 4 } else { 256 };

/// Pairs of groups up to which each has a place of its own.
const MOST_PAIRS: usize = if cfg!(debug_assertions) { 64 } else { 1 << 16 };

/// Which group each row belongs to, and each group's first row.
pub(super) struct Groups {
    pub(super) of: Vec<u32>,
    pub(super) first: Vec<u32>,
    pub(super) count: usize,
}

/// The rows of groups, those of one group together.
struct ByGroup {
    /// Where each group's rows begin, and where the last one's end.
    starts: Vec<usize>,
    rows: Vec<(u32, u32)>,
}

impl Groups {
    /// Everything is one group.
    pub(super) fn one(rows: usize) -> Self {
        Self { of: vec![0; rows], first: vec![0], count: 1 }
    }

    /// Brings the rows of each group together, in their order, with a value each.
    fn rows_with(&self, values: &[u32]) -> ByGroup {
        let mut starts = vec![0; self.count + 1];
        self.of.iter().for_each(|group| starts[*group as usize + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![(0, 0); self.of.len()];
        for (row, (group, value)) in self.of.iter().zip(values).enumerate() {
            let place = &mut next[*group as usize];
            rows[*place] = (row as u32, *value);
            *place += 1;
        }
        ByGroup { starts, rows }
    }
}

impl ByGroup {
    fn iter(&self) -> impl Iterator<Item = &[(u32, u32)]> {
        self.starts.windows(2).map(|ends| &self.rows[ends[0]..ends[1]])
    }
}

impl Kernel<'_> {
    /// Groups rows by the values of some columns; all rows are one group when there is none.
    pub(super) fn groups_of(&self, columns: &[&[u32]], rows: usize) -> Outcome<Groups> {
        let Some((first, rest)) = columns.split_first() else { return Ok(Groups::one(rows)) };
        let mut groups = self.groups_by(first)?;
        for column in rest {
            self.within(rows.saturating_mul(6))?;
            groups = self.combined_groups(&groups, &self.groups_by(column)?)?;
        }
        Ok(groups)
    }

    fn groups_by(&self, column: &[u32]) -> Outcome<Groups> {
        let mut known: FxHashMap<u32, u32> = FxHashMap::default();
        let (mut of, mut first) = (Vec::with_capacity(column.len()), Vec::new());
        let mut last = None;
        // Equal values of a sorted column are neighbours.
        let is_sorted = column.is_sorted();
        for (row, id) in column.iter().enumerate() {
            self.look(row, row + known.len() * 4)?;
            let group = match last {
                Some((value, group)) if value == *id => group,
                Some(_) if !is_sorted => *known.entry(*id).or_insert(first.len() as u32),
                _ => {
                    known.insert(*id, first.len() as u32);
                    first.len() as u32
                }
            };
            if group as usize == first.len() {
                first.push(row as u32);
                if first.len() > FEW_GROUPS && !is_sorted {
                    return self.groups_by_place(column);
                }
            }
            last = Some((*id, group));
            of.push(group);
        }
        let count = first.len();
        Ok(Groups { of, first, count })
    }

    /// Groups rows by a column of very many values, numbered in the order of ids.
    fn groups_by_place(&self, column: &[u32]) -> Outcome<Groups> {
        let ids = different(column);
        self.within(column.len().saturating_add(ids.len() * 2))?;
        let bound = ids.len() - usize::from(ids.last() == Some(&UNBOUND));
        let places = Places::of(&ids[..bound]);
        let place = |id: u32| match &places {
            _ if id == UNBOUND => bound,
            Some(places) => places.find(id).unwrap_or(bound),
            None => ids[..bound].binary_search(&id).unwrap_or(bound),
        };
        let of: Vec<u32> = column.iter().map(|id| place(*id) as u32).collect();
        let mut first = vec![UNBOUND; ids.len()];
        for (row, group) in of.iter().enumerate() {
            let first = &mut first[*group as usize];
            *first = (*first).min(row as u32);
        }
        self.alive()?;
        Ok(Groups { of, count: first.len(), first })
    }

    /// Groups rows that are in the same group of both.
    fn combined_groups(&self, one: &Groups, other: &Groups) -> Outcome<Groups> {
        if one.count == 1 {
            return Ok(Groups { of: other.of.clone(), first: other.first.clone(), count: other.count });
        }
        if one.count.saturating_mul(other.count) <= MOST_PAIRS.min(one.of.len()) {
            return self.groups_of_pairs(one, other);
        }
        let (mut of, mut first) = (vec![0; one.of.len()], Vec::new());
        // Which group of the one each group of the other was met in last, and what both together are.
        let mut met = vec![(UNBOUND, 0); other.count];
        let mut done = 0;
        for (group, rows) in one.rows_with(&other.of).iter().enumerate() {
            for (row, with) in rows {
                let met = &mut met[*with as usize];
                if met.0 != group as u32 {
                    *met = (group as u32, first.len() as u32);
                    first.push(*row);
                }
                of[*row as usize] = met.1;
                self.look(done, of.len() * 4)?;
                done += 1;
            }
        }
        Ok(Groups { of, count: first.len(), first })
    }

    /// Groups rows that are in the same group of both, with a place for each pair that there could be.
    fn groups_of_pairs(&self, one: &Groups, other: &Groups) -> Outcome<Groups> {
        let (mut of, mut first) = (Vec::with_capacity(one.of.len()), Vec::new());
        let mut pairs = vec![UNBOUND; one.count * other.count];
        for (row, (a, b)) in one.of.iter().zip(&other.of).enumerate() {
            self.look(row, of.len() * 4)?;
            let pair = &mut pairs[*a as usize * other.count + *b as usize];
            if *pair == UNBOUND {
                *pair = first.len() as u32;
                first.push(row as u32);
            }
            of.push(*pair);
        }
        Ok(Groups { of, count: first.len(), first })
    }

    /// Counts the different values that each group has in a column; unbound ones are none.
    pub(super) fn different_in(&self, groups: &Groups, column: &[u32]) -> Outcome<Vec<i64>> {
        let mut counts = vec![0_i64; groups.count];
        if column.is_sorted() {
            // Equal values are neighbours, so the last one of each group is enough.
            let mut last = vec![UNBOUND; groups.count];
            for (group, id) in groups.of.iter().zip(column).filter(|(_, id)| **id != UNBOUND) {
                let last = &mut last[*group as usize];
                if last != id {
                    *last = *id;
                    counts[*group as usize] += 1;
                }
            }
            return Ok(counts);
        }
        self.within(column.len().saturating_mul(3))?;
        let Some(greatest) = column.iter().filter(|id| **id != UNBOUND).max() else { return Ok(counts) };
        let mut met: Vec<u64> = Vec::new();
        let mut ids = Vec::new();
        for (group, rows) in groups.rows_with(column).iter().enumerate() {
            self.look(group, 0)?;
            ids.clear();
            ids.extend(rows.iter().map(|(_, id)| *id).filter(|id| *id != UNBOUND));
            if ids.is_sorted() || ids.len() < FEW_VALUES {
                ids.sort_unstable();
                ids.dedup();
                counts[group] = ids.len() as i64;
                continue;
            }
            // A bit for each id, taken back afterwards.
            met.resize(*greatest as usize / 64 + 1, 0);
            for id in &ids {
                let (word, bit) = (&mut met[*id as usize / 64], 1_u64 << (id % 64));
                counts[group] += i64::from(*word & bit == 0);
                *word |= bit;
            }
            ids.iter().for_each(|id| met[*id as usize / 64] = 0);
            self.alive()?;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;

    #[test]
    fn rows_of_a_group_come_together_in_their_order() {
        let groups = Groups { of: vec![2, 0, 1, 0, 2, 2], first: vec![1, 2, 0], count: 3 };
        let rows = groups.rows_with(&[10, 11, 12, 13, 14, 15]);
        let rows: Vec<Vec<(u32, u32)>> = rows.iter().map(<[_]>::to_vec).collect();
        assert_eq!(rows, [vec![(1, 11), (3, 13)], vec![(2, 12)], vec![(0, 10), (4, 14), (5, 15)]]);
    }
}
