//! What of a pattern's rows is used by what comes after it: columns that nothing uses are not made, and where equal rows are
//! one, what binds nothing that is used is looked for once a row.

use oxigraph::model::Variable;
use spargebra::algebra::{AggregateExpression, AggregateFunction, Expression, GraphPattern, OrderExpression};

use super::expression::variables_of;
use super::pattern::{Conjunction, collect};

/// What of a pattern's rows is used.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// The variables whose values are used; none says that all are.
    names: Option<Vec<String>>,
    /// Equal rows are one: it does not matter how often a row is there.
    pub(super) is_set: bool,
}

impl Wanted {
    /// Some variables are used.
    pub(super) fn of(names: impl IntoIterator<Item = String>, is_set: bool) -> Self {
        Self { names: Some(names.into_iter().collect()), is_set }
    }

    /// All variables are used, and equal rows are one.
    pub(super) fn all_once() -> Self {
        Self { names: None, is_set: true }
    }

    /// The same variables, and how often a row is there matters.
    pub(super) fn each(&self) -> Self {
        Self { names: self.names.clone(), is_set: false }
    }

    /// Says whether the value of a variable is used.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|other| other == name))
    }

    /// Says whether every variable is used.
    pub(super) fn is_all(&self) -> bool {
        self.names.is_none()
    }

    /// Adds what else is used.
    pub(super) fn with(mut self, more: impl IntoIterator<Item = String>) -> Self {
        if let Some(names) = &mut self.names {
            names.extend(more);
        }
        self
    }

    /// Adds what an expression uses; everything when that is not known.
    pub(super) fn with_expression(self, expression: &Expression) -> Self {
        if self.is_all() {
            return self;
        }
        match mentioned(expression) {
            Some(names) => self.with(names),
            None => Self { names: None, ..self },
        }
    }

    /// Adds what some expressions use.
    pub(super) fn with_expressions<'e>(self, expressions: impl IntoIterator<Item = &'e Expression>) -> Self {
        expressions.into_iter().fold(self, Self::with_expression)
    }

    /// Adds the variables of a pattern that is joined with this one.
    pub(super) fn with_pattern(self, pattern: &GraphPattern) -> Self {
        if self.is_all() { self } else { self.with(in_scope(pattern)) }
    }

    /// Adds what an order uses.
    pub(super) fn with_order(self, order: &[OrderExpression]) -> Self {
        self.with_expressions(order.iter().map(|(OrderExpression::Asc(by) | OrderExpression::Desc(by))| by))
    }

    /// What is used of a pattern whose variables are projected.
    pub(super) fn projected(&self, variables: &[Variable]) -> Self {
        let names = variables.iter().map(|variable| variable.as_str().to_owned());
        Self::of(names.filter(|name| self.has(name)), self.is_set)
    }

    /// What is used of a pattern that is grouped.
    pub(super) fn grouped(variables: &[Variable], aggregates: &[(Variable, AggregateExpression)]) -> Self {
        let names = variables.iter().map(|variable| variable.as_str().to_owned());
        let mut wanted = Self::of(names, true);
        for (_, aggregate) in aggregates {
            match aggregate {
                AggregateExpression::CountSolutions { distinct: false } => wanted.is_set = false,
                AggregateExpression::CountSolutions { distinct: true } => wanted.names = None,
                AggregateExpression::FunctionCall { name, expr, distinct } => {
                    wanted = wanted.with_expression(expr);
                    let is_idempotent =
                        matches!(name, AggregateFunction::Min | AggregateFunction::Max | AggregateFunction::Sample);
                    wanted.is_set &= *distinct || is_idempotent;
                }
            }
        }
        wanted
    }
}

/// Counts of a variable that every row binds are counts of rows, which need no column.
pub(super) fn without_columns(
    inner: &GraphPattern,
    aggregates: &[(Variable, AggregateExpression)],
) -> Vec<(Variable, AggregateExpression)> {
    let bound = surely_bound(inner);
    let simple = |aggregate: &AggregateExpression| match aggregate {
        AggregateExpression::FunctionCall {
            name: AggregateFunction::Count,
            expr: Expression::Variable(variable),
            distinct: false,
        } if bound.iter().any(|name| name == variable.as_str()) => {
            AggregateExpression::CountSolutions { distinct: false }
        }
        other => other.clone(),
    };
    aggregates.iter().map(|(variable, aggregate)| (variable.clone(), simple(aggregate))).collect()
}

/// Returns variables that every row of a pattern binds.
fn surely_bound(pattern: &GraphPattern) -> Vec<String> {
    match pattern {
        GraphPattern::Bgp { .. } | GraphPattern::Path { .. } => {
            let mut conjunction = Conjunction::default();
            collect(pattern, &mut conjunction);
            conjunction.bound()
        }
        GraphPattern::Join { left, right } => {
            let mut both = surely_bound(left);
            both.extend(surely_bound(right));
            both
        }
        GraphPattern::Filter { inner, .. } | GraphPattern::Extend { inner, .. } => surely_bound(inner),
        GraphPattern::LeftJoin { left, .. } | GraphPattern::Minus { left, .. } => surely_bound(left),
        GraphPattern::Union { left, right } => {
            let right = surely_bound(right);
            let mut both = surely_bound(left);
            both.retain(|name| right.contains(name));
            both
        }
        _ => Vec::new(),
    }
}

/// Returns the variables that an expression looks at, those of its patterns included; nothing when they are not known.
fn mentioned(expression: &Expression) -> Option<Vec<String>> {
    match expression {
        Expression::Exists(pattern) => Some(in_scope(pattern)),
        Expression::Not(inner) => mentioned(inner),
        other => {
            let mut variables = Vec::new();
            variables_of(other, &mut variables).ok()?;
            Some(variables.into_iter().map(Variable::into_string).collect())
        }
    }
}

/// Returns the variables that a pattern may bind.
pub(super) fn in_scope(pattern: &GraphPattern) -> Vec<String> {
    let mut names = Vec::new();
    pattern.on_in_scope_variable(|variable| names.push(variable.as_str().to_owned()));
    names.sort_unstable();
    names.dedup();
    names
}
