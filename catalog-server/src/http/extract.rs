//! What is read from a request; whatever cannot be read is a problem document that says where.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::problem::Failure;

/// A JSON body, in or out.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = body(request, state).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Failure::bad_request("body.invalid", "the body is empty; this operation takes a JSON object"));
        }
        // An array would be read as the fields in their order, which no document of the API promises.
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(Failure::bad_request("body.invalid", "the body is an array, not an object"));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let detail = format!("the body is not what is expected: {error}");
            Failure::bad_request("body.invalid", detail)
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The parameters of a query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| Failure::bad_request("query.parameter", rejection.body_text()))
    }
}

/// The parameters of a path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| Failure::bad_request("path.parameter", rejection.body_text()))
    }
}

/// Reads a whole body within the route's limit.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body.too_large",
            "the body is too large",
            rejection.body_text(),
        ),
        _ => Failure::bad_request("body.incomplete", rejection.body_text()),
    })
}
