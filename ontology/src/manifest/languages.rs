//! Texts with a language, in the four forms in which JSON-LD writes them.

use std::collections::HashSet;

use catalog_schemas::problem::{Finding, Severity};

use crate::record::value::Value;
use crate::terms::Term;

use super::check::{Checker, Watched};
use super::lexical;
use super::tree::{Json, Node, cut};
use super::values::{is_watched, push_distinct};

impl Checker<'_> {
    pub(crate) fn language_texts(&mut self, term: &'static Term, node: &Node<'_>, values: &mut Vec<Value>) {
        let mut languages = HashSet::new();
        let mut assumed = false;
        self.language_item(term, node, values, &mut languages, &mut assumed);
        if assumed && self.writer.is_some() {
            let mut finding = Finding::warning(
                "language.assumed",
                format!("`{}` names no language; English is assumed", term.name()),
            )
            .term(term.compact_iri())
            .expected(term.datatype.expected())
            .fix("write {\"en\": \"…\"} with the language of the text");
            finding.severity = Severity::Hint;
            self.report(node.offset, finding);
        }
    }

    fn language_item(
        &mut self,
        term: &'static Term,
        node: &Node<'_>,
        values: &mut Vec<Value>,
        languages: &mut HashSet<String>,
        assumed: &mut bool,
    ) {
        match &node.value {
            Json::String(text) => {
                *assumed = true;
                self.language_text(term, node, "en", text, values, languages);
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.within(&index.to_string(), |check| {
                        check.language_item(term, item, values, languages, assumed)
                    });
                }
            }
            Json::Object(members) if members.iter().any(|member| member.key == "@value") => {
                let (value, language) = (node.get("@value"), node.get("@language"));
                match (value.and_then(Node::as_str), language.map(Node::as_str)) {
                    (Some(text), None) => {
                        *assumed = true;
                        self.language_text(term, node, "en", text, values, languages);
                    }
                    (Some(text), Some(Some(language))) => {
                        let language = language.to_owned();
                        self.tagged(term, node, &language, text, values, languages);
                    }
                    _ => self.wrong_type(term, node),
                }
            }
            Json::Object(members) if members.len() == 1 && members[0].key == "@set" => {
                self.within("@set", |check| check.language_item(term, &members[0].value, values, languages, assumed));
            }
            Json::Object(members) if !members.is_empty() => {
                for member in members {
                    if self.is_full() {
                        return;
                    }
                    self.within(&member.key, |check| {
                        if member.key == "@none" {
                            *assumed = true;
                        } else if member.key.starts_with('@') {
                            return check.keyword(member);
                        }
                        let language = if member.key == "@none" { "en" } else { member.key.as_ref() };
                        match &member.value.value {
                            Json::String(text) => check.tagged(term, &member.value, language, text, values, languages),
                            Json::Array(items) if items.iter().all(|item| item.as_str().is_some()) => {
                                for (index, item) in items.iter().enumerate() {
                                    let text = item.as_str().unwrap_or_default();
                                    check.within(&index.to_string(), |check| {
                                        check.tagged(term, item, language, text, values, languages)
                                    });
                                }
                            }
                            _ => {
                                check.wrong_type(term, &member.value);
                                check.disguised(&member.value, true, None);
                            }
                        }
                    });
                }
            }
            _ => self.wrong_type(term, node),
        }
    }

    fn tagged(
        &mut self,
        term: &'static Term,
        node: &Node<'_>,
        tag: &str,
        text: &str,
        values: &mut Vec<Value>,
        languages: &mut HashSet<String>,
    ) {
        match lexical::language(tag) {
            Ok(language) => {
                if self.writer.is_some() && !lexical::is_registered(&language) {
                    let message = format!("`{}` is not a tag that is registered for a language", cut(tag, 40));
                    let finding = Finding::warning("value.language", message).term(term.compact_iri()).got(tag);
                    let fix = match lexical::nearest_language(tag) {
                        Some(right) => format!("write `{right}` if it is meant"),
                        None => "write the language's tag, such as `en` for English".to_owned(),
                    };
                    self.report(node.offset, finding.expected("a tag of BCP 47, such as en or pt-BR").fix(fix));
                }
                self.language_text(term, node, &language, text, values, languages)
            }
            Err(rule) => {
                let mut finding =
                    Finding::error("value.language", format!("`{}` is not a language: {rule}", cut(tag, 40)))
                        .term(term.compact_iri())
                        .got(tag)
                        .expected("a tag of BCP 47, such as en or pt-BR");
                finding = finding.fix(match lexical::nearest_language(tag) {
                    Some(right) => format!("write `{right}`"),
                    None => "write the language's tag, such as `en` for English".to_owned(),
                });
                self.report(node.offset, finding);
            }
        }
    }

    fn language_text(
        &mut self,
        term: &'static Term,
        node: &Node<'_>,
        language: &str,
        given: &str,
        values: &mut Vec<Value>,
        languages: &mut HashSet<String>,
    ) {
        if given.trim().is_empty() {
            let finding = Finding::error("value.format", format!("`{}` is empty", term.name()))
                .term(term.compact_iri())
                .got(given);
            return self
                .report(node.offset, finding.expected(self.expected(term)).fix("write something, or remove it"));
        }
        if !languages.insert(language.to_owned()) && term.per_language {
            let finding =
                Finding::error("term.too_many", format!("`{}` has more than one text in `{language}`", term.name()))
                    .term(term.compact_iri())
                    .got(given)
                    .expected("one text a language");
            return self.report(node.offset, finding.fix("keep one"));
        }
        let Some(text) = self.plain_text(term, node, given) else { return };
        let value = Value::Text { text, language: language.to_owned() };
        if is_watched(term) {
            let pointer = self.pointer.clone();
            self.watched.push(Watched { term, value: value.clone(), offset: node.offset, pointer });
        }
        push_distinct(values, value);
    }
}
