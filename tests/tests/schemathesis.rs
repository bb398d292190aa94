//! schemathesis asks every operation of the OpenAPI document what it makes up from its schemas, for every role: no answer
//! is a fault of the server, and each is as the document says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::path::PathBuf;
use std::process::Command;

use catalog_schemas::account::{Role, Scope};
use catalog_tests::{ADMIN_TOKEN, Sandbox};

/// The program; `tests/setup.sh` puts it there.
fn program() -> Option<PathBuf> {
    let tools = std::env::var_os("ALIDADE_TEST_TOOLS").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/alidade-tests/people"));
    let program = tools.or_else(home)?.join("python/bin/schemathesis");
    program.exists().then_some(program)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_the_document_says() {
    let Some(program) = program() else {
        eprintln!("SKIPPED: schemathesis is not installed; run tests/setup.sh");
        return;
    };
    let sandbox = Sandbox::empty().await;
    let user = sandbox.account("a-user", Role::User, &[Scope::Admin]).await;
    let moderator = sandbox.account("a-moderator", Role::Moderator, &[Scope::Admin]).await;
    let roles = [
        ("anonymous", None),
        ("user", Some(user.token)),
        ("moderator", Some(moderator.token)),
        ("administrator", Some(ADMIN_TOKEN.to_owned())),
    ];
    for (role, token) in roles {
        let mut command = Command::new(&program);
        command.current_dir(sandbox.folder()).env("NO_COLOR", "1").args(["run", "--seed", "1", "--max-examples", "4"]);
        command.args(["--phases", "examples,fuzzing", "--generation-database", "none", "--continue-on-failure"]);
        // It cannot make up queries; the SPARQL suite asks those.
        command.args(["--exclude-path-regex", "^/sparql|^/rdf-graph-store"]);
        command.args(["--request-timeout", "60", "--workers", "2", "--warnings", "off"]);
        // How many of its own inventions it throws away says nothing of the server.
        command.args(["--suppress-health-check", "filter_too_much,too_slow"]);
        // Refusing good input is right when the thing is not there; these look at what is answered, not at whether.
        command.args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance",
        ]);
        if let Some(token) = token {
            command.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        let output = command.arg(format!("{}/openapi.json", sandbox.base())).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{role}:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
