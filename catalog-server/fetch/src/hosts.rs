//! Politeness: how often and how much at a time a host is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

#[derive(Debug)]
struct Host {
    places: Arc<Semaphore>,
    next: Instant,
}

/// What is known about the hosts of a run.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<HashMap<String, Host>>);

impl Hosts {
    /// Waits until a host may be asked; the permit is kept while it answers.
    pub(crate) async fn turn(&self, host: &str, pause: Duration, together: usize) -> Option<OwnedSemaphorePermit> {
        let (places, _) = self.place(host, together, Duration::ZERO);
        let permit = places.acquire_owned().await.ok();
        let (_, at) = self.place(host, together, pause);
        tokio::time::sleep_until(at).await;
        permit
    }

    /// Lets a host alone for a while, since it asked for that.
    pub(crate) fn rest(&self, host: &str, time: Duration) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get_mut(host) {
            host.next = host.next.max(Instant::now() + time);
        }
    }

    fn place(&self, name: &str, together: usize, pause: Duration) -> (Arc<Semaphore>, Instant) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts
            .entry(name.to_owned())
            .or_insert_with(|| Host { places: Arc::new(Semaphore::new(together.max(1))), next: Instant::now() });
        let at = host.next.max(Instant::now());
        if !pause.is_zero() {
            host.next = at + pause;
        }
        (Arc::clone(&host.places), at)
    }
}
