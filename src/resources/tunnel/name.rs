//! The ownership mark of a tunnel, in its name: the only text that a tunnel has.
//!
//! `myird.nz.abcdefghijklmnop`: declaration, site, uid; and after it the policy, where it is not `delete`.
use crate::model::{DeclarationId, Deletion, Mark};

const KIND: &str = "Tunnel";

/// The name for this mark.
pub fn write(mark: &Mark) -> String {
    let name = mark.declared.as_ref().map_or("tunnel", |declared| declared.name.as_str());
    let policy = match mark.deletion {
        Deletion::Delete => String::new(),
        other => format!(".{other}"),
    };
    format!("{name}.{}.{}{policy}", mark.site, mark.uid)
}

/// The mark in a name. `None`: not one of ours.
pub fn read(name: &str) -> Option<Mark> {
    let (rest, deletion) = match name.rsplit_once('.') {
        Some((rest, policy)) if policy.parse::<Deletion>().is_ok() => (rest, policy.parse().ok()?),
        _ => (name, Deletion::Delete),
    };
    let (rest, uid) = rest.rsplit_once('.')?;
    // A declaration's name may not hold a dot, a site's id neither.
    let (declared, site) = rest.rsplit_once('.')?;
    Some(Mark {
        site: site.to_owned(),
        uid: uid.parse().ok()?,
        serves: None,
        deletion,
        declared: Some(DeclarationId::new(KIND, declared)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_name() {
        for deletion in [Deletion::Delete, Deletion::Retain, Deletion::Forbid] {
            let mark = Mark {
                site: "nz".into(),
                uid: "abcdefghijklmnop".parse().unwrap(),
                serves: None,
                deletion,
                declared: Some(DeclarationId::new(KIND, "myird")),
            };
            assert_eq!(read(&write(&mark)), Some(mark));
        }
        for name in ["", "by-hand", "a.b", "a.b.c", "a.nz.TOO-SHORT", "nz.abcdefghijklmnop"] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
