//! Home, search, records, and the SPARQL door.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use catalog_client::Client;
use catalog_schemas::plan::{Plan, PlanRequest};
use catalog_schemas::problem::Problem;
use catalog_schemas::record::RecordView;
use catalog_schemas::search::{SearchQuery, Sort};

use super::visit::Visit;
use crate::page;
use crate::page::record::{Shown, Tab};
use crate::page::search::Rescue;
use crate::part::facets;

/// Datalabs on the first page.
const NEWEST: usize = 6;

pub(super) async fn home(visit: Visit) -> Response {
    let all = visit.client.search(&SearchQuery { size: 0, ..SearchQuery::default() }).await;
    let newest = SearchQuery {
        facets: vec![("type".to_owned(), "Datalab".to_owned())],
        sort: Sort::Newest,
        size: NEWEST,
        ..SearchQuery::default()
    };
    match (all, visit.client.search(&newest).await) {
        (Ok(all), Ok(newest)) => {
            let zones = visit.datazones().await;
            visit.page(page::home::home(&all, &newest, &zones))
        }
        (Err(error), _) | (_, Err(error)) => visit.failed(error),
    }
}

pub(super) async fn search(visit: Visit) -> Response {
    let query = match SearchQuery::from_pairs(visit.query.iter().map(|(name, value)| (name, value))) {
        Ok(query) => query,
        Err(error) => return visit.problem(Problem::new(400, "search-invalid", "invalid search", error.to_string())),
    };
    let answer = match visit.client.search(&query).await {
        Ok(answer) => answer,
        Err(error) => return visit.failed(error),
    };
    let rescues = if answer.total == 0 { rescues(&visit.client, &query).await } else { Vec::new() };
    let zones = visit.datazones().await;
    visit.page(page::search::search(&query, &answer, &zones, &rescues))
}

/// Searches with one constraint less, each in turn.
async fn rescues(client: &Client, query: &SearchQuery) -> Vec<Rescue> {
    let base = SearchQuery { page: 1, ..query.clone() };
    let mut ways: Vec<(String, SearchQuery)> = Vec::new();
    for (facet, _) in &query.facets {
        let facets: Vec<_> = query.facets.iter().filter(|(name, _)| name != facet).cloned().collect();
        let without = format!("the filter {}", facets::title(facet));
        if ways.iter().all(|(known, _)| *known != without) {
            ways.push((without, SearchQuery { facets, ..base.clone() }));
        }
    }
    if !query.q.is_empty() && !query.facets.is_empty() {
        ways.push((format!("the words “{}”", query.q), SearchQuery { q: String::new(), ..base }));
    }
    let mut rescues = Vec::new();
    for (without, query) in ways {
        if let Ok(answer) = client.search(&SearchQuery { size: 0, ..query.clone() }).await {
            rescues.push(Rescue { without, query, total: answer.total });
        }
    }
    rescues.sort_by_key(|rescue| std::cmp::Reverse(rescue.total));
    rescues
}

pub(super) async fn record(visit: Visit, Path((zone, identifier)): Path<(String, String)>) -> Response {
    show(visit, &zone, &identifier, None).await
}

pub(super) async fn version(
    visit: Visit,
    Path((zone, identifier, version)): Path<(String, String, String)>,
) -> Response {
    show(visit, &zone, &identifier, Some(&version)).await
}

async fn show(visit: Visit, zone: &str, identifier: &str, version: Option<&str>) -> Response {
    let record = match visit.client.record(zone, identifier, version).await {
        Ok(record) => record,
        Err(error) => {
            let problem = visit.problem_of(error);
            if problem.status == 410 {
                return visit.page_with(StatusCode::GONE, page::record::tombstone(zone, identifier, &problem));
            }
            return visit.problem(problem);
        }
    };
    let tab = visit.parameter("tab").and_then(Tab::from_word).unwrap_or_default();
    let plan = plan(&visit.client, &record, version).await;
    let zones = visit.datazones().await;
    let provenance = match tab {
        Tab::Provenance => visit.client.provenance(zone, identifier).await,
        _ => Err(catalog_client::ClientError::Transport("not asked".to_owned())),
    };
    let provenance = provenance.ok();
    let just_saved = visit.parameter("saved").is_some() && visit.viewer.signed_in();
    let just_published = visit.parameter("published").is_some() && visit.viewer.signed_in();
    let (schema_org, links) = documents(&visit.client, &record, version, tab).await;
    let workflow = match record.kind.as_str() {
        "Pipeline" if tab == Tab::Overview => {
            let version = record.version.as_deref().unwrap_or_default();
            visit.client.workflow(&record.identifier, version).await.ok()
        }
        _ => None,
    };
    let shown = Shown {
        record: &record,
        pinned: version.is_some(),
        tab,
        plan: plan.as_ref(),
        provenance: provenance.as_ref(),
        zones: &zones,
        workflow: workflow.as_deref(),
        just_published,
        schema_org: schema_org.as_ref(),
        just_saved,
    };
    let status = if record.state == "withdrawn" { StatusCode::GONE } else { StatusCode::OK };
    let mut response = visit.page_with(status, page::record::record(shown));
    for link in links.as_ref().map(signposts).unwrap_or_default() {
        response.headers_mut().append(header::LINK, link);
    }
    response
}

/// What every datazone says to the least that a record needs; absent when it cannot be launched or nobody answers.
async fn plan(client: &Client, record: &RecordView, version: Option<&str>) -> Option<Plan> {
    let runs = matches!(record.kind.as_str(), "Datalab" | "Pipeline")
        && record.not_launchable.is_none()
        && record.state != "withdrawn";
    if !runs {
        return None;
    }
    let request = PlanRequest {
        datalab: format!("{}/{}", record.zone, record.identifier),
        version: version.map(str::to_owned),
        ..PlanRequest::default()
    };
    match client.plan(&request).await {
        Ok(plan) => Some(plan),
        Err(error) => {
            tracing::debug!(%error, record = record.iri, "no plan for the record page");
            None
        }
    }
}

/// Reads what machines find in the page: schema.org for its head, and the link set for its headers.
///
/// Both are what everybody may read, whoever looks; a page without them is still a page.
async fn documents(
    client: &Client,
    record: &RecordView,
    version: Option<&str>,
    tab: Tab,
) -> (Option<serde_json::Value>, Option<serde_json::Value>) {
    if !matches!(record.state.as_str(), "published" | "deprecated") {
        return (None, None);
    }
    let read = async |suffix| client.document(&record.zone, &record.identifier, version, suffix).await.ok();
    let schema_org = if tab == Tab::Overview { read("schema.jsonld").await } else { None };
    (schema_org, read("linkset.json").await)
}

/// Signposting: the typed links of the link set's first context, which is the page, and the way to the link set.
fn signposts(linkset: &serde_json::Value) -> Vec<HeaderValue> {
    let Some(page) = linkset["linkset"][0].as_object() else { return Vec::new() };
    let mut links = Vec::new();
    for (rel, targets) in page.iter().filter(|(rel, _)| *rel != "anchor") {
        for target in targets.as_array().into_iter().flatten() {
            let Some(href) = target["href"].as_str() else { continue };
            let mut link = format!("<{href}>; rel=\"{rel}\"");
            if let Some(media_type) = target["type"].as_str() {
                link.push_str(&format!("; type=\"{media_type}\""));
            }
            if let Some(profile) = target["profile"][0].as_str() {
                link.push_str(&format!("; profile=\"{profile}\""));
            }
            links.push(link);
        }
    }
    // Where documents about it are here; its identifier may be a DOI, or below the base of another zone.
    let place = page.get("anchor").and_then(|anchor| anchor.as_str()?.rsplit_once("/record/"));
    if let Some((base, path)) = place {
        for (suffix, media_type) in [("json", "application/linkset+json"), ("txt", "application/linkset")] {
            links.push(format!("<{base}/id/{path}.linkset.{suffix}>; rel=\"linkset\"; type=\"{media_type}\""));
        }
    }
    links.into_iter().filter_map(|link| HeaderValue::from_str(&link).ok()).collect()
}

pub(super) async fn sparql(visit: Visit) -> Response {
    let query = visit.parameter("query");
    let answer = match query.filter(|_| visit.parameter("run").is_some()) {
        Some(query) => Some(visit.client.sparql(query).await.map_err(|error| visit.problem_of(error))),
        None => None,
    };
    let status = match &answer {
        Some(Err(problem)) => StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        _ => StatusCode::OK,
    };
    visit.page_with(status, page::sparql::sparql(query, answer.as_ref()))
}
