//! Real repositories in temporary directories.
use super::{fetch::fetch_here, *};
use crate::model::Class;
use std::{fs, path::Path, time::Duration};

fn write(root: &Path, path: &str, text: &str) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().expect("a parent")).expect("directories");
    fs::write(place, text).expect(path);
}

/// Commits all that is in the work tree.
fn commit(repository: &git2::Repository, message: &str) -> CommitId {
    let mut index = repository.index().expect("an index");
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("added");
    index.update_all(["*"], None).expect("updated");
    index.write().expect("written");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("the tree");
    let who = git2::Signature::now("Ops", "ops@acme.test").expect("a signature");
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    repository.commit(Some("HEAD"), &who, &who, message, &tree, &parents).expect("a commit").into()
}

fn repository(root: &Path) -> git2::Repository {
    let mut options = git2::RepositoryInitOptions::new();
    git2::Repository::init_opts(root, options.initial_head("main")).expect("a repository")
}

fn remote(origin: &Path, cache: &Path, branch: Option<&str>) -> Remote {
    let url = format!("file://{}", origin.display());
    Remote { url, branch: branch.map(Into::into), cache: cache.into(), ssh_key: None }
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.manifests.iter().map(crate::manifest::SourceFile::path).collect()
}

const MANIFEST: &str = "apiVersion: trueup/v1alpha1\n";

#[test]
fn a_directory_is_read_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("site");
    assert_eq!(directory(&root).expect_err("missing").class, Class::NotFound);
    fs::create_dir(&root).expect("made");
    assert_eq!(directory(&root).expect_err("empty").class, Class::Invalid);
    write(&root, "README.md", "no manifest");
    write(&root, "files/compose.yaml", "services: {}");
    assert!(directory(&root).expect_err("nothing in it").reason.contains("no manifests"));
    write(&root, "empty.yaml", "\n\n");
    assert!(directory(&root).expect_err("only empty").reason.contains("empty"));
    write(&root, "b.yaml", MANIFEST);
    write(&root, "guests/a.yml", MANIFEST);
    write(&root, "files/also.yaml", MANIFEST);
    write(&root, ".git/config.yaml", MANIFEST);
    write(&root, "trueup.lock", "lock");
    let tree = directory(&root).expect("reads");
    let shown = |path: &str| root.join(path).display().to_string();
    assert_eq!(paths(&tree), [shown("b.yaml"), shown("empty.yaml"), shown("files/also.yaml"), shown("guests/a.yml")]);
    assert_eq!(tree.lock(), Ok(Some("lock".into())));
    assert_eq!(tree.read("files/compose.yaml"), Ok(b"services: {}".to_vec()));
    assert_eq!(tree.read("nothing").expect_err("missing").class, Class::NotFound);
    std::os::unix::fs::symlink(root.join("gone"), root.join("link.yaml")).expect("a link");
    assert!(directory(&root).is_err(), "a manifest that cannot be read is not left out");
    assert_eq!(directory(&root.join("b.yaml")).expect_err("a file").class, Class::Invalid);
}

#[test]
fn a_commit_is_read_without_a_work_tree() {
    let dir = tempfile::tempdir().expect("a directory");
    let (origin, cache) = (dir.path().join("origin"), dir.path().join("cache"));
    let work = repository(&origin);
    write(&origin, "site/a.yaml", "a: 1\n");
    write(&origin, "site/b.yaml", "b: 1\n");
    write(&origin, "site/trueup.lock", "lock");
    write(&origin, "site/certs/ca.pem", "pem");
    write(&origin, "other/x.yaml", "x: 1\n");
    let first = commit(&work, "First");
    write(&origin, "site/b.yaml", "b: 2\n");
    let second = commit(&work, "Second\n\nTrueup-Consent: Container/web\n");
    fs::remove_file(origin.join("other/x.yaml")).expect("removed");
    let third = commit(&work, "Third");

    assert_eq!(fetch_here(&remote(&origin, &cache, None)), Ok(third));
    let here = Checkout::new(remote(&origin, &cache, None).clone_for_tests(), third, "origin".into());
    let tree = here.tree("site").expect("reads");
    assert_eq!(paths(&tree), ["site/a.yaml", "site/b.yaml"]);
    assert_eq!(tree.manifests[1].text(), "b: 2\n");
    assert_eq!(tree.commit.as_ref().map(|commit| commit.summary.as_str()), Some("Third"));
    assert_eq!(tree.lock(), Ok(Some("lock".into())));
    assert_eq!(tree.read("certs/ca.pem"), Ok(b"pem".to_vec()));
    assert_eq!(tree.read("../other/x.yaml").expect_err("outside").class, Class::Invalid);
    assert_eq!(tree.read("nothing").expect_err("missing").class, Class::NotFound);
    assert!(tree.directory().is_none());
    assert_eq!(here.tree("nowhere").expect_err("no such directory").class, Class::NotFound);
    assert_eq!(here.tree("other").expect_err("gone").class, Class::NotFound);
    assert_eq!(here.changed_since(first), Ok(vec!["other/x.yaml".into(), "site/b.yaml".into()]));
    let touched = here.last_changes(["site/a.yaml".to_owned(), "site/b.yaml".into(), "never".into()]).expect("walks");
    assert_eq!(
        touched.iter().map(|(p, c)| (p.as_str(), c.id)).collect::<Vec<_>>(),
        [("site/a.yaml", first), ("site/b.yaml", second)]
    );
    assert_eq!(touched["site/b.yaml"].consents, ["Container/web"]);
    assert_eq!(here.descends_from(first), Ok(true));
    assert_eq!(here.descends_from(third), Ok(true));
}

/// L6: what a rewritten branch no longer leads to is not in its history.
#[test]
fn a_rewritten_branch_does_not_descend_from_what_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let (origin, cache) = (dir.path().join("origin"), dir.path().join("cache"));
    let work = repository(&origin);
    write(&origin, "a.yaml", "a: 1\n");
    let first = commit(&work, "First");
    write(&origin, "a.yaml", "a: 2\n");
    let lost = commit(&work, "Lost");
    let from = remote(&origin, &cache, Some("main"));
    assert_eq!(fetch_here(&from), Ok(lost));
    let old = work.find_object(first.oid(), None).expect("the first");
    work.reset(&old, git2::ResetType::Hard, None).expect("moved back");
    write(&origin, "a.yaml", "a: 3\n");
    let new = commit(&work, "New");
    assert_eq!(fetch_here(&from), Ok(new));
    let here = Checkout::new(from.clone_for_tests(), new, "origin".into());
    assert_eq!(here.descends_from(lost), Ok(false));
    assert_eq!(here.descends_from(first), Ok(true));
    let never: CommitId = "0123456789012345678901234567890123456789".parse().expect("an id");
    assert_eq!(here.descends_from(never), Ok(false));
}

/// L5: a fetch that fails, and a clone that lost a part, are never an empty tree.
#[test]
fn what_cannot_be_fetched_or_read_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let (origin, cache) = (dir.path().join("origin"), dir.path().join("cache"));
    assert!(fetch_here(&remote(&origin, &cache, None)).is_err(), "there is no repository");
    let work = repository(&origin);
    assert_eq!(fetch_here(&remote(&origin, &cache, None)).expect_err("no branch").class, Class::NotFound);
    write(&origin, "a.yaml", "a: 1\n");
    let first = commit(&work, "First");
    let failure = fetch_here(&remote(&origin, &cache, Some("mian"))).expect_err("no such branch");
    assert_eq!((failure.class, failure.hint.as_deref()), (Class::NotFound, Some("its branches are main")));
    let from = remote(&origin, &cache, Some("main"));
    assert_eq!(fetch_here(&from), Ok(first));
    let clone = from.clone_for_tests();
    fs::remove_dir_all(clone.join("objects")).expect("broken");
    fs::create_dir(clone.join("objects")).expect("broken");
    let here = Checkout::new(clone, first, "origin".into());
    assert_eq!(here.tree("").expect_err("torn").class, Class::Invalid);
    assert!(here.commit().is_err());
}

/// Rule 12: passwords are in no URL that is shown.
#[test]
fn a_password_in_the_url_is_refused_without_showing_it() {
    let url = "https://user:CANARY@git.acme.test/site.git".to_owned();
    let remote = Remote { url, branch: None, cache: "/nowhere".into(), ssh_key: None };
    let failure = fetch(&remote, Path::new("/nowhere"), Duration::from_secs(1)).expect_err("refused");
    assert!(!failure.to_string().contains("CANARY"));
}

#[test]
fn a_child_that_hangs_is_killed() {
    use super::child::{Ended, run};
    let mut hangs = std::process::Command::new("tail");
    hangs.args(["-f", "/dev/null"]);
    assert_eq!(run(hangs, b"", Duration::from_millis(50)).expect("runs"), Ended::Killed);
    let echo = std::process::Command::new("cat");
    assert_eq!(run(echo, b"said", Duration::from_secs(60)).expect("runs"), Ended::Output(b"said".to_vec()));
    let fails = std::process::Command::new("/no/such/program");
    assert!(run(fails, b"", Duration::from_secs(60)).is_err());
}
