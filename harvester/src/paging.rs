//! Pages that lead in circles are found out, and lists that give less than they say they have.

use std::collections::HashSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::source::Trouble;

/// What is known of the pages of a list.
#[derive(Debug, Default)]
pub(crate) struct Paging {
    /// Where pages were asked for: addresses or tokens.
    asked: HashSet<[u8; 32]>,
    /// What they said.
    said: HashSet<[u8; 32]>,
    empty: u32,
    /// Pages in a row that say only what was said before.
    stale: u32,
    /// How many records the list says it has, and whether that became less while it was read.
    total: Option<u64>,
    shrank: Option<(u64, u64)>,
    read: u64,
}

/// Empty pages in a row that still lead on; some servers filter after paging.
const EMPTY: u32 = 20;
/// Pages in a row that repeat records of pages before; a list that moves while it is read may repeat a few.
const STALE: u32 = 3;

impl Paging {
    /// Begins where an earlier run was interrupted, at what [`Self::so_far`] said there.
    pub(crate) fn from(so_far: &Value) -> Self {
        let number = |key: &str| so_far.get(key).and_then(Value::as_u64);
        let shrank = number("had").zip(number("has"));
        Self { read: number("read").unwrap_or_default(), total: number("total"), shrank, ..Self::default() }
    }

    /// Says how much of the list was read. Which pages were seen is not kept: a circle is found again in its next round.
    pub(crate) fn so_far(&self) -> Value {
        json!({ "read": self.read, "total": self.total, "had": self.shrank.map(|it| it.0), "has": self.shrank.map(|it| it.1) })
    }

    /// Notes a page by where it was asked for and what it says.
    ///
    /// # Errors
    ///
    /// `paging.loop` when it was asked for before, says what another page said, or too many in a row say nothing.
    pub(crate) fn page(&mut self, place: &str, content: &str, is_empty: bool) -> Result<(), Trouble> {
        let hash = |text: &str| -> [u8; 32] { Sha256::digest(text.as_bytes()).into() };
        let shown: String = place.chars().take(200).collect();
        if !self.asked.insert(hash(place)) {
            return Err(Trouble::lasting("paging.loop", format!("the pages lead back to `{shown}`")));
        }
        if is_empty {
            self.empty += 1;
            if self.empty > EMPTY {
                let message = format!("more than {EMPTY} empty pages in a row lead on, the last is `{shown}`");
                return Err(Trouble::lasting("paging.loop", message));
            }
            return Ok(());
        }
        self.empty = 0;
        if !self.said.insert(hash(content)) {
            let message = format!("the page `{shown}` says what a page before it said");
            return Err(Trouble::lasting("paging.loop", message));
        }
        Ok(())
    }

    /// Notes how many records of a page are new and how many were there before.
    ///
    /// # Errors
    ///
    /// `paging.loop` when too many pages in a row have nothing new, however different they look.
    pub(crate) fn news(&mut self, place: &str, fresh: u64, repeated: u64) -> Result<(), Trouble> {
        self.stale = if fresh == 0 && repeated > 0 { self.stale + 1 } else { 0 };
        if self.stale < STALE {
            return Ok(());
        }
        let shown: String = place.chars().take(200).collect();
        let message = format!("{STALE} pages in a row say nothing new, the last is `{shown}`");
        Err(Trouble::lasting("paging.loop", message))
    }

    /// Notes how many records a page has, and how many the list says there are altogether.
    pub(crate) fn count(&mut self, here: u64, total: Option<u64>) {
        self.read += here;
        if let (Some(before), Some(total)) = (self.total, total)
            && total < before
        {
            self.shrank = Some((before, total));
        }
        self.total = total.or(self.total);
    }

    /// Says what is missing of a list that came to its end.
    pub(crate) fn shortfall(&self, place: &str) -> Option<Trouble> {
        let total = self.total?;
        if self.read < total {
            let message = format!("`{place}` says that it has {total} records and gave {}", self.read);
            return Some(Trouble::passing("list.short", message));
        }
        // With pages by offset, what moves up when something before it goes is on no page at all.
        let (before, after) = self.shrank?;
        let message = format!("`{place}` changed while it was read: it had {before} records, then {after}");
        Some(Trouble::passing("list.moved", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        let mut paging = Paging::default();
        assert!(paging.page("a", "1", false).is_ok() && paging.page("b", "2", false).is_ok());
        assert_eq!(paging.page("a", "3", false).unwrap_err().code, "paging.loop");
        assert_eq!(paging.page("c", "2", false).unwrap_err().code, "paging.loop");
        let mut paging = Paging::default();
        let found = (0..100).find_map(|number| paging.page(&number.to_string(), "", true).err());
        assert_eq!(found.unwrap().code, "paging.loop");
        let mut paging = Paging::default();
        assert!(paging.news("a", 5, 0).is_ok() && paging.news("b", 0, 1).is_ok() && paging.news("c", 1, 4).is_ok());
        assert!((0..3).find_map(|_| paging.news("d", 0, 5).err()).is_some());
    }

    #[test]
    fn lists_that_give_less_than_they_say_are_found() {
        for (pages, expected) in [
            (vec![(2, Some(4)), (2, Some(4))], None),
            (vec![(2, None), (2, None)], None),
            (vec![(2, Some(5)), (2, None)], Some("list.short")),
            (vec![(2, Some(4)), (1, Some(3))], Some("list.moved")),
            (vec![(2, Some(3)), (2, Some(4))], None),
        ] {
            let mut paging = Paging::default();
            pages.iter().for_each(|(here, total)| paging.count(*here, *total));
            let found = paging.shortfall("x").map(|trouble| trouble.code);
            assert_eq!(found.as_deref(), expected, "{pages:?}");
        }
    }
}
