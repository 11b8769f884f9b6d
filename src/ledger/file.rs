//! The lock file on disk: the old one or the new one, never half of one.
use super::{FILE, Lock, LockError};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// The lock beside the manifests of `directory`; without a file, the empty one.
pub fn read(directory: &Path) -> Result<Lock, LockError> {
    let path = directory.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Lock::parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(error) => {
            Err(LockError { line: None, message: format!("could not read {}: {error}", path.display()), hint: None })
        }
    }
}

/// Replaces the lock file: written beside it, synced, renamed. Does nothing when the bytes are the same; says whether it
/// wrote.
pub fn write(directory: &Path, lock: &Lock) -> io::Result<bool> {
    let path = directory.join(FILE);
    let text = lock.to_text();
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    let mut file = tempfile::Builder::new().prefix(".trueup.lock.").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is private; the lock is as readable as the manifests beside it.
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    fs::File::open(directory)?.sync_all()?;
    Ok(true)
}
