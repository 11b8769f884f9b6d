//! Listing records: filters, order, pages.
use super::record;
use crate::sandbox::cloudflare::{Call, envelope::Success, seed::Zone, state::Record};
use jiff::{Timestamp, ToSpan};
use std::cmp::Ordering;

pub fn list(call: &Call<'_>, zone: &Zone) -> Success {
    let none = super::Records::new();
    let records = call.state.records.get(&zone.id).unwrap_or(&none);
    let mut found: Vec<&Record> = records.values().filter(|r| visible(call, r) && matches(call, zone, r)).collect();
    found.sort_by(|a, b| order(call, a, b).then_with(|| (&a.name, &a.id).cmp(&(&b.name, &b.id))));
    let all = found.into_iter().map(|r| record::object(r, &call.seed.behaviour)).collect();
    let (page, per_page) = call.page(100);
    Success::page(all, page, per_page)
}

/// A fresh record may be missing from lists for a while.
fn visible(call: &Call<'_>, record: &Record) -> bool {
    let delay = i64::from(call.seed.behaviour.list_delay);
    delay == 0
        || record
            .created_on
            .parse::<Timestamp>()
            .ok()
            .and_then(|made| made.checked_add(delay.seconds()).ok())
            .is_none_or(|shown| shown <= call.now)
}

fn order(call: &Call<'_>, a: &Record, b: &Record) -> Ordering {
    let ordering = match call.query("order").unwrap_or("type") {
        "name" => a.name.cmp(&b.name),
        "content" => a.content.cmp(&b.content),
        "ttl" => a.ttl.cmp(&b.ttl),
        "proxied" => a.proxied.cmp(&b.proxied),
        _ => a.kind.cmp(&b.kind),
    };
    if call.query("direction") == Some("desc") { ordering.reverse() } else { ordering }
}

fn matches(call: &Call<'_>, zone: &Zone, record: &Record) -> bool {
    let comment = record.comment.as_deref().unwrap_or_default();
    let mut results: Vec<bool> = vec![];
    for (name, wanted) in &call.query {
        let (field, how) = name.split_once('.').unwrap_or((name, "exact"));
        let result = match field {
            "name" => compare(&record.name, how, &name_in(zone, wanted)),
            "content" => compare(&record.content, how, wanted),
            "comment" => match how {
                "present" => !comment.is_empty(),
                "absent" => comment.is_empty(),
                how => compare(comment, how, wanted),
            },
            "tag" => match how {
                "present" => record.tags.iter().any(|t| tag_name(t).eq_ignore_ascii_case(wanted)),
                "absent" => !record.tags.iter().any(|t| tag_name(t).eq_ignore_ascii_case(wanted)),
                how => record.tags.iter().any(|t| compare(t, how, wanted)),
            },
            "type" => record.kind == *wanted,
            "proxied" => record.proxied.to_string() == *wanted,
            _ => continue,
        };
        results.push(result);
    }
    match call.query("match") {
        Some("any") => results.is_empty() || results.contains(&true),
        _ => !results.contains(&false),
    }
}

fn tag_name(tag: &str) -> &str {
    tag.split_once(':').map_or(tag, |(name, _)| name)
}

/// `@` may stand for the zone in a filter too.
fn name_in(zone: &Zone, wanted: &str) -> String {
    if wanted == "@" { zone.name.clone() } else { wanted.to_owned() }
}

/// All comparisons leave case out.
fn compare(have: &str, how: &str, wanted: &str) -> bool {
    let (have, wanted) = (have.to_lowercase(), wanted.to_lowercase());
    match how {
        "contains" => have.contains(&wanted),
        "startswith" => have.starts_with(&wanted),
        "endswith" => have.ends_with(&wanted),
        _ => have == wanted,
    }
}
