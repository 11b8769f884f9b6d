//! Small random sites as manifests.
use super::random::Random;
use std::fmt::Write;

const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: dc-lk }
spec:
  domain: decent-cloud.org
  proxmox: { endpoints: ['https://10.0.1.1:8006'], token: { env: P }, defaults: { node: pve1, storage: local, bridge: vmbr1 } }
  cloudflare: { account: 0f2c6d1e9b7a4385a1c4f7e2d8b6093c, zone: 7d5e3c1b9a8f4602b3d4e5f6a7b8c9d0, token: { env: C } }
  host: local
---
apiVersion: trueup/v1alpha1
kind: Gateway
metadata: { name: edge }
spec:
  publicAddresses: [203.0.113.1]
  publicInterface: vmbr0
  guestNetworks: [10.0.1.0/24]
  traefik: { dynamicDirectory: /etc/traefik/dynamic, api: 'http://127.0.0.1:8080' }
";

/// Guests. Two of them together are what most surprises need; a third is there to be undisturbed.
const NAMES: [&str; 3] = ["ant", "bee", "cat"];

/// Site and gateway, up to three guests, and for each of them some of what a guest can have.
pub fn manifests(random: &mut Random) -> String {
    let mut text = SITE.to_string();
    let mut guests = vec![];
    for name in NAMES {
        if random.chance(1, 2) {
            guest(&mut text, name, random);
            guests.push(name);
        }
    }
    if !guests.is_empty() {
        for name in ["one", "two"] {
            if random.chance(1, 3) {
                let guest = random.pick(&guests);
                let hosts: String = (0..=random.below(2))
                    .map(|n| {
                        format!(
                            "{{ host: {name}{n}.decent-cloud.org, service: 'http://127.0.0.1:80{}' }}, ",
                            random.below(3)
                        )
                    })
                    .collect();
                declare(
                    &mut text,
                    "Tunnel",
                    name,
                    &format!("{{ connector: {{ guest: {guest} }}, ingress: [{hosts}] }}"),
                );
            }
        }
    }
    text
}

fn guest(text: &mut String, name: &str, random: &mut Random) {
    let n = 5 + NAMES.iter().position(|other| *other == name).unwrap();
    let memory = 256 * (1 + random.below(3));
    let tags = if random.chance(1, 2) { ", tags: [b, a]" } else { "" };
    let size = 4;
    declare(
        text,
        "Container",
        name,
        &format!(
            "{{ template: 'local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst', memory: {memory}MiB, rootfs: {{ size: {size}GiB }}, \
             networks: [{{ name: eth0, address: 10.0.1.{n}/24, gateway: 10.0.1.1 }}], restartPolicy: whenNeeded{tags} }}"
        ),
    );
    if random.chance(2, 3) {
        let forwards = match random.below(3) {
            0 => ", forwards: [{ port: 0, to: 22/tcp }, { port: 3, to: 53/udp }]",
            _ => "",
        };
        declare(text, "PortAllocation", name, &format!("{{ guest: {name}{forwards} }}"));
    }
    if random.chance(1, 2) {
        let slug = if random.chance(1, 2) { format!(", slug: {name}-x") } else { String::new() };
        declare(text, "DnsSlug", name, &format!("{{ guest: {name}{slug} }}"));
    }
    if random.chance(1, 3) {
        let hour = random.below(24);
        declare(
            text,
            "SyncSchedule",
            name,
            &format!("{{ guest: {name}, schedule: '{hour:02}:00', timezone: UTC, command: [/bin/true] }}"),
        );
    }
}

fn declare(text: &mut String, kind: &str, name: &str, spec: &str) {
    write!(
        text,
        "---\napiVersion: trueup/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name}, annotations: {{ trueup/deletion: delete }} }}\nspec: {spec}\n"
    )
    .unwrap();
}
