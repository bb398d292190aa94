//! DCAT in any syntax of RDF: one page, pages of Hydra or LDP, a FAIR Data Point from its root, and `data.json`.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use catalog_fetch::{Page, Url};
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use serde_json::{Value, json};

use crate::graph::Graph;
use crate::item::{Fault, Item, Place};
use crate::mapper::Mapper;
use crate::mapping::Mappings;
use crate::paging::Paging;
use crate::rdf::{self, Syntax};
use crate::run::{self, End, Kind, Run};
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Trouble};
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

/// What leads to the members of a list, and how many it says it has.
const MEMBERS: [&str; 3] = [
    "http://www.w3.org/ns/hydra/core#member",
    "http://www.w3.org/ns/dcat#dataset",
    "http://www.w3.org/ns/ldp#contains",
];
const TOTAL: &str = "http://www.w3.org/ns/hydra/core#totalItems";

/// Why a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is the address that the operator gave.
    First,
    /// The list goes on there.
    Next,
    /// A part is described there.
    Part,
}

/// What of a catalogue was seen, and what is to be read.
struct Crawl {
    seen: HashSet<String>,
    open: VecDeque<(Url, Why)>,
}

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

    async fn run(&self, run: &Run<'_>, position: &Value) -> Result<(Coverage, Cursor), End> {
        match &self.place {
            Ok(url) => self.crawl(run, url, position).await?,
            Err(folder) => self.folder(run, folder).await?,
        }
        Ok((Coverage::Complete, Cursor::default()))
    }

    /// Reads pages from the first one on: next pages always, parts as long as they are of the same origin.
    ///
    /// The first page is needed. What else cannot be read is a gap: what is behind it is not known.
    async fn crawl(&self, run: &Run<'_>, first: &Url, position: &Value) -> Result<(), End> {
        let mut paging = Paging::from(&position["soFar"]);
        let mut crawl = Crawl { seen: HashSet::from([without_fragment(first)]), open: VecDeque::new() };
        match position["next"].as_str().and_then(|next| Url::parse(next).ok()) {
            Some(next) => {
                crawl.seen.insert(without_fragment(&next));
                crawl.open.push_back((next, Why::Next));
                run.gaps.set_paged();
            }
            None => crawl.open.push_back((first.clone(), Why::First)),
        }
        while let Some((url, why)) = crawl.open.pop_front() {
            let place = Place::file(url.to_string());
            let page = match run.fresh(&url, ACCEPT).await {
                Err(End::Trouble(trouble)) if why != Why::First => {
                    run.gap(place, trouble).await?;
                    continue;
                }
                other => other?,
            };
            let links = page.links.clone();
            let Some(mut graph) = self.graph(run, page, &url, why).await? else { continue };
            if graph.len() == 0 && why != Why::First {
                let trouble = Trouble::passing("page.empty", format!("`{url}` says nothing"));
                run.gap(place, trouble).await?;
                continue;
            }
            let is_list = self.find_next(run, &mut crawl, &graph, &links, first, &url).await? || why == Why::Next;
            if is_list {
                run.gaps.set_paged();
            }
            for part in parts(&graph, first, &url) {
                let is_excluded = self.settings.exclude.iter().any(|pattern| glob::matches(pattern, part.as_str()));
                if !is_excluded && crawl.seen.insert(without_fragment(&part)) {
                    crawl.open.push_back((part, Why::Part));
                }
            }
            let is_whole = self.add_distributions(run, &mut graph, first).await?;
            let total = graph.objects_of(TOTAL).find_map(number_of);
            let members = MEMBERS.iter().map(|property| graph.objects_of(property).count()).max().unwrap_or_default();
            let (before, mut handed) = (run.mapper.news(), 0);
            if is_whole {
                handed = self.hand(run, graph, place).await?;
            } else {
                // Without its distributions a dataset would say less than it does: what it said before stays.
                let mut fault = Fault::new("page.parts", place, "distributions that it names could not be read");
                fault.anywhere = run.gaps.is_paged();
                run.hand(vec![Item::Faulty(fault)]).await?;
            }
            if is_list {
                let after = run.mapper.news();
                paging.news(url.as_str(), after.0 - before.0, after.1 - before.1)?;
                paging.count(handed.max(members) as u64, total);
            }
            let next = match crawl.open.make_contiguous() {
                [(next, Why::Next)] => Some(json!({ "next": next.as_str(), "soFar": paging.so_far() })),
                // What else waits was found on pages that are not read again.
                _ => None,
            };
            run.come_to(total, next).await?;
        }
        if let Some(trouble) = paging.shortfall(first.as_str()) {
            run.gap(Place::file(first.to_string()), trouble).await?;
        }
        Ok(())
    }

    /// Finds where the list goes on after a page; says whether it does.
    async fn find_next(
        &self,
        run: &Run<'_>,
        crawl: &mut Crawl,
        graph: &Graph,
        links: &[(Url, String)],
        first: &Url,
        url: &Url,
    ) -> Result<bool, End> {
        let by_header = links.iter().filter(|(_, relation)| relation == "next").map(|(next, _)| next.clone());
        let (mut found, mut known) = (false, None);
        for next in next_pages(graph, &crawl.seen, url).into_iter().chain(by_header) {
            if next.origin() != first.origin() {
                let message = format!("the page after `{url}` is elsewhere, at `{next}`");
                run.gap(Place::file(url.to_string()), Trouble::lasting("paging.elsewhere", message)).await?;
            } else if crawl.seen.insert(without_fragment(&next)) {
                found = true;
                crawl.open.push_front((next, Why::Next));
            } else if !crawl.open.iter().any(|(open, _)| without_fragment(open) == without_fragment(&next)) {
                known = Some(next);
            }
        }
        if let (false, Some(next)) = (found, known) {
            let trouble = Trouble::lasting("paging.loop", format!("the pages of `{url}` lead back to `{next}`"));
            // A last page that leads to itself is known; what leads elsewhere in a circle is a list without an end.
            if without_fragment(&next) != without_fragment(url) {
                return Err(trouble.into());
            }
            run.gap(Place::file(url.to_string()), trouble).await?;
        }
        Ok(found)
    }

    /// Brings in the pages of distributions that are only named, as FAIR Data Points have them; says whether all could
    /// be read.
    async fn add_distributions(&self, run: &Run<'_>, graph: &mut Graph, first: &Url) -> Result<bool, End> {
        let distribution = NamedNode::new_unchecked("http://www.w3.org/ns/dcat#distribution");
        let missing: Vec<Url> = graph
            .objects_of(distribution.as_str())
            .filter(|term| !graph.describes(term))
            .filter_map(|term| match term {
                Term::NamedNode(node) => Url::parse(node.as_str()).ok(),
                _ => None,
            })
            .filter(|url| url.origin() == first.origin())
            .collect();
        let mut is_whole = true;
        for url in missing {
            let place = Place::file(url.to_string());
            let page = match run.fresh(&url, ACCEPT).await {
                Ok(page) => page,
                // A name of something that is not there, or not for us: it says nothing, today and tomorrow.
                Err(End::Trouble(trouble)) if trouble.code == "fetch.status" && !trouble.transient => continue,
                Err(End::Trouble(trouble)) => {
                    is_whole = false;
                    run.gap(place, trouble).await?;
                    continue;
                }
                Err(end) => return Err(end),
            };
            // What is no RDF is the distribution itself.
            if Syntax::of_media_type(&page.media_type).is_none() && self.format.is_none() {
                continue;
            }
            match self.graph(run, page, &url, Why::Part).await? {
                Some(more) => graph.extend(more),
                None => is_whole = false,
            }
        }
        Ok(is_whole)
    }

    /// Reads a page as a graph; `data.json` is handed on at once, and is none.
    async fn graph(&self, run: &Run<'_>, page: Page, url: &Url, why: Why) -> Result<Option<Graph>, End> {
        let name = page.url.to_string();
        let (media_type, charset) = (page.media_type.clone(), page.charset.clone());
        let bytes = whole(page)?;
        let known = self.format.or_else(|| {
            let by_type = Syntax::of_media_type(&media_type);
            by_type.or_else(|| Syntax::of_name(url.path())).or_else(|| sniff(&bytes))
        });
        let Some(syntax) = known else {
            let message = format!("`{name}` is `{media_type}`, which is no syntax of RDF");
            if why == Why::First {
                return Err(Trouble::lasting("page.format", message).into());
            }
            run.gap(Place::file(name), Trouble::passing("page.format", message)).await?;
            return Ok(None);
        };
        if syntax == Syntax::JsonLd && is_data_json(&bytes) {
            let us = run.with(&self.trees);
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
            Err(fault) => {
                let trouble = Trouble::passing("page.syntax", format!("{}: {}", fault.place, fault.message));
                if why == Why::First {
                    return Err(trouble.into());
                }
                run.gap(fault.place, trouble).await?;
                Ok(None)
            }
        }
    }

    /// Hands on the records of a graph; says how many there are, with those that are none.
    async fn hand(&self, run: &Run<'_>, graph: Graph, place: Place) -> Result<usize, End> {
        let mapper = Arc::clone(&self.graphs);
        let mapped = tokio::task::spawn_blocking(move || mapper.graph(&graph, &place, None))
            .await
            .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?;
        let items = mapped.unwrap_or_else(|fault| vec![Item::Faulty(fault)]);
        let count = items.len();
        run.hand(items).await?;
        Ok(count)
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
            let bytes = match tokio::fs::read(&path).await {
                Ok(bytes) => bytes,
                // A file that cannot be read is set aside, and what it said before stays.
                Err(error) => {
                    let fault = Fault::new("source.read", Place::file(name), format!("it cannot be read: {error}"));
                    run.hand(vec![Item::Faulty(fault)]).await?;
                    continue;
                }
            };
            if syntax == Syntax::JsonLd && is_data_json(&bytes) {
                let us = run.with(&self.trees);
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
                mapper.graph(&graph, &Place::file(&name), None)
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

/// Returns the next pages that a page names; what it says of other pages that were read is no news.
fn next_pages(graph: &Graph, seen: &HashSet<String>, url: &Url) -> Vec<Url> {
    let (mut found, here) = (Vec::new(), without_fragment(url));
    for (subject, next) in NEXT.iter().flat_map(|property| graph.pairs(property)) {
        let about = match subject {
            Term::NamedNode(node) => Url::parse(node.as_str()).ok().map(|url| without_fragment(&url)),
            _ => None,
        };
        if about.is_some_and(|about| about != here && seen.contains(&about) && about != without_query(&here)) {
            continue;
        }
        found.extend(match next {
            Term::NamedNode(node) => Url::parse(node.as_str()).ok(),
            Term::Literal(literal) => url.join(literal.value()).ok(),
            _ => None,
        });
    }
    found
}

/// Returns the address of the whole list, of which many catalogues state where the present page goes on.
fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or(url).to_owned()
}

fn number_of(term: &Term) -> Option<u64> {
    match term {
        Term::Literal(literal) => literal.value().parse().ok(),
        _ => None,
    }
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

impl Kind for Dcat {
    const MOST_PAGES: u64 = MOST_PAGES;

    fn begin(&self) -> (&Settings, &Arc<Mapper>) {
        self.trees.begin();
        (&self.settings, &self.graphs)
    }

    async fn read(&self, run: &Run<'_>, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        self.run(run, &from.position).await
    }
}
