//! The files that are generated from the term table: shapes, JSON Schema, context, documentation.
//!
//! The ontology generates and compares them in a test, so that plain `cargo test` notices a file that is out of step, too.

use std::process::Command;

use crate::workspace::{cargo, run};

/// Fails when a generated file is not as it would be generated now.
pub(crate) fn check() -> anyhow::Result<()> {
    run(test())
}

/// Writes the generated files anew.
pub(crate) fn update() -> anyhow::Result<()> {
    let mut command = test();
    command.env("UPDATE_GENERATED", "1");
    run(command)
}

fn test() -> Command {
    cargo(&["test", "--quiet", "--package", "catalog-ontology", "--lib", "generated_files_are_in_step"])
}
