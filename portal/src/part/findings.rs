//! A report on a package: its findings by severity, each with its place, what stands there and how to mend it.

use catalog_schemas::problem::{Finding, Severity};
use leptos::prelude::*;

use crate::words;

/// Returns the findings grouped from errors to hints, each group in the order of the file.
pub fn findings(findings: &[Finding]) -> AnyView {
    let groups = [
        (Severity::Error, "error", "errors", "These keep the package out."),
        (Severity::Warning, "warning", "warnings", "These do not keep it out; somebody should look."),
        (Severity::Hint, "hint", "hints", "It could be better."),
    ];
    let groups: Vec<_> = groups
        .into_iter()
        .filter_map(|(severity, one, many, meaning)| {
            let own: Vec<_> = findings.iter().filter(|finding| finding.severity == severity).collect();
            (!own.is_empty()).then(|| {
                let title = words::counted(own.len(), one, many);
                let items: Vec<_> = own.into_iter().map(item).collect();
                view! {
                    <section class=format!("report {one}")>
                        <h2>{title}</h2>
                        <p class="small quiet">{meaning}</p>
                        <ol>{items}</ol>
                    </section>
                }
            })
        })
        .collect();
    view! { <div class="findings">{groups}</div> }.into_any()
}

fn item(finding: &Finding) -> AnyView {
    let place = place(finding).map(|place| view! { <span class="mono place">{place}</span> });
    let pointer =
        (!finding.pointer.is_empty()).then(|| view! { <span class="mono place">{finding.pointer.clone()}</span> });
    let term = finding.term.clone().map(|term| view! { <span class="mono">{term}</span> });
    let row = |label: &'static str, value: &Option<String>| {
        value.as_ref().map(|value| view! { <div><dt>{label}</dt><dd>{with_code(&words::sentence(value))}</dd></div> })
    };
    let got = finding.got.clone().map(|got| view! { <div><dt>"Got"</dt><dd><code>{got}</code></dd></div> });
    let meaning = format!("/problems/{}", crate::link::segment(&finding.code));
    view! {
        <li>
            <p class="message">{with_code(&words::sentence(&finding.message))}</p>
            <p class="facts">{place}{pointer}{term}<a class="mono" href=meaning>{finding.code.clone()}</a></p>
            <dl>{got}{row("Expected", &finding.expected)}{row("Fix", &finding.fix)}</dl>
        </li>
    }
    .into_any()
}

fn place(finding: &Finding) -> Option<String> {
    match (&finding.file, finding.line, finding.column) {
        (Some(file), Some(line), Some(column)) => Some(format!("{file}:{line}:{column}")),
        (Some(file), Some(line), None) => Some(format!("{file}:{line}")),
        (Some(file), None, _) => Some(file.clone()),
        (None, Some(line), Some(column)) => Some(format!("line {line}, column {column}")),
        (None, Some(line), None) => Some(format!("line {line}")),
        (None, None, _) => None,
    }
}

/// Returns a sentence with what stands between backticks as code.
pub(crate) fn with_code(sentence: &str) -> Vec<AnyView> {
    let parts: Vec<&str> = sentence.split('`').collect();
    // An odd backtick is one that was written, not one that quotes.
    if parts.len().is_multiple_of(2) {
        return vec![sentence.to_owned().into_any()];
    }
    parts
        .into_iter()
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(at, part)| {
            let part = part.to_owned();
            if at % 2 == 1 { view! { <code>{part}</code> }.into_any() } else { part.into_any() }
        })
        .collect()
}
