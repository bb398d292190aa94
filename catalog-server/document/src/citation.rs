//! How a record is cited: BibTeX, RIS, CSL-JSON, CITATION.cff, and a line for people.

use catalog_ontology::terms::Kind;
use serde_json::{Value, json};

use crate::described::{Agent, Described};
use crate::names;

/// Returns a line that a person can copy.
pub fn line(described: &Described) -> String {
    let creators = described.creators().iter().map(|agent| agent.name.clone()).collect::<Vec<_>>().join("; ");
    let version = described.version().map(|version| format!(" (version {version})")).unwrap_or_default();
    let (year, name, publisher) = (described.year(), described.name(), described.publisher().name);
    format!("{creators} ({year}). {name}{version}. {publisher}. {}", address(described))
}

/// The address that is cited: the DOI where the record has one.
fn address(described: &Described) -> String {
    described.doi().map_or_else(|| described.iri(), |doi| format!("https://doi.org/{doi}"))
}

fn is_data(described: &Described) -> bool {
    matches!(described.kind(), Kind::Dataset | Kind::DataVolume)
}

/// Returns BibTeX.
pub fn bibtex(described: &Described) -> String {
    let kind = if is_data(described) { "dataset" } else { "software" };
    let key: String = described.identifier().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut text = format!("@{kind}{{{key}_{},\n", described.year());
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name} = {{{}}},\n", tex(value)));
        }
    };
    say("title", described.name());
    let creators: Vec<String> = described.creators().iter().map(tex_name).collect();
    text.push_str(&format!("  author = {{{}}},\n", creators.join(" and ")));
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name} = {{{}}},\n", tex(value)));
        }
    };
    say("year", &described.year());
    say("date", &described.issued_day());
    say("publisher", &described.publisher().name);
    say("version", described.version().unwrap_or_default());
    say("doi", described.doi().unwrap_or_default());
    say("abstract", described.summary());
    text.push_str(&format!("  url = {{{}}}\n}}\n", address(described).replace(['{', '}'], "")));
    text
}

/// A name of more words than a person's is kept together by braces of its own.
fn tex_name(agent: &Agent) -> String {
    match names::split(agent) {
        Some((family, given)) => format!("{}, {}", tex(family), tex(given)),
        None => format!("{{{}}}", tex(&agent.name)),
    }
}

fn tex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns RIS.
pub fn ris(described: &Described) -> String {
    let mut text = String::new();
    let mut say = |tag: &str, value: &str| {
        let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !value.trim().is_empty() {
            text.push_str(&format!("{tag}  - {}\r\n", value.trim()));
        }
    };
    say("TY", if is_data(described) { "DATA" } else { "COMP" });
    say("TI", described.name());
    for agent in described.creators() {
        let name =
            names::split(&agent).map_or_else(|| agent.name.clone(), |(family, given)| format!("{family}, {given}"));
        say("AU", &name);
    }
    say("PY", &described.year());
    say("DA", &described.issued_day().replace('-', "/"));
    say("PB", &described.publisher().name);
    say("ET", described.version().unwrap_or_default());
    say("DO", described.doi().unwrap_or_default());
    say("AB", described.summary());
    described.keywords().into_iter().for_each(|(_, word)| say("KW", word));
    say("UR", &address(described));
    text.push_str("ER  - \r\n");
    text
}

/// Returns CSL-JSON, what citation processors read.
pub fn csl(described: &Described) -> Value {
    let authors: Vec<Value> = described
        .creators()
        .iter()
        .map(|agent| match names::split(agent) {
            Some((family, given)) => json!({ "family": family, "given": given }),
            None => json!({ "literal": agent.name }),
        })
        .collect();
    let parts: Vec<u32> = described.issued_day().split('-').filter_map(|part| part.parse().ok()).collect();
    let mut item = json!({
        "id": described.iri(), "type": if is_data(described) { "dataset" } else { "software" },
        "title": described.name(), "author": authors, "issued": { "date-parts": [parts] },
        "publisher": described.publisher().name, "abstract": described.summary(), "URL": address(described),
    });
    if let Some(object) = item.as_object_mut() {
        if let Some(version) = described.version() {
            object.insert("version".to_owned(), json!(version));
        }
        if let Some(doi) = described.doi() {
            object.insert("DOI".to_owned(), json!(doi));
        }
        let words: Vec<&str> = described.keywords().into_iter().map(|(_, word)| word).collect();
        if !words.is_empty() {
            object.insert("keyword".to_owned(), json!(words.join(", ")));
        }
    }
    item
}

/// Returns a text in double quotes, as JSON and YAML write it; what YAML does not print (1.2, section 5.1) is escaped.
fn quoted(text: &str) -> String {
    let json = Value::String(text.to_owned()).to_string();
    json.chars().fold(String::with_capacity(json.len()), |mut yaml, c| {
        match c {
            '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                yaml.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => yaml.push(c),
        }
        yaml
    })
}

/// Returns `CITATION.cff`, Citation File Format 1.2.0.
///
/// Every scalar is written as JSON writes a text, which is how YAML writes one in double quotes.
pub fn cff(described: &Described) -> String {
    let mut text = String::from("cff-version: 1.2.0\nmessage: \"If you use this, please cite it as below.\"\n");
    let mut say = |key: &str, value: &str| text.push_str(&format!("{key}: {}\n", quoted(value)));
    say("title", described.name());
    say("abstract", described.summary());
    say("type", if is_data(described) { "dataset" } else { "software" });
    if let Some(version) = described.version() {
        say("version", version);
    }
    say("date-released", &described.issued_day());
    say("url", &described.iri());
    if let Some(doi) = described.doi() {
        say("doi", doi);
    }
    if let Some(licence) = described.spdx() {
        say("license", licence);
    } else if let Some(licence) = described.licence() {
        say("license-url", licence);
    }
    if let Some(repository) = described.record().string("codeRepository") {
        say("repository-code", repository);
    }
    text.push_str("authors:\n");
    for agent in described.creators() {
        let mut lines = Vec::new();
        match names::split(&agent) {
            Some((family, given)) => {
                lines.push(format!("family-names: {}", quoted(family)));
                lines.push(format!("given-names: {}", quoted(given)));
                lines.extend(agent.affiliation.iter().map(|name| format!("affiliation: {}", quoted(name))));
            }
            None => lines.push(format!("name: {}", quoted(&agent.name))),
        }
        lines.extend(
            agent.iri.iter().filter(|iri| iri.contains("orcid.org/")).map(|iri| format!("orcid: {}", quoted(iri))),
        );
        text.push_str(&format!("  - {}\n", lines.join("\n    ")));
    }
    let mut words: Vec<&str> = described.keywords().into_iter().map(|(_, word)| word).collect();
    words.dedup();
    if !words.is_empty() {
        text.push_str("keywords:\n");
        words.into_iter().for_each(|word| text.push_str(&format!("  - {}\n", quoted(word))));
    }
    text
}
