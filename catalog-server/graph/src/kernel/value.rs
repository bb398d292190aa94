//! Values of expressions, compared as spareval compares them.

use std::borrow::Cow;
use std::cmp::Ordering;

use oxigraph::model::Term;
use oxsdatatypes::{Boolean, Decimal, Double, Float};
use spareval::ExpressionTerm;

use super::{Outcome, Stop};

/// What an expression works on.
#[derive(Clone)]
pub(super) enum Value<'a> {
    /// A blank node or an IRI, by its id.
    Node(u32),
    /// A string.
    Text(Cow<'a, str>),
    /// A string with a language.
    Tagged(Cow<'a, str>, Cow<'a, str>),
    /// Every other literal.
    Literal(ExpressionTerm),
}

impl Value<'_> {
    /// Returns the same value without a copy of its text.
    pub(super) fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Node(id) => Value::Node(*id),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Tagged(text, language) => Value::Tagged(Cow::Borrowed(text), Cow::Borrowed(language)),
            Self::Literal(literal) => Value::Literal(literal.clone()),
        }
    }

    /// Makes a truth value.
    pub(super) fn truth(truth: bool) -> Self {
        Self::Literal(ExpressionTerm::BooleanLiteral(truth.into()))
    }

    /// Makes a whole number.
    pub(super) fn integer(number: i64) -> Self {
        Self::Literal(ExpressionTerm::IntegerLiteral(number.into()))
    }

    /// Returns the effective boolean value; none is an error.
    pub(super) fn effective_boolean_value(&self) -> Option<bool> {
        match self {
            Self::Text(text) => Some(!text.is_empty()),
            Self::Literal(ExpressionTerm::BooleanLiteral(value)) => Some((*value).into()),
            Self::Literal(ExpressionTerm::IntegerLiteral(value)) => Some(Boolean::from(*value).into()),
            Self::Literal(ExpressionTerm::DecimalLiteral(value)) => Some(Boolean::from(*value).into()),
            Self::Literal(ExpressionTerm::FloatLiteral(value)) => Some(Boolean::from(*value).into()),
            Self::Literal(ExpressionTerm::DoubleLiteral(value)) => Some(Boolean::from(*value).into()),
            _ => None,
        }
    }

    /// Returns what STR gives for a literal.
    pub(super) fn literal_text(literal: &ExpressionTerm) -> String {
        match Term::from(literal.clone()) {
            Term::Literal(literal) => literal.destruct().0,
            other => other.to_string(),
        }
    }
}

/// A number of one of the four types of XPath.
#[derive(Clone, Copy)]
enum Number {
    Integer(oxsdatatypes::Integer),
    Decimal(Decimal),
    Float(Float),
    Double(Double),
}

impl Number {
    fn of(term: &ExpressionTerm) -> Option<Self> {
        match term {
            ExpressionTerm::IntegerLiteral(value) => Some(Self::Integer(*value)),
            ExpressionTerm::DecimalLiteral(value) => Some(Self::Decimal(*value)),
            ExpressionTerm::FloatLiteral(value) => Some(Self::Float(*value)),
            ExpressionTerm::DoubleLiteral(value) => Some(Self::Double(*value)),
            _ => None,
        }
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.partial_cmp(&b),
            (Self::Integer(a), Self::Decimal(b)) => Decimal::from(a).partial_cmp(&b),
            (Self::Decimal(a), Self::Integer(b)) => a.partial_cmp(&Decimal::from(b)),
            (Self::Decimal(a), Self::Decimal(b)) => a.partial_cmp(&b),
            (Self::Double(_), _) | (_, Self::Double(_)) => self.double().partial_cmp(&other.double()),
            _ => self.float().partial_cmp(&other.float()),
        }
    }

    fn double(self) -> Double {
        match self {
            Self::Integer(value) => value.into(),
            Self::Decimal(value) => value.into(),
            Self::Float(value) => value.into(),
            Self::Double(value) => value,
        }
    }

    fn float(self) -> Float {
        match self {
            Self::Integer(value) => value.into(),
            Self::Decimal(value) => value.into(),
            Self::Float(value) => value,
            Self::Double(value) => value.into(),
        }
    }
}

/// Says whether two values are equal, as `=` does; none is an error.
pub(super) fn equals(a: &Value<'_>, b: &Value<'_>) -> Outcome<Option<bool>> {
    use ExpressionTerm as E;
    Ok(match (a, b) {
        (Value::Node(a), Value::Node(b)) => Some(a == b),
        (Value::Node(_), _) | (_, Value::Node(_)) => Some(false),
        (Value::Tagged(a, la), Value::Tagged(b, lb)) => Some(a == b && la == lb),
        (Value::Tagged(..), _) | (_, Value::Tagged(..)) => Some(false),
        (Value::Text(a), Value::Text(b)) => Some(a == b),
        (Value::Text(_), Value::Literal(literal)) | (Value::Literal(literal), Value::Text(_)) => {
            plain(literal)?;
            Some(false)
        }
        (Value::Literal(a), Value::Literal(b)) => {
            plain(a)?;
            plain(b)?;
            match (Number::of(a), Number::of(b)) {
                (Some(a), Some(b)) => Some(a.compare(b) == Some(Ordering::Equal)),
                (None, None) => match (a, b) {
                    (E::BooleanLiteral(a), E::BooleanLiteral(b)) => Some(a == b),
                    (E::DateTimeLiteral(a), E::DateTimeLiteral(b)) => Some(a == b),
                    (E::DateLiteral(a), E::DateLiteral(b)) => Some(a == b),
                    _ => Some(false),
                },
                _ => Some(false),
            }
        }
    })
}

/// Compares two values as `<` does; none is an error.
pub(super) fn compare(a: &Value<'_>, b: &Value<'_>) -> Outcome<Option<Ordering>> {
    use ExpressionTerm as E;
    Ok(match (a, b) {
        (Value::Node(a), Value::Node(b)) => (a == b).then_some(Ordering::Equal),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Tagged(a, la), Value::Tagged(b, lb)) => (la == lb).then(|| a.cmp(b)),
        (Value::Literal(a), Value::Literal(b)) => {
            plain(a)?;
            plain(b)?;
            match (Number::of(a), Number::of(b)) {
                (Some(a), Some(b)) => a.compare(b),
                _ => match (a, b) {
                    (E::BooleanLiteral(a), E::BooleanLiteral(b)) => (a == b).then_some(Ordering::Equal),
                    (E::DateTimeLiteral(a), E::DateTimeLiteral(b)) => a.partial_cmp(b),
                    (E::DateLiteral(a), E::DateLiteral(b)) => a.partial_cmp(b),
                    _ => None,
                },
            }
        }
        (Value::Literal(literal), _) | (_, Value::Literal(literal)) => {
            plain(literal)?;
            None
        }
        _ => None,
    })
}

/// Refuses literals whose comparisons are not told apart here: not-a-number, durations, times, unknown datatypes.
fn plain(literal: &ExpressionTerm) -> Outcome<()> {
    use ExpressionTerm as E;
    match literal {
        E::IntegerLiteral(_)
        | E::DecimalLiteral(_)
        | E::BooleanLiteral(_)
        | E::DateTimeLiteral(_)
        | E::DateLiteral(_) => Ok(()),
        E::FloatLiteral(value) if !value.is_nan() => Ok(()),
        E::DoubleLiteral(value) if !value.is_nan() => Ok(()),
        _ => Err(Stop::Unknown),
    }
}

/// Adds, subtracts or multiplies whole numbers and decimals; other operands are left to spareval.
pub(super) fn arithmetic<'a>(operator: Operator, a: &Value<'_>, b: &Value<'_>) -> Outcome<Option<Value<'a>>> {
    let (Value::Literal(a), Value::Literal(b)) = (a, b) else { return Ok(None) };
    plain(a)?;
    plain(b)?;
    Ok(match (Number::of(a), Number::of(b)) {
        (Some(Number::Integer(a)), Some(Number::Integer(b))) => {
            let result = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
            };
            result.map(|value| Value::Literal(ExpressionTerm::IntegerLiteral(value)))
        }
        (Some(a @ (Number::Integer(_) | Number::Decimal(_))), Some(b @ (Number::Integer(_) | Number::Decimal(_)))) => {
            let decimal = |number| match number {
                Number::Integer(value) => Decimal::from(value),
                Number::Decimal(value) => value,
                Number::Float(_) | Number::Double(_) => Decimal::default(),
            };
            let (a, b) = (decimal(a), decimal(b));
            let result = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
            };
            result.map(|value| Value::Literal(ExpressionTerm::DecimalLiteral(value)))
        }
        _ => return Err(Stop::Unknown),
    })
}

/// An operator of arithmetic.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}
