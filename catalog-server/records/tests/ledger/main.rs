//! The ledger from outside: what is promised about races, crashes, damage and secrets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should fail at once")]

mod crash;
mod damage;
mod group;
mod harvest;
mod launches;
mod model;
mod people;
mod publishing;
mod review;

use bytes::Bytes;
use catalog_records::{Actor, Ledger, Package, Publication, PublishOutcome};
use catalog_schemas::account::Role;

/// A publication of `esa.sky.{name}` without a package.
fn publication(name: &str, version: &str, document: &str) -> Publication {
    Publication {
        zone: "go-esa".parse().unwrap(),
        identifier: format!("esa.sky.{name}").parse().unwrap(),
        version: version.parse().unwrap(),
        kind: "Datalab".to_owned(),
        document: document.to_owned(),
        package: None,
        source: "go-esa".to_owned(),
        actor: Actor::application(),
        idempotency: None,
        request: "request-1".to_owned(),
        standing: catalog_records::Standing::default(),
    }
}

/// The same with a package of these bytes.
fn packed(name: &str, version: &str, bytes: &[u8]) -> Publication {
    let package = Package { bytes: Bytes::copy_from_slice(bytes), declared: None, file_name: None };
    Publication { package: Some(package), ..publication(name, version, "{}") }
}

fn created(outcome: PublishOutcome) -> u64 {
    match outcome {
        PublishOutcome::Created { seq } => seq,
        other => panic!("not created but {other:?}"),
    }
}

/// An account and its actor.
async fn account(ledger: &Ledger, name: &str, role: Role) -> Actor {
    let name = name.parse().unwrap();
    ledger.ensure_account(&name, role, &Actor::application().account, "test").await.unwrap();
    Actor { account: name, role, ..Actor::application() }
}
