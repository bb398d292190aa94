//! Accounts, tokens and what they may do.

use serde::{Deserialize, Serialize};

/// What a viewer is, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Nobody known.
    Anonymous,
    /// A signed-in user: may launch.
    User,
    /// A user who owns a namespace: may publish into it.
    Developer,
    /// A curator of the catalogue.
    Moderator,
    /// Runs this server.
    Administrator,
    /// The platform itself.
    Application,
}

impl Role {
    /// Returns the word used in JSON and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User => "user",
            Self::Developer => "developer",
            Self::Moderator => "moderator",
            Self::Administrator => "administrator",
            Self::Application => "application",
        }
    }

    /// Returns the role of a word; `sciapps` is the source deck's word for the application.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "anonymous" => Self::Anonymous,
            "user" => Self::User,
            "developer" => Self::Developer,
            "moderator" => Self::Moderator,
            "administrator" => Self::Administrator,
            "application" | "sciapps" => Self::Application,
            _ => return None,
        })
    }
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The account's name; absent for anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The highest role.
    pub role: Role,
    /// The namespaces it may publish into.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Launches that are not over.
    #[serde(default)]
    pub running: u32,
    /// Launches allowed at once.
    #[serde(default)]
    pub allowed_running: u32,
    /// Notifications that are not read yet.
    #[serde(default)]
    pub unread: u64,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read what the account may read.
    Read,
    /// Publish.
    Publish,
    /// Launch and stop.
    Launch,
    /// Moderate.
    Moderate,
    /// Everything the account may do.
    Admin,
}

impl Scope {
    /// Returns the word used in JSON and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Launch => "launch",
            Self::Moderate => "moderate",
            Self::Admin => "admin",
        }
    }

    /// Returns the scope of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Read, Self::Publish, Self::Launch, Self::Moderate, Self::Admin]
            .into_iter()
            .find(|scope| scope.as_str() == word)
    }
}

/// Asks for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, in the owner's words; 1 to 100 characters.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only this namespace, for publishing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Days until it expires, 1 to 365.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// The account it is for, when an administrator makes one for somebody else; made when it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The role of an account that is made by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// A token as a list shows it; the secret is in it only once, in the answer that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Names it for revoking.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The account it acts for.
    pub account: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Only this namespace, for publishing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// The secret; only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A list of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Newest first.
    pub tokens: Vec<Token>,
}

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Counts from 1 without gaps.
    pub number: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The account that acted.
    pub account: String,
    /// What was done, such as `package.publish`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// SHA-256 of the content before, when there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// SHA-256 of the content after, when there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The request that did it.
    pub request: String,
    /// For whom the account acted, when not for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behalf: Option<String>,
    /// With what it proved who it is: `session`, or `token` and its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The prefix of the address it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// SHA-256 over the entry before and this one.
    pub hash: String,
}

/// A page of the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
}
