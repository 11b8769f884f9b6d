use super::*;
use crate::{
    model::{DeclarationId, Deletion, Foreign, Found, Mark, Mode, Observation, Ours, Ready, Revision, Wanted, Wants},
    plan::compare,
};

fn mark(name: &str) -> Mark {
    Mark {
        site: "nz".into(),
        uid: "abcdefghijklmnop".parse().unwrap(),
        serves: None,
        deletion: Deletion::Delete,
        declared: Some(DeclarationId::new("Tunnel", name)),
    }
}

fn plan_of(wanted: bool, adopt: bool, found: Option<Found<Live>>) -> String {
    let uid = mark("myird").uid;
    let mut wants = Wants::<Tunnel>::default();
    if wanted {
        let ready = Ready { mark: mark("myird"), adopt, mode: Mode::Reconcile, desired: Desired };
        wants.add(uid.clone(), Wanted::Ready(ready));
    }
    let inventory = found.into_iter().map(|found| (uid.clone(), found)).collect();
    let part = compare::<Tunnel, _>(wants, &Observation::Complete(inventory), ToString::to_string);
    let steps = part.plan.steps.iter().map(|step| {
        let consent = step.needs_consent.as_ref().map_or_else(String::new, |why| format!(" [consent: {why}]"));
        format!("{} {}{consent}", step.verb.sign(), step.change)
    });
    let conflicts = part.plan.conflicts.iter().map(|note| format!("conflict: {}", note.text));
    let lines: Vec<String> = steps.chain(conflicts).collect();
    if lines.is_empty() { "nothing".into() } else { lines.join("\n") }
}

fn ours(name: &str) -> Option<Found<Live>> {
    let live = Live { id: "f70ff985-a4ef-4643-bbbc-4a0ed4fc8415".into(), name: name::write(&mark(name)), remote: true };
    Some(Found::Ours(Ours { mark: mark(name), revision: Revision::of(&live), live }))
}

#[test]
fn the_life_of_a_tunnel() {
    insta::assert_snapshot!(plan_of(true, false, None), @"+ with its configuration at Cloudflare");
    insta::assert_snapshot!(plan_of(true, false, ours("myird")), @"nothing");
    insta::assert_snapshot!(plan_of(true, false, ours("old-name")), @"~ no longer named `old-name.nz.abcdefghijklmnop`");
    insta::assert_snapshot!(plan_of(false, false, ours("myird")), @"- f70ff985-a4ef-4643-bbbc-4a0ed4fc8415, with its connections [consent: deleting a tunnel cuts off everything that is reached through it]");
    let live = Live { id: "f70ff985-a4ef-4643-bbbc-4a0ed4fc8415".into(), name: "by-hand".into(), remote: true };
    let foreign =
        Found::Foreign(Foreign { holder: "the tunnel `by-hand`".into(), revision: Revision::of(&live), live });
    insta::assert_snapshot!(plan_of(true, true, Some(foreign)), @"= name `by-hand` becomes ours");
}
