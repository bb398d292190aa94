//! A scientist finds.

use catalog_tests::Sandbox;

/// What is typed in the source deck, and the record that it must give first.
const SHORT_NAMES: [(&str, &str); 27] = [
    ("aladin", "esa.esdc.aladin"),
    ("filezilla", "esa.datalabs.filezilla"),
    ("fv", "esa.esdc.fv"),
    ("j-esdc", "esa.esdc.jl-esdc"),
    ("jl-esdc", "esa.esdc.jl-esdc"),
    ("j-euclid-dps", "esa.euclid.jl-euclid-dps"),
    ("jl-euclid-dps", "esa.euclid.jl-euclid-dps"),
    ("j-herschel", "esa.herschel.jl-herschel"),
    ("jl-herschel", "esa.herschel.jl-herschel"),
    ("j-juice", "esa.juice.jl-juice"),
    ("jl-juice", "esa.juice.jl-juice"),
    ("j-pangaia", "esa.gaia.jl-pangaia"),
    ("jl-pangaia", "esa.gaia.jl-pangaia"),
    ("jupyterlab", "esa.datalabs.jupyterlab"),
    ("jwst", "esa.jwst.jwst"),
    ("jl-jwst", "esa.jwst.jwst"),
    ("jwst-miricle", "esa.jwst.jwst-miricle"),
    ("jwst-nips", "esa.jwst.jwst-nips"),
    ("jwst-nsrt", "esa.jwst.jwst-nsrt"),
    ("qfitsview", "esa.esdc.qfitsview"),
    ("theia-python", "esa.datalabs.theia-python"),
    ("jl-xmm-sas", "esa.xmm.jl-xmm-sas"),
    ("jupyterlab-cuda", "esa.datalabs.jupyterlab-cuda"),
    ("x-ds9", "esa.esdc.ds9"),
    ("x-glab", "esa.gssc.glab"),
    ("x-octave", "esa.gssc.octave"),
    ("file-browser", "esa.datalabs.file-browser"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_short_name_of_the_deck_is_found_first() {
    let sandbox = Sandbox::with_sample().await;
    let mut wrong = Vec::new();
    for (typed, expected) in SHORT_NAMES {
        let hits = sandbox.search(&[("q", typed)]).await.hits;
        let first = hits.first().map_or("nothing", |hit| hit.identifier.as_str());
        if first != expected {
            wrong.push(format!("{typed}: {first} rather than {expected}"));
        }
        let (_, html) = sandbox.get(&format!("/search?q={typed}")).await;
        let of_record = html.find(&format!("/record/go-esa/{expected}\""));
        let first_link = html.find("/record/go-esa/");
        if of_record.is_none() || of_record != first_link {
            wrong.push(format!("{typed}: the page does not show {expected} first"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // A datalab is found by its mission, by a beginning, with a slip of the finger, and in another language.
    let found = async |words: &str, expected: &str| {
        let hits = sandbox.search(&[("q", words), ("size", "10")]).await.hits;
        hits.iter().any(|hit| hit.identifier == expected)
    };
    assert!(found("james webb", "esa.jwst.jwst").await);
    assert!(found("aladi", "esa.esdc.aladin").await);
    assert!(found("aladim", "esa.esdc.aladin").await);
    assert!(found("atlas du ciel", "esa.esdc.aladin").await);
    let suggested = sandbox.anonymous().suggest("alad").await.unwrap().suggestions;
    assert!(suggested.iter().any(|one| one.text.to_lowercase().contains("aladin")), "{suggested:?}");
    let is_found =
        |iri: &Option<String>| iri.as_ref().is_some_and(|iri| iri.contains("/id/") && iri.ends_with("aladin"));
    assert!(suggested.iter().any(|one| is_found(&one.iri)), "{suggested:?}");
    assert!(suggested.len() <= 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_counts_each_facet_without_its_own_choice() {
    let sandbox = Sandbox::with_sample().await;
    let all = sandbox.search(&[("size", "100")]).await;
    assert_eq!(all.hits.len(), all.total.min(100));
    let type_counts = |answer: &catalog_schemas::search::SearchAnswer| {
        let values = &answer.facets.get("type").unwrap().values;
        values.iter().map(|value| (value.value.clone(), value.count)).collect::<Vec<_>>()
    };
    let chosen = sandbox.search(&[("type", "Datalab")]).await;
    assert_eq!(type_counts(&all), type_counts(&chosen), "the own choice does not narrow its facet");
    for (kind, count) in type_counts(&all) {
        let answer = sandbox.search(&[("type", &kind), ("size", "100")]).await;
        assert_eq!(answer.total, count, "{kind}");
        assert!(answer.hits.iter().all(|hit| hit.kind == kind), "{kind}");
    }
    // Any of several values of one facet, all of several facets.
    let either = sandbox.search(&[("type", "Datalab"), ("type", "DataVolume")]).await.total;
    let count = |kind: &str| type_counts(&all).iter().find(|(name, _)| name == kind).unwrap().1;
    assert_eq!(either, count("Datalab") + count("DataVolume"));
    let both = sandbox.search(&[("type", "Datalab"), ("mission", "astronomy/gaia")]).await;
    assert!(both.total >= 1 && both.total < count("Datalab"), "{}", both.total);

    // Pages do not overlap and hold everything.
    let mut seen = Vec::new();
    for page in 1.. {
        let answer = sandbox.search(&[("sort", "name"), ("size", "7"), ("page", &page.to_string())]).await;
        if answer.hits.is_empty() {
            break;
        }
        seen.extend(answer.hits.into_iter().map(|hit| hit.identifier));
    }
    assert_eq!(seen.len(), all.total);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all.total);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_search_is_refused_and_named() {
    let sandbox = Sandbox::empty().await;
    for (query, named) in [
        ("colour=red", "colour"),
        ("page=2000", "10000"),
        ("page=501&size=20", "10000"),
        ("page=0", "page"),
        ("size=101", "size"),
        ("sort=random", "random"),
        (&*format!("q={}", "x".repeat(501)), "500"),
    ] {
        let response = sandbox.request("GET", &format!("/api/v1/search?{query}")).send().await.unwrap();
        assert_eq!(response.status(), 400, "{query}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{query}");
        let text = response.text().await.unwrap();
        assert!(text.contains(named), "{query}: {text}");
        let (status, _) = sandbox.get(&format!("/search?{query}")).await;
        assert_eq!(status, 400, "the page of {query}");
    }
    assert_eq!(sandbox.get("/api/v1/search?page=500&size=20").await.0, 200, "the last page that paging reaches");
    assert_eq!(sandbox.get("/api/v1/search?q=%22%28%2F%5B*%3A%3F%5C").await.0, 200, "any words are a search");
}
