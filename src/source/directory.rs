//! Manifests in a directory.
use super::{
    choose::{Candidate, hidden, is_candidate},
    git,
    tree::{Root, Tree, io_failure, manifests, not_empty},
};
use crate::model::{Answer, Class, Failure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// More levels than this are a loop of links.
const DEEPEST: usize = 32;

/// Reads all manifests below a directory. They are shown with the path by which the directory was given.
///
/// # Errors
/// `NotFound` when there is no such directory; `Invalid` when there is no manifest in it; `Denied` when any part of it cannot be
/// read: half a tree is none.
pub fn directory(root: &Path) -> Answer<Tree> {
    let shown = root.display().to_string();
    let attempted = || format!("load the manifests of {shown}");
    let there = fs::metadata(root)
        .map_err(|error| io_failure(attempted(), &error).hint("name the directory that holds the manifests"))?;
    if !there.is_dir() {
        let failure = Failure::new(Class::Invalid, attempted(), "it is not a directory");
        return Err(failure.hint("name the directory of the file: manifests are checked together"));
    }
    let mut paths = Vec::new();
    walk(root, "", 0, &mut paths)?;
    let mut files = Vec::with_capacity(paths.len());
    for (path, place) in paths {
        let content = fs::read(&place).map_err(|error| io_failure(format!("read {}", place.display()), &error))?;
        let shown = match root == Path::new(".") {
            true => path.clone(),
            false => place.display().to_string(),
        };
        files.push((path, shown, content));
    }
    let manifests = manifests(files.into_iter());
    not_empty(&manifests, &shown)?;
    // A directory need not be in git.
    let commit = git::head(root);
    Ok(Tree { manifests, commit, root: Root::Directory(root.to_owned()) })
}

fn walk(directory: &Path, below: &str, depth: usize, found: &mut Vec<(String, PathBuf)>) -> Answer<()> {
    let failed = |error: &std::io::Error| io_failure(format!("read the directory {}", directory.display()), error);
    if depth > DEEPEST {
        let attempted = format!("read the directory {}", directory.display());
        return Err(Failure::new(Class::Invalid, attempted, "it is nested too deeply; is there a link to a parent?"));
    }
    for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let Ok(name) = entry.file_name().into_string() else {
            // Nothing that people name by a path that cannot be written down.
            continue;
        };
        let path = format!("{below}{name}");
        let kind = fs::metadata(entry.path());
        match kind {
            Ok(kind) if kind.is_dir() && !hidden(&name) => walk(&entry.path(), &format!("{path}/"), depth + 1, found)?,
            Ok(kind) if kind.is_file() && is_candidate(&path) != Candidate::No => found.push((path, entry.path())),
            Err(error) if is_candidate(&path) != Candidate::No => {
                return Err(io_failure(format!("read {}", entry.path().display()), &error));
            }
            _ => {}
        }
    }
    Ok(())
}
