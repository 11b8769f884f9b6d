//! The parameters of a call, and which of them its endpoint has looked at.
use super::{schema::Args, state::Conf};
use std::{cell::RefCell, collections::BTreeSet};

/// Parameters that passed their schema. What is never looked at would be accepted without any effect, and no caller could
/// tell: the front refuses such a call.
pub struct Given {
    all: Args,
    seen: RefCell<BTreeSet<String>>,
}

impl Given {
    /// What stood in the path counts as looked at: the call was found by it.
    pub fn new(all: Args, in_path: impl IntoIterator<Item = String>) -> Self {
        Self { all, seen: RefCell::new(in_path.into_iter().collect()) }
    }

    /// Looks at a parameter; `None` when it was not given.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (name, value) = self.all.get_key_value(name)?;
        self.seen.borrow_mut().insert(name.clone());
        Some(value)
    }

    /// Takes a parameter out, as `extract_param` does.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.all.remove(name)
    }

    /// What is left, of which something is made: all of it counts as looked at.
    pub fn rest(&mut self) -> Conf {
        std::mem::take(&mut self.all)
    }

    /// A copy of all that a choice by name keeps, of which something is made.
    pub fn chosen(&self, choice: impl Fn(&str) -> bool) -> Conf {
        let chosen: Conf = self.all.iter().filter(|(k, _)| choice(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
        self.seen.borrow_mut().extend(chosen.keys().cloned());
        chosen
    }

    /// The same, of all but some names.
    pub fn but(&self, names: &[&str]) -> Conf {
        self.chosen(|name| !names.contains(&name))
    }

    /// Everything as it was given, to be told and not to be acted on.
    pub fn told(&self) -> &Args {
        &self.all
    }

    /// What nobody has looked at.
    pub fn unseen(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        self.all.keys().filter(|name| !seen.contains(*name)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_parameters_has_been_looked_at() {
        let all = ["node", "vmid", "memory", "cores", "pool", "bwlimit"].map(|k| (k.to_string(), "1".to_string()));
        let mut given = Given::new(all.into(), ["node".to_string()]);
        assert_eq!(given.get("nosuch"), None);
        assert_eq!(given.take("pool"), Some("1".into()));
        assert_eq!(given.unseen(), ["bwlimit", "cores", "memory", "vmid"]);
        assert_eq!(given.but(&["node", "vmid", "bwlimit"]).len(), 2);
        assert_eq!(given.told().len(), 5);
        assert_eq!((given.get("vmid"), given.unseen()), (Some("1"), vec!["bwlimit".to_string()]));
        given.rest();
        assert!(given.unseen().is_empty());
    }
}
