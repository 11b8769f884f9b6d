//! The state in which a scenario begins, made from what the recorded reads of the start state show.
use super::{
    recording::{self, Exchange, Scenario},
    request::SECRET,
};
use crate::sandbox::proxmox::state::{
    Access, Bridge, Conf, Entry, Group, Lack, Node, Pool, State, Storage, Token, User, Volume, Whom,
};
use crate::sandbox::proxmox::{Release, secret_sum};
use anyhow::{Context, Result};
use serde_json::Value;

/// Used where no start state was recorded: one node, a bridge, a directory, a template, a full and a limited token.
const DOCUMENTED: &str = include_str!("start-state.jsonl");

/// Reads of a cluster in its start state.
pub struct Start {
    exchanges: Vec<Exchange>,
}

impl Start {
    /// Of a recorded start state, or the documented one.
    ///
    /// # Errors
    /// The documented one is part of the program and can be read.
    pub fn of(recorded: Option<&Scenario>) -> Result<Self> {
        let exchanges = match recorded {
            Some(scenario) => scenario.exchanges.clone(),
            None => recording::parse(DOCUMENTED).context("read the documented start state")?,
        };
        Ok(Self { exchanges })
    }

    /// The release that it says it is, where it is one that can be simulated.
    pub fn release(&self) -> Option<Release> {
        let (_, data) = self.reads().find(|(path, _)| *path == ["version"])?;
        match data["version"].as_str()?.split('.').next()? {
            "9" => Some(Release::V9_2_11),
            "8" => Some(Release::V8_4_21),
            _ => None,
        }
    }

    /// The answered data of each read that succeeded, by the segments of its path.
    fn reads(&self) -> impl Iterator<Item = (Vec<&str>, &Value)> {
        self.exchanges.iter().filter_map(|e| {
            let answer = e.response.as_ref().filter(|a| a.status == 200 && e.method == "GET")?;
            Some((e.path.split('/').filter(|s| !s.is_empty()).collect(), answer.body.get("data")?))
        })
    }

    /// The state as of `now` (Unix milliseconds).
    pub fn state(&self, release: Release, now: u64) -> State {
        let mut state = State { release, next_pid: 3000, booted: now.saturating_sub(7_200_000), ..State::default() };
        state.access.users.insert("root@pam".into(), User::default());
        // Users and nodes before what hangs on them.
        for (path, data) in self.reads() {
            match path.as_slice() {
                ["access", "users"] => rows(data).for_each(|row| plant_user(&mut state.access, row)),
                ["cluster", "status"] => rows(data).filter(|r| r["type"] == "node").for_each(|row| {
                    let node = state.nodes.entry(text(row, "name")).or_default();
                    node.address = text(row, "ip");
                }),
                ["storage"] => rows(data).for_each(|row| plant_storage(&mut state, row)),
                ["pools"] => rows(data).for_each(|row| {
                    let comment = row["comment"].as_str().map(str::to_string);
                    state.pools.insert(text(row, "poolid"), Pool { comment, ..Pool::default() });
                }),
                _ => {}
            }
        }
        for (path, data) in self.reads() {
            match path.as_slice() {
                ["access", "roles", role] => {
                    let held = data.as_object().into_iter().flatten().filter(|(_, v)| **v == 1);
                    state.access.roles.insert((*role).to_string(), held.map(|(k, _)| k.clone()).collect());
                }
                ["access", "acl"] => state.access.acl = rows(data).map(entry).collect(),
                ["access", "groups"] => {
                    for row in rows(data) {
                        let users =
                            text(row, "users").split(',').filter(|u| !u.is_empty()).map(str::to_string).collect();
                        let comment = row["comment"].as_str().map(str::to_string);
                        state.access.groups.insert(text(row, "groupid"), Group { comment, users });
                    }
                }
                ["access", "users", user, "token"] => {
                    let user = percent_encoding::percent_decode_str(user).decode_utf8_lossy().into_owned();
                    let tokens = rows(data).map(|row| (text(row, "tokenid"), token(row))).collect();
                    state.access.users.entry(user).or_default().tokens = tokens;
                }
                ["nodes", _, "storage"] => {
                    for row in rows(data) {
                        if let Some(storage) = state.storages.get_mut(&text(row, "storage")) {
                            storage.total = row["total"].as_u64().unwrap_or_default();
                        }
                    }
                }
                ["nodes", _, "storage", storage, "content"] => {
                    if let Some(storage) = state.storages.get_mut(*storage) {
                        storage.volumes.extend(rows(data).map(|row| (text(row, "volid"), volume(row))));
                    }
                }
                ["nodes", node, "network"] => {
                    let bridges = rows(data).filter(|r| r["type"] == "bridge").map(|r| (text(r, "iface"), bridge(r)));
                    state.nodes.entry((*node).to_string()).or_default().bridges = bridges.collect();
                }
                ["cluster", "resources"] => {
                    for row in rows(data).filter(|r| r["type"] == "node") {
                        plant_node(state.nodes.entry(text(row, "node")).or_default(), row);
                    }
                }
                ["cluster", "options"] => state.options = options(data),
                _ => {}
            }
        }
        let kvm: Vec<&str> = self.reads().filter_map(|(path, data)| has_kvm(&path, data)).collect();
        for (name, node) in &mut state.nodes {
            if !kvm.contains(&name.as_str()) {
                let lacks = [Lack::Kvm, Lack::PatchedQemu, Lack::Ovmf, Lack::Ifupdown2, Lack::NotificationTemplates];
                node.lacks = lacks.into();
            }
        }
        state.access.acl.sort();
        state
    }
}

/// The node whose processor is shown to virtualise. Where none was read, the installation is taken for one like that of
/// the documented recordings, on which no machine starts.
fn has_kvm<'a>(path: &[&'a str], data: &Value) -> Option<&'a str> {
    match path {
        ["nodes", node, "status"] => data["cpuinfo"]["hvm"].as_str().filter(|h| *h == "1").map(|_| *node),
        _ => None,
    }
}

fn rows(data: &Value) -> impl Iterator<Item = &Value> {
    data.as_array().into_iter().flatten()
}

fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_default().to_string()
}

/// Everything of an object that is no text of its own kind, as config lines.
fn more(row: &Value, but: &[&str]) -> Conf {
    let fields = row.as_object().into_iter().flatten().filter(|(k, _)| !but.contains(&k.as_str()));
    fields.map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_string))).collect()
}

fn plant_user(access: &mut Access, row: &Value) {
    let known = ["userid", "enable", "expire", "realm-type", "tokens", "groups"];
    let user = access.users.entry(text(row, "userid")).or_default();
    user.enable = row["enable"] != 0;
    user.expire = row["expire"].as_u64().unwrap_or_default();
    user.more = more(row, &known);
}

fn token(row: &Value) -> Token {
    Token {
        secret_sha256: secret_sum(SECRET),
        privsep: row["privsep"] != 0,
        expire: row["expire"].as_u64().unwrap_or_default(),
        comment: row["comment"].as_str().map(str::to_string),
    }
}

fn entry(row: &Value) -> Entry {
    let whom = match row["type"].as_str() {
        Some("token") => Whom::Token,
        Some("group") => Whom::Group,
        _ => Whom::User,
    };
    Entry {
        path: text(row, "path"),
        whom,
        id: text(row, "ugid"),
        role: text(row, "roleid"),
        propagate: row["propagate"] != 0,
    }
}

fn plant_storage(state: &mut State, row: &Value) {
    let content = text(row, "content").split(',').filter(|c| !c.is_empty()).map(str::to_string).collect();
    let storage = Storage {
        kind: text(row, "type"),
        content,
        path: row["path"].as_str().map(str::to_string),
        more: more(row, &["storage", "type", "content", "path", "digest"]),
        ..Storage::default()
    };
    state.storages.insert(text(row, "storage"), storage);
}

fn volume(row: &Value) -> Volume {
    Volume {
        content: text(row, "content"),
        format: text(row, "format"),
        size: row["size"].as_u64().unwrap_or_default(),
        vmid: row["vmid"].as_u64().and_then(|v| v.try_into().ok()),
        created: row["ctime"].as_u64().unwrap_or_default(),
        notes: row["notes"].as_str().map(str::to_string),
        protected: row["protected"] == 1,
        ..Volume::default()
    }
}

fn bridge(row: &Value) -> Bridge {
    let owned = |key: &str| row[key].as_str().map(str::to_string);
    let mtu = row["mtu"].as_str().and_then(|m| m.parse().ok()).unwrap_or(Bridge::default().mtu);
    Bridge { cidr: owned("cidr"), gateway: owned("gateway"), mtu }
}

fn plant_node(node: &mut Node, row: &Value) {
    node.cpus = row["maxcpu"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or(1);
    node.memory = row["maxmem"].as_u64().unwrap_or_default();
}

/// What stands in `datacenter.cfg`: a default that is always shown does not.
fn options(data: &Value) -> Conf {
    let set = data.as_object().into_iter().flatten().filter(|(k, v)| {
        v.as_str().is_some_and(|v| !v.is_empty()) && !(*k == "mac_prefix" && **v == "BC:24:11") && *k != "digest"
    });
    set.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_string())).collect()
}
