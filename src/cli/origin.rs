//! Where manifests come from: a directory, or a branch of a git repository.
use crate::{
    model::{Answer, Class, DeclarationId, Failure},
    source::{self, Remote, Tree},
};
use clap::Args;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was found there.
pub(super) struct Origin {
    pub tree: Tree,
    /// The directory or repository, without credentials.
    pub shown: String,
    /// The clone of a dry run, which goes with it.
    _clone: Option<tempfile::TempDir>,
}

impl Origin {
    /// The directory in which the lock file can be written; `None` for what was fetched from elsewhere.
    pub fn directory(&self) -> Option<&Path> {
        self.tree.directory()
    }

    /// The id of the commit.
    pub fn commit(&self) -> Option<String> {
        self.tree.commit.as_ref().map(|commit| commit.id.to_string())
    }

    /// What the commit's trailers consent to. One that names nothing is no consent.
    pub fn consented(&self) -> BTreeSet<DeclarationId> {
        let trailers = self.tree.commit.iter().flat_map(|commit| &commit.consents);
        trailers.filter_map(|value| value.parse().ok()).collect()
    }

    /// For programs.
    pub fn described(&self) -> Value {
        json!({ "source": self.shown, "commit": self.tree.commit })
    }
}

/// What a person chose.
#[derive(Args, Debug)]
pub(super) struct Chosen {
    /// The directory of the manifests [default: `manifests` where it exists, else this one]
    #[arg(conflicts_with_all = ["repo", "branch", "subdirectory"])]
    path: Option<PathBuf>,
    /// Take the manifests from this git repository instead: a URL or a path
    ///
    /// A password or token for HTTPS is read from TRUEUP_GIT_TOKEN, never from the URL.
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// The branch of the repository [default: its own]
    #[arg(long, requires = "repo")]
    branch: Option<String>,
    /// The directory of the manifests inside the repository
    #[arg(long = "path", value_name = "SUBDIR", requires = "repo")]
    subdirectory: Option<String>,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.repo, &self.branch) {
            (Some(repo), Some(branch)) => write!(f, "{} ({branch})", without_credentials(repo)),
            (Some(repo), None) => f.write_str(&without_credentials(repo)),
            (None, _) => write!(f, "{}", chosen(self.path.as_deref()).display()),
        }
    }
}

impl Chosen {
    /// Reads the directory, or fetches the branch; the clone is kept below `state`, or, without, for this command alone.
    ///
    /// # Errors
    /// When there is no whole tree of manifests: then nothing is to be concluded from it.
    pub async fn open(&self, state: Option<&Path>) -> Answer<Origin> {
        let Some(repo) = &self.repo else { return local(self.path.as_deref()) };
        let attempted = || format!("fetch {self}");
        let failed = |error: &std::io::Error| Failure::new(Class::Denied, attempted(), error.to_string());
        let (cache, clone) = match state {
            Some(state) => (state.join("clones"), None),
            None => {
                let clone = tempfile::Builder::new().prefix("trueup-").tempdir().map_err(|e| failed(&e))?;
                (clone.path().to_owned(), Some(clone))
            }
        };
        let remote = Remote { url: repo.clone(), branch: self.branch.clone(), cache, ssh_key: None };
        let program = std::env::current_exe().map_err(|e| failed(&e))?;
        let subdirectory = self.subdirectory.clone();
        let fetched = tokio::task::spawn_blocking(move || {
            let checkout = source::fetch(&remote, &program, PATIENCE)?;
            match subdirectory {
                Some(directory) => checkout.tree(&directory),
                None => match checkout.tree("manifests") {
                    Err(failure) if failure.class == Class::NotFound => checkout.tree(""),
                    tree => tree,
                },
            }
        });
        let broke_off = |error: tokio::task::JoinError| Failure::new(Class::Transient, attempted(), error.to_string());
        let tree = fetched.await.map_err(broke_off)??;
        Ok(Origin { tree, shown: self.to_string(), _clone: clone })
    }
}

/// Not given, it is `manifests` where that exists.
fn chosen(path: Option<&Path>) -> PathBuf {
    match path {
        Some(path) => path.to_owned(),
        None if Path::new("manifests").is_dir() => "manifests".into(),
        None => ".".into(),
    }
}

/// The manifests of a directory as it is.
///
/// # Errors
/// When it cannot be read whole, or holds no manifests.
pub(super) fn local(path: Option<&Path>) -> Answer<Origin> {
    let directory = chosen(path);
    let tree = source::directory(&directory)?;
    Ok(Origin { tree, shown: directory.display().to_string(), _clone: None })
}

/// A URL as it may be shown.
fn without_credentials(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return text.to_owned() };
    if url.password().is_some() {
        // A URL that has a password has a place for it.
        let _ = url.set_password(None);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(without_credentials("https://me:hunter2@host/site.git"), "https://me@host/site.git");
        assert_eq!(without_credentials("git@host:site.git"), "git@host:site.git");
        assert_eq!(without_credentials("/srv/site.git"), "/srv/site.git");
    }
}
