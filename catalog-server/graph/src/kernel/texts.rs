//! Comparisons of the texts of two variables over many rows: each text is read once, and rows compare numbers.

use spargebra::algebra::{Expression, Function};

use super::pattern::MANY;
use super::places::Places;
use super::table::{Table, UNBOUND, different};
use super::{Kernel, Outcome};
use crate::storage::term::Class;

impl Kernel<'_> {
    /// Finds the rows for which `STR(?a) < STR(?b)`, or another comparison of these, holds; nothing when that is not what is asked, or
    /// when there are as many texts as rows.
    pub(super) fn rows_by_texts(&self, table: &Table<'_>, expression: &Expression) -> Outcome<Option<Vec<u32>>> {
        let Some((a, b, holds)) = compared(expression) else { return Ok(None) };
        let (Some(a), Some(b)) = (table.column(a), table.column(b)) else { return Ok(None) };
        let (a, b) = (&table.columns[a], &table.columns[b]);
        if table.rows <= MANY {
            return Ok(None);
        }
        let mut ids = different(a);
        ids.extend(different(b));
        ids.sort_unstable();
        ids.dedup();
        let is_text = |id: &u32| *id != UNBOUND && matches!(self.class(*id), Class::Iri | Class::Text);
        if ids.len() * 4 > table.rows || !ids.iter().all(is_text) {
            return Ok(None);
        }
        self.within(table.rows)?;
        let texts: Vec<_> = ids.iter().map(|id| self.lexical(*id)).collect();
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by(|a, b| texts[*a].cmp(&texts[*b]));
        let (mut ranks, mut rank) = (vec![0_u32; ids.len()], 0);
        for pair in order.windows(2) {
            rank += u32::from(texts[pair[0]] != texts[pair[1]]);
            ranks[pair[1]] = rank;
        }
        let places = Places::of(&ids);
        let rank = |id: &u32| match &places {
            Some(places) => places.find(*id).map(|at| ranks[at]),
            None => ids.binary_search(id).ok().map(|at| ranks[at]),
        };
        let mut rows = Vec::new();
        for (row, (a, b)) in a.iter().zip(b.iter()).enumerate() {
            self.look(row, rows.len())?;
            if holds(rank(a).cmp(&rank(b))) {
                rows.push(row as u32);
            }
        }
        Ok(Some(rows))
    }
}

/// For which orders of two texts a comparison holds.
type Holds = fn(std::cmp::Ordering) -> bool;

/// Returns the variables whose texts are compared, and for which orders the comparison holds.
fn compared(expression: &Expression) -> Option<(&str, &str, Holds)> {
    let (a, b, holds): (_, _, Holds) = match expression {
        Expression::Less(a, b) => (a, b, std::cmp::Ordering::is_lt),
        Expression::LessOrEqual(a, b) => (a, b, std::cmp::Ordering::is_le),
        Expression::Greater(a, b) => (a, b, std::cmp::Ordering::is_gt),
        Expression::GreaterOrEqual(a, b) => (a, b, std::cmp::Ordering::is_ge),
        Expression::Equal(a, b) => (a, b, std::cmp::Ordering::is_eq),
        Expression::Not(inner) => match &**inner {
            Expression::Equal(a, b) => (a, b, std::cmp::Ordering::is_ne),
            _ => return None,
        },
        _ => return None,
    };
    Some((text_of(a)?, text_of(b)?, holds))
}

/// Returns the variable whose text an expression is.
fn text_of(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::FunctionCall(Function::Str, list) => match list.as_slice() {
            [Expression::Variable(variable)] => Some(variable.as_str()),
            _ => None,
        },
        _ => None,
    }
}
