//! Pages that lead in circles are found out.

use std::collections::HashSet;

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
}

/// Empty pages in a row that still lead on; some servers filter after paging.
const EMPTY: u32 = 20;

impl Paging {
    pub(crate) fn new() -> Self {
        Self::default()
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        let mut paging = Paging::new();
        assert!(paging.page("a", "1", false).is_ok() && paging.page("b", "2", false).is_ok());
        assert_eq!(paging.page("a", "3", false).unwrap_err().code, "paging.loop");
        assert_eq!(paging.page("c", "2", false).unwrap_err().code, "paging.loop");
        let mut paging = Paging::new();
        let found = (0..100).find_map(|number| paging.page(&number.to_string(), "", true).err());
        assert_eq!(found.unwrap().code, "paging.loop");
    }
}
