//! CPU time of whole answers beside the engine's plain collector of the twenty best, on the same index and query.
//!
//! `RECORDS=100000 cargo bench -p catalog-index --bench search`; `PLACE` is where the index is built, `ONLY` a part of
//! the names of the queries to run.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and fails")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use catalog_index::{Batch, Document, Facet, Index, bare_top_documents};
use catalog_schemas::search::{Hit, SearchQuery, Sort};

const SYLLABLES: [&str; 40] = [
    "ba", "con", "da", "el", "fir", "ga", "hel", "in", "jo", "kep", "lu", "mar", "ne", "or", "pla", "qua", "ra", "sta",
    "tel", "ul", "ve", "win", "xan", "yor", "zo", "spec", "tro", "gra", "phy", "neb", "dus", "ion", "cal", "ob", "ser",
    "vat", "mag", "nit", "ude", "red",
];

/// A small generator, so that a corpus is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A rank below `end`, by Zipf's law.
    fn zipf(&mut self, end: usize) -> usize {
        let rank = ((end as f64 + 1.0).ln() * self.unit()).exp() as usize;
        rank.saturating_sub(1).min(end - 1)
    }
}

fn word(rank: usize) -> String {
    let mut word = String::new();
    let mut rest = rank;
    for _ in 0..3 {
        word.push_str(SYLLABLES[rest % SYLLABLES.len()]);
        rest /= SYLLABLES.len();
    }
    if rest > 0 {
        word.push_str(SYLLABLES[rest % SYLLABLES.len()]);
    }
    word
}

const WORDS: usize = 60_000;
const KEYWORDS: usize = 5_000;

fn words(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| word(random.zipf(WORDS))).collect::<Vec<_>>().join(" ")
}

fn record(number: usize, random: &mut Random) -> Document {
    let identifier = format!("record-{number}");
    let few = 3 + random.below(6);
    let name = words(random, few);
    let summary = words(random, 20);
    let mut facets: Vec<(Facet, String)> = Vec::new();
    let mut add = |facet: &str, value: String| facets.push((Facet::named(facet).unwrap(), value));
    add("type", ["Dataset", "Datalab", "Pipeline", "DataVolume"][random.zipf(4)].to_owned());
    for _ in 0..random.below(3) {
        add("property", ["QueryTool", "VisualizationTool", "AnalysisTool", "DataVolume"][random.zipf(4)].to_owned());
    }
    add("domain", ["space-science", "earth-observation", "navigation"][random.zipf(3)].to_owned());
    for _ in 0..1 + random.below(8) / 6 {
        let mission = random.zipf(60);
        add("mission", format!("group-{}/mission-{mission}", mission % 6));
    }
    for _ in 0..random.below(3) {
        let instrument = random.zipf(300);
        add("instrument", format!("kind-{}/instrument-{instrument}", instrument % 12));
    }
    for _ in 0..random.below(3) {
        add("thematicArea", format!("area-{}", random.zipf(40)));
    }
    for _ in 0..1 + random.below(2) {
        add("datazone", format!("zone-{}", random.zipf(5)));
    }
    add("gpu", if random.below(20) == 0 { "required" } else { "none" }.to_owned());
    add("interface", ["web", "desktop", "vm", "terminal", "headless"][random.zipf(5)].to_owned());
    for _ in 0..random.below(3) {
        add("fileType", format!("TYPE{}", random.zipf(30)));
    }
    add("licence", format!("Licence-{}", random.zipf(15)));
    add("source", format!("zone-{}/source-{}", random.zipf(5), random.zipf(4)));
    add("year", (1990 + 35 - random.zipf(36)).to_string());
    let english = |text: String| vec![("en".to_owned(), text)];
    Document {
        key: format!("zone/{identifier}"),
        seq: number as u64,
        hit: Hit {
            iri: format!("https://example.org/id/zone/{identifier}"),
            zone: "zone".to_owned(),
            identifier: identifier.clone(),
            kind: "Dataset".to_owned(),
            name: name.clone(),
            alternate_name: Some(identifier.clone()),
            summary: summary.clone(),
            version: Some("1.0.0".to_owned()),
            zones: vec!["sci-cloud".to_owned()],
            facts: vec!["2 CPU · 2 GiB".to_owned(), "JupyterLab".to_owned()],
            launchable: true,
            modified: Some("2026-01-01T00:00:00Z".to_owned()),
            ..Hit::default()
        },
        short_name: Some(identifier),
        names: english(name),
        summaries: english(summary),
        texts: english(words(random, 60)),
        keywords: (0..4).map(|_| format!("{} {}", word(random.zipf(KEYWORDS)), word(random.zipf(500)))).collect(),
        words: vec![format!("mission {}", random.zipf(60))],
        facets,
        modified_ms: random.below(1_000_000_000) as i64,
    }
}

/// CPU time of this thread: the machine may be busy with other work.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// Returns the CPU microseconds of one call, the least of five rounds.
fn measure(queries: &[SearchQuery], run: impl Fn(&SearchQuery) -> usize) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let (begun, mut calls) = (cpu(), 0_u32);
        let clock = Instant::now();
        while clock.elapsed() < Duration::from_millis(150) {
            for query in queries {
                black_box(run(query));
                calls += 1;
            }
        }
        best = best.min((cpu() - begun).as_secs_f64() * 1e6 / f64::from(calls));
    }
    best
}

fn main() {
    let records: usize = std::env::var("RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let place = std::env::var("PLACE").map_or_else(|_| std::env::temp_dir().join("catalog-index-bench"), Into::into);
    let place = place.join(format!("{records}"));
    let index = Index::open(&place).unwrap_or_else(|_| {
        let _ = std::fs::remove_dir_all(&place);
        let index = Index::create(&place).unwrap();
        let mut random = Random(42);
        let (clock, begun) = (Instant::now(), cpu());
        for (seq, first) in (1..).zip((0..records).step_by(20_000)) {
            let upserts = (first..records.min(first + 20_000)).map(|number| record(number, &mut random)).collect();
            index.apply(Batch { upserts, deletes: vec![], seq }).unwrap();
        }
        index.settle().unwrap();
        println!(
            "built in {:.1} s, {:.1} s CPU on the calling thread",
            clock.elapsed().as_secs_f64(),
            (cpu() - begun).as_secs_f64()
        );
        index
    });
    drop(index);
    let (clock, begun) = (Instant::now(), cpu());
    let index = Index::open(&place).unwrap();
    println!(
        "{} records, opened in {} ms ({} ms CPU)",
        index.count(),
        clock.elapsed().as_millis(),
        (cpu() - begun).as_millis()
    );

    let words = |ranks: std::ops::Range<usize>| -> Vec<SearchQuery> {
        ranks.map(|rank| SearchQuery { q: word(rank), ..SearchQuery::default() }).collect()
    };
    let with = |query: &SearchQuery, facets: &[(&str, &str)]| SearchQuery {
        facets: facets.iter().map(|(facet, value)| ((*facet).to_owned(), (*value).to_owned())).collect(),
        ..query.clone()
    };
    let all = SearchQuery::default();
    let three = [("type", "Dataset"), ("domain", "space-science"), ("mission", "group-0")];
    let narrow = [("licence", "Licence-3"), ("year", "2010"), ("mission", "group-1/mission-7")];
    let one =
        |words: &mut dyn Iterator<Item = String>| SearchQuery { q: words.collect::<Vec<_>>().join(" "), ..all.clone() };
    let pairs = (100..110).map(|rank| SearchQuery { q: format!("{} {}", word(rank), word(rank + 7)), ..all.clone() });
    let classes: Vec<(&str, Vec<SearchQuery>)> = vec![
        ("one word, very frequent", words(5..10)),
        ("one word, frequent", words(100..110)),
        ("one word, usual", words(1000..1020)),
        ("one word, rare", words(20_000..20_020)),
        ("two words", pairs.collect()),
        ("match-all", vec![all.clone()]),
        ("match-all by name", vec![SearchQuery { sort: Sort::Name, ..all.clone() }]),
        ("three filters", vec![with(&all, &three)]),
        ("three narrow filters", vec![with(&all, &narrow)]),
        ("frequent word, three filters", words(100..110).iter().map(|query| with(query, &three)).collect()),
        ("worst: sixteen misspelt", vec![one(&mut (0..16).map(|at| format!("{}qz", word(30_000 + at))))]),
        (
            "worst: sixteen beginnings",
            vec![one(&mut SYLLABLES[..16].iter().map(|syllable| format!("{}*", &syllable[..2])))],
        ),
        (
            "worst: phrase of sixteen",
            vec![one(&mut ["\"".to_owned()]
                .into_iter()
                .chain((0..16).map(|at| word(at % 3)))
                .chain(["\"".to_owned()]))],
        ),
    ];
    println!("{:<30} {:>9} {:>12} {:>12} {:>12} {:>7}", "query", "hits", "bare µs", "no hits µs", "answer µs", "ratio");
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, queries) in classes.iter().filter(|(name, _)| name.contains(&only)) {
        let hits: usize = queries.iter().map(|query| index.search(query, &()).unwrap().total).sum();
        let bare = measure(queries, |query| bare_top_documents(&index, query).unwrap());
        let answer = measure(queries, |query| index.answer(query, &(), &|_, _| None, None).unwrap().json.len());
        let counted = measure(queries, |query| {
            index.answer(&SearchQuery { size: 0, ..query.clone() }, &(), &|_, _| None, None).unwrap().json.len()
        });
        println!(
            "{name:<30} {:>9} {bare:>12.1} {counted:>12.1} {answer:>12.1} {:>7.2}",
            hits / queries.len(),
            answer / bare
        );
    }
    for typed in ["ba", "conba", "dago", "record-77"] {
        let query = SearchQuery { q: typed.to_owned(), ..SearchQuery::default() };
        let took = measure(&[query], |query| index.suggest(&query.q, &(), &|_, _| None).unwrap().suggestions.len());
        println!("suggest {typed:<22} {took:>35.1} µs");
    }
}
