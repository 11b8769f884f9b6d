//! What a fresh simulated cluster starts with.
use super::{
    access,
    api::download::location,
    facts::Release,
    formats, login,
    state::{Bridge, Conf, Entry, Guest, Kind, Lack, Node, Page, Running, State, Storage, Token, User, Volume, Whom},
};
use crate::providers::proxmox::ROLES;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A description of a cluster, as a file may hold it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    pub version: Release,
    pub nodes: BTreeMap<String, SeedNode>,
    pub storages: BTreeMap<String, SeedStorage>,
    /// Files that lie on the storages, by volume id, with their size in bytes.
    pub files: BTreeMap<String, u64>,
    /// The files that the index of appliances names.
    pub appliances: BTreeSet<String>,
    /// What nodes can download, by address.
    pub web: BTreeMap<String, Page>,
    /// Users beside `root@pam`, with their roles on `/`.
    pub users: BTreeMap<String, Vec<String>>,
    /// Passwords of users. A user is made when it is not there.
    pub passwords: BTreeMap<String, String>,
    /// Roles that are not built in: privileges by name.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    pub tokens: Vec<SeedToken>,
    /// Who may do what elsewhere than on `/`.
    pub acl: Vec<Entry>,
    /// Guests that are there already, foreign to everybody.
    pub guests: Vec<SeedGuest>,
    /// `datacenter.cfg`.
    pub options: Conf,
    /// When the nodes were started, in Unix seconds; two hours ago when it is not said.
    pub booted: Option<u64>,
}

/// A node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedNode {
    pub address: String,
    pub bridges: BTreeMap<String, Bridge>,
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    /// What the installation is without.
    pub lacks: BTreeSet<Lack>,
}

impl Default for SeedNode {
    fn default() -> Self {
        let bridge =
            Bridge { cidr: Some("10.99.0.2/24".into()), gateway: Some("10.99.0.1".into()), ..Bridge::default() };
        Self {
            address: "10.99.0.2".into(),
            bridges: [("vmbr0".into(), bridge)].into(),
            cpus: 2,
            memory: 24_105,
            lacks: BTreeSet::new(),
        }
    }
}

/// A storage.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedStorage {
    #[serde(rename = "type")]
    pub kind: String,
    pub content: BTreeSet<String>,
    #[serde(default)]
    pub path: Option<String>,
    /// GiB.
    #[serde(default = "size")]
    pub size: u64,
    /// Whether all nodes see the same content; network storages are shared without saying so.
    #[serde(default)]
    pub shared: bool,
    /// The nodes that have it; empty: all of them.
    #[serde(default)]
    pub nodes: BTreeSet<String>,
}

impl Default for SeedStorage {
    /// A directory for everything.
    fn default() -> Self {
        let content = ["backup", "images", "iso", "rootdir", "snippets", "vztmpl"].map(str::to_string).into();
        let (shared, nodes) = (false, BTreeSet::new());
        Self { kind: "dir".into(), content, path: Some("/var/lib/vz".into()), size: size(), shared, nodes }
    }
}

fn size() -> u64 {
    252
}

/// A token, and what it may do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedToken {
    /// `root@pam!full`. Its user is made when it is not there.
    pub id: String,
    pub secret: String,
    #[serde(default)]
    pub privsep: bool,
    /// Roles on `/`, for the token and (with separated privileges) for its user.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// A guest that is there already.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedGuest {
    pub vmid: u32,
    pub kind: Kind,
    #[serde(default)]
    pub node: Option<String>,
    #[serde(default)]
    pub running: bool,
    /// As in its config file. Volumes that it names are made.
    pub config: Conf,
}

impl Default for Seed {
    /// One node with a bridge, a directory, a Debian template, root's password, and root's token `full` with the secret of
    /// the tests.
    fn default() -> Self {
        let local = SeedStorage::default();
        let full = SeedToken {
            id: "root@pam!full".into(),
            secret: "00000000-0000-4000-a000-000000000000".into(),
            privsep: false,
            roles: Vec::new(),
        };
        Self {
            version: Release::default(),
            nodes: [("pve1".into(), SeedNode::default())].into(),
            storages: [("local".into(), local)].into(),
            files: [("local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst".into(), 53_296_284)].into(),
            appliances: BTreeSet::new(),
            web: BTreeMap::new(),
            users: BTreeMap::new(),
            passwords: [(ROOT.into(), "a password of the sandbox".into())].into(),
            roles: BTreeMap::new(),
            tokens: vec![full],
            acl: Vec::new(),
            guests: Vec::new(),
            options: Conf::new(),
            booted: None,
        }
    }
}

const ROOT: &str = "root@pam";

/// The product's own account, with the roles that `trueup setup token` makes.
const PRODUCT: (&str, &str, &str) = ("sandbox@pve", "trueup", "5a4d0b0c-7d1e-4c3a-9b52-1f0e8d6c7a21");

impl Seed {
    /// With an account for the product that may do what it needs and no more. Once there, it is left as it is.
    #[must_use]
    pub fn with_account(mut self) -> Self {
        let (user, name, secret) = PRODUCT;
        let id = format!("{user}!{name}");
        let Ok(release) = self.version.spelled().1.parse() else { return self };
        if self.tokens.iter().any(|token| token.id == id) {
            return self;
        }
        for role in ROLES.iter().filter(|role| !role.privileges(release).is_empty()) {
            let privileges = role.privileges(release).into_iter().map(str::to_owned).collect();
            self.roles.insert(role.name().into(), privileges);
            for (whom, id) in [(Whom::User, user), (Whom::Token, &id)] {
                let (path, propagate) = (role.whole().into(), role.is_passed_on());
                self.acl.push(Entry { path, whom, id: id.into(), role: role.name().into(), propagate });
            }
        }
        self.users.entry(user.into()).or_default();
        self.tokens.push(SeedToken { id, secret: secret.into(), privsep: true, roles: vec![] });
        self
    }

    /// The token of the product: that of its account, where it has one.
    pub fn token(&self) -> Option<&SeedToken> {
        let (user, ..) = PRODUCT;
        self.tokens.iter().find(|token| token.id.starts_with(user)).or(self.tokens.first())
    }

    /// The password of `root@pam`, where it has one.
    pub fn root_password(&self) -> Option<&str> {
        self.passwords.get(ROOT).map(String::as_str)
    }

    /// The state of a fresh cluster. `now` is in Unix milliseconds.
    ///
    /// # Errors
    /// What cannot be: a token without a user, a role or privilege that is not known, a guest on no node.
    pub fn plant(&self, now: u64) -> Result<State, String> {
        let booted = self.booted.map_or(now.saturating_sub(7_200_000), |s| s * 1000);
        let mut state =
            State { release: self.version, options: self.options.clone(), next_pid: 3000, booted, ..State::default() };
        for (name, node) in &self.nodes {
            let SeedNode { address, bridges, cpus, memory, lacks } = node.clone();
            let node = Node { address, bridges, cpus, memory: memory << 20, lacks, ..Node::default() };
            state.nodes.insert(name.clone(), node);
        }
        if state.nodes.is_empty() {
            return Err("a cluster needs a node".into());
        }
        for (name, storage) in &self.storages {
            let SeedStorage { kind, content, path, size, shared, nodes } = storage.clone();
            let mut more = Conf::new();
            if shared {
                more.insert("shared".into(), "1".into());
            }
            if !nodes.is_empty() {
                more.insert("nodes".into(), nodes.into_iter().collect::<Vec<_>>().join(","));
            }
            let storage = Storage { kind, content, path, total: size << 30, more, ..Storage::default() };
            state.storages.insert(name.clone(), storage);
        }
        for (volid, size) in &self.files {
            let (storage, name) = volid.split_once(':').ok_or_else(|| format!("{volid} is no volume id"))?;
            let storage = state.storages.get_mut(storage).ok_or_else(|| format!("{volid}: no storage {storage}"))?;
            storage.volumes.insert(volid.clone(), file(name, *size, booted));
        }
        state.appliances.clone_from(&self.appliances);
        state.web.clone_from(&self.web);
        for template in &self.appliances {
            // The index has a checksum of everything.
            let sums = [("sha512".to_string(), sum_of_name(template))].into();
            state.web.entry(location(template)).or_insert(Page { size: 124_000_000, sums });
        }
        self.plant_access(&mut state)?;
        for guest in &self.guests {
            plant_guest(&mut state, guest, now)?;
        }
        Ok(state)
    }

    fn plant_access(&self, state: &mut State) -> Result<(), String> {
        state.access.users.insert(ROOT.into(), User::default());
        for (user, password) in &self.passwords {
            let sum = login::password_sum(user, password);
            state.access.users.entry(user.clone()).or_default().password_sha256 = Some(sum);
        }
        for (role, privileges) in &self.roles {
            let names: Vec<String> = privileges.iter().cloned().collect();
            state.access.roles.insert(role.clone(), access::known(self.version, &names)?);
        }
        let entry = |whom, id: &str, role: &str| Entry {
            path: "/".into(),
            whom,
            id: id.into(),
            role: role.into(),
            propagate: true,
        };
        for (user, roles) in &self.users {
            state.access.users.entry(user.clone()).or_default();
            state.access.acl.extend(roles.iter().map(|r| entry(Whom::User, user, r)));
        }
        for token in &self.tokens {
            let (user, name) = token.id.split_once('!').ok_or_else(|| format!("{} is no token id", token.id))?;
            let secret_sha256 = login::secret_sum(&token.secret);
            let made = Token { secret_sha256, privsep: token.privsep, ..Token::default() };
            let whom = if token.privsep { Whom::Token } else { Whom::User };
            for role in &token.roles {
                if token.privsep {
                    state.access.acl.push(entry(whom, &token.id, role));
                }
                state.access.acl.push(entry(Whom::User, user, role));
            }
            state.access.users.entry(user.into()).or_default().tokens.insert(name.into(), made);
        }
        state.access.acl.extend(self.acl.iter().cloned());
        state.access.acl.sort();
        state.access.acl.dedup();
        match state.access.acl.iter().find(|e| state.role(&e.role).is_none()) {
            Some(entry) => Err(format!("{}: there is no role {}", entry.id, entry.role)),
            None => Ok(()),
        }
    }
}

/// Stands for the checksum of a file that nobody has.
fn sum_of_name(name: &str) -> String {
    use sha2::{Digest, Sha512};
    Sha512::digest(name).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file on a storage, as its name says what it is.
fn file(name: &str, size: u64, booted: u64) -> Volume {
    let content = name.split('/').next().unwrap_or_default().to_string();
    let format = match name.rsplit_once('.').map(|(_, e)| e) {
        Some("zst") => "tzst",
        Some("gz") => "tgz",
        Some("xz") => "txz",
        Some("iso" | "img") => "iso",
        _ => "raw",
    };
    Volume { content, format: format.into(), size, created: booted / 1000, ..Volume::default() }
}

fn plant_guest(state: &mut State, seed: &SeedGuest, now: u64) -> Result<(), String> {
    let first = state.nodes.keys().next().cloned().unwrap_or_default();
    let node = seed.node.clone().unwrap_or(first);
    if !state.nodes.contains_key(&node) {
        return Err(format!("guest {}: there is no node {node}", seed.vmid));
    }
    let mut guest = Guest::new(seed.kind, &node);
    guest.conf = seed.config.clone();
    if seed.running {
        guest.running = Some(Running { since: now, pid: state.next_pid, ..Running::default() });
        state.next_pid += 1;
    }
    for (key, value) in &seed.config {
        if !super::world::is_disk(seed.kind, key) {
            continue;
        }
        let volid = value.split(',').next().unwrap_or_default();
        let Some(storage) = volid.split_once(':').and_then(|(s, _)| state.storages.get_mut(s)) else { continue };
        let size = value.split(',').find_map(|p| formats::bytes(p.strip_prefix("size=")?)).unwrap_or(8 << 30);
        let content = if seed.kind == Kind::Lxc { "rootdir" } else { "images" };
        let format = volid.rsplit_once('.').map_or("raw", |(_, e)| e);
        storage.volumes.insert(
            volid.into(),
            Volume {
                content: content.into(),
                format: format.into(),
                size,
                vmid: Some(seed.vmid),
                created: state.booted / 1000,
                ..Volume::default()
            },
        );
    }
    super::config_file::settle(&mut guest);
    state.guests.insert(seed.vmid, guest);
    Ok(())
}
