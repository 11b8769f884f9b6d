//! Unit files as systemd reads them, as far as timers and services need it.
use super::calendar::Calendar;
use std::collections::BTreeMap;

/// A unit file that was read: sections, keys, and all values of a key in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UnitFile {
    sections: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl UnitFile {
    /// Reads it as systemd does: what it does not understand is ignored, an empty value empties the list so far.
    pub fn parse(text: &str) -> Self {
        let (mut file, mut section, mut whole) = (Self::default(), None, String::new());
        for line in text.lines() {
            let line = line.trim();
            if whole.is_empty() && (line.is_empty() || line.starts_with(['#', ';'])) {
                continue;
            }
            if let Some(part) = line.strip_suffix('\\') {
                whole.push_str(part);
                whole.push(' ');
                continue;
            }
            whole.push_str(line);
            let line = std::mem::take(&mut whole);
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = Some(name.to_owned());
                file.sections.entry(name.to_owned()).or_default();
            } else if let (Some(section), Some((key, value))) = (&section, line.split_once('=')) {
                let values =
                    file.sections.entry(section.clone()).or_default().entry(key.trim().to_owned()).or_default();
                match value.trim() {
                    "" => values.clear(),
                    value => values.push(value.to_owned()),
                }
            }
        }
        file
    }

    /// All values of a key.
    pub fn all(&self, section: &str, key: &str) -> &[String] {
        self.sections.get(section).and_then(|s| s.get(key)).map_or(&[], Vec::as_slice)
    }

    /// The last value of a key, which is the one that counts for most.
    pub fn last(&self, section: &str, key: &str) -> Option<&str> {
        self.all(section, key).last().map(String::as_str)
    }

    pub fn has(&self, section: &str) -> bool {
        self.sections.contains_key(section)
    }

    /// The calendars of a timer that systemd can read; it ignores the others.
    pub fn calendars(&self) -> Vec<Calendar> {
        self.all("Timer", "OnCalendar").iter().filter_map(|text| Calendar::parse(text).ok()).collect()
    }

    /// Why systemd refuses to start the unit (`LoadState=bad-setting`).
    pub fn refusal(&self, name: &str) -> Option<String> {
        if name.ends_with(".timer") {
            let monotonic = ["OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec"];
            let any = monotonic.iter().any(|key| !self.all("Timer", key).is_empty()) || !self.calendars().is_empty();
            return (!any).then(|| "Timer unit lacks value setting. Refusing.".to_owned());
        }
        let commands = self.all("Service", "ExecStart");
        if let Some(command) = commands.iter().find(|c| !program(c).is_some_and(|p| p.starts_with('/'))) {
            return Some(format!("Neither a valid executable name nor an absolute path: {command}"));
        }
        let oneshot = self.last("Service", "Type") == Some("oneshot");
        match commands.len() {
            0 => Some("Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.".to_owned()),
            1 => None,
            _ if oneshot => None,
            _ => Some("Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services. Refusing.".to_owned()),
        }
    }

    /// The unit that a timer starts.
    pub fn activates(&self, timer: &str) -> String {
        let own = || format!("{}.service", timer.trim_end_matches(".timer"));
        self.last("Timer", "Unit").map_or_else(own, str::to_owned)
    }
}

/// The program of an `Exec…=` line, without systemd's prefixes.
pub fn program(command: &str) -> Option<&str> {
    command.trim_start_matches(['-', '@', ':', '+', '!']).split_whitespace().next().map(|p| p.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_as_systemd_reads_them() {
        let text = "# ours\n[Unit]\nDescription=a \\\n  b\n[Service]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\nExecStart=/bin/x -y\n";
        let unit = UnitFile::parse(text);
        assert_eq!(unit.last("Unit", "Description"), Some("a  b"));
        assert_eq!(unit.all("Service", "Environment"), ["B=2"]);
        assert_eq!(unit.refusal("x.service"), None);
    }

    #[test]
    fn what_systemd_would_not_start_is_refused() {
        let refusal = |name: &str, text: &str| UnitFile::parse(text).refusal(name);
        assert!(refusal("x.timer", "[Timer]\nOnCalendar=two o'clock\n").is_some());
        assert!(refusal("x.timer", "[Timer]\nOnCalendar=*-*-* 02:00:00 UTC\n").is_none());
        assert!(refusal("x.service", "[Service]\nExecStart=run me\n").is_some());
        assert!(refusal("x.service", "not a unit").is_some());
    }
}
