//! Plans where a datalab can run, starts it there, and says the truth about it while it lives.
//!
//! The planner and the reconcile step are pure functions: no clock, no SQL, no network. What touches a machine stands
//! behind [`Backend`]: a real engine through [`docker`], a cluster through
//! [`kubernetes`], another server through [`remote`], an in-process demonstration through [`demo`].
//! This crate never stores anything, never decides who a viewer is, and never asks a backend for more than
//! the closed [`LaunchSpec`] can say. The server owns the rows; it persists what [`reconcile::drive`] answers.

pub mod backend;
pub mod config;
pub mod demo;
pub mod docker;
pub mod error;
pub mod kubernetes;
mod labels;
pub mod observe;
pub mod planner;
mod probe;
pub mod reconcile;
pub mod remote;
pub mod spec;
mod words;

pub use backend::{
    Backend, BackendError, Endpoint, Listed, LogLine, LogQuery, LogStream, Observed, Prepared, Progress, Stage, Started,
};
pub use config::{BackendKind, ZoneConfig, open};
pub use error::Error;
pub use planner::{Question, plan};
pub use probe::{Answer, answers};
pub use remote::signing::Identity;
pub use spec::{Gpus, Image, LaunchSpec, Readiness, SpecFile};
