//! The launch form, with the plan for every datazone beside it.

use catalog_schemas::datazone::Datazone;
use catalog_schemas::plan::Plan;
use catalog_schemas::problem::Problem;
use catalog_schemas::record::{Parameter, RecordView};
use catalog_schemas::search::Hit;
use catalog_schemas::volume::Volume;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::launchform::{INPUT, LaunchForm, Least};
use crate::link::record_path;
use crate::part::notice::{Tone, fault, notice};
use crate::viewer::Viewer;
use crate::{part, words};

/// Everything the form shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The record to launch.
    pub record: &'a RecordView,
    /// What is filled in.
    pub form: &'a LaunchForm,
    /// Fields that could not be understood.
    pub faults: &'a [(&'static str, String)],
    /// The plan, or why there is none.
    pub plan: Result<&'a Plan, Option<&'a Problem>>,
    /// The datazones.
    pub zones: &'a [Datazone],
    /// The data volumes.
    pub volumes: &'a [Volume],
    /// Datasets offered for completion.
    pub datasets: &'a [Hit],
    /// A key of its own for this form, so that sending it twice launches once.
    pub key: &'a str,
}

/// Returns the page.
pub fn launch(viewer: &Viewer, shown: Shown<'_>) -> Document {
    let record = shown.record;
    let title = format!("Launch {}", record.name);
    let faulty =
        (!shown.faults.is_empty()).then(|| notice(Tone::Bad, view! { <p>"Mend the fields marked below."</p> }));
    let main = view! {
        <section>
            <p class="small"><a href=record_path(&record.zone, &record.identifier, None)>"← "{record.name.clone()}</a></p>
            <h1>{title.clone()}</h1>
            <p class="quiet">"Change what you need, then update the plan."</p>
            {faulty}
            {form(viewer, shown)}
        </section>
        <aside>{plan(viewer, shown)}</aside>
    };
    let mut document = Document::new(title, Place::Find, Layout::Aside, main);
    document.unlisted = true;
    document
}

fn form(viewer: &Viewer, shown: Shown<'_>) -> AnyView {
    let (record, form) = (shown.record, shown.form);
    let least = Least::of(record);
    let versions: Vec<_> = record
        .versions
        .iter()
        .filter(|version| version.state != "withdrawn")
        .enumerate()
        .map(|(at, version)| {
            let label = if at == 0 { format!("{} (newest)", version.version) } else { version.version.clone() };
            let chosen = if form.version.is_empty() { at == 0 } else { form.version == version.version };
            view! { <option value=version.version.clone() selected=chosen>{label}</option> }
        })
        .collect();
    let zones: Vec<_> = shown
        .zones
        .iter()
        .map(|zone| {
            view! { <option value=zone.id.clone() selected=form.datazone == zone.id>{zone.name.clone()}</option> }
        })
        .collect();
    let placeholder = record.alternate_name.clone().unwrap_or_else(|| record.name.clone());
    let offered = shown.plan.is_ok_and(|plan| !plan.offers.is_empty());
    let update = if offered { "" } else { "primary" };
    let submit = if viewer.signed_in() {
        let place = match shown.plan {
            Ok(plan) => plan.offers.first().map(|offer| words::zone_name(shown.zones, &offer.datazone)),
            Err(_) => None,
        };
        let label = place.map_or_else(|| "Launch".to_owned(), |zone| format!("Launch at {zone}"));
        // What no datazone takes is to be changed first; the button stays for whoever has just changed it.
        let class = if offered { "primary" } else { "" };
        view! { <button class=class formmethod="post">{label}</button> }.into_any()
    } else {
        view! { <a class="button primary" href=crate::link::with_query("/login", [("next", &viewer.path)])>"Sign in to launch"</a> }.into_any()
    };
    view! {
        <form class="form sheet" id="launch" method="get" action="/launch">
            <input type="hidden" name="datalab" value=form.datalab.clone()/>
            <input type="hidden" name="key" value=shown.key.to_owned()/>
            <div class="two">
                <label>"Name "<span class="quiet small">"optional"</span>
                    <input name="name" value=form.name.clone() maxlength="100" placeholder=placeholder autocomplete="off"/></label>
                <label>"Version"<select name="version">{versions}</select></label>
                <label>"Datazone"<select name="datazone"><option value="">"the best for it"</option>{zones}</select></label>
            </div>
            <fieldset class="two">
                <legend>"At least"</legend>
                {number("cpu", "CPU cores", &form.cpu, least.cpu.to_string(), "0.5", "fault-cpu", shown.faults)}
                {number("memory", "Memory (MiB)", &form.memory, least.memory_mib.to_string(), "any", "fault-memory", shown.faults)}
                {number("gpu", "GPUs", &form.gpu, least.gpu.to_string(), "1", "fault-gpu", shown.faults)}
                {models(shown)}
            </fieldset>
            {inputs(shown)}
            {volumes(shown, "Data volumes", &["science"])}
            {volumes(shown, "Internal volumes", &["internal"])}
            {volumes(shown, "Your own files", &["personal", "team"])}
            {datasets(shown)}
            <div>
                <label class="check"><input type="checkbox" name="open" value="1" checked=form.open/>"Open as soon as its interface is available"</label>
                <label class="check"><input type="checkbox" name="remove" value="1" checked=form.remove/>"Remove when finished; logs are kept"</label>
            </div>
            <div class="actions"><button class=update>"Update plan"</button>{submit}</div>
        </form>
    }
    .into_any()
}

fn number(
    name: &'static str,
    label: &'static str,
    value: &str,
    least: String,
    step: &'static str,
    fault_id: &'static str,
    faults: &[(&'static str, String)],
) -> AnyView {
    let fault = fault(fault_id, faults, name);
    let described = fault.is_some().then_some(fault_id);
    let invalid = fault.is_some().then_some("true");
    view! {
        <label>{label}
            <input type="number" name=name value=value.to_owned() min=least step=step inputmode="decimal" aria-describedby=described aria-invalid=invalid/>
            {fault}
        </label>
    }
    .into_any()
}

fn models(shown: Shown<'_>) -> AnyView {
    let mut models: Vec<&str> =
        shown.zones.iter().flat_map(|zone| &zone.capability.gpus).map(|gpu| gpu.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    let options: Vec<_> = models
        .into_iter()
        .map(|model| view! { <option value=model.to_owned() selected=shown.form.gpu_model == model>{model.to_owned()}</option> })
        .collect();
    view! { <label>"GPU model"<select name="gpuModel"><option value="">"any"</option>{options}</select></label> }
        .into_any()
}

/// A field for each input of a workflow.
fn inputs(shown: Shown<'_>) -> Option<AnyView> {
    let fields: Vec<_> = shown.record.inputs.iter().map(|input| input_field(shown, input)).collect();
    if fields.is_empty() {
        return None;
    }
    let faults: Vec<_> = shown
        .faults
        .iter()
        .filter(|(name, _)| *name == "inputs")
        .map(|(_, said)| view! { <p class="fault">{said.clone()}</p> })
        .collect();
    let role = (!faults.is_empty()).then_some("alert");
    Some(
        view! {
            <fieldset class="inputs">
                <legend>"Inputs of the workflow"</legend>
                <p class="small quiet">"Files are named by their path in the launch: below a volume that is mounted, or below your own space."</p>
                {fields}
                <div id="fault-inputs" role=role>{faults}</div>
            </fieldset>
        }
        .into_any(),
    )
}

fn input_field(shown: Shown<'_>, input: &Parameter) -> AnyView {
    let name = format!("{INPUT}{}", input.name);
    let value = shown.form.inputs.get(&input.name).cloned().unwrap_or_default();
    let kind = input.kind.trim_end_matches('?');
    let item = kind.trim_end_matches("[]");
    let example = match item {
        "File" => "/data/user/… or https://…",
        "Directory" => "/data/user/…",
        "int" | "long" => "a whole number",
        "float" | "double" => "a number",
        "string" | "enum" => "a text",
        _ => "JSON, or a text",
    };
    let note = if input.required { input.kind.clone() } else { format!("{}, optional", input.kind) };
    let (required, described) = (input.required, Some("fault-inputs"));
    let field = if kind.ends_with("[]") {
        let example = format!("{example}; one a line");
        // The view macro writes the children of a text area as they are, so they are escaped here.
        let text = crate::document::escape(&format!("\n{value}"));
        view! { <textarea class="mono" name=name rows="3" placeholder=example aria-describedby=described spellcheck="false" inner_html=text></textarea> }.into_any()
    } else if kind == "boolean" {
        let option = |word: &'static str| view! { <option value=word selected=value == word>{word}</option> };
        view! { <select name=name aria-describedby=described><option value="">"not given"</option>{option("true")}{option("false")}</select> }.into_any()
    } else {
        let (mode, class) = match item {
            "int" | "long" => ("numeric", ""),
            "float" | "double" => ("decimal", ""),
            _ => ("text", "mono"),
        };
        view! { <input class=class name=name value=value inputmode=mode placeholder=example aria-describedby=described autocomplete="off"/> }.into_any()
    };
    let star = required.then(|| view! { <span class="needed">" needed"</span> });
    view! { <label><span><b>{input.name.clone()}</b>" "<span class="quiet small">{note}</span>{star}</span>{field}</label> }
        .into_any()
}

/// The volumes of some kinds.
fn volumes(shown: Shown<'_>, legend: &'static str, kinds: &[&str]) -> Option<AnyView> {
    let required = |volume: &Volume| {
        shown.record.volumes.iter().any(|need| {
            need.required
                && (need.volume == volume.key
                    || need.volume == volume.iri
                    || need.volume.ends_with(&format!(":{}", volume.key)))
        })
    };
    let mut offered: Vec<&Volume> =
        shown.volumes.iter().filter(|volume| kinds.contains(&volume.kind.as_str())).collect();
    // What can be had comes first, one's own choice before all.
    offered.sort_by_key(|volume| (volume.my_mount_path.is_none(), volume.replicas.is_empty()));
    let items: Vec<_> = offered
        .into_iter()
        .map(|volume| {
            let needed = required(volume);
            let checked = needed || shown.form.volumes.contains(&volume.key);
            let path = volume.my_mount_path.clone().unwrap_or_else(|| volume.default_mount_path.clone());
            let held: Vec<String> = volume.replicas.iter().map(|replica| words::zone_name(shown.zones, &replica.datazone)).collect();
            let mode = if volume.mode == "rw" { "read and write" } else { "read only" };
            let held = if held.is_empty() { "held nowhere".to_owned() } else { format!("at {}", held.join(", ")) };
            let note = if needed { format!("{mode}, {held}, always mounted") } else { format!("{mode}, {held}") };
            view! {
                <li><label class="check"><input type="checkbox" name="volume" value=volume.key.clone() checked=checked disabled=needed/>
                    <span>{volume.name.clone()}" "<span class="mono small quiet">{path}</span>" "<span class="small quiet">{note}</span></span></label></li>
            }
        })
        .collect();
    (!items.is_empty())
        .then(|| view! { <fieldset><legend>{legend}</legend><ul class="choices">{items}</ul></fieldset> }.into_any())
}

fn datasets(shown: Shown<'_>) -> AnyView {
    // One empty field more than is filled in, so that another can be added without script.
    let mut filled = shown.form.datasets.clone();
    filled.truncate(8);
    filled.push(String::new());
    let options: Vec<_> =
        shown.datasets.iter().map(|hit| view! { <option value=hit.iri.clone()>{hit.name.clone()}</option> }).collect();
    let fields: Vec<_> = filled
        .into_iter()
        .enumerate()
        .map(|(at, value)| {
            let label = format!("Dataset {}", at + 1);
            view! { <input name="dataset" value=value list="datasets" aria-label=label placeholder="address of a dataset in the catalogue" autocomplete="off"/> }
        })
        .collect();
    view! { <fieldset class="datasets"><legend>"Datasets "<span class="quiet small">"optional"</span></legend>{fields}<datalist id="datasets">{options}</datalist></fieldset> }.into_any()
}

fn plan(viewer: &Viewer, shown: Shown<'_>) -> AnyView {
    let body = match shown.plan {
        Ok(plan) => {
            let yes = match plan.offers.first() {
                Some(offer) => {
                    let until = words::clock(&offer.expires_at);
                    let until = until.get(..5).unwrap_or(&until);
                    let mine = if viewer.me.allowed_running > 0 {
                        format!(" You run {} of {} datalabs allowed.", viewer.me.running, viewer.me.allowed_running)
                    } else {
                        String::new()
                    };
                    view! { <p class="small quiet">{format!("Offers hold until {until} UTC.{mine}")}</p> }.into_any()
                }
                None => {
                    let has_no_place = plan
                        .refusals
                        .iter()
                        .all(|refusal| refusal.reasons.iter().any(|reason| reason.code.starts_with("quota.")));
                    let stop = has_no_place.then(|| view! { <p><a href="/launches">"Stop one of your datalabs"</a>" to have a place for it."</p> });
                    notice(
                        Tone::Warn,
                        view! { <p>"No datazone can run it as asked. The reasons say what to change."</p>{stop} },
                    )
                }
            };
            let form = viewer.signed_in().then_some("launch");
            view! { {part::plan::plan(plan, shown.zones, form)}{yes} }.into_any()
        }
        Err(Some(problem)) => notice(Tone::Bad, view! { <p>{part::findings::with_code(&words::said(problem))}</p> }),
        Err(None) => {
            view! { <p class="quiet">"There is a plan as soon as the marked fields are mended."</p> }.into_any()
        }
    };
    view! { <section class="sheet"><h2>"Where it can run"</h2>{body}</section> }.into_any()
}
