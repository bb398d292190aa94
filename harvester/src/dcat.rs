//! DCAT in any syntax of RDF: one page, pages of Hydra or LDP, a FAIR Data Point from its root, and `data.json`.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use catalog_fetch::{Page, Url};
use futures::FutureExt;
use futures::future::BoxFuture;
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use serde_json::Value;

use crate::graph::Graph;
use crate::item::{Fault, Item, Place};
use crate::mapper::Mapper;
use crate::mapping::Mappings;
use crate::rdf::{self, Syntax};
use crate::run::{self, End, Run};
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Outcome, Sink, Source, Trouble};
use crate::tree::{Take, json};
use crate::{Error, glob};

/// Pages of one run, unless the operator says otherwise.
const MOST_PAGES: u64 = 100_000;
const ACCEPT: &str = "text/turtle, application/n-triples;q=0.9, application/rdf+xml;q=0.8, application/ld+json;q=0.7, application/json;q=0.5, */*;q=0.1";

/// What leads to the next page of a list (Hydra, and what came before it).
const NEXT: [&str; 3] = [
    "http://www.w3.org/ns/hydra/core#next",
    "http://www.w3.org/ns/hydra/core#nextPage",
    "http://www.w3.org/ns/ldp#nextPage",
];
/// What leads to parts that are described on pages of their own.
const PARTS: [&str; 7] = [
    "http://www.w3.org/ns/ldp#contains",
    "https://w3id.org/fdp/fdp-o#metadataCatalog",
    "http://www.re3data.org/schema/3-0#dataCatalog",
    "http://www.w3.org/ns/dcat#catalog",
    "http://www.w3.org/ns/dcat#dataset",
    "http://www.w3.org/ns/dcat#service",
    "http://www.w3.org/ns/dcat#distribution",
];
const TITLE: &str = "http://purl.org/dc/terms/title";

/// A DCAT catalogue.
#[derive(Debug)]
pub(crate) struct Dcat {
    settings: Settings,
    graphs: Arc<Mapper>,
    trees: Arc<Mapper>,
    format: Option<Syntax>,
    place: Result<Url, PathBuf>,
}

impl Dcat {
    pub(crate) fn open(settings: Settings, mappings: &Mappings) -> Result<Self, Error> {
        let mapping = mappings.get(settings.mapping.as_deref().unwrap_or("dcat"))?;
        let us = mappings.get("dcat-us")?;
        let format = match settings.format.as_deref() {
            None => None,
            Some(word) => Some(Syntax::from_word(word).ok_or_else(|| {
                Error::Settings(format!("format: `{word}` is none of turtle, ntriples, rdfxml, jsonld"))
            })?),
        };
        let place = match (&settings.url, &settings.folder) {
            (Some(text), None) => Ok(run::url(text)?),
            (None, Some(folder)) => Err(folder.clone()),
            _ => return Err(Error::Settings("url: one of `url` and `folder` is needed".to_owned())),
        };
        let graphs = Arc::new(Mapper::new(&settings.id, mapping, settings.defaults.clone()));
        let trees = Arc::new(Mapper::new(&settings.id, us, settings.defaults.clone()));
        Ok(Self { settings, graphs, trees, format, place })
    }

    async fn run(&self, run: &Run<'_>) -> Result<(Coverage, Cursor), End> {
        match &self.place {
            Ok(url) => self.crawl(run, url).await?,
            Err(folder) => self.folder(run, folder).await?,
        }
        Ok((Coverage::Complete, Cursor::default()))
    }

    /// Reads pages from the first one on: next pages always, parts as long as they are of the same origin.
    async fn crawl(&self, run: &Run<'_>, first: &Url) -> Result<(), End> {
        let mut seen: HashSet<String> = HashSet::from([without_fragment(first)]);
        let mut open: VecDeque<(Url, bool)> = VecDeque::from([(first.clone(), true)]);
        while let Some((url, is_needed)) = open.pop_front() {
            let page = match run.fresh(&url, ACCEPT).await {
                Ok(page) => page,
                // A part that is gone or that is no RDF after all is a finding; a page of the list is not to be missed.
                Err(End::Trouble(trouble)) if !is_needed && !trouble.transient && trouble.code != "limit.run" => {
                    let fault = Fault::new(&trouble.code, Place::file(url.to_string()), trouble.message);
                    run.hand(vec![Item::Faulty(fault)]).await?;
                    continue;
                }
                Err(end) => return Err(end),
            };
            let links = page.links.clone();
            let graph = match self.graph(run, page, &url, is_needed).await? {
                Some(graph) => graph,
                None => continue,
            };
            for next in next_pages(&graph)
                .into_iter()
                .chain(links.iter().filter(|(_, rel)| rel == "next").map(|(url, _)| url.clone()))
            {
                if next.origin() != first.origin() || !seen.insert(without_fragment(&next)) {
                    let message = format!("the pages of `{url}` lead back or elsewhere, to `{next}`");
                    if next.origin() == first.origin()
                        && graph.len() > 0
                        && open.is_empty()
                        && without_fragment(&next) != without_fragment(&url)
                    {
                        return Err(Trouble::lasting("paging.loop", message).into());
                    }
                    continue;
                }
                open.push_front((next, true));
            }
            let mut graph = graph;
            for part in parts(&graph, first, &url) {
                if seen.insert(without_fragment(&part)) {
                    open.push_back((part, false));
                }
            }
            self.add_distributions(run, &mut graph, first).await?;
            self.hand(run, graph, Place::file(url.to_string())).await?;
            run.progress(None, None).await?;
        }
        Ok(())
    }

    /// Brings in the pages of distributions that are only named, as FAIR Data Points have them.
    async fn add_distributions(&self, run: &Run<'_>, graph: &mut Graph, first: &Url) -> Result<(), End> {
        let distribution = NamedNode::new_unchecked("http://www.w3.org/ns/dcat#distribution");
        let missing: Vec<Url> = graph
            .objects_of(distribution.as_str())
            .filter(|term| !graph.describes(term))
            .filter_map(|term| match term {
                Term::NamedNode(node) => Url::parse(node.as_str()).ok(),
                _ => None,
            })
            .filter(|url| url.origin() == first.origin())
            .take(200)
            .collect();
        for url in missing {
            let page = match run.fresh(&url, ACCEPT).await {
                Ok(page) => page,
                Err(End::Trouble(trouble)) if !trouble.transient => continue,
                Err(end) => return Err(end),
            };
            if let Some(more) = self.graph(run, page, &url, false).await? {
                graph.extend(more);
            }
        }
        Ok(())
    }

    /// Reads a page as a graph; `data.json` is handed on at once, and is none.
    async fn graph(&self, run: &Run<'_>, page: Page, url: &Url, is_needed: bool) -> Result<Option<Graph>, End> {
        let name = page.url.to_string();
        let (media_type, charset) = (page.media_type.clone(), page.charset.clone());
        let bytes = whole(page)?;
        let known = self.format.or_else(|| {
            let by_type = Syntax::of_media_type(&media_type);
            by_type.or_else(|| Syntax::of_name(url.path())).or_else(|| sniff(&bytes))
        });
        let Some(syntax) = known else {
            let message = format!("`{name}` is `{media_type}`, which is no syntax of RDF");
            if is_needed {
                return Err(Trouble::lasting("page.format", message).into());
            }
            run.hand(vec![Item::Faulty(Fault::new("page.format", Place::file(name), message))]).await?;
            return Ok(None);
        };
        if syntax == Syntax::JsonLd && is_data_json(&bytes) {
            let us = Run { fetcher: Arc::clone(&run.fetcher), mapper: Arc::clone(&self.trees), ..*run };
            let split = self.trees.mapping.split.clone();
            us.feed(move |take| {
                json::document(&bytes, charset.as_deref(), &name, &split, take);
                Ok(())
            })
            .await?;
            return Ok(None);
        }
        let base = name.clone();
        let parsed = tokio::task::spawn_blocking(move || rdf::parse(&bytes, syntax, Some(&base), &name))
            .await
            .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?;
        match parsed {
            Ok(graph) => Ok(Some(graph)),
            Err(fault) if is_needed => {
                Err(Trouble::passing("page.syntax", format!("{}: {}", fault.place, fault.message)).into())
            }
            Err(fault) => {
                run.hand(vec![Item::Faulty(fault)]).await?;
                Ok(None)
            }
        }
    }

    async fn hand(&self, run: &Run<'_>, graph: Graph, place: Place) -> Result<(), End> {
        let mapper = Arc::clone(&self.graphs);
        let mapped = tokio::task::spawn_blocking(move || mapper.graph(&graph, &place))
            .await
            .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?;
        run.hand(mapped.unwrap_or_else(|fault| vec![Item::Faulty(fault)])).await
    }

    /// Reads every file of a folder; one that is no RDF is a fault, and the rest is read.
    async fn folder(&self, run: &Run<'_>, folder: &std::path::Path) -> Result<(), End> {
        let root = folder.to_owned();
        let read = |error: std::io::Error| End::from(Trouble::passing("source.read", error.to_string()));
        let files = tokio::task::spawn_blocking({
            let root = root.clone();
            move || crate::files::walk(&root)
        })
        .await
        .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?
        .map_err(read)?;
        for path in files {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let matches = |patterns: &[String]| patterns.iter().any(|pattern| glob::matches(pattern, &name));
            let wanted = !matches(&self.settings.exclude)
                && (self.settings.include.is_empty() || matches(&self.settings.include));
            let Some(syntax) = Syntax::of_name(&name).filter(|_| wanted) else { continue };
            let syntax = self.format.unwrap_or(syntax);
            let bytes = tokio::fs::read(&path).await.map_err(read)?;
            if syntax == Syntax::JsonLd && is_data_json(&bytes) {
                let us = Run { fetcher: Arc::clone(&run.fetcher), mapper: Arc::clone(&self.trees), ..*run };
                let split = self.trees.mapping.split.clone();
                us.feed(move |take: &mut Take<'_>| {
                    json::document(&bytes, None, &name, &split, take);
                    Ok(())
                })
                .await?;
                continue;
            }
            let mapper = Arc::clone(&self.graphs);
            let mapped = tokio::task::spawn_blocking(move || {
                let graph = rdf::parse(&bytes, syntax, None, &name)?;
                mapper.graph(&graph, &Place::file(&name))
            })
            .await
            .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?;
            run.hand(mapped.unwrap_or_else(|fault| vec![Item::Faulty(fault)])).await?;
        }
        Ok(())
    }
}

/// Reads the bytes of a page.
pub(crate) fn whole(page: Page) -> Result<Vec<u8>, End> {
    let mut bytes = Vec::with_capacity(page.length as usize);
    page.body
        .reader()
        .and_then(|mut reader| reader.read_to_end(&mut bytes))
        .map_err(|error| Trouble::passing("source.read", error.to_string()))?;
    Ok(bytes)
}

/// Says whether a JSON document is a catalogue of DCAT-US, which is plain JSON.
fn is_data_json(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    head.contains("project-open-data.cio.gov") && head.contains("dataset") || head.contains("\"accessLevel\"")
}

/// Knows a syntax by how the page begins, where nothing else says it.
fn sniff(bytes: &[u8]) -> Option<Syntax> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]);
    let head = head.trim_start_matches('\u{feff}').trim_start();
    if head.starts_with('{') || head.starts_with('[') {
        Some(Syntax::JsonLd)
    } else if head.starts_with("<?xml") || head.starts_with("<rdf:RDF") {
        Some(Syntax::RdfXml)
    } else if head.starts_with("@prefix")
        || head.starts_with("@base")
        || head.to_ascii_lowercase().starts_with("prefix ")
    {
        Some(Syntax::Turtle)
    } else {
        None
    }
}

fn without_fragment(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.to_string()
}

fn next_pages(graph: &Graph) -> Vec<Url> {
    let next = NEXT.iter().flat_map(|property| graph.objects_of(property));
    let address = |term: &Term| match term {
        Term::NamedNode(node) => Url::parse(node.as_str()).ok(),
        Term::Literal(literal) => Url::parse(literal.value()).ok(),
        _ => None,
    };
    next.filter_map(address).collect()
}

/// Returns the parts that are named on a page and not described there.
fn parts(graph: &Graph, first: &Url, here: &Url) -> Vec<Url> {
    let named = PARTS[..6].iter().flat_map(|property| graph.objects_of(property));
    named
        .filter_map(|term| match term {
            Term::NamedNode(node) => {
                let described = graph.objects(&NamedOrBlankNode::from(node.clone()), TITLE).next().is_some();
                Url::parse(node.as_str()).ok().filter(|_| !described)
            }
            _ => None,
        })
        .filter(|url| url.origin() == first.origin() && without_fragment(url) != without_fragment(here))
        .collect()
}

impl Source for Dcat {
    fn harvest<'a>(&'a self, from: Cursor, sink: &'a Sink) -> BoxFuture<'a, Outcome> {
        async move {
            self.graphs.begin();
            self.trees.begin();
            let fetcher = match run::fetcher(&self.settings) {
                Ok(fetcher) => Arc::new(fetcher),
                Err(error) => return Outcome::failed(Trouble::lasting("source.settings", error.to_string()), from),
            };
            let most_pages = self.settings.max_pages.unwrap_or(MOST_PAGES);
            let run = Run { fetcher, mapper: Arc::clone(&self.graphs), sink, most_pages };
            let result = self.run(&run).await;
            run.outcome(result, Cursor { position: Value::Null, ..from }, None)
        }
        .boxed()
    }
}
