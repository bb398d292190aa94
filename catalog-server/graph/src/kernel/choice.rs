//! IF and COALESCE as values of BIND, of keys and of what is aggregated.

use spargebra::algebra::Expression;

use super::expression::Compiled;
use super::range::Condition;
use super::table::{Table, UNBOUND};
use super::{Kernel, Outcome, Stop};

/// What is chosen from, compiled for a table.
enum Choice {
    /// A term as it is.
    Term(u32),
    /// A column; none when the table does not have the variable.
    Column(Option<usize>),
    If(Test, Box<Choice>, Box<Choice>),
    Coalesce(Vec<Choice>),
    /// A value that is made.
    Made(Compiled),
}

/// A condition; a comparison of one column with constants is read off its ids.
struct Test {
    compiled: Compiled,
    of_ids: Option<(usize, Condition)>,
}

impl Kernel<'_> {
    /// Evaluates an IF or COALESCE for every row.
    ///
    /// spareval keeps terms as they are when all that is chosen from are variables and constants, and else writes each
    /// anew: `01` becomes `1`. What that would change is left to it.
    pub(super) fn chosen(&self, table: &Table<'_>, expression: &Expression) -> Outcome<Vec<u32>> {
        let mut is_made = false;
        let choice = self.choice(table, expression, &mut is_made)?;
        let mut column = Vec::with_capacity(table.rows);
        for row in 0..table.rows {
            self.look(row, row)?;
            column.push(self.choose(&choice, table, row, is_made)?);
        }
        Ok(column)
    }

    fn choice(&self, table: &Table<'_>, expression: &Expression, is_made: &mut bool) -> Outcome<Choice> {
        Ok(match expression {
            Expression::NamedNode(node) => Choice::Term(self.intern_term(&node.clone().into())),
            Expression::Literal(literal) => Choice::Term(self.intern_term(&literal.clone().into())),
            Expression::Variable(variable) => Choice::Column(table.column(variable.as_str())),
            Expression::If(test, yes, no) => {
                let (yes, no) = (self.choice(table, yes, is_made)?, self.choice(table, no, is_made)?);
                Choice::If(self.test(table, test)?, Box::new(yes), Box::new(no))
            }
            Expression::Coalesce(list) => {
                let list = list.iter().map(|one| self.choice(table, one, is_made));
                Choice::Coalesce(list.collect::<Outcome<_>>()?)
            }
            other => {
                *is_made = true;
                Choice::Made(self.compile(other, table)?)
            }
        })
    }

    fn test(&self, table: &Table<'_>, expression: &Expression) -> Outcome<Test> {
        let mut variables = Vec::new();
        super::expression::variables_of(expression, &mut variables)?;
        let of_ids = match variables.as_slice() {
            [only] => table.column(only.as_str()).zip(self.condition(expression, only)),
            _ => None,
        };
        Ok(Test { compiled: self.compile_condition(expression, table)?, of_ids })
    }

    fn passes(&self, test: &Test, table: &Table<'_>, row: usize) -> Outcome<Option<bool>> {
        if let Some((column, condition)) = &test.of_ids {
            let id = table.columns[*column][row];
            if (id as usize) < self.view.base.terms() && !condition.unsure.contains(id) {
                return Ok(condition.says(id));
            }
        }
        Ok(self.evaluate(&test.compiled, table, row)?.and_then(|value| value.effective_boolean_value()))
    }

    /// Returns the id of what a row chooses; unbound when that is an error.
    fn choose(&self, choice: &Choice, table: &Table<'_>, row: usize, is_made: bool) -> Outcome<u32> {
        let kept = |id: u32| if is_made && self.rewritten(id) != id { Err(Stop::Unknown) } else { Ok(id) };
        match choice {
            Choice::Term(id) => kept(*id),
            Choice::Column(column) => kept(table.get(*column, row).unwrap_or(UNBOUND)),
            Choice::If(test, yes, no) => match self.passes(test, table, row)? {
                Some(true) => self.choose(yes, table, row, is_made),
                Some(false) => self.choose(no, table, row, is_made),
                None => Ok(UNBOUND),
            },
            Choice::Coalesce(list) => {
                for one in list {
                    let id = self.choose(one, table, row, is_made)?;
                    if id != UNBOUND {
                        return Ok(id);
                    }
                }
                Ok(UNBOUND)
            }
            Choice::Made(compiled) => {
                Ok(self.evaluate(compiled, table, row)?.map_or(UNBOUND, |value| self.intern(value)))
            }
        }
    }
}
