//! A SPARQL endpoint, asked by a CONSTRUCT page by page.

use std::sync::Arc;

use catalog_fetch::{Post, Request, Url};
use serde_json::{Value, json};
use spargebra::{Query, SparqlParser};

use crate::Error;
use crate::dcat::whole;
use crate::graph::Graph;
use crate::item::{Item, Place};
use crate::mapper::Mapper;
use crate::mapping::Mappings;
use crate::paging::Paging;
use crate::rdf::{self, Syntax};
use crate::run::{self, End, Kind, Run};
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Trouble};

/// Solutions of a page, unless the operator says otherwise.
const PAGE: u32 = 1000;
/// Pages of one run.
const MOST_PAGES: u64 = 10_000;
/// Statements that are put together when pages can cut a record in two.
const MOST_STATEMENTS: usize = 2_000_000;

/// A SPARQL endpoint.
#[derive(Debug)]
pub(crate) struct Sparql {
    settings: Settings,
    mapper: Arc<Mapper>,
    url: Url,
    query: String,
}

impl Sparql {
    pub(crate) fn open(settings: Settings, mappings: &Mappings) -> Result<Self, Error> {
        let mapping = mappings.get(settings.mapping.as_deref().unwrap_or("dcat"))?;
        let url = run::url(settings.url.as_deref().ok_or_else(|| Error::Settings("url: it is missing".to_owned()))?)?;
        let query = settings.query.clone().ok_or_else(|| Error::Settings("query: it is missing".to_owned()))?;
        let first = paged(&query, PAGE, 0);
        match SparqlParser::new().parse_query(&first) {
            Ok(Query::Construct { .. }) => {}
            Ok(_) => return Err(Error::Settings("query: it is not a CONSTRUCT".to_owned())),
            Err(error) => return Err(Error::Settings(format!("query: {error}"))),
        }
        let mapper = Arc::new(Mapper::new(&settings.id, mapping, settings.defaults.clone()));
        Ok(Self { settings, mapper, url, query })
    }

    async fn run(&self, run: &Run<'_>, position: &Value) -> Result<(Coverage, Cursor), End> {
        let size = self.settings.page_size.unwrap_or(PAGE).max(1);
        // A query that says itself where a page is cut keeps records whole; otherwise all pages are put together first.
        let whole_records = self.query.contains("{offset}");
        let mut paging = Paging::from(&position["soFar"]);
        let (mut all, mut was_empty) = (Graph::default(), false);
        run.gaps.set_paged();
        let mut first: Option<Graph> = None;
        for number in position["page"].as_u64().unwrap_or_default().. {
            let name = format!("{}#page={}", self.url, number + 1);
            let (graph, content) = self.page(run, &name, size, u64::from(size) * number).await?;
            if graph.len() == 0 {
                // An endpoint that is short of time may say nothing of a page in between: the end is where two pages
                // in a row say nothing.
                if std::mem::replace(&mut was_empty, true) {
                    break;
                }
                continue;
            }
            if std::mem::take(&mut was_empty) {
                let message = format!("a page of `{}` said nothing and the next one did", self.url);
                run.gap(Place::file(name.clone()), Trouble::passing("page.empty", message)).await?;
            }
            paging.page(&name, &content, false)?;
            if let Some(first) = first.take() {
                self.check_size(run, &first, size).await?;
            }
            if number == 0 {
                first = Some(graph.clone());
            }
            if whole_records {
                let before = run.mapper.news();
                self.hand(run, graph, Place::file(name.clone())).await?;
                let after = run.mapper.news();
                paging.news(&name, after.0 - before.0, after.1 - before.1)?;
            } else {
                let (known, fresh) = graph.shared(&all);
                paging.news(&name, fresh, known)?;
                all.extend(graph);
                if all.len() > MOST_STATEMENTS {
                    let message = format!(
                        "the endpoint has more than {MOST_STATEMENTS} statements; say {{limit}} and {{offset}} in the query"
                    );
                    return Err(Trouble::lasting("limit.statements", message).into());
                }
            }
            let next = json!({ "page": number + 1, "soFar": paging.so_far() });
            run.come_to(None, Some(next).filter(|_| whole_records)).await?;
        }
        if !whole_records {
            self.hand(run, all, Place::file(self.url.to_string())).await?;
        }
        Ok((Coverage::Complete, Cursor::default()))
    }

    /// Asks for a page; returns its graph, and what it says as it was written.
    async fn page(&self, run: &Run<'_>, name: &str, limit: u32, offset: u64) -> Result<(Graph, String), End> {
        let form = format!("query={}", encoded(&paged(&self.query, limit, offset)));
        let accept = "application/n-triples, text/turtle;q=0.9, application/rdf+xml;q=0.5, application/ld+json;q=0.3";
        let request = Request { accept: Some(accept.to_owned()), post: Some(Post::Form(form)), ..Request::default() };
        let page = run.asked(&self.url, &request).await?;
        // Nothing is a graph of nothing, and N-Triples were plain text once.
        let is_plain = page.length == 0 || page.media_type == "text/plain";
        let Some(syntax) = Syntax::of_media_type(&page.media_type).or(is_plain.then_some(Syntax::NTriples)) else {
            let message = format!("`{name}` is `{}`, which is no syntax of RDF", page.media_type);
            return Err(Trouble::passing("page.format", message).into());
        };
        let bytes = whole(page)?;
        let content = String::from_utf8_lossy(&bytes).into_owned();
        let file = name.to_owned();
        let graph = tokio::task::spawn_blocking(move || rdf::parse(&bytes, syntax, None, &file))
            .await
            .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?
            .map_err(|fault| Trouble::passing("page.syntax", format!("{}: {}", fault.place, fault.message)))?;
        Ok((graph, content))
    }

    /// Checks that a first page with another one after it has all that was asked for: many endpoints give no more than so
    /// many solutions, and say nothing of it.
    async fn check_size(&self, run: &Run<'_>, first: &Graph, size: u32) -> Result<(), End> {
        let name = format!("{}#solution={size}", self.url);
        let (last, _) = self.page(run, &name, 1, u64::from(size) - 1).await?;
        let (_, missing) = last.shared(first);
        if missing == 0 {
            return Ok(());
        }
        let message = format!(
            "`{}` gave less than {size} solutions on its first page, or in another order than when it is asked again",
            self.url
        );
        run.gap(Place::file(self.url.to_string()), Trouble::lasting("page.short", message)).await
    }

    async fn hand(&self, run: &Run<'_>, graph: Graph, place: Place) -> Result<(), End> {
        let mapper = Arc::clone(&self.mapper);
        let mapped = tokio::task::spawn_blocking(move || mapper.graph(&graph, &place, None))
            .await
            .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?;
        run.hand(mapped.unwrap_or_else(|fault| vec![Item::Faulty(fault)])).await
    }
}

/// Makes the query of a page: `{limit}` and `{offset}` where the query has them, else LIMIT and OFFSET at its end.
fn paged(query: &str, limit: u32, offset: u64) -> String {
    if query.contains("{offset}") {
        return query.replace("{limit}", &limit.to_string()).replace("{offset}", &offset.to_string());
    }
    format!("{query}\nLIMIT {limit} OFFSET {offset}")
}

fn encoded(text: &str) -> String {
    let mut url = Url::parse("http://x/").unwrap_or_else(|_| unreachable!("the address is constant"));
    url.query_pairs_mut().append_pair("q", text);
    url.query().unwrap_or_default().trim_start_matches("q=").to_owned()
}

impl Kind for Sparql {
    const MOST_PAGES: u64 = MOST_PAGES;

    fn begin(&self) -> (&Settings, &Arc<Mapper>) {
        (&self.settings, &self.mapper)
    }

    async fn read(&self, run: &Run<'_>, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        self.run(run, &from.position).await
    }
}
