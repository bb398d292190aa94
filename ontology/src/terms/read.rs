//! Reads `terms.ttl` into the table.

use std::collections::HashMap;
use std::str::FromStr;

use catalog_schemas::account::Role;
use oxrdf::vocab::{rdf, rdfs};
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term as Object};
use oxttl::TurtleParser;

use super::{Class, ClassNote, Datatype, ESADO, Kind, Table, Term, Visibility, Writers};

/// How deep nested nodes may go; the table needs four.
const DEEPEST: usize = 8;

/// Says why an embedded file of the ontology cannot be read; tests read every one, so that no user ever meets it.
#[derive(Debug, thiserror::Error)]
#[error("{subject}: {problem}")]
pub(crate) struct Malformed {
    /// The file, class, term or concept it is about.
    pub(crate) subject: String,
    /// What is wrong.
    pub(crate) problem: String,
}

impl Malformed {
    pub(crate) fn new(subject: &impl ToString, problem: &impl ToString) -> Self {
        Self { subject: subject.to_string(), problem: problem.to_string() }
    }
}

type Graph = HashMap<NamedOrBlankNode, Vec<(NamedNode, Object)>>;

impl Table {
    /// Reads a table; the embedded one is had by [`Table::get`].
    pub(crate) fn read(turtle: &str) -> Result<Self, Malformed> {
        let mut reader = Reader { graph: Graph::new() };
        let mut order = Vec::new();
        for triple in TurtleParser::new().for_slice(turtle.as_bytes()) {
            let triple = triple.map_err(|error| Malformed::new(&"terms.ttl is not turtle", &error))?;
            if triple.predicate == rdf::TYPE && triple.object == Object::from(esado("TermClass")) {
                order.push(triple.subject.clone());
            }
            reader.graph.entry(triple.subject).or_default().push((triple.predicate, triple.object));
        }
        let mut table =
            Self { terms: Vec::new(), of_kind: HashMap::new(), by_key: HashMap::new(), classes: Vec::new() };
        for subject in order {
            table.classes.push(reader.class_note(&subject)?);
        }
        for kind in Kind::ALL {
            let start = table.terms.len();
            let mut keys = HashMap::new();
            let place = Place {
                kind,
                class: Class(kind.iri()),
                key: String::new(),
                paths: vec![String::new()],
                around: None,
                depth: 0,
            };
            reader.expand(&kind.iri(), &place, &mut table.terms, &mut keys)?;
            table.of_kind.insert(kind, start..table.terms.len());
            table.by_key.insert(kind, keys);
        }
        Ok(table)
    }
}

/// Where in a record the terms of a class are being written down.
struct Place {
    kind: Kind,
    class: Class,
    key: String,
    /// Every path that leads here, with aliases; the canonical one first.
    paths: Vec<String>,
    /// What a nested term has when it says nothing itself.
    around: Option<(Visibility, Writers)>,
    depth: usize,
}

struct Reader {
    graph: Graph,
}

impl Reader {
    fn class_note(&self, subject: &NamedOrBlankNode) -> Result<ClassNote, Malformed> {
        let NamedOrBlankNode::NamedNode(iri) = subject else {
            return Err(malformed(subject, "a class has an IRI"));
        };
        Ok(ClassNote {
            class: Class(iri.clone()),
            label: self.text(iri, rdfs::LABEL)?,
            definition: self.text(iri, rdfs::COMMENT)?,
            parents: self.iris(iri, rdfs::SUB_CLASS_OF),
        })
    }

    /// Appends the terms of `class` as they stand at `place`, each followed by those below it.
    fn expand(
        &self,
        class: &NamedNode,
        place: &Place,
        terms: &mut Vec<Term>,
        keys: &mut HashMap<String, usize>,
    ) -> Result<(), Malformed> {
        if place.depth > DEEPEST {
            return Err(malformed(class, "its terms nest without end"));
        }
        let list = self.one(class, esado("terms").as_ref())?.ok_or_else(|| malformed(class, "has no esado:terms"))?;
        for field in self.list(class, &list)? {
            let Object::NamedNode(field) = field else {
                return Err(malformed(class, "a term has an IRI"));
            };
            let term = self.term(&field, place)?;
            let names = std::iter::once(term.name().to_owned()).chain(term.aliases.iter().cloned());
            let mut paths = Vec::new();
            for name in names {
                for path in &place.paths {
                    paths.push(if path.is_empty() { name.clone() } else { format!("{path}.{name}") });
                }
            }
            for path in &paths {
                if keys.insert(path.clone(), terms.len()).is_some() {
                    return Err(malformed(class, &format!("key or alias `{path}` stands twice")));
                }
            }
            let below = Place {
                kind: place.kind,
                class: term.node.clone().unwrap_or_else(|| place.class.clone()),
                key: term.key.clone(),
                paths,
                around: Some((term.visibility, term.writers)),
                depth: place.depth + 1,
            };
            let members = term.members.clone();
            terms.push(term);
            if let Some(members) = members {
                self.expand(&members, &below, terms, keys)?;
            }
        }
        Ok(())
    }

    fn term(&self, field: &NamedNode, place: &Place) -> Result<Term, Malformed> {
        let name = self.text(field, esado("key").as_ref())?;
        let key = if place.key.is_empty() { name } else { format!("{}.{name}", place.key) };
        let word = self.text(field, esado("valueType").as_ref())?;
        let datatype =
            Datatype::from_word(&word).ok_or_else(|| malformed(field, &format!("`{word}` is no value type")))?;
        let members = self.iris(field, esado("node").as_ref()).into_iter().next();
        if matches!(datatype, Datatype::Node | Datatype::Nest) != members.is_some() {
            return Err(malformed(field, "nodes and nests, and only they, have an esado:node"));
        }
        let node = if datatype == Datatype::Node { members.clone().map(Class) } else { None };
        let (min, max) = self.cardinality(field)?;
        let (visibility, writers) = (self.visibility(field, place)?, self.writers(field, place)?);
        let scheme = self.optional(field, esado("scheme").as_ref());
        let base = match (&scheme, self.optional(field, esado("base").as_ref())) {
            (_, Some(base)) => Some(base),
            (Some(scheme), None) if datatype == Datatype::Concept => {
                Some(format!("{}/{scheme}/", ESADO.trim_end_matches('#')))
            }
            _ => None,
        };
        if datatype == Datatype::Concept && base.is_none() {
            return Err(malformed(field, "a concept has a scheme or a base"));
        }
        let (low, high) = (self.number(field, "minValue")?, self.number(field, "maxValue")?);
        Ok(Term {
            kind: place.kind,
            class: place.class.clone(),
            key,
            aliases: self.texts(field, esado("alias").as_ref()),
            iri: self
                .iris(field, esado("property").as_ref())
                .into_iter()
                .next()
                .ok_or_else(|| malformed(field, "has no esado:property"))?,
            also: self.iris(field, esado("alsoProperty").as_ref()),
            datatype,
            min,
            max,
            per_language: self.optional(field, esado("perLanguage").as_ref()).as_deref() == Some("true"),
            visibility,
            writers,
            label: self.text(field, rdfs::LABEL)?,
            definition: self.text(field, rdfs::COMMENT)?,
            note: self.optional(field, NamedNodeRef::new_unchecked("http://www.w3.org/2004/02/skos/core#note")),
            source: self.text(field, NamedNodeRef::new_unchecked("http://purl.org/dc/terms/source"))?,
            pattern: self.optional(field, esado("pattern").as_ref()),
            max_length: self.number::<usize>(field, "maxLength")?,
            values: self.texts(field, esado("value").as_ref()),
            range: match (low, high) {
                (None, None) => None,
                (low, high) => Some((low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX))),
            },
            scheme,
            base,
            node,
            default: self.optional(field, esado("default").as_ref()),
            minted: self.optional(field, esado("minted").as_ref()).as_deref() == Some("true"),
            members,
        })
    }

    /// Returns who may read a term: what it says, or what holds it says; inside what is private everything is.
    fn visibility(&self, field: &NamedNode, place: &Place) -> Result<Visibility, Malformed> {
        let own = match self.optional(field, esado("visibility").as_ref()).as_deref() {
            Some("public") => Some(Visibility::Public),
            Some("private") => Some(Visibility::Private),
            Some(word) => return Err(malformed(field, &format!("`{word}` is neither public nor private"))),
            None => None,
        };
        match (place.around, own) {
            (Some((Visibility::Private, _)), _) => Ok(Visibility::Private),
            (_, Some(own)) => Ok(own),
            (Some((around, _)), None) => Ok(around),
            (None, None) => Err(malformed(field, "has no esado:visibility")),
        }
    }

    /// Returns who may write a term: whom it says, or whom what holds it says.
    fn writers(&self, field: &NamedNode, place: &Place) -> Result<Writers, Malformed> {
        let mut writers = Writers::default();
        let words = self.texts(field, esado("writer").as_ref());
        for word in &words {
            if !Role::from_word(word).is_some_and(|role| writers.insert(role)) {
                return Err(malformed(field, &format!("`{word}` is no role that writes")));
            }
        }
        if let (true, Some((_, around))) = (words.is_empty(), place.around) {
            writers = around;
        }
        // Records that the application describes have no developers: what those write elsewhere, the application writes.
        if place.kind.writer() == Role::Application && writers.developer {
            writers.developer = false;
            writers.application = true;
        }
        if self.cardinality(field)?.1 == Some(0) {
            return Ok(Writers::default());
        }
        if writers == Writers::default() {
            return Err(malformed(field, "nobody may write it"));
        }
        Ok(writers)
    }

    /// Reads `1`, `0..1`, `1..n`.
    fn cardinality(&self, field: &NamedNode) -> Result<(u32, Option<u32>), Malformed> {
        let text = self.text(field, esado("cardinality").as_ref())?;
        let wrong = || malformed(field, &format!("`{text}` is no cardinality"));
        let (low, high) = text.split_once("..").unwrap_or((&text, &text));
        let max = if high == "n" { None } else { Some(high.parse().map_err(|_| wrong())?) };
        Ok((low.parse().map_err(|_| wrong())?, max))
    }

    fn objects<'a>(&'a self, subject: &NamedNode, predicate: NamedNodeRef<'a>) -> impl Iterator<Item = &'a Object> {
        let statements = self.graph.get(&NamedOrBlankNode::from(subject.clone()));
        statements.into_iter().flatten().filter(move |(p, _)| p.as_ref() == predicate).map(|(_, object)| object)
    }

    fn one(&self, subject: &NamedNode, predicate: NamedNodeRef<'_>) -> Result<Option<Object>, Malformed> {
        let mut objects = self.objects(subject, predicate);
        let first = objects.next().cloned();
        if objects.next().is_some() {
            return Err(malformed(subject, &format!("has several {predicate}")));
        }
        Ok(first)
    }

    fn text(&self, subject: &NamedNode, predicate: NamedNodeRef<'_>) -> Result<String, Malformed> {
        match self.one(subject, predicate)? {
            Some(Object::Literal(literal)) => Ok(literal.value().to_owned()),
            _ => Err(malformed(subject, &format!("has no text for {predicate}"))),
        }
    }

    fn optional(&self, subject: &NamedNode, predicate: NamedNodeRef<'_>) -> Option<String> {
        self.texts(subject, predicate).into_iter().next()
    }

    fn number<N: FromStr>(&self, subject: &NamedNode, name: &str) -> Result<Option<N>, Malformed> {
        self.optional(subject, esado(name).as_ref())
            .map(|text| text.parse().map_err(|_| malformed(subject, &format!("`{text}` is no number for {name}"))))
            .transpose()
    }

    fn texts(&self, subject: &NamedNode, predicate: NamedNodeRef<'_>) -> Vec<String> {
        self.objects(subject, predicate)
            .filter_map(|object| match object {
                Object::Literal(literal) => Some(literal.value().to_owned()),
                _ => None,
            })
            .collect()
    }

    fn iris(&self, subject: &NamedNode, predicate: NamedNodeRef<'_>) -> Vec<NamedNode> {
        self.objects(subject, predicate)
            .filter_map(|object| match object {
                Object::NamedNode(iri) => Some(iri.clone()),
                _ => None,
            })
            .collect()
    }

    /// Reads an RDF list.
    fn list(&self, class: &NamedNode, head: &Object) -> Result<Vec<Object>, Malformed> {
        let mut items = Vec::new();
        let mut node = head.clone();
        loop {
            let subject = match node {
                Object::NamedNode(iri) if iri == rdf::NIL => return Ok(items),
                Object::BlankNode(blank) => NamedOrBlankNode::from(blank),
                _ => return Err(malformed(class, "esado:terms is no list")),
            };
            let statements = self.graph.get(&subject).map_or(&[][..], Vec::as_slice);
            let value = |name: NamedNodeRef<'_>| {
                statements.iter().find(|(predicate, _)| predicate.as_ref() == name).map(|(_, object)| object.clone())
            };
            let (Some(first), Some(rest)) = (value(rdf::FIRST), value(rdf::REST)) else {
                return Err(malformed(class, "esado:terms is no list"));
            };
            items.push(first);
            node = rest;
        }
    }
}

fn esado(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{ESADO}{name}"))
}

fn malformed(subject: &impl ToString, problem: &str) -> Malformed {
    Malformed::new(subject, &problem)
}
