//! An identity provider of our own that can answer wrongly in every way that we know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Who we are there, and our secret.
pub(super) const CLIENT: &str = "alidade-test";
pub(super) const SECRET: &str = "a-secret-of-the-client";

/// What a code stands for.
#[derive(Clone)]
pub(super) struct Grant {
    /// What is wrong with the answer; `good` when nothing is.
    pub(super) fault: String,
    pub(super) nonce: String,
    pub(super) challenge: String,
    pub(super) claims: Value,
}

/// The provider; each first part of a path is an issuer of its own.
#[derive(Clone)]
pub(super) struct Provider {
    pub(super) base: String,
    grants: Arc<Mutex<HashMap<String, Grant>>>,
    key: Arc<EcdsaKeyPair>,
    other_key: Arc<EcdsaKeyPair>,
}

fn key() -> Arc<EcdsaKeyPair> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    Arc::new(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap())
}

impl Provider {
    /// Starts it on a free port; it ends with the test's runtime.
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self { base, grants: Arc::default(), key: key(), other_key: key() };
        let router = Router::new()
            .route("/{issuer}/.well-known/openid-configuration", get(discovery))
            .route("/{issuer}/jwks", get(keys))
            .route("/{issuer}/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// Lets a code stand for a grant, once.
    pub(super) fn grant(&self, code: &str, grant: Grant) {
        self.grants.lock().unwrap().insert(code.to_owned(), grant);
    }

    fn id_token(&self, issuer: &str, grant: &Grant, access_token: &str) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let fault = grant.fault.as_str();
        let mut header = json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" });
        let mut claims = json!({
            "iss": format!("{}/{issuer}", self.base), "aud": CLIENT, "sub": "subject-1", "nonce": grant.nonce,
            "iat": now, "exp": now + 300,
        });
        for (name, value) in grant.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let half = &Sha256::digest(access_token.as_bytes())[..16];
        claims["at_hash"] = json!(URL_SAFE_NO_PAD.encode(half));
        match fault {
            "wrong issuer" => claims["iss"] = json!("https://accounts.example"),
            "issuer with a slash" => claims["iss"] = json!(format!("{}/{issuer}/", self.base)),
            "wrong audience" => claims["aud"] = json!("another-client"),
            "audience beside us" => claims["aud"] = json!([CLIENT, "another-client"]),
            "no audience" => drop(claims.as_object_mut().unwrap().remove("aud")),
            "azp of another" => claims["azp"] = json!("another-client"),
            "wrong nonce" => claims["nonce"] = json!("n-0S6_WzA2Mj"),
            "no nonce" => drop(claims.as_object_mut().unwrap().remove("nonce")),
            "expired" => claims["exp"] = json!(now - 3600),
            "no expiry" => drop(claims.as_object_mut().unwrap().remove("exp")),
            "not yet valid" => claims["nbf"] = json!(now + 3600),
            "issued tomorrow" => claims["iat"] = json!(now + 86_400),
            "no subject" => drop(claims.as_object_mut().unwrap().remove("sub")),
            "wrong at_hash" => claims["at_hash"] = json!(URL_SAFE_NO_PAD.encode([0; 16])),
            "unknown kid" => header["kid"] = json!("k2"),
            "alg none" => header = json!({ "alg": "none" }),
            "hmac with our secret" | "hmac with the public key" => header = json!({ "alg": "HS256", "kid": "k1" }),
            "rs256 with an ec key" => header["alg"] = json!("RS256"),
            "key in the header" => header["jwk"] = self.jwk(&self.other_key),
            "no id_token" => return None,
            "garbage" => return Some("not.a.token".to_owned()),
            _ => {}
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let hmac = |key: &[u8]| {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
            ring::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
        };
        let sign = |key: &EcdsaKeyPair| key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec();
        let signature = match fault {
            "alg none" => Vec::new(),
            "hmac with our secret" => hmac(SECRET.as_bytes()),
            "hmac with the public key" => hmac(self.key.public_key().as_ref()),
            "signed by another" | "key in the header" => sign(&self.other_key),
            "no signature" => Vec::new(),
            _ => sign(&self.key),
        };
        let mut token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        if fault == "changed after signing" {
            claims["sub"] = json!("somebody-else");
            let mut parts = token.split('.').map(str::to_owned).collect::<Vec<_>>();
            parts[1] = encode(&claims);
            token = parts.join(".");
        }
        Some(token)
    }

    /// Makes a token that signs somebody out, with what is wrong with it.
    pub(super) fn logout_token(&self, issuer: &str, fault: &str, session: Option<&str>) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut header = json!({ "alg": "ES256", "kid": "k1", "typ": "logout+jwt" });
        let mut claims = json!({
            "iss": format!("{}/{issuer}", self.base), "aud": CLIENT, "sub": "subject-1", "iat": now, "exp": now + 120,
            "jti": "one", "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        if let Some(session) = session {
            claims["sid"] = json!(session);
        }
        match fault {
            "a nonce" => claims["nonce"] = json!("n"),
            "no event" => drop(claims.as_object_mut().unwrap().remove("events")),
            "another event" => claims["events"] = json!({ "https://evil.example/event": {} }),
            "an event that is a word" => claims["events"] = json!("http://schemas.openid.net/event/backchannel-logout"),
            "another issuer" => claims["iss"] = json!("https://accounts.example"),
            "another audience" => claims["aud"] = json!("another-client"),
            "expired" => claims["exp"] = json!(now - 600),
            "old" => claims["iat"] = json!(now - 3600),
            "of tomorrow" => claims["iat"] = json!(now + 86_400),
            "no subject" => drop(claims.as_object_mut().unwrap().remove("sub")),
            "alg none" => header = json!({ "alg": "none" }),
            "hmac" => header = json!({ "alg": "HS256" }),
            _ => {}
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let key = if fault == "signed by another" { &self.other_key } else { &self.key };
        let signature = match fault {
            "alg none" | "no signature" => Vec::new(),
            "hmac" => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
                ring::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            _ => key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn jwk(&self, key: &EcdsaKeyPair) -> Value {
        let point = key.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        })
    }
}

async fn discovery(State(provider): State<Provider>, Path(issuer): Path<String>) -> Response {
    let base = format!("{}/{issuer}", provider.base);
    let named = if issuer == "liar" { format!("{}/good", provider.base) } else { base.clone() };
    match issuer.as_str() {
        "redirects" => {
            return Redirect::temporary(&format!("{}/good/.well-known/openid-configuration", provider.base))
                .into_response();
        }
        "broken" => return "<html>not json".into_response(),
        "failing" => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "huge" => return " ".repeat(3 << 20).into_response(),
        _ => {}
    }
    Json(json!({
        "issuer": named,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "authorization_response_iss_parameter_supported": issuer == "named",
    }))
    .into_response()
}

async fn keys(State(provider): State<Provider>, Path(issuer): Path<String>) -> Response {
    if issuer == "manykeys" {
        let key = provider.jwk(&provider.key);
        return Json(json!({ "keys": vec![key; 20_000] })).into_response();
    }
    Json(json!({ "keys": [provider.jwk(&provider.key)] })).into_response()
}

async fn token(
    State(provider): State<Provider>,
    Path(issuer): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let refuse = |word: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": word }))).into_response();
    // A code is worth one answer, for whoever began with its challenge.
    let grant = form.get("code").and_then(|code| provider.grants.lock().unwrap().remove(code));
    let Some(grant) = grant else { return refuse("invalid_grant") };
    let verifier = form.get("code_verifier").cloned().unwrap_or_default();
    if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) != grant.challenge {
        return refuse("invalid_grant");
    }
    match grant.fault.as_str() {
        "refused" => return refuse("invalid_client"),
        "token endpoint fails" => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "answer of html" => return "<html>welcome</html>".into_response(),
        "huge answer" => return "x".repeat(3 << 20).into_response(),
        _ => {}
    }
    let access_token = "an-access-token";
    let mut answer = json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": 300 });
    if let Some(id_token) = provider.id_token(&issuer, &grant, access_token) {
        answer["id_token"] = json!(id_token);
    }
    Json(answer).into_response()
}
