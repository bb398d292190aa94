//! Facets as an answer shows them, written at once as JSON.

use catalog_schemas::search::FACETS;

use crate::columns::Counts;
use crate::counting::Chosen;
use crate::values::{Facet, Labels};
use crate::view::View;

/// What the values of a facet are called, ready to be written.
#[derive(Debug)]
pub(crate) struct Names {
    /// By number.
    pub(crate) labels: Vec<String>,
    /// By number: its place by label, then by value.
    ranks: Vec<u32>,
    /// The JSON of each value up to its count, one after the other.
    written: String,
    /// By number: where its JSON ends.
    ends: Vec<u32>,
}

impl Names {
    /// Takes the values of a facet, by number, with their labels.
    pub(crate) fn new<'a>(named: impl Iterator<Item = (&'a str, String)>) -> Self {
        let named: Vec<(&str, String)> = named.collect();
        let mut order: Vec<u32> = (0..named.len() as u32).collect();
        order.sort_unstable_by_key(|number| {
            let (value, label) = &named[*number as usize];
            (label.as_str(), *value)
        });
        let mut ranks = vec![0; named.len()];
        for (rank, number) in (0_u32..).zip(order) {
            ranks[number as usize] = rank;
        }
        let (mut written, mut ends) = (String::new(), Vec::with_capacity(named.len()));
        for (value, label) in &named {
            written.push_str(&beginning(value, label));
            ends.push(written.len() as u32);
        }
        Self { labels: named.into_iter().map(|(_, label)| label).collect(), ranks, written, ends }
    }

    fn beginning(&self, number: u32) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.written[start as usize..self.ends[number as usize] as usize]
    }
}

/// Returns the JSON of a value up to its count.
fn beginning(value: &str, label: &str) -> String {
    let string = |text: &str| serde_json::Value::from(text).to_string();
    format!(r#"{{"value":{},"label":{},"count":"#, string(value), string(label))
}

/// Writes every facet.
pub(crate) fn write(view: &View, counts: &Counts, chosen: &[Chosen], labels: &dyn Labels, json: &mut Vec<u8>) {
    let mut writer = Writer { view, counts, labels, entries: Vec::new(), json };
    writer.json.push(b'{');
    for facet in Facet::all() {
        if facet.index() > 0 {
            writer.json.push(b',');
        }
        writer.json.push(b'"');
        // The names of facets have nothing to escape.
        writer.json.extend_from_slice(FACETS[facet.index()].as_bytes());
        writer.json.extend_from_slice(b"\":");
        writer.facet(facet, chosen.iter().find(|chosen| chosen.facet == facet));
    }
    writer.json.push(b'}');
}

/// A value to be shown.
#[derive(Clone, Copy)]
struct Entry {
    /// The number of the value above it, plus one.
    above: u32,
    count: u32,
    rank: u32,
    number: u32,
}

struct Writer<'a> {
    view: &'a View,
    counts: &'a Counts,
    labels: &'a dyn Labels,
    /// The values of a facet that are shown: those below the same value are together, in the order in which they are
    /// shown.
    entries: Vec<Entry>,
    json: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn facet(&mut self, facet: Facet, chosen: Option<&Chosen>) {
        let (view, counts) = (self.view, self.counts.of(facet.index()));
        let (values, names) = (&view.values[facet.index()], view.names(facet, self.labels));
        // A chosen value stays to be seen and taken back, with those above it, even when nothing is left of it.
        let mut kept: Vec<u32> = Vec::new();
        for number in chosen.iter().flat_map(|chosen| &chosen.numbers) {
            let mut next = Some(*number);
            while let Some(number) = next {
                kept.push(number);
                next = values.parent(number);
            }
        }
        self.entries.clear();
        for (number, count) in (0_u32..).zip(counts) {
            if *count > 0 || kept.contains(&number) {
                let above = values.parent(number).map_or(0, |parent| parent + 1);
                self.entries.push(Entry { above, count: *count, rank: names.ranks[number as usize], number });
            }
        }
        self.entries.sort_unstable_by_key(|entry| (entry.above, std::cmp::Reverse(entry.count), entry.rank));
        self.json.extend_from_slice(br#"{"total":"#);
        self.number(self.counts.total(facet.index()));
        self.json.extend_from_slice(br#","values":["#);
        let unknown = chosen.map(|chosen| unknown(facet, chosen, self)).unwrap_or_default();
        self.level(0, names, chosen, unknown);
        self.json.extend_from_slice(b"]}");
    }

    /// Writes the values below another, `unknown` ones among them.
    fn level(&mut self, above: u32, names: &Names, chosen: Option<&Chosen>, unknown: Vec<Unknown>) {
        let start = self.entries.partition_point(|entry| entry.above < above);
        let mut is_first = true;
        let mut unknown = unknown.into_iter().peekable();
        let mut at = start;
        loop {
            let entry = self.entries.get(at).copied().filter(|entry| entry.above == above);
            // Nothing has an unknown value, so it stands among those of which nothing is left.
            let before = |unknown: &Unknown| match &entry {
                Some(entry) => entry.count == 0 && unknown.rank <= entry.rank,
                None => true,
            };
            let next = unknown.next_if(before);
            if next.is_none() && entry.is_none() {
                return;
            }
            if !std::mem::take(&mut is_first) {
                self.json.push(b',');
            }
            if let Some(unknown) = next {
                self.json.extend_from_slice(unknown.beginning.as_bytes());
                self.json.extend_from_slice(br#"0,"selected":true,"children":[]}"#);
                continue;
            }
            let Some(entry) = entry else { return };
            at += 1;
            self.json.extend_from_slice(names.beginning(entry.number).as_bytes());
            self.number(entry.count);
            let is_chosen = chosen.is_some_and(|chosen| chosen.numbers.contains(&entry.number));
            let rest: &[u8] =
                if is_chosen { br#","selected":true,"children":["# } else { br#","selected":false,"children":["# };
            self.json.extend_from_slice(rest);
            self.level(entry.number + 1, names, chosen, Vec::new());
            self.json.extend_from_slice(b"]}");
        }
    }

    fn number(&mut self, number: u32) {
        write_number(u64::from(number), self.json);
    }
}

/// Writes a number in decimal digits.
pub(crate) fn write_number(number: u64, json: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let (mut rest, mut at) = (number, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    json.extend_from_slice(&digits[at..]);
}

/// A chosen value that the index does not have.
struct Unknown {
    /// How many values are before it by label.
    rank: u32,
    beginning: String,
}

fn unknown(facet: Facet, chosen: &Chosen, writer: &Writer<'_>) -> Vec<Unknown> {
    let values = &writer.view.values[facet.index()];
    let names = writer.view.names(facet, writer.labels);
    let mut all: Vec<(String, &String)> = chosen
        .values
        .iter()
        .filter(|value| values.number(value).is_none())
        .map(|value| (writer.labels.label(facet.name(), value).unwrap_or_else(|| value.clone()), value))
        .collect();
    all.sort_unstable();
    all.into_iter()
        .map(|(label, value)| {
            let is_before = |number: &u32| {
                (names.labels[*number as usize].as_str(), values.name(*number)) < (label.as_str(), value.as_str())
            };
            let rank = (0..values.len() as u32).filter(is_before).count() as u32;
            Unknown { rank, beginning: beginning(value, &label) }
        })
        .collect()
}
