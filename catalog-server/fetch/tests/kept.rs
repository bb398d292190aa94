//! Pages that are kept: what did not change is not sent again, and what is kept wrongly does no harm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use catalog_fetch::{Allowed, Answer, Body, Fetcher, Kept, Limits, Page, Request, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A host that says one thing after a head, and notes what it was asked and what it answered.
#[derive(Clone, Default)]
struct Host {
    says: Arc<Mutex<(String, String)>>,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Host {
    async fn start() -> (Self, Url) {
        let (host, listener) = (Self::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = Url::parse(&format!("http://{}/catalog.json", listener.local_addr().unwrap())).unwrap();
        let shared = host.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                let length = stream.read(&mut buffer).await.unwrap();
                let request = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
                let (headers, body) = shared.says.lock().unwrap().clone();
                let validator = |name: &str| {
                    let line = headers.lines().find_map(|line| line.strip_prefix(name).map(str::to_lowercase));
                    line.is_some_and(|value| {
                        request.contains(&format!("since: {value}")) || request.contains(&format!("match: {value}"))
                    })
                };
                let is_known = validator("etag: ") || validator("last-modified: ");
                let (status, sent) = if is_known { (304, "") } else { (200, body.as_str()) };
                shared.asked.lock().unwrap().push((request, status));
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n\
                     link: <next.json>; rel=\"next\"\r\n{headers}content-length: {}\r\n\r\n{sent}",
                    sent.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (host, url)
    }

    fn say(&self, headers: &str, body: &str) {
        *self.says.lock().unwrap() = (headers.to_owned(), body.to_owned());
    }

    /// Returns the states that were answered since the last time.
    fn answered(&self) -> Vec<u16> {
        self.asked.lock().unwrap().drain(..).map(|(_, status)| status).collect()
    }
}

async fn read(url: &Url, folder: &Path) -> (Page, String) {
    let fetcher = Fetcher::new(Limits::default(), Allowed::of(url)).unwrap().keeping(Kept::new(folder));
    let Answer::Page(mut page) = fetcher.get(url, &Request::default()).await.unwrap() else { panic!("no page") };
    let Body::Memory(bytes) = std::mem::replace(&mut page.body, Body::Memory(bytes::Bytes::new())) else { panic!() };
    assert_eq!((fetcher.pages(), fetcher.bytes(), page.length), (1, bytes.len() as u64, bytes.len() as u64));
    (page, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let (folder, (host, url)) = (tempfile::tempdir().unwrap(), Host::start().await);
    host.say("etag: \"one\"\r\n", "first");
    let (first, text) = read(&url, folder.path()).await;
    assert_eq!((text.as_str(), host.answered()), ("first", vec![200]));
    let (again, text) = read(&url, folder.path()).await;
    assert_eq!((text.as_str(), host.answered()), ("first", vec![304]));
    assert_eq!(
        (&again.url, &again.media_type, &again.charset, &again.links, &again.validators),
        (&first.url, &first.media_type, &first.charset, &first.links, &first.validators)
    );
    host.say("etag: \"two\"\r\n", "second");
    assert_eq!(read(&url, folder.path()).await.1, "second");
    assert_eq!(read(&url, folder.path()).await.1, "second");
    assert_eq!(host.answered(), [200, 304]);
}

#[tokio::test]
async fn a_date_is_believed_when_it_is_older_than_the_answer() {
    let (folder, (host, url)) = (tempfile::tempdir().unwrap(), Host::start().await);
    let dates = |changed: &str| {
        format!("last-modified: Fri, 27 Nov 2026 10:00:{changed} GMT\r\ndate: Fri, 27 Nov 2026 10:00:30 GMT\r\n")
    };
    for (changed, expected) in [("29", [200, 200]), ("20", [200, 304])] {
        host.say(&dates(changed), changed);
        for _ in 0..2 {
            assert_eq!(read(&url, folder.path()).await.1, changed);
        }
        assert_eq!(host.answered(), expected, "{changed}");
    }
}

#[tokio::test]
async fn what_must_not_be_kept_is_not() {
    for headers in ["", "etag: \"one\"\r\ncache-control: private, no-store\r\n", "etag: \"one\"\r\nvary: *\r\n"] {
        let (folder, (host, url)) = (tempfile::tempdir().unwrap(), Host::start().await);
        host.say(headers, "text");
        read(&url, folder.path()).await;
        read(&url, folder.path()).await;
        assert_eq!(host.answered(), [200, 200], "{headers}");
    }
}

#[tokio::test]
async fn what_is_spoiled_is_fetched_again() {
    let (folder, (host, url)) = (tempfile::tempdir().unwrap(), Host::start().await);
    let body = "a long text that is kept, ".repeat(200);
    host.say("etag: \"one\"\r\n", &body);
    read(&url, folder.path()).await;
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(read(&url, folder.path()).await.1, body, "cut at {length}");
    }
    for at in (0..whole.len()).step_by(3) {
        let mut spoiled = whole.clone();
        spoiled[at] ^= 0x55;
        std::fs::write(&file, &spoiled).unwrap();
        assert_eq!(read(&url, folder.path()).await.1, body, "spoiled at {at}");
    }
}
