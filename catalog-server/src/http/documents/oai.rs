//! The OAI-PMH 2.0 provider.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use catalog_document::Described;
use catalog_document::oai::{self, Fault, Format, Header, Identity, List, Request, Set, fault};
use catalog_document::xml::Xml;
use catalog_ontology::terms::Kind;
use catalog_records::{Changed, StoredRecord};
use http::Uri;
use jiff::Timestamp;

use super::{described_all, document};
use crate::app::App;
use crate::homes::Homes;
use crate::http::problem::Failure;
use crate::policy::is_sandbox;
use crate::view::is_listed;

/// Returns the types that are sets: every one that a record of the list may have, as its header names it.
fn kinds() -> Vec<&'static str> {
    Kind::ALL.into_iter().filter(|kind| kind.is_uploaded()).map(Kind::as_str).collect()
}

/// The most arguments that are read; the protocol knows six.
const ARGUMENTS: usize = 16;

/// Answers a harvester.
#[utoipa::path(get, path = "/oai", tag = "data",
    params(("verb" = Option<String>, Query, description = "Identify, ListMetadataFormats, ListSets, GetRecord, ListIdentifiers or ListRecords; the other arguments are the protocol's")),
    responses((status = 200, description = "An OAI-PMH answer, its errors included, as XML")))]
pub async fn get(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Failure> {
    answer(&app, uri.query().unwrap_or_default().as_bytes()).await
}

/// Answers a harvester that sends its arguments as a form.
#[utoipa::path(post, path = "/oai", tag = "data", request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "An OAI-PMH answer, its errors included, as XML")))]
pub async fn post(State(app): State<Arc<App>>, body: Bytes) -> Result<Response, Failure> {
    answer(&app, &body).await
}

async fn answer(app: &Arc<App>, encoded: &[u8]) -> Result<Response, Failure> {
    let arguments: Vec<(String, String)> = form_urlencoded::parse(encoded)
        .take(ARGUMENTS)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let now = Timestamp::now();
    let answered = match Request::parse(&arguments) {
        Ok(request) => fulfil(app, request, oai::begin(&app.base, now, Some(&arguments))).await?,
        Err(fault) => Err(fault),
    };
    let text = answered.unwrap_or_else(|fault| oai::failed(&app.base, now, &arguments, &fault));
    document("text/xml; charset=utf-8", text, None)
}

/// A fault of the request is an answer of the protocol's, not an error of HTTP's.
type Answered = Result<Result<String, Fault>, Failure>;

async fn fulfil(app: &Arc<App>, request: Request, mut xml: Xml) -> Answered {
    match request {
        Request::Identify => {
            let span = app.census.counts(&app.ledger).await?.span;
            let mailbox = format!("catalogue@{}", host(&app.base));
            oai::identify(
                &mut xml,
                &Identity {
                    base: &app.base,
                    zone: &app.config.zone.name,
                    mailbox: &mailbox,
                    earliest: span.map_or(Timestamp::UNIX_EPOCH, |(first, _)| first),
                },
            );
        }
        Request::Formats(identifier) => {
            if let Some(identifier) = identifier
                && find(app, &identifier).await?.is_none()
            {
                return Ok(Err(unknown()));
            }
            oai::formats(&mut xml);
        }
        Request::Sets => {
            let counts = app.census.counts(&app.ledger).await?;
            let sources: Vec<String> = counts.sources.iter().map(|(source, _)| source.clone()).collect();
            oai::sets(&mut xml, &kinds(), &sources);
        }
        Request::Record(identifier, format) => {
            let Some(stored) = find(app, &identifier).await? else { return Ok(Err(unknown())) };
            let found = described_all(app, vec![stored]).await?;
            xml.open("GetRecord", &[]);
            let homes = app.projection.homes();
            return finish(move || records(xml, &homes, &found, Some(format))).await;
        }
        Request::List(list) => return self::list(app, list, xml).await,
    }
    Ok(Ok(xml.finish()))
}

async fn list(app: &Arc<App>, list: List, mut xml: Xml) -> Answered {
    let (kind, source) = match &list.set {
        Some(Set::Type(kind)) => (Some(kind.clone()), None),
        Some(Set::Source(source)) => (None, Some(source.clone())),
        None => (None, None),
    };
    let which = Changed { from: list.from, before: list.before, kind, source };
    let mut stored = app.ledger.changed_records(&which, list.after, oai::PAGE + 1).await?;
    if stored.is_empty() && list.after.is_none() {
        return Ok(Err(fault("noRecordsMatch", "nothing changed that is asked for")));
    }
    let total = match list.total {
        Some(total) => total,
        None => app.ledger.count_changed(&which).await?,
    };
    let more = stored.len() > oai::PAGE as usize;
    stored.truncate(oai::PAGE as usize);
    let given = list.given + stored.len() as u64;
    let last = stored.last().map(|last| (last.modified.as_millisecond(), last.id));
    let found = described_all(app, stored).await?;
    let homes = app.projection.homes();
    finish(move || {
        xml.open(if list.headers_only { "ListIdentifiers" } else { "ListRecords" }, &[]);
        let mut xml = records_into(xml, &homes, &found, (!list.headers_only).then_some(list.format))?;
        let (total, cursor) = (total.max(given).to_string(), list.given.to_string());
        let attributes = [("completeListSize", total.as_str()), ("cursor", cursor.as_str())];
        match last.filter(|_| more) {
            Some(last) => {
                let token = list.token(last, given, total.parse().unwrap_or(given));
                xml.leaf("resumptionToken", &attributes, &token);
            }
            // The last part of a list that came in parts ends with an empty token (section 3.5).
            None if list.after.is_some() => {
                xml.leaf("resumptionToken", &attributes, "");
            }
            None => {}
        }
        Ok(xml.finish())
    })
    .await
}

async fn finish(write: impl FnOnce() -> Result<String, Failure> + Send + 'static) -> Answered {
    Ok(Ok(tokio::task::spawn_blocking(write).await??))
}

type Known = (StoredRecord, Option<Described>);

fn records(xml: Xml, homes: &Homes, found: &[Known], format: Option<Format>) -> Result<String, Failure> {
    records_into(xml, homes, found, format).map(Xml::finish)
}

fn records_into(mut xml: Xml, homes: &Homes, found: &[Known], format: Option<Format>) -> Result<Xml, Failure> {
    for (stored, described) in found {
        let header = Header {
            identifier: homes.iri(stored.zone.as_str(), stored.identifier.as_str()),
            stamp: stored.modified,
            kind: stored.kind.clone(),
            sources: std::iter::once(&stored.source).chain(&stored.also).cloned().collect(),
            deleted: described.is_none(),
        };
        let Some(format) = format else {
            header.write(&mut xml);
            continue;
        };
        xml.open("record", &[]);
        header.write(&mut xml);
        if let Some(described) = described {
            let metadata = format.write(described).map_err(Failure::internal)?;
            xml.open("metadata", &[]).raw(&metadata).close();
        }
        xml.close();
    }
    Ok(xml)
}

/// Finds the record of an identifier, which is its IRI; drafts are not known.
async fn find(app: &App, identifier: &str) -> Result<Option<StoredRecord>, Failure> {
    let named = identifier.rsplit_once("/id/").and_then(|(_, rest)| rest.split_once('/'));
    // Only the IRI that the home gave names the record; the same words below another base name nothing here.
    let named = named.filter(|(zone, name)| app.iri(zone, name) == identifier);
    let Some((zone, identifier)) = named else { return Ok(None) };
    let (Ok(zone), Ok(identifier)) = (zone.parse(), identifier.parse()) else { return Ok(None) };
    let found = app.ledger.record(&zone, &identifier).await?;
    // What everybody could see once and is gone has a header that says so, as in the lists.
    Ok(found.filter(|one| is_listed(one) || one.was_public && !is_sandbox(one.identifier.as_str())))
}

fn unknown() -> Fault {
    fault("idDoesNotExist", "there is no record with this identifier")
}

/// The name of the host, for a mailbox that has the form of one.
fn host(base: &str) -> &str {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    rest.split([':', '/']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_a_record_is_a_set() {
        // Headers named `type:Software` and `type:DataService`, which no list of sets knew.
        let mut xml = catalog_document::xml::Xml::document();
        oai::sets(&mut xml, &kinds(), &["here".to_owned()]);
        let list = xml.finish();
        for set in ["type:Datalab", "type:Software", "type:DataService", "type:Datazone", "source:here"] {
            assert!(list.contains(&format!("<setSpec>{set}</setSpec>")), "{set}: {list}");
        }
        assert!(!list.contains("type:Launch") && !list.contains("type:CatalogRecord"), "{list}");
    }
}
