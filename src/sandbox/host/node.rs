//! The simulated node's programs.
use super::pct::{self, SetOptions};
use crate::{
    providers::host::{Host, Limits, Output, scripts},
    sandbox::systemd::{Calendar, Systemd, UnitFile},
};
use bytes::Bytes;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

/// The node's network: the edge namespace, or its simulation.
pub trait Ground: Send + Sync + 'static {
    /// Runs `nft`, `ip`, `sysctl` or `conntrack`.
    fn run(&self, argv: Vec<String>, stdin: Bytes, limits: Limits)
    -> Pin<Box<dyn Future<Output = Output> + Send + '_>>;
}

/// Whether a container exists on this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    Absent,
    Stopped,
    Running,
}

/// Asks the Proxmox simulator for a container.
pub type LookUp = Arc<dyn Fn(u32) -> Presence + Send + Sync>;

/// `pveum` and its kin: what they print, or what they say on standard error.
pub type Console = Box<dyn Fn(&[&str]) -> Result<String, String> + Send + Sync>;

/// Told the program (`nft`, `pct`, `sh` …) of a command that wrote.
pub type Touched = Box<dyn Fn(&str) + Send + Sync>;

/// The node with its files, and the insides of its guests.
pub struct Node {
    name: String,
    directory: PathBuf,
    ground: Arc<dyn Ground>,
    look_up: LookUp,
    console: Option<Console>,
    /// Called with the program after everything that may have changed something.
    touched: Touched,
    /// What `pct set` does.
    set_options: SetOptions,
    /// `systemctl` calls are one after the other, as behind the real one's bus.
    bus: Mutex<()>,
}

/// Programs that belong to the network.
const NETWORK: [&str; 4] = ["nft", "ip", "sysctl", "conntrack"];

impl Node {
    /// The node called `name`, with its files below `directory/node` and its guests' below `directory/guests`.
    pub fn new(name: String, directory: PathBuf, ground: Arc<dyn Ground>, look_up: LookUp, touched: Touched) -> Self {
        let set_options: SetOptions = Box::new(|_, _| Err("there is no Proxmox VE here".into()));
        Self { name, directory, ground, look_up, console: None, touched, set_options, bus: Mutex::new(()) }
    }

    /// The same node with a Proxmox VE on it, whose options `pct set` changes.
    #[must_use]
    pub fn with_options(mut self, set_options: SetOptions) -> Self {
        self.set_options = set_options;
        self
    }

    /// With the programs of Proxmox VE.
    pub fn with_console(self, console: Console) -> Self {
        Self { console: Some(console), ..self }
    }

    /// The node's own root.
    pub fn root(&self) -> PathBuf {
        self.directory.join("node")
    }

    /// A guest's root.
    pub fn guest_root(&self, vmid: u32) -> PathBuf {
        self.directory.join("guests").join(vmid.to_string())
    }

    fn memory(&self, of: &str) -> PathBuf {
        self.directory.join("memory").join(format!("{of}.units.json"))
    }

    /// Makes the directories that every machine has.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn furnish(&self) -> std::io::Result<()> {
        fs::create_dir_all(self.directory.join("memory"))?;
        furnish(&self.root(), &self.name)
    }

    /// The guests whose insides are on the disk.
    pub fn inhabited(&self) -> BTreeSet<u32> {
        let entries = fs::read_dir(self.directory.join("guests")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Follows the guests that have changed: makes the insides of new ones, forgets what ran in stopped ones, removes those
    /// of destroyed ones. `all`: name, and whether it runs, of every guest that there is.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn follow(&self, changed: &BTreeSet<u32>, all: &BTreeMap<u32, (String, bool)>) -> std::io::Result<()> {
        let _bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
        for vmid in changed {
            let memory = self.memory(&vmid.to_string());
            match all.get(vmid) {
                Some((name, running)) => {
                    furnish(&self.guest_root(*vmid), name)?;
                    if !running {
                        let _ = fs::remove_file(memory);
                    }
                }
                None => {
                    match fs::remove_dir_all(self.guest_root(*vmid)) {
                        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                        _ => {}
                    }
                    let _ = fs::remove_file(memory);
                }
            }
        }
        Ok(())
    }

    /// Services that are active in a running guest, with its root.
    pub fn services_in(&self, vmid: u32) -> Vec<(String, UnitFile)> {
        let _bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
        Systemd::of(&self.guest_root(vmid), &self.memory(&vmid.to_string()), Timestamp::now()).active_services()
    }

    /// Whether a command changes anything, for the log and the counting of writes.
    pub fn writes(argv: &[&str]) -> bool {
        match argv {
            ["pct", "exec", _, "--", rest @ ..] => Self::writes(rest),
            ["pct", "set", ..] => true,
            ["sh", "-c", text, ..] => scripts::by_text(text).is_none_or(|script| script.writes),
            ["systemctl", rest @ ..] => Systemd::writes(rest),
            ["nft", rest @ ..] => {
                let reads = ["-c", "--check", "list", "describe", "-v", "--version"];
                !rest.iter().any(|word| reads.contains(word))
            }
            ["ip", rest @ ..] => rest.iter().any(|word| ["add", "del", "set", "replace", "flush"].contains(word)),
            ["pveum", ..] => crate::sandbox::proxmox::pveum::writes(argv),
            ["sysctl", rest @ ..] => rest.iter().any(|word| *word == "-w" || *word == "-p" || word.contains('=')),
            ["conntrack", rest @ ..] => !rest.contains(&"-L"),
            _ => false,
        }
    }

    /// Runs a command on the node.
    pub async fn run(&self, argv: Vec<String>, stdin: Bytes, limits: Limits) -> Output {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let writes = Self::writes(&words);
        let output = match words[..] {
            ["pct", "exec", vmid, "--", ref inner @ ..] => self.enter(vmid, inner, stdin, limits).await,
            ["pveum" | "pveversion", ..] => match self.console.as_ref().map(|console| console(&words)) {
                Some(Ok(text)) => Output { stdout: text.into(), ..Output::default() },
                Some(Err(why)) => failed(255, why),
                None => failed(127, format!("{}: command not found", words[0])),
            },
            ["pct", "set", vmid, ref rest @ ..] => pct::set(&self.set_options, vmid, rest),
            [program, ..] if NETWORK.contains(&program) => self.ground.run(argv.clone(), stdin, limits).await,
            _ => self.on_machine(&self.root(), "node", &words, stdin, limits).await,
        };
        if writes {
            (self.touched)(words.first().copied().unwrap_or_default());
        }
        output
    }

    /// What `pct exec` does, with its errors (pve-container 6).
    async fn enter(&self, vmid: &str, argv: &[&str], stdin: Bytes, limits: Limits) -> Output {
        let Ok(number) = vmid.parse::<u32>() else {
            return failed(
                255,
                format!(
                    "400 Parameter verification failed.\nvmid: invalid format - value does not look like a valid VM ID\n\npct exec <vmid> [<extra-args>] [OPTIONS]\nvmid: {vmid}"
                ),
            );
        };
        match (self.look_up)(number) {
            Presence::Absent => {
                failed(255, format!("Configuration file 'nodes/{}/lxc/{vmid}.conf' does not exist", self.name))
            }
            Presence::Stopped => failed(255, format!("container '{vmid}' not running!")),
            Presence::Running => {
                let root = self.guest_root(number);
                if let Err(e) = furnish(&root, vmid) {
                    return failed(255, e.to_string());
                }
                self.on_machine(&root, vmid, argv, stdin, limits).await
            }
        }
    }

    async fn on_machine(&self, root: &Path, name: &str, argv: &[&str], stdin: Bytes, limits: Limits) -> Output {
        match argv {
            ["sh", "-c", text, script, path, rest @ ..] if scripts::by_text(text).is_some() => {
                if path.split('/').any(|part| part == "..") {
                    return failed(1, format!("{script}: {path}: a path must not leave the machine"));
                }
                let inside = root.join(path.trim_start_matches('/')).display().to_string();
                let whole = [&["sh", "-c", text, script, &inside], rest].concat();
                let mut output = match Host::local().run(&whole, stdin, limits).await {
                    Ok(output) => output,
                    Err(failure) => return failed(1, failure.to_string()),
                };
                let shown = String::from_utf8_lossy(&output.stderr).replace(&root.display().to_string(), "");
                output.stderr = Bytes::from(shown);
                output
            }
            ["sh", ..] => failed(126, "sh: the sandbox runs no other scripts than those of the host transport"),
            ["systemctl", rest @ ..] => {
                let _bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
                Systemd::of(root, &self.memory(name), Timestamp::now()).systemctl(rest)
            }
            ["systemd-analyze", "calendar", rest @ ..] => calendar(rest.last().copied().unwrap_or_default()),
            ["systemd-analyze", "verify", path] => verify(root, path),
            ["true"] => Output::default(),
            [] => failed(1, "no command"),
            [program, ..] => failed(127, format!("{program}: command not found")),
        }
    }
}

fn furnish(root: &Path, name: &str) -> std::io::Result<()> {
    if root.join("etc/hostname").exists() {
        return Ok(());
    }
    for directory in ["etc/systemd/system", "etc/sysctl.d", "opt", "root", "srv", "tmp", "usr/bin", "var/lib"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::write(root.join("etc/timezone"), "Etc/UTC\n")?;
    fs::write(root.join("etc/hostname"), format!("{name}\n"))
}

fn calendar(text: &str) -> Output {
    match Calendar::parse(text) {
        Ok(calendar) => {
            let next = calendar.next(&jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC));
            let next = next.map_or_else(|| "never".to_owned(), |at| at.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string());
            Output { stdout: format!("  Original form: {text}\n    Next elapse: {next}\n").into(), ..Output::default() }
        }
        Err(why) => failed(1, why),
    }
}

fn verify(root: &Path, path: &str) -> Output {
    let name = path.rsplit('/').next().unwrap_or_default();
    match fs::read_to_string(root.join(path.trim_start_matches('/'))) {
        Err(e) => failed(1, format!("Failed to prepare filename {path}: {e}")),
        Ok(text) => match UnitFile::parse(&text).refusal(name) {
            Some(why) => failed(1, format!("{name}: {why}\nUnit {name} has a bad unit file setting.")),
            None => Output::default(),
        },
    }
}

fn failed(status: i32, text: impl Into<String>) -> Output {
    Output { status, stderr: Bytes::from(format!("{}\n", text.into())), ..Output::default() }
}
