//! One commit of a repository on this machine, without a work tree.
use super::{
    commit::{Commit, CommitId},
    tree::{Root, Tree, manifests, not_empty},
};
use crate::{
    model::{Answer, Class, Failure},
    source::choose::{Candidate, is_candidate},
};
use git2::{DiffOptions, ErrorCode, ObjectType, Oid, Repository, Sort, TreeWalkMode, TreeWalkResult};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// How far back it is looked for the commit that last changed a file.
const HISTORY: usize = 20_000;

/// One commit of a repository on this machine, without a work tree.
#[derive(Clone, Debug)]
pub struct Checkout {
    repository: PathBuf,
    commit: CommitId,
    /// What people call where it is from: the URL and the branch.
    shown: String,
}

impl Checkout {
    pub(super) fn new(repository: PathBuf, commit: CommitId, shown: String) -> Self {
        Self { repository, commit, shown }
    }

    /// The repository that a directory is in, at the commit that is checked out there; nothing when it is in none.
    pub fn around(directory: &Path) -> Option<Self> {
        let repository = Repository::discover(directory).ok()?;
        let commit = repository.head().ok()?.peel_to_commit().ok()?.id();
        let shown = directory.display().to_string();
        Some(Self { repository: repository.path().to_owned(), commit: commit.into(), shown })
    }

    /// The commit.
    pub fn id(&self) -> CommitId {
        self.commit
    }

    /// What the commit says about itself.
    ///
    /// # Errors
    /// `NotFound` when the repository does not have it (a half-written clone).
    pub fn commit(&self) -> Answer<Commit> {
        let repository = self.open()?;
        let commit = repository.find_commit(self.commit.oid()).map_err(|e| self.failed("read the commit", &e))?;
        Ok(Commit::of(&commit))
    }

    /// The manifests below `directory` of the commit (empty: all of it). Their paths are shown as they are in the repository.
    ///
    /// # Errors
    /// `NotFound` when the commit has no such directory; `Invalid` when there is no manifest in it, or part of the commit is
    /// missing: half a tree is none.
    pub fn tree(&self, directory: &str) -> Answer<Tree> {
        let repository = self.open()?;
        let commit = repository.find_commit(self.commit.oid()).map_err(|e| self.torn(&e))?;
        let whole = commit.tree().map_err(|e| self.torn(&e))?;
        let prefix = match directory.trim_matches('/') {
            "" | "." => String::new(),
            inside => format!("{inside}/"),
        };
        let root = match prefix.as_str() {
            "" => whole,
            inside => {
                let missing = || {
                    let attempted = format!("load the manifests of {inside} in {}", self.shown);
                    Failure::new(
                        Class::NotFound,
                        attempted,
                        format!("the commit {} has no such directory", self.commit.short()),
                    )
                };
                let entry = whole.get_path(Path::new(inside)).map_err(|_| missing())?;
                if entry.kind() != Some(ObjectType::Tree) {
                    return Err(missing());
                }
                repository.find_tree(entry.id()).map_err(|e| self.torn(&e))?
            }
        };
        let mut files = Vec::new();
        let mut lost = None;
        let walk = root.walk(TreeWalkMode::PreOrder, |folder, entry| {
            let Ok(path) = entry.name().map(|name| format!("{folder}{name}")) else { return TreeWalkResult::Ok };
            if entry.kind() != Some(ObjectType::Blob) || is_candidate(&path) == Candidate::No {
                return TreeWalkResult::Ok;
            }
            match repository.find_blob(entry.id()) {
                Ok(blob) => files.push((path.clone(), format!("{prefix}{path}"), blob.content().to_vec())),
                Err(error) => {
                    lost = Some(error);
                    return TreeWalkResult::Abort;
                }
            }
            TreeWalkResult::Ok
        });
        if let Some(error) = lost {
            return Err(self.torn(&error));
        }
        walk.map_err(|e| self.torn(&e))?;
        let manifests = manifests(files.into_iter());
        let shown = if prefix.is_empty() { self.shown.clone() } else { format!("{prefix} in {}", self.shown) };
        not_empty(&manifests, &shown)?;
        let root = Root::Commit { repository: self.repository.clone(), commit: self.commit.oid(), prefix };
        Ok(Tree { manifests, commit: Some(Commit::of(&commit)), root })
    }

    /// The paths that differ between another commit and this one, sorted. A renamed file is both its paths.
    ///
    /// # Errors
    /// `NotFound` when the repository does not have one of them.
    pub fn changed_since(&self, other: CommitId) -> Answer<Vec<String>> {
        let repository = self.open()?;
        let failed = |error: &git2::Error| self.failed(&format!("compare with the commit {}", other.short()), error);
        let tree = |id: Oid| repository.find_commit(id).and_then(|commit| commit.tree());
        let (old, new) = (tree(other.oid()).map_err(|e| failed(&e))?, tree(self.commit.oid()).map_err(|e| failed(&e))?);
        let diff = repository.diff_tree_to_tree(Some(&old), Some(&new), None).map_err(|e| failed(&e))?;
        Ok(changed(&diff).into_iter().collect())
    }

    /// Whether another commit is this one, or one that this one was made from. False also when the repository does not have it: a branch
    /// that was rewritten loses the commits that it no longer leads to.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn descends_from(&self, other: CommitId) -> Answer<bool> {
        if other == self.commit {
            return Ok(true);
        }
        let repository = self.open()?;
        if repository.find_commit(other.oid()).is_err() {
            return Ok(false);
        }
        let descends = repository.graph_descendant_of(self.commit.oid(), other.oid());
        descends.map_err(|e| self.failed(&format!("look for the commit {} in the history", other.short()), &e))
    }

    /// The commit that last changed each of the files, as far as the history goes back. Paths are those in the repository.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn last_changes(&self, paths: impl IntoIterator<Item = String>) -> Answer<BTreeMap<String, Commit>> {
        let repository = self.open()?;
        let mut left: BTreeSet<String> = paths.into_iter().collect();
        let mut found = BTreeMap::new();
        let result = (|| {
            let mut walk = repository.revwalk()?;
            walk.push(self.commit.oid())?;
            walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
            for id in walk.take(HISTORY) {
                if left.is_empty() {
                    break;
                }
                let commit = repository.find_commit(id?)?;
                // A merge changed only what differs from all its parents.
                let mut touched: Option<BTreeSet<String>> = None;
                let parents: Vec<Option<git2::Tree<'_>>> = match commit.parent_count() {
                    0 => vec![None],
                    _ => commit.parents().map(|parent| parent.tree().map(Some)).collect::<Result<_, _>>()?,
                };
                for parent in parents {
                    let mut options = DiffOptions::new();
                    let tree = commit.tree()?;
                    let diff = repository.diff_tree_to_tree(parent.as_ref(), Some(&tree), Some(&mut options))?;
                    let paths = changed(&diff);
                    touched = Some(match touched {
                        None => paths,
                        Some(before) => before.intersection(&paths).cloned().collect(),
                    });
                }
                for path in touched.into_iter().flatten() {
                    if left.remove(&path) {
                        found.insert(path, Commit::of(&commit));
                    }
                }
            }
            Ok(())
        })();
        result.map_err(|e: git2::Error| self.failed("read the history", &e))?;
        Ok(found)
    }

    fn open(&self) -> Answer<Repository> {
        Repository::open(&self.repository).map_err(|error| self.failed("open the clone", &error))
    }

    /// A clone that lost a part. Not `NotFound`: nobody may go on to look elsewhere.
    fn torn(&self, error: &git2::Error) -> Failure {
        let attempted = format!("read the manifests {} of {}", self.commit.short(), self.shown);
        let hint = format!("the clone is not whole; delete {}, it is made anew", self.repository.display());
        Failure::new(Class::Invalid, attempted, error.message()).hint(hint)
    }

    fn failed(&self, what: &str, error: &git2::Error) -> Failure {
        failure(format!("{what} {} of {}", self.commit.short(), self.shown), error)
    }
}

fn changed(diff: &git2::Diff<'_>) -> BTreeSet<String> {
    let files = diff.deltas().flat_map(|delta| [delta.old_file().path_bytes(), delta.new_file().path_bytes()]);
    files.flatten().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
}

/// What the commit that a directory was checked out from says about itself.
pub(super) fn head(directory: &Path) -> Option<Commit> {
    Checkout::around(directory)?.commit().ok()
}

/// The content of one file of a commit; nothing when it is not there.
pub(super) fn blob(repository: &Path, commit: Oid, path: &str) -> Answer<Option<Vec<u8>>> {
    let result = (|| {
        let repository = Repository::open(repository)?;
        let tree = repository.find_commit(commit)?.tree()?;
        let entry = match tree.get_path(Path::new(path)) {
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            entry => entry?,
        };
        Ok(Some(repository.find_blob(entry.id())?.content().to_vec()))
    })();
    result.map_err(|error: git2::Error| failure(format!("read {path} in the commit {commit}"), &error))
}

/// libgit2's errors in our classes.
pub(super) fn failure(attempted: String, error: &git2::Error) -> Failure {
    use git2::ErrorClass as Of;
    let class = match (error.code(), error.class()) {
        (ErrorCode::NotFound, _) => Class::NotFound,
        (ErrorCode::Auth | ErrorCode::Certificate, _) => Class::Denied,
        (_, Of::Net | Of::Os) => Class::Unreachable,
        (_, Of::Ssh | Of::Http | Of::Ssl) => Class::Unreachable,
        _ => Class::Invalid,
    };
    Failure::new(class, attempted, error.message())
}
