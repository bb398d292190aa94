//! Opening and closing the ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor, Row, SqlitePool};
use tokio::sync::{mpsc, oneshot, watch};

use crate::blob::Blobs;
use crate::error::Error;
use crate::migrate;
use crate::row::{Connection, counted};
use crate::writer::{self, Message, Operation, WAITING};

/// Tells the time in milliseconds since 1970; tests bring their own.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A database up to this size is checked whole when it is opened; a larger one only where it is small and by `verify`,
/// so that a server with 100,000 records answers within a second.
const CHECKED_AT_OPEN: u64 = 64 << 20;

/// How the ledger is opened.
#[derive(Clone)]
pub struct Settings {
    /// Connections that read.
    pub readers: u32,
    /// The clock.
    pub clock: Clock,
    /// The most bytes that the database file may grow to; beyond it a write fails as on a full disk.
    pub max_bytes: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { readers: 8, clock: Arc::new(|| Timestamp::now().as_millisecond()), max_bytes: None }
    }
}

/// The ledger: a cheap handle that can be cloned.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    readers: SqlitePool,
    writer: mpsc::Sender<Message>,
    committed: watch::Receiver<u64>,
    blobs: Blobs,
    clock: Clock,
    // A temporary ledger's folder lives as long as its last handle.
    _folder: Option<tempfile::TempDir>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger in a folder, `ledger.db` and `blobs/` in it; makes both when there is neither.
    pub async fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_with(folder, Settings::default()).await
    }

    /// Opens the ledger in a folder with settings.
    pub async fn open_with(folder: &Path, settings: Settings) -> Result<Self, Error> {
        Self::open_in(folder, settings, None).await
    }

    /// Opens a new ledger in a folder of its own that goes when the last handle goes.
    pub async fn temporary() -> Result<Self, Error> {
        Self::temporary_with(Settings::default()).await
    }

    /// Opens a new ledger like [`Ledger::temporary`], with settings.
    pub async fn temporary_with(settings: Settings) -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(Error::file("make", Path::new("a temporary folder")))?;
        let path = folder.path().to_owned();
        Self::open_in(&path, settings, Some(folder)).await
    }

    async fn open_in(folder: &Path, settings: Settings, temporary: Option<tempfile::TempDir>) -> Result<Self, Error> {
        let path = folder.join("ledger.db");
        std::fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        let blobs = Blobs::open(folder)?;
        if !path.exists() {
            if blobs.any()? {
                return Err(Error::Missing { path, blobs: blobs.folder().to_owned() });
            }
            create(&path, (settings.clock)()).await?;
        }
        check_file(&path)?;
        let in_this_file = |error| in_file(error, &path);
        // The writer's cache holds the inner pages of every index of a large catalogue.
        let options_for_writing = options(&path).pragma("cache_size", "-32768");
        let mut connection = options_for_writing.connect().await.map_err(Error::from).map_err(in_this_file)?;
        let seq = prepare(&mut connection, &path, (settings.clock)()).await.map_err(in_this_file)?;
        if let Some(bytes) = settings.max_bytes {
            limit(&mut connection, bytes).await?;
        }
        blobs.collect(&mut connection, (settings.clock)()).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options(&path).pragma("query_only", "ON"));
        let (writer, asked) = mpsc::channel(WAITING);
        let (announce, committed) = watch::channel(seq);
        tokio::spawn(writer::run(connection, settings.clock.clone(), asked, announce));
        let shared = Shared { path, readers, writer, committed, blobs, clock: settings.clock, _folder: temporary };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the path of the database file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Commits what was asked for before, checkpoints and closes the database. Other handles answer that it is closed.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // The readers go first: the last connection to close is the one that folds the log into the file.
        self.shared.readers.close().await;
        if self.shared.writer.send(Message::Close(done)).await.is_ok() {
            drop(closed.await);
        }
    }

    /// Returns the sequence of the last committed change.
    pub fn last_seq(&self) -> u64 {
        *self.shared.committed.borrow()
    }

    /// Reads the sequence of the last committed change, which a reader may see a moment before [`Self::last_seq`] tells it.
    pub async fn stored_seq(&self) -> Result<u64, Error> {
        let seq: i64 =
            sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM change_log").fetch_one(self.readers()).await?;
        Ok(counted(seq))
    }

    /// Returns a channel that always holds the sequence of the last committed change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.committed.clone()
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.shared.readers
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.shared.blobs
    }

    pub(crate) fn now(&self) -> i64 {
        (self.shared.clock)()
    }

    /// Opens one more connection, for what must not hold a reader for long.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        Ok(options(&self.shared.path).connect().await?)
    }

    pub(crate) async fn write<O: Operation>(&self, operation: O) -> Result<O::Answer, Error> {
        let answer = writer::ask(&self.shared.writer, operation).await;
        answer.map_err(|error| in_file(error, &self.shared.path))
    }

    /// Hands over what may be lost and need not be waited for; drops it when the writer is busy.
    pub(crate) fn write_later<O: Operation>(&self, operation: O) {
        writer::leave(&self.shared.writer, operation);
    }
}

/// Names the database file in an error that came from deep inside.
fn in_file(error: Error, path: &Path) -> Error {
    match error {
        Error::Corrupt { detail, .. } => Error::Corrupt { path: path.to_owned(), detail },
        other => other,
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        // With a write-ahead log, FULL syncs at every commit; NORMAL could lose the last ones with the power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(200)
        .pragma("cache_size", "-8192")
        .pragma("temp_store", "MEMORY")
        // Folding the log into the file every 16 MiB instead of every 4 lets an import write most pages once.
        .pragma("wal_autocheckpoint", "4096")
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

/// Keeps the database file from growing beyond so many bytes.
async fn limit(connection: &mut Connection, bytes: u64) -> Result<(), Error> {
    let page: i64 = connection.fetch_one("PRAGMA page_size").await?.try_get(0)?;
    let pages = bytes / u64::try_from(page).unwrap_or(4096).max(1);
    // A pragma takes no bound value; this one is a number of our own making.
    connection.execute(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).await?;
    Ok(())
}

/// Makes a new database under another name and gives it its own when it is whole: a file under the right name has
/// always been complete once, so that an empty or cut one is known to be damage.
async fn create(path: &Path, now: i64) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let unfinished = path.with_extension("new");
    for suffix in ["new", "new-wal", "new-shm"] {
        let left = path.with_extension(suffix);
        if left.exists() {
            std::fs::remove_file(&left).map_err(Error::file("remove", &left))?;
        }
    }
    let mut connection = options(&unfinished).create_if_missing(true).connect().await?;
    migrate::migrate(&mut connection, now).await?;
    private(&unfinished)?;
    // Closing the only connection folds the log into the file.
    connection.close().await?;
    sync(&unfinished)?;
    std::fs::rename(&unfinished, path).map_err(Error::file("rename", &unfinished))?;
    sync(folder)
}

/// Lets only the server's own user read a file: it holds what not everybody may read. SQLite gives its log the same rights.
fn private(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(Error::file("protect", path))?;
    }
    Ok(())
}

/// Brings a file or a folder to the disk.
pub(crate) fn sync(path: &Path) -> Result<(), Error> {
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(Error::file("sync", path))
}

/// Looks at the file's header and length before SQLite sees it, which takes an empty file for a new database.
fn check_file(path: &Path) -> Result<(), Error> {
    use std::io::Read;
    let corrupt = |detail: &str| Error::Corrupt { path: path.to_owned(), detail: detail.to_owned() };
    let mut header = [0; 32];
    let mut file = std::fs::File::open(path).map_err(Error::file("open", path))?;
    let length = file.metadata().map_err(Error::file("read", path))?.len();
    file.read_exact(&mut header).map_err(|_| corrupt("it is cut off within its header"))?;
    if &header[..16] != b"SQLite format 3\0" {
        return Err(corrupt("it does not begin as a SQLite database does"));
    }
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65536,
        size => size,
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    // A process that was killed while it folded the log into the file leaves it short; the log mends that.
    let log = std::fs::metadata(path.with_extension("db-wal")).is_ok_and(|log| log.len() > 0);
    if length < page * pages && !log {
        return Err(corrupt("it is shorter than its header says"));
    }
    Ok(())
}

/// Checks and migrates an existing database; returns its last sequence.
async fn prepare(connection: &mut Connection, path: &Path, now: i64) -> Result<u64, Error> {
    let size = std::fs::metadata(path).map_err(Error::file("read", path))?.len();
    let checks: &[&str] = if size <= CHECKED_AT_OPEN {
        &["PRAGMA quick_check(1)"]
    } else {
        &["PRAGMA quick_check(account)", "PRAGMA quick_check(counter)", "PRAGMA quick_check(token)"]
    };
    for check in checks.iter().copied() {
        let answer: String = connection.fetch_one(check).await?.try_get(0)?;
        if answer != "ok" {
            return Err(Error::Corrupt { path: path.to_owned(), detail: answer });
        }
    }
    migrate::migrate(connection, now).await?;
    let seq: Option<i64> =
        sqlx::query_scalar("SELECT value FROM counter WHERE name = 'seq'").fetch_optional(&mut *connection).await?;
    let last: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM change_log").fetch_one(&mut *connection).await?;
    match seq {
        Some(seq) if seq == last => Ok(counted(seq)),
        Some(seq) => Err(Error::Corrupt {
            path: path.to_owned(),
            detail: format!("its change log ends at {last}, its counter at {seq}"),
        }),
        None => Err(Error::Corrupt { path: path.to_owned(), detail: "its counters are missing".to_owned() }),
    }
}
