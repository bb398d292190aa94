//! What every code of a problem or finding means and what to do about it: one table, which the pages `/problems/{code}` show.

use std::sync::LazyLock;

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The code, such as `term.unknown`.
    pub code: &'static str,
    /// What it means, in one or two sentences.
    pub meaning: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

static MEANINGS: LazyLock<Vec<Meaning>> = LazyLock::new(|| {
    let rows = include_str!("problems.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| {
        let mut parts = row.split('\t');
        Some(Meaning { code: parts.next()?, meaning: parts.next()?, fix: parts.next()? })
    })
    .collect()
});

/// Returns what every code means, by code.
pub fn meanings() -> &'static [Meaning] {
    &MEANINGS
}

/// Returns what a code means.
pub fn meaning(code: &str) -> Option<Meaning> {
    MEANINGS.binary_search_by(|row| row.code.cmp(code)).ok().map(|at| MEANINGS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_in_order() {
        let rows = include_str!("problems.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(meanings().len(), rows, "every row has a code, a meaning and a fix");
        assert!(meanings().is_sorted_by(|one, other| one.code < other.code), "by code, each once");
        for row in meanings() {
            assert!(row.meaning.ends_with(['.', '?']) && row.fix.ends_with('.'), "{}", row.code);
            assert_eq!(meaning(row.code), Some(*row));
        }
        assert_eq!(meaning("term.unknow"), None);
    }
}
