//! Who may call what: every operation of the OpenAPI document, by nine kinds of callers, against a table under review.
//!
//! `tests/suite/access.tsv` has a row for each operation: the request, and the status that each caller gets. An operation
//! without a row fails; `UPDATE_GENERATED=1` writes what the server does now, for review. Whatever the table says, it
//! must follow from the permission that the operation declares, so a careless update does not pass.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use catalog_schemas::account::{NewToken, Role, Scope};
use catalog_schemas::group::{GroupKind, Rank};
use catalog_schemas::launch::LaunchRequest;
use catalog_schemas::plan::PlanRequest;
use catalog_tests::Sandbox;
use catalog_tests::package::{datalab, package};
use serde_json::Value;

const CALLERS: [&str; 9] = [
    "anonymous",
    "user",
    "other-developer",
    "owner",
    "moderator",
    "administrator",
    "revoked",
    "expired",
    "wrong-scope",
];

/// The record that most rows ask for.
const RECORD: &str = "test.mine.lab";

struct Row {
    request: String,
    answers: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_every_caller_as_the_table_says() {
    let sandbox = Sandbox::empty().await;
    let stage = Stage::set(&sandbox).await;
    let (_, text) = sandbox.get("/openapi.json").await;
    let operations = operations(&serde_json::from_str(&text).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/access.tsv");
    let mut table = read(&std::fs::read_to_string(&file).unwrap_or_default());
    let update = std::env::var_os("UPDATE_GENERATED").is_some();
    let (mut faults, mut written) = (Vec::new(), format!("operation\trequest\t{}\n", CALLERS.join("\t")));
    for (operation, permission) in &operations {
        let (method, path) = operation.split_once(' ').unwrap();
        let row = match table.remove(operation) {
            Some(row) => row,
            None if update => Row { request: plain_request(path), answers: Vec::new() },
            None => {
                faults.push(format!("{operation}: it has no row in {}", file.display()));
                continue;
            }
        };
        let mut answers = Vec::new();
        for (number, caller) in CALLERS.into_iter().enumerate() {
            let status = stage.ask(method, &row.request, number).await;
            if let Some(law) = broken_law(permission, caller, status) {
                faults.push(format!("{operation} answers {status} to {caller}, but {law}"));
            }
            answers.push(status.to_string());
        }
        if answers != row.answers && !update {
            let (expected, got) = (row.answers.join(" "), answers.join(" "));
            faults.push(format!("{operation}\n  expected {expected}\n  got      {got}"));
        }
        writeln!(written, "{operation}\t{}\t{}", row.request, answers.join("\t")).unwrap();
    }
    faults.extend(table.keys().map(|operation| format!("{operation}: the table has a row, the API has no operation")));
    if update {
        std::fs::write(&file, &written).unwrap();
        faults.retain(|fault| fault.contains(", but "));
    }
    assert!(
        faults.is_empty(),
        "{}\nWhen that is meant: UPDATE_GENERATED=1 cargo test -p catalog-tests --test access, and review the rows",
        faults.join("\n")
    );
}

/// Says which law an answer breaks: what a permission means for a caller, whatever the table says.
fn broken_law(permission: &str, caller: &str, status: u16) -> Option<&'static str> {
    let least = |role: &str| match permission {
        "anyone" => true,
        "account" | "manage" | "publish" | "launch" => role != "anonymous",
        "moderate" => matches!(role, "moderator" | "administrator"),
        "administer" => role == "administrator",
        _ => false,
    };
    let refused = matches!(status, 401 | 403);
    match caller {
        "revoked" | "expired" => (status != 401).then_some("a credential that does not hold is answered with 401"),
        "anonymous" => (!least(caller) && status != 401).then_some("nobody known is answered with 401"),
        "wrong-scope" => {
            let reads = matches!(permission, "anyone" | "account");
            (!reads && status != 403).then_some("a token without the scope is answered with 403")
        }
        role if !least(role) => (status != 403).then_some("the role is too low for its permission"),
        "administrator" => (permission == "administer" && refused).then_some("an administrator may"),
        _ => None,
    }
}

/// Lists the operations of the document with the permission that each declares.
fn operations(document: &Value) -> BTreeMap<String, String> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let permission = operation["x-permission"].as_str().expect("every operation declares a permission");
            operations.insert(format!("{} {path}", method.to_uppercase()), permission.to_owned());
        }
    }
    operations
}

fn read(text: &str) -> BTreeMap<String, Row> {
    let rows = text.lines().skip(1).map(|line| {
        let mut cells = line.split('\t').map(str::to_owned);
        let operation = cells.next().unwrap_or_default();
        (operation, Row { request: cells.next().unwrap_or_default(), answers: cells.collect() })
    });
    rows.collect()
}

/// Returns the request of a new row: the path with examples of what is in the stage.
fn plain_request(path: &str) -> String {
    let examples = [
        ("{zone}", "go-esa"),
        ("{identifier}", RECORD),
        ("{version}", "0.1.$n"),
        ("{key}", "psa"),
        ("{source}", "go-esa"),
        ("{scheme}", "mission"),
        ("{concept}", "gaia"),
        ("{tool}", "go-esa~test.mine.lab"),
        ("{type}", "CWL"),
        ("{id}", "CWL"),
        ("{number}", "1"),
    ];
    examples.into_iter().fold(path.to_owned(), |path, (name, example)| path.replace(name, example))
}

/// Who calls, and what there is to be asked for.
struct Stage<'a> {
    sandbox: &'a Sandbox,
    tokens: Vec<Option<String>>,
    names: BTreeMap<String, String>,
}

impl<'a> Stage<'a> {
    async fn set(sandbox: &'a Sandbox) -> Self {
        let all = [Scope::Admin];
        let user = sandbox.account("a-user", Role::User, &all).await;
        let other = sandbox.account("a-developer", Role::User, &all).await;
        let owner = sandbox.account("an-owner", Role::User, &all).await;
        let moderator = sandbox.account("a-moderator", Role::Moderator, &all).await;
        let administrator = sandbox.account("an-administrator", Role::Administrator, &all).await;
        let manifest = datalab("test.other.lab", "0.1.0");
        other.client.publish("test.other.lab", "0.1.0", package(&manifest)).await.unwrap();
        let mut names = BTreeMap::new();
        for number in 0..CALLERS.len() {
            let version = format!("0.1.{number}");
            owner.client.publish(RECORD, &version, package(&datalab(RECORD, &version))).await.unwrap();
            let spare = owner.client.token_create(&token("spare", Scope::Read)).await.unwrap();
            names.insert(format!("$token{number}"), spare.id);
            let guest = format!("guest{number}");
            sandbox.account(&guest, Role::User, &all).await;
            owner.client.group_invite(GroupKind::Namespace, "test.mine", &guest, Rank::Member).await.unwrap();
        }
        let revoked = owner.client.token_create(&token("revoked", Scope::Admin)).await.unwrap();
        owner.client.token_revoke(&revoked.id).await.unwrap();
        let expired = owner.client.token_create(&token("expired", Scope::Admin)).await.unwrap();
        expire(sandbox, &expired.id);
        let reader = administrator.client.token_create(&token("reader", Scope::Read)).await.unwrap();
        sandbox.wait_until_in_step().await;
        let plan = PlanRequest { datalab: format!("go-esa/{RECORD}"), ..PlanRequest::default() };
        let launch = owner.client.launch(&LaunchRequest::Plan(Box::new(plan)), "access").await.unwrap();
        names.insert("$launch".to_owned(), launch.id);
        let tokens = vec![
            None,
            Some(user.token),
            Some(other.token),
            Some(owner.token),
            Some(moderator.token),
            Some(administrator.token),
            revoked.secret,
            expired.secret,
            reader.secret,
        ];
        Self { sandbox, tokens, names }
    }

    /// Sends a row's request as one of the callers; each finds a version, a token of the owner's and a guest of its own.
    async fn ask(&self, method: &str, request: &str, caller: usize) -> u16 {
        let mut text = request.replace("$n", &caller.to_string()).replace("$token", &format!("$token{caller}"));
        for (name, value) in &self.names {
            text = text.replace(name, value);
        }
        let (path, body) = text.split_once(' ').unwrap_or((&text, ""));
        let mut request = self.sandbox.request(method, path);
        if let Some(token) = &self.tokens[caller] {
            request = request.bearer_auth(token);
        }
        let request = match body {
            "" => request,
            "@package" => {
                let mut parts = path.rsplit('/');
                let (version, identifier) = (parts.next().unwrap(), parts.next().unwrap());
                request.body(package(&datalab(identifier, version)))
            }
            body => request.header("content-type", "application/json").body(body.to_owned()),
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        assert!(status < 500, "{method} {path} as {}: {}", CALLERS[caller], response.text().await.unwrap());
        status
    }
}

fn token(name: &str, scope: Scope) -> NewToken {
    NewToken { name: name.to_owned(), scopes: vec![scope], namespace: None, days: Some(1), account: None, role: None }
}

/// Lets a token have expired long ago: nobody can ask the server for that, so it is written into the ledger.
fn expire(sandbox: &Sandbox, id: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=60); \
                  n = c.execute('UPDATE token SET expires = 1 WHERE id = ?', [sys.argv[2]]).rowcount; c.commit(); sys.exit(n != 1)";
    let ledger = sandbox.data().join("ledger.db");
    let done = Command::new("python3").args(["-c", script]).arg(ledger).arg(id).status();
    assert!(done.is_ok_and(|status| status.success()), "python3 changes the ledger; tests/setup.sh installs it");
}
