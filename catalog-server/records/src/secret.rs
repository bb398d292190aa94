//! Secrets: how they are made, recognised and kept.

use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::error::Error;
use crate::row::sha256;

/// Begins every token, so that scanners of published files recognise one.
const PREFIX: &str = "ald_";
/// Digits of 32 bytes in base 62.
const BODY: usize = 43;
/// Digits of a CRC-32 in base 62.
const CHECK: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes 32 bytes of randomness as text.
pub(crate) fn random() -> Result<String, Error> {
    let mut bytes = [0; 32];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Error::Refused(format!("the system gives no randomness: {error}")))?;
    Ok(base62(bytes.to_vec(), BODY))
}

/// Makes a token's secret: prefix, randomness, checksum.
pub(crate) fn token() -> Result<String, Error> {
    let body = random()?;
    let check = checksum(&body);
    Ok(format!("{PREFIX}{body}{check}"))
}

/// Says whether a text that claims to be a token of ours has a wrong checksum, so that nobody need look it up.
pub(crate) fn is_misspelt(secret: &str) -> bool {
    let Some(rest) = secret.strip_prefix(PREFIX) else { return false };
    match rest.split_at_checked(BODY) {
        Some((body, check)) => checksum(body) != check,
        None => true,
    }
}

/// Hashes a secret for keeping. A plain hash is enough: nobody guesses 256 bits.
pub(crate) fn hash(secret: &str) -> String {
    sha256(secret.as_bytes())
}

fn checksum(body: &str) -> String {
    base62(crc32(body.as_bytes()).to_be_bytes().to_vec(), CHECK)
}

/// Writes a big-endian number in base 62 with leading zeros.
fn base62(mut number: Vec<u8>, digits: usize) -> String {
    let mut text = vec![0; digits];
    for slot in text.iter_mut().rev() {
        let mut rest = 0;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            // Dividing by 62 with a rest below 62 leaves less than 256.
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *slot = DIGITS[rest as usize];
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The CRC-32 of ISO 3309, as in zip files.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(base62(vec![0, 62], 3), "010");
        assert_eq!(base62(vec![0xff; 32], BODY).len(), BODY);
    }

    #[test]
    fn a_token_knows_its_own_spelling() {
        let secret = token().unwrap();
        assert_eq!(secret.len(), PREFIX.len() + BODY + CHECK);
        assert!(!is_misspelt(&secret));
        let mut other = secret.into_bytes();
        other[10] = if other[10] == b'a' { b'b' } else { b'a' };
        assert!(is_misspelt(&String::from_utf8(other).unwrap()));
        assert!(is_misspelt("ald_short"));
        assert!(is_misspelt(&format!("ald_{}é", "a".repeat(42))));
        assert!(!is_misspelt("an operator's own administrator token"));
        assert_ne!(token().unwrap(), token().unwrap());
    }
}
