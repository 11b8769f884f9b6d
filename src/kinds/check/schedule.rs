//! What a schedule's fields must be, beyond their shape.
use super::{key_spot, site::timezone, spot};
use crate::{kinds::Declarations, manifest::Diagnostic};

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    for schedule in declarations.sync_schedules.values() {
        let spec = &schedule.spec;
        match (&spec.command, &spec.http) {
            (Some(_), Some(_)) => {
                let message = "`command` and `http` exclude each other";
                let mistake = Diagnostic::error("wrong-value", key_spot(schedule, "spec.http"), message);
                found.push(mistake.other(key_spot(schedule, "spec.command"), "and this").hint("keep one of them"));
            }
            (None, None) => {
                let message = "the schedule says not what to run";
                let mistake = Diagnostic::error("missing-field", spot(schedule, "metadata.name"), message);
                found.push(mistake.hint("add `command: [/path/of/program, argument]` or `http: { url: … }`"));
            }
            (Some(command), None) => match command.first() {
                None => {
                    let mistake =
                        Diagnostic::error("wrong-value", spot(schedule, "spec.command"), "the command is empty");
                    found.push(mistake.hint("write the program by its path, then its arguments"));
                }
                Some(program) if !program.starts_with('/') => {
                    let message = format!("the program `{program}` is not named by its path");
                    let mistake = Diagnostic::error("wrong-value", spot(schedule, "spec.command.0"), message);
                    found.push(mistake.hint("no shell and no search path is involved: write it as /usr/bin/python3"));
                }
                Some(_) => {}
            },
            (None, Some(_)) => {}
        }
        for (i, argument) in spec.command.iter().flatten().enumerate() {
            if argument.chars().any(char::is_control) {
                let message = "a control character cannot stand in a command";
                let spot = spot(schedule, &format!("spec.command.{i}"));
                found.push(
                    Diagnostic::error("wrong-value", spot, message).hint("put it into a file that the command reads"),
                );
            }
        }
        if let Some(zone) = &spec.timezone {
            timezone(zone, spot(schedule, "spec.timezone"), found);
        }
        if spec.retries.as_ref().is_some_and(|retries| !(1..=100).contains(&retries.limit)) {
            let message = "the number of retries is not between 1 and 100";
            let mistake = Diagnostic::error("wrong-value", spot(schedule, "spec.retries.limit"), message);
            found.push(mistake.hint("leave `retries` out for none"));
        }
        if spec.time_limit.is_some_and(|limit| limit.as_seconds() == 0) {
            let mistake = Diagnostic::error(
                "wrong-value",
                spot(schedule, "spec.timeLimit"),
                "a time limit of nothing ends every run",
            );
            found.push(mistake.hint("leave it out for no limit"));
        }
    }
}
