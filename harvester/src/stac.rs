//! STAC: a tree of files over HTTP, or an API; entries of OGC API Records in either.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use catalog_fetch::{Answer, Request, Url};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::Error;
use crate::item::{Fault, Place};
use crate::mapper::Mapper;
use crate::mapping::Mappings;
use crate::paging::Paging;
use crate::run::{self, End, Run};
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Outcome, Sink, Source, Trouble};
use crate::tree::{Tree, json};

/// Pages of one run, unless the operator says otherwise.
const MOST_PAGES: u64 = 200_000;
/// Pages that are fetched at a time.
const TOGETHER: usize = 4;
const ACCEPT: &str = "application/json, application/geo+json, */*;q=0.1";

/// A STAC catalogue.
#[derive(Debug)]
pub(crate) struct Stac {
    settings: Settings,
    mapper: Arc<Mapper>,
    url: Url,
}

impl Stac {
    pub(crate) fn open(settings: Settings, mappings: &Mappings) -> Result<Self, Error> {
        let mapping = mappings.get(settings.mapping.as_deref().unwrap_or("stac"))?;
        let url = run::url(settings.url.as_deref().ok_or_else(|| Error::Settings("url: it is missing".to_owned()))?)?;
        let mapper = Arc::new(Mapper::new(&settings.id, mapping, settings.defaults.clone()));
        Ok(Self { settings, mapper, url })
    }

    async fn run(&self, run: &Run<'_>) -> Result<(Coverage, Cursor), End> {
        let root = match self.document(run, &self.url).await? {
            Ok(root) => root,
            Err(fault) => {
                return Err(Trouble::lasting("page.syntax", format!("{}: {}", fault.place, fault.message)).into());
            }
        };
        if is_api(&root) || root.get("collections").is_some() || is_collection_of_features(&root) {
            self.api(run, root).await?;
        } else {
            self.tree(run, root).await?;
        }
        Ok((Coverage::Complete, Cursor::default()))
    }

    async fn document(&self, run: &Run<'_>, url: &Url) -> Result<Result<Value, Fault>, End> {
        let page = run.fresh(url, ACCEPT).await?;
        Ok(parse(page))
    }

    /// Walks a static tree from its root, level by level.
    async fn tree(&self, run: &Run<'_>, root: Value) -> Result<(), End> {
        let mut seen = HashSet::from([self.url.to_string()]);
        let mut open: VecDeque<(Url, bool)> = VecDeque::new();
        self.visit(run, &self.url, root, &mut seen, &mut open).await?;
        while !open.is_empty() {
            let some: Vec<(Url, bool)> = (0..TOGETHER).filter_map(|_| open.pop_front()).collect();
            let urls: Vec<Url> = some.iter().map(|(url, _)| url.clone()).collect();
            let request = Request { accept: Some(ACCEPT.to_owned()), ..Request::default() };
            let answers = run.pages(&urls, &request).await;
            for (url, answer) in urls.iter().zip(answers) {
                let page = match answer {
                    Ok(Answer::Page(page)) => page,
                    Ok(Answer::Unchanged) => continue,
                    Err(error) => return Err(error),
                };
                match parse(page) {
                    Ok(value) => self.visit(run, url, value, &mut seen, &mut open).await?,
                    Err(fault) => run.hand(vec![crate::Item::Faulty(fault)]).await?,
                }
            }
            run.progress(None, None).await?;
        }
        Ok(())
    }

    async fn visit(
        &self,
        run: &Run<'_>,
        url: &Url,
        value: Value,
        seen: &mut HashSet<String>,
        open: &mut VecDeque<(Url, bool)>,
    ) -> Result<(), End> {
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_collection = kind == "Collection";
        for (relation, link) in links(&value) {
            // Items of a collection are many and small; those that hang on a catalogue are what it is about.
            let follow = relation == "child" || relation == "item" && (self.settings.items || !is_collection);
            let Ok(mut target) = url.join(&link) else { continue };
            target.set_fragment(None);
            if follow && seen.insert(target.to_string()) {
                open.push_back((target, relation == "item"));
            }
        }
        if kind == "Catalog" || kind.is_empty() && value.get("links").is_some() && value.get("id").is_none() {
            return Ok(());
        }
        // STAC before 1.0 had no type for catalogues; a collection has an extent and a licence.
        if kind.is_empty() && value.get("extent").is_none() && value.get("license").is_none() {
            return Ok(());
        }
        run.trees(vec![Ok(Tree { value, place: Place::file(url.to_string()) })]).await
    }

    /// Reads an API: its collections, and their items where that is asked for or they are records.
    async fn api(&self, run: &Run<'_>, root: Value) -> Result<(), End> {
        if is_collection_of_features(&root) || root.get("collections").is_some() {
            return self.pages(run, self.url.clone(), Some(root)).await.map(drop);
        }
        let collections = links(&root)
            .into_iter()
            .find(|(relation, _)| relation == "data" || relation == "http://www.opengis.net/def/rel/ogc/1.0/data")
            .and_then(|(_, link)| self.url.join(&link).ok())
            .or_else(|| self.url.join(&format!("{}/collections", self.url.path().trim_end_matches('/'))).ok());
        let Some(collections) = collections else { return Ok(()) };
        let items = self.pages(run, collections, None).await?;
        for url in items {
            self.pages(run, url, None).await?;
        }
        Ok(())
    }

    /// Reads pages of collections or features as far as they go; returns where the items to be read are.
    async fn pages(&self, run: &Run<'_>, first: Url, read: Option<Value>) -> Result<Vec<Url>, End> {
        let mut paging = Paging::new();
        let (mut next, mut read, mut items) = (Some(first), read, Vec::new());
        while let Some(url) = next.take() {
            let value = match read.take() {
                Some(value) => value,
                None => match self.document(run, &url).await? {
                    Ok(value) => value,
                    // Half a page is no page: what is behind it is not known.
                    Err(fault) => {
                        return Err(
                            Trouble::passing("page.syntax", format!("{}: {}", fault.place, fault.message)).into()
                        );
                    }
                },
            };
            let here = value.get("collections").or_else(|| value.get("features")).and_then(Value::as_array);
            let here = here.cloned().unwrap_or_default();
            paging.page(url.as_str(), &value.to_string(), here.is_empty())?;
            let mut trees = Vec::new();
            for (index, value) in here.into_iter().enumerate() {
                let is_records = value.get("itemType").and_then(Value::as_str) == Some("record");
                let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
                let asked = self.settings.set.is_empty() || self.settings.set.iter().any(|set| set == id);
                let is_collection = value.get("type").and_then(Value::as_str) != Some("Feature");
                if is_collection && asked && (self.settings.items || is_records) {
                    let link = links(&value).into_iter().find(|(relation, _)| relation == "items");
                    let found = match link {
                        Some((_, link)) => url.join(&link).ok(),
                        None => collection_items(&url, id),
                    };
                    items.extend(found);
                }
                if !is_collection || asked && !is_records {
                    let place = Place { pointer: Some(format!("/{index}")), ..Place::file(url.to_string()) };
                    trees.push(Ok(Tree { value, place }));
                }
            }
            let expected = value.get("numberMatched").and_then(Value::as_u64);
            run.trees(trees).await?;
            run.progress(expected, None).await?;
            next = next_page(&value).and_then(|link| url.join(&link).ok());
        }
        Ok(items)
    }
}

/// Returns where the items of a collection are when it does not say.
fn collection_items(collections: &Url, id: &str) -> Option<Url> {
    let mut url = collections.clone();
    url.set_query(None);
    url.path_segments_mut().ok()?.pop_if_empty().push(id).push("items");
    Some(url)
}

fn next_page(value: &Value) -> Option<String> {
    links(value).into_iter().find(|(relation, _)| relation == "next").map(|(_, link)| link)
}

/// Returns the links of an object: relation, address. Links that need another method than GET are passed over.
fn links(value: &Value) -> Vec<(String, String)> {
    let all = value.get("links").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |link: &Value, key: &str| link.get(key).and_then(Value::as_str).map(str::to_owned);
    all.iter()
        .filter(|link| text(link, "method").is_none_or(|method| method.eq_ignore_ascii_case("GET")))
        .filter_map(|link| Some((text(link, "rel")?, text(link, "href")?)))
        .collect()
}

fn is_api(root: &Value) -> bool {
    let relations: Vec<String> = links(root).into_iter().map(|(relation, _)| relation).collect();
    root.get("conformsTo").is_some() && root.get("type").and_then(Value::as_str) != Some("Feature")
        || ["data", "search", "conformance", "service-desc"]
            .iter()
            .any(|word| relations.iter().any(|other| other == word))
            && !relations.iter().any(|relation| relation == "child" || relation == "item")
}

fn is_collection_of_features(root: &Value) -> bool {
    root.get("features").is_some_and(Value::is_array)
}

fn parse(page: catalog_fetch::Page) -> Result<Value, Fault> {
    let (name, charset) = (page.url.to_string(), page.charset.clone());
    let mut bytes = Vec::new();
    page.body
        .reader()
        .and_then(|mut reader| reader.read_to_end(&mut bytes))
        .map_err(|error| Fault::new("source.read", Place::file(&name), error.to_string()))?;
    json::value(&bytes, charset.as_deref(), &name)
}

impl Source for Stac {
    fn harvest<'a>(&'a self, from: Cursor, sink: &'a Sink) -> BoxFuture<'a, Outcome> {
        async move {
            self.mapper.begin();
            let fetcher = match run::fetcher(&self.settings) {
                Ok(fetcher) => Arc::new(fetcher),
                Err(error) => return Outcome::failed(Trouble::lasting("source.settings", error.to_string()), from),
            };
            let most_pages = self.settings.max_pages.unwrap_or(MOST_PAGES);
            let run = Run { fetcher, mapper: Arc::clone(&self.mapper), sink, most_pages };
            let result = self.run(&run).await;
            run.outcome(result, Cursor { position: Value::Null, ..from }, None)
        }
        .boxed()
    }
}
