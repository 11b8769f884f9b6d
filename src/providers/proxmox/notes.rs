//! The notes of a guest (`description`), and our stamp in them.
use crate::model::{Deletion, Mark};
use std::fmt::{self, Display};

/// The tag that every guest of ours carries; guests are found by it.
pub const TAG: &str = "trueup";
const OPEN: &str = "<!-- trueup ";
const CLOSE: &str = " -->";

/// Who a guest belongs to: one line in its notes, hidden where the web interface renders them.
///
/// It names the guest's own id as well: a clone or a restore under another id carries the notes of its origin, and must
/// not be taken for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub mark: Mark,
    /// The id of the guest that was stamped.
    pub vmid: u32,
}

impl Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { site, uid, deletion, declared, .. } = &self.mark;
        write!(f, "{OPEN}site={site}")?;
        if let Some(declared) = declared {
            write!(f, " declared={declared}")?;
        }
        write!(f, " uid={uid} vmid={} deletion={deletion}{CLOSE}", self.vmid)
    }
}

impl Stamp {
    fn parse(line: &str) -> Option<Self> {
        let inside = line.trim().strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
        let field = |name: &str| inside.split_whitespace().find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            mark: Mark {
                site: field("site")?.to_owned(),
                uid: field("uid")?.parse().ok()?,
                serves: None,
                // A policy that a later version invents is not one that allows a deletion.
                deletion: field("deletion")?.parse().unwrap_or(Deletion::Retain),
                declared: field("declared").and_then(|d| d.parse().ok()),
            },
            vmid: field("vmid")?.parse().ok()?,
        })
    }
}

/// The stamp in these notes; the first, should a person have doubled it.
pub fn stamp(notes: &str) -> Option<Stamp> {
    notes.lines().find_map(Stamp::parse)
}

/// What people wrote, without our stamp and without the newline that Proxmox adds at the end.
pub fn prose(notes: &str) -> String {
    let kept: Vec<&str> = notes.lines().filter(|l| !l.trim().starts_with(OPEN.trim_end())).collect();
    kept.join("\n").trim_end_matches('\n').to_owned()
}

/// The same notes with this stamp as the last line.
pub fn stamped(notes: &str, stamp: &Stamp) -> String {
    match prose(notes) {
        prose if prose.is_empty() => stamp.to_string(),
        prose => format!("{prose}\n{stamp}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeclarationId;

    fn web() -> Stamp {
        let mark = Mark {
            site: "dc-lk".into(),
            uid: "abcdefghijklmnop".parse().unwrap(),
            serves: None,
            deletion: Deletion::Retain,
            declared: Some(DeclarationId::new("Container", "web")),
        };
        Stamp { mark, vmid: 101 }
    }

    #[test]
    fn the_prose_of_people_is_kept_and_the_stamp_is_found_again() {
        let notes = stamped("# web\n\n100% `ü`\n", &web());
        insta::assert_snapshot!(notes, @r"
        # web

        100% `ü`
        <!-- trueup site=dc-lk declared=Container/web uid=abcdefghijklmnop vmid=101 deletion=retain -->
        ");
        assert_eq!(stamp(&format!("{notes}\n")), Some(web()), "with the newline that Proxmox adds");
        assert_eq!(prose(&notes), "# web\n\n100% `ü`");
        assert_eq!(stamped(&format!("{notes}\n"), &web()), notes, "stamping twice changes nothing");
    }

    #[test]
    fn a_broken_stamp_is_none_and_is_replaced() {
        let notes = "hello\n<!-- trueup site=dc-lk -->";
        assert_eq!(stamp(notes), None);
        assert_eq!(prose(notes), "hello");
    }
}
