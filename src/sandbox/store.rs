//! The directory in which a sandbox keeps its state: one JSON file per simulator, replaced by rename.
use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// An open state directory. Only one process at a time holds it.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    lock: Mutex<Option<Flock<File>>>,
}

impl Store {
    /// Opens or makes the directory, readable by its owner alone (it holds tokens and keys).
    ///
    /// # Errors
    /// When it cannot be made, or another sandbox runs in it.
    pub fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
        fs::set_permissions(directory, Permissions::from_mode(0o700))
            .with_context(|| format!("protect {}", directory.display()))?;
        let directory = directory.canonicalize().with_context(|| format!("find {}", directory.display()))?;
        let path = directory.join("lock");
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("open {}", path.display()))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| {
            anyhow::anyhow!("{} is in use by another sandbox ({e}); stop it first", directory.display())
        })?;
        Ok(Self { directory, lock: Mutex::new(Some(lock)) })
    }

    /// Lets another process have the directory, although parts of this one may still hold the store.
    pub fn release(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The absolute path of the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where a Unix socket may lie: here, or among temporary files where this path is too long for the kernel (108 bytes).
    pub fn socket(&self, name: &str) -> PathBuf {
        let own = self.path(name);
        if own.as_os_str().len() < 108 {
            return own;
        }
        std::env::temp_dir().join(format!("trueup-{}-{name}", std::process::id()))
    }

    /// Reads `NAME.json`, or `None` when it was never written.
    ///
    /// # Errors
    /// When it cannot be read or is not what `T` expects: a sandbox does not start with half a state.
    pub fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.path(&format!("{name}.json"));
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
        };
        serde_json::from_slice(&text).map(Some).with_context(|| {
            format!("understand {}; remove {} to start afresh", path.display(), self.directory.display())
        })
    }

    /// Replaces `NAME.json`.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn save<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<()> {
        let text = serde_json::to_vec_pretty(value).with_context(|| format!("write the state of {name}"))?;
        self.put(&format!("{name}.json"), &text, 0o600)
    }

    /// Replaces a file by rename, with this mode.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn put(&self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        let write = || {
            let _ = fs::remove_file(&new);
            let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&new)?;
            file.write_all(content)?;
            fs::rename(&new, &path)
        };
        write().with_context(|| format!("write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_there_for_the_next_and_only_for_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.load::<Vec<u32>>("proxmox").unwrap(), None);
        store.save("proxmox", &[1, 2]).unwrap();
        let second = Store::open(dir.path()).unwrap_err().to_string();
        assert!(second.contains("in use by another sandbox"), "{second}");
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.load::<Vec<u32>>("proxmox").unwrap(), Some(vec![1, 2]));
        let wrong = store.load::<String>("proxmox").unwrap_err().to_string();
        assert!(wrong.contains("proxmox.json"), "{wrong}");
        assert_eq!(fs::metadata(dir.path().join("proxmox.json")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
