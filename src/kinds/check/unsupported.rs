//! What the language has and this version cannot do: refused, never ignored.
use super::spot;
use crate::{
    kinds::{Declarations, dns_slug::Tls, site::Host, sync_schedule::Overlap},
    manifest::{Diagnostic, Spot},
    model::Reference,
};

pub(super) fn check(declarations: &Declarations, found: &mut Vec<Diagnostic>) {
    let mut refuse = |spot: Spot, what: &str, hint: &str| {
        let mistake = Diagnostic::error("not-supported", spot, format!("{what} is not supported yet"));
        found.push(mistake.hint(hint));
    };
    let mut references: Vec<(&Reference, Spot)> = Vec::new();
    for site in declarations.sites.values() {
        references.push((&site.spec.proxmox.token, spot(site, "spec.proxmox.token.sops")));
        references.extend(site.spec.cloudflare.as_ref().map(|c| (&c.token, spot(site, "spec.cloudflare.token.sops"))));
        if let Some(Host::Ssh(host)) = &site.spec.host {
            references.push((&host.key, spot(site, "spec.host.key.sops")));
        }
    }
    for schedule in declarations.sync_schedules.values() {
        let environment = schedule.spec.environment.as_ref();
        references.extend(environment.map(|e| (&e.file, spot(schedule, "spec.environment.file.sops"))));
        if schedule.spec.overlap == Overlap::Queue {
            refuse(
                spot(schedule, "spec.overlap"),
                "`overlap: queue`",
                "write `skip`: a time at which it still runs is left out",
            );
        }
    }
    for machine in declarations.virtual_machines.values() {
        let password = machine.spec.cloud_init.as_ref().and_then(|cloud| cloud.password.as_ref());
        references.extend(password.map(|p| (p, spot(machine, "spec.cloudInit.password.sops"))));
    }
    let inside = |name| declarations.virtual_machines.contains_key(name);
    for tunnel in declarations.tunnels.values().filter(|tunnel| inside(&tunnel.spec.connector.guest)) {
        let hint = "name a Container, which reaches the machine over the network";
        refuse(spot(tunnel, "spec.connector.guest"), "a connector inside a virtual machine", hint);
    }
    for schedule in declarations.sync_schedules.values().filter(|schedule| inside(&schedule.spec.guest)) {
        let hint = "name a Container; nothing looks inside virtual machines yet";
        refuse(spot(schedule, "spec.guest"), "a schedule inside a virtual machine", hint);
    }
    for (reference, spot) in references {
        if matches!(reference, Reference::Sops(_)) {
            refuse(
                spot,
                "a secret that is encrypted with SOPS",
                "decrypt it where the program runs, and refer to it with `file` or `env`",
            );
        }
    }
    for slug in declarations.dns_slugs.values() {
        if slug.spec.tls == Tls::Terminate {
            refuse(
                spot(slug, "spec.tls"),
                "`tls: terminate`",
                "write `passthrough`: the guest keeps its own certificate",
            );
        }
    }
}
