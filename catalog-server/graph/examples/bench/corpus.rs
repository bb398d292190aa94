//! The made-up catalogue: 34 statements a record, words and missions distributed about as they are.

use catalog_graph::{Change, Literal, NamedNode, Term, Triple};

use crate::BASE;

/// A splitmix64 generator that begins anew for every record.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// About as words are distributed: small numbers are more frequent.
    fn zipf(&mut self, end: usize) -> usize {
        let uniform = self.below(1 << 30) as f64 / f64::from(1 << 30);
        ((end as f64).powf(uniform) - 1.0) as usize
    }

    fn several(&mut self, count: usize, end: usize) -> Vec<usize> {
        let mut found = Vec::new();
        while found.len() < count {
            let one = self.zipf(end);
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }
}

fn word(n: usize) -> String {
    const SYLLABLES: [&str; 20] = [
        "ba", "ri", "to", "sun", "ve", "lo", "mar", "ka", "den", "fi", "gu", "ha", "jo", "ne", "pil", "qua", "se",
        "ti", "wo", "zan",
    ];
    let mut random = Random(n as u64 * 7919 + 13);
    let length = 2 + random.below(3);
    (0..length).map(|_| SYLLABLES[random.below(20)]).collect()
}

fn words(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| word(random.zipf(30_000))).collect::<Vec<_>>().join(" ")
}

fn node(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{BASE}{local}"))
}

fn dct(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://purl.org/dc/terms/{local}"))
}

fn dcat(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://www.w3.org/ns/dcat#{local}"))
}

fn ex(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("https://portal.example.org/voc#{local}"))
}

fn rdf_type() -> NamedNode {
    NamedNode::new_unchecked("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
}

fn typed(value: String, datatype: &str) -> Term {
    Literal::new_typed_literal(value, NamedNode::new_unchecked(format!("http://www.w3.org/2001/XMLSchema#{datatype}")))
        .into()
}

fn english(text: String) -> Term {
    Literal::new_language_tagged_literal_unchecked(text, "en").into()
}

/// A date as days since 2000, months of 28 days.
fn date(days: usize) -> String {
    format!("{}-{:02}-{:02}", 2000 + days / 336, days / 28 % 12 + 1, days % 28 + 1)
}

pub(crate) fn vocabulary() -> (NamedNode, Vec<Triple>) {
    let skos = |local: &str| NamedNode::new_unchecked(format!("http://www.w3.org/2004/02/skos/core#{local}"));
    let mut triples = Vec::new();
    for n in 0..60 {
        let mission = node(&format!("mission/{n}"));
        triples.push(Triple::new(mission.clone(), skos("prefLabel"), english(word(n))));
        triples.push(Triple::new(mission, skos("broader"), node(&format!("mission-group/{}", n % 8))));
    }
    for n in 0..300 {
        let publisher = node(&format!("publisher/{n}"));
        let name = NamedNode::new_unchecked("http://xmlns.com/foaf/0.1/name");
        triples.push(Triple::new(publisher, name, Literal::from(format!("{} institute {n}", word(n + 500)))));
    }
    (node("graph/vocabulary"), triples)
}

/// One dataset of the catalogue; another state has another title.
pub(crate) fn record(n: usize, state: usize) -> Change {
    let mut random = Random(n as u64 ^ 0x5eed);
    let source = random.zipf(20);
    let identifier = format!("cat-{source:02}-{n:08}");
    let iri = if n == 777 { node("dataset/cat-03-00000777") } else { node(&format!("dataset/{identifier}")) };
    let mut triples = Vec::with_capacity(40);
    let mut say = |predicate: NamedNode, object: Term| triples.push(Triple::new(iri.clone(), predicate, object));
    let issued = 336 * 5 + random.below(336 * 19);
    let (start, length) = (random.below(336 * 4), random.below(2000));
    say(rdf_type(), dcat("Dataset").into());
    say(dct("identifier"), Literal::from(identifier.clone()).into());
    let kinds = ["Level-1B", "Level-2", "Level-3 gridded", "reprocessed", "monthly mean", "daily"];
    say(
        dct("title"),
        english(format!("{} {} over {} {state}", words(&mut random, 2), kinds[random.below(6)], words(&mut random, 3))),
    );
    let length_of_text = 35 + random.below(35);
    say(dct("description"), english(words(&mut random, length_of_text)));
    say(dct("issued"), typed(date(issued), "date"));
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    let modified = format!("{}T{hour:02}:{minute:02}:{second:02}Z", date(issued + random.below(300)));
    say(dct("modified"), typed(modified, "dateTime"));
    say(dct("publisher"), node(&format!("publisher/{}", random.zipf(300))).into());
    say(dct("accessRights"), node(&format!("access/{}", random.zipf(3))).into());
    say(dct("license"), node(&format!("license/{}", random.zipf(5))).into());
    if random.below(10) < 7 {
        say(dct("language"), node(&format!("language/{}", random.below(5))).into());
    }
    say(ex("domain"), node(&format!("domain/{}", random.below(3))).into());
    say(ex("mission"), node(&format!("mission/{}", random.zipf(60))).into());
    say(ex("assetType"), node(&format!("asset-type/{}", random.zipf(8))).into());
    for (predicate, kind, most, of) in [("instrument", "instrument", 2, 200), ("property", "property", 2, 120)] {
        let count = 1 + random.below(most);
        for one in random.several(count, of) {
            say(ex(predicate), node(&format!("{kind}/{one}")).into());
        }
    }
    let count = 1 + random.below(2);
    for theme in random.several(count, 15) {
        say(dcat("theme"), node(&format!("theme/{theme}")).into());
    }
    let count = 3 + random.below(5);
    for keyword in random.several(count, 5000) {
        say(dcat("keyword"), english(word(keyword + 100_000)));
    }
    if random.below(10) < 8 {
        let (x, y) = (random.below(350_000), random.below(170_000));
        say(
            dcat("bbox"),
            Literal::from(format!(
                "POLYGON(({x} {y},{} {y},{} {},{x} {},{x} {y}))",
                x + 900,
                x + 900,
                y + 700,
                y + 700
            ))
            .into(),
        );
    }
    if random.below(2) == 0 {
        say(dct("conformsTo"), node(&format!("standard/{}", random.below(3))).into());
    }
    let period = NamedNode::new_unchecked(format!("{}/period", iri.as_str()));
    say(dct("temporal"), period.clone().into());
    let distributions = 1 + random.below(2);
    let mut parts = vec![
        Triple::new(period.clone(), dcat("startDate"), typed(date(start), "date")),
        Triple::new(period, dcat("endDate"), typed(date(start + length), "date")),
    ];
    for at in 0..distributions {
        let distribution = NamedNode::new_unchecked(format!("{}/dist/{at}", iri.as_str()));
        say(dcat("distribution"), distribution.clone().into());
        parts.push(Triple::new(distribution.clone(), rdf_type(), dcat("Distribution")));
        parts.push(Triple::new(distribution.clone(), dct("format"), node(&format!("format/{}", random.zipf(12)))));
        let address = NamedNode::new_unchecked(format!("https://{source}.example.org/get/{identifier}/{at}"));
        parts.push(Triple::new(distribution.clone(), dcat("accessURL"), address));
        parts.push(Triple::new(
            distribution,
            dcat("byteSize"),
            typed(random.below(100_000_000_000).to_string(), "decimal"),
        ));
    }
    triples.extend(parts);
    Change { iri, triples, said: vec![(node(&format!("graph/cat-{source:02}")), None)] }
}
