//! Mappings: a JSON-LD context that reads trees as RDF, and a SPARQL CONSTRUCT that brings the RDF to our terms.
//!
//! A mapping is a folder of files, so a new kind of record needs no Rust: `mapping.toml` says what it is, `context.jsonld`
//! and `construct.rq` do the work, `cases/` hold inputs with what is expected of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use catalog_ontology::terms::Kind;
use include_dir::{Dir, include_dir};
use oxjsonld::JsonLdParser;
use oxrdf::{BlankNode, NamedOrBlankNode, Term, Triple, Variable};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use spareval::{QueryEvaluator, QueryResults};
use spargebra::algebra::GraphPattern;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use spargebra::{Query, SparqlParser};

use crate::Error;
use crate::graph::Graph;

/// The mappings that come with Alidade.
static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/mappings");

/// The namespace of trees: the keys of a tree are properties in it, unless the context says otherwise.
pub const TREE: &str = "https://w3id.org/esado/tree#";
/// What the root of a tree is called while it is read.
const ROOT: &str = "urn:x-alidade:tree:";
/// The variable that names the record in every solution.
const RECORD: &str = "record";
/// Statements that a page may have.
const MOST_STATEMENTS: usize = 2_000_000;

/// What `mapping.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct About {
    /// What it is for, in a sentence.
    title: String,
    /// The kind of most of its records: they get the short identifiers.
    kind: String,
    /// JSON pointers to the array of records in a document; the first that is there counts.
    #[serde(default)]
    split: Vec<String>,
}

/// A mapping, parsed once.
#[derive(Debug)]
pub struct Mapping {
    /// Its name, which is that of its folder.
    pub name: String,
    /// What it is for.
    pub title: String,
    /// The kind of most of its records.
    pub kind: Kind,
    /// Where the records of a document are.
    pub(crate) split: Vec<String>,
    context: String,
    template: Vec<TriplePattern>,
    query: Query,
    /// Stands for the text of its files.
    digest: [u8; 32],
}

/// What a mapping made of one record: statements in our terms about `subject`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mapped {
    /// Which of the trees it comes from; for graphs always 0.
    pub(crate) tree: usize,
    pub(crate) subject: NamedOrBlankNode,
    pub(crate) triples: Vec<Triple>,
}

impl Mapping {
    /// Makes a mapping of the text of its files.
    ///
    /// # Errors
    ///
    /// [`Error::Mapping`] that names the file.
    pub fn new(name: &str, about: &str, context: &str, construct: &str) -> Result<Self, Error> {
        let fault = |file: &str, message: String| Error::Mapping(format!("{name}/{file}: {message}"));
        let digest = Sha256::digest([about, context, construct].join("\0").as_bytes()).into();
        let about: About = toml::from_str(about).map_err(|error| fault("mapping.toml", error.to_string()))?;
        let kind = Kind::from_word(&about.kind)
            .ok_or_else(|| fault("mapping.toml", format!("`{}` is not a kind of record", about.kind)))?;
        let context: Value =
            serde_json::from_str(context).map_err(|error| fault("context.jsonld", error.to_string()))?;
        let context = context
            .get("@context")
            .ok_or_else(|| fault("context.jsonld", "there is no `@context`".to_owned()))?
            .to_string();
        let query =
            SparqlParser::new().parse_query(construct).map_err(|error| fault("construct.rq", error.to_string()))?;
        let Query::Construct { template, pattern, base_iri, .. } = query else {
            return Err(fault("construct.rq", "it is not a CONSTRUCT".to_owned()));
        };
        let record = Variable::new_unchecked(RECORD);
        if !variables(&template).contains(&record) {
            return Err(fault("construct.rq", "its template does not say anything of ?record".to_owned()));
        }
        let mut asked: Vec<Variable> = variables(&template).into_iter().collect();
        asked.sort();
        let pattern = GraphPattern::Distinct {
            inner: Box::new(GraphPattern::Project { inner: Box::new(pattern), variables: asked }),
        };
        let query = Query::Select { dataset: None, pattern, base_iri };
        let (name, split) = (name.to_owned(), about.split);
        let made = Self { name, title: about.title, kind, split, context, template, query, digest };
        // A context that is wrong, or that would have to be fetched, is found out here and not in the first run.
        made.read(&[(&serde_json::json!({}), "")]).map_err(|error| fault("context.jsonld", error))?;
        Ok(made)
    }

    /// Brings trees to our terms, together.
    ///
    /// # Errors
    ///
    /// Why they cannot be read; then each is to be tried alone.
    pub(crate) fn apply(&self, trees: &[(&Value, &str)]) -> Result<Vec<Mapped>, String> {
        let graph = self.read(trees)?;
        self.construct(&graph, true)
    }

    /// Brings a graph to our terms.
    pub(crate) fn apply_to_graph(&self, graph: &Graph) -> Result<Vec<Mapped>, String> {
        self.construct(graph, false)
    }

    /// Reads trees as RDF. Every object is a node of its own, so nothing of one tree gets into another.
    fn read(&self, trees: &[(&Value, &str)]) -> Result<Graph, String> {
        let mut text = format!("{{\"@context\":{},\"@graph\":[", self.context);
        for (index, (tree, file)) in trees.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            let mut tree = match plain((*tree).clone()) {
                tree @ Value::Object(_) => tree,
                other => serde_json::json!({ "value": other }),
            };
            if let Value::Object(object) = &mut tree {
                object.insert("@id".to_owned(), Value::String(format!("{ROOT}{index}")));
                // Where the tree comes from, since some sources name their records by their files.
                let name = file.rsplit('/').next().unwrap_or(file);
                object.insert(format!("{TREE}_file"), Value::String(name.to_owned()));
                object.insert(format!("{TREE}_path"), Value::String((*file).to_owned()));
            }
            text.push_str(&tree.to_string());
        }
        text.push_str("]}");
        let mut graph = Graph::default();
        for quad in JsonLdParser::new().for_slice(text.as_bytes()) {
            let quad = quad.map_err(|error| error.to_string())?;
            graph.add(Triple::new(quad.subject, quad.predicate, quad.object));
        }
        graph.finish();
        if graph.len() > MOST_STATEMENTS {
            return Err(format!("it says more than {MOST_STATEMENTS} things"));
        }
        Ok(graph)
    }

    fn construct(&self, graph: &Graph, of_trees: bool) -> Result<Vec<Mapped>, String> {
        let evaluator = QueryEvaluator::new();
        let results = evaluator.prepare(&self.query).execute(graph).map_err(|error| error.to_string())?;
        let QueryResults::Solutions(solutions) = results else { return Ok(Vec::new()) };
        let template = Template::new(&self.template, solutions.variables());
        let Some(record_at) = solutions.variables().iter().position(|variable| variable.as_str() == RECORD) else {
            return Ok(Vec::new());
        };
        let mut mapped: Vec<Mapped> = Vec::new();
        let mut places: HashMap<Term, Option<usize>> = HashMap::new();
        for (number, solution) in solutions.enumerate() {
            let solution = solution.map_err(|error| error.to_string())?;
            let values = solution.values();
            let Some(record) = values.get(record_at).and_then(Option::as_ref) else { continue };
            let place = match places.get(record) {
                Some(place) => *place,
                None => {
                    let place = begin(graph, record, of_trees, &mut mapped);
                    places.insert(record.clone(), place);
                    place
                }
            };
            let Some(place) = place else { continue };
            template.instantiate(values, number, &mut mapped[place].triples);
        }
        for record in &mut mapped {
            let mut seen = HashSet::with_capacity(record.triples.len());
            let is_first: Vec<bool> = record.triples.iter().map(|triple| seen.insert(triple)).collect();
            let mut is_first = is_first.into_iter();
            record.triples.retain(|_| is_first.next().unwrap_or(true));
        }
        // Evaluation has no order; a source is handed on in its own.
        mapped.sort_by_key(|record| record.tree);
        Ok(mapped)
    }
}

/// Begins a record, unless its node is none.
fn begin(graph: &Graph, record: &Term, of_trees: bool, mapped: &mut Vec<Mapped>) -> Option<usize> {
    let subject = match record {
        Term::NamedNode(node) => NamedOrBlankNode::from(node.clone()),
        Term::BlankNode(node) => NamedOrBlankNode::from(node.clone()),
        _ => return None,
    };
    let tree = if of_trees { tree_of(graph, record)? } else { 0 };
    mapped.push(Mapped { tree, subject, triples: Vec::new() });
    Some(mapped.len() - 1)
}

/// Returns the number of the tree around a node.
fn tree_of(graph: &Graph, node: &Term) -> Option<usize> {
    let mut node = node;
    for _ in 0..200 {
        if let Term::NamedNode(name) = node
            && let Some(number) = name.as_str().strip_prefix(ROOT)
        {
            return number.parse().ok();
        }
        node = graph.parent(node)?;
    }
    None
}

/// A template whose variables are places in the solutions of one evaluation.
struct Template<'a>(Vec<[Slot<'a>; 3]>);

/// What stands at a place of a template.
enum Slot<'a> {
    Term(Term),
    Value(usize),
    /// A blank node, new in each solution.
    Made(&'a str),
    /// A variable that no solution has.
    Nothing,
}

impl<'a> Template<'a> {
    fn new(patterns: &'a [TriplePattern], variables: &[Variable]) -> Self {
        let value = |variable: &Variable| {
            variables.iter().position(|other| other == variable).map_or(Slot::Nothing, Slot::Value)
        };
        let slot = |pattern: &'a TermPattern| match pattern {
            TermPattern::NamedNode(node) => Slot::Term(node.clone().into()),
            TermPattern::Literal(literal) => Slot::Term(literal.clone().into()),
            TermPattern::Variable(variable) => value(variable),
            TermPattern::BlankNode(node) => Slot::Made(node.as_str()),
        };
        let predicate = |pattern: &NamedNodePattern| match pattern {
            NamedNodePattern::NamedNode(node) => Slot::Term(node.clone().into()),
            NamedNodePattern::Variable(variable) => value(variable),
        };
        let patterns = patterns.iter();
        Self(patterns.map(|one| [slot(&one.subject), predicate(&one.predicate), slot(&one.object)]).collect())
    }

    /// Makes the statements of one solution, as SPARQL 1.1 §16.2 says: blank nodes are new in each.
    ///
    /// A blank node of which nothing is said is left out together with what leads to it, since it says nothing.
    fn instantiate(&self, values: &[Option<Term>], number: usize, triples: &mut Vec<Triple>) {
        let mut made: Vec<Triple> = Vec::new();
        let mut has_made = false;
        for [subject, predicate, object] in &self.0 {
            // Most of what a template could say, a solution has no value for.
            if [object, subject, predicate].iter().any(|slot| !slot.is_there(values)) {
                continue;
            }
            let subject = match subject.term(values, number) {
                Some(Term::NamedNode(node)) => NamedOrBlankNode::from(node),
                Some(Term::BlankNode(node)) => NamedOrBlankNode::from(node),
                _ => continue,
            };
            let Some(Term::NamedNode(predicate)) = predicate.term(values, number) else { continue };
            let Some(value) = object.term(values, number) else { continue };
            has_made |= matches!(object, Slot::Made(_)) || subject.is_blank_node();
            made.push(Triple::new(subject, predicate, value));
        }
        while has_made {
            // From the inside out: a node whose only value was an empty node is empty as well.
            let said: HashSet<BlankNode> = made
                .iter()
                .filter(|triple| triple.predicate != oxrdf::vocab::rdf::TYPE)
                .filter_map(|triple| match &triple.subject {
                    NamedOrBlankNode::BlankNode(node) => Some(node.clone()),
                    NamedOrBlankNode::NamedNode(_) => None,
                })
                .collect();
            let before = made.len();
            let is_empty = |node: &BlankNode| node.as_str().starts_with(MADE) && !said.contains(node);
            made.retain(|triple| {
                !matches!(&triple.object, Term::BlankNode(node) if is_empty(node))
                    && !matches!(&triple.subject, NamedOrBlankNode::BlankNode(node) if is_empty(node))
            });
            has_made = made.len() != before;
        }
        triples.extend(made);
    }
}

/// What blank nodes that a template makes begin with.
const MADE: &str = "made-";

impl Slot<'_> {
    fn is_there(&self, values: &[Option<Term>]) -> bool {
        match self {
            Self::Value(at) => values.get(*at).is_some_and(Option::is_some),
            Self::Nothing => false,
            Self::Term(_) | Self::Made(_) => true,
        }
    }

    fn term(&self, values: &[Option<Term>], number: usize) -> Option<Term> {
        match self {
            Self::Term(term) => Some(term.clone()),
            Self::Value(at) => values.get(*at)?.clone(),
            Self::Made(name) => Some(BlankNode::new_unchecked(format!("{MADE}{number}-{name}")).into()),
            Self::Nothing => None,
        }
    }
}

fn variables(template: &[TriplePattern]) -> HashSet<Variable> {
    let mut found = HashSet::new();
    for pattern in template {
        for term in [&pattern.subject, &pattern.object] {
            if let TermPattern::Variable(variable) = term {
                found.insert(variable.clone());
            }
        }
        if let NamedNodePattern::Variable(variable) = &pattern.predicate {
            found.insert(variable.clone());
        }
    }
    found
}

/// Takes the keywords out of a tree that would let it name nodes or bring contexts: `@id` becomes `tree:_id`, `@graph`
/// becomes `tree:_graph`. schema.org is written with https from here on.
fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .filter_map(|(key, value)| match key.as_str() {
                    "@context" | "@included" | "@reverse" | "@index" | "@nest" | "@import" => None,
                    "@id" => Some((format!("{TREE}_id"), value)),
                    "@graph" => Some((format!("{TREE}_graph"), plain(value))),
                    "@type" => Some((key, plain(value))),
                    _ => Some((usable_key(key), plain(value))),
                })
                .collect(),
        ),
        Value::String(text) => match text.strip_prefix("http://schema.org/") {
            Some(rest) => Value::String(format!("https://schema.org/{rest}")),
            None => Value::String(text),
        },
        other => other,
    }
}

/// Writes what an IRI cannot hold as `%` and two digits, since keys become properties.
fn usable_key(key: String) -> String {
    if let Some(rest) = key.strip_prefix("http://schema.org/") {
        return format!("https://schema.org/{rest}");
    }
    let bad = |character: char| character.is_control() || " <>\"{}|\\^`".contains(character);
    if !key.contains(bad) {
        return key;
    }
    key.chars().map(|c| if bad(c) { format!("%{:02X}", c as u32) } else { c.to_string() }).collect()
}

/// Every mapping that is there, by name.
#[derive(Debug, Clone, Default)]
pub struct Mappings(BTreeMap<String, std::sync::Arc<Mapping>>);

/// The environment variable that names the operator's folder of mappings.
const FOLDER: &str = "ALIDADE_MAPPINGS";

impl Mappings {
    /// Returns the mappings of this installation, read once: those that come with Alidade, and those of the folder that
    /// `ALIDADE_MAPPINGS` names.
    ///
    /// # Errors
    ///
    /// [`Error::Mapping`] that names the file.
    pub fn installed() -> Result<&'static Self, Error> {
        static INSTALLED: std::sync::OnceLock<Mappings> = std::sync::OnceLock::new();
        if let Some(installed) = INSTALLED.get() {
            return Ok(installed);
        }
        let mut all = Self::shipped()?;
        if let Some(folder) = std::env::var_os(FOLDER) {
            all.add_folder(Path::new(&folder))?;
        }
        Ok(INSTALLED.get_or_init(|| all))
    }

    /// Returns the mappings that come with Alidade.
    ///
    /// # Errors
    ///
    /// [`Error::Mapping`]; a test asserts that there is none.
    pub fn shipped() -> Result<Self, Error> {
        let mut all = Self::default();
        for folder in SHIPPED.dirs() {
            let name = folder.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let text = |file: &str| {
                folder
                    .get_file(format!("{name}/{file}"))
                    .and_then(|file| file.contents_utf8())
                    .ok_or_else(|| Error::Mapping(format!("{name}/{file}: it is missing")))
            };
            all.add(Mapping::new(name, text("mapping.toml")?, text("context.jsonld")?, text("construct.rq")?)?);
        }
        Ok(all)
    }

    /// Adds the mappings of an operator's folder, one a folder in it; one of the same name replaces a shipped one.
    ///
    /// # Errors
    ///
    /// [`Error::Mapping`] that names the file.
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), Error> {
        let unreadable = |path: &Path, error: std::io::Error| Error::Mapping(format!("{}: {error}", path.display()));
        for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            if !path.is_dir() {
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let text = |file: &str| {
                let path = path.join(file);
                std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))
            };
            self.add(Mapping::new(&name, &text("mapping.toml")?, &text("context.jsonld")?, &text("construct.rq")?)?);
        }
        Ok(())
    }

    /// Adds a mapping.
    pub fn add(&mut self, mapping: Mapping) {
        self.0.insert(mapping.name.clone(), std::sync::Arc::new(mapping));
    }

    /// Returns a mapping.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] that lists those that are there.
    pub fn get(&self, name: &str) -> Result<std::sync::Arc<Mapping>, Error> {
        self.0.get(name).cloned().ok_or_else(|| {
            let names: Vec<_> = self.0.keys().map(String::as_str).collect();
            Error::Settings(format!("there is no mapping `{name}`; there are {}", names.join(", ")))
        })
    }

    /// Returns what stands for all of them as they are now; after a change of any it is another.
    pub fn digest(&self) -> String {
        let mut all = Sha256::new();
        for (name, mapping) in &self.0 {
            all.update(Sha256::digest(name.as_bytes()));
            all.update(mapping.digest);
        }
        hex::encode(all.finalize())
    }

    /// Returns every mapping.
    pub fn all(&self) -> impl Iterator<Item = &Mapping> {
        self.0.values().map(std::convert::AsRef::as_ref)
    }
}
