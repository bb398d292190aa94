//! Harvest: sources and their runs, what each source said last, and the one transaction in which a run is applied.
//!
//! A run stages what it reads in pieces and changes nothing by that. When it has read everything,
//! [`run_finish`](crate::Ledger::run_finish) compares with what the source said before; [`run_apply`](crate::Ledger::run_apply)
//! then makes all of it true at once. A process that dies in between leaves a run whose lease runs out; it waits again, to go on
//! where the rows that were put down end.

mod apply;
mod finish;
mod read;
mod rename;
mod review;
mod run;
mod sayings;
mod source;
mod stage;

pub use finish::{Finished, Hidden, RunOutcome};
pub use read::{Feeding, Known, StoredSaying, StoredSayings};
pub use review::{Decision, Naming};
pub use run::{Interrupted, Lease, Resumption, RunState, Taken};
pub use source::{Origin, StoredSource};
pub use stage::{Joining, Piece, Staged, What};

pub(crate) use sayings::remerge;
