//! No address leads where it must not go.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "what a test cannot do must fail it")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use catalog_fetch::{Error, Fetcher, Limits, Lookup, Request, Url};
use futures::future::BoxFuture;

/// Answers every name with what it was told, and counts.
#[derive(Debug)]
struct Told {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Lookup for Told {
    fn lookup(&self, _name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[number.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

fn told(answers: &[&[&str]]) -> Arc<Told> {
    let answers = answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
    Arc::new(Told { answers, asked: AtomicUsize::new(0) })
}

fn limits() -> Limits {
    Limits { connect: Duration::from_millis(500), retries: 0, ..Limits::default() }
}

/// Addresses that must not be asked, in every way that they are written.
const REFUSED: &[&str] = &[
    "http://127.0.0.1/",
    "http://127.0.0.2/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://2130706434/",
    "http://0x7f000001/",
    "http://0x7f000002/",
    "http://0x7f.0x0.0x0.0x2/",
    "http://0177.0.0.2/",
    "http://0177.0.0.02/",
    "http://017700000002/",
    "http://127.0.0.2./",
    "http://①②⑦.⓪.⓪.②/",
    "http://127。0。0。2/",
    "http://%31%32%37.0.0.2/",
    "http://0.0.0.0/",
    "http://0/",
    "http://0.0.0.2/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://167772161/",
    "http://100.64.0.1/",
    "http://100.127.255.254/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://169.254.170.2/v2/credentials",
    "http://168.63.129.16/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://192.168.0.1/",
    "http://192.168.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.2]/",
    "http://[::ffff:7f00:2]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::127.0.0.2]/",
    "http://[64:ff9b::7f00:2]/",
    "http://[64:ff9b:1::7f00:2]/",
    "http://[2002:7f00:2::]/",
    "http://[2001:0:7f00:2::]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://x.localhost/",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://intranet/",
    "https://127.0.0.2/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:8080/",
    "https://data.example.org:6379/",
    "http://user:secret@data.example.org/",
    "http://user@data.example.org/",
    "ftp://data.example.org/",
    "file:///etc/passwd",
    "gopher://data.example.org/",
    "data:text/plain,x",
    "javascript:alert(1)",
];

/// A listener that must never be connected to.
async fn canary() -> Option<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 80)).await.ok()
}

async fn assert_silent(canary: Option<tokio::net::TcpListener>) {
    let Some(canary) = canary else {
        return eprintln!("port 80 of 127.0.0.2 cannot be listened at: that nothing connects to it is not checked");
    };
    let found = tokio::time::timeout(Duration::from_millis(200), canary.accept()).await;
    assert!(found.is_err(), "somebody connected to the canary");
}

#[tokio::test]
async fn no_way_of_writing_an_address_leads_to_it() {
    assert!(REFUSED.len() >= 60);
    let canary = canary().await;
    let fetcher = Fetcher::with_lookup(limits(), None, told(&[&["127.0.0.2"]])).unwrap();
    for text in REFUSED {
        let Ok(url) = Url::parse(text) else { continue };
        let error = fetcher.get(&url, &Request::default()).await.unwrap_err();
        assert!(matches!(error, Error::Policy { .. }), "{text}: {error}");
        assert_eq!(error.code(), "fetch.policy");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert_silent(canary).await;
}

#[tokio::test]
async fn a_name_with_a_private_address_is_refused_and_never_connected_to() {
    let canary = canary().await;
    for answer in ["127.0.0.2", "::ffff:127.0.0.2", "169.254.169.254", "10.0.0.1", "fd00::1"] {
        let fetcher = Fetcher::with_lookup(limits(), None, told(&[&[answer]])).unwrap();
        let error =
            fetcher.get(&Url::parse("http://rebind.example.org/").unwrap(), &Request::default()).await.unwrap_err();
        assert!(matches!(error, Error::Policy { .. }), "{answer}: {error}");
    }
    assert_silent(canary).await;
}

#[tokio::test]
async fn what_is_resolved_is_what_is_connected_to() {
    // The first answer is public and unreachable here, a second would be the canary: there must be no second question.
    let canary = canary().await;
    let lookup = told(&[&["192.88.99.0", "127.0.0.2"], &["127.0.0.2"]]);
    let fetcher = Fetcher::with_lookup(limits(), None, Arc::clone(&lookup) as Arc<dyn Lookup>).unwrap();
    let error = fetcher.get(&Url::parse("http://flip.example.org/").unwrap(), &Request::default()).await.unwrap_err();
    assert!(matches!(error, Error::Policy { .. }), "{error}");
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 1);
    assert_silent(canary).await;
}
