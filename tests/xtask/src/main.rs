//! The tasks of this workspace that are not a plain cargo command: `cargo xtask bench`, `check`, `fixture`, `generate`, `sample`,
//! `screenshots`.
//!
//! Every task is a module with one public function. Nothing here is shipped, and nothing here knows what a valid manifest is:
//! that is the ontology's, which the tests of this crate ask about everything that the fixtures write.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line task talks to the terminal")]

mod bench;
mod check;
mod fixture;
mod generated;
mod sample;
mod screenshots;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of the Alidade workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measures the server, each figure beside its baseline.
    Bench(bench::Arguments),
    /// Checks everything that a change must pass, or only the steps named.
    Check(check::Arguments),
    /// Writes manifests for tests and measurements, one a line.
    #[command(subcommand)]
    Fixture(fixture::Fixture),
    /// Writes the files anew that are generated from the term table.
    Generate,
    /// Validates every package folder of the sample catalogue and prints what is found.
    Sample,
    /// Takes a picture of every public page of a running server: light and dark, narrow and wide.
    Screenshots(screenshots::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Check(arguments) => check::run(&arguments),
        Task::Fixture(fixture) => fixture::run(&fixture),
        Task::Generate => generated::update(),
        Task::Sample => sample::run(),
        Task::Screenshots(arguments) => screenshots::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the stack, which would push what failed out of sight.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
