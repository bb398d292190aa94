//! Every count of an answer, compared with counting by hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use catalog_index::{Batch, Document, Facet, Index};
use catalog_schemas::search::{self, FACETS, FacetValue, Hit, SearchAnswer, SearchQuery, Sort};
use proptest::prelude::*;

/// Words of which none begins another or is one letter away from it, in any form, so that matching stays literal.
const WORDS: [&str; 6] = ["quasar", "nebula", "comet", "telescope", "infrared", "plasma"];

/// Facets with few values, so that choices meet; missions are two levels deep.
const VALUES: [(&str, &[&str]); 5] = [
    ("type", &["Datalab", "Dataset"]),
    ("mission", &["astronomy/gaia", "astronomy/iso", "astronomy", "earth/adeos"]),
    ("property", &["QueryTool", "AnalysisTool"]),
    ("source", &["go-esa/osc", "go-esa/own"]),
    ("year", &["2021", "2022", "2023"]),
];

#[derive(Debug, Clone)]
struct Record {
    number: usize,
    words: Vec<usize>,
    values: Vec<(usize, usize)>,
    modified: i64,
}

impl Record {
    fn document(&self) -> Document {
        let identifier = format!("r{}", self.number);
        let name = self.words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
        let facet = |(facet, value): &(usize, usize)| {
            (Facet::named(VALUES[*facet].0).unwrap(), VALUES[*facet].1[*value].to_owned())
        };
        Document {
            key: format!("z/{identifier}"),
            hit: Hit { identifier, name: name.clone(), ..Hit::default() },
            names: vec![("en".to_owned(), name)],
            facets: self.values.iter().map(facet).collect(),
            modified_ms: self.modified,
            ..Document::default()
        }
    }

    fn expanded(&self, facet: &str) -> BTreeSet<String> {
        let own = self.values.iter().filter(|(at, _)| VALUES[*at].0 == facet).map(|(at, value)| VALUES[*at].1[*value]);
        own.flat_map(|value| {
            let above = value.split_once('/').filter(|_| facet == "mission").map(|(above, _)| above.to_owned());
            above.into_iter().chain([value.to_owned()])
        })
        .collect()
    }

    fn passes(&self, facet: &str, query: &SearchQuery) -> bool {
        let own = self.expanded(facet);
        let mut chosen = query.chosen(facet).peekable();
        chosen.peek().is_none() || chosen.any(|value| own.contains(value))
    }
}

fn record() -> impl Strategy<Value = Record> {
    let value = (0..VALUES.len()).prop_flat_map(|facet| (Just(facet), 0..VALUES[facet].1.len()));
    (0..40_usize, proptest::collection::vec(0..WORDS.len(), 0..4), proptest::collection::vec(value, 0..8), 0..5_i64)
        .prop_map(|(number, words, values, modified)| Record { number, words, values, modified })
}

fn query() -> impl Strategy<Value = SearchQuery> {
    let value = (0..VALUES.len()).prop_flat_map(|facet| (Just(facet), 0..=VALUES[facet].1.len()));
    let sort = prop_oneof![Just(Sort::Relevance), Just(Sort::Newest), Just(Sort::Name)];
    (proptest::collection::vec(0..WORDS.len(), 0..3), proptest::collection::vec(value, 0..4), sort).prop_map(
        |(words, values, sort)| {
            let mut query = SearchQuery { size: 7, sort, ..SearchQuery::default() };
            query.q = words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
            for (facet, value) in values {
                // One past the last is a value that no record has.
                let value = VALUES[facet].1.get(value).copied().unwrap_or("earth");
                if !query.has(VALUES[facet].0, value) {
                    query.facets.push((VALUES[facet].0.to_owned(), value.to_owned()));
                }
            }
            query
        },
    )
}

/// Returns the counts of a facet by value, flattened.
fn flat(values: &[FacetValue], into: &mut BTreeMap<String, (usize, bool)>) {
    for value in values {
        assert!(into.insert(value.value.clone(), (value.count, value.selected)).is_none(), "{} twice", value.value);
        assert!(value.children.iter().all(|child| child.value.starts_with(&format!("{}/", value.value))));
        flat(&value.children, into);
    }
    let order: Vec<_> = values.iter().map(|value| (std::cmp::Reverse(value.count), value.label.clone())).collect();
    assert!(order.is_sorted(), "{order:?}");
}

fn counted(facet: &search::Facet) -> (usize, BTreeMap<String, usize>) {
    let mut values = BTreeMap::new();
    flat(&facet.values, &mut values);
    (
        facet.total,
        values.into_iter().filter(|(_, (count, _))| *count > 0).map(|(value, (count, _))| (value, count)).collect(),
    )
}

fn by_hand(records: &[&Record], facet: &str) -> (usize, BTreeMap<String, usize>) {
    let mut values = BTreeMap::new();
    for record in records {
        for value in record.expanded(facet) {
            *values.entry(value).or_default() += 1;
        }
    }
    (records.iter().filter(|record| !record.expanded(facet).is_empty()).count(), values)
}

fn check(index: &Index, records: &BTreeMap<usize, Record>, query: &SearchQuery) -> Result<(), TestCaseError> {
    let wanted: Vec<&str> = query.q.split_whitespace().collect();
    let has = |record: &Record, word: &&str| record.words.iter().any(|own| WORDS[*own] == *word);
    let all = || records.values().filter(|record| wanted.iter().all(|word| has(record, word))).collect::<Vec<_>>();
    let any = || records.values().filter(|record| wanted.iter().any(|word| has(record, word))).collect::<Vec<_>>();
    let matched = Some(all()).filter(|all| !all.is_empty() || wanted.is_empty()).unwrap_or_else(any);
    let hits: Vec<&Record> =
        matched.iter().copied().filter(|record| FACETS.iter().all(|facet| record.passes(facet, query))).collect();

    let written = index.answer(query, &(), &|_, _| None, None).unwrap();
    let answer: SearchAnswer = serde_json::from_slice(&written.json).unwrap();
    prop_assert_eq!(serde_json::to_vec(&answer).unwrap(), written.json, "what is written is the answer, byte by byte");
    prop_assert_eq!(answer.total, hits.len(), "total of {:?}", query);
    for facet in FACETS {
        let others: Vec<&Record> = matched
            .iter()
            .copied()
            .filter(|record| FACETS.iter().all(|other| *other == facet || record.passes(other, query)))
            .collect();
        let shown = answer.facets.get(facet).unwrap();
        prop_assert_eq!(counted(shown), by_hand(&others, facet), "facet {} of {:?}", facet, query);
        let mut values = BTreeMap::new();
        flat(&shown.values, &mut values);
        let selected: BTreeSet<&str> =
            values.iter().filter(|(_, (_, selected))| *selected).map(|(value, _)| value.as_str()).collect();
        prop_assert_eq!(selected, query.chosen(facet).collect::<BTreeSet<_>>());
    }

    // The pages together hold every hit once, in the order that was asked for.
    let mut paged: Vec<usize> = Vec::new();
    for page in 1..=hits.len() / query.size + 2 {
        let answer = index.search(&SearchQuery { page, ..query.clone() }, &()).unwrap();
        paged.extend(answer.hits.iter().map(|hit| hit.identifier[1..].parse::<usize>().unwrap()));
    }
    let mut expected: Vec<usize> = hits.iter().map(|record| record.number).collect();
    let name = |number: &usize| (records[number].document().hit.name, format!("r{number}"));
    match query.sort {
        Sort::Name => expected.sort_by_key(name),
        Sort::Newest => expected.sort_by_key(|number| (-records[number].modified, name(number))),
        Sort::Relevance if wanted.is_empty() => {
            expected.sort_by_key(|number| (-records[number].modified, name(number)));
        }
        Sort::Relevance => paged.sort_unstable(),
    }
    prop_assert_eq!(paged, expected, "hits of {:?}", query);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_count_is_what_counting_by_hand_gives(
        batches in proptest::collection::vec((proptest::collection::vec(record(), 0..14), proptest::collection::vec(0..40_usize, 0..4)), 1..4),
        queries in proptest::collection::vec(query(), 12),
    ) {
        let index = Index::in_memory().unwrap();
        let mut records: BTreeMap<usize, Record> = BTreeMap::new();
        for (seq, (upserts, deletes)) in (1_u64..).zip(batches) {
            for number in &deletes {
                records.remove(number);
            }
            // A batch may name a record several times; the last counts.
            records.extend(upserts.iter().map(|record| (record.number, record.clone())));
            index.apply(Batch {
                upserts: upserts.iter().map(Record::document).collect(),
                deletes: deletes.iter().map(|number| format!("z/r{number}")).collect(),
                seq,
            }).unwrap();
            prop_assert_eq!((index.applied_seq(), index.count()), (seq, records.len()));
        }
        for query in &queries {
            check(&index, &records, query)?;
        }
    }

    #[test]
    fn no_query_is_an_error(q in "\\PC{0,60}", page in 0..usize::MAX, size in 0..200_usize) {
        let index = Index::in_memory().unwrap();
        let record = Record { number: 1, words: vec![0, 1], values: vec![(1, 0)], modified: 1 };
        index.apply(Batch { upserts: vec![record.document()], deletes: vec![], seq: 1 }).unwrap();
        index.search(&SearchQuery { q: q.clone(), page, size, ..SearchQuery::default() }, &()).unwrap();
        index.suggest(&q, &(), &|_, _| None).unwrap();
    }
}
