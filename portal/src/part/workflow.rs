//! A pipeline's workflow: what it takes, and how far its run is.

use catalog_schemas::record::RecordView;
use leptos::prelude::*;

/// Returns the table of a workflow's inputs; nothing when there are none.
pub fn inputs(record: &RecordView) -> Option<AnyView> {
    let rows: Vec<_> = record
        .inputs
        .iter()
        .map(|input| {
            view! {
                <tr>
                    <th scope="row" class="mono">{input.name.clone()}</th>
                    <td class="mono">{input.kind.clone()}</td>
                    <td>{if input.required { "yes" } else { "no" }}</td>
                    <td>{input.format.clone().unwrap_or_default()}</td>
                </tr>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <h2>"Inputs of the workflow"</h2>
            <div class="table" role="region" tabindex="0" aria-label="Inputs of the workflow"><table>
                <thead><tr><th scope="col">"Input"</th><th scope="col">"Type"</th><th scope="col">"Needed"</th><th scope="col">"Format"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    })
}

/// The most steps that are listed.
const STEPS: usize = 100;

/// Returns how far each step of a run is, as its runner's log says; nothing when it says nothing of steps.
pub fn steps(log: &[String]) -> Option<AnyView> {
    let rows: Vec<_> = seen(log)
        .into_iter()
        .map(|(name, state)| {
            let (class, word) = match state {
                Step::Running => ("live unknown", "running"),
                Step::Done => ("live free", "done"),
                Step::Failed => ("live full", "failed"),
            };
            view! { <li><span class="mono">{name}</span>" "<span class=class>{word}</span></li> }
        })
        .collect();
    (!rows.is_empty()).then(|| view! { <h2>"Steps"</h2><ul class="lines">{rows}</ul> }.into_any())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Running,
    Done,
    Failed,
}

/// Reads `[step NAME] start` and `[step NAME] completed success`, as cwltool and what is built on it write them.
fn seen(log: &[String]) -> Vec<(String, Step)> {
    let mut steps: Vec<(String, Step)> = Vec::new();
    for line in log {
        let Some((name, said)) = line.split_once("[step ").and_then(|(_, rest)| rest.split_once("] ")) else {
            continue;
        };
        let state = match said.trim() {
            "start" => Step::Running,
            "completed success" | "completed skipped" => Step::Done,
            other if other.starts_with("completed") => Step::Failed,
            _ => continue,
        };
        if let Some((_, known)) = steps.iter_mut().find(|(known, _)| known == name) {
            *known = state;
        } else if steps.len() < STEPS {
            steps.push((name.to_owned(), state));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_says_how_far_each_step_is() {
        let log = [
            "INFO [workflow ] start",
            "INFO [step detector1] start",
            "INFO [job detector1] /tmp/x$ run",
            "INFO [step detector1] completed success",
            "INFO [step image2] start",
            "INFO [step sort] start",
            "INFO [step sort] completed permanentFail",
            "[step without an end",
        ]
        .map(str::to_owned);
        let expected = [("detector1", Step::Done), ("image2", Step::Running), ("sort", Step::Failed)];
        assert_eq!(seen(&log), expected.map(|(name, state)| (name.to_owned(), state)));
        assert!(seen(&["nothing of steps".to_owned()]).is_empty());
    }
}
