//! The account that the product uses: what it shall be, what it is, and the acts that lie between. Pure.
use crate::{
    model::{Answer, Class, Failure},
    providers::proxmox::{Grant, Release, Role},
};
use reqwest::Method;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
};

const COMMENT: &str = "made by `trueup setup token`";

/// What it shall be.
pub(super) struct Account {
    /// `trueup@pve`.
    pub user: String,
    pub grants: BTreeSet<Grant>,
    pub release: Release,
}

/// What is there already.
#[derive(Default)]
pub(super) struct Seen {
    pub roles: BTreeMap<String, BTreeSet<String>>,
    pub users: BTreeSet<String>,
    /// The names behind `user!`.
    pub tokens: BTreeSet<String>,
    /// Path, user or token, role; with whether it is passed on to what is below.
    pub granted: BTreeMap<(String, String, String), bool>,
}

/// What can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask<'a> {
    Roles,
    Users,
    Tokens(&'a str),
    Acl,
}

/// What can be done. Data: it is shown, and it is what runs, by the API or by `pveum`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Act {
    AddRole { name: &'static str, privileges: String },
    SetRole { name: &'static str, privileges: String },
    AddUser { user: String },
    AddToken { user: String, token: String },
    Grant { path: String, role: Role, user: String, token: String },
    RemoveToken { user: String, token: String },
}

impl Account {
    /// Those that give something in this release.
    fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(|grant| !grant.privileges(self.release).is_empty())
    }

    fn roles(&self) -> BTreeSet<Role> {
        self.grants().map(|grant| grant.role).collect()
    }

    /// Everything that is to be done so that `user!token` may do what it must. In this order.
    pub fn acts(&self, seen: &Seen, token: &str) -> Vec<Act> {
        let mut acts = vec![];
        for role in self.roles() {
            let wanted: BTreeSet<String> = role.privileges(self.release).into_iter().map(str::to_owned).collect();
            let privileges = wanted.iter().cloned().collect::<Vec<_>>().join(",");
            match seen.roles.get(role.name()) {
                None => acts.push(Act::AddRole { name: role.name(), privileges }),
                Some(held) if *held != wanted => acts.push(Act::SetRole { name: role.name(), privileges }),
                Some(_) => {}
            }
        }
        let user = &self.user;
        if !seen.users.contains(user) {
            acts.push(Act::AddUser { user: user.clone() });
        }
        if !seen.tokens.contains(token) {
            acts.push(Act::AddToken { user: user.clone(), token: token.into() });
        }
        let whole = format!("{user}!{token}");
        for Grant { path, role } in self.grants() {
            let held = |id: &str| seen.granted.get(&(path.clone(), id.to_owned(), role.name().to_owned()));
            let has = |id: &str| held(id) == Some(&role.is_passed_on());
            if !has(user) || !has(&whole) {
                acts.push(Act::Grant { path: path.clone(), role: *role, user: user.clone(), token: token.into() });
            }
        }
        acts
    }
}

impl Ask<'_> {
    /// Below `/access`.
    pub fn path(self) -> String {
        match self {
            Self::Roles => "/roles".into(),
            Self::Users => "/users".into(),
            Self::Tokens(user) => format!("/users/{}/token", segment(user)),
            Self::Acl => "/acl".into(),
        }
    }

    pub fn pveum(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Roles => &["role", "list"],
            Self::Users => &["user", "list"],
            Self::Tokens(user) => &["user", "token", "list", user],
            Self::Acl => &["acl", "list"],
        };
        command(words, &[("output-format", "json")])
    }
}

impl Act {
    /// Below `/access`.
    pub fn api(&self) -> (Method, String, Vec<(String, String)>) {
        let pairs = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        match self {
            Self::AddRole { name, privileges } => {
                (Method::POST, "/roles".into(), pairs(&[("roleid", name), ("privs", privileges)]))
            }
            Self::SetRole { name, privileges } => {
                (Method::PUT, format!("/roles/{}", segment(name)), pairs(&[("privs", privileges)]))
            }
            Self::AddUser { user } => (Method::POST, "/users".into(), pairs(&[("userid", user), ("comment", COMMENT)])),
            Self::AddToken { user, token } => {
                let path = format!("/users/{}/token/{}", segment(user), segment(token));
                (Method::POST, path, pairs(&[("privsep", "1"), ("comment", COMMENT)]))
            }
            Self::Grant { path, role, user, token } => {
                let token = format!("{user}!{token}");
                let mut all =
                    vec![("path", path.as_str()), ("roles", role.name()), ("users", user), ("tokens", &token)];
                all.extend(alone(*role));
                (Method::PUT, "/acl".into(), pairs(&all))
            }
            Self::RemoveToken { user, token } => {
                (Method::DELETE, format!("/users/{}/token/{}", segment(user), segment(token)), vec![])
            }
        }
    }

    pub fn pveum(&self) -> Vec<String> {
        match self {
            Self::AddRole { name, privileges } => command(&["role", "add", name], &[("privs", privileges)]),
            Self::SetRole { name, privileges } => command(&["role", "modify", name], &[("privs", privileges)]),
            Self::AddUser { user } => command(&["user", "add", user], &[("comment", COMMENT)]),
            Self::AddToken { user, token } => command(
                &["user", "token", "add", user, token],
                &[("privsep", "1"), ("comment", COMMENT), ("output-format", "json")],
            ),
            Self::Grant { path, role, user, token } => {
                let token = format!("{user}!{token}");
                let mut all = vec![("roles", role.name()), ("users", user.as_str()), ("tokens", &token)];
                all.extend(alone(*role));
                command(&["acl", "modify", path], &all)
            }
            Self::RemoveToken { user, token } => command(&["user", "token", "remove", user, token], &[]),
        }
    }

    /// As a person would type it on a node.
    pub fn command(&self) -> String {
        let words = self.pveum();
        let plain = |word: &String| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./,@=".contains(&b));
        words.iter().map(|w| if plain(w) { w.clone() } else { format!("'{w}'") }).collect::<Vec<_>>().join(" ")
    }
}

impl Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddRole { name, privileges } => write!(f, "make the role {name} ({})", privileges.replace(',', " ")),
            Self::SetRole { name, privileges } => write!(f, "set the role {name} to {}", privileges.replace(',', " ")),
            Self::AddUser { user } => write!(f, "make the user {user}, who cannot log in"),
            Self::AddToken { user, token } => write!(f, "make the token {user}!{token}"),
            Self::Grant { path, role, user, token } => {
                let alone = if role.is_passed_on() { "" } else { " alone" };
                write!(f, "grant {role} on {path}{alone} to {user} and its token {token}")
            }
            Self::RemoveToken { user, token } => write!(f, "remove the token {user}!{token}"),
        }
    }
}

impl Seen {
    pub fn set_roles(&mut self, rows: &Value) -> Answer<()> {
        for row in list("the roles", rows)? {
            let privileges = text(row, "privs").split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect();
            self.roles.insert(text(row, "roleid"), privileges);
        }
        Ok(())
    }

    pub fn set_users(&mut self, rows: &Value) -> Answer<()> {
        self.users = list("the users", rows)?.iter().map(|row| text(row, "userid")).collect();
        Ok(())
    }

    pub fn set_tokens(&mut self, rows: &Value) -> Answer<()> {
        self.tokens = list("the tokens", rows)?.iter().map(|row| text(row, "tokenid")).collect();
        Ok(())
    }

    pub fn set_acl(&mut self, rows: &Value) -> Answer<()> {
        let passed_on = |row: &Value| row.get("propagate").is_none_or(|on| text_of(on) == "1");
        let entries = list("who may do what", rows)?.iter();
        let entry = |row| ((text(row, "path"), text(row, "ugid"), text(row, "roleid")), passed_on(row));
        self.granted = entries.map(entry).collect();
        Ok(())
    }
}

fn list<'a>(what: &str, rows: &'a Value) -> Answer<&'a Vec<Value>> {
    rows.as_array().ok_or_else(|| {
        Failure::new(Class::Transient, format!("read {what}"), "the answer is not a list")
            .hint("is this really a Proxmox VE?")
    })
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).map(text_of).unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(on) => u8::from(*on).to_string(),
        other => other.to_string(),
    }
}

/// Where a role is for its path alone.
fn alone(role: Role) -> Option<(&'static str, &'static str)> {
    (!role.is_passed_on()).then_some(("propagate", "0"))
}

fn command(words: &[&str], options: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec!["pveum".to_owned()];
    all.extend(words.iter().map(|word| (*word).to_owned()));
    for (name, value) in options {
        all.extend([format!("--{name}"), (*value).to_owned()]);
    }
    all
}

fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn account() -> Account {
        let grants = [Grant::whole(Role::Guests), Grant::on(Role::Disks, "fast")].into();
        Account { user: "trueup@pve".into(), grants, release: "9.2".parse().unwrap() }
    }

    fn lines(acts: &[Act]) -> String {
        acts.iter().map(Act::command).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn from_nothing_everything_is_made_in_order() {
        insta::assert_snapshot!(lines(&account().acts(&Seen::default(), "trueup")), @"
        pveum role add TrueupGuests --privs VM.Allocate,VM.Audit,VM.Config.CPU,VM.Config.Disk,VM.Config.Memory,VM.Config.Network,VM.Config.Options,VM.PowerMgmt
        pveum role add TrueupDisks --privs Datastore.AllocateSpace
        pveum user add trueup@pve --comment 'made by `trueup setup token`'
        pveum user token add trueup@pve trueup --privsep 1 --comment 'made by `trueup setup token`' --output-format json
        pveum acl modify /storage/fast --roles TrueupDisks --users trueup@pve --tokens 'trueup@pve!trueup'
        pveum acl modify /vms --roles TrueupGuests --users trueup@pve --tokens 'trueup@pve!trueup'
        ");
    }

    #[test]
    fn only_what_differs_is_done() {
        let mut seen = Seen::default();
        let guests = account().release;
        let privileges = Role::Guests.privileges(guests).into_iter().collect::<Vec<_>>().join(",");
        seen.set_roles(&json!([
            {"roleid": "TrueupGuests", "privs": privileges}, {"roleid": "TrueupDisks", "privs": "Datastore.Audit"}
        ]))
        .unwrap();
        seen.set_users(&json!([{"userid": "trueup@pve"}])).unwrap();
        seen.set_tokens(&json!([{"tokenid": "trueup"}])).unwrap();
        seen.set_acl(&json!([
            {"path": "/vms", "type": "user", "ugid": "trueup@pve", "roleid": "TrueupGuests", "propagate": 1},
            {"path": "/vms", "type": "token", "ugid": "trueup@pve!trueup", "roleid": "TrueupGuests", "propagate": "1"},
            {"path": "/storage/fast", "type": "user", "ugid": "trueup@pve", "roleid": "TrueupDisks", "propagate": 0},
        ]))
        .unwrap();
        insta::assert_snapshot!(lines(&account().acts(&seen, "trueup")), @"
        pveum role modify TrueupDisks --privs Datastore.AllocateSpace
        pveum acl modify /storage/fast --roles TrueupDisks --users trueup@pve --tokens 'trueup@pve!trueup'
        ");
        assert!(seen.set_roles(&json!({"a": 1})).is_err());
    }
}
