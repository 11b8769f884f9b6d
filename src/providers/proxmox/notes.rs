//! The notes of a guest (`description`), and our stamp in them.
use std::fmt::{self, Display};

/// The tag that every guest of ours carries; guests are found by it.
pub const TAG: &str = "trueup";
const OPEN: &str = "<!-- trueup ";
const CLOSE: &str = " -->";

/// Who a guest belongs to: one line in its notes, hidden where the web interface renders them.
///
/// It names the guest's own id as well: a clone or a restore under another id carries the notes of its origin, and must
/// not be taken for it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    pub site: String,
    /// `container/web`: kind and name of the manifest that declared it last.
    pub owner: String,
    pub uid: String,
    pub vmid: u32,
    /// `delete`, `retain` or `forbid`.
    pub deletion: String,
}

impl Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, owner, uid, vmid, deletion } = self;
        write!(f, "{OPEN}site={site} owner={owner} uid={uid} vmid={vmid} deletion={deletion}{CLOSE}")
    }
}

impl Stamp {
    fn parse(line: &str) -> Option<Self> {
        let inside = line.trim().strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
        let field = |name: &str| {
            inside
                .split_whitespace()
                .find_map(|w| w.split_once('=').filter(|(k, _)| *k == name))
                .map(|(_, v)| v.to_owned())
        };
        Some(Self {
            site: field("site")?,
            owner: field("owner")?,
            uid: field("uid")?,
            vmid: field("vmid")?.parse().ok()?,
            deletion: field("deletion").unwrap_or_else(|| "retain".into()),
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

    fn web() -> Stamp {
        Stamp {
            site: "dc-lk".into(),
            owner: "container/web".into(),
            uid: "abcdefghijklmnop".into(),
            vmid: 101,
            deletion: "retain".into(),
        }
    }

    #[test]
    fn the_prose_of_people_is_kept_and_the_stamp_is_found_again() {
        let notes = stamped("# web\n\n100% `ü`\n", &web());
        insta::assert_snapshot!(notes, @r"
        # web

        100% `ü`
        <!-- trueup site=dc-lk owner=container/web uid=abcdefghijklmnop vmid=101 deletion=retain -->
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
