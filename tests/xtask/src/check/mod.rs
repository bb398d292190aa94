//! Checks everything that a change must pass.

mod size;

use std::process::Command;
use std::time::Instant;

use anyhow::bail;
use clap::ValueEnum;

use crate::generated;
use crate::workspace::{cargo, has_cargo, root, run as run_command};

/// Which steps to check.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The steps; every step when none is named.
    #[arg(value_enum)]
    steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The code is formatted by rustfmt.
    Fmt,
    /// No file of code is past its number of lines.
    Size,
    /// Clippy has nothing to say.
    Clippy,
    /// The documentation builds without a warning.
    Doc,
    /// Licences, sources and advisories of dependencies are allowed, and heavy crates stay where they belong.
    Deny,
    /// What is generated from the term table is as it would be generated now.
    Generated,
    /// The tests pass.
    Test,
}

/// Runs the steps in their order, all of them even when one fails, and fails when any did.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let every: &[Step] = Step::value_variants();
    let steps: Vec<Step> =
        every.iter().copied().filter(|step| arguments.steps.is_empty() || arguments.steps.contains(step)).collect();
    let (mut passed, mut failed) = (0, Vec::new());
    for step in &steps {
        let name = step.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        println!("== {name}");
        let started = Instant::now();
        match check(*step) {
            Ok(Outcome::Passed) => {
                passed += 1;
                println!("== {name}: passed in {:.1} s", started.elapsed().as_secs_f64());
            }
            Ok(Outcome::Skipped(why)) => println!("== {name}: skipped: {why}"),
            Err(error) => {
                println!("== {name}: failed: {error:#}");
                failed.push(name);
            }
        }
    }
    let skipped = steps.len() - passed - failed.len();
    println!("{passed} passed, {} failed, {skipped} skipped", failed.len());
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// How a step ended that did not fail.
enum Outcome {
    Passed,
    /// What it needs is not on this machine.
    Skipped(&'static str),
}

fn check(step: Step) -> anyhow::Result<Outcome> {
    match step {
        Step::Fmt => run_command(cargo(&["fmt", "--all", "--check"]))?,
        Step::Size => size::check(&root())?,
        Step::Clippy => run_command(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?,
        Step::Doc => {
            run_command(with_warnings_denied(cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])))?
        }
        Step::Deny if has_cargo("deny") => {
            run_command(cargo(&["deny", "--workspace", "check", "bans", "licenses", "sources"]))?;
        }
        // Building it takes minutes, so that its absence must not keep anybody from the other steps.
        Step::Deny => return Ok(Outcome::Skipped("cargo install --locked cargo-deny")),
        Step::Generated => generated::check()?,
        Step::Test if has_cargo("nextest") => {
            run_command(cargo(&["nextest", "run", "--workspace"]))?;
            run_command(cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
        }
        Step::Test => run_command(cargo(&["test", "--workspace"]))?,
    }
    Ok(Outcome::Passed)
}

fn with_warnings_denied(mut command: Command) -> Command {
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}
