//! Asks a lab's interface whether it answers, the same way as the proxy will reach it.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use crate::backend::Endpoint;

/// What an interface says to a first request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It answered.
    Status(StatusCode),
    /// It does not answer, and why.
    Nothing(String),
}

impl Answer {
    /// Says whether the lab can be opened: a page, a redirection and a login all count, a missing page and an error
    /// of the lab do not.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Status(status) if !status.is_server_error() && *status != StatusCode::NOT_FOUND)
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it answers {status}"),
            Self::Nothing(cause) => write!(f, "it does not answer: {cause}"),
        }
    }
}

/// Sends one `GET` to an endpoint and returns the answer's status.
pub async fn answers(endpoint: &Endpoint, path: &str, timeout: Duration) -> Answer {
    let asked = async {
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(header::USER_AGENT, "alidade-probe")
            .body(Body::empty())
            .map_err(|error| error.to_string())?;
        match endpoint {
            Endpoint::Tcp(address) => {
                let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
                ask(stream, request).await
            }
            Endpoint::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(|error| error.to_string())?;
                ask(stream, request).await
            }
            Endpoint::Handler(router) => {
                router.clone().oneshot(request).await.map(|response| response.status()).map_err(|never| match never {})
            }
        }
    };
    match tokio::time::timeout(timeout, asked).await {
        Ok(Ok(status)) => Answer::Status(status),
        Ok(Err(cause)) => Answer::Nothing(cause),
        Err(_) => Answer::Nothing(format!("nothing within {} ms", timeout.as_millis())),
    }
}

async fn ask<S>(stream: S, request: Request<Body>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // The connection ends with this future, so nothing of it outlives the probe.
    let mut connection = Box::pin(connection);
    let response = sender.send_request(request);
    tokio::pin!(response);
    let ended = tokio::select! {
        biased;
        response = &mut response => return response.map(|it| it.status()).map_err(|error| error.to_string()),
        ended = &mut connection => ended,
    };
    // A small server answers and hangs up at once: what came before the end of the connection is an answer.
    drop(connection);
    let closed = || ended.err().map_or_else(|| "the connection was closed".to_owned(), |error| error.to_string());
    response.await.map(|it| it.status()).map_err(|_| closed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;

    #[tokio::test]
    async fn a_page_and_a_login_are_ready_and_an_error_is_not() {
        let router = Router::new()
            .route("/page", get(|| async { "x" }))
            .route("/login", get(|| async { StatusCode::FORBIDDEN }))
            .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = Endpoint::Tcp(listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router.clone()).into_future());
        for endpoint in [tcp, Endpoint::Handler(router)] {
            let mut ready = Vec::new();
            for path in ["/page", "/login", "/broken", "/missing"] {
                ready.push(answers(&endpoint, path, Duration::from_secs(2)).await.is_ready());
            }
            assert_eq!(ready, [true, true, false, false], "{endpoint:?}");
        }
        // One that answers and hangs up at once is ready; one that only hangs up is not.
        for (said, expected) in [("HTTP/1.0 200 OK\r\n\r\nhello", true), ("", false)] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let abrupt = Endpoint::Tcp(listener.local_addr().unwrap());
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut asked = [0; 4096];
                    _ = tokio::io::AsyncReadExt::read(&mut stream, &mut asked).await;
                    _ = tokio::io::AsyncWriteExt::write_all(&mut stream, said.as_bytes()).await;
                }
            });
            for _ in 0..50 {
                let answer = answers(&abrupt, "/", Duration::from_secs(10)).await;
                assert_eq!(answer.is_ready(), expected, "{answer}");
            }
        }
        let nobody = Endpoint::Tcp("127.0.0.1:1".parse().unwrap());
        assert!(matches!(answers(&nobody, "/", Duration::from_secs(2)).await, Answer::Nothing(_)));
    }
}
