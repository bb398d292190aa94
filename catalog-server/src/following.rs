//! How far a projection has followed the ledger, and whether somebody waits for it.

use std::time::Duration;

use tokio::sync::watch;

/// How long an answer waits for what was acknowledged before it was asked for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The sequence that a projection has reached, and the highest that anybody waits for.
#[derive(Debug)]
pub struct Following {
    reached: watch::Sender<u64>,
    awaited: watch::Sender<u64>,
}

impl Default for Following {
    fn default() -> Self {
        Self { reached: watch::Sender::new(0), awaited: watch::Sender::new(0) }
    }
}

impl Following {
    /// Notes the sequence that answers show from now on.
    pub fn reach(&self, seq: u64) {
        self.reached.send_replace(seq);
    }

    /// Waits until answers show a sequence, at most two seconds: who published something finds it next.
    pub async fn wait_until(&self, seq: u64) {
        let mut reached = self.reached.subscribe();
        if *reached.borrow() >= seq {
            return;
        }
        self.awaited.send_if_modified(|awaited| {
            let is_new = *awaited < seq;
            *awaited = seq.max(*awaited);
            is_new
        });
        // A timeout only means that the answer is a moment old; it carries its own sequence.
        let _ = tokio::time::timeout(PATIENCE, reached.wait_for(|reached| *reached >= seq)).await;
    }

    /// Says whether somebody waits for a sequence after this one.
    pub fn is_awaited(&self, after: u64) -> bool {
        *self.awaited.borrow() > after
    }

    /// Waits until somebody waits for a sequence after this one.
    pub async fn awaited(&self, after: u64) {
        // The sender lives as long as this, so there is always a value to wait for.
        let _ = self.awaited.subscribe().wait_for(|awaited| *awaited > after).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_known_and_is_told() {
        let following = Arc::new(Following::default());
        following.reach(3);
        following.wait_until(3).await;
        assert!(!following.is_awaited(3), "what is there already is not waited for");
        let waiting = tokio::spawn({
            let following = Arc::clone(&following);
            async move { following.wait_until(5).await }
        });
        following.awaited(3).await;
        assert!(following.is_awaited(4) && !following.is_awaited(5) && !waiting.is_finished());
        following.reach(5);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        Following::default().wait_until(1).await;
    }
}
