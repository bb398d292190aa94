//! A record: what it is, every term of it, its versions, its data, where it comes from; and the way to run it.

mod aside;
mod views;

use catalog_schemas::datazone::Datazone;
use catalog_schemas::harvest::Provenance;
use catalog_schemas::plan::Plan;
use catalog_schemas::problem::Problem;
use catalog_schemas::record::RecordView;
use leptos::prelude::*;

use self::aside::{launch_path, launch_words, machines, manage, quality, run};
use self::views::{data, data_terms, details, overview, provenance, versions};
use crate::document::{Document, Layout, Place};
use crate::link::{record_path, with_query};
use crate::part::notice::{Tone, notice};
use crate::{jsonld, markup, part, words};

/// The views of a record, each a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tab {
    /// What one needs to know first.
    #[default]
    Overview,
    /// Every public term.
    Details,
    /// Every version.
    Versions,
    /// Volumes, datasets and services.
    Data,
    /// Where it comes from.
    Provenance,
}

impl Tab {
    /// Every tab in its order.
    pub const ALL: [Self; 5] = [Self::Overview, Self::Details, Self::Versions, Self::Data, Self::Provenance];

    /// Returns the word used in the query string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Details => "details",
            Self::Versions => "versions",
            Self::Data => "data",
            Self::Provenance => "provenance",
        }
    }

    /// Returns the tab of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.as_str() == word)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Details => "Details",
            Self::Versions => "Versions",
            Self::Data => "Data",
            Self::Provenance => "Provenance",
        }
    }
}

/// Everything a record page shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The record.
    pub record: &'a RecordView,
    /// Whether a version was asked for by number.
    pub pinned: bool,
    /// The view.
    pub tab: Tab,
    /// What every datazone says to its least needs, when they could be asked.
    pub plan: Option<&'a Plan>,
    /// Where its values come from, for the view that shows it.
    pub provenance: Option<&'a Provenance>,
    /// The datazones.
    pub zones: &'a [Datazone],
    /// The drawing of its workflow, for a pipeline; made by the server, which escapes every word in it.
    pub workflow: Option<&'a str>,
    /// Whether it has been published by this very viewer a moment ago.
    pub just_published: bool,
    /// What schema.org says of it, for the page's head.
    pub schema_org: Option<&'a serde_json::Value>,
    /// Whether it has been edited by this very viewer a moment ago.
    pub just_saved: bool,
}

/// Returns the page; a withdrawn record or version is a tombstone.
pub fn record(shown: Shown<'_>) -> Document {
    let record = shown.record;
    if record.state == "withdrawn" && record.terms.is_empty() {
        return gone(shown);
    }
    let tab = match shown.tab {
        Tab::Overview => overview(shown),
        Tab::Details => details(record),
        Tab::Versions => versions(record),
        Tab::Data => data(record),
        Tab::Provenance => provenance(shown),
    };
    let withdrawn = record.state == "withdrawn";
    let aside = if withdrawn {
        machines(shown)
    } else {
        view! { {run(shown)}{manage(record)}{machines(shown)}{quality(record)} }.into_any()
    };
    let main = view! {
        <article>
            {banner(shown)}
            <h1>{record.name.clone()}</h1>
            {facts(record)}
            {launch_path(shown).map(|path| view! { <a class="button primary narrow-only" rel="nofollow" href=path>{launch_words(record)}</a> })}
            {tabs(shown)}
            {tab}
        </article>
        <aside>{aside}</aside>
    };
    let mut document = Document::new(record.name.clone(), Place::Find, Layout::Aside, main);
    document.description = Some(words::clip(&record.summary, 160)).filter(|text| !text.is_empty());
    document.canonical = Some(record_path(&record.zone, &record.identifier, None));
    document.json_ld = shown.schema_org.filter(|_| !withdrawn).map(jsonld::script_text);
    document.unlisted = withdrawn || !record.current || shown.tab != Tab::Overview;
    document
}

/// Returns the page of a record of which its viewer may read no more than that it was there.
fn gone(shown: Shown<'_>) -> Document {
    let record = shown.record;
    let versions = (!record.versions.is_empty()).then(|| view! { <h2>"Its versions"</h2>{versions(record)} });
    let main = view! {
        <p class="quiet small">{words::kind(&record.kind)}</p>
        <h1 class="mono">{format!("{}/{}", record.zone, record.identifier)}</h1>
        {banner(shown)}
        {versions}
        <div class="actions"><a class="button" href="/search">"Search the catalogue"</a></div>
    };
    let mut document = Document::new(record.identifier.clone(), Place::Find, Layout::Narrow, main);
    document.canonical = Some(record_path(&record.zone, &record.identifier, None));
    document.unlisted = true;
    document
}

/// Returns the tombstone of a record of which nothing is left to read but the reason.
pub fn tombstone(zone: &str, identifier: &str, problem: &Problem) -> Document {
    let main = view! {
        <p class="quiet small mono">{format!("{zone}/{identifier}")}</p>
        <h1>"This record was withdrawn"</h1>
        {notice(Tone::Warn, view! { <p>{words::said(problem)}</p> })}
        <p>"Its address stays reserved and will never name another record."</p>
        <p><a class="button" href="/search">"Search the catalogue"</a></p>
    };
    let mut document = Document::new("Withdrawn", Place::Find, Layout::Narrow, main);
    document.unlisted = true;
    document
}

/// Leads to what is used instead of a record.
fn successor(record: &RecordView) -> Option<AnyView> {
    let iri = record.replaced_by.as_deref()?;
    let address = crate::link::page_of(iri).or_else(|| markup::safe_address(iri))?;
    Some(view! { <p>"Use "<a href=address rel="noopener">{iri.to_owned()}</a>" instead."</p> }.into_any())
}

fn banner(shown: Shown<'_>) -> Option<AnyView> {
    let record = shown.record;
    if shown.just_published && record.state == "published" {
        let text = "Published. It is found by search within seconds.";
        return Some(notice(Tone::Good, view! { <p>{text}</p> }));
    }
    if shown.just_saved {
        return Some(notice(Tone::Good, view! { <p>"Saved."</p> }));
    }
    match record.state.as_str() {
        "withdrawn" => {
            let reason = record.reason.as_deref().map_or_else(|| "No reason was given.".to_owned(), words::sentence);
            let successor = successor(record);
            Some(notice(
                Tone::Warn,
                view! { <p><b>"Withdrawn. "</b>{reason}" Its address stays reserved."</p>{successor} },
            ))
        }
        "deprecated" => {
            let reason = record.reason.as_deref().map(|reason| view! { " "{words::sentence(reason)} });
            let successor = successor(record);
            Some(notice(
                Tone::Warn,
                view! { <p><b>"Deprecated: "</b>"it still works, and will not be kept up."{reason}</p>{successor} },
            ))
        }
        "draft" | "submitted" => {
            let text = format!(
                "This is {}; only its developers and moderators see it.",
                if record.state == "draft" { "a draft" } else { "submitted and waits for review" }
            );
            let returned = record.reason.clone().map(|reason| view! { <p><b>"Returned: "</b>{reason}</p> });
            let version = record.version.clone().unwrap_or_default();
            let review = super::queue::review_path(&record.zone, &record.identifier, &version);
            Some(notice(Tone::Plain, view! { <p>{text}" "<a href=review>"What to do next"</a>"."</p>{returned} }))
        }
        _ if !record.current => {
            let path = record_path(&record.zone, &record.identifier, None);
            let newest = record
                .versions
                .iter()
                .find(|version| version.state == "published")
                .map(|version| version.version.clone());
            let label = newest.map_or_else(|| "the current version".to_owned(), |version| format!("version {version}"));
            Some(notice(
                Tone::Plain,
                view! { <p>"This is an older version. The current one is "<a href=path>{label}</a>"."</p> },
            ))
        }
        _ => None,
    }
}

fn facts(record: &RecordView) -> AnyView {
    let short = record.alternate_name.clone().filter(|short| *short != record.name);
    let short = short.map(|short| view! { <span class="mono">{short}</span> });
    let version = record.version.clone().map(|version| view! { <span>"version "<b>{version}</b></span> });
    let term = |key: &str| {
        record.terms.iter().find(|term| term.key == key && !term.private).and_then(|term| term.values.first())
    };
    let interface = term("interfaceType").map(|value| view! { <span>{words::interface(&value.text)}</span> });
    let licence = term("license").map(|value| view! { <span>{part::terms::value(value)}</span> });
    let from = record.home.clone().and_then(|home| markup::safe_address(&home)).map(|home| {
        view! { <span>"harvested from "<a href=home rel="noopener">{record.zone.clone()}</a></span> }
    });
    let from = from.map(IntoAny::into_any).or_else(|| {
        let is_ours = record.source.is_empty() || record.source == record.zone;
        (!is_ours).then(|| view! { <span>"harvested from "<a href=with_query("/search", [("source", &record.source)])>{record.source.clone()}</a></span> }.into_any())
    });
    let modified =
        view! { <span>"modified "<time datetime=record.modified.clone()>{words::day(&record.modified)}</time></span> };
    view! {
        <div class="facts headline">
            {short}<span>{words::kind(&record.kind)}</span>{version}{interface}{record.official.then(part::hit::official)}{licence}{from}{modified}
        </div>
    }
    .into_any()
}

fn tabs(shown: Shown<'_>) -> AnyView {
    let record = shown.record;
    let base = record_path(&record.zone, &record.identifier, record.version.as_deref().filter(|_| shown.pinned));
    let tabs: Vec<_> = Tab::ALL
        .into_iter()
        .map(|tab| {
            let path = if tab == Tab::Overview { base.clone() } else { with_query(&base, [("tab", tab.as_str())]) };
            let number = match tab {
                Tab::Versions => record.versions.len(),
                Tab::Data => record.volumes.len() + data_terms(record).count(),
                _ => 0,
            };
            let number = (number > 0).then(|| view! { " "<span class="small">{number}</span> });
            view! { <a href=path aria-current=(tab == shown.tab).then_some("page")>{tab.label()}{number}</a> }
        })
        .collect();
    view! { <nav class="tabs" aria-label="Record">{tabs}</nav> }.into_any()
}
