//! The life of a unit, with the exit codes and texts of systemd 257.
use super::*;

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root").join(UNITS)).unwrap();
        Self(dir)
    }
    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join("root").join(UNITS).join(name), text).unwrap();
    }
    fn ctl(&self, line: &str) -> (i32, String) {
        let now = "2026-11-21T17:00:00Z".parse().unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let output = Systemd::of(&self.0.path().join("root"), &self.0.path().join("memory"), now).systemctl(&words);
        (output.status, String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap().trim().to_owned())
    }
}

const TIMER: &str = "[Timer]\nOnCalendar=*-*-* 02:00:00 UTC\nPersistent=true\n[Install]\nWantedBy=timers.target\n";
const SERVICE: &str = "[Service]\nType=oneshot\nExecStart=/opt/sync\n";

#[test]
fn a_timer_lives_from_enable_to_disable() {
    let machine = Machine::new();
    machine.write("a.timer", TIMER);
    assert_eq!(machine.ctl("enable --now a.timer").0, 5, "its service is missing");
    machine.write("a.service", SERVICE);
    assert_eq!(machine.ctl("enable --now a.timer"), (0, String::new()), "the link was made before");
    assert_eq!(machine.ctl("is-active a.timer"), (0, "active".into()));
    assert_eq!(machine.ctl("is-enabled a.timer a.service").1, "enabled\nstatic");
    let shown = machine.ctl("show -p ActiveState,NextElapseUSecRealtime,LastTriggerUSec a.timer").1;
    assert_eq!(shown, "NextElapseUSecRealtime=Sun 2026-11-22 02:00:00 UTC\nLastTriggerUSec=\nActiveState=active");
    let list: serde_json::Value = serde_json::from_str(&machine.ctl("list-timers --output=json").1).unwrap();
    assert_eq!((list[0]["unit"].as_str(), list[0]["activates"].as_str()), (Some("a.timer"), Some("a.service")));
    let (status, said) = machine.ctl("disable --now a.timer");
    assert_eq!((status, said.as_str()), (0, "Removed \"/etc/systemd/system/timers.target.wants/a.timer\"."));
    assert_eq!(machine.ctl("is-active a.timer"), (3, "inactive".into()));
    assert_eq!(machine.ctl("is-enabled a.timer"), (1, "disabled".into()));
}

#[test]
fn a_changed_file_needs_a_reload_before_it_counts() {
    let machine = Machine::new();
    machine.write("c.service", "[Service]\nExecStart=/usr/bin/cloudflared\n");
    assert_eq!(machine.ctl("start c"), (0, String::new()));
    machine.write("c.service", "[Service]\nNonsense\n");
    assert_eq!(machine.ctl("show -p NeedDaemonReload --value c.service").1, "yes");
    let (status, said) = machine.ctl("restart c.service");
    assert!(status == 0 && said.contains("changed on disk"), "{status} {said}");
    assert_eq!(machine.ctl("daemon-reload").0, 0);
    assert_eq!(machine.ctl("restart c.service").0, 1, "now it is read, and bad");
    assert_eq!(machine.ctl("show -p LoadState,ActiveState c.service").1, "LoadState=bad-setting\nActiveState=active");
}

#[test]
fn a_unit_that_is_not_there_is_said_so() {
    let machine = Machine::new();
    assert_eq!(machine.ctl("enable x.timer"), (1, "Failed to enable unit: Unit file x.timer does not exist.".into()));
    assert_eq!(machine.ctl("start x.timer"), (5, "Failed to start x.timer: Unit x.timer not found.".into()));
    assert_eq!(machine.ctl("stop x.timer"), (5, "Failed to stop x.timer: Unit x.timer not loaded.".into()));
    assert_eq!(machine.ctl("is-active x.timer"), (4, "inactive".into()));
    assert_eq!(
        machine.ctl("show -p LoadState,UnitFileState x.timer"),
        (0, "LoadState=not-found\nUnitFileState=".into())
    );
    assert_eq!(machine.ctl("edit x.timer").0, 1);
}

#[test]
fn what_is_enabled_is_started_at_boot() {
    let machine = Machine::new();
    machine.write("a.timer", TIMER);
    machine.write("a.service", SERVICE);
    machine.ctl("enable a.timer");
    assert_eq!(machine.ctl("is-active a.timer").1, "inactive");
    fs::remove_file(machine.0.path().join("memory")).unwrap();
    assert_eq!(machine.ctl("is-active a.timer").1, "active");
}
