//! The change log as a linked data event stream (LDES), in fragments of the TREE vocabulary.
//!
//! A member is an activity: who changed, when, and what is to be known of it now. What a record said before is not
//! kept in the feed, which it declares as a retention policy: only the last change of each record is a member.

use oxrdf::vocab::xsd;
use oxrdf::{GraphName, Literal, NamedNode, Quad, Triple};

use crate::statements::namespace::{AS, DCTERMS, LDES, TREE};
use crate::statements::{Statements, term};

/// Changes of one fragment.
pub const FRAGMENT: u64 = 100;

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It came.
    Create,
    /// It changed.
    Update,
    /// It was withdrawn.
    Delete,
}

/// The last change of a record.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its sequence.
    pub seq: u64,
    /// The record's IRI.
    pub record: String,
    /// What happened.
    pub what: What,
    /// When, RFC 3339.
    pub at: String,
    /// What is said of the record now; nothing when it was withdrawn.
    pub says: Vec<Triple>,
}

/// One fragment of the stream.
#[derive(Debug, Clone)]
pub struct Fragment<'a> {
    /// The base of this catalogue.
    pub base: &'a str,
    /// The sequence that its changes come after.
    pub after: u64,
    /// The sequence of the last change that it may hold.
    pub to: u64,
    /// The sequence that the fragment after begins after, when there is one.
    pub next: Option<u64>,
    /// Its members.
    pub members: &'a [Member],
}

/// Returns the statements of a fragment: the links in the default graph, and what is said of a record in the graph of
/// the member, so that a client takes member and record together.
pub fn fragment(fragment: &Fragment<'_>) -> Vec<Quad> {
    let (stream, here) = (format!("{}/feed#stream", fragment.base), address(fragment.base, fragment.after));
    let mut out = Statements::new();
    out.a(&stream, &term(LDES, "EventStream"));
    out.iri(&stream, &term(LDES, "timestampPath"), &term(AS, "published"));
    out.iri(&stream, &term(LDES, "versionOfPath"), &term(AS, "object"));
    out.iri(&stream, &term(TREE, "view"), &format!("{}/feed", fragment.base));
    out.a(&here, &term(TREE, "Node"));
    if fragment.after == 0 {
        policy(&mut out, &stream, &here);
    }
    if let Some(next) = fragment.next {
        let relation = format!("{here}#next");
        out.iri(&here, &term(TREE, "relation"), &relation);
        out.a(&relation, &term(TREE, "GreaterThanRelation"));
        out.iri(&relation, &term(TREE, "node"), &address(fragment.base, next));
        out.iri(&relation, &term(TREE, "path"), &sequence());
        out.number(&relation, &term(TREE, "value"), fragment.to);
    }
    let mut quads: Vec<Quad> = Vec::new();
    for member in fragment.members {
        let name = format!("{}/feed#change-{}", fragment.base, member.seq);
        out.iri(&stream, &term(TREE, "member"), &name);
        let Ok(graph) = NamedNode::new(&name) else { continue };
        quads.extend(activity(&name, member).into_iter().map(|triple| triple.in_graph(GraphName::DefaultGraph)));
        quads.extend(member.says.iter().cloned().map(|triple| triple.in_graph(graph.clone())));
    }
    let mut all: Vec<Quad> =
        out.into_triples().into_iter().map(|triple| triple.in_graph(GraphName::DefaultGraph)).collect();
    all.extend(quads);
    all
}

/// Returns the address of the fragment whose changes come after a sequence.
pub fn address(base: &str, after: u64) -> String {
    if after == 0 { format!("{base}/feed") } else { format!("{base}/feed?after={after}") }
}

fn sequence() -> String {
    term(catalog_schemas::ESADO, "sequence")
}

fn policy(out: &mut Statements, stream: &str, here: &str) {
    let policy = format!("{stream}-retention");
    out.iri(here, &term(LDES, "retentionPolicy"), &policy);
    out.a(&policy, &term(LDES, "LatestVersionSubset"));
    out.number(&policy, &term(LDES, "amount"), 1);
    out.iri(&policy, &term(LDES, "versionKey"), &term(AS, "object"));
}

fn activity(name: &str, member: &Member) -> Vec<Triple> {
    let mut out = Statements::new();
    let class = match member.what {
        What::Create => "Create",
        What::Update => "Update",
        What::Delete => "Delete",
    };
    out.a(name, &term(AS, class));
    out.iri(name, &term(AS, "object"), &member.record);
    out.iri(name, &term(DCTERMS, "isVersionOf"), &member.record);
    out.time(name, &term(AS, "published"), &member.at);
    out.say(name, &sequence(), Literal::new_typed_literal(member.seq.to_string(), xsd::INTEGER));
    out.into_triples()
}
