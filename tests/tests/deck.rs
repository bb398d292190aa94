//! The numbers of the source deck's discovery portal, in the API, on the pages and by SPARQL, alone and under other filters.
//!
//! The catalogue is made by `xtask fixture deck`, brought in by `alidade import`, and served: one server for all, as the
//! import is what takes long. What is wrong is gathered, so that one run shows all of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::process::Command;

use catalog_schemas::search::{FacetValue, SearchAnswer};
use catalog_tests::{Sandbox, Settings, page, sparql, xtask};

/// Every number of the slide: facet, value, records.
const SLIDE: [(&str, &str, usize); 13] = [
    ("domain", "earth-observation", 1_766),
    ("domain", "navigation", 21),
    ("domain", "space-science", 21_818),
    ("mission", "astronomy", 15_365),
    ("mission", "astronomy/gaia", 5),
    ("mission", "astronomy/herschel", 723),
    ("mission", "astronomy/hubble-space-telescope", 9_745),
    ("mission", "astronomy/iso", 1_515),
    ("mission", "astronomy/lisa-pathfinder", 6),
    ("mission", "astronomy/planck", 4),
    ("mission", "astronomy/xmm-newton", 3_367),
    ("mission", "earth-observation-satellite", 1_088),
    ("mission", "earth-observation-satellite/adeos", 1),
];

/// All records of the slide.
const ALL: usize = 23_605;

/// Choices under which the other facets are counted again.
const CHOICES: [&[(&str, &str)]; 7] = [
    &[("type", "Datalab")],
    &[("type", "Dataset"), ("type", "Datalab")],
    &[("mission", "astronomy/gaia"), ("mission", "earth-observation-satellite/adeos")],
    &[("mission", "astronomy")],
    &[("domain", "earth-observation")],
    &[("property", "QueryTool"), ("type", "Dataset")],
    &[("domain", "space-science"), ("mission", "astronomy/herschel"), ("mission", "astronomy/iso")],
];

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_the_deck_is_right_everywhere() {
    let mut sandbox = Sandbox::prepare(Settings::default());
    let fixture = sandbox.folder().join("deck.jsonl");
    let made = Command::new(xtask()).args(["fixture", "deck", "--out"]).arg(&fixture).status().unwrap();
    assert!(made.success());
    let imported = sandbox.cli(&["import", "deck.jsonl"]);
    let said = String::from_utf8_lossy(&imported.stdout).into_owned();
    assert!(imported.status.success(), "{said}\n{}", String::from_utf8_lossy(&imported.stderr));
    assert!(said.contains("23605 stored") && said.contains(" 0 refused"), "{said}");
    sandbox.run().await;

    let mut wrong = Vec::new();
    let mut expect = |what: String, given: Option<usize>, expected: usize| {
        if given != Some(expected) {
            wrong.push(format!("{what}: {given:?} rather than {expected}"));
        }
    };

    // Alone: the slide's numbers.
    let all = sandbox.search(&[("size", "0")]).await;
    let (_, html) = sandbox.get("/search").await;
    expect("the API's total".to_owned(), Some(all.total), ALL);
    let sum = all.facets.get("domain").unwrap().values.iter().map(|value| value.count).sum();
    expect("the sum of the domains".to_owned(), Some(sum), ALL);
    let records =
        "SELECT (COUNT(DISTINCT ?r) AS ?n) WHERE { ?r a ?kind . VALUES ?kind { esado:Dataset esado:Datalab } }";
    expect("SPARQL's total".to_owned(), Some(sparql::number(&sandbox, records).await), ALL);
    for (facet, value, count) in SLIDE {
        expect(format!("the API's {facet} {value}"), counted(&all, facet, value), count);
        expect(format!("the page's {facet} {value}"), page::facet_count(&html, &link(&[(facet, value)])), count);
        let (_, chosen) = sandbox.get(&link(&[(facet, value)])).await;
        let shown = chosen.contains(&thousands(count));
        expect(format!("the total on the page of {facet} {value}"), shown.then_some(count), count);
        expect(
            format!("the total of {facet} {value}"),
            Some(sandbox.search(&[(facet, value), ("size", "0")]).await.total),
            count,
        );
        expect(
            format!("SPARQL's {facet} {value}"),
            Some(sparql::count(&sandbox, &[(facet, vec![value])]).await),
            count,
        );
    }

    // Under other filters: any of a facet's values, all of the facets; each facet without its own choice.
    for choice in CHOICES {
        let pairs: Vec<(&str, &str)> = choice.iter().copied().chain([("size", "0")]).collect();
        let answer = sandbox.search(&pairs).await;
        let (_, html) = sandbox.get(&link(choice)).await;
        let of_all = sparql::count(&sandbox, &grouped(choice, "")).await;
        expect(format!("the total under {choice:?}"), Some(answer.total), of_all);
        for facet in ["type", "domain", "mission"] {
            for value in flat(&answer.facets.get(facet).unwrap().values) {
                let mut groups = grouped(choice, facet);
                groups.push((facet, vec![&value.value]));
                let by_sparql = sparql::count(&sandbox, &groups).await;
                expect(format!("{facet} {} under {choice:?}", value.value), Some(value.count), by_sparql);
                let toggled = link(&toggled(choice, facet, &value.value));
                if let Some(on_page) = page::facet_count(&html, &toggled) {
                    expect(format!("the page's {facet} {} under {choice:?}", value.value), Some(on_page), value.count);
                }
            }
        }
        // What has no record under the choice is not shown with one.
        for (facet, value, _) in SLIDE {
            if counted(&answer, facet, value).is_none() {
                let mut groups = grouped(choice, facet);
                groups.push((facet, vec![value]));
                expect(
                    format!("{facet} {value}, not shown under {choice:?}"),
                    Some(sparql::count(&sandbox, &groups).await),
                    0,
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn flat(values: &[FacetValue]) -> Vec<&FacetValue> {
    values.iter().flat_map(|value| std::iter::once(value).chain(flat(&value.children))).collect()
}

fn counted(answer: &SearchAnswer, facet: &str, value: &str) -> Option<usize> {
    flat(&answer.facets.get(facet)?.values).into_iter().find(|one| one.value == value).map(|one| one.count)
}

/// Returns the address of a search page, as the page itself writes it.
fn link(choice: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        choice.iter().map(|(name, value)| format!("{name}={}", value.replace('/', "%2F"))).collect();
    format!("/search?{}", pairs.join("&"))
}

/// Returns the choice after a click on a value.
fn toggled<'a>(choice: &[(&'a str, &'a str)], facet: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut toggled: Vec<_> = choice.iter().copied().filter(|pair| *pair != (facet, value)).collect();
    if toggled.len() == choice.len() {
        toggled.push((facet, value));
    }
    toggled
}

/// Gathers a choice by facet, without one of them.
fn grouped<'a>(choice: &[(&'a str, &'a str)], without: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (facet, value) in choice.iter().filter(|(facet, _)| *facet != without) {
        match groups.iter_mut().find(|(name, _)| name == facet) {
            Some((_, values)) => values.push(value),
            None => groups.push((facet, vec![value])),
        }
    }
    groups
}

/// Writes a number as the pages do.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
    if head.is_empty() { tail.to_owned() } else { format!("{head},{tail}") }
}
