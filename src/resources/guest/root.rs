//! What only root's own session may: `pct set` on the node.
use crate::{
    model::{Answer, Class, Failure},
    providers::{
        host::{Host, Limits},
        proxmox::At,
    },
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Sets and removes options of a container on its node, against the configuration of this digest.
///
/// # Errors
/// `Conflict` when the configuration is another by now, `Busy` when a task holds the guest, `NotFound` when the guest is not on
/// this node, `Invalid` for what Proxmox refuses.
pub async fn set(
    host: &Host,
    guest: &At,
    set: &BTreeMap<String, String>,
    delete: &[String],
    digest: &str,
) -> Answer<()> {
    let vmid = guest.vmid.to_string();
    let (deleted, mut options) = (delete.join(","), vec![]);
    for (key, value) in set {
        options.extend([format!("--{key}"), value.clone()]);
    }
    let mut argv: Vec<&str> = vec!["pct", "set", &vmid];
    argv.extend(options.iter().map(String::as_str));
    if !delete.is_empty() {
        argv.extend(["--delete", &deleted]);
    }
    argv.extend(["--digest", digest]);
    let output = host.run(&argv, Bytes::new(), Limits::default()).await?;
    if output.status == 0 {
        return Ok(());
    }
    let (attempted, why) = (format!("change {guest} as root on its node"), output.complaint());
    let said = |text: &str| why.contains(text);
    let (class, hint) = if said("detected modified configuration") {
        (Class::Conflict, None)
    } else if said("got timeout") || said("is locked") {
        (Class::Busy, None)
    } else if said("does not exist") && said(".conf") {
        (Class::NotFound, Some("the Site's `host` has to be the node on which the guest is"))
    } else {
        (Class::Invalid, None)
    };
    let failure = Failure::new(class, attempted, why);
    Err(match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}
