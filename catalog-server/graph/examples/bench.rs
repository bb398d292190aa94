//! Measures the graph beside bare oxigraph in memory, on a made-up catalogue of 34 statements a record.
//!
//! `cargo xtask bench sparql` runs it. Processor time is what counts; answers must agree before figures do.
#![allow(clippy::print_stdout, reason = "this program's purpose is a table")]

use std::time::Instant;

use catalog_graph::{
    AnswerFormat, Cancellation, Change, Evaluator, GraphSyntax, Limits, Query, QueryDataset, QueryForm,
};
use catalog_graph::{Literal, NamedNode, Reader, Store, Term, Triple, View};
use oxigraph::sparql::results::{QueryResultsFormat, QueryResultsSerializer};
use oxigraph::sparql::{QueryResults, SparqlEvaluator};

type Failure = Box<dyn std::error::Error>;

const BASE: &str = "https://portal.example.org/";
const PREFIXES: &str = "PREFIX dct: <http://purl.org/dc/terms/> PREFIX dcat: <http://www.w3.org/ns/dcat#> \
    PREFIX foaf: <http://xmlns.com/foaf/0.1/> PREFIX skos: <http://www.w3.org/2004/02/skos/core#> \
    PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> PREFIX ex: <https://portal.example.org/voc#> ";

/// What of an answer is the same everywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Same {
    /// All of it.
    Whole,
    /// How many rows there are: an unordered LIMIT may give any, GROUP_CONCAT any order.
    Rows,
    /// Nothing: named graphs are here only.
    Nothing,
}

/// Queries, and what is compared. The first eight are those of the issue that this measures.
const QUERIES: [(&str, &str, Same); 35] = [
    (
        "facet by mission",
        "SELECT ?m (COUNT(?d) AS ?n) { ?d ex:domain <https://portal.example.org/domain/0> ; ex:mission ?m } GROUP BY ?m ORDER BY DESC(?n)",
        Same::Whole,
    ),
    (
        "title contains",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title ?t FILTER(CONTAINS(LCASE(STR(?t)), \"ban\")) }",
        Same::Whole,
    ),
    (
        "latest 20",
        "SELECT ?d ?t ?date { ?d a dcat:Dataset ; dct:modified ?date ; dct:title ?t } ORDER BY DESC(?date) LIMIT 20",
        Same::Whole,
    ),
    ("describe", "DESCRIBE <https://portal.example.org/dataset/cat-03-00000777>", Same::Whole),
    (
        "having",
        "SELECT ?p ?name (COUNT(?d) AS ?n) { ?d dct:publisher ?p . ?p foaf:name ?name } GROUP BY ?p ?name HAVING (COUNT(?d) > 100) ORDER BY DESC(?n)",
        Same::Whole,
    ),
    (
        "two hops",
        "SELECT ?f (COUNT(DISTINCT ?d) AS ?n) { ?d ex:mission <https://portal.example.org/mission/7> ; dcat:distribution ?x . ?x dct:format ?f } GROUP BY ?f ORDER BY DESC(?n)",
        Same::Whole,
    ),
    (
        "optionals",
        "SELECT ?d ?title ?desc ?pub ?start ?end ?bbox ?lang ?std { ?d ex:mission <https://portal.example.org/mission/7> ; ex:assetType <https://portal.example.org/asset-type/1> ; dct:title ?title OPTIONAL { ?d dct:description ?desc } OPTIONAL { ?d dct:publisher/foaf:name ?pub } OPTIONAL { ?d dct:temporal ?tp . ?tp dcat:startDate ?start ; dcat:endDate ?end } OPTIONAL { ?d dcat:bbox ?bbox } OPTIONAL { ?d dct:language ?lang } OPTIONAL { ?d dct:conformsTo ?std } } LIMIT 50",
        Same::Rows,
    ),
    (
        "top keywords",
        "SELECT ?k (COUNT(DISTINCT ?d) AS ?n) { ?d dcat:theme <https://portal.example.org/theme/3> ; dcat:keyword ?k } GROUP BY ?k ORDER BY DESC(?n) ?k LIMIT 20",
        Same::Whole,
    ),
    (
        "date range",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:issued ?i FILTER(?i >= \"2015-01-01\"^^xsd:date && ?i < \"2018-01-01\"^^xsd:date) }",
        Same::Whole,
    ),
    (
        "date range, newest",
        "SELECT ?d ?t ?i { ?d dct:issued ?i ; dct:title ?t FILTER(?i >= \"2015-01-01\"^^xsd:date && ?i < \"2015-03-01\"^^xsd:date) } ORDER BY DESC(?i) ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "by year",
        "SELECT ?y (COUNT(?d) AS ?n) { ?d dct:issued ?i BIND(YEAR(?i) AS ?y) } GROUP BY ?y ORDER BY ?y",
        Same::Whole,
    ),
    (
        "not exists",
        "SELECT (COUNT(?d) AS ?n) { ?d a dcat:Dataset FILTER NOT EXISTS { ?d dct:conformsTo ?s } }",
        Same::Whole,
    ),
    ("minus", "SELECT (COUNT(?d) AS ?n) { ?d a dcat:Dataset MINUS { ?d dct:language ?l } }", Same::Whole),
    (
        "path",
        "SELECT (COUNT(?d) AS ?n) { ?d ex:mission/skos:broader <https://portal.example.org/mission-group/2> }",
        Same::Whole,
    ),
    ("path, transitive", "SELECT ?m { ?m skos:broader+ <https://portal.example.org/mission-group/2> }", Same::Whole),
    (
        "union",
        "SELECT (COUNT(DISTINCT ?d) AS ?n) { { ?d dcat:theme <https://portal.example.org/theme/1> } UNION { ?d dcat:theme <https://portal.example.org/theme/2> } }",
        Same::Whole,
    ),
    (
        "regex",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title ?t FILTER(REGEX(?t, \"^[a-m].*level-2\", \"i\")) }",
        Same::Whole,
    ),
    (
        "sum",
        "SELECT ?f (SUM(?b) AS ?bytes) { ?x dct:format ?f ; dcat:byteSize ?b } GROUP BY ?f ORDER BY DESC(?bytes)",
        Same::Whole,
    ),
    (
        "keyword pairs",
        "SELECT ?a ?b (COUNT(?d) AS ?n) { ?d dcat:keyword ?a , ?b FILTER(STR(?a) < STR(?b)) } GROUP BY ?a ?b ORDER BY DESC(?n) ?a ?b LIMIT 20",
        Same::Whole,
    ),
    ("types", "SELECT ?c (COUNT(?s) AS ?n) { ?s a ?c } GROUP BY ?c", Same::Whole),
    ("predicates", "SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p ORDER BY DESC(?n) ?p", Same::Whole),
    (
        "properties of a kind",
        "SELECT ?p (COUNT(DISTINCT ?d) AS ?n) { ?d a dcat:Dataset ; ?p ?o } GROUP BY ?p ORDER BY DESC(?n) ?p",
        Same::Whole,
    ),
    ("all of one", "SELECT ?p ?o { <https://portal.example.org/dataset/cat-03-00000777> ?p ?o }", Same::Whole),
    ("who links here", "SELECT (COUNT(?s) AS ?n) { ?s ?p <https://portal.example.org/mission/7> }", Same::Whole),
    ("graphs", "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY DESC(?n)", Same::Nothing),
    (
        "in one graph",
        "SELECT ?m (COUNT(?d) AS ?n) { GRAPH <https://portal.example.org/graph/cat-00> { ?d ex:mission ?m ; dct:title ?t } } GROUP BY ?m ORDER BY DESC(?n) ?m",
        Same::Nothing,
    ),
    (
        "concepts below",
        "SELECT (COUNT(?d) AS ?n) { ?d ex:mission/skos:broader* <https://portal.example.org/mission-group/2> }",
        Same::Whole,
    ),
    (
        "language and prefix",
        "SELECT (COUNT(?d) AS ?n) { ?d dct:title ?t FILTER(LANG(?t) = \"en\" && STRSTARTS(STR(?t), \"ba\")) }",
        Same::Whole,
    ),
    (
        "values",
        "SELECT ?m (COUNT(?d) AS ?n) { VALUES ?m { <https://portal.example.org/mission/1> <https://portal.example.org/mission/2> } ?d ex:mission ?m } GROUP BY ?m",
        Same::Whole,
    ),
    (
        "two keys",
        "SELECT ?m ?a (COUNT(*) AS ?n) { ?d ex:mission ?m ; ex:assetType ?a } GROUP BY ?m ?a ORDER BY DESC(?n) ?m ?a LIMIT 50",
        Same::Whole,
    ),
    (
        "subquery",
        "SELECT ?d ?n { { SELECT ?d (COUNT(?k) AS ?n) { ?d dcat:keyword ?k } GROUP BY ?d HAVING(COUNT(?k) > 6) } ?d ex:mission <https://portal.example.org/mission/7> } ORDER BY ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "keywords in a row",
        "SELECT ?d (GROUP_CONCAT(?k; separator=\", \") AS ?all) { ?d ex:mission <https://portal.example.org/mission/7> ; dcat:keyword ?k } GROUP BY ?d ORDER BY ?d LIMIT 20",
        Same::Rows,
    ),
    (
        "construct",
        "CONSTRUCT { ?d dct:title ?t ; dct:issued ?i } WHERE { ?d ex:mission <https://portal.example.org/mission/37> ; dct:title ?t ; dct:issued ?i }",
        Same::Whole,
    ),
    (
        "latest, optionals",
        "SELECT ?d ?t ?date ?desc ?lang { ?d a dcat:Dataset ; dct:modified ?date ; dct:title ?t OPTIONAL { ?d dct:description ?desc } OPTIONAL { ?d dct:language ?lang } FILTER(?date > \"2015-01-01T00:00:00Z\"^^xsd:dateTime) } ORDER BY DESC(?date) ?d LIMIT 20",
        Same::Whole,
    ),
    (
        "in",
        "SELECT (COUNT(?d) AS ?n) { ?d ex:mission ?m ; dct:license ?l FILTER(?m IN (<https://portal.example.org/mission/1>, <https://portal.example.org/mission/2>) && ?l != <https://portal.example.org/license/0>) }",
        Same::Whole,
    ),
];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let records: usize = arguments.next().map_or(Ok(100_000), |number| number.parse())?;
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, Into::into)
        .join(format!("graph-bench-{}", std::process::id()));
    let rest: Vec<String> = arguments.collect();
    let value = |name: &str| rest.iter().position(|word| word == name).and_then(|at| rest.get(at + 1)).cloned();
    let wanted = Wanted {
        with_oxigraph: !rest.iter().any(|word| word == "--alone"),
        quads: value("--quads"),
        figures: value("--figures"),
    };
    // As in a worker process, which keeps one thread with a deep stack.
    let measured =
        catalog_graph::on_deep_stack(|| measure(records, &folder, &wanted).map_err(|error| error.to_string()))?;
    std::fs::remove_dir_all(&folder)?;
    Ok(measured?)
}

/// What else is to be done.
struct Wanted {
    with_oxigraph: bool,
    /// Where the statements are written, for another engine.
    quads: Option<String>,
    /// Where the figures are written, for another table.
    figures: Option<String>,
}

fn measure(records: usize, folder: &std::path::Path, wanted: &Wanted) -> Result<(), Failure> {
    let store = Store::open(folder, "bench")?;
    let (since, before) = (Instant::now(), processor_ms()?);
    let mut rebuild = store.rebuild()?;
    let (vocabulary_graph, vocabulary) = vocabulary();
    rebuild.add(&vocabulary_graph, &vocabulary)?;
    let mut statements = vocabulary.len();
    for chunk in (0..records).collect::<Vec<_>>().chunks(1000) {
        let changes: Vec<Change> = chunk.iter().map(|n| record(*n, 0)).collect();
        statements += changes.iter().map(|change| change.triples.len()).sum::<usize>();
        rebuild.fill(&changes)?;
    }
    store.install(rebuild, 1)?;
    println!(
        "build: {statements} statements in the default graph and again in named ones, {:.1} s wall, {:.1} s CPU with making them, peak memory {} MB, files {} MB",
        since.elapsed().as_secs_f64(),
        (processor_ms()? - before) / 1e3,
        status("VmHWM")? / 1024,
        size(folder)? >> 20
    );
    visibility(&store, records)?;
    let before = processor_ms()?;
    store.compact()?;
    println!("compaction: {:.2} s CPU", (processor_ms()? - before) / 1e3);
    let since = Instant::now();
    let reader = Reader::open(folder)?;
    println!("opening in a reader: {:.1} ms", since.elapsed().as_secs_f64() * 1e3);
    let view = reader.view();
    let oxigraph = if wanted.with_oxigraph { Some(bare(records)?) } else { None };
    println!("\n| CPU ms a query | kernel | spareval on our files | bare oxigraph, default graph | rows | answers |");
    println!("|---|---:|---:|---:|---:|---|");
    let mut figures = Vec::new();
    for (name, query, same) in QUERIES {
        let query = format!("{PREFIXES}{query}");
        let ours = time(|| ask(&view, &query, Evaluator::Best))?;
        // Minutes a query, which say nothing new.
        let slow = records > 200_000;
        let plain = if slow { None } else { Some(time(|| ask(&view, &query, Evaluator::Plain))?) };
        let bare = match &oxigraph {
            Some(store) if !slow => Some(time(|| ask_bare(store, &query))?),
            _ => None,
        };
        let agree = [(&plain, false), (&bare, true)].into_iter().all(|(other, is_bare)| match (other, same) {
            (None, _) => true,
            (Some((_, answer)), Same::Whole) => *answer == ours.1,
            (Some((_, answer)), Same::Rows) => answer.len() == ours.1.len(),
            (Some((_, answer)), Same::Nothing) => is_bare || *answer == ours.1,
        });
        let figure = |measured: &Option<(f64, Vec<String>)>| {
            measured.as_ref().map_or_else(|| "–".to_owned(), |(ms, _)| format!("{ms:.2}"))
        };
        let rows = ours.1.len().saturating_sub(1);
        println!(
            "| {name} | {:.2} | {} | {} | {rows} | {} |",
            ours.0,
            figure(&plain),
            figure(&bare),
            if agree { "agree" } else { "DIFFER" }
        );
        let one = (ours.1.len() == 2 && ours.1[0].starts_with('?')).then(|| ours.1[1].clone());
        figures.push(serde_json::json!({
            "name": name, "query": query, "rows": rows, "one": one, "agree": agree,
            "isCompared": same != Same::Nothing,
            "ours": ours.0, "plain": plain.map(|(ms, _)| ms), "bare": bare.map(|(ms, _)| ms),
        }));
    }
    if let Some(file) = &wanted.figures {
        std::fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    if let Some(file) = &wanted.quads {
        write_quads(file, records)?;
    }
    println!("\nmemory of this process: {} MB, peak {} MB", status("VmRSS")? / 1024, status("VmHWM")? / 1024);
    Ok(())
}

/// Publishes one record after the other and looks for each in a reader's view.
fn visibility(store: &Store, records: usize) -> Result<(), Failure> {
    let mut reader = Reader::open(store.folder())?;
    let (mut seen, before) = (Vec::new(), processor_ms()?);
    let count = 400;
    for n in 0..count {
        let since = Instant::now();
        let change = record(if n % 2 == 0 { n } else { records + n }, n + 1);
        store.apply(std::slice::from_ref(&change), n as u64 + 2)?;
        match reader.refresh(store.version()) {
            Err(catalog_graph::Error::Gone) => reader = Reader::open(store.folder())?,
            refreshed => refreshed?,
        }
        let answer = ask(
            &reader.view(),
            &format!("SELECT ?t {{ <{}> <http://purl.org/dc/terms/title> ?t }}", change.iri.as_str()),
            Evaluator::Best,
        )?;
        if answer.len() != 2 {
            return Err(format!("{} is not there: {answer:?}", change.iri).into());
        }
        seen.push(since.elapsed().as_secs_f64() * 1e3);
    }
    seen.sort_by(f64::total_cmp);
    println!(
        "apply, refresh and find one record: median {:.2} ms, 99th percentile {:.2} ms wall; {:.2} ms CPU each",
        seen[count / 2],
        seen[count * 99 / 100],
        (processor_ms()? - before) / count as f64
    );
    Ok(())
}

/// Runs something until half a second of processor time has passed, at least twice unless it is slow.
fn time(mut run: impl FnMut() -> Result<Vec<String>, Failure>) -> Result<(f64, Vec<String>), Failure> {
    let cold = processor_ms()?;
    let answer = run()?;
    let first = processor_ms()? - cold;
    if first > 4000.0 {
        return Ok((first, answer));
    }
    let before = processor_ms()?;
    let mut times = 0_u32;
    loop {
        run()?;
        times += 1;
        let spent = processor_ms()? - before;
        if spent > 500.0 || times >= 2000 {
            return Ok((spent / f64::from(times), answer));
        }
    }
}

fn ask(view: &View, query: &str, evaluator: Evaluator) -> Result<Vec<String>, Failure> {
    let query = Query::parse(query, BASE, &QueryDataset::default())?.with_evaluator(evaluator);
    let format = match query.form() {
        QueryForm::Graph => AnswerFormat::Graph(GraphSyntax::NTriples),
        _ => AnswerFormat::Tsv,
    };
    let limits =
        Limits { time: std::time::Duration::from_secs(300), rows: 10_000_000, bytes: 1 << 30, memory: 2 << 30 };
    let mut answer = Vec::new();
    query.evaluate(view, format, limits, &Cancellation::new(), &mut answer)?;
    Ok(lines(&answer))
}

fn ask_bare(store: &oxigraph::store::Store, query: &str) -> Result<Vec<String>, Failure> {
    let mut answer = Vec::new();
    match SparqlEvaluator::new().parse_query(query)?.on_store(store).execute()? {
        QueryResults::Solutions(solutions) => {
            let variables = solutions.variables().to_vec();
            let serializer = QueryResultsSerializer::from_format(QueryResultsFormat::Tsv);
            let mut writer = serializer.serialize_solutions_to_writer(&mut answer, variables)?;
            for solution in solutions {
                writer.serialize(&solution?)?;
            }
            writer.finish()?;
        }
        QueryResults::Graph(triples) => {
            for triple in triples {
                answer.extend_from_slice(format!("{} .\n", triple?).as_bytes());
            }
        }
        QueryResults::Boolean(truth) => answer.extend_from_slice(truth.to_string().as_bytes()),
    }
    Ok(lines(&answer))
}

fn lines(answer: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(answer).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Fills oxigraph's in-memory store with the default graph.
fn bare(records: usize) -> Result<oxigraph::store::Store, Failure> {
    let (since, before) = (Instant::now(), processor_ms()?);
    let store = oxigraph::store::Store::new()?;
    let mut loader = store.bulk_loader();
    let all = vocabulary().1.into_iter().chain((0..records).flat_map(|n| record(n, state(n)).triples));
    let changed = (0..400).filter(|n| n % 2 == 1).flat_map(|n| record(records + n, n + 1).triples);
    loader.load_quads(all.chain(changed).map(|triple| triple.in_graph(oxigraph::model::GraphName::DefaultGraph)))?;
    loader.commit()?;
    println!(
        "oxigraph's bulk loader in memory, default graph only: {:.1} s wall, {:.1} s CPU with making them",
        since.elapsed().as_secs_f64(),
        (processor_ms()? - before) / 1e3
    );
    Ok(store)
}

/// Writes what the store holds, each statement in the graph of its source.
fn write_quads(file: &str, records: usize) -> Result<(), Failure> {
    use std::io::Write;
    let mut writer = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(file)?);
    let (graph, vocabulary) = vocabulary();
    for triple in vocabulary {
        writeln!(writer, "{triple} {graph} .")?;
    }
    let changed = (0..400).filter(|n| n % 2 == 1).map(|n| record(records + n, n + 1));
    for change in (0..records).map(|n| record(n, state(n))).chain(changed) {
        let Some((graph, _)) = change.said.first() else { continue };
        for triple in &change.triples {
            writeln!(writer, "{triple} {graph} .")?;
        }
    }
    Ok(writer.flush()?)
}

/// Which state of a record the store has after [`visibility`].
fn state(n: usize) -> usize {
    if n < 400 && n.is_multiple_of(2) { n + 1 } else { 0 }
}

fn processor_ms() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) * 10.0)
}

fn status(name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).unwrap_or("0").parse()?)
}

fn size(folder: &std::path::Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

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

fn vocabulary() -> (NamedNode, Vec<Triple>) {
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
fn record(n: usize, state: usize) -> Change {
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
