//! What has to be done to the records under one key. Pure.
use super::{Change, Desired, Held, Key, Live, Patch, Row};
use crate::model::{Disruption, Draft, Field, Sides, Verb};
use std::collections::BTreeSet;

pub fn diff(key: &Key, sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    match sides {
        Sides::OnlyDesired(desired) => {
            let change = Change::Create { rows: rows(key, desired).collect(), uses: desired.uses.clone() };
            vec![Draft::new(Verb::Create, change).fields(fields(key, desired, None))]
        }
        Sides::OnlyLive(live) => {
            let change = Change::Delete { was: live.records.clone() };
            vec![Draft::new(Verb::Delete, change).disrupts(Disruption::Interruption)]
        }
        Sides::Both { desired, live, stale_mark } => {
            let mark = stale_mark || live.mixed || live.uses != desired.uses;
            set(key, desired, live, mark).into_iter().collect()
        }
        Sides::Adopt { desired, live } => {
            let change = Change::Adopt { was: live.records.clone(), uses: desired.uses.clone() };
            let adopt = Draft::new(Verb::Adopt, change).fields(live.records.iter().filter_map(|held| {
                let name = format!("comment of {}", held.row);
                Field::differs(&name, held.row.comment.as_ref(), Some("our mark"))
            }));
            [Some(adopt), set(key, desired, live, false)].into_iter().flatten().collect()
        }
    }
}

fn rows<'a>(key: &'a Key, desired: &'a Desired) -> impl Iterator<Item = Row> + 'a {
    desired.contents.iter().map(|content| row(key, desired, content))
}

fn row(key: &Key, desired: &Desired, content: &str) -> Row {
    Row {
        kind: key.kind.clone(),
        content: content.to_owned(),
        ttl: desired.ttl,
        proxied: desired.proxied,
        comment: None,
    }
}

/// Keeps the records whose content is right, turns others into what is missing, and removes what is left over.
fn set(key: &Key, desired: &Desired, live: &Live, mark: bool) -> Option<Draft<Change>> {
    let right = |held: &&Held| held.row.kind == key.kind && desired.contents.contains(&held.row.content);
    let (mut deletes, usable): (Vec<&Held>, Vec<&Held>) = live.records.iter().partition(|held| held.surplus);
    let (kept, mut others): (Vec<&Held>, Vec<&Held>) = usable.into_iter().partition(right);
    let mut missing: BTreeSet<&String> = desired.contents.iter().collect();
    let mut pairs: Vec<(&Held, Row)> = vec![];
    for held in kept {
        // Two of one content and different form: one of them is enough.
        match missing.remove(&held.row.content) {
            true => pairs.push((held, row(key, desired, &held.row.content))),
            false => deletes.push(held),
        }
    }
    others.reverse();
    let mut posts = vec![];
    for content in missing {
        match others.pop() {
            Some(held) => pairs.push((held, row(key, desired, content))),
            None => posts.push(row(key, desired, content)),
        }
    }
    deletes.extend(others);
    let patches: Vec<Patch> = pairs
        .into_iter()
        .map(|(held, to)| Patch { id: held.id.clone(), from: Row { comment: None, ..held.row.clone() }, to })
        .filter(|patch| mark || patch.from != patch.to)
        .collect();
    if deletes.is_empty() && patches.is_empty() && posts.is_empty() {
        return None;
    }
    let deletes = deletes.into_iter().cloned().collect();
    let change = Change::Set { deletes, patches, posts, uses: desired.uses.clone(), mark };
    let mut fields = fields(key, desired, Some(live));
    fields.extend(mark.then(|| Field {
        name: "mark".into(),
        from: None,
        to: Some("written anew".into()),
        effect: None,
    }));
    let moves = fields.iter().any(|field| matches!(field.name.as_str(), "type" | "content"));
    let draft = Draft::new(Verb::Update, change).fields(fields);
    Some(if moves { draft.disrupts(Disruption::Interruption) } else { draft })
}

fn fields(key: &Key, desired: &Desired, live: Option<&Live>) -> Vec<Field> {
    let side = |of: fn(&Row) -> String| {
        let all: BTreeSet<String> = live?.records.iter().map(|held| of(&held.row)).collect();
        Some(all.into_iter().collect::<Vec<_>>().join(", "))
    };
    let contents: Vec<&str> = desired.contents.iter().map(String::as_str).collect();
    // How many there are shows only in the contents, also where two have the same.
    let count = live.map_or(0, |live| live.records.len());
    let mut from = side(|row| row.content.clone());
    if let Some(from) = from.as_mut().filter(|_| count > desired.contents.len()) {
        *from = format!("{from} ({count} records)");
    }
    [
        live.and_then(|_| Field::differs("type", side(|row| row.kind.clone()), Some(&key.kind))),
        Field::differs("content", from, Some(contents.join(", "))),
        Field::differs("ttl", side(|row| row.ttl.to_string()), Some(desired.ttl)),
        Field::differs("proxied", side(|row| row.proxied.to_string()), Some(desired.proxied)),
        desired.warning.clone().map(|text| Field { name: "warning".into(), from: None, to: Some(text), effect: None }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What no step makes go away.
pub fn remark(desired: &Desired, live: &Live) -> Option<String> {
    let beside = (!live.beside.is_empty())
        .then(|| format!("answers come also from a record that is not ours: {}", live.beside.join(", ")));
    let said: Vec<String> = beside.into_iter().chain(desired.warning.clone()).collect();
    (!said.is_empty()).then(|| said.join("; "))
}
