//! The one place that decides the HTTP status of an error; every error answer is a problem document (RFC 9457).

use axum::response::{IntoResponse, Response};
use catalog_schemas::problem::{Finding, Problem, Report};
use http::{HeaderValue, StatusCode, header};

tokio::task_local! {
    /// The id of the request being answered.
    pub static REQUEST_ID: String;
}

/// Returns the id of the request being answered, or `-` outside of one.
pub fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_else(|_| "-".to_owned())
}

/// Why a request has no better answer.
#[derive(Debug)]
pub struct Failure {
    // Boxed, as every handler's result has room for it.
    problem: Box<Problem>,
    retry_after: Option<u64>,
    /// The cause for the log; never for the client.
    cause: Option<String>,
}

impl Failure {
    /// Makes a failure from status, stable code, title and detail.
    pub fn new(status: StatusCode, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(status.as_u16(), code, title, detail)), retry_after: None, cause: None }
    }

    /// The request makes no sense: 400.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "the request cannot be understood", detail)
    }

    /// There is no such thing: 404.
    pub fn not_found(what: &str, name: &str) -> Self {
        let name: String = name.chars().take(120).collect();
        Self::new(StatusCode::NOT_FOUND, "not_found", "not found", format!("there is no {what} `{name}`"))
    }

    /// Nobody is signed in: 401.
    pub fn unauthenticated() -> Self {
        let detail = "send a token as `Authorization: Bearer …`, or sign in at /login";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first", detail)
    }

    /// The viewer may not: 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "not allowed", detail)
    }

    /// The body is a package or manifest with faults: 422.
    pub fn invalid(report: Report) -> Self {
        let detail =
            format!("{} error{} found; nothing was stored", report.errors, if report.errors == 1 { "" } else { "s" });
        let mut failure =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_package", "the package is not valid", detail);
        failure.problem.findings = report.findings;
        failure
    }

    /// Warnings that somebody has to take responsibility for: 422.
    pub fn unacknowledged(findings: Vec<Finding>) -> Self {
        let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        codes.dedup();
        let detail = format!(
            "nothing was stored: mend it, or take responsibility by sending `Alidade-Acknowledge: {}`",
            codes.join(", ")
        );
        let title = "warnings wait to be acknowledged";
        let mut failure = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "acknowledge_required", title, detail);
        failure.problem.findings = findings;
        failure
    }

    /// Fields that the viewer may not write: 403.
    pub fn write_forbidden(findings: Vec<Finding>) -> Self {
        let detail = findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ");
        let mut failure = Self::new(StatusCode::FORBIDDEN, "access.write_forbidden", "not yours to write", detail);
        failure.problem.findings = findings;
        failure
    }

    /// Faults of a request: 422.
    pub fn invalid_request(findings: Vec<Finding>) -> Self {
        let detail = findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ");
        let mut failure =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "the request is not valid", detail);
        failure.problem.findings = findings;
        failure
    }

    /// One fault of a request: 422.
    pub fn unprocessable(finding: Finding) -> Self {
        Self::invalid_request(vec![finding])
    }

    /// Not now: 503 with Retry-After in seconds.
    pub fn unavailable(code: &str, detail: impl Into<String>, retry_after: u64) -> Self {
        let mut failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "not available now", detail);
        failure.retry_after = Some(retry_after);
        failure
    }

    /// Too much of something within a time: 429 with Retry-After in seconds.
    pub fn too_many(code: &str, detail: impl Into<String>, retry_after: u64) -> Self {
        let mut failure = Self::new(StatusCode::TOO_MANY_REQUESTS, code, "too many requests", detail);
        failure.retry_after = Some(retry_after);
        failure
    }

    /// A fault of ours: 500; the cause goes to the log only.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let detail = "a fault of the server; it has been logged with this request's id";
        let mut failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed", detail);
        failure.cause = Some(cause.to_string());
        failure
    }

    /// Adds what was found.
    #[must_use]
    pub fn with_findings(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.problem.findings.extend(findings);
        self
    }

    /// Returns the problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns everything that it says in one line, for a terminal or a log.
    pub fn words(&self) -> String {
        let finding = |finding: &Finding| format!("{} {}: {}", finding.code, finding.pointer, finding.message);
        let findings = self.problem.findings.iter().map(finding);
        let causes = self.problem.detail.iter().chain(&self.cause).cloned();
        causes.chain(findings).collect::<Vec<_>>().join("; ")
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Failure {
    fn into_response(mut self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(request = request_id(), cause, "the request failed");
        }
        self.problem.instance = REQUEST_ID.try_with(Clone::clone).ok();
        let mut response = (self.status(), axum::Json(&self.problem)).into_response();
        // Who tells it otherwise (`told.rs`) needs no second reading.
        response.extensions_mut().insert((*self.problem).clone());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.problem.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"alidade\""));
        }
        if self.problem.status == 406 {
            // Another request for the same address may find what suits it.
            headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Profile"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<catalog_records::Error> for Failure {
    fn from(error: catalog_records::Error) -> Self {
        use catalog_records::Error as E;
        let text = error.to_string();
        match error {
            E::NotFound { what, name } => Self::not_found(what, &name),
            E::NotAllowed { .. } | E::Forbidden(_) => Self::forbidden(text),
            E::KindChanged { .. } | E::Conflict(_) | E::Transition { .. } | E::LaunchState { .. } => {
                Self::new(StatusCode::CONFLICT, "conflict", "this does not fit what is there", text)
            }
            E::LeaseLost { .. } => Self::new(StatusCode::CONFLICT, "lease_lost", "somebody else does this", text),
            E::Changed { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "changed", "somebody was faster", text),
            E::QuotaExceeded { .. } => Self::new(StatusCode::CONFLICT, "quota.sessions", "your quota is used up", text),
            E::GpuQuotaExceeded { .. } => Self::new(StatusCode::CONFLICT, "quota.gpu", "your quota is used up", text),
            E::OfferGone => {
                Self::new(StatusCode::GONE, "offer.gone", "the offer is gone", format!("{text}; plan again"))
            }
            E::IdempotencyMismatch(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch", "the key was used before", text)
            }
            E::DigestMismatch { .. } => Self::bad_request("digest_mismatch", text),
            E::Refused(_) => Self::bad_request("refused", text),
            E::Full => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "storage_full",
                "no space left",
                "nothing was stored; reading goes on",
            ),
            E::Busy | E::NotCommitted(_) => Self::unavailable("busy", "the write was not committed; try again", 2),
            E::Storage(_) | E::Closed => Self::unavailable("closing", "the server is stopping", 5),
            E::BlobCorrupt { .. } | E::BlobMissing(_) => {
                let mut failure = Self::unavailable("package_damaged", "the stored package cannot be read", 3600);
                failure.cause = Some(text);
                failure
            }
            _ => Self::internal(with_sources(&error)),
        }
    }
}

impl From<catalog_graph::Error> for Failure {
    fn from(error: catalog_graph::Error) -> Self {
        Self::internal(error)
    }
}

impl From<catalog_schemas::search::InvalidSearch> for Failure {
    fn from(error: catalog_schemas::search::InvalidSearch) -> Self {
        Self::bad_request("search.parameter", error.to_string())
    }
}

impl From<catalog_schemas::id::InvalidId> for Failure {
    fn from(error: catalog_schemas::id::InvalidId) -> Self {
        Self::bad_request("identifier.invalid", error.to_string())
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}

/// Joins an error with its causes, for the log.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
