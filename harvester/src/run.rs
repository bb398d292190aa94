//! One run of a source: reading and mapping on blocking threads, handing on in order, counting.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use catalog_fetch::{
    Allowed, Answer, BELIEVED, Error as FetchError, Fetcher, Kept, Limits, Page, Request, Url, Validators,
};
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use crate::Error;
use crate::gaps::Gaps;
use crate::item::{Fault, Item, Place, Progress};
use crate::mapper::Mapper;
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Outcome, Sink, Source, Stopped, Trouble};
use crate::tree::{Take, Tree};

/// Trees that are mapped together: planning a query costs as much as some records, and memory grows with the number.
const BATCH: usize = 64;
/// Bytes of trees, roughly, that are mapped together.
const BATCH_BYTES: usize = 4 << 20;
/// Batches that are mapped at a time.
const TOGETHER: usize = 2;

/// A kind of source: how it is read, with what every run has.
pub(crate) trait Kind: Send + Sync + std::fmt::Debug {
    /// Pages of one run, unless the operator says otherwise.
    const MOST_PAGES: u64;

    /// Begins a run: gives the settings and what maps most of the source.
    fn begin(&self) -> (&Settings, &Arc<Mapper>);

    /// Reads the source from a cursor.
    fn read(&self, run: &Run<'_>, from: &Cursor) -> impl Future<Output = Result<(Coverage, Cursor), End>> + Send;
}

impl<K: Kind> Source for K {
    fn harvest<'a>(&'a self, from: Cursor, sink: &'a Sink) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let (settings, mapper) = self.begin();
            let run = match Run::new(settings, mapper, sink, K::MOST_PAGES) {
                Ok(run) => run,
                Err(trouble) => return Outcome::failed(trouble, from),
            };
            let result = self.read(&run, &from).await;
            // After a trouble the next run begins where this one did, and from the beginning of the list.
            run.outcome(result, Cursor { position: serde_json::Value::Null, ..from })
        })
    }
}

/// What a run has, whatever its kind of source.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) fetcher: Arc<Fetcher>,
    pub(crate) mapper: Arc<Mapper>,
    pub(crate) sink: &'a Sink,
    pub(crate) most_pages: u64,
    pub(crate) gaps: Arc<Gaps>,
    /// The source's own address, until it is known to have moved.
    address: Arc<Mutex<Option<Url>>>,
}

/// Why a run ends before its end.
#[derive(Debug)]
pub(crate) enum End {
    /// Nobody listens any more.
    Stopped,
    /// Something went wrong.
    Trouble(Trouble),
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<FetchError> for End {
    fn from(error: FetchError) -> Self {
        Self::Trouble(trouble(&error))
    }
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Says what a failed request means for a run.
pub(crate) fn trouble(error: &FetchError) -> Trouble {
    Trouble {
        code: error.code().to_owned(),
        message: error.to_string(),
        transient: error.is_transient(),
        retry_after: error.retry_after().map(|time| time.as_secs()),
    }
}

/// Makes the fetcher of a source.
fn fetcher(settings: &Settings) -> Result<Fetcher, Error> {
    let url = settings.url.as_deref().map(url).transpose()?;
    let allowed = url.as_ref().filter(|_| settings.allow_private_addresses).and_then(Allowed::of);
    let defaults = Limits::default();
    let run = settings.max_bytes.unwrap_or(defaults.run);
    let limits = Limits {
        run,
        file: settings.max_page_bytes.unwrap_or(run).min(run),
        page: settings.max_page_bytes.unwrap_or(defaults.page).min(run),
        pause: std::time::Duration::from_millis(settings.pause_ms.unwrap_or(0)),
        retries: settings.retries.unwrap_or(defaults.retries).min(10),
        ..defaults
    };
    let fetcher = Fetcher::new(limits, allowed).map_err(|error| Error::Settings(error.to_string()))?;
    Ok(match &settings.kept {
        Some(folder) => fetcher.keeping(Kept::new(folder)),
        None => fetcher,
    })
}

/// Reads the address of a source.
pub(crate) fn url(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| Error::Settings(format!("url: `{text}` is no address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::Settings(format!("url: `{text}` is neither http nor https; files are read with `folder`")));
    }
    Ok(url)
}

impl<'a> Run<'a> {
    /// Makes the run of a source.
    pub(crate) fn new(settings: &Settings, mapper: &Arc<Mapper>, sink: &'a Sink, most: u64) -> Result<Self, Trouble> {
        let fetcher = fetcher(settings).map_err(|error| Trouble::lasting("source.settings", error.to_string()))?;
        let most_pages = settings.max_pages.unwrap_or(most);
        let address = settings.url.as_deref().and_then(|text| Url::parse(text).ok());
        let (fetcher, address) = (Arc::new(fetcher), Arc::new(Mutex::new(address)));
        mapper.begin();
        Ok(Self { fetcher, mapper: Arc::clone(mapper), sink, most_pages, gaps: Arc::default(), address })
    }

    /// Returns the same run with another mapper.
    pub(crate) fn with(&self, mapper: &Arc<Mapper>) -> Self {
        let (fetcher, gaps) = (Arc::clone(&self.fetcher), Arc::clone(&self.gaps));
        let address = Arc::clone(&self.address);
        Self { fetcher, mapper: Arc::clone(mapper), sink: self.sink, most_pages: self.most_pages, gaps, address }
    }

    /// Notes that a part of the source could not be read, and goes on without it: the run will not be complete.
    pub(crate) async fn gap(&self, place: Place, trouble: Trouble) -> Result<(), End> {
        let mut fault = Fault::new(&trouble.code, place, trouble.message.clone());
        fault.anywhere = true;
        self.sink.send(Item::Faulty(fault)).await?;
        Ok(self.gaps.note(trouble)?)
    }

    /// Goes on after a part of the source that could not be read, unless the whole run is to end.
    pub(crate) async fn survive(&self, place: Place, result: Result<(), End>) -> Result<(), End> {
        match result {
            Err(End::Trouble(trouble)) => self.gap(place, trouble).await,
            other => other,
        }
    }

    /// Fetches a page, within the number of pages that a run may have.
    pub(crate) async fn page(&self, url: &Url, request: &Request) -> Result<Answer, End> {
        if self.fetcher.pages() >= self.most_pages {
            let message = format!("the source has more than {} pages", self.most_pages);
            return Err(Trouble::lasting("limit.pages", message).into());
        }
        let answer = self.fetcher.get(url, request).await?;
        self.gaps.answered();
        if let Answer::Page(Page { moved: Some(to), .. }) = &answer {
            self.note_move(url, to).await?;
        }
        Ok(answer)
    }

    /// Says once where the source moved to, when it is its own address that did.
    async fn note_move(&self, from: &Url, to: &Url) -> Result<(), Stopped> {
        let bare = |url: &Url| (url.origin(), url.path().to_owned());
        let is_own = |own: &mut Url| bare(own) == bare(from);
        let own = self.address.lock().unwrap_or_else(PoisonError::into_inner).take_if(is_own);
        let Some(own) = own else { return Ok(()) };
        let mut to = to.clone();
        // What was asked for there is not what the source is called.
        if from.query() != own.query() {
            to.set_query(own.query());
        }
        let fault = Fault::new("source.moved", Place::file(own.to_string()), format!("it moved to `{to}`"));
        self.sink.send(Item::Remark(fault)).await
    }

    /// Fetches a page that is there whatever is known of it.
    pub(crate) async fn fresh(&self, url: &Url, accept: &str) -> Result<Page, End> {
        self.asked(url, &Request { accept: Some(accept.to_owned()), ..Request::default() }).await
    }

    /// Fetches what a request without validators asks for.
    pub(crate) async fn asked(&self, url: &Url, request: &Request) -> Result<Page, End> {
        match self.page(url, request).await? {
            Answer::Page(page) => Ok(page),
            Answer::Unchanged => {
                Err(Trouble::passing("fetch.status", format!("`{url}` answered 304 without being asked")).into())
            }
        }
    }

    /// Fetches several pages at a time and gives them in their order.
    pub(crate) async fn pages(&self, urls: &[Url], request: &Request) -> Vec<Result<Page, End>> {
        let all = urls.iter().map(|url| -> BoxFuture<'_, Result<Page, End>> { Box::pin(self.asked(url, request)) });
        futures::future::join_all(all.collect::<Vec<_>>()).await
    }

    /// Reads trees on a blocking thread, maps them on others, and hands the items on in order.
    pub(crate) async fn feed(
        &self,
        read: impl FnOnce(&mut Take<'_>) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), End> {
        let (sender, mut receiver) = mpsc::channel::<Vec<Result<Tree, Fault>>>(TOGETHER);
        let reading = tokio::task::spawn_blocking(move || read_batches(read, &sender));
        let mut mapping: VecDeque<tokio::task::JoinHandle<Vec<Item>>> = VecDeque::new();
        let mut ended = false;
        loop {
            while mapping.len() < TOGETHER && !ended {
                let Some(batch) = receiver.recv().await else {
                    ended = true;
                    break;
                };
                let mapper = Arc::clone(&self.mapper);
                mapping.push_back(tokio::task::spawn_blocking(move || mapper.trees(&batch)));
            }
            let Some(next) = mapping.pop_front() else { break };
            let items = next.await.map_err(|error| Trouble::lasting("source.fault", error.to_string()))?;
            self.hand(items).await?;
        }
        match reading.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Trouble::passing("source.read", error.to_string()).into()),
            Err(error) => Err(Trouble::lasting("source.fault", error.to_string()).into()),
        }
    }

    /// Maps some trees and hands them on.
    pub(crate) async fn trees(&self, trees: Vec<Result<Tree, Fault>>) -> Result<(), End> {
        self.feed(move |take| {
            for tree in trees {
                if take(tree).is_break() {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    /// Hands items on.
    pub(crate) async fn hand(&self, items: Vec<Item>) -> Result<(), End> {
        for mut item in items {
            if let Item::Faulty(fault) = &mut item {
                fault.anywhere |= self.gaps.is_paged();
            }
            self.sink.send(item).await?;
        }
        Ok(())
    }

    /// Says how far the run has come.
    pub(crate) async fn progress(&self, expected: Option<u64>) -> Result<(), End> {
        self.come_to(expected, None).await
    }

    /// Says how far the run has come, and from where it may go on if it is interrupted here. With a gap behind it, it
    /// may not: nobody would know of the gap.
    pub(crate) async fn come_to(&self, expected: Option<u64>, position: Option<serde_json::Value>) -> Result<(), End> {
        let position = position.filter(|_| self.gaps.trouble().is_none());
        let progress = Progress { pages: self.fetcher.pages(), bytes: self.fetcher.bytes(), expected, position };
        Ok(self.sink.send(Item::Progress(progress)).await?)
    }

    /// Ends the run; after a trouble the next one begins from `again`.
    pub(crate) fn outcome(&self, result: Result<(Coverage, Cursor), End>, again: Cursor) -> Outcome {
        let (coverage, cursor) = match result {
            Ok(good) => match self.gaps.trouble() {
                Some(trouble) => (Coverage::Partial(trouble), again),
                None => good,
            },
            Err(End::Stopped) => (Coverage::Partial(Trouble::stopped()), again),
            Err(End::Trouble(trouble)) => (Coverage::Partial(trouble), again),
        };
        Outcome { coverage, cursor, pages: self.fetcher.pages(), bytes: self.fetcher.bytes(), expected: None }
    }
}

fn read_batches(
    read: impl FnOnce(&mut Take<'_>) -> std::io::Result<()>,
    sender: &mpsc::Sender<Vec<Result<Tree, Fault>>>,
) -> std::io::Result<()> {
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
    let result = read(&mut |tree| {
        bytes += tree.as_ref().map_or(0, |tree| weight(&tree.value));
        batch.push(tree);
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            if sender.blocking_send(std::mem::take(&mut batch)).is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    if !batch.is_empty() {
        // Nobody listens any more: the run notices by itself.
        let _ = sender.blocking_send(batch);
    }
    result
}

/// Estimates the bytes of a tree.
fn weight(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len() + 24,
        serde_json::Value::Array(items) => items.iter().map(weight).sum::<usize>() + 24,
        serde_json::Value::Object(object) => object.iter().map(|(key, value)| key.len() + weight(value) + 48).sum(),
        _ => 24,
    }
}

/// Makes what a cursor keeps of a page that was read just now.
pub(crate) fn recognised(validators: &Validators) -> serde_json::Value {
    serde_json::json!({ "validators": validators, "read": jiff::Timestamp::now() })
}

/// Reads the validators that a cursor keeps, as long as the host is believed that nothing changed.
pub(crate) fn validators(cursor: &Cursor) -> Validators {
    let read = cursor.state.get("read").and_then(|read| read.as_str()?.parse::<jiff::Timestamp>().ok());
    let age = read.and_then(|read| std::time::Duration::try_from(jiff::Timestamp::now().duration_since(read)).ok());
    let kept = cursor.state.get("validators").filter(|_| age.is_some_and(|age| age < BELIEVED));
    serde_json::from_value(kept.cloned().unwrap_or_default()).unwrap_or_default()
}
