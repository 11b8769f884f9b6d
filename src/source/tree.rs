//! What one directory, or one commit, says.
use super::{
    Commit,
    choose::{Candidate, is_candidate, says_so},
    git,
};
use crate::{
    manifest::SourceFile,
    model::{Answer, Class, Failure},
};
use std::{
    io,
    path::{Component, Path, PathBuf},
};

/// The name of the lock file, beside the manifests.
const LOCK: &str = "trueup.lock";

/// What one directory, or one commit, says: manifests, the lock file, and the files that manifests refer to.
#[derive(Debug)]
pub struct Tree {
    /// The manifests, in the order of their paths. At least one.
    pub manifests: Vec<SourceFile>,
    /// The commit, where the tree is one.
    pub commit: Option<Commit>,
    pub(super) root: Root,
}

/// Where a tree is.
#[derive(Clone, Debug)]
pub(super) enum Root {
    Directory(PathBuf),
    /// A directory of a commit; `prefix` ends in `/`, or is empty.
    Commit {
        repository: PathBuf,
        commit: git2::Oid,
        prefix: String,
    },
}

impl Tree {
    /// The directory, where the tree is one: only there can the lock file be written.
    pub fn directory(&self) -> Option<&Path> {
        match &self.root {
            Root::Directory(path) => Some(path),
            Root::Commit { .. } => None,
        }
    }

    /// A file that a manifest refers to, by its path below the directory of manifests.
    ///
    /// # Errors
    /// `NotFound` when it is not there; `Invalid` when the path leads out of the tree; `Denied` when it cannot be read.
    pub fn read(&self, path: &str) -> Answer<Vec<u8>> {
        let attempted = || format!("read {path}");
        if let Root::Directory(root) = &self.root {
            // `join` also lets absolute paths through: a certificate may be anywhere on this machine.
            return std::fs::read(root.join(path)).map_err(|error| io_failure(attempted(), &error));
        }
        let Root::Commit { repository, commit, prefix } = &self.root else {
            return Err(Failure::new(Class::NotFound, attempted(), "it is not there"));
        };
        if Path::new(path).is_absolute() {
            return std::fs::read(path).map_err(|error| io_failure(attempted(), &error));
        }
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            let failure = Failure::new(Class::Invalid, attempted(), "the path leads out of the directory of manifests");
            return Err(failure.hint("paths are relative to the directory of manifests"));
        }
        git::blob(repository, *commit, &format!("{prefix}{path}"))?
            .ok_or_else(|| Failure::new(Class::NotFound, attempted(), "it is not in the commit"))
    }

    /// The text of `trueup.lock`; nothing when there is none.
    ///
    /// # Errors
    /// `Denied` when it cannot be read, `Invalid` when it is no text.
    pub fn lock(&self) -> Answer<Option<String>> {
        let bytes = match self.read(LOCK) {
            Err(failure) if failure.class == Class::NotFound => return Ok(None),
            answer => answer?,
        };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| Failure::new(Class::Invalid, format!("read {LOCK}"), "it is not UTF-8 text"))
    }
}

/// Takes the manifests out of `files` (path below the root, path for people, content).
pub(super) fn manifests(files: impl Iterator<Item = (String, String, Vec<u8>)>) -> Vec<SourceFile> {
    let mut chosen: Vec<(String, SourceFile)> = files
        .filter(|(path, _, content)| match is_candidate(path) {
            Candidate::Yes => true,
            Candidate::IfItSaysSo => says_so(content),
            Candidate::No => false,
        })
        .map(|(path, shown, content)| (path, SourceFile::from_bytes(shown, content)))
        .collect();
    chosen.sort_by(|a, b| a.0.cmp(&b.0));
    chosen.into_iter().map(|(_, file)| file).collect()
}

/// A tree without manifests wants nothing at all: more probably it is the wrong one.
pub(super) fn not_empty(manifests: &[SourceFile], shown: &str) -> Answer<()> {
    let said = manifests.iter().any(|file| file.text().lines().any(|line| !line.trim().is_empty()));
    if said {
        return Ok(());
    }
    let why = if manifests.is_empty() { "there are no manifests in it" } else { "all manifests in it are empty" };
    // Not `NotFound`: nobody may go on to look elsewhere.
    let failure = Failure::new(Class::Invalid, format!("load the manifests of {shown}"), why);
    Err(failure.hint("manifests are files that end in .yaml or .yml; an empty tree is never taken to want nothing"))
}

pub(super) fn io_failure(attempted: String, error: &io::Error) -> Failure {
    let class = match error.kind() {
        io::ErrorKind::NotFound => Class::NotFound,
        io::ErrorKind::PermissionDenied => Class::Denied,
        _ => Class::Invalid,
    };
    Failure::new(class, attempted, error.to_string())
}
