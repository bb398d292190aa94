//! How often somebody may try to sign in: per account and per address (THREATS T35).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::http::client_address::{ClientAddress, client_address};

/// The most that are remembered; whoever has not failed for long is forgotten first.
const REMEMBERED: usize = 10_000;

/// How much may be tried at once, and how soon one more.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    period: Duration,
}

/// Ten guesses at an account, then one every half minute: who mistypes is not locked out, who guesses gets nowhere.
const ACCOUNT: Rate = Rate { burst: 10, period: Duration::from_secs(30) };
/// An address may stand for a whole institute.
const ADDRESS: Rate = Rate { burst: 60, period: Duration::from_secs(5) };

/// Whom an attempt is counted against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// An account, by its name as it was written, whether there is one or not.
    Account(String),
    /// The client of the request.
    Client(ClientAddress),
}

impl Party {
    /// Returns the client of the request being answered.
    pub fn client() -> Self {
        Self::Client(client_address())
    }

    fn rate(&self) -> Rate {
        match self {
            Self::Account(_) => ACCOUNT,
            Self::Client(_) => ADDRESS,
        }
    }
}

/// Counts attempts; each party's are spread over time as a leaky bucket.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When each party's bucket is empty again.
    until: Mutex<HashMap<Party, Instant>>,
}

impl Throttle {
    /// Counts an attempt against every party, or says in how many seconds the next one is allowed.
    pub fn attempt(&self, parties: &[Party], now: Instant) -> Result<(), u64> {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        for party in parties {
            let rate = party.rate();
            let wait = until.get(party).map_or(Duration::ZERO, |at| {
                at.saturating_duration_since(now).saturating_sub(rate.period * (rate.burst - 1))
            });
            if !wait.is_zero() {
                return Err(wait.as_secs() + 1);
            }
        }
        if until.len() + parties.len() > REMEMBERED {
            until.retain(|_, at| *at > now);
        }
        if until.len() + parties.len() > REMEMBERED {
            // Somebody fills the memory on purpose; a minute's pause for all is better than no limit at all.
            return Err(60);
        }
        for party in parties {
            let at = until.entry(party.clone()).or_insert(now);
            *at = (*at).max(now) + party.rate().period;
        }
        Ok(())
    }

    /// Forgets what was counted against a party: it was who it said.
    pub fn forgive(&self, party: &Party) {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).remove(party);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_counted_and_time_forgives() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let parties = [Party::Account("ann".to_owned()), Party::client()];
        for _ in 0..10 {
            throttle.attempt(&parties, start).unwrap();
        }
        let wait = throttle.attempt(&parties, start).unwrap_err();
        assert!((1..=31).contains(&wait), "{wait}");
        assert!(throttle.attempt(&parties[1..], start).is_ok(), "the address has more");
        assert!(throttle.attempt(&parties, start + Duration::from_secs(31)).is_ok());
        assert!(throttle.attempt(&parties, start + Duration::from_secs(31)).is_err());
        throttle.forgive(&parties[0]);
        assert!(throttle.attempt(&parties, start).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..REMEMBERED as u64 {
            throttle.attempt(&[Party::Account(number.to_string())], start).unwrap();
        }
        assert!(throttle.attempt(&[Party::client()], start).is_err());
        assert!(throttle.attempt(&[Party::client()], start + ACCOUNT.period * 2).is_ok());
    }
}
