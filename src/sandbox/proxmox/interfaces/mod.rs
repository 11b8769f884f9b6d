//! `/etc/network/interfaces` of a node, and `interfaces.new` beside it, where changes wait until they are applied.
//! Read and written as `PVE::Network::Interfaces` of libpve-common-perl 9 does, without what Open vSwitch and VXLAN add.
mod check;
mod read;
mod write;

pub use read::read;
pub use write::write;

use super::state::{Bridge, Conf, Node};
use serde_json::{Map, Value, json};
use similar::TextDiff;
use std::collections::BTreeMap;

/// The file, taken apart.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub ifaces: BTreeMap<String, Iface>,
    /// Lines that belong to no interface, with their place among the interfaces.
    pub others: Vec<(u32, String)>,
}

/// One interface: the stanzas of its name.
#[derive(Clone, Debug, Default)]
pub struct Iface {
    /// `bridge`, `bond`, `eth`, `vlan`, `alias`, `loopback`, `unknown` …
    pub kind: String,
    pub autostart: bool,
    /// Its place in the file.
    pub priority: Option<u32>,
    /// `inet`, `inet6`, or none where a stanza says neither.
    pub families: Vec<Option<String>>,
    /// `address`, `gateway6`, `bridge_ports`, `comments` …
    pub conf: Conf,
    /// Lines of IPv4 and IPv6 that are not known.
    pub options: [Vec<String>; 2],
    /// Of one that lies on another: whether that other is in the file.
    pub parent: Option<bool>,
}

impl Iface {
    /// A value that is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.conf.get(key).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Removes a setting.
    pub fn remove(&mut self, key: &str) {
        match key {
            "autostart" => self.autostart = false,
            "options" => self.options[0].clear(),
            "options6" => self.options[1].clear(),
            _ => {
                self.conf.remove(key);
            }
        }
    }

    /// As the API shows it.
    pub fn row(&self, active: bool) -> Map<String, Value> {
        let mut row = Map::new();
        for (key, value) in &self.conf {
            let value = if key == "bridge_vlan_aware" { json!(1) } else { json!(value) };
            row.insert(key.clone(), value);
        }
        row.insert("type".into(), json!(self.kind));
        row.insert("families".into(), json!(self.families));
        for (name, set) in [("autostart", self.autostart), ("active", active)] {
            if set {
                row.insert(name.into(), json!(1));
            }
        }
        if let Some(priority) = self.priority {
            row.insert("priority".into(), json!(priority));
        }
        for (name, lines) in ["options", "options6"].into_iter().zip(&self.options) {
            if !lines.is_empty() {
                row.insert(name.into(), json!(lines));
            }
        }
        if let Some(known) = self.parent {
            row.insert("exists".into(), if known { Value::Null } else { json!(0) });
        }
        row
    }
}

impl Node {
    /// The text of the file that is applied.
    pub fn interfaces(&self) -> String {
        self.interfaces.clone().unwrap_or_else(|| of_bridges(&self.bridges))
    }

    /// The file as the API reads it: the staged one where there is one.
    pub fn staged_or_applied(&self) -> File {
        read(&self.staged.as_ref().map_or_else(|| self.interfaces(), |s| s.text.clone()))
    }

    /// Whether an interface is up: it is in the applied file, and needs no device that the simulated node has not.
    pub fn is_active(&self, name: &str) -> bool {
        self.bridges.contains_key(name)
            || read(&self.interfaces()).ifaces.get(name).is_some_and(|i| matches!(&*i.kind, "loopback" | "bond"))
    }

    /// What `diff -u` says of the staged file; nothing when there is none, or when it says the same.
    pub fn staged_changes(&self, installed: u64) -> Option<String> {
        let staged = self.staged.as_ref()?;
        let applied = self.interfaces();
        let header = |name: &str, at: u64| format!("{name}\t{}", stamp(at));
        let diff = TextDiff::from_lines(&applied, &staged.text)
            .unified_diff()
            .context_radius(3)
            .header(
                &header("/etc/network/interfaces", self.applied.unwrap_or(installed)),
                &header("/etc/network/interfaces.new", staged.at),
            )
            .to_string();
        (!diff.is_empty()).then_some(diff)
    }

    /// Makes the staged file the applied one. `now` is in Unix milliseconds.
    pub fn apply_interfaces(&mut self, now: u64) {
        let Some(staged) = self.staged.take() else { return };
        let file = read(&staged.text);
        let bridges = file.ifaces.iter().filter(|(_, i)| i.kind == "bridge");
        self.bridges = bridges.map(|(name, iface)| (name.clone(), bridge(iface))).collect();
        self.interfaces = Some(staged.text);
        self.applied = Some(now);
    }
}

fn bridge(iface: &Iface) -> Bridge {
    let owned = |keys: [&str; 2]| keys.into_iter().find_map(|k| iface.get(k)).map(str::to_string);
    let mtu = iface.get("mtu").and_then(|m| m.parse().ok()).unwrap_or(Bridge::default().mtu);
    Bridge { cidr: owned(["cidr", "cidr6"]), gateway: owned(["gateway", "gateway6"]), mtu }
}

/// As `diff` dates a file: with nanoseconds, in UTC. Takes Unix milliseconds.
fn stamp(at: u64) -> String {
    let moment = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    moment.map(|m| m.strftime("%Y-%m-%d %H:%M:%S.%9f +0000").to_string()).unwrap_or_default()
}

/// The file as an administrator's installation has it who made these bridges.
fn of_bridges(bridges: &BTreeMap<String, Bridge>) -> String {
    let mut text = "auto lo\niface lo inet loopback\n".to_string();
    for (name, bridge) in bridges {
        let family = if bridge.cidr.as_ref().is_some_and(|c| c.contains(':')) { "inet6" } else { "inet" };
        let method = if bridge.cidr.is_some() { "static" } else { "manual" };
        text.push_str(&format!("\nauto {name}\niface {name} {family} {method}\n"));
        for (key, value) in [("address", &bridge.cidr), ("gateway", &bridge.gateway)] {
            if let Some(value) = value {
                text.push_str(&format!("\t{key} {value}\n"));
            }
        }
        text.push_str("\tbridge-ports none\n\tbridge-stp off\n\tbridge-fd 0\n");
        if bridge.mtu != Bridge::default().mtu {
            text.push_str(&format!("\tmtu {}\n", bridge.mtu));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "auto lo\niface lo inet loopback\n\niface eno1 inet manual\n\nauto vmbr0\niface vmbr0 inet static\n\
                    \taddress 10.0.0.2\n\tnetmask 255.255.255.0\n\tgateway 10.0.0.1\n\tbridge-ports eno1\n\
                    \tbridge_vlan_aware yes\n\tpost-up echo up\n#the lab\n\niface vmbr0 inet6 static\n\taddress fd00::2/64\n\n\
                    source /etc/network/interfaces.d/*\n";
        let first = read(text);
        let bridge = &first.ifaces["vmbr0"];
        assert_eq!(
            (&*bridge.kind, bridge.get("cidr"), bridge.get("netmask")),
            ("bridge", Some("10.0.0.2/24"), Some("24"))
        );
        assert_eq!(bridge.get("cidr6"), Some("fd00::2/64"));
        assert_eq!(bridge.get("comments"), Some("the lab\n"));
        assert_eq!(bridge.options[0], ["post-up echo up"]);
        let written = write(&first).unwrap();
        assert!(written.contains("\nauto vmbr0\niface vmbr0 inet static\n\taddress 10.0.0.2/24\n\tgateway 10.0.0.1\n"));
        assert!(written.ends_with("\n\nsource /etc/network/interfaces.d/*\n"), "{written}");
        assert_eq!(write(&read(&written)).unwrap(), written);
    }

    #[test]
    fn a_staged_file_is_applied_as_a_whole() {
        let mut node = Node { bridges: [("vmbr0".into(), Bridge::default())].into(), ..Node::default() };
        let mut file = node.staged_or_applied();
        let mut made = file.ifaces["vmbr0"].clone();
        made.priority = None;
        file.ifaces.insert("vmbr1".into(), made);
        node.staged = Some(crate::sandbox::proxmox::state::Staged { text: write(&file).unwrap(), at: 1000 });
        assert!(node.staged_changes(0).unwrap().contains("\n+auto vmbr1\n"));
        assert!(!node.is_active("vmbr1"));
        node.apply_interfaces(2000);
        assert!(node.is_active("vmbr1") && node.staged_changes(0).is_none());
    }
}
