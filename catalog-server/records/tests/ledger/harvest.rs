//! Harvest from the ledger's side: runs that are applied whole or not at all, and what is never lost or deleted.

use catalog_records::{
    Finished, Hidden, Interrupted, Lease, Ledger, Origin, Piece, Resumption, RunOutcome, Staged, State, What,
    merge::Saying,
};
use catalog_schemas::harvest::{RunFinding, RunView, SourceSettings, Unmatched};
use catalog_schemas::id::ZoneId;
use catalog_schemas::problem::Finding;
use proptest::prelude::*;

use super::publication;
use catalog_records::Actor;

fn settings(id: &str, precedence: i32) -> SourceSettings {
    serde_json::from_value(serde_json::json!({
        "id": id, "kind": "files", "url": "http://127.0.0.1:1/x", "precedence": precedence
    }))
    .unwrap()
}

pub(super) fn zone() -> ZoneId {
    "go-esa".parse().unwrap()
}

pub(super) async fn source(ledger: &Ledger, id: &str, precedence: i32) {
    ledger.source_define(settings(id, precedence), Origin::Api, &Actor::application(), "test").await.unwrap();
}

/// What a source says in a run: key, content, global identifiers.
pub(super) type Says<'a> = [(&'a str, &'a str, &'a [&'a str])];

/// Stages a run as the server's driver does and returns its lease.
pub(super) async fn stage(ledger: &Ledger, source: &str, says: &Says<'_>) -> (Lease, RunView) {
    let queued = ledger.run_queue(source, false, "schedule", "test").await.unwrap();
    let lease = Lease { source: source.to_owned(), run: queued.number, token: "t".to_owned() };
    let mut view = ledger.run_take(&lease).await.unwrap().unwrap().report;
    let (mut fresh, mut change, mut rows) = (0, 0, Vec::new());
    let keys: Vec<&str> = says.iter().map(|(key, ..)| *key).collect();
    let known = ledger.known(source, &keys).await.unwrap();
    for (key, content, global) in says {
        let before = known.get(&((*key).to_owned(), "Dataset".to_owned()));
        let bearers = ledger.bearers(source, global).await.unwrap();
        let joined = bearers.values().flatten().next();
        let identifier = match (before, joined) {
            (Some(before), _) => before.identifier.to_string(),
            (None, Some(joined)) => joined.identifier.clone(),
            (None, None) => format!("{source}.{key}"),
        };
        let document = serde_json::json!({"identifier": identifier, "title": content}).to_string();
        let hash = format!("hash of {document}");
        let what = match (before, joined) {
            (Some(before), _) if before.content_hash == hash && !before.gone => What::Same,
            (Some(_), _) => What::Changed,
            (None, Some(_)) => What::Joined,
            (None, None) => What::New,
        };
        fresh += u64::from(what == What::New);
        change += u64::from(what != What::Same);
        match what {
            What::New => view.added += 1,
            What::Same => view.unchanged += 1,
            _ => view.changed += 1,
        }
        rows.push(Staged {
            what,
            key: (*key).to_owned(),
            kind: "Dataset".to_owned(),
            fresh: (what == What::New).then_some(fresh),
            change: (what != What::Same).then_some(change),
            said: before.map(|before| before.said),
            record: before.map(|before| before.record).or(joined.map(|joined| joined.record)),
            main: before.map_or(what == What::New, |before| before.main),
            zone: Some(zone()),
            identifier: Some(identifier.parse().unwrap()),
            version: Some("1".to_owned()),
            state: None,
            given_hash: Some(hash.clone()),
            content_hash: Some(catalog_hash(&document, &hash)),
            document: (what != What::Same).then_some(document),
            part: "all".to_owned(),
            reason: None,
            global: global.iter().map(|text| (*text).to_owned()).collect(),
        });
    }
    ledger.run_stage(&lease, Piece { first: 1, rows, progress: (1, None, 0), ..Piece::default() }).await.unwrap();
    (lease, view)
}

/// The ledger compares hashes and never makes them; the tests' are readable.
fn catalog_hash(_document: &str, hash: &str) -> String {
    hash.to_owned()
}

pub(super) async fn finish(ledger: &Ledger, lease: &Lease, report: RunView) -> RunOutcome {
    let finished = Finished { report, removes: true, fraction: 200, ..Finished::default() };
    ledger.run_finish(lease, finished, Vec::new(), Vec::new()).await.unwrap()
}

pub(super) async fn harvest(ledger: &Ledger, source: &str, says: &Says<'_>) -> RunView {
    let (lease, view) = stage(ledger, source, says).await;
    match finish(ledger, &lease, view).await {
        RunOutcome::Ready(_) => ledger.run_apply(&lease, false, None).await.unwrap(),
        RunOutcome::Over(view) => view,
    }
}

pub(super) async fn title(ledger: &Ledger, identifier: &str) -> String {
    let record = ledger.record(&zone(), &identifier.parse().unwrap()).await.unwrap().unwrap();
    let document: serde_json::Value = serde_json::from_str(&record.document).unwrap();
    document["title"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_second_run_of_an_unchanged_source_writes_no_revision() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let says: &Says<'_> = &[("a", "A", &[]), ("b", "B", &[])];
    let first = harvest(&ledger, "aws", says).await;
    assert_eq!((first.state.as_str(), first.added, ledger.count().await.unwrap()), ("completed", 2, 2));
    let seq = ledger.last_seq();
    for _ in 0..2 {
        let again = harvest(&ledger, "aws", says).await;
        assert_eq!((again.added, again.changed, again.removed, again.unchanged), (0, 0, 0, 2));
    }
    assert_eq!(ledger.last_seq(), seq);
    assert_eq!(ledger.changes_after(0, 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn changes_removals_and_returns_are_told_and_tombstones_stay() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    harvest(&ledger, "aws", &[("a", "A", &[]), ("b", "B", &[])]).await;
    let second = harvest(&ledger, "aws", &[("a", "A2", &[])]).await;
    assert_eq!((second.changed, second.removed), (1, 1));
    assert_eq!(title(&ledger, "aws.a").await, "A2");
    let gone = ledger.record(&zone(), &"aws.b".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(gone.state, State::Withdrawn);
    let (feed, next) = ledger.feed_after(&zone(), 0, 10).await.unwrap();
    assert_eq!(feed.len(), 2);
    assert_eq!(next, ledger.last_seq());
    assert!(feed[1].reason.as_deref().unwrap().contains("not list"));
    let third = harvest(&ledger, "aws", &[("a", "A2", &[]), ("b", "B", &[])]).await;
    assert_eq!((third.changed, third.unchanged), (1, 1));
    assert_eq!(ledger.count().await.unwrap(), 2);
    assert!(ledger.verify().await.unwrap().faults.iter().all(|fault| fault.contains("does not have its hash")));
}

#[tokio::test]
async fn a_run_that_would_remove_much_waits_and_a_newer_one_takes_its_place() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let keys: Vec<String> = (0..60).map(|n| format!("k{n:02}")).collect();
    let all: Vec<(&str, &str, &[&str])> = keys.iter().map(|key| (key.as_str(), "x", &[] as &[&str])).collect();
    harvest(&ledger, "aws", &all).await;
    let seq = ledger.last_seq();
    let held = harvest(&ledger, "aws", &all[..40]).await;
    assert_eq!((held.state.as_str(), held.removed, ledger.last_seq()), ("held", 20, seq));
    assert_eq!(held.diff.as_ref().unwrap().removed.len(), 20);
    let again = harvest(&ledger, "aws", &[]).await;
    assert_eq!(again.state, "held");
    let old = ledger.run("aws", held.number).await.unwrap().unwrap();
    assert_eq!((old.state.as_str(), old.reason.unwrap().code.as_str()), ("failed", "run.superseded"));
    let lease = Lease { source: "aws".to_owned(), run: again.number, token: "m".to_owned() };
    ledger.run_approve(&lease, &Actor::application(), "the-approval").await.unwrap();
    let subject = format!("aws/{}", again.number);
    assert_eq!(audited(&ledger, "the-approval").await, [("source.approve".to_owned(), subject)]);
    // Once only, and a refusal leaves no line.
    assert!(ledger.run_approve(&lease, &Actor::application(), "another-approval").await.is_err());
    assert!(audited(&ledger, "another-approval").await.is_empty());
    ledger.run_apply(&lease, false, None).await.unwrap();
    assert_eq!(ledger.count().await.unwrap(), 0);
    // Few may always go.
    harvest(&ledger, "aws", &all[..11]).await;
    assert_eq!(harvest(&ledger, "aws", &all[..1]).await.state, "completed");
}

/// What the audit trail says that a request did: action and subject.
pub(super) async fn audited(ledger: &Ledger, request: &str) -> Vec<(String, String)> {
    let lines = ledger.audit(None, 1000).await.unwrap().into_iter().filter(|line| line.request == request);
    lines.map(|line| (line.action, line.subject)).collect()
}

#[tokio::test]
async fn two_sources_of_one_identifier_become_one_record_and_part_again() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "low", 0).await;
    source(&ledger, "high", 5).await;
    let doi = "https://doi.org/10.1/x";
    harvest(&ledger, "low", &[("a", "low", &[doi])]).await;
    harvest(&ledger, "high", &[("h1", "high", &[doi])]).await;
    assert_eq!(ledger.count().await.unwrap(), 1);
    assert_eq!(title(&ledger, "low.a").await, "high");
    let record = ledger.record(&zone(), &"low.a".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((record.source.as_str(), record.also.as_slice()), ("low", ["high".to_owned()].as_slice()));
    let said = ledger.sayings(&zone(), &"low.a".parse().unwrap()).await.unwrap();
    let sources: Vec<Saying> = said.sayings.into_iter().map(|one| one.saying).collect();
    assert_eq!(sources.len(), 2);
    // An overlay lies over both and survives a new harvest.
    let patch = serde_json::json!({"label": "m"});
    ledger.overlay(&zone(), &"low.a".parse().unwrap(), patch, None, &Actor::application(), "t").await.unwrap();
    harvest(&ledger, "high", &[("h1", "higher", &[doi])]).await;
    let record = ledger.record(&zone(), &"low.a".parse().unwrap()).await.unwrap().unwrap();
    assert!(record.document.contains("higher") && record.document.contains("\"label\":\"m\""), "{}", record.document);
    // The one whose record it is goes: the other's words are left, under the same name.
    harvest(&ledger, "low", &[]).await;
    let record = ledger.record(&zone(), &"low.a".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((record.state, record.source.as_str()), (State::Published, "high"));
    assert!(record.document.contains("higher"));
    harvest(&ledger, "high", &[]).await;
    assert_eq!(ledger.count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_run_whose_driver_is_silent_is_interrupted_and_leaves_nothing() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    harvest(&ledger, "aws", &[("a", "A", &[])]).await;
    let seq = ledger.last_seq();
    let (lease, view) = stage(&ledger, "aws", &[("b", "B", &[])]).await;
    let interrupted = ledger.runs_interrupt("2100-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(interrupted, [Interrupted { source: "aws".to_owned(), goes_on: false }]);
    assert_eq!(ledger.run("aws", lease.run).await.unwrap().unwrap().state, "interrupted");
    let finished = Finished { report: view, removes: true, fraction: 200, ..Finished::default() };
    assert!(ledger.run_finish(&lease, finished, Vec::new(), Vec::new()).await.is_err());
    assert!(ledger.run_apply(&lease, false, None).await.is_err());
    assert_eq!((ledger.last_seq(), ledger.count().await.unwrap()), (seq, 1));
}

#[tokio::test]
async fn a_run_goes_on_after_the_rows_that_were_kept() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    harvest(&ledger, "aws", &[("a", "A", &[])]).await;
    let (lease, _) = stage(&ledger, "aws", &[("a", "A", &[]), ("b", "B", &[])]).await;
    let kept = Resumption { rows: 2, state: "here".to_owned() };
    ledger
        .run_stage(
            &lease,
            Piece { first: 3, progress: (2, None, 9), resumption: Some(kept.clone()), ..Piece::default() },
        )
        .await
        .unwrap();
    // What comes after is not kept, nor what the end of the reading added: the server dies before the run is applied.
    let (row, kind) = ("c".to_owned(), "Dataset".to_owned());
    ledger
        .run_stage(
            &lease,
            Piece { first: 3, rows: vec![said_again(row, kind)], progress: (3, None, 10), ..Piece::default() },
        )
        .await
        .unwrap();
    let report = ledger.run("aws", lease.run).await.unwrap().unwrap();
    finish_with_findings(&ledger, &lease, report).await;
    let silent = || ledger.runs_interrupt("2100-01-01T00:00:00Z".parse().unwrap());
    let goes_on = [Interrupted { source: "aws".to_owned(), goes_on: true }];
    assert_eq!(silent().await.unwrap(), goes_on);
    // Who drove it before finds out, and a wish for a run is this one.
    assert!(ledger.run_stage(&lease, Piece { first: 4, progress: (3, None, 0), ..Piece::default() }).await.is_err());
    assert_eq!(ledger.run_queue("aws", false, "schedule", "test").await.unwrap().number, lease.run);
    let next = Lease { token: "another".to_owned(), ..lease.clone() };
    let taken = ledger.run_take(&next).await.unwrap().unwrap();
    assert_eq!((taken.resumption, taken.report.resumed), (Some(kept), 1));
    let staged = ledger.staged(&next, &["a", "b", "c"]).await.unwrap();
    assert_eq!(
        staged,
        [("a", What::Same), ("b", What::New)].map(|(key, what)| ((key.to_owned(), "Dataset".to_owned()), what)).into()
    );
    // The union is what the source has: nothing is removed, and it is applied once.
    let outcome = finish(&ledger, &next, taken.report).await;
    assert!(matches!(&outcome, RunOutcome::Ready(report) if report.removed == 0), "{outcome:?}");
    ledger.run_apply(&next, false, None).await.unwrap();
    assert_eq!(ledger.count().await.unwrap(), 2);
    assert_eq!(silent().await.unwrap(), []);
}

#[tokio::test]
async fn a_run_that_ends_its_server_each_time_is_given_up() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let (mut lease, _) = stage(&ledger, "aws", &[("a", "A", &[])]).await;
    let kept = Resumption { rows: 1, state: "here".to_owned() };
    ledger
        .run_stage(&lease, Piece { first: 2, progress: (1, None, 0), resumption: Some(kept), ..Piece::default() })
        .await
        .unwrap();
    let mut times = 0;
    while ledger.runs_interrupt("2100-01-01T00:00:00Z".parse().unwrap()).await.unwrap()[0].goes_on {
        lease.token = format!("t{times}");
        ledger.run_take(&lease).await.unwrap().unwrap();
        times += 1;
        assert!(times < 100, "it goes on for ever");
    }
    assert_eq!(ledger.run("aws", lease.run).await.unwrap().unwrap().state, "interrupted");
}

/// A row that says that a record is as it was.
fn said_again(key: String, kind: String) -> Staged {
    Staged {
        what: What::Kept,
        key,
        kind,
        fresh: None,
        change: None,
        said: None,
        record: None,
        main: false,
        zone: None,
        identifier: None,
        version: None,
        state: None,
        document: None,
        given_hash: None,
        content_hash: None,
        part: String::new(),
        reason: None,
        global: Vec::new(),
    }
}

async fn finish_with_findings(ledger: &Ledger, lease: &Lease, report: RunView) {
    let finding = RunFinding { quarantined: true, key: None, record: None, finding: Finding::error("x", "x") };
    let word = Unmatched { term: "mission".to_owned(), value: "x".to_owned(), count: 1 };
    let finished = Finished { report, removes: true, fraction: 200, ..Finished::default() };
    ledger.run_finish(lease, finished, vec![finding], vec![word]).await.unwrap();
}

#[tokio::test]
async fn what_stood_in_a_file_that_cannot_be_read_stays() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    harvest(&ledger, "aws", &[("a", "A", &[]), ("b", "B", &[])]).await;
    let (lease, view) = stage(&ledger, "aws", &[("c", "C", &[])]).await;
    finish_with(&ledger, &lease, view, &[("f1", Some("all"))], true, 0).await;
    assert_eq!(ledger.count().await.unwrap(), 3);
}

async fn finish_with(
    ledger: &Ledger,
    lease: &Lease,
    view: RunView,
    faults: &[(&str, Option<&str>)],
    complete: bool,
    removed: u64,
) {
    let hidden = |(fingerprint, part): &(&str, Option<&str>)| Hidden {
        fingerprint: (*fingerprint).to_owned(),
        part: part.map(str::to_owned),
    };
    let unreadable = faults.iter().map(hidden).collect();
    let base = Finished { report: view, removes: complete, lists: true, fraction: 200, ..Finished::default() };
    let finished = Finished { unreadable, ..base };
    let RunOutcome::Ready(view) = ledger.run_finish(lease, finished, Vec::new(), Vec::new()).await.unwrap() else {
        panic!("it was held")
    };
    assert_eq!(view.removed, removed);
    ledger.run_apply(lease, false, None).await.unwrap();
}

#[tokio::test]
async fn a_fault_hides_only_what_was_not_seen_beside_it() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let run = async |records: &[(&str, &str, &[&str])], faults: &[(&str, Option<&str>)], complete, removed| {
        let (lease, view) = stage(&ledger, "aws", records).await;
        finish_with(&ledger, &lease, view, faults, complete, removed).await;
        ledger.count().await.unwrap()
    };
    let old = ("old", Some("all"));
    let new = ("new", None);
    // A fault that is there from the beginning hides nothing that was seen beside it.
    assert_eq!(run(&[("a", "A", &[]), ("b", "B", &[]), ("c", "C", &[])], &[old], true, 0).await, 3);
    assert_eq!(run(&[("a", "A", &[]), ("b", "B", &[])], &[old], true, 1).await, 2);
    // A new one may hide what went with its coming, for as long as it is there.
    assert_eq!(run(&[("a", "A", &[])], &[old, new], true, 0).await, 2);
    assert_eq!(run(&[("a", "A", &[])], &[old, new], true, 0).await, 2);
    assert_eq!(run(&[("a", "A", &[]), ("d", "D", &[])], &[old, new], true, 0).await, 3);
    // What was seen beside it since is hidden by something else, and what it may hide still stays.
    assert_eq!(run(&[("a", "A", &[])], &[old, new], true, 1).await, 2);
    // It is mended, and what it did not hide after all is gone.
    assert_eq!(run(&[("a", "A", &[])], &[old], true, 1).await, 1);
    // What a run that broke off did not see may have gone behind a fault that it met.
    assert_eq!(run(&[("a", "A", &[]), ("e", "E", &[])], &[], true, 0).await, 2);
    assert_eq!(run(&[("a", "A", &[])], &[new], false, 0).await, 2);
    assert_eq!(run(&[("a", "A", &[])], &[new], true, 0).await, 2);
    assert_eq!(run(&[("a", "A", &[])], &[], true, 1).await, 1);
}

#[tokio::test]
async fn a_source_takes_its_namespace_and_none_of_anybodys() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = super::account(&ledger, "ann", catalog_schemas::account::Role::User).await;
    let hers = catalog_records::Publication {
        identifier: "hers.a".parse().unwrap(),
        actor: ann.clone(),
        ..publication("a", "1", "{}")
    };
    ledger.publish(hers).await.unwrap();
    let refused = ledger.source_define(settings("hers", 0), Origin::Api, &Actor::application(), "t").await;
    assert!(refused.unwrap_err().to_string().contains("namespace"));
    source(&ledger, "aws", 0).await;
    let forged = catalog_records::Publication {
        identifier: "aws.a".parse().unwrap(),
        actor: ann,
        ..publication("a", "1", "{}")
    };
    assert!(ledger.publish(forged).await.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever a source says run after run, the catalogue holds exactly that, and every key ever seen keeps its record.
    #[test]
    fn the_catalogue_holds_what_the_source_said_last(
        runs in prop::collection::vec(prop::collection::btree_map(0..8u8, 0..3u8, 0..8), 1..6)
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let ledger = Ledger::temporary().await.unwrap();
            source(&ledger, "aws", 0).await;
            for said in runs {
                let texts: Vec<(String, String)> =
                    said.iter().map(|(key, content)| (format!("k{key}"), format!("c{content}"))).collect();
                let says: Vec<(&str, &str, &[&str])> =
                    texts.iter().map(|(key, content)| (key.as_str(), content.as_str(), &[] as &[&str])).collect();
                let run = harvest(&ledger, "aws", &says).await;
                prop_assert_eq!(run.state.as_str(), "completed");
                prop_assert_eq!(ledger.count().await.unwrap(), says.len() as u64);
                for (key, content, _) in &says {
                    let shown = title(&ledger, &format!("aws.{key}")).await;
                    prop_assert_eq!(shown.as_str(), *content);
                }
            }
            Ok(())
        })?;
    }
}
