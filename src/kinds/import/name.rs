//! Names of manifests, from what guests call themselves.
use crate::model::{Name, Vmid};
use std::collections::BTreeSet;

/// The hostname as a name, in lower case and with `-` for what a name cannot have; with the id behind it where that is taken.
pub fn free(hostname: &str, vmid: Vmid, taken: &BTreeSet<Name>) -> Name {
    let letters: String =
        hostname.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = letters.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let id = format!("guest-{vmid}");
    // Room for the id.
    let short: String = plain.chars().take(50).collect();
    let tried = [plain.clone(), format!("{}-{vmid}", short.trim_end_matches('-')), id.clone()];
    let free = tried.iter().filter_map(|text| text.parse().ok()).find(|name| !taken.contains(name));
    free.unwrap_or_else(|| numbered(&id, taken))
}

/// Only people who name a guest after the id of another come here.
fn numbered(id: &str, taken: &BTreeSet<Name>) -> Name {
    let numbered = (2u64..).filter_map(|n| format!("{id}-{n}").parse().ok());
    let mut free = numbered.filter(|name: &Name| !taken.contains(name));
    // There are more numbers than names that are taken.
    free.next().unwrap_or_else(|| unreachable!("numbers have no end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn hostnames_become_names_and_each_name_is_given_once() {
        let vmid = Vmid::try_from(101).unwrap();
        let none = BTreeSet::new();
        for (hostname, wanted) in [
            ("CompaniesOffice", "companiesoffice"),
            ("db.acme.test", "db-acme-test"),
            ("a--b", "a-b"),
            ("1", "1"),
            ("", "guest-101"),
            (&"a".repeat(80), &format!("{}-101", "a".repeat(50))),
        ] {
            assert_eq!(free(hostname, vmid, &none), name(wanted));
        }
        let taken = BTreeSet::from([name("web"), name("web-101"), name("guest-101"), name("guest-101-2")]);
        assert_eq!(free("WEB", Vmid::try_from(102).unwrap(), &taken), name("web-102"));
        assert_eq!(free("web", vmid, &taken), name("guest-101-3"));
    }
}
