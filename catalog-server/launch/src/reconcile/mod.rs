//! From the intent and what is seen to the next step: a pure function, and a driver that does what it says.
//!
//! The server's loop reads the launches that are not over, calls [`drive()`] for each and writes the answer back with
//! compare-and-set. Every action is idempotent, so a crash between acting and writing only repeats an action.

mod act;
mod drive;
mod orphans;
mod step;

use jiff::SignedDuration;

pub use drive::{Update, drive};
pub use orphans::orphans;
pub use step::{Action, Sight, Step, Transition, step};

/// How long a launch may stay in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// To pull the image and find the volumes.
    pub prepare: SignedDuration,
    /// To create and start the container, before its interface is waited for.
    pub start: SignedDuration,
    /// To stop.
    pub stop: SignedDuration,
    /// For an engine that does not answer, while a launch is on its way.
    pub unreachable: SignedDuration,
    /// How long a lab may go unused.
    pub idle: Option<SignedDuration>,
    /// How long what ended is kept at the backend, unless it is removed when finished.
    pub keep_ended: SignedDuration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            prepare: SignedDuration::from_mins(30),
            start: SignedDuration::from_mins(2),
            stop: SignedDuration::from_mins(2),
            unreachable: SignedDuration::from_mins(2),
            idle: None,
            keep_ended: SignedDuration::from_hours(24),
        }
    }
}
