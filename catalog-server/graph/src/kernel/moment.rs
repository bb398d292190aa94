//! YEAR, MONTH and DAY of dates and times.

use spareval::ExpressionTerm;

use super::expression::Simple;
use super::table::UNBOUND;
use super::value::Value;
use super::{Kernel, Outcome, Stop};
use crate::storage::term::{Class, NO_ZONE, ONE, Place};

/// A day as the dictionary keeps moments.
const DAY: i128 = 86_400 * ONE;

/// A day in a time zone, and what a part of it is.
struct Known {
    class: Class,
    zone: i16,
    /// The first moment of the day.
    start: i128,
    part: u32,
}

impl Known {
    fn has(&self, place: Place) -> bool {
        self.class == place.class
            && self.zone == place.zone
            && (self.start..self.start.saturating_add(DAY)).contains(&place.value)
    }
}

/// Returns when the day of a moment began where it was written down.
fn start_of_day(place: Place) -> i128 {
    let minutes = if place.zone == NO_ZONE { 0 } else { i128::from(place.zone) };
    let there = place.value.saturating_add(minutes * 60 * ONE);
    place.value.saturating_sub(there.rem_euclid(DAY))
}

impl Kernel<'_> {
    /// Takes a part of every value of a column. Values in the order of the dictionary are mostly of the day of the one before.
    pub(super) fn parts_of_moments(&self, part: Simple, ids: &[u32]) -> Outcome<Vec<u32>> {
        let (mut known, mut parts): (Option<Known>, _) = (None, Vec::with_capacity(ids.len()));
        let mut last = (UNBOUND, UNBOUND);
        for (row, id) in ids.iter().enumerate() {
            self.look(row, row)?;
            if *id == last.0 {
                parts.push(last.1);
                continue;
            }
            let place = ((*id as usize) < self.terms).then(|| self.view.place(*id));
            let found = match (place, &known) {
                _ if *id == UNBOUND => UNBOUND,
                (Some(place), Some(known)) if known.has(place) => known.part,
                _ => {
                    let found = part_of_moment(part, &self.value(*id))?.map_or(UNBOUND, |value| self.intern(value));
                    known = place.filter(|place| place.class.is_moment()).map(|place| Known {
                        class: place.class,
                        zone: place.zone,
                        start: start_of_day(place),
                        part: found,
                    });
                    found
                }
            };
            parts.push(found);
            last = (*id, found);
        }
        Ok(parts)
    }
}

/// Takes a part of a value; none is an error.
pub(super) fn part_of_moment<'a>(part: Simple, value: &Value<'_>) -> Outcome<Option<Value<'a>>> {
    let number = match value {
        Value::Literal(ExpressionTerm::DateTimeLiteral(moment)) => match part {
            Simple::Year => moment.year(),
            Simple::Month => moment.month().into(),
            _ => moment.day().into(),
        },
        Value::Literal(ExpressionTerm::DateLiteral(date)) => match part {
            Simple::Year => date.year(),
            Simple::Month => date.month().into(),
            _ => date.day().into(),
        },
        Value::Literal(
            ExpressionTerm::IntegerLiteral(_) | ExpressionTerm::DecimalLiteral(_) | ExpressionTerm::BooleanLiteral(_),
        )
        | Value::Node(_)
        | Value::Text(_)
        | Value::Tagged(..) => return Ok(None),
        // A gYear has a year too.
        Value::Literal(_) => return Err(Stop::Unknown),
    };
    Ok(Some(Value::integer(number)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::storage::term::encode;

    fn place(text: &str) -> Place {
        let datatype = oxigraph::model::NamedNode::new_unchecked("http://www.w3.org/2001/XMLSchema#dateTime");
        let mut bytes = Vec::new();
        encode((&oxigraph::model::Literal::new_typed_literal(text, datatype)).into(), &mut bytes);
        Place::of(&bytes)
    }

    proptest! {
        #[test]
        fn a_day_ends_where_its_date_does(
            (year, month, day) in (-20_i32..3000, 1..=12, 1..=28),
            (hour, minute, second) in (0..24, 0..60, 0..60),
            zone in prop_oneof![Just(None), (-840..=840).prop_map(Some)],
        ) {
            let year = if year < 0 { format!("-{:04}", -year) } else { format!("{year:04}") };
            let zone = zone.map_or_else(String::new, |zone: i32| {
                format!("{}{:02}:{:02}", if zone < 0 { '-' } else { '+' }, zone.abs() / 60, zone.abs() % 60)
            });
            let at = |time: &str| place(&format!("{year}-{month:02}-{day:02}T{time}{zone}"));
            let now = at(&format!("{hour:02}:{minute:02}:{second:02}"));
            let known = Known { class: now.class, zone: now.zone, start: start_of_day(now), part: 0 };
            prop_assert!(known.has(now) && known.has(at("00:00:00")) && known.has(at("23:59:59.999")));
            prop_assert_eq!(known.start, at("00:00:00").value);
        }
    }
}
