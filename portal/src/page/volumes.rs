//! Data volumes: what can be mounted, where it is held, and which of them are the viewer's own.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::volume::{Space, Volume};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{page_of, segment};
use crate::part::notice::{Tone, notice};
use crate::viewer::Viewer;
use crate::{part, words};

/// A choice that was not taken.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// The volume's key.
    pub volume: &'a str,
    /// The mount path as it was written.
    pub path: &'a str,
    /// What is wrong with it.
    pub said: &'a str,
}

/// Returns the page; a refused choice is told beside its volume.
pub fn volumes(viewer: &Viewer, all: &[Volume], zones: &[Datazone], q: &str, refused: Option<Refused<'_>>) -> Document {
    let wanted = q.to_lowercase();
    let shown: Vec<&Volume> = all.iter().filter(|volume| matches(volume, &wanted)).collect();
    let count = words::counted(shown.len(), "data volume", "data volumes");
    let items: Vec<_> = shown.into_iter().map(|volume| item(viewer, volume, zones, refused)).collect();
    let said = refused.map(|refused| {
        let name = all.iter().find(|volume| volume.key == refused.volume).map_or(refused.volume, |volume| &volume.name);
        let place = format!("#v-{}", refused.volume);
        notice(Tone::Bad, view! { <p><a href=place>{name.to_owned()}</a>" was not added. "{part::findings::with_code(refused.said)}</p> })
    });
    let q = q.to_owned();
    let main = view! {
        <h1>"Data volumes"</h1>
        <p class="quiet">"Data that a datalab finds as a folder. Those you add are offered to each of your launches."</p>
        <form class="ask" role="search" method="get" action="/volumes">
            <div class="field"><input type="search" name="q" value=q aria-label="Search data volumes" placeholder="A mission, an archive, a word" autocomplete="off"/><button>"Search"</button></div>
        </form>
        {said}
        <p class="small quiet">{count}</p>
        <ul class="hits volumes">{items}</ul>
    };
    Document::new("Data volumes", Place::Volumes, Layout::Wide, main)
}

fn matches(volume: &Volume, wanted: &str) -> bool {
    wanted.split_whitespace().all(|word| {
        [&volume.key, &volume.name, &volume.summary].into_iter().any(|text| text.to_lowercase().contains(word))
    })
}

fn item(viewer: &Viewer, volume: &Volume, zones: &[Datazone], refused: Option<Refused<'_>>) -> AnyView {
    let zones_held: Vec<_> = volume
        .replicas
        .iter()
        .map(|replica| {
            let size = replica.byte_size.map(|size| format!(", {}", words::bytes(size))).unwrap_or_default();
            view! { <span>{format!("at {}{size}", words::zone_name(zones, &replica.datazone))}</span> }
        })
        .collect();
    let nowhere =
        volume.replicas.is_empty().then(|| view! { <span class="live unknown">"held by no datazone yet"</span> });
    let kind = (volume.kind != "science").then(|| view! { <span>{volume.kind.clone()}</span> });
    let mode = if volume.mode == "rw" { "read and write" } else { "read only" };
    let record = page_of(&volume.iri);
    let name = match record {
        Some(path) => view! { <a href=path>{volume.name.clone()}</a> }.into_any(),
        None => view! { {volume.name.clone()} }.into_any(),
    };
    let mine = volume.mine.then(|| view! { <span class="official">"yours"</span> });
    view! {
        <li id=format!("v-{}", volume.key)>
            <div>
                <h2>{name}" "<span class="mono quiet small">{volume.key.clone()}</span></h2>
                <p>{words::clip(&volume.summary, 240)}</p>
                <div class="facts"><span class="mono">{volume.default_mount_path.clone()}</span><span>{mode}</span>{kind}{zones_held}{nowhere}{mine}</div>
                {technical(volume, zones)}
            </div>
            <div class="go">{own(viewer, volume, refused)}</div>
        </li>
    }
    .into_any()
}

fn technical(volume: &Volume, zones: &[Datazone]) -> Option<AnyView> {
    let rows: Vec<_> = volume
        .replicas
        .iter()
        .map(|replica| {
            let verified = replica.last_verified.as_deref().map(words::minute).unwrap_or_else(|| "never".to_owned());
            view! {
                <tr>
                    <th scope="row">{words::zone_name(zones, &replica.datazone)}</th>
                    <td>{replica.content_version.clone().unwrap_or_default()}</td>
                    <td>{verified}</td>
                    <td class="mono">{replica.backend_source.clone().unwrap_or_default()}</td>
                </tr>
            }
        })
        .collect();
    let known = volume.replicas.iter().any(|replica| {
        replica.backend_source.is_some() || replica.content_version.is_some() || replica.last_verified.is_some()
    });
    known.then(|| {
        view! {
            <details class="all"><summary>"Technical details"</summary>
                <div class="table" role="region" tabindex="0" aria-label=format!("Replicas of {}", volume.name)><table>
                    <thead><tr><th scope="col">"Datazone"</th><th scope="col">"Content"</th><th scope="col">"Verified"</th><th scope="col">"Source"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
            </details>
        }
        .into_any()
    })
}

fn own(viewer: &Viewer, volume: &Volume, refused: Option<Refused<'_>>) -> Option<AnyView> {
    // A space of somebody's own is there already, and is chosen in the launch form.
    if !viewer.signed_in() || Space::of_key(&volume.key).is_some() {
        return None;
    }
    let refused = refused.filter(|refused| refused.volume == volume.key);
    let path = refused.map(|refused| refused.path.to_owned()).or_else(|| volume.my_mount_path.clone());
    let path = path.unwrap_or_else(|| volume.default_mount_path.clone());
    let add = format!("/volumes/{}/add", segment(&volume.key));
    let label = format!("Mount path of {}", volume.name);
    let word = if volume.mine { "Save path" } else { "Add to my volumes" };
    let invalid = refused.map(|_| "true");
    let fault =
        refused.map(|refused| view! { <p class="fault" id="refused">{part::findings::with_code(refused.said)}</p> });
    let remove = volume.mine.then(|| {
        let remove = format!("/volumes/{}/remove", segment(&volume.key));
        let name = format!("Remove {} from my volumes", volume.name);
        view! { <form method="post" action=remove><button aria-label=name>"Remove"</button></form> }
    });
    Some(
        view! {
            <form class="mount" method="post" action=add>
                <input class="mono" name="mountPath" value=path aria-label=label maxlength="255" aria-invalid=invalid aria-describedby=refused.map(|_| "refused") autocomplete="off"/>
                <button>{word}</button>
            </form>
            {remove}{fault}
        }
        .into_any(),
    )
}
