//! Launches and their quota.

use catalog_records::{
    Actor, Error, IdempotencyKey, LaunchCreated, LaunchFilter, LaunchUpdate, Ledger, NewLaunch, StoredOffer,
};
use catalog_schemas::account::Role;
use catalog_schemas::id::LaunchId;
use catalog_schemas::launch::{Launch, LaunchState};

use super::account;

fn launch(number: u8, owner: &Actor) -> Launch {
    serde_json::from_value(serde_json::json!({
        "id": LaunchId::from_bytes([number; 16]), "name": "lab", "owner": owner.account.as_str(), "datalab": "x", "datalabName": "x",
        "version": "1", "datazone": "demo", "interfaceType": "web", "state": "requested", "requested": {},
        "created": "2026-01-01T00:00:00Z"
    }))
    .unwrap()
}

fn new(number: u8, owner: &Actor, quota: u32, key: Option<&str>) -> NewLaunch {
    NewLaunch {
        launch: launch(number, owner),
        spec: "{}".into(),
        quota,
        idempotency: key.map(|key| IdempotencyKey { key: key.into(), request: "same".into() }),
        actor: owner.clone(),
        request: "r".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_get_exactly_the_quota() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await;
    let asked: Vec<_> = (0..50)
        .map(|number| {
            let (ledger, new) = (ledger.clone(), new(number, &ann, 3, None));
            tokio::spawn(async move { ledger.launch_create(new).await })
        })
        .collect();
    let (mut recorded, mut refused) = (0, 0);
    for task in asked {
        match task.await.unwrap() {
            Ok(LaunchCreated::New(_)) => recorded += 1,
            Err(Error::QuotaExceeded { running: 3, allowed: 3 }) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((recorded, refused, ledger.live_count(&ann.account).await.unwrap()), (3, 47, 3));
    // What is over makes room; another owner has a quota of their own.
    let over = ledger.live_launches().await.unwrap().remove(0).launch;
    let ended = Launch { state: LaunchState::Cancelled, ..over.clone() };
    let update = LaunchUpdate { id: over.id, expected: vec![], launch: ended, handle: None, message: None, by: None };
    ledger.launch_update(update).await.unwrap();
    ledger.launch_create(new(100, &ann, 3, None)).await.unwrap();
    let bob = account(&ledger, "bob", Role::User).await;
    ledger.launch_create(new(101, &bob, 1, None)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_times_the_same_request_is_one_launch() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await;
    let asked: Vec<_> = (0..20)
        .map(|number| {
            let (ledger, new) = (ledger.clone(), new(number, &ann, 3, Some("double-click")));
            tokio::spawn(async move { ledger.launch_create(new).await.unwrap() })
        })
        .collect();
    let (mut ids, mut recorded) = (std::collections::HashSet::new(), 0);
    for task in asked {
        ids.insert(match task.await.unwrap() {
            LaunchCreated::New(stored) => {
                recorded += 1;
                stored.launch.id
            }
            LaunchCreated::Existing(stored) => stored.launch.id,
        });
    }
    assert_eq!((recorded, ids.len()), (1, 1));
}

#[tokio::test]
async fn a_change_expects_a_state() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await;
    let LaunchCreated::New(stored) = ledger.launch_create(new(1, &ann, 3, None)).await.unwrap() else {
        panic!("not new")
    };
    let to = |from: &[LaunchState], state, message: Option<&str>| LaunchUpdate {
        id: stored.launch.id.clone(),
        expected: from.to_vec(),
        launch: Launch { state, expires: Some("2026-01-02T00:00:00Z".into()), ..stored.launch.clone() },
        handle: Some("container-1".into()),
        message: message.map(str::to_owned),
        by: Some((ann.clone(), "r2".into())),
    };
    let ready =
        ledger.launch_update(to(&[LaunchState::Requested], LaunchState::Ready, Some("it answers"))).await.unwrap();
    assert_eq!((ready.launch.state, ready.handle.as_deref()), (LaunchState::Ready, Some("container-1")));
    assert_eq!(ready.expires.unwrap().to_string(), "2026-01-02T00:00:00Z");
    let late = ledger.launch_update(to(&[LaunchState::Requested], LaunchState::Failed, None)).await;
    assert!(matches!(late, Err(Error::LaunchState { found: LaunchState::Ready, .. })), "{late:?}");
    let same = ledger.launch_update(to(&[], LaunchState::Ready, None)).await.unwrap();
    assert_eq!(same.entered, ready.entered, "progress does not move the time of the state");
    ledger.launch_update(to(&[], LaunchState::Completed, Some("it ended"))).await.unwrap();
    let entry = ledger.audit(None, 1).await.unwrap().remove(0);
    assert_eq!((entry.action.as_str(), entry.account.as_str(), entry.request.as_str()), ("launch.state", "ann", "r2"));
    assert!(entry.before.is_some() && entry.after.is_some() && entry.before != entry.after);
    let undead = ledger.launch_update(to(&[], LaunchState::Running, None)).await;
    assert!(matches!(undead, Err(Error::LaunchState { found: LaunchState::Completed, .. })), "{undead:?}");

    let events = ledger.launch_events(&stored.launch.id, 1).await.unwrap();
    let events: Vec<_> = events.iter().map(|event| (event.number, event.state, event.message.as_str())).collect();
    assert_eq!(events, [(2, LaunchState::Ready, "it answers"), (3, LaunchState::Completed, "it ended")]);
    assert!(ledger.live_launches().await.unwrap().is_empty());
    let id = stored.launch.id.as_str();
    assert!(ledger.launch_log(id).await.unwrap().is_empty());
    ledger.launch_log_keep(id, &["one".into()]).await.unwrap();
    ledger.launch_log_keep(id, &["one".into(), "two".into()]).await.unwrap();
    assert_eq!(ledger.launch_log(id).await.unwrap(), ["one", "two"]);
    assert!(matches!(ledger.launch_log_keep("none", &[]).await, Err(Error::NotFound { .. })));
    let filter =
        LaunchFilter { owner: Some(ann.account.clone()), datazone: Some("demo".into()), ..LaunchFilter::default() };
    assert_eq!(ledger.launches(&filter).await.unwrap().len(), 1);
    assert!(ledger.launches(&LaunchFilter { live: true, ..filter }).await.unwrap().is_empty());
    assert_eq!(ledger.launch(&stored.launch.id).await.unwrap().unwrap().launch.state, LaunchState::Completed);
    assert_eq!(ledger.launch("none").await.unwrap(), None);
}

#[tokio::test]
async fn an_offer_is_taken_once_by_its_owner() {
    let ledger = Ledger::temporary().await.unwrap();
    let (ann, bob) = ("ann".parse().unwrap(), "bob".parse().unwrap());
    let expires = jiff::Timestamp::from_millisecond(jiff::Timestamp::now().as_millisecond() + 60_000).unwrap();
    let offer = StoredOffer { id: "o1".into(), owner: "ann".into(), body: "{}".into(), expires };
    ledger.offer_put(offer.clone()).await.unwrap();
    ledger
        .offer_put(StoredOffer { id: "o2".into(), expires: jiff::Timestamp::UNIX_EPOCH, ..offer.clone() })
        .await
        .unwrap();
    assert_eq!(ledger.offer_take("o1", &bob).await.unwrap(), None);
    assert_eq!(ledger.offer_take("o1", &ann).await.unwrap(), Some(offer));
    assert_eq!(ledger.offer_take("o1", &ann).await.unwrap(), None);
    assert_eq!(ledger.offer_take("o2", &ann).await.unwrap(), None);
}
