//! The workflow of a pipeline's package: its faults become findings, what it says becomes the record's own facts.

use catalog_archive::Package;
use catalog_cwl::{Facts, Files, Parameter, Reading, read};
use catalog_ontology::manifest::ValidRecord;
use catalog_ontology::record::Record;
use catalog_ontology::terms::Kind;
use catalog_schemas::problem::Finding;
use serde_json::{Value as Json, json};

use crate::view::set;

struct InPackage<'p>(&'p Package);

impl Files for InPackage<'_> {
    fn file(&self, path: &str) -> Option<&[u8]> {
        self.0.file(path)
    }
}

/// Reads the workflow that a record names in its package; nothing when the record is no pipeline.
pub fn of(record: &Record, package: &Package) -> Option<Reading> {
    let entry = record.string("cwlFile").filter(|_| record.kind() == Kind::Pipeline)?;
    Some(read(entry, &InPackage(package)))
}

/// Checks a pipeline's workflow and writes what it says into the record; returns every fault with file and line.
pub fn complete(record: &mut ValidRecord, package: &Package) -> Vec<Finding> {
    let Some(reading) = of(record, package) else { return Vec::new() };
    if let Some(facts) = reading.facts.as_ref().filter(|_| reading.is_valid()) {
        write(record.record_mut(), facts);
    }
    let finding = |fault: &catalog_cwl::Fault| {
        let make = if fault.is_warning { Finding::warning } else { Finding::error };
        let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        make(fault.code, &fault.message)
            .file(&fault.file)
            .at(place(fault.line), place(fault.column))
            .pointer(&fault.field)
            .term("cwlFile")
    };
    reading.faults.iter().map(finding).collect()
}

fn write(record: &mut Record, facts: &Facts) {
    let parameters = |all: &[Parameter]| {
        let one = |it: &Parameter| {
            let mut one = json!({ "name": it.name, "type": it.kind, "required": it.required });
            if let (Some(format), Some(object)) = (&it.format, one.as_object_mut()) {
                object.insert("format".to_owned(), json!([format]));
            }
            one
        };
        Json::Array(all.iter().map(one).collect())
    };
    set(record, "cwlVersion", json!(facts.version));
    set(record, "input", parameters(&facts.inputs));
    set(record, "output", parameters(&facts.outputs));
    let steps = facts.steps.iter().map(|step| {
        let mut one = json!({ "name": step.name });
        if let (Some(image), Some(object)) = (&step.image, one.as_object_mut()) {
            object.insert("image".to_owned(), json!(image));
            if let Some((_, digest)) = image.split_once('@') {
                object.insert("digest".to_owned(), json!(digest));
            }
        }
        one
    });
    set(record, "step", Json::Array(steps.collect()));
    let needs = facts.needs;
    let mut wanted = serde_json::Map::new();
    if let Some(milli) = needs.cpu_milli.filter(|milli| *milli > 0) {
        // A decimal with three digits, as the term has it.
        wanted.insert("cpu".to_owned(), json!({ "min": milli as f64 / 1000.0 }));
    }
    if let Some(memory) = needs.memory_mib.filter(|memory| *memory > 0) {
        wanted.insert("memory".to_owned(), json!({ "min": memory }));
    }
    if let Some(scratch) = needs.scratch_mib.filter(|scratch| *scratch > 0) {
        wanted.insert("storage".to_owned(), json!({ "scratch": scratch.div_ceil(1024) }));
    }
    if let Some(gpus) = needs.gpus.filter(|gpus| *gpus > 0) {
        let runtime = needs.cuda.map(|(major, minor)| format!("{major}.{minor}"));
        wanted.insert(
            "gpu".to_owned(),
            runtime.map_or(json!({ "count": gpus }), |runtime| json!({ "count": gpus, "runtime": runtime })),
        );
    }
    if !wanted.is_empty() {
        set(record, "requirements", Json::Object(wanted));
    }
}
