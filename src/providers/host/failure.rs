//! What went wrong between us and a command, told apart from what the command itself said.
use super::{Output, scripts};
use crate::model::{Answer, Class, Failure};

/// A command as a person would name it: our own scripts by their name and path, never with their text.
pub fn name_of(argv: &[&str]) -> String {
    let inner = match argv {
        ["pct", "exec", vmid, "--", rest @ ..] => return format!("{} in guest {vmid}", name_of(rest)),
        other => other,
    };
    match inner {
        ["sh", "-c", script, name, path, ..] if scripts::by_text(script).is_some() => format!("{name} {path}"),
        [] => "run an empty command".to_owned(),
        _ => format!("run `{}`", inner.join(" ")),
    }
}

/// Exit 127 is how every shell says that the program is not there; nothing was executed.
pub(super) fn program_was_found(argv: &[&str], output: Output) -> Answer<Output> {
    if output.status != 127 {
        return Ok(output);
    }
    Err(Failure::new(
        Class::Unreachable,
        name_of(argv),
        match output.complaint() {
            text if text.is_empty() => "command not found".to_owned(),
            text => text,
        },
    )
    .hint("install the program there, or check the PATH of the account"))
}

/// `pct exec` dies with 255 before it starts anything when the guest is absent or stopped (seen on pve-manager 9.2.11).
pub(super) fn guest_was_there(vmid: u32, argv: &[&str], output: Output) -> Answer<Output> {
    if output.status == 0 {
        return Ok(output);
    }
    let complaint = output.complaint();
    let attempted = || format!("{} in guest {vmid}", name_of(argv));
    if complaint.contains(&format!("container '{vmid}' not running!")) {
        return Err(Failure::new(Class::Unreachable, attempted(), complaint).hint("start the guest"));
    }
    if complaint.contains(&format!("/lxc/{vmid}.conf' does not exist")) {
        return Err(Failure::new(Class::NotFound, attempted(), complaint));
    }
    Ok(output)
}
