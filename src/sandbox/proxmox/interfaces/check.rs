//! What must fit together before the file is written.
use super::File;

/// Checks the file, and brings what is said twice into one form.
///
/// # Errors
/// The text that the real one dies with.
pub fn whole(file: &mut File) -> Result<(), String> {
    ports_once(file)?;
    bonds(file)?;
    vlans(file)?;
    bridges(file)
}

fn words(list: Option<&str>) -> Vec<String> {
    let words = list.unwrap_or_default().split([';', ',', ' ', '\t', '\n']).filter(|w| !w.is_empty());
    words.map(str::to_string).collect()
}

/// The names of one type.
fn of_kind(file: &File, kind: &str) -> Vec<String> {
    file.ifaces.iter().filter(|(_, i)| i.kind == kind).map(|(name, _)| name.clone()).collect()
}

fn ports_once(file: &File) -> Result<(), String> {
    let mut used = std::collections::BTreeMap::new();
    for (name, iface) in &file.ifaces {
        for port in ["bridge_ports", "slaves"].into_iter().flat_map(|k| words(iface.get(k))) {
            if let Some(other) = used.insert(port.clone(), name).filter(|other| *other != name) {
                return Err(format!("port '{port}' is already used on interface '{other}'"));
            }
        }
    }
    Ok(())
}

fn mtu(file: &File, parent: &str, child: &str) -> Result<(), String> {
    let of = |name: &str| file.ifaces.get(name)?.get("mtu")?.parse::<u32>().ok();
    let Some(below) = of(child) else { return Ok(()) };
    let bond = file.ifaces.get(parent).is_some_and(|p| p.kind == "bond");
    let above = of(parent).unwrap_or(if bond { below } else { 1500 });
    match above < below {
        true => Err(format!("interface '{parent}' - mtu {above} is lower than '{child}' - mtu {below}")),
        false => Ok(()),
    }
}

fn bonds(file: &mut File) -> Result<(), String> {
    for name in of_kind(file, "bond") {
        let bond = &file.ifaces[&name];
        let (slaves, primary) = (words(bond.get("slaves")), bond.get("bond-primary").map(str::to_string));
        for slave in &slaves {
            let below = file.ifaces.get_mut(slave);
            let below = below.ok_or_else(|| format!("bond '{name}' - unable to find slave '{slave}'"))?;
            below.autostart = true;
            let kind = below.kind.clone();
            if !matches!(&*kind, "eth" | "bond") {
                return Err(format!(
                    "bond '{name}' - wrong interface type on slave '{slave}' ('{kind}' != 'eth or bond')"
                ));
            }
            mtu(file, &name, slave)?;
        }
        if primary.is_some_and(|p| !slaves.is_empty() && !slaves.contains(&p)) {
            return Err(format!("bond '{name}' - bond-primary interface is not a slave"));
        }
    }
    Ok(())
}

fn vlans(file: &mut File) -> Result<(), String> {
    for name in of_kind(file, "vlan") {
        let Some(iface) = file.ifaces.get_mut(&name) else { continue };
        let dotted = name.rsplit_once('.').filter(|(_, id)| id.parse::<u32>().is_ok());
        let (parent, id) = match (dotted, iface.get("vlan-raw-device").map(str::to_string)) {
            (Some((parent, id)), _) => {
                iface.remove("vlan-raw-device");
                iface.remove("vlan-id");
                (parent.to_string(), id.to_string())
            }
            (None, None) => return Err("missing vlan-raw-device option".into()),
            (None, Some(parent)) => match name.strip_prefix("vlan").filter(|id| id.parse::<u32>().is_ok()) {
                Some(id) => {
                    iface.remove("vlan-id");
                    (parent, id.to_string())
                }
                None => (parent, iface.get("vlan-id").ok_or("missing vlan-id option")?.to_string()),
            },
        };
        if id.parse::<u32>().is_ok_and(|id| id > 4094) {
            return Err(format!("vlan '{name}' - vlan-id {id} should be <= 4094"));
        }
        let kind = file.ifaces.get(&parent).map(|p| p.kind.clone());
        let kind = kind.ok_or_else(|| format!("vlan '{name}' - unable to find parent '{parent}'"))?;
        if !matches!(&*kind, "eth" | "bridge" | "bond" | "vlan") {
            return Err(format!(
                "vlan '{name}' - wrong interface type on parent '{parent}' ('{kind}' != 'eth|bond|bridge|vlan' )"
            ));
        }
        mtu(file, &parent, &name)?;
    }
    Ok(())
}

fn bridges(file: &File) -> Result<(), String> {
    for name in of_kind(file, "bridge") {
        for port in words(file.ifaces[&name].get("bridge_ports")) {
            let of_vlan = port.rsplit_once('.').is_some_and(|(_, id)| id.parse::<u32>().is_ok());
            let Some(below) = file.ifaces.get(&port) else {
                match of_vlan {
                    true => continue,
                    false => return Err(format!("bridge '{name}' - unable to find bridge port '{port}'")),
                }
            };
            let addressed = |suffix: &str, nothing: &str| {
                below.get(&format!("method{suffix}")) == Some("static")
                    && below.get(&format!("address{suffix}")) != Some(nothing)
            };
            if addressed("", "0.0.0.0") || addressed("6", "::") {
                return Err(format!("iface {port} - ip address can't be set on interface if bridged in {name}"));
            }
            mtu(file, &port, &name)?;
        }
    }
    Ok(())
}
