//! The query grammar: words, `"phrases"`, `-exclusion`, `prefix*`. Everything else is text; nothing is an error.

use crate::text::{self, is_stop_word};

/// More terms than this are not a search; the rest is ignored.
const MOST_TERMS: usize = 16;

/// What one term of a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// A word, in any of its forms; a compound such as `jl-juice` has several parts.
    Word,
    /// The words one after the other, as written.
    Phrase,
    /// Words that begin so.
    Prefix,
}

/// One term of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) ask: Ask,
    /// As written, without quotes, sign and star.
    pub(crate) written: String,
    /// The folded words, compounds split.
    pub(crate) parts: Vec<String>,
}

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) wanted: Vec<Term>,
    pub(crate) unwanted: Vec<Term>,
    /// The wanted words in their order, folded, separated by one space.
    pub(crate) whole: String,
    /// Whether the query is only plain words, so that another spelling can be proposed for it.
    pub(crate) plain: bool,
}

impl Asked {
    /// Says whether nothing was asked for, so that everything is an answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }
}

/// Reads a query.
pub(crate) fn parse(query: &str) -> Asked {
    let mut asked = Asked { plain: true, ..Asked::default() };
    let mut rest = query;
    while asked.wanted.len() + asked.unwanted.len() < MOST_TERMS {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let unsigned =
            rest.strip_prefix('-').filter(|after| after.starts_with(|c: char| c == '"' || c.is_alphanumeric()));
        let (excluded, from) = (unsigned.is_some(), unsigned.unwrap_or(rest));
        asked.plain &= !excluded;
        let terms = if let Some((phrase, after)) = from.strip_prefix('"').and_then(|inside| inside.split_once('"')) {
            asked.plain = false;
            rest = after;
            phrase_term(phrase).into_iter().collect()
        } else {
            // A quote that is never closed is no quote, and one inside a word begins the next term.
            let from = from.trim_start_matches('"');
            let end = from.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(from.len());
            rest = &from[end..];
            word_terms(&from[..end])
        };
        asked.plain &= terms.iter().all(|term| term.ask == Ask::Word);
        if excluded { asked.unwanted.extend(terms) } else { asked.wanted.extend(terms) }
    }
    asked.wanted.truncate(MOST_TERMS);
    asked.unwanted.truncate(MOST_TERMS - asked.wanted.len());
    asked.whole = asked.wanted.iter().flat_map(|term| &term.parts).map(String::as_str).collect::<Vec<_>>().join(" ");
    let says_something = |term: &Term| !(term.ask == Ask::Word && term.parts.iter().all(|part| is_stop_word(part)));
    if asked.wanted.iter().any(says_something) {
        asked.wanted.retain(says_something);
    }
    asked
}

fn phrase_term(written: &str) -> Option<Term> {
    let parts: Vec<String> = parts(written).into_iter().take(MOST_TERMS).collect();
    (!parts.is_empty()).then(|| Term { ask: Ask::Phrase, written: written.to_owned(), parts })
}

fn parts(written: &str) -> Vec<String> {
    text::words(written).into_iter().filter(|word| !word.compound).map(|word| word.folded).collect()
}

/// Reads one piece between spaces; characters that join nothing, such as `:` and `/`, part it into several words.
fn word_terms(piece: &str) -> Vec<Term> {
    let starred = piece.strip_suffix('*');
    let piece = starred.unwrap_or(piece);
    let found = text::words(piece);
    let mut terms = Vec::new();
    let mut at = 0;
    while at < found.len() {
        let compound = found[at].compound;
        let end = found[at].end;
        let of_term: Vec<String> = found[at..]
            .iter()
            .take_while(|word| word.end <= end)
            .filter(|word| !word.compound)
            .map(|word| word.folded.clone())
            .collect();
        let written = piece[found[at].start..end].to_owned();
        at += of_term.len() + usize::from(compound);
        terms.push(Term { ask: Ask::Word, written, parts: of_term });
    }
    if starred.is_some()
        && let Some(last) = terms.last_mut()
        && last.parts.concat().chars().count() >= 2
    {
        last.ask = Ask::Prefix;
    }
    terms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(query: &str) -> String {
        let asked = parse(query);
        let show = |term: &Term| format!("{:?}:{}", term.ask, term.parts.join("+"));
        let mut all: Vec<String> = asked.wanted.iter().map(show).collect();
        all.extend(asked.unwanted.iter().map(|term| format!("not {}", show(term))));
        all.join(" ")
    }

    #[test]
    fn the_grammar_is_small() {
        for (query, expected) in [
            ("gaia archive", "Word:gaia Word:archive"),
            ("jl-juice", "Word:jl+juice"),
            ("\"star formation\" -dust", "Phrase:star+formation not Word:dust"),
            ("-\"red dwarf\" gaia", "Word:gaia not Phrase:red+dwarf"),
            ("spectr*", "Prefix:spectr"),
            ("s*", "Word:s"),
            ("jl-ju*", "Prefix:jl+ju"),
            ("title:gaia", "Word:title Word:gaia"),
            ("the lord of light", "Word:lord Word:light"),
            ("the", "Word:the"),
            ("\"open quote", "Word:open Word:quote"),
            ("a\"b\"", "Phrase:b"),
            ("- -- * \" \"\" :", ""),
            ("AND OR NOT (x)", "Word:not Word:x"),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
    }

    #[test]
    fn sixteen_terms_are_enough() {
        let asked = parse(&"word ".repeat(1000));
        assert_eq!(asked.wanted.len(), 16);
        assert_eq!(parse(&"b:c:d:f:g:h:j:k:l:m ".repeat(100)).wanted.len(), 16);
    }

    proptest! {
        #[test]
        fn any_text_is_a_query(query in "\\PC{0,80}") {
            let asked = parse(&query);
            prop_assert!(asked.wanted.len() + asked.unwanted.len() <= 16);
        }

        #[test]
        fn any_signs_are_a_query(query in "[-\"*: a\u{301}é'.]{0,40}") {
            for term in parse(&query).wanted {
                prop_assert!(!term.parts.is_empty());
            }
        }
    }
}
