//! Accounts as an administrator sees them, sessions, passwords, and devices that ask for a token.

use serde::{Deserialize, Serialize};

use crate::account::{Role, Scope};

/// An account as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// Its name.
    pub name: String,
    /// What is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Its role, without what belonging to a namespace adds.
    pub role: Role,
    /// Whether none of its tokens and sessions count.
    pub suspended: bool,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Whether it has a password here.
    pub has_password: bool,
    /// The issuers that vouch for it.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// When one of its sessions was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

/// A list of accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Accounts {
    /// By name.
    pub accounts: Vec<AccountView>,
}

/// Asks for an account; an administrator's invitation, or somebody's own sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAccount {
    /// Its name: lower-case letters, digits, `.`, `-`, `_`, `@`.
    pub name: String,
    /// What is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Its role; only an administrator gives another than `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Its password, for one's own sign-up; who is invited chooses one by the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// Changes an account; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountChange {
    /// Another role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether none of its tokens and sessions count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
}

/// A link with which somebody chooses a password, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PasswordLink {
    /// The account that it is for.
    pub account: String,
    /// The link; whoever has it can choose the password.
    pub link: String,
    /// When it is void, RFC 3339.
    pub expires: String,
}

/// Chooses a password by a one-time link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordChoice {
    /// What the link ends with.
    pub ticket: String,
    /// The new password: 10 to 200 characters.
    pub password: String,
}

/// Changes one's password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordChange {
    /// The password so far; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The new password: 10 to 200 characters.
    pub password: String,
}

/// A session of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Names it for ending it.
    pub id: String,
    /// The browser, as it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How it began: `token`, `password`, or `oidc:` and the provider.
    pub method: String,
    /// When it began, RFC 3339.
    pub created: String,
    /// When it was last seen.
    pub last_seen: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// A list of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Sessions {
    /// Newest first.
    pub sessions: Vec<SessionView>,
}

/// How one can sign in here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignInWays {
    /// Whether local accounts sign in with a password.
    pub password: bool,
    /// Whether anybody may make a local account.
    pub sign_up: bool,
    /// The identity providers, in their order.
    pub providers: Vec<ProviderView>,
}

/// An identity provider as the sign-in page names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProviderView {
    /// Its name in the configuration.
    pub id: String,
    /// What is shown.
    pub title: String,
}

/// What a program on a device without a browser waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeviceRequest {
    /// The code that the device shows.
    pub code: String,
    /// What the program calls itself.
    pub client: String,
    /// What its token may do.
    pub scopes: Vec<Scope>,
}

/// Allows or denies a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceDecision {
    /// Whether it gets its token.
    pub allow: bool,
}

/// The answer to a device that asks (RFC 8628, section 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceAuthorization {
    /// The secret that the device asks for its token with.
    pub device_code: String,
    /// What a person writes.
    pub user_code: String,
    /// Where a person writes it.
    pub verification_uri: String,
    /// The same with the code written already.
    pub verification_uri_complete: String,
    /// Seconds until it is void.
    pub expires_in: u32,
    /// Seconds between two questions.
    pub interval: u32,
}

/// A device's token (RFC 6749, section 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceToken {
    /// The token.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// What it may do.
    pub scope: String,
}

/// Why a device has no token yet, or gets none (RFC 8628, section 3.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceRefusal {
    /// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, or another of OAuth's words.
    pub error: String,
}
