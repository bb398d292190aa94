//! Values: each datatype of the term table, in every form in which JSON-LD lets it be written.

use std::collections::HashMap;
use std::sync::LazyLock;

use catalog_schemas::id::{Identifier, ShortName, Version};
use catalog_schemas::problem::Finding;
use regex::Regex;

use crate::record::value::{Fields, Value};
use crate::scheme::Scheme;
use crate::terms::{Datatype, Table, Term};

use super::check::{Checker, Watched};
use super::fixes;
use super::keys::likeness;
use super::lexical::{self, IriFault};
use super::text;
use super::tree::{Json, Node, cut};

/// Every regular expression of the table, compiled once.
static PATTERNS: LazyLock<HashMap<&'static str, Regex>> = LazyLock::new(|| {
    let of_terms = Table::get().terms().iter().filter_map(|term| term.pattern.as_deref());
    let of_types = Datatype::ALL.iter().filter_map(|datatype| datatype.pattern());
    of_terms.chain(of_types).filter_map(|pattern| Some((pattern, Regex::new(pattern).ok()?))).collect()
});

fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.get(pattern).is_none_or(|regex| regex.is_match(text))
}

impl Checker<'_> {
    /// Reads all values of a term, reporting what is wrong with each; what is wrong is left out.
    pub(crate) fn values(&mut self, term: &'static Term, node: &Node<'_>) -> Vec<Value> {
        let mut values = Vec::new();
        match term.datatype {
            Datatype::LanguageText => self.language_texts(term, node, &mut values),
            Datatype::TextList => self.text_list(term, node, &mut values),
            _ => self.items(term, node, &mut values),
        }
        values
    }

    fn items(&mut self, term: &'static Term, node: &Node<'_>, values: &mut Vec<Value>) {
        match &node.value {
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.within(&index.to_string(), |check| {
                        if check.too_many(term, index, item) { None } else { check.item(term, item) }
                    })
                    .into_iter()
                    .for_each(|value| push_distinct(values, value));
                }
            }
            Json::Object(members) if members.len() == 1 && matches!(members[0].key.as_ref(), "@list" | "@set") => {
                self.within(&members[0].key, |check| check.items(term, &members[0].value, values));
            }
            _ => values.extend(self.item(term, node)),
        }
    }

    /// Reports the second of values that may stand once; says whether it did.
    fn too_many(&mut self, term: &Term, index: usize, item: &Node<'_>) -> bool {
        let Some(max) = term.max.filter(|max| index >= *max as usize) else { return false };
        // One finding names the rule; the values after it would only repeat it.
        if index == max as usize {
            let finding = Finding::error("term.too_many", format!("`{}` has more than {max} value", term.name()))
                .term(term.compact_iri())
                .got(item.shown())
                .expected(format!("at most {max}"))
                .fix("keep one");
            self.report(item.offset, finding);
        }
        true
    }

    fn item(&mut self, term: &'static Term, node: &Node<'_>) -> Option<Value> {
        let value = match term.datatype {
            Datatype::Node => self.node(term, node),
            _ => match &node.value {
                Json::Object(_) => self.wrapped(term, node),
                _ => self.plain(term, node),
            },
        }?;
        if is_watched(term) {
            let pointer = self.pointer.clone();
            self.watched.push(Watched { term, value: value.clone(), offset: node.offset, pointer });
        }
        Some(value)
    }

    fn node(&mut self, term: &'static Term, node: &Node<'_>) -> Option<Value> {
        let Json::Object(members) = &node.value else {
            self.wrong_type(term, node);
            return None;
        };
        let mut fields = Fields::default();
        self.object(Some(term), node, members, &mut fields);
        (!fields.is_empty()).then_some(Value::Node(fields))
    }

    /// Reads `{"@value": …}` and `{"@id": …}`.
    fn wrapped(&mut self, term: &'static Term, node: &Node<'_>) -> Option<Value> {
        let members = node.as_object().unwrap_or_default();
        let known = |key: &str| matches!(key, "@value" | "@type" | "@language" | "@id" | "id" | "@direction");
        if members.is_empty() || !members.iter().all(|member| known(&member.key)) {
            self.wrong_type(term, node);
            self.disguised(node, true, None);
            return None;
        }
        let (key, inner) = match (node.get("@value"), node.get("@id").or_else(|| node.get("id"))) {
            (Some(inner), None) => ("@value", inner),
            (None, Some(inner)) => (if node.get("@id").is_some() { "@id" } else { "id" }, inner),
            _ => {
                self.wrong_type(term, node);
                return None;
            }
        };
        if key != "@value" && !matches!(term.datatype, Datatype::Iri | Datatype::Concept | Datatype::TextOrIri) {
            self.wrong_type(term, node);
            return None;
        }
        if matches!(inner.value, Json::Object(_) | Json::Array(_)) {
            self.within(key, |check| check.wrong_type(term, inner));
            return None;
        }
        // A typed value may write its number as text.
        let unquoted = match (&inner.value, term.datatype) {
            (Json::String(text), Datatype::Integer | Datatype::Decimal) if node.get("@type").is_some() => {
                Some(Node { offset: inner.offset, value: Json::Number(text.clone()) })
            }
            (Json::String(text), Datatype::Boolean) if node.get("@type").is_some() => match text.as_ref() {
                "true" | "1" => Some(Node { offset: inner.offset, value: Json::Boolean(true) }),
                "false" | "0" => Some(Node { offset: inner.offset, value: Json::Boolean(false) }),
                _ => None,
            },
            _ => None,
        };
        self.within(key, |check| check.plain(term, unquoted.as_ref().unwrap_or(inner)))
    }

    fn plain(&mut self, term: &'static Term, node: &Node<'_>) -> Option<Value> {
        match (&node.value, term.datatype) {
            (Json::Boolean(truth), Datatype::Boolean) => Some(Value::Boolean(*truth)),
            (Json::Number(number), Datatype::Integer | Datatype::Decimal) => self.number(term, node, number),
            (Json::String(_), Datatype::Integer | Datatype::Decimal | Datatype::Boolean) => {
                self.wrong_type(term, node);
                None
            }
            (Json::String(text), _) => self.string(term, node, text),
            _ => {
                self.wrong_type(term, node);
                None
            }
        }
    }

    fn number(&mut self, term: &Term, node: &Node<'_>, text: &str) -> Option<Value> {
        let fault = |code, message: String| Finding::error(code, message).term(term.compact_iri()).got(text);
        // Fifteen digits survive the way through a double, which is what JSON readers make of a number.
        let Some(number) =
            lexical::decimal(text).filter(|number| number.bytes().filter(u8::is_ascii_digit).count() <= 15)
        else {
            let finding = fault("value.range", format!("`{}` has more digits than can be kept", term.name()));
            self.report(
                node.offset,
                finding.expected("at most 15 digits").fix("write the number with at most 15 digits"),
            );
            return None;
        };
        let whole = number.parse::<i64>().ok();
        if let Some((low, high)) = term.range {
            let value: f64 = number.parse().unwrap_or(f64::NAN);
            if !(low as f64..=high as f64).contains(&value) {
                let expected = match (low, high) {
                    (low, i64::MAX) => format!("{low} or more"),
                    (i64::MIN, high) => format!("{high} or less"),
                    (low, high) => format!("{low} to {high}"),
                };
                let finding = fault("value.range", format!("`{}` must be {expected}", term.name()));
                self.report(node.offset, finding.fix(fixes::of_range(&expected)).expected(expected));
                return None;
            }
        }
        match (term.datatype, whole) {
            (Datatype::Integer, Some(whole)) => Some(Value::Integer(whole)),
            (Datatype::Integer, None) => {
                let finding = fault("value.format", format!("`{}` is not a whole number", term.name()));
                self.report(node.offset, finding.expected("a whole number").fix(fixes::whole(&number)));
                None
            }
            _ if is_cores(term) && number.split_once('.').is_some_and(|(_, fraction)| fraction.len() > 3) => {
                let finding = fault("value.format", "processor cores go down to thousandths".to_owned());
                let finding = finding.expected("at most three digits after the point");
                self.report(node.offset, finding.fix("round it to three digits after the point"));
                None
            }
            _ => Some(Value::Literal(number)),
        }
    }

    fn string(&mut self, term: &'static Term, node: &Node<'_>, given: &str) -> Option<Value> {
        if given.trim().is_empty() {
            let finding = Finding::error("value.format", format!("`{}` is empty", term.name()))
                .term(term.compact_iri())
                .got(given);
            self.report(node.offset, finding.expected(self.expected(term)).fix("write something, or remove it"));
            return None;
        }
        let fault = |code: &str, message: String, expected: &str| {
            Finding::error(code, message).term(term.compact_iri()).got(given).expected(expected)
        };
        match term.datatype {
            Datatype::Concept => return self.concept(term, node, given),
            Datatype::Iri if is_licence(term) => return self.licence(term, node, given),
            Datatype::Iri => {
                let full = match (&term.base, lexical::doi(given)) {
                    (Some(base), _) if !given.contains(':') => format!("{base}{given}"),
                    (_, Some(doi)) => doi,
                    _ => given.to_owned(),
                };
                let iri = self.iri(&full, node.offset, Some(term))?;
                let form = term.pattern.as_deref().filter(|pattern| !matches(pattern, &iri));
                if let Some(pattern) = form {
                    let message = format!("`{}` does not have its form", term.name());
                    let finding = fault("value.pattern", message, &format!("an IRI that matches {pattern}"));
                    self.report(node.offset, finding.fix(format!("write an address that matches {pattern}")));
                    return None;
                }
                return Some(Value::Iri(iri));
            }
            Datatype::TextOrIri => {
                if let Some(doi) = lexical::doi(given) {
                    return Some(Value::Iri(doi));
                }
                let looks_like_iri = given.contains("://") || given.starts_with("urn:") || given.starts_with("ivo:");
                let harmful = lexical::iri(given) == Err(IriFault::Scheme) && !given.contains(' ') && dangerous(given);
                if looks_like_iri && !given.contains(' ') || harmful {
                    return self.iri(given, node.offset, Some(term)).map(Value::Iri);
                }
            }
            Datatype::Identifier => {
                if let Err(error) = given.parse::<Identifier>() {
                    self.report(
                        node.offset,
                        fault("identifier.invalid", error.to_string(), term.datatype.expected())
                            .fix(fixes::of_text(term, given)),
                    );
                    return None;
                }
            }
            Datatype::Version => {
                if let Err(error) = given.parse::<Version>() {
                    self.report(
                        node.offset,
                        fault("value.pattern", error.to_string(), term.datatype.expected())
                            .fix(fixes::of_text(term, given)),
                    );
                    return None;
                }
            }
            Datatype::ShortName => {
                if let Err(error) = given.parse::<ShortName>() {
                    self.report(
                        node.offset,
                        fault("value.pattern", error.to_string(), term.datatype.expected())
                            .fix(fixes::of_text(term, given)),
                    );
                    return None;
                }
            }
            Datatype::Date | Datatype::DateTime | Datatype::Duration => {
                let good = match term.datatype {
                    Datatype::Date => lexical::is_date(given),
                    Datatype::DateTime => lexical::is_date_time(given),
                    _ => lexical::is_duration(given),
                };
                // Other catalogues know of many things only the year; a day would be an invention.
                let may_be_short = self.writer.is_none() || self.profile == super::Profile::Harvest;
                let is_short = may_be_short
                    && match term.datatype {
                        Datatype::Date => lexical::short_date(given).is_some(),
                        Datatype::DateTime => lexical::short_date(given).is_some() || lexical::is_date(given),
                        _ => false,
                    };
                if is_short {
                    return Some(Value::Literal(given.to_owned()));
                }
                if !good {
                    let expected = term.datatype.expected();
                    let exists = if term.datatype == Datatype::Duration { "" } else { ", that exists" };
                    let message = format!("`{}` is not {expected}{exists}", term.name());
                    self.report(node.offset, fault("value.format", message, expected).fix(fixes::of_text(term, given)));
                    return None;
                }
            }
            Datatype::AbsolutePath if is_mount(term) => {
                if let Err(error) = catalog_schemas::volume::check_mount_path(given) {
                    let finding = fault("mount.invalid", error.to_string(), term.datatype.expected());
                    self.report(
                        node.offset,
                        finding.fix("write an absolute path below /data, such as /data/user/name"),
                    );
                    return None;
                }
            }
            Datatype::File => {
                if !lexical::is_package_path(given) {
                    let message = format!("`{}` is not a path inside the package", term.name());
                    let finding = fault("value.format", message, "a relative path without `..`");
                    self.report(node.offset, finding.fix(fixes::of_text(term, given)));
                    return None;
                }
                if self.files.is_some_and(|holds| !holds(given)) {
                    let message = format!("the package holds no file `{}`", cut(given, 120));
                    self.report(
                        node.offset,
                        fault("file.missing", message, "a file of the package")
                            .fix("add the file, or correct the path"),
                    );
                    return None;
                }
            }
            Datatype::ImageReference if lexical::image_reference(given).is_none() => {
                let message = format!("`{}` is not an image reference", term.name());
                let finding = fault("image.reference", message, term.datatype.expected());
                self.report(node.offset, finding.fix(fixes::of_text(term, given)));
                return None;
            }
            Datatype::Digest if !lexical::is_sha256(given) => {
                let message = format!("`{}` is not a digest", term.name());
                let finding = fault("value.format", message, term.datatype.expected());
                self.report(node.offset, finding.fix(fixes::of_text(term, given)));
                return None;
            }
            _ => {}
        }
        self.plain_text(term, node, given).map(Value::Literal)
    }

    /// Applies what holds for every text: length, pattern, list, spelling, and what a text should not hide.
    pub(crate) fn plain_text(&mut self, term: &'static Term, node: &Node<'_>, given: &str) -> Option<String> {
        let given = text::normalised(given);
        let fault =
            |code: &str, message: String| Finding::error(code, message).term(term.compact_iri()).got(given.as_ref());
        if let Some(most) = term.max_length.filter(|most| given.len() > *most) {
            let length = given.chars().count();
            if length > most {
                let finding = fault(
                    "value.too_long",
                    format!("`{}` has {length} characters, at most {most} are allowed", term.name()),
                );
                self.report(node.offset, finding.expected(format!("at most {most} characters")).fix("shorten it"));
                return None;
            }
        }
        for (pattern, expected) in [(term.datatype.pattern(), term.datatype.expected()), (term.pattern.as_deref(), "")]
        {
            let Some(pattern) = pattern else { continue };
            if !matches(pattern, &given) {
                let expected =
                    if expected.is_empty() { format!("text that matches {pattern}") } else { expected.to_owned() };
                let code = match term.datatype {
                    Datatype::ImageReference => "image.reference",
                    _ => "value.pattern",
                };
                let finding = fault(code, format!("`{}` does not have its form", term.name())).expected(expected);
                self.report(node.offset, finding.fix(fixes::of_text(term, &given)));
                return None;
            }
        }
        if !term.values.is_empty() && !term.values.iter().any(|value| *value == given) {
            let message = format!("`{}` is not a value of `{}`", cut(&given, 80), term.name());
            let finding = fault("value.not_listed", message).expected(format!("one of {}", term.values.join(", ")));
            self.report(node.offset, finding.fix(fixes::of_list(term, &given)));
            return None;
        }
        if !self.look_into(term, node, &given) {
            return None;
        }
        if let Some(known) = term.scheme.as_deref().and_then(Scheme::get).and_then(|scheme| scheme.find(&given)) {
            return Some(known.notation.to_string());
        }
        Some(given.into_owned())
    }

    /// Warns of what a text should not hold; says whether the text can be kept.
    fn look_into(&mut self, term: &Term, node: &Node<'_>, given: &str) -> bool {
        // A record that was stored has been warned about.
        if self.writer.is_none() {
            return true;
        }
        if let Some(character) = text::unwritable(given) {
            let shown = format!("U+{:04X}", character as u32);
            let message = format!("`{}` holds {shown}, which no XML can hold", term.name());
            let finding = Finding::error("text.control", message).term(term.compact_iri()).got(shown);
            self.report(node.offset, finding.expected("text without control characters").fix("remove the character"));
            return false;
        }
        if let Some(character) = text::hidden_character(given) {
            let (code, what) = if text::is_bidi(character) {
                ("text.bidi", "steers the direction of text")
            } else {
                ("text.control", "is invisible")
            };
            let finding =
                Finding::warning(code, format!("`{}` holds U+{:04X}, which {what}", term.name(), character as u32))
                    .term(term.compact_iri())
                    .got(format!("U+{:04X}", character as u32))
                    .fix("remove the character");
            self.report(node.offset, finding);
        }
        if let Some(word) = text::mixed_word(given) {
            let finding = Finding::warning(
                "text.confusable",
                format!("`{}` mixes letters of several scripts in one word", term.name()),
            );
            self.report(node.offset, finding.term(term.compact_iri()).got(word).fix("write the word in one script"));
        }
        if !matches!(term.datatype, Datatype::Text | Datatype::LanguageText | Datatype::TextOrIri)
            || term.key.contains("env.")
        {
            return true;
        }
        if text::secret(given).is_some() {
            // The finding must not carry on what it warns of: reports are shown and stored.
            let finding =
                Finding::warning("secret.suspected", format!("`{}` seems to hold a password or key", term.name()))
                    .term(term.compact_iri())
                    .fix("remove it, and change the secret if it is one: a package is public");
            self.report(node.offset, finding);
        }
        true
    }

    fn text_list(&mut self, term: &'static Term, node: &Node<'_>, values: &mut Vec<Value>) {
        let single = std::slice::from_ref(node);
        let items = match &node.value {
            Json::Array(items) => items.as_slice(),
            Json::Object(members) if members.len() == 1 && members[0].key == "@list" => match &members[0].value.value {
                Json::Array(items) => items.as_slice(),
                _ => std::slice::from_ref(&members[0].value),
            },
            _ => single,
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let text = self.within(&index.to_string(), |check| match item.as_str() {
                Some(text) => check.plain_text(term, item, text),
                None => {
                    check.wrong_type(term, item);
                    None
                }
            });
            texts.extend(text);
        }
        if !texts.is_empty() {
            values.push(Value::List(texts));
        }
    }

    /// Reports a value of the wrong kind.
    pub(crate) fn wrong_type(&mut self, term: &Term, node: &Node<'_>) {
        let expected = self.expected(term);
        let mut finding = Finding::error("value.type", format!("`{}` is {}, not {expected}", term.name(), node.kind()))
            .got(node.shown())
            .expected(expected.clone());
        // A nest is a place in the file and no property of its own.
        if term.datatype != Datatype::Nest {
            finding = finding.term(term.compact_iri());
        }
        let required = self.writer.is_some_and(|writer| term.is_required_from(writer));
        finding = finding.fix(fixes::of_type(term, node, &expected, required));
        self.report(node.offset, finding);
    }
}

/// RDF holds a statement once, and so does a record.
pub(crate) fn push_distinct(values: &mut Vec<Value>, value: Value) {
    // Comparing with every value before would be quadratic on a hostile file; the last ones catch what people double.
    if !values.iter().rev().take(64).any(|other| *other == value) {
        values.push(value);
    }
}

pub(crate) fn closest<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    among
        .map(|other| (likeness(&word, &other.to_lowercase()), other))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

pub(crate) fn is_watched(term: &Term) -> bool {
    matches!(
        term.key.as_str(),
        "needs.cpu.min"
            | "needs.cpu.max"
            | "needs.memory.min"
            | "needs.memory.max"
            | "needs.gpu.count"
            | "needs.gpu.maxCount"
            | "volume.mountPath"
            | "runtime.env.name"
            | "runtime.env.value"
            | "runtime.port"
            | "abstract"
            | "description"
            | "datalabImage.reference"
            | "interfaceType"
    )
}

pub(crate) fn is_cores(term: &Term) -> bool {
    matches!(term.name(), "min" | "max") && term.prefix().ends_with("cpu")
}

fn is_mount(term: &Term) -> bool {
    term.name().to_lowercase().ends_with("mountpath")
}

fn is_licence(term: &Term) -> bool {
    term.iri.as_str() == "https://schema.org/license" || term.iri.as_str() == "http://purl.org/dc/terms/license"
}

/// Says whether a text begins with a scheme that a browser would run.
fn dangerous(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    ["javascript", "vbscript", "data", "file", "blob"].contains(&scheme.as_str())
}
