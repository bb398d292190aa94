//! A web server made of data: paths with what they answer, and what of it goes wrong.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use futures::StreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a site answers, by the path and query below its name; `{base}` in it stands for the site's address.
pub type Answers = HashMap<String, Value>;

/// Several sites on one port of the loopback.
#[derive(Clone)]
pub struct Sites {
    base: String,
    sites: Arc<Mutex<HashMap<String, Answers>>>,
    folders: Arc<Mutex<HashMap<String, PathBuf>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Sites {
    /// Starts the server; it ends with the test.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let sites = Self { base, sites: Arc::default(), folders: Arc::default(), asked: Arc::default() };
        let router = Router::new().fallback(answer).with_state(sites.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        sites
    }

    /// Returns the address of a site, without a slash at its end.
    pub fn base(&self, site: &str) -> String {
        format!("{}/{site}", self.base)
    }

    /// Replaces what a site answers.
    pub fn set(&self, site: &str, answers: Answers) {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner).insert(site.to_owned(), answers);
    }

    /// Makes a site of a folder, with an index page of each folder and an entity tag of each file, as web servers do.
    pub fn mount(&self, site: &str, folder: &Path) {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(site.to_owned(), folder.to_owned());
    }

    /// Returns what was asked of a site since the last time this was asked, with the validators in brackets.
    pub fn asked(&self, site: &str) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let prefix = format!("/{site}");
        let (of_site, others) = asked.drain(..).partition(|path: &String| path.starts_with(&prefix));
        *asked = others;
        of_site
    }
}

async fn answer(State(sites): State<Sites>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let (site, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let mut key = format!("/{rest}");
    if !body.is_empty() {
        // A query of SPARQL says in its last word where the page begins.
        let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
        let offset = form.first().and_then(|(_, query)| query.rsplit([' ', '\n']).next().map(str::to_owned));
        key = format!("{key}#{}", offset.unwrap_or_default());
    }
    let validator = headers.get("if-none-match").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let shown = validator.as_ref().map_or_else(|| path.to_owned(), |validator| format!("{path} [{validator}]"));
    sites.asked.lock().unwrap_or_else(PoisonError::into_inner).push(shown);
    let found = {
        let known = sites.sites.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(site).and_then(|answers| answers.get(&key)).cloned()
    };
    let folder = sites.folders.lock().unwrap_or_else(PoisonError::into_inner).get(site).cloned();
    let found = found.or_else(|| folder.and_then(|folder| from_folder(&folder, rest)));
    let Some(found) = found else { return status(404) };
    if found["hang"] == Value::Bool(true) {
        std::future::pending::<()>().await;
    }
    respond(&found, &sites.base(site), validator.as_deref())
}

/// Answers with a file of a folder, or with the index page of one.
fn from_folder(root: &Path, path: &str) -> Option<Value> {
    let path = percent_decode(path);
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    let place = root.join(&path);
    if !place.is_dir() {
        let bytes = std::fs::read(&place).ok()?;
        let media_type = match place.extension().and_then(|ending| ending.to_str()) {
            Some("json" | "jsonld") => "application/json",
            Some("xml") => "application/xml",
            Some("yaml" | "yml") => "text/yaml",
            Some("tsv") => "text/tab-separated-values",
            Some("ttl") => "text/turtle",
            _ => "application/octet-stream",
        };
        let etag = format!("\"{}\"", &hex(&Sha256::digest(&bytes))[..16]);
        return Some(json!({ "type": media_type, "etag": etag, "file": String::from_utf8_lossy(&bytes) }));
    }
    let mut names: Vec<String> = std::fs::read_dir(&place)
        .ok()?
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() { format!("{name}/") } else { name }
        })
        .collect();
    names.sort();
    let links: String =
        names.iter().map(|name| format!("<li><a href=\"{}\">{name}</a></li>\n", percent_encode(name))).collect();
    let page = format!(
        "<!DOCTYPE html><html><body><h1>Index</h1><ul>\n<li><a href=\"../\">up</a></li>{links}</ul></body></html>"
    );
    Some(json!({ "type": "text/html; charset=utf-8", "body": page }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn percent_decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| std::str::from_utf8(tail.get(..2)?).ok()).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(code: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::NOT_FOUND);
    response
}

fn respond(answer: &Value, base: &str, validator: Option<&str>) -> Response {
    let code = answer["status"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(200);
    let text = match &answer["body"] {
        Value::Null => answer["file"].as_str().unwrap_or_default().to_owned(),
        Value::String(text) => text.replace("{base}", base),
        other => other.to_string().replace("{base}", base),
    };
    let mut builder = Response::builder().status(code);
    if let Some(place) = answer["location"].as_str() {
        builder = builder.header("location", place.replace("{base}", base));
    }
    if let Some(media_type) = answer["type"].as_str() {
        builder = builder.header("content-type", media_type);
    }
    if let Some(etag) = answer["etag"].as_str() {
        builder = builder.header("etag", etag);
        if validator == Some(etag) {
            return status(304);
        }
    }
    let body = match answer["length"].as_u64() {
        // More is promised than comes.
        Some(length) => {
            builder = builder.header("content-length", length);
            let parts = futures::stream::iter([Ok(text), Err(())]).then(|part| async {
                match part {
                    Ok(text) => Ok(Bytes::from(text)),
                    // What came before is to be on its way when the connection breaks.
                    Err(()) => {
                        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                        Err(std::io::Error::other("cut off"))
                    }
                }
            });
            Body::from_stream(parts)
        }
        None => Body::from(text),
    };
    builder.body(body).unwrap_or_else(|_| status(500))
}
