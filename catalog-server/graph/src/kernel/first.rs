//! ORDER BY with LIMIT where the first key is a date or a number that a triple binds: only rows with the first of these are made.

use spargebra::algebra::{Expression, GraphPattern, OrderExpression};
use spargebra::term::{NamedNodePattern, TermPattern};

use oxigraph::model::{Term, Variable};

use super::pattern::{Conjunction, collect};
use super::table::Table;
use super::wanted::Wanted;
use super::{Kernel, Outcome};
use crate::storage::term::Class;

/// Classes whose terms are all ordered among each other, also by `<`.
const ORDERED: [Class; 5] =
    [Class::Number, Class::DateTimeZoned, Class::DateTimeLocal, Class::DateZoned, Class::DateLocal];

/// How many times more triples are taken than rows are needed; and how many times more when these were too few.
const MORE: usize = 8;

impl Kernel<'_> {
    /// Evaluates as much of a pattern as its first rows in an order need; nothing when all of it has to be.
    ///
    /// The pattern is evaluated with a condition on the first key, which is met by some of the first values. Every row that
    /// is left out comes after every row that is there, so when these are enough, they are the first ones.
    pub(super) fn first_rows(
        &self,
        pattern: &GraphPattern,
        order: &[OrderExpression],
        most: usize,
        wanted: &Wanted,
    ) -> Outcome<Option<Table>> {
        let Some((variable, descending, predicate)) = self.first_key(pattern, order) else { return Ok(None) };
        let objects = self.graph().objects_of_generation(predicate);
        if most == 0 {
            return Ok(None);
        }
        let mut take = most.saturating_mul(MORE);
        while take.saturating_mul(4) < objects.len() {
            let last = if descending { objects[objects.len() - take] } else { objects[take - 1] };
            let Term::Literal(last) = self.view.term(last) else { return Ok(None) };
            let (key, last) = (Box::new(variable.clone().into()), Box::new(last.into()));
            let condition = match descending {
                true => Expression::GreaterOrEqual(key, last),
                false => Expression::LessOrEqual(key, last),
            };
            let table = self.part(&restricted(pattern, &condition), None, wanted)?;
            if table.rows >= most {
                return self.order(table, order, Some(most)).map(Some);
            }
            take = take.saturating_mul(2 * MORE);
        }
        Ok(None)
    }

    /// Finds the variable that comes first in an order, whether it descends, and a predicate of which it is always an object,
    /// when these have one order.
    pub(super) fn first_key<'o>(
        &self,
        pattern: &GraphPattern,
        order: &'o [OrderExpression],
    ) -> Option<(&'o Variable, bool, u32)> {
        let (variable, descending) = match order.first()? {
            OrderExpression::Asc(Expression::Variable(variable)) => (variable, false),
            OrderExpression::Desc(Expression::Variable(variable)) => (variable, true),
            _ => return None,
        };
        let predicate = self.binds(pattern, variable)?;
        self.is_ordered(predicate).then_some((variable, descending, predicate))
    }

    /// Evaluates as many groups, and what is made of them, as the first rows in an order need; nothing when all are needed.
    pub(super) fn first_grouped(
        &self,
        pattern: &GraphPattern,
        order: &[OrderExpression],
        most: usize,
    ) -> Outcome<Option<Table>> {
        match pattern {
            GraphPattern::Group { inner, variables, aggregates } => match self.tally(inner, variables, aggregates)? {
                None => self.first_groups((inner, variables, aggregates), order, most),
                table => Ok(table),
            },
            GraphPattern::Extend { inner, variable, expression } => match self.first_grouped(inner, order, most)? {
                Some(table) => self.extend(table, variable, expression).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Finds a predicate of which the variable is always an object.
    fn binds(&self, pattern: &GraphPattern, variable: &Variable) -> Option<u32> {
        match pattern {
            GraphPattern::LeftJoin { left, .. } | GraphPattern::Minus { left, .. } => self.binds(left, variable),
            GraphPattern::Filter { inner, .. } => self.binds(inner, variable),
            GraphPattern::Extend { inner, variable: other, .. } if other != variable => self.binds(inner, variable),
            GraphPattern::Bgp { .. } | GraphPattern::Join { .. } => {
                let mut conjunction = Conjunction::default();
                collect(pattern, &mut conjunction);
                conjunction.triples.iter().find_map(|triple| match (&triple.predicate, &triple.object) {
                    (NamedNodePattern::NamedNode(predicate), TermPattern::Variable(object)) if object == variable => {
                        self.view.find(predicate.as_ref().into())
                    }
                    _ => None,
                })
            }
            _ => None,
        }
    }

    /// Says whether the objects of a predicate have one order: whether they are of one class that has one.
    fn is_ordered(&self, predicate: u32) -> bool {
        let (graph, base) = (self.graph(), &self.view.base);
        let Some(first) = graph.objects_of_generation(predicate).first() else { return false };
        let class = base.class(*first);
        let terms = base.terms() as u32;
        let count = |range| graph.count_between(predicate, &range);
        let (new, _) = graph.by_object_between(predicate, &(terms..u32::MAX));
        ORDERED.contains(&class)
            && count(base.class_ids(class)) == count(0..terms)
            && new.iter().all(|id| self.class(*id) == class)
    }
}

/// Puts a condition into a pattern, as near to the triples as its other parts allow.
fn restricted(pattern: &GraphPattern, condition: &Expression) -> GraphPattern {
    let inside = |inner: &GraphPattern| Box::new(restricted(inner, condition));
    match pattern {
        GraphPattern::Extend { inner, variable, expression } => {
            GraphPattern::Extend { inner: inside(inner), variable: variable.clone(), expression: expression.clone() }
        }
        GraphPattern::Minus { left, right } => GraphPattern::Minus { left: inside(left), right: right.clone() },
        GraphPattern::Filter { expr, inner } if !matches!(**inner, GraphPattern::LeftJoin { .. }) => {
            GraphPattern::Filter { expr: expr.clone(), inner: inside(inner) }
        }
        // Both go into the optional part's left side.
        GraphPattern::Filter { expr, inner } => GraphPattern::Filter {
            expr: Expression::And(Box::new(condition.clone()), Box::new(expr.clone())),
            inner: inner.clone(),
        },
        other => GraphPattern::Filter { expr: condition.clone(), inner: Box::new(other.clone()) },
    }
}
