//! A pipeline is a launch of a runner's image: its workflow and inputs are there to read, its results stay.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use catalog_client::Client;
use catalog_schemas::account::{Role, Scope};
use catalog_schemas::launch::{Launch, LaunchRequest, LaunchState};
use catalog_schemas::plan::{PlanAnswer, PlanRequest};
use catalog_tests::Sandbox;
use catalog_tests::package::package_with;
use catalog_tests::sandbox::{Settings, read};
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::{containers, wait_for};

const LAUNCHES: &[Scope] = &[Scope::Read, Scope::Launch];

const WORKFLOW: &str = "\
cwlVersion: v1.2
class: Workflow
inputs:
  image: File
  levels: int
  note: string?
outputs:
  made:
    type: File
    outputSource: count/made
steps:
  count:
    run: tools/count.cwl
    in:
      image: image
    out: [made]
";

const TOOL: &str = "\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: wc
inputs:
  image:
    type: File
    inputBinding: {}
outputs:
  made:
    type: stdout
";

/// Stands for a workflow runner: it reads what it is given, writes one result, and ends with the code that the input says.
const RUNNER: &str = r#"
workflow=$1 inputs=$2 outputs=$3
echo "[step count] start"
grep -q 'class: Workflow' "$workflow" || exit 41
grep -q baseCommand "$(busybox dirname "$workflow")/tools/count.cwl" || exit 42
(echo x > "$workflow") 2>/dev/null && exit 43
(echo x > /workflow/x) 2>/dev/null && exit 44
mkdir -p "$outputs" || exit 45
cat "$inputs" > "$outputs/inputs.json" || exit 46
echo "result" > "$outputs/made.txt"
echo "[step count] completed success"
grep -q '"levels":0' "$inputs" && exit 3
exit 0
"#;

fn configuration(engine: &Engine, spaces: &Path, runner: &str) -> String {
    format!(
        "[quota]\nsessions = 3\n[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n\
         [[runner]]\nkind = \"cwltool\"\nimage = \"runner:1\"\n{runner}\n\
         [[datazone]]\nid = \"real\"\nname = \"REAL\"\nbackend = \"docker\"\nendpoint = \"{endpoint}\"\n\
         space.personal.path = \"{}\"\n\
         [[datazone]]\nid = \"bare\"\nname = \"BARE\"\nbackend = \"docker\"\nendpoint = \"{endpoint}\"\n",
        spaces.display(),
        endpoint = engine.endpoint(),
    )
}

/// The words that call [`RUNNER`]; a JSON text is one of TOML's too.
fn stand_in() -> String {
    format!(
        "command = [\"/bin/sh\", \"-c\"]\n\
         args = [{}, \"runner\", \"{{workflow}}\", \"{{inputs}}\", \"{{outputs}}\"]",
        json!(RUNNER)
    )
}

fn manifest() -> Value {
    json!({
        "@context": "https://w3id.org/esado/context/v1",
        "@type": "Pipeline",
        "identifier": "lab.test.count",
        "name": { "en": "Count" },
        "alternateName": "count",
        "abstract": { "en": "A small pipeline that the tests publish and run, and that nobody else needs." },
        "softwareVersion": "1.0.0",
        "license": "https://spdx.org/licenses/Apache-2.0",
        "keyword": { "en": ["test"] },
        "domain": ["space-science"],
        "author": [{ "name": "Somebody" }],
        "cwlFile": "pipeline/main.cwl",
        "runner": ["cwltool"]
    })
}

fn request(inputs: Value) -> PlanRequest {
    request_with(inputs, 2048)
}

fn request_with(inputs: Value, memory_mib: u64) -> PlanRequest {
    let inputs = serde_json::from_value(inputs).unwrap();
    let resources = serde_json::from_value(json!({ "cpu": { "min": 2 }, "memoryMiB": { "min": memory_mib } })).unwrap();
    PlanRequest { datalab: "go-esa/lab.test.count".to_owned(), resources, inputs, ..PlanRequest::default() }
}

fn launch_of(inputs: Value) -> LaunchRequest {
    LaunchRequest::Plan(Box::new(request(inputs)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_runs_with_what_it_needs_and_its_results_stay() {
    let Some(engine) = Engine::start() else { return };
    engine.import_busybox("runner:1", &["WORKDIR /home/lab"]);
    let spaces = engine.folder().join("spaces");
    std::fs::create_dir_all(&spaces).unwrap();
    let settings =
        Settings { configuration: Some(configuration(&engine, &spaces, &stand_in())), ..Settings::default() };
    let sandbox = Sandbox::start(settings).await;
    let files =
        [("pipeline/main.cwl", WORKFLOW), ("pipeline/tools/count.cwl", TOOL), ("README.md", "Not for the runner.")];
    if let Err(error) = sandbox.admin().publish("lab.test.count", "1.0.0", package_with(&manifest(), &files)).await {
        panic!("{error:#?}");
    }
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;

    // It runs only where its results can be kept, and the form asks for what the workflow takes.
    let plan = alice.client.plan(&request(json!({}))).await.unwrap();
    assert_eq!(plan.answer, PlanAnswer::Yes, "{plan:#?}");
    assert_eq!(plan.offers.iter().map(|offer| offer.datazone.as_str()).collect::<Vec<_>>(), ["real"]);
    assert!(plan.refusals[0].reasons.iter().any(|reason| reason.code == "volume.absent"), "{plan:#?}");
    let (status, page) = read(sandbox.request("GET", "/launch?datalab=go-esa%2Flab.test.count")).await;
    assert_eq!(status, 200);
    for name in ["input.image", "input.levels", "input.note"] {
        assert!(page.contains(&format!("name=\"{name}\"")), "{name}: {page}");
    }

    // Every fault of the inputs is said before anything is started.
    let wrong = launch_of(json!({ "levels": "many", "colour": "red" }));
    let refused = alice.client.launch(&wrong, "wrong").await.unwrap_err();
    assert_eq!(refused.status(), Some(422));
    for code in ["input.missing", "input.type", "input.unknown"] {
        assert!(format!("{refused:?}").contains(code), "{code}: {refused:?}");
    }

    let good = launch_of(json!({ "image": "/workspace/personal/x.fits", "levels": 4 }));
    let launch = alice.client.launch(&good, "good").await.unwrap();
    let done = wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
    let log = alice.client.launch_logs(&launch.id).await.unwrap();
    assert_eq!(done.state, LaunchState::Completed, "{done:#?} {log:#?}");
    assert_eq!(log, ["[step count] start", "[step count] completed success"]);
    let results: PathBuf = spaces.join("alice/runs").join(&launch.id);
    assert_eq!(std::fs::read_to_string(results.join("made.txt")).unwrap(), "result\n");
    let given: Value = serde_json::from_str(&std::fs::read_to_string(results.join("inputs.json")).unwrap()).unwrap();
    assert_eq!(given, json!({ "image": { "class": "File", "path": "/workspace/personal/x.fits" }, "levels": 4 }));

    // Its exit code decides; again from its record it is the same run, with results of its own.
    let bad = launch_of(json!({ "image": "/workspace/personal/x.fits", "levels": 0 }));
    let launch = alice.client.launch(&bad, "bad").await.unwrap();
    let failed = wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
    let failure = failed.failure.unwrap();
    assert_eq!((failed.state, failure.code.as_str()), (LaunchState::Failed, "exit.nonzero"), "{failure:#?}");
    assert!(failure.cause.contains("code 3") && !failure.log.is_empty(), "{failure:#?}");
    let again = alice.client.launch(&LaunchRequest::Again { launch: launch.id.clone() }, "again").await.unwrap();
    wait_for(&alice.client, &again.id, |launch| launch.state.is_final()).await;
    assert!(spaces.join("alice/runs").join(&again.id).join("made.txt").exists());

    // Only what a run is looked at for is still there, each with its files; nothing it was filled through.
    assert_eq!(containers(&engine), 3);
    assert_eq!(engine.run_docker(&["ps", "-aq"]).1.lines().count(), 3);
    assert_eq!(engine.run_docker(&["volume", "ls", "-q"]).1.lines().count(), 3);
    assert!(results.join("made.txt").exists());
}

/// Makes a file of as many MiB as it is told, and hands it to a second step.
const LARGE: &[(&str, &str)] = &[
    (
        "pipeline/main.cwl",
        "\
cwlVersion: v1.2
class: Workflow
inputs:
  size: int
outputs:
  made:
    type: File
    outputSource: second/made
steps:
  first:
    run: make.cwl
    in:
      size: size
    out: [made]
  second:
    run: copy.cwl
    in:
      from: first/made
    out: [made]
",
    ),
    (
        "pipeline/make.cwl",
        "\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [dd, if=/dev/zero, of=first.bin, bs=1M]
inputs:
  size:
    type: int
    inputBinding:
      prefix: count=
      separate: false
outputs:
  made:
    type: File
    outputBinding:
      glob: first.bin
",
    ),
    (
        "pipeline/copy.cwl",
        "\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: cp
arguments:
  - position: 2
    valueFrom: second.bin
inputs:
  from:
    type: File
    inputBinding:
      position: 1
outputs:
  made:
    type: File
    outputBinding:
      glob: second.bin
",
    ),
];

/// The image of the real cwltool that `tests/setup.sh` makes.
fn cwltool() -> Option<PathBuf> {
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/alidade-tests/cwltool.tar"));
    let archive = std::env::var_os("ALIDADE_TEST_CWLTOOL").map(PathBuf::from).or_else(usual)?;
    if archive.exists() {
        return Some(archive);
    }
    eprintln!("SKIPPED: {} is not there; tests/setup.sh makes it", archive.display());
    None
}

/// Launches as soon as what ran before has let go of its processors.
async fn launch_when_free(client: &Client, request: &LaunchRequest) -> Launch {
    let (started, mut attempt) = (Instant::now(), 0);
    loop {
        let error = match client.launch(request, &format!("attempt-{attempt}")).await {
            Ok(launch) => return launch,
            Err(error) => format!("{error:?}"),
        };
        assert!(error.contains("plan.no") && started.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        attempt += 1;
    }
}

/// What steps make was kept in `/tmp`, which is a quarter of the lab's memory: larger results failed.
#[tokio::test(flavor = "multi_thread")]
async fn the_real_cwltool_makes_results_larger_than_the_labs_temporary_folder() {
    const MEMORY_MIB: u64 = 2048;
    const RESULT_MIB: u64 = MEMORY_MIB / 4 + 32;
    let Some(archive) = cwltool() else { return };
    let Some(engine) = Engine::start() else { return };
    engine.import("runner:1", &archive, &[]);
    let spaces = engine.folder().join("spaces");
    std::fs::create_dir_all(&spaces).unwrap();
    let runner = "command = [\"cwltool\", \"--no-container\"]";
    let settings = Settings { configuration: Some(configuration(&engine, &spaces, runner)), ..Settings::default() };
    let sandbox = Sandbox::start(settings).await;
    if let Err(error) = sandbox.admin().publish("lab.test.count", "1.0.0", package_with(&manifest(), LARGE)).await {
        panic!("{error:#?}");
    }
    let alice = sandbox.account("alice", Role::User, LAUNCHES).await;
    let run = |size: i64| LaunchRequest::Plan(Box::new(request_with(json!({ "size": size }), MEMORY_MIB)));
    let launch = alice.client.launch(&run(RESULT_MIB.cast_signed()), "large").await.unwrap();
    let done = wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
    let log = alice.client.launch_logs(&launch.id).await.unwrap();
    assert_eq!(done.state, LaunchState::Completed, "{done:#?} {log:#?}");
    let results = spaces.join("alice/runs").join(&launch.id);
    assert_eq!(std::fs::metadata(results.join("second.bin")).unwrap().len(), RESULT_MIB << 20);
    let left = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.collect::<Vec<_>>()
    };
    assert_eq!(left(&results), ["second.bin"]);
    assert_eq!(left(&spaces.join("alice")), ["runs"], "nothing that was made on the way is left");

    // A step that fails is a run that fails.
    let launch = launch_when_free(&alice.client, &run(-1)).await;
    let failed = wait_for(&alice.client, &launch.id, |launch| launch.state.is_final()).await;
    let failure = failed.failure.unwrap();
    assert_eq!((failed.state, failure.code.as_str()), (LaunchState::Failed, "exit.nonzero"), "{failure:#?}");
    assert!(failure.log.iter().any(|line| line.contains("permanentFail")), "{failure:#?}");
}
