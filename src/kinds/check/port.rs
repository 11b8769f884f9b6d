//! Blocks of public ports.
use super::{Whole, spot};
use crate::{
    kinds::{Declared, gateway::Gateway, port_allocation::PortAllocation},
    manifest::Diagnostic,
    model::{Port, Transport},
};
use std::{collections::BTreeMap, ops::RangeInclusive};

pub(super) fn check(whole: &Whole<'_>, found: &mut Vec<Diagnostic>) {
    let declarations = whole.declarations;
    let Some(gateway) = declarations.gateway() else { return };
    let ports = &gateway.spec.ports;
    if gateway.spec.public_addresses.is_empty() {
        let mistake =
            Diagnostic::error("wrong-value", spot(gateway, "spec.publicAddresses"), "there is no public address");
        found.push(mistake.hint("write at least one"));
    }
    if gateway.spec.guest_networks.is_empty() {
        let mistake =
            Diagnostic::error("wrong-value", spot(gateway, "spec.guestNetworks"), "there is no guest network");
        found.push(mistake.hint("write at least one, as in 10.0.1.0/24"));
    }
    for (field, list) in [("tcp", &gateway.spec.host_ports.tcp), ("udp", &gateway.spec.host_ports.udp)] {
        for (i, port) in list.iter().enumerate().filter(|(_, port)| ports.range.contains(port.get())) {
            if !ports.reserved.contains(port) {
                let message =
                    format!("port {port} is the node's own, and in the range {} that guests share", ports.range);
                let mistake =
                    Diagnostic::error("port-range", spot(gateway, &format!("spec.hostPorts.{field}.{i}")), message);
                let mistake = mistake.other(spot(gateway, "spec.ports.range"), "the range");
                found.push(mistake.hint(format!("add {port} to `reserved`")));
            }
        }
    }
    if ports.block_size == 0 || u32::from(ports.block_size) > ports.range.count() {
        let message = format!("blocks of {} ports do not fit into the range {}", ports.block_size, ports.range);
        let mistake = Diagnostic::error("port-range", spot(gateway, "spec.ports.blockSize"), message);
        found.push(mistake.hint("a block has at least one port; 10 is usual"));
        return;
    }
    let mut blocks: Vec<(RangeInclusive<u16>, &Declared<PortAllocation>)> = Vec::new();
    for allocation in declarations.port_allocations.values() {
        forwards(gateway, allocation, found);
        if let Some(base) = allocation.spec.base.pinned() {
            blocks.extend(block(gateway, allocation, *base, found).map(|block| (block, allocation)));
        }
    }
    overlaps(blocks, found);
}

/// The block at a pinned base, if one can be there.
fn block(
    gateway: &Declared<Gateway>,
    allocation: &Declared<PortAllocation>,
    base: Port,
    found: &mut Vec<Diagnostic>,
) -> Option<RangeInclusive<u16>> {
    let (ports, first, size) = (&gateway.spec.ports, base.get(), gateway.spec.ports.block_size);
    let at = || spot(allocation, "spec.base");
    let last = first.checked_add(size - 1).filter(|last| *last <= ports.range.last());
    let Some(last) = last.filter(|_| first >= ports.range.first()) else {
        let message = format!("the block of {size} ports at {base} is not inside the range {}", ports.range);
        found
            .push(Diagnostic::error("port-range", at(), message).other(spot(gateway, "spec.ports.range"), "the range"));
        return None;
    };
    let over = (first - ports.range.first()) % size;
    if over != 0 {
        let (before, after) = (first - over, (first - over).saturating_add(size));
        let message = format!("no block begins at {base}: blocks of {size} ports begin at {}", ports.range.first());
        let mistake = Diagnostic::error("port-range", at(), message);
        found.push(
            mistake.other(spot(gateway, "spec.ports.range"), "the range").hint(format!("write {before} or {after}")),
        );
        return None;
    }
    for (i, port) in ports.reserved.iter().enumerate().filter(|(_, port)| (first..=last).contains(&port.get())) {
        let message = format!("the block {first}-{last} has the reserved port {port} in it");
        let mistake = Diagnostic::error("port-reserved", at(), message);
        found.push(mistake.other(spot(gateway, &format!("spec.ports.reserved.{i}")), "reserved here"));
    }
    Some(first..=last)
}

fn overlaps(mut blocks: Vec<(RangeInclusive<u16>, &Declared<PortAllocation>)>, found: &mut Vec<Diagnostic>) {
    let place = |allocation: &Declared<PortAllocation>| {
        let spot = spot(allocation, "spec.base");
        (spot.file.path().to_owned(), spot.span.start)
    };
    blocks.sort_by_key(|(block, allocation)| (*block.start(), place(allocation)));
    for pair in blocks.windows(2) {
        let [(first, one), (second, other)] = pair else { continue };
        if second.start() <= first.end() {
            let (one, other) = if place(one) <= place(other) { (one, other) } else { (other, one) };
            let message = format!(
                "the ports {}-{} are given twice: to {} and to {}",
                second.start(),
                first.end(),
                one.id(),
                other.id()
            );
            let mistake = Diagnostic::error("duplicate-ports", spot(other, "spec.base"), message).label("again here");
            found.push(mistake.other(spot(one, "spec.base"), "first here"));
        }
    }
}

fn forwards(gateway: &Declared<Gateway>, allocation: &Declared<PortAllocation>, found: &mut Vec<Diagnostic>) {
    let Some(forwards) = &allocation.spec.forwards else { return };
    let size = gateway.spec.ports.block_size;
    let mut seen: BTreeMap<(u16, Transport), usize> = BTreeMap::new();
    if forwards.is_empty() {
        let mistake =
            Diagnostic::error("wrong-value", spot(allocation, "spec.forwards"), "the list of forwards is empty");
        found.push(mistake.hint("leave it out for the default layout"));
    }
    for (i, forward) in forwards.iter().enumerate() {
        let at = spot(allocation, &format!("spec.forwards.{i}.port"));
        if forward.port >= size {
            let message = format!("a block has {size} ports, counted from 0: there is no port {}", forward.port);
            let mistake = Diagnostic::error("port-range", at, message);
            found.push(mistake.other(spot(gateway, "spec.ports.blockSize"), "the size of blocks"));
        } else if let Some(first) = seen.insert((forward.port, forward.to.transport), i) {
            let message = format!("port {} of the block leads to two {} ports", forward.port, forward.to.transport);
            let mistake = Diagnostic::error("duplicate-ports", at, message).label("again here");
            found.push(mistake.other(spot(allocation, &format!("spec.forwards.{first}.port")), "first here"));
        }
    }
}
