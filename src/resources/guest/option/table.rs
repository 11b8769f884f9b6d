//! The tables of `docs/reference`, as text.
use super::{Care, Grant, GuestOption, Takes, all};
use crate::providers::proxmox::GuestType;
use std::fmt::Write;

/// Every option of one type of guest, with who looks after it: a page in Markdown.
pub fn table(kind: GuestType) -> String {
    let (kinds, path) = match kind {
        GuestType::Lxc => ("Container", "lxc"),
        GuestType::Qemu => ("VirtualMachine", "qemu"),
    };
    let managed = |care: &Care| !matches!(care, Care::Left(_));
    let (looked_after, left): (Vec<_>, Vec<_>) = all(kind).iter().partition(|option| managed(&option.care));
    let mut out = format!(
        "<!-- Written from src/resources/guest/option/{path}.rs. `make bless` writes it anew. -->\n# Options of /nodes/{{node}}/{path}\n\n\
         Every parameter of the calls that make and change a guest (pve-manager 9.2.11 and 8.4.21), and what Trueup does with\n\
         it. Fields are those of [{kinds}]({}.md).\n\n## Looked after\n\n\
         | option | where | a change of a running guest takes effect | who may set it |\n|---|---|---|---|\n",
        kinds.to_ascii_lowercase().replace("virtualmachine", "virtual-machine"),
    );
    for option in looked_after {
        row(&mut out, option, true);
    }
    out.push_str("\n## Deliberately left alone\n\n| option | why |\n|---|---|\n");
    for option in left {
        row(&mut out, option, false);
    }
    out
}

fn row(out: &mut String, option: &GuestOption, whole: bool) {
    let care = match option.care {
        Care::Field(field) => format!("`{field}`"),
        Care::Ours(what) | Care::Left(what) => what.to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = match whole {
        true => writeln!(out, "| `{}` | {care} | {} | {} |", option.name, takes(option.takes), grant(option.grant)),
        false => writeln!(out, "| `{}` | {care} |", option.name),
    };
}

fn takes(takes: Takes) -> &'static str {
    match takes {
        Takes::AtOnce => "at once",
        Takes::AtStart => "with the next start",
        Takes::Inside => "inside, by cloud-init with the next start",
        Takes::WhenNew => "a new one at once, a change with the next start",
        Takes::Growing => "a new one and more room at once, a change with the next start",
        Takes::Anew => "only by making the guest anew",
        Takes::AtCreation => "used when it is made, not known afterwards",
        Takes::Call => "steers a call",
    }
}

fn grant(grant: Grant) -> String {
    match grant {
        Grant::Privilege(which) => which.to_owned(),
        Grant::Partly(which) => format!("{which}; else `root@pam` alone, through the Site's `host`"),
        Grant::Root => "`root@pam` alone, through the Site's `host`".into(),
    }
}
