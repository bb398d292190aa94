//! The size rule: no file of code is past 600 lines without its tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The most lines that a file may have before its tests begin.
const MOST_LINES: usize = 600;

/// Checks every Rust file below `root`.
pub(super) fn check(root: &Path) -> anyhow::Result<()> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut long = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let lines = code_lines(&text);
        if lines > MOST_LINES {
            long.push(format!("{}: {lines} lines", file.strip_prefix(root).unwrap_or(file).display()));
        }
    }
    if !long.is_empty() {
        bail!("past {MOST_LINES} lines without tests: {}", long.join("; "));
    }
    println!("{} files, each at most {MOST_LINES} lines without its tests", files.len());
    Ok(())
}

/// Counts the lines up to the tests, which stand at the end of a file; `mod tests;` alone does not begin them.
fn code_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |pair: &[&str]| pair[0].starts_with("#[cfg(test)]") && pair[1].ends_with('{');
    lines.windows(2).position(begins).unwrap_or(lines.len())
}

/// Collects the Rust files that are not tests themselves.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            // A crate's own `tests` folder holds only tests; the root's `tests` folder holds crates.
            let integration_tests = name == "tests" && folder.join("src").is_dir();
            let skipped = name == "target" || name == "data" || name.starts_with('.') || integration_tests;
            if !skipped {
                collect(&path, files)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::code_lines;

    #[test]
    fn tests_at_the_end_are_not_counted() {
        assert_eq!(code_lines("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(code_lines("#[cfg(test)]\nmod tests;\nfn b() {}\n"), 3);
    }
}
