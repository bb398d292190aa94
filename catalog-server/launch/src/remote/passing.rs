//! Passes a lab's traffic on to the server that runs it, HTTP and WebSocket, each request signed.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use catalog_schemas::id::LaunchId;
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;

use super::signing::{Asking, Identity};

struct Passing {
    client: reqwest::Client,
    url: String,
    identity: Identity,
    launch: LaunchId,
}

/// Returns what answers for a lab over there.
pub(super) fn router(client: reqwest::Client, url: String, identity: Identity, launch: LaunchId) -> Router {
    let passing = std::sync::Arc::new(Passing { client, url, identity, launch });
    Router::new().fallback(pass).with_state(passing)
}

async fn pass(State(passing): State<std::sync::Arc<Passing>>, mut request: Request) -> Response {
    let base = format!("/lab/{}/", passing.launch);
    let asked = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // A lab that was told its base path is asked with it, another without; the other server knows which it is.
    let within = asked.strip_prefix(&base).unwrap_or_else(|| asked.trim_start_matches('/'));
    let path = format!("/api/v1/delegations/lab/{}/{within}", passing.launch);
    let signed = passing.identity.sign(
        &passing.url,
        None,
        Asking { method: request.method().as_str(), path: &path, body: None },
        Timestamp::now(),
    );
    let client = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
    let (parts, body) = request.into_parts();
    let mut sent = passing.client.request(parts.method.clone(), format!("{}{path}", passing.url));
    for (name, value) in &parts.headers {
        if !matches!(*name, header::HOST | header::AUTHORIZATION | header::CONTENT_LENGTH) {
            sent = sent.header(name, value);
        }
    }
    if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
        sent = sent.header(header::CONTENT_LENGTH, length);
    }
    let is_upgrade = parts.headers.contains_key(header::UPGRADE);
    sent = sent.header(header::AUTHORIZATION, signed);
    if !is_upgrade && !matches!(parts.method, http::Method::GET | http::Method::HEAD) {
        sent = sent.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    match sent.send().await {
        Ok(response) => answered(response, client),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("the other server does not answer: {error}")).into_response(),
    }
}

fn answered(response: reqwest::Response, client: Option<hyper::upgrade::OnUpgrade>) -> Response {
    let mut builder = Response::builder().status(response.status());
    for (name, value) in response.headers() {
        builder = builder.header(name, value);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        if let Some(client) = client {
            tokio::spawn(async move {
                let (Ok(client), Ok(mut lab)) = (client.await, response.upgrade().await) else { return };
                // Either side may hang up at any time; that is how a tunnel ends.
                let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut lab).await;
            });
        }
        return builder.body(Body::empty()).unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response());
    }
    builder.body(Body::from_stream(response.bytes_stream())).unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}
