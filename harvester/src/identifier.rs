//! The identifier that a harvested record gets in our zone.

use catalog_ontology::terms::Kind;
use sha2::{Digest, Sha256};

/// The most characters of an identifier.
const LONGEST: usize = 128;
/// Characters of the digest that keeps two keys apart that would look alike.
const DIGEST: usize = 10;

/// Makes the identifier of a harvested record: the source, then the key in the characters that identifiers have.
///
/// It depends on nothing but its arguments, and two keys never get the same one: where a character had to be changed, a
/// digest of the key follows. `main` is the kind that most records of the source have; others get their kind in between,
/// since two kinds of record may share a key.
pub fn identifier(source: &str, main: Kind, kind: Kind, key: &str) -> String {
    let mut prefix = word(source);
    if kind != main {
        prefix.push('.');
        prefix.push_str(&kind.as_str().to_lowercase());
    }
    let slug = slug(key);
    // A slug that looks like one with a digest gets a digest of its own, so that no key can imitate another.
    if !slug.is_empty() && slug == key && prefix.len() + 1 + slug.len() <= LONGEST && !ends_like_digest(&slug) {
        return format!("{prefix}.{slug}");
    }
    let digest = &hex::encode(Sha256::digest(key.as_bytes()))[..DIGEST];
    let room = LONGEST.saturating_sub(prefix.len() + 2 + DIGEST);
    let slug = slug[..slug.len().min(room)].trim_end_matches(['-', '_', '.']);
    if slug.is_empty() { format!("{prefix}.{digest}") } else { format!("{prefix}.{slug}-{digest}") }
}

fn ends_like_digest(slug: &str) -> bool {
    let tail = slug.rsplit(['-', '.']).next().unwrap_or(slug);
    tail.len() == DIGEST && tail.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn word(text: &str) -> String {
    let slug = slug(text).replace('.', "-");
    if slug.is_empty() { "source".to_owned() } else { slug }
}

/// Writes a key in lower-case letters, digits, `-`, `_` and single dots between words.
fn slug(key: &str) -> String {
    // What every key of a kind begins with says nothing.
    let key = ["https://doi.org/", "http://", "https://", "ivo://", "spase://", "urn:", "oai:"]
        .iter()
        .find_map(|prefix| key.strip_prefix(prefix))
        .unwrap_or(key);
    let mut slug = String::with_capacity(key.len());
    for character in key.chars() {
        let character = character.to_ascii_lowercase();
        let before = slug.bytes().last();
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            '_' | '-' | '.' if !matches!(before, None | Some(b'.' | b'-' | b'_')) => slug.push(character),
            '_' | '-' if matches!(before, Some(b'-' | b'_')) => slug.push(character),
            _ if matches!(before, None | Some(b'.' | b'-' | b'_')) => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(slug.trim_end_matches(['.', '-', '_']).len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog_schemas::id::Identifier;
    use proptest::prelude::*;

    #[test]
    fn keys_keep_their_look_where_they_can() {
        let make = |key| identifier("aws", Kind::Dataset, Kind::Dataset, key);
        assert_eq!(make("1000-genomes"), "aws.1000-genomes");
        assert_eq!(make("sentinel-2.l2a"), "aws.sentinel-2.l2a");
        assert!(make("C1633360083-OB_DAAC").starts_with("aws.c1633360083-ob_daac-"));
        assert_ne!(make("ABC"), make("abc"));
        assert_eq!(identifier("aws", Kind::Dataset, Kind::DataVolume, "x"), "aws.datavolume.x");
        assert!(make("东京").starts_with("aws."));
    }

    proptest! {
        #[test]
        fn every_key_gets_a_valid_identifier(source in "[a-z0-9][a-z0-9-]{0,62}", key in ".{0,300}") {
            let made = identifier(&source, Kind::Dataset, Kind::Pipeline, &key);
            prop_assert!(made.parse::<Identifier>().is_ok(), "{made}");
        }

        #[test]
        fn two_keys_never_share_one(one in "[a-zA-Z0-9._:/ -]{1,12}", other in "[a-zA-Z0-9._:/ -]{1,12}") {
            let make = |key: &str| identifier("s", Kind::Dataset, Kind::Dataset, key);
            prop_assert_eq!(one == other, make(&one) == make(&other));
        }
    }
}
