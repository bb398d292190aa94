//! A launch and its life.

use serde::{Deserialize, Serialize};

use crate::plan::{Mount, PlanRequest, Resources};

/// Starts a launch, from an offer or from a plan's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum LaunchRequest {
    /// An offer that was made before.
    Offer {
        /// Its id.
        offer: String,
    },
    /// The same again: what an earlier launch of the same owner was asked for, with the image that it really ran.
    Again {
        /// The earlier launch's id.
        launch: String,
    },
    /// Plan now and take the best offer.
    Plan(Box<PlanRequest>),
}

/// Where a launch is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LaunchState {
    /// The intent is recorded.
    Requested,
    /// A datazone is chosen.
    Planned,
    /// The image is pulled and volumes are mounted.
    Preparing,
    /// The container runs; its interface does not answer yet.
    Starting,
    /// The interface answers.
    Ready,
    /// Somebody is using it.
    Running,
    /// It is being stopped.
    Stopping,
    /// It ended by itself with success.
    Completed,
    /// Its owner stopped it.
    Cancelled,
    /// It failed; the failure says where and why.
    Failed,
}

impl LaunchState {
    /// Returns the word used in JSON and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Planned => "planned",
            Self::Preparing => "preparing",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Returns the state of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        use LaunchState::*;
        [Requested, Planned, Preparing, Starting, Ready, Running, Stopping, Completed, Cancelled, Failed]
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// Says whether nothing will happen any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

/// Why a launch failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The state in which it failed.
    pub stage: String,
    /// A stable code such as `image.not_found`, `memory.exceeded`, `exit.nonzero`, `gpu.not_granted`.
    pub code: String,
    /// The cause in words.
    pub cause: String,
    /// What to do next.
    pub next_action: String,
    /// The last lines of its log.
    #[serde(default)]
    pub log: Vec<String>,
}

/// A launch as its owner and moderators may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Launch {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: String,
    /// The owner's name for it.
    pub name: String,
    /// The account that owns it.
    pub owner: String,
    /// The datalab's IRI.
    pub datalab: String,
    /// The datalab's short name or name.
    pub datalab_name: String,
    /// The version launched.
    pub version: String,
    /// The datazone.
    pub datazone: String,
    /// Whether the datazone is a demonstration.
    #[serde(default)]
    pub demo: bool,
    /// `web`, `desktop`, `vm`, `terminal` or `headless`.
    pub interface_type: String,
    /// What the image's name stood for when it was first pulled, `sha256:…`; what is run when it is launched again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where it is in its life.
    pub state: LaunchState,
    /// More about the state in words: `pull 62 %`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was asked for.
    pub requested: Resources,
    /// What was read back from the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Resources>,
    /// What is mounted.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Where to open it, on this server; only when ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_url: Option<String>,
    /// Whether the portal opens it as soon as it is ready.
    #[serde(default)]
    pub open_when_ready: bool,
    /// Whether it is removed when it finishes.
    #[serde(default)]
    pub remove_when_finished: bool,
    /// When it was asked for, RFC 3339.
    pub created: String,
    /// When its interface first answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// When it will be stopped unless renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was last used through this server, RFC 3339, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// After how many minutes without use it is stopped; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_minutes: Option<u32>,
    /// A hint for who starts it, such as a default login; never logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where a pipeline's results lie: a folder of its owner's own space at the datazone, such as `runs/l0…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<String>,
}

/// One step in a launch's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LaunchEvent {
    /// Counts from 1 within the launch.
    pub number: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The state after the step.
    pub state: LaunchState,
    /// The step in words.
    pub message: String,
}

/// A page of launches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Launches {
    /// Newest first.
    pub launches: Vec<Launch>,
}
