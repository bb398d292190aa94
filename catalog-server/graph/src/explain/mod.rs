//! Says what is wrong with a query in plain words: where, what stands there, what is expected, and what to do.
//!
//! The parser below says how far it got and every character that would have led on, which helps nobody. So a query that
//! it refused is read again here, word by word, by the grammar alone; what that finds nothing wrong with breaks a rule
//! beyond the grammar, of which the parser has words.

mod expression;
mod grammar;
mod prefixes;
mod reader;
mod token;

use serde::{Deserialize, Serialize};

/// What is wrong with a query's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxFault {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// What stands there; nothing at the end.
    pub got: Option<String>,
    /// What is expected there, where that can be said.
    pub expected: Option<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl std::fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        self.fix.as_ref().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

/// What is wrong, with the place in bytes.
struct Fault {
    at: usize,
    got: Option<String>,
    expected: Option<String>,
    message: String,
    fix: Option<String>,
}

/// The rules beyond the grammar as the parser says them, in plain words, with what to do.
const RULES: [(&str, &str, &str); 9] = [
    (
        "BIND is overriding an existing variable",
        "BIND gives a value to a variable that has one already",
        "use another name after AS",
    ),
    (
        "Repeated variables are not allowed in VALUES clauses.",
        "a variable stands twice in VALUES",
        "name each variable once",
    ),
    (
        "The VALUES clause rows should have exactly the same number of values as there are variables.",
        "a row of VALUES has not as many values as there are variables",
        "write UNDEF where a value is missing",
    ),
    ("Already used blank node id", "a blank node's name is used in two groups", "use a variable instead"),
    ("IRI parsing failed", "an IRI is not valid", "percent-encode what no IRI may hold, such as a space (`%20`)"),
    ("language tag parsing failed", "a language tag is not valid", "write a tag such as `@en` or `@pt-BR`"),
    (
        "Unexpected aggregate",
        "an aggregate stands where none may be",
        "use it in SELECT, HAVING or ORDER BY, or in a SELECT of its own within braces",
    ),
    (
        "The character that can be escaped in strings are",
        "a backslash in a text is followed by what it does not escape",
        "write `\\\\` for a backslash",
    ),
    ("The LATERAL modifier is not supported", "LATERAL is not offered here", "use OPTIONAL or a SELECT within braces"),
];

/// Explains why the parser refused a text.
pub(crate) fn explain(text: &str, said: &str) -> SyntaxFault {
    let fault = match grammar::check(text) {
        Ok(suspects) => suspects.into_iter().next().unwrap_or_else(|| beyond_grammar(text, said)),
        Err(fault) => fault,
    };
    let before = text.get(..fault.at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    SyntaxFault {
        line: count(before.matches('\n').count() + 1),
        column: count(before[line_start..].chars().count() + 1),
        got: fault.got,
        expected: fault.expected,
        message: fault.message,
        fix: fault.fix,
    }
}

fn beyond_grammar(text: &str, said: &str) -> Fault {
    let at = place(text, said).unwrap_or(0);
    let rule = RULES.iter().find(|(words, ..)| said.contains(words));
    let (message, fix) = match rule {
        Some((_, message, fix)) => ((*message).to_owned(), Some((*fix).to_owned())),
        // The parser's other words, such as of SPARQL 1.2, are sentences of their own.
        None => match sentence(said) {
            Some(words) => (words, None),
            None => ("this is not SPARQL 1.1".to_owned(), None),
        },
    };
    Fault { at, got: None, expected: None, message, fix }
}

/// Returns the first sentence among the parser's words: it begins with a capital, and is no keyword.
fn sentence(said: &str) -> Option<String> {
    let (_, expected) = said.split_once("expected ")?;
    let mut parts = expected.trim_start_matches("one of ").split(", ");
    let part =
        parts.find(|part| part.starts_with(|c: char| c.is_ascii_uppercase()) && part.matches(' ').count() > 2)?;
    let mut letters = part.chars();
    let first = letters.next()?;
    Some(first.to_lowercase().chain(letters).collect::<String>().trim_end_matches('.').to_owned())
}

/// Reads the place that the parser names, `error at 1:29: …`.
fn place(text: &str, said: &str) -> Option<usize> {
    let (line, rest) = said.strip_prefix("error at ")?.split_once(':')?;
    let (column, _) = rest.split_once(':')?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let start = if line == 1 { 0 } else { text.match_indices('\n').nth(line.checked_sub(2)?)?.0 + 1 };
    let within = text[start..].char_indices().nth(column.checked_sub(1)?).map(|(at, _)| at);
    Some(start + within.unwrap_or(text.len() - start))
}

#[cfg(test)]
mod tests;
