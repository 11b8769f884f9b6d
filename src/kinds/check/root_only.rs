//! What Proxmox grants to the session of `root@pam` alone goes through the Site's host: where there is none it cannot be done.
use super::spot;
use crate::{
    kinds::{
        Declarations,
        container::{Container, Feature},
    },
    manifest::Diagnostic,
};

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    if declarations.site().is_none_or(|site| site.spec.host.is_some()) {
        return;
    }
    for guest in declarations.containers.values() {
        for (path, what) in asked(&guest.spec) {
            let message = format!("{what} is granted by Proxmox to root@pam alone, and the Site has no `host`");
            let mistake = Diagnostic::error("needs-host", spot(guest, &path), message);
            found.push(mistake.hint("give the Site a `host` (the node on which the guest is), or leave it out"));
        }
    }
}

/// Where a container asks for it, and for what.
fn asked(spec: &Container) -> Vec<(String, String)> {
    let mut all = vec![];
    for (i, feature) in spec.features.iter().flatten().enumerate() {
        if !spec.unprivileged {
            all.push((format!("spec.features.{i}"), format!("the feature `{feature}` of a privileged container")));
        } else if *feature != Feature::Nesting {
            all.push((format!("spec.features.{i}"), format!("the feature `{feature}`")));
        }
    }
    for (i, _) in spec.mount_points.iter().enumerate().filter(|(_, mount)| mount.source.is_some()) {
        all.push((format!("spec.mountPoints.{i}.source"), "mounting a directory of the node".into()));
    }
    for (i, _) in spec.devices.iter().enumerate() {
        all.push((format!("spec.devices.{i}.path"), "handing in a device of the node".into()));
    }
    if spec.hook_script.is_some() {
        all.push(("spec.hookScript".into(), "a hook script".into()));
    }
    all
}
