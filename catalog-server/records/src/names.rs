//! The words of the ledger: account names and states.

use std::fmt;
use std::str::FromStr;

/// Says why a text is not an account name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an account name: write 1 to 64 lower-case letters, digits, `.`, `-`, `_` or `@`, beginning with a letter or digit"
)]
pub struct InvalidAccountName(pub String);

/// Names an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(String);

impl AccountName {
    /// Returns the name under which the platform itself acts.
    pub fn application() -> Self {
        Self("alidade".to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = InvalidAccountName;

    fn from_str(text: &str) -> Result<Self, InvalidAccountName> {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let valid = (1..=64).contains(&text.len())
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|b| word(b) || b".-_@".contains(&b));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidAccountName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a version or a record is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Its developers work on it.
    Draft,
    /// It waits for a moderator.
    Submitted,
    /// Everybody sees it.
    Published,
    /// Everybody sees it, and that it should no longer be used.
    Deprecated,
    /// Only its tombstone is left.
    Withdrawn,
}

impl State {
    /// Returns the word used in JSON and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Published => "published",
            Self::Deprecated => "deprecated",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Returns the state of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Draft, Self::Submitted, Self::Published, Self::Deprecated, Self::Withdrawn]
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// Says whether everybody may see a version in this state.
    pub fn is_public(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated)
    }

    /// Says whether a version in this state is still its developers' and moderators' alone.
    pub fn is_in_work(self) -> bool {
        matches!(self, Self::Draft | Self::Submitted)
    }

    /// Says whether a version may go from this state to another at all; who may, says [`crate::workflow::STEPS`].
    pub fn may_become(self, next: Self) -> bool {
        crate::workflow::STEPS.iter().any(|step| step.from == self && step.to == next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names_are_parsed() {
        for good in ["a", "admin", "ann@esa.int", "0x1"] {
            assert!(good.parse::<AccountName>().is_ok(), "{good}");
        }
        for bad in ["", "Ann", "-a", "a b", "a'b", &"a".repeat(65)] {
            assert!(bad.parse::<AccountName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_leaves_withdrawn() {
        for word in ["draft", "submitted", "published", "deprecated", "withdrawn"] {
            let state = State::from_word(word).unwrap();
            assert_eq!(state.as_str(), word);
            assert!(!State::Withdrawn.may_become(state));
        }
    }
}
