//! Passages with the words found, as HTML.

use std::collections::HashSet;

use crate::matching::Matched;
use crate::text::{self, Language};

/// About how long a passage is, in characters.
const LENGTH: usize = 240;

/// How far before the first word found a passage begins.
const BEFORE: usize = 60;

/// How much of a text is split into words at a time, in bytes: what is behind the passage that is shown need not be.
const PART: usize = 256;

/// Marks the words that a search found.
pub(crate) struct Marker {
    words: HashSet<String>,
    /// Stems by the tag of their language.
    stems: Vec<(String, HashSet<String>)>,
    /// Which bytes any of them begins with, to pass over most words without stemming them.
    beginnings: [bool; 256],
}

impl Marker {
    pub(crate) fn new(matched: &Matched) -> Self {
        let mut words: HashSet<String> = HashSet::new();
        let mut stems: Vec<(String, HashSet<String>)> = Vec::new();
        for clause in matched.steps.iter().flat_map(|step| &step.clauses) {
            for word in clause.words.iter().chain(&clause.phrase) {
                if !words.contains(word) {
                    words.insert(word.clone());
                }
            }
            for (tag, stem) in clause.stems.iter().filter_map(|stem| stem.split_once(':')) {
                match stems.iter_mut().find(|(known, _)| known == tag) {
                    Some((_, stems)) => {
                        stems.insert(stem.to_owned());
                    }
                    None => stems.push((tag.to_owned(), HashSet::from([stem.to_owned()]))),
                }
            }
        }
        let mut beginnings = [false; 256];
        let stem_forms = stems.iter().flat_map(|(_, stems)| stems);
        for first in words.iter().chain(stem_forms).filter_map(|form| form.bytes().next()) {
            beginnings[usize::from(first)] = true;
        }
        Self { words, stems, beginnings }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.stems.is_empty()
    }

    /// Returns the passage around the first word found, escaped, with each word found in `<mark>`.
    pub(crate) fn mark(&self, text: &str, language: Language) -> Option<String> {
        self.mark_by_parts(text, language, PART)
    }

    fn mark_by_parts(&self, text: &str, language: Language, length: usize) -> Option<String> {
        let of_language = OfLanguage {
            language,
            stems: self.stems.iter().find(|(tag, _)| tag == language.tag()).map(|(_, stems)| stems),
        };
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut shown: Option<(usize, usize)> = None;
        for (offset, part) in parts(text, length) {
            if shown.is_some_and(|(_, end)| offset >= end) {
                break;
            }
            if !self.may_hold(part, &of_language) {
                continue;
            }
            for word in text::words_where(part, |written| self.may_begin(written)) {
                if !self.is_found(&part[word.start..word.end], &word.folded, &of_language) {
                    continue;
                }
                let (start, end) = (offset + word.start, offset + word.end);
                // A compound comes before its parts and covers them.
                if found.last().is_none_or(|(_, end)| *end <= start) {
                    found.push((start, end));
                }
            }
            if shown.is_none() {
                shown = found.first().map(|(first, _)| {
                    let start = beginning(text, *first);
                    (start, ending(text, start))
                });
            }
        }
        let (start, end) = shown?;
        let mut html = String::with_capacity(end - start + 64);
        if start > 0 {
            html.push('…');
        }
        let mut at = start;
        for (from, to) in found.into_iter().filter(|(_, to)| *to <= end) {
            escape(&text[at..from], &mut html);
            html.push_str("<mark>");
            escape(&text[from..to], &mut html);
            html.push_str("</mark>");
            at = to;
        }
        escape(&text[at..end], &mut html);
        if end < text.len() {
            html.push('…');
        }
        Some(html)
    }

    fn may_begin(&self, written: &str) -> bool {
        let first = written.bytes().next().unwrap_or_default();
        !first.is_ascii() || self.beginnings[usize::from(first.to_ascii_lowercase())]
    }

    fn is_found(&self, written: &str, folded: &str, of_language: &OfLanguage<'_>) -> bool {
        if folded.is_empty() || self.words.contains(folded) {
            return !folded.is_empty();
        }
        let Some(stems) = of_language.stems else { return false };
        let mut found = false;
        of_language.language.each_stem(written, folded, |stem| found |= stems.contains(stem));
        found
    }

    /// Says whether a text may hold a word that was found; `false` is certain. Most texts hold none, and this looks at
    /// their bytes alone: only what is not ASCII, or written together of several words, is left to the analysis.
    fn may_hold(&self, text: &str, of_language: &OfLanguage<'_>) -> bool {
        let bytes = text.as_bytes();
        let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
        let mut lower = [0_u8; text::LONGEST];
        let mut at = 0;
        while at < bytes.len() {
            let first = byte(at);
            if !first.is_ascii() {
                match text[at..].chars().next() {
                    Some(character) if !text::in_word(character) => at += character.len_utf8(),
                    _ => return true,
                }
                continue;
            }
            if !first.is_ascii_alphanumeric() {
                at += 1;
                continue;
            }
            let start = at;
            while byte(at).is_ascii_alphanumeric() {
                at += 1;
            }
            if !self.beginnings[usize::from(first.to_ascii_lowercase())] {
                // An accent may still change the first letter.
                if at == start + 1 && !byte(at).is_ascii() {
                    return true;
                }
                continue;
            }
            let goes_on = !byte(at).is_ascii()
                || text::joins(char::from(byte(at)))
                    && (byte(at + 1).is_ascii_alphanumeric() || !byte(at + 1).is_ascii());
            if goes_on {
                return true;
            }
            let Some(word) = lower.get_mut(..at - start) else { continue };
            word.copy_from_slice(&bytes[start..at]);
            word.make_ascii_lowercase();
            if std::str::from_utf8(word).is_ok_and(|folded| self.is_found(folded, folded, of_language)) {
                return true;
            }
        }
        false
    }
}

/// The stems looked for in one language.
struct OfLanguage<'a> {
    language: Language,
    stems: Option<&'a HashSet<String>>,
}

/// Cuts a text before spaces, over which no word reaches, into parts of at least `length` bytes, each after its place.
fn parts(text: &str, length: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let from = (length.max(1)..rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let end = rest[from..].find(' ').map_or(rest.len(), |space| from + space);
        let part = (at, &rest[..end]);
        at += end;
        Some(part)
    })
}

/// Returns where a passage begins so that `first` is in it with some words before.
fn beginning(text: &str, first: usize) -> usize {
    if first <= BEFORE {
        return 0;
    }
    let from = (first - BEFORE..first).find(|at| text.is_char_boundary(*at)).unwrap_or(first);
    text[from..first].find(char::is_whitespace).map_or(first, |space| {
        let after = from + space;
        after + text[after..].len() - text[after..].trim_start().len()
    })
}

fn ending(text: &str, start: usize) -> usize {
    let Some((length, _)) = text[start..].char_indices().nth(LENGTH) else { return text.len() };
    let passage = &text[start..start + length];
    start + passage.rfind(char::is_whitespace).filter(|space| *space > BEFORE * 2).unwrap_or(length)
}

fn escape(text: &str, html: &mut String) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::matching::{Clause, Step};

    fn marker(words: &[&str]) -> Marker {
        let clauses = words
            .iter()
            .map(|word| Clause { stems: text::query_stems(word, &text::fold(word)), ..Clause::default() })
            .collect();
        Marker::new(&Matched { bits: None, steps: vec![Step { clauses, any: false }], as_spelt: 0 })
    }

    #[test]
    fn words_and_their_stems_are_marked_and_the_rest_escaped() {
        assert_eq!(
            marker(&["galaxy"]).mark("<b>Galaxies</b> & a galaxy", Language::of_tag("en")).unwrap(),
            "&lt;b&gt;<mark>Galaxies</mark>&lt;/b&gt; &amp; a <mark>galaxy</mark>"
        );
        assert_eq!(marker(&["etoiles"]).mark("Une étoile", Language::of_tag("fr")).unwrap(), "Une <mark>étoile</mark>");
        assert_eq!(marker(&["gaia"]).mark("nothing here", Language::of_tag("")), None);
        assert_eq!(marker(&[]).mark("nothing here", Language::of_tag("")), None);
    }

    #[test]
    fn a_passage_is_cut_at_spaces() {
        let text = format!("{} gaia {}", "before ".repeat(40), "after ".repeat(100));
        let html = marker(&["gaia"]).mark(&text, Language::of_tag("en")).unwrap();
        assert!(html.starts_with("…before ") && html.ends_with("after…"), "{html}");
        assert!(html.chars().count() < LENGTH + 30, "{html}");
    }

    proptest! {
        #[test]
        fn parts_change_nothing(text in "[a-cé'\u{301}\\-. \u{2019}]{0,400}", word in "[a-c]{1,2}", length in 1_usize..40) {
            let (marker, language) = (marker(&[&word]), Language::of_tag("en"));
            let by_parts = marker.mark_by_parts(&text, language, length);
            prop_assert_eq!(by_parts, marker.mark_by_parts(&text, language, usize::MAX));
        }

        #[test]
        fn what_may_hold_nothing_holds_nothing(
            text in "([a-cA-Cé'\u{301}\\-. \u{2019}\u{2010}\u{2013}1]|ab |b-a){0,12}", words in "([a-cé]{1,3} ){1,2}"
        ) {
            let words: Vec<&str> = words.split_whitespace().collect();
            let (mut marker, language) = (marker(&words), Language::of_tag("en"));
            marker.words.extend(words.iter().map(|word| text::fold(word)));
            for word in &words {
                if let Some(first) = text::fold(word).bytes().next() {
                    marker.beginnings[usize::from(first)] = true;
                }
            }
            let of_language = OfLanguage {
                language, stems: marker.stems.iter().find(|(tag, _)| tag == "en").map(|(_, stems)| stems),
            };
            let is_found = |word: &text::Word| {
                marker.is_found(&text[word.start..word.end], &word.folded, &of_language)
            };
            let holds = text::words_where(&text, |written| marker.may_begin(written)).iter().any(is_found);
            prop_assert!(marker.may_hold(&text, &of_language) || !holds);
        }

        #[test]
        fn without_marks_a_passage_is_escaped_text(text in "\\PC{0,300}", word in "[a-zé]{1,6}") {
            if let Some(html) = marker(&[&word]).mark(&text, Language::of_tag("en")) {
                let plain = html.replace("<mark>", "").replace("</mark>", "");
                prop_assert!(!plain.contains(['<', '>', '"', '\'']));
            }
        }
    }
}
