//! What stands beside a record: the way to run it, what its viewer may do with it, its other formats, how good its words are.

use catalog_schemas::record::RecordView;
use leptos::prelude::*;

use super::Shown;
use super::views::package_path;
use crate::link::{segment, with_query};
use crate::{part, words};

/// Returns what the viewer may do with the record; nothing for most.
pub(super) fn manage(record: &RecordView) -> Option<AnyView> {
    if record.may.is_empty() {
        return None;
    }
    let edit = record.may.iter().any(|act| act.name == "edit").then(|| {
        let path = crate::page::edit::edit_path(&record.zone, &record.identifier);
        view! { <li><a rel="nofollow" href=path>"Edit its description"</a></li> }
    });
    let steps: Vec<&str> =
        record.may.iter().filter(|act| act.state.is_some()).map(|act| crate::page::review::words_of(act).0).collect();
    let version = record.version.clone().unwrap_or_default();
    let steps = (!steps.is_empty()).then(|| {
        let path = crate::page::queue::review_path(&record.zone, &record.identifier, &version);
        view! { <li><a rel="nofollow" href=path>{steps.join(", ")}</a></li> }
    });
    Some(
        view! { <section class="sheet small"><h2>"Manage"</h2><ul class="lines">{edit}{steps}</ul></section> }
            .into_any(),
    )
}

pub(super) fn launch_words(record: &RecordView) -> &'static str {
    if record.kind == "Pipeline" { "Launch pipeline" } else { "Launch datalab" }
}

/// Returns the address of the launch form, for what can be launched.
pub(super) fn launch_path(shown: Shown<'_>) -> Option<String> {
    let record = shown.record;
    let runs = matches!(record.kind.as_str(), "Datalab" | "Pipeline");
    let is_there = matches!(record.state.as_str(), "published" | "deprecated");
    if !runs || record.not_launchable.is_some() || !is_there {
        return None;
    }
    let mut pairs = vec![("datalab", format!("{}/{}", record.zone, record.identifier))];
    pairs.extend(record.version.clone().filter(|_| shown.pinned).map(|version| ("version", version)));
    Some(with_query("/launch", pairs))
}

pub(super) fn run(shown: Shown<'_>) -> Option<AnyView> {
    let record = shown.record;
    if record.kind != "Datalab" && record.kind != "Pipeline" {
        let zones: Vec<_> =
            record.zones.iter().map(|zone| view! { <li>{words::zone_name(shown.zones, zone)}</li> }).collect();
        return (!zones.is_empty()).then(|| {
            view! { <section class="sheet"><h2>"Where it is"</h2><ul class="values">{zones}</ul></section> }.into_any()
        });
    }
    if let Some(reason) = &record.not_launchable {
        return Some(
            view! { <section class="sheet"><h2>"Run it"</h2><p class="quiet">{format!("It cannot be launched here: {reason}")}</p></section> }
                .into_any(),
        );
    }
    let launch = launch_path(shown)?;
    let list = match shown.plan {
        Some(plan) => part::plan::plan(plan, shown.zones, None),
        None => {
            let zones: Vec<_> = shown
                .zones
                .iter()
                .filter(|zone| record.zones.is_empty() || record.zones.contains(&zone.id))
                .map(|zone| {
                    let class = part::live::Live::of(zone).class();
                    view! { <li><b class=class>{zone.name.clone()}</b><br/><span class="small quiet">{part::live::sentence(zone)}</span></li> }
                })
                .collect();
            view! { <ul class="plan">{zones}</ul> }.into_any()
        }
    };
    Some(
        view! {
            <section class="sheet">
                <h2>"Run it"</h2>
                {list}
                <a class="button primary block" rel="nofollow" href=launch>{launch_words(record)}</a>
            </section>
        }
        .into_any(),
    )
}

/// Forms of the description, with their suffixes.
const FORMS: [(&str, &str); 10] = [
    ("ttl", "Turtle"),
    ("jsonld", "JSON-LD"),
    ("rdf", "RDF/XML"),
    ("nt", "N-Triples"),
    ("dcat-ap.ttl", "DCAT-AP"),
    ("schema.jsonld", "schema.org"),
    ("datacite.xml", "DataCite"),
    ("ro-crate.jsonld", "RO-Crate"),
    ("codemeta.json", "CodeMeta"),
    ("linkset.json", "Links"),
];

/// Forms of the citation, with their suffixes.
const CITATIONS: [(&str, &str); 4] =
    [("bib", "BibTeX"), ("ris", "RIS"), ("csl.json", "CSL-JSON"), ("cff", "CITATION.cff")];

pub(super) fn machines(shown: Shown<'_>) -> AnyView {
    let record = shown.record;
    let of_version = record.version.as_ref().filter(|_| shown.pinned).map(|version| format!("/{}", segment(version)));
    let base =
        format!("/id/{}/{}{}", segment(&record.zone), segment(&record.identifier), of_version.unwrap_or_default());
    let item =
        |(ending, label): (&str, &'static str)| view! { <li><a href=format!("{base}.{ending}")>{label}</a></li> };
    let there = record.state != "withdrawn";
    let forms: Vec<_> = FORMS.into_iter().map(item).collect();
    let citations: Vec<_> = CITATIONS.into_iter().map(item).collect();
    let cite = record.cite.clone().filter(|_| there).map(|line| {
        view! {
            <section class="sheet small">
                <h2>"Cite"</h2>
                <p class="cite">{line}</p>
                <ul class="values">{citations}</ul>
            </section>
        }
    });
    let has_package = record
        .versions
        .iter()
        .find(|version| record.version.as_ref() == Some(&version.version) && version.state != "withdrawn")
        .filter(|version| version.digest.is_some());
    let package = has_package.map(|version| {
        view! { <li><a href=package_path(record, &version.version) download="">"Package"</a></li> }
    });
    let json = format!("/api/v1/records/{}/{}", segment(&record.zone), segment(&record.identifier));
    view! {
        {cite}
        <section class="sheet small">
            <h2>"Other formats"</h2>
            <ul class="values">{there.then_some(forms)}<li><a href=json>"JSON"</a></li>{package}</ul>
        </section>
    }
    .into_any()
}

pub(super) fn quality(record: &RecordView) -> Option<AnyView> {
    let quality = record.quality.as_ref()?;
    let title = format!("Quality {} of 100", quality.score);
    let missing: Vec<_> = quality.missing.iter().map(|what| view! { <li>{words::capitalised(what)}</li> }).collect();
    let missing = if missing.is_empty() {
        view! { <p class="quiet">"Nothing is missing."</p> }.into_any()
    } else {
        view! { <p class="quiet">"What would make it better:"</p><ul class="reasons quiet">{missing}</ul> }.into_any()
    };
    Some(
        view! {
            <section class="sheet small">
                <h2>{title}</h2>
                <meter min="0" max="100" value=quality.score.to_string() aria-label="Quality"></meter>
                {missing}
            </section>
        }
        .into_any(),
    )
}
