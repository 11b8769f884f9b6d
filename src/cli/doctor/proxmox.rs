//! Proxmox VE: its endpoints, what the token may do there, and what the manifests name.
use super::finding::Finding;
use crate::{
    cli::setup::mend,
    kinds::{Declarations, grants},
    providers::proxmox::{Grant, Proxmox, Release},
};
use std::collections::BTreeSet;

/// Seconds by which a clock may be off before somebody should look: certificates and logs go by it.
const CLOCK: i64 = 5;

pub(super) async fn examine(declarations: &Declarations, client: Option<&Proxmox>) -> Vec<Finding> {
    let Some(pve) = client else { return vec![Finding::not_asked("endpoint", "Proxmox VE was left out")] };
    let mut findings = vec![];
    for (name, alone) in pve.each_endpoint() {
        findings.extend(endpoint(&name, &alone).await);
    }
    let release = match pve.version().await {
        Ok(release) => release,
        Err(_) => {
            findings.push(Finding::not_asked("privilege", "no endpoint answers"));
            return findings;
        }
    };
    findings.extend(privileges(declarations, pve, release).await);
    findings.extend(places(declarations, pve).await);
    findings.extend(templates(declarations, pve).await);
    findings
}

async fn endpoint(name: &str, pve: &Proxmox) -> Vec<Finding> {
    let about = "endpoint";
    let release = match pve.version().await {
        Ok(release) => release,
        Err(failure) => return vec![Finding::failed(about, failure)],
    };
    let text = format!("{name} answers with a certificate that is trusted; Proxmox VE {release}");
    let mut findings = vec![match release >= Release::OLDEST {
        true => Finding::good(about, text),
        false => Finding::doubtful(
            about,
            format!("{text}, which is older than {}, the oldest that was tried", Release::OLDEST),
        ),
    }];
    findings.push(match pve.clock_ahead() {
        Some(off) if off.abs() > CLOCK => {
            let word = if off > 0 { "ahead of" } else { "behind" };
            Finding::doubtful("clock", format!("that of {name} is {} s {word} ours", off.abs()))
                .hint("run an NTP client (chrony) on both")
        }
        Some(_) => Finding::good("clock", format!("that of {name} agrees with ours")),
        None => Finding::not_asked("clock", format!("{name} does not say its time")),
    });
    findings
}

async fn privileges(declarations: &Declarations, pve: &Proxmox, release: Release) -> Vec<Finding> {
    let about = "privilege";
    let token = pve.identity().unwrap_or("the token").to_owned();
    let roles = pve.access("list the roles", "/roles").await.unwrap_or_default();
    let mut findings = vec![];
    let needed = grants::grants(declarations).into_iter().filter(|grant| !grant.privileges(release).is_empty());
    for grant in needed {
        let Grant { path, role } = &grant;
        let held = match pve.permissions_on(path).await {
            Ok(held) => held,
            Err(failure) => {
                findings.push(Finding::failed(about, failure));
                continue;
            }
        };
        let missing = held.missing(&grant, release);
        findings.push(match missing.is_empty() {
            true => Finding::good(about, format!("{token} holds {role} on {path}")),
            false => {
                let names = missing.into_iter().collect::<Vec<_>>().join(", ");
                let text = format!("{token} lacks {names} on {path} (role {role})");
                Finding::wrong(about, text).hint(mend(&grant, release, &token, &roles))
            }
        });
    }
    // What is held at the top may be taken away further down.
    match pve.permissions().await {
        Ok(all) if !all.proves("VM.Audit", "/vms") => findings.push(
            Finding::wrong(about, "VM.Audit is not held on everything below /vms, so a list may leave guests out")
                .hint("look for entries below /vms, and for pools, that take it away: pveum acl list"),
        ),
        Ok(_) => {}
        Err(failure) => findings.push(Finding::failed(about, failure)),
    }
    findings
}

/// Nodes with the storages and bridges that guests want there.
async fn places(declarations: &Declarations, pve: &Proxmox) -> Vec<Finding> {
    let listed = match pve.nodes().await {
        Ok(listed) => listed,
        Err(failure) => return vec![Finding::failed("node", failure)],
    };
    let mut findings = vec![];
    for node in grants::nodes(declarations) {
        match listed.iter().find(|known| known.name == node) {
            Some(known) if known.online => findings.push(Finding::good("node", format!("{node} is online"))),
            Some(_) => {
                findings.push(Finding::wrong("node", format!("{node} is offline")));
                continue;
            }
            None => {
                let names: Vec<&str> = listed.iter().map(|known| known.name.as_str()).collect();
                let hint = format!("the cluster has {}", names.join(", "));
                findings.push(Finding::wrong("node", format!("there is no node {node}")).hint(hint));
                continue;
            }
        }
        findings.extend(storages(declarations, pve, &node).await);
        findings.extend(bridges(declarations, pve, &node).await);
    }
    findings
}

async fn storages(declarations: &Declarations, pve: &Proxmox, node: &str) -> Vec<Finding> {
    let about = "storage";
    let listed = match pve.storages(node).await {
        Ok(listed) => listed,
        Err(failure) => return vec![Finding::failed(about, failure)],
    };
    let wanted = grants::storages_of_disks(declarations).into_iter();
    let wanted = wanted.map(|name| match listed.iter().find(|storage| storage.name == name) {
        None => Finding::wrong(about, format!("{node} has no storage {name}, or the token may not see it"))
            .hint("where it exists, the missing privilege is named above"),
        Some(storage) if !storage.active => Finding::wrong(about, format!("{name} on {node} is not active")),
        Some(storage) if !storage.content.contains("rootdir") && !storage.content.contains("images") => {
            Finding::wrong(about, format!("{name} on {node} takes no disks of guests"))
                .hint(format!("pvesm set {name} --content rootdir,…, or choose another storage"))
        }
        Some(_) => Finding::good(about, format!("{name} on {node} takes disks")),
    });
    wanted.collect()
}

async fn bridges(declarations: &Declarations, pve: &Proxmox, node: &str) -> Vec<Finding> {
    let about = "bridge";
    let listed = match pve.bridges(node).await {
        Ok(listed) => listed,
        Err(failure) => return vec![Finding::failed(about, failure)],
    };
    let wanted = grants::bridges(declarations).into_iter().map(|name| match listed.contains(&name) {
        true => Finding::good(about, format!("{name} is on {node}")),
        false => Finding::wrong(about, format!("{node} has no bridge {name}, or the token may not use it"))
            .hint("where it exists, the missing privilege is named above"),
    });
    wanted.collect()
}

/// The volumes that guests are made from. One that a Template brings may still be missing.
async fn templates(declarations: &Declarations, pve: &Proxmox) -> Vec<Finding> {
    let about = "template";
    let brought: BTreeSet<String> =
        declarations.templates.values().filter_map(|t| Some(t.spec.volume()?.to_string())).collect();
    let wanted: BTreeSet<String> = grants::volumes(declarations).collect();
    let nodes = grants::nodes(declarations);
    let mut findings = vec![];
    for volume in wanted {
        let Some((storage, content)) = volume.split_once(':').and_then(|(s, f)| Some((s, f.split_once('/')?.0))) else {
            continue;
        };
        for node in &nodes {
            findings.push(match pve.storage_content(node, storage, content).await {
                Ok(there) if there.iter().any(|known| known.id == volume) => {
                    Finding::good(about, format!("{volume} is there, as {node} sees it"))
                }
                Ok(_) if brought.contains(&volume) => {
                    Finding::good(about, format!("{volume} is not on {node} yet; the next pass brings it"))
                }
                Ok(_) => Finding::wrong(about, format!("{volume} is not there, as {node} sees it"))
                    .hint("declare a Template that brings it, or download it on the node: pveam download STORAGE FILE"),
                Err(failure) => Finding::failed(about, failure),
            });
        }
    }
    findings
}
