//! Editing records, their states, the moderators' queue, notifications and keys.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use catalog_schemas::governance::{EditForm, Input, NewSigningKey, StateChange};

use super::visit::{Visit, see};
use crate::link::{record_path, with_query};
use crate::page::edit::Attempt;
use crate::{field, page, words};

pub(super) async fn queue(visit: Visit) -> Response {
    match visit.client.queue().await {
        Ok(queue) => visit.page(page::queue::queue(&visit.viewer, &queue)),
        Err(error) => visit.failed(error),
    }
}

type Version = (String, String, String);

pub(super) async fn review(visit: Visit, Path(of): Path<Version>) -> Response {
    show_review(&visit, &of, None).await
}

async fn show_review(
    visit: &Visit,
    (zone, identifier, version): &Version,
    refused: Option<catalog_schemas::problem::Problem>,
) -> Response {
    if !visit.viewer.signed_in() {
        return visit.sign_in();
    }
    let record = match visit.client.record(zone, identifier, Some(version)).await {
        Ok(record) => record,
        Err(error) => return visit.failed(error),
    };
    if record.state == "withdrawn" {
        return see(&record_path(zone, identifier, Some(version)));
    }
    let difference = match visit.client.difference(zone, identifier, Some(version), None).await {
        Ok(difference) => difference,
        Err(error) => return visit.failed(error),
    };
    let status = refused.as_ref().and_then(|problem| StatusCode::from_u16(problem.status).ok()).unwrap_or_default();
    visit.page_with(status, page::review::review(&record, &difference, refused.as_ref()))
}

pub(super) async fn step(visit: Visit, Path(of): Path<Version>, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let given = |name: &str| field::text(&pairs, name).map(str::to_owned);
    let change = StateChange {
        state: given("state").unwrap_or_default(),
        reason: given("reason"),
        replaced_by: given("replacedBy"),
    };
    let (zone, identifier, version) = &of;
    match visit.client.change_state(identifier, version, &change).await {
        Ok(_) if change.state == "draft" || change.state == "submitted" => see("/queue"),
        Ok(_) => see(&record_path(zone, identifier, Some(version))),
        Err(error) => {
            let problem = visit.problem_of(error);
            if problem.status == 401 { visit.sign_in() } else { show_review(&visit, &of, Some(problem)).await }
        }
    }
}

pub(super) async fn edit(visit: Visit, Path((zone, identifier)): Path<(String, String)>) -> Response {
    match visit.client.edit_form(&zone, &identifier).await {
        Ok(form) => visit.page(page::edit::edit(&zone, &identifier, &form, &Attempt::default())),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn save(visit: Visit, Path((zone, identifier)): Path<(String, String)>, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let form = match visit.client.edit_form(&zone, &identifier).await {
        Ok(form) => form,
        Err(error) => return visit.failed(error),
    };
    let seen = field::text(&pairs, "seq").and_then(|seq| seq.parse().ok());
    let mut attempt = Attempt { texts: texts(&form, &pairs), ..Attempt::default() };
    let refused = |attempt: &Attempt, status: StatusCode| {
        visit.page_with(status, page::edit::edit(&zone, &identifier, &form, attempt))
    };
    // What others changed since must not be undone by what this form still shows.
    if seen.is_some_and(|seen: u64| seen != form.seq) {
        attempt.said =
            Some("Somebody changed this record while you wrote. Look at what is there now, and save again.".to_owned());
        return refused(&attempt, StatusCode::CONFLICT);
    }
    let text_of = |field: &catalog_schemas::governance::EditField| {
        let name = field.name();
        attempt.texts.iter().find(|(written, _)| *written == name).map(|(_, text)| text.clone())
    };
    let patch = match form.patch(text_of) {
        Ok(patch) => patch,
        Err(faults) => {
            attempt.faults = faults;
            return refused(&attempt, StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let back = record_path(&zone, &identifier, None);
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        return see(&back);
    }
    let taken = field::text(&pairs, "acknowledge");
    match visit.client.patch(&zone, &identifier, &patch, Some(form.seq), taken).await {
        Ok(_) => see(&with_query(&back, [("saved", "1")])),
        Err(error) => {
            let problem = visit.problem_of(error);
            if problem.status == 401 {
                return visit.sign_in();
            }
            attempt.said = Some(words::said(&problem));
            if problem.code() == "acknowledge_required" {
                attempt.said = Some("Nothing was changed yet: look at what is warned of.".to_owned());
                attempt.open = problem.findings.iter().map(|finding| finding.code.clone()).collect();
                attempt.open.dedup();
            }
            attempt.findings = problem.findings;
            refused(&attempt, StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// Returns what was written into each field. A list of which nothing is chosen is not sent by a browser; a form that sent
/// anything sent all of its fields, so such a list is empty.
fn texts(form: &EditForm, pairs: &[(String, String)]) -> Vec<(String, String)> {
    let of = |field: &catalog_schemas::governance::EditField| {
        let name = field.name();
        let written: Vec<&str> =
            pairs.iter().filter(|(key, _)| *key == name).map(|(_, value)| value.as_str()).collect();
        match field.input {
            Input::Choices => Some((name, written.join("\n"))),
            _ => written.last().map(|text| (name, (*text).to_owned())),
        }
    };
    form.fields.iter().filter_map(of).collect()
}

pub(super) async fn notifications(visit: Visit) -> Response {
    match visit.client.notifications().await {
        Ok(given) => visit.page(page::notifications::notifications(&given)),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn notifications_read(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let number = field::text(&pairs, "number").and_then(|number| number.parse().ok()).unwrap_or_default();
    match visit.client.notifications_read(number).await {
        Ok(()) => see("/notifications"),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn keys(visit: Visit) -> Response {
    show_keys(&visit, None).await
}

async fn show_keys(visit: &Visit, refused: Option<(StatusCode, String)>) -> Response {
    match visit.client.keys(None).await {
        Ok(keys) => {
            let status = refused.as_ref().map_or(StatusCode::OK, |(status, _)| *status);
            let said = refused.as_ref().map(|(_, said)| said.as_str());
            visit.page_with(status, page::keys::keys(&visit.viewer, &keys.keys, said))
        }
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn key_register(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let given = |name: &str| field::text(&pairs, name).unwrap_or_default().to_owned();
    let key = NewSigningKey { namespace: given("namespace"), name: given("name"), public_key: given("publicKey") };
    match visit.client.key_register(&key).await {
        Ok(_) => see("/account/keys"),
        Err(error) => {
            let problem = visit.problem_of(error);
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            show_keys(&visit, Some((status, words::said(&problem)))).await
        }
    }
}

pub(super) async fn key_revoke(visit: Visit, Path(id): Path<String>) -> Response {
    match visit.client.key_revoke(&id).await {
        Ok(()) => see("/account/keys"),
        Err(error) => visit.failed(error),
    }
}
