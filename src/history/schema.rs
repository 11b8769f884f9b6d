//! The tables. `user_version` says which form they have, `application_id` that they are ours.
use rusqlite::Connection;

/// The form that this version of trueup writes and reads.
pub(super) const VERSION: i64 = 1;

/// `TRUE` in ASCII: tells our files from other databases (<https://sqlite.org/pragma.html#pragma_application_id>).
pub(super) const APPLICATION: i64 = 0x5452_5545;

/// Times are milliseconds since 1970, so that they compare as numbers.
const TABLES: &str = "
CREATE TABLE passes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    site      TEXT    NOT NULL,
    began     INTEGER NOT NULL,
    ended     INTEGER,
    trigger   TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    commit_id TEXT,
    dry_run   INTEGER NOT NULL,
    exit_code INTEGER,
    done      INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,
    blocked   INTEGER NOT NULL DEFAULT 0,
    withheld  INTEGER NOT NULL DEFAULT 0,
    waiting   INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX passes_by_began ON passes (began);

CREATE TABLE events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    pass     INTEGER NOT NULL REFERENCES passes (id) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    object   TEXT    NOT NULL,
    declared TEXT,
    verb     TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    took_ms  INTEGER NOT NULL,
    message  TEXT    NOT NULL
) STRICT;
CREATE INDEX events_by_object ON events (object, id);
CREATE INDEX events_by_pass ON events (pass);

CREATE TABLE desired (
    site      TEXT    NOT NULL,
    object    TEXT    NOT NULL,
    digest    TEXT    NOT NULL,
    commit_id TEXT,
    at        INTEGER NOT NULL,
    PRIMARY KEY (site, object)
) STRICT, WITHOUT ROWID;

CREATE TABLE applied_commit (
    site      TEXT    NOT NULL PRIMARY KEY,
    source    TEXT    NOT NULL,
    commit_id TEXT    NOT NULL,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Makes the tables in an empty database, all or none.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// What a file says that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Form {
    pub application: i64,
    pub version: i64,
    pub tables: i64,
}

pub(super) fn form(connection: &Connection) -> rusqlite::Result<Form> {
    Ok(Form {
        application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        tables: connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?,
    })
}
