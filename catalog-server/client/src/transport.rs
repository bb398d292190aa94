//! How a request reaches the API.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};

use crate::ClientError;

/// A router in this process: takes a request with its whole body, gives the whole answer.
pub type InProcess = Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, Result<Response<Bytes>, String>> + Send + Sync>;

/// Bytes handed to the connection at a time when progress is reported.
const CHUNK: usize = 64 * 1024;

/// How a request reaches the API.
#[derive(Clone)]
pub enum Transport {
    /// Over HTTP, with the base URL without its trailing slash.
    Http(reqwest::Client, String),
    /// By a call in this process.
    InProcess(InProcess),
}

impl Transport {
    pub(crate) fn http(base: &str) -> Result<Self, ClientError> {
        let base = base.trim_end_matches('/');
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(ClientError::Transport(format!("`{base}` is not a server's URL; write http://… or https://…")));
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("alidade/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(std::time::Duration::from_secs(10))
            .build()
            .map_err(|error| ClientError::Transport(error.to_string()))?;
        Ok(Self::Http(client, base.to_owned()))
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        match self {
            Self::InProcess(call) => call(request).await.map_err(ClientError::Transport),
            Self::Http(client, base) => {
                let (parts, body) = request.into_parts();
                receive(client, base, parts, body.into()).await
            }
        }
    }

    pub(crate) async fn send_with_progress(
        &self,
        request: Request<Bytes>,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Response<Bytes>, ClientError> {
        let Self::Http(client, base) = self else { return self.send(request).await };
        let (mut parts, body) = request.into_parts();
        // A streamed body has no length of its own; without one the server could not refuse it early.
        parts.headers.insert(http::header::CONTENT_LENGTH, body.len().into());
        let chunks = (0..body.len()).step_by(CHUNK).map(move |start| {
            let end = (start + CHUNK).min(body.len());
            progress(end as u64);
            Ok::<_, std::io::Error>(body.slice(start..end))
        });
        receive(client, base, parts, reqwest::Body::wrap_stream(futures::stream::iter(chunks))).await
    }
}

async fn receive(
    client: &reqwest::Client,
    base: &str,
    parts: http::request::Parts,
    body: reqwest::Body,
) -> Result<Response<Bytes>, ClientError> {
    let response = client
        .request(parts.method, format!("{base}{}", parts.uri))
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .map_err(|error| ClientError::Transport(format!("no answer from {base}: {}", root_cause(&error))))?;
    let mut answer = Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        *headers = response.headers().clone();
    }
    let body = response.bytes().await.map_err(|error| ClientError::Transport(root_cause(&error)))?;
    answer.body(body).map_err(|error| ClientError::Transport(error.to_string()))
}

/// The innermost cause is the one that a person can act on: `connection refused`.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
