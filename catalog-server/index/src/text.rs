//! How text becomes words: folding, splitting and stemming, the same for records and for queries.

use std::borrow::Cow;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longer words are identifiers or noise that nobody types.
pub(crate) const LONGEST: usize = 64;

/// More parts than this are a path or a table, not a compound name.
const MOST_PARTS: usize = 6;

/// The languages whose words are reduced to stems; a query is reduced in each of them.
const LANGUAGES: [(&str, Algorithm); 7] = [
    ("en", Algorithm::English),
    ("fr", Algorithm::French),
    ("de", Algorithm::German),
    ("es", Algorithm::Spanish),
    ("it", Algorithm::Italian),
    ("pt", Algorithm::Portuguese),
    ("nl", Algorithm::Dutch),
];

/// Words that say nothing about what is searched; they are dropped from a query that has others.
const STOP_WORDS: [&str; 62] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it", "of", "on", "or", "that", "the",
    "this", "to", "with", "au", "aux", "avec", "ce", "dans", "des", "du", "en", "et", "la", "le", "les", "par", "pour",
    "sur", "un", "une", "das", "dem", "den", "der", "die", "ein", "eine", "für", "im", "mit", "und", "von", "zu", "el",
    "los", "las", "y", "con", "del", "di", "il", "e", "per", "fur",
];

/// Says whether a folded word is one of the words that every text has.
pub(crate) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(&word)
}

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Where it begins in the text, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// Its place among the words; a compound stands at the place of its first part.
    pub(crate) position: usize,
    /// The word in lower case without accents.
    pub(crate) folded: String,
    /// Whether it is several parts written together, such as `jljuice` for `jl-juice`.
    pub(crate) compound: bool,
}

/// Returns a text in lower case without accents.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        match character {
            'ß' | 'ẞ' => folded.push_str("ss"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'œ' | 'Œ' => folded.push_str("oe"),
            'ø' | 'Ø' => folded.push('o'),
            'ł' | 'Ł' => folded.push('l'),
            'đ' | 'Đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'þ' | 'Þ' => folded.push_str("th"),
            other => folded.extend(other.to_lowercase()),
        }
    }
    folded
}

pub(crate) fn in_word(character: char) -> bool {
    // Most text is ASCII, in which nothing combines: the table of marks need not be asked for every space.
    match character.is_ascii() {
        true => character.is_ascii_alphanumeric(),
        false => character.is_alphanumeric() || is_combining_mark(character),
    }
}

/// What may stand inside a compound: `jl-juice`, `esa_datalabs`, `v0.3`.
pub(crate) fn joins(character: char) -> bool {
    matches!(character, '-' | '_' | '.' | '+' | '\u{2010}' | '\u{2011}')
}

fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2019}' | '\u{02BC}')
}

/// Splits a text into words; a compound gives its parts and, at the place of the first, the parts written together.
pub(crate) fn words(text: &str) -> Vec<Word> {
    words_where(text, |_| true)
}

/// Splits a text into words and folds those that are wanted as written; the others, and compounds that begin with
/// one of them, are left empty or out. Folding is most of the work.
pub(crate) fn words_where(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::with_capacity(text.len() / 6 + 1);
    // The parts of the compound being read are the words from here on.
    let mut first_part = 0;
    let mut position = 0;
    let mut characters = text.char_indices().peekable();
    let mut before: Option<char> = None;
    while let Some((start, character)) = characters.next() {
        if !in_word(character) {
            let continues = before.is_some_and(in_word) && characters.peek().is_some_and(|(_, next)| in_word(*next));
            if !(continues && joins(character)) {
                join(text, &mut found, first_part);
                first_part = found.len();
            }
            before = Some(character);
            continue;
        }
        let mut end = start + character.len_utf8();
        while let Some((at, next)) = characters.peek().copied() {
            if !in_word(next) {
                break;
            }
            end = at + next.len_utf8();
            characters.next();
        }
        // What an apostrophe cuts off is grammar: the s of `Kepler's`, the l of `l'étoile`.
        let single = text[start..end].chars().nth(1).is_none();
        let cut_off = single
            && (before.is_some_and(is_apostrophe) && start > 1
                || characters.peek().is_some_and(|(_, next)| is_apostrophe(*next)));
        before = text[start..end].chars().next_back();
        if cut_off {
            continue;
        }
        let is_wanted = wanted(&text[start..end]);
        let folded = if is_wanted { fold(&text[start..end]) } else { String::new() };
        if !is_wanted || !folded.is_empty() && folded.len() <= LONGEST {
            found.push(Word { start, end, position, folded, compound: false });
        }
        position += 1;
    }
    join(text, &mut found, first_part);
    found
}

/// Adds the parts from `first` on, written together, before them.
fn join(text: &str, found: &mut Vec<Word>, first: usize) {
    let parts = &found[first..];
    if !(2..=MOST_PARTS).contains(&parts.len()) {
        return;
    }
    if parts[0].folded.is_empty() {
        return;
    }
    let folded: String = parts
        .iter()
        .map(|part| match part.folded.as_str() {
            "" => Cow::Owned(fold(&text[part.start..part.end])),
            folded => Cow::Borrowed(folded),
        })
        .collect();
    if folded.len() > LONGEST {
        return;
    }
    let (start, end, position) = (parts[0].start, parts[parts.len() - 1].end, parts[0].position);
    found.insert(first, Word { start, end, position, folded, compound: true });
}

/// Returns the words of a text without compounds, separated by one space: what is compared when all of it must agree.
pub(crate) fn whole(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for word in words(text).iter().filter(|word| !word.compound) {
        if !whole.is_empty() {
            whole.push(' ');
        }
        whole.push_str(&word.folded);
    }
    whole
}

/// A language whose stems are known, or none.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    tag: &'static str,
    stemmer: Option<Stemmer>,
}

/// The language of a text whose stems are not known: its words stand for themselves.
const UNKNOWN: Language = Language { tag: "xx", stemmer: None };

impl Language {
    /// Returns the language of a tag such as `en` or `fr-BE`; an empty tag is taken for English.
    pub(crate) fn of_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let primary = if primary.is_empty() { "en" } else { &primary };
        Self::all().find(|language| language.tag == primary).unwrap_or(UNKNOWN)
    }

    fn all() -> impl Iterator<Item = Self> {
        let known = LANGUAGES.iter();
        known.map(|(tag, algorithm)| Self { tag, stemmer: Some(Stemmer::new(*algorithm)) }).chain([UNKNOWN])
    }

    /// Returns the tag of this language, `xx` when its stems are not known.
    pub(crate) fn tag(self) -> &'static str {
        self.tag
    }

    /// Gives the stems of a word to `take`, each after the tag of the language: the Portuguese stem of `theia` is
    /// `the`, which must not find every English text.
    pub(crate) fn stems(self, written: &str, folded: &str, mut take: impl FnMut(String)) {
        self.each_stem(written, folded, |stem| take([self.tag, ":", stem].concat()));
    }

    /// Gives the stems of a word to `take`. A word that lost accents also gives the stem of what is left, because people
    /// type `observees` for `observées`.
    pub(crate) fn each_stem(self, written: &str, folded: &str, mut take: impl FnMut(&str)) {
        let stemmer = self.stemmer.filter(|_| folded.len() >= 3 && !folded.bytes().any(|byte| byte.is_ascii_digit()));
        let Some(stemmer) = stemmer else {
            take(folded);
            return;
        };
        let plain = stemmer.stem(folded);
        if !written.is_ascii() {
            let stem = fold(&stemmer.stem(&written.to_lowercase()));
            if stem != plain {
                take(&stem);
            }
        }
        take(&plain);
    }
}

/// Returns the stems of a word of a query in every language.
pub(crate) fn query_stems(written: &str, folded: &str) -> Vec<String> {
    let mut stems = Vec::with_capacity(LANGUAGES.len() + 1);
    for language in Language::all() {
        language.stems(written, folded, |stem| stems.push(stem));
    }
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.folded).collect()
    }

    #[test]
    fn words_are_folded_and_compounds_kept_together() {
        assert_eq!(folded("Télescope Spatial"), ["telescope", "spatial"]);
        assert_eq!(folded("JL-Juice, XMM-Newton"), ["jljuice", "jl", "juice", "xmmnewton", "xmm", "newton"]);
        assert_eq!(folded("l'étoile de Kepler's law"), ["etoile", "de", "kepler", "law"]);
        assert_eq!(folded("straße ŁÓDŹ ﬁts"), ["strasse", "lodz", "fits"]);
        assert_eq!(folded("https://example.org/a"), ["https", "exampleorg", "example", "org", "a"]);
        assert_eq!(folded(&"x".repeat(65)), Vec::<String>::new());
        assert_eq!(folded(" -- . "), Vec::<String>::new());
    }

    #[test]
    fn positions_count_parts_and_offsets_cut_the_text() {
        let text = "The JL-Juice lab";
        let found = words(text);
        let places: Vec<(usize, &str)> =
            found.iter().map(|word| (word.position, &text[word.start..word.end])).collect();
        assert_eq!(places, [(0, "The"), (1, "JL-Juice"), (1, "JL"), (2, "Juice"), (3, "lab")]);
    }

    #[test]
    fn stems_meet_in_every_language_and_without_accents() {
        for (tag, one, other) in [
            ("en", "galaxies", "galaxy"),
            ("fr", "observées", "observee"),
            ("de", "Beobachtungen", "beobachtung"),
            ("es", "estrellas", "estrella"),
            ("it", "galassie", "galassia"),
        ] {
            let mut stems = Vec::new();
            Language::of_tag(tag).stems(one, &fold(one), |stem| stems.push(stem));
            let asked = query_stems(other, &fold(other));
            assert!(stems.iter().any(|stem| asked.contains(stem)), "{one} {stems:?} {other} {asked:?}");
        }
        assert_eq!(["ja", "", "fr-BE", "EN"].map(|tag| Language::of_tag(tag).tag()), ["xx", "en", "fr", "en"]);
    }

    #[test]
    fn the_whole_text_is_compared_without_separators() {
        assert_eq!(whole("  XMM-Newton: Science_Analysis "), "xmm newton science analysis");
    }
}
