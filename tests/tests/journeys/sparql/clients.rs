//! Programs that others wrote ask the endpoint: the suites of the W3C, Python's and JavaScript's clients.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what is not tested must be seen")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use catalog_tests::{Sandbox, alidade};

fn suite(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/sparql").join(file)
}

/// Runs a command; says loudly that it is left out when what it needs is absent.
fn run(command: &mut Command, needs: &mut Command, what: &str) -> Option<String> {
    if !needs.output().is_ok_and(|output| output.status.success()) {
        eprintln!("LEFT OUT: {what} is not installed; tests/setup.sh installs it");
        return None;
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{said}\n{}", String::from_utf8_lossy(&stderr));
    print!("{said}");
    Some(said)
}

fn python(code: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", code]);
    command
}

#[test]
fn the_suites_of_the_w3c_pass_with_both_evaluators() {
    let data = std::env::var_os("ALIDADE_TEST_DATA").map(PathBuf::from);
    let data = data.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let tree = data.join("conformance/w3c-rdf-tests-sparql11");
    if !tree.is_dir() {
        eprintln!("LEFT OUT: the suites of the W3C are not at `{}`; set ALIDADE_TEST_DATA", tree.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg(suite("conformance.py")).arg(tree).arg(alidade());
    command.arg(suite("not-applicable.tsv")).arg(suite("known-faults.tsv")).arg(folder.path());
    if let Some(said) = run(&mut command, &mut python("import rdflib"), "rdflib") {
        assert!(said.contains(" 0 failed"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_programs_read_every_format() {
    let sandbox = Sandbox::with_sample().await;
    let mut command = Command::new("python3");
    command.arg(suite("clients.py")).arg(sandbox.base());
    run(&mut command, &mut python("import rdflib, SPARQLWrapper"), "SPARQLWrapper");
}

#[tokio::test(flavor = "multi_thread")]
async fn comunica_asks_and_discovers() {
    let sandbox = Sandbox::with_sample().await;
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folder = std::env::var_os("COMUNICA_FOLDER").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| home.join(".cache/alidade-tests/comunica"));
    let mut command = Command::new("node");
    command.arg(suite("comunica.mjs")).arg(sandbox.base()).env("COMUNICA_FOLDER", &folder);
    let needs = folder.join("node_modules/@comunica/query-sparql");
    run(&mut command, Command::new("test").arg("-d").arg(needs), "@comunica/query-sparql");
}
