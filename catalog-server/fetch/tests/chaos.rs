//! A server that misbehaves in every way that servers do: a page comes whole or not at all, in bounded time and memory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "what a test cannot do must fail it")]

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use catalog_fetch::{Allowed, Answer, Body, Error, Fetcher, Limits, Page, Request, Url, Validators};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn packed(length: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; length]).unwrap();
    encoder.finish().unwrap()
}

fn head(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

fn page(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut all = head("200 OK", &format!("content-length: {}\r\n{headers}", body.len()));
    all.extend_from_slice(body);
    all
}

async fn answer(mut stream: TcpStream, asked: Arc<AtomicUsize>, me: SocketAddr) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..length]);
    }
    let number = asked.fetch_add(1, Ordering::SeqCst);
    let request = String::from_utf8_lossy(&request).to_lowercase();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let forever = || tokio::time::sleep(Duration::from_secs(600));
    let bytes = match path.as_str() {
        "/ok" => page("content-type: Text/Turtle; charset=\"UTF-8\"\r\nlink: <next?p=2>; rel=\"next\"\r\n", b"hello"),
        "/silent" => {
            forever().await;
            Vec::new()
        }
        "/slow-body" => {
            stream.write_all(&head("200 OK", "content-length: 10\r\n")).await?;
            stream.write_all(b"12345").await?;
            forever().await;
            Vec::new()
        }
        "/short" => [head("200 OK", "content-length: 10\r\n"), b"12345".to_vec()].concat(),
        "/chunk-cut" => [head("200 OK", "transfer-encoding: chunked\r\n"), b"5\r\nhello\r\n9\r\nwo".to_vec()].concat(),
        "/bomb" => page("content-encoding: gzip\r\n", &packed(80 << 20)),
        "/gzip" => page("content-encoding: gzip\r\n", &packed(1000)),
        "/gzip-file" => page("content-type: application/gzip\r\n", &packed(1000)),
        "/gzip-cut" => {
            let bytes = packed(1000);
            page("content-encoding: gzip\r\n", &bytes[..bytes.len() - 6])
        }
        "/brotli" => page("content-encoding: br\r\n", b"x"),
        "/large" => head("200 OK", "content-length: 99999999999\r\n"),
        "/endless" => {
            stream.write_all(&head("200 OK", "")).await?;
            loop {
                stream.write_all(&[0; 65536]).await?;
            }
        }
        "/loop" => head("302 Found", "location: /loop\r\n"),
        "/metadata" => head("302 Found", "location: http://169.254.169.254/latest/\r\n"),
        "/elsewhere" => head("302 Found", &format!("location: http://127.0.0.2:{}/ok\r\n", me.port())),
        "/file" => head("302 Found", "location: file:///etc/passwd\r\n"),
        "/once" => head("307 Temporary Redirect", "location: ok\r\n"),
        "/nowhere" => head("302 Found", ""),
        "/busy-once" if number == 0 => head("503 Service Unavailable", "retry-after: 0\r\ncontent-length: 0\r\n"),
        "/busy-once" => page("", b"now"),
        "/busy" => head("429 Too Many Requests", "retry-after: 999999\r\ncontent-length: 0\r\n"),
        "/broken" => head("500 Internal Server Error", "content-length: 0\r\n"),
        "/gone" => head("404 Not Found", "content-length: 0\r\n"),
        "/part" => head("206 Partial Content", "content-length: 0\r\n"),
        "/tagged" if request.contains("if-none-match: \"v1\"") => head("304 Not Modified", ""),
        "/tagged" => page("etag: \"v1\"\r\nlast-modified: Wed, 25 Nov 2026 00:00:00 GMT\r\n", b"one"),
        "/echo" => page("", request.as_bytes()),
        "/garbage" => b"this is not HTTP\r\n\r\n".to_vec(),
        _ => Vec::new(),
    };
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

struct Chaos {
    base: Url,
    asked: Arc<AtomicUsize>,
}

async fn chaos() -> Chaos {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let me = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&counter), me));
        }
    });
    Chaos { base: Url::parse(&format!("http://{me}/")).unwrap(), asked }
}

impl Chaos {
    async fn get(&self, path: &str, limits: Limits) -> Result<Answer, Error> {
        self.ask(path, limits, Request::default()).await
    }

    async fn ask(&self, path: &str, limits: Limits, request: Request) -> Result<Answer, Error> {
        let fetcher = Fetcher::new(limits, Allowed::of(&self.base)).unwrap();
        fetcher.get(&self.base.join(path).unwrap(), &request).await
    }

    async fn page(&self, path: &str) -> Page {
        match self.get(path, quick()).await {
            Ok(Answer::Page(page)) => page,
            other => panic!("{path}: {other:?}"),
        }
    }

    async fn fails(&self, path: &str) -> Error {
        self.get(path, quick()).await.unwrap_err()
    }
}

fn quick() -> Limits {
    Limits {
        head: Duration::from_millis(500),
        connect: Duration::from_millis(500),
        idle: Duration::from_millis(500),
        backoff: Duration::from_millis(10),
        patience: Duration::from_secs(1),
        retries: 1,
        page: 1 << 20,
        ..Limits::default()
    }
}

fn text(page: Page) -> String {
    match page.body {
        Body::Memory(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Body::File(_) => panic!("a small page is in memory"),
    }
}

#[tokio::test]
async fn a_good_page_comes_with_what_is_said_about_it() {
    let chaos = chaos().await;
    let page = chaos.page("ok").await;
    assert_eq!((page.media_type.as_str(), page.charset.as_deref()), ("text/turtle", Some("utf-8")));
    assert_eq!(page.links, [(chaos.base.join("next?p=2").unwrap(), "next".to_owned())]);
    assert_eq!(text(page), "hello");
    assert_eq!(chaos.page("gzip").await.length, 1000);
    assert_eq!(chaos.page("gzip-file").await.length, 1000);
    assert_eq!(text(chaos.page("once").await), "hello");
}

#[tokio::test]
async fn half_a_page_is_no_page() {
    let chaos = chaos().await;
    for path in ["short", "chunk-cut", "gzip-cut", "part"] {
        let error = chaos.fails(path).await;
        assert_eq!(error.code(), "page.cut", "{path}: {error}");
    }
}

#[tokio::test]
async fn what_hangs_is_given_up() {
    let chaos = chaos().await;
    for path in ["silent", "slow-body"] {
        let error = chaos.fails(path).await;
        assert_eq!(error.code(), "fetch.timeout", "{path}: {error}");
        assert!(error.is_transient());
    }
    // Tried twice each.
    assert_eq!(chaos.asked.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn what_is_too_large_is_stopped() {
    let chaos = chaos().await;
    for (path, code) in [("large", "limit.bytes"), ("endless", "limit.bytes"), ("bomb", "limit.bytes")] {
        assert_eq!(chaos.fails(path).await.code(), code, "{path}");
    }
    let wide = Limits { page: 1 << 30, ..quick() };
    assert_eq!(chaos.get("bomb", wide).await.unwrap_err().code(), "limit.ratio");
    let poor = Limits { run: 3, ..quick() };
    assert_eq!(chaos.get("ok", poor).await.unwrap_err().code(), "limit.run");
}

#[tokio::test]
async fn redirects_lead_nowhere_they_must_not() {
    let chaos = chaos().await;
    for (path, code) in [
        ("loop", "fetch.redirect"),
        ("nowhere", "fetch.redirect"),
        ("metadata", "fetch.policy"),
        ("elsewhere", "fetch.policy"),
        ("file", "fetch.policy"),
    ] {
        let error = chaos.fails(path).await;
        assert_eq!(error.code(), code, "{path}: {error}");
    }
}

#[tokio::test]
async fn errors_are_retried_when_they_may_pass() {
    let chaos = chaos().await;
    assert_eq!(text(chaos.page("busy-once").await), "now");
    assert_eq!(chaos.asked.swap(0, Ordering::SeqCst), 2);
    let error = chaos.fails("busy").await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)), "an hour at most");
    assert_eq!(chaos.asked.swap(0, Ordering::SeqCst), 1, "a wait longer than patience ends the run");
    assert!(chaos.fails("broken").await.is_transient());
    assert_eq!(chaos.asked.swap(0, Ordering::SeqCst), 2);
    assert!(!chaos.fails("gone").await.is_transient());
    assert_eq!(chaos.asked.swap(0, Ordering::SeqCst), 1);
    assert_eq!(chaos.fails("brotli").await.code(), "fetch.encoding");
    assert_eq!(chaos.fails("garbage").await.code(), "fetch.connect");
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let chaos = chaos().await;
    let page = chaos.page("tagged").await;
    assert_eq!(page.validators.etag.as_deref(), Some("\"v1\""));
    let request = Request { validators: page.validators, ..Request::default() };
    assert!(matches!(chaos.ask("tagged", quick(), request).await, Ok(Answer::Unchanged)));
    let other = Validators { etag: Some("\"v0\"".to_owned()), last_modified: None };
    let request = Request { validators: other, ..Request::default() };
    assert!(matches!(chaos.ask("tagged", quick(), request).await, Ok(Answer::Page(_))));
}

#[tokio::test]
async fn nothing_is_sent_that_tells_on_us() {
    let chaos = chaos().await;
    let sent = text(chaos.page("echo").await);
    for header in ["authorization", "cookie", "referer"] {
        assert!(!sent.contains(header), "{sent}");
    }
}

#[tokio::test]
async fn a_private_address_is_only_asked_when_an_operator_vouches_for_it() {
    let chaos = chaos().await;
    let fetcher = Fetcher::new(quick(), None).unwrap();
    let error = fetcher.get(&chaos.base, &Request::default()).await.unwrap_err();
    assert_eq!(error.code(), "fetch.policy");
    assert_eq!(chaos.asked.load(Ordering::SeqCst), 0);
}
