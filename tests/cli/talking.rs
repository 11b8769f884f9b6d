//! That something is seen while it works, and where.
use crate::environment::{Environment, events};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use trueup::sandbox::{
    control::Ask,
    faults::{Fault, What},
};

fn site() -> Environment {
    let mut environment = Environment::with_site();
    environment.start_sandbox();
    environment
}

fn spawn(environment: &Environment, arguments: &[&str]) -> Child {
    let mut command = environment.command(&[&["reconcile", "--sandbox", "sandbox"], arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The first word comes within 0.3 s, even when an API never answers. The best of a few runs counts: other tests run
/// beside this one.
#[test]
fn the_first_word_comes_within_three_tenths_of_a_second() {
    let environment = site();
    environment.ask(&Ask::AddFault(Fault::new(What::Hold).on("proxmox", "GET *")));
    let first_word = || {
        let began = Instant::now();
        let mut child = spawn(&environment, &[]);
        let read = child.stderr.take().unwrap().read_exact(&mut [0]);
        let took = began.elapsed();
        read.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        took
    };
    let best = (0..10).map(|_| first_word()).min().unwrap();
    println!("first word: {} ms after the start", best.as_millis());
    assert!(best < Duration::from_millis(300), "{best:?}");
}

/// While an API is slow there is a sign of life every few seconds, with what is being done; it goes to standard error
/// alone, so that a program that reads standard output reads nothing but events.
#[test]
fn a_slow_api_is_waited_for_with_signs_of_life_and_they_are_not_in_the_events() {
    let environment = site();
    environment.ask(&Ask::AddFault(Fault::new(What::Hold).on("proxmox", "POST */lxc")));
    let began = Instant::now();
    let mut child = spawn(&environment, &["--output", "json"]);
    let mut beats = vec![];
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        assert!(!line.contains('\u{1b}'), "{line:?}: nobody watches");
        if line.starts_with("… ") {
            beats.push((began.elapsed(), line));
        }
        if beats.iter().filter(|(_, line)| line.contains("applying")).count() == 2 {
            break;
        }
    }
    child.kill().unwrap();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    child.wait().unwrap();
    let said = &beats.last().unwrap().1;
    assert!(said.contains(" steps: create guest/100"), "{said}");
    let (one, two) = (beats[beats.len() - 2].0, beats[beats.len() - 1].0);
    assert!(two - one < Duration::from_secs(8), "{beats:?}");
    let names: Vec<_> = events(&told).iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains(&"started".to_owned()), "{names:?}");
    assert!(!told.contains('…'), "{told}");
}

/// What is done is said while it is done: each step as it begins and ends, before the pass is over.
#[test]
fn each_step_is_told_when_it_begins_and_ends() {
    let environment = site();
    environment.ask(&Ask::AddFault(Fault::new(What::Hold).on("cloudflare", "POST *")));
    let mut child = spawn(&environment, &["--output", "json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The record is never made, so what is told is told while the pass goes on.
    for event in [r#""event":"started""#, r#""event":"ended""#] {
        assert!(lines.any(|line| line.contains(event) && line.contains("guest/100")), "{event}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A plan and a summary have colours on request, and none with `NO_COLOR`, whatever else is asked for.
#[test]
fn a_pass_has_no_colours_where_nobody_wants_them() {
    let environment = site();
    let run = |with: &[(&str, &str)]| {
        let mut command = environment.command(&["reconcile", "--sandbox", "sandbox", "--dry-run"]);
        let output = command.envs(with.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let forced = ("CLICOLOR_FORCE", "1");
    assert!(run(&[forced]).contains('\u{1b}'));
    for plain in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "dumb")]] {
        let told = run(plain);
        assert!(told.contains("Plan: ") && !told.contains('\u{1b}'), "{plain:?}: {told}");
    }
}
