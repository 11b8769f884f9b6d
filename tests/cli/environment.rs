//! A home of its own for each test: manifests, a state directory, a sandbox if it wants one.
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use tempfile::TempDir;
use trueup::{
    providers::sandbox_connection::Connection,
    sandbox::{
        control::{self, Ask},
        drift::Drift,
        faults::Logged,
    },
};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_trueup");

/// The releases of Proxmox VE on which the cases of guests are shown.
pub const RELEASES: [&str; 2] = ["9.2", "8.4"];

/// The zone of the small site.
pub const ZONE: &str = "7d5e3c1b9a8f4602b3d4e5f6a7b8c9d0";

/// A small site: a guest that is published in every way that needs no tunnel.
pub const SITE: &str = r#"apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: dc-lk }
spec:
  domain: decent-cloud.org
  proxmox:
    endpoints: ["https://127.0.0.1:1"]
    token: { env: PROXMOX_TOKEN }
    defaults: { node: pve1, storage: local-zfs, bridge: vmbr1 }
  cloudflare:
    account: 0f2c6d1e9b7a4385a1c4f7e2d8b6093c
    zone: 7d5e3c1b9a8f4602b3d4e5f6a7b8c9d0
    token: { env: CLOUDFLARE_TOKEN }
  host: local
---
apiVersion: trueup/v1alpha1
kind: Gateway
metadata: { name: edge }
spec:
  publicAddresses: [203.0.113.1]
  publicInterface: vmbr0
  guestNetworks: [10.0.1.0/24]
  traefik: { dynamicDirectory: /etc/traefik/dynamic, api: "http://127.0.0.1:8080" }
---
apiVersion: trueup/v1alpha1
kind: Template
metadata: { name: debian-13 }
spec: { storage: local, container: { file: debian-13-standard_13.1-2_amd64.tar.zst } }
"#;

/// A guest called `name` at 10.0.1.`last`, with ports and a slug.
pub fn guest(name: &str, last: u8) -> String {
    format!(
        r#"apiVersion: trueup/v1alpha1
kind: Container
metadata: {{ name: {name}, annotations: {{ trueup/deletion: delete }} }}
spec:
  template: debian-13
  memory: 512MiB
  rootfs: {{ size: 8GiB }}
  networks: [{{ name: eth0, address: 10.0.1.{last}/24, gateway: 10.0.1.1 }}]
---
apiVersion: trueup/v1alpha1
kind: PortAllocation
metadata: {{ name: {name} }}
spec: {{ guest: {name} }}
---
apiVersion: trueup/v1alpha1
kind: DnsSlug
metadata: {{ name: {name} }}
spec: {{ guest: {name}, slug: auto }}
"#
    )
}

/// What a command left behind.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A home of its own.
pub struct Environment {
    home: TempDir,
    release: &'static str,
    sandbox: Option<Child>,
}

impl Environment {
    /// With an empty directory of manifests.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("manifests")).unwrap();
        Self { home, release: RELEASES[0], sandbox: None }
    }

    /// With the small site and a guest.
    pub fn with_site() -> Self {
        let environment = Self::new();
        environment.write("manifests/site.yaml", SITE);
        environment.write("manifests/web.yaml", &guest("web", 5));
        environment
    }

    /// Its sandbox plays this release.
    pub fn on(mut self, release: &'static str) -> Self {
        self.release = release;
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program in this home, with nothing of the tester's own environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.home.path()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.ran(self.command(arguments).output().unwrap())
    }

    /// The same on the sandbox.
    pub fn reconcile(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["reconcile", "--sandbox", "sandbox"], arguments].concat())
    }

    /// What came of it, without what differs from run to run.
    pub fn ran(&self, output: Output) -> Ran {
        let home = self.home.path().display().to_string();
        let clean = |bytes: &[u8]| times(&String::from_utf8(bytes.to_vec()).unwrap().replace(&home, "HOME"));
        Ran { code: output.status.code().unwrap_or(-1), stdout: clean(&output.stdout), stderr: clean(&output.stderr) }
    }

    /// Starts a sandbox for the manifests, in a process of its own, and waits until it serves.
    pub fn start_sandbox(&mut self) {
        let arguments =
            ["sandbox", "serve", "--state", "sandbox", "--for", "manifests", "--fast", "--nft", "simulated"];
        let arguments = [&arguments[..], &["--pve-version", self.release]].concat();
        let mut child = self.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("Try:")), "the sandbox did not start");
        self.sandbox = Some(child);
    }

    /// Asks the sandbox something.
    pub fn ask(&self, what: &Ask) -> serde_json::Value {
        let connection = Connection::read(&self.path("sandbox")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(control::ask(&connection.control_socket, what)).unwrap()
    }

    /// How many writes the sandbox has seen.
    pub fn writes(&self) -> u64 {
        self.ask(&Ask::Calls)["writes"].as_u64().unwrap()
    }

    /// The writes that the sandbox has logged, in order.
    pub fn written(&self) -> Vec<Logged> {
        let log = self.read("sandbox/calls.jsonl");
        log.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|call: &Logged| call.write).collect()
    }

    /// Calls an API as its administrator, and gives what it answers.
    pub fn call(&self, system: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let (system, method, path) = (system.to_owned(), method.to_owned(), path.to_owned());
        let answer = self.ask(&Ask::Drift(Drift::Call { system, method, path, body }));
        serde_json::from_str(answer.as_str().unwrap()).unwrap()
    }

    /// The configuration of a container.
    pub fn config(&self, vmid: u64) -> Value {
        let shown = self.ask(&Ask::Show);
        let guest = shown["guests"].as_array().unwrap().iter().find(|guest| guest["vmid"] == vmid).unwrap();
        let path = format!("/api2/json/nodes/{}/lxc/{vmid}/config", guest["node"].as_str().unwrap());
        self.call("proxmox", "GET", &path, None)["data"].clone()
    }

    /// All DNS records, in the order of their names.
    pub fn records(&self) -> Vec<Value> {
        let zones = self.ask(&Ask::Show)["records"].clone();
        let zones = zones.as_object().into_iter().flat_map(|zones| zones.values());
        let mut all: Vec<Value> = zones.flat_map(|zone| zone.as_object().unwrap().values().cloned()).collect();
        all.sort_by_key(|record| (record["name"].to_string(), record["id"].to_string()));
        all
    }

    /// Makes a container as a person does, and waits until it is there.
    pub fn make_guest(&self, node: &str, vmid: u64, name: &str, memory: u64, bridge: &str, address: &str) {
        let body = json!({
            "vmid": vmid, "hostname": name, "memory": memory, "swap": 512, "cores": 2, "onboot": 1, "unprivileged": 1,
            "ostemplate": "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst", "description": "made by hand",
            "rootfs": if node == "pve" { "local-lvm:8" } else { "local-zfs:8" }, "features": "nesting=1",
            "net0": format!("name=eth0,bridge={bridge},ip={address}"), "tags": "bridge",
        });
        let template = json!({ "storage": "local", "template": "debian-13-standard_13.1-2_amd64.tar.zst" });
        let task = self.call("proxmox", "POST", &format!("/api2/json/nodes/{node}/aplinfo"), Some(template));
        self.finished(node, task["data"].as_str().unwrap());
        let task = self.call("proxmox", "POST", &format!("/api2/json/nodes/{node}/lxc"), Some(body));
        self.finished(node, task["data"].as_str().unwrap());
    }

    /// Asks for a task until it has ended well. Each question is a connection of its own: there is no need to sleep.
    pub fn finished(&self, node: &str, task: &str) {
        let path = format!("/api2/json/nodes/{node}/tasks/{task}/status");
        let state = || self.call("proxmox", "GET", &path, None)["data"].clone();
        let ended = (0..10_000).map(|_| state()).find(|state| state["status"] == "stopped");
        assert_eq!(ended.expect("the task did not end")["exitstatus"], "OK");
    }

    /// Ends the sandbox and deletes all that it, and trueup beside it, has kept.
    pub fn lose_sandbox(&mut self) {
        let mut child = self.sandbox.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_dir_all(self.path("sandbox")).unwrap();
    }

    /// Every file below a directory with its content, and every directory.
    pub fn everything_in(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        collect(&self.path(name), &mut all);
        all
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if let Some(mut child) = self.sandbox.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn collect(path: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
    if path.is_dir() {
        all.insert(path.to_owned(), vec![]);
        fs::read_dir(path).unwrap().for_each(|entry| collect(&entry.unwrap().path(), all));
    } else if path.is_file() {
        all.insert(path.to_owned(), fs::read(path).unwrap());
    }
}

/// Times as people read them: `(0.3 s)`.
fn times(text: &str) -> String {
    regex::Regex::new(r"\((\d+ min )?[\d.]+ s\)").unwrap().replace_all(text, "(TIME)").into_owned()
}

/// The lines of a stream of events, each of which must be an object that says what it is.
pub fn events(text: &str) -> Vec<serde_json::Value> {
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(events.iter().all(|event| event["event"].is_string()), "{text}");
    events
}
