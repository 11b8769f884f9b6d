//! What `systemctl show` and `systemctl list-timers` tell.
use super::{Load, Systemd, failed};
use crate::providers::host::Output;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

impl Systemd {
    pub(super) fn show(&self, names: &[String], wanted: &[&str], value: bool) -> Output {
        if names.is_empty() {
            return failed(1, "The sandbox shows units, not the manager.");
        }
        let mut text = String::new();
        for (n, name) in names.iter().enumerate() {
            if n > 0 {
                text.push('\n');
            }
            let all = self.properties(name);
            // In systemd's own order, whatever the order of -p.
            for (key, it) in all.into_iter().filter(|(key, _)| wanted.is_empty() || wanted.contains(key)) {
                text.push_str(&if value { format!("{it}\n") } else { format!("{key}={it}\n") });
            }
        }
        Output { stdout: text.into(), ..Output::default() }
    }

    fn properties(&self, name: &str) -> Vec<(&'static str, String)> {
        let (load, error) = match self.look_at(name) {
            Load::Fine(_) => ("loaded", String::new()),
            Load::NotFound => ("not-found", format!("org.freedesktop.systemd1.NoSuchUnit \"Unit {name} not found.\"")),
            Load::Bad(why) => ("bad-setting", format!("org.freedesktop.systemd1.BadUnitSetting \"{why}\"")),
        };
        let since = self.state.active.get(name);
        let ran = self.state.ran.get(name);
        let timer = name.ends_with(".timer");
        let sub = match (since.is_some(), timer) {
            (true, true) => "waiting",
            (true, false) if ran.is_some() => "exited",
            (true, false) => "running",
            (false, _) => "dead",
        };
        let unit = match self.look_at(name) {
            Load::Fine(unit) => unit,
            _ => super::UnitFile::default(),
        };
        let path = self.path_of(name).and_then(|p| Some(format!("/{}", p.strip_prefix(&self.root).ok()?.display())));
        let mut all = vec![
            ("Type", if timer { "" } else { unit.last("Service", "Type").unwrap_or("simple") }.to_owned()),
            ("Result", "success".to_owned()),
            ("NRestarts", "0".to_owned()),
            ("MainPID", if sub == "running" { "4711" } else { "0" }.to_owned()),
            ("ExecMainStartTimestamp", ran.or(since).map_or_else(String::new, spelled)),
            ("ExecMainExitTimestamp", ran.map_or_else(String::new, spelled)),
            ("ExecMainStatus", "0".to_owned()),
        ];
        if timer {
            all = vec![
                ("Unit", unit.activates(name)),
                ("NextElapseUSecRealtime", self.next(name).as_ref().map_or_else(String::new, spelled)),
                ("LastTriggerUSec", self.state.ran.get(&unit.activates(name)).map_or_else(String::new, spelled)),
                ("Result", "success".to_owned()),
                (
                    "Persistent",
                    unit.last("Timer", "Persistent")
                        .map_or("no", |v| if v == "true" || v == "yes" { "yes" } else { "no" })
                        .to_owned(),
                ),
            ];
        }
        all.extend([
            ("Id", name.to_owned()),
            ("Description", unit.last("Unit", "Description").unwrap_or(name).to_owned()),
            ("LoadState", load.to_owned()),
            ("LoadError", error),
            ("ActiveState", if since.is_some() { "active" } else { "inactive" }.to_owned()),
            ("SubState", sub.to_owned()),
            ("FragmentPath", path.unwrap_or_default()),
            ("UnitFileState", self.unit_file_state(name).unwrap_or_default().to_owned()),
            ("NeedDaemonReload", if self.changed_on_disk(name) { "yes" } else { "no" }.to_owned()),
            ("ActiveEnterTimestamp", since.map_or_else(String::new, spelled)),
        ]);
        all
    }

    /// When an active timer elapses next.
    fn next(&self, name: &str) -> Option<Timestamp> {
        let Load::Fine(unit) = self.look_at(name) else { return None };
        let now = self.now.to_zoned(self.zone());
        let next = unit.calendars().iter().filter_map(|c| c.next(&now)).min()?;
        self.state.active.contains_key(name).then(|| next.timestamp())
    }

    pub(super) fn list_timers(&self) -> Output {
        let timers = self.state.active.keys().filter(|name| name.ends_with(".timer"));
        let list: Vec<_> = timers
            .map(|name| {
                let activates = match self.look_at(name) {
                    Load::Fine(unit) => unit.activates(name),
                    _ => String::new(),
                };
                let (next, last) = (self.next(name), self.state.ran.get(&activates));
                let micros = |at: Option<&Timestamp>| at.map_or(0, |at| at.as_microsecond());
                let left = next.map_or(0, |next| next.as_microsecond() - self.now.as_microsecond());
                json!({ "next": micros(next.as_ref()), "left": left, "last": micros(last), "unit": name, "activates": activates })
            })
            .collect();
        Output { stdout: format!("{}\n", serde_json::Value::from(list)).into(), ..Output::default() }
    }
}

/// As systemd prints times: `Sun 2026-11-22 02:00:00 UTC`.
fn spelled(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a %Y-%m-%d %H:%M:%S UTC").to_string()
}
