//! Expressions, compiled once for a table and evaluated a row at a time.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;

use memchr::memmem;
use oxigraph::model::{Literal, NamedNode, Term, Variable};
use oxsdatatypes::Integer;
use regex::{Regex, RegexBuilder};
use rustc_hash::FxHashMap;
use spareval::{ExpressionTerm, QueryEvaluator};
use spargebra::algebra::{Expression, Function};

use super::moment::part_of_moment;
use super::pattern::MANY;
use super::table::{IdSet, Table, UNBOUND, different};
use super::value::{Operator, Value, arithmetic, compare, equals};
use super::{Kernel, Outcome, Stop};
use crate::storage::term::{Class, language, lexical};

/// Combinations of terms whose values are remembered.
const MOST_ASKED: usize = 1 << 18;

/// What spareval allows a compiled regular expression.
const REGEX_SIZE: usize = 1_000_000;

/// An expression whose variables are columns.
pub(super) enum Compiled {
    /// A value that is read once.
    Constant(Value<'static>),
    /// A column; none when the table does not have the variable.
    Column(Option<usize>),
    Bound(Option<usize>),
    Or(Vec<Compiled>),
    And(Vec<Compiled>),
    Not(Box<Compiled>),
    Equal(Box<Compiled>, Box<Compiled>),
    SameTerm(Option<usize>, Option<usize>),
    /// A comparison and which outcomes make it true.
    Compare(Box<Compiled>, Box<Compiled>, fn(Ordering) -> bool),
    Arithmetic(Operator, Box<Compiled>, Box<Compiled>),
    If(Box<Compiled>, Box<Compiled>, Box<Compiled>),
    Coalesce(Vec<Compiled>),
    Call(Simple, Vec<Compiled>),
    Regex(Box<Compiled>, Box<Regex>),
    /// CONTAINS of a constant without a language; with LCASE around the text when the flag is set.
    Contains(Box<Compiled>, Box<memmem::Finder<'static>>, bool),
    /// A condition on one column that was asked of each of its values: those for which it is true, and those for which it is
    /// false; for others it is an error.
    Known(usize, IdSet, IdSet),
    /// Whatever else depends on columns only and always gives the same: asked of spareval, once for each combination.
    Asked(Box<Asked>),
}

/// Functions that are evaluated here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Simple {
    Str,
    Lang,
    LangMatches,
    Contains,
    StartsWith,
    EndsWith,
    LowerCase,
    UpperCase,
    Length,
    Year,
    Month,
    Day,
    IsIri,
    IsBlank,
    IsLiteral,
    IsNumeric,
}

/// An expression that spareval evaluates.
pub(super) struct Asked {
    expression: sparopt::algebra::Expression,
    variables: Vec<(Variable, Option<usize>)>,
    known: RefCell<FxHashMap<Vec<u32>, u32>>,
}

impl<'a> Kernel<'a> {
    /// Compiles a condition for a table. In a long one, what depends on one variable and calls functions is asked of each
    /// value now, in the order of the dictionary.
    pub(super) fn compile_condition(&self, expression: &Expression, table: &Table<'_>) -> Outcome<Compiled> {
        let inner = |expression| self.compile_condition(expression, table);
        Ok(match expression {
            Expression::Or(a, b) => Compiled::Or(vec![inner(a)?, inner(b)?]),
            Expression::And(a, b) => Compiled::And(vec![inner(a)?, inner(b)?]),
            Expression::Not(a) => Compiled::Not(Box::new(inner(a)?)),
            Expression::FunctionCall(..) if table.rows > MANY && table.columns.len() > 1 => {
                let mut variables = Vec::new();
                variables_of(expression, &mut variables)?;
                let [only] = variables.as_slice() else { return self.compile(expression, table) };
                let Some(at) = table.column(only.as_str()) else { return self.compile(expression, table) };
                let values = Table::of(only.as_str(), different(&table.columns[at]));
                let bound = values.columns[0].iter().rev().find(|id| **id != UNBOUND);
                let end = bound.map_or(0, |last| *last as usize + 1);
                let (mut truths, mut untruths) = (IdSet::new(end), IdSet::new(end));
                if values.columns[0].last() == Some(&UNBOUND) {
                    // A function of nothing need not be an error.
                    return self.compile(expression, table);
                }
                let compiled = self.compile(expression, &values)?;
                for (row, id) in values.columns[0].iter().enumerate() {
                    self.look(row, values.rows)?;
                    match self.evaluate(&compiled, &values, row)?.and_then(|value| value.effective_boolean_value()) {
                        Some(true) => truths.insert(*id),
                        Some(false) => untruths.insert(*id),
                        None => {}
                    }
                }
                Compiled::Known(at, truths, untruths)
            }
            _ => self.compile(expression, table)?,
        })
    }

    /// Compiles an expression for a table.
    pub(super) fn compile(&self, expression: &Expression, table: &Table<'_>) -> Outcome<Compiled> {
        let each = |list: &[Expression]| list.iter().map(|e| self.compile(e, table)).collect::<Outcome<Vec<_>>>();
        let boxed = |e: &Expression| self.compile(e, table).map(Box::new);
        let comparison = |a: &Expression, b: &Expression, test: fn(Ordering) -> bool| -> Outcome<Compiled> {
            Ok(Compiled::Compare(Box::new(self.compile(a, table)?), Box::new(self.compile(b, table)?), test))
        };
        Ok(match expression {
            Expression::NamedNode(node) => Compiled::Constant(Value::Node(self.intern_term(&node.clone().into()))),
            Expression::Literal(literal) => Compiled::Constant(literal_value(literal.clone())),
            Expression::Variable(variable) => Compiled::Column(table.column(variable.as_str())),
            Expression::Bound(variable) => Compiled::Bound(table.column(variable.as_str())),
            Expression::Or(a, b) => Compiled::Or(vec![self.compile(a, table)?, self.compile(b, table)?]),
            Expression::And(a, b) => Compiled::And(vec![self.compile(a, table)?, self.compile(b, table)?]),
            Expression::Not(a) => Compiled::Not(boxed(a)?),
            Expression::Equal(a, b) => Compiled::Equal(boxed(a)?, boxed(b)?),
            Expression::SameTerm(a, b) => match (&**a, &**b) {
                (Expression::Variable(a), Expression::Variable(b)) => {
                    Compiled::SameTerm(table.column(a.as_str()), table.column(b.as_str()))
                }
                _ => self.ask(expression, table)?,
            },
            Expression::Greater(a, b) => comparison(a, b, Ordering::is_gt)?,
            Expression::GreaterOrEqual(a, b) => comparison(a, b, Ordering::is_ge)?,
            Expression::Less(a, b) => comparison(a, b, Ordering::is_lt)?,
            Expression::LessOrEqual(a, b) => comparison(a, b, Ordering::is_le)?,
            Expression::In(a, list) => {
                let equal = |b| -> Outcome<Compiled> { Ok(Compiled::Equal(boxed(a)?, boxed(b)?)) };
                Compiled::Or(list.iter().map(equal).collect::<Outcome<_>>()?)
            }
            Expression::Add(a, b) => Compiled::Arithmetic(Operator::Add, boxed(a)?, boxed(b)?),
            Expression::Subtract(a, b) => Compiled::Arithmetic(Operator::Subtract, boxed(a)?, boxed(b)?),
            Expression::Multiply(a, b) => Compiled::Arithmetic(Operator::Multiply, boxed(a)?, boxed(b)?),
            Expression::If(a, b, c) => Compiled::If(boxed(a)?, boxed(b)?, boxed(c)?),
            Expression::Coalesce(list) => Compiled::Coalesce(each(list)?),
            Expression::FunctionCall(Function::Regex, list) => match self.regex(list, table)? {
                Some(compiled) => compiled,
                None => self.ask(expression, table)?,
            },
            Expression::FunctionCall(Function::Contains, list) if constant(list.get(1)).is_some() => {
                let needle = constant(list.get(1)).unwrap_or_default();
                let finder = Box::new(memmem::Finder::new(needle.as_bytes()).into_owned());
                match list.first() {
                    Some(Expression::FunctionCall(Function::LCase, inner)) if inner.len() == 1 => {
                        Compiled::Contains(boxed(&inner[0])?, finder, true)
                    }
                    Some(text) => Compiled::Contains(boxed(text)?, finder, false),
                    None => return Err(Stop::Unknown),
                }
            }
            Expression::FunctionCall(function, list) => match simple(function) {
                Some(simple) => Compiled::Call(simple, each(list)?),
                None => self.ask(expression, table)?,
            },
            _ => self.ask(expression, table)?,
        })
    }

    fn regex(&self, list: &[Expression], table: &Table<'_>) -> Outcome<Option<Compiled>> {
        let (Some(text), Some(pattern)) = (list.first(), constant(list.get(1))) else { return Ok(None) };
        let pattern = pattern.to_owned();
        let flags = match list.get(2) {
            None => String::new(),
            Some(flags) => match constant(Some(flags)) {
                Some(flags) => flags.to_owned(),
                None => return Ok(None),
            },
        };
        let pattern = if flags.contains('q') { regex::escape(&pattern) } else { pattern };
        let mut builder = RegexBuilder::new(&pattern);
        builder.size_limit(REGEX_SIZE);
        for flag in flags.chars() {
            match flag {
                's' => builder.dot_matches_new_line(true),
                'm' => builder.multi_line(true),
                'i' => builder.case_insensitive(true),
                'x' => builder.ignore_whitespace(true),
                'q' => &mut builder,
                _ => return Ok(None),
            };
        }
        let Ok(regex) = builder.build() else { return Ok(None) };
        Ok(Some(Compiled::Regex(Box::new(self.compile(text, table)?), Box::new(regex))))
    }

    /// Leaves an expression to spareval when its value depends on variables and on nothing else.
    fn ask(&self, expression: &Expression, table: &Table<'_>) -> Outcome<Compiled> {
        let mut variables = Vec::new();
        variables_of(expression, &mut variables)?;
        if variables.is_empty() {
            return Err(Stop::Unknown);
        }
        // The library converts patterns only, so the expression is put into one and taken out again.
        let pattern = spargebra::algebra::GraphPattern::Filter {
            expr: expression.clone(),
            inner: Box::new(spargebra::algebra::GraphPattern::Bgp { patterns: Vec::new() }),
        };
        let sparopt::algebra::GraphPattern::Filter { expression, .. } = (&pattern).into() else {
            return Err(Stop::Unknown);
        };
        let place = |variable: Variable| {
            let column = table.column(variable.as_str());
            (variable, column)
        };
        let variables = variables.into_iter().map(place).collect();
        Ok(Compiled::Asked(Box::new(Asked { expression, variables, known: RefCell::default() })))
    }

    /// Evaluates an expression for a row; none is an error or an unbound variable.
    pub(super) fn evaluate<'s>(
        &'s self,
        expression: &'s Compiled,
        table: &Table<'_>,
        row: usize,
    ) -> Outcome<Option<Value<'s>>> {
        let value = |expression: &'s Compiled| self.evaluate(expression, table, row);
        Ok(match expression {
            Compiled::Constant(value) => Some(value.borrowed()),
            Compiled::Column(column) => table.get(*column, row).map(|id| self.value(id)),
            Compiled::Bound(column) => Some(Value::truth(table.get(*column, row).is_some())),
            Compiled::Or(list) => self.any(list, table, row, true)?,
            Compiled::And(list) => self.any(list, table, row, false)?,
            Compiled::Not(inner) => {
                value(inner)?.and_then(|value| value.effective_boolean_value()).map(|truth| Value::truth(!truth))
            }
            Compiled::Equal(a, b) => match self.equal_ids(a, b, table, row) {
                Some(equal) => Some(Value::truth(equal)),
                None => match (value(a)?, value(b)?) {
                    (Some(a), Some(b)) => equals(&a, &b)?.map(Value::truth),
                    _ => None,
                },
            },
            Compiled::SameTerm(a, b) => match (table.get(*a, row), table.get(*b, row)) {
                (Some(a), Some(b)) => Some(Value::truth(a == b)),
                _ => None,
            },
            Compiled::Compare(a, b, test) => match (value(a)?, value(b)?) {
                (Some(a), Some(b)) => compare(&a, &b)?.map(|ordering| Value::truth(test(ordering))),
                _ => None,
            },
            Compiled::Arithmetic(operator, a, b) => match (value(a)?, value(b)?) {
                (Some(a), Some(b)) => arithmetic(*operator, &a, &b)?,
                _ => None,
            },
            Compiled::If(condition, yes, no) => match value(condition)?.and_then(|v| v.effective_boolean_value()) {
                Some(true) => value(yes)?,
                Some(false) => value(no)?,
                None => None,
            },
            Compiled::Coalesce(list) => {
                for expression in list {
                    if let Some(found) = value(expression)? {
                        return Ok(Some(found));
                    }
                }
                None
            }
            Compiled::Call(function, list) => {
                let [first, rest @ ..] = list.as_slice() else { return Err(Stop::Unknown) };
                let Some(first) = value(first)? else { return Ok(None) };
                let second = match rest {
                    [] => None,
                    [second] => match value(second)? {
                        Some(second) => Some(second),
                        None => return Ok(None),
                    },
                    _ => return Err(Stop::Unknown),
                };
                self.call(*function, first, second)?
            }
            Compiled::Regex(text, regex) => match value(text)? {
                Some(Value::Text(text) | Value::Tagged(text, _)) => Some(Value::truth(regex.is_match(&text))),
                _ => None,
            },
            Compiled::Contains(text, finder, lower) => match value(text)? {
                Some(Value::Text(text) | Value::Tagged(text, _)) => Some(Value::truth(match lower {
                    false => finder.find(text.as_bytes()).is_some(),
                    true if text.is_ascii() => {
                        let mut lowered = self.scratch.borrow_mut();
                        lowered.clear();
                        lowered.extend_from_slice(text.as_bytes());
                        lowered.make_ascii_lowercase();
                        finder.find(&lowered).is_some()
                    }
                    true => finder.find(text.to_lowercase().as_bytes()).is_some(),
                })),
                _ => None,
            },
            Compiled::Known(column, truths, untruths) => {
                let id = table.columns[*column][row];
                (truths.contains(id) || untruths.contains(id)).then(|| Value::truth(truths.contains(id)))
            }
            Compiled::Asked(asked) => self.asked(asked, table, row).map(|id| self.value(id)),
        })
    }

    /// Says whether two variables are equal where that is whether they are the same term.
    fn equal_ids(&self, a: &Compiled, b: &Compiled, table: &Table<'_>, row: usize) -> Option<bool> {
        let (Compiled::Column(a), Compiled::Column(b)) = (a, b) else { return None };
        let (a, b) = (table.get(*a, row)?, table.get(*b, row)?);
        let is_itself = |id| matches!(self.class(id), Class::Blank | Class::Iri | Class::Text);
        (is_itself(a) && is_itself(b)).then_some(a == b)
    }

    /// OR when `wanted` is true, AND when it is false.
    fn any<'s>(
        &'s self,
        list: &'s [Compiled],
        table: &Table<'_>,
        row: usize,
        wanted: bool,
    ) -> Outcome<Option<Value<'s>>> {
        let mut error = false;
        for expression in list {
            match self.evaluate(expression, table, row)?.and_then(|value| value.effective_boolean_value()) {
                Some(truth) if truth == wanted => return Ok(Some(Value::truth(wanted))),
                Some(_) => {}
                None => error = true,
            }
        }
        Ok((!error).then(|| Value::truth(!wanted)))
    }

    fn asked(&self, asked: &Asked, table: &Table<'_>, row: usize) -> Option<u32> {
        let values = asked.variables.iter().map(|(_, column)| table.get(*column, row).unwrap_or(UNBOUND));
        let key: Vec<u32> = values.collect();
        if let Some(known) = asked.known.borrow().get(&key) {
            return (*known != UNBOUND).then_some(*known);
        }
        let bound = asked.variables.iter().zip(&key).filter(|(_, id)| **id != UNBOUND);
        let substitutions: Vec<_> = bound.map(|((variable, _), id)| (variable, self.term(*id))).collect();
        let result = QueryEvaluator::new().evaluate_expression(&asked.expression, substitutions);
        let result = result.map_or(UNBOUND, |term| self.intern_term(&term));
        let mut known = asked.known.borrow_mut();
        if known.len() > MOST_ASKED {
            known.clear();
        }
        known.insert(key, result);
        (result != UNBOUND).then_some(result)
    }

    fn call<'s>(&'s self, function: Simple, first: Value<'s>, second: Option<Value<'s>>) -> Outcome<Option<Value<'s>>> {
        let is_iri = |id: u32| self.class(id) == Class::Iri;
        Ok(match function {
            Simple::Str => match first {
                Value::Node(id) if is_iri(id) => Some(Value::Text(self.lexical(id))),
                Value::Node(_) => None,
                Value::Text(text) | Value::Tagged(text, _) => Some(Value::Text(text)),
                Value::Literal(literal) => Some(Value::Text(Value::literal_text(&literal).into())),
            },
            Simple::Lang => match first {
                Value::Node(_) => None,
                Value::Tagged(_, language) => Some(Value::Text(language)),
                Value::Text(_) | Value::Literal(_) => Some(Value::Text(Cow::Borrowed(""))),
            },
            Simple::LangMatches => match (first, second) {
                (Value::Text(tag), Some(Value::Text(range))) => Some(Value::truth(matches_range(&tag, &range))),
                _ => None,
            },
            Simple::Contains | Simple::StartsWith | Simple::EndsWith => {
                match (strings(first), second.and_then(strings)) {
                    (Some((text, language)), Some((other, other_language))) => {
                        (other_language.is_none() || language == other_language).then(|| {
                            Value::truth(match function {
                                Simple::Contains => memmem::find(text.as_bytes(), other.as_bytes()).is_some(),
                                Simple::StartsWith => text.starts_with(other.as_ref()),
                                _ => text.ends_with(other.as_ref()),
                            })
                        })
                    }
                    _ => None,
                }
            }
            Simple::LowerCase | Simple::UpperCase => {
                let change = |text: Cow<'_, str>| match function {
                    Simple::LowerCase => text.to_lowercase(),
                    _ => text.to_uppercase(),
                };
                match first {
                    Value::Text(text) => Some(Value::Text(change(text).into())),
                    Value::Tagged(text, language) => Some(Value::Tagged(change(text).into(), language)),
                    _ => None,
                }
            }
            Simple::Length => strings(first).map(|(text, _)| Value::integer(text.chars().count() as i64)),
            Simple::Year | Simple::Month | Simple::Day => return part_of_moment(function, &first),
            Simple::IsIri => Some(Value::truth(matches!(first, Value::Node(id) if is_iri(id)))),
            Simple::IsBlank => Some(Value::truth(matches!(first, Value::Node(id) if !is_iri(id)))),
            Simple::IsLiteral => Some(Value::truth(!matches!(first, Value::Node(_)))),
            Simple::IsNumeric => Some(Value::truth(matches!(
                first,
                Value::Literal(
                    ExpressionTerm::IntegerLiteral(_)
                        | ExpressionTerm::DecimalLiteral(_)
                        | ExpressionTerm::FloatLiteral(_)
                        | ExpressionTerm::DoubleLiteral(_)
                )
            ))),
        })
    }

    /// Returns the value of a term.
    pub(super) fn value(&self, id: u32) -> Value<'_> {
        let Some(bytes) = self.view_bytes(id) else {
            return match self.term(id) {
                Term::Literal(literal) => literal_value(literal),
                _ => Value::Node(id),
            };
        };
        match self.class(id) {
            Class::Blank | Class::Iri => Value::Node(id),
            Class::Text => {
                let text = String::from_utf8_lossy(lexical(bytes));
                match language(bytes) {
                    Some(language) => Value::Tagged(text, String::from_utf8_lossy(language)),
                    None => Value::Text(text),
                }
            }
            _ => Value::Literal(self.view.expression_term(id)),
        }
    }

    /// Returns the id of a value.
    pub(super) fn intern(&self, value: Value<'_>) -> u32 {
        match value {
            Value::Node(id) => id,
            Value::Text(text) => self.intern_term(&Literal::new_simple_literal(text).into()),
            Value::Tagged(text, language) => {
                self.intern_term(&Literal::new_language_tagged_literal_unchecked(text, language).into())
            }
            Value::Literal(ExpressionTerm::IntegerLiteral(number)) => self.intern_integer(number),
            Value::Literal(literal) => self.intern_term(&literal.into()),
        }
    }

    fn intern_integer(&self, number: Integer) -> u32 {
        let value = i64::from(number);
        let known = self.made.borrow().integers.get(&value).copied();
        known.unwrap_or_else(|| {
            let id = self.intern_term(&ExpressionTerm::IntegerLiteral(number).into());
            self.made.borrow_mut().integers.insert(value, id);
            id
        })
    }
}

/// Returns the function that is evaluated here; none when spareval has to.
pub(super) fn simple(function: &Function) -> Option<Simple> {
    Some(match function {
        Function::Str => Simple::Str,
        Function::Lang => Simple::Lang,
        Function::LangMatches => Simple::LangMatches,
        Function::Contains => Simple::Contains,
        Function::StrStarts => Simple::StartsWith,
        Function::StrEnds => Simple::EndsWith,
        Function::LCase => Simple::LowerCase,
        Function::UCase => Simple::UpperCase,
        Function::StrLen => Simple::Length,
        Function::Year => Simple::Year,
        Function::Month => Simple::Month,
        Function::Day => Simple::Day,
        Function::IsIri => Simple::IsIri,
        Function::IsBlank => Simple::IsBlank,
        Function::IsLiteral => Simple::IsLiteral,
        Function::IsNumeric => Simple::IsNumeric,
        _ => return None,
    })
}

fn literal_value(literal: Literal) -> Value<'static> {
    if is_simple(&literal) {
        return Value::Text(literal.destruct().0.into());
    }
    match literal.language().map(str::to_owned) {
        Some(language) => Value::Tagged(literal.destruct().0.into(), language.into()),
        None => Value::Literal(Term::from(literal).into()),
    }
}

/// Returns the text of a constant string without a language.
fn constant(expression: Option<&Expression>) -> Option<&str> {
    match expression? {
        Expression::Literal(literal) if is_simple(literal) => Some(literal.value()),
        _ => None,
    }
}

fn is_simple(literal: &Literal) -> bool {
    literal.datatype().as_str() == "http://www.w3.org/2001/XMLSchema#string"
}

fn strings(value: Value<'_>) -> Option<(Cow<'_, str>, Option<Cow<'_, str>>)> {
    match value {
        Value::Text(text) => Some((text, None)),
        Value::Tagged(text, language) => Some((text, Some(language))),
        _ => None,
    }
}

/// Basic filtering of RFC 4647, as spareval does it.
fn matches_range(tag: &str, range: &str) -> bool {
    if range == "*" {
        return !tag.is_empty();
    }
    let mut subtags = tag.split('-');
    range.split('-').all(|part| subtags.next().is_some_and(|subtag| subtag.eq_ignore_ascii_case(part)))
}

/// Collects the variables of an expression; refuses what depends on more than its variables.
pub(super) fn variables_of(expression: &Expression, into: &mut Vec<Variable>) -> Outcome<()> {
    let mut all = |list: &[&Expression]| list.iter().try_for_each(|expression| variables_of(expression, into));
    match expression {
        Expression::NamedNode(_) | Expression::Literal(_) => Ok(()),
        Expression::Variable(variable) | Expression::Bound(variable) => {
            if !into.contains(variable) {
                into.push(variable.clone());
            }
            Ok(())
        }
        Expression::Or(a, b)
        | Expression::And(a, b)
        | Expression::Equal(a, b)
        | Expression::SameTerm(a, b)
        | Expression::Greater(a, b)
        | Expression::GreaterOrEqual(a, b)
        | Expression::Less(a, b)
        | Expression::LessOrEqual(a, b)
        | Expression::Add(a, b)
        | Expression::Subtract(a, b)
        | Expression::Multiply(a, b)
        | Expression::Divide(a, b) => all(&[a, b]),
        Expression::UnaryPlus(a) | Expression::UnaryMinus(a) | Expression::Not(a) => all(&[a]),
        Expression::If(a, b, c) => all(&[a, b, c]),
        Expression::In(a, list) => {
            all(&[a])?;
            list.iter().try_for_each(|expression| variables_of(expression, into))
        }
        Expression::Coalesce(list) => list.iter().try_for_each(|expression| variables_of(expression, into)),
        Expression::FunctionCall(function, list) => match function {
            Function::Rand
            | Function::Uuid
            | Function::StrUuid
            | Function::BNode
            | Function::Now
            | Function::Iri
            | Function::Custom(_) => Err(Stop::Unknown),
            _ => list.iter().try_for_each(|expression| variables_of(expression, into)),
        },
        Expression::Exists(_) => Err(Stop::Unknown),
    }
}

/// Makes an IRI of a text that is one.
pub(super) fn named(iri: &str) -> Term {
    NamedNode::new_unchecked(iri).into()
}
