//! Signatures of packages: what is signed, how it is verified, and how keys are written.
//!
//! What is signed is one text of identifier, version, the hash of the record's public statements and the hash of the
//! archive. The archive's hash proves every byte to whoever has it; the statements' hash lets a catalogue that harvests
//! only the public words prove them too. Statements are sorted and have no blank nodes, so nothing is canonicalised that a
//! stranger sent (RDFC-1.0 can be made to take for ever).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog_schemas::account::Role;
use catalog_schemas::governance::Signature;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::record::{Record, RecordIris};
use crate::terms::Visibility;

/// How statements and text are made; another number when either changes, so that an old signature is known for one.
pub const PROFILE: &str = "alidade-package-signature/1";
/// The only algorithm.
pub const ALGORITHM: &str = "ed25519";

/// The subject of signed statements is below this and not below a catalogue's address: a publisher signs before knowing it.
const BASE: &str = "urn:alidade";

/// The multicodec prefixes of an Ed25519 public and private key.
const PUBLIC: [u8; 2] = [0xed, 0x01];
const PRIVATE: [u8; 2] = [0x80, 0x26];

/// Why a signature is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It was made by rules that this release does not know.
    #[error("the signature has the profile `{0}`; this release knows `{PROFILE}` with `{ALGORITHM}`")]
    Profile(String),
    /// The key cannot be read.
    #[error("the key is not an Ed25519 key in multibase, such as z6Mk…")]
    Key,
    /// The value cannot be read.
    #[error("the signature's value is not 64 bytes in base64")]
    Value,
    /// It is of something else.
    #[error("the signature is of {what} `{signed}`, not of `{found}`")]
    OfAnother {
        /// What differs.
        what: &'static str,
        /// What was signed.
        signed: String,
        /// What is there.
        found: String,
    },
    /// The mathematics say no.
    #[error("the signature does not fit its key")]
    Broken,
    /// Nobody vouches for the key.
    #[error("the key `{0}` does not belong to the namespace")]
    UnknownKey(String),
}

/// A key that may sign, and whether it still may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The public key in multibase.
    pub public_key: String,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// What a good signature says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The key belongs to the namespace.
    Trusted,
    /// The key belonged to the namespace and was revoked.
    Revoked,
}

/// Returns the hash of the public statements that a record's publisher made; the same for a record that came back from a
/// catalogue which has completed it.
pub fn statements_digest(record: &Record) -> String {
    let own = record.written_by(Role::Developer);
    let iris = RecordIris::new(BASE, "-", &own);
    let mut lines: Vec<String> =
        own.triples(&iris, Visibility::Public).iter().map(|triple| format!("{triple} .\n")).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut hasher = Sha256::new();
    lines.iter().for_each(|line| hasher.update(line));
    hex::encode(hasher.finalize())
}

/// Returns the hash of an archive.
pub fn archive_digest(archive: &[u8]) -> String {
    hex::encode(Sha256::digest(archive))
}

/// Signs a package.
pub fn sign(record: &Record, digest: &str, key: &SecretKey) -> Signature {
    let mut signature = Signature {
        profile: PROFILE.to_owned(),
        algorithm: ALGORITHM.to_owned(),
        public_key: key.public(),
        identifier: record.identifier().to_owned(),
        version: record.version().unwrap_or("1").to_owned(),
        statements: statements_digest(record),
        digest: digest.to_owned(),
        value: String::new(),
    };
    signature.value = STANDARD.encode(key.0.sign(text(&signature).as_bytes()).to_bytes());
    signature
}

/// Verifies a signature: that it is of this record and version, of these statements and, where the archive is there, of this
/// archive, that it fits its key, and that one of `keys` is that key. Pure: it asks nobody.
///
/// # Errors
///
/// What is wrong, the first thing only; [`SignatureError::UnknownKey`] last, when all else is well.
pub fn verify(
    signature: &Signature,
    (identifier, version): (&str, &str),
    statements: &str,
    digest: Option<&str>,
    keys: &[TrustedKey],
) -> Result<Trust, SignatureError> {
    if signature.profile != PROFILE || signature.algorithm != ALGORITHM {
        let shown = format!("{} {}", signature.profile, signature.algorithm);
        return Err(SignatureError::Profile(shown.chars().take(100).collect()));
    }
    let of = |what, signed: &str, found: &str| {
        let cut = |text: &str| text.chars().take(100).collect::<String>();
        if signed == found {
            Ok(())
        } else {
            Err(SignatureError::OfAnother { what, signed: cut(signed), found: cut(found) })
        }
    };
    of("the record", &signature.identifier, identifier)?;
    of("the version", &signature.version, version)?;
    of("statements", &signature.statements, statements)?;
    if let Some(digest) = digest {
        of("the archive", &signature.digest, digest)?;
    }
    let key = public_key(&signature.public_key)?;
    let bytes: [u8; 64] =
        STANDARD.decode(&signature.value).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(SignatureError::Value)?;
    // Strict: no key of small order, no second form of the same signature.
    key.verify_strict(text(signature).as_bytes(), &ed25519_dalek::Signature::from_bytes(&bytes))
        .map_err(|_| SignatureError::Broken)?;
    match keys.iter().find(|trusted| trusted.public_key == signature.public_key) {
        Some(TrustedKey { revoked: false, .. }) => Ok(Trust::Trusted),
        Some(_) => Ok(Trust::Revoked),
        None => Err(SignatureError::UnknownKey(signature.public_key.clone())),
    }
}

/// Returns the text that is signed; every part is on its line, and none can hold a line's end.
fn text(signature: &Signature) -> String {
    let Signature { profile, algorithm, public_key, identifier, version, statements, digest, .. } = signature;
    let parts = [profile, algorithm, public_key, identifier, version, statements, digest];
    parts.map(|part| format!("{}\n", part.replace('\n', "\\n"))).concat()
}

/// Reads a public key in multibase.
///
/// # Errors
///
/// When it is none.
pub fn public_key(text: &str) -> Result<VerifyingKey, SignatureError> {
    let bytes = decode(text, PUBLIC).ok_or(SignatureError::Key)?;
    VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak()).ok_or(SignatureError::Key)
}

/// A private key.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes a key of 32 bytes that nobody can guess.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads a private key as [`SecretKey::write`] writes it; space around it is passed over.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        decode(text.trim(), PRIVATE).map(Self::from_seed).ok_or(SignatureError::Key)
    }

    /// Writes the private key in multibase.
    pub fn write(&self) -> String {
        encode(self.0.to_bytes(), PRIVATE)
    }

    /// Returns the public key in multibase.
    pub fn public(&self) -> String {
        encode(self.0.verifying_key().to_bytes(), PUBLIC)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public()).finish()
    }
}

fn encode(key: [u8; 32], prefix: [u8; 2]) -> String {
    let bytes: Vec<u8> = prefix.into_iter().chain(key).collect();
    format!("z{}", bs58::encode(bytes).into_string())
}

fn decode(text: &str, prefix: [u8; 2]) -> Option<[u8; 32]> {
    // 34 bytes are at most 47 digits of base 58; what is longer is not looked at.
    let digits = text.strip_prefix('z').filter(|digits| digits.len() <= 48)?;
    let bytes = bs58::decode(digits).into_vec().ok()?;
    bytes.strip_prefix(&prefix)?.try_into().ok()
}
