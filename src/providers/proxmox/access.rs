//! What the token may do, and see.
use super::{Proxmox, strange, values};
use crate::model::Answer;
use std::collections::{BTreeMap, BTreeSet};

/// Privileges per path, as they are effective for the token.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Permissions(BTreeMap<String, BTreeSet<String>>);

impl Permissions {
    /// Whether this privilege is held on everything below this path: on the path itself, passed on, and on every path
    /// below it that has entries of its own.
    ///
    /// Lists of the API leave out what the token may not see, without a word. So absence from a list proves something
    /// only together with this.
    pub fn proves(&self, privilege: &str, path: &str) -> bool {
        let below = format!("{}/", path.trim_end_matches('/'));
        self.0.get(path).is_some_and(|p| p.contains(privilege))
            && self.0.iter().filter(|(p, _)| p.starts_with(&below)).all(|(_, p)| p.contains(privilege))
    }
}

impl Permissions {
    /// What of these is not held on a path and passed on from it.
    pub fn missing<'a>(&self, path: &str, wanted: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let held = self.0.get(path);
        wanted.into_iter().filter(|name| !held.is_some_and(|held| held.contains(*name))).collect()
    }
    /// What is held on a path and passed on from it.
    pub fn on(&self, path: &str) -> BTreeSet<&str> {
        self.0.get(path).into_iter().flatten().map(String::as_str).collect()
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
                    let passed_on = privileges.as_object().into_iter().flatten();
                    let passed_on = passed_on.filter(|(_, on)| values::number(on) == Some(1));
                    (path.clone(), passed_on.map(|(name, _)| name.clone()).collect())
                })
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[(&str, &[&str])]) -> Permissions {
        Permissions(paths.iter().map(|(p, n)| (p.to_string(), n.iter().map(|n| n.to_string()).collect())).collect())
    }

    #[test]
    fn one_path_below_without_the_privilege_spoils_the_proof() {
        assert!(of(&[("/", &["VM.Audit"]), ("/vms", &["VM.Audit"])]).proves("VM.Audit", "/vms"));
        assert!(!of(&[("/vms", &["VM.Audit"]), ("/vms/101", &["VM.PowerMgmt"])]).proves("VM.Audit", "/vms"));
        assert!(!of(&[("/pool/team", &["VM.Audit"]), ("/vms/101", &["VM.Audit"])]).proves("VM.Audit", "/vms"));
        assert!(!of(&[]).proves("VM.Audit", "/vms"));
    }
}
