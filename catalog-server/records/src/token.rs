//! Tokens: made once, shown once, kept as hashes.

use catalog_schemas::account::{NewToken, Role, Scope, Token};
use sqlx::sqlite::SqliteRow;

use crate::account::{self, Actor, Credential};
use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{column, optional_time, parsed, time, word};
use crate::secret;
use crate::writer::{Operation, Writing};

/// How old the noted last use may be: a token in constant use costs one write a minute.
pub(crate) const NOTED: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// The id of the administrator's token that the environment gives.
const FROM_ENVIRONMENT: &str = "environment";
/// The account of the administrator's token that the environment gives.
const ADMINISTRATOR: &str = "admin";

pub(crate) struct Create {
    pub(crate) id: String,
    pub(crate) hash: String,
    pub(crate) account: AccountName,
    pub(crate) asked: NewToken,
    pub(crate) by: AccountName,
    pub(crate) request: String,
}

impl Operation for Create {
    type Answer = Token;

    async fn run(self, writing: &mut Writing) -> Result<Token, Error> {
        let is_new = account::ensure(writing, &self.account, self.asked.role.unwrap_or(Role::User)).await?;
        let now = writing.now;
        sqlx::query(
            "INSERT INTO token (id, account, name, hash, scopes, namespace, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(self.id.as_str())
        .bind(self.account.as_str())
        .bind(self.asked.name.as_str())
        .bind(self.hash.as_str())
        .bind(scopes_text(&self.asked.scopes))
        .bind(self.asked.namespace.as_deref())
        .bind(now)
        .bind(self.asked.days.map(|days| now + i64::from(days) * DAY))
        .execute(writing.connection().await?)
        .await?;
        let subject = format!("{}/{}", self.account, self.id);
        // One deed, one line: an account that is made for a token says so in it.
        let after = is_new.then_some("with its account");
        writing.audit(self.by.as_str(), "token.create", &subject, (None, after), &self.request);
        let row = sqlx::query("SELECT * FROM token WHERE id = $1")
            .bind(self.id)
            .fetch_one(writing.connection().await?)
            .await?;
        token(&row)
    }
}

struct Revoke {
    id: String,
    account: Option<AccountName>,
    by: AccountName,
    request: String,
}

impl Operation for Revoke {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let now = writing.now;
        let revoked = sqlx::query(
            "UPDATE token SET revoked = $2 WHERE id = $1 AND revoked IS NULL AND account = COALESCE($3, account)",
        )
        .bind(self.id.as_str())
        .bind(now)
        .bind(self.account.as_ref().map(AccountName::as_str))
        .execute(writing.connection().await?)
        .await?;
        if revoked.rows_affected() == 0 {
            return Err(Error::not_found("token", self.id));
        }
        writing.audit(self.by.as_str(), "token.revoke", &self.id, (None, None), &self.request);
        Ok(())
    }
}

struct EnsureAdministrator {
    hash: String,
}

impl Operation for EnsureAdministrator {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let known = sqlx::query("SELECT 1 FROM token WHERE id = $1 AND hash = $2 AND revoked IS NULL")
            .bind(FROM_ENVIRONMENT)
            .bind(self.hash.as_str())
            .fetch_optional(writing.connection().await?)
            .await?;
        if known.is_some() {
            return Ok(());
        }
        let name: AccountName =
            ADMINISTRATOR.parse().map_err(|error| Error::Invalid { column: "account", detail: format!("{error}") })?;
        account::ensure(writing, &name, Role::Administrator).await?;
        let now = writing.now;
        sqlx::query(
            "INSERT INTO token (id, account, name, hash, scopes, created) VALUES ($1, $2, $3, $4, 'admin', $5) \
             ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, created = excluded.created, revoked = NULL",
        )
        .bind(FROM_ENVIRONMENT)
        .bind(ADMINISTRATOR)
        .bind("administrator token from the environment")
        .bind(self.hash.as_str())
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        writing.audit(AccountName::application().as_str(), "token.create", "admin/environment", (None, None), "start");
        Ok(())
    }
}

struct NoteUse {
    id: String,
    at: i64,
}

impl Operation for NoteUse {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        sqlx::query("UPDATE token SET last_used = $2 WHERE id = $1 AND COALESCE(last_used, 0) < $2")
            .bind(self.id)
            .bind(self.at)
            .execute(writing.connection().await?)
            .await?;
        Ok(())
    }
}

impl Ledger {
    /// Makes a token for an account, and the account when there is none; the secret is in the answer and nowhere else.
    pub async fn token_create(
        &self,
        asked: &NewToken,
        account: &AccountName,
        by: &AccountName,
        request: &str,
    ) -> Result<Token, Error> {
        if !(1..=100).contains(&asked.name.chars().count()) {
            return Err(Error::Refused("a token's name has 1 to 100 characters".to_owned()));
        }
        if asked.scopes.is_empty() {
            return Err(Error::Refused("a token has at least one scope".to_owned()));
        }
        if asked.days.is_some_and(|days| !(1..=365).contains(&days)) {
            return Err(Error::Refused("a token lives 1 to 365 days".to_owned()));
        }
        if let Some(namespace) = &asked.namespace {
            namespace.parse::<catalog_schemas::id::Namespace>().map_err(|error| Error::Refused(error.to_string()))?;
        }
        let secret = secret::token()?;
        let id = secret::random()?.chars().take(16).collect();
        let (account, by, request) = (account.clone(), by.clone(), request.to_owned());
        let create = Create { id, hash: secret::hash(&secret), account, asked: asked.clone(), by, request };
        let token = self.write(create).await?;
        Ok(Token { secret: Some(secret), ..token })
    }

    /// Makes the secret that the environment gives the only administrator token of the environment.
    pub async fn ensure_admin_token(&self, secret: &str) -> Result<(), Error> {
        if secret.len() < 16 || secret::is_misspelt(secret) {
            let rule =
                "the administrator token must have 16 characters or more, and a right checksum if it begins with ald_";
            return Err(Error::Refused(rule.to_owned()));
        }
        self.write(EnsureAdministrator { hash: secret::hash(secret) }).await
    }

    /// Says who a token's secret stands for; nobody when it is unknown, expired, revoked, or its account suspended.
    pub async fn token_check(&self, secret: &str) -> Result<Option<Actor>, Error> {
        if secret::is_misspelt(secret) {
            return Ok(None);
        }
        let now = self.now();
        let row = sqlx::query(
            "SELECT t.id, t.account, t.scopes, t.namespace, t.last_used, a.role, \
             EXISTS (SELECT 1 FROM member n WHERE n.account = t.account AND n.kind = 'namespace' AND n.accepted = 1) AS owns \
             FROM token t JOIN account a ON a.name = t.account \
             WHERE t.hash = $1 AND t.revoked IS NULL AND COALESCE(t.expires, $2 + 1) > $2 AND a.suspended = 0",
        )
        .bind(secret::hash(secret))
        .bind(now)
        .fetch_optional(self.readers())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id: String = column(&row, "id")?;
        let used: Option<i64> = column(&row, "last_used")?;
        if used.is_none_or(|used| now - used >= NOTED) {
            self.write_later(NoteUse { id: id.clone(), at: now });
        }
        let namespace: Option<String> = column(&row, "namespace")?;
        Ok(Some(Actor {
            account: parsed(&row, "account")?,
            role: account::acting(word(&row, "role", Role::from_word)?, column(&row, "owns")?),
            scopes: scopes(&row)?,
            namespace: namespace.map(|_| parsed(&row, "namespace")).transpose()?,
            credential: Credential::Token(id),
        }))
    }

    /// Lists the tokens of an account, or all, newest first; revoked ones are left out.
    pub async fn token_list(&self, account: Option<&AccountName>) -> Result<Vec<Token>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM token WHERE revoked IS NULL AND account = COALESCE($1, account) ORDER BY created DESC, id",
        )
        .bind(account.map(AccountName::as_str))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(token).collect()
    }

    /// Revokes a token, of this account only when one is given.
    pub async fn token_revoke(
        &self,
        id: &str,
        account: Option<&AccountName>,
        by: &AccountName,
        request: &str,
    ) -> Result<(), Error> {
        let revoke =
            Revoke { id: id.to_owned(), account: account.cloned(), by: by.clone(), request: request.to_owned() };
        self.write(revoke).await
    }
}

pub(crate) fn scopes_text(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn scopes(row: &SqliteRow) -> Result<Vec<Scope>, Error> {
    let text: String = column(row, "scopes")?;
    text.split(' ')
        .map(|word| {
            Scope::from_word(word)
                .ok_or_else(|| Error::Invalid { column: "scopes", detail: format!("`{word}` is no scope") })
        })
        .collect()
}

fn token(row: &SqliteRow) -> Result<Token, Error> {
    Ok(Token {
        id: column(row, "id")?,
        name: column(row, "name")?,
        account: column(row, "account")?,
        scopes: scopes(row)?,
        namespace: column(row, "namespace")?,
        created: time(row, "created")?.to_string(),
        expires: optional_time(row, "expires")?.map(|time| time.to_string()),
        last_used: optional_time(row, "last_used")?.map(|time| time.to_string()),
        secret: None,
    })
}
