//! Why a record says what it says: who says it, and who says otherwise.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::harvest::{Provenance, TermProvenance, TermSource};
use catalog_schemas::record::RecordView;
use leptos::prelude::*;
use serde_json::Value;

use super::terms;
use crate::link::run_path;
use crate::markup::safe_address;
use crate::words;

/// Returns the panel of a record's sources and of every term's origin.
pub(crate) fn panel(provenance: &Provenance, record: &RecordView, zones: &[Datazone]) -> AnyView {
    let home = provenance.home.as_deref().and_then(safe_address).map(|address| {
        view! { <p>"Harvested. At home at "<a href=address.clone() rel="noopener">{address.clone()}</a>"."</p> }
    });
    let sources: Vec<_> = provenance
        .sources
        .iter()
        .map(|source| {
            let run = source.run.map(|run| {
                view! { <a href=run_path(&source.source, run)>{format!("run {run}")}</a> }
            });
            let standing =
                if source.home { "home zone".to_owned() } else { format!("precedence {}", source.precedence) };
            view! {
                <tr>
                    <th scope="row">{words::zone_name(zones, &source.source)}</th>
                    <td>{standing}</td>
                    <td class="mono">{source.key.clone()}</td>
                    <td><time datetime=source.modified.clone()>{words::minute(&source.modified)}</time></td>
                    <td>{run}</td>
                </tr>
            }
        })
        .collect();
    let terms: Vec<_> = provenance.terms.iter().map(|one| term(one, record, zones)).collect();
    view! {
        {home}
        <h2>"Sources"</h2>
        <div class="table" role="region" tabindex="0" aria-label="Sources of this record"><table>
            <caption class="unseen">"Who says something of this record, the most believed first"</caption>
            <thead><tr><th scope="col">"Source"</th><th scope="col">"Standing"</th><th scope="col">"Its key"</th><th scope="col">"Last changed"</th><th scope="col">"Brought by"</th></tr></thead>
            <tbody>{sources}</tbody>
        </table></div>
        <h2>"Why each value is here"</h2>
        <dl class="terms full">{terms}</dl>
    }
    .into_any()
}

/// Returns why a term has its value; what all agree on needs fewer words.
fn term(term: &TermProvenance, record: &RecordView, zones: &[Datazone]) -> AnyView {
    let shown = record.terms.iter().find(|shown| shown.key == term.key && !shown.values.is_empty());
    let label = shown.map_or_else(
        || view! { <span class="mono">{term.key.clone()}</span> }.into_any(),
        |shown| words::capitalised(&shown.label).into_any(),
    );
    // What a moderator took away stands nowhere on the page.
    let value = match shown {
        Some(shown) if !term.winner.value.is_null() => terms::values(shown),
        _ => in_words(&term.winner.value).into_any(),
    };
    let (agreeing, others): (Vec<_>, Vec<_>) = term.losers.iter().partition(|loser| loser.value == term.winner.value);
    let agreeing: Vec<String> = agreeing.iter().map(|loser| words::zone_name(zones, &loser.source)).collect();
    let agreeing = if agreeing.is_empty() { String::new() } else { format!(" {} says the same.", agreeing.join(", ")) };
    let winner = format!(
        "{}{}: {}.{agreeing}",
        words::zone_name(zones, &term.winner.source),
        run(&term.winner),
        rule(&term.rule)
    );
    let others: Vec<_> = others
        .into_iter()
        .map(|loser| {
            let who = format!("{}{} says: ", words::zone_name(zones, &loser.source), run(loser));
            view! { <li><span class="quiet">{who}</span>{in_words(&loser.value)}</li> }
        })
        .collect();
    let others = (!others.is_empty()).then(|| view! { <ul class="lines small">{others}</ul> });
    view! { <dt>{label}</dt><dd>{value}<p class="small quiet why">{winner}</p>{others}</dd> }.into_any()
}

fn rule(rule: &str) -> &str {
    match rule {
        "only" => "nobody else says anything",
        "identity" => "what the record is, its own source decides",
        "home" => "the home zone is believed first",
        "precedence" => "it is configured to be believed more",
        "newest" => "it was said last",
        "union" => "gathered from everybody",
        "overlay" => "a moderator decided",
        other => other,
    }
}

/// Returns where a value came from, behind its source's name.
fn run(source: &TermSource) -> String {
    let day = words::day(&source.at);
    source.run.map_or_else(|| format!(", {day}"), |run| format!(", run {run}, {day}"))
}

/// Returns a value of a manifest as a person would write it: `de` Himmel; cpu min 2.
pub(crate) fn in_words(value: &Value) -> String {
    words::clip(&write(value), 300)
}

fn write(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(write).collect::<Vec<_>>().join(", "),
        // Text in one language needs no word for it.
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("en") => write(&fields["en"]),
        Value::Object(fields) => {
            let one = |(name, value): (&String, &Value)| match value {
                Value::Object(_) => format!("{name} ({})", write(value)),
                value => format!("{name}: {}", write(value)),
            };
            fields.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;

    #[test]
    fn values_are_written_as_people_would() {
        for (value, expected) in [
            (json!({"en": "Sky"}), "Sky"),
            (json!({"de": "Himmel", "en": "Sky"}), "de: Himmel; en: Sky"),
            (json!(["FITS", "VOTable"]), "FITS, VOTable"),
            (json!({"cpu": {"min": 2}, "network": "none"}), "cpu (min: 2); network: none"),
            (json!([{"name": "Me"}]), "name: Me"),
            (json!(false), "no"),
            (json!(null), "nothing"),
        ] {
            assert_eq!(in_words(&value), expected, "{value}");
        }
    }
}
