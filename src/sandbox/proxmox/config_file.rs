//! A guest's config file as text: what its digest is taken of, and what blank values turn into.
use super::state::{Conf, Guest, Kind};
use sha1::{Digest, Sha1};
use std::fmt::Write;

/// The config file as pve-container and qemu-server write it.
pub fn text(guest: &Guest) -> String {
    let mut out = section(&guest.conf, &|key| guest.blank.contains(key));
    if !guest.pending.is_empty() {
        out.push_str("\n[pve:pending]\n");
        out.push_str(&section(&guest.pending, &|key| guest.blank.contains(&pending(key))));
    }
    for (name, conf) in &guest.snapshots {
        let _ = write!(out, "\n[{name}]\n{}", section(conf, &|_| false));
    }
    out
}

/// SHA-1 of the file, as GET answers it and PUT takes it.
pub fn digest(guest: &Guest) -> String {
    sum(&text(guest))
}

/// SHA-1 of any config text.
pub fn sum(text: &str) -> String {
    Sha1::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// The key of a pending value among those that are blank.
fn pending(key: &str) -> String {
    format!("pending {key}")
}

/// A section's lines. `bare` tells a value that is read back as a blank although none is there.
fn section(conf: &Conf, bare: &dyn Fn(&str) -> bool) -> String {
    let mut out = String::new();
    if let Some(notes) = conf.get("description") {
        let mut lines: Vec<&str> = notes.split('\n').collect();
        // Perl's split drops empty fields at the end.
        while lines.last().is_some_and(|l| l.is_empty()) {
            lines.pop();
        }
        for line in lines {
            let _ = writeln!(out, "#{}", encode(line));
        }
    }
    for (key, value) in conf.iter().filter(|(k, _)| !matches!(k.as_str(), "description" | "env")) {
        let value = if bare(key) { "" } else { value };
        let _ = writeln!(out, "{key}: {value}");
    }
    for variable in conf.get("env").into_iter().flat_map(|env| env.split('\0')).filter(|v| !v.is_empty()) {
        let _ = writeln!(out, "lxc.environment.runtime: {variable}");
    }
    out
}

/// `PVE::Tools::encode_text`: control characters, `%`, `:` and everything beyond ASCII, percent-encoded.
fn encode(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for byte in line.bytes() {
        match byte {
            b'%' | b':' | 0..=0x1f | 0x7f..=0xff => {
                let _ = write!(out, "%{byte:02X}");
            }
            _ => out.push(byte as char),
        }
    }
    out
}

/// Gives values the form in which they are read back from the file: trimmed, a blank for nothing, the notes with a newline
/// at their end.
pub fn settle(guest: &mut Guest) {
    // qemu-server drops the newline at the end of the notes, pve-container adds one.
    let end = if guest.kind == Kind::Lxc { "\n" } else { "" };
    // What was blank before is written with the blank as which it was read.
    guest.blank.clear();
    guest.blank.extend(guest.conf.iter().filter(|(_, v)| v.is_empty()).map(|(k, _)| k.clone()));
    guest.blank.extend(guest.pending.iter().filter(|(_, v)| v.is_empty()).map(|(k, _)| pending(k)));
    for conf in [&mut guest.conf, &mut guest.pending].into_iter().chain(guest.snapshots.values_mut()) {
        if conf.get("description").is_some_and(|d| d.trim_end_matches('\n').is_empty()) {
            conf.remove("description");
        }
        for (key, value) in conf.iter_mut() {
            if key == "description" {
                *value = format!("{}{end}", value.trim_end_matches('\n'));
            } else if value.trim().is_empty() {
                *value = " ".into();
            } else if value.trim().len() != value.len() {
                *value = value.trim().into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(conf: &[(&str, &str)]) -> Guest {
        let mut guest = Guest::new(Kind::Lxc, "pve1");
        guest.conf = conf.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        guest
    }

    /// Digests seen on pve-manager 9.2.11.
    #[test]
    fn digests_are_those_of_the_real_one() {
        assert_eq!(digest(&guest(&[("lock", "create")])), "a7e9f8c42935261b36fcd1d7d6cd8cd41648da49");
        let mut web = guest(&[
            ("description", "with it"),
            ("arch", "amd64"),
            ("features", "nesting=1"),
            ("hostname", "CT101"),
            ("memory", "144"),
            ("ostype", "debian"),
            ("rootfs", "local:101/vm-101-disk-0.raw,size=1G"),
            ("swap", "0"),
            ("unprivileged", "1"),
        ]);
        web.pending.insert("net0".into(), "name=eth0,bridge=vmbr9,ip=10.99.0.51/24".into());
        assert_eq!(digest(&web), "c80db54570f2bb6e0db29d8e13591da1d6bc2ede");
    }

    #[test]
    fn each_variable_of_the_environment_has_a_line_after_the_options() {
        let web = guest(&[("env", "A=1\0B=2"), ("memory", "144")]);
        assert_eq!(text(&web), "memory: 144\nlxc.environment.runtime: A=1\nlxc.environment.runtime: B=2\n");
    }

    #[test]
    fn nothing_is_read_back_as_a_blank() {
        let mut odd = guest(&[("tags", ""), ("memory", ""), ("description", "\n")]);
        settle(&mut odd);
        assert_eq!(odd.conf["tags"], " ");
        assert!(text(&odd).contains("\ntags: \n"));
        settle(&mut odd);
        assert!(text(&odd).contains("\ntags:  \n"));
        assert!(!odd.conf.contains_key("description"));
    }
}
