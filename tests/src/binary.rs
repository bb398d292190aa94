//! Finding the binaries that are tested.

use std::path::PathBuf;

/// Returns the path of `alidade`: `ALIDADE_BIN`, else the one that cargo built beside the tests.
///
/// # Panics
///
/// When it was not built; the message says how to.
pub fn alidade() -> PathBuf {
    find("ALIDADE_BIN", "alidade", "cargo build --package catalog-server --bin alidade")
}

/// Returns the path of `xtask`: `ALIDADE_XTASK_BIN`, else the one that cargo built beside the tests.
///
/// # Panics
///
/// When it was not built; the message says how to.
pub fn xtask() -> PathBuf {
    find("ALIDADE_XTASK_BIN", "xtask", "cargo build --package xtask")
}

/// A test's executable lies in `target/PROFILE/deps`, binaries one folder above.
#[expect(clippy::panic, reason = "a test that cannot find what it tests must fail, and say what to type")]
fn find(variable: &str, name: &str, build: &str) -> PathBuf {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join(name));
    match given.or_else(beside) {
        Some(path) if path.is_file() => path,
        looked => panic!("there is no `{name}` at {looked:?}: run `{build}` first, or set {variable}"),
    }
}
