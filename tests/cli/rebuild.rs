//! A site that is lost with everything that trueup keeps, and comes back from git.
use crate::{
    environment::{Environment, guest},
    repository::{commit, repository},
};
use serde_json::{Value, json};
use trueup::sandbox::control::Ask;

const FROM: [&str; 4] = ["--repo", "manifests", "--branch", "main"];

/// What people know a site by: guests with their addresses and MACs, ports, routes, names.
fn known(environment: &Environment) -> Value {
    let shown = environment.run(&["sandbox", "show", "--state", "sandbox", "--output", "json"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let vmids = shown["guests"].as_array().unwrap().iter().map(|guest| guest["vmid"].as_u64().unwrap());
    let configs: Vec<Value> = vmids.map(|vmid| environment.config(vmid)).collect();
    let kept = |config: &Value| json!([config["hostname"], config["net0"], config["description"], config["tags"]]);
    json!({
        "guests": shown["guests"], "forwards": shown["forwards"], "routes": shown["routes"],
        "configs": configs.iter().map(kept).collect::<Vec<_>>(),
        "records": environment.records().iter()
            .map(|record| json!([record["name"], record["type"], record["content"], record["comment"]]))
            .collect::<Vec<_>>(),
    })
}

/// "Delete state, lose nothing": with the history and the whole site gone, git alone brings back the same vmids, MACs,
/// blocks of ports, slugs and uids.
#[test]
fn git_alone_brings_a_lost_site_back_as_it_was() {
    let mut environment = Environment::with_site();
    environment.write("manifests/mail.yaml", &guest("mail", 9));
    environment.start_sandbox();
    let repository = repository(&environment);
    let locked = environment.run(&["lock", "--sandbox", "sandbox"]);
    assert_eq!(locked.code, 0, "{}", locked.stderr);
    commit(&repository, "A site");
    let ran = environment.reconcile(&FROM);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let before = known(&environment);
    assert_eq!(before["configs"].as_array().unwrap().len(), 2, "{before}");
    assert!(before["configs"][0][1].as_str().unwrap().contains("hwaddr="), "{before}");

    environment.lose_sandbox();
    environment.start_sandbox();
    assert_eq!(environment.ask(&Ask::Show)["guests"], json!([]), "a site with nothing in it");
    let ran = environment.reconcile(&FROM);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(known(&environment), before);
    let ran = environment.reconcile(&FROM);
    assert!(ran.code == 0 && ran.stdout.starts_with("No changes"), "{}", ran.stdout);
}

/// L5: a fetch that fails, and a commit in which no manifest is left, delete nothing.
#[test]
fn a_repository_that_is_gone_or_empty_deletes_nothing() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    let repository = repository(&environment);
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    commit(&repository, "A site");
    let ran = environment.reconcile(&FROM);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let writes = environment.writes();

    std::fs::rename(environment.path("manifests"), environment.path("elsewhere")).unwrap();
    let ran = environment.reconcile(&FROM);
    assert_ne!(ran.code, 0, "a fetch that fails: {}", ran.stdout);
    std::fs::rename(environment.path("elsewhere"), environment.path("manifests")).unwrap();

    environment.remove("manifests/site.yaml");
    environment.remove("manifests/web.yaml");
    environment.write("manifests/README.md", "Nothing here.\n");
    commit(&repository, "Nothing is left");
    let ran = environment.reconcile(&FROM);
    assert_ne!(ran.code, 0, "no manifests: {}", ran.stdout);
    assert_eq!(environment.writes(), writes);
    assert_eq!(environment.ask(&Ask::Show)["guests"].as_array().unwrap().len(), 1);
}

/// L5: a clone that was cut off is made anew or refused, a directory that has lost its manifests is refused; nobody loses
/// a guest by either.
#[test]
fn a_half_written_clone_and_an_emptied_directory_delete_nothing() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    let repository = repository(&environment);
    assert_eq!(environment.run(&["lock", "--offline"]).code, 0);
    commit(&repository, "A site");
    let ran = environment.reconcile(&FROM);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let (writes, before) = (environment.writes(), known(&environment));
    let clones: Vec<_> = std::fs::read_dir(environment.path("sandbox/trueup/clones"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [clone] = &clones[..] else { panic!("{clones:?}") };
    for lost in ["objects", "refs", "HEAD"] {
        let lost = clone.join(lost);
        if lost.is_dir() {
            std::fs::remove_dir_all(&lost).unwrap();
            std::fs::create_dir(&lost).unwrap();
        } else {
            std::fs::write(&lost, "").unwrap();
        }
        let ran = environment.reconcile(&FROM);
        let told = format!("{}: {}{}", lost.display(), ran.stdout, ran.stderr);
        assert!(ran.code == 1 || (ran.code == 0 && ran.stdout.starts_with("No changes")), "{told}");
        assert_eq!(environment.writes(), writes, "{told}");
    }
    environment.remove("manifests/site.yaml");
    environment.remove("manifests/web.yaml");
    assert_eq!(environment.reconcile(&["manifests"]).code, 1);
    assert_eq!(environment.reconcile(&["nowhere"]).code, 1);
    assert_eq!((environment.writes(), known(&environment)), (writes, before));
}
