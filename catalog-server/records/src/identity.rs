//! Who somebody is at an identity provider: the account of an issuer's subject.

use catalog_schemas::account::Role;

use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::parsed;
use crate::writer::{Operation, Writing};
use crate::{account, group};

/// What an identity provider said of somebody, after every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The issuer, exactly as it writes itself.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// The provider's name in our configuration.
    pub provider: String,
    /// What the account could be called; a wish, never a key.
    pub wish: String,
    /// What is shown.
    pub display_name: Option<String>,
    /// The teams that its claims name.
    pub teams: Vec<String>,
    /// The role that its claims give; nothing when the provider gives no roles.
    pub role: Option<Role>,
    /// Whether somebody new gets an account.
    pub admits: bool,
}

struct SignIn {
    identity: Identity,
    request: String,
}

impl Operation for SignIn {
    type Answer = AccountName;

    async fn run(self, writing: &mut Writing) -> Result<AccountName, Error> {
        let Self { identity, request } = self;
        let source = format!("oidc:{}", identity.provider);
        let row = sqlx::query("SELECT account FROM identity WHERE issuer = $1 AND subject = $2")
            .bind(identity.issuer.as_str())
            .bind(identity.subject.as_str())
            .fetch_optional(writing.connection().await?)
            .await?;
        let account = match row {
            Some(row) => parsed(&row, "account")?,
            None if identity.admits => found(writing, &identity, &source, &request).await?,
            None => return Err(Error::Forbidden("nobody new is admitted through this provider".to_owned())),
        };
        let known = account::find(writing.connection().await?, &account).await?;
        if known.suspended {
            return Err(Error::Forbidden("the account is suspended; ask an administrator".to_owned()));
        }
        // An account that an operator raised by hand keeps its role when the provider gives none.
        if let Some(role) = identity.role.filter(|role| *role != known.role) {
            sqlx::query("UPDATE account SET role = $2 WHERE name = $1")
                .bind(account.as_str())
                .bind(role.as_str())
                .execute(writing.connection().await?)
                .await?;
            // Sessions of the role before are over, as when an administrator changes it.
            sqlx::query("DELETE FROM session WHERE account = $1")
                .bind(account.as_str())
                .execute(writing.connection().await?)
                .await?;
            let hashes = (Some(known.role.as_str()), Some(role.as_str()));
            writing.audit(&source, "account.role", account.as_str(), hashes, &request);
        }
        group::sync(writing, &account, &source, &identity.teams, &request).await?;
        Ok(account)
    }
}

/// Makes an account for somebody new, under a name that nobody has: an account is never taken over by its name.
async fn found(writing: &mut Writing, identity: &Identity, source: &str, request: &str) -> Result<AccountName, Error> {
    let base = wish(&identity.wish);
    for number in 1..1000 {
        let name = if number == 1 { base.clone() } else { format!("{base}-{number}") };
        let Ok(name) = name.parse::<AccountName>() else { continue };
        if !account::ensure(writing, &name, Role::User).await? {
            continue;
        }
        let now = writing.now;
        let connection = writing.connection().await?;
        sqlx::query("UPDATE account SET display_name = $2 WHERE name = $1")
            .bind(name.as_str())
            .bind(identity.display_name.as_deref())
            .execute(&mut *connection)
            .await?;
        sqlx::query("INSERT INTO identity (issuer, subject, account, created) VALUES ($1, $2, $3, $4)")
            .bind(identity.issuer.as_str())
            .bind(identity.subject.as_str())
            .bind(name.as_str())
            .bind(now)
            .execute(connection)
            .await?;
        writing.audit(source, "account.create", name.as_str(), (None, None), request);
        return Ok(name);
    }
    Err(Error::Conflict("no name is left for this account".to_owned()))
}

/// Makes an account's name of what a provider wishes: its letters and digits in lower case.
fn wish(text: &str) -> String {
    let local = text.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let name: String =
        local.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(*c)).take(40).collect();
    let name = name.trim_start_matches(['.', '-', '_']);
    if name.is_empty() { "user".to_owned() } else { name.to_owned() }
}

impl Ledger {
    /// Finds or makes the account of somebody whom an identity provider vouches for, with its teams and role.
    pub async fn identity_sign_in(&self, identity: Identity, request: &str) -> Result<AccountName, Error> {
        self.write(SignIn { identity, request: request.to_owned() }).await
    }
}

#[cfg(test)]
mod tests {
    use super::wish;

    #[test]
    fn any_wish_becomes_a_name() {
        for (given, name) in
            [("Ann.Smith@x.org", "ann.smith"), ("日本", "user"), ("--a b", "ab"), ("", "user"), ("_ROOT", "root")]
        {
            assert_eq!(wish(given), name);
        }
    }
}
