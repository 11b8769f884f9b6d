//! The file of a secret: mode 600, whole or not there, never overwritten unasked.
use crate::model::{Answer, Class, Failure};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// Room for it. It is taken before the secret is made, so that none is made that nobody can keep.
pub(super) struct Reserved {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

fn failure(path: &Path, attempted: &str, error: &io::Error) -> Failure {
    let class = if error.kind() == io::ErrorKind::PermissionDenied { Class::Denied } else { Class::Invalid };
    Failure::new(class, format!("{attempted} {}", path.display()), error.to_string())
}

/// What is in it; `None` when there is no such file.
pub(super) fn read(path: &Path) -> Answer<Option<SecretString>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(SecretString::from(text.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(path, "read", &error)),
    }
}

/// Whether others than its owner may read it.
pub(super) fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

impl Reserved {
    /// Beside the place where it will be, in a directory that is made if it is not there.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn at(path: &Path) -> Answer<Self> {
        let wrong = |error: io::Error| failure(path, "prepare to write", &error);
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(directory).map_err(wrong)?;
        // It has the mode 600 from its first moment.
        let file = tempfile::Builder::new().prefix(".trueup-").tempfile_in(directory).map_err(wrong)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes the secret and puts the file in its place; an old one is replaced only where `replace` says so.
    ///
    /// # Errors
    /// When it cannot be written, or a file has appeared there meanwhile.
    pub fn fill(mut self, secret: &SecretString, replace: bool) -> Answer<()> {
        let path = self.path.clone();
        let wrong = |error: &io::Error| failure(&path, "write", error);
        let text = format!("{}\n", secret.expose_secret());
        self.file.write_all(text.as_bytes()).map_err(|e| wrong(&e))?;
        self.file.as_file().sync_all().map_err(|e| wrong(&e))?;
        let kept = match replace {
            true => self.file.persist(&path),
            false => self.file.persist_noclobber(&path),
        };
        kept.map_err(|e| wrong(&e.error))?;
        if let Some(Ok(directory)) = path.parent().map(fs::File::open) {
            // Where a directory cannot be synced, the file is there all the same.
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_whole_and_never_overwritten_unasked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets/token");
        assert!(read(&path).unwrap().is_none());
        Reserved::at(&path).unwrap().fill(&"one".into(), false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!is_open(&path));
        assert!(Reserved::at(&path).unwrap().fill(&"two".into(), false).is_err());
        assert_eq!(read(&path).unwrap().unwrap().expose_secret(), "one");
        Reserved::at(&path).unwrap().fill(&"two".into(), true).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().expose_secret(), "two");
        drop(Reserved::at(&path).unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "what was not used is gone");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(is_open(&path));
    }
}
