//! Terms as bytes, and the order in which a dictionary keeps them.
//!
//! The order is the one of SPARQL's ORDER BY inside each class, so that comparing two ids compares two values.

use std::cmp::Ordering;

use oxigraph::model::{BlankNode, Literal, NamedNode, Term, TermRef};
use oxsdatatypes::{Date, DateTime, Decimal};
use spareval::ExpressionTerm;

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// What a term is, in the order of ORDER BY; ids of one class are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Class {
    /// A blank node.
    Blank,
    /// An IRI.
    Iri,
    /// `xsd:integer`, what is derived from it, and `xsd:decimal`.
    Number,
    /// A dateTime that knows its time zone.
    DateTimeZoned,
    /// A dateTime without a time zone.
    DateTimeLocal,
    /// A date that knows its time zone.
    DateZoned,
    /// A date without a time zone.
    DateLocal,
    /// `true` or `false`.
    Boolean,
    /// A string with or without a language.
    Text,
    /// Every other literal: floating point, durations, times, unknown datatypes and ill-formed values.
    Other,
}

impl Class {
    /// How many there are.
    pub(crate) const COUNT: usize = 10;
    /// All, in order.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Blank,
        Self::Iri,
        Self::Number,
        Self::DateTimeZoned,
        Self::DateTimeLocal,
        Self::DateZoned,
        Self::DateLocal,
        Self::Boolean,
        Self::Text,
        Self::Other,
    ];

    /// Says whether terms of this class have a number that orders them, kept beside the dictionary.
    pub(crate) fn has_value(self) -> bool {
        (Self::Number..=Self::Boolean).contains(&self)
    }

    /// Says whether this class is one of dates or times.
    pub(crate) fn is_moment(self) -> bool {
        (Self::DateTimeZoned..=Self::DateLocal).contains(&self)
    }

    /// Says whether this class is one of literals.
    pub(crate) fn is_literal(self) -> bool {
        self >= Self::Number
    }
}

/// The number one as `xsd:decimal` is kept: with eighteen digits behind the point.
pub(crate) const ONE: i128 = 1_000_000_000_000_000_000;

/// How the bytes of an `xsd:decimal` begin.
pub(crate) const DECIMAL: &[u8] = b"Xdecimal\0";

/// No time zone.
pub(crate) const NO_ZONE: i16 = -1;

/// A term's place in the order, apart from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// What it is.
    pub(crate) class: Class,
    /// The number that orders it in a class that has values; 0 elsewhere.
    pub(crate) value: i128,
    /// Minutes of its time zone, which does not order.
    pub(crate) zone: i16,
}

impl Place {
    fn plain(class: Class) -> Self {
        Self { class, value: 0, zone: NO_ZONE }
    }

    /// Finds the place of a term.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes.first() {
            Some(b'B') => Self::plain(Class::Blank),
            Some(b'I') => Self::plain(Class::Iri),
            Some(b'S' | b'L') => Self::plain(Class::Text),
            _ => match expression_term(bytes) {
                ExpressionTerm::IntegerLiteral(value) => Self::number(Decimal::from(value)),
                ExpressionTerm::DecimalLiteral(value) => Self::number(value),
                ExpressionTerm::BooleanLiteral(value) => {
                    Self { class: Class::Boolean, value: i128::from(bool::from(value)), zone: NO_ZONE }
                }
                ExpressionTerm::DateTimeLiteral(value) => {
                    let classes = (Class::DateTimeZoned, Class::DateTimeLocal);
                    Self::moment(value.to_be_bytes(), value.timezone_offset().is_some(), classes)
                }
                ExpressionTerm::DateLiteral(value) => {
                    let classes = (Class::DateZoned, Class::DateLocal);
                    Self::moment(value.to_be_bytes(), value.timezone_offset().is_some(), classes)
                }
                _ => Self::plain(Class::Other),
            },
        }
    }

    fn number(value: Decimal) -> Self {
        Self { class: Class::Number, value: i128::from_be_bytes(value.to_be_bytes()), zone: NO_ZONE }
    }

    fn moment(bytes: [u8; 18], zoned: bool, (with, without): (Class, Class)) -> Self {
        let (value, zone) = bytes.split_at(16);
        let value = value.try_into().map_or(0, i128::from_be_bytes);
        let zone = zone.try_into().map_or(NO_ZONE, i16::from_be_bytes);
        match (zoned, zone) {
            // The datatype library writes one minute west of Greenwich as it writes no zone at all.
            (true, NO_ZONE) => Self::plain(Class::Other),
            (true, _) => Self { class: with, value, zone },
            (false, _) => Self { class: without, value, zone: NO_ZONE },
        }
    }

    /// Compares two terms that have places.
    pub(crate) fn compare(self, bytes: &[u8], other: Self, other_bytes: &[u8]) -> Ordering {
        (self.class, self.value).cmp(&(other.class, other.value)).then_with(|| match self.class {
            // As spareval does: by text, then by datatype (rdf:langString before xsd:string), then by language.
            Class::Text => text_key(bytes).cmp(&text_key(other_bytes)),
            _ => bytes.cmp(other_bytes),
        })
    }

    /// Makes the value that expressions work on, when the place alone says it.
    pub(crate) fn expression_term(self, bytes: &[u8]) -> ExpressionTerm {
        let moment = || {
            let mut whole = [0; 18];
            whole[..16].copy_from_slice(&self.value.to_be_bytes());
            whole[16..].copy_from_slice(&self.zone.to_be_bytes());
            whole
        };
        match self.class {
            Class::DateTimeZoned | Class::DateTimeLocal => {
                ExpressionTerm::DateTimeLiteral(DateTime::from_be_bytes(moment()))
            }
            Class::DateZoned | Class::DateLocal => ExpressionTerm::DateLiteral(Date::from_be_bytes(moment())),
            Class::Number if bytes.starts_with(DECIMAL) => {
                ExpressionTerm::DecimalLiteral(Decimal::from_be_bytes(self.value.to_be_bytes()))
            }
            Class::Number => match i64::try_from(self.value / ONE) {
                Ok(value) => ExpressionTerm::IntegerLiteral(value.into()),
                Err(_) => expression_term(bytes),
            },
            Class::Boolean => ExpressionTerm::BooleanLiteral((self.value != 0).into()),
            _ => expression_term(bytes),
        }
    }
}

fn text_key(bytes: &[u8]) -> (&[u8], bool, &[u8]) {
    match bytes.split_first() {
        Some((b'L', rest)) => {
            let (language, value) = split(rest);
            (value, false, language)
        }
        Some((_, rest)) => (rest, true, &[]),
        None => (&[], true, &[]),
    }
}

/// Splits at the first zero byte, which stands between a language or datatype and the text.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    memchr::memchr(0, bytes).map_or((&[], bytes), |at| (&bytes[..at], &bytes[at + 1..]))
}

/// Returns the language of a term that has one.
pub(crate) fn language(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"L").map(|rest| split(rest).0)
}

/// Returns what STR gives, except for a blank node, which has no STR.
pub(crate) fn lexical(bytes: &[u8]) -> &[u8] {
    match bytes.split_first() {
        Some((b'L' | b'T' | b'X', rest)) => split(rest).1,
        Some((_, rest)) => rest,
        None => &[],
    }
}

/// Writes a term as the dictionary keeps it.
pub(crate) fn encode(term: TermRef<'_>, into: &mut Vec<u8>) {
    into.clear();
    match term {
        TermRef::NamedNode(node) => {
            into.push(b'I');
            into.extend_from_slice(node.as_str().as_bytes());
        }
        TermRef::BlankNode(node) => {
            into.push(b'B');
            into.extend_from_slice(node.as_str().as_bytes());
        }
        TermRef::Literal(literal) => {
            let datatype = literal.datatype().as_str();
            if let Some(language) = literal.language() {
                into.push(b'L');
                into.extend_from_slice(language.as_bytes());
                into.push(0);
            } else if let Some(local) = datatype.strip_prefix(XSD) {
                if local == "string" {
                    into.push(b'S');
                } else {
                    into.push(b'X');
                    into.extend_from_slice(local.as_bytes());
                    into.push(0);
                }
            } else {
                into.push(b'T');
                into.extend_from_slice(datatype.as_bytes());
                into.push(0);
            }
            into.extend_from_slice(literal.value().as_bytes());
        }
        // A triple term of RDF 1.2 when another crate of the build asks for them: no parser here makes one.
        #[allow(unreachable_patterns, reason = "depends on a feature of oxrdf that others may turn on")]
        _ => into.push(b'B'),
    }
}

/// Reads a term as the dictionary keeps it; bytes of a damaged file become some term, never a panic.
pub(crate) fn decode(bytes: &[u8]) -> Term {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match bytes.split_first() {
        Some((b'I', rest)) => NamedNode::new_unchecked(text(rest)).into(),
        Some((b'B', rest)) => BlankNode::new_unchecked(text(rest)).into(),
        Some((b'L', rest)) => {
            let (language, value) = split(rest);
            Literal::new_language_tagged_literal_unchecked(text(value), text(language)).into()
        }
        Some((b'X', rest)) => {
            let (local, value) = split(rest);
            let datatype = NamedNode::new_unchecked(format!("{XSD}{}", String::from_utf8_lossy(local)));
            Literal::new_typed_literal(text(value), datatype).into()
        }
        Some((b'T', rest)) => {
            let (datatype, value) = split(rest);
            Literal::new_typed_literal(text(value), NamedNode::new_unchecked(text(datatype))).into()
        }
        Some((_, rest)) => Literal::new_simple_literal(text(rest)).into(),
        None => Literal::new_simple_literal("").into(),
    }
}

/// Makes the value that expressions work on.
pub(crate) fn expression_term(bytes: &[u8]) -> ExpressionTerm {
    decode(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(term: &Term) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(term.as_ref(), &mut bytes);
        bytes
    }

    fn typed(value: &str, local: &str) -> Term {
        Literal::new_typed_literal(value, NamedNode::new_unchecked(format!("{XSD}{local}"))).into()
    }

    #[test]
    fn terms_come_back_from_their_bytes() {
        for term in [
            NamedNode::new_unchecked("http://e/a").into(),
            BlankNode::new_unchecked("b0").into(),
            Literal::new_simple_literal("a\0b").into(),
            Literal::new_language_tagged_literal_unchecked("x", "en-gb").into(),
            typed("2024-01-01T00:00:00Z", "dateTime"),
            typed("nonsense", "date"),
            Term::from(Literal::new_typed_literal("POINT(1 2)", NamedNode::new_unchecked("http://e/wkt"))),
        ] {
            assert_eq!(decode(&bytes(&term)), term);
            let (bytes, value) = (bytes(&term), ExpressionTerm::from(term));
            assert!(Place::of(&bytes).expression_term(&bytes) == value);
        }
    }

    #[test]
    fn the_order_is_the_one_of_values() {
        let ascending = [
            typed("-1", "integer"),
            typed("02", "integer"),
            typed("2.5", "decimal"),
            typed("10", "int"),
            typed("2024-01-01T00:30:00+01:00", "dateTime"),
            typed("2024-01-01T00:00:00Z", "dateTime"),
            typed("2024-01-01T00:00:00", "dateTime"),
            typed("2023-12-31", "date"),
            typed("2024-01-01", "date"),
            typed("false", "boolean"),
            Literal::new_language_tagged_literal_unchecked("a", "en").into(),
            Literal::new_simple_literal("a").into(),
            Literal::new_language_tagged_literal_unchecked("b", "de").into(),
            Literal::new_language_tagged_literal_unchecked("b", "en").into(),
            typed("1.0", "double"),
        ];
        for pair in ascending.windows(2) {
            let (a, b) = (bytes(&pair[0]), bytes(&pair[1]));
            assert_eq!(Place::of(&a).compare(&a, Place::of(&b), &b), Ordering::Less, "{} {}", pair[0], pair[1]);
        }
        let (one, other) = (bytes(&typed("1", "integer")), bytes(&typed("1.0", "decimal")));
        assert_eq!(Place::of(&one).value, Place::of(&other).value);
    }
}
