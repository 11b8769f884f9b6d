//! Ctrl-C.
use crate::environment::Environment;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};
use trueup::sandbox::{
    control::Ask,
    faults::{Fault, What},
};

fn press(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
}

#[test]
fn before_anything_was_changed_it_ends_at_once() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    environment.ask(&Ask::AddFault(Fault::new(What::Hold).on("proxmox", "GET *")));
    let child = environment.command(&["reconcile", "--sandbox", "sandbox"]).stderr(Stdio::piped()).spawn().unwrap();
    environment.ask(&Ask::WaitForHold);
    press(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8(output.stderr).unwrap().contains("stopped: nothing was changed"));
    assert_eq!(environment.writes(), 0);
}

#[test]
fn while_something_runs_the_first_waits_and_the_second_ends() {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    environment.ask(&Ask::AddFault(Fault::new(What::Hold).on("proxmox", "POST *").nth(1)));
    let mut child = environment.command(&["reconcile", "--sandbox", "sandbox"]).stderr(Stdio::piped()).spawn().unwrap();
    environment.ask(&Ask::WaitForHold);
    press(&child);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("stopping: what runs is waited for")));
    press(&child);
    assert!(lines.any(|line| line.starts_with("stopped in the middle")));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    environment.ask(&Ask::SetFaults(vec![]));
    let ran = environment.reconcile(&[]);
    assert_eq!(ran.code, 0, "the next pass converges: {}{}", ran.stdout, ran.stderr);
}
