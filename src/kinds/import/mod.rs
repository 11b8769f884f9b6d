//! From guests that are there to manifests that say the same. Pure.
//!
//! The measure is the plan: a pass over what comes out writes the marks of the guests and nothing else. What the language of
//! manifests does not speak of is left alone by every pass; it is named in a comment. What it could only say wrongly is not
//! imported, and why is said.
mod choice;
mod container;
mod machine;
mod manifest;
mod name;
mod reading;
#[cfg(test)]
mod tests;
mod yaml;

pub use choice::Choice;

use super::{container::Hostname, declared::Declarations, load::load};
use crate::{
    manifest::{Diagnostic, SourceFile},
    model::{Found, Inventory, Name, Vmid},
    providers::proxmox::GuestType,
    resources::guest::{Guest, Live},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A manifest of a guest that is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Manifest {
    pub vmid: Vmid,
    pub name: Name,
    #[serde(skip)]
    pub path: String,
    pub text: String,
}

/// A guest that is not imported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Refused {
    pub vmid: u32,
    /// What it calls itself.
    pub name: Option<String>,
    pub why: String,
}

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// In the order of the ids.
    pub manifests: Vec<Manifest>,
    pub refused: Vec<Refused>,
    /// What was declared before, and the imported guests with it.
    pub declarations: Declarations,
}

/// Writes manifests for these guests. `files` are the manifests that are there, which have no mistakes; `path` is where the
/// manifest of a name will stand.
pub fn import(
    declared: &Declarations,
    files: &[SourceFile],
    guests: &Inventory<Guest>,
    path: &dyn Fn(&Name) -> String,
) -> Imported {
    let mut names: BTreeSet<Name> = declared.guests().map(|guest| guest.meta().name.clone()).collect();
    let (mut manifests, mut refused) = (vec![], vec![]);
    for (vmid, found) in guests {
        match one(declared, *vmid, found, &mut names) {
            Ok((name, text)) => manifests.push(Manifest { vmid: *vmid, path: path(&name), name, text }),
            Err((name, why)) => refused.push(Refused { vmid: vmid.get(), name, why }),
        }
    }
    let calls_itself = |vmid: Vmid| guests.get(&vmid).and_then(hostname);
    let declarations = settle(files, &mut manifests, &mut refused, &calls_itself);
    refused.sort_by_key(|guest| guest.vmid);
    Imported { manifests, refused, declarations }
}

type Why = (Option<String>, String);

fn one(
    declared: &Declarations,
    vmid: Vmid,
    found: &Found<Live>,
    names: &mut BTreeSet<Name>,
) -> Result<(Name, String), Why> {
    let live = match found {
        Found::Foreign(foreign) => &foreign.live,
        Found::Ours(ours) => {
            let of = ours.mark.declared.as_ref().map_or("a manifest".into(), ToString::to_string);
            return Err((None, format!("it carries the mark of {of}: bring that manifest back, or take the mark off")));
        }
        Found::Duplicates(all) => return Err((None, all.join(", "))),
    };
    let refuse = |why: String| (hostname(found), why);
    if let Some(stamp) = crate::providers::proxmox::notes::stamp(live.notes()) {
        return Err(refuse(format!("it carries the mark of the site {}", stamp.mark.site)));
    }
    if live.template {
        return Err(refuse("it is a template, from which guests are made".into()));
    }
    if let Some(lock @ ("create" | "clone" | "destroyed")) = live.config.lock() {
        return Err(refuse(format!("it is locked ({lock}): try again when that is over")));
    }
    match live.kind {
        GuestType::Lxc => {
            let mut said = container::said(vmid, live, declared).map_err(refuse)?;
            let name = named(&mut said.spec.hostname, vmid, names);
            let text = manifest::text(&name, vmid, live, &said, "`template:`");
            Ok((name, text))
        }
        GuestType::Qemu => {
            let mut said = machine::said(vmid, live, declared).map_err(refuse)?;
            let name = named(&mut said.spec.hostname, vmid, names);
            let text = manifest::text(&name, vmid, live, &said, "`clone:`, or the `image:` of a disk");
            Ok((name, text))
        }
    }
}

/// A name for its manifest, which says the hostname anyway where they are the same.
fn named(hostname: &mut Option<Hostname>, vmid: Vmid, names: &mut BTreeSet<Name>) -> Name {
    let name = name::free(hostname.as_ref().map_or("", Hostname::as_str), vmid, names);
    hostname.take_if(|hostname| hostname.as_str() == name.as_str());
    names.insert(name.clone());
    name
}

/// What a guest calls itself.
fn hostname(found: &Found<Live>) -> Option<String> {
    let Found::Foreign(foreign) = found else { return None };
    let config = &foreign.live.config;
    config.get("hostname").or(config.get("name")).map(str::to_owned)
}

/// Holds the new manifests against those that are there, as a check does, and takes out those that it would refuse.
fn settle(
    files: &[SourceFile],
    manifests: &mut Vec<Manifest>,
    refused: &mut Vec<Refused>,
    calls_itself: &dyn Fn(Vmid) -> Option<String>,
) -> Declarations {
    loop {
        let old = files.iter().map(|file| SourceFile::new(file.path(), file.text()));
        let new = manifests.iter().map(|manifest| SourceFile::new(&*manifest.path, &*manifest.text));
        let (declarations, found) = load(old.chain(new).collect());
        let mut wrong: BTreeMap<String, String> = BTreeMap::new();
        let ours: BTreeMap<&str, Vmid> = manifests.iter().map(|manifest| (&*manifest.path, manifest.vmid)).collect();
        for mistake in found.iter().filter(|mistake| mistake.is_error()) {
            // Of guests that exclude each other the one with the lowest id is taken, and what is declared already stays.
            let spots = mistake.spot.iter().chain(mistake.others.iter().map(|(spot, _)| spot));
            let involved = spots.map(|spot| spot.file.path()).filter(|path| ours.contains_key(path));
            let blamed = involved.max_by_key(|path| ours.get(path));
            if let Some(path) = blamed {
                wrong.entry(path.to_owned()).or_insert_with(|| words(mistake));
            }
        }
        if wrong.is_empty() {
            return declarations;
        }
        manifests.retain(|manifest| match wrong.get(&manifest.path) {
            None => true,
            Some(why) => {
                let name = calls_itself(manifest.vmid);
                refused.push(Refused { vmid: manifest.vmid.get(), name, why: why.clone() });
                false
            }
        });
    }
}

fn words(mistake: &Diagnostic) -> String {
    let hint = mistake.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("its manifest would be refused: {}{hint}", mistake.message)
}
