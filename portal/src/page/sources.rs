//! Harvest sources: how each is, what its runs did, and what waits for somebody to decide.

use catalog_schemas::harvest::{Diff, DiffRecord, RunReason, RunView, SourceView, Sources};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{record_path, run_path, segment};
use crate::markup::safe_address;
use crate::part::findings::with_code;
use crate::part::notice::{Tone, notice};
use crate::part::provenance::in_words;
use crate::words;

mod findings;
mod identities;

/// Returns the page of all sources.
pub fn sources(all: &Sources, now: &str) -> Document {
    let rows: Vec<_> = all.sources.iter().map(|source| source_row(source, now)).collect();
    let table = if rows.is_empty() {
        view! {
            <p class="quiet">"No source is described yet. Add a "<code>"[[source]]"</code>" to the configuration, or send one to "
            <code>"POST /api/v1/sources"</code>"."</p>
        }
        .into_any()
    } else {
        view! {
            <div class="table" role="region" tabindex="0" aria-label="Sources"><table>
                <caption class="unseen">"Harvest sources"</caption>
                <thead><tr><th scope="col">"Source"</th><th scope="col">"How it is"</th><th scope="col">"Records"</th><th scope="col">"Last run"</th><th scope="col">"Next run"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    let main = view! {
        <h1>"Sources"</h1>
        <p class="quiet">"Catalogues from which records are brought here. A run that fails changes nothing; one that would remove much waits for you."</p>
        {table}
        {identities::waiting(&all.reviews)}
        {identities::decided(&all.decided, now)}
    };
    unlisted("Sources", main)
}

fn unlisted(title: &str, main: impl IntoAny) -> Document {
    let mut document = Document::new(title.to_owned(), Place::Elsewhere, Layout::Wide, main.into_any());
    document.unlisted = true;
    document
}

fn source_row(source: &SourceView, now: &str) -> AnyView {
    let id = &source.settings.id;
    let name = source.settings.name.clone().unwrap_or_else(|| id.clone());
    let last = source.last_run.as_ref().map(|run| {
        let at = run.ended.clone().unwrap_or_else(|| run.queued.clone());
        view! {
            <a href=run_path(&run.source, run.number)>{format!("Run {}", run.number)}</a>" "{ago(&at, now)}
            <br/><span class="small quiet">{outcome(run)}</span>
        }
    });
    let is_well = matches!(source.health.as_str(), "good" | "running");
    let reason = source.last_run.as_ref().filter(|_| !is_well).and_then(|run| run.reason.as_ref());
    let reason = reason.map(|reason| view! { <p class="small">{with_code(&words::sentence(&reason.message))}</p> });
    let next = source.next_run.as_ref().map(|at| moment(at));
    view! {
        <tr>
            <th scope="row"><a href=format!("/sources/{}", segment(id))>{name}</a><br/><span class="small quiet">{source.settings.kind.clone()}</span></th>
            <td>{health(&source.health)}{reason}</td>
            <td>{words::count(source.records as usize)}</td>
            <td>{last}</td>
            <td>{next.unwrap_or_else(|| view! { <span class="quiet">"when asked"</span> }.into_any())}</td>
        </tr>
    }
    .into_any()
}

/// Says in a few words what a run came to.
fn outcome(run: &RunView) -> String {
    let counts =
        [(run.added, "added"), (run.changed, "changed"), (run.removed, "removed"), (run.quarantined, "set aside")];
    let said = counts.into_iter().filter(|(count, _)| *count > 0);
    let said: Vec<_> = said.map(|(count, what)| format!("{} {what}", words::count(count as usize))).collect();
    match run.state.as_str() {
        "held" => format!("{}, if approved", said.join(", ")),
        _ if !said.is_empty() => said.join(", "),
        "completed" => "no change".to_owned(),
        _ => String::new(),
    }
}

fn health(word: &str) -> AnyView {
    let (class, text) = match word {
        "good" => ("state good", "good"),
        "running" => ("state", "running"),
        "held" => ("state warn", "waits for approval"),
        "failing" => ("state bad", "failing"),
        "incomplete" => ("state warn", "not read to its end"),
        _ => ("state", "never run"),
    };
    view! { <span class=class>{text}</span> }.into_any()
}

/// Returns the page of one source.
pub fn source(source: &SourceView, runs: &[RunView], now: &str) -> Document {
    let settings = &source.settings;
    let id = &settings.id;
    let name = settings.name.clone().unwrap_or_else(|| id.clone());
    let held = runs.iter().find(|run| run.state == "held").map(|run| {
        notice(
            Tone::Warn,
            view! { <p>"A run waits for approval: "<a href=run_path(&run.source, run.number)>{format!("run {}", run.number)}</a>{run.reason.as_ref().map(|reason| format!(". {}.", words::sentence(&reason.message).trim_end_matches('.')))}</p> },
        )
    });
    let failing = matches!(source.health.as_str(), "failing" | "incomplete")
        .then(|| source.last_run.as_ref()?.reason.clone())
        .flatten()
        .map(|reason| notice(Tone::Bad, told(&reason)));
    let address = match safe_address(&settings.url) {
        Some(address) => view! { <a href=address rel="noopener">{settings.url.clone()}</a> }.into_any(),
        None => view! { <span class="mono">{settings.url.clone()}</span> }.into_any(),
    };
    let rows: Vec<_> = runs.iter().map(|run| run_row(run, now)).collect();
    let action = format!("/sources/{}/runs", segment(id));
    let find = crate::link::with_query("/search", [("source", id)]);
    let schedule = settings.schedule.clone().unwrap_or_else(|| "only when asked".to_owned());
    let next = source.next_run.as_ref().map(|at| view! { <dt>"Next run"</dt><dd>{moment(at)}</dd> });
    let success = source.last_success.as_ref().map(|at| view! { <dt>"Last applied"</dt><dd>{moment(at)}</dd> });
    let main = view! {
        <p class="small"><a href="/sources">"Sources"</a></p>
        <div class="line"><h1>{name}</h1>{health(&source.health)}</div>
        {held}{failing}
        <dl class="terms">
            <dt>"Kind"</dt><dd>{settings.kind.clone()}</dd>
            <dt>"Address"</dt><dd>{address}</dd>
            <dt>"Runs"</dt><dd>{schedule}</dd>
            {next}{success}
            <dt>"Precedence"</dt><dd>{settings.precedence.unwrap_or_default()}</dd>
            <dt>"Records"</dt><dd><a href=find>{words::count(source.records as usize)}</a></dd>
            <dt>"Described by"</dt><dd>{if source.origin == "api" { "an administrator" } else { "the configuration" }}</dd>
        </dl>
        <form method="post" action=action class="actions">
            <button class="primary" name="dry" value="0">"Run now"</button>
            <button name="dry" value="1">"Show what would change"</button>
        </form>
        <h2>"Runs"</h2>
        <div class="table" role="region" tabindex="0" aria-label="Runs"><table>
            <caption class="unseen">"Runs, newest first"</caption>
            <thead><tr><th scope="col">"Run"</th><th scope="col">"State"</th><th scope="col">"When"</th><th scope="col">"Added"</th><th scope="col">"Changed"</th><th scope="col">"Unchanged"</th><th scope="col">"Removed"</th><th scope="col">"Set aside"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    };
    unlisted(id, main)
}

fn run_row(run: &RunView, now: &str) -> AnyView {
    let at = run.ended.clone().unwrap_or_else(|| run.queued.clone());
    let dry = run.dry_run.then(|| view! { " "<span class="tag">"dry"</span> });
    let number = |value: u64| words::count(value as usize);
    view! {
        <tr>
            <th scope="row"><a href=run_path(&run.source, run.number)>{run.number}</a></th>
            <td>{state(run)}{dry}</td>
            <td>{ago(&at, now)}</td>
            <td>{number(run.added)}</td><td>{number(run.changed)}</td><td>{number(run.unchanged)}</td><td>{number(run.removed)}</td><td>{number(run.quarantined)}</td>
        </tr>
    }
    .into_any()
}

fn state(run: &RunView) -> AnyView {
    let class = match run.state.as_str() {
        "completed" if run.complete => "state good",
        "completed" | "held" | "interrupted" => "state warn",
        "failed" => "state bad",
        _ => "state",
    };
    let text =
        if run.state == "completed" && !run.complete { "completed in part".to_owned() } else { run.state.clone() };
    view! { <span class=class>{text}</span> }.into_any()
}

/// Returns the page of one run.
pub fn run(run: &RunView, now: &str) -> Document {
    let source = format!("/sources/{}", segment(&run.source));
    let number = |value: u64| words::count(value as usize);
    let goes_on = matches!(run.state.as_str(), "queued" | "running");
    let reason = run.reason.as_ref().map(|reason| {
        let tone = if run.state == "failed" { Tone::Bad } else { Tone::Warn };
        notice(tone, told(reason))
    });
    let approve = (run.state == "held").then(|| {
        let action = format!("{source}/runs/{}/approve", run.number);
        view! {
            <form method="post" action=action class="actions">
                <button class="primary">{format!("Approve and remove {}", words::counted(run.removed as usize, "record", "records"))}</button>
                <span class="quiet small">"Nothing has been changed yet. Without approval the records stay."</span>
            </form>
        }
    });
    let progress = goes_on.then(|| {
        let of = run.total.map(|total| format!(" of {}", number(total))).unwrap_or_default();
        view! { <p class="quiet">{format!("{}{of} read so far. Load this page again to see more.", number(run.done))}</p> }
    });
    let dry = run
        .dry_run
        .then(|| notice(Tone::Plain, view! { <p>"A dry run: it shows what would change and changed nothing."</p> }));
    let resumed =
        (run.resumed > 0).then(|| view! { <dt>"Went on after its server ended"</dt><dd>{run.resumed}" ×"</dd> });
    let approved = run.approved_by.clone().map(|by| view! { <dt>"Approved by"</dt><dd>{by}</dd> });
    let words_unmatched: Vec<_> = run
        .unmatched_terms
        .iter()
        .map(|word| view! { <tr><td>{word.term.clone()}</td><td>{word.value.clone()}</td><td>{number(word.count)}</td></tr> })
        .collect();
    let unmatched = (!words_unmatched.is_empty()).then(|| {
        view! {
            <section>
                <h2>{words::counted(run.unmatched as usize, "word that no scheme has", "words that no scheme has")}</h2>
                <p class="quiet">"They are kept as keywords. Add them to the concept schemes to make facets of them."</p>
                <div class="table" role="region" tabindex="0" aria-label="Unmatched words"><table>
                    <thead><tr><th scope="col">"Scheme"</th><th scope="col">"Word"</th><th scope="col">"Records"</th></tr></thead>
                    <tbody>{words_unmatched}</tbody>
                </table></div>
            </section>
        }
    });
    let at = run.ended.clone().unwrap_or_else(|| run.queued.clone());
    let main = view! {
        <p class="small"><a href="/sources">"Sources"</a>" › "<a href=source.clone()>{run.source.clone()}</a></p>
        <div class="line"><h1>{format!("Run {}", run.number)}</h1>{state(run)}<span class="small quiet">{ago(&at, now)}</span></div>
        {dry}{reason}{approve}{progress}
        <dl class="terms">
            <dt>"Added"</dt><dd>{number(run.added)}</dd>
            <dt>"Changed"</dt><dd>{number(run.changed)}</dd>
            <dt>"Unchanged"</dt><dd>{number(run.unchanged)}</dd>
            <dt>"Removed"</dt><dd>{number(run.removed)}</dd>
            <dt>"Set aside"</dt><dd>{number(run.quarantined)}</dd>
            <dt>"Asked for by"</dt><dd>{run.requested_by.clone()}</dd>
            {approved}{resumed}
        </dl>
        {run.diff.as_ref().map(|diff| differences(run, diff))}
        {findings::all(&run.findings)}
        {unmatched}
    };
    unlisted(&format!("{}, run {}", run.source, run.number), main)
}

fn differences(run: &RunView, diff: &Diff) -> AnyView {
    let group = |title: &'static str, records: &[DiffRecord], all: u64, open: bool| {
        (!records.is_empty()).then(|| {
            let items: Vec<_> = records.iter().map(difference).collect();
            let more = (all > records.len() as u64)
                .then(|| view! { <p class="small quiet">{format!("The first {} of {}.", records.len(), words::count(all as usize))}</p> });
            view! {
                <details open=open>
                    <summary><h2>{format!("{title} {}", words::count(all as usize))}</h2></summary>
                    {more}
                    <ul class="lines differences">{items}</ul>
                </details>
            }
        })
    };
    let held = run.state == "held";
    view! {
        {group("Removed", &diff.removed, run.removed, held)}
        {group("Changed", &diff.changed, run.changed, !held)}
        {group("Added", &diff.added, run.added, false)}
    }
    .into_any()
}

fn difference(record: &DiffRecord) -> AnyView {
    let name = if record.name.is_empty() { record.identifier.clone() } else { record.name.clone() };
    let path = record_path(&record.zone, &record.identifier, None);
    let fields: Vec<_> = record
        .fields
        .iter()
        .map(|field| {
            let shown = |value: &Option<serde_json::Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), in_words);
            view! { <div><dt class="mono">{field.key.clone()}</dt><dd><del>{shown(&field.before)}</del>" "<ins>{shown(&field.after)}</ins></dd></div> }
        })
        .collect();
    let fields = (!fields.is_empty()).then(|| view! { <dl class="small">{fields}</dl> });
    view! { <li><a href=path>{name}</a>" "<span class="small quiet mono">{record.key.clone()}</span>{fields}</li> }
        .into_any()
}

/// Says why a run ended as it did, and what to do about it.
fn told(reason: &RunReason) -> AnyView {
    let fix = reason.fix.as_ref().map(|fix| view! { <p class="small">{with_code(fix)}</p> });
    view! { <p>{with_code(&words::sentence(&reason.message))}" "<span class="mono small">{reason.code.clone()}</span></p>{fix} }
        .into_any()
}

fn moment(at: &str) -> AnyView {
    view! { <time datetime=at.to_owned()>{words::minute(at)}</time> }.into_any()
}

fn ago(at: &str, now: &str) -> AnyView {
    let text = match words::between(at, now) {
        Some(ago) if ago == "0 s" => "just now".to_owned(),
        Some(ago) => format!("{ago} ago"),
        None => words::minute(at),
    };
    view! { <time datetime=at.to_owned()>{text}</time> }.into_any()
}
