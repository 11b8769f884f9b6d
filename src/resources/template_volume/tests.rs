//! Plans of volumes: where they are wanted, where they are, what is done.
use super::*;
use crate::{
    model::{DeclarationId, Deletion, Found, Observation, Ours, Revision},
    resources::rehearsal::{planned, ready, shown},
};

fn key() -> VolumeId {
    "local:vztmpl/debian-13.tar.zst".parse().unwrap()
}

fn mark() -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: "abcdefghijklmnop".parse().unwrap(),
        serves: None,
        deletion: Deletion::Retain,
        declared: Some(DeclarationId::new("Template", "debian-13")),
    }
}

fn names(nodes: &[&str]) -> BTreeSet<String> {
    nodes.iter().map(|node| (*node).to_owned()).collect()
}

fn plan(wanted: Option<&[&str]>, there: &[&str]) -> String {
    let live = Live { nodes: names(there), size: 1 };
    let ours = Found::Ours(Ours { mark: mark(), revision: Revision::of(&live), live });
    let observed: Observed<TemplateVolume> = Observation::Complete(match there {
        [] => Inventory::<TemplateVolume>::new(),
        _ => [(key(), ours)].into(),
    });
    let desired = |nodes| Desired { nodes: names(nodes), source: Source::Index };
    let wanted = wanted.map(|nodes| (key(), ready(mark(), desired(nodes))));
    shown(&planned::<TemplateVolume>(wanted, &observed))
}

#[test]
fn it_is_brought_where_it_is_missing_and_nowhere_else() {
    insta::assert_snapshot!(plan(Some(&["pve1", "pve2"]), &[]), @r"
    + template-volume/local:vztmpl/debian-13.tar.zst download as the appliance index says to pve1 (nothing)
    ~ template-volume/local:vztmpl/debian-13.tar.zst download as the appliance index says to pve2 (nothing)
    ");
    insta::assert_snapshot!(plan(Some(&["pve1", "pve2"]), &["pve1"]), @"~ template-volume/local:vztmpl/debian-13.tar.zst download as the appliance index says to pve2 (nothing)");
    assert_eq!(plan(Some(&["pve1"]), &["pve1"]), "");
}

/// Even an object that somebody handed in as ours.
#[test]
fn nothing_is_ever_deleted() {
    let mut mark = mark();
    mark.deletion = Deletion::Delete;
    let live = Live { nodes: names(&["pve1"]), size: 1 };
    let ours = Found::Ours(Ours { mark, revision: Revision::of(&live), live });
    let observed: Observed<TemplateVolume> = Observation::Complete([(key(), ours)].into());
    assert_eq!(shown(&planned::<TemplateVolume>(None, &observed)), "");
}

#[test]
fn a_volume_is_spelled_as_proxmox_spells_it() {
    assert_eq!(key().to_string(), "local:vztmpl/debian-13.tar.zst");
    for wrong in ["", "local", "local:", "local:vztmpl", "local:vztmpl/", ":vztmpl/x", "local:/x"] {
        assert!(wrong.parse::<VolumeId>().is_err(), "{wrong}");
    }
}
