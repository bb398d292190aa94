//! What a pipeline's workflow takes, as a table.

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
