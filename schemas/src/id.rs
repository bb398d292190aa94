//! Identifiers, each a type that can only hold a valid one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// Says why a text is not an identifier of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {kind}: {rule}")]
pub struct InvalidId {
    /// What was given, cut to 80 characters.
    pub given: String,
    /// The kind of identifier that was expected, with its article.
    pub kind: &'static str,
    /// The rule in words.
    pub rule: &'static str,
}

fn invalid(given: &str, kind: &'static str, rule: &'static str) -> InvalidId {
    InvalidId { given: given.chars().take(80).collect(), kind, rule }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(invalid(text, $kind, $rule)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    /// Names a record within its zone: `namespace.name`, given by the publisher in the first upload, never changed.
    Identifier,
    "an identifier",
    "write namespace.name in lower-case letters, digits, `-` and `_`, 3 to 128 characters, such as esa.esdc.aladin",
    |text| (3..=128).contains(&text.len()) && text.contains('.') && text.split('.').all(is_word)
);

identifier!(
    /// Names the group of records that one owner group publishes: every part of an identifier but the last.
    Namespace,
    "a namespace",
    "write lower-case letters, digits, `-`, `_` and dots, at most 120 characters, such as esa.esdc",
    |text| text.len() <= 120 && text.split('.').all(is_word)
);

identifier!(
    /// Names a version of a record, such as `0.3.1`; semantic versioning is recommended, not required.
    Version,
    "a version",
    "write letters, digits, `.`, `-`, `_` and `+`, beginning with a letter or digit, at most 64 characters",
    |text| {
        text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b))
    }
);

identifier!(
    /// Names a zone of the federation, such as `go-esa`.
    ZoneId,
    "a zone id",
    "write lower-case letters, digits and `-`, beginning with a letter or digit, at most 63 characters",
    is_label
);

identifier!(
    /// The short name shown and typed, such as `aladin`; not unique.
    ShortName,
    "a short name",
    "write lower-case letters, digits and `-`, beginning with a letter or digit, at most 63 characters",
    is_label
);

identifier!(
    /// Names a launch; container names and labels are made from it, so creating twice is noticed by the engine.
    LaunchId,
    "a launch id",
    "it is `l` and 26 lower-case letters or digits",
    |text| text.len() == 27 && text.starts_with('l') && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);

impl Identifier {
    /// Returns the namespace: every part but the last.
    pub fn namespace(&self) -> Namespace {
        let (namespace, _) = self.0.rsplit_once('.').unwrap_or((&self.0, ""));
        Namespace(namespace.to_owned())
    }

    /// Returns the last part, which names the record within its namespace.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('.').map_or(self.0.as_str(), |(_, name)| name)
    }
}

impl Namespace {
    /// Says whether `identifier` belongs to this namespace or to one below it.
    pub fn holds(&self, identifier: &Identifier) -> bool {
        identifier.as_str().strip_prefix(self.as_str()).is_some_and(|rest| rest.starts_with('.'))
    }
}

impl LaunchId {
    /// Makes an id from 16 bytes of randomness or time, in base 32 without look-alikes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut value = u128::from_be_bytes(bytes);
        let mut text = [0u8; 26];
        for slot in text.iter_mut().rev() {
            *slot = ALPHABET[(value & 31) as usize];
            value >>= 5;
        }
        Self(format!("l{}", String::from_utf8_lossy(&text)))
    }
}

/// One part of an identifier.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// A DNS label without its rule about the last character.
fn is_label(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_a_namespace_and_a_name() {
        let id: Identifier = "esa.esdc.aladin".parse().unwrap();
        assert_eq!(id.namespace().as_str(), "esa.esdc");
        assert_eq!(id.name(), "aladin");
        assert!("esa".parse::<Namespace>().unwrap().holds(&id));
        assert!(!"esa.es".parse::<Namespace>().unwrap().holds(&id));
    }

    #[test]
    fn what_is_not_an_identifier_is_refused_with_the_rule() {
        for text in ["", "aladin", "Esa.aladin", "esa..aladin", ".aladin", "esa.", "esa.ala din", "esa./etc", "esa.-a"]
        {
            assert!(text.parse::<Identifier>().is_err(), "{text}");
        }
        let error = "Aladin".parse::<ShortName>().unwrap_err().to_string();
        assert!(error.contains("`Aladin` is not a short name"), "{error}");
    }

    #[test]
    fn launch_ids_parse_back() {
        let id = LaunchId::from_bytes([0xff; 16]);
        assert_eq!(id.as_str().parse::<LaunchId>().unwrap(), id);
    }
}
