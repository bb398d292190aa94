//! Accounts, namespaces, and who may publish where.

use catalog_schemas::account::{Role, Scope};
use catalog_schemas::id::{Identifier, Namespace};
use catalog_schemas::people::AccountView;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::error::Error;
use crate::group;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{Connection, column, optional_time, parsed, time, word};
use crate::writer::{Operation, Writing};

/// Somebody who acts: an account and what its credential allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account.
    pub account: AccountName,
    /// Its role; a user who owns a namespace is a developer.
    pub role: Role,
    /// What the credential allows; everything the account may do when it holds [`Scope::Admin`].
    pub scopes: Vec<Scope>,
    /// The only namespace that the credential may publish into.
    pub namespace: Option<Namespace>,
    /// How it proved who it is.
    pub credential: Credential,
}

/// How an actor proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// With the token of this id.
    Token(String),
    /// With a session of the portal.
    Session,
    /// It is the platform itself.
    Platform,
}

impl Actor {
    /// Returns the platform itself.
    pub fn application() -> Self {
        Self {
            account: AccountName::application(),
            role: Role::Application,
            scopes: vec![Scope::Admin],
            namespace: None,
            credential: Credential::Platform,
        }
    }

    /// Says whether the credential allows this; what the account itself may do is another question.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Says whether the credential allows publishing this record; who owns its namespace is another question.
    pub fn allows_publishing(&self, identifier: &Identifier) -> bool {
        self.allows(Scope::Publish) && self.namespace.as_ref().is_none_or(|namespace| namespace.holds(identifier))
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// Its role, without what owning a namespace adds.
    pub role: Role,
    /// What is shown.
    pub display_name: Option<String>,
    /// Whether none of its tokens and sessions count.
    pub suspended: bool,
    /// When it was made.
    pub created: Timestamp,
}

pub(crate) fn account(row: &SqliteRow) -> Result<Account, Error> {
    Ok(Account {
        name: parsed(row, "name")?,
        role: word(row, "role", Role::from_word)?,
        display_name: column(row, "display_name")?,
        suspended: column::<i64>(row, "suspended")? != 0,
        created: time(row, "created")?,
    })
}

/// Returns the role that an account acts in: owning a namespace makes a user a developer.
pub(crate) fn acting(role: Role, owns: bool) -> Role {
    if owns { role.max(Role::Developer) } else { role }
}

/// Refuses an actor that may not publish this record; gives a namespace that nobody owns to the first who publishes.
pub(crate) async fn require_publisher(
    writing: &mut Writing,
    actor: &Actor,
    identifier: &Identifier,
) -> Result<(), Error> {
    let namespace = identifier.namespace();
    let refused =
        |action| Error::NotAllowed { account: actor.account.to_string(), action, namespace: namespace.to_string() };
    if !actor.allows_publishing(identifier) {
        return Err(refused("publish with this token"));
    }
    if !writing.owners.contains_key(&namespace) {
        let found = group::developers(writing.look(), namespace.as_str()).await?;
        writing.owners.insert(namespace.clone(), found);
    }
    match writing.owners.get(&namespace).and_then(Option::as_ref) {
        Some(developers) if developers.contains(&actor.account) => Ok(()),
        Some(_) if actor.role >= Role::Administrator => Ok(()),
        Some(_) => Err(refused("publish")),
        None if actor.role == Role::Anonymous => Err(refused("publish")),
        None => group::claim(writing, &namespace, &actor.account).await,
    }
}

/// Says whether an actor moderates.
pub(crate) fn moderates(actor: &Actor) -> bool {
    actor.role >= Role::Moderator && actor.allows(Scope::Moderate)
}

/// Says whether an actor decides about a record's namespace with this credential.
pub(crate) async fn develops(writing: &mut Writing, actor: &Actor, identifier: &Identifier) -> Result<bool, Error> {
    if !actor.allows_publishing(identifier) {
        return Ok(false);
    }
    let developers = group::developers(writing.look(), identifier.namespace().as_str()).await?;
    Ok(developers.is_some_and(|developers| developers.contains(&actor.account)))
}

/// Writes an account unless there is one; says whether it wrote.
pub(crate) async fn ensure(writing: &mut Writing, name: &AccountName, role: Role) -> Result<bool, Error> {
    let now = writing.now;
    let written =
        sqlx::query("INSERT INTO account (name, role, created) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING")
            .bind(name.as_str())
            .bind(role.as_str())
            .bind(now)
            .execute(writing.connection().await?)
            .await?;
    Ok(written.rows_affected() == 1)
}

struct Ensure {
    name: AccountName,
    role: Role,
    by: AccountName,
    request: String,
}

impl Operation for Ensure {
    type Answer = Account;

    async fn run(self, writing: &mut Writing) -> Result<Account, Error> {
        if self.role == Role::Anonymous {
            return Err(Error::Refused("an account cannot be anonymous".to_owned()));
        }
        if ensure(writing, &self.name, self.role).await? {
            writing.audit(self.by.as_str(), "account.create", self.name.as_str(), (None, None), &self.request);
        }
        find(writing.connection().await?, &self.name).await
    }
}

pub(crate) async fn find(connection: &mut Connection, name: &AccountName) -> Result<Account, Error> {
    let row =
        sqlx::query("SELECT * FROM account WHERE name = $1").bind(name.as_str()).fetch_optional(connection).await?;
    row.map_or_else(|| Err(Error::not_found("account", name.as_str())), |row| account(&row))
}

struct Change {
    name: AccountName,
    role: Option<Role>,
    suspended: Option<bool>,
    by: AccountName,
    request: String,
}

impl Operation for Change {
    type Answer = Account;

    async fn run(self, writing: &mut Writing) -> Result<Account, Error> {
        let mut account = find(writing.connection().await?, &self.name).await?;
        if account.role == Role::Application {
            return Err(Error::Forbidden("the platform's own account is not changed".to_owned()));
        }
        let before = account.clone();
        account.role = self.role.unwrap_or(account.role);
        account.suspended = self.suspended.unwrap_or(account.suspended);
        let administers = |account: &Account| account.role == Role::Administrator && !account.suspended;
        if administers(&before) && !administers(&account) {
            let others: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM account WHERE role = 'administrator' AND suspended = 0 AND name <> $1",
            )
            .bind(self.name.as_str())
            .fetch_one(writing.connection().await?)
            .await?;
            if others == 0 {
                return Err(Error::Conflict("the last administrator stays one: make another first".to_owned()));
            }
        }
        sqlx::query("UPDATE account SET role = $2, suspended = $3 WHERE name = $1")
            .bind(self.name.as_str())
            .bind(account.role.as_str())
            .bind(i64::from(account.suspended))
            .execute(writing.connection().await?)
            .await?;
        // Another role or none at all means another session: what was seen of the old one is worth nothing.
        if before.role != account.role || account.suspended {
            sqlx::query("DELETE FROM session WHERE account = $1")
                .bind(self.name.as_str())
                .execute(writing.connection().await?)
                .await?;
        }
        let action = match self.suspended {
            Some(true) => "account.suspend",
            Some(false) => "account.resume",
            None => "account.role",
        };
        // Role and suspension in one request are one change: both, or neither.
        let roles = (Some(before.role.as_str()), Some(account.role.as_str()));
        writing.audit(self.by.as_str(), action, self.name.as_str(), roles, &self.request);
        Ok(account)
    }
}

impl Ledger {
    /// Returns an account, made with this role when there is none.
    pub async fn ensure_account(
        &self,
        name: &AccountName,
        role: Role,
        by: &AccountName,
        request: &str,
    ) -> Result<Account, Error> {
        self.write(Ensure { name: name.clone(), role, by: by.clone(), request: request.to_owned() }).await
    }

    /// Gives an account another role, suspends it so that none of its tokens and sessions count, or lets it back.
    pub async fn account_change(
        &self,
        name: &AccountName,
        (role, suspended): (Option<Role>, Option<bool>),
        by: &AccountName,
        request: &str,
    ) -> Result<Account, Error> {
        let (name, by, request) = (name.clone(), by.clone(), request.to_owned());
        self.write(Change { name, role, suspended, by, request }).await
    }

    /// Finds an account.
    pub async fn account(&self, name: &AccountName) -> Result<Option<Account>, Error> {
        let row = sqlx::query("SELECT * FROM account WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| account(&row)).transpose()
    }

    /// Lists the accounts by name, without the platform's own, as an administrator sees them.
    pub async fn account_views(&self) -> Result<Vec<AccountView>, Error> {
        let rows = sqlx::query(
            "SELECT a.*, EXISTS (SELECT 1 FROM password p WHERE p.account = a.name) AS has_password, \
             (SELECT GROUP_CONCAT(i.issuer, ' ') FROM identity i WHERE i.account = a.name) AS issuers, \
             (SELECT MAX(s.last_seen) FROM session s WHERE s.account = a.name) AS last_seen \
             FROM account a WHERE a.role <> 'application' ORDER BY a.name",
        )
        .fetch_all(self.readers())
        .await?;
        let view = |row: &SqliteRow| -> Result<AccountView, Error> {
            let Account { name, role, display_name, suspended, created } = account(row)?;
            let issuers: Option<String> = column(row, "issuers")?;
            Ok(AccountView {
                name: name.to_string(),
                display_name,
                role,
                suspended,
                created: created.to_string(),
                has_password: column::<i64>(row, "has_password")? != 0,
                issuers: issuers.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
                last_seen: optional_time(row, "last_seen")?.map(|time| time.to_string()),
            })
        };
        rows.iter().map(view).collect()
    }

    /// Lists the namespaces that an account develops in, by name.
    pub async fn namespaces(&self, name: &AccountName) -> Result<Vec<Namespace>, Error> {
        let query = "SELECT name FROM member WHERE kind = 'namespace' AND account = $1 AND accepted = 1 ORDER BY name";
        let rows = sqlx::query(query).bind(name.as_str()).fetch_all(self.readers()).await?;
        rows.iter().map(|row| parsed(row, "name")).collect()
    }

    /// Says whether an account may publish into a namespace: one it develops in, one that nobody has, or any for an
    /// administrator. The answer is advice for a form; publishing asks again within its own transaction.
    pub async fn can_publish(&self, name: &AccountName, namespace: &Namespace) -> Result<bool, Error> {
        let Some(account) = self.account(name).await? else { return Ok(false) };
        let developers = group::developers(&mut *self.readers().acquire().await?, namespace.as_str()).await?;
        let may = account.role >= Role::Administrator || developers.is_none_or(|known| known.contains(name));
        Ok(may && !account.suspended)
    }
}
