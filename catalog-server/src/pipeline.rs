//! Running a pipeline: a runner's image, with the workflow of the package and its inputs beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;

use catalog_archive::{Budget, Package};
use catalog_cwl::{Files, Parameter};
use catalog_launch::spec::{FILES_PATH, MOST_FILE_BYTES, MOST_FILES};
use catalog_launch::{Image, SpecFile};
use catalog_ontology::record::Record;
use catalog_ontology::terms::Kind;
use catalog_schemas::plan::Mount;
use catalog_schemas::problem::Finding;
use catalog_schemas::volume::Space;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::view::{Candidate, Runtime};

/// The folder of the package's files, below [`FILES_PATH`].
const PACKAGE: &str = "package";

/// The file of the inputs, below [`FILES_PATH`].
const INPUTS: &str = "inputs.json";

/// An image that runs workflows, as `[[runner]]` of the configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Runner {
    /// Its kind, as pipelines name it in `runner`: `cwltool`, `calrissian` or `toil`.
    pub kind: String,
    /// Its image, best by digest.
    pub image: String,
    /// Replaces the image's entry point unless empty.
    #[serde(default)]
    pub command: Vec<String>,
    /// What it is called with; `{workflow}`, `{inputs}`, `{outputs}` and `{work}` stand for paths.
    #[serde(default = "usual_arguments")]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// What cwltool, calrissian and toil all take. What steps make on the way may be larger than the lab's memory, so it does not
/// go to `/tmp`; in the file system of the results it also becomes one of them without being copied.
fn usual_arguments() -> Vec<String> {
    ["--tmp-outdir-prefix", "{work}", "--outdir", "{outputs}", "{workflow}", "{inputs}"].map(str::to_owned).to_vec()
}

impl Runner {
    /// Chooses the runner of a pipeline: the first of a kind that it names, or the first of all when it names none.
    pub fn of<'r>(runners: &'r [Self], record: &Record) -> Option<&'r Self> {
        if record.kind() != Kind::Pipeline || record.string("cwlFile").is_none() {
            return None;
        }
        let kinds = record.strings("runner");
        runners.iter().find(|runner| kinds.is_empty() || kinds.contains(&runner.kind.as_str()))
    }

    /// Makes a pipeline one that this runner runs.
    pub fn take(&self, candidate: &mut Candidate, record: &Record) {
        let entry = record.string("cwlFile").unwrap_or_default();
        let put = |word: &String| {
            word.replace("{workflow}", &format!("{FILES_PATH}/{PACKAGE}/{entry}"))
                .replace("{inputs}", &format!("{FILES_PATH}/{INPUTS}"))
        };
        let need = &mut candidate.need;
        need.image = Some(Image { reference: self.image.clone(), digest: None });
        if let Some(image) = &mut need.image {
            image.digest = image.pinned().map(str::to_owned);
        }
        // The steps run within the runner, so what they are made for says nothing of where it runs.
        need.architectures.clear();
        need.interface_type = "headless".to_owned();
        need.keeps_results = true;
        candidate.runtime = Runtime {
            command: self.command.iter().map(put).collect(),
            args: self.args.iter().map(put).collect(),
            env: self.env.iter().map(|(name, value)| (name.clone(), put(value))).collect(),
            ..Runtime::default()
        };
    }
}

/// Returns the folder of a launch's results in its owner's space.
pub fn results_folder(launch: &str) -> String {
    format!("runs/{launch}")
}

/// Puts the folder of a launch's results in the place of `{outputs}`, and what the names of its temporary folders begin with in
/// the place of `{work}`: in its owner's space, by its own id. The latter lie in the space itself, which toil wants to exist.
pub fn put_outputs(words: &mut [String], mounts: &[Mount], launch: &str) {
    let Some(space) = mounts.iter().find(|mount| mount.volume == Space::PERSONAL) else { return };
    let outputs = format!("{}/{}", space.mount_path, results_folder(launch));
    let work = format!("{}/.run-{launch}-", space.mount_path);
    for word in words {
        *word = word.replace("{outputs}", &outputs).replace("{work}", &work);
    }
}

/// Gathers what a runner is given: the workflow's files, and its inputs. Inputs that are missing are only a fault when it is
/// to be run now, not while somebody asks where it could.
///
/// # Errors
///
/// Every fault of the inputs with a pointer into the request; that the package has too many files.
pub fn files(
    record: &Record,
    archive: &[u8],
    inputs: &BTreeMap<String, Value>,
    is_run: bool,
) -> Result<Vec<SpecFile>, Vec<Finding>> {
    let broken = |message: String| vec![Finding::error("pipeline.package", message).pointer("/datalab")];
    let package = catalog_archive::open(archive, &Budget::default())
        .map_err(|_| broken("its package cannot be read any more".to_owned()))?;
    let entry = record.string("cwlFile").unwrap_or_default();
    let read = Noted { package: &package, asked: Mutex::default() };
    let facts =
        catalog_cwl::read(entry, &read).facts.ok_or_else(|| broken("its workflow cannot be read".to_owned()))?;
    let job = job(&facts.inputs, inputs, is_run)?;
    let folder = entry.rsplit_once('/').map_or("", |(folder, _)| folder);
    let asked = read.asked.into_inner().unwrap_or_else(PoisonError::into_inner);
    let is_wanted = |path: &str| {
        let below = !folder.is_empty() && path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        below || asked.contains(path)
    };
    let wanted: Vec<_> = package.entries.iter().filter(|entry| is_wanted(&entry.path)).collect();
    let bytes = wanted.iter().map(|entry| entry.size).fold(0, u64::saturating_add);
    if wanted.len() >= MOST_FILES || bytes > (MOST_FILE_BYTES / 2) as u64 {
        let most = MOST_FILE_BYTES / 2048;
        return Err(broken(format!(
            "the workflow and what lies beside it are {} files of {bytes} bytes; at most {MOST_FILES} of {most} KiB can \
             be run: keep large files in a volume",
            wanted.len()
        )));
    }
    let job = job.to_string();
    if job.len() > MOST_FILE_BYTES / 4 {
        let message = format!("the inputs are {} bytes; keep long lists in a file of a volume", job.len());
        return Err(vec![Finding::error("input.too_large", message).pointer("/inputs")]);
    }
    let mut files = vec![SpecFile::new(INPUTS, job.as_bytes())];
    for entry in wanted {
        let contents = package.read(archive, &entry.path).ok().flatten();
        let contents = contents.ok_or_else(|| broken(format!("`{}` cannot be read any more", entry.path)))?;
        files.push(SpecFile::new(format!("{PACKAGE}/{}", entry.path), &contents));
    }
    Ok(files)
}

/// The files of a package, with a note of which were asked for.
struct Noted<'p> {
    package: &'p Package,
    asked: Mutex<BTreeSet<String>>,
}

impl Files for Noted<'_> {
    fn file(&self, path: &str) -> Option<&[u8]> {
        let found = self.package.file(path)?;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        Some(found)
    }
}

/// Makes the document of inputs that runners read, or says every fault.
fn job(wanted: &[Parameter], given: &BTreeMap<String, Value>, is_run: bool) -> Result<Value, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut job = serde_json::Map::new();
    let pointer = |name: &str| format!("/inputs/{}", name.replace('~', "~0").replace('/', "~1"));
    for (name, value) in given {
        let Some(parameter) = wanted.iter().find(|parameter| parameter.name == *name) else {
            let known: Vec<&str> = wanted.iter().map(|it| it.name.as_str()).collect();
            let shown: String = name.chars().take(80).collect();
            let message = format!("the workflow has no input `{shown}`");
            findings.push(Finding::error("input.unknown", message).pointer(pointer(name)).expected(known.join(", ")));
            continue;
        };
        match fitted(&parameter.kind, value) {
            Some(value) => _ = job.insert(name.clone(), value),
            None => {
                let message = format!("the input `{name}` is not of the type {}", parameter.kind);
                let got: String = value.to_string().chars().take(120).collect();
                let finding = Finding::error("input.type", message).pointer(pointer(name)).got(got);
                findings.push(finding.expected(words_of(&parameter.kind)));
            }
        }
    }
    for parameter in wanted.iter().filter(|it| is_run && it.required && !given.contains_key(&it.name)) {
        let message = format!("the workflow needs the input `{}`", parameter.name);
        let finding = Finding::error("input.missing", message).pointer(pointer(&parameter.name));
        findings.push(finding.expected(words_of(&parameter.kind)));
    }
    if findings.is_empty() { Ok(Value::Object(job)) } else { Err(findings) }
}

/// Says in words what a type takes.
fn words_of(kind: &str) -> String {
    let bare = kind.trim_end_matches('?');
    let words = match bare {
        "File" => "the path of a file in the launch, such as /workspace/personal/x.fits, or an https address",
        "Directory" => "the path of a folder in the launch, such as /data/user/pla_legacy",
        "int" | "long" => "a whole number",
        "float" | "double" => "a number",
        "boolean" => "true or false",
        "string" => "a text",
        _ => return format!("a value of the type {kind}"),
    };
    words.to_owned()
}

/// Returns a value as a runner reads it when it is one of a type.
fn fitted(kind: &str, value: &Value) -> Option<Value> {
    let (bare, is_optional) = kind.strip_suffix('?').map_or((kind, false), |bare| (bare, true));
    if value.is_null() {
        return (is_optional || kind == "null").then_some(Value::Null);
    }
    if let Some(items) = bare.strip_suffix("[]") {
        let items_kind = unbraced(items);
        let items: Option<Vec<Value>> = value.as_array()?.iter().map(|item| fitted(items_kind, item)).collect();
        return items.map(Value::Array);
    }
    let bare = unbraced(bare);
    if bare.contains(" | ") {
        return bare.split(" | ").find_map(|one| fitted(one, value));
    }
    match bare {
        "string" | "enum" => value.as_str().map(|text| json!(text)),
        "int" => value.as_i64().filter(|number| i32::try_from(*number).is_ok()).map(|number| json!(number)),
        "long" => value.as_i64().map(|number| json!(number)),
        "float" | "double" => value.is_number().then(|| value.clone()),
        "boolean" => value.as_bool().map(|it| json!(it)),
        "File" | "Directory" => place(bare, value),
        "null" => None,
        // A record, anything at all, or a type that the package defines: the runner looks at it.
        _ => Some(value.clone()),
    }
}

/// A type in brackets, `(int | string)`, without them.
fn unbraced(kind: &str) -> &str {
    kind.strip_prefix('(').and_then(|kind| kind.strip_suffix(')')).unwrap_or(kind)
}

/// Returns a file or a folder, given by its path or address, or as CWL writes one.
fn place(class: &str, value: &Value) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Object(fields) if fields.get("class").and_then(Value::as_str) == Some(class) => {
            fields.get("path").or_else(|| fields.get("location")).and_then(Value::as_str)?
        }
        _ => return None,
    };
    if text.starts_with("https://") || text.starts_with("http://") {
        return url::Url::parse(text).is_ok().then(|| json!({ "class": class, "location": text }));
    }
    let is_plain = text.len() <= 4096
        && !text.contains(['\0', '\n'])
        && text
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
    is_plain.then(|| json!({ "class": class, "path": text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, kind: &str, required: bool) -> Parameter {
        Parameter { name: name.to_owned(), kind: kind.to_owned(), required, ..Parameter::default() }
    }

    #[test]
    fn values_are_of_their_types() {
        let file = json!({ "class": "File", "path": "/data/user/x.fits" });
        for (kind, value, expected) in [
            ("int", json!(3), Some(json!(3))),
            ("int", json!(3_000_000_000_u64), None),
            ("long", json!(3_000_000_000_u64), Some(json!(3_000_000_000_u64))),
            ("int", json!("3"), None),
            ("int?", Value::Null, Some(Value::Null)),
            ("int", Value::Null, None),
            ("double", json!(0.5), Some(json!(0.5))),
            ("boolean", json!(true), Some(json!(true))),
            ("string", json!("a"), Some(json!("a"))),
            ("string[]", json!(["a", "b"]), Some(json!(["a", "b"]))),
            ("string[]", json!(["a", 1]), None),
            ("(int | string)[]?", json!([1, "a"]), Some(json!([1, "a"]))),
            ("int | string", json!(true), None),
            ("File", json!("/data/user/x.fits"), Some(file.clone())),
            ("File", file.clone(), Some(file)),
            ("File", json!("data/x"), None),
            ("File", json!("/data/../etc/passwd"), None),
            ("File", json!("file:///etc/passwd"), None),
            ("File", json!({ "class": "Directory", "path": "/data" }), None),
            ("File[]", json!(["https://e/x"]), Some(json!([{ "class": "File", "location": "https://e/x" }]))),
            ("Directory", json!("/data/user/pla"), Some(json!({ "class": "Directory", "path": "/data/user/pla" }))),
        ] {
            assert_eq!(fitted(kind, &value), expected, "{kind} {value}");
        }
    }

    #[test]
    fn every_fault_of_the_inputs_is_said_at_once() {
        let wanted =
            [parameter("image", "File", true), parameter("size", "int", true), parameter("note", "string?", false)];
        let given = BTreeMap::from([("size".to_owned(), json!("big")), ("colour".to_owned(), json!("red"))]);
        let codes = |is_run| {
            let findings = job(&wanted, &given, is_run).unwrap_err();
            findings.iter().map(|it| format!("{} {}", it.code, it.pointer)).collect::<Vec<_>>()
        };
        assert_eq!(codes(false), ["input.unknown /inputs/colour", "input.type /inputs/size"]);
        assert_eq!(codes(true).last().map(String::as_str), Some("input.missing /inputs/image"));
        let good = BTreeMap::from([("size".to_owned(), json!(3)), ("image".to_owned(), json!("/data/user/x"))]);
        let made = job(&wanted, &good, true).unwrap();
        assert_eq!(made, json!({ "image": { "class": "File", "path": "/data/user/x" }, "size": 3 }));
    }

    #[test]
    fn results_lie_in_the_owners_space_wherever_that_is_mounted() {
        let mount =
            Mount { volume: Space::PERSONAL.to_owned(), mount_path: "/workspace/me".to_owned(), mode: "rw".to_owned() };
        let mut words = usual_arguments();
        put_outputs(&mut words, &[mount], "l0");
        assert_eq!(words[..4], ["--tmp-outdir-prefix", "/workspace/me/.run-l0-", "--outdir", "/workspace/me/runs/l0"]);
    }
}
