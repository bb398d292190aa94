//! Rows in between, by columns of ids.

use std::borrow::Cow;

/// The id of nothing: an unbound variable.
pub(super) const UNBOUND: u32 = u32::MAX;

/// Rows whose values are ids.
#[derive(Debug, Clone, Default)]
pub(super) struct Table<'a> {
    /// The variables; a blank node of a pattern is one too, by its label with `_:`.
    pub(super) names: Vec<String>,
    /// One column a variable; what is read as it stands in the files stays there.
    pub(super) columns: Vec<Cow<'a, [u32]>>,
    /// How many rows there are, also when there is no column.
    pub(super) rows: usize,
    /// A column by which the rows are sorted.
    pub(super) sorted: Option<usize>,
}

impl<'a> Table<'a> {
    /// The table of one row without variables, which joins with everything.
    pub(super) fn unit() -> Self {
        Self { rows: 1, ..Self::default() }
    }

    /// The table of one variable with different values in the order of ids.
    pub(super) fn of(name: &str, ids: impl Into<Cow<'a, [u32]>>) -> Self {
        let ids = ids.into();
        Self { names: vec![name.to_owned()], rows: ids.len(), columns: vec![ids], sorted: Some(0) }
    }

    /// A table without rows that has variables.
    pub(super) fn empty(names: Vec<String>) -> Self {
        let columns = vec![Cow::default(); names.len()];
        Self { names, columns, rows: 0, sorted: None }
    }

    /// Returns the column of a variable.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// Returns a value; none when it is unbound or the column is not there.
    pub(super) fn get(&self, column: Option<usize>, row: usize) -> Option<u32> {
        let id = *self.columns.get(column?)?.get(row)?;
        (id != UNBOUND).then_some(id)
    }

    /// Adds a column.
    pub(super) fn push(&mut self, name: &str, column: impl Into<Cow<'a, [u32]>>) {
        self.names.push(name.to_owned());
        self.columns.push(column.into());
    }

    /// Keeps some rows, in ascending order and maybe several times.
    pub(super) fn gather(&mut self, rows: &[u32]) {
        for column in &mut self.columns {
            *column = rows.iter().map(|row| column[*row as usize]).collect();
        }
        self.rows = rows.len();
    }

    /// Keeps some columns.
    pub(super) fn prune(&mut self, is_wanted: impl Fn(&str) -> bool) {
        let mut at = 0;
        while let Some(name) = self.names.get(at) {
            if is_wanted(name) {
                at += 1;
                continue;
            }
            self.names.remove(at);
            self.columns.remove(at);
            self.sorted = match self.sorted {
                Some(sorted) if sorted == at => None,
                Some(sorted) if sorted > at => Some(sorted - 1),
                sorted => sorted,
            };
        }
    }

    /// Copies some rows from a place on.
    pub(super) fn part(&self, from: usize, rows: usize) -> Self {
        let range = from..from.saturating_add(rows).min(self.rows);
        let part = |column: &Cow<'a, [u32]>| match column {
            Cow::Borrowed(ids) => Cow::Borrowed(&ids[range.clone()]),
            Cow::Owned(ids) => Cow::Owned(ids[range.clone()].to_vec()),
        };
        let columns = self.columns.iter().map(part).collect();
        Self { names: self.names.clone(), columns, rows: range.len(), sorted: self.sorted }
    }

    /// Keeps the first rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        if rows < self.rows {
            for column in &mut self.columns {
                match column {
                    Cow::Borrowed(ids) => *ids = &ids[..rows],
                    Cow::Owned(ids) => ids.truncate(rows),
                }
            }
            self.rows = rows;
        }
    }

    /// Says whether a column has a value in every row.
    pub(super) fn is_bound(&self, column: usize) -> bool {
        !self.columns[column].contains(&UNBOUND)
    }

    /// Returns the variables that two tables share, as columns of the one and the other.
    pub(super) fn shared(&self, other: &Table<'_>) -> Vec<(usize, usize)> {
        let column = |(at, name): (usize, &String)| Some((at, other.column(name)?));
        self.names.iter().enumerate().filter_map(column).collect()
    }

    /// Returns the values of some columns of a row.
    pub(super) fn key(&self, columns: &[usize], row: usize) -> Vec<u32> {
        columns.iter().map(|column| self.columns[*column][row]).collect()
    }
}

/// Returns the different values of a column in the order of ids, the unbound one last.
pub(super) fn different(column: &[u32]) -> Vec<u32> {
    let bound = || column.iter().copied().filter(|id| *id != UNBOUND);
    let (Some(least), Some(greatest)) = (bound().min(), bound().max()) else {
        return column.first().copied().into_iter().collect();
    };
    let mut ids: Vec<u32>;
    if ((greatest - least) as usize) / 64 < column.len() {
        // With a bit for each that there could be, no sorting is needed.
        let mut words = vec![0_u64; (greatest - least) as usize / 64 + 1];
        bound().for_each(|id| words[(id - least) as usize / 64] |= 1 << ((id - least) % 64));
        ids = Vec::with_capacity(words.iter().map(|word| word.count_ones() as usize).sum::<usize>() + 1);
        for (at, mut word) in words.into_iter().enumerate() {
            while word != 0 {
                ids.push(least + at as u32 * 64 + word.trailing_zeros());
                word &= word - 1;
            }
        }
    } else {
        ids = bound().collect();
        ids.sort_unstable();
        ids.dedup();
    }
    if column.contains(&UNBOUND) {
        ids.push(UNBOUND);
    }
    ids
}

/// Takes away values that are equal to the one before; a column without any stays where it is.
pub(super) fn dedup(column: &mut Cow<'_, [u32]>) {
    let equal = column.iter().zip(column.iter().skip(1)).filter(|(one, next)| one == next).count();
    match column {
        _ if equal == 0 => {}
        Cow::Owned(ids) => ids.dedup(),
        Cow::Borrowed(ids) => {
            let mut different = Vec::with_capacity(ids.len() - equal);
            different.extend(ids.chunk_by(|one, next| one == next).filter_map(|run| run.first()));
            *column = different.into();
        }
    }
}

/// A set of ids with a bit for each that there could be.
pub(super) struct IdSet(Vec<u64>);

impl IdSet {
    /// Makes an empty set of ids below `end`.
    pub(super) fn new(end: usize) -> Self {
        Self(vec![0; end / 64 + 1])
    }

    /// Adds an id.
    pub(super) fn insert(&mut self, id: u32) {
        if let Some(word) = self.0.get_mut(id as usize / 64) {
            *word |= 1 << (id % 64);
        }
    }

    /// Says whether an id is in it.
    pub(super) fn contains(&self, id: u32) -> bool {
        self.0.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}
