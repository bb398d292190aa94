//! Reads what `ro-crate-metadata.json` and `codemeta.json` of a package say, in the keys of a manifest.
//!
//! The manifest always wins: [`super::check`] asks for a gap only where a key is missing.

use catalog_schemas::problem::Finding;
use serde_json::{Value, json};

use super::lexical::{cores, mebibytes};
use super::scan::{Limits, read};

/// A value offered for a key of the manifest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gap {
    /// The key, with dots where it is nested: `needs.memory.min`.
    pub(crate) key: &'static str,
    /// The value as a manifest would write it.
    pub(crate) value: Value,
    /// The file it comes from.
    pub(crate) file: &'static str,
    /// The code of the hint that reports its use.
    pub(crate) code: &'static str,
    /// Where it stands in that file.
    pub(crate) pointer: String,
}

const CODEMETA: &str = "codemeta.json";
const RO_CRATE: &str = "ro-crate-metadata.json";

/// Returns what both files offer, CodeMeta first since it is written by hand more often, and warnings on what cannot be used.
pub(crate) fn gaps(ro_crate: Option<&[u8]>, codemeta: Option<&[u8]>) -> (Vec<Gap>, Vec<Finding>) {
    let (mut found, mut findings) = (Vec::new(), Vec::new());
    if let Some(document) = codemeta.and_then(|bytes| parse(bytes, CODEMETA, &mut findings)) {
        let source = Source { file: CODEMETA, code: "filled.from_codemeta", graph: &[] };
        source.read(&document, "", &mut found, &mut findings);
    }
    if let Some(document) = ro_crate.and_then(|bytes| parse(bytes, RO_CRATE, &mut findings)) {
        let graph = document.get("@graph").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let source = Source { file: RO_CRATE, code: "filled.from_ro_crate", graph };
        match source.main_entity() {
            Some((index, entity)) => source.read(entity, &format!("/@graph/{index}"), &mut found, &mut findings),
            None => findings.push(
                Finding::warning("gaps.unreadable", "the crate names no root data entity, so nothing is taken from it")
                    .file(RO_CRATE)
                    .fix("describe `./` in @graph, or remove the file"),
            ),
        }
    }
    (found, findings)
}

fn parse(bytes: &[u8], file: &'static str, findings: &mut Vec<Finding>) -> Option<Value> {
    match read(bytes, &Limits::default()) {
        Ok(tree) => Some(tree.root().to_json()),
        Err(faults) => {
            findings.extend(faults.into_iter().map(|fault| {
                let mut warning =
                    Finding::warning("gaps.unreadable", format!("nothing is taken from {file}: {}", fault.message));
                (warning.line, warning.column, warning.pointer) = (fault.line, fault.column, fault.pointer);
                warning.file(file).fix("mend the file, or remove it from the package")
            }));
            None
        }
    }
}

struct Source<'a> {
    file: &'static str,
    code: &'static str,
    graph: &'a [Value],
}

impl Source<'_> {
    /// Returns the main entity when it is software or a workflow, else the root data entity.
    fn main_entity(&self) -> Option<(usize, &Value)> {
        let find = |id: &str| {
            self.graph.iter().enumerate().find(|(_, node)| node.get("@id").and_then(Value::as_str) == Some(id))
        };
        let about = find(RO_CRATE).and_then(|(_, node)| node["about"]["@id"].as_str()).unwrap_or("./");
        let root = find(about)?;
        let main = root.1["mainEntity"]["@id"].as_str().and_then(find);
        Some(
            main.filter(|(_, node)| {
                has_type(node, &["SoftwareApplication", "ComputationalWorkflow", "SoftwareSourceCode"])
            })
            .unwrap_or(root),
        )
    }

    fn read(&self, entity: &Value, pointer: &str, found: &mut Vec<Gap>, findings: &mut Vec<Finding>) {
        let mut offer = |key: &'static str, from: &str, value: Option<Value>| {
            if let Some(value) = value.filter(|value| value.as_array().is_none_or(|items| !items.is_empty())) {
                let (file, code, pointer) = (self.file, self.code, format!("{pointer}/{from}"));
                found.push(Gap { key, value, file, code, pointer });
            }
        };
        let english = |value: &Value| self.words(value).into_iter().next().map(|text| json!({ "en": text }));
        let list = |value: &Value| Some(json!(self.words(value)));
        for (from, key) in
            [("name", "name"), ("name", "title"), ("description", "description"), ("releaseNotes", "releaseNotes")]
        {
            offer(key, from, english(&entity[from]));
        }
        // A long description is no abstract; better a finding that one is missing.
        let short = english(&entity["description"])
            .filter(|text| text["en"].as_str().is_some_and(|text| text.chars().count() <= 500));
        offer("abstract", "description", short);
        for (from, key) in
            [("softwareVersion", "softwareVersion"), ("version", "softwareVersion"), ("version", "version")]
        {
            offer(key, from, self.words(&entity[from]).into_iter().next().map(Value::String));
        }
        for (from, key) in [
            ("license", "license"),
            ("codeRepository", "codeRepository"),
            ("developmentStatus", "developmentStatus"),
            ("embargoEndDate", "embargoUntil"),
        ] {
            offer(key, from, self.links(&entity[from]).into_iter().next().map(Value::String));
        }
        for (from, key) in [
            ("programmingLanguage", "programmingLanguage"),
            ("runtimePlatform", "runtimePlatform"),
            ("operatingSystem", "operatingSystem"),
            ("softwareRequirements", "softwareRequirements"),
            ("applicationCategory", "applicationCategory"),
        ] {
            offer(key, from, list(&entity[from]));
        }
        offer("softwareHelp", "softwareHelp", Some(json!(self.links(&entity["softwareHelp"]))));
        offer("citation", "referencePublication", Some(json!(self.links(&entity["referencePublication"]))));
        let keywords: Vec<String> = self
            .words(&entity["keywords"])
            .iter()
            .flat_map(|words| words.split(','))
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect();
        offer("keyword", "keywords", (!keywords.is_empty()).then(|| json!({ "en": keywords })));
        for (from, key) in [
            ("author", "author"),
            ("creator", "author"),
            ("author", "creator"),
            ("creator", "creator"),
            ("maintainer", "maintainer"),
        ] {
            offer(key, from, Some(Value::Array(self.agents(&entity[from]))));
        }
        type Quantity = fn(&str) -> Option<Value>;
        let quantities: [(&str, &'static str, Quantity); 3] = [
            ("memoryRequirements", "needs.memory.min", |text| mebibytes(text).map(Value::from)),
            ("processorRequirements", "needs.cpu.min", |text| {
                cores(text)
                    .and_then(|number| number.parse::<f64>().ok())
                    .map(|number| if number.fract() == 0.0 { Value::from(number as u64) } else { Value::from(number) })
            }),
            ("storageRequirements", "needs.storage.scratch", |text| {
                mebibytes(text).map(|mib| Value::from(mib.div_ceil(1024)))
            }),
        ];
        for (from, key, quantity) in quantities {
            let Some(text) = self.words(&entity[from]).into_iter().next() else { continue };
            match quantity(&text) {
                Some(value) => offer(key, from, Some(value)),
                None => findings.push(
                    Finding::warning(
                        "value.quantity",
                        format!("`{from}` is not a quantity with a unit; it is not used for planning"),
                    )
                    .file(self.file)
                    .pointer(format!("{pointer}/{from}"))
                    .got(text)
                    .expected("a number with a unit, such as 4 GiB")
                    .fix(format!("set `{key}` in the manifest")),
                ),
            }
        }
    }

    /// Follows a reference into the crate.
    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value.as_object() {
            Some(object) if object.len() == 1 => value["@id"]
                .as_str()
                .and_then(|id| self.graph.iter().find(|node| node["@id"].as_str() == Some(id)))
                .unwrap_or(value),
            _ => value,
        }
    }

    /// Returns the texts of a property: strings, `@value`s, and names of things.
    fn words(&self, value: &Value) -> Vec<String> {
        each(value)
            .filter_map(|value| match self.resolve(value) {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                object => object.get("@value").or_else(|| object.get("name"))?.as_str().map(str::to_owned),
            })
            .filter(|text| !text.trim().is_empty())
            .collect()
    }

    /// Returns the addresses of a property: strings and `@id`s.
    fn links(&self, value: &Value) -> Vec<String> {
        each(value)
            .filter_map(|value| match value {
                Value::String(text) => Some(text.clone()),
                object => object
                    .get("@id")
                    .or_else(|| object.get("url"))
                    .or_else(|| object.get("@value"))?
                    .as_str()
                    .map(str::to_owned),
            })
            .filter(|text| !text.starts_with('#') && !text.starts_with("_:"))
            .collect()
    }

    /// Returns people and organisations as a manifest writes them.
    fn agents(&self, value: &Value) -> Vec<Value> {
        each(value)
            .filter_map(|value| {
                let value = self.resolve(value);
                if let Some(name) = value.as_str() {
                    return Some(json!({ "name": name }));
                }
                let part = |key: &str| self.words(&value[key]).into_iter().next();
                let name = part("name").or_else(|| match (part("givenName"), part("familyName")) {
                    (Some(given), Some(family)) => Some(format!("{given} {family}")),
                    (given, family) => given.or(family),
                })?;
                let mut agent = json!({ "name": name });
                if let Some(id) = value["@id"].as_str().filter(|id| id.starts_with("https://orcid.org/")) {
                    agent["@id"] = json!(id);
                }
                Some(agent)
            })
            .collect()
    }
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let many = value.as_array().map(Vec::as_slice);
    let one = if value.is_array() || value.is_null() { &[][..] } else { std::slice::from_ref(value) };
    many.unwrap_or(one).iter()
}

fn has_type(node: &Value, names: &[&str]) -> bool {
    each(&node["@type"])
        .filter_map(Value::as_str)
        .any(|name| names.contains(&name.rsplit(['/', '#', ':']).next().unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codemeta_is_read_in_the_keys_of_a_manifest() {
        let bytes = br#"{"name":"gLAB","description":"Short.","version":"5.5","license":"https://spdx.org/licenses/Apache-2.0",
            "author":[{"@type":"Person","@id":"https://orcid.org/0000-0002-1825-0097","givenName":"Josiah","familyName":"Carberry"}],
            "programmingLanguage":{"name":"C"},"keywords":"gnss, ppp","memoryRequirements":"4 GB","processorRequirements":"fast"}"#;
        let (gaps, findings) = gaps(None, Some(bytes));
        let value = |key: &str| gaps.iter().find(|gap| gap.key == key).map(|gap| gap.value.clone());
        assert_eq!(value("name"), Some(json!({"en": "gLAB"})));
        assert_eq!(value("keyword"), Some(json!({"en": ["gnss", "ppp"]})));
        assert_eq!(value("needs.memory.min"), Some(json!(4096)));
        assert_eq!(value("needs.cpu.min"), None);
        assert_eq!(
            value("author"),
            Some(json!([{"name": "Josiah Carberry", "@id": "https://orcid.org/0000-0002-1825-0097"}]))
        );
        assert_eq!(findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["value.quantity"]);
    }

    #[test]
    fn a_crate_speaks_of_its_main_entity() {
        let bytes = br##"{"@graph":[{"@id":"ro-crate-metadata.json","about":{"@id":"./"}},
            {"@id":"./","@type":"Dataset","name":"crate","mainEntity":{"@id":"#app"}},
            {"@id":"#app","@type":["SoftwareApplication"],"name":"App","author":{"@id":"#me"}},
            {"@id":"#me","@type":"Person","name":"Ada"}]}"##;
        let (gaps, _) = gaps(Some(bytes), None);
        assert_eq!(gaps[0].value, json!({"en": "App"}));
        assert_eq!(gaps[0].pointer, "/@graph/2/name");
        assert_eq!(gaps.iter().find(|gap| gap.key == "author").unwrap().value, json!([{"name": "Ada"}]));
    }

    #[test]
    fn what_cannot_be_read_is_a_warning() {
        assert_eq!(gaps(Some(b"{"), Some(b"[")).1.len(), 2);
        assert_eq!(gaps(Some(b"{}"), None).1[0].code, "gaps.unreadable");
    }
}
