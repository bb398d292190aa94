//! Namespaces and teams: invite, accept, publish, leave, hand over.

use catalog_schemas::account::{Role, Scope};
use catalog_schemas::group::{GroupKind, NewGroup, Rank};
use catalog_tests::Sandbox;
use catalog_tests::package::{datalab, package};

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_shared_and_handed_over() {
    let sandbox = Sandbox::empty().await;
    let all = [Scope::Admin];
    let ann = sandbox.account("ann", Role::User, &all).await.client;
    let bob = sandbox.account("bob", Role::User, &all).await.client;
    let eve = sandbox.account("eve", Role::User, &all).await.client;
    let lab = |version: &str| package(&datalab("esa.sky.lab", version));
    ann.publish("esa.sky.lab", "1.0.0", lab("1.0.0")).await.unwrap();
    let (kind, name) = (GroupKind::Namespace, "esa.sky");
    let status = |outcome: Result<(), catalog_client::ClientError>| outcome.err().and_then(|error| error.status());

    assert_eq!(bob.publish("esa.sky.lab", "1.1.0", lab("1.1.0")).await.unwrap_err().status(), Some(403));
    assert_eq!(status(bob.group_accept(kind, name).await), Some(404), "nobody invites oneself");
    assert_eq!(status(bob.group_invite(kind, name, "bob", Rank::Owner).await), Some(404), "nor sees who is in it");
    assert_eq!(status(ann.group_invite(kind, name, "nobody", Rank::Member).await), Some(404));
    ann.group_invite(kind, name, "bob", Rank::Member).await.unwrap();
    assert_eq!(
        bob.publish("esa.sky.lab", "1.1.0", lab("1.1.0")).await.unwrap_err().status(),
        Some(403),
        "invited only"
    );
    bob.group_accept(kind, name).await.unwrap();
    assert_eq!(bob.me().await.unwrap().role, Role::Developer);
    bob.publish("esa.sky.lab", "1.1.0", lab("1.1.0")).await.unwrap();

    assert_eq!(status(bob.group_invite(kind, name, "eve", Rank::Member).await), Some(403), "a member invites nobody");
    assert_eq!(status(ann.group_remove(kind, name, "ann").await), Some(409), "the last owner stays");
    assert_eq!(status(ann.group_invite(kind, name, "ann", Rank::Member).await), Some(409));
    ann.group_invite(kind, name, "eve", Rank::Owner).await.unwrap();
    assert_eq!(status(ann.group_remove(kind, name, "ann").await), Some(409), "an owner who only is invited is none");
    eve.group_accept(kind, name).await.unwrap();
    ann.group_remove(kind, name, "ann").await.unwrap();
    assert_eq!(ann.publish("esa.sky.lab", "1.2.0", lab("1.2.0")).await.unwrap_err().status(), Some(403));
    eve.group_remove(kind, name, "bob").await.unwrap();
    assert_eq!(bob.publish("esa.sky.lab", "1.2.0", lab("1.2.0")).await.unwrap_err().status(), Some(403));
    eve.publish("esa.sky.lab", "1.2.0", lab("1.2.0")).await.unwrap();
    let groups = eve.groups(false).await.unwrap().groups;
    assert_eq!((groups.len(), groups[0].members.len(), groups[0].members[0].account.as_str()), (1, 1, "eve"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_is_private_to_its_members() {
    let sandbox = Sandbox::empty().await;
    let ann = sandbox.account("ann", Role::User, &[Scope::Admin]).await.client;
    let bob = sandbox.account("bob", Role::User, &[Scope::Admin]).await.client;
    let reader = sandbox.account("ann", Role::User, &[Scope::Read]).await.client;
    let team = |name: &str| NewGroup { kind: GroupKind::Team, name: name.to_owned(), title: None };
    assert_eq!(reader.group_create(&team("gaia")).await.unwrap_err().status(), Some(403), "reading changes nothing");
    ann.group_create(&team("gaia")).await.unwrap();
    assert_eq!(bob.group_create(&team("gaia")).await.unwrap_err().status(), Some(409));
    for (name, status) in [("staff@esa", 422), ("Gaia Team", 400), ("", 400)] {
        assert_eq!(bob.group_create(&team(name)).await.unwrap_err().status(), Some(status), "{name}");
    }
    assert!(bob.groups(false).await.unwrap().groups.is_empty());
    assert_eq!(bob.groups(true).await.unwrap_err().status(), Some(403), "all groups are for administrators");
    assert_eq!(sandbox.admin().groups(true).await.unwrap().groups.len(), 1);
    assert_eq!(reader.groups(false).await.unwrap().groups[0].name, "gaia");
    let nested = NewGroup { kind: GroupKind::Namespace, name: "esa".to_owned(), title: None };
    ann.group_create(&nested).await.unwrap();
    let below = NewGroup { kind: GroupKind::Namespace, name: "esa.sky".to_owned(), title: None };
    assert_eq!(bob.group_create(&below).await.unwrap_err().status(), Some(403), "below is ann's too");
}
