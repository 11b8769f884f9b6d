//! The service inside a guest that connects a tunnel: `cloudflared`, with its token in a file.
use super::Tunnel;
use crate::{
    kinds::declared::{Declarations, Declared},
    model::{Name, Observed, Ready, Waiting, Wanted, Wants},
    resources::{
        World,
        guest_unit::{Desired, GuestUnit, PREFIX, Scope, Secret, SecretFile, UnitKey},
        tunnel,
    },
};

/// The stem of a connector's unit.
fn stem(name: &Name) -> String {
    format!("{PREFIX}tunnel-{name}")
}

/// The unit of a tunnel's connector. `None` before the lock knows the guest's id.
pub fn unit(declarations: &Declarations, declared: &Declared<Tunnel>) -> Option<UnitKey> {
    let guest = declarations.containers.get(&declared.spec.connector.guest)?;
    Some(UnitKey { vmid: declarations.vmid(guest)?, stem: stem(&declared.meta.name) })
}

/// The units of all connectors: what an observation has to know.
pub fn extend(scope: &mut Scope, declarations: &Declarations) {
    for declared in declarations.tunnels.values() {
        scope.wanted.extend(unit(declarations, declared).map(|key| (key, None)));
    }
}

/// A connector for each tunnel. It waits for the tunnel, whose id its token is for.
pub fn connector(declarations: &Declarations, _: &Observed<GuestUnit>, earlier: &World) -> Wants<GuestUnit> {
    let mut wants = Wants::default();
    for declared in declarations.tunnels.values() {
        let Some(guest) = declarations.reach(&declared.spec.connector.guest, earlier) else { continue };
        let (Some(uid), Some(mark)) = (&declared.uid, declarations.mark(declared, Some(guest.uid.clone()))) else {
            continue;
        };
        let key = UnitKey { vmid: guest.vmid, stem: stem(&declared.meta.name) };
        let waiting =
            |on, sketch: &str| Wanted::Waiting(Waiting { declared: declared.id(), on, sketch: sketch.into() });
        if !guest.can_be_entered() {
            wants.add(key, waiting(guest.id(), "connector"));
            continue;
        }
        let Some(live) = earlier.ours::<tunnel::Tunnel>(uid) else {
            wants.add(key, waiting(tunnel::Tunnel::of(uid), "connector with the token of the new tunnel"));
            continue;
        };
        let active = format!("{}.service", key.stem);
        let token = format!("{}.token", key.stem);
        let text = text(&declared.id().to_string(), &token);
        let desired = Desired {
            units: [(active.clone(), text)].into(),
            active,
            secret: Some(SecretFile { name: token, of: Secret::TunnelToken { tunnel: live.id.clone() } }),
            needs: vec![guest.id(), tunnel::Tunnel::of(uid)],
        };
        wants.add(key, Wanted::Ready(Ready { mark, adopt: false, mode: declared.meta.mode, desired }));
    }
    wants
}

/// As `cloudflared service install` writes it (2026.8), but for our names: the token is in a file, never an argument.
fn text(declared: &str, token: &str) -> String {
    format!(
        "[Unit]
Description={declared}
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart=/usr/bin/cloudflared --no-autoupdate tunnel run --token-file /etc/trueup/{token}
TimeoutStartSec=15
Restart=on-failure
RestartSec=5s

[Install]
WantedBy=multi-user.target
"
    )
}
