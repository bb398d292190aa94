//! A patch of a record: who may set what, whether what comes out is a record, and whose words each part becomes.

use catalog_schemas::account::Role;
use catalog_schemas::patch::merge_patch;
use catalog_schemas::problem::{Finding, Severity};
use serde_json::{Map, Value as Json, json};

use super::keys::{Meaning, meaning};
use super::tree::push_pointer;
use super::{Limits, Options, Writer, read, validate};
use crate::record::Record;
use crate::terms::{Datatype, Kind, Table, Term};

/// What a patch comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PatchReport {
    /// Every fault; nothing is to be stored when there is one.
    pub findings: Vec<Finding>,
    /// What of the new words somebody should look at, such as what seems to be a password.
    pub warnings: Vec<Finding>,
    /// The part that developers amend of their version, in canonical keys; none when empty.
    pub developer: Option<Json>,
    /// The part that a moderator lays over every version, in canonical keys; none when empty.
    pub moderator: Option<Json>,
    /// The document as it is after both.
    pub merged: Json,
}

impl PatchReport {
    /// Says whether something was refused because of who asks.
    pub fn is_forbidden(&self) -> bool {
        self.findings.iter().any(|finding| finding.code == "access.write_forbidden")
    }
}

/// Terms that a version's package decides for good: what a record is called for ever, and what runs.
const OF_THE_PACKAGE: [&str; 6] = ["identifier", "softwareVersion", "version", "runtime", "build", "cwlFile"];

/// Judges a JSON merge patch (RFC 7396) of a record document by somebody who acts as `writers`, the preferred one first.
///
/// Keys may be written as in a manifest; what comes out has the canonical ones. Each top-level key becomes the words of the
/// first of the writers who may write all of it.
pub fn patch(document: &Json, patch: &[u8], writers: &[Writer]) -> PatchReport {
    let mut report = PatchReport { merged: document.clone(), ..PatchReport::default() };
    let Some(kind) = document.get("@type").and_then(Json::as_str).and_then(Kind::from_word) else {
        report.findings.push(Finding::error("record.damaged", "the stored record is of no known kind"));
        return report;
    };
    // The reader's limits and its look for duplicate keys come before any other parsing.
    match read(patch, &Limits::default()) {
        Ok(tree) => report.findings.extend(tree.duplicates.iter().map(|duplicate| {
            Finding::error("json.duplicate_key", format!("`{}` stands twice in this object", duplicate.key))
                .pointer(duplicate.pointer.clone())
                .fix("keep one")
        })),
        Err(findings) => {
            report.findings = findings;
            return report;
        }
    }
    let Ok(Json::Object(members)) = serde_json::from_slice::<Json>(patch) else {
        let finding = Finding::error("value.type", "a patch is a JSON object in the keys of a manifest");
        report.findings.push(finding.expected("{\"key\": value, \"other\": null}"));
        return report;
    };
    let mut parts: Vec<(Writer, Map<String, Json>)> = Vec::new();
    for (key, value) in members {
        match judge(kind, &key, value, writers) {
            Ok(None) => {}
            Ok(Some((writer, words))) => {
                report.warnings.extend(words.warnings);
                match parts.iter_mut().find(|(other, _)| *other == writer) {
                    Some((_, part)) => part.extend(words.part),
                    None => parts.push((writer, words.part)),
                }
            }
            Err(findings) => report.findings.extend(findings),
        }
    }
    for (writer, mut part) in parts {
        merge_patch(&mut report.merged, &Json::Object(part.clone()));
        // Whose last language went is a term without a value, and not one with an empty one.
        for (key, said) in &mut part {
            if report.merged.get(key).and_then(Json::as_object).is_some_and(Map::is_empty) {
                *said = Json::Null;
            }
        }
        let part = Json::Object(part);
        merge_patch(&mut report.merged, &part);
        match writer {
            Writer::Moderator => report.moderator = Some(part),
            _ => report.developer = Some(part),
        }
    }
    if report.findings.is_empty() {
        report.findings = new_faults(kind, document, &report.merged);
    }
    report
}

/// What one key of a patch comes to.
#[derive(Default)]
struct Words {
    /// With canonical keys.
    part: Map<String, Json>,
    warnings: Vec<Finding>,
}

/// Judges one key of a patch; returns whose words it becomes, or nothing when it says nothing.
fn judge(kind: Kind, key: &str, value: Json, writers: &[Writer]) -> Result<Option<(Writer, Words)>, Vec<Finding>> {
    let mut pointer = String::new();
    push_pointer(&mut pointer, key);
    match (key, &value) {
        ("@context", Json::String(text)) if text == catalog_schemas::CONTEXT => return Ok(None),
        ("@type", Json::String(text)) if text == kind.as_str() => return Ok(None),
        ("@context" | "@type" | "@id" | "type" | "id", _) => {
            let finding = Finding::error("patch.immutable", format!("`{key}` of a record never changes"));
            return Err(vec![finding.pointer(pointer).fix("remove it")]);
        }
        _ => {}
    }
    let mut removals = Vec::new();
    let mut steps = vec![key.to_owned()];
    let rest = strip(value, &mut steps, &mut removals);
    let mut first = None;
    for &writer in writers {
        match by_writer(kind, key, rest.as_ref(), &removals, writer) {
            Ok(part) => return Ok(Some((writer, part))),
            Err(findings) => {
                let forbidden = findings.iter().any(|finding| finding.code == "access.write_forbidden");
                // Another role may write it; any other fault stays one whoever writes.
                if !forbidden {
                    return Err(findings);
                }
                first.get_or_insert(findings);
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        vec![Finding::error("access.write_forbidden", format!("`{key}` is not yours to write")).pointer(pointer)]
    }))
}

/// Takes the nulls out of a value and notes their places; returns nothing when nothing else was there.
fn strip(value: Json, steps: &mut Vec<String>, removals: &mut Vec<Vec<String>>) -> Option<Json> {
    match value {
        Json::Null => {
            removals.push(steps.clone());
            None
        }
        Json::Object(members) => {
            let was_empty = members.is_empty();
            let mut rest = Map::new();
            for (key, value) in members {
                steps.push(key.clone());
                if let Some(value) = strip(value, steps, removals) {
                    rest.insert(key, value);
                }
                steps.pop();
            }
            (was_empty || !rest.is_empty()).then_some(Json::Object(rest))
        }
        other => Some(other),
    }
}

fn by_writer(
    kind: Kind,
    key: &str,
    value: Option<&Json>,
    removals: &[Vec<String>],
    writer: Writer,
) -> Result<Words, Vec<Finding>> {
    let Words { mut part, mut warnings } = Words::default();
    let mut findings = Vec::new();
    if let Some(value) = value {
        let manifest = json!({ "@context": catalog_schemas::CONTEXT, "@type": kind.as_str(), key: value });
        let options = Options { complete: false, ..Options::new(writer) };
        let validation = validate(manifest.to_string().as_bytes(), &options);
        for mut finding in validation.report.findings {
            // The text that was judged is not the one that was sent, so only the pointer holds.
            (finding.line, finding.column) = (None, None);
            match finding.severity {
                Severity::Error => findings.push(finding),
                Severity::Warning => warnings.push(finding),
                Severity::Hint => {}
            }
        }
        if let Some(record) = validation.record {
            findings.extend(of_the_package(kind, writer, &record));
            if let Json::Object(mut canonical) = record.document() {
                canonical.shift_remove("@type");
                part = canonical;
            }
        }
    }
    for steps in removals {
        match removal(kind, steps, writer) {
            Ok(steps) => remove_at(&mut part, &steps),
            Err(finding) => findings.push(*finding),
        }
    }
    if findings.is_empty() { Ok(Words { part, warnings }) } else { Err(findings) }
}

/// Reports what only a new package can change.
fn of_the_package(kind: Kind, writer: Writer, record: &Record) -> Vec<Finding> {
    let terms = Table::get().of(kind).filter(|term| !record.values(&term.key).is_empty());
    terms.filter(|term| is_of_the_package(term, writer)).map(needs_version).collect()
}

/// Says whether a term that this writer may write belongs to the package, so that only a new version changes it.
pub(crate) fn is_of_the_package(term: &Term, writer: Writer) -> bool {
    if !term.is_writable_by(writer.role()) {
        return false;
    }
    OF_THE_PACKAGE
        .iter()
        .any(|key| term.key == *key || term.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
        || term.key == "datalabImage.reference"
        || term.datatype == Datatype::File
}

fn needs_version(term: &Term) -> Finding {
    Finding::error(
        "patch.needs_version",
        format!("`{}` belongs to the package: a published version never changes it", term.key),
    )
    .pointer(format!("/{}", term.key.replace('.', "/")))
    .term(term.compact_iri())
    .fix("publish a new version")
}

/// Finds what a null removes: its place in canonical keys, or why this writer may not.
fn removal(kind: Kind, steps: &[String], writer: Writer) -> Result<Vec<String>, Box<Finding>> {
    let mut canonical = Vec::new();
    let mut pointer = String::new();
    let (mut parent, mut prefix) = (None, "");
    for (at, step) in steps.iter().enumerate() {
        push_pointer(&mut pointer, step);
        let Meaning::Term(term) = meaning(kind, parent, prefix, step) else {
            let finding =
                Finding::error("term.unknown", format!("`{step}` is no term here, so nothing can be removed"));
            return Err(Box::new(finding.pointer(pointer).got(step)));
        };
        if !term.is_writable_by(writer.role()) {
            return Err(Box::new(forbidden(term, writer.role()).pointer(pointer)));
        }
        if is_of_the_package(term, writer) {
            return Err(Box::new(needs_version(term).pointer(pointer)));
        }
        // A term of a group by its IRI stands at the top; its path is the term's own.
        canonical = term.key.split('.').map(str::to_owned).collect();
        match term.datatype {
            Datatype::Nest => prefix = &term.key,
            Datatype::Node if !term.is_many() => (parent, prefix) = (Some(term), &term.key),
            _ => {
                canonical.extend(steps[at + 1..].iter().map(|language| language.to_lowercase()));
                break;
            }
        }
        // Removing a whole node removes what others wrote in it.
        if at + 1 == steps.len() {
            let inside = Table::get().of(kind).filter(|inner| inner.key.starts_with(&format!("{}.", term.key)));
            if let Some(inner) =
                inside.into_iter().find(|inner| !inner.is_writable_by(writer.role()) && !inner.is_refused())
            {
                return Err(Box::new(forbidden(inner, writer.role()).pointer(pointer)));
            }
        }
    }
    Ok(canonical)
}

fn forbidden(term: &Term, role: Role) -> Finding {
    let writers: Vec<_> = term.writers.roles().into_iter().map(Role::as_str).collect();
    let writers = if writers.is_empty() { "nobody".to_owned() } else { writers.join(" or ") };
    Finding::error(
        "access.write_forbidden",
        format!("`{}` is written by {writers}, not by {}", term.key, role.as_str()),
    )
    .term(term.compact_iri())
    .expected(format!("written by {writers}"))
    .fix("remove it")
}

fn remove_at(part: &mut Map<String, Json>, steps: &[String]) {
    let Some((last, before)) = steps.split_last() else { return };
    let mut place = part;
    for step in before {
        let next = place.entry(step.clone()).or_insert_with(|| Json::Object(Map::new()));
        let Json::Object(inner) = next else { return };
        place = inner;
    }
    place.insert(last.clone(), Json::Null);
}

/// Returns the faults that the merged document has and the one before had not: what is missing, what does not fit together.
fn new_faults(kind: Kind, before: &Json, after: &Json) -> Vec<Finding> {
    let known = faults(kind, before);
    faults(kind, after)
        .into_iter()
        .filter(|fault| {
            !known.iter().any(|old| old.code == fault.code && old.pointer == fault.pointer && old.term == fault.term)
        })
        .collect()
}

fn faults(kind: Kind, document: &Json) -> Vec<Finding> {
    let record = match Record::from_document(document) {
        Ok(record) => record,
        Err(error) => return vec![Finding::error("patch.invalid", error.to_string())],
    };
    let writer = if kind.writer() == Role::Developer { Writer::Developer } else { Writer::Application };
    let own = record.written_by(writer.role());
    let mut manifest = own.document();
    manifest["@context"] = json!(catalog_schemas::CONTEXT);
    let validation = validate(manifest.to_string().as_bytes(), &Options::new(writer));
    let errors = validation.report.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    errors
        .map(|mut finding| {
            (finding.line, finding.column) = (None, None);
            finding
        })
        .collect()
}
