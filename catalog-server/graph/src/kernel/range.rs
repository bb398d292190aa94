//! Conditions on one variable as ranges of ids: ids are in the order of values, so that a comparison with a constant is
//! a few binary searches.

use std::ops::Range;

use oxigraph::model::{Literal, Variable};
use spargebra::algebra::{Expression, Function};

use super::Kernel;
use super::expression::named;
use crate::storage::term::{Class, NO_ZONE, ONE, Place, encode};

/// Farther apart than this, moments with and without a time zone are ordered: zones are fourteen hours at most.
const ZONES: i128 = 15 * 3600 * ONE;

/// Ids in ascending ranges, none of which is empty or touches the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<u32>>);

impl Ranges {
    /// Makes a set of any ranges.
    pub(super) fn of(ranges: impl IntoIterator<Item = Range<u32>>) -> Self {
        let mut ranges: Vec<Range<u32>> = ranges.into_iter().filter(|range| range.start < range.end).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<u32>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// Returns the ranges.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        self.0.iter().cloned()
    }

    /// Says whether an id is in it.
    pub(super) fn contains(&self, id: u32) -> bool {
        match self.0.as_slice() {
            [] => false,
            [only] => only.contains(&id),
            ranges => ranges.get(ranges.partition_point(|range| range.end <= id)).is_some_and(|at| at.start <= id),
        }
    }

    /// Returns the ids that are in one of two sets.
    pub(super) fn union(&self, other: &Self) -> Self {
        Self::of(self.iter().chain(other.iter()))
    }

    fn intersection(&self, other: &Self) -> Self {
        let with = |range: Range<u32>| {
            let from = other.0.partition_point(|other| other.end <= range.start);
            let meeting = other.0[from..].iter().take_while(|other| other.start < range.end).cloned();
            meeting.map(|other| range.start.max(other.start)..range.end.min(other.end)).collect::<Vec<_>>()
        };
        Self::of(self.iter().flat_map(with))
    }

    fn without(&self, other: &Self) -> Self {
        let ends = other.iter().map(|range| range.end);
        let starts = other.iter().map(|range| range.start).chain([u32::MAX]);
        self.intersection(&Self::of(std::iter::once(0).chain(ends).zip(starts).map(|(from, to)| from..to)))
    }
}

/// What a condition says about the ids of a generation; about the ids that are in no range it says nothing: an error.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// Ids for which it holds.
    pub(super) holds: Ranges,
    /// Ids for which it does not.
    fails: Ranges,
    /// Ids for which it has to be evaluated.
    pub(super) unsure: Ranges,
}

impl Condition {
    /// Both hold.
    pub(super) fn and(&self, other: &Self) -> Self {
        let fails = self.fails.union(&other.fails);
        let unsure = self.unsure.union(&other.unsure).without(&fails);
        Self { holds: self.holds.intersection(&other.holds), fails, unsure }
    }

    /// Says what it is for an id that is not unsure; nothing is an error.
    pub(super) fn says(&self, id: u32) -> Option<bool> {
        (self.holds.contains(id) || self.fails.contains(id)).then(|| self.holds.contains(id))
    }

    fn or(&self, other: &Self) -> Self {
        let holds = self.holds.union(&other.holds);
        let unsure = self.unsure.union(&other.unsure).without(&holds);
        Self { fails: self.fails.intersection(&other.fails), holds, unsure }
    }

    fn not(self) -> Self {
        Self { holds: self.fails, fails: self.holds, unsure: self.unsure }
    }
}

/// Where the ids are that are less than, equal to and greater than a constant.
#[derive(Default)]
struct Sides {
    less: Vec<Range<u32>>,
    equal: Vec<Range<u32>>,
    greater: Vec<Range<u32>>,
    unsure: Vec<Range<u32>>,
}

/// A comparison, with the variable on its left.
#[derive(Clone, Copy)]
enum Test {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Test {
    fn of(expression: &Expression) -> Option<(Self, &Expression, &Expression)> {
        Some(match expression {
            Expression::Less(a, b) => (Self::Less, a, b),
            Expression::LessOrEqual(a, b) => (Self::LessOrEqual, a, b),
            Expression::Equal(a, b) => (Self::Equal, a, b),
            Expression::GreaterOrEqual(a, b) => (Self::GreaterOrEqual, a, b),
            Expression::Greater(a, b) => (Self::Greater, a, b),
            _ => return None,
        })
    }

    /// The same comparison with its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Equal => Self::Equal,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Greater => Self::Less,
        }
    }

    fn condition(self, sides: Sides) -> Condition {
        let Sides { less, equal, greater, unsure } = sides;
        let (holds, fails): (Vec<_>, Vec<_>) = match self {
            Self::Less => (less, [equal, greater].concat()),
            Self::LessOrEqual => ([less, equal].concat(), greater),
            Self::Equal => (equal, [less, greater].concat()),
            Self::GreaterOrEqual => ([equal, greater].concat(), less),
            Self::Greater => (greater, [less, equal].concat()),
        };
        Condition { holds: Ranges::of(holds), fails: Ranges::of(fails), unsure: Ranges::of(unsure) }
    }
}

impl Kernel<'_> {
    /// Says for which ids a condition holds that depends on one variable; nothing when it is of another kind.
    pub(super) fn condition(&self, expression: &Expression, variable: &Variable) -> Option<Condition> {
        let inner = |expression| self.condition(expression, variable);
        let is_variable = |expression: &Expression| matches!(expression, Expression::Variable(v) if v == variable);
        match expression {
            Expression::And(a, b) => Some(inner(a)?.and(&inner(b)?)),
            Expression::Or(a, b) => Some(inner(a)?.or(&inner(b)?)),
            Expression::Not(a) => Some(inner(a)?.not()),
            Expression::In(a, list) if is_variable(a) => {
                let nothing = Condition { fails: self.all_ids(), ..Condition::default() };
                list.iter().try_fold(nothing, |found, constant| Some(found.or(&self.equal_to(constant)?)))
            }
            _ => {
                let (test, a, b) = Test::of(expression)?;
                let (test, a, b) = if is_constant(a) { (test.turned(), b, a) } else { (test, a, b) };
                match (a, b) {
                    (a, b) if is_variable(a) && matches!(test, Test::Equal) => self.equal_to(b),
                    (a, Expression::Literal(literal)) if is_variable(a) => {
                        Some(test.condition(self.sides(place(literal))?))
                    }
                    (Expression::FunctionCall(Function::Year, list), Expression::Literal(literal)) if matches!(list.as_slice(), [only] if is_variable(only)) => {
                        Some(test.condition(self.sides_of_year(place(literal))?))
                    }
                    _ => None,
                }
            }
        }
    }

    fn all_ids(&self) -> Ranges {
        Ranges::of(std::iter::once(0..self.view.base.terms() as u32))
    }

    /// Two terms of other kinds are not equal, which is no error.
    fn equal_to(&self, constant: &Expression) -> Option<Condition> {
        let (holds, unsure) = match constant {
            Expression::NamedNode(node) => {
                let id = self.view.find(named(node.as_str()).as_ref());
                (Ranges::of(id.map(|id| id..id.saturating_add(1))), Ranges::default())
            }
            Expression::Literal(literal) => {
                let sides = self.sides(place(literal))?;
                (Ranges::of(sides.equal), Ranges::of(sides.unsure))
            }
            _ => return None,
        };
        let fails = self.all_ids().without(&holds).without(&unsure);
        Some(Condition { holds, fails, unsure })
    }

    /// Divides the ids that can be compared with a number, a date or a dateTime.
    fn sides(&self, constant: Place) -> Option<Sides> {
        use Class::{DateLocal, DateTimeLocal, DateTimeZoned, DateZoned, Number};
        let other = match constant.class {
            Number => None,
            DateTimeZoned => Some(DateTimeLocal),
            DateTimeLocal => Some(DateTimeZoned),
            DateZoned => Some(DateLocal),
            DateLocal => Some(DateZoned),
            _ => return None,
        };
        let mut sides = Sides { unsure: vec![self.view.base.class_ids(Class::Other)], ..Sides::default() };
        self.divide(&mut sides, constant.class, (constant.value, constant.value.saturating_add(1)), 0);
        if let Some(other) = other {
            self.divide(&mut sides, other, (constant.value, constant.value), ZONES);
        }
        Some(sides)
    }

    /// Divides the ids that have a year. The year of a moment with a time zone is that of its own zone.
    fn sides_of_year(&self, year: Place) -> Option<Sides> {
        let year = (year.class == Class::Number && year.value % ONE == 0).then_some(year.value / ONE)?;
        if !(1..9999).contains(&year) {
            return None;
        }
        let mut sides = Sides { unsure: vec![self.view.base.class_ids(Class::Other)], ..Sides::default() };
        for (class, datatype, rest, margin) in [
            (Class::DateTimeZoned, "dateTime", "-01-01T00:00:00Z", ZONES),
            (Class::DateTimeLocal, "dateTime", "-01-01T00:00:00", 0),
            (Class::DateZoned, "date", "-01-01Z", ZONES),
            (Class::DateLocal, "date", "-01-01", 0),
        ] {
            let start = |year| Place::of(format!("X{datatype}\0{year:04}{rest}").as_bytes());
            let (from, to) = (start(year), start(year + 1));
            if from.class != class || to.class != class {
                return None;
            }
            self.divide(&mut sides, class, (from.value, to.value), margin);
        }
        Some(sides)
    }

    /// Divides the ids of a class at two values; what is nearer than `margin` to one of them is unsure.
    fn divide(&self, sides: &mut Sides, class: Class, (from, to): (i128, i128), margin: i128) {
        let base = &self.view.base;
        let ids = base.class_ids(class);
        let at = |value| base.lower_bound(Place { class, value, zone: NO_ZONE }, &[]).clamp(ids.start, ids.end);
        let near = |value: i128| at(value.saturating_sub(margin))..at(value.saturating_add(margin));
        let (first, last) = (near(from), near(to));
        sides.less.push(ids.start..first.start);
        sides.greater.push(last.end..ids.end);
        if first.end <= last.start {
            sides.equal.push(first.end..last.start);
            sides.unsure.extend([first, last]);
        } else {
            sides.unsure.push(first.start..last.end);
        }
    }
}

fn is_constant(expression: &Expression) -> bool {
    matches!(expression, Expression::Literal(_) | Expression::NamedNode(_))
}

fn place(literal: &Literal) -> Place {
    let mut bytes = Vec::new();
    encode(literal.as_ref().into(), &mut bytes);
    Place::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    fn ids(ranges: &Ranges) -> Vec<u32> {
        ranges.iter().flatten().collect()
    }

    #[test]
    fn ranges_are_sets() {
        let sets: Vec<Ranges> = [&[][..], &[(0, 3)], &[(2, 5), (5, 6), (8, 9)], &[(1, 2), (4, 9)], &[(0, 10)]]
            .map(|ranges| Ranges::of(ranges.iter().map(|(from, to)| *from..*to)))
            .into();
        for a in &sets {
            for b in &sets {
                let expected = |keep: &dyn Fn(bool, bool) -> bool| -> Vec<u32> {
                    (0..12).filter(|id| keep(a.contains(*id), b.contains(*id))).collect()
                };
                assert_eq!(ids(&a.union(b)), expected(&|a, b| a || b));
                assert_eq!(ids(&a.intersection(b)), expected(&|a, b| a && b));
                assert_eq!(ids(&a.without(b)), expected(&|a, b| a && !b));
            }
        }
        assert_eq!(Ranges::of([5..7, 1..2, 2..5, 9..9]).0.len(), 1);
    }
}
