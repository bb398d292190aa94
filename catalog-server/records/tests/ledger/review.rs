//! Identities that somebody decides: what becomes of both records, of later runs, and of a change of mind.

use std::sync::Arc;

use catalog_records::{Actor, Decision, Error, Ledger, Naming, Piece, Publication, RunOutcome, State, StoredRecord};
use catalog_schemas::harvest::Review;

use super::harvest::{Says, audited, finish, harvest, source, stage, title, zone};
use super::publication;

const DOI: &str = "https://doi.org/10.1/x";

fn naming() -> Naming {
    Arc::new(|zone, identifier| format!("https://here.example/id/{zone}/{identifier}"))
}

fn same(identifier: &str) -> Decision {
    Decision::Same(zone(), identifier.parse().unwrap())
}

async fn decide(ledger: &Ledger, number: u64, decision: Decision, request: &str) -> Result<(), Error> {
    ledger.review_decide(number, decision, naming(), &Actor::application(), request).await
}

async fn found(ledger: &Ledger, identifier: &str) -> StoredRecord {
    ledger.record(&zone(), &identifier.parse().unwrap()).await.unwrap().unwrap()
}

fn case(key: &str, record: &str) -> Review {
    Review {
        source: "aws".to_owned(),
        run: 1,
        code: "identity.twice".to_owned(),
        key: key.to_owned(),
        identifier: DOI.to_owned(),
        records: vec![format!("go-esa/{record}")],
        message: "two records bear it".to_owned(),
        ..Review::default()
    }
}

/// Runs the source `aws`, which meets an identity that it cannot tell; returns what waits then.
async fn run(ledger: &Ledger, says: &Says<'_>, case: Review) -> Vec<Review> {
    let (lease, view) = stage(ledger, "aws", says).await;
    ledger
        .run_stage(&lease, Piece { first: 100, reviews: vec![case], progress: (2, None, 0), ..Piece::default() })
        .await
        .unwrap();
    let RunOutcome::Ready(_) = finish(ledger, &lease, view).await else { panic!("it was held") };
    ledger.run_apply(&lease, false, None).await.unwrap();
    ledger.reviews(10).await.unwrap()
}

#[tokio::test]
async fn what_was_decided_apart_does_not_come_up_again_and_leaves_one_line() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let says: &Says<'_> = &[("a", "A", &[]), ("b", "B", &[])];
    let waiting = run(&ledger, says, case("b", "aws.a")).await;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(waiting[0].own.as_deref(), Some("go-esa/aws.b"));
    assert_eq!(run(&ledger, says, case("b", "aws.a")).await.len(), 1);
    let (number, seq) = (waiting[0].number, ledger.last_seq());
    decide(&ledger, number, Decision::Apart, "the-decision").await.unwrap();
    let line = ("review.decide".to_owned(), format!("review/{number}: apart"));
    assert_eq!(audited(&ledger, "the-decision").await, [line]);
    assert!(decide(&ledger, number, Decision::Apart, "another-decision").await.is_err());
    assert!(audited(&ledger, "another-decision").await.is_empty());
    assert!(run(&ledger, says, case("b", "aws.a")).await.is_empty());
    assert_eq!((ledger.last_seq(), ledger.count().await.unwrap()), (seq, 2));
    let decided = ledger.reviews_decided(10).await.unwrap();
    assert_eq!(decided[0].decision.as_deref(), Some("apart"));
    ledger.review_reopen(number, &Actor::application(), "on second thoughts").await.unwrap();
    assert_eq!(ledger.reviews(10).await.unwrap().len(), 1);
    let line = ("review.reopen".to_owned(), format!("review/{number}"));
    assert_eq!(audited(&ledger, "on second thoughts").await, [line]);
}

#[tokio::test]
async fn a_dry_run_asks_nobody_to_decide() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let queued = ledger.run_queue("aws", true, "schedule", "test").await.unwrap();
    let lease = catalog_records::Lease { source: "aws".to_owned(), run: queued.number, token: "t".to_owned() };
    ledger.run_take(&lease).await.unwrap().unwrap();
    ledger
        .run_stage(
            &lease,
            Piece { first: 1, reviews: vec![case("b", "aws.a")], progress: (2, None, 0), ..Piece::default() },
        )
        .await
        .unwrap();
    assert!(ledger.reviews(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_sources_of_one_thing_become_one_record_for_good_and_two_again_when_that_is_taken_back() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 5).await;
    source(&ledger, "cmr", 0).await;
    harvest(&ledger, "cmr", &[("c", "C", &[])]).await;
    let waiting = run(&ledger, &[("b", "B", &[DOI])], case("b", "cmr.c")).await;
    let number = waiting[0].number;
    let other = decide(&ledger, number, same("cmr.d"), "wrong").await.unwrap_err();
    assert!(other.to_string().contains("not one of the records in question"), "{other}");
    decide(&ledger, number, same("cmr.c"), "one").await.unwrap();
    let line = ("review.decide".to_owned(), format!("review/{number}: go-esa/aws.b is go-esa/cmr.c"));
    assert_eq!(audited(&ledger, "one").await, [line]);

    let (gone, left) = (found(&ledger, "aws.b").await, found(&ledger, "cmr.c").await);
    assert_eq!((gone.state, left.state), (State::Withdrawn, State::Published));
    assert!(gone.document.contains(r#""replacedBy":"https://here.example/id/go-esa/cmr.c""#), "{}", gone.document);
    assert_eq!(left.also, ["aws"]);
    // The more believed source's words, under the name of the record that is left.
    assert_eq!(title(&ledger, "cmr.c").await, "B");
    assert!(left.document.contains(r#""identifier":"cmr.c""#), "{}", left.document);
    assert_eq!(ledger.bearers("cmr", &[DOI]).await.unwrap()[DOI][0].identifier, "cmr.c");
    assert_eq!(ledger.reviews_decided(10).await.unwrap()[0].kept.as_deref(), Some("go-esa/cmr.c"));

    // Later runs speak of the record that is left, and an unchanged one writes nothing.
    let seq = ledger.last_seq();
    let again = harvest(&ledger, "aws", &[("b", "B2", &[DOI])]).await;
    assert_eq!((again.added, again.changed), (0, 1));
    assert_eq!((title(&ledger, "cmr.c").await.as_str(), ledger.last_seq()), ("B2", seq + 1));
    assert_eq!(ledger.count().await.unwrap(), 1);
    let twice = decide(&ledger, number, Decision::Apart, "twice").await.unwrap_err();
    assert!(matches!(twice, Error::NotFound { .. }), "{twice}");

    ledger.review_reopen(number, &Actor::application(), "two").await.unwrap();
    let (back, left) = (found(&ledger, "aws.b").await, found(&ledger, "cmr.c").await);
    assert_eq!((back.state, left.state), (State::Published, State::Published));
    assert!(!back.document.contains("replacedBy") && left.also.is_empty(), "{}", back.document);
    assert_eq!((title(&ledger, "aws.b").await.as_str(), title(&ledger, "cmr.c").await.as_str()), ("B2", "C"));
    assert!(back.document.contains(r#""identifier":"aws.b""#), "{}", back.document);
    assert_eq!(ledger.bearers("cmr", &[DOI]).await.unwrap()[DOI][0].identifier, "aws.b");
    assert_eq!(ledger.reviews(10).await.unwrap().len(), 1);
    let third = harvest(&ledger, "aws", &[("b", "B3", &[DOI])]).await;
    assert_eq!((third.changed, title(&ledger, "aws.b").await.as_str()), (1, "B3"));
}

#[tokio::test]
async fn two_keys_of_one_source_that_are_one_record_live_as_long_as_either() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let says: &Says<'_> = &[("a", "A", &[]), ("b", "B", &[])];
    let waiting = run(&ledger, says, case("b", "aws.a")).await;
    decide(&ledger, waiting[0].number, same("aws.a"), "one").await.unwrap();
    assert_eq!((ledger.count().await.unwrap(), title(&ledger, "aws.a").await.as_str()), (1, "A"));
    // The key whose version it is goes: what the other says is left.
    harvest(&ledger, "aws", &[("b", "B", &[])]).await;
    assert_eq!(found(&ledger, "aws.a").await.state, State::Published);
    assert_eq!(title(&ledger, "aws.a").await, "B");
    harvest(&ledger, "aws", says).await;
    assert_eq!(ledger.count().await.unwrap(), 1);
    harvest(&ledger, "aws", &[("a", "A", &[])]).await;
    assert_eq!((ledger.count().await.unwrap(), title(&ledger, "aws.a").await.as_str()), (1, "A"));
    harvest(&ledger, "aws", &[]).await;
    assert_eq!(ledger.count().await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_left_without_words_when_a_decision_is_taken_back_is_a_tombstone() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let waiting = run(&ledger, &[("a", "A", &[]), ("b", "B", &[])], case("b", "aws.a")).await;
    let number = waiting[0].number;
    decide(&ledger, number, same("aws.a"), "one").await.unwrap();
    harvest(&ledger, "aws", &[("b", "B", &[])]).await;
    ledger.review_reopen(number, &Actor::application(), "two").await.unwrap();
    let states = (found(&ledger, "aws.a").await.state, found(&ledger, "aws.b").await.state);
    assert_eq!(states, (State::Withdrawn, State::Published));
    assert_eq!(title(&ledger, "aws.b").await, "B");
    harvest(&ledger, "aws", &[("a", "A", &[]), ("b", "B", &[])]).await;
    assert_eq!((ledger.count().await.unwrap(), title(&ledger, "aws.a").await.as_str()), (2, "A"));
}

#[tokio::test]
async fn nothing_is_decided_while_a_run_speaks_of_it() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    let says: &Says<'_> = &[("a", "A", &[]), ("b", "B", &[])];
    let waiting = run(&ledger, says, case("b", "aws.a")).await;
    let (lease, view) = stage(&ledger, "aws", &[("a", "A2", &[]), ("b", "B2", &[])]).await;
    let early = decide(&ledger, waiting[0].number, same("aws.a"), "early").await.unwrap_err();
    assert!(matches!(early, Error::Conflict(_)) && early.to_string().contains("is not over"), "{early}");
    finish(&ledger, &lease, view).await;
    ledger.run_apply(&lease, false, None).await.unwrap();
    decide(&ledger, waiting[0].number, same("aws.a"), "late").await.unwrap();
    assert_eq!(ledger.count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_name_that_its_home_gave_outlives_one_that_was_given_here() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    source(&ledger, "cmr", 0).await;
    harvest(&ledger, "cmr", &[("c", "C", &[])]).await;
    let first = run(&ledger, &[("b", "B", &[])], case("b", "cmr.c")).await;
    // From now on `aws` speaks for its zone: what it brings has its name from there.
    ledger.source_pin_zone("aws", "go-esa", "https://there.example").await.unwrap();
    decide(&ledger, first[0].number, same("cmr.c"), "one").await.unwrap();
    assert_eq!(found(&ledger, "cmr.c").await.state, State::Withdrawn);
    assert_eq!((found(&ledger, "aws.b").await.state, title(&ledger, "aws.b").await.as_str()), (State::Published, "B"));
    assert_eq!(found(&ledger, "aws.b").await.also, ["cmr"]);
    // Two homes cannot be decided here, nor are records of two kinds one.
    let dataset = Publication { kind: "Dataset".to_owned(), ..publication("set", "1.0.0", r#"{"title":"set"}"#) };
    ledger.publish(dataset).await.unwrap();
    ledger.publish(publication("lab", "1.0.0", r#"{"title":"lab"}"#)).await.unwrap();
    for (key, record, reason) in
        [("b", "esa.sky.set", "both have their names from their own homes"), ("b", "esa.sky.lab", "is no record yet")]
    {
        let identifier = format!("https://doi.org/10.1/{record}");
        let waiting = run(&ledger, &[("b", "B", &[])], Review { identifier, ..case(key, record) }).await;
        let refused = decide(&ledger, waiting.last().unwrap().number, same(record), "refused").await.unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    assert!(audited(&ledger, "refused").await.is_empty());
}

#[tokio::test]
async fn a_key_that_changed_is_proposed_as_a_rename_and_its_record_lives_on_when_that_is_so() {
    let ledger = Ledger::temporary().await.unwrap();
    source(&ledger, "aws", 0).await;
    harvest(&ledger, "aws", &[("old", "Sea ice", &[]), ("a", "A", &[])]).await;
    harvest(&ledger, "aws", &[("new", "Sea ice", &[]), ("a", "A", &[]), ("b", "B", &[])]).await;
    assert_eq!(found(&ledger, "aws.old").await.state, State::Withdrawn);
    let waiting = ledger.reviews(10).await.unwrap();
    let [proposal] = waiting.as_slice() else { panic!("not one proposal: {waiting:?}") };
    assert_eq!((proposal.code.as_str(), proposal.key.as_str()), ("identity.renamed", "new"));
    assert_eq!(proposal.records, ["go-esa/aws.old"]);
    decide(&ledger, proposal.number, same("aws.old"), "one").await.unwrap();
    assert_eq!(
        (found(&ledger, "aws.old").await.state, found(&ledger, "aws.new").await.state),
        (State::Published, State::Withdrawn)
    );
    assert_eq!(ledger.versions(&zone(), &"aws.old".parse().unwrap()).await.unwrap()[0].state, State::Published);
    let next = harvest(&ledger, "aws", &[("new", "Sea ice, revised", &[]), ("a", "A", &[]), ("b", "B", &[])]).await;
    assert_eq!((next.added, next.changed, next.removed), (0, 1, 0));
    assert_eq!(title(&ledger, "aws.old").await, "Sea ice, revised");
    ledger.review_reopen(proposal.number, &Actor::application(), "two").await.unwrap();
    assert_eq!(
        (found(&ledger, "aws.old").await.state, found(&ledger, "aws.new").await.state),
        (State::Withdrawn, State::Published)
    );
}
