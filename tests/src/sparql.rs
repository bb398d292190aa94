//! Asking the SPARQL endpoint.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Names that the queries of tests use.
const PREFIXES: &str = "PREFIX esado: <https://w3id.org/esado#> PREFIX sdo: <https://schema.org/> \
    PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX dct: <http://purl.org/dc/terms/> ";

/// Runs a SELECT and returns its rows, each the texts of its variables in their order.
///
/// # Panics
///
/// When the query is refused.
pub async fn select(sandbox: &Sandbox, query: &str) -> Vec<Vec<String>> {
    let query = format!("{PREFIXES}{query}");
    let request = sandbox.request("POST", "/sparql").header("accept", "application/sparql-results+json");
    let response = request.form(&[("query", &query)]).send().await.expect("the server answers");
    let status = response.status();
    let text = response.text().await.expect("the answer is a text");
    assert!(status.is_success(), "{status}: {text}\n{query}");
    let json: Value = serde_json::from_str(&text).expect("the answer is JSON");
    let names: Vec<&str> = json["head"]["vars"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let value = |row: &Value, name: &str| row[name]["value"].as_str().unwrap_or_default().to_owned();
    let rows = json["results"]["bindings"].as_array().into_iter().flatten();
    rows.map(|row| names.iter().map(|name| value(row, name)).collect()).collect()
}

/// Runs a SELECT of one number.
///
/// # Panics
///
/// When the query is refused, or its first value is not a number.
pub async fn number(sandbox: &Sandbox, query: &str) -> usize {
    let rows = select(sandbox, query).await;
    rows.first().and_then(|row| row.first()?.parse().ok()).expect("the first value of the answer is a number")
}

/// Returns the pattern that the variable `?r` has a facet value, as the API names it.
///
/// # Panics
///
/// When the facet is not one of those that the tests ask SPARQL about.
#[expect(clippy::panic, reason = "a test that asks about an unknown facet is wrong")]
pub fn pattern(facet: &str, value: &str) -> String {
    let notation = value.rsplit('/').next().unwrap_or(value);
    match facet {
        "type" => format!("?r a esado:{value} ."),
        "domain" => format!("?r esado:domain <https://w3id.org/esado/domain/{notation}> ."),
        "property" => format!("?r esado:assetProperty <https://w3id.org/esado/property/{notation}> ."),
        // A broader concept counts what any narrower one has.
        "mission" => format!("?r esado:mission/skos:broader* <https://w3id.org/esado/mission/{notation}> ."),
        _ => panic!("the tests do not ask SPARQL about the facet `{facet}`"),
    }
}

/// Counts by SPARQL the distinct records that have, for each of these facets, any of its values.
pub async fn count(sandbox: &Sandbox, choices: &[(&str, Vec<&str>)]) -> usize {
    let parts = choices.iter().map(|(facet, values)| {
        let any: Vec<String> = values.iter().map(|value| format!("{{ {} }}", pattern(facet, value))).collect();
        any.join(" UNION ")
    });
    let parts: Vec<String> = parts.map(|part| format!("{{ {part} }}")).collect();
    number(sandbox, &format!("SELECT (COUNT(DISTINCT ?r) AS ?n) WHERE {{ {} }}", parts.join(" "))).await
}
