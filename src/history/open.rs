//! Opening: a newer file is refused and left alone, a broken one is moved aside, and neither is ever a reason to plan
//! differently.
use super::schema::{self, APPLICATION, Form, VERSION};
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// Another trueup may be writing; its transactions are short.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open history. One connection, shared between threads.
pub struct History {
    connection: Mutex<Connection>,
    path: PathBuf,
}

/// Something that a person should be told and that stops nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why the history cannot be used. The caller says so and goes on without it ([`History::in_memory`]), except on
/// [`HistoryError::Newer`] and [`HistoryError::NotOurs`], which a person has to settle.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(
        "could not open the history {}: it has the form {found}, and this version of trueup knows {known}; use the newer \
         trueup that wrote it, or name another file", path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "could not open the history {}: it is a database of something else; name another file", path.display()
    )]
    NotOurs { path: PathBuf },
    #[error("could not {attempted} the history {}: {reason}", path.display())]
    Storage { attempted: &'static str, path: PathBuf, reason: String },
}

impl History {
    /// Opens the file, or makes it with its folder. A broken file is moved to `NAME.corrupt-TIME` and a new one made; the
    /// warning says so. `now` only names that file.
    ///
    /// # Errors
    /// A newer form, a database of something else, or a file system that does not let us.
    pub fn open(path: &Path, now: Timestamp) -> Result<(Self, Vec<Warning>), HistoryError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| storage("make the folder of", path, &e))?;
        }
        match Self::attempt(path) {
            Ok(history) => Ok((history, vec![])),
            Err(Broken::Refused(error)) => Err(error),
            Err(Broken::Corrupt(reason)) => {
                let aside = move_aside(path, now).map_err(|e| storage("move aside", path, &e))?;
                let text = format!(
                    "the history {} was broken ({reason}); it is kept as {} and a new one begins",
                    path.display(),
                    aside.display()
                );
                match Self::attempt(path) {
                    Ok(history) => Ok((history, vec![Warning(text)])),
                    Err(Broken::Refused(error)) => Err(error),
                    Err(Broken::Corrupt(reason)) => Err(storage("begin", path, &reason)),
                }
            }
        }
    }

    /// Opens the file for reading alone, which changes nothing on the disk: for dry runs and `status`. `None`: there is no
    /// history yet, or one that cannot be read, which the warning says.
    ///
    /// # Errors
    /// A newer form, or a database of something else.
    pub fn open_to_read(path: &Path) -> Result<(Option<Self>, Vec<Warning>), HistoryError> {
        if !path.exists() {
            return Ok((None, vec![]));
        }
        // While nobody has it open, even a reader would leave the files of the write-ahead log behind. `immutable` does
        // without them (https://sqlite.org/uri.html).
        let open_elsewhere = beside(path, "-wal").exists();
        let mut uri = String::from("file:");
        uri.extend(percent_encoding::percent_encode(path.as_os_str().as_encoded_bytes(), PATH));
        uri += if open_elsewhere { "?mode=ro" } else { "?mode=ro&immutable=1" };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let unreadable = |reason: &dyn fmt::Display| {
            let text = format!("could not read the history {}: {reason}; going on without it", path.display());
            Ok((None, vec![Warning(text)]))
        };
        let connection = match Connection::open_with_flags(uri, flags) {
            Ok(connection) => connection,
            Err(error) => return unreadable(&error),
        };
        match schema::form(&connection).map(|form| (form, refuse(path, form))) {
            Ok((_, Some(error))) => Err(error),
            Ok((Form { tables: 0, .. }, None)) => Ok((None, vec![])),
            Ok(_) => Ok((Some(Self::of(connection, path)), vec![])),
            Err(error) => unreadable(&error),
        }
    }

    /// A history that is forgotten with the process: for dry runs, and where no file can be written.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn in_memory() -> Result<Self, HistoryError> {
        let path = Path::new(":memory:");
        let made = Connection::open_in_memory().and_then(|mut connection| {
            schema::create(&mut connection)?;
            Ok(connection)
        });
        made.map(|connection| Self::of(connection, path)).map_err(|e| storage("begin", path, &e))
    }

    fn attempt(path: &Path) -> Result<Self, Broken> {
        let failed = |attempted, error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Broken::Corrupt(error.to_string()),
            _ => Broken::Refused(storage(attempted, path, &error)),
        };
        let mut connection = Connection::open(path).map_err(|e| failed("open", e))?;
        connection.busy_timeout(PATIENCE).map_err(|e| failed("open", e))?;
        let found = schema::form(&connection).map_err(|e| failed("read", e))?;
        // Before anything is written: a file that is not for us stays as it is.
        if let Some(error) = refuse(path, found) {
            return Err(Broken::Refused(error));
        }
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|e| failed("check", e))?;
        if verdict != "ok" {
            return Err(Broken::Corrupt(verdict));
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(|e| failed("write to", e))?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(|e| failed("write to", e))?;
        connection.pragma_update(None, "foreign_keys", true).map_err(|e| failed("open", e))?;
        if found.tables == 0 {
            schema::create(&mut connection).map_err(|e| failed("begin", e))?;
        }
        Ok(Self::of(connection, path))
    }

    fn of(connection: Connection, path: &Path) -> Self {
        Self { connection: Mutex::new(connection), path: path.into() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves at most a transaction that is rolled back.
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn failed(&self, attempted: &'static str) -> impl Fn(rusqlite::Error) -> HistoryError {
        move |error| storage(attempted, &self.path, &error)
    }
}

enum Broken {
    Corrupt(String),
    Refused(HistoryError),
}

/// What may stand in the path of a URI as it is; everything else is escaped.
const PATH: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

fn storage(attempted: &'static str, path: &Path, reason: &dyn fmt::Display) -> HistoryError {
    HistoryError::Storage { attempted, path: path.into(), reason: reason.to_string() }
}

fn refuse(path: &Path, found: Form) -> Option<HistoryError> {
    let path = path.to_path_buf();
    match found {
        Form { application: 0, version: 0, tables: 0 } => None,
        Form { application: APPLICATION, version: VERSION, .. } => None,
        Form { application: APPLICATION, version, .. } => {
            Some(HistoryError::Newer { path, found: version, known: VERSION })
        }
        _ => Some(HistoryError::NotOurs { path }),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Moves the file, and what SQLite keeps beside it, to the first free name.
fn move_aside(path: &Path, now: Timestamp) -> std::io::Result<PathBuf> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let names = (1..).map(|n| if n == 1 { format!(".corrupt-{stamp}") } else { format!(".corrupt-{stamp}-{n}") });
    let Some(aside) = names.map(|ending| beside(path, &ending)).find(|aside| !aside.exists()) else {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    };
    std::fs::rename(path, &aside)?;
    for ending in ["-wal", "-shm"] {
        match std::fs::rename(beside(path, ending), beside(&aside, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
