//! Launches and their quota.

use catalog_records::{
    Actor, Error, IdempotencyKey, LaunchCreated, LaunchFilter, LaunchQuota, LaunchUpdate, Ledger, NewLaunch,
    StoredOffer,
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
        asked: None,
        offer: None,
        quota: LaunchQuota::of_sessions(quota),
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

fn offers(plan: &str, owner: &str, gpus: u32, seconds: i64) -> Vec<StoredOffer> {
    let expires = jiff::Timestamp::from_millisecond(jiff::Timestamp::now().as_millisecond() + seconds * 1000).unwrap();
    let one = |zone: &str| StoredOffer {
        id: format!("{plan}-{zone}"),
        plan: plan.into(),
        owner: owner.into(),
        body: "{}".into(),
        gpus,
        expires,
    };
    vec![one("a"), one("b")]
}

fn taking(number: u8, owner: &Actor, quota: u32, offer: &str) -> NewLaunch {
    NewLaunch { offer: Some(offer.into()), ..new(number, owner, quota, None) }
}

#[tokio::test]
async fn an_offer_is_taken_once_by_its_owner_with_all_of_its_plan() {
    let ledger = Ledger::temporary().await.unwrap();
    let (ann, bob) = (account(&ledger, "ann", Role::User).await, account(&ledger, "bob", Role::User).await);
    let quota = LaunchQuota::of_sessions(3);
    assert!(ledger.offers_put(offers("p", "ann", 0, 60), quota).await.unwrap());
    assert!(ledger.offers_put(offers("late", "ann", 0, -1), quota).await.unwrap());
    assert_eq!(ledger.offer("p-a", &bob.account).await.unwrap(), None);
    assert_eq!(ledger.offer("p-a", &ann.account).await.unwrap().unwrap().plan, "p");
    assert_eq!(ledger.offer("late-a", &ann.account).await.unwrap(), None);
    let refused = ledger.launch_create(taking(1, &bob, 3, "p-a")).await;
    assert!(matches!(refused, Err(Error::OfferGone)), "{refused:?}");
    ledger.launch_create(taking(2, &ann, 3, "p-a")).await.unwrap();
    for gone in ["p-a", "p-b", "late-a"] {
        let refused = ledger.launch_create(taking(3, &ann, 3, gone)).await;
        assert!(matches!(refused, Err(Error::OfferGone)), "{refused:?}");
    }
}

#[tokio::test]
async fn an_offer_holds_a_place_until_a_newer_wish_of_its_owner_needs_it() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await;
    let quota = LaunchQuota::of_sessions(2);
    // Plans are numbered in their order, which decides within a millisecond.
    for plan in ["plan-1", "plan-2", "plan-3"] {
        assert!(ledger.offers_put(offers(plan, "ann", 0, 60), quota).await.unwrap());
    }
    assert_eq!(ledger.plans_held(&ann.account).await.unwrap(), 2, "never more than the quota");
    assert_eq!(ledger.offer("plan-1-a", &ann.account).await.unwrap(), None, "the oldest made room");
    // A launch without an offer needs a place too; the offer that is left can then be taken without fail.
    ledger.launch_create(new(1, &ann, 2, None)).await.unwrap();
    assert_eq!(ledger.offer("plan-2-a", &ann.account).await.unwrap(), None);
    ledger.launch_create(taking(2, &ann, 2, "plan-3-b")).await.unwrap();
    assert!(!ledger.offers_put(offers("plan-4", "ann", 0, 60), quota).await.unwrap(), "nothing is left to hold");
    assert_eq!(ledger.plans_held(&ann.account).await.unwrap(), 0);
}

#[tokio::test]
async fn gpus_and_places_of_a_datazone_are_counted_in_the_same_transaction() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await;
    let with = |number: u8, gpus: u32, quota: LaunchQuota| {
        let mut new = NewLaunch { quota, ..new(number, &ann, 9, None) };
        new.launch.requested.gpu =
            (gpus > 0).then(|| serde_json::from_value(serde_json::json!({"count": gpus})).unwrap());
        new
    };
    let quota = LaunchQuota { sessions: 9, gpus: 2, zone_sessions: Some(3), zone_gpus: Some(2) };
    ledger.launch_create(with(1, 1, quota)).await.unwrap();
    let refused = ledger.launch_create(with(2, 2, quota)).await;
    assert!(matches!(refused, Err(Error::GpuQuotaExceeded { held: 1, allowed: 2 })), "{refused:?}");
    ledger.launch_create(with(3, 1, quota)).await.unwrap();
    ledger.launch_create(with(4, 0, quota)).await.unwrap();
    let refused = ledger.launch_create(with(5, 0, quota)).await;
    assert!(matches!(refused, Err(Error::QuotaExceeded { running: 3, allowed: 3 })), "{refused:?}");
}
