//! Files on a node or inside a guest: list, read, put, remove.
use super::{
    Host, Limits, Output, Place, archive,
    scripts::{self, Script, status},
};
use crate::model::{Answer, Class, Failure};
use bytes::Bytes;

/// How often a directory that changes is listed before that is given up.
const LISTINGS: usize = 4;

/// What stands under a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    Other,
}

/// One thing in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryEntry {
    /// Relative to the listed directory, with `/` where it lies deeper.
    pub name: String,
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Empty unless it is a file.
    pub content: Bytes,
}

/// A file that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Permission bits.
    pub mode: u32,
    pub content: Bytes,
}

impl Host {
    /// All entries at any depth below `directory`, sorted by name, files with their contents; with a `prefix`, only those
    /// directly in it whose names begin so (and what is below them). The prefix must not hold shell patterns' dots first
    /// (`.x`) or slashes.
    ///
    /// # Errors
    /// `NotFound` when the directory does not exist; else those of [`Host::run_at`].
    pub async fn list_directory(&self, place: Place, directory: &str, prefix: &str) -> Answer<Vec<DirectoryEntry>> {
        let attempted = || format!("list {directory} on {place}");
        for _ in 0..LISTINGS {
            let output = self.file_verb(place, scripts::LIST, &[directory, prefix], Bytes::new()).await?;
            if went_meanwhile(&output) {
                continue;
            }
            // GNU tar ends with 1 when something changed while it read.
            let changed = output.status == 1 && !output.stdout.is_empty();
            if !changed {
                succeeded(&output, attempted)?;
            }
            if output.stdout.is_empty() && !prefix.is_empty() {
                return Ok(Vec::new());
            }
            let mut entries = archive::entries(&output.stdout)
                .map_err(|e| Failure::new(Class::Transient, attempted(), format!("the archive is damaged: {e}")))?;
            if changed && !only_directories_changed(&output.complaint(), &entries) {
                continue;
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(entries);
        }
        Err(Failure::new(Class::Transient, attempted(), "it changed again and again while it was read"))
    }

    /// The file at `path`, or `None` when nothing is there.
    ///
    /// # Errors
    /// `Invalid` when something else than a file is there; else those of [`Host::run_at`].
    pub async fn read_file(&self, place: Place, path: &str) -> Answer<Option<File>> {
        let attempted = || format!("read {path} on {place}");
        let output = self.file_verb(place, scripts::READ, &[path], Bytes::new()).await?;
        if output.status == status::ABSENT {
            return Ok(None);
        }
        succeeded(&output, attempted)?;
        let broken = |e: String| Failure::new(Class::Transient, attempted(), format!("the archive is damaged: {e}"));
        let entry = archive::entries(&output.stdout).map_err(broken)?.into_iter().next();
        let entry = entry.ok_or_else(|| broken("it is empty".to_owned()))?;
        Ok(Some(File { mode: entry.mode, content: entry.content }))
    }

    /// Puts a file in place by a rename, with `mode` from its first moment; readers see the old or the new one, whole.
    /// Its directory must exist.
    ///
    /// # Errors
    /// `Transient` when the content did not arrive whole (nothing was changed), `NotFound` when the directory is absent,
    /// `Invalid` when a directory stands at `path`; else those of [`Host::run_at`].
    pub async fn put_file(&self, place: Place, path: &str, mode: u32, content: Bytes) -> Answer<()> {
        let (bits, length) = (format!("{mode:04o}"), content.len().to_string());
        let output = self.file_verb(place, scripts::PUT, &[path, &bits, &length], content).await?;
        succeeded(&output, || format!("put {path} on {place}"))
    }

    /// Removes a file; `false` when it was not there.
    ///
    /// # Errors
    /// `Invalid` when a directory stands at `path`; else those of [`Host::run_at`].
    pub async fn remove_file(&self, place: Place, path: &str) -> Answer<bool> {
        let output = self.file_verb(place, scripts::REMOVE, &[path], Bytes::new()).await?;
        if output.status == status::ABSENT {
            return Ok(false);
        }
        succeeded(&output, || format!("remove {path} on {place}")).map(|()| true)
    }

    /// Makes a directory and its parents; an existing one stays as it is.
    ///
    /// # Errors
    /// `Invalid` when something else stands at `path`; else those of [`Host::run_at`].
    pub async fn make_directory(&self, place: Place, path: &str, mode: u32) -> Answer<()> {
        let bits = format!("{mode:04o}");
        let output = self.file_verb(place, scripts::MAKE_DIRECTORY, &[path, &bits], Bytes::new()).await?;
        succeeded(&output, || format!("make the directory {path} on {place}"))
    }

    async fn file_verb(&self, place: Place, script: Script, arguments: &[&str], stdin: Bytes) -> Answer<Output> {
        if let [path, ..] = arguments
            && (!path.starts_with('/') || path.split('/').any(|part| part == ".."))
        {
            let reason = "the path must be absolute and without `..`";
            return Err(Failure::new(Class::Invalid, format!("{} {path} on {place}", script.name), reason));
        }
        let argv: Vec<&str> =
            ["sh", "-c", script.text, script.name].into_iter().chain(arguments.iter().copied()).collect();
        self.run_at(place, &argv, stdin, Limits::default()).await
    }
}

/// Whether tar ended with 2 for nothing but files that went after their names were read.
fn went_meanwhile(output: &Output) -> bool {
    let complaint = output.complaint();
    let gone = |line: &str| {
        line.ends_with("Cannot stat: No such file or directory") || line.contains("Exiting with failure status")
    };
    output.status == 2 && !complaint.is_empty() && complaint.lines().all(gone)
}

/// Whether tar complains of nothing but directories in which something came or went: it read their names first, and each
/// file whole. A file that changed under its hands, or went before it was read, is another matter.
fn only_directories_changed(complaint: &str, entries: &[DirectoryEntry]) -> bool {
    let is_directory = |name: &str| {
        name == "." || entries.iter().any(|entry| entry.kind == EntryKind::Directory && entry.name == name)
    };
    complaint.lines().all(|line| {
        let name = line.strip_prefix("tar: ").and_then(|rest| rest.strip_suffix(": file changed as we read it"));
        name.is_some_and(|name| is_directory(name.strip_prefix("./").unwrap_or(name)))
    })
}

fn succeeded(output: &Output, attempted: impl Fn() -> String) -> Answer<()> {
    let (class, reason) = match output.status {
        0 => return Ok(()),
        status::ABSENT => (Class::NotFound, "it does not exist".to_owned()),
        status::WRONG_TYPE => (Class::Invalid, "something of another type stands there".to_owned()),
        status::CUT_SHORT => (Class::Transient, "its content did not arrive whole; nothing was changed".to_owned()),
        status::NO_DIRECTORY => (Class::NotFound, "its directory does not exist".to_owned()),
        _ => {
            let complaint = output.complaint();
            let class = match () {
                () if complaint.contains("Permission denied") => Class::Denied,
                () if complaint.contains("Read-only file system") => Class::Denied,
                () if complaint.contains("No space left on device") => Class::Transient,
                () => Class::UnknownOutcome,
            };
            (class, complaint)
        }
    };
    Err(Failure::new(class, attempted(), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_may_change_while_it_is_read_and_a_file_may_not() {
        let entry = |name: &str, kind| DirectoryEntry { name: name.into(), kind, mode: 0o755, content: Bytes::new() };
        let entries = [entry("sub", EntryKind::Directory), entry("a.yml", EntryKind::File)];
        for (complaint, fine) in [
            ("tar: .: file changed as we read it", true),
            ("tar: ./sub: file changed as we read it\ntar: .: file changed as we read it", true),
            ("tar: ./a.yml: file changed as we read it", false),
            ("tar: .: file changed as we read it\ntar: ./b.yml: File removed before we read it", false),
            ("tar: .: Datei hat sich beim Lesen ge\u{e4}ndert.", false),
        ] {
            assert_eq!(only_directories_changed(complaint, &entries), fine, "{complaint}");
        }
    }

    #[test]
    fn a_file_that_went_is_no_failure_and_one_that_may_not_be_read_is() {
        let last = "tar: Exiting with failure status due to previous errors";
        for (status, complaint, went) in [
            (2, format!("tar: a.service: Cannot stat: No such file or directory\n{last}"), true),
            (2, format!("tar: a.service: Cannot open: Permission denied\n{last}"), false),
            (
                2,
                format!(
                    "tar: a: Cannot stat: No such file or directory\ntar: b: Cannot open: Permission denied\n{last}"
                ),
                false,
            ),
            (2, String::new(), false),
            (1, "tar: a.service: Cannot stat: No such file or directory".to_owned(), false),
        ] {
            let output = Output { status, stdout: Bytes::new(), stderr: complaint.clone().into() };
            assert_eq!(went_meanwhile(&output), went, "{complaint}");
        }
    }
}
