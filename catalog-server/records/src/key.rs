//! Public keys of namespaces: whose signature a package may carry.

use catalog_schemas::account::{Role, Scope};
use catalog_schemas::id::Namespace;
use jiff::Timestamp;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteRow;

use crate::account::Actor;
use crate::error::Error;
use crate::group;
use crate::open::Ledger;
use crate::row::{Database, column, optional_time, sha256, time};
use crate::writer::{Operation, Writing};

/// Keys that a namespace may have, revoked ones included.
const MOST: i64 = 50;

/// A key that belongs to a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceKey {
    /// Names it: the first half of the hash of its public key.
    pub id: String,
    /// The namespace whose packages it may sign, and those of namespaces below it whose owners include all of this one.
    pub namespace: String,
    /// What its owner calls it.
    pub name: String,
    /// The public key in multibase.
    pub public_key: String,
    /// Who registered it.
    pub account: String,
    /// When.
    pub created: Timestamp,
    /// When it was revoked; what it signed before stays signed.
    pub revoked: Option<Timestamp>,
}

/// A key to be registered; the caller has seen that it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The namespace.
    pub namespace: Namespace,
    /// What its owner calls it.
    pub name: String,
    /// The public key in multibase.
    pub public_key: String,
}

fn key(row: &SqliteRow) -> Result<NamespaceKey, Error> {
    Ok(NamespaceKey {
        id: column(row, "id")?,
        namespace: column(row, "namespace")?,
        name: column(row, "name")?,
        public_key: column(row, "public_key")?,
        account: column(row, "account")?,
        created: time(row, "created")?,
        revoked: optional_time(row, "revoked")?,
    })
}

struct Register {
    key: NewKey,
    actor: Actor,
    request: String,
}

/// Refuses whoever does not own this very namespace and administers nothing.
async fn require_owner(writing: &mut Writing, actor: &Actor, namespace: &str) -> Result<(), Error> {
    let owners = group::owners(writing.look(), namespace).await?;
    let may = actor.role >= Role::Administrator && actor.allows(Scope::Admin)
        || owners.contains(&actor.account) && actor.allows(Scope::Publish);
    let bound = actor.namespace.as_ref().is_none_or(|bound| bound.as_str() == namespace);
    if may && bound {
        return Ok(());
    }
    let (account, namespace) = (actor.account.to_string(), namespace.to_owned());
    Err(Error::NotAllowed { account, action: "manage keys", namespace })
}

impl Operation for Register {
    type Answer = NamespaceKey;

    async fn run(self, writing: &mut Writing) -> Result<NamespaceKey, Error> {
        let NewKey { namespace, name, public_key } = &self.key;
        writing.connection().await?;
        require_owner(writing, &self.actor, namespace.as_str()).await?;
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM namespace WHERE name = $1")
            .bind(namespace.as_str())
            .fetch_optional(writing.look())
            .await?;
        if found.is_none() {
            return Err(Error::not_found("namespace", namespace.as_str()));
        }
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM namespace_key WHERE namespace = $1")
            .bind(namespace.as_str())
            .fetch_one(writing.look())
            .await?;
        if count >= MOST {
            return Err(Error::Refused(format!("a namespace has at most {MOST} keys")));
        }
        let id = sha256(format!("{namespace}\n{public_key}").as_bytes())[..16].to_owned();
        let now = writing.now;
        let written = sqlx::query(
            "INSERT INTO namespace_key (id, namespace, name, public_key, account, created) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT DO NOTHING",
        )
        .bind(id.as_str())
        .bind(namespace.as_str())
        .bind(name.as_str())
        .bind(public_key.as_str())
        .bind(self.actor.account.as_str())
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        if written.rows_affected() == 0 {
            return Err(Error::Refused(format!(
                "the namespace `{namespace}` has this key already, or had it and revoked it"
            )));
        }
        let subject = format!("{namespace}/{id}");
        let hash = sha256(public_key.as_bytes());
        writing.audit(self.actor.account.as_str(), "key.register", &subject, (None, Some(&hash)), &self.request);
        let row = sqlx::query("SELECT * FROM namespace_key WHERE id = $1").bind(id).fetch_one(writing.look()).await?;
        key(&row)
    }
}

struct Revoke {
    id: String,
    actor: Actor,
    request: String,
}

impl Operation for Revoke {
    type Answer = NamespaceKey;

    async fn run(self, writing: &mut Writing) -> Result<NamespaceKey, Error> {
        let row = sqlx::query("SELECT * FROM namespace_key WHERE id = $1")
            .bind(self.id.as_str())
            .fetch_optional(writing.connection().await?)
            .await?
            .ok_or_else(|| Error::not_found("key", self.id.as_str()))?;
        let mut found = key(&row)?;
        drop(row);
        require_owner(writing, &self.actor, &found.namespace).await?;
        if found.revoked.is_some() {
            return Ok(found);
        }
        let now = writing.now;
        sqlx::query("UPDATE namespace_key SET revoked = $2 WHERE id = $1")
            .bind(self.id.as_str())
            .bind(now)
            .execute(writing.connection().await?)
            .await?;
        found.revoked = Timestamp::from_millisecond(now).ok();
        let subject = format!("{}/{}", found.namespace, found.id);
        let hash = sha256(found.public_key.as_bytes());
        writing.audit(self.actor.account.as_str(), "key.revoke", &subject, (Some(&hash), None), &self.request);
        Ok(found)
    }
}

impl Ledger {
    /// Registers a key of a namespace.
    pub async fn key_register(&self, key: NewKey, actor: &Actor, request: &str) -> Result<NamespaceKey, Error> {
        self.write(Register { key, actor: actor.clone(), request: request.to_owned() }).await
    }

    /// Revokes a key; revoking it again is the same as once.
    pub async fn key_revoke(&self, id: &str, actor: &Actor, request: &str) -> Result<NamespaceKey, Error> {
        self.write(Revoke { id: id.to_owned(), actor: actor.clone(), request: request.to_owned() }).await
    }

    /// Lists the keys that may sign packages of a namespace, revoked ones included: its own, and those of the namespaces
    /// above it whose owners all own this one too: nobody who has no say here gives it a key.
    pub async fn keys_of(&self, namespace: &Namespace) -> Result<Vec<NamespaceKey>, Error> {
        let mut connection = self.readers().acquire().await?;
        let owners = group::owners(&mut connection, namespace.as_str()).await?;
        let mut names = Vec::new();
        let mut prefix = Some(namespace.as_str());
        while let Some(name) = prefix {
            let above = group::owners(&mut connection, name).await?;
            if !above.is_empty() && above.iter().all(|owner| owners.contains(owner)) {
                names.push(name);
            }
            prefix = name.rsplit_once('.').map(|(before, _)| before);
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<Database>::new("SELECT * FROM namespace_key WHERE namespace IN (");
        let mut separated = query.separated(", ");
        for name in names {
            separated.push_bind(name);
        }
        query.push(") ORDER BY created, id");
        query.build().fetch_all(&mut *connection).await?.iter().map(key).collect()
    }

    /// Lists every key of every namespace that begins with one of these names.
    pub async fn keys(&self, namespaces: &[Namespace]) -> Result<Vec<NamespaceKey>, Error> {
        let rows = sqlx::query("SELECT * FROM namespace_key ORDER BY namespace, created, id")
            .fetch_all(self.readers())
            .await?;
        let keys: Vec<NamespaceKey> = rows.iter().map(key).collect::<Result<_, _>>()?;
        Ok(keys.into_iter().filter(|key| namespaces.iter().any(|name| name.as_str() == key.namespace)).collect())
    }
}
