//! Blobs by the hash of their content: small ones in the database, large ones as files beside it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sqlx::Row;

use crate::error::Error;
use crate::open::{Ledger, sync};
use crate::row::{Connection, sha256};

/// Up to this size a blob is a row, so that it is on disk with the same sync as the record that names it.
pub(crate) const INSIDE: usize = 128 << 10;
/// A file that no row names is left alone for this long, as its row may be about to be written.
const GRACE: Duration = Duration::from_secs(3600);

/// The folder of large blobs.
pub(crate) struct Blobs {
    folder: PathBuf,
}

/// A blob whose bytes are where they belong, ready to be named by a row.
pub(crate) struct Placed {
    pub(crate) digest: String,
    pub(crate) size: i64,
    pub(crate) content: Option<Vec<u8>>,
}

impl Blobs {
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let folder = folder.join("blobs");
        let unfinished = folder.join("tmp");
        std::fs::create_dir_all(&unfinished).map_err(Error::file("make", &unfinished))?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of a blob's file.
    pub(crate) fn path(&self, digest: &str) -> PathBuf {
        // A digest has 64 hexadecimal digits, so that its first two are a folder's name.
        self.folder.join(digest.get(..2).unwrap_or("tmp")).join(digest)
    }

    /// Lists the files of blobs.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = Vec::new();
        for folder in std::fs::read_dir(&self.folder).map_err(Error::file("list", &self.folder))? {
            let folder = folder.map_err(Error::file("list", &self.folder))?.path();
            for file in std::fs::read_dir(&folder).map_err(Error::file("list", &folder))? {
                files.push(file.map_err(Error::file("list", &folder))?.path());
            }
        }
        Ok(files)
    }

    /// Says whether there is any blob, whole or not.
    pub(crate) fn any(&self) -> Result<bool, Error> {
        Ok(!self.files()?.is_empty())
    }

    /// Brings a blob's bytes to where they belong. A large one is a whole file on disk when this returns, so that a
    /// row can never name a blob that is not there; at worst a file stays that no row names.
    pub(crate) fn place(&self, bytes: Bytes) -> Result<Placed, Error> {
        let digest = sha256(&bytes);
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if bytes.len() <= INSIDE {
            return Ok(Placed { digest, size, content: Some(bytes.into()) });
        }
        let path = self.path(&digest);
        let whole = std::fs::metadata(&path).is_ok_and(|file| file.len() == bytes.len() as u64);
        if whole {
            // It may be one that no row names yet and that is old enough to be collected: make it young again.
            let file = std::fs::File::options().append(true).open(&path).map_err(Error::file("open", &path))?;
            file.set_modified(SystemTime::now()).map_err(Error::file("touch", &path))?;
        } else {
            write_file(&path, &self.folder.join("tmp"), &bytes)?;
        }
        Ok(Placed { digest, size, content: None })
    }

    /// Removes files older than the grace time that no row names.
    pub(crate) async fn collect(&self, connection: &mut Connection, now: i64) -> Result<(), Error> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now).unwrap_or_default());
        for path in self.files()? {
            let Ok(modified) = std::fs::metadata(&path).and_then(|file| file.modified()) else { continue };
            if now.duration_since(modified).unwrap_or_default() < GRACE {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let named = !path.parent().is_some_and(|folder| folder.ends_with("tmp"))
                && sqlx::query("SELECT 1 FROM blob WHERE digest = $1")
                    .bind(&name)
                    .fetch_optional(&mut *connection)
                    .await?
                    .is_some();
            if !named {
                tracing::info!(file = %path.display(), "removes a blob that no record names");
                std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Reads a blob's file.
    pub(crate) fn read(&self, digest: &str) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::BlobMissing(digest.to_owned())),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }
}

/// Writes a file whole or not at all: under another name, synced, renamed, and its folders synced.
pub(crate) fn write_file(path: &Path, unfinished: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write;
    let folder = path.parent().unwrap_or(unfinished);
    if !folder.exists() {
        std::fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        sync(folder.parent().unwrap_or(folder))?;
    }
    let mut file = tempfile::NamedTempFile::new_in(unfinished).map_err(Error::file("make a file in", unfinished))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(Error::file("write", file.path()))?;
    file.persist(path).map_err(|error| Error::file("rename", path)(error.error))?;
    sync(folder)
}

/// Compares bytes with the digest under which they were found.
pub(crate) fn check(digest: &str, bytes: &[u8]) -> Result<(), Error> {
    let found = sha256(bytes);
    if found == digest { Ok(()) } else { Err(Error::BlobCorrupt { digest: digest.to_owned(), found }) }
}

impl Ledger {
    /// Reads a blob by its digest and checks it against it; nothing when no record ever named it.
    pub async fn blob(&self, digest: &str) -> Result<Option<Bytes>, Error> {
        let row = sqlx::query("SELECT content FROM blob WHERE digest = $1")
            .bind(digest)
            .fetch_optional(self.readers())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let content: Option<Vec<u8>> = row.try_get(0)?;
        let (ledger, digest) = (self.clone(), digest.to_owned());
        let read = move || {
            let bytes = content.map_or_else(|| ledger.blobs().read(&digest), Ok)?;
            check(&digest, &bytes)?;
            Ok(Some(Bytes::from(bytes)))
        };
        blocking(read).await
    }

    /// Brings a package's bytes to where they belong.
    pub(crate) async fn place(&self, bytes: Bytes) -> Result<Placed, Error> {
        let ledger = self.clone();
        if bytes.len() <= INSIDE {
            return ledger.blobs().place(bytes);
        }
        blocking(move || ledger.blobs().place(bytes)).await
    }
}

/// Runs what touches the disk for long on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
