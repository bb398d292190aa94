//! Fetching a page: checked, bounded, whole or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use rand::Rng;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use url::Url;

use crate::body::{Body, Packing, Store, Unpacker, check_ratio};
use crate::check::{Allowed, check, check_redirect, host_of, shown};
use crate::error::Error;
use crate::hosts::Hosts;
use crate::kept::Kept;
use crate::limits::{LONGEST_WAIT, Limits};
use crate::resolve::{Filtered, Lookup, REFUSED, SystemLookup};

/// What an earlier answer is recognised by, for asking only for what changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Validators {
    /// The entity tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When the host says that it changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The media types that are understood, as an `Accept` header.
    pub accept: Option<String>,
    /// What an earlier answer was recognised by: the answer may be that nothing changed.
    pub validators: Validators,
    /// Whether the page goes to a temporary file, so that it may be large.
    pub to_file: bool,
    /// What is sent by POST; nothing for GET. Only reading requests of this kind may be repeated.
    pub post: Option<Post>,
}

/// What is sent by POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Post {
    /// A form, as it is written in an address.
    Form(String),
    /// A JSON document.
    Json(String),
}

/// An answer.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one a request: it is nearly always the page, and is taken apart at once")]
pub enum Answer {
    /// Nothing changed since the validators were given.
    Unchanged,
    /// A whole page.
    Page(Page),
}

/// A whole page.
#[derive(Debug)]
pub struct Page {
    /// Where it was found in the end.
    pub url: Url,
    /// Where it is from now on, when whoever was asked says that it moved for good.
    pub moved: Option<Url>,
    /// The media type, in lower case, without parameters.
    pub media_type: String,
    /// The character set that the answer names.
    pub charset: Option<String>,
    /// Links of the `Link` header: target, relation.
    pub links: Vec<(Url, String)>,
    /// What it is recognised by next time.
    pub validators: Validators,
    /// Its bytes, unpacked.
    pub body: Body,
    /// How many they are.
    pub length: u64,
    /// Whether it can be recognised next time and its host does not mind that it is kept.
    pub(crate) may_be_kept: bool,
}

/// Fetches the pages of one run.
#[derive(Debug)]
pub struct Fetcher {
    public: Client,
    private: Option<Client>,
    allowed: Option<Allowed>,
    limits: Limits,
    hosts: Hosts,
    kept: Option<Kept>,
    read: AtomicU64,
    pages: AtomicU64,
}

impl Fetcher {
    /// Makes a fetcher. `allowed` is the origin that an operator vouches for, whose address may be private.
    ///
    /// # Errors
    ///
    /// [`Error::Client`].
    pub fn new(limits: Limits, allowed: Option<Allowed>) -> Result<Self, Error> {
        Self::with_lookup(limits, allowed, Arc::new(SystemLookup))
    }

    /// Makes a fetcher that looks names up elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::Client`].
    pub fn with_lookup(limits: Limits, allowed: Option<Allowed>, lookup: Arc<dyn Lookup>) -> Result<Self, Error> {
        // Whoever was first has chosen; that there is one is all that matters here.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |only_public| {
            Client::builder()
                .user_agent(concat!("Alidade/", env!("CARGO_PKG_VERSION"), " (catalogue harvester)"))
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .retry(reqwest::retry::never())
                .connect_timeout(limits.connect)
                .pool_max_idle_per_host(limits.together)
                .dns_resolver(Arc::new(Filtered { lookup: Arc::clone(&lookup), only_public }))
                .build()
                .map_err(|error| Error::Client(error.to_string()))
        };
        Ok(Self {
            public: client(true)?,
            private: if allowed.is_some() { Some(client(false)?) } else { None },
            allowed,
            limits,
            hosts: Hosts::default(),
            kept: None,
            read: AtomicU64::new(0),
            pages: AtomicU64::new(0),
        })
    }

    /// Keeps pages that are held in memory, and asks only for what changed of those that are kept already.
    #[must_use]
    pub fn keeping(self, kept: Kept) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// Returns the bytes that were read so far, unpacked.
    pub fn bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Returns the pages that were read so far.
    pub fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Fetches a page, trying again after what may pass.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; nothing of the page was handed on.
    pub async fn get(&self, url: &Url, request: &Request) -> Result<Answer, Error> {
        let is_plain = request.post.is_none() && !request.to_file && request.validators == Validators::default();
        let Some(kept) = self.kept.as_ref().filter(|_| is_plain) else { return self.try_often(url, request).await };
        let accept = request.accept.as_deref();
        if let Some(known) = kept.find(url, accept).await {
            let asking = Request { validators: known.validators().clone(), ..request.clone() };
            match self.try_often(url, &asking).await? {
                Answer::Page(page) => {
                    kept.keep(url, accept, &page).await;
                    return Ok(Answer::Page(page));
                }
                Answer::Unchanged => {
                    if let Some(page) = known.page().await {
                        // It costs memory and work as any other.
                        self.spend(page.length)?;
                        self.pages.fetch_add(1, Ordering::Relaxed);
                        return Ok(Answer::Page(page));
                    }
                }
            }
        }
        let answer = self.try_often(url, request).await?;
        if let Answer::Page(page) = &answer {
            kept.keep(url, accept, page).await;
        }
        Ok(answer)
    }

    async fn try_often(&self, url: &Url, request: &Request) -> Result<Answer, Error> {
        let mut wait = self.limits.backoff;
        let mut tries = 0;
        loop {
            let error = match self.once(url, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let asked = error.retry_after();
            let pause = asked.unwrap_or_else(|| jittered(wait));
            if tries >= self.limits.retries || !error.is_transient() || pause > self.limits.patience {
                return Err(error);
            }
            if let (Some(time), Some(host)) = (asked, host_of(url)) {
                self.hosts.rest(&host, time);
            }
            tokio::time::sleep(pause).await;
            wait *= 2;
            tries += 1;
        }
    }

    async fn once(&self, url: &Url, request: &Request) -> Result<Answer, Error> {
        match timeout(self.limits.total, self.follow(url, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout { url: shown(url), stage: "the whole answer" }),
        }
    }

    async fn follow(&self, first: &Url, request: &Request) -> Result<Answer, Error> {
        let mut url = first.clone();
        let (mut moved, mut is_for_good) = (None, true);
        check(&url, self.allowed.as_ref())?;
        for _ in 0..=self.limits.redirects {
            let host = host_of(&url).unwrap_or_default();
            let _permit = self.hosts.turn(&host, self.limits.pause, self.limits.together).await;
            let response = self.send(&url, request).await?;
            let status = response.status();
            if status == StatusCode::NOT_MODIFIED && request.validators != Validators::default() {
                return Ok(Answer::Unchanged);
            }
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                url = self.redirect(&url, &response)?;
                // Where it is only for now it does not move to.
                is_for_good &= matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
                moved = if is_for_good { Some(url.clone()) } else { moved };
                continue;
            }
            if !status.is_success() || status == StatusCode::NO_CONTENT && request.post.is_none() {
                let retry_after = retry_after(response.headers());
                return Err(Error::Status { url: shown(&url), status: status.as_u16(), retry_after });
            }
            if status == StatusCode::PARTIAL_CONTENT {
                return Err(Error::Cut { url: shown(&url), reason: "a part was sent where all was asked for".into() });
            }
            let page = self.page(url, response, request).await?;
            return Ok(Answer::Page(Page { moved, ..page }));
        }
        Err(Error::Redirects { url: shown(first), most: self.limits.redirects })
    }

    fn redirect(&self, from: &Url, response: &Response) -> Result<Url, Error> {
        let nowhere = || Error::Nowhere { url: shown(from), status: response.status().as_u16() };
        let place = response.headers().get(header::LOCATION).ok_or_else(nowhere)?;
        // A location is a URI reference (RFC 9110, 10.2.2); bytes beyond ASCII are read as UTF-8, as browsers do.
        let place = std::str::from_utf8(place.as_bytes()).map_err(|_| nowhere())?;
        let mut to = from.join(place).map_err(|_| nowhere())?;
        to.set_fragment(None);
        check_redirect(from, &to, self.allowed.as_ref())?;
        Ok(to)
    }

    async fn send(&self, url: &Url, request: &Request) -> Result<Response, Error> {
        let client = match (&self.allowed, &self.private) {
            (Some(allowed), Some(client)) if allowed.covers(url) => client,
            _ => &self.public,
        };
        let post = |media_type, text: &String| {
            client.post(url.clone()).header(header::CONTENT_TYPE, media_type).body(text.clone())
        };
        let mut builder = match &request.post {
            Some(Post::Form(text)) => post("application/x-www-form-urlencoded", text),
            Some(Post::Json(text)) => post("application/json", text),
            None => client.get(url.clone()),
        };
        builder = builder
            .header(header::ACCEPT, request.accept.as_deref().unwrap_or("*/*"))
            .header(header::ACCEPT_ENCODING, "gzip, deflate");
        if let Some(etag) = &request.validators.etag {
            builder = builder.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(date) = &request.validators.last_modified {
            builder = builder.header(header::IF_MODIFIED_SINCE, date);
        }
        // Connecting has its own time; the head gets its own on top.
        match timeout(self.limits.connect + self.limits.head, builder.send()).await {
            Err(_) => Err(Error::Timeout { url: shown(url), stage: "the head of the answer" }),
            Ok(Err(error)) => Err(failed(url, &error)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    async fn page(&self, url: Url, mut response: Response, request: &Request) -> Result<Page, Error> {
        let name = shown(&url);
        let limit = if request.to_file { self.limits.file } else { self.limits.page };
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(Error::TooLarge { url: name, limit });
        }
        let mut packing = packing(response.headers(), &name)?;
        let spool = |error: std::io::Error| Error::Spool(error.to_string());
        let mut store = Some(Store::new(request.to_file, limit).map_err(spool)?);
        let mut unpacker: Option<Unpacker> = None;
        let (mut came, mut counted) = (0_u64, 0_u64);
        loop {
            let chunk = match timeout(self.limits.idle, response.chunk()).await {
                Err(_) => return Err(Error::Timeout { url: name, stage: "the next bytes of the page" }),
                Ok(Err(error)) => return Err(Error::Cut { url: name, reason: cause(&error) }),
                Ok(Ok(None)) => break,
                Ok(Ok(Some(chunk))) => chunk,
            };
            came += chunk.len() as u64;
            if unpacker.is_none() {
                // A file that is itself packed, such as a dump, is unpacked like a packed answer.
                if packing == Packing::Plain && chunk.starts_with(&[0x1f, 0x8b, 8]) {
                    packing = Packing::Gzip;
                }
                unpacker = store.take().map(|store| Unpacker::new(packing, &chunk, store));
            }
            let Some(unpacker) = unpacker.as_mut() else { break };
            let written = unpacker.write(&chunk);
            let now = unpacker.store().written;
            if let Err(error) = written {
                return Err(if unpacker.store().over {
                    Error::TooLarge { url: name, limit }
                } else if packing == Packing::Plain {
                    spool(error)
                } else {
                    Error::Cut { url: name, reason: "it cannot be unpacked".to_owned() }
                });
            }
            self.spend(now - counted)?;
            counted = now;
            check_ratio(&name, came, now, self.limits.ratio)?;
        }
        let store = match (unpacker, store) {
            (Some(unpacker), _) => unpacker
                .finish()
                .map_err(|_| Error::Cut { url: name.clone(), reason: "the packed stream has no end".to_owned() })?,
            (None, Some(store)) => store,
            (None, None) => return Err(Error::Spool("no place for the page".to_owned())),
        };
        if store.over {
            return Err(Error::TooLarge { url: name, limit });
        }
        let length = store.written;
        self.spend(length - counted)?;
        check_ratio(&name, came, length, self.limits.ratio)?;
        self.pages.fetch_add(1, Ordering::Relaxed);
        let (media_type, charset) = media_type(response.headers());
        Ok(Page {
            links: links(&url, response.headers()),
            validators: validators(response.headers()),
            may_be_kept: may_be_kept(response.headers()),
            moved: None,
            url,
            media_type,
            charset,
            body: store.finish(),
            length,
        })
    }

    fn spend(&self, bytes: u64) -> Result<(), Error> {
        let limit = self.limits.run;
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > limit { Err(Error::Budget { limit }) } else { Ok(()) }
    }
}

/// Waits between half and the whole of a time, so that many do not come back at once.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..1.0))
}

fn failed(url: &Url, error: &reqwest::Error) -> Error {
    let reason = cause(error);
    if reason.contains(REFUSED) {
        return Error::Policy { url: shown(url), reason: REFUSED.to_owned() };
    }
    if error.is_timeout() {
        return Error::Timeout { url: shown(url), stage: "the connection" };
    }
    Error::Connect { url: shown(url), reason }
}

/// Returns what is at the bottom of an error, which is what says something.
fn cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn packing(headers: &HeaderMap, url: &str) -> Result<Packing, Error> {
    let text =
        headers.get(header::CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
    match text.as_deref().map(str::trim) {
        None | Some("" | "identity") => Ok(Packing::Plain),
        Some("gzip" | "x-gzip") => Ok(Packing::Gzip),
        Some("deflate") => Ok(Packing::Deflate),
        Some(other) => Err(Error::Encoding { url: url.to_owned(), encoding: other.chars().take(40).collect() }),
    }
}

fn media_type(headers: &HeaderMap) -> (String, Option<String>) {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';');
    let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    (media_type, charset)
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::to_owned);
    Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
}

/// Says whether an answer can be recognised by its headers, and may be kept (RFC 9111, 3).
fn may_be_kept(headers: &HeaderMap) -> bool {
    let said =
        |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    if said(header::CACHE_CONTROL).to_ascii_lowercase().contains("no-store") || said(header::VARY).contains('*') {
        return false;
    }
    let time = |name| jiff::fmt::rfc2822::parse(headers.get(name)?.to_str().ok()?).ok();
    // What changed just now may change again in the same second (RFC 9110, 8.8.2.2).
    let is_settled =
        |then: jiff::Zoned, now: jiff::Zoned| now.timestamp().duration_since(then.timestamp()).as_secs() > 1;
    headers.contains_key(header::ETAG)
        || time(header::LAST_MODIFIED).zip(time(header::DATE)).is_some_and(|(then, now)| is_settled(then, now))
}

/// Reads the `Link` headers (RFC 8288): each target with each of its relations.
fn links(base: &Url, headers: &HeaderMap) -> Vec<(Url, String)> {
    let mut found = Vec::new();
    for value in headers.get_all(header::LINK) {
        let Ok(text) = value.to_str() else { continue };
        for link in text.split(",").filter(|link| link.contains('<')) {
            let Some((target, parameters)) = link.trim().strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
                continue;
            };
            let Ok(target) = base.join(target.trim()) else { continue };
            for parameter in parameters.split(';') {
                let Some((name, value)) = parameter.split_once('=') else { continue };
                if name.trim().eq_ignore_ascii_case("rel") {
                    for relation in value.trim().trim_matches('"').split_ascii_whitespace() {
                        found.push((target.clone(), relation.to_ascii_lowercase()));
                    }
                }
            }
        }
    }
    found
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds or a date, at most an hour.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        // More than a number holds is long.
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => LONGEST_WAIT,
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}
