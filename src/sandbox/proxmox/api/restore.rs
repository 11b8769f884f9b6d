//! Machines and containers out of backups.
use super::storage;
use crate::sandbox::proxmox::{
    call::{Answer, Call},
    refusal::{Refusal, Result},
};

/// `POST /nodes/{node}/qemu` with an archive.
///
/// # Errors
/// There is no such backup, or somebody may not read it.
pub fn qemu(call: &mut Call<'_>) -> Result<Answer> {
    let volid = call.arg("archive").unwrap_or_default().to_string();
    storage::may_use(call.world, &call.who, Some(call.vmid()), &volid, "backup")?;
    storage::volume(call.world, &volid)?;
    Err(Refusal::not_simulated("restoring a virtual machine from a backup"))
}
