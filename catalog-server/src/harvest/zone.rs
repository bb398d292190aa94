//! The source that is another zone: its feed of changes, followed by its sequence.

use std::sync::Arc;

use catalog_fetch::{Allowed, Answer, Body, Fetcher, Limits, Request};
use catalog_harvester::{
    Alias, Coverage, Cursor, Fault, Gone, Harvested, Item, Outcome, Place, Progress, Scheme, Sink, Source, Trouble,
};
use catalog_ontology::signature::SignatureError;
use catalog_ontology::terms::Kind;
use catalog_records::{ForeignSignature, Ledger};
use catalog_schemas::harvest::{Feed, FeedEntry, PackageSignature};
use catalog_schemas::id::{Identifier, ZoneId};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::foreign;
use crate::homes::Homes;

/// Entries asked for at once.
const PIECE: u32 = 500;
/// Pieces of one run, so that a feed without end does not hold one for ever.
const PIECES: u64 = 20_000;

/// Another zone.
#[derive(Debug)]
pub(super) struct ZoneSource {
    /// The source.
    pub(super) id: String,
    /// The other zone's base URL.
    pub(super) base: Url,
    /// Whether it may lie in a private network.
    pub(super) private: bool,
    /// This zone.
    pub(super) own: ZoneId,
    /// Where the zone that the source speaks for is noted.
    pub(super) ledger: Ledger,
    /// Where the zone's base is noted.
    pub(super) homes: Arc<Homes>,
}

impl Source for ZoneSource {
    fn harvest<'a>(&'a self, from: Cursor, sink: &'a Sink) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut run = Run { pages: 0, bytes: 0, cursor: from.clone() };
            let coverage = match self.read(&from, sink, &mut run).await {
                Ok(coverage) => coverage,
                Err(trouble) => Coverage::Partial(trouble),
            };
            if matches!(coverage, Coverage::Partial(_)) {
                run.cursor = from;
            }
            Outcome { coverage, cursor: run.cursor, pages: run.pages, bytes: run.bytes, expected: None }
        })
    }
}

struct Run {
    pages: u64,
    bytes: u64,
    cursor: Cursor,
}

impl ZoneSource {
    async fn read(&self, from: &Cursor, sink: &Sink, run: &mut Run) -> Result<Coverage, Trouble> {
        let allowed = self.private.then(|| Allowed::of(&self.base)).flatten();
        let fetcher = Fetcher::new(Limits::default(), allowed)
            .map_err(|error| Trouble::lasting(error.code(), error.to_string()))?;
        let known_epoch = from.state.get("epoch").and_then(Value::as_str).map(str::to_owned);
        let mut after = from.state.get("next").and_then(Value::as_u64).unwrap_or_default();
        let mut begins = after == 0;
        let mut told = false;
        let mut epoch = known_epoch;
        let mut mark = from.state.get("mark").and_then(Value::as_str).map(str::to_owned);
        loop {
            let feed = self.piece(&fetcher, after).await?;
            run.pages += 1;
            run.bytes = fetcher.bytes();
            self.check_zone(&feed).await?;
            // One that came back from an older backup may have come as far again, by other changes.
            let is_elsewhere = mark.is_some() && feed.after_mark.is_some() && mark != feed.after_mark;
            let is_other = is_elsewhere || epoch.as_ref().is_some_and(|epoch| *epoch != feed.epoch);
            if !begins && (is_other || feed.next < after) {
                // It was begun anew, or came back from an older backup: what it says now is read from the beginning.
                (after, begins, epoch, mark) = (0, true, Some(feed.epoch), None);
                continue;
            }
            if is_other || feed.next < after || (feed.next == after && !feed.end) || run.pages > PIECES {
                let message = format!("{}: the feed does not come to an end (at {after})", self.base);
                return Err(Trouble::lasting("paging.loop", message));
            }
            epoch = Some(feed.epoch.clone());
            told |= !feed.entries.is_empty();
            for entry in &feed.entries {
                let item = self.item(&feed, entry, after);
                self.note_signature(entry, &item).await?;
                sink.send(item).await.map_err(|_| Trouble::stopped())?;
            }
            let progress = Progress { pages: run.pages, bytes: run.bytes, ..Progress::default() };
            sink.send(Item::Progress(progress)).await.map_err(|_| Trouble::stopped())?;
            run.cursor.state = json!({ "epoch": feed.epoch, "next": feed.next, "mark": feed.mark });
            (after, mark) = (feed.next, feed.mark);
            if feed.end {
                break;
            }
        }
        Ok(match (begins, told) {
            (true, _) => Coverage::Complete,
            (false, true) => Coverage::Changes,
            (false, false) => Coverage::Unchanged,
        })
    }

    async fn piece(&self, fetcher: &Fetcher, after: u64) -> Result<Feed, Trouble> {
        let mut url = self.base.clone();
        let path = format!("{}/api/v1/changes", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(Some(&format!("after={after}&limit={PIECE}")));
        let request = Request { accept: Some("application/json".to_owned()), ..Request::default() };
        let page = match fetcher.get(&url, &request).await {
            Ok(Answer::Page(page)) => page,
            Ok(Answer::Unchanged) => return Err(Trouble::passing("fetch.status", format!("{url}: 304 unasked"))),
            Err(error) => {
                let retry_after = error.retry_after().map(|wait| wait.as_secs());
                let trouble = Trouble::lasting(error.code(), error.to_string());
                return Err(Trouble { transient: error.is_transient(), retry_after, ..trouble });
            }
        };
        let Body::Memory(bytes) = page.body else {
            return Err(Trouble::lasting("limit.bytes", format!("{url}: the piece is too large")));
        };
        let feed: Feed = serde_json::from_slice(&bytes)
            .map_err(|error| Trouble::lasting("page.syntax", format!("{url} is not a feed: {error}")))?;
        let is_url = Url::parse(&feed.base).is_ok_and(|base| matches!(base.scheme(), "http" | "https"));
        if feed.zone.parse::<ZoneId>().is_err() || feed.epoch.is_empty() || !is_url {
            return Err(Trouble::lasting("page.syntax", format!("{url} is not a feed of a zone")));
        }
        Ok(feed)
    }

    /// Whoever answers must be the zone that the source spoke for before, and no other source's, and not this one.
    async fn check_zone(&self, feed: &Feed) -> Result<(), Trouble> {
        if feed.zone == self.own.as_str() {
            let message = format!("{} says that it is this very zone, `{}`", self.base, feed.zone);
            return Err(Trouble::lasting("federation.own_zone", message));
        }
        self.ledger
            .source_pin_zone(&self.id, &feed.zone, &feed.base)
            .await
            .map_err(|error| Trouble::lasting("federation.other_zone", error.to_string()))?;
        if self.homes.learn(&feed.zone, &feed.base) {
            tracing::warn!(
                zone = feed.zone,
                base = feed.base,
                "a zone moved; its records keep the old address until they change"
            );
        }
        Ok(())
    }

    /// Keeps the signature of what is taken, and forgets one that is not handed on any more.
    async fn note_signature(&self, entry: &FeedEntry, item: &Item) -> Result<(), Trouble> {
        let key = (entry.zone.parse(), entry.identifier.parse(), entry.version.parse());
        let (Item::Record(_), (Ok(zone), Ok(identifier), Ok(version))) = (item, key) else { return Ok(()) };
        let text = |value: &Value| value.to_string();
        let signature = entry.package_signature.as_ref().map(|said| ForeignSignature {
            document: said.document.as_ref().or(entry.document.as_ref()).map(text).unwrap_or_default(),
            said: json!(PackageSignature { document: None, ..said.clone() }).to_string(),
        });
        self.ledger
            .foreign_signature_note((zone, identifier, version), signature)
            .await
            .map_err(|error| Trouble::passing("ledger", error.to_string()))
    }

    fn item(&self, feed: &Feed, entry: &FeedEntry, after: u64) -> Item {
        let place = Place {
            file: format!("{}api/v1/changes?after={after}", self.base),
            pointer: Some(format!("/entries/{}", entry.seq)),
            ..Place::default()
        };
        let key = entry.identifier.clone();
        let fault = |code: &str, message: String| Item::Faulty(Fault::new(code, place.clone(), message).of(&key));
        if entry.zone != feed.zone {
            let message = format!(
                "`{}/{}` belongs to the zone `{}` and comes from `{}`, which cannot speak for it",
                entry.zone, entry.identifier, entry.zone, feed.zone
            );
            return fault("federation.forged", message);
        }
        let home = format!("{}/id/{}/{}", feed.base.trim_end_matches('/'), entry.zone, entry.identifier);
        if entry.identifier.parse::<Identifier>().is_err() || entry.iri != home {
            return fault(
                "federation.forged",
                format!("`{}` is not the IRI of `{}` there", entry.iri, entry.identifier),
            );
        }
        match entry.state.as_str() {
            "withdrawn" => return Item::Gone(Gone { key, place }),
            "published" | "deprecated" => {}
            other => {
                return fault(
                    "feed.state",
                    format!("`{}` is `{other}`, which is nothing to hand on", entry.identifier),
                );
            }
        }
        let (Some(document), Some(kind)) = (&entry.document, Kind::from_word(&entry.kind)) else {
            return fault("feed.document", format!("`{}` comes without a document of a known type", entry.identifier));
        };
        let text = document.to_string();
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if entry.content_hash.as_ref().is_some_and(|given| *given != hex::encode(hash)) {
            return fault(
                "feed.hash",
                format!("the document of `{}` does not have the hash given for it", entry.identifier),
            );
        }
        if document.get("identifier").and_then(Value::as_str) != Some(entry.identifier.as_str()) {
            return fault("federation.forged", format!("the document of `{}` is of another record", entry.identifier));
        }
        if let Some(said) = &entry.package_signature {
            let signed = said.document.as_ref().unwrap_or(document);
            // A key that nobody vouches for is shown as one; what does not fit is not taken, as at an upload.
            match foreign::verify(said, (&entry.identifier, &entry.version), signed) {
                Ok(_) | Err(SignatureError::UnknownKey(_)) => {}
                Err(error) => return fault("signature.broken", format!("`{}`: {error}", entry.identifier)),
            }
        }
        let mut manifest = document.clone();
        if let Some(object) = manifest.as_object_mut() {
            object.insert("@context".to_owned(), json!(catalog_schemas::CONTEXT));
            if entry.state == "deprecated" {
                object.insert("state".to_owned(), json!("deprecated"));
            }
        }
        Item::Record(Box::new(Harvested {
            kind,
            key,
            iri: Some(entry.iri.clone()),
            identifiers: global(&manifest),
            manifest,
            place,
            hash,
            modified: Some(entry.modified.clone()),
            unmatched: Vec::new(),
            remarks: Vec::new(),
        }))
    }
}

/// Returns the identifiers that mean the same everywhere.
fn global(manifest: &Value) -> Vec<Alias> {
    let values = manifest.get("otherIdentifier").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    values
        .iter()
        .filter_map(|node| node.get("value")?.as_str())
        .filter_map(|value| {
            let scheme = match value {
                doi if doi.starts_with("https://doi.org/") => Scheme::Doi,
                ivo if ivo.starts_with("ivo://") => Scheme::Ivo,
                spase if spase.starts_with("spase://") => Scheme::Spase,
                _ => return None,
            };
            Some(Alias { scheme, value: value.to_owned() })
        })
        .collect()
}
