//! Says `Connection: close` when a request was answered before its body was read.
//!
//! HTTP/1.1 cannot go on with the next request while the body of this one is still under way, so the server ends the
//! connection after the answer (RFC 9112, section 9.6). Without the header a client puts the connection back into its
//! pool and its next request, which may not be safe to repeat, meets a closed door.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Version, header};
use http_body::{Frame, SizeHint};

/// Runs a request and closes its connection when something of its body was left unread.
pub async fn close(request: Request, next: Next) -> Response {
    let has_connection_header = request.version() <= Version::HTTP_11;
    let done = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| {
        done.store(http_body::Body::is_end_stream(&body), Ordering::Relaxed);
        Body::new(Watched { body, done: Arc::clone(&done) })
    });
    let mut response = next.run(request).await;
    if has_connection_header && !done.load(Ordering::Acquire) && !response.status().is_informational() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that notes when it was read to its end.
struct Watched {
    body: Body,
    done: Arc<AtomicBool>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.done.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use tower::ServiceExt;

    use super::*;

    async fn connection_after(path: &str, body: &'static str) -> Option<HeaderValue> {
        let router = Router::new()
            .route("/reads", post(|_body: Bytes| async {}))
            .route("/ignores", post(|| async {}))
            .layer(axum::middleware::from_fn(close));
        let request = http::Request::post(path).body(Body::from_stream(futures::stream::iter(
            (!body.is_empty()).then_some(Ok::<_, std::io::Error>(body)),
        )));
        let Ok(response) = router.oneshot(request.unwrap()).await;
        response.headers().get(header::CONNECTION).cloned()
    }

    #[tokio::test]
    async fn a_connection_ends_only_with_a_body_that_nobody_read() {
        assert_eq!(connection_after("/reads", "body").await, None);
        assert_eq!(connection_after("/ignores", "body").await, Some(HeaderValue::from_static("close")));
    }
}
