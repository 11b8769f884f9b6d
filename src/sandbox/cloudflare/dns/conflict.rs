//! Which records cannot stand beside each other. All of these are HTTP 400, never 409.
use super::Records;
use crate::sandbox::cloudflare::{envelope::Refusal, seed::Zone, state::Record};

/// Whether `made` may stand in `records`, where it replaces `instead`.
pub fn check(zone: &Zone, records: &Records, made: &Record, instead: Option<&str>) -> Result<(), Refusal> {
    let beside: Vec<&Record> =
        records.values().filter(|r| r.name == made.name && instead != Some(r.id.as_str())).collect();
    let address = |kind: &str| matches!(kind, "A" | "AAAA");
    let has = |wanted: &dyn Fn(&str) -> bool| beside.iter().any(|r| wanted(&r.kind));
    let refuse = |code, text: &str| Err(Refusal::new(400, code, text));
    match made.kind.as_str() {
        "CNAME" if has(&|kind| kind == "CNAME" || address(kind)) => {
            return match beside.iter().any(|r| r.kind == "CNAME" && r.content == made.content) {
                true => refuse(81058, "An identical record already exists."),
                false => refuse(81053, "An A, AAAA, or CNAME record with that host already exists."),
            };
        }
        "A" | "AAAA" if has(&|kind| kind == "CNAME") => {
            return refuse(81054, "A CNAME record with that host already exists.");
        }
        "NS" if made.name != zone.name && has(&|kind| address(kind) || kind == "CNAME") => {
            return refuse(81053, "An A, AAAA, or CNAME record with that host already exists.");
        }
        kind if kind != "NS" && kind != "DS" && made.name != zone.name && has(&|kind| kind == "NS") => {
            return refuse(81056, "NS records with that host already exist.");
        }
        _ => {}
    }
    let same = |r: &&Record| r.kind == made.kind && r.content == made.content && r.priority == made.priority;
    match beside.into_iter().find(same) {
        Some(_) => refuse(81058, "An identical record already exists."),
        None => text_at_one_name(records, made, instead),
    }
}

/// All TXT records of one name have 8,192 bytes together.
fn text_at_one_name(records: &Records, made: &Record, instead: Option<&str>) -> Result<(), Refusal> {
    let others = records.values().filter(|r| r.kind == "TXT" && r.name == made.name && instead != Some(r.id.as_str()));
    let total: usize = others.map(|r| r.content.len()).sum();
    match made.kind == "TXT" && total + made.content.len() > 8_192 {
        true => Err(Refusal::dns(9207, "The combined content of TXT records at this name exceeds 8192 characters.")),
        false => Ok(()),
    }
}
