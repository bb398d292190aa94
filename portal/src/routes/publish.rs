//! The publish form.

use axum::extract::Multipart;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::http::StatusCode;
use axum::response::Response;
use catalog_client::PublishOptions;
use catalog_schemas::problem::Problem;

use super::visit::{Visit, see};
use crate::link::{record_path, with_query};
use crate::page::publish::{Outcome, publish};
use crate::page::queue::review_path;

/// What the form sent.
#[derive(Default)]
struct Upload {
    file: String,
    content: axum::body::Bytes,
    only_validate: bool,
    acknowledge: Vec<String>,
}

pub(super) async fn form(visit: Visit) -> Response {
    visit.page(publish(&visit.viewer, Outcome::None))
}

pub(super) async fn send(visit: Visit, body: Result<Multipart, MultipartRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => return visit.problem(Problem::new(400, "form-invalid", "invalid form", error.body_text())),
    };
    let upload = match read(body).await {
        Ok(upload) => upload,
        Err(error) => {
            return visit.problem(Problem::new(
                error.status().as_u16(),
                "upload-invalid",
                "invalid upload",
                error.body_text(),
            ));
        }
    };
    if upload.content.is_empty() {
        return visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, publish(&visit.viewer, Outcome::NoFile));
    }
    let report = match visit.client.validate(upload.content.clone()).await {
        Ok(report) => report,
        Err(error) => return refused(&visit, visit.problem_of(error)),
    };
    let status = if report.valid { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (true, false, Some(identifier), Some(version)) =
        (report.valid, upload.only_validate, &report.identifier, &report.version)
    else {
        return visit.page_with(status, publish(&visit.viewer, Outcome::Report(&upload.file, &report)));
    };
    let options = PublishOptions { acknowledge: upload.acknowledge, signature: None };
    match visit.client.publish_with(identifier, version, upload.content, &options, |_| ()).await {
        Ok(published) => {
            let record = record_path(&published.zone, &published.identifier, Some(&published.version));
            if published.state == "draft" {
                return see(&review_path(&published.zone, &published.identifier, &published.version));
            }
            see(&with_query(&record, [("published", "1")]))
        }
        Err(error) => refused(&visit, visit.problem_of(error)),
    }
}

fn refused(visit: &Visit, problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    visit.page_with(status, publish(&visit.viewer, Outcome::Refused(&problem)))
}

async fn read(mut body: Multipart) -> Result<Upload, MultipartError> {
    let mut upload = Upload::default();
    while let Some(field) = body.next_field().await? {
        match field.name() {
            Some("package") => {
                upload.file = field.file_name().unwrap_or("the file").chars().take(100).collect();
                upload.content = field.bytes().await?;
            }
            Some("acknowledge") => {
                upload.acknowledge = field.text().await?.split(',').take(20).map(str::to_owned).collect();
            }
            Some("action") => upload.only_validate = field.text().await? == "validate",
            _ => {}
        }
    }
    Ok(upload)
}
