//! Accounts, tokens, sessions and the trail of what they did.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use catalog_records::{Actor, Credential, Error, IdempotencyKey, Ledger, Settings, StoredAnswer};
use catalog_schemas::account::{NewToken, Role, Scope};

use super::{account, created, publication};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A ledger whose clock the test moves.
async fn clocked() -> (Ledger, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(1_790_000_000_000));
    let clock = Arc::clone(&time);
    let settings = Settings { clock: Arc::new(move || clock.load(Ordering::Relaxed)), ..Settings::default() };
    (Ledger::temporary_with(settings).await.unwrap(), time)
}

fn asked(days: Option<u32>) -> NewToken {
    NewToken {
        name: "mine".into(),
        scopes: vec![Scope::Publish, Scope::Read],
        namespace: Some("esa.sky".into()),
        days,
        account: None,
        role: None,
    }
}

#[tokio::test]
async fn a_token_acts_for_its_account_until_it_ends() {
    let (ledger, time) = clocked().await;
    let ann = "ann".parse().unwrap();
    let token = ledger.token_create(&asked(Some(30)), &ann, &ann, "r").await.unwrap();
    let secret = token.secret.clone().unwrap();
    assert!(secret.starts_with("ald_") && secret.len() == 53);
    let actor = ledger.token_check(&secret).await.unwrap().unwrap();
    let expected = Actor {
        account: ann.clone(),
        role: Role::User,
        scopes: vec![Scope::Publish, Scope::Read],
        namespace: Some("esa.sky".parse().unwrap()),
        credential: Credential::Token(token.id.clone()),
    };
    assert_eq!(actor, expected);
    assert!(!actor.allows(Scope::Moderate) && !actor.allows_publishing(&"esa.lab".parse().unwrap()));
    created(ledger.publish(catalog_records::Publication { actor, ..publication("lab", "1", "{}") }).await.unwrap());
    assert_eq!(ledger.token_check(&secret).await.unwrap().unwrap().role, Role::Developer);

    let listed = ledger.token_list(Some(&ann)).await.unwrap();
    assert_eq!((listed.len(), &listed[0].secret, &listed[0].id), (1, &None, &token.id));
    assert!(listed[0].last_used.is_some());
    ledger.account_change(&ann, (None, Some(true)), &ann, "r").await.unwrap();
    assert_eq!(ledger.token_check(&secret).await.unwrap(), None);
    ledger.account_change(&ann, (None, Some(false)), &ann, "r").await.unwrap();
    time.fetch_add(30 * DAY - 1, Ordering::Relaxed);
    assert!(ledger.token_check(&secret).await.unwrap().is_some());
    time.fetch_add(1, Ordering::Relaxed);
    assert_eq!(ledger.token_check(&secret).await.unwrap(), None);

    let token = ledger.token_create(&asked(None), &ann, &ann, "r").await.unwrap();
    let bob = "bob".parse().unwrap();
    assert!(matches!(ledger.token_revoke(&token.id, Some(&bob), &bob, "r").await, Err(Error::NotFound { .. })));
    ledger.token_revoke(&token.id, Some(&ann), &ann, "r").await.unwrap();
    assert_eq!(ledger.token_check(&token.secret.unwrap()).await.unwrap(), None);
    assert_eq!(ledger.token_check("ald_nonsense").await.unwrap(), None);
}

#[tokio::test]
async fn last_use_is_noted_once_a_minute() {
    let (ledger, time) = clocked().await;
    let ann = "ann".parse().unwrap();
    let secret = ledger.token_create(&asked(None), &ann, &ann, "r").await.unwrap().secret.unwrap();
    let mut noted = Vec::new();
    for step in [0, MINUTE / 2, MINUTE / 2, MINUTE] {
        time.fetch_add(step, Ordering::Relaxed);
        ledger.token_check(&secret).await.unwrap().unwrap();
        // A write that is waited for comes after the note that is not.
        account(&ledger, &format!("step{}", noted.len()), Role::User).await;
        noted.push(ledger.token_list(Some(&ann)).await.unwrap().remove(0).last_used);
    }
    assert_eq!(noted[0], noted[1]);
    assert!(noted[1] < noted[2] && noted[2] < noted[3], "{noted:?}");
}

#[tokio::test]
async fn the_environment_has_one_administrator_token() {
    let ledger = Ledger::temporary().await.unwrap();
    ledger.ensure_admin_token("correct horse battery staple").await.unwrap();
    let entries = ledger.audit(None, 100).await.unwrap().len();
    ledger.ensure_admin_token("correct horse battery staple").await.unwrap();
    assert_eq!(ledger.audit(None, 100).await.unwrap().len(), entries);
    let actor = ledger.token_check("correct horse battery staple").await.unwrap().unwrap();
    assert_eq!(
        (actor.account.as_str(), actor.role, actor.allows(Scope::Moderate)),
        ("admin", Role::Administrator, true)
    );
    ledger.ensure_admin_token("another horse battery staple").await.unwrap();
    assert_eq!(ledger.token_check("correct horse battery staple").await.unwrap(), None);
    assert_eq!(ledger.token_list(None).await.unwrap().len(), 1);
    assert!(matches!(ledger.ensure_admin_token("short").await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn sessions_end_by_idling_by_age_and_by_hand() {
    let (ledger, time) = clocked().await;
    let ann = account(&ledger, "ann", Role::User).await.account;
    let first = ledger.session_create(&ann, ("token", None), None, "r").await.unwrap();
    let second = ledger.session_create(&ann, ("token", None), None, "r").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(ledger.session_check(&first).await.unwrap().unwrap().credential, Credential::Session);
    assert!(ledger.session_end(&first, "r").await.unwrap());
    assert!(!ledger.session_end(&first, "r").await.unwrap());
    assert_eq!(ledger.session_check(&first).await.unwrap(), None);
    for _ in 0..15 {
        time.fetch_add(11 * HOUR, Ordering::Relaxed);
        assert!(ledger.session_check(&second).await.unwrap().is_some());
        // The note of its use is on its way; a write that is waited for comes after it.
        account(&ledger, "other", Role::User).await;
    }
    time.fetch_add(4 * HOUR, Ordering::Relaxed);
    assert_eq!(ledger.session_check(&second).await.unwrap(), None, "7 days old");
    let third = ledger.session_create(&ann, ("token", None), None, "r").await.unwrap();
    time.fetch_add(12 * HOUR, Ordering::Relaxed);
    assert_eq!(ledger.session_check(&third).await.unwrap(), None, "12 hours idle");
    let fourth = ledger.session_create(&ann, ("token", None), None, "r").await.unwrap();
    ledger.session_create(&ann, ("token", None), None, "r").await.unwrap();
    assert_eq!(ledger.session_end_all(&ann, "r").await.unwrap(), 2);
    assert_eq!(ledger.session_check(&fourth).await.unwrap(), None);
}

#[tokio::test]
async fn no_secret_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await.account;
    let token = ledger.token_create(&asked(None), &ann, &ann, "r").await.unwrap().secret.unwrap();
    let session = ledger.session_create(&ann, ("token", None), None, "r").await.unwrap();
    let admin = "an administrator's own secret";
    ledger.ensure_admin_token(admin).await.unwrap();
    ledger.token_check(&token).await.unwrap().unwrap();
    let holds = |needle: &str| {
        let files =
            std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
        files
            .into_iter()
            .any(|path| std::fs::read(path).unwrap().windows(needle.len()).any(|bytes| bytes == needle.as_bytes()))
    };
    assert!(holds("token.create"), "the files are looked at");
    for secret in [&token[..], &token[4..20], &session, admin] {
        assert!(!holds(secret), "{secret} is in the files");
    }
    ledger.close().await;
    assert!(!holds(&token) && !holds(&session) && !holds(admin));
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let (ledger, time) = clocked().await;
    let ann = account(&ledger, "ann", Role::User).await.account;
    let key = |request: &str| IdempotencyKey { key: "k".into(), request: request.into() };
    assert_eq!(ledger.idempotent_answer(&ann, &key("a")).await.unwrap(), None);
    let answer = StoredAnswer { status: 201, body: "{}".into() };
    ledger.keep_answer(&ann, &key("a"), answer.clone()).await.unwrap();
    ledger.keep_answer(&ann, &key("a"), StoredAnswer { status: 500, body: String::new() }).await.unwrap();
    assert_eq!(ledger.idempotent_answer(&ann, &key("a")).await.unwrap(), Some(answer));
    assert!(matches!(ledger.idempotent_answer(&ann, &key("b")).await, Err(Error::IdempotencyMismatch(_))));
    let bob = "bob".parse().unwrap();
    assert_eq!(ledger.idempotent_answer(&bob, &key("b")).await.unwrap(), None, "every account has its own keys");
    time.fetch_add(DAY, Ordering::Relaxed);
    assert_eq!(ledger.idempotent_answer(&ann, &key("b")).await.unwrap(), None);
    ledger.keep_answer(&ann, &key("b"), StoredAnswer { status: 200, body: "b".into() }).await.unwrap();
}

#[tokio::test]
async fn volumes_are_chosen_once() {
    let ledger = Ledger::temporary().await.unwrap();
    let ann = account(&ledger, "ann", Role::User).await.account;
    ledger.my_volume_add(&ann, "pla-legacy", None, "r").await.unwrap();
    ledger.my_volume_add(&ann, "pla-legacy", Some("/data/pla"), "r").await.unwrap();
    let mine = ledger.my_volumes(&ann).await.unwrap();
    assert_eq!((mine.len(), mine[0].mount_path.as_deref()), (1, Some("/data/pla")));
    assert!(ledger.my_volume_remove(&ann, "pla-legacy", "r").await.unwrap());
    assert!(!ledger.my_volume_remove(&ann, "pla-legacy", "r").await.unwrap());
    let trail: Vec<_> =
        ledger.audit(None, 3).await.unwrap().into_iter().map(|entry| (entry.number, entry.action)).collect();
    assert_eq!(trail, [(4, "volume.remove".into()), (3, "volume.add".into()), (2, "volume.add".into())]);
    assert_eq!(ledger.audit(Some(2), 9).await.unwrap().len(), 1);
    assert_eq!(ledger.audit_verify().await.unwrap(), Ok(4));
}
