//! Somebody else, who destroys a guest of ours and makes one of their own under its id.
use std::{collections::BTreeMap, fs, path::Path};
use trueup::sandbox::site::Site;

const NODE: &str = "/nodes/pve1/lxc";

/// Everything of a guest: its configuration, whether it runs, and every file in it that could be ours.
pub fn whole(site: &Site, vmid: u32) -> String {
    let state = serde_json::to_value(site.proxmox.snapshot()).unwrap();
    let mut files = BTreeMap::new();
    collect(&site.node.guest_root(vmid), &mut files);
    format!("{} {files:?}", state["guests"][vmid.to_string()])
}

fn collect(at: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    if at.is_dir() {
        fs::read_dir(at).unwrap().for_each(|entry| collect(&entry.unwrap().path(), all));
    } else if at.file_name().is_some_and(|name| name.to_string_lossy().contains("trueup")) {
        all.insert(at.display().to_string(), fs::read(at).unwrap_or_default());
    }
}

/// The guest is theirs, and nothing in it is ours. Gives back all of it.
pub fn take_over(site: &Site, vmid: u32) -> String {
    destroy(site, vmid);
    make(site, vmid);
    whole(site, vmid)
}

/// As root does at the node; tasks have ended when this comes back.
pub fn destroy(site: &Site, vmid: u32) {
    if site.proxmox.guest(vmid).is_some_and(|guest| guest.running) {
        call(site, "POST", &format!("{NODE}/{vmid}/status/stop"), &[]);
        until(|| site.proxmox.guest(vmid).is_some_and(|guest| !guest.running));
    }
    call(site, "DELETE", &format!("{NODE}/{vmid}"), &[]);
    until(|| site.proxmox.guest(vmid).is_none());
}

fn make(site: &Site, vmid: u32) {
    let id = vmid.to_string();
    let template = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst";
    let given = [("vmid", &*id), ("hostname", "theirs"), ("storage", "local"), ("ostemplate", template)];
    call(site, "POST", NODE, &given);
    until(|| site.proxmox.guest(vmid).is_some() && !whole(site, vmid).contains(r#""lock":"create""#));
}

fn call(site: &Site, verb: &str, path: &str, given: &[(&str, &str)]) {
    let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    site.proxmox.as_root(verb, path, given).unwrap();
}

/// A task has its effect when it is next looked at.
fn until(done: impl Fn() -> bool) {
    assert!((0..1_000_000).any(|_| done()), "a task did not end");
}
