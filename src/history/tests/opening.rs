//! Newer, foreign, broken, missing and unwritable files.
use super::{at, began, open};
use crate::history::{History, HistoryError};
use std::{fs, path::Path};

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("reads").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// C4.
#[test]
fn a_newer_form_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.sqlite");
    open(&path).begin(&began(0, "c1")).expect("begins");
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection.pragma_update(None, "user_version", 7).expect("writes");
    drop(connection);
    let before = (fs::read(&path).expect("reads"), files(folder.path()));
    let refused = [History::open(&path, at(1)).err(), History::open_to_read(&path).err()];
    for error in refused.map(|error| error.expect("refused")) {
        assert!(matches!(error, HistoryError::Newer { found: 7, known: 1, .. }));
        let text = error.to_string();
        assert!(
            text.contains(&path.display().to_string()) && text.contains("form 7") && text.contains("knows 1"),
            "{text}"
        );
    }
    assert_eq!((fs::read(&path).expect("reads"), files(folder.path())), before, "not a byte has changed");
}

#[test]
fn a_database_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.sqlite");
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection.execute_batch("CREATE TABLE passes (mine TEXT)").expect("writes");
    drop(connection);
    let before = fs::read(&path).expect("reads");
    assert!(matches!(History::open(&path, at(1)), Err(HistoryError::NotOurs { .. })));
    assert_eq!(fs::read(&path).expect("reads"), before);
}

/// C4. Broken from the first byte, and broken in the middle.
#[test]
fn a_broken_file_is_moved_aside_and_a_new_one_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.sqlite");
    for (n, spoil) in [(1, 0..64), (2, 4_096..12_000)] {
        let history = open(&path);
        for seconds in 0..200 {
            history
                .begin(&began(seconds, "a commit with a long name, so that several pages are written"))
                .expect("begins");
        }
        drop(history);
        let mut bytes = fs::read(&path).expect("reads");
        assert!(bytes.len() > 12_000);
        bytes[spoil].fill(0xAA);
        fs::write(&path, &bytes).expect("writes");
        let (history, warnings) = History::open(&path, at(0)).expect("opens");
        assert_eq!(history.last_passes(9).expect("reads"), []);
        let aside = folder.path().join(format!("history.sqlite.corrupt-20270115T080000Z{}", ["", "-2"][n - 1]));
        assert!(warnings[0].to_string().contains(&aside.display().to_string()), "{}", warnings[0]);
        assert_eq!(fs::read(&aside).expect("it is kept"), bytes);
        drop(history);
        fs::remove_file(&path).expect("removes");
    }
}

#[test]
fn an_empty_file_is_a_new_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.sqlite");
    fs::write(&path, "").expect("writes");
    open(&path).begin(&began(0, "c1")).expect("begins");
}

/// C5: a dry run reads what was, and leaves nothing behind.
#[test]
fn reading_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history #1?.sqlite");
    assert!(History::open_to_read(&path).expect("no error").0.is_none());
    assert_eq!(files(folder.path()), Vec::<String>::new());
    let writer = open(&path);
    writer.begin(&began(0, "c1")).expect("begins");
    // While another has it open, what that one has written is seen.
    let reader = History::open_to_read(&path).expect("opens").0.expect("it is there");
    assert_eq!(reader.last_passes(9).expect("reads").len(), 1);
    drop((reader, writer));
    let before = (fs::read(&path).expect("reads"), files(folder.path()));
    let reader = History::open_to_read(&path).expect("opens").0.expect("it is there");
    assert_eq!(reader.last_passes(9).expect("reads").len(), 1);
    assert!(reader.begin(&began(1, "c2")).is_err(), "it is only read");
    drop(reader);
    assert_eq!((fs::read(&path).expect("reads"), files(folder.path())), before);
    fs::write(&path, "no database at all, but long enough to be looked at as one").expect("writes");
    let (none, warnings) = History::open_to_read(&path).expect("a warning is enough");
    assert!(none.is_none() && warnings[0].to_string().contains("going on without it"));
}

/// Root may write anywhere, so the thread gives up that right: the rights of the file system belong to each thread.
#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).expect("makes");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("sets");
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).expect("sets");
    let texts = std::thread::spawn(move || {
        if nix::unistd::geteuid().is_root() {
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65_534));
        }
        let attempts = [inner.join("history.sqlite"), inner.join("deeper/history.sqlite")];
        attempts.map(|path| match History::open(&path, at(0)) {
            Err(error @ HistoryError::Storage { .. }) => error.to_string(),
            other => panic!("{}: {:?}", path.display(), other.map(|_| "it opened")),
        })
    });
    let [file, deeper] = texts.join().expect("no panic");
    assert!(file.starts_with("could not ") && file.contains("history.sqlite: "), "{file}");
    assert!(deeper.starts_with("could not make the folder of the history"), "{deeper}");
}
