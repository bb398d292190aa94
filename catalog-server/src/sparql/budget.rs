//! How many seconds of evaluation each client may use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::http::client_address::ClientAddress;

/// The seconds over which a spent budget is whole again.
const WINDOW: f64 = 60.0;

/// Clients that are remembered; when there are more, those that are not share one budget.
const MOST_CLIENTS: usize = 20_000;

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Client {
    /// Somebody signed in.
    Account(String),
    /// Somebody at an address.
    Address(ClientAddress),
    /// Everybody who came when too many were remembered.
    Others,
}

/// What is left of every client's budget: a bucket each, which fills steadily.
///
/// What a query uses is taken after it ended, as nobody knows before; since few queries run at once, a client can
/// overdraw by those only, and then waits for longer.
#[derive(Debug)]
pub struct Budgets {
    /// Seconds of evaluation that a client may use at once, and gets back over [`WINDOW`].
    seconds: f64,
    buckets: Mutex<HashMap<Client, Bucket>>,
    most_clients: usize,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, seconds: f64, now: Instant) -> Self {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * seconds / WINDOW;
        Self { left: (self.left + gained).min(seconds), at: now }
    }
}

impl Budgets {
    /// Gives every client this many seconds.
    pub fn new(seconds: u32) -> Self {
        Self { seconds: f64::from(seconds), buckets: Mutex::new(HashMap::new()), most_clients: MOST_CLIENTS }
    }

    /// Returns the seconds that a client has left, or how long it must wait until it may ask again.
    pub fn left(&self, client: &Client, now: Instant) -> Result<f64, Duration> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = buckets.len() >= self.most_clients;
        let bucket = buckets.get(client).or_else(|| buckets.get(&Client::Others).filter(|_| is_full));
        let left = bucket.map_or(self.seconds, |bucket| bucket.filled(self.seconds, now).left);
        // Below a second the next query would be most likely to end at once.
        if left >= 1.0 { Ok(left) } else { Err(Duration::from_secs_f64((1.0 - left) * WINDOW / self.seconds)) }
    }

    /// Takes what a query used.
    pub fn charge(&self, client: &Client, used: Duration, now: Instant) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.most_clients && !buckets.contains_key(client) {
            buckets.retain(|_, bucket| bucket.filled(self.seconds, now).left < self.seconds);
        }
        let client =
            if buckets.len() >= self.most_clients && !buckets.contains_key(client) { &Client::Others } else { client };
        let bucket = buckets.entry(client.clone()).or_insert(Bucket { left: self.seconds, at: now });
        *bucket = bucket.filled(self.seconds, now);
        bucket.left -= used.as_secs_f64();
    }

    /// Starts the clock of a query; when the charge is dropped, what passed is taken.
    pub(super) fn start(self: &Arc<Self>, client: Client) -> Charge {
        Charge { budgets: Arc::clone(self), client, since: Instant::now() }
    }

    /// Returns the seconds of a full budget, and the seconds over which it fills.
    pub fn policy(&self) -> (f64, f64) {
        (self.seconds, WINDOW)
    }
}

/// A query's clock.
#[derive(Debug)]
pub(super) struct Charge {
    budgets: Arc<Budgets>,
    client: Client,
    since: Instant,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let now = Instant::now();
        self.budgets.charge(&self.client, now - self.since, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Client {
        Client::Account(name.to_owned())
    }

    #[test]
    fn a_budget_is_spent_and_fills_again() {
        let (budgets, start) = (Budgets::new(60), Instant::now());
        let ada = account("ada");
        assert_eq!(budgets.left(&ada, start), Ok(60.0));
        budgets.charge(&ada, Duration::from_secs(70), start);
        // Ten seconds over, and one to go on with.
        assert_eq!(budgets.left(&ada, start), Err(Duration::from_secs(11)));
        assert_eq!(budgets.left(&account("ben"), start), Ok(60.0));
        let later = start + Duration::from_secs(20);
        assert_eq!(budgets.left(&ada, later), Ok(10.0));
        assert_eq!(budgets.left(&ada, start + Duration::from_secs(3_600)), Ok(60.0));
    }

    #[test]
    fn more_clients_than_are_remembered_share_a_budget() {
        let budgets = Budgets { most_clients: 2, ..Budgets::new(60) };
        let start = Instant::now();
        for name in ["ada", "ben", "cleo", "dora"] {
            budgets.charge(&account(name), Duration::from_secs(30), start);
        }
        assert_eq!(budgets.left(&account("cleo"), start), Err(Duration::from_secs(1)));
        assert_eq!(budgets.left(&account("ada"), start), Ok(30.0));
        // Whoever has a full budget again is forgotten.
        let later = start + Duration::from_secs(120);
        budgets.charge(&account("cleo"), Duration::from_secs(10), later);
        assert_eq!(budgets.left(&account("cleo"), later), Ok(50.0));
    }
}
