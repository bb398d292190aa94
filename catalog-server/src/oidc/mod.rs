//! Signing in through identity providers: OpenID Connect's code flow with PKCE, state and nonce.
//!
//! A provider is found by its issuer when it is first needed. Every check of its answer is here or in `openidconnect`;
//! whatever does not hold is a refusal, and no session begins. It never looks at an e-mail address to find an account.

pub mod claims;
pub mod logout;
pub mod transport;

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_records::{Identity, Ledger};
use catalog_schemas::account::Role;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse,
    CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthType, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IdTokenVerifier, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::logout::Farewell;
use self::transport::{Transport, TransportError};
use crate::config::OidcConfig;

/// How long what was found out of a provider is believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How soon it may be asked again when a token names a key that is not known: providers change their keys.
const AGAIN: Duration = Duration::from_secs(60);
/// How far the provider's clock may be ahead of ours.
const SKEW: i64 = 60;

/// Signatures that are accepted: only those that somebody else's public key checks. Neither `none`, nor HMAC with a
/// secret that both sides know, or with a public key that everybody knows.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 7] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Every claim that has no name in the standard.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
struct Others {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Others {}

type Fields = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Answer = StandardTokenResponse<Fields, CoreTokenType>;
type OidcClient = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider cannot be reached, or is not what the configuration says.
    #[error("the identity provider cannot be used: {0}")]
    Provider(String),
    /// The way back does not belong to a way out.
    #[error("this sign-in was not begun here, took too long, or was finished before; begin again")]
    Unknown,
    /// The provider said no.
    #[error("the identity provider refused: {0}")]
    Denied(String),
    /// It cannot be noted who leaves, or who left.
    #[error(transparent)]
    Ledger(#[from] catalog_records::Error),
    /// What the provider said does not hold.
    #[error("the identity provider's answer does not hold: {0}")]
    Answer(String),
}

impl From<TransportError> for OidcError {
    fn from(error: TransportError) -> Self {
        Self::Provider(error.to_string())
    }
}

/// Somebody on the way to a provider.
pub struct Departure {
    /// Where the browser goes.
    pub url: String,
    /// What the way back must bring along in a cookie.
    pub secret: String,
}

/// What a provider's answer brings along in the address.
#[derive(Debug, Default, Deserialize)]
pub struct Return {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Somebody whom a provider sent back, after every check.
pub struct Arrival {
    /// Who it is.
    pub identity: Identity,
    /// Where they wanted to go.
    pub next: String,
    /// The provider's own session, when it names one.
    pub session: Option<String>,
}

/// What was found out of a provider.
struct Found {
    metadata: CoreProviderMetadata,
    /// Whether its answers name their issuer (RFC 9207).
    names_itself: bool,
    since: Instant,
}

/// An identity provider.
pub struct Provider {
    /// Its name in the configuration.
    pub id: String,
    config: OidcConfig,
    redirect: RedirectUrl,
    transport: Transport,
    found: tokio::sync::Mutex<Option<Arc<Found>>>,
}

impl Provider {
    /// Makes a provider of its configuration; nobody is asked yet.
    pub fn new(id: &str, config: &OidcConfig, base: &str) -> Result<Self, OidcError> {
        let redirect = format!("{base}/login/oidc/{id}/callback");
        Ok(Self {
            id: id.to_owned(),
            config: config.clone(),
            redirect: RedirectUrl::new(redirect).map_err(|error| OidcError::Provider(error.to_string()))?,
            transport: Transport::new(config.allow_http)?,
            found: tokio::sync::Mutex::default(),
        })
    }

    /// Returns what the sign-in page calls it.
    pub fn title(&self) -> &str {
        self.config.title.as_deref().unwrap_or(&self.id)
    }

    /// Sends somebody to the provider, to come back to a path of ours.
    pub async fn depart(&self, ledger: &Ledger, next: &str) -> Result<Departure, OidcError> {
        let found = self.find(None).await?;
        let client = self.client(&found);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_pkce_challenge(challenge);
        for scope in &self.config.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        let secret = CsrfToken::new_random().secret().clone();
        let leaving = catalog_records::Departure {
            provider: self.id.clone(),
            cookie: secret.clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            next: next.to_owned(),
        };
        ledger.depart(state.secret(), leaving).await?;
        Ok(Departure { url: url.into(), secret })
    }

    /// Takes somebody back from the provider: returns who it is, and where they wanted to go.
    pub async fn arrive(&self, ledger: &Ledger, back: Return, cookie: Option<&str>) -> Result<Arrival, OidcError> {
        // Another browser's answer comes back as nobody's: somebody may want us signed in as them.
        let waiting = ledger.come_back(&back.state.unwrap_or_default(), cookie).await?.ok_or(OidcError::Unknown)?;
        // Another provider's answer: a mix-up.
        if waiting.provider != self.id {
            return Err(OidcError::Unknown);
        }
        let found = self.find(None).await?;
        let issuer = found.metadata.issuer().as_str();
        match back.iss.as_deref() {
            Some(named) if named != issuer => return Err(answer("it names another issuer")),
            None if found.names_itself => return Err(answer("it does not name its issuer")),
            _ => {}
        }
        if let Some(error) = back.error {
            return Err(OidcError::Denied(error.chars().filter(char::is_ascii_graphic).take(60).collect()));
        }
        let code = back.code.ok_or_else(|| answer("it brings no code"))?;
        let (nonce, verifier) = (Nonce::new(waiting.nonce), PkceCodeVerifier::new(waiting.verifier));
        let (identity, session) = self.exchange(found, code, nonce, verifier).await?;
        Ok(Arrival { identity, next: waiting.next, session })
    }

    async fn exchange(
        &self,
        found: Arc<Found>,
        code: String,
        nonce: Nonce,
        verifier: PkceCodeVerifier,
    ) -> Result<(Identity, Option<String>), OidcError> {
        let client = self.client(&found);
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(answer)?;
        let token = request.set_pkce_verifier(verifier).request_async(&self.transport).await;
        let token = token.map_err(|error| answer(crate::http::problem::with_sources(&error)))?;
        let id_token = token.id_token().ok_or_else(|| answer("it has no id_token"))?;
        let mut keys = self.client(&found);
        let first = id_token.claims(&verifier_of(&keys), &nonce).map(drop);
        if let Err(error) = first {
            // It may have changed its keys since we asked.
            tracing::debug!(%error, provider = self.id, "an id_token did not hold; asking for the keys again");
            let newer = self.find(Some(found.since)).await?;
            keys = self.client(&newer);
        }
        let known = id_token.claims(&verifier_of(&keys), &nonce).map_err(answer)?;
        if known.authorized_party().is_some_and(|party| party.as_str() != self.config.client_id) {
            return Err(answer("it was issued to another client"));
        }
        let now = jiff::Timestamp::now().as_second();
        let other = &known.additional_claims().all;
        if known.issue_time().timestamp() > now + SKEW
            || other.get("nbf").and_then(Value::as_i64).is_some_and(|from| from > now + SKEW)
        {
            return Err(answer("it is not valid yet"));
        }
        if let Some(expected) = known.access_token_hash() {
            let verifier = verifier_of(&keys);
            let key = id_token.signing_key(&verifier).map_err(answer)?;
            let algorithm = id_token.signing_alg().map_err(answer)?;
            let actual = AccessTokenHash::from_token(token.access_token(), algorithm, key).map_err(answer)?;
            if actual != *expected {
                return Err(answer("its access token is not the one that it names"));
            }
        }
        let text = |name: &str| name.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
        let mut display_name = known.name().and_then(|name| name.get(None)).map(|name| text(name.as_str()));
        let mut wish = known.preferred_username().map(|name| name.as_str().to_owned());
        let mut claims = other.clone();
        if self.config.user_info {
            let request =
                keys.user_info(token.access_token().clone(), Some(known.subject().clone())).map_err(answer)?;
            let more: UserInfoClaims<Others, CoreGenderClaim> =
                request.request_async(&self.transport).await.map_err(answer)?;
            // Many providers say who somebody is only here (OpenID Connect Core, section 5.4).
            display_name = display_name.or(more.name().and_then(|name| name.get(None)).map(|name| text(name.as_str())));
            wish = wish.or(more.preferred_username().map(|name| name.as_str().to_owned()));
            claims.extend(more.additional_claims().all.clone());
        }
        let subject = known.subject().as_str();
        let wish = wish.as_deref().unwrap_or(subject);
        let session = logout::session_of(other);
        Ok((self.identity(known.issuer().as_str(), subject, wish, display_name, &claims), session))
    }

    /// Reads a token that signs somebody out and says whom; the keys are asked for again when it does not hold.
    pub async fn farewell(&self, token: &str) -> Result<Farewell, OidcError> {
        let found = self.find(None).await?;
        if let Ok(farewell) = logout::read(token, &found.metadata, &self.config.client_id) {
            return Ok(farewell);
        }
        let newer = self.find(Some(found.since)).await?;
        logout::read(token, &newer.metadata, &self.config.client_id).map_err(answer)
    }

    fn identity(
        &self,
        issuer: &str,
        subject: &str,
        wish: &str,
        display_name: Option<String>,
        claims: &Map<String, Value>,
    ) -> Identity {
        let config = &self.config;
        let groups = claims::groups(claims.get(&config.groups_claim), config.authority.as_deref());
        let gives = |names: &[String]| names.iter().any(|name| groups.iter().any(|group| group.is(name)));
        let role = if config.administrators.is_empty() && config.moderators.is_empty() {
            None
        } else if gives(&config.administrators) {
            Some(Role::Administrator)
        } else if gives(&config.moderators) {
            Some(Role::Moderator)
        } else {
            Some(Role::User)
        };
        let mut teams: Vec<String> = groups.iter().map(|group| group.team(&self.id)).collect();
        teams.sort();
        teams.dedup();
        Identity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            provider: self.id.clone(),
            wish: wish.to_owned(),
            display_name,
            teams,
            role,
            admits: config.admits,
        }
    }

    /// Finds out how the provider is spoken to; asks again when what is known is old, or is the one that failed.
    async fn find(&self, failed: Option<Instant>) -> Result<Arc<Found>, OidcError> {
        let mut known = self.found.lock().await;
        if let Some(found) = known.as_ref() {
            let age = found.since.elapsed();
            let fails = failed.is_some_and(|since| since == found.since) && age >= AGAIN;
            if age < FRESH && !fails {
                return Ok(Arc::clone(found));
            }
        }
        let found = Arc::new(self.discover().await?);
        *known = Some(Arc::clone(&found));
        Ok(found)
    }

    async fn discover(&self) -> Result<Found, OidcError> {
        let unusable = |error: &dyn std::fmt::Display| OidcError::Provider(error.to_string());
        let url = format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'));
        let request = http::Request::get(&url).header(http::header::ACCEPT, "application/json").body(Vec::new());
        let response = self.transport.send(request.map_err(|error| unusable(&error))?).await?;
        if response.status() != http::StatusCode::OK {
            return Err(OidcError::Provider(format!("`{url}` answers {}", response.status())));
        }
        let document: Value = serde_json::from_slice(response.body()).map_err(|error| unusable(&error))?;
        let names_itself = document["authorization_response_iss_parameter_supported"] == true;
        let metadata: CoreProviderMetadata = serde_json::from_value(document).map_err(|error| unusable(&error))?;
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|error| unusable(&error))?;
        if *metadata.issuer() != issuer {
            let (named, wanted) = (metadata.issuer().as_str(), issuer.as_str());
            return Err(OidcError::Provider(format!("it calls itself `{named}`, the configuration says `{wanted}`")));
        }
        let keys = CoreJsonWebKeySet::fetch_async(metadata.jwks_uri(), &self.transport).await;
        let keys = keys.map_err(|error| OidcError::Provider(crate::http::problem::with_sources(&error)))?;
        Ok(Found { metadata: metadata.set_jwks(keys), names_itself, since: Instant::now() })
    }

    fn client(&self, found: &Found) -> OidcClient {
        let secret = self.config.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let methods = found.metadata.token_endpoint_auth_methods_supported();
        let in_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let id = ClientId::new(self.config.client_id.clone());
        Client::from_provider_metadata(found.metadata.clone(), id, secret)
            .set_redirect_uri(self.redirect.clone())
            .set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth })
    }
}

fn verifier_of(client: &OidcClient) -> IdTokenVerifier<'_, CoreJsonWebKey> {
    client.id_token_verifier().set_allowed_algs(ALGORITHMS)
}

fn answer(error: impl std::fmt::Display) -> OidcError {
    OidcError::Answer(error.to_string())
}
