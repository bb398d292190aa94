//! Packing a folder, or contents made elsewhere, into a package that [`crate::open()`] accepts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use catalog_schemas::problem::Finding;
use sha2::{Digest, Sha256};

use crate::budget::Budget;
use crate::error::Error;
use crate::fault::{Fault, shown};
use crate::layout::{SIGNATURE, SUMS};
use crate::package::Format;
use crate::{checksums, open, write};

/// What packing is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A file has been read.
    Read {
        /// Its path in the package.
        path: &'a str,
        /// Bytes.
        size: u64,
    },
    /// A file or folder is left out, as it is hidden, built, or made by an editor or the system.
    Skipped {
        /// Its path in the folder.
        path: &'a str,
    },
    /// A file is being compressed.
    Packing {
        /// Its path in the package.
        path: &'a str,
        /// How many files have been compressed.
        done: usize,
        /// How many files there are.
        total: usize,
    },
    /// The archive is complete and is being read as a server would.
    Checking {
        /// Bytes of the archive.
        size: u64,
    },
}

/// Packs a folder: its files in the order of their paths, with `SHA256SUMS`.
///
/// Left out are hidden files, folders that build tools fill, and what editors and systems leave behind; each is told
/// to `progress`. A `SHA256SUMS` that comes with a signature is kept as it is.
pub fn pack(directory: &Path, format: Format, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<u8>, Error> {
    let mut walk = Walk { budget: Budget::default(), files: BTreeMap::new(), size: 0, refused: Vec::new(), progress };
    walk.folder(directory, "", 0)?;
    if !walk.refused.is_empty() {
        return Err(Error::Refused(walk.refused));
    }
    let files = walk.files;
    finish(files.into_iter(), format, progress)
}

/// Packs contents by path, in the order of the paths, with `SHA256SUMS`.
pub fn pack_entries(files: impl IntoIterator<Item = (String, Vec<u8>)>, format: Format) -> Result<Vec<u8>, Error> {
    finish(files.into_iter(), format, &mut |_| {})
}

/// Packs contents that are no package into a gzip-compressed tar, in the order given.
pub fn bundle(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    write::tar_gz(files, |_| {})
}

/// Packs contents that are no package into a zip, in the order given.
pub fn bundle_zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    write::zip(files, |_| {})
}

fn finish(
    files: impl Iterator<Item = (String, Vec<u8>)>,
    format: Format,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<u8>, Error> {
    let mut files: Vec<(String, Vec<u8>)> = files.collect();
    let signed = files.iter().any(|(path, _)| path == SIGNATURE);
    if !signed {
        files.retain(|(path, _)| path != SUMS);
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let digests = files.iter().map(|(path, contents)| (path.as_str(), hex::encode(Sha256::digest(contents))));
        let sums = checksums::write(digests);
        files.push((SUMS.to_owned(), sums.into_bytes()));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    let budget = Budget::default();
    // Numbers beyond the format's fields cannot be written at all; everything else is told by reading the result.
    check_numbers(&files, &budget).map_err(|finding| Error::Refused(vec![finding]))?;

    let total = files.len();
    let mut done = 0;
    let each = |path: &str| {
        progress(Progress::Packing { path, done, total });
        done += 1;
    };
    let archive = match format {
        Format::TarGz => write::tar_gz(&files, each),
        Format::Zip => write::zip(&files, each),
    };
    drop(files);
    progress(Progress::Checking { size: archive.len() as u64 });
    open(&archive, &budget).map_err(Error::Refused)?;
    Ok(archive)
}

fn check_numbers(files: &[(String, Vec<u8>)], budget: &Budget) -> Result<(), Finding> {
    if files.len() > budget.entries {
        let message = format!("the package has {} files; {} are allowed", files.len(), budget.entries);
        return Err(Fault::TooManyEntries.finding(message));
    }
    let mut sum = 0;
    for (path, contents) in files {
        let size = contents.len() as u64;
        sum += size;
        if path.len() > budget.name {
            let message = format!("the name {} has {} bytes; {} are allowed", shown(path), path.len(), budget.name);
            return Err(Fault::NameTooLong.of(path, message));
        }
        if size > budget.entry {
            return Err(too_large(path, size, budget));
        }
        if sum > budget.unpacked {
            return Err(all_too_large(budget));
        }
    }
    Ok(())
}

fn too_large(path: &str, size: u64, budget: &Budget) -> Finding {
    Fault::EntryTooLarge.of(path, format!("{} has {size} bytes; {} are allowed", shown(path), budget.entry))
}

fn all_too_large(budget: &Budget) -> Finding {
    Fault::UnpackedTooLarge.finding(format!("the files have more than {} bytes together", budget.unpacked))
}

/// Tells whether a file or folder is left out of a package.
fn is_left_out(name: &str, top: bool) -> bool {
    name.starts_with('.')
        || name.ends_with('~')
        || matches!(name, "target" | "node_modules" | "__pycache__" | "__MACOSX" | "Thumbs.db" | "desktop.ini")
        // An earlier package in its own folder.
        || top && (name.ends_with(".datalab.zip") || name.ends_with(".datalab.tar.gz"))
}

/// Reads a folder's files into memory, within the budget.
struct Walk<'a> {
    budget: Budget,
    files: BTreeMap<String, Vec<u8>>,
    size: u64,
    refused: Vec<Finding>,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), Error> {
        let read = |source| Error::Read { path: folder.to_owned(), source };
        let entries = fs::read_dir(folder).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if self.refused.len() >= 100 {
                break;
            }
            let name = path.file_name().unwrap_or_default();
            let label = format!("{prefix}{}", name.to_string_lossy());
            let Some(name) = name.to_str() else {
                let message = format!("the name {} is not UTF-8", shown(&label));
                self.refused.push(Fault::NameEncoding.of(&label, message));
                continue;
            };
            if is_left_out(name, prefix.is_empty()) {
                (self.progress)(Progress::Skipped { path: &label });
                continue;
            }
            self.entry(&path, label, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, label: String, depth: usize) -> Result<(), Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let metadata = fs::symlink_metadata(path).map_err(read)?;
        let shown = shown(&label);
        if metadata.is_symlink() {
            self.refused.push(Fault::Symlink.of(&label, format!("{shown} is a symbolic link")));
        } else if metadata.is_dir() && depth + 1 >= self.budget.depth {
            let message = format!("{shown} lies deeper than {} folders", self.budget.depth);
            self.refused.push(Fault::PathTooDeep.of(&label, message));
        } else if metadata.is_dir() {
            self.folder(path, &format!("{label}/"), depth + 1)?;
        } else if !metadata.is_file() {
            self.refused.push(Fault::Device.of(&label, format!("{shown} is a device, a pipe or a socket")));
        } else if metadata.len() > self.budget.entry {
            self.refused.push(too_large(&label, metadata.len(), &self.budget));
        } else if self.size + metadata.len() > self.budget.unpacked {
            return Err(Error::Refused(vec![all_too_large(&self.budget)]));
        } else if self.files.len() >= self.budget.entries {
            let message = format!("the folder has more than {} files", self.budget.entries);
            return Err(Error::Refused(vec![Fault::TooManyEntries.finding(message)]));
        } else {
            let contents = fs::read(path).map_err(read)?;
            self.size += contents.len() as u64;
            (self.progress)(Progress::Read { path: &label, size: contents.len() as u64 });
            self.files.insert(label, contents);
        }
        Ok(())
    }
}
