//! Groups: the developers of a namespace, and teams.

use serde::{Deserialize, Serialize};

/// What a group is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// Its members publish into the namespace of its name.
    Namespace,
    /// Its members share volumes, and use what names it in `allowedGroup`.
    Team,
}

impl GroupKind {
    /// Returns the word used in JSON, in paths and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Team => "team",
        }
    }

    /// Returns the kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Namespace, Self::Team].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What a member may do in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// Belongs to it.
    Member,
    /// Says who belongs to it, too.
    Owner,
}

impl Rank {
    /// Returns the word used in JSON and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }

    /// Returns the rank of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Member, Self::Owner].into_iter().find(|rank| rank.as_str() == word)
    }
}

/// Somebody in a group, or invited into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The account.
    pub account: String,
    /// What it may do.
    pub rank: Rank,
    /// Whether it said yes; before that it is only invited.
    pub accepted: bool,
    /// Since when, RFC 3339.
    pub added: String,
    /// The identity provider whose claims put it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// What it is for.
    pub kind: GroupKind,
    /// Its name; a namespace's own.
    pub name: String,
    /// What is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Owners first.
    pub members: Vec<Member>,
}

impl Group {
    /// Returns what an account is in it.
    pub fn member(&self, account: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.account == account)
    }
}

/// A list of groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Groups {
    /// By kind and name.
    pub groups: Vec<Group>,
}

/// Asks for a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewGroup {
    /// What it is for.
    pub kind: GroupKind,
    /// Its name.
    pub name: String,
    /// What is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Invites somebody, or changes their rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invitation {
    /// What they may do.
    pub rank: Rank,
}
