//! The binary `alidade`: reads its command line, and calls the command.

use std::process::ExitCode;

use catalog_server::command;
use tikv_jemallocator::Jemalloc;

/// A search makes thousands of short strings and a filling millions of terms: a quarter of the processor's time less than
/// with the C library's allocator. `.cargo/config.toml` says how soon what is free goes back to the system
/// (docs/measurements.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Several crates below could bring a cryptography provider of their own; one is chosen before any is asked
    // (FACTS F24). It can only fail when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    command::run()
}
