//! What is found and in which order, as a table.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use catalog_index::{Batch, Document, Facet, Index, Labels};
use catalog_schemas::search::{Hit, SearchQuery, Sort};

struct Row {
    identifier: &'static str,
    short_name: &'static str,
    name: &'static str,
    summary: &'static str,
    language: &'static str,
    keywords: &'static [&'static str],
    mission: &'static str,
}

const fn row(identifier: &'static str, short_name: &'static str, name: &'static str, summary: &'static str) -> Row {
    Row { identifier, short_name, name, summary, language: "en", keywords: &[], mission: "" }
}

/// Cards of the source deck, and neighbours that would like to be found in their place.
const ROWS: [Row; 24] = [
    row("aladin", "aladin", "Aladin Sky Atlas", "An interactive sky atlas to visualise astronomical images."),
    row("aladin-lite", "aladin-lite", "Aladin Lite", "A lightweight version of the Aladin sky atlas."),
    row("aladin-tutorial", "tut-1", "How to use Aladin", "Aladin aladin aladin: the aladin tutorial for aladin users."),
    row("j-juice", "j-juice", "JUICE notebooks", "Notebooks about the JUICE mission."),
    row("jl-juice", "jl-juice", "JupyterLab for JUICE", "Plan observations of Jupiter's icy moons."),
    row("qfitsview", "qfitsview", "QFitsView", "A viewer of FITS cubes."),
    row("fv", "fv", "FITS Viewer", "Views and edits any FITS file."),
    row("jupyterlab", "jupyterlab", "JupyterLab", "Notebooks in the browser."),
    row("jupyterlab-cuda", "jupyterlab-cuda", "JupyterLab with CUDA", "Notebooks with a graphics processor."),
    Row {
        keywords: &["XMM-Newton"],
        mission: "astronomy/xmm-newton",
        ..row("jl-xmm-sas", "jl-xmm-sas", "JupyterLab XMM SAS", "Science analysis of X-ray observations.")
    },
    Row { mission: "astronomy/xmm-newton", ..row("xsa", "xsa", "XMM-Newton Science Archive", "All XMM-Newton data.") },
    Row { mission: "astronomy/gaia", ..row("gaia-archive", "gaia", "Gaia Archive", "A billion stars.") },
    Row { mission: "astronomy/gaia", ..row("j-pangaia", "j-pangaia", "PanGaia", "Explores Gaia data with Panel.") },
    row("gaia", "gaia-raw", "Raw telemetry", "Not for the public."),
    row("star-formation", "sfr", "Star formation rates", "Rates of star formation in galaxies."),
    row("formation-star", "fs", "Formation flying with a star tracker", "Two spacecraft."),
    row("startracker", "startracker", "Startracker", "A tracker."),
    Row {
        language: "fr",
        ..row("etoiles", "etoiles", "Étoiles observées", "Catalogue des étoiles observées par Hipparcos.")
    },
    Row {
        language: "de",
        ..row("sterne", "sterne", "Beobachtungen von Galaxien", "Häufige Beobachtungen naher Galaxien.")
    },
    Row { language: "es", ..row("estrellas", "estrellas", "Catálogo de estrellas", "Estrellas variables.") },
    Row { language: "it", ..row("galassie", "galassie", "Catalogo delle galassie", "Galassie a spirale.") },
    row("theia-python", "theia-python", "Theia IDE", "An editor for Python."),
    row("galaxies", "galaxies", "Nearby galaxies", "A sample of galaxies within 10 Mpc."),
    row("twin", "aladin", "Another lab of the same short name", "It has the short name of another."),
];

fn index() -> Index {
    let index = Index::in_memory().unwrap();
    let documents = ROWS.iter().enumerate().map(|(at, row)| Document {
        key: format!("go-esa/{}", row.identifier),
        seq: at as u64,
        hit: Hit {
            iri: format!("https://example.org/id/go-esa/{}", row.identifier),
            zone: "go-esa".to_owned(),
            identifier: row.identifier.to_owned(),
            kind: "Datalab".to_owned(),
            name: row.name.to_owned(),
            alternate_name: Some(row.short_name.to_owned()),
            summary: row.summary.to_owned(),
            ..Hit::default()
        },
        short_name: Some(row.short_name.to_owned()),
        names: vec![(row.language.to_owned(), row.name.to_owned())],
        summaries: vec![(row.language.to_owned(), row.summary.to_owned())],
        keywords: row.keywords.iter().map(|keyword| (*keyword).to_owned()).collect(),
        facets: Some(row.mission)
            .filter(|mission| !mission.is_empty())
            .map(|mission| (Facet::named("mission").unwrap(), mission.to_owned()))
            .into_iter()
            .collect(),
        modified_ms: at as i64,
        ..Document::default()
    });
    // Several segments, as after several publications.
    let documents: Vec<Document> = documents.collect();
    for (seq, part) in (1..).zip(documents.chunks(7)) {
        index.apply(Batch { upserts: part.to_vec(), deletes: vec![], seq }).unwrap();
    }
    index
}

fn found(index: &Index, q: &str) -> Vec<String> {
    let query = SearchQuery { q: q.to_owned(), ..SearchQuery::default() };
    index.search(&query, &()).unwrap().hits.into_iter().map(|hit| hit.identifier).collect()
}

#[test]
fn every_short_name_is_first() {
    let index = index();
    for row in ROWS.iter().filter(|row| row.identifier != "twin") {
        for typed in [row.short_name.to_owned(), row.short_name.to_uppercase(), row.short_name.replace('-', " ")] {
            assert_eq!(found(&index, &typed).first().map(String::as_str), Some(row.identifier), "{typed}");
        }
    }
}

#[test]
fn the_table_of_queries() {
    let index = index();
    let mut wrong = Vec::new();
    for (q, expected) in [
        // Exact short names by name, then names that begin so, then words in a name, then words anywhere.
        ("aladin", &["aladin", "twin", "aladin-lite", "aladin-tutorial"][..]),
        ("gaia", &["gaia-archive", "gaia", "j-pangaia"]),
        ("Aladin Sky Atlas", &["aladin", "aladin-lite"]),
        ("aladin lite", &["aladin-lite"]),
        ("star formation", &["star-formation", "formation-star"]),
        ("\"star formation\"", &["star-formation"]),
        ("formation -galaxies", &["formation-star"]),
        ("xmm newton", &["xsa", "jl-xmm-sas"]),
        ("xmm-newton", &["xsa", "jl-xmm-sas"]),
        ("xmmnewton", &["xsa", "jl-xmm-sas"]),
        ("juice", &["j-juice", "jl-juice"]),
        // The last word may be the beginning of one, below those that are whole.
        ("jupyterl", &["jupyterlab", "jupyterlab-cuda", "jl-juice", "jl-xmm-sas"]),
        ("theia pyth", &["theia-python"]),
        ("qfits", &["qfitsview"]),
        ("qfit*", &["qfitsview"]),
        ("star", &["star-formation", "formation-star", "gaia-archive", "startracker"]),
        // One letter wrong, or any of the words when not all are found.
        ("aladim", &["aladin", "aladin-lite", "aladin-tutorial", "twin"]),
        ("qfitsveiw", &["qfitsview"]),
        ("theia spectroscopy", &["theia-python"]),
        ("the viewer", &["fv", "qfitsview"]),
        // Stems and accents in several languages.
        ("galaxy", &["galaxies", "star-formation"]),
        ("étoile observée", &["etoiles"]),
        ("etoile observee", &["etoiles"]),
        ("Beobachtung", &["sterne"]),
        ("estrella", &["estrellas"]),
        ("galassia", &["galassie"]),
        ("title:theia", &["theia-python"]),
        ("theia", &["theia-python"]),
        ("nothinglikethis", &[]),
        // Exclusions alone leave the rest.
        (
            "-aladin -jupyterlab -juice -fits -galaxies -gaia -star -formation -catalogo -xmm",
            &["theia-python", "etoiles", "startracker"],
        ),
    ] {
        let found = found(&index, q);
        if found != expected {
            wrong.push(format!("{q}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn orders_are_the_same_at_every_call() {
    let index = index();
    let names = |sort| {
        let query = SearchQuery { sort, size: 100, ..SearchQuery::default() };
        index.search(&query, &()).unwrap().hits.into_iter().map(|hit| hit.name).collect::<Vec<_>>()
    };
    let by_name = names(Sort::Name);
    assert_eq!(by_name[..3], ["Aladin Lite", "Aladin Sky Atlas", "Another lab of the same short name"]);
    assert_eq!(by_name.last().unwrap(), "XMM-Newton Science Archive");
    assert_eq!(by_name[6], "Étoiles observées", "accents do not matter: {by_name:?}");
    let newest: Vec<&str> = ROWS.iter().rev().map(|row| row.name).collect();
    assert_eq!(names(Sort::Newest), newest);
    assert_eq!(names(Sort::Relevance), newest);
}

#[test]
fn highlights_come_from_the_summary_and_are_escaped() {
    let index = index();
    let highlight = |q: &str| {
        let query = SearchQuery { q: q.to_owned(), ..SearchQuery::default() };
        index.search(&query, &()).unwrap().hits[0].highlight.clone()
    };
    assert_eq!(highlight("galaxy").unwrap(), "A sample of <mark>galaxies</mark> within 10 Mpc.");
    assert_eq!(
        highlight("icy moon").unwrap(),
        "Plan observations of Jupiter&#39;s <mark>icy</mark> <mark>moons</mark>."
    );
    assert_eq!(highlight("qfitsview"), None);
    assert_eq!(highlight(""), None);
}

#[test]
fn a_better_spelling_is_proposed_only_when_it_helps() {
    let index = index();
    let better =
        |q: &str| index.search(&SearchQuery { q: q.to_owned(), ..SearchQuery::default() }, &()).unwrap().did_you_mean;
    assert_eq!(better("juptyerlab").as_deref(), Some("jupyterlab"));
    assert_eq!(better("galaxxies rate").as_deref(), Some("galaxies rate"));
    assert_eq!(better("aladin"), None);
    assert_eq!(better("nothinglikethis"), None);
    assert_eq!(better("-juptyerlab"), None);
    assert_eq!(better(""), None);
}

struct Missions;

impl Labels for Missions {
    fn label(&self, facet: &str, value: &str) -> Option<String> {
        (facet == "mission").then(|| match value {
            "astronomy" => "Astronomy".to_owned(),
            "astronomy/xmm-newton" => "XMM-Newton".to_owned(),
            _ => "Gaia".to_owned(),
        })
    }

    fn canonical(&self, facet: &str, value: &str) -> Option<String> {
        (facet == "mission" && value.ends_with("gaia")).then(|| "astronomy/gaia".to_owned())
    }
}

#[test]
fn a_facet_value_is_understood_by_its_last_step_and_shown_with_its_label() {
    let index = index();
    for value in ["gaia", "astronomy/gaia", "space-science/astronomy/gaia"] {
        let query = SearchQuery { facets: vec![("mission".to_owned(), value.to_owned())], ..SearchQuery::default() };
        let answer = index.search(&query, &Missions).unwrap();
        assert_eq!(answer.total, 2, "{value}");
        let missions = answer.facets.get("mission").unwrap();
        assert_eq!((missions.total, missions.values.len()), (4, 1));
        let astronomy = &missions.values[0];
        assert_eq!((astronomy.label.as_str(), astronomy.count, astronomy.selected), ("Astronomy", 4, false));
        let children: Vec<_> =
            astronomy.children.iter().map(|child| (child.label.as_str(), child.count, child.selected)).collect();
        assert_eq!(children, [("Gaia", 2, true), ("XMM-Newton", 2, false)]);
    }
}

#[test]
fn completion_gives_records_concepts_and_words() {
    let index = index();
    let suggested = |typed: &str| {
        let suggestions = index.suggest(typed, &Missions, &|_, _| None).unwrap().suggestions;
        suggestions.into_iter().map(|s| format!("{}:{}", s.kind, s.text)).collect::<Vec<_>>()
    };
    assert_eq!(suggested("jl-")[..2], ["Datalab:jl-juice", "Datalab:jl-xmm-sas"]);
    assert_eq!(suggested("newt")[0], "mission:XMM-Newton");
    assert_eq!(suggested("gai")[0], "Datalab:gaia");
    assert!(
        suggested("gai").contains(&"mission:Gaia".to_owned())
            || suggested("gai").contains(&"Datalab:Gaia Archive".to_owned())
    );
    assert!(suggested("sky atl").iter().any(|text| text.ends_with("Aladin Sky Atlas")), "{:?}", suggested("sky atl"));
    assert!(suggested("spira").contains(&"word:spirale".to_owned()));
    assert!(suggested("a").len() <= 10);
    assert!(suggested("").is_empty() && suggested("\"*").is_empty());
    let gaia = index.suggest("xmm-n", &Missions, &|_, _| None).unwrap().suggestions;
    assert!(gaia.iter().any(|s| s.iri.as_deref() == Some("https://w3id.org/esado/mission/xmm-newton")), "{gaia:?}");
}

#[test]
fn completion_and_spelling_know_nothing_of_what_is_gone() {
    let index = index();
    let words = |typed: &str| {
        let suggestions = index.suggest(typed, &Missions, &|_, _| None).unwrap().suggestions;
        suggestions.into_iter().map(|suggestion| suggestion.text).collect::<Vec<_>>()
    };
    let proposed = |q: &str| {
        let query = SearchQuery { q: q.to_owned(), ..SearchQuery::default() };
        index.search(&query, &Missions).unwrap().did_you_mean
    };
    assert!(words("telem").contains(&"telemetry".to_owned()));
    assert_eq!(proposed("telemetxy").as_deref(), Some("telemetry"));
    // Its words stay in the dictionary of the segment until that is merged.
    index.apply(Batch { upserts: vec![], deletes: vec!["go-esa/gaia".to_owned()], seq: 100 }).unwrap();
    for typed in ["telem", "raw telem", "ra", "gaia-r"] {
        let told = words(typed);
        assert!(told.iter().all(|text| !text.contains("telemetry") && !text.starts_with("raw")), "{typed}: {told:?}");
    }
    assert_eq!(proposed("telemetxy"), None);
    // A word that another record has too is completed still.
    assert!(words("publ").is_empty() && words("jup").contains(&"jupyterlab".to_owned()));
}
