//! A sandbox in this process whose state can be copied, and the real program beside it.
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::runtime::Runtime;
use trueup::{
    ledger,
    sandbox::{
        faults::{Fault, Logged, When},
        proxmox::Release,
        seed::{Seed, ZONE},
        serve::{NetMode, Options, Running, serve},
    },
};

/// The whole example.
pub const WHOLE: &str = "whole";
/// The example without its guests and what belongs to them.
pub const LEFT: &str = "left";

/// Stands for every system.
pub const ANY: &str = "*";

/// Calls that change files. Those on the sandbox's side are made by other processes and not seen.
const OWN: &str = "rename,renameat,renameat2,fsync,fdatasync,pwrite64,ftruncate,unlink,unlinkat,link,linkat";

pub struct Bed {
    release: Release,
    directory: tempfile::TempDir,
    runtime: Runtime,
    running: Option<Running>,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl Bed {
    /// Manifests, and no sandbox state yet.
    pub fn new(release: Release) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/public-edge/manifests.yaml");
        let text = fs::read_to_string(example).unwrap();
        let site = directory.path().join("site");
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("manifests.yaml"), text).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { release, directory, runtime, running: None }
    }

    /// The same, from files alone.
    pub fn copy(&self) -> Self {
        let other = Self::new(self.release);
        copy(self.directory.path(), other.directory.path());
        other
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn serve(&mut self) -> &Self {
        let mut seed = Seed::default();
        seed.proxmox.version = self.release;
        let options = Options { net: NetMode::Simulated, fast: true, seed, ..Options::new(self.path("box")) };
        self.running = Some(self.runtime.block_on(serve(options)).unwrap());
        self
    }

    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop()).unwrap();
        }
    }

    fn site(&self) -> &trueup::sandbox::site::Site {
        self.running.as_ref().unwrap().site()
    }

    pub fn writes(&self) -> u64 {
        self.site().faults.counts().1
    }

    /// How many of them were calls of this system, or of any.
    pub fn writes_to(&self, system: &str) -> u64 {
        let log = fs::read_to_string(self.path("box/calls.jsonl")).unwrap();
        let calls = log.lines().map(|line| serde_json::from_str::<Logged>(line).unwrap());
        calls.filter(|call| call.write && (system == ANY || call.system == system)).count() as u64
    }

    /// Puts the manifests of the phase into place; what goes is everything behind the Template.
    fn choose(&self, manifests: &str) {
        let path = self.path("site/manifests.yaml");
        let text = fs::read_to_string(&path).unwrap();
        if manifests == LEFT {
            let documents: Vec<&str> = text.split("\n---\n").take(3).collect();
            fs::write(path, documents.join("\n---\n") + "\n").unwrap();
        }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
        self.arguments(&mut command, more);
        command
    }

    fn arguments(&self, command: &mut Command, more: &[&str]) {
        command.arg("reconcile").arg(self.path("site")).arg("--sandbox").arg(self.path("box"));
        command.arg("--state-dir").arg(self.path("state")).args(["--output", "json"]).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// Runs the program to its end.
    fn run(&self, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
        let output = self.command(more).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let events = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (output.status.code(), events, text + &String::from_utf8_lossy(&output.stderr))
    }

    /// The consent that a person would give after having read what would be lost.
    fn consent(&self) -> Vec<String> {
        let (_, events, _) = self.run(&["--dry-run"]);
        let digest = events.iter().find_map(|event| event["refusal"]["digest"].as_str());
        digest.map_or_else(Vec::new, |digest| vec!["--consent".into(), digest.into()])
    }

    /// One pass, which must end well.
    pub fn converge(&self, manifests: &str) {
        self.choose(manifests);
        let consent = self.consent();
        let (code, _, text) = self.run(&consent.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, Some(0), "{text}");
    }

    /// One pass more, which must have nothing to do.
    pub fn in_true(&self, manifests: &str, after: &str) {
        self.choose(manifests);
        let before = self.writes();
        let (code, events, text) = self.run(&[]);
        let last = events.last().unwrap();
        assert!(code == Some(0) && last["inTrue"] == true && last["waves"] == 0, "after {after}: {text}");
        assert_eq!(self.writes(), before, "after {after}");
    }

    /// Kills the program while its nth write is held; what that was. `None`: the program ended without it.
    pub fn kill_at(&mut self, manifests: &str, system: &str, nth: u64, when: When) -> Option<String> {
        self.choose(manifests);
        let consent = self.consent();
        let rule = serde_json::json!({ "system": system, "writes": true, "nth": nth, "what": "hold" });
        let mut fault: Fault = serde_json::from_value(rule).unwrap();
        fault.when = when;
        self.site().faults.add(fault).unwrap();
        let mut child = self.command(&consent.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap();
        let faults = self.site().faults.clone();
        let held = self.runtime.block_on(async {
            let hold = async { Some(faults.wait_for_hold().await) };
            let end = async {
                while child_runs(&mut child) {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                None
            };
            tokio::select! { held = hold => held, ended = end => ended }
        });
        child.kill().unwrap();
        child.wait().unwrap();
        self.site().faults.replace(vec![]).unwrap();
        held.map(|call| format!("{} {} ({when:?})", call.system, call.call))
    }

    pub fn can_trace() -> bool {
        let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
        traced.is_ok_and(|output| output.status.success())
    }

    /// Kills the program on entering its nth call (of any of its threads) that changes a file; whether it came to that.
    pub fn kill_at_own_write(&self, manifests: &str, nth: u32) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.choose(manifests);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={OWN}"), "-e"]);
        command.arg(format!("inject={OWN}:signal=KILL:when={nth}")).arg(env!("CARGO_BIN_EXE_trueup"));
        self.arguments(&mut command, &[]);
        let output = command.output().unwrap();
        // strace dies as its tracee did.
        output.status.signal() == Some(9) || output.status.code() == Some(137)
    }

    /// Everything that the sandbox holds, as a person sees it.
    fn show(&self) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
        let output = command.args(["sandbox", "show", "--output", "json", "--state"]).arg(self.path("box")).output();
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    }

    fn names(all: &Value, of: &str) -> Vec<String> {
        let list = |value: &Value| match value {
            Value::Array(all) => all.clone(),
            Value::Object(all) => all.values().cloned().collect(),
            _ => vec![],
        };
        let mut names: Vec<String> = list(all).iter().map(|one| one[of].to_string()).collect();
        names.sort();
        names
    }

    /// All of the example, each thing once, and nothing else.
    pub fn assert_whole(&self) {
        let all = self.show();
        assert_eq!(Self::names(&all["guests"], "name"), [r#""alice""#, r#""bob""#], "{all:#}");
        assert!(all["guests"].as_array().unwrap().iter().all(|guest| guest["running"] == true), "{all:#}");
        let public = Self::names(&all["forwards"], "public");
        assert_eq!(public.len(), 12, "{all:#}");
        assert_eq!(public.iter().collect::<BTreeSet<_>>().len(), 12, "{all:#}");
        let records = Self::names(&all["records"][ZONE], "name");
        assert_eq!((records.len(), records.iter().collect::<BTreeSet<_>>().len()), (2, 2), "{all:#}");
        assert_eq!(self.files().len(), 2, "{all:#}");
        let lock = ledger::read(&self.path("site")).unwrap();
        assert!(lock.clashes().is_empty());
        // No orphan: every uid in a mark is that of a declared object, and each guest has its own.
        let known: BTreeSet<String> = lock.objects.values().map(|entry| entry.uid.to_string()).collect();
        let state = serde_json::to_value(self.site().proxmox.snapshot()).unwrap();
        let notes = uids(&state["guests"].to_string());
        let files = self.files();
        let marks = notes.iter().chain(&files).cloned().chain(uids(&all["records"].to_string()));
        let strangers: Vec<String> = marks.filter(|uid| !known.contains(uid)).collect();
        assert!(strangers.is_empty(), "orphaned: {strangers:?}\n{all:#}");
    }

    /// Nothing of the guests is left.
    pub fn assert_left(&self) {
        let all = self.show();
        let of = |what: &str| Self::names(&all[what], "name").len();
        assert_eq!((of("guests"), of("forwards"), of("routes"), self.files().len()), (0, 0, 0, 0), "{all:#}");
        assert_eq!(Self::names(&all["records"][ZONE], "name").len(), 0, "{all:#}");
    }

    /// Uids in the names and contents of Traefik's files.
    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("box/node/etc/traefik/dynamic")).unwrap().map(|f| f.unwrap().path());
        files.filter_map(|file| uids(&file.file_name()?.to_string_lossy()).into_iter().next()).collect()
    }
}

fn child_runs(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_none()
}

/// Words of a text that have the form of a uid.
fn uids(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.parse::<trueup::model::Uid>().is_ok()).map(str::to_owned).collect()
}
