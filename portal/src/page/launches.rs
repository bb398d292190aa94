//! Running datalabs: the viewer's launches by datazone.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::launch::Launch;
use leptos::prelude::*;

use super::running::{actions, answers, demo};
use crate::document::{Document, Layout, Place};
use crate::link::{segment, with_query};
use crate::{part, words};

/// Ended launches that the page still lists.
const ENDED: usize = 20;

/// Returns the page, for one datazone or for all.
pub fn launches(all: &[Launch], zones: &[Datazone], datazone: Option<&str>) -> Document {
    let shown = |launch: &&Launch| datazone.is_none_or(|id| launch.datazone == id);
    let running: Vec<&Launch> = all.iter().filter(shown).filter(|launch| !launch.state.is_final()).collect();
    let ended: Vec<&Launch> = all.iter().filter(shown).filter(|launch| launch.state.is_final()).collect();
    let mut ids: Vec<&str> = zones.iter().map(|zone| zone.id.as_str()).collect();
    // A zone that is no longer configured keeps its cards.
    ids.extend(all.iter().map(|launch| launch.datazone.as_str()));
    let mut seen = Vec::new();
    ids.retain(|id| {
        !seen.contains(id) && {
            seen.push(id);
            true
        }
    });
    let groups: Vec<_> = ids
        .iter()
        .filter_map(|id| {
            let own: Vec<_> = running.iter().filter(|launch| launch.datazone == *id).map(|launch| card(launch)).collect();
            (!own.is_empty()).then(|| {
                let zone = zones.iter().find(|zone| zone.id == *id);
                let state = zone.map(|zone| view! { <span class=format!("small quiet {}", part::live::Live::of(zone).class())>{part::live::sentence(zone)}</span> });
                view! {
                    <section class="zone">
                        <div class="line"><h2>{words::zone_name(zones, id)}</h2>{state}</div>
                        <ul class="cards">{own}</ul>
                    </section>
                }
            })
        })
        .collect();
    let empty = groups.is_empty().then(|| view! { <p class="quiet">"Nothing is running here."</p> });
    let ended_rows: Vec<_> = ended.iter().take(ENDED).map(|launch| row(launch, zones)).collect();
    let ended = (!ended_rows.is_empty()).then(|| {
        view! {
            <section class="zone">
                <h2>"Ended"</h2>
                <div class="table" role="region" tabindex="0" aria-label="Ended datalabs"><table>
                    <thead><tr><th scope="col">"Name"</th><th scope="col">"Datalab"</th><th scope="col">"Datazone"</th><th scope="col">"State"</th><th scope="col">"Ended"</th></tr></thead>
                    <tbody>{ended_rows}</tbody>
                </table></div>
            </section>
        }
    });
    let main = view! {
        <div class="line"><h1>"My datalabs"</h1><a class="button primary end" href="/search?type=Datalab">"+ Launch new datalab"</a></div>
        {switch(all, zones, &ids, datazone)}
        {empty}{groups}{ended}
    };
    Document::new("My datalabs", Place::Launches, Layout::Wide, main)
}

fn switch(all: &[Launch], zones: &[Datazone], ids: &[&str], current: Option<&str>) -> AnyView {
    let count = |id: Option<&str>| {
        all.iter().filter(|launch| !launch.state.is_final() && id.is_none_or(|id| launch.datazone == id)).count()
    };
    let one = |label: String, path: String, id: Option<&str>| {
        view! { <a href=path aria-current=(current == id).then_some("true")>{label}" "<span class="small">{count(id)}</span></a> }
    };
    let links: Vec<_> = ids
        .iter()
        .map(|id| one(words::zone_name(zones, id), with_query("/launches", [("datazone", id)]), Some(id)))
        .collect();
    view! { <nav class="tabs" aria-label="Current datazone">{one("All datazones".to_owned(), "/launches".to_owned(), None)}{links}</nav> }.into_any()
}

fn card(launch: &Launch) -> AnyView {
    let path = format!("/launches/{}", segment(launch.id.as_str()));
    let logs = format!("{path}#logs");
    let logs_name = format!("Logs of {}", launch.name);
    let stage = launch.stage.clone().filter(|_| !answers(launch)).map(|stage| view! { <span>{stage}</span> });
    let until = launch.expires.clone().filter(|_| answers(launch)).map(|at| {
        view! { <span>"until "<time datetime=at.clone()>{words::minute(&at)}</time></span> }
    });
    let since =
        view! { <span>"since "<time datetime=launch.created.clone()>{words::minute(&launch.created)}</time></span> };
    view! {
        <li class="sheet">
            <h3><a href=path>{launch.name.clone()}</a></h3>
            <p class="quiet">{format!("{} {}", launch.datalab_name, launch.version)}</p>
            <div class="facts">{part::steps::badge(launch.state)}{stage}{demo(launch)}{since}{until}</div>
            <div class="actions">{actions(launch)}<a class="button" href=logs aria-label=logs_name>"Logs"</a></div>
        </li>
    }
    .into_any()
}

fn row(launch: &Launch, zones: &[Datazone]) -> AnyView {
    let path = format!("/launches/{}", segment(launch.id.as_str()));
    let ended = launch.ended.clone().map(|at| view! { <time datetime=at.clone()>{words::minute(&at)}</time> });
    view! {
        <tr>
            <th scope="row"><a href=path>{launch.name.clone()}</a></th>
            <td>{format!("{} {}", launch.datalab_name, launch.version)}</td>
            <td>{words::zone_name(zones, &launch.datazone)}</td>
            <td>{part::steps::badge(launch.state)}</td>
            <td>{ended}</td>
        </tr>
    }
    .into_any()
}
