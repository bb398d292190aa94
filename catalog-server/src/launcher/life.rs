//! How long a lab lives: its use is noted, its time is renewed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog_records::{Actor, StoredLaunch};
use catalog_schemas::launch::{Launch, LaunchState};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::Launcher;
use crate::http::problem::Failure;

/// How often the use of a lab is written down; every request would be a write.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// When the use of each lab was last written down by this process.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<String, Instant>>);

impl Uses {
    /// Says whether a use is worth writing down now, and takes it for written.
    fn is_due(&self, launch: &str) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if noted.get(launch).is_some_and(|at| now.duration_since(*at) < NOTE_EVERY) {
            return false;
        }
        // What was not used for long is written anew anyway, so that the map holds only labs in use.
        noted.retain(|_, at| now.duration_since(*at) < 2 * NOTE_EVERY);
        noted.insert(launch.to_owned(), now);
        true
    }
}

impl Launcher {
    /// Notes that somebody uses a lab: from the first time on it is in use, not only ready.
    pub async fn note_use(&self, id: &str) {
        if !self.shared.uses.is_due(id) {
            return;
        }
        let now = Timestamp::now().to_string();
        let used = move |launch: &mut Launch| {
            launch.last_used = Some(now);
            let is_open = matches!(launch.state, LaunchState::Ready | LaunchState::Running);
            if is_open {
                launch.state = LaunchState::Running;
            }
            is_open
        };
        // A lab that ended in the meantime has no use to be noted.
        match self.shared.ledger.launch_patch(id, used, Some("it was opened".to_owned()), None).await {
            Ok(_) | Err(catalog_records::Error::LaunchState { .. }) => {}
            Err(error) => tracing::warn!(launch = id, %error, "the use of a lab could not be noted"),
        }
    }

    /// Lets a lab live on for another lifetime, as long as the operator allows it to be renewed.
    ///
    /// # Errors
    ///
    /// 409 when it is over, or cannot live longer.
    pub async fn renew(&self, stored: StoredLaunch, actor: &Actor) -> Result<StoredLaunch, Failure> {
        let refuse =
            |detail: String| Failure::new(StatusCode::CONFLICT, "launch.not_renewable", "it cannot be renewed", detail);
        let state = stored.launch.state;
        if state.is_final() || state == LaunchState::Stopping {
            return Err(refuse(format!("the launch is {}; launch it again", state.as_str())));
        }
        let lifetimes = self.shared.lifetimes;
        let add =
            |at: Timestamp, hours: i64| at.checked_add(SignedDuration::from_hours(hours)).map_err(Failure::internal);
        let wanted = add(Timestamp::now(), lifetimes.lifetime_hours.into())?;
        let most = add(stored.created, i64::from(lifetimes.renewable_days) * 24)?;
        let expires = wanted.min(most);
        if stored.expires.is_some_and(|before| expires <= before) && wanted > most {
            let days = lifetimes.renewable_days;
            return Err(refuse(format!("a lab lives {days} days at the most; save your work and launch it again")));
        }
        let renewed = move |launch: &mut Launch| {
            // Two renewals at once: the later time stays.
            let before = launch.expires.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
            launch.expires = Some(before.map_or(expires, |before| before.max(expires)).to_string());
            // Who asks for more time uses it, even when the lab computes by itself.
            launch.last_used = Some(Timestamp::now().to_string());
            !launch.state.is_final() && launch.state != LaunchState::Stopping
        };
        let message = Some(format!("renewed: it lives until {expires:.0}"));
        let by = Some((actor.clone(), crate::http::problem::request_id()));
        Ok(self.shared.ledger.launch_patch(&stored.launch.id, renewed, message, by).await?)
    }
}
