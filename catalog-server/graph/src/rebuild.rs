//! Filling a graph from nothing, in bounded memory.

use std::path::PathBuf;

use oxigraph::io::{RdfFormat, RdfParser};
use oxigraph::model::{GraphNameRef, NamedNode, Quad, TermRef, Triple};

use crate::storage::DEFAULT_GRAPH;
use crate::storage::build::{RunBuilder, Source, merge};
use crate::storage::snapshot::Snapshot;
use crate::{Change, Error, folder};

/// A new generation that is being filled; the store's [`install`](crate::Store::install) puts it in the place of the old.
///
/// Statements are sorted in memory in runs of about 100 MB, put aside, and merged at the end.
pub struct Rebuild {
    folder: PathBuf,
    number: u64,
    runs: Vec<PathBuf>,
    run: RunBuilder,
}

impl Rebuild {
    pub(crate) fn new(folder: PathBuf, number: u64) -> Self {
        Self { folder, number, runs: Vec::new(), run: RunBuilder::default() }
    }

    /// Adds what is said of records: the merged view to the default graph, and what each source says to its graph.
    pub fn fill(&mut self, changes: &[Change]) -> Result<(), Error> {
        for change in changes {
            for triple in &change.triples {
                let [s, p, o] = self.ids(triple);
                self.run.add([DEFAULT_GRAPH, s, p, o]);
            }
            for (graph, triples) in &change.said {
                for triple in triples.as_ref().unwrap_or(&change.triples) {
                    let graph = self.run.id(graph.as_ref().into());
                    let [s, p, o] = self.ids(triple);
                    self.run.add([graph, s, p, o]);
                }
            }
            self.put_aside_when_full()?;
        }
        Ok(())
    }

    /// Adds statements to the default graph and to a named one.
    pub fn add(&mut self, graph: &NamedNode, triples: &[Triple]) -> Result<(), Error> {
        for triple in triples {
            self.put(TermRef::NamedNode(graph.as_ref()), triple);
        }
        self.put_aside_when_full()
    }

    /// Adds the statements of a Turtle document to the default graph and to a named one.
    pub fn load_turtle(&mut self, graph: &NamedNode, document: &str) -> Result<(), Error> {
        for quad in RdfParser::from_format(RdfFormat::Turtle).for_slice(document) {
            let quad = quad.map_err(|error| Error::Syntax(error.to_string()))?;
            self.put(TermRef::NamedNode(graph.as_ref()), &Triple::from(quad));
        }
        self.put_aside_when_full()
    }

    /// Adds the statements of an N-Quads document to the graphs that they name, and to no other.
    pub fn load_nquads(&mut self, document: &str) -> Result<(), Error> {
        let parsed = RdfParser::from_format(RdfFormat::NQuads).for_slice(document);
        let quads: Result<Vec<Quad>, _> = parsed.collect();
        self.add_quads(quads.map_err(|error| Error::Syntax(error.to_string()))?)
    }

    /// Adds statements to the graphs that they name, and to no other.
    pub fn add_quads(&mut self, quads: impl IntoIterator<Item = Quad>) -> Result<(), Error> {
        for quad in quads {
            let graph = match quad.graph_name.as_ref() {
                GraphNameRef::DefaultGraph => DEFAULT_GRAPH,
                GraphNameRef::NamedNode(node) => self.run.id(node.into()),
                GraphNameRef::BlankNode(node) => self.run.id(node.into()),
            };
            let [s, p, o] = self.ids(&Triple::from(quad));
            self.run.add([graph, s, p, o]);
            self.put_aside_when_full()?;
        }
        Ok(())
    }

    fn ids(&mut self, triple: &Triple) -> [u32; 3] {
        let s = self.run.id(triple.subject.as_ref().into());
        let p = self.run.id(triple.predicate.as_ref().into());
        [s, p, self.run.id(triple.object.as_ref())]
    }

    fn put(&mut self, graph: TermRef<'_>, triple: &Triple) {
        let graph = self.run.id(graph);
        let [s, p, o] = self.ids(triple);
        self.run.add([DEFAULT_GRAPH, s, p, o]);
        self.run.add([graph, s, p, o]);
    }

    fn put_aside_when_full(&mut self) -> Result<(), Error> {
        if self.run.is_full() {
            let place = folder::begin(&self.folder, &format!("run-{}-{}", self.number, self.runs.len()))?;
            let run = std::mem::take(&mut self.run);
            merge(vec![Source::Run(run.sort())], &place, 0, "", false, &|| false)?;
            self.runs.push(place);
        }
        Ok(())
    }

    /// Merges everything into one folder.
    pub(crate) fn finish(mut self, seq: u64, stamp: &str) -> Result<PathBuf, Error> {
        let built = folder::begin(&self.folder, &format!("build-{}", self.number))?;
        let run = std::mem::take(&mut self.run);
        let runs = self.runs.iter().map(|place| Snapshot::open(place)).collect::<Result<Vec<_>, _>>()?;
        let mut sources: Vec<Source<'_>> =
            runs.iter().map(|snapshot| Source::Snapshot { snapshot, without: Vec::new() }).collect();
        if !run.is_empty() {
            sources.push(Source::Run(run.sort()));
        }
        merge(sources, &built, seq, stamp, true, &|| false)?;
        drop(runs);
        Ok(built)
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        for place in &self.runs {
            // What is left is removed when the store is opened the next time.
            let _ = std::fs::remove_dir_all(place);
        }
    }
}
