//! The manifest of a package: read it, and find every fault in it.
//!
//! [`read`] turns bytes into a tree with positions, within limits. [`validate`] walks the tree by the term table and
//! returns all findings at once; a manifest without an error becomes a [`ValidRecord`], which is made nowhere else.

use catalog_schemas::account::Role;
use catalog_schemas::problem::{Finding, Report};

use crate::record::Record;
use crate::record::value::{Fields, Value};
use crate::terms::Kind;

mod check;
mod disguise;
mod fixes;
mod gaps;
mod harvest;
mod keys;
mod languages;
mod lexical;
mod licence;
mod patch;
mod references;
mod rules;
mod scan;
mod text;
mod tree;
mod values;

pub(crate) use keys::expand;
pub use lexical::{ImageReference, doi, image_reference, is_date, is_date_time, orcid, short_date};
pub(crate) use licence::identifier as licence_identifier;
pub use licence::known_licence;
pub(crate) use patch::is_of_the_package;
pub use patch::{PatchReport, patch};
pub(crate) use rules::RANGES;
pub use scan::{Limits, read};
pub(crate) use text::is_placeholder;
pub use tree::{Json, Member, Node, Tree};

/// The name of the manifest within a package.
pub const MANIFEST: &str = "manifest.jsonld";

/// Contexts that may stand before ours; their words are not needed, since ours has them all.
const COMPANIONS: [&str; 9] = [
    "https://schema.org",
    "https://schema.org/",
    "http://schema.org",
    "http://schema.org/",
    "https://w3id.org/codemeta/3.0",
    "https://doi.org/10.5063/schema/codemeta-2.0",
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/crate/1.2/context",
    "https://w3id.org/ro/crate/1.3/context",
];

/// Who wrote a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Writer {
    /// The owner group of the record.
    Developer,
    /// A curator of the catalogue.
    Moderator,
    /// The platform itself.
    Application,
}

impl Writer {
    /// Every writer.
    pub const ALL: [Self; 3] = [Self::Developer, Self::Moderator, Self::Application];

    /// Returns the role in the term table.
    pub fn role(self) -> Role {
        match self {
            Self::Developer => Role::Developer,
            Self::Moderator => Role::Moderator,
            Self::Application => Role::Application,
        }
    }
}

/// What is asked of a record beside correct values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// Everything that a publisher owes: every required term, no value that is wrong.
    #[default]
    Publication,
    /// What a record of another catalogue needs: an identifier and a name. Whatever else is missing or wrong is left out
    /// with a warning, since its publisher never agreed to our rules, and nothing is invented in its place.
    Harvest,
}

/// How a manifest is validated.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What is asked of the record beside correct values.
    pub profile: Profile,
    /// Who wrote it.
    pub writer: Writer,
    /// Whether every required term must be there; an overlay of a moderator holds only what it changes.
    pub complete: bool,
    /// Says whether the package holds a file; absent for a bare manifest, whose files are not looked for.
    pub files: Option<&'a dyn Fn(&str) -> bool>,
    /// The package's `ro-crate-metadata.json`, which fills gaps.
    pub ro_crate: Option<&'a [u8]>,
    /// The package's `codemeta.json`, which fills gaps before the crate does.
    pub codemeta: Option<&'a [u8]>,
    /// What reading may cost.
    pub limits: Limits,
    /// The file that findings name; none for a bare manifest.
    pub file: Option<&'a str>,
}

impl Options<'_> {
    /// Returns the options for a complete manifest by `writer`, outside a package.
    pub fn new(writer: Writer) -> Self {
        Self {
            profile: Profile::Publication,
            writer,
            complete: true,
            files: None,
            ro_crate: None,
            codemeta: None,
            limits: Limits::default(),
            file: None,
        }
    }
}

impl Options<'_> {
    /// Returns the options for a record of another catalogue, which the harvester brought to our terms.
    pub fn harvested() -> Self {
        Self { profile: Profile::Harvest, ..Self::new(Writer::Developer) }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("profile", &self.profile)
            .field("writer", &self.writer)
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

/// A record in which no rule found an error; only [`validate`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidRecord(Record);

impl ValidRecord {
    /// Returns the record.
    pub fn record(&self) -> &Record {
        &self.0
    }

    /// Returns the record for the application to complete; what it sets is checked by the same rules.
    pub fn record_mut(&mut self) -> &mut Record {
        &mut self.0
    }

    /// Returns the record alone.
    pub fn into_record(self) -> Record {
        self.0
    }
}

impl std::ops::Deref for ValidRecord {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.0
    }
}

/// What validation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Every finding, in the order of the file.
    pub report: Report,
    /// The record, when no finding is an error.
    pub record: Option<ValidRecord>,
}

/// Reads and checks a manifest; all faults are found at once, unless it is not JSON.
pub fn validate(bytes: &[u8], options: &Options<'_>) -> Validation {
    match read(bytes, &options.limits) {
        Ok(tree) => validate_tree(&tree, options),
        Err(findings) => {
            let findings = findings.into_iter().map(|finding| in_file(finding, options.file)).collect();
            Validation { report: Report::new(findings), record: None }
        }
    }
}

/// Checks a manifest that was read before.
pub fn validate_tree(tree: &Tree<'_>, options: &Options<'_>) -> Validation {
    // A JSON-LD document in expanded form is an array of the nodes that it describes.
    let (root, within) = match &tree.root().value {
        Json::Array(items) if items.len() == 1 && items[0].as_object().is_some() => (&items[0], "/0"),
        _ => (tree.root(), ""),
    };
    let mut check = check::Checker::new(Kind::Datalab, Some(options.writer.role()), options.complete, options.files);
    check.profile = options.profile;
    for duplicate in &tree.duplicates {
        let finding = Finding::error("json.duplicate_key", format!("`{}` stands twice in this object", duplicate.key))
            .got(&duplicate.key)
            .fix("keep one");
        check.pointer.clone_from(&duplicate.pointer);
        check.report(duplicate.offset, finding);
    }
    check.pointer.clear();
    let mut fields = Fields::default();
    let mut kind = None;
    if let Some(members) = root.as_object() {
        check.context(root);
        kind = check.kind_of(root);
        if let Some(kind) = kind {
            check.kind = kind;
            let (gaps, findings) = gaps::gaps(options.ro_crate, options.codemeta);
            for finding in findings {
                // Findings about other files stand at the end, after those of the manifest.
                check.placed.push(check::Placed { offset: u32::MAX, finding });
            }
            check.gaps = gaps;
            check.object(None, root, members, &mut fields);
            check.rules(&fields, root.offset);
        }
    } else {
        let finding = Finding::error("value.type", format!("the manifest is {}, not an object", root.kind()));
        let finding = finding.got(root.shown()).expected("a JSON object");
        check.report(root.offset, finding.fix("write one object; each manifest describes one record"));
    }
    for placed in check.placed.iter_mut().filter(|placed| placed.finding.file.is_none()) {
        // What was found while the file was read has its whole pointer already.
        if !placed.finding.code.starts_with("json.") {
            placed.finding.pointer.insert_str(0, within);
        }
    }
    let identifier = root.get("identifier").and_then(Node::as_str).map(str::to_owned);
    let version =
        ["softwareVersion", "version"].iter().find_map(|key| root.get(key)).and_then(Node::as_str).map(str::to_owned);
    if options.profile == Profile::Harvest {
        check.placed.iter_mut().for_each(|placed| harvest::soften(&mut placed.finding));
    }
    let mut report = Report::new(placed(tree.text, check.placed, options.file));
    (report.identifier, report.version) = (identifier, version);
    let record = kind.filter(|_| report.valid).map(|kind| ValidRecord(Record::from_fields(kind, fields)));
    Validation { report, record }
}

/// Reads a JSON value by the table without asking who wrote it; for record documents and for what the application sets.
pub(crate) fn trusted(kind: Kind, members: &[Member<'_>]) -> (Fields, Vec<Finding>) {
    let mut check = check::Checker::new(kind, None, false, None);
    let mut fields = Fields::default();
    let root = Node { offset: 0, value: Json::Null };
    check.object(None, &root, members, &mut fields);
    (fields, check.placed.into_iter().map(|placed| placed.finding).collect())
}

/// Reads the values of one term as the application writes them.
pub(crate) fn trusted_values(
    term: &'static crate::terms::Term,
    value: &serde_json::Value,
) -> (Vec<Value>, Vec<Finding>) {
    let mut check = check::Checker::new(term.kind, None, false, None);
    let values = check.values(term, &Node::from_json(value));
    (values, check.placed.into_iter().map(|placed| placed.finding).collect())
}

/// Puts findings in the order of the file and gives each its line and column, in one pass over the text.
fn placed(text: &str, mut placed: Vec<check::Placed>, file: Option<&str>) -> Vec<Finding> {
    placed.sort_by_key(|placed| placed.offset);
    let (mut at, mut line, mut column) = (0, 1u32, 1u32);
    placed
        .into_iter()
        .map(|check::Placed { offset, mut finding }| {
            if finding.file.is_none() && offset != u32::MAX {
                for character in text.get(at..offset as usize).unwrap_or_default().chars() {
                    if character == '\n' {
                        (line, column) = (line + 1, 1);
                    } else {
                        column += 1;
                    }
                }
                at = at.max(offset as usize);
                finding = finding.at(line, column);
            }
            in_file(finding, file)
        })
        .collect()
}

fn in_file(mut finding: Finding, file: Option<&str>) -> Finding {
    if finding.file.is_none() {
        finding.file = file.map(str::to_owned);
    }
    finding
}

impl check::Checker<'_> {
    /// Checks the context of the manifest: ours, alone or after others that are known.
    fn context(&mut self, root: &Node<'_>) {
        let ours = catalog_schemas::CONTEXT;
        let Some(context) = root.get("@context") else {
            // Where every key is a whole IRI, there is nothing that a context could say.
            if is_expanded(root) {
                return;
            }
            let finding = Finding::error("context.missing", "`@context` is missing").expected(format!("\"{ours}\""));
            return self.report(root.offset, finding.fix(format!("add \"@context\": \"{ours}\"")));
        };
        let items = match &context.value {
            Json::Array(items) => items.iter().collect(),
            _ => vec![context],
        };
        let is_array = matches!(context.value, Json::Array(_));
        let mut found = false;
        let mut refused = false;
        for (index, item) in items.iter().enumerate() {
            self.pointer = if is_array { format!("/@context/{index}") } else { "/@context".to_owned() };
            match &item.value {
                Json::String(text) if text == ours => found = true,
                Json::String(text) if COMPANIONS.contains(&text.as_ref()) => {}
                Json::String(text) => {
                    refused = true;
                    let finding = Finding::error(
                        "context.not_bundled",
                        "the context is not one that is bundled; none is fetched",
                    )
                    .got(text)
                    .expected(format!("\"{ours}\""))
                    .fix(format!("write \"{ours}\""));
                    self.report(item.offset, finding);
                }
                Json::Object(_) => {
                    refused = true;
                    self.definitions.collect(item);
                    let finding = Finding::error("context.inline", "a context written into the manifest is not read")
                        .got(item.shown())
                        .expected(format!("\"{ours}\""))
                        .fix(if items.len() > 1 {
                            "remove it; write full IRIs for properties of other vocabularies, and each text with its \
                             language"
                                .to_owned()
                        } else {
                            format!("write \"{ours}\", and full IRIs for properties of other vocabularies")
                        });
                    self.report(item.offset, finding);
                }
                _ => {
                    refused = true;
                    let finding = Finding::error("value.type", format!("a context is {}, not an IRI", item.kind()))
                        .got(item.shown());
                    self.report(item.offset, finding.expected(format!("\"{ours}\"")).fix(format!("write \"{ours}\"")));
                }
            }
        }
        self.pointer.clear();
        if !found && !refused {
            let finding = Finding::error("context.missing", "the context of the catalogue is not named")
                .expected(format!("\"{ours}\""));
            self.pointer = "/@context".to_owned();
            self.report(context.offset, finding.got(context.shown()).fix(format!("add \"{ours}\"")));
            self.pointer.clear();
        }
    }

    /// Returns the kind of record by its type; a guess when the type is wrong, so that the rest is checked as well.
    fn kind_of(&mut self, root: &Node<'_>) -> Option<Kind> {
        let rdf_type = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";
        let given = ["@type", "type", "rdf:type", rdf_type].iter().find_map(|key| Some((*key, root.get(key)?)));
        let words: Vec<_> = Kind::ALL.into_iter().filter(|kind| kind.is_uploaded()).map(Kind::as_str).collect();
        let expected = format!("one of {}", words.join(", "));
        let Some((key, given)) = given else {
            let finding = Finding::error("type.missing", "`@type` is missing").expected(expected);
            self.report(root.offset, finding.fix("add \"@type\", such as \"Datalab\""));
            return guess(root);
        };
        let names: Vec<_> = match &given.value {
            Json::Array(items) => items.iter().collect(),
            _ => vec![given],
        };
        let mut kinds = names.iter().filter_map(|name| kind_of_name(name.as_str()?));
        if let Some(kind) = kinds.next()
            && kinds.all(|other| other == kind)
        {
            return Some(kind);
        }
        let mut pointer = String::new();
        tree::push_pointer(&mut pointer, key);
        self.pointer = pointer;
        let text = names.first().and_then(|name| name.as_str());
        let near = text.and_then(|text| {
            let bare = text.rsplit(['#', ':', '/']).next().unwrap_or(text).to_lowercase();
            let alike = |kind: &Kind| keys::likeness(&bare, &kind.as_str().to_lowercase()) > 0.7;
            Kind::ALL.into_iter().filter(|kind| kind.is_uploaded()).find(alike)
        });
        // A word that only resembles a type says less than the keys do: `SoftwareApplication` with an image is a datalab.
        let meant =
            guess(root).filter(|guess| near.is_none_or(|near| known(root, *guess) > known(root, near))).or(near);
        let message = match (text, kind_of_name(text.unwrap_or_default())) {
            (Some(_), Some(_)) => "a manifest describes one record, of one type".to_owned(),
            (Some(text), None) => format!("`{}` is not a type of record that can be published", tree::cut(text, 80)),
            (None, _) => format!("`@type` is {}, not a word", given.kind()),
        };
        let fix = meant.map_or_else(|| format!("write {expected}"), |kind| format!("write `{}`", kind.as_str()));
        let finding = Finding::error("type.unknown", message).got(given.shown()).expected(expected).fix(fix);
        self.report(given.offset, finding);
        self.pointer.clear();
        meant
    }
}

fn kind_of_name(name: &str) -> Option<Kind> {
    let word = name.strip_prefix("esado:").or_else(|| name.strip_prefix(crate::terms::ESADO)).unwrap_or(name);
    Kind::from_word(word).filter(|kind| kind.is_uploaded())
}

/// Counts the keys of an object that a kind of record has.
fn known(root: &Node<'_>, kind: Kind) -> usize {
    let members = root.as_object().unwrap_or_default();
    members.iter().filter(|member| matches!(keys::meaning(kind, None, "", &member.key), keys::Meaning::Term(_))).count()
}

/// Says whether every key of a document is a keyword or a whole IRI.
fn is_expanded(node: &Node<'_>) -> bool {
    match &node.value {
        Json::Array(items) => items.iter().all(is_expanded),
        Json::Object(members) => members
            .iter()
            .all(|member| (member.key.starts_with('@') || member.key.contains("://")) && is_expanded(&member.value)),
        _ => true,
    }
}

/// Guesses the kind by the keys that only one kind has.
fn guess(root: &Node<'_>) -> Option<Kind> {
    let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
    if has(&["interfaceType", "datalabImage", "runtime", "needs", "softwareVersion"]) {
        Some(Kind::Datalab)
    } else if has(&["cwlFile", "runner"]) {
        Some(Kind::Pipeline)
    } else if has(&["defaultMountPath"]) {
        Some(Kind::DataVolume)
    } else if has(&["distribution", "temporal", "accessService"]) {
        Some(Kind::Dataset)
    } else {
        None
    }
}
