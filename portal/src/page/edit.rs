//! The form by which a record is edited; its fields come from the term table by way of the API.

use catalog_schemas::governance::{EditField, EditForm, Input};
use catalog_schemas::problem::Finding;
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::link::{record_path, segment};
use crate::part;
use crate::part::notice::{Tone, notice};
use crate::words;

/// Choices that are shown as boxes; a longer list scrolls.
const MOST_BOXES: usize = 16;

/// What came of the last attempt.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    /// What was written, by the field's name.
    pub texts: Vec<(String, String)>,
    /// What cannot be read, by the field's name.
    pub faults: Vec<(String, String)>,
    /// What the catalogue found.
    pub findings: Vec<Finding>,
    /// What the catalogue said.
    pub said: Option<String>,
    /// Codes of warnings that keep the words out until somebody takes responsibility for them.
    pub open: Vec<String>,
}

/// Returns the page.
pub fn edit(zone: &str, identifier: &str, form: &EditForm, attempt: &Attempt) -> Document {
    let back = record_path(zone, identifier, None);
    let action = edit_path(zone, identifier);
    let whose = if form.overlay {
        "What you write as a moderator lies over every version, now and later; what the publisher wrote stays as it is beneath."
    } else {
        "What you write amends this version's description; its package stays as it was published, and the next version speaks for itself."
    };
    let (filled, empty): (Vec<_>, Vec<_>) = form.fields.iter().partition(|field| {
        field.required || !field.value.is_empty() || attempt.faults.iter().any(|(name, _)| *name == field.name())
    });
    let said = attempt.said.clone().map(|said| notice(Tone::Bad, view! { <p>{said}</p> }));
    let unread = (!attempt.faults.is_empty()).then(|| {
        let items: Vec<_> = attempt
            .faults
            .iter()
            .map(|(name, fault)| view! { <li><a href=format!("#{}", id_of(name))><span class="mono">{name.clone()}</span></a>": "{fault.clone()}</li> })
            .collect();
        notice(Tone::Bad, view! { <p><b>"Nothing was changed."</b></p><ul>{items}</ul> })
    });
    let findings = (!attempt.findings.is_empty()).then(|| part::findings::findings(&attempt.findings));
    let more = (!empty.is_empty()).then(|| {
        let fields: Vec<_> = empty.iter().map(|field| input(field, attempt)).collect();
        view! { <details class="more"><summary>{format!("{} more fields that say nothing yet", empty.len())}</summary>{fields}</details> }
    });
    // Asked for only when something waits for it: a box that is always there is ticked without being read.
    let responsibility = (!attempt.open.is_empty()).then(|| {
        view! {
            <fieldset>
                <legend>"Is it really meant for everybody?"</legend>
                <label class="check"><input type="checkbox" name="acknowledge" value=attempt.open.join(",")/><span>"I have looked at what is warned of above, and save it on my responsibility."</span></label>
            </fieldset>
        }
    });
    let fields: Vec<_> = filled.iter().map(|field| input(field, attempt)).collect();
    let main = view! {
        <p class="small quiet mono">{format!("{zone}/{identifier}")}</p>
        <h1>"Edit "{form.name.clone()}</h1>
        <p class="quiet">{whose}</p>
        {said}{unread}{findings}
        <form class="form sheet edit" method="post" action=action>
            <input type="hidden" name="seq" value=form.seq.to_string()/>
            {fields}{more}{responsibility}
            <div class="actions"><button class="primary">"Save"</button><a class="button" href=back>"Cancel"</a></div>
        </form>
    };
    let mut document = Document::new(format!("Edit {}", form.name), Place::Publish, Layout::Narrow, main);
    document.unlisted = true;
    document
}

/// Returns the address of the form.
pub(crate) fn edit_path(zone: &str, identifier: &str) -> String {
    format!("/edit/{}/{}", segment(zone), segment(identifier))
}

fn id_of(name: &str) -> String {
    format!("f-{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

fn input(field: &EditField, attempt: &Attempt) -> AnyView {
    let name = field.name();
    let id = id_of(&name);
    let given = attempt.texts.iter().find(|(written, _)| *written == name).map(|(_, text)| text.clone());
    let value = given.unwrap_or_else(|| field.value.clone());
    let language = field.language.clone().map(|language| view! { " "<span class="tag">{language}</span> });
    let private = field.private.then(|| view! { " "<span class="tag">"private"</span> });
    let required = field.required.then(|| view! { " "<span class="quiet small">"required"</span> });
    let fault = attempt.faults.iter().find(|(written, _)| *written == name).map(|(_, fault)| fault.clone());
    if field.input == Input::Choices && field.options.len() <= MOST_BOXES {
        let fault = fault.map(|fault| view! { <span class="fault">{fault}</span> });
        return view! {
            <fieldset class="entry" id=id>
                <legend>{words::capitalised(&field.label)}{private}{required}</legend>
                <span class="small quiet">{field.definition.clone()}</span>
                {boxes(field, &name, &value)}{fault}
            </fieldset>
        }
        .into_any();
    }
    let invalid = fault.is_some().then_some("true");
    let hint_id = format!("{id}-hint");
    let hint = match field.input {
        Input::Lines => "One a line. ",
        Input::Json => "As JSON, in the keys of a manifest. ",
        Input::Choices => "Choose any number; in most browsers with Ctrl or ⌘. ",
        _ => "",
    };
    let control = match field.input {
        Input::Long | Input::Lines | Input::Json => {
            // The view macro writes the children of a text area as they are, so they are escaped here.
            let text = crate::document::escape(&format!("\n{value}"));
            let rows = value.lines().count().clamp(2, 12) + 1;
            let class = if field.input == Input::Json { "mono" } else { "" };
            view! { <textarea id=id.clone() name=name rows=rows.to_string() class=class spellcheck=(field.input == Input::Json).then_some("false") aria-describedby=hint_id.clone() aria-invalid=invalid inner_html=text></textarea> }.into_any()
        }
        Input::Boolean => choice(&id, name, &hint_id, &value, &[("true", "Yes"), ("false", "No")]),
        Input::Choice => {
            let options: Vec<_> = field.options.iter().map(|option| (option.value.as_str(), option.label.as_str())).collect();
            choice(&id, name, &hint_id, &value, &options)
        }
        Input::Choices => {
            let chosen: Vec<&str> = value.lines().collect();
            // A value that the list does not have is not lost by saving.
            let unknown = chosen.iter().filter(|one| field.options.iter().all(|option| option.value != **one));
            let unknown: Vec<_> = unknown.map(|one| view! { <option value=(*one).to_owned() selected>{(*one).to_owned()}</option> }).collect();
            let options: Vec<_> = field
                .options
                .iter()
                .map(|option| view! { <option value=option.value.clone() selected=chosen.contains(&option.value.as_str())>{option.label.clone()}</option> })
                .collect();
            let size = field.options.len().clamp(3, 8).to_string();
            view! { <select id=id.clone() name=name multiple size=size aria-describedby=hint_id.clone()>{unknown}{options}</select> }.into_any()
        }
        Input::Number => view! { <input id=id.clone() name=name inputmode="decimal" autocomplete="off" value=value aria-describedby=hint_id.clone() aria-invalid=invalid/> }.into_any(),
        Input::Text => view! { <input id=id.clone() name=name autocomplete="off" value=value aria-describedby=hint_id.clone() aria-invalid=invalid/> }.into_any(),
    };
    let fault = fault.map(|fault| view! { <span class="fault">{fault}</span> });
    view! {
        <div class="entry">
            <label for=id>{words::capitalised(&field.label)}{language}{private}{required}</label>
            {control}{fault}
            <span class="small quiet" id=hint_id>{hint}{field.definition.clone()}</span>
        </div>
    }
    .into_any()
}

/// Returns a box for each value that may be chosen; one that the list does not have is not lost by saving.
fn boxes(field: &EditField, name: &str, value: &str) -> AnyView {
    let chosen: Vec<&str> = value.lines().collect();
    let known = field.options.iter().map(|option| (option.value.as_str(), option.label.as_str()));
    let unknown = chosen.iter().filter(|one| field.options.iter().all(|option| option.value != **one));
    let all = known.chain(unknown.map(|one| (*one, *one)));
    let boxes: Vec<_> = all
        .map(|(value, label)| {
            let checked = chosen.contains(&value);
            view! { <label class="check"><input type="checkbox" name=name.to_owned() value=value.to_owned() checked=checked/><span>{label.to_owned()}</span></label> }
        })
        .collect();
    view! { <div class="many">{boxes}</div> }.into_any()
}

fn choice(id: &str, name: String, hint: &str, value: &str, options: &[(&str, &str)]) -> AnyView {
    let known = value.is_empty() || options.iter().any(|(option, _)| *option == value);
    let own = (!known).then(|| view! { <option value=value.to_owned() selected>{value.to_owned()}</option> });
    let options: Vec<_> = options
        .iter()
        .map(|(option, label)| view! { <option value=(*option).to_owned() selected=*option == value>{(*label).to_owned()}</option> })
        .collect();
    view! { <select id=id.to_owned() name=name aria-describedby=hint.to_owned()><option value="">"—"</option>{own}{options}</select> }.into_any()
}
