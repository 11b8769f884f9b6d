//! From what was observed to what it carries.
use super::{Carried, CarriedGuest};
use crate::{
    model::Found,
    resources::{World, guest::Guest},
};

impl Carried {
    /// What the marks and contents of observed objects say. An inventory that could not be looked at says nothing.
    pub fn of(world: &World) -> Self {
        let mut out = Self::default();
        for (vmid, found) in world.seen::<Guest>().into_iter().flatten() {
            let (uid, live) = match found {
                Found::Ours(ours) => {
                    if let Some(declared) = &ours.mark.declared {
                        out.uids.insert(declared.clone(), ours.mark.uid.clone());
                    }
                    (Some(ours.mark.uid.clone()), Some(&ours.live))
                }
                Found::Foreign(foreign) => (None, Some(&foreign.live)),
                Found::Duplicates(_) => (None, None),
            };
            let interfaces = live.into_iter().flat_map(|live| live.interfaces().into_values());
            let macs =
                interfaces.filter_map(|interface| Some((interface.name, interface.mac?.parse().ok()?))).collect();
            out.guests.insert(vmid.get(), CarriedGuest { uid, macs });
        }
        out
    }
}
