//! The expressions of a query: conditions, functions and their arguments.

use super::reader::{Read, Reader, cropped, fault, nearest, shown};
use super::token::Kind;

pub(super) const AGGREGATES: [&str; 7] = ["COUNT", "SUM", "MIN", "MAX", "AVG", "SAMPLE", "GROUP_CONCAT"];

#[rustfmt::skip]
const FUNCTIONS: [&str; 52] = [
    "STR", "LANG", "LANGMATCHES", "DATATYPE", "BOUND", "IRI", "URI", "BNODE", "RAND", "ABS", "CEIL", "FLOOR", "ROUND", "CONCAT",
    "STRLEN", "UCASE", "LCASE", "ENCODE_FOR_URI", "CONTAINS", "STRSTARTS", "STRENDS", "STRBEFORE", "STRAFTER", "YEAR", "MONTH", "DAY",
    "HOURS", "MINUTES", "SECONDS", "TIMEZONE", "TZ", "NOW", "UUID", "STRUUID", "MD5", "SHA1", "SHA256", "SHA384", "SHA512", "COALESCE",
    "IF", "STRLANG", "STRDT", "SAMETERM", "ISIRI", "ISURI", "ISBLANK", "ISLITERAL", "ISNUMERIC", "REGEX", "SUBSTR", "REPLACE",
];

impl Reader<'_> {
    pub(super) fn constraint(&mut self) -> Read {
        let token = self.peek();
        if token.text == "(" {
            return self.bracketed("(", ")", Self::expression);
        }
        if matches!(token.kind, Kind::Iri | Kind::Name | Kind::Word) {
            return self.primary();
        }
        let fix = "put the condition into brackets, as `FILTER(?year > 2020)`".to_owned();
        Err(self.told(
            format!("a condition in brackets is expected, not {}", shown(token)),
            "`(` or a function",
            Some(fix),
        ))
    }

    pub(super) fn expression(&mut self) -> Read {
        loop {
            while self.sign("!") || self.sign("-") || self.sign("+") {}
            self.primary()?;
            if self.take("IN") || (self.peek().is("NOT") && self.take("NOT")) {
                let _ = self.take("IN");
                self.arguments()?;
            }
            let operators = ["||", "&&", "=", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/"];
            if !operators.iter().any(|operator| self.sign(operator)) {
                let token = self.peek();
                return match token.text {
                    "&" | "|" => Err(fault(
                        token,
                        format!("`{0}` stands alone", token.text),
                        Some(format!("write `{0}{0}`", token.text)),
                    )),
                    _ => Ok(()),
                };
            }
        }
    }

    fn primary(&mut self) -> Read {
        const EXPECTED: &str = "a value: a variable, a text, a number, an IRI, a function or `(`";
        let token = self.peek();
        match token.kind {
            Kind::Variable => {
                self.next += 1;
                Ok(())
            }
            Kind::Sign if token.text == "(" => self.bracketed("(", ")", Self::expression),
            Kind::Iri | Kind::Name => {
                self.name(EXPECTED)?;
                if self.peek().text == "(" { self.arguments() } else { Ok(()) }
            }
            Kind::Word if !(token.is("true") || token.is("false")) => self.function(),
            _ => self.constant(EXPECTED),
        }
    }

    fn function(&mut self) -> Read {
        let token = self.peek();
        if self.take("EXISTS") {
            return self.group();
        }
        if self.take("NOT") {
            self.word("EXISTS", "EXISTS")?;
            return self.group();
        }
        let known = FUNCTIONS.iter().chain(&AGGREGATES).any(|name| token.is(name));
        if !known {
            let names = [&FUNCTIONS[..], &AGGREGATES].concat();
            let fix = nearest(token.text, &names).map(|name| format!("did you mean `{name}`?"));
            let other = || "write a text in quotes, a variable with `?`, a name with its prefix".to_owned();
            return Err(fault(
                token,
                format!("there is no function `{}`", cropped(token.text)),
                Some(fix.unwrap_or_else(other)),
            ));
        }
        self.next += 1;
        self.arguments()
    }

    fn arguments(&mut self) -> Read {
        self.bracketed("(", ")", |reader| {
            let _ = reader.take("DISTINCT");
            if reader.sign("*") || reader.peek().text == ")" {
                return Ok(());
            }
            reader.expression()?;
            while reader.sign(",") {
                reader.expression()?;
            }
            if reader.sign(";") {
                reader.word("SEPARATOR", "SEPARATOR")?;
                if !reader.sign("=") {
                    return Err(reader.wrong("`=`"));
                }
                return reader.kind(Kind::Text, "a text in quotes");
            }
            Ok(())
        })
    }
}
