//! A record: what it is, every term of it, its versions, its data, where it comes from; and the way to run it.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::governance::SignatureView;
use catalog_schemas::harvest::Provenance;
use catalog_schemas::plan::Plan;
use catalog_schemas::problem::Problem;
use catalog_schemas::record::{RecordView, TermValues, VersionView};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{facet_path, record_path, segment, with_query};
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

/// Terms of the overview, with the words that stand before them there.
const OVERVIEW: [(&str, &str); 13] = [
    ("domain", "Domain"),
    ("mission", "Mission"),
    ("instrument", "Instrument"),
    ("thematicArea", "Thematic area"),
    ("property", "Good for"),
    ("associatedFileType", "File types"),
    ("audienceType", "Made for"),
    ("keyword", "Keywords"),
    ("author", "Author"),
    ("creator", "Creator"),
    ("publisher", "Publisher"),
    ("citation", "Described in"),
    ("codeRepository", "Source code"),
];

/// Terms of the data tab beside the volumes.
const DATA: [&str; 8] =
    ["dataset", "service", "distribution", "accessService", "availableAs", "defaultMountPath", "replica", "input"];

/// Returns the page; a withdrawn record or version is a tombstone.
pub fn record(shown: Shown<'_>) -> Document {
    let record = shown.record;
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
            let reason = record.reason.clone().unwrap_or_else(|| "No reason was given.".to_owned());
            Some(notice(Tone::Warn, view! { <p><b>"Withdrawn. "</b>{reason}" Its address stays reserved."</p> }))
        }
        "deprecated" => {
            let reason = record.reason.clone().map(|reason| view! { " "{reason} });
            let successor = record.replaced_by.as_deref().and_then(|iri| {
                let local = crate::link::page_of(iri);
                let address = local.or_else(|| markup::safe_address(iri))?;
                Some(view! { <p>"Use "<a href=address rel="noopener">{iri.to_owned()}</a>" instead."</p> })
            });
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

fn overview(shown: Shown<'_>) -> AnyView {
    let record = shown.record;
    let summary = match (record.summary.trim(), &record.description) {
        ("", Some(_)) => None,
        ("", None) => Some(view! { <p class="quiet">"No description yet."</p> }.into_any()),
        (summary, _) => Some(view! { <p class="lead">{summary.to_owned()}</p> }.into_any()),
    };
    let description = record
        .description
        .as_ref()
        .filter(|text| text.trim() != record.summary.trim())
        .map(|text| view! { <div class="prose" inner_html=markup::markdown(text)></div> });
    let rows: Vec<_> = OVERVIEW
        .iter()
        .filter_map(|(key, label)| {
            let term = record.terms.iter().find(|term| term.key == *key && !term.values.is_empty())?;
            Some(view! { <dt>{*label}</dt><dd>{part::terms::values(term)}</dd> })
        })
        .collect();
    let needs = record.needs.as_ref().map(|needs| view! { <dt>"Needs"</dt><dd>{words::resources(needs)}</dd> });
    let volumes: Vec<_> = record.volumes.iter().map(|need| view! { <li>{volume_need(need)}</li> }).collect();
    let volumes =
        (!volumes.is_empty()).then(|| view! { <dt>"Uses data"</dt><dd><ul class="lines">{volumes}</ul></dd> });
    let workflow = shown.workflow.map(|drawing| {
        view! { <figure class="drawing" tabindex="0" role="region" aria-label="Workflow" inner_html=drawing.to_owned()></figure> }
    });
    view! { {summary}{workflow}{description}<dl class="terms">{rows}{needs}{volumes}</dl> }.into_any()
}

fn volume_need(need: &catalog_schemas::record::VolumeNeed) -> AnyView {
    let name = need.name.clone().unwrap_or_else(|| need.volume.clone());
    let mode = if need.mode == "rw" { "read and write" } else { "read only" };
    let required = if need.required { "required" } else { "where the datazone holds it" };
    let tail = format!(", {mode}, {required}");
    let find = with_query("/volumes", [("q", &name)]);
    view! { <a href=find>{name}</a>" at "<span class="mono">{need.mount_path.clone()}</span>{tail} }.into_any()
}

fn details(record: &RecordView) -> AnyView {
    let rows: Vec<_> = record
        .terms
        .iter()
        .map(|term| {
            let private = term.private.then(|| view! { " "<span class="tag">"private"</span> });
            let iri = expand(&term.term).filter(|_| !term.term.starts_with("esado:"));
            let iri = iri.map(|iri| view! { <a href=iri.clone() rel="noopener">{iri.clone()}</a> });
            let place = format!("/ns/esado#{}.{}", record.kind, term.key.replace('@', "at-"));
            view! {
                <dt>
                    <details>
                        <summary>{term.label.clone()}{private}</summary>
                        <p class="small quiet">{term.definition.clone()}</p>
                        <p class="small"><a class="mono" href=place>{term.term.clone()}</a>" "{iri}</p>
                    </details>
                </dt>
                <dd>{detail(term)}</dd>
            }
        })
        .collect();
    view! {
        <p class="quiet">"Every term that you may read. Open a term for its definition."</p>
        <dl class="terms full">{rows}</dl>
    }
    .into_any()
}

/// Returns the values of a term as a person reads them: Markdown rendered, moments and amounts in words.
fn detail(term: &TermValues) -> AnyView {
    match (term.key.as_str(), term.values.as_slice()) {
        ("description", values) => values
            .iter()
            .map(|value| view! { <div class="prose" lang=part::terms::language(value) inner_html=markup::markdown(&value.text)></div> })
            .collect_view()
            .into_any(),
        (key, [only]) if key.starts_with("needs.memory.") || key.starts_with("needs.storage") => {
            let amount = only.text.parse().map_or_else(|_| only.text.clone(), words::memory);
            view! { {amount} }.into_any()
        }
        (key, [only]) if key.starts_with("date") => {
            view! { <time datetime=only.text.clone()>{words::minute(&only.text)}</time> }.into_any()
        }
        _ => part::terms::values(term),
    }
}

/// Returns the IRI of a compact one, for the prefixes of the term table.
fn expand(term: &str) -> Option<String> {
    let (prefix, local) = term.split_once(':')?;
    let base = match prefix {
        "esado" => catalog_schemas::ESADO,
        "sdo" => "https://schema.org/",
        "dcat" => "http://www.w3.org/ns/dcat#",
        "dcterms" => "http://purl.org/dc/terms/",
        "adms" => "http://www.w3.org/ns/adms#",
        "codemeta" => "https://codemeta.github.io/terms/",
        "odrl" => "http://www.w3.org/ns/odrl/2/",
        "dqv" => "http://www.w3.org/ns/dqv#",
        "prov" => "http://www.w3.org/ns/prov#",
        "bioschemas" => "https://bioschemas.org/",
        "foaf" => "http://xmlns.com/foaf/0.1/",
        _ => return None,
    };
    local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)).then(|| format!("{base}{local}"))
}

fn versions(record: &RecordView) -> AnyView {
    if record.versions.is_empty() {
        return view! { <p class="quiet">"This record has no versions of its own."</p> }.into_any();
    }
    let rows: Vec<_> = record.versions.iter().map(|version| version_row(record, version)).collect();
    view! {
        <div class="table" role="region" tabindex="0" aria-label="Versions"><table>
            <caption class="unseen">"Versions, newest first"</caption>
            <thead><tr><th scope="col">"Version"</th><th scope="col">"Published"</th><th scope="col">"Package"</th><th scope="col">"Notes"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn version_row(record: &RecordView, version: &VersionView) -> AnyView {
    let path = record_path(&record.zone, &record.identifier, Some(&version.version));
    let shown = record.version.as_ref() == Some(&version.version);
    let state = (version.state != "published").then(|| view! { " "<span class="tag">{version.state.clone()}</span> });
    let size = version.size.map(words::bytes).unwrap_or_default();
    let package = version.digest.as_ref().filter(|_| version.state != "withdrawn").map(|digest| {
        let path = package_path(record, &version.version);
        let digest = digest.get(..12).unwrap_or(digest).to_owned();
        view! { <a href=path download="">"Download"</a>" "<span class="quiet small">{size}</span><br/><span class="mono small quiet">"sha256 "{digest}"…"</span> }
    });
    let signature =
        version.signature.as_ref().map(|signature| view! { <br/><span class="small">{signed(signature)}</span> });
    let notes = version.reason.clone().or_else(|| version.notes.clone()).unwrap_or_default();
    view! {
        <tr>
            <th scope="row"><a href=path aria-current=shown.then_some("true")>{version.version.clone()}</a>{state}</th>
            <td><time datetime=version.published.clone()>{words::day(&version.published)}</time></td>
            <td>{package}{signature}</td>
            <td>{notes}</td>
        </tr>
    }
    .into_any()
}

fn package_path(record: &RecordView, version: &str) -> String {
    format!("/api/v1/packages/{}/{}", segment(&record.identifier), segment(version))
}

fn data_terms(record: &RecordView) -> impl Iterator<Item = &catalog_schemas::record::TermValues> {
    record
        .terms
        .iter()
        .filter(|term| DATA.contains(&term.key.split('.').next().unwrap_or_default()) && !term.values.is_empty())
        // The inputs have a table of their own.
        .filter(|term| record.inputs.is_empty() || !term.key.starts_with("input"))
}

fn data(record: &RecordView) -> AnyView {
    let rows: Vec<_> = record
        .volumes
        .iter()
        .map(|need| {
            let name = need.name.clone().unwrap_or_else(|| need.volume.clone());
            view! {
                <tr>
                    <th scope="row"><a href=with_query("/volumes", [("q", &name)])>{name.clone()}</a></th>
                    <td class="mono">{need.mount_path.clone()}</td>
                    <td>{if need.mode == "rw" { "read and write" } else { "read only" }}</td>
                    <td>{if need.required { "yes" } else { "no" }}</td>
                </tr>
            }
        })
        .collect();
    let volumes = (!rows.is_empty()).then(|| {
        view! {
            <h2>"Data volumes"</h2>
            <div class="table" role="region" tabindex="0" aria-label="Data volumes"><table>
                <thead><tr><th scope="col">"Volume"</th><th scope="col">"Mounted at"</th><th scope="col">"Access"</th><th scope="col">"Required"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
    });
    let terms: Vec<_> = data_terms(record)
        .map(|term| view! { <dt>{words::capitalised(&term.label)}</dt><dd>{part::terms::values(term)}</dd> })
        .collect();
    let terms = (!terms.is_empty()).then(|| view! { <dl class="terms">{terms}</dl> });
    let inputs = part::workflow::inputs(record);
    let nothing = (volumes.is_none() && terms.is_none() && inputs.is_none())
        .then(|| view! { <p class="quiet">"It names no data volume, dataset or service."</p> });
    view! { <div class="data">{inputs}{volumes}{terms}{nothing}</div> }.into_any()
}

fn provenance(shown: Shown<'_>) -> AnyView {
    let record = shown.record;
    let published = record.versions.iter().find(|version| record.version.as_ref() == Some(&version.version));
    let digest = published.and_then(|version| version.digest.clone());
    let digest = digest.map(|digest| view! { <dt>"Package digest"</dt><dd class="mono small">"sha256:"{digest}</dd> });
    let signature = published.and_then(|version| version.signature.as_ref()).map(|signature| {
        let key = signature.signature.public_key.clone();
        view! { <dt>"Signature"</dt><dd>{signed(signature)}<br/><span class="mono small quiet key">{key}</span></dd> }
    });
    let day = published.map(|version| {
        view! { <dt>"Published"</dt><dd><time datetime=version.published.clone()>{words::minute(&version.published)}</time></dd> }
    });
    let namespace = record.identifier.rsplit_once('.').map(|(namespace, _)| namespace.to_owned());
    let namespace = namespace.map(|namespace| view! { <dt>"Namespace"</dt><dd class="mono">{namespace}</dd> });
    let zone = facet_path(&format!("datazone={}", record.zone));
    view! {
        <dl class="terms">
            <dt>"Home zone"</dt><dd><a href=zone>{words::zone_name(shown.zones, &record.zone)}</a></dd>
            {namespace}
            <dt>"Identifier"</dt><dd class="mono">{record.identifier.clone()}</dd>
            <dt>"Address"</dt><dd class="mono">{record.iri.clone()}</dd>
            {day}
            <dt>"Last modified"</dt><dd><time datetime=record.modified.clone()>{words::minute(&record.modified)}</time></dd>
            {digest}
            {signature}
            <dt>"Change"</dt><dd>{format!("number {} of this server's change log", words::count(record.seq as usize))}</dd>
        </dl>
        {shown.provenance.map(|provenance| part::provenance::panel(provenance, record, shown.zones))}
    }
    .into_any()
}

/// Returns what the viewer may do with the record; nothing for most.
fn manage(record: &RecordView) -> Option<AnyView> {
    if record.may.is_empty() {
        return None;
    }
    let edit = record.may.iter().any(|act| act.name == "edit").then(|| {
        let path = super::edit::edit_path(&record.zone, &record.identifier);
        view! { <li><a rel="nofollow" href=path>"Edit its description"</a></li> }
    });
    let steps: Vec<&str> =
        record.may.iter().filter(|act| act.state.is_some()).map(|act| super::review::words_of(act).0).collect();
    let version = record.version.clone().unwrap_or_default();
    let steps = (!steps.is_empty()).then(|| {
        let path = super::queue::review_path(&record.zone, &record.identifier, &version);
        view! { <li><a rel="nofollow" href=path>{steps.join(", ")}</a></li> }
    });
    Some(
        view! { <section class="sheet small"><h2>"Manage"</h2><ul class="lines">{edit}{steps}</ul></section> }
            .into_any(),
    )
}

/// Says who signed a package, and whether that still holds.
fn signed(signature: &SignatureView) -> AnyView {
    let name = signature.name.clone().unwrap_or_else(|| "an unknown key".to_owned());
    let of = signature.namespace.clone().map(|namespace| format!(" of {namespace}")).unwrap_or_default();
    let (class, said) = match signature.state.as_str() {
        "verified" => ("tag good", "verified"),
        "revoked" => ("tag warn", "its key was revoked since"),
        "unknown" => ("tag warn", "nobody vouches for its key"),
        _ => ("tag bad", "broken"),
    };
    view! { "Signed by "<b>{name}</b>{of}" "<span class=class>{said}</span> }.into_any()
}

fn launch_words(record: &RecordView) -> &'static str {
    if record.kind == "Pipeline" { "Launch pipeline" } else { "Launch datalab" }
}

/// Returns the address of the launch form, for what can be launched.
fn launch_path(shown: Shown<'_>) -> Option<String> {
    let record = shown.record;
    let runs = matches!(record.kind.as_str(), "Datalab" | "Pipeline");
    if !runs || record.not_launchable.is_some() || record.state == "withdrawn" {
        return None;
    }
    let mut pairs = vec![("datalab", format!("{}/{}", record.zone, record.identifier))];
    pairs.extend(record.version.clone().filter(|_| shown.pinned).map(|version| ("version", version)));
    Some(with_query("/launch", pairs))
}

fn run(shown: Shown<'_>) -> Option<AnyView> {
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

fn machines(shown: Shown<'_>) -> AnyView {
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

fn quality(record: &RecordView) -> Option<AnyView> {
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

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn compact_terms_become_addresses() {
        assert_eq!(expand("esado:mission").as_deref(), Some("https://w3id.org/esado#mission"));
        assert_eq!(expand("javascript:alert"), None);
        assert_eq!(expand("sdo:a\"b"), None);
    }
}
