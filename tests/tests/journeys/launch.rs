//! A scientist launches, on the demonstration zones of the built-in configuration.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use catalog_client::{Client, ClientError};
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{Launch, LaunchRequest, LaunchState};
use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, PlanAnswer, PlanRequest, Resources};
use catalog_tests::Sandbox;
use catalog_tests::sandbox::read;

const LAUNCHES: &[Scope] = &[Scope::Read, Scope::Launch];

fn of(datalab: &str) -> PlanRequest {
    PlanRequest { datalab: datalab.to_owned(), ..PlanRequest::default() }
}

fn launch_of(datalab: &str) -> LaunchRequest {
    LaunchRequest::Plan(Box::new(of(datalab)))
}

async fn wait_for(client: &Client, id: &str, wanted: impl Fn(LaunchState) -> bool) -> Launch {
    let started = Instant::now();
    loop {
        let launch = client.launch_get(id).await.unwrap();
        if wanted(launch.state) {
            return launch;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{launch:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_ready(state: LaunchState) -> bool {
    matches!(state, LaunchState::Ready | LaunchState::Running)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_yes_or_why_not_for_every_zone() {
    let sandbox = Sandbox::with_sample().await;
    let client = sandbox.anonymous();
    let zones: BTreeSet<String> = client.datazones().await.unwrap().datazones.into_iter().map(|zone| zone.id).collect();
    assert!(zones.contains("go-esa") && zones.contains("sci-cloud"), "{zones:?}");

    let plan = client.plan(&of("go-esa/esa.esdc.aladin")).await.unwrap();
    assert_eq!(plan.answer, PlanAnswer::Yes);
    let offers = plan.offers.iter().map(|offer| offer.datazone.clone());
    let answered: BTreeSet<String> = offers.chain(plan.refusals.iter().map(|no| no.datazone.clone())).collect();
    assert_eq!(answered, zones);
    assert!(plan.offers.iter().all(|offer| !offer.explanation.is_empty()), "{plan:#?}");

    // A GPU is only at SCI-CLOUD; GO.ESA says so.
    let gpu = GpuRequest { count: 1, ..GpuRequest::default() };
    let resources = Resources { gpu: Some(gpu), ..Resources::default() };
    let plan = client.plan(&PlanRequest { resources, ..of("go-esa/esa.datalabs.jupyterlab-cuda") }).await.unwrap();
    let offered: Vec<&str> = plan.offers.iter().map(|offer| offer.datazone.as_str()).collect();
    assert_eq!(offered, ["sci-cloud"], "{plan:#?}");
    let refusal = plan.refusals.iter().find(|no| no.datazone == "go-esa").unwrap();
    assert!(refusal.reasons.iter().any(|reason| reason.message.contains("GPU")), "{refusal:#?}");

    // More than anybody has is refused by all, each with its reason; less than the manifest asks is a fault.
    let much = Resources { cpu: Some(CpuRange { min: MilliCpu::cores(1000), max: None }), ..Resources::default() };
    let plan = client.plan(&PlanRequest { resources: much, ..of("go-esa/esa.esdc.aladin") }).await.unwrap();
    assert_eq!((plan.answer, plan.offers.len()), (PlanAnswer::No, 0));
    assert_eq!(plan.refusals.len(), zones.len());
    assert!(plan.refusals.iter().all(|no| !no.reasons.is_empty()), "{plan:#?}");
    let little = Resources { cpu: Some(CpuRange { min: MilliCpu(100), max: None }), ..Resources::default() };
    let refused = client.plan(&PlanRequest { resources: little, ..of("go-esa/esa.esdc.aladin") }).await.unwrap_err();
    assert_eq!(refused.status(), Some(422), "{refused}");
    assert_eq!(client.plan(&of("go-esa/esa.esdc.nothing")).await.unwrap_err().status(), Some(404));
    assert_eq!(
        client.plan(&of("go-esa/esa.gaia.dr3")).await.unwrap_err().status(),
        Some(422),
        "a dataset does not run"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_becomes_a_page_of_its_owner_and_ends_when_stopped() {
    let sandbox = Sandbox::with_sample().await;
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;
    let bob = sandbox.account("bob", Role::User, LAUNCHES).await;
    let refused = sandbox.anonymous().launch(&launch_of("go-esa/esa.esdc.aladin"), "key-0").await.unwrap_err();
    assert_eq!(refused.status(), Some(401));
    let reader = sandbox.account("rita", Role::User, &[Scope::Read]).await;
    assert_eq!(
        reader.client.launch(&launch_of("go-esa/esa.esdc.aladin"), "key-0").await.unwrap_err().status(),
        Some(403)
    );

    // The same key starts one launch; another request under it is refused.
    let first = alice.client.launch(&launch_of("go-esa/esa.esdc.aladin"), "key-1").await.unwrap();
    let again = alice.client.launch(&launch_of("go-esa/esa.esdc.aladin"), "key-1").await.unwrap();
    assert_eq!(first.id, again.id);
    assert_eq!(alice.client.launches().await.unwrap().launches.len(), 1);
    let misused = alice.client.launch(&launch_of("go-esa/esa.datalabs.jupyterlab"), "key-1").await.unwrap_err();
    assert_eq!(misused.status(), Some(422), "{misused}");

    let ready = wait_for(&alice.client, &first.id, is_ready).await;
    assert!(ready.demo, "the built-in zones demonstrate");
    assert_eq!((ready.owner.as_str(), ready.version.as_str()), ("alice", "0.3.1"));
    assert!(ready.granted.is_some(), "{ready:#?}");
    let address = ready.access_url.clone().unwrap();
    let path = address.strip_prefix(sandbox.base()).unwrap_or(&address).to_owned();

    // Its page is its owner's alone; to others it is not there.
    let (status, page) = read(sandbox.request("GET", &path).bearer_auth(&alice.token)).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("DEMO"), "{page}");
    assert_eq!(read(sandbox.request("GET", &path).bearer_auth(&bob.token)).await.0, 404);
    assert_eq!(bob.client.launch_get(&first.id).await.unwrap_err().status(), Some(404));
    assert_eq!(bob.client.launch_stop(&first.id).await.unwrap_err().status(), Some(404));
    assert!(bob.client.launches().await.unwrap().launches.is_empty());
    let anonymous = sandbox.request("GET", &path).send().await.unwrap();
    assert!(matches!(anonymous.status().as_u16(), 401 | 303), "{}", anonymous.status());
    assert!(!anonymous.text().await.unwrap().contains("DEMO"));

    // What it did is told: its states in their order, its log.
    let events = alice.client.launch_events(&first.id).await.unwrap();
    assert!(events.windows(2).all(|pair| pair[0].number < pair[1].number), "{events:#?}");
    assert!(events.iter().any(|event| is_ready(event.state)), "{events:#?}");
    assert!(!alice.client.launch_logs(&first.id).await.unwrap().is_empty());

    // Two at once is the quota; the third is refused, and starts when one has ended.
    let second = alice.client.launch(&launch_of("go-esa/esa.datalabs.jupyterlab"), "key-2").await.unwrap();
    let third = alice.client.launch(&launch_of("go-esa/esa.esdc.fv"), "key-3").await.unwrap_err();
    let ClientError::Problem(problem) = third else { panic!("{third}") };
    assert_eq!((problem.status, problem.code()), (409, "quota.sessions"), "{problem:?}");

    alice.client.launch_stop(&first.id).await.unwrap();
    alice.client.launch_stop(&first.id).await.unwrap();
    let over = wait_for(&alice.client, &first.id, LaunchState::is_final).await;
    assert!(over.failure.is_none(), "{over:#?}");
    let stopped_again = alice.client.launch_stop(&first.id).await.unwrap();
    assert_eq!(stopped_again.state, over.state);
    let (status, _) = read(sandbox.request("GET", &path).bearer_auth(&alice.token)).await;
    assert_eq!(status, 409, "a lab that is over cannot be opened");
    assert!(!alice.client.launch_logs(&first.id).await.unwrap().is_empty(), "the log is kept");
    alice.client.launch(&launch_of("go-esa/esa.esdc.fv"), "key-3").await.unwrap();
    wait_for(&alice.client, &second.id, is_ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_outlives_the_server() {
    let mut sandbox = Sandbox::with_sample().await;
    let admin = sandbox.admin();
    let launch = admin.launch(&launch_of("go-esa/esa.datalabs.jupyterlab"), "key").await.unwrap();
    wait_for(&admin, &launch.id, is_ready).await;
    sandbox.kill9();
    sandbox.run().await;
    let after = wait_for(&admin, &launch.id, |state| is_ready(state) || state.is_final()).await;
    // A demonstration lives in the server's memory, so it may have ended with it; then the launch says so.
    assert!(is_ready(after.state) || after.failure.is_some() || after.state.is_final(), "{after:#?}");
    let again = admin.launch(&launch_of("go-esa/esa.datalabs.jupyterlab"), "key").await.unwrap();
    assert_eq!(again.id, launch.id, "the key is remembered");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_taken_once_and_by_whom_it_was_made_to() {
    let sandbox = Sandbox::with_sample().await;
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;
    let bob = sandbox.account("bob", Role::User, LAUNCHES).await;
    let plan = alice.client.plan(&of("go-esa/esa.esdc.aladin")).await.unwrap();
    let offer = || LaunchRequest::Offer { offer: plan.offers[0].id.clone() };
    assert_eq!(bob.client.launch(&offer(), "b-1").await.unwrap_err().status(), Some(410));
    let launch = alice.client.launch(&offer(), "a-1").await.unwrap();
    assert_eq!(launch.datazone, plan.offers[0].datazone);
    assert_eq!(alice.client.launch(&offer(), "a-2").await.unwrap_err().status(), Some(410));
}
