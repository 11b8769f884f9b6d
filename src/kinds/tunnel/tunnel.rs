//! From declared tunnels to tunnels at Cloudflare.
use crate::{
    kinds::declared::Declarations,
    model::{Observed, Ready, Wanted, Wants},
    resources::{
        World,
        tunnel::{Desired, Tunnel},
    },
};

/// What all declarations want.
pub fn tunnel(declarations: &Declarations, _: &Observed<Tunnel>, _: &World) -> Wants<Tunnel> {
    let mut wants = Wants::default();
    for declared in declarations.tunnels.values() {
        let Some(mark) = declarations.mark(declared, None) else { continue };
        let ready = Ready {
            adopt: declared.meta.adopt.is_some(),
            mode: declared.meta.mode,
            desired: Desired,
            mark: mark.clone(),
        };
        wants.add(mark.uid, Wanted::Ready(ready));
    }
    wants
}
