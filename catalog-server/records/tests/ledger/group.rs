//! Many writers at once, and writers that go away.

use catalog_records::{Error, Ledger, Publication};

use super::{created, publication};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_does_not_take_its_group_along() {
    let ledger = Ledger::temporary().await.unwrap();
    created(ledger.publish(publication("kind", "1", "{}")).await.unwrap());
    let asked: Vec<_> = (0..200)
        .map(|n| {
            let ledger = ledger.clone();
            let given = if n % 5 == 0 {
                Publication { kind: "Dataset".to_owned(), ..publication("kind", &n.to_string(), "{}") }
            } else {
                publication(&format!("n{n}"), "1", "{}")
            };
            tokio::spawn(async move { (n, ledger.publish(given).await) })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in asked {
        match task.await.unwrap() {
            (n, Ok(outcome)) => {
                assert_ne!(n % 5, 0);
                seqs.push(created(outcome));
            }
            (n, Err(error)) => assert!(n % 5 == 0 && matches!(error, Error::KindChanged { .. }), "{n}: {error}"),
        }
    }
    seqs.sort_unstable();
    // No gap where the refused ones stood: they gave their numbers back.
    assert_eq!(seqs, (2..=161).collect::<Vec<_>>());
    let report = ledger.verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!((report.records, report.audit, report.seq), (161, 161, 161));
}

#[tokio::test]
async fn a_caller_that_goes_away_loses_only_the_answer() {
    let ledger = Ledger::temporary().await.unwrap();
    let mut committed = ledger.watch();
    let asked = ledger.clone();
    let task = tokio::spawn(async move { asked.publish(publication("lab", "1", "{}")).await });
    tokio::task::yield_now().await;
    task.abort();
    // Whether it was aborted before it asked or after is a race; what is there is whole either way.
    drop(tokio::time::timeout(std::time::Duration::from_millis(200), committed.changed()).await);
    created(ledger.publish(publication("lab", "2", "{}")).await.unwrap());
    assert!(ledger.verify().await.unwrap().is_sound());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).await.unwrap();
    let seq = created(ledger.publish(publication("lab", "1", "{}")).await.unwrap());
    ledger.close().await;
    assert!(matches!(ledger.publish(publication("lab", "2", "{}")).await, Err(Error::Closed)));
    let ledger = Ledger::open(folder.path()).await.unwrap();
    assert_eq!((ledger.last_seq(), ledger.count().await.unwrap()), (seq, 1));
}
