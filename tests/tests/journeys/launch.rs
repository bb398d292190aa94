//! A scientist launches, on the demonstration zones of the built-in configuration.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use catalog_client::{Client, ClientError};
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{Launch, LaunchRequest, LaunchState};
use catalog_schemas::plan::{CpuRange, GpuRequest, MilliCpu, PlanAnswer, PlanRequest, Resources, VolumeRequest};
use catalog_tests::Sandbox;
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::{Settings, read};

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

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_get_the_quota_and_a_double_click_one() {
    let configuration = "[quota]\nsessions = 3\n[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\
        [[datazone]]\nid = \"go-esa\"\nname = \"GO.ESA\"\nbackend = \"demo\"\ncpu = 400\nmemoryMiB = 400000\n";
    let settings = catalog_tests::sandbox::Settings {
        sample: true,
        configuration: Some(configuration.to_owned()),
        ..Default::default()
    };
    let sandbox = Sandbox::start(settings).await;
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;
    let asked = (0..50).map(|number| {
        let client = alice.client.clone();
        async move { client.launch(&launch_of("go-esa/esa.esdc.aladin"), &format!("key-{number}")).await }
    });
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    let is_quota = |error: &ClientError| matches!(error, ClientError::Problem(it) if it.code() == "quota.sessions");
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(is_quota));
    assert_eq!(alice.client.me().await.unwrap().running, 3);
    // Twenty presses of one button are one launch.
    let bob = sandbox.account("bob", Role::User, LAUNCHES).await;
    let presses = (0..20).map(|_| {
        let client = bob.client.clone();
        async move { client.launch(&launch_of("go-esa/esa.esdc.fv"), "button").await.unwrap().id }
    });
    let ids: BTreeSet<String> = futures::future::join_all(presses).await.into_iter().collect();
    assert_eq!((ids.len(), bob.client.launches().await.unwrap().launches.len()), (1, 1));

    // What is full cannot start now, and the search says so; what is renewed lives longer; what ran is repeated.
    let found = sandbox.search(&[("canStartNow", "true"), ("type", "Datalab")]).await;
    let all = sandbox.search(&[("type", "Datalab")]).await;
    assert!(found.total > 0 && found.total < all.total, "a zone without GPU cannot start everything: {}", found.total);
    assert_eq!(sandbox.get("/api/v1/search?canStartNow=perhaps").await.0, 400);
    let id = ids.first().unwrap();
    let ready = wait_for(&bob.client, id, is_ready).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let renewed = bob.client.launch_renew(id).await.unwrap();
    assert!(renewed.expires > ready.expires, "{:?} {:?}", renewed.expires, ready.expires);
    assert_eq!(alice.client.launch_renew(id).await.unwrap_err().status(), Some(404));
    let again = bob.client.launch(&LaunchRequest::Again { launch: id.clone() }, "again").await.unwrap();
    assert_eq!((again.datalab, again.version, again.requested), (ready.datalab, ready.version, ready.requested));
    bob.client.launch_stop(id).await.unwrap();
    wait_for(&bob.client, id, LaunchState::is_final).await;
    assert_eq!(bob.client.launch_renew(id).await.unwrap_err().status(), Some(409));
    let (status, text) =
        read(sandbox.request("GET", &format!("/api/v1/launches/{id}/logs?download=true")).bearer_auth(&bob.token))
            .await;
    assert!(status == 200 && text.contains("DEMO"), "{status} {text}");
    let tail =
        read(sandbox.request("GET", &format!("/api/v1/launches/{id}/logs?tail=1")).bearer_auth(&bob.token)).await.1;
    assert_eq!(serde_json::from_str::<Vec<String>>(&tail).unwrap().len(), 1, "{tail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipelines_workflow_becomes_facts_and_a_drawing() {
    let sandbox = Sandbox::with_sample().await;
    let (status, text) = sandbox.get("/api/v1/records/go-esa/esa.jwst.detector1-image2").await;
    assert_eq!(status, 200);
    for fact in ["cwlVersion", "v1.2", "pipeline_input", "calibrated_image", "detector1", "image2"] {
        assert!(text.contains(fact), "{fact} is not in {text}");
    }
    let version = serde_json::from_str::<serde_json::Value>(&text).unwrap()["version"].as_str().unwrap().to_owned();
    let (status, drawing) =
        sandbox.get(&format!("/api/v1/packages/esa.jwst.detector1-image2/{version}/workflow.svg")).await;
    assert!(status == 200 && drawing.starts_with("<svg") && drawing.contains("detector1"), "{status} {drawing}");
    let (_, page) = sandbox.get("/record/go-esa/esa.jwst.detector1-image2").await;
    assert!(page.contains("<svg") && page.contains("class=\"drawing\""), "the page draws it");
    assert_eq!(sandbox.get("/api/v1/packages/esa.esdc.aladin/0.3.1/workflow.svg").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_on_an_origin_of_its_own_opens_with_a_ticket_and_sees_nothing_of_the_portal() {
    let mut sandbox = Sandbox::prepare(catalog_tests::sandbox::Settings {
        sample: true,
        configuration: Some(String::new()),
        ..Default::default()
    });
    // The same server under another name is another origin to a browser.
    let origin = sandbox.base().replace("127.0.0.1", "localhost");
    let configuration = format!(
        "baseUrl = \"{}\"\nlabOrigin = \"{origin}\"\n[[datazone]]\nid = \"demo\"\nname = \"DEMO\"\nbackend = \"demo\"\ncpu = 8\nmemoryMiB = 16384\n",
        sandbox.base()
    );
    std::fs::write(sandbox.folder().join("alidade.toml"), configuration).unwrap();
    sandbox.run().await;
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;
    let one = alice.client.launch(&launch_of("go-esa/esa.esdc.aladin"), "one").await.unwrap();
    let two = alice.client.launch(&launch_of("go-esa/esa.esdc.fv"), "two").await.unwrap();
    for launch in [&one, &two] {
        wait_for(&alice.client, &launch.id, is_ready).await;
    }
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let place = |response: &reqwest::Response| response.headers()["location"].to_str().unwrap().to_owned();

    // The portal sends the owner there with a ticket, which becomes the cookie of this lab alone.
    let sent = sandbox.request("GET", &format!("/lab/{}/?a=1", one.id)).bearer_auth(&alice.token).send().await.unwrap();
    assert_eq!(sent.status(), 303);
    let ticket = place(&sent);
    assert!(ticket.starts_with(&format!("{origin}/lab/{}/?a=1&alidade-ticket=", one.id)), "{ticket}");
    let taken = http.get(&ticket).send().await.unwrap();
    assert_eq!((taken.status().as_u16(), place(&taken)), (303, format!("/lab/{}/?a=1", one.id)));
    let cookie = taken.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains(&format!("Path=/lab/{}/", one.id)) && cookie.contains("HttpOnly"), "{cookie}");
    let key = cookie.split(';').next().unwrap();
    let at = |launch: &str| http.get(format!("{origin}/lab/{launch}/")).header("cookie", key);
    let page = at(&one.id).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("DEMO"));

    // A ticket is used up, a key opens one lab, nothing opens none: each leads back to the portal.
    for response in [
        http.get(&ticket).send().await.unwrap(),
        at(&two.id).send().await.unwrap(),
        http.get(format!("{origin}/lab/{}/", one.id)).send().await.unwrap(),
    ] {
        assert_eq!(response.status(), 303);
        assert!(place(&response).starts_with(&format!("{}/lab/", sandbox.base())), "{}", place(&response));
    }
    // There is no portal and no API there, not even with a token.
    for path in ["/", "/api/v1/me", "/launches", "/openapi.json"] {
        let asked = http.get(format!("{origin}{path}")).bearer_auth(&alice.token).header("cookie", key);
        assert_eq!(asked.send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_a_team_is_planned_for_its_members_alone() {
    let mut sandbox = Sandbox::prepare(Settings {
        configuration: Some(
            "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\
             [[datazone]]\nid = \"go-esa\"\nname = \"GO.ESA\"\nbackend = \"demo\"\ncpu = 8\nmemoryMiB = 16384\n\
             space.personal = {}\nspace.team = {}\n\
             [[datazone.volume]]\nvolume = \"crew-data\"\n"
                .to_owned(),
        ),
        ..Settings::default()
    });
    sandbox.run().await;
    let admin = sandbox.admin();
    let volume = serde_json::json!({
        "@context": "https://w3id.org/esado/context/v1",
        "@type": "DataVolume",
        "identifier": "lab.test.crew-data",
        "name": { "en": "Crew data" },
        "alternateName": "crew-data",
        "abstract": { "en": "What only the crew may mount, and nobody else." },
        "version": "1.0.0",
        "license": "https://spdx.org/licenses/CC0-1.0",
        "keyword": { "en": ["test"] },
        "domain": ["space-science"],
        "defaultMountPath": "/data/user/crew",
        "mode": "ro",
        "allowedGroup": ["crew"]
    });
    let mut lab = datalab("lab.test.crew-lab", "1.0.0");
    lab["allowedGroup"] = serde_json::json!(["crew"]);
    for (manifest, name) in [
        (volume, "lab.test.crew-data"),
        (datalab("lab.test.open", "1.0.0"), "lab.test.open"),
        (lab, "lab.test.crew-lab"),
    ] {
        if let Err(error) = admin.publish(name, "1.0.0", package(&manifest)).await {
            panic!("{name}: {error:#?}");
        }
    }
    let alice = sandbox.account("alice", Role::User, &[Scope::Read, Scope::Launch, Scope::Admin]).await;
    let bob = sandbox.account("bob", Role::User, &[Scope::Read, Scope::Launch, Scope::Admin]).await;
    let made = sandbox.request("POST", "/api/v1/groups").bearer_auth(&alice.token);
    let (status, said) =
        read(made.header("content-type", "application/json").body(r#"{"kind":"team","name":"crew"}"#)).await;
    assert!(status < 300, "{status} {said}");

    let codes = async |client: &Client, datalab: &str, volume: &str| -> Vec<String> {
        let volumes = vec![VolumeRequest { volume: volume.to_owned(), ..VolumeRequest::default() }];
        let volumes = if volume.is_empty() { Vec::new() } else { volumes };
        let plan = client.plan(&PlanRequest { volumes, ..of(datalab) }).await.unwrap();
        plan.refusals.into_iter().flat_map(|no| no.reasons).map(|reason| reason.code).collect()
    };
    let none: Vec<String> = Vec::new();
    for (datalab, volume, code) in [
        ("go-esa/lab.test.open", "crew-data", "volume.forbidden"),
        ("go-esa/lab.test.open", "space/team/crew", "volume.forbidden"),
        ("go-esa/lab.test.crew-lab", "", "access.denied"),
    ] {
        assert_eq!(codes(&alice.client, datalab, volume).await, none, "{datalab} {volume}");
        assert_eq!(codes(&bob.client, datalab, volume).await, [code], "{datalab} {volume}");
    }

    // Each sees their own spaces among what can be mounted, and the crew's only who is in it.
    let keys = async |client: &Client| -> Vec<String> {
        let volumes = client.volumes().await.unwrap().volumes.into_iter();
        volumes.map(|volume| volume.key).filter(|key| key.starts_with("space/")).collect()
    };
    assert_eq!(keys(&alice.client).await, ["space/personal", "space/team/crew"]);
    assert_eq!(keys(&bob.client).await, ["space/personal"]);
    assert!(keys(&sandbox.anonymous()).await.is_empty());

    // What was launched has what was granted, and the form shows it.
    let request = PlanRequest {
        volumes: vec![VolumeRequest { volume: "crew-data".to_owned(), ..VolumeRequest::default() }],
        ..of("go-esa/lab.test.open")
    };
    let launch = alice.client.launch(&LaunchRequest::Plan(Box::new(request)), "one").await.unwrap();
    let mounts: Vec<&str> = launch.mounts.iter().map(|mount| mount.volume.as_str()).collect();
    assert_eq!(mounts, ["crew-data", "space/personal"]);
    let (_, page) =
        read(sandbox.request("GET", "/launch?datalab=go-esa%2Flab.test.open").bearer_auth(&alice.token)).await;
    assert!(page.contains("Your own files") && page.contains("space/team/crew"), "{page}");
}
