//! The audit trail: pages with filters for moderators, and the whole of it as JSON Lines.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use catalog_records::{AuditFilter, Ledger};
use catalog_schemas::account::Audit;
use catalog_schemas::problem::Problem;
use http::header;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::problem::Failure;
use crate::http::viewer::{Permission, Viewer};

/// Entries of an export that are read at a time.
const PIECE: u32 = 1000;

/// What of the audit trail is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only entries before this number.
    before: Option<u64>,
    /// How many, 1 to 500.
    limit: Option<u32>,
    /// Only what this account did, or what was done for it.
    account: Option<String>,
    /// Only this action, or a group of them such as `package.`.
    action: Option<String>,
    /// Only subjects that hold this text.
    subject: Option<String>,
    /// Only what this request did.
    request: Option<String>,
    /// Only from this day on, `YYYY-MM-DD` in UTC.
    since: Option<String>,
    /// Only up to this day, itself included.
    until: Option<String>,
}

impl AuditQuery {
    fn filter(self) -> Result<AuditFilter, Failure> {
        let day = |text: Option<String>, plus: i64| {
            let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
            let start = text.parse::<Date>().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
            let start = start.map(|start| start.timestamp().as_millisecond() + plus);
            start.map(Some).ok_or_else(|| {
                Failure::bad_request("query.parameter", format!("`{text}` is not a day such as 2026-01-31"))
            })
        };
        let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(AuditFilter {
            before: self.before,
            after: None,
            account: given(self.account),
            action: given(self.action),
            subject: given(self.subject),
            request: given(self.request),
            since: day(self.since, 0)?,
            until: day(self.until, 86_400_000)?,
            ascending: false,
        })
    }
}

/// Reads the audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "account", params(AuditQuery),
    responses((status = 200, description = "Entries", body = Audit), (status = 403, description = "For moderators", body = Problem)))]
pub async fn audit(
    Shared(app): Shared<Arc<App>>,
    viewer: Viewer,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Audit>, Failure> {
    viewer.may(Permission::Moderate)?;
    let limit = query.limit.unwrap_or(100).clamp(1, 500);
    let entries = app.ledger.audit_where(&query.filter()?, limit).await?;
    Ok(Json(Audit { entries }))
}

/// Exports the audit trail as JSON Lines, oldest first, up to now: what an archive or another system keeps.
#[utoipa::path(get, path = "/api/v1/audit.jsonl", tag = "account",
    responses((status = 200, description = "One entry a line", body = String, content_type = "application/x-ndjson"), (status = 403, description = "For moderators", body = Problem)))]
pub async fn export(Shared(app): Shared<Arc<App>>, viewer: Viewer) -> Result<Response, Failure> {
    viewer.may(Permission::Moderate)?;
    let day = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let file = format!("attachment; filename=\"alidade-audit-{day}.jsonl\"");
    let lines = futures::stream::unfold(Some((app.ledger.clone(), 0)), |at| async move {
        let (ledger, after) = at?;
        match piece(&ledger, after).await {
            Ok(Some((text, last))) => Some((Ok(text), Some((ledger, last)))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_DISPOSITION, file),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

async fn piece(ledger: &Ledger, after: u64) -> Result<Option<(Bytes, u64)>, catalog_records::Error> {
    let filter = AuditFilter { after: Some(after), ascending: true, ..AuditFilter::default() };
    let entries = ledger.audit_where(&filter, PIECE).await?;
    let Some(last) = entries.last().map(|entry| entry.number) else { return Ok(None) };
    let mut text = String::new();
    for entry in &entries {
        text.push_str(&serde_json::to_string(entry).unwrap_or_default());
        text.push('\n');
    }
    Ok(Some((Bytes::from(text), last)))
}
