//! What the token may do, and see.
use super::{Grant, Proxmox, Release, strange, values};
use crate::model::Answer;
use std::collections::{BTreeMap, BTreeSet};

/// Privileges per path, as they are effective for the token: each with whether it is passed on to what is below.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Permissions(BTreeMap<String, BTreeMap<String, bool>>);

impl Permissions {
    /// Whether this privilege is held on everything below this path: on the path itself, passed on, and on every path
    /// below it that has entries of its own.
    ///
    /// Lists of the API leave out what the token may not see, without a word. So absence from a list proves something
    /// only together with this.
    pub fn proves(&self, privilege: &str, path: &str) -> bool {
        let below = format!("{}/", path.trim_end_matches('/'));
        let passed_on = |held: &BTreeMap<String, bool>| held.get(privilege) == Some(&true);
        self.0.get(path).is_some_and(passed_on)
            && self.0.iter().filter(|(p, _)| p.starts_with(&below)).all(|(_, held)| passed_on(held))
    }
}

impl Permissions {
    /// What of a grant is not held on its path, and passed on from it where the role is.
    pub fn missing(&self, grant: &Grant, release: Release) -> BTreeSet<&'static str> {
        let held = self.0.get(&grant.path);
        let enough =
            |name: &str| held.and_then(|held| held.get(name)).is_some_and(|on| *on || !grant.role.is_passed_on());
        grant.privileges(release).into_iter().filter(|name| !enough(name)).collect()
    }
    /// What is held on a path and passed on from it.
    pub fn on(&self, path: &str) -> BTreeSet<&str> {
        let held = self.0.get(path).into_iter().flatten();
        held.filter(|(_, on)| **on).map(|(name, _)| name.as_str()).collect()
    }
}

impl Proxmox {
    /// What the token may do on this very path.
    pub async fn permissions_on(&self, path: &str) -> Answer<Permissions> {
        self.ask_permissions(&[("path", path)]).await
    }

    /// What the token may do, on the paths that have entries and on the top-level ones.
    pub async fn permissions(&self) -> Answer<Permissions> {
        self.ask_permissions(&[]).await
    }

    async fn ask_permissions(&self, query: &[(&str, &str)]) -> Answer<Permissions> {
        let attempted = "ask which privileges the token has";
        let data = self.wire.get(attempted, "/access/permissions", query).await?;
        let paths = data.as_object().ok_or_else(|| strange(attempted, "not an object"))?;
        Ok(Permissions(
            paths
                .iter()
                .map(|(path, privileges)| {
                    // The number says whether the privilege is passed on to what is below.
                    let held = privileges.as_object().into_iter().flatten();
                    (path.clone(), held.map(|(name, on)| (name.clone(), values::number(on) == Some(1))).collect())
                })
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[(&str, &[&str])]) -> Permissions {
        let of = |names: &[&str]| names.iter().map(|name| (name.to_string(), true)).collect();
        Permissions(paths.iter().map(|(path, names)| (path.to_string(), of(names))).collect())
    }

    #[test]
    fn one_path_below_without_the_privilege_spoils_the_proof() {
        assert!(of(&[("/", &["VM.Audit"]), ("/vms", &["VM.Audit"])]).proves("VM.Audit", "/vms"));
        assert!(!of(&[("/vms", &["VM.Audit"]), ("/vms/101", &["VM.PowerMgmt"])]).proves("VM.Audit", "/vms"));
        assert!(!of(&[("/pool/team", &["VM.Audit"]), ("/vms/101", &["VM.Audit"])]).proves("VM.Audit", "/vms"));
        assert!(!of(&[]).proves("VM.Audit", "/vms"));
    }
}
