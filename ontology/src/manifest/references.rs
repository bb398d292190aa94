//! Values that point at something with a name of its own: concepts, licences, IRIs.

use catalog_schemas::problem::Finding;

use crate::record::value::Value;
use crate::scheme::Scheme;
use crate::terms::Term;

use super::check::Checker;
use super::fixes;
use super::lexical::{self, IriFault};
use super::licence::{self, Licence};
use super::tree::{Node, cut};

impl Checker<'_> {
    pub(crate) fn concept(&mut self, term: &'static Term, node: &Node<'_>, given: &str) -> Option<Value> {
        let base = term.base.as_deref().unwrap_or_default();
        let fix = match term.scheme.as_deref().and_then(Scheme::get) {
            Some(scheme) => {
                if let Some(concept) = scheme.find(given) {
                    return Some(Value::Concept { path: concept.path.to_string(), iri: concept.iri.to_string() });
                }
                fixes::of_concept(scheme, given)
            }
            None => {
                let name = given.strip_prefix(base).unwrap_or(given);
                if term.values.is_empty() && !name.is_empty() && !name.contains([' ', ':', '/', '<', '>', '"']) {
                    return Some(Value::Concept { path: name.to_owned(), iri: format!("{base}{name}") });
                }
                if let Some(name) = term.values.iter().find(|value| value.eq_ignore_ascii_case(name)) {
                    return Some(Value::Concept { path: name.clone(), iri: format!("{base}{name}") });
                }
                fixes::of_list(term, name)
            }
        };
        let code = if term.values.is_empty() { "concept.unknown" } else { "value.not_listed" };
        let finding = Finding::error(code, format!("`{}` is not a value of `{}`", cut(given, 80), term.name()))
            .term(term.compact_iri())
            .got(given)
            .expected(self.expected(term));
        self.report(node.offset, finding.fix(fix));
        None
    }

    pub(crate) fn licence(&mut self, term: &Term, node: &Node<'_>, given: &str) -> Option<Value> {
        match licence::licence(given) {
            Licence::Known(iri) => Some(Value::Iri(iri)),
            Licence::Unknown(iri, near) => {
                if self.writer.is_some() {
                    let mut finding = Finding::warning(
                        "license.unknown",
                        format!("`{}` is not a licence on the list known here", cut(given, 80)),
                    )
                    .term(term.compact_iri())
                    .got(given)
                    .expected("an SPDX identifier such as Apache-2.0");
                    finding = finding.fix(match near {
                        Some(near) => format!("write `{near}` if it is meant"),
                        None => "see whether https://spdx.org/licenses/ has it; nothing, if it does not".to_owned(),
                    });
                    self.report(node.offset, finding);
                }
                Some(Value::Iri(iri))
            }
            Licence::Invalid => {
                let finding = Finding::error(
                    "license.unknown",
                    format!("`{}` is neither an SPDX identifier nor an address", cut(given, 80)),
                )
                .term(term.compact_iri())
                .got(given)
                .expected("one SPDX identifier such as Apache-2.0, or an http(s) IRI")
                .fix("name one licence; the full text belongs into the file LICENSE");
                self.report(node.offset, finding);
                None
            }
        }
    }

    /// Reads an absolute IRI.
    pub(crate) fn iri(&mut self, given: &str, offset: u32, term: Option<&Term>) -> Option<String> {
        let (code, message, expected) = match lexical::iri(given) {
            Ok(iri) => return Some(iri),
            Err(IriFault::Invalid) => ("iri.invalid", "is not an absolute IRI", "an absolute IRI such as https://…"),
            Err(IriFault::Scheme) => {
                ("iri.scheme", "has a scheme that is not allowed", "http, https, urn, ivo, doi, mailto or ftp")
            }
        };
        let mut finding = Finding::error(code, format!("`{}` {message}", cut(given, 80)))
            .got(given)
            .expected(expected)
            .fix(fixes::of_iri(given, term));
        if let Some(term) = term {
            finding = finding.term(term.compact_iri());
        }
        self.report(offset, finding);
        None
    }
}
