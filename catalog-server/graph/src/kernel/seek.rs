//! Where ids begin in a sorted column that is too large for the processor's caches.
//!
//! When some of a column's keys are looked for, every step of a search waits for memory. So every 64th key is read first, one
//! after the other, which the caches hold then; between two of them the place of an id is guessed, and the guesses of a block of
//! ids are read all at once, as no reading waits for another. A guess decides how long a search takes and never what it finds.

use std::hint::black_box;

use crate::storage::view::gallop;

/// Ids that are looked for together: as many as the processor waits for at once, a few times over.
pub(super) const BLOCK: usize = 64;

/// Keys from one of those that are read first to the next.
const STRIDE: usize = 64;

/// Keys an id from which on the id's place is no longer next to what was read before it.
const MOST: usize = 32;

/// Keys an id up to which reading the samples costs less than what it saves.
const LEAST: usize = 1024;

/// Keys up to which the caches hold them anyway. Builds that are tested come to what is beyond, too.
const MANY: usize = if cfg!(debug_assertions) { 128 } else { 1 << 16 };

/// Takes the places of ids.
pub(super) trait Take<E> {
    /// Takes the place of an id with its number.
    fn one(&mut self, at: usize, id: u32, place: usize) -> Result<(), E>;

    /// Takes [`BLOCK`] ids at once, which are as many keys and each there once, by the number and the place of the first.
    fn block(&mut self, from: usize, place: usize) -> Result<(), E>;
}

/// Looks for ids in a sorted column, ascending ones from the place of the one before.
pub(super) struct Seeker<'k> {
    keys: &'k [u32],
    values: &'k [u32],
    /// Every [`STRIDE`]th key; empty when there are so few or so many ids that this does not pay.
    samples: Vec<u32>,
    /// Where the last id was looked for, among the samples where there are some, and what it was.
    position: usize,
    last: u32,
}

impl<'k> Seeker<'k> {
    /// Begins before the first key, to look for a number of ids; the values are read beside the keys.
    pub(super) fn new(keys: &'k [u32], values: &'k [u32], ids: usize) -> Self {
        let pays = keys.len() > MANY && (keys.len() / LEAST..keys.len() / MOST).contains(&ids);
        let samples = if pays { keys.iter().copied().step_by(STRIDE).collect() } else { Vec::new() };
        Self { keys, values, samples, position: 0, last: 0 }
    }

    /// Finds where each id begins: the first place whose key is not below it. The ids are in any order.
    pub(super) fn each<E>(mut self, ids: &[u32], into: &mut impl Take<E>) -> Result<(), E> {
        if self.samples.is_empty() {
            for (block, ids) in ids.chunks(BLOCK).enumerate() {
                let from = block * BLOCK;
                let Some(first) = ids.first() else { continue };
                let place = self.next(self.keys, *first);
                if is_alike(ids, &self.keys[place..]) {
                    into.block(from, place)?;
                    (self.position, self.last) = (place + BLOCK - 1, ids[BLOCK - 1]);
                    continue;
                }
                for (at, id) in ids.iter().enumerate() {
                    let place = self.next(self.keys, *id);
                    into.one(from + at, *id, place)?;
                }
            }
            return Ok(());
        }
        let samples = std::mem::take(&mut self.samples);
        let mut places = [0; BLOCK];
        for (block, ids) in ids.chunks(BLOCK).enumerate() {
            let mut read = 0;
            for (id, place) in ids.iter().zip(&mut places) {
                *place = guess(&samples, self.next(&samples, *id), *id).min(self.keys.len() - 1);
                read ^= self.keys[*place];
            }
            for (id, place) in ids.iter().zip(&mut places) {
                *place = around(self.keys, *place, *id);
            }
            for place in places.iter().take(ids.len()) {
                read ^= self.values.get(*place).copied().unwrap_or_default();
            }
            black_box(read);
            let found = ids.iter().zip(places).enumerate();
            found.into_iter().try_for_each(|(at, (id, place))| into.one(block * BLOCK + at, *id, place))?;
        }
        Ok(())
    }

    /// Finds the first place of a sorted column that is not below an id, from the place of the last id on.
    #[inline]
    fn next(&mut self, sorted: &[u32], id: u32) -> usize {
        self.position = match id < self.last {
            true => sorted[..self.position].partition_point(|key| *key < id),
            false => gallop(sorted, self.position, id),
        };
        self.last = id;
        self.position
    }
}

/// Says whether a block of ids is that of the first keys, each there once.
fn is_alike(ids: &[u32], keys: &[u32]) -> bool {
    ids.len() == BLOCK
        && keys.get(..BLOCK) == Some(ids)
        && keys.get(BLOCK) != ids.last()
        && ids.windows(2).all(|two| two[0] < two[1])
}

/// Guesses the place of an id whose first sample not below it is known, as if the keys between two samples were evenly spread.
fn guess(samples: &[u32], sample: usize, id: u32) -> usize {
    let Some(before) = sample.checked_sub(1) else { return 0 };
    let low = samples[before];
    let share = match samples.get(sample) {
        // A damaged column may be in no order.
        Some(high) => u64::from(id.saturating_sub(low)) * STRIDE as u64 / u64::from(high.saturating_sub(low).max(1)),
        None => 0,
    };
    before * STRIDE + share as usize
}

/// Returns the first place whose key is not below an id, looked for around a place.
fn around(keys: &[u32], place: usize, id: u32) -> usize {
    if keys.get(place).is_some_and(|key| *key < id) {
        return gallop(keys, place, id);
    }
    // Back by doubling steps to a key that is below.
    let (mut high, mut step) = (place, 1);
    while step <= high && keys[high - step] >= id {
        high -= step;
        step *= 2;
    }
    let low = high.saturating_sub(step);
    low + keys[low..high].partition_point(|key| *key < id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BLOCK, Seeker, Take, around};

    /// What is said of each id; that of a block is not said by name.
    struct Found<'k>(Vec<Option<(u32, usize)>>, &'k [u32]);

    impl Take<()> for Found<'_> {
        fn one(&mut self, at: usize, id: u32, place: usize) -> Result<(), ()> {
            self.0[at] = Some((id, place));
            Ok(())
        }

        fn block(&mut self, from: usize, place: usize) -> Result<(), ()> {
            (0..BLOCK).for_each(|at| self.0[from + at] = Some((self.1[place + at], place + at)));
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn every_id_is_found_where_it_begins(
            mut keys in proptest::collection::vec(0_u32..5_000_000, 0..2000),
            dense in proptest::collection::vec(0_u32..300, 0..2000),
            mut ids in proptest::collection::vec(0_u32..5_000_100, 0..500),
            is_sorted in any::<bool>(),
            skipped in 0_usize..100,
            taken in 0_usize..500,
        ) {
            keys.extend(dense);
            keys.sort_unstable();
            ids.extend((0..300).step_by(7));
            ids.extend(keys.iter().skip(skipped).take(taken).copied());
            if is_sorted {
                ids.sort_unstable();
            }
            let seeker = Seeker::new(&keys, &keys, ids.len());
            let mut found = Found(vec![None; ids.len()], &keys);
            prop_assert!(seeker.each(&ids, &mut found).is_ok());
            for (id, found) in ids.iter().zip(found.0) {
                prop_assert_eq!(found, Some((*id, keys.partition_point(|key| key < id))));
            }
            for (at, id) in ids.iter().enumerate() {
                prop_assert_eq!(around(&keys, at % (keys.len() + 1), *id), keys.partition_point(|key| key < id));
            }
        }
    }
}
