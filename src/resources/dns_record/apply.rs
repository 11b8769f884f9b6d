//! Many changes as few calls. Thin.
use super::{Change, DnsRecord, Held, Key, Patch, Row, Scope, comment};
use crate::{
    model::{Answer, Class, Failure},
    providers::{
        Providers,
        cloudflare::{Batch, Batched, Cloudflare, Record, RecordBody, RecordPatch, normal},
    },
    resources::Act,
};
use std::ops::Range;

/// Operations in one call: what a free zone takes.
const ROOM: usize = 200;

/// One change as operations.
struct Work {
    /// Its place among the answers.
    nth: usize,
    batch: Batch,
    /// Nothing but removal: may run before all else, and finding nothing is success.
    removes: bool,
}

/// Removals go first, so that a name is free for whoever follows; the rest keeps its order.
pub async fn all(providers: &Providers, scope: &Scope, acts: Vec<Act<'_, DnsRecord>>) -> Vec<Answer<()>> {
    let cloudflare = match providers.cloudflare() {
        Ok(cloudflare) => cloudflare,
        Err(failure) => return acts.iter().map(|_| Err(failure.clone())).collect(),
    };
    let mut answers: Vec<Answer<()>> = acts.iter().map(|_| Ok(())).collect();
    let mut work = vec![];
    for (nth, act) in acts.iter().enumerate() {
        match operations(act) {
            Ok(batch) => work.push(Work { nth, batch, removes: matches!(act.change, Change::Delete { .. }) }),
            Err(failure) => answers[nth] = Err(failure),
        }
    }
    work.sort_by_key(|work| !work.removes);
    while !work.is_empty() {
        let mut total = 0;
        let fits = work.iter().take_while(|work| {
            let first = total == 0;
            total += work.batch.len();
            first || total <= ROOM
        });
        let rest = work.split_off(fits.count());
        for (nth, answer) in together(cloudflare, &scope.zone, &work).await {
            answers[nth] = answer;
        }
        work = rest;
    }
    answers
}

/// One call for all of them. When it is refused for the sake of one, each goes alone, so that one bad change does not
/// stop the rest.
async fn together(cloudflare: &Cloudflare, zone: &str, work: &[Work]) -> Vec<(usize, Answer<()>)> {
    let mut batch = Batch::default();
    let mut parts: Vec<(usize, Range<usize>, Range<usize>)> = vec![];
    for one in work {
        let (patches, posts) = (batch.patches.len(), batch.posts.len());
        batch.deletes.extend(one.batch.deletes.iter().cloned());
        batch.patches.extend(one.batch.patches.iter().cloned());
        batch.posts.extend(one.batch.posts.iter().cloned());
        parts.push((one.nth, patches..batch.patches.len(), posts..batch.posts.len()));
    }
    let for_one = |class| matches!(class, Class::Conflict | Class::Invalid | Class::NotFound);
    match cloudflare.batch(zone, &batch).await {
        Ok(done) => {
            parts.into_iter().map(|(nth, patches, posts)| (nth, check(&batch, &done, patches, posts))).collect()
        }
        Err(failure) if for_one(failure.class) && (work.len() > 1 || work.iter().any(|one| one.removes)) => {
            let mut answers = vec![];
            for one in work {
                answers.push((one.nth, alone(cloudflare, zone, one).await));
            }
            answers
        }
        Err(failure) => work.iter().map(|one| (one.nth, Err(failure.clone()))).collect(),
    }
}

async fn alone(cloudflare: &Cloudflare, zone: &str, work: &Work) -> Answer<()> {
    if work.removes {
        for id in &work.batch.deletes {
            cloudflare.delete_record(zone, id).await?;
        }
        return Ok(());
    }
    let done = cloudflare.batch(zone, &work.batch).await?;
    check(&work.batch, &done, 0..work.batch.patches.len(), 0..work.batch.posts.len())
}

/// The API may leave `proxied` off without a word where the target does not allow it.
fn check(batch: &Batch, done: &Batched, patches: Range<usize>, posts: Range<usize>) -> Answer<()> {
    let patched = batch.patches.iter().zip(&done.patches).skip(patches.start).take(patches.len());
    let posted = batch.posts.iter().zip(&done.posts).skip(posts.start).take(posts.len());
    let asked = patched.map(|((_, patch), record)| (patch.proxied, record));
    let mut all = asked.chain(posted.map(|(post, record)| (Some(post.proxied), record)));
    match all.find(|(asked, record)| asked.is_some_and(|proxied| proxied != record.proxied)) {
        None => Ok(()),
        Some((_, Record { name, kind, content, .. })) => {
            let why = format!("Cloudflare left `proxied` off for {kind} {content}");
            Err(Failure::new(Class::Invalid, format!("send {name} through Cloudflare's edge"), why)
                .hint("private addresses and some targets cannot be proxied"))
        }
    }
}

fn operations(act: &Act<'_, DnsRecord>) -> Answer<Batch> {
    let mut batch = Batch::default();
    let ids = |all: &[Held]| all.iter().map(|held| held.id.clone()).collect::<Vec<_>>();
    match (act.change, act.seen) {
        (Change::Create { rows, uses }, None) => {
            let mark = comment::write(act.mark, uses);
            batch.posts.extend(rows.iter().map(|row| body(act.key, row, &mark)));
        }
        (Change::Adopt { was, uses }, Some(_)) => {
            let mark = comment::write(act.mark, uses);
            let patch = || RecordPatch { comment: Some(mark.clone()), ..RecordPatch::default() };
            batch.patches.extend(was.iter().map(|held| (held.id.clone(), patch())));
        }
        (Change::Set { deletes, patches, posts, uses, mark: anew }, Some(_)) => {
            let mark = comment::write(act.mark, uses);
            batch.deletes.extend(ids(deletes));
            batch.patches.extend(patches.iter().map(|p| (p.id.clone(), patch(p, anew.then_some(&mark)))));
            batch.posts.extend(posts.iter().map(|row| body(act.key, row, &mark)));
        }
        (Change::Delete { was }, Some(_)) => batch.deletes.extend(ids(was)),
        (change, seen) => {
            let there = if seen.is_some() { "records are there" } else { "no record is there" };
            return Err(Failure::new(Class::Conflict, format!("{change} ({})", act.key), there));
        }
    }
    Ok(batch)
}

fn body(key: &Key, row: &Row, mark: &str) -> RecordBody {
    RecordBody {
        name: key.name.clone(),
        kind: row.kind.clone(),
        content: Some(sent(row)),
        data: None,
        priority: None,
        ttl: row.ttl,
        proxied: row.proxied,
        comment: mark.to_owned(),
    }
}

fn patch(patch: &Patch, mark: Option<&String>) -> RecordPatch {
    let Patch { from, to, .. } = patch;
    let turned = from.kind != to.kind;
    RecordPatch {
        kind: turned.then(|| to.kind.clone()),
        content: (turned || from.content != to.content).then(|| sent(to)),
        ttl: (from.ttl != to.ttl || from.proxied != to.proxied).then_some(to.ttl),
        proxied: (turned || from.proxied != to.proxied).then_some(to.proxied),
        comment: mark.cloned(),
        ..RecordPatch::default()
    }
}

fn sent(row: &Row) -> String {
    if row.kind == "TXT" { normal::quoted(&row.content) } else { row.content.clone() }
}
