//! One launch: its steps, what was granted, its log, and what to do when it failed.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::launch::{Launch, LaunchEvent, LaunchState};
use catalog_schemas::volume::Space;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{segment, with_query};
use crate::part::notice::{Tone, notice};
use crate::{part, words};

/// Lines of the log that the page holds.
const LINES: usize = 200;

/// Returns the page; while something is still to happen it fetches itself again.
pub fn running(
    launch: &Launch,
    events: &[LaunchEvent],
    log: &[String],
    zones: &[Datazone],
    open: bool,
    now: &str,
) -> Document {
    let log = match &launch.failure {
        Some(failure) if log.is_empty() => &failure.log[..],
        _ => log,
    };
    let log: Vec<String> = log.iter().map(|line| words::plain(line)).collect();
    let path = format!("/launches/{}", segment(launch.id.as_str()));
    let zone = words::zone_name(zones, &launch.datazone);
    let settled = launch.state.is_final() || answers(launch);
    let until = launch.ended.as_deref().or(launch.ready.as_deref()).unwrap_or(now);
    let took = words::between(&launch.created, until).map(|took| format!(" · {took}")).unwrap_or_default();
    let main = view! {
        <section>
            <p class="small"><a href="/launches">"← My datalabs"</a></p>
            <div class="line"><h1>{launch.name.clone()}</h1>{part::steps::badge(launch.state)}{demo(launch)}</div>
            <p class="quiet">{format!("{} {} at {zone}{took}", launch.datalab_name, launch.version)}</p>
            {part::steps::steps(launch)}
            {failure(launch)}
            {ready(launch)}
            <div class="actions">{actions(launch)}{again(launch)}</div>
            {launch.results.as_ref().and_then(|_| part::workflow::steps(&log))}
            <h2 id="logs">"Log"</h2>
            {lines(launch, &log)}
            {happened(events)}
        </section>
        <aside>{facts(launch)}</aside>
    };
    let mut document = Document::new(launch.name.clone(), Place::Launches, Layout::Aside, main);
    document.unlisted = true;
    document.refresh = (!settled).then(|| {
        let again = if open { with_query(&path, [("open", "1")]) } else { path };
        (2, again)
    });
    document
}

/// Returns the badge of a launch in a demonstration zone.
pub(crate) fn demo(launch: &Launch) -> Option<AnyView> {
    launch.demo.then(|| view! { <span class="tag" title="Nothing is really run in this zone">"DEMO"</span> }.into_any())
}

/// Returns where a launch opens, when that may stand in a link.
pub fn open_address(launch: &Launch) -> Option<String> {
    let address = launch.access_url.as_deref()?;
    let local = crate::link::local_path(address, "");
    if local.is_empty() {
        crate::markup::safe_address(address).filter(|address| address.starts_with("http"))
    } else {
        Some(local.to_owned())
    }
}

/// Returns the forms that act on a launch.
pub(crate) fn actions(launch: &Launch) -> AnyView {
    let open = open_address(launch).filter(|_| answers(launch)).map(|address| {
        let name = format!("Open {}", launch.name);
        view! { <a class="button primary" href=address aria-label=name>"Open"</a> }
    });
    let stop = (!launch.state.is_final()).then(|| {
        let action = format!("/launches/{}/stop", segment(launch.id.as_str()));
        let name = format!("Stop {}", launch.name);
        let stopping = launch.state == LaunchState::Stopping;
        view! { <form method="post" action=action><button disabled=stopping aria-label=name>"Stop"</button></form> }
    });
    let renew = (answers(launch) && launch.expires.is_some()).then(|| {
        let action = format!("/launches/{}/renew", segment(launch.id.as_str()));
        let name = format!("Keep {} for longer", launch.name);
        view! { <form method="post" action=action><button aria-label=name>"Keep longer"</button></form> }
    });
    view! { {open}{renew}{stop} }.into_any()
}

/// Says whether the lab's interface answers.
pub(crate) fn answers(launch: &Launch) -> bool {
    matches!(launch.state, LaunchState::Ready | LaunchState::Running)
}

/// Returns the way to the launch form, for a launch that is over.
fn again(launch: &Launch) -> Option<AnyView> {
    let (_, name) = launch.datalab.split_once("/id/").filter(|_| launch.state.is_final())?;
    let path = with_query("/launch", [("datalab", name)]);
    let action = format!("/launches/{}/again", segment(launch.id.as_str()));
    // One key a page: pressed twice it launches once; a page that is loaded again may launch again.
    let key = uuid::Uuid::new_v4().to_string();
    Some(
        view! {
            <form method="post" action=action><input type="hidden" name="key" value=key/><button>"Launch the same again"</button></form>
            <a class="button" rel="nofollow" href=path>"Change and launch"</a>
        }
        .into_any(),
    )
}

fn ready(launch: &Launch) -> Option<AnyView> {
    let hint = launch.hint.clone().filter(|_| answers(launch))?;
    Some(notice(Tone::Plain, view! { <p><b>"To begin: "</b>{hint}</p> }))
}

fn failure(launch: &Launch) -> Option<AnyView> {
    let failure = launch.failure.as_ref()?;
    Some(notice(
        Tone::Bad,
        view! {
            <p><b>{words::sentence(&failure.cause)}</b></p>
            <p>{words::sentence(&failure.next_action)}</p>
            <p class="small quiet">"Failed while "{part::steps::stage(&failure.stage).to_owned()}" · "<span class="mono">{failure.code.clone()}</span></p>
        },
    ))
}

fn lines(launch: &Launch, log: &[String]) -> AnyView {
    if log.is_empty() {
        let said = if launch.state.is_final() { "Nothing was logged." } else { "Nothing has been logged yet." };
        return view! { <p class="quiet small">{said}</p> }.into_any();
    }
    let from = log.len().saturating_sub(LINES);
    let earlier = (from > 0).then(|| view! { <p class="quiet small">{format!("The last {LINES} lines.")}</p> });
    let text = log[from..].join("\n");
    let download = format!("/api/v1/launches/{}/logs?download=true", segment(launch.id.as_str()));
    view! { <p class="small"><a href=download>"Download the whole log"</a></p>{earlier}<div class="log" tabindex="0" role="region" aria-labelledby="logs"><pre>{text}</pre></div> }.into_any()
}

fn happened(events: &[LaunchEvent]) -> Option<AnyView> {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            view! {
                <tr><td class="mono"><time datetime=event.at.clone()>{words::clock(&event.at)}</time></td>
                <td>{part::steps::word(event.state)}</td><td>{event.message.clone()}</td></tr>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <details class="all"><summary>"What happened"</summary>
                <div class="table" role="region" tabindex="0" aria-label="Steps"><table>
                    <thead><tr><th scope="col">"Time (UTC)"</th><th scope="col">"State"</th><th scope="col">"Step"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
            </details>
        }
        .into_any()
    })
}

fn facts(launch: &Launch) -> AnyView {
    let granted =
        launch.granted.as_ref().map(|granted| view! { <dt>"Granted"</dt><dd>{words::resources(granted)}</dd> });
    let mounts: Vec<_> = launch
        .mounts
        .iter()
        .map(|mount| {
            let mode = if mount.mode == "rw" { "read and write" } else { "read only" };
            view! { <li>{words::mounted(&mount.volume)}" "<span class="mono">{mount.mount_path.clone()}</span>" "<span class="quiet">{mode}</span></li> }
        })
        .collect();
    let results = launch.results.clone().map(|results| {
        let path = launch.mounts.iter().find(|mount| mount.volume == Space::PERSONAL);
        let path = path.map_or_else(|| results.clone(), |mount| format!("{}/{results}", mount.mount_path));
        view! { <dt>"Results"</dt><dd><span class="mono">{path}</span>" in your own space: any datalab launched at this datazone opens it"</dd> }
    });
    let mounts = (!mounts.is_empty()).then(|| view! { <dt>"Mounted"</dt><dd><ul class="lines">{mounts}</ul></dd> });
    let moment = |label: &'static str, at: &Option<String>| {
        at.clone().map(|at| view! { <dt>{label}</dt><dd><time datetime=at.clone()>{words::minute(&at)}</time></dd> })
    };
    let created = Some(launch.created.clone());
    let expires = launch.expires.clone().filter(|_| !launch.state.is_final());
    let digest = launch.digest.clone().map(|digest| view! { <dt>"Image"</dt><dd class="mono digest">{digest}</dd> });
    let idle = launch.idle_minutes.filter(|_| !launch.state.is_final()).map(|minutes| {
        let limit = if minutes.is_multiple_of(60) { format!("{} h", minutes / 60) } else { format!("{minutes} min") };
        view! { <p class="small quiet">{format!("It is stopped when nobody uses it for {limit}.")}</p> }
    });
    let removal = launch
        .remove_when_finished
        .then(|| view! { <p class="small quiet">"It is removed when it finishes; its log is kept."</p> });
    view! {
        <section class="sheet small">
            <h2>"Facts"</h2>
            <dl class="terms tight">
                <dt>"Asked for"</dt><dd>{words::resources(&launch.requested)}</dd>
                {granted}{results}{mounts}
                {moment("Started", &created)}{moment("Ready", &launch.ready)}{moment("Ended", &launch.ended)}{moment("Stops at", &expires)}
                {digest}<dt>"Launch"</dt><dd class="mono">{launch.id.to_string()}</dd>
            </dl>
            {idle}{removal}
        </section>
    }
    .into_any()
}
