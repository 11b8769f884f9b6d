//! A container as a spec: field by field what the live one has.
//!
//! A field is said only if it is read back as what is there; what is not said is left alone by every pass. Interfaces are the
//! exception: one that a manifest does not name is taken away, so a guest with one that cannot be named is not imported.
use super::reading::{Reading, Said, four, six, storage_of};
use crate::{
    kinds::{
        container::{
            Console, ConsoleMode, Container, CpuLimit, Device, Feature, MountPoint, NetworkDevice, RestartPolicy,
            RootFs, State,
        },
        declared::Declarations,
    },
    model::{Auto, Identifier, Rate, Size, Vmid},
    providers::proxmox::{
        property::Properties,
        values::{bytes, is_true},
    },
    resources::guest::{Live, container::mounts},
};

/// Settings that say nothing about how the guest should be, or that cannot be changed.
const QUIET: [&str; 9] =
    ["arch", "ostype", "digest", "description", "lock", "parent", "snaptime", "snapstate", "template"];

/// The spec of a container that is there.
///
/// # Errors
/// Why no manifest could say what it is.
pub fn said(vmid: Vmid, live: &Live, declared: &Declarations) -> Result<Said<Container>, String> {
    let defaults = declared.site().map(|site| site.spec.proxmox.defaults.clone()).unwrap_or_default();
    let root = declared.site().is_some_and(|site| site.spec.host.is_some());
    let mut of = Reading::new(live, root);
    let hostname =
        of.text("hostname").ok_or(format!("it has no hostname: give it one (`pct set {vmid} --hostname …`)"))?;
    let hostname = hostname.parse().map_err(|why| format!("its hostname cannot be written: {why}"))?;
    let rootfs = of.rootfs(vmid, defaults.storage.as_ref())?;
    let mount_points = of.mount_points(defaults.storage.as_ref());
    let networks = of.networks(defaults.bridge.as_ref())?;
    let node: Identifier = live.node.parse().map_err(|why| format!("its node cannot be written: {why}"))?;
    let spec = Container {
        vmid: Auto::Pinned(vmid),
        hostname: Some(hostname),
        node: Some(node).filter(|node| defaults.node.as_ref() != Some(node)),
        placement: None,
        template: None,
        unprivileged: of.flag("unprivileged").unwrap_or(false),
        // A guest is not made anew for what somebody once found out about it.
        os_type: None,
        cores: of.number("cores"),
        cpu_limit: of.cpu_limit(),
        cpu_units: of.within("cpuunits", 1..=10_000),
        memory: Size::mib(of.number("memory").unwrap_or(512)),
        swap: of.number("swap").map(Size::mib),
        rootfs,
        mount_points,
        networks,
        dns: of.dns(),
        features: of.features(),
        devices: of.devices(),
        timezone: of.text("timezone").map(str::to_owned),
        console: of.console(),
        hook_script: of.hook_script(),
        entrypoint: of.text("entrypoint").map(str::to_owned),
        // It may hold secrets.
        environment: None,
        start_on_boot: of.flag("onboot"),
        startup: of.startup(),
        protection: of.flag("protection"),
        tags: of.tags(),
        pool: live.pool.as_ref().and_then(|pool| pool.parse().ok()),
        notes: None,
        ssh_keys: None,
        state: if live.running { State::Running } else { State::Stopped },
        restart_policy: RestartPolicy::Never,
        keep: vec![],
    };
    Ok(Said { spec, left: of.left(&QUIET) })
}

impl Reading<'_> {
    fn cpu_limit(&mut self) -> Option<CpuLimit> {
        let number: f64 = self.number("cpulimit")?;
        let said: Option<CpuLimit> = serde_yaml::from_value(number.into()).ok();
        let same = |limit: &CpuLimit| limit.to_string().parse() == Ok(number);
        let said = said.filter(same);
        if said.is_none() {
            self.left.push(format!("cpulimit {number}"));
        }
        said
    }

    fn console(&mut self) -> Option<Console> {
        let (enabled, terminals) = (self.flag("console"), self.within("tty", 0..=6));
        let mode = match self.text("cmode") {
            Some("tty") => Some(ConsoleMode::Tty),
            Some("console") => Some(ConsoleMode::Console),
            Some("shell") => Some(ConsoleMode::Shell),
            other => {
                self.left.extend(other.map(|other| format!("cmode {other}")));
                None
            }
        };
        let said = Console { enabled, mode, terminals };
        (said != Console::default()).then_some(said)
    }

    fn hook_script(&mut self) -> Option<String> {
        let text = self.text("hookscript")?;
        if !self.root {
            self.left.push("hookscript".into());
        }
        self.root.then(|| text.to_owned())
    }

    fn devices(&mut self) -> Vec<Device> {
        let numbered = |key: &&String| key.strip_prefix("dev").is_some_and(|n| n.parse::<u8>().is_ok());
        let keys: Vec<&String> = self.live.config.values.keys().filter(numbered).collect();
        let mut said = vec![];
        for key in keys {
            let value = Properties::parse(self.text(key).unwrap_or_default());
            let octal = |mode: &str| {
                mode.len() == 4 && mode.starts_with('0') && mode.bytes().all(|b| b.is_ascii_digit() && b < b'8')
            };
            let path = value.get("path").or(value.get(Properties::BARE)).and_then(|path| path.parse().ok());
            let (Some(path), true) = (path, self.root) else {
                self.left.push(key.clone());
                continue;
            };
            let mode = value.get("mode").filter(|mode| octal(mode)).map(str::to_owned);
            let number = |key: &str| value.get(key).and_then(|n| n.parse().ok());
            let read_only = value.get("deny-write").map(is_true);
            said.push(Device { path, mode, uid: number("uid"), gid: number("gid"), read_only });
        }
        said
    }

    fn rootfs(&mut self, vmid: Vmid, default: Option<&Identifier>) -> Result<RootFs, String> {
        let value = Properties::parse(self.text("rootfs").ok_or("it has no root disk")?);
        let storage = storage_of(&value).ok_or("its root disk is not a volume of a storage")?;
        let size = value.get("size").and_then(bytes).filter(|size| *size >= 1024);
        let size =
            size.ok_or(format!("its root disk has no size in its configuration: see `pct rescan --vmid {vmid}`"))?;
        self.rest("rootfs", &value, &[Properties::BARE, "volume", "size"]);
        Ok(RootFs { storage: Some(storage).filter(|own| default != Some(own)), size: Size::kib(size / 1024) })
    }

    fn mount_points(&mut self, default: Option<&Identifier>) -> Vec<MountPoint> {
        let mut numbered: Vec<(u8, String, Properties)> = mounts(self.live)
            .into_iter()
            .filter_map(|(path, (key, value))| Some((key.strip_prefix("mp")?.parse().ok()?, path, value)))
            .collect();
        numbered.sort_by_key(|(n, ..)| *n);
        let mut said = vec![];
        for (n, at, value) in numbered {
            let key = format!("mp{n}");
            self.taken.push(key.clone());
            let size =
                value.get("size").and_then(bytes).filter(|size| *size >= 1024).map(|size| Size::kib(size / 1024));
            let source = value.get(Properties::BARE).filter(|path| self.root && path.starts_with('/'));
            let source = source.and_then(|path| path.parse().ok());
            let storage = storage_of(&value).filter(|_| size.is_some());
            let (Ok(path), true) = (at.parse(), source.is_some() || storage.is_some()) else {
                self.left.push(format!("{key} at {at}"));
                continue;
            };
            self.rest(&key, &value, &[Properties::BARE, "volume", "mp", "size", "backup", "ro"]);
            said.push(MountPoint {
                path,
                size: size.filter(|_| source.is_none()),
                source,
                storage: storage.filter(|own| default != Some(own)),
                backup: value.get("backup").map(is_true),
                read_only: value.get("ro").map(is_true),
                detached: false,
            });
        }
        said
    }

    fn networks(&mut self, default: Option<&Identifier>) -> Result<Vec<NetworkDevice>, String> {
        let mut said = vec![];
        for (n, interface) in self.live.interfaces() {
            let key = format!("net{n}");
            let value = Properties::parse(self.text(&key).unwrap_or_default());
            let wrong = |what: &str, why: String| format!("the {what} of {key} cannot be written: {why}");
            let name = interface.name.parse().map_err(|why| wrong("name", why))?;
            let bridge: Identifier = interface.bridge.parse().map_err(|why| wrong("bridge", why))?;
            let four = four(interface.ip.as_deref(), interface.gateway);
            let six = six(interface.ip6.as_deref(), interface.gateway6);
            let rate = interface.rate.as_ref().and_then(|rate| {
                let said: Rate = format!("{rate}MB/s").parse().ok()?;
                (said.megabytes() == *rate).then_some(said)
            });
            let vlan = interface.vlan.filter(|vlan| (1..=4094).contains(vlan));
            let mtu = interface.mtu.filter(|mtu| (64..=65535).contains(mtu));
            let mut fields = vec!["name", "bridge", "hwaddr", "firewall", "type", "link_down", "trunks"];
            for (is_said, names) in [
                (four.is_some(), &["ip", "gw"][..]),
                (six.is_some(), &["ip6", "gw6"]),
                (rate.is_some(), &["rate"]),
                (vlan.is_some(), &["tag"]),
                (mtu.is_some(), &["mtu"]),
            ] {
                fields.extend(names.iter().filter(|_| is_said));
            }
            self.rest(&key, &value, &fields);
            said.push(NetworkDevice {
                name,
                // Its place in the list says it where there are no gaps.
                index: Some(n).filter(|n| usize::from(*n) != said.len()),
                bridge: Some(bridge).filter(|own| default != Some(own)),
                address: four.map(|(address, _)| address),
                gateway: four.and_then(|(_, gateway)| gateway),
                address6: six.map(|(address, _)| address),
                gateway6: six.and_then(|(_, gateway)| gateway),
                firewall: value.get("firewall").map(is_true),
                hwaddr: Auto::Auto,
                rate,
                mtu,
                vlan,
                trunks: interface.trunks.clone().filter(|all| !all.is_empty()),
                link_down: value.get("link_down").map(is_true),
            });
        }
        Ok(said)
    }

    /// All switches or none: those that are not said would be switched off.
    fn features(&mut self) -> Option<Vec<Feature>> {
        let value = Properties::parse(self.text("features")?);
        let all = [
            ("nesting", Feature::Nesting),
            ("keyctl", Feature::Keyctl),
            ("fuse", Feature::Fuse),
            ("mknod", Feature::Mknod),
        ];
        self.rest("features", &value, &all.map(|(key, _)| key));
        let on: Vec<Feature> = all.iter().filter(|(key, _)| value.flag(key)).map(|(_, feature)| *feature).collect();
        let free = self.root || on == [Feature::Nesting];
        if !free && !on.is_empty() {
            let names: Vec<String> = on.iter().map(ToString::to_string).collect();
            self.left.push(format!("features {}", names.join(" ")));
        }
        Some(on).filter(|on| free && !on.is_empty())
    }
}
