//! The number beside every facet value is the number of its page and of the query that its page links to (DESIGN,
//! invariant 8).

use catalog_schemas::search::{FACETS, FacetValue};
use catalog_tests::{Sandbox, page};
use form_urlencoded::byte_serialize;
use serde_json::Value;

/// Facets that no statement of a record says: where it can be had is known to the server, not to the record.
const WITHOUT_QUERY: [&str; 2] = ["datazone", "source"];

#[tokio::test(flavor = "multi_thread")]
async fn every_count_is_the_same_on_the_page_and_by_its_own_query() {
    let sandbox = Sandbox::with_sample().await;
    let all = sandbox.search(&[("size", "0")]).await;
    let (mut checked, mut wrong) = (0, Vec::new());
    for facet in FACETS {
        let Some(answer) = all.facets.get(facet) else { continue };
        for value in flat(&answer.values) {
            let encoded: String = byte_serialize(value.value.as_bytes()).collect();
            let (_, html) = sandbox.get(&format!("/search?{facet}={encoded}")).await;
            let total = sandbox.search(&[(facet, &value.value), ("size", "0")]).await.total;
            if total != value.count {
                wrong.push(format!("{facet} {}: {} and a total of {total}", value.value, value.count));
            }
            let query = page::local_links(&html).into_iter().find_map(|link| {
                let (path, query) = link.split_once('?')?;
                let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
                (path == "/sparql-editor").then(|| pairs.into_iter().find(|(name, _)| name == "query"))?
            });
            match query {
                Some((_, query)) => {
                    let by_query = asked(&sandbox, &query).await;
                    if by_query != Some(value.count) {
                        wrong.push(format!("{facet} {}: {} and by its query {by_query:?}", value.value, value.count));
                    }
                    checked += 1;
                }
                None if WITHOUT_QUERY.contains(&facet) => {}
                None => wrong.push(format!("{facet} {}: its page has no query", value.value)),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked > 100, "{checked}");
}

fn flat(values: &[FacetValue]) -> Vec<&FacetValue> {
    values.iter().flat_map(|value| std::iter::once(value).chain(flat(&value.children))).collect()
}

async fn asked(sandbox: &Sandbox, query: &str) -> Option<usize> {
    let request = sandbox.request("POST", "/sparql").header("accept", "application/sparql-results+json");
    let answer: Value = request.form(&[("query", query)]).send().await.ok()?.json().await.ok()?;
    answer["results"]["bindings"][0]["records"]["value"].as_str()?.parse().ok()
}
