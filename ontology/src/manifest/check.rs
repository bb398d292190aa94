//! Walks a manifest by the term table: what each key means, who may write it, how often it may stand.

use std::collections::HashMap;

use catalog_schemas::account::Role;
use catalog_schemas::problem::{Finding, Severity};

use crate::record::value::{Fields, Value};
use crate::terms::{Datatype, Kind, Term};

use super::Profile;
use super::fixes;
use super::gaps::Gap;
use super::keys::{Definitions, Meaning, children, meaning, nearest};
use super::tree::{Json, Member, Node, cut, push_pointer};

/// More findings than a person reads; the walk ends here, so that a hostile file costs no more than its size.
const MOST_FINDINGS: usize = 500;

/// A finding and the byte offset it is about.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) offset: u32,
    pub(crate) finding: Finding,
}

/// A value that rules over several terms look at, with its place.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) term: &'static Term,
    pub(crate) value: Value,
    pub(crate) offset: u32,
    pub(crate) pointer: String,
}

/// Which terms an object holds.
#[derive(Debug, Default)]
struct Held {
    /// Each term that is given, with the key that gave it.
    given: HashMap<*const Term, String>,
    /// The terms that a misspelt key most likely means: they are not missing as well.
    meant: Vec<&'static str>,
}

pub(crate) struct Checker<'o> {
    pub(crate) kind: Kind,
    pub(crate) profile: Profile,
    /// Who wrote the manifest; nobody for a record document that was valid before.
    pub(crate) writer: Option<Role>,
    /// Whether every required term must be there.
    pub(crate) complete: bool,
    pub(crate) files: Option<&'o dyn Fn(&str) -> bool>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) definitions: Definitions,
    pub(crate) placed: Vec<Placed>,
    pub(crate) watched: Vec<Watched>,
    pub(crate) pointer: String,
}

impl<'o> Checker<'o> {
    pub(crate) fn new(
        kind: Kind,
        writer: Option<Role>,
        complete: bool,
        files: Option<&'o dyn Fn(&str) -> bool>,
    ) -> Self {
        Self {
            kind,
            profile: Profile::Publication,
            writer,
            complete,
            files,
            gaps: Vec::new(),
            definitions: Definitions::default(),
            placed: Vec::new(),
            watched: Vec::new(),
            pointer: String::new(),
        }
    }

    /// Records a finding at the current pointer.
    pub(crate) fn report(&mut self, offset: u32, finding: Finding) {
        if self.placed.len() < MOST_FINDINGS {
            let finding = finding.pointer(self.pointer.clone());
            self.placed.push(Placed { offset, finding });
        } else if self.placed.len() == MOST_FINDINGS {
            let message = format!("more than {MOST_FINDINGS} findings; the rest is not listed");
            self.placed.push(Placed { offset: u32::MAX, finding: Finding::error("limit.findings", message) });
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.placed.len() > MOST_FINDINGS
    }

    /// Runs `inside` with one more step in the pointer.
    pub(crate) fn within<T>(&mut self, step: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        push_pointer(&mut self.pointer, step);
        let result = inside(self);
        self.pointer.truncate(length);
        result
    }

    /// Checks an object that is the record itself or a node of `parent`, and what is missing in it.
    pub(crate) fn object(
        &mut self,
        parent: Option<&'static Term>,
        node: &Node<'_>,
        members: &[Member<'_>],
        fields: &mut Fields,
    ) {
        let prefix = parent.map_or("", |term| term.key.as_str());
        self.members(parent, prefix, node.offset, members, fields);
    }

    /// Checks the members of an object at the dotted key `prefix`, whose terms are said of the node of `parent`.
    fn members(
        &mut self,
        parent: Option<&'static Term>,
        prefix: &str,
        offset: u32,
        members: &[Member<'_>],
        fields: &mut Fields,
    ) {
        let mut held = Held::default();
        for member in members {
            if self.is_full() {
                return;
            }
            self.within(&member.key, |check| check.member(parent, prefix, member, fields, &mut held));
        }
        self.missing(parent, prefix, offset, fields, &held);
    }

    fn member(
        &mut self,
        parent: Option<&'static Term>,
        prefix: &str,
        member: &Member<'_>,
        fields: &mut Fields,
        held: &mut Held,
    ) {
        self.redefined(parent, prefix, member);
        match meaning(self.kind, parent, prefix, &member.key) {
            Meaning::Term(term) => {
                let before = held.given.insert(std::ptr::from_ref(term), member.key.to_string());
                if let Some(before) = before.filter(|_| term.datatype != Datatype::Nest) {
                    // A key that stands twice was found when the file was read.
                    if before == member.key {
                        return;
                    }
                    let message = format!("`{}` is given twice under different names", term.name());
                    let finding = Finding::error("term.too_many", message).term(term.compact_iri());
                    self.report(member.offset, finding.got(&member.key).fix(format!("write `{}` once", term.name())));
                    return;
                }
                if !self.term(parent, term, member, fields) {
                    held.given.remove(&std::ptr::from_ref(term));
                }
            }
            Meaning::Context if parent.is_none() && prefix.is_empty() => {}
            Meaning::Context => self.nested_context(member),
            Meaning::Type if parent.is_none() && prefix.is_empty() => {}
            Meaning::Type => self.nested_type(prefix, member, fields),
            Meaning::Id => self.id(parent, member, fields),
            Meaning::Keyword => self.keyword(member),
            Meaning::Foreign(iri) => self.foreign(&iri, member, fields),
            Meaning::UnknownIn(compact) => held.meant.extend(self.unknown(prefix, &compact, member)),
            Meaning::Unknown => held.meant.extend(self.unknown(prefix, "", member)),
        }
    }

    /// Reads what a member gives; says whether it gives something, be it wrong.
    fn term(
        &mut self,
        parent: Option<&'static Term>,
        term: &'static Term,
        member: &Member<'_>,
        fields: &mut Fields,
    ) -> bool {
        if term.is_refused() {
            let finding = Finding::error(refused_code(term), format!("`{}` cannot be asked for", term.key))
                .term(term.compact_iri())
                .got(member.value.shown())
                .fix("remove it");
            self.report(member.offset, finding);
            return true;
        }
        if !self.may_write(term) {
            self.forbidden(term, member);
            self.disguised(&member.value, term.datatype == Datatype::Node, Some(term));
            return true;
        }
        if term.datatype == Datatype::Nest {
            match &member.value.value {
                Json::Object(members) => self.members(parent, &term.key, member.value.offset, members, fields),
                _ => self.wrong_type(term, &member.value),
            }
            return true;
        }
        let before = self.placed.len();
        let values = self.values(term, &member.value);
        if values.is_empty() && self.placed.len() == before {
            // An empty array says nothing, as in JSON-LD; another file of the package or a default may.
            let filled = self.gaps.iter().any(|gap| gap.key == term.key);
            if filled || !self.complete || !self.writer.is_some_and(|writer| term.is_required_from(writer)) {
                return false;
            }
            let finding = Finding::error("term.missing", format!("`{}` has no value", term.name()))
                .term(term.compact_iri())
                .got(member.value.shown())
                .expected(self.expected(term))
                .fix(fixes::of_nothing(term, &self.expected(term)));
            self.report(member.value.offset, finding);
            return true;
        }
        fields.add(term, values);
        true
    }

    /// Says whether the writer may write a term; whoever reads a stored record may read it all back.
    pub(crate) fn may_write(&self, term: &Term) -> bool {
        self.writer.is_none_or(|writer| term.is_writable_by(writer))
            || self.profile == Profile::Harvest && super::harvest::may_state(term)
    }

    pub(crate) fn forbidden(&mut self, term: &Term, member: &Member<'_>) {
        let writers: Vec<_> = term.writers.roles().into_iter().map(Role::as_str).collect();
        let writers = if writers.is_empty() { "nobody".to_owned() } else { writers.join(" or ") };
        let writer = self.writer.map_or("nobody", Role::as_str);
        let message = format!("`{}` is written by {writers}, not by {writer}", term.key);
        let finding = Finding::error("access.write_forbidden", message)
            .term(term.compact_iri())
            .got(member.value.shown())
            .expected(format!("written by {writers}"))
            .fix("remove it");
        self.report(member.offset, finding);
    }

    /// Reports what is missing, after gaps are filled from other files of the package.
    fn missing(&mut self, parent: Option<&'static Term>, prefix: &str, offset: u32, fields: &mut Fields, held: &Held) {
        let Some(writer) = self.writer else { return };
        for &term in children(self.kind, prefix) {
            if held.given.contains_key(&std::ptr::from_ref(term)) || term.is_keyword() || term.is_refused() {
                continue;
            }
            let below = |gap: &Gap| gap.key.strip_prefix(term.key.as_str()).is_some_and(|rest| rest.starts_with('.'));
            if !self.gaps.is_empty() && self.may_write(term) {
                if self.fill(term, offset, fields) {
                    continue;
                }
                if matches!(term.datatype, Datatype::Node | Datatype::Nest) && self.gaps.iter().any(below) {
                    let empty = Node { offset, value: Json::Object(Vec::new()) };
                    if term.datatype == Datatype::Nest {
                        self.members(parent, &term.key, offset, &[], fields);
                    } else {
                        let values = self.values(term, &empty);
                        fields.add(term, values);
                    }
                    continue;
                }
            }
            if !self.complete || !term.is_required_from(writer) || held.meant.contains(&term.name()) {
                continue;
            }
            if let Some(value) = term.default.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
                let values = self.quietly(|check| check.values(term, &Node::from_json(&value))).0;
                fields.add(term, values);
                continue;
            }
            let place = if prefix.is_empty() { String::new() } else { format!(" in `{prefix}`") };
            let finding = Finding::error("term.missing", format!("`{}` is missing{place}", term.name()))
                .term(term.compact_iri())
                .expected(self.expected(term))
                .fix(format!("add `{}`: {}", term.name(), term.definition.trim_end_matches('.')));
            self.report(offset, finding);
        }
    }

    /// Fills a missing term from another file of the package; says whether it did.
    fn fill(&mut self, term: &'static Term, offset: u32, fields: &mut Fields) -> bool {
        let candidates: Vec<Gap> = self.gaps.iter().filter(|gap| gap.key == term.key).cloned().collect();
        for gap in candidates {
            let (values, faults) = self.quietly(|check| check.values(term, &Node::from_json(&gap.value)));
            if let Some(fault) = faults.iter().find(|placed| placed.finding.severity == Severity::Error) {
                let message = format!("`{}` of {} is not used: {}", term.key, gap.file, fault.finding.message);
                let mut finding = Finding::warning("gaps.unusable", message).term(term.compact_iri());
                finding.got.clone_from(&fault.finding.got);
                finding.expected.clone_from(&fault.finding.expected);
                let mend = fault.finding.fix.as_deref().unwrap_or("mend it there");
                let finding = finding.fix(format!("give `{}` in the manifest, or there: {mend}", term.key));
                self.elsewhere(offset, finding, &gap);
            } else if !values.is_empty() {
                fields.add(term, values);
                let message = format!("`{}` is taken from {}, since the manifest does not give it", term.key, gap.file);
                let mut finding = Finding::warning(gap.code, message).term(term.compact_iri());
                finding.severity = Severity::Hint;
                self.elsewhere(offset, finding, &gap);
                return true;
            }
        }
        false
    }

    fn elsewhere(&mut self, offset: u32, finding: Finding, gap: &Gap) {
        let pointer = std::mem::replace(&mut self.pointer, gap.pointer.clone());
        self.report(offset, finding.file(gap.file));
        self.pointer = pointer;
    }

    /// Runs a check whose findings are given back instead of reported.
    fn quietly<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> (T, Vec<Placed>) {
        let before = std::mem::take(&mut self.placed);
        let gaps = std::mem::take(&mut self.gaps);
        let result = inside(self);
        self.gaps = gaps;
        (result, std::mem::replace(&mut self.placed, before))
    }

    fn id(&mut self, parent: Option<&'static Term>, member: &Member<'_>, fields: &mut Fields) {
        if parent.is_none() {
            // Record documents hold no `@id`; it is minted when the record is shown.
            if self.writer.is_some_and(|writer| writer != Role::Application) {
                let finding =
                    Finding::error("access.write_forbidden", "`@id` is minted from zone and identifier, not given")
                        .term("@id")
                        .got(member.value.shown())
                        .fix("remove `@id`; set `identifier`");
                self.report(member.offset, finding);
            }
            return;
        }
        if super::keys::term_by_name(self.kind, parent.map_or("", |term| term.key.as_str()), "@id").is_none() {
            let finding =
                Finding::error("jsonld.keyword", "`@id` has no place here: this object is part of the record")
                    .got(member.value.shown());
            return self.report(member.offset, finding.fix("remove it"));
        }
        match member.value.as_str() {
            Some(text) => match super::lexical::orcid(text) {
                Some(Err(())) => {
                    let finding = Finding::error("iri.invalid", "the check digit of the ORCID is wrong").got(text);
                    self.report(
                        member.value.offset,
                        finding
                            .expected("an ORCID, such as https://orcid.org/0000-0002-1825-0097")
                            .fix("copy it again from orcid.org, or remove it"),
                    );
                }
                Some(Ok(iri)) => fields.id = Some(iri),
                None => {
                    if let Some(iri) = self.iri(text, member.value.offset, None) {
                        fields.id = Some(iri);
                    }
                }
            },
            None => {
                let finding =
                    Finding::error("value.type", format!("`@id` is {}", member.value.kind())).expected("an IRI");
                self.report(member.value.offset, finding.got(member.value.shown()).fix("write an IRI, or remove it"));
            }
        }
    }

    fn foreign(&mut self, iri: &str, member: &Member<'_>, fields: &mut Fields) {
        let finding = Finding::warning(
            "term.foreign",
            format!("`{}` is of a vocabulary that is not known here; it is kept private", cut(&member.key, 80)),
        )
        .term(cut(iri, 200))
        .got(member.value.shown())
        .fix("nothing, if it is meant; what everybody should read needs a term of the table");
        self.report(member.offset, finding);
        let before = self.placed.len();
        self.disguised(&member.value, true, None);
        if self.placed.len() == before {
            fields.foreign.push((iri.to_owned(), member.value.to_json()));
        }
    }

    /// Reports a key that is no term; returns the term beside it that it most likely means.
    fn unknown(&mut self, prefix: &str, compact: &str, member: &Member<'_>) -> Option<&'static str> {
        let shown = if compact.is_empty() { cut(&member.key, 80) } else { cut(compact, 80) };
        let mut finding =
            Finding::error("term.unknown", format!("`{shown}` is not a term of a {} here", self.kind)).got(&member.key);
        if !compact.is_empty() {
            finding = finding.term(cut(compact, 200));
        }
        let near = nearest(self.kind, prefix, &member.key, |term| self.may_write(term));
        finding = match near {
            _ if prefix.is_empty() && fixes::is_dotted(self.kind, &member.key) => {
                finding.fix(format!("write {}", fixes::nested(&member.key)))
            }
            Some(near) if near.contains('.') => {
                finding.expected(format!("`{near}`")).fix(format!("write {}", fixes::nested(near)))
            }
            Some(near) => finding.expected(format!("`{near}`")).fix(format!("write `{near}`")),
            None => finding.fix("remove it, or use the full IRI of a property of another vocabulary"),
        };
        self.report(member.offset, finding);
        // What an inline context makes of the key was said already, when it is a protected term.
        self.disguised(&member.value, true, None);
        near
    }

    /// Reads the type of a nested node where the table knows several, such as a person or an organisation.
    fn nested_type(&mut self, prefix: &str, member: &Member<'_>, fields: &mut Fields) {
        let Some(term) = super::keys::term_by_name(self.kind, prefix, "@type") else {
            let finding =
                Finding::error("jsonld.keyword", "`@type` has no place here: what this object is follows from its key");
            return self.report(member.offset, finding.got(member.value.shown()).fix("remove it"));
        };
        let first = match &member.value.value {
            Json::Array(items) if items.len() == 1 => &items[0],
            _ => &member.value,
        };
        let Some(name) = first.as_str() else { return self.wrong_type(term, first) };
        let bare = name.rsplit(['#', ':', '/']).next().unwrap_or(name);
        match term.values.iter().find(|value| *value == bare) {
            Some(value) => fields.add(term, vec![Value::Literal(value.clone())]),
            None => {
                let finding =
                    Finding::error("type.unknown", format!("`{}` is not a type of `{prefix}`", cut(name, 80)));
                let expected = format!("one of {}", term.values.join(", "));
                self.report(
                    first.offset,
                    finding.got(name).expected(expected.clone()).fix(format!("write {expected}")),
                );
            }
        }
    }

    /// Says in words what a term expects.
    pub(crate) fn expected(&self, term: &Term) -> String {
        if !term.values.is_empty() && term.values.len() <= 12 {
            return format!("one of {}", term.values.join(", "));
        }
        match (&term.scheme, term.datatype) {
            (Some(scheme), Datatype::Concept) => format!("a concept of the scheme {scheme}"),
            _ => term.datatype.expected().to_owned(),
        }
    }
}

fn refused_code(term: &Term) -> &'static str {
    if term.key.ends_with("privileged") { "runtime.privileged" } else { "term.refused" }
}
