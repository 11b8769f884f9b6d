//! The tables against the official schemas.
use super::*;
use crate::sandbox::proxmox::Release;
use std::collections::BTreeSet;

/// Parameters of the calls that make and change a guest.
fn in_schema(kind: GuestType) -> BTreeSet<String> {
    let word = match kind {
        GuestType::Lxc => "lxc",
        GuestType::Qemu => "qemu",
    };
    let mut all = BTreeSet::new();
    for release in [Release::V9_2_11, Release::V8_4_21] {
        let facts = release.facts();
        for (verb, path) in [
            ("POST", format!("/nodes/{{node}}/{word}")),
            ("PUT", format!("/nodes/{{node}}/{word}/{{vmid}}/config")),
            ("POST", format!("/nodes/{{node}}/{word}/{{vmid}}/config")),
        ] {
            let Some(method) = facts.method(verb, &path) else { continue };
            all.extend(method.parameters.properties.keys().cloned());
        }
    }
    all
}

#[test]
fn every_option_of_the_schema_has_a_row_and_no_row_is_invented() {
    for kind in [GuestType::Lxc, GuestType::Qemu] {
        let rows: Vec<&str> = all(kind).iter().map(|option| option.name).collect();
        let known: BTreeSet<String> = rows.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(known, in_schema(kind));
        assert!(rows.is_sorted() && rows.len() == known.len(), "in order, each once");
        assert!(known.len() > 40, "the schema was read");
    }
}

#[test]
fn keys_with_a_number_belong_to_their_option() {
    let name = |key| of(GuestType::Lxc, key).map(|option| option.name);
    assert_eq!(name("net31"), Some("net[n]"));
    assert_eq!(name("mp255"), Some("mp[n]"));
    assert_eq!(name("memory"), Some("memory"));
    assert_eq!((name("netx"), name("net"), name("lxc.idmap")), (None, None, None));
}
