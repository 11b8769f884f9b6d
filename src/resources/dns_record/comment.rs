//! The ownership mark of a record, in its comment: atomic with the record, and possible in every plan of Cloudflare.
//!
//! `trueup dc-lk abcdefghijklmnop ponmlkjihgfedcba delete guest/101 DnsSlug/web`: site, uid, what it serves (`-`: nothing),
//! policy, objects that must outlive it, and for people the declaration, where there is room.
use crate::model::{DeclarationId, Deletion, Mark, ObjectId};

/// Characters that a comment has in a free zone.
pub const ROOM: usize = 100;
const WORD: &str = "trueup";

/// The comment for this mark. The declaration is left out where it does not fit; the rest always fits: a site id has at
/// most 20 characters, a uid 16.
pub fn write(mark: &Mark, uses: &[ObjectId]) -> String {
    let serves = mark.serves.as_ref().map_or("-", |uid| uid.as_str());
    let mut text = format!("{WORD} {} {} {serves} {}", mark.site, mark.uid, mark.deletion);
    let words = uses.iter().map(ToString::to_string).chain(mark.declared.iter().map(ToString::to_string));
    for word in words {
        if text.chars().count() + 1 + word.chars().count() <= ROOM {
            text.push(' ');
            text.push_str(&word);
        }
    }
    text
}

/// The mark in a comment, and what must outlive the record. `None`: not one of ours.
pub fn read(comment: &str) -> Option<(Mark, Vec<ObjectId>)> {
    let mut words = comment.split(' ');
    if words.next() != Some(WORD) {
        return None;
    }
    let mut mark = Mark {
        site: words.next().filter(|site| !site.is_empty())?.to_owned(),
        uid: words.next()?.parse().ok()?,
        serves: match words.next()? {
            "-" => None,
            uid => Some(uid.parse().ok()?),
        },
        // A policy that a later version invents is not one that allows a deletion.
        deletion: words.next()?.parse().unwrap_or(Deletion::Retain),
        declared: None,
    };
    let mut uses = vec![];
    for word in words {
        // Kinds begin with a capital, resources do not.
        match word.parse::<DeclarationId>() {
            Ok(declared) if declared.kind.starts_with(|c: char| c.is_ascii_uppercase()) => {
                mark.declared = Some(declared);
            }
            _ => uses.extend(ObjectId::try_from(word.to_owned())),
        }
    }
    Some((mark, uses))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(site: &str, name: &str) -> Mark {
        Mark {
            site: site.into(),
            uid: "abcdefghijklmnop".parse().unwrap(),
            serves: Some("ponmlkjihgfedcba".parse().unwrap()),
            deletion: Deletion::Retain,
            declared: Some(DeclarationId::new("DnsSlug", name)),
        }
    }

    #[test]
    fn a_mark_survives_its_comment() {
        let uses = [ObjectId { resource: "guest".into(), key: "101".into() }];
        let text = write(&mark("dc-lk", "web"), &uses);
        assert_eq!(text, "trueup dc-lk abcdefghijklmnop ponmlkjihgfedcba retain guest/101 DnsSlug/web");
        assert_eq!(read(&text), Some((mark("dc-lk", "web"), uses.to_vec())));
        let bare = Mark { serves: None, declared: None, ..mark("nz", "") };
        assert_eq!(read(&write(&bare, &[])), Some((bare, vec![])));
    }

    #[test]
    fn it_fits_a_free_zone_whatever_the_names() {
        let uses = [ObjectId { resource: "tunnel".into(), key: "abcdefghijklmnop".into() }];
        let long = mark("a-site-of-20-letters", &"n".repeat(63));
        let text = write(&long, &uses);
        assert!(text.chars().count() <= ROOM, "{text}");
        assert_eq!(read(&text), Some((Mark { declared: None, ..long }, uses.to_vec())));
    }

    #[test]
    fn what_people_write_is_no_mark() {
        for text in
            ["", "trueup", "trueup dc-lk", "managed by trueup", "trueup dc-lk NOT-A-UID - delete", "Trueup a b c d"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        let invented = "trueup dc-lk abcdefghijklmnop - sometimes";
        assert_eq!(read(invented).map(|(mark, _)| mark.deletion), Some(Deletion::Retain));
    }
}
