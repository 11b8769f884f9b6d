//! Who asks, and what they may: tokens, roles along the path, and the `permissions` of the facts.
use super::{
    facts::Release,
    formats,
    refusal::{Refusal, Result},
    roles,
    schema::{Raw, split_list, text},
    state::{State, Whom},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who made a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Who {
    /// `root@pam`.
    pub user: String,
    pub token: Option<String>,
}

impl Who {
    /// As ACLs and UPIDs spell it: `root@pam!full`.
    pub fn id(&self) -> String {
        match &self.token {
            Some(token) => format!("{}!{token}", self.user),
            None => self.user.clone(),
        }
    }

    /// Who has not logged in.
    pub fn nobody() -> Self {
        Self { user: String::new(), token: None }
    }

    /// Whether this is root's own session. A token of root is not.
    pub fn is_root(&self) -> bool {
        self.token.is_none() && self.user == "root@pam"
    }
}

/// Privileges with whether they reach below the path.
pub type Privileges = BTreeMap<String, bool>;

impl State {
    /// The privileges of a role.
    pub fn role(&self, name: &str) -> Option<&BTreeSet<String>> {
        roles::built_in(name, self.release).or_else(|| self.access.roles.get(name))
    }

    fn roles_along(&self, who: &str, whom: Whom, path: &str) -> BTreeMap<String, bool> {
        if whom == Whom::User && who == "root@pam" {
            return [("Administrator".to_string(), true)].into();
        }
        let mut at: Vec<&str> = self.access.acl.iter().map(|e| e.path.as_str()).collect();
        at.sort_unstable();
        at.dedup();
        let mut roles = BTreeMap::new();
        for place in at {
            let here = place == path;
            if !(here || place == "/" || path.starts_with(&format!("{place}/"))) {
                continue;
            }
            let named = |of: Whom, id: &dyn Fn(&str) -> bool| -> BTreeMap<String, bool> {
                let entries = self.access.acl.iter().filter(|e| e.path == place && e.whom == of && id(&e.id));
                entries.filter(|e| here || e.propagate).map(|e| (e.role.clone(), e.propagate)).collect()
            };
            let own = named(whom, &|id| id == who);
            // What is said of a user hides what is said of its groups; what is said here hides what is said above.
            let said = if own.is_empty() && whom == Whom::User {
                named(Whom::Group, &|id| self.access.groups.get(id).is_some_and(|g| g.users.contains(who)))
            } else {
                own
            };
            if !said.is_empty() {
                roles = said;
            }
        }
        // It holds no privilege, and hides what a pool would give.
        if let Some(on) = roles.get("NoAccess") {
            return [("NoAccess".to_owned(), *on)].into();
        }
        let pools = self.pools_of(path).map(|pool| self.roles_along(who, whom, &format!("/pool/{pool}")));
        let of_pools: BTreeMap<String, bool> = pools.flatten().collect();
        if of_pools.contains_key("NoAccess") {
            return [("NoAccess".to_owned(), false)].into();
        }
        for role in of_pools.into_keys() {
            // What comes by way of a pool is never passed on.
            roles.entry(role).or_insert(false);
        }
        roles
    }

    fn pools_of<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let vm = path.strip_prefix("/vms/").and_then(|v| v.parse::<u32>().ok());
        let storage = path.strip_prefix("/storage/");
        self.pools.iter().filter_map(move |(name, pool)| {
            let holds = vm.is_some_and(|v| pool.vms.contains(&v)) || storage.is_some_and(|s| pool.storages.contains(s));
            holds.then_some(name.as_str())
        })
    }

    fn privileges_of(&self, who: &str, whom: Whom, path: &str) -> Privileges {
        let mut found = Privileges::new();
        for (role, propagate) in self.roles_along(who, whom, path) {
            for privilege in self.role(&role).into_iter().flatten() {
                match found.get_mut(privilege) {
                    Some(down) => *down |= propagate,
                    None => _ = found.insert(privilege.clone(), propagate),
                }
            }
        }
        found
    }

    /// What they may do at a path. A token with separated privileges may do what both it and its user may.
    pub fn privileges(&self, who: &Who, path: &str) -> Privileges {
        let users = self.privileges_of(&who.user, Whom::User, path);
        if !self.separated(who) {
            return users;
        }
        let tokens = self.privileges_of(&who.id(), Whom::Token, path);
        tokens.into_iter().filter_map(|(p, down)| Some((p.clone(), down && *users.get(&p)?))).collect()
    }

    /// Whether this is a token that has privileges of its own.
    fn separated(&self, who: &Who) -> bool {
        let Some(token) = &who.token else { return false };
        self.access.users.get(&who.user).and_then(|u| u.tokens.get(token)).is_none_or(|t| t.privsep)
    }

    /// Whether they hold all (or any) of the privileges at a path.
    pub fn may(&self, who: &Who, path: &str, needed: &[&str], any: bool) -> bool {
        if who.is_root() || self.is_all_of_root(who) {
            return true;
        }
        // As [`Self::privileges`] says, without making the whole list.
        let roles = |id: &str, whom: Whom| -> Vec<&BTreeSet<String>> {
            self.roles_along(id, whom, path).keys().filter_map(|role| self.role(role)).collect()
        };
        let users = roles(&who.user, Whom::User);
        let tokens = self.separated(who).then(|| roles(&who.id(), Whom::Token));
        let within = |roles: &[&BTreeSet<String>], privilege: &str| roles.iter().any(|role| role.contains(privilege));
        let mut has =
            needed.iter().map(|p| within(&users, p) && tokens.as_ref().is_none_or(|tokens| within(tokens, p)));
        if any { has.any(|h| h) } else { has.all(|h| h) }
    }

    /// Whether this is a token of root with all that root may. Most tests and demos have it: it is worth a short cut.
    fn is_all_of_root(&self, who: &Who) -> bool {
        let token = who.token.as_ref().filter(|_| who.user == "root@pam");
        token
            .is_some_and(|t| self.access.users.get(&who.user).and_then(|u| u.tokens.get(t)).is_some_and(|t| !t.privsep))
    }

    /// Demands privileges at a path.
    ///
    /// # Errors
    /// 403 that names the path and the first privilege that is missing.
    pub fn demand(&self, who: &Who, path: &str, needed: &[&str]) -> Result<()> {
        match needed.iter().find(|p| !self.may(who, path, &[p], false)) {
            Some(missing) => Err(Refusal::denied(format!("{path}, {missing}"))),
            None => Ok(()),
        }
    }

    /// Demands one of several privileges at a path.
    ///
    /// # Errors
    /// 403 that names the path and all of them.
    pub fn demand_any(&self, who: &Who, path: &str, needed: &[&str]) -> Result<()> {
        if self.may(who, path, needed, true) {
            return Ok(());
        }
        Err(Refusal::denied(format!("{path}, {}", needed.join("|"))))
    }

    /// Demands privileges on a guest, or on the pool that it is to join.
    ///
    /// # Errors
    /// 403.
    pub fn demand_guest(&self, who: &Who, vmid: u32, pool: Option<&str>, needed: &[&str]) -> Result<()> {
        if pool.is_some_and(|p| self.may(who, &format!("/pool/{p}"), needed, false)) {
            return Ok(());
        }
        self.demand(who, &format!("/vms/{vmid}"), needed)
    }

    /// Evaluates the `permissions` of a method, as `PVE::RPCEnvironment::check_api2_permissions` does.
    ///
    /// # Errors
    /// 403.
    pub fn permit(&self, who: &Who, permissions: Option<&Value>, given: &Raw) -> Result<()> {
        let world = permissions.is_some_and(|p| p["user"] == "world");
        if who.is_root() || (who.user.is_empty() && world) {
            return Ok(());
        }
        if who.user.is_empty() {
            return Err(Refusal::denied("user != null"));
        }
        let Some(wanted) = permissions else { return Err(Refusal::denied("user != root@pam")) };
        if matches!(wanted["user"].as_str(), Some("all" | "world")) {
            return Ok(());
        }
        match wanted["check"].as_array() {
            Some(check) => self.rule(who, check, given),
            None => Err(Refusal::denied("")),
        }
    }

    fn rule(&self, who: &Who, check: &[Value], given: &Raw) -> Result<()> {
        let word = check.first().and_then(Value::as_str).unwrap_or_default();
        let inner = || check.iter().skip(1).filter_map(Value::as_array);
        let option = |name: &str| check.iter().skip_while(|v| v.as_str() != Some(name)).nth(1);
        let param = |name: &str| given.get(name).map(text);
        match word {
            "and" => inner().try_for_each(|c| self.rule(who, c, given)),
            "or" => {
                if inner().any(|c| self.rule(who, c, given).is_ok()) {
                    return Ok(());
                }
                Err(Refusal::denied(""))
            }
            "perm" => {
                if option("require_param").and_then(Value::as_str).is_some_and(|p| param(p).is_none()) {
                    return Err(Refusal::denied(""));
                }
                let path = fill(check.get(1).and_then(Value::as_str).unwrap_or_default(), given);
                // A path with characters that no path has is none.
                let odd = |b: u8| !(b.is_ascii_alphanumeric() || b"/-_.@:!".contains(&b));
                let needed: Vec<&str> =
                    check.get(2).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
                if path.bytes().any(odd) {
                    return Err(Refusal::denied(format!(", {}", needed.join("|"))));
                }
                match option("any").is_some_and(|v| v.as_i64() == Some(1)) {
                    true => self.demand_any(who, &path, &needed),
                    false => self.demand(who, &path, &needed),
                }
            }
            "perm-modify" => {
                self.may_modify(who, &fill(check.get(1).and_then(Value::as_str).unwrap_or_default(), given))
            }
            "userid-param" => {
                let user = param("userid").unwrap_or_default();
                if formats::check("pve-userid", &user).is_err() {
                    return Err(Refusal::die(format!("value '{user}' does not look like a valid user name")));
                }
                match check.get(1).and_then(Value::as_str) {
                    Some("self") => {
                        self.user_exists(&user)?;
                        if who.id() == user { Ok(()) } else { Err(Refusal::denied("")) }
                    }
                    _ => {
                        let realm = user.rsplit_once('@').map_or("", |(_, r)| r);
                        self.demand(who, &format!("/access/realm/{realm}"), &["Realm.AllocateUser"])
                    }
                }
            }
            "userid-group" => self.over_user(who, check, given),
            _ => Err(Refusal::denied("")),
        }
    }

    fn over_user(&self, who: &Who, check: &[Value], given: &Raw) -> Result<()> {
        let needed: Vec<&str> =
            check.get(1).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let groups = check.iter().skip_while(|v| v.as_str() != Some("groups_param")).nth(1).and_then(Value::as_str);
        let user = given.get("userid").map(text).unwrap_or_default();
        if groups != Some("create") {
            self.user_exists(&user)?;
        }
        if self.may(who, "/access/groups", &needed, true) {
            return Ok(());
        }
        let over: Vec<&String> = self
            .access
            .groups
            .keys()
            .filter(|g| self.may(who, &format!("/access/groups/{g}"), &needed, true))
            .collect();
        if groups.is_some() {
            let named = split_list(&given.get("groups").map(text).unwrap_or_default());
            let all = needed.join("|");
            if named.is_empty() {
                return Err(Refusal::denied(format!("/access/groups, {all}")));
            }
            if let Some(bad) = named.iter().find(|n| !over.contains(n)) {
                return Err(Refusal::denied(format!("/access/groups/{bad}, {all}")));
            }
        }
        if groups != Some("create") && !over.iter().any(|g| self.access.groups[*g].users.contains(&user)) {
            return Err(Refusal::denied(""));
        }
        Ok(())
    }

    fn user_exists(&self, user: &str) -> Result<()> {
        if self.access.users.contains_key(user) {
            return Ok(());
        }
        Err(Refusal::die(format!("no such user ('{user}')")))
    }

    /// Who may change what others may at a path.
    ///
    /// # Errors
    /// 403.
    pub fn may_modify(&self, who: &Who, path: &str) -> Result<()> {
        let mut parts = path.split('/').skip(1);
        let enough: &[&str] = match (parts.next(), parts.next()) {
            (Some("storage"), Some(_)) => &["Permissions.Modify", "Datastore.Allocate"],
            (Some("vms"), Some(_)) => &["Permissions.Modify", "VM.Allocate"],
            (Some("pool"), Some(_)) => &["Permissions.Modify", "Pool.Allocate"],
            _ => &["Permissions.Modify"],
        };
        self.demand_any(who, path, enough)
    }
}

/// Puts the parameters of a call into `/vms/{vmid}`.
fn fill(template: &str, given: &Raw) -> String {
    let mut path = template.to_string();
    for (name, value) in given {
        path = path.replace(&format!("{{{name}}}"), &text(value));
    }
    // What was not given is nothing: its path is the one above.
    while let Some((open, close)) = path.find('{').zip(path.find('}')).filter(|(open, close)| open < close) {
        path.replace_range(open..=close, "");
    }
    if path.len() > 1 { path.trim_end_matches('/').to_string() } else { path }
}

/// The privileges of a release, by name, for seeds that say only `privileges`.
pub fn known(release: Release, names: &[String]) -> Result<BTreeSet<String>, String> {
    let all = roles::privileges(release);
    match names.iter().find(|n| !all.contains(*n)) {
        Some(bad) => Err(format!("there is no privilege {bad} in {}", release.spelled().0)),
        None => Ok(names.iter().cloned().collect()),
    }
}
