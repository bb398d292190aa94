//! ORDER BY with LIMIT where the first key is a date, a number, an IRI or a text that a triple binds: only rows with the first of
//! these are made.

use std::borrow::Cow;

use spargebra::algebra::{Expression, GraphPattern, OrderExpression};
use spargebra::term::{GroundTerm, NamedNodePattern, TermPattern, TriplePattern};

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

/// How many times fewer than all terms are listed: listing one costs more than passing it.
const RARE: usize = if cfg!(debug_assertions) { 2 } else { 32 };

impl<'a> Kernel<'a> {
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
    ) -> Outcome<Option<Table<'a>>> {
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
            let table = self.part(&restricted(pattern, &Restriction::Holds(condition)), None, wanted)?;
            if table.rows >= most {
                return self.order(table, order, Some(most)).map(Some);
            }
            take = take.saturating_mul(2 * MORE);
        }
        Ok(None)
    }

    /// Evaluates as much of a pattern as its first rows in an order by an IRI or a text need; nothing when all of it has to be.
    ///
    /// As [`Self::first_rows`]: the pattern is joined with the first terms that there are, and evaluated by a function whose
    /// table has for a term what it has for it among all.
    pub(super) fn first_by_term(
        &self,
        pattern: &GraphPattern,
        order: &[OrderExpression],
        most: usize,
        evaluate: impl Fn(&GraphPattern) -> Outcome<Table<'a>>,
    ) -> Outcome<Option<Table<'a>>> {
        let Some((variable, descending)) = order.first().and_then(variable_of) else { return Ok(None) };
        let Some(inside) = mandatory(pattern, variable) else { return Ok(None) };
        let Some(terms) = self.terms_of(&inside, variable) else { return Ok(None) };
        // What all of it costs begins with its smallest part.
        let least = self.least(&inside)?.min(terms.len() as f64);
        let mut take = most.saturating_mul(MORE);
        while most > 0 && take.saturating_mul(RARE) < least as usize {
            let mut ids = self.first_terms(&terms, descending, take);
            // In the order of ids, as triples are.
            ids.sort_unstable();
            let ground = |id: &u32| match self.view.term(*id) {
                Term::NamedNode(node) => Some(vec![Some(GroundTerm::NamedNode(node))]),
                Term::Literal(literal) => Some(vec![Some(GroundTerm::Literal(literal))]),
                _ => None,
            };
            let Some(bindings) = ids.iter().map(ground).collect() else { return Ok(None) };
            let values = GraphPattern::Values { variables: vec![variable.clone()], bindings };
            let table = evaluate(&restricted(pattern, &Restriction::Joined(values)))?;
            if table.rows >= most {
                return self.order(table, order, Some(most)).map(Some);
            }
            take = take.saturating_mul(2 * MORE);
        }
        Ok(None)
    }

    /// Returns the fewest terms, some of them maybe several times, of which a variable is always one, sorted by id; nothing when
    /// they are not all IRIs or all texts.
    fn terms_of(&self, inside: &Conjunction<'_>, variable: &Variable) -> Option<Cow<'_, [u32]>> {
        let graph = self.graph();
        let is = |term: &TermPattern| matches!(term, TermPattern::Variable(other) if other == variable);
        let of_triple = |triple: &&TriplePattern| {
            let NamedNodePattern::NamedNode(predicate) = &triple.predicate else { return None };
            let predicate = self.view.find(predicate.as_ref().into())?;
            match (&triple.subject, &triple.object) {
                (subject, TermPattern::Variable(_)) if is(subject) => Some(graph.by_subject(predicate).0),
                (TermPattern::Variable(_), object) if is(object) => Some(graph.by_object(predicate).0),
                (subject, TermPattern::NamedNode(node)) if is(subject) => {
                    Some(graph.subjects(predicate, self.view.find(node.as_ref().into())?))
                }
                _ => None,
            }
        };
        let terms = inside.triples.iter().filter_map(of_triple).min_by_key(|terms| terms.len())?;
        let base = &self.view.base;
        let (old, new) = terms.split_at(terms.partition_point(|id| (*id as usize) < base.terms()));
        let class = self.class(*terms.first()?);
        let is_one = matches!(class, Class::Iri | Class::Text)
            && old.last().is_none_or(|last| base.class(*last) == class)
            && new.iter().all(|id| self.class(*id) == class);
        is_one.then_some(terms)
    }

    /// Returns the first, or the last, different ones of sorted ids in the order of their terms.
    fn first_terms(&self, ids: &[u32], descending: bool, most: usize) -> Vec<u32> {
        let (old, new) = ids.split_at(ids.partition_point(|id| (*id as usize) < self.view.base.terms()));
        // What came since the generation was written has ids behind it, and its place among it.
        let mut new = new.to_vec();
        new.sort_unstable_by_key(|id| self.view.key(*id));
        let (mut old, mut new) = (old, new.as_slice());
        let mut first: Vec<u32> = Vec::with_capacity(most);
        while first.len() < most {
            let of = |ids: &[u32]| if descending { ids.last().copied() } else { ids.first().copied() };
            let is_old = match (of(old), of(new)) {
                (None, None) => break,
                (Some(a), Some(b)) => (self.view.key(a) < self.view.key(b)) != descending,
                (a, _) => a.is_some(),
            };
            let from = if is_old { &mut old } else { &mut new };
            let next = if descending { from.split_last() } else { from.split_first() };
            let Some((id, rest)) = next else { break };
            *from = rest;
            if first.last() != Some(id) {
                first.push(*id);
            }
        }
        first
    }

    /// Says whether the first rows in an order may be found without all others.
    pub(super) fn first_is_known(
        &self,
        pattern: &GraphPattern,
        order: &[OrderExpression],
        most: usize,
    ) -> Outcome<bool> {
        if self.first_key(pattern, order).is_some() {
            return Ok(true);
        }
        let Some((variable, _)) = order.first().and_then(variable_of) else { return Ok(false) };
        let Some(inside) = mandatory(pattern, variable) else { return Ok(false) };
        let Some(terms) = self.terms_of(&inside, variable) else { return Ok(false) };
        Ok(most.saturating_mul(MORE * RARE) < (self.least(&inside)? as usize).min(terms.len()))
    }

    /// Finds the variable that comes first in an order, whether it descends, and a predicate of which it is always an object,
    /// when these have one order.
    fn first_key<'o>(&self, pattern: &GraphPattern, order: &'o [OrderExpression]) -> Option<(&'o Variable, bool, u32)> {
        let (variable, descending) = variable_of(order.first()?)?;
        let predicate = self.binds(pattern, variable)?;
        self.is_ordered(predicate).then_some((variable, descending, predicate))
    }

    /// Evaluates as many groups, and what is made of them, as the first rows in an order need; nothing when all are needed.
    pub(super) fn first_grouped(
        &self,
        pattern: &GraphPattern,
        order: &[OrderExpression],
        most: usize,
    ) -> Outcome<Option<Table<'a>>> {
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
        mandatory(pattern, variable)?.triples.iter().find_map(|triple| match (&triple.predicate, &triple.object) {
            (NamedNodePattern::NamedNode(predicate), TermPattern::Variable(object)) if object == variable => {
                self.view.find(predicate.as_ref().into())
            }
            _ => None,
        })
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

/// Returns the variable that an order is by, and whether it descends.
fn variable_of(order: &OrderExpression) -> Option<(&Variable, bool)> {
    match order {
        OrderExpression::Asc(Expression::Variable(variable)) => Some((variable, false)),
        OrderExpression::Desc(Expression::Variable(variable)) => Some((variable, true)),
        _ => None,
    }
}

/// Finds the triples that every row of a pattern has.
fn mandatory<'p>(pattern: &'p GraphPattern, variable: &Variable) -> Option<Conjunction<'p>> {
    match pattern {
        GraphPattern::LeftJoin { left, .. } | GraphPattern::Minus { left, .. } => mandatory(left, variable),
        GraphPattern::Filter { inner, .. } => mandatory(inner, variable),
        GraphPattern::Extend { inner, variable: other, .. } if other != variable => mandatory(inner, variable),
        GraphPattern::Bgp { .. } | GraphPattern::Join { .. } => {
            let mut conjunction = Conjunction::default();
            collect(pattern, &mut conjunction);
            Some(conjunction)
        }
        _ => None,
    }
}

/// What leaves only some values of a variable.
enum Restriction {
    /// A condition on them.
    Holds(Expression),
    /// They are listed.
    Joined(GraphPattern),
}

/// Puts a restriction into a pattern, as near to the triples as its other parts allow.
fn restricted(pattern: &GraphPattern, by: &Restriction) -> GraphPattern {
    let inside = |inner: &GraphPattern| Box::new(restricted(inner, by));
    match (pattern, by) {
        (GraphPattern::Extend { inner, variable, expression }, _) => {
            GraphPattern::Extend { inner: inside(inner), variable: variable.clone(), expression: expression.clone() }
        }
        (GraphPattern::Minus { left, right }, _) => GraphPattern::Minus { left: inside(left), right: right.clone() },
        // Both go into the optional part's left side.
        (GraphPattern::Filter { expr, inner }, Restriction::Holds(condition))
            if matches!(**inner, GraphPattern::LeftJoin { .. }) =>
        {
            let expr = Expression::And(Box::new(condition.clone()), Box::new(expr.clone()));
            GraphPattern::Filter { expr, inner: inner.clone() }
        }
        (GraphPattern::Filter { expr, inner }, _) => GraphPattern::Filter { expr: expr.clone(), inner: inside(inner) },
        (GraphPattern::LeftJoin { left, right, expression }, Restriction::Joined(_)) => {
            GraphPattern::LeftJoin { left: inside(left), right: right.clone(), expression: expression.clone() }
        }
        (other, Restriction::Holds(condition)) => {
            GraphPattern::Filter { expr: condition.clone(), inner: Box::new(other.clone()) }
        }
        (other, Restriction::Joined(values)) => {
            GraphPattern::Join { left: Box::new(values.clone()), right: Box::new(other.clone()) }
        }
    }
}
