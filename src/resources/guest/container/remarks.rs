//! Differences of a container that no step makes go away.
use super::{Container, settings};
use crate::{
    model::Size,
    providers::proxmox::values::bytes,
    resources::guest::{Live, settings::size},
};

/// One text for each.
pub fn remarks(desired: &Container, live: &Live) -> Vec<String> {
    let mut said = vec![];
    if let Some(unprivileged) = desired.unprivileged {
        let is = settings::unprivileged(live);
        if is != unprivileged {
            said.push(format!(
                "unprivileged is {is}, not {unprivileged}: this cannot be changed in place, and nothing is recreated by itself"
            ));
        }
    }
    let mut shrink = |name: &str, is: Option<u64>, wanted: Size| {
        if let Some(is) = is.filter(|is| *is > wanted.bytes()) {
            said.push(format!("{name} has {}, more than the {wanted} of the manifest: disks only grow", size(is)));
        }
    };
    shrink("rootfs", settings::root_size(live), desired.rootfs.size);
    let mounts = settings::mounts(live);
    for wanted in &desired.mount_points {
        let is = mounts.get(&wanted.path).and_then(|(_, p)| p.get("size").and_then(bytes));
        shrink(&wanted.path, is, wanted.size);
    }
    for path in mounts.keys().filter(|path| desired.mount_points.iter().all(|m| m.path != **path)) {
        said.push(format!("the volume at {path} is not in the manifest: it is kept"));
    }
    said
}
