//! Launching, running datalabs, data volumes and datazones.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use catalog_schemas::launch::{LaunchRequest, LaunchState};
use catalog_schemas::problem::Problem;
use catalog_schemas::record::RecordView;
use catalog_schemas::search::{Hit, SearchQuery};
use catalog_schemas::volume::{MyVolume, Volume};

use super::visit::{Visit, see};
use crate::launchform::LaunchForm;
use crate::link::{segment, with_query};
use crate::page::launch::{Shown, launch as launch_page};
use crate::{field, page, words};

/// Datasets offered for completion in the launch form.
const DATASETS: usize = 100;

pub(super) async fn form(visit: Visit) -> Response {
    if visit.parameter("datalab").is_none() {
        return see("/search?type=Datalab");
    }
    let record = match wanted(&visit, &visit.query).await {
        Ok(record) => record,
        Err(response) => return response,
    };
    let volumes = volume_list(&visit).await;
    let form = LaunchForm::read(&visit.query, &record, &volumes);
    show(&visit, &record, &volumes, &form, None).await
}

pub(super) async fn launch(visit: Visit, body: Bytes) -> Response {
    let pairs = field::pairs(&body);
    let record = match wanted(&visit, &pairs).await {
        Ok(record) => record,
        Err(response) => return response,
    };
    let volumes = volume_list(&visit).await;
    let form = LaunchForm::read(&pairs, &record, &volumes);
    if !visit.viewer.signed_in() {
        let back =
            with_query("/launch", pairs.iter().filter(|(name, _)| name != "key").map(|(name, value)| (name, value)));
        return see(&with_query("/login", [("next", back)]));
    }
    let Ok(request) = form.plan(&record, &volumes) else {
        return show(&visit, &record, &volumes, &form, None).await;
    };
    match visit.client.launch(&LaunchRequest::Plan(Box::new(request)), &key(&pairs)).await {
        Ok(launch) => {
            let path = format!("/launches/{}", segment(launch.id.as_str()));
            see(&if launch.open_when_ready { with_query(&path, [("open", "1")]) } else { path })
        }
        Err(error) => {
            let problem = visit.problem_of(error);
            show(&visit, &record, &volumes, &form, Some(problem)).await
        }
    }
}

async fn show(
    visit: &Visit,
    record: &RecordView,
    volumes: &[Volume],
    form: &LaunchForm,
    refused: Option<Problem>,
) -> Response {
    let (plan, faults) = match form.plan(record, volumes) {
        Ok(request) => (Some(visit.client.plan(&request).await.map_err(|error| visit.problem_of(error))), Vec::new()),
        Err(faults) => (None, faults),
    };
    let status = match &refused {
        Some(problem) => StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        None if faults.is_empty() => StatusCode::OK,
        None => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let plan = match (&refused, &plan) {
        (Some(problem), _) => Err(Some(problem)),
        (None, Some(Ok(plan))) => Ok(plan),
        (None, Some(Err(problem))) => Err(Some(problem)),
        (None, None) => Err(None),
    };
    let zones = visit.datazones().await;
    let datasets = datasets(visit).await;
    let key = uuid::Uuid::new_v4().to_string();
    let shown = Shown { record, form, faults: &faults, plan, zones: &zones, volumes, datasets: &datasets, key: &key };
    visit.page_with(status, launch_page(&visit.viewer, shown))
}

/// Fetches the record that a form names as `zone/identifier`, or by its address.
async fn wanted(visit: &Visit, pairs: &[(String, String)]) -> Result<RecordView, Response> {
    let datalab = field::text(pairs, "datalab").unwrap_or_default();
    let name = datalab.split_once("/id/").map_or(datalab, |(_, name)| name);
    let Some((zone, identifier)) = name.split_once('/') else {
        let detail = "A datalab is named as zone/identifier, such as go-esa/esa.esdc.aladin.";
        return Err(visit.problem(Problem::new(400, "datalab-invalid", "no datalab named", detail)));
    };
    visit.client.record(zone, identifier, field::text(pairs, "version")).await.map_err(|error| visit.failed(error))
}

/// Returns the form's own key, or a new one when it has none that can be a header.
fn key(pairs: &[(String, String)]) -> String {
    let usable = |key: &&str| key.len() <= 100 && key.bytes().all(|byte| byte.is_ascii_graphic());
    field::text(pairs, "key").filter(usable).map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

async fn datasets(visit: &Visit) -> Vec<Hit> {
    let query = SearchQuery {
        facets: vec![("type".to_owned(), "Dataset".to_owned())],
        size: DATASETS,
        ..SearchQuery::default()
    };
    visit.client.search(&query).await.map(|answer| answer.hits).unwrap_or_default()
}

async fn volume_list(visit: &Visit) -> Vec<Volume> {
    match visit.client.volumes().await {
        Ok(volumes) => volumes.volumes,
        Err(error) => {
            tracing::warn!(%error, "the data volumes cannot be listed");
            Vec::new()
        }
    }
}

pub(super) async fn launches(visit: Visit) -> Response {
    match visit.client.launches().await {
        Ok(launches) => {
            let zones = visit.datazones().await;
            visit.page(page::launches::launches(&launches.launches, &zones, visit.parameter("datazone")))
        }
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn running(visit: Visit, Path(id): Path<String>) -> Response {
    let launch = match visit.client.launch_get(&id).await {
        Ok(launch) => launch,
        Err(error) => return visit.failed(error),
    };
    let open = visit.parameter("open").is_some();
    if open
        && matches!(launch.state, LaunchState::Ready | LaunchState::Running)
        && let Some(address) = page::running::open_address(&launch)
    {
        return see(&address);
    }
    let events = visit.client.launch_events(&id).await.unwrap_or_default();
    let log = visit.client.launch_logs(&id).await.unwrap_or_default();
    let zones = visit.datazones().await;
    visit.page(page::running::running(&launch, &events, &log, &zones, open, &words::now()))
}

pub(super) async fn stop(visit: Visit, Path(id): Path<String>) -> Response {
    match visit.client.launch_stop(&id).await {
        Ok(_) => see(&format!("/launches/{}", segment(&id))),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn renew(visit: Visit, Path(id): Path<String>) -> Response {
    match visit.client.launch_renew(&id).await {
        Ok(_) => see(&format!("/launches/{}", segment(&id))),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn again(visit: Visit, Path(id): Path<String>, body: Bytes) -> Response {
    match visit.client.launch(&LaunchRequest::Again { launch: id }, &key(&field::pairs(&body))).await {
        Ok(launch) => see(&format!("/launches/{}", segment(launch.id.as_str()))),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn volumes(visit: Visit) -> Response {
    volumes_page(&visit, None).await
}

/// Shows the volumes; what was refused comes with the volume's key and the path that was written.
async fn volumes_page(visit: &Visit, refused: Option<(&str, &str, &Problem)>) -> Response {
    let volumes = match visit.client.volumes().await {
        Ok(volumes) => volumes.volumes,
        Err(error) => return visit.failed(error),
    };
    let zones = visit.datazones().await;
    let q = visit.parameter("q").unwrap_or_default();
    let said = refused.map(|(.., problem)| words::said(problem)).unwrap_or_default();
    let shown = refused.map(|(volume, path, _)| page::volumes::Refused { volume, path, said: &said });
    let status = refused.and_then(|(.., problem)| StatusCode::from_u16(problem.status).ok()).unwrap_or_default();
    visit.page_with(status, page::volumes::volumes(&visit.viewer, &volumes, &zones, q, shown))
}

pub(super) async fn volume_add(visit: Visit, Path(key): Path<String>, body: Bytes) -> Response {
    let mount_path = field::text(&field::pairs(&body), "mountPath").map(str::to_owned);
    match visit.client.my_volume_add(&key, &MyVolume { mount_path: mount_path.clone() }).await {
        Ok(()) => see(&format!("/volumes#v-{}", segment(&key))),
        Err(error) => {
            let problem = visit.problem_of(error);
            if problem.status == 401 {
                see("/login?next=%2Fvolumes")
            } else {
                volumes_page(&visit, Some((&key, &mount_path.unwrap_or_default(), &problem))).await
            }
        }
    }
}

pub(super) async fn volume_remove(visit: Visit, Path(key): Path<String>) -> Response {
    match visit.client.my_volume_remove(&key).await {
        Ok(()) => see(&format!("/volumes#v-{}", segment(&key))),
        Err(error) => visit.failed(error),
    }
}

pub(super) async fn datazones(visit: Visit) -> Response {
    match visit.client.datazones().await {
        Ok(zones) => visit.page(page::datazones::datazones(&zones.datazones, &words::now())),
        Err(error) => visit.failed(error),
    }
}
