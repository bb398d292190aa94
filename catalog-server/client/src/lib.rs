//! A typed client of Alidade's public API: one method an operation, the types of `catalog-schemas` in and out.
//!
//! It speaks over HTTP to a server, or in process to a router: the portal reads through the second way, so a page
//! can show only what the API gives to the same viewer. It never retries, caches or interprets an answer.

mod people;
mod transport;

use bytes::Bytes;
use catalog_schemas::account::{Audit, Me, NewToken, Token, Tokens};
use catalog_schemas::datazone::Datazones;
use catalog_schemas::governance::{
    Difference, EditForm, NewSigningKey, Notifications, Queue, ReadUpTo, SigningKey, SigningKeys, StateChange,
    StateChanged,
};
use catalog_schemas::harvest::{
    NewRun, Provenance, ReviewDecision, RunView, Runs, SourceSettings, SourceView, Sources,
};
use catalog_schemas::launch::{Launch, LaunchEvent, LaunchRequest, Launches};
use catalog_schemas::package::{Published, Withdrawal};
use catalog_schemas::plan::{Plan, PlanRequest};
use catalog_schemas::problem::{Problem, Report};
use catalog_schemas::record::RecordView;
use catalog_schemas::search::{SearchAnswer, SearchQuery, Suggestions};
use catalog_schemas::volume::{MyVolume, Volumes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use people::DevicePoll;
pub use transport::{InProcess, Transport};

/// Characters that stand for themselves in a path segment (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The header that makes a repeated request act once.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header by which a publisher takes responsibility for warnings.
pub const ACKNOWLEDGE: HeaderName = HeaderName::from_static("alidade-acknowledge");

/// The header that carries a package's signature.
pub const SIGNATURE: HeaderName = HeaderName::from_static("alidade-signature");

/// How a package is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// Codes of warnings to take responsibility for.
    pub acknowledge: Vec<String>,
    /// The signature in base64.
    pub signature: Option<String>,
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused, and says why.
    #[error("{title}{detail}", title = .0.title, detail = .0.detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Problem(Box<Problem>),
    /// No answer came, or none that can be understood.
    #[error("{0}")]
    Transport(String),
}

impl ClientError {
    /// Returns the HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Transport(_) => None,
        }
    }
}

/// What signing in gives to a browser.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The `Set-Cookie` header that carries the session.
    pub set_cookie: HeaderValue,
    /// Who is signed in.
    pub me: Me,
}

/// What a SPARQL query gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SparqlAnswer {
    /// SPARQL 1.1 query results in JSON: rows, or a truth.
    Results(serde_json::Value),
    /// N-Triples, a line a statement.
    Statements(String),
}

/// A client, cheap to clone, acting for one viewer.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    viewer: HeaderMap,
}

impl Client {
    /// Makes a client of the server at a base URL such as `http://127.0.0.1:8080`.
    pub fn http(base: &str) -> Result<Self, ClientError> {
        Ok(Self { transport: Transport::http(base)?, viewer: HeaderMap::new() })
    }

    /// Makes a client that calls a router in this process.
    pub fn in_process(service: InProcess) -> Self {
        Self { transport: Transport::InProcess(service), viewer: HeaderMap::new() }
    }

    /// Returns a client that acts with a token.
    pub fn with_token(mut self, token: &str) -> Result<Self, ClientError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| ClientError::Transport("the token holds characters that no token has".to_owned()))?;
        value.set_sensitive(true);
        self.viewer.insert(header::AUTHORIZATION, value);
        Ok(self)
    }

    /// Returns a client that acts for whoever sent these headers: cookie, credentials and request id are passed on.
    pub fn for_viewer(&self, headers: &HeaderMap) -> Self {
        let mut viewer = HeaderMap::new();
        for name in [
            header::COOKIE,
            header::AUTHORIZATION,
            header::ACCEPT_LANGUAGE,
            header::USER_AGENT,
            HeaderName::from_static("x-request-id"),
        ] {
            for value in headers.get_all(&name) {
                viewer.append(name.clone(), value.clone());
            }
        }
        Self { transport: self.transport.clone(), viewer }
    }

    /// Searches.
    pub async fn search(&self, query: &SearchQuery) -> Result<SearchAnswer, ClientError> {
        self.get(&with_query("/api/v1/search", query.to_pairs())).await
    }

    /// Completes what somebody types.
    pub async fn suggest(&self, text: &str) -> Result<Suggestions, ClientError> {
        self.get(&with_query("/api/v1/suggest", [("q", text)])).await
    }

    /// Reads a record, at its current version or at a given one; a withdrawn one comes with its tombstone's reason.
    pub async fn record(&self, zone: &str, identifier: &str, version: Option<&str>) -> Result<RecordView, ClientError> {
        let path = record_path(zone, identifier);
        let path = match version {
            Some(version) => with_query(&path, [("version", version)]),
            None => path,
        };
        let response = self.transport.send(self.asking(&path, "application/json")?).await?;
        // What was withdrawn is gone, and its last state is still told with the reason (RFC 9110, section 15.5.11).
        if response.status() == StatusCode::GONE
            && let Ok(record) = serde_json::from_slice(response.body())
        {
            return Ok(record);
        }
        decode(response)
    }

    /// Reads a JSON document about a record by its suffix, such as `schema.jsonld` or `linkset.json`: what everybody may read.
    pub async fn document(
        &self,
        zone: &str,
        identifier: &str,
        version: Option<&str>,
        suffix: &str,
    ) -> Result<serde_json::Value, ClientError> {
        let of_version = version.map(|version| format!("/{}", segment(version))).unwrap_or_default();
        self.get(&format!("/id/{}/{}{of_version}.{suffix}", segment(zone), segment(identifier))).await
    }

    /// Asks a SPARQL query: rows and truth come as SPARQL results in JSON, statements as N-Triples.
    pub async fn sparql(&self, query: &str) -> Result<SparqlAnswer, ClientError> {
        let accept = "application/sparql-results+json, application/n-triples";
        let mut request = self.asking("/sparql", accept)?;
        *request.method_mut() = Method::POST;
        *request.body_mut() = Bytes::copy_from_slice(query.as_bytes());
        let query_type = HeaderValue::from_static("application/sparql-query");
        request.headers_mut().insert(header::CONTENT_TYPE, query_type);
        let response = succeed(self.transport.send(request).await?)?;
        let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if media_type.is_some_and(|media_type| media_type.starts_with("application/n-triples")) {
            return Ok(SparqlAnswer::Statements(String::from_utf8_lossy(response.body()).into_owned()));
        }
        decode(response).map(SparqlAnswer::Results)
    }

    /// Reads the drawing of a pipeline's workflow, as SVG.
    pub async fn workflow(&self, identifier: &str, version: &str) -> Result<String, ClientError> {
        let path = format!("/api/v1/packages/{}/{}/workflow.svg", segment(identifier), segment(version));
        let response = succeed(self.transport.send(self.asking(&path, "image/svg+xml")?).await?)?;
        Ok(String::from_utf8_lossy(response.body()).into_owned())
    }

    /// Validates a package or a bare manifest; an invalid one is a report too, not an error.
    pub async fn validate(&self, body: Bytes) -> Result<Report, ClientError> {
        let request = self.request(Method::POST, "/api/v1/validate", body)?;
        decode(self.transport.send(request).await?)
    }

    /// Publishes a package.
    pub async fn publish(&self, identifier: &str, version: &str, body: Bytes) -> Result<Published, ClientError> {
        decode(self.transport.send(self.publishing(identifier, version, body)?).await?)
    }

    /// Publishes a package and says how many bytes have gone out, at least once a chunk.
    pub async fn publish_with_progress(
        &self,
        identifier: &str,
        version: &str,
        body: Bytes,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Published, ClientError> {
        decode(self.transport.send_with_progress(self.publishing(identifier, version, body)?, progress).await?)
    }

    /// Publishes a package with a signature, and taking responsibility for warnings.
    pub async fn publish_with(
        &self,
        identifier: &str,
        version: &str,
        body: Bytes,
        options: &PublishOptions,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Published, ClientError> {
        let mut request = self.publishing(identifier, version, body)?;
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| ClientError::Transport(format!("`{text}` cannot be sent")))
        };
        if !options.acknowledge.is_empty() {
            request.headers_mut().insert(ACKNOWLEDGE, value(&options.acknowledge.join(","))?);
        }
        if let Some(signature) = &options.signature {
            request.headers_mut().insert(SIGNATURE, value(signature)?);
        }
        decode(self.transport.send_with_progress(request, progress).await?)
    }

    fn publishing(&self, identifier: &str, version: &str, body: Bytes) -> Result<Request<Bytes>, ClientError> {
        self.request(Method::PUT, &package_path(identifier, version), body)
    }

    /// Takes a step in the life of a version.
    pub async fn change_state(
        &self,
        identifier: &str,
        version: &str,
        change: &StateChange,
    ) -> Result<StateChanged, ClientError> {
        let path = format!("{}/state", package_path(identifier, version));
        decode(self.send_json(Method::POST, &path, change, None).await?)
    }

    /// Sets fields of a record by a JSON merge patch; with `seq`, only when it is still that state of it. `acknowledged`
    /// names the codes of warnings to take responsibility for.
    pub async fn patch(
        &self,
        zone: &str,
        identifier: &str,
        patch: &serde_json::Value,
        seq: Option<u64>,
        acknowledged: Option<&str>,
    ) -> Result<RecordView, ClientError> {
        let body = serde_json::to_vec(patch).map_err(|error| ClientError::Transport(error.to_string()))?;
        let mut request = self.request(Method::PATCH, &record_path(zone, identifier), body.into())?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/merge-patch+json"));
        if let Some(seq) = seq.and_then(|seq| HeaderValue::from_str(&format!("\"{seq}\"")).ok()) {
            headers.insert(header::IF_MATCH, seq);
        }
        if let Some(codes) = acknowledged.and_then(|codes| HeaderValue::from_str(codes).ok()) {
            headers.insert("alidade-acknowledge", codes);
        }
        decode(self.transport.send(request).await?)
    }

    /// Compares two versions of a record; with what everybody sees unless another is named.
    pub async fn difference(
        &self,
        zone: &str,
        identifier: &str,
        version: Option<&str>,
        against: Option<&str>,
    ) -> Result<Difference, ClientError> {
        let pairs = [("version", version), ("against", against)];
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
        self.get(&with_query(&format!("{}/difference", record_path(zone, identifier)), pairs)).await
    }

    /// Reads the form by which a record is edited.
    pub async fn edit_form(&self, zone: &str, identifier: &str) -> Result<EditForm, ClientError> {
        self.get(&format!("{}/form", record_path(zone, identifier))).await
    }

    /// Lists what waits for a moderator, and the viewer's own drafts.
    pub async fn queue(&self) -> Result<Queue, ClientError> {
        self.get("/api/v1/queue").await
    }

    /// Lists what the viewer should know.
    pub async fn notifications(&self) -> Result<Notifications, ClientError> {
        self.get("/api/v1/notifications").await
    }

    /// Marks notifications as read up to a number.
    pub async fn notifications_read(&self, number: u64) -> Result<(), ClientError> {
        self.send_json(Method::POST, "/api/v1/notifications/read", &ReadUpTo { number }, None).await.map(drop)
    }

    /// Lists the keys of a namespace, or of all of the viewer's.
    pub async fn keys(&self, namespace: Option<&str>) -> Result<SigningKeys, ClientError> {
        self.get(&with_query("/api/v1/keys", namespace.map(|namespace| ("namespace", namespace)))).await
    }

    /// Registers a key for a namespace.
    pub async fn key_register(&self, key: &NewSigningKey) -> Result<SigningKey, ClientError> {
        decode(self.send_json(Method::POST, "/api/v1/keys", key, None).await?)
    }

    /// Revokes a key.
    pub async fn key_revoke(&self, id: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &format!("/api/v1/keys/{}", segment(id)), Bytes::new())?;
        succeed(self.transport.send(request).await?).map(drop)
    }

    /// Downloads a package.
    pub async fn package(&self, identifier: &str, version: &str) -> Result<Bytes, ClientError> {
        let request = self.request(Method::GET, &package_path(identifier, version), Bytes::new())?;
        succeed(self.transport.send(request).await?).map(http::Response::into_body)
    }

    /// Withdraws a version.
    pub async fn withdraw(&self, identifier: &str, version: &str, reason: &str) -> Result<(), ClientError> {
        let withdrawal = Withdrawal { reason: reason.to_owned() };
        self.send_json(Method::DELETE, &package_path(identifier, version), &withdrawal, None).await.map(drop)
    }

    /// Lists the datazones.
    pub async fn datazones(&self) -> Result<Datazones, ClientError> {
        self.get("/api/v1/datazones").await
    }

    /// Plans a launch.
    pub async fn plan(&self, request: &PlanRequest) -> Result<Plan, ClientError> {
        decode(self.send_json(Method::POST, "/api/v1/plans", request, None).await?)
    }

    /// Starts a launch; the same key starts it once.
    pub async fn launch(&self, request: &LaunchRequest, idempotency_key: &str) -> Result<Launch, ClientError> {
        decode(self.send_json(Method::POST, "/api/v1/launches", request, Some(idempotency_key)).await?)
    }

    /// Lists the viewer's launches.
    pub async fn launches(&self) -> Result<Launches, ClientError> {
        self.get("/api/v1/launches").await
    }

    /// Reads one launch.
    pub async fn launch_get(&self, id: &str) -> Result<Launch, ClientError> {
        self.get(&format!("/api/v1/launches/{}", segment(id))).await
    }

    /// Reads what happened to a launch.
    pub async fn launch_events(&self, id: &str) -> Result<Vec<LaunchEvent>, ClientError> {
        self.get(&format!("/api/v1/launches/{}/events", segment(id))).await
    }

    /// Reads the last lines of a launch's log.
    pub async fn launch_logs(&self, id: &str) -> Result<Vec<String>, ClientError> {
        self.get(&format!("/api/v1/launches/{}/logs", segment(id))).await
    }

    /// Stops a launch; stopping twice is the same as once.
    pub async fn launch_stop(&self, id: &str) -> Result<Launch, ClientError> {
        let request = self.request(Method::DELETE, &format!("/api/v1/launches/{}", segment(id)), Bytes::new())?;
        decode(self.transport.send(request).await?)
    }

    /// Lets a launch live on for another lifetime.
    pub async fn launch_renew(&self, id: &str) -> Result<Launch, ClientError> {
        let path = format!("/api/v1/launches/{}/renew", segment(id));
        let request = self.request(Method::POST, &path, Bytes::new())?;
        decode(self.transport.send(request).await?)
    }

    /// Lists the data volumes.
    pub async fn volumes(&self) -> Result<Volumes, ClientError> {
        self.get("/api/v1/volumes").await
    }

    /// Adds a volume to the viewer's own.
    pub async fn my_volume_add(&self, key: &str, volume: &MyVolume) -> Result<(), ClientError> {
        self.send_json(Method::PUT, &format!("/api/v1/me/volumes/{}", segment(key)), volume, None).await.map(drop)
    }

    /// Removes a volume from the viewer's own.
    pub async fn my_volume_remove(&self, key: &str) -> Result<(), ClientError> {
        let path = format!("/api/v1/me/volumes/{}", segment(key));
        succeed(self.transport.send(self.request(Method::DELETE, &path, Bytes::new())?).await?).map(drop)
    }

    /// Says who the viewer is.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.get("/api/v1/me").await
    }

    /// Exchanges a token for a session.
    pub async fn sign_in(&self, token: &str) -> Result<SignedIn, ClientError> {
        self.begin(Method::POST, "/api/v1/sessions", &serde_json::json!({ "token": token })).await
    }

    /// Ends the viewer's session; the answer's `Set-Cookie` clears the cookie.
    pub async fn sign_out(&self) -> Result<Option<HeaderValue>, ClientError> {
        let request = self.request(Method::DELETE, "/api/v1/sessions", Bytes::new())?;
        let response = succeed(self.transport.send(request).await?)?;
        Ok(response.headers().get(header::SET_COOKIE).cloned())
    }

    /// Lists the viewer's tokens.
    pub async fn tokens(&self) -> Result<Tokens, ClientError> {
        self.get("/api/v1/tokens").await
    }

    /// Makes a token; its secret is in this answer only.
    pub async fn token_create(&self, token: &NewToken) -> Result<Token, ClientError> {
        decode(self.send_json(Method::POST, "/api/v1/tokens", token, None).await?)
    }

    /// Revokes a token.
    pub async fn token_revoke(&self, id: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &format!("/api/v1/tokens/{}", segment(id)), Bytes::new())?;
        succeed(self.transport.send(request).await?).map(drop)
    }

    /// Lists the harvest sources; moderators only, like everything about sources.
    pub async fn sources(&self) -> Result<Sources, ClientError> {
        self.get("/api/v1/sources").await
    }

    /// Describes a source; administrators only.
    pub async fn source_define(&self, settings: &SourceSettings) -> Result<SourceView, ClientError> {
        decode(self.send_json(Method::POST, "/api/v1/sources", settings, None).await?)
    }

    /// Says how a source is.
    pub async fn source(&self, id: &str) -> Result<SourceView, ClientError> {
        self.get(&format!("/api/v1/sources/{}", segment(id))).await
    }

    /// Lists a source's runs, newest first.
    pub async fn runs(&self, id: &str) -> Result<Runs, ClientError> {
        self.get(&format!("/api/v1/sources/{}/runs", segment(id))).await
    }

    /// Reads the report of a run.
    pub async fn run(&self, id: &str, number: u64) -> Result<RunView, ClientError> {
        self.get(&format!("/api/v1/sources/{}/runs/{number}", segment(id))).await
    }

    /// Asks for a run.
    pub async fn run_start(&self, id: &str, dry_run: bool) -> Result<RunView, ClientError> {
        let path = format!("/api/v1/sources/{}/runs", segment(id));
        decode(self.send_json(Method::POST, &path, &NewRun { dry_run }, None).await?)
    }

    /// Approves a held run.
    pub async fn run_approve(&self, id: &str, number: u64) -> Result<RunView, ClientError> {
        let path = format!("/api/v1/sources/{}/runs/{number}/approve", segment(id));
        decode(self.send_json(Method::POST, &path, &serde_json::json!({}), None).await?)
    }

    /// Decides an identity.
    pub async fn review_decide(&self, number: u64, decision: &ReviewDecision) -> Result<(), ClientError> {
        let path = format!("/api/v1/reviews/{number}/decide");
        self.send_json(Method::POST, &path, decision, None).await.map(drop)
    }

    /// Takes back what was decided of an identity.
    pub async fn review_reopen(&self, number: u64) -> Result<(), ClientError> {
        let path = format!("/api/v1/reviews/{number}/reopen");
        self.send_json(Method::POST, &path, &serde_json::json!({}), None).await.map(drop)
    }

    /// Says where the values of a record come from.
    pub async fn provenance(&self, zone: &str, identifier: &str) -> Result<Provenance, ClientError> {
        self.get(&format!("/api/v1/records/{}/{}/provenance", segment(zone), segment(identifier))).await
    }

    /// Reads the newest entries of the audit trail; moderators and administrators only.
    pub async fn audit(&self) -> Result<Audit, ClientError> {
        self.get("/api/v1/audit").await
    }

    /// Reads the entries of the audit trail that filters let through, such as `account` or `action`.
    pub async fn audit_where(&self, filters: &[(String, String)]) -> Result<Audit, ClientError> {
        self.get(&with_query("/api/v1/audit", filters.iter().map(|(name, value)| (name, value)))).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        decode(self.transport.send(self.asking(path, "application/json")?).await?)
    }

    fn asking(&self, path: &str, accept: &'static str) -> Result<Request<Bytes>, ClientError> {
        let mut request = self.request(Method::GET, path, Bytes::new())?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));
        Ok(request)
    }

    async fn send_json<B: Serialize + Sync>(
        &self,
        method: Method,
        path: &str,
        body: &B,
        idempotency_key: Option<&str>,
    ) -> Result<http::Response<Bytes>, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Transport(error.to_string()))?;
        let mut request = self.request(method, path, body.into())?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = idempotency_key {
            let value = HeaderValue::from_str(key)
                .map_err(|_| ClientError::Transport(format!("`{key}` cannot be an idempotency key")))?;
            request.headers_mut().insert(IDEMPOTENCY_KEY, value);
        }
        succeed(self.transport.send(request).await?)
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Bytes>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(body)
            .map_err(|error| ClientError::Transport(format!("`{path}` is not a path: {error}")))?;
        *request.headers_mut() = self.viewer.clone();
        Ok(request)
    }
}

fn record_path(zone: &str, identifier: &str) -> String {
    format!("/api/v1/records/{}/{}", segment(zone), segment(identifier))
}

fn package_path(identifier: &str, version: &str) -> String {
    format!("/api/v1/packages/{}/{}", segment(identifier), segment(version))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn with_query<K: AsRef<str>, V: AsRef<str>>(path: &str, pairs: impl IntoIterator<Item = (K, V)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Turns an error status into the problem it carries.
fn succeed(response: http::Response<Bytes>) -> Result<http::Response<Bytes>, ClientError> {
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    let problem = serde_json::from_slice(response.body()).unwrap_or_else(|_| {
        let text: String = String::from_utf8_lossy(response.body()).chars().take(200).collect();
        Problem::new(status.as_u16(), "unknown", status.canonical_reason().unwrap_or("error"), text)
    });
    Err(ClientError::Problem(Box::new(problem)))
}

fn decode<T: DeserializeOwned>(response: http::Response<Bytes>) -> Result<T, ClientError> {
    let response = succeed(response)?;
    serde_json::from_slice(response.body())
        .map_err(|error| ClientError::Transport(format!("the answer is not what was expected: {error}")))
}
