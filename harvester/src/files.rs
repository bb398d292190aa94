//! Files by address, below an index page, or in a folder.

use std::collections::{BTreeSet, VecDeque};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use catalog_fetch::{Answer, Body, Page, Request, Url};
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use regex::Regex;

use crate::item::{Fault, Place};
use crate::mapper::Mapper;
use crate::mapping::Mappings;
use crate::run::{self, End, Kind, Run};
use crate::settings::Settings;
use crate::source::{Coverage, Cursor, Trouble};
use crate::tree::{Format, Take, json, table, text, xml, yaml};
use crate::{Error, glob};

/// Files or pages of one run, unless the operator says otherwise.
const MOST_FILES: u64 = 200_000;
/// Bytes of a document that is read as a whole.
const LARGEST_DOCUMENT: u64 = 64 << 20;
/// Files that are fetched at a time.
const TOGETHER: usize = 4;

/// Files at an address or in a folder.
#[derive(Debug)]
pub(crate) struct Files {
    settings: Settings,
    mapper: Arc<Mapper>,
    format: Option<Format>,
    place: Where,
}

#[derive(Debug)]
enum Where {
    Url(Url),
    Folder(PathBuf),
}

impl Files {
    pub(crate) fn open(settings: Settings, mappings: &Mappings) -> Result<Self, Error> {
        let name = settings.mapping.as_deref().ok_or_else(|| Error::Settings("mapping: it is missing".to_owned()))?;
        let mapping = mappings.get(name)?;
        let format = match settings.format.as_deref() {
            None => None,
            Some(word) => Some(Format::from_word(word).ok_or_else(|| {
                Error::Settings(format!("format: `{word}` is none of json, jsonl, yaml, csv, tsv, xml"))
            })?),
        };
        let place = match (&settings.url, &settings.folder) {
            (Some(text), None) => Where::Url(run::url(text)?),
            (None, Some(folder)) => Where::Folder(folder.clone()),
            _ => return Err(Error::Settings("url: one of `url` and `folder` is needed".to_owned())),
        };
        let mapper = Arc::new(Mapper::new(&settings.id, mapping, settings.defaults.clone()));
        Ok(Self { settings, mapper, format, place })
    }

    async fn run(&self, run: &Run<'_>, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        match &self.place {
            Where::Folder(folder) => self.folder(run, folder).await,
            Where::Url(url) => self.url(run, url, from).await,
        }
    }

    async fn folder(&self, run: &Run<'_>, folder: &Path) -> Result<(Coverage, Cursor), End> {
        let (include, exclude) = (self.settings.include.clone(), self.settings.exclude.clone());
        let (root, forced) = (folder.to_owned(), self.format);
        let split = self.mapper.mapping.split.clone();
        run.feed(move |take| {
            for path in walk(&root)? {
                let shown = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let Some(format) = wanted(&shown, forced, &include, &exclude) else { continue };
                let opened = std::fs::File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
                let read = opened
                    .and_then(|(length, file)| read(Body::File(file), length, format, None, &shown, &split, take));
                // A file that cannot be read is set aside, and what it said before stays.
                let flow = read.unwrap_or_else(|error| {
                    take(Err(Fault::new("source.read", Place::file(&shown), format!("it cannot be read: {error}"))))
                });
                if flow.is_break() {
                    break;
                }
            }
            Ok(())
        })
        .await?;
        Ok((Coverage::Complete, Cursor::default()))
    }

    async fn url(&self, run: &Run<'_>, url: &Url, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        let request = Request { validators: run::validators(from), to_file: true, ..Request::default() };
        let page = match run.page(url, &request).await? {
            Answer::Unchanged => return Ok((Coverage::Unchanged, from.clone())),
            Answer::Page(page) => page,
        };
        if page.media_type == "text/html" && self.format.is_none() {
            return self.index(run, page).await;
        }
        let format = self.format_of(&page)?;
        let state = run::recognised(&page.validators);
        let (name, split) = (url.to_string(), self.mapper.mapping.split.clone());
        let Page { body, length, charset, .. } = page;
        if length == 0 {
            return Err(Trouble::passing("page.empty", format!("`{url}` is empty")).into());
        }
        run.feed(move |take| read(body, length, format, charset.as_deref(), &name, &split, take).map(drop)).await?;
        Ok((Coverage::Complete, Cursor { state, ..Cursor::default() }))
    }

    fn format_of(&self, page: &Page) -> Result<Format, End> {
        let known = self
            .format
            .or_else(|| Format::of_name(page.url.path()))
            .or_else(|| Format::of_media_type(&page.media_type));
        known.ok_or_else(|| {
            let message =
                format!("`{}` is `{}`, which is no format of records; say `format`", page.url, page.media_type);
            Trouble::lasting("page.format", message).into()
        })
    }

    /// Reads every file below an index page, as web servers make of folders.
    async fn index(&self, run: &Run<'_>, first: Page) -> Result<(Coverage, Cursor), End> {
        let root = first.url.clone();
        let mut folders: VecDeque<Url> = VecDeque::new();
        let mut seen: BTreeSet<String> = BTreeSet::from([root.to_string()]);
        let mut page = Some(first);
        let mut files = 0_u64;
        loop {
            let page = match page.take() {
                Some(page) => page,
                None => {
                    let Some(folder) = folders.pop_front() else { break };
                    let place = Place::file(folder.to_string());
                    match run.fresh(&folder, "text/html").await {
                        Ok(page) if page.url == folder && page.media_type == "text/html" => page,
                        Ok(page) => {
                            let message = format!("`{folder}` leads to `{}`, which is no index of files", page.url);
                            run.gap(place, Trouble::passing("page.format", message)).await?;
                            continue;
                        }
                        Err(End::Trouble(trouble)) => {
                            run.gap(place, trouble).await?;
                            continue;
                        }
                        Err(end) => return Err(end),
                    }
                }
            };
            let folder = page.url.clone();
            let mut wanted_here = Vec::new();
            let (found, asks) = links(page).map_err(|error| Trouble::passing("source.read", error.to_string()))?;
            if asks {
                let message = format!("`{folder}` asks to sign in and is no index of files");
                run.gap(Place::file(folder.to_string()), Trouble::passing("page.format", message)).await?;
            }
            for link in found {
                let Ok(mut link) = folder.join(&link) else { continue };
                link.set_fragment(None);
                // Sorting links of an index have a query; what is not below the first page is elsewhere.
                let below = link.origin() == root.origin() && link.path().starts_with(&*base_of(&root));
                if !below || link.query().is_some() || !seen.insert(link.to_string()) {
                    continue;
                }
                let shown = link.path().strip_prefix(&*base_of(&root)).unwrap_or_default().to_owned();
                if shown.ends_with('/') {
                    folders.push_back(link);
                } else if let Some(format) = wanted(&shown, self.format, &self.settings.include, &self.settings.exclude)
                {
                    wanted_here.push((link, format));
                }
            }
            files += wanted_here.len() as u64;
            self.fetch_all(run, wanted_here).await?;
            run.progress(None).await?;
        }
        if files == 0 {
            let message = format!("`{root}` is a web page and not an index of files");
            return Err(Trouble::lasting("page.format", message).into());
        }
        Ok((Coverage::Complete, Cursor::default()))
    }

    async fn fetch_all(&self, run: &Run<'_>, files: Vec<(Url, Format)>) -> Result<(), End> {
        let split = &self.mapper.mapping.split;
        let request = Request { to_file: false, ..Request::default() };
        let (mut trees, mut bytes) = (Vec::new(), 0);
        for some in files.chunks(TOGETHER) {
            let urls: Vec<Url> = some.iter().map(|(url, _)| url.clone()).collect();
            let answers = run.pages(&urls, &request).await;
            for ((url, format), answer) in some.iter().zip(answers) {
                let name = url.to_string();
                let page = match answer {
                    Ok(page) => page,
                    // One file of thousands is no reason to read none of the others.
                    Err(End::Trouble(trouble)) => {
                        if let Err(end) = run.gap(Place::file(name), trouble).await {
                            // What was read is good, however it ended.
                            run.trees(trees).await?;
                            return Err(end);
                        }
                        continue;
                    }
                    Err(end) => return Err(end),
                };
                bytes += page.length;
                let Page { body, length, charset, .. } = page;
                let read = read(body, length, *format, charset.as_deref(), &name, split, &mut |tree| {
                    trees.push(tree);
                    std::ops::ControlFlow::Continue(())
                });
                if let Err(error) = read {
                    let message = format!("`{url}` cannot be read: {error}");
                    run.gap(Place::file(name), Trouble::passing("source.read", message)).await?;
                }
            }
            if trees.len() >= 256 || bytes > 8 << 20 {
                run.trees(std::mem::take(&mut trees)).await?;
                bytes = 0;
            }
            run.progress(None).await?;
        }
        run.trees(trees).await
    }
}

impl Kind for Files {
    const MOST_PAGES: u64 = MOST_FILES;

    fn begin(&self) -> (&Settings, &Arc<Mapper>) {
        (&self.settings, &self.mapper)
    }

    async fn read(&self, run: &Run<'_>, from: &Cursor) -> Result<(Coverage, Cursor), End> {
        self.run(run, from).await
    }
}

/// Says whether a file is read, and how.
fn wanted(name: &str, forced: Option<Format>, include: &[String], exclude: &[String]) -> Option<Format> {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| glob::matches(pattern, name));
    if matches(exclude) || !include.is_empty() && !matches(include) {
        return None;
    }
    let by_name = Format::of_name(name);
    if include.is_empty() { by_name.and(forced.or(by_name)) } else { forced.or(by_name) }
}

/// Returns every file below a folder, in the order of their names; links are not followed.
pub(crate) fn walk(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let named = |error: std::io::Error| {
            std::io::Error::new(error.kind(), format!("the folder `{}` cannot be read: {error}", folder.display()))
        };
        for entry in std::fs::read_dir(&folder).map_err(named)? {
            let entry = entry.map_err(named)?;
            let kind = entry.file_type()?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() && !hidden {
                folders.push(entry.path());
            } else if kind.is_file() && !hidden {
                files.push(entry.path());
            }
        }
        if files.len() as u64 > MOST_FILES {
            return Err(std::io::Error::other(format!("there are more than {MOST_FILES} files")));
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the path of the folder of an address.
fn base_of(url: &Url) -> String {
    let path = url.path();
    path[..=path.rfind('/').unwrap_or(0)].to_owned()
}

/// Returns where the links of an index page lead, and whether it is one that asks for a password.
fn links(page: Page) -> std::io::Result<(Vec<String>, bool)> {
    static LINK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))"#).expect("the pattern is constant")
    });
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(page.body.reader()?, LARGEST_DOCUMENT), &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let links = LINK.captures_iter(&text).filter_map(|found| {
        let link = found.get(1).or_else(|| found.get(2)).or_else(|| found.get(3))?.as_str();
        Some(link.replace("&amp;", "&"))
    });
    let asks = text.contains("type=\"password\"") || text.contains("type='password'") || text.contains("type=password");
    Ok((links.collect(), asks))
}

/// Reads a file as trees.
pub(crate) fn read(
    body: Body,
    length: u64,
    format: Format,
    charset: Option<&str>,
    name: &str,
    split: &[String],
    take: &mut Take<'_>,
) -> std::io::Result<std::ops::ControlFlow<()>> {
    let mut stopped = std::ops::ControlFlow::Continue(());
    let mut noting = |tree| {
        let flow = take(tree);
        if flow.is_break() {
            stopped = flow;
        }
        flow
    };
    // Rows and lines are read as they come, whole documents within a limit. A file of a folder may be packed.
    let mut reader = unpacked(body)?;
    let begin = std::io::BufRead::fill_buf(&mut reader)?;
    if format != Format::Xml && is_web_page(begin) {
        let fault = Fault::new("page.format", Place::line(name, 1), "it is a web page, and not what its name says");
        let _ = noting(Err(fault));
        return Ok(stopped);
    }
    let encoding = text::named(begin, charset);
    let is_wide = encoding.is_some_and(|encoding| encoding == UTF_16LE || encoding == UTF_16BE);
    if !is_wide && parts(&mut reader, format, encoding, name, &mut noting)? {
        return Ok(stopped);
    }
    let mut bytes = Vec::with_capacity(length.min(LARGEST_DOCUMENT) as usize);
    std::io::Read::read_to_end(&mut std::io::Read::take(reader, LARGEST_DOCUMENT + 1), &mut bytes)?;
    if bytes.len() as u64 > LARGEST_DOCUMENT {
        let message = format!("the document has more than {LARGEST_DOCUMENT} bytes");
        let _ = noting(Err(Fault::new("limit.bytes", Place::file(name), message)));
        return Ok(stopped);
    }
    match format {
        Format::Json => json::document(&bytes, charset, name, split, &mut noting),
        Format::Yaml => yaml::documents(&bytes, charset, name, &mut noting),
        Format::Xml => {
            let tree = xml::document(&bytes, charset, name);
            let place = Place::line(name, 1);
            let _ = noting(tree.map(|value| crate::tree::Tree::new(value, place)));
        }
        // Lines and rows of sixteen bits, as spreadsheets save them.
        Format::JsonLines | Format::Csv | Format::Tsv => match text::decode(&bytes, charset, name) {
            Ok(text) => drop(parts(&mut text.as_bytes(), format, None, name, &mut noting)?),
            Err(fault) => drop(noting(Err(fault))),
        },
    }
    Ok(stopped)
}

/// Reads what is read row by row or line by line; says whether the format is such a one.
fn parts(
    reader: &mut dyn std::io::BufRead,
    format: Format,
    encoding: Option<&'static Encoding>,
    name: &str,
    take: &mut Take<'_>,
) -> std::io::Result<bool> {
    match format {
        Format::JsonLines => json::lines(reader, encoding, name, take)?,
        Format::Csv => table::rows(reader, None, encoding, name, take)?,
        Format::Tsv => table::rows(reader, Some(b'\t'), encoding, name, take)?,
        Format::Json | Format::Yaml | Format::Xml => return Ok(false),
    }
    Ok(true)
}

/// Unpacks a file that begins like gzip.
fn unpacked(body: Body) -> std::io::Result<Box<dyn std::io::BufRead + Send>> {
    use std::io::BufRead;
    let mut reader = BufReader::with_capacity(1 << 16, body.reader()?);
    let packed = reader.fill_buf()?.starts_with(&[0x1f, 0x8b, 8]);
    Ok(if packed {
        Box::new(BufReader::with_capacity(1 << 16, flate2::read::MultiGzDecoder::new(reader)))
    } else {
        Box::new(reader)
    })
}

/// Says whether something begins like HTML, as the page of a proxy or of a form to sign in does.
fn is_web_page(begin: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&begin[..begin.len().min(200)]).to_ascii_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| head.starts_with(tag))
}
