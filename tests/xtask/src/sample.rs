//! Validates the sample catalogue.

use crate::workspace::{cargo, run as run_command};

/// Runs the test that packs and validates every folder of the sample catalogue, its findings shown.
///
/// It is a test so that this crate itself builds without the ontology and stays quick to start.
pub(crate) fn run() -> anyhow::Result<()> {
    run_command(cargo(&["test", "--quiet", "--package", "xtask", "--test", "sample", "--", "--nocapture"]))
}
