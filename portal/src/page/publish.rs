//! Publishing: what a package is, a file to choose, and the report on it.

use catalog_schemas::problem::{Problem, Report};
use leptos::prelude::*;

use crate::document::{Document, Layout, Place};
use crate::part;
use crate::part::notice::{Tone, notice};
use crate::viewer::Viewer;
use crate::words;

/// What came of the last attempt.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// Nothing was sent yet.
    None,
    /// The report on the file of that name; nothing was published.
    Report(&'a str, &'a Report),
    /// The file was fine, and yet refused.
    Refused(&'a Problem),
    /// No file was chosen.
    NoFile,
}

/// Returns the page.
pub fn publish(viewer: &Viewer, outcome: Outcome<'_>) -> Document {
    let said = match outcome {
        Outcome::None => None,
        Outcome::NoFile => Some(notice(Tone::Bad, view! { <p>"Choose a file first."</p> })),
        Outcome::Refused(problem) => Some(refused(problem)),
        Outcome::Report(file, report) => Some(report_on(file, report)),
    };
    let who = if viewer.signed_in() {
        let namespaces = viewer.me.namespaces.join(", ");
        let text = if namespaces.is_empty() {
            "You own no namespace yet: you can validate, and an administrator can give you one.".to_owned()
        } else {
            format!("You may publish into {namespaces}.")
        };
        view! { <p class="small quiet">{text}</p> }.into_any()
    } else {
        view! { <p class="small quiet">"Anybody can validate. To publish, "<a href="/login?next=%2Fpublish">"sign in"</a>"."</p> }.into_any()
    };
    let buttons = if viewer.signed_in() {
        view! {
            <button class="primary" name="action" value="publish">"Validate and publish"</button>
            <button name="action" value="validate">"Only validate"</button>
        }
        .into_any()
    } else {
        view! { <button class="primary" name="action" value="validate">"Validate"</button> }.into_any()
    };
    // Asked for only when something waits for it: a box that is always there is ticked without being read.
    let acknowledge = match outcome {
        Outcome::Refused(problem) if problem.code() == "acknowledge_required" => {
            let mut codes: Vec<&str> = problem.findings.iter().map(|finding| finding.code.as_str()).collect();
            codes.dedup();
            Some(view! {
                <fieldset>
                    <legend>"Is it really meant for everybody?"</legend>
                    <label class="check"><input type="checkbox" name="acknowledge" value=codes.join(",")/><span>"I have looked at what is warned of above, and publish it on my responsibility. Choose the file once more."</span></label>
                </fieldset>
            })
        }
        _ => None,
    };
    let main = view! {
        <article>
            <h1>"Publish a package"</h1>
            <p class="quiet">"You get every fault at once, each with its place and its fix; nothing is stored before all is well."</p>
            {said}
            <form class="form sheet" method="post" action="/publish" enctype="multipart/form-data">
                <label>"Package, or a manifest to validate"
                    <input type="file" name="package" required accept=".zip,.tar.gz,.tgz,.gz,.jsonld,.json,application/zip,application/gzip,application/ld+json"/>
                </label>
                {who}
                {acknowledge}
                <div class="actions">{buttons}</div>
            </form>
        </article>
        <aside>
            <section class="sheet">
                <h2>"What a package is"</h2>
                <ol class="lines">
                    <li>"A "<span class="mono">".zip"</span>" or "<span class="mono">".tar.gz"</span>", at most 50 MiB."</li>
                    <li>"At its top "<span class="mono">"manifest.jsonld"</span>": what it is, who made it, what it needs."</li>
                    <li>"Identifier and version are read from the manifest; a version never changes once published."</li>
                    <li>"Beside it, as you like: README, licence, screenshots, "<span class="mono">"image/"</span>", "<span class="mono">"pipeline/"</span>", "<span class="mono">"tests/"</span>"."</li>
                    <li><span class="mono">"codemeta.json"</span>" and "<span class="mono">"CITATION.cff"</span>" fill gaps, and never override."</li>
                </ol>
                <p><a class="button" href="/assets/manifest.jsonld" download="manifest.jsonld">"Download an example manifest"</a></p>
            </section>
            <section class="sheet small">
                <h2>"From a terminal"</h2>
                <pre class="log">"alidade pack DIR\nalidade validate FILE\nalidade publish FILE"</pre>
            </section>
        </aside>
    };
    Document::new("Publish", Place::Publish, Layout::Aside, main)
}

fn report_on(file: &str, report: &Report) -> AnyView {
    let about = match (&report.identifier, &report.version) {
        (Some(identifier), Some(version)) => format!("{identifier} {version}"),
        (Some(identifier), None) => identifier.clone(),
        _ => file.to_owned(),
    };
    let said = if report.valid {
        let warnings = words::counted(report.warnings, "warning", "warnings");
        notice(Tone::Good, view! { <p><b>{about}</b>" is valid, with "{warnings}". It was not published."</p> })
    } else {
        let errors = words::counted(report.errors, "error", "errors");
        notice(Tone::Bad, view! { <p><b>{about}</b>" has "{errors}"; nothing was published."</p> })
    };
    view! { {said}{part::findings::findings(&report.findings)} }.into_any()
}

fn refused(problem: &Problem) -> AnyView {
    let detail = problem.detail.as_ref().map(|detail| view! { " "{words::sentence(detail)} });
    let said = notice(Tone::Bad, view! { <p><b>{words::sentence(&problem.title)}</b>{detail}</p> });
    view! { {said}{part::findings::findings(&problem.findings)} }.into_any()
}
