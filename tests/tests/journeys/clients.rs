//! The tools of other communities read the catalogue: each is a small program in `tests/clients`, run against a real server.
//!
//! `tests/setup.sh` installs them into a folder of their own; what is absent is said loudly and left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use catalog_tests::Sandbox;
use serde_json::json;

/// The folder where `tests/setup.sh` puts the clients.
fn installed() -> PathBuf {
    let chosen = std::env::var_os("ALIDADE_TEST_CLIENTS").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/alidade-tests");
    chosen.unwrap_or_else(home)
}

/// The folder of real test data that is never committed.
fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("ALIDADE_TEST_DATA").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[expect(clippy::print_stderr, reason = "what is not tested must be seen")]
fn left_out(what: &str, why: &str) {
    eprintln!("NOT TESTED: {what}: {why}; tests/setup.sh installs it");
}

/// Runs one of the programs; says loudly when a module that it needs is absent.
fn run(program: &str, modules: &[&str], arguments: &[String]) {
    let python = || {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", installed().join("python")).env("PYTHONWARNINGS", "ignore");
        // A proxy must not stand between a client and this machine.
        python.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        python
    };
    for module in modules {
        let there =
            python().args(["-c", &format!("import {module}")]).output().is_ok_and(|output| output.status.success());
        if !there {
            return left_out(program, &format!("python3 has no {module}"));
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(program);
    let output = python().arg(script).args(arguments).output().unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program}: {said}");
}

/// Records that are looked at closely: one of each kind.
const RECORDS: [&str; 4] =
    ["go-esa/esa.esdc.aladin", "go-esa/esa.gaia.dr3", "go-esa/esa.volumes.psa", "go-esa/esa.jwst.detector1-image2"];

async fn count(sandbox: &Sandbox, kinds: &[&str]) -> usize {
    let mut pairs = vec![("size", "0")];
    pairs.extend(kinds.iter().map(|kind| ("type", *kind)));
    sandbox.search(&pairs).await.total
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_other_communities_understand_the_catalogue() {
    let sandbox = Sandbox::with_sample().await;
    let base = sandbox.base().to_owned();
    let all = count(&sandbox, &[]).await;
    let datasets = count(&sandbox, &["Dataset"]).await;
    let tools = count(&sandbox, &["Datalab", "Pipeline"]).await;
    let of = |prefix: &str| RECORDS.iter().map(|path| format!("/{prefix}/{path}")).collect::<Vec<_>>();
    let with = |more: Vec<String>| [vec![base.clone()], more].concat();

    run("oai.py", &["sickle", "lxml"], &with(vec![datasets.to_string(), all.to_string()]));
    run("signposts.py", &["signposting"], &with(of("record")));
    run("pages.py", &["extruct"], &with(of("record")));
    run("crates.py", &["rocrate"], &with(of("id")));
    run("observatory.py", &["pyvo"], &with(Vec::new()));
    let pipeline = "go-esa~esa.jwst.detector1-image2";
    run("tools.py", &["trs_cli"], &with(vec![tools.to_string(), pipeline.to_owned(), "1.0.0".to_owned()]));
    ldes(&sandbox, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_conforms_to_the_official_shapes() {
    let Some(data) = data() else {
        return left_out("the official shapes of DCAT-AP", "there is no folder of test data (ALIDADE_TEST_DATA)");
    };
    let sandbox = Sandbox::with_sample().await;
    let all = count(&sandbox, &[]).await;
    let shapes =
        ["3.0.0", "3.0.1"].map(|release| data.join(format!("dcat/semic-dcat-ap/{release}/shacl/dcat-ap-SHACL.ttl")));
    let shapes = shapes.map(|path| path.display().to_string()).join(",");
    let reset = "dcat/fair-data-point/src/main/resources/org/fairdatateam/fairdatapoint/service/reset";
    let fdp = ["fdp", "metadata-service", "resource", "catalog", "data-service"];
    let mut arguments = vec![sandbox.base().to_owned(), all.to_string(), shapes];
    arguments.extend(fdp.map(|name| data.join(reset).join(format!("shape-{name}.ttl")).display().to_string()));
    run("shapes.py", &["pyshacl", "rdflib", "requests"], &arguments);
}

/// A list longer than one answer is given in parts, each as long as the protocol of the harvester wants it.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_harvested_in_parts() {
    let mut sandbox = Sandbox::prepare(catalog_tests::sandbox::Settings::default());
    let line = |number: usize| {
        json!({
            "@context": "https://w3id.org/esado/context/v1", "@type": "Dataset", "identifier": format!("lab.many.d{number}"),
            "title": { "en": format!("Set {number}") }, "description": { "en": "One of many sets that a harvester reads in parts." },
            "domain": ["space-science"], "creator": [{ "name": "Somebody" }], "version": "1",
        })
        .to_string()
    };
    let lines: Vec<String> = (0..230).map(line).collect();
    let file = sandbox.folder().join("many.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let imported = sandbox.cli(&["import", file.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    sandbox.run().await;
    assert_eq!(count(&sandbox, &[]).await, 230);
    run("oai.py", &["sickle", "lxml"], &[sandbox.base().to_owned(), "230".to_owned(), "230".to_owned()]);
    ldes(&sandbox, 230);
}

/// Follows the event stream with the client of its makers.
fn ldes(sandbox: &Sandbox, members: usize) {
    let client = installed().join("node/node_modules/.bin/ldes-client");
    if !client.is_file() {
        return left_out("the event stream", "there is no ldes-client");
    }
    let output = Command::new(client).arg(format!("{}/feed", sandbox.base())).arg("--metadata").output();
    let output = output.or_else(|_| Command::new("true").output()).unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let seen = said.matches("#change-").count();
    assert!(seen >= members, "{seen} of {members} members: {}", said.chars().take(3000).collect::<String>());
}
