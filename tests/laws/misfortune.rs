//! One thing that goes wrong.
use super::{
    bed::{Bed, rule},
    laws::shown,
    random::Random,
};
use trueup::{
    engine::Report,
    sandbox::faults::{Fault, What, When},
};

/// What strikes a pass, or the site between two of them.
#[derive(Debug)]
pub enum Misfortune {
    /// One call that goes wrong.
    Call(Fault),
    /// Our guest is destroyed and somebody else's has its id: before the pass looks, or between its look and its writes.
    Reused { vmid: u32, under_way: bool },
}

impl Misfortune {
    /// As they are counted.
    pub const NAMES: [&str; 4] = ["errors", "lost replies", "stale lists", "reused vmids"];

    /// Which of the [`Self::NAMES`].
    pub fn kind(&self) -> usize {
        match self {
            Self::Call(Fault { what: What::Drop, .. }) => 1,
            Self::Call(Fault { what: What::Stale, .. }) => 2,
            Self::Call(_) => 0,
            Self::Reused { .. } => 3,
        }
    }

    /// The pass that it disturbs. Nothing of it is left afterwards but what the pass made of it.
    pub async fn strike(&self, bed: &mut Bed, world: &str) -> Report {
        match self {
            Self::Call(fault) => {
                bed.add(fault.clone());
                let report = bed.pass(world).await;
                bed.heal();
                report
            }
            Self::Reused { vmid, under_way } => {
                let report = if *under_way {
                    bed.pass_disturbed(world, *vmid).await
                } else {
                    bed.give_to_somebody_else(*vmid);
                    bed.pass(world).await
                };
                assert!(bed.is_untouched(*vmid), "somebody's guest {vmid} was touched\n{}", shown(&report));
                let told = report.rest.conflicts.iter().any(|note| note.text.contains(&vmid.to_string()));
                assert!(told || !bed.wants(*vmid), "nothing was said of {vmid}\n{}", shown(&report));
                bed.take_away(*vmid);
                report
            }
        }
    }
}

/// An error, a lost reply, a stale list, a reused vmid.
pub fn draw(bed: &Bed, random: &mut Random) -> Misfortune {
    let vmids: Vec<u32> = bed.vmids().into_iter().collect();
    if random.chance(1, 6) && !vmids.is_empty() {
        return Misfortune::Reused { vmid: *random.pick(&vmids), under_way: random.chance(1, 2) };
    }
    let system = random.pick(&["proxmox", "cloudflare", "host", "proxmox", "cloudflare"]);
    let writes = random.chance(2, 3);
    let when = if random.chance(1, 2) { When::Before } else { When::After };
    let what = match random.below(4) {
        0 => What::Drop,
        1 | 2 if !writes => What::Stale,
        _ => What::Status { status: if *system == "host" { 1 } else { 500 }, message: "an injected fault".into() },
    };
    let nth = Some(1 + random.below(if writes { 8 } else { 25 }));
    Misfortune::Call(rule(system, writes, nth, when, what))
}
