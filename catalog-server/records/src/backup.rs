//! A copy of the ledger that can be opened as one.

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, Row};

use crate::blob::{Blobs, blocking, check, write_file};
use crate::error::Error;
use crate::open::{Ledger, sync};
use crate::verify::Report;

impl Ledger {
    /// Copies the ledger into a folder while others read and write on; the folder can be opened as a ledger.
    ///
    /// The copy is the state of one moment. Large blobs that an earlier copy left in the folder are not copied again.
    pub async fn backup(&self, to: &Path) -> Result<(), Error> {
        let blobs = to.join("blobs");
        let unfinished = blobs.join("tmp");
        std::fs::create_dir_all(&unfinished).map_err(Error::file("make", &unfinished))?;
        let copy = to.join("ledger.new");
        if copy.exists() {
            std::fs::remove_file(&copy).map_err(Error::file("remove", &copy))?;
        }
        let mut connection = self.connect().await?;
        let digests = self.copy_database(&mut connection, &copy).await;
        drop(connection.close().await);
        // Blobs are never taken away while a row names them, so those of the copied rows are all still here.
        for digest in digests? {
            self.copy_blob(digest, blobs.clone(), unfinished.clone()).await?;
        }
        let whole = to.join("ledger.db");
        for log in ["ledger.db-wal", "ledger.db-shm"] {
            // The log of an older copy must never be applied to this one.
            let log = to.join(log);
            if log.exists() {
                std::fs::remove_file(&log).map_err(Error::file("remove", &log))?;
            }
        }
        std::fs::rename(&copy, &whole).map_err(Error::file("rename", &copy))?;
        sync(to)
    }

    async fn copy_database(&self, connection: &mut crate::row::Connection, copy: &Path) -> Result<Vec<String>, Error> {
        let path =
            copy.to_str().ok_or_else(|| Error::Refused(format!("`{}` is not a path in UTF-8", copy.display())))?;
        sqlx::query("VACUUM INTO $1").bind(path).execute(&mut *connection).await?;
        sync(copy)?;
        // Read from the original, which has every blob of the copy and perhaps newer ones.
        let rows = sqlx::query("SELECT digest FROM blob WHERE content IS NULL").fetch_all(connection).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn copy_blob(&self, digest: String, blobs: PathBuf, unfinished: PathBuf) -> Result<(), Error> {
        let ledger = self.clone();
        blocking(move || {
            let target = blobs.join(digest.get(..2).unwrap_or("tmp")).join(&digest);
            if target.exists() {
                return Ok(());
            }
            let bytes = ledger.blobs().read(&digest)?;
            check(&digest, &bytes)?;
            write_file(&target, &unfinished, &bytes)
        })
        .await
    }

    /// Makes a ledger of a copy in a folder that has none, looks it all over and returns what was found.
    ///
    /// The copy is only read. A ledger that is there already is never touched.
    pub async fn restore(from: &Path, to: &Path) -> Result<Report, Error> {
        let (source, target) = (from.join("ledger.db"), to.join("ledger.db"));
        if target.exists() {
            return Err(Error::Refused(format!(
                "`{}` exists: move it aside before a backup takes its place",
                target.display()
            )));
        }
        let (from, to_folder) = (from.to_owned(), to.to_owned());
        blocking(move || {
            let unfinished = to_folder.join("blobs").join("tmp");
            std::fs::create_dir_all(&unfinished).map_err(Error::file("make", &unfinished))?;
            let blobs = Blobs::open(&from)?;
            for path in blobs.files()? {
                let Some(digest) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.len() == 64)
                else {
                    continue;
                };
                let copy = to_folder.join("blobs").join(digest.get(..2).unwrap_or("tmp")).join(digest);
                if !copy.exists() {
                    write_file(&copy, &unfinished, &blobs.read(digest)?)?;
                }
            }
            let copy = to_folder.join("ledger.new");
            std::fs::copy(&source, &copy).map_err(Error::file("copy", &source))?;
            sync(&copy)?;
            std::fs::rename(&copy, &target).map_err(Error::file("rename", &copy))?;
            sync(&to_folder)
        })
        .await?;
        let ledger = Self::open(to).await?;
        let report = ledger.verify().await;
        ledger.close().await;
        report
    }
}
