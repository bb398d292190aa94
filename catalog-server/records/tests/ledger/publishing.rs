//! Publishing, withdrawing, overlaying and following.

use catalog_records::{Actor, Error, IdempotencyKey, Ledger, Publication, PublishOutcome, State};
use catalog_schemas::account::{Role, Scope};
use serde_json::json;

use super::{account, created, packed, publication};

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_racing_publishers_exactly_one_wins() {
    let ledger = Ledger::temporary().await.unwrap();
    for round in 0..5 {
        let racers = (0..50).map(|racer| {
            // Half of them bring the same package, the others one each of their own.
            let bytes = if racer % 2 == 0 { "same".to_owned() } else { format!("other {racer}") };
            let (ledger, publication) = (ledger.clone(), packed("raced", &format!("1.0.{round}"), bytes.as_bytes()));
            tokio::spawn(async move { ledger.publish(publication).await.unwrap() })
        });
        let mut outcomes = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            outcomes.push(racer.await.unwrap());
        }
        let count = |wanted: fn(&PublishOutcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
        assert_eq!(count(|outcome| matches!(outcome, PublishOutcome::Created { .. })), 1);
        let same = count(|outcome| matches!(outcome, PublishOutcome::Same { .. }));
        let conflicts = count(|outcome| matches!(outcome, PublishOutcome::Conflict { .. }));
        assert!(same + conflicts == 49 && (same == 24 || same == 0), "{same} {conflicts}");
    }
    let report = ledger.verify().await.unwrap();
    assert_eq!((report.versions, report.seq, report.audit), (5, 5, 5));
    assert!(report.is_sound(), "{:?}", report.faults);
}

#[tokio::test]
async fn a_version_is_published_once_and_read_back() {
    let ledger = Ledger::temporary().await.unwrap();
    let given = packed("aladin", "1.0.0", b"package");
    let (zone, identifier) = (given.zone.clone(), given.identifier.clone());
    let seq = created(ledger.publish(given.clone()).await.unwrap());
    assert_eq!(ledger.publish(given.clone()).await.unwrap(), PublishOutcome::Same { seq });
    let version = ledger.version(&zone, &identifier, &given.version).await.unwrap().unwrap();
    let digest = version.digest.clone().unwrap();
    assert_eq!((version.state, version.size, version.seq), (State::Published, Some(7), seq));
    assert_eq!(ledger.blob(&digest).await.unwrap().unwrap().as_ref(), b"package");
    let other = ledger.publish(packed("aladin", "1.0.0", b"another")).await.unwrap();
    assert_eq!(other, PublishOutcome::Conflict { existing_digest: digest });
    assert_eq!(*ledger.watch().borrow(), ledger.last_seq());
    assert_eq!(ledger.find_by_identifier(&identifier).await.unwrap().len(), 1);
    assert_eq!(ledger.by_kind("Datalab").await.unwrap()[0].identifier, identifier);
    assert!(ledger.by_kind("Dataset").await.unwrap().is_empty());

    let changed = Publication { kind: "Dataset".to_owned(), ..packed("aladin", "2.0.0", b"x") };
    assert!(matches!(ledger.publish(changed).await, Err(Error::KindChanged { .. })));
    let mut wrong = packed("aladin", "2.0.0", b"x");
    wrong.package.as_mut().unwrap().declared = Some("0".repeat(64));
    assert!(matches!(ledger.publish(wrong).await, Err(Error::DigestMismatch { .. })));
    assert_eq!(ledger.last_seq(), seq);
}

#[tokio::test]
async fn the_current_version_is_the_highest_that_is_not_withdrawn() {
    let ledger = Ledger::temporary().await.unwrap();
    let actor = Actor::application();
    let given = publication("lab", "1.2.0", r#"{"v":2}"#);
    let (zone, identifier) = (given.zone.clone(), given.identifier.clone());
    for (version, document) in [("1.2.0", r#"{"v":2}"#), ("1.10.0", r#"{"v":10}"#), ("1.9.0", r#"{"v":9}"#)] {
        created(ledger.publish(publication("lab", version, document)).await.unwrap());
    }
    let current = async || {
        let record = ledger.record(&zone, &identifier).await.unwrap().unwrap();
        (record.version.to_string(), record.state, record.document)
    };
    assert_eq!(current().await, ("1.10.0".into(), State::Published, r#"{"v":10}"#.into()));
    let version = |text: &str| text.parse().unwrap();
    ledger.withdraw(&zone, &identifier, &version("1.10.0"), "wrong", &actor, "r").await.unwrap();
    assert_eq!(current().await, ("1.9.0".into(), State::Published, r#"{"v":9}"#.into()));
    ledger.set_state(&zone, &identifier, &version("1.9.0"), State::Deprecated, &actor, "r").await.unwrap();
    assert_eq!(current().await, ("1.2.0".into(), State::Published, r#"{"v":2}"#.into()));
    ledger.withdraw(&zone, &identifier, &version("1.2.0"), "old", &actor, "r").await.unwrap();
    assert_eq!(current().await, ("1.9.0".into(), State::Deprecated, r#"{"v":9}"#.into()));
    ledger.withdraw(&zone, &identifier, &version("1.9.0"), "old", &actor, "r").await.unwrap();
    assert_eq!(current().await.1, State::Withdrawn);
    assert_eq!(ledger.count().await.unwrap(), 0);

    let again = ledger.publish(publication("lab", "1.10.0", r#"{"v":10}"#)).await.unwrap();
    assert_eq!(again, PublishOutcome::Withdrawn { reason: Some("wrong".into()) });
    let back = ledger.set_state(&zone, &identifier, &version("1.9.0"), State::Published, &actor, "r").await;
    assert!(matches!(back, Err(Error::Transition { from: State::Withdrawn, .. })), "{back:?}");
    assert!(matches!(
        ledger.withdraw(&zone, &identifier, &version("7"), "none", &actor, "r").await,
        Err(Error::NotFound { what: "version", .. })
    ));
    created(ledger.publish(publication("lab", "2.0.0", r#"{"v":20}"#)).await.unwrap());
    assert_eq!(current().await, ("2.0.0".into(), State::Published, r#"{"v":20}"#.into()));
    let versions: Vec<_> =
        ledger.versions(&zone, &identifier).await.unwrap().into_iter().map(|v| v.version.to_string()).collect();
    assert_eq!(versions, ["2.0.0", "1.9.0", "1.10.0", "1.2.0"]);
}

#[tokio::test]
async fn an_overlay_outlives_new_versions() {
    let ledger = Ledger::temporary().await.unwrap();
    let moderator = account(&ledger, "mod", Role::Moderator).await;
    let given = publication("lab", "1.0.0", r#"{"name":"a","title":"t"}"#);
    let seq = created(ledger.publish(given.clone()).await.unwrap());
    let (zone, identifier) = (&given.zone, &given.identifier);
    let patch = json!({"officialConfirmed": true, "title": null});
    let stale = ledger.overlay(zone, identifier, patch.clone(), Some(seq + 1), &moderator, "r").await;
    assert!(matches!(stale, Err(Error::Changed { .. })), "{stale:?}");
    ledger.overlay(zone, identifier, patch, Some(seq), &moderator, "r").await.unwrap();
    ledger.overlay(zone, identifier, json!({"name": "b"}), None, &moderator, "r").await.unwrap();
    let document = async || ledger.record(zone, identifier).await.unwrap().unwrap().document;
    assert_eq!(document().await, r#"{"name":"b","officialConfirmed":true}"#);
    created(ledger.publish(publication("lab", "1.1.0", r#"{"name":"c","title":"t","x":1}"#)).await.unwrap());
    assert_eq!(document().await, r#"{"name":"b","x":1,"officialConfirmed":true}"#);
    let version = ledger.version(zone, identifier, &given.version).await.unwrap().unwrap();
    assert_eq!(version.document, r#"{"name":"a","title":"t"}"#);
    let what: Vec<_> = ledger.log_after(0, 10).await.unwrap().into_iter().map(|c| c.what).collect();
    assert_eq!(what, ["published", "overlaid", "overlaid", "published"]);
}

#[tokio::test]
async fn an_import_is_followed_record_by_record() {
    let ledger = Ledger::temporary().await.unwrap();
    let all: Vec<_> = (0..6_000).map(|n| publication(&format!("n{n}"), "1", &format!("{{\"n\":{n}}}"))).collect();
    let imported = ledger.import(all.clone()).await.unwrap();
    assert_eq!((imported.created, imported.same, imported.kept, imported.seq), (6_000, 0, 0, 6_000));
    // The same again changes nothing; a new version, a changed one and a new record are told apart.
    let again = ledger.import(all[..700].to_vec()).await.unwrap();
    assert_eq!((again.created, again.same), (0, 700));
    let mixed = vec![
        publication("n0", "2", "{}"),
        publication("n1", "1", "{}"),
        publication("new", "1", "{}"),
        publication("new", "2", "{}"),
    ];
    let mixed = ledger.import(mixed).await.unwrap();
    assert_eq!((mixed.created, mixed.kept), (3, 1));

    let changes = ledger.changes_after(0, 10_000).await.unwrap();
    assert_eq!(changes.len(), 6_001);
    assert!(changes.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let of_first: Vec<_> = changes.iter().filter(|c| c.identifier.name() == "n0").collect();
    assert_eq!((of_first.len(), of_first[0].version.as_ref().unwrap().as_str()), (1, "2"));
    let mut followed = (0, 0);
    loop {
        let page = ledger.changes_after(followed.0, 999).await.unwrap();
        let Some(last) = page.last() else { break };
        followed = (last.seq, followed.1 + page.len());
    }
    assert_eq!(followed, (ledger.last_seq(), 6_001));

    let keys: Vec<_> = all.iter().map(|p| (p.zone.clone(), p.identifier.clone())).collect();
    assert_eq!(ledger.records(&keys).await.unwrap().len(), 6_000);
    let (mut after, mut scanned) = (0, 0);
    loop {
        let page = ledger.scan(after, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        scanned += page.len();
    }
    assert_eq!(scanned, 6_001);
    let report = ledger.verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!((report.versions, report.audit), (6_003, 3));
}

#[tokio::test]
async fn the_first_publisher_owns_the_namespace() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await;
    let bob = account(&ledger, "bob", Role::User).await;
    let admin = account(&ledger, "root", Role::Administrator).await;
    let by = |actor: &Actor, name: &str, version: &str| Publication {
        identifier: name.parse().unwrap(),
        actor: actor.clone(),
        ..publication("x", version, "{}")
    };
    created(ledger.publish(by(&ann, "esa.esdc.lab", "1")).await.unwrap());
    let refused = ledger.publish(by(&bob, "esa.esdc.lab", "2")).await.unwrap_err();
    assert_eq!(refused.to_string(), "`bob` may not publish in the namespace `esa.esdc`");
    assert!(matches!(ledger.publish(by(&bob, "esa.esdc.deep.er.lab", "1")).await, Err(Error::NotAllowed { .. })));
    created(ledger.publish(by(&bob, "esa.lab", "1")).await.unwrap());
    created(ledger.publish(by(&bob, "esa.other.lab", "1")).await.unwrap());
    created(ledger.publish(by(&ann, "esa.esdc.deep.lab", "1")).await.unwrap());
    created(ledger.publish(by(&admin, "esa.esdc.lab", "2")).await.unwrap());
    assert_eq!(ledger.namespaces(&bob.account).await.unwrap(), ["esa".parse().unwrap()]);
    assert!(!ledger.can_publish(&bob.account, &"esa.esdc".parse().unwrap()).await.unwrap());
    assert!(ledger.can_publish(&bob.account, &"free".parse().unwrap()).await.unwrap());
    assert!(ledger.develops(&ann.account, &"esa.esdc.deep.er".parse().unwrap()).await.unwrap());
    let version = "1".parse().unwrap();
    let withdraw = async |actor: &Actor, name: &str| {
        ledger.withdraw(&"go-esa".parse().unwrap(), &name.parse().unwrap(), &version, "because", actor, "r").await
    };
    let refused = withdraw(&bob, "esa.esdc.lab").await.unwrap_err();
    assert_eq!(refused.to_string(), "`bob` may not withdraw in the namespace `esa.esdc`");
    withdraw(&ann, "esa.esdc.lab").await.unwrap();
    let reader = Actor { scopes: vec![Scope::Read], ..admin.clone() };
    assert!(matches!(withdraw(&reader, "esa.lab").await, Err(Error::NotAllowed { .. })));
    withdraw(&admin, "esa.lab").await.unwrap();
    let patch = json!({"officialConfirmed": true});
    let own =
        ledger.overlay(&"go-esa".parse().unwrap(), &"esa.esdc.lab".parse().unwrap(), patch, None, &ann, "r").await;
    assert!(matches!(own, Err(Error::NotAllowed { action: "overlay", .. })), "{own:?}");
    let narrow = Actor { namespace: Some("esa.esdc.deep".parse().unwrap()), ..ann };
    assert!(matches!(ledger.publish(by(&narrow, "esa.esdc.lab", "3")).await, Err(Error::NotAllowed { .. })));
    created(ledger.publish(by(&narrow, "esa.esdc.deep.lab", "3")).await.unwrap());
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let ledger = Ledger::temporary().await.unwrap();
    let keyed = |version: &str, request: &str| Publication {
        idempotency: Some(IdempotencyKey { key: "k".into(), request: request.into() }),
        ..publication("lab", version, "{}")
    };
    let seq = created(ledger.publish(keyed("1", "one")).await.unwrap());
    assert_eq!(ledger.publish(keyed("1", "one")).await.unwrap(), PublishOutcome::Same { seq });
    assert!(matches!(ledger.publish(keyed("2", "two")).await, Err(Error::IdempotencyMismatch(_))));
    assert_eq!(ledger.last_seq(), seq);
}
