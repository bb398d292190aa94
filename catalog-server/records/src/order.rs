//! The order of versions.

use std::cmp::Ordering;

/// Compares two versions by semantic versioning's precedence.
///
/// It is lenient where catalogues are: a leading `v`, one to four numbers (`1.0`, `2024.01.15`) and leading zeros are
/// understood. Returns nothing when either text does not begin with such numbers.
pub fn compare_versions(left: &str, right: &str) -> Option<Ordering> {
    Some(Parsed::read(left)?.cmp(&Parsed::read(right)?))
}

/// Returns the place of the current version among versions given in the order of their publication.
///
/// The highest wins when all can be compared, otherwise the one published last: a rule over pairs would not be
/// transitive, and then the answer would depend on the order of the questions.
pub(crate) fn current<'a>(versions: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
    let mut best: Option<(usize, Parsed<'a>)> = None;
    for (place, text) in versions.clone().enumerate() {
        let Some(parsed) = Parsed::read(text) else { return versions.count().checked_sub(1) };
        if best.as_ref().is_none_or(|(_, best)| parsed >= *best) {
            best = Some((place, parsed));
        }
    }
    best.map(|(place, _)| place)
}

#[derive(PartialEq, Eq)]
struct Parsed<'a> {
    numbers: [u64; 4],
    pre: Option<Vec<Part<'a>>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    // Numbers stand before words: section 11 of Semantic Versioning 2.0.0.
    Number(u64),
    Word(&'a str),
}

impl<'a> Parsed<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(before, _)| before);
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let mut numbers = [0; 4];
        for (place, part) in core.split('.').enumerate() {
            *numbers.get_mut(place)? = number(part)?;
        }
        let part = |part| number(part).map_or(Part::Word(part), Part::Number);
        Some(Self { numbers, pre: pre.map(|pre| pre.split('.').map(part).collect()) })
    }
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl Ord for Parsed<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => left.cmp(right),
        })
    }
}

impl PartialOrd for Parsed<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_semantic_versioning_is_in_order() {
        let order = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "v1.0.1",
            "1.2",
            "1.10.0",
            "2024.01.15",
        ];
        for pair in order.windows(2) {
            assert_eq!(compare_versions(pair[0], pair[1]), Some(Ordering::Less), "{pair:?}");
        }
        assert_eq!(compare_versions("1.0", "1.0.0+build"), Some(Ordering::Equal));
        assert_eq!(compare_versions("latest", "1.0.0"), None);
        assert_eq!(compare_versions("1.2.3.4.5", "1.0.0"), None);
    }

    #[test]
    fn the_current_version_is_the_highest_or_else_the_last() {
        assert_eq!(current(["1.0", "0.9", "0.10"].into_iter()), Some(0));
        assert_eq!(current(["1.0", "bookworm", "0.10"].into_iter()), Some(2));
        assert_eq!(current(["1.0+a", "1.0+b"].into_iter()), Some(1));
        assert_eq!(current(std::iter::empty()), None);
    }
}
