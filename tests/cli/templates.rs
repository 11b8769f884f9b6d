//! Templates: brought to the storage before the guests that are made from them, in one pass.
use crate::environment::{Environment, SITE};
use std::fs;
use trueup::sandbox::control::Ask;

const URL: &str = "https://images.acme.test/alpine-3.22_amd64.tar.xz";
const SUM: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn template(name: &str, container: &str) -> String {
    format!(
        "---\napiVersion: trueup/v1alpha1\nkind: Template\nmetadata: {{ name: {name} }}\nspec: {{ storage: local, container: \
         {{ {container} }} }}\n"
    )
}

fn guest(name: &str, template: &str) -> String {
    format!(
        "---\napiVersion: trueup/v1alpha1\nkind: Container\nmetadata: {{ name: {name} }}\nspec: {{ template: {template}, \
         rootfs: {{ size: 8GiB }} }}\n"
    )
}

fn volumes(environment: &Environment) -> Vec<String> {
    let path = "/api2/json/nodes/pve1/storage/local/content?content=vztmpl";
    let listed = environment.call("proxmox", "GET", path, None);
    listed["data"].as_array().unwrap().iter().map(|row| row["volid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_missing_comes_from_the_index_an_address_or_a_file_before_its_guests() {
    let mut environment = Environment::new();
    environment.write("manifests/site.yaml", SITE);
    fs::create_dir(environment.path("manifests/files")).unwrap();
    // Larger than what the server takes as a form, so that it has to be sent as a file.
    fs::write(environment.path("manifests/files/own_1.tar.gz"), vec![7; 700_000]).unwrap();
    let documents = [
        template("alpine", &format!("url: '{URL}', checksum: '{SUM}'")),
        template("own", "upload: files/own_1.tar.gz"),
        guest("of-index", "debian-13"),
        guest("of-url", "alpine"),
        guest("of-file", "own"),
    ];
    environment.write("manifests/guests.yaml", &documents.concat()[4..]);
    environment.start_sandbox();
    assert_eq!(volumes(&environment), Vec::<String>::new());
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        volumes(&environment),
        [
            "local:vztmpl/alpine-3.22_amd64.tar.xz",
            "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst",
            "local:vztmpl/own_1.tar.gz"
        ]
    );
    assert_eq!(environment.ask(&Ask::Show)["guests"].as_array().unwrap().len(), 3);
    let writes = environment.writes();
    assert!(environment.reconcile(&[]).stdout.starts_with("No changes"));
    assert_eq!(environment.writes(), writes);

    // A file that somebody took away comes back; guests that are there do not wait for it, and lose nothing with it.
    let path = "/api2/json/nodes/pve1/storage/local/content/local:vztmpl%2Fown_1.tar.gz";
    let task = environment.call("proxmox", "DELETE", path, None);
    environment.finished("pve1", task["data"].as_str().unwrap());
    environment.remove("manifests/files/own_1.tar.gz");
    let grown = documents.concat().replace("name: of-file }\nspec: {", "name: of-file }\nspec: { memory: 1GiB,");
    environment.write("manifests/guests.yaml", &grown[4..]);
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("own_1.tar.gz") && ran.stdout.contains("No such file"), "{}", ran.stdout);
    let memory: Vec<_> = (100..103).map(|vmid| environment.config(vmid)["memory"].clone()).collect();
    assert!(memory.contains(&1024.into()), "{memory:?}");

    // Without its manifest a file stays where it is.
    environment.write("manifests/guests.yaml", &documents[2..3].concat()[4..]);
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(volumes(&environment).contains(&"local:vztmpl/alpine-3.22_amd64.tar.xz".into()));
}

/// C2: the task's own text is shown, the guest that needs the file waits, all else is done.
#[test]
fn a_download_that_fails_is_told_with_the_words_of_its_task() {
    let mut environment = Environment::new();
    environment.write("manifests/site.yaml", SITE);
    environment.write("manifests/guests.yaml", &guest("fine", "debian-13")[4..]);
    environment.start_sandbox();
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let documents = [
        guest("fine", "debian-13"),
        template("gone", &format!("url: '{URL}', checksum: '{other}'")),
        template("unknown", "file: nosuch_1_amd64.tar.zst"),
        guest("waits", "gone"),
    ];
    environment.write("manifests/guests.yaml", &documents.concat()[4..]);
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Connecting to images.acme.test... failed: Connection refused."), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("template: no such template\n  hint: is the name right? `pveam update`"),
        "{}",
        ran.stdout
    );
    let shown = environment.ask(&Ask::Show);
    let guests: Vec<_> = shown["guests"].as_array().unwrap().iter().map(|guest| guest["name"].clone()).collect();
    assert_eq!(guests, ["fine"]);
}
