//! A server made of a function, and what a source said.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "what a test cannot do must fail it")]

use std::path::PathBuf;
use std::sync::Arc;

use catalog_harvester::{Coverage, Cursor, Fault, Gone, Harvested, Item, Mappings, Outcome, Settings, Sink, open};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An answer: status, headers, body.
pub(crate) struct Answer(pub(crate) u16, pub(crate) Vec<(&'static str, String)>, pub(crate) Vec<u8>);

impl Answer {
    pub(crate) fn of(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self(200, vec![("content-type", media_type.to_owned())], body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self(status, Vec::new(), Vec::new())
    }
}

/// Serves what `answer` says for a path with its query (and the body of a form); returns the address.
pub(crate) async fn serve(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let (mut request, mut buffer) = (Vec::new(), vec![0; 65536]);
                let (path, body) = loop {
                    let Ok(length @ 1..) = stream.read(&mut buffer).await else { return };
                    request.extend_from_slice(&buffer[..length]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let wanted = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    if body.len() >= wanted.unwrap_or(0_usize) {
                        break (head.split(' ').nth(1).unwrap_or_default().to_owned(), body.to_owned());
                    }
                };
                let Answer(status, headers, body) = answer(&path, &body);
                let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
                if !headers.iter().any(|(name, _)| *name == "content-length") {
                    head.push_str(&format!("content-length: {}\r\n", body.len()));
                }
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    base
}

/// What a run handed on.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) records: Vec<Harvested>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) remarks: Vec<Fault>,
    pub(crate) gone: Vec<Gone>,
    pub(crate) outcome: Outcome,
    /// From where it may go on, with how many records came before.
    pub(crate) positions: Vec<(serde_json::Value, usize)>,
}

impl Said {
    pub(crate) fn trouble(&self) -> &str {
        match &self.outcome.coverage {
            Coverage::Partial(trouble) => &trouble.code,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn keys(&self) -> Vec<&str> {
        self.records.iter().map(|record| record.key.as_str()).collect()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.outcome.coverage == Coverage::Complete
    }

    pub(crate) fn codes(&self) -> Vec<&str> {
        self.faults.iter().map(|fault| fault.code.as_str()).collect()
    }
}

/// Harvests a source from nothing.
pub(crate) async fn harvest(settings: serde_json::Value) -> Said {
    harvest_from(settings, Cursor::default()).await
}

/// Harvests a source from a cursor.
pub(crate) async fn harvest_from(settings: serde_json::Value, cursor: Cursor) -> Said {
    let source = open(Settings::from_json(settings).unwrap(), &Mappings::shipped().unwrap()).unwrap();
    let (sink, mut items) = Sink::channel();
    let running = tokio::spawn(async move { source.harvest(cursor, &sink).await });
    let (mut records, mut faults, mut gone, mut positions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut remarks = Vec::new();
    while let Some(item) = items.recv().await {
        match item {
            Item::Record(record) => records.push(*record),
            Item::Faulty(fault) => faults.push(fault),
            Item::Remark(fault) => remarks.push(fault),
            Item::Gone(one) => gone.push(one),
            Item::Progress(progress) => positions.extend(progress.position.map(|position| (position, records.len()))),
        }
    }
    Said { records, faults, remarks, gone, outcome: running.await.unwrap(), positions }
}

/// Returns the folder of real data; nothing, loudly, when it is not here.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("ALIDADE_TEST_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: there is no test data at {} (set ALIDADE_TEST_DATA)", folder.display());
    None
}
