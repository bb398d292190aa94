//! What a worker may use, as it tells the kernel about itself.
//!
//! Every call is best effort: where the kernel does not take a limit, the server's deadline still holds.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

/// Files that a worker may hold open: its pipes and the store's.
const MAX_FILES: u64 = 64;

/// How much less urgent than the server a worker is.
const NICENESS: i32 = 10;

/// Seconds beyond its deadline after which the kernel ends a worker that the server did not end.
const GRACE: u64 = 5;

/// Settles what holds for the whole life of a worker.
pub(super) fn settle() {
    let _ = nice(NICENESS);
    // A query that fails is no reason to fill the disk.
    lower(Resource::Core, Some(0));
    lower(Resource::Nofile, Some(MAX_FILES));
    // It writes no file, ever: what it is made to write beyond its pipes fails.
    lower(Resource::Fsize, Some(0));
}

/// Lets memory grow again, for mapping a newer version of the store.
pub(super) fn release_memory() {
    lower(Resource::As, getrlimit(Resource::As).maximum);
}

/// Bounds the memory from here on to what is used and mapped now and this much more.
pub(super) fn bound_memory(more: u64) {
    if let Some(now) = pages(0) {
        lower(Resource::As, Some(now.saturating_add(more)));
    }
}

/// Bounds the processor time from here on, in case that the server cannot end the worker at its deadline.
pub(super) fn bound_time(time: Duration) {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let used = u64::try_from(used.tv_sec).unwrap_or_default();
    lower(Resource::Cpu, Some(used + time.as_secs() + GRACE));
}

/// Returns the bytes of memory that are resident.
pub(super) fn resident() -> u64 {
    pages(1).unwrap_or_default()
}

/// Reads a column of the process's memory figures, in bytes (proc_pid_statm(5)).
fn pages(column: usize) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(column)?.trim().parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Sets the limit that holds, below the one that it may be raised to again.
fn lower(resource: Resource, current: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    let current = match (current, maximum) {
        (Some(current), Some(maximum)) => Some(current.min(maximum)),
        (current, maximum) => current.or(maximum),
    };
    let _ = setrlimit(resource, Rlimit { current, maximum });
}
