//! `pveum` and `pveversion` at a node's console: the same calls as over HTTPS, as root, without a wire (`PVE::CLI::pveum`).
use super::{Simulator, schema::Raw};
use serde_json::{Value, json};

/// Words, verb, path, and the names of what follows the words.
type Verb = (&'static [&'static str], &'static str, &'static str, &'static [&'static str]);

const VERBS: &[Verb] = &[
    (&["user", "token", "list"], "GET", "/access/users/{userid}/token", &["userid"]),
    (&["user", "token", "add"], "POST", "/access/users/{userid}/token/{tokenid}", &["userid", "tokenid"]),
    (&["user", "token", "remove"], "DELETE", "/access/users/{userid}/token/{tokenid}", &["userid", "tokenid"]),
    (&["user", "token", "delete"], "DELETE", "/access/users/{userid}/token/{tokenid}", &["userid", "tokenid"]),
    (&["user", "list"], "GET", "/access/users", &[]),
    (&["user", "add"], "POST", "/access/users", &["userid"]),
    (&["user", "delete"], "DELETE", "/access/users/{userid}", &["userid"]),
    (&["role", "list"], "GET", "/access/roles", &[]),
    (&["role", "add"], "POST", "/access/roles", &["roleid"]),
    (&["role", "modify"], "PUT", "/access/roles/{roleid}", &["roleid"]),
    (&["role", "delete"], "DELETE", "/access/roles/{roleid}", &["roleid"]),
    (&["acl", "list"], "GET", "/access/acl", &[]),
    (&["acl", "modify"], "PUT", "/access/acl", &["path"]),
];

/// Whether a command changes anything.
pub fn writes(argv: &[&str]) -> bool {
    find(argv).is_some_and(|((_, verb, ..), _)| *verb != "GET")
}

fn find<'a>(argv: &'a [&'a str]) -> Option<(&'static Verb, &'a [&'a str])> {
    let words = argv.split_first().filter(|(program, _)| **program == "pveum")?.1;
    VERBS.iter().find_map(|verb| Some((verb, words.strip_prefix(verb.0)?)))
}

/// Runs one: what it prints, or what it says on standard error.
///
/// # Errors
/// The text of the refusal.
pub fn run(simulator: &Simulator, argv: &[&str]) -> Result<String, String> {
    if argv == ["pveversion"] {
        let (version, _, repository) = simulator.snapshot().release.spelled();
        return Ok(format!("pve-manager/{version}/{repository} (running kernel: 6.17.2-1-pve)\n"));
    }
    let ((_, verb, path, names), rest) = find(argv).ok_or("ERROR: unknown command")?;
    let (mut given, mut path) = (Raw::new(), (*path).to_owned());
    let mut rest = rest.iter();
    for name in *names {
        let value = rest.next().ok_or("400 not enough arguments")?;
        let place = format!("{{{name}}}");
        if path.contains(&place) {
            path = path.replace(&place, value);
        } else {
            given.insert((*name).into(), json!(value));
        }
    }
    let mut as_json = false;
    while let Some(option) = rest.next() {
        let name = option.strip_prefix("--").ok_or("400 too many arguments")?;
        let value = rest.next().ok_or_else(|| format!("Option {name} requires an argument"))?;
        match name {
            "output-format" => as_json = *value == "json",
            _ => _ = given.insert(name.into(), json!(value)),
        }
    }
    match simulator.at_console(verb, &path, given)? {
        Value::Null => Ok(String::new()),
        // Its table for people is not drawn.
        _ if !as_json => Ok(String::new()),
        data => Ok(format!("{data}\n")),
    }
}
