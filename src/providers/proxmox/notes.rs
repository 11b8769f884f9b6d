//! The notes of a guest (`description`), and our stamp in them.
use crate::model::Mark;
use std::fmt::{self, Display};

/// The tag that every guest of ours carries; guests are found by it.
pub const TAG: &str = "trueup";
/// The further tag of those in which units of ours are, or were: it is worth the time to look inside.
pub const UNITS_TAG: &str = "trueup-units";
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
    /// The volume that it was made from: Proxmox does not remember it.
    pub from: Option<String>,
}

impl Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPEN}{} vmid={}", self.mark.to_words(), self.vmid)?;
        if let Some(from) = &self.from {
            write!(f, " from={from}")?;
        }
        f.write_str(CLOSE)
    }
}

impl Stamp {
    fn parse(line: &str) -> Option<Self> {
        let inside = line.trim().strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
        let vmid = inside.split_whitespace().find_map(|word| word.strip_prefix("vmid="))?;
        let from = inside.split_whitespace().find_map(|word| word.strip_prefix("from=")).map(str::to_owned);
        Some(Self { mark: Mark::from_words(inside)?, vmid: vmid.parse().ok()?, from })
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
    use crate::model::{DeclarationId, Deletion};

    fn web() -> Stamp {
        let mark = Mark {
            site: "dc-lk".into(),
            uid: "abcdefghijklmnop".parse().unwrap(),
            serves: None,
            deletion: Deletion::Retain,
            declared: Some(DeclarationId::new("Container", "web")),
        };
        Stamp { mark, vmid: 101, from: None }
    }

    #[test]
    fn the_prose_of_people_is_kept_and_the_stamp_is_found_again() {
        let notes = stamped("# web\n\n100% `ü`\n", &web());
        insta::assert_snapshot!(notes, @r"
        # web

        100% `ü`
        <!-- trueup site=dc-lk declared=Container/web uid=abcdefghijklmnop deletion=retain vmid=101 -->
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
