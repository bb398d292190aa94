//! How identity providers are spoken to: no redirects, few bytes, a short wait.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Enough for any discovery document, key set or token.
const MOST_BYTES: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a provider gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Its address is not one that is spoken to.
    #[error("`{0}` is not reached over https; set allowHttp for a provider on a trusted network")]
    Plain(String),
    /// The connection or the answer failed.
    #[error("the provider does not answer: {0}")]
    Failed(#[from] reqwest::Error),
    /// The answer is too long.
    #[error("the provider's answer is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// The answer cannot be put together.
    #[error("the provider's answer is none: {0}")]
    Odd(#[from] http::Error),
}

/// Speaks to a provider.
#[derive(Debug, Clone)]
pub struct Transport {
    client: reqwest::Client,
    allow_http: bool,
}

impl Transport {
    /// Makes a transport.
    pub fn new(allow_http: bool) -> Result<Self, TransportError> {
        let client = reqwest::Client::builder()
            // Whoever can redirect a question about keys can answer it.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("alidade/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, allow_http })
    }

    /// Sends a request and reads the answer, up to the limit.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let scheme = request.uri().scheme_str().unwrap_or_default();
        if scheme != "https" && !(self.allow_http && scheme == "http") {
            return Err(TransportError::Plain(request.uri().to_string()));
        }
        let (parts, body) = request.into_parts();
        let sent = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        let mut response = sent.send().await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(TransportError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        Ok(answer.body(bytes)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Transport {
    type Error = TransportError;
    type Future = BoxFuture<'c, Result<HttpResponse, TransportError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.send(request).boxed()
    }
}
