//! Where the workspace is, and how commands are run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Returns the root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    // Asked when it runs, as a build folder may be shared by several checkouts.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// Returns a cargo command that runs in the root folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    // Cargo names itself to what it runs, so that a task uses the toolchain it was started with.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Says whether a cargo subcommand is installed.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let asked = cargo(&[subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Runs a command to its end, its output shown, and fails when it does.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let words =
        std::iter::once(Path::new(command.get_program()).file_name().unwrap_or_default()).chain(command.get_args());
    let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("{shown} cannot be started"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}
