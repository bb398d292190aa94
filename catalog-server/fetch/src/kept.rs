//! Pages that are kept between runs, so that a host need not send again what did not change: a private cache (RFC 9111).
//!
//! Each page is one packed file. A file that is lost, cut or spoiled costs another request and nothing else.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use url::Url;

use crate::body::Body;
use crate::fetcher::{Page, Validators};

/// After this time a page is fetched whole, whatever its host says of it: some hosts know no better.
pub const BELIEVED: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most bytes of packed pages in a folder.
const MOST: u64 = 1 << 30;
/// The longest description of a page.
const LONGEST_HEAD: u64 = 64 << 10;

/// Pages of one source, in a folder of theirs.
#[derive(Debug, Clone)]
pub struct Kept(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// The bytes of what is in it, from when it is first looked into.
    bytes: OnceLock<AtomicU64>,
}

/// What is kept of a page beside its bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    /// Where it was asked for.
    asked: String,
    /// Where it was found.
    found: String,
    #[serde(default)]
    moved: Option<String>,
    media_type: String,
    charset: Option<String>,
    links: Vec<(String, String)>,
    validators: Validators,
    fetched: Timestamp,
    length: u64,
}

/// A page that is kept, its bytes still unread.
pub(crate) struct KeptPage {
    head: Head,
    rest: BufReader<GzDecoder<File>>,
}

impl Kept {
    /// Names a folder, which is made when the first page is kept.
    pub fn new(folder: &Path) -> Self {
        Self(Arc::new(Folder { path: folder.to_owned(), bytes: OnceLock::new() }))
    }

    /// Finds what is kept of an address, asked for with these media types.
    pub(crate) async fn find(&self, url: &Url, accept: Option<&str>) -> Option<KeptPage> {
        let (folder, path, asked) = (Arc::clone(&self.0), self.path(url, accept), url.to_string());
        let find = move || {
            folder.bytes();
            KeptPage::open(&path).filter(|page| page.head.asked == asked)
        };
        spawn_blocking(find).await.ok()?
    }

    /// Keeps a page if its host says by what it is recognised. What cannot be written is not kept.
    pub(crate) async fn keep(&self, url: &Url, accept: Option<&str>, page: &Page) {
        let Body::Memory(bytes) = &page.body else { return };
        if !page.may_be_kept {
            return;
        }
        let head = Head {
            asked: url.to_string(),
            found: page.url.to_string(),
            moved: page.moved.as_ref().map(Url::to_string),
            media_type: page.media_type.clone(),
            charset: page.charset.clone(),
            links: page.links.iter().map(|(target, relation)| (target.to_string(), relation.clone())).collect(),
            validators: page.validators.clone(),
            fetched: Timestamp::now(),
            length: page.length,
        };
        let (folder, path, bytes) = (Arc::clone(&self.0), self.path(url, accept), bytes.clone());
        let _ = spawn_blocking(move || folder.keep(&path, &head, &bytes)).await;
    }

    fn path(&self, url: &Url, accept: Option<&str>) -> PathBuf {
        let digest =
            Sha256::new().chain_update(url.as_str()).chain_update([b'\n']).chain_update(accept.unwrap_or("*/*"));
        self.0.path.join(format!("{}.gz", hex::encode(&digest.finalize()[..16])))
    }
}

impl Folder {
    /// Counts what is there, and clears away what is too old to be of use when it is first looked into.
    fn bytes(&self) -> &AtomicU64 {
        self.bytes.get_or_init(|| {
            let (now, mut bytes) = (SystemTime::now(), 0);
            for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
                let Ok(about) = entry.metadata() else { continue };
                let age = about.modified().ok().and_then(|then| now.duration_since(then).ok());
                if age.is_some_and(|age| age > BELIEVED) {
                    let _ = std::fs::remove_file(entry.path());
                } else {
                    bytes += about.len();
                }
            }
            AtomicU64::new(bytes)
        })
    }

    fn keep(&self, path: &Path, head: &Head, bytes: &[u8]) -> std::io::Result<()> {
        if self.bytes().load(Ordering::Relaxed) >= MOST {
            return Ok(());
        }
        std::fs::create_dir_all(&self.path)?;
        // It takes its place when it is whole. It need not outlive a power cut.
        let file = tempfile::NamedTempFile::new_in(&self.path)?;
        let mut packed = GzEncoder::new(file, Compression::fast());
        serde_json::to_writer(&mut packed, head)?;
        packed.write_all(b"\n")?;
        packed.write_all(bytes)?;
        let file = packed.finish()?;
        let written = file.as_file().metadata()?.len();
        file.persist(path).map_err(|error| error.error)?;
        self.bytes().fetch_add(written, Ordering::Relaxed);
        Ok(())
    }
}

impl KeptPage {
    fn open(path: &Path) -> Option<Self> {
        let mut rest = BufReader::new(GzDecoder::new(File::open(path).ok()?));
        let mut line = Vec::new();
        rest.by_ref().take(LONGEST_HEAD).read_until(b'\n', &mut line).ok()?;
        let head: Head = serde_json::from_slice(&line).ok()?;
        let oldest = Timestamp::now().checked_sub(BELIEVED).ok()?;
        // A time to come is of a clock that was wrong.
        let latest = Timestamp::now().checked_add(1.minute()).ok()?;
        (oldest..latest).contains(&head.fetched).then_some(Self { head, rest })
    }

    /// Returns by what the page is recognised.
    pub(crate) fn validators(&self) -> &Validators {
        &self.head.validators
    }

    /// Reads the page; nothing when it is not whole.
    pub(crate) async fn page(self) -> Option<Page> {
        let Self { head, rest } = self;
        let read = spawn_blocking(move || {
            let mut bytes = Vec::new();
            // One byte more shows what is too long; the end of the packed file has a check sum.
            rest.take(head.length + 1).read_to_end(&mut bytes).ok()?;
            (bytes.len() as u64 == head.length).then_some((head, bytes))
        });
        let (head, bytes) = read.await.ok()??;
        let links = head.links.into_iter().map(|(target, relation)| Some((Url::parse(&target).ok()?, relation)));
        Some(Page {
            url: Url::parse(&head.found).ok()?,
            moved: head.moved.and_then(|moved| Url::parse(&moved).ok()),
            media_type: head.media_type,
            charset: head.charset,
            links: links.collect::<Option<_>>()?,
            validators: head.validators,
            body: Body::Memory(Bytes::from(bytes)),
            length: head.length,
            may_be_kept: false,
        })
    }
}
