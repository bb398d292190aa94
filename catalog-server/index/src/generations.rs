//! Generations of the index: a new one is built beside the one that is searched, then takes its place.
//!
//! A folder holds `gen-N` folders and a file `CURRENT` that names one of them. The file is replaced by rename, after
//! everything that it names is on disk, so at any moment it names a complete index or does not exist.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::error::Error;
use crate::index::Index;

const CURRENT: &str = "CURRENT";

/// The generations in one folder.
#[derive(Debug)]
pub struct Generations {
    root: PathBuf,
    current: RwLock<Result<Arc<Index>, Arc<Error>>>,
    next: Mutex<Option<Arc<Index>>>,
}

impl Generations {
    /// Opens the generations in a folder, which is made if there is none, and removes what no generation needs.
    ///
    /// A current index that is missing, damaged or of another version is no error here: [`Generations::current`] then
    /// returns none, [`Generations::failure`] says why, and the caller builds the next one.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(at(&root))?;
        let name = read_current(&root)?;
        let opened = match &name {
            Some(name) => Index::open(root.join(name)),
            None => Err(Error::Missing(root.clone())),
        };
        let current = match opened {
            Ok(index) => Ok(Arc::new(index)),
            Err(error) if error.needs_rebuild() => Err(Arc::new(error)),
            Err(error) => return Err(error),
        };
        let generations = Self { root, current: RwLock::new(current), next: Mutex::new(None) };
        generations.remove_all_but(name.as_deref())?;
        Ok(generations)
    }

    /// Returns the index that is searched.
    pub fn current(&self) -> Option<Arc<Index>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).as_ref().ok().cloned()
    }

    /// Returns why there is no index to search.
    pub fn failure(&self) -> Option<Arc<Error>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).as_ref().err().cloned()
    }

    /// Gives up the current index, found to be damaged while it was used; a new one has to be built.
    pub fn give_up_current(&self, error: Error) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Err(Arc::new(error));
    }

    /// Starts the next generation, empty, in a folder of its own; one that was started before is dropped.
    pub fn start_next(&self) -> Result<Arc<Index>, Error> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = next.take() {
            earlier.close_writer();
            remove(earlier.place())?;
        }
        // Somebody may have removed the folder with everything in it; what is written next needs it again.
        fs::create_dir_all(&self.root).map_err(at(&self.root))?;
        let number = folders(&self.root)?.into_iter().map(|(number, _)| number).max().map_or(1, |last| last + 1);
        let index = Arc::new(Index::create(self.root.join(format!("gen-{number}")))?);
        *next = Some(index.clone());
        Ok(index)
    }

    /// Puts the next generation in the place of the current one and removes that.
    ///
    /// A search that is under way ends on the generation that it began with: its files stay readable while open.
    pub fn publish_next(&self) -> Result<Arc<Index>, Error> {
        let mut held = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let next = held.clone().ok_or_else(|| Error::NotStarted(self.root.clone()))?;
        next.settle()?;
        let name = next.place().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        write_current(&self.root, &name)?;
        held.take();
        let earlier =
            std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), Ok(next.clone()));
        if let Ok(earlier) = earlier {
            earlier.close_writer();
        }
        tracing::info!(generation = %name, records = next.count(), seq = next.applied_seq(), "search index was replaced");
        self.remove_all_but(Some(&name))?;
        Ok(next)
    }

    fn remove_all_but(&self, name: Option<&str>) -> Result<(), Error> {
        for (_, folder) in folders(&self.root)? {
            if folder.file_name().is_none_or(|own| Some(own) != name.map(AsRef::as_ref)) {
                remove(&folder)?;
            }
        }
        Ok(())
    }
}

fn at(place: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let place = place.to_owned();
    move |source| Error::Io { place, source }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(folder)(error)),
        _ => Ok(()),
    }
}

/// Returns the generations that have a folder, with their numbers.
fn folders(root: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root).map_err(at(root))? {
        let entry = entry.map_err(at(root))?;
        if let Some(number) = entry.file_name().to_str().and_then(number) {
            folders.push((number, entry.path()));
        }
    }
    Ok(folders)
}

fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("gen-")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Returns the name of the current generation; a file that names none is as good as none.
fn read_current(root: &Path) -> Result<Option<String>, Error> {
    let place = root.join(CURRENT);
    match fs::read(&place) {
        Ok(bytes) => {
            let name = String::from_utf8_lossy(&bytes).trim().to_owned();
            Ok(number(&name).is_some().then_some(name))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&place)(error)),
    }
}

fn write_current(root: &Path, name: &str) -> Result<(), Error> {
    let written = root.join(format!("{CURRENT}.new"));
    let write = || {
        let mut file = File::create(&written)?;
        writeln!(file, "{name}")?;
        file.sync_all()?;
        // The folder of the generation has to be known to the disk before the file that names it.
        File::open(root)?.sync_all()?;
        fs::rename(&written, root.join(CURRENT))?;
        File::open(root)?.sync_all()
    };
    write().map_err(at(&written))
}
