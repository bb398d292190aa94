//! Signed, expiring, single-use requests of one server to another (THREATS T34).
//!
//! A request says who sends it, for whom it is meant, on whose behalf, what exactly is asked, and until when it holds.
//! Whoever receives it refuses one that was changed, that is meant for another server, that is older than a minute, and
//! one that it has seen before.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The word before a signed request in the header `Authorization`.
pub const SCHEME: &str = "Alidade-Delegation";

/// How long a request holds; clocks may be apart by as much again.
pub const LIFETIME_SECONDS: i64 = 60;

/// The most bytes of a signed request: its longest part is a path.
const MAX_BYTES: usize = 16 << 10;

/// What a signed request says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The zone that sends it.
    pub iss: String,
    /// The base URL of the server that it is meant for.
    pub aud: String,
    /// The account on whose behalf it is sent; absent when the zone itself asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// Until when it holds.
    pub exp: i64,
    /// Its own number, never used again.
    pub jti: String,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// SHA-256 of the body in hexadecimal; absent for what is passed on as it comes, such as a lab's traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Why a signed request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is none.
    #[error("the request is not signed as one zone signs to another")]
    Malformed,
    /// The signature is not that of the zone.
    #[error("the signature is not that of the zone that it names")]
    Signature,
    /// It is meant for another server.
    #[error("the request is meant for another server")]
    Audience,
    /// It asks for something else than what came.
    #[error("what was signed is not what was sent")]
    Changed,
    /// It has expired, or the clocks of both servers are apart.
    #[error("the request has expired, or the clocks of the two servers are more than a minute apart")]
    Expired,
}

impl Refused {
    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "delegation.malformed",
            Self::Signature => "delegation.signature",
            Self::Audience => "delegation.audience",
            Self::Changed => "delegation.changed",
            Self::Expired => "delegation.expired",
        }
    }
}

/// What this server signs with: its zone's name and its key.
#[derive(Clone)]
pub struct Identity {
    zone: String,
    key: Arc<Ed25519KeyPair>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("zone", &self.zone).field("key", &self.public_key()).finish()
    }
}

impl Identity {
    /// Makes a new key; what is returned is to be kept secret.
    ///
    /// # Errors
    ///
    /// When the machine has no randomness.
    pub fn generate() -> Result<Vec<u8>, &'static str> {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "the machine has no randomness")?;
        Ok(key.as_ref().to_vec())
    }

    /// Reads a key that was made before.
    ///
    /// # Errors
    ///
    /// When it is not one.
    pub fn read(zone: impl Into<String>, key: &[u8]) -> Result<Self, &'static str> {
        let key = Ed25519KeyPair::from_pkcs8(key).map_err(|_| "it is not an Ed25519 key")?;
        Ok(Self { zone: zone.into(), key: Arc::new(key) })
    }

    /// Returns the public key, as another server's operator configures it.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref())
    }

    /// Signs a request, and returns the value of its header `Authorization`.
    pub fn sign(&self, audience: &str, on_behalf_of: Option<&str>, asked: Asking<'_>, now: Timestamp) -> String {
        let mut random = [0u8; 16];
        // Without randomness nothing else on this machine is safe either; a number that comes again is refused.
        let _ = ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut random);
        let claims = Claims {
            iss: self.zone.clone(),
            aud: audience.trim_end_matches('/').to_owned(),
            sub: on_behalf_of.map(str::to_owned),
            iat: now.as_second(),
            exp: now.as_second() + LIFETIME_SECONDS,
            jti: URL_SAFE_NO_PAD.encode(random),
            method: asked.method.to_owned(),
            path: asked.path.to_owned(),
            body: asked.body.map(digest),
        };
        self.seal(&claims)
    }

    /// Signs claims as they are.
    pub fn seal(&self, claims: &Claims) -> String {
        let text = serde_json::to_vec(claims).unwrap_or_default();
        let signature = self.key.sign(&text);
        format!("{SCHEME} {}.{}", URL_SAFE_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The body, where it is signed.
    pub body: Option<&'a [u8]>,
}

/// Checks a signed request; whether it was seen before is for the caller to know.
///
/// `key_of` knows the public key of each zone that may send.
///
/// # Errors
///
/// Says what is wrong with it.
pub fn verify(
    header: &str,
    key_of: impl FnOnce(&str) -> Option<String>,
    audience: &str,
    asked: Asking<'_>,
    now: Timestamp,
) -> Result<Claims, Refused> {
    let sealed = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME));
    let (_, sealed) = sealed.filter(|(_, sealed)| sealed.len() <= MAX_BYTES).ok_or(Refused::Malformed)?;
    let (text, signature) = sealed.trim().split_once('.').ok_or(Refused::Malformed)?;
    let text = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Malformed)?;
    let claims: Claims = serde_json::from_slice(&text).map_err(|_| Refused::Malformed)?;
    // A zone that is not known and a signature that does not hold are answered alike.
    let key = key_of(&claims.iss).and_then(|key| URL_SAFE_NO_PAD.decode(key).ok()).ok_or(Refused::Signature)?;
    UnparsedPublicKey::new(&ED25519, &key).verify(&text, &signature).map_err(|_| Refused::Signature)?;
    if claims.aud != audience.trim_end_matches('/') {
        return Err(Refused::Audience);
    }
    let now = now.as_second();
    let lifetime = claims.exp.saturating_sub(claims.iat);
    if !(0..=LIFETIME_SECONDS).contains(&lifetime) || claims.exp < now || claims.iat > now + LIFETIME_SECONDS {
        return Err(Refused::Expired);
    }
    let same = claims.method == asked.method
        && claims.path == asked.path
        && asked.body.is_none_or(|body| claims.body.as_deref() == Some(digest(body).as_str()));
    if same && (1..=64).contains(&claims.jti.len()) { Ok(claims) } else { Err(Refused::Changed) }
}

fn digest(body: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "https://sci-cloud.example";

    fn identity(zone: &str) -> Identity {
        Identity::read(zone, &Identity::generate().unwrap()).unwrap()
    }

    #[test]
    fn only_what_was_signed_for_here_and_now_is_taken() {
        let (ours, other) = (identity("go-esa"), identity("go-esa"));
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let asked = Asking { method: "PUT", path: "/api/v1/delegations/launches/l1", body: Some(b"{}") };
        let sealed = ours.sign(&format!("{HERE}/"), Some("anna"), asked, now);
        let key = |zone: &str| (zone == "go-esa").then(|| ours.public_key());
        let taken = |header: &str, asked: Asking<'_>, seconds: i64| {
            verify(header, key, HERE, asked, Timestamp::from_second(now.as_second() + seconds).unwrap())
        };
        let claims = taken(&sealed, asked, 0).unwrap();
        assert_eq!((claims.iss.as_str(), claims.sub.as_deref()), ("go-esa", Some("anna")));
        assert!(taken(&sealed, asked, 60).is_ok());
        assert_eq!(taken(&sealed, asked, 61), Err(Refused::Expired));
        assert_eq!(taken(&sealed, asked, -300), Err(Refused::Expired), "our clock is behind");
        assert_eq!(taken(&sealed, Asking { body: Some(b"{ }"), ..asked }, 0), Err(Refused::Changed));
        assert_eq!(taken(&sealed, Asking { method: "DELETE", ..asked }, 0), Err(Refused::Changed));
        assert_eq!(taken(&sealed, Asking { path: "/x", ..asked }, 0), Err(Refused::Changed));
        assert_eq!(verify(&sealed, key, "https://other.example", asked, now), Err(Refused::Audience));
        assert_eq!(taken(&other.sign(HERE, None, asked, now), asked, 0), Err(Refused::Signature));
        assert_eq!(taken(&identity("x").sign(HERE, None, asked, now), asked, 0), Err(Refused::Signature));
        for broken in ["", "Bearer x", "Alidade-Delegation x", "Alidade-Delegation e30.e30"] {
            assert_eq!(taken(broken, asked, 0), Err(Refused::Malformed), "{broken}");
        }
        // A sender cannot give itself more time.
        let long = Claims { exp: claims.iat + 61, ..claims };
        assert_eq!(taken(&ours.seal(&long), asked, 0), Err(Refused::Expired));
    }

    #[test]
    fn no_number_comes_twice() {
        let ours = identity("go-esa");
        let asked = Asking { method: "GET", path: "/", body: None };
        let sealed: std::collections::BTreeSet<String> =
            (0..100).map(|_| ours.sign(HERE, None, asked, Timestamp::UNIX_EPOCH)).collect();
        assert_eq!(sealed.len(), 100);
    }
}
