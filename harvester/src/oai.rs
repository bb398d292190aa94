//! OAI-PMH 2.0: ListRecords with resumption, deleted records, sets and dates.

use std::sync::Arc;

use catalog_fetch::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Error;
use crate::dcat::whole;
use crate::item::{Fault, Gone, Item, Place};
use crate::mapper::{Mapper, alias};
use crate::mapping::Mappings;
use crate::paging::Paging;
use crate::part::metadata;
use crate::rdf;
use crate::run::{self, End, Kind, Run};
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Trouble};
use crate::tree::{Tree, xml};

/// Pages of one run, unless the operator says otherwise.
const MOST_PAGES: u64 = 100_000;

/// Where in the repository a run is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Where {
    /// The set, by its place in the settings.
    set: usize,
    /// What the next page is asked for with.
    token: Option<String>,
    /// The repository's own time at the first answer, from which the next run asks for changes.
    begin: Option<String>,
    /// How much of the list was read.
    so_far: Value,
}

impl Where {
    fn of(position: &Value) -> Self {
        serde_json::from_value(position.clone()).unwrap_or_default()
    }
}

/// A repository that speaks OAI-PMH.
#[derive(Debug)]
pub(crate) struct Oai {
    settings: Settings,
    mapper: Arc<Mapper>,
    url: Url,
    prefix: String,
}

impl Oai {
    pub(crate) fn open(settings: Settings, mappings: &Mappings) -> Result<Self, Error> {
        let prefix = settings.metadata_prefix.clone().unwrap_or_else(|| "oai_dc".to_owned());
        let name = settings.mapping.clone().unwrap_or_else(|| default_mapping(&prefix).to_owned());
        let mapping = mappings.get(&name)?;
        let url = run::url(settings.url.as_deref().ok_or_else(|| Error::Settings("url: it is missing".to_owned()))?)?;
        let mapper = Arc::new(Mapper::new(&settings.id, mapping, settings.defaults.clone()));
        Ok(Self { settings, mapper, url, prefix })
    }

    async fn run(&self, run: &Run<'_>, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        let since = from.state.get("from").and_then(Value::as_str).filter(|_| self.settings.incremental);
        let sets: Vec<Option<&str>> = match self.settings.set.as_slice() {
            [] => vec![None],
            sets => sets.iter().map(|set| Some(set.as_str())).collect(),
        };
        run.gaps.set_paged();
        let since = match since {
            // Of one that does not say what is gone, changes are not all that there is to know.
            Some(_) if self.forgets(run).await => None,
            since => since,
        };
        let place = Where::of(&from.position);
        match self.lists(run, &sets, since, place).await {
            Ok(begin) => {
                let coverage = if since.is_some() { Coverage::Changes } else { Coverage::Complete };
                Ok((coverage, Cursor { state: json!({ "from": begin }), position: Value::Null }))
            }
            // It does not know that time, any more or yet: then everything is read.
            Err(End::Trouble(trouble)) if since.is_some() && trouble.code == "oai.from" => {
                run.mapper.begin();
                let begin = self.lists(run, &sets, None, Where::default()).await?;
                Ok((Coverage::Complete, Cursor { state: json!({ "from": begin }), position: Value::Null }))
            }
            Err(end) => Err(end),
        }
    }

    /// Says whether the repository keeps nothing of what it deletes, as far as it tells.
    async fn forgets(&self, run: &Run<'_>) -> bool {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("verb", "Identify");
        let Ok(page) = run.fresh(&url, "text/xml, application/xml").await else { return false };
        let charset = page.charset.clone();
        let Ok(bytes) = whole(page) else { return false };
        let said = xml::document(&bytes, charset.as_deref(), url.as_str()).unwrap_or_default();
        text(&said["Identify"][0]["deletedRecord"][0]).is_some_and(|kept| kept == "no")
    }

    /// Lists the records of every set; returns when that began.
    async fn lists(
        &self,
        run: &Run<'_>,
        sets: &[Option<&str>],
        since: Option<&str>,
        mut place: Where,
    ) -> Result<Option<String>, End> {
        for (number, set) in sets.iter().enumerate().skip(place.set) {
            place.set = number;
            self.list(run, *set, since, &mut place).await?;
            place = Where { begin: place.begin, ..Where::default() };
        }
        Ok(place.begin)
    }

    /// Lists the records of a set, from where it is.
    async fn list(&self, run: &Run<'_>, set: Option<&str>, since: Option<&str>, place: &mut Where) -> Result<(), End> {
        let mut paging = Paging::from(&place.so_far);
        let mut token = place.token.take();
        loop {
            let url = self.request(set, since, token.as_deref());
            let page = run.fresh(&url, "text/xml, application/xml").await?;
            let name = page.url.to_string();
            let charset = page.charset.clone();
            let bytes = whole(page)?;
            // Half a page is no page, and what is behind it is not known.
            let unread = |fault: Fault| {
                let code = if fault.code == "xml.doctype" { "xml.doctype" } else { "page.syntax" };
                Trouble::passing(code, format!("{}: {}", fault.place, fault.message))
            };
            let document = xml::decode(&bytes, charset.as_deref(), &name).map_err(unread)?;
            let value = xml::parse(&document, &name).map_err(unread)?;
            if value["element"] != "OAI-PMH" {
                return Err(Trouble::lasting("page.format", format!("`{name}` is no answer of OAI-PMH")).into());
            }
            if place.begin.is_none() {
                place.begin = text(&value["responseDate"][0]).and_then(|date| day(&date));
            }
            if let Some(error) = value["error"].as_array().and_then(|errors| errors.first()) {
                let code = error["attr:code"].as_str().unwrap_or_default();
                // Nothing matches: that is an answer, not a fault, unless the list had begun.
                if code == "noRecordsMatch" && token.is_none() {
                    return Ok(());
                }
                let message = format!("`{name}` answered {code}: {}", text(error).unwrap_or_default());
                return Err(match code {
                    "badResumptionToken" => Trouble::passing("oai.token", message),
                    "badArgument" if since.is_some() && token.is_none() => Trouble::lasting("oai.from", message),
                    _ => Trouble::lasting("oai.error", message),
                }
                .into());
            }
            let list = &value["ListRecords"][0];
            if !list.is_object() {
                let message = format!("`{name}` has neither records nor an error");
                return Err(Trouble::passing("page.format", message).into());
            }
            let records = list["record"].as_array().cloned().unwrap_or_default();
            paging.page(
                token.as_deref().unwrap_or("the first page"),
                &Value::from(records.clone()).to_string(),
                records.is_empty(),
            )?;
            let resumption = &list["resumptionToken"][0];
            let expected = resumption["attr:completeListSize"].as_str().and_then(|size| size.parse().ok());
            paging.count(records.len() as u64, expected);
            let before = run.mapper.news();
            self.records(run, &name, &document, records).await?;
            let after = run.mapper.news();
            paging.news(&name, after.0 - before.0, after.1 - before.1)?;
            token = text(resumption).filter(|token| !token.is_empty());
            let place = Where { token: token.clone(), so_far: paging.so_far(), ..place.clone() };
            run.come_to(expected, token.as_ref().map(|_| json!(place))).await?;
            if token.is_none() {
                return match paging.shortfall(self.url.as_str()) {
                    Some(trouble) => run.gap(Place::file(self.url.to_string()), trouble).await,
                    None => Ok(()),
                };
            }
        }
    }

    fn request(&self, set: Option<&str>, since: Option<&str>, token: Option<&str>) -> Url {
        let mut url = self.url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("verb", "ListRecords");
            match token {
                // With a token nothing else may be said (OAI-PMH 2.0, 3.5).
                Some(token) => {
                    query.append_pair("resumptionToken", token);
                }
                None => {
                    query.append_pair("metadataPrefix", &self.prefix);
                    set.iter().for_each(|set| {
                        query.append_pair("set", set);
                    });
                    since.iter().for_each(|since| {
                        query.append_pair("from", since);
                    });
                }
            }
        }
        url
    }

    async fn records(&self, run: &Run<'_>, name: &str, document: &str, records: Vec<Value>) -> Result<(), End> {
        let (mut trees, mut parts) = (Vec::new(), None);
        for (index, record) in records.into_iter().enumerate() {
            let place = Place { pointer: Some(format!("/ListRecords/record/{index}")), ..Place::file(name) };
            let header = record["header"][0].clone();
            let Some(identifier) = text(&header["identifier"][0]) else {
                trees.push(Err(Fault::new("record.no_identifier", place, "the header has no identifier")));
                continue;
            };
            if header["attr:status"] == "deleted" {
                run.trees(std::mem::take(&mut trees)).await?;
                run.hand(vec![Item::Gone(Gone { key: alias(&identifier).value, place })]).await?;
                continue;
            }
            let inner = record["metadata"][0].as_object().and_then(|metadata| {
                metadata.iter().find_map(|(key, value)| Some((key.clone(), value.as_array()?.first()?.clone())))
            });
            let Some((element, Value::Object(mut tree))) = inner else {
                trees.push(Err(
                    Fault::new("record.none", place, "the record has no metadata").of(alias(&identifier).value)
                ));
                continue;
            };
            if element == "RDF" {
                run.trees(std::mem::take(&mut trees)).await?;
                let parts = parts.get_or_insert_with(|| metadata(document));
                let part = parts.get_mut(index).and_then(Option::take);
                self.rdf(run, part, place, identifier).await?;
                continue;
            }
            tree.insert("element".to_owned(), Value::String(element));
            tree.insert("oaiHeader".to_owned(), header);
            trees.push(Ok(Tree { value: Value::Object(tree), place, key: Some(identifier) }));
        }
        run.trees(trees).await
    }

    /// Reads a record that is RDF/XML.
    async fn rdf(&self, run: &Run<'_>, part: Option<String>, place: Place, key: String) -> Result<(), End> {
        let mapper = Arc::clone(&self.mapper);
        let header = key.clone();
        let read = move || {
            let part =
                part.ok_or_else(|| Fault::new("page.syntax", place.clone(), "the RDF of the record has no end"))?;
            let graph = rdf::parse(part.as_bytes(), rdf::Syntax::RdfXml, None, &place.file)?;
            let items = mapper.graph(&graph, &place, Some(&header))?;
            let nothing =
                || Fault::new("record.none", place.clone(), "the record has no metadata that the mapping knows");
            if items.is_empty() { Err(nothing()) } else { Ok(items) }
        };
        let named = alias(&key).value;
        let mapped = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Trouble::lasting("source.fault", error.to_string()))?;
        run.hand(mapped.unwrap_or_else(|fault| vec![Item::Faulty(fault.of(named))])).await
    }
}

/// Returns from which day on changes are asked for after an answer of this date, which is a later one for nobody: changes
/// from a clock that is ahead would never come. Days are understood by every repository; a day twice is better than an
/// hour missed.
fn day(date: &str) -> Option<String> {
    let day = date.get(..10).filter(|day| day.parse::<jiff::civil::Date>().is_ok())?;
    let today = jiff::Timestamp::now().to_string();
    Some(day.min(&today[..10]).to_owned())
}

fn text(value: &Value) -> Option<String> {
    value.get("text")?.as_str().map(|text| text.trim().to_owned())
}

fn default_mapping(prefix: &str) -> &'static str {
    match prefix {
        "oai_dc" | "qdc" | "oai_qdc" => "oai-dc",
        "ivo_vor" => "voresource",
        "dcat" | "dcat_ap" | "rdf" => "dcat",
        prefix if prefix.contains("datacite") => "datacite",
        prefix if prefix.starts_with("iso") || prefix.starts_with("gmd") || prefix == "csw" => "iso19139",
        _ => "oai-dc",
    }
}

impl Kind for Oai {
    const MOST_PAGES: u64 = MOST_PAGES;

    fn begin(&self) -> (&Settings, &Arc<Mapper>) {
        (&self.settings, &self.mapper)
    }

    async fn read(&self, run: &Run<'_>, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        self.run(run, from).await
    }
}
