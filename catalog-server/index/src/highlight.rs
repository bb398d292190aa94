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
    /// Words, and stems after the tag of their language.
    forms: HashSet<String>,
    /// Which bytes any of them begins with, to pass over most words without stemming them.
    beginnings: [bool; 256],
}

impl Marker {
    pub(crate) fn new(matched: &Matched) -> Self {
        let mut forms = HashSet::new();
        for clause in matched.steps.iter().flat_map(|step| &step.clauses) {
            for form in clause.stems.iter().chain(&clause.words).chain(&clause.phrase) {
                if !forms.contains(form) {
                    forms.insert(form.clone());
                }
            }
        }
        let mut beginnings = [false; 256];
        for first in forms.iter().filter_map(|form| form.rsplit(':').next()?.bytes().next()) {
            beginnings[usize::from(first)] = true;
        }
        Self { forms, beginnings }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Returns the passage around the first word found, escaped, with each word found in `<mark>`.
    pub(crate) fn mark(&self, text: &str, language: Language) -> Option<String> {
        self.mark_by_parts(text, language, PART)
    }

    fn mark_by_parts(&self, text: &str, language: Language, length: usize) -> Option<String> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut shown: Option<(usize, usize)> = None;
        for (offset, part) in parts(text, length) {
            if shown.is_some_and(|(_, end)| offset >= end) {
                break;
            }
            for word in text::words_where(part, |written| self.may_begin(written)) {
                if !self.is_found(&part[word.start..word.end], &word.folded, language) {
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

    fn is_found(&self, written: &str, folded: &str, language: Language) -> bool {
        if folded.is_empty() || self.forms.contains(folded) {
            return !folded.is_empty();
        }
        let mut found = false;
        language.stems(written, folded, |stem| found |= self.forms.contains(&stem));
        found
    }
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
        fn without_marks_a_passage_is_escaped_text(text in "\\PC{0,300}", word in "[a-zé]{1,6}") {
            if let Some(html) = marker(&[&word]).mark(&text, Language::of_tag("en")) {
                let plain = html.replace("<mark>", "").replace("</mark>", "");
                prop_assert!(!plain.contains(['<', '>', '"', '\'']));
            }
        }
    }
}
