//! The views of a record: what one needs first, every term, its versions, its data, where it comes from.

use catalog_schemas::governance::SignatureView;
use catalog_schemas::record::{RecordView, TermValues, VersionView};
use leptos::prelude::*;

use super::Shown;
use crate::link::{facet_path, record_path, segment, with_query};
use crate::{markup, part, words};

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

pub(super) fn overview(shown: Shown<'_>) -> AnyView {
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

pub(super) fn details(record: &RecordView) -> AnyView {
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

pub(super) fn versions(record: &RecordView) -> AnyView {
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

pub(super) fn package_path(record: &RecordView, version: &str) -> String {
    format!("/api/v1/packages/{}/{}", segment(&record.identifier), segment(version))
}

pub(super) fn data_terms(record: &RecordView) -> impl Iterator<Item = &catalog_schemas::record::TermValues> {
    record
        .terms
        .iter()
        .filter(|term| DATA.contains(&term.key.split('.').next().unwrap_or_default()) && !term.values.is_empty())
        // The inputs have a table of their own.
        .filter(|term| record.inputs.is_empty() || !term.key.starts_with("input"))
}

pub(super) fn data(record: &RecordView) -> AnyView {
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

pub(super) fn provenance(shown: Shown<'_>) -> AnyView {
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
