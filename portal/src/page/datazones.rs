//! Datazones: what each can hold, and what is free there now.

use catalog_schemas::datazone::{Capacity, Datazone};
use catalog_schemas::volume::Space;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::with_query;
use crate::markup::safe_address;
use crate::part::live::{Live, free_gpus};
use crate::words;

/// Returns the page.
pub fn datazones(zones: &[Datazone], now: &str) -> Document {
    let items: Vec<_> = zones.iter().map(|zone| item(zone, now)).collect();
    let empty = items.is_empty().then(
        || view! { <p class="quiet">"No datazone is configured: records can be found, none can be launched."</p> },
    );
    let main = view! {
        <h1>"Datazones"</h1>
        <p class="quiet">"Where a datalab can run, and what is free there now."</p>
        {empty}
        <div class="zones">{items}</div>
    };
    Document::new("Datazones", Place::Datazones, Layout::Wide, main)
}

fn item(zone: &Datazone, now: &str) -> AnyView {
    let live = Live::of(zone);
    let said = match (zone.health.as_str(), live) {
        ("down", _) => "does not answer",
        (_, Live::Free) => "can start now",
        (_, Live::Full) => "full",
        (_, Live::Unknown) => "free capacity unknown",
    };
    let problem = zone.problem.clone().map(|problem| view! { <p class="small">{words::sentence(&problem)}</p> });
    let demo = zone.demo.then(|| view! { <span class="tag">"DEMO: nothing is really run here"</span> });
    let capacity = zone.capacity.as_ref();
    let cpu = row(
        "CPU cores",
        capacity.map(|capacity| (u64::from(capacity.free_cpu.0), capacity.free_cpu.to_string())),
        (u64::from(zone.capability.cpu.0), zone.capability.cpu.to_string()),
    );
    let memory = row(
        "Memory",
        capacity.map(|capacity| (capacity.free_memory_mib, words::memory(capacity.free_memory_mib))),
        (zone.capability.memory_mib, words::memory(zone.capability.memory_mib)),
    );
    let gpus: Vec<_> = zone
        .capability
        .gpus
        .iter()
        .map(|gpu| {
            let label = if gpu.memory_mib > 0 {
                format!("{}, {}", gpu.model, words::memory(gpu.memory_mib))
            } else {
                gpu.model.clone()
            };
            let free = capacity.map(|capacity| u64::from(free_gpus(capacity, &gpu.model)));
            row(&label, free.map(|free| (free, free.to_string())), (u64::from(gpu.count), gpu.count.to_string()))
        })
        .collect();
    let observed = match capacity {
        Some(capacity) => observed(capacity, now),
        None => view! { <p class="small quiet">"What is free is not known at the moment."</p> }.into_any(),
    };
    let interfaces: Vec<String> =
        zone.capability.interfaces.iter().map(|name| words::interface(name).to_lowercase()).collect();
    let processors = zone.capability.architectures.join(", ");
    let processors = (!processors.is_empty()).then(|| view! { <dt>"Processors"</dt><dd>{processors}</dd> });
    let volumes: Vec<_> = zone
        .capability
        .volumes
        .iter()
        .filter(|key| !key.starts_with("space/"))
        .map(|volume| view! { <li><a href=with_query("/volumes", [("q", volume)])>{volume.clone()}</a></li> })
        .collect();
    let volumes = (!volumes.is_empty()).then(|| view! { <dt>"Holds"</dt><dd><ul class="values">{volumes}</ul></dd> });
    let holds = |key: &str| zone.capability.volumes.iter().any(|held| held == key);
    let spaces = match (holds(Space::PERSONAL), holds(Space::TEAMS)) {
        (true, true) => "yours, and your teams'",
        (true, false) => "yours",
        (false, true) => "your teams'",
        (false, false) => "none: what a datalab keeps ends with it",
    };
    let files = zone.file_service.as_deref().and_then(safe_address);
    let files = files
        .map(|address| view! { <dt>"Files"</dt><dd><a href=address rel="noopener">"My files at this zone"</a></dd> });
    view! {
        <section class="sheet zone-card">
            <div class="line"><h2>{zone.name.clone()}</h2><span class=format!("small {}", live.class())>{said}</span>{demo}</div>
            {problem}
            <table class="capacity">
                <caption class="unseen">{format!("Capacity of {}", zone.name)}</caption>
                <thead><tr><th scope="col">"Resource"</th><th scope="col">"Free"</th><th scope="col">"In all"</th><th scope="col"><span class="unseen">"Share free"</span></th></tr></thead>
                <tbody>{cpu}{memory}{gpus}</tbody>
            </table>
            {observed}
            <dl class="terms tight">
                <dt>"Interfaces"</dt><dd>{interfaces.join(", ")}</dd>
                {processors}
                {volumes}
                <dt>"Own space"</dt><dd>{spaces}</dd>
                {files}
            </dl>
            <p class="small"><a href=with_query("/search", [("datazone", &zone.id)])>"Records at this zone"</a></p>
        </section>
    }
    .into_any()
}

fn row(label: &str, free: Option<(u64, String)>, all: (u64, String)) -> AnyView {
    let share = free.as_ref().filter(|_| all.0 > 0).map(|(free, _)| (free * 100 / all.0).min(100));
    let meter = match share {
        Some(share) => view! { <meter min="0" max="100" value=share.to_string() aria-label=format!("{label}: share free")></meter> }.into_any(),
        None => view! { <span class="unknown-line" aria-hidden="true"></span> }.into_any(),
    };
    let free = free.map_or_else(|| "unknown".to_owned(), |(_, text)| text);
    view! { <tr><th scope="row">{label.to_owned()}</th><td>{free}</td><td>{if all.0 == 0 { "unknown".to_owned() } else { all.1 }}</td><td>{meter}</td></tr> }.into_any()
}

fn observed(capacity: &Capacity, now: &str) -> AnyView {
    let ago = match words::between(&capacity.observed_at, now) {
        Some(ago) if ago == "0 s" => "just now".to_owned(),
        Some(ago) => format!("{ago} ago"),
        None => words::minute(&capacity.observed_at),
    };
    let running = match capacity.sessions {
        0 => "No datalab runs".to_owned(),
        running => words::counted(running as usize, "datalab runs", "datalabs run"),
    };
    view! { <p class="small quiet">{format!("{running} here · seen ")}<time datetime=capacity.observed_at.clone()>{ago}</time></p> }.into_any()
}
