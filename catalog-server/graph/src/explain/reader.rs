//! Where the reading of a query stands, and how it says what it expected.

use std::collections::{HashMap, HashSet};

use super::token::{Kind, Token, cut};
use super::{Fault, prefixes};

/// Whether something could be read.
pub(super) type Read = Result<(), Fault>;

/// How deep it goes; the guard lets less through, but reads some texts otherwise.
const DEEPEST: usize = 500;

/// What a SELECT names.
#[derive(Default)]
pub(super) struct Selected<'a> {
    pub(super) star: Option<Token<'a>>,
    /// Variables by themselves.
    pub(super) plain: Vec<Token<'a>>,
    /// Names that follow AS.
    pub(super) named: Vec<Token<'a>>,
    /// An aggregate is among the expressions.
    pub(super) has_aggregate: bool,
}

/// A text that is being read.
#[derive(Default)]
pub(super) struct Reader<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) next: usize,
    pub(super) prefixes: HashSet<&'a str>,
    /// What breaks a rule beyond the grammar, when nothing else does.
    pub(super) suspects: Vec<Fault>,
    /// The variables that have a value, by the groups that are open.
    bound: Vec<HashSet<&'a str>>,
    /// The group that a blank node's name was first used in.
    blanks: HashMap<&'a str, usize>,
    groups: usize,
    /// The brackets that are open.
    open: Vec<Token<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { tokens: cut(text), next: 0, open: Vec::new(), ..Self::default() }
    }

    pub(super) fn name_or_variable(&mut self) -> Read {
        if self.peek().kind == Kind::Variable {
            self.next += 1;
            return Ok(());
        }
        self.name("a variable or an IRI")
    }

    /// An IRI or a name, whose prefix has to be declared.
    pub(super) fn name(&mut self, expected: &str) -> Read {
        let token = self.peek();
        match token.kind {
            Kind::Iri => {}
            Kind::Name => {
                let (prefix, _) = token.text.split_once(':').unwrap_or((token.text, ""));
                if !self.prefixes.contains(prefix) {
                    let iri = prefixes::usual(prefix).unwrap_or("the namespace's IRI");
                    let fix = format!("add `PREFIX {}: <{iri}>` before the query", cropped(prefix));
                    return Err(fault(token, format!("the prefix `{}:` is not declared", cropped(prefix)), Some(fix)));
                }
            }
            _ => return Err(self.wrong(expected)),
        }
        self.next += 1;
        Ok(())
    }

    pub(super) fn bracketed(&mut self, open: &str, close: &str, inside: impl FnOnce(&mut Self) -> Read) -> Read {
        let token = self.peek();
        if token.text != open || token.kind != Kind::Sign {
            return Err(self.wrong(&format!("`{open}`")));
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(fault(token, "brackets nest too deeply", None));
        }
        self.next += 1;
        self.open.push(token);
        inside(self)?;
        if !self.sign(close) {
            return Err(self.wrong(&format!("`{close}`")));
        }
        self.open.pop();
        self.depth -= 1;
        Ok(())
    }

    /// Enters a group of patterns, in which variables get values and blank nodes have names.
    pub(super) fn enter(&mut self) {
        self.groups += 1;
        self.bound.push(HashSet::new());
    }

    /// Leaves it; what it gave values to has them around it.
    pub(super) fn leave(&mut self) {
        let inner = self.bound.pop().unwrap_or_default();
        if let Some(outer) = self.bound.last_mut() {
            outer.extend(inner);
        }
    }

    /// Notes a variable or blank node of a pattern.
    pub(super) fn note(&mut self, token: Token<'a>) {
        let group = self.groups;
        if token.kind == Kind::Variable {
            if let Some(bound) = self.bound.last_mut() {
                bound.insert(token.name());
            }
        } else if *self.blanks.entry(token.text).or_insert(group) != group {
            let message = format!("the blank node `{}` is used in two groups", cropped(token.text));
            self.suspects.push(fault(token, message, Some("use a variable instead".to_owned())));
        }
    }

    /// Notes the variable that BIND gives a value to.
    pub(super) fn note_new(&mut self, token: Token<'a>) {
        if self.bound.last_mut().is_some_and(|bound| !bound.insert(token.name())) {
            let message = format!("`{}` has a value already, and BIND would give it another", cropped(token.text));
            self.suspects.push(fault(token, message, Some("use another name after AS".to_owned())));
        }
    }

    /// Notes what is wrong with the variables that are selected, once it is known what they are grouped by.
    pub(super) fn note_selected(&mut self, selected: &Selected<'a>, grouped: Option<&HashSet<&'a str>>) {
        let mut names = HashSet::new();
        for token in selected.plain.iter().chain(&selected.named) {
            if !names.insert(token.name()) {
                let message = format!("`{}` is selected twice", cropped(token.text));
                self.suspects.push(fault(*token, message, Some("give one of them another name".to_owned())));
            }
        }
        let Some(grouped) = grouped else { return };
        if let Some(star) = selected.star {
            let fix = "name the variables that are grouped by, and put the others into aggregates".to_owned();
            self.suspects.push(fault(star, "`*` cannot be selected where rows are grouped", Some(fix)));
        }
        for token in selected.plain.iter().filter(|token| !grouped.contains(token.name())) {
            let name = cropped(token.text);
            let fix =
                format!("add it to GROUP BY, or put it into an aggregate such as `(SAMPLE({name}) AS {name}_one)`");
            let message = format!("rows are grouped, and `{name}` is neither grouped by nor inside an aggregate");
            self.suspects.push(fault(*token, message, Some(fix)));
        }
    }

    pub(super) fn peek(&self) -> Token<'a> {
        // The last token is the end, and nothing goes beyond it.
        self.tokens.get(self.next).or(self.tokens.last()).copied().unwrap_or(Token { kind: Kind::End, text: "", at: 0 })
    }

    pub(super) fn take(&mut self, word: &str) -> bool {
        let is_it = self.peek().is(word);
        self.next += usize::from(is_it);
        is_it
    }

    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let is_it = self.peek().kind == Kind::Sign && self.peek().text == sign;
        self.next += usize::from(is_it);
        is_it
    }

    pub(super) fn word(&mut self, word: &str, expected: &str) -> Read {
        if self.take(word) { Ok(()) } else { Err(self.wrong_word(expected, &[word])) }
    }

    pub(super) fn kind(&mut self, kind: Kind, expected: &str) -> Read {
        if self.peek().kind != kind {
            return Err(self.wrong(expected));
        }
        self.next += 1;
        Ok(())
    }

    /// Says that something else is expected here; a word may be a misspelt one.
    pub(super) fn wrong_word(&self, expected: &str, words: &[&str]) -> Fault {
        let token = self.peek();
        let meant = (token.kind == Kind::Word).then(|| nearest(token.text, words)).flatten();
        match meant {
            Some(word) => self.told(
                format!("{expected} is expected, not {}", shown(token)),
                expected,
                Some(format!("did you mean `{word}`?")),
            ),
            None => self.wrong(expected),
        }
    }

    /// Says that something else is expected here.
    pub(super) fn wrong(&self, expected: &str) -> Fault {
        let token = self.peek();
        let is_odd = |close: &str| self.open.last().is_some_and(|open| closing(open.text) != close);
        let (message, fix) = match token.kind {
            Kind::End => match self.open.last() {
                Some(open) => {
                    let message =
                        format!("the query ends, but {expected} is expected, and a `{}` is still open", open.text);
                    (message, Some(format!("add `{}`", closing(open.text))))
                }
                None => (format!("the query ends, but {expected} is expected"), None),
            },
            Kind::OpenText => {
                let quote = &token.text[..1];
                let fix = format!("close it with `{quote}`; a text over several lines has three quotes at both ends");
                ("a text is never closed on its line".to_owned(), Some(fix))
            }
            Kind::Sign if token.text == "<" => {
                let fix =
                    "an IRI stands whole between `<` and `>`, without spaces, quotes or braces (`%20` for a space)";
                (format!("{expected} is expected, and `<` begins no valid IRI here"), Some(fix.to_owned()))
            }
            Kind::Sign if matches!(token.text, "}" | ")" | "]") && is_odd(token.text) => {
                let open = self.open.last().map_or("", |open| open.text);
                let fix = format!("add what is missing, then `{}` before it", closing(open));
                (format!("{expected} is expected, not `{}`, as a `{open}` is still open", token.text), Some(fix))
            }
            _ => (format!("{expected} is expected, not {}", shown(token)), None),
        };
        self.told(message, expected, fix)
    }

    pub(super) fn told(&self, message: String, expected: &str, fix: Option<String>) -> Fault {
        Fault { expected: Some(expected.to_owned()), ..fault(self.peek(), message, fix) }
    }
}

impl<'a> Token<'a> {
    /// Returns the name of a variable.
    pub(super) fn name(&self) -> &'a str {
        self.text.strip_prefix(['?', '$']).unwrap_or(self.text)
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

pub(super) fn fault(token: Token<'_>, message: impl Into<String>, fix: Option<String>) -> Fault {
    let got = (token.kind != Kind::End).then(|| cropped(token.text));
    Fault { at: token.at, got, expected: None, message: message.into(), fix }
}

pub(super) fn shown(token: Token<'_>) -> String {
    if token.kind == Kind::End { "the end of the query".to_owned() } else { format!("`{}`", cropped(token.text)) }
}

/// Cuts what a stranger wrote to what a message has room for; controls are for no reader.
pub(super) fn cropped(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(60).collect()
}

fn closing(open: &str) -> &'static str {
    match open {
        "{" => "}",
        "(" => ")",
        _ => "]",
    }
}

/// Returns the word that was meant: one or two letters away.
pub(super) fn nearest<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    if text.len() > 20 {
        return None;
    }
    let text = text.to_uppercase();
    let away = |word: &&&str| strsim::osa_distance(&text, word);
    words.iter().min_by_key(away).filter(|word| strsim::osa_distance(&text, word) <= (text.len() / 3).min(2)).copied()
}
