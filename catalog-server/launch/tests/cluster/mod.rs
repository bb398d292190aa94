//! A small stateful cluster that answers over HTTP as a Kubernetes API server does: objects with versions, label and
//! field selectors, watches that end with 410 when told to, errors as `Status` objects. Nothing schedules by itself: the
//! test plays the scheduler and the kubelet by patching status.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// A running cluster; it ends with its last handle.
#[derive(Clone)]
pub(crate) struct Cluster {
    inner: Arc<Inner>,
    pub(crate) address: std::net::SocketAddr,
}

struct Inner {
    state: Mutex<StateOf>,
    changes: broadcast::Sender<(String, &'static str, Value)>,
}

#[derive(Default)]
struct StateOf {
    version: u64,
    /// By kind and name.
    objects: BTreeMap<(String, String), Value>,
    logs: BTreeMap<String, String>,
    down: bool,
    forbidden: Vec<String>,
    /// Versions before this one are forgotten.
    oldest: u64,
    /// Every request, as `METHOD path`.
    asked: Vec<String>,
    /// What a service is given as its address.
    address: Option<(String, u16)>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Inner { state: Mutex::default(), changes: broadcast::channel(256).0 });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { inner, address }
    }

    pub(crate) fn put(&self, kind: &str, object: Value) {
        let mut state = self.inner.state.lock().unwrap();
        store(&mut state, &self.inner.changes, kind, object, "ADDED");
    }

    /// Merges a status into an object, as a kubelet does.
    pub(crate) fn patch(&self, kind: &str, name: &str, patch: &Value) {
        let mut state = self.inner.state.lock().unwrap();
        let mut object = state.objects[&(kind.to_owned(), name.to_owned())].clone();
        merge(&mut object, patch);
        store(&mut state, &self.inner.changes, kind, object, "MODIFIED");
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.inner.state.lock().unwrap().objects.get(&(kind.to_owned(), name.to_owned())).cloned()
    }

    pub(crate) fn remove(&self, kind: &str, name: &str) {
        let mut state = self.inner.state.lock().unwrap();
        take(&mut state, &self.inner.changes, kind, name);
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.inner.state.lock().unwrap().objects.keys().filter(|(it, _)| it == kind).count()
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.inner.state.lock().unwrap().down = down;
        // Whoever watches loses its connection.
        let _ = self.inner.changes.send((String::new(), "CUT", Value::Null));
    }

    pub(crate) fn forbid(&self, kind: &str) {
        self.inner.state.lock().unwrap().forbidden.push(kind.to_owned());
    }

    /// Forgets every version so far: whoever watches is told 410 and must list again.
    pub(crate) fn forget(&self) {
        let mut state = self.inner.state.lock().unwrap();
        state.version += 1;
        state.oldest = state.version;
        let _ = self.inner.changes.send((String::new(), "GONE", Value::Null));
    }

    pub(crate) fn log(&self, name: &str, text: &str) {
        self.inner.state.lock().unwrap().logs.insert(name.to_owned(), text.to_owned());
    }

    pub(crate) fn serve_labs_at(&self, address: std::net::SocketAddr) {
        self.inner.state.lock().unwrap().address = Some((address.ip().to_string(), address.port()));
    }

    pub(crate) fn asked(&self, beginning: &str) -> usize {
        self.inner.state.lock().unwrap().asked.iter().filter(|it| it.starts_with(beginning)).count()
    }
}

type Changes = broadcast::Sender<(String, &'static str, Value)>;

fn store(state: &mut StateOf, changes: &Changes, kind: &str, mut object: Value, event: &'static str) -> Value {
    state.version += 1;
    object["metadata"]["resourceVersion"] = json!(state.version.to_string());
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    state.objects.insert((kind.to_owned(), name), object.clone());
    let _ = changes.send((kind.to_owned(), event, object.clone()));
    object
}

fn take(state: &mut StateOf, changes: &Changes, kind: &str, name: &str) -> Option<Value> {
    let object = state.objects.remove(&(kind.to_owned(), name.to_owned()))?;
    state.version += 1;
    let mut last = object.clone();
    last["metadata"]["resourceVersion"] = json!(state.version.to_string());
    let _ = changes.send((kind.to_owned(), "DELETED", last));
    // What a removed object owns goes with it.
    let uid = object["metadata"]["uid"].clone();
    let owned = |it: &Value| {
        it["metadata"]["ownerReferences"].as_array().is_some_and(|all| all.iter().any(|owner| owner["uid"] == uid))
    };
    state.objects.retain(|_, it| !owned(it));
    Some(object)
}

fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    into.remove(name);
                } else {
                    merge(into.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

fn status(code: u16, reason: &str, message: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message});
    (StatusCode::from_u16(code).unwrap(), [(header::CONTENT_TYPE, "application/json")], body.to_string())
        .into_response()
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    {
        let mut state = inner.state.lock().unwrap();
        state.asked.push(format!("{} {path}", parts.method));
        if state.down {
            return status(503, "ServiceUnavailable", "the cluster is told to be down");
        }
    }
    let path = path.trim_start_matches("/api/v1/").trim_start_matches("/apis/networking.k8s.io/v1/").to_owned();
    let words: Vec<&str> = path.split('/').collect();
    let words = if words[0] == "namespaces" { &words[2..] } else { &words[..] };
    let kind = words[0].to_owned();
    if inner.state.lock().unwrap().forbidden.contains(&kind) {
        return status(403, "Forbidden", &format!("{kind} is forbidden"));
    }
    match (parts.method, words.get(1).copied(), words.get(2).copied()) {
        (Method::GET, None, _) if query.contains_key("watch") => watch(inner, kind, query),
        (Method::GET, None, _) => list(&inner, &kind, &query),
        (Method::POST, None, _) => create(&inner, &kind, &body),
        (Method::GET, Some(name), None) => one(&inner, &kind, name),
        (Method::GET, Some(name), Some("log")) => log(&inner, name, &query),
        (Method::DELETE, Some(name), None) => {
            let mut state = inner.state.lock().unwrap();
            take(&mut state, &inner.changes, &kind, name)
                .map_or_else(|| absent(&kind, name), |object| axum::Json(object).into_response())
        }
        (Method::PATCH, Some(name), None) => {
            let mut state = inner.state.lock().unwrap();
            let Some(mut object) = state.objects.get(&(kind.clone(), name.to_owned())).cloned() else {
                return absent(&kind, name);
            };
            merge(&mut object, &serde_json::from_slice(&body).unwrap());
            axum::Json(store(&mut state, &inner.changes, &kind, object, "MODIFIED")).into_response()
        }
        _ => status(405, "MethodNotAllowed", "the test's cluster does not do that"),
    }
}

fn absent(kind: &str, name: &str) -> Response {
    status(404, "NotFound", &format!("{kind} \"{name}\" not found"))
}

fn selected(object: &Value, query: &BTreeMap<String, String>) -> bool {
    let labels = query.get("labelSelector").map(String::as_str).unwrap_or_default();
    let fields = query.get("fieldSelector").map(String::as_str).unwrap_or_default();
    let by_label = labels.split(',').filter(|it| !it.is_empty()).all(|it| match it.split_once('=') {
        Some((name, value)) => object["metadata"]["labels"][name] == value,
        None => !object["metadata"]["labels"][it].is_null(),
    });
    let by_field = fields.split(',').filter_map(|it| it.split_once('=')).all(|(name, value)| {
        let pointer = format!("/{}", name.replace('.', "/"));
        object.pointer(&pointer).is_some_and(|it| it == value)
    });
    by_label && by_field
}

fn list(inner: &Inner, kind: &str, query: &BTreeMap<String, String>) -> Response {
    let state = inner.state.lock().unwrap();
    let items: Vec<&Value> = state
        .objects
        .iter()
        .filter(|((it, _), object)| it == kind && selected(object, query))
        .map(|(_, object)| object)
        .collect();
    axum::Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": state.version.to_string()}, "items": items}))
        .into_response()
}

fn create(inner: &Inner, kind: &str, body: &Bytes) -> Response {
    let mut object: Value = serde_json::from_slice(body).unwrap();
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let mut state = inner.state.lock().unwrap();
    if state.objects.contains_key(&(kind.to_owned(), name.clone())) {
        return status(409, "AlreadyExists", &format!("{kind} \"{name}\" already exists"));
    }
    object["metadata"]["uid"] = json!(format!("uid-{}", state.version));
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    if kind == "services"
        && let Some((address, port)) = &state.address
    {
        object["spec"]["clusterIP"] = json!(address);
        object["spec"]["ports"][0]["port"] = json!(port);
    }
    let object = store(&mut state, &inner.changes, kind, object, "ADDED");
    (StatusCode::CREATED, axum::Json(object)).into_response()
}

fn one(inner: &Inner, kind: &str, name: &str) -> Response {
    let state = inner.state.lock().unwrap();
    let found = state.objects.get(&(kind.to_owned(), name.to_owned()));
    found.map_or_else(|| absent(kind, name), |object| axum::Json(object).into_response())
}

fn log(inner: &Inner, name: &str, query: &BTreeMap<String, String>) -> Response {
    let state = inner.state.lock().unwrap();
    let Some(text) = state.logs.get(name) else {
        return status(400, "BadRequest", "container \"lab\" is waiting to start");
    };
    let lines: Vec<&str> = text.lines().collect();
    let tail = query.get("tailLines").and_then(|tail| tail.parse::<usize>().ok()).unwrap_or(lines.len());
    let lines = &lines[lines.len().saturating_sub(tail)..];
    lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_response()
}

fn watch(inner: Arc<Inner>, kind: String, query: BTreeMap<String, String>) -> Response {
    let from: u64 = query.get("resourceVersion").and_then(|it| it.parse().ok()).unwrap_or_default();
    let gone = || {
        let object = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"});
        format!("{}\n", json!({"type": "ERROR", "object": object}))
    };
    let (mut changes, missed) = {
        let state = inner.state.lock().unwrap();
        if from < state.oldest {
            return gone().into_response();
        }
        let version = |object: &Value| object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
        let missed: Vec<String> = state
            .objects
            .iter()
            .filter(|((it, _), object)| *it == kind && version(object) > from && selected(object, &query))
            .map(|(_, object)| format!("{}\n", json!({"type": "MODIFIED", "object": object})))
            .collect();
        (inner.changes.subscribe(), missed)
    };
    let stream = async_stream(missed, move |sender| async move {
        while let Ok(Ok((of, event, object))) = tokio::time::timeout(Duration::from_secs(60), changes.recv()).await {
            let line = match event {
                "CUT" => return,
                "GONE" => gone(),
                _ if of == kind && selected(&object, &query) => {
                    format!("{}\n", json!({"type": event, "object": object}))
                }
                _ => continue,
            };
            if sender.send(Ok(line)).await.is_err() || event == "GONE" {
                return;
            }
        }
    });
    ([(header::CONTENT_TYPE, "application/json")], stream).into_response()
}

type Line = Result<String, std::convert::Infallible>;

fn async_stream<F, T>(first: Vec<String>, then: F) -> Body
where
    F: FnOnce(tokio::sync::mpsc::Sender<Line>) -> T + Send + 'static,
    T: Future<Output = ()> + Send,
{
    let (sender, receiver) = tokio::sync::mpsc::channel::<Line>(16);
    tokio::spawn(async move {
        for line in first {
            if sender.send(Ok(line)).await.is_err() {
                return;
            }
        }
        then(sender).await;
    });
    Body::from_stream(futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|line| (line, receiver))
    }))
}
