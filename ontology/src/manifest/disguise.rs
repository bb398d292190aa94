//! Looks through what JSON-LD could hide a term in: keywords that nest, contexts that rename, objects where none belong.
//!
//! All of it is refused by name; it is walked as well, so that the report says which protected term was reached for.

use catalog_schemas::problem::Finding;

use crate::terms::{Datatype, Table, Term};

use super::check::Checker;
use super::keys::{Meaning, expand, meaning, term_by_name};
use super::tree::{Json, Member, Node, cut};

/// The keywords of JSON-LD 1.1; anything else that begins with `@` only looks like one.
const KEYWORDS: [&str; 23] = [
    "@base",
    "@container",
    "@context",
    "@default",
    "@direction",
    "@embed",
    "@explicit",
    "@graph",
    "@id",
    "@import",
    "@included",
    "@index",
    "@json",
    "@language",
    "@list",
    "@nest",
    "@none",
    "@prefix",
    "@reverse",
    "@set",
    "@type",
    "@value",
    "@vocab",
];

impl Checker<'_> {
    /// Refuses a keyword where it stands and looks through what it holds.
    pub(crate) fn keyword(&mut self, member: &Member<'_>) {
        let known = KEYWORDS.contains(&member.key.as_ref());
        let message = if known {
            format!("`{}` has no place here: a manifest is one record in the keys of its context", member.key)
        } else {
            format!("`{}` looks like a keyword of JSON-LD and is none", cut(&member.key, 40))
        };
        let finding = Finding::error("jsonld.keyword", message).got(&member.key);
        self.report(member.offset, finding.fix("remove it, and write its content with the keys of the term table"));
        self.disguised(&member.value, true, None);
    }

    /// Refuses a context inside the record; what it defines counts for looking through.
    pub(crate) fn nested_context(&mut self, member: &Member<'_>) {
        let finding = Finding::error("context.inline", "a context inside the record is not read")
            .got(member.value.shown())
            .expected("one @context at the top")
            .fix("remove it");
        self.report(member.offset, finding);
        self.definitions.collect(&member.value);
    }

    /// Reports a key that an inline context turns into a term which the writer may not write.
    pub(crate) fn redefined(&mut self, parent: Option<&'static Term>, prefix: &str, member: &Member<'_>) {
        if self.definitions.is_empty() {
            return;
        }
        let Some(target) = self.definitions.resolve(&member.key) else { return };
        if target.starts_with('@') {
            if !member.key.starts_with('@') {
                self.disguised(&member.value, true, None);
            }
            return;
        }
        let protected = Table::get().by_iri(self.kind, parent, &target).into_iter().find(|term| !self.may_write(term));
        if let Some(term) = protected.filter(|term| term_by_name(self.kind, prefix, &member.key) != Some(*term)) {
            self.forbidden(term, member);
        }
    }

    /// Reports every key below a value that reaches for a protected term of the record.
    ///
    /// `record` says that objects in it may speak of the record itself; otherwise `parent` is the term that holds it.
    pub(crate) fn disguised(&mut self, node: &Node<'_>, record: bool, parent: Option<&'static Term>) {
        match &node.value {
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.within(&index.to_string(), |check| check.disguised(item, record, parent));
                }
            }
            Json::Object(members) => {
                for member in members {
                    if self.is_full() {
                        return;
                    }
                    self.within(&member.key, |check| check.disguised_member(member, record, parent));
                }
            }
            _ => {}
        }
    }

    fn disguised_member(&mut self, member: &Member<'_>, record: bool, parent: Option<&'static Term>) {
        if member.key == "@context" {
            self.definitions.collect(&member.value);
            return;
        }
        // An object of unknown place may be merged with the record or with any of its nodes: the record is what counts.
        let mut term = None;
        if record {
            let target = self.definitions.resolve(&member.key).or_else(|| expand(&member.key));
            let by_iri = target.iter().flat_map(|iri| Table::get().by_iri(self.kind, None, iri));
            term = by_iri.into_iter().next();
            if term.is_none()
                && let Meaning::Term(found) = meaning(self.kind, None, "", &member.key)
            {
                term = Some(found);
            }
        }
        if term.is_none()
            && let Some(parent) = parent
            && let Meaning::Term(found) = meaning(self.kind, Some(parent), &parent.key, &member.key)
        {
            term = Some(found);
        }
        match term {
            // What the holder already forbids is not forbidden once more for each of its members.
            Some(term) if !self.may_write(term) && parent.is_none_or(|parent| self.may_write(parent)) => {
                self.forbidden(term, member);
            }
            Some(term) if matches!(term.datatype, Datatype::Node | Datatype::Nest) => {
                self.disguised(&member.value, false, Some(term));
            }
            _ => self.disguised(&member.value, record, parent),
        }
    }
}
