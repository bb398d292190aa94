//! Reads the suite and makes manifests from its rows.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by several test files, each of which uses a part"
)]

use std::path::PathBuf;

use catalog_ontology::manifest::{Options, Validation, Writer, validate};
use catalog_ontology::record::{Record, RecordIris};
use catalog_ontology::terms::{Datatype, Kind, Table, Term};
use catalog_schemas::problem::{Finding, Severity};
use serde_json::{Value, json};

pub fn suite() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/suite/manifests")
}

pub fn rows(name: &str) -> Vec<Value> {
    let path = suite().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}:{}: {e}", number + 1))
    };
    text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(read).collect()
}

pub fn base_named(name: &str) -> Value {
    let path = suite().join(format!("base/{name}.jsonld"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn base(kind: Kind) -> Value {
    base_named(&kind.as_str().to_lowercase())
}

/// Sets a value at a path, making objects and growing arrays on the way.
pub fn set(document: &mut Value, path: &[String], value: Value) {
    let mut place = document;
    for part in path {
        place = match place {
            Value::Array(items) => {
                let index = part.parse::<usize>().unwrap();
                if index == items.len() {
                    items.push(Value::Null);
                }
                &mut items[index]
            }
            Value::Object(map) => map.entry(part.clone()).or_insert(Value::Null),
            other => {
                *other = Value::Object(serde_json::Map::new());
                other.as_object_mut().unwrap().entry(part.clone()).or_insert(Value::Null)
            }
        };
    }
    *place = value;
}

pub fn remove(document: &mut Value, path: &[String]) {
    let (last, around) = path.split_last().unwrap();
    let place = around.iter().fold(document, |place, part| match place {
        Value::Array(items) => &mut items[part.parse::<usize>().unwrap()],
        other => other.get_mut(part).unwrap(),
    });
    match place {
        Value::Array(items) => drop(items.remove(last.parse().unwrap())),
        Value::Object(map) => drop(map.shift_remove(last).unwrap_or_else(|| panic!("nothing at {path:?}"))),
        _ => panic!("nothing at {path:?}"),
    }
}

/// A row of `bad.jsonl`.
pub struct Row {
    pub name: String,
    pub bytes: Vec<u8>,
    pub writer: Writer,
    pub complete: bool,
    pub files: Option<Vec<String>>,
    pub codemeta: Option<Vec<u8>>,
    pub ro_crate: Option<Vec<u8>>,
    pub expect: Vec<String>,
}

impl Row {
    pub fn read(row: &Value) -> Self {
        let known = [
            "name", "base", "set", "remove", "file", "text", "repeat", "writer", "partial", "files", "codemeta",
            "roCrate", "expect",
        ];
        row.as_object().unwrap().keys().for_each(|key| assert!(known.contains(&key.as_str()), "{row}: `{key}`"));
        let split = |pointer: &str| {
            pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect::<Vec<_>>()
        };
        let bytes = if let Some(file) = row["file"].as_str() {
            std::fs::read(suite().join("bad").join(file)).unwrap()
        } else if let Some(text) = row["text"].as_str() {
            text.as_bytes().to_vec()
        } else if let Some(repeat) = row["repeat"].as_array() {
            // `[before, repeated, times, after]`: bombs are made, not stored.
            let text = |at: usize| repeat[at].as_str().unwrap();
            format!("{}{}{}", text(0), text(1).repeat(repeat[2].as_u64().unwrap() as usize), text(3)).into_bytes()
        } else {
            let mut document = base_named(row["base"].as_str().unwrap());
            for pointer in row["remove"].as_array().into_iter().flatten() {
                remove(&mut document, &split(pointer.as_str().unwrap()));
            }
            for (pointer, value) in row["set"].as_object().into_iter().flatten() {
                set(&mut document, &split(pointer), value.clone());
            }
            serde_json::to_vec_pretty(&document).unwrap()
        };
        let other = |key: &str| match &row[key] {
            Value::Null => None,
            Value::String(text) => Some(text.clone().into_bytes()),
            value => Some(value.to_string().into_bytes()),
        };
        Self {
            name: row["name"].as_str().unwrap().to_owned(),
            bytes,
            writer: match row["writer"].as_str() {
                None | Some("developer") => Writer::Developer,
                Some("moderator") => Writer::Moderator,
                Some("application") => Writer::Application,
                Some(other) => panic!("`{other}` is no writer"),
            },
            complete: row["partial"].is_null(),
            files: row["files"]
                .as_array()
                .map(|files| files.iter().map(|file| file.as_str().unwrap().to_owned()).collect()),
            codemeta: other("codemeta"),
            ro_crate: other("roCrate"),
            expect: row["expect"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect(),
        }
    }
}

pub fn case(row: &Row) -> Validation {
    let holds = |name: &str| row.files.as_ref().is_none_or(|files| files.iter().any(|file| file == name));
    let options = Options {
        complete: row.complete,
        files: row.files.is_some().then_some(&holds),
        codemeta: row.codemeta.as_deref(),
        ro_crate: row.ro_crate.as_deref(),
        ..Options::new(row.writer)
    };
    validate(&row.bytes, &options)
}

/// Returns a record document as a manifest.
pub fn with_context(document: &Value) -> Value {
    let mut manifest = serde_json::Map::new();
    manifest.insert("@context".to_owned(), Value::String(catalog_schemas::CONTEXT.to_owned()));
    manifest.extend(document.as_object().unwrap().clone());
    Value::Object(manifest)
}

/// Returns every record that the suite accepts: the bases, and the rows of `bad.jsonl` that only have warnings.
pub fn accepted() -> Vec<(String, Record)> {
    let mut accepted = Vec::new();
    for kind in [
        Kind::Datalab,
        Kind::Dataset,
        Kind::DataVolume,
        Kind::Pipeline,
        Kind::Software,
        Kind::DataService,
        Kind::Datazone,
    ] {
        let writer = if kind == Kind::Datazone { Writer::Application } else { Writer::Developer };
        let validation = validate(base(kind).to_string().as_bytes(), &Options::new(writer));
        assert!(validation.report.valid, "{kind}: {:?}", validation.report);
        accepted.push((format!("base-{kind}"), validation.record.unwrap().into_record()));
    }
    for row in rows("bad.jsonl") {
        let row = Row::read(&row);
        if let Some(record) = case(&row).record.filter(|_| row.complete) {
            accepted.push((row.name, record.into_record()));
        }
    }
    accepted
}

pub fn iris(record: &Record) -> RecordIris {
    RecordIris::new("https://catalog.example", "go-esa", record)
}

/// Returns the row of a term: one for its kind before one for all kinds.
pub fn row_of<'a>(rows: &'a [Value], term: &Term) -> Option<&'a Value> {
    let of = |row: &&Value| row["key"] == json!(term.key);
    let kinds = |row: &&Value| row["kinds"].as_array().is_some_and(|kinds| kinds.contains(&json!(term.kind.as_str())));
    rows.iter().filter(of).find(kinds).or_else(|| rows.iter().filter(of).find(|row| row["kinds"].is_null()))
}

pub fn writer_of(term: &Term) -> Option<Writer> {
    Writer::ALL.into_iter().find(|writer| term.is_writable_by(writer.role()))
}

/// Returns a manifest that holds `value` at the term's place, and the writer who may say so.
pub fn manifest_with(rows: &[Value], term: &Term, value: &Value) -> (Value, Writer) {
    let writer = writer_of(term).unwrap_or(Writer::Developer);
    let complete = writer == Writer::Developer && term.kind != Kind::Datazone;
    let mut document = if complete {
        base(term.kind)
    } else {
        json!({ "@context": catalog_schemas::CONTEXT, "@type": term.kind.as_str() })
    };
    let parts: Vec<&str> = term.key.split('.').collect();
    let mut around = String::new();
    let mut path = Vec::new();
    for part in &parts[..parts.len() - 1] {
        if !around.is_empty() {
            around.push('.');
        }
        around.push_str(part);
        let node = Table::get().by_key(term.kind, &around).unwrap();
        path.push((*part).to_owned());
        let many = node.datatype == Datatype::Node && node.is_many();
        let pointer = format!("/{}", path.join("/"));
        if document.pointer(&pointer).is_none() {
            let whole = if complete {
                row_of(rows, node).unwrap()["valid"].clone()
            } else if many {
                json!([{}])
            } else {
                json!({})
            };
            set(&mut document, &path, whole);
        }
        if many {
            path.push("0".to_owned());
        }
    }
    path.push(parts[parts.len() - 1].to_owned());
    set(&mut document, &path, value.clone());
    (document, writer)
}

pub fn check(document: &Value, writer: Writer) -> Validation {
    let complete = writer == Writer::Developer && document["@type"] != "Datazone";
    let options = Options { complete, ..Options::new(writer) };
    validate(serde_json::to_string_pretty(document).unwrap().as_bytes(), &options)
}

pub fn errors(validation: &Validation) -> Vec<&Finding> {
    validation.report.findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

pub fn uploaded() -> impl Iterator<Item = &'static Term> {
    Table::get().terms().iter().filter(|term| term.kind.is_uploaded() && term.key != "@id")
}
