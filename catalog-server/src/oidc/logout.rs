//! Tokens by which a provider signs somebody out (OpenID Connect Back-Channel Logout 1.0, section 2.6).
//!
//! They look like those for signing in and must never be taken for one, nor the other way round: they have an event and no
//! nonce, and their type may be one that `openidconnect` does not read. So they are read here, with its keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::JsonWebKey;
use openidconnect::core::{CoreJsonWebKeyUse, CoreJwsSigningAlgorithm, CoreProviderMetadata};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ALGORITHMS, SKEW};

/// The event that such a token names.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How old, in seconds, such a token may be: replayed after that, it ends nothing that began since.
const AGE: i64 = 300;
/// The types that it may have; providers of before the type was defined write `JWT` or nothing.
const TYPES: [&str; 2] = ["logout+jwt", "jwt"];
/// Longer ones are no tokens.
const LONGEST: usize = 16 * 1024;

/// Whom a provider signs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// The issuer.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// Only what this session of the provider began; everything when it names none.
    pub session: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: CoreJwsSigningAlgorithm,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    iat: i64,
    exp: i64,
    events: Map<String, Value>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// Reads a token and checks all of it.
pub(super) fn read(token: &str, provider: &CoreProviderMetadata, client: &str) -> Result<Farewell, &'static str> {
    if token.len() > LONGEST {
        return Err("it is too long");
    }
    let (signed, signature) = token.rsplit_once('.').ok_or("it is no token")?;
    let (header, claims) = signed.split_once('.').ok_or("it is no token")?;
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "it is no token");
    let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| "its header cannot be read")?;
    let typ = header.typ.as_deref().unwrap_or("jwt").to_ascii_lowercase();
    if !TYPES.contains(&typ.trim_start_matches("application/")) {
        return Err("it is of another type");
    }
    if !ALGORITHMS.contains(&header.alg) {
        return Err("its algorithm is not accepted");
    }
    let signature = bytes(signature)?;
    let fits = |key: &&openidconnect::core::CoreJsonWebKey| {
        let named = header.kid.as_ref().is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid));
        named && key.key_use().is_none_or(|of| *of == CoreJsonWebKeyUse::Signature)
    };
    let keys = provider.jwks().keys();
    let holds =
        keys.iter().filter(fits).any(|key| key.verify_signature(&header.alg, signed.as_bytes(), &signature).is_ok());
    if !holds {
        return Err("no key of the provider made its signature");
    }
    let claims: Claims = serde_json::from_slice(&bytes(claims)?).map_err(|_| "a claim is missing")?;
    check(claims, provider.issuer().as_str(), client, jiff::Timestamp::now().as_second())
}

fn check(claims: Claims, issuer: &str, client: &str, now: i64) -> Result<Farewell, &'static str> {
    let Claims { iss, sub, aud, iat, exp, events, other } = claims;
    let for_us = match &aud {
        Value::String(one) => one == client,
        Value::Array(all) => all.iter().any(|one| one == client),
        _ => false,
    };
    if iss != issuer || !for_us {
        return Err("it is of another issuer, or for another client");
    }
    if exp < now - SKEW || iat > now + SKEW || iat < now - AGE {
        return Err("it is too old, or of tomorrow");
    }
    if !events.get(EVENT).is_some_and(Value::is_object) {
        return Err("it is not for signing out");
    }
    if other.contains_key("nonce") {
        return Err("it is for signing in");
    }
    if sub.is_empty() || sub.len() > 255 {
        return Err("it names nobody");
    }
    Ok(Farewell { issuer: iss, subject: sub, session: session_of(&other) })
}

/// Returns the provider's own session, when claims name it.
pub(super) fn session_of(claims: &Map<String, Value>) -> Option<String> {
    claims.get("sid")?.as_str().filter(|text| text.len() <= 255).map(str::to_owned)
}
