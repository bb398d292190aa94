//! Cuts a query into words, each with its place (SPARQL 1.1, section 19.8, the terminals).

/// One word of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Where it begins, in bytes.
    pub(super) at: usize,
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Iri,
    /// `prefix:name`, where either part may be empty.
    Name,
    Blank,
    Variable,
    Text,
    /// `@en`.
    Language,
    Number,
    /// A keyword, or a function's name.
    Word,
    Sign,
    /// A text whose quotes are never closed.
    OpenText,
    /// What begins no word.
    Stray,
    End,
}

/// Signs of two characters; every other is one.
const DOUBLE: [&str; 6] = ["^^", "||", "&&", "!=", "<=", ">="];

/// Cuts the whole text; the last word is the end.
pub(super) fn cut(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_ascii_whitespace() || c == '\u{feff}' {
            at += c.len_utf8();
            continue;
        }
        if c == '#' {
            at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            continue;
        }
        let (kind, length) = one(rest, c);
        tokens.push(Token { kind, text: &rest[..length], at });
        at += length;
    }
    tokens.push(Token { kind: Kind::End, text: "", at: text.len() });
    tokens
}

fn one(rest: &str, first: char) -> (Kind, usize) {
    match first {
        '<' => iri(rest).map_or_else(|| (Kind::Sign, sign(rest)), |length| (Kind::Iri, length)),
        '"' | '\'' => quoted(rest, first),
        '?' | '$' => match letters(&rest[1..], |c| is_letter(c) || c.is_ascii_digit()) {
            0 => (Kind::Sign, 1),
            length => (Kind::Variable, 1 + length),
        },
        '@' => match letters(&rest[1..], |c| c.is_ascii_alphanumeric() || c == '-') {
            0 => (Kind::Stray, 1),
            length => (Kind::Language, 1 + length),
        },
        '_' if rest.starts_with("_:") => (Kind::Blank, 2 + without_dots(&rest[2..], is_inner)),
        '0'..='9' => (Kind::Number, number(rest)),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => (Kind::Number, number(rest)),
        ':' => (Kind::Name, 1 + local(&rest[1..])),
        c if is_letter(c) => {
            let length = without_dots(rest, is_inner);
            match rest[length..].strip_prefix(':') {
                Some(name) => (Kind::Name, length + 1 + local(name)),
                None => (Kind::Word, letters(rest, |c| c.is_ascii_alphanumeric() || is_letter(c))),
            }
        }
        '{' | '}' | '(' | ')' | '[' | ']' | '.' | ';' | ',' | '*' | '/' | '|' | '^' | '!' | '+' | '-' | '=' | '>'
        | '&' => (Kind::Sign, sign(rest)),
        other => (Kind::Stray, other.len_utf8()),
    }
}

fn sign(rest: &str) -> usize {
    if DOUBLE.iter().any(|double| rest.starts_with(double)) { 2 } else { 1 }
}

/// Returns the length of an IRI in its brackets; `<` is an operator where none begins.
fn iri(rest: &str) -> Option<usize> {
    let end = rest[1..].find(['>', '<', '"', '{', '}', '|', '^', '`', ' ', '\t', '\n', '\r'])?;
    rest[1 + end..].starts_with('>').then_some(end + 2)
}

fn quoted(rest: &str, quote: char) -> (Kind, usize) {
    let triple = quote.to_string().repeat(3);
    let is_long = rest.starts_with(&triple);
    let close = if is_long { triple.as_str() } else { &rest[..1] };
    let mut at = close.len();
    while let Some(c) = rest[at..].chars().next() {
        if rest[at..].starts_with(close) {
            return (Kind::Text, at + close.len());
        }
        if matches!(c, '\n' | '\r') && !is_long {
            break;
        }
        at += c.len_utf8();
        if c == '\\' {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    (Kind::OpenText, at)
}

fn letters(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_in(c)).unwrap_or(text.len())
}

/// The same, where a dot may stand inside but not at the end.
fn without_dots(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    let length = letters(text, |c| is_in(c) || c == '.');
    text[..length].trim_end_matches('.').len()
}

/// Returns the length of what stands after a name's colon, with its escapes.
fn local(text: &str) -> usize {
    let (mut at, mut escaped_to) = (0, 0);
    loop {
        at += letters(&text[at..], |c| is_inner(c) || matches!(c, '.' | ':' | '%'));
        let escaped = text[at..].strip_prefix('\\').and_then(|rest| rest.chars().next());
        match escaped.filter(char::is_ascii_punctuation) {
            Some(c) => at += 1 + c.len_utf8(),
            // A dot at the end is the statement's, unless it is escaped.
            None => return text[..at].trim_end_matches('.').len().max(escaped_to),
        }
        escaped_to = at;
    }
}

fn number(rest: &str) -> usize {
    let digits = |at: usize| at + letters(&rest[at..], |c| c.is_ascii_digit());
    let mut at = digits(0);
    // `1.` is a number and a dot where no digit follows.
    if rest[at..].starts_with('.') && rest[at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        at = digits(at + 1);
    }
    if rest[at..].starts_with(['e', 'E']) {
        let signed = at + 1 + usize::from(rest[at + 1..].starts_with(['+', '-']));
        if rest[signed..].starts_with(|c: char| c.is_ascii_digit()) {
            return digits(signed);
        }
    }
    at
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_inner(c: char) -> bool {
    is_letter(c) || c.is_numeric() || matches!(c, '-' | '\u{b7}')
}
