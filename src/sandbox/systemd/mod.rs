//! The service manager of a simulated node or guest: `systemctl` over the unit files in its directory.
//!
//! It keeps what systemd keeps: which text of a unit it has loaded (so that a changed file needs `daemon-reload`), what is
//! active since when, and enablement as the symbolic links that the real one makes. It runs no command of a unit: a
//! service counts as active, a oneshot as done with success.
mod calendar;
mod show;
#[cfg(test)]
mod tests;
mod unit;

pub use calendar::Calendar;
pub use unit::{UnitFile, program};

use crate::providers::host::Output;
use bytes::Bytes;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

const UNITS: &str = "etc/systemd/system";

/// One service manager.
pub struct Systemd {
    /// The root directory of the machine.
    root: PathBuf,
    /// Where its memory is kept; it is removed when the machine stops.
    memory: PathBuf,
    state: State,
    now: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The text of each unit as it was read last.
    loaded: BTreeMap<String, String>,
    active: BTreeMap<String, Timestamp>,
    /// Oneshot services: their last run.
    ran: BTreeMap<String, Timestamp>,
}

enum Load {
    Fine(UnitFile),
    NotFound,
    Bad(String),
}

impl Systemd {
    /// Of the machine whose root is `root`. A machine without memory has just booted: what is enabled is started.
    pub fn of(root: &Path, memory: &Path, now: Timestamp) -> Self {
        let known = fs::read(memory).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let booting = known.is_none();
        let mut it = Self { root: root.to_owned(), memory: memory.to_owned(), state: known.unwrap_or_default(), now };
        if booting {
            it.boot();
        }
        it
    }

    /// Services that are active, with the text that they were loaded from.
    pub fn active_services(&self) -> Vec<(String, UnitFile)> {
        let services = self.state.active.keys().filter(|name| name.ends_with(".service"));
        services.filter_map(|n| Some((n.clone(), UnitFile::parse(self.state.loaded.get(n)?)))).collect()
    }

    /// Runs `systemctl` with these arguments.
    pub fn systemctl(&mut self, arguments: &[&str]) -> Output {
        let before = self.state.clone();
        let output = self.command(arguments);
        if self.state != before || !self.memory.exists() {
            let kept = serde_json::to_vec_pretty(&self.state).map_err(io::Error::from);
            if let Err(e) = kept.and_then(|text| fs::write(&self.memory, text)) {
                return failed(1, format!("Failed to keep the state of units: {e}"));
            }
        }
        output
    }

    /// Whether these arguments change anything.
    pub fn writes(arguments: &[&str]) -> bool {
        let verb = arguments.iter().find(|a| !a.starts_with('-'));
        !matches!(verb, None | Some(&("is-active" | "is-enabled" | "is-failed" | "show" | "list-timers")))
    }

    fn command(&mut self, arguments: &[&str]) -> Output {
        let mut now = false;
        let (mut words, mut properties, mut value, mut quiet, mut json) = (Vec::new(), Vec::new(), false, false, false);
        let mut rest = arguments.iter().copied();
        while let Some(word) = rest.next() {
            match word {
                "--now" => now = true,
                "--value" => value = true,
                "-q" | "--quiet" => quiet = true,
                "--no-pager" | "--all" | "-a" | "--no-block" | "--no-legend" | "--plain" | "--system" => {}
                "-p" | "--property" => properties.extend(rest.next().unwrap_or_default().split(',')),
                "-o" | "--output" => json = rest.next() == Some("json"),
                _ if word.starts_with("--property=") => properties.extend(word["--property=".len()..].split(',')),
                _ if word.starts_with("-p") && !word.starts_with("--") => properties.extend(word[2..].split(',')),
                "--output=json" => json = true,
                _ if word.starts_with("--timestamp=") => {}
                _ if word.starts_with('-') => return failed(1, format!("systemctl: unrecognized option '{word}'")),
                _ => words.push(word),
            }
        }
        let (verb, names) = words.split_first().map_or(("list-units", &[][..]), |(verb, names)| (*verb, names));
        let names: Vec<String> = names.iter().map(|name| full(name)).collect();
        match verb {
            "daemon-reload" => {
                self.reload();
                Output::default()
            }
            "enable" => self.each(&names, |it, name| it.enable(name, now)),
            "disable" => self.each(&names, |it, name| it.disable(name, now)),
            "start" => self.each(&names, |it, name| it.start(name)),
            "stop" => self.each(&names, |it, name| it.stop(name)),
            "restart" | "reload-or-restart" => self.each(&names, |it, name| it.restart(name)),
            "try-restart" => self.each(&names, |it, n| if it.is_active(n) { it.restart(n) } else { Output::default() }),
            "reset-failed" => Output::default(),
            "is-active" => self.tell(&names, quiet, |it, name| {
                let known = !matches!(it.look_at(name), Load::NotFound);
                if it.is_active(name) { ("active", 0) } else { ("inactive", if known { 3 } else { 4 }) }
            }),
            "is-failed" => {
                self.tell(&names, quiet, |it, name| (if it.is_active(name) { "active" } else { "inactive" }, 1))
            }
            "is-enabled" => self.tell(&names, quiet, |it, name| match it.unit_file_state(name) {
                Some(state @ ("enabled" | "static")) => (state, 0),
                Some(state) => (state, 1),
                None => ("not-found", 4),
            }),
            "show" => self.show(&names, &properties, value),
            "list-timers" if json => self.list_timers(),
            _ => failed(1, format!("Unknown command verb '{verb}' (the sandbox simulates a part of systemctl).")),
        }
    }

    fn each(&mut self, names: &[String], mut act: impl FnMut(&mut Self, &str) -> Output) -> Output {
        if names.is_empty() {
            return failed(1, "Too few arguments.");
        }
        let (mut status, mut said) = (0, Vec::new());
        for name in names {
            let output = act(self, name);
            status = status.max(output.status);
            said.extend_from_slice(&output.stderr);
        }
        Output { status, stderr: Bytes::from(said), ..Output::default() }
    }

    fn tell(&self, names: &[String], quiet: bool, of: impl Fn(&Self, &str) -> (&'static str, i32)) -> Output {
        let all: Vec<_> = names.iter().map(|name| of(self, name)).collect();
        // Success when one of several is so, as systemctl has it.
        let status = all.iter().map(|(_, status)| *status).min().unwrap_or(1);
        let text: String = all.iter().map(|(word, _)| format!("{word}\n")).collect();
        Output { status, stdout: if quiet { Bytes::new() } else { text.into() }, ..Output::default() }
    }

    fn path_of(&self, name: &str) -> Option<PathBuf> {
        let inside = !name.contains('/') && !name.starts_with('.');
        let places = [UNITS, "usr/lib/systemd/system", "lib/systemd/system"];
        places.iter().map(|dir| self.root.join(dir).join(name)).find(|path| inside && path.is_file())
    }

    /// The unit as systemd knows it: from memory, or read at the first mention.
    fn look_at(&self, name: &str) -> Load {
        let text = match self.state.loaded.get(name) {
            Some(text) => text.clone(),
            None => match self.path_of(name).map(fs::read_to_string) {
                Some(Ok(text)) => text,
                _ => return Load::NotFound,
            },
        };
        let unit = UnitFile::parse(&text);
        match unit.refusal(name) {
            Some(why) => Load::Bad(why),
            None => Load::Fine(unit),
        }
    }

    /// Reads it into memory unless it is there.
    fn load(&mut self, name: &str) -> Load {
        let load = self.look_at(name);
        if !matches!(load, Load::NotFound)
            && !self.state.loaded.contains_key(name)
            && let Some(Ok(text)) = self.path_of(name).map(fs::read_to_string)
        {
            self.state.loaded.insert(name.to_owned(), text);
        }
        load
    }

    fn reload(&mut self) {
        let known: Vec<String> = self.state.loaded.keys().cloned().collect();
        for name in known {
            match self.path_of(&name).map(fs::read_to_string) {
                Some(Ok(text)) => _ = self.state.loaded.insert(name, text),
                // A running unit without a file stays as it was until it is stopped.
                _ if self.is_active(&name) => {}
                _ => _ = self.state.loaded.remove(&name),
            }
        }
    }

    fn is_active(&self, name: &str) -> bool {
        self.state.active.contains_key(name)
    }

    fn start(&mut self, name: &str) -> Output {
        let unit = match self.load(name) {
            Load::Fine(unit) => unit,
            Load::NotFound => return failed(5, format!("Failed to start {name}: Unit {name} not found.")),
            Load::Bad(_) => {
                let text = format!(
                    "Failed to start {name}: Unit {name} has a bad unit file setting.\nSee system logs and 'systemctl status {name}' for details."
                );
                return failed(1, text);
            }
        };
        if name.ends_with(".timer") {
            let service = unit.activates(name);
            if matches!(self.load(&service), Load::NotFound) {
                return failed(5, format!("Failed to start {name}: Unit {service} not found."));
            }
        } else if unit.last("Service", "Type") == Some("oneshot") {
            self.state.ran.insert(name.to_owned(), self.now);
            if unit.last("Service", "RemainAfterExit") != Some("yes") {
                return Output::default();
            }
        }
        self.state.active.entry(name.to_owned()).or_insert(self.now);
        Output::default()
    }

    fn stop(&mut self, name: &str) -> Output {
        if self.state.active.remove(name).is_none() && matches!(self.look_at(name), Load::NotFound) {
            return failed(5, format!("Failed to stop {name}: Unit {name} not loaded."));
        }
        if self.path_of(name).is_none() {
            self.state.loaded.remove(name);
        }
        Output::default()
    }

    fn restart(&mut self, name: &str) -> Output {
        if matches!(self.look_at(name), Load::Fine(_)) {
            self.state.active.remove(name);
        }
        let mut output = self.start(name);
        if output.status == 0 && self.changed_on_disk(name) {
            let text = format!(
                "Warning: The unit file, source configuration file or drop-ins of {name} changed on disk. Run 'systemctl daemon-reload' to reload units.\n"
            );
            output.stderr = text.into();
        }
        output
    }

    fn changed_on_disk(&self, name: &str) -> bool {
        let disk = self.path_of(name).and_then(|path| fs::read_to_string(path).ok());
        self.state.loaded.get(name).is_some_and(|loaded| disk.as_ref() != Some(loaded))
    }

    /// The links that enable it, as paths below the root.
    fn links(&self, unit: &UnitFile, name: &str) -> Vec<PathBuf> {
        let wanted = [("WantedBy", "wants"), ("RequiredBy", "requires")].into_iter().flat_map(|(key, suffix)| {
            let targets = unit.all("Install", key).iter().flat_map(|all| all.split_whitespace());
            targets.map(move |target| PathBuf::from(format!("{UNITS}/{target}.{suffix}")))
        });
        wanted.map(|dir| dir.join(name)).collect()
    }

    /// `None` when there is no such unit.
    fn unit_file_state(&self, name: &str) -> Option<&'static str> {
        let text = self.path_of(name).and_then(|path| fs::read_to_string(path).ok())?;
        let links = self.links(&UnitFile::parse(&text), name);
        Some(match () {
            () if links.is_empty() => "static",
            () if links.iter().any(|link| self.root.join(link).is_symlink()) => "enabled",
            () => "disabled",
        })
    }

    fn enable(&mut self, name: &str, now: bool) -> Output {
        let Some(Ok(text)) = self.path_of(name).map(fs::read_to_string) else {
            return failed(1, format!("Failed to enable unit: Unit file {name} does not exist."));
        };
        let links = self.links(&UnitFile::parse(&text), name);
        let mut said = String::new();
        if links.is_empty() {
            said.push_str("The unit files have no installation config (WantedBy=, RequiredBy=, UpheldBy=, Also=,\nor Alias= settings in the [Install] section).\n");
        }
        for link in links {
            let (at, to) = (self.root.join(&link), format!("/{UNITS}/{name}"));
            if at.is_symlink() {
                continue;
            }
            let made = fs::create_dir_all(at.parent().unwrap_or(&self.root)).and_then(|()| symlink(&to, &at));
            if let Err(e) = made {
                return failed(1, format!("Failed to enable unit: /{}: {e}", link.display()));
            }
            said.push_str(&format!("Created symlink /{} → {to}.\n", link.display()));
        }
        self.reload();
        let output = if now { self.start(name) } else { Output::default() };
        Output { stderr: Bytes::from([said.as_bytes(), &output.stderr].concat()), ..output }
    }

    fn disable(&mut self, name: &str, now: bool) -> Output {
        if self.path_of(name).is_none() {
            return failed(1, format!("Failed to disable unit: Unit file {name} does not exist."));
        }
        let mut said = String::new();
        for directory in fs::read_dir(self.root.join(UNITS)).into_iter().flatten().flatten() {
            let link = directory.path().join(name);
            let shown = directory.file_name();
            if link.is_symlink() && fs::remove_file(&link).is_ok() {
                said.push_str(&format!("Removed \"/{UNITS}/{}/{name}\".\n", shown.to_string_lossy()));
            }
        }
        self.reload();
        let output = if now { self.stop(name) } else { Output::default() };
        Output { stderr: Bytes::from([said.as_bytes(), &output.stderr].concat()), ..output }
    }

    fn boot(&mut self) {
        let mut enabled = Vec::new();
        for directory in fs::read_dir(self.root.join(UNITS)).into_iter().flatten().flatten() {
            let wants = directory.file_name().to_string_lossy().ends_with(".wants");
            for link in fs::read_dir(directory.path()).into_iter().flatten().flatten().filter(|_| wants) {
                enabled.push(link.file_name().to_string_lossy().into_owned());
            }
        }
        enabled.sort();
        for name in enabled {
            self.start(&name);
        }
    }

    /// The zone in which calendars without one are read.
    fn zone(&self) -> TimeZone {
        let named = fs::read_to_string(self.root.join("etc/timezone")).ok();
        let linked = fs::read_link(self.root.join("etc/localtime")).ok();
        let linked = linked.and_then(|to| Some(to.to_str()?.split_once("zoneinfo/")?.1.to_owned()));
        linked.or(named).and_then(|name| TimeZone::get(name.trim()).ok()).unwrap_or(TimeZone::UTC)
    }
}

/// `x` is `x.service`, as systemctl completes names.
fn full(name: &str) -> String {
    let known = [".service", ".timer", ".target", ".socket", ".path", ".mount"];
    if known.iter().any(|suffix| name.ends_with(suffix)) { name.to_owned() } else { format!("{name}.service") }
}

fn failed(status: i32, text: impl Into<String>) -> Output {
    Output { status, stderr: Bytes::from(format!("{}\n", text.into())), ..Output::default() }
}
