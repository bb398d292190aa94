//! Accounts, sessions, passwords, groups and devices.

use bytes::Bytes;
use catalog_schemas::group::{Group, GroupKind, Groups, Invitation, NewGroup, Rank};
use catalog_schemas::people::{
    AccountChange, AccountView, Accounts, DeviceAuthorization, DeviceDecision, DeviceRefusal, DeviceRequest,
    DeviceToken, NewAccount, PasswordChange, PasswordChoice, PasswordLink, Sessions, SignInWays,
};
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde::Serialize;

use crate::{Client, ClientError, SignedIn, decode, segment, succeed};

/// How a device's question for its token is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DevicePoll {
    /// Here it is.
    Token(DeviceToken),
    /// Not yet, or never: OAuth's word for it.
    Refused(String),
}

impl Client {
    /// Says how one can sign in.
    pub async fn sign_in_ways(&self) -> Result<SignInWays, ClientError> {
        self.get("/api/v1/sign-in").await
    }

    /// Signs in with a local account.
    pub async fn sign_in_with_password(&self, account: &str, password: &str) -> Result<SignedIn, ClientError> {
        let body = serde_json::json!({ "account": account, "password": password });
        self.begin(Method::POST, "/api/v1/sessions", &body).await
    }

    /// Makes an account for oneself and signs in.
    pub async fn sign_up(&self, account: &NewAccount) -> Result<SignedIn, ClientError> {
        self.begin(Method::POST, "/api/v1/registrations", account).await
    }

    /// Chooses a password by a one-time link and signs in.
    pub async fn password_choose(&self, choice: &PasswordChoice) -> Result<SignedIn, ClientError> {
        self.begin(Method::POST, "/api/v1/passwords", choice).await
    }

    /// Changes the viewer's password; the session goes on under a new id.
    pub async fn password_change(&self, change: &PasswordChange) -> Result<SignedIn, ClientError> {
        self.begin(Method::PUT, "/api/v1/me/password", change).await
    }

    /// Lists the viewer's sessions.
    pub async fn sessions(&self) -> Result<Sessions, ClientError> {
        self.get("/api/v1/me/sessions").await
    }

    /// Ends all the viewer's sessions; the answer's `Set-Cookie` clears the cookie.
    pub async fn sessions_end(&self) -> Result<Option<HeaderValue>, ClientError> {
        let request = self.request(Method::DELETE, "/api/v1/me/sessions", Bytes::new())?;
        let response = succeed(self.transport.send(request).await?)?;
        Ok(response.headers().get(header::SET_COOKIE).cloned())
    }

    /// Ends one of the viewer's sessions.
    pub async fn session_end(&self, id: &str) -> Result<(), ClientError> {
        self.send_empty(Method::DELETE, &format!("/api/v1/me/sessions/{}", segment(id))).await
    }

    /// Lists the accounts; administrators only.
    pub async fn accounts(&self) -> Result<Accounts, ClientError> {
        self.get("/api/v1/accounts").await
    }

    /// Makes an account and the link with which its owner chooses a password.
    pub async fn account_create(&self, account: &NewAccount) -> Result<PasswordLink, ClientError> {
        decode(self.send_json(Method::POST, "/api/v1/accounts", account, None).await?)
    }

    /// Changes an account's role, or suspends it.
    pub async fn account_change(&self, name: &str, change: &AccountChange) -> Result<AccountView, ClientError> {
        let path = format!("/api/v1/accounts/{}", segment(name));
        decode(self.send_json(Method::PATCH, &path, change, None).await?)
    }

    /// Makes a one-time link with which an account's owner chooses a new password.
    pub async fn account_link(&self, name: &str) -> Result<PasswordLink, ClientError> {
        let path = format!("/api/v1/accounts/{}/password-link", segment(name));
        let request = self.request(Method::POST, &path, Bytes::new())?;
        decode(succeed(self.transport.send(request).await?)?)
    }

    /// Lists the viewer's groups, or all for an administrator.
    pub async fn groups(&self, all: bool) -> Result<Groups, ClientError> {
        self.get(if all { "/api/v1/groups?all=true" } else { "/api/v1/groups" }).await
    }

    /// Makes a group.
    pub async fn group_create(&self, group: &NewGroup) -> Result<Group, ClientError> {
        decode(self.send_json(Method::POST, "/api/v1/groups", group, None).await?)
    }

    /// Invites an account into a group, or gives a member another rank.
    pub async fn group_invite(
        &self,
        kind: GroupKind,
        name: &str,
        account: &str,
        rank: Rank,
    ) -> Result<(), ClientError> {
        let path = member_path(kind, name, account);
        self.send_json(Method::PUT, &path, &Invitation { rank }, None).await.map(drop)
    }

    /// Takes an account out of a group.
    pub async fn group_remove(&self, kind: GroupKind, name: &str, account: &str) -> Result<(), ClientError> {
        self.send_empty(Method::DELETE, &member_path(kind, name, account)).await
    }

    /// Accepts the viewer's invitation into a group.
    pub async fn group_accept(&self, kind: GroupKind, name: &str) -> Result<(), ClientError> {
        let path = format!("/api/v1/groups/{}/{}/acceptance", kind.as_str(), segment(name));
        self.send_empty(Method::POST, &path).await
    }

    /// Says what a device waits for.
    pub async fn device(&self, code: &str) -> Result<DeviceRequest, ClientError> {
        self.get(&format!("/api/v1/device/{}", segment(code))).await
    }

    /// Allows a device its token, or denies it.
    pub async fn device_decide(&self, code: &str, allow: bool) -> Result<(), ClientError> {
        let path = format!("/api/v1/device/{}", segment(code));
        self.send_json(Method::POST, &path, &DeviceDecision { allow }, None).await.map(drop)
    }

    /// Begins the device flow (RFC 8628).
    pub async fn device_begin(&self, client: &str, scope: &str) -> Result<DeviceAuthorization, ClientError> {
        let request = self.form("/api/v1/device", &[("client_id", client), ("scope", scope)])?;
        decode(succeed(self.transport.send(request).await?)?)
    }

    /// Asks for a device's token.
    pub async fn device_token(&self, device_code: &str) -> Result<DevicePoll, ClientError> {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let request = self.form("/api/v1/device/token", &[("grant_type", grant), ("device_code", device_code)])?;
        let response = self.transport.send(request).await?;
        if response.status() == StatusCode::BAD_REQUEST
            && let Ok(DeviceRefusal { error }) = serde_json::from_slice(response.body())
        {
            return Ok(DevicePoll::Refused(error));
        }
        decode(succeed(response)?).map(DevicePoll::Token)
    }

    /// Sends what begins a session.
    pub(crate) async fn begin<B: Serialize + Sync>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<SignedIn, ClientError> {
        let response = self.send_json(method, path, body, None).await?;
        let set_cookie = response.headers().get(header::SET_COOKIE).cloned();
        let set_cookie = set_cookie.ok_or_else(|| ClientError::Transport("the server gave no session".to_owned()))?;
        Ok(SignedIn { set_cookie, me: decode(response)? })
    }

    async fn send_empty(&self, method: Method, path: &str) -> Result<(), ClientError> {
        succeed(self.transport.send(self.request(method, path, Bytes::new())?).await?).map(drop)
    }

    fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Request<Bytes>, ClientError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut request = self.request(Method::POST, path, body.into())?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        Ok(request)
    }
}

fn member_path(kind: GroupKind, name: &str, account: &str) -> String {
    format!("/api/v1/groups/{}/{}/members/{}", kind.as_str(), segment(name), segment(account))
}
