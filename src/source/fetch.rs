//! A branch of a remote repository, brought to this machine.
//!
//! libgit2 cannot be stopped while it waits for a server. So a child process, which is this program again, does the fetch; it is killed when
//! the deadline is over. A branch moves only after all its objects are here: a fetch that was cut short leaves the clone as it was.
use super::{
    CommitId,
    child::{self, Ended},
    git::{Checkout, failure},
};
use crate::model::{Answer, Class, Failure};
use git2::{AutotagOption, Cred, CredentialType, Direction, FetchOptions, FetchPrune, RemoteCallbacks, Repository};
use serde::{Deserialize, Serialize};
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

/// The name of the hidden command that fetches in a process of its own.
const COMMAND: &str = "internal-fetch";
/// The environment variable with the password or token for HTTPS. Not in the URL, which is shown, and in no argument.
const TOKEN: &str = "TRUEUP_GIT_TOKEN";

/// A branch of a remote repository, and how to get it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Remote {
    /// `https://…`, `ssh://…`, `user@host:path`, `file://…`, or a path.
    pub url: String,
    /// The branch; the remote's default branch unless given.
    pub branch: Option<String>,
    /// The directory of clones. Each remote has one below it.
    pub cache: PathBuf,
    /// The private key for SSH; those of the agent unless given.
    pub ssh_key: Option<PathBuf>,
}

impl Remote {
    /// Where the clone of this remote is.
    fn clone_directory(&self) -> PathBuf {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(self.url.as_bytes());
        let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name: String = self
            .url
            .trim_end_matches('/')
            .trim_end_matches(".git")
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        let name: String = name.chars().rev().collect();
        self.cache.join(format!("{}-{short}.git", if name.is_empty() { "repository" } else { &name }))
    }

    #[cfg(test)]
    pub(super) fn clone_for_tests(&self) -> PathBuf {
        self.clone_directory()
    }

    fn shown(&self) -> String {
        match &self.branch {
            Some(branch) => format!("{} ({branch})", self.url),
            None => self.url.clone(),
        }
    }
}

/// What the child says.
#[derive(Serialize, Deserialize)]
enum Outcome {
    Fetched { commit: CommitId },
    Failed(Failure),
}

/// Fetches the branch in a process of its own, which is `program` (this program: `std::env::current_exe`), killed after `deadline`.
///
/// # Errors
/// `Unreachable` or `Transient` when the server does not answer or not in time; `Denied` without the right key or token; `NotFound` when there is no such
/// repository or branch. Never a commit that was not fetched now.
pub fn fetch(remote: &Remote, program: &Path, deadline: Duration) -> Answer<Checkout> {
    if let Ok(url) = url::Url::parse(&remote.url)
        && url.password().is_some()
    {
        let failure = Failure::new(Class::Invalid, "fetch the repository", "its URL has a password in it");
        return Err(
            failure.hint(format!("put the password into the environment variable {TOKEN}, and the URL without it"))
        );
    }
    let attempted = format!("fetch {}", remote.shown());
    let defect = |why: String| Failure::new(Class::Invalid, attempted.clone(), why);
    let request = serde_json::to_vec(remote).map_err(|error| defect(error.to_string()))?;
    let mut command = Command::new(program);
    command.arg(COMMAND);
    let output = match child::run(command, &request, deadline) {
        Ok(Ended::Output(output)) => output,
        Ok(Ended::Killed) => {
            let why = format!("the server did not finish within {} s", deadline.as_secs());
            return Err(Failure::new(Class::Transient, attempted, why));
        }
        Err(error) => return Err(defect(format!("the process that fetches could not run: {error}"))),
    };
    match serde_json::from_slice(&output) {
        Ok(Outcome::Fetched { commit }) => Ok(Checkout::new(remote.clone_directory(), commit, remote.shown())),
        Ok(Outcome::Failed(failure)) => Err(failure),
        Err(_) => Err(defect("the process that fetches ended without an answer".into())),
    }
}

/// The other side of [`fetch`]: reads what to fetch from standard input, writes how it went to standard output.
pub fn internal_fetch() -> ExitCode {
    let mut request = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut request);
    let Some(remote) = read.ok().and_then(|_| serde_json::from_slice::<Remote>(&request).ok()) else {
        return ExitCode::from(1);
    };
    let outcome = match fetch_whole(&remote) {
        Ok(commit) => Outcome::Fetched { commit },
        Err(failure) => Outcome::Failed(failure),
    };
    let written = serde_json::to_vec(&outcome).map(|text| std::io::stdout().lock().write_all(&text));
    ExitCode::from(u8::from(!matches!(written, Ok(Ok(())))))
}

/// Fetches in this process, which cannot be stopped.
pub(super) fn fetch_here(remote: &Remote) -> Answer<CommitId> {
    let attempted = || format!("fetch {}", remote.shown());
    let failed = |error: &git2::Error| hinted(failure(attempted(), error));
    let repository = open(&remote.clone_directory()).map_err(|e| failed(&e))?;
    let mut server = repository.remote_anonymous(&remote.url).map_err(|e| failed(&e))?;
    let branch = {
        let connection =
            server.connect_auth(Direction::Fetch, Some(callbacks(remote)), None).map_err(|e| failed(&e))?;
        let heads: Vec<String> =
            connection.list().map_err(|e| failed(&e))?.iter().map(|head| head.name().to_owned()).collect();
        let branches = || heads.iter().filter_map(|head| head.strip_prefix("refs/heads/"));
        let default = connection.default_branch().ok().and_then(|name| name.as_str().ok().map(str::to_owned));
        let default = default.as_deref().and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned);
        let Some(branch) = remote.branch.clone().or(default) else {
            let why = "the repository has no branch yet";
            return Err(Failure::new(Class::NotFound, attempted(), why).hint("push the manifests first"));
        };
        if !branches().any(|name| name == branch) {
            let failure =
                Failure::new(Class::NotFound, attempted(), format!("the repository has no branch `{branch}`"));
            let there: Vec<&str> = branches().take(8).collect();
            return Err(failure.hint(format!("its branches are {}", there.join(", "))));
        }
        branch
    };
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks(remote)).download_tags(AutotagOption::None).prune(FetchPrune::Off);
    let here = format!("refs/trueup/{branch}");
    let refspec = format!("+refs/heads/{branch}:{here}");
    server.fetch(&[refspec.as_str()], Some(&mut options), None).map_err(|e| failed(&e))?;
    let commit = repository.find_reference(&here).and_then(|reference| reference.peel_to_commit());
    commit.map(|commit| commit.id().into()).map_err(|e| failed(&e))
}

/// Fetches; a clone that lost its objects is made anew, because git takes what it names to be there.
fn fetch_whole(remote: &Remote) -> Answer<CommitId> {
    let clone = remote.clone_directory();
    let commit = fetch_here(remote);
    let torn = match &commit {
        Ok(commit) => Checkout::new(clone.clone(), *commit, remote.shown()).commit().is_err(),
        Err(_) => false,
    };
    if !torn {
        return commit;
    }
    std::fs::remove_dir_all(&clone).map_err(|error| {
        let attempted = format!("make the clone {} anew", clone.display());
        Failure::new(Class::Denied, attempted, error.to_string())
    })?;
    fetch_here(remote)
}

/// The clone; made anew when what is there is none.
fn open(directory: &Path) -> Result<Repository, git2::Error> {
    match Repository::open_bare(directory) {
        Ok(repository) => Ok(repository),
        Err(_) => Repository::init_bare(directory),
    }
}

fn callbacks(remote: &Remote) -> RemoteCallbacks<'_> {
    let mut callbacks = RemoteCallbacks::new();
    // libgit2 asks again for as long as it gets an answer: each way is tried once.
    let mut tried = CredentialType::empty();
    callbacks.credentials(move |url, user, allowed| {
        let mut first = |kind: CredentialType| {
            let fresh = allowed.contains(kind) && !tried.contains(kind);
            tried.insert(kind);
            fresh
        };
        if first(CredentialType::USERNAME) {
            return Cred::username(user.unwrap_or("git"));
        }
        if first(CredentialType::SSH_KEY) {
            let user = user.unwrap_or("git");
            return match &remote.ssh_key {
                Some(key) => Cred::ssh_key(user, None, key, None),
                None => Cred::ssh_key_from_agent(user),
            };
        }
        if first(CredentialType::USER_PASS_PLAINTEXT) {
            if let Ok(token) = std::env::var(TOKEN) {
                return Cred::userpass_plaintext(user.unwrap_or("git"), token.trim());
            }
            let configuration = git2::Config::open_default()?;
            return Cred::credential_helper(&configuration, url, user);
        }
        Err(git2::Error::new(git2::ErrorCode::Auth, git2::ErrorClass::Callback, "no credentials were accepted"))
    });
    callbacks
}

fn hinted(failure: Failure) -> Failure {
    match failure.class {
        Class::Denied => {
            failure.hint(format!("for SSH add the key to the agent and the host to known_hosts, for HTTPS set {TOKEN}"))
        }
        Class::NotFound => failure.hint("is the URL right?"),
        _ => failure,
    }
}
