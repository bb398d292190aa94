//! What a run found: the same of many records once.

use catalog_schemas::harvest::RunFinding;
use catalog_schemas::problem::Finding;
use leptos::prelude::*;

use crate::link::record_path;
use crate::part::findings::with_code;
use crate::words;

/// Returns everything that was found, what was set aside first.
pub(super) fn all(all: &[RunFinding]) -> Option<AnyView> {
    if all.is_empty() {
        return None;
    }
    let group = |quarantined: bool, title: &'static str, meaning: &'static str, class: &'static str| {
        let own = all.iter().filter(|one| one.quarantined == quarantined);
        let own: Vec<_> = together(own).iter().map(|alike| shown(alike)).collect();
        (!own.is_empty()).then(|| {
            view! { <section class=class><h2>{title}</h2><p class="small quiet">{meaning}</p><ol>{own}</ol></section> }
        })
    };
    Some(
        view! {
            <div class="findings">
                {group(true, "Set aside", "These are no valid records. What the source said of them before stays.", "report error")}
                {group(false, "Remarks", "What was left out or changed on the way here.", "report warning")}
            </div>
        }
        .into_any(),
    )
}

/// Puts findings that say the same together, in the order in which each comes first.
fn together<'a>(all: impl Iterator<Item = &'a RunFinding>) -> Vec<Vec<&'a RunFinding>> {
    let mut groups: Vec<Vec<&RunFinding>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for one in all {
        let Finding { code, message, fix, .. } = &one.finding;
        let place = *places.entry((code, message, fix)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn shown(alike: &[&RunFinding]) -> Option<AnyView> {
    let Finding { code, message, fix, .. } = &alike.first()?.finding;
    let fix = fix.as_ref().map(|fix| view! { <p class="small">{with_code(fix)}</p> });
    let code = view! { <span class="mono">{code.clone()}</span> };
    let facts = match alike {
        [one] => view! { <p class="facts">{place(one)}{code}</p> }.into_any(),
        _ => {
            let places: Vec<_> = alike.iter().map(|one| view! { <li class="facts">{place(one)}</li> }).collect();
            view! {
                <p class="facts">{code}</p>
                <details class="small">
                    <summary>{words::counted(alike.len(), "time", "times")}</summary>
                    <ul class="lines">{places}</ul>
                </details>
            }
            .into_any()
        }
    };
    Some(view! { <li><p class="message">{with_code(&words::sentence(message))}</p>{fix}{facts}</li> }.into_any())
}

/// Says where it was found, and of what.
fn place(one: &RunFinding) -> AnyView {
    let place = match (&one.finding.file, one.finding.line) {
        (Some(file), Some(line)) => Some(format!("{file}:{line}")),
        (Some(file), None) => Some(file.clone()),
        _ => None,
    };
    let place = place.map(|place| view! { <span class="mono place">{place}</span> });
    let key = one.key.clone().map(|key| view! { <span class="mono">{key}</span> });
    let record = one.record.as_ref().map(|record| record_link(record));
    view! { {place}{key}{record} }.into_any()
}

pub(super) fn record_link(record: &str) -> AnyView {
    match record.split_once('/') {
        Some((zone, identifier)) => {
            view! { <a href=record_path(zone, identifier, None)>{identifier.to_owned()}</a> }.into_any()
        }
        None => view! { <span class="mono">{record.to_owned()}</span> }.into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_records_share_is_said_once_where_it_comes_first() {
        let found = |message: &str, key: &str| RunFinding {
            quarantined: false,
            key: Some(key.to_owned()),
            record: None,
            finding: Finding::error("harvest.missing", message),
        };
        let all = [found("a", "1"), found("b", "2"), found("a", "3"), found("c", "4"), found("a", "5")];
        let keys = |group: &Vec<&RunFinding>| group.iter().filter_map(|one| one.key.clone()).collect::<String>();
        assert_eq!(together(all.iter()).iter().map(keys).collect::<Vec<_>>(), ["135", "2", "4"]);
    }
}
