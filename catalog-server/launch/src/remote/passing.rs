//! Passes a lab's traffic on to the server that runs it, HTTP and WebSocket, each request signed.

use axum::Router;
use axum::body::{Body, HttpBody as _};
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
    // A length without its bytes would be filled with the next request of the connection, which may be somebody else's.
    let has_body = !parts.headers.contains_key(header::UPGRADE) && !body.is_end_stream();
    let mut sent = passing.client.request(parts.method, format!("{}{path}", passing.url));
    for (name, value) in &parts.headers {
        let is_ours = matches!(*name, header::HOST | header::AUTHORIZATION);
        if !is_ours && (has_body || name != header::CONTENT_LENGTH) {
            sent = sent.header(name, value);
        }
    }
    sent = sent.header(header::AUTHORIZATION, signed);
    if has_body {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tower::ServiceExt;

    /// A length was sent without its body with `GET`, so that the other server took the next request for it.
    #[tokio::test]
    async fn a_body_goes_with_its_length_whatever_the_method() {
        let echo = Router::new().fallback(|request: Request| async move {
            let length = request.headers().get(header::CONTENT_LENGTH).cloned();
            let body = axum::body::to_bytes(request.into_body(), 100).await.unwrap();
            format!("{length:?} {body:?}")
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, echo).into_future());
        let identity = Identity::read("go-esa", &Identity::generate().unwrap()).unwrap();
        // It can only fail when one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let router = router(reqwest::Client::new(), url, identity, LaunchId::from_bytes([1; 16]));
        let upgrade = || Request::get("/x").header(header::UPGRADE, "websocket").header(header::CONNECTION, "upgrade");
        for (request, expected) in [
            (Request::get("/x").header(header::CONTENT_LENGTH, 5).body(Body::from("hello")), r#"Some("5") b"hello""#),
            (Request::post("/x").header(header::CONTENT_LENGTH, 5).body(Body::from("hello")), r#"Some("5") b"hello""#),
            (Request::get("/x").header(header::CONTENT_LENGTH, 5).body(Body::empty()), r#"None b"""#),
            (upgrade().header(header::CONTENT_LENGTH, 5).body(Body::from("hello")), r#"None b"""#),
        ] {
            let response = router.clone().oneshot(request.unwrap()).await.unwrap();
            let said = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&said), expected);
        }
    }
}
