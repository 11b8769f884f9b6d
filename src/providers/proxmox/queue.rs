//! Who works at the same time. One write at a guest, because a second one would only wait for its lock file; a few new
//! volumes on a storage, because each holds the storage's lock while it is allocated and gives up after ten seconds
//! (`PVE::Storage::Plugin::cluster_lock_storage`). Whoever stands in this queue has sent nothing yet.
use super::values::Pairs;
use reqwest::Method;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many calls at once may make volumes on one storage.
pub const PER_STORAGE: usize = 3;

/// What one call has to itself, or shares with a few. In this order they are asked for, so that nobody waits in a circle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Lane {
    Guest(u32),
    Storage(String),
}

impl Lane {
    fn width(&self) -> usize {
        match self {
            Self::Guest(_) => 1,
            Self::Storage(_) => PER_STORAGE,
        }
    }
}

/// All lanes that somebody uses or has used.
#[derive(Default)]
pub(super) struct Queue(Mutex<BTreeMap<Lane, Arc<Semaphore>>>);

/// A turn; the next one's begins when it goes.
pub(super) struct Turn {
    _held: Vec<OwnedSemaphorePermit>,
}

impl Queue {
    /// Waits until all these lanes have room, in the order of arrival at each.
    pub async fn turn(&self, lanes: &BTreeSet<Lane>) -> Turn {
        let mut held = vec![];
        for lane in lanes {
            let semaphore = {
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.entry(lane.clone()).or_insert_with(|| Arc::new(Semaphore::new(lane.width()))).clone()
            };
            // It is never closed.
            held.extend(semaphore.acquire_owned().await);
        }
        Turn { _held: held }
    }
}

/// What a write needs, read from the call itself: nobody can forget to say it.
pub(super) fn lanes(method: &Method, path: &str, pairs: &Pairs) -> BTreeSet<Lane> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let pair = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let number = |text: &str| text.parse().ok().map(Lane::Guest);
    let mut lanes = BTreeSet::new();
    match parts[..] {
        ["nodes", _, "lxc" | "qemu"] if *method == Method::POST => {
            lanes.extend(pair("vmid").and_then(number));
            lanes.extend(storages(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))).map(Lane::Storage));
        }
        ["nodes", _, kind @ ("lxc" | "qemu"), vmid, "clone"] => {
            // A container is locked while it is copied; a machine may be copied several times at once.
            lanes.extend((kind == "lxc").then(|| number(vmid)).flatten());
            lanes.extend(pair("newid").and_then(number));
            let storage = pair("storage").map_or_else(|| format!("of guest {vmid}"), str::to_owned);
            lanes.insert(Lane::Storage(storage));
        }
        ["nodes", _, "lxc" | "qemu", vmid, ..] => {
            lanes.extend(number(vmid));
            lanes.extend(storages(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))).map(Lane::Storage));
        }
        _ => {}
    }
    lanes
}

/// The storages on which these settings of a guest make volumes: `rootfs=local:8` does, `rootfs=local:101/x.raw` does not.
pub fn storages<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>) -> impl Iterator<Item = String> {
    settings.filter(|(key, _)| is_disk(key)).filter_map(|(_, value)| {
        let volume = value.split(',').next()?;
        let (storage, what) = volume.trim_start_matches("volume=").trim_start_matches("file=").split_once(':')?;
        let new = what == "cloudinit" || what.parse::<f64>().is_ok();
        new.then(|| storage.to_owned())
    })
}

fn is_disk(key: &str) -> bool {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(stem, "rootfs" | "mp" | "scsi" | "virtio" | "sata" | "ide" | "efidisk" | "tpmstate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, path: &str, pairs: &[(&str, &str)]) -> String {
        let pairs: Pairs = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        format!("{:?}", lanes(&method, path, &pairs))
    }

    #[test]
    fn a_call_says_itself_what_it_needs() {
        let create = [("vmid", "101"), ("rootfs", "fast:8"), ("mp0", "slow:2,mp=/a"), ("net0", "name=eth0:1")];
        assert_eq!(of(Method::POST, "/nodes/pve1/lxc", &create), r#"{Guest(101), Storage("fast"), Storage("slow")}"#);
        let set = [("memory", "512"), ("rootfs", "fast:101/vm-101-disk-0.raw,size=8G")];
        assert_eq!(of(Method::PUT, "/nodes/pve1/lxc/101/config", &set), "{Guest(101)}");
        let disk = [("scsi1", "fast:32,discard=on"), ("ide2", "slow:cloudinit")];
        assert_eq!(
            of(Method::POST, "/nodes/pve1/qemu/9/config", &disk),
            r#"{Guest(9), Storage("fast"), Storage("slow")}"#
        );
        let copy = [("newid", "102"), ("full", "1"), ("storage", "fast")];
        assert_eq!(of(Method::POST, "/nodes/pve1/qemu/101/clone", &copy), r#"{Guest(102), Storage("fast")}"#);
        assert_eq!(
            of(Method::POST, "/nodes/pve1/lxc/101/clone", &copy[..1]),
            r#"{Guest(101), Guest(102), Storage("of guest 101")}"#
        );
        assert_eq!(of(Method::POST, "/nodes/pve1/lxc/101/status/start", &[]), "{Guest(101)}");
        assert_eq!(of(Method::PUT, "/access/acl", &[("path", "/")]), "{}");
    }
}
