//! Groups: who develops in a namespace, who is in a team; invitations, ranks, and the owner that is never the last.

use catalog_schemas::account::Role;
use catalog_schemas::group::{Group, GroupKind, Member, Rank};
use catalog_schemas::id::Namespace;
use sqlx::sqlite::SqliteRow;

use crate::account::Actor;
use crate::error::Error;
use crate::names::AccountName;
use crate::open::Ledger;
use crate::row::{Connection, column, time, word};
use crate::writer::{Operation, Writing};

/// The most members of one group.
const MOST_MEMBERS: i64 = 500;
/// The source of a membership that somebody gave here.
const LOCAL: &str = "local";

/// Lists who develops in the namespace that decides about this one: the longest that is taken, itself included.
pub(crate) async fn developers(
    connection: &mut Connection,
    namespace: &str,
) -> Result<Option<Vec<AccountName>>, Error> {
    let Some(deciding) = deciding(connection, namespace).await? else { return Ok(None) };
    let rows = sqlx::query("SELECT account FROM member WHERE kind = 'namespace' AND name = $1 AND accepted = 1")
        .bind(deciding)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| crate::row::parsed(row, "account")).collect::<Result<_, _>>().map(Some)
}

/// Lists who owns the namespace that decides about this one; nobody when none is taken.
pub(crate) async fn owners(connection: &mut Connection, namespace: &str) -> Result<Vec<AccountName>, Error> {
    let Some(deciding) = deciding(connection, namespace).await? else { return Ok(Vec::new()) };
    let rows = sqlx::query(
        "SELECT account FROM member WHERE kind = 'namespace' AND name = $1 AND rank = 'owner' AND accepted = 1",
    )
    .bind(deciding)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| crate::row::parsed(row, "account")).collect()
}

/// Finds the longest prefix of a namespace that is taken.
async fn deciding(connection: &mut Connection, namespace: &str) -> Result<Option<String>, Error> {
    let mut prefix = Some(namespace);
    // The parts are few, and asking from the longest on finds the answer at once in the usual case.
    while let Some(name) = prefix {
        let row =
            sqlx::query("SELECT 1 FROM namespace WHERE name = $1").bind(name).fetch_optional(&mut *connection).await?;
        if row.is_some() {
            return Ok(Some(name.to_owned()));
        }
        prefix = name.rsplit_once('.').map(|(before, _)| before);
    }
    Ok(None)
}

/// The beginning of the namespaces for trying things out, which nobody can take from everybody else.
const SANDBOX: &str = "sandbox";

/// Writes a namespace and its first owner.
pub(crate) async fn claim(writing: &mut Writing, namespace: &Namespace, owner: &AccountName) -> Result<(), Error> {
    if namespace.as_str() == SANDBOX {
        let fix =
            "`sandbox` belongs to nobody: try things out in a namespace of your own below it, such as `sandbox.you`";
        return Err(Error::Forbidden(fix.to_owned()));
    }
    let now = writing.now;
    sqlx::query("INSERT INTO namespace (name, owner, created) VALUES ($1, $2, $3)")
        .bind(namespace.as_str())
        .bind(owner.as_str())
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
    put(writing, &Key::namespace(namespace), owner, Rank::Owner, true, LOCAL).await?;
    // Namespaces below it have new developers too.
    writing.owners.clear();
    Ok(())
}

#[derive(Debug, Clone)]
struct Key {
    kind: GroupKind,
    name: String,
}

impl Key {
    fn namespace(namespace: &Namespace) -> Self {
        Self { kind: GroupKind::Namespace, name: namespace.to_string() }
    }

    fn subject(&self, account: &AccountName) -> String {
        format!("{}/{}/{account}", self.kind.as_str(), self.name)
    }
}

async fn put(
    writing: &mut Writing,
    key: &Key,
    account: &AccountName,
    rank: Rank,
    accepted: bool,
    source: &str,
) -> Result<(), Error> {
    let now = writing.now;
    sqlx::query(
        "INSERT INTO member (kind, name, account, rank, accepted, source, added) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (kind, name, account) DO UPDATE SET rank = excluded.rank, \
         accepted = MAX(member.accepted, excluded.accepted), source = excluded.source",
    )
    .bind(key.kind.as_str())
    .bind(key.name.as_str())
    .bind(account.as_str())
    .bind(rank.as_str())
    .bind(i64::from(accepted))
    .bind(source)
    .bind(now)
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

/// What an account is in a group.
struct Standing {
    rank: Rank,
    accepted: bool,
}

async fn standing(connection: &mut Connection, key: &Key, account: &AccountName) -> Result<Option<Standing>, Error> {
    let row = sqlx::query("SELECT rank, accepted FROM member WHERE kind = $1 AND name = $2 AND account = $3")
        .bind(key.kind.as_str())
        .bind(key.name.as_str())
        .bind(account.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(Standing { rank: word(&row, "rank", Rank::from_word)?, accepted: column::<i64>(&row, "accepted")? != 0 })
    })
    .transpose()
}

async fn exists(connection: &mut Connection, key: &Key) -> Result<bool, Error> {
    let query = match key.kind {
        GroupKind::Namespace => "SELECT 1 FROM namespace WHERE name = $1",
        GroupKind::Team => "SELECT 1 FROM team WHERE name = $1",
    };
    Ok(sqlx::query(query).bind(key.name.as_str()).fetch_optional(connection).await?.is_some())
}

/// Refuses an actor who neither owns the group nor administers. Who may not see a group is told that there is none.
async fn require_owner(writing: &mut Writing, key: &Key, actor: &Actor) -> Result<(), Error> {
    if !exists(writing.connection().await?, key).await? {
        return Err(Error::not_found(key.kind.as_str(), key.name.as_str()));
    }
    if actor.role >= Role::Administrator {
        return Ok(());
    }
    match standing(writing.connection().await?, key, &actor.account).await? {
        Some(Standing { rank: Rank::Owner, accepted: true }) => Ok(()),
        Some(_) => {
            Err(Error::Forbidden(format!("only an owner changes who is in {} `{}`", key.kind.as_str(), key.name)))
        }
        None => Err(Error::not_found(key.kind.as_str(), key.name.as_str())),
    }
}

/// Refuses to leave a group without an owner.
async fn require_other_owner(connection: &mut Connection, key: &Key, account: &AccountName) -> Result<(), Error> {
    let others: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM member WHERE kind = $1 AND name = $2 AND account <> $3 AND rank = 'owner' AND accepted = 1",
    )
    .bind(key.kind.as_str())
    .bind(key.name.as_str())
    .bind(account.as_str())
    .fetch_one(connection)
    .await?;
    if others == 0 {
        let rule = "the last owner stays: make somebody else an owner first, who must have accepted";
        return Err(Error::Conflict(rule.to_owned()));
    }
    Ok(())
}

struct Create {
    key: Key,
    title: Option<String>,
    actor: Actor,
    request: String,
}

impl Operation for Create {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        if exists(writing.connection().await?, &self.key).await? {
            return Err(Error::Conflict(format!("there is a {} `{}` already", self.key.kind.as_str(), self.key.name)));
        }
        match self.key.kind {
            GroupKind::Namespace => {
                let namespace: Namespace = self.key.name.parse().map_err(|error| Error::Refused(format!("{error}")))?;
                let developers = developers(writing.connection().await?, namespace.as_str()).await?;
                let may = developers.is_none_or(|known| known.contains(&self.actor.account));
                if !may && self.actor.role < Role::Administrator {
                    let account = self.actor.account.to_string();
                    return Err(Error::NotAllowed {
                        account,
                        action: "make a namespace",
                        namespace: namespace.to_string(),
                    });
                }
                claim(writing, &namespace, &self.actor.account).await?;
            }
            GroupKind::Team => {
                let now = writing.now;
                sqlx::query("INSERT INTO team (name, title, created) VALUES ($1, $2, $3)")
                    .bind(self.key.name.as_str())
                    .bind(self.title.as_deref())
                    .bind(now)
                    .execute(writing.connection().await?)
                    .await?;
                put(writing, &self.key, &self.actor.account, Rank::Owner, true, LOCAL).await?;
            }
        }
        let subject = self.key.subject(&self.actor.account);
        writing.audit(self.actor.account.as_str(), "group.create", &subject, (None, None), &self.request);
        Ok(())
    }
}

struct Invite {
    key: Key,
    account: AccountName,
    rank: Rank,
    actor: Actor,
    request: String,
}

impl Operation for Invite {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        require_owner(writing, &self.key, &self.actor).await?;
        let connection = writing.connection().await?;
        let known = sqlx::query("SELECT 1 FROM account WHERE name = $1 AND role <> 'application'")
            .bind(self.account.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        if known.is_none() {
            return Err(Error::not_found("account", self.account.as_str()));
        }
        let before = standing(connection, &self.key, &self.account).await?;
        if before.as_ref().is_some_and(|known| known.rank == Rank::Owner) && self.rank != Rank::Owner {
            require_other_owner(connection, &self.key, &self.account).await?;
        }
        let members: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM member WHERE kind = $1 AND name = $2")
            .bind(self.key.kind.as_str())
            .bind(self.key.name.as_str())
            .fetch_one(connection)
            .await?;
        if before.is_none() && members >= MOST_MEMBERS {
            return Err(Error::Conflict(format!("a group has at most {MOST_MEMBERS} members")));
        }
        // Nobody becomes a member without saying yes; who is one already only changes rank.
        put(writing, &self.key, &self.account, self.rank, false, LOCAL).await?;
        writing.owners.clear();
        let action = if before.is_some() { "group.rank" } else { "group.invite" };
        let (by, subject) = (self.actor.account.as_str(), self.key.subject(&self.account));
        writing.audit(by, action, &subject, (None, Some(self.rank.as_str())), &self.request);
        Ok(())
    }
}

struct Accept {
    key: Key,
    account: AccountName,
    request: String,
}

impl Operation for Accept {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        let accepted = sqlx::query(
            "UPDATE member SET accepted = 1 WHERE kind = $1 AND name = $2 AND account = $3 AND accepted = 0",
        )
        .bind(self.key.kind.as_str())
        .bind(self.key.name.as_str())
        .bind(self.account.as_str())
        .execute(writing.connection().await?)
        .await?;
        if accepted.rows_affected() == 0 {
            return Err(Error::not_found("invitation", self.key.name));
        }
        writing.owners.clear();
        let subject = self.key.subject(&self.account);
        writing.audit(self.account.as_str(), "group.accept", &subject, (None, None), &self.request);
        Ok(())
    }
}

struct Remove {
    key: Key,
    account: AccountName,
    actor: Actor,
    request: String,
}

impl Operation for Remove {
    type Answer = ();

    async fn run(self, writing: &mut Writing) -> Result<(), Error> {
        // Everybody may leave, and say no to an invitation.
        if self.account != self.actor.account {
            require_owner(writing, &self.key, &self.actor).await?;
        }
        let connection = writing.connection().await?;
        let Some(before) = standing(connection, &self.key, &self.account).await? else {
            return Err(Error::not_found("member", self.account.as_str()));
        };
        if before.rank == Rank::Owner && before.accepted {
            require_other_owner(connection, &self.key, &self.account).await?;
        }
        sqlx::query("DELETE FROM member WHERE kind = $1 AND name = $2 AND account = $3")
            .bind(self.key.kind.as_str())
            .bind(self.key.name.as_str())
            .bind(self.account.as_str())
            .execute(connection)
            .await?;
        writing.owners.clear();
        let (by, subject) = (self.actor.account.as_str(), self.key.subject(&self.account));
        writing.audit(by, "group.remove", &subject, (Some(before.rank.as_str()), None), &self.request);
        Ok(())
    }
}

/// Sets the teams that an identity provider says an account is in; those that people gave it stay.
pub(crate) async fn sync(
    writing: &mut Writing,
    account: &AccountName,
    source: &str,
    teams: &[String],
    request: &str,
) -> Result<(), Error> {
    let rows = sqlx::query("SELECT name FROM member WHERE kind = 'team' AND account = $1 AND source = $2")
        .bind(account.as_str())
        .bind(source)
        .fetch_all(writing.connection().await?)
        .await?;
    let before = rows.iter().map(|row| column(row, "name")).collect::<Result<Vec<String>, _>>()?;
    for name in before.iter().filter(|name| !teams.contains(name)) {
        sqlx::query("DELETE FROM member WHERE kind = 'team' AND name = $1 AND account = $2 AND source = $3")
            .bind(name.as_str())
            .bind(account.as_str())
            .bind(source)
            .execute(writing.connection().await?)
            .await?;
        writing.audit(source, "group.remove", &format!("team/{name}/{account}"), (None, None), request);
    }
    let now = writing.now;
    for name in teams.iter().filter(|name| !before.contains(name)) {
        sqlx::query("INSERT INTO team (name, created) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name.as_str())
            .bind(now)
            .execute(writing.connection().await?)
            .await?;
        let added = sqlx::query(
            "INSERT INTO member (kind, name, account, rank, accepted, source, added) \
             VALUES ('team', $1, $2, 'member', 1, $3, $4) ON CONFLICT (kind, name, account) DO NOTHING",
        )
        .bind(name.as_str())
        .bind(account.as_str())
        .bind(source)
        .bind(now)
        .execute(writing.connection().await?)
        .await?;
        if added.rows_affected() > 0 {
            writing.audit(source, "group.accept", &format!("team/{name}/{account}"), (None, None), request);
        }
    }
    Ok(())
}

impl Ledger {
    /// Makes a team, or takes a namespace; the actor is its first owner.
    pub async fn group_create(
        &self,
        kind: GroupKind,
        name: &str,
        title: Option<&str>,
        actor: &Actor,
        request: &str,
    ) -> Result<(), Error> {
        if kind == GroupKind::Team {
            name.parse::<AccountName>().map_err(|_| {
                Error::Refused(format!("`{name}` is not a team's name: lower-case letters, digits, `.`, `-`, `_`"))
            })?;
        }
        let key = Key { kind, name: name.to_owned() };
        let title = title.map(str::to_owned);
        self.write(Create { key, title, actor: actor.clone(), request: request.to_owned() }).await
    }

    /// Invites an account into a group, or gives a member another rank.
    pub async fn group_invite(
        &self,
        (kind, name): (GroupKind, &str),
        account: &AccountName,
        rank: Rank,
        actor: &Actor,
        request: &str,
    ) -> Result<(), Error> {
        let key = Key { kind, name: name.to_owned() };
        let (account, actor, request) = (account.clone(), actor.clone(), request.to_owned());
        self.write(Invite { key, account, rank, actor, request }).await
    }

    /// Accepts the invitation of an account.
    pub async fn group_accept(
        &self,
        (kind, name): (GroupKind, &str),
        account: &AccountName,
        request: &str,
    ) -> Result<(), Error> {
        let key = Key { kind, name: name.to_owned() };
        self.write(Accept { key, account: account.clone(), request: request.to_owned() }).await
    }

    /// Takes an account out of a group; itself, or by an owner.
    pub async fn group_remove(
        &self,
        (kind, name): (GroupKind, &str),
        account: &AccountName,
        actor: &Actor,
        request: &str,
    ) -> Result<(), Error> {
        let key = Key { kind, name: name.to_owned() };
        let (account, actor, request) = (account.clone(), actor.clone(), request.to_owned());
        self.write(Remove { key, account, actor, request }).await
    }

    /// Lists the groups of an account with their members, invitations included; all groups when none is given.
    pub async fn groups(&self, account: Option<&AccountName>) -> Result<Vec<Group>, Error> {
        let rows = sqlx::query(
            "SELECT m.*, t.title FROM member m LEFT JOIN team t ON m.kind = 'team' AND t.name = m.name \
             WHERE $1 IS NULL OR EXISTS (SELECT 1 FROM member o WHERE o.kind = m.kind AND o.name = m.name AND o.account = $1) \
             ORDER BY m.kind, m.name, m.rank DESC, m.account",
        )
        .bind(account.map(AccountName::as_str))
        .fetch_all(self.readers())
        .await?;
        let mut groups: Vec<Group> = Vec::new();
        for row in &rows {
            let (kind, name) = (word(row, "kind", GroupKind::from_word)?, column::<String>(row, "name")?);
            let known = groups.last().is_some_and(|group| group.kind == kind && group.name == name);
            if !known {
                groups.push(Group { kind, name, title: column(row, "title")?, members: Vec::new() });
            }
            if let Some(group) = groups.last_mut() {
                group.members.push(member(row)?);
            }
        }
        Ok(groups)
    }

    /// Says whether an account develops in a namespace: it accepted to be in the group of the longest taken prefix.
    pub async fn develops(&self, account: &AccountName, namespace: &Namespace) -> Result<bool, Error> {
        let developers = developers(&mut *self.readers().acquire().await?, namespace.as_str()).await?;
        Ok(developers.is_some_and(|known| known.contains(account)))
    }

    /// Lists the teams that an account is in; what `allowedGroup` names.
    pub async fn teams(&self, account: &AccountName) -> Result<Vec<String>, Error> {
        let rows =
            sqlx::query("SELECT name FROM member WHERE kind = 'team' AND account = $1 AND accepted = 1 ORDER BY name")
                .bind(account.as_str())
                .fetch_all(self.readers())
                .await?;
        rows.iter().map(|row| column(row, "name")).collect()
    }

    /// Says whether an account is in a team.
    pub async fn is_member(&self, account: &AccountName, team: &str) -> Result<bool, Error> {
        let row =
            sqlx::query("SELECT 1 FROM member WHERE kind = 'team' AND name = $1 AND account = $2 AND accepted = 1")
                .bind(team)
                .bind(account.as_str())
                .fetch_optional(self.readers())
                .await?;
        Ok(row.is_some())
    }
}

fn member(row: &SqliteRow) -> Result<Member, Error> {
    let source: String = column(row, "source")?;
    Ok(Member {
        account: column(row, "account")?,
        rank: word(row, "rank", Rank::from_word)?,
        accepted: column::<i64>(row, "accepted")? != 0,
        added: time(row, "added")?.to_string(),
        provider: (source != LOCAL).then_some(source),
    })
}
