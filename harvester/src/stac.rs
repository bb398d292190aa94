//! STAC: a tree of files over HTTP, or an API; entries of OGC API Records in either.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use catalog_fetch::{Post, Request, Url};
use serde_json::Value;

use crate::item::{Fault, Place};
use crate::mapper::Mapper;
use crate::mapping::Mappings;
use crate::paging::Paging;
use crate::run::{self, End, Kind, Run};
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Trouble};
use crate::tree::{Tree, json};
use crate::{Error, glob};

/// Pages of one run, unless the operator says otherwise.
const MOST_PAGES: u64 = 200_000;
/// Pages that are fetched at a time.
const TOGETHER: usize = 4;
/// Records of a tree that are mapped together.
const WAITING: usize = 128;
/// The most bytes that a page asks to be sent for the next one.
const LONGEST_BODY: usize = 64 << 10;
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

    async fn run(&self, run: &Run<'_>, position: &Value) -> Result<(Coverage, Cursor), End> {
        if let Some(lists) = Lists::at(position) {
            run.gaps.set_paged();
            self.lists(run, lists).await?;
            return Ok((Coverage::Complete, Cursor::default()));
        }
        let page = run.fresh(&self.url, ACCEPT).await?;
        let base = page.url.clone();
        let root = parse(page, &self.url)
            .map_err(|fault| Trouble::lasting("page.syntax", format!("{}: {}", fault.place, fault.message)))?;
        let is_list = root.get("collections").is_some_and(Value::is_array) || is_collection_of_features(&root);
        if is_list || is_api(&root) {
            self.api(run, root, is_list).await?;
        } else if Shape::of(&root) == Shape::Other {
            let message = format!("`{}` is neither a catalogue nor a collection of STAC", self.url);
            return Err(Trouble::lasting("page.format", message).into());
        } else {
            self.tree(run, root, base).await?;
        }
        Ok((Coverage::Complete, Cursor::default()))
    }

    /// Walks a static tree from its root, level by level. A node that cannot be read hides what is beneath it.
    async fn tree(&self, run: &Run<'_>, root: Value, base: Url) -> Result<(), End> {
        let mut walk = Walk { seen: HashSet::from([self.url.to_string()]), open: VecDeque::new(), trees: Vec::new() };
        let root = (Node { url: self.url.clone(), is_leaf: false }, base, root);
        let walked = self.walk(run, root, &mut walk).await;
        // What was read is good, however it ended.
        run.trees(walk.trees).await?;
        walked
    }

    async fn walk(&self, run: &Run<'_>, root: (Node, Url, Value), walk: &mut Walk) -> Result<(), End> {
        self.visit(run, &root.0, &root.1, root.2, walk).await?;
        while !walk.open.is_empty() {
            let some: Vec<Node> = (0..TOGETHER).filter_map(|_| walk.open.pop_front()).collect();
            let urls: Vec<Url> = some.iter().map(|node| node.url.clone()).collect();
            let request = Request { accept: Some(ACCEPT.to_owned()), ..Request::default() };
            for (node, answer) in some.iter().zip(run.pages(&urls, &request).await) {
                let place = Place::file(node.url.to_string());
                let page = match answer {
                    Ok(page) => page,
                    Err(End::Trouble(trouble)) => {
                        run.gap(place, trouble).await?;
                        continue;
                    }
                    Err(end) => return Err(end),
                };
                let base = page.url.clone();
                match parse(page, &node.url) {
                    Ok(value) => self.visit(run, node, &base, value, walk).await?,
                    // A leaf hides nothing but itself, which is known by its place.
                    Err(fault) if node.is_leaf => run.hand(vec![crate::Item::Faulty(fault)]).await?,
                    Err(fault) => {
                        let message = format!("{}: {}", fault.place, fault.message);
                        run.gap(fault.place, Trouble::passing("page.syntax", message)).await?;
                    }
                }
            }
            run.progress(None).await?;
        }
        Ok(())
    }

    async fn visit(&self, run: &Run<'_>, node: &Node, base: &Url, value: Value, walk: &mut Walk) -> Result<(), End> {
        let (shape, place) = (Shape::of(&value), Place::file(node.url.to_string()));
        if shape == Shape::Features {
            let mut list = Lists { alone: false, ..Lists::of(base.clone()) };
            let read = self.pages(run, &mut list, Some(value)).await;
            return run.survive(place, read).await;
        }
        if shape == Shape::Other && !node.is_leaf {
            let message = format!("`{}` is neither a catalogue nor a collection of STAC", node.url);
            return run.gap(place, Trouble::passing("page.format", message)).await;
        }
        let is_collection = value.get("type").and_then(Value::as_str) == Some("Collection");
        let has_records = value.get("itemType").and_then(Value::as_str) == Some("record");
        for (relation, link) in links(&value) {
            // Items of a collection are many and small; those that hang on a catalogue are what it is about.
            let is_item = relation == "item" || relation == "items";
            let follow = relation == "child"
                || is_item && (self.settings.items || has_records || !is_collection && relation == "item");
            if !follow || shape == Shape::Other {
                continue;
            }
            let target = link.as_deref().and_then(|link| base.join(link).ok());
            let Some(mut target) = target else {
                let message = format!("a link of `{}` to its {relation} has no address", node.url);
                run.gap(place.clone(), Trouble::lasting("link.none", message)).await?;
                continue;
            };
            target.set_fragment(None);
            let is_excluded = self.settings.exclude.iter().any(|pattern| glob::matches(pattern, target.as_str()));
            if !is_excluded && walk.seen.insert(target.to_string()) {
                walk.open.push_back(Node { url: target, is_leaf: relation == "item" });
            }
        }
        if shape == Shape::Catalog {
            return Ok(());
        }
        walk.trees.push(Ok(Tree::new(value, place)));
        if walk.trees.len() >= WAITING {
            run.trees(std::mem::take(&mut walk.trees)).await?;
        }
        Ok(())
    }

    /// Reads an API: its collections, and their items where that is asked for or they are records.
    async fn api(&self, run: &Run<'_>, root: Value, is_list: bool) -> Result<(), End> {
        run.gaps.set_paged();
        let first = if is_list {
            self.url.clone()
        } else {
            let collections = links(&root)
                .into_iter()
                .find(|(relation, _)| relation == "data" || relation == "http://www.opengis.net/def/rel/ogc/1.0/data")
                .and_then(|(_, link)| self.url.join(&link?).ok())
                .or_else(|| self.url.join(&format!("{}/collections", self.url.path().trim_end_matches('/'))).ok());
            let Some(collections) = collections else {
                return Err(Trouble::lasting("page.format", format!("`{}` has no collections", self.url)).into());
            };
            collections
        };
        let mut lists = Lists { first: true, ..Lists::of(first) };
        self.pages(run, &mut lists, Some(root).filter(|_| is_list)).await?;
        self.items(run, lists).await
    }

    /// Goes on where a run was interrupted.
    async fn lists(&self, run: &Run<'_>, mut lists: Lists) -> Result<(), End> {
        let place = Place::file(lists.list.to_string());
        let read = self.pages(run, &mut lists, None).await;
        if lists.first {
            read?;
        } else {
            run.survive(place, read).await?;
        }
        self.items(run, lists).await
    }

    /// Reads the lists that are left.
    async fn items(&self, run: &Run<'_>, lists: Lists) -> Result<(), End> {
        let mut rest = lists.rest;
        while let Some(url) = rest.pop_front() {
            let place = Place::file(url.to_string());
            let mut lists = Lists { rest: rest.clone(), ..Lists::of(url) };
            let read = self.pages(run, &mut lists, None).await;
            run.survive(place, read).await?;
        }
        Ok(())
    }

    /// Reads pages of collections or features as far as they go; where the items of collections are is added to the lists,
    /// when these pages are the first list.
    async fn pages(&self, run: &Run<'_>, lists: &mut Lists, read: Option<Value>) -> Result<(), End> {
        let mut paging = Paging::from(&lists.so_far);
        let (mut next, mut read) = (lists.next.take(), read);
        while let Some(here) = next.take() {
            let url = here.url.clone();
            let value = match read.take() {
                Some(value) => value,
                // Half a page is no page: what is behind it is not known.
                None => parse(run.asked(&url, &here.request()).await?, &url)
                    .map_err(|fault| Trouble::passing("page.syntax", format!("{}: {}", fault.place, fault.message)))?,
            };
            let asked = here;
            let here = value.get("collections").or_else(|| value.get("features")).and_then(Value::as_array);
            let Some(here) = here.cloned() else {
                let message = format!("`{url}` is no list of collections or features");
                return Err(Trouble::passing("page.format", message).into());
            };
            paging.page(&asked.to_string(), &value.to_string(), here.is_empty())?;
            let total = value.get("numberMatched").and_then(Value::as_u64);
            paging.count(here.len() as u64, total);
            let before = run.mapper.news();
            let mut trees = Vec::new();
            for (index, value) in here.into_iter().enumerate() {
                let is_records = value.get("itemType").and_then(Value::as_str) == Some("record");
                let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
                let is_collection = value.get("type").and_then(Value::as_str) != Some("Feature");
                let asked = self.settings.set.is_empty() || self.settings.set.iter().any(|set| set == id);
                if is_collection && asked && (self.settings.items || is_records) {
                    let link = links(&value).into_iter().find(|(relation, _)| relation == "items");
                    let found = match link {
                        Some((_, link)) => link.and_then(|link| url.join(&link).ok()),
                        None => collection_items(&url, id),
                    };
                    lists.rest.extend(found.filter(|_| lists.first));
                }
                if !is_collection || asked && !is_records {
                    let place = Place { pointer: Some(format!("/{index}")), ..Place::file(url.to_string()) };
                    trees.push(Ok(Tree::new(value, place)));
                }
            }
            run.trees(trees).await?;
            let after = run.mapper.news();
            paging.news(&asked.to_string(), after.0 - before.0, after.1 - before.1)?;
            next = asked.after(&value)?;
            (lists.next, lists.so_far) = (next.clone(), paging.so_far());
            run.come_to(total, lists.position()).await?;
        }
        if let Some(trouble) = paging.shortfall(lists.list.as_str()) {
            run.gap(Place::file(lists.list.to_string()), trouble).await?;
        }
        Ok(())
    }
}

/// Where a run is in lists of collections and features.
#[derive(Debug, Clone)]
struct Lists {
    /// Whether the list is the first one, which says where the others are.
    first: bool,
    /// Whether the lists are all that there is, so that a run may go on in them.
    alone: bool,
    /// Where the list begins.
    list: Url,
    /// Its next page.
    next: Option<Next>,
    /// How much of it was read.
    so_far: Value,
    /// The lists after it.
    rest: VecDeque<Url>,
}

impl Lists {
    /// Makes the beginning of one list.
    fn of(list: Url) -> Self {
        let next = Some(Next { url: list.clone(), body: None });
        Self { first: false, alone: true, list, next, so_far: Value::Null, rest: VecDeque::new() }
    }

    /// Reads what [`Self::position`] made.
    fn at(position: &Value) -> Option<Self> {
        let url = |value: &Value| value.as_str().and_then(|text| Url::parse(text).ok());
        let (list, next) = (url(&position["list"])?, url(&position["next"])?);
        let rest = position["rest"].as_array()?.iter().map(url).collect::<Option<_>>()?;
        let (first, so_far) = (position["first"].as_bool()?, position["soFar"].clone());
        let next = Some(Next { url: next, body: position.get("body").cloned() });
        Some(Self { first, alone: true, list, next, so_far, rest })
    }

    /// Returns from where a run goes on that is interrupted before the next page.
    fn position(&self) -> Option<Value> {
        let next = self.next.as_ref().filter(|_| self.alone)?;
        let rest: Vec<&str> = self.rest.iter().map(Url::as_str).collect();
        let (list, url) = (self.list.as_str(), next.url.as_str());
        let mut position = serde_json::json!(
            { "first": self.first, "list": list, "next": url, "soFar": self.so_far, "rest": rest }
        );
        if let Some(body) = &next.body {
            position["body"] = body.clone();
        }
        Some(position)
    }
}

/// A page of a list, and how it is asked for.
#[derive(Debug, Clone)]
struct Next {
    url: Url,
    /// What is sent by POST; nothing for GET.
    body: Option<Value>,
}

impl Next {
    fn request(&self) -> Request {
        let post = self.body.as_ref().map(|body| Post::Json(body.to_string()));
        Request { accept: Some(ACCEPT.to_owned()), post, ..Request::default() }
    }

    /// Returns where the list goes on. A page that leads on to nowhere is not the last one.
    fn after(&self, value: &Value) -> Result<Option<Self>, Trouble> {
        let nexts = all_links(value).iter().filter(|link| text(link, "rel") == Some("next"));
        // Where the same is offered by several methods, the simplest one counts.
        let Some(link) = nexts.min_by_key(|link| !is_by_get(link)) else { return Ok(None) };
        let url = text(link, "href").and_then(|link| self.url.join(link).ok());
        let is_by_post = text(link, "method").is_some_and(|method| method.eq_ignore_ascii_case("POST"));
        match url {
            Some(url) if is_by_get(link) => Ok(Some(Self { url, body: None })),
            Some(url) if is_by_post => {
                let body = self.body_of(link);
                // What is laid on top of what was sent before must not grow from page to page.
                let length = body.to_string().len();
                if length > LONGEST_BODY {
                    let message = format!("the next page of `{}` is asked for with {length} bytes", self.url);
                    return Err(Trouble::lasting("paging.next", message));
                }
                Ok(Some(Self { url, body: Some(body) }))
            }
            _ => {
                let message = format!("the next page of `{self}` cannot be asked for by GET or POST");
                Err(Trouble::lasting("paging.next", message))
            }
        }
    }

    /// Returns what is sent for a link: its body, on top of what was sent before when it says so (STAC API, paging).
    fn body_of(&self, link: &Value) -> Value {
        let mut body = match (&self.body, link.get("merge").and_then(Value::as_bool)) {
            (Some(Value::Object(before)), Some(true)) => before.clone(),
            _ => serde_json::Map::new(),
        };
        body.extend(link.get("body").and_then(Value::as_object).cloned().unwrap_or_default());
        Value::Object(body)
    }
}

impl std::fmt::Display for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.body {
            Some(body) => write!(f, "{} {body}", self.url),
            None => f.write_str(self.url.as_str()),
        }
    }
}

/// A node of a tree that is to be read.
struct Node {
    url: Url,
    /// Whether nothing is beneath it.
    is_leaf: bool,
}

/// What of a tree was seen, and what is to be read.
struct Walk {
    seen: HashSet<String>,
    open: VecDeque<Node>,
    /// Records that wait to be mapped together.
    trees: Vec<Result<Tree, Fault>>,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Catalog,
    /// A record: a collection, an item, or an entry of OGC API Records.
    Record,
    Features,
    Other,
}

impl Shape {
    fn of(value: &Value) -> Self {
        let has = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
        match value.get("type").and_then(Value::as_str).unwrap_or_default() {
            "Catalog" => Self::Catalog,
            "Collection" | "Feature" => Self::Record,
            "FeatureCollection" => Self::Features,
            // STAC before 1.0 had no type; a collection has an extent and a licence.
            _ if has("extent") && has("id") || has("license") && has("id") => Self::Record,
            _ if value.get("links").is_some_and(Value::is_array) && (has("id") || has("stac_version")) => Self::Catalog,
            _ => Self::Other,
        }
    }
}

/// Returns where the items of a collection are when it does not say.
fn collection_items(collections: &Url, id: &str) -> Option<Url> {
    let mut url = collections.clone();
    url.set_query(None);
    url.path_segments_mut().ok()?.pop_if_empty().push(id).push("items");
    Some(url)
}

/// Returns the links of an object: relation, and the address unless there is none that can be asked for by GET.
fn links(value: &Value) -> Vec<(String, Option<String>)> {
    // Where the same is offered by several methods, the one that can be used counts.
    let (get, other): (Vec<&Value>, Vec<&Value>) = all_links(value).iter().partition(|link| is_by_get(link));
    let owned = |link: &Value, key: &str| text(link, key).map(str::to_owned);
    let get = get.into_iter().filter_map(|link| Some((owned(link, "rel")?, owned(link, "href"))));
    let other = other.into_iter().filter_map(|link| Some((owned(link, "rel")?, None)));
    get.chain(other).collect()
}

fn all_links(value: &Value) -> &[Value] {
    value.get("links").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(link: &'a Value, key: &str) -> Option<&'a str> {
    link.get(key).and_then(Value::as_str)
}

fn is_by_get(link: &Value) -> bool {
    text(link, "method").is_none_or(|method| method.eq_ignore_ascii_case("GET"))
}

fn is_api(root: &Value) -> bool {
    let relations: Vec<String> = links(root).into_iter().map(|(relation, _)| relation).collect();
    let has = |words: &[&str]| relations.iter().any(|relation| words.contains(&relation.as_str()));
    let is_tree = has(&["child", "item"]);
    let conforms = root.get("conformsTo").is_some() && root.get("type").and_then(Value::as_str) != Some("Feature");
    conforms && (has(&["data"]) || !is_tree) || !is_tree && has(&["data", "search", "conformance", "service-desc"])
}

fn is_collection_of_features(root: &Value) -> bool {
    root.get("features").is_some_and(Value::is_array)
}

/// Reads a page; its place is where it was asked for, which stays when a redirect leads elsewhere.
fn parse(page: catalog_fetch::Page, asked: &Url) -> Result<Value, Fault> {
    let (name, charset) = (asked.to_string(), page.charset.clone());
    let mut bytes = Vec::new();
    page.body
        .reader()
        .and_then(|mut reader| reader.read_to_end(&mut bytes))
        .map_err(|error| Fault::new("source.read", Place::file(&name), error.to_string()))?;
    json::value(&bytes, charset.as_deref(), &name)
}

impl Kind for Stac {
    const MOST_PAGES: u64 = MOST_PAGES;

    fn begin(&self) -> (&Settings, &Arc<Mapper>) {
        (&self.settings, &self.mapper)
    }

    async fn read(&self, run: &Run<'_>, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        self.run(run, &from.position).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_for_the_next_page_is_laid_over_what_was_and_does_not_grow_for_ever() {
        let url = Url::parse("http://x.example/search").unwrap();
        let page = |body: Value| serde_json::json!({ "links": [{ "rel": "next", "href": "search", "method": "POST", "merge": true, "body": body }] });
        let first = Next { url, body: Some(serde_json::json!({ "limit": 2 })) };
        let second = first.after(&page(serde_json::json!({ "token": "b" }))).unwrap().unwrap();
        assert_eq!(second.to_string(), r#"http://x.example/search {"limit":2,"token":"b"}"#);
        let long = page(serde_json::json!({ "more": "x".repeat(LONGEST_BODY) }));
        assert_eq!(second.after(&long).unwrap_err().code, "paging.next");
    }
}
