//! Ids and hardware addresses of guests.
use super::{Work, choose, mistake, mistake_at};
use crate::{
    kinds::AnyGuest,
    model::{DeclarationId, Mac, Slug},
};
use std::collections::BTreeSet;

/// Proxmox gives ids from here (its default `next-id` range).
const FIRST_VMID: u32 = 100;
const LAST_VMID: u32 = 999_999_999;

impl Work<'_> {
    pub(super) fn guests(&mut self) {
        let mut vmids = self.taken_vmids();
        let mut macs = self.taken_macs();
        for declared in self.declarations.guests() {
            let id = declared.id();
            let pinned = declared.pinned().map(|vmid| vmid.get());
            let Some(entry) = self.out.lock.objects.get(&id) else { continue };
            let carried = self.carried.guests.iter().find(|(_, guest)| guest.uid.as_ref() == Some(&entry.uid));
            let adopted = declared.meta().adopt.as_ref().and_then(|text| text.parse().ok());
            // An id that another guest of ours still carries was given away too early (by a look-less `lock --offline`).
            let others = |vmid: &u32| {
                self.carried.guests.get(vmid).is_some_and(|g| g.uid.as_ref().is_some_and(|uid| *uid != entry.uid))
            };
            let locked = entry.vmid.filter(|vmid| !others(vmid));
            let known = pinned.or(adopted).or(locked).or(carried.map(|(vmid, _)| *vmid));
            let vmid = match known {
                Some(vmid) => vmid,
                None => match (FIRST_VMID..=LAST_VMID).find(|vmid| !vmids.contains(vmid)) {
                    Some(vmid) => vmid,
                    None => {
                        let text = "there is no free vmid between 100 and 999999999".to_string();
                        self.out.problems.push(mistake_at(declared.origin(), &["spec", "vmid"], "no-free-vmid", text));
                        continue;
                    }
                },
            };
            vmids.insert(vmid);
            // What is adopted keeps the addresses that it has: they are read from it, never chosen.
            let live = self.carried.guests.get(&vmid);
            let foreign = declared.meta().adopt.is_some();
            let mut wanted = std::collections::BTreeMap::new();
            for device in declared.devices().into_iter().filter(|device| device.hwaddr.pinned().is_none()) {
                let name = device.name;
                let kept = entry.macs.get(&name).or_else(|| live.and_then(|guest| guest.macs.get(&name))).copied();
                let chosen = || if foreign { None } else { choose::mac(&entry.uid, &name, &macs) };
                if let Some(mac) = kept.or_else(chosen) {
                    macs.insert(mac);
                    if kept.is_none() && self.new.contains(&id) {
                        self.out.unsettled.insert(mac.to_string());
                    }
                    wanted.insert(name, mac);
                }
            }
            self.note_guest(&id, vmid, wanted);
        }
    }

    fn note_guest(&mut self, id: &DeclarationId, vmid: u32, macs: std::collections::BTreeMap<String, Mac>) {
        let Some(entry) = self.out.lock.objects.get_mut(id) else { return };
        if entry.vmid != Some(vmid) {
            self.out.made.push(format!("{id}: vmid {vmid}"));
        }
        for (name, mac) in macs.iter().filter(|(name, mac)| entry.macs.get(*name) != Some(mac)) {
            self.out.made.push(format!("{id}: {name} {mac}"));
        }
        (entry.vmid, entry.macs) = (Some(vmid), macs);
    }

    fn taken_vmids(&self) -> BTreeSet<u32> {
        let pinned = self.declarations.guests().filter_map(AnyGuest::pinned).map(|vmid| vmid.get());
        let locked = self.out.lock.objects.values().filter_map(|entry| entry.vmid);
        let held = self.carried.guests.keys().chain(&self.released).copied();
        pinned.chain(locked).chain(held).collect()
    }

    fn taken_macs(&self) -> BTreeSet<Mac> {
        let devices = self.declarations.guests().flat_map(AnyGuest::devices);
        let pinned = devices.filter_map(|device| device.hwaddr.pinned().copied());
        let locked = self.out.lock.objects.values().flat_map(|entry| entry.macs.values()).copied();
        let live = self.carried.guests.values().flat_map(|guest| guest.macs.values()).copied();
        pinned.chain(locked).chain(live).collect()
    }

    pub(super) fn slugs(&mut self) {
        let pinned = self.declarations.dns_slugs.values().filter_map(|slug| slug.spec.slug.pinned()).cloned();
        let locked = self.out.lock.objects.values().filter_map(|entry| entry.slug.clone());
        let mut taken: BTreeSet<Slug> = pinned.chain(locked).chain(self.carried.slugs.keys().cloned()).collect();
        for declared in self.declarations.dns_slugs.values() {
            let id = declared.id();
            let Some(entry) = self.out.lock.objects.get_mut(&id) else { continue };
            let carried = self.carried.slugs.iter().find(|(_, uid)| **uid == entry.uid).map(|(slug, _)| slug.clone());
            let known = declared.spec.slug.pinned().cloned().or_else(|| entry.slug.clone()).or(carried);
            let Some(slug) = known.clone().or_else(|| choose::slug(&entry.uid, &taken)) else {
                let text = "no free slug was found".to_string();
                self.out.problems.push(mistake(declared, &["spec", "slug"], "no-free-slug", text));
                continue;
            };
            if known.is_none() && self.new.contains(&id) {
                self.out.unsettled.insert(slug.to_string());
            }
            if entry.slug.as_ref() != Some(&slug) {
                self.out.made.push(format!("{id}: slug {slug}"));
            }
            taken.insert(slug.clone());
            entry.slug = Some(slug);
        }
    }
}
