//! Passwords: which are good enough, and how they are hashed, a few at a time so that memory stays bounded.

use std::sync::Arc;

use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::http::problem::Failure;

/// Hashes at once: argon2id takes 19 MiB each (OWASP's smallest choice of memory, two passes, one lane).
const AT_ONCE: usize = 2;
/// How many may wait for their turn before more are sent away.
const WAITING: usize = 32;
/// The shortest and the longest password; longer is a mistake, or an attempt to keep us busy.
const LENGTH: std::ops::RangeInclusive<usize> = 10..=200;
/// Passwords that every guesser tries and that are long enough (from public lists of the commonest).
const COMMON: [&str; 16] = [
    "1234567890",
    "0123456789",
    "9876543210",
    "12345678910",
    "123456789a",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "qwertyuiop",
    "qwerty1234",
    "qwerty12345",
    "password12",
    "password123",
    "password1234",
    "passw0rd123",
    "iloveyou12",
    "administrator",
];

/// Hashes and checks passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    slots: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(WAITING)), slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// Hashes a password, as a PHC string.
    pub async fn hash(&self, password: String) -> Result<String, Failure> {
        self.run(move || hash(&password)).await?.map_err(Failure::internal)
    }

    /// Says whether a password is the one that was hashed. Without a hash it takes as long and says no, so that nobody
    /// learns from the time which accounts there are.
    pub async fn check(&self, password: String, phc: Option<String>) -> Result<bool, Failure> {
        let check = move || match phc {
            Some(phc) => PasswordHash::new(&phc)
                .is_ok_and(|known| Argon2::default().verify_password(password.as_bytes(), &known).is_ok()),
            None => hash(&password).is_err(),
        };
        self.run(check).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let busy = || Failure::unavailable("passwords.busy", "too many people sign in at this moment", 5);
        let _place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| busy())?;
        let _slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| busy())?;
        Ok(tokio::task::spawn_blocking(work).await?)
    }
}

fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    // Random bytes of the system, of which 122 bits are free: a salt need only differ.
    let salt = SaltString::encode_b64(uuid::Uuid::new_v4().as_bytes())?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string())
}

/// Says why a password is not good enough, to the person who chose it.
pub fn weakness(password: &str, account: &str) -> Option<&'static str> {
    let lower = password.to_lowercase();
    let distinct = lower.chars().collect::<std::collections::HashSet<_>>().len();
    if !LENGTH.contains(&password.chars().count()) {
        Some("a password has 10 to 200 characters; four random words are good")
    } else if distinct < 5 {
        Some("use more than four different characters")
    } else if COMMON.contains(&lower.as_str()) {
        Some("this is one of the passwords that are guessed first")
    } else if account.len() > 3 && lower.replace(account, "").chars().count() < 6 {
        Some("this is little more than the account's name")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_recognised_and_another_is_not() {
        let passwords = Passwords::default();
        let phc = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_ne!(phc, passwords.hash("correct horse battery".to_owned()).await.unwrap());
        assert!(passwords.check("correct horse battery".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!passwords.check("correct horse batterz".to_owned(), Some(phc)).await.unwrap());
        assert!(!passwords.check("correct horse battery".to_owned(), None).await.unwrap());
        assert!(!passwords.check("anything".to_owned(), Some("nonsense".to_owned())).await.unwrap());
    }

    #[tokio::test]
    async fn who_floods_is_sent_away() {
        let passwords = Passwords { places: Arc::new(Semaphore::new(0)), ..Passwords::default() };
        assert_eq!(passwords.hash("correct horse battery".to_owned()).await.unwrap_err().status(), 503);
    }

    #[test]
    fn weak_passwords_are_named() {
        for weak in ["short", "aaaaaaaaaaaa", "Password123", "annette-2024", &"long".repeat(60)] {
            assert!(weakness(weak, "annette").is_some(), "{weak}");
        }
        for good in ["correct horse", "Tr0ub4dor&3x", "ein langer Satz über Sterne"] {
            assert_eq!(weakness(good, "annette"), None, "{good}");
        }
    }
}
