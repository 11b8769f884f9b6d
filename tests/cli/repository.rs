//! Manifests from a git repository.
use crate::environment::Environment;
use git2::{IndexAddOption, Repository, Signature};

pub fn commit(repository: &Repository, message: &str) {
    let mut index = repository.index().unwrap();
    index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
    index.update_all(["*"], None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let me = Signature::now("tester", "tester@example.invalid").unwrap();
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    repository.commit(Some("HEAD"), &me, &me, message, &tree, &parent.iter().collect::<Vec<_>>()).unwrap();
}

pub fn repository(environment: &Environment) -> Repository {
    let mut options = git2::RepositoryInitOptions::new();
    options.initial_head("main");
    Repository::init_opts(environment.path("manifests"), &options).unwrap()
}

#[test]
fn a_branch_converges_a_site_and_an_object_that_is_not_in_its_lock_is_refused() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    let repository = repository(&environment);
    commit(&repository, "A site");
    let from = ["--repo", "manifests", "--branch", "main"];
    let ran = environment.reconcile(&from);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("trueup.lock in the repository does not say it all"), "{}", ran.stderr);
    assert_eq!(environment.writes(), 0);
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    commit(&repository, "Lock it");
    let dry = environment.reconcile(&[&from[..], &["--dry-run", "--state-dir", "state"]].concat());
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(!environment.path("state").exists(), "the clone of a dry run goes with it");
    let ran = environment.reconcile(&from);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let ran = environment.reconcile(&from);
    assert!(ran.code == 0 && ran.stdout.starts_with("No changes"), "{}", ran.stdout);
    let missing = environment.reconcile(&["--repo", "manifests", "--branch", "mian"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("its branches are main"), "{}", missing.stderr);
    assert_eq!(environment.reconcile(&["--repo", "nowhere", "--branch", "main"]).code, 1);
}
