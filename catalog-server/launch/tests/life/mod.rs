//! One launch, as the tests of every backend drive it.
#![allow(dead_code, reason = "every test that includes this uses its own part of it")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog_launch::reconcile::{Deadlines, drive};
use catalog_launch::{Backend, Image, LaunchSpec, Progress, Readiness};
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::{Launch, LaunchState};
use catalog_schemas::plan::MilliCpu;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Where a launch that is not asked to stop comes to rest.
pub(crate) const ENDS: [LaunchState; 4] =
    [LaunchState::Ready, LaunchState::Completed, LaunchState::Cancelled, LaunchState::Failed];

/// A small lab with an interface and nothing mounted.
pub(crate) fn spec(number: u8) -> LaunchSpec {
    LaunchSpec {
        launch: LaunchId::from_bytes([number; 16]),
        name: "my lab".to_owned(),
        datalab_name: "Lab".to_owned(),
        datalab: String::new(),
        version: String::new(),
        on_behalf_of: None,
        datasets: Vec::new(),
        owner_hash: "5e884898".to_owned(),
        image: Some(Image { reference: "lab:1".to_owned(), digest: None }),
        interface_type: "web".to_owned(),
        cpu: MilliCpu(500),
        memory_mib: 64,
        gpus: None,
        mounts: Vec::new(),
        port: Some(8888),
        entry_path: "/".to_owned(),
        readiness: Readiness { path: None, timeout_seconds: 20 },
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
    }
}

/// The row of a launch in a state.
pub(crate) fn row(spec: &LaunchSpec, state: LaunchState) -> Launch {
    serde_json::from_value(json!({
        "id": spec.launch, "name": spec.name, "owner": "anna", "datalab": "http://localhost/id/go-esa/esa.lab",
        "datalabName": spec.datalab_name, "version": "1", "datazone": "sci-cloud", "interfaceType": spec.interface_type,
        "state": state, "requested": spec.resources(), "mounts": spec.mounts, "created": "2026-01-01T00:00:00Z"
    }))
    .unwrap()
}

/// Drives a launch until it is in one of the states, as the server's loop does.
pub(crate) async fn drive_to(
    backend: &dyn Backend,
    spec: &LaunchSpec,
    launch: Launch,
    until: &[LaunchState],
) -> Launch {
    drive_hearing(backend, spec, launch, until).await.0
}

/// Drives a launch until it is in one of the states; returns it with everything that was told.
pub(crate) async fn drive_hearing(
    backend: &dyn Backend,
    spec: &LaunchSpec,
    mut launch: Launch,
    until: &[LaunchState],
) -> (Launch, Vec<String>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let deadlines = Deadlines { unreachable: SignedDuration::from_secs(5), ..Deadlines::default() };
    let mut since = Timestamp::now();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        let heard = Arc::clone(&told);
        let progress = move |progress: Progress| heard.lock().unwrap().push(progress.to_string());
        let update = drive(backend, spec, &launch, since, &deadlines, &progress).await;
        if update.launch.state != launch.state {
            since = Timestamp::now();
        }
        launch = update.launch;
        told.lock().unwrap().extend(update.message);
        if until.contains(&launch.state) {
            let told = std::mem::take(&mut *told.lock().unwrap());
            return (launch, told);
        }
        if !update.again {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("not in {until:?}: {launch:?}");
}
