//! A registry of one image in the test's own process, for pulls without a network.
#![allow(dead_code, reason = "every test that includes this uses its own part of it")]

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::engine::Engine;

/// An image as a registry holds it.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) digest: String,
    manifest: Vec<u8>,
    blobs: Vec<(String, Vec<u8>)>,
}

impl Image {
    /// Takes an image out of an engine.
    pub(crate) fn of(engine: &Engine, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut save = engine.docker().args(["save", name]).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = save.stdout.take().unwrap();
        let unpacked =
            std::process::Command::new("tar").arg("x").arg("-C").arg(folder.path()).stdin(stdout).status().unwrap();
        assert!(unpacked.success() && save.wait().unwrap().success());
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        let index: serde_json::Value = serde_json::from_slice(&read("manifest.json")).unwrap();
        let config = read(index[0]["Config"].as_str().unwrap());
        let layers = index[0]["Layers"].as_array().unwrap().iter().map(|layer| read(layer.as_str().unwrap()));
        let mut blobs: Vec<(String, Vec<u8>)> = vec![(digest_of(&config), config)];
        blobs.extend(layers.map(|layer| (digest_of(&layer), layer)));
        let descriptor = |kind: &str, (digest, bytes): &(String, Vec<u8>)| serde_json::json!({"mediaType": kind, "size": bytes.len(), "digest": digest});
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": descriptor("application/vnd.docker.container.image.v1+json", &blobs[0]),
            "layers": blobs[1..].iter().map(|blob| descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", blob)).collect::<Vec<_>>(),
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        Self { digest: digest_of(&manifest), manifest, blobs }
    }
}

/// A registry that is being served.
pub(crate) struct Registry {
    address: SocketAddr,
    shown: Arc<Shown>,
}

/// What is served, and how slowly.
struct Shown {
    image: Mutex<Image>,
    /// How long it takes until a layer begins to come.
    pause_millis: AtomicU64,
    /// How often a layer was asked for.
    asked: AtomicU64,
}

impl Registry {
    /// Its name as image references begin with it.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Lets the tag stand for another image.
    pub(crate) fn show(&self, image: Image) {
        *self.shown.image.lock().unwrap() = image;
    }

    /// How often a layer or a configuration was asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.shown.asked.load(Ordering::SeqCst)
    }

    /// Lets every layer begin only after a pause.
    pub(crate) fn pause(&self, pause: std::time::Duration) {
        self.shown.pause_millis.store(u64::try_from(pause.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// Serves an image as `lab:1`.
pub(crate) async fn serve(image: Image) -> Registry {
    let shown = Arc::new(Shown { image: Mutex::new(image), pause_millis: AtomicU64::new(0), asked: AtomicU64::new(0) });
    let router = Router::new()
        .route("/v2/", get(|| async { "{}" }))
        .route("/v2/lab/manifests/{reference}", get(manifest))
        .route("/v2/lab/blobs/{digest}", get(blob))
        .fallback(|| async { refusal("NAME_UNKNOWN") })
        .with_state(shown.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    Registry { address, shown }
}

async fn manifest(State(shown): State<Arc<Shown>>, Path(reference): Path<String>) -> Response {
    let image = shown.image.lock().unwrap().clone();
    if reference != "1" && reference != image.digest {
        return refusal("MANIFEST_UNKNOWN");
    }
    Response::builder()
        .header("content-type", "application/vnd.docker.distribution.manifest.v2+json")
        .header("docker-content-digest", image.digest)
        .body(Body::from(image.manifest))
        .unwrap()
}

async fn blob(State(shown): State<Arc<Shown>>, Path(digest): Path<String>) -> Response {
    let image = shown.image.lock().unwrap().clone();
    shown.asked.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(shown.pause_millis.load(Ordering::SeqCst))).await;
    match image.blobs.into_iter().find(|(known, _)| *known == digest) {
        Some((_, bytes)) => Response::new(Body::from(bytes)),
        None => refusal("BLOB_UNKNOWN"),
    }
}

fn refusal(code: &str) -> Response {
    let body = serde_json::json!({"errors": [{"code": code, "message": code.to_lowercase().replace('_', " ")}]});
    Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn digest_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
