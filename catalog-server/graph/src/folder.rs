//! The folder of a graph: `CURRENT` names the generation `g-N/`, beside which the next one is built as `tmp-N/`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::snapshot::write_durably;

const CURRENT: &str = "CURRENT";

/// Reads which generation is the current one; none in a folder without any.
pub(crate) fn current(folder: &Path) -> io::Result<Option<u64>> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "CURRENT does not name a generation");
    match std::fs::read_to_string(folder.join(CURRENT)) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| wrong()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns a generation's folder.
pub(crate) fn generation(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("g-{number}"))
}

/// Makes an empty folder to build in.
pub(crate) fn begin(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(format!("tmp-{name}"));
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => std::fs::create_dir_all(&path)?,
    }
    Ok(path)
}

/// Makes what was built a generation and the current one; whoever looks sees the old or the new one whole.
pub(crate) fn publish(folder: &Path, built: &Path, number: u64) -> io::Result<()> {
    sync(built)?;
    std::fs::rename(built, generation(folder, number))?;
    let next = folder.join("CURRENT.next");
    write_durably(&next, format!("{number}\n").as_bytes())?;
    std::fs::rename(next, folder.join(CURRENT))?;
    sync(folder)
}

/// Returns a number that no generation has had.
pub(crate) fn next(folder: &Path) -> io::Result<u64> {
    let mut last = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("g-")?.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last + 1)
}

/// Removes everything but the current generation; what cannot be removed is told and left.
pub(crate) fn tidy(folder: &Path, keep: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let old = name.strip_prefix("g-").is_some_and(|number| number.parse() != Ok(keep));
        if (old || name.starts_with("tmp-"))
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, name, "an old generation of the graph could not be removed");
        }
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
