//! Where each key of a sorted column begins, by a bit for each id that there could be: a fraction of what a hash table takes, so
//! that it stays in the processor's caches, and made in one pass.

/// The places of keys.
pub(super) struct Places {
    /// The least key.
    least: u32,
    /// 64 ids a word, and how many keys come before them.
    words: Vec<(u64, u32)>,
    /// Where each key begins; empty when no key comes twice, as its number is its place then.
    starts: Vec<u32>,
}

impl Places {
    /// Finds the places of keys, when these are so near to each other that it is worth it.
    pub(super) fn of(keys: &[u32]) -> Option<Self> {
        let (least, greatest) = (*keys.first()?, *keys.last()?);
        let span = (greatest - least) as usize / 64 + 1;
        if span > keys.len() {
            return None;
        }
        let mut words = vec![(0_u64, 0_u32); span];
        let mut starts = Vec::new();
        let (mut last, mut count) = (None, 0);
        for (place, key) in keys.iter().enumerate() {
            if last == Some(*key) {
                if starts.is_empty() {
                    // The first key that comes again.
                    starts.reserve(keys.len() / 2);
                    starts.extend(0..count);
                }
                continue;
            }
            last = Some(*key);
            let at = key - least;
            words[at as usize / 64].0 |= 1 << (at % 64);
            if !starts.is_empty() {
                starts.push(place as u32);
            }
            count += 1;
        }
        let mut before = 0;
        for (bits, rank) in &mut words {
            *rank = before;
            before += bits.count_ones();
        }
        Some(Self { least, words, starts })
    }

    /// Returns where a key begins.
    pub(super) fn find(&self, key: u32) -> Option<usize> {
        let at = key.checked_sub(self.least)?;
        let (bits, before) = *self.words.get(at as usize / 64)?;
        let bit = 1_u64 << (at % 64);
        if bits & bit == 0 {
            return None;
        }
        let number = (before + (bits & (bit - 1)).count_ones()) as usize;
        if self.starts.is_empty() { Some(number) } else { self.starts.get(number).map(|start| *start as usize) }
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn keys_are_found_where_they_begin() {
        for keys in [&[7][..], &[3, 4, 9, 63, 64, 65, 127, 128, 200], &[5, 5, 5], &[1, 2, 2, 2, 70, 70, 71, 300]] {
            let Some(places) = Places::of(keys) else {
                assert!(keys.len() < 6);
                continue;
            };
            for key in 0..400 {
                assert_eq!(places.find(key), keys.iter().position(|other| *other == key), "{key} of {keys:?}");
            }
        }
        assert!(Places::of(&[]).is_none());
        assert!(Places::of(&[0, u32::MAX]).is_none());
    }
}
