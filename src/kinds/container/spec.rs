//! What a person writes to describe a container.
//!
//! What is optional and left out is not looked after: a new container gets Proxmox's own default, an existing one keeps what it has.
use super::{Address4, Address6, CpuLimit, Hostname, OsType, Placement, TemplateSource};
use crate::{
    kinds::declared::{Declarations, Declared, Spec},
    model::{
        AbsolutePath, Auto, Deletion, FileReference, Identifier, Mac, Name, Period, Rate, Size, Vmid, Window, spelled,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An LXC guest. Its name is shared with no other guest of any kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Container")]
pub struct Container {
    /// Proxmox's number of the guest, or `auto`, which the lock file remembers.
    #[serde(default)]
    pub vmid: Auto<Vmid>,
    /// What the guest calls itself; its name unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Hostname>,
    /// The node on which it is made; the Site's default unless given. A guest that was moved since is found where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Identifier>,
    /// Instead of `node`: it is chosen among several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// What it is made from: the name of a Template, or a volume such as `local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst`.
    /// Needed unless the guest is there already and `trueup/adopt` takes it over: Proxmox does not remember what it was made
    /// from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateSource>,
    /// Whether root inside is nobody outside. Cannot be changed later without making the guest anew.
    #[serde(default = "yes")]
    pub unprivileged: bool,
    /// The distribution inside, when Proxmox is not to find it out itself. Cannot be changed later without making the guest anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_type: Option<OsType>,
    /// How many cores it may use; all of the node's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8192))]
    pub cores: Option<u32>,
    /// How much of the processors it may use, in cores: `1.5`; `0` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<CpuLimit>,
    /// Its weight against other guests when processors are short; 100 is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub cpu_units: Option<u32>,
    /// Memory, whole MiB, at least 16MiB.
    #[serde(default = "memory")]
    pub memory: Size,
    /// Swap, whole MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<Size>,
    /// The root disk.
    pub rootfs: RootFs,
    /// Further disks, and directories of the node. One that is not listed is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mount_points: Vec<MountPoint>,
    /// Network devices, in the order of Proxmox's net0, net1 and so on. One that is taken out is taken away from the guest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<NetworkDevice>,
    /// Name resolution; the node's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Dns>,
    /// What the guest may do beyond the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<Feature>>,
    /// Devices of the node that are handed in. Proxmox grants this to `root@pam` alone, so it needs the Site's `host`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// The time zone inside: `Asia/Colombo`, or `host` for the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The console that Proxmox's web interface shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<Console>,
    /// A snippet that the node runs when the guest starts and stops: `local:snippets/hook.sh`. Proxmox grants this to
    /// `root@pam` alone, so it needs the Site's `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_script: Option<String>,
    /// The program that is started first; `/sbin/init` unless given. Proxmox VE 9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,
    /// The environment of that program. No place for secrets: whoever may read the guest's configuration reads it. Proxmox VE 9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
    /// Whether it starts when the node does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_on_boot: Option<bool>,
    /// When it starts and stops among the guests of its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<Startup>,
    /// Whether Proxmox refuses to destroy it or its disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<bool>,
    /// Tags, beside our own. Tags that others gave it stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The pool that it is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Identifier>,
    /// What Proxmox's notes say above our mark. Left to people unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Public SSH keys of root, one a line. Used when the guest is made, not later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_keys: Option<FileReference>,
    /// Whether it runs.
    #[serde(default)]
    pub state: State,
    /// Whether it may be restarted for a change that needs it.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// Paths inside whose content exists nowhere else. Making the guest anew is refused while there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<AbsolutePath>,
}

impl Container {
    /// What the guest calls itself, given the name of its declaration.
    pub fn hostname(&self, name: &Name) -> Hostname {
        self.hostname.clone().unwrap_or_else(|| name.into())
    }

    /// The network devices, each with its number in Proxmox's `netN`.
    pub fn numbered_networks(&self) -> impl Iterator<Item = (u8, &NetworkDevice)> {
        (0u8..).zip(&self.networks).map(|(place, device)| (device.index.unwrap_or(place), device))
    }
}

/// The root disk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootFs {
    /// The storage on which it is made; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
    /// Its size, whole GiB. It can grow, never shrink.
    pub size: Size,
}

/// A further disk, or a directory of the node. It is known by its path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MountPoint {
    /// Where it is mounted.
    pub path: AbsolutePath,
    /// The size of a disk, whole GiB. It can grow, never shrink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// A directory of the node, instead of a disk. Proxmox grants this to `root@pam` alone, so it needs the Site's `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<AbsolutePath>,
    /// The storage on which a disk is made; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Identifier>,
    /// Whether backups of the guest include it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
    /// Whether it can only be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Takes it away from the guest. A disk is kept with its content, as unused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detached: bool,
}

/// A device of the node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    /// `/dev/ttyUSB0`, the same inside.
    pub path: AbsolutePath,
    /// Its access mode inside, octal: `'0660'`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^0[0-7]{3}$"))]
    pub mode: Option<String>,
    /// Its owner inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its group inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Whether writing to it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// The console that Proxmox's web interface shows.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Console {
    /// Whether there is a `/dev/console`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ConsoleMode>,
    /// How many terminals there are, at most 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 6))]
    pub terminals: Option<u32>,
}

/// What a console shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConsoleMode {
    /// A terminal, at which one logs in.
    Tty,
    /// `/dev/console`.
    Console,
    /// A shell, without logging in.
    Shell,
}

impl fmt::Display for ConsoleMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tty => "tty",
            Self::Console => "console",
            Self::Shell => "shell",
        })
    }
}

/// A network device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkDevice {
    /// The interface inside the guest: `eth0`.
    pub name: Identifier,
    /// Its number in Proxmox's `netN`, where that is not its place in this list: after net0 there may be a net2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31))]
    pub index: Option<u8>,
    /// The bridge it is plugged into; the Site's default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Identifier>,
    /// The IPv4 address with its prefix, `dhcp` or `manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address4>,
    /// The IPv4 gateway, inside the address's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// The IPv6 address with its prefix, `auto`, `dhcp` or `manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<Address6>,
    /// The IPv6 gateway, inside the address's network or link-local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway6: Option<Ipv6Addr>,
    /// Whether Proxmox's firewall filters it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<bool>,
    /// The hardware address, or `auto`, which the lock file remembers.
    #[serde(default)]
    pub hwaddr: Auto<Mac>,
    /// A limit of what it sends and receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The largest packet, at most the bridge's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 64, max = 65535))]
    pub mtu: Option<u32>,
    /// The VLAN on the bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4094))]
    pub vlan: Option<u16>,
    /// VLANs that pass with their tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunks: Option<Vec<u16>>,
    /// Whether the cable is pulled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_down: Option<bool>,
}

/// Name resolution inside the guest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// The name servers, tried in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<IpAddr>,
    /// The domain that completes short names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Hostname>,
}

/// What the guest may do beyond the usual.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Feature {
    /// Containers inside; systemd inside needs it too.
    Nesting,
    /// The kernel's keyrings, which docker inside an unprivileged container needs. Proxmox grants it to `root@pam` alone, so it
    /// needs the Site's `host`.
    Keyctl,
    /// FUSE file systems. Likewise.
    Fuse,
    /// Making device nodes. Likewise.
    Mknod,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nesting => "nesting",
            Self::Keyctl => "keyctl",
            Self::Fuse => "fuse",
            Self::Mknod => "mknod",
        })
    }
}

/// When the guest starts and stops among the guests of its node.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Startup {
    /// Lower starts earlier and stops later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// How long to wait after its start before the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<Period>,
    /// How long it may take to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Period>,
}

/// Whether the guest runs.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It is started, and started again when somebody stopped it.
    #[default]
    Running,
    /// It is stopped.
    Stopped,
}

/// Whether the guest may be restarted for a change that needs it.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestartPolicy {
    /// Never; the change is shown as waiting for a restart.
    #[default]
    Never,
    /// As soon as a change needs it.
    WhenNeeded,
    /// In a weekly window, `{ window: "Sat 02:00-04:00" }`, by the Site's time zone unless it ends in another.
    Window(Window),
}

impl<'de> Deserialize<'de> for RestartPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            window: Window,
        }
        struct WordOrWindow;
        impl<'de> de::Visitor<'de> for WordOrWindow {
            type Value = RestartPolicy;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`never`, `whenNeeded` or { window: \"Sat 02:00-04:00\" }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RestartPolicy, E> {
                match text {
                    "never" => Ok(RestartPolicy::Never),
                    "whenNeeded" => Ok(RestartPolicy::WhenNeeded),
                    other => Err(E::unknown_variant(other, &["never", "whenNeeded"])),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RestartPolicy, A::Error> {
                let window = Written::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(RestartPolicy::Window(window.window))
            }
        }
        deserializer.deserialize_any(WordOrWindow)
    }
}

/// A tag as Proxmox stores it: lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let first = lower.chars().next().ok_or("the tag is empty")?;
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '.' | '-');
        if !(first.is_ascii_alphanumeric() || first == '_') || !lower.chars().all(inner) {
            return Err(format!(
                "the tag `{text}` is not possible; letters, digits, `_`, `+`, `.` and `-` are, the last three not first"
            ));
        }
        Ok(Self(lower))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

spelled!(Tag, "a tag", { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_+.-]*$" });

fn yes() -> bool {
    true
}

fn memory() -> Size {
    Size::mib(512)
}

impl Spec for Container {
    const KIND: &'static str = "Container";
    const DELETION: Deletion = Deletion::Retain;
    const EXAMPLE: &'static str = include_str!("example.yaml");
    fn of(declarations: &Declarations) -> &BTreeMap<Name, Declared<Self>> {
        &declarations.containers
    }
    fn of_mut(declarations: &mut Declarations) -> &mut BTreeMap<Name, Declared<Self>> {
        &mut declarations.containers
    }
}
