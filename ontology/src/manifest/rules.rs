//! Rules over several terms, and hints at what would make a record better.

use std::collections::{HashMap, HashSet};

use catalog_schemas::problem::{Finding, Severity};
use catalog_schemas::variable::may_be_set;

use crate::record::value::{Fields, Value};
use crate::terms::Kind;

use super::check::{Checker, Watched};
use super::lexical::image_reference;
use super::text;

/// The terms that hold the least and the most of something, and what it is.
pub(crate) const RANGES: [(&str, &str, &str); 3] = [
    ("needs.cpu.min", "needs.cpu.max", "processor cores"),
    ("needs.memory.min", "needs.memory.max", "memory"),
    ("needs.gpu.count", "needs.gpu.maxCount", "GPUs"),
];

impl Checker<'_> {
    /// Applies the rules that need more than one term; `fields` is the record, `offset` where it begins.
    pub(crate) fn rules(&mut self, fields: &Fields, offset: u32) {
        let watched = std::mem::take(&mut self.watched);
        self.ranges(&watched);
        self.mounts(&watched);
        self.environment(&watched);
        self.texts(&watched);
        self.runtime(&watched);
        if self.complete {
            self.hints(fields, offset);
        }
    }

    fn report_at(&mut self, watched: &Watched, finding: Finding) {
        let pointer = std::mem::replace(&mut self.pointer, watched.pointer.clone());
        self.report(watched.offset, finding.term(watched.term.compact_iri()));
        self.pointer = pointer;
    }

    fn ranges(&mut self, watched: &[Watched]) {
        for (low, high, what) in RANGES {
            let find = |key: &str| watched.iter().find(|watched| watched.term.key == key);
            let (Some(least), Some(most)) = (find(low), find(high)) else { continue };
            let (Some(least_number), Some(most_number)) = (number(&least.value), number(&most.value)) else { continue };
            if least_number > most_number {
                let finding = Finding::error(
                    "resources.min_over_max",
                    format!("the least amount of {what} is more than the most"),
                )
                .got(format!("{least_number} to {most_number}"))
                .expected(format!("{least_number} or more"))
                .fix(format!("raise `{high}` or lower `{low}`"));
                self.report_at(most, finding);
            }
        }
    }

    fn mounts(&mut self, watched: &[Watched]) {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut above: HashMap<&str, &str> = HashMap::new();
        for mount in watched.iter().filter(|watched| watched.term.key == "volume.mountPath") {
            let Value::Literal(path) = &mount.value else { continue };
            let parents = || path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
            let conflict = if seen.contains(path.as_str()) {
                Some(path.as_str())
            } else {
                parents().find(|parent| seen.contains(parent)).or_else(|| above.get(path.as_str()).copied())
            };
            if let Some(other) = conflict {
                let finding = Finding::error(
                    "mount.conflict",
                    format!("two volumes would be mounted over one another: `{other}` and `{path}`"),
                )
                .got(path)
                .expected("paths of which none is below another")
                .fix("mount one of them elsewhere");
                self.report_at(mount, finding);
            }
            seen.insert(path);
            parents().for_each(|parent| {
                above.entry(parent).or_insert(path);
            });
        }
    }

    /// Variables that would steer what runs the datalab are refused, and values that look like secrets.
    fn environment(&mut self, watched: &[Watched]) {
        let values = watched.iter().filter(|watched| watched.term.key == "runtime.env.value");
        let names: HashMap<&str, &Watched> = watched
            .iter()
            .filter(|watched| watched.term.key == "runtime.env.name")
            .filter_map(|watched| Some((watched.pointer.rsplit_once('/')?.0, watched)))
            .collect();
        for name in names.values() {
            let Value::Literal(text) = &name.value else { continue };
            if !may_be_set(text) {
                let finding = Finding::error("environment.reserved", format!("a datalab must not set `{text}`"))
                    .got(text)
                    .expected("an upper-case word that steers neither the loader, the engine, a GPU nor a proxy")
                    .fix("remove it, or set it inside the image; give the datalab's own variables names of their own");
                self.report_at(name, finding);
            }
        }
        for value in values {
            let Value::Literal(text) = &value.value else { continue };
            let name = value.pointer.rsplit_once('/').and_then(|(pointer, _)| names.get(pointer));
            let named =
                name.is_some_and(|name| matches!(&name.value, Value::Literal(name) if text::is_secret_name(name)));
            if text::secret(text).is_some() || named && !text::is_harmless_value(text) {
                let finding =
                    Finding::error("secret.suspected", "the value of an environment variable seems to be a secret")
                        .expected("a value that everybody may read")
                        .fix("remove it; a datalab asks its user, or the platform gives it at launch");
                self.report_at(value, finding);
            }
        }
    }

    fn texts(&mut self, watched: &[Watched]) {
        for text in watched.iter().filter(|watched| matches!(watched.term.key.as_str(), "abstract" | "description")) {
            let Value::Text { text: words, .. } = &text.value else { continue };
            if text::is_placeholder(words) {
                let finding =
                    Finding::warning("quality.placeholder", format!("`{}` only holds a place", text.term.name()))
                        .got(words)
                        .fix("say in a sentence what it is and for whom");
                self.report_at(text, finding);
            } else if text.term.key == "abstract" && weight(words) < 20 {
                let finding = hint("quality.short_abstract", "the abstract is very short").got(words);
                self.report_at(text, finding.fix("say in a sentence what it is and for whom"));
            }
        }
    }

    fn runtime(&mut self, watched: &[Watched]) {
        let find = |key: &str| watched.iter().find(|watched| watched.term.key == key);
        if let Some(image) = find("datalabImage.reference")
            && let Value::Literal(text) = &image.value
            && let Some(reference) = image_reference(text)
        {
            if reference.digest.is_none() && reference.tag.as_deref().is_none_or(|tag| tag == "latest") {
                let finding = Finding::warning(
                    "image.unpinned",
                    "the image has no version: what is launched may change from day to day",
                )
                .got(text)
                .expected("a tag other than latest, or a digest")
                .fix("name a tag, or better a digest");
                self.report_at(image, finding);
            }
            if let Some(interface) = find("interfaceType")
                && matches!(&interface.value, Value::Literal(word) if word == "web" || word == "desktop")
                && find("runtime.port").is_none()
                && !self.placed.iter().any(|placed| placed.finding.pointer.starts_with("/runtime/port"))
            {
                let finding =
                    Finding::warning("runtime.port_missing", "no port is named on which the interface answers")
                        .expected("`runtime.port`")
                        .fix("add {\"runtime\": {\"port\": [8888]}} with the port of the image");
                self.report_at(interface, finding);
            }
        }
    }

    fn hints(&mut self, fields: &Fields, offset: u32) {
        let has = |key: &str| {
            let mut found = Vec::new();
            fields.collect(key, &mut found);
            !found.is_empty()
        };
        let mut missing: Vec<(&str, &str)> = Vec::new();
        if self.kind != Kind::Datazone {
            missing.push(("description", "a description says what an abstract cannot"));
            missing.push(("keyword", "keywords are what people search by"));
        }
        if matches!(self.kind, Kind::Datalab | Kind::Dataset) {
            missing.push(("contactPoint", "a contact lets users ask"));
        }
        for (key, why) in missing {
            if !has(key) {
                let code = format!("quality.no_{}", key.to_lowercase());
                self.report(offset, hint(&code, &format!("`{key}` is not given: {why}")).fix(format!("add `{key}`")));
            }
        }
    }
}

/// Counts letters; one of a script that writes a word in a letter or two says as much as three.
fn weight(words: &str) -> usize {
    words.chars().map(|letter| if letter >= '\u{2e80}' { 3 } else { 1 }).sum()
}

fn hint(code: &str, message: &str) -> Finding {
    let mut finding = Finding::warning(code, message);
    finding.severity = Severity::Hint;
    finding
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Literal(text) => text.parse().ok(),
        _ => None,
    }
}
